/* SPDX-License-Identifier: Apache-2.0 */
/* The UBJSON reader; the format is told in ubj.h. */
#include <math.h>

#include "plan/ubj.h"

struct reader {
    arena *a;
    const unsigned char *p;
    size_t n, at;
    size_t nodes;
};

#define BAD(r, what)                                                                               \
    err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid UBJSON at byte %zu: %s.", (r)->at, (what))

static uint64_t big_endian(const unsigned char *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

/* Payload size of a number's marker; 0 if it is none. */
static size_t number_size(char type) {
    switch (type) {
    case 'i':
    case 'U': return 1;
    case 'I': return 2;
    case 'l':
    case 'd': return 4;
    case 'L':
    case 'D': return 8;
    default: return 0;
    }
}

static int64_t read_int(char type, const unsigned char *p) {
    switch (type) {
    case 'i': return (int8_t)p[0];
    case 'U': return p[0];
    case 'I': return (int16_t)big_endian(p, 2);
    case 'l': return (int32_t)big_endian(p, 4);
    default: return (int64_t)big_endian(p, 8);
    }
}

static double read_real(char type, const unsigned char *p) {
    if (type == 'd') {
        uint32_t bits = (uint32_t)big_endian(p, 4);
        float f;
        memcpy(&f, &bits, sizeof(f));
        return (double)f;
    }
    if (type == 'D') {
        uint64_t bits = big_endian(p, 8);
        double d;
        memcpy(&d, &bits, sizeof(d));
        return d;
    }
    return (double)read_int(type, p);
}

static bool is_real(char type) { return type == 'd' || type == 'D'; }

/* A length: an integer with its marker, not negative. */
static err *read_length(struct reader *r, size_t *ret) {
    if (r->at >= r->n) return BAD(r, "it ends early");
    char type = (char)r->p[r->at];
    size_t size = number_size(type);
    if (size == 0 || is_real(type)) return BAD(r, "a length is not an integer");
    if (size > r->n - r->at - 1) return BAD(r, "it ends early");
    int64_t v = read_int(type, r->p + r->at + 1);
    r->at += 1 + size;
    if (v < 0 || (uint64_t)v > r->n) return BAD(r, "a length is impossible");
    *ret = (size_t)v;
    return NULL;
}

static err *read_text(struct reader *r, str *ret) {
    size_t n;
    TRY(read_length(r, &n));
    if (n > r->n - r->at) return BAD(r, "a string ends early");
    *ret = str_n((const char *)r->p + r->at, n);
    r->at += n;
    return NULL;
}

static err *read_value(struct reader *r, int depth, struct ubj *to);

/* Members or elements: a growing list, since an uncounted container tells its length at its end. */
struct list {
    struct ubj *items;
    str *names;
    size_t n, cap;
};

static void list_room(struct reader *r, struct list *l, bool named) {
    if (l->n < l->cap) return;
    size_t cap = l->cap ? l->cap * 2 : 4;
    struct ubj *items = arena_array_of(r->a, struct ubj, cap);
    if (l->n) memcpy(items, l->items, l->n * sizeof(*items));
    l->items = items;
    if (named) {
        str *names = arena_array_of(r->a, str, cap);
        if (l->n) memcpy(names, l->names, l->n * sizeof(*names));
        l->names = names;
    }
    l->cap = cap;
}

static err *read_typed(struct reader *r, struct ubj *to) {
    if (r->at + 2 > r->n) return BAD(r, "it ends early");
    char type = (char)r->p[r->at++];
    size_t size = number_size(type), n;
    if (size == 0) return BAD(r, "a typed array of something that is no number");
    if (r->p[r->at++] != '#') return BAD(r, "a typed array without a count");
    TRY(read_length(r, &n));
    if (n > (r->n - r->at) / size) return BAD(r, "a typed array ends early");
    *to = (struct ubj){.kind = UBJ_TYPED, .type = type, .n = n, .bytes = r->p + r->at};
    r->at += n * size;
    return NULL;
}

static err *read_container(struct reader *r, int depth, bool named, struct ubj *to) {
    if (depth >= UBJ_MAX_DEPTH) return BAD(r, "it is nested too deeply");
    char end = named ? '}' : ']';
    bool counted = false;
    size_t count = 0;
    if (r->at < r->n && r->p[r->at] == '$') {
        r->at++;
        return named ? BAD(r, "a typed object") : read_typed(r, to);
    }
    if (r->at < r->n && r->p[r->at] == '#') {
        r->at++;
        counted = true;
        TRY(read_length(r, &count));
        if (count > r->n - r->at) return BAD(r, "a container ends early");
    }
    struct list l = {0};
    while (counted ? l.n < count : true) {
        if (r->at >= r->n) return BAD(r, "it ends early");
        if (r->p[r->at] == 'N') {
            r->at++;
            continue;
        }
        if (!counted && (char)r->p[r->at] == end) {
            r->at++;
            break;
        }
        list_room(r, &l, named);
        if (named) TRY(read_text(r, &l.names[l.n]));
        TRY(read_value(r, depth + 1, &l.items[l.n]));
        l.n++;
    }
    *to = (struct ubj){
        .kind = named ? UBJ_OBJECT : UBJ_ARRAY, .n = l.n, .items = l.items, .names = l.names};
    return NULL;
}

/* Recursion is bounded by UBJ_MAX_DEPTH. */
static err *read_value(struct reader *r, int depth, struct ubj *to) {
    if (++r->nodes > UBJ_MAX_NODES) return BAD(r, "it has too many values");
    if (r->at >= r->n) return BAD(r, "it ends early");
    char type = (char)r->p[r->at++];
    size_t size = number_size(type);
    if (size > 0) {
        if (size > r->n - r->at) return BAD(r, "a number ends early");
        if (is_real(type))
            *to = (struct ubj){.kind = UBJ_REAL, .real = read_real(type, r->p + r->at)};
        else
            *to = (struct ubj){.kind = UBJ_INT, .integer = read_int(type, r->p + r->at)};
        r->at += size;
        return NULL;
    }
    switch (type) {
    case 'Z': *to = (struct ubj){.kind = UBJ_NULL}; return NULL;
    case 'T':
    case 'F': *to = (struct ubj){.kind = UBJ_BOOL, .integer = type == 'T'}; return NULL;
    case 'S': *to = (struct ubj){.kind = UBJ_STR}; return read_text(r, &to->text);
    case 'C':
        if (r->at >= r->n) return BAD(r, "it ends early");
        *to = (struct ubj){.kind = UBJ_STR, .text = str_n((const char *)r->p + r->at, 1)};
        r->at++;
        return NULL;
    case '[': return read_container(r, depth, false, to);
    case '{': return read_container(r, depth, true, to);
    default: r->at--; return BAD(r, "an unknown marker");
    }
}

err *ubj_parse(arena *a, str bytes, const struct ubj **ret) {
    struct reader r = {.a = a, .p = (const unsigned char *)bytes.p, .n = bytes.n};
    struct ubj *root = arena_new_of(a, struct ubj);
    TRY(read_value(&r, 0, root));
    if (r.at != r.n) return BAD(&r, "something follows the end");
    *ret = root;
    return NULL;
}

const struct ubj *ubj_get(const struct ubj *u, const char *name) {
    if (!u || u->kind != UBJ_OBJECT) return NULL;
    for (size_t i = 0; i < u->n; i++)
        if (str_eqz(u->names[i], name)) return &u->items[i];
    return NULL;
}

int64_t ubj_typed_int(const struct ubj *u, size_t i) {
    const unsigned char *p = u->bytes + i * number_size(u->type);
    if (!is_real(u->type)) return read_int(u->type, p);
    double d = read_real(u->type, p);
    return fabs(d) < 9e15 ? (int64_t)d : 0;
}

double ubj_typed_real(const struct ubj *u, size_t i) {
    return read_real(u->type, u->bytes + i * number_size(u->type));
}
