/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variants: made of JSON text, taken apart by path. show_variant.c describes the bytes and writes them as JSON; here they
 * are built and walked. Every offset is checked: a malformed variant ends in MALFORMED_VARIANT.
 */
#include <math.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/json.h"
#include "engine/worker/fn_int.h"
#include "engine/worker/show.h"
#include "engine/worker/variant.h"

#define VARIANT_DEEPEST 500
#define VARIANT_MAX (16u << 20)

/* ---- building ---- */

struct builder {
    buf meta_names;          /* the names, one after the other */
    struct { uint32_t from, len; } *name;
    size_t n_names, cap_names;
    buf value;
    int depth;
    bool typed;              /* texts behind U+0001 are values of types that JSON lacks */
};

static void builder_free(struct builder *b) {
    buf_free(&b->meta_names);
    buf_free(&b->value);
    free(b->name);
}

static str name_text(const struct builder *b, size_t i) { return str_n(b->meta_names.p + b->name[i].from, b->name[i].len); }

/* Index of a name, added when new. Linear: objects of many different keys are rare and bounded by VARIANT_MAX. */
static size_t name_id(struct builder *b, str key) {
    for (size_t i = b->n_names; i-- > 0;)
        if (str_eq(name_text(b, i), key)) return i;
    if (b->n_names == b->cap_names) {
        size_t cap = b->cap_names ? b->cap_names * 2 : 16;
        void *more = realloc(b->name, cap * sizeof *b->name);
        must(more != NULL);
        b->name = more;
        b->cap_names = cap;
    }
    b->name[b->n_names].from = (uint32_t)b->meta_names.n;
    b->name[b->n_names].len = (uint32_t)key.n;
    buf_str(&b->meta_names, key);
    return b->n_names++;
}

static void put_le(buf *o, uint64_t v, size_t n) {
    for (size_t i = 0; i < n; i++) buf_u8(o, (uint8_t)(v >> (8 * i)));
}

static size_t width_of(uint64_t v) { return v < 256 ? 1 : v < 65536 ? 2 : v < (1u << 24) ? 3 : 4; }

static void put_string(buf *o, str s) {
    if (s.n < 64) {
        buf_u8(o, (uint8_t)(s.n << 2 | 1));
    } else {
        buf_u8(o, 16 << 2);
        put_le(o, s.n, 4);
    }
    buf_str(o, s);
}

static void put_int(buf *o, int64_t v) {
    size_t n = v >= INT8_MIN && v <= INT8_MAX ? 1 : v >= INT16_MIN && v <= INT16_MAX ? 2 : v >= INT32_MIN && v <= INT32_MAX ? 4 : 8;
    buf_u8(o, (uint8_t)((n == 1 ? 3 : n == 2 ? 4 : n == 4 ? 5 : 6) << 2));
    put_le(o, (uint64_t)v, n);
}

/* Digits with a point and no exponent, as a decimal. False: not such, or more than 38 of them. */
static bool put_decimal(buf *o, str raw) {
    u128 unscaled = 0;
    size_t digits = 0, scale = 0, at = raw.n && raw.p[0] == '-';
    bool point = false, plain = true;
    for (size_t k = at; k < raw.n && plain; k++) {
        if (raw.p[k] == '.' && !point) {
            point = true;
        } else if (raw.p[k] >= '0' && raw.p[k] <= '9') {
            if (unscaled || raw.p[k] != '0') digits++;
            scale += point;
            if (digits <= 38) unscaled = unscaled * 10 + (u128)(raw.p[k] - '0');
        } else {
            plain = false;
        }
    }
    if (!plain || digits > 38 || scale > 38) return false;
    i128 v = at ? -(i128)unscaled : (i128)unscaled;
    size_t n = digits <= 9 && scale <= 9 ? 4 : digits <= 18 && scale <= 18 ? 8 : 16;
    buf_u8(o, (uint8_t)((n == 4 ? 8 : n == 8 ? 9 : 10) << 2));
    buf_u8(o, (uint8_t)scale);
    for (size_t k = 0; k < n; k++) buf_u8(o, (uint8_t)((u128)v >> (8 * k)));
    return true;
}

/* Integers, then decimals where they fit; everything else is a double. */
static void put_number(buf *o, str raw) {
    int64_t i;
    double d;
    if (str_to_i64(raw, &i)) {
        put_int(o, i);
        return;
    }
    if (put_decimal(o, raw)) return;
    if (!str_to_f64(raw, &d)) d = 0;
    uint64_t bits;
    memcpy(&bits, &d, 8);
    buf_u8(o, 7 << 2);
    put_le(o, bits, 8);
}

/* What sql/func_rules_json.c writes for casts to VARIANT: a letter and the value's text. */
static bool put_typed(buf *o, str s) {
    int64_t i = 0;
    double d = 0;
    uint64_t bits = 0;
    str t = str_from(s, 1);
    switch (s.p[0]) {
    case 'd':
        if (!str_to_i64(t, &i)) return false;
        buf_u8(o, 11 << 2);
        put_le(o, (uint64_t)i, 4);
        return true;
    case 't':
    case 'n':
        if (!str_to_i64(t, &i)) return false;
        buf_u8(o, (s.p[0] == 't' ? 12 : 13) << 2);
        put_le(o, (uint64_t)i, 8);
        return true;
    case 'f':
    case 'g':
        if (str_ieq(t, STR("nan")))
            d = (double)NAN;
        else if (str_ieq(t, STR("inf")) || str_ieq(t, STR("-inf")))
            d = t.p[0] == '-' ? -(double)INFINITY : (double)INFINITY;
        else if (!str_to_f64(t, &d))
            return false;
        if (s.p[0] == 'g') {
            float f = (float)d;
            uint32_t half;
            memcpy(&half, &f, 4);
            buf_u8(o, 14 << 2);
            put_le(o, half, 4);
            return true;
        }
        memcpy(&bits, &d, 8);
        buf_u8(o, 7 << 2);
        put_le(o, bits, 8);
        return true;
    case 'c': return put_decimal(o, t);
    case 'b': {
        buf raw = {0};
        bool ok = enc_unhex(&raw, t);
        buf_u8(o, 15 << 2);
        put_le(o, raw.n, 4);
        buf_str(o, buf_view(&raw));
        buf_free(&raw);
        return ok;
    }
    default: put_string(o, s); return s.p[0] == 1;
    }
}

struct field {
    str key;
    size_t id;
    uint32_t at;
};

static int by_key(const void *x, const void *y) { return str_cmp(((const struct field *)x)->key, ((const struct field *)y)->key); }

static bool build(struct builder *b, yyjson_val *v, buf *o);

static bool build_container(struct builder *b, yyjson_val *v, buf *o) {
    bool object = yyjson_is_obj(v), ok = true;
    size_t n = object ? yyjson_obj_size(v) : yyjson_arr_size(v), i, max, k = 0, top_id = 0;
    struct field *f = calloc(n + 1, sizeof *f);
    buf data = {.max = VARIANT_MAX};
    yyjson_val *key, *e;
    must(f != NULL);
    if (object) {
        yyjson_obj_foreach(v, i, max, key, e) {
            f[k].key = str_n(yyjson_get_str(key), yyjson_get_len(key));
            f[k].id = name_id(b, f[k].key);
            if (f[k].id > top_id) top_id = f[k].id;
            f[k++].at = (uint32_t)data.n;
            ok = ok && build(b, e, &data);
        }
        qsort(f, n, sizeof *f, by_key);
        for (size_t j = 1; j < n; j++) ok = ok && !str_eq(f[j].key, f[j - 1].key);
    } else {
        yyjson_arr_foreach(v, i, max, e) {
            f[k++].at = (uint32_t)data.n;
            ok = ok && build(b, e, &data);
        }
    }
    size_t off = width_of(data.n), id = width_of(top_id);
    bool large = n > 255;
    if (object)
        buf_u8(o, (uint8_t)(((large ? 1u << 4 : 0) | (id - 1) << 2 | (off - 1)) << 2 | 2));
    else
        buf_u8(o, (uint8_t)(((large ? 1u << 2 : 0) | (off - 1)) << 2 | 3));
    put_le(o, n, large ? 4 : 1);
    for (size_t j = 0; object && j < n; j++) put_le(o, f[j].id, id);
    for (size_t j = 0; j < n; j++) put_le(o, f[j].at, off);
    put_le(o, data.n, off);
    buf_str(o, buf_view(&data));
    ok = ok && !data.overflow;
    buf_free(&data);
    free(f);
    return ok;
}

static bool build(struct builder *b, yyjson_val *v, buf *o) {
    if (o->n > VARIANT_MAX || ++b->depth > VARIANT_DEEPEST) return false;
    bool ok = true;
    switch (yyjson_get_type(v)) {
    case YYJSON_TYPE_NULL: buf_u8(o, 0); break;
    case YYJSON_TYPE_BOOL: buf_u8(o, yyjson_get_bool(v) ? 1 << 2 : 2 << 2); break;
    case YYJSON_TYPE_STR: {
        str s = str_n(yyjson_get_str(v), yyjson_get_len(v));
        if (b->typed && s.n > 1 && s.p[0] == 1)
            ok = put_typed(o, str_from(s, 1));
        else
            put_string(o, s);
        break;
    }
    case YYJSON_TYPE_RAW: put_number(o, str_n(yyjson_get_raw(v), yyjson_get_len(v))); break;
    default: ok = build_container(b, v, o); break;
    }
    b->depth--;
    return ok;
}

static bool made_of(str text, bool typed, buf *out) {
    struct builder b = {.value = {.max = VARIANT_MAX}, .typed = typed};
    yyjson_doc *d = yyjson_read(text.p ? text.p : "", text.n, YYJSON_READ_NUMBER_AS_RAW);
    bool ok = d && build(&b, yyjson_doc_get_root(d), &b.value) && !b.value.overflow;
    if (ok) {
        buf meta = {0};
        size_t w = width_of(b.meta_names.n > b.n_names ? b.meta_names.n : b.n_names);
        buf_u8(&meta, (uint8_t)(1 | (w - 1) << 6));
        put_le(&meta, b.n_names, w);
        for (size_t i = 0; i < b.n_names; i++) put_le(&meta, b.name[i].from, w);
        put_le(&meta, b.meta_names.n, w);
        buf_str(&meta, buf_view(&b.meta_names));
        put_le(out, meta.n, 4);
        buf_str(out, buf_view(&meta));
        buf_str(out, buf_view(&b.value));
        buf_free(&meta);
    }
    yyjson_doc_free(d);
    builder_free(&b);
    return ok;
}

bool variant_of_json(str text, buf *out) { return made_of(text, false, out); }

/* ---- walking ---- */

struct view {
    str meta, value;
};

static bool le(str s, size_t at, size_t n, uint64_t *ret) {
    if (at > s.n || s.n - at < n) return false;
    *ret = 0;
    for (size_t i = n; i-- > 0;) *ret = *ret << 8 | (unsigned char)s.p[at + i];
    return true;
}

static bool view_of(str v, struct view *ret) {
    uint64_t n;
    if (!le(v, 0, 4, &n) || n > v.n - 4) return false;
    *ret = (struct view){str_n(v.p + 4, n), str_from(v, 4 + n)};
    return ret->value.n > 0 && n > 0;
}

static bool meta_name(str m, uint64_t id, str *ret) {
    size_t w = ((unsigned char)m.p[0] >> 6 & 3) + 1u;
    uint64_t count, from, to;
    if (!le(m, 1, w, &count) || id >= count || count > m.n) return false;
    size_t base = 1 + w + (count + 1) * w;
    if (!le(m, 1 + w + id * w, w, &from) || !le(m, 1 + w + (id + 1) * w, w, &to) || to < from || base > m.n || to > m.n - base) return false;
    *ret = str_n(m.p + base + from, to - from);
    return true;
}

struct box {
    bool object;
    uint64_t count;
    size_t ids, offs, data, id_size, off_size;
};

static bool box_of(str v, struct box *ret) {
    unsigned h = (unsigned char)v.p[0], k = h & 3;
    if (k < 2) return false;
    h >>= 2;
    ret->object = k == 2;
    ret->off_size = (h & 3) + 1;
    ret->id_size = ret->object ? (h >> 2 & 3) + 1 : 0;
    size_t cs = (ret->object ? h >> 4 & 1 : h >> 2 & 1) ? 4 : 1;
    if (!le(v, 1, cs, &ret->count) || ret->count > v.n) return false;
    ret->ids = 1 + cs;
    ret->offs = ret->ids + ret->count * ret->id_size;
    ret->data = ret->offs + (ret->count + 1) * ret->off_size;
    return ret->data <= v.n;
}

static bool box_at(str v, const struct box *b, uint64_t i, str *ret) {
    uint64_t off;
    if (i >= b->count || !le(v, b->offs + i * b->off_size, b->off_size, &off) || off >= v.n - b->data) return false;
    *ret = str_from(v, b->data + off);
    return true;
}

static bool box_key(const struct view *w, const struct box *b, uint64_t i, str *ret) {
    uint64_t id;
    return b->object && i < b->count && le(w->value, b->ids + i * b->id_size, b->id_size, &id) && meta_name(w->meta, id, ret);
}

/* One step of a path; false: not there. */
static bool step(struct view *w, str key, bool index) {
    struct box b;
    str name, found;
    int64_t i;
    if (!box_of(w->value, &b) || b.object == index) return false;
    if (index) {
        if (!str_to_i64(key, &i) || i < 0 || !box_at(w->value, &b, (uint64_t)i, &found)) return false;
        w->value = found;
        return true;
    }
    for (uint64_t k = 0; k < b.count; k++)
        if (box_key(w, &b, k, &name) && str_eq(name, key)) {
            if (!box_at(w->value, &b, k, &found)) return false;
            w->value = found;
            return true;
        }
    return false;
}

/* 1: found, 0: not there, -1: the text is no path. */
static int walk(struct view *w, str p) {
    size_t i = 1;
    if (p.n == 0 || p.p[0] != '$') return -1;
    bool there = true;
    while (i < p.n) {
        str key;
        bool index = false;
        if (p.p[i] == '.') {
            size_t from = ++i;
            while (i < p.n && p.p[i] != '.' && p.p[i] != '[') i++;
            key = str_n(p.p + from, i - from);
            if (key.n == 0) return -1;
        } else if (p.p[i] == '[' && i + 1 < p.n && (p.p[i + 1] == '\'' || p.p[i + 1] == '"')) {
            char q = p.p[i + 1];
            size_t from = i + 2;
            for (i = from; i < p.n && p.p[i] != q;) i++;
            key = str_n(p.p + from, i - from);
            if (i + 1 >= p.n || p.p[i + 1] != ']') return -1;
            i += 2;
        } else if (p.p[i] == '[') {
            size_t from = ++i;
            while (i < p.n && p.p[i] != ']') i++;
            if (i == p.n) return -1;
            key = str_n(p.p + from, i++ - from);
            index = true;
        } else {
            return -1;
        }
        there = there && step(w, key, index);
    }
    return there;
}

static void put_view(const struct view *w, buf *o) {
    put_le(o, w->meta.n, 4);
    buf_str(o, w->meta);
    buf_str(o, w->value);
}

int variant_part(str variant, str path, buf *out) {
    struct view w;
    if (!view_of(variant, &w)) return 0;
    int found = walk(&w, path);
    if (found > 0) put_view(&w, out);
    return found;
}

static bool is_null(str v) { return v.n > 0 && v.p[0] == 0; }

/* A string without its quotes, everything else as JSON. */
static bool text_of(const struct view *w, const struct zone *z, buf *o) {
    unsigned h = (unsigned char)w->value.p[0];
    uint64_t n;
    if ((h & 3) == 1) {
        if ((h >> 2) > w->value.n - 1) return false;
        buf_add(o, w->value.p + 1, h >> 2);
        return true;
    }
    if (h == 16 << 2) {
        if (!le(w->value, 1, 4, &n) || n > w->value.n - 5) return false;
        buf_add(o, w->value.p + 5, n);
        return true;
    }
    buf whole = {0}, json = {0};
    put_view(w, &whole);
    bool ok = show_variant(buf_view(&whole), z, &json);
    str j = buf_view(&json);
    /* Dates and the like are written in quotes. */
    if ((h & 3) == 0 && j.n > 1 && j.p[0] == '"') j = str_n(j.p + 1, j.n - 2);
    buf_str(o, j);
    buf_free(&whole);
    buf_free(&json);
    return ok;
}

/* ---- functions ---- */

static void parse_json(struct fn_call *c) {
    buf *o = fn_text(c);
    if (made_of(fn_str(c, 0), c->def->tag == 2, o)) {
        fn_ret_buf(c, o);
        return;
    }
    if (c->def->tag == 1) return;
    str s = fn_str(c, 0);
    fn_fail_with(c, "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION", (struct fn_param[]){{"badRecord", s}, {"failFastMode", STR("FAILFAST")}}, 2);
}

static bool start(struct fn_call *c, struct view *w) {
    if (view_of(fn_str(c, 0), w)) return true;
    fn_fail(c, "MALFORMED_VARIANT", NULL);
    return false;
}

static bool go(struct fn_call *c, struct view *w) {
    int found = walk(w, fn_str(c, 1));
    if (found < 0)
        fn_fail_with(c, "INVALID_VARIANT_GET_PATH", (struct fn_param[]){{"path", fn_str(c, 1)}, {"functionName", STR("`variant_get`")}}, 2);
    return found > 0;
}

static void variant_path(struct fn_call *c) {
    struct view w;
    if (!start(c, &w) || !go(c, &w)) return;
    buf *o = fn_text(c);
    put_view(&w, o);
    fn_ret_buf(c, o);
}

/* The type is written as in other messages: "INT". */
static void misfit(struct fn_call *c, str value) {
    str type = fn_str(c, 2);
    char name[80];
    size_t n = 0;
    name[n++] = '"';
    for (size_t i = 0; i < type.n && n < sizeof name - 1; i++) name[n++] = (char)(type.p[i] >= 'a' && type.p[i] <= 'z' ? type.p[i] - 32 : type.p[i]);
    name[n++] = '"';
    fn_fail_with(c, "INVALID_VARIANT_CAST", (struct fn_param[]){{"value", value}, {"dataType", str_n(name, n)}}, 2);
}

/* variant, path, type, zone → the text that the type's cast reads; the plain one fails where a container is asked for a scalar. */
static void variant_get(struct fn_call *c) {
    struct view w;
    if (!start(c, &w) || !go(c, &w) || is_null(w.value)) return;
    const struct zone *z = fn_zone(c, 3);
    if (!z) return;
    bool container = ((unsigned char)w.value.p[0] & 3) >= 2;
    buf *o = fn_text(c);
    if (!text_of(&w, z, o)) {
        fn_fail(c, "MALFORMED_VARIANT", NULL);
        return;
    }
    if (container && !str_eqz(fn_str(c, 2), "string")) {
        if (!c->def->tag) misfit(c, buf_view(o));
        return;
    }
    fn_ret_buf(c, o);
}

static void variant_string(struct fn_call *c) {
    struct view w;
    const struct zone *z = fn_zone(c, 1);
    if (!z || !start(c, &w) || is_null(w.value)) return;
    buf *o = fn_text(c);
    if (text_of(&w, z, o))
        fn_ret_buf(c, o);
    else
        fn_fail(c, "MALFORMED_VARIANT", NULL);
}

static void variant_json(struct fn_call *c) {
    const struct zone *z = fn_zone(c, 1);
    buf *o = fn_text(c);
    if (z && show_variant(fn_str(c, 0), z, o)) fn_ret_buf(c, o);
}

static void is_variant_null(struct fn_call *c) {
    struct view w;
    fn_ret_bool(c, fn_valid(c, 0) && view_of(fn_str(c, 0), &w) && is_null(w.value));
}

static void is_valid(struct fn_call *c) {
    buf *o = fn_text(c);
    const struct zone *z = fn_zone(c, 1);
    if (z) fn_ret_bool(c, show_variant(fn_str(c, 0), z, o));
}

static void variant_size(struct fn_call *c) {
    struct view w;
    struct box b;
    if (start(c, &w) && box_of(w.value, &b)) fn_ret_i64(c, (int64_t)b.count);
}

static void variant_at(struct fn_call *c) {
    struct view w;
    struct box b;
    str v;
    int64_t i = fn_i64(c, 1);
    if (!start(c, &w) || !box_of(w.value, &b) || i < 0 || !box_at(w.value, &b, (uint64_t)i, &v)) return;
    w.value = v;
    buf *o = fn_text(c);
    put_view(&w, o);
    fn_ret_buf(c, o);
}

static void variant_key(struct fn_call *c) {
    struct view w;
    struct box b;
    str k;
    int64_t i = fn_i64(c, 1);
    if (start(c, &w) && box_of(w.value, &b) && i >= 0 && box_key(&w, &b, (uint64_t)i, &k)) fn_ret_str(c, k);
}

static const struct fn_def defs[] = {
    {"bh_parse_json", "s:b", parse_json, 0, 0},
    {"bh_try_parse_json", "s:b", parse_json, 0, 1},
    {"bh_variant_made", "s:b", parse_json, 0, 2},
    {"bh_variant_path", "bs:b", variant_path, 0, 0},
    {"bh_variant_get", "bsss:s", variant_get, 0, 0},
    {"bh_try_variant_get", "bsss:s", variant_get, 0, 1},
    {"bh_variant_cast_string", "bs:s", variant_string, 0, 0},
    {"bh_variant_json", "bs:s", variant_json, 0, 0},
    {"bh_is_variant_null", "b:B", is_variant_null, FN_NULLS, 0},
    {"bh_is_valid_variant", "bs:B", is_valid, 0, 0},
    {"bh_variant_size", "b:l", variant_size, 0, 0},
    {"bh_variant_at", "bl:b", variant_at, 0, 0},
    {"bh_variant_key", "bl:s", variant_key, 0, 0},
};
const struct fn_table fn_table_variant = {defs, ARRAY_LEN(defs)};
