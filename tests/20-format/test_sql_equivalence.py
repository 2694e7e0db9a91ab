# SPDX-License-Identifier: Apache-2.0
"""Queries that must agree, whatever they answer: wrapped, made distinct in two ways, ordered, and cut by a filter into what holds,
what does not and what is NULL. Made from a seed; each pair becomes one query that counts the rows in which the two differ."""

import json
import os
import random
import subprocess
from pathlib import Path

BUILD = Path(os.environ["BOATHOUSE_BUILD"])
SEEDS = range(60)
TABLE = """(SELECT * FROM VALUES (1, 'a', 1.50, 2.5D, DATE'2024-01-31', true, array(1, 2)), (2, 'B', -0.25, -0.0D, DATE'2024-02-29', false, array()),
  (NULL, 'a ', NULL, CAST('NaN' AS DOUBLE), NULL, NULL, NULL), (3, NULL, 7.00, 1e3D, DATE'1999-12-31', true, array(NULL)),
  (3, 'c', 7.00, 1e3D, DATE'1999-12-31', true, array(3)), (-7, '', 100.10, NULL, DATE'2024-01-31', NULL, array(5, 5, 5)), (1, 'a', 1.50, 2.5D, DATE'2024-01-31', true, array(1, 2))
  AS v(i, s, d, x, day, b, l))"""
COLUMNS = ("i", "s", "d", "x", "day", "b")


def number(r, depth=0):
    kind = r.randrange(7 if depth < 3 else 3)
    if kind < 2:
        return r.choice(("i", "d", "length(s)", "size(l)", "month(day)"))
    if kind == 2:
        return str(r.randrange(-3, 9))
    if kind == 3:
        return f"({number(r, depth + 1)} {r.choice('+-*')} {number(r, depth + 1)})"
    if kind == 4:
        return f"coalesce({number(r, depth + 1)}, {number(r, depth + 1)})"
    if kind == 5:
        return f"CASE WHEN {condition(r, depth + 1)} THEN {number(r, depth + 1)} ELSE {number(r, depth + 1)} END"
    return f"abs({number(r, depth + 1)})"


def condition(r, depth=0):
    kind = r.randrange(9 if depth < 3 else 5)
    if kind == 0:
        return "b"
    if kind == 1:
        return f"{number(r, depth + 1)} {r.choice(('<', '<=', '=', '<>', '>', '<=>'))} {number(r, depth + 1)}"
    if kind == 2:
        return f"s {r.choice(('LIKE', 'NOT LIKE'))} '{r.choice(('a%', '_', '%c%', ''))}'"
    if kind == 3:
        return f"day {r.choice(('<', '>='))} DATE'2024-01-31' - INTERVAL {r.randrange(40)} DAY"
    if kind == 4:
        return f"{r.choice(COLUMNS)} IS {r.choice(('', 'NOT '))}NULL"
    if kind == 5:
        return f"({condition(r, depth + 1)} {r.choice(('AND', 'OR'))} {condition(r, depth + 1)})"
    if kind == 6:
        return f"NOT ({condition(r, depth + 1)})"
    if kind == 7:
        return f"{number(r, depth + 1)} IN ({number(r, depth + 1)}, {number(r, depth + 1)})"
    return f"{number(r, depth + 1)} BETWEEN {number(r, depth + 1)} AND {number(r, depth + 1)}"


def differ(one, other):
    """A query of how many rows one has and not the other, each row as often as it comes."""
    return f"WITH t AS {TABLE} SELECT count(*) FROM ((({one}) EXCEPT ALL ({other})) UNION ALL (({other}) EXCEPT ALL ({one})))"


def pairs(seed):
    r = random.Random(seed)
    items = f"{r.choice(COLUMNS)} AS c1, {number(r)} AS c2, {condition(r)} AS c3"
    where, p = condition(r), condition(r)
    q = f"SELECT {items} FROM t WHERE {where}"
    yield "wrapped", q, f"SELECT c1, c2, c3 FROM (SELECT * FROM ({q}) AS w) AS v"
    yield "as a common table", q, f"WITH w AS ({q}) SELECT * FROM w"
    yield "ordered", q, f"SELECT * FROM ({q}) ORDER BY c2 DESC NULLS LAST, c1, c3 LIMIT ALL"
    yield "piped", q, f"FROM t |> WHERE {where} |> SELECT {items}"
    yield "filter", q, " UNION ALL ".join(f"SELECT {items} FROM t WHERE {where} AND ({p}) {how}" for how in ("IS TRUE", "IS FALSE", "IS NULL"))
    yield "filter above", f"SELECT {items} FROM t WHERE {where} AND ({p})", f"SELECT {items} FROM (SELECT * FROM t WHERE {p}) AS t WHERE {where}"
    yield "distinct", f"SELECT DISTINCT {items} FROM t WHERE {where}", f"SELECT c1, c2, c3 FROM ({q}) GROUP BY ALL"
    yield "distinct by union", f"SELECT DISTINCT {items} FROM t WHERE {where}", f"{q} UNION {q}"
    yield "counted", f"SELECT count(*) AS n FROM t WHERE {p}", f"SELECT coalesce(sum(CASE WHEN {p} THEN 1L ELSE 0L END), 0L) AS n FROM t"


def test_equivalent_queries_agree(tmp_path):
    cases = [{"query": f"{seed} {what}", "sql": differ(one, other), "columns": [["count(1)", "bigint"]], "rows": ["0"]}
             for seed in SEEDS for what, one, other in pairs(seed)]
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(c) + "\n" for c in cases))
    done = subprocess.run([BUILD / "tests/harness/sqlcheck", file, "--min", "100"], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[:6000] + done.stderr[-2000:]
    assert f"{len(cases)}  equal" in done.stdout
