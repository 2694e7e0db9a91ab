# SPDX-License-Identifier: Apache-2.0
"""Delta tables through a warehouse: every kind of change, time travel, the change feed, upkeep, several writers at once."""

import threading
import uuid

import pytest
from statements import Sql


@pytest.fixture(scope="module")
def sql(platform):
    return Sql(platform)


@pytest.fixture(scope="module")
def schema(sql):
    name = f"main.d_{uuid.uuid4().hex[:8]}"
    sql(f"CREATE SCHEMA {name}")
    yield name
    sql(f"DROP SCHEMA {name} CASCADE")


def test_changes_and_time_travel(sql, schema):
    t = f"{schema}.changes"
    sql(f"CREATE TABLE {t} (id BIGINT, v STRING, p INT) PARTITIONED BY (p) TBLPROPERTIES ('delta.enableChangeDataFeed'='true', "
        "'delta.enableDeletionVectors'='true')")
    assert sql(f"INSERT INTO {t} VALUES (1, 'a', 1), (2, 'b', 1), (3, NULL, NULL)") == [["3", "3"]]
    assert sql(f"UPDATE {t} SET v = 'z' WHERE id = 2") == [["1"]]
    assert sql(f"DELETE FROM {t} WHERE id = 1") == [["1"]]
    assert sql(f"MERGE INTO {t} t USING VALUES (2, 'm', 7), (9, 'n', 8) AS s(id, v, p) ON t.id = s.id WHEN MATCHED THEN UPDATE SET * "
               "WHEN NOT MATCHED THEN INSERT * WHEN NOT MATCHED BY SOURCE THEN DELETE") == [["3", "1", "1", "1"]]
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["2", "m", "7"], ["9", "n", "8"]]
    assert sql(f"SELECT id, v FROM {t} VERSION AS OF 2 ORDER BY id") == [["1", "a"], ["2", "z"], ["3", None]]
    feed = sql(f"SELECT _commit_version, _change_type, id FROM table_changes('{t}', 2, 3) ORDER BY 1, 2, 3")
    assert feed == [["2", "update_postimage", "2"], ["2", "update_preimage", "2"], ["3", "delete", "1"]]
    assert [r[4] for r in sql(f"DESCRIBE HISTORY {t}")] == ["MERGE", "DELETE", "UPDATE", "WRITE", "CREATE TABLE"]
    sql(f"OPTIMIZE {t}")
    sql(f"RESTORE TABLE {t} TO VERSION AS OF 1")
    assert sql(f"SELECT count(*), sum(id) FROM {t}") == [["3", "6"]]
    sql(f"ALTER TABLE {t} ADD COLUMNS (extra DOUBLE)")
    sql(f"INSERT INTO {t} (id, extra) VALUES (5, 1.5)")
    assert sql(f"SELECT id, extra FROM {t} WHERE extra IS NOT NULL OR id = 1 ORDER BY id") == [["1", None], ["5", "1.5"]]
    sql.fails(f"VACUUM {t} RETAIN 0 HOURS", "DELTA_VACUUM_RETENTION_PERIOD_TOO_SHORT")
    sql.fails(f"SELECT * FROM {t} VERSION AS OF 99", "DELTA_VERSION_NOT_FOUND")


def test_rows_that_may_not_be(sql, schema):
    t = f"{schema}.checked"
    sql(f"CREATE TABLE {t} (id BIGINT GENERATED ALWAYS AS IDENTITY, a INT NOT NULL, b INT GENERATED ALWAYS AS (a * 2), CONSTRAINT positive CHECK (a > 0))")
    sql(f"INSERT INTO {t} (a) VALUES (1), (2)")
    sql.fails(f"INSERT INTO {t} (a) VALUES (-1)", "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES")
    sql.fails(f"UPDATE {t} SET a = -5", "DELTA_VIOLATE_CONSTRAINT_WITH_VALUES")
    sql.fails(f"INSERT INTO {t} (id, a) VALUES (7, 7)", "DELTA_IDENTITY_COLUMNS_EXPLICIT_INSERT_NOT_SUPPORTED")
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "1", "2"], ["2", "2", "4"]]


def test_numbers_too_large_for_their_column(sql, schema):
    sql(f"CREATE TABLE {schema}.narrow (t TINYINT, i INT, d DECIMAL(4,1), f FLOAT)")
    sql(f"INSERT INTO {schema}.narrow VALUES (127, 2147483647L, 12.34, 1e300)")
    for values, column in (("(128, 1, 1, 1)", "`t`"), ("(1, 3000000000, 1, 1)", "`i`"), ("(1, 1, 1234.5, 1)", "`d`"), ("(1, 1e10, 1, 1)", "`i`")):
        assert column in sql.fails(f"INSERT INTO {schema}.narrow VALUES {values}", "CAST_OVERFLOW_IN_TABLE_INSERT")
    assert column in sql.fails(f"UPDATE {schema}.narrow SET i = 3000000000", "DELTA_CAST_OVERFLOW_IN_TABLE_WRITE")
    assert sql(f"SELECT t, i, d, f = double('Infinity') FROM {schema}.narrow") == [["127", "2147483647", "12.3", "true"]]
    assert "Searched in [`system`.`builtin`, `system`.`session`" in sql.fails("INSERT INTO nowhere_at_all VALUES (1)", "TABLE_OR_VIEW_NOT_FOUND")


def test_texts_become_what_the_column_holds(sql, schema):
    t = f"{schema}.cast"
    sql(f"CREATE TABLE {t} (x INT, d DATE, ts TIMESTAMP_NTZ)")
    sql(f"INSERT OVERWRITE {t} VALUES ('7', '2024-01-01', '2024-01-01 10:00:00')")
    sql(f"UPDATE {t} SET x = '8'")
    sql(f"MERGE INTO {t} t USING VALUES ('8', '2025-02-03') AS s(x, d) ON t.x = s.x WHEN MATCHED THEN UPDATE SET d = s.d")
    assert sql(f"SELECT x, d, ts FROM {t}") == [["8", "2025-02-03", "2024-01-01T10:00:00.000"]]
    sql.fails(f"INSERT INTO {t} (d) VALUES ('soon')", "CAST_INVALID_INPUT")
    sql.fails(f"INSERT INTO {t} (x) VALUES (array(1))", f"table {t}")


def test_a_clause_of_merge_sees_its_side_alone(sql, schema):
    t = f"{schema}.sides"
    sql(f"CREATE TABLE {t} (id INT, v STRING)")
    sql(f"INSERT INTO {t} VALUES (1, 'old'), (2, 'gone')")
    merge = (f"MERGE INTO {t} AS dest USING (VALUES (1, 'new'), (3, 'more'), (4, 'none')) AS src(id, v) ON src.id = dest.id ")
    assert sql(merge + "WHEN NOT MATCHED AND v <> 'none' THEN INSERT (id, v) VALUES (id + 10, upper(v)) "
                       "WHEN NOT MATCHED BY SOURCE AND v = 'gone' THEN UPDATE SET v = concat(v, id)") == [["2", "1", "0", "1"]]
    assert sql(f"SELECT * FROM {t} ORDER BY id") == [["1", "old"], ["2", "gone2"], ["13", "MORE"]]
    sql.fails(merge + "WHEN MATCHED THEN UPDATE SET v = v", "AMBIGUOUS_REFERENCE")


def test_eight_writers_lose_nothing(sql, schema):
    t = f"{schema}.counted"
    sql(f"CREATE TABLE {t} (writer INT, n INT)")
    wrong = []

    def write(k):
        try:
            for n in range(6):
                Sql(sql.platform)(f"INSERT INTO {t} VALUES ({k}, {n})")
        except AssertionError as e:
            wrong.append(e)

    threads = [threading.Thread(target=write, args=(k,)) for k in range(8)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    assert not wrong
    assert sql(f"SELECT count(*), sum(writer * 10 + n), count(DISTINCT writer * 10 + n) FROM {t}") == [["48", str(6 * 280 + 8 * 15), "48"]]
    assert len(sql(f"DESCRIBE HISTORY {t}")) == 49
