# SPDX-License-Identifier: Apache-2.0
"""Who may do what: object permissions and grants, asked through real clients with two identities, and with two
workspaces that have objects of the same name."""

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog, iam, serving

LEVEL = iam.PermissionLevel


def allow(sdk, kind, thing, principal, level):
    request = iam.AccessControlRequest(service_principal_name=principal, permission_level=level)
    return sdk.permissions.update(kind, thing, access_control_list=[request])


def grant(sdk, kind, name, principal, *add, remove=()):
    change = catalog.PermissionsChange(principal=principal, add=[catalog.Privilege(p) for p in add],
                                       remove=[catalog.Privilege(p) for p in remove])
    return sdk.grants.update(kind, name, changes=[change])


@pytest.fixture(scope="module")
def other(platform):
    """(name, client) of an identity without rights."""
    return platform.another("someone")


def test_levels_of_a_registered_model(platform, sdk, other, u):
    who, theirs = other
    name = f"levels-{u}"
    sdk.model_registry.create_model(name)
    sdk.model_registry.create_model_version(name, source="s3://x/y")
    number = sdk.model_registry.get_model(name).registered_model_databricks.id
    with pytest.raises(errors.NotFound):
        theirs.model_registry.get_model(name)
    assert name not in {m.name for m in theirs.model_registry.list_models()}
    with pytest.raises(errors.NotFound):
        theirs.permissions.get("registered-models", number)

    allow(sdk, "registered-models", number, who, LEVEL.CAN_READ)
    assert theirs.model_registry.get_model(name).registered_model_databricks.permission_level.value == "CAN_READ"
    assert name in {m.name for m in theirs.model_registry.list_models()}
    with pytest.raises(errors.PermissionDenied) as e:
        theirs.model_registry.update_model(name, description="x")
    assert "CAN_EDIT" in str(e.value) and name in str(e.value)
    with pytest.raises(errors.PermissionDenied):
        allow(theirs, "registered-models", number, who, LEVEL.CAN_MANAGE)

    allow(sdk, "registered-models", number, who, LEVEL.CAN_MANAGE_STAGING_VERSIONS)
    theirs.model_registry.update_model(name, description="x")
    theirs.model_registry.transition_stage(name, "1", "Staging", False)
    with pytest.raises(errors.PermissionDenied):
        theirs.model_registry.transition_stage(name, "1", "Production", False)
    with pytest.raises(errors.PermissionDenied):
        theirs.model_registry.delete_model(name)

    allow(sdk, "registered-models", number, who, LEVEL.CAN_MANAGE)
    theirs.model_registry.delete_model(name)
    with pytest.raises(errors.NotFound):
        sdk.permissions.get("registered-models", number)


def test_what_a_list_shows(platform, sdk, other, u):
    who, theirs = other
    name = f"list-{u}"
    sdk.model_registry.create_model(name)
    number = sdk.model_registry.get_model(name).registered_model_databricks.id
    users = iam.AccessControlRequest(group_name="users", permission_level=LEVEL.CAN_READ)
    got = sdk.permissions.set("registered-models", number, access_control_list=[users])
    assert got.object_id == f"/registered-models/{number}" and got.object_type == "registered-model"
    by = {a.user_name or a.group_name or a.service_principal_name: a.all_permissions for a in got.access_control_list}
    assert [(p.permission_level.value, p.inherited) for p in by["admin"]] == [("CAN_MANAGE", False)]
    assert [(p.permission_level.value, p.inherited) for p in by["users"]] == [("CAN_READ", False)]
    assert by["admins"][0].inherited and by["admins"][0].inherited_from_object == ["/registered-models/root"]
    assert theirs.model_registry.get_model(name)
    root = iam.AccessControlRequest(service_principal_name=who, permission_level=LEVEL.CAN_EDIT)
    sdk.permissions.set("registered-models", "root", access_control_list=[root])
    theirs.model_registry.update_model(name, description="by inheritance")
    sdk.permissions.set("registered-models", "root", access_control_list=[])
    with pytest.raises(errors.PermissionDenied):
        theirs.model_registry.update_model(name, description="no more")
    for wrong in (iam.AccessControlRequest(group_name="admins", permission_level=LEVEL.CAN_READ),
                  iam.AccessControlRequest(service_principal_name=who, permission_level=LEVEL.CAN_QUERY)):
        with pytest.raises(errors.InvalidParameterValue):
            sdk.permissions.update("registered-models", number, access_control_list=[wrong])
    with pytest.raises(errors.NotFound):
        allow(sdk, "registered-models", number, "nobody-at-all", LEVEL.CAN_READ)
    with pytest.raises(errors.NotFound):
        sdk.permissions.get("registered-models", "1")
    with pytest.raises(errors.NotFound):
        sdk.permissions.get("spaceships", "1")


def test_grants_decide_step_by_step(platform, sdk, other, u):
    """Each privilege that is lacking is named; what nothing is granted on does not exist."""
    who, theirs = other
    cat = f"steps_{u}"
    sdk.catalogs.create(cat)
    full = sdk.registered_models.create(catalog_name=cat, schema_name="default", name="m").full_name
    assert cat not in {c.name for c in theirs.catalogs.list()}
    with pytest.raises(errors.NotFound):
        theirs.registered_models.get(full)

    def lacks(word, call, *args, **kw):
        with pytest.raises(errors.PermissionDenied) as e:
            call(*args, **kw)
        assert word in str(e.value), str(e.value)

    grant(sdk, "function", full, who, "EXECUTE")
    lacks(f"USE_CATALOG on Catalog '{cat}'", theirs.registered_models.get, full)
    grant(sdk, "catalog", cat, who, "USE_CATALOG")
    assert cat in {c.name for c in theirs.catalogs.list()}
    lacks(f"USE_SCHEMA on Schema '{cat}.default'", theirs.registered_models.get, full)
    grant(sdk, "catalog", cat, who, "USE_SCHEMA")  # above counts below
    assert theirs.registered_models.get(full).full_name == full
    lacks("MANAGE", theirs.registered_models.update, full, comment="x")
    lacks("CREATE_MODEL_VERSION", theirs.registered_models.set_alias, full, "a", 1)
    lacks("CREATE_MODEL", theirs.registered_models.create, catalog_name=cat, schema_name="default", name="n")
    lacks("MANAGE", theirs.grants.get, "function", full)
    own = theirs.grants.get_effective("function", full, principal=who).privilege_assignments
    assert {(p.privilege.value, p.inherited_from_name) for p in own[0].privileges} == {("EXECUTE", None)}

    grant(sdk, "schema", f"{cat}.default", who, "CREATE_MODEL")
    mine = theirs.registered_models.create(catalog_name=cat, schema_name="default", name="n").full_name
    theirs.registered_models.update(mine, comment="owners may")
    grant(theirs, "function", mine, "account users", "EXECUTE")
    with pytest.raises(errors.AlreadyExists):
        sdk.catalogs.create(cat.upper())
    grant(sdk, "catalog", cat, who, remove=["USE_CATALOG", "USE_SCHEMA"])
    lacks("USE_CATALOG", theirs.registered_models.get, mine)
    sdk.catalogs.update(cat, owner=who)
    assert theirs.catalogs.get(cat).owner == who
    theirs.catalogs.delete(cat, force=True)
    with pytest.raises(errors.NotFound):
        sdk.registered_models.get(full)


def test_everybody_may_use_main(sdk, other, u):
    _, theirs = other
    assert theirs.schemas.get("main.default").catalog_name == "main"
    name = f"mine_{u}"
    full = theirs.registered_models.create(catalog_name="main", schema_name="default", name=name).full_name
    with pytest.raises(errors.PermissionDenied) as e:
        theirs.catalogs.create(f"c_{u}")
    assert "CREATE_CATALOG" in str(e.value)
    with pytest.raises(errors.PermissionDenied):
        theirs.schemas.create(name=f"s_{u}", catalog_name="main")
    theirs.registered_models.delete(full)
    assert sdk.metastores.summary().metastore_id == theirs.metastores.current().metastore_id


def test_an_endpoints_permissions_reach_the_gateway(platform, sdk, other, u):
    """Served from Unity Catalog; CAN_QUERY given and taken counts for the next invocation."""
    import pandas as pd
    from sklearn.linear_model import LinearRegression
    who, theirs = other
    x = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment(f"/Shared/served-{u}")
        model = LinearRegression().fit(x, [2.0, 4.0, 6.0])
        with mlflow.start_run():
            mlflow.sklearn.log_model(model, name="model", signature=mlflow.models.infer_signature(x, model.predict(x)),
                                     registered_model_name=f"main.default.s_{u}")
    name = f"e-{u}"
    served = serving.ServedEntityInput(name="s-1", entity_name=f"main.default.s_{u}", entity_version="1",
                                       workload_size="Small", scale_to_zero_enabled=True)
    made = sdk.serving_endpoints.create_and_wait(name, config=serving.EndpointCoreConfigInput(name=name, served_entities=[served]))

    def ask():
        return theirs.serving_endpoints.query(name, dataframe_records=[{"a": 5.0}]).predictions
    with pytest.raises((errors.PermissionDenied, errors.NotFound)):
        ask()
    allow(sdk, "serving-endpoints", made.id, who, LEVEL.CAN_QUERY)
    assert ask() == [pytest.approx(10.0)]
    sdk.permissions.set("serving-endpoints", made.id, access_control_list=[])
    with pytest.raises((errors.PermissionDenied, errors.NotFound)):
        ask()
    sdk.serving_endpoints.delete(name)


def test_two_workspaces_do_not_see_each_other(platform, sdk, u):
    made = platform.request("POST", "/api/boathouse/workspaces", body={"workspace_name": f"w-{u}"})
    assert made.status_code == 200, made.text
    token = made.json()["token_value"]
    name = f"same-{u}"
    sdk.model_registry.create_model(name, description="first")
    number = sdk.model_registry.get_model(name).registered_model_databricks.id

    def ask(method, path, **more):
        return platform.request(method, path, token=token, **more)
    assert ask("GET", f"/api/2.0/mlflow/registered-models/get?name={name}").status_code == 404
    assert ask("GET", f"/api/2.0/permissions/registered-models/{number}").status_code == 404
    assert ask("POST", "/api/2.0/mlflow/registered-models/create", body={"name": name}).status_code == 200
    assert ask("DELETE", "/api/2.0/mlflow/registered-models/delete", body={"name": name}).status_code == 200
    assert sdk.model_registry.get_model(name).registered_model_databricks.description == "first"
