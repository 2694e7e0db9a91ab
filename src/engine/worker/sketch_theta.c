/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theta and Tuple sketches: the least hashes of a set, with a summary each in a Tuple sketch.
 *
 * Compact bytes of a Theta sketch (little-endian):
 *   0 longs of preamble (1 exact or empty, 2, 3 estimating)   1 version 3, or 4: packed   2 family 3
 *   3 bits of an entry (v4)   4 bytes of the count (v4)   5 flags   6-7 hash of the seed (0 where empty)
 *   v3: [8 count, 1.0F] [16 theta] hashes, ascending.  v4: [8 theta] count, then differences of ascending hashes, each
 *   of so many bits, the most significant first. Sets of 2 and more, and estimating ones with any, are written as v4.
 * Compact bytes of a Tuple sketch: 0 longs of preamble, 1 version 3, 2 family 9, 3 type 1, 4 0, 5 flags, 6-7 hash of the
 *   seed; [8 count, 0] [16 theta], then hash, value, mode of each entry in the order of the hash table.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/worker/sketch.h"

#define F_READ_ONLY 2
#define F_EMPTY 4
#define F_COMPACT 8
#define F_ORDERED 16
#define F_SINGLE 32
#define SEED_HASH 0x93ccu
#define LG_RESIZE 3

/* ---- hashes ---- */

static uint64_t rotl(uint64_t v, int n) { return v << n | v >> (64 - n); }
static uint64_t fmix(uint64_t h) {
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdull;
    h ^= h >> 33;
    h *= 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 33;
}
static uint64_t le(const unsigned char *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    return v;
}

void sketch_hash128(const void *bytes, size_t n, uint64_t seed, uint64_t ret[2]) {
    const uint64_t c1 = 0x87c37b91114253d5ull, c2 = 0x4cf5ad432745937full;
    const unsigned char *p = bytes;
    uint64_t h1 = seed, h2 = seed, k1, k2;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        k1 = le(p + i, 8);
        k2 = le(p + i + 8, 8);
        h1 = (rotl(h1 ^ rotl(k1 * c1, 31) * c2, 27) + h2) * 5 + 0x52dce729;
        h2 = (rotl(h2 ^ rotl(k2 * c2, 33) * c1, 31) + h1) * 5 + 0x38495ab5;
    }
    size_t rest = n - i;
    if (rest > 8) h2 ^= rotl(le(p + i + 8, rest - 8) * c2, 33) * c1;
    if (rest) h1 ^= rotl(le(p + i, rest < 8 ? rest : 8) * c1, 31) * c2;
    h1 ^= n;
    h2 ^= n;
    h1 += h2;
    h2 += h1;
    h1 = fmix(h1);
    h2 = fmix(h2);
    h1 += h2;
    h2 += h1;
    ret[0] = h1;
    ret[1] = h2;
}

uint64_t sketch_double_bits(double v) {
    uint64_t b;
    if (v == 0) v = 0;
    if (isnan(v)) return 0x7ff8000000000000ull;
    memcpy(&b, &v, 8);
    return b;
}

/* ---- the table ---- */

static unsigned first_size(unsigned lg_k) {
    unsigned to = lg_k + 1;
    return to <= 5 ? 5 : (to - 5) % LG_RESIZE + 5;
}

void ts_init(struct ts *t, enum ts_kind kind, enum ts_mode mode, unsigned lg_k) {
    *t = (struct ts){.kind = kind, .mode = mode, .lg_k = lg_k, .lg_size = first_size(lg_k), .theta = TS_ALL};
}

void ts_free(struct ts *t) {
    free(t->key);
    free(t->value);
    t->key = NULL;
    t->value = NULL;
    t->n = 0;
}

static size_t slot_of(const uint64_t *key, unsigned lg, uint64_t hash) {
    size_t mask = ((size_t)1 << lg) - 1, at = hash & mask, stride = 2 * ((hash >> lg) & 127) + 1;
    while (key[at] && key[at] != hash) at = (at + stride) & mask;
    return at;
}

static struct ts_value merged(enum ts_kind kind, enum ts_mode mode, struct ts_value a, struct ts_value b) {
    struct ts_value r = a;
    bool dbl = kind == TS_DOUBLE;
    switch (mode) {
    case TS_SUM:
        if (dbl) r.d = a.d + b.d;
        else r.i = (int32_t)((uint32_t)a.i + (uint32_t)b.i);
        break;
    case TS_MIN:
        if (dbl ? b.d < a.d : b.i < a.i) r = b;
        break;
    case TS_MAX:
        if (dbl ? b.d > a.d : b.i > a.i) r = b;
        break;
    case TS_ONE:
        if (dbl) r.d = 1;
        else r.i = 1;
        break;
    }
    r.mode = (uint8_t)mode;
    return r;
}

struct ts_value ts_neutral(enum ts_kind kind, enum ts_mode mode) {
    static const double d[] = {0, INFINITY, -INFINITY, 1};
    static const int32_t i[] = {0, INT32_MAX, INT32_MIN, 1};
    struct ts_value v = {.mode = (uint8_t)mode};
    if (kind == TS_DOUBLE) v.d = d[mode];
    else v.i = i[mode];
    return v;
}

/* All entries below theta into a new table of 2^lg slots. */
static bool rehash(struct ts *t, unsigned lg) {
    size_t slots = (size_t)1 << lg;
    uint64_t *key = calloc(slots, sizeof(*key));
    struct ts_value *value = t->kind == TS_THETA ? NULL : calloc(slots, sizeof(*value));
    if (!key || (t->kind != TS_THETA && !value)) {
        free(key);
        free(value);
        return false;
    }
    size_t n = 0;
    for (size_t i = 0; t->key && i < (size_t)1 << t->lg_size; i++) {
        if (!t->key[i] || t->key[i] >= t->theta) continue;
        size_t at = slot_of(key, lg, t->key[i]);
        key[at] = t->key[i];
        if (value) value[at] = t->value[i];
        n++;
    }
    free(t->key);
    free(t->value);
    t->key = key;
    t->value = value;
    t->lg_size = lg;
    t->n = n;
    return true;
}

/* Puts what belongs at place k of v (as if sorted) there; v is changed. */
static uint64_t kth(uint64_t *v, size_t n, size_t k) {
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        uint64_t pivot = v[lo + (hi - lo) / 2];
        size_t i = lo, j = hi;
        for (;;) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i >= j) break;
            uint64_t h = v[i];
            v[i++] = v[j];
            v[j--] = h;
        }
        size_t cut = v[j] <= pivot ? j : j - 1;
        if (k <= cut) hi = cut;
        else lo = cut + 1;
    }
    return v[k];
}

static size_t copy_keys(const struct ts *t, uint64_t *to) {
    size_t n = 0;
    for (size_t i = 0; t->key && i < (size_t)1 << t->lg_size; i++)
        if (t->key[i] && t->key[i] < t->theta) to[n++] = t->key[i];
    return n;
}

bool ts_trim(struct ts *t) {
    size_t k = (size_t)1 << t->lg_k;
    if (!t->key) return true;
    uint64_t *v = malloc(sizeof(*v) * (t->n + 1));
    if (!v) return false;
    size_t n = copy_keys(t, v);
    if (n > k) t->theta = kth(v, n, k);
    free(v);
    return n == t->n && n <= k ? true : rehash(t, t->lg_size);
}

bool ts_add(struct ts *t, uint64_t hash, struct ts_value v) {
    t->touched = true;
    if (hash == 0 || hash >= t->theta) return true;
    if (!t->key && !rehash(t, t->lg_size)) return false;
    size_t at = slot_of(t->key, t->lg_size, hash);
    if (t->key[at]) {
        if (t->value) t->value[at] = merged(t->kind, t->mode, t->value[at], v);
        return true;
    }
    t->key[at] = hash;
    if (t->value) t->value[at] = v;
    t->n++;
    size_t slots = (size_t)1 << t->lg_size;
    bool widest = t->lg_size > t->lg_k;
    if (t->n <= (widest ? slots / 16 * 15 : slots / 2)) return true;
    if (widest) return ts_trim(t);
    unsigned lg = t->lg_size + LG_RESIZE;
    return rehash(t, lg > t->lg_k + 1 ? t->lg_k + 1 : lg);
}

/* ---- sets ---- */

bool ts_union(struct ts *into, const struct ts *from) {
    into->touched |= from->touched;
    if (from->theta < into->theta) into->theta = from->theta;
    for (size_t i = 0; from->key && i < (size_t)1 << from->lg_size; i++) {
        if (!from->key[i]) continue;
        if (!ts_add(into, from->key[i], from->value ? from->value[i] : ts_neutral(into->kind, into->mode))) return false;
    }
    return ts_trim(into);
}

/* A table for the results of intersections and differences: holds n without ever growing. */
static bool result_of(const struct ts *a, const struct ts *b, size_t n, struct ts *ret) {
    ts_init(ret, a->kind, a->mode, TS_LG_MAX);
    ret->theta = a->theta < b->theta ? a->theta : b->theta;
    ret->touched = true;
    ret->lg_size = 5;
    while ((size_t)3 << ret->lg_size >> 2 < n) ret->lg_size++;
    return rehash(ret, ret->lg_size);
}

static void put(struct ts *t, uint64_t hash, const struct ts_value *v) {
    size_t at = slot_of(t->key, t->lg_size, hash);
    t->key[at] = hash;
    if (t->value && v) t->value[at] = *v;
    t->n++;
}

/* An exact set of nothing is the empty set; an intersection of Tuple sketches stays one that has seen something. */
static void settle(struct ts *t, bool theta_rule) {
    if (t->n == 0 && t->theta == TS_ALL && theta_rule) t->touched = false;
}

bool ts_intersect(const struct ts *a, const struct ts *b, enum ts_mode mode, struct ts *ret) {
    if (!a->touched || !b->touched) {
        ts_init(ret, a->kind, mode, TS_LG_MAX);
        return true;
    }
    if (!result_of(a, b, a->n < b->n ? a->n : b->n, ret)) return false;
    ret->mode = mode;
    for (size_t i = 0; a->key && b->key && i < (size_t)1 << a->lg_size; i++) {
        uint64_t h = a->key[i];
        if (!h || h >= ret->theta) continue;
        size_t at = slot_of(b->key, b->lg_size, h);
        if (!b->key[at]) continue;
        struct ts_value v = a->value ? a->value[i] : (struct ts_value){0};
        if (a->value && b->value) v = merged(a->kind, mode, v, b->value[at]);
        else if (a->value) v = merged(a->kind, mode, v, ts_neutral(a->kind, mode));
        put(ret, h, &v);
    }
    settle(ret, ret->kind == TS_THETA);
    return true;
}

bool ts_difference(const struct ts *a, const struct ts *b, struct ts *ret) {
    if (!a->touched) {
        ts_init(ret, a->kind, a->mode, TS_LG_MAX);
        ret->theta = a->theta;
        return true;
    }
    if (!result_of(a, b, a->n, ret)) return false;
    for (size_t i = 0; a->key && i < (size_t)1 << a->lg_size; i++) {
        uint64_t h = a->key[i];
        if (!h || h >= ret->theta) continue;
        if (b->key && b->key[slot_of(b->key, b->lg_size, h)]) continue;
        put(ret, h, a->value ? &a->value[i] : NULL);
    }
    settle(ret, true);
    return true;
}

double ts_estimate(const struct ts *t) {
    return t->theta == TS_ALL ? (double)t->n : (double)t->n / ((double)t->theta / 9223372036854775808.0);
}

/* ---- bytes ---- */

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void write_packed(const struct ts *t, const uint64_t *v, size_t n, buf *out) {
    uint64_t all = 0, last = 0;
    for (size_t i = 0; i < n; i++) {
        all |= v[i] - last;
        last = v[i];
    }
    unsigned bits = 64 - (unsigned)__builtin_clzll(all), count_bytes = (unsigned)(39 - __builtin_clz((unsigned)n)) / 8;
    bool exact = t->theta == TS_ALL;
    uint8_t head[8] = {exact ? 1 : 2, 4, 3, (uint8_t)bits, (uint8_t)count_bytes, F_READ_ONLY | F_COMPACT | F_ORDERED, SEED_HASH & 255, SEED_HASH >> 8};
    buf_add(out, head, 8);
    if (!exact) buf_u64(out, t->theta);
    for (unsigned i = 0; i < count_bytes; i++) buf_u8(out, (uint8_t)(n >> (8 * i)));
    unsigned have = 0;
    uint8_t byte = 0;
    last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t d = v[i] - last;
        last = v[i];
        for (unsigned b = bits; b-- > 0;) {
            byte = (uint8_t)(byte << 1 | (d >> b & 1));
            if (++have == 8) {
                buf_u8(out, byte);
                have = 0;
                byte = 0;
            }
        }
    }
    if (have) buf_u8(out, (uint8_t)(byte << (8 - have)));
}

static bool write_theta(const struct ts *t, buf *out) {
    uint64_t *v = malloc(sizeof(*v) * (t->n + 1));
    if (!v) return false;
    size_t n = copy_keys(t, v);
    qsort(v, n, sizeof(*v), by_size);
    bool exact = t->theta == TS_ALL;
    if (n > 1 || (n == 1 && !exact)) write_packed(t, v, n, out);
    else {
        bool empty = !t->touched && exact;
        uint8_t flags = F_READ_ONLY | F_COMPACT | F_ORDERED | (empty ? F_EMPTY : n == 1 ? F_SINGLE : 0);
        unsigned seed = empty ? 0 : SEED_HASH;
        uint8_t head[8] = {exact ? 1 : 3, 3, 3, 0, 0, flags, (uint8_t)seed, (uint8_t)(seed >> 8)};
        buf_add(out, head, 8);
        if (!exact) {
            float one = 1;
            buf_u32(out, (uint32_t)n);
            buf_add(out, &one, 4);
            buf_u64(out, t->theta);
        }
        if (n) buf_u64(out, v[0]);
    }
    free(v);
    return !out->overflow;
}

static bool write_tuple(const struct ts *t, buf *out) {
    bool exact = t->theta == TS_ALL, empty = !t->touched;
    int longs = !exact ? 3 : empty || t->n == 1 ? 1 : 2;
    uint8_t head[8] = {(uint8_t)longs, 3, 9, 1, 0, F_READ_ONLY | F_COMPACT | (empty ? F_EMPTY : 0), SEED_HASH & 255, SEED_HASH >> 8};
    buf_add(out, head, 8);
    if (longs > 1) buf_u64(out, t->n);
    if (longs > 2) buf_u64(out, t->theta);
    for (size_t i = 0; t->key && i < (size_t)1 << t->lg_size; i++) {
        if (!t->key[i]) continue;
        buf_u64(out, t->key[i]);
        if (t->kind == TS_DOUBLE) buf_add(out, &t->value[i].d, 8);
        else buf_u32(out, (uint32_t)t->value[i].i);
        buf_u8(out, t->value[i].mode);
    }
    return !out->overflow;
}

bool ts_write(const struct ts *t, buf *out) { return t->kind == TS_THETA ? write_theta(t, out) : write_tuple(t, out); }

/* Room for n entries that are read. */
static bool room(struct ts *t, size_t n) {
    t->lg_k = TS_LG_MAX;
    t->lg_size = 5;
    while ((size_t)3 << t->lg_size >> 2 < n) t->lg_size++;
    return rehash(t, t->lg_size);
}

static bool read_packed(const unsigned char *p, size_t n, struct ts *t) {
    unsigned longs = p[0] & 63, bits = p[3], count_bytes = p[4];
    size_t at = 8;
    if (longs > 2 || bits == 0 || bits > 63 || count_bytes == 0 || count_bytes > 4) return false;
    if (longs == 2) {
        if (n < 16) return false;
        t->theta = le(p + 8, 8);
        at = 16;
    }
    if (n < at + count_bytes) return false;
    size_t count = le(p + at, count_bytes);
    at += count_bytes;
    if (count > (n - at) * 8 / bits || !room(t, count)) return false;
    uint64_t last = 0;
    size_t bit = at * 8;
    for (size_t i = 0; i < count; i++) {
        uint64_t d = 0;
        for (unsigned b = 0; b < bits; b++, bit++) d = d << 1 | (p[bit >> 3] >> (7 - (bit & 7)) & 1);
        last += d;
        if (d == 0 || last >= t->theta || last >> 63) return false;
        put(t, last, NULL);
    }
    return true;
}

static bool read_plain(const unsigned char *p, size_t n, struct ts *t) {
    unsigned longs = p[0] & 63, flags = p[5];
    size_t count = 0, at = (size_t)longs * 8, each = t->kind == TS_THETA ? 8 : t->kind == TS_DOUBLE ? 17 : 13;
    if (longs < 1 || longs > 3 || n < at) return false;
    if (flags & F_EMPTY) {
        t->touched = false;
        return true;
    }
    if (longs == 1) count = t->kind == TS_THETA && !(flags & F_SINGLE) && n < 16 ? 0 : 1;
    else count = le(p + 8, 4);
    if (longs == 3) t->theta = le(p + 16, 8);
    if (t->theta == 0 || t->theta > TS_ALL || count > (n - at) / each || (n - at) != count * each || !room(t, count)) return false;
    for (size_t i = 0; i < count; i++, at += each) {
        uint64_t h = le(p + at, 8);
        struct ts_value v = {0};
        if (h == 0 || h >= t->theta || t->key[slot_of(t->key, t->lg_size, h)]) return false;
        if (t->kind == TS_DOUBLE) memcpy(&v.d, p + at + 8, 8);
        if (t->kind == TS_INTEGER) v.i = (int32_t)le(p + at + 8, 4);
        if (t->kind != TS_THETA) {
            if (p[at + each - 1] > TS_ONE) return false;
            v.mode = p[at + each - 1];
        }
        put(t, h, &v);
    }
    return true;
}

bool ts_read(enum ts_kind kind, str bytes, struct ts *ret) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    ts_init(ret, kind, TS_SUM, TS_LG_MAX);
    if (bytes.n < 8) return false;
    ret->touched = true;
    bool known = kind == TS_THETA ? p[2] == 3 : p[2] == 9 && p[3] == 1;
    unsigned seed = (unsigned)le(p + 6, 2);
    bool good = known && (p[5] & F_COMPACT) && (seed == SEED_HASH || (p[5] & F_EMPTY)) &&
                (p[1] == 3 ? read_plain(p, bytes.n, ret) : kind == TS_THETA && p[1] == 4 && read_packed(p, bytes.n, ret));
    if (!good) ts_free(ret);
    return good;
}
