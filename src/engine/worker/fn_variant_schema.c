/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schema_of_variant: the type of a variant's value as text; of several values (elements of an array, rows of a group) the
 * common one, VARIANT where there is none. Bytes are as show_variant.c says; malformed ones end the statement.
 */
#include <stdlib.h>

#include "base/arena.h"
#include "engine/worker/fn_int.h"

#define DEEPEST 500

enum what { S_VOID, S_BOOLEAN, S_BIGINT, S_DECIMAL, S_DOUBLE, S_FLOAT, S_STRING, S_BINARY, S_DATE, S_TIMESTAMP, S_NTZ, S_UUID, S_ARRAY, S_OBJECT, S_VARIANT };

struct schema {
    enum what what;
    int precision, scale;
    const struct schema *elem;
    struct member { str name; const struct schema *type; } *member; /* by name */
    size_t n;
};

static const struct schema plain[] = {[S_VOID] = {.what = S_VOID}, [S_BOOLEAN] = {.what = S_BOOLEAN}, [S_BIGINT] = {.what = S_BIGINT}, [S_DOUBLE] = {.what = S_DOUBLE},
                                      [S_FLOAT] = {.what = S_FLOAT}, [S_STRING] = {.what = S_STRING}, [S_BINARY] = {.what = S_BINARY}, [S_DATE] = {.what = S_DATE},
                                      [S_TIMESTAMP] = {.what = S_TIMESTAMP}, [S_NTZ] = {.what = S_NTZ}, [S_UUID] = {.what = S_UUID}, [S_VARIANT] = {.what = S_VARIANT}};

struct reader { arena *a; str meta; size_t size, names, bytes; uint64_t count; };

static bool le(str s, size_t at, size_t n, uint64_t *ret) {
    if (at > s.n || s.n - at < n) return false;
    *ret = 0;
    for (size_t i = n; i-- > 0;) *ret = *ret << 8 | (unsigned char)s.p[at + i];
    return true;
}

static bool name_at(const struct reader *r, uint64_t id, str *ret) {
    uint64_t from, to;
    if (id >= r->count || !le(r->meta, r->names + id * r->size, r->size, &from) || !le(r->meta, r->names + (id + 1) * r->size, r->size, &to) || to < from || to > r->meta.n - r->bytes)
        return false;
    *ret = str_n(r->meta.p + r->bytes + from, to - from);
    return true;
}

/* ---- common types ---- */

static const struct schema *decimal(arena *a, int precision, int scale) {
    struct schema *s = arena_new_of(a, struct schema);
    *s = (struct schema){.what = S_DECIMAL, .precision = precision, .scale = scale};
    return s;
}

static const struct schema *common(arena *a, const struct schema *x, const struct schema *y);

static const struct schema *objects(arena *a, const struct schema *x, const struct schema *y) {
    struct schema *s = arena_new_of(a, struct schema);
    *s = (struct schema){.what = S_OBJECT, .member = arena_array_of(a, struct member, x->n + y->n + 1)};
    for (size_t i = 0, k = 0; i < x->n || k < y->n; s->n++) {
        int c = i == x->n ? 1 : k == y->n ? -1 : str_cmp(x->member[i].name, y->member[k].name);
        s->member[s->n] = c <= 0 ? x->member[i] : y->member[k];
        if (c == 0) s->member[s->n].type = common(a, x->member[i].type, y->member[k].type);
        i += c <= 0;
        k += c >= 0;
    }
    return s;
}

static const struct schema *array(arena *a, const struct schema *elem) {
    struct schema *s = arena_new_of(a, struct schema);
    *s = (struct schema){.what = S_ARRAY, .elem = elem};
    return s;
}

static bool number(const struct schema *s) { return s->what == S_BIGINT || s->what == S_DECIMAL || s->what == S_DOUBLE || s->what == S_FLOAT; }

static const struct schema *common(arena *a, const struct schema *x, const struct schema *y) {
    if (x->what == S_VOID) return y;
    if (y->what == S_VOID) return x;
    if (x->what == S_ARRAY && y->what == S_ARRAY) return array(a, common(a, x->elem, y->elem));
    if (x->what == S_OBJECT && y->what == S_OBJECT) return objects(a, x, y);
    if (number(x) && number(y) && (x->what == S_DECIMAL || y->what == S_DECIMAL) && x->what <= S_DECIMAL && y->what <= S_DECIMAL) {
        int px = x->what == S_DECIMAL ? x->precision : 20, py = y->what == S_DECIMAL ? y->precision : 20;
        int scale = x->scale > y->scale ? x->scale : y->scale, whole = px - x->scale > py - y->scale ? px - x->scale : py - y->scale;
        return whole + scale > 38 ? &plain[S_DOUBLE] : decimal(a, whole + scale, scale);
    }
    if (x->what == y->what) return x;
    if (number(x) && number(y)) return &plain[S_DOUBLE];
    return &plain[S_VARIANT];
}

/* ---- reading ---- */

static const struct schema *of_value(struct reader *r, str v, int depth);

static const struct schema *of_container(struct reader *r, str v, bool object, int depth) {
    unsigned h = (unsigned char)v.p[0] >> 2;
    size_t off_size = (h & 3) + 1, id_size = object ? (h >> 2 & 3) + 1 : 0, count_size = (object ? h >> 4 & 1 : h >> 2 & 1) ? 4 : 1;
    uint64_t count, id, off;
    if (!le(v, 1, count_size, &count) || count > v.n) return NULL;
    size_t ids = 1 + count_size, offs = ids + count * id_size, data = offs + (count + 1) * off_size;
    if (data > v.n) return NULL;
    const struct schema *elem = &plain[S_VOID];
    struct schema *s = arena_new_of(r->a, struct schema);
    *s = (struct schema){.what = S_OBJECT, .member = object ? arena_array_of(r->a, struct member, count + 1) : NULL};
    for (uint64_t i = 0; i < count; i++) {
        if (!le(v, offs + i * off_size, off_size, &off) || off > v.n - data) return NULL;
        const struct schema *t = of_value(r, str_from(v, data + off), depth + 1);
        if (!t) return NULL;
        if (!object) {
            elem = common(r->a, elem, t);
            continue;
        }
        struct member *m = &s->member[s->n++];
        m->type = t;
        if (!le(v, ids + i * id_size, id_size, &id) || !name_at(r, id, &m->name)) return NULL;
        m->name = arena_str(r->a, m->name);
    }
    return object ? s : array(r->a, elem);
}

static const struct schema *of_decimal(struct reader *r, str v, size_t bytes) {
    uint64_t scale, lo, hi = 0;
    if (!le(v, 1, 1, &scale) || scale > 38 || !le(v, 2, bytes < 8 ? bytes : 8, &lo)) return NULL;
    i128 x;
    if (bytes == 16) {
        if (!le(v, 10, 8, &hi)) return NULL;
        x = (i128)((u128)hi << 64 | lo);
    } else x = bytes == 8 ? (int64_t)lo : (int32_t)lo;
    while (scale > 0 && x % 10 == 0) x /= 10, scale--;
    int digits = 0;
    for (; x; x /= 10) digits++;
    if (digits == 0) digits = 1;
    return decimal(r->a, digits < (int)scale ? (int)scale : digits, (int)scale);
}

static const struct schema *of_value(struct reader *r, str v, int depth) {
    if (depth > DEEPEST || v.n < 1) return NULL;
    unsigned kind = (unsigned char)v.p[0] & 3, type = (unsigned char)v.p[0] >> 2;
    if (kind == 1) return &plain[S_STRING];
    if (kind >= 2) return of_container(r, v, kind == 2, depth);
    switch (type) {
    case 0: return &plain[S_VOID];
    case 1:
    case 2: return &plain[S_BOOLEAN];
    case 3:
    case 4:
    case 5:
    case 6: return &plain[S_BIGINT];
    case 7: return &plain[S_DOUBLE];
    case 8: return of_decimal(r, v, 4);
    case 9: return of_decimal(r, v, 8);
    case 10: return of_decimal(r, v, 16);
    case 11: return &plain[S_DATE];
    case 12: return &plain[S_TIMESTAMP];
    case 13: return &plain[S_NTZ];
    case 14: return &plain[S_FLOAT];
    case 15: return &plain[S_BINARY];
    case 16: return &plain[S_STRING];
    case 20: return &plain[S_UUID];
    default: return NULL;
    }
}

static const struct schema *of_variant(arena *a, str s) {
    uint64_t meta;
    struct reader r = {.a = a};
    if (!le(s, 0, 4, &meta) || meta < 1 || meta > s.n - 4) return NULL;
    r.meta = str_n(s.p + 4, meta);
    r.size = ((unsigned char)r.meta.p[0] >> 6 & 3) + 1u;
    if (!le(r.meta, 1, r.size, &r.count) || r.count > r.meta.n) return NULL;
    r.names = 1 + r.size;
    r.bytes = r.names + (r.count + 1) * r.size;
    if (r.bytes > r.meta.n) return NULL;
    return of_value(&r, str_from(s, 4 + meta), 0);
}

/* ---- writing ---- */

static void put_name(str name, buf *out) {
    bool plain_name = name.n > 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        plain_name = plain_name && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (i > 0 && c >= '0' && c <= '9'));
    }
    if (plain_name) {
        buf_str(out, name);
        return;
    }
    buf_c(out, '`');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '`') buf_c(out, '`');
        buf_c(out, name.p[i]);
    }
    buf_c(out, '`');
}

static void put(const struct schema *s, buf *out) {
    static const char *const names[] = {"VOID", "BOOLEAN", "BIGINT", "", "DOUBLE", "FLOAT", "STRING", "BINARY", "DATE", "TIMESTAMP", "TIMESTAMP_NTZ", "UUID", "ARRAY<", "OBJECT<", "VARIANT"};
    buf_z(out, names[s->what]);
    if (s->what == S_DECIMAL) buf_fmt(out, "DECIMAL(%d,%d)", s->precision, s->scale);
    if (s->what == S_ARRAY) {
        put(s->elem, out);
        buf_c(out, '>');
    }
    if (s->what != S_OBJECT) return;
    for (size_t i = 0; i < s->n; i++) {
        if (i) buf_z(out, ", ");
        put_name(s->member[i].name, out);
        buf_z(out, ": ");
        put(s->member[i].type, out);
    }
    buf_c(out, '>');
}

static void finish(struct fn_call *c, const struct schema *s) {
    buf *b = fn_text(c);
    if (!s) {
        fn_fail(c, "MALFORMED_VARIANT", NULL);
        return;
    }
    put(s, b);
    fn_ret_buf(c, b);
}

static void schema_of(struct fn_call *c) {
    arena *a = arena_new();
    finish(c, of_variant(a, fn_str(c, 0)));
    arena_free(a);
}

static void schema_of_all(struct fn_call *c) {
    duckdb_list_entry e = ((const duckdb_list_entry *)c->arg[0].data)[c->row];
    duckdb_vector child = duckdb_list_vector_get_child(c->arg[0].vec);
    const duckdb_string_t *s = duckdb_vector_get_data(child);
    const uint64_t *valid = duckdb_vector_get_validity(child);
    arena *a = arena_new();
    const struct schema *all = &plain[S_VOID];
    for (idx_t i = e.offset; i < e.offset + e.length && all; i++) {
        if (valid && !(valid[i >> 6] >> (i & 63) & 1)) continue;
        const struct schema *t = of_variant(a, fn_str_of(&s[i]));
        all = t ? common(a, all, t) : NULL;
    }
    finish(c, all);
    arena_free(a);
}

static const struct fn_def defs[] = {
    {"bh_schema_of_variant", "b:s", schema_of, 0, 0},
    {"bh_schema_of_variants", "[b:s", schema_of_all, 0, 0},
};
const struct fn_table fn_table_variant_schema = {defs, ARRAY_LEN(defs)};
