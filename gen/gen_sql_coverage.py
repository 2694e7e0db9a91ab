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


# Why a statement is refused: the first pattern that its name matches.
REASONS = [(r"bloomfilter|^create_index", "indexes of Databricks that its own documentation advises against; files are skipped by statistics and clustering"),
           (r"share|recipient|provider", "Delta Sharing is not there"),
           (r"connection|refresh_foreign", "Lakehouse Federation (foreign catalogs) is not there"),
           (r"materialized_view|streaming_table", "need pipelines, which are not there"),
           (r"group", "groups are made by SCIM and the account API, which every client uses"),
           (r"policy|policies", "attribute-based policies are not there; row filters and masks of tables are"),
           (r"procedure|^call$", "stored procedures are not there; a script (BEGIN ... END) is sent as it is"),
           (r"_resource|list_resources|cache_select", "of Spark's classic clusters; a SQL warehouse refuses them too"),
           (r"partition|serde|load_data|alter_table_location", "of Hive's tables: partitions of a Delta table are in its log, and come and go with its rows"),
           (r"set_managed|unset_managed|upgrade_uniform|shred_variant|predictive|optimization", "rewrites of tables into forms that no reader here needs"),
           (r"^describe_query", "the parser's own kind DESCRIBE QUERY does it"),
           (r"^show_variables", "not in Spark 4.2; SELECT shows a variable"),
           (r"collation|alter_schema_location|credential|undrop_catalog|reorg_table|fsck|generate|msck", "not done")]

NOTES = """## Of single statements

- Scripts (`BEGIN … END`): sql-scripts.md.
- `SHOW …` and `DESCRIBE …` may stand in FROM: `SELECT … FROM (DESCRIBE HISTORY t)`, `(SHOW TABLES)`; with the reader's rights, so not in views and functions.
- `SHOW TABLES` and `SHOW VIEWS` list the session's temporary views too (an empty namespace, `isTemporary` true).
- `SET PATH = catalog.schema, …` (DEFAULT_PATH, SYSTEM_PATH, PATH, CURRENT_SCHEMA): relations and functions without a qualifier are looked for there, in order. What is
  created or changed by such a name is the current schema's. Views and functions are not made under a PATH. `spark.sql.defaultPath` is not looked at.
- Collations of columns, `DEFAULT COLLATION` of CREATE TABLE (for the columns written there): comparisons, IN, joins, GROUP BY, DISTINCT, count(DISTINCT), min, max, ORDER BY
  and PARTITION BY follow them; the log has them as Spark writes them (`__COLLATIONS` of a field's metadata). Files are not skipped by such columns. UNION, EXCEPT and INTERSECT
  that compare rows, and GROUPING SETS, ROLLUP and CUBE, refuse them. `DEFAULT COLLATION` of schemas is refused, of views without effect on literals.

"""


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
    # Statements about a volume's files are functions of one file, named after them.
    folders["volumes"] = "src/api/unity_catalog/staging.c"
    said["volumes"] = "".join('"%s"' % name for name in re.findall(r"^err \*uc_([a-z_]+)\(", text(folders["volumes"]), re.M))
    kinds = sorted(set(re.findall(r"X\((S_[A-Z_]+)\)", text("src/sql/ast.h"))) - {"S_QUERY"})
    md = "## Statements\n\nQueries (SELECT, VALUES, WITH, set operations, pipes), and these; a statement that nobody carries out is refused with `UNSUPPORTED_FEATURE.SQL_STATEMENT`.\n\n"
    md += "Kinds of the parser: %s.\n\n" % ", ".join(k[2:].replace("_", " ") for k in kinds)
    md += "| statement | carried out by | words |\n|---|---|---|\n"
    refused = 0
    for name in sorted(set(patterns) - branched):
        who = next((who for who in folders if '"%s"' % name in said[who]), "refused")
        refused += who == "refused"
        md += "| %s | %s | %s |\n" % (name, who, patterns[name].replace("|", "\\|"))
    md += "\n%d statements, %d of them refused.\n" % (len(set(patterns) - branched), refused)
    names = [n for n in sorted(set(patterns) - branched) if not any('"%s"' % n in said[who] for who in folders)]
    md += "\n### Why they are refused\n\n| statements | reason |\n|---|---|\n"
    by = {}
    for n in names:
        why = next((why for pattern, why in REASONS if re.search(pattern, n)), "not done")
        by.setdefault(why, []).append(n)
    return md + "".join("| %s | %s |\n" % (" ".join("`%s`" % n for n in ns), why) for why, ns in sorted(by.items(), key=lambda x: x[1]))


out = Out("gen_sql_coverage.py", "tables and sources")
out.raw("docs/sql-coverage.md", "# What of the SQL dialect is there\n\nGenerated by gen/gen_sql_coverage.py; how much of Spark's own tests agrees is in sql-conformance.md.\n\n" + functions() + "\n" + statements() + "\n" + NOTES.rstrip("\n") + "\n")
out.finish()
