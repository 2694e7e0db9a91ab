/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/map.h"
#include "catalog/kv.h"
#include "catalog/locations.h"
#include "catalog/stores.h"
#include "catalog/name.h"
#include "catalog/tables.h"
#include "engine/link.h"
#include "identity/identity.h"
#include "sql/error.h"
#include "store/fold.h"

/* ---- errors ---- */

err *ask_error(const char *cls, const char *state, const char *fmt, ...) {
    va_list ap;
    char text[2048];
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    err *e = err_new(ERR_SQL_ERROR, "[%s] %s SQLSTATE: %s", cls, text, state);
    return err_detail(e, "{\"class\":\"%s\",\"sqlState\":\"%s\",\"params\":{}}", cls, state);
}

err *ask_denied(const char *privilege, const char *on) {
    char name[64];
    snprintf(name, sizeof(name), "%s", privilege);
    for (char *p = name; *p; p++)
        if (*p == '_') *p = ' ';
    char report[1024];
    snprintf(report, sizeof(report), "you do not have %s on %s.", name, on);
    return sql_error("INSUFFICIENT_PERMISSIONS", NULL, STR_NONE, "report", report, NULL);
}

err *ask_need(const struct caller *c, const struct securable *s, uint64_t need) {
    const char *privilege, *on;
    return securable_lacks(c, s, need, &privilege, &on) ? ask_denied(privilege, on) : NULL;
}

err *ask_sql(err *e) {
    if (!e) return NULL;
    static const struct {
        err_code code;
        const char *cls, *state;
    } rows[] = {{ERR_PERMISSION_DENIED, "INSUFFICIENT_PERMISSIONS", "42501"},
                {ERR_RESOURCE_DOES_NOT_EXIST, "RESOURCE_DOES_NOT_EXIST", "42704"},
                {ERR_RESOURCE_ALREADY_EXISTS, "RESOURCE_ALREADY_EXISTS", "42710"},
                {ERR_ALREADY_EXISTS, "RESOURCE_ALREADY_EXISTS", "42710"},
                {ERR_INVALID_STATE, "INVALID_STATE", "2BP01"},
                {ERR_INVALID_PARAMETER_VALUE, "INVALID_PARAMETER_VALUE", "22023"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (err_code_of(e) != rows[i].code) continue;
        err *made = ask_error(rows[i].cls, rows[i].state, "%s", err_msg(e));
        err_free(e);
        return made;
    }
    return e;
}

/* ---- the question ---- */

static bool names_schema(jval *v) { return yyjson_is_str(v) && yyjson_get_len(v) > 0; }

err *ask_begin(struct ask *k, struct caller *c, jval *in, jdoc *d, jmut *out, str catalog, str schema) {
    *k = (struct ask){.c = c, .in = in, .d = d, .out = out, .catalog = catalog, .schema = schema};
    static const char *const at_catalog[] = {"current_catalog", "catalog"}, *const at_schema[] = {"current_schema", "schema"};
    /* Commands have current_…, and slots of the names catalog and schema, which are no texts. */
    for (size_t i = 0; i < 2; i++) {
        jval *x = json_get(in, at_catalog[i]), *y = json_get(in, at_schema[i]);
        if (!names_schema(x)) continue;
        k->catalog = json_str(x);
        if (names_schema(y)) k->schema = json_str(y);
        break;
    }
    return NULL;
}

str ask_word(const struct ask *k, const char *slot) {
    jval *v = json_get(k->in, slot);
    if (yyjson_is_arr(v)) v = yyjson_arr_get_last(v);
    return yyjson_is_str(v) ? json_str(v) : STR("");
}

err *ask_pairs(struct ask *k, const char *slot, struct kv *ret) {
    jval *v;
    size_t i, n;
    *ret = (struct kv){0};
    yyjson_arr_foreach(json_get(k->in, slot), i, n, v) {
        jval *x = json_get(v, "value");
        str value = yyjson_is_str(x)    ? json_str(x)
                    : yyjson_is_true(x) ? STR("true")
                    : yyjson_is_false(x) ? STR("false")
                                         : STR("");
        kv_set(k->c->a, ret, json_get_str(v, "key"), value);
    }
    return NULL;
}

const str *ask_keys(struct ask *k, const char *slot, size_t *ret_n) {
    jval *list = json_get(k->in, slot), *v;
    size_t i, n;
    str *keys = arena_array_of(k->c->a, str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) keys[i] = yyjson_is_obj(v) ? json_get_str(v, "key") : json_str(v);
    *ret_n = yyjson_arr_size(list);
    return keys;
}

/* ---- names ---- */

str ask_quote(arena *a, str part) {
    buf b = {0};
    buf_c(&b, '`');
    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] == '`') buf_c(&b, '`');
        buf_c(&b, part.p[i]);
    }
    buf_c(&b, '`');
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

str ask_quoted(arena *a, str p0, str p1, str p2) {
    str s = ask_quote(a, p0);
    if (p1.n) s = str_of(arena_printf(a, "%.*s.%.*s", STR_ARG(s), STR_ARG(ask_quote(a, p1))));
    if (p2.n) s = str_of(arena_printf(a, "%.*s.%.*s", STR_ARG(s), STR_ARG(ask_quote(a, p2))));
    return s;
}

err *ask_name(struct ask *k, jval *value, int want, struct ask_name *ret) {
    str in[3] = {{0}};
    size_t n = 0, i, all;
    jval *v;
    *ret = (struct ask_name){0};
    if (yyjson_is_str(value)) {
        in[0] = json_str(value);
        n = 1;
        ret->path = in[0].n && (in[0].p[0] == '/' || str_find(in[0], STR(":/")) > 0);
    }
    if (yyjson_is_arr(value) && yyjson_arr_size(value) > (size_t)want)
        return ask_error("INVALID_IDENTIFIER", "42602", "The name has %zu parts; at most %d are possible here.",
                         yyjson_arr_size(value), want);
    yyjson_arr_foreach(value, i, all, v) in[n++] = json_str(v);
    if (!n || !in[n - 1].n) return ask_error("INVALID_IDENTIFIER", "42602", "A name is missing, or empty.");
    if (want == 3 && n == 2 && in[1].n && (in[1].p[0] == '/' || str_find(in[1], STR(":/")) > 0)) ret->path = true;
    if (ret->path) {
        ret->part[2] = in[n - 1];
        return NULL;
    }
    str full[3] = {k->catalog, k->schema, STR("")};
    for (i = 0; i < n; i++) full[(size_t)want - n + i] = in[i];
    if (str_ieq(full[0], STR("spark_catalog"))) full[0] = STR(HIVE_CATALOG);
    for (i = 0; i < (size_t)want; i++) ret->part[i] = full[i];
    return NULL;
}

err *ask_table_exists(struct ask *k, const struct securable *t) {
    str full = ask_quoted(k->c->a, t->catalog.name, t->schema.name, t->table.name);
    return sql_error("TABLE_OR_VIEW_ALREADY_EXISTS", NULL, STR_NONE, "relationName", arena_strndup(k->c->a, full.p, full.n), NULL);
}

err *ask_missing(struct ask *k, enum securable_kind kind, const struct ask_name *n) {
    str full = ask_quoted(k->c->a, n->part[0], n->part[1], n->part[2]);
    const char *z = arena_strndup(k->c->a, full.p, full.n);
    switch (kind) {
    case SEC_CATALOG:
        return ask_error("NO_SUCH_CATALOG_EXCEPTION", "42704", "There is no catalog '%.*s', or you may not see it (not found).", STR_ARG(n->part[0]));
    case SEC_SCHEMA:
        return sql_error("SCHEMA_NOT_FOUND", NULL, STR_NONE, "schemaName", z, NULL);
    case SEC_TABLE:
        return ask_error("TABLE_OR_VIEW_NOT_FOUND", "42P01",
                         "%.*s cannot be found: no such table or view, or you may not see it. Check its catalog and schema; "
                         "DROP ... IF EXISTS does not mind.", STR_ARG(full));
    case SEC_FUNCTION:
        return sql_error("ROUTINE_NOT_FOUND", NULL, STR_NONE, "routineName", z, NULL);
    case SEC_VOLUME:
        return sql_error("VOLUME_NOT_FOUND", NULL, STR_NONE, "name", z, NULL);
    case SEC_LOCATION:
        return ask_error("EXTERNAL_LOCATION_NOT_FOUND", "42704", "External location '%.*s' does not exist.", STR_ARG(n->part[0]));
    case SEC_CREDENTIAL:
        return ask_error("STORAGE_CREDENTIAL_NOT_FOUND", "42704", "Storage credential '%.*s' does not exist.", STR_ARG(n->part[0]));
    default: return ask_sql(securable_missing(kind, full));
    }
}

/* Reaching into a schema takes USE on both; whoever lacks it learns that, and not what is inside. */
static err *find_schema(const struct caller *c, const struct ask_name *n, struct securable *ret, bool *found) {
    struct ent_catalog row;
    struct securable catalog;
    TRY(ent_catalog_by_name(c->tx, metastore_scope(c), c->a, n->part[0], &row, found));
    if (!*found) return NULL;
    TRY(securable_of_catalog(c, &row, &catalog));
    *found = securable_visible(c, &catalog);
    if (!*found) return ask_sql(securable_unbound(c, &catalog));
    TRY(securable_below(c, &catalog, SEC_SCHEMA, n->part[1], ret, found));
    return NULL;
}

err *ask_find(struct ask *k, const struct caller *c, enum securable_kind kind, const struct ask_name *n, struct securable *ret,
              bool *found) {
    (void)k;
    if (securable_parts(kind) == 1) {
        TRY(ask_sql(securable_find(c, kind, ask_quote(c->a, n->part[0]), ret, found)));
        if (*found) TRY(ask_sql(securable_unbound(c, ret)));
        *found = *found && securable_visible(c, ret);
        return NULL;
    }
    struct securable schema;
    TRY(find_schema(c, n, kind == SEC_SCHEMA ? ret : &schema, found));
    if (!*found) return NULL;
    if (kind == SEC_SCHEMA) {
        *found = securable_visible(c, ret);
        return NULL;
    }
    TRY(securable_below(c, &schema, kind, n->part[2], ret, found));
    /* BROWSE and what is granted on the thing itself let him know of it; else it takes the way to it. */
    if (*found && securable_readable(c, ret)) return NULL;
    bool may_pass = securable_allows(c, &schema, PRIV_USE_SCHEMA);
    if (!may_pass) {
        struct policy_verdict v = policy_privilege(c->who, PRIV_USE_SCHEMA, schema.chain, schema.n);
        return ask_denied(v.missing ? v.missing : "USE SCHEMA", v.missing_on ? v.missing_on : "the schema");
    }
    return NULL;
}

err *ask_open(struct ask *k, enum securable_kind kind, const struct ask_name *n, uint64_t need, struct securable *ret) {
    bool found;
    TRY(ask_find(k, k->c, kind, n, ret, &found));
    if (!found) return ask_missing(k, kind, n);
    if (need) return ask_need(k->c, ret, need);
    if (securable_readable(k->c, ret)) return NULL;
    static const uint64_t reading[SEC_KINDS] = {[SEC_CATALOG] = PRIV_USE_CATALOG, [SEC_SCHEMA] = PRIV_USE_SCHEMA,
                                                [SEC_TABLE] = PRIV_SELECT,        [SEC_VOLUME] = PRIV_READ_VOLUME,
                                                [SEC_FUNCTION] = PRIV_EXECUTE,    [SEC_MODEL] = PRIV_EXECUTE,
                                                [SEC_LOCATION] = PRIV_READ_FILES, [SEC_CREDENTIAL] = PRIV_READ_FILES};
    return ask_need(k->c, ret, reading[kind]);
}

err *ask_open_slot(struct ask *k, const char *slot, enum securable_kind kind, uint64_t need, struct securable *ret) {
    struct ask_name n;
    TRY(ask_name(k, json_get(k->in, slot), securable_parts(kind), &n));
    return ask_open(k, kind, &n, need, ret);
}

/* ---- results ---- */

void ask_columns(struct ask *k, const char *columns) {
    jmut *list = json_put_arr(k->d, k->out, "columns");
    str rest = str_of(columns), part;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        ptrdiff_t blank = str_chr(part, ' ', 0);
        jmut *o = json_add_obj(k->d, list);
        json_put_str(k->d, o, "name", blank < 0 ? part : str_cut(part, (size_t)blank));
        json_put_str(k->d, o, "type", blank < 0 ? STR("string") : str_trim(str_from(part, (size_t)blank)));
    }
    k->rows = json_put_arr(k->d, k->out, "rows");
}

jmut *ask_row(struct ask *k) { return yyjson_mut_arr_add_arr(k->d, k->rows); }

void ask_put(struct ask *k, jmut *row, str cell) {
    if (cell.p)
        json_add_str(k->d, row, arena_str(k->c->a, cell));
    else
        yyjson_mut_arr_add_null(k->d, row);
}
void ask_put_z(struct ask *k, jmut *row, const char *cell) { ask_put(k, row, str_of(cell)); }
void ask_put_bool(struct ask *k, jmut *row, bool cell) { yyjson_mut_arr_add_bool(k->d, row, cell); }

/* ---- patterns ---- */

static bool like_one(str p, str s) {
    size_t i = 0, k = 0, star = SIZE_MAX, at = 0;
    while (k < s.n) {
        bool any = i < p.n && (p.p[i] == '*' || p.p[i] == '%');
        char a = i < p.n ? p.p[i] : 0, b = s.p[k];
        if (a >= 'A' && a <= 'Z') a = (char)(a + 32);
        if (b >= 'A' && b <= 'Z') b = (char)(b + 32);
        if (any) {
            star = i++;
            at = k;
        } else if (i < p.n && (a == b || a == '_' || a == '.')) {
            i++;
            k++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            k = ++at;
        } else {
            return false;
        }
    }
    while (i < p.n && (p.p[i] == '*' || p.p[i] == '%')) i++;
    return i == p.n;
}

bool ask_like(str pattern, str name) {
    if (!pattern.p) return true;
    str rest = pattern, part;
    while (str_split(&rest, '|', &part))
        if (like_one(str_trim(part), name)) return true;
    return false;
}

/* ---- principals and times ---- */

err *ask_principal(struct ask *k, int64_t id, str *ret) {
    struct principal_info p;
    bool found = false;
    for (size_t i = 0; id && i < ARRAY_LEN(k->known); i++)
        if (k->known[i].id == id) {
            *ret = k->known[i].name;
            return NULL;
        }
    if (id) TRY(identity_find(k->c->today, k->c->a, id, &p, &found));
    *ret = found ? p.name : id ? str_of(arena_printf(k->c->a, "%lld", (long long)id)) : STR("");
    size_t at = k->next_known++ % ARRAY_LEN(k->known);
    k->known[at].id = id;
    k->known[at].name = *ret;
    return NULL;
}

err *ask_principal_id(struct ask *k, str name, int64_t *ret) {
    static const enum principal_type types[] = {PRINCIPAL_USER, PRINCIPAL_GROUP, PRINCIPAL_SERVICE};
    for (size_t i = 0; i < 3; i++) {
        struct principal_info p;
        bool found;
        TRY(identity_by_name(k->c->tx, k->c->a, k->workspace, types[i], name, &p, &found));
        if (!found) continue;
        *ret = p.id;
        return NULL;
    }
    return ask_error("PRINCIPAL_DOES_NOT_EXIST", "42704", "Could not find principal with name %.*s.", STR_ARG(str_cut(name, 255)));
}

str ask_time(arena *a, int64_t us) {
    time_t t = (time_t)(us / 1000000);
    struct tm tm;
    char text[64];
    gmtime_r(&t, &tm);
    size_t n = strftime(text, sizeof(text), "%a %b %d %H:%M:%S UTC %Y", &tm);
    return arena_str(a, str_n(text, n));
}

err *ask_access(struct ask *k, str url, bool write) {
    struct store_at at;
    buf token = {0};
    if (!url_is_remote(url) || !k->statement) return NULL;
    TRY(ask_sql(stores_open(k->c, url, &at)));
    stores_grant(k->c, &at, write, k->statement, &token);
    jmut *list = yyjson_mut_obj_get(k->out, "access");
    if (!list) list = json_put_arr(k->d, k->out, "access");
    jmut *o = json_add_obj(k->d, list);
    json_put_str(k->d, o, "url", url);
    json_put_str(k->d, o, "key", at.key);
    json_put_str(k->d, o, "grant", arena_str(k->c->a, buf_view(&token)));
    buf_free(&token);
    return NULL;
}

err *ask_table_place(const struct caller *c, const struct ent_uc_table *t, str *ret_engine, str *ret_url) {
    *ret_engine = *ret_url = STR("");
    if (table_is_view(t)) return NULL;
    if (t->location.n) {
        struct location_place place;
        *ret_url = t->location;
        if (!c->n_roots) return NULL;
        TRY(locations_place(c, t->location, &place));
        *ret_engine = place.engine;
        return NULL;
    }
    *ret_url = str_of(arena_printf(c->a, "%.*s/%.*s", STR_ARG(c->tables_url), STR_ARG(t->uuid)));
    if (url_is_remote(*ret_url))
        *ret_engine = *ret_url;
    else if (c->n_roots)
        *ret_engine = str_of(arena_printf(c->a, "%s/%.*s", c->roots[0].engine, STR_ARG(t->uuid)));
    return NULL;
}

/* ---- walks ---- */

#define STEP 1000

err *ask_each_catalog(struct ask *k, ask_each fn, void *arg) {
    struct ent_catalog_rows rows = {.more = true};
    struct ent_list_query q = {.order = ENT_CATALOG_NAME, .limit = STEP};
    bool go = true;
    while (rows.more && go) {
        TRY(ent_catalog_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
        for (size_t i = 0; i < rows.n && go; i++) {
            struct securable s;
            TRY(securable_of_catalog(k->c, &rows.p[i], &s));
            q.after = true;
            q.after_s = rows.p[i].name;
            q.after_id = rows.p[i].id;
            if (securable_visible(k->c, &s)) TRY(fn(arg, &s, &go));
        }
    }
    return NULL;
}

err *ask_each_schema(struct ask *k, const struct securable *catalog, ask_each fn, void *arg) {
    struct ent_schema_rows rows = {.more = true};
    struct ent_list_query q = {.eq = {{.column = ENT_SCHEMA_CATALOG_ID, .i = catalog->id}}, .order = ENT_SCHEMA_NAME, .limit = STEP};
    bool go = true;
    while (rows.more && go) {
        TRY(ent_schema_list(k->c->tx, metastore_scope(k->c), k->c->a, &q, &rows));
        for (size_t i = 0; i < rows.n && go; i++) {
            struct securable s;
            TRY(securable_of_schema(k->c, catalog, &rows.p[i], &s));
            q.after = true;
            q.after_s = rows.p[i].name;
            q.after_id = rows.p[i].id;
            if (securable_visible(k->c, &s)) TRY(fn(arg, &s, &go));
        }
    }
    return NULL;
}

struct leaf_page {
    struct securable *p;
    size_t n;
    bool more;
};

#define LIST_OF(TYPE, COLUMN, of)                                                                                  \
    do {                                                                                                           \
        struct ent_uc_##TYPE##_rows rows;                                                                          \
        q->eq[0].column = ENT_UC_##COLUMN##_SCHEMA_ID;                                                             \
        q->order = ENT_UC_##COLUMN##_NAME;                                                                         \
        TRY(ent_uc_##TYPE##_list(c->tx, metastore_scope(c), c->a, q, &rows));                                      \
        ret->p = arena_array_of(c->a, struct securable, rows.n + 1);                                               \
        ret->n = rows.n;                                                                                           \
        ret->more = rows.more;                                                                                     \
        for (size_t i = 0; i < rows.n; i++) TRY(of(c, schema, &rows.p[i], &ret->p[i]));                            \
    } while (0)

static err *leaf_page(const struct caller *c, const struct securable *schema, enum securable_kind kind, struct ent_list_query *q,
                      struct leaf_page *ret) {
    switch (kind) {
    case SEC_TABLE: LIST_OF(table, TABLE, securable_of_table); return NULL;
    case SEC_VOLUME: LIST_OF(volume, VOLUME, securable_of_volume); return NULL;
    case SEC_FUNCTION: LIST_OF(function, FUNCTION, securable_of_function); return NULL;
    case SEC_MODEL: LIST_OF(model, MODEL, securable_of_model); return NULL;
    default: must(false); return NULL;
    }
}

static str leaf_name(const struct securable *s) {
    return s->kind == SEC_TABLE      ? s->table.name
           : s->kind == SEC_VOLUME   ? s->volume.name
           : s->kind == SEC_FUNCTION ? s->function.name
                                     : s->model.name;
}

/* What the caller's principals hold on things of this kind, each row read once; false: too many for that. */
static err *own_grants(const struct caller *c, arena *a, enum securable_kind kind, map *own, bool *all) {
    *all = true;
    for (size_t p = 0; p <= c->who->n_groups; p++) {
        struct ent_grant_rows rows;
        struct ent_list_query q = {.eq = {{.column = ENT_GRANT_PRINCIPAL_ID, .i = p ? c->who->groups[p - 1] : c->who->id}}, .few = true};
        TRY(ent_grant_list(c->today, metastore_scope(c), a, &q, &rows));
        *all = *all && !rows.more;
        for (size_t i = 0; i < rows.n; i++) {
            if (!str_eqz(rows.p[i].securable_type, securable_kind_names[kind])) continue;
            uint64_t key = (uint64_t)rows.p[i].securable_id;
            struct policy_entry *e = map_get(own, map_key_u64(&key));
            if (!e) {
                e = arena_new_of(a, struct policy_entry);
                *e = (struct policy_entry){.principal = c->who->id};
                map_put(own, map_key_u64(&key), e);
            }
            e->right |= priv_by_name(rows.p[i].privilege);
        }
    }
    return NULL;
}

/* May he read everything of this kind in the schema by what he holds on it or above? Then no leaf is asked for. */
static bool reads_all(const struct caller *c, const struct securable *schema, enum securable_kind kind) {
    struct securable any = {.kind = kind, .n = schema->n + 1};
    must(any.n <= SECURABLE_DEPTH);
    any.chain[0] = (struct policy_node){.what = ""};
    memcpy(&any.chain[1], schema->chain, schema->n * sizeof(any.chain[0]));
    return securable_readable(c, &any);
}

/* A pattern as LIKE has it; empty: it cannot be said so, or passes all. */
static str like_of(arena *a, str pattern) {
    if (!pattern.n || str_chr(pattern, '|', 0) >= 0 || str_eqz(pattern, "*") || str_eqz(pattern, "%")) return STR_NONE;
    buf b = {0};
    str p = str_trim(pattern);
    for (size_t i = 0; i < p.n; i++) {
        if (p.p[i] == '\\') buf_c(&b, '\\');
        buf_c(&b, p.p[i] == '*' ? '%' : p.p[i]);
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

/* What every match begins with. */
static str prefix_of(str like) {
    size_t n = 0;
    while (n < like.n && !strchr("%_\\", like.p[n])) n++;
    return str_cut(like, n);
}

/* Of a LIKE on names as they are shown one that all names which match it match as the store folds them: a folded letter may be longer
 * or be one with the mark that follows it, so what stands beside a wildcard or is not ASCII is left open. */
static str loose_of(arena *a, str like) {
    buf b = {0};
    size_t last = 0; /* where the last letter begins */
    bool open = false;
    for (size_t i = 0; i < like.n; i++) {
        bool literal = like.p[i] == '\\' && i + 1 < like.n;
        char c = literal ? like.p[++i] : like.p[i];
        if ((unsigned char)c >= 0x80 || (!literal && (c == '%' || c == '_'))) {
            if (!open) b.n = last;
            if (!open) buf_c(&b, '%');
            open = true;
            continue;
        }
        last = b.n;
        open = false;
        if (literal) buf_c(&b, '\\');
        buf_c(&b, c);
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return str_eqz(s, "%") ? STR_NONE : s;
}

struct leaf_walk {
    const struct securable *schema;
    enum securable_kind kind;
    const struct ask_walk *walk;
    ask_each fn;
    void *arg;
    bool all;
    arena *held;
};

static err *walk_leaves(struct ask *k, arena *scratch, const struct leaf_walk *w) {
    struct caller c = *k->c;
    struct ent_list_query q = {.eq = {{.i = w->schema->id}}, .limit = w->walk->brief ? 1000 : 200, .brief = w->walk->brief};
    struct leaf_page page = {.more = true};
    bool go = true;
    char last[1100];
    c.a = scratch;
    q.like = w->walk->like.n ? loose_of(w->held, w->walk->like) : like_of(w->held, w->walk->pattern);
    q.prefix = prefix_of(q.like);
    if (w->walk->after.n) {
        q.after = true;
        q.after_s = w->walk->after;
        q.after_id = INT64_MAX;
    }
    while (page.more && go) {
        arena_reset(scratch);
        TRY(leaf_page(&c, w->schema, w->kind, &q, &page));
        for (size_t i = 0; i < page.n && go; i++)
            if (w->all || securable_readable(&c, &page.p[i])) TRY(w->fn(w->arg, &page.p[i], &go));
        if (!page.n) break;
        str name = str_cut(leaf_name(&page.p[page.n - 1]), sizeof(last));
        memcpy(last, name.p, name.n);
        q.after = true;
        q.after_s = str_n(last, name.n);
        q.after_id = page.p[page.n - 1].id;
    }
    return NULL;
}

/* ---- of somebody who sees few of many ---- */

#define FEW 1000

/* A leaf by its id, where it lies in the schema and is readable. */
static err *few_leaf(const struct caller *c, const struct leaf_walk *w, int64_t id, struct securable *ret, bool *found) {
    struct store_scope scope = metastore_scope(c);
#define GET(TYPE)                                                                                                        \
    do {                                                                                                                 \
        struct ent_uc_##TYPE row;                                                                                        \
        TRY(ent_uc_##TYPE##_get(c->tx, scope, c->a, id, &row, found));                                                   \
        if (*found && (*found = row.schema_id == w->schema->id)) TRY(securable_of_##TYPE(c, w->schema, &row, ret));      \
    } while (0)
    switch (w->kind) {
    case SEC_TABLE: GET(table); break;
    case SEC_VOLUME: GET(volume); break;
    case SEC_FUNCTION: GET(function); break;
    default: GET(model); break;
    }
#undef GET
    *found = *found && securable_readable(c, ret);
    return NULL;
}

/* Ids of those that the caller or a group of his owns; *few false: they are more than room. */
static err *owned(const struct caller *c, enum securable_kind kind, int64_t *ids, size_t room, size_t *n, bool *few) {
#define LIST(TYPE, COLUMN)                                                                                               \
    do {                                                                                                                 \
        struct ent_uc_##TYPE##_rows rows;                                                                                \
        q.eq[0].column = ENT_UC_##COLUMN##_OWNER_ID;                                                                     \
        TRY(ent_uc_##TYPE##_list(c->tx, metastore_scope(c), c->a, &q, &rows));                                           \
        if (rows.more || rows.n + *n > room) *few = false;                                                               \
        for (size_t i = 0; *few && i < rows.n; i++) ids[(*n)++] = rows.p[i].id;                                          \
    } while (0)
    for (size_t p = 0; *few && p <= c->who->n_groups; p++) {
        struct ent_list_query q = {.eq = {{.i = p ? c->who->groups[p - 1] : c->who->id}}, .limit = FEW, .few = true, .brief = true};
        switch (kind) {
        case SEC_TABLE: LIST(table, TABLE); break;
        case SEC_VOLUME: LIST(volume, VOLUME); break;
        case SEC_FUNCTION: LIST(function, FUNCTION); break;
        default: LIST(model, MODEL); break;
        }
    }
#undef LIST
    return NULL;
}

struct few {
    str key; /* its name as the store folds it */
    struct securable s;
};
static int by_key(const void *a, const void *b) { return str_cmp(((const struct few *)a)->key, ((const struct few *)b)->key); }
static int by_id(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Whoever may read nothing through the schema reads what was granted to him and what he owns: these are looked up instead of being
 * looked for among all. *few false: they are many, and nothing was done. c->own holds all grants. */
static err *walk_few(const struct caller *c, const struct leaf_walk *w, bool *few) {
    int64_t *ids = arena_array_of(c->a, int64_t, FEW);
    size_t n = 0, kept = 0;
    str name;
    void *value;
    *few = c->today == c->tx && map_size(c->own) < FEW; /* owners of the past are another matter */
    if (!*few) return NULL;
    for (size_t at = 0; map_next(c->own, &at, &name, &value);) memcpy(&ids[n++], name.p, sizeof(*ids));
    TRY(owned(c, w->kind, ids, FEW, &n, few));
    if (!*few) return NULL;
    qsort(ids, n, sizeof(*ids), by_id);
    struct few *all = arena_array_of(c->a, struct few, n + 1);
    str after = w->walk->after;
    if (!fold_text(c->a, after, &after)) after = w->walk->after;
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        if (i && ids[i] == ids[i - 1]) continue;
        TRY(few_leaf(c, w, ids[i], &all[kept].s, &found));
        if (!found) continue;
        all[kept].key = leaf_name(&all[kept].s);
        if (!fold_text(c->a, all[kept].key, &all[kept].key)) continue; /* none such is kept */
        if (!after.n || str_cmp(all[kept].key, after) > 0) kept++;
    }
    qsort(all, kept, sizeof(*all), by_key);
    bool go = true;
    for (size_t i = 0; i < kept && go; i++) TRY(w->fn(w->arg, &all[i].s, &go));
    return NULL;
}

err *ask_walk_leaves(struct ask *k, const struct securable *schema, enum securable_kind kind, const struct ask_walk *walk, ask_each fn, void *arg) {
    arena *scratch = arena_new(), *held = arena_new();
    map *own = map_new();
    struct caller c = *k->c;
    struct ask quick = *k;
    struct leaf_walk w = {schema, kind, walk, fn, arg, reads_all(k->c, schema, kind), held};
    bool all, few = false;
    err *e = own_grants(&c, held, kind, own, &all);
    if (!e && all) {
        c.own = own;
        c.own_kind = kind;
        quick.c = &c;
        c.a = held;
        if (!w.all) e = walk_few(&c, &w, &few);
        c.a = k->c->a;
    }
    if (!e && !few) e = walk_leaves(&quick, scratch, &w);
    map_free(own);
    arena_free(held);
    arena_free(scratch);
    return e;
}

err *ask_each_leaf(struct ask *k, const struct securable *schema, enum securable_kind kind, ask_each fn, void *arg) {
    static const struct ask_walk everything;
    return ask_walk_leaves(k, schema, kind, &everything, fn, arg);
}
