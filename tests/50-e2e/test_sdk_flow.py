# SPDX-License-Identifier: Apache-2.0
"""Identity, tokens, permissions, files and catalog through the unmodified databricks-sdk."""

import io
import os

import pytest
from databricks.sdk import errors
from databricks.sdk.service import catalog, iam


def test_who_am_i(platform, sdk):
    me = sdk.current_user.me()
    assert me.user_name == "admin" and me.id.isdigit()
    assert sdk.get_workspace_id() == int(sdk.get_workspace_id())
    answer = platform.request("GET", "/api/2.0/preview/scim/v2/Me")
    assert int(answer.headers["X-Databricks-Org-Id"]) == sdk.get_workspace_id()


def test_discovery_needs_no_token(platform):
    found = platform.request("GET", "/.well-known/databricks-config", token="").json()
    assert found["oidc_endpoint"].startswith("http") and found["account_id"] and int(found["workspace_id"])


@pytest.mark.parametrize("token", ["", "dapi-wrong", "x" * 5000])
def test_wrong_tokens_are_401_with_a_body(platform, token):
    for method, path in (("GET", "/api/2.0/preview/scim/v2/Me"), ("POST", "/serving-endpoints/any/invocations"),
                         ("GET", "/api/2.0/token/list"), ("POST", "/api/2.0/mlflow/runs/search")):
        answer = platform.request(method, path, body={}, token=token)
        assert answer.status_code == 401, (method, path, answer.status_code, answer.text)
        assert "scim" in path or {"error_code", "message"} <= set(answer.json())


def test_unknown_paths(platform):
    for path in ("/api/2.0/nothing/here", "/api/9.9/x", "/nothing"):
        answer = platform.request("GET", path)
        assert answer.status_code == 404 and answer.json()["error_code"] == "ENDPOINT_NOT_FOUND", answer.text


def test_errors_become_the_sdks_classes(sdk):
    with pytest.raises(errors.NotFound):
        sdk.serving_endpoints.get("there-is-none")
    with pytest.raises(errors.NotFound):
        sdk.dbfs.get_status("/there/is/none")
    with pytest.raises(errors.InvalidParameterValue):
        sdk.api_client.do("POST", "/api/2.0/token/create", body={"lifetime_seconds": "soon"})


def test_tokens_end_when_revoked(platform, sdk):
    made = sdk.tokens.create(comment="for a test", lifetime_seconds=600)
    info = made.token_info
    assert info.comment == "for a test" and info.expiry_time - info.creation_time == 600000
    other = platform.sdk(made.token_value)
    assert other.current_user.me().user_name == "admin"
    listed = {t.token_id: t for t in sdk.tokens.list()}
    assert info.token_id in listed and not hasattr(listed[info.token_id], "token_value")
    sdk.tokens.delete(info.token_id)
    with pytest.raises(errors.Unauthenticated):
        other.current_user.me()
    assert platform.request("POST", "/serving-endpoints/x/invocations", body={}, token=made.token_value).status_code == 401
    assert info.token_id not in {t.token_id for t in sdk.tokens.list()}


def test_users_groups_and_principals(sdk, u):
    user = sdk.users.create(user_name=f"ann-{u}@example.com", display_name="Ann")
    assert sdk.users.get(user.id).display_name == "Ann"
    assert [x.id for x in sdk.users.list(filter=f'userName eq "ann-{u}@example.com"')] == [user.id]
    assert [x.id for x in sdk.users.list(filter=f'userName co "{u}" and displayName sw "A"')] == [user.id]
    with pytest.raises(errors.DatabricksError):
        sdk.users.create(user_name=f"ANN-{u}@example.com")
    principal = sdk.service_principals.create(display_name=f"robot-{u}")
    assert principal.application_id
    inner = sdk.groups.create(display_name=f"inner-{u}", members=[iam.ComplexValue(value=user.id)])
    outer = sdk.groups.create(display_name=f"outer-{u}", members=[iam.ComplexValue(value=inner.id)])
    add = iam.Patch(op=iam.PatchOp.ADD, path="members", value=[{"value": principal.id}])
    sdk.groups.patch(outer.id, operations=[add], schemas=[iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP])
    assert {m.value for m in sdk.groups.get(outer.id).members} == {inner.id, principal.id}
    drop = iam.Patch(op=iam.PatchOp.REMOVE, path=f'members[value eq "{principal.id}"]')
    sdk.groups.patch(outer.id, operations=[drop], schemas=[iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP])
    assert {m.value for m in sdk.groups.get(outer.id).members} == {inner.id}
    assert {g.value for g in sdk.users.get(user.id).groups} >= {inner.id}
    # Pages: each one object once, and an index past the end is empty.
    all_ids = [x.id for x in sdk.users.list(count=1)]
    assert len(all_ids) == len(set(all_ids)) and user.id in all_ids
    assert sdk.api_client.do("GET", "/api/2.0/preview/scim/v2/Users", query={"startIndex": 100000}).get("Resources", []) == []
    for delete, i in ((sdk.groups.delete, outer.id), (sdk.groups.delete, inner.id), (sdk.service_principals.delete, principal.id),
                      (sdk.users.delete, user.id)):
        delete(i)
    with pytest.raises(errors.DatabricksError):
        sdk.users.get(user.id)


def test_oauth_for_machines(platform, sdk, u):
    principal = sdk.service_principals.create(display_name=f"m2m-{u}")
    secret = sdk.service_principal_secrets_proxy.create(principal.id)
    machine = platform.sdk(client_id=principal.application_id, client_secret=secret.secret)
    assert machine.config.auth_type == "oauth-m2m"
    assert machine.current_user.me().user_name == principal.application_id
    wrong = platform.sdk(client_id=principal.application_id, client_secret="not-it")
    with pytest.raises(Exception):
        wrong.current_user.me()


def test_object_permissions(platform, sdk, u):
    name, theirs = platform.another(f"bob-{u}")
    exp = sdk.experiments.create_experiment(name=f"/Shared/private-{u}").experiment_id
    with pytest.raises((errors.PermissionDenied, errors.NotFound)):
        theirs.experiments.get_experiment(exp)
    levels = {x.permission_level.value for x in sdk.permissions.get_permission_levels("experiments", exp).permission_levels}
    assert {"CAN_READ", "CAN_EDIT", "CAN_MANAGE"} <= levels
    request = iam.AccessControlRequest(
        service_principal_name=name, permission_level=iam.PermissionLevel.CAN_READ)
    sdk.permissions.update("experiments", exp, access_control_list=[request])
    acl = {a.user_name or a.service_principal_name: {p.permission_level.value for p in a.all_permissions}
           for a in sdk.permissions.get("experiments", exp).access_control_list}
    assert acl[name] == {"CAN_READ"} and "CAN_MANAGE" in acl["admin"]
    assert theirs.experiments.get_experiment(exp).experiment.experiment_id == exp
    with pytest.raises(errors.PermissionDenied):
        theirs.experiments.create_run(experiment_id=exp)
    sdk.permissions.set("experiments", exp, access_control_list=[])
    with pytest.raises((errors.PermissionDenied, errors.NotFound)):
        theirs.experiments.get_experiment(exp)


def test_catalog_objects_and_grants(platform, sdk, u):
    name, theirs = platform.another(f"carl-{u}")
    made = sdk.catalogs.create(name=f"Cat_{u}", comment="c")
    assert sdk.catalogs.get(f"cat_{u}").name == made.name
    schema = sdk.schemas.create(name="s", catalog_name=made.name)
    assert schema.full_name.lower() == f"cat_{u}.s"
    model = sdk.registered_models.create(catalog_name=made.name, schema_name="s", name="m")
    with pytest.raises(errors.DatabricksError):
        theirs.registered_models.get(model.full_name)
    for kind, thing, privilege in (("catalog", made.name, "USE_CATALOG"), ("schema", schema.full_name, "USE_SCHEMA"),
                                  ("function", model.full_name, "EXECUTE")):
        change = catalog.PermissionsChange(principal=name, add=[catalog.Privilege(privilege)])
        sdk.grants.update(kind, thing, changes=[change])
    assert theirs.registered_models.get(model.full_name).full_name == model.full_name
    granted = sdk.grants.get("catalog", made.name).privilege_assignments
    assert [(g.principal, [p.value for p in g.privileges]) for g in granted if g.principal == name] == [
        (name, ["USE_CATALOG"])]
    take = catalog.PermissionsChange(principal=name, remove=[catalog.Privilege.USE_CATALOG])
    sdk.grants.update("catalog", made.name, changes=[take])
    with pytest.raises(errors.DatabricksError):
        theirs.registered_models.get(model.full_name)
    sdk.registered_models.delete(model.full_name)
    sdk.schemas.delete(schema.full_name)
    sdk.catalogs.delete(made.name)
    with pytest.raises(errors.NotFound):
        sdk.catalogs.get(made.name)


def test_files_of_models(sdk, u):
    """The Files API under the roots that MLflow uses: names, ranges, overwriting, listing."""
    exp = sdk.experiments.create_experiment(name=f"/Shared/files-{u}").experiment_id
    run = sdk.experiments.create_run(experiment_id=exp).run.info.run_id
    root = f"/WorkspaceInternal/Mlflow/Artifacts/{exp}/Runs/{run}/artifacts"
    data = os.urandom(3 << 20)
    sdk.files.upload(f"{root}/d/a b ü.bin", io.BytesIO(data), overwrite=True)
    with pytest.raises(errors.DatabricksError) as e:
        sdk.files.upload(f"{root}/d/a b ü.bin", io.BytesIO(b"x"), overwrite=False)
    assert e.value.error_code in ("ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS")
    assert sdk.files.get_metadata(f"{root}/d/a b ü.bin").content_length == len(data)
    assert sdk.files.download(f"{root}/d/a b ü.bin").contents.read() == data
    assert [f.path for f in sdk.files.list_directory_contents(f"{root}/d")] == [f"{root}/d/a b ü.bin"]
    with pytest.raises(errors.NotFound):
        sdk.files.download(f"{root}/none")
    sdk.files.delete(f"{root}/d/a b ü.bin")
    with pytest.raises(errors.NotFound):
        sdk.files.get_metadata(f"{root}/d/a b ü.bin")


def test_dbfs(sdk, u):
    data = os.urandom((1 << 20) * 2 + 5)
    sdk.dbfs.mkdirs(f"/tmp/{u}")
    sdk.dbfs.upload(f"/tmp/{u}/x.bin", io.BytesIO(data), overwrite=True)
    assert sdk.dbfs.download(f"/tmp/{u}/x.bin").read() == data
    assert [(f.path, f.file_size) for f in sdk.dbfs.list(f"/tmp/{u}")] == [(f"/tmp/{u}/x.bin", len(data))]
    sdk.dbfs.delete(f"/tmp/{u}", recursive=True)
    assert not sdk.dbfs.exists(f"/tmp/{u}")


def test_workspace_header_must_agree(platform, sdk):
    mine = str(sdk.get_workspace_id())
    path = "/api/2.0/token/list"
    assert platform.request("GET", path, headers={"X-Databricks-Org-Id": mine}).status_code == 200
    assert platform.request("GET", path, headers={"X-Databricks-Org-Id": str(int(mine) + 1)}).status_code in (400, 401, 403, 404)
