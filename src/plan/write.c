/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Predictions as JSON, byte for byte what MLflow's scoring server writes with Python's json module:
 * `[0.5, 1.0]`, `[[1, 2], [3, 4]]`, NaN and Infinity as bare words, strings in ASCII with \u escapes.
 *
 * The digits of a double are the shortest that read back as the same double; yyjson finds them.
 * Python puts them down its own way: plain from 1e-4 to below 1e16, else one digit, the rest behind a
 * point, and an exponent of at least two digits with its sign.
 */
#include <math.h>

#include "base/json.h"
#include "plan/scorer.h"

#define NUMBER_BYTES 64

/* yyjson asks its allocator for the text of a number; it gets the buffer on our stack. */
static void *number_take(void *ctx, size_t n) { return n <= NUMBER_BYTES ? ctx : NULL; }
static void *number_more(void *ctx, void *p, size_t old, size_t n) {
    (void)p;
    (void)old;
    return number_take(ctx, n);
}
static void number_drop(void *ctx, void *p) {
    (void)ctx;
    (void)p;
}

/* Shortest digits of a finite double in yyjson's notation; returns the length. */
static size_t shortest(double x, char text[NUMBER_BYTES]) {
    yyjson_mut_val v = {0};
    unsafe_yyjson_set_real(&v, x);
    yyjson_alc alc = {number_take, number_more, number_drop, text};
    size_t n = 0;
    char *p = yyjson_mut_val_write_opts(&v, YYJSON_WRITE_NOFLAG, &alc, &n, NULL);
    must(p == text && n < NUMBER_BYTES);
    return n;
}

/* "-d.ddde±xx" of any notation of a number that is not 0. */
static void put_exponent(const char *text, size_t n, buf *to) {
    char digits[NUMBER_BYTES];
    size_t used = 0, i = 0;
    int point = 0, written = 0;
    bool seen_point = false;
    if (text[i] == '-') buf_c(to, '-'), i++;
    for (; i < n && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            seen_point = true;
        } else if (text[i] != '0' || used > 0) {
            digits[used++] = text[i];
            point += !seen_point;
        } else {
            point -= seen_point; /* a zero between the point and the first digit */
        }
    }
    if (i < n) {
        bool minus = text[i + 1] == '-';
        for (i += minus || text[i + 1] == '+' ? 2 : 1; i < n; i++) written = written * 10 + text[i] - '0';
        if (minus) written = -written;
    }
    while (used > 1 && digits[used - 1] == '0') used--;
    int exponent = point - 1 + written;
    buf_c(to, digits[0]);
    if (used > 1) {
        buf_c(to, '.');
        buf_add(to, digits + 1, used - 1);
    }
    buf_fmt(to, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

void plan_write_f64(double x, buf *to) {
    char text[NUMBER_BYTES];
    if (isnan(x)) {
        buf_add(to, "NaN", 3);
    } else if (isinf(x)) {
        buf_z(to, x < 0 ? "-Infinity" : "Infinity");
    } else {
        size_t n = shortest(x, text);
        double size = fabs(x);
        if (size == 0 || (size >= 1e-4 && size < 1e16))
            buf_add(to, text, n);
        else
            put_exponent(text, n, to);
    }
}

/* Decodes the UTF-8 character at s[*i] (valid, as checked) and moves past it. */
static uint32_t next_char(str s, size_t *i) {
    unsigned char c = (unsigned char)s.p[(*i)++];
    if (c < 0x80) return c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t ch = c & (0x3fu >> more);
    while (more-- > 0 && *i < s.n) ch = ch << 6 | ((unsigned char)s.p[(*i)++] & 0x3fu);
    return ch;
}

static void put_escaped(uint32_t ch, buf *to) {
    static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t k = 0; k + 1 < sizeof(plain) - 1; k += 2)
        if (ch == (unsigned char)plain[k]) {
            buf_c(to, '\\');
            buf_c(to, plain[k + 1]);
            return;
        }
    if (ch >= 0x20 && ch < 0x7f) {
        buf_c(to, (char)ch);
    } else if (ch < 0x10000) {
        buf_fmt(to, ch == 0x7f ? "%c" : "\\u%04x", ch);
    } else {
        ch -= 0x10000;
        buf_fmt(to, "\\u%04x\\u%04x", 0xd800 + (ch >> 10), 0xdc00 + (ch & 0x3ff));
    }
}

static void put_string(str s, buf *to) {
    buf_c(to, '"');
    for (size_t i = 0; i < s.n;) put_escaped(next_char(s, &i), to);
    buf_c(to, '"');
}

static void put_label(const struct plan *p, uint32_t i, buf *to) {
    must(i < plan_count(p, PLAN_S_LABELS));
    const struct plan_label *l = (const struct plan_label *)plan_at(p, PLAN_S_LABELS) + i;
    switch (p->label_type) {
    case PLAN_L_INT: buf_fmt(to, "%lld", (long long)l->integer); break;
    case PLAN_L_FLOAT: plan_write_f64(l->number, to); break;
    case PLAN_L_BOOL: buf_z(to, l->integer ? "true" : "false"); break;
    default:
        put_string(str_n((const char *)plan_at(p, PLAN_S_STRINGS) + l->text.off, l->text.n), to);
    }
}

void plan_write_predictions(const struct plan_output *out, buf *to) {
    buf_c(to, '[');
    for (size_t r = 0; r < out->n; r++) {
        if (r) buf_add(to, ", ", 2);
        if (out->labels) {
            put_label(out->plan, out->labels[r], to);
            continue;
        }
        if (out->two_d) buf_c(to, '[');
        for (size_t k = 0; k < out->k; k++) {
            if (k) buf_add(to, ", ", 2);
            plan_write_f64(out->values[r * out->k + k], to);
        }
        if (out->two_d) buf_c(to, ']');
    }
    buf_c(to, ']');
}
