/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Role importer: one order, one answer, then it ends. In the strict sandbox it reads what Python
 * exported (untrusted), makes a plan, and compares the plan's predictions with the Python model's on
 * the sample rows. Only a plan that agrees leaves.
 *
 * The order's descriptor is one memory file with all exported files; its JSON says where each lies:
 *   {"files":[{"name","offset","size"},…]}
 */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/tabular.h"
#include "ipc/chan.h"
#include "main/main.h"
#include "main/role.h"
#include "plan/import.h"
#include "plan/scorer.h"
#include "sys/files.h"

#define MAX_FILES 64
#define MAX_ORDER (1024u * 1024u)
/* Two neighbours of float32: 2^-23 relative. */
#define TOLERANCE 2.4e-7

struct work {
    arena *a;
    struct import_file files[MAX_FILES];
    size_t n;
    str bytes; /* the mapping */
    int plan_fd;
    buf facts;
};

static str file_named(const struct work *w, const char *name) {
    for (size_t i = 0; i < w->n; i++)
        if (str_eqz(w->files[i].name, name)) return w->files[i].bytes;
    return STR_NONE;
}

static err *read_order(struct work *w, str json, int fd) {
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) return err_new(ERR_BAD_REQUEST, "the order has no file");
    void *m = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (m == MAP_FAILED) return err_errno("cannot map the export");
    w->bytes = str_n(m, (size_t)st.st_size);
    jval *o, *v;
    TRY(json_parse(w->a, json, false, &o));
    size_t i, n;
    yyjson_arr_foreach(json_get(o, "files"), i, n, v) {
        int64_t at, size;
        if (i >= MAX_FILES || !json_i64(json_get(v, "offset"), &at) ||
            !json_i64(json_get(v, "size"), &size) || at < 0 || size < 0 ||
            (uint64_t)at > w->bytes.n || (uint64_t)size > w->bytes.n - (uint64_t)at)
            return err_new(ERR_BAD_REQUEST, "the order names bytes outside its file");
        w->files[w->n++] =
            (struct import_file){json_get_str(v, "name"), str_n(w->bytes.p + at, (size_t)size)};
    }
    return NULL;
}

/* The files that export.json lists, the model first. */
static err *make_plan(struct work *w, buf *plan) {
    str text = file_named(w, "export.json");
    jval *e, *v;
    if (!text.p) return err_new(ERR_BAD_REQUEST, "there is no export.json");
    TRY(json_parse(w->a, text, true, &e));
    struct import_meta meta;
    TRY(import_meta_read(w->a, e, &meta));
    struct import_file listed[MAX_FILES];
    struct import_files files = {listed, 0};
    size_t i, n;
    yyjson_arr_foreach(json_get(e, "files"), i, n, v) {
        str name = json_str(v);
        char z[256];
        if (files.n == MAX_FILES || name.n >= sizeof(z)) break;
        memcpy(z, name.p, name.n);
        z[name.n] = 0;
        str bytes = file_named(w, z);
        if (!bytes.p) return err_new(ERR_BAD_REQUEST, "the export lacks its file '%s'", z);
        listed[files.n++] = (struct import_file){name, bytes};
    }
    if (yyjson_get_bool(json_get(e, "predict_params")))
        return err_new(ERR_NOT_IMPLEMENTED, "the signature has params, which a plan does not take");
    return import_model(w->a, json_get_str(e, "kind"), &files, &meta, plan);
}

/* ---- comparison ---- */

static bool same(jval *a, jval *b, int depth) {
    if (depth > 8) return false;
    if (yyjson_is_arr(a)) {
        if (!yyjson_is_arr(b) || yyjson_arr_size(a) != yyjson_arr_size(b)) return false;
        yyjson_arr_iter ia, ib;
        yyjson_arr_iter_init(a, &ia);
        yyjson_arr_iter_init(b, &ib);
        for (jval *x; (x = yyjson_arr_iter_next(&ia));)
            if (!same(x, yyjson_arr_iter_next(&ib), depth + 1)) return false;
        return true;
    }
    if (yyjson_is_num(a) && yyjson_is_num(b)) {
        double x = yyjson_get_num(a), y = yyjson_get_num(b);
        if (yyjson_is_real(a) != yyjson_is_real(b)) return false; /* a label is not a number */
        if (x == y || (isnan(x) && isnan(y))) return true;
        return fabs(x - y) <= TOLERANCE * fmax(fabs(x), fabs(y));
    }
    return yyjson_equals(a, b);
}

static str value_text(struct work *w, jval *v) {
    size_t n = 0;
    char *p = yyjson_val_write(v, YYJSON_WRITE_ALLOW_INF_AND_NAN, &n);
    str s = p ? arena_str(w->a, str_n(p, n)) : STR("null");
    free(p);
    return s;
}

static err *compare(struct work *w, const struct plan *p) {
    str text = file_named(w, "samples.json");
    jval *s, *want, *got;
    if (!text.p) return err_new(ERR_BAD_REQUEST, "there are no sample rows to compare with");
    TRY(json_parse(w->a, text, true, &s));
    struct tab_schema schema;
    tab_schema_of_plan(w->a, p, &schema);
    buf body = {0};
    buf_z(&body, "{\"dataframe_split\":{\"columns\":");
    buf_str(&body, value_text(w, json_get(s, "columns")));
    buf_z(&body, ",\"data\":");
    buf_str(&body, value_text(w, json_get(s, "rows")));
    buf_z(&body, "}}");
    struct tab_batch b = {0};
    TRY(tab_read_json(&schema, buf_view(&body), &b));
    struct plan_batch in = {.n = b.rows, .num = b.num, .text = b.text};
    struct plan_output out;
    TRY(plan_predict(p, plan_scratch_new(), &in, &out));
    buf mine = {0};
    buf_z(&mine, "{\"predictions\": ");
    plan_write_predictions(&out, &mine);
    buf_c(&mine, '}');
    str answer = json_get_str(s, "answer");
    if (str_eq(answer, buf_view(&mine))) return NULL;
    TRY(json_parse(w->a, answer, true, &want));
    TRY(json_parse(w->a, buf_view(&mine), true, &got));
    if (same(json_get(want, "predictions"), json_get(got, "predictions"), 0)) return NULL;
    return err_new(ERR_INVALID_STATE, "the plan's predictions differ from the model's on %zu sample rows",
                   b.rows);
}

static err *seal_plan(struct work *w, str plan) {
    w->plan_fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (w->plan_fd < 0) return err_errno("cannot make a memory file");
    TRY(files_write_fd(w->plan_fd, "plan", plan.p, plan.n));
    if (fcntl(w->plan_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return err_errno("cannot seal the plan");
    return NULL;
}

static err *carry_out(struct work *w, str json, int fd) {
    TRY(read_order(w, json, fd));
    buf plan = {0};
    TRY(make_plan(w, &plan));
    /* A plan wants to lie at a multiple of 64. */
    void *at = aligned_alloc(64, (plan.n + 63) & ~(size_t)63);
    must(at != NULL);
    memcpy(at, plan.p, plan.n);
    const struct plan *p;
    TRY(plan_check(str_n(at, plan.n), &p));
    TRY(compare(w, p));
    struct plan_facts f;
    plan_describe(p, &f);
    buf_fmt(&w->facts, "%s, %zu trees, %zu nodes, %zu features, %zu bytes", f.model, f.trees, f.nodes,
            f.features, f.bytes);
    return seal_plan(w, str_n(at, plan.n));
}

static err *serve(void) {
    struct work w = {.a = arena_new(), .plan_fd = -1};
    struct chan_frame f;
    bool eof;
    TRY(chan_recv_blocking(ROLE_FD_CHANNEL, w.a, MAX_ORDER, &f, &eof));
    struct msg_import_order m;
    if (eof || f.type != MSG_IMPORT_ORDER || !msg_import_order_decode(w.a, f.payload, &m))
        return err_new(ERR_BAD_REQUEST, "no import order came");
    err *e = carry_out(&w, m.json, f.fd);
    struct msg_import_result r = {.ok = e == NULL,
                                  .reason = e ? str_of(err_msg(e)) : STR(""),
                                  .json = buf_view(&w.facts)};
    buf out = {0};
    msg_import_result_encode(&r, &out);
    err_free(e);
    e = chan_send_blocking(ROLE_FD_CHANNEL, MSG_IMPORT_RESULT, 0, buf_view(&out), w.plan_fd);
    buf_free(&out);
    return e;
}

int role_importer(int argc, char **argv) {
    struct role_args args;
    err *e = role_begin("importer", argc, argv, &args);
    if (!e) e = role_confine("importer", &args);
    if (!e) e = serve();
    return role_end("importer", e);
}
