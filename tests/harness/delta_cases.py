# SPDX-License-Identifier: Apache-2.0
"""Scripts over one Delta table: {t} is its name. A step is a statement, or a statement with settings of the session."""

CASES = {
    "append_only": [
        "CREATE TABLE {t} (id INT) USING delta TBLPROPERTIES('delta.appendOnly'='true')",
        "INSERT INTO {t} VALUES (1)",
        "INSERT INTO {t} VALUES (2)",
    ],
    "generated": [
        "CREATE TABLE {t} (id BIGINT, ts TIMESTAMP, d DATE GENERATED ALWAYS AS (CAST(ts AS DATE)), y INT GENERATED "
        "ALWAYS AS (YEAR(ts)), s STRING GENERATED ALWAYS AS (concat('x', id)), h INT GENERATED ALWAYS AS (CAST(id % 4 "
        "AS INT))) USING delta PARTITIONED BY (d)",
        "INSERT INTO {t} (id, ts) VALUES (1, TIMESTAMP'2024-05-06 07:08:09 UTC'), (2, TIMESTAMP'1999-12-31 "
        "23:59:59.999999 UTC'), (3, NULL)",
        "INSERT INTO {t} VALUES (4, TIMESTAMP'2024-05-06 00:00:00 UTC', DATE'2024-05-06', 2024, 'x4', 0)",
        "UPDATE {t} SET ts = TIMESTAMP'2001-01-01 00:00:00 UTC' WHERE id = 1",
        "DELETE FROM {t} WHERE d = DATE'1999-12-31'",
    ],
    "defaults": [
        "CREATE TABLE {t} (id INT, a INT DEFAULT 7, b STRING DEFAULT 'x''y', c TIMESTAMP DEFAULT TIMESTAMP'2020-01-01 "
        "00:00:00 UTC', d DECIMAL(6,2) DEFAULT 1.5, e ARRAY<INT> DEFAULT array(1,2)) USING delta "
        "TBLPROPERTIES('delta.feature.allowColumnDefaults'='supported')",
        "INSERT INTO {t} (id) VALUES (1)",
        "INSERT INTO {t} VALUES (2, DEFAULT, 'b', DEFAULT, 9, DEFAULT)",
        "ALTER TABLE {t} ALTER COLUMN a SET DEFAULT 100",
        "INSERT INTO {t} (id) VALUES (3)",
        "ALTER TABLE {t} ALTER COLUMN a DROP DEFAULT",
        "INSERT INTO {t} (id) VALUES (4)",
        "UPDATE {t} SET a = DEFAULT, b = DEFAULT WHERE id = 2",
    ],
    "char_varchar": [
        "CREATE TABLE {t} (id INT, c CHAR(5), v VARCHAR(5)) USING delta",
        "INSERT INTO {t} VALUES (1, 'ab', 'ab'), (2, 'abcde', 'abcde'), (3, NULL, '')",
        "ALTER TABLE {t} ALTER COLUMN v TYPE VARCHAR(10)",
        "INSERT INTO {t} VALUES (4, 'x', '1234567890')",
        "ALTER TABLE {t} ALTER COLUMN v TYPE STRING",
        "INSERT INTO {t} VALUES (5, 'y', '1234567890abc')",
    ],
    "ntz": [
        "CREATE TABLE {t} (id INT, n TIMESTAMP_NTZ, p TIMESTAMP_NTZ) USING delta PARTITIONED BY (p)",
        "INSERT INTO {t} VALUES (1, TIMESTAMP_NTZ'2024-01-01 10:20:30.123456', TIMESTAMP_NTZ'2024-01-01 00:00:00.5'), "
        "(2, NULL, NULL), (3, TIMESTAMP_NTZ'0001-01-01 00:00:00', TIMESTAMP_NTZ'9999-12-31 23:59:59.999999')",
        "DELETE FROM {t} WHERE n > TIMESTAMP_NTZ'2023-01-01 00:00:00'",
    ],
    "part_string_special": [
        "CREATE TABLE {t} (id INT, p STRING) USING delta PARTITIONED BY (p)",
        "INSERT INTO {t} VALUES (1,'a/b'),(2,'a%b'),(3,'a b'),(4,'ü€'),(5,'a=b'),(6,'a:b'),(7,'a\"b'),(8,'a\\'b'),(9,''),("
        "10,NULL),(11,'__HIVE_DEFAULT_PARTITION__x'),(12,'a+b'),(13,'a&b?c#d'),(14,'a\\\\b'),(15,'{x}[y]'),(16,'tab\\tx'),("
        "17,'nl\\nx'),(18,' lead'),(19,'trail '),(20,'.'),(21,'~!@$^*()')",
        "DELETE FROM {t} WHERE p = 'a/b'",
        "UPDATE {t} SET id = id + 100 WHERE p IN ('a%b', 'a b', 'ü€', ' lead')",
        "INSERT OVERWRITE {t} PARTITION (p = 'a=b') VALUES (55)",
    ],
    "part_boolean_small": [
        "CREATE TABLE {t} (b BOOLEAN, t TINYINT, s SMALLINT, v INT) USING delta PARTITIONED BY (b, t, s)",
        "INSERT INTO {t} VALUES (true, 1Y, -5S, 1), (false, -128Y, 32767S, 2), (NULL, NULL, NULL, 3)",
        "DELETE FROM {t} WHERE b",
        "UPDATE {t} SET b = true WHERE t IS NULL",
    ],
    "part_double": [
        "CREATE TABLE {t} (p DOUBLE, v INT) USING delta PARTITIONED BY (p)",
        "INSERT INTO {t} VALUES (1e300D, 1), (double('NaN'), 2), (-0.0D, 3), (double('-Infinity'), 4), (NULL, 5), "
        "(0.1D, 6), (1e-7D,7), (123456789.0D,8), (1.0E7D,9)",
        "DELETE FROM {t} WHERE p = 0.1D",
    ],
    "part_decimal_null": [
        "CREATE TABLE {t} (p DECIMAL(38,10), q DECIMAL(5,0), v INT) USING delta PARTITIONED BY (p, q)",
        "INSERT INTO {t} VALUES (1234567890123456789012345678.1234567890, 12345, 1), (-0.0000000001, -1, 2), (NULL, 0, "
        "3)",
        "UPDATE {t} SET v = 9 WHERE p < 0",
    ],
    "part_order": [
        "CREATE TABLE {t} (a INT, p INT, b STRING, q STRING) USING delta PARTITIONED BY (q, p)",
        "INSERT INTO {t} VALUES (1, 2, 'x', 'y'), (3, 4, 'z', 'w')",
        "INSERT INTO {t} PARTITION (q = 'k', p = 9) VALUES (5, 'five')",
        "INSERT INTO {t} PARTITION (q = 'k', p) SELECT 6, 10, 'six'",
        "INSERT OVERWRITE {t} PARTITION (q = 'k') SELECT 7, 11, 'seven'",
    ],
    "mapping_name_all": [
        "CREATE TABLE {t} (id INT, s STRUCT<a: INT, `b c`: STRING>, m MAP<STRING, STRUCT<x: INT>>, l ARRAY<STRUCT<y: "
        "INT>>, p STRING) USING delta PARTITIONED BY (p) TBLPROPERTIES('delta.columnMapping.mode'='name')",
        "INSERT INTO {t} VALUES (1, named_struct('a', 1, 'b c', 'x'), map('k', named_struct('x', 5)), "
        "array(named_struct('y', 6)), 'p1')",
        "ALTER TABLE {t} RENAME COLUMN s.a TO `a,b`",
        "ALTER TABLE {t} RENAME COLUMN p TO `part col`",
        "ALTER TABLE {t} ADD COLUMNS (`new; col` INT)",
        "INSERT INTO {t} VALUES (2, named_struct('a', 3, 'b c', 'z'), NULL, NULL, 'p2', 7)",
        "ALTER TABLE {t} DROP COLUMN m",
        "ALTER TABLE {t} ADD COLUMN m INT",
        "INSERT INTO {t} SELECT * FROM {t}",
        "UPDATE {t} SET m = 1, s.`a,b` = 77 WHERE id = 2",
        "ALTER TABLE {t} DROP COLUMN s.`b c`",
        "ALTER TABLE {t} RENAME COLUMN l.element.y TO why",
        "OPTIMIZE {t}",
    ],
    "mapping_id_dv": [
        "CREATE TABLE {t} (id INT, v STRING) USING delta TBLPROPERTIES('delta.columnMapping.mode'='id','delta.enableDele"
        "tionVectors'='true')",
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS INT), concat('v', id) FROM range(50)",
        "ALTER TABLE {t} RENAME COLUMN v TO w",
        "DELETE FROM {t} WHERE id % 7 = 0",
        "UPDATE {t} SET w = 'new' WHERE id % 5 = 0",
        "ALTER TABLE {t} DROP COLUMN w",
        "INSERT INTO {t} VALUES (1000)",
    ],
    "mapping_upgrade_rename": [
        "CREATE TABLE {t} (a INT, b STRUCT<c: INT>) USING delta",
        "INSERT INTO {t} VALUES (1, named_struct('c', 2))",
        "ALTER TABLE {t} SET TBLPROPERTIES('delta.columnMapping.mode'='name')",
        "ALTER TABLE {t} RENAME COLUMN a TO z",
        "INSERT INTO {t} VALUES (3, named_struct('c', 4))",
        "ALTER TABLE {t} DROP COLUMN b",
        "INSERT INTO {t} VALUES (5)",
    ],
    "cdf_merge_all": [
        "CREATE TABLE {t} (id INT, v STRING, n INT) USING delta TBLPROPERTIES('delta.enableChangeDataFeed'='true')",
        "INSERT INTO {t} VALUES (1,'a',1),(2,'b',2),(3,'c',3),(4,'d',4)",
        "MERGE INTO {t} t USING (SELECT * FROM VALUES (1,'A'),(2,'B'),(9,'Z') AS s(id,v)) s ON t.id = s.id WHEN "
        "MATCHED AND t.n = 1 THEN UPDATE SET v = s.v WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND s.id > 5 THEN "
        "INSERT (id, v) VALUES (s.id, s.v) WHEN NOT MATCHED BY SOURCE AND t.id = 3 THEN UPDATE SET n = -3 WHEN NOT "
        "MATCHED BY SOURCE THEN DELETE",
        "UPDATE {t} SET n = n + 1",
        "DELETE FROM {t}",
        "RESTORE TABLE {t} TO VERSION AS OF 1",
        "INSERT OVERWRITE {t} SELECT 1, 'q', 5",
        "TRUNCATE TABLE {t}",
    ],
    "cdf_dv_update": [
        "CREATE TABLE {t} (id INT, v STRING) USING delta TBLPROPERTIES('delta.enableChangeDataFeed'='true','delta.enable"
        "DeletionVectors'='true')",
        "INSERT INTO {t} SELECT CAST(id AS INT), 'a' FROM range(30)",
        "UPDATE {t} SET v = 'b' WHERE id IN (3, 5)",
        "DELETE FROM {t} WHERE id = 7",
        "DELETE FROM {t} WHERE id < 10",
        "OPTIMIZE {t}",
        "MERGE INTO {t} t USING (SELECT CAST(id AS INT) id, 's' v FROM range(25, 35)) s ON t.id = s.id WHEN MATCHED "
        "THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
    ],
    "row_tracking_plain": [
        "CREATE TABLE {t} (id BIGINT, v STRING) USING delta TBLPROPERTIES('delta.enableRowTracking'='true','delta.enable"
        "DeletionVectors'='false')",
        "INSERT INTO {t} SELECT id, 'a' FROM range(10)",
        "UPDATE {t} SET v = 'b' WHERE id < 3",
        "DELETE FROM {t} WHERE id = 5",
        "MERGE INTO {t} t USING (SELECT id, 'm' v FROM range(8, 12)) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * "
        "WHEN NOT MATCHED THEN INSERT *",
        "INSERT OVERWRITE {t} SELECT id, 'n' FROM range(3)",
        "OPTIMIZE {t}",
    ],
    "row_tracking_late": [
        "CREATE TABLE {t} (id BIGINT) USING delta",
        "INSERT INTO {t} SELECT id FROM range(5)",
        "ALTER TABLE {t} SET TBLPROPERTIES('delta.enableRowTracking'='true')",
        "INSERT INTO {t} SELECT id FROM range(5, 8)",
        "UPDATE {t} SET id = id + 100 WHERE id = 1",
    ],
    "cluster_nested": [
        "CREATE TABLE {t} (a INT, s STRUCT<x: INT, y: STRING>) USING delta CLUSTER BY (s.x, a)",
        "INSERT INTO {t} SELECT CAST(id AS INT), named_struct('x', CAST(id % 5 AS INT), 'y', 'k') FROM range(20)",
        "OPTIMIZE {t}",
        "DELETE FROM {t} WHERE s.x = 3",
    ],
    "cluster_mapping": [
        "CREATE TABLE {t} (a INT, b STRING) USING delta CLUSTER BY (b) TBLPROPERTIES('delta.columnMapping.mode'='name')",
        "INSERT INTO {t} VALUES (1,'x'),(2,'y')",
        "ALTER TABLE {t} RENAME COLUMN b TO c",
        "INSERT INTO {t} VALUES (3,'z')",
        "OPTIMIZE {t}",
    ],
    "ict_checkpoint": [
        "CREATE TABLE {t} (id INT) USING delta TBLPROPERTIES('delta.enableInCommitTimestamps'='true','delta.checkpointIn"
        "terval'='3')",
        "INSERT INTO {t} VALUES (0)",
        "INSERT INTO {t} VALUES (1)",
        "INSERT INTO {t} VALUES (2)",
        "INSERT INTO {t} VALUES (3)",
        "INSERT INTO {t} VALUES (4)",
        "INSERT INTO {t} VALUES (5)",
        "INSERT INTO {t} VALUES (6)",
        "INSERT INTO {t} VALUES (7)",
    ],
    "stats_cols": [
        "CREATE TABLE {t} (a INT, b STRING, s STRUCT<x: INT, y: DATE>, c DOUBLE) USING delta "
        "TBLPROPERTIES('delta.dataSkippingStatsColumns'='b,s.y,c')",
        "INSERT INTO {t} VALUES (1, 'k', named_struct('x', 1, 'y', DATE'2020-01-01'), double('NaN')), (2, repeat('z', "
        "100), NULL, -0.0D)",
        "DELETE FROM {t} WHERE b = 'k'",
    ],
    "stats_num": [
        "CREATE TABLE {t} (a INT, b STRING, c INT) USING delta TBLPROPERTIES('delta.dataSkippingNumIndexedCols'='1')",
        "INSERT INTO {t} VALUES (1, 'k', 5), (NULL, NULL, NULL)",
        "INSERT INTO {t} VALUES (7, 'k', 5)",
        "DELETE FROM {t} WHERE a = 7",
        "ALTER TABLE {t} SET TBLPROPERTIES('delta.dataSkippingNumIndexedCols'='0')",
        "INSERT INTO {t} VALUES (8, 'q', 9)",
        "UPDATE {t} SET c = 0 WHERE b = 'q'",
    ],
    "restore": [
        "CREATE TABLE {t} (id INT) USING delta",
        "INSERT INTO {t} VALUES (1),(2)",
        "DELETE FROM {t} WHERE id = 1",
        "ALTER TABLE {t} ADD COLUMN v STRING",
        "INSERT INTO {t} VALUES (3,'c')",
        "RESTORE TABLE {t} TO VERSION AS OF 1",
        "INSERT INTO {t} VALUES (9)",
        "RESTORE {t} TO VERSION AS OF 4",
    ],
    "restore_partitioned_dv": [
        "CREATE TABLE {t} (id INT, p INT) USING delta PARTITIONED BY (p) "
        "TBLPROPERTIES('delta.enableDeletionVectors'='true')",
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS INT), CAST(id % 3 AS INT) FROM range(30)",
        "DELETE FROM {t} WHERE id IN (3, 4)",
        "DELETE FROM {t} WHERE id > 20",
        "RESTORE TABLE {t} TO VERSION AS OF 2",
        "DELETE FROM {t} WHERE id = 10",
    ],
    "like": [
        "CREATE TABLE {t} (id INT NOT NULL COMMENT 'c', v STRING) USING delta COMMENT 'tab' TBLPROPERTIES('a.b'='c')",
        "INSERT INTO {t} VALUES (1,'x')",
        "COMMENT ON TABLE {t} IS 'new comment'",
    ],
    "replace_schema": [
        "CREATE TABLE {t} (id INT, v STRING) USING delta TBLPROPERTIES('delta.enableChangeDataFeed'='true','x'='1')",
        "INSERT INTO {t} VALUES (1, 'x')",
        "REPLACE TABLE {t} (a DOUBLE, b DATE) USING delta PARTITIONED BY (b)",
        "INSERT INTO {t} VALUES (1.5, DATE'2020-01-01')",
        "REPLACE TABLE {t} (z STRING) USING delta TBLPROPERTIES('delta.checkpointInterval'='2')",
        "INSERT INTO {t} VALUES ('zz')",
    ],
    "empty_struct_arrays": [
        "CREATE TABLE {t} (id INT, a ARRAY<INT>, aa ARRAY<ARRAY<STRING>>, m MAP<STRING, ARRAY<INT>>, s STRUCT<m: "
        "MAP<INT, STRING>, a: ARRAY<STRUCT<b: BINARY>>>) USING delta",
        "INSERT INTO {t} VALUES (1, array(), array(array(), NULL), map(), named_struct('m', map(), 'a', array())), (2, "
        "NULL, NULL, NULL, NULL), (3, array(NULL, 1), array(array(NULL)), map('k', NULL), named_struct('m', map(1, "
        "NULL), 'a', array(NULL, named_struct('b', X'00FF'))))",
        "UPDATE {t} SET a = array(9) WHERE id = 2",
        "DELETE FROM {t} WHERE size(a) = 0",
    ],
    "merge_evolution": [
        "CREATE TABLE {t} (id INT, s STRUCT<a: INT>) USING delta",
        "INSERT INTO {t} VALUES (1, named_struct('a', 1))",
        ("MERGE INTO {t} t USING (SELECT 1 id, named_struct('a', 5, 'b', 'bb') s, 'extra' e UNION ALL SELECT 2, "
         "named_struct('a', 6, 'b', 'cc'), 'e2') s ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN "
         "INSERT *",
         {"spark.databricks.delta.schema.autoMerge.enabled": "true"}),
        "MERGE WITH SCHEMA EVOLUTION INTO {t} t USING (SELECT 3 id, 'x' q) s ON t.id = s.id WHEN NOT MATCHED THEN "
        "INSERT (id, q) VALUES (s.id, s.q)",
        "MERGE WITH SCHEMA EVOLUTION INTO {t} t USING (SELECT 3 id, named_struct('a', 1, 'c', 2L) s) s ON t.id = s.id "
        "WHEN MATCHED THEN UPDATE SET t.s = s.s",
    ],
    "insert_evolution": [
        "CREATE TABLE {t} (id INT) USING delta",
        "INSERT INTO {t} VALUES (1)",
        ("INSERT INTO {t} SELECT 2 AS id, 'x' AS v",
         {"spark.databricks.delta.schema.autoMerge.enabled": "true"}),
        ("INSERT INTO {t} BY NAME SELECT 1.5D AS d, 3 AS id",
         {"spark.databricks.delta.schema.autoMerge.enabled": "true"}),
    ],
    "multipart_checkpoint": [
        "CREATE TABLE {t} (id INT, p INT) USING delta PARTITIONED BY (p) TBLPROPERTIES('delta.checkpointInterval'='4')",
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 00, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 10, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 20, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 30, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 40, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 50, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 60, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 70, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT) + 80, CAST(id % 3 AS INT) FROM range(6)",
         {"spark.databricks.delta.checkpoint.partSize": "3"}),
        "DELETE FROM {t} WHERE p = 1",
    ],
    "struct_stats_checkpoint": [
        "CREATE TABLE {t} (id INT, s STRING, ts TIMESTAMP, d DECIMAL(10,2), p DATE) USING delta PARTITIONED BY (p) "
        "TBLPROPERTIES('delta.checkpointInterval'='3','delta.checkpoint.writeStatsAsStruct'='true','delta.checkpoint.wri"
        "teStatsAsJson'='false')",
        "INSERT INTO {t} VALUES (0, 's0', TIMESTAMP'2024-01-01 00:00:00.123456 UTC', 0.5, DATE'2024-01-01')",
        "INSERT INTO {t} VALUES (1, 's1', TIMESTAMP'2024-01-02 00:00:00.123456 UTC', 1.5, DATE'2024-01-02')",
        "INSERT INTO {t} VALUES (2, 's2', TIMESTAMP'2024-01-03 00:00:00.123456 UTC', 2.5, DATE'2024-01-03')",
        "INSERT INTO {t} VALUES (3, 's3', TIMESTAMP'2024-01-04 00:00:00.123456 UTC', 3.5, DATE'2024-01-04')",
        "INSERT INTO {t} VALUES (4, 's4', TIMESTAMP'2024-01-05 00:00:00.123456 UTC', 4.5, DATE'2024-01-05')",
        "INSERT INTO {t} VALUES (5, 's5', TIMESTAMP'2024-01-06 00:00:00.123456 UTC', 5.5, DATE'2024-01-06')",
        "INSERT INTO {t} VALUES (6, 's6', TIMESTAMP'2024-01-07 00:00:00.123456 UTC', 6.5, DATE'2024-01-07')",
        "DELETE FROM {t} WHERE id = 2",
        "UPDATE {t} SET s = 'u' WHERE ts > TIMESTAMP'2024-01-04 00:00:00 UTC'",
    ],
    "v2_dv_mapping": [
        "CREATE TABLE {t} (id INT, v STRING) USING delta TBLPROPERTIES('delta.checkpointPolicy'='v2','delta.checkpointIn"
        "terval'='3','delta.columnMapping.mode'='name','delta.enableDeletionVectors'='true')",
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS INT) + 000, 'v' FROM range(10)",
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS INT) + 100, 'v' FROM range(10)",
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS INT) + 200, 'v' FROM range(10)",
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ CAST(id AS INT) + 300, 'v' FROM range(10)",
        "DELETE FROM {t} WHERE id % 10 = 3",
        "ALTER TABLE {t} RENAME COLUMN v TO w",
        "INSERT INTO {t} VALUES (5000, 'q')",
        "DELETE FROM {t} WHERE id % 10 = 4",
    ],
    "compaction": [
        "CREATE TABLE {t} (id INT) USING delta",
        ("INSERT INTO {t} VALUES (0)",
         {"spark.databricks.delta.deltaLog.minorCompaction.useForReads": "true"}),
        ("INSERT INTO {t} VALUES (1)",
         {"spark.databricks.delta.deltaLog.minorCompaction.useForReads": "true"}),
        ("INSERT INTO {t} VALUES (2)",
         {"spark.databricks.delta.deltaLog.minorCompaction.useForReads": "true"}),
        ("INSERT INTO {t} VALUES (3)",
         {"spark.databricks.delta.deltaLog.minorCompaction.useForReads": "true"}),
        ("INSERT INTO {t} VALUES (4)",
         {"spark.databricks.delta.deltaLog.minorCompaction.useForReads": "true"}),
        ("INSERT INTO {t} VALUES (5)",
         {"spark.databricks.delta.deltaLog.minorCompaction.useForReads": "true"}),
    ],
    "optimize_where": [
        "CREATE TABLE {t} (id INT, p INT) USING delta PARTITIONED BY (p)",
        "INSERT INTO {t} SELECT CAST(id AS INT), CAST(id % 2 AS INT) FROM range(10)",
        "INSERT INTO {t} SELECT CAST(id AS INT), CAST(id % 2 AS INT) FROM range(10, 20)",
        "OPTIMIZE {t} WHERE p = 1",
        "OPTIMIZE {t} ZORDER BY (id)",
        "UPDATE {t} SET id = -id WHERE id < 3",
    ],
    "widening_auto": [
        "CREATE TABLE {t} (id INT, v SMALLINT) USING delta TBLPROPERTIES('delta.enableTypeWidening'='true')",
        "INSERT INTO {t} VALUES (1, 2)",
        ("INSERT INTO {t} SELECT 5000000000L AS id, 70000 AS v",
         {"spark.databricks.delta.schema.autoMerge.enabled": "true"}),
        "MERGE WITH SCHEMA EVOLUTION INTO {t} t USING (SELECT 1L id, 5000000000L v) s ON t.id = s.id WHEN MATCHED THEN "
        "UPDATE SET *",
    ],
    "widening_part_stats": [
        "CREATE TABLE {t} (k BIGINT, p INT, f FLOAT) USING delta PARTITIONED BY (p) "
        "TBLPROPERTIES('delta.enableTypeWidening'='true','delta.checkpointInterval'='2')",
        "INSERT INTO {t} VALUES (1, 1, 1.1), (2, 2, 2.2)",
        "ALTER TABLE {t} ALTER COLUMN f TYPE DOUBLE",
        "INSERT INTO {t} VALUES (3, 3, 3.3)",
        "UPDATE {t} SET f = 9.9 WHERE k = 1",
        "OPTIMIZE {t}",
    ],
    "constraint_types": [
        "CREATE TABLE {t} (id INT, s STRING, a ARRAY<INT>, m MAP<STRING,INT>, ts TIMESTAMP) USING delta",
        "ALTER TABLE {t} ADD CONSTRAINT c1 CHECK (id > 0)",
        "ALTER TABLE {t} ADD CONSTRAINT c2 CHECK (s LIKE 'a%' OR s IS NULL)",
        "ALTER TABLE {t} ADD CONSTRAINT c3 CHECK (size(a) < 3)",
        "INSERT INTO {t} VALUES (1, 'abc', array(1), map('x', 1), TIMESTAMP'2024-01-01 00:00:00 UTC')",
        "ALTER TABLE {t} DROP CONSTRAINT c2",
    ],
    "variants": [
        "CREATE TABLE {t} (id INT, v VARIANT, s STRUCT<x: VARIANT>, a ARRAY<VARIANT>, m MAP<STRING, VARIANT>) USING "
        "delta",
        "INSERT INTO {t} SELECT 1, parse_json('{\"a\":[1,2.5,\"x\",null,true]}'), named_struct('x', parse_json('3')), "
        "array(parse_json('\"s\"'), NULL), map('k', parse_json('[]'))",
        "INSERT INTO {t} VALUES (2, NULL, NULL, NULL, NULL)",
        "UPDATE {t} SET v = parse_json('1e10') WHERE id = 2",
        "DELETE FROM {t} WHERE variant_get(v, '$.a[0]', 'int') = 1",
    ],
    "variant_shred": [
        "CREATE TABLE {t} (id INT, v VARIANT) USING delta TBLPROPERTIES('delta.enableVariantShredding'='true')",
        "INSERT INTO {t} SELECT CAST(id AS INT), parse_json(concat('{\"a\":', id, ',\"b\":\"s', id, '\",\"c\":{\"d\":', id * "
        "1.5, '}}')) FROM range(20)",
        "INSERT INTO {t} VALUES (100, parse_json('[1,2]')), (101, NULL), (102, parse_json('null')), (103, "
        "parse_json('{\"a\":\"text\"}'))",
        "DELETE FROM {t} WHERE id = 5",
    ],
    "big_dv": [
        "CREATE TABLE {t} (id BIGINT) USING delta TBLPROPERTIES('delta.enableDeletionVectors'='true')",
        "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id FROM range(300000)",
        "DELETE FROM {t} WHERE id BETWEEN 1000 AND 150000",
        "DELETE FROM {t} WHERE id % 2 = 1",
        "UPDATE {t} SET id = -id WHERE id > 299990",
        "DELETE FROM {t} WHERE id >= 0",
    ],
    "unicode_names": [
        "CREATE TABLE {t} (`größe` INT, `日本` STRING, `a.b` INT, `c-d` STRUCT<`e.f`: INT>, UPPER INT) USING delta "
        "PARTITIONED BY (`日本`)",
        "INSERT INTO {t} VALUES (1, 'x', 2, named_struct('e.f', 3), 4)",
        "UPDATE {t} SET `a.b` = 5, upper = 6",
        "DELETE FROM {t} WHERE `c-d`.`e.f` = 1",
    ],
    "iceberg_v1": [
        "CREATE TABLE {t} (id INT, v STRING) USING delta TBLPROPERTIES('delta.columnMapping.mode'='name','delta.enableIc"
        "ebergCompatV1'='true','delta.enableDeletionVectors'='false')",
        "INSERT INTO {t} VALUES (1,'a')",
        "UPDATE {t} SET v = 'b'",
    ],
    "drop_feature": [
        "CREATE TABLE {t} (id INT) USING delta TBLPROPERTIES('delta.feature.vacuumProtocolCheck'='supported','delta.feat"
        "ure.domainMetadata'='supported')",
        "INSERT INTO {t} VALUES (1)",
        "INSERT INTO {t} VALUES (2)",
    ],
    "vacuum_default": [
        "CREATE TABLE {t} (id INT, p INT) USING delta PARTITIONED BY (p)",
        "INSERT INTO {t} VALUES (1, 1), (2, 2)",
        "UPDATE {t} SET id = 10 WHERE p = 1",
        "VACUUM {t}",
        "INSERT INTO {t} VALUES (3, 3)",
        ("VACUUM {t} RETAIN 0 HOURS",
         {"spark.databricks.delta.retentionDurationCheck.enabled": "false"}),
    ],
    "long_strings": [
        "CREATE TABLE {t} (id INT, s STRING, b BINARY) USING delta",
        "INSERT INTO {t} VALUES (1, repeat('a', 32), X'00'), (2, repeat('a', 33), X''), (3, concat(repeat('b', 31), "
        "'😀😀'), X'FFFE'), (4, repeat('\\uFFFF', 40), NULL), (5, '', X'41')",
        "DELETE FROM {t} WHERE s = repeat('a', 33)",
        "UPDATE {t} SET s = 'q' WHERE s > 'b'",
    ],
    "time_edges": [
        "CREATE TABLE {t} (id INT, ts TIMESTAMP, d DATE) USING delta",
        "INSERT INTO {t} VALUES (1, TIMESTAMP'1582-10-04 00:00:00 UTC', DATE'1582-10-04'), (2, TIMESTAMP'0001-01-01 "
        "00:00:00 UTC', DATE'0001-01-01'), (3, TIMESTAMP'9999-12-31 23:59:59.999999 UTC', DATE'9999-12-31'), (4, "
        "TIMESTAMP'1969-12-31 23:59:59.999999 UTC', DATE'1969-12-31')",
        "DELETE FROM {t} WHERE ts = TIMESTAMP'1969-12-31 23:59:59.999999 UTC'",
        "UPDATE {t} SET d = DATE'2020-02-29' WHERE d < DATE'1600-01-01'",
    ],
    "int96": [
        "CREATE TABLE {t} (id INT, ts TIMESTAMP) USING delta",
        ("INSERT INTO {t} VALUES (1, TIMESTAMP'2024-01-01 10:20:30.123456 UTC'), (2, TIMESTAMP'1900-01-01 00:00:00 "
         "UTC'), (3, NULL)",
         {"spark.sql.parquet.outputTimestampType": "INT96"}),
    ],
    "codecs": [
        "CREATE TABLE {t} (id INT, s STRING) USING delta",
        ("INSERT INTO {t} SELECT CAST(id AS INT), repeat('x', 50) FROM range(20)",
         {"spark.sql.parquet.compression.codec": "zstd"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT), repeat('x', 50) FROM range(20)",
         {"spark.sql.parquet.compression.codec": "gzip"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT), repeat('x', 50) FROM range(20)",
         {"spark.sql.parquet.compression.codec": "none"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT), repeat('x', 50) FROM range(20)",
         {"spark.sql.parquet.compression.codec": "lz4_raw"}),
        ("INSERT INTO {t} SELECT CAST(id AS INT), repeat('x', 50) FROM range(20)",
         {"spark.sql.parquet.compression.codec": "snappy"}),
    ],
    "legacy_parquet": [
        "CREATE TABLE {t} (id INT, a ARRAY<INT>, m MAP<STRING,INT>, d DECIMAL(10,2), e DECIMAL(30,5)) USING delta",
        ("INSERT INTO {t} VALUES (1, array(1,NULL), map('a',1), 1.25, 12345678901234567890.5), (2, NULL, NULL, NULL, "
         "NULL)",
         {"spark.sql.parquet.writeLegacyFormat": "true"}),
    ],
    "identity_more": [
        "CREATE TABLE {t} (id BIGINT GENERATED ALWAYS AS IDENTITY (START WITH -5 INCREMENT BY -2), v STRING) USING "
        "delta",
        "INSERT INTO {t} (v) VALUES ('a')",
        "INSERT INTO {t} (v) VALUES ('b')",
        "DELETE FROM {t} WHERE v = 'a'",
        "UPDATE {t} SET v = 'c'",
    ],
    "identity_merge": [
        "CREATE TABLE {t} (id BIGINT GENERATED BY DEFAULT AS IDENTITY, k INT, v STRING) USING delta",
        "INSERT INTO {t} (k, v) VALUES (1, 'a')",
        "MERGE INTO {t} t USING (SELECT 1 k, 'm' v) s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT "
        "MATCHED THEN INSERT (k, v) VALUES (s.k, s.v)",
        "MERGE INTO {t} t USING (SELECT 7 k, 'm' v) s ON t.k = s.k WHEN NOT MATCHED THEN INSERT (k, v) VALUES (s.k, "
        "s.v)",
    ],
    "not_null_alter": [
        "CREATE TABLE {t} (id INT NOT NULL, v STRING) USING delta",
        "INSERT INTO {t} VALUES (1, 'x')",
        "ALTER TABLE {t} ALTER COLUMN id DROP NOT NULL",
        "INSERT INTO {t} VALUES (NULL, 'y')",
        "ALTER TABLE {t} CHANGE COLUMN v v STRING COMMENT 'hello'",
        "ALTER TABLE {t} ALTER COLUMN v FIRST",
        "ALTER TABLE {t} UNSET TBLPROPERTIES IF EXISTS ('nope')",
        "ALTER TABLE {t} SET TBLPROPERTIES ('custom.key'='1')",
        "ALTER TABLE {t} UNSET TBLPROPERTIES ('custom.key')",
    ],
    "ctas_types": [
        "CREATE TABLE {t} USING delta AS SELECT 1 AS i, 2L AS l, 1.5 AS de, 1.5D AS d, 'x' AS s, DATE'2020-01-01' AS "
        "da, TIMESTAMP'2020-01-01 00:00:00 UTC' AS ts, TIMESTAMP_NTZ'2020-01-01 00:00:00' AS n, true AS b, X'01' AS "
        "bi, array(1) AS a, map('k', 1) AS m, named_struct('q', 1) AS st, 1Y AS ti, 2S AS sm, 1.5F AS f",
    ],
    "replace_where": [
        "CREATE TABLE {t} (id INT, v STRING) USING delta",
        "INSERT INTO {t} SELECT CAST(id AS INT), 'a' FROM range(10)",
        "INSERT INTO {t} REPLACE WHERE id > 6 SELECT CAST(id AS INT), 'r' FROM range(7, 9)",
    ],
}
