/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C functions in DuckDB: rows of tables, registered under names that begin with bh_.
 *
 * A row function computes one row. Its arguments are read with fn_…(c, i); its result is set with fn_ret_…(c, …), or
 * with fn_null(c); without any of these the result is NULL. fn_fail(c, "CLASS", "param", value, …, NULL) ends the
 * statement with the dialect's error (src/sql/error.h reads it back from DuckDB's text).
 *
 * Signature: one letter for each argument, ':', the result.
 *   B boolean  c tinyint  h smallint  i int  l bigint  H hugeint  f float  d double  s varchar  b blob
 *   D date  T timestamp with time zone  N timestamp  t time  A any type  [x list of x  M map(varchar, varchar)
 *   I the calendar interval STRUCT(m INTEGER, d INTEGER, us BIGINT)   Z decimal(38, scale), FN_SCALES only
 *   a '*' after the last letter: it may repeat (0…n times)
 *
 * A function sees no NULL argument unless FN_NULLS is set. The text buffers c->out_text and c->tmp are the
 * expression's own: nothing is allocated per row. c->cache keeps what was compiled from a constant argument.
 */
#ifndef BH_ENGINE_WORKER_FN_H
#define BH_ENGINE_WORKER_FN_H

#include <duckdb.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

typedef __int128 i128;
typedef unsigned __int128 u128;

#define FN_ARGS 64        /* most arguments of a function; more end in an error at bind */
#define FN_NULLS 1u       /* called also when an argument is NULL */
#define FN_VOLATILE 2u    /* a new value for each row */
#define FN_SCALES 4u      /* registered as name_0 … name_38: result is DECIMAL(38, scale) */
#define FN_TEXT_MAX (64u << 20) /* longest string that a function makes */

struct fn_arg {
    duckdb_vector vec;
    const void *data;
    const uint64_t *valid;   /* NULL: all are */
    duckdb_type type;        /* of arguments declared A */
    duckdb_type stored;      /* of decimals: the integer behind */
    uint8_t width, scale;    /* of decimals */
    duckdb_logical_type logical; /* of arguments declared A */
};

struct fn_state {            /* lives as long as the expression in one thread */
    buf out_text, tmp, tmp2;
    void *cache;             /* and how it goes */
    void (*cache_free)(void *);
    buf cache_key;
    uint64_t seed;           /* functions that count or draw: set at first use */
    bool seeded;
};

struct fn_call {
    struct fn_arg arg[FN_ARGS];
    size_t n;
    idx_t row, rows;
    duckdb_vector out;
    void *out_data;
    uint64_t *out_valid;
    bool null;               /* of this row */
    bool failed;
    int scale;               /* FN_SCALES */
    const struct fn_def *def;
    duckdb_function_info info;
    struct fn_state *st;
};

typedef void (*fn_row)(struct fn_call *c);

struct fn_def {
    const char *name;
    const char *sig;
    fn_row row;
    unsigned flags;
    long tag;                /* what the row function needs to know when several rows share it */
};

struct fn_table {
    const struct fn_def *defs;
    size_t n;
};

/* Registers all tables (fn_tables in fn_tables.c) in the database of the connection. */
err *fn_register_all(duckdb_connection con) BH_CHECK;
extern const struct fn_table *const fn_tables[];
extern const size_t fn_n_tables;

/* ---- arguments ---- */

static inline bool fn_valid(const struct fn_call *c, size_t i) {
    const uint64_t *v = c->arg[i].valid;
    return !v || (v[c->row >> 6] >> (c->row & 63) & 1);
}
static inline str fn_str_of(const duckdb_string_t *s) {
    return s->value.inlined.length <= 12 ? str_n(s->value.inlined.inlined, s->value.inlined.length)
                                         : str_n(s->value.pointer.ptr, s->value.pointer.length);
}
static inline str fn_str(const struct fn_call *c, size_t i) {
    return fn_str_of((const duckdb_string_t *)c->arg[i].data + c->row);
}
static inline bool fn_bool(const struct fn_call *c, size_t i) { return ((const bool *)c->arg[i].data)[c->row]; }
static inline int8_t fn_i8(const struct fn_call *c, size_t i) { return ((const int8_t *)c->arg[i].data)[c->row]; }
static inline int16_t fn_i16(const struct fn_call *c, size_t i) { return ((const int16_t *)c->arg[i].data)[c->row]; }
static inline int32_t fn_i32(const struct fn_call *c, size_t i) { return ((const int32_t *)c->arg[i].data)[c->row]; }
static inline int64_t fn_i64(const struct fn_call *c, size_t i) { return ((const int64_t *)c->arg[i].data)[c->row]; }
static inline float fn_f32(const struct fn_call *c, size_t i) { return ((const float *)c->arg[i].data)[c->row]; }
static inline double fn_f64(const struct fn_call *c, size_t i) { return ((const double *)c->arg[i].data)[c->row]; }
static inline i128 fn_huge_of(duckdb_hugeint h) { return (i128)((u128)(uint64_t)h.upper << 64 | h.lower); }
static inline i128 fn_huge(const struct fn_call *c, size_t i) {
    return fn_huge_of(((const duckdb_hugeint *)c->arg[i].data)[c->row]);
}
/* Any integer or decimal argument (declared A) as an unscaled integer; its scale is c->arg[i].scale. */
i128 fn_int(const struct fn_call *c, size_t i);
struct fn_interval { int32_t m, d; int64_t us; };
struct fn_interval fn_interval(const struct fn_call *c, size_t i);

/* ---- results ---- */

static inline void fn_null(struct fn_call *c) { c->null = true; }
void fn_ret_str(struct fn_call *c, str s);       /* VARCHAR and BLOB; copied */
void fn_ret_buf(struct fn_call *c, const buf *b); /* the same; a buffer that overflowed is an error */
#define FN_RET(name, T)                                                                            \
    static inline void fn_ret_##name(struct fn_call *c, T v) {                                     \
        ((T *)c->out_data)[c->row] = v;                                                            \
        c->null = false;                                                                           \
    }
FN_RET(bool, bool)
FN_RET(i8, int8_t)
FN_RET(i16, int16_t)
FN_RET(i32, int32_t)
FN_RET(i64, int64_t)
FN_RET(f32, float)
FN_RET(f64, double)
#undef FN_RET
static inline void fn_ret_huge(struct fn_call *c, i128 v) {
    ((duckdb_hugeint *)c->out_data)[c->row] = (duckdb_hugeint){(uint64_t)v, (int64_t)(v >> 64)};
    c->null = false;
}
void fn_ret_interval(struct fn_call *c, struct fn_interval v);
/* Lists of strings or doubles: begin, any number of adds, end. */
void fn_list_begin(struct fn_call *c);
void fn_list_str(struct fn_call *c, str s);
void fn_list_f64(struct fn_call *c, double v);
void fn_list_null(struct fn_call *c);
void fn_list_end(struct fn_call *c);

/* The expression's own text buffer, emptied, bounded by FN_TEXT_MAX. */
buf *fn_text(struct fn_call *c);
buf *fn_tmp(struct fn_call *c);

/* Ends the statement: the text "[CLASS] {json}". Pairs of zero-terminated strings, NULL at the end. */
void fn_fail(struct fn_call *c, const char *cls, ...);
/* The same with values that are slices: pairs (const char *, str). */
struct fn_param { const char *name; str value; };
void fn_fail_with(struct fn_call *c, const char *cls, const struct fn_param *params, size_t n);

/* What was made from `key` by the last call of the same expression, or NULL: then make it and keep it. */
void *fn_cached(struct fn_call *c, str key);
void fn_keep(struct fn_call *c, str key, void *made, void (*release)(void *));

#endif
