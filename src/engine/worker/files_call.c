/* SPDX-License-Identifier: Apache-2.0 */
/* Table-valued functions over files and tables: read_files(), table_changes(). */
#include <stdio.h>
#include <string.h>

#include "base/vec.h"
#include "delta/partition.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"

static str function_name(const struct ast *call) {
    const struct ast *name = ast_get(call, SLOT_NAME);
    return name && name->n ? name->child[name->n - 1]->text : STR("");
}

/* ---- read_files ---- */

static err *options_of(struct scan_ctx *c, struct sql_env *e, const struct ast *call, struct delta_pair **ret, size_t *ret_n) {
    *ret = arena_array_of(c->a, struct delta_pair, call->n + 1);
    *ret_n = 0;
    for (uint32_t i = 1; i < call->n; i++) {
        const struct ast *a = call->child[i];
        const struct sql_type *type;
        str value;
        if (a->kind != AST_NAMED_ARG) continue;
        TRY(sql_constant(e, a->child[0], &type, &value));
        if (value.p) (*ret)[(*ret_n)++] = (struct delta_pair){.key = a->text, .value = value};
    }
    return NULL;
}

static str find_option(const struct delta_pair *o, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (str_ieq(o[i].key, str_of(name))) return o[i].value;
    return STR_NONE;
}

static str format_of_name(str url) {
    static const char *const known[][2] = {{".parquet", "parquet"}, {".csv", "csv"}, {".json", "json"}, {".txt", "text"}, {".ndjson", "json"}, {".tsv", "csv"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_ends(url, str_of(known[i][0]))) return str_of(known[i][1]);
    return STR_NONE;
}

static err *guess_format(struct scan_ctx *c, str url, str *ret) {
    *ret = format_of_name(url);
    if (ret->p) return NULL;
    str *files;
    size_t n;
    TRY(scan_list(c, url, "", &files, &n));
    *ret = format_of_name(files[0]);
    if (!ret->p) *ret = STR("text");
    return NULL;
}

/* One more column at the end, always NULL here: what a schema does not hold is an error of the reader. */
static void add_rescued(struct scan_ctx *c, struct scan_table *t) {
    struct sql_field *cols = arena_array_of(c->a, struct sql_field, t->n + 1);
    memcpy(cols, t->cols, t->n * sizeof(*cols));
    cols[t->n] = (struct sql_field){.name = STR("_rescued_data"), .type = sql_type_of(TY_STRING), .nullable = true};
    str *texts[] = {&t->duckdb_from, &t->duckdb_metadata};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = str_of(arena_printf(c->a, "SELECT *, CAST(NULL AS VARCHAR) AS \"_rescued_data\" FROM (%.*s) r", STR_ARG(*texts[i])));
    t->cols = cols, t->n++;
}

/* Once the path is allowed. */
static err *read_path(struct scan_ctx *c, str url, const struct delta_pair *o, size_t n, struct scan_table **ret) {
    const struct sql_type *schema = NULL;
    str format = find_option(o, n, "format");
    if (!format.n) TRY(guess_format(c, url, &format));
    if (str_ieq(format, STR("parquet"))) return scan_parquet_files(c, url, ret);
    str ddl = find_option(o, n, "schema");
    if (ddl.n) TRY(sql_type_parse(c->a, ddl, &schema));
    if (schema && schema->kind != TY_STRUCT) schema = NULL;
    TRY(scan_text_files(c, format, url, schema, o, n, ret));
    bool rescue = !schema && !str_ieq(find_option(o, n, "schemaEvolutionMode"), STR("none"));
    if (rescue && (str_ieq(format, STR("csv")) || str_ieq(format, STR("json")))) add_rescued(c, *ret);
    return NULL;
}

static err *read_files(struct scan_ctx *c, struct sql_env *e, const struct ast *call, struct scan_table **ret) {
    const struct sql_type *type;
    struct delta_pair *o;
    size_t n;
    str url;
    if (!call->n) return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", call, STR_NONE, "functionName", "`read_files`", "expectedNum", "1", "actualNum", "0",
                                   "docroot", "", NULL);
    TRY(sql_constant(e, call->child[0], &type, &url));
    if (!url.p) url = STR("");
    TRY(options_of(c, e, call, &o, &n));
    TRY(scan_allow(c, e, url));
    c->names = find_option(o, n, "fileNamePattern");
    if (!c->names.n) c->names = find_option(o, n, "pathGlobFilter");
    err *why = read_path(c, url, o, n, ret);
    c->names = STR_NONE;
    return why;
}

/* ---- table_changes ----
 * Of each version: the change files if it has some; else every row of a file added is an insert, of a file removed a delete; and where
 * only the vector of a file changed, the rows that it has more or less.
 *
 * The columns are those of the newest version; with column mapping, those of the last version that is asked for. Every version must have
 * been recorded, and its columns must be among them, under the same names. */

struct feed {
    struct scan_ctx *c;
    struct scan_table *t;     /* has the feed's columns */
    int64_t from, to;
    buf text;
    size_t parts;
};

static err *one_part(struct feed *f, const struct scan_files_ask *ask, const char *type, int64_t version, int64_t ms) {
    struct scan_files_ask a = *ask;
    buf extra = {0};
    if (type) buf_fmt(&extra, "'%s' AS \"_change_type\"", type);
    else buf_z(&extra, "\"_change_type\"");
    buf_fmt(&extra, ", CAST(%lld AS BIGINT) AS \"_commit_version\", make_timestamptz(%lld) AS \"_commit_timestamp\"", (long long)version,
            (long long)ms * 1000);
    a.extra = buf_view(&extra);
    if (f->parts++) buf_z(&f->text, " UNION ALL ");
    buf_z(&f->text, "SELECT * FROM (");
    err *e = a.n ? scan_emit_files(f->t, &a, &f->text) : NULL;
    buf_c(&f->text, ')');
    buf_free(&extra);
    return e;
}

/* Rows of a file that are there with `before`'s vector and not with `now`'s. */
static err *less(struct feed *f, const struct delta_file *before, const struct delta_file *now, const char *type, int64_t version, int64_t ms) {
    buf inner = {0};
    struct scan_files_ask all = {.files = &before, .n = 1, .row_ids = true}, rest = {.files = &now, .n = 1, .row_ids = true};
    buf a = {0}, b = {0};
    err *e = scan_emit_files(f->t, &all, &a);
    if (!e) e = scan_emit_files(f->t, &rest, &b);
    if (!e) {
        if (f->parts++) buf_z(&f->text, " UNION ALL ");
        buf_z(&f->text, "SELECT ");
        for (size_t i = 0; i < f->t->n; i++) scan_quote_ident(f->t->cols[i].name, &f->text), buf_z(&f->text, ", ");
        buf_fmt(&f->text, "'%s' AS \"_change_type\", CAST(%lld AS BIGINT) AS \"_commit_version\", make_timestamptz(%lld) AS \"_commit_timestamp\" FROM "
                "(%.*s) x WHERE NOT EXISTS (SELECT 1 FROM (%.*s) y WHERE y._bh_row = x._bh_row)", type, (long long)version, (long long)ms * 1000,
                STR_ARG(buf_view(&a)), STR_ARG(buf_view(&b)));
    }
    buf_free(&a), buf_free(&b), buf_free(&inner);
    return e;
}

static const struct delta_file *added(const struct delta_action *acts, size_t n, str path) {
    for (size_t i = 0; i < n; i++)
        if (acts[i].kind == DELTA_ADD && str_eq(acts[i].file.path, path)) return &acts[i].file;
    return NULL;
}

static bool removed(const struct delta_action *acts, size_t n, str path) {
    for (size_t i = 0; i < n; i++)
        if (acts[i].kind == DELTA_REMOVE && str_eq(acts[i].file.path, path)) return true;
    return false;
}

/* ---- may they be told? ---- */

static bool names_in(arena *a, const struct sql_type *old, const struct sql_type *read, bool mapped) {
    if (old->kind == TY_STRUCT && read->kind == TY_STRUCT) {
        for (size_t i = 0; i < old->n; i++) {
            const struct sql_field *o = &old->fields[i], *r = NULL;
            for (size_t k = 0; k < read->n && !r; k++)
                if (mapped ? str_eq(scan_physical(a, o), scan_physical(a, &read->fields[k])) : str_ieq(o->name, read->fields[k].name)) r = &read->fields[k];
            if (!r || !str_ieq(o->name, r->name) || !names_in(a, o->type, r->type, mapped)) return false;
        }
        return true;
    }
    if (old->kind != read->kind) return true; /* types only widen */
    return (!old->key || names_in(a, old->key, read->key, mapped)) && (!old->elem || names_in(a, old->elem, read->elem, mapped));
}

/* change: the version is one of the feed that changed the columns; else it is where the feed begins. */
static err *may_tell(struct feed *f, const struct delta_metadata *m, int64_t version, bool change) {
    jval *v;
    const struct sql_type *old;
    struct sql_type read = {.kind = TY_STRUCT, .fields = f->t->cols, .n = f->t->n};
    if (!str_ieq(delta_map_get(&m->config, STR("delta.enableChangeDataFeed")), STR("true")))
        return delta_error("DELTA_MISSING_CHANGE_DATA", "The changes of the versions %lld to %lld cannot be told: those of version %lld were not recorded.",
                           (long long)f->from, (long long)f->to, (long long)version);
    TRY(json_parse(f->c->a, m->schema, false, &v));
    TRY(sql_type_read_json(f->c->a, v, &old));
    /* Before it was mapped a column's name was that of the file. */
    bool mapped = !str_eqz(delta_mapping_mode(m), "none") && !str_eqz(delta_mapping_mode(&f->t->snap->metadata), "none");
    if (names_in(f->c->a, old, &read, mapped)) return NULL;
    return delta_error(change ? "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE_SCHEMA_CHANGE" : "DELTA_CHANGE_DATA_FEED_INCOMPATIBLE_DATA_SCHEMA",
                       "The changes of the versions %lld to %lld cannot be told together: version %lld has columns that the last one lacks, or has under "
                       "other names. Ask for the versions before and after that change separately.", (long long)f->from, (long long)f->to, (long long)version);
}

static err *at_version(struct scan_ctx *c, struct scan_table *t, int64_t version, struct scan_table **ret) {
    struct scan_at at = {version, INT64_MIN};
    *ret = t;
    return version == t->snap->version ? NULL : scan_table_open(c, t->path, t->url, at, -1, ret);
}

static err *one_version(struct feed *f, const struct delta_fs *fs, int64_t version, int64_t ms) {
    struct delta_action *acts;
    size_t n, k = 0;
    str text;
    TRY(delta_commit_read(fs, f->c->a, version, &acts, &n, &text));
    for (size_t i = 0; i < n; i++)
        if (acts[i].kind == DELTA_METADATA && version > f->from) TRY(may_tell(f, &acts[i].metadata, version, true));
    const struct delta_file **files = arena_array_of(f->c->a, const struct delta_file *, n + 1);
    for (size_t i = 0; i < n; i++)
        if (acts[i].kind == DELTA_CDC) files[k++] = &acts[i].file;
    struct scan_files_ask ask = {.files = files, .n = k};
    if (k) return one_part(f, &ask, NULL, version, ms);
    for (size_t i = 0; i < n; i++)
        if (acts[i].kind == DELTA_ADD && acts[i].file.data_change && !removed(acts, n, acts[i].file.path)) files[k++] = &acts[i].file;
    ask.n = k;
    if (k) TRY(one_part(f, &ask, "insert", version, ms));
    const struct delta_file **gone = arena_array_of(f->c->a, const struct delta_file *, n + 1);
    k = 0;
    for (size_t i = 0; i < n; i++) {
        if (acts[i].kind != DELTA_REMOVE || !acts[i].file.data_change) continue;
        const struct delta_file *again = added(acts, n, acts[i].file.path);
        if (again) {
            if (again->dv.storage) TRY(less(f, &acts[i].file, again, "delete", version, ms));
            if (acts[i].file.dv.storage) TRY(less(f, again, &acts[i].file, "insert", version, ms));
        } else
            gone[k++] = &acts[i].file;
    }
    ask.files = gone, ask.n = k;
    return k ? one_part(f, &ask, "delete", version, ms) : NULL;
}

static err *bound(struct scan_ctx *c, struct sql_env *e, const struct ast *arg, const struct delta_fs *fs, bool start, int64_t *ret) {
    const struct sql_type *type;
    str text;
    TRY(sql_constant(e, arg, &type, &text));
    if (text.p && sql_is_integral(type) && str_to_i64(text, ret)) return NULL;
    int64_t us;
    if (!text.p || !delta_time_of_text(text, &us))
        return sql_error("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", arg, STR_NONE, "expr", arena_strndup(c->a, text.p ? text.p : "NULL", text.p ? text.n : 4), NULL);
    struct delta_commit_entry *h;
    size_t n;
    TRY(delta_history(fs, c->a, 0, INT64_MAX, 0, &h, &n));
    *ret = start ? (n ? h[0].version + 1 : 0) : -1;
    for (size_t i = 0; i < n; i++) { /* newest first */
        if (start && h[i].timestamp_ms * 1000 >= us) *ret = h[i].version;
        if (!start && *ret < 0 && h[i].timestamp_ms * 1000 <= us) *ret = h[i].version;
    }
    return NULL;
}

static err *target(struct scan_ctx *c, struct sql_env *e, const struct ast *arg, struct scan_table **ret) {
    const struct sql_type *type;
    str text;
    struct ast *expr;
    TRY(sql_constant(e, arg, &type, &text));
    TRY(sql_parse_expr(c->a, text.p ? text : STR("''"), &expr));
    if (!ast_is(expr, AST_COLUMN) || !expr->n) return sql_error("TABLE_OR_VIEW_NOT_FOUND", arg, STR_NONE, "relationName", arena_strndup(c->a, text.p, text.n), "searchPath", sql_search_path(e, c->a), NULL);
    struct ast *name = expr->child[0], *from = ast_new(c->a, AST_FROM_TABLE, 0, 0);
    ast_set(c->a, from, SLOT_NAME, name);
    if (name->n == 2 && str_chr(name->child[1]->text, '/', 0) >= 0) from->flags |= AST_F_PATH;
    struct sql_relation *rel = NULL;
    TRY(e->resolve(e, &name, &from, 1, &rel));
    if (!rel) return sql_error("TABLE_OR_VIEW_NOT_FOUND", arg, STR_NONE, "relationName", arena_strndup(c->a, text.p, text.n), "searchPath", sql_search_path(e, c->a), NULL);
    *ret = rel->kind == REL_TABLE ? rel->scan : NULL;
    /* A filter or mask would not hold in the feed: who is under one does not get it. */
    if (!*ret || !(*ret)->snap || rel->row_filter.n || rel->masks)
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", arg, STR_NONE, "tableName", arena_strndup(c->a, text.p, text.n), "operation", "table_changes", NULL);
    return NULL;
}

static err *table_changes(struct scan_ctx *c, struct sql_env *e, const struct ast *call, struct scan_table **ret) {
    struct scan_table *t = NULL;
    int64_t from, to;
    if (c->txn) /* what it would tell of own changes has no versions yet */
        return sql_error("TRANSACTION_NOT_SUPPORTED.CDF_READ", call, STR_NONE, "tableName", "the table", NULL);
    if (call->n < 2) return sql_error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", call, STR_NONE, "functionName", "`table_changes`", "expectedNum", "[2, 3]", "actualNum",
                                      arena_printf(c->a, "%u", call->n), "docroot", "", NULL);
    TRY(target(c, e, call->child[0], &t));
    struct delta_fs fs = scan_fs(c, t->path);
    TRY(bound(c, e, call->child[1], &fs, true, &from));
    to = t->snap->version;
    if (call->n > 2) TRY(bound(c, e, call->child[2], &fs, false, &to));
    if (from > to || to > t->snap->version)
        return delta_error("DELTA_INVALID_CDC_RANGE", "There are no changes from version %lld to %lld: the end must not be "
                                                      "before the start, nor after the newest version %lld.",
                           (long long)from, (long long)to, (long long)t->snap->version);
    struct scan_table *first;
    struct feed f = {.c = c, .t = t, .from = from, .to = to};
    TRY(at_version(c, t, from, &first));
    if (!str_eqz(delta_mapping_mode(&t->snap->metadata), "none")) TRY(at_version(c, t, to, &f.t));
    TRY(may_tell(&f, &first->snap->metadata, from, false));
    t = f.t;
    struct delta_commit_entry *h;
    size_t n;
    TRY(delta_history(&fs, c->a, from, to, 0, &h, &n));
    err *why = NULL;
    for (size_t i = n; !why && i-- > 0;) why = one_version(&f, &fs, h[i].version, h[i].timestamp_ms);
    struct scan_table *r = arena_new_of(c->a, struct scan_table);
    struct sql_field *cols = arena_array_of(c->a, struct sql_field, t->n + 3);
    memcpy(cols, t->cols, t->n * sizeof(*cols));
    cols[t->n] = (struct sql_field){.name = STR("_change_type"), .type = sql_type_of(TY_STRING), .nullable = true};
    cols[t->n + 1] = (struct sql_field){.name = STR("_commit_version"), .type = sql_type_of(TY_BIGINT), .nullable = true};
    cols[t->n + 2] = (struct sql_field){.name = STR("_commit_timestamp"), .type = sql_type_of(TY_TIMESTAMP), .nullable = true};
    if (!why && !f.parts) {
        struct scan_files_ask none = {0};
        buf_z(&f.text, "SELECT *, CAST(NULL AS VARCHAR) AS \"_change_type\", CAST(NULL AS BIGINT) AS \"_commit_version\", CAST(NULL AS TIMESTAMP WITH TIME "
              "ZONE) AS \"_commit_timestamp\" FROM (");
        why = scan_emit_files(t, &none, &f.text);
        buf_z(&f.text, ") n WHERE false");
    }
    *r = (struct scan_table){.ctx = c, .id = t->id, .path = t->path, .url = t->url, .format = STR("feed"), .cols = cols, .n = t->n + 3};
    r->duckdb_from = arena_str(c->a, str_n(f.text.p ? f.text.p : "", f.text.n));
    buf_free(&f.text);
    *ret = r;
    return why;
}

err *scan_files(struct scan_ctx *c, struct sql_env *e, const struct ast *call, struct sql_relation **ret) {
    struct scan_table *t = NULL;
    str name = function_name(call);
    if (str_ieq(name, STR("table_changes")))
        TRY(table_changes(c, e, call, &t));
    else
        TRY(read_files(c, e, call, &t));
    *ret = scan_relation(t);
    (*ret)->name = name;
    return NULL;
}
