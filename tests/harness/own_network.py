# SPDX-License-Identifier: Apache-2.0
"""A network namespace with nothing but loopback, where a platform may have port 443: some clients know no other.

    own_network.command([python, script, …])   the command line that runs it in one
    python own_network.py SETTING=VALUE … -- COMMAND …   (what runs inside) a platform with TLS on 443, then COMMAND with the
        names of it in its environment: DATABRICKS_HOST, DATABRICKS_TOKEN, DATABRICKS_HTTP_PATH, SSL_CERT_FILE, CA_FILE
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

UP = "ip link set lo up && "
# Without rights of our own: a user namespace to make the network in, and one more to be ourselves again.
PLAIN = UP + 'echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start && exec unshare --user --map-user={uid} --map-group={gid} "$@"'


def command(argv):
    argv = [str(a) for a in argv]
    if os.geteuid() == 0:
        return ["unshare", "--net", "sh", "-c", UP + 'exec "$@"', "sh", *argv]
    return ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", PLAIN.format(uid=os.getuid(), gid=os.getgid()), "sh", *argv]


def available():
    """None, or why there can be no such network here."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        return "no unshare or no ip"
    done = subprocess.run(command(["true"]), capture_output=True, text=True)
    return None if done.returncode == 0 else f"no network namespace: {done.stderr.strip()}"


def main(argv):
    at = argv.index("--")
    settings = dict(a.split("=", 1) for a in argv[:at])
    from boathouse import Platform

    with tempfile.TemporaryDirectory(prefix="own-network-") as folder, Platform(Path(folder) / "data", https_port=443, settings=settings) as p:
        warehouse = next(iter(p.sdk().warehouses.list())).id
        env = {**os.environ, "DATABRICKS_HOST": "localhost", "DATABRICKS_TOKEN": p.token, "DATABRICKS_HTTP_PATH": f"/sql/1.0/warehouses/{warehouse}",
               "SSL_CERT_FILE": p.connect["SSL_CERT_FILE"], "CA_FILE": str(p.data / "tls/ca.pem"), "PYTHONDONTWRITEBYTECODE": "1"}
        code = subprocess.run(argv[at + 1:], env=env).returncode
        if code:
            print(p.log_tail(40))
        return code


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main(sys.argv[1:]))
