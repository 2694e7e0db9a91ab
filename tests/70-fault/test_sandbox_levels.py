# SPDX-License-Identifier: Apache-2.0
"""The sandbox tests where a plain run of them does not reach: on the release build (strict lists as
they ship, real address-space limits), and as an ordinary user (level user).

The release build is found beside BH_RELEASE_BIN, where CTest was given one, else the flavour under test
is used if it is the release one.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PROGRAM = "tests/70-fault/sys_sandbox"
ORDINARY = 4242  # any uid that is not root's; nobody needs to have it


def release_program():
    places = []
    if os.environ.get("BH_RELEASE_BIN"):
        places.append(Path(os.environ["BH_RELEASE_BIN"]).parent)
    if os.environ.get("BH_FLAVOUR") == "release":
        places.append(Path(os.environ["BOATHOUSE_BUILD"]))
    for place in places:
        if (place / "build.ninja").exists() and not (place / PROGRAM).exists():
            subprocess.run(["ninja", "-C", str(place), PROGRAM], check=True, capture_output=True, timeout=400)
        if (place / PROGRAM).exists():
            return place / PROGRAM
    pytest.skip("no release build: set BH_RELEASE_BIN to its boathouse")


def run(program, user=None):
    # An ordinary user may not be allowed to walk to the build folder.
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "sandbox"
        shutil.copy(program, copy)
        os.chmod(folder, 0o755)
        os.chmod(copy, 0o755)
        command = [str(copy)]
        extra = {"user": user, "group": user, "extra_groups": []} if user else {}
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=300, **extra)
    print(done.stdout, done.stderr)
    if done.stdout.startswith("skipped"):
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def test_release_build():
    level = "full" if os.geteuid() == 0 else "user"
    assert f"level {level}" in run(release_program())


def test_release_build_as_ordinary_user():
    if os.geteuid() != 0:
        pytest.skip("runs as an ordinary user already")
    assert "level user" in run(release_program(), ORDINARY)


def test_this_build_as_ordinary_user():
    program = Path(os.environ["BOATHOUSE_BUILD"]) / PROGRAM
    if os.geteuid() != 0 or not program.exists():
        pytest.skip("not root, or not built")
    assert "level user" in run(program, ORDINARY)
