/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks: when they are full, how they are wrapped, where they lie in the spool. */
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "engine/worker/result_int.h"
#include "sql/error.h"

#define CHUNK_BYTES (4 << 20)
#define CHUNK_ROWS 100000

/* ---- chunks ---- */

/* pieces: the chunk as the client reads it, before LZ4. */
static err *write_chunk(struct result_int *r, const str *pieces, size_t n, int64_t rows) {
    int64_t bytes = 0;
    TRY(result_put(r, pieces, n, &bytes));
    struct result_chunk c = {r->written, bytes, rows, r->row_offset, 0};
    for (size_t i = 0; i < n; i++) c.raw += (int64_t)pieces[i].n;
    r->written += bytes;
    r->row_offset += rows;
    if (r->o.on_chunk) r->o.on_chunk(r->o.arg, &c);
    return NULL;
}

static err *write_formed(struct result *r, str a, str b, int64_t rows) {
    struct result_int *i = r->i;
    bool alone = i->o.format != RESULT_ARROW || r->form == RESULT_BATCHES;
    str pieces[RESULT_PIECES] = {buf_view(&i->schema), a, b, buf_view(&i->end)};
    return write_chunk(i, pieces + (alone ? 1 : 0), alone ? 2 : RESULT_PIECES, rows);
}

/* ---- AUTO: batches as long as they are few ---- */

static err *release_held(struct result *r) {
    struct result_int *i = r->i;
    err *e = NULL;
    for (size_t k = 0; k < i->n_held; k++) {
        if (!e) e = write_formed(r, str_n(i->held[k].p, i->held[k].n), STR_NONE, i->held[k].rows);
        free(i->held[k].p);
    }
    i->n_held = 0;
    return e;
}

static err *hold(struct result *r, str a, str b, int64_t rows) {
    struct result_int *i = r->i;
    char *p = malloc(a.n + b.n + 1);
    if (!p) return err_new(ERR_RESOURCE_EXHAUSTED, "no memory for a chunk of %zu bytes", a.n + b.n);
    if (a.n) memcpy(p, a.p, a.n);
    if (b.n) memcpy(p + a.n, b.p, b.n);
    vec_grow((void **)&i->held, &i->cap_held, i->n_held + 1, sizeof(*i->held));
    i->held[i->n_held++] = (struct held){p, a.n + b.n, rows};
    i->held_bytes += a.n + b.n;
    if ((int64_t)i->held_bytes <= i->o.inline_bytes) return NULL;
    i->decided = true;
    r->form = RESULT_STREAMS;
    return release_held(r);
}

static err *flush(struct result *r) {
    struct result_int *i = r->i;
    int64_t rows = i->gathered_rows;
    if (!rows) return NULL;
    str part[2] = {STR_NONE, STR_NONE};
    i->gathered_rows = 0;
    TRY(i->how.take(i->writer, rows, part));
    int64_t n = (int64_t)(part[0].n + part[1].n);
    r->bytes += n;
    if (i->o.byte_limit > 0 && r->bytes > i->o.byte_limit) {
        char limit[24];
        snprintf(limit, sizeof(limit), "%lld", (long long)i->o.byte_limit);
        if (i->o.byte_limit_fails) return sql_error("INLINE_BYTE_LIMIT_EXCEEDED", NULL, STR(""), "limit", limit, NULL);
        r->truncated = true;
    }
    if (r->truncated && i->row_offset) { /* it would go past the limit: it is left out */
        r->bytes -= n;
        r->rows -= rows;
        return NULL;
    }
    return i->decided ? write_formed(r, part[0], part[1], rows) : hold(r, part[0], part[1], rows);
}

/* ---- rows ---- */

/* How many rows from `from` on make about one chunk: texts alone may be long. */
static idx_t slice(const struct result_int *r, duckdb_data_chunk chunk, idx_t from, idx_t to) {
    if (to - from <= 1) return to;
    size_t budget = (size_t)r->o.chunk_bytes, sum = 0;
    const duckdb_string_t *texts[64];
    const uint64_t *valid[64];
    size_t k = 0;
    for (size_t c = 0; c < r->n && k < ARRAY_LEN(texts); c++) {
        enum sql_type_kind kind = r->cols[c].type->kind;
        if (!sql_is_text(r->cols[c].type) && kind != TY_BINARY && kind != TY_VARIANT) continue;
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
        texts[k] = duckdb_vector_get_data(v);
        valid[k++] = duckdb_vector_get_validity(v);
    }
    for (idx_t i = from; k && i < to; i++) {
        for (size_t c = 0; c < k; c++)
            if (vector_valid(valid[c], i)) sum += texts[c][i].value.inlined.length;
        if (sum > budget) return i + 1;
    }
    return to;
}

err *result_add(struct result *r, duckdb_data_chunk chunk) {
    struct result_int *i = r->i;
    idx_t n = duckdb_data_chunk_get_size(chunk), at = 0;
    int64_t limit = i->o.row_limit > 0 ? i->o.row_limit : 0;
    if (i->o.row_limit && r->rows + (int64_t)n > limit) {
        n = (idx_t)(limit - r->rows);
        r->truncated = true;
    }
    while (at < n) {
        idx_t room = (idx_t)(i->o.chunk_rows - i->gathered_rows);
        idx_t to = slice(i, chunk, at, n - at > room ? at + room : n);
        TRY(i->how.add(i->writer, chunk, at, to));
        i->gathered_rows += (int64_t)(to - at);
        r->rows += (int64_t)(to - at);
        at = to;
        if (i->gathered_rows >= i->o.chunk_rows || (int64_t)i->how.gathered(i->writer) >= i->o.chunk_bytes) {
            TRY(flush(r));
            if (r->truncated) return NULL;
        }
    }
    return NULL;
}

err *result_flush(struct result *r) { return flush(r); }

err *result_finish(struct result *r) {
    TRY(flush(r));
    if (!r->i->decided) {
        r->i->decided = true;
        r->form = RESULT_BATCHES;
    }
    return release_held(r);
}

/* ---- opening ---- */

err *result_new(arena *a, const struct result_options *o, const struct sql_column *cols, size_t n, struct result *ret) {
    struct result_int *i = arena_new_of(a, struct result_int);
    *i = (struct result_int){.a = a, .o = *o, .cols = cols, .n = n};
    if (i->o.chunk_bytes <= 0) i->o.chunk_bytes = CHUNK_BYTES;
    if (i->o.chunk_rows <= 0) i->o.chunk_rows = CHUNK_ROWS;
    i->decided = o->format != RESULT_ARROW || o->form != RESULT_AUTO;
    *ret = (struct result){.form = o->form == RESULT_STREAMS ? RESULT_STREAMS : RESULT_BATCHES, .i = i};
    switch (o->format) {
    case RESULT_ARROW: return result_arrow_new(i);
    case RESULT_COLUMNS: return result_columns_new(i);
    default: return result_text_new(i);
    }
}

void result_free(struct result *r) {
    struct result_int *i = r->i;
    if (!i) return;
    if (i->writer) i->how.free(i->writer);
    for (size_t k = 0; k < i->n_held; k++) free(i->held[k].p);
    free(i->held);
    result_put_end(i);
    buf_free(&i->schema);
    buf_free(&i->end);
    r->i = NULL;
}

bool result_plain(const struct result *r) { return r->i->plain; }
str result_schema(const struct result *r) { return buf_view(&r->i->schema); }

/* ---- physical types ---- */

static bool fits(const struct sql_type *t, duckdb_logical_type l) {
    static const duckdb_type plain[TY_KINDS] = {
        [TY_BOOLEAN] = DUCKDB_TYPE_BOOLEAN, [TY_TINYINT] = DUCKDB_TYPE_TINYINT, [TY_SMALLINT] = DUCKDB_TYPE_SMALLINT,
        [TY_INT] = DUCKDB_TYPE_INTEGER, [TY_BIGINT] = DUCKDB_TYPE_BIGINT, [TY_FLOAT] = DUCKDB_TYPE_FLOAT,
        [TY_DOUBLE] = DUCKDB_TYPE_DOUBLE, [TY_STRING] = DUCKDB_TYPE_VARCHAR, [TY_CHAR] = DUCKDB_TYPE_VARCHAR,
        [TY_VARCHAR] = DUCKDB_TYPE_VARCHAR, [TY_BINARY] = DUCKDB_TYPE_BLOB, [TY_DATE] = DUCKDB_TYPE_DATE,
        [TY_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP_TZ, [TY_TIMESTAMP_NTZ] = DUCKDB_TYPE_TIMESTAMP,
        [TY_TIME] = DUCKDB_TYPE_TIME, [TY_INTERVAL_YM] = DUCKDB_TYPE_INTEGER, [TY_INTERVAL_DT] = DUCKDB_TYPE_BIGINT,
        [TY_VARIANT] = DUCKDB_TYPE_BLOB};
    duckdb_type id = duckdb_get_type_id(l);
    if (t->kind == TY_VOID) return true; /* only its validity is read */
    if (plain[t->kind]) return id == plain[t->kind];
    duckdb_logical_type child;
    bool ok = false;
    switch (t->kind) {
    case TY_DECIMAL:
        return id == DUCKDB_TYPE_DECIMAL && duckdb_decimal_width(l) == t->precision && duckdb_decimal_scale(l) == t->scale;
    case TY_INTERVAL: return id == DUCKDB_TYPE_STRUCT && duckdb_struct_type_child_count(l) == 3;
    case TY_ARRAY:
        if (id != DUCKDB_TYPE_LIST) return false;
        child = duckdb_list_type_child_type(l);
        ok = fits(t->elem, child);
        duckdb_destroy_logical_type(&child);
        return ok;
    case TY_MAP:
        if (id != DUCKDB_TYPE_MAP) return false;
        child = duckdb_map_type_key_type(l);
        ok = fits(t->key, child);
        duckdb_destroy_logical_type(&child);
        child = duckdb_map_type_value_type(l);
        ok = ok && fits(t->elem, child);
        duckdb_destroy_logical_type(&child);
        return ok;
    case TY_STRUCT:
        ok = id == DUCKDB_TYPE_STRUCT && duckdb_struct_type_child_count(l) == t->n;
        for (size_t i = 0; ok && i < t->n; i++) {
            child = duckdb_struct_type_child_type(l, i);
            ok = fits(t->fields[i].type, child);
            duckdb_destroy_logical_type(&child);
        }
        return ok;
    default: return false;
    }
}

err *result_check(struct result *r, duckdb_result *q) {
    struct result_int *i = r->i;
    if (i->n == 0) return NULL; /* DuckDB has no table without columns: one that nobody sees stands for them */
    if (duckdb_column_count(q) != i->n)
        return err_new(ERR_INTERNAL_ERROR, "the query yields %llu columns instead of %zu",
                       (unsigned long long)duckdb_column_count(q), i->n);
    for (size_t c = 0; c < i->n; c++) {
        duckdb_logical_type l = duckdb_column_logical_type(q, c);
        bool ok = fits(i->cols[c].type, l);
        duckdb_type id = duckdb_get_type_id(l);
        duckdb_destroy_logical_type(&l);
        if (ok) continue;
        buf t = {0};
        sql_type_write(i->cols[c].type, &t);
        err *e = err_new(ERR_INTERNAL_ERROR, "column '%.*s' of type %.*s came as DuckDB's type %d",
                         STR_ARG(i->cols[c].name), STR_ARG(buf_view(&t)), (int)id);
        buf_free(&t);
        return e;
    }
    return NULL;
}
