/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker/rowfile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/worker/civil.h"

/* ---- Thrift compact, as far as a footer needs it ---- */

enum { T_TRUE = 1, T_FALSE = 2, T_BYTE = 3, T_I32 = 5, T_I64 = 6, T_BINARY = 8, T_LIST = 9, T_STRUCT = 12 };

static void varint(buf *b, uint64_t v) {
    for (; v > 0x7f; v >>= 7) buf_u8(b, (uint8_t)(v | 0x80));
    buf_u8(b, (uint8_t)v);
}

static void zigzag(buf *b, int64_t v) { varint(b, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63)); }

/* Fields of one struct come in order; *last is the id of the one before. */
static void field(buf *b, int *last, int id, int type) {
    buf_u8(b, (uint8_t)((id - *last) << 4 | type));
    *last = id;
}

static void number(buf *b, int *last, int id, int type, int64_t v) {
    field(b, last, id, type);
    zigzag(b, v);
}

static void text(buf *b, str s) {
    varint(b, s.n);
    buf_str(b, s);
}

static void list(buf *b, int *last, int id, int type, size_t n) {
    field(b, last, id, T_LIST);
    if (n < 15) {
        buf_u8(b, (uint8_t)(n << 4 | (unsigned)type));
    } else {
        buf_u8(b, (uint8_t)(0xf0 | type));
        varint(b, n);
    }
}

static void end(buf *b) { buf_u8(b, 0); }

/* ---- types ---- */

enum { P_BOOLEAN, P_INT32, P_INT64, P_INT96, P_FLOAT, P_DOUBLE, P_BYTE_ARRAY, P_FIXED };

/* Bytes of a decimal that is kept as a fixed array. */
#define WIDE 16

static int physical(const struct rowfile_column *c) {
    switch (c->type) {
    case DUCKDB_TYPE_BOOLEAN: return P_BOOLEAN;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return P_INT64;
    case DUCKDB_TYPE_FLOAT: return P_FLOAT;
    case DUCKDB_TYPE_DOUBLE: return P_DOUBLE;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB: return P_BYTE_ARRAY;
    case DUCKDB_TYPE_DECIMAL: return c->internal == DUCKDB_TYPE_HUGEINT ? P_FIXED : c->internal == DUCKDB_TYPE_BIGINT ? P_INT64 : P_INT32;
    default: return P_INT32;
    }
}

bool rowfile_type(duckdb_logical_type t, struct rowfile_column *ret) {
    ret->type = duckdb_get_type_id(t);
    switch (ret->type) {
    case DUCKDB_TYPE_DECIMAL:
        ret->internal = duckdb_decimal_internal_type(t);
        ret->width = duckdb_decimal_width(t), ret->scale = duckdb_decimal_scale(t);
        return true;
    case DUCKDB_TYPE_BOOLEAN:
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_FLOAT:
    case DUCKDB_TYPE_DOUBLE:
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
    case DUCKDB_TYPE_BLOB:
    case DUCKDB_TYPE_VARCHAR: return true;
    default: return false;
    }
}

static void logical_integer(buf *b, int bits) {
    int last = 0;
    field(b, &last, 10, T_STRUCT);
    int in = 0;
    field(b, &in, 1, T_BYTE);
    buf_u8(b, (uint8_t)bits);
    field(b, &in, 2, T_TRUE);
    end(b);
    end(b);
}

static void logical_empty(buf *b, int id) {
    int last = 0;
    field(b, &last, id, T_STRUCT);
    end(b);
    end(b);
}

static void logical_time(buf *b, bool utc) {
    int last = 0, in = 0, unit = 0;
    field(b, &last, 8, T_STRUCT);
    field(b, &in, 1, utc ? T_TRUE : T_FALSE);
    field(b, &in, 2, T_STRUCT);
    field(b, &unit, 2, T_STRUCT); /* microseconds */
    end(b);
    end(b);
    end(b);
    end(b);
}

static void logical_decimal(buf *b, const struct rowfile_column *c) {
    int last = 0, in = 0;
    field(b, &last, 5, T_STRUCT);
    number(b, &in, 1, T_I32, c->scale);
    number(b, &in, 2, T_I32, c->width);
    end(b);
    end(b);
}

static int converted(const struct rowfile_column *c) {
    switch (c->type) {
    case DUCKDB_TYPE_VARCHAR: return 0;
    case DUCKDB_TYPE_DECIMAL: return 5;
    case DUCKDB_TYPE_DATE: return 6;
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return 10;
    case DUCKDB_TYPE_TINYINT: return 15;
    case DUCKDB_TYPE_SMALLINT: return 16;
    case DUCKDB_TYPE_INTEGER: return 17;
    case DUCKDB_TYPE_BIGINT: return 18;
    default: return -1;
    }
}

static void put_element(buf *b, const struct rowfile_column *c) {
    int last = 0, phys = physical(c);
    number(b, &last, 1, T_I32, phys);
    if (phys == P_FIXED) number(b, &last, 2, T_I32, WIDE);
    number(b, &last, 3, T_I32, 1); /* optional */
    field(b, &last, 4, T_BINARY);
    text(b, c->name);
    if (converted(c) >= 0) number(b, &last, 6, T_I32, converted(c));
    if (c->type == DUCKDB_TYPE_DECIMAL) {
        number(b, &last, 7, T_I32, c->scale);
        number(b, &last, 8, T_I32, c->width);
    }
    if (c->field_id >= 0) number(b, &last, 9, T_I32, c->field_id);
    switch (c->type) {
    case DUCKDB_TYPE_VARCHAR: field(b, &last, 10, T_STRUCT), logical_empty(b, 1); break;
    case DUCKDB_TYPE_DATE: field(b, &last, 10, T_STRUCT), logical_empty(b, 6); break;
    case DUCKDB_TYPE_DECIMAL: field(b, &last, 10, T_STRUCT), logical_decimal(b, c); break;
    case DUCKDB_TYPE_TIMESTAMP: field(b, &last, 10, T_STRUCT), logical_time(b, false); break;
    case DUCKDB_TYPE_TIMESTAMP_TZ: field(b, &last, 10, T_STRUCT), logical_time(b, true); break;
    case DUCKDB_TYPE_TINYINT: field(b, &last, 10, T_STRUCT), logical_integer(b, 8); break;
    case DUCKDB_TYPE_SMALLINT: field(b, &last, 10, T_STRUCT), logical_integer(b, 16); break;
    case DUCKDB_TYPE_INTEGER: field(b, &last, 10, T_STRUCT), logical_integer(b, 32); break;
    case DUCKDB_TYPE_BIGINT: field(b, &last, 10, T_STRUCT), logical_integer(b, 64); break;
    default: break;
    }
    end(b);
}

/* ---- values ---- */

static bool is_null(const struct rowfile_column *c, idx_t row) {
    uint64_t *valid = duckdb_vector_get_validity(c->values);
    return valid && !duckdb_validity_row_is_valid(valid, row);
}

/* Whole numbers of every type that has an order as such. */
static int64_t whole(const struct rowfile_column *c, idx_t row) {
    void *p = duckdb_vector_get_data(c->values);
    enum DUCKDB_TYPE t = c->type == DUCKDB_TYPE_DECIMAL ? c->internal : c->type;
    switch (t) {
    case DUCKDB_TYPE_BOOLEAN: return ((bool *)p)[row];
    case DUCKDB_TYPE_TINYINT: return ((int8_t *)p)[row];
    case DUCKDB_TYPE_SMALLINT: return ((int16_t *)p)[row];
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE: return ((int32_t *)p)[row];
    default: return ((int64_t *)p)[row];
    }
}

static str bytes_at(const struct rowfile_column *c, idx_t row) {
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(c->values) + row;
    return str_n(duckdb_string_t_data(s), duckdb_string_t_length(*s));
}

static __int128 huge_at(const struct rowfile_column *c, idx_t row) {
    duckdb_hugeint h = ((duckdb_hugeint *)duckdb_vector_get_data(c->values))[row];
    return (__int128)(((unsigned __int128)(uint64_t)h.upper << 64) | h.lower);
}

static double real_at(const struct rowfile_column *c, idx_t row) {
    void *p = duckdb_vector_get_data(c->values);
    return c->type == DUCKDB_TYPE_FLOAT ? (double)((float *)p)[row] : ((double *)p)[row];
}

static void put_le(buf *b, uint64_t v, int n) {
    for (int i = 0; i < n; i++) buf_u8(b, (uint8_t)(v >> (8 * i)));
}

static void put_value(buf *b, const struct rowfile_column *c, idx_t row) {
    void *p = duckdb_vector_get_data(c->values);
    switch (physical(c)) {
    case P_INT32: put_le(b, (uint64_t)whole(c, row), 4); break;
    case P_INT64: put_le(b, (uint64_t)whole(c, row), 8); break;
    case P_FLOAT: buf_add(b, (char *)p + row * 4, 4); break;
    case P_DOUBLE: buf_add(b, (char *)p + row * 8, 8); break;
    case P_FIXED: {
        unsigned __int128 v = (unsigned __int128)huge_at(c, row);
        for (int i = WIDE - 1; i >= 0; i--) buf_u8(b, (uint8_t)(v >> (8 * i)));
        break;
    }
    default: {
        str s = bytes_at(c, row);
        put_le(b, s.n, 4);
        buf_str(b, s);
    }
    }
}

/* Levels as runs: count and whether it is there. */
static void put_levels(buf *b, const struct rowfile_column *c, const idx_t *rows, size_t n) {
    buf runs = {0};
    for (size_t i = 0; i < n;) {
        bool null = is_null(c, rows[i]);
        size_t k = i;
        while (k < n && is_null(c, rows[k]) == null) k++;
        varint(&runs, (uint64_t)(k - i) << 1);
        buf_u8(&runs, null ? 0 : 1);
        i = k;
    }
    put_le(b, runs.n, 4);
    buf_str(b, buf_view(&runs));
    buf_free(&runs);
}

static void put_values(buf *b, const struct rowfile_column *c, const idx_t *rows, size_t n) {
    unsigned bits = 0, k = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_null(c, rows[i])) continue;
        if (c->type != DUCKDB_TYPE_BOOLEAN) {
            put_value(b, c, rows[i]);
            continue;
        }
        bits |= (unsigned)(whole(c, rows[i]) & 1) << k;
        if (++k == 8) buf_u8(b, (uint8_t)bits), bits = k = 0;
    }
    if (k) buf_u8(b, (uint8_t)bits);
}

/* ---- bounds ---- */

static str decimal_text(arena *a, __int128 v, int scale) {
    char digits[64];
    int n = 0;
    bool minus = v < 0;
    unsigned __int128 u = minus ? -(unsigned __int128)v : (unsigned __int128)v;
    do digits[n++] = (char)('0' + (int)(u % 10)), u /= 10;
    while (u || n <= scale);
    buf b = {0};
    if (minus) buf_c(&b, '-');
    while (n > 0) {
        if (n == scale) buf_c(&b, '.');
        buf_c(&b, digits[--n]);
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

static str time_text(arena *a, int64_t us, bool zone) {
    int64_t day = us / 86400000000, in = us % 86400000000, y;
    int m, d;
    if (in < 0) in += 86400000000, day--;
    time_civil(day, &y, &m, &d);
    if (y < 0 || y > 9999) return STR_NONE;
    int s = (int)(in / 1000000);
    return str_of(arena_printf(a, "%04d-%02d-%02d %02d:%02d:%02d.%06d%s", (int)y, m, d, s / 3600, s / 60 % 60, s % 60, (int)(in % 1000000), zone ? "+00" : ""));
}

static str whole_text(arena *a, const struct rowfile_column *c, int64_t v) {
    int64_t y;
    int m, d;
    switch (c->type) {
    case DUCKDB_TYPE_DECIMAL: return decimal_text(a, v, c->scale);
    case DUCKDB_TYPE_TIMESTAMP: return time_text(a, v, false);
    case DUCKDB_TYPE_TIMESTAMP_TZ: return time_text(a, v, true);
    case DUCKDB_TYPE_DATE:
        time_civil(v, &y, &m, &d);
        return y < 0 || y > 9999 ? STR_NONE : str_of(arena_printf(a, "%04d-%02d-%02d", (int)y, m, d));
    default: return str_of(arena_printf(a, "%lld", (long long)v));
    }
}

static int compare(const struct rowfile_column *c, idx_t x, idx_t y) {
    switch (physical(c)) {
    case P_BYTE_ARRAY: return str_cmp(bytes_at(c, x), bytes_at(c, y));
    case P_FIXED: return huge_at(c, x) < huge_at(c, y) ? -1 : huge_at(c, x) > huge_at(c, y);
    case P_FLOAT:
    case P_DOUBLE: return real_at(c, x) < real_at(c, y) ? -1 : real_at(c, x) > real_at(c, y);
    default: return whole(c, x) < whole(c, y) ? -1 : whole(c, x) > whole(c, y);
    }
}

static str bound_text(arena *a, const struct rowfile_column *c, idx_t row) {
    switch (physical(c)) {
    case P_BYTE_ARRAY: return arena_str(a, bytes_at(c, row));
    case P_FIXED: return decimal_text(a, huge_at(c, row), c->scale);
    case P_FLOAT: return str_of(arena_printf(a, "%.9g", real_at(c, row)));
    case P_DOUBLE: return str_of(arena_printf(a, "%.17g", real_at(c, row)));
    default: return whole_text(a, c, whole(c, row));
    }
}

static void put_bounds(arena *a, struct rowfile_column *c, const idx_t *rows, size_t n) {
    bool any = false;
    idx_t min = 0, max = 0;
    bool real = c->type == DUCKDB_TYPE_FLOAT || c->type == DUCKDB_TYPE_DOUBLE;
    c->nulls = 0, c->nan = false, c->min = c->max = STR_NONE;
    for (size_t i = 0; i < n; i++) {
        if (is_null(c, rows[i])) {
            c->nulls++;
            continue;
        }
        if (real && isnan(real_at(c, rows[i]))) {
            c->nan = true; /* above all numbers: the caller leaves the maximum out */
            continue;
        }
        if (!any || compare(c, rows[i], min) < 0) min = rows[i];
        if (!any || compare(c, rows[i], max) > 0) max = rows[i];
        any = true;
    }
    if (!any) return;
    c->min = bound_text(a, c, min), c->max = bound_text(a, c, max);
}

/* ---- the file ---- */

struct chunk {
    int64_t offset, bytes;
};

static struct chunk put_page(buf *out, const struct rowfile_column *c, const idx_t *rows, size_t n) {
    struct chunk k = {.offset = (int64_t)out->n};
    buf data = {0};
    int last = 0, in = 0;
    put_levels(&data, c, rows, n);
    put_values(&data, c, rows, n);
    number(out, &last, 1, T_I32, 0); /* a data page */
    number(out, &last, 2, T_I32, (int64_t)data.n);
    number(out, &last, 3, T_I32, (int64_t)data.n);
    field(out, &last, 5, T_STRUCT);
    number(out, &in, 1, T_I32, (int64_t)n);
    number(out, &in, 2, T_I32, 0); /* plain */
    number(out, &in, 3, T_I32, 3); /* levels in runs */
    number(out, &in, 4, T_I32, 3);
    end(out);
    end(out);
    buf_str(out, buf_view(&data));
    buf_free(&data);
    k.bytes = (int64_t)out->n - k.offset;
    return k;
}

static void put_chunk(buf *b, const struct rowfile_column *c, const struct chunk *k, size_t n_rows) {
    int last = 0, in = 0, st = 0;
    number(b, &last, 2, T_I64, k->offset);
    field(b, &last, 3, T_STRUCT);
    number(b, &in, 1, T_I32, physical(c));
    list(b, &in, 2, T_I32, 2);
    zigzag(b, 0), zigzag(b, 3);
    list(b, &in, 3, T_BINARY, 1);
    text(b, c->name);
    number(b, &in, 4, T_I32, 0); /* not compressed */
    number(b, &in, 5, T_I64, (int64_t)n_rows);
    number(b, &in, 6, T_I64, k->bytes);
    number(b, &in, 7, T_I64, k->bytes);
    number(b, &in, 9, T_I64, k->offset);
    field(b, &in, 12, T_STRUCT);
    number(b, &st, 3, T_I64, c->nulls);
    end(b);
    end(b);
    end(b);
}

void rowfile_encode(arena *a, struct rowfile_column *cols, size_t n, const idx_t *rows, size_t n_rows, buf *out) {
    struct chunk *at = arena_array_of(a, struct chunk, n + 1);
    int64_t sum = 0;
    buf f = {0};
    int last = 0, in = 0, group = 0;
    size_t start = out->n;
    must(start == 0);
    buf_z(out, "PAR1");
    for (size_t i = 0; i < n; i++) {
        put_bounds(a, &cols[i], rows, n_rows);
        at[i] = put_page(out, &cols[i], rows, n_rows);
        sum += at[i].bytes;
    }
    number(&f, &last, 1, T_I32, 1);
    list(&f, &last, 2, T_STRUCT, n + 1);
    number(&f, &in, 3, T_I32, 0);
    field(&f, &in, 4, T_BINARY);
    text(&f, STR("schema"));
    number(&f, &in, 5, T_I32, (int64_t)n);
    end(&f);
    for (size_t i = 0; i < n; i++) put_element(&f, &cols[i]);
    number(&f, &last, 3, T_I64, (int64_t)n_rows);
    list(&f, &last, 4, T_STRUCT, 1);
    list(&f, &group, 1, T_STRUCT, n);
    for (size_t i = 0; i < n; i++) put_chunk(&f, &cols[i], &at[i], n_rows);
    number(&f, &group, 2, T_I64, sum);
    number(&f, &group, 3, T_I64, (int64_t)n_rows);
    end(&f);
    field(&f, &last, 6, T_BINARY);
    text(&f, STR("boathouse"));
    end(&f);
    buf_str(out, buf_view(&f));
    put_le(out, f.n, 4);
    buf_z(out, "PAR1");
    buf_free(&f);
}
