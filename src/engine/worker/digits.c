/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers by formats (digits.h). */
#include "engine/worker/digits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/worker/text.h"

static void strip(struct digits *x) {
    int lead = 0;
    while (lead < x->n && x->d[lead] == '0') lead++;
    if (lead) {
        memmove(x->d, x->d + lead, (size_t)(x->n - lead));
        x->n -= lead;
        x->point -= lead;
    }
    while (x->n && x->d[x->n - 1] == '0') x->n--;
    if (!x->n) x->point = 0;
}

static void from_e_form(struct digits *x, const char *e) {
    const char *p = e;
    for (; *p && *p != 'e'; p++)
        if (*p >= '0' && *p <= '9' && x->n < DIGITS_MAX) x->d[x->n++] = *p;
    x->point = (int)strtol(p + 1, NULL, 10) + 1;
    strip(x);
}

static bool special(struct digits *x, double v) {
    *x = (struct digits){.negative = signbit(v) && !isnan(v), .nan = isnan(v), .infinite = isinf(v)};
    return x->nan || x->infinite || v == 0;
}

void digits_of_double(struct digits *x, double v) {
    char e[40];
    if (special(x, v)) return;
    for (int n = 0; n <= 16; n++) {
        if (n > 1 && n < 14) n = 14;
        snprintf(e, sizeof(e), "%.*e", n, fabs(v));
        if (strtod(e, NULL) == fabs(v)) break;
    }
    from_e_form(x, e);
}

void digits_of_double_exact(struct digits *x, double v) {
    char e[DIGITS_MAX + 20];
    if (special(x, v)) return;
    snprintf(e, sizeof(e), "%.*e", DIGITS_MAX - 2, fabs(v));
    from_e_form(x, e);
}

void digits_of_decimal(struct digits *x, i128 v, int scale) {
    *x = (struct digits){.negative = v < 0};
    u128 m = v < 0 ? -(u128)v : (u128)v;
    char t[48];
    int n = 0;
    while (m) {
        t[n++] = (char)('0' + (int)(m % 10));
        m /= 10;
    }
    for (int i = n; i-- > 0;) x->d[x->n++] = t[i];
    x->point = n - scale;
    strip(x);
}

bool digits_zero(const struct digits *x) { return x->n == 0 && !x->nan && !x->infinite; }

void digits_round(struct digits *x, int places, enum digits_mode mode) {
    int keep = x->point + places;
    if (keep >= x->n || x->nan || x->infinite) return;
    if (keep < 0) {
        x->n = 0;
        x->point = 0;
        return;
    }
    char first = x->d[keep];
    bool tie = first == '5' && keep == x->n - 1;
    bool up = first > '5' || (first == '5' && (!tie || mode == DIGITS_HALF_UP || (keep > 0 && (x->d[keep - 1] - '0') % 2)));
    x->n = keep;
    if (up) {
        int i = keep - 1;
        while (i >= 0 && x->d[i] == '9') x->d[i--] = '0';
        if (i >= 0) x->d[i]++;
        else {
            memmove(x->d + 1, x->d, (size_t)x->n);
            x->d[0] = '1';
            x->n++;
            x->point++;
        }
    }
    strip(x);
}

void digits_write(const struct digits *x, int least, int group, int least_frac, buf *out) {
    int whole = x->point > 0 ? x->point : 0, total = whole > least ? whole : least;
    for (int i = 0; i < total; i++) {
        int k = i - (total - whole); /* digit of the number, below 0 a zero in front */
        buf_c(out, k < 0 || k >= x->n ? '0' : x->d[k]);
        int left = total - i - 1;
        if (group && left && left % group == 0) buf_c(out, ',');
    }
    int frac = x->n - x->point;
    if (x->n == 0) frac = 0;
    if (frac < least_frac) frac = least_frac;
    if (frac <= 0) return;
    buf_c(out, '.');
    for (int i = 0; i < frac; i++) {
        int k = x->point + i;
        buf_c(out, k < 0 || k >= x->n ? '0' : x->d[k]);
    }
}

/* ---- to_number, to_char ---- */

enum { T_DIGIT = '9', T_ZERO = '0' };
struct token { char kind; }; /* 9 0 . , $ S M(MI) P(PR) */

static size_t tokens(str f, char out[256], bool *ok) {
    size_t n = 0;
    *ok = f.n > 0;
    for (size_t i = 0; i < f.n && *ok; i++) {
        char c = f.p[i] >= 'a' && f.p[i] <= 'z' ? (char)(f.p[i] - 32) : f.p[i], next = i + 1 < f.n ? (char)(f.p[i + 1] & ~32) : 0;
        if (n == 255) *ok = false;
        else if (c == '0' || c == '9' || c == '$' || c == 'S') out[n++] = c;
        else if (c == '.' || c == 'D') out[n++] = '.';
        else if (c == ',' || c == 'G') out[n++] = ',';
        else if (c == 'M' && next == 'I') out[n++] = 'M', i++;
        else if (c == 'P' && next == 'R') out[n++] = 'P', i++;
        else *ok = false;
    }
    return n;
}

bool number_format_check(str format) {
    char t[256];
    bool ok;
    size_t n = tokens(format, t, &ok);
    int points = 0, signs = 0, dollars = 0, digits = 0;
    for (size_t i = 0; ok && i < n; i++) {
        if (t[i] == '.') points++;
        if (t[i] == '$') dollars++;
        if (t[i] == '$' && digits) ok = false;
        if (t[i] == ',' && (!digits || i + 1 == n || (t[i + 1] != '0' && t[i + 1] != '9'))) ok = false;
        if (t[i] == '0' || t[i] == '9') digits++;
        if (t[i] == 'S' || t[i] == 'M') {
            signs++;
            if (i != 0 && i != n - 1 && !(i == n - 2 && t[n - 1] == 'P')) ok = false;
        }
        if (t[i] == 'P' && i != n - 1) ok = false;
        if (t[i] == ',' && points) ok = false;
    }
    return ok && points <= 1 && signs <= 1 && dollars <= 1 && digits > 0 && digits <= 38;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* Groups before the point: a 0 at the very start asks for as many digits as the format has. */
static bool read_whole(const char *t, size_t from, size_t to, str s, size_t *at, buf *ret) {
    size_t end = *at;
    while (end < s.n && (is_digit(s.p[end]) || s.p[end] == ',')) end++;
    size_t n_digits = 0, have = 0;
    bool exact = from < to && t[from] == '0';
    for (size_t i = from; i < to; i++) n_digits += t[i] != ',';
    for (size_t i = *at; i < end; i++) have += s.p[i] != ',';
    if (have > n_digits || (exact && have != n_digits)) return false;
    /* From the right: commas stand where the format has them. */
    size_t i = to, k = end;
    while (k > *at) {
        if (i == from) return false;
        i--;
        if ((t[i] == ',') != (s.p[k - 1] == ',')) return false;
        k--;
    }
    for (k = *at; k < end; k++)
        if (s.p[k] != ',') buf_c(ret, s.p[k]);
    *at = end;
    return true;
}

bool number_format_read(str format, str text, buf *ret) {
    char t[256];
    bool ok, neg = false, bracket = false;
    size_t n = tokens(format, t, &ok), at = 0;
    str s = str_trim(text);
    if (!ok) return false;
    buf body = {0};
    bool angle = n && t[n - 1] == 'P';
    if (angle && s.n && s.p[0] == '<') bracket = true, at = 1;
    for (size_t i = 0; ok && i < n; i++) {
        switch (t[i]) {
        case '0':
        case '9':
        case ',': {
            size_t end = i;
            while (end < n && (t[end] == '0' || t[end] == '9' || t[end] == ',')) end++;
            ok = read_whole(t, i, end, s, &at, &body);
            i = end - 1;
            break;
        }
        case '.': {
            size_t end = i + 1;
            while (end < n && (t[end] == '0' || t[end] == '9')) end++;
            if (at < s.n && s.p[at] == '.') {
                buf_c(&body, '.');
                at++;
                size_t k = 0;
                for (; at < s.n && is_digit(s.p[at]) && k < end - i - 1; k++) buf_c(&body, s.p[at++]);
                if (at < s.n && is_digit(s.p[at])) ok = false;
            }
            i = end - 1;
            break;
        }
        case '$':
            if (at < s.n && s.p[at] == '$') at++;
            else ok = false;
            break;
        case 'S':
        case 'M':
            if (at < s.n && s.p[at] == '-') neg = true, at++;
            else if (t[i] == 'S' && at < s.n && s.p[at] == '+') at++;
            else if (t[i] == 'M' && at < s.n && s.p[at] == ' ') at++;
            break;
        default:
            if (bracket) {
                ok = at < s.n && s.p[at] == '>';
                at++;
                neg = true;
            }
        }
    }
    ok = ok && at >= s.n && body.n > 0 && !(body.n == 1 && body.p[0] == '.');
    if (ok) {
        if (neg) buf_c(ret, '-');
        if (body.p[0] == '.') buf_c(ret, '0');
        buf_add(ret, body.p, body.n);
    }
    buf_free(&body);
    return ok;
}

static void hashes(const char *t, size_t n, buf *out) {
    for (size_t i = 0; i < n; i++) {
        if (t[i] == '0' || t[i] == '9') buf_c(out, '#');
        else if (t[i] == '.' || t[i] == ',' || t[i] == '$') buf_c(out, t[i]);
    }
}

void number_format_write(str format, const struct digits *x, buf *out) {
    char t[256];
    bool ok;
    size_t n = tokens(format, t, &ok), start = out->n;
    int whole = 0, frac = 0;
    bool point = false, neg = x->negative && x->n;
    for (size_t i = 0; i < n; i++) {
        if (t[i] == '.') point = true;
        if (t[i] == '0' || t[i] == '9') point ? frac++ : whole++;
    }
    int have = x->point > 0 ? x->point : 0, have_frac = x->n - x->point;
    if (have > whole || (x->n && have_frac > frac)) {
        hashes(t, n, out);
        return;
    }
    int seen = 0, after = 0;
    bool zeros = false; /* a 0 in the format fills from there on */
    point = false;
    if (n && t[n - 1] == 'P' && neg) buf_c(out, '<');
    for (size_t i = 0; i < n; i++) {
        char last = out->n > start ? out->p[out->n - 1] : 0;
        switch (t[i]) {
        case '0':
        case '9':
            if (point) {
                int k = x->point + after++;
                buf_c(out, k < 0 || k >= x->n ? '0' : x->d[k]);
                break;
            }
            zeros |= t[i] == '0';
            int k = seen++ - (whole - have);
            if (k >= 0) buf_c(out, k < x->n ? x->d[k] : '0');
            else buf_c(out, zeros ? '0' : ' ');
            break;
        case ',': buf_c(out, is_digit(last) ? ',' : ' '); break;
        case '.':
            if (last == ' ' || last == 0) {
                if (last == ' ') out->p[out->n - 1] = '0';
                else if (whole == 0) buf_c(out, '0');
            }
            buf_c(out, '.');
            point = true;
            break;
        case '$': buf_c(out, '$'); break;
        case 'S':
            if (last == '.') out->n--;
            buf_c(out, neg ? '-' : '+');
            break;
        case 'M':
            if (last == '.') out->n--;
            buf_c(out, neg ? '-' : ' ');
            break;
        default:
            buf_z(out, neg ? ">" : "  "); /* blanks where the brackets would be */
        }
    }
    if (out->n > start && out->p[out->n - 1] == '.') out->n--;
}

/* ---- DecimalFormat ---- */

bool decimal_format_write(str pattern, struct digits *x, buf *out) {
    ptrdiff_t semi = str_chr(pattern, ';', 0);
    if (semi >= 0) pattern = str_cut(pattern, (size_t)semi);
    size_t from = 0, to = pattern.n;
    while (from < to && !strchr("#0,.", pattern.p[from])) from++;
    while (to > from && !strchr("#0,.", pattern.p[to - 1])) to--;
    int least = 0, least_frac = 0, most_frac = 0, group = 0, since = -1;
    bool point = false;
    for (size_t i = from; i < to; i++) {
        char c = pattern.p[i];
        if (c == '.') {
            if (point) return false;
            point = true;
        } else if (c == ',') {
            if (point) return false;
            since = 0;
        } else if (c == '#' || c == '0') {
            if (point) {
                most_frac++;
                least_frac += c == '0';
            } else {
                least += c == '0';
                if (since >= 0) since++;
            }
        } else return false;
    }
    group = since > 0 ? since : 0;
    /* "#.##" has a zero before its point, ".##" one after it. */
    if (point && !least && !least_frac) {
        if (pattern.p[from] == '.') least_frac = 1;
        else least = 1;
    }
    if (x->nan) {
        buf_z(out, "\xef\xbf\xbd");
        return true;
    }
    for (size_t i = to; i < pattern.n; i++)
        if (pattern.p[i] == '%') x->point += x->n ? 2 : 0;
    digits_round(x, most_frac, DIGITS_HALF_EVEN);
    if (x->negative && (x->n || x->infinite)) buf_c(out, '-');
    else if (x->negative) buf_c(out, '-');
    for (size_t i = 0; i < from; i++)
        if (pattern.p[i] != '\'') buf_c(out, pattern.p[i]);
    if (x->infinite) buf_z(out, "\xe2\x88\x9e");
    else {
        size_t start = out->n;
        digits_write(x, least, group, least_frac, out);
        /* "#.##" writes .5, and 0 where nothing else is left. */
        if (out->n == start) buf_c(out, '0');
    }
    for (size_t i = to; i < pattern.n; i++)
        if (pattern.p[i] != '\'') buf_c(out, pattern.p[i]);
    return true;
}
