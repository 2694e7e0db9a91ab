# SPDX-License-Identifier: Apache-2.0
"""The env_builder process. Input and output are folders; every run ends with a JSON file and an exit code.

    check MODEL_DIR            does this very environment (the base) satisfy the model? No index is asked.
    lock  MODEL_DIR OUT_DIR    OUT_DIR/requirements.lock, with what a runtime host needs added
    prepare MODEL_DIR OUT_DIR  check, and lock if it does not
    build LOCK_DIR OUT_DIR     LOCK_DIR/requirements.lock becomes the environment OUT_DIR
    (none)                     /lock and /build: build if /lock has a requirements.lock, else prepare

stdout gets one line, and OUT_DIR/result.json the same object (not for check):

    check  {"ok":true,"satisfied":bool,"reasons":[…],"python":"3.11.2"}
    lock   {"ok":true,"name":"<sha256 of the lock>"}      the name of its environment
    prepare  one of the two above
    build  {"ok":true,"name":…,"packages":{…}}
    any    {"ok":false,"code":…,"reason":…,"words":"what uv said"}

Codes: BAD_REQUIREMENTS (the model's files), NO_SOLUTION, NO_INDEX, INDEX_UNREACHABLE, HASH_MISMATCH,
OTHER_PYTHON, TIMEOUT, TOO_LARGE, NO_UV, FAILED. Exit code 0 with ok true, 1 with ok false, 2 for a wrong command line.

Environment: BOATHOUSE_UV (path of uv), BOATHOUSE_ALLOW_SDIST=1, and the package index: UV_DEFAULT_INDEX, or as a
process of the platform BOATHOUSE_INDEX, the index as the courier's relay names it ("https/host/simple", empty for
none). Then this process listens on its own loopback, hands the listener out through descriptor 3, and whoever
answers there is the courier; nothing else can be reached.
Nothing is written outside OUT_DIR and TMPDIR. The caller renames OUT_DIR to the lock's name when it has verified
the result: a half-built environment never has its final name.
"""

import json
import os
import platform
import socket
import struct
import sys
import tempfile

from boathouse_envs import build, requirements


INDEX_LISTENER = 52  # tables/messages.json
CHANNEL_FD = 3


def open_index():
    """The way to the package index. Returns what must be kept open meanwhile."""
    index = os.environ.get("BOATHOUSE_INDEX")
    if index is None:
        return None
    if not index:
        raise build.BuildFailed("NO_INDEX", "The model asks for packages that the base environment does not have, and no package "
                                "index is set. Set environments.index_url, or log the model with versions that the base has.")
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    with socket.socket(fileno=os.dup(CHANNEL_FD)) as channel:
        socket.send_fds(channel, [struct.pack("<IHHQ", 0, INDEX_LISTENER, 1, 0)], [listener.fileno()])
    os.environ["UV_DEFAULT_INDEX"] = f"http://127.0.0.1:{listener.getsockname()[1]}/-/{index}"
    return listener


def check(folder):
    want = requirements.wanted(folder)
    ok, reasons = requirements.satisfied(want.requirements, requirements.installed(), want.python, platform.python_version())
    return {"ok": True, "satisfied": ok, "reasons": reasons, "python": want.python}


def lock(folder, out, work):
    want = requirements.wanted(folder)
    if want.python and not same_minor(want.python):
        raise build.BuildFailed("OTHER_PYTHON", f"The model asks for Python {want.python}; this platform has "
                                f"{platform.python_version()}. Log the model with that version.")
    needs = requirements.with_runtime(want.requirements, requirements.installed())
    listener = open_index()  # noqa: F841 (kept open)
    text = build.lock(needs, work, allow_sdist())
    with open(os.path.join(out, "requirements.lock"), "w", encoding="utf-8") as f:
        f.write(text)
    return {"ok": True, "name": build.lock_name(text)}


def prepare(folder, out, work):
    found = check(folder)
    return found if found["satisfied"] else {**lock(folder, out, work), "satisfied": False, "reasons": found["reasons"]}


def make(folder, out, work):
    with open(os.path.join(folder, "requirements.lock"), encoding="utf-8") as f:
        text = f.read(build.LOCK_MOST + 1)
    listener = open_index()  # noqa: F841 (kept open)
    about = build.build(text, out, work, allow_sdist())
    return {"ok": True, "name": about["lock"], "packages": about["packages"]}


def same_minor(python):
    return tuple(python.split(".")[:2]) == platform.python_version_tuple()[:2]


def allow_sdist():
    return os.environ.get("BOATHOUSE_ALLOW_SDIST") == "1"


def main(argv=None):
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv:
        argv = ["build" if os.path.exists("/lock/requirements.lock") else "prepare", "/lock", "/build"]
    if (argv[0], len(argv)) not in (("check", 2), ("lock", 3), ("prepare", 3), ("build", 3)):
        print("usage: boathouse_envs check MODEL_DIR | lock MODEL_DIR OUT_DIR | prepare MODEL_DIR OUT_DIR | build LOCK_DIR OUT_DIR",
              file=sys.stderr)
        return 2
    try:
        if argv[0] == "check":
            result = check(argv[1])
        else:
            with tempfile.TemporaryDirectory(prefix="env-") as work:
                result = {"lock": lock, "prepare": prepare, "build": make}[argv[0]](argv[1], argv[2], work)
    except requirements.BadRequirements as e:
        result = {"ok": False, "code": "BAD_REQUIREMENTS", "reason": str(e), "words": ""}
    except build.BuildFailed as e:
        result = {"ok": False, "code": e.code, "reason": e.reason, "words": e.words}
    except OSError as e:
        result = {"ok": False, "code": "FAILED", "reason": f"{type(e).__name__}: {e}", "words": ""}
    line = json.dumps(result)
    print(line)
    if argv[0] != "check":
        try:
            with open(os.path.join(argv[2], "result.json"), "w", encoding="utf-8") as f:
                f.write(line + "\n")
        except OSError:
            pass  # the line on stdout says it too
    return 0 if result["ok"] else 1
