/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frequent items (Misra and Gries): a map of counts in the slots that DataSketches' reverse purge map has, so that items
 * of one count come in the same order; and Spark's count-min sketch.
 *
 * Count-min, big-endian: int version 1, long total, int depth, int width, depth hashes (long), depth × width cells (long).
 */
#include <math.h>
#include <stdlib.h>

#include "engine/worker/fn_int.h"
#include "engine/worker/sketch.h"

/* ---- the map ---- */

#define LG_FIRST 3
#define SAMPLE 1024

static uint64_t spread(int32_t code) {
    uint64_t k = (uint64_t)(int64_t)code;
    k ^= k >> 33;
    k *= 0xff51afd7ed558ccdull;
    k ^= k >> 33;
    k *= 0xc4ceb9fe1a85ec53ull;
    return k ^ k >> 33;
}

bool freq_init(struct freq *f, unsigned lg_max) {
    *f = (struct freq){.lg_max = lg_max < LG_FIRST ? LG_FIRST : lg_max, .lg_size = LG_FIRST, .slot = calloc(1u << LG_FIRST, sizeof(struct freq_item))};
    return f->slot != NULL;
}

void freq_free(struct freq *f) {
    for (size_t i = 0; f->slot && i < (size_t)1 << f->lg_size; i++) free(f->slot[i].p);
    free(f->slot);
    f->slot = NULL;
}

bool freq_copy(const struct freq *f, struct freq *ret) {
    size_t slots = (size_t)1 << f->lg_size;
    *ret = *f;
    ret->slot = calloc(slots, sizeof(*f->slot));
    if (!ret->slot) return false;
    for (size_t i = 0; i < slots; i++) {
        if (!f->slot[i].state) continue;
        char *p = malloc(f->slot[i].n ? f->slot[i].n : 1);
        if (!p) return false;
        memcpy(p, f->slot[i].p, f->slot[i].n);
        ret->slot[i] = f->slot[i];
        ret->slot[i].p = p;
    }
    return true;
}

static size_t place(const struct freq *f, str item, int32_t code, uint16_t *drift) {
    size_t mask = ((size_t)1 << f->lg_size) - 1, at = spread(code) & mask;
    *drift = 1;
    while (f->slot[at].state && !(f->slot[at].code == code && str_eq(str_n(f->slot[at].p, f->slot[at].n), item))) {
        at = (at + 1) & mask;
        ++*drift;
    }
    return at;
}

static bool grow(struct freq *f) {
    struct freq old = *f;
    f->lg_size++;
    f->slot = calloc((size_t)1 << f->lg_size, sizeof(*f->slot));
    if (!f->slot) {
        *f = old;
        return false;
    }
    for (size_t i = 0; i < (size_t)1 << old.lg_size; i++) {
        if (!old.slot[i].state) continue;
        uint16_t drift;
        size_t at = place(f, str_n(old.slot[i].p, old.slot[i].n), old.slot[i].code, &drift);
        f->slot[at] = old.slot[i];
        f->slot[at].state = drift;
    }
    free(old.slot);
    return true;
}

/* Closes the gap that a removed slot leaves in its run. */
static void remove_at(struct freq *f, size_t at) {
    size_t mask = ((size_t)1 << f->lg_size) - 1;
    free(f->slot[at].p);
    f->slot[at] = (struct freq_item){0};
    f->n--;
    for (size_t next = (at + 1) & mask, drift = 1; f->slot[next].state; next = (next + 1) & mask, drift++)
        if (f->slot[next].state > drift) {
            f->slot[at] = f->slot[next];
            f->slot[at].state = (uint16_t)(f->slot[next].state - drift);
            f->slot[next] = (struct freq_item){0};
            at = next;
            drift = 0;
        }
}

/* Counts of a sketch that somebody made up wrap, as they do in Java. */
static int64_t plus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

static int by_count(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Takes the median of a sample off all counts; what is left with nothing goes. */
static void purge(struct freq *f) {
    int64_t sample[SAMPLE];
    size_t n = 0, slots = (size_t)1 << f->lg_size;
    for (size_t i = 0; i < slots && n < SAMPLE; i++)
        if (f->slot[i].state) sample[n++] = f->slot[i].count;
    qsort(sample, n, sizeof(*sample), by_count);
    int64_t off = sample[n / 2];
    for (size_t i = slots; i-- > 0;)
        if (f->slot[i].state) f->slot[i].count = minus(f->slot[i].count, off);
    for (bool again = true; again;) {
        again = false;
        for (size_t i = slots; i-- > 0;)
            while (f->slot[i].state && f->slot[i].count <= 0) {
                remove_at(f, i);
                again = true;
            }
    }
    f->offset = plus(f->offset, off);
}

bool freq_add(struct freq *f, str item, int32_t code, int64_t count) {
    uint16_t drift;
    size_t at = place(f, item, code, &drift);
    f->total = plus(f->total, count);
    if (f->slot[at].state) {
        f->slot[at].count = plus(f->slot[at].count, count);
        return true;
    }
    char *p = malloc(item.n ? item.n : 1);
    if (!p) return false;
    memcpy(p, item.p ? item.p : "", item.n);
    f->slot[at] = (struct freq_item){p, (uint32_t)item.n, code, count, f->added++, drift};
    f->n++;
    size_t slots = (size_t)1 << f->lg_size;
    if (f->n <= slots / 4 * 3) return true;
    if (f->lg_size < f->lg_max) return grow(f);
    purge(f);
    return true;
}

bool freq_merge(struct freq *into, const struct freq *from) {
    int64_t at = -1, total = plus(into->total, from->total);
    size_t seen = 0;
    for (const struct freq_item *i; (i = freq_next(from, &at, &seen));)
        if (!freq_add(into, str_n(i->p, i->n), i->code, i->count)) return false;
    into->total = total;
    into->offset = plus(into->offset, from->offset);
    into->nulls = plus(into->nulls, from->nulls);
    return true;
}

const struct freq_item *freq_next(const struct freq *f, int64_t *at, size_t *seen) {
    size_t slots = (size_t)1 << f->lg_size, mask = slots - 1, stride = (size_t)((double)slots * 0.6180339887498949) | 1;
    if (*seen == f->n) return NULL;
    size_t i = *at < 0 ? 0 : ((size_t)*at + stride) & mask;
    while (!f->slot[i].state) i = (i + stride) & mask;
    *at = (int64_t)i;
    ++*seen;
    return &f->slot[i];
}

static bool before(const struct freq_item *a, const struct freq_item *b) {
    return a->count > b->count || (a->count == b->count && a->seq < b->seq);
}

static bool sort_items(const struct freq_item **v, size_t n) {
    const struct freq_item **t = malloc(sizeof(*t) * (n + 1));
    if (!t) return false;
    for (size_t w = 1; w < n; w *= 2) {
        for (size_t lo = 0; lo < n; lo += 2 * w) {
            size_t mid = lo + w < n ? lo + w : n, hi = lo + 2 * w < n ? lo + 2 * w : n, i = lo, j = mid;
            for (size_t k = lo; k < hi; k++) t[k] = j == hi || (i < mid && before(v[i], v[j])) ? v[i++] : v[j++];
        }
        memcpy(v, t, sizeof(*t) * n);
    }
    free(t);
    return true;
}

bool freq_sorted(const struct freq *f, const struct freq_item ***ret) {
    const struct freq_item **v = malloc(sizeof(*v) * (f->n + 1));
    int64_t at = -1;
    size_t seen = 0, n = 0;
    if (!v) return false;
    for (const struct freq_item *i; (i = freq_next(f, &at, &seen));) v[n++] = i;
    if (!sort_items(v, n)) {
        free(v);
        return false;
    }
    *ret = v;
    return true;
}

/* ---- bytes of the map ----
 * 0 longs of preamble (1 empty, 4)  1 version 1  2 family 10  3 lg of the most slots  4 lg of the slots  5 flags (5 empty)
 * [8 items  16 weight of all  24 what purges took off  32 counts, then items]; then the number of NULLs, big-endian.
 */

static void put_be(buf *out, uint64_t v, int n) {
    while (n-- > 0) buf_u8(out, (uint8_t)(v >> (8 * n)));
}

static size_t width_of(char kind) {
    switch (kind) {
    case 'c': return 2;
    case 'h': return 3;
    case 'i':
    case 'f': return 5;
    case 'l':
    case 'd':
    case 'm': return 8;
    case 'B': return 1;
    default: return 0;
    }
}

static uint64_t le_of(str s, size_t from, size_t n) {
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | (unsigned char)s.p[from + i];
    return v;
}

static int32_t fold(uint64_t v) { return (int32_t)(v ^ v >> 32); }

/* String.hashCode: over UTF-16. */
static int32_t text_code(str s) {
    uint32_t h = 0;
    for (size_t i = 0; i < s.n;) {
        unsigned char c = (unsigned char)s.p[i];
        size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        uint32_t v = n == 1 ? c : c & (0x7fu >> n);
        if (i + n > s.n) n = 1;
        for (size_t k = 1; k < n; k++) v = v << 6 | ((unsigned char)s.p[i + k] & 63);
        i += n;
        if (v >= 0x10000) {
            h = 31 * h + (0xd800 + ((v - 0x10000) >> 10 & 0x3ff));
            v = 0xdc00 + ((v - 0x10000) & 0x3ff);
        }
        h = 31 * h + v;
    }
    return (int32_t)h;
}

/* A whole decimal hashes as its integer, any other as the double of its value. */
static int32_t decimal_code(str s, bool shorter, int scale) {
    double v = 0;
    if (shorter) v = (double)(int64_t)le_of(s, 0, 8);
    else
        for (size_t i = 0; i < s.n; i++) v = v * 256 + (i == 0 ? (double)(signed char)s.p[i] : (double)(unsigned char)s.p[i]);
    v /= pow(10, scale);
    if (v == trunc(v) && fabs(v) < 9e18) return v == (double)(int32_t)v ? (int32_t)v : fold((uint64_t)(int64_t)v);
    return fold(sketch_double_bits(v));
}

int32_t freq_code(int kind, str s) {
    switch (FREQ_KIND(kind)) {
    case 'c': return (int8_t)le_of(s, 1, 1);
    case 'h': return (int16_t)le_of(s, 1, 2);
    case 'i':
    case 'f': return (int32_t)le_of(s, 1, 4);
    case 'l':
    case 'd': return fold(le_of(s, 0, 8));
    case 'B': return s.p[0] ? 1231 : 1237;
    case 'm': return decimal_code(s, true, kind >> 8);
    case 'M': return decimal_code(s, false, kind >> 8);
    default: return text_code(s);
    }
}

void freq_write(const struct freq *f, int kind, buf *out) {
    char k = FREQ_KIND(kind);
    uint8_t head[8] = {f->n ? 4 : 1, 1, 10, (uint8_t)f->lg_max, (uint8_t)f->lg_size, f->n ? 0 : 5, 0, 0}, bits = 0;
    buf_add(out, head, 8);
    if (f->n) {
        buf_u64(out, f->n);
        buf_u64(out, (uint64_t)f->total);
        buf_u64(out, (uint64_t)f->offset);
    }
    int64_t at = -1;
    size_t seen = 0, n = 0;
    for (const struct freq_item *i; (i = freq_next(f, &at, &seen));) buf_u64(out, (uint64_t)i->count);
    at = -1;
    seen = 0;
    for (const struct freq_item *i; (i = freq_next(f, &at, &seen)); n++) {
        if (k == 'B') bits |= (uint8_t)(i->p[0] << n);
        else {
            if (!width_of(k)) buf_u32(out, i->n);
            buf_add(out, i->p, i->n);
        }
    }
    if (k == 'B' && n) buf_u8(out, bits);
    put_be(out, (uint64_t)f->nulls, 8);
}

static bool read_items(int kind, str s, size_t n, struct freq *f) {
    size_t width = width_of(FREQ_KIND(kind)), at = 32 + 8 * n, end = s.n - 8;
    for (size_t i = 0; i < n; i++) {
        size_t len = width;
        char bit;
        str item;
        if (!width) {
            if (end < at + 4) return false;
            len = (size_t)le_of(s, at, 4);
            at += 4;
        }
        if (FREQ_KIND(kind) == 'B') {
            if (n > 2 || end != at + 1) return false;
            bit = (char)(s.p[at] >> i & 1);
            item = str_n(&bit, 1);
        } else {
            if (len > end - at || (FREQ_KIND(kind) == 'M' && len == 0)) return false;
            item = str_n(s.p + at, len);
            at += len;
        }
        int64_t count = (int64_t)le_of(s, 32 + 8 * i, 8);
        if (count <= 0 || !freq_add(f, item, freq_code(kind, item), count)) return false;
    }
    return true;
}

bool freq_read(int kind, str s, struct freq *ret) {
    *ret = (struct freq){0};
    if (s.n < 16 || s.p[1] != 1 || s.p[2] != 10 || s.p[3] < LG_FIRST || s.p[3] > 21) return false;
    if (!freq_init(ret, (unsigned)s.p[3])) return false;
    for (size_t i = s.n - 8; i < s.n; i++) ret->nulls = (int64_t)((uint64_t)ret->nulls << 8 | (unsigned char)s.p[i]);
    bool empty = s.p[5] & 4;
    if (empty && s.p[0] == 1 && ret->nulls >= 0) return true;
    uint64_t n = s.n < 40 ? 0 : le_of(s, 8, 8);
    bool good = !empty && ret->nulls >= 0 && s.p[0] == 4 && n > 0 && n <= (s.n - 40) / 8 && read_items(kind, s, (size_t)n, ret);
    if (!good) {
        freq_free(ret);
        return false;
    }
    ret->total = (int64_t)le_of(s, 16, 8);
    ret->offset = (int64_t)le_of(s, 24, 8);
    return true;
}

/* ---- histograms (Ben-Haim and Tom-Tov) ---- */

static bool room_for_bin(struct bins *b) {
    if (b->n < b->cap) return true;
    size_t cap = b->cap ? b->cap * 2 : 32;
    void *p = realloc(b->bin, cap * sizeof(*b->bin));
    if (!p) return false;
    b->bin = p;
    b->cap = cap;
    return true;
}

/* Of equally near pairs one is drawn, by the random numbers that Hive and Spark draw. */
static void join_nearest(struct bins *b) {
    if (!b->seed) b->seed = java_random(31183) | 1ull << 63;
    uint64_t state = b->seed & ~(1ull << 63);
    double least = b->bin[1][0] - b->bin[0][0];
    size_t at = 0;
    int equal = 1;
    for (size_t i = 1; i + 1 < b->n; i++) {
        double d = b->bin[i + 1][0] - b->bin[i][0];
        if (d < least) {
            least = d;
            at = i;
            equal = 1;
        } else if (d == least) {
            uint64_t high = (uint64_t)(uint32_t)java_next(&state, 26) << 27;
            double r = (double)(high + (uint64_t)(uint32_t)java_next(&state, 27)) / 9007199254740992.0;
            if (r <= 1.0 / ++equal) at = i;
        }
    }
    b->seed = state | 1ull << 63;
    double w = b->bin[at][1] + b->bin[at + 1][1];
    b->bin[at][0] = b->bin[at][0] * (b->bin[at][1] / w) + b->bin[at + 1][0] / w * b->bin[at + 1][1];
    b->bin[at][1] = w;
    memmove(b->bin + at + 1, b->bin + at + 2, (b->n - at - 2) * sizeof(*b->bin));
    b->n--;
}

bool bins_add(struct bins *b, double v) {
    size_t lo = 0, hi = b->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (b->bin[mid][0] < v) lo = mid + 1;
        else hi = mid;
    }
    if (lo < b->n && b->bin[lo][0] == v) {
        b->bin[lo][1]++;
        return true;
    }
    if (!room_for_bin(b)) return false;
    memmove(b->bin + lo + 1, b->bin + lo, (b->n - lo) * sizeof(*b->bin));
    b->bin[lo][0] = v;
    b->bin[lo][1] = 1;
    b->n++;
    if (b->n > (size_t)b->most) join_nearest(b);
    return true;
}

static int by_x(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

bool bins_merge(struct bins *into, const struct bins *from) {
    for (size_t i = 0; i < from->n; i++) {
        if (!room_for_bin(into)) return false;
        memcpy(into->bin[into->n++], from->bin[i], sizeof(*into->bin));
    }
    into->most = from->most;
    if (into->n) qsort(into->bin, into->n, sizeof(*into->bin), by_x);
    while (into->n > (size_t)into->most) join_nearest(into);
    return true;
}

/* ---- count-min ---- */

uint64_t java_random(int64_t seed) { return ((uint64_t)seed ^ 0x5DEECE66Dull) & ((1ull << 48) - 1); }

int32_t java_next(uint64_t *seed, unsigned bits) {
    *seed = (*seed * 0x5DEECE66Dull + 0xB) & ((1ull << 48) - 1);
    return (int32_t)(*seed >> (48 - bits));
}

bool cms_init(struct cms *c, double eps, double confidence, int32_t seed) {
    *c = (struct cms){0};
    double width = ceil(2 / eps), depth = ceil(-log1p(-confidence) / log(2));
    if (!(width >= 1) || !(depth >= 1) || width * depth > CMS_CELLS) return false;
    c->width = (int32_t)width;
    c->depth = (int32_t)depth;
    c->hash = calloc((size_t)c->depth, sizeof(*c->hash));
    c->cell = calloc((size_t)c->depth * (size_t)c->width, sizeof(*c->cell));
    if (!c->hash || !c->cell) {
        cms_free(c);
        return false;
    }
    uint64_t state = java_random(seed);
    for (int32_t i = 0; i < c->depth; i++) {
        int32_t v;
        do v = java_next(&state, 31);
        while (v == INT32_MAX);
        c->hash[i] = v;
    }
    return true;
}

void cms_free(struct cms *c) {
    free(c->hash);
    free(c->cell);
    c->hash = c->cell = NULL;
}

bool cms_copy(const struct cms *c, struct cms *ret) {
    size_t cells = (size_t)c->depth * (size_t)c->width;
    *ret = *c;
    ret->hash = malloc((size_t)c->depth * sizeof(*c->hash));
    ret->cell = malloc(cells * sizeof(*c->cell));
    if (!ret->hash || !ret->cell) return false;
    memcpy(ret->hash, c->hash, (size_t)c->depth * sizeof(*c->hash));
    memcpy(ret->cell, c->cell, cells * sizeof(*c->cell));
    return true;
}

void cms_add_long(struct cms *c, int64_t v) {
    for (int32_t i = 0; i < c->depth; i++) {
        int64_t h = (int64_t)((uint64_t)c->hash[i] * (uint64_t)v);
        h = (int64_t)((uint64_t)h + (uint64_t)(h >> 32)) & INT32_MAX;
        c->cell[(int64_t)i * c->width + h % c->width]++;
    }
    c->total++;
}

void cms_add_bytes(struct cms *c, str s) {
    uint32_t a = fn_murmur3_spark(s, 0), b = fn_murmur3_spark(s, a);
    for (int32_t i = 0; i < c->depth; i++) {
        int32_t h = (int32_t)(a + (uint32_t)i * b) % c->width;
        c->cell[(int64_t)i * c->width + (h < 0 ? -h : h)]++;
    }
    c->total++;
}

bool cms_merge(struct cms *into, const struct cms *from) {
    if (into->depth != from->depth || into->width != from->width || memcmp(into->hash, from->hash, sizeof(*into->hash) * (size_t)into->depth) != 0) return false;
    for (int64_t i = 0; i < (int64_t)into->depth * into->width; i++) into->cell[i] = plus(into->cell[i], from->cell[i]);
    into->total = plus(into->total, from->total);
    return true;
}

void cms_write(const struct cms *c, buf *out) {
    put_be(out, 1, 4);
    put_be(out, (uint64_t)c->total, 8);
    put_be(out, (uint32_t)c->depth, 4);
    put_be(out, (uint32_t)c->width, 4);
    for (int32_t i = 0; i < c->depth; i++) put_be(out, (uint64_t)c->hash[i], 8);
    for (int64_t i = 0; i < (int64_t)c->depth * c->width; i++) put_be(out, (uint64_t)c->cell[i], 8);
}
