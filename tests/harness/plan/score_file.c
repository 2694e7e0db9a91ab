/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imports an exported model and scores a file of rows: the C half of the golden tests.
 *
 *   score_file EXPORT_DIR ROWS NUMBERS TEXTS OUT
 *
 * EXPORT_DIR has export.json and the files that it names (python/boathouse_export). NUMBERS is a raw
 * file of ROWS × numeric columns doubles; TEXTS a JSON list of ROWS × text columns strings or nulls
 * ("-" for either if there are none). Writes OUT.plan, OUT.json (the predictions as MLflow would
 * write them) and, if they are values, OUT.f64. Exit 2: the import was refused, its reason on stdout.
 * Exit 3: scoring was refused. Exit 1: the test is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "plan/import.h"
#include "plan/scorer.h"

static void die(const char *what, err *e) {
    fprintf(stderr, "score_file: %s%s%s\n", what, e ? ": " : "", e ? err_msg(e) : "");
    err_free(e);
    exit(1);
}

static int refused(err *e, int status) {
    printf("%s: %s\n", err_name(err_code_of(e)), err_msg(e));
    err_free(e);
    return status;
}

static str read_file(arena *a, const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) die(path, NULL);
    fseek(f, 0, SEEK_END);
    long n = ftell(f);
    rewind(f);
    char *p = arena_alloc(a, (size_t)n + 1);
    if (fread(p, 1, (size_t)n, f) != (size_t)n) die(path, NULL);
    fclose(f);
    return str_n(p, (size_t)n);
}

static void write_file(const char *out, const char *suffix, const void *p, size_t n) {
    char path[4096];
    snprintf(path, sizeof(path), "%s.%s", out, suffix);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) die(path, NULL);
}

static err *import_dir(arena *a, const char *dir, buf *plan) {
    jval *root, *v;
    size_t i, max;
    struct import_meta meta;
    err *e = json_parse(a, read_file(a, arena_printf(a, "%s/export.json", dir)), true, &root);
    if (e) die("export.json", e);
    jval *names = json_get(root, "files");
    struct import_file *files = arena_array_of(a, struct import_file, yyjson_arr_size(names) + 1);
    struct import_files list = {files, yyjson_arr_size(names)};
    yyjson_arr_foreach(names, i, max, v) {
        files[i].name = json_str(v);
        files[i].bytes = read_file(a, arena_printf(a, "%s/%.*s", dir, STR_ARG(files[i].name)));
    }
    TRY(import_meta_read(a, root, &meta));
    return import_model(a, json_get_str(root, "kind"), &list, &meta, plan);
}

static const str *read_texts(arena *a, const char *path, size_t want) {
    jval *root, *v;
    size_t i, max;
    err *e = json_parse(a, read_file(a, path), false, &root);
    if (e) die(path, e);
    if (yyjson_arr_size(root) != want) die("texts have another number of cells", NULL);
    str *cells = arena_array_of(a, str, want + 1);
    yyjson_arr_foreach(root, i, max, v) cells[i] = json_str(v);
    return cells;
}

int main(int argc, char **argv) {
    if (argc != 6) die("usage: score_file EXPORT_DIR ROWS NUMBERS TEXTS OUT", NULL);
    arena *a = arena_new();
    buf block = {0}, json = {0};
    err *e = import_dir(a, argv[1], &block);
    if (e) {
        buf_free(&block);
        arena_free(a);
        return refused(e, 2);
    }
    write_file(argv[5], "plan", block.p, block.n);
    const struct plan *p;
    if ((e = plan_check(buf_view(&block), &p))) die("check", e);

    struct plan_batch in = {.n = strtoul(argv[2], NULL, 10)};
    if (strcmp(argv[3], "-") != 0) {
        str raw = read_file(a, argv[3]);
        if (raw.n != in.n * plan_num_width(p) * sizeof(double)) die("numbers have another size", NULL);
        in.num = (const double *)(const void *)raw.p;
    } else if (plan_num_width(p) != 0) {
        die("the plan takes numbers", NULL);
    }
    if (strcmp(argv[4], "-") != 0)
        in.text = read_texts(a, argv[4], in.n * plan_text_width(p));
    else if (plan_text_width(p) != 0)
        die("the plan takes texts", NULL);

    struct plan_scratch *s = plan_scratch_new();
    struct plan_output out;
    e = plan_predict(p, s, &in, &out);
    int status = 0;
    if (e) {
        status = refused(e, 3);
    } else {
        plan_write_predictions(&out, &json);
        write_file(argv[5], "json", json.p, json.n);
        if (out.values) write_file(argv[5], "f64", out.values, out.n * out.k * sizeof(double));
    }
    plan_scratch_free(s);
    buf_free(&json);
    buf_free(&block);
    arena_free(a);
    return status;
}
