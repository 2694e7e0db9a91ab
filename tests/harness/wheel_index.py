# SPDX-License-Identifier: Apache-2.0
"""A package index on loopback: wheels that a test makes, and wheels of what the base environment has.

    with WheelIndex(tmp_path / "index") as index:
        index.pure("oar", "1.5", body="x = 1\n")
        index.installed("mlflow-skinny", "pandas")      # with what they need
        … index.url …, index.asked
"""

import base64
import functools
import hashlib
import http.server
import subprocess
import threading
import zipfile
from pathlib import Path

from boathouse import ROOT

BASE_PYTHON = ROOT / ".deps/py/base/bin/python"
# Wheels of installed distributions: their files are in their RECORD, their tags in their WHEEL.
REPACK = r"""
import re, sys, zipfile
from importlib.metadata import distribution
from pathlib import Path
from packaging.requirements import Requirement
out, todo, done = Path(sys.argv[1]), list(sys.argv[2:]), set()
while todo:
    d = distribution(todo.pop())
    name = re.sub(r"[-_.]+", "_", d.metadata["Name"]).lower()
    if name in done:
        continue
    done.add(name)
    for r in map(Requirement, d.requires or []):
        if r.marker is None or r.marker.evaluate({"extra": ""}):
            todo.append(r.name)
    tags = re.findall(r"^Tag: (\S+)-(\S+)-(\S+)$", d.read_text("WHEEL"), re.M)
    py, abi, platform = (".".join(dict.fromkeys(t[i] for t in tags)) for i in range(3))
    page = out / name.replace("_", "-")
    page.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(page / f"{name}-{d.version}-{py}-{abi}-{platform}.whl", "w") as z:
        for f in d.files:
            if ".." not in f.parts and not f.name.endswith(".pyc") and f.name not in ("INSTALLER", "REQUESTED", "direct_url.json"):
                z.write(f.locate(), str(f))
"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.asked.append(self.path)
        super().do_GET()


class WheelIndex:
    def __init__(self, place):
        self.simple = Path(place) / "simple"
        self.simple.mkdir(parents=True)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(place)))
        self.server.asked = []
        self.server.handle_error = lambda *_: None  # readers leave when they have seen enough of a wheel

    @property
    def port(self):
        return self.server.server_port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/simple"

    @property
    def asked(self):
        return self.server.asked

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def pure(self, name, version, requires=(), body="x = 1\n"):
        """Makes a wheel of one module; body None: of none, it only requires others."""
        dist = f"{name}-{version}.dist-info"
        files = {**({f"{name}/__init__.py": body} if body is not None else {}),
                 f"{dist}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                 f"{dist}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
                     f"Requires-Dist: {r}\n" for r in requires)}
        rows = [f"{n},sha256={base64.urlsafe_b64encode(hashlib.sha256(t.encode()).digest()).decode().rstrip('=')},{len(t)}"
                for n, t in files.items()]
        files[f"{dist}/RECORD"] = "\n".join([*rows, f"{dist}/RECORD,,"]) + "\n"
        page = self.simple / name.replace("_", "-")
        page.mkdir(exist_ok=True)
        with zipfile.ZipFile(page / f"{name}-{version}-py3-none-any.whl", "w") as z:
            for n, t in files.items():
                z.writestr(n, t)
        self._pages()

    def installed(self, *names):
        subprocess.run([BASE_PYTHON, "-c", REPACK, self.simple, *names], check=True)
        self._pages()

    def _pages(self):
        """Links of all forms that an index may use: absolute, from the root, relative."""
        for i, page in enumerate(sorted(p for p in self.simple.iterdir() if p.is_dir())):
            base = (f"http://127.0.0.1:{self.port}/simple/{page.name}/", f"/simple/{page.name}/", "")[i % 3]
            links = "".join(f'<a href="{base}{p.name}#sha256={hashlib.sha256(p.read_bytes()).hexdigest()}">{p.name}</a>\n'
                            for p in sorted(page.glob("*.whl")))
            (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
