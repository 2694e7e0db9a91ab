/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the analyser asks of the world (struct sql_env), answered from the session, from control and from the tables'
 * files. All names of a query go to control in one question.
 */
#include <stdio.h>
#include <stdlib.h>

#include "engine/worker/remote.h"
#include "engine/worker/run.h"
#include "engine/worker/txn.h"
#include "sql/error.h"
#include "sys/clock.h"

static struct run *run_of(struct sql_env *e) { return e->arg; }

/* ---- settings and variables ---- */

/* The statement's own settings come before the session's. */
static bool env_setting(struct sql_env *e, str name, str *ret) {
    struct run *r = run_of(e);
    size_t i, n;
    jval *k, *v;
    yyjson_obj_foreach(json_get(r->st->order, "conf"), i, n, k, v) if (str_ieq(json_str(k), name)) {
        *ret = json_str(v);
        return true;
    }
    return session_get(r->st->s, r->a, name, ret);
}

static bool env_variable(struct sql_env *e, const struct ast *name, struct sql_variable *ret) {
    struct run *r = run_of(e);
    struct session_variable v;
    if (!ast_is(name, AST_NAME) || !name->n || name->n > 3 || run_in_body(r)) return false;
    str parts[3];
    for (uint32_t i = 0; i < name->n; i++) parts[i] = name->child[i]->text;
    if (!run_variable(r, parts, name->n, &v)) return false;
    if (r->view) r->temporary = parts[name->n - 1];
    const struct sql_type *t = NULL;
    err *bad = sql_type_parse(r->a, str_of(v.type), &t);
    if (bad) {
        err_free(bad);
        return false;
    }
    *ret = (struct sql_variable){str_of(v.name), t, str_of(v.duckdb)};
    return true;
}

static bool env_in_group(struct sql_env *e, str group, bool account) {
    struct run *r = run_of(e);
    buf j = {0};
    buf_z(&j, "{\"group\":");
    buf_json_str(&j, group);
    buf_fmt(&j, ",\"account\":%s}", account ? "true" : "false");
    jval *o = NULL;
    err *bad = statement_ask(r->st, r->a, STR("in_group"), buf_view(&j), &o, NULL);
    buf_free(&j);
    bool in = !bad && yyjson_get_bool(json_get(o, "member"));
    err_free(bad); /* not a member, as far as can be known */
    return in;
}

/* ---- relations ---- */

/* An older version's column of another name may be what is masked today, or what the row filter looks at. */
static err *other_columns(struct run *r, const struct sql_relation *rel) {
    return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", NULL, STR_NONE, "tableName", run_z(r, rel->name), "operation",
                     "time travel to a version with other columns while rows are filtered or columns masked", NULL);
}

static err *read_columns(struct run *r, jval *list, struct sql_relation *rel, bool masks) {
    size_t i, n;
    jval *v;
    size_t count = yyjson_arr_size(list);
    struct sql_field *cols = arena_array_of(r->a, struct sql_field, count);
    str *mask = arena_array_of(r->a, str, count);
    bool any = false;
    yyjson_arr_foreach(list, i, n, v) {
        jval *t = json_get(v, "type_json"), *parsed = t;
        /* the type's JSON as a value, or as its text */
        if (yyjson_is_str(t) && json_str(t).n && (json_str(t).p[0] == '{' || json_str(t).p[0] == '"'))
            TRY(json_parse(r->a, json_str(t), false, &parsed));
        cols[i].name = json_get_str(v, "name");
        TRY(sql_type_read_json(r->a, parsed, &cols[i].type));
        cols[i].nullable = !yyjson_is_false(json_get(v, "nullable"));
        cols[i].comment = json_get_str(v, "comment");
        mask[i] = json_get_str(v, "mask");
        any |= mask[i].n > 0;
    }
    if (!rel->n) {
        rel->cols = cols;
        rel->n = count;
    }
    if (!any || !masks) return NULL;
    str *by_column = arena_array_of(r->a, str, rel->n); /* the snapshot's order may be another */
    for (size_t k = 0; k < rel->n; k++) {
        bool known = false;
        for (size_t c = 0; c < count; c++) {
            if (!str_ieq(rel->cols[k].name, cols[c].name)) continue;
            known = true;
            by_column[k] = mask[c];
        }
        if (!known) return other_columns(r, rel);
    }
    rel->masks = by_column;
    return NULL;
}

static err *open_table(struct run *r, jval *v, const struct ast *from, struct sql_relation **ret) {
    jval *t = json_get(v, "table");
    str format = json_get_str(t, "format");
    struct scan_table *table = NULL;
    if (r->txn && format.n && !str_ieq(format, STR("delta")))
        return sql_error("TRANSACTION_NOT_SUPPORTED.ILLEGAL_DATA_SOURCE_FOR_TRANSACTIONAL_READ", from, r->text, "name",
                         run_z(r, json_get_str(v, "name")), "format", run_z(r, format), NULL);
    if (format.n && !str_ieq(format, STR("delta"))) { /* files of another format: as if named by their path */
        struct ast *path = ast_new(r->a, AST_FROM_TABLE, 0, 0);
        str parts[2] = {format, json_get_str(t, "url").n ? json_get_str(t, "url") : json_get_str(t, "location")};
        ast_set(r->a, path, SLOT_NAME, ast_name(r->a, parts, 2));
        ast_set(r->a, path, SLOT_OPTIONS, NULL);
        path->flags |= AST_F_PATH;
        /* The table's grants decided already; its place need not be open to the user. */
        err *(*allow)(void *, str, bool) = r->scan.allow;
        r->scan.allow = NULL;
        err *e = scan_direct(&r->scan, &r->env, path, ret);
        r->scan.allow = allow;
        return e;
    }
    struct scan_at at = {-1, INT64_MIN};
    int64_t known = -1;
    if (from) TRY(scan_at_of(&r->scan, &r->env, from, &at));
    if (r->txn && (at.version >= 0 || at.timestamp_us != INT64_MIN))
        return sql_error("TRANSACTION_NOT_SUPPORTED.TIME_TRAVEL_QUERY", from, r->text, "tableName", run_z(r, json_get_str(v, "name")), NULL);
    (void)json_i64(json_get(t, "version"), &known);
    TRY(scan_note_table(&r->scan, json_get_str(t, "location"), t));
    TRY(scan_table_open(&r->scan, json_get_str(t, "location"), json_get_str(t, "url"), at, known, &table));
    *ret = scan_relation(table);
    return NULL;
}

/* Row filters and masks hang on today's names: a version in which these mean something else is not read. */
static err *check_version(struct run *r, jval *v, const struct sql_relation *rel) {
    const struct scan_table *old = rel->scan;
    struct scan_table *now;
    if (!old || !old->pinned || (!rel->row_filter.n && !rel->masks)) return NULL;
    jval *t = json_get(v, "table");
    int64_t known = -1;
    (void)json_i64(json_get(t, "version"), &known);
    TRY(scan_table_open(&r->scan, json_get_str(t, "location"), json_get_str(t, "url"), (struct scan_at){-1, INT64_MIN}, known, &now));
    return scan_same_columns(old, now) ? NULL : other_columns(r, rel);
}

static err *read_relation(struct run *r, jval *v, const struct ast *from, struct sql_relation **ret) {
    str kind = json_get_str(v, "kind");
    struct sql_relation *rel = NULL;
    if (str_eqz(kind, "table"))
        TRY(open_table(r, v, from, &rel));
    else
        rel = arena_new_of(r->a, struct sql_relation);
    rel->catalog = json_get_str(v, "catalog");
    rel->schema = json_get_str(v, "schema");
    rel->name = json_get_str(v, "name");
    rel->row_filter = json_get_str(v, "row_filter");
    TRY(read_columns(r, json_get(v, "columns"), rel, true));
    TRY(check_version(r, v, rel));
    if (str_eqz(kind, "view")) {
        jval *w = json_get(v, "view");
        rel->kind = REL_VIEW;
        rel->view_text = json_get_str(w, "text");
        rel->definer = yyjson_get_bool(json_get(w, "definer"));
        rel->view_catalog = json_get_str(w, "catalog");
        rel->view_schema = json_get_str(w, "schema");
    } else if (str_eqz(kind, "rows")) {
        if (r->txn)
            return sql_error("TRANSACTION_NOT_SUPPORTED.INFORMATION_SCHEMA_TABLE", from, r->text, "tableName", run_z(r, rel->name), NULL);
        struct run_rows *here = arena_new_of(r->a, struct run_rows);
        rel->kind = REL_TABLE;
        *here = (struct run_rows){.rel = rel, .rows = json_get(v, "rows"), .id = json_get_str(v, "id"), .catalog = r->env.catalog, .schema = r->env.schema, .next = r->rows};
        r->rows = here;
    }
    *ret = rel;
    return NULL;
}

/* A temporary view by x, session.x, or global_temp.x; NULL if there is none. */
static struct sql_relation *temp_view(struct run *r, const struct ast *name) {
    struct temp_view v;
    if (!ast_is(name, AST_NAME) || name->n < 1 || name->n > 2 || run_in_body(r)) return NULL;
    bool global = name->n == 2 && str_ieq(name->child[0]->text, STR("global_temp"));
    if (name->n == 2 && !global && !str_ieq(name->child[0]->text, STR("session"))) return NULL;
    if (!session_get_view(r->st->s, r->a, name->child[name->n - 1]->text, global, &v)) return NULL;
    struct sql_relation *rel = arena_new_of(r->a, struct sql_relation);
    *rel = (struct sql_relation){.kind = REL_TEMP_VIEW, .name = str_of(v.name), .view_text = str_of(v.text),
                                 .view_catalog = str_of(v.catalog), .view_schema = str_of(v.schema)};
    return rel;
}

static err *ask_names(struct run *r, struct ast *const *names, struct ast *const *froms, size_t n, struct sql_relation **rels,
                      const bool *done) {
    buf j = {0};
    buf_z(&j, "{\"catalog\":");
    buf_json_str(&j, r->env.catalog);
    buf_z(&j, ",\"schema\":");
    buf_json_str(&j, r->env.schema);
    buf_z(&j, ",\"late\":true");
    txn_put_as_of(r->txn, &j);
    buf_z(&j, ",\"names\":[");
    bool any = false;
    err *e = NULL;
    for (size_t i = 0; !e && i < n; i++) {
        if (done[i]) continue;
        buf_z(&j, any ? ",{\"for\":\"select\",\"parts\":" : "{\"for\":\"select\",\"parts\":");
        any = true;
        e = run_node_json(r, names[i], &j);
        buf_c(&j, '}');
    }
    buf_z(&j, "]}");
    jval *o = NULL;
    if (!e && any) e = statement_ask(r->st, r->a, STR("resolve"), buf_view(&j), &o, NULL);
    buf_free(&j);
    if (e || !any) return e;
    txn_take_seq(r->txn, o);
    jval *list = json_get(o, "relations");
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (done[i]) continue;
        jval *v = yyjson_arr_get(list, k++);
        if (yyjson_is_obj(v)) TRY(read_relation(r, v, froms ? froms[i] : NULL, &rels[i]));
    }
    return NULL;
}

static const char *quoted_name(struct run *r, const str *parts, size_t n) {
    buf b = {0};
    for (size_t i = 0; i < n; i++) {
        buf_z(&b, i ? ".`" : "`");
        buf_str(&b, parts[i]);
        buf_c(&b, '`');
    }
    const char *z = arena_strndup(r->a, b.p ? b.p : "", b.n);
    buf_free(&b);
    return z;
}

err *run_outlives(struct run *r, const struct ast *name, const char *what) {
    str *parts, full[3] = {r->env.catalog, r->env.schema, STR("")};
    size_t n;
    TRY(run_name(r, ast_get(r->view, SLOT_NAME), &parts, &n));
    for (size_t i = 0; i < n && i < 3; i++) full[3 - (n < 3 ? n : 3) + i] = parts[i];
    str temp[2];
    for (uint32_t i = 0; i < name->n && i < 2; i++) temp[i] = name->child[i]->text;
    bool function = r->view->kind == AST_S_CREATE_FUNCTION;
    return sql_error("INVALID_TEMP_OBJ_REFERENCE", name, r->text, "obj", function ? "FUNCTION" : "VIEW", "objName",
                     function ? quoted_name(r, full + 1, 2) : quoted_name(r, full, 3), "tempObj", what, "tempObjName", quoted_name(r, temp, name->n < 2 ? name->n : 2), NULL);
}

/* Names without a qualifier are what the first schema of the path has of that name. */
static err *resolve_by_path(struct run *r, struct ast *const *names, struct ast *const *froms, size_t n, struct sql_relation **rels, bool *done) {
    struct ast **whole = arena_array_of(r->a, struct ast *, n + 1);
    bool *other = arena_array_of(r->a, bool, n + 1);
    for (size_t k = 0; k < r->n_path; k++) {
        if (r->path[k].system) continue;
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            other[i] = done[i] || !run_by_path(r, names[i]);
            whole[i] = other[i] ? names[i] : run_path_name(r, k, names[i]);
            any |= !other[i];
        }
        if (any) TRY(ask_names(r, whole, froms, n, rels, other));
        for (size_t i = 0; i < n; i++) done[i] |= !other[i] && rels[i];
    }
    for (size_t i = 0; i < n; i++) done[i] |= run_by_path(r, names[i]); /* nowhere else */
    return NULL;
}

static err *env_resolve(struct sql_env *e, struct ast *const *names, struct ast *const *froms, size_t n, struct sql_relation **rels) {
    struct run *r = run_of(e);
    bool *done = arena_array_of(r->a, bool, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct ast *from = froms ? froms[i] : NULL;
        rels[i] = NULL;
        if (from && from->text.n) {
            TRY(run_from_command(r, from, &rels[i]));
            done[i] = true;
        } else if (ast_has(from, AST_F_PATH)) {
            TRY(scan_direct(&r->scan, e, from, &rels[i]));
            done[i] = true;
        } else if ((rels[i] = temp_view(r, names[i]))) {
            if (r->view) return run_outlives(r, names[i], "VIEW");
            done[i] = true;
        }
    }
    TRY(resolve_by_path(r, names, froms, n, rels, done));
    return ask_names(r, names, froms, n, rels, done);
}

/* ---- functions ---- */

static err *read_function(struct run *r, jval *o, const struct sql_function_def **ret) {
    struct sql_function_def *f = arena_new_of(r->a, struct sql_function_def);
    jval *list = json_get(o, "params"), *v;
    struct sql_field *params = arena_array_of(r->a, struct sql_field, yyjson_arr_size(list));
    size_t i, n;
    yyjson_arr_foreach(list, i, n, v) {
        params[i].name = json_get_str(v, "name");
        params[i].nullable = true;
        params[i].metadata = json_get_str(v, "default");
        TRY(sql_type_parse(r->a, json_get_str(v, "type"), &params[i].type));
    }
    *f = (struct sql_function_def){.catalog = json_get_str(o, "catalog"), .schema = json_get_str(o, "schema"),
                                   .name = json_get_str(o, "name"), .params = params, .n = yyjson_arr_size(list),
                                   .is_table = yyjson_get_bool(json_get(o, "table")), .definer = yyjson_get_bool(json_get(o, "definer")),
                                   .body = json_get_str(o, "body")};
    TRY(sql_type_parse(r->a, json_get_str(o, "returns"), &f->returns));
    *ret = f;
    return NULL;
}

static err *ask_function(struct run *r, const struct ast *name, const struct sql_function_def **ret) {
    struct sql_env *e = &r->env;
    buf j = {0};
    *ret = NULL;
    buf_z(&j, "{\"catalog\":");
    buf_json_str(&j, e->catalog);
    buf_z(&j, ",\"schema\":");
    buf_json_str(&j, e->schema);
    buf_z(&j, ",\"parts\":");
    err *bad = run_node_json(r, name, &j);
    buf_c(&j, '}');
    jval *o = NULL;
    if (!bad) bad = statement_ask(r->st, r->a, STR("function"), buf_view(&j), &o, NULL);
    buf_free(&j);
    if (bad) return bad;
    jval *f = json_get(o, "function");
    return yyjson_is_obj(f) ? read_function(r, f, ret) : NULL;
}

static err *env_function(struct sql_env *e, const struct ast *name, const struct sql_function_def **ret) {
    struct run *r = run_of(e);
    *ret = NULL;
    if (r->made && name->n == 1 && str_eqz(name->child[0]->text, RUN_MADE)) {
        *ret = r->made;
        return NULL;
    }
    TRY(run_find_function(r, name, ret));
    if (*ret) return NULL;
    if (!run_by_path(r, name)) return ask_function(r, name, ret);
    for (size_t k = 0; k < r->n_path && !*ret; k++)
        if (!r->path[k].system) TRY(ask_function(r, run_path_name(r, k, name), ret));
    return NULL;
}

/* ---- scans ---- */

static void put_quoted(buf *out, char quote, str s) {
    buf_c(out, quote);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == quote) buf_c(out, quote);
        buf_c(out, s.p[i]);
    }
    buf_c(out, quote);
}

static void put_cell(jval *v, const struct sql_type *t, buf *out) {
    buf type = {0};
    sql_type_write_duckdb(t, &type);
    if (!v || yyjson_is_null(v)) {
        buf_fmt(out, "CAST(NULL AS %.*s)", STR_ARG(buf_view(&type)));
    } else {
        size_t n = 0;
        char *text = yyjson_is_str(v) ? NULL : yyjson_val_write(v, 0, &n);
        bool instant = (t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ) && yyjson_is_int(v);
        buf_z(out, instant ? (t->kind == TY_TIMESTAMP ? "make_timestamptz(" : "make_timestamp(") : "CAST(");
        if (instant)
            buf_add(out, text, n);
        else
            put_quoted(out, '\'', text ? str_n(text, n) : json_str(v));
        if (!instant) buf_fmt(out, " AS %.*s", STR_ARG(buf_view(&type)));
        buf_c(out, ')');
        free(text);
    }
    buf_free(&type);
}

static err *append_cell(duckdb_appender to, jval *v, const struct sql_type *t) {
    duckdb_state ok;
    if (!v || yyjson_is_null(v)) {
        ok = duckdb_append_null(to);
    } else if (yyjson_is_str(v)) {
        ok = duckdb_append_varchar_length(to, json_str(v).p, json_str(v).n);
    } else if (yyjson_is_bool(v)) {
        ok = duckdb_append_bool(to, yyjson_get_bool(v));
    } else if (t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ) {
        ok = duckdb_append_timestamp(to, (duckdb_timestamp){yyjson_get_sint(v)});
    } else {
        ok = duckdb_append_int64(to, yyjson_get_sint(v));
    }
    return ok == DuckDBSuccess ? NULL : err_new(ERR_INTERNAL_ERROR, "a row of the catalog does not fit its type");
}

/* Many rows go through a temporary table of the statement's connection. */
static err *stage_rows(struct run *r, const struct sql_scan_ask *ask, jval *rows, buf *out) {
    const struct sql_relation *rel = ask->rel;
    buf sql = {0};
    size_t i, n;
    jval *row;
    char name[32];
    snprintf(name, sizeof(name), "_bh_rows_%u", ++r->staged);
    buf_fmt(&sql, "CREATE TEMP TABLE %s (_bh_none BIGINT", name);
    for (size_t c = 0; c < rel->n; c++) {
        if (!ask->used[c]) continue;
        buf_z(&sql, ", ");
        put_quoted(&sql, '"', rel->cols[c].name);
        buf_c(&sql, ' ');
        sql_type_write_duckdb(rel->cols[c].type, &sql);
    }
    buf_c(&sql, ')');
    duckdb_result q;
    duckdb_appender to = NULL;
    char *text = arena_strndup(r->a, sql.p, sql.n);
    buf_free(&sql);
    TRY(run_connection(r));
    r->keep_connections = false;
    TRY(duck_run(r->con, text, &q));
    duckdb_destroy_result(&q);
    err *e = duckdb_appender_create(r->con, NULL, name, &to) == DuckDBSuccess ? NULL : err_new(ERR_INTERNAL_ERROR, "rows of the catalog cannot be staged");
    yyjson_arr_foreach(rows, i, n, row) {
        if (e) break;
        duckdb_append_int64(to, 0);
        for (size_t c = 0; c < rel->n && !e; c++)
            if (ask->used[c]) e = append_cell(to, yyjson_arr_get(row, c), rel->cols[c].type);
        duckdb_appender_end_row(to);
    }
    if (!e && duckdb_appender_close(to) != DuckDBSuccess) e = err_new(ERR_INTERNAL_ERROR, "rows of the catalog cannot be staged");
    if (to) duckdb_appender_destroy(&to);
    if (!e) buf_z(out, name);
    return e;
}

/* Rows that came with the relation, as a list of values. */
static err *emit_rows(const struct sql_scan_ask *ask, jval *rows, buf *out) {
    const struct sql_relation *rel = ask->rel;
    size_t i, n, used = 0;
    jval *row;
    buf names = {0};
    for (size_t c = 0; c < rel->n; c++)
        if (ask->used[c]) {
            if (used++) buf_c(&names, ',');
            put_quoted(&names, '"', rel->cols[c].name);
        }
    if (!used) buf_z(&names, "_bh_none");
    buf_z(out, "(SELECT * FROM (VALUES ");
    size_t count = yyjson_arr_size(rows);
    for (size_t k = 0; k < (count ? 1 : 0); k++)
        yyjson_arr_foreach(rows, i, n, row) {
            buf_z(out, i ? ",(" : "(");
            size_t at = 0;
            for (size_t c = 0; c < rel->n; c++) {
                if (!ask->used[c]) continue;
                if (at++) buf_c(out, ',');
                put_cell(yyjson_arr_get(row, c), rel->cols[c].type, out);
            }
            if (!used) buf_c(out, '0');
            buf_c(out, ')');
        }
    if (!count) { /* no row, but the columns' types */
        size_t at = 0;
        buf_c(out, '(');
        for (size_t c = 0; c < rel->n; c++) {
            if (!ask->used[c]) continue;
            if (at++) buf_c(out, ',');
            put_cell(NULL, rel->cols[c].type, out);
        }
        if (!used) buf_c(out, '0');
        buf_c(out, ')');
    }
    buf_z(out, ") AS v(");
    buf_str(out, buf_view(&names));
    buf_z(out, count ? "))" : ") WHERE false)");
    buf_free(&names);
    return NULL;
}

/* The rows of a relation that control makes, those that the conjuncts on names leave. */
static err *late_rows(struct run *r, const struct run_rows *x, const struct sql_scan_ask *ask, jval **ret) {
    buf j = {0};
    jval *o = NULL;
    bool any = false, all = ask->limit >= 0;
    buf_z(&j, "{\"id\":");
    buf_json_str(&j, x->id);
    if (ask->limit >= 0)
        for (size_t i = 0; i < ask->n_prune; i++)
            all &= (ask->prune[i].op == '=' || ask->prune[i].op == 'i') && sql_is_text(x->rel->cols[ask->prune[i].column].type);
    if (all) buf_fmt(&j, ",\"limit\":%lld", (long long)ask->limit);
    for (size_t i = 0; all && i < ask->n_order; i++) {
        buf_z(&j, i ? "," : ",\"order\":[");
        buf_json_str(&j, x->rel->cols[ask->order[i]].name);
        if (i + 1 == ask->n_order) buf_c(&j, ']');
    }
    buf_z(&j, ",\"catalog\":");
    buf_json_str(&j, x->catalog);
    buf_z(&j, ",\"schema\":");
    buf_json_str(&j, x->schema);
    buf_z(&j, ",\"filters\":[");
    for (size_t i = 0; i < ask->n_prune; i++) {
        const struct sql_prune *p = &ask->prune[i];
        if ((p->op != '=' && p->op != 'i' && p->op != '~') || !sql_is_text(x->rel->cols[p->column].type)) continue;
        buf_z(&j, any ? ",{\"column\":" : "{\"column\":");
        any = true;
        buf_json_str(&j, x->rel->cols[p->column].name);
        if (p->op == '~') {
            buf_z(&j, ",\"like\":");
            buf_json_str(&j, p->values[0]);
            buf_c(&j, '}');
            continue;
        }
        buf_z(&j, ",\"values\":[");
        for (size_t k = 0; k < p->n; k++) {
            if (k) buf_c(&j, ',');
            buf_json_str(&j, p->values[k]);
        }
        buf_z(&j, "]}");
    }
    buf_z(&j, "]}");
    err *e = statement_ask(r->st, r->a, STR("rows"), buf_view(&j), &o, NULL);
    buf_free(&j);
    if (!e) *ret = json_get(o, "rows");
    return e;
}

static err *env_scan(struct sql_env *e, const struct sql_scan_ask *ask, buf *out) {
    struct run *r = run_of(e);
    for (struct run_rows *x = r->rows; x; x = x->next) {
        jval *rows = x->rows;
        if (x->rel != ask->rel) continue;
        if (x->here) {
            run_emit_capture(ask, x->here, out);
            return NULL;
        }
        if (!rows) TRY(late_rows(r, x, ask, &rows));
        return yyjson_arr_size(rows) > 100 ? stage_rows(r, ask, rows, out) : emit_rows(ask, rows, out);
    }
    TRY(run_connection(r)); /* scans look into files */
    return scan_emit(e, ask, out);
}

static err *env_files(struct sql_env *e, const struct ast *call, struct sql_relation **ret) {
    return scan_files(&run_of(e)->scan, e, call, ret);
}

/* ---- the environment ---- */

static err *ask_control(void *arg, arena *a, str op, str json, jval **ret, int *ret_fd) { return statement_ask(arg, a, op, json, ret, ret_fd); }

/* Paths that a statement names are control's to allow. */
static err *allow_path(void *arg, str url, bool write) {
    struct run *r = arg;
    buf j = {0};
    jval *o = NULL;
    if (r->txn) return sql_error("TRANSACTION_NOT_SUPPORTED.PATH_BASED_ACCESS", NULL, r->text, "path", run_z(r, url), NULL);
    buf_z(&j, "{\"url\":");
    buf_json_str(&j, url);
    buf_fmt(&j, ",\"for\":\"%s\"", write ? "write" : "read");
    if (r->scan.rights.n) {
        buf_z(&j, ",\"catalog\":");
        buf_json_str(&j, r->scan.rights);
        buf_z(&j, ",\"schema\":\"default\"");
    }
    buf_c(&j, '}');
    err *e = statement_ask(r->st, r->a, STR("path"), buf_view(&j), &o, NULL);
    buf_free(&j);
    if (e) return e;
    if (json_get_str(o, "volume").n) remote_volume_open(r->st->number, json_get_str(o, "volume"), r->scan.rights, ask_control, r->st);
    r->scan.placed_url = arena_str(r->a, url), r->scan.placed_path = json_get_str(o, "path");
    return NULL;
}

err *run_connection(struct run *r) {
    if (!r->con) TRY(statement_connect(r->st, 2 * r->level, r->zone_name, &r->con));
    return NULL;
}

static const char *builder_of(str type) {
    static const char *const names[] = {"array", "map", "struct"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t n = strlen(names[i]);
        if (str_ieq(str_cut(type, n), str_of(names[i])) && (type.n == n || type.p[n] == '<')) return names[i];
    }
    return NULL;
}

/* Drivers nest them as deep as Thrift's decoder allows. */
static const struct sql_param *read_params(struct run *r, jval *list, size_t *ret_n) {
    jval *v;
    size_t i, n;
    struct sql_param *p = arena_array_of(r->a, struct sql_param, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) {
        str type = json_get_str(v, "type");
        p[i] = (struct sql_param){.name = json_get_str(v, "name"), .type = sql_type_of(TY_STRING), .value = json_str(json_get(v, "value"))};
        const char *build = json_get(v, "args") ? builder_of(type) : NULL;
        if (build) {
            p[i].build = build;
            p[i].args = read_params(r, json_get(v, "args"), &p[i].n_args);
            p[i].type = NULL;
        }
        if (str_ieq(type, STR("VOID")) || str_ieq(type, STR("NULL"))) {
            p[i].type = sql_type_of(TY_VOID);
            p[i].value = STR_NONE;
        } else if (type.n) {
            const struct sql_type *t = NULL;
            err *bad = sql_type_parse(r->a, type, &t);
            if (!bad) p[i].type = t;
            err_free(bad); /* a type that we do not know is read as text, ARRAY alone as what its elements make */
        }
    }
    *ret_n = yyjson_arr_size(list);
    return p;
}

static bool env_clock(struct sql_env *e, str name, bool to_instant, int64_t us, int64_t *ret) {
    const struct zone *z = name.n ? zone_get(name) : run_of(e)->zone;
    if (z) *ret = to_instant ? zone_to_utc(z, us) : zone_to_local(z, us);
    return z != NULL;
}

void run_env(struct run *r) {
    struct session *s = r->st->s;
    int64_t now = 0;
    str ansi = STR_NONE;
    if (!json_i64(json_get(r->st->order, "now_us"), &now) || !now) now = clock_now();
    r->env = (struct sql_env){.arg = r, .a = r->a, .user = arena_str(r->a, str_of(s->user)), .ansi = true, .now_us = now,
                              .resolve = env_resolve, .function = env_function, .variable = env_variable, .setting = env_setting,
                              .scan = env_scan, .files = env_files, .in_group = env_in_group, .clock = env_clock};
    pthread_mutex_lock(&s->lock);
    r->env.catalog = arena_str(r->a, str_of(s->catalog));
    r->env.schema = arena_str(r->a, str_of(s->schema));
    pthread_mutex_unlock(&s->lock);
    if (env_setting(&r->env, STR("ansi_mode"), &ansi) || env_setting(&r->env, STR("spark.sql.ansi.enabled"), &ansi))
        r->env.ansi = !str_ieq(ansi, STR("false"));
    r->env.params = read_params(r, json_get(r->st->order, "params"), &r->env.n_params);
    run_zone(r);
    run_path(r);
    r->scan = (struct scan_ctx){.a = r->a, .cache = r->st->w->cache, .roots = r->st->w->roots, .n_roots = r->st->w->n_roots,
                               .allow = allow_path, .arg = r,
                               .spill = r->st->w->spill_dir ? str_of(r->st->w->spill_dir) : STR_NONE};
    err *e = statement_connect(r->st, 2 * r->level + 1, r->zone_name, &r->scan.con);
    err_free(e); /* scans say that they have no connection */
}

void run_end(struct run *r) {
    scan_ctx_end(&r->scan);
    statement_disconnect(r->st, 2 * r->level, r->keep_connections);
    statement_disconnect(r->st, 2 * r->level + 1, r->keep_connections);
}

err *run_values(struct run *r, struct ast *const *exprs, size_t n, struct sql_compiled *ret_compiled, str **ret) {
    struct ast *query = ast_new(r->a, AST_QUERY, 0, 0), *select = ast_new(r->a, AST_SELECT, 0, 0), *items = ast_new(r->a, AST_LIST, 0, 0);
    for (size_t i = 0; i < n; i++) ast_add(r->a, items, exprs[i]);
    ast_set(r->a, select, SLOT_ITEMS, items);
    ast_set(r->a, query, SLOT_BODY, select);
    size_t rows = 0;
    TRY(sql_compile(&r->env, query, ret_compiled));
    TRY(run_capture(r, ret_compiled, 1, ret, &rows));
    return rows == 1 ? NULL : err_new(ERR_INTERNAL_ERROR, "expressions gave %zu rows", rows);
}
