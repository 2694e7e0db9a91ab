#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/deps.lock.json, tools/py-*.lock, tools/py-licences.json -> docs/dependencies.md"""
import os
import re

from common import ROOT, Out, table

KINDS = (
    ("apt", "Debian 12 packages", "Installed in this version where Debian still offers it, else in its current one. cargo, npm, Maven and a JDK, of any "
     "version, are added where there is none."),
    ("crate", "Source packages of the Rust registry", "Fetched by cargo, verified by SHA-256; tools/setup compiles what is a library."),
    ("sdist", "Source packages of PyPI", "Fetched by pip, verified by SHA-256, compiled by tools/setup."),
    ("wheel", "Programs and DuckDB extensions of PyPI", "Fetched by pip, verified by SHA-256."),
    ("npm", "Packages from npm", "Fetched by npm, verified by SHA-256; no script of theirs is run. "
     "Those of `tools/node/package-lock.json` go into `.deps/node`, verified by npm with SHA-512."),
    ("jar", "Java archives of Maven Central", "Fetched by Maven, verified by SHA-256; optional ones come with `tools/setup --with spark`."),
)
ENVIRONMENTS = (
    ("base", "`.deps/py/base`: mounted into the sandboxes of importer and runtime_host"),
    ("client", "`.deps/py/client`: tests, tour and benches; never shipped"),
    ("dbt", "`.deps/py/dbt`: dbt with its adapter, and the adapter's test classes; never shipped"),
    ("kernel", "`.deps/py/kernel`: the connector with its compiled kernel; never shipped"),
    ("spark", "`.deps/py/spark`: Spark and Sail as references; optional, never shipped"),
)


def asked(name):
    """The names that the environment's .in file asks for; the others come with them."""
    names = set()
    with open(os.path.join(ROOT, "tools", f"py-{name}.in"), encoding="utf-8") as f:
        for line in f:
            match = re.match(r"[A-Za-z0-9_.-]+", line)
            if match:
                names.add(re.sub(r"[-_.]+", "-", match[0]).lower())
    return names


def locked(name):
    with open(os.path.join(ROOT, "tools", f"py-{name}.lock"), encoding="utf-8") as f:
        return re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", f.read(), re.M)


def native():
    text = ""
    rows = table("tools/deps.lock.json")["packages"]
    for kind, title, note in KINDS:
        mine = [r for r in rows if r["kind"] == kind]
        if not mine:
            continue
        text += f"\n## {title}\n\n{note}\n\n| package | version | licence | for |\n|---|---|---|---|\n"
        text += "".join(f"| {r['name']} | {r['version']} | {r['licence']} | {r['for']} |\n" for r in mine)
    return text


def python():
    text = ""
    licences = table("tools/py-licences.json")
    for name, what in ENVIRONMENTS:
        wanted = asked(name)
        text += f"\n## Python environment {name}\n\n{what}. Bold: asked for in `tools/py-{name}.in`; "
        text += "the others come with them. Hashes stand in the lock file.\n\n"
        text += "| package | version | licence |\n|---|---|---|\n"
        for package, version in sorted(locked(name)):
            label = f"**{package}**" if package in wanted else package
            text += f"| {label} | {version} | {licences.get(package, {}).get('licence', 'not installed here')} |\n"
    return text


out = Out("gen_dependencies.py", "tools/deps.lock.json")
out.raw(
    "docs/dependencies.md",
    "# Dependencies\n\nGenerated from `tools/deps.lock.json`, `tools/py-*.lock` and `tools/py-licences.json`.\n"
    "No third-party source is part of this repository: `tools/setup` fetches what stands here, refuses what has\n"
    "another checksum, and puts it into the ignored folder `.deps/`.\n" + native() + python(),
)
out.finish()
