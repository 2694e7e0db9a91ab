/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling patterns and writing dates with them (pattern.h). */
#include "engine/worker/pattern.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "engine/worker/civil.h"
#include "engine/worker/pattern_int.h"

const char *const pattern_months[12] = {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"};
const char *const pattern_days[7] = {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"};

/* ---- compiling ---- */

/* The most letters that a field may have; 0: no field. */
static int most(char c) {
    switch (c) {
    case 'G': case 'E': case 'Q': case 'q': case 'M': case 'L': case 'z': case 'O': return 4;
    case 'y': case 'u': return 15;
    case 'd': case 'h': case 'H': case 'k': case 'K': case 'm': case 's': return 2;
    case 'D': return 3;
    case 'F': case 'a': return 1;
    case 'S': return 9;
    case 'V': return 2;
    case 'X': case 'x': case 'Z': return 5;
    default: return 0;
    }
}

static bool is_number(const struct pattern_item *i) {
    if ((i->letter == 'M' || i->letter == 'L' || i->letter == 'Q' || i->letter == 'q') && i->n > 2) return false;
    return i->letter && strchr("yuMLQqdDFhHkKmsS", i->letter);
}

static bool is_fixed(const struct pattern_item *i) {
    if (i->letter == 'S') return true;
    if (i->letter == 'D') return i->n == 3;
    return i->n == 2;
}

static enum pattern_fault add_field(struct pattern *p, char c, size_t n, bool reading) {
    struct pattern_item *i = &p->item[p->n];
    if (strchr("YwWec", c)) return PATTERN_WEEK;
    int limit = most(c);
    if (!limit) return strchr("ABnNp", c) ? PATTERN_LETTER : PATTERN_UNKNOWN;
    if (reading && strchr("EFqQ", c)) return PATTERN_LETTER;
    if ((int)n > limit || (c == 'V' && n != 2) || (c == 'O' && n != 1 && n != 4)) return PATTERN_LENGTH;
    *i = (struct pattern_item){.letter = c, .n = (uint8_t)n};
    i->number = is_number(i);
    i->fixed = i->number && is_fixed(i);
    if (c == 'G') p->era = true;
    p->n++;
    return PATTERN_OK;
}

/* Fixed fields right after a number reserve their digits. */
static void reserve_digits(struct pattern *p) {
    for (size_t i = 0; i < p->n; i++) {
        if (!p->item[i].number || p->item[i].fixed) continue;
        unsigned sum = 0;
        for (size_t k = i + 1; k < p->n && p->item[k].number && p->item[k].fixed; k++) sum += p->item[k].n;
        p->item[i].reserve = (uint8_t)(sum > 200 ? 200 : sum);
    }
}

static bool put(struct pattern *p, char letter, char literal) {
    if (p->n == PATTERN_ITEMS) return false;
    p->item[p->n++] = (struct pattern_item){.letter = letter, .literal = literal};
    return true;
}

/* 'text': '' is a quote, inside and outside. */
static bool quoted(struct pattern *p, str s, size_t *i) {
    size_t k = *i + 1;
    if (k < s.n && s.p[k] == '\'') {
        *i = k + 1;
        return put(p, 0, '\'');
    }
    for (; k < s.n; k++) {
        if (s.p[k] == '\'') {
            if (k + 1 >= s.n || s.p[k + 1] != '\'') {
                *i = k + 1;
                return true;
            }
            k++;
        }
        if (!put(p, 0, s.p[k])) return false;
    }
    return false; /* no end */
}

static enum pattern_fault compile(struct pattern *p, str s, bool reading, char *at) {
    uint16_t open[16];
    size_t depth = 0;
    for (size_t i = 0; i < s.n;) {
        char c = s.p[i];
        *at = c;
        if (p->n == PATTERN_ITEMS) return PATTERN_OTHER;
        if ((c | 32) >= 'a' && (c | 32) <= 'z') {
            size_t n = 1;
            while (i + n < s.n && s.p[i + n] == c) n++;
            enum pattern_fault f = add_field(p, c, n > 20 ? 20 : n, reading);
            if (f) return f;
            i += n;
        } else if (c == '\'') {
            if (!quoted(p, s, &i)) return PATTERN_OTHER;
        } else if (c == '[') {
            if (depth == ARRAY_LEN(open)) return PATTERN_OTHER;
            open[depth++] = (uint16_t)p->n;
            put(p, '[', 0);
            i++;
        } else if (c == ']') {
            if (!depth) return PATTERN_OTHER;
            put(p, ']', 0);
            p->item[open[--depth]].end = (uint16_t)p->n;
            i++;
        } else if (c == '#' || c == '{' || c == '}') {
            return PATTERN_LETTER;
        } else {
            put(p, 0, c);
            i++;
        }
    }
    while (depth) p->item[open[--depth]].end = (uint16_t)p->n;
    return PATTERN_OK;
}

bool pattern_was_legal(str text) {
    bool quoted_text = false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\'') quoted_text = !quoted_text;
        else if (!quoted_text && (c | 32) >= 'a' && (c | 32) <= 'z' && !strchr("GyYMLwWDdFEuaHkKhmsSzZX", c)) return false;
    }
    return !quoted_text && text.n > 0;
}

struct pattern *pattern_new(str text, bool reading, enum pattern_fault *fault, char *at) {
    struct pattern *p = calloc(1, sizeof(*p));
    must(p);
    *at = 0;
    *fault = compile(p, text, reading, at);
    if (*fault) {
        free(p);
        return NULL;
    }
    reserve_digits(p);
    return p;
}

/* ---- writing ---- */

struct moment { int64_t year, us_of_day, instant; int month, day; int64_t days; const struct zone *zone; };

static void put_text(buf *out, const char *name, int n, size_t short_n) {
    if (n >= 4) buf_z(out, name);
    else buf_add(out, name, short_n);
}

static void put_year(buf *out, int64_t y, int n, bool era) {
    if (era && y <= 0) y = 1 - y;
    if (n == 2) {
        buf_fmt(out, "%02d", (int)floor_mod(y, 100));
        return;
    }
    int64_t m = y < 0 ? -y : y;
    char s[40];
    int len = snprintf(s, sizeof(s), "%0*lld", n, (long long)m);
    if (y < 0) buf_c(out, '-');
    else if (n >= 4 && len > n) buf_c(out, '+');
    buf_add(out, s, (size_t)len);
}

static void put_offset(buf *out, const struct pattern_item *i, int32_t off) {
    char c = i->letter;
    int n = i->n;
    if (c == 'O' || (c == 'Z' && n == 4)) {
        buf_z(out, "GMT");
        if (!off) return;
        int32_t a = off < 0 ? -off : off;
        if (n == 4) buf_fmt(out, "%c%02d:%02d", off < 0 ? '-' : '+', a / 3600, a / 60 % 60);
        else {
            buf_fmt(out, "%c%d", off < 0 ? '-' : '+', a / 3600);
            if (a / 60 % 60) buf_fmt(out, ":%02d", a / 60 % 60);
        }
        return;
    }
    if (off == 0 && (c == 'X' || (c == 'Z' && n == 5))) {
        buf_c(out, 'Z');
        return;
    }
    int form = c == 'Z' ? (n == 5 ? 5 : 2) : n;
    int32_t a = off < 0 ? -off : off;
    buf_fmt(out, "%c%02d", off < 0 ? '-' : '+', a / 3600);
    int m = a / 60 % 60, s = a % 60;
    if (form == 1 && !m) return;
    buf_fmt(out, form == 3 || form == 5 ? ":%02d" : "%02d", m);
    if (form >= 4 && s) buf_fmt(out, form == 5 ? ":%02d" : "%02d", s);
}

/* The zone's name: abbreviations in the system's files; those that are numbers are written as GMT+hh:mm. */
static void put_zone_name(buf *out, const struct moment *m, int n) {
    char abbr[16];
    bool dst;
    (void)n;
    if (zone_is_fixed(m->zone)) {
        buf_z(out, zone_name(m->zone));
        return;
    }
    zone_describe(m->zone, m->instant, &dst, abbr);
    if (abbr[0] == '+' || abbr[0] == '-') buf_fmt(out, "GMT%.3s:%s", abbr, strlen(abbr) > 3 ? abbr + 3 : "00");
    else buf_z(out, abbr);
}

static void put_quarter(buf *out, int q, int n) {
    static const char *const full[] = {"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"};
    if (n <= 2) buf_fmt(out, "%0*d", n, q);
    else if (n == 3) buf_fmt(out, "Q%d", q);
    else buf_z(out, full[q - 1]);
}

static void put_field(buf *out, const struct pattern *p, const struct pattern_item *i, const struct moment *m) {
    int n = i->n, hour = (int)(m->us_of_day / US_HOUR), fraction;
    switch (i->letter) {
    case 'G': buf_z(out, n >= 4 ? (m->year > 0 ? "Anno Domini" : "Before Christ") : m->year > 0 ? "AD" : "BC"); break;
    case 'y': put_year(out, m->year, n, p->era); break;
    case 'u': put_year(out, m->year, n, false); break;
    case 'M':
    case 'L':
        if (n <= 2) buf_fmt(out, "%0*d", n, m->month);
        else put_text(out, pattern_months[m->month - 1], n, 3);
        break;
    case 'd': buf_fmt(out, "%0*d", n, m->day); break;
    case 'D': buf_fmt(out, "%0*d", n, (int)(m->days - time_days(m->year, 1, 1)) + 1); break;
    case 'Q':
    case 'q': put_quarter(out, (m->month + 2) / 3, n); break;
    case 'E': put_text(out, pattern_days[civil_iso_weekday(m->days) - 1], n, 3); break;
    case 'F': buf_fmt(out, "%d", (m->day - 1) % 7 + 1); break;
    case 'a': buf_z(out, hour < 12 ? "AM" : "PM"); break;
    case 'h': buf_fmt(out, "%0*d", n, (hour + 11) % 12 + 1); break;
    case 'K': buf_fmt(out, "%0*d", n, hour % 12); break;
    case 'k': buf_fmt(out, "%0*d", n, hour ? hour : 24); break;
    case 'H': buf_fmt(out, "%0*d", n, hour); break;
    case 'm': buf_fmt(out, "%0*d", n, (int)(m->us_of_day / US_MINUTE % 60)); break;
    case 's': buf_fmt(out, "%0*d", n, (int)(m->us_of_day / US_PER_S % 60)); break;
    case 'S': {
        char s[16];
        fraction = (int)(m->us_of_day % US_PER_S);
        snprintf(s, sizeof(s), "%06d000", fraction);
        buf_add(out, s, (size_t)n);
        break;
    }
    case 'V': buf_z(out, zone_name(m->zone)); break;
    case 'z': put_zone_name(out, m, n); break;
    case 'O': case 'X': case 'x': case 'Z': put_offset(out, i, zone_offset(m->zone, m->instant)); break;
    default: break;
    }
}

void pattern_write(const struct pattern *p, int64_t us, const struct zone *z, buf *out) {
    int64_t local = zone_to_local(z, us);
    struct moment m = {.instant = us, .zone = z, .days = floor_div(local, US_DAY), .us_of_day = floor_mod(local, US_DAY)};
    time_civil(m.days, &m.year, &m.month, &m.day);
    for (size_t i = 0; i < p->n; i++) {
        const struct pattern_item *it = &p->item[i];
        if (it->letter == 0) buf_c(out, it->literal);
        else if (it->letter != '[' && it->letter != ']') put_field(out, p, it, &m);
    }
}
