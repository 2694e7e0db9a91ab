/* SPDX-License-Identifier: Apache-2.0 */
/* format_number, format_string (java.util.Formatter), to_char and to_number. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/worker/digits.h"
#include "engine/worker/fn_int.h"
#include "engine/worker/text.h"
#include "engine/worker/utf8.h"

/* ---- format_number ---- */

static void with_places(struct fn_call *c, struct digits *x, int32_t places) {
    if (places < 0) return;
    buf *b = fn_text(c);
    if (x->nan) buf_z(b, "NaN");
    else if (x->infinite) buf_z(b, x->negative ? "-\xe2\x88\x9e" : "\xe2\x88\x9e");
    else {
        if (places > 400) places = 400;
        digits_round(x, places, DIGITS_HALF_EVEN);
        if (x->negative) buf_c(b, '-');
        digits_write(x, 1, 3, places, b);
    }
    fn_ret_buf(c, b);
}
static void format_number(struct fn_call *c) {
    struct digits x;
    digits_of_double_exact(&x, fn_f64(c, 0));
    with_places(c, &x, fn_i32(c, 1));
}
static void format_number_dec(struct fn_call *c) {
    struct digits x;
    digits_of_decimal(&x, fn_int(c, 0), c->arg[0].scale);
    with_places(c, &x, fn_i32(c, 1));
}
static void by_pattern(struct fn_call *c, struct digits *x) {
    str p = fn_str(c, 1);
    buf *b = fn_text(c);
    if (p.n == 0) {
        with_places(c, x, 0);
        return;
    }
    if (decimal_format_write(p, x, b)) fn_ret_buf(c, b);
    else fn_fail_with(c, "INVALID_PARAMETER_VALUE.PRINTF", (struct fn_param[]){{"format", p}}, 1);
}
static void format_pattern(struct fn_call *c) {
    struct digits x;
    digits_of_double_exact(&x, fn_f64(c, 0));
    by_pattern(c, &x);
}
static void format_pattern_dec(struct fn_call *c) {
    struct digits x;
    digits_of_decimal(&x, fn_int(c, 0), c->arg[0].scale);
    by_pattern(c, &x);
}

/* ---- to_char, to_number ---- */

static bool format_ok(struct fn_call *c, str f) {
    if (number_format_check(f)) return true;
    bool digits = false, dollar_late = false, lone_comma = false;
    for (size_t i = 0; i < f.n; i++) {
        char ch = f.p[i], next = i + 1 < f.n ? f.p[i + 1] : 0;
        dollar_late |= ch == '$' && digits;
        lone_comma |= (ch == ',' || (ch | 32) == 'g') && !(digits && (next == '0' || next == '9'));
        digits |= ch == '0' || ch == '9';
    }
    if (dollar_late) fn_fail_with(c, "INVALID_FORMAT.CUR_MUST_BEFORE_DIGIT", (struct fn_param[]){{"format", f}}, 1);
    else if (lone_comma) fn_fail_with(c, "INVALID_FORMAT.CONT_THOUSANDS_SEPS", (struct fn_param[]){{"format", f}}, 1);
    else if (digits) fn_fail_with(c, "INVALID_FORMAT.UNEXPECTED_TOKEN", (struct fn_param[]){{"format", f}, {"token", f}}, 2);
    else fn_fail_with(c, "INVALID_FORMAT.WRONG_NUM_DIGIT", (struct fn_param[]){{"format", f}}, 1);
    return false;
}
static void to_char(struct fn_call *c) {
    str f = fn_str(c, 1);
    if (!format_ok(c, f)) return;
    struct digits x;
    digits_of_decimal(&x, fn_int(c, 0), c->arg[0].scale);
    buf *b = fn_text(c);
    number_format_write(f, &x, b);
    fn_ret_buf(c, b);
}
static void to_number(struct fn_call *c) {
    str s = fn_str(c, 0), f = fn_str(c, 1);
    if (!format_ok(c, f)) return;
    buf *b = fn_text(c);
    if (number_format_read(f, s, b)) fn_ret_buf(c, b);
    else if (!c->def->tag) {
        buf q = {0};
        buf_fmt(&q, "'%.*s'", STR_ARG(s));
        fn_fail_with(c, "INVALID_FORMAT.MISMATCH_INPUT", (struct fn_param[]){{"inputType", STR("\"STRING\"")}, {"input", s}, {"format", f}}, 3);
        buf_free(&q);
    }
}

/* ---- format_string ---- */

struct spec { bool left, plus, blank, zero, comma, paren, alt; int width, precision; char conv; };

static bool bad_format(struct fn_call *c, str f) {
    fn_fail_with(c, "INVALID_PARAMETER_VALUE.PRINTF", (struct fn_param[]){{"message", STR("format_string: the format does not fit its arguments")}, {"format", f}}, 2);
    return false;
}

/* Arguments come in pairs from number 2: the type's name, the value. */
static bool arg_null(const struct fn_call *c, size_t i) { return !fn_valid(c, i) || c->arg[i].type == DUCKDB_TYPE_SQLNULL; }

static bool is_integer(const struct fn_call *c, size_t i) {
    duckdb_type t = c->arg[i].type;
    return (t >= DUCKDB_TYPE_TINYINT && t <= DUCKDB_TYPE_BIGINT) || t == DUCKDB_TYPE_DATE || t == DUCKDB_TYPE_TIMESTAMP || t == DUCKDB_TYPE_TIMESTAMP_TZ || t == DUCKDB_TYPE_TIME;
}
static int64_t integer(const struct fn_call *c, size_t i) {
    switch (c->arg[i].type) {
    case DUCKDB_TYPE_DATE: return fn_i32(c, i);
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
    case DUCKDB_TYPE_TIME: return fn_i64(c, i);
    default: return (int64_t)fn_int(c, i);
    }
}

static void value_text(struct fn_call *c, size_t i, buf *b) {
    switch (c->arg[i].type) {
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB: buf_str(b, fn_str(c, i)); break;
    case DUCKDB_TYPE_BOOLEAN: buf_z(b, fn_bool(c, i) ? "true" : "false"); break;
    case DUCKDB_TYPE_DOUBLE: text_double(b, fn_f64(c, i)); break;
    case DUCKDB_TYPE_FLOAT: text_float(b, fn_f32(c, i)); break;
    case DUCKDB_TYPE_DECIMAL: text_decimal(b, fn_int(c, i), c->arg[i].scale); break;
    default:
        if (is_integer(c, i)) buf_fmt(b, "%lld", (long long)integer(c, i));
        else buf_z(b, "?");
    }
}

static void padded(buf *out, const struct spec *s, str body, bool number) {
    size_t n = utf8_count(body), fill = s->width > 0 && (size_t)s->width > n ? (size_t)s->width - n : 0;
    bool zeros = number && s->zero && !s->left;
    if (zeros) {
        size_t sign = body.n && strchr("+-( ", body.p[0]) ? 1 : 0;
        buf_str(out, str_cut(body, sign));
        for (; fill; fill--) buf_c(out, '0');
        buf_str(out, str_from(body, sign));
        return;
    }
    if (!s->left)
        for (size_t i = 0; i < fill; i++) buf_c(out, ' ');
    buf_str(out, body);
    if (s->left)
        for (size_t i = 0; i < fill; i++) buf_c(out, ' ');
}

static void signed_body(buf *b, const struct spec *s, bool negative, const char *digits) {
    if (negative) buf_c(b, s->paren ? '(' : '-');
    else if (s->plus) buf_c(b, '+');
    else if (s->blank) buf_c(b, ' ');
    buf_z(b, digits);
    if (negative && s->paren) buf_c(b, ')');
}

static bool put_integer(struct fn_call *c, const struct spec *s, size_t i, buf *b) {
    int64_t v = integer(c, i);
    if (s->conv == 'd') {
        struct digits x;
        buf t = {0};
        digits_of_decimal(&x, v, 0);
        digits_write(&x, 1, s->comma ? 3 : 0, 0, &t);
        buf_c(&t, 0);
        signed_body(b, s, v < 0, t.p);
        buf_free(&t);
        return true;
    }
    uint64_t u = (uint64_t)v;
    if (c->arg[i].type == DUCKDB_TYPE_INTEGER) u = (uint32_t)v;
    if (c->arg[i].type == DUCKDB_TYPE_SMALLINT) u = (uint16_t)v;
    if (c->arg[i].type == DUCKDB_TYPE_TINYINT) u = (uint8_t)v;
    if (s->conv == 'o') buf_fmt(b, s->alt ? "0%llo" : "%llo", (unsigned long long)u);
    else buf_fmt(b, s->alt ? "0x%llx" : "%llx", (unsigned long long)u);
    return true;
}

static bool put_real(struct fn_call *c, const struct spec *s, size_t i, buf *b) {
    struct digits x;
    if (c->arg[i].type == DUCKDB_TYPE_DOUBLE) digits_of_double(&x, fn_f64(c, i));
    else if (c->arg[i].type == DUCKDB_TYPE_FLOAT) digits_of_double(&x, (double)fn_f32(c, i));
    else if (c->arg[i].type == DUCKDB_TYPE_DECIMAL) digits_of_decimal(&x, fn_int(c, i), c->arg[i].scale);
    else return false;
    int precision = s->precision < 0 ? 6 : s->precision > 400 ? 400 : s->precision;
    if (x.nan || x.infinite) {
        if (x.nan) buf_z(b, "NaN");
        else signed_body(b, s, x.negative, "Infinity");
        return true;
    }
    buf t = {0};
    char conv = s->conv;
    if (conv == 'g') {
        if (precision == 0) precision = 1;
        struct digits y = x;
        digits_round(&y, precision - y.point, DIGITS_HALF_UP);
        if (y.n == 0 || (y.point >= -3 && y.point <= precision)) {
            conv = 'f';
            precision = y.n == 0 ? precision - 1 : precision - y.point;
        } else {
            conv = 'e';
            precision--;
        }
    }
    if (conv == 'f') {
        digits_round(&x, precision, DIGITS_HALF_UP);
        digits_write(&x, 1, s->comma ? 3 : 0, precision, &t);
    } else {
        digits_round(&x, precision - x.point + 1, DIGITS_HALF_UP);
        int exp = x.n ? x.point - 1 : 0;
        x.point = x.n ? 1 : 0;
        digits_write(&x, 1, 0, precision, &t);
        buf_fmt(&t, "e%c%02d", exp < 0 ? '-' : '+', exp < 0 ? -exp : exp);
    }
    buf_c(&t, 0);
    signed_body(b, s, x.negative, t.p);
    buf_free(&t);
    return true;
}

static bool put_value(struct fn_call *c, struct spec *s, size_t i, buf *out, bool upper) {
    buf b = {.max = FN_TEXT_MAX};
    bool ok = true, number = false;
    if (s->conv == 'b') buf_z(&b, arg_null(c, i) ? "false" : c->arg[i].type == DUCKDB_TYPE_BOOLEAN && !fn_bool(c, i) ? "false" : "true");
    else if (arg_null(c, i)) buf_z(&b, "null");
    else if (s->conv == 's') {
        value_text(c, i, &b);
    } else if (strchr("dxo", s->conv)) ok = number = is_integer(c, i) && put_integer(c, s, i, &b);
    else if (strchr("feg", s->conv)) ok = number = put_real(c, s, i, &b);
    else if (s->conv == 'c') {
        if (is_integer(c, i)) utf8_put(&b, (uint32_t)integer(c, i));
        else ok = false;
    } else ok = false;
    str body = buf_view(&b);
    if ((s->conv == 's' || s->conv == 'b') && s->precision >= 0) body = str_cut(body, utf8_bytes(body, (size_t)s->precision));
    if (upper)
        for (size_t k = 0; k < body.n; k++)
            if (b.p[k] >= 'a' && b.p[k] <= 'z') b.p[k] = (char)(b.p[k] - 32);
    if (ok) padded(out, s, body, number);
    buf_free(&b);
    return ok;
}

static int number_at(str f, size_t *i) {
    int v = 0;
    while (*i < f.n && f.p[*i] >= '0' && f.p[*i] <= '9') v = v < 1000000 ? v * 10 + f.p[*i] - '0' : v, (*i)++;
    return v;
}

/* After '%': index$, flags, width, precision, conversion. */
static bool read_spec(str f, size_t *i, struct spec *s, int *index) {
    *s = (struct spec){.precision = -1};
    *index = 0;
    size_t k = *i;
    int n = number_at(f, &k);
    if (k > *i && k < f.n && f.p[k] == '$') {
        *index = n ? n : -2;
        *i = k + 1;
    } else if (*i < f.n && f.p[*i] == '<') {
        *index = -1;
        (*i)++;
    }
    for (; *i < f.n && strchr("-+ 0,(#", f.p[*i]); (*i)++) {
        char c = f.p[*i];
        s->left |= c == '-';
        s->plus |= c == '+';
        s->blank |= c == ' ';
        s->zero |= c == '0';
        s->comma |= c == ',';
        s->paren |= c == '(';
        s->alt |= c == '#';
    }
    s->width = number_at(f, i);
    if (*i < f.n && f.p[*i] == '.') {
        (*i)++;
        size_t at = *i;
        s->precision = number_at(f, i);
        if (*i == at) return false;
    }
    if (*i >= f.n || s->width > 1000000) return false;
    s->conv = f.p[(*i)++];
    return true;
}

/* format_string(zone, format, type, value, …) */
static void format_string(struct fn_call *c) {
    if (!fn_valid(c, 1)) return;
    str f = fn_str(c, 1);
    buf *out = fn_text(c);
    size_t args = (c->n - 2) / 2, next = 0, last = 0;
    for (size_t i = 0; i < f.n;) {
        if (f.p[i] != '%') {
            buf_c(out, f.p[i++]);
            continue;
        }
        struct spec s;
        int index;
        i++;
        if (!read_spec(f, &i, &s, &index)) {
            bad_format(c, f);
            return;
        }
        if (index == -2) {
            fn_fail(c, "INVALID_PARAMETER_VALUE.ZERO_INDEX", "parameter", "`strfmt`", "functionName", "`format_string`", NULL);
            return;
        }
        if (s.conv == '%' || s.conv == 'n') {
            padded(out, &s, s.conv == 'n' ? STR("\n") : STR("%"), false);
            continue;
        }
        if (s.conv == 'i') s.conv = '?';
        bool upper = s.conv >= 'A' && s.conv <= 'Z' && strchr("SXEGBC", s.conv);
        if (upper) s.conv = (char)(s.conv + 32);
        size_t at = index > 0 ? (size_t)index - 1 : index < 0 ? last : next++;
        if (at >= args || !put_value(c, &s, 2 + 2 * at + 1, out, upper)) {
            bad_format(c, f);
            return;
        }
        last = at;
    }
    fn_ret_buf(c, out);
}

static const struct fn_def defs[] = {
    {"bh_format_number", "di:s", format_number, 0, 0},
    {"bh_format_number_dec", "Ai:s", format_number_dec, 0, 0},
    {"bh_format_pattern", "ds:s", format_pattern, 0, 0},
    {"bh_format_pattern_dec", "As:s", format_pattern_dec, 0, 0},
    {"bh_to_char", "As:s", to_char, 0, 0},
    {"bh_to_number", "ss:s", to_number, 0, 0},
    {"bh_try_to_number", "ss:s", to_number, 0, 1},
    {"bh_format_string", "ssA*:s", format_string, FN_NULLS, 0},
};
const struct fn_table fn_table_format = {defs, ARRAY_LEN(defs)};
