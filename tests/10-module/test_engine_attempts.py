# SPDX-License-Identifier: Apache-2.0
"""Attempts to reach through the dialect: DuckDB's functions, settings, files, statements, and texts that would end a literal
or a name of the emitted text early. Each must be refused by our own front (never by DuckDB's parser or binder), or
yield exactly what Spark yields. 200 and more."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))
from engine_peer import Engine, Failed  # noqa: E402

# Functions that DuckDB has and the dialect has not.
SCALARS = """getenv('HOME') current_setting('memory_limit') getvariable('x') set_config('memory_limit','1GB') txid_current()
checkpoint() force_checkpoint() write_log('x') parse_duckdb_log_message('a','b') nextval('s') currval('s') lastval()
duckdb_version() pg_get_viewdef(1) pg_size_pretty(1) pg_typeof(1) has_table_privilege('a','b') inet_client_addr() list_transform(array(1),x->x)
list_aggregate(array(1),'sum') list_value(1) struct_pack(1) row_to_json(1) json_execute_serialized_sql('x') json_serialize_sql('SELECT 1')
json_deserialize_sql('x') from_json_strict('{}','[]') read_blob_text('/etc/passwd') md5_number('x') vector_type(1) stats(1) hash_duck(1)
constant_or_null(1,2) test_vector_types(1) add_parquet_key('a','b') in_search_path('a','b') current_query() query_progress()
bh_parse_int('1') bh_error('x') bh_regexp('a','b') bh_live('x',1) bh_part('a',1) bh_show(1) icu_sort_key('a','b') icu_collate_de('a')
enum_range(1) alias(1) format_bytes(1) formatReadableSize(1) prepare_query('x') eval('1') exec('ls') system('ls') shell('ls')
load_extension('httpfs') install_extension('httpfs') http_get('http://127.0.0.1') url_open('http://127.0.0.1') sqlite_attach('x')""".split("\n")
SCALARS = [f for line in SCALARS for f in line.split(" ") if f]

TABLES = """read_csv('/etc/passwd')|read_csv_auto('/etc/passwd')|sniff_csv('/etc/passwd')|read_parquet('/etc/passwd')|parquet_scan('x')|parquet_metadata('x')|
parquet_schema('x')|parquet_file_metadata('x')|parquet_kv_metadata('x')|parquet_bloom_probe('x','y',1)|read_json('/etc/passwd')|read_json_auto('/etc/passwd')|
read_json_objects('/etc/passwd')|read_ndjson('/etc/passwd')|read_ndjson_auto('/etc/passwd')|read_ndjson_objects('/etc/passwd')|read_text('/etc/passwd')|
read_blob('/etc/passwd')|glob('/etc/*')|duckdb_settings()|duckdb_functions()|duckdb_tables()|duckdb_columns()|duckdb_databases()|duckdb_extensions()|
duckdb_secrets()|duckdb_memory()|duckdb_temporary_files()|duckdb_keywords()|duckdb_types()|duckdb_views()|duckdb_variables()|duckdb_logs()|duckdb_log_contexts()|
duckdb_optimizers()|duckdb_prepared_statements()|duckdb_dependencies()|duckdb_approx_database_count()|pragma_version()|pragma_platform()|pragma_database_size()|
pragma_metadata_info()|pragma_storage_info('t')|pragma_table_info('t')|pragma_show('t')|pragma_user_agent()|pragma_collations()|query('SELECT 1')|
query_table('t')|repeat_row(1, num_rows => 3)|test_all_types()|test_vector_types(1)|unnest(array(1))|generate_series(1,3)|seq_scan('t')|arrow_scan(1,2,3)|
arrow_scan_dumb(1,2,3)|pandas_scan(1)|python_map_function(1)|json_each('{}')|json_tree('{}')|json_execute_serialized_sql('x')|sql_auto_complete('SEL')|
checkpoint()|force_checkpoint()|which_secret('x','y')|enable_logging()|disable_logging()|truncate_duckdb_logs()|enable_profile()|summary(1)|icu_calendar_names()|
pg_timezone_names()|delta_scan('/data')|iceberg_scan('/data')|sqlite_scan('a','b')|postgres_scan('a','b','c')|mysql_scan('a','b','c')|read_xlsx('a')|
st_read('x')|shapefile_meta('x')|bh_files('/etc')|bh_scan('/etc')|load_aws_credentials()|from_substrait('x')|tpch()|dbgen(sf => 1)""".replace("\n", "").split("|")

STATEMENTS = """ATTACH '/tmp/x.db' AS x|ATTACH DATABASE '/tmp/x.db'|DETACH x|INSTALL httpfs|FORCE INSTALL httpfs|LOAD httpfs|LOAD '/tmp/x.duckdb_extension'|
PRAGMA database_list|PRAGMA memory_limit='1GB'|PRAGMA enable_profiling|CHECKPOINT|FORCE CHECKPOINT|COPY (SELECT 1) TO '/tmp/out.csv'|COPY t TO '/tmp/out'|
COPY t FROM '/etc/passwd'|EXPORT DATABASE '/tmp/x'|IMPORT DATABASE '/tmp/x'|CREATE SECRET s (TYPE S3)|CREATE PERSISTENT SECRET s (TYPE S3)|DROP SECRET s|
CREATE MACRO m(a) AS a|CREATE TEMP MACRO m(a) AS a|CREATE SEQUENCE s|CREATE TYPE t AS ENUM ('a')|CREATE INDEX i ON t(a)|PREPARE p AS SELECT 1|EXECUTE p|
DEALLOCATE p|SUMMARIZE SELECT 1|CALL duckdb_settings()|CALL pragma_version()|SHOW ALL|SHOW DATABASES FROM x|SET GLOBAL memory_limit='1GB' ; SELECT 1|
SET VARIABLE duck = getenv('HOME')|FROM duckdb_settings()|FROM '/etc/passwd'|SELECT * FROM '/etc/passwd'|SELECT * FROM "/etc/passwd"|TABLE '/etc/passwd'|
SELECT * FROM '/etc/*.csv'|DESCRIBE '/etc/passwd'|SELECT * FROM duckdb_settings|WITH a AS MATERIALIZED (SELECT 1) DELETE FROM x RETURNING *|
SELECT #1|SELECT COLUMNS('a') FROM range(1)|SELECT $1|
SELECT 1::JSON|SELECT CAST(1 AS HUGEINT)|SELECT CAST(1 AS UTINYINT)|SELECT CAST('a' AS BIT)|SELECT CAST(1 AS UUID)|SELECT {'a': 1}|SELECT [1, 2, 3]|
SELECT x -> 'a' FROM range(1)|SELECT 'a' ~ 'b'|SELECT 'a' GLOB 'b'|SELECT 'a' SIMILAR TO 'b'|SELECT 1 ** 2|SELECT 5!|SELECT @1|VACUUM ANALYZE|ROLLBACK PREPARED|
USE '/tmp/x.db'|ALTER DATABASE x SET ALIAS y|UPDATE EXTENSIONS|COMMENT ON MACRO m IS 'x'""".replace("\n", "").split("|")

FILES = """text.`/etc/passwd`|csv.`/etc/passwd`|csv.`file:///etc/passwd`|json.`/etc/passwd`|parquet.`/proc/self/maps`|binaryFile.`/proc/self/environ`|delta.`/etc`|
text.`/proc/self/environ`|text.`/spill/own`|csv.`/data/tables`|csv.`ROOT/../outside/secret.csv`|csv.`ROOT/./../outside/secret.csv`|csv.`ROOT/link/secret.csv`|csv.`ROOT/file_link.csv`|
csv.`file:ROOT/../outside/secret.csv`|csv.`file://localhost/etc/passwd`|csv.`s3://b/k`|csv.`http://127.0.0.1/x`|csv.`https://127.0.0.1/x`|csv.`/ext/0/../../etc/passwd`|
csv.`ROOT/*/../../outside/secret.csv`|csv.`ROOT%2f..%2foutside/secret.csv`|csv.`\\etc\\passwd`|csv.``|read_files('/etc/passwd')|read_files('file:///etc/passwd', format => 'text')|
read_files('ROOT/../outside', format => 'csv')|read_files('ROOT/link', format => 'csv')|read_files('/proc/self/environ', format => 'text')|
read_files('s3://b/k', format => 'csv')|read_files('glob:///etc/*')""".replace("\n", "").split("|")

# Texts whose quotes, ends and comments must stay what they are: (SQL, rows).
EXACT = [
    ("SELECT 'it''s'", [["it's"]]),
    (r"SELECT 'it\'s'", [["it's"]]),
    (r"SELECT 'a\'; DROP TABLE x; --'", [["a'; DROP TABLE x; --"]]),
    ("SELECT \"a'b\"", [["a'b"]]),
    ("SELECT \"x\\\"y\"", [['x"y']]),
    (r"SELECT '\\'", [["\\"]]),
    (r"SELECT r'\'' || 'b'", None),
    ("SELECT r'\\n'", [["\\n"]]),
    ("SELECT 1 AS `a\"; SELECT getenv('HOME') --`", [["1"]]),
    ("SELECT `a\"b` FROM (SELECT 5 AS `a\"b`)", [["5"]]),
    ("SELECT `x``y` FROM (SELECT 6 AS `x``y`)", [["6"]]),
    ("SELECT t.`c0\" FROM duckdb_settings() --` FROM (SELECT 7 AS `c0\" FROM duckdb_settings() --`) t", [["7"]]),
    ("WITH `q\" AS (SELECT 1)--` AS (SELECT 8 AS a) SELECT a FROM `q\" AS (SELECT 1)--`", [["8"]]),
    ("SELECT named_struct('f\" INTEGER)--', 1)", [['{"f\\" INTEGER)--":1}']]),
    ("SELECT map('k\\'', 'v\\'')", [['{"k\'":"v\'"}']]),
    ("SELECT 'a' /* ' */ || 'b'", [["ab"]]),
    ("SELECT 'a' -- ' \n || 'b'", [["ab"]]),
    ("SELECT '$$', '$1', '?', ':x', '{}', '{0}', '%s'", [["$$", "$1", "?", ":x", "{}", "{0}", "%s"]]),
    ("SELECT 'E\\'x\\'', 'x\\'::INTEGER'", [["E'x'", "x'::INTEGER"]]),
    ("SELECT 'é\U0001f600'", [["é\U0001f600"]]),
    ("SELECT X'27'", None),
    ("SELECT length('a\\0b')", [["3"]]),
    ("SELECT 'x' LIKE '%\\'%', 'a\\'b' LIKE '%\\'%'", [["false", "true"]]),
    ("SELECT 'a%b' LIKE 'a\\\\%b', 'axb' LIKE 'a\\\\%b'", [["true", "false"]]),
    ("SELECT sum(id) FROM range(3) AS `t\"; --`", [["3"]]),
    ("SELECT CAST('1' AS INT) AS c0, 2 AS c0, 3 AS c1", [["1", "2", "3"]]),
    ("SELECT rowid FROM (SELECT 1 AS rowid)", [["1"]]),
    ("SELECT count(*) FROM (VALUES ('a\\'),(''b'), ('c')) AS v(`x\"y`)", [["2"]]),
]
REFUSED_NAMES = ["SELECT rowid FROM range(1)", "SELECT file_row_number FROM range(1)", "SELECT filename FROM range(1)", "SELECT _bh_row FROM range(1)",
                 "SELECT c0 FROM range(1)", "SELECT main.range.id FROM range(1)", "SELECT * FROM sqlite_master", "SELECT * FROM pg_catalog.pg_tables",
                 "SELECT * FROM information_schema.tables", "SELECT * FROM temp.x", "SELECT * FROM memory.main.t", "SELECT * FROM system.main.duckdb_settings"]
PARAMETERS = ["a'b", "'; SELECT 1; --", '"', "\\", "\\'", "$1", "?", "' || getenv('HOME') || '", "x\x00y"]
ZONES = ["UTC'; SET memory_limit='1GB", "UTC\\'--", "../../etc/passwd", "/etc/passwd", "posix/../../../etc/passwd", "", "A" * 500]
SETTINGS = ["memory_limit", "enable_external_access", "allowed_directories", "temp_directory", "threads", "lock_configuration", "custom_extension_repository",
            "home_directory", "secret_directory", "allow_unsigned_extensions", "search_path", "file_search_path"]
LEAKS = ("Binder Error", "Catalog Error", "Parser Error", "Invalid Input Error", "IO Error", "Permission Error", "Syntax Error", "duckdb")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    top = tmp_path_factory.mktemp("attempts")
    (top / "root").mkdir()
    (top / "outside").mkdir()
    (top / "outside/secret.csv").write_text("secret\n1\n")
    (top / "root/fine.csv").write_text("a,b\n1,x\n")
    (top / "root/link").symlink_to(top / "outside")
    (top / "root/file_link.csv").symlink_to(top / "outside/secret.csv")
    return top


@pytest.fixture(scope="module")
def engine(place):
    def answer(op, o):
        if op == "resolve":
            return {"relations": [None for _ in o["names"]]}
        if op == "function":
            return {"function": None}
        if op == "path":  # control allows it all: the engine's own walls are what is tried here
            return {"path": o["url"].removeprefix("file://"), "url": o["url"]}
        return {"error": {"code": "NOT_IMPLEMENTED", "class": "REFUSED", "sqlState": "0A000", "message": "control refuses"}}
    with Engine(answer=answer, roots=[place / "root"]) as e:
        e.session()
        yield e


def refused(engine, sql, **more):
    with pytest.raises(Failed) as x:
        rows = engine.exec(sql, **more).rows()
        pytest.fail("%s gave %s" % (sql, rows))
    assert x.value.cls != "INTERNAL_ERROR", (sql, str(x.value))
    message = str(x.value).replace(sql, "")
    assert not [w for w in LEAKS if w in message.split("== SQL")[0].replace("`duckdb", "").replace("duckdb_", "")], (sql, message)


def test_there_are_enough():
    n = 2 * len(SCALARS) + 2 * len(TABLES) + len(STATEMENTS) + len(FILES) + len(EXACT) + len(REFUSED_NAMES) + len(PARAMETERS) + len(ZONES) + len(SETTINGS)
    assert n >= 200


@pytest.mark.parametrize("call", SCALARS)
def test_no_function_of_duckdb(engine, call):
    refused(engine, "SELECT " + call)
    refused(engine, "SELECT id FROM range(1) WHERE %s IS NULL" % call)


@pytest.mark.parametrize("call", TABLES)
def test_no_table_function_of_duckdb(engine, call):
    refused(engine, "SELECT * FROM " + call)
    refused(engine, "SELECT (SELECT count(*) FROM %s)" % call)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_no_statement_of_duckdb(engine, sql):
    refused(engine, sql)


@pytest.mark.parametrize("what", FILES)
def test_no_file_outside_the_roots(engine, place, what):
    refused(engine, "SELECT * FROM " + what.replace("ROOT", str(place / "root")))


def test_a_file_inside_is_read(engine, place):
    assert engine.rows("SELECT * FROM read_files('%s/root/fine.csv', format => 'csv', header => true)" % place)[0][:2] == ["1", "x"]


@pytest.mark.parametrize("sql,rows", EXACT)
def test_texts_stay_what_they_are(engine, sql, rows):
    try:
        got = engine.rows(sql)
    except Failed as x:
        assert rows is None and x.cls != "INTERNAL_ERROR", (sql, str(x))
        return
    assert rows is None or got == rows, sql


@pytest.mark.parametrize("sql", REFUSED_NAMES)
def test_no_hidden_name(engine, sql):
    refused(engine, sql)


@pytest.mark.parametrize("value", PARAMETERS)
def test_parameters_are_values(engine, value):
    s = engine.exec("SELECT :p, length(:p)", params=[{"name": "p", "type": "STRING", "value": value}])
    assert s.rows() == [[value, str(len(value))]]


@pytest.mark.parametrize("zone", ZONES)
def test_zones_are_checked(engine, zone):
    refused(engine, "SET TIME ZONE '%s'" % zone.replace("\\", "\\\\").replace("'", "\\'"))


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_the_session_s_own(engine, name):
    engine.session("own")
    engine.exec("SET %s = /tmp" % name, session="own").wait()
    assert engine.rows("SELECT 1", session="own") == [["1"]]
    refused(engine, "SELECT * FROM text.`/tmp/x`", session="own")


def test_nothing_was_written(engine, place):
    assert not Path("/tmp/out.csv").exists() and not Path("/tmp/x.db").exists()
    assert (place / "outside/secret.csv").read_text() == "secret\n1\n"
