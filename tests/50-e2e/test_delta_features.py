# SPDX-License-Identifier: Apache-2.0
"""Statements around Delta tables through a warehouse: clones, keys and checks of CREATE TABLE, statistics, partitions, comments, conversions."""

import json
import sys
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from boathouse import Platform  # noqa: E402
from statements import Sql  # noqa: E402


@pytest.fixture(scope="module")
def sql(tmp_path_factory):
    top = tmp_path_factory.mktemp("features")
    (top / "root").mkdir()
    with Platform(top / "data", settings={"storage.local_roots": str(top / "root")}) as p:
        made = p.request("POST", "/api/2.1/unity-catalog/external-locations", {"name": "shared", "url": f"file://{top}/root", "credential_name": "local"})
        assert made.status_code == 200, made.text
        s = Sql(p)
        s.root = top / "root"
        yield s


@pytest.fixture(scope="module")
def schema(sql):
    name = f"main.f_{uuid.uuid4().hex[:8]}"
    sql(f"CREATE SCHEMA {name}")
    return name


def test_shallow_clones_read_the_source_and_change_alone(sql, schema):
    a, b = f"{schema}.base", f"{schema}.shallow"
    sql(f"CREATE TABLE {a} (id BIGINT, p INT) PARTITIONED BY (p) TBLPROPERTIES ('delta.enableDeletionVectors'='true')")
    sql(f"INSERT INTO {a} VALUES (1, 1), (2, 1), (3, 2)")
    sql(f"DELETE FROM {a} WHERE id = 2")
    assert [r[3] for r in sql(f"CREATE TABLE {b} SHALLOW CLONE {a}")] == ["0"]
    sql(f"INSERT INTO {b} VALUES (4, 2)")
    sql(f"DELETE FROM {b} WHERE id = 3")
    assert sql(f"SELECT id FROM {b} ORDER BY id") == [["1"], ["4"]]
    assert sql(f"SELECT id FROM {a} ORDER BY id") == [["1"], ["3"]]
    sql(f"RESTORE {b} TO VERSION AS OF 0")
    assert sql(f"SELECT id FROM {b} ORDER BY id") == [["1"], ["3"]]
    sql(f"CREATE OR REPLACE TABLE {b} SHALLOW CLONE {a} VERSION AS OF 1")
    assert sql(f"SELECT id FROM {b} ORDER BY id") == [["1"], ["2"], ["3"]]
    top = sql(f"DESCRIBE HISTORY {b} LIMIT 1")[0]
    assert top[4] == "CLONE" and json.loads(top[5]) == {"source": a, "sourceVersion": "1", "isShallow": "true"}
    sql.fails(f"CREATE TABLE {schema}.nested SHALLOW CLONE {b}", "CANNOT_SHALLOW_CLONE_NESTED] " + b + " is a shallow clone itself")
    sql.fails(f"ALTER TABLE {a} CLUSTER BY (id)", "CLUSTER_BY_ON_PARTITIONED_TABLE_NOT_ALLOWED] The table is partitioned")
    sql(f"CREATE TABLE {schema}.deep DEEP CLONE {b}")
    kind = "SELECT table_type FROM main.information_schema.tables WHERE concat_ws('.', table_catalog, table_schema, table_name) = "
    assert [sql(f"{kind}'{t}'")[0][0] for t in (a, b, f"{schema}.deep")] == ["MANAGED", "MANAGED_SHALLOW_CLONE", "MANAGED"]
    sql(f"CREATE OR REPLACE TABLE {b} AS SELECT 1 AS id")
    assert sql(f"{kind}'{b}'") == [["MANAGED"]]
    sql(f"CREATE OR REPLACE TABLE {b} SHALLOW CLONE {a}")
    assert sql(f"{kind}'{b}'") == [["MANAGED_SHALLOW_CLONE"]]
    sql(f"DROP TABLE {b}")
    assert sql(f"SELECT count(*) FROM {schema}.deep") == [["3"]]


def test_clones_do_not_get_round_filters_and_masks(sql, schema):
    sql(f"CREATE TABLE {schema}.guarded (id BIGINT, s STRING)")
    sql(f"INSERT INTO {schema}.guarded VALUES (1, 'secret')")
    sql(f"CREATE FUNCTION {schema}.none(id BIGINT) RETURNS BOOLEAN RETURN id > 5")
    sql(f"ALTER TABLE {schema}.guarded SET ROW FILTER {schema}.none ON (id)")
    for kind in ("SHALLOW", "DEEP"):
        sql.fails(f"CREATE TABLE {schema}.copy {kind} CLONE {schema}.guarded", "ROW_LEVEL_SECURITY_TABLE_CLONE_SOURCE_NOT_SUPPORTED")
    sql(f"ALTER TABLE {schema}.guarded DROP ROW FILTER")
    sql(f"CREATE FUNCTION {schema}.stars(s STRING) RETURNS STRING RETURN '***'")
    sql(f"ALTER TABLE {schema}.guarded ALTER COLUMN s SET MASK {schema}.stars")
    sql.fails(f"CREATE TABLE {schema}.copy SHALLOW CLONE {schema}.guarded", "COLUMN_MASKS_TABLE_CLONE_SOURCE_NOT_SUPPORTED")


def test_keys_and_checks_of_create_table(sql, schema):
    sql(f"CREATE TABLE {schema}.parent (id BIGINT, CONSTRAINT pk PRIMARY KEY (id))")
    sql(f"CREATE TABLE {schema}.child (id BIGINT NOT NULL PRIMARY KEY, up BIGINT CONSTRAINT up_fk REFERENCES {schema}.parent, n INT, "
        "CONSTRAINT positive CHECK (n > 0))")
    rows = {r[0]: r[1] for r in sql(f"DESCRIBE EXTENDED {schema}.child")}
    assert rows["up_fk"].startswith("FOREIGN KEY (`up`) REFERENCES") and rows["child_pk"] == "PRIMARY KEY (`id`)"
    sql.fails(f"INSERT INTO {schema}.child VALUES (1, 1, 0)", "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES")
    sql.fails(f"INSERT INTO {schema}.child VALUES (NULL, 1, 1)", "DELTA_NOT_NULL_CONSTRAINT_VIOLATED")
    sql.fails(f"CREATE TABLE {schema}.orphan (id BIGINT REFERENCES {schema}.nowhere)", "TABLE_OR_VIEW_NOT_FOUND")
    text = sql(f"SHOW CREATE TABLE {schema}.child")[0][0]
    assert "CONSTRAINT `child_pk` PRIMARY KEY (`id`)" in text and "REFERENCES" in text
    sql(f"CREATE OR REPLACE TABLE {schema}.child (id BIGINT)")
    assert "child_pk" not in {r[0] for r in sql(f"DESCRIBE EXTENDED {schema}.child")}


def test_partitions_are_shown_as_rows(sql, schema):
    t = f"{schema}.parts"
    sql(f"CREATE TABLE {t} (v INT, d DATE, s STRING) PARTITIONED BY (d, s)")
    sql(f"INSERT INTO {t} VALUES (1, DATE'2024-01-01', 'x'), (2, DATE'2024-01-01', NULL), (3, NULL, 'y'), (4, NULL, 'y')")
    assert sorted(map(str, sql(f"SHOW PARTITIONS {t}"))) == sorted(map(str, [["2024-01-01", "x"], ["2024-01-01", None], [None, "y"]]))
    assert sql(f"SHOW PARTITIONS {t} PARTITION (d = DATE'2024-01-01', s = 'x')") == [["2024-01-01", "x"]]
    sql.fails(f"SHOW PARTITIONS {t} PARTITION (v = 1)", "DELTA_SHOW_PARTITION_IN_NON_PARTITIONED_COLUMN")
    sql(f"CREATE TABLE {schema}.flat (v INT)")
    sql.fails(f"SHOW PARTITIONS {schema}.flat", "DELTA_SHOW_PARTITION_IN_NON_PARTITIONED_TABLE")


def test_analyze_is_seen_in_describe(sql, schema):
    t = f"{schema}.counted"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING, a ARRAY<INT>)")
    sql(f"INSERT INTO {t} VALUES (1, 'abc', NULL), (7, NULL, array(1)), (7, 'x', NULL)")
    sql(f"ANALYZE TABLE {t} COMPUTE STATISTICS NOSCAN")
    stats = {r[0]: r[1] for r in sql(f"DESCRIBE EXTENDED {t}")}["Statistics"]
    assert stats.endswith(" bytes") and int(stats.split()[0]) > 0
    sql(f"ANALYZE TABLE {t} COMPUTE STATISTICS FOR COLUMNS id, v")
    assert {r[0]: r[1] for r in sql(f"DESCRIBE EXTENDED {t}")}["Statistics"].endswith(" bytes, 3 rows")
    column = {r[0]: r[1] for r in sql(f"DESCRIBE EXTENDED {t} id")}
    assert (column["min"], column["max"], column["num_nulls"], column["distinct_count"], column["max_col_len"]) == ("1", "7", "0", "2", "8")
    column = {r[0]: r[1] for r in sql(f"DESCRIBE EXTENDED {t} v")}
    assert (column["min"], column["num_nulls"], column["avg_col_len"], column["max_col_len"]) == ("NULL", "1", "2", "3")
    sql.fails(f"ANALYZE TABLE {t} COMPUTE STATISTICS FOR COLUMNS a", "UNSUPPORTED_FEATURE.ANALYZE_UNSUPPORTED_COLUMN_TYPE")
    sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('x'='y')")
    assert sql(f"SHOW TBLPROPERTIES {t}") == [["x", "y"]]
    assert "Statistics" in {r[0] for r in sql(f"DESCRIBE EXTENDED {t}")}
    sql(f"ANALYZE TABLE {t} COMPUTE DELTA STATISTICS")
    assert sql(f"DESCRIBE HISTORY {t} LIMIT 1")[0][4] == "COMPUTE STATS"
    assert sql(f"SELECT id FROM {t} WHERE id > 5 ORDER BY id") == [["7"], ["7"]]


def test_all_tables_of_a_schema_are_analyzed(sql, schema):
    s = f"{schema}_all"
    sql(f"CREATE SCHEMA {s}")
    for k in (1, 2):
        sql(f"CREATE TABLE {s}.t{k} AS SELECT * FROM range({k * 10})")
    sql(f"CREATE VIEW {s}.v AS SELECT 1 AS a")
    sql(f"ANALYZE TABLES IN {s} COMPUTE STATISTICS NOSCAN")
    assert {r[0]: r[1] for r in sql(f"DESCRIBE EXTENDED {s}.t1")}["Statistics"].endswith(" bytes")
    assert sql(f"ANALYZE TABLES IN {s} COMPUTE STATISTICS") == []
    for k in (1, 2):
        assert {r[0]: r[1] for r in sql(f"DESCRIBE EXTENDED {s}.t{k}")}["Statistics"].endswith(f" bytes, {k * 10} rows")
    sql.fails(f"ANALYZE TABLES IN {schema}_none COMPUTE STATISTICS", "SCHEMA_NOT_FOUND")
    sql(f"DROP SCHEMA {s} CASCADE")


def test_comments_are_in_the_log_too(sql, schema):
    t = f"{schema}.told"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING)")
    sql(f"COMMENT ON TABLE {t} IS 'what it is'")
    sql(f"COMMENT ON COLUMN {t}.v IS 'a value'")
    assert sql(f"DESCRIBE DETAIL {t}")[0][3] == "what it is"
    assert [r[2] for r in sql(f"DESCRIBE {t}")] == [None, "a value"]
    assert [r[4] for r in sql(f"DESCRIBE HISTORY {t}")] == ["CHANGE COLUMN", "SET TBLPROPERTIES", "CREATE TABLE"]
    sql(f"COMMENT ON TABLE {t} IS NULL")
    assert sql(f"DESCRIBE DETAIL {t}")[0][3] is None
    sql(f"CREATE VIEW {schema}.seen AS SELECT 1 AS one")
    sql(f"COMMENT ON TABLE {schema}.seen IS 'a view'")


def test_parquet_folders_become_tables(sql):
    folder = sql.root / "raw"
    for p, ids in (("a b", [1, 2]), ("__HIVE_DEFAULT_PARTITION__", [3])):
        (folder / f"p={p.replace(' ', '%20')}").mkdir(parents=True)
        pq.write_table(pa.table({"id": pa.array(ids, pa.int32()), "x": [1.5] * len(ids)}), folder / f"p={p.replace(' ', '%20')}/f.parquet")
    sql.fails(f"CONVERT TO DELTA parquet.`{folder}`", "DELTA_UNEXPECTED_NUM_PARTITION_COLUMNS_FROM_FILE_NAME")
    sql(f"CONVERT TO DELTA parquet.`{folder}` PARTITIONED BY (p STRING)")
    t = f"delta.`{folder}`"
    assert sql(f"SELECT id, x, p FROM {t} ORDER BY id") == [["1", "1.5", "a b"], ["2", "1.5", "a b"], ["3", "1.5", None]]
    add = [json.loads(x)["add"] for x in (folder / "_delta_log/00000000000000000000.json").read_text().splitlines() if '"add"' in x]
    assert sorted(json.loads(a["stats"])["maxValues"]["id"] for a in add) == [2, 3]
    sql(f"CONVERT TO DELTA parquet.`{folder}`")  # once more: nothing is to be done
    sql(f"UPDATE {t} SET x = 2 WHERE p = 'a b'")
    assert sql(f"SELECT sum(x) FROM {t}") == [["5.5"]]
    sql.fails(f"CONVERT TO DELTA parquet.`{sql.root}/nothing`", "DELTA_EMPTY_DIRECTORY")
    sql.fails("CONVERT TO DELTA parquet.`/etc`", "INSUFFICIENT_PERMISSIONS")


def test_rows_become_files_of_a_folder(sql):
    folder = sql.root / "written"
    sql(f"INSERT OVERWRITE DIRECTORY '{folder}' USING parquet SELECT id, named_struct('a', id * 2) AS s, CAST(id AS DECIMAL(5,1)) AS d, 'x' AS `t t` FROM range(3)")
    sql(f"INSERT OVERWRITE DIRECTORY '{folder}' USING parquet SELECT id, named_struct('a', id * 2) AS s, CAST(id AS DECIMAL(5,1)) AS d FROM range(4)")
    files = [p for p in folder.iterdir()]
    assert len(files) == 1 and pq.read_table(files[0]).to_pylist()[3] == {"id": 3, "s": {"a": 6}, "d": 3}
    sql.fails(f"INSERT OVERWRITE DIRECTORY '{folder}' USING parquet SELECT 1 / id FROM range(2)", "DIVIDE_BY_ZERO")
    assert len(list(folder.iterdir())) == 1
    sql.fails(f"INSERT OVERWRITE DIRECTORY '{folder}' USING csv SELECT 1", "UNSUPPORTED_FEATURE.TABLE_OPERATION")
    sql.fails(f"INSERT OVERWRITE DIRECTORY '{folder}' USING parquet SELECT NULL AS n", "UNSUPPORTED_DATA_TYPE_FOR_DATASOURCE")
    sql.fails("INSERT OVERWRITE DIRECTORY '/etc' USING parquet SELECT 1", "INSUFFICIENT_PERMISSIONS")
    sql(f"CONVERT TO DELTA parquet.`{folder}`")
    assert sql(f"SELECT id, s.a, d FROM delta.`{folder}` WHERE id = 2") == [["2", "4", "2.0"]]
    sql.fails(f"INSERT OVERWRITE DIRECTORY '{folder}' USING parquet SELECT 1 AS id", "UNSUPPORTED_FEATURE.TABLE_OPERATION")


def test_rows_are_replaced_by_a_condition_or_columns(sql, schema):
    t = f"{schema}.replaced"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING)")
    sql(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    sql(f"INSERT INTO {t} AS t REPLACE ON t.id = s.id (SELECT 2L AS id, 'on' AS v UNION ALL SELECT 9L, 'new') AS s")
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "a"], ["2", "on"], ["3", "c"], ["9", "new"]]
    sql(f"INSERT INTO {t} REPLACE USING (id) VALUES (3, 'using')")
    sql(f"INSERT INTO {t} REPLACE WHERE id > 5 VALUES (7, 'where')")
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "a"], ["2", "on"], ["3", "using"], ["7", "where"]]
    sql.fails(f"INSERT INTO {t} REPLACE WHERE id > 5 VALUES (1, 'x')", "DELTA_REPLACE_WHERE_MISMATCH")


def test_lengths_of_texts(sql, schema):
    t = f"{schema}.texts"
    sql(f"CREATE TABLE {t} (c CHAR(5), v VARCHAR(3))")
    sql(f"INSERT INTO {t} VALUES ('ab', 'xyz')")
    assert sql(f"SELECT concat(c, '|'), v FROM {t}") == [["ab   |", "xyz"]]
    sql.fails(f"INSERT INTO {t} VALUES ('abcdef', 'x')", "DELTA_EXCEED_CHAR_VARCHAR_LIMIT")
    sql(f"ALTER TABLE {t} ALTER COLUMN v TYPE VARCHAR(10)")
    sql(f"INSERT INTO {t} VALUES ('q', '0123456789')")
    assert [r[1] for r in sql(f"DESCRIBE {t}")] == ["char(5)", "varchar(10)"]


def test_lengths_of_texts_inside_of_others(sql, schema):
    t = f"{schema}.inside"
    sql(f"CREATE TABLE {t} (id INT, a ARRAY<VARCHAR(2)>, s STRUCT<c: CHAR(2)>, m MAP<STRING, VARCHAR(1)>)")
    sql(f"INSERT INTO {t} VALUES (1, array('xy', NULL, 'z   '), named_struct('c', 'q'), map('long', 'v')), (2, NULL, NULL, NULL)")
    assert sql(f"SELECT a[0], a[1], a[2], s.c, m['long'] FROM {t} ORDER BY id") == [["xy", None, "z ", "q ", "v"], [None] * 5]
    for row in ("3, array('abc'), NULL, NULL", "3, NULL, named_struct('c', 'abc'), NULL", "3, NULL, NULL, map('k', 'vv')"):
        sql.fails(f"INSERT INTO {t} VALUES ({row})", "DELTA_EXCEED_CHAR_VARCHAR_LIMIT")


def test_truncate_answers_nothing(sql, schema):
    sql(f"CREATE TABLE {schema}.emptied AS SELECT 1 AS id")
    got = sql.run(f"TRUNCATE TABLE {schema}.emptied")
    assert got["status"]["state"] == "SUCCEEDED" and not got.get("result", {}).get("data_array")
    assert sql(f"SELECT count(*) FROM {schema}.emptied") == [["0"]]


def test_row_ids_stay_with_their_rows(sql, schema):
    t = f"{schema}.tracked"
    sql(f"CREATE TABLE {t} (id BIGINT)")
    sql(f"INSERT INTO {t} VALUES (1), (2), (3)")
    sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableRowTracking'='true')")
    before = sql(f"SELECT id, _metadata.row_id FROM {t} ORDER BY id")
    assert sorted(r[1] for r in before) == ["0", "1", "2"]
    sql(f"INSERT INTO {t} VALUES (4)")
    sql(f"UPDATE {t} SET id = id + 10 WHERE id = 2")
    sql(f"OPTIMIZE {t}")
    after = {r[0]: r[1] for r in sql(f"SELECT id, _metadata.row_id FROM {t}")}
    assert after == {"1": before[0][1], "12": before[1][1], "3": before[2][1], "4": "3"}


def test_rows_of_deletion_vectors_are_gone_from_every_kind_of_reading(sql, schema):
    """Three files whose vectors lie in one file: sparse, dense, none; counted from the log, read in order, read with gaps."""
    t = f"{schema}.vectors"
    sql(f"CREATE TABLE {t} (id BIGINT, k INT) TBLPROPERTIES ('delta.enableDeletionVectors'='true')")
    for begin in (0, 10000, 20000):
        sql(f"INSERT INTO {t} SELECT id, CAST(id % 10 AS INT) FROM range({begin}, {begin + 10000})")
    sql(f"DELETE FROM {t} WHERE id < 20000 AND id % 100 = 7 OR id BETWEEN 12000 AND 15999")
    left = [i for i in range(30000) if not (i < 20000 and i % 100 == 7 or 12000 <= i <= 15999)]
    assert sql(f"SELECT count(*) FROM {t}") == [[str(len(left))]]
    assert sql(f"SELECT count(*) FROM {t} CROSS JOIN (SELECT 1 UNION ALL SELECT 2)") == [[str(2 * len(left))]]
    assert sql(f"SELECT count(*), sum(id), min(id), max(k) FROM {t}") == [[str(len(left)), str(sum(left)), "0", "9"]]
    for k in (3, 7):
        part = [i for i in left if i % 10 == k]
        assert sql(f"SELECT count(*), sum(id) FROM {t} WHERE k = {k}") == [[str(len(part)), str(sum(part))]]
    assert sql(f"SELECT id FROM {t} WHERE id IN (7, 8, 11999, 12000, 16000, 20007) ORDER BY id") == [["8"], ["11999"], ["16000"], ["20007"]]
    sql(f"DELETE FROM {t} WHERE k = 3")
    left = [i for i in left if i % 10 != 3]
    assert sql(f"SELECT count(*) FROM {t}") == [[str(len(left))]]
    assert sql(f"SELECT count(*), sum(id) FROM {t}") == [[str(len(left)), str(sum(left))]]


def test_what_is_not_done_is_refused(sql, schema):
    sql.fails(f"VACUUM {schema}.base USING INVENTORY (SELECT 1)", "UNSUPPORTED_FEATURE")
    for text in ("REORG TABLE {t} APPLY (UPGRADE UNIFORM (ICEBERG_COMPAT_VERSION=2))", "FSCK REPAIR TABLE {t} DRY RUN",
                 "GENERATE symlink_format_manifest FOR TABLE {t}"):
        sql.fails(text.format(t=f"{schema}.base"), "UNSUPPORTED_FEATURE.SQL_STATEMENT")


def test_clustering_and_how_a_table_is_written_down(sql, schema):
    t = f"{schema}.clustered"
    sql(f"CREATE TABLE {t} (id BIGINT GENERATED ALWAYS AS IDENTITY, a INT DEFAULT 7, g INT GENERATED ALWAYS AS (a * 2), s STRUCT<x: INT>) CLUSTER BY (a, s.x) "
        "TBLPROPERTIES ('delta.feature.allowColumnDefaults'='supported')")
    text = sql(f"SHOW CREATE TABLE {t}")[0][0]
    for part in ("id BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 1 INCREMENT BY 1)", "a INT DEFAULT 7", "g INT GENERATED ALWAYS AS (a * 2)",
                 "CLUSTER BY (a, s.x)"):
        assert part in text, text
    sql(f"INSERT INTO {t} (a, s) VALUES (3, named_struct('x', 1)), (1, NULL), (2, NULL)")
    sql(f"INSERT INTO {t} (a, s) VALUES (9, named_struct('x', 1))")
    sql.fails(f"OPTIMIZE {t} ZORDER BY (a)", "DELTA_CLUSTERING_WITH_ZORDER_BY")
    sql(f"OPTIMIZE {t}")
    sql.fails(f"CREATE TABLE {schema}.five (a INT, b INT, c INT, d INT, e INT) CLUSTER BY (a, b, c, d, e)", "DELTA_CLUSTER_BY_INVALID_NUM_COLUMNS")
    sql(f"ALTER TABLE {t} CLUSTER BY AUTO")
    assert sql(f"DESCRIBE DETAIL {t}")[0][16] == "true"
    sql(f"ALTER TABLE {t} CLUSTER BY NONE")
    assert sql(f"DESCRIBE DETAIL {t}")[0][8] == "[]" and sql(f"DESCRIBE DETAIL {t}")[0][16] == "false"
    assert "CLUSTER BY" not in sql(f"SHOW CREATE TABLE {t}")[0][0]
    sql.fails(f"OPTIMIZE {t} FULL", "DELTA_OPTIMIZE_FULL_NOT_SUPPORTED")
    sql.fails(f"OPTIMIZE {t} WHERE a = 1", "DELTA_NON_PARTITION_COLUMN_REFERENCE")


def test_features_are_dropped_with_what_they_left(sql, schema):
    t = f"{schema}.dropping"
    sql(f"CREATE TABLE {t} (id INT, v STRING) TBLPROPERTIES ('delta.enableDeletionVectors'='true', 'delta.columnMapping.mode'='name', "
        "'delta.enableTypeWidening'='true')")
    sql(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    sql(f"DELETE FROM {t} WHERE id = 2")
    sql(f"ALTER TABLE {t} RENAME COLUMN v TO w")
    sql(f"ALTER TABLE {t} ALTER COLUMN id TYPE BIGINT")
    for feature in ("deletionVectors", "typeWidening", "columnMapping"):
        sql(f"ALTER TABLE {t} DROP FEATURE {feature}")
        assert feature not in sql(f"DESCRIBE DETAIL {t}")[0][14]
        assert sql(f"SELECT id, w FROM {t} ORDER BY id") == [["1", "a"], ["3", "c"]]
    sql(f"INSERT INTO {t} VALUES (5000000000, 'z')")
    assert sql(f"SELECT count(*) FROM {t} VERSION AS OF 1") == [["3"]]
    sql.fails(f"ALTER TABLE {t} DROP FEATURE deletionVectors", "DELTA_FEATURE_DROP_FEATURE_NOT_PRESENT")
    sql.fails(f"ALTER TABLE {t} DROP FEATURE appendOnly", "DELTA_FEATURE_DROP_NONREMOVABLE_FEATURE")
    sql.fails(f"ALTER TABLE {t} DROP FEATURE nonsense", "DELTA_FEATURE_DROP_UNSUPPORTED_CLIENT_FEATURE")
    sql(f"CREATE TABLE {schema}.checked (id INT, CONSTRAINT c CHECK (id > 0))")
    sql.fails(f"ALTER TABLE {schema}.checked DROP FEATURE checkConstraints", "DELTA_CANNOT_DROP_CHECK_CONSTRAINT_FEATURE")


REFUSED = [
    ("(id INT) PARTITIONED BY (id)", "ALL_PARTITION_COLUMNS_NOT_ALLOWED"),
    ("(a INT, b INT) PARTITIONED BY (a) CLUSTER BY (b)", "SPECIFY_CLUSTER_BY_WITH_PARTITIONED_BY_IS_NOT_ALLOWED"),
    ("(i BIGINT GENERATED ALWAYS AS IDENTITY (INCREMENT BY 0))", "IDENTITY_COLUMNS_ILLEGAL_STEP"),
    ("(a INT, g INT GENERATED ALWAYS AS (nope + 1))", "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
    ("(a INT, g INT GENERATED ALWAYS AS (rand()))", "UNSUPPORTED_EXPRESSION_GENERATED_COLUMN"),
    ("(a INT DEFAULT 5)", "WRONG_COLUMN_DEFAULTS_FOR_DELTA_FEATURE_NOT_ENABLED"),
    ("(a INT) TBLPROPERTIES ('delta.bogus'='1')", "DELTA_UNKNOWN_CONFIGURATION"),
    ("(a INT) TBLPROPERTIES ('delta.feature.bogus'='supported')", "DELTA_UNSUPPORTED_FEATURES_IN_CONFIG"),
    ("(i INTERVAL DAY)", "DELTA_UNSUPPORTED_DATA_TYPES"),
]


@pytest.mark.parametrize("clause, name", REFUSED, ids=[r[1] for r in REFUSED])
def test_tables_that_cannot_be(sql, schema, clause, name):
    sql.fails(f"CREATE TABLE {schema}.never {clause}", name)


CHANGES = [
    ("RESTORE {t} TO VERSION AS OF 99", "DELTA_CANNOT_RESTORE_TABLE_VERSION"),
    ("ALTER TABLE {t} ADD CONSTRAINT c CHECK (id)", "DELTA_NON_BOOLEAN_CHECK_CONSTRAINT"),
    ("ALTER TABLE {t} ALTER COLUMN v TYPE INT", "NOT_SUPPORTED_CHANGE_COLUMN"),
    ("ALTER TABLE {t} ALTER COLUMN id TYPE BIGINT", "DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP"),
    ("ALTER TABLE {t} ADD COLUMN n INT NOT NULL", "DELTA_OPERATION_NOT_ALLOWED"),
    ("ALTER TABLE {t} ALTER COLUMN nope COMMENT 'x'", "UNRESOLVED_COLUMN.WITH_SUGGESTION"),
    ("ALTER TABLE {t} SET TBLPROPERTIES ('delta.bogus'='1')", "DELTA_UNKNOWN_CONFIGURATION"),
    ("INSERT INTO {t} VALUES (1)", "DELTA_INSERT_COLUMN_ARITY_MISMATCH"),
    ("ALTER TABLE {t} CLUSTER BY (nope)", "DELTA_COLUMN_NOT_FOUND_IN_SCHEMA"),
]


def test_changes_that_cannot_be(sql, schema):
    t = f"{schema}.firm"
    sql(f"CREATE TABLE {t} (id INT, v STRING)")
    for text, name in CHANGES:
        sql.fails(text.format(t=t), name)
    assert len(sql(f"DESCRIBE HISTORY {t}")) == 1


def test_fields_inside_arrays_and_maps_and_whole_lists_of_columns(sql, schema):
    t = f"{schema}.lists"
    sql(f"CREATE TABLE {t} (id INT, l ARRAY<STRUCT<x: INT>>, m MAP<STRING, STRUCT<y: INT>>)")
    sql(f"INSERT INTO {t} VALUES (1, array(named_struct('x', 1)), map('k', named_struct('y', 2)))")
    sql(f"ALTER TABLE {t} ADD COLUMNS (l.element.z STRING, m.value.w INT FIRST)")
    assert sql(f"SELECT l[0].x, l[0].z, m['k'].w, m['k'].y FROM {t}") == [["1", None, None, "2"]]
    sql.fails(f"ALTER TABLE {t} ADD COLUMNS (l.element.x.q INT)", "INVALID_FIELD_NAME")
    sql(f"ALTER TABLE {t} REPLACE COLUMNS (n DOUBLE COMMENT 'new', id INT, m MAP<STRING, STRUCT<y: INT, w: INT>>, l ARRAY<STRUCT<x: INT, z: STRING>>)")
    assert sql(f"SELECT n, id, m['k'].y, l[0].x FROM {t}") == [[None, "1", "2", "1"]]
    assert sql(f"DESCRIBE {t}")[0] == ["n", "double", "new"]
    sql.fails(f"ALTER TABLE {t} REPLACE COLUMNS (id INT)", "DELTA_UNSUPPORTED_ALTER_TABLE_REPLACE_COL_OP")
    sql.fails(f"ALTER TABLE {t} REPLACE COLUMNS (n DOUBLE, id BIGINT, m MAP<STRING, STRUCT<y: INT, w: INT>>, l ARRAY<STRUCT<x: INT, z: STRING>>)",
              "DELTA_UNSUPPORTED_ALTER_TABLE_REPLACE_COL_OP")


def test_a_with_list_before_changes(sql, schema):
    t = f"{schema}.listed"
    sql(f"CREATE TABLE {t} (id INT, v STRING)")
    sql(f"INSERT INTO {t} VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    sql(f"WITH x AS (SELECT 1 AS id, 'one' AS v UNION ALL SELECT 9, 'nine') MERGE INTO {t} t USING x ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = x.v "
        "WHEN NOT MATCHED THEN INSERT *")
    sql(f"WITH x AS (SELECT 2 AS id) UPDATE {t} SET v = 'two' WHERE id IN (SELECT id FROM x)")
    sql(f"WITH x AS (SELECT 3 AS id) DELETE FROM {t} WHERE id IN (SELECT id FROM x)")
    assert sql(f"SELECT id, v FROM {t} ORDER BY id") == [["1", "one"], ["2", "two"], ["9", "nine"]]


def test_queries_in_conditions_of_changes(sql, schema):
    """Delta in Spark refuses the first and the last of these; a warehouse takes them."""
    t = f"{schema}.asked"
    sql(f"CREATE TABLE {t} (id INT, v INT)")
    sql(f"INSERT INTO {t} SELECT CAST(id AS INT), CAST(id * 2 AS INT) FROM range(20)")
    sql(f"DELETE FROM {t} WHERE id IN (SELECT CAST(id AS INT) FROM range(3))")
    sql(f"UPDATE {t} SET v = (SELECT max(id) FROM range(7)) WHERE id > 15")
    sql(f"DELETE FROM {t} WHERE NOT EXISTS (SELECT 1 FROM range(18) r WHERE r.id = v)")
    want = [[str(i), str(2 * i)] for i in range(3, 9)] + [[str(i), "6"] for i in range(16, 20)]
    assert sql(f"SELECT id, v FROM {t} ORDER BY id") == want


def test_what_iceberg_cannot_read(sql, schema):
    on = "'delta.columnMapping.mode'='name', 'delta.enableIcebergCompatV2'='true'"
    sql(f"CREATE TABLE {schema}.ice (id INT) TBLPROPERTIES ({on}, 'delta.enableDeletionVectors'='false')")
    sql.fails(f"ALTER TABLE {schema}.ice SET TBLPROPERTIES ('delta.enableDeletionVectors'='true')", "DELTA_ICEBERG_COMPAT_VIOLATION.DELETION_VECTORS_SHOULD_BE_DISABLED")
    sql.fails(f"ALTER TABLE {schema}.ice ADD COLUMNS (v VARIANT)", "DELTA_ICEBERG_COMPAT_VIOLATION.UNSUPPORTED_DATA_TYPE")


def test_a_path_is_cloned(sql):
    a, b = sql.root / "cloned", sql.root / "clone"
    sql(f"CREATE TABLE delta.`{a}` (id INT)")
    sql(f"INSERT INTO delta.`{a}` VALUES (1), (2)")
    sql(f"CREATE TABLE delta.`{b}` SHALLOW CLONE delta.`{a}`")
    sql(f"DELETE FROM delta.`{b}` WHERE id = 1")
    assert sql(f"SELECT id FROM delta.`{b}`") == [["2"]]
    sql.fails(f"SELECT * FROM delta.`{sql.root}/nowhere`", "DELTA_TABLE_NOT_FOUND")


def test_columns_of_no_type_are_in_no_file(sql, schema):
    t = f"{schema}.nothing"
    sql(f"CREATE TABLE {t} AS SELECT id, NULL AS n, named_struct('a', id, 'v', NULL) AS s FROM range(2)")
    sql(f"UPDATE {t} SET s.a = 7 WHERE id = 1")
    assert sql(f"SELECT id, n, s.a, s.v FROM {t} ORDER BY id") == [["0", None, "0", None], ["1", None, "7", None]]
    place = Path(sql(f"DESCRIBE DETAIL {t}")[0][4].removeprefix("file://"))
    for f in place.glob("*.parquet"):
        assert pq.read_schema(f).to_string().replace("\n", " ") == "id: int64 s: struct<a: int64>   child 0, a: int64"
    for clause, name in (("array(NULL) AS a", "DELTA_COMPLEX_TYPE_COLUMN_CONTAINS_NULL_TYPE"), ("named_struct('x', NULL) AS a, 1 AS b", "EMPTY_SCHEMA_NOT_SUPPORTED"),
                         ("NULL AS a", "EMPTY_SCHEMA_NOT_SUPPORTED")):
        sql.fails(f"CREATE TABLE {schema}.never AS SELECT {clause}", name)


def test_decimals_below_one_are_written_with_their_zero(sql, schema):
    t = f"{schema}.small"
    sql(f"CREATE TABLE {t} (p DECIMAL(2,2), d DECIMAL(38,38)) PARTITIONED BY (p)")
    sql(f"INSERT INTO {t} VALUES (0.25, -0.5)")
    assert sql(f"SELECT CAST(p AS STRING), concat(d, ''), to_json(named_struct('p', p)) FROM {t}") == [["0.25", "-0." + "5".ljust(38, "0"), '{"p":0.25}']]
    assert sql(f"SELECT partition FROM (SELECT CAST(p AS STRING) AS partition FROM {t} WHERE p = 0.25)") == [["0.25"]]


def feed(sql, t, first, last=None, columns="*"):
    return sorted(sql(f"SELECT {columns} FROM table_changes('{t}', {first}{'' if last is None else f', {last}'})"))


def test_a_feed_of_rows_that_come_back(sql, schema):
    t = f"{schema}.back"
    sql(f"CREATE TABLE {t} (id INT) TBLPROPERTIES ('delta.enableChangeDataFeed'='true', 'delta.enableDeletionVectors'='true')")
    sql(f"INSERT INTO {t} VALUES (1), (2), (3)")
    sql(f"DELETE FROM {t} WHERE id = 1")
    sql(f"RESTORE TABLE {t} TO VERSION AS OF 1")
    assert feed(sql, t, 2, columns="id, _change_type, _commit_version") == [["1", "delete", "2"], ["1", "insert", "3"]]


def test_a_feed_has_the_columns_of_its_end(sql, schema):
    t = f"{schema}.renamed"
    sql(f"CREATE TABLE {t} (id INT, v STRING) TBLPROPERTIES ('delta.enableChangeDataFeed'='true', 'delta.columnMapping.mode'='name')")
    sql(f"INSERT INTO {t} VALUES (1, 'a')")
    sql(f"ALTER TABLE {t} ADD COLUMNS (n INT)")
    sql(f"ALTER TABLE {t} RENAME COLUMN v TO w")
    sql(f"INSERT INTO {t} VALUES (2, 'b', 5)")
    assert feed(sql, t, 1, 1, "id, v, _change_type") == [["1", "a", "insert"]]
    assert feed(sql, t, 1, 2, "id, v, n, _change_type") == [["1", "a", None, "insert"]]
    assert feed(sql, t, 3, columns="id, w, n, _change_type") == [["2", "b", "5", "insert"]]
    sql.fails(f"SELECT * FROM table_changes('{t}', 1)", "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE_DATA_SCHEMA")
    sql(f"ALTER TABLE {t} RENAME COLUMN w TO v")
    sql.fails(f"SELECT * FROM table_changes('{t}', 1)", "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE_SCHEMA_CHANGE")


def test_a_feed_tells_only_what_was_recorded(sql, schema):
    t = f"{schema}.late"
    sql(f"CREATE TABLE {t} (id INT)")
    sql(f"INSERT INTO {t} VALUES (1)")
    sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableChangeDataFeed'='true')")
    sql(f"INSERT INTO {t} VALUES (2)")
    sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('delta.enableChangeDataFeed'='false')")
    sql(f"INSERT INTO {t} VALUES (3)")
    assert feed(sql, t, 2, 3, "id, _change_type") == [["2", "insert"]]
    for first, last in ((1, 3), (2, 4), (5, 5)):
        sql.fails(f"SELECT * FROM table_changes('{t}', {first}, {last})", "DELTA_MISSING_CHANGE_DATA")


def test_columns_that_others_are_made_of_keep_their_names(sql, schema):
    t = f"{schema}.made_of"
    sql(f"CREATE TABLE {t} (id INT, s STRUCT<a: INT, b: INT>, twice INT GENERATED ALWAYS AS (id * 2), v INT) TBLPROPERTIES ('delta.columnMapping.mode'='name')")
    sql(f"ALTER TABLE {t} ADD CONSTRAINT positive CHECK (s.a>0 /* so */ OR length('a  b')=v)")
    for change in ("DROP COLUMN s", "DROP COLUMN s.a", "RENAME COLUMN s.a TO c", "RENAME COLUMN v TO w"):
        sql.fails(f"ALTER TABLE {t} {change}", "DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE")
    for change in ("DROP COLUMN id", "RENAME COLUMN id TO key"):
        sql.fails(f"ALTER TABLE {t} {change}", "DELTA_GENERATED_COLUMNS_DEPENDENT_COLUMN_CHANGE")
    sql(f"ALTER TABLE {t} DROP COLUMN IF EXISTS nosuch")
    assert sql(f"DESCRIBE HISTORY {t} LIMIT 1")[0][4] == "ADD CONSTRAINT"
    sql(f"ALTER TABLE {t} RENAME COLUMN s.b TO c")
    assert dict(sql(f"SHOW TBLPROPERTIES {t}"))["delta.constraints.positive"] == "s . a > 0 OR length ( 'a  b' ) = v"
    sql(f"INSERT INTO {t} (id, s, v) VALUES (1, named_struct('a', 1, 'c', 2), 9)")
    sql(f"ALTER TABLE {t} DROP CONSTRAINT positive")
    sql(f"ALTER TABLE {t} RENAME COLUMN s.a TO d")
    assert sql(f"SELECT s.d, twice FROM {t}") == [["1", "2"]]


def test_clustering_goes_with_versions_and_replacements(sql, schema):
    t = f"{schema}.clustered_back"
    detail = lambda: json.loads(sql(f"DESCRIBE DETAIL {t}")[0][8])  # noqa: E731
    sql(f"CREATE TABLE {t} (id INT, s STRUCT<a: INT, d: DATE>) CLUSTER BY (s.d) TBLPROPERTIES ('delta.columnMapping.mode'='name')")
    assert detail() == ["s.d"]
    sql(f"ALTER TABLE {t} RENAME COLUMN s.d TO day")
    assert detail() == ["s.day"]
    sql(f"ALTER TABLE {t} CLUSTER BY (id)")
    assert detail() == ["id"]
    sql(f"RESTORE TABLE {t} TO VERSION AS OF 1")
    assert detail() == ["s.day"]
    sql.fails(f"CREATE OR REPLACE TABLE {t} (p INT, v INT) PARTITIONED BY (p)", "DELTA_CLUSTERING_REPLACE_TABLE_WITH_PARTITIONED_TABLE")
    sql(f"CREATE OR REPLACE TABLE {t} AS SELECT 1 AS x")
    assert detail() == []


def test_statements_that_change_nothing_make_no_version(sql, schema):
    t = f"{schema}.still"
    sql(f"CREATE TABLE {t} (id INT, p INT) PARTITIONED BY (p)")
    sql(f"INSERT INTO {t} SELECT 1, 1 WHERE false")
    sql(f"INSERT OVERWRITE {t} SELECT 1, 1 WHERE false")
    sql(f"RESTORE TABLE {t} TO VERSION AS OF 0")
    sql(f"TRUNCATE TABLE {t}")
    assert len(sql(f"DESCRIBE HISTORY {t}")) == 1
    sql(f"INSERT INTO {t} VALUES (1, 1)")
    sql(f"ALTER TABLE {t} SET TBLPROPERTIES ('own'='1')")
    sql(f"RESTORE TABLE {t} TO VERSION AS OF 1")
    assert "own" not in dict(sql(f"SHOW TBLPROPERTIES {t}"))
    sql.fails(f"SELECT * FROM {t} TIMESTAMP AS OF current_timestamp() + INTERVAL 1 DAY", "DELTA_TIMESTAMP_GREATER_THAN_COMMIT")
    sql.fails(f"SELECT * FROM {t} TIMESTAMP AS OF (SELECT current_timestamp())", "INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.UNEVALUABLE")
    sql.fails(f"SELECT * FROM {t} TIMESTAMP AS OF now() - INTERVAL 1 YEAR", "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION")
    sql.fails(f"RESTORE TABLE {t} TO TIMESTAMP AS OF '2999-01-01'", "DELTA_CANNOT_RESTORE_TIMESTAMP_GREATER")
    sql.fails(f"RESTORE TABLE {t} TO TIMESTAMP AS OF '1999-01-01'", "DELTA_CANNOT_RESTORE_TIMESTAMP_EARLIER")


def test_columns_that_no_table_takes(sql, schema):
    t = f"{schema}.refused"
    for columns, rest, cls in (("p INT, a ARRAY<INT>", "PARTITIONED BY (a)", "INVALID_PARTITION_COLUMN_DATA_TYPE"),
                               ("id BIGINT GENERATED ALWAYS AS IDENTITY, v INT", "PARTITIONED BY (id)", "DELTA_IDENTITY_COLUMNS_PARTITION_NOT_SUPPORTED"),
                               ("id INT, g INT GENERATED ALWAYS AS (g)", "", "UNSUPPORTED_EXPRESSION_GENERATED_COLUMN"),
                               ("id INT, g INT GENERATED ALWAYS AS (id + 1L)", "", "UNSUPPORTED_EXPRESSION_GENERATED_COLUMN"),
                               ("id INT, g INT GENERATED ALWAYS AS (id), h INT GENERATED ALWAYS AS (g)", "", "UNSUPPORTED_EXPRESSION_GENERATED_COLUMN"),
                               ("id INT, t TIME", "", "UNSUPPORTED_TIME_TYPE"), ("id INT, s STRUCT<i: INTERVAL DAY>", "", "DELTA_UNSUPPORTED_DATA_TYPES"),
                               ("id INT DEFAULT 'x'", "TBLPROPERTIES ('delta.feature.allowColumnDefaults'='supported')", "INVALID_DEFAULT_VALUE.DATA_TYPE")):
        sql.fails(f"CREATE TABLE {t} ({columns}) USING delta {rest}", cls)
    sql(f"CREATE TABLE {t} (id INT, s STRUCT<x: INT>, b BINARY) USING delta PARTITIONED BY (b)")
    sql(f"INSERT INTO {t} VALUES (1, NULL, X'00'), (2, NULL, X'2700')")
    assert sql(f"SELECT id, hex(b) FROM {t} ORDER BY id") == [["1", "00"], ["2", "2700"]]
    sql.fails(f"INSERT INTO {t} BY NAME SELECT 1 AS id, 2 AS ID", "DELTA_DUPLICATE_COLUMNS_FOUND.READ_SCHEMA")
    sql.fails(f"INSERT INTO {t} VALUES (1, NULL, NULL, 4)", "DELTA_METADATA_MISMATCH")
    sql.fails(f"UPDATE {t} SET s.x = 1, s = NULL", "DELTA_CONFLICT_SET_COLUMN")
    sql.fails(f"ALTER TABLE {t} ADD COLUMNS (id.y INT)", "INVALID_FIELD_NAME")


def test_char_columns_compare_with_their_blanks(sql, schema):
    t = f"{schema}.chars"
    sql(f"CREATE TABLE {t} (id INT, c CHAR(5), d CHAR(3), p CHAR(3)) PARTITIONED BY (p)")
    sql(f"INSERT INTO {t} VALUES (1, 'ab', 'ab', 'x'), (2, 'abcde', 'abc', 'xyz'), (3, 'cd', 'zz', 'x')")
    for condition, ids in (("c = 'ab'", [1]), ("c = 'ab   '", [1]), ("'ab' = c", [1]), ("p = 'x'", [1, 3]), ("p IN ('x', 'xyz')", [1, 2, 3]), ("c >= 'ab'", [1, 2, 3]),
                           ("c <> 'ab'", [2, 3]), ("c = d", [1]), ("c BETWEEN 'ab' AND 'ab'", [1]), ("c <=> 'cd'", [3]), ("c IN ('nope')", [])):
        assert sql(f"SELECT id FROM {t} WHERE {condition} ORDER BY id") == [[str(i)] for i in ids], condition
