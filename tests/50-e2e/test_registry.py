# SPDX-License-Identifier: Apache-2.0
"""Model registries through the unmodified MLflow client and databricks-sdk.

The same flow runs against the workspace registry (both transports) and against Unity Catalog (MLflow's
dialect and the native one); what only one of them has is tested beside it.
"""

import numpy as np
import pandas as pd
import pytest
from databricks.sdk import errors
from databricks.sdk.service import ml

X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 1.0, 0.0, 1.0]})
Y = np.array([0, 1, 0, 1])
KINDS = {"http": ("http", None), "databricks": ("databricks", None), "uc": ("databricks", "databricks-uc"),
         "uc-native": ("databricks", "databricks-uc")}


def log_model(mlflow, name=None):
    """A small model with a signature: (info, the model itself)."""
    from sklearn.linear_model import LogisticRegression
    model = LogisticRegression().fit(X, Y)
    signature = mlflow.models.infer_signature(X, model.predict(X))
    with mlflow.start_run():
        return mlflow.sklearn.log_model(model, name="model", signature=signature, registered_model_name=name), model


@pytest.fixture(params=list(KINDS))
def registry(platform, u, request):
    """(mlflow, MlflowClient, kind, a free model name)"""
    transport, registry = KINDS[request.param]
    native = {"MLFLOW_ENABLE_UC_NATIVE_MODEL_REGISTRY": "true"} if request.param == "uc-native" else {}
    with platform.mlflow(transport, registry=registry, env=native) as mlflow:
        mlflow.set_experiment(f"/Shared/registry-{u}")
        uc, c = request.param.startswith("uc"), mlflow.MlflowClient()
        assert ("Native" in type(c._get_registry_client().store).__name__) == (request.param == "uc-native")
        yield mlflow, c, request.param, f"main.default.m_{u}" if uc else f"m {u}"


def test_register_load_delete(registry):
    mlflow, c, kind, name = registry
    info, model = log_model(mlflow)
    first = mlflow.register_model(info.model_uri, name, tags={"a": "b"})
    assert (str(first.version), first.status) == ("1", "READY")
    assert str(mlflow.register_model(info.model_uri, name).version) == "2"
    got = c.get_model_version(name, "1")
    assert got.tags == {"a": "b"} and got.status == "READY" and got.run_id == info.run_id
    assert np.array_equal(mlflow.pyfunc.load_model(f"models:/{name}/1").predict(X), model.predict(X))

    c.update_registered_model(name, description="of the model")
    c.update_model_version(name, "2", description="of the version")
    c.set_registered_model_tag(name, "team", "ops")
    c.set_model_version_tag(name, "2", "k", "v")
    assert c.get_registered_model(name).description == "of the model"
    assert c.get_registered_model(name).tags == {"team": "ops"}
    assert c.get_model_version(name, "2").tags == {"k": "v"}
    c.delete_registered_model_tag(name, "team")
    c.delete_model_version_tag(name, "2", "k")
    assert not c.get_registered_model(name).tags and not c.get_model_version(name, "2").tags

    assert name in {m.name for m in c.search_registered_models(max_results=1000)}
    assert {str(v.version) for v in c.search_model_versions(f"name = '{name}'")} == {"1", "2"}
    c.delete_model_version(name, "2")
    with pytest.raises(mlflow.MlflowException):
        c.get_model_version(name, "2")
    assert str(mlflow.register_model(info.model_uri, name).version) == "3"
    for v in ("1", "3"):
        c.delete_model_version(name, v)
    c.delete_registered_model(name)
    with pytest.raises(mlflow.MlflowException) as e:
        c.get_registered_model(name)
    assert e.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_aliases(registry):
    mlflow, c, kind, name = registry
    if kind == "databricks":
        pytest.skip("the client refuses aliases of this registry")
    log_model(mlflow, name), log_model(mlflow, name)
    c.set_registered_model_alias(name, "champion", "1")
    assert str(c.get_model_version_by_alias(name, "champion").version) == "1"
    c.set_registered_model_alias(name, "champion", "2")
    assert str(c.get_model_version_by_alias(name, "champion").version) == "2"
    assert "champion" in c.get_model_version(name, "2").aliases
    assert mlflow.pyfunc.load_model(f"models:/{name}@champion").predict(X).shape == (4,)
    assert {a: str(v) for a, v in c.get_registered_model(name).aliases.items()} == {"champion": "2"}
    with pytest.raises(mlflow.MlflowException):
        c.set_registered_model_alias(name, "v1", "1")
    with pytest.raises(mlflow.MlflowException):
        c.set_registered_model_alias(name, "next", "9")
    c.delete_registered_model_alias(name, "champion")
    with pytest.raises(mlflow.MlflowException):
        c.get_model_version_by_alias(name, "champion")


def test_stages(registry):
    mlflow, c, kind, name = registry
    if kind.startswith("uc"):
        pytest.skip("Unity Catalog has no stages")
    log_model(mlflow, name), log_model(mlflow, name)
    c.transition_model_version_stage(name, "1", "Production")
    c.transition_model_version_stage(name, "2", "Production", archive_existing_versions=True)
    assert c.get_model_version(name, "1").current_stage == "Archived"
    assert [v.version for v in c.get_latest_versions(name, stages=["Production"])] == ["2"]
    assert mlflow.pyfunc.load_model(f"models:/{name}/Production").predict(X).shape == (4,)


def test_search_and_pages(platform, u):
    with platform.mlflow("http") as mlflow:
        c = mlflow.MlflowClient()
        names = [f"page-{u}-{i:02d}" for i in range(25)]
        for i, name in enumerate(names):
            c.create_registered_model(name, tags={"half": str(i % 2)})
        found, token = [], None
        while True:
            page = c.search_registered_models(f"name LIKE 'page-{u}-%'", max_results=7, page_token=token)
            found += [m.name for m in page]
            token = page.token
            if not token:
                break
        assert found == names
        odd = c.search_registered_models(f"name LIKE 'page-{u}-%' AND tags.half = '1'", order_by=["name DESC"])
        assert [m.name for m in odd] == names[1::2][::-1]
        with pytest.raises(mlflow.MlflowException) as e:
            c.search_registered_models("description = 'x'")
        assert e.value.error_code == "INVALID_PARAMETER_VALUE"
        with pytest.raises(mlflow.MlflowException):
            c.create_registered_model(names[0])


def test_a_renamed_model_keeps_its_files(platform, sdk, u):
    """Files lie by ids: a new name finds them, and a new model of the old name does not."""
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment(f"/Shared/rename-{u}")
        old, new = f"main.default.old_{u}", f"main.default.new_{u}"
        log_model(mlflow, old)
        sdk.registered_models.update(old, new_name=f"new_{u}")
        assert mlflow.pyfunc.load_model(f"models:/{new}/1").predict(X).shape == (4,)
        assert mlflow.pyfunc.load_model(f"models:/{new.upper()}/1").predict(X).shape == (4,)
        names = {f.name for f in sdk.files.list_directory_contents(f"/Models/main/default/new_{u}/1")}
        assert "MLmodel" in names
        sdk.registered_models.create(catalog_name="main", schema_name="default", name=f"old_{u}")
        with pytest.raises(errors.NotFound):
            sdk.files.download(f"/Models/main/default/old_{u}/1/MLmodel")
        # A finalized version is not written any more.
        with pytest.raises(errors.PermissionDenied):
            import io
            sdk.files.upload(f"/Models/main/default/new_{u}/1/MLmodel", io.BytesIO(b"x"), overwrite=True)
        sdk.model_versions.delete(new, 1)
        with pytest.raises(errors.NotFound):
            sdk.files.download(f"/Models/main/default/new_{u}/1/MLmodel")


def test_versions_through_the_sdk(platform, sdk, u):
    with platform.mlflow("databricks", registry="databricks-uc") as mlflow:
        mlflow.set_experiment(f"/Shared/sdk-{u}")
        name = f"main.default.sdk_{u}"
        log_model(mlflow, name), log_model(mlflow, name)
    assert [v.version for v in sdk.model_versions.list(name)] == [2, 1]
    assert [v.version for v in sdk.model_versions.list(name, max_results=1)] == [2, 1]
    sdk.registered_models.set_alias(name, "best", 1)
    assert sdk.model_versions.get_by_alias(name, "best").version == 1
    assert [a.alias_name for a in sdk.registered_models.get(name, include_aliases=True).aliases] == ["best"]
    sdk.model_versions.update(name, 1, comment="c")
    assert sdk.model_versions.get(name, 1).comment == "c"
    assert sdk.model_versions.get(name, 1).status.value == "READY"
    sdk.registered_models.delete_alias(name, "best")
    assert name in {m.full_name for m in sdk.registered_models.list(catalog_name="main", schema_name="default")}
    sdk.registered_models.delete(name)
    with pytest.raises(errors.NotFound):
        sdk.registered_models.get(name)
    with pytest.raises(errors.NotFound):
        sdk.model_versions.get(name, 1)


def test_workspace_registry_through_the_sdk(sdk, u):
    name = f"sdk-{u}"
    sdk.model_registry.create_model(name, description="d", tags=[ml.ModelTag(key="a", value="b")])
    with pytest.raises(errors.ResourceAlreadyExists):
        sdk.model_registry.create_model(name)
    sdk.model_registry.create_model_version(name, source="s3://elsewhere/model")
    got = sdk.model_registry.get_model(name).registered_model_databricks
    assert got.id.isdigit() and got.permission_level.value == "CAN_MANAGE" and got.description == "d"
    sdk.model_registry.transition_stage(name, "1", "Staging", False)
    assert [v.version for v in sdk.model_registry.get_latest_versions(name, stages=["Staging"])] == ["1"]
    assert sdk.model_registry.get_model_version_download_uri(name, "1").artifact_uri == "s3://elsewhere/model"
    assert name in {m.name for m in sdk.model_registry.list_models()}
    sdk.model_registry.rename_model(name, new_name=f"{name}-2")
    with pytest.raises(errors.NotFound):
        sdk.model_registry.get_model(name)
    sdk.model_registry.delete_model(f"{name}-2")


def test_a_source_must_be_readable(platform, sdk, u):
    """Nobody registers what he cannot read, whatever he calls it."""
    with platform.mlflow("databricks") as mlflow:
        mlflow.set_experiment(f"/Shared/secret-{u}")
        info, _ = log_model(mlflow)
        uri = mlflow.get_logged_model(info.model_id).artifact_location
    _, theirs = platform.another(f"thief-{u}")
    theirs.model_registry.create_model(f"mine-{u}")
    for source in (info.model_uri, uri, f"runs:/{info.run_id}/model"):
        with pytest.raises((errors.NotFound, errors.PermissionDenied)):
            theirs.model_registry.create_model_version(f"mine-{u}", source=source)
    sdk.model_registry.create_model(f"ours-{u}")
    sdk.model_registry.create_model_version(f"ours-{u}", source=info.model_uri)
    with pytest.raises(errors.NotFound):
        theirs.api_client.do("GET", "/api/2.0/mlflow/model-versions/list-artifacts",
                             query={"name": f"ours-{u}", "version": "1"})
    listed = sdk.api_client.do("GET", "/api/2.0/mlflow/model-versions/list-artifacts",
                               query={"name": f"ours-{u}", "version": "1"})
    assert "MLmodel" in {f["path"] for f in listed["files"]}
    link = sdk.api_client.do("GET", "/api/2.0/mlflow/model-versions/get-signed-download-uri",
                             query={"name": f"ours-{u}", "version": "1", "path": "MLmodel"})["signed_uri"]
    import requests
    answer = requests.get(link, timeout=60)
    assert answer.status_code == 200 and "flavors" in answer.text
    with pytest.raises(errors.NotFound):
        sdk.api_client.do("GET", "/api/2.0/mlflow/model-versions/get-signed-download-uri",
                          query={"name": f"ours-{u}", "version": "1", "path": "nothing"})
