# SPDX-License-Identifier: Apache-2.0
"""Operations of databricks-sdk that no other flow needs, each on state that it changes or that was made for it."""

import io
import json

import pytest
from databricks.sdk import AccountClient, errors
from databricks.sdk.service import catalog, iam, ml, serving, settings
from test_isolation import account_admin

PATCH = [iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
MLMODEL = """flavors:
  python_function: {loader_module: mlflow.xgboost, data: model.ubj, env: {virtualenv: python_env.yaml}, python_version: 3.11.2}
  xgboost: {data: model.ubj, model_class: xgboost.sklearn.XGBRegressor, model_format: ubj, xgb_version: 3.2.0}
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}, {"type": "double", "name": "b", "required": true}]'
  outputs: '[{"type": "double", "required": true}]'
"""


def names(listing, field):
    return {getattr(x, field) for x in listing}


@pytest.fixture(scope="module")
def account(platform):
    root = account_admin(platform)
    return AccountClient(host=platform.url, token=root.token, account_id=platform.sdk().config.account_id)


def change(op, path, value):
    return iam.Patch(op=iam.PatchOp(op), path=path, value=value)


def test_people_of_the_account(account, u):
    one, two = (account.users.create(user_name=f"{n}-{u}@example.com") for n in ("one", "two"))
    account.users.patch(one.id, schemas=PATCH, operations=[change("replace", "displayName", "First")])
    account.users.update(two.id, user_name=f"two-{u}@example.com", display_name="Second")
    assert [account.users.get(x.id).display_name for x in (one, two)] == ["First", "Second"]
    group = account.groups.create(display_name=f"g-{u}", members=[iam.ComplexValue(value=one.id)])
    account.groups.patch(group.id, schemas=PATCH, operations=[change("add", "members", [{"value": two.id}])])
    assert {m.value for m in account.groups.get(group.id).members} == {one.id, two.id}
    account.groups.update(group.id, display_name=f"h-{u}", members=[iam.ComplexValue(value=two.id)])
    assert [m.value for m in account.groups.get(group.id).members] == [two.id]
    assert [g.id for g in account.groups.list(filter=f'displayName eq "h-{u}"')] == [group.id]
    account.groups.delete(group.id)
    for x in (one, two):
        account.users.delete(x.id)
    with pytest.raises(errors.NotFound):
        account.users.get(one.id)


def test_machines_of_the_account(account, sdk, u):
    sp = account.service_principals.create(display_name=f"sp-{u}")
    account.service_principals.patch(sp.id, schemas=PATCH, operations=[change("replace", "displayName", f"sq-{u}")])
    assert [x.id for x in account.service_principals.list(filter=f'displayName eq "sq-{u}"')] == [sp.id]
    assert account.service_principals.get(sp.id).display_name == f"sq-{u}"
    account.service_principals.update(sp.id, display_name=f"sr-{u}", active=False)
    assert (account.service_principals.get(sp.id).display_name, account.service_principals.get(sp.id).active) == (f"sr-{u}", False)
    first = account.service_principal_secrets.create(sp.id)
    second = account.service_principal_secrets.create(sp.id, lifetime="3600s")
    assert names(account.service_principal_secrets.list(sp.id), "id") == {first.id, second.id} and first.secret != second.secret
    account.service_principal_secrets.delete(sp.id, first.id)
    assert names(account.service_principal_secrets.list(sp.id), "id") == {second.id}
    account.service_principals.delete(sp.id)
    here = sdk.service_principals.create(display_name=f"here-{u}")
    secret = sdk.service_principal_secrets_proxy.create(here.id)
    assert names(sdk.service_principal_secrets_proxy.list(here.id), "id") == {secret.id}
    sdk.service_principal_secrets_proxy.delete(here.id, secret.id)
    assert not list(sdk.service_principal_secrets_proxy.list(here.id))


def test_files_and_dbfs(sdk, u):
    sdk.volumes.create("main", "default", f"v_{u}", catalog.VolumeType.MANAGED)
    top = f"/Volumes/main/default/v_{u}"
    sdk.files.create_directory(f"{top}/a/b")
    sdk.files.get_directory_metadata(f"{top}/a/b")
    sdk.files.upload(f"{top}/a/b/f.txt", io.BytesIO(b"twelve bytes"))
    about = sdk.files.get_metadata(f"{top}/a/b/f.txt")
    assert about.content_length == 12 and about.last_modified
    assert [(e.name, e.file_size) for e in sdk.files.list_directory_contents(f"{top}/a/b")] == [("f.txt", 12)]
    with pytest.raises(errors.BadRequest, match=f"'{top}/a/b' is not empty"):
        sdk.files.delete_directory(f"{top}/a/b")
    with pytest.raises(errors.AlreadyExists, match=f"'{top}/a/b/f.txt' is a file"):
        sdk.files.create_directory(f"{top}/a/b/f.txt")
    with pytest.raises(errors.BadRequest, match=f"'{top}/a/b' is a directory"):
        sdk.files.delete(f"{top}/a/b")
    sdk.files.delete(f"{top}/a/b/f.txt")
    sdk.files.delete_directory(f"{top}/a/b")
    with pytest.raises(errors.NotFound):
        sdk.files.get_directory_metadata(f"{top}/a/b")
    sdk.volumes.delete(f"main.default.v_{u}")
    with sdk.dbfs.open(f"/{u}/x.txt", write=True, overwrite=True) as f:
        f.write(b"moved")
    sdk.dbfs.move(f"dbfs:/{u}/x.txt", f"dbfs:/{u}/y.txt")
    assert [f.path for f in sdk.dbfs.list(f"/{u}")] == [f"/{u}/y.txt"] and sdk.dbfs.download(f"/{u}/y.txt").read() == b"moved"


def test_runs_of_an_experiment(sdk, u):
    x = sdk.experiments
    exp = x.create_experiment(f"/Shared/ops-{u}").experiment_id
    runs = [x.create_run(experiment_id=exp, start_time=t).run.info.run_id for t in (1, 2, 3)]
    x.set_tag("k", "v", run_id=runs[0])
    x.delete_tag(runs[0], "k")
    assert not [t for t in x.get_run(runs[0]).run.data.tags or [] if t.key == "k"]
    now = 4102444800000  # in the year 2100
    assert x.delete_runs(exp, max_timestamp_millis=now, max_runs=2).runs_deleted == 2
    assert len(list(x.search_runs(experiment_ids=[exp]))) == 1
    assert x.restore_runs(exp, min_timestamp_millis=1).runs_restored == 2
    assert names((r.info for r in x.search_runs(experiment_ids=[exp])), "run_id") == set(runs)
    assert exp in names(x.list_experiments(), "experiment_id")
    model = x.create_logged_model(exp, name="m").model.info.model_id
    x.log_logged_model_params(model, params=[ml.LoggedModelParameter("depth", "6")])
    assert [(p.key, p.value) for p in x.get_logged_model(model).model.data.params] == [("depth", "6")]
    x.set_logged_model_tags(model, tags=[ml.LoggedModelTag("a", "1"), ml.LoggedModelTag("b", "2")])
    x.delete_logged_model_tag(model, "a")
    assert [t.key for t in x.get_logged_model(model).model.info.tags] == ["b"]
    x.log_model(model_json=json.dumps({"artifact_path": "old", "flavors": {"python_function": {}}, "utc_time_created": "2026-01-01", "run_id": runs[1]}),
                run_id=runs[1])
    assert "old" in next(t.value for t in x.get_run(runs[1]).run.data.tags if t.key == "mlflow.log-model.history")


def test_permissions_by_type(sdk, u):
    """The operations that each service has for the permissions of its objects."""
    exp = sdk.experiments.create_experiment(f"/Shared/rights-{u}").experiment_id
    model = sdk.model_registry.create_model(f"rights-{u}").registered_model.name
    model = sdk.model_registry.get_model(model).registered_model_databricks.id
    group = sdk.groups.create(display_name=f"rights-{u}").display_name
    level, request = ml.ExperimentPermissionLevel, ml.ExperimentAccessControlRequest
    mlevel, mrequest = ml.RegisteredModelPermissionLevel, ml.RegisteredModelAccessControlRequest

    def of_group(p):
        return [a.all_permissions[0].permission_level.value for a in p.access_control_list if a.group_name == group]
    sdk.experiments.set_permissions(exp, access_control_list=[request(group_name=group, permission_level=level.CAN_READ)])
    assert of_group(sdk.experiments.get_permissions(exp)) == ["CAN_READ"]
    sdk.experiments.update_permissions(exp, access_control_list=[request(group_name=group, permission_level=level.CAN_EDIT)])
    assert of_group(sdk.experiments.get_permissions(exp)) == ["CAN_EDIT"]
    sdk.model_registry.set_permissions(model, access_control_list=[mrequest(group_name=group, permission_level=mlevel.CAN_READ)])
    assert of_group(sdk.model_registry.get_permissions(model)) == ["CAN_READ"]
    sdk.model_registry.update_permissions(model, access_control_list=[mrequest(group_name=group, permission_level=mlevel.CAN_MANAGE)])
    assert of_group(sdk.model_registry.get_permissions(model)) == ["CAN_MANAGE"]
    tlevel, trequest = settings.TokenPermissionLevel.CAN_USE, settings.TokenAccessControlRequest
    before = [trequest(group_name=a.group_name, permission_level=tlevel) for a in sdk.token_management.get_permissions().access_control_list
              if a.group_name and not a.all_permissions[0].inherited]
    sdk.token_management.update_permissions(access_control_list=[trequest(group_name=group, permission_level=tlevel)])
    assert of_group(sdk.token_management.get_permissions()) == ["CAN_USE"]
    sdk.token_management.set_permissions(access_control_list=before)
    assert of_group(sdk.token_management.get_permissions()) == []
    for levels, top in [(sdk.experiments.get_permission_levels(exp), "CAN_MANAGE"), (sdk.model_registry.get_permission_levels(model), "CAN_MANAGE"),
                        (sdk.token_management.get_permission_levels(), "CAN_USE"), (sdk.permissions.get_permission_levels("experiments", exp), "CAN_MANAGE")]:
        assert top in {x.permission_level.value if hasattr(x.permission_level, "value") else x.permission_level for x in levels.permission_levels}


def test_lists_and_single_ones(sdk, u):
    one, two = (sdk.tokens.create(comment=f"{c}-{u}", lifetime_seconds=600).token_info.token_id for c in "ab")
    assert [sdk.token_management.get(t).token_info.comment for t in (one, two)] == [f"a-{u}", f"b-{u}"]
    for t in (one, two):
        sdk.token_management.delete(t)
    before = names(sdk.schemas.list("main"), "name")
    sdk.schemas.create(name=f"ops_{u}", catalog_name="main")
    assert names(sdk.schemas.list("main"), "name") == before | {f"ops_{u}"}
    sdk.schemas.delete(f"main.ops_{u}")
    here = sdk.metastores.current()
    assert sdk.metastores.get(here.metastore_id).metastore_id == here.metastore_id
    assert names(sdk.metastores.list(), "metastore_id") == {here.metastore_id}
    assert all(x.metastore_id == here.metastore_id for x in sdk.catalogs.list())


def test_what_an_endpoint_tells(platform, sdk, u, tmp_path):
    """A model whose files are put there by hand: no client is needed to make one."""
    import numpy as np
    import xgboost
    booster = xgboost.XGBRegressor(n_estimators=3, max_depth=2).fit(np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0]]), [1.0, 2.0, 3.0])
    booster.save_model(tmp_path / "model.ubj")
    name = f"main.default.told_{u}"
    sdk.registered_models.create(catalog_name="main", schema_name="default", name=f"told_{u}")
    platform.request("POST", "/api/2.1/unity-catalog/models/versions", {"catalog_name": "main", "schema_name": "default", "model_name": f"told_{u}",
                                                                        "source": "dbfs:/by/hand"}).raise_for_status()
    for file, data in [("MLmodel", MLMODEL.encode()), ("model.ubj", (tmp_path / "model.ubj").read_bytes())]:
        sdk.files.upload(f"/Models/main/default/told_{u}/1/{file}", io.BytesIO(data))
    platform.request("PATCH", f"/api/2.1/unity-catalog/models/{name}/versions/1/finalize", {}).raise_for_status()
    entity = serving.ServedEntityInput(entity_name=name, entity_version="1", name="a", workload_size="Small", scale_to_zero_enabled=True)
    end = f"told-{u}"
    made = sdk.serving_endpoints.create_and_wait(end, config=serving.EndpointCoreConfigInput(name=end, served_entities=[entity]))
    answer = sdk.serving_endpoints.query(end, dataframe_records=[{"a": 1.0, "b": 0.0}])
    assert answer.predictions[0] == pytest.approx(float(booster.predict(np.array([[1.0, 0.0]]))[0]), rel=1e-6)
    wrong = pytest.raises(errors.BadRequest, sdk.serving_endpoints.query, end, dataframe_records=[{"a": 1.0}])
    assert "schema '['a': double (required), 'b': double (required)]'. Error: Model is missing inputs ['b']." in str(wrong.value)
    api = json.loads(sdk.serving_endpoints.get_open_api(end).contents.read())
    assert api["openapi"] == "3.1.0" and api["servers"][0]["url"].endswith(f"/serving-endpoints/{end}")
    metrics = sdk.serving_endpoints.export_metrics(end).contents.read().decode()
    count = next(line for line in metrics.splitlines() if line.startswith('request_count_total{served_model_name="a"'))
    assert count.endswith(" 2")  # the refused one, too
    assert isinstance(sdk.serving_endpoints.logs(end, "a").logs, str) and sdk.serving_endpoints.build_logs(end, "a").logs
    assert {t.key: t.value for t in sdk.serving_endpoints.patch(end, add_tags=[serving.EndpointTag("team", "x"), serving.EndpointTag("drop")]).tags}["team"] == "x"
    assert [t.key for t in sdk.serving_endpoints.patch(end, delete_tags=["drop"]).tags] == ["team"]
    group = sdk.groups.create(display_name=f"askers-{u}").display_name
    may, level = serving.ServingEndpointAccessControlRequest, serving.ServingEndpointPermissionLevel
    sdk.serving_endpoints.set_permissions(made.id, access_control_list=[may(group_name=group, permission_level=level.CAN_VIEW)])
    acl = sdk.serving_endpoints.get_permissions(made.id).access_control_list
    assert [a.all_permissions[0].permission_level.value for a in acl if a.group_name == group] == ["CAN_VIEW"]
    sdk.serving_endpoints.update_permissions(made.id, access_control_list=[may(group_name=group, permission_level=level.CAN_QUERY)])
    acl = sdk.serving_endpoints.get_permissions(made.id).access_control_list
    assert [a.all_permissions[0].permission_level.value for a in acl if a.group_name == group] == ["CAN_QUERY"]
    assert len(sdk.serving_endpoints.get_permission_levels(made.id).permission_levels) == 3
    entity.name = "b"
    new = sdk.serving_endpoints.update_config_and_wait(end, served_entities=[entity])
    assert [e.name for e in new.config.served_entities] == ["b"] and new.config.config_version == made.config.config_version + 1
    sdk.serving_endpoints.delete(end)
    with pytest.raises(errors.NotFound):
        sdk.serving_endpoints.get(end)
