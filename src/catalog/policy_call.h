/* SPDX-License-Identifier: Apache-2.0 */
/*
 * "c.s.f ON (x, 'a', 1)" and "f USING COLUMNS (x)": which function a row filter or mask calls, and with what. What stands
 * between the brackets is evaluated with each query of the table, under the reader's rights: only columns and constants
 * are taken, and a constant is checked word by word, so that no expression gets in.
 */
#ifndef BH_CATALOG_POLICY_CALL_H
#define BH_CATALOG_POLICY_CALL_H

#include "base/arena.h"
#include "base/str.h"

#define POLICY_CALL_PARTS 8

struct policy_argument {
    str text; /* a column's name, or a constant as it is written */
    bool constant;
};

struct policy_call {
    str parts[POLICY_CALL_PARTS]; /* of the function's name, as many as are written */
    size_t n_parts;
    struct policy_argument *args;
    size_t n_args;
};

enum policy_call_fault {
    POLICY_CALL_FINE,
    POLICY_CALL_NAME,     /* the function's name cannot be read */
    POLICY_CALL_ARGUMENT, /* *ret_bad is neither a column nor a constant */
    POLICY_CALL_END,      /* the arguments have no end */
};

/* All texts are the arena's. ret_bad points into text. */
enum policy_call_fault policy_call_read(arena *a, str text, struct policy_call *ret, str *ret_bad);

#endif
