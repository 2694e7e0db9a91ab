/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HLL sketches with a byte for each register (HLL_8), in the updatable form.
 *
 *   0 ints of preamble (2 list, 3 set, 10 registers)  1 version 1  2 family 7  3 lg k  4 lg of the slots (list, set)
 *   5 flags (4 empty, 16 out of order)  6 coupons of a list, least register  7 mode (0 list, 1 set, 2 registers) | 8
 *   list: 8 coupons.  set: 8 count, then slots.  registers: 8 running estimate, 16 and 24 the sums of 2^-register below
 *   and from 32 on, 32 number of the least registers, 36 zero, then registers.
 * A coupon is 26 bits of address and above them the run of zeros and one; its low lg k bits are the register's number.
 *
 * Estimates: of few coupons their number, corrected for those that fell together; else the running estimate (HIP); after
 * a union the harmonic mean corrected by its own expectation, or linear counting where many registers are empty.
 */
#include <math.h>
#include <stdlib.h>

#include "engine/worker/sketch.h"

#define ADDRESS ((1u << 26) - 1)
#define LIST_LG 3
#define SET_LG 5

uint32_t hll_coupon(const void *p, size_t n) {
    uint64_t h[2];
    if (n == 0) return 0;
    sketch_hash128(p, n, SKETCH_SEED, h);
    unsigned zeros = h[1] ? (unsigned)__builtin_clzll(h[1]) : 64;
    return (uint32_t)((zeros > 62 ? 62 : zeros) + 1) << 26 | (uint32_t)(h[0] & ADDRESS);
}

bool hll_init(struct hll *h, unsigned lg_k) {
    *h = (struct hll){.lg_k = lg_k, .mode = HLL_LIST, .lg_size = LIST_LG, .coupon = calloc(1u << LIST_LG, sizeof(uint32_t))};
    return h->coupon != NULL;
}

void hll_free(struct hll *h) {
    free(h->coupon);
    free(h->reg);
    h->coupon = NULL;
    h->reg = NULL;
}

/* How many different values so many different coupons stand for: pairs fall together with probability 2^-26 / 3. */
static double of_coupons(uint32_t n) {
    /* What the running estimate begins with where a list or set becomes registers, to the last bit. */
    static const struct { uint32_t n; uint64_t bits; } known[] = {
        {8, 0x4020000004AAAAADull},    {25, 0x403900001900001Eull},   {49, 0x4048800031000073ull},  {97, 0x40584000610001C2ull},
        {193, 0x40682000C10006F3ull},  {385, 0x4078100181001B9Dull},  {769, 0x4088080301006DDEull}, {1537, 0x409804060101B6FFull},
        {3073, 0x40A8020C0106DBDAull}, {6145, 0x40B80118011B6FFAull}, {12289, 0x40C800B0016D600Aull},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (known[i].n == n) {
            double d;
            memcpy(&d, &known[i].bits, 8);
            return d;
        }
    /* Expected coupons of m values, inverted by steps: over the different lengths of runs. */
    double x = n, m = x;
    for (int step = 0; step < 40; step++) {
        double got = 0;
        for (int v = 1; v < 60; v++) {
            double q = ldexp(1, -26 - v), cells = ldexp(1, 26);
            got += -cells * expm1(m * log1p(-q));
        }
        double d = x - got;
        m += d;
        if (fabs(d) < 1e-9 * x) break;
    }
    return m;
}

/* ---- lists and sets ---- */

static bool set_put(uint32_t *slot, unsigned lg, uint32_t coupon) {
    uint32_t mask = (1u << lg) - 1, at = coupon & mask, stride = ((coupon & ADDRESS) >> lg) | 1;
    while (slot[at]) {
        if (slot[at] == coupon) return false;
        at = (at + stride) & mask;
    }
    slot[at] = coupon;
    return true;
}

static double inverse(unsigned v) { return ldexp(1, -(int)v); }

static void reg_put(struct hll *h, uint32_t coupon) {
    uint32_t at = coupon & ((1u << h->lg_k) - 1);
    unsigned v = coupon >> 26, old = h->reg[at];
    if (v <= old) return;
    h->hip += ldexp(1, (int)h->lg_k) / (h->kxq0 + h->kxq1);
    if (old < 32) h->kxq0 -= inverse(old);
    else h->kxq1 -= inverse(old);
    if (v < 32) h->kxq0 += inverse(v);
    else h->kxq1 += inverse(v);
    h->reg[at] = (uint8_t)v;
}

static bool to_registers(struct hll *h) {
    double begins = of_coupons(h->n);
    uint32_t slots = 1u << h->lg_size;
    h->reg = calloc(1u << h->lg_k, 1);
    if (!h->reg) return false;
    h->kxq0 = ldexp(1, (int)h->lg_k);
    h->kxq1 = 0;
    for (uint32_t i = 0; i < slots; i++)
        if (h->coupon[i]) reg_put(h, h->coupon[i]);
    h->hip = begins;
    h->mode = HLL_FULL;
    free(h->coupon);
    h->coupon = NULL;
    return true;
}

static bool to_set(struct hll *h, unsigned lg) {
    uint32_t *slot = calloc(1u << lg, sizeof(*slot));
    if (!slot) return false;
    for (uint32_t i = 0; i < 1u << h->lg_size; i++)
        if (h->coupon[i]) set_put(slot, lg, h->coupon[i]);
    free(h->coupon);
    h->coupon = slot;
    h->lg_size = lg;
    h->mode = HLL_SET;
    return true;
}

bool hll_add(struct hll *h, uint32_t coupon) {
    if (coupon >> 26 == 0) return true;
    if (h->mode == HLL_FULL) {
        reg_put(h, coupon);
        return true;
    }
    if (h->mode == HLL_LIST) {
        for (uint32_t i = 0; i < h->n; i++)
            if (h->coupon[i] == coupon) return true;
        h->coupon[h->n++] = coupon;
        if (h->n < 1u << LIST_LG) return true;
        return h->lg_k < 8 ? to_registers(h) : to_set(h, SET_LG);
    }
    if (!set_put(h->coupon, h->lg_size, coupon)) return true;
    h->n++;
    if (4 * h->n <= 3u << h->lg_size) return true;
    return h->lg_size == h->lg_k - 3 ? to_registers(h) : to_set(h, h->lg_size + 1);
}

/* ---- unions ---- */

static void resum(struct hll *h) {
    h->kxq0 = h->kxq1 = 0;
    for (size_t i = 0; i < (size_t)1 << h->lg_k; i++)
        if (h->reg[i] < 32) h->kxq0 += inverse(h->reg[i]);
        else h->kxq1 += inverse(h->reg[i]);
}

/* Registers of a smaller k: those whose numbers end alike become one. */
static bool shrink(struct hll *h, unsigned lg_k) {
    if (h->lg_k <= lg_k) return true;
    if (h->mode == HLL_FULL) {
        size_t mask = ((size_t)1 << lg_k) - 1;
        uint8_t *reg = calloc(mask + 1, 1);
        if (!reg) return false;
        for (size_t i = 0; i < (size_t)1 << h->lg_k; i++)
            if (h->reg[i] > reg[i & mask]) reg[i & mask] = h->reg[i];
        free(h->reg);
        h->reg = reg;
        h->lg_k = lg_k;
        h->unordered = h->merged = true;
        resum(h);
        return true;
    }
    struct hll small;
    if (!hll_init(&small, lg_k)) return false;
    bool good = true;
    for (uint32_t i = 0; good && i < 1u << h->lg_size; i++)
        if (h->coupon[i]) good = hll_add(&small, h->coupon[i]);
    if (!good) {
        hll_free(&small);
        return false;
    }
    hll_free(h);
    *h = small;
    return true;
}

static bool copy_of(const struct hll *from, struct hll *ret) {
    *ret = *from;
    size_t n = from->mode == HLL_FULL ? (size_t)1 << from->lg_k : sizeof(uint32_t) << from->lg_size;
    void *p = malloc(n);
    if (!p) {
        ret->coupon = NULL;
        ret->reg = NULL;
        return false;
    }
    memcpy(p, from->mode == HLL_FULL ? (const void *)from->reg : from->coupon, n);
    ret->coupon = from->mode == HLL_FULL ? NULL : p;
    ret->reg = from->mode == HLL_FULL ? p : NULL;
    return true;
}

static bool add_all(struct hll *into, const struct hll *from) {
    for (uint32_t i = 0; i < 1u << from->lg_size; i++)
        if (from->coupon[i] && !hll_add(into, from->coupon[i])) return false;
    return true;
}

bool hll_union(struct hll *into, const struct hll *from) {
    if (from->mode != HLL_FULL && from->n == 0) return true;
    if (from->mode != HLL_FULL) return shrink(into, from->lg_k < into->lg_k && into->mode == HLL_FULL ? into->lg_k : into->lg_k) && add_all(into, from);
    struct hll copy;
    if (!copy_of(from, &copy)) return false;
    unsigned lg_k = into->lg_k < from->lg_k ? into->lg_k : from->lg_k;
    if (!shrink(&copy, lg_k) || !shrink(into, lg_k)) {
        hll_free(&copy);
        return false;
    }
    if (into->mode != HLL_FULL) {
        bool good = add_all(&copy, into);
        bool any = into->n > 0;
        hll_free(into);
        *into = copy;
        into->unordered |= any;
        return good;
    }
    for (size_t i = 0; i < (size_t)1 << lg_k; i++)
        if (copy.reg[i] > into->reg[i]) into->reg[i] = copy.reg[i];
    into->unordered = into->merged = true;
    resum(into);
    hll_free(&copy);
    return true;
}

/* ---- estimates ---- */

static double alpha(unsigned lg_k) {
    static const double small[] = {0.673, 0.697, 0.709};
    return lg_k <= 6 ? small[lg_k - 4] : 0.7213 / (1 + 1.079 / ldexp(1, (int)lg_k));
}

/* What the harmonic mean gives of n values on average: the mean and the variance of one register's 2^-value, to the
 * second order of 1/x, with n fixed (the sum varies less than that of independent registers). */
static double expected_raw(double n, unsigned lg_k) {
    double k = ldexp(1, (int)lg_k), m1 = 0, m2 = 0, slope = 0, below = exp(-n / k), d_below = -below / k;
    m1 += below;
    m2 += below;
    slope += d_below;
    for (int v = 1; v < 64; v++) {
        double q = ldexp(1, -v), at = exp(-n / k * q), d_at = -at * q / k;
        m1 += (at - below) * q;
        m2 += (at - below) * q * q;
        slope += (d_at - d_below) * q;
        below = at;
        d_below = d_at;
    }
    double mu = k * m1, var = k * (m2 - m1 * m1) - n * (k * slope) * (k * slope);
    return alpha(lg_k) * k * k * (1 / mu + (var > 0 ? var : 0) / (mu * mu * mu));
}

/* The same without the expansion, for the few registers of small sketches: 1/S is the integral of e^-tS; of values that
 * come by chance (Poisson) the registers are independent. */
static double by_chance(double n, unsigned lg_k) {
    double k = ldexp(1, (int)lg_k), p[64], below = exp(-n / k), sum = 0, last = 0;
    p[0] = below;
    for (int v = 1; v < 64; v++) {
        double at = exp(-n / k * ldexp(1, -v));
        p[v] = at - below;
        below = at;
    }
    /* t = e^u in steps of 1/16, far beyond where the integrand counts. */
    for (int step = -400; step <= 900; step++) {
        double t = exp(step / 16.0), phi = 0;
        for (int v = 0; v < 64; v++) phi += p[v] * exp(-t * ldexp(1, -v));
        last = t * exp(k * log(phi + 1 - below)) / 16.0;
        sum += last;
        if (step > 0 && last < sum * 1e-15) break;
    }
    return alpha(lg_k) * k * k * sum;
}

static double expected(double n, unsigned lg_k) {
    if (lg_k > 7) return expected_raw(n, lg_k);
    /* n values are fewer chances than n on average: less half n times the second derivative. */
    double h = n / 50 + 1, mid = by_chance(n, lg_k);
    if (n < 1) return mid;
    double low = by_chance(n - (h > n ? n : h), lg_k), high = by_chance(n + h, lg_k), w = h > n ? n : h;
    if (w < h) return mid;
    return mid - n / 2 * (low - 2 * mid + high) / (h * h);
}

static double corrected(double raw, unsigned lg_k) {
    double k = ldexp(1, (int)lg_k), lo = 0, hi = raw * 2 + k;
    if (raw <= expected(0, lg_k)) return 0;
    for (int i = 0; i < 50; i++) {
        double mid = (lo + hi) / 2;
        if (expected(mid, lg_k) < raw) lo = mid;
        else hi = mid;
    }
    return (lo + hi) / 2;
}

static double harmonic(uint64_t n) {
    double s = 0;
    if (n < 100) {
        for (uint64_t i = 1; i <= n; i++) s += 1.0 / (double)i;
        return s;
    }
    double x = (double)n;
    return log(x) + 0.57721566490153286 + 1 / (2 * x) - 1 / (12 * x * x) + 1 / (120 * x * x * x * x);
}

static double after_union(const struct hll *h) {
    uint64_t k = 1ull << h->lg_k, free_regs = 0;
    for (uint64_t i = 0; i < k; i++) free_regs += h->reg[i] == 0;
    double kd = (double)k, adjusted = corrected(alpha(h->lg_k) * kd * kd / (h->kxq0 + h->kxq1), h->lg_k);
    if (adjusted > 3 * kd) return adjusted;
    double linear = free_regs ? kd * (harmonic(k) - harmonic(free_regs)) : kd * log(kd / 0.5);
    double cross = h->lg_k == 4 ? 0.718 : h->lg_k == 5 ? 0.672 : 0.64;
    return (adjusted + linear) / 2 > cross * kd ? adjusted : linear;
}

double hll_estimate(const struct hll *h) {
    if (h->mode != HLL_FULL) return h->n ? of_coupons(h->n) : 0;
    return h->unordered ? after_union(h) : h->hip;
}

/* ---- bytes ---- */

void hll_write(struct hll *h, buf *out) {
    static const uint8_t ints[] = {2, 3, 10};
    unsigned least = 0;
    uint32_t at_least = 0;
    if (h->mode == HLL_FULL) {
        size_t k = (size_t)1 << h->lg_k;
        least = 255;
        for (size_t i = 0; i < k; i++)
            if (h->reg[i] < least) least = h->reg[i];
        if (!h->merged) least = 0;
        for (size_t i = 0; i < k; i++) at_least += h->reg[i] == least;
    }
    uint8_t flags = (h->mode != HLL_FULL && h->n == 0 ? 4 : 0) | (h->mode == HLL_FULL && h->unordered ? 16 : 0);
    uint8_t head[8] = {ints[h->mode], 1, 7, (uint8_t)h->lg_k, h->mode == HLL_FULL ? 0 : (uint8_t)h->lg_size, flags,
                       h->mode == HLL_LIST ? (uint8_t)h->n : h->mode == HLL_FULL ? (uint8_t)least : 0, (uint8_t)(8 | h->mode)};
    buf_add(out, head, 8);
    if (h->mode == HLL_FULL) {
        double hip = h->unordered ? 0 : h->hip;
        buf_add(out, &hip, 8);
        buf_add(out, &h->kxq0, 8);
        buf_add(out, &h->kxq1, 8);
        buf_u32(out, at_least);
        buf_u32(out, 0);
        buf_add(out, h->reg, (size_t)1 << h->lg_k);
        return;
    }
    if (h->mode == HLL_SET) buf_u32(out, h->n);
    for (uint32_t i = 0; i < 1u << h->lg_size; i++) buf_u32(out, h->coupon[i]);
}

static uint32_t le32(const unsigned char *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }

/* Coupons, in slots or (compact) side by side. */
static bool read_coupons(const unsigned char *p, size_t n, bool set, struct hll *h) {
    size_t at = set ? 12 : 8, count = set ? (n >= 12 ? le32(p + 8) : 0) : p[6];
    if (n < at || (n - at) % 4) return false;
    size_t slots = (n - at) / 4, seen = 0;
    if (slots > 1u << 20 || count > slots) return false;
    for (size_t i = 0; i < slots; i++) {
        uint32_t c = le32(p + at + 4 * i);
        if (!c) continue;
        if (c >> 26 == 0 || ++seen > count || !hll_add(h, c)) return false;
    }
    return seen == count;
}

static bool read_registers(const unsigned char *p, size_t n, struct hll *h) {
    size_t k = (size_t)1 << h->lg_k;
    if (n < 40 + k) return false;
    free(h->coupon);
    h->coupon = NULL;
    h->reg = malloc(k);
    if (!h->reg) return false;
    h->mode = HLL_FULL;
    memcpy(&h->hip, p + 8, 8);
    memcpy(h->reg, p + 40, k);
    for (size_t i = 0; i < k; i++)
        if (h->reg[i] > 63) return false;
    h->unordered = p[5] & 16;
    h->merged = p[6] != 0 || h->unordered;
    resum(h);
    return h->unordered || (isfinite(h->hip) && h->hip >= 0);
}

bool hll_read(str bytes, struct hll *ret) {
    const unsigned char *p = (const unsigned char *)bytes.p;
    *ret = (struct hll){0};
    if (bytes.n < 8 || p[1] != 1 || p[2] != 7 || p[3] < HLL_LG_MIN || p[3] > HLL_LG_MAX || (p[7] & ~3) != 8) return false;
    if (!hll_init(ret, p[3])) return false;
    unsigned mode = p[7] & 3;
    bool good = p[5] & 4 ? true
                : mode == 2 ? p[0] == 10 && read_registers(p, bytes.n, ret)
                            : mode < 2 && p[0] == 2 + mode && read_coupons(p, bytes.n, mode == 1, ret);
    if (!good) hll_free(ret);
    return good;
}
