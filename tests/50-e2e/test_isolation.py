# SPDX-License-Identifier: Apache-2.0
"""Two workspaces with objects of the same names: every route, taken from the route table, is called with the
other's ids, by the other's credential and by one's own that names the other. None answers with the other's
data, and nothing of the other changes. Two users of one workspace: each door asks for rights."""

import base64
import json
import uuid

import pytest
import requests
from boathouse import BINARY, Platform
from doors import all_doors

SCIM = "/api/2.0/preview/scim/v2"
ML = "/api/2.0/mlflow"


class Caller:
    """Raw requests with one credential, in one workspace."""

    def __init__(self, platform, token, workspace=None):
        self.platform, self.token, self.workspace = platform, token, workspace
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(self, method, path, body=None, headers=None, data=None, params=None):
        head = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if self.workspace:
            head.setdefault("X-Databricks-Workspace-Id", str(self.workspace))
        return self.session.request(method, self.platform.url + path, json=body if data is None else None, data=data, params=params,
                                    headers=head, timeout=60, allow_redirects=False)

    def ok(self, method, path, body=None, **more):
        r = self(method, path, body, **more)
        assert r.status_code < 300, (method, path, r.status_code, r.text)
        return r.json() if r.text else {}


def machine(platform, sp, secret):
    r = requests.post(f"{platform.url}/oidc/v1/token", data={"grant_type": "client_credentials"}, auth=(sp, secret), timeout=30)
    return r.json()["access_token"]


def account_admin(platform):
    """A machine that is account admin; its tokens are of no workspace."""
    first = Caller(platform, platform.token)
    sp = first.ok("POST", f"{SCIM}/ServicePrincipals", {"displayName": "root", "roles": [{"value": "account_admin"}]})
    secret = first.ok("POST", f"/api/2.0/accounts/servicePrincipals/{sp['id']}/credentials/secrets", {})["secret"]
    return Caller(platform, machine(platform, sp["applicationId"], secret))


def member(root, workspace, name, admin=False):
    """A service principal of one workspace: (its SCIM resource, its Caller with a token of that workspace)."""
    here = {"X-Databricks-Workspace-Id": str(workspace)}
    sp = root.ok("POST", f"{SCIM}/ServicePrincipals", {"displayName": name}, headers=here)
    if admin:
        group = root.ok("GET", f"{SCIM}/Groups", params={"filter": 'displayName eq "admins"'}, headers=here)["Resources"][0]["id"]
        root.ok("PATCH", f"{SCIM}/Groups/{group}", {"Operations": [{"op": "add", "path": "members", "value": [{"value": sp["id"]}]}]}, headers=here)
    made = root.ok("POST", "/api/2.0/token-management/on-behalf-of/tokens", {"application_id": sp["applicationId"]}, headers=here)
    return sp, Caller(root.platform, made["token_value"])


def furnish(root, call, side, workspace):
    """Objects with the same names on either side; what each says holds `side`. The ids, by parameter name."""
    name, ids = "same", {"workspace_id": workspace}
    user = root.ok("POST", f"{SCIM}/Users", {"userName": f"{side}@example.com", "displayName": side},
                   headers={"X-Databricks-Workspace-Id": str(workspace)})
    group = call.ok("POST", f"{SCIM}/Groups", {"displayName": name, "externalId": side, "members": [{"value": user["id"]}]})
    sp = call.ok("POST", f"{SCIM}/ServicePrincipals", {"displayName": side, "applicationId": f"app-{side}"})
    secret = call.ok("POST", f"/api/2.0/accounts/servicePrincipals/{sp['id']}/credentials/secrets", {})
    token = call.ok("POST", "/api/2.0/token/create", {"comment": side})
    ids |= {"user": user["id"], "group": group["id"], "sp": sp["id"], "service_principal_id": sp["id"], "application_id": f"app-{side}",
            "secret_id": secret["id"], "token_id": token["token_info"]["token_id"], "principal": f"app-{side}"}
    exp = call.ok("POST", f"{ML}/experiments/create", {"name": "/Shared/same", "tags": [{"key": "k", "value": side}]})["experiment_id"]
    run = call.ok("POST", f"{ML}/runs/create", {"experiment_id": exp, "run_name": name, "start_time": 1,
                                                "tags": [{"key": "t", "value": side}]})["run"]["info"]["run_id"]
    call.ok("POST", f"{ML}/runs/log-batch", {"run_id": run, "params": [{"key": "p", "value": side}],
                                             "metrics": [{"key": "m", "value": 1 if side.startswith("aa") else 2, "timestamp": 1, "step": 0}]})
    model = call.ok("POST", f"{ML}/logged-models", {"experiment_id": exp, "name": name, "tags": [{"key": "t", "value": side}]})
    model_id = model["model"]["info"]["model_id"]
    art = f"{exp}/{run}/artifacts/f.txt"
    files = f"/WorkspaceInternal/Mlflow/Artifacts/{exp}/Runs/{run}/artifacts/f.txt"
    call.ok("PUT", f"/api/2.0/fs/files{files}", data=f"file of {side}".encode())
    call.ok("POST", "/api/2.0/dbfs/put", {"path": "/same.txt", "contents": base64.b64encode(f"dbfs of {side}".encode()).decode()})
    handle = call.ok("POST", "/api/2.0/dbfs/create", {"path": "/open.txt"})["handle"]
    upload = call.ok("POST", f"/api/2.0/fs/files{files}.big?action=initiate-upload&overwrite=true")
    call.ok("POST", f"{ML}/registered-models/create", {"name": name, "description": side})
    call.ok("POST", f"{ML}/model-versions/create", {"name": name, "source": f"dbfs:/databricks/mlflow-tracking/{exp}/{run}/artifacts",
                                                    "run_id": run, "description": side})
    registered = call.ok("GET", f"{ML}/databricks/registered-models/get", params={"name": name})["registered_model_databricks"]["id"]
    call.ok("POST", f"{ML}/registered-models/alias", {"name": name, "alias": "al", "version": "1"})
    # The catalog is the account's, so the two sides have catalogs of their own.
    cat, full = f"cat_{side}", f"cat_{side}.s.m"
    here = {"X-Databricks-Workspace-Id": str(workspace)}
    root.ok("POST", "/api/2.1/unity-catalog/catalogs", {"name": cat, "comment": side}, headers=here)
    root.ok("PATCH", f"/api/2.1/unity-catalog/catalogs/{cat}", {"owner": call.name}, headers=here)
    call.ok("POST", "/api/2.0/serving-endpoints", {"name": name, "description": side})
    call.ok("POST", "/api/2.1/unity-catalog/schemas", {"name": "s", "catalog_name": cat, "comment": side})
    call.ok("POST", "/api/2.1/unity-catalog/models", {"name": "m", "catalog_name": cat, "schema_name": "s", "comment": side})
    call.ok("POST", "/api/2.1/unity-catalog/models/versions", {"catalog_name": cat, "schema_name": "s", "model_name": "m", "source": "dbfs:/x"})
    mfile = f"/Models/{cat}/s/m/1/MLmodel"
    call.ok("PUT", f"/api/2.0/fs/files{mfile}", data=f"model of {side}".encode())
    warehouse = call.ok("POST", "/api/2.0/sql/warehouses", {"name": side, "tags": {"custom_tags": [{"key": "t", "value": side}]}})["id"]
    session = call.ok("POST", "/api/2.0/sql/sessions", {"warehouse_id": warehouse})["session_id"]
    statement = call.ok("POST", "/api/2.0/sql/statements", {"warehouse_id": warehouse, "session_id": session, "wait_timeout": "50s",
                                                            "statement": f"SELECT '{side}'"})["statement_id"]
    ids |= {"warehouse": warehouse, "warehouse_id": warehouse, "session_id": session, "statement_id": statement, "chunk_index": 0}
    return ids | {"experiment_id": exp, "run_id": run, "run_uuid": run, "model_id": model_id, "artifact": art, "files": files, "mfile": mfile,
                  "handle": handle, "session_token": upload["multipart_upload"]["session_token"], "registered": registered,
                  "cat": cat, "full": full, "side": side}


READS = [("GET", f"{SCIM}/Users"), ("GET", f"{SCIM}/Groups"), ("GET", f"{SCIM}/ServicePrincipals"), ("GET", f"{SCIM}/Me"),
         ("GET", "/api/2.0/accounts/servicePrincipals/{sp}/credentials/secrets"),
         ("GET", "/api/2.0/token-management/tokens"), ("POST", f"{ML}/experiments/search"), ("GET", f"{ML}/experiments/get?experiment_id={{experiment_id}}"),
         ("GET", f"{ML}/runs/get?run_id={{run_id}}"), ("GET", f"{ML}/metrics/get-history?run_id={{run_id}}&metric_key=m"),
         ("GET", f"{ML}/logged-models/{{model_id}}"), ("GET", f"{ML}/artifacts/list?run_id={{run_id}}"), ("GET", "/api/2.0/fs/files{files}"),
         ("GET", "/api/2.0/dbfs/list?path=/"), ("GET", "/api/2.0/dbfs/read?path=/same.txt&length=100"),
         ("GET", f"{ML}/registered-models/get?name=same"), ("GET", f"{ML}/registered-models/search"), ("GET", f"{ML}/model-versions/search"),
         ("GET", f"{ML}/registered-models/alias?name=same&alias=al"), ("GET", "/api/2.0/permissions/experiments/{experiment_id}"),
         ("GET", "/api/2.0/permissions/registered-models/{registered}"), ("GET", "/api/2.1/unity-catalog/catalogs"),
         ("GET", "/api/2.1/unity-catalog/schemas?catalog_name={cat}"), ("GET", "/api/2.1/unity-catalog/models/{full}"),
         ("GET", "/api/2.1/unity-catalog/models/{full}/versions"), ("GET", "/api/2.0/fs/files{mfile}"),
         ("GET", "/api/2.1/unity-catalog/permissions/catalog/{cat}"), ("GET", "/api/2.0/serving-endpoints"),
         ("GET", "/api/2.0/sql/warehouses"), ("GET", "/api/2.0/permissions/warehouses/{warehouse}"), ("GET", "/api/2.0/sql/history/queries")]


def snapshot(call, ids):
    """What a side sees of its own objects."""
    seen = {}
    for method, path in READS:
        url = path.format(**ids)
        r = call(method, url, {"max_results": 1000} if method == "POST" else None)
        assert r.status_code == 200, (url, r.status_code, r.text)
        seen[url] = r.text
    return seen


class World:
    pass


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with Platform(tmp_path_factory.mktemp("two") / "data") as p:
        w = World()
        w.platform, w.root = p, account_admin(p)
        info = w.root.ok("GET", "/.well-known/databricks-config")
        w.account = info["account_id"]
        w.a_id = int(info["workspace_id"])
        w.b_id = w.root.ok("POST", f"/api/2.0/accounts/{w.account}/workspaces", {"workspace_name": "second"})["workspace_id"]
        w.a_side, w.b_side = f"aa{uuid.uuid4().hex[:8]}", f"bb{uuid.uuid4().hex[:8]}"
        for side, wid in (("a", w.a_id), ("b", w.b_id)):
            sp, call = member(w.root, wid, f"admin {side}", admin=True)
            call.name = sp["applicationId"]
            setattr(w, side, call)
            setattr(w, f"{side}_ids", furnish(w.root, call, getattr(w, f"{side}_side"), wid))
        yield w


def values(ids, door):
    """Values for the parameters of a door, by their names and by what the door is about."""
    v = {**ids, "account_id": ids["account"], "id": ids["experiment_id"], "name": "same", "type": "experiments", "full_name": ids["full"],
         "catalog_name": ids["cat"], "schema_name": "s", "model_name": "m", "alias": "al", "version": "1", "version_num": 1, "tag_key": "t",
         "key": "t", "value": "changed", "path": ids["files"].lstrip("/"), "securable_type": "function", "subentity": "1",
         "experiment_ids": [ids["experiment_id"]], "run_ids": [ids["run_id"]], "metric_key": "m", "userName": "changed", "displayName": "changed",
         "Operations": [{"op": "replace", "path": "displayName", "value": "changed"}], "new_name": "changed", "description": "changed",
         "comment": "changed", "owner": "admin", "experiment_name": "/Shared/same", "source": "dbfs:/x", "stage": "Production",
         "source_path": "/same.txt", "destination_path": "/moved.txt", "data": "eA==", "contents": "eA==", "length": 100, "overwrite": True,
         "recursive": True, "metrics": [{"key": "m", "value": 9, "timestamp": 1, "step": 1}], "params": [{"key": "q", "value": "changed"}],
         "tags": [{"key": "t", "value": "changed"}], "start_part_number": 1, "count": 1, "timestamp": 1, "step": 3, "max_timestamp_millis": 10**14,
         "min_timestamp_millis": 0, "status": "FINISHED", "created_by_username": ids["principal"], "expire_time": "2100-01-01T00:00:00Z",
         "access_control_list": [{"service_principal_name": ids["intruder"], "permission_level": "CAN_MANAGE"}],
         "changes": [{"principal": ids["intruder"], "add": ["ALL_PRIVILEGES"]}], "models": [{"model_id": ids["model_id"], "step": 0}],
         "members": [{"value": ids["user"]}], "stages": ["None"], "force": True, "workspace_name": "another",
         "entities": [], "name_like": "same"}
    path = door.path
    if "/scim/" in path:
        v["id"] = ids["user"] if "Users" in path else ids["group"] if "Groups" in path else ids["sp"]
    elif "/metastores/" in path:
        v["id"] = "1"
    elif "registered-models" in path and "permissions" in path:
        v["id"] = ids["registered"]
    elif "unity-catalog/catalogs/" in path:
        v["name"] = ids["cat"]
    elif "unity-catalog/schemas/" in path:
        v["full_name"] = f"{ids['cat']}.s"
    elif "mlflow/unity-catalog" in path or any(f"unity-catalog/{k}/" in path for k in ("volumes", "functions")):
        v["name"] = ids["full"]
    elif "/api/2.0/sql/" in path:
        v |= {"id": ids["warehouse"], "name": "changed", "statement": "SELECT 1", "wait_timeout": "0s", "tags": {"custom_tags": []},
              "channel": {"name": "CHANNEL_NAME_CURRENT"}, "auto_stop_mins": 77}
    elif "/dbfs/" in path:
        v["path"] = "/same.txt"
    elif "mlflow-artifacts" in path:
        v["path"] = v["artifact"].rsplit("/", 1)[0]
    elif path.startswith("/api/2.0/fs/create"):
        v["path"] = ids["files"]
    return v


def calls_of(door, ids):
    """(url, query, body) to try: everything that the schema knows, filled with the other's ids."""
    v = values(ids, door)
    fill = {f: v[f] for f in sorted(door.fields) if f in v}
    out = [(door.url(v), fill)]
    if "{type}" in door.path:
        for v2 in ({"type": "registered-models", "id": ids["registered"]}, {"type": "warehouses", "id": ids["warehouse"]}):
            out.append((door.url({**v, **v2}), fill))
    if "/fs/" in door.path and "{path" in door.path:
        out.append((door.url({**v, "path": ids["mfile"].lstrip("/")}), fill))
        out.append((door.url({**v, "path": ids["files"].lstrip("/") + ".big"}),
                    {**fill, "action": "complete-upload", "upload_type": "multipart", "parts": [{"part_number": 1, "etag": "x"}]}))
    if "{securable_type}" in door.path:
        out += [(door.url({**v, "securable_type": t, "full_name": n}), fill) for t, n in (("catalog", ids["cat"]), ("schema", ids["cat"] + ".s"))]
    return out


def send(call, door, url, fill, headers=None):
    if door.method in ("GET", "HEAD", "DELETE"):
        query = {k: json.dumps(x) if isinstance(x, (list, dict)) and not all(isinstance(i, str) for i in x) else x for k, x in fill.items()}
        return call(door.method, url, params=query, headers=headers)
    if door.method == "PUT" and ("/fs/files" in url or "/artifacts/" in url):
        return call(door.method, url, data=b"changed", params={"overwrite": "true"}, headers=headers)
    if "action" in fill:
        query = {k: fill[k] for k in ("action", "upload_type", "session_token")}
        return call(door.method, url, {"parts": fill["parts"]}, params=query, headers=headers)
    return call(door.method, url, fill, headers=headers)


@pytest.mark.parametrize("named", ["own", "header", "org"])
def test_no_route_answers_with_the_other_workspaces_data(world, named):
    """As admin of A with the ids of B; naming B or not."""
    ids = {**world.b_ids, "account": world.account, "intruder": world.a.name}
    before = snapshot(world.b, ids)
    headers = {"own": None, "header": {"X-Databricks-Workspace-Id": str(world.b_id)}, "org": {"x-databricks-org-id": str(world.b_id)}}[named]
    leaks, tried, refused = [], 0, 0
    for door in all_doors(BINARY):
        if door.who == "none":
            continue
        for url, fill in calls_of(door, ids):
            r = send(world.a, door, url, fill, headers)
            tried += 1
            refused += r.status_code >= 400
            told = r.text + json.dumps(dict(r.headers))
            # Its own words come back in errors ("'cat_bb… does not exist"); what it did not say must not.
            said = f"{url} {json.dumps(fill)}"
            if world.b_side in told and (r.status_code < 400 or world.b_side not in said):
                leaks.append((door.method, url, r.status_code, r.text[:300]))
            if headers and r.status_code < 400 and "/accounts/" not in url:
                leaks.append((door.method, url, r.status_code, "answered although the token is of another workspace"))
            assert r.status_code < 500, (door.method, url, r.text)
    assert not leaks, f"{len(leaks)} of {tried}: {json.dumps(leaks[:12], indent=1)}"
    assert tried > 200 and refused > tried // 2
    after = snapshot(world.b, ids)
    changed = {k: (before[k], after[k]) for k in before if before[k] != after[k]}
    assert not changed, json.dumps(changed, indent=1)[:3000]


def test_machine_of_no_workspace_enters_only_its_own(world):
    """An OAuth token is of no workspace: it acts where its principal is a member, nowhere else."""
    sp = world.a.ok("POST", f"{SCIM}/ServicePrincipals", {"displayName": "only here"})
    secret = world.a.ok("POST", f"/api/2.0/accounts/servicePrincipals/{sp['id']}/credentials/secrets", {})["secret"]
    token = machine(world.platform, sp["applicationId"], secret)
    here, there = Caller(world.platform, token, world.a_id), Caller(world.platform, token, world.b_id)
    assert here("GET", f"{SCIM}/Me").status_code == 200
    wrong = []
    for door in all_doors(BINARY):
        if door.who == "none" or door.path.startswith("/api/2.0/accounts/"):
            continue
        r = there(door.method, door.url({"account_id": world.account}), {} if door.method not in ("GET", "HEAD") else None)
        if r.status_code not in (403, 404) or world.b_side in r.text:
            wrong.append((door.method, door.path, r.status_code, r.text[:200]))
    assert not wrong, wrong[:10]


def test_admin_of_one_workspace_does_not_become_more(world):
    """What would make an admin of A an admin of B, or of the account."""
    a, ids = world.a, world.b_ids
    first = next(u for u in a.ok("GET", f"{SCIM}/Users")["Resources"] if u["userName"] == "admin")["id"]
    root = next(s for s in a.ok("GET", f"{SCIM}/ServicePrincipals")["Resources"] if s["displayName"] == "root")

    def no(method, path, body=None, status=(403, 404), **more):
        r = a(method, path, body, **more)
        assert r.status_code in status, (method, path, r.status_code, r.text)
    secrets = "/api/2.0/accounts/servicePrincipals/{}/credentials/secrets"
    # Credentials of those who are more, or of others.
    for who in (root["id"], ids["sp"]):
        no("POST", secrets.format(who), {})
        no("GET", secrets.format(who))
        no("POST", f"/api/2.0/accounts/{world.account}/servicePrincipals/{who}/credentials/secrets", {})
    for app in (root["applicationId"], ids["application_id"]):
        no("POST", "/api/2.0/token-management/on-behalf-of/tokens", {"application_id": app})
    # B's service principal joins A: it is then visible here, but still no one's to impersonate.
    joined = a.ok("POST", f"{SCIM}/ServicePrincipals", {"applicationId": ids["application_id"]})
    assert joined["id"] == ids["sp"]
    no("POST", secrets.format(ids["sp"]), {})
    change = {"Operations": [{"op": "replace", "value": {"active": False, "displayName": "taken"}}]}
    no("PATCH", f"{SCIM}/ServicePrincipals/{ids['sp']}", change)
    no("PUT", f"{SCIM}/ServicePrincipals/{ids['sp']}", {"displayName": "taken", "active": False})
    # Deleting it takes it out of A; in B it lives on.
    assert a("DELETE", f"{SCIM}/ServicePrincipals/{ids['sp']}").status_code == 204
    no("GET", f"{SCIM}/ServicePrincipals/{ids['sp']}")
    assert world.b.ok("GET", f"{SCIM}/ServicePrincipals/{ids['sp']}")["displayName"] == ids["side"]
    # Account admins are not his to change, nor is the role his to give.
    no("PATCH", f"{SCIM}/Users/{first}", change)
    no("DELETE", f"{SCIM}/Users/{first}")
    no("PATCH", f"{SCIM}/ServicePrincipals/{root['id']}", change)
    me = a.ok("GET", f"{SCIM}/Me")["id"]
    no("PATCH", f"{SCIM}/ServicePrincipals/{me}", {"Operations": [{"op": "add", "path": "roles", "value": [{"value": "account_admin"}]}]})
    no("POST", f"{SCIM}/Users", {"userName": "more@example.com", "roles": [{"value": "account_admin"}]})
    # Groups: the account's are not his, B's and B's people do not come into his.
    account_users = next(g["value"] for g in a.ok("GET", f"{SCIM}/Me")["groups"] if g["display"] == "account users")
    no("PATCH", f"{SCIM}/Groups/{account_users}", {"Operations": [{"op": "add", "path": "members", "value": [{"value": me}]}]})
    no("DELETE", f"{SCIM}/Groups/{account_users}")
    assert all(m["value"] != ids["user"] for m in a.ok("GET", f"{SCIM}/Groups/{account_users}").get("members", []))
    for other in (ids["group"], ids["user"], ids["sp"]):
        no("POST", f"{SCIM}/Groups", {"displayName": f"g{other}", "members": [{"value": other}]})
        no("PATCH", f"{SCIM}/Groups/{world.a_ids['group']}", {"Operations": [{"op": "add", "path": "members", "value": [{"value": other}]}]})
    # The account's doors and the machine's.
    for method, path in (("GET", f"/api/2.0/accounts/{world.account}/workspaces"), ("POST", f"/api/2.0/accounts/{world.account}/workspaces"),
                         ("GET", f"/api/2.0/accounts/{world.account}/scim/v2/Users"), ("POST", f"/api/2.0/accounts/{world.account}/scim/v2/Groups"),
                         ("DELETE", f"/api/2.0/accounts/{world.account}/workspaces/{world.b_id}"), ("POST", "/api/boathouse/backup"),
                         ("GET", "/api/boathouse/status"), ("GET", "/api/boathouse/crash-reports")):
        body = {"workspace_name": "w", "displayName": "d", "name": "n"} if method == "POST" else None
        no(method, path, body)


def test_admin_routes_are_for_admins(world):
    _, user = member(world.root, world.a_id, "plain")
    wrong = []
    for door in all_doors(BINARY):
        if door.who not in ("admin", "account admin"):
            continue
        v = {"account_id": world.account, "id": world.a_ids["user"], "service_principal_id": world.a_ids["sp"], "token_id": world.a_ids["token_id"],
             "workspace_id": world.b_id, "secret_id": world.a_ids["secret_id"]}
        r = user(door.method, door.url(v), {} if door.method != "GET" else None)
        if r.status_code != 403:
            wrong.append((door.method, door.path, r.status_code, r.text[:200]))
    assert not wrong, wrong


def test_signed_urls_are_bound(world):
    """A signed URL needs no credential; it opens one file, for one verb, and cannot be changed."""
    ids = world.a_ids
    made = world.a.ok("POST", "/api/2.0/fs/create-download-url", params={"path": ids["files"], "expire_time": "2100-01-01T00:00:00Z"})
    got = requests.get(made["url"], timeout=30)
    assert got.status_code == 200 and got.text == f"file of {ids['side']}"
    assert requests.put(made["url"], data=b"x", timeout=30).status_code == 403
    assert requests.delete(made["url"], timeout=30).status_code == 403
    head, token = made["url"].rsplit("/", 1)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    for at in (0, 15, 16, len(raw) - 1):
        bad = bytearray(raw)
        bad[at] ^= 1
        forged = base64.urlsafe_b64encode(bytes(bad)).decode().rstrip("=")
        assert requests.get(f"{head}/{forged}", timeout=30).status_code == 403
    other = bytes(raw).replace(str(world.a_id).encode(), str(world.b_id).encode())
    assert requests.get(f"{head}/{base64.urlsafe_b64encode(other).decode().rstrip('=')}", timeout=30).status_code == 403
    for path in (world.b_ids["files"], world.b_ids["mfile"]):
        for route in ("create-download-url", "create-upload-url"):
            r = world.a("POST", f"/api/2.0/fs/{route}", params={"path": path, "expire_time": "2100-01-01T00:00:00Z"})
            assert r.status_code in (403, 404), (path, r.text)


def test_page_tokens_are_bound(world):
    def page(call, **more):
        return call("GET", f"{ML}/registered-models/search", params={"max_results": 1, **more})
    for call in (world.a, world.b):
        call("POST", f"{ML}/registered-models/create", {"name": "second one"})
    token = page(world.a).json()["next_page_token"]
    assert page(world.a, page_token=token).status_code == 200
    for r in (page(world.b, page_token=token), page(world.a, page_token=token, filter="name LIKE 'x%'"), page(world.a, page_token=token[:-2] + "AA")):
        assert r.status_code == 400 and r.json()["error_code"] == "INVALID_PARAMETER_VALUE", r.text


# ---- two users of one workspace ----

def test_each_door_asks_for_rights(world):
    """A member without any right on the objects gets 403 or 404 at each door, reads and writes alike."""
    _, user = member(world.root, world.b_id, "nobody")
    ids = {**world.b_ids, "account": world.account, "intruder": "nobody"}
    before = snapshot(world.b, ids)
    side, leaks, wrong = ids["side"], [], []
    # Doors that are about the caller, or open to every member.
    free = ("/Me", "/token/create", "/token/list", "/scim/v2/", "/server-info", "/metastore", "current-metastore", "permissionLevels",
            "is-databricks-sdk", "emit-lineage", "/search", "/list", "/feature-flags/", "/telemetry", "/history/queries")
    for door in all_doors(BINARY):
        if door.path.endswith(("/mlflow/experiments/create", "/mlflow/registered-models/create")):
            continue  # every member may
        # DBFS is the workspace's common ground; only what somebody is writing there is his.
        if door.who != "user" or "/dbfs/" in door.path and not door.path.endswith(("add-block", "close")):
            continue
        for url, fill in calls_of(door, ids):
            r = send(user, door, url, fill)
            open_door = any(f in door.path for f in free) or (door.path.endswith(("catalogs", "schemas", "models", "endpoints", "/traces", "/sql/warehouses",
                                                                                       "external-locations", "storage-credentials")) and door.method == "GET")
            said = f"{url} {json.dumps(fill)}"
            if "/scim/" not in url and side in r.text and (r.status_code < 400 or side not in said):
                leaks.append((door.method, url, r.status_code, r.text[:200]))
            if not open_door and r.status_code not in (400, 403, 404, 415):
                wrong.append((door.method, url, r.status_code, r.text[:200]))
            assert r.status_code < 500, (door.method, url, r.text)
    assert not leaks, json.dumps(leaks[:12], indent=1)
    assert not wrong, json.dumps(wrong[:12], indent=1)
    after = snapshot(world.b, ids)
    changed = {k: (before[k], after[k]) for k in before if before[k] != after[k] and "/token-management/" not in k}
    assert not changed, json.dumps(changed, indent=1)[:3000]


def test_a_workspace_that_goes_takes_its_credentials(world):
    """Tokens of a deleted workspace are refused at every door as soon as the call has returned."""
    made = world.root.ok("POST", f"/api/2.0/accounts/{world.account}/workspaces", {"workspace_name": "brief"})["workspace_id"]
    sp, call = member(world.root, made, "brief one")
    assert call("GET", f"{SCIM}/Me").status_code == 200
    world.root.ok("DELETE", f"/api/2.0/accounts/{world.account}/workspaces/{made}")
    assert call("GET", f"{SCIM}/Me").status_code == 401
    assert call("POST", "/serving-endpoints/same/invocations", {}).status_code == 401
    named = world.root("GET", f"{SCIM}/Me", headers={"X-Databricks-Workspace-Id": str(made)})
    assert named.status_code == 400 and "no workspace" in named.text
