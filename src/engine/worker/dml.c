/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "delta/partition.h"
#include "delta/stats.h"
#include "engine/worker/dml_int.h"
#include "engine/worker/txn.h"
#include "sys/clock.h"
#include "sys/files.h"

#define MAX_MANAGED_TRIES 1000

/* ---- small things ---- */

char *dml_z(struct dml_x *x, str s) { return arena_strndup(x->a, s.p ? s.p : "", s.n); }

str dml_take(struct dml_x *x, buf *b) {
    str s = arena_str(x->a, str_n(b->p ? b->p : "", b->n));
    buf_free(b);
    return s;
}

ptrdiff_t dml_column(const struct sql_field *cols, size_t n, str name) {
    for (size_t i = 0; i < n; i++)
        if (str_ieq(cols[i].name, name)) return (ptrdiff_t)i;
    return -1;
}

bool dml_is_partition(const struct delta_metadata *m, str name) {
    for (size_t i = 0; i < m->n_partitions; i++)
        if (str_ieq(m->partitions[i], name)) return true;
    return false;
}

str dml_field_meta(arena *a, const struct sql_field *f, const char *key) {
    jval *v;
    if (!f->metadata.n || str_find(f->metadata, str_of(key)) < 0) return STR_NONE;
    err *e = json_parse(a, f->metadata, false, &v);
    if (e) {
        err_free(e);
        return STR_NONE;
    }
    jval *x = json_get(v, key);
    if (yyjson_is_str(x)) return json_str(x);
    if (!x) return STR_NONE;
    char *text = yyjson_val_write(x, 0, NULL);
    str s = text ? str_of(arena_strdup(a, text)) : STR_NONE;
    free(text);
    return s;
}

struct ast *dml_col(arena *a, const char *name) {
    str part = str_of(name);
    return ast_column(a, &part, 1);
}

struct ast *dml_alias(arena *a, struct ast *e, const char *name) {
    struct ast *n = ast_text(a, AST_ALIAS, str_of(name));
    n->pos = e->pos, n->end = e->end;
    ast_add(a, n, e);
    return n;
}

struct ast *dml_select(arena *a, struct ast *items, struct ast *from, struct ast *where) {
    struct ast *s = ast_new(a, AST_SELECT, 0, 0), *list = ast_new(a, AST_LIST, 0, 0);
    ast_set(a, s, SLOT_ITEMS, items);
    if (from) {
        ast_add(a, list, from);
        ast_set(a, s, SLOT_FROM, list);
    }
    ast_set(a, s, SLOT_WHERE, where);
    return s;
}

struct ast *dml_query(arena *a, struct ast *select) {
    struct ast *q = ast_new(a, AST_QUERY, 0, 0);
    ast_set(a, q, SLOT_BODY, select);
    return q;
}

struct ast *dml_query_of(arena *a, const struct ast *s, struct ast *select) {
    struct ast *q = dml_query(a, select), *with = ast_get(s, SLOT_WITH);
    if (with) ast_set(a, q, SLOT_WITH, with), q->flags |= s->flags & AST_F_RECURSIVE;
    return q;
}

struct ast *dml_from(struct dml_x *x, const struct ast *name, const struct ast *alias, bool row_ids) {
    struct ast *f = ast_new(x->a, AST_FROM_TABLE, name->pos, name->end);
    ast_set(x->a, f, SLOT_NAME, (struct ast *)(uintptr_t)name);
    if (alias) ast_set(x->a, f, SLOT_ALIAS, (struct ast *)(uintptr_t)alias);
    if (row_ids) f->flags |= AST_F_ROWIDS;
    return f;
}

/* ---- the target ---- */

static struct sql_relation *known(struct dml_x *x, const struct ast *name) {
    if (x->source && name == x->source_name) return x->source;
    return x->rel && name == x->target_name ? x->rel : NULL;
}

/* Names in queries of ours: the target by its node, everything else as usual. */
static err *resolve(struct sql_env *e, struct ast *const *names, struct ast *const *froms, size_t n, struct sql_relation **rels) {
    struct dml_x *x = (struct dml_x *)e;
    struct ast **other = arena_array_of(x->a, struct ast *, n + 1), **other_from = arena_array_of(x->a, struct ast *, n + 1);
    struct sql_relation **found = arena_array_of(x->a, struct sql_relation *, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        rels[i] = NULL;
        rels[i] = known(x, names[i]);
        if (rels[i]) continue;
        other[k] = names[i];
        other_from[k++] = froms ? froms[i] : NULL;
    }
    if (!k) return NULL;
    /* Inside a view names are asked for under its catalog and schema, which e carries. */
    struct sql_env *outer = x->d->env;
    str catalog = outer->catalog, schema = outer->schema;
    outer->catalog = e->catalog, outer->schema = e->schema;
    err *bad = outer->resolve(outer, other, froms ? other_from : NULL, k, found);
    outer->catalog = catalog, outer->schema = schema;
    if (bad) return bad;
    k = 0;
    for (size_t i = 0; i < n; i++)
        if (!rels[i]) rels[i] = found[k++];
    return NULL;
}

static bool is_path(const struct ast *name) {
    return ast_is(name, AST_NAME) && name->n == 2 && str_ieq(name->child[0]->text, STR("delta")) && str_chr(name->child[1]->text, '/', 0) >= 0;
}

static void put_parts(const struct ast *name, buf *out) {
    buf_c(out, '[');
    for (uint32_t i = 0; i < name->n; i++) {
        if (i) buf_c(out, ',');
        buf_json_str(out, name->child[i]->text);
    }
    buf_c(out, ']');
}

static str dotted(struct dml_x *x, const struct ast *name) {
    buf b = {0};
    for (uint32_t i = 0; i < name->n; i++) {
        buf_z(&b, i ? ".`" : "`");
        buf_str(&b, name->child[i]->text);
        buf_c(&b, '`');
    }
    return dml_take(x, &b);
}

err *dml_plain_name(struct dml_x *x, const struct ast **name) {
    if (!ast_is(*name, AST_NAME_EXPR)) return NULL;
    const struct sql_type *type;
    str text;
    TRY(sql_constant(x->d->env, ast_get(*name, SLOT_EXPR), &type, &text));
    struct ast *e;
    TRY(sql_parse_expr(x->a, text, &e));
    if (!ast_is(e, AST_COLUMN) || !e->n || !ast_is(e->child[0], AST_NAME))
        return sql_error("TABLE_OR_VIEW_NOT_FOUND", *name, x->d->text, "relationName", dml_z(x, text), "searchPath", sql_search_path(&x->env, x->a), NULL);
    *name = e->child[0];
    return NULL;
}

err *dml_open_name(struct dml_x *x, const struct ast *name, const char *right, const struct ast *from, struct scan_table **ret, jval **ret_answer) {
    struct scan_at at = {-1, INT64_MIN};
    *ret_answer = NULL;
    if (from) TRY(scan_at_of(x->d->scan, x->d->env, from, &at));
    if (is_path(name)) {
        str path, url = name->child[1]->text;
        if (x->d->scan->allow) TRY(x->d->scan->allow(x->d->scan->arg, url, strcmp(right, "select") != 0));
        TRY(scan_path(x->d->scan, url, &path));
        return scan_table_open(x->d->scan, path, url, at, -1, ret);
    }
    buf q = {0};
    buf_z(&q, "{\"catalog\":");
    buf_json_str(&q, x->env.catalog);
    buf_z(&q, ",\"schema\":");
    buf_json_str(&q, x->env.schema);
    txn_put_as_of(x->d->txn, &q);
    buf_fmt(&q, ",\"names\":[{\"for\":\"%s\",\"parts\":", right);
    put_parts(name, &q);
    buf_z(&q, "}]}");
    jval *answer;
    err *e = x->d->ask(x->d->arg, x->a, STR("resolve"), buf_view(&q), &answer);
    buf_free(&q);
    if (e) return e;
    txn_take_seq(x->d->txn, answer);
    jval *rel = yyjson_arr_get(json_get(answer, "relations"), 0);
    if (!yyjson_is_obj(rel))
        return sql_error("TABLE_OR_VIEW_NOT_FOUND", name, x->d->text, "relationName", dml_z(x, dotted(x, name)), "searchPath", sql_search_path(&x->env, x->a), NULL);
    if (!str_eqz(json_get_str(rel, "kind"), "table"))
        return sql_error("EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE", name, x->d->text, "viewName", dml_z(x, dotted(x, name)), "operation",
                         dml_z(x, x->operation), NULL);
    jval *t = json_get(rel, "table");
    int64_t known = -1;
    (void)json_i64(json_get(t, "version"), &known);
    TRY(scan_note_table(x->d->scan, json_get_str(t, "location"), t));
    TRY(scan_table_open(x->d->scan, json_get_str(t, "location"), json_get_str(t, "url"), at, known, ret));
    (*ret)->id = json_get_str(rel, "id");
    *ret_answer = rel;
    return NULL;
}

/* The masks of the target's columns, as control says them. */
static void target_masks(struct dml_x *x) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(json_get(x->resolved, "columns"), i, n, v) {
        ptrdiff_t c = json_get_str(v, "mask").n ? dml_column(x->rel->cols, x->rel->n, json_get_str(v, "name")) : -1;
        if (c < 0) continue;
        if (!x->masks) x->rel->masks = x->masks = arena_array_of(x->a, str, x->rel->n + 1);
        x->masks[c] = json_get_str(v, "mask");
    }
}

err *dml_take_policies(struct dml_x *x, const struct ast *columns, const struct ast *filter) {
    bool any = filter != NULL;
    for (uint32_t i = 0; columns && i < columns->n; i++) any |= ast_get(columns->child[i], SLOT_MASK) != NULL;
    if (!any) return NULL;
    if (!x->d->node_json || (x->url.n && !x->create.n && !x->id.n))
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", NULL, STR_NONE, "tableName", dml_z(x, x->full_name), "operation",
                         "masks and row filters of a table without a name", NULL);
    const struct ast *parts[] = {columns, filter};
    static const char *const names[] = {"columns", "filter"};
    buf b = {0};
    err *e = NULL;
    for (size_t i = 0; i < 2 && !e; i++) {
        if (!parts[i]) continue;
        buf_fmt(&b, "%c\"%s\":", b.n ? ',' : '{', names[i]);
        e = x->d->node_json(x->d->arg, parts[i], &b);
    }
    buf_c(&b, '}');
    x->policies = dml_take(x, &b);
    return e;
}

bool dml_is_guarded(jval *relation) {
    jval *v;
    size_t i, n;
    bool guarded = json_get_str(relation, "row_filter").n > 0;
    yyjson_arr_foreach(json_get(relation, "columns"), i, n, v) guarded |= json_get_str(v, "mask").n > 0;
    return guarded;
}

bool dml_is_masked(const struct dml_x *x, str column) {
    ptrdiff_t c = x->masks ? dml_column(x->rel->cols, x->rel->n, column) : -1;
    return c >= 0 && x->masks[c].n > 0;
}

str dml_true_name(const struct dml_x *x, str column) { return dml_is_masked(x, column) ? sql_raw_name(x->a, column) : column; }

err *dml_open_readable(struct dml_x *x, const struct ast *name, const char *right) {
    TRY(dml_plain_name(x, &name));
    x->target_name = name;
    TRY(dml_open_name(x, name, right, NULL, &x->t, &x->resolved));
    x->rel = scan_relation(x->t);
    if (x->resolved) {
        x->rel->catalog = json_get_str(x->resolved, "catalog");
        x->rel->schema = json_get_str(x->resolved, "schema");
        x->rel->name = json_get_str(x->resolved, "name");
        x->rel->row_filter = json_get_str(x->resolved, "row_filter");
        x->uuid = json_get_str(json_get(x->resolved, "table"), "uuid");
        target_masks(x);
        x->full_name = str_of(arena_printf(x->a, "%.*s.%.*s.%.*s", STR_ARG(x->rel->catalog), STR_ARG(x->rel->schema), STR_ARG(x->rel->name)));
    } else {
        x->full_name = dotted(x, name);
        x->rel->name = name->child[name->n - 1]->text;
    }
    x->id = x->t->id, x->path = x->t->path, x->url = x->t->url;
    if (remote_is(x->path)) TRY(files_mkdirs(dml_z(x, x->path), 0700)); /* files are written here first */
    x->metadata = &x->t->snap->metadata, x->protocol = &x->t->snap->protocol;
    x->cols = x->t->cols, x->n = x->t->n;
    if (x->d->txn && strcmp(right, "describe") != 0 && !x->t->managed)
        return sql_error("TRANSACTION_NOT_SUPPORTED.WRITE_NON_CATALOG_OWNED_TABLE", name, x->d->text, "tableName", dml_z(x, x->full_name), NULL);
    return NULL;
}

err *dml_open_target(struct dml_x *x, const struct ast *name, const char *right) {
    TRY(dml_open_readable(x, name, right));
    return delta_check_write(x->protocol, x->full_name);
}

/* ---- the commit ---- */

void dml_put_path(struct dml_x *x, buf *q) { buf_json_str(q, remote_is(x->path) ? remote_url(x->a, x->path) : x->path); }

void dml_begin_commit(struct dml_x *x, const char *operation) { x->operation = str_of(operation); }

void dml_metric(struct dml_x *x, const char *key, int64_t n) { buf_fmt(&x->metrics, "%s\"%s\":\"%lld\"", x->metrics.n ? "," : "", key, (long long)n); }

struct delta_action *dml_action(struct dml_x *x, enum delta_action_kind kind) {
    struct delta_action fresh = {.kind = kind};
    vec_push(&x->actions, fresh);
    struct delta_action *r = &vec_last(&x->actions);
    if (kind == DELTA_ADD || kind == DELTA_REMOVE || kind == DELTA_CDC) {
        r->file.dv.offset = -1;
        r->file.base_row_id = r->file.default_commit_version = r->file.deletion_ms = -1;
        r->file.data_change = x->data_change;
    }
    return r;
}

void dml_remove(struct dml_x *x, const struct delta_file *f) {
    struct delta_action *r = dml_action(x, DELTA_REMOVE);
    r->file = *f;
    r->file.deletion_ms = clock_now() / 1000;
    r->file.data_change = x->data_change;
    r->file.extended = true;
    r->file.stats = STR_NONE;
}

static void put_strs(buf *q, const char *key, const str *list, size_t n) {
    buf_fmt(q, ",\"%s\":[", key);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_c(q, ',');
        buf_json_str(q, list[i]);
    }
    buf_c(q, ']');
}

#define SYNC_BYTES (1 << 20)
#define SYNC_FILES 64

err *dml_settle(struct dml_x *x, str rel, int64_t size) {
    if (remote_is(x->path)) return NULL; /* they become objects before the commit */
    if (size <= SYNC_BYTES && x->to_sync.n < SYNC_FILES) {
        vec_push(&x->to_sync, rel);
        return NULL;
    }
    const char *path = arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(rel));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    err *e = fd < 0 || fsync(fd) ? err_errno("%s", path) : NULL;
    if (fd >= 0) close(fd);
    return e ? e : files_sync_parent(path);
}

void dml_reads(struct dml_x *x, const struct sql_compiled *c) {
    const struct scan_table *only = NULL;
    size_t n = 0;
    for (size_t i = 0; i < c->n_tables; i++) {
        const struct scan_table *t = c->tables[i]->scan;
        if (!t || !str_eq(t->path, x->path)) continue;
        if (t != only) n += t->reads; /* one table may be listed for each of its places */
        only = t;
    }
    x->read_by = n == 1 && only->n_tests ? only : NULL;
}

/* So many files' names are told; beyond them files are known by their conditions. */
#define MAX_FILES_READ 1000

static void put_reads(struct dml_x *x, buf *q) {
    const struct scan_table *t = x->read_by;
    if (!t || !x->read_all) return;
    bool listed = t->n_files_read + x->files_read.n <= MAX_FILES_READ;
    for (size_t i = 0; listed && i < t->n_files_read; i++) vec_push(&x->files_read, t->files_read[i]->path);
    buf_fmt(q, ",\"files_listed\":%s,\"tests\":[", listed ? "true" : "false");
    for (size_t i = 0; i < t->n_tests; i++) {
        const struct delta_test *d = &t->tests[i];
        buf_fmt(q, "%s{\"op\":\"%c\",\"order\":%d,\"partition\":%s,\"path\":[", i ? "," : "", d->op, (int)d->order, d->partition ? "true" : "false");
        for (size_t k = 0; k < d->n_path; k++) {
            if (k) buf_c(q, ',');
            buf_json_str(q, d->path[k]);
        }
        buf_z(q, "],\"values\":[");
        for (size_t k = 0; k < d->n; k++) {
            if (k) buf_c(q, ',');
            buf_json_str(q, d->values[k]);
        }
        buf_z(q, "]}");
    }
    buf_c(q, ']');
}

static bool flag_of(const struct delta_metadata *m, const char *key) { return str_ieq(delta_map_get(&m->config, str_of(key)), STR("true")); }

static int64_t high_water(struct dml_x *x) {
    const struct scan_table *t = x->clone_of ? x->clone_of : x->t;
    const struct delta_domain *d = t ? delta_domain_of(t->snap, STR("delta.rowTracking")) : NULL;
    jval *v;
    int64_t mark = -1;
    if (!d) return -1;
    err *e = json_parse(x->a, d->config, false, &v);
    if (!e) (void)json_i64(json_get(v, "rowIdHighWaterMark"), &mark);
    err_free(e);
    return mark;
}

static void put_info(struct dml_x *x, buf *q) {
    buf info = {0};
    buf_z(&info, "{\"operation\":");
    buf_json_str(&info, x->operation);
    buf_fmt(&info, ",\"operationParameters\":%.*s,\"isolationLevel\":\"%s\",\"isBlindAppend\":%s,\"operationMetrics\":{%.*s},\"engineInfo\":"
            "\"Boathouse\"", STR_ARG(x->parameters.n ? x->parameters : STR("{}")),
            !x->data_change ? "SnapshotIsolation" : "WriteSerializable", x->blind_append ? "true" : "false", STR_ARG(buf_view(&x->metrics)));
    if (x->t) buf_fmt(&info, ",\"readVersion\":%lld", (long long)x->t->snap->version);
    if (x->d->user.n) buf_z(&info, ",\"userName\":"), buf_json_str(&info, x->d->user);
    buf_c(&info, '}');
    buf_z(q, ",\"info\":");
    buf_json_str(q, buf_view(&info));
    buf_free(&info);
}

/* [["a"],["s","x"]]: what the table is clustered by after the commit, under the names that people know. False: by nothing. */
static bool put_clustering(struct dml_x *x, buf *q) {
    const struct delta_domain *d = x->t ? delta_domain_of(x->t->snap, STR("delta.clustering")) : NULL;
    jval *v, *path;
    size_t i, n, any = 0;
    for (size_t k = 0; k < x->actions.n; k++)
        if (x->actions.p[k].kind == DELTA_DOMAIN && str_eqz(x->actions.p[k].domain.name, "delta.clustering")) d = &x->actions.p[k].domain;
    if (!d || d->removed) return false;
    err *bad = json_parse(x->a, d->config, false, &v);
    if (bad) {
        err_free(bad);
        return false;
    }
    yyjson_arr_foreach(json_get(v, "clusteringColumns"), i, n, path) {
        buf_z(q, any++ ? ",[" : "[[");
        const struct sql_field *f = x->cols;
        size_t fields = x->n;
        for (size_t k = 0; k < yyjson_arr_size(path); k++) {
            str name = json_str(yyjson_arr_get(path, k));
            const struct sql_field *at = NULL;
            for (size_t j = 0; j < fields && !at; j++)
                if (str_eq(scan_physical(x->a, &f[j]), name) || str_eq(f[j].name, name)) at = &f[j];
            if (k) buf_c(q, ',');
            buf_json_str(q, at ? at->name : name);
            f = at ? at->type->fields : NULL;
            fields = at ? at->type->n : 0;
        }
        buf_c(q, ']');
    }
    if (any) buf_c(q, ']');
    return any > 0;
}

/* Columns as the catalog keeps them, when they change. */
void dml_put_columns(struct dml_x *x, buf *q) {
    buf_z(q, ",\"columns\":[");
    for (size_t i = 0; i < x->n; i++) {
        const struct sql_field *f = &x->cols[i];
        buf type = {0}, text = {0};
        sql_type_write_json_alone(f->type, &type);
        sql_type_write(f->type, &text);
        buf_z(q, i ? ",{\"name\":" : "{\"name\":");
        buf_json_str(q, f->name);
        buf_z(q, ",\"type_json\":");
        buf_json_str(q, buf_view(&type));
        buf_z(q, ",\"type_text\":");
        buf_json_str(q, buf_view(&text));
        buf_fmt(q, ",\"nullable\":%s", f->nullable ? "true" : "false");
        if (f->comment.n) buf_z(q, ",\"comment\":"), buf_json_str(q, f->comment);
        if (f->metadata.n) buf_z(q, ",\"metadata\":"), buf_json_str(q, f->metadata);
        for (size_t k = 0; k < x->metadata->n_partitions; k++)
            if (str_ieq(x->metadata->partitions[k], f->name)) buf_fmt(q, ",\"partition_index\":%zu", k);
        buf_c(q, '}');
        buf_free(&type), buf_free(&text);
    }
    buf_c(q, ']');
    buf_z(q, ",\"properties\":{");
    for (size_t i = 0; i < x->metadata->config.n; i++) {
        if (i) buf_c(q, ',');
        buf_json_str(q, x->metadata->config.p[i].key);
        buf_c(q, ':');
        buf_json_str(q, x->metadata->config.p[i].value);
    }
    buf by = {0};
    if (put_clustering(x, &by)) {
        buf_z(q, x->metadata->config.n ? ",\"clusteringColumns\":" : "\"clusteringColumns\":");
        buf_json_str(q, buf_view(&by));
    }
    buf_free(&by);
    buf_c(q, '}');
    if (x->metadata->description.p) buf_z(q, ",\"comment\":"), buf_json_str(q, x->metadata->description);
    if (!x->metadata->description.p && x->no_comment) buf_z(q, ",\"comment\":\"\"");
}

static err *check_append_only(struct dml_x *x) {
    if (!x->t || !flag_of(&x->t->snap->metadata, "delta.appendOnly")) return NULL;
    for (size_t i = 0; i < x->actions.n; i++)
        if (x->actions.p[i].kind == DELTA_REMOVE && x->actions.p[i].file.data_change)
            return delta_error("DELTA_CANNOT_MODIFY_APPEND_ONLY", "Rows can only be appended to this table. 'ALTER TABLE %.*s "
                                                                  "SET TBLPROPERTIES (delta.appendOnly=false)' allows changes "
                                                                  "too.", STR_ARG(x->full_name));
    return NULL;
}

static void put_actions(struct dml_x *x, buf *q) {
    buf lines = {0};
    if (x->protocol_changed) {
        struct delta_action p = {.kind = DELTA_PROTOCOL};
        p.protocol = *x->protocol;
        delta_action_line(x->a, &p, &lines);
    }
    if (x->metadata_changed) {
        struct delta_action m = {.kind = DELTA_METADATA};
        m.metadata = *x->metadata;
        delta_action_line(x->a, &m, &lines);
    }
    for (size_t i = 0; i < x->actions.n; i++) delta_action_line(x->a, &x->actions.p[i], &lines);
    buf_z(q, ",\"actions\":");
    buf_json_str(q, buf_view(&lines));
    buf_free(&lines);
}

/* What the statement wrote becomes objects, which are durable; a file may stand in the list twice. */
static err *upload(struct dml_x *x) {
    str *paths = arena_array_of(x->a, str, x->written.n + 1);
    size_t n = 0;
    map *seen = map_new();
    for (size_t i = 0; i < x->written.n; i++) {
        str path = str_of(x->written.p[i]);
        if (!map_put(seen, path, x) && files_exists(x->written.p[i])) paths[n++] = path;
    }
    map_free(seen);
    return remote_upload(paths, n);
}

err *dml_keep(struct dml_x *x, const char *path) {
    str one = str_of(path);
    return remote_is(x->path) ? remote_upload(&one, 1) : NULL;
}

/* "read_version":…: what the committer must know of this version (engine/README.md, op commit). */
static void put_version(struct dml_x *x, buf *q) {
    buf_fmt(q, "\"read_version\":%lld", (long long)(x->t ? x->t->snap->version : -1));
    put_actions(x, q);
    put_info(x, q);
    buf_fmt(q, ",\"blind_append\":%s,\"read_all\":%s,\"serializable\":%s,\"ict\":%s,\"previous_ict\":%lld,\"row_ids\":%s,\"high_water\":%lld",
            x->blind_append ? "true" : "false", x->read_all ? "true" : "false",
            str_ieq(delta_map_get(&x->metadata->config, STR("delta.isolationLevel")), STR("Serializable")) ? "true" : "false",
            flag_of(x->metadata, "delta.enableInCommitTimestamps") ? "true" : "false",
            (long long)(x->t ? x->t->snap->timestamp_ms : -1),
            delta_has_feature(x->protocol, "rowTracking") ? "true" : "false", (long long)high_water(x));
    put_reads(x, q);
    put_strs(q, "files_read", x->files_read.p, x->files_read.n);
    put_strs(q, "sync", x->to_sync.p, x->to_sync.n);
    buf_fmt(q, ",\"now_ms\":%lld", (long long)(clock_now() / 1000));
}

/* "id":…,"path":…: of the table that changes; with `create` and `columns` where the catalog's row does. */
static void put_target(struct dml_x *x, buf *q) {
    buf_z(q, "\"id\":");
    buf_json_str(q, x->id);
    buf_z(q, ",\"path\":");
    dml_put_path(x, q);
    if (x->create.n) buf_z(q, ",\"create\":"), buf_str(q, x->create);
    if (x->create.n && x->keys.n) buf_z(q, ",\"keys\":"), buf_str(q, x->keys);
    if (x->policies.n) buf_z(q, ",\"policies\":"), buf_str(q, x->policies);
    if (x->clone_of) {
        buf_z(q, ",\"sources\":[{\"id\":");
        buf_json_str(q, x->clone_of->id);
        buf_z(q, ",\"url\":");
        buf_json_str(q, x->clone_of->url.p[0] == '/' ? str_of(arena_printf(x->a, "file://%.*s", STR_ARG(x->clone_of->url))) : x->clone_of->url);
        buf_z(q, "}]");
    }
    if (x->metadata_changed) dml_put_columns(x, q);
}

/* A catalog-managed table: the catalog's row says what its versions are. */
static err *commit_managed(struct dml_x *x) {
    buf q = {0};
    jval *table;
    buf_z(&q, "{\"tables\":[{");
    put_target(x, &q);
    buf_z(&q, ",\"versions\":[{");
    put_version(x, &q);
    buf_z(&q, "}]}]}");
    TRY(dml_ask_managed(x->d, dml_take(x, &q), &table));
    table = yyjson_arr_get(table, 0);
    (void)json_i64(json_get(table, "version"), &x->version);
    (void)json_i64(json_get(table, "published"), &x->published);
    return scan_note_table(x->d->scan, x->path, table);
}

err *dml_ask_managed(struct dml *d, str question, jval **ret_tables) {
    for (int tries = 0; tries < MAX_MANAGED_TRIES; tries++) {
        jval *answer;
        TRY(d->ask(d->arg, d->a, STR("commit_managed"), question, &answer));
        *ret_tables = json_get(answer, "tables");
        if (!yyjson_is_true(json_get(answer, "again"))) return NULL;
    }
    return err_new(ERR_TEMPORARILY_UNAVAILABLE, "other writers committed %d times before this commit", MAX_MANAGED_TRIES);
}

static err *commit_log(struct dml_x *x) {
    buf q = {0};
    buf_c(&q, '{');
    put_target(x, &q);
    buf_c(&q, ',');
    put_version(x, &q);
    if (delta_has_feature(x->protocol, "catalogManaged")) buf_z(&q, ",\"catalog_managed\":true");
    buf_c(&q, '}');
    jval *answer;
    TRY(x->d->ask(x->d->arg, x->a, STR("commit"), dml_take(x, &q), &answer));
    if (!json_i64(json_get(answer, "version"), &x->version)) x->version = 0;
    return NULL;
}

/* Of a version that a transaction keeps back: put_version() as a text. */
str dml_version_text(struct dml_x *x) {
    buf q = {0};
    buf_c(&q, '{');
    put_version(x, &q);
    buf_c(&q, '}');
    return dml_take(x, &q);
}

bool dml_may_stand(const err *e) {
    str m = e ? str_of(err_msg(e)) : STR("");
    return str_starts(m, STR("[OPERATION_CANCELED")) || str_starts(m, STR("[STATEMENT_TIMEOUT"));
}

err *dml_commit(struct dml_x *x) {
    TRY(check_append_only(x));
    if (remote_is(x->path)) TRY(upload(x));
    if (x->d->txn) return txn_keep(x->d->txn, x);
    err *e = x->t && x->t->managed ? commit_managed(x) : commit_log(x);
    if (e && !dml_may_stand(e)) return e;
    /* Committed: what was written stays. */
    for (size_t i = 0; i < x->written.n; i++) free(x->written.p[i]);
    x->written.n = 0;
    if (e) return e;
    return x->t && x->t->managed && x->published < x->version ? NULL : dml_checkpoint(x);
}

err *dml_commit_unless_empty(struct dml_x *x) {
    if (!x->t || x->actions.n || x->metadata_changed || x->protocol_changed || x->d->txn) return dml_commit(x);
    TRY(check_append_only(x));
    x->version = x->t->snap->version;
    return NULL;
}

/* ---- results ---- */

err *dml_counts(struct dml_x *x, const char *const *names, const int64_t *values, size_t n, struct dml_result *ret) {
    struct sql_column *cols = arena_array_of(x->a, struct sql_column, n);
    str *cells = arena_array_of(x->a, str, n + 1);
    buf text = {0};
    for (size_t i = 0; i < n; i++) {
        buf_fmt(&text, "%sCAST(%lld AS BIGINT) AS c%zu", i ? ", " : "SELECT ", (long long)values[i], i);
        cols[i] = (struct sql_column){str_of(names[i]), sql_type_of(TY_BIGINT), true, STR_NONE};
        cells[i] = str_of(arena_printf(x->a, "%lld", (long long)values[i]));
    }
    ret->rows = (struct sql_compiled){.duckdb = dml_take(x, &text), .cols = cols, .n = n};
    ret->cells = cells;
    ret->modified_rows = n ? values[0] : -1;
    return NULL;
}

err *dml_rows(struct dml_x *x, const char *const *names, const char *types, size_t n, const str *cells, size_t rows, struct dml_result *ret) {
    buf text = {0};
    struct sql_column *cols = arena_array_of(x->a, struct sql_column, n);
    const struct sql_type *map = sql_map(x->a, sql_type_of(TY_STRING), sql_type_of(TY_STRING), true);
    for (size_t r = 0; r < (rows ? rows : 1); r++) {
        buf_z(&text, r ? " UNION ALL SELECT " : "SELECT ");
        for (size_t i = 0; i < n; i++) {
            str v = rows ? cells[r * n + i] : STR_NONE;
            char t = types[i];
            buf_z(&text, i ? ", " : "");
            buf lit = {0};
            if (v.p)
                scan_quote_text(v, &lit);
            else
                buf_z(&lit, "NULL");
            if (t == 't')
                buf_fmt(&text, "make_timestamptz(CAST(%.*s AS BIGINT) * 1000)", STR_ARG(buf_view(&lit)));
            else if (t == 'm')
                buf_fmt(&text, "CAST(CAST(%.*s AS JSON) AS MAP(VARCHAR, VARCHAR))", STR_ARG(buf_view(&lit)));
            else if (t == 'a')
                buf_fmt(&text, "CAST(CAST(%.*s AS JSON) AS VARCHAR[])", STR_ARG(buf_view(&lit)));
            else
                buf_fmt(&text, "CAST(%.*s AS %s)", STR_ARG(buf_view(&lit)), t == 'l' ? "BIGINT" : t == 'i' ? "INTEGER" : t == 'b' ? "BOOLEAN" : "VARCHAR");
            buf_fmt(&text, " AS c%zu", i);
            buf_free(&lit);
            const struct sql_type *type = t == 't' ? sql_type_of(TY_TIMESTAMP) : t == 'm' ? map : t == 'a' ? sql_array(x->a, sql_type_of(TY_STRING), true)
                                          : t == 'l' ? sql_type_of(TY_BIGINT) : t == 'i' ? sql_type_of(TY_INT) : t == 'b' ? sql_type_of(TY_BOOLEAN)
                                                                                             : sql_type_of(TY_STRING);
            cols[i] = (struct sql_column){str_of(names[i]), type, true, STR_NONE};
        }
    }
    if (!rows) buf_z(&text, " LIMIT 0");
    ret->rows = (struct sql_compiled){.duckdb = dml_take(x, &text), .cols = cols, .n = n, .ordered = true};
    ret->modified_rows = -1;
    return NULL;
}

/* ---- dispatch ---- */

err *dml_error(const char *cls, ...) {
    const char *pairs[16];
    size_t n = 0;
    va_list ap;
    va_start(ap, cls);
    for (const char *p; n < 16 && (p = va_arg(ap, const char *));) pairs[n++] = p;
    va_end(ap);
    if (sql_error_known(str_of(cls))) return sql_error_list(cls, NULL, STR_NONE, pairs, n);
    /* A class of Delta's whose text the dialect's table does not have: what it is about. */
    buf text = {0};
    for (size_t i = 0; i + 1 < n; i += 2) buf_fmt(&text, "%s%s: %s", i ? ", " : "", pairs[i], pairs[i + 1]);
    err *e = delta_error(delta_error_known(str_of(cls)) ? cls : "DELTA_STATE_RECOVER_ERROR", "%.*s.", STR_ARG(buf_view(&text)));
    buf_free(&text);
    return e;
}

typedef err *(*runner)(struct dml_x *x, const struct ast *s, struct dml_result *ret);

static const struct {
    const char *name; /* of an AST_COMMAND */
    enum ast_kind kind;
    bool is_dml;
    runner run;
} runners[] = {
    {NULL, AST_S_INSERT, true, dml_insert}, {NULL, AST_S_UPDATE, true, dml_update}, {NULL, AST_S_DELETE, true, dml_delete},
    {NULL, AST_S_MERGE, true, dml_merge},   {NULL, AST_S_CREATE_TABLE, false, dml_create},
    {"optimize", AST_COMMAND, false, dml_optimize}, {"reorg_purge", AST_COMMAND, false, dml_optimize},
    {"vacuum", AST_COMMAND, false, dml_vacuum}, {"restore", AST_COMMAND, false, dml_restore},
    {"truncate_table", AST_COMMAND, true, dml_truncate}, {"describe_history", AST_COMMAND, false, dml_history},
    {"describe_detail", AST_COMMAND, false, dml_detail}, {"copy_into", AST_COMMAND, true, dml_copy_into},
    {"convert_to_delta", AST_COMMAND, false, dml_convert}, {"analyze_table", AST_COMMAND, false, dml_analyze},
    {"analyze_tables", AST_COMMAND, false, dml_analyze_all},
    {"show_partitions", AST_COMMAND, false, dml_partitions}, {"insert_directory", AST_COMMAND, false, dml_insert_directory},
};

static const size_t n_runners = sizeof(runners) / sizeof(runners[0]);

static bool same_runner(size_t i, const struct ast *s) {
    return runners[i].kind == s->kind && (s->kind != AST_COMMAND || str_eqz(s->text, runners[i].name));
}

static ptrdiff_t runner_of(const struct ast *s) {
    for (size_t i = 0; i < n_runners; i++)
        if (same_runner(i, s)) return (ptrdiff_t)i;
    return -1;
}

bool dml_takes(const struct ast *statement) {
    if (statement->kind == AST_S_CREATE_TABLE && !dml_create_takes(statement)) return false;
    if (statement->kind == AST_COMMAND && dml_alter_takes(statement)) return true;
    return runner_of(statement) >= 0;
}

/* A number that does not fit its column: UPDATE and MERGE have a class of their own for it. */
static err *overflow_of_change(struct dml *d, const struct ast *s, err *e) {
    if (!e || (s->kind != AST_S_UPDATE && s->kind != AST_S_MERGE) || !str_eqz(sql_error_class(e, d->a), "CAST_OVERFLOW_IN_TABLE_INSERT")) return e;
    str text = str_of(err_msg(e));
    ptrdiff_t from = str_find(text, STR("] ")), to = str_find(text, STR(" SQLSTATE: "));
    str said = arena_str(d->a, from >= 0 && to > from ? str_n(text.p + from + 2, (size_t)(to - from) - 2) : text);
    err_free(e);
    return sql_error_signal(STR("DELTA_CAST_OVERFLOW_IN_TABLE_WRITE"), STR("22003"), said, STR("{}"));
}

err *dml_run(struct dml *d, const struct ast *statement, struct dml_result *ret) {
    ptrdiff_t i = runner_of(statement);
    must(i >= 0 || dml_alter_takes(statement));
    struct dml_x x = {.env = *d->env, .d = d, .a = d->a, .version = -1, .data_change = true, .started_us = clock_now()};
    x.env.resolve = resolve;
    memset(ret, 0, sizeof(*ret));
    ret->modified_rows = -1;
    ret->is_dml = i >= 0 && runners[i].is_dml;
    ret->metrics = STR("{}");
    err *e = overflow_of_change(d, statement, i >= 0 ? runners[i].run(&x, statement, ret) : dml_alter(&x, statement, ret));
    for (size_t k = 0; k < x.written.n; k++) {
        str path = str_of(x.written.p[k]);
        if (remote_is(path))
            err_free(remote_delete(&path, 1)); /* what stays is swept by VACUUM */
        else
            unlink(x.written.p[k]);
        free(x.written.p[k]);
    }
    vec_free(&x.written);
    vec_free(&x.actions);
    vec_free(&x.files_read);
    vec_free(&x.to_sync);
    ret->clean = !e && !x.temps;
    ret->again = e && str_starts(str_of(err_msg(e)), STR("[DELTA_CONCURRENT_")) && x.t && dml_vectors_on(&x) &&
                 (statement->kind == AST_S_UPDATE || statement->kind == AST_S_DELETE || statement->kind == AST_S_MERGE ||
                  (statement->kind == AST_COMMAND && str_eqz(statement->text, "optimize")));
    if (!e && x.metrics.n) ret->metrics = str_of(arena_printf(d->a, "{%.*s}", STR_ARG(buf_view(&x.metrics))));
    buf_free(&x.metrics);
    return e ? sql_error_place(e, statement, d->text) : NULL;
}
