/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rand.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/assert.h"

static bool seeded;
static uint64_t state;

/* SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014). */
static uint64_t next_seeded(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

void rand_seed_for_test(uint64_t seed) {
    seeded = true;
    state = seed;
}

void rand_bytes(void *p, size_t n) {
    unsigned char *b = p;
    if (seeded) {
        for (size_t i = 0; i < n; i++) b[i] = (unsigned char)next_seeded();
        return;
    }
    while (n) {
        ssize_t r = getrandom(b, n, 0);
        if (r < 0 && errno == EINTR) continue;
        must(r > 0);
        b += r;
        n -= (size_t)r;
    }
}

uint64_t rand_u64(void) {
    uint64_t v;
    rand_bytes(&v, sizeof(v));
    return v;
}

int64_t rand_id(void) {
    int64_t v;
    do v = (int64_t)(rand_u64() >> 11);
    while (v == 0);
    return v;
}

void rand_hex(char *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c;
        rand_bytes(&c, 1);
        snprintf(out + 2 * i, 3, "%02x", c);
    }
}

void rand_uuid(char out[37]) {
    unsigned char b[16];
    rand_bytes(b, 16);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out[at++] = '-';
        snprintf(out + at, 3, "%02x", b[i]);
        at += 2;
    }
    out[36] = 0;
}
