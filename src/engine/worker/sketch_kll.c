/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KLL sketches of quantiles, of longs, doubles or floats. Items of level i weigh 2^i; where all levels together are full,
 * the lowest full one keeps every second of its sorted items (a coin says which) and passes them up.
 *
 *   0 ints of preamble (2 empty or one item, 5)   1 version (1; 2: one item)   2 family 15
 *   3 flags (1 empty, 2 first level sorted, 4 one item)   4-5 k   6 least level 8   7 zero
 *   [8 n   16-17 least k   18 levels   19 zero   then where each level begins in an array of the whole capacity (ints),
 *   least and greatest item,] items from the first level on
 */
#include <math.h>
#include <stdlib.h>

#include "engine/worker/sketch.h"

#define M 8
#define F_EMPTY 1
#define F_SORTED 2
#define F_SINGLE 4

void kll_init(struct kll *s, enum kll_kind kind, unsigned k) {
    *s = (struct kll){.kind = kind, .k = k, .min_k = k, .levels = 1, .seed = 0x9e3779b97f4a7c15ull ^ k};
}

void kll_free(struct kll *s) {
    for (size_t i = 0; i < KLL_LEVELS; i++) {
        free(s->level[i].item);
        s->level[i] = (struct kll_level){0};
    }
    s->n = 0;
}

bool kll_copy(const struct kll *s, struct kll *ret) {
    *ret = *s;
    for (size_t i = 0; i < KLL_LEVELS; i++) ret->level[i] = (struct kll_level){0};
    for (size_t i = 0; i < s->levels; i++) {
        size_t n = s->level[i].n;
        union kll_item *p = malloc((n ? n : 1) * sizeof(*p));
        if (!p) return false;
        if (n) memcpy(p, s->level[i].item, n * sizeof(*p));
        ret->level[i] = (struct kll_level){p, n, n ? n : 1};
    }
    return true;
}

static bool less(enum kll_kind kind, union kll_item a, union kll_item b) { return kind == KLL_BIGINT ? a.l < b.l : a.d < b.d; }

static int by_long(const void *a, const void *b) {
    int64_t x = ((const union kll_item *)a)->l, y = ((const union kll_item *)b)->l;
    return (x > y) - (x < y);
}
static int by_double(const void *a, const void *b) {
    double x = ((const union kll_item *)a)->d, y = ((const union kll_item *)b)->d;
    return (x > y) - (x < y);
}

static bool push(struct kll_level *l, union kll_item v) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        union kll_item *p = realloc(l->item, cap * sizeof(*p));
        if (!p) return false;
        l->item = p;
        l->cap = cap;
    }
    l->item[l->n++] = v;
    return true;
}

static bool coin(struct kll *s) {
    s->seed ^= s->seed << 13;
    s->seed ^= s->seed >> 7;
    s->seed ^= s->seed << 17;
    return s->seed >> 33 & 1;
}

/* k · (2/3)^depth, rounded, at least M. */
static size_t level_capacity(unsigned k, size_t levels, size_t level) {
    size_t depth = levels - level - 1, v = k;
    while (depth) {
        size_t step = depth > 30 ? 30 : depth;
        uint64_t three = 1;
        for (size_t i = 0; i < step; i++) three *= 3;
        v = (size_t)((((uint64_t)v << 1 << step) / three + 1) >> 1);
        depth -= step;
    }
    return v < M ? M : v;
}

size_t kll_capacity(const struct kll *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->levels; i++) n += level_capacity(s->k, s->levels, i);
    return n;
}

size_t kll_retained(const struct kll *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->levels; i++) n += s->level[i].n;
    return n;
}

static bool merge_sorted(enum kll_kind kind, struct kll_level *into, const union kll_item *v, size_t n) {
    size_t total = into->n + n, i = 0, j = 0, k = 0;
    union kll_item *p = malloc((total ? total : 1) * sizeof(*p));
    if (!p) return false;
    while (k < total)
        if (j == n || (i < into->n && !less(kind, v[j], into->item[i]))) p[k++] = into->item[i++];
        else p[k++] = v[j++];
    free(into->item);
    *into = (struct kll_level){p, total, total ? total : 1};
    return true;
}

/* The lowest level that is full gives half of its items to the one above. */
static bool compress(struct kll *s) {
    size_t at = 0;
    while (at < s->levels && s->level[at].n < level_capacity(s->k, s->levels, at)) at++;
    if (at + 1 >= KLL_LEVELS || at == s->levels) return false;
    if (at == s->levels - 1) s->levels++;
    struct kll_level *l = &s->level[at];
    /* Of an odd number the item that came last stays behind (of sorted levels the first). */
    union kll_item *v = l->item, stays = {0};
    size_t n = l->n, odd = n & 1;
    if (odd && at == 0) stays = v[n - 1];
    if (odd && at > 0) stays = *v++;
    n -= odd;
    if (at == 0) qsort(v, n, sizeof(*v), s->kind == KLL_BIGINT ? by_long : by_double);
    size_t from = coin(s);
    for (size_t i = 0; i < n / 2; i++) v[i] = v[2 * i + from];
    if (!merge_sorted(s->kind, &s->level[at + 1], v, n / 2)) return false;
    l->n = odd;
    if (odd) l->item[0] = stays;
    return true;
}

static void widen(struct kll *s, union kll_item v) {
    if (s->n == 0 || less(s->kind, v, s->min)) s->min = v;
    if (s->n == 0 || less(s->kind, s->max, v)) s->max = v;
}

bool kll_add(struct kll *s, union kll_item v) {
    if (s->kind != KLL_BIGINT && isnan(v.d)) return true;
    widen(s, v);
    if (kll_retained(s) >= kll_capacity(s) && !compress(s)) return false;
    s->n++;
    s->sorted = false;
    return push(&s->level[0], v);
}

bool kll_merge(struct kll *into, const struct kll *from) {
    if (from->n == 0) return true;
    uint64_t n = into->n + from->n;
    for (size_t i = from->level[0].n; i-- > 0;)
        if (!kll_add(into, from->level[0].item[i])) return false;
    for (size_t i = 1; i < from->levels; i++) {
        if (into->levels <= i) into->levels = i + 1;
        if (!merge_sorted(into->kind, &into->level[i], from->level[i].item, from->level[i].n)) return false;
    }
    while (kll_retained(into) > kll_capacity(into))
        if (!compress(into)) return false;
    widen(into, from->min);
    widen(into, from->max);
    into->n = n;
    if (from->levels > 1 && from->min_k < into->min_k) into->min_k = from->min_k;
    return true;
}

void kll_turn(struct kll *s) {
    struct kll_level *l = &s->level[0];
    for (size_t i = 0; i + 1 < l->n - i; i++) {
        union kll_item h = l->item[i];
        l->item[i] = l->item[l->n - 1 - i];
        l->item[l->n - 1 - i] = h;
    }
}

/* ---- asked ---- */

static uint64_t up_to(const struct kll *s, union kll_item v) {
    uint64_t w = 0;
    for (size_t i = 0; i < s->levels; i++)
        for (size_t k = 0; k < s->level[i].n; k++)
            if (!less(s->kind, v, s->level[i].item[k])) w += 1ull << i;
    return w;
}

double kll_rank(const struct kll *s, union kll_item v) { return (double)up_to(s, v) / (double)s->n; }

bool kll_quantile(const struct kll *s, double rank, union kll_item *ret) {
    size_t n = kll_retained(s), at = 0;
    union kll_item *v = malloc((n + 1) * sizeof(*v));
    if (!v) return false;
    for (size_t i = 0; i < s->levels; i++)
        for (size_t k = 0; k < s->level[i].n; k++) v[at++] = s->level[i].item[k];
    qsort(v, n, sizeof(*v), s->kind == KLL_BIGINT ? by_long : by_double);
    double place = rank * (double)s->n;
    if (s->n <= 1000000) place = round(place * 1e6) / 1e6;
    uint64_t want = (uint64_t)ceil(place);
    /* Weights grow with the items: the first item up to which so many weigh. */
    size_t lo = 0, hi = n - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (up_to(s, v[mid]) >= want) hi = mid;
        else lo = mid + 1;
    }
    *ret = v[lo];
    free(v);
    return true;
}

double kll_epsilon(const struct kll *s, bool pmf) { return pmf ? 2.446 / pow(s->min_k, 0.9433) : 2.296 / pow(s->min_k, 0.9723); }

/* ---- bytes ---- */

static void put_item(enum kll_kind kind, union kll_item v, buf *out) {
    float f = (float)v.d;
    if (kind == KLL_FLOAT) buf_add(out, &f, 4);
    else buf_add(out, &v, 8);
}

void kll_write(const struct kll *s, buf *out) {
    size_t retained = kll_retained(s), begins = kll_capacity(s) - retained;
    bool single = s->n == 1;
    uint8_t flags = (s->n == 0 ? F_EMPTY : 0) | (single ? F_SINGLE : 0) | (s->sorted && s->n > 1 ? F_SORTED : 0);
    uint8_t head[8] = {s->n < 2 ? 2 : 5, single ? 2 : 1, 15, flags, (uint8_t)s->k, (uint8_t)(s->k >> 8), M, 0};
    buf_add(out, head, 8);
    if (s->n > 1) {
        buf_u64(out, s->n);
        buf_u16(out, (uint16_t)s->min_k);
        buf_u8(out, (uint8_t)s->levels);
        buf_u8(out, 0);
        for (size_t i = 0; i < s->levels; i++) {
            buf_u32(out, (uint32_t)begins);
            begins += s->level[i].n;
        }
        put_item(s->kind, s->min, out);
        put_item(s->kind, s->max, out);
    }
    for (size_t i = s->level[0].n; i-- > 0;) put_item(s->kind, s->level[0].item[i], out);
    for (size_t l = 1; l < s->levels; l++)
        for (size_t i = 0; i < s->level[l].n; i++) put_item(s->kind, s->level[l].item[i], out);
}

static uint64_t le(const unsigned char *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static union kll_item get_item(enum kll_kind kind, const unsigned char *p) {
    union kll_item v;
    float f;
    if (kind == KLL_FLOAT) {
        memcpy(&f, p, 4);
        v.d = f;
    } else memcpy(&v, p, 8);
    return v;
}

static bool read_items(const unsigned char *p, size_t n, size_t at, struct kll *s) {
    size_t each = s->kind == KLL_FLOAT ? 4 : 8;
    uint64_t last = 0, begins[KLL_LEVELS + 1], weight = 0;
    if (s->levels < 1 || s->levels >= KLL_LEVELS || n < at + s->levels * 4 + 2 * each) return false;
    for (size_t i = 0; i < s->levels; i++) begins[i] = le(p + at + 4 * i, 4);
    begins[s->levels] = kll_capacity(s);
    at += 4 * s->levels;
    s->min = get_item(s->kind, p + at);
    s->max = get_item(s->kind, p + at + each);
    at += 2 * each;
    last = begins[0];
    for (size_t i = 0; i < s->levels; i++) {
        if (begins[i] < last || begins[i + 1] < begins[i] || begins[i + 1] - begins[i] > (n - at) / each) return false;
        last = begins[i];
        size_t count = (size_t)(begins[i + 1] - begins[i]);
        for (size_t k = 0; k < count; k++) {
            union kll_item v = get_item(s->kind, p + at + each * (i ? k : count - 1 - k));
            if (i && k && less(s->kind, v, s->level[i].item[k - 1])) return false;
            if ((s->kind != KLL_BIGINT && isnan(v.d)) || !push(&s->level[i], v)) return false;
        }
        weight += count << i;
        at += each * count;
    }
    return weight == s->n && at == n;
}

bool kll_read(enum kll_kind kind, str bytes, struct kll *ret) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    size_t n = bytes.n, each = kind == KLL_FLOAT ? 4 : 8;
    kll_init(ret, kind, KLL_K_MIN);
    if (n < 8 || p[2] != 15 || p[6] != M) return false;
    unsigned k = (unsigned)le(p + 4, 2), flags = p[3];
    if (k < KLL_K_MIN) return false;
    kll_init(ret, kind, k);
    if (flags & F_EMPTY) return p[0] == 2;
    if (flags & F_SINGLE) {
        if (p[0] != 2 || p[1] != 2 || n != 8 + each) return false;
        if (kll_add(ret, get_item(kind, p + 8))) return true;
        kll_free(ret);
        return false;
    }
    if (p[0] != 5 || p[1] != 1 || n < 20) return false;
    ret->n = le(p + 8, 8);
    ret->min_k = (unsigned)le(p + 16, 2);
    ret->levels = p[18];
    ret->sorted = flags & F_SORTED;
    if (ret->min_k >= KLL_K_MIN && ret->n > 1 && ret->n >> 60 == 0 && read_items(p, n, 20, ret)) return true;
    kll_free(ret);
    return false;
}
