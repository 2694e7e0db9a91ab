/* SPDX-License-Identifier: Apache-2.0 */
/* Text to numbers and dates as Spark's casts read it (parse.h). Intervals: parse_interval.c. */
#include "engine/worker/parse.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "engine/worker/civil.h"

str parse_trim(str s) {
    while (s.n && (unsigned char)s.p[0] <= ' ') s = str_from(s, 1);
    while (s.n && ((unsigned char)s.p[s.n - 1] <= ' ' || s.p[s.n - 1] == 127)) s.n--;
    return s;
}

/* ---- numbers ---- */

bool parse_int(str s, int64_t min, int64_t max, int64_t *ret) {
    s = parse_trim(s);
    bool neg = s.n && s.p[0] == '-';
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_from(s, 1);
    if (!s.n) return false;
    i128 v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        v = v * 10 + (s.p[i] - '0');
        if (v > (i128)1 << 64) return false;
    }
    if (neg) v = -v;
    if (v < min || v > max) return false;
    *ret = (int64_t)v;
    return true;
}

static bool special(str s, double *ret) {
    static const struct { const char *name; double v; } names[] = {
        {"inf", INFINITY}, {"+inf", INFINITY}, {"infinity", INFINITY}, {"+infinity", INFINITY},
        {"-inf", -INFINITY}, {"-infinity", -INFINITY}, {"nan", NAN},
    };
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(s, str_of(names[i].name))) {
            *ret = names[i].v;
            return true;
        }
    return false;
}

/* Is it a number that Java's parser takes? Copies it, zero-terminated, without the suffix. */
static bool java_number(str s, char *out, size_t cap) {
    size_t i = 0, n = 0;
    if (s.n && strchr("dDfF", s.p[s.n - 1]) && !(s.n > 1 && (s.p[1] == 'x' || (s.n > 2 && s.p[2] == 'x')))) s.n--;
    if (s.n + 1 > cap) return false;
    if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
    size_t digits = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
    if (i < s.n && s.p[i] == '.') i++;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) digits++;
    if (!digits) return false;
    if (i < s.n && (s.p[i] == 'e' || s.p[i] == 'E')) {
        i++;
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) i++;
        size_t from = i;
        for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {}
        if (i == from) return false;
    }
    if (i != s.n) return false;
    for (; n < s.n; n++) out[n] = s.p[n];
    out[n] = 0;
    return true;
}

bool parse_double(str s, double *ret) {
    char text[1100];
    s = parse_trim(s);
    if (java_number(s, text, sizeof(text))) {
        *ret = strtod(text, NULL);
        return true;
    }
    return special(s, ret);
}

bool parse_float(str s, float *ret) {
    char text[1100];
    double d;
    s = parse_trim(s);
    if (java_number(s, text, sizeof(text))) {
        *ret = strtof(text, NULL);
        return true;
    }
    if (!special(s, &d)) return false;
    *ret = (float)d;
    return true;
}

bool parse_bool(str s, bool *ret) {
    static const char *const words[2][5] = {{"f", "false", "n", "no", "0"}, {"t", "true", "y", "yes", "1"}};
    s = parse_trim(s);
    for (int v = 0; v < 2; v++)
        for (int i = 0; i < 5; i++)
            if (str_ieq(s, str_of(words[v][i]))) {
                *ret = v;
                return true;
            }
    return false;
}

i128 pow10_i128(int n) {
    i128 v = 1;
    while (n-- > 0) v *= 10;
    return v;
}

/* The digits without the point, and how many of them stand before it once the exponent is applied. */
enum parse_decimal parse_decimal(str s, int precision, int scale, i128 *ret) {
    s = parse_trim(s);
    bool neg = s.n && s.p[0] == '-';
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+'), end = s.n, count = 0;
    int64_t exp = 0, point = -1;
    for (size_t k = i; k < s.n; k++)
        if (s.p[k] == 'e' || s.p[k] == 'E') {
            if (!parse_int(str_from(s, k + 1), -100000, 100000, &exp) || s.p[s.n - 1] <= ' ') return PARSE_BAD;
            end = k;
            break;
        }
    for (size_t k = i; k < end; k++) {
        if (s.p[k] == '.' && point < 0) point = (int64_t)count;
        else if (s.p[k] >= '0' && s.p[k] <= '9') count++;
        else return PARSE_BAD;
    }
    if (!count) return PARSE_BAD;
    int64_t before = (point < 0 ? (int64_t)count : point) + exp, want = before + scale, seen = 0;
    i128 v = 0, limit = pow10_i128(precision);
    for (size_t k = i; k < end; k++) {
        if (s.p[k] == '.') continue;
        if (seen == want) {
            if (s.p[k] >= '5') v++;
            break;
        }
        if (seen > want) break;
        if (v >= limit / 10) return PARSE_RANGE; /* one digit more is too many */
        v = v * 10 + (s.p[k] - '0');
        seen++;
    }
    for (; seen < want && v; seen++) {
        if (v >= limit / 10) return PARSE_RANGE;
        v *= 10;
    }
    if (v >= limit) return PARSE_RANGE;
    *ret = neg ? -v : v;
    return PARSE_OK;
}

/* ---- dates ---- */

bool parse_date(str s, int32_t *ret_days) {
    s = parse_trim(s);
    int64_t seg[3] = {0, 1, 1}, value = 0;
    int i = 0, digits = 0, sign = 1;
    size_t j = 0;
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) {
        sign = s.p[0] == '-' ? -1 : 1;
        j = 1;
    }
    if (j == s.n) return false;
    for (; j < s.n && i < 3 && !(i == 2 && (s.p[j] == ' ' || s.p[j] == 'T')); j++) {
        char c = s.p[j];
        if (i < 2 && c == '-') {
            if (i == 0 ? digits < 4 || digits > 7 : digits < 1 || digits > 2) return false;
            seg[i++] = value;
            value = 0;
            digits = 0;
        } else if (c >= '0' && c <= '9' && digits < 8) {
            value = value * 10 + (c - '0');
            digits++;
        } else return false;
    }
    if (i == 0 ? digits < 4 || digits > 7 : digits < 1 || digits > 2) return false;
    if (i < 2 && j < s.n) return false;
    seg[i] = value;
    seg[0] *= sign;
    if (!civil_valid(seg[0], (int)seg[1], (int)seg[2])) return false;
    int64_t days = time_days(seg[0], (int)seg[1], (int)seg[2]);
    if (days < INT32_MIN || days > INT32_MAX) return false;
    *ret_days = (int32_t)days;
    return true;
}

/* year month day hour minute second microsecond; the text of a zone; is there no date? */
struct parts { int64_t seg[9]; str zone; bool has_zone, just_time; };

static bool digits_ok(int seg, int digits) {
    if (seg == 6) return true;
    if (seg == 0) return digits >= 4 && digits <= 6;
    if (seg == 7) return digits <= 2;
    return digits > 0 && digits <= 2;
}

/* What ends a field: the next field's number, or -1. */
static int next_field(struct parts *p, int i, char c, bool first, bool signed_year) {
    if (first && c == 'T') {
        p->just_time = true;
        return 3;
    }
    if (i < 2 && c == '-') return i + 1;
    if (i == 0 && c == ':' && !signed_year) {
        p->just_time = true;
        return 4;
    }
    if (i == 2 && (c == ' ' || c == 'T')) return 3;
    if ((i == 3 || i == 4) && c == ':') return i + 1;
    if (i == 5 && c == '.') return 6;
    if (i == 5 || i == 6) return 7;
    return -1;
}

static bool split(str s, struct parts *p) {
    *p = (struct parts){.seg = {1, 1, 1}};
    int i = 0, digits = 0, micro = 0;
    int64_t value = 0;
    bool sign = s.n && (s.p[0] == '-' || s.p[0] == '+');
    for (size_t j = sign; j < s.n; j++) {
        char c = s.p[j];
        if (c >= '0' && c <= '9') {
            if (i == 6) micro++;
            if (digits < 9 && (i != 6 || digits < 6)) value = value * 10 + (c - '0');
            digits++;
            continue;
        }
        int next = next_field(p, i, c, j == 0, sign);
        if (next < 0) return false;
        if (!(j == 0 && c == 'T')) {
            int field = p->just_time && i == 0 ? 3 : i;
            if (!digits_ok(field, digits)) return false;
            p->seg[field] = value;
        }
        value = 0;
        digits = 0;
        i = next;
        if (i == 7) {
            p->zone = parse_trim(str_from(s, j));
            p->has_zone = true;
            break;
        }
    }
    if (i != 7) {
        if (!digits_ok(i, digits)) return false;
        p->seg[i] = value;
    }
    for (; micro < 6; micro++) p->seg[6] *= 10;
    if (sign && s.p[0] == '-') p->seg[0] = -p->seg[0];
    return true;
}

static bool time_of(const struct parts *p, int64_t *ret) {
    if (p->seg[3] > 23 || p->seg[4] > 59 || p->seg[5] > 59) return false;
    *ret = p->seg[3] * US_HOUR + p->seg[4] * US_MINUTE + p->seg[5] * US_PER_S + p->seg[6];
    return true;
}

static bool local_of(const struct parts *p, int64_t *ret) {
    int64_t us;
    if (!time_of(p, &us) || !civil_valid(p->seg[0], (int)p->seg[1], (int)p->seg[2])) return false;
    return !__builtin_add_overflow(us, (i128)time_days(p->seg[0], (int)p->seg[1], (int)p->seg[2]) * US_DAY, ret);
}

static int64_t today(const struct zone *z) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return floor_div(zone_to_local(z, now.tv_sec * US_PER_S), US_DAY);
}

bool parse_timestamp(str s, const struct zone *z, int64_t *ret_us) {
    struct parts p;
    int64_t local;
    s = parse_trim(s);
    if (!s.n || !split(s, &p)) return false;
    if (p.has_zone && !(z = zone_get(p.zone))) return false;
    if (p.just_time) {
        int64_t us;
        if (!time_of(&p, &us)) return false;
        local = today(z) * US_DAY + us;
    } else if (!local_of(&p, &local)) return false;
    *ret_us = zone_to_utc(z, local);
    return true;
}

bool parse_ntz(str s, int64_t *ret_us) {
    struct parts p;
    s = parse_trim(s);
    if (!s.n || !split(s, &p) || p.just_time || (p.has_zone && !zone_get(p.zone))) return false;
    return local_of(&p, ret_us);
}

bool parse_time(str s, int64_t *ret_us) {
    struct parts p;
    s = parse_trim(s);
    /* A 12-hour clock's half of the day, with or without a blank before it. */
    int half = 0;
    if (s.n > 2 && (s.p[s.n - 1] | 32) == 'm' && ((s.p[s.n - 2] | 32) == 'a' || (s.p[s.n - 2] | 32) == 'p')) {
        half = (s.p[s.n - 2] | 32) == 'a' ? 1 : 2;
        s = parse_trim(str_cut(s, s.n - 2));
    }
    if (!s.n || !split(s, &p) || !p.just_time || p.has_zone) return false;
    if (half) {
        if (p.seg[3] < 1 || p.seg[3] > 12) return false;
        p.seg[3] = p.seg[3] % 12 + (half == 2 ? 12 : 0);
    }
    return time_of(&p, ret_us);
}
