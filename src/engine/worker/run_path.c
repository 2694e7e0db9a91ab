/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SET PATH: the schemas in which relations and functions without a qualifier are looked for, in order. The session keeps it as its
 * setting `path`: entries with a comma between, catalog.schema as current_path() shows them, or current_schema, which follows USE.
 * Without it names are looked for in the current schema. What is created or changed by a name without a qualifier is always the
 * current schema's.
 */
#include "engine/worker/run.h"
#include "sql/error.h"

#define CURRENT STR("current_schema")
#define SETTING STR("path")

static void put_part(buf *b, str part) {
    bool plain = part.n > 0;
    for (size_t i = 0; i < part.n; i++) {
        char c = part.p[i];
        plain &= c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
    }
    if (!plain) buf_c(b, '`');
    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] == '`') buf_c(b, '`');
        buf_c(b, part.p[i]);
    }
    if (!plain) buf_c(b, '`');
}

/* ---- SET ---- */

struct entries {
    str *p;
    size_t n;
};

static err *add(struct run *r, struct entries *e, str entry) {
    for (size_t i = 0; i < e->n; i++)
        if (str_ieq(e->p[i], entry)) return sql_error("DUPLICATE_SQL_PATH_ENTRY", NULL, r->text, "pathEntry", run_z(r, entry), NULL);
    if (e->n == 64) return sql_error("UNSUPPORTED_FEATURE.SQL", NULL, r->text, "what", "a PATH of more than 64 schemas", NULL);
    e->p[e->n++] = entry;
    return NULL;
}

static err *add_default(struct run *r, struct entries *e) {
    TRY(add(r, e, STR("system.builtin")));
    TRY(add(r, e, STR("system.session")));
    return add(r, e, CURRENT);
}

/* PATH: what it says now. */
static err *add_live(struct run *r, struct entries *e) {
    str value, entry;
    if (!r->n_path || !session_get(r->st->s, r->a, SETTING, &value)) return add_default(r, e);
    while (str_split(&value, ',', &entry)) TRY(add(r, e, entry));
    return NULL;
}

static err *add_name(struct run *r, struct entries *e, const struct ast *name) {
    str *parts;
    size_t n;
    TRY(run_name(r, name, &parts, &n));
    if (n == 1 && str_ieq(parts[0], STR("SYSTEM_PATH"))) return add(r, e, STR("system.builtin"));
    if (n == 1 && str_ieq(parts[0], STR("DEFAULT_PATH"))) return add_default(r, e);
    if (n == 1 && str_ieq(parts[0], STR("PATH"))) return add_live(r, e);
    if (n == 1 && (str_ieq(parts[0], CURRENT) || str_ieq(parts[0], STR("current_database")))) return add(r, e, CURRENT);
    buf b = {0};
    for (size_t i = 0; i < n; i++) {
        if (i) buf_c(&b, '.');
        put_part(&b, parts[i]);
    }
    str entry = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    if (n != 2) return sql_error("INVALID_SQL_PATH_SCHEMA_REFERENCE", name, r->text, "qualifiedName", run_z(r, entry), NULL);
    if (str_chr(parts[0], ',', 0) >= 0 || str_chr(parts[1], ',', 0) >= 0)
        return sql_error("INVALID_SQL_PATH_SCHEMA_REFERENCE", name, r->text, "qualifiedName", run_z(r, entry), NULL);
    return add(r, e, entry);
}

err *run_set_path(struct run *r, const struct ast *s) {
    const struct ast *names = ast_get(s, SLOT_NAMES);
    struct entries e = {arena_array_of(r->a, str, 64), 0};
    str *parts;
    size_t n;
    for (uint32_t i = 0; i < names->n; i++) TRY(add_name(r, &e, names->child[i]));
    TRY(run_name(r, names->child[0], &parts, &n));
    r->session_changed = true;
    if (names->n == 1 && n == 1 && str_ieq(parts[0], STR("DEFAULT_PATH"))) {
        (void)session_unset(r->st->s, SETTING);
        return NULL;
    }
    buf b = {0};
    for (size_t i = 0; i < e.n; i++) {
        if (i) buf_c(&b, ',');
        buf_str(&b, e.p[i]);
    }
    session_set(r->st->s, SETTING, buf_view(&b));
    buf_free(&b);
    return NULL;
}

/* ---- use ---- */

void run_path(struct run *r) {
    str value, entry;
    size_t n;
    r->n_path = 0;
    if (!session_get(r->st->s, r->a, SETTING, &value) || !value.n) return;
    buf shown = {0}, search = {0};
    r->path = arena_array_of(r->a, struct run_place, 64);
    while (str_split(&value, ',', &entry) && r->n_path < 64) {
        struct run_place *at = &r->path[r->n_path];
        struct ast *x = NULL;
        *at = (struct run_place){r->env.catalog, r->env.schema, false};
        if (!str_ieq(entry, CURRENT)) {
            str *parts;
            err *bad = sql_parse_expr(r->a, entry, &x);
            if (!bad && ast_is(x, AST_COLUMN)) bad = run_name(r, x->child[0], &parts, &n);
            bool good = !bad && ast_is(x, AST_COLUMN) && n == 2;
            err_free(bad);
            if (!good) continue;
            *at = (struct run_place){parts[0], parts[1], str_ieq(parts[0], STR("system")) && !str_ieq(parts[1], STR("information_schema"))};
        }
        if (r->n_path++) buf_c(&shown, ',');
        buf_fmt(&search, "%s`%.*s`.`%.*s`", search.n ? ", " : "[", STR_ARG(at->catalog), STR_ARG(at->schema));
        put_part(&shown, at->catalog);
        buf_c(&shown, '.');
        put_part(&shown, at->schema);
    }
    buf_z(&search, search.n ? "]" : "");
    r->env.path = arena_str(r->a, buf_view(&shown));
    r->env.search = str_of(arena_strndup(r->a, search.p ? search.p : "", search.n));
    buf_free(&shown);
    buf_free(&search);
}

bool run_in_body(const struct run *r) { return str_chr(r->env.catalog, SQL_MARK, 0) >= 0; }

bool run_by_path(const struct run *r, const struct ast *name) {
    return r->n_path && ast_is(name, AST_NAME) && name->n == 1 && !run_in_body(r);
}

struct ast *run_path_name(struct run *r, size_t i, const struct ast *name) {
    str parts[3] = {r->path[i].catalog, r->path[i].schema, name->child[0]->text};
    struct ast *n = ast_name(r->a, parts, 3);
    n->pos = name->pos, n->end = name->end;
    return n;
}
