# SPDX-License-Identifier: Apache-2.0
"""Catalogs, external locations and storage credentials that are bound to workspaces: another workspace has nothing of them at any door,
whoever asks there; one that is bound to read changes nothing."""

import io
import types

import pytest
from boathouse import Platform
from databricks.sdk import WorkspaceClient, errors
from databricks.sdk.service import catalog as uc
from test_isolation import account_admin, machine

UC = "/api/2.1/unity-catalog"
READ_ONLY, READ_WRITE = uc.WorkspaceBindingBindingType.BINDING_TYPE_READ_ONLY, uc.WorkspaceBindingBindingType.BINDING_TYPE_READ_WRITE


class Side:
    """Everything of one workspace: a client of the account's admin, one of a user, a warehouse of each."""

    def __init__(self, root, workspace, clients):
        self.id, self.root = workspace, root
        self.admin, self.user = clients
        made = root.ok("POST", "/api/2.0/sql/warehouses", {"name": "w", "cluster_size": "2X-Small"}, headers=self.here)
        self.warehouse = made["id"]
        root.ok("PATCH", f"/api/2.0/permissions/warehouses/{self.warehouse}",
                {"access_control_list": [{"group_name": "users", "permission_level": "CAN_USE"}]}, headers=self.here)

    @property
    def here(self):
        return {"X-Databricks-Workspace-Id": str(self.id)}

    def run(self, text, who=None):
        return (who or self.admin).statement_execution.execute_statement(text, self.warehouse, wait_timeout="50s")

    def sql(self, text, who=None):
        got = self.run(text, who)
        assert got.status.error is None, (text, got.status)
        return (got.result.data_array or []) if got.result else []

    def file(self, who, method, path, data=None):
        """Through the Files API, whose client names no workspace."""
        r = self.root.platform.request(method, "/api/2.0/fs/" + path, token=who.config.token, headers=self.here, data=data)
        if r.status_code in (403, 404):
            raise errors.PermissionDenied(r.text)
        assert r.status_code < 300, r.text
        return r.content

    def fails(self, text, part, who=None):
        got = self.run(text, who)
        assert got.status.error is not None, (text, got)
        assert part in got.status.error.message, (text, got.status.error.message)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    place = tmp_path_factory.mktemp("places")
    with Platform(tmp_path_factory.mktemp("bound") / "data", settings={"storage.local_roots": str(place)}) as p:
        root = account_admin(p)
        info = root.ok("GET", "/.well-known/databricks-config")
        b = root.ok("POST", f"/api/2.0/accounts/{info['account_id']}/workspaces", {"workspace_name": "second"})["workspace_id"]
        sp = root.ok("POST", "/api/2.0/preview/scim/v2/ServicePrincipals", {"displayName": "both"}, headers={"X-Databricks-Workspace-Id": info["workspace_id"]})
        root.ok("POST", "/api/2.0/preview/scim/v2/ServicePrincipals", {"applicationId": sp["applicationId"]}, headers={"X-Databricks-Workspace-Id": str(b)})
        secret = root.ok("POST", f"/api/2.0/accounts/servicePrincipals/{sp['id']}/credentials/secrets", {})["secret"]
        token = machine(p, sp["applicationId"], secret)

        def client(token, workspace):
            return WorkspaceClient(host=p.url, token=token, workspace_id=str(workspace), auth_type="pat")

        w = types.SimpleNamespace(platform=p, root=root, place=place, user=sp["applicationId"])
        for name, wid in (("a", int(info["workspace_id"])), ("b", b)):
            setattr(w, name, Side(root, wid, [client(t, wid) for t in (root.token, token)]))
        yield w


@pytest.fixture(scope="module")
def bound(world):
    """A catalog of the first workspace alone; the user may do everything in it, by grants."""
    a, place = world.a, world.place
    for text in ("CREATE CATALOG bound", "CREATE SCHEMA bound.s", "CREATE TABLE bound.s.t AS SELECT 1 AS x", "CREATE VOLUME bound.s.v",
                 "CREATE FUNCTION bound.s.f() RETURNS INT RETURN 1", "CREATE VIEW main.default.through AS SELECT * FROM bound.s.t",
                 f"GRANT ALL PRIVILEGES ON CATALOG bound TO `{world.user}`", f"GRANT EXTERNAL USE SCHEMA ON CATALOG bound TO `{world.user}`",
                 f"GRANT SELECT ON TABLE main.default.through TO `{world.user}`"):
        a.sql(text)
    a.admin.registered_models.create(catalog_name="bound", schema_name="s", name="m")
    a.admin.files.upload("/Volumes/bound/s/v/f.txt", io.BytesIO(b"text"))
    world.table_id = a.admin.tables.get("bound.s.t").table_id
    (place / "loc").mkdir()
    (place / "loc" / "f.csv").write_text("1,2\n")
    return a.admin.catalogs.update("bound", isolation_mode=uc.CatalogIsolationMode.ISOLATED)


def test_isolated_is_bound_to_the_workspace_that_asked(world, bound):
    a, b = world.a, world.b
    assert bound.isolation_mode == uc.CatalogIsolationMode.ISOLATED
    assert list(a.admin.workspace_bindings.get_bindings("catalog", "bound")) == [uc.WorkspaceBinding(binding_type=READ_WRITE, workspace_id=a.id)]
    assert a.admin.workspace_bindings.get("bound").workspaces == [a.id]
    for side in (a, b):  # whoever manages it sees the bindings from anywhere; nobody else does
        with pytest.raises(errors.PermissionDenied, match="MANAGE"):
            side.user.workspace_bindings.get("bound")
    assert a.sql("SELECT * FROM bound.s.t", a.user) == [["1"]]


STATEMENTS = ["SELECT * FROM bound.s.t", "INSERT INTO bound.s.t VALUES (2)", "SELECT bound.s.f()", "SELECT * FROM bound.s.t VERSION AS OF 0",
              "DESCRIBE TABLE bound.s.t", "SHOW TABLES IN bound.s", "USE CATALOG bound", "LIST '/Volumes/bound/s/v'", "CREATE SCHEMA bound.n",
              "DROP TABLE bound.s.t", "SELECT * FROM bound.information_schema.tables", "SHOW GRANTS ON CATALOG bound", "GRANT SELECT ON TABLE bound.s.t TO `account users`",
              "SELECT * FROM main.default.through", "CREATE TABLE main.default.copy AS SELECT * FROM bound.s.t", "DROP CATALOG bound CASCADE"]


@pytest.mark.parametrize("who", ["admin", "user"])
def test_another_workspace_has_nothing_of_it(world, bound, who):
    """Neither grants nor being the owner and metastore admin help."""
    b, me = world.b, getattr(world.b, who)
    for text in STATEMENTS:
        b.fails(text, "Catalog 'bound' is not bound to this workspace", me)
    doors = {"catalog": lambda: me.catalogs.get("bound"), "schemas": lambda: list(me.schemas.list("bound")), "table": lambda: me.tables.get("bound.s.t"),
             "tables": lambda: list(me.tables.list("bound", "s")), "model": lambda: me.registered_models.get("bound.s.m"),
             "models": lambda: list(me.registered_models.list(catalog_name="bound", schema_name="s")), "function": lambda: me.functions.get("bound.s.f"),
             "version": lambda: me.api_client.do("POST", f"{UC}/models/versions", body={"catalog_name": "bound", "schema_name": "s", "model_name": "m", "source": "x"}, headers=b.here),
             "grants": lambda: me.grants.get("catalog", "bound"), "effective": lambda: me.grants.get_effective("table", "bound.s.t"),
             "update": lambda: me.catalogs.update("bound", comment="c"), "credentials":
                 lambda: me.temporary_table_credentials.generate_temporary_table_credentials(table_id=world.table_id, operation=uc.TableOperation.READ),
             "delta": lambda: me.api_client.do("GET", "/api/2.1/unity-catalog/delta/v1/catalogs/bound/schemas/s/tables/t", headers=b.here),
             "file": lambda: b.file(me, "GET", "files/Volumes/bound/s/v/f.txt"), "write": lambda: b.file(me, "PUT", "files/Volumes/bound/s/v/g.txt", b"g"),
             "folder": lambda: b.file(me, "GET", "directories/Volumes/bound/s/v"), "model files": lambda: b.file(me, "PUT", "files/Models/bound/s/m/1/f", b"g")}
    for name, door in doors.items():
        try:
            assert door() == [], name  # a list may be empty
        except (errors.PermissionDenied, errors.NotFound):
            pass
    assert "bound" not in [c.name for c in me.catalogs.list()]
    assert b.sql("SELECT table_name FROM system.information_schema.tables WHERE table_catalog = 'bound'", me) == []
    assert ["bound"] not in b.sql("SHOW CATALOGS", me)


def test_whoever_holds_nothing_learns_nothing(world, bound):
    a, b = world.a, world.b
    a.sql(f"REVOKE ALL PRIVILEGES ON CATALOG bound FROM `{world.user}`")
    try:
        b.fails("SELECT * FROM bound.s.t", "TABLE_OR_VIEW_NOT_FOUND", b.user)
        with pytest.raises(errors.NotFound):
            b.user.catalogs.get("bound")
    finally:
        a.sql(f"GRANT ALL PRIVILEGES ON CATALOG bound TO `{world.user}`")
        a.sql(f"GRANT EXTERNAL USE SCHEMA ON CATALOG bound TO `{world.user}`")


def test_explained(world, bound):
    rows = {r[0]: r for r in world.a.sql(f"EXPLAIN ACCESS `{world.user}` ON TABLE bound.s.t")}
    assert rows["SELECT"][3] == "true"
    listed = [c.name for c in world.b.admin.catalogs.list(include_unbound=True)]
    assert "bound" in listed
    assert "bound" not in [c.name for c in world.b.user.catalogs.list(include_unbound=True)]


def test_bound_to_read(world, bound):
    a, b = world.a, world.b
    got = b.admin.workspace_bindings.update_bindings("catalog", "bound", add=[uc.WorkspaceBinding(workspace_id=b.id, binding_type=READ_ONLY)])
    assert {x.workspace_id: x.binding_type for x in got.bindings} == {a.id: READ_WRITE, b.id: READ_ONLY}
    for me in (b.admin, b.user):
        assert b.sql("SELECT * FROM bound.s.t", me) == [["1"]]
        assert b.sql("SELECT bound.s.f()", me) == [["1"]]
        assert b.sql("SELECT table_name FROM bound.information_schema.tables WHERE table_schema = 's'", me) == [["t"]]
        assert b.file(me, "GET", "files/Volumes/bound/s/v/f.txt") == b"text"
        assert me.catalogs.get("bound").name == "bound"
        for text in ("INSERT INTO bound.s.t VALUES (2)", "DELETE FROM bound.s.t", "DROP TABLE bound.s.t", "CREATE TABLE bound.s.u (a INT)", "CREATE SCHEMA bound.n",
                     "ALTER TABLE bound.s.t SET TBLPROPERTIES ('a' = 'b')", "OPTIMIZE bound.s.t"):
            mine = me is b.admin or not text.startswith("DROP")  # the user holds no MANAGE anyway
            b.fails(text, "binding to this workspace for writing on Catalog 'bound'" if mine else "MANAGE", me)
        with pytest.raises(errors.PermissionDenied):
            b.file(me, "PUT", "files/Volumes/bound/s/v/g.txt", b"g")
        with pytest.raises(errors.PermissionDenied, match="for writing"):
            me.registered_models.create(catalog_name="bound", schema_name="s", name="n")
    assert a.sql("SELECT count(*) FROM bound.s.t") == [["1"]]
    b.admin.workspace_bindings.update_bindings("catalog", "bound", add=[uc.WorkspaceBinding(workspace_id=b.id, binding_type=READ_WRITE)])
    b.sql("INSERT INTO bound.s.t VALUES (2)", b.user)
    a.admin.workspace_bindings.update_bindings("catalog", "bound", remove=[uc.WorkspaceBinding(workspace_id=b.id)])
    b.fails("SELECT * FROM bound.s.t", "not bound", b.user)
    assert a.sql("SELECT count(*) FROM bound.s.t") == [["2"]]


def test_older_form_and_opening(world, bound):
    a, b = world.a, world.b
    assert b.admin.workspace_bindings.update("bound", assign_workspaces=[b.id], unassign_workspaces=[a.id]).workspaces == [b.id]
    a.fails("SELECT * FROM bound.s.t", "not bound", a.user)
    b.sql("SELECT * FROM bound.s.t", b.user)
    with pytest.raises(errors.NotFound, match="Workspace 77"):
        b.admin.workspace_bindings.update("bound", assign_workspaces=[77])
    b.admin.catalogs.update("bound", isolation_mode=uc.CatalogIsolationMode.OPEN)
    a.sql("SELECT * FROM bound.s.t", a.user)
    assert b.admin.workspace_bindings.get("bound").workspaces == [b.id]  # kept for when it is isolated again
    a.admin.catalogs.update("bound", isolation_mode=uc.CatalogIsolationMode.ISOLATED)
    assert a.admin.workspace_bindings.get("bound").workspaces == sorted([a.id, b.id])


def test_locations_and_credentials(world):
    a, b = world.a, world.b
    loc = f"file://{world.place}/loc"
    (world.place / "loc").mkdir(exist_ok=True)
    (world.place / "loc" / "f.csv").write_text("1,2\n")
    a.admin.storage_credentials.create("bcred")
    a.admin.external_locations.create("bloc", loc, "bcred")
    a.sql(f"GRANT ALL PRIVILEGES ON EXTERNAL LOCATION bloc TO `{world.user}`")
    for side in (a, b):
        assert side.sql(f"SELECT count(*) FROM csv.`{loc}/f.csv`", side.user) == [["1"]]
    isolated = uc.IsolationMode.ISOLATION_MODE_ISOLATED
    assert a.admin.external_locations.update("bloc", isolation_mode=isolated).isolation_mode == isolated
    assert a.admin.storage_credentials.update("bcred", isolation_mode=isolated).isolation_mode == isolated
    assert a.sql(f"SELECT count(*) FROM csv.`{loc}/f.csv`", a.user) == [["1"]]
    for me in (b.admin, b.user):
        got = b.run(f"SELECT count(*) FROM csv.`{loc}/f.csv`", me)
        assert got.status.error is not None and "INSUFFICIENT_PERMISSIONS" in got.status.error.message, got
        with pytest.raises(errors.PermissionDenied, match="not bound to this workspace"):
            me.external_locations.get("bloc")
        assert "bloc" not in [x.name for x in me.external_locations.list()]
    with pytest.raises(errors.PermissionDenied, match="not bound to this workspace"):
        b.admin.storage_credentials.get("bcred")
    with pytest.raises(errors.PermissionDenied, match="not bound"):
        b.admin.external_locations.create("other", f"file://{world.place}/other", "bcred")
    assert "bcred" in [x.name for x in b.admin.storage_credentials.list(include_unbound=True)]
    with pytest.raises(errors.InvalidParameterValue, match="catalogs alone"):
        a.admin.workspace_bindings.update_bindings("external_location", "bloc", add=[uc.WorkspaceBinding(workspace_id=b.id, binding_type=READ_ONLY)])
    with pytest.raises(errors.InvalidParameterValue, match="not bound to workspaces"):
        list(a.admin.workspace_bindings.get_bindings("schema", "main.default"))
    a.admin.workspace_bindings.update_bindings("external_location", "bloc", add=[uc.WorkspaceBinding(workspace_id=b.id)])
    a.admin.workspace_bindings.update_bindings("storage_credential", "bcred", add=[uc.WorkspaceBinding(workspace_id=b.id)])
    assert b.sql(f"SELECT count(*) FROM csv.`{loc}/f.csv`", b.user) == [["1"]]
    assert b.admin.storage_credentials.get("bcred").isolation_mode == isolated


def test_only_who_manages_the_catalog_lets_files_out(world):
    """Neither the owner of a schema nor whoever holds MANAGE on it gives EXTERNAL USE SCHEMA; the catalog's owner does."""
    a, user = world.a, world.user
    for text in ("CREATE CATALOG outside", "CREATE SCHEMA outside.s", "CREATE TABLE outside.s.t AS SELECT 1 AS x", f"GRANT USE CATALOG ON CATALOG outside TO `{user}`",
                 f"ALTER SCHEMA outside.s SET OWNER TO `{user}`"):
        a.sql(text)
    ident = a.admin.tables.get("outside.s.t").table_id

    def files(who):
        return who.temporary_table_credentials.generate_temporary_table_credentials(table_id=ident, operation=uc.TableOperation.READ)

    for who in (a.admin, a.user):
        with pytest.raises(errors.PermissionDenied, match="EXTERNAL_USE_SCHEMA on Schema 'outside.s'"):
            files(who)
    a.fails(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA outside.s TO `{user}`", "MANAGE on Catalog 'outside'", a.user)
    with pytest.raises(errors.PermissionDenied, match="MANAGE on Catalog 'outside'"):
        a.user.grants.update("schema", "outside.s", changes=[uc.PermissionsChange(principal=user, add=[uc.Privilege.EXTERNAL_USE_SCHEMA])])
    a.sql(f"GRANT SELECT ON SCHEMA outside.s TO `{user}`", a.user)  # all else is the schema's owner's to give
    a.sql(f"GRANT EXTERNAL USE SCHEMA ON SCHEMA outside.s TO `{user}`")
    assert files(a.user).url
    # Whoever gave it away keeps nothing: the admin of the metastore holds MANAGE alone.
    a.sql(f"ALTER TABLE outside.s.t SET OWNER TO `{user}`")
    a.sql(f"ALTER CATALOG outside SET OWNER TO `{user}`")
    a.fails("SELECT * FROM outside.s.t", "SELECT on Table 'outside.s.t'")
    a.sql("ALTER CATALOG outside SET OWNER TO `account users`", a.user)
    assert a.sql("SELECT * FROM outside.s.t") == [["1"]]  # a member of the group that owns it
