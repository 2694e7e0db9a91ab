/* SPDX-License-Identifier: Apache-2.0 */
/* Reading dates with a pattern (pattern.h): strict, as DateTimeFormatter with ResolverStyle.STRICT. */
#include <stdio.h>

#include "base/assert.h"
#include "engine/worker/civil.h"
#include "engine/worker/pattern.h"
#include "engine/worker/pattern_int.h"

enum { F_YEAR, F_ERA, F_MONTH, F_DAY, F_DOY, F_QUARTER, F_DOW, F_AMPM, F_HOUR12, F_HOUR11, F_HOUR24, F_HOUR, F_MINUTE, F_SECOND, F_US, F_OFFSET, F_ALIGNED, F_COUNT };

struct fields { int64_t v[F_COUNT]; uint32_t set; const struct zone *zone; };

static bool has(const struct fields *f, int i) { return f->set >> i & 1; }
/* A field that is read twice must say the same. */
static bool set(struct fields *f, int i, int64_t v) {
    if (has(f, i) && f->v[i] != v) return false;
    f->v[i] = v;
    f->set |= 1u << i;
    return true;
}

static bool is_digit(str s, size_t i) { return i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; }

static bool take_word(str s, size_t *at, const char *w, size_t n) {
    if (s.n - *at < n || !str_ieq(str_n(s.p + *at, n), str_n(w, n))) return false;
    *at += n;
    return true;
}

/* Digits: between the widths that Java's rules give the field; a sign where they allow it. */
static bool take_number(const struct pattern_item *it, str s, size_t *at, int64_t *ret) {
    bool year = it->letter == 'y' || it->letter == 'u', neg = false, plus = false;
    size_t least = it->fixed || (year && it->n != 2) ? it->n : 1, limit = it->fixed ? it->n : 18;
    if (it->letter == 'S') least = 1; /* a fraction may have fewer digits than letters */
    if (it->letter == 'D') least = it->n, limit = it->n == 1 ? 18 : 3;
    size_t i = *at;
    if (!it->fixed && i < s.n && (s.p[i] == '-' || s.p[i] == '+')) {
        neg = s.p[i] == '-';
        plus = !neg;
        i++;
        if (!year) return false;
    }
    size_t n = 0;
    while (n < limit + it->reserve && is_digit(s, i + n)) n++;
    if (it->reserve) n = n > it->reserve && n - it->reserve > least ? n - it->reserve : least;
    if (n > limit) n = limit;
    if (n < least) return false;
    int64_t v = 0;
    for (size_t k = 0; k < n; k++) {
        if (!is_digit(s, i + k)) return false;
        v = v * 10 + (s.p[i + k] - '0');
    }
    if (year && it->n >= 4) {
        if (plus && n <= it->n) return false;
        if (!plus && !neg && n > it->n) return false;
    } else if (plus) return false;
    *at = i + n;
    *ret = neg ? -v : v;
    return true;
}

static bool set_number(const struct pattern *p, const struct pattern_item *it, struct fields *f, int64_t v, size_t width) {
    switch (it->letter) {
    case 'y':
    case 'u':
        (void)p;
        return set(f, F_YEAR, it->n == 2 ? 2000 + v : v);
    case 'M': case 'L': return v >= 1 && v <= 12 && set(f, F_MONTH, v);
    case 'Q': case 'q': return v >= 1 && v <= 4 && set(f, F_QUARTER, v);
    case 'd': return v >= 1 && v <= 31 && set(f, F_DAY, v);
    case 'D': return v >= 1 && v <= 366 && set(f, F_DOY, v);
    case 'F': return v >= 1 && v <= 7 && set(f, F_ALIGNED, v);
    case 'h': return v >= 1 && v <= 12 && set(f, F_HOUR12, v);
    case 'K': return v <= 11 && set(f, F_HOUR11, v);
    case 'k': return v >= 1 && v <= 24 && set(f, F_HOUR24, v);
    case 'H': return v <= 23 && set(f, F_HOUR, v);
    case 'm': return v <= 59 && set(f, F_MINUTE, v);
    case 's': return v <= 59 && set(f, F_SECOND, v);
    case 'S':
        for (size_t i = width; i < 9; i++) v *= 10;
        return set(f, F_US, v / 1000);
    default: return false;
    }
}

static bool take_text(const struct pattern_item *it, str s, size_t *at, struct fields *f) {
    switch (it->letter) {
    case 'M':
    case 'L':
        for (int i = 0; i < 12; i++)
            if (take_word(s, at, pattern_months[i], it->n >= 4 ? strlen(pattern_months[i]) : 3)) return set(f, F_MONTH, i + 1);
        return false;
    case 'E':
        for (int i = 0; i < 7; i++)
            if (take_word(s, at, pattern_days[i], it->n >= 4 ? strlen(pattern_days[i]) : 3)) return set(f, F_DOW, i + 1);
        return false;
    case 'Q':
    case 'q':
        if (it->n == 3 && s.n - *at >= 2 && (s.p[*at] | 32) == 'q' && s.p[*at + 1] >= '1' && s.p[*at + 1] <= '4') {
            *at += 2;
            return set(f, F_QUARTER, s.p[*at - 1] - '0');
        }
        return false;
    case 'G':
        if (take_word(s, at, it->n >= 4 ? "Anno Domini" : "AD", it->n >= 4 ? 11 : 2)) return set(f, F_ERA, 1);
        return take_word(s, at, it->n >= 4 ? "Before Christ" : "BC", it->n >= 4 ? 13 : 2) && set(f, F_ERA, 0);
    case 'a':
        if (take_word(s, at, "AM", 2)) return set(f, F_AMPM, 0);
        return take_word(s, at, "PM", 2) && set(f, F_AMPM, 1);
    default: return false;
    }
}

static bool two_digits(str s, size_t *at, int64_t *ret) {
    if (!is_digit(s, *at) || !is_digit(s, *at + 1)) return false;
    *ret = (s.p[*at] - '0') * 10 + s.p[*at + 1] - '0';
    *at += 2;
    return true;
}

/* +hh, +hhmm, +hh:mm, with seconds where the letters ask for them; Z. */
static bool take_offset(const struct pattern_item *it, str s, size_t *at, struct fields *f) {
    char c = it->letter;
    int form = c == 'Z' ? (it->n == 5 ? 5 : 2) : it->n;
    if ((c == 'X' || (c == 'Z' && it->n == 5)) && *at < s.n && (s.p[*at] | 32) == 'z') {
        (*at)++;
        return set(f, F_OFFSET, 0);
    }
    if (*at >= s.n || (s.p[*at] != '+' && s.p[*at] != '-')) return false;
    bool neg = s.p[(*at)++] == '-';
    int64_t h, m = 0, sec = 0;
    bool colon = form == 3 || form == 5;
    if (!two_digits(s, at, &h)) return false;
    size_t before = *at;
    if (colon && (*at >= s.n || s.p[(*at)++] != ':')) return false;
    if (!two_digits(s, at, &m)) {
        if (form != 1) return false;
        *at = before;
    }
    if (form >= 4) {
        before = *at;
        if ((colon && (*at >= s.n || s.p[(*at)++] != ':')) || !two_digits(s, at, &sec)) *at = before, sec = 0;
    }
    int64_t v = h * 3600 + m * 60 + sec;
    if (v > 18 * 3600 || m > 59 || sec > 59) return false;
    return set(f, F_OFFSET, neg ? -v : v);
}

/* GMT+8, GMT+08:00 */
static bool take_gmt(str s, size_t *at, struct fields *f) {
    if (!take_word(s, at, "GMT", 3)) return false;
    if (*at >= s.n || (s.p[*at] != '+' && s.p[*at] != '-')) return set(f, F_OFFSET, 0);
    bool neg = s.p[(*at)++] == '-';
    int64_t h = 0, m = 0;
    size_t n = 0;
    while (n < 2 && is_digit(s, *at)) h = h * 10 + s.p[(*at)++] - '0', n++;
    if (!n || h > 18) return false;
    if (*at < s.n && s.p[*at] == ':') {
        (*at)++;
        if (!two_digits(s, at, &m) || m > 59) return false;
    }
    return set(f, F_OFFSET, neg ? -(h * 3600 + m * 60) : h * 3600 + m * 60);
}

/* A zone's id or short name: as many of the characters that such have as make one. */
static bool take_zone(str s, size_t *at, struct fields *f) {
    size_t n = 0;
    while (*at + n < s.n && n < 48) {
        char c = s.p[*at + n];
        if (!(((c | 32) >= 'a' && (c | 32) <= 'z') || (c >= '0' && c <= '9') || strchr("/_+-:", c))) break;
        n++;
    }
    for (; n > 0; n--) {
        str name = str_n(s.p + *at, n);
        const struct zone *z = zone_get(name);
        if (!z && str_eqz(name, "EDT")) z = zone_get(STR("-04:00"));
        if (!z && str_eqz(name, "CDT")) z = zone_get(STR("-05:00"));
        if (!z && str_eqz(name, "MDT")) z = zone_get(STR("-06:00"));
        if (!z && str_eqz(name, "PDT")) z = zone_get(STR("-07:00"));
        if (!z && str_eqz(name, "CEST")) z = zone_get(STR("+02:00"));
        if (z) {
            f->zone = z;
            *at += n;
            return true;
        }
    }
    return false;
}

static bool take_items(const struct pattern *p, size_t from, size_t to, str s, size_t *at, struct fields *f) {
    for (size_t i = from; i < to; i++) {
        size_t begun = *at;
        const struct pattern_item *it = &p->item[i];
        int64_t v;
        bool ok;
        if (it->letter == '[') {
            size_t here = *at;
            struct fields before = *f;
            size_t inner = it->end && p->item[it->end - 1].letter == ']' ? it->end - 1u : it->end;
            if (!take_items(p, i + 1, inner, s, at, f)) {
                *at = here;
                *f = before;
            }
            i = it->end - 1u;
            continue;
        }
        if (it->letter == ']') continue;
        if (it->letter == 0) ok = *at < s.n && (s.p[*at] == it->literal || (((it->literal | 32) >= 'a' && (it->literal | 32) <= 'z') && (s.p[*at] ^ it->literal) == 32)) && ++*at;
        else if (it->number) ok = take_number(it, s, at, &v) && set_number(p, it, f, v, *at - begun);
        else if (it->letter == 'O') ok = take_gmt(s, at, f);
        else if (it->letter == 'Z' && it->n == 4) ok = take_gmt(s, at, f);
        else if (strchr("XxZ", it->letter)) ok = take_offset(it, s, at, f);
        else if (strchr("Vz", it->letter)) ok = take_zone(s, at, f);
        else ok = take_text(it, s, at, f);
        if (!ok) return false;
    }
    return true;
}

/* ---- from fields to a time ---- */

static bool hour_of(const struct fields *f, int64_t *ret) {
    int64_t h = 0;
    bool half = false;
    if (has(f, F_HOUR)) h = f->v[F_HOUR];
    else if (has(f, F_HOUR24)) h = f->v[F_HOUR24] % 24;
    else if (has(f, F_HOUR12)) h = f->v[F_HOUR12] % 12, half = true;
    else if (has(f, F_HOUR11)) h = f->v[F_HOUR11], half = true;
    else half = has(f, F_AMPM);
    if (has(f, F_AMPM)) {
        if (half) h += f->v[F_AMPM] * 12;
        else if ((h >= 12) != (f->v[F_AMPM] == 1)) return false;
    }
    *ret = h;
    return true;
}

static bool date_of(const struct fields *f, int64_t *ret_days) {
    int64_t y = has(f, F_YEAR) ? f->v[F_YEAR] : 1970;
    if (has(f, F_ERA)) {
        if (y < 1) return false;
        if (!f->v[F_ERA]) y = 1 - y;
    }
    if (y < -290000 || y > 294247) return false;
    int m = has(f, F_MONTH) ? (int)f->v[F_MONTH] : has(f, F_QUARTER) ? (int)f->v[F_QUARTER] * 3 - 2 : 1;
    int d = has(f, F_DAY) ? (int)f->v[F_DAY] : 1;
    if (has(f, F_MONTH) && has(f, F_QUARTER) && (m + 2) / 3 != f->v[F_QUARTER]) return false;
    int64_t days;
    if (has(f, F_DOY)) { /* month and day may stand beside it, and must be that day's */
        if (f->v[F_DOY] > (civil_leap(y) ? 366 : 365)) return false;
        days = time_days(y, 1, 1) + f->v[F_DOY] - 1;
        int64_t of_y;
        int of_m, of_d;
        time_civil(days, &of_y, &of_m, &of_d);
        if ((has(f, F_MONTH) && of_m != m) || (has(f, F_DAY) && of_d != d)) return false;
    } else {
        if (!civil_valid(y, m, d)) return false;
        days = time_days(y, m, d);
    }
    if (has(f, F_DOW) && has(f, F_DAY) && has(f, F_MONTH) && has(f, F_YEAR) && civil_iso_weekday(days) != f->v[F_DOW]) return false;
    *ret_days = days;
    return true;
}

static bool read_fields(const struct pattern *p, str text, struct fields *f, int64_t *ret_local) {
    size_t at = 0;
    int64_t days, hour;
    *f = (struct fields){0};
    if (!take_items(p, 0, p->n, text, &at, f) || at != text.n || !hour_of(f, &hour) || !date_of(f, &days)) return false;
    *ret_local = days * US_DAY + hour * US_HOUR + f->v[F_MINUTE] * US_MINUTE + f->v[F_SECOND] * US_PER_S + f->v[F_US];
    return true;
}

bool pattern_read(const struct pattern *p, str text, const struct zone *z, int64_t *ret_us) {
    struct fields f;
    int64_t local;
    if (!read_fields(p, text, &f, &local)) return false;
    if (has(&f, F_OFFSET)) *ret_us = local - f.v[F_OFFSET] * US_PER_S;
    else *ret_us = zone_to_utc(f.zone ? f.zone : z, local);
    return true;
}

bool pattern_read_local(const struct pattern *p, str text, int64_t *ret_us) {
    struct fields f;
    return read_fields(p, text, &f, ret_us);
}
