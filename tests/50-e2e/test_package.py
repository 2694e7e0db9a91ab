# SPDX-License-Identifier: Apache-2.0
"""The Debian package: what is in it, and installation, upgrade and removal.

Installing is done by dpkg itself, inside a chroot into an overlay of this machine, so that nothing of
it stays. That needs root and overlayfs; elsewhere only the contents are tested.
"""

import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("BOATHOUSE_ROOT", Path(__file__).resolve().parents[2]))
BINARY = Path(os.environ.get("BH_RELEASE_BIN") or os.environ.get("BOATHOUSE_BIN", ROOT / "build/release/boathouse"))


def run(*argv, **kwargs):
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=300, **kwargs)


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """Two versions of the package, made from the program under test."""
    out = tmp_path_factory.mktemp("deb")
    made = []
    for version in ("0.1.0", "0.2.0"):
        done = run(ROOT / "packaging/make_deb", "--binary", BINARY, "--out", out, "--version", version, "--slim")
        assert done.returncode == 0, done.stderr
        made.append(Path(done.stdout.strip()))
    return made


def test_contents(packages):
    listing = run("dpkg-deb", "-c", packages[0]).stdout
    for path in ("./usr/bin/boathouse", "./usr/lib/systemd/system/boathouse.service", "./etc/default/boathouse",
                 "./usr/share/doc/boathouse/copyright"):
        assert f" {path}\n" in listing
    assert all(line.split()[1] == "root/root" for line in listing.splitlines())
    control = run("dpkg-deb", "-f", packages[0]).stdout
    assert "Version: 0.1.0" in control
    assert "libc6 (>=" in control and "adduser" in control


def test_same_input_same_package(packages, tmp_path):
    env = dict(os.environ, SOURCE_DATE_EPOCH="1700000000")
    sums = set()
    for name in ("a", "b"):
        done = run(ROOT / "packaging/make_deb", "--binary", BINARY, "--out", tmp_path / name, "--slim", env=env)
        assert done.returncode == 0, done.stderr
        sums.add(run("sha256sum", done.stdout.strip()).stdout.split()[0])
    assert len(sums) == 1


def test_wrong_argument():
    done = run(ROOT / "packaging/make_deb", "--nonsense")
    assert done.returncode == 2 and "--nonsense" in done.stderr


def test_unit_file(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "boathouse.service"
    text = (ROOT / "packaging/boathouse.service").read_text()
    unit.write_text(text.replace("/usr/bin/boathouse", str(BINARY)))
    done = run("systemd-analyze", "verify", "--man=no", unit)
    assert "boathouse.service" not in done.stderr, done.stderr


def overlay(script, tmp_path, files):
    """Runs a shell script in a chroot into a throw-away overlay of /; None where that is impossible."""
    outer = textwrap.dedent("""\
        set -e
        mount -t tmpfs overlay-upper "$1"
        mkdir "$1/upper" "$1/work" "$1/root"
        mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root" || exit 77
        mount -t proc proc "$1/root/proc"
        mount --bind /dev "$1/root/dev"
        mkdir -p "$1/root/tmp/packages"
        cp "$2"/* "$1/root/tmp/packages/"
        exec chroot "$1/root" /bin/sh -e /tmp/packages/script
        """)
    share, place = tmp_path / "share", tmp_path / "overlay"
    share.mkdir()
    place.mkdir()
    for path in files:
        shutil.copy(path, share)
    (share / "script").write_text(script)
    done = run("unshare", "--mount", "--pid", "--fork", "sh", "-c", outer, "sh", place, share)
    if done.returncode == 77 or "Operation not permitted" in done.stderr:
        return None
    return done


def test_install_upgrade_remove(packages, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    script = textwrap.dedent("""\
        cd /tmp/packages
        # The test is about our package; what it depends on is proved by the program that starts below.
        dpkg --force-depends -i boathouse_0.1.0_amd64.deb >/dev/null
        echo "owner1 $(stat -c '%U %a' /var/lib/boathouse)"
        echo "shell $(getent passwd boathouse | cut -d: -f7)"
        echo "version $(/usr/bin/boathouse version)"
        echo "BOATHOUSE_WORKERS=3" >>/etc/default/boathouse
        echo kept >/var/lib/boathouse/data
        dpkg --force-depends -i boathouse_0.2.0_amd64.deb >/dev/null
        echo "upgraded $(dpkg-query -W -f '${Version}' boathouse)"
        echo "settings $(grep -c BOATHOUSE_WORKERS=3 /etc/default/boathouse)"
        dpkg -P boathouse >/dev/null
        echo "data $(cat /var/lib/boathouse/data)"
        test ! -e /usr/bin/boathouse && echo "program gone"
        """)
    done = overlay(script, tmp_path, packages)
    if done is None:
        pytest.skip("this machine allows no overlay mounts")
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout.splitlines()
    assert "owner1 boathouse 700" in said
    assert "shell /usr/sbin/nologin" in said
    assert any(line.startswith("version ") and line != "version " for line in said), said
    assert "upgraded 0.2.0" in said
    assert "settings 1" in said
    assert "data kept" in said
    assert "program gone" in said
