# SPDX-License-Identifier: Apache-2.0
"""The platform as a person runs it: start, stop, mistakes, commands, settings, certificates, clock, logs."""

import os
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest
import requests
from boathouse import BINARY, free_port

ME = "/api/2.0/preview/scim/v2/Me"


def serve(*arguments, env=None, **more):
    """Runs `boathouse serve` that is expected to end by itself."""
    return subprocess.run([str(BINARY), "serve", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, **(env or {})}, **more)


def one_line(done, *words):
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    lines = [x for x in done.stderr.splitlines() if x.startswith("boathouse: ")]
    assert len(lines) == 1 and all(w in lines[0] for w in words), done.stderr
    return lines[0]


def until(what, seconds=60):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
    return found


# ---- start and stop ----

def test_connect_env_and_tls(make_platform):
    p = make_platform(https=True).start()
    assert p.connect["DATABRICKS_HOST"] == p.https_url
    assert (p.data / "connect.env").stat().st_mode & 0o777 == 0o600
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"):
        assert os.path.isabs(p.connect[name]) and os.path.exists(p.connect[name])
    head = {"Authorization": f"Bearer {p.token}"}
    for host in ("127.0.0.1", "localhost"):
        r = requests.get(f"https://{host}:{p.https_port}{ME}", headers=head, verify=p.connect["REQUESTS_CA_BUNDLE"], timeout=30)
        assert r.json()["userName"] == "admin"
    # A body that is refused is read to its end: this client looks for the answer only then.
    for body in (40_000_000, 90_000_000):
        r = requests.post(p.https_url + "/api/2.0/token/create", data=b"x" * body, headers=head, verify=p.connect["REQUESTS_CA_BUNDLE"], timeout=60)
        assert (r.status_code, r.json()["error_code"]) == (413, "PAYLOAD_TOO_LARGE")
    exports = p.cli("env")
    shell = subprocess.run(["sh", "-c", f'eval "$1"; echo "$DATABRICKS_HOST $DATABRICKS_TOKEN"', "sh", exports],
                           capture_output=True, text=True, check=True).stdout
    assert shell.split() == [p.https_url, p.token]


def test_token_of_connect_env_stays(make_platform):
    p = make_platform().start()
    token = p.token
    p.restart()
    assert p.token == token
    for t in list(p.sdk().tokens.list()):
        p.sdk().tokens.delete(t.token_id)
    p.restart()
    assert p.token != token and p.sdk().current_user.me().user_name == "admin"


def test_two_side_by_side(make_platform):
    a, b = make_platform("a").start(), make_platform("b").start()
    a.sdk().groups.create(display_name="only-here")
    assert not [g for g in b.sdk().groups.list() if g.display_name == "only-here"]
    assert b.request("GET", ME, token=a.token).status_code == 401
    a.stop()
    assert b.sdk().current_user.me().active


def test_sigterm_drains(make_platform):
    p = make_platform().start()
    idle = socket.create_connection(("127.0.0.1", p.http_port))  # an idle client holds nothing up
    began = time.monotonic()
    p.stop()
    print(f"stopped after {time.monotonic() - began:.2f} s")
    idle.close()


def test_sigterm_finishes_what_runs(make_platform):
    p = make_platform().start()
    body = b'{"comment": "slow"}'
    with socket.create_connection(("127.0.0.1", p.http_port)) as s:
        s.sendall(b"POST /api/2.0/token/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                  + f"Authorization: Bearer {p.token}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body[:5])
        time.sleep(0.2)
        p.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        assert p.process.poll() is None
        with pytest.raises(OSError):  # nobody new comes in
            requests.get(p.url + "/healthz", timeout=5)
        s.sendall(body[5:])
        answer = b""
        while piece := s.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200") and b"token_value" in answer
    assert p.process.wait(20) == 0
    p.process = None


def test_health_without_credential(platform):
    for path in ("/healthz", "/readyz"):
        r = requests.get(platform.url + path, timeout=30)
        assert (r.status_code, r.json()) == (200, {"status": "ok"})


# ---- mistakes ----

def test_port_in_use(tmp_path, platform):
    done = serve("--data", tmp_path / "x", "--http", f"127.0.0.1:{platform.http_port}", "--https", "off")
    one_line(done, str(platform.http_port), "in use", "--http")


def test_not_an_address(tmp_path):
    one_line(serve("--data", tmp_path / "x", "--http", "nonsense:port", "--https", "off"), "nonsense:port")


def test_http_for_everyone_is_refused(tmp_path):
    one_line(serve("--data", tmp_path / "x", "--http", f"0.0.0.0:{free_port()}", "--https", "off"), "in the clear", "allow_remote")


def test_reduced_and_driven_clock_stay_on_loopback(tmp_path):
    for more in (["--set", "sandbox.level=reduced"], ["--test-clock"]):
        one_line(serve("--data", tmp_path / "x", "--http", "off", "--https", f"0.0.0.0:{free_port()}", *more), "loopback")


@pytest.mark.parametrize("setting, word", [("http.nonsense=1", "http.nonsense"), ("workers=many", "workers"), ("workers=0", "workers"),
                                           ("log.form=pretty", "human"), ("nothing", "nothing")])
def test_wrong_setting(tmp_path, setting, word):
    one_line(serve("--data", tmp_path / "x", "--http", "off", "--set", setting), word)


def test_wrong_file_names_the_line(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/boathouse.toml").write_text("# fine\nworkers = 2\nworkers = lots\n")
    one_line(serve("--data", tmp_path / "x", "--http", "off"), "boathouse.toml", "3", "lots")


def test_unknown_option(tmp_path):
    one_line(serve("--data", tmp_path / "x", "--htttp", "off"), "--htttp")


def test_folder_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    one_line(serve("--data", tmp_path / "file", "--http", f"127.0.0.1:{free_port()}", "--https", "off"), "file")


def test_unwritable_folder(tmp_path):
    if os.geteuid() != 0:
        folder, more = tmp_path / "x", {}
        folder.mkdir(mode=0o500)
    else:
        # An ordinary user on a folder of root's.
        copy = shutil.copy(BINARY, "/tmp/boathouse-test-%d" % os.getpid())
        os.chmod(copy, 0o755)
        folder, more = "/etc", {"user": 4242, "group": 4242, "extra_groups": []}
    try:
        program = copy if os.geteuid() == 0 else str(BINARY)
        done = subprocess.run([program, "serve", "--data", str(folder), "--http", f"127.0.0.1:{free_port()}", "--https", "off"],
                              capture_output=True, text=True, timeout=60, cwd="/", **more)
        one_line(done, str(folder), "--data")
    finally:
        if os.geteuid() == 0:
            os.unlink(copy)


def test_second_process_names_the_pid(platform):
    done = serve("--data", platform.data, "--http", f"127.0.0.1:{free_port()}", "--https", "off")
    one_line(done, str(platform.process.pid), "--data")


def test_newer_folder(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x/VERSION").write_text("999 boathouse-9.9\n")
    one_line(serve("--data", tmp_path / "x", "--http", f"127.0.0.1:{free_port()}", "--https", "off"), "newer", "999")


def test_wrong_master_key(make_platform):
    p = make_platform().start()
    p.stop()
    (p.data / "master.key").write_text("0" * 64 + "\n")
    one_line(serve("--data", p.data, "--http", f"127.0.0.1:{p.http_port}", "--https", "off"), "control could not start", "master key")


def test_master_key_from_the_environment(make_platform):
    key = "ab" * 32
    p = make_platform(env={"BOATHOUSE_MASTER_KEY": key}).start()
    assert not (p.data / "master.key").exists()
    # No process of the platform shows it.
    for process in p.processes()["control"] + p.processes()["gateway"] + p.processes()["supervisor"]:
        with open(f"/proc/{process.pid}/environ", "rb") as f:
            assert key.encode() not in f.read()
    p.kill9("control")  # the next one gets it, too
    until(lambda: p.request("GET", ME).status_code == 200)
    p.stop()
    p.extra_env = {}
    one_line(serve("--data", p.data, "--http", f"127.0.0.1:{p.http_port}", "--https", "off"), "master key")


# ---- commands ----

def test_status(platform):
    out = platform.cli("status")
    assert f"pid {platform.process.pid}" in out and platform.url in out
    assert all(role in out for role in ("control", "gateway", "courier", "sandbox"))


def test_status_of_nothing(tmp_path):
    done = subprocess.run([str(BINARY), "status", "--data", str(tmp_path)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "not running" in done.stdout


def test_doctor(platform):
    out = platform.cli("doctor")
    for name in ("seccomp", "landlock", "sandbox", "limits", "disk", "python"):
        assert name in out
    assert "sandbox.level=auto gives" in out


def test_commands_of_identity(platform, u):
    token = platform.cli("token", "create", "--comment", u).strip()
    assert platform.request("GET", ME, token=token).status_code == 200
    row = next(x for x in platform.cli("token", "list").splitlines() if x.endswith(u))
    platform.cli("token", "revoke", row.split()[0])
    assert platform.request("GET", ME, token=token).status_code == 401
    platform.cli("user", "create", f"{u}@example.com", "--display", "Somebody")
    assert f"{u}@example.com" in platform.cli("user", "list")
    platform.cli("user", "delete", f"{u}@example.com")
    assert f"{u}@example.com" not in platform.cli("user", "list")
    done = subprocess.run([str(BINARY), "user", "delete", "nobody", "--data", str(platform.data)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and done.stderr.startswith("boathouse: There is no user 'nobody'")


def test_workspaces(platform, u):
    out = platform.cli("workspace", "create", "--ephemeral", "--name", u)
    values = dict(x.removeprefix("export ").replace("'", "").split("=", 1) for x in out.splitlines())
    assert values["DATABRICKS_HOST"] == platform.connect["DATABRICKS_HOST"]
    other = platform.sdk(token=values["DATABRICKS_TOKEN"], workspace_id=values["DATABRICKS_WORKSPACE_ID"])
    other.experiments.create_experiment(f"/{u}")
    assert f"/{u}" not in [e.name for e in platform.sdk().experiments.list_experiments()]
    assert u in platform.cli("workspace", "list")
    platform.cli("workspace", "delete", values["DATABRICKS_WORKSPACE_ID"])
    assert platform.request("GET", ME, token=values["DATABRICKS_TOKEN"]).status_code == 401


def blobs(p):
    return sum(f.is_file() for f in (p.data / "storage/blobs").rglob("*"))


def fill(p, *options):
    """A new workspace with an experiment, a run with a file, a model and a DBFS file; (its id, its token)."""
    out = p.cli("workspace", "create", *options)
    values = dict(x.removeprefix("export ").replace("'", "").split("=", 1) for x in out.splitlines())
    workspace, token = values["DATABRICKS_WORKSPACE_ID"], values["DATABRICKS_TOKEN"]
    with p.mlflow("http", token=token) as mlflow:
        mlflow.set_experiment("here")
        with mlflow.start_run():
            mlflow.log_metric("m", 1.0)
            mlflow.log_param("p", "v")
            mlflow.log_text("some text", "a/b.txt")
    sdk = p.sdk(token=token, workspace_id=workspace)
    sdk.model_registry.create_model("there")
    sdk.dbfs.put("/tmp/x", contents="aGVsbG8=", overwrite=True)
    assert sdk.dbfs.read("/tmp/x").data == "aGVsbG8="
    return workspace, token


def gone(p, workspace, before):
    """Nothing of the workspace is left: neither in the list nor on the disk."""
    deadline = time.monotonic() + 60  # a worker removes it while the platform serves
    while workspace in p.cli("workspace", "list") or blobs(p) > before:
        assert time.monotonic() < deadline, p.cli("workspace", "list")
        time.sleep(0.1)
    assert blobs(p) == before


def test_ephemeral_workspaces_go_when_the_platform_stops(make_platform, u):
    p = make_platform().start()
    kept, kept_token = fill(p)
    before = blobs(p)
    one, one_token = fill(p, "--ephemeral")
    two, two_token = fill(p, "--ephemeral", "--name", u)
    assert blobs(p) > before
    p.restart()
    for token in (one_token, two_token):
        assert p.request("GET", ME, token=token).status_code == 401
    gone(p, one, before)
    gone(p, two, before)
    assert kept in p.cli("workspace", "list") and p.request("GET", ME, token=kept_token).status_code == 200
    # Its name is free again, and a killed platform forgets as well.
    again, token = fill(p, "--ephemeral", "--name", u)
    p.kill9("supervisor")
    p.start()
    assert p.request("GET", ME, token=token).status_code == 401
    gone(p, again, before)


def test_a_deleted_workspace_leaves_no_file(platform, u):
    before = blobs(platform)
    workspace, token = fill(platform, "--name", u)
    platform.cli("workspace", "delete", workspace)
    assert platform.request("GET", ME, token=token).status_code == 401
    gone(platform, workspace, before)


@pytest.mark.parametrize("command", ["status", "doctor", "token", "user", "workspace", "backup", "restore", "reload", "rotate-key", "serve"])
def test_help_and_wrong_use(command):
    asked = subprocess.run([str(BINARY), command, "--help"], capture_output=True, text=True, timeout=30)
    assert asked.returncode == 0 and asked.stdout.startswith("usage: boathouse " + command)
    wrong = subprocess.run([str(BINARY), command, "--no-such-option"], capture_output=True, text=True, timeout=30)
    assert wrong.returncode == 2 and "--no-such-option" in wrong.stderr


# ---- backup, restore, keys ----

def test_backup_and_restore(make_platform, tmp_path, u):
    p = make_platform("a").start()
    p.cli("user", "create", f"{u}@example.com")
    p.cli("backup", "first")
    p.cli("user", "create", f"late-{u}@example.com")
    p.cli("backup", str(tmp_path / "second"))
    p.stop()
    for number, (source, late) in enumerate([(p.data / "backups/first", False), (tmp_path / "second", True)]):
        q = make_platform(f"restored-{number}")
        subprocess.run([str(BINARY), "restore", str(source), "--data", str(q.data), "--key", str(p.data / "master.key")],
                       check=True, timeout=60)
        q.start()
        names = [x.user_name for x in q.sdk().users.list()]
        assert f"{u}@example.com" in names and (f"late-{u}@example.com" in names) == late
        assert q.request("GET", ME, token=p.token).status_code == 200
    again = subprocess.run([str(BINARY), "restore", str(tmp_path / "second"), "--data", str(p.data)], capture_output=True, text=True, timeout=60)
    assert again.returncode == 1 and "not empty" in again.stderr


def test_rotate_key(make_platform):
    p = make_platform().start()
    before = (p.data / "master.key").read_text()
    p.cli("rotate-key")
    between = (p.data / "master.key").read_text()
    p.kill9("control")
    until(lambda: p.request("GET", ME).status_code == 200)
    refused = subprocess.run([str(BINARY), "rotate-key", "--full", "--data", str(p.data)], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1 and str(p.process.pid) in refused.stderr
    p.stop()
    p.cli("rotate-key", "--full")
    after = (p.data / "master.key").read_text()
    assert len({before, between, after}) == 3
    p.start()
    assert p.request("GET", ME).status_code == 200


# ---- reload, certificates, logs ----

def test_reload(make_platform):
    p = make_platform().start()
    toml = p.data / "boathouse.toml"
    toml.write_text("[log]\nlevel = debug\n")
    p.cli("reload")
    until(lambda: "settings reloaded" in p.log())
    # What only a restart changes is told, with what is in force until then; an argument of `serve` holds against the file.
    toml.write_text("workers = 3\nsandbox.level = user\n[log]\nlevel = debug\n")
    p.cli("reload")
    shown = {line.split()[0]: line for line in p.cli("settings").splitlines()}
    assert " 3 " in shown["workers"] and "PENDING RESTART: it runs with '2'" in shown["workers"], shown["workers"]
    assert f" 127.0.0.1:{p.http_port} " in shown["http.address"] and "command line" in shown["http.address"] and "PENDING" not in shown["http.address"]
    assert "PENDING" not in shown["log.level"] and " debug " in shown["log.level"]
    toml.write_text("[log]\nlevel = loud\n")
    done = subprocess.run([str(BINARY), "reload", "--data", str(p.data)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "boathouse.toml" in done.stderr and "loud" in done.stderr
    p.process.send_signal(signal.SIGHUP)  # as an administrator's script would
    until(lambda: "reload refused" in p.log())
    assert p.request("GET", ME).status_code == 200


def served_certificate(port):
    return ssl.get_server_certificate(("127.0.0.1", port))


def test_own_certificate_reloaded(make_platform, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def make(name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                        "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
        return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(cert.read_text()))
    first = make("first")
    p = make_platform(https=True, settings={"tls.certificate": cert, "tls.key": key}).start()
    assert served_certificate(p.https_port) == first
    kept = requests.Session()
    head = {"Authorization": f"Bearer {p.token}"}
    assert kept.get(p.https_url + ME, headers=head, verify=cert, timeout=30).status_code == 200
    gateway = p.processes("gateway")[0].pid
    second = make("second")
    p.cli("reload")
    until(lambda: served_certificate(p.https_port) == second)
    assert p.processes("gateway")[0].pid == gateway
    # A key that does not fit changes nothing.
    good = key.read_text()
    make("third")
    key.write_text(good)
    p.cli("reload")
    until(lambda: "certificate" in p.log() and "stays" in p.log())
    assert served_certificate(p.https_port) == second


def test_log_file(make_platform, tmp_path):
    log = tmp_path / "bh.log"
    p = make_platform(settings={"log.file": log, "log.form": "json", "log.max_size": "64KiB", "log.keep": 2, "log.requests": "true"})
    p.start()
    until(lambda: '"event":"Boathouse answers"' in log.read_text())
    old = tmp_path / "moved.log"
    log.rename(old)
    p.process.send_signal(signal.SIGUSR1)
    until(lambda: log.exists() and "opened again" in log.read_text())
    gateway = p.kill9("gateway")
    assert gateway == 1
    until(lambda: "process ended" in log.read_text())
    head, session = {"Authorization": f"Bearer {p.token}"}, requests.Session()

    def full():
        for _ in range(100):
            session.get(p.url + ME, headers=head, timeout=30)
        return (tmp_path / "bh.log.2").exists()
    until(full, 120)
    for _ in range(500):
        session.get(p.url + ME, headers=head, timeout=30)
    assert sorted(f.name for f in tmp_path.glob("bh.log*")) == ["bh.log", "bh.log.1", "bh.log.2"]
    import json
    for f in tmp_path.glob("bh.log*"):
        for line in f.read_text().splitlines():
            json.loads(line)  # lines of several processes never mix
    size = sum(f.stat().st_size for f in tmp_path.glob("bh.log*"))
    assert size < 3 * 70 * 1024


def test_crash_reports_are_capped(make_platform):
    p = make_platform(settings={"disk.crash_reports": 3}).start()
    for _ in range(5):
        before = p.processes("courier")[0].pid
        p.kill9("courier")
        until(lambda: [x for x in p.processes("courier") if x.pid != before])
    until(lambda: len(list((p.data / "crash").iterdir())) == 3)
    reports = p.request("GET", "/api/boathouse/crash-reports").json()["reports"]
    assert [r["role"] for r in reports] == ["courier"] * 3
    text = p.request("GET", "/api/boathouse/crash-reports/" + reports[0]["name"]).json()["text"]
    assert "signal: 9" in text
    (p.data / "run/left-over").mkdir()
    (p.data / "spool/left-over").write_text("x")
    p.restart()
    assert not list((p.data / "run").iterdir()) and not list((p.data / "spool").iterdir())


def test_crash_report(make_platform):
    p = make_platform().start()
    for signal_number, name in ((signal.SIGSEGV, "SIGSEGV"), (signal.SIGABRT, "SIGABRT")):
        before = p.processes("control")[0]
        before.send_signal(signal_number)
        before.wait(20)
        until(lambda: p.request("GET", ME).status_code == 200)
        newest = p.request("GET", "/api/boathouse/crash-reports").json()["reports"][0]
        assert newest["role"] == "control"
        text = p.request("GET", "/api/boathouse/crash-reports/" + newest["name"]).json()["text"]
        assert name in text and "#1 " in text and "Boathouse answers" in text and "crash end" in text
        assert p.token not in text
    p.check_log = lambda: None  # a sanitizer may have its say about the signal


# ---- listeners, proxies, clock ----

def test_ipv6_and_several_listeners(make_platform):
    p = make_platform()
    port, v6 = p.http_port, free_port("::1")
    command = p.command
    p.command = lambda: [f"127.0.0.1:{port},[::1]:{v6}" if x == f"127.0.0.1:{port}" else x for x in command()]
    p.start()
    head = {"Authorization": f"Bearer {p.token}"}
    for url in (f"http://127.0.0.1:{port}", f"http://[::1]:{v6}"):
        assert requests.get(url + ME, headers=head, timeout=30).status_code == 200
    assert p.connect["DATABRICKS_HOST"] == f"http://127.0.0.1:{port}"


def test_trusted_proxies(make_platform, u):
    p = make_platform(settings={"net.trusted_proxies": "127.0.0.0/8"}).start()
    forwarded = {"Forwarded": 'for=6.6.6.6, for="192.0.2.7:4711";proto=https'}
    assert p.request("POST", "/api/2.0/preview/scim/v2/Groups", {"displayName": u}, headers=forwarded).status_code == 201
    assert p.request("GET", "/api/boathouse/journal?max_results=1").json()["entries"][0]["client"] == "192.0.2.7:0"


def test_proxies_that_nobody_trusts(platform, u):
    forwarded = {"X-Forwarded-For": "192.0.2.7"}
    assert platform.request("POST", "/api/2.0/preview/scim/v2/Groups", {"displayName": u}, headers=forwarded).status_code == 201
    entries = platform.request("GET", "/api/boathouse/journal?max_results=50").json()["entries"]
    assert all(e["client"].startswith("127.0.0.1:") or e["client"] == "local" for e in entries)


def test_driven_clock(make_platform):
    p = make_platform(args=["--test-clock"]).start()
    assert "driven by tests" in p.log()
    made = p.request("POST", "/api/2.0/token/create", {"lifetime_seconds": 3600}).json()
    assert p.request("GET", ME, token=made["token_value"]).status_code == 200
    now = p.request("POST", "/api/boathouse/test/clock", {"advance_ms": 3600_000}).json()["now_ms"]
    assert now >= made["token_info"]["expiry_time"]
    assert p.request("GET", ME, token=made["token_value"]).status_code == 401
    p.kill9("control")  # a new process sees the same time
    until(lambda: p.request("GET", ME).status_code == 200)
    assert p.request("GET", ME, token=made["token_value"]).status_code == 401


def test_clock_is_not_driven_by_default(platform):
    assert platform.request("POST", "/api/boathouse/test/clock", {"advance_ms": 1}).status_code == 404


# ---- isolation, as it is on the running platform ----

def test_processes_are_isolated(platform):
    level = platform.request("GET", "/api/boathouse/status").json()["sandbox_level"]
    assert level == ("full" if os.geteuid() == 0 else "user")
    ours = {kind: os.stat(f"/proc/self/ns/{kind}").st_ino for kind in ("net", "mnt", "pid", "ipc", "uts")}
    for role, kinds in {"control": ours, "gateway": ours, "courier": set(ours) - {"net"}}.items():
        process = platform.processes(role)[0]
        for kind in kinds:
            assert os.stat(f"/proc/{process.pid}/ns/{kind}").st_ino != ours[kind], (role, kind)
        status = dict(x.split(":\t", 1) for x in open(f"/proc/{process.pid}/status").read().splitlines() if ":\t" in x)
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0 or level == "user", role
        assert status["NoNewPrivs"].strip() == "1" and status["Seccomp"].strip() == "2", role
    root = f"/proc/{platform.processes('gateway')[0].pid}/root"
    assert not os.path.exists(root + "/home") and not os.path.exists(root + "/data")
