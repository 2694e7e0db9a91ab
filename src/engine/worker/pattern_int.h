/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled pattern, for pattern.c and pattern_read.c. */
#ifndef BH_ENGINE_WORKER_PATTERN_INT_H
#define BH_ENGINE_WORKER_PATTERN_INT_H

#include "engine/worker/pattern.h"

struct pattern_item {
    char letter;      /* of a field; 0: a literal byte; '[' and ']' */
    char literal;
    uint8_t n;        /* how many letters */
    uint8_t reserve;  /* digits that fixed fields right after need */
    bool number, fixed;
    uint16_t end;     /* of '[': the item after its ']' */
};

struct pattern {
    struct pattern_item item[PATTERN_ITEMS];
    size_t n;
    bool era;
};

extern const char *const pattern_months[12], *const pattern_days[7];

#endif
