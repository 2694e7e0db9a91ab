/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures of function rows: read from their text, matched with arguments' types. */
#ifndef BH_SQL_FUNC_SIG_H
#define BH_SQL_FUNC_SIG_H

#include "sql/coerce.h"
#include "sql/func.h"

#define SIG_VARS 26

struct pat {
    str word;                /* "string", "array", "T", "lambda", "literal" is flagged below */
    struct pat **child;      /* array: 1, map: 2, struct: fields, lambda: parameters then result; of '|': alternatives */
    str *names;              /* struct's */
    size_t n;
    bool optional, repeat, literal, alternatives;
    bool exact;              /* exact: and only: of this type as it stands, nothing is cast, and an untyped NULL */
    bool null_too;           /* is refused by exact:, taken by only: */
};

struct sig {
    struct pat **arg;
    size_t n, least;
    bool open;               /* the last repeats */
};

/* The text of a row's "args" or "returns"; a wrong one is a bug. */
void sig_read(arena *a, const char *text, struct sig *ret);
struct pat *sig_read_type(arena *a, const char *text);
const struct pat *sig_arg(const struct sig *s, size_t i);
bool pat_is_lambda(const struct pat *p);

/* Gathers what type variables must be; false: cannot fit. */
enum pat_common { COMMON_WIDE, COMMON_NO_TEXT, COMMON_TIGHT };
bool pat_gather(arena *a, const struct pat *p, const struct sql_type *t, enum pat_common how, const struct sql_type **vars);
/* The type that an argument of type t becomes under p, NULL: does not fit. *cost grows with the violence of the cast. */
const struct sql_type *pat_coerce(arena *a, const struct pat *p, const struct sql_type *t,
                                  const struct sql_type *const *vars, int *cost);
/* The type that p says, with the variables filled in. */
const struct sql_type *pat_type(arena *a, const struct pat *p, const struct sql_type *const *vars);
/* How messages name what is wanted. */
void pat_write(const struct pat *p, buf *out);

#endif
