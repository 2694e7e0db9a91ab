/* SPDX-License-Identifier: Apache-2.0 */
/* ALTER TABLE where it changes the log's metadata: columns, properties, checks, features, clustering. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker/dml_int.h"
#include "sql/lex.h"

/* ---- editing the schema at a path (a.b, a.element, m.key) ---- */

struct fields {
    struct sql_field *p;
    size_t n;
};

struct edit {
    struct dml_x *x;
    const struct ast *path;
    /* Changes the field at i of its list (may drop, move or add); or, inside arrays and maps, a type. */
    err *(*on_field)(struct edit *e, struct fields *f, size_t i);
    err *(*on_type)(struct edit *e, const struct sql_type **t);
    const struct ast *what;
    str inner;                  /* path below the nearest field that has changed: "element", "key", … */
    const struct sql_type *from, *to;
};

static err *no_column(struct edit *e) {
    buf b = {0}, known = {0};
    for (uint32_t i = 0; i < e->path->n; i++) buf_fmt(&b, "%s`%.*s`", i ? "." : "", STR_ARG(e->path->child[i]->text));
    for (size_t i = 0; i < e->x->n; i++) buf_fmt(&known, "%s`%.*s`", i ? ", " : "", STR_ARG(e->x->cols[i].name));
    return sql_error("UNRESOLVED_COLUMN.WITH_SUGGESTION", e->path, e->x->d->text, "objectName", dml_z(e->x, dml_take(e->x, &b)), "proposal",
                     dml_z(e->x, dml_take(e->x, &known)), NULL);
}

static err *append_below(struct edit *e, struct fields *f, size_t i);

/* The path goes on where nothing lies below: a new field needs a struct to be in. */
static err *no_struct(struct edit *e) {
    buf b = {0};
    if (e->on_field != append_below) return no_column(e);
    for (uint32_t i = 0; i < e->path->n; i++) buf_fmt(&b, "%s`%.*s`", i ? "." : "", STR_ARG(e->path->child[i]->text));
    str path = dml_take(e->x, &b), name = ast_get(e->what, SLOT_NAME) ? e->what->text : STR("");
    return dml_error("INVALID_FIELD_NAME", "fieldName", arena_printf(e->x->a, "%.*s.`%.*s`", STR_ARG(path), STR_ARG(name)), "path", dml_z(e->x, path), NULL);
}

static err *edit_type(struct edit *e, const struct sql_type *t, uint32_t at, const struct sql_type **ret);

static err *edit_part(struct edit *e, const struct sql_type *t, uint32_t at, const struct sql_type **ret) {
    str word = e->path->child[at]->text;
    struct sql_type *r = arena_new_of(e->x->a, struct sql_type);
    *r = *t;
    const struct sql_type **part = t->kind == TY_ARRAY && str_ieq(word, STR("element")) ? &r->elem
                                   : t->kind == TY_MAP && str_ieq(word, STR("key"))     ? &r->key
                                   : t->kind == TY_MAP && str_ieq(word, STR("value"))   ? &r->elem
                                                                                        : NULL;
    if (!part) return no_struct(e);
    if (at + 1 < e->path->n)
        TRY(edit_type(e, *part, at + 1, part));
    else if (e->on_type)
        TRY(e->on_type(e, part));
    else
        return no_column(e);
    if ((*part)->kind != TY_STRUCT)
        e->inner = e->inner.n ? str_of(arena_printf(e->x->a, "%.*s.%.*s", STR_ARG(word), STR_ARG(e->inner))) : word;
    *ret = r;
    return NULL;
}

static err *edit_type(struct edit *e, const struct sql_type *t, uint32_t at, const struct sql_type **ret) {
    if (t->kind == TY_ARRAY || t->kind == TY_MAP) return edit_part(e, t, at, ret);
    if (t->kind != TY_STRUCT) return no_struct(e);
    struct sql_type *r = arena_new_of(e->x->a, struct sql_type);
    struct fields f = {arena_array_of(e->x->a, struct sql_field, t->n + 2), t->n};
    memcpy(f.p, t->fields, t->n * sizeof(*f.p));
    ptrdiff_t i = dml_column(t->fields, t->n, e->path->child[at]->text);
    if (i < 0) return no_column(e);
    if (at + 1 == e->path->n) {
        TRY(e->on_field(e, &f, (size_t)i));
    } else {
        const struct sql_type *inner = f.p[i].type;
        TRY(edit_type(e, inner, at + 1, &f.p[i].type));
        if (e->from && inner->kind != TY_STRUCT && e->inner.n) f.p[i].metadata = dml_put_change(e->x, f.p[i].metadata, e->inner, e->from, e->to), e->from = NULL;
    }
    *r = *t;
    r->fields = f.p, r->n = f.n;
    *ret = r;
    return NULL;
}

static err *edit_schema(struct edit *e) {
    struct dml_x *x = e->x;
    struct sql_type all = {.kind = TY_STRUCT, .fields = x->cols, .n = x->n};
    const struct sql_type *changed;
    TRY(dml_plain_name(x, &e->path));
    TRY(edit_type(e, &all, 0, &changed));
    return dml_set_schema(x, changed->fields, changed->n);
}

/* ---- what else speaks of a column ---- */

/* Does the expression name the column, what lies in it, or what it lies in? */
static bool names_column(const struct ast *n, const struct ast *path) {
    if (!n) return false;
    if (n->kind == AST_COLUMN && n->n && n->child[0]->kind == AST_NAME) {
        const struct ast *name = n->child[0];
        uint32_t common = name->n < path->n ? name->n : path->n, i = 0;
        while (i < common && str_ieq(name->child[i]->text, path->child[i]->text)) i++;
        return i == common;
    }
    for (uint32_t i = 0; i < n->n; i++)
        if (names_column(n->child[i], path)) return true;
    for (uint32_t i = 0; i < n->n_slots; i++)
        if (names_column(n->slot[i].node, path)) return true;
    return false;
}

bool dml_names_column(const struct ast *expr, const struct ast *path) { return names_column(expr, path); }

static bool text_names_column(struct dml_x *x, str text, const struct ast *path) {
    struct ast *expr;
    err *e = text.n ? sql_parse_expr(x->a, text, &expr) : NULL;
    if (!text.n || e) {
        err_free(e);
        return false;
    }
    return names_column(expr, path);
}

/* A column that a check or a generated column is made of keeps its name and type. */
static err *no_dependents(struct dml_x *x, const struct ast *path) {
    buf column = {0}, of = {0};
    for (uint32_t i = 0; i < path->n; i++) buf_fmt(&column, "%s%.*s", i ? "." : "", STR_ARG(path->child[i]->text));
    const char *name = dml_z(x, dml_take(x, &column));
    for (size_t i = 0; i < x->metadata->config.n; i++) {
        const struct delta_pair *p = &x->metadata->config.p[i];
        if (str_starts(p->key, STR("delta.constraints.")) && text_names_column(x, p->value, path))
            buf_fmt(&of, "%s%.*s -> %.*s", of.n ? "\n" : "", STR_ARG(p->key), STR_ARG(p->value));
    }
    if (of.n)
        return dml_error("DELTA_CONSTRAINT_DEPENDENT_COLUMN_CHANGE", "operation", "alter", "columnName", name, "constraints", dml_z(x, dml_take(x, &of)), NULL);
    for (size_t i = 0; i < x->n; i++) {
        str made = dml_is_generated(&x->cols[i]) ? dml_field_meta(x->a, &x->cols[i], "delta.generationExpression") : STR_NONE;
        if (text_names_column(x, made, path)) buf_fmt(&of, "%s%.*s -> %.*s", of.n ? "\n" : "", STR_ARG(x->cols[i].name), STR_ARG(made));
    }
    if (!of.n) return NULL;
    return dml_error("DELTA_GENERATED_COLUMNS_DEPENDENT_COLUMN_CHANGE", "operation", "alter", "columnName", name, "generatedColumns", dml_z(x, dml_take(x, &of)), NULL);
}

/* ---- columns ---- */

static void move_to(struct fields *f, size_t from, size_t to) {
    struct sql_field moved = f->p[from];
    memmove(&f->p[from], &f->p[from + 1], (f->n - from - 1) * sizeof(*f->p));
    if (to > from) to--;
    memmove(&f->p[to + 1], &f->p[to], (f->n - 1 - to) * sizeof(*f->p));
    f->p[to] = moved;
}

static err *place(struct edit *e, struct fields *f, size_t i) {
    const struct ast *after = ast_get(e->what, SLOT_AFTER);
    if (ast_has(e->what, AST_F_FIRST)) {
        move_to(f, i, 0);
    } else if (after) {
        ptrdiff_t k = dml_column(f->p, f->n, after->text);
        if (k < 0) return no_column(e);
        move_to(f, i, (size_t)k + 1);
    }
    return NULL;
}

static err *append(struct edit *e, struct fields *f) {
    struct sql_field fresh;
    TRY(dml_column_of(e->x, e->what, &fresh));
    if (dml_column(f->p, f->n, fresh.name) >= 0) {
        if (ast_has(e->what, AST_F_IF_NOT_EXISTS)) return NULL;
        return sql_error("FIELD_ALREADY_EXISTS", e->what, e->x->d->text, "op", "add", "fieldNames", arena_printf(e->x->a, "`%.*s`", STR_ARG(fresh.name)),
                         "struct", dml_z(e->x, e->x->full_name), NULL);
    }
    if (!fresh.nullable) return dml_error("DELTA_OPERATION_NOT_ALLOWED", "operation", "ADD COLUMNS with NOT NULL", NULL);
    if (ast_get(e->what, SLOT_DEFAULT)) return dml_error("WRONG_COLUMN_DEFAULTS_FOR_DELTA_ALTER_TABLE_ADD_COLUMN_NOT_SUPPORTED", NULL);
    f->p[f->n++] = fresh;
    return place(e, f, f->n - 1);
}

static err *append_to_struct(struct edit *e, const struct sql_type **type) {
    if ((*type)->kind != TY_STRUCT) return no_struct(e);
    struct sql_type *t = arena_new_of(e->x->a, struct sql_type);
    *t = **type;
    struct fields inner = {arena_array_of(e->x->a, struct sql_field, t->n + 2), t->n};
    memcpy(inner.p, t->fields, t->n * sizeof(*inner.p));
    TRY(append(e, &inner));
    t->fields = inner.p, t->n = inner.n;
    *type = t;
    return NULL;
}

static err *append_below(struct edit *e, struct fields *f, size_t i) { return append_to_struct(e, &f->p[i].type); }

static err *add_columns(struct dml_x *x, const struct ast *s) {
    const struct ast *list = ast_get(s, SLOT_COLUMNS);
    TRY(dml_take_policies(x, list, NULL));
    for (uint32_t i = 0; i < list->n; i++) {
        const struct ast *def = list->child[i], *name = ast_get(def, SLOT_NAME);
        struct edit e = {.x = x, .what = def};
        if (name && name->n > 1) {
            struct ast *parent = ast_new(x->a, AST_NAME, name->pos, name->end);
            for (uint32_t k = 0; k + 1 < name->n; k++) ast_add(x->a, parent, name->child[k]);
            e.path = parent, e.on_field = append_below, e.on_type = append_to_struct;
            TRY(edit_schema(&e));
            continue;
        }
        struct fields f = {arena_array_of(x->a, struct sql_field, x->n + 2), x->n};
        struct ast *self = ast_new(x->a, AST_NAME, def->pos, def->end);
        ast_add(x->a, self, ast_text(x->a, AST_IDENT, def->text));
        e.path = self;
        memcpy(f.p, x->cols, x->n * sizeof(*f.p));
        TRY(append(&e, &f));
        TRY(dml_set_schema(x, f.p, f.n));
    }
    return dml_set_features(x);
}

static err *need_mapping(struct dml_x *x, const char *cls) {
    if (!str_eqz(delta_mapping_mode(x->metadata), "none")) return NULL;
    return dml_error(cls, "advice", "Set its property delta.columnMapping.mode to 'name' first.", NULL);
}

static bool is_clustering(struct dml_x *x, const struct sql_field *f) {
    const struct delta_domain *d = delta_domain_of(x->t->snap, STR("delta.clustering"));
    jval *v, *path;
    size_t i, n;
    if (!d) return false;
    err *bad = json_parse(x->a, d->config, false, &v);
    if (bad) {
        err_free(bad);
        return false;
    }
    yyjson_arr_foreach(json_get(v, "clusteringColumns"), i, n, path)
        if (str_eq(json_str(yyjson_arr_get(path, 0)), scan_physical(x->a, f))) return true;
    return false;
}

static err *drop_field(struct edit *e, struct fields *f, size_t i) {
    if (e->path->n == 1 && dml_is_partition(e->x->metadata, f->p[i].name))
        return dml_error("DELTA_UNSUPPORTED_DROP_PARTITION_COLUMN", "columnList", dml_z(e->x, f->p[i].name), NULL);
    if (e->path->n == 1 && is_clustering(e->x, &f->p[i])) return dml_error("DELTA_UNSUPPORTED_DROP_CLUSTERING_COLUMN", "columnList", dml_z(e->x, f->p[i].name), NULL);
    if (f->n == 1) return dml_error("DELTA_DROP_COLUMN_ON_SINGLE_FIELD_SCHEMA", "schema", "", NULL);
    memmove(&f->p[i], &f->p[i + 1], (f->n - i - 1) * sizeof(*f->p));
    f->n--;
    return NULL;
}

static err *drop_columns(struct dml_x *x, const struct ast *s) {
    TRY(need_mapping(x, "DELTA_UNSUPPORTED_DROP_COLUMN"));
    const struct ast *list = ast_get(s, SLOT_COLUMNS);
    TRY(dml_take_policies(x, list, NULL));
    for (uint32_t i = 0; i < list->n; i++) {
        struct edit e = {.x = x, .path = list->child[i], .on_field = drop_field, .what = s};
        TRY(no_dependents(x, e.path));
        err *bad = edit_schema(&e);
        if (bad && ast_has(s, AST_F_IF_EXISTS)) err_free(bad), bad = NULL;
        if (bad) return bad;
    }
    return NULL;
}

static err *rename_field(struct edit *e, struct fields *f, size_t i) {
    str name = ast_get(e->what, SLOT_NEWNAME)->text;
    ptrdiff_t other = dml_column(f->p, f->n, name);
    if (other >= 0 && other != (ptrdiff_t)i)
        return sql_error("FIELD_ALREADY_EXISTS", e->what, e->x->d->text, "op", "rename", "fieldNames", arena_printf(e->x->a, "`%.*s`", STR_ARG(name)), "struct",
                         dml_z(e->x, e->x->full_name), NULL);
    f->p[i].name = name;
    return NULL;
}

static err *rename_column(struct dml_x *x, const struct ast *s) {
    const struct ast *path = ast_get(s, SLOT_COLUMN);
    TRY(need_mapping(x, "DELTA_UNSUPPORTED_RENAME_COLUMN"));
    struct edit e = {.x = x, .path = path, .on_field = rename_field, .what = s};
    TRY(no_dependents(x, path));
    TRY(edit_schema(&e));
    if (path->n != 1) return NULL;
    struct delta_metadata *m = dml_change_metadata(x);
    str *parts = arena_array_of(x->a, str, m->n_partitions + 1);
    for (size_t i = 0; i < m->n_partitions; i++)
        parts[i] = str_ieq(m->partitions[i], path->child[0]->text) ? ast_get(s, SLOT_NEWNAME)->text : m->partitions[i];
    m->partitions = parts;
    return NULL;
}

/* ---- one column ---- */

static err *widen(struct edit *e, const struct sql_type **t) {
    const struct sql_type *to;
    TRY(sql_type_of_ast(e->x->a, ast_get(e->what, SLOT_TYPE), &to));
    if (sql_type_eq(*t, to)) return NULL;
    bool text = sql_is_text(*t) && sql_is_text(to) && (to->kind == TY_STRING || ((*t)->kind != TY_STRING && to->length >= (*t)->length && to->kind == TY_VARCHAR));
    bool on = str_ieq(delta_map_get(&e->x->metadata->config, STR("delta.enableTypeWidening")), STR("true"));
    if (!text && (!on || !dml_widens(*t, to))) {
        buf from = {0}, target = {0}, path = {0};
        sql_type_write_sql(*t, &from);
        sql_type_write_sql(to, &target);
        for (uint32_t i = 0; i < e->path->n; i++) buf_fmt(&path, "%s%.*s", i ? "." : "", STR_ARG(e->path->child[i]->text));
        bool up = sql_is_numeric(*t) && sql_is_numeric(to) && to->kind > (*t)->kind;
        bool lossy = !up && !dml_widens(*t, to) && (!sql_is_text(to) || sql_is_text(*t));
        return dml_error(lossy ? "NOT_SUPPORTED_CHANGE_COLUMN" : "DELTA_UNSUPPORTED_ALTER_TABLE_CHANGE_COL_OP", "fieldPath", dml_z(e->x, dml_take(e->x, &path)), "oldField",
                         dml_z(e->x, dml_take(e->x, &from)), "newField", dml_z(e->x, dml_take(e->x, &target)), NULL);
    }
    if (!text) TRY(no_dependents(e->x, e->path));
    if (!text) e->from = *t, e->to = to;
    *t = to;
    return NULL;
}

static err *widen_field(struct edit *e, struct fields *f, size_t i) {
    TRY(widen(e, &f->p[i].type));
    if (e->from) f->p[i].metadata = dml_put_change(e->x, f->p[i].metadata, STR(""), e->from, e->to), e->from = NULL;
    return NULL;
}

static err *check_no_nulls(struct edit *e, str column) {
    buf q = {0};
    struct scan_files_ask all = {.files = e->x->t->snap->files, .n = e->x->t->snap->n_files};
    buf_z(&q, "SELECT CAST(count(*) AS VARCHAR) FROM (");
    TRY(scan_emit_files(e->x->t, &all, &q));
    buf_z(&q, ") n WHERE ");
    scan_quote_ident(column, &q);
    buf_z(&q, " IS NULL");
    struct scan_rows rows;
    TRY(scan_query(e->x->d->con, e->x->a, dml_take(e->x, &q), &rows));
    if (str_eqz(rows.cell[0], "0")) return NULL;
    return dml_error("DELTA_NEW_NOT_NULL_VIOLATION", "numRows", dml_z(e->x, rows.cell[0]), "tableName", dml_z(e->x, e->x->full_name), "colName",
                     dml_z(e->x, column), NULL);
}

static err *simple_change(struct edit *e, struct fields *f, size_t i) {
    struct sql_field *c = &f->p[i];
    const struct ast *w = e->what;
    if (str_eqz(w->text, "comment")) {
        c->comment = ast_get(w, SLOT_COMMENT)->text;
        c->metadata = dml_set_meta(e->x, c->metadata, "comment", c->comment);
    } else if (str_eqz(w->text, "position")) {
        return place(e, f, i);
    } else if (str_eqz(w->text, "set_not_null")) {
        if (e->path->n == 1) TRY(check_no_nulls(e, c->name));
        c->nullable = false;
    } else if (str_eqz(w->text, "drop_not_null")) {
        c->nullable = true;
    } else if (str_eqz(w->text, "set_default")) {
        TRY(dml_need_defaults(e->x, "ALTER TABLE"));
        const struct ast *d = ast_get(w, SLOT_DEFAULT);
        str text = e->x->d->text;
        TRY(dml_check_default(e->x, "ALTER TABLE", c->name, d->end <= text.n ? str_n(text.p + d->pos, d->end - d->pos) : STR("NULL"), d));
        TRY(dml_check_default_type(e->x, c, d));
        c->metadata = dml_set_meta(e->x, c->metadata, "CURRENT_DEFAULT", d->end <= text.n ? str_n(text.p + d->pos, d->end - d->pos) : STR("NULL"));
    } else if (str_eqz(w->text, "drop_default")) {
        c->metadata = dml_set_meta(e->x, c->metadata, "CURRENT_DEFAULT", STR_NONE);
    }
    return NULL;
}

/* SYNC IDENTITY: the mark becomes the farthest value that the table holds. */
static err *sync_identity(struct edit *e, struct fields *f, size_t i) {
    struct dml_x *x = e->x;
    int64_t step = 1, best;
    str text = dml_field_meta(x->a, &f->p[i], "delta.identity.step");
    if (!text.p) return dml_error("DELTA_IDENTITY_COLUMNS_ALTER_NON_IDENTITY_COLUMN", NULL);
    (void)str_to_i64(text, &step);
    buf q = {0};
    struct scan_files_ask all = {.files = x->t->snap->files, .n = x->t->snap->n_files};
    buf_fmt(&q, "SELECT CAST(%s(", step < 0 ? "min" : "max");
    scan_quote_ident(f->p[i].name, &q);
    buf_z(&q, ") AS VARCHAR) FROM (");
    TRY(scan_emit_files(x->t, &all, &q));
    buf_z(&q, ") s");
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, dml_take(x, &q), &rows));
    if (!rows.cell[0].p || !str_to_i64(rows.cell[0], &best)) return NULL;
    jval *v;
    TRY(json_parse(x->a, f->p[i].metadata, false, &v));
    jdoc *d = json_doc(x->a);
    jmut *o = yyjson_val_mut_copy(d, v);
    yyjson_mut_obj_remove_key(o, "delta.identity.highWaterMark");
    json_put_int(d, o, "delta.identity.highWaterMark", best);
    f->p[i].metadata = json_text(x->a, o);
    return NULL;
}

static err *change_hive(struct edit *e, struct fields *f, size_t i) {
    const struct ast *def = ast_get(e->what, SLOT_COLUMNS);
    struct sql_field fresh;
    TRY(dml_column_of(e->x, def, &fresh));
    if (!str_ieq(fresh.name, f->p[i].name)) TRY(need_mapping(e->x, "DELTA_UNSUPPORTED_RENAME_COLUMN"));
    if (!sql_type_eq(fresh.type, f->p[i].type)) {
        e->what = def;
        TRY(widen_field(e, f, i));
    }
    f->p[i].name = fresh.name;
    if (ast_get(def, SLOT_COMMENT)) f->p[i].comment = fresh.comment, f->p[i].metadata = dml_set_meta(e->x, f->p[i].metadata, "comment", fresh.comment);
    e->what = def;
    return place(e, f, i);
}

static err *alter_columns(struct dml_x *x, const struct ast *s) {
    for (uint32_t i = 0; i < s->n; i++) {
        const struct ast *w = s->child[i];
        struct edit e = {.x = x, .path = ast_get(w, SLOT_NAME), .what = w, .on_field = simple_change};
        if (str_eqz(w->text, "type")) e.on_field = widen_field, e.on_type = widen;
        if (str_eqz(w->text, "sync_identity")) e.on_field = sync_identity;
        if (str_eqz(w->text, "change")) e.on_field = change_hive;
        TRY(edit_schema(&e));
    }
    return dml_set_features(x);
}

/* ---- REPLACE COLUMNS ---- */

static err *no_replace(struct dml_x *x, const char *reason) {
    return dml_error("DELTA_UNSUPPORTED_ALTER_TABLE_REPLACE_COL_OP", "details", reason, "oldSchema", dml_z(x, x->t->snap->metadata.schema), "newSchema", "", NULL);
}

static err *replaced_fields(struct dml_x *x, const struct sql_type *old, const struct sql_type *fresh, struct sql_type *ret);

static err *replaced_type(struct dml_x *x, const struct sql_type *old, const struct sql_type *fresh, const struct sql_type **ret) {
    *ret = old;
    if (old->kind != fresh->kind || old->n + fresh->n + (old->elem ? 1 : 0) == 0) {
        if (sql_type_eq(old, fresh)) return NULL;
        *ret = fresh;
        return sql_is_text(old) && fresh->kind == TY_STRING ? NULL : no_replace(x, "the type of a column changes");
    }
    struct sql_type *t = arena_new_of(x->a, struct sql_type);
    *t = *fresh;
    *ret = t;
    if (old->kind == TY_STRUCT) return replaced_fields(x, old, fresh, t);
    if (old->key) TRY(replaced_type(x, old->key, fresh->key, &t->key));
    return replaced_type(x, old->elem, fresh->elem, &t->elem);
}

/* The new list's order and comments; what the old list knows of a column (its id, its default, …) stays with its name. */
static err *replaced_fields(struct dml_x *x, const struct sql_type *old, const struct sql_type *fresh, struct sql_type *ret) {
    struct sql_field *f = arena_array_of(x->a, struct sql_field, fresh->n + 1);
    size_t kept = 0;
    for (size_t i = 0; i < fresh->n; i++) {
        ptrdiff_t at = dml_column(old->fields, old->n, fresh->fields[i].name);
        f[i] = fresh->fields[i];
        if (dml_column(fresh->fields, i, f[i].name) >= 0)
            return sql_error("COLUMN_ALREADY_EXISTS", NULL, STR_NONE, "columnName", arena_printf(x->a, "`%.*s`", STR_ARG(f[i].name)), NULL);
        if (at < 0 && !f[i].nullable) return no_replace(x, "a column that is NOT NULL comes in");
        if (at < 0) continue;
        kept++;
        if (old->fields[at].nullable && !f[i].nullable) return no_replace(x, "a column becomes NOT NULL");
        f[i].metadata = old->fields[at].metadata;
        if (f[i].comment.p) f[i].metadata = dml_set_meta(x, f[i].metadata, "comment", f[i].comment);
        TRY(replaced_type(x, old->fields[at].type, fresh->fields[i].type, &f[i].type));
    }
    if (kept < old->n && str_eqz(delta_mapping_mode(x->metadata), "none")) return no_replace(x, "columns are dropped");
    ret->fields = f, ret->n = fresh->n;
    return NULL;
}

static err *replace_columns(struct dml_x *x, const struct ast *s) {
    const struct ast *list = ast_get(s, SLOT_COLUMNS);
    TRY(dml_take_policies(x, list, NULL));
    for (size_t i = 0; i < x->n; i++)
        if (dml_is_identity(&x->cols[i])) return dml_error("DELTA_IDENTITY_COLUMNS_REPLACE_COLUMN_NOT_SUPPORTED", NULL);
    struct sql_type old = {.kind = TY_STRUCT, .fields = x->cols, .n = x->n}, fresh = {.kind = TY_STRUCT}, all = {.kind = TY_STRUCT};
    struct sql_field *f = arena_array_of(x->a, struct sql_field, list->n + 1);
    for (uint32_t i = 0; i < list->n; i++) TRY(dml_column_of(x, list->child[i], &f[i]));
    fresh.fields = f, fresh.n = list->n;
    TRY(replaced_fields(x, &old, &fresh, &all));
    for (size_t i = 0; i < x->n; i++)
        if (dml_is_partition(x->metadata, x->cols[i].name) && dml_column(all.fields, all.n, x->cols[i].name) < 0)
            return dml_error("DELTA_UNSUPPORTED_DROP_PARTITION_COLUMN", "columnList", dml_z(x, x->cols[i].name), NULL);
    TRY(dml_set_schema(x, all.fields, all.n));
    return dml_set_features(x);
}

/* Masks and tags are the catalog's. */
static bool of_catalog(const struct ast *s) {
    for (uint32_t i = 0; i < s->n; i++)
        if (str_find(s->child[i]->text, STR("mask")) >= 0 || str_find(s->child[i]->text, STR("tags")) >= 0) return true;
    return false;
}

/* ---- properties, checks, clustering, features ---- */

static bool tracked(const struct delta_metadata *m) {
    return str_ieq(delta_map_get(&m->config, STR("delta.enableRowTracking")), STR("true"));
}

/* Row ids that begin now: every file is named once more, and the committer gives it a base. */
static void backfill(struct dml_x *x) {
    if (!tracked(x->metadata) || tracked(&x->t->snap->metadata)) return;
    x->data_change = false;
    x->read_all = true;
    for (size_t i = 0; i < x->t->snap->n_files; i++) {
        if (x->t->snap->files[i]->base_row_id >= 0) continue;
        struct delta_action *a = dml_action(x, DELTA_ADD);
        a->file = *x->t->snap->files[i];
        a->file.data_change = false;
    }
}

static err *set_properties(struct dml_x *x, const struct ast *s) {
    struct delta_metadata *m = dml_change_metadata(x);
    str before = delta_mapping_mode(m);
    const struct ast *list = ast_get(s, SLOT_PROPERTIES);
    for (uint32_t i = 0; list && i < list->n; i++)
        if (str_eqz(list->child[i]->text, "delta.feature.clustering") && !delta_has_feature(x->protocol, "clustering"))
            return dml_error("DELTA_ALTER_TABLE_SET_CLUSTERING_TABLE_FEATURE_NOT_ALLOWED", NULL);
    TRY(dml_table_properties(x, ast_get(s, SLOT_PROPERTIES), &m->config));
    str after = delta_mapping_mode(m);
    if (!str_eq(before, after) && !(str_eqz(before, "none") && str_eqz(after, "name")))
        return dml_error("DELTA_UNSUPPORTED_COLUMN_MAPPING_MODE_CHANGE", "oldMode", dml_z(x, before), "newMode", dml_z(x, after), NULL);
    if (!str_eq(before, after)) TRY(dml_set_schema(x, x->cols, x->n));
    TRY(dml_set_features(x));
    backfill(x);
    return NULL;
}

static err *unset_properties(struct dml_x *x, const struct ast *s) {
    struct delta_metadata *m = dml_change_metadata(x);
    const struct ast *list = ast_get(s, SLOT_PROPERTIES);
    for (uint32_t i = 0; i < list->n; i++) {
        str key = list->child[i]->text;
        if (!delta_map_has(&m->config, key) && !ast_has(s, AST_F_IF_EXISTS))
            return dml_error("UNSET_NONEXISTENT_PROPERTIES", "properties", dml_z(x, key), "table", dml_z(x, x->full_name), NULL);
        delta_map_del(&m->config, key);
    }
    return NULL;
}

static const struct delta_pair *check_of(const struct delta_metadata *m, str name) {
    for (size_t i = 0; i < m->config.n; i++)
        if (str_starts(m->config.p[i].key, STR("delta.constraints.")) && str_ieq(str_from(m->config.p[i].key, 18), name)) return &m->config.p[i];
    return NULL;
}

static err *add_check(struct dml_x *x, const struct ast *s) {
    const struct ast *list = ast_get(s, SLOT_CONSTRAINTS), *c = list && list->kind == AST_LIST ? list->child[0] : list, *expr = ast_get(c, SLOT_EXPR);
    struct delta_metadata *m = dml_change_metadata(x);
    const struct delta_pair *old = check_of(m, c->text);
    if (old) return dml_error("DELTA_CONSTRAINT_ALREADY_EXISTS", "constraintName", dml_z(x, c->text), "oldConstraint", dml_z(x, old->value), NULL);
    const struct sql_type *type;
    buf cond = {0}, q = {0};
    TRY(dml_kept_expr(x, expr, x->cols, x->n, NULL, &cond, &type));
    if (type->kind != TY_BOOLEAN) {
        buf_free(&cond);
        return dml_error("DELTA_NON_BOOLEAN_CHECK_CONSTRAINT", "name", dml_z(x, c->text), "expr", dml_z(x, str_n(x->d->text.p + expr->pos, expr->end - expr->pos)), NULL);
    }
    struct scan_files_ask all = {.files = x->t->snap->files, .n = x->t->snap->n_files};
    buf_z(&q, "SELECT CAST(count(*) AS VARCHAR) FROM (");
    TRY(scan_emit_files(x->t, &all, &q));
    buf_fmt(&q, ") c WHERE (%.*s) IS NOT TRUE", STR_ARG(buf_view(&cond)));
    buf_free(&cond);
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, dml_take(x, &q), &rows));
    str text = expr->end <= x->d->text.n ? sql_spaced(x->a, str_n(x->d->text.p + expr->pos, expr->end - expr->pos)) : STR("");
    if (!str_eqz(rows.cell[0], "0"))
        return dml_error("DELTA_NEW_CHECK_CONSTRAINT_VIOLATION", "numRows", dml_z(x, rows.cell[0]), "tableName", dml_z(x, x->full_name), "checkConstraint",
                         dml_z(x, text), NULL);
    delta_map_set(x->a, &m->config, str_of(arena_printf(x->a, "delta.constraints.%.*s", STR_ARG(c->text))), text, false);
    x->read_all = true;
    return dml_set_features(x);
}

static err *drop_check(struct dml_x *x, const struct ast *s) {
    struct delta_metadata *m = dml_change_metadata(x);
    const struct delta_pair *p = check_of(m, ast_get(s, SLOT_KEY)->text);
    if (p) delta_map_del(&m->config, p->key);
    return NULL;
}

static err *cluster_by(struct dml_x *x, const struct ast *s) {
    struct delta_protocol *p = arena_new_of(x->a, struct delta_protocol);
    *p = *x->protocol;
    x->protocol = p;
    if (x->metadata->n_partitions) return dml_error("DELTA_ALTER_TABLE_CLUSTER_BY_ON_PARTITIONED_TABLE_NOT_ALLOWED", NULL);
    const struct ast *by = ast_get(s, SLOT_CLUSTER);
    struct delta_metadata *m = dml_change_metadata(x);
    if (dml_cluster_auto(by)) {
        /* The platform may choose the columns; those that were chosen stay until it does. */
        delta_map_set(x->a, &m->config, STR(CLUSTER_BY_AUTO), STR("true"), false);
        return NULL;
    }
    delta_map_del(&m->config, STR(CLUSTER_BY_AUTO));
    return dml_cluster(x, by, p);
}

/* ---- COMMENT ON ---- */

static err *comment_field(struct edit *e, struct fields *f, size_t i) {
    const struct ast *text = ast_get(e->what, SLOT_COMMENT);
    f->p[i].comment = text ? text->text : STR_NONE;
    f->p[i].metadata = dml_set_meta(e->x, f->p[i].metadata, "comment", f->p[i].comment);
    return NULL;
}

static bool comments_table(const struct ast *s) {
    const struct ast *key = ast_get(s, SLOT_KEY);
    return str_eqz(s->text, "comment_on") && key && (str_ieq(key->text, STR("table")) || str_ieq(key->text, STR("column")));
}

static bool other_kind(const err *e, arena *a) {
    str cls = sql_error_class(e, a);
    return str_starts(cls, STR("EXPECT_TABLE_NOT_VIEW")) || str_starts(cls, STR("DELTA_TABLE_NOT_FOUND")) || str_starts(cls, STR("DELTA_PATH_DOES"));
}

/* Of a table or its column: into the log, and with the commit to the catalog. A view's is the catalog's alone. */
static err *comment_on(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    const struct ast *name = ast_get(s, SLOT_NAME), *text = ast_get(s, SLOT_COMMENT);
    bool column = str_ieq(ast_get(s, SLOT_KEY)->text, STR("column"));
    struct ast *table = ast_new(x->a, AST_NAME, name->pos, name->end), *path = ast_new(x->a, AST_NAME, name->pos, name->end);
    if (!ast_is(name, AST_NAME) || (column && name->n < 2)) return ret->elsewhere = true, NULL;
    for (uint32_t i = 0; i + (column ? 1 : 0) < name->n; i++) ast_add(x->a, table, name->child[i]);
    if (column) ast_add(x->a, path, name->child[name->n - 1]);
    dml_begin_commit(x, column ? "CHANGE COLUMN" : "SET TBLPROPERTIES");
    err *e = dml_open_target(x, table, "modify");
    if (e && other_kind(e, x->a)) {
        err_free(e);
        return ret->elsewhere = true, NULL;
    }
    if (e) return e;
    if (column) {
        struct edit edit = {.x = x, .path = path, .what = s, .on_field = comment_field};
        TRY(edit_schema(&edit));
    } else {
        dml_change_metadata(x)->description = text ? text->text : STR_NONE;
        x->no_comment = !text;
    }
    return dml_commit(x);
}

static const struct {
    const char *name, *operation;
    err *(*run)(struct dml_x *x, const struct ast *s);
} alters[] = {
    {"alter_table_add_columns", "ADD COLUMNS", add_columns},
    {"alter_table_drop_columns", "DROP COLUMNS", drop_columns},
    {"alter_table_rename_column", "RENAME COLUMN", rename_column},
    {"alter_table_alter_column", "CHANGE COLUMN", alter_columns},
    {"alter_table_replace_columns", "REPLACE COLUMNS", replace_columns},
    {"alter_table_set_properties", "SET TBLPROPERTIES", set_properties},
    {"alter_table_unset_properties", "UNSET TBLPROPERTIES", unset_properties},
    {"alter_table_add_constraint", "ADD CONSTRAINT", add_check},
    {"alter_table_drop_constraint", "DROP CONSTRAINT", drop_check},
    {"alter_table_cluster", "CLUSTER BY", cluster_by},
    {"alter_table_drop_feature", "DROP FEATURE", dml_drop_feature},
};

bool dml_alter_takes(const struct ast *s) {
    if (comments_table(s)) return true;
    if (str_eqz(s->text, "alter_table_alter_column")) return !of_catalog(s);
    if (str_eqz(s->text, "alter_table_add_constraint")) {
        const struct ast *list = ast_get(s, SLOT_CONSTRAINTS), *c = list && list->kind == AST_LIST ? (list->n ? list->child[0] : NULL) : list;
        return c && c->op == 'c';
    }
    for (size_t i = 0; i < ARRAY_LEN(alters); i++)
        if (str_eqz(s->text, alters[i].name)) return true;
    return false;
}

err *dml_alter(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    if (comments_table(s)) return comment_on(x, s, ret);
    for (size_t i = 0; i < ARRAY_LEN(alters); i++) {
        if (!str_eqz(s->text, alters[i].name)) continue;
        dml_begin_commit(x, alters[i].operation);
        /* Adding a check tells whether there are rows that fail it. */
        TRY(dml_open_target(x, ast_get(s, SLOT_NAME), alters[i].run == add_check ? "alter" : "modify"));
        /* A constraint that is no check is a key, which the catalog has. */
        if (alters[i].run == drop_check && !check_of(x->metadata, ast_get(s, SLOT_KEY)->text)) {
            *ret = (struct dml_result){.modified_rows = -1, .elsewhere = x->id.n > 0};
            if (ret->elsewhere || ast_has(s, AST_F_IF_EXISTS)) return NULL;
            return dml_error("DELTA_CONSTRAINT_DOES_NOT_EXIST", "constraintName", dml_z(x, ast_get(s, SLOT_KEY)->text), "tableName", dml_z(x, x->full_name),
                             "config", "spark.databricks.delta.constraints.assumesDropIfExists.enabled", "confValue", "true", NULL);
        }
        TRY(alters[i].run(x, s));
        return alters[i].run == drop_columns ? dml_commit_unless_empty(x) : dml_commit(x); /* IF EXISTS may have found none */
    }
    unreachable();
}
