/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers: mathematics as Java computes it, rounding of doubles, bases, bits, random draws. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/worker/fn_int.h"
#include "engine/worker/text.h"
#include "sys/rand.h"

/* ---- functions of one double ---- */

/* ln x as Java's StrictMath rounds it: x = 2^k · (1 + f) with 1 + f near 1, and ln(1 + f) by a series in s = f/(2 + f). */
static double java_log(double x) {
    static const double odd[] = {6.666666666666735130e-01, 2.857142874366239149e-01, 1.818357216161805012e-01, 1.479819860511658591e-01},
                        even[] = {3.999999999940941908e-01, 2.222219843214978396e-01, 1.531383769920937332e-01};
    static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    if (!(x > 0) || isinf(x)) return x == 0 ? -INFINITY : x < 0 ? NAN : x;
    int k = 0;
    if (x < 2.2250738585072014e-308) {
        x *= 18014398509481984.0; /* 2^54 */
        k = -54;
    }
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    int32_t high = (int32_t)(bits >> 32);
    k += (high >> 20) - 1023;
    high &= 0xfffff;
    int32_t up = (high + 0x95f64) & 0x100000; /* above √2: half of it, and one more in k */
    bits = (uint64_t)(uint32_t)(high | (up ^ 0x3ff00000)) << 32 | (bits & 0xffffffffu);
    k += up >> 20;
    memcpy(&x, &bits, sizeof(x));
    double f = x - 1, dk = k;
    if ((0xfffff & (2 + high)) < 3) {
        if (f == 0) return dk * ln2_high + dk * ln2_low;
        double r = f * f * (0.5 - 0.33333333333333333 * f);
        return k == 0 ? f - r : dk * ln2_high - ((r - dk * ln2_low) - f);
    }
    double s = f / (2 + f), z = s * s, w = z * z;
    double r = z * (odd[0] + w * (odd[1] + w * (odd[2] + w * odd[3]))) + w * (even[0] + w * (even[1] + w * even[2]));
    if (((high - 0x6147a) | (0x6b851 - high)) > 0) {
        double half = 0.5 * f * f;
        return k == 0 ? f - (half - s * (half + r)) : dk * ln2_high - ((half - (s * (half + r) + dk * ln2_low)) - f);
    }
    return k == 0 ? f - s * (f - r) : dk * ln2_high - ((s * (f - r) - dk * ln2_low) - f);
}

/* The exponent's part and the rest's by themselves, so that powers of ten are exact. */
static double java_log10(double x) {
    if (!(x > 0) || isinf(x)) return java_log(x);
    int k;
    double m = frexp(x, &k) * 2; /* 1 ≤ m < 2 */
    k--;
    if (k < 0) {
        k++;
        m /= 2;
    }
    return k * 3.69423907715893078616e-13 + 4.34294481903251816668e-01 * java_log(m) + k * 3.01029995663611771306e-01;
}

/* The inverse hyperbolic functions by ranges, so that neither small nor large values lose digits; the ranges and their
   formulas are those that decide Spark's last digit. */
static double acosh_(double x) {
    if (!(x >= 1)) return NAN;
    if (x >= 268435456.0) return java_log(x) + 0.6931471805599453;
    if (x > 2) return java_log(2 * x - 1 / (x + sqrt(x * x - 1)));
    double t = x - 1;
    return log1p(t + sqrt(2 * t + t * t));
}
static double asinh_(double x) {
    double a = fabs(x), v;
    if (isnan(x) || isinf(x) || a < 3.725290298461914e-09) return x;
    if (a > 268435456.0) v = java_log(a) + 0.6931471805599453;
    else if (a > 2) v = java_log(2 * a + 1 / (sqrt(x * x + 1) + a));
    else v = log1p(a + x * x / (1 + sqrt(1 + x * x)));
    return copysign(v, x);
}
static double atanh_(double x) { return 0.5 * (log1p(x) - log1p(-x)); }
/* Cube roots as Java's StrictMath rounds them: an estimate of 5 bits from the exponent, a rational step to 23 bits, cut to the
   high word, and one step of Newton. */
static double cbrt_(double x) {
    static const uint32_t normal = 715094163, tiny = 696219795;
    double a = fabs(x), t;
    uint64_t bits;
    if (isnan(x) || isinf(x) || x == 0) return x;
    memcpy(&bits, &a, sizeof(bits));
    uint32_t high = (uint32_t)(bits >> 32);
    if (high < 0x00100000) {
        t = 18014398509481984.0 * a; /* 2^54 */
        memcpy(&bits, &t, sizeof(bits));
        bits = (uint64_t)((uint32_t)(bits >> 32) / 3 + tiny) << 32 | (bits & 0xffffffffu);
    } else {
        bits = (uint64_t)(high / 3 + normal) << 32;
    }
    memcpy(&t, &bits, sizeof(t));
    double r = t * t / a, s = 19.0 / 35 + r * t;
    t *= 5.0 / 14 + 45.0 / 28 / (s + 99.0 / 70 + -864.0 / 1225 / s);
    memcpy(&bits, &t, sizeof(bits));
    bits = (uint64_t)((uint32_t)(bits >> 32) + 1) << 32;
    memcpy(&t, &bits, sizeof(t));
    s = t * t;
    r = a / s;
    r = (r - t) / (t + t + r);
    return copysign(t + t * r, x);
}
static double cot_(double x) { return 1.0 / tan(x); }
static double csc_(double x) { return 1.0 / sin(x); }
static double sec_(double x) { return 1.0 / cos(x); }
static double degrees_(double x) { return x * 57.29577951308232; }
static double radians_(double x) { return x * 0.017453292519943295; }
static double log2_(double x) { return java_log(x) / java_log(2.0); }
static double sign_(double x) { return x > 0 ? 1.0 : x < 0 ? -1.0 : x; }

/* e^x as Java's StrictMath rounds it: x = k·ln 2 + r, and e^r by the quotient whose series in r² has these terms. */
static double java_exp(double x) {
    static const double terms[] = {1.66666666666666019037e-01, -2.77777777770155933842e-03, 6.61375632143793436117e-05, -1.65339022054652515390e-06, 4.13813679705723846039e-08};
    static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10, per_ln2 = 1.44269504088896338700;
    double high = x, low = 0, size = fabs(x), sum = 0;
    int k = 0;
    if (isnan(x) || x > 709.782712893384 || x < -745.1332191019411 || size < 3.725290298461914e-09) return isnan(x) ? x : size < 1 ? 1 + x : x > 0 ? INFINITY : 0;
    if (size > 0.34657359027997264) {
        k = size < 1.0397207708399179 ? (x < 0 ? -1 : 1) : (int)(per_ln2 * x + (x < 0 ? -0.5 : 0.5));
        high = x - k * ln2_high;
        low = k * ln2_low;
        x = high - low;
    }
    double square = x * x;
    for (size_t i = ARRAY_LEN(terms); i-- > 0;) sum = terms[i] + square * sum;
    double c = x - square * sum;
    if (k == 0) return 1 - (x * c / (c - 2) - x);
    return ldexp(1 - (low - x * c / (2 - c) - high), k);
}

static double java_cosh(double v) {
    double x = fabs(v);
    if (x < 0.34657359027997264) {
        double t = expm1(x), w = 1 + t;
        return x < 2.7755575615628914e-17 ? w : 1 + t * t / (w + w);
    }
    if (x < 22) {
        double t = java_exp(x);
        return 0.5 * t + 0.5 / t;
    }
    return x < 709.782712893384 ? 0.5 * java_exp(x) : cosh(x);
}

static double java_sinh(double v) {
    double x = fabs(v), half = v < 0 ? -0.5 : 0.5;
    if (x < 22) {
        double t = expm1(x);
        if (x < 3.725290298461914e-09) return v;
        return x < 1 ? half * (2 * t - t * t / (t + 1)) : half * (t + t / (t + 1));
    }
    if (x < 709.782712893384) return half * java_exp(x);
    double w = java_exp(0.5 * x);
    return isnan(x) ? v : half * w * w;
}

#define MATH(name, f)                                                                              \
    static void name(struct fn_call *c) { fn_ret_f64(c, f(fn_f64(c, 0))); }
MATH(m_acos, acos) MATH(m_acosh, acosh_) MATH(m_asin, asin) MATH(m_asinh, asinh_) MATH(m_atan, atan) MATH(m_atanh, atanh_)
MATH(m_cbrt, cbrt_) MATH(m_cos, cos) MATH(m_cosh, java_cosh) MATH(m_cot, cot_) MATH(m_csc, csc_) MATH(m_degrees, degrees_)
MATH(m_exp, java_exp) MATH(m_expm1, expm1) MATH(m_radians, radians_) MATH(m_rint, rint) MATH(m_sec, sec_) MATH(m_sign, sign_)
MATH(m_sin, sin) MATH(m_sinh, java_sinh) MATH(m_sqrt, sqrt) MATH(m_tan, tan) MATH(m_tanh, tanh)

/* Logarithms of what has none are NULL. */
#define LOG(name, f, least)                                                                        \
    static void name(struct fn_call *c) {                                                          \
        double x = fn_f64(c, 0);                                                                   \
        if (!(x <= (least))) fn_ret_f64(c, f(x));                                                  \
    }
LOG(m_ln, java_log, 0.0) LOG(m_log10, java_log10, 0.0) LOG(m_log2, log2_, 0.0) LOG(m_log1p, log1p, -1.0)

static void m_log(struct fn_call *c) {
    double b = fn_f64(c, 0), x = fn_f64(c, 1);
    if (!(b <= 0) && !(x <= 0)) fn_ret_f64(c, java_log(x) / java_log(b));
}
static void m_atan2(struct fn_call *c) { fn_ret_f64(c, atan2(fn_f64(c, 0) + 0.0, fn_f64(c, 1) + 0.0)); }
static void m_hypot(struct fn_call *c) { fn_ret_f64(c, hypot(fn_f64(c, 0), fn_f64(c, 1))); }
static void m_pow(struct fn_call *c) {
    double x = fn_f64(c, 0), y = fn_f64(c, 1);
    /* Java: 1 to the power of NaN or infinity is NaN, where C says 1. */
    if ((fabs(x) == 1.0 && isinf(y)) || (x == 1.0 && isnan(y))) fn_ret_f64(c, NAN);
    else fn_ret_f64(c, pow(x, y));
}

/* A double as a long: NaN is 0, what does not fit is the nearest end. */
static int64_t saturate(double v) {
    if (isnan(v)) return 0;
    if (v >= 9223372036854775807.0) return INT64_MAX;
    if (v <= -9223372036854775808.0) return INT64_MIN;
    return (int64_t)v;
}
static void m_ceil(struct fn_call *c) { fn_ret_i64(c, saturate(ceil(fn_f64(c, 0)))); }
static void m_floor(struct fn_call *c) { fn_ret_i64(c, saturate(floor(fn_f64(c, 0)))); }

/* Rounds the number that the double's shortest text says: BigDecimal(x.toString). mode: 0 half up, 1 half even. */
static double round_text(double v, int digits, int mode) {
    if (!isfinite(v) || v == 0) return v;
    char e[40], d[80];
    int n = 16;
    for (int k = 14; k <= 16; k++) {
        snprintf(e, sizeof(e), "%.*e", k, fabs(v));
        n = k;
        if (strtod(e, NULL) == fabs(v)) break;
    }
    int exp = (int)strtol(strchr(e, 'e') + 1, NULL, 10), count = 0;
    for (const char *p = e; *p != 'e'; p++)
        if (*p != '.') d[count++] = *p;
    (void)n;
    while (count > 1 && d[count - 1] == '0') count--;
    int keep = exp + 1 + digits; /* digits that stay */
    if (keep >= count) return v;
    if (keep < 0) return v < 0 ? -0.0 : 0.0;
    bool tie = d[keep] == '5' && keep == count - 1;
    bool up = d[keep] > '5' || (d[keep] == '5' && (!tie || mode == 0 || (keep > 0 && (d[keep - 1] - '0') % 2)));
    char text[120];
    int at = 0;
    if (v < 0) text[at++] = '-';
    i128 m = 0;
    for (int i = 0; i < keep; i++) m = m * 10 + (d[i] - '0');
    if (up) m++;
    if (m == 0) return v < 0 ? -0.0 : 0.0;
    snprintf(text + at, sizeof(text) - (size_t)at, "%llde%d", (long long)m, exp + 1 - keep);
    return strtod(text, NULL);
}
static void dbl_round(struct fn_call *c) {
    int digits = fn_i32(c, 1);
    double r = round_text(fn_f64(c, 0), digits > 400 ? 400 : digits < -400 ? -400 : digits, fn_i32(c, 2));
    fn_ret_f64(c, r == 0 ? 0.0 : r);
}

/* ---- bases ---- */

static void bin(struct fn_call *c) {
    uint64_t v = (uint64_t)fn_i64(c, 0);
    char s[64];
    size_t at = sizeof(s);
    do s[--at] = (char)('0' + (v & 1));
    while (v >>= 1);
    fn_ret_str(c, str_n(s + at, sizeof(s) - at));
}

static void hex(struct fn_call *c) {
    char s[20];
    int n = snprintf(s, sizeof(s), "%llX", (unsigned long long)fn_i64(c, 0));
    fn_ret_str(c, str_n(s, (size_t)n));
}

static int digit(char ch) {
    return ch >= '0' && ch <= '9' ? ch - '0' : ch >= 'a' && ch <= 'z' ? ch - 'a' + 10 : ch >= 'A' && ch <= 'Z' ? ch - 'A' + 10 : 99;
}

/* conv(text, from, to): 64 bits, unsigned unless `to` is negative; what follows the digits does not count. */
static void conv(struct fn_call *c) {
    str s = fn_str(c, 0);
    int from = fn_i32(c, 1), to = fn_i32(c, 2), base = to < 0 ? -to : to;
    while (s.n && s.p[0] == ' ') s = str_from(s, 1);
    while (s.n && s.p[s.n - 1] == ' ') s.n--;
    if (from < 2 || from > 36 || to == INT32_MIN || base < 2 || base > 36 || !s.n) return;
    bool neg = s.p[0] == '-';
    uint64_t v = 0;
    for (size_t i = neg; i < s.n && digit(s.p[i]) < from; i++) {
        bool wraps = c->def->tag == 1;
        if (__builtin_mul_overflow(v, (uint64_t)from, &v) || __builtin_add_overflow(v, (uint64_t)digit(s.p[i]), &v)) {
            v = UINT64_MAX;
            if (wraps) break;
            fn_fail(c, "ARITHMETIC_OVERFLOW", "message", "Overflow in function conv()", "alternative", "", "config", "\"spark.sql.ansi.enabled\"", NULL);
            return;
        }
    }
    if (neg && to > 0) {
        v = (int64_t)v < 0 ? UINT64_MAX : (uint64_t)-(int64_t)v;
        neg = false;
    }
    if (to < 0 && !neg && (int64_t)v < 0) {
        v = (uint64_t)-(int64_t)v;
        neg = true;
    }
    char out[70];
    size_t at = sizeof(out);
    do {
        int d = (int)(v % (unsigned)base);
        out[--at] = (char)(d < 10 ? '0' + d : 'A' + d - 10);
        v /= (unsigned)base;
    } while (v);
    if (neg) out[--at] = '-';
    fn_ret_str(c, str_n(out + at, sizeof(out) - at));
}

static void factorial(struct fn_call *c) {
    int32_t n = fn_i32(c, 0);
    if (n < 0 || n > 20) return;
    int64_t v = 1;
    for (int i = 2; i <= n; i++) v *= i;
    fn_ret_i64(c, v);
}

/* width_bucket(value, low, high, buckets) */
static void width_bucket(struct fn_call *c) {
    double v = fn_f64(c, 0), lo = fn_f64(c, 1), hi = fn_f64(c, 2);
    int64_t n = fn_i64(c, 3);
    if (n <= 0 || n == INT64_MAX || isnan(v) || lo == hi || !isfinite(lo) || !isfinite(hi)) return;
    double low = lo < hi ? lo : hi, high = lo < hi ? hi : lo;
    int64_t r;
    if (lo < hi) r = v < low ? 0 : v >= high ? n + 1 : (int64_t)((double)n * (v - low) / (high - low)) + 1;
    else r = v > high ? 0 : v <= low ? n + 1 : (int64_t)((double)n * (high - v) / (high - low)) + 1;
    fn_ret_i64(c, r);
}

/* ---- bits ---- */

static void bit_count(struct fn_call *c) { fn_ret_i32(c, __builtin_popcountll((uint64_t)fn_i64(c, 0))); }
/* bit_get(value, position, bits of the type) */
static void bit_get(struct fn_call *c) {
    int32_t at = fn_i32(c, 1), bits = fn_i32(c, 2);
    if (at < 0 || at >= bits) {
        char a[16], b[16];
        snprintf(a, sizeof(a), "%d", at);
        snprintf(b, sizeof(b), "%d", bits);
        fn_fail(c, "INVALID_PARAMETER_VALUE.BIT_POSITION_RANGE", "parameter", "`pos`", "functionName", "`bit_get`", "upper", b, "invalidValue", a, NULL);
        return;
    }
    fn_ret_i8(c, (int8_t)((uint64_t)fn_i64(c, 0) >> at & 1));
}
/* Without ANSI mode integers wrap around. */
static void wrap_c(struct fn_call *c) { fn_ret_i8(c, (int8_t)fn_i64(c, 0)); }
static void wrap_h(struct fn_call *c) { fn_ret_i16(c, (int16_t)fn_i64(c, 0)); }
static void wrap_i(struct fn_call *c) { fn_ret_i32(c, (int32_t)fn_i64(c, 0)); }
static void wrap_add(struct fn_call *c) { fn_ret_i64(c, (int64_t)((uint64_t)fn_i64(c, 0) + (uint64_t)fn_i64(c, 1))); }
static void wrap_sub(struct fn_call *c) { fn_ret_i64(c, (int64_t)((uint64_t)fn_i64(c, 0) - (uint64_t)fn_i64(c, 1))); }
static void wrap_mul(struct fn_call *c) { fn_ret_i64(c, (int64_t)((uint64_t)fn_i64(c, 0) * (uint64_t)fn_i64(c, 1))); }

static void shl_i(struct fn_call *c) { fn_ret_i32(c, (int32_t)((uint32_t)fn_i32(c, 0) << (fn_i32(c, 1) & 31))); }
static void shr_i(struct fn_call *c) { fn_ret_i32(c, fn_i32(c, 0) >> (fn_i32(c, 1) & 31)); }
static void ushr_i(struct fn_call *c) { fn_ret_i32(c, (int32_t)((uint32_t)fn_i32(c, 0) >> (fn_i32(c, 1) & 31))); }
static void shl_l(struct fn_call *c) { fn_ret_i64(c, (int64_t)((uint64_t)fn_i64(c, 0) << (fn_i32(c, 1) & 63))); }
static void shr_l(struct fn_call *c) { fn_ret_i64(c, fn_i64(c, 0) >> (fn_i32(c, 1) & 63)); }
static void ushr_l(struct fn_call *c) { fn_ret_i64(c, (int64_t)((uint64_t)fn_i64(c, 0) >> (fn_i32(c, 1) & 63))); }

static void bitmap_count(struct fn_call *c) {
    str s = fn_str(c, 0);
    int64_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += __builtin_popcount((unsigned char)s.p[i]);
    fn_ret_i64(c, n);
}
/* Buckets of 32,768 positions; the first has the numbers 1 … 32,768. */
static void bitmap_bucket(struct fn_call *c) {
    int64_t v = fn_i64(c, 0);
    fn_ret_i64(c, v > 0 ? 1 + (v - 1) / 32768 : v / 32768);
}
static void bitmap_position(struct fn_call *c) {
    int64_t v = fn_i64(c, 0);
    fn_ret_i64(c, v > 0 ? (v - 1) % 32768 : (int64_t)((0 - (uint64_t)v) % 32768));
}

/* ---- random: java.util.Random's arithmetic over Spark's xor-shift ---- */

uint32_t fn_murmur3_scala(const unsigned char *p, size_t n, uint32_t seed);

static void seed_rng(struct fn_call *c, int64_t seed) {
    unsigned char b[8];
    for (int i = 0; i < 8; i++) b[i] = (unsigned char)((uint64_t)seed >> (56 - 8 * i));
    uint32_t low = fn_murmur3_scala(b, 8, 0x3c074a61u), high = fn_murmur3_scala(b, 8, low);
    c->st->seed = (uint64_t)high << 32 | low;
    c->st->seeded = true;
}
static uint32_t next_bits(struct fn_call *c, int bits) {
    uint64_t s = c->st->seed;
    s ^= s << 21;
    s ^= s >> 35;
    s ^= s << 4;
    c->st->seed = s;
    return (uint32_t)(s & ((1ull << bits) - 1));
}
static double next_double(struct fn_call *c) {
    uint64_t hi = next_bits(c, 26);
    return (double)(hi << 27 | next_bits(c, 27)) * 0x1.0p-53;
}
/* The seed is a constant: NULL is 0, of the last argument. */
static void seed_once(struct fn_call *c, size_t i) {
    if (!c->st->seeded) seed_rng(c, i < c->n ? (fn_valid(c, i) ? fn_i64(c, i) : 0) : (int64_t)rand_u64());
}
static void rand_(struct fn_call *c) {
    seed_once(c, 0);
    fn_ret_f64(c, next_double(c));
}
static void randn(struct fn_call *c) {
    double v1, v2, s;
    seed_once(c, 0);
    /* Draws come in pairs; the second waits in the expression's state. */
    if (c->st->tmp2.n == sizeof(double)) {
        memcpy(&v2, c->st->tmp2.p, sizeof(double));
        buf_clear(&c->st->tmp2);
        fn_ret_f64(c, v2);
        return;
    }
    do {
        v1 = 2 * next_double(c) - 1;
        v2 = 2 * next_double(c) - 1;
        s = v1 * v1 + v2 * v2;
    } while (s >= 1 || s == 0);
    double m = sqrt(-2 * log(s) / s);
    v2 *= m;
    buf_add(&c->st->tmp2, &v2, sizeof(double));
    fn_ret_f64(c, v1 * m);
}
static void randstr(struct fn_call *c) {
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (!fn_valid(c, 0)) return;
    seed_once(c, 1);
    int32_t n = fn_i32(c, 0);
    if (n < 0) {
        fn_fail(c, "INVALID_PARAMETER_VALUE.LENGTH", "parameter", "`length`", "length", "a negative number", "functionName", "`randstr`", NULL);
        return;
    }
    if ((uint32_t)n > FN_TEXT_MAX) n = FN_TEXT_MAX;
    buf *b = fn_text(c);
    for (int32_t i = 0; i < n; i++) {
        int32_t v = (int32_t)next_bits(c, 32) % 62;
        buf_c(b, letters[v < 0 ? -v : v]);
    }
    fn_ret_buf(c, b);
}
static void uuid(struct fn_call *c) {
    char s[37];
    rand_uuid(s);
    fn_ret_str(c, str_n(s, 36));
}
/* A number of the row, counted by the expression: high bits are left to the thread. */
static void counter(struct fn_call *c) { fn_ret_i64(c, (int64_t)c->st->seed++); }

#define D1(name) {"bh_" #name, "d:d", m_##name, 0, 0}
static const struct fn_def defs[] = {
    D1(acos), D1(acosh), D1(asin), D1(asinh), D1(atan), D1(atanh), D1(cbrt), D1(cos), D1(cosh), D1(cot), D1(csc), D1(degrees), D1(exp),
    D1(expm1), D1(radians), D1(rint), D1(sec), D1(sign), D1(sin), D1(sinh), D1(sqrt), D1(tan), D1(tanh), D1(ln), D1(log10), D1(log2), D1(log1p),
    {"bh_log", "dd:d", m_log, 0, 0},
    {"bh_atan2", "dd:d", m_atan2, 0, 0},
    {"bh_hypot", "dd:d", m_hypot, 0, 0},
    {"bh_pow", "dd:d", m_pow, 0, 0},
    {"bh_ceil", "d:l", m_ceil, 0, 0},
    {"bh_floor", "d:l", m_floor, 0, 0},
    {"bh_dbl_round", "dii:d", dbl_round, 0, 0},
    {"bh_bin", "l:s", bin, 0, 0},
    {"bh_hex", "l:s", hex, 0, 0},
    {"bh_conv", "sii:s", conv, 0, 0},
    {"bh_conv_wrap", "sii:s", conv, 0, 1}, /* without ANSI mode: too much is the most */
    {"bh_factorial", "i:l", factorial, 0, 0},
    {"bh_width_bucket", "dddl:l", width_bucket, 0, 0},
    {"bh_bit_count", "l:i", bit_count, 0, 0},
    {"bh_bit_get", "lii:c", bit_get, 0, 0},
    {"bh_wrap_c", "l:c", wrap_c, 0, 0}, {"bh_wrap_h", "l:h", wrap_h, 0, 0}, {"bh_wrap_i", "l:i", wrap_i, 0, 0},
    {"bh_wrap_add", "ll:l", wrap_add, 0, 0}, {"bh_wrap_sub", "ll:l", wrap_sub, 0, 0}, {"bh_wrap_mul", "ll:l", wrap_mul, 0, 0},
    {"bh_shl_i", "ii:i", shl_i, 0, 0},
    {"bh_shr_i", "ii:i", shr_i, 0, 0},
    {"bh_ushr_i", "ii:i", ushr_i, 0, 0},
    {"bh_shl_l", "li:l", shl_l, 0, 0},
    {"bh_shr_l", "li:l", shr_l, 0, 0},
    {"bh_ushr_l", "li:l", ushr_l, 0, 0},
    {"bh_bitmap_count", "b:l", bitmap_count, 0, 0},
    {"bh_bitmap_bucket_number", "l:l", bitmap_bucket, 0, 0},
    {"bh_bitmap_bit_position", "l:l", bitmap_position, 0, 0},
    {"bh_rand", "l:d", rand_, FN_NULLS | FN_VOLATILE, 0},
    {"bh_randn", "l:d", randn, FN_NULLS | FN_VOLATILE, 0},
    {"bh_randstr", "il:s", randstr, FN_NULLS | FN_VOLATILE, 0},
    {"bh_random_seed", ":d", rand_, FN_VOLATILE, 0},
    {"bh_uuid", ":s", uuid, FN_VOLATILE, 0},
    {"bh_counter", ":l", counter, FN_VOLATILE, 0},
};
const struct fn_table fn_table_number = {defs, ARRAY_LEN(defs)};
