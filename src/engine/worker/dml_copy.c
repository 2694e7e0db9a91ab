/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COPY INTO: files of a folder into a table, each once.
 *
 * What was loaded is told by the log itself: a txn action for each file, whose application is "copy-into:" and a digest of
 * the file's path, size and time. It travels with checkpoints and survives whoever wrote it; a file that changed is new.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/evp.h>

#include "engine/worker/dml_int.h"
#include "engine/worker/glob.h"
#include "engine/worker/remote.h"
#include "sys/clock.h"

static str load_key(struct dml_x *x, str path) {
    struct stat st = {0};
    (void)stat(dml_z(x, path), &st);
    char *text = arena_printf(x->a, "%.*s\n%lld\n%lld.%09ld", STR_ARG(remote_shown(path)), (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char *key = arena_alloc(x->a, 64);
    EVP_Digest(text, strlen(text), md, &n, EVP_sha256(), NULL);
    memcpy(key, "copy-into:", 10);
    for (unsigned i = 0; i < 20; i++) snprintf(key + 10 + 2 * i, 3, "%02x", md[i]);
    return str_of(key);
}

static bool loaded(const struct delta_snapshot *s, str key) {
    for (size_t i = 0; i < s->n_txns; i++)
        if (str_eq(s->txns[i].app, key)) return true;
    return false;
}

static str last_part(str path) {
    size_t i = path.n;
    while (i && path.p[i - 1] != '/') i--;
    return str_from(path, i);
}

/* The file's path below the folder; of the folder that is a file itself its name. */
static str below(str root, str path) {
    path = remote_shown(path);
    if (!str_starts(path, root) || path.n <= root.n + 1 || path.p[root.n] != '/') return last_part(path);
    return str_from(path, root.n + 1);
}

/* Part by part; a pattern of one part is for names. */
static bool fits(str pattern, str rest) {
    str want, part;
    if (str_chr(pattern, '/', 0) < 0) return glob_matches(pattern, last_part(rest));
    while (str_split(&pattern, '/', &want))
        if (!str_split(&rest, '/', &part) || !glob_matches(want, part)) return false;
    return !rest.n;
}

static bool chosen(const struct ast *s, str root, str path) {
    const struct ast *files = ast_get(s, SLOT_FILES), *pattern = ast_get(s, SLOT_PATTERN);
    str rest = below(root, path);
    bool listed = !files;
    for (uint32_t i = 0; files && i < files->n; i++) listed |= str_eq(files->child[i]->text, rest);
    return listed && (!pattern || fits(pattern->text, rest));
}

static str option(const struct delta_map *m, const char *name) {
    for (size_t i = 0; i < m->n; i++)
        if (str_ieq(m->p[i].key, str_of(name))) return m->p[i].value;
    return STR_NONE;
}

/* The FROM_TABLE that names the folder: alone, or inside (SELECT … FROM '…'). */
static struct ast *path_node(const struct ast *s) {
    struct ast *from = ast_get(s, SLOT_FROM);
    if (!from) {
        const struct ast *list = ast_get(ast_get(ast_get(s, SLOT_QUERY), SLOT_BODY), SLOT_FROM);
        from = list && list->n ? list->child[0] : NULL;
    }
    return ast_is(from, AST_FROM_TABLE) && ast_has(from, AST_F_PATH) ? from : NULL;
}

/* Files that are not loaded yet; their txn actions. */
static err *fresh_files(struct dml_x *x, const struct ast *s, str url, bool force, str **ret, size_t *ret_n) {
    str *all, root;
    size_t n;
    TRY(scan_path(x->d->scan, url, &root));
    TRY(scan_list(x->d->scan, url, "", &all, &n));
    *ret = arena_array_of(x->a, str, n + 1);
    *ret_n = 0;
    for (size_t i = 0; i < n; i++) {
        if (!chosen(s, root, all[i])) continue;
        str key = load_key(x, all[i]);
        if (!force && loaded(x->t->snap, key)) continue;
        struct delta_action *t = dml_action(x, DELTA_TXN);
        t->txn = (struct delta_txn){key, x->t->snap->version + 1, clock_now() / 1000};
        (*ret)[(*ret_n)++] = all[i];
    }
    return NULL;
}

static err *open_source(struct dml_x *x, const struct ast *s, const struct ast *from, str url, const struct delta_map *options) {
    const struct ast *format = ast_get(s, SLOT_FORMAT);
    struct scan_table *t;
    str f = format ? format->text : STR("parquet");
    if (str_ieq(f, STR("parquet")))
        TRY(scan_parquet_files(x->d->scan, url, &t));
    else
        TRY(scan_text_files(x->d->scan, f, url, NULL, options->p, options->n, &t));
    x->source_name = ast_get(from, SLOT_NAME);
    x->source = scan_relation(t);
    x->source->name = STR("_source");
    return NULL;
}

/* By name where the source has names; a CSV without a header goes by place. */
static err *columns_of(struct dml_x *x, const struct sql_compiled *c, bool by_place, bool merge, int **ret) {
    if (merge) TRY(dml_evolve(x, c->cols, c->n));
    int *of = arena_array_of(x->a, int, x->n + 1);
    for (size_t i = 0; i < x->n; i++) of[i] = by_place && i < c->n ? (int)i : -1;
    for (size_t k = 0; k < c->n && !by_place; k++) {
        ptrdiff_t at = dml_column(x->cols, x->n, c->cols[k].name);
        if (at < 0) return dml_error("COPY_INTO_SCHEMA_MISMATCH_WITH_TARGET_TABLE", "source", dml_z(x, c->cols[k].name), "table", dml_z(x, x->full_name), NULL);
        of[at] = (int)k;
    }
    *ret = of;
    return NULL;
}

/* CSV has texts and JSON's types are guesses: what the table has is cast to, as the reader with the table's schema would. */
static err *loose(struct dml_x *x, struct sql_compiled *c, const int *of) {
    buf q = {0};
    struct sql_column *cols = arena_array_of(x->a, struct sql_column, c->n + 1);
    memcpy(cols, c->cols, c->n * sizeof(*cols));
    buf_z(&q, "SELECT ");
    for (size_t k = 0; k < c->n; k++) {
        const struct sql_type *want = NULL;
        for (size_t i = 0; i < x->n; i++)
            if (of[i] == (int)k) want = x->cols[i].type;
        if (k) buf_z(&q, ", ");
        bool simple = want && want->kind != TY_STRUCT && want->kind != TY_ARRAY && want->kind != TY_MAP && want->kind != TY_VARIANT;
        if (simple && !sql_type_eq(want, c->cols[k].type)) {
            buf_fmt(&q, "CAST(c%zu AS ", k);
            sql_type_write_duckdb(want, &q);
            buf_fmt(&q, ") AS c%zu", k);
            cols[k].type = want;
        } else {
            buf_fmt(&q, "c%zu", k);
        }
    }
    buf_fmt(&q, " FROM (%.*s) l", STR_ARG(c->duckdb));
    c->duckdb = dml_take(x, &q);
    c->cols = cols;
    return NULL;
}

static err *copy(struct dml_x *x, const struct ast *s, struct ast *from, str url, const struct delta_map *options, const struct delta_map *settings) {
    struct ast *query = ast_get(s, SLOT_QUERY);
    bool csv = ast_get(s, SLOT_FORMAT) && str_ieq(ast_get(s, SLOT_FORMAT)->text, STR("csv"));
    bool by_place = ast_has(s, AST_F_SPECIAL) || (csv && !query && !str_ieq(option(options, "header"), STR("true")));
    TRY(open_source(x, s, from, url, options));
    if (!query) {
        struct ast *items = ast_new(x->a, AST_LIST, 0, 0);
        ast_add(x->a, items, ast_new(x->a, AST_STAR, 0, 0));
        query = dml_query(x->a, dml_select(x->a, items, dml_from(x, x->source_name, NULL, false), NULL));
    }
    struct sql_compiled c;
    int *of = NULL;
    TRY(sql_compile(&x->env, query, &c));
    TRY(columns_of(x, &c, by_place, str_ieq(option(settings, "mergeSchema"), STR("true")), &of));
    TRY(loose(x, &c, of));
    struct dml_source source = {.text = c.duckdb, .cols = c.cols, .n = c.n, .of = of};
    buf rows = {0};
    TRY(dml_project(x, &source, &rows));
    struct dml_write w = {.text = buf_view(&rows), .data_change = true};
    err *e = dml_write(x, &w);
    buf_free(&rows);
    if (e) return e;
    TRY(dml_identity_after(x, of));
    x->blind_append = true;
    x->parameters = STR("{\"mode\":\"Append\"}");
    dml_metric(x, "numFiles", x->files_written);
    dml_metric(x, "numOutputRows", x->rows_written);
    dml_metric(x, "numOutputBytes", x->bytes_written);
    return dml_commit(x);
}

err *dml_copy_into(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    static const char *const names[] = {"num_affected_rows", "num_inserted_rows", "num_skipped_corrupt_files"};
    struct ast *from = path_node(s);
    struct delta_map options = {0}, settings = {0};
    dml_begin_commit(x, "COPY INTO");
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), "modify"));
    if (!from) return sql_error("PARSE_SYNTAX_ERROR", s, x->d->text, "error", "'FROM'", "hint", ": a path is missing", NULL);
    const struct ast *name = ast_get(from, SLOT_NAME);
    str url = name->child[name->n - 1]->text, *fresh;
    size_t n;
    TRY(dml_properties(x, ast_get(s, SLOT_OPTIONS), &options));
    TRY(dml_properties(x, ast_get(s, SLOT_PROPERTIES), &settings));
    if (!option(&options, "inferSchema").p) delta_map_set(x->a, &options, STR("inferSchema"), STR("false"), false);
    if (x->d->scan->allow) TRY(x->d->scan->allow(x->d->scan->arg, url, false));
    TRY(fresh_files(x, s, url, str_ieq(option(&settings, "force"), STR("true")), &fresh, &n));
    if (n) {
        x->d->scan->only = fresh, x->d->scan->n_only = n;
        err *e = copy(x, s, from, url, &options, &settings);
        x->d->scan->only = NULL, x->d->scan->n_only = 0;
        if (e) return e;
    }
    int64_t counts[] = {x->rows_written, x->rows_written, 0};
    return dml_counts(x, names, counts, 3, ret);
}
