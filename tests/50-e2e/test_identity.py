# SPDX-License-Identifier: Apache-2.0
"""Who somebody is, and how he proves it: SCIM, tokens, OAuth of machines and people, 401 on every route."""

import base64
import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from boathouse import BINARY
from databricks.sdk import AccountClient, errors
from databricks.sdk.oauth import OAuthClient, get_workspace_endpoints
from databricks.sdk.service import iam
from doors import all_doors

SCIM = "/api/2.0/preview/scim/v2"
PATCH = [iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
# Routes without a credential: what clients read before they have one, what is its own credential, what
# watchers of the machine ask.
OPEN = {"/tls/ca.crl", "/.well-known/databricks-config", "/oidc/.well-known/oauth-authorization-server", "/oidc/.well-known/openid-configuration",
        "/oidc/accounts/{account_id}/.well-known/oauth-authorization-server", "/oidc/jwks.json", "/oidc/v1/token",
        "/oidc/accounts/{account_id}/v1/token", "/oidc/v1/authorize", "/oidc/accounts/{account_id}/v1/authorize",
        "/api/boathouse/signed/{token}",      # the URL is the credential, for its 15 minutes
        "/api/2.0/sql/results/{token}",       # the same, of a statement's result
        "/telemetry-unauth",                  # drivers send it without a token; it is thrown away
        "/readyz", "/healthz", "/metrics", "/api/openapi.json", "/health", "/version"}


def patch(op, path=None, value=None):
    return iam.Patch(op=iam.PatchOp(op), path=path, value=value)


def names(listing, field="user_name"):
    return sorted(getattr(x, field) for x in listing)


# ---- users, groups, service principals ----

def test_user_from_create_to_delete(sdk, u):
    made = sdk.users.create(user_name=f"Ann.{u}@example.com", display_name="Ann", external_id=f"ext-{u}", active=True,
                            name=iam.Name(given_name="Ann", family_name="Archer"),
                            emails=[iam.ComplexValue(value=f"ann.{u}@example.com", type="work", primary=True)],
                            entitlements=[iam.ComplexValue(value="allow-cluster-create")])
    got = sdk.users.get(made.id)
    assert (got.user_name, got.display_name, got.external_id, got.active) == (f"Ann.{u}@example.com", "Ann", f"ext-{u}", True)
    assert (got.name.given_name, got.name.family_name) == ("Ann", "Archer")
    assert got.emails[0].value == f"ann.{u}@example.com" and got.entitlements[0].value == "allow-cluster-create"
    sdk.users.update(made.id, user_name=f"ann.{u}@example.com", display_name="Ann B.", active=True)
    assert sdk.users.get(made.id).display_name == "Ann B."
    sdk.users.patch(made.id, schemas=PATCH, operations=[patch("replace", "displayName", "Ann C."), patch("replace", None, {"active": False})])
    got = sdk.users.get(made.id)
    assert (got.display_name, got.active) == ("Ann C.", False)
    sdk.users.patch(made.id, schemas=PATCH, operations=[patch("replace", None, {"active": True, "displayName": "Ann D."})])
    got = sdk.users.get(made.id)
    assert (got.display_name, got.active) == ("Ann D.", True)
    sdk.users.patch(made.id, schemas=PATCH, operations=[patch("replace", "name.familyName", "Baker")])
    assert sdk.users.get(made.id).name.family_name == "Baker"
    sdk.users.patch(made.id, schemas=PATCH, operations=[patch("add", "entitlements", [{"value": "databricks-sql-access"}])])
    assert {e.value for e in sdk.users.get(made.id).entitlements} == {"allow-cluster-create", "databricks-sql-access"}
    sdk.users.patch(made.id, schemas=PATCH,
                    operations=[patch("remove", 'entitlements[value eq "allow-cluster-create"]')])
    assert {e.value for e in sdk.users.get(made.id).entitlements} == {"databricks-sql-access"}
    sdk.users.delete(made.id)
    with pytest.raises(errors.NotFound):
        sdk.users.get(made.id)


def test_filters(sdk, u):
    ids = {n: sdk.users.create(user_name=f"{n}-{u}@example.com", display_name=f"{d} {u}", external_id=f"{n}-{u}").id
           for n, d in (("ada", "Ada"), ("bob", "Bob"), ("cyd", "Ada two"))}

    def found(f):
        return names(sdk.users.list(filter=f))
    a, b, c = (f"{n}-{u}@example.com" for n in ("ada", "bob", "cyd"))
    assert found(f'userName eq "{a}"') == [a] == found(f'userName eq "{a.upper()}"') == found(f'username EQ "{a}"')
    assert found(f'userName co "{u}"') == [a, b, c]
    assert found(f'userName sw "bob-{u}"') == [b]
    assert found(f'displayName sw "Ada" and userName co "{u}"') == [a, c]
    assert found(f'userName eq "{a}" or userName eq "{b}"') == [a, b]
    # "and" binds tighter than "or"; parentheses change that.
    assert found(f'userName eq "{b}" or displayName sw "Ada" and userName sw "cyd-{u}"') == [b, c]
    assert found(f'(userName eq "{b}" or displayName sw "Ada") and userName sw "cyd-{u}"') == [c]
    assert found(f'id eq "{ids["cyd"]}"') == [c]
    assert found(f'externalId eq "bob-{u}"') == [b]
    assert found(f'userName eq "nobody-{u}"') == []
    for bad in ("userName", 'userName eq "x', "userName is 1", 'shoeSize eq "4"', 'userName eq "x" and', "((((", 'userName eq "x")'):
        with pytest.raises(errors.BadRequest):
            list(sdk.users.list(filter=bad))
    for i in ids.values():
        sdk.users.delete(i)


def test_pages(platform, sdk, u):
    made = [sdk.groups.create(display_name=f"page-{i}-{u}").id for i in range(5)]
    f = f'displayName co "{u}"'
    assert sorted(g.id for g in sdk.groups.list(filter=f, count=2)) == sorted(made)
    page = platform.request("GET", f"{SCIM}/Groups", params={"filter": f, "startIndex": 4, "count": 2}).json()
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"], len(page["Resources"])) == (5, 4, 2, 2)
    past = platform.request("GET", f"{SCIM}/Groups", params={"filter": f, "startIndex": 6}).json()
    assert past["totalResults"] == 5 and past["Resources"] == [] and past["itemsPerPage"] == 0
    none = platform.request("GET", f"{SCIM}/Groups", params={"filter": f, "count": 0}).json()
    assert none["totalResults"] == 5 and none["Resources"] == []
    for g in made:
        sdk.groups.delete(g)


def test_group_members_by_patch(sdk, u):
    people = [sdk.users.create(user_name=f"p{i}-{u}@example.com").id for i in range(3)]
    group = sdk.groups.create(display_name=f"team-{u}")

    def members():
        return {m.value for m in sdk.groups.get(group.id).members or []}
    one, two, three = people
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("add", "members", [{"value": one}, {"value": two}])])
    assert members() == {one, two}
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("add", None, {"members": [{"value": three}]})])
    assert members() == {one, two, three}
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("add", "members", [{"value": one}])])
    assert members() == {one, two, three}
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("remove", f'members[value eq "{one}"]')])
    assert members() == {two, three}
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("remove", "members", [{"value": two}])])
    assert members() == {three}
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("replace", "members", [{"value": one}])])
    assert members() == {one}
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("remove", "members")])
    assert members() == set()
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("replace", "displayName", f"crew-{u}")])
    assert sdk.groups.get(group.id).display_name == f"crew-{u}"
    # All or nothing: the second operation is wrong, so the first did not happen.
    with pytest.raises(errors.DatabricksError):
        sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("add", "members", [{"value": one}]),
                                                              patch("add", "members", [{"value": "12345"}])])
    assert members() == set()
    inner = sdk.groups.create(display_name=f"inner-{u}", members=[iam.ComplexValue(value=group.id)])
    for circle in (group.id, inner.id):
        with pytest.raises(errors.BadRequest):
            sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("add", "members", [{"value": circle}])])
    for g in (inner.id, group.id):
        sdk.groups.delete(g)
    for p in people:
        sdk.users.delete(p)


def test_paths_of_patch(platform, sdk, u):
    user = sdk.users.create(user_name=f"paths-{u}@example.com", emails=[iam.ComplexValue(value=f"a-{u}@x.org", type="work", primary=True)],
                            entitlements=[iam.ComplexValue(value="workspace-access")])

    def change(*operations):
        sdk.users.patch(user.id, schemas=PATCH, operations=list(operations))
        return sdk.users.get(user.id)
    assert change(patch("replace", 'emails[type eq "work"].value', f"b-{u}@x.org")).emails[0].value == f"b-{u}@x.org"
    two = change(patch("add", 'emails[type eq "home"].value', f"h-{u}@x.org")).emails
    assert {(e.type, e.value) for e in two} == {("work", f"b-{u}@x.org"), ("home", f"h-{u}@x.org")}
    assert [e.type for e in change(patch("remove", 'emails[type eq "work"]')).emails] == ["home"]
    assert not change(patch("remove", "emails")).emails
    given = change(patch("add", None, {"entitlements": [{"value": "databricks-sql-access"}], "name.givenName": "Ann", "locale": "de"}))
    assert {e.value for e in given.entitlements} == {"workspace-access", "databricks-sql-access"} and given.name.given_name == "Ann"
    assert [e.value for e in change(patch("replace", "entitlements", [{"value": "allow-cluster-create"}])).entitlements] == ["allow-cluster-create"]
    assert not change(patch("remove", "entitlements", [{"value": "allow-cluster-create"}])).entitlements
    long = "urn:ietf:params:scim:schemas:core:2.0:User:"
    assert change(patch("replace", long + "name.familyName", "Lee")).name.family_name == "Lee"
    for path, word in [("nonsense", "invalidPath"), ("groups", "invalidPath"), ("emails[type eq", "invalidPath"), ("name.middleName", "invalidPath"),
                       ("emails.value", "noTarget"), ("members", "invalidPath")]:
        r = platform.request("PATCH", f"{SCIM}/Users/{user.id}", body={"Operations": [{"op": "replace", "path": path, "value": "x"}]})
        assert (r.status_code, r.json()["scimType"]) == (400, word), (path, r.text)
    assert platform.request("GET", f"{SCIM}/Users", params={"filter": "userName zz 1"}).json()["scimType"] == "invalidFilter"
    sdk.users.delete(user.id)


def test_attributes_and_order(platform, sdk, u):
    people = [sdk.users.create(user_name=f"{c}-{u}@example.com", display_name=d).id for c, d in [("b", "Zoe"), ("A", "Yan"), ("c", None)]]

    def listed(**more):
        return platform.request("GET", f"{SCIM}/Users", params={"filter": f'userName co "-{u}@"', **more}).json()
    some = listed(attributes="userName,emails")["Resources"]
    assert all(set(r) == {"schemas", "id", "userName"} for r in some) and len(some) == 3
    assert all("groups" not in r and "entitlements" not in r and "userName" in r for r in listed(excludedAttributes="groups, entitlements")["Resources"])
    assert [r["userName"][0] for r in listed(sortBy="userName")["Resources"]] == ["A", "b", "c"]
    last = listed(sortBy="displayName", sortOrder="descending", startIndex=2, count=2)
    assert [r["displayName"] for r in last["Resources"]] == ["Yan", f"c-{u}@example.com"] and last["totalResults"] == 3
    assert [x.id for x in sdk.users.list(filter=f'displayName eq "C-{u}@example.com"')] == [people[2]]
    group = sdk.groups.create(display_name=f"big-{u}", members=[iam.ComplexValue(value=p) for p in people])
    assert sdk.groups.get(group.id).members and not next(sdk.groups.list(filter=f'id eq "{group.id}"', excluded_attributes="members")).members
    assert platform.request("GET", f"{SCIM}/Users/{people[0]}", params={"attributes": "id,displayName"}).json().keys() == {"schemas", "id", "displayName"}
    sdk.groups.delete(group.id)
    for p in people:
        sdk.users.delete(p)


def test_nested_groups_give_and_take_rights(platform, sdk, u):
    name, theirs = platform.another(f"nested-{u}")
    who = next(iter(sdk.service_principals.list(filter=f'applicationId eq "{name}"'))).id
    inner = sdk.groups.create(display_name=f"in-{u}", members=[iam.ComplexValue(value=who)])
    middle = sdk.groups.create(display_name=f"mid-{u}", members=[iam.ComplexValue(value=inner.id)])
    outer = sdk.groups.create(display_name=f"out-{u}", members=[iam.ComplexValue(value=middle.id)])
    exp = sdk.experiments.create_experiment(name=f"/Shared/nested-{u}").experiment_id

    def sees():
        try:
            return theirs.experiments.get_experiment(exp).experiment.experiment_id == exp
        except (errors.NotFound, errors.PermissionDenied):
            return False
    assert not sees()
    sdk.permissions.update("experiments", exp, access_control_list=[
        iam.AccessControlRequest(group_name=f"out-{u}", permission_level=iam.PermissionLevel.CAN_READ)])
    assert sees()
    # A group in the middle leaves: those two levels below lose what came from above, at once.
    sdk.groups.patch(outer.id, schemas=PATCH, operations=[patch("remove", f'members[value eq "{middle.id}"]')])
    assert not sees()
    sdk.groups.patch(outer.id, schemas=PATCH, operations=[patch("add", "members", [{"value": middle.id}])])
    assert sees()
    sdk.groups.update(outer.id, display_name=f"out-{u}", members=[])
    assert not sees()
    sdk.groups.update(outer.id, display_name=f"out-{u}", members=[iam.ComplexValue(value=middle.id)])
    assert sees()
    sdk.groups.delete(middle.id)
    assert not sees()
    for g in (outer.id, inner.id):
        sdk.groups.delete(g)


def test_service_principals(sdk, u):
    made = sdk.service_principals.create(application_id=f"app-{u}", display_name=f"Robot {u}", active=True)
    assert made.application_id == f"app-{u}"
    sdk.service_principals.patch(made.id, schemas=PATCH, operations=[patch("replace", "displayName", f"Robot two {u}")])
    assert [x.id for x in sdk.service_principals.list(filter=f'displayName eq "Robot two {u}"')] == [made.id]
    sdk.service_principals.update(made.id, application_id=f"app-{u}", display_name="R", active=True)
    assert sdk.service_principals.get(made.id).display_name == "R"
    with pytest.raises(errors.DatabricksError):
        sdk.service_principals.create(application_id=f"app-{u}")
    sdk.service_principals.delete(made.id)
    with pytest.raises(errors.NotFound):
        sdk.service_principals.get(made.id)


def test_scim_errors(platform, u):
    def error(method, path, status, body=None):
        r = platform.request(method, SCIM + path, body=body)
        assert r.status_code == status, (path, r.status_code, r.text)
        assert r.headers["Content-Type"].startswith("application/scim+json")
        e = r.json()
        assert e["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"] and e["status"] == str(status) and e["detail"]
        return e
    error("GET", "/Users/123456", 404)
    error("GET", "/Users/not-a-number", 404)
    error("DELETE", "/Groups/123456", 404)
    error("POST", "/Users", 400, {"displayName": "no user name"})
    error("POST", "/Groups", 400, {})
    error("GET", "/Users?filter=nonsense", 400)
    error("PATCH", "/Groups/123456", 404, {"Operations": [{"op": "add", "path": "members", "value": []}]})
    made = platform.request("POST", f"{SCIM}/Groups", body={"displayName": f"once-{u}"}).json()
    twice = error("POST", "/Groups", 409, {"displayName": f"once-{u}"})
    assert twice["scimType"] == "uniqueness"
    error("PATCH", f"/Groups/{made['id']}", 400, {"Operations": [{"op": "multiply", "path": "members"}]})
    error("PATCH", f"/Groups/{made['id']}", 400, {})
    error("PATCH", f"/Groups/{made['id']}", 400, {"Operations": [{"op": "replace", "path": "displayName"}]})
    assert platform.request("DELETE", f"{SCIM}/Groups/{made['id']}").status_code == 204


def test_built_in_groups_stay(sdk):
    admins = next(iter(sdk.groups.list(filter='displayName eq "admins"')))
    with pytest.raises(errors.DatabricksError):
        sdk.groups.delete(admins.id)
    with pytest.raises(errors.DatabricksError):
        sdk.groups.patch(admins.id, schemas=PATCH, operations=[patch("replace", "displayName", "others")])
    with pytest.raises(errors.DatabricksError):
        sdk.users.delete(sdk.current_user.me().id)


# ---- tokens ----

def me(platform, token):
    return platform.request("GET", f"{SCIM}/Me", token=token).status_code


def doors_of(platform, token):
    """Status codes of control's door and of the gateway's own."""
    return (me(platform, token), platform.request("POST", "/serving-endpoints/none/invocations", body={}, token=token).status_code)


def test_token_life(platform, sdk, u):
    before = {t.token_id for t in sdk.tokens.list()}
    t = sdk.tokens.create(comment=f"c {u}", lifetime_seconds=3600)
    assert t.token_info.expiry_time - t.token_info.creation_time == 3600 * 1000
    forever = sdk.tokens.create(comment="no end")
    assert forever.token_info.expiry_time == -1
    assert {x.token_id for x in sdk.tokens.list()} - before == {t.token_info.token_id, forever.token_info.token_id}
    raw = platform.request("GET", "/api/2.0/token/list").text
    assert t.token_value not in raw and "token_value" not in raw
    for bad in (0, -5, 10**12, "soon"):
        r = platform.request("POST", "/api/2.0/token/create", body={"lifetime_seconds": bad})
        assert r.status_code == 400 and r.json()["error_code"] == "INVALID_PARAMETER_VALUE", (bad, r.text)
    for x in (t, forever):
        sdk.tokens.delete(x.token_info.token_id)
    assert {x.token_id for x in sdk.tokens.list()} == before
    with pytest.raises(errors.NotFound):
        sdk.tokens.delete(t.token_info.token_id)


def test_token_is_refused_when_it_expires(platform, sdk):
    t = sdk.tokens.create(lifetime_seconds=2).token_value
    assert me(platform, t) == 200
    time.sleep(2.2)
    assert doors_of(platform, t) == (401, 401)


def test_revoked_is_refused_from_the_moment_the_call_returns(platform, sdk):
    for _ in range(20):
        t = sdk.tokens.create(comment="short")
        assert doors_of(platform, t.token_value) == (200, 404)
        sdk.tokens.delete(t.token_info.token_id)
        assert doors_of(platform, t.token_value) == (401, 401)


def test_last_use_is_noted(platform, sdk):
    for path in (f"{SCIM}/Me", "/serving-endpoints/none/invocations"):
        t = sdk.tokens.create(comment="to be used")
        row = next(x for x in sdk.token_management.list() if x.token_id == t.token_info.token_id)
        assert not row.last_used_day
        platform.request("POST" if "inv" in path else "GET", path, token=t.token_value)
        for _ in range(200):  # written soon, nobody waits for it
            row = next(x for x in sdk.token_management.list() if x.token_id == t.token_info.token_id)
            if row.last_used_day:
                break
            time.sleep(0.05)
        assert row.last_used_day >= t.token_info.creation_time, path


def test_token_management(platform, sdk, u):
    principal = sdk.service_principals.create(display_name=f"obo-{u}")
    t = sdk.token_management.create_obo_token(application_id=principal.application_id, comment="for it", lifetime_seconds=600)
    theirs = platform.sdk(t.token_value)
    assert theirs.current_user.me().user_name == principal.application_id
    listed = {x.token_id: x for x in sdk.token_management.list()}
    assert listed[t.token_info.token_id].owner_id == int(principal.id)
    assert sdk.token_management.get(t.token_info.token_id).token_info.comment == "for it"
    for forbidden in (lambda: list(theirs.token_management.list()), lambda: theirs.token_management.delete(t.token_info.token_id),
                      lambda: theirs.token_management.create_obo_token(application_id=principal.application_id)):
        with pytest.raises(errors.PermissionDenied):
            forbidden()
    own = theirs.tokens.create(comment="own")
    with pytest.raises(errors.NotFound):
        theirs.tokens.delete(next(x.token_id for x in sdk.tokens.list()))  # the admin's
    sdk.token_management.delete(own.token_info.token_id)
    assert doors_of(platform, own.token_value) == (401, 401)
    with pytest.raises(errors.NotFound):
        sdk.token_management.create_obo_token(application_id="nobody")
    # Whoever is not active, or gone, has no credential left.
    sdk.service_principals.patch(principal.id, schemas=PATCH, operations=[patch("replace", None, {"active": False})])
    assert doors_of(platform, t.token_value) == (401, 401)
    sdk.service_principals.patch(principal.id, schemas=PATCH, operations=[patch("replace", "active", True)])
    assert me(platform, t.token_value) == 200
    sdk.service_principals.delete(principal.id)
    assert doors_of(platform, t.token_value) == (401, 401)


# ---- 401 on every route ----

def test_open_routes_are_the_known_ones():
    found = {d.path for d in all_doors(BINARY) if d.who == "none"}
    assert found <= OPEN, found - OPEN


@pytest.fixture(scope="module")
def dead_tokens(platform):
    sdk = platform.sdk()
    expired = sdk.tokens.create(lifetime_seconds=1).token_value
    revoked = sdk.tokens.create()
    sdk.tokens.delete(revoked.token_info.token_id)
    time.sleep(1.2)
    jwt = ".".join(base64.urlsafe_b64encode(x).decode().rstrip("=") for x in (
        b'{"alg":"none","typ":"JWT"}', b'{"sub":"1","ws":0,"iat":1,"exp":99999999999}', b""))
    return {"missing": None, "wrong": "Bearer dapi" + "0" * 64, "expired": f"Bearer {expired}",
            "revoked": f"Bearer {revoked.token_value}", "basic": "Basic " + base64.b64encode(b"token:dapi-wrong").decode(),
            "person": "Basic " + base64.b64encode(f"admin:{platform.token}".encode()).decode(),
            "scheme": f"Digest {platform.token}", "unsigned": f"Bearer {jwt}", "empty": "Bearer "}


@pytest.mark.parametrize("kind", ["missing", "wrong", "expired", "revoked", "basic", "person", "scheme", "unsigned", "empty"])
def test_no_route_without_a_credential(platform, dead_tokens, kind):
    wrong = []
    with requests.Session() as s:
        s.trust_env = False
        for d in all_doors(BINARY):
            if d.who == "none":
                continue
            head = {"Authorization": dead_tokens[kind]} if dead_tokens[kind] else {}
            body = {} if d.method == "GET" else {"json": {}}
            r = s.request(d.method, platform.url + d.url(), headers=head, timeout=30, **body)
            keys = {"schemas", "detail", "status"} if d.scim else {"error_code", "message"}
            ok = r.status_code == 401 and "WWW-Authenticate" in r.headers
            if ok and d.path.startswith("/api/2.1/unity-catalog/delta/v1/"):  # errors of this API have a form of their own
                ok = r.json()["error"]["type"] == "NotAuthorizedException" and r.json()["error"]["code"] == 401
            elif ok and d.method != "HEAD":
                e = r.json()
                ok = keys <= set(e) and (e["status"] == "401" if d.scim else e["error_code"] == "UNAUTHENTICATED")
            if not ok:
                wrong.append((d.method, d.path, r.status_code, r.text[:100]))
    assert not wrong, f"{len(wrong)} routes: {wrong[:10]}"


# ---- OAuth ----

def token(platform, **form):
    basic = form.pop("basic", None)
    return requests.post(f"{platform.url}/oidc/v1/token", data=form, auth=basic, timeout=30)


def test_oauth_of_machines(platform, sdk, u):
    sp = sdk.service_principals.create(display_name=f"m2m-{u}")
    made = sdk.service_principal_secrets_proxy.create(sp.id)
    client = platform.sdk(client_id=sp.application_id, client_secret=made.secret)
    assert client.config.auth_type == "oauth-m2m" and client.current_user.me().user_name == sp.application_id
    listed = list(sdk.service_principal_secrets_proxy.list(sp.id))
    assert [x.id for x in listed] == [made.id] and all(not hasattr(x, "secret") for x in listed)
    for basic in ((sp.application_id, "wrong"), ("nobody", made.secret), None):
        r = token(platform, basic=basic, grant_type="client_credentials", scope="all-apis")
        assert r.status_code == 401 and r.json()["error"] == "invalid_client" and r.json()["error_description"], r.text
    by_form = token(platform, grant_type="client_credentials", client_id=sp.application_id, client_secret=made.secret)
    got = by_form.json()
    assert got["token_type"] == "Bearer" and got["expires_in"] == 3600 and me(platform, got["access_token"]) == 200
    # Of no workspace: without a name both doors take the default one.
    assert doors_of(platform, got["access_token"]) == (200, 404)
    head, body, sign = got["access_token"].split(".")
    for forged in (f"{head}.{body}.{sign[:-4]}AAAA", f"{head}.{body}x.{sign}", f"{head}.{body}.", f"{head}.{body}"):
        assert doors_of(platform, forged) == (401, 401)
    assert token(platform, grant_type="password").json()["error"] == "unsupported_grant_type"
    sdk.service_principal_secrets_proxy.delete(sp.id, made.id)
    assert token(platform, basic=(sp.application_id, made.secret), grant_type="client_credentials").status_code == 401
    sdk.service_principals.delete(sp.id)
    assert doors_of(platform, got["access_token"]) == (401, 401)


def consent(platform, scopes=("all-apis", "offline_access")):
    client = OAuthClient(oidc_endpoints=get_workspace_endpoints(platform.url), redirect_url="http://localhost:8020",
                         client_id="databricks-cli", scopes=list(scopes))
    return client.initiate_consent()


def sign_in(platform, con, secret):
    """What a person does in the browser: the page, then its form with a token."""
    page = requests.get(con.authorization_url, allow_redirects=False, timeout=30)
    assert page.status_code == 200 and page.headers["Content-Type"].startswith("text/html")
    assert "script" not in page.text and "default-src 'none'" in page.headers["Content-Security-Policy"]
    action = re.search(r'action="([^"]+)"', page.text)[1]
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    return requests.post(platform.url + action, data={**form, "token": secret}, allow_redirects=False, timeout=30)


def test_oauth_of_people(platform, sdk):
    con = consent(platform)
    wrong = sign_in(platform, con, "dapi-wrong")
    assert wrong.status_code == 401 and "Location" not in wrong.headers
    back = sign_in(platform, con, platform.token)
    assert back.status_code == 302 and back.headers["Location"].startswith("http://localhost:8020?code=")
    told = dict(parse_qsl(urlsplit(back.headers["Location"]).query))
    first = con.exchange_callback_parameters(told).token()
    assert first.refresh_token and platform.sdk(first.access_token).current_user.me().user_name == "admin"
    assert doors_of(platform, first.access_token) == (200, 404)
    with pytest.raises(Exception, match="invalid_grant|code is unknown"):
        con.exchange_callback_parameters(told)  # a code is good once
    # Without offline_access there is no refresh token.
    con = consent(platform, ["all-apis"])
    told = dict(parse_qsl(urlsplit(sign_in(platform, con, platform.token).headers["Location"]).query))
    assert not con.exchange_callback_parameters(told).token().refresh_token


def refresh(platform, text, client="databricks-cli"):
    return token(platform, grant_type="refresh_token", refresh_token=text, client_id=client)


def signed_in(platform, secret):
    con = consent(platform)
    told = dict(parse_qsl(urlsplit(sign_in(platform, con, secret).headers["Location"]).query))
    return con.exchange_callback_parameters(told).token()


def test_refresh_tokens_change_with_each_use(platform, sdk):
    one = signed_in(platform, platform.token)
    r = refresh(platform, one.refresh_token, client="another-program")
    assert r.status_code == 400 and r.json()["error"] == "invalid_grant"
    r = refresh(platform, one.refresh_token)
    assert r.status_code == 200, r.text
    two = r.json()
    assert two["refresh_token"] != one.refresh_token and me(platform, two["access_token"]) == 200
    three = refresh(platform, two["refresh_token"]).json()
    # The second was used: whoever shows it again has stolen it, or was stolen from. The sign-in ends.
    assert refresh(platform, two["refresh_token"]).json()["error"] == "invalid_grant"
    assert refresh(platform, three["refresh_token"]).json()["error"] == "invalid_grant"
    assert refresh(platform, "doref" + "0" * 64).json()["error"] == "invalid_grant"
    # A sign-in ends with the token that began it.
    t = sdk.tokens.create(comment="begins a sign-in")
    also = signed_in(platform, t.token_value)
    sdk.tokens.delete(t.token_info.token_id)
    assert refresh(platform, also.refresh_token).json()["error"] == "invalid_grant"


def test_codes_need_their_verifier_and_go_nowhere_else(platform):
    con = consent(platform)
    query = dict(parse_qsl(urlsplit(con.authorization_url).query))

    def ask(**change):
        return requests.get(f"{platform.url}/oidc/v1/authorize", params={**query, **change}, allow_redirects=False, timeout=30)
    for uri in ("https://evil.example/cb", "http://localhost.evil.example:80/", "http://localhost@evil.example/", "javascript:alert(1)",
                "http://127.0.0.1:1:2/", "http://localhost:8020/#x", "//evil.example", ""):
        r = ask(redirect_uri=uri)
        assert r.status_code == 400 and "Location" not in r.headers, uri
    assert ask(client_id="").status_code == 400
    evil = ask(client_id='"><script>alert(1)</script>')
    assert evil.status_code == 200 and "<script" not in evil.text
    for change in ({"response_type": "token"}, {"code_challenge_method": "plain"}, {"code_challenge": "short"}):
        r = ask(**change)
        assert r.status_code == 302 and "error=" in r.headers["Location"] and f"state={query['state']}" in r.headers["Location"]
    for spoil in ({"code_verifier": "x" * 43}, {"code_verifier": ""}, {"redirect_uri": "http://localhost:8021"}, {"client_id": "other"}):
        told = dict(parse_qsl(urlsplit(sign_in(platform, con, platform.token).headers["Location"]).query))
        form = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": "http://localhost:8020",
                "client_id": "databricks-cli", "code_verifier": con._verifier, **spoil}
        r = token(platform, **form)
        assert r.status_code == 400 and r.json()["error"] == "invalid_grant", (spoil, r.text)
        # Any try ends the code.
        assert token(platform, **{**form, "code_verifier": con._verifier, "client_id": "databricks-cli",
                                  "redirect_uri": "http://localhost:8020"}).status_code == 400


# ---- the account ----

@pytest.fixture
def account(platform):
    info = platform.request("GET", "/.well-known/databricks-config", token="").json()
    return AccountClient(host=platform.url, token=platform.token, account_id=info["account_id"])


def test_workspaces(platform, account, u):
    made = account.workspaces.create(workspace_name=f"w-{u}", deployment_name=f"d-{u}").response
    assert made.workspace_id and made.workspace_status.value == "RUNNING"
    assert account.workspaces.get(made.workspace_id).workspace_name == f"w-{u}"
    assert made.workspace_id in {w.workspace_id for w in account.workspaces.list()}
    head = {"X-Databricks-Workspace-Id": str(made.workspace_id)}
    r = platform.request("GET", f"{SCIM}/Me", headers=head)
    assert r.status_code == 400, "a token of one workspace names another"
    account.workspaces.delete(made.workspace_id)
    with pytest.raises(errors.NotFound):
        account.workspaces.get(made.workspace_id)
    r = platform.request("GET", "/api/2.0/accounts/00000000-0000-0000-0000-000000000001/workspaces")
    assert r.status_code == 404


def test_account_scim(account, u):
    user = account.users.create(user_name=f"acc-{u}@example.com")
    group = account.groups.create(display_name=f"accg-{u}", members=[iam.ComplexValue(value=user.id)])
    assert [x.id for x in account.users.list(filter=f'userName eq "acc-{u}@example.com"')] == [user.id]
    assert [m.value for m in account.groups.get(group.id).members] == [user.id]
    account.groups.delete(group.id)
    account.users.delete(user.id)


# ---- the past ----

def test_as_of(platform, sdk, account, u):
    def seq():
        return platform.request("GET", "/api/boathouse/journal", params={"max_results": 1}).json()["entries"][0]["sequence"]

    def get(path, at, **params):
        return platform.request("GET", path, params={**params, "as_of": at})
    user = sdk.users.create(user_name=f"past-{u}@example.com", display_name="before")
    group = sdk.groups.create(display_name=f"pastg-{u}")
    ws = account.workspaces.create(workspace_name=f"past-{u}").response.workspace_id
    exp = sdk.experiments.create_experiment(name=f"/Shared/past-{u}").experiment_id
    then = seq()
    moment = platform.request("GET", "/api/boathouse/journal", params={"max_results": 1}).json()["entries"][0]["time"]
    sdk.users.patch(user.id, schemas=PATCH, operations=[patch("replace", "displayName", "after")])
    sdk.groups.patch(group.id, schemas=PATCH, operations=[patch("add", "members", [{"value": user.id}])])
    sdk.experiments.update_experiment(exp, new_name=f"/Shared/later-{u}")
    later = seq()
    sdk.users.delete(user.id)
    sdk.groups.delete(group.id)
    account.workspaces.delete(ws)
    sdk.groups.delete(sdk.groups.create(display_name=f"after-{u}").id)
    for at in (then, moment):
        assert get(f"{SCIM}/Users/{user.id}", at).json()["displayName"] == "before"
    assert get(f"{SCIM}/Users/{user.id}", later).json()["displayName"] == "after"
    assert get(f"{SCIM}/Users/{user.id}", seq()).status_code == 404
    assert "members" not in get(f"{SCIM}/Groups/{group.id}", then).json()
    assert [m["value"] for m in get(f"{SCIM}/Groups/{group.id}", later).json()["members"]] == [user.id]
    found = get(f"{SCIM}/Users", later, filter=f'userName eq "past-{u}@example.com"').json()
    assert found["totalResults"] == 1 and found["Resources"][0]["displayName"] == "after"
    base = f"/api/2.0/accounts/{account.config.account_id}/workspaces"
    assert get(f"{base}/{ws}", then).json()["workspace_name"] == f"past-{u}"
    assert get(f"{base}/{ws}", seq()).status_code == 404
    assert ws in [w["workspace_id"] for w in get(base, then).json()]
    assert get("/api/2.0/mlflow/experiments/get", then, experiment_id=exp).json()["experiment"]["name"] == f"/Shared/past-{u}"
    assert get("/api/2.0/mlflow/experiments/get", later, experiment_id=exp).json()["experiment"]["name"] == f"/Shared/later-{u}"
    for bad in ("yesterday", -1, 0):
        assert get(f"{SCIM}/Users/{user.id}", bad).status_code == 400
    assert get(f"{SCIM}/Users", 10**15).status_code in (200, 400)
