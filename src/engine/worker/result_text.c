/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON_ARRAY: [["1","a",null],…], every value a string. CSV (RFC 4180): the names in the first chunk, a NULL is the
 * word null, and a text of that word is quoted.
 */
#include <stdlib.h>

#include "engine/worker/result_int.h"
#include "engine/worker/show.h"

struct text_writer {
    struct result_int *r;
    struct show **cols;
    buf out, value;
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

static err *text_add(void *p, duckdb_data_chunk chunk, idx_t from, idx_t to) {
    struct text_writer *w = p;
    size_t n = w->r->n;
    for (size_t c = 0; c < n; c++) show_bind(w->cols[c], duckdb_data_chunk_get_vector(chunk, c));
    if (w->csv && !w->header) header(w);
    w->header = true;
    for (idx_t i = from; i < to; i++) {
        if (!w->csv) buf_z(&w->out, w->any ? ",[" : "[[");
        w->any = true;
        for (size_t c = 0; c < n; c++) {
            if (c) buf_c(&w->out, ',');
            buf_clear(&w->value);
            bool there = show_value(w->cols[c], i, &w->value);
            value(w, there, buf_view(&w->value));
        }
        buf_z(&w->out, w->csv ? "\r\n" : "]");
    }
    return w->out.overflow || w->value.overflow ? err_new(ERR_RESOURCE_EXHAUSTED, "a row of the result is too large") : NULL;
}

static size_t text_gathered(const void *p) { return ((const struct text_writer *)p)->out.n; }

static err *text_take(void *p, int64_t rows, buf *out) {
    struct text_writer *w = p;
    (void)rows;
    if (!w->csv) buf_c(&w->out, ']');
    *out = w->out;
    w->out = (buf){0};
    w->any = false;
    return NULL;
}

static void text_free(void *p) {
    struct text_writer *w = p;
    buf_free(&w->out);
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
