/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares the dialect with recorded answers of Spark: value, type, column name, error class.
 *
 *   sqlcheck FILE.jsonl [--data DIR] [--only REGEX] [--verbose] [--min PERCENT]
 *   sqlcheck [--data DIR] -e 'SELECT …'        shows columns, types, DuckDB's text, rows
 *
 * A FILE that is not there ends it with 77 and a message: a test that needs the oracle is left out.
 *
 * --data: each DIR/name.parquet is a table. --only: of queries' names, functions or texts. --min: exit 1 below it.
 * Examples run in a child process; one that crashes or takes too long is counted as that, and the next child goes on
 * after it. Rows are compared as a bag, unless the example is ordered and has its rows in order.
 */
#include <errno.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/map.h"
#include "engine/worker/duck.h"
#include "engine/worker/show.h"
#include "engine/worker/zone.h"
#include "sql/error.h"
#include "sql/sql.h"

#define EXAMPLE_SECONDS 30
#define ROWS_SHOWN 6

enum verdict { V_EQUAL, V_VALUE, V_TYPE, V_NAME, V_COUNT, V_ERROR, V_UNEXPECTED, V_ENGINE, V_CRASH, V_TIME, V_SKIP, V_END };
static const char *const verdict_names[] = {"equal", "other values", "other types", "other names", "other columns", "an error of ours",
                                            "no or another error", "DuckDB refuses the text", "crash", "too slow", "left out"};

struct options { const char *file, *data, *only, *text; bool verbose; double min; };

struct world {
    duck *duck;
    duckdb_connection con;
    const char *data;
    arena *tables;              /* relations, kept for the run */
    struct sql_relation *rel[64];
    size_t n_rel;
    struct { str name, value; } set[16]; /* SET key=value, for the examples behind it */
    size_t n_set;
};

/* ---- tables from Parquet files ---- */

static const struct sql_type *type_of_duckdb(arena *a, duckdb_logical_type t) {
    switch (duckdb_get_type_id(t)) {
    case DUCKDB_TYPE_BOOLEAN: return sql_type_of(TY_BOOLEAN);
    case DUCKDB_TYPE_TINYINT: return sql_type_of(TY_TINYINT);
    case DUCKDB_TYPE_SMALLINT: return sql_type_of(TY_SMALLINT);
    case DUCKDB_TYPE_INTEGER: return sql_type_of(TY_INT);
    case DUCKDB_TYPE_BIGINT: return sql_type_of(TY_BIGINT);
    case DUCKDB_TYPE_FLOAT: return sql_type_of(TY_FLOAT);
    case DUCKDB_TYPE_DOUBLE: return sql_type_of(TY_DOUBLE);
    case DUCKDB_TYPE_DATE: return sql_type_of(TY_DATE);
    case DUCKDB_TYPE_TIMESTAMP: return sql_type_of(TY_TIMESTAMP_NTZ);
    case DUCKDB_TYPE_TIMESTAMP_TZ: return sql_type_of(TY_TIMESTAMP);
    case DUCKDB_TYPE_BLOB: return sql_type_of(TY_BINARY);
    case DUCKDB_TYPE_DECIMAL: return sql_decimal(a, duckdb_decimal_width(t), duckdb_decimal_scale(t));
    default: return sql_type_of(TY_STRING);
    }
}

static struct sql_relation *open_table(struct world *w, str name) {
    for (size_t i = 0; i < w->n_rel; i++)
        if (str_ieq(w->rel[i]->name, name)) return w->rel[i];
    char path[512];
    snprintf(path, sizeof(path), "%s/%.*s.parquet", w->data, STR_ARG(name));
    if (!w->data || access(path, R_OK) != 0 || w->n_rel == ARRAY_LEN(w->rel)) return NULL;
    arena *a = w->tables;
    duckdb_result r;
    char *sql = arena_printf(a, "SELECT * FROM read_parquet('%s') LIMIT 0", path);
    err *e = duck_run(w->con, sql, &r);
    if (e) {
        err_free(e);
        return NULL;
    }
    struct sql_relation *rel = arena_new_of(a, struct sql_relation);
    rel->kind = REL_TABLE;
    rel->name = arena_str(a, name);
    rel->catalog = STR("main");
    rel->schema = STR("default");
    rel->n = duckdb_column_count(&r);
    struct sql_field *f = arena_array_of(a, struct sql_field, rel->n);
    for (size_t i = 0; i < rel->n; i++) {
        duckdb_logical_type t = duckdb_column_logical_type(&r, i);
        f[i] = (struct sql_field){.name = arena_str(a, str_of(duckdb_column_name(&r, i))), .type = type_of_duckdb(a, t), .nullable = true};
        duckdb_destroy_logical_type(&t);
    }
    rel->cols = f;
    rel->scan = arena_strdup(a, path);
    duckdb_destroy_result(&r);
    w->rel[w->n_rel++] = rel;
    return rel;
}

static err *resolve(struct sql_env *e, struct ast *const *names, struct ast *const *froms, size_t n, struct sql_relation **rels) {
    (void)froms;
    for (size_t i = 0; i < n; i++) rels[i] = names[i]->n ? open_table(e->arg, names[i]->child[names[i]->n - 1]->text) : NULL;
    return NULL;
}

static err *scan(struct sql_env *e, const struct sql_scan_ask *ask, buf *out) {
    (void)e;
    size_t n = 0;
    buf_z(out, "(SELECT ");
    for (size_t i = 0; i < ask->rel->n; i++) {
        if (!ask->used[i]) continue;
        if (n++) buf_c(out, ',');
        buf_fmt(out, "\"%.*s\"", STR_ARG(ask->rel->cols[i].name));
    }
    buf_fmt(out, "%s FROM read_parquet('%s'))", n ? "" : "1", (const char *)ask->rel->scan);
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
static bool setting(struct sql_env *e, str name, str *ret) {
    struct world *w = e->arg;
    for (size_t i = 0; i < w->n_set; i++)
        if (str_ieq(w->set[i].name, name)) {
            *ret = w->set[i].value;
            return true;
        }
    return false;
}
static err *no_files(struct sql_env *e, const struct ast *call, struct sql_relation **ret) {
    (void)e, (void)call;
    *ret = NULL;
    return NULL;
}
static bool no_group(struct sql_env *e, str group, bool account) {
    (void)e, (void)group, (void)account;
    return false;
}

static str zone_of(const struct world *w) {
    for (size_t i = 0; i < w->n_set; i++)
        if (str_ieq(w->set[i].name, STR("spark.sql.session.timeZone"))) return w->set[i].value;
    return STR("UTC");
}

static bool world_clock(struct sql_env *e, str name, bool to_instant, int64_t us, int64_t *ret) {
    const struct zone *z = zone_get(name.n ? name : e->time_zone);
    if (z) *ret = to_instant ? zone_to_utc(z, us) : zone_to_local(z, us);
    return z != NULL;
}

static struct sql_env env_of(struct world *w, arena *a) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct sql_env){.arg = w, .a = a, .catalog = STR("spark_catalog"), .schema = STR("default"), .user = STR("user"),
                            .time_zone = zone_of(w), .ansi = true, .now_us = now.tv_sec * 1000000ll + now.tv_nsec / 1000,
                            .resolve = resolve, .function = no_function, .variable = no_variable, .setting = setting,
                            .scan = scan, .files = no_files, .in_group = no_group, .clock = world_clock};
}

/* ---- one query ---- */

struct answer {
    struct sql_compiled q;
    char **rows;
    size_t n_rows;
    err *error;
    bool engine; /* DuckDB made the error, and no class of ours */
};

/* SET key=value: kept, and answered as the pair. */
static err *set_one(struct sql_env *env, const struct ast *n, struct sql_compiled *ret) {
    struct world *w = env->arg;
    const struct ast *v = ast_get(n, SLOT_VALUE);
    if (!v || w->n_set == ARRAY_LEN(w->set)) return err_new(ERR_INTERNAL_ERROR, "SET of no value, or of too many");
    size_t i = 0;
    while (i < w->n_set && !str_ieq(w->set[i].name, n->text)) i++;
    w->set[i].name = arena_str(w->tables, n->text);
    w->set[i].value = arena_str(w->tables, v->text);
    if (i == w->n_set) w->n_set++;
    struct ast *query;
    TRY(sql_parse_query(env->a, str_of(arena_printf(env->a, "SELECT '%.*s' AS key, '%.*s' AS value", STR_ARG(n->text), STR_ARG(v->text))), &query));
    return sql_compile(env, query, ret);
}

static err *compile(struct sql_env *env, str text, struct sql_compiled *ret) {
    struct ast **stmts;
    size_t n;
    str escaped = STR_NONE;
    setting(env, STR("spark.sql.parser.escapedStringLiterals"), &escaped);
    TRY(sql_parse_as(env->a, text, str_eqz(escaped, "true"), &stmts, &n));
    if (n == 1 && stmts[0]->kind == AST_S_SET) return set_one(env, stmts[0], ret);
    if (n != 1) return err_new(ERR_INTERNAL_ERROR, "%zu statements", n);
    if (stmts[0]->kind != AST_S_QUERY && stmts[0]->kind != AST_QUERY)
        return err_new(ERR_INTERNAL_ERROR, "not a query: %s", ast_kind_name(stmts[0]->kind));
    return sql_compile(env, stmts[0], ret);
}

static void fetch(const struct world *w, struct answer *ans, arena *a, duckdb_result *r) {
    struct show **show = arena_array_of(a, struct show *, ans->q.n ? ans->q.n : 1);
    for (size_t i = 0; i < ans->q.n; i++) show[i] = show_new(a, ans->q.cols[i].type, SHOW_HIVE, zone_get(zone_of(w)));
    size_t cap = 0;
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(*r));) {
        for (size_t i = 0; i < ans->q.n; i++) show_bind(show[i], duckdb_data_chunk_get_vector(chunk, i), duckdb_data_chunk_get_size(chunk));
        idx_t rows = duckdb_data_chunk_get_size(chunk);
        for (idx_t row = 0; row < rows; row++) {
            buf line = {0};
            for (size_t i = 0; i < ans->q.n; i++) {
                if (i) buf_c(&line, '\t');
                if (!show_value(show[i], row, &line)) buf_z(&line, "NULL");
            }
            if (ans->n_rows == cap) {
                char **bigger = arena_array_of(a, char *, cap = cap ? cap * 2 : 64);
                if (ans->n_rows) memcpy(bigger, ans->rows, sizeof(char *) * ans->n_rows);
                ans->rows = bigger;
            }
            ans->rows[ans->n_rows++] = arena_strndup(a, line.p ? line.p : "", line.n);
            buf_free(&line);
        }
        duckdb_destroy_data_chunk(&chunk);
    }
}

static void ask(struct world *w, arena *a, str text, struct answer *ans) {
    struct sql_env env = env_of(w, a);
    *ans = (struct answer){0};
    if ((ans->error = compile(&env, text, &ans->q))) return;
    duckdb_result r;
    char *sql = arena_strndup(a, ans->q.duckdb.p, ans->q.duckdb.n);
    if (duckdb_query(w->con, sql, &r) != DuckDBSuccess) {
        const char *why = duckdb_result_error(&r);
        ans->error = sql_error_of_duckdb(why ? why : "");
        str cls = sql_error_class(ans->error, a);
        ans->engine = cls.n == 0 || str_eqz(cls, "INTERNAL_ERROR");
        if (ans->engine) err_detail(ans->error, "%s\n    %s", why ? why : "", sql);
        duckdb_destroy_result(&r);
        return;
    }
    if (ans->q.n && duckdb_column_count(&r) != ans->q.n) ans->error = err_new(ERR_INTERNAL_ERROR, "DuckDB gives another number of columns");
    else fetch(w, ans, a, &r);
    duckdb_destroy_result(&r);
}

/* ---- comparing ---- */

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Rows of the example: strings, or lists of strings. */
static char **expected_rows(arena *a, jval *rows, size_t *ret_n) {
    size_t n = yyjson_arr_size(rows), k = 0, i, max, j, max2;
    char **out = arena_array_of(a, char *, n + 1);
    jval *row, *cell;
    yyjson_arr_foreach(rows, i, max, row) {
        buf b = {0};
        if (yyjson_is_str(row)) buf_str(&b, json_str(row));
        else yyjson_arr_foreach(row, j, max2, cell) {
            if (j) buf_c(&b, '\t');
            buf_str(&b, json_str(cell));
        }
        out[k++] = arena_strndup(a, b.p ? b.p : "", b.n);
        buf_free(&b);
    }
    *ret_n = k;
    return out;
}

static enum verdict compare_rows(jval *ex, arena *a, struct answer *ans, buf *why) {
    jval *in_order = json_get(ex, "rows_in_order");
    bool ordered = yyjson_is_true(json_get(ex, "ordered"));
    size_t n;
    char **want = expected_rows(a, ordered && in_order ? in_order : json_get(ex, "rows"), &n);
    /* A query's order leaves ties open, so a bag that agrees is what counts. */
    qsort(want, n, sizeof(*want), by_text);
    if (ans->n_rows) qsort(ans->rows, ans->n_rows, sizeof(*ans->rows), by_text);
    bool same = n == ans->n_rows;
    for (size_t i = 0; same && i < n; i++) same = strcmp(want[i], ans->rows[i]) == 0;
    if (same) return V_EQUAL;
    buf_fmt(why, "want %zu rows, got %zu", n, ans->n_rows);
    size_t shown = 0;
    for (size_t i = 0, j = 0; (i < n || j < ans->n_rows) && shown < ROWS_SHOWN;) {
        int cmp = i == n ? 1 : j == ans->n_rows ? -1 : strcmp(want[i], ans->rows[j]);
        if (cmp <= 0) {
            if (cmp < 0) buf_fmt(why, "\n    - %.300s", want[i]), shown++;
            i++;
        }
        if (cmp >= 0) {
            if (cmp > 0) buf_fmt(why, "\n    + %.300s", ans->rows[j]), shown++;
            j++;
        }
    }
    return V_VALUE;
}

/* Has the error each of these parameters? */
static enum verdict compare_params(arena *a, jval *want, const err *e, buf *why) {
    jval *root = NULL, *k, *v;
    size_t i, n;
    if (!yyjson_is_obj(want)) return V_EQUAL;
    err *bad = json_parse(a, str_of(err_detail_of(e)), false, &root);
    err_free(bad);
    jval *params = json_get(root, "params");
    yyjson_obj_foreach(want, i, n, k, v) {
        str name = str_n(yyjson_get_str(k), yyjson_get_len(k)), got = json_get_str(params, yyjson_get_str(k));
        if (got.p && str_eq(got, json_str(v))) continue;
        buf_fmt(why, "want %.*s %.*s, got %.*s", STR_ARG(name), STR_ARG(json_str(v)), STR_ARG(got));
        return V_UNEXPECTED;
    }
    return V_EQUAL;
}

static enum verdict compare(jval *ex, arena *a, struct answer *ans, buf *why) {
    jval *error = json_get(ex, "error"), *columns = json_get(ex, "columns");
    if (yyjson_is_obj(error)) {
        str want = json_get_str(error, "class");
        str got = ans->error ? sql_error_class(ans->error, a) : STR("no error");
        if (str_eq(want, got)) return compare_params(a, json_get(error, "params"), ans->error, why);
        buf_fmt(why, "want error %.*s, got %.*s %s", STR_ARG(want), STR_ARG(got), ans->error ? err_msg(ans->error) : "");
        return V_UNEXPECTED;
    }
    if (ans->error) {
        buf_z(why, err_msg(ans->error));
        if (err_detail_of(ans->error) && ans->engine) buf_fmt(why, "\n    %s", err_detail_of(ans->error));
        return ans->engine ? V_ENGINE : V_ERROR;
    }
    if (yyjson_arr_size(columns) != ans->q.n) {
        buf_fmt(why, "want %zu columns, got %zu", yyjson_arr_size(columns), ans->q.n);
        return V_COUNT;
    }
    enum verdict v = compare_rows(ex, a, ans, why);
    for (size_t i = 0; v == V_EQUAL && i < ans->q.n; i++) {
        str want = json_str(yyjson_arr_get(yyjson_arr_get(columns, i), 1));
        buf got = {0};
        sql_type_write(ans->q.cols[i].type, &got);
        if (!str_eq(want, buf_view(&got))) {
            buf_fmt(why, "want type %.*s, got %.*s", STR_ARG(want), STR_ARG(buf_view(&got)));
            v = V_TYPE;
        }
        buf_free(&got);
    }
    for (size_t i = 0; v == V_EQUAL && i < ans->q.n; i++) {
        str want = json_str(yyjson_arr_get(yyjson_arr_get(columns, i), 0));
        if (str_eq(want, ans->q.cols[i].name)) continue;
        buf_fmt(why, "want name %.*s\n    got       %.*s", STR_ARG(want), STR_ARG(ans->q.cols[i].name));
        v = V_NAME;
    }
    return v;
}

static err *open_world(struct world *w, const struct options *o) {
    *w = (struct world){.data = o->data, .tables = arena_new()};
    const char *roots[] = {o->data};
    TRY(duck_open(&(struct duck_options){.threads = 1, .roots = roots, .n_roots = o->data ? 1 : 0}, &w->duck));
    return duck_connect(w->duck, &w->con);
}

static void close_world(struct world *w) {
    if (w->con) duckdb_disconnect(&w->con);
    duck_close(w->duck);
    arena_free(w->tables);
}

/* ---- the run ---- */

struct note { size_t example; enum verdict verdict; uint32_t n; };

static void child(const struct options *o, jval **examples, size_t from, size_t n, int fd) {
    struct world w;
    err *e = open_world(&w, o);
    if (e) {
        fprintf(stderr, "sqlcheck: %s\n", err_msg(e));
        _exit(3);
    }
    for (size_t i = from; i < n; i++) {
        arena *a = arena_new();
        struct answer ans;
        buf why = {.max = 20000};
        ask(&w, a, json_get_str(examples[i], "sql"), &ans);
        struct note note = {i, compare(examples[i], a, &ans, &why), 0};
        note.n = (uint32_t)why.n;
        if (write(fd, &note, sizeof(note)) != sizeof(note) || (why.n && write(fd, why.p, why.n) != (ssize_t)why.n)) _exit(4);
        err_free(ans.error);
        buf_free(&why);
        arena_free(a);
    }
    close_world(&w);
    _exit(0);
}

struct run { size_t counts[V_END]; const struct options *o; jval **examples; };

static str name_of(jval *ex) {
    str s = json_get_str(ex, "function");
    return s.n ? s : json_get_str(ex, "query");
}

static void report(struct run *r, size_t i, enum verdict v, str why) {
    r->counts[v]++;
    if (v == V_EQUAL && !r->o->verbose) return;
    str sql = json_get_str(r->examples[i], "sql");
    printf("%-20s %.*s: %.*s\n", verdict_names[v], STR_ARG(name_of(r->examples[i])), (int)(sql.n > 400 ? 400 : sql.n), sql.p);
    if (why.n) printf("    %.*s\n", STR_ARG(why));
}

static bool read_all(int fd, void *p, size_t n, bool *late) {
    for (size_t got = 0; got < n;) {
        struct pollfd pfd = {fd, POLLIN, 0};
        int rc = poll(&pfd, 1, EXAMPLE_SECONDS * 1000);
        if (rc == 0) {
            *late = true;
            return false;
        }
        ssize_t k = read(fd, (char *)p + got, n - got);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return false;
        got += (size_t)k;
    }
    return true;
}

static void run_all(struct run *r, size_t n) {
    static char why[20001];
    for (size_t at = 0; at < n;) {
        int fds[2];
        if (pipe(fds) != 0) exit(3);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0) {
            close(fds[0]);
            child(r->o, r->examples, at, n, fds[1]);
        }
        close(fds[1]);
        struct note note;
        bool late = false;
        while (at < n && read_all(fds[0], &note, sizeof(note), &late) && note.n < sizeof(why) && read_all(fds[0], why, note.n, &late)) {
            report(r, at, note.verdict, str_n(why, note.n));
            at++;
        }
        close(fds[0]);
        if (late) kill(pid, SIGKILL);
        int status;
        waitpid(pid, &status, 0);
        if (at < n) {
            char text[60];
            snprintf(text, sizeof(text), WIFSIGNALED(status) ? "signal %d" : "exit %d", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            if (WIFEXITED(status) && WEXITSTATUS(status) == 3) exit(3);
            report(r, at++, late ? V_TIME : V_CRASH, str_of(text));
        }
    }
}

static jval **load(arena *a, const struct options *o, struct run *r, size_t *ret_n) {
    FILE *f = fopen(o->file, "rb");
    regex_t re;
    if (!f) {
        fprintf(stderr, "sqlcheck: %s: %s\n", o->file, strerror(errno));
        exit(errno == ENOENT ? 77 : 3);
    }
    if (o->only && regcomp(&re, o->only, REG_EXTENDED | REG_NOSUB) != 0) {
        fprintf(stderr, "sqlcheck: --only is no regular expression\n");
        exit(3);
    }
    jval **list = arena_array_of(a, jval *, 20000);
    char *line = NULL;
    size_t cap = 0, n = 0;
    for (ssize_t len; n < 20000 && (len = getline(&line, &cap, f)) > 0;) {
        jval *v;
        err *e = json_parse(a, str_of(arena_strndup(a, line, (size_t)len)), false, &v);
        if (e || !json_get(v, "sql")) {
            err_free(e);
            continue;
        }
        if (json_get(v, "deterministic") && !yyjson_is_true(json_get(v, "deterministic"))) continue;
        char *name = arena_printf(a, "%.*s %.*s", STR_ARG(name_of(v)), STR_ARG(json_get_str(v, "sql")));
        if (o->only && regexec(&re, name, 0, NULL, 0) != 0) {
            r->counts[V_SKIP]++;
            continue;
        }
        list[n++] = v;
    }
    free(line);
    fclose(f);
    if (o->only) regfree(&re);
    *ret_n = n;
    return list;
}

static int show_one(const struct options *o) {
    struct world w;
    err *e = open_world(&w, o);
    if (e) {
        fprintf(stderr, "sqlcheck: %s\n", err_msg(e));
        return 3;
    }
    arena *a = arena_new();
    struct answer ans;
    ask(&w, a, str_of(o->text), &ans);
    if (ans.q.duckdb.n) printf("duckdb: %.*s\n", STR_ARG(ans.q.duckdb));
    for (size_t i = 0; i < ans.q.n; i++) {
        buf t = {0};
        sql_type_write(ans.q.cols[i].type, &t);
        printf("column: %.*s  %.*s%s\n", STR_ARG(ans.q.cols[i].name), STR_ARG(buf_view(&t)), ans.q.cols[i].nullable ? "" : " not null");
        buf_free(&t);
    }
    for (size_t i = 0; i < ans.n_rows; i++) printf("%s\n", ans.rows[i]);
    int rc = 0;
    if (ans.error) {
        printf("error: %s\n%s\n", err_msg(ans.error), err_detail_of(ans.error) ? err_detail_of(ans.error) : "");
        err_free(ans.error);
        rc = 1;
    }
    arena_free(a);
    close_world(&w);
    return rc;
}

static bool read_options(int argc, char **argv, struct options *o) {
    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--verbose") == 0) o->verbose = true;
        else if (argv[i][0] != '-') o->file = argv[i];
        else if (!next) return false;
        else if (strcmp(argv[i], "--data") == 0) o->data = argv[++i];
        else if (strcmp(argv[i], "--only") == 0) o->only = argv[++i];
        else if (strcmp(argv[i], "--min") == 0) o->min = strtod(argv[++i], NULL);
        else if (strcmp(argv[i], "-e") == 0) o->text = argv[++i];
        else return false;
    }
    return o->file || o->text;
}

int main(int argc, char **argv) {
    struct options o = {0};
    if (!read_options(argc, argv, &o)) {
        fprintf(stderr, "usage: sqlcheck FILE.jsonl [--data DIR] [--only REGEX] [--verbose] [--min PERCENT] | [--data DIR] -e TEXT\n");
        return 2;
    }
    map_seed((const unsigned char[16]){0});
    if (o.text) return show_one(&o);
    arena *a = arena_new();
    struct run r = {.o = &o};
    size_t n;
    r.examples = load(a, &o, &r, &n);
    run_all(&r, n);
    printf("\n%zu examples\n", n);
    for (int v = 0; v < V_END; v++)
        if (r.counts[v]) printf("%6zu  %s\n", r.counts[v], verdict_names[v]);
    double share = n ? 100.0 * (double)r.counts[V_EQUAL] / (double)n : 0;
    printf("%5.1f %% equal\n", share);
    arena_free(a);
    if (share < o.min) {
        printf("below %.1f %%\n", o.min);
        return 1;
    }
    return 0;
}
