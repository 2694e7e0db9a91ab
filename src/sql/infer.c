/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schemas of texts. A value has the narrowest type; where several values meet (elements of an array, children of one
 * name) the type is their common one, string where there is none. Fields stand by name. What had no value is a string.
 */
#include "sql/infer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "sql/text.h"
#include "sql/xml.h"

#define DEEPEST 100

/* ---- common types ---- */

static const struct sql_type *of(enum sql_type_kind k) { return sql_type_of(k); }

static const struct sql_type *common(arena *a, const struct sql_type *x, const struct sql_type *y, const struct infer *how);

static int by_name(const void *x, const void *y) { return str_cmp(((const struct sql_field *)x)->name, ((const struct sql_field *)y)->name); }

static const struct sql_type *structure(arena *a, struct sql_field *f, size_t n) {
    if (n) qsort(f, n, sizeof *f, by_name);
    return sql_struct(a, f, n);
}

static const struct sql_type *merge(arena *a, const struct sql_type *x, const struct sql_type *y, const struct infer *how) {
    struct sql_field *f = arena_array_of(a, struct sql_field, x->n + y->n + 1);
    size_t n = 0, i = 0, k = 0;
    while (i < x->n || k < y->n) {
        int c = i == x->n ? 1 : k == y->n ? -1 : str_cmp(x->fields[i].name, y->fields[k].name);
        f[n] = c <= 0 ? x->fields[i] : y->fields[k];
        if (c == 0) f[n].type = common(a, x->fields[i].type, y->fields[k].type, how);
        i += c <= 0;
        k += c >= 0;
        n++;
    }
    return sql_struct(a, f, n);
}

static const struct sql_type *decimals(arena *a, const struct sql_type *x, const struct sql_type *y) {
    int px = x->kind == TY_DECIMAL ? x->precision : 20, sx = x->kind == TY_DECIMAL ? x->scale : 0;
    int py = y->kind == TY_DECIMAL ? y->precision : 20, sy = y->kind == TY_DECIMAL ? y->scale : 0;
    int s = sx > sy ? sx : sy, whole = px - sx > py - sy ? px - sx : py - sy;
    return whole + s > 38 ? of(TY_DOUBLE) : sql_decimal(a, whole + s, s);
}

static str value_tag(const struct infer *how) { return how->value_tag.n ? how->value_tag : STR("_VALUE"); }

/* XML: an element now with attributes or children, now without: its text becomes a field. */
static const struct sql_type *with_value(arena *a, const struct sql_type *s, const struct sql_type *v, const struct infer *how) {
    struct sql_field *f = arena_new_of(a, struct sql_field);
    *f = (struct sql_field){.name = value_tag(how), .type = v, .nullable = true};
    return merge(a, s, sql_struct(a, f, 1), how);
}

static const struct sql_type *common(arena *a, const struct sql_type *x, const struct sql_type *y, const struct infer *how) {
    if (x->kind == TY_VOID || sql_type_eq(x, y)) return y;
    if (y->kind == TY_VOID) return x;
    if (x->kind == TY_STRUCT && y->kind == TY_STRUCT) return merge(a, x, y, how);
    if (x->kind == TY_ARRAY && y->kind == TY_ARRAY) return sql_array(a, common(a, x->elem, y->elem, how), true);
    if (how->attribute_prefix.n && x->kind == TY_ARRAY) return sql_array(a, common(a, x->elem, y, how), true);
    if (how->attribute_prefix.n && y->kind == TY_ARRAY) return sql_array(a, common(a, x, y->elem, how), true);
    if (how->attribute_prefix.n && x->kind == TY_STRUCT) return with_value(a, x, y, how);
    if (how->attribute_prefix.n && y->kind == TY_STRUCT) return with_value(a, y, x, how);
    if (sql_is_numeric(x) && sql_is_numeric(y)) {
        if (x->kind == TY_DOUBLE || y->kind == TY_DOUBLE) return of(TY_DOUBLE);
        if (x->kind == TY_DECIMAL || y->kind == TY_DECIMAL) return decimals(a, x, y);
        return of(TY_BIGINT);
    }
    if ((x->kind == TY_DATE && y->kind == TY_TIMESTAMP) || (x->kind == TY_TIMESTAMP && y->kind == TY_DATE)) return of(TY_TIMESTAMP);
    return of(TY_STRING);
}

/* What stayed without a type is a string; structs without fields go. */
static const struct sql_type *settled(arena *a, const struct sql_type *t) {
    if (t->kind == TY_VOID) return of(TY_STRING);
    if (t->kind == TY_ARRAY) {
        const struct sql_type *e = settled(a, t->elem);
        return e ? sql_array(a, e, true) : NULL;
    }
    if (t->kind != TY_STRUCT) return t;
    struct sql_field *f = arena_array_of(a, struct sql_field, t->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        f[n] = t->fields[i];
        f[n].type = settled(a, t->fields[i].type);
        n += f[n].type != NULL;
    }
    return n ? sql_struct(a, f, n) : NULL;
}

/* ---- numbers and times ---- */

/* Whole numbers beyond bigint are decimals as long as they fit. */
static const struct sql_type *whole(arena *a, str s) {
    int64_t v;
    if (s.n && s.p[0] == '+') s = str_from(s, 1);
    if (str_to_i64(s, &v)) return of(TY_BIGINT);
    size_t at = s.n && s.p[0] == '-', digits = s.n - at;
    if (digits == 0) return NULL;
    for (size_t i = at; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return NULL;
    return digits <= 38 ? sql_decimal(a, (int)digits, 0) : of(TY_DOUBLE);
}

static const struct sql_type *as_decimal(arena *a, str s) {
    size_t whole_digits = 0, scale = 0;
    bool point = false;
    for (size_t i = s.n && s.p[0] == '-'; i < s.n; i++) {
        if (s.p[i] == '.' && !point) point = true;
        else if (s.p[i] < '0' || s.p[i] > '9') return NULL;
        else if (point) scale++;
        else whole_digits++;
    }
    size_t p = whole_digits + scale;
    if (whole_digits == 1 && scale && s.p[s.p[0] == '-'] == '0') p = scale;
    return p && p <= 38 ? sql_decimal(a, (int)p, (int)scale) : NULL;
}

static bool real(str s) {
    double d;
    s = str_trim(s);
    if (str_eqz(s, "Inf") || str_eqz(s, "-Inf") || str_eqz(s, "+Inf")) return true;
    if (s.n && s.p[0] == '+') s = str_from(s, 1);
    return s.n && str_to_f64(s, &d);
}

/* Full dates alone: 2020 is a number. */
static bool full_date(str s) {
    struct sql_stamp t;
    return s.n == 10 && s.p[4] == '-' && s.p[7] == '-' && sql_read_stamp(s, &t) && !t.has_time;
}

static bool stamp(str s) {
    struct sql_stamp t;
    int h, m, sec = 0, used = 0;
    char z[16];
    if (s.n >= 13 && s.p[4] == '-' && sql_read_stamp(s, &t) && t.has_time) return true;
    if (s.n < 4 || s.n > 8) return false;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    int got = sscanf(z, "%2d:%2d%n:%2d%n", &h, &m, &used, &sec, &used);
    return got >= 2 && (size_t)used == s.n && h < 24 && m < 60 && sec < 60;
}

/* ---- JSON ---- */

/* Jackson reads names without quotes, single quotes and (asked for) zeros in front: they are made plain JSON. */
static str plain_json(arena *a, str s, const struct infer *how) {
    buf b = {0};
    for (size_t i = 0; i < s.n;) {
        char c = s.p[i];
        if (c == '"' || c == '\'') {
            i++;
            buf_c(&b, '"');
            while (i < s.n && s.p[i] != c) {
                if (s.p[i] == '\\' && i + 1 < s.n) {
                    if (s.p[i + 1] == '\'') i++;
                    else buf_c(&b, s.p[i++]);
                } else if (s.p[i] == '"') buf_c(&b, '\\');
                buf_c(&b, s.p[i++]);
            }
            buf_c(&b, '"');
            i++;
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') {
            size_t from = i, to;
            while (i < s.n && ((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') || s.p[i] == '_' || (s.p[i] >= '0' && s.p[i] <= '9'))) i++;
            to = i;
            while (i < s.n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\n')) i++;
            bool name = i < s.n && s.p[i] == ':' && from > 0;
            buf_fmt(&b, name ? "\"%.*s\"" : "%.*s", (int)(to - from), s.p + from);
        } else if (how->leading_zeros && c == '0' && i + 1 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '9' && (i == 0 || s.p[i - 1] < '0' || s.p[i - 1] > '9') &&
                   (i == 0 || s.p[i - 1] != '.')) {
            i++;
        } else {
            buf_c(&b, c);
            i++;
        }
    }
    str r = arena_str(a, buf_view(&b));
    buf_free(&b);
    return r;
}

static const struct sql_type *json_type(arena *a, yyjson_val *v, const struct infer *how, int depth) {
    size_t i, max;
    yyjson_val *k, *e;
    if (depth > DEEPEST) return of(TY_STRING);
    if (yyjson_is_obj(v)) {
        struct sql_field *f = arena_array_of(a, struct sql_field, yyjson_obj_size(v) + 1);
        yyjson_obj_foreach(v, i, max, k, e)
            f[i] = (struct sql_field){.name = arena_str(a, str_n(yyjson_get_str(k), yyjson_get_len(k))), .type = json_type(a, e, how, depth + 1), .nullable = true};
        return structure(a, f, yyjson_obj_size(v));
    }
    if (yyjson_is_arr(v)) {
        const struct sql_type *t = of(TY_VOID);
        yyjson_arr_foreach(v, i, max, e) t = common(a, t, json_type(a, e, how, depth + 1), how);
        return sql_array(a, t, true);
    }
    if (yyjson_is_null(v)) return of(TY_VOID);
    if (how->primitives_as_string) return of(TY_STRING);
    if (yyjson_is_bool(v)) return of(TY_BOOLEAN);
    str s = yyjson_is_raw(v) ? str_n(yyjson_get_raw(v), yyjson_get_len(v)) : str_n(yyjson_get_str(v), yyjson_get_len(v));
    if (!yyjson_is_raw(v)) return how->infer_timestamp && stamp(s) ? of(TY_TIMESTAMP) : of(TY_STRING);
    const struct sql_type *t = whole(a, s);
    if (!t && how->prefers_decimal) t = as_decimal(a, s);
    return t ? t : of(TY_DOUBLE);
}

const struct sql_type *infer_json(arena *a, str text, const struct infer *how) {
    if (str_trim(text).n == 0) return of(TY_STRING);
    yyjson_doc *d = yyjson_read(text.p, text.n, YYJSON_READ_NUMBER_AS_RAW);
    if (!d) {
        text = plain_json(a, text, how);
        d = yyjson_read(text.p, text.n, YYJSON_READ_NUMBER_AS_RAW | YYJSON_READ_ALLOW_INF_AND_NAN);
    }
    if (!d) return NULL;
    const struct sql_type *t = settled(a, json_type(a, yyjson_doc_get_root(d), how, 0));
    yyjson_doc_free(d);
    return t ? t : sql_struct(a, NULL, 0);
}

/* ---- CSV ---- */

static bool blank(char c) { return c == ' ' || c == '\t'; }

/* The text between quotes; false: the closing quote does not end the field, which is then taken as written. */
static bool quoted(arena *a, str line, const struct csv_how *how, size_t *at, str *ret) {
    buf b = {0};
    size_t i = *at + 1;
    for (; i < line.n && line.p[i] != how->quote; i++) {
        if (line.p[i] == how->escape && i + 1 < line.n && (line.p[i + 1] == how->quote || line.p[i + 1] == how->escape)) i++;
        buf_c(&b, line.p[i]);
    }
    size_t end = i + 1;
    while (end < line.n && blank(line.p[end])) end++;
    bool good = i < line.n && (end == line.n || str_starts(str_from(line, end), how->sep));
    if (good) {
        *ret = b.n ? arena_str(a, buf_view(&b)) : STR("");
        *at = end == line.n ? line.n + 1 : end + how->sep.n;
    }
    buf_free(&b);
    return good;
}

bool csv_next(arena *a, str line, const struct csv_how *how, size_t *at, str *ret) {
    if (*at > line.n) return false;
    if (how->quote && *at < line.n && line.p[*at] == how->quote && quoted(a, line, how, at, ret)) return true;
    size_t from = *at, to = from;
    while (to < line.n && !str_starts(str_from(line, to), how->sep)) to++;
    *at = to == line.n ? line.n + 1 : to + how->sep.n;
    while (how->trim_left && from < to && blank(line.p[from])) from++;
    while (how->trim_right && to > from && blank(line.p[to - 1])) to--;
    *ret = to > from ? str_n(line.p + from, to - from) : STR_NONE;
    return true;
}

static const struct sql_type *csv_type(arena *a, str s) {
    if (s.n == 0) return of(TY_STRING);
    const struct sql_type *t = whole(a, s);
    int64_t v;
    if (t && t->kind == TY_BIGINT && str_to_i64(s.p[0] == '+' ? str_from(s, 1) : s, &v) && v >= INT32_MIN && v <= INT32_MAX) return of(TY_INT);
    if (t) return t;
    if (real(s)) return of(TY_DOUBLE);
    if (full_date(s)) return of(TY_DATE);
    if (stamp(s)) return of(TY_TIMESTAMP);
    if (str_ieq(s, STR("true")) || str_ieq(s, STR("false"))) return of(TY_BOOLEAN);
    return of(TY_STRING);
}

const struct sql_type *infer_csv(arena *a, str text, const struct infer *how) {
    struct csv_how csv = {.sep = how->sep.n ? how->sep : STR(","), .quote = '"', .escape = '\\'};
    size_t at = 0, n = 0, cap = 16;
    struct sql_field *f = arena_array_of(a, struct sql_field, cap);
    for (str s; csv_next(a, text, &csv, &at, &s); n++) {
        if (n == cap) {
            struct sql_field *more = arena_array_of(a, struct sql_field, cap *= 2);
            memcpy(more, f, n * sizeof *f);
            f = more;
        }
        f[n] = (struct sql_field){.name = str_of(arena_printf(a, "_c%zu", n)), .type = csv_type(a, s), .nullable = true};
    }
    return sql_struct(a, f, n);
}

/* ---- XML ---- */

static const struct sql_type *xml_value(arena *a, str s) {
    s = str_trim(s);
    if (s.n == 0) return of(TY_VOID);
    const struct sql_type *t = whole(a, s);
    if (t) return t->kind == TY_BIGINT ? t : of(TY_DOUBLE);
    if (real(s)) return of(TY_DOUBLE);
    if (str_ieq(s, STR("true")) || str_ieq(s, STR("false"))) return of(TY_BOOLEAN);
    if (full_date(s)) return of(TY_DATE);
    if (stamp(s)) return of(TY_TIMESTAMP);
    return of(TY_STRING);
}

static void add(arena *a, struct sql_field *f, size_t *n, str name, const struct sql_type *t, bool repeats, const struct infer *how) {
    for (size_t i = 0; i < *n; i++) {
        if (!str_eq(f[i].name, name)) continue;
        const struct sql_type *was = f[i].type;
        f[i].type = repeats ? sql_array(a, common(a, was->kind == TY_ARRAY ? was->elem : was, t, how), true) : common(a, was, t, how);
        return;
    }
    f[(*n)++] = (struct sql_field){.name = name, .type = t, .nullable = true};
}

static const struct sql_type *xml_type(arena *a, const struct xml *e, const struct infer *how, bool top) {
    size_t count = 1, n = 0;
    buf text = {0};
    for (const struct xml *k = e->child; k; k = k->next) count++;
    for (const struct xml *t = e->attribute; t; t = t->next) count++;
    struct sql_field *f = arena_array_of(a, struct sql_field, count);
    if (!how->exclude_attribute)
        for (const struct xml *t = e->attribute; t; t = t->next) {
            const struct sql_type *v = xml_value(a, t->text);
            add(a, f, &n, str_of(arena_printf(a, "%.*s%.*s", STR_ARG(how->attribute_prefix), STR_ARG(t->name))), v, false, how);
        }
    bool attributes = n > 0, elements = false;
    for (const struct xml *k = e->child; k; k = k->next) {
        if (k->kind == XML_TEXT) buf_str(&text, k->text);
        else {
            elements = true;
            add(a, f, &n, k->name, xml_type(a, k, how, false), true, how);
        }
    }
    str s = str_trim(arena_str(a, buf_view(&text)));
    buf_free(&text);
    if (!top && !attributes && !elements) return xml_value(a, s);
    if (s.n || (!elements && !top)) add(a, f, &n, value_tag(how), xml_value(a, s), false, how);
    return structure(a, f, n);
}

const struct sql_type *infer_xml(arena *a, str text, const struct infer *given) {
    struct infer how = *given;
    if (!how.attribute_prefix.n) how.attribute_prefix = STR("_");
    struct xml *root = xml_read(a, text), *top = root ? xml_top(root) : NULL;
    if (!top) return NULL;
    const struct sql_type *t = settled(a, xml_type(a, top, &how, true));
    return t ? t : sql_struct(a, NULL, 0);
}
