/* SPDX-License-Identifier: Apache-2.0 */
/* Text to intervals as Spark's casts read it (parse.h). */
#include "engine/worker/civil.h"
#include "engine/worker/parse.h"
#include "sql/type.h"

static const char *const unit_names[] = {"year", "month", "day", "hour", "minute", "second"};

static bool word(str *s, const char *w) {
    size_t n = strlen(w);
    if (s->n < n || !str_ieq(str_cut(*s, n), str_of(w))) return false;
    *s = str_from(*s, n);
    return true;
}

static void blanks(str *s) {
    while (s->n && (unsigned char)s->p[0] <= ' ') *s = str_from(*s, 1);
}

/* INTERVAL [sign] 'body' UNIT [TO UNIT] → body and sign; a text without the word is the body. */
static bool literal_body(str *s, int from, int to, bool *neg) {
    *s = parse_trim(*s);
    *neg = false;
    if (!word(s, "interval")) return true;
    blanks(s);
    if (s->n && (s->p[0] == '-' || s->p[0] == '+')) {
        *neg = s->p[0] == '-';
        *s = str_from(*s, 1);
        blanks(s);
    }
    ptrdiff_t end;
    if (!s->n || s->p[0] != '\'' || (end = str_chr(*s, '\'', 1)) < 0) return false;
    str body = str_n(s->p + 1, (size_t)end - 1);
    *s = str_from(*s, (size_t)end + 1);
    blanks(s);
    if (!word(s, unit_names[from])) return false;
    if (to != from) {
        blanks(s);
        if (!word(s, "to")) return false;
        blanks(s);
        if (!word(s, unit_names[to])) return false;
    }
    blanks(s);
    if (s->n) return false;
    *s = body;
    return true;
}

static bool number(str *s, int64_t *ret) {
    size_t n = 0;
    while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9') n++;
    if (n == 0 || n > 18 || !str_to_i64(str_cut(*s, n), ret)) return false;
    *s = str_from(*s, n);
    return true;
}

static void sign_of(str *s, bool *neg) {
    if (s->n && (s->p[0] == '-' || s->p[0] == '+')) {
        if (s->p[0] == '-') *neg = !*neg;
        *s = str_from(*s, 1);
    }
}

bool parse_ym(str s, int from, int to, int32_t *ret_months) {
    bool neg;
    int64_t a, b = 0;
    if (!literal_body(&s, from, to, &neg)) return false;
    s = parse_trim(s);
    sign_of(&s, &neg);
    if (!number(&s, &a)) return false;
    if (from == UNIT_YEAR && to == UNIT_MONTH) {
        if (!s.n || s.p[0] != '-') return false;
        s = str_from(s, 1);
        if (!number(&s, &b) || b > 11) return false;
    }
    if (s.n || a > INT32_MAX) return false;
    int64_t months = from == UNIT_MONTH ? a : a * 12 + b;
    if (neg) months = -months;
    if (months < INT32_MIN || months > INT32_MAX) return false;
    *ret_months = (int32_t)months;
    return true;
}

/* Digits after a point, as microseconds; more than nine are refused. */
static bool fraction(str *s, int64_t *ret) {
    *ret = 0;
    if (!s->n || s->p[0] != '.') return true;
    *s = str_from(*s, 1);
    int n = 0;
    while (s->n && s->p[0] >= '0' && s->p[0] <= '9') {
        if (n < 6) *ret = *ret * 10 + (s->p[0] - '0');
        n++;
        *s = str_from(*s, 1);
    }
    for (int i = n; i < 6; i++) *ret *= 10;
    return n <= 9;
}

bool parse_dt(str s, int from, int to, int64_t *ret_us) {
    static const int64_t size[] = {0, 0, US_DAY, US_HOUR, US_MINUTE, US_PER_S};
    static const int64_t most[] = {0, 0, 106751991, 23, 59, 59};
    bool neg;
    if (!literal_body(&s, from, to, &neg)) return false;
    s = parse_trim(s);
    sign_of(&s, &neg);
    i128 total = 0;
    for (int u = from; u <= to; u++) {
        int64_t v, frac = 0;
        if (u > from) {
            char want = u == UNIT_HOUR ? ' ' : ':';
            if (!s.n || s.p[0] != want) return false;
            if (want == ' ') blanks(&s);
            else s = str_from(s, 1);
        }
        if (!number(&s, &v)) return false;
        if (u > from && v > most[u]) return false;
        if (u == UNIT_SECOND && !fraction(&s, &frac)) return false;
        total += (i128)v * size[u] + frac;
    }
    if (s.n) return false;
    if (neg) total = -total;
    if (total < INT64_MIN || total > INT64_MAX) return false;
    *ret_us = (int64_t)total;
    return true;
}

/* ---- "1 year 2 days" ---- */

static bool unit(str *s, int *ret, int64_t *ret_us) {
    static const struct { const char *name; int kind; int64_t us; } units[] = {
        {"microsecond", 6, 1}, {"millisecond", 6, 1000}, {"second", 5, US_PER_S}, {"minute", 6, US_MINUTE},
        {"hour", 6, US_HOUR}, {"day", 2, 0}, {"week", 3, 0}, {"month", 1, 0}, {"year", 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!word(s, units[i].name)) continue;
        word(s, "s");
        *ret = units[i].kind;
        *ret_us = units[i].us;
        return true;
    }
    return false;
}

static bool add_part(struct fn_interval *v, int kind, int64_t us, int64_t n, int64_t frac) {
    int64_t t;
    switch (kind) {
    case 0: return !__builtin_mul_overflow(n, 12, &t) && !__builtin_add_overflow(v->m, t, &v->m);
    case 1: return !__builtin_add_overflow(v->m, n, &v->m);
    case 2: return !__builtin_add_overflow(v->d, n, &v->d);
    case 3: return !__builtin_mul_overflow(n, 7, &t) && !__builtin_add_overflow(v->d, t, &v->d);
    default:
        return !__builtin_mul_overflow(n, us, &t) && !__builtin_add_overflow(t, frac, &t) && !__builtin_add_overflow(v->us, t, &v->us);
    }
}

bool parse_interval_text(str s, struct fn_interval *ret) {
    struct fn_interval v = {0};
    s = parse_trim(s);
    if (word(&s, "interval")) {
        if (!s.n || (unsigned char)s.p[0] > ' ') return false;
    }
    blanks(&s);
    if (!s.n) return false;
    while (s.n) {
        bool neg = false;
        int64_t n = 0, frac = 0, us;
        int kind;
        sign_of(&s, &neg);
        blanks(&s);
        bool point = s.n && s.p[0] == '.';
        if (!point && !number(&s, &n)) return false;
        point = s.n && s.p[0] == '.';
        if (!fraction(&s, &frac)) return false;
        if (!s.n || (unsigned char)s.p[0] > ' ') return false;
        blanks(&s);
        if (!unit(&s, &kind, &us) || (point && kind != 5)) return false;
        if (s.n && (unsigned char)s.p[0] > ' ') return false;
        if (!add_part(&v, kind, us, neg ? -n : n, neg ? -frac : frac)) return false;
        blanks(&s);
    }
    *ret = v;
    return true;
}
