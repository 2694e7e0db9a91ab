/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers of external locations, storage credentials and temporary credentials.
 *
 * Temporary credentials let somebody reach a table's files without us, so they take EXTERNAL_USE_SCHEMA besides what the
 * operation takes, and there are none for tables with a row filter or a mask. Local places need no secret: the answer is
 * the URL.
 */
#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "base/time.h"
#include "catalog/ask.h"
#include "catalog/bindings.h"
#include "catalog/clones.h"
#include "catalog/locations.h"
#include "catalog/stores.h"
#include "catalog/name.h"
#include "catalog/tables.h"
#include "rest/page.h"
#include "sys/clock.h"
#include "sys/files.h"

#define CREDENTIAL_LIFE_US (3600 * 1000000ll)

static str optional(struct req *r, const char *name) { return arg_has(r, name) ? arg_str(r, name) : STR_NONE; }
static err *answer(struct req *r, const struct securable *s) { return uc_put_object(r, req_out(r), s); }

/* ---- pages by name; there are few of either kind ---- */

struct named_page {
    jmut *arr;
    size_t want, n;
    str name; /* of the last one shown */
    int64_t id;
    bool more;
};

static err *begin_named(struct req *r, const char *key, struct named_page *ret, struct ent_list_query *q) {
    str token;
    *ret = (struct named_page){0};
    TRY(uc_page_size(r, 100, 1000, &ret->want));
    TRY(page_token_read(r, arg_str(r, "page_token"), str_of(r->row->name), &token));
    ptrdiff_t colon = str_chr(token, ':', 0);
    if (colon > 0 && str_to_i64(str_cut(token, (size_t)colon), &q->after_id)) q->after = true, q->after_s = str_from(token, (size_t)colon + 1);
    ret->arr = json_put_arr(req_doc(r), req_out(r), key);
    return NULL;
}

static void end_named(struct req *r, const struct named_page *p) {
    if (!p->more) return;
    str key = str_of(arena_printf(r->a, "%lld:%.*s", (long long)p->id, STR_ARG(p->name)));
    json_put_str(r->doc, r->out, "next_page_token", page_token_make(r, str_of(r->row->name), key));
}

/* ---- external locations ---- */

/* What is tried before a location is made or moved: that its store answers, with its credential. */
struct probe {
    struct store_at at;
    bool needed;
};

err *api_unity_catalog_find_location_store(struct req *r) {
    struct caller c = uc_caller(r);
    struct probe *p = arena_new_of(r->a, struct probe);
    struct securable s, credential;
    str url = STR_NONE, name = optional(r, "credential_name");
    int64_t id = 0;
    *p = (struct probe){0};
    r->state = p;
    if (arg_bool(r, "skip_validation", false)) return NULL;
    if (!str_starts(str_of(r->row->name), STR("create"))) { /* a change: of what it says, and what it leaves as it is */
        TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "name"), PRIV_MANAGE, &s));
        if (!arg_has(r, "url") && !name.n) return NULL;
        url = s.location.url, id = s.location.credential_id;
    }
    if (arg_has(r, "url")) url = arg_str(r, "url");
    TRY(locations_url(r->a, url, &url));
    if (!url_is_remote(url)) return NULL;
    if (name.n && !str_ieq(name, STR("local"))) {
        TRY(securable_open(&c, SEC_CREDENTIAL, name, PRIV_CREATE_EXTERNAL_LOCATION, &credential));
        id = credential.id;
    }
    if (!id) return NULL; /* locations_create() says why not */
    TRY(stores_open_with(&c, url, id, &p->at));
    p->needed = true;
    return NULL;
}

err *api_unity_catalog_probe_location(struct req *r) {
    struct probe *p = r->state;
    if (!p->needed) return NULL;
    str prefix = p->at.key.n ? str_of(arena_printf(r->a, "%.*s/", STR_ARG(p->at.key))) : STR("");
    struct storage_list_ask ask = {.prefix = prefix, .max = 1};
    struct storage_list page;
    err *e = storage_list(p->at.s, r->a, &ask, &page);
    if (!e) return NULL;
    err *why = err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "The location cannot be read with its storage credential: %s", err_msg(e)),
                        "Check bucket, endpoint, keys and egress.allow, or use skip_validation.");
    err_free(e);
    return why;
}

static err *refuse_events(struct req *r) {
    static const char *const none[] = {"enable_file_events", "effective_enable_file_events", "file_event_queue", "effective_file_event_queue",
                                       "encryption_details", "fallback", NULL};
    return uc_refuse(r, none);
}

err *api_unity_catalog_create_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable top, l;
    TRY(refuse_events(r));
    TRY(securable_open(&c, SEC_METASTORE, STR(""), PRIV_CREATE_EXTERNAL_LOCATION, &top));
    TRY(locations_create(&c, arg_str(r, "name"), arg_str(r, "url"), arg_str(r, "credential_name"), optional(r, "comment"),
                         arg_bool(r, "read_only", false), &l));
    return answer(r, &l);
}

err *api_unity_catalog_list_locations(struct req *r) {
    struct caller c = uc_caller(r);
    struct ent_external_location_rows rows;
    struct ent_list_query q = {.order = ENT_EXTERNAL_LOCATION_NAME};
    struct named_page page;
    TRY(begin_named(r, "external_locations", &page, &q));
    TRY(ent_external_location_list(r->tx, metastore_scope(&c), r->a, &q, &rows));
    for (size_t i = 0; i < rows.n && !page.more; i++) {
        struct securable s;
        TRY(securable_of_location(&c, &rows.p[i], &s));
        TRY(uc_unbound(r, &c, &s));
        if (!securable_visible(&c, &s) || (page.more = page.n == page.want)) continue;
        page.n++, page.name = rows.p[i].name, page.id = rows.p[i].id;
        TRY(uc_put_object(r, json_add_obj(r->doc, page.arr), &s));
    }
    end_named(r, &page);
    return NULL;
}

err *api_unity_catalog_get_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "name"), 0, &s));
    return answer(r, &s);
}

err *api_unity_catalog_update_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "name"), PRIV_MANAGE, &s));
    TRY(refuse_events(r));
    if (arg_has(r, "isolation_mode")) TRY(bindings_set_mode(&c, &s, arg_str(r, "isolation_mode")));
    if (arg_has(r, "new_name")) s.location.name = arg_str(r, "new_name");
    if (arg_has(r, "url")) TRY(locations_move(&c, &s, arg_str(r, "url"), arg_bool(r, "force", false)));
    if (arg_has(r, "credential_name")) TRY(locations_set_credential(&c, &s, arg_str(r, "credential_name")));
    if (arg_has(r, "comment")) s.location.comment = arg_str(r, "comment");
    if (arg_has(r, "read_only")) s.location.read_only = arg_bool(r, "read_only", false);
    if (arg_has(r, "owner")) TRY(uc_principal_id(r, arg_str(r, "owner"), &s.location.owner_id));
    s.owner = s.location.owner_id;
    TRY(locations_save(&c, &s));
    return answer(r, &s);
}

err *api_unity_catalog_delete_location(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "name"), PRIV_MANAGE, &s));
    return locations_delete(&c, &s, arg_bool(r, "force", false));
}

/* ---- storage credentials ---- */

/* s3_keys of a request → what is shown, what is not. */
static err *read_keys(struct req *r, jval *keys, str role, str *ret_config, str *ret_secret) {
    static const char *const open[] = {"access_key_id", "endpoint", "region"}, *const hidden[] = {"secret_access_key", "session_token"};
    jmut *o = yyjson_mut_obj(req_doc(r)), *x = yyjson_mut_obj(r->doc);
    for (size_t i = 0; i < ARRAY_LEN(open); i++) json_put_str(r->doc, o, open[i], json_get_str(keys, open[i]));
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) json_put_str(r->doc, x, hidden[i], json_get_str(keys, hidden[i]));
    str endpoint = json_get_str(keys, "endpoint");
    if (!json_get_str(keys, "access_key_id").n || !json_get_str(keys, "secret_access_key").n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "s3_keys needs access_key_id and secret_access_key.");
    if (endpoint.n && !str_starts(endpoint, STR("http://")) && !str_starts(endpoint, STR("https://")))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "s3_keys.endpoint must be http(s)://host[:port], not '%.*s'.", STR_ARG(str_cut(endpoint, 200)));
    json_put_bool(r->doc, o, "path_style", !yyjson_is_false(json_get(keys, "path_style")));
    if (role.n) json_put_str(r->doc, o, "role_arn", role); /* is assumed for sessions */
    *ret_config = json_text(r->a, o);
    *ret_secret = json_text(r->a, x);
    return NULL;
}

static err *refuse_clouds(struct req *r) {
    static const char *const none[] = {"azure_managed_identity", "azure_service_principal", "cloudflare_api_token", "databricks_gcp_service_account", NULL};
    return uc_refuse(r, none);
}

err *api_unity_catalog_create_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable top, s;
    jval *keys = arg(r, "s3_keys");
    str arn = json_get_str(arg(r, "aws_iam_role"), "role_arn"), config = STR("{}"), secret = STR_NONE;
    TRY(securable_open(&c, SEC_METASTORE, STR(""), PRIV_CREATE_STORAGE_CREDENTIAL, &top));
    TRY(refuse_clouds(r));
    if (keys) TRY(read_keys(r, keys, arn, &config, &secret));
    if (arn.n && !keys) {
        jmut *o = yyjson_mut_obj(req_doc(r));
        json_put_str(r->doc, o, "role_arn", arn);
        config = json_text(r->a, o);
    }
    TRY(credentials_create(&c, arg_str(r, "name"), keys ? STR("s3_keys") : arn.n ? STR("aws_iam_role") : STR("local"), config,
                           optional(r, "comment"), arg_bool(r, "read_only", false), &s));
    if (secret.n) TRY(credentials_set_secret(&c, s.id, secret));
    return answer(r, &s);
}

err *api_unity_catalog_list_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct ent_storage_credential_rows rows;
    struct ent_list_query q = {.order = ENT_STORAGE_CREDENTIAL_NAME};
    struct named_page page;
    TRY(begin_named(r, "storage_credentials", &page, &q));
    TRY(ent_storage_credential_list(r->tx, metastore_scope(&c), r->a, &q, &rows));
    for (size_t i = 0; i < rows.n && !page.more; i++) {
        struct securable s;
        TRY(securable_of_credential(&c, &rows.p[i], &s));
        TRY(uc_unbound(r, &c, &s));
        if (!securable_visible(&c, &s) || (page.more = page.n == page.want)) continue;
        page.n++, page.name = rows.p[i].name, page.id = rows.p[i].id;
        TRY(uc_put_object(r, json_add_obj(r->doc, page.arr), &s));
    }
    end_named(r, &page);
    return NULL;
}

err *api_unity_catalog_get_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CREDENTIAL, arg_str(r, "name"), 0, &s));
    return answer(r, &s);
}

/* The role that is assumed; keys stay. */
static err *set_role(struct req *r, struct securable *s) {
    jval *before;
    str arn = json_get_str(arg(r, "aws_iam_role"), "role_arn");
    if (str_eqz(s->credential.kind, "local"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Storage credential '%.*s' is of local files and has no aws_iam_role.", STR_ARG(s->full_name));
    TRY(json_parse(r->a, s->credential.config.n ? s->credential.config : STR("{}"), false, &before));
    jmut *o = yyjson_val_mut_copy(req_doc(r), before);
    yyjson_mut_obj_remove_key(o, "role_arn");
    if (arn.n) json_put_str(r->doc, o, "role_arn", arn);
    s->credential.config = json_text(r->a, o);
    return NULL;
}

err *api_unity_catalog_update_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CREDENTIAL, arg_str(r, "name"), PRIV_MANAGE, &s));
    TRY(refuse_clouds(r));
    if (arg_has(r, "isolation_mode")) TRY(bindings_set_mode(&c, &s, arg_str(r, "isolation_mode")));
    if (arg(r, "aws_iam_role")) TRY(set_role(r, &s));
    if (arg_has(r, "new_name")) {
        TRY(name_check_part(arg_str(r, "new_name"), "storage credential"));
        s.credential.name = arg_str(r, "new_name");
    }
    if (arg_has(r, "comment")) s.credential.comment = arg_str(r, "comment");
    if (arg_has(r, "read_only")) s.credential.read_only = arg_bool(r, "read_only", false);
    if (arg_has(r, "owner")) TRY(uc_principal_id(r, arg_str(r, "owner"), &s.credential.owner_id));
    s.owner = s.credential.owner_id;
    if (arg(r, "s3_keys")) {
        str secret;
        if (!str_eqz(s.credential.kind, "s3_keys"))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Storage credential '%.*s' holds no keys.", STR_ARG(s.full_name));
        jval *before;
        TRY(json_parse(r->a, s.credential.config, false, &before));
        TRY(read_keys(r, arg(r, "s3_keys"), json_get_str(before, "role_arn"), &s.credential.config, &secret));
        TRY(credentials_set_secret(&c, s.id, secret));
    }
    TRY(credentials_save(&c, &s));
    return answer(r, &s);
}

err *api_unity_catalog_delete_credential(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable s;
    TRY(securable_open(&c, SEC_CREDENTIAL, arg_str(r, "name"), PRIV_MANAGE, &s));
    return credentials_delete(&c, &s, arg_bool(r, "force", false));
}

/* ---- trying a credential ---- */

/* What is tried: that the URL can be listed with it. */
struct trial {
    struct store_at at;
    str local; /* a folder here instead */
};

err *api_unity_catalog_find_validated(struct req *r) {
    struct caller c = uc_caller(r);
    struct trial *t = arena_new_of(r->a, struct trial);
    struct securable l = {0}, credential;
    struct location_place place;
    str url = arg_str(r, "url"), name = arg_str(r, "storage_credential_name");
    int64_t id = 0;
    *t = (struct trial){0};
    r->state = t;
    TRY(refuse_clouds(r));
    if (arg(r, "aws_iam_role"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Parameter 'aws_iam_role' is not supported here: make the credential first and give storage_credential_name.");
    if (arg_str(r, "external_location_name").n) {
        TRY(securable_open(&c, SEC_LOCATION, arg_str(r, "external_location_name"), PRIV_READ_FILES | PRIV_MANAGE, &l));
        if (!url.n) url = l.location.url;
        id = l.location.credential_id;
    }
    if (!url.n) return err_new(ERR_INVALID_PARAMETER_VALUE, "url or external_location_name is needed.");
    TRY(locations_url(r->a, url, &url));
    if (l.id && !(str_starts(url, l.location.url) && (url.n == l.location.url.n || url.p[l.location.url.n] == '/')))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "url '%.*s' does not lie in the external location '%.*s'.", STR_ARG(url), STR_ARG(l.full_name));
    if (name.n && !str_ieq(name, STR("local"))) {
        TRY(securable_open(&c, SEC_CREDENTIAL, name, PRIV_CREATE_EXTERNAL_LOCATION, &credential));
        id = credential.id;
    } else if (!l.id) { /* the platform's own files, or nothing to try with */
        TRY(securable_open(&c, SEC_METASTORE, STR(""), PRIV_CREATE_EXTERNAL_LOCATION, &credential));
    }
    if (url_is_remote(url)) return id ? stores_open_with(&c, url, id, &t->at) : err_new(ERR_INVALID_PARAMETER_VALUE, "storage_credential_name is needed for s3://.");
    TRY(locations_place(&c, url, &place));
    t->local = place.control;
    return NULL;
}

static void put_result(struct req *r, jmut *arr, const char *operation, const char *result, const char *message) {
    jmut *o = json_add_obj(r->doc, arr);
    json_put_z(r->doc, o, "operation", operation);
    json_put_z(r->doc, o, "result", result);
    if (message) json_put_z(r->doc, o, "message", message);
}

err *api_unity_catalog_validate_credential(struct req *r) {
    struct trial *t = r->state;
    struct storage_list page = {0};
    err *e = NULL;
    bool there = false;
    if (t->at.s) {
        str prefix = t->at.key.n ? str_of(arena_printf(r->a, "%.*s/", STR_ARG(t->at.key))) : STR("");
        struct storage_list_ask ask = {.prefix = prefix, .max = 1};
        e = storage_list(t->at.s, r->a, &ask, &page);
        there = !e;
    } else {
        there = files_exists(arena_strndup(r->a, t->local.p, t->local.n));
        if (!there) e = err_new(ERR_NOT_FOUND, "There is no such folder.");
    }
    jmut *out = req_out(r), *arr = json_put_arr(r->doc, out, "results");
    json_put_bool(r->doc, out, "isDir", there);
    put_result(r, arr, "LIST", e ? "FAIL" : "PASS", e ? arena_printf(r->a, "%s", err_msg(e)) : NULL);
    for (int i = 0; i < 3; i++) put_result(r, arr, (const char *[]){"READ", "WRITE", "DELETE"}[i], "SKIP", "Only listing is tried: nothing is read or written.");
    err_free(e);
    return NULL;
}

/* ---- temporary credentials ---- */

/* What the read step decided. */
struct temporary {
    str url;
    bool write;
    struct store_at at;
};

static err *decided(struct req *r, const struct caller *c, str url, bool write) {
    struct temporary *t = arena_new_of(r->a, struct temporary);
    *t = (struct temporary){.url = arena_str(r->a, url), .write = write};
    r->state = t;
    return url_is_remote(url) ? stores_open(c, t->url, &t->at) : NULL;
}

/* Sessions are the store's own, for an hour and for this URL; local places need no secret. */
static err *put_temporary(struct req *r) {
    struct temporary *t = r->state;
    int64_t expires = clock_now() + CREDENTIAL_LIFE_US;
    if (t->at.s) {
        static const char *const names[] = {"access_key_id", "secret_access_key", "session_token"};
        jval *got;
        TRY(stores_session(r->control->stores, r->a, &t->at, t->url, t->write, &got));
        jmut *o = json_put_obj(req_doc(r), req_out(r), "aws_temp_credentials");
        for (size_t i = 0; i < ARRAY_LEN(names); i++) json_put_str(r->doc, o, names[i], json_get_str(got, names[i]));
        (void)json_i64(json_get(got, "expires"), &expires);
    }
    json_put_str(req_doc(r), req_out(r), "url", t->url);
    json_put_int(r->doc, r->out, "expiration_time", expires / US_PER_MS);
    return NULL;
}

err *api_unity_catalog_give_temporary(struct req *r) { return put_temporary(r); }

static err *find_by_uuid(const struct caller *c, str uuid, struct securable *ret, bool *found) {
    struct ent_uc_table_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_UC_TABLE_UUID, .s = uuid}}, .limit = 1};
    *found = false;
    TRY(ent_uc_table_list(c->tx, metastore_scope(c), c->a, &q, &rows));
    if (!rows.n || rows.p[0].schema_id < 0) return NULL;
    return securable_by_id(c, SEC_TABLE, rows.p[0].id, ret, found);
}

static err *check_plain(const struct caller *c, const struct securable *t, bool write) {
    bool masked;
    if (write && clones_is(&t->table)) /* its log says whose files are read with it */
        return err_new(ERR_PERMISSION_DENIED, "Table '%.*s' is a shallow clone: its log is written by the platform alone.", STR_ARG(t->full_name));
    TRY(tables_guarded(c, &t->table, &masked));
    if (masked)
        return err_new(ERR_PERMISSION_DENIED, "Table '%.*s' has a row filter or column masks: its files are not given out.",
                       STR_ARG(t->full_name));
    if (table_is_view(&t->table))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is a view and has no files.", STR_ARG(t->full_name));
    return NULL;
}

err *api_unity_catalog_temporary_table_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t, schema;
    bool found;
    str op = arg_str(r, "operation"), engine, url;
    bool write = str_eqz(op, "READ_WRITE");
    if (!write && !str_eqz(op, "READ"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "operation must be READ or READ_WRITE, not '%.*s'.", STR_ARG(str_cut(op, 40)));
    TRY(find_by_uuid(&c, arg_str(r, "table_id"), &t, &found));
    TRY(securable_known(&c, &t, found, SEC_TABLE, arg_str(r, "table_id")));
    TRY(securable_need(&c, &t, PRIV_SELECT));
    if (write) TRY(securable_need(&c, &t, PRIV_MODIFY));
    TRY(securable_up(&c, &t, SEC_SCHEMA, &schema));
    TRY(securable_need(&c, &schema, PRIV_EXTERNAL_USE_SCHEMA));
    TRY(check_plain(&c, &t, write));
    TRY(ask_table_place(&c, &t.table, &engine, &url));
    return decided(r, &c, url, write);
}

/* A volume by the id that clients are shown. */
static err *find_volume(struct req *r, const struct caller *c, str uuid, struct securable *ret) {
    int64_t id = 0;
    bool found = false;
    for (size_t i = uuid.n > 17 ? uuid.n - 17 : uuid.n; i < uuid.n; i++) { /* "…-hhhh-hhhhhhhhhhhh": its last 16 digits */
        static const char digits[] = "0123456789abcdef";
        const char *at = uuid.p[i] == '-' ? NULL : strchr(digits, uuid.p[i]);
        if (at) id = (int64_t)((uint64_t)id << 4 | (uint64_t)(at - digits));
    }
    if (id && str_eqz(uuid, catalog_uuid(r->a, id))) TRY(securable_by_id(c, SEC_VOLUME, id, ret, &found));
    return securable_known(c, ret, found, SEC_VOLUME, uuid);
}

err *api_unity_catalog_temporary_volume_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable v, schema;
    bool write = str_eqz(arg_str(r, "operation"), "WRITE_VOLUME");
    if (!write && !str_eqz(arg_str(r, "operation"), "READ_VOLUME"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "operation must be READ_VOLUME or WRITE_VOLUME, not '%.*s'.", STR_ARG(str_cut(arg_str(r, "operation"), 40)));
    TRY(find_volume(r, &c, arg_str(r, "volume_id"), &v));
    TRY(securable_need(&c, &v, write ? PRIV_WRITE_VOLUME : PRIV_READ_VOLUME));
    TRY(securable_up(&c, &v, SEC_SCHEMA, &schema));
    TRY(securable_need(&c, &schema, PRIV_EXTERNAL_USE_SCHEMA));
    if (!v.volume.location.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is a managed volume: its files are reached by the Files API, not by credentials.", STR_ARG(v.full_name));
    TRY(locations_check_tables(&c, v.volume.location, write));
    return decided(r, &c, v.volume.location, write);
}

err *api_unity_catalog_temporary_path_credentials(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable l;
    struct location_place place;
    str op = arg_str(r, "operation"), url;
    uint64_t need = str_eqz(op, "PATH_READ")           ? PRIV_READ_FILES
                    : str_eqz(op, "PATH_READ_WRITE")   ? PRIV_WRITE_FILES
                    : str_eqz(op, "PATH_CREATE_TABLE") ? PRIV_CREATE_EXTERNAL_TABLE
                                                       : 0;
    if (!need)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "operation must be PATH_READ, PATH_READ_WRITE or PATH_CREATE_TABLE, not '%.*s'.",
                       STR_ARG(str_cut(op, 40)));
    TRY(locations_url(r->a, arg_str(r, "url"), &url));
    TRY(locations_need(&c, url, need, &l));
    TRY(securable_need(&c, &l, PRIV_EXTERNAL_USE_LOCATION));
    TRY(locations_check_tables(&c, url, need != PRIV_READ_FILES));
    TRY(locations_place(&c, url, &place));
    return decided(r, &c, url, need != PRIV_READ_FILES);
}
