# SPDX-License-Identifier: Apache-2.0
"""The checks of tools/ find what they are for: each is given a small tree with one planted fault."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPDX = "/* SPDX-License-Identifier: Apache-2.0 */\n"


@pytest.fixture
def tree(tmp_path):
    """A checkout with the tools, the law and one clean folder; returns a function that adds a file."""
    for name in ("tools", "cmake"):
        (tmp_path / name).mkdir()
    for path in [*ROOT.glob("tools/check_*.py"), ROOT / "tools/sources.py", ROOT / "tools/lint_tables.py",
                 ROOT / "cmake/law.txt"]:
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    subprocess.run(["git", "init", "-q", tmp_path], check=True)

    def add(path, text):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return tmp_path

    add("src/base/README.md", "base\n")
    add("src/base/str.h", SPDX)
    add("src/base/str.c", SPDX + '#include "base/str.h"\n')
    return add


def check(root, name):
    done = subprocess.run([sys.executable, str(root / "tools" / f"{name}.py")], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_clean_tree_passes(tree):
    root = tree("tables/x.json", '{"doc": "a row is one x", "rows": [{"name": "a"}]}')
    for name in ("check_includes", "check_sizes", "check_banned", "check_fresh", "lint_tables"):
        assert check(root, name)[0] == 0, check(root, name)[1]


@pytest.mark.parametrize("folder,include,wanted", [
    ("base", '"sys/loop.h"', "src/base may not include src/sys"),
    ("net", '"ipc/frame.h"', "src/net may not include src/ipc"),
    ("supervisor", '"net/http.h"', "src/supervisor may not include src/net"),
    ("sql", '"engine/run.h"', "src/sql may not include src/engine"),
    ("policy", '"store/rows.h"', "src/policy may not include src/store"),
    ("sys", '"str.h"', "is not a path from src/"),
    ("catalog", "<sqlite3.h>", "is for src/store only"),
])
def test_include_law(tree, folder, include, wanted):
    for other in ("sys/loop.h", "ipc/frame.h", "net/http.h", "engine/run.h", "store/rows.h"):
        tree(f"src/{other}", SPDX)
    root = tree(f"src/{folder}/x.c", SPDX + f"#include {include}\n")
    status, said = check(root, "check_includes")
    assert status == 1 and wanted in said, said


def test_missing_readme(tree):
    root = tree("src/sys/loop.h", SPDX)
    assert "src/sys: has no README.md" in check(root, "check_includes")[1]


def test_long_file_and_function(tree):
    tree("src/base/long.c", SPDX + "\n" * 1600)
    body = "    x++;\n" * 99
    tree("src/base/fits.c", SPDX + "int fits(int x)\n{\n" + body[:-9] + "}\n")
    root = tree("src/base/fun.c", SPDX + "static int\nfar_too_long(int x) {\n" + body + "    return x; /* } */\n}\n")
    status, said = check(root, "check_sizes")
    assert status == 1
    assert "long.c: 1601 lines" in said
    assert "far_too_long() has 102 lines" in said
    assert "warning: src/base/fits.c:3: fits() has 100 lines" in said


@pytest.mark.parametrize("code,wanted", [
    ("void f(char *a) { strcpy(a, a); }\n", "strcpy()"),
    ("int f(void) { return system (\"x\"); }\n", "system()"),
    ("#include <setjmp.h>\n", "<setjmp.h>"),
    ("/* see /" + "root/x */\n", "path of one machine"),
])
def test_banned(tree, code, wanted):
    root = tree("src/base/bad.c", SPDX + code)
    status, said = check(root, "check_banned")
    assert status == 1 and wanted in said, said


@pytest.mark.parametrize("code", [
    "/* strcpy() is not for us */\nconst char *s = \"strcpy(a, b)\";\n",
    "int f(struct t *t) { return t->system(1); }\n",
    "int my_system(void);\nint f(void) { return my_system(); }\n",
    "int f(const char *s) { return atoi(s); } /* banned-ok: s is our own literal */\n",
])
def test_not_banned(tree, code):
    root = tree("src/base/good.c", SPDX + code)
    assert check(root, "check_banned") == (0, check(root, "check_banned")[1])


def test_first_line_is_spdx(tree):
    root = tree("src/base/none.c", "int x;\n")
    assert "the first line is not" in check(root, "check_banned")[1]


def test_stale_output(tree):
    root = tree("gen/gen_x.py", "import sys\nprint('stale: y')\nsys.exit('--check' in sys.argv)\n")
    status, said = check(root, "check_fresh")
    assert status == 1 and "stale: y" in said


@pytest.mark.parametrize("text,wanted", [
    ("{", "Expecting"),
    ('{"rows": [{"name": "a"}]}', '"doc"'),
    ('{"doc": "x", "rows": [{"name": "a"}, {"name": "a"}]}', "stands at [0] already"),
    ('{"doc": "x", "sorted": true, "rows": [{"name": "b"}, {"name": "a"}]}', "sorted order"),
    ('{"doc": "x", "rows": [{"name": ""}]}', "missing, empty"),
    ('{"doc": "x", "doc": "y", "rows": [{"name": "a"}]}', "occurs twice"),
    ('{"doc": "x", "rows": []}', "holds no rows"),
])
def test_tables(tree, text, wanted):
    root = tree("tables/x.json", text)
    status, said = check(root, "lint_tables")
    assert status == 1 and wanted in said, said
