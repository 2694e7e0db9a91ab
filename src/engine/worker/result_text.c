/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Timestamps are ISO 8601 with milliseconds (or all six digits) and their offset, binary values hexadecimal: what the
 * clients of these forms read.
 * JSON_ARRAY: [["1","a",null],…], every value a string. CSV (RFC 4180): the names in the first chunk, a NULL is the
 * word null, and a text of that word is quoted.
 */
#include <stdlib.h>

#include "engine/worker/result_int.h"
#include "engine/worker/show.h"

struct text_writer {
    struct result_int *r;
    struct show **cols;
    buf out, taken, value;
    bool csv, any, header;
};

static void csv_quote(buf *out, str s) {
    bool plain = s.n > 0 && !str_eqz(s, "null");
    for (size_t i = 0; plain && i < s.n; i++)
        plain = s.p[i] != ',' && s.p[i] != '"' && s.p[i] != '\n' && s.p[i] != '\r';
    if (plain) {
        buf_str(out, s);
        return;
    }
    buf_c(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') buf_c(out, '"');
        buf_c(out, s.p[i]);
    }
    buf_c(out, '"');
}

static void value(struct text_writer *w, bool there, str s) {
    if (!there)
        buf_z(&w->out, "null");
    else if (w->csv)
        csv_quote(&w->out, s);
    else
        buf_json_str(&w->out, s);
}

static void header(struct text_writer *w) {
    for (size_t c = 0; c < w->r->n; c++) {
        if (c) buf_c(&w->out, ',');
        csv_quote(&w->out, w->r->cols[c].name);
    }
    buf_z(&w->out, "\r\n");
}

/* "2024-02-29 12:34:56.7" → "2024-02-29T12:34:56.700Z" */
static void iso(struct text_writer *w, const struct sql_type *t, int64_t us) {
    str shown = buf_view(&w->value);
    char text[64];
    ptrdiff_t blank = str_chr(shown, ' ', 0), point = str_chr(shown, '.', 0);
    if (blank < 0 || shown.n > 40) return;
    size_t whole = point < 0 ? shown.n : (size_t)point, digits = point < 0 ? 0 : shown.n - whole - 1, n = shown.n;
    memcpy(text, shown.p, shown.n);
    text[blank] = 'T';
    if (point < 0) text[n++] = '.';
    for (size_t want = digits <= 3 ? 3 : 6; digits < want; digits++) text[n++] = '0';
    buf_clear(&w->value);
    buf_add(&w->value, text, n);
    if (t->kind != TY_TIMESTAMP) return;
    int32_t off = zone_offset(w->r->o.zone, us), minutes = (off < 0 ? -off : off) / 60;
    if (!off)
        buf_c(&w->value, 'Z');
    else
        buf_fmt(&w->value, "%c%02d:%02d", off < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

static void hex(struct text_writer *w) {
    buf out = {0};
    for (size_t i = 0; i < w->value.n; i++) {
        buf_c(&out, "0123456789ABCDEF"[(unsigned char)w->value.p[i] >> 4]);
        buf_c(&out, "0123456789ABCDEF"[(unsigned char)w->value.p[i] & 15]);
    }
    buf_free(&w->value);
    w->value = out;
}

static bool show_cell(struct text_writer *w, duckdb_data_chunk chunk, size_t c, idx_t row) {
    const struct sql_type *t = w->r->cols[c].type;
    buf_clear(&w->value);
    if (!show_value(w->cols[c], row, &w->value)) return false;
    if (t->kind == TY_TIMESTAMP || t->kind == TY_TIMESTAMP_NTZ)
        iso(w, t, ((const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, c)))[row]);
    else if (t->kind == TY_BINARY)
        hex(w);
    return true;
}

static err *text_add(void *p, duckdb_data_chunk chunk, idx_t from, idx_t to) {
    struct text_writer *w = p;
    size_t n = w->r->n;
    for (size_t c = 0; c < n; c++) show_bind(w->cols[c], duckdb_data_chunk_get_vector(chunk, c), duckdb_data_chunk_get_size(chunk));
    if (w->csv && !w->header) header(w);
    w->header = true;
    for (idx_t i = from; i < to; i++) {
        if (!w->csv) buf_z(&w->out, w->any ? ",[" : "[[");
        w->any = true;
        for (size_t c = 0; c < n; c++) {
            if (c) buf_c(&w->out, ',');
            bool there = show_cell(w, chunk, c, i);
            value(w, there, buf_view(&w->value));
        }
        buf_z(&w->out, w->csv ? "\r\n" : "]");
    }
    return w->out.overflow || w->value.overflow ? err_new(ERR_RESOURCE_EXHAUSTED, "a row of the result is too large") : NULL;
}

static size_t text_gathered(const void *p) { return ((const struct text_writer *)p)->out.n; }

static err *text_take(void *p, int64_t rows, str ret[2]) {
    struct text_writer *w = p;
    (void)rows;
    if (!w->csv) buf_c(&w->out, ']');
    if (w->out.overflow) return err_new(ERR_RESOURCE_EXHAUSTED, "a chunk of the result is too large");
    buf other = w->taken;
    w->taken = w->out;
    w->out = other;
    buf_clear(&w->out);
    w->any = false;
    ret[0] = buf_view(&w->taken);
    return NULL;
}

static void text_free(void *p) {
    struct text_writer *w = p;
    buf_free(&w->out);
    buf_free(&w->taken);
    buf_free(&w->value);
}

err *result_text_new(struct result_int *r) {
    struct text_writer *w = arena_new_of(r->a, struct text_writer);
    *w = (struct text_writer){.r = r, .csv = r->o.format == RESULT_CSV};
    w->cols = arena_array_of(r->a, struct show *, r->n);
    for (size_t c = 0; c < r->n; c++) w->cols[c] = show_new(r->a, r->cols[c].type, SHOW_JSON, r->o.zone);
    r->how = (struct result_writer){text_add, text_gathered, text_take, text_free};
    r->writer = w;
    return NULL;
}
