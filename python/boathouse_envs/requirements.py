# SPDX-License-Identifier: Apache-2.0
"""What an MLflow model asks of its environment, and whether a set of packages has it.

A model folder tells it up to three times; the first of these that is there counts:

    requirements.txt                       pip's form, one requirement a line
    conda.yaml     dependencies: [python=3.11.2, {pip: [requirement, …]}, …]
    python_env.yaml  python: 3.11.2, dependencies: [-r requirements.txt, …]

The Python version comes from python_env.yaml or conda.yaml. Files are untrusted: sizes are bounded, YAML is
read without tags, and what reaches outside the package index is refused by name (URLs, folders, version
control, options of the index: which index is used is the platform's setting).
"""

import os
import re
from dataclasses import dataclass, field

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

FILE_MOST = 256 * 1024
REQUIREMENTS_MOST = 1000

# The base environment carries another distribution of the same import package and version.
STAND_INS = {
    "mlflow": ("mlflow-skinny", "the same modules as far as loading and scoring go, without the server's"),
    "xgboost": ("xgboost-cpu", "the same modules and model files, without GPU code"),
    "mlflow-tracing": ("mlflow-skinny", "a subset of it"),
    "psycopg2": ("psycopg2-binary", "the same modules"),
}
# Inference of requirements by MLflow lists whatever was imported while the model was logged. These are
# tools of that process; code that scores does not use them.
NOT_FOR_SCORING = {
    "pip": "installer", "setuptools": "installer", "wheel": "installer",
    "pytest": "test runner, imported by the test helpers of numpy and scipy",
    "lz4": "compression that joblib imports where it is installed",
    "psutil": "used by MLflow's system metrics while a run is recorded",
    "ipykernel": "notebook kernel", "ipython": "notebook shell", "jupyter-client": "notebook kernel",
    "jupyter-core": "notebook kernel", "debugpy": "debugger",
}
# What a runtime host itself imports, added to an own environment that does not ask for it.
RUNTIME_NEEDS = (("mlflow-skinny", ("mlflow", "mlflow-skinny")), ("pandas", ("pandas",)), ("numpy", ("numpy",)))


class BadRequirements(Exception):
    """The model's files ask for something that cannot be given; the message says what and why."""


@dataclass
class Wanted:
    python: str | None = None          # "3.11.2", as the model says
    requirements: list = field(default_factory=list)  # packaging Requirements, in file order
    source: str = ""                   # the file that counted


def _read(folder, name):
    path = os.path.join(folder, name)
    if not os.path.isfile(path):
        return None
    if os.path.getsize(path) > FILE_MOST:
        raise BadRequirements(f"{name} is larger than {FILE_MOST} bytes.")
    with open(path, encoding="utf-8", errors="strict") as f:
        try:
            return f.read()
        except UnicodeDecodeError as e:
            raise BadRequirements(f"{name} is not UTF-8 text: {e}") from e


def _yaml(text, name):
    import yaml
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise BadRequirements(f"{name} is not YAML: {e}") from e
    except RecursionError as e:
        raise BadRequirements(f"{name} is nested too deeply.") from e
    if not isinstance(found, dict):
        raise BadRequirements(f"{name} is not a mapping.")
    return found


def parse_lines(lines, name):
    """Requirements of pip's lines. Comments, continuations and hashes are understood."""
    text = "\n".join(lines).replace("\\\n", " ")
    out = []
    for line in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        line = re.sub(r"\s--hash[= ]\S+", "", line).strip()
        if not line:
            continue
        if line.startswith("-"):
            option = line.split()[0].split("=")[0]
            if option in ("-r", "--requirement", "-c", "--constraint"):
                raise BadRequirements(f"{name} includes another file ({line}).")
            raise BadRequirements(f"{name} has the option {option}; the platform's settings choose the package index.")
        try:
            requirement = Requirement(line)
        except InvalidRequirement as e:
            raise BadRequirements(f"{name}: {line!r} is not a requirement of an indexed package: {e}") from e
        if requirement.url:
            raise BadRequirements(f"{name}: {requirement.name} comes from a URL; only packages of the index are installed.")
        out.append(requirement)
        if len(out) > REQUIREMENTS_MOST:
            raise BadRequirements(f"{name} has more than {REQUIREMENTS_MOST} requirements.")
    return out


def _strings(value, name):
    if not isinstance(value, list):
        raise BadRequirements(f"{name}: dependencies is not a list.")
    return value


def wanted(folder):
    """Wanted of the model in a folder. A folder that says nothing wants nothing."""
    out = Wanted()
    conda_text, env_text = _read(folder, "conda.yaml"), _read(folder, "python_env.yaml")
    conda = _yaml(conda_text, "conda.yaml") if conda_text else {}
    env = _yaml(env_text, "python_env.yaml") if env_text else {}
    listed = _strings(conda.get("dependencies") or [], "conda.yaml")
    out.python = _python(env, listed)
    text = _read(folder, "requirements.txt")
    if text is not None:
        out.requirements, out.source = parse_lines(text.splitlines(), "requirements.txt"), "requirements.txt"
        return out
    pip_lists = [d["pip"] for d in listed if isinstance(d, dict) and isinstance(d.get("pip"), list)]
    if conda:
        lines = [str(line) for one in pip_lists for line in one]
        out.requirements, out.source = parse_lines(lines, "conda.yaml") + _conda_packages(listed), "conda.yaml"
    elif env:
        lines = [str(d) for d in _strings(env.get("dependencies") or [], "python_env.yaml")]
        out.requirements, out.source = parse_lines(lines, "python_env.yaml"), "python_env.yaml"
    return out


def _python(env, listed):
    if isinstance(env.get("python"), (str, float, int)):
        return str(env["python"])
    for one in listed:
        match = re.fullmatch(r"python\s*={1,2}\s*([0-9][0-9.]*)", one) if isinstance(one, str) else None
        if match:
            return match[1]
    return None


def _conda_packages(listed):
    """Conda's `name=version` beside pip's list, as pip would say it."""
    out = []
    for one in listed:
        if not isinstance(one, str):
            continue
        match = re.fullmatch(r"([A-Za-z0-9._-]+)\s*(?:={1,2}\s*([0-9][0-9A-Za-z.+!]*)(?:=.*)?)?", one.strip())
        if not match:
            raise BadRequirements(f"conda.yaml: {one!r} cannot be told to a package index.")
        if match[1].lower() in ("python", "pip"):
            continue
        out.append(Requirement(f"{match[1]}=={match[2]}" if match[2] else match[1]))
    return out


def satisfied(requirements, base_packages, python=None, base_python=None):
    """(True, notes) if a process with base_packages can stand in for one with the requirements; else
    (False, reasons).

    requirements: packaging Requirements or strings; base_packages: {name: version}. python and base_python:
    versions; they must agree in major and minor, since pickled code does not survive a change of those.
    """
    base = {canonicalize_name(n): v for n, v in base_packages.items()}
    reasons, notes = [], []
    if python and base_python and _minor(python) != _minor(base_python):
        reasons.append(f"Python {python} is asked for; the base environment has {base_python}")
    environment = {**default_environment(), "extra": ""}
    for one in requirements:
        requirement = one if isinstance(one, Requirement) else Requirement(one)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        name = canonicalize_name(requirement.name)
        if name in NOT_FOR_SCORING:
            if name not in base:
                notes.append(f"{requirement} is left out: {NOT_FOR_SCORING[name]}")
            continue
        have, by = base.get(name), name
        if have is None and name in STAND_INS:
            by = STAND_INS[name][0]
            have = base.get(by)
        if have is None:
            reasons.append(f"{requirement} is not in the base environment")
        elif not requirement.specifier.contains(Version(have), prereleases=True):
            reasons.append(f"{requirement} is asked for; the base environment has {by} {have}")
        elif requirement.extras:
            reasons.append(f"{requirement} asks for extras, which the base environment does not promise")
        elif by != name:
            notes.append(f"{by} {have} stands in for {requirement}: {STAND_INS[name][1]}")
    return (False, reasons) if reasons else (True, notes)


def _minor(version):
    try:
        return Version(str(version)).release[:2]
    except InvalidVersion:
        return str(version)


def with_runtime(requirements, base_packages):
    """The requirements, and what a runtime host needs beside them in the base's version."""
    base = {canonicalize_name(n): v for n, v in base_packages.items()}
    names = {canonicalize_name(r.name) for r in requirements}
    more = [Requirement(f"{need}=={base[need]}" if need == "mlflow-skinny" and need in base else need)
            for need, given_by in RUNTIME_NEEDS if not names & set(given_by)]
    return [*requirements, *more]


def installed():
    """{name: version} of the environment that runs this."""
    from importlib.metadata import distributions
    return {canonicalize_name(d.metadata["Name"]): d.version for d in distributions() if d.metadata["Name"]}
