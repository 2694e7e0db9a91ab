# SPDX-License-Identifier: Apache-2.0
"""Lists of many names: they come in pages, whole and in order, by every door; who sees few of many sees these, as soon as they are granted."""

import concurrent.futures

import connector
import pytest
from statements import Sql, another

N = 1100  # more than the first page of SHOW


@pytest.fixture(scope="module")
def world(platform):
    sql = Sql(platform)
    sql("CREATE CATALOG many")
    sql("CREATE SCHEMA many.s")
    sql("CREATE SCHEMA many.few")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: sql(f"CREATE VIEW many.s.v_{i:04d} AS SELECT 1 AS a"), range(N)))
    for name in ("Straße", "Zebra", "a_b", "axb"):
        sql(f"CREATE VIEW many.few.`{name}` AS SELECT 1 AS a")
    return sql


@pytest.fixture(scope="module")
def names():
    return [f"v_{i:04d}" for i in range(N)]


def test_show_comes_in_pages(platform, world, names):
    assert [r[1] for r in world("SHOW TABLES IN many.s")] == names
    assert [r[1] for r in world("SHOW VIEWS IN many.s LIKE 'v_*'")] == names
    assert world("SELECT count(*), count(DISTINCT tableName), min(tableName), max(tableName) FROM (SHOW TABLES IN many.s)") == [[str(N), str(N), names[0], names[-1]]]
    with connector.plain(platform)() as db, db.cursor() as c:
        c.execute("SHOW TABLES IN many.s")
        first = c.fetchmany(100)
        assert [r[1] for r in first + c.fetchall()] == names
        c.execute("SHOW TABLES IN many.s")
        assert [r[1] for r in c.fetchmany(10)] == names[:10]
        c.execute("SELECT 1")  # the list before is not read to its end
        assert [tuple(r) for r in c.fetchall()] == [(1,)]
        c.execute("CREATE TEMPORARY VIEW mine AS SELECT 1 AS a")
        c.execute("SHOW TABLES IN many.s")
        assert [r[1] for r in c.fetchall()] == [*names, "mine"]
    r = platform.request("POST", "/api/2.0/sql/statements", {"statement": "SHOW TABLES IN many.s", "warehouse_id": world.wh, "wait_timeout": "50s", "row_limit": 7}).json()
    assert [x[1] for x in r["result"]["data_array"]] == names[:7] and r["manifest"]["truncated"]


def test_drivers_find_names_by_patterns(platform, world, names):
    with connector.plain(platform)() as db, db.cursor() as c:
        def tables(*arguments):
            c.tables(*arguments)
            return [r[2] for r in c.fetchall()]

        assert tables("many", "s") == names
        assert tables("MANY", "S", "V_0042") == ["v_0042"]
        assert tables("many", "s", "v\\_0042") == ["v_0042"]
        assert tables("ma%", "_", "v_010%") == names[100:110]
        assert tables("many", "few", "a_b") == ["a_b", "axb"] and tables("many", "few", "a\\_b") == ["a_b"]
        assert tables("many", "few", "stra%e") == ["straße"] and tables("many", "few", "STRA_E") == ["straße"]
        assert tables("many", "few", "zEBRA") == ["zebra"] and tables("many", "few", "x") == []
        c.columns("many", "s", "v_0042", "%")
        assert [(r[2], r[3]) for r in c.fetchall()] == [("v_0042", "a")]
        c.schemas("many", "F%")
        assert [r[0] for r in c.fetchall()] == ["few"]


def test_like_in_information_schema(world, names):
    def like(schema, pattern):
        return [r[0] for r in world(f"SELECT table_name FROM many.information_schema.tables WHERE table_schema = '{schema}' AND table_name LIKE '{pattern}' ORDER BY table_name")]

    assert like("s", "v_010%") == names[100:110] and like("s", "%42") == [n for n in names if n.endswith("42")]
    assert like("few", "stra_e") == ["straße"] and like("few", "str%") == ["straße"] and like("few", "Str%") == []
    assert like("few", "a\\\\_b") == ["a_b"] and like("few", "a_b") == ["a_b", "axb"] and like("few", "%") == ["a_b", "axb", "straße", "zebra"]
    assert world("SELECT count(*) FROM many.information_schema.tables WHERE table_schema LIKE 'f%' AND table_name NOT LIKE 'a%'") == [["2"]]
    assert world("SELECT table_name FROM many.information_schema.tables WHERE table_name LIKE 'v_%' ORDER BY table_name LIMIT 2") == [[names[0]], [names[1]]]
    assert world("SELECT count(*) FROM many.information_schema.columns WHERE table_name LIKE 'v_00%'") == [["100"]]


def test_few_of_many(platform, world):
    who, _, theirs = another(platform, "few")
    sdk = platform.sdk()
    group = sdk.groups.create(display_name="readers")

    def seen():
        shown = [r[1] for r in theirs("SHOW TABLES IN many.s")]
        assert [r[0] for r in theirs("SELECT table_name FROM many.information_schema.tables WHERE table_schema = 's' ORDER BY 1")] == shown
        listed = platform.request("GET", "/api/2.1/unity-catalog/tables?catalog_name=many&schema_name=s&max_results=50", token=theirs.token).json()
        assert [t["name"] for t in listed.get("tables", [])] == shown
        return shown

    world(f"GRANT USE CATALOG ON CATALOG many TO `{who}`")
    world(f"GRANT USE SCHEMA ON SCHEMA many.s TO `{who}`")
    assert seen() == []
    for i in (900, 3, 42):
        world(f"GRANT SELECT ON TABLE many.s.v_{i:04d} TO `{who}`")
    assert seen() == ["v_0003", "v_0042", "v_0900"]
    assert [r[1] for r in theirs("SHOW TABLES IN many.s LIKE 'v_00*'")] == ["v_0003", "v_0042"]
    world(f"REVOKE SELECT ON TABLE many.s.v_0042 FROM `{who}`")
    assert seen() == ["v_0003", "v_0900"]
    world("GRANT SELECT ON TABLE many.s.v_0500 TO readers")
    assert seen() == ["v_0003", "v_0900"]
    member = next(p.id for p in sdk.service_principals.list() if p.application_id == who)
    platform.request("PATCH", f"/api/2.0/preview/scim/v2/Groups/{group.id}", {"Operations": [{"op": "add", "path": "members", "value": [{"value": member}]}]})
    assert seen() == ["v_0003", "v_0500", "v_0900"]
    world(f"ALTER VIEW many.s.v_0700 OWNER TO `{who}`")
    assert seen() == ["v_0003", "v_0500", "v_0700", "v_0900"]
    platform.request("PATCH", f"/api/2.0/preview/scim/v2/Groups/{group.id}", {"Operations": [{"op": "remove", "path": f'members[value eq "{member}"]'}]})
    world(f"REVOKE SELECT ON TABLE many.s.v_0003 FROM `{who}`")
    assert seen() == ["v_0700", "v_0900"]
    world(f"GRANT SELECT ON SCHEMA many.s TO `{who}`")
    assert len(theirs("SHOW TABLES IN many.s")) == N
    world(f"REVOKE SELECT ON SCHEMA many.s FROM `{who}`")
    world("DROP VIEW many.s.v_0700")
    assert seen() == ["v_0900"]
