/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thrift's column sets: a TBinary list<TColumn>, as TRowSet.columns holds it.
 *
 *   list     u8 element type (12 struct), i32 count, elements           numbers are big-endian
 *   TColumn  field of the kind (1 bool, 2 byte, 3 i16, 4 i32, 5 i64, 6 double, 7 string, 8 binary): a struct
 *            {1: list values, 2: binary nulls (bit i of byte i/8 set: NULL)}, stop
 * Floats go as doubles of their shortest text, as Spark's server sends them; what has no kind of its own (decimals,
 * dates, timestamps, nested types) goes as strings.
 */
#include <endian.h>
#include <stdlib.h>

#include "engine/worker/result_int.h"
#include "engine/worker/show.h"

enum { T_STOP = 0, T_BOOL = 2, T_BYTE = 3, T_DOUBLE = 4, T_I16 = 6, T_I32 = 8, T_I64 = 10, T_STRING = 11, T_STRUCT = 12,
       T_LIST = 15 };

struct column {
    int field, elem;      /* of TColumn; element type of its values */
    struct show *show;    /* of strings */
    enum sql_type_kind kind;
    buf values, nulls;
};

struct columns_writer {
    struct result_int *r;
    struct column *cols;
    size_t rows;
    buf taken;
};

static void put_i16(buf *b, int v) {
    uint16_t x = htobe16((uint16_t)v);
    buf_add(b, &x, 2);
}
static void put_i32(buf *b, size_t v) {
    uint32_t x = htobe32((uint32_t)v);
    buf_add(b, &x, 4);
}
static void put_i64(buf *b, uint64_t v) {
    uint64_t x = htobe64(v);
    buf_add(b, &x, 8);
}
static void put_double(buf *b, double d) {
    uint64_t x;
    memcpy(&x, &d, 8);
    put_i64(b, x);
}
static void put_field(buf *b, int type, int id) {
    buf_u8(b, (uint8_t)type);
    put_i16(b, id);
}

static double widened(float f) {
    char text[40];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)f);
        if (strtof(text, NULL) == f) break;
    }
    return strtod(text, NULL);
}

static void put_number(struct column *c, const void *data, idx_t i, bool there) {
    switch (c->elem) {
    case T_BOOL: buf_u8(&c->values, there && ((const bool *)data)[i]); return;
    case T_BYTE: buf_u8(&c->values, there ? ((const uint8_t *)data)[i] : 0); return;
    case T_I16: put_i16(&c->values, there ? ((const int16_t *)data)[i] : 0); return;
    case T_I32: put_i32(&c->values, there ? (uint32_t)((const int32_t *)data)[i] : 0); return;
    case T_I64: put_i64(&c->values, there ? ((const uint64_t *)data)[i] : 0); return;
    default:
        put_double(&c->values, !there ? 0 : c->kind == TY_FLOAT ? widened(((const float *)data)[i]) : ((const double *)data)[i]);
    }
}

static void add_column(struct column *c, duckdb_vector v, size_t rows, idx_t from, idx_t to) {
    const uint64_t *valid = duckdb_vector_get_validity(v);
    const void *data = duckdb_vector_get_data(v);
    if (c->show) show_bind(c->show, v, to);
    for (idx_t i = from; i < to; i++, rows++) {
        if (rows % 8 == 0) buf_u8(&c->nulls, 0);
        bool there = c->kind != TY_VOID && vector_valid(valid, i);
        if (c->elem != T_STRING) {
            put_number(c, data, i, there);
        } else if (c->kind == TY_BINARY) {
            str s = there ? vector_str((const duckdb_string_t *)data + i) : STR_NONE;
            put_i32(&c->values, s.n);
            buf_str(&c->values, s);
        } else {
            size_t at = c->values.n;
            put_i32(&c->values, 0);
            if (there) there = show_value(c->show, i, &c->values);
            uint32_t n = htobe32((uint32_t)(c->values.n - at - 4));
            if (!c->values.overflow) memcpy(c->values.p + at, &n, 4);
        }
        if (!there && c->nulls.n) c->nulls.p[rows / 8] = (char)(c->nulls.p[rows / 8] | 1 << rows % 8);
    }
}

static err *columns_add(void *p, duckdb_data_chunk chunk, idx_t from, idx_t to) {
    struct columns_writer *w = p;
    bool over = false;
    for (size_t k = 0; k < w->r->n; k++) {
        add_column(&w->cols[k], duckdb_data_chunk_get_vector(chunk, k), w->rows, from, to);
        over |= w->cols[k].values.overflow;
    }
    w->rows += to - from;
    return over ? err_new(ERR_RESOURCE_EXHAUSTED, "a row of the result is too large") : NULL;
}

static size_t columns_gathered(const void *p) {
    const struct columns_writer *w = p;
    size_t n = 0;
    for (size_t k = 0; k < w->r->n; k++) n += w->cols[k].values.n;
    return n;
}

static err *columns_take(void *p, int64_t rows, str ret[2]) {
    struct columns_writer *w = p;
    buf *out = &w->taken;
    buf_clear(out);
    buf_u8(out, T_STRUCT);
    put_i32(out, w->r->n);
    for (size_t k = 0; k < w->r->n; k++) {
        struct column *c = &w->cols[k];
        put_field(out, T_STRUCT, c->field);
        put_field(out, T_LIST, 1);
        buf_u8(out, (uint8_t)c->elem);
        put_i32(out, (size_t)rows);
        buf_str(out, buf_view(&c->values));
        put_field(out, T_STRING, 2);
        put_i32(out, c->nulls.n);
        buf_str(out, buf_view(&c->nulls));
        buf_u8(out, T_STOP);
        buf_u8(out, T_STOP);
        buf_clear(&c->values);
        buf_clear(&c->nulls);
    }
    w->rows = 0;
    ret[0] = buf_view(out);
    return out->overflow ? err_new(ERR_RESOURCE_EXHAUSTED, "a chunk of the result is too large") : NULL;
}

static void columns_free(void *p) {
    struct columns_writer *w = p;
    buf_free(&w->taken);
    for (size_t k = 0; k < w->r->n; k++) {
        buf_free(&w->cols[k].values);
        buf_free(&w->cols[k].nulls);
    }
}

static void choose(struct column *c, enum sql_type_kind kind) {
    static const struct {
        enum sql_type_kind kind;
        int field, elem;
    } own[] = {{TY_BOOLEAN, 1, T_BOOL}, {TY_TINYINT, 2, T_BYTE}, {TY_SMALLINT, 3, T_I16}, {TY_INT, 4, T_I32},
               {TY_BIGINT, 5, T_I64},   {TY_FLOAT, 6, T_DOUBLE}, {TY_DOUBLE, 6, T_DOUBLE}, {TY_BINARY, 8, T_STRING}};
    c->kind = kind;
    c->field = 7;
    c->elem = T_STRING;
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (own[i].kind == kind) {
            c->field = own[i].field;
            c->elem = own[i].elem;
        }
}

err *result_columns_new(struct result_int *r) {
    struct columns_writer *w = arena_new_of(r->a, struct columns_writer);
    w->r = r;
    w->cols = arena_array_of(r->a, struct column, r->n);
    for (size_t k = 0; k < r->n; k++) {
        choose(&w->cols[k], r->cols[k].type->kind);
        if (w->cols[k].field == 7) w->cols[k].show = show_new(r->a, r->cols[k].type, SHOW_JSON, r->o.zone);
    }
    r->how = (struct result_writer){columns_add, columns_gathered, columns_take, columns_free};
    r->writer = w;
    return NULL;
}
