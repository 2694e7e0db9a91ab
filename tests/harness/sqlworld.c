/* SPDX-License-Identifier: Apache-2.0 */
#include "harness/sqlworld.h"

#include "sql/error.h"

static struct sql_relation *table(arena *a, const char *name, const char *ddl) {
    struct sql_relation *r = arena_new_of(a, struct sql_relation);
    const struct sql_type *t;
    err *e = sql_type_parse(a, str_of(ddl), &t);
    must(!e);
    r->kind = REL_TABLE;
    r->catalog = STR("main");
    r->schema = STR("default");
    r->name = str_of(name);
    r->cols = t->fields;
    r->n = t->n;
    return r;
}

static struct sql_relation *find(arena *a, str name) {
    if (str_ieq(name, STR("t"))) return table(a, "t", "a INT NOT NULL, b STRING, d DECIMAL(15,2), s STRUCT<x: INT, y: STRING>, m MAP<STRING, INT>, ts TIMESTAMP, day DATE");
    if (str_ieq(name, STR("u"))) return table(a, "u", "a BIGINT, c DOUBLE");
    if (str_ieq(name, STR("f"))) {
        struct sql_relation *r = table(a, "f", "id INT, secret STRING");
        static const str masks[] = {{"", 0}, {"concat('x', secret)", 19}};
        r->row_filter = STR("id > 1");
        r->masks = masks;
        return r;
    }
    if (str_ieq(name, STR("v"))) {
        struct sql_relation *r = arena_new_of(a, struct sql_relation);
        r->kind = REL_VIEW;
        r->catalog = STR("main");
        r->schema = STR("default");
        r->name = STR("v");
        r->view_text = STR("SELECT a + 1 AS n FROM t");
        return r;
    }
    return NULL;
}

static err *resolve(struct sql_env *e, struct ast *const *names, struct ast *const *froms, size_t n, struct sql_relation **rels) {
    (void)froms;
    for (size_t i = 0; i < n; i++) rels[i] = find(e->a, names[i]->child[names[i]->n - 1]->text);
    return NULL;
}

static err *scan(struct sql_env *e, const struct sql_scan_ask *ask, buf *out) {
    (void)e;
    buf_fmt(out, "%.*s", STR_ARG(ask->rel->name));
    for (size_t i = 0; i < ask->n_prune; i++) buf_fmt(out, "{%zu%c%.*s}", ask->prune[i].column, ask->prune[i].op, STR_ARG(ask->prune[i].values[0]));
    return NULL;
}

static err *function(struct sql_env *e, const struct ast *name, const struct sql_function_def **ret) {
    *ret = NULL;
    if (!str_ieq(name->child[name->n - 1]->text, STR("twice"))) return NULL;
    struct sql_function_def *f = arena_new_of(e->a, struct sql_function_def);
    struct sql_field *p = arena_new_of(e->a, struct sql_field);
    p->name = STR("x");
    p->type = sql_type_of(TY_INT);
    *f = (struct sql_function_def){.catalog = STR("main"), .schema = STR("default"), .name = STR("twice"), .params = p, .n = 1,
                                   .returns = sql_type_of(TY_BIGINT), .body = STR("x * 2")};
    *ret = f;
    return NULL;
}

void sqlworld_env(arena *a, struct sql_env *e) {
    *e = (struct sql_env){.a = a, .catalog = STR("main"), .schema = STR("default"), .user = STR("ann"), .time_zone = STR("UTC"), .ansi = true,
                          .resolve = resolve, .scan = scan, .function = function};
}

const char *sqlworld_compile(arena *a, const char *text, struct sql_compiled *ret) {
    struct sql_env e;
    struct ast *q;
    sqlworld_env(a, &e);
    e.text = str_of(text);
    err *bad = sql_parse_query(a, str_of(text), &q);
    if (!bad) bad = sql_compile(&e, q, ret);
    if (!bad) return arena_strndup(a, ret->duckdb.p, ret->duckdb.n);
    str cls = sql_error_class(bad, a);
    const char *z = arena_strndup(a, cls.p ? cls.p : "", cls.n);
    err_free(bad);
    return z;
}
