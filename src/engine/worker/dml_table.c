/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE [OR REPLACE] TABLE: by columns, AS SELECT, LIKE, CLONE. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta/partition.h"
#include "engine/worker/dml_int.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/rand.h"

bool dml_create_takes(const struct ast *s) {
    const struct ast *format = ast_get(s, SLOT_USING);
    return !ast_has(s, AST_F_TEMP) && (!format || str_ieq(format->text, STR("delta")));
}

/* ---- columns ---- */

static str source_text(struct dml_x *x, const struct ast *n) {
    return n && n->end <= x->d->text.n && n->pos < n->end ? str_n(x->d->text.p + n->pos, n->end - n->pos) : STR("");
}

static int64_t number(const struct ast *n) {
    int64_t v = 1;
    bool minus = n->text.n && n->text.p[0] == '-';
    if (str_to_i64(minus ? str_from(n->text, 1) : n->text, &v) && minus) v = -v;
    return v;
}

/* The field's metadata as Delta keeps it. */
static str column_metadata(struct dml_x *x, const struct ast *def) {
    jdoc *d = json_doc(x->a);
    jmut *o = yyjson_mut_obj(d);
    const struct ast *comment = ast_get(def, SLOT_COMMENT), *value = ast_get(def, SLOT_DEFAULT), *generated = ast_get(def, SLOT_GENERATED);
    const struct ast *identity = ast_get(def, SLOT_IDENTITY);
    size_t n = 0;
    if (comment) json_put_str(d, o, "comment", comment->text), n++;
    if (value) json_put_str(d, o, "CURRENT_DEFAULT", source_text(x, value)), n++;
    if (generated) json_put_str(d, o, "delta.generationExpression", source_text(x, generated)), n++;
    if (identity) {
        json_put_int(d, o, "delta.identity.start", number(identity->child[0]));
        json_put_int(d, o, "delta.identity.step", number(identity->child[1])); /* not 0: dml_column_of() */
        json_put_bool(d, o, "delta.identity.allowExplicitInsert", identity->op == 'd');
        n++;
    }
    return n ? json_text(x->a, o) : STR_NONE;
}

/* The part of a type that no Delta table can hold, or NULL. */
static const struct sql_type *never_stored(const struct sql_type *t) {
    static const enum sql_type_kind never[] = {TY_INTERVAL, TY_INTERVAL_DT, TY_INTERVAL_YM, TY_OBJECT, TY_TIME};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (t->kind == never[i]) return t;
    const struct sql_type *bad = t->elem ? never_stored(t->elem) : NULL;
    if (!bad && t->key) bad = never_stored(t->key);
    for (size_t i = 0; !bad && i < t->n; i++) bad = never_stored(t->fields[i].type);
    return bad;
}

static err *check_stored(struct dml_x *x, str column, const struct sql_type *type) {
    const struct sql_type *bad = never_stored(type);
    buf t = {0};
    if (!bad) return NULL;
    if (bad->kind == TY_TIME) return dml_error("UNSUPPORTED_TIME_TYPE", NULL);
    sql_type_write_sql(bad, &t);
    str written = dml_take(x, &t);
    return dml_error("DELTA_UNSUPPORTED_DATA_TYPES", "dataTypeList", arena_printf(x->a, "[%.*s: %.*s]", STR_ARG(column), STR_ARG(written)), NULL);
}

err *dml_column_of(struct dml_x *x, const struct ast *def, struct sql_field *ret) {
    const struct ast *type = ast_get(def, SLOT_TYPE), *comment = ast_get(def, SLOT_COMMENT);
    *ret = (struct sql_field){.name = def->text, .nullable = !ast_has(def, AST_F_NOT_NULL)};
    if (type)
        TRY(sql_type_of_ast(x->a, type, &ret->type));
    else if (ast_get(def, SLOT_IDENTITY))
        ret->type = sql_type_of(TY_BIGINT);
    else
        return sql_error("PARSE_SYNTAX_ERROR", def, x->d->text, "error", arena_printf(x->a, "'%.*s'", STR_ARG(def->text)), "hint", ": a type is missing", NULL);
    if (ast_get(def, SLOT_IDENTITY) && ret->type->kind != TY_BIGINT)
        return dml_error("DELTA_IDENTITY_COLUMNS_UNSUPPORTED_DATA_TYPE", "dataType", dml_z(x, STR("non-BIGINT")), NULL);
    if (ast_get(def, SLOT_IDENTITY) && number(ast_get(def, SLOT_IDENTITY)->child[1]) == 0) return dml_error("IDENTITY_COLUMNS_ILLEGAL_STEP", NULL);
    TRY(check_stored(x, def->text, ret->type));
    if (comment) ret->comment = comment->text;
    const struct ast *constraints = ast_get(def, SLOT_CONSTRAINTS);
    for (uint32_t i = 0; constraints && i < constraints->n; i++)
        if (constraints->child[i]->op == 'p') ret->nullable = false;
    ret->metadata = column_metadata(x, def);
    return NULL;
}

err *dml_check_default_type(struct dml_x *x, const struct sql_field *f, const struct ast *value) {
    const struct sql_type *type;
    buf text = {0}, stored = {0}, want = {0}, has = {0};
    err *e = sql_compile_expr(&x->env, value, NULL, 0, STR(""), NULL, &text, &type);
    if (e) {
        buf_free(&text);
        return e;
    }
    e = sql_store_cast(&x->env, x->full_name, f->name, buf_view(&text), type, f->type, &stored);
    buf_free(&text), buf_free(&stored);
    if (!e && (!sql_is_text(type) || sql_is_text(f->type))) return NULL;
    err_free(e);
    sql_type_write_sql(f->type, &want);
    sql_type_write_sql(type, &has);
    return dml_error("INVALID_DEFAULT_VALUE.DATA_TYPE", "colName", dml_z(x, f->name), "defaultValue", dml_z(x, source_text(x, value)), "expectedType",
                     dml_z(x, dml_take(x, &want)), "actualType", dml_z(x, dml_take(x, &has)), NULL);
}

static err *columns_of(struct dml_x *x, const struct ast *list, struct sql_field **ret, size_t *ret_n) {
    *ret = arena_array_of(x->a, struct sql_field, (list ? list->n : 0) + 1);
    *ret_n = 0;
    for (uint32_t i = 0; list && i < list->n; i++) {
        struct sql_field *f = &(*ret)[*ret_n];
        TRY(dml_column_of(x, list->child[i], f));
        if (dml_column(*ret, *ret_n, f->name) >= 0)
            return sql_error("COLUMN_ALREADY_EXISTS", list->child[i], x->d->text, "columnName", arena_printf(x->a, "`%.*s`", STR_ARG(f->name)), NULL);
        (*ret_n)++;
    }
    return NULL;
}

static bool says_collation(const struct ast *type) {
    if (!type) return false;
    if (ast_get(type, SLOT_COLLATION)) return true;
    for (uint32_t i = 0; i < type->n; i++)
        if (says_collation(type->child[i]) || says_collation(ast_get(type->child[i], SLOT_TYPE))) return true;
    return false;
}

static const struct sql_type *with_collation(struct dml_x *x, const struct sql_type *t, str name) {
    if (t->kind == TY_STRING) return sql_collated(x->a, t, name);
    struct sql_type *r = arena_new_of(x->a, struct sql_type);
    *r = *t;
    if (t->elem) r->elem = with_collation(x, t->elem, name);
    if (t->key) r->key = with_collation(x, t->key, name);
    struct sql_field *f = arena_array_of(x->a, struct sql_field, t->n + 1);
    for (size_t i = 0; i < t->n; i++) {
        f[i] = t->fields[i];
        f[i].type = with_collation(x, f[i].type, name);
    }
    if (t->n) r->fields = f;
    return r;
}

/* DEFAULT COLLATION is that of all strings in columns whose types say none. */
static err *default_collation(struct dml_x *x, const struct ast *name, const struct ast *columns, struct sql_field *cols, size_t n) {
    if (!name) return NULL;
    if (!sql_collation_known(name->text))
        return sql_error("COLLATION_INVALID_NAME", name, x->d->text, "collationName", arena_printf(x->a, "%.*s", STR_ARG(name->text)), "proposals", "UNICODE", NULL);
    for (size_t i = 0; columns && i < n && i < columns->n; i++)
        if (!says_collation(ast_get(columns->child[i], SLOT_TYPE))) cols[i].type = with_collation(x, cols[i].type, name->text);
    return NULL;
}

static void nulls_of_keys(struct dml_x *x, const struct ast *constraints, struct sql_field *cols, size_t n) {
    (void)x;
    for (uint32_t i = 0; constraints && i < constraints->n; i++) {
        const struct ast *names = ast_get(constraints->child[i], SLOT_NAMES);
        if (constraints->child[i]->op != 'p' || !names) continue;
        for (uint32_t k = 0; k < names->n; k++) {
            ptrdiff_t at = dml_column(cols, n, names->child[k]->text);
            if (at >= 0) cols[at].nullable = false;
        }
    }
}

/* PARTITIONED BY: names, or definitions that add columns. */
static err *partitions_of(struct dml_x *x, const struct ast *list, struct delta_metadata *m, struct sql_field **cols, size_t *n) {
    m->partitions = arena_array_of(x->a, str, (list ? list->n : 0) + 1);
    m->n_partitions = 0;
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct ast *p = list->child[i];
        if (p->kind == AST_COLUMN_DEF) {
            struct sql_field *more = arena_array_of(x->a, struct sql_field, *n + 2);
            if (*n) memcpy(more, *cols, *n * sizeof(*more));
            TRY(dml_column_of(x, p, &more[*n]));
            *cols = more, (*n)++;
        }
        str name = p->kind == AST_NAME ? p->child[p->n - 1]->text : p->text;
        ptrdiff_t at = dml_column(*cols, *n, name);
        if (at < 0 || p->kind == AST_CALL)
            return sql_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", p, x->d->text, "objectName", arena_printf(x->a, "`%.*s`", STR_ARG(name)), NULL);
        const struct sql_type *t = (*cols)[at].type;
        if (dml_is_identity(&(*cols)[at])) return dml_error("DELTA_IDENTITY_COLUMNS_PARTITION_NOT_SUPPORTED", "colName", dml_z(x, name), NULL);
        if (t->kind == TY_VOID || t->kind == TY_STRUCT || t->kind == TY_ARRAY || t->kind == TY_MAP || t->kind == TY_VARIANT) {
            buf b = {0};
            sql_type_write_sql(t, &b);
            str type = dml_take(x, &b);
            return dml_error("INVALID_PARTITION_COLUMN_DATA_TYPE", "type", arena_printf(x->a, "\"%.*s\"", STR_ARG(type)), NULL);
        }
        m->partitions[m->n_partitions++] = (*cols)[at].name;
    }
    if (m->n_partitions && m->n_partitions == *n) return dml_error("ALL_PARTITION_COLUMNS_NOT_ALLOWED", NULL);
    return NULL;
}

err *dml_properties(struct dml_x *x, const struct ast *list, struct delta_map *config) {
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct ast *p = list->child[i];
        const struct sql_type *type;
        str value = STR("");
        if (p->n) {
            struct ast *v = p->child[0];
            if (v->kind == AST_LIT_STRING || v->kind == AST_LIT_NUMBER)
                value = v->text;
            else if (v->kind == AST_LIT_BOOL)
                value = ast_has(v, AST_F_TRUE) ? STR("true") : STR("false");
            else
                TRY(sql_constant(&x->env, v, &type, &value));
        }
        delta_map_set(x->a, config, p->text, value, false);
    }
    return NULL;
}

/* ---- clustering ---- */

bool dml_cluster_auto(const struct ast *by) { return by && by->kind != AST_LIST && str_ieq(by->text, STR("auto")); }

#define MOST_CLUSTERING_COLUMNS 4

err *dml_cluster(struct dml_x *x, const struct ast *by, struct delta_protocol *p) {
    if (!by || dml_cluster_auto(by)) return NULL;
    if (by->kind == AST_LIST && by->n > MOST_CLUSTERING_COLUMNS)
        return dml_error("DELTA_CLUSTER_BY_INVALID_NUM_COLUMNS", "numColumnsLimit", "4", "actualNumColumns", arena_printf(x->a, "%u", by->n), NULL);
    bool mapped = !str_eqz(delta_mapping_mode(x->metadata), "none");
    jdoc *d = json_doc(x->a);
    jmut *o = yyjson_mut_obj(d), *list = json_put_arr(d, o, "clusteringColumns");
    for (uint32_t i = 0; by->kind == AST_LIST && i < by->n; i++) {
        const struct ast *name = by->child[i];
        ptrdiff_t at = dml_column(x->cols, x->n, name->child[0]->text);
        if (at < 0 && x->t) return dml_error("DELTA_COLUMN_NOT_FOUND_IN_SCHEMA", "columnName", dml_z(x, name->child[0]->text), NULL);
        if (at < 0)
            return sql_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", name, x->d->text, "objectName", arena_printf(x->a, "`%.*s`", STR_ARG(name->child[0]->text)),
                             NULL);
        jmut *path = yyjson_mut_arr_add_arr(d, list);
        const struct sql_field *f = &x->cols[at];
        json_add_str(d, path, mapped ? scan_physical(x->a, f) : f->name);
        for (uint32_t k = 1; k < name->n; k++) {
            ptrdiff_t in = f->type->kind == TY_STRUCT ? dml_column(f->type->fields, f->type->n, name->child[k]->text) : -1;
            if (in < 0) return dml_error("DELTA_COLUMN_NOT_FOUND_IN_SCHEMA", "columnName", dml_z(x, name->child[k]->text), NULL);
            f = &f->type->fields[in];
            json_add_str(d, path, mapped ? scan_physical(x->a, f) : f->name);
        }
        if (!sql_is_numeric(f->type) && !sql_is_text(f->type) && f->type->kind != TY_DATE && f->type->kind != TY_TIMESTAMP && f->type->kind != TY_TIMESTAMP_NTZ) {
            buf shown = {0};
            for (uint32_t k = 0; k < name->n; k++) buf_fmt(&shown, "%s%.*s", k ? "." : "", STR_ARG(name->child[k]->text));
            buf_z(&shown, " : ");
            sql_type_write_sql(f->type, &shown);
            return dml_error("DELTA_CLUSTERING_COLUMNS_DATATYPE_NOT_SUPPORTED", "columnsWithDataTypes", dml_z(x, dml_take(x, &shown)), NULL);
        }
    }
    json_put_z(d, o, "domainName", "delta.clustering");
    struct delta_action *a = dml_action(x, DELTA_DOMAIN);
    a->domain = (struct delta_domain){STR("delta.clustering"), json_text(x->a, o), false};
    if (delta_add_feature(x->a, p, "clustering")) x->protocol_changed = true;
    return NULL;
}

/* The table that comes in the place of a clustered one is clustered by nothing. */
static void no_clustering(struct dml_x *x) {
    const struct delta_domain *d = delta_domain_of(x->t->snap, STR("delta.clustering"));
    if (!d || str_find(d->config, STR("[[")) < 0) return;
    dml_action(x, DELTA_DOMAIN)->domain =
        (struct delta_domain){STR("delta.clustering"), STR("{\"clusteringColumns\":[],\"domainName\":\"delta.clustering\"}"), false};
}

/* ---- the place ---- */

static void put_parts(const struct ast *name, buf *out) {
    for (uint32_t i = 0; i < name->n; i++) {
        buf_z(out, i ? "," : "[");
        buf_json_str(out, name->child[i]->text);
    }
    buf_c(out, ']');
}

static bool path_name(const struct ast *name) {
    return name->n == 2 && str_ieq(name->child[0]->text, STR("delta")) && str_chr(name->child[1]->text, '/', 0) >= 0;
}

/* An existing table at the place is opened; *ret_done: IF NOT EXISTS found one. */
static err *open_existing(struct dml_x *x, const struct ast *s, bool exists, bool *ret_done) {
    struct scan_at at = {-1, INT64_MIN};
    if (!exists) return NULL;
    if (ast_has(s, AST_F_IF_NOT_EXISTS)) {
        *ret_done = true;
        return NULL;
    }
    TRY(scan_table_open(x->d->scan, x->path, x->url, at, -1, &x->t));
    x->t->id = x->id;
    return delta_check_write(&x->t->snap->protocol, x->full_name);
}

static bool has_log(struct dml_x *x) {
    struct delta_fs fs = scan_fs(x->d->scan, x->path);
    struct delta_entry *e;
    size_t n = 0;
    err *why = delta_fs_list(&fs, x->a, STR("_delta_log"), STR("0"), &e, &n);
    err_free(why);
    return n > 0;
}

static err *exists_already(struct dml_x *x, const struct ast *at) {
    return sql_error("TABLE_OR_VIEW_ALREADY_EXISTS", at, x->d->text, "relationName", dml_z(x, x->full_name), NULL);
}

static err *stage(struct dml_x *x, const struct ast *s, bool *ret_done) {
    const struct ast *name = ast_get(s, SLOT_NAME), *location = ast_get(s, SLOT_LOCATION);
    bool replace = ast_has(s, AST_F_REPLACE);
    TRY(dml_plain_name(x, &name));
    if (path_name(name)) {
        x->url = x->full_name = name->child[1]->text;
        if (x->d->scan->allow) TRY(x->d->scan->allow(x->d->scan->arg, x->url, true));
        TRY(scan_path(x->d->scan, x->url, &x->path));
        bool exists = has_log(x);
        if (exists && !replace && !ast_has(s, AST_F_IF_NOT_EXISTS)) return exists_already(x, name);
        return open_existing(x, s, exists, ret_done);
    }
    buf q = {0};
    buf_z(&q, "{\"catalog\":");
    buf_json_str(&q, x->env.catalog);
    buf_z(&q, ",\"schema\":");
    buf_json_str(&q, x->env.schema);
    buf_z(&q, ",\"parts\":");
    put_parts(name, &q);
    buf_fmt(&q, ",\"replace\":%s,\"if_not_exists\":%s,\"external\":%s,\"format\":\"DELTA\"", replace ? "true" : "false",
            ast_has(s, AST_F_IF_NOT_EXISTS) ? "true" : "false", ast_has(s, AST_F_EXTERNAL) ? "true" : "false");
    if (location) buf_z(&q, ",\"location\":"), buf_json_str(&q, location->text);
    buf_c(&q, '}');
    jval *answer;
    err *e = x->d->ask(x->d->arg, x->a, STR("stage_table"), dml_take(x, &q), &answer);
    if (e) return e;
    x->id = json_get_str(answer, "id");
    x->path = scan_place(x->a, json_get_str(answer, "location"));
    x->url = json_get_str(answer, "url");
    x->uuid = json_get_str(answer, "uuid");
    x->full_name = str_of(arena_printf(x->a, "%.*s.%.*s.%.*s", STR_ARG(json_get_str(answer, "catalog")), STR_ARG(json_get_str(answer, "schema")),
                                       STR_ARG(json_get_str(answer, "name"))));
    char *text = yyjson_val_write(answer, 0, NULL);
    x->create = text ? str_of(arena_strdup(x->a, text)) : STR("{}");
    free(text);
    bool exists = yyjson_is_true(json_get(answer, "exists"));
    TRY(scan_note_table(x->d->scan, x->path, answer));
    if (exists && !replace && !ast_has(s, AST_F_IF_NOT_EXISTS)) return exists_already(x, name);
    /* CREATE TABLE t LOCATION of a table that is there registers it as it is. */
    if (!exists && location && has_log(x)) exists = true;
    return open_existing(x, s, exists, ret_done);
}

/* ---- LIKE and CLONE: the schema (the files: dml_clone.c) ---- */

/* Files have what a filter or a mask would hide. */
static err *check_policies(struct dml_x *x, jval *answer, const char *mode) {
    jval *v;
    size_t i, n;
    if (json_get_str(answer, "row_filter").n) return dml_error("ROW_LEVEL_SECURITY_TABLE_CLONE_SOURCE_NOT_SUPPORTED", "mode", mode, NULL);
    yyjson_arr_foreach(json_get(answer, "columns"), i, n, v)
        if (json_get(v, "mask") && !yyjson_is_null(json_get(v, "mask")))
            return dml_error("COLUMN_MASKS_TABLE_CLONE_SOURCE_NOT_SUPPORTED", "mode", mode, NULL);
    (void)x;
    return NULL;
}

static err *take_schema(struct dml_x *x, const struct ast *from_name, const struct ast *s, struct scan_table **ret, struct delta_metadata *m,
                        struct delta_protocol *p, struct sql_field **cols, size_t *n) {
    struct ast *from = dml_from(x, from_name, NULL, false);
    ast_set(x->a, from, SLOT_VERSION, ast_get(s, SLOT_VERSION));
    ast_set(x->a, from, SLOT_TIMESTAMP, ast_get(s, SLOT_TIMESTAMP));
    jval *answer;
    TRY(dml_open_name(x, from_name, "select", from, ret, &answer));
    x->clone_name = answer ? str_of(arena_printf(x->a, "%.*s.%.*s.%.*s", STR_ARG(json_get_str(answer, "catalog")), STR_ARG(json_get_str(answer, "schema")),
                                                 STR_ARG(json_get_str(answer, "name"))))
                           : str_of(arena_printf(x->a, "delta.`%.*s`", STR_ARG((*ret)->url)));
    if (ast_get(s, SLOT_CLONE)) TRY(check_policies(x, answer, s->op == 's' ? "SHALLOW" : "DEEP"));
    /* Files hold the rows that a filter hides and the values behind masks. */
    if (ast_get(s, SLOT_CLONE) && dml_is_guarded(answer))
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", from_name, x->d->text, "tableName", dml_z(x, from_name->child[from_name->n - 1]->text), "operation",
                         "CLONE of a table with a row filter or column masks", NULL);
    const struct delta_metadata *source = &(*ret)->snap->metadata;
    m->partitions = source->partitions, m->n_partitions = source->n_partitions;
    for (size_t i = 0; i < source->config.n; i++)
        delta_map_set(x->a, &m->config, source->config.p[i].key, source->config.p[i].value, source->config.p[i].null);
    m->description = source->description;
    *p = (*ret)->snap->protocol;
    (void)delta_drop_feature(x->a, p, "catalogManaged"); /* the new table's properties may ask for it */
    delta_map_del(&m->config, STR("io.unitycatalog.tableId"));
    *cols = arena_array_of(x->a, struct sql_field, (*ret)->n + 1);
    memcpy(*cols, (*ret)->cols, (*ret)->n * sizeof(**cols));
    *n = (*ret)->n;
    return NULL;
}

/* ---- the statement ---- */

static void parameters(struct dml_x *x, const struct ast *s) {
    buf b = {0}, list = {0};
    buf_c(&list, '[');
    for (size_t i = 0; i < x->metadata->n_partitions; i++) {
        if (i) buf_c(&list, ',');
        buf_json_str(&list, x->metadata->partitions[i]);
    }
    buf_c(&list, ']');
    buf_z(&b, "{\"partitionBy\":");
    buf_json_str(&b, buf_view(&list));
    buf_clear(&list);
    const struct ast *by = ast_get(s, SLOT_CLUSTER);
    buf_c(&list, '[');
    for (uint32_t i = 0; by && by->kind == AST_LIST && i < by->n; i++) {
        if (i) buf_c(&list, ',');
        buf_json_str(&list, by->child[i]->child[by->child[i]->n - 1]->text);
    }
    buf_c(&list, ']');
    buf_z(&b, ",\"clusterBy\":");
    buf_json_str(&b, buf_view(&list));
    buf_z(&b, ",\"description\":");
    if (x->metadata->description.p)
        buf_json_str(&b, x->metadata->description);
    else
        buf_z(&b, "null");
    buf_fmt(&b, ",\"isManaged\":\"%s\",\"properties\":", x->create.n && !ast_get(s, SLOT_LOCATION) ? "true" : "false");
    buf_clear(&list);
    buf_c(&list, '{');
    for (size_t i = 0; i < x->metadata->config.n; i++) {
        if (i) buf_c(&list, ',');
        buf_json_str(&list, x->metadata->config.p[i].key);
        buf_c(&list, ':');
        buf_json_str(&list, x->metadata->config.p[i].value);
    }
    buf_c(&list, '}');
    buf_json_str(&b, buf_view(&list));
    buf_c(&b, '}');
    buf_free(&list);
    x->parameters = dml_take(x, &b);
}

static err *one_check(struct dml_x *x, const struct ast *c, struct delta_map *config) {
    char id[9];
    rand_hex(id, 4);
    str name = c->text.n ? c->text : str_of(arena_printf(x->a, "chk_%s", id));
    str key = str_of(arena_printf(x->a, "delta.constraints.%.*s", STR_ARG(name)));
    if (delta_map_has(config, key))
        return dml_error("DELTA_CONSTRAINT_ALREADY_EXISTS", "constraintName", dml_z(x, name), "oldConstraint", dml_z(x, delta_map_get(config, key)), NULL);
    delta_map_set(x->a, config, key, source_text(x, ast_get(c, SLOT_EXPR)), false);
    return NULL;
}

static void put_words(const struct ast *list, bool names, buf *out) {
    buf_c(out, '[');
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct ast *w = list->child[i];
        if (i) buf_c(out, ',');
        buf_json_str(out, names && w->n ? w->child[w->n - 1]->text : w->text);
    }
    buf_c(out, ']');
}

/* A primary or foreign key in the slots that control reads; of a column: it is the key's only one. */
static void put_key(const struct ast *c, const struct ast *column, buf *out) {
    const struct ast *names = ast_get(c, SLOT_NAMES), *ref = ast_get(c, SLOT_REF), *ref_names = ast_get(c, SLOT_REFNAMES);
    buf_z(out, out->n > 1 ? ",{\"name\":" : "{\"name\":");
    buf_json_str(out, c->text);
    buf_fmt(out, ",\"op\":\"%c\",\"names\":", (char)c->op);
    if (names) {
        put_words(names, true, out);
    } else {
        buf_c(out, '[');
        if (column) buf_json_str(out, column->text);
        buf_c(out, ']');
    }
    if (ref) buf_z(out, ",\"ref\":"), put_words(ref, false, out);
    if (ref_names) buf_z(out, ",\"refnames\":"), put_words(ref_names, true, out);
    buf_z(out, ",\"children\":[");
    for (uint32_t i = 0; i < c->n; i++) {
        if (i) buf_c(out, ',');
        buf_json_str(out, c->child[i]->text);
    }
    buf_z(out, "]}");
}

static err *take_constraints(struct dml_x *x, const struct ast *list, const struct ast *column, struct delta_map *config, buf *keys) {
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct ast *c = list->child[i];
        if (c->op == 'c') TRY(one_check(x, c, config));
        if (c->op == 'p' || c->op == 'f') put_key(c, column, keys);
    }
    return NULL;
}

/* Checks go into the log, keys to the catalog. */
static err *constraints(struct dml_x *x, const struct ast *s, struct delta_map *config) {
    const struct ast *columns = ast_get(s, SLOT_COLUMNS);
    buf keys = {0};
    buf_c(&keys, '[');
    err *e = take_constraints(x, ast_get(s, SLOT_CONSTRAINTS), NULL, config, &keys);
    for (uint32_t i = 0; !e && columns && i < columns->n; i++)
        e = take_constraints(x, ast_get(columns->child[i], SLOT_CONSTRAINTS), columns->child[i], config, &keys);
    buf_c(&keys, ']');
    x->keys = dml_take(x, &keys);
    return e;
}

/* Columns of a CTAS: the query's, under the statement's names where it has them. */
static err *query_columns(struct dml_x *x, const struct sql_compiled *c, struct sql_field **cols, size_t *n) {
    *cols = arena_array_of(x->a, struct sql_field, c->n + 1);
    *n = c->n;
    for (size_t i = 0; i < c->n; i++) {
        (*cols)[i] = (struct sql_field){.name = c->cols[i].name, .type = dml_nullable(x, c->cols[i].type), .nullable = true, .comment = c->cols[i].comment};
        if (dml_column(*cols, i, c->cols[i].name) >= 0)
            return sql_error("COLUMN_ALREADY_EXISTS", NULL, x->d->text, "columnName", arena_printf(x->a, "`%.*s`", STR_ARG(c->cols[i].name)), NULL);
        TRY(check_stored(x, c->cols[i].name, c->cols[i].type));
    }
    return NULL;
}

static err *bad_names(struct dml_x *x, const struct sql_field *cols, size_t n) {
    if (!str_eqz(delta_mapping_mode(x->metadata), "none")) return NULL;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < cols[i].name.n; k++)
            if (strchr(" ,;{}()\n\t=", cols[i].name.p[k]))
                return dml_error("DELTA_INVALID_CHARACTERS_IN_COLUMN_NAMES", "invalidColumnNames", dml_z(x, cols[i].name), NULL);
    return NULL;
}

static const char *operation(const struct ast *s, bool exists) {
    bool query = ast_get(s, SLOT_QUERY) != NULL;
    if (ast_get(s, SLOT_CLONE)) return "CLONE";
    if (ast_has(s, AST_F_REPLACE)) return query ? "CREATE OR REPLACE TABLE AS SELECT" : "CREATE OR REPLACE TABLE";
    (void)exists;
    return query ? "CREATE TABLE AS SELECT" : "CREATE TABLE";
}

struct plan {
    struct sql_compiled c;
    bool query;
    struct scan_table *source;    /* LIKE, CLONE */
    struct sql_field *cols;
    size_t n;
    struct delta_map properties;
};

/* Calls whose value is another each time; subqueries. */
static bool unsteady(const struct ast *e, int depth) {
    static const char *const names[] = {"rand", "random", "randn", "uuid", "now", "current_timestamp", "current_date", "localtimestamp", "shuffle",
                                        "monotonically_increasing_id", "spark_partition_id", "input_file_name", "current_user"};
    if (!e || depth > 200) return false;
    if (e->kind == AST_EXISTS || e->kind == AST_SUBQUERY) return true;
    const struct ast *name = e->kind == AST_CALL ? ast_get(e, SLOT_NAME) : NULL;
    for (size_t i = 0; name && name->n == 1 && i < ARRAY_LEN(names); i++)
        if (str_ieq(name->child[0]->text, str_of(names[i]))) return true;
    for (uint32_t i = 0; i < e->n; i++)
        if (unsteady(e->child[i], depth + 1)) return true;
    for (uint32_t i = 0; i < e->n_slots; i++)
        if (unsteady(e->slot[i].node, depth + 1)) return true;
    return false;
}

/* May a value of the expression's type be one of the column's without loss, as far as numbers and texts go? */
static bool fits(const struct sql_type *from, const struct sql_type *to) {
    if (sql_is_integral(to)) return !sql_is_text(from) && from->kind != TY_FLOAT && from->kind != TY_DOUBLE && !(sql_is_integral(from) && from->kind > to->kind);
    return !(sql_is_text(from) && (sql_is_numeric(to) || to->kind == TY_DATE || to->kind == TY_TIMESTAMP || to->kind == TY_BOOLEAN));
}

/* Is the expression made of a generated column, or of itself? */
static bool made_of_made(struct dml_x *x, const struct ast *e, const struct ast *list) {
    for (uint32_t i = 0; i < list->n; i++) {
        str name = list->child[i]->text;
        if (ast_get(list->child[i], SLOT_GENERATED) && dml_names_column(e, ast_name(x->a, &name, 1))) return true;
    }
    return false;
}

static err *check_defaults(struct dml_x *x, const struct ast *list, const struct sql_field *cols, size_t n) {
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct ast *value = ast_get(list->child[i], SLOT_DEFAULT);
        if (value) TRY(dml_check_default(x, "CREATE TABLE", list->child[i]->text, source_text(x, value), value));
        if (value && i < n) TRY(dml_check_default_type(x, &cols[i], value));
    }
    return NULL;
}

/* A generated column's expression must hold for the columns that are given, and be the same each time. */
static err *check_generated(struct dml_x *x, const struct ast *list, const struct sql_field *cols, size_t n) {
    for (uint32_t i = 0; list && i < list->n; i++) {
        const struct ast *e = ast_get(list->child[i], SLOT_GENERATED);
        const struct sql_type *type;
        buf text = {0};
        if (!e) continue;
        if (unsteady(e, 0) || made_of_made(x, e, list))
            return dml_error("UNSUPPORTED_EXPRESSION_GENERATED_COLUMN", "generatedColumn", dml_z(x, list->child[i]->text), "expression", dml_z(x, source_text(x, e)), NULL);
        err *bad = dml_kept_expr(x, e, cols, n, NULL, &text, &type);
        buf_free(&text);
        if (bad) return bad;
        ptrdiff_t at = dml_column(cols, n, list->child[i]->text);
        if (at >= 0 && !fits(type, cols[at].type))
            return dml_error("UNSUPPORTED_EXPRESSION_GENERATED_COLUMN", "generatedColumn", dml_z(x, list->child[i]->text), "expression", dml_z(x, source_text(x, e)), NULL);
    }
    return NULL;
}

static err *plan_columns(struct dml_x *x, const struct ast *s, struct delta_metadata *m, struct delta_protocol *p, struct plan *plan) {
    const struct ast *like = ast_get(s, SLOT_LIKE), *clone = ast_get(s, SLOT_CLONE), *query = ast_get(s, SLOT_QUERY);
    if (like || clone) {
        TRY(take_schema(x, like ? like : clone, s, &plan->source, m, p, &plan->cols, &plan->n));
    } else if (query) {
        TRY(sql_compile(x->d->env, query, &plan->c));
        TRY(query_columns(x, &plan->c, &plan->cols, &plan->n));
    } else {
        TRY(columns_of(x, ast_get(s, SLOT_COLUMNS), &plan->cols, &plan->n));
        TRY(default_collation(x, ast_get(s, SLOT_COLLATION), ast_get(s, SLOT_COLUMNS), plan->cols, plan->n));
        TRY(check_generated(x, ast_get(s, SLOT_COLUMNS), plan->cols, plan->n));
        TRY(check_defaults(x, ast_get(s, SLOT_COLUMNS), plan->cols, plan->n));
    }
    nulls_of_keys(x, ast_get(s, SLOT_CONSTRAINTS), plan->cols, plan->n);
    TRY(dml_take_policies(x, ast_get(s, SLOT_COLUMNS), ast_get(s, SLOT_FILTER)));
    if (ast_get(s, SLOT_CLUSTER) && ast_get(s, SLOT_PARTITION)) return dml_error("SPECIFY_CLUSTER_BY_WITH_PARTITIONED_BY_IS_NOT_ALLOWED", NULL);
    if (!like && !clone) TRY(partitions_of(x, ast_get(s, SLOT_PARTITION), m, &plan->cols, &plan->n));
    if (m->n_partitions && x->t && delta_has_feature(&x->t->snap->protocol, "clustering"))
        return dml_error("DELTA_CLUSTERING_REPLACE_TABLE_WITH_PARTITIONED_TABLE", NULL);
    TRY(dml_table_properties(x, ast_get(s, SLOT_PROPERTIES), &m->config));
    return constraints(x, s, &m->config);
}

err *dml_need_defaults(struct dml_x *x, const char *command) {
    if (delta_has_feature(x->protocol, "allowColumnDefaults")) return NULL;
    return dml_error("WRONG_COLUMN_DEFAULTS_FOR_DELTA_FEATURE_NOT_ENABLED", "commandType", command, NULL);
}

/* Does a column of the statement have a default? */
static bool defaults(const struct ast *list) {
    for (uint32_t i = 0; list && i < list->n; i++)
        if (ast_get(list->child[i], SLOT_DEFAULT)) return true;
    return false;
}

/* A table that exists at a LOCATION and a statement that says nothing of it: registered as it is. */
static err *register_as_is(struct dml_x *x) {
    x->metadata = &x->t->snap->metadata, x->protocol = &x->t->snap->protocol;
    x->cols = x->t->cols, x->n = x->t->n;
    buf q = {0};
    buf_z(&q, "{\"id\":");
    buf_json_str(&q, x->id);
    buf_z(&q, ",\"path\":");
    dml_put_path(x, &q);
    buf_fmt(&q, ",\"register\":true,\"read_version\":%lld,\"create\":%.*s", (long long)x->t->snap->version, STR_ARG(x->create));
    dml_put_columns(x, &q);
    buf_c(&q, '}');
    jval *answer;
    return x->d->ask(x->d->arg, x->a, STR("commit"), dml_take(x, &q), &answer);
}

static err *write_query(struct dml_x *x, struct plan *plan) {
    int *of = arena_array_of(x->a, int, x->n + 1);
    for (size_t i = 0; i < x->n; i++) of[i] = (int)i;
    struct dml_source source = {.text = plan->c.duckdb, .cols = plan->c.cols, .n = plan->c.n, .of = of};
    buf rows = {0};
    TRY(dml_project(x, &source, &rows));
    struct dml_write w = {.text = buf_view(&rows), .data_change = true};
    err *e = dml_write(x, &w);
    buf_free(&rows);
    dml_metric(x, "numFiles", x->files_written);
    dml_metric(x, "numOutputRows", x->rows_written);
    dml_metric(x, "numOutputBytes", x->bytes_written);
    return e;
}

static err *finish(struct dml_x *x, const struct ast *s, struct plan *plan, struct dml_result *ret) {
    TRY(files_mkdirs(dml_z(x, x->path), 0755));
    for (size_t i = 0; x->t && i < x->t->snap->n_files && !ast_get(s, SLOT_CLONE); i++) dml_remove(x, x->t->snap->files[i]);
    if (plan->query) TRY(write_query(x, plan));
    parameters(x, s);
    if (plan->source) TRY(dml_copy_domains(x, plan->source, ast_get(s, SLOT_CLONE) != NULL && s->op == 's'));
    if (ast_get(s, SLOT_CLONE)) TRY(dml_clone_files(x, s, plan->source, ret));
    x->protocol_changed = true;
    if (x->t) x->protocol_changed = x->protocol != &x->t->snap->protocol;
    x->read_all = x->t != NULL;
    x->blind_append = !x->t;
    TRY(dml_commit(x));
    if (!plan->query) return NULL;
    static const char *const names[] = {"num_affected_rows", "num_inserted_rows"};
    return dml_rows(x, names, "ll", 2, NULL, 0, ret);
}

err *dml_create(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    bool done = false;
    const struct ast *comment = ast_get(s, SLOT_COMMENT);
    TRY(stage(x, s, &done));
    if (done) return NULL;
    bool bare = !ast_get(s, SLOT_COLUMNS) && !ast_get(s, SLOT_QUERY) && !ast_get(s, SLOT_LIKE) && !ast_get(s, SLOT_CLONE);
    if (x->t && bare && !ast_has(s, AST_F_REPLACE)) return register_as_is(x);
    dml_begin_commit(x, operation(s, x->t != NULL));
    struct delta_metadata *m = dml_change_metadata(x);
    struct delta_protocol *p = arena_new_of(x->a, struct delta_protocol);
    struct plan plan = {.query = ast_get(s, SLOT_QUERY) != NULL};
    *p = x->t ? x->t->snap->protocol : (struct delta_protocol){.reader = 1, .writer = 2};
    char *id = arena_alloc(x->a, 37);
    rand_uuid(id);
    m->id = x->t ? x->t->snap->metadata.id : str_of(id);
    m->provider = STR("parquet");
    m->created_ms = clock_now() / 1000;
    TRY(plan_columns(x, s, m, p, &plan));
    if (comment) m->description = comment->text;
    if (dml_cluster_auto(ast_get(s, SLOT_CLUSTER))) delta_map_set(x->a, &m->config, STR(CLUSTER_BY_AUTO), STR("true"), false);
    TRY(bad_names(x, plan.cols, plan.n));
    x->protocol = p;
    /* Defaults take a feature that the statement must ask for. */
    if (defaults(ast_get(s, SLOT_COLUMNS)) && !delta_map_has(&m->config, STR("delta.feature.allowColumnDefaults"))) TRY(dml_need_defaults(x, "CREATE TABLE"));
    TRY(dml_set_schema(x, plan.cols, plan.n));
    TRY(dml_set_features(x));
    p = (struct delta_protocol *)(uintptr_t)x->protocol;
    if (delta_has_feature(p, "catalogManaged") && (!x->create.n || ast_get(s, SLOT_LOCATION)))
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", ast_get(s, SLOT_NAME), x->d->text, "tableName", dml_z(x, x->full_name), "operation",
                         "catalogManaged commits outside the catalog's own storage", NULL);
    TRY(dml_cluster(x, ast_get(s, SLOT_CLUSTER), p));
    bool copied = plan.source && delta_domain_of(plan.source->snap, STR("delta.clustering"));
    if (x->t && !ast_get(s, SLOT_CLUSTER) && !copied) no_clustering(x);
    return finish(x, s, &plan, ret);
}
