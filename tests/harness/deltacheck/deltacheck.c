/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deltacheck CORPUS [CASE…]: reads every table of a corpus at every version through src/delta and the engine's scan, and
 * compares with expected/vNNNNN.parquet as bags of rows. A line for each case: "ok case" or "FAIL case: why"; exit 1 if any failed.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delta/feature.h"
#include "engine/worker/duck.h"
#include "engine/worker/scan_int.h"
#include "engine/worker/show.h"
#include "engine/worker/zone.h"
#include "sql/error.h"
#include "sys/files.h"

static duckdb_connection con;
static struct scan_cache *cache;
static int failed;
static bool verbose;
static const char *corpus_dir;

static void complain(const char *name, const char *version, const char *why) {
    printf("FAIL %s%s%s: %s\n", name, *version ? " version " : "", version, why);
    failed++;
}

/* One of the types' comparable forms on both sides: variants as JSON text, structs by position. */
static void comparable(struct scan_conv *v, const struct sql_field *f, bool ours, buf *out) {
    buf ref = {0};
    scan_quote_ident(f->name, &ref);
    if (f->type->kind == TY_VOID)
        buf_fmt(out, "CAST(%.*s AS INTEGER)", STR_ARG(buf_view(&ref)));
    else if (ours && f->type->kind == TY_VARIANT)
        buf_fmt(out, "bh_variant_text(%.*s)", STR_ARG(buf_view(&ref)));
    else if (ours)
        scan_unconvert(v, buf_view(&ref), f->type, out);
    else
        buf_str(out, buf_view(&ref));
    buf_fmt(out, " AS c");
    buf_free(&ref);
}

/* -v: the text, and what each side has alone. */
static void show_sides(str ours, str theirs, arena *a) {
    printf("%.*s\n", STR_ARG(ours));
    for (int side = 0; side < 2; side++) {
        str sql = str_of(arena_printf(a, "SELECT CAST(x AS VARCHAR) FROM (SELECT * FROM (%.*s) EXCEPT ALL SELECT * FROM (%.*s)) x LIMIT 5",
                                      STR_ARG(side ? theirs : ours), STR_ARG(side ? ours : theirs)));
        struct scan_rows rows;
        err *e = scan_query(con, a, sql, &rows);
        for (size_t i = 0; !e && i < rows.rows; i++) printf("  only %s: %.*s\n", side ? "theirs" : "ours", STR_ARG(rows.cell[i]));
        err_free(e);
    }
}

/* Rows of one side that the other lacks, counted with repetition. */
static err *compare(struct scan_table *t, const char *expected, arena *a, str *ret) {
    buf ours = {0}, theirs = {0}, sql = {0};
    struct scan_conv v = {.a = a};
    struct scan_files_ask ask = {.files = t->snap->files, .n = t->snap->n_files};
    buf_z(&ours, "SELECT ");
    buf_z(&theirs, "SELECT ");
    for (size_t i = 0; i < t->n; i++) {
        if (i) buf_z(&ours, ", "), buf_z(&theirs, ", ");
        comparable(&v, &t->cols[i], true, &ours), buf_fmt(&ours, "%zu", i);
        comparable(&v, &t->cols[i], false, &theirs), buf_fmt(&theirs, "%zu", i);
    }
    buf_z(&ours, " FROM (");
    err *e = scan_emit_files(t, &ask, &ours);
    buf_z(&ours, ")");
    buf_z(&theirs, " FROM read_parquet(");
    scan_quote_text(str_of(expected), &theirs);
    buf_z(&theirs, ")");
    buf_fmt(&sql, "WITH o AS (%.*s), t AS (%.*s) SELECT CAST((SELECT count(*) FROM o) AS VARCHAR), CAST((SELECT count(*) FROM t) AS VARCHAR), "
            "CAST((SELECT count(*) FROM (SELECT * FROM o EXCEPT ALL SELECT * FROM t)) AS VARCHAR), "
            "CAST((SELECT count(*) FROM (SELECT * FROM t EXCEPT ALL SELECT * FROM o)) AS VARCHAR)",
            STR_ARG(buf_view(&ours)), STR_ARG(buf_view(&theirs)));
    if (verbose) show_sides(buf_view(&ours), buf_view(&theirs), a);
    struct scan_rows rows;
    if (!e) e = scan_query(con, a, buf_view(&sql), &rows);
    if (!e) {
        *ret = STR_NONE;
        if (!str_eq(rows.cell[0], rows.cell[1]) || !str_eqz(rows.cell[2], "0") || !str_eqz(rows.cell[3], "0"))
            *ret = str_of(arena_printf(a, "%.*s rows of ours, %.*s expected; only ours %.*s, only theirs %.*s", STR_ARG(rows.cell[0]),
                                       STR_ARG(rows.cell[1]), STR_ARG(rows.cell[2]), STR_ARG(rows.cell[3])));
    }
    buf_free(&ours), buf_free(&theirs), buf_free(&sql);
    return e;
}

static void check_version(const char *name, const char *dir, const char *version, jval *want) {
    arena *a = arena_new();
    struct scan_ctx ctx = {.a = a, .con = con, .cache = cache, .spill = str_of(corpus_dir)};
    struct scan_table *t;
    struct scan_at at = {atoi(version), INT64_MIN};
    str path = str_of(arena_printf(a, "%s/delta", dir)), error = json_get_str(want, "error"), diff = STR_NONE;
    err *e = scan_table_open(&ctx, path, path, at, -1, &t);
    if (!e) e = compare(t, arena_printf(a, "%s/expected/v%05d.parquet", dir, atoi(version)), a, &diff);
    if (error.n) {
        str cls = e ? sql_error_class(e, a) : STR("nothing");
        if (!str_eq(cls, error)) complain(name, version, arena_printf(a, "expected %.*s, got %.*s", STR_ARG(error), STR_ARG(cls)));
    } else if (e) {
        complain(name, version, err_msg(e));
    } else if (diff.n) {
        complain(name, version, diff.p);
    }
    err_free(e);
    scan_ctx_end(&ctx);
    arena_free(a);
}

static void check_case(const char *corpus, const char *name) {
    arena *a = arena_new();
    char *dir = arena_printf(a, "%s/%s", corpus, name);
    buf text = {0};
    jval *v;
    int before = failed;
    err *e = files_read(arena_printf(a, "%s/case.json", dir), 16u << 20, &text);
    if (!e) e = json_parse(a, buf_view(&text), false, &v);
    if (e) {
        complain(name, "", err_msg(e));
    } else {
        size_t i, max;
        jval *k, *x;
        yyjson_obj_foreach(json_get(v, "versions"), i, max, k, x) check_version(name, dir, yyjson_get_str(k), x);
    }
    if (failed == before) printf("ok %s\n", name);
    err_free(e);
    buf_free(&text);
    arena_free(a);
}

/* Variants as JSON text, to compare with the corpus. */
static void variant_text(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out) {
    (void)info;
    duckdb_vector v = duckdb_data_chunk_get_vector(in, 0);
    duckdb_string_t *s = duckdb_vector_get_data(v);
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(in); i++) {
        buf b = {0};
        uint64_t *valid = duckdb_vector_get_validity(v);
        if (valid && !duckdb_validity_row_is_valid(valid, i)) {
            duckdb_vector_ensure_validity_writable(out);
            duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), i);
        } else if (show_variant(str_n(duckdb_string_t_data(&s[i]), duckdb_string_t_length(s[i])), zone_utc(), &b))
            duckdb_vector_assign_string_element_len(out, i, b.p, b.n);
        buf_free(&b);
    }
}

static err *add_variant_text(void) {
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type blob = duckdb_create_logical_type(DUCKDB_TYPE_BLOB), text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
    duckdb_scalar_function_set_name(f, "bh_variant_text");
    duckdb_scalar_function_add_parameter(f, blob);
    duckdb_scalar_function_set_return_type(f, text);
    duckdb_scalar_function_set_function(f, variant_text);
    duckdb_state ok = duckdb_register_scalar_function(con, f);
    duckdb_destroy_scalar_function(&f);
    duckdb_destroy_logical_type(&blob), duckdb_destroy_logical_type(&text);
    return ok == DuckDBSuccess ? NULL : err_new(ERR_INTERNAL_ERROR, "bh_variant_text was refused");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "-v") == 0) verbose = true, argv++, argc--;
    if (argc < 2) return fprintf(stderr, "usage: deltacheck [-v] CORPUS [CASE...]\n"), 2;
    const char *roots[] = {corpus_dir = argv[1]};
    struct duck_options o = {.threads = 2, .roots = roots, .n_roots = 1};
    duck *d;
    err *e = duck_open(&o, &d);
    if (!e) e = duck_connect(d, &con);
    if (!e) e = scan_register(con);
    if (!e) e = add_variant_text();
    if (!e) e = scan_exec(con, STR("SET TimeZone='UTC'"));
    if (e) return fprintf(stderr, "deltacheck: %s\n", err_msg(e)), 2;
    cache = scan_cache_new(64u << 20);
    for (int i = 2; i < argc; i++) check_case(argv[1], argv[i]);
    struct files_names names;
    e = argc == 2 ? files_list(argv[1], 10000, &names) : NULL;
    for (size_t i = 0; argc == 2 && !e && i < names.n; i++)
        if (!strchr(names.p[i], '.')) check_case(argv[1], names.p[i]);
    if (argc == 2 && !e) files_names_free(&names);
    scan_cache_free(cache);
    duckdb_disconnect(&con);
    duck_close(d);
    return failed ? 1 : 0;
}
