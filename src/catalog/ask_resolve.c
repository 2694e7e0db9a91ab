/* SPDX-License-Identifier: Apache-2.0 */
/* What names stand for: tables, views, functions, paths, groups; with whose rights (ask.h, "Rights of definers"). */
#include <openssl/hmac.h>
#include <stdio.h>

#include "catalog/clones.h"
#include "catalog/locations.h"
#include "catalog/managed.h"
#include "catalog/tables.h"
#include "catalog/volumes.h"
#include "identity/identity.h"

/* ---- marks of definers ---- */

#define MARK '\x01'
#define SEAL_HEX 32

static void seal(const struct ask *k, char kind, int64_t id, char out[SEAL_HEX + 1]) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char text[96];
    int len = snprintf(text, sizeof(text), "definer %c %lld %lld", kind, (long long)id, (long long)k->c->who->id);
    must(HMAC(EVP_sha256(), k->key, 32, (unsigned char *)text, (size_t)len, mac, &n) != NULL);
    for (int i = 0; i < SEAL_HEX / 2; i++) snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

/* "main" → "main\x01v17.<seal>": names under it are decided with the rights of the owner of view 17. */
static str mark(struct ask *k, str catalog, char kind, int64_t id) {
    char mac[SEAL_HEX + 1];
    seal(k, kind, id, mac);
    return str_of(arena_printf(k->c->a, "%.*s%c%c%lld.%s", STR_ARG(catalog), MARK, kind, (long long)id, mac));
}

err *ask_become(struct ask *k, int64_t owner, struct caller *ret) {
    struct policy_subject *who = arena_new_of(k->c->a, struct policy_subject);
    struct principal_info p;
    struct id_list groups = {0};
    bool found = false;
    *who = (struct policy_subject){.id = owner};
    if (owner) TRY(identity_find(k->c->today, k->c->a, owner, &p, &found));
    *ret = *k->c;
    ret->who = who;
    if (!found) return NULL; /* an owner that is gone may nothing */
    TRY(identity_groups_of(k->c->today, k->c->a, owner, &groups));
    who->active = p.active || p.type == PRINCIPAL_GROUP;
    who->metastore_admin = p.account_admin;
    who->groups = groups.p;
    who->n_groups = groups.n;
    ret->name = p.name;
    return NULL;
}

err *ask_definer(struct ask *k, struct caller *ret) {
    *ret = *k->c;
    ptrdiff_t at = str_chr(k->catalog, MARK, 0);
    if (at < 0) return NULL;
    str text = str_from(k->catalog, (size_t)at + 1);
    k->catalog = str_cut(k->catalog, (size_t)at);
    char kind = text.n ? text.p[0] : 0, mac[SEAL_HEX + 1];
    ptrdiff_t dot = str_chr(text, '.', 0);
    int64_t id;
    if (dot < 2 || !str_to_i64(str_n(text.p + 1, (size_t)dot - 1), &id) || (kind != 'v' && kind != 'f'))
        return err_new(ERR_PERMISSION_DENIED, "A definer's mark is damaged.");
    seal(k, kind, id, mac);
    if (!str_eq_secret(str_from(text, (size_t)dot + 1), str_of(mac)))
        return err_new(ERR_PERMISSION_DENIED, "A definer's mark is not of this statement.");
    struct securable s;
    bool found;
    TRY(securable_by_id(k->c, kind == 'v' ? SEC_TABLE : SEC_FUNCTION, id, &s, &found));
    if (!found) return err_new(ERR_PERMISSION_DENIED, "What a name belongs to is gone.");
    return ask_become(k, s.owner, ret);
}

/* ---- row filters and masks ---- */

/* "`c`.`s`.`f`(`col`, …)" of {"function_name", "input_column_names"…}. The function is named by a mark, so that whoever
 * reads the table may run it without EXECUTE. */
static err *policy_call(struct ask *k, jval *v, str column, str *ret) {
    *ret = STR("");
    str name = json_get_str(v, "function_name");
    if (!name.n) return NULL;
    struct securable f;
    bool found;
    TRY(securable_find(k->c, SEC_FUNCTION, name, &f, &found));
    if (!found)
        return ask_error("ROUTINE_NOT_FOUND", "42883", "The function of a row filter or column mask is gone.");
    buf b = {0};
    str marked = mark(k, f.catalog.name, 'f', f.id);
    str full = ask_quoted(k->c->a, marked, f.schema.name, f.function.name);
    buf_str(&b, full);
    buf_c(&b, '(');
    bool any = column.n > 0;
    if (any) buf_str(&b, ask_quote(k->c->a, column));
    size_t i, n;
    jval *x;
    jval *args = json_get(v, column.n ? "using_arguments" : "input_arguments");
    if (!args) args = json_get(v, column.n ? "using_column_names" : "input_column_names");
    yyjson_arr_foreach(args, i, n, x) {
        str constant = json_get_str(x, "constant"), name = yyjson_is_obj(x) ? json_get_str(x, "column") : json_str(x);
        if (any) buf_z(&b, ", ");
        any = true;
        buf_str(&b, constant.n ? constant : ask_quote(k->c->a, name)); /* constants were looked at when they were set (cmd_policy.c) */
    }
    buf_c(&b, ')');
    *ret = arena_str(k->c->a, buf_view(&b));
    buf_free(&b);
    return NULL;
}

static err *put_columns(struct ask *k, jmut *o, const struct ent_uc_table *t, bool masks) {
    jval *list, *v;
    size_t i, n;
    TRY(tables_columns(k->c, t, &list));
    jmut *arr = json_put_arr(k->d, o, "columns");
    yyjson_arr_foreach(list, i, n, v) {
        jmut *c = json_add_obj(k->d, arr);
        json_put_str(k->d, c, "name", json_get_str(v, "name"));
        json_put_str(k->d, c, "type_json", json_get_str(v, "type_json"));
        json_put_bool(k->d, c, "nullable", !yyjson_is_false(json_get(v, "nullable")));
        json_put_str(k->d, c, "comment", json_get_str(v, "comment"));
        if (!masks || !yyjson_is_obj(json_get(v, "mask"))) continue;
        str call;
        TRY(policy_call(k, json_get(v, "mask"), json_get_str(v, "name"), &call));
        if (call.n) json_put_str(k->d, c, "mask", call);
    }
    return NULL;
}

/* ---- relations ---- */

/* Of a catalog-managed table: which versions there are, now or as of the transaction's beginning. */
static err *put_log(struct ask *k, jmut *x, const struct ent_uc_table *t) {
    struct managed_log log;
    bool found, now = true;
    TRY(managed_find(k->c, k->past ? k->past : k->c->tx, t->id, &log, &found));
    if (!found && k->past) TRY(managed_find(k->c, k->c->tx, t->id, &log, &now));
    if (!found && k->past && now)
        return ask_error("TABLE_OR_VIEW_NOT_FOUND", "42P01", "The table %.*s is younger than the transaction.", STR_ARG(t->name));
    if (!found) return NULL;
    json_put_int(k->d, x, "version", log.row.latest);
    managed_put(k->d, x, &log);
    return NULL;
}

static err *put_table(struct ask *k, jmut *o, const struct ent_uc_table *t, bool write) {
    str engine, url;
    struct kv properties;
    jval *columns, *v;
    size_t i, n;
    TRY(ask_table_place(k->c, t, &engine, &url));
    TRY(ask_access(k, url, write));
    jmut *x = json_put_obj(k->d, o, "table");
    json_put_str(k->d, x, "format", t->format);
    json_put_str(k->d, x, "location", engine);
    json_put_str(k->d, x, "url", url);
    json_put_bool(k->d, x, "managed", table_is_managed(t));
    json_put_str(k->d, x, "uuid", t->uuid);
    TRY(tables_columns(k->c, t, &columns));
    jmut *parts = json_put_arr(k->d, x, "partition_columns");
    int64_t at;
    for (int64_t want = 0; want < (int64_t)yyjson_arr_size(columns); want++)
        yyjson_arr_foreach(columns, i, n, v)
            if (json_i64(json_get(v, "partition_index"), &at) && at == want) json_add_str(k->d, parts, json_get_str(v, "name"));
    TRY(tables_properties(k->c, t, &properties));
    kv_put_object(k->d, x, "properties", &properties);
    TRY(clones_put(k, x, t));
    return put_log(k, x, t);
}

static err *put_relation(struct ask *k, const struct caller *who, jmut *o, const struct securable *s, bool write) {
    const struct ent_uc_table *t = &s->table;
    bool view = table_is_view(t);
    json_put_z(k->d, o, "kind", view ? "view" : "table");
    json_put_str(k->d, o, "id", str_of(arena_printf(k->c->a, "%lld", (long long)s->id)));
    json_put_str(k->d, o, "catalog", s->catalog.name);
    json_put_str(k->d, o, "schema", s->schema.name);
    json_put_str(k->d, o, "name", t->name);
    TRY(put_columns(k, o, t, !view));
    if (view) {
        jmut *v = json_put_obj(k->d, o, "view");
        json_put_str(k->d, v, "text", t->view_text);
        json_put_bool(k->d, v, "definer", s->owner != k->c->who->id || who->who->id != k->c->who->id);
        json_put_str(k->d, v, "catalog", mark(k, t->view_catalog.n ? t->view_catalog : s->catalog.name, 'v', s->id));
        json_put_str(k->d, v, "schema", t->view_schema.n ? t->view_schema : s->schema.name);
        return NULL;
    }
    if (t->row_filter.n) {
        jval *f;
        str call;
        TRY(json_parse(k->c->a, t->row_filter, false, &f));
        TRY(policy_call(k, f, STR(""), &call));
        if (call.n) json_put_str(k->d, o, "row_filter", call);
    }
    return put_table(k, o, t, write);
}

/* What a verb takes: any of these. */
static uint64_t need_of(str verb) {
    if (str_eqz(verb, "modify") || str_eqz(verb, "change")) return PRIV_MODIFY;
    if (str_eqz(verb, "alter")) return PRIV_MANAGE;
    return PRIV_SELECT;
}

static err *resolve_one(struct ask *k, const struct caller *who, jval *name, jmut *list) {
    struct ask_name n;
    struct securable s;
    bool found;
    str verb = json_get_str(name, "for");
    TRY(ask_name(k, json_get(name, "parts"), 3, &n));
    if (n.path) {
        yyjson_mut_arr_add_null(k->d, list);
        return NULL;
    }
    jmut *o = yyjson_mut_obj(k->d);
    if (ask_is_virtual(n.part[0], n.part[1])) {
        TRY(ask_information(k, &n, o, &found));
    } else {
        struct caller own = *who;
        TRY(ask_find(k, &own, SEC_TABLE, &n, &s, &found));
        uint64_t need = need_of(verb);
        /* Files and history are for readers and writers: more than BROWSE tells. */
        bool describes = found && str_eqz(verb, "describe") && securable_allows(&own, &s, PRIV_MODIFY | PRIV_MANAGE);
        if (found && !describes) TRY(ask_need(&own, &s, need));
        /* UPDATE, DELETE and MERGE tell what they found: they take both. */
        if (found && str_eqz(verb, "change")) TRY(ask_need(&own, &s, PRIV_SELECT));
        bool write = need == PRIV_MODIFY || need == PRIV_MANAGE;
        if (found) TRY(put_relation(k, &own, o, &s, write));
    }
    yyjson_mut_arr_append(list, found ? o : yyjson_mut_null(k->d));
    return NULL;
}

err *ask_resolve(struct ask *k) {
    struct caller who;
    jval *v;
    size_t i, n;
    TRY(ask_definer(k, &who));
    json_put_int(k->d, k->out, "seq", store_tx_seq(k->c->tx));
    jmut *list = json_put_arr(k->d, k->out, "relations");
    yyjson_arr_foreach(json_get(k->in, "names"), i, n, v) TRY(resolve_one(k, &who, v, list));
    return NULL;
}

/* ---- functions ---- */

/* "int" of {"type_text":"int",…}; of a table function "struct<a:int,…>". */
static err *returns_text(struct ask *k, const struct ent_uc_function *f, str *ret) {
    jval *o, *v;
    size_t i, n;
    TRY(json_parse(k->c->a, f->returns.n ? f->returns : STR("{}"), false, &o));
    if (yyjson_is_obj(o)) {
        *ret = json_get_str(o, "type_text");
        if (!ret->p) *ret = STR("string");
        return NULL;
    }
    buf b = {0};
    buf_z(&b, "struct<");
    yyjson_arr_foreach(o, i, n, v) {
        if (i) buf_c(&b, ',');
        buf_str(&b, ask_quote(k->c->a, json_get_str(v, "name")));
        buf_c(&b, ':');
        buf_str(&b, json_get_str(v, "type_text"));
    }
    buf_c(&b, '>');
    *ret = arena_str(k->c->a, buf_view(&b));
    buf_free(&b);
    return NULL;
}

/* What the body asks for is decided with the owner's rights: tables, and other functions. */
static err *put_function(struct ask *k, const struct caller *who, const struct securable *s) {
    const struct ent_uc_function *f = &s->function;
    jval *params, *v;
    size_t i, n;
    str returns;
    TRY(returns_text(k, f, &returns));
    jmut *o = json_put_obj(k->d, k->out, "function");
    json_put_str(k->d, o, "catalog", mark(k, s->catalog.name, 'f', s->id));
    json_put_str(k->d, o, "schema", s->schema.name);
    json_put_str(k->d, o, "name", f->name);
    TRY(json_parse(k->c->a, f->params.n ? f->params : STR("[]"), false, &params));
    jmut *arr = json_put_arr(k->d, o, "params");
    yyjson_arr_foreach(params, i, n, v) {
        jmut *p = json_add_obj(k->d, arr);
        json_put_str(k->d, p, "name", json_get_str(v, "name"));
        json_put_str(k->d, p, "type", json_get_str(v, "type_text"));
        if (json_get_str(v, "default").p) json_put_str(k->d, p, "default", json_get_str(v, "default"));
    }
    json_put_str(k->d, o, "returns", returns);
    json_put_str(k->d, o, "body", f->body);
    json_put_bool(k->d, o, "table", f->is_table);
    json_put_bool(k->d, o, "definer", s->owner != k->c->who->id || who->who->id != k->c->who->id);
    return NULL;
}

/* Of a row filter or mask: its catalog carries a mark (policy_call). */
static err *marked_function(struct ask *k, jval *parts, struct securable *ret, bool *found) {
    str first = json_str(yyjson_arr_get(parts, 0)), catalog = k->catalog;
    struct caller owner;
    *found = false;
    if (yyjson_arr_size(parts) != 3 || str_chr(first, MARK, 0) < 0) return NULL;
    k->catalog = first;
    err *e = ask_definer(k, &owner);
    struct ask_name n = {.part = {k->catalog, json_str(yyjson_arr_get(parts, 1)), json_str(yyjson_arr_get(parts, 2))}};
    k->catalog = catalog;
    if (e) return e;
    return ask_find(k, &owner, SEC_FUNCTION, &n, ret, found);
}

err *ask_function(struct ask *k) {
    struct caller who;
    struct ask_name n;
    struct securable s;
    bool found;
    jval *parts = json_get(k->in, "parts");
    TRY(marked_function(k, parts, &s, &found));
    if (found) return put_function(k, k->c, &s);
    TRY(ask_definer(k, &who));
    TRY(ask_name(k, parts, 3, &n));
    TRY(ask_find(k, &who, SEC_FUNCTION, &n, &s, &found));
    if (!found) {
        yyjson_mut_obj_add_null(k->d, k->out, "function");
        return NULL;
    }
    TRY(ask_need(&who, &s, PRIV_EXECUTE));
    if (!str_eqz(s.function.language, "SQL"))
        return ask_error("UNSUPPORTED_FEATURE.CATALOG_OPERATION", "0A000", "The function '%.*s' is written in %.*s; statements run functions in SQL only.",
                         STR_ARG(s.full_name), STR_ARG(s.function.language));
    return put_function(k, &who, &s);
}

/* ---- groups ---- */

err *ask_in_group(struct ask *k) {
    struct principal_info p;
    bool found, member = false;
    int64_t workspace = yyjson_is_true(json_get(k->in, "account")) ? 0 : k->workspace;
    TRY(identity_by_name(k->c->today, k->c->a, workspace, PRINCIPAL_GROUP, ask_text(k, "group"), &p, &found));
    for (size_t i = 0; found && i < k->c->who->n_groups; i++) member |= k->c->who->groups[i] == p.id;
    json_put_bool(k->d, k->out, "member", member);
    return NULL;
}

/* ---- paths ---- */

/* The folder above the first segment that is a pattern. */
static str without_pattern(str url) {
    for (size_t i = 5; i < url.n; i++)
        if (memchr("*?[{", url.p[i], 4)) {
            while (i && url.p[i] != '/') i--;
            return str_cut(url, i);
        }
    return url;
}

static err *managed_path(struct ask *k, const struct securable *v, str rest, bool write) {
    if (write)
        return ask_error("UNSUPPORTED_FEATURE.CATALOG_OPERATION", "0A000", "Statements read the files of the managed volume '%.*s' and do not write them; PUT, "
                         "REMOVE and the Files API do.", STR_ARG(v->full_name));
    str root = volumes_shown(k->c->a, v);
    json_put_str(k->d, k->out, "path", str_of(arena_printf(k->c->a, "%.*s%s%.*s", STR_ARG(root), rest.n ? "/" : "", STR_ARG(rest))));
    json_put_str(k->d, k->out, "volume", root);
    return NULL;
}

static err *volume_path(struct ask *k, const struct caller *who, str path, bool write) {
    struct securable v;
    struct location_place place;
    str rest;
    TRY(ask_sql(volumes_of_path(who, str_from(path, 9), &v, &rest)));
    TRY(ask_need(who, &v, write ? PRIV_WRITE_VOLUME : PRIV_READ_VOLUME));
    if (!v.volume.location.n) return managed_path(k, &v, rest, write);
    str url = rest.n ? str_of(arena_printf(k->c->a, "%.*s/%.*s", STR_ARG(v.volume.location), STR_ARG(rest))) : v.volume.location;
    TRY(ask_sql(locations_url(k->c->a, url, &url)));
    TRY(ask_sql(locations_check_tables(who, url, write)));
    TRY(ask_sql(locations_place(who, url, &place)));
    TRY(ask_access(k, without_pattern(url), write));
    json_put_str(k->d, k->out, "path", place.engine);
    json_put_str(k->d, k->out, "url", url);
    return NULL;
}

/* A path inside a managed table's folder is nobody's: tables are reached by their names. What a view names is decided with the
 * rights of its owner, as its tables are. */
err *ask_path(struct ask *k) {
    str raw = ask_text(k, "url").n ? ask_text(k, "url") : ask_text(k, "path"), url;
    bool write = str_eqz(ask_text(k, "for"), "write");
    struct caller who;
    TRY(ask_definer(k, &who));
    if (str_starts(raw, STR("dbfs:/Volumes/"))) raw = str_from(raw, 5);
    if (str_starts(raw, STR("/Volumes/"))) {
        TRY(ask_sql(volumes_check_path(raw, &raw)));
        return volume_path(k, &who, raw, write);
    }
    if (raw.n && raw.p[0] == '/') raw = str_of(arena_printf(k->c->a, "file://%.*s", STR_ARG(raw)));
    struct securable l;
    struct location_place place;
    TRY(ask_sql(locations_url(k->c->a, raw, &url)));
    TRY(ask_sql(locations_need(&who, url, write ? PRIV_WRITE_FILES : PRIV_READ_FILES, &l)));
    TRY(ask_sql(locations_check_tables(&who, url, write)));
    TRY(ask_sql(locations_place(&who, url, &place)));
    TRY(ask_access(k, without_pattern(url), write));
    json_put_str(k->d, k->out, "path", place.engine);
    json_put_str(k->d, k->out, "url", url);
    return NULL;
}
