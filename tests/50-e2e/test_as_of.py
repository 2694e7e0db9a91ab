# SPDX-License-Identifier: Apache-2.0
"""Every entity of meta.db, read as of a sequence and a time before it was changed and deleted. Who may read is decided today."""

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from boathouse import ROOT

ML, UC, SCIM = "/api/2.0/mlflow", "/api/2.1/unity-catalog", "/api/2.0/preview/scim/v2"
# What is never seen in the past (tables/entities.json: erased), or is only part of another's answer.
NOT_HERE = {"token", "oauth_secret", "refresh_token", "signer", "storage_secret", "upload", "account", "setting_kv", "workspace_member",
            "uc_log", "uc_staging", "workspace"}


@pytest.fixture
def call(platform):
    def ask(method, path, body=None, /, **params):
        r = platform.request(method, path, body, params=params or None)
        assert r.status_code in (200, 201, 204), (method, path, params, r.status_code, r.text)
        return r.json() if r.text and r.headers["Content-Type"].endswith("json") else r.content
    return ask


@pytest.fixture
def newest(call):
    return lambda: call("GET", "/api/boathouse/journal", max_results=1)["entries"][0]["sequence"]


def before_and_after(call, newest, path, pick, change, remove, /, **params):
    """What `pick` finds in the answer is one thing now, another after the change, and both are found again once it is gone."""
    first, at, then = pick(call("GET", path, **params)), newest(), datetime.now(UTC).isoformat()
    time.sleep(0.002)
    change()
    second, later = pick(call("GET", path, **params)), newest()
    assert first != second and later > at, (first, second)
    if remove:
        remove()
        now = call_any(call, path, params)
        assert now is None or pick_or_none(pick, now) not in (first, second), now
    for when, what in [(at, first), (later, second), (then, first), (at, first)]:
        assert pick(call("GET", path, **params, as_of=str(when))) == what, (path, when)


def call_any(call, path, params):
    try:
        return call("GET", path, **params)
    except AssertionError:
        return None


def pick_or_none(pick, answer):
    try:
        return pick(answer)
    except (KeyError, IndexError, StopIteration):
        return None


def test_the_list_is_complete():
    entities = {e["name"] for e in json.loads((ROOT / "tables/entities.json").read_text())["entities"]}
    assert entities == NOT_HERE | {"user", "service_principal", "group", "group_member", "acl", "endpoint", "warehouse", "warehouse_config",
                                   "served_version", "experiment", "registered_model", "model_version", "model_alias", "catalog", "schema", "uc_model",
                                   "uc_model_version", "uc_table", "uc_volume", "uc_function", "storage_credential", "external_location", "grant",
                                   "dbfs_file", "file_object"}


def test_principals_and_members(call, newest, u):
    for kind, name, extra in [("Users", "userName", {}), ("ServicePrincipals", "applicationId", {})]:
        x = call("POST", f"{SCIM}/{kind}", {name: f"p-{u}@x.org", "displayName": "old", **extra})["id"]
        before_and_after(call, newest, f"{SCIM}/{kind}/{x}", lambda a: a["displayName"],
                         lambda kind=kind, x=x: call("PATCH", f"{SCIM}/{kind}/{x}", {"Operations": [{"op": "replace", "path": "displayName", "value": "new"}]}),
                         lambda kind=kind, x=x: call("DELETE", f"{SCIM}/{kind}/{x}"))
    one, two = (call("POST", f"{SCIM}/Users", {"userName": f"{n}-{u}@x.org"})["id"] for n in "ab")
    g = call("POST", f"{SCIM}/Groups", {"displayName": f"g-{u}", "members": [{"value": one}]})["id"]
    before_and_after(call, newest, f"{SCIM}/Groups/{g}", lambda a: sorted(m["value"] for m in a["members"]),
                     lambda: call("PATCH", f"{SCIM}/Groups/{g}", {"Operations": [{"op": "replace", "path": "members", "value": [{"value": two}]}]}),
                     lambda: call("DELETE", f"{SCIM}/Groups/{g}"))


def test_permissions(call, newest, u):
    exp = call("POST", f"{ML}/experiments/create", {"name": f"/Shared/past-{u}"})["experiment_id"]
    path = f"/api/2.0/permissions/experiments/{exp}"
    call("PUT", path, {"access_control_list": [{"group_name": "users", "permission_level": "CAN_READ"}]})

    def of_users(a):
        return [p["permission_level"] for x in a["access_control_list"] if x.get("group_name") == "users" for p in x["all_permissions"]]
    before_and_after(call, newest, path, of_users,
                     lambda: call("PUT", path, {"access_control_list": [{"group_name": "users", "permission_level": "CAN_EDIT"}]}),
                     lambda: call("PUT", path, {"access_control_list": []}))


def test_experiments(call, newest, u):
    exp = call("POST", f"{ML}/experiments/create", {"name": f"/Shared/old-{u}"})["experiment_id"]
    before_and_after(call, newest, f"{ML}/experiments/get", lambda a: (a["experiment"]["name"], a["experiment"]["lifecycle_stage"]),
                     lambda: call("POST", f"{ML}/experiments/update", {"experiment_id": exp, "new_name": f"/Shared/new-{u}"}),
                     lambda: call("POST", f"{ML}/experiments/delete", {"experiment_id": exp}), experiment_id=exp)


def test_registry_of_the_workspace(call, newest, u):
    m = f"m-{u}"
    call("POST", f"{ML}/registered-models/create", {"name": m, "description": "old"})
    call("POST", f"{ML}/model-versions/create", {"name": m, "source": "dbfs:/x", "description": "old"})
    call("POST", f"{ML}/model-versions/create", {"name": m, "source": "dbfs:/y"})
    call("POST", f"{ML}/registered-models/alias", {"name": m, "alias": "a", "version": "1"})
    before_and_after(call, newest, f"{ML}/registered-models/alias", lambda a: a["model_version"]["version"],
                     lambda: call("POST", f"{ML}/registered-models/alias", {"name": m, "alias": "a", "version": "2"}),
                     lambda: call("DELETE", f"{ML}/registered-models/alias", {"name": m, "alias": "a"}), name=m, alias="a")
    before_and_after(call, newest, f"{ML}/model-versions/get", lambda a: a["model_version"]["description"],
                     lambda: call("PATCH", f"{ML}/model-versions/update", {"name": m, "version": "1", "description": "new"}),
                     lambda: call("DELETE", f"{ML}/model-versions/delete", {"name": m, "version": "1"}), name=m, version="1")
    before_and_after(call, newest, f"{ML}/registered-models/get", lambda a: a["registered_model"]["description"],
                     lambda: call("PATCH", f"{ML}/registered-models/update", {"name": m, "description": "new"}),
                     lambda: call("DELETE", f"{ML}/registered-models/delete", {"name": m}), name=m)


def test_catalog_objects(call, newest, u):
    c, s = f"c_{u}", f"c_{u}.s"
    call("POST", f"{UC}/catalogs", {"name": c, "comment": "old"})
    call("POST", f"{UC}/schemas", {"name": "s", "catalog_name": c, "comment": "old"})
    call("POST", f"{UC}/models", {"name": "m", "catalog_name": c, "schema_name": "s", "comment": "old"})
    call("POST", f"{UC}/models/versions", {"catalog_name": c, "schema_name": "s", "model_name": "m", "source": "dbfs:/x", "comment": "old"})
    call("POST", f"{UC}/volumes", {"name": "v", "catalog_name": c, "schema_name": "s", "volume_type": "MANAGED", "comment": "old"})

    def comment(a):
        return a.get("comment")

    def both(path):
        before_and_after(call, newest, path, comment, lambda: call("PATCH", path, {"comment": "new"}), lambda: call("DELETE", path))
    both(f"{UC}/models/{s}.m/versions/1")
    both(f"{UC}/models/{s}.m")
    both(f"{UC}/volumes/{s}.v")
    grant = f"{UC}/permissions/schema/{s}"

    def of_users(a):
        return sorted(p for x in a.get("privilege_assignments", []) if x["principal"] == "account users" for p in x["privileges"])
    call("PATCH", grant, {"changes": [{"principal": "account users", "add": ["USE_SCHEMA"]}]})
    before_and_after(call, newest, grant, of_users, lambda: call("PATCH", grant, {"changes": [{"principal": "account users", "add": ["EXECUTE"]}]}),
                     lambda: call("PATCH", grant, {"changes": [{"principal": "account users", "remove": ["EXECUTE", "USE_SCHEMA"]}]}))
    both(f"{UC}/schemas/{s}")
    before_and_after(call, newest, f"{UC}/catalogs/{c}", comment, lambda: call("PATCH", f"{UC}/catalogs/{c}", {"comment": "new"}),
                     lambda: call("DELETE", f"{UC}/catalogs/{c}", force="true"))


def test_tables_and_functions(platform, call, newest, u):
    def sql(text):
        a = call("POST", "/api/2.0/sql/statements", {"statement": text, "warehouse_id": platform.connect["DATABRICKS_WAREHOUSE_ID"], "wait_timeout": "50s"})
        assert a["status"]["state"] == "SUCCEEDED", a
    sql(f"CREATE TABLE main.default.t_{u} (a INT) COMMENT 'old'")
    before_and_after(call, newest, f"{UC}/tables/main.default.t_{u}", lambda a: a["comment"],
                     lambda: sql(f"COMMENT ON TABLE main.default.t_{u} IS 'new'"), lambda: sql(f"DROP TABLE main.default.t_{u}"))
    sql(f"CREATE FUNCTION main.default.f_{u}(x INT) RETURNS INT COMMENT 'old' RETURN x + 1")
    before_and_after(call, newest, f"{UC}/functions/main.default.f_{u}", lambda a: a["comment"],
                     lambda: sql(f"CREATE OR REPLACE FUNCTION main.default.f_{u}(x INT) RETURNS INT COMMENT 'new' RETURN x + 2"),
                     lambda: sql(f"DROP FUNCTION main.default.f_{u}"))


def test_places_of_storage(call, newest, u, tmp_path):
    credential = {"aws_iam_role": {"role_arn": "arn:aws:iam::123456789012:role/a"}}
    call("POST", f"{UC}/storage-credentials", {"name": f"sc_{u}", "comment": "old", "skip_validation": True, **credential})
    call("POST", f"{UC}/external-locations", {"name": f"el_{u}", "url": f"s3://bucket-{u}/p", "credential_name": f"sc_{u}", "comment": "old",
                                              "skip_validation": True})
    for path in (f"{UC}/external-locations/el_{u}", f"{UC}/storage-credentials/sc_{u}"):
        before_and_after(call, newest, path, lambda a: a.get("comment"), lambda path=path: call("PATCH", path, {"comment": "new", "skip_validation": True}),
                         lambda path=path: call("DELETE", path))


def test_warehouses_and_endpoints(call, newest, u):
    w = call("POST", "/api/2.0/sql/warehouses", {"name": f"old-{u}", "cluster_size": "2X-Small"})["id"]
    before_and_after(call, newest, f"/api/2.0/sql/warehouses/{w}", lambda a: a["name"],
                     lambda: call("POST", f"/api/2.0/sql/warehouses/{w}/edit", {"name": f"new-{u}"}), lambda: call("DELETE", f"/api/2.0/sql/warehouses/{w}"))
    config = "/api/2.0/sql/config/warehouses"
    before_and_after(call, newest, config, lambda a: a.get("data_access_config") or a.get("security_policy"),
                     lambda: call("PUT", config, {**call("GET", config), "security_policy": "PASSTHROUGH"}), None)
    call("PUT", config, {**call("GET", config), "security_policy": "NONE"})
    call("POST", "/api/2.0/serving-endpoints", {"name": f"e-{u}", "tags": [{"key": "k", "value": "old"}]})
    before_and_after(call, newest, f"/api/2.0/serving-endpoints/e-{u}", lambda a: a["tags"],
                     lambda: call("PATCH", f"/api/2.0/serving-endpoints/e-{u}/tags", {"add_tags": [{"key": "k", "value": "new"}]}),
                     lambda: call("DELETE", f"/api/2.0/serving-endpoints/e-{u}"))


def test_files(call, newest, u):
    def put(text):
        call("POST", "/api/2.0/dbfs/put", {"path": f"/{u}.txt", "contents": base64.b64encode(text.encode()).decode(), "overwrite": True})
    put("four")
    before_and_after(call, newest, "/api/2.0/dbfs/get-status", lambda a: a["file_size"], lambda: put("five!"),
                     lambda: call("POST", "/api/2.0/dbfs/delete", {"path": f"/{u}.txt"}), path=f"/{u}.txt")
