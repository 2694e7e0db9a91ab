/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by fuzz targets and unit tests of src/plan: scores a plan on rows that hold every special value. */
#ifndef TESTS_HARNESS_PLAN_PLAY_H
#define TESTS_HARNESS_PLAN_PLAY_H

#include <math.h>
#include <stdlib.h>

#include "plan/import.h"
#include "plan/scorer.h"

#define PLAY_ROWS 9
/* More work per row than this is not played: a fuzzer looks for faults, not for large models. */
#define PLAY_STEPS 100000

/* Checks and scores the block; writes the predictions as JSON. Returns false if it was refused. The block
 * is copied, so that a sanitizer sees its end. */
static inline bool play_block(str block, buf *json) {
    static const double specials[] = {0.0,  -0.0, 1.0,   -1.0,      0.5,      NAN,   INFINITY, -INFINITY, 1e-40,
                                      1e30, 3e38, 1e300, 16777216., 1e-35,    -0.25, 2.0,      3.0,       31.0};
    static const str words[] = {{NULL, 0}, {"", 0}, {"a", 1}, {"b", 1}, {"Oslo", 4}, {"zz", 2}, {"\xc3\xa9", 2}};
    char *copy = malloc(block.n ? block.n : 1);
    must(copy != NULL);
    if (block.n) memcpy(copy, block.p, block.n);
    const struct plan *p;
    err *e = plan_check(str_n(copy, block.n), &p);
    bool ok = e == NULL;
    err_free(e);
    struct plan_facts facts = {0};
    if (ok) plan_describe(p, &facts);
    if (ok && facts.steps <= PLAY_STEPS) {
        size_t nums = plan_num_width(p), texts = plan_text_width(p);
        double *num = calloc(PLAY_ROWS * nums + 1, sizeof(*num));
        str *text = calloc(PLAY_ROWS * texts + 1, sizeof(*text));
        must(num != NULL && text != NULL);
        for (size_t i = 0; i < PLAY_ROWS * nums; i++) num[i] = specials[(i * 7 + i / 5) % ARRAY_LEN(specials)];
        for (size_t i = 0; i < PLAY_ROWS * texts; i++) text[i] = words[(i * 3 + i / 4) % ARRAY_LEN(words)];
        struct plan_scratch *s = plan_scratch_new();
        for (size_t n = 1; n <= PLAY_ROWS; n += PLAY_ROWS - 1) {
            struct plan_output out;
            e = plan_predict(p, s, &(struct plan_batch){n, nums ? num : NULL, texts ? text : NULL}, &out);
            if (!e) plan_write_predictions(&out, json);
            err_free(e);
        }
        for (size_t i = 0; i < plan_inputs(p); i++) must(plan_input_find(p, plan_input_name(p, i)) >= 0);
        plan_scratch_free(s);
        free(num);
        free(text);
    }
    free(copy);
    return ok;
}

/* Imports bytes of a kind ("xgboost-json", …); on success the plan is in *plan (the caller frees it). */
static inline bool play_import(const char *kind, str bytes, buf *plan) {
    arena *a = arena_new();
    struct import_meta meta = IMPORT_META_NONE;
    struct import_file file = {STR("model"), bytes};
    err *e = import_model(a, str_of(kind), &(struct import_files){&file, 1}, &meta, plan);
    bool ok = e == NULL;
    /* Whatever is wrong with the bytes, it is never a fault of ours. */
    must(ok || err_code_of(e) == ERR_INVALID_PARAMETER_VALUE || err_code_of(e) == ERR_NOT_IMPLEMENTED);
    err_free(e);
    arena_free(a);
    return ok;
}

/* A fuzz target: what an importer accepts must check, score and be written. */
static inline void play_fuzz(const char *kind, const uint8_t *data, size_t size) {
    buf plan = {0}, json = {0};
    if (play_import(kind, str_n((const char *)data, size), &plan)) must(play_block(buf_view(&plan), &json));
    buf_free(&plan);
    buf_free(&json);
}

#endif
