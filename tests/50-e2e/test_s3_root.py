# SPDX-License-Identifier: Apache-2.0
"""Artifacts and files through unmodified clients, with the storage root on S3 and on the local disk alike."""

import io
import os
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import s3_store
from big_files import MB, Pattern, peak_mb, sha256_of
from databricks.sdk.errors import NotFound

ROOT = "/WorkspaceInternal/Mlflow/Artifacts"


@pytest.fixture(scope="module")
def s3():
    with s3_store.store() as store:
        yield store


@pytest.fixture(scope="module", params=["s3", "local"])
def p(request, s3, platform, tmp_path_factory):
    """(platform, its S3 store or None)"""
    if request.param == "local":
        yield platform, None
        return
    with s3.platform(tmp_path_factory.mktemp("s3root") / "data", "a/prefix") as on_s3:
        yield on_s3, s3


@pytest.fixture
def volume_path(p):
    """A folder of the Files API that the admin may write to: that of a run's artifacts."""
    experiments = p[0].sdk().experiments
    exp = experiments.create_experiment(f"/Shared/s3-{uuid.uuid4().hex[:8]}").experiment_id
    run = experiments.create_run(experiment_id=exp).run.info
    return f"{ROOT}/{exp}/{run.run_id}"


def test_mlflow_artifacts(p, u, tmp_path):
    platform, store = p
    before = store.objects() if store else {}
    (tmp_path / "in/sub").mkdir(parents=True)
    (tmp_path / "in/one.txt").write_text("one")
    (tmp_path / "in/sub/ü 2.bin").write_bytes(Pattern(3 * MB + 17).read())
    (tmp_path / "in/empty").write_bytes(b"")
    for transport in ("http", "databricks"):
        with platform.mlflow(transport) as mlflow:
            mlflow.set_experiment(f"/Shared/s3-{transport}-{u}")
            with mlflow.start_run() as run:
                mlflow.log_artifacts(str(tmp_path / "in"), "all")
            c, rid = mlflow.MlflowClient(), run.info.run_id
            assert {(f.path, f.file_size) for f in c.list_artifacts(rid, "all") if not f.is_dir} == {("all/one.txt", 3), ("all/empty", 0)}
            back = tmp_path / transport
            mlflow.artifacts.download_artifacts(run_id=rid, artifact_path="all", dst_path=str(back))
            for name in ("one.txt", "sub/ü 2.bin", "empty"):
                assert (back / "all" / name).read_bytes() == (tmp_path / "in" / name).read_bytes(), name
    if store:
        made = store.objects("a/prefix/").keys() - before.keys()
        assert len(made) >= 6 and not set(store.objects()) - set(store.objects("a/prefix/")), "all below the prefix"
        assert not (platform.data / "storage/blobs").exists() or not any(f.is_file() for f in (platform.data / "storage/blobs").rglob("*"))


def test_a_file_of_one_request(p, volume_path):
    platform, _ = p
    body = Pattern(5 * MB + 3)
    path = f"{volume_path}/artifacts/five"
    put = platform.request("PUT", f"/api/2.0/fs/files{path}?overwrite=true", data=Pattern(body.size).read())
    assert put.status_code == 204, put.text
    url = platform.url + "/api/2.0/fs/files" + path
    auth = {"Authorization": f"Bearer {platform.token}"}
    whole = requests.get(url, headers=auth, timeout=60)
    assert whole.status_code == 200 and whole.content == body.slice(0, body.size)
    for start, end in ((0, 0), (MB - 5, MB + 5), (4 * MB, body.size - 1), (body.size - 1, body.size + 10)):
        part = requests.get(url, headers={**auth, "Range": f"bytes={start}-{end}"}, timeout=60)
        assert part.status_code == 206 and part.content == body.slice(start, end - start + 1), (start, end)
        assert part.headers["Content-Range"] == f"bytes {start}-{min(end, body.size - 1)}/{body.size}"
    last = requests.get(url, headers={**auth, "Range": "bytes=-7"}, timeout=60)
    assert last.status_code == 206 and last.content == body.slice(body.size - 7, 7)
    past = requests.get(url, headers={**auth, "Range": f"bytes={body.size}-"}, timeout=60)
    assert past.status_code == 416
    head = requests.head(url, headers=auth, timeout=60)
    assert head.status_code == 200 and int(head.headers["Content-Length"]) == body.size and head.headers["ETag"] == whole.headers["ETag"]


def test_overwrite_and_delete(p, volume_path):
    platform, store = p
    files, path = platform.sdk().files, f"{volume_path}/artifacts/twice"
    files.upload(path, io.BytesIO(b"first"))
    with pytest.raises(Exception, match="exists"):
        files.upload(path, io.BytesIO(b"no"), overwrite=False)
    files.upload(path, io.BytesIO(b"second one"), overwrite=True)
    assert files.download(path).contents.read() == b"second one"
    files.delete(path)
    with pytest.raises(NotFound):
        files.download(path)
    if store:
        assert not [k for k, size in store.objects().items() if size == len(b"second one")], "the bytes of a deleted file go"


def test_an_upload_cut_short_leaves_nothing(p, volume_path):
    platform, store = p
    before = store.objects() if store else None

    with socket.create_connection(("127.0.0.1", platform.http_port)) as c:
        c.sendall((f"PUT /api/2.0/fs/files{volume_path}/artifacts/half HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {platform.token}\r\n"
                   f"Content-Length: {20 * MB}\r\n\r\n").encode())
        c.sendall(bytes(9 * MB))
    assert platform.request("GET", f"/api/2.0/fs/files{volume_path}/artifacts/half").status_code == 404
    if store:
        platform.sdk().files.upload(f"{volume_path}/artifacts/other", io.BytesIO(b"x"))
        assert len(store.objects().keys() - before.keys()) == 1
        deadline = time.monotonic() + 60  # the courier aborts in its own time
        while store.unfinished() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not store.unfinished()


def test_multipart_by_the_sdk(p, volume_path):
    """Above 50 MiB the SDK asks for an upload session and sends parts to signed URLs."""
    platform, store = p
    files, path = platform.sdk().files, f"{volume_path}/artifacts/parts"
    body = Pattern(64 * MB + 5)
    files.upload(path, io.BufferedReader(Pattern(body.size)), overwrite=True)
    assert sha256_of(files.download(path).contents) == (body.sha256(), body.size)
    if store:
        assert not store.unfinished()


def test_a_completion_that_is_asked_for_again(p, volume_path):
    """A client whose answer was late sends it once more; also while the first is at work: all hear that the file is there."""
    platform, _ = p
    path = f"/api/2.0/fs/files{volume_path}/artifacts/again"
    for senders in (1, 4):
        token = platform.request("POST", f"{path}?action=initiate-upload&overwrite=true").json()["multipart_upload"]["session_token"]
        urls = platform.request("POST", "/api/2.0/fs/create-upload-part-urls", {"path": f"{volume_path}/artifacts/again", "session_token": token,
                                                                                "start_part_number": 1, "count": 2}).json()["upload_part_urls"]
        parts = []
        for u, size in zip(urls, (5 * MB, 17)):
            put = requests.put(u["url"], data=Pattern(size).read(), headers={h["name"]: h["value"] for h in u.get("headers", [])}, timeout=60)
            assert put.status_code == 200, put.text
            parts.append({"part_number": u["part_number"], "etag": put.headers["ETag"]})

        def complete(_, token=token, parts=parts):
            return platform.request("POST", f"{path}?action=complete-upload&upload_type=multipart&session_token={token}", {"parts": parts})
        with ThreadPoolExecutor(senders) as pool:
            answers = list(pool.map(complete, range(senders))) + [complete(0)]
        assert [a.status_code for a in answers] == [200] * len(answers), [a.text for a in answers]
        got = platform.request("GET", path)
        assert got.content == Pattern(5 * MB).read() + Pattern(17).read()


def test_300_mb_in_bounded_memory(p, volume_path):
    platform, _ = p
    path = f"{volume_path}/artifacts/large"
    body = Pattern(300 * MB)
    put = requests.put(f"{platform.url}/api/2.0/fs/files{path}?overwrite=true", data=io.BufferedReader(Pattern(body.size)),
                       headers={"Authorization": f"Bearer {platform.token}"}, timeout=300)
    assert put.status_code == 204, put.text
    with requests.get(f"{platform.url}/api/2.0/fs/files{path}", headers={"Authorization": f"Bearer {platform.token}"}, stream=True,
                      timeout=300) as got:
        assert got.status_code == 200
        assert sha256_of(got.raw) == (body.sha256(), body.size)
    # A sanitizer keeps freed memory aside (ASan: 256 MB of quarantine a process): there only the release figure's order.
    bound = 64 if os.environ.get("BH_FLAVOUR", "release") == "release" else 250
    for role in ("control", "gateway"):
        assert peak_mb(platform, role) < bound, role
    platform.sdk().files.delete(path)


def test_all_is_there_after_a_restart(s3, tmp_path, u):
    on_s3 = s3.platform(tmp_path / "data", f"restart-{u}")
    with on_s3:
        with on_s3.mlflow("http") as mlflow:
            mlflow.set_experiment("restart")
            with mlflow.start_run() as run:
                mlflow.log_text("kept", "a/b.txt")
        on_s3.kill9("courier")
        with on_s3.mlflow("http") as mlflow:
            assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a/b.txt") == "kept"
        on_s3.restart()
        with on_s3.mlflow("http") as mlflow:
            assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a/b.txt") == "kept"
