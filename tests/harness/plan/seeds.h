/* SPDX-License-Identifier: Apache-2.0 */
/* The fuzz seeds as fixtures: small models of the real libraries, and the plans made of them. */
#ifndef TESTS_HARNESS_PLAN_SEEDS_H
#define TESTS_HARNESS_PLAN_SEEDS_H

#include <stdio.h>

#include "harness/plan/play.h"

static const char *const seed_plans[] = {"regressor", "classes",  "dart",   "codes", "lgb",
                                         "lgb_codes", "logistic", "forest", "hist"};

/* A file of tests/fuzz/corpus/plan_<what>; the caller frees. */
static inline buf seed_read(const char *what, const char *name) {
    char path[4096];
    snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/plan_%s/%s", BH_SOURCE_DIR, what, name);
    FILE *f = fopen(path, "rb");
    must(f != NULL);
    buf b = {0};
    for (;;) {
        char *p = buf_reserve(&b, 65536);
        size_t n = fread(p, 1, 65536, f);
        b.n += n;
        if (n == 0) break;
    }
    fclose(f);
    return b;
}

#endif
