/* SPDX-License-Identifier: Apache-2.0 */
/* A statement as the Statement Execution API shows it. */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/time.h"
#include "sql_int.h"

/* Stands for the rows in an answer that is put together in a file; JSON never holds this byte itself. */
#define LINKS_AT_ONCE 16
#define MARK "\1"

/* ---- types ---- */

static const struct {
    const char *type, *name;
} type_names[] = {
    {"boolean", "BOOLEAN"},   {"tinyint", "BYTE"},          {"smallint", "SHORT"},
    {"int", "INT"},           {"bigint", "LONG"},           {"float", "FLOAT"},
    {"double", "DOUBLE"},     {"decimal", "DECIMAL"},       {"string", "STRING"},
    {"varchar", "STRING"},    {"char", "CHAR"},             {"binary", "BINARY"},
    {"date", "DATE"},         {"timestamp", "TIMESTAMP"},   {"timestamp_ntz", "TIMESTAMP_NTZ"},
    {"interval", "INTERVAL"}, {"array", "ARRAY"},           {"map", "MAP"},
    {"struct", "STRUCT"},     {"variant", "VARIANT"},       {"void", "NULL"},
    {"object", "OBJECT"},     {"geometry", "GEOMETRY"},     {"geography", "GEOGRAPHY"},
};

static str head_of(str type) {
    size_t n = 0;
    while (n < type.n && type.p[n] != '(' && type.p[n] != '<' && type.p[n] != ' ') n++;
    return str_cut(type, n);
}

const char *show_type_name(str type) {
    str head = head_of(type);
    for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
        if (str_eqz(head, type_names[i].type)) return type_names[i].name;
    return "USER_DEFINED_TYPE";
}

str show_type_text(arena *a, str type) {
    buf b = {0};
    bool in_struct[128] = {0};
    size_t depth = 0;
    bool name = false, quoted = false, in_parens = false;
    for (size_t i = 0; i < type.n; i++) {
        char c = type.p[i];
        if (name) {
            if (c == '`') quoted = !quoted;
            buf_c(&b, c);
            if (c == ':' && !quoted) {
                name = false;
                buf_c(&b, ' ');
            }
            continue;
        }
        if (c == '<' && depth + 1 < ARRAY_LEN(in_struct)) {
            in_struct[++depth] = str_ends(str_cut(type, i), STR("struct"));
            name = in_struct[depth] && i + 1 < type.n && type.p[i + 1] != '>';
        } else if (c == '>' && depth) {
            depth--;
        }
        if (c == '(' || c == ')') in_parens = c == '('; /* decimal(10,2) */
        buf_c(&b, c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
        if (c != ',' || in_parens || !depth) continue;
        buf_c(&b, ' ');
        name = in_struct[depth];
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

static void put_column(struct req *r, jmut *arr, const struct statement_column *c, size_t at) {
    jmut *o = json_add_obj(r->doc, arr);
    str type = str_of(c->type);
    int p, s;
    json_put_z(r->doc, o, "name", c->name);
    json_put_str(r->doc, o, "type_text", show_type_text(r->a, type));
    json_put_z(r->doc, o, "type_name", show_type_name(type));
    json_put_int(r->doc, o, "position", (int64_t)at);
    if (sscanf(c->type, "decimal(%d,%d)", &p, &s) == 2) {
        json_put_int(r->doc, o, "type_precision", p);
        json_put_int(r->doc, o, "type_scale", s);
    }
    if (str_starts(type, STR("interval ")))
        json_put_str(r->doc, o, "type_interval_type", show_type_text(r->a, str_from(type, 9)));
}

/* ---- manifest ---- */

static const char *format_name(enum engine_format f) {
    return f == ENGINE_ARROW ? "ARROW_STREAM" : f == ENGINE_CSV ? "CSV" : "JSON_ARRAY";
}

static void put_place(struct req *r, jmut *o, const struct statement *s, size_t i) {
    const struct engine_chunk *k = &s->chunks.p[i];
    json_put_int(r->doc, o, "chunk_index", (int64_t)i);
    json_put_int(r->doc, o, "row_offset", k->row_offset);
    json_put_int(r->doc, o, "row_count", k->rows);
    if (s->disposition != DISPOSITION_INLINE) json_put_int(r->doc, o, "byte_count", k->raw ? k->raw : k->bytes);
}

static void put_manifest(struct req *r, const struct statement *s) {
    jmut *m = json_put_obj(r->doc, req_out(r), "manifest");
    json_put_z(r->doc, m, "format", format_name(s->format));
    jmut *schema = json_put_obj(r->doc, m, "schema");
    json_put_int(r->doc, schema, "column_count", (int64_t)s->n_cols);
    if (s->n_cols) {
        jmut *cols = json_put_arr(r->doc, schema, "columns");
        for (size_t i = 0; i < s->n_cols; i++) put_column(r, cols, &s->cols[i], i);
    }
    json_put_int(r->doc, m, "total_chunk_count", (int64_t)s->chunks.n);
    jmut *chunks = json_put_arr(r->doc, m, "chunks");
    for (size_t i = 0; i < s->chunks.n; i++) put_place(r, json_add_obj(r->doc, chunks), s, i);
    json_put_int(r->doc, m, "total_row_count", s->rows);
    json_put_int(r->doc, m, "total_byte_count", s->bytes);
    json_put_bool(r->doc, m, "truncated", s->truncated);
    if (s->lz4) json_put_z(r->doc, m, "result_compression", "LZ4_FRAME");
    if (s->staging) json_put_bool(r->doc, m, "is_volume_operation", true);
}

/* ---- chunks ---- */

/* As bytes in the answer, not as a link. */
static bool goes_inline(struct req *r, const struct statement *s) {
    if (s->disposition != DISPOSITION_HYBRID) return s->disposition == DISPOSITION_INLINE;
    return s->chunks.n == 1 &&
           s->chunks.p[0].bytes <= settings_int(&r->control->settings, SET_SQL_ATTACHMENT_LIMIT);
}

bool show_is_long(const struct statement *s, size_t chunk) {
    return s->state == STATEMENT_SUCCEEDED && s->disposition != DISPOSITION_LINKS && chunk < s->chunks.n &&
           s->chunks.p[chunk].bytes > SHOW_SHORT;
}

static void put_next(struct req *r, jmut *o, const struct statement *s, size_t i) {
    if (i + 1 >= s->chunks.n) return;
    json_put_int(r->doc, o, "next_chunk_index", (int64_t)i + 1);
    json_put_z(r->doc, o, "next_chunk_internal_link",
               arena_printf(r->a, "/api/2.0/sql/statements/%s/result/chunks/%zu?row_offset=%lld", s->id, i + 1,
                            (long long)s->chunks.p[i + 1].row_offset));
}

/* The chunk's link and those of the chunks behind it: who reads on has them, and needs no request for each. */
static void put_links(struct req *r, jmut *o, const struct statement *s, size_t i) {
    jmut *links = json_put_arr(r->doc, o, "external_links");
    for (size_t n = 0; n < LINKS_AT_ONCE && i < s->chunks.n; n++, i++) {
        int64_t until;
        jmut *l = json_add_obj(r->doc, links);
        put_place(r, l, s, i);
        json_put_str(r->doc, l, "external_link", statement_link(r, s, i, &until));
        json_put_z(r->doc, l, "expiration", time_rfc3339(r->a, until, 3));
        put_next(r, l, s, i);
    }
}

static err *put_attachment(struct req *r, jmut *o, const struct statement *s, size_t i) {
    str bytes;
    buf b64 = {0};
    TRY(statement_read(s, i, r->a, &bytes));
    enc_base64(&b64, bytes);
    json_put_str(r->doc, o, "attachment", arena_str(r->a, buf_view(&b64)));
    buf_free(&b64);
    return NULL;
}

/* The answer with the chunk's bytes in place of MARK, as a file. */
static err *answer_by_file(struct req *r, const struct statement *s, size_t i) {
    str text = json_text(r->a, req_out(r));
    ptrdiff_t at = str_find(text, STR(MARK));
    must(at >= 0);
    int from;
    int64_t from_at, n;
    TRY(statement_chunk_fd(s, i, &from, &from_at, &n));
    int fd = memfd_create("sql answer", MFD_CLOEXEC);
    bool ok = fd >= 0 && write(fd, text.p, (size_t)at) == at;
    off_t off = (off_t)from_at;
    for (int64_t left = n; ok && left > 0;) {
        ssize_t got = sendfile(fd, from, &off, (size_t)left);
        if (got < 0 && errno == EINTR) continue;
        ok = got > 0;
        left -= got;
    }
    close(from);
    str tail = str_from(text, (size_t)at + 1);
    ok = ok && write(fd, tail.p, tail.n) == (ssize_t)tail.n;
    if (!ok) {
        err *e = err_errno("cannot put an answer together");
        if (fd >= 0) close(fd);
        return e;
    }
    req_fd(r, 200, fd, 0, at + n + (int64_t)tail.n);
    req_reply_header(r, "Content-Type", STR("application/json"));
    req_reply_header(r, "x-request-id", r->request_id);
    return NULL;
}

/* Rows are what the engine wrote: JSON already. */
static err *put_rows(struct req *r, jmut *o, const struct statement *s, size_t i) {
    if (s->chunks.p[i].bytes > SHOW_SHORT) {
        yyjson_mut_obj_add_val(r->doc, o, "data_array", yyjson_mut_rawn(r->doc, MARK, 1));
        return NULL;
    }
    str rows;
    TRY(statement_read(s, i, r->a, &rows));
    yyjson_mut_obj_add_val(r->doc, o, "data_array", yyjson_mut_rawn(r->doc, rows.p, rows.n));
    return NULL;
}

/* Fills o; *ret_file: the rows are still to come, by answer_by_file(). */
static err *put_chunk(struct req *r, const struct statement *s, size_t i, jmut *o, bool *ret_file) {
    *ret_file = false;
    if (!goes_inline(r, s)) {
        put_links(r, o, s, i);
        return NULL;
    }
    put_place(r, o, s, i);
    put_next(r, o, s, i);
    if (s->format != ENGINE_JSON_ARRAY) return put_attachment(r, o, s, i);
    *ret_file = s->chunks.p[i].bytes > SHOW_SHORT;
    return put_rows(r, o, s, i);
}

err *show_chunk(struct req *r, struct statement *s, size_t chunk, jmut *o) {
    bool file;
    TRY(put_chunk(r, s, chunk, o, &file));
    return file ? answer_by_file(r, s, chunk) : NULL;
}

/* ---- the whole ---- */

static jmut *put_head(struct req *r, const char *id, const char *state) {
    json_put_z(req_doc(r), req_out(r), "statement_id", id);
    jmut *status = json_put_obj(r->doc, req_out(r), "status");
    json_put_z(r->doc, status, "state", state);
    return status;
}

static void put_error(struct req *r, jmut *status, const char *code, const char *message, const char *sql_state) {
    jmut *e = json_put_obj(r->doc, status, "error");
    json_put_z(r->doc, e, "error_code", code);
    json_put_z(r->doc, e, "message", message);
    if (sql_state[0]) json_put_z(r->doc, status, "sql_state", sql_state);
}

err *show_statement(struct req *r, struct statement *s) {
    bool file = false;
    jmut *status = put_head(r, s->id, statement_state_name(s->state));
    if (s->state == STATEMENT_FAILED)
        put_error(r, status, err_name(s->error_code), s->error, s->sql_state);
    if (s->state != STATEMENT_SUCCEEDED) return NULL;
    put_manifest(r, s);
    jmut *result = json_put_obj(r->doc, req_out(r), "result");
    if (s->chunks.n)
        TRY(put_chunk(r, s, 0, result, &file));
    else if (s->format == ENGINE_JSON_ARRAY && s->n_cols && s->disposition == DISPOSITION_INLINE)
        json_put_arr(r->doc, result, "data_array");
    return file ? answer_by_file(r, s, 0) : NULL;
}

void show_past(struct req *r, const struct history_statement *h) {
    static const struct {
        enum history_state state;
        const char *name;
    } names[] = {{HISTORY_PENDING, "PENDING"},   {HISTORY_RUNNING, "RUNNING"},   {HISTORY_SUCCEEDED, "CLOSED"},
                 {HISTORY_FAILED, "FAILED"},     {HISTORY_CANCELED, "CANCELED"}, {HISTORY_CLOSED, "CLOSED"}};
    const char *name = "CLOSED";
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (names[i].state == h->state) name = names[i].name;
    jmut *status = put_head(r, arena_strndup(r->a, h->id.p, h->id.n), name);
    if (h->state == HISTORY_FAILED)
        put_error(r, status, arena_strndup(r->a, h->error_code.p, h->error_code.n),
                  arena_strndup(r->a, h->error.p, h->error.n),
                  arena_strndup(r->a, h->sql_state.p, h->sql_state.n));
}
