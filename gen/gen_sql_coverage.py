#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What of the dialect is there -> docs/sql-coverage.md

Functions: the names of tables/spark_names.json against tables/sql_functions/*.json and the calls that the analyser
takes by name (src/sql/bind_special.c, bind_schema.c). Statements: the patterns of src/sql/parse_command.c and the kinds
that the parser has words for, against those that carry them out (engine: src/engine/worker, catalog: src/catalog).
"""
import glob, os, re, sys
from common import Out, ROOT, table

# Refused by name: rule of a row -> class.
REFUSED = {"not_loaded": {"avro": "AVRO_NOT_LOADED_SQL_FUNCTIONS_UNUSABLE", "protobuf": "PROTOBUF_NOT_LOADED_SQL_FUNCTIONS_UNUSABLE"},
           "measure": {"": "UNSUPPORTED_FEATURE.SQL"}}
OPERATORS = "! != % & * + - / < << <= <=> <> = == > >= >> >>> ^ | || ~ and between case div in not or when cast".split()
GROUPS = [("sketches", r"^(theta|tuple|hll|kll|approx_top_k|count_min|histogram_numeric|bitmap)"), ("JSON, CSV, XML, Avro, Protobuf", r"(json|csv|xml|avro|protobuf|^xpath)"),
          ("variants", r"variant"), ("vectors", r"^vector_"), ("geospatial", r"^st_"), ("windows of time", r"window"),
          ("dates and times", r"(date|time|day|month|year|hour|minute|second|week|quarter|interval|^now$|unix|tz|zone)"),
          ("arrays, maps, structs", r"(array|^map|map_|struct|explode|inline|sequence|shuffle|flatten|slice|zip_with|^transform|^filter|^exists|^forall|element_at|^get$|^size$|cardinality|aggregate|reduce|stack)"),
          ("URLs", r"url"), ("regular expressions", r"(regexp|rlike|^like$|ilike)"), ("encryption and hashes", r"(aes|sha|md5|crc32|hash)")]


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def by_table():
    rows = {}
    for path in sorted(glob.glob(os.path.join(ROOT, "tables/sql_functions/*.json"))):
        area = os.path.basename(path)[:-5]
        for r in table("tables/sql_functions/%s.json" % area)["functions"]:
            for n in [r["name"]] + r.get("aliases", []):
                rows.setdefault(n, []).append((area, r))
    return rows


def by_name():
    special = text("src/sql/bind_special.c") + text("src/sql/bind_schema.c")
    found = set(re.findall(r'str_eqz\(name, "([a-z_0-9]+)"\)', special))
    found |= set(re.findall(r'\{"([a-z_0-9]+)", TY_', special)) | set(re.findall(r"\{\"([a-z_]+)\", '.', (?:true|false)\}", special))
    return found | set(re.findall(r'\{"(schema_of_[a-z]+)"', special))


def refusal(name, rows):
    for _, r in rows.get(name, []):
        for rule, classes in REFUSED.items():
            if r["emit"] == "rule:" + rule:
                return next(cls for part, cls in classes.items() if part in name)
    return None


def group(name, rows):
    if name in OPERATORS:
        return "operators"
    for title, pattern in GROUPS:
        if re.search(pattern, name):
            return title
    kinds = {r.get("kind", "scalar") for _, r in rows.get(name, [])}
    areas = {a for a, _ in rows.get(name, [])}
    if "aggregate" in kinds:
        return "aggregates"
    if "window" in kinds:
        return "window functions"
    return {"string": "strings", "number": "numbers"}.get(min(areas, default=""), "others")


def functions():
    rows, special = by_table(), by_name()
    names = table("tables/spark_names.json")["names"]
    names = [n["name"] for n in names]
    groups, refused, absent = {}, [], []
    for n in names:
        cls = refusal(n, rows)
        there = n in rows or n in special or n in OPERATORS
        if cls:
            refused.append((n, cls))
        elif not there:
            absent.append(n)
        g = groups.setdefault(group(n, rows), [[], 0])
        g[0].append(n)
        g[1] += there and not cls
    more = sorted((set(rows) | special) - set(names))
    md = "## Functions\n\nOf %d names that Spark 4.2 has, %d are there, %d are refused by name, %d are absent. %d more names are there.\n\n" % (
        len(names), len(names) - len(refused) - len(absent), len(refused), len(absent), len(more))
    md += "| family | there | of | names |\n|---|---|---|---|\n"
    for title in sorted(groups):
        there = groups[title]
        md += "| %s | %d | %d | %s |\n" % (title, there[1], len(there[0]), " ".join("`%s`" % n.replace("|", "\\|") for n in there[0]))
    md += "\nRefused, with the class:\n\n| function | class |\n|---|---|\n" + "".join("| `%s` | %s |\n" % r for r in refused)
    md += "\nAbsent: %s.\n\nBeyond Spark's list: %s.\n" % (", ".join("`%s`" % n for n in absent) or "none", ", ".join("`%s`" % n for n in more) or "none")
    return md


def statements():
    source = text("src/sql/parse_command.c")
    patterns = {}
    for name, pattern in re.findall(r'^    \{"([a-z_]+)", ("(?:[^"\\]|\\.)*"|[^\n]*)', source, re.M):
        words = re.sub(r'[\[\]{}()/]|<[^>]*>|\+\w+|:\w+|\'.\'|"', " ", pattern)
        patterns.setdefault(name, " ".join(words.split())[:60])
    for more in re.findall(r":([a-z_]+) ", source):
        patterns.setdefault(more, more.replace("_", " ").upper())
    # A pattern whose branches name statements of their own is none itself.
    branched = {n for n in patterns if re.search(r'\{"%s", [^\n]*:%s_' % (n, n), source)} | {"name"}
    folders = {"engine": "src/engine/worker", "catalog": "src/catalog", "warehouse": "src/statements"}
    said = {who: "".join(text(os.path.relpath(p, ROOT)) for p in sorted(glob.glob(os.path.join(ROOT, folder, "*.c")))) for who, folder in folders.items()}
    kinds = sorted(set(re.findall(r"X\((S_[A-Z_]+)\)", text("src/sql/ast.h"))) - {"S_QUERY"})
    md = "## Statements\n\nQueries (SELECT, VALUES, WITH, set operations, pipes), and these; a statement that nobody carries out is refused with `UNSUPPORTED_FEATURE.SQL_STATEMENT`.\n\n"
    md += "Kinds of the parser: %s.\n\n" % ", ".join(k[2:].replace("_", " ") for k in kinds)
    md += "| statement | carried out by | words |\n|---|---|---|\n"
    refused = 0
    for name in sorted(set(patterns) - branched):
        who = next((who for who in folders if '"%s"' % name in said[who]), "refused")
        refused += who == "refused"
        md += "| %s | %s | %s |\n" % (name, who, patterns[name].replace("|", "\\|"))
    return md + "\n%d statements, %d of them refused.\n" % (len(set(patterns) - branched), refused)


out = Out("gen_sql_coverage.py", "tables and sources")
out.raw("docs/sql-coverage.md", "# What of the SQL dialect is there\n\nGenerated by gen/gen_sql_coverage.py; how much of Spark's own tests agrees is in sql-conformance.md.\n\n" + functions() + "\n" + statements())
out.finish()
