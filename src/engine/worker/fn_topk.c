/* SPDX-License-Identifier: Apache-2.0 */
/* Frequent items as values: a value as the bytes of an item, the items of a sketch in order, an item as text. */
#include <stdlib.h>

#include "engine/worker/fn_int.h"
#include "engine/worker/sketch.h"
#include "engine/worker/text.h"

/* ---- a value as an item ---- */

static void put_number(buf *b, char tag, uint64_t v, size_t n) {
    if (tag) buf_u8(b, (uint8_t)tag);
    for (size_t i = 0; i < n; i++) buf_u8(b, (uint8_t)(v >> (8 * i)));
}

static void put_decimal(const struct fn_call *c, buf *out) {
    i128 v = fn_int(c, 0);
    if (c->arg[0].width <= 18) {
        put_number(out, 0, (uint64_t)v, 8);
        return;
    }
    /* BigInteger.toByteArray: big-endian two's complement, as short as it can be. */
    unsigned char b[16];
    for (int i = 0; i < 16; i++) b[i] = (unsigned char)((u128)v >> (120 - 8 * i));
    int from = 0;
    while (from < 15 && ((b[from] == 0 && !(b[from + 1] & 0x80)) || (b[from] == 0xff && (b[from + 1] & 0x80)))) from++;
    buf_add(out, b + from, (size_t)(16 - from));
}

/* The bytes of argument 0; false: its type cannot be counted. */
static bool put_item(const struct fn_call *c, buf *b) {
    uint32_t f;
    switch (c->arg[0].type) {
    case DUCKDB_TYPE_BOOLEAN: put_number(b, 0, fn_bool(c, 0), 1); return true;
    case DUCKDB_TYPE_TINYINT: put_number(b, 2, (uint8_t)fn_i8(c, 0), 1); return true;
    case DUCKDB_TYPE_SMALLINT: put_number(b, 3, (uint16_t)fn_i16(c, 0), 2); return true;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE: put_number(b, 9, (uint32_t)fn_i32(c, 0), 4); return true;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: put_number(b, 0, (uint64_t)fn_i64(c, 0), 8); return true;
    case DUCKDB_TYPE_FLOAT: {
        float v = fn_f32(c, 0);
        memcpy(&f, &v, 4);
        put_number(b, 6, f, 4);
        return true;
    }
    case DUCKDB_TYPE_DOUBLE: {
        uint64_t d;
        double v = fn_f64(c, 0);
        memcpy(&d, &v, 8);
        put_number(b, 0, d, 8);
        return true;
    }
    case DUCKDB_TYPE_DECIMAL: put_decimal(c, b); return true;
    case DUCKDB_TYPE_VARCHAR: buf_str(b, fn_str(c, 0)); return true;
    default: return false;
    }
}

static void item(struct fn_call *c) {
    buf *b = fn_text(c);
    if (put_item(c, b)) fn_ret_buf(c, b);
}

/* ---- a sketch's rows: each a text of the count, then a mark of what is there, then the item ---- */

static void put_row(struct fn_call *c, int64_t count, const struct freq_item *i) {
    buf *b = fn_tmp(c);
    buf_u64(b, (uint64_t)count);
    buf_u8(b, i ? 1 : 0);
    if (i) buf_add(b, i->p, i->n);
    fn_list_str(c, buf_view(b));
}

/* As Java adds them: a sketch that somebody made up may hold any counts. */
static int64_t estimate(const struct freq *f, const struct freq_item *i) { return (int64_t)((uint64_t)i->count + (uint64_t)f->offset); }

static void rows(struct fn_call *c) {
    struct freq f;
    int64_t k = fn_i32(c, 1);
    if (!freq_read(fn_i32(c, 2), fn_str(c, 0), &f)) {
        fn_fail(c, "APPROX_TOP_K_INVALID_SKETCH", "function", "`approx_top_k_estimate`", NULL);
        return;
    }
    const struct freq_item **v;
    if (!freq_sorted(&f, &v)) {
        freq_free(&f);
        fn_fail(c, "FUNCTION_LIMIT_EXCEEDED", "message", "a sketch would be too large", NULL);
        return;
    }
    fn_list_begin(c);
    bool nulls = f.nulls > 0;
    /* What purges took off comes back: a count is never too small. NULLs stand behind items of their count. */
    for (size_t i = 0; k > 0 && (i < f.n || nulls); k--) {
        if (nulls && (i == f.n || estimate(&f, v[i]) < f.nulls)) {
            put_row(c, f.nulls, NULL);
            nulls = false;
        } else {
            put_row(c, estimate(&f, v[i]), v[i]);
            i++;
        }
    }
    fn_list_end(c);
    free(v);
    freq_free(&f);
}

static uint64_t le(str s, size_t from, size_t n) {
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | (from + i < s.n ? (unsigned char)s.p[from + i] : 0);
    return v;
}

static void row_count(struct fn_call *c) { fn_ret_i64(c, (int64_t)le(fn_str(c, 0), 0, 8)); }

/* The item as a text that a cast to its type reads: dates and times as their numbers. */
static void row_text(struct fn_call *c) {
    str s = fn_str(c, 0);
    int kind = fn_i32(c, 1);
    if (s.n < 9 || !s.p[8]) return;
    str v = str_from(s, 9);
    buf *b = fn_text(c);
    uint32_t bits;
    uint64_t wide;
    float f;
    double d;
    i128 big = 0;
    switch (FREQ_KIND(kind)) {
    case 'B': buf_z(b, v.p[0] ? "true" : "false"); break;
    case 'c': buf_fmt(b, "%d", (int)(int8_t)le(v, 1, 1)); break;
    case 'h': buf_fmt(b, "%d", (int)(int16_t)le(v, 1, 2)); break;
    case 'i': buf_fmt(b, "%d", (int32_t)le(v, 1, 4)); break;
    case 'l': buf_fmt(b, "%lld", (long long)le(v, 0, 8)); break;
    case 'f':
        bits = (uint32_t)le(v, 1, 4);
        memcpy(&f, &bits, 4);
        text_float(b, f);
        break;
    case 'd':
        wide = le(v, 0, 8);
        memcpy(&d, &wide, 8);
        text_double(b, d);
        break;
    case 'm': text_decimal(b, (int64_t)le(v, 0, 8), kind >> 8); break;
    case 'M':
        for (size_t i = 0; i < v.n && i < 16; i++) big = i == 0 ? (i128)(signed char)v.p[0] : (i128)((u128)big << 8 | (unsigned char)v.p[i]);
        text_decimal(b, big, kind >> 8);
        break;
    default: buf_str(b, v); break;
    }
    fn_ret_buf(c, b);
}

/* Where a key lies in Scala's open hash map of n keys: Java's hash code mixed by Murmur3. */
static void mode_place(struct fn_call *c) {
    char kind = 0;
    int32_t code = 0;
    int64_t n = fn_i64(c, 1), cap = 64;
    if (c->arg[0].type == DUCKDB_TYPE_VARCHAR || c->arg[0].type == DUCKDB_TYPE_BLOB) code = (int32_t)fn_murmur3_spark(fn_str(c, 0), 42);
    else {
        static const struct { duckdb_type type; char kind; } kinds[] = {
            {DUCKDB_TYPE_BOOLEAN, 'B'}, {DUCKDB_TYPE_TINYINT, 'c'}, {DUCKDB_TYPE_SMALLINT, 'h'}, {DUCKDB_TYPE_INTEGER, 'i'}, {DUCKDB_TYPE_DATE, 'i'}, {DUCKDB_TYPE_BIGINT, 'l'},
            {DUCKDB_TYPE_TIMESTAMP, 'l'}, {DUCKDB_TYPE_TIMESTAMP_TZ, 'l'}, {DUCKDB_TYPE_FLOAT, 'f'}, {DUCKDB_TYPE_DOUBLE, 'd'}};
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
            if (kinds[i].type == c->arg[0].type) kind = kinds[i].kind;
        bool decimal = c->arg[0].type == DUCKDB_TYPE_DECIMAL;
        buf *b = fn_tmp(c);
        if (put_item(c, b)) code = freq_code(decimal ? (c->arg[0].width <= 18 ? 'm' : 'M') | c->arg[0].scale << 8 : kind, buf_view(b));
    }
    while (n > cap * 7 / 10) cap *= 2;
    fn_ret_i64(c, (int64_t)(fn_murmur3_spark(str_n((const char *)&code, 4), 0) & (uint64_t)(cap - 1)));
}

static void empty(struct fn_call *c) {
    struct freq f;
    int32_t most = fn_i32(c, 0);
    unsigned lg = 3;
    while ((double)(1u << lg) * 0.75 < most && lg < 21) lg++;
    if (!freq_init(&f, lg)) return;
    buf *b = fn_text(c);
    freq_write(&f, 'i', b);
    freq_free(&f);
    fn_ret_buf(c, b);
}

static const struct fn_def defs[] = {
    {"bh_topk_item", "A:b", item, 0, 0},
    {"bh_topk_rows", "bii:[b", rows, 0, 0},
    {"bh_topk_count", "b:l", row_count, 0, 0},
    {"bh_topk_text", "bi:s", row_text, 0, 0},
    {"bh_mode_place", "Al:l", mode_place, 0, 0},
    {"bh_topk_empty", "i:b", empty, 0, 0},
};
const struct fn_table fn_table_topk = {defs, ARRAY_LEN(defs)};
