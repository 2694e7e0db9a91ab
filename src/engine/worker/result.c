/* SPDX-License-Identifier: Apache-2.0 */
/* Chunks: when they are full, how they are wrapped, where they lie in the spool. */
#include <errno.h>
#include <lz4frame.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/vec.h"
#include "engine/worker/result_int.h"
#include "sql/error.h"

#define CHUNK_BYTES (4 << 20)
#define CHUNK_ROWS 100000

/* ---- the spool ---- */

static err *write_all(int fd, const char *p, size_t n, int64_t at) {
    while (n) {
        ssize_t k = pwrite(fd, p, n, at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0)
            return err_hint(err_errno("the result cannot be kept"), "Free some disk, or ask for less.");
        p += k;
        n -= (size_t)k;
        at += k;
    }
    return NULL;
}

static err *compress(const char *p, size_t n, buf *out) {
    /* Blocks by themselves: Java's reader of LZ4 frames knows no others. */
    LZ4F_preferences_t how = {.frameInfo = {.contentSize = n, .blockSizeID = LZ4F_max4MB, .blockMode = LZ4F_blockIndependent}};
    size_t most = LZ4F_compressFrameBound(n, &how);
    char *to = buf_reserve(out, most);
    if (!to) return err_new(ERR_RESOURCE_EXHAUSTED, "a chunk of %zu bytes is too large", n);
    size_t k = LZ4F_compressFrame(to, most, p, n, &how);
    if (LZ4F_isError(k)) return err_new(ERR_INTERNAL_ERROR, "LZ4: %s", LZ4F_getErrorName(k));
    out->n += k;
    return NULL;
}

/* bytes: the chunk as the client reads it, before LZ4. */
static err *write_chunk(struct result_int *r, const char *p, size_t n, int64_t rows) {
    buf packed = {0};
    err *e = NULL;
    size_t raw = n;
    if (r->o.lz4 && r->o.format == RESULT_ARROW) {
        e = compress(p, n, &packed);
        p = packed.p;
        n = packed.n;
    }
    if (!e && r->o.spool >= 0 && r->o.spool_room && r->written + (int64_t)n > r->o.spool_room) {
        e = r->o.on_full(r->o.arg, &r->o.spool);
        r->o.spool_room = 0;
    }
    if (!e && r->o.spool >= 0) e = write_all(r->o.spool, p, n, r->written);
    if (!e) {
        struct result_chunk c = {r->written, (int64_t)n, rows, r->row_offset, (int64_t)raw};
        r->written += (int64_t)n;
        r->row_offset += rows;
        if (r->o.on_chunk) r->o.on_chunk(r->o.arg, &c);
    }
    buf_free(&packed);
    return e;
}

static err *write_formed(struct result *r, const char *p, size_t n, int64_t rows) {
    struct result_int *i = r->i;
    if (i->o.format != RESULT_ARROW || r->form == RESULT_BATCHES) return write_chunk(i, p, n, rows);
    buf whole = {0};
    buf_str(&whole, buf_view(&i->schema));
    buf_add(&whole, p, n);
    buf_str(&whole, buf_view(&i->end));
    err *e = write_chunk(i, whole.p, whole.n, rows);
    buf_free(&whole);
    return e;
}

/* ---- AUTO: batches as long as they are few ---- */

static err *release_held(struct result *r) {
    struct result_int *i = r->i;
    err *e = NULL;
    for (size_t k = 0; k < i->n_held; k++) {
        if (!e) e = write_formed(r, i->held[k].p, i->held[k].n, i->held[k].rows);
        free(i->held[k].p);
    }
    i->n_held = 0;
    return e;
}

/* Takes the buffer over. */
static err *hold(struct result *r, buf *chunk, int64_t rows) {
    struct result_int *i = r->i;
    vec_grow((void **)&i->held, &i->cap_held, i->n_held + 1, sizeof(*i->held));
    i->held[i->n_held++] = (struct held){chunk->p, chunk->n, rows};
    i->held_bytes += chunk->n;
    *chunk = (buf){0};
    if ((int64_t)i->held_bytes <= i->o.inline_bytes) return NULL;
    i->decided = true;
    r->form = RESULT_STREAMS;
    return release_held(r);
}

static err *flush(struct result *r) {
    struct result_int *i = r->i;
    int64_t rows = i->gathered_rows;
    if (!rows) return NULL;
    buf chunk = {0};
    err *e = i->how.take(i->writer, rows, &chunk);
    i->gathered_rows = 0;
    if (!e && chunk.overflow) e = err_new(ERR_RESOURCE_EXHAUSTED, "a chunk of the result is too large");
    if (!e) {
        r->bytes += (int64_t)chunk.n;
        char limit[24];
        bool over = i->o.byte_limit > 0 && r->bytes > i->o.byte_limit;
        snprintf(limit, sizeof(limit), "%lld", (long long)i->o.byte_limit);
        if (over && i->o.byte_limit_fails)
            e = sql_error("INLINE_BYTE_LIMIT_EXCEEDED", NULL, STR(""), "limit", limit, NULL);
        else if (over)
            r->truncated = true;
    }
    if (!e && r->truncated && i->row_offset) { /* it would go past the limit: it is left out */
        r->bytes -= (int64_t)chunk.n;
        r->rows -= rows;
    } else if (!e) {
        e = i->decided ? write_formed(r, chunk.p, chunk.n, rows) : hold(r, &chunk, rows);
    }
    buf_free(&chunk);
    return e;
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
    buf_free(&i->schema);
    buf_free(&i->end);
    r->i = NULL;
}

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
