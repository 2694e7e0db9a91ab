# SPDX-License-Identifier: Apache-2.0
"""Locking and building with uv: from requirements to a lock, from a lock to an environment.

A lock is uv's requirements list with every package pinned and hashed. Its name is the SHA-256 of its bytes
with a line naming Python and platform in front (lock_text makes them), so equal locks on equal machines
share one environment, and an environment never changes under its name.
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig

LOCK_MOST = 4 * 1024 * 1024
SECONDS = 1500
WORDS_MOST = 4000
# How uv says that it did not get through to an index.
UNREACHABLE = ("error sending request", "dns error", "failed to lookup address", "connection refused", "network is unreachable",
               "operation timed out", "tcp connect error", "network connectivity is disabled", "could not connect", "request failed after",
               "502 bad gateway", "503 service unavailable", "504 gateway timeout")


class BuildFailed(Exception):
    def __init__(self, code, reason, words=""):
        super().__init__(reason)
        self.code, self.reason, self.words = code, reason, words


def find_uv():
    for path in (os.environ.get("BOATHOUSE_UV"), os.path.join(os.path.dirname(sys.executable), "uv"), shutil.which("uv")):
        if path and os.access(path, os.X_OK):
            return path
    raise BuildFailed("NO_UV", "The tool uv is not there; the set-up installs it.")


def run_uv(arguments, what, cache, cwd=None):
    """Runs uv; BuildFailed with a reason that a person can act on."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "LANG": "C.UTF-8", "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never",
           "UV_CACHE_DIR": cache, "TMPDIR": os.path.dirname(cache), "UV_NO_PROGRESS": "1", "NO_COLOR": "1", "SOURCE_DATE_EPOCH": "946684800"}
    env.update({k: v for k, v in os.environ.items() if k in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_OFFLINE", "SSL_CERT_FILE",
                                                             "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY", "UV_HTTP_TIMEOUT")})
    try:
        done = subprocess.run([find_uv(), *arguments], env=env, cwd=cwd, capture_output=True, text=True, errors="replace",
                              timeout=SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise BuildFailed("TIMEOUT", f"{what} took longer than {SECONDS} s.") from None
    words = done.stderr[-WORDS_MOST:].strip()
    if done.returncode == 0:
        return words
    raise BuildFailed(*explain(what, words), words)


def explain(what, words):
    """(code, reason) of uv's words."""
    low = words.lower()
    if any(mark in low for mark in UNREACHABLE):
        return "INDEX_UNREACHABLE", (
            f"{what} needs the package index, which cannot be reached. Set environments.index_url to one that can, or log the "
            f"model with versions that the base environment has.")
    if "hash" in low and "mismatch" in low:
        return "HASH_MISMATCH", f"{what}: the index gave a file with another checksum than the lock says. {_last(words)}"
    if "no solution found" in low or "was not found in the package registry" in low or "no matching distribution" in low:
        return "NO_SOLUTION", f"{what}: the requirements cannot be met with ready-made wheels. {_last(words)}"
    return "FAILED", f"{what} failed. {_last(words)}"


def _last(words):
    """uv's explanation on one line, without its drawing characters."""
    return " ".join(re.sub(r"[^\x20-\x7e]+", " ", words).split())[-1000:]


def python_tag():
    """What a compiled package depends on: implementation, version, platform, C library."""
    return f"{sys.implementation.cache_tag} {sysconfig.get_platform()} {'-'.join(platform.libc_ver())}"


def lock_name(text):
    return hashlib.sha256(text.encode()).hexdigest()


def lock_text(compiled):
    """A lock's bytes from uv's output: our first line, no comments, sorted by uv already."""
    lines = [line for line in compiled.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    return f"# {python_tag()}\n" + "\n".join(lines) + "\n"


def lock(requirements, work, allow_sdist=False):
    """The lock's text for packaging Requirements; work is a scratch folder."""
    given, made = os.path.join(work, "requirements.in"), os.path.join(work, "requirements.out")
    with open(given, "w", encoding="utf-8") as f:
        f.writelines(f"{r}\n" for r in requirements)
    run_uv(["pip", "compile", given, "-o", made, "--generate-hashes", "--no-header", "--no-annotate", "--quiet",
            "--python", sys.executable, *([] if allow_sdist else ["--only-binary", ":all:"])],
           "Choosing the versions of the model's packages", os.path.join(work, "cache"))
    with open(made, encoding="utf-8") as f:
        text = f.read(LOCK_MOST + 1)
    if len(text) > LOCK_MOST:
        raise BuildFailed("TOO_LARGE", f"The lock is larger than {LOCK_MOST} bytes.")
    return lock_text(text)


def build(text, place, work, allow_sdist=False):
    """Makes the environment of a lock in `place` (exists, empty). The description that is also written there."""
    first = text.partition("\n")[0]
    if first != f"# {python_tag()}":
        raise BuildFailed("OTHER_PYTHON", f"The lock is for {first[2:]!r}; this machine is {python_tag()!r}.")
    path = os.path.join(work, "requirements.lock")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    cache = os.path.join(work, "cache")
    run_uv(["venv", "--quiet", "--allow-existing", "--relocatable", "--python", os.path.realpath(sys.executable), place],
           "Making the environment", cache)
    run_uv(["pip", "sync", path, "--quiet", "--require-hashes", "--link-mode", "copy", "--compile-bytecode",
            "--python", os.path.join(place, "bin/python"), *([] if allow_sdist else ["--only-binary", ":all:"])],
           "Installing the model's packages", cache)
    about = {"lock": lock_name(text), "python": platform.python_version(), "packages": packages_of(place)}
    with open(os.path.join(place, "environment.json"), "w", encoding="utf-8") as f:
        json.dump(about, f, sort_keys=True, indent=1)
        f.write("\n")
    return about


def packages_of(place):
    from importlib.metadata import distributions
    site = os.path.join(place, "lib", f"python{sys.version_info[0]}.{sys.version_info[1]}", "site-packages")
    return {d.metadata["Name"]: d.version for d in distributions(path=[site]) if d.metadata["Name"]}
