/* SPDX-License-Identifier: Apache-2.0 */
#include "thrift/thrift.h"

#define STRICT 0x80010000u

enum wire {
    W_STOP = 0,
    W_BOOL = 2,
    W_I8 = 3,
    W_DOUBLE = 4,
    W_I16 = 6,
    W_I32 = 8,
    W_I64 = 10,
    W_STR = 11,
    W_STRUCT = 12,
    W_MAP = 13,
    W_SET = 14,
    W_LIST = 15
};

static const uint8_t wire_of[] = {0,        W_BOOL, W_I8,     W_I16,  W_I32, W_I64,
                                  W_DOUBLE, W_STR,  W_STRUCT, W_LIST, W_MAP, W_LIST};

/* ---- reading ---- */

struct reader {
    arena *a;
    str in;
    size_t at;
    int depth;
    size_t spent; /* memory for lists and maps */
};

static err *cut_off(void) {
    return err_new(ERR_MALFORMED_REQUEST, "The Thrift message ends inside a value.");
}

static err *take(struct reader *r, size_t n, uint64_t *ret) {
    if (r->in.n - r->at < n) return cut_off();
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | (uint8_t)r->in.p[r->at + i];
    r->at += n;
    *ret = v;
    return NULL;
}

static err *take_str(struct reader *r, str *ret) {
    uint64_t n = 0;
    TRY(take(r, 4, &n));
    if (n > r->in.n - r->at) return cut_off();
    *ret = str_n(r->in.p + r->at, n);
    r->at += n;
    return NULL;
}

/* Fewest bytes that a value of this wire type takes. */
static size_t least(uint8_t wire) {
    switch (wire) {
    case W_BOOL:
    case W_I8:
    case W_STRUCT:
        return 1;
    case W_I16:
        return 2;
    case W_I32:
    case W_STR:
        return 4;
    case W_DOUBLE:
    case W_I64:
        return 8;
    case W_MAP:
        return 6;
    case W_SET:
    case W_LIST:
        return 5;
    default:
        return 0;
    }
}

static err *bad_type(uint8_t wire) {
    return err_new(ERR_MALFORMED_REQUEST, "The Thrift message has a value of the unknown type %u.",
                   wire);
}

static err *skip(struct reader *r, uint8_t wire);

static err *skip_many(struct reader *r, uint64_t count, uint8_t w1, uint8_t w2) {
    size_t each = least(w1) + (w2 ? least(w2) : 0);
    if (count && (!least(w1) || (w2 && !least(w2)))) return bad_type(least(w1) ? w2 : w1);
    if (count > (r->in.n - r->at) / (each ? each : 1)) return cut_off();
    for (uint64_t i = 0; i < count; i++) {
        TRY(skip(r, w1));
        if (w2) TRY(skip(r, w2));
    }
    return NULL;
}

static err *skip_nested(struct reader *r, uint8_t wire) {
    uint64_t a = 0, b = 0, n = 0;
    if (wire == W_STRUCT) {
        for (;;) {
            TRY(take(r, 1, &a));
            if (a == W_STOP) return NULL;
            TRY(take(r, 2, &b));
            TRY(skip(r, (uint8_t)a));
        }
    }
    TRY(take(r, 1, &a));
    b = 0;
    if (wire == W_MAP) TRY(take(r, 1, &b));
    TRY(take(r, 4, &n));
    if (wire == W_MAP && n && !b) return bad_type(0);
    return skip_many(r, n, (uint8_t)a, (uint8_t)b);
}

static err *skip(struct reader *r, uint8_t wire) {
    uint64_t v = 0;
    str s;
    switch (wire) {
    case W_BOOL:
    case W_I8:
    case W_I16:
    case W_I32:
    case W_I64:
    case W_DOUBLE:
        return take(r, least(wire), &v);
    case W_STR:
        return take_str(r, &s);
    case W_STRUCT:
    case W_MAP:
    case W_SET:
    case W_LIST: {
        if (r->depth >= THRIFT_MAX_DEPTH)
            return err_new(ERR_MALFORMED_REQUEST, "The Thrift message nests deeper than %d.",
                           THRIFT_MAX_DEPTH);
        r->depth++;
        err *e = skip_nested(r, wire);
        r->depth--;
        return e;
    }
    default:
        return bad_type(wire);
    }
}

static err *read_struct(struct reader *r, const struct thrift_struct *desc, char *to);

static err *read_value(struct reader *r, uint8_t kind, const struct thrift_struct *sub, char *to) {
    uint64_t v = 0;
    if (kind == TF_STR) return take_str(r, (str *)to);
    if (kind == TF_STRUCT) return read_struct(r, sub, to);
    TRY(take(r, least(wire_of[kind]), &v));
    switch (kind) {
    case TF_BOOL:
        *(bool *)to = v != 0;
        break;
    case TF_I8:
        *(int8_t *)to = (int8_t)v;
        break;
    case TF_I16:
        *(int16_t *)to = (int16_t)v;
        break;
    case TF_I32:
        *(int32_t *)to = (int32_t)v;
        break;
    case TF_I64:
        *(int64_t *)to = (int64_t)v;
        break;
    case TF_DOUBLE:
        memcpy(to, &v, 8);
        break;
    default:
        must(false);
    }
    return NULL;
}

/* A list or map: {pointer, count} at `to`. */
struct many {
    char *p;
    size_t n;
};

static err *read_many(struct reader *r, const struct thrift_field *f, struct many *to,
                      bool *ret_fits) {
    uint64_t k = W_STR, v = 0, n = 0;
    bool map = f->kind == TF_MAP;
    if (map) TRY(take(r, 1, &k));
    TRY(take(r, 1, &v));
    TRY(take(r, 4, &n));
    *ret_fits = !n || (k == W_STR && v == wire_of[f->elem]);
    if (!*ret_fits) return skip_many(r, n, (uint8_t)(map ? k : v), (uint8_t)(map ? v : 0));
    size_t each = least((uint8_t)v) + (map ? 4 : 0);
    if (n && n > (r->in.n - r->at) / each) return cut_off();
    /* An element in memory may be a hundred times its bytes on the wire: what a message can claim
     * is bounded. */
    size_t size = (n ? n : 1) * f->size;
    if (size <= THRIFT_MAX_LISTS - r->spent) to->p = arena_try_alloc(r->a, size, THRIFT_MAX_LISTS);
    r->spent += to->p ? size : 0;
    if (!to->p) return err_new(ERR_PAYLOAD_TOO_LARGE, "A list of the Thrift message is too long.");
    for (to->n = 0; to->n < n; to->n++) {
        char *at = to->p + to->n * f->size;
        size_t value = 0;
        if (map) {
            TRY(take_str(r, (str *)at));
            value = f->sub ? f->size - f->sub->size : offsetof(struct thrift_pair, value);
        }
        TRY(read_value(r, f->elem, f->sub, at + value));
    }
    return NULL;
}

static const struct thrift_field *find(const struct thrift_struct *desc, int16_t id) {
    for (size_t i = 0; i < desc->n; i++)
        if (desc->fields[i].id == id) return &desc->fields[i];
    return NULL;
}

static err *read_field(struct reader *r, const struct thrift_field *f, char *to) {
    bool fits = true;
    if (f->kind == TF_LIST || f->kind == TF_MAP) {
        TRY(read_many(r, f, (struct many *)(to + f->at), &fits));
    } else if (f->kind == TF_STRUCT) {
        char *sub = arena_alloc(r->a, f->sub->size);
        TRY(read_struct(r, f->sub, sub));
        *(char **)(to + f->at) = sub;
    } else {
        TRY(read_value(r, f->kind, f->sub, to + f->at));
    }
    if (fits) *(uint32_t *)to |= 1u << f->bit;
    return NULL;
}

static err *read_fields(struct reader *r, const struct thrift_struct *desc, char *to) {
    uint64_t type = 0, id = 0;
    for (;;) {
        TRY(take(r, 1, &type));
        if (type == W_STOP) return NULL;
        TRY(take(r, 2, &id));
        const struct thrift_field *f = find(desc, (int16_t)id);
        bool list = f && f->kind == TF_LIST && type == W_SET;
        if (f && (wire_of[f->kind] == type || list))
            TRY(read_field(r, f, to));
        else
            TRY(skip(r, (uint8_t)type));
    }
}

static err *read_struct(struct reader *r, const struct thrift_struct *desc, char *to) {
    if (r->depth >= THRIFT_MAX_DEPTH)
        return err_new(ERR_MALFORMED_REQUEST, "The Thrift message nests deeper than %d.",
                       THRIFT_MAX_DEPTH);
    r->depth++;
    err *e = read_fields(r, desc, to);
    r->depth--;
    return e;
}

err *thrift_read_head(str message, struct thrift_head *ret, size_t *ret_at) {
    struct reader r = {.in = message};
    uint64_t v = 0, seq = 0;
    str name;
    TRY(take(&r, 4, &v));
    uint64_t kind = v & 0xff;
    if ((v & 0xffff0000u) != STRICT || kind < THRIFT_CALL || kind > THRIFT_ONEWAY)
        return err_new(ERR_MALFORMED_REQUEST,
                       "This is not a message of Thrift's strict binary protocol.");
    TRY(take_str(&r, &name));
    TRY(take(&r, 4, &seq));
    *ret = (struct thrift_head){(enum thrift_message)kind, name, (int32_t)seq};
    *ret_at = r.at;
    return NULL;
}

err *thrift_read_wrapped(arena *a, str message, size_t at, int16_t id,
                         const struct thrift_struct *desc, void *ret) {
    struct reader r = {.a = a, .in = message, .at = at, .depth = 1};
    uint64_t type = 0, got = 0;
    for (;;) {
        TRY(take(&r, 1, &type));
        if (type == W_STOP) return NULL;
        TRY(take(&r, 2, &got));
        if ((int16_t)got == id && type == W_STRUCT)
            TRY(read_struct(&r, desc, ret));
        else
            TRY(skip(&r, (uint8_t)type));
    }
}

err *thrift_read(arena *a, str bytes, size_t *at, const struct thrift_struct *desc, void *ret) {
    struct reader r = {.a = a, .in = bytes, .at = *at};
    TRY(read_struct(&r, desc, ret));
    *at = r.at;
    return NULL;
}

/* ---- writing ---- */

static void put(buf *out, uint64_t v, size_t n) {
    char b[8];
    for (size_t i = 0; i < n; i++) b[i] = (char)(v >> (8 * (n - 1 - i)));
    buf_add(out, b, n);
}

static void put_str(buf *out, str s) {
    put(out, s.n, 4);
    buf_add(out, s.p ? s.p : "", s.n);
}

static void write_value(uint8_t kind, const struct thrift_struct *sub, const char *from, buf *out) {
    uint64_t bits;
    switch (kind) {
    case TF_BOOL:
        put(out, *(const bool *)from, 1);
        break;
    case TF_I8:
        put(out, (uint8_t) * (const int8_t *)from, 1);
        break;
    case TF_I16:
        put(out, (uint16_t) * (const int16_t *)from, 2);
        break;
    case TF_I32:
        put(out, (uint32_t) * (const int32_t *)from, 4);
        break;
    case TF_I64:
        put(out, (uint64_t) * (const int64_t *)from, 8);
        break;
    case TF_DOUBLE:
        memcpy(&bits, from, 8);
        put(out, bits, 8);
        break;
    case TF_STR:
        put_str(out, *(const str *)from);
        break;
    case TF_RAW:
        buf_str(out, *(const str *)from);
        break;
    case TF_STRUCT:
        thrift_write(sub, from, out);
        break;
    default:
        must(false);
    }
}

static void write_many(const struct thrift_field *f, const struct many *m, buf *out) {
    bool map = f->kind == TF_MAP;
    if (map) put(out, W_STR, 1);
    put(out, wire_of[f->elem], 1);
    put(out, m->n, 4);
    for (size_t i = 0; i < m->n; i++) {
        const char *at = m->p + i * f->size;
        size_t value = 0;
        if (map) {
            put_str(out, *(const str *)at);
            value = f->sub ? f->size - f->sub->size : offsetof(struct thrift_pair, value);
        }
        write_value(f->elem, f->sub, at + value, out);
    }
}

/* Pointers speak for themselves; numbers need their bit. */
static bool is_set(const struct thrift_field *f, const char *from) {
    switch (f->kind) {
    case TF_STR:
    case TF_RAW:
        return ((const str *)(from + f->at))->p != NULL;
    case TF_STRUCT:
        return *(char *const *)(from + f->at) != NULL;
    case TF_LIST:
    case TF_MAP:
        return ((const struct many *)(from + f->at))->p != NULL;
    default:
        return (*(const uint32_t *)from >> f->bit) & 1;
    }
}

void thrift_write(const struct thrift_struct *desc, const void *value, buf *out) {
    const char *from = value;
    for (size_t i = 0; i < desc->n; i++) {
        const struct thrift_field *f = &desc->fields[i];
        if (!is_set(f, from)) continue;
        put(out, wire_of[f->kind], 1);
        put(out, (uint16_t)f->id, 2);
        if (f->kind == TF_LIST || f->kind == TF_MAP)
            write_many(f, (const struct many *)(from + f->at), out);
        else
            write_value(f->kind, f->sub,
                        f->kind == TF_STRUCT ? *(char *const *)(from + f->at) : from + f->at, out);
    }
    put(out, W_STOP, 1);
}

static void write_head(const struct thrift_head *head, buf *out) {
    put(out, STRICT | head->kind, 4);
    put_str(out, head->name);
    put(out, (uint32_t)head->seq, 4);
}

void thrift_write_message(const struct thrift_head *head, int16_t id,
                          const struct thrift_struct *desc, const void *value, buf *out) {
    write_head(head, out);
    put(out, W_STRUCT, 1);
    put(out, (uint16_t)id, 2);
    thrift_write(desc, value, out);
    put(out, W_STOP, 1);
}

void thrift_write_exception(const struct thrift_head *head, int32_t kind, str text, buf *out) {
    struct thrift_head h = {THRIFT_EXCEPTION, head->name, head->seq};
    write_head(&h, out);
    put(out, W_STR, 1);
    put(out, 1, 2);
    put_str(out, text);
    put(out, W_I32, 1);
    put(out, 2, 2);
    put(out, (uint32_t)kind, 4);
    put(out, W_STOP, 1);
}
