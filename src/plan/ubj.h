/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UBJSON (ubjson.org, draft 12) as XGBoost writes it: a reader that makes a tree.
 *
 * A value is a marker byte and its payload, big endian:
 *   Z null  T F booleans  i U I l L integers (int8, uint8, int16, int32, int64)  d D floats
 *   C a character  S a string: length (an integer with its marker), bytes
 *   [ values ]   { name value … }   where a name is a string without its S
 *   [ # count values         counted, no closing mark (objects likewise)
 *   [ $ type # count payload a typed array: payloads only. It stays a view into the bytes.
 *   N no-op, skipped
 * Not read, since XGBoost writes none: H (numbers as text), typed objects, typed arrays of anything
 * but numbers.
 *
 * Limits: depth UBJ_MAX_DEPTH, UBJ_MAX_NODES values; a count is compared with the bytes that are left
 * before anything is allocated for it.
 */
#ifndef BH_PLAN_UBJ_H
#define BH_PLAN_UBJ_H

#include "base/arena.h"
#include "base/err.h"

#define UBJ_MAX_DEPTH 32
#define UBJ_MAX_NODES (8u << 20)

enum ubj_kind { UBJ_NULL, UBJ_BOOL, UBJ_INT, UBJ_REAL, UBJ_STR, UBJ_ARRAY, UBJ_OBJECT, UBJ_TYPED };

struct ubj {
    enum ubj_kind kind;
    char type; /* UBJ_TYPED: marker of the elements */
    size_t n;  /* elements, members */
    union {
        int64_t integer; /* UBJ_INT, UBJ_BOOL */
        double real;
        str text;
        struct ubj *items; /* UBJ_ARRAY; UBJ_OBJECT with `names` */
        const unsigned char *bytes; /* UBJ_TYPED */
    };
    str *names;
};

/* Reads one value that fills `bytes`. The tree is the arena's and points into bytes. */
err *ubj_parse(arena *a, str bytes, const struct ubj **ret) BH_CHECK;

const struct ubj *ubj_get(const struct ubj *u, const char *name);
/* Element i of a typed array. */
int64_t ubj_typed_int(const struct ubj *u, size_t i);
double ubj_typed_real(const struct ubj *u, size_t i);

#endif
