/* SPDX-License-Identifier: Apache-2.0 */
/* 256-bit magnitudes (wide.h). */
#include "engine/worker/wide.h"

#define TEN18 1000000000000000000ull

static const uint64_t pow10_u64[19] = {
    1ull, 10ull, 100ull, 1000ull, 10000ull, 100000ull, 1000000ull, 10000000ull, 100000000ull, 1000000000ull, 10000000000ull,
    100000000000ull, 1000000000000ull, 10000000000000ull, 100000000000000ull, 1000000000000000ull, 10000000000000000ull,
    100000000000000000ull, TEN18,
};

struct wide wide_mul_u64(struct wide a, uint64_t m, bool *over) {
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)a.w[i] * m;
        a.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry) *over = true;
    return a;
}

struct wide wide_mul(u128 a, u128 b) {
    uint64_t x[2] = {(uint64_t)a, (uint64_t)(a >> 64)}, y[2] = {(uint64_t)b, (uint64_t)(b >> 64)};
    struct wide r = {{0}};
    for (int i = 0; i < 2; i++) {
        u128 carry = 0;
        for (int j = 0; j < 2; j++) {
            carry += (u128)x[i] * y[j] + r.w[i + j];
            r.w[i + j] = (uint64_t)carry;
            carry >>= 64;
        }
        r.w[i + 2] = (uint64_t)carry;
    }
    return r;
}

struct wide wide_scale_up(struct wide a, int n, bool *over) {
    for (; n > 0; n -= 18) a = wide_mul_u64(a, pow10_u64[n > 18 ? 18 : n], over);
    return a;
}

struct wide wide_add(struct wide a, struct wide b, bool *over) {
    u128 carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (u128)a.w[i] + b.w[i];
        a.w[i] = (uint64_t)carry;
        carry >>= 64;
    }
    if (carry) *over = true;
    return a;
}

struct wide wide_sub(struct wide a, struct wide b) {
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        u128 d = (u128)a.w[i] - b.w[i] - borrow;
        a.w[i] = (uint64_t)d;
        borrow = (uint64_t)(d >> 64) & 1;
    }
    return a;
}

int wide_cmp(struct wide a, struct wide b) {
    for (int i = 3; i >= 0; i--)
        if (a.w[i] != b.w[i]) return a.w[i] < b.w[i] ? -1 : 1;
    return 0;
}

static struct wide div_u64(struct wide a, uint64_t d) {
    u128 rest = 0;
    for (int i = 3; i >= 0; i--) {
        rest = rest << 64 | a.w[i];
        a.w[i] = (uint64_t)(rest / d);
        rest %= d;
    }
    return a;
}

/* Floors compose, so half of the divisor is added first and the rest divides in steps. */
struct wide wide_scale_down(struct wide a, int n, bool *over) {
    if (n <= 0) return a;
    if (n > 77) return (struct wide){{0}};
    struct wide half = wide_mul_u64(wide_scale_up(wide_of(1), n - 1, over), 5, over);
    a = wide_add(a, half, over);
    for (; n > 0; n -= 18) a = div_u64(a, pow10_u64[n > 18 ? 18 : n]);
    return a;
}

struct wide wide_div(struct wide a, u128 b, bool half_up) {
    u128 rest;
    struct wide q = {{0}};
    if (wide_fits(a)) {
        q = wide_of(wide_low(a) / b);
        rest = wide_low(a) % b;
    } else {
        rest = 0;
        for (int i = 255; i >= 0; i--) {
            /* b is below 2^127, so the shifted rest fits. */
            rest = rest << 1 | (a.w[i / 64] >> (i % 64) & 1);
            if (rest >= b) {
                rest -= b;
                q.w[i / 64] |= 1ull << (i % 64);
            }
        }
    }
    bool over = false;
    if (half_up && rest >= b - rest) q = wide_add(q, wide_of(1), &over);
    return q;
}
