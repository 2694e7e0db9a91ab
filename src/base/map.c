/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <stdlib.h>

#include "base/assert.h"

struct slot {
    uint64_t hash;
    char *key; /* NULL: never used; TOMB: deleted */
    size_t n;
    void *value;
};

struct map {
    struct slot *slots;
    size_t cap, used, live; /* used counts tombs */
};

static char tomb_mark;
#define TOMB (&tomb_mark)

static uint64_t seed0 = 0x0706050403020100ull, seed1 = 0x0f0e0d0c0b0a0908ull;

void map_seed(const unsigned char key[16]) {
    memcpy(&seed0, key, 8);
    memcpy(&seed1, key + 8, 8);
}

/* SipHash-1-3: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012). */
#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND                                                                                      \
    do {                                                                                           \
        v0 += v1, v1 = ROTL(v1, 13), v1 ^= v0, v0 = ROTL(v0, 32);                                  \
        v2 += v3, v3 = ROTL(v3, 16), v3 ^= v2;                                                     \
        v0 += v3, v3 = ROTL(v3, 21), v3 ^= v0;                                                     \
        v2 += v1, v1 = ROTL(v1, 17), v1 ^= v2, v2 = ROTL(v2, 32);                                  \
    } while (0)

uint64_t map_hash(const void *data, size_t n) {
    const unsigned char *p = data;
    uint64_t v0 = seed0 ^ 0x736f6d6570736575ull, v1 = seed1 ^ 0x646f72616e646f6dull,
             v2 = seed0 ^ 0x6c7967656e657261ull, v3 = seed1 ^ 0x7465646279746573ull;
    size_t whole = n & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t m;
        memcpy(&m, p + i, 8);
        v3 ^= m;
        ROUND;
        v0 ^= m;
    }
    uint64_t last = (uint64_t)n << 56;
    for (size_t i = whole; i < n; i++) last |= (uint64_t)p[i] << (8 * (i - whole));
    v3 ^= last;
    ROUND;
    v0 ^= last;
    v2 ^= 0xff;
    ROUND;
    ROUND;
    ROUND;
    return v0 ^ v1 ^ v2 ^ v3;
}

map *map_new(void) {
    map *m = calloc(1, sizeof(*m));
    must(m != NULL);
    return m;
}

void map_free(map *m) {
    if (!m) return;
    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key && m->slots[i].key != TOMB) free(m->slots[i].key);
    free(m->slots);
    free(m);
}

size_t map_size(const map *m) { return m->live; }

static struct slot *find(const map *m, str key, uint64_t h) {
    if (!m->cap) return NULL;
    for (size_t i = h & (m->cap - 1);; i = (i + 1) & (m->cap - 1)) {
        struct slot *s = &m->slots[i];
        if (!s->key) return NULL;
        if (s->key != TOMB && s->hash == h && s->n == key.n &&
            (key.n == 0 || memcmp(s->key, key.p, key.n) == 0))
            return s;
    }
}

void *map_get(const map *m, str key) {
    struct slot *s = find(m, key, map_hash(key.p, key.n));
    return s ? s->value : NULL;
}

static void place(map *m, struct slot s) {
    size_t i = s.hash & (m->cap - 1);
    while (m->slots[i].key) i = (i + 1) & (m->cap - 1);
    m->slots[i] = s;
}

static void rehash(map *m, size_t cap) {
    struct slot *old = m->slots;
    size_t n = m->cap;
    m->slots = calloc(cap, sizeof(*old));
    must(m->slots != NULL);
    m->cap = cap;
    m->used = m->live;
    for (size_t i = 0; i < n; i++)
        if (old[i].key && old[i].key != TOMB) place(m, old[i]);
    free(old);
}

void *map_put(map *m, str key, void *value) {
    must(value != NULL);
    uint64_t h = map_hash(key.p, key.n);
    struct slot *s = find(m, key, h);
    if (s) {
        void *old = s->value;
        s->value = value;
        return old;
    }
    if ((m->used + 1) * 4 > m->cap * 3) rehash(m, m->live * 2 + 8 > m->cap ? (m->cap ? m->cap * 2 : 16) : m->cap);
    char *k = malloc(key.n + 1);
    must(k != NULL);
    if (key.n) memcpy(k, key.p, key.n);
    k[key.n] = 0;
    place(m, (struct slot){h, k, key.n, value});
    m->used++;
    m->live++;
    return NULL;
}

void *map_del(map *m, str key) {
    struct slot *s = find(m, key, map_hash(key.p, key.n));
    if (!s) return NULL;
    void *v = s->value;
    free(s->key);
    s->key = TOMB;
    s->value = NULL;
    m->live--;
    return v;
}

bool map_next(const map *m, size_t *i, str *ret_key, void **ret_value) {
    while (*i < m->cap) {
        const struct slot *s = &m->slots[(*i)++];
        if (!s->key || s->key == TOMB) continue;
        *ret_key = str_n(s->key, s->n);
        *ret_value = s->value;
        return true;
    }
    return false;
}
