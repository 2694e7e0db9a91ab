# SPDX-License-Identifier: Apache-2.0
"""SQL warehouses through databricks-sdk: states, fields, limits, who may do what, idle stop, restarts."""

import time

import pytest
from databricks.sdk import errors
from databricks.sdk.service import iam, sql

W = "/api/2.0/sql/warehouses"
LEVEL = iam.PermissionLevel


@pytest.fixture
def wh(sdk, u):
    """A running warehouse of the test's own."""
    made = sdk.warehouses.create_and_wait(name=f"wh-{u}", cluster_size="2X-Small", max_num_clusters=2, auto_stop_mins=10,
                                          enable_serverless_compute=True)
    yield made
    try:
        sdk.warehouses.delete(made.id)
    except errors.NotFound:
        pass


@pytest.fixture(scope="module")
def other(platform):
    return platform.another("warehouse user")


def allow(sdk, warehouse, principal, level):
    entry = sql.WarehouseAccessControlRequest(service_principal_name=principal, permission_level=sql.WarehousePermissionLevel(level))
    return sdk.warehouses.update_permissions(warehouse, access_control_list=[entry])


def ends(sdk, warehouse, state):
    """Polls until the warehouse has this state; the state changes by itself."""
    deadline = time.monotonic() + 60
    while (seen := sdk.warehouses.get(warehouse).state) != state:
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)


# ---- life ----

def test_states(sdk, wh, u):
    assert wh.state == sql.State.RUNNING and wh.num_clusters == 1 and wh.health.status == sql.Status.HEALTHY
    assert len(wh.id) == 16 and int(wh.id, 16)
    assert sdk.warehouses.stop_and_wait(wh.id).state == sql.State.STOPPED
    assert sdk.warehouses.get(wh.id).num_clusters == 0
    sdk.warehouses.stop(wh.id)  # again: no matter
    assert sdk.warehouses.start_and_wait(wh.id).state == sql.State.RUNNING
    sdk.warehouses.start(wh.id)
    sdk.warehouses.delete(wh.id)
    with pytest.raises(errors.NotFound):
        sdk.warehouses.get(wh.id)
    assert wh.id not in {x.id for x in sdk.warehouses.list()}
    for call in (sdk.warehouses.start, sdk.warehouses.stop, sdk.warehouses.delete):
        with pytest.raises(errors.NotFound):
            call(wh.id)


def test_fields_and_edit(platform, sdk, wh, u):
    assert wh.cluster_size == "2X-Small" and (wh.min_num_clusters, wh.max_num_clusters, wh.auto_stop_mins) == (1, 2, 10)
    assert wh.warehouse_type.value == "PRO" and wh.enable_serverless_compute and wh.creator_name == "admin"
    assert wh.odbc_params.path == f"/sql/1.0/warehouses/{wh.id}" and wh.odbc_params.port == platform.http_port
    assert wh.odbc_params.hostname == "127.0.0.1" and f"httpPath=/sql/1.0/warehouses/{wh.id}" in wh.jdbc_url
    tags = sql.EndpointTags(custom_tags=[sql.EndpointTagPair(key="team", value="x")])
    got = sdk.warehouses.edit_and_wait(wh.id, name=f"new-{u}", cluster_size="Small", auto_stop_mins=0, max_num_clusters=5, tags=tags,
                                       channel=sql.Channel(name=sql.ChannelName.CHANNEL_NAME_PREVIEW), statement_timeout=60)
    assert got.state == sql.State.RUNNING and got.name == f"new-{u}" and got.cluster_size == "Small" and got.auto_stop_mins == 0
    assert got.max_num_clusters == 5 and got.min_num_clusters == 1 and got.tags == tags and got.statement_timeout == 60
    assert got.channel.name == sql.ChannelName.CHANNEL_NAME_PREVIEW
    assert got.enable_serverless_compute and got.creator_name == "admin"  # what was not named stays
    past = platform.request("GET", f"{W}/{wh.id}", params={"as_of": created_seq(platform)}).json()
    assert past["name"] == f"wh-{u}"


def created_seq(platform):
    """Sequence of the last creation of a warehouse, from the journal."""
    rows = platform.request("GET", "/api/boathouse/journal").json()
    return max(r["seq"] if "seq" in r else r["sequence"] for r in rows["entries"] if r["action"] == "sql.wh_create")


@pytest.mark.parametrize("fields,part", [
    ({"cluster_size": "Huge"}, "cluster_size"), ({"max_num_clusters": 41}, "max_num_clusters"), ({"max_num_clusters": 0}, "max_num_clusters"),
    ({"min_num_clusters": 31, "max_num_clusters": 40}, "min_num_clusters"), ({"min_num_clusters": 3, "max_num_clusters": 2}, "min_num_clusters"),
    ({"auto_stop_mins": -1}, "auto_stop_mins"), ({"auto_stop_mins": 9, "enable_serverless_compute": False}, "at least 10"),
    ({"warehouse_type": "CLASSIC", "enable_serverless_compute": True}, "warehouse_type"), ({"warehouse_type": "HUGE"}, "warehouse_type"),
    ({"name": ""}, "name"), ({"name": "x" * 100}, "name"), ({"statement_timeout": 172801}, "statement_timeout"),
    ({"tags": {"custom_tags": [{"key": f"k{i}", "value": "v"} for i in range(45)]}}, "tags"),
])
def test_wrong_fields(platform, u, fields, part):
    r = platform.request("POST", W, {"name": f"bad-{u}", "cluster_size": "2X-Small", **fields})
    assert r.status_code == 400 and r.json()["error_code"] == "INVALID_PARAMETER_VALUE" and part in r.json()["message"], r.text


def test_name_is_unique_in_the_workspace(platform, wh, u):
    r = platform.request("POST", W, {"name": f"wh-{u}", "cluster_size": "2X-Small"})
    assert r.status_code == 400 and r.json()["error_code"] == "RESOURCE_ALREADY_EXISTS" and f"wh-{u}" in r.json()["message"]


def test_starter(make_platform):
    """Each workspace begins with a serverless warehouse that all may use and that starts by itself; once deleted it stays away."""
    p = make_platform().start()
    sdk = p.sdk()
    starter, = sdk.warehouses.list()
    assert starter.name == "Serverless Starter Warehouse" and starter.state == sql.State.STOPPED and starter.enable_serverless_compute
    assert p.connect["DATABRICKS_WAREHOUSE_ID"] == starter.id and p.connect["DATABRICKS_HTTP_PATH"].endswith(starter.id)
    _, theirs = p.another("plain")
    done = theirs.statement_execution.execute_statement("NO SUCH STATEMENT", starter.id)
    assert done.status.state == sql.StatementState.FAILED and "PARSE_SYNTAX_ERROR" in done.status.error.message
    assert theirs.warehouses.get(starter.id).state == sql.State.RUNNING
    p.restart()
    assert sdk.warehouses.get(starter.id).state == sql.State.STOPPED
    sdk.warehouses.delete(starter.id)
    p.restart()
    assert list(sdk.warehouses.list()) == []


def test_pages(platform, sdk, wh):
    seen, token = [], None
    while True:
        page = platform.request("GET", W, params={"page_size": 1, **({"page_token": token} if token else {})}).json()
        seen += [x["id"] for x in page["warehouses"]]
        token = page.get("next_page_token")
        if not token:
            break
    assert seen == [x.id for x in sdk.warehouses.list()] and wh.id in seen


def test_auto_stop(make_platform):
    p = make_platform(args=["--test-clock"]).start()
    sdk = p.sdk()
    idle = sdk.warehouses.create_and_wait(name="idle", cluster_size="2X-Small", auto_stop_mins=10).id
    never = sdk.warehouses.create_and_wait(name="never", cluster_size="2X-Small", auto_stop_mins=0).id

    def later(minutes):
        p.request("POST", "/api/boathouse/test/clock", {"advance_ms": int(minutes * 60_000)})
    later(9)
    assert sdk.warehouses.get(idle).state == sql.State.RUNNING
    sdk.statement_execution.execute_statement("SELEC 1", idle)  # use begins the time anew
    later(9)
    assert sdk.warehouses.get(idle).state == sql.State.RUNNING
    later(1.1)
    ends(sdk, idle, sql.State.STOPPED)
    later(600)
    assert sdk.warehouses.get(never).state == sql.State.RUNNING
    sdk.statement_execution.execute_statement("SELEC 1", idle)
    assert sdk.warehouses.get(idle).state == sql.State.RUNNING


LONG = "SELECT max(a.id * b.id % 7 + c.id) FROM range(100000) a, range(100000) b, range(1000) c"


def clusters(sdk, warehouse, n):
    deadline = time.monotonic() + 60
    while (seen := sdk.warehouses.get(warehouse).num_clusters) != n:
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)


def test_clusters_come_and_go(make_platform):
    """One statement to a cluster: the second brings a second cluster, which goes when it was idle for a while."""
    p = make_platform(args=["--test-clock"], settings={"sql.cluster_statements": "1"}).start()
    sdk = p.sdk()
    wh = sdk.warehouses.create_and_wait(name="two", cluster_size="2X-Small", max_num_clusters=2, auto_stop_mins=0).id
    run = [sdk.statement_execution.execute_statement(LONG, wh, wait_timeout="0s").statement_id for _ in range(2)]
    clusters(sdk, wh, 2)
    for id in run:
        sdk.statement_execution.cancel_execution(id)
        while sdk.statement_execution.get_statement(id).status.state != sql.StatementState.CANCELED:
            time.sleep(0.05)
    p.request("POST", "/api/boathouse/test/clock", {"advance_ms": 14 * 60_000})
    clusters(sdk, wh, 2)
    p.request("POST", "/api/boathouse/test/clock", {"advance_ms": 2 * 60_000})
    clusters(sdk, wh, 1)


def test_another_size_lets_statements_end(sdk, wh):
    run = sdk.statement_execution.execute_statement(LONG, wh.id, wait_timeout="0s").statement_id
    sdk.warehouses.edit_and_wait(wh.id, cluster_size="X-Small")
    clusters(sdk, wh.id, 2)  # the old one and its successor
    assert sdk.statement_execution.execute_statement("SELECT 1", wh.id).result.data_array == [["1"]]
    assert sdk.statement_execution.get_statement(run).status.state == sql.StatementState.RUNNING
    sdk.statement_execution.cancel_execution(run)
    clusters(sdk, wh.id, 1)


# ---- rights ----

def test_levels(sdk, wh, other, u):
    who, theirs = other
    for call in (theirs.warehouses.get, theirs.warehouses.start, theirs.warehouses.stop, theirs.warehouses.delete, theirs.warehouses.get_permissions,
                 lambda i: theirs.statement_execution.execute_statement("SELEC 1", i)):
        with pytest.raises((errors.PermissionDenied, errors.NotFound)):
            call(wh.id)
    with pytest.raises(errors.PermissionDenied) as e:
        theirs.statement_execution.execute_statement("SELEC 1", wh.id)
    assert "CAN_USE" in str(e.value) and wh.id in str(e.value)
    assert wh.id not in {x.id for x in theirs.warehouses.list()}

    allow(sdk, wh.id, who, "CAN_VIEW")
    assert theirs.warehouses.get(wh.id).name == f"wh-{u}" and wh.id in {x.id for x in theirs.warehouses.list()}
    with pytest.raises(errors.PermissionDenied):
        theirs.statement_execution.execute_statement("SELEC 1", wh.id)
    with pytest.raises(errors.PermissionDenied):
        theirs.warehouses.start(wh.id)

    allow(sdk, wh.id, who, "CAN_USE")
    sdk.warehouses.stop_and_wait(wh.id)
    theirs.warehouses.start_and_wait(wh.id)
    theirs.statement_execution.execute_statement("SELEC 1", wh.id)
    for call in (theirs.warehouses.stop, theirs.warehouses.delete, lambda i: theirs.warehouses.edit(i, auto_stop_mins=0)):
        with pytest.raises(errors.PermissionDenied) as e:
            call(wh.id)
        assert "CAN_MANAGE" in str(e.value)

    allow(sdk, wh.id, who, "CAN_MANAGE")
    theirs.warehouses.edit_and_wait(wh.id, auto_stop_mins=0)
    theirs.warehouses.stop_and_wait(wh.id)
    sdk.warehouses.set_permissions(wh.id, access_control_list=[])
    with pytest.raises(errors.PermissionDenied):
        theirs.statement_execution.execute_statement("SELEC 1", wh.id)


def test_only_admins_create(other, u):
    _, theirs = other
    with pytest.raises(errors.PermissionDenied):
        theirs.warehouses.create(name=f"theirs-{u}", cluster_size="2X-Small")


def test_permission_objects(platform, sdk, wh, other):
    who, theirs = other
    got = sdk.warehouses.get_permissions(wh.id)
    assert got.object_id == f"/sql/warehouses/{wh.id}" and got.object_type == "warehouses"
    mine = next(a for a in got.access_control_list if a.user_name == "admin")
    assert mine.all_permissions[0].permission_level == sql.WarehousePermissionLevel.IS_OWNER
    admins = next(a for a in got.access_control_list if a.group_name == "admins")
    assert admins.all_permissions[0].permission_level == sql.WarehousePermissionLevel.CAN_MANAGE and admins.all_permissions[0].inherited
    levels = {x.permission_level.value for x in sdk.warehouses.get_permission_levels(wh.id).permission_levels}
    assert levels == {"CAN_VIEW", "CAN_USE", "CAN_MONITOR", "CAN_MANAGE", "IS_OWNER"}
    assert platform.request("GET", f"/api/2.0/permissions/sql/warehouses/{wh.id}").json()["object_id"] == got.object_id
    # Given away: the new owner may do everything, the old one only what is his as an admin.
    got = allow(sdk, wh.id, who, "IS_OWNER")
    assert {(a.service_principal_name, a.all_permissions[0].permission_level.value) for a in got.access_control_list
            if a.service_principal_name} == {(who, "IS_OWNER")}
    assert not any(a.user_name for a in got.access_control_list)
    theirs.warehouses.stop_and_wait(wh.id)
    theirs.warehouses.delete(wh.id)
    r = platform.request("PUT", f"/api/2.0/permissions/warehouses/{platform.connect['DATABRICKS_WAREHOUSE_ID']}",
                         {"access_control_list": [{"group_name": "users", "permission_level": "IS_OWNER"}]})
    assert r.status_code == 400 and "IS_OWNER" in r.json()["message"]


# ---- the workspace's configuration, the account's quota ----

def test_workspace_config(make_platform):
    p = make_platform().start()
    sdk = p.sdk()
    assert sdk.warehouses.get_workspace_warehouse_config().security_policy.value == "DATA_ACCESS_CONTROL"
    sdk.warehouses.set_workspace_warehouse_config(
        enabled_warehouse_types=[sql.WarehouseTypePair(warehouse_type=sql.WarehouseTypePairWarehouseType.CLASSIC, enabled=False)],
        sql_configuration_parameters=sql.RepeatedEndpointConfPairs(configuration_pairs=[sql.EndpointConfPair(key="ANSI_MODE", value="true")]))
    got = sdk.warehouses.get_workspace_warehouse_config()
    assert got.sql_configuration_parameters.configuration_pairs[0].key == "ANSI_MODE"
    with pytest.raises(errors.BadRequest) as e:
        sdk.warehouses.create(name="classic", cluster_size="2X-Small", warehouse_type=sql.CreateWarehouseRequestWarehouseType.CLASSIC)
    assert "not enabled" in str(e.value)
    sdk.warehouses.set_workspace_warehouse_config(
        data_access_config=[sql.EndpointConfPair(key="spark.sql.hive.metastore.version", value="2.3.9")])
    with pytest.raises(errors.BadRequest) as e:
        sdk.warehouses.create(name="serverless", cluster_size="2X-Small")
    assert "external Hive metastore" in str(e.value)
    sdk.warehouses.create_and_wait(name="pro", cluster_size="2X-Small", enable_serverless_compute=False)
    _, theirs = p.another("plain")
    with pytest.raises(errors.PermissionDenied):
        theirs.warehouses.get_workspace_warehouse_config()


def test_serverless_quota(make_platform):
    p = make_platform(settings={"sql.serverless_quota": "6"}).start()
    sdk = p.sdk()
    first = sdk.warehouses.create_and_wait(name="one", cluster_size="2X-Small").id  # 4 DBU an hour
    second = sdk.warehouses.create(name="two", cluster_size="2X-Small").id
    got = sdk.warehouses.get(second)
    assert got.state == sql.State.STOPPED and got.health.status == sql.Status.FAILED and "quota of 6 DBU" in got.health.summary
    refused = p.request("POST", f"{W}/{second}/start")
    assert refused.status_code == 429 and refused.json()["error_code"] == "RESOURCE_EXHAUSTED"
    done = sdk.statement_execution.execute_statement("SELEC 1", second)
    assert done.status.state == sql.StatementState.FAILED and done.status.error.error_code.value == "RESOURCE_EXHAUSTED"
    assert sdk.warehouses.get(first).state == sql.State.RUNNING  # what runs is left alone
    sdk.warehouses.create_and_wait(name="pro", cluster_size="Large", enable_serverless_compute=False)  # not serverless: no quota
    sdk.warehouses.stop_and_wait(first)
    sdk.warehouses.start_and_wait(second)


def test_a_killed_engine_is_replaced(platform, sdk, wh):
    """What was sent to the dying one fails with a reason; the warehouse goes on."""
    assert platform.kill9("engine") >= 1
    deadline = time.monotonic() + 60
    while True:
        error = sdk.statement_execution.execute_statement("SELEC 1", wh.id).status.error
        if "PARSE_SYNTAX_ERROR" in error.message:
            break
        assert error.error_code == sql.ServiceErrorCode.ABORTED and "ENGINE_LOST" in error.message, error
        assert time.monotonic() < deadline
    assert sdk.warehouses.get(wh.id).state == sql.State.RUNNING
