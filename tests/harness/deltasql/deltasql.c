/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements over Delta tables in one process: the engine's parser, analyser, scans and changes, with control's answers made here
 * (a table's name is a folder below ROOT). Not a warehouse: no grants, no catalog.
 *
 *   deltasql ROOT run < SQL            statements separated by ';' at line ends; rows or the error's class are printed
 *   deltasql ROOT replay CORPUS [CASE…]   each case's steps into ROOT/<case>; what is read after each is compared
 *   deltasql ROOT serve                a line {"sql", "conf"} in, a line {"columns", "rows"} or {"error", "message"} out
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta/checkpoint.h"
#include "delta/commit.h"
#include "engine/worker/dml.h"
#include "engine/worker/duck.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"
#include "sys/clock.h"
#include "sys/files.h"

static duck *db;
static struct scan_cache *cache;
static const char *root;
static jval *conf;      /* of the statement */
static bool quiet;
static buf *answer;      /* "serve": columns and rows as JSON instead of lines */
static int failed;

struct world {
    struct sql_env env; /* first */
    arena *a;
    struct scan_ctx scan;
    duckdb_connection con;
};

/* ---- control's answers ---- */

static str folder_of(arena *a, str name) { return str_of(arena_printf(a, "%s/%.*s", root, STR_ARG(name))); }

static err *ask(void *arg, arena *a, str op, str json, jval **ret) {
    jval *o;
    (void)arg;
    TRY(json_parse(a, json, false, &o));
    buf b = {0};
    if (str_eqz(op, "resolve") || str_eqz(op, "stage_table")) {
        jval *first = str_eqz(op, "resolve") ? json_get(yyjson_arr_get(json_get(o, "names"), 0), "parts") : json_get(o, "parts");
        str name = json_str(yyjson_arr_get(first, yyjson_arr_size(first) - 1)), path = folder_of(a, name);
        bool there = files_exists(arena_printf(a, "%.*s/_delta_log", STR_ARG(path)));
        if (str_eqz(op, "stage_table"))
            buf_fmt(&b, "{\"id\":\"%.*s\",\"location\":\"%.*s\",\"url\":\"file://%.*s\",\"exists\":%s,\"full_name\":\"%.*s\"}", STR_ARG(name), STR_ARG(path),
                    STR_ARG(path), there ? "true" : "false", STR_ARG(name));
        else if (there)
            buf_fmt(&b, "{\"relations\":[{\"kind\":\"table\",\"id\":\"%.*s\",\"catalog\":\"c\",\"schema\":\"s\",\"name\":\"%.*s\",\"table\":{\"format\":\"delta\","
                    "\"location\":\"%.*s\",\"url\":\"file://%.*s\"}}]}", STR_ARG(name), STR_ARG(name), STR_ARG(path), STR_ARG(path));
        else
            buf_z(&b, "{\"relations\":[null]}");
    } else if (str_starts(op, STR("commit")) && !json_get(o, "register")) {
        struct delta_commit_ask k;
        struct delta_commit_answer got;
        struct delta_fs fs = delta_fs_dir(a, json_get_str(o, "path"));
        TRY(delta_commit_of_json(a, o, &k));
        TRY(delta_fs_mkdir(&fs, STR("_delta_log")));
        delta_committer *c = delta_committer_get(&fs);
        err *e = delta_commit(c, a, &k, &got);
        delta_committer_put(c);
        if (e) return e;
        buf_fmt(&b, "{\"version\":%lld}", (long long)got.version);
    } else if (str_eqz(op, "checkpoint")) {
        struct delta_fs fs = delta_fs_dir(a, json_get_str(o, "path"));
        TRY(delta_checkpoint_publish(&fs, a, o));
        buf_z(&b, "{}");
    } else {
        buf_z(&b, "{}");
    }
    err *e = json_parse(a, arena_str(a, buf_view(&b)), false, ret);
    buf_free(&b);
    return e;
}

static err *resolve(struct sql_env *e, struct ast *const *names, struct ast *const *froms, size_t n, struct sql_relation **rels) {
    struct world *w = e->arg;
    for (size_t i = 0; i < n; i++) {
        rels[i] = NULL;
        struct ast *from = froms ? froms[i] : NULL;
        if (ast_has(from, AST_F_PATH)) {
            TRY(scan_direct(&w->scan, e, from, &rels[i]));
            continue;
        }
        if (!ast_is(names[i], AST_NAME)) continue;
        str path = folder_of(w->a, names[i]->child[names[i]->n - 1]->text);
        if (!files_exists(arena_printf(w->a, "%.*s/_delta_log", STR_ARG(path)))) continue;
        struct scan_at at = {-1, INT64_MIN};
        struct scan_table *t;
        if (from) TRY(scan_at_of(&w->scan, e, from, &at));
        TRY(scan_table_open(&w->scan, path, path, at, -1, &t));
        rels[i] = scan_relation(t);
        rels[i]->name = names[i]->child[names[i]->n - 1]->text;
    }
    return NULL;
}

static err *no_function(struct sql_env *e, const struct ast *name, const struct sql_function_def **ret) {
    (void)e, (void)name;
    *ret = NULL;
    return NULL;
}
static bool no_variable(struct sql_env *e, const struct ast *name, struct sql_variable *ret) {
    (void)e, (void)name, (void)ret;
    return false;
}
static bool setting_of(str name, str *ret) {
    size_t i, max;
    jval *k, *v;
    if (!conf) return false;
    yyjson_obj_foreach(conf, i, max, k, v) if (str_ieq(json_str(k), name)) {
        *ret = json_str(v);
        return true;
    }
    return false;
}
static bool env_setting(struct sql_env *e, str name, str *ret) {
    (void)e;
    return setting_of(name, ret);
}
static bool dml_setting(void *arg, str name, str *ret) {
    (void)arg;
    return setting_of(name, ret);
}
static err *files(struct sql_env *e, const struct ast *call, struct sql_relation **ret) {
    return scan_files(&((struct world *)e->arg)->scan, e, call, ret);
}

/* ---- statements ---- */

static void put_answer(const struct sql_compiled *c, const struct scan_rows *rows) {
    buf_clear(answer);
    buf_z(answer, "{\"columns\":[");
    for (size_t i = 0; i < c->n; i++) {
        if (i) buf_c(answer, ',');
        buf_json_str(answer, c->cols[i].name);
    }
    buf_z(answer, "],\"rows\":[");
    for (size_t r = 0; r < rows->rows; r++) {
        buf_z(answer, r ? ",[" : "[");
        for (size_t i = 0; i < c->n; i++) {
            str cell = rows->cell[r * c->n + i];
            if (i) buf_c(answer, ',');
            if (cell.p)
                buf_json_str(answer, cell);
            else
                buf_z(answer, "null");
        }
        buf_c(answer, ']');
    }
    buf_z(answer, "]}");
}

/* cells: its one row, or NULL. */
static err *show(struct world *w, const struct sql_compiled *c, const str *cells) {
    struct scan_rows rows = {.rows = 1, .cols = c->n, .cell = (str *)(uintptr_t)cells};
    buf q = {0};
    if (!c->n) return NULL;
    buf_z(&q, "SELECT ");
    for (size_t i = 0; i < c->n; i++) buf_fmt(&q, "%sCAST(c%zu AS VARCHAR)", i ? ", " : "", i);
    buf_fmt(&q, " FROM (%.*s) x", STR_ARG(c->duckdb));
    err *e = cells ? NULL : scan_query(w->con, w->a, buf_view(&q), &rows);
    buf_free(&q);
    if (e || quiet) return e;
    if (answer) {
        put_answer(c, &rows);
        return NULL;
    }
    for (size_t i = 0; i < c->n; i++) printf("%s%.*s", i ? "\t" : "", STR_ARG(c->cols[i].name));
    printf("\n");
    for (size_t r = 0; r < rows.rows; r++)
        for (size_t i = 0; i < c->n; i++)
            printf("%.*s%s", STR_ARG(rows.cell[r * c->n + i].p ? rows.cell[r * c->n + i] : STR("NULL")), i + 1 < c->n ? "\t" : "\n");
    return NULL;
}

static err *one(struct world *w, struct ast *s, str text) {
    if (s->kind == AST_S_QUERY) {
        struct sql_compiled c;
        TRY(sql_compile(&w->env, s, &c));
        if (getenv("DELTASQL_TEXT")) printf("-- %.*s\n", STR_ARG(c.duckdb));
        return show(w, &c, NULL);
    }
    if (!dml_takes(s)) return err_new(ERR_NOT_IMPLEMENTED, "%s %.*s is not done here", ast_kind_name(s->kind), STR_ARG(s->text));
    struct dml d = {.env = &w->env, .scan = &w->scan, .con = w->con, .a = w->a, .text = text, .ask = ask, .setting = dml_setting};
    struct dml_result r;
    TRY(dml_run(&d, s, &r));
    return show(w, &r.rows, r.cells);
}

static err *run_text(str text) {
    arena *a = arena_new();
    struct world w = {.a = a};
    err *e = duck_connect(db, &w.con);
    if (e) return e;
    struct scan_root r = {str_of(arena_printf(a, "file://%s", root)), str_of(root), true};
    w.scan = (struct scan_ctx){.a = a, .con = w.con, .cache = cache, .roots = &r, .n_roots = 1, .spill = str_of(root)};
    w.env = (struct sql_env){.arg = &w, .a = a, .catalog = STR("c"), .schema = STR("s"), .user = STR("me"), .time_zone = STR("UTC"), .ansi = true,
                             .now_us = clock_now(), .resolve = resolve, .function = no_function, .variable = no_variable, .setting = env_setting,
                             .scan = scan_emit, .files = files};
    struct ast **list;
    size_t n;
    e = sql_parse(a, text, &list, &n);
    for (size_t i = 0; !e && i < n; i++) e = one(&w, list[i], text);
    scan_ctx_end(&w.scan);
    duckdb_disconnect(&w.con);
    arena_free(a);
    return e;
}

/* ---- replay ---- */

static str substitute(arena *a, str sql, const char *name, const char *path) {
    buf b = {0};
    for (size_t i = 0; i < sql.n; i++) {
        if (str_starts(str_from(sql, i), STR("{t}")))
            buf_z(&b, name), i += 2;
        else if (str_starts(str_from(sql, i), STR("{p}")))
            buf_z(&b, path), i += 2;
        else
            buf_c(&b, sql.p[i]);
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

static err *load(arena *a, const char *corpus, const char *name, jval **ret) {
    buf b = {0};
    err *e = files_read(arena_printf(a, "%s/%s/case.json", corpus, name), 16u << 20, &b);
    if (!e) e = json_parse(a, arena_str(a, buf_view(&b)), false, ret);
    buf_free(&b);
    return e;
}

static void replay(const char *corpus, const char *name) {
    arena *a = arena_new();
    jval *v = NULL, *step;
    size_t i, max;
    const char *path = arena_printf(a, "%s/%s", root, name);
    err *e = load(a, corpus, name, &v);
    if (!e) e = files_remove_tree(path, 1000000);
    quiet = true;
    yyjson_arr_foreach(json_get(v, "steps"), i, max, step) {
        if (e) break;
        conf = json_get(step, "conf");
        str sql = substitute(a, json_get_str(step, "sql"), name, path);
        e = run_text(sql);
        conf = NULL;
        if (e) printf("FAIL %s step %zu: %s\n     %.*s\n", name, i, err_msg(e), STR_ARG(str_cut(sql, 300)));
    }
    if (e)
        failed++;
    else
        printf("done %s\n", name);
    err_free(e);
    arena_free(a);
}

static void run_input(void) {
    buf b = {0};
    char block[65536];
    for (size_t n; (n = fread(block, 1, sizeof(block), stdin)) > 0;) buf_add(&b, block, n);
    str rest = buf_view(&b);
    while (rest.n) {
        ptrdiff_t end = str_find(rest, STR(";\n"));
        str one_text = end < 0 ? rest : str_cut(rest, (size_t)end);
        rest = end < 0 ? STR("") : str_from(rest, (size_t)end + 2);
        if (!str_trim(one_text).n) continue;
        err *e = run_text(one_text);
        if (e) printf("ERROR %s\n", err_msg(e));
        err_free(e);
    }
    buf_free(&b);
}

/* One line of "serve". */
static void serve_line(str line) {
    arena *a = arena_new();
    jval *v;
    buf out = {0};
    buf_z(&out, "{\"columns\":[],\"rows\":[]}");
    answer = &out;
    err *e = json_parse(a, line, false, &v);
    conf = e ? NULL : json_get(v, "conf");
    if (!e) e = run_text(json_get_str(v, "sql"));
    conf = NULL, answer = NULL;
    if (e) {
        buf_clear(&out);
        buf_z(&out, "{\"error\":");
        buf_json_str(&out, sql_error_class(e, a));
        buf_z(&out, ",\"message\":");
        buf_json_str(&out, str_of(err_msg(e)));
        buf_c(&out, '}');
    }
    printf("%.*s\n", STR_ARG(buf_view(&out)));
    fflush(stdout);
    err_free(e);
    buf_free(&out);
    arena_free(a);
}

static void serve(void) {
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t n; (n = getline(&line, &cap, stdin)) > 0;) serve_line(str_n(line, (size_t)n));
    free(line);
}

int main(int argc, char **argv) {
    if (argc < 3) return fprintf(stderr, "usage: deltasql ROOT run|serve|replay [CORPUS [CASE...]]\n"), 2;
    root = argv[1];
    const char *roots[] = {root, argc > 3 ? argv[3] : root};
    struct duck_options o = {.threads = 2, .roots = roots, .n_roots = 2};
    err *e = files_mkdirs(root, 0755);
    if (!e) e = duck_open(&o, &db);
    duckdb_connection first;
    if (!e) e = duck_connect(db, &first);
    if (!e) e = scan_register(first);
    if (e) return fprintf(stderr, "deltasql: %s\n", err_msg(e)), 2;
    cache = scan_cache_new(64u << 20);
    if (strcmp(argv[2], "run") == 0) {
        run_input();
    } else if (strcmp(argv[2], "serve") == 0) {
        serve();
    } else {
        for (int i = 4; i < argc; i++) replay(argv[3], argv[i]);
        struct files_names names;
        e = argc == 4 ? files_list(argv[3], 10000, &names) : NULL;
        for (size_t i = 0; argc == 4 && !e && i < names.n; i++)
            if (!strchr(names.p[i], '.')) replay(argv[3], names.p[i]);
        if (argc == 4 && !e) files_names_free(&names);
        err_free(e);
    }
    scan_cache_free(cache);
    duckdb_disconnect(&first);
    duck_close(db);
    return failed ? 1 : 0;
}
