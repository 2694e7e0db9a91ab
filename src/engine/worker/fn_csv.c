/* SPDX-License-Identifier: Apache-2.0 */
/* A line of CSV and its fields, and XML text taken apart: what from_csv, to_csv, from_xml, to_xml are made of. */
#include "base/arena.h"
#include "engine/worker/fn_int.h"
#include "sql/infer.h"
#include "sql/xml.h"

static char first(str s) { return s.n ? s.p[0] : 0; }

static void csv_split(struct fn_call *c) {
    str line = fn_str(c, 0), null_value = fn_str(c, 6), field;
    struct csv_how how = {.sep = fn_str(c, 1), .quote = first(fn_str(c, 2)), .escape = first(fn_str(c, 3)), .trim_left = fn_bool(c, 4), .trim_right = fn_bool(c, 5)};
    arena *a = arena_new();
    size_t at = 0;
    if (how.sep.n == 0) how.sep = STR(",");
    while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r')) line.n--;
    fn_list_begin(c);
    while (csv_next(a, line, &how, &at, &field))
        if (field.n == 0 || str_eq(field, null_value)) fn_list_null(c);
        else fn_list_str(c, field);
    fn_list_end(c);
    arena_free(a);
}

static bool blank(char c) { return (unsigned char)c <= ' '; }

static void put_field(buf *b, str s, str sep, char quote, char escape, bool all, bool begins) {
    bool need = all || (begins && s.p[0] == '#');
    for (size_t i = 0; i < s.n && !need; i++) need = s.p[i] == quote || s.p[i] == '\n' || s.p[i] == '\r' || (sep.n && str_starts(str_from(s, i), sep));
    if (!need) {
        buf_str(b, s);
        return;
    }
    buf_c(b, quote);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == quote) buf_c(b, escape);
        buf_c(b, s.p[i]);
    }
    buf_c(b, quote);
}

/* values, sep, quote, escape, null, empty, quote all, cut blanks in front, behind */
static void csv_join(struct fn_call *c) {
    duckdb_list_entry e = ((const duckdb_list_entry *)c->arg[0].data)[c->row];
    duckdb_vector child = duckdb_list_vector_get_child(c->arg[0].vec);
    const duckdb_string_t *s = duckdb_vector_get_data(child);
    const uint64_t *valid = duckdb_vector_get_validity(child);
    str sep = fn_str(c, 1), null_value = fn_str(c, 4), empty = fn_str(c, 5);
    char quote = first(fn_str(c, 2)), escape = first(fn_str(c, 3));
    bool all = fn_bool(c, 6), left = fn_bool(c, 7), right = fn_bool(c, 8), any = false;
    buf *b = fn_text(c);
    for (idx_t i = e.offset; i < e.offset + e.length; i++) {
        bool is = !valid || (valid[i >> 6] >> (i & 63) & 1);
        str v = is ? fn_str_of(&s[i]) : null_value;
        if (i > e.offset) buf_str(b, sep);
        any |= is;
        while (is && left && v.n && blank(v.p[0])) v = str_from(v, 1);
        while (is && right && v.n && blank(v.p[v.n - 1])) v.n--;
        if (is && v.n == 0) buf_str(b, empty);
        else if (v.n) put_field(b, v, sep, quote, escape, all, i == e.offset);
    }
    if (!any && e.length == 1 && null_value.n == 0) return;
    fn_ret_buf(c, b);
}

/* ---- XML: an argument is an element as text ---- */

struct held { arena *a; struct xml *top; };

/* The element of argument 0; NULL: no XML. The caller frees h->a. */
static bool open_xml(struct fn_call *c, struct held *h) {
    h->a = arena_new();
    struct xml *root = xml_read(h->a, fn_str(c, 0));
    h->top = root ? xml_top(root) : NULL;
    return h->top != NULL;
}

static void ret_xml(struct fn_call *c, const struct xml *n) {
    buf *b = fn_text(c);
    xml_write(n, b);
    fn_ret_buf(c, b);
}

static void xml_ok(struct fn_call *c) {
    struct held h;
    fn_ret_bool(c, open_xml(c, &h));
    arena_free(h.a);
}

static void child(struct fn_call *c) {
    struct held h;
    str name = fn_str(c, 1);
    const struct xml *found = NULL;
    if (open_xml(c, &h))
        for (const struct xml *k = h.top->child; k; k = k->next)
            if (k->kind == XML_ELEMENT && str_ieq(k->name, name)) found = k;
    if (found) ret_xml(c, found);
    arena_free(h.a);
}

static void children(struct fn_call *c) {
    struct held h;
    str name = fn_str(c, 1);
    bool any = false;
    if (open_xml(c, &h))
        for (const struct xml *k = h.top->child; k; k = k->next) {
            if (k->kind != XML_ELEMENT || !str_ieq(k->name, name)) continue;
            buf *b = fn_tmp(c);
            xml_write(k, b);
            if (!any) fn_list_begin(c);
            any = true;
            fn_list_str(c, buf_view(b));
        }
    if (any) fn_list_end(c);
    arena_free(h.a);
}

static void names(struct fn_call *c) {
    struct held h;
    if (open_xml(c, &h)) {
        fn_list_begin(c);
        for (const struct xml *k = h.top->child; k; k = k->next) {
            bool before = k->kind != XML_ELEMENT;
            for (const struct xml *p = h.top->child; p != k && !before; p = p->next) before = p->kind == XML_ELEMENT && str_eq(p->name, k->name);
            if (!before) fn_list_str(c, k->name);
        }
        fn_list_end(c);
    }
    arena_free(h.a);
}

static void attribute(struct fn_call *c) {
    struct held h;
    str name = fn_str(c, 1);
    if (open_xml(c, &h))
        for (const struct xml *t = h.top->attribute; t; t = t->next)
            if (str_ieq(t->name, name)) {
                fn_ret_str(c, str_trim(t->text));
                break;
            }
    arena_free(h.a);
}

/* The text that stands in an element itself, NULL: none. */
static void value(struct fn_call *c) {
    struct held h;
    buf *b = fn_text(c);
    if (open_xml(c, &h))
        for (const struct xml *k = h.top->child; k; k = k->next)
            if (k->kind == XML_TEXT) buf_str(b, k->text);
    str s = str_trim(buf_view(b));
    if (s.n) fn_ret_str(c, s);
    arena_free(h.a);
}

/* What stands between an element's tags. */
static void inner(struct fn_call *c) {
    struct held h;
    buf *b = fn_text(c);
    if (open_xml(c, &h)) {
        bool plain = true;
        for (const struct xml *k = h.top->child; k; k = k->next) plain &= k->kind == XML_TEXT;
        for (const struct xml *k = h.top->child; k; k = k->next)
            if (plain) buf_str(b, k->text);
            else xml_write(k, b);
        fn_ret_str(c, str_trim(buf_view(b)));
    }
    arena_free(h.a);
}

static void escape(struct fn_call *c) {
    buf *b = fn_text(c);
    xml_escape(fn_str(c, 0), fn_bool(c, 1), b);
    fn_ret_buf(c, b);
}

static const struct fn_def defs[] = {
    {"bh_csv_split", "ssssBBs:[s", csv_split, 0, 0},
    {"bh_csv_join", "[ssssssBBB:s", csv_join, 0, 0},
    {"bh_xml_ok", "s:B", xml_ok, 0, 0},
    {"bh_xml_child", "ss:s", child, 0, 0},
    {"bh_xml_children", "ss:[s", children, 0, 0},
    {"bh_xml_names", "s:[s", names, 0, 0},
    {"bh_xml_attribute", "ss:s", attribute, 0, 0},
    {"bh_xml_value", "s:s", value, 0, 0},
    {"bh_xml_inner", "s:s", inner, 0, 0},
    {"bh_xml_escape", "sB:s", escape, 0, 0},
};
const struct fn_table fn_table_csv = {defs, ARRAY_LEN(defs)};
