/* SPDX-License-Identifier: Apache-2.0 */
/* XPath 1.0 over a tree of src/sql/xml.h. Names with a prefix match nothing: no prefix is bound. */
#ifndef BH_ENGINE_WORKER_XPATH_H
#define BH_ENGINE_WORKER_XPATH_H

#include "base/arena.h"
#include "sql/xml.h"

#define XPATH_BYTES 8192
#define XPATH_DEPTH 60
#define XPATH_STEPS (8u << 20) /* nodes looked at by one evaluation */

enum xpath_kind { XPATH_NODES, XPATH_NUMBER, XPATH_STRING, XPATH_BOOLEAN };

struct xpath_value {
    enum xpath_kind kind;
    const struct xml **node; /* in the order of the document */
    size_t n;
    double number;
    str string;
    bool boolean;
};

/* false: not an expression, or too much work. The value lies in the arena. */
bool xpath_eval(arena *a, const struct xml *root, str expression, struct xpath_value *ret);
double xpath_number(arena *a, const struct xpath_value *v);
str xpath_string(arena *a, const struct xpath_value *v);
bool xpath_boolean(const struct xpath_value *v);

#endif
