/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A statement from its text to its last state: parse → by kind → rows into the spool → finished, failed or canceled.
 */

#include "engine/worker/run.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "engine/worker/dml.h"
#include "engine/worker/remote.h"
#include "engine/worker/script.h"
#include "engine/worker/txn.h"
#include "sql/error.h"
#include "sys/clock.h"

#define SEND_EVERY_US 50000
/* Rows of a command in FROM. */
#define CAPTURE_MAX 100000

/* ---- states ---- */

static void put_schema(struct run *r, buf *j) {
    buf_z(j, "\"schema\":[");
    for (size_t i = 0; i < r->n_cols; i++) {
        const struct sql_column *c = &r->cols[i];
        buf text = {0}, json = {0};
        sql_type_write(c->type, &text);
        sql_type_write_json(c->type, &json);
        buf_z(j, i ? ",{\"name\":" : "{\"name\":");
        buf_json_str(j, c->name);
        buf_z(j, ",\"type\":");
        buf_json_str(j, buf_view(&text));
        buf_z(j, ",\"type_json\":");
        buf_json_str(j, buf_view(&json));
        buf_fmt(j, ",\"nullable\":%s", c->nullable ? "true" : "false");
        if (c->comment.n) {
            buf_z(j, ",\"comment\":");
            buf_json_str(j, c->comment);
        }
        buf_c(j, '}');
        buf_free(&text);
        buf_free(&json);
    }
    buf_c(j, ']');
    if (!r->res.i || !result_schema(&r->res).n) return;
    buf_z(j, ",\"arrow_schema\":\"");
    enc_base64(j, result_schema(&r->res));
    buf_c(j, '"');
}

/* What is new about the result since the last state; begins with its first member. */
static void put_result(struct run *r, buf *j) {
    if (r->has_result && !r->schema_sent) {
        put_schema(r, j);
        buf_c(j, ',');
        r->schema_sent = true;
    }
    if (r->early) buf_z(j, "\"early\":true,");
    if (r->res.i && result_plain(&r->res)) buf_z(j, "\"plain\":true,");
    buf_fmt(j, "\"form\":\"%s\",\"rows\":%lld,\"bytes\":%lld,\"chunks\":[", r->res.form == RESULT_STREAMS ? "streams" : "batches",
            (long long)r->res.rows, (long long)r->res.bytes);
    buf_str(j, buf_view(&r->chunks));
    buf_c(j, ']');
    buf_clear(&r->chunks);
}

static void on_chunk(void *arg, const struct result_chunk *c) {
    struct run *r = arg;
    buf_fmt(&r->chunks, "%s[%lld,%lld,%lld,%lld,%lld]", r->chunks.n ? "," : "", (long long)c->offset, (long long)c->bytes,
            (long long)c->rows, (long long)c->row_offset, (long long)c->raw);
}

static err *on_full(void *arg, int *spool) {
    struct run *r = arg;
    jval *nothing;
    int fd = -1;
    TRY(statement_ask(r->st, r->a, STR("spool"), STR_NONE, &nothing, &fd));
    if (fd < 0) return err_new(ERR_INTERNAL_ERROR, "control sent no file for the result");
    close(r->st->spool);
    *spool = r->st->spool = fd;
    r->st->spool_grown = true;
    return NULL;
}

/* Chunks that are in the spool already are told while the rest is still computed. */
static void tell_progress(struct run *r) {
    if (r->script || !r->chunks.n || clock_mono() - r->sent_at < SEND_EVERY_US) return;
    r->sent_at = clock_mono();
    buf j = {0};
    buf_c(&j, '{');
    put_result(r, &j);
    buf_c(&j, '}');
    statement_send(r->st, "running", buf_view(&j));
    buf_free(&j);
}

static void put_session(struct run *r, buf *j) {
    struct session *s = r->st->s;
    pthread_mutex_lock(&s->lock);
    buf_z(j, ",\"session\":{");
    txn_put_state(s, j);
    buf_z(j, ",\"catalog\":");
    buf_json_str(j, str_of(s->catalog));
    buf_z(j, ",\"schema\":");
    buf_json_str(j, str_of(s->schema));
    buf_z(j, ",\"conf\":{");
    for (size_t i = 0; i < s->conf.n; i++) {
        if (i) buf_c(j, ',');
        buf_json_str(j, str_of(s->conf.p[i].name));
        buf_c(j, ':');
        buf_json_str(j, str_of(s->conf.p[i].value));
    }
    buf_z(j, "}}");
    pthread_mutex_unlock(&s->lock);
}

static void send_finished(struct run *r) {
    struct statement *st = r->st;
    int64_t now = clock_mono(), compiled = r->compiled_us ? r->compiled_us : now;
    buf j = {0};
    buf_c(&j, '{');
    put_result(r, &j);
    buf_fmt(&j, ",\"truncated\":%s,\"has_result\":%s,\"is_dml\":%s,\"modified_rows\":%lld,\"statement_type\":\"%s\"",
            r->res.truncated ? "true" : "false", r->has_result ? "true" : "false", r->is_dml ? "true" : "false",
            (long long)r->modified_rows, r->type);
    buf_fmt(&j, ",\"metrics\":{\"queue_us\":%lld,\"compile_us\":%lld,\"execute_us\":%lld,\"rows_produced\":%lld,\"result_bytes\":%lld",
            (long long)(st->started - st->queued), (long long)(compiled - st->started), (long long)(now - compiled),
            (long long)r->res.rows, (long long)r->res.bytes);
    if (r->dml_metrics.n) {
        buf_z(&j, ",\"operation\":");
        buf_str(&j, r->dml_metrics);
    }
    buf_c(&j, '}');
    if (r->staging.n) {
        buf_z(&j, ",\"staging\":");
        buf_str(&j, r->staging);
    }
    if (r->session_changed) put_session(r, &j);
    buf_c(&j, '}');
    statement_send(st, "finished", buf_view(&j));
    buf_free(&j);
}

/* "[CLASS] …" or "[CLASS.SUB] …" at the beginning of a message. */
static str class_in(const char *message) {
    str m = str_of(message);
    if (!m.n || m.p[0] != '[') return STR_NONE;
    ptrdiff_t end = str_chr(m, ']', 1);
    return end > 1 ? str_n(m.p + 1, (size_t)end - 1) : STR_NONE;
}

static str state_in(const char *message) {
    const char *at = strstr(message, "SQLSTATE: ");
    return at && strlen(at) >= 15 ? str_n(at + 10, 5) : STR_NONE;
}

/* A resolver's marks (SQL_MARK, kind, digits, '.', seal) in names of messages are nobody's business. */
static str without_marks(arena *a, str s) {
    if (str_chr(s, SQL_MARK, 0) < 0 && str_find(s, STR("\\u0001")) < 0) return s;
    buf b = {0};
    for (size_t i = 0; i < s.n;) {
        size_t skip = s.p[i] == SQL_MARK ? 1 : str_starts(str_from(s, i), STR("\\u0001")) ? 6 : 0;
        if (!skip) {
            buf_c(&b, s.p[i++]);
            continue;
        }
        for (i += skip + 1; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {}
        if (i < s.n && s.p[i] == '.') i++;
        for (size_t k = 0; k < 32 && i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')); k++) i++;
    }
    str r = arena_str(a, buf_view(&b));
    buf_free(&b);
    return r;
}

static str replaced(arena *a, str s, str from, str to) {
    buf b = {0};
    ptrdiff_t at;
    if (!from.n || str_find(s, from) < 0) return s;
    while ((at = str_find(s, from)) >= 0) {
        buf_str(&b, str_cut(s, (size_t)at));
        buf_str(&b, to);
        s = str_from(s, (size_t)at + from.n);
    }
    buf_str(&b, s);
    str r = arena_str(a, buf_view(&b));
    buf_free(&b);
    return r;
}

/* Places have the names that people know, not those of the sandbox. */
static str as_known(const struct run *r, str s) {
    s = without_marks(r->a, s);
    str copies = remote_path(r->a, STR("s3://"));
    if (remote_is(copies)) s = replaced(r->a, s, copies, STR("s3://"));
    for (size_t i = 0; i < r->scan.n_roots; i++) {
        const struct scan_root *root = &r->scan.roots[i];
        if (root->url.n) s = replaced(r->a, s, str_of(arena_printf(r->a, "%.*s/", STR_ARG(root->path))), str_of(arena_printf(r->a, "%.*s/", STR_ARG(root->url))));
    }
    return s;
}

static void put_error(const struct run *r, const err *e, buf *j) {
    str clean = as_known(r, str_of(err_msg(e)));
    const char *message = arena_strndup(r->a, clean.p, clean.n);
    str detail = as_known(r, str_trim(str_of(err_detail_of(e))));
    bool ours = detail.n > 2 && detail.p[0] == '{' && detail.p[detail.n - 1] == '}';
    buf_z(j, "\"error\":{\"message\":");
    buf_json_str(j, str_of(message));
    buf_z(j, ",\"code\":");
    buf_json_str(j, str_of(err_name(err_code_of(e))));
    str cls = class_in(message), state = state_in(message);
    if (ours) {
        buf_c(j, ',');
        buf_str(j, str_n(detail.p + 1, detail.n - 2));
    } else {
        buf_z(j, ",\"class\":");
        buf_json_str(j, cls.n ? cls : err_code_of(e) == ERR_INTERNAL_ERROR ? STR("INTERNAL_ERROR") : str_of(err_name(err_code_of(e))));
        buf_z(j, ",\"sqlState\":");
        buf_json_str(j, state.n ? state : STR("XX000"));
    }
    buf_c(j, '}');
}

static void send_failed(struct run *r, err *e) {
    enum statement_end end = __atomic_load_n(&r->st->end, __ATOMIC_ACQUIRE);
    err *told = statement_check(r->st);
    buf j = {0};
    buf_fmt(&j, "{\"timed_out\":%s,\"statement_type\":\"%s\",", end == STATEMENT_TIMED_OUT ? "true" : "false", r->type);
    put_error(r, told ? told : e, &j);
    if (r->session_changed) put_session(r, &j);
    buf_c(&j, '}');
    if (err_code_of(told ? told : e) == ERR_INTERNAL_ERROR) log_error("a statement failed by our fault", lf_err(told ? told : e));
    statement_send(r->st, end == STATEMENT_CANCELED ? "canceled" : "failed", buf_view(&j));
    buf_free(&j);
    err_free(told);
}

/* ---- rows ---- */

static int64_t order_int(const struct run *r, const char *name) {
    int64_t v = 0;
    return json_i64(json_get(r->st->order, name), &v) ? v : 0;
}

static err *begin_result(struct run *r, const struct sql_column *cols, size_t n) {
    static const char *const formats[] = {"arrow", "json_array", "csv", "columns"}, *const forms[] = {"batches", "streams", "auto"};
    jval *o = r->st->order;
    struct result_options opt = {.native = (unsigned)order_int(r, "native"),
                                 .lz4 = yyjson_get_bool(json_get(o, "lz4")),
                                 .lz4_if_smaller = yyjson_get_bool(json_get(o, "lz4_if_smaller")),
                                 .row_limit = order_int(r, "row_limit"),
                                 .byte_limit = order_int(r, "byte_limit"),
                                 .byte_limit_fails = yyjson_get_bool(json_get(o, "byte_limit_fails")),
                                 .chunk_bytes = order_int(r, "chunk_bytes"),
                                 .chunk_rows = order_int(r, "chunk_rows"),
                                 .inline_bytes = order_int(r, "inline_bytes"),
                                 .zone = r->zone,
                                 .zone_name = arena_strndup(r->a, r->env.time_zone_shown.p, r->env.time_zone_shown.n),
                                 .spool = r->st->spool,
                                 .spool_room = r->st->spool_grown ? 0 : order_int(r, "spool_room"),
                                 .arg = r,
                                 .on_full = on_full,
                                 .on_chunk = on_chunk};
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eqz(json_get_str(o, "format"), formats[i])) opt.format = (enum result_format)i;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++)
        if (str_eqz(json_get_str(o, "form"), forms[i])) opt.form = (enum result_form)i;
    if (r->early && opt.form == RESULT_AUTO) opt.form = RESULT_BATCHES; /* which of both is not known before much is there */
    if (r->has_result) return err_new(ERR_INTERNAL_ERROR, "a statement has two results");
    r->cols = cols;
    r->n_cols = n;
    r->has_result = true;
    return result_new(r->a, &opt, cols, n, &r->res);
}

/* Pulls rows until there are no more, a limit is reached, or the statement is told to end. */
static err *pull(struct run *r, duckdb_result *q) {
    if (!r->mute) TRY(result_check(&r->res, q));
    for (;;) {
        TRY(statement_check(r->st));
        duckdb_data_chunk chunk = duckdb_fetch_chunk(*q);
        if (!chunk) {
            const char *why = duckdb_result_error(q);
            return why && *why ? sql_error_of_duckdb(why) : NULL;
        }
        /* Rows without columns are nothing that could be sent. */
        err *e = !r->mute && r->n_cols && duckdb_data_chunk_get_size(chunk) ? result_add(&r->res, chunk) : NULL;
        duckdb_destroy_data_chunk(&chunk);
        TRY(e);
        if (r->mute) continue;
        if (r->res.truncated) return NULL;
        tell_progress(r);
    }
}

/* Takes part in the query until other threads have all that is left of it, then waits for them: duckdb_execute_pending() alone
 * would ask again and again, at the cost of a core. What it is that ended it (rows, an error, a full buffer) that call tells. */
static void take_part(duckdb_pending_result pending) {
    long us = 0;
    for (duckdb_pending_state s; s = duckdb_pending_execute_task(pending), s == DUCKDB_PENDING_RESULT_NOT_READY || s == DUCKDB_PENDING_NO_TASKS_AVAILABLE;) {
        if (s == DUCKDB_PENDING_RESULT_NOT_READY) {
            us = 0;
            continue;
        }
        if (us) nanosleep(&(struct timespec){.tv_nsec = us * 1000}, NULL);
        us = us ? us < 200 ? us * 2 : us : 5;
    }
}

/*
 * Rows that stream are had from prepared statements alone, and DuckDB plans one that reads files once when it is prepared
 * and once more when it runs. A parameter whose type nobody knows ends the first of them early: here one in a WITH that
 * nobody reads. false: the text is as it was.
 */
static bool plan_once(const char *sql, buf *out) {
    static const char once[] = "_bh_once AS (SELECT $1)";
    bool with = str_starts(str_of(sql), STR("WITH ")), recursive = str_starts(str_of(sql), STR("WITH RECURSIVE "));
    if (!strstr(sql, " read_parquet([") || strstr(sql, "_bh_once") || !(with || str_starts(str_of(sql), STR("SELECT ")))) return false;
    buf_fmt(out, "WITH %s%s%s%s", recursive ? "RECURSIVE " : "", once, with ? ", " : " ", sql + (recursive ? 15 : with ? 5 : 0));
    buf_c(out, 0);
    return true;
}

/* duckdb_execute_pending() runs until the first rows are there, or all; the statement's connection is interrupted by
 * the loop thread when it is told to end, and by that this call ends. */
static err *execute(duckdb_connection con, const char *sql, duckdb_result *ret) {
    duckdb_prepared_statement stmt = NULL;
    duckdb_pending_result pending = NULL;
    err *e = NULL;
    buf text = {0};
    bool once = plan_once(sql, &text);
    if (duckdb_prepare(con, once ? text.p : sql, &stmt) != DuckDBSuccess || (once && duckdb_bind_null(stmt, 1) != DuckDBSuccess)) {
        const char *why = duckdb_prepare_error(stmt);
        e = sql_error_of_duckdb(why ? why : "the query cannot be prepared");
    } else if (duckdb_pending_prepared_streaming(stmt, &pending) != DuckDBSuccess) {
        const char *why = pending ? duckdb_pending_error(pending) : NULL;
        e = sql_error_of_duckdb(why ? why : "the query cannot be started");
    } else if (take_part(pending), duckdb_execute_pending(pending, ret) != DuckDBSuccess) {
        const char *why = duckdb_result_error(ret);
        e = sql_error_of_duckdb(why && *why ? why : "the query failed without a reason");
        duckdb_destroy_result(ret);
    }
    if (pending) duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&stmt);
    buf_free(&text);
    return e;
}

err *run_compiled(struct run *r, const struct sql_compiled *c) {
    duckdb_result q;
    if (r->capture) {
        str *cells;
        *r->capture = (struct run_capture){.cols = c->cols, .n = c->n};
        TRY(run_capture(r, c, CAPTURE_MAX, &cells, &r->capture->rows));
        r->capture->cells = cells;
        return NULL;
    }
    TRY(run_connection(r));
    r->compiled_us = clock_mono();
    if (!r->mute) TRY(begin_result(r, c->cols, c->n));
    TRY(statement_check(r->st));
    log_debug("runs", lf_str("sql", c->duckdb));
    TRY(execute(r->con, arena_strndup(r->a, c->duckdb.p, c->duckdb.n), &q));
    err *e = pull(r, &q);
    duckdb_destroy_result(&q);
    /* A query that was not read to its end holds its memory and files as long as its connection. */
    if (e || r->res.truncated) r->keep_connections = false;
    return e || r->mute ? e : result_finish(&r->res);
}

/* ---- rows that are here already ---- */

static duckdb_type cell_type(const struct sql_type *t) {
    switch (t->kind) {
    case TY_BOOLEAN: return DUCKDB_TYPE_BOOLEAN;
    case TY_TINYINT: return DUCKDB_TYPE_TINYINT;
    case TY_SMALLINT: return DUCKDB_TYPE_SMALLINT;
    case TY_INT: return DUCKDB_TYPE_INTEGER;
    case TY_DATE: return DUCKDB_TYPE_DATE;
    case TY_BIGINT: return DUCKDB_TYPE_BIGINT;
    case TY_DOUBLE: return DUCKDB_TYPE_DOUBLE;
    case TY_TIMESTAMP: return DUCKDB_TYPE_TIMESTAMP_TZ;
    case TY_TIMESTAMP_NTZ: return DUCKDB_TYPE_TIMESTAMP;
    default: return DUCKDB_TYPE_VARCHAR;
    }
}

static void set_cell(duckdb_vector v, idx_t row, duckdb_type t, str cell) {
    int64_t n = 0;
    double d = 0;
    void *data = duckdb_vector_get_data(v);
    bool there = cell.p != NULL;
    if (there && t == DUCKDB_TYPE_VARCHAR) {
        duckdb_vector_assign_string_element_len(v, row, cell.p, cell.n);
    } else if (there && t == DUCKDB_TYPE_BOOLEAN) {
        ((bool *)data)[row] = str_ieq(cell, STR("true"));
    } else if (there && t == DUCKDB_TYPE_DOUBLE) {
        if ((there = str_to_f64(cell, &d))) ((double *)data)[row] = d;
    } else if (there && (there = str_to_i64(cell, &n))) {
        switch (t) {
        case DUCKDB_TYPE_TINYINT: ((int8_t *)data)[row] = (int8_t)n; break;
        case DUCKDB_TYPE_SMALLINT: ((int16_t *)data)[row] = (int16_t)n; break;
        case DUCKDB_TYPE_INTEGER:
        case DUCKDB_TYPE_DATE: ((int32_t *)data)[row] = (int32_t)n; break;
        default: ((int64_t *)data)[row] = n;
        }
    }
    if (there) return;
    duckdb_vector_ensure_validity_writable(v);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(v), row);
}

static err *add_cells(struct run *r, const duckdb_type *types, duckdb_data_chunk chunk, const str *cells, size_t n, idx_t count) {
    duckdb_data_chunk_reset(chunk);
    for (size_t c = 0; c < n; c++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
        for (idx_t i = 0; i < count; i++) set_cell(v, i, types[c], cells[i * n + c]);
    }
    duckdb_data_chunk_set_size(chunk, count);
    return result_add(&r->res, chunk);
}

err *run_pages_begin(struct run *r, const struct sql_column *cols, size_t n, struct run_pages *ret) {
    *ret = (struct run_pages){.types = arena_array_of(r->a, duckdb_type, n), .logical = arena_array_of(r->a, duckdb_logical_type, n), .n = n};
    if (!r->compiled_us) r->compiled_us = clock_mono();
    TRY(begin_result(r, cols, n));
    for (size_t c = 0; c < n; c++) {
        ret->types[c] = cell_type(cols[c].type);
        ret->logical[c] = duckdb_create_logical_type(ret->types[c]);
    }
    ret->chunk = duckdb_create_data_chunk(ret->logical, n);
    return NULL;
}

err *run_pages_add(struct run *r, struct run_pages *p, const str *cells, size_t rows) {
    idx_t size = duckdb_vector_size();
    for (size_t at = 0; at < rows && !r->res.truncated; at += size)
        TRY(add_cells(r, p->types, p->chunk, cells + at * p->n, p->n, rows - at < size ? rows - at : size));
    return NULL;
}

err *run_pages_tell(struct run *r) {
    if (!r->early) return NULL;
    TRY(result_flush(&r->res));
    r->sent_at = 0;
    tell_progress(r);
    return NULL;
}

void run_pages_end(struct run_pages *p) {
    duckdb_destroy_data_chunk(&p->chunk);
    for (size_t c = 0; c < p->n; c++) duckdb_destroy_logical_type(&p->logical[c]);
}

err *run_table(struct run *r, const struct sql_column *cols, size_t n, const str *cells, size_t rows) {
    if (r->mute) return NULL;
    if (r->capture) {
        *r->capture = (struct run_capture){cols, cells, n, rows, true};
        return NULL;
    }
    struct run_pages p;
    TRY(run_pages_begin(r, cols, n, &p));
    err *e = run_pages_add(r, &p, cells, rows);
    run_pages_end(&p);
    return e ? e : result_finish(&r->res);
}

/* ---- texts of a query's rows ---- */

str run_cell(arena *a, duckdb_data_chunk chunk, size_t column, idx_t row) {
    duckdb_vector v = duckdb_data_chunk_get_vector(chunk, column);
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(v) + row;
    uint64_t *valid = duckdb_vector_get_validity(v);
    if (valid && !duckdb_validity_row_is_valid(valid, row)) return STR_NONE;
    str cell = arena_str(a, str_n(duckdb_string_t_data(s), duckdb_string_t_length(*s)));
    return cell.p ? cell : STR("");
}

err *run_texts(struct run *r, const struct sql_compiled *c, duckdb_result *ret) {
    buf sql = {0};
    buf_z(&sql, "SELECT ");
    for (size_t i = 0; i < c->n; i++) buf_fmt(&sql, "%sCAST(c%zu AS VARCHAR)", i ? "," : "", i);
    buf_z(&sql, " FROM (");
    buf_str(&sql, c->duckdb);
    buf_z(&sql, ") AS q");
    char *text = arena_strndup(r->a, sql.p, sql.n);
    buf_free(&sql);
    TRY(run_connection(r));
    return execute(r->con, text, ret);
}

static void capture_chunk(struct run *r, duckdb_data_chunk chunk, size_t n, size_t max, str *out, size_t *rows) {
    idx_t count = duckdb_data_chunk_get_size(chunk);
    for (idx_t i = 0; i < count && *rows < max; i++, (*rows)++)
        for (size_t c = 0; c < n; c++) out[*rows * n + c] = run_cell(r->a, chunk, c, i);
}

err *run_capture(struct run *r, const struct sql_compiled *c, size_t max, str **ret, size_t *ret_rows) {
    duckdb_result q;
    TRY(run_texts(r, c, &q));
    str *out = arena_array_of(r->a, str, max * c->n + 1);
    size_t rows = 0;
    err *e = NULL;
    while (!e && rows < max) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(q);
        if (!chunk) {
            const char *why = duckdb_result_error(&q);
            if (why && *why) e = sql_error_of_duckdb(why);
            break;
        }
        capture_chunk(r, chunk, c->n, max, out, &rows);
        duckdb_destroy_data_chunk(&chunk);
    }
    duckdb_destroy_result(&q);
    *ret = out;
    *ret_rows = rows;
    return e;
}

/* ---- statements ---- */

static err *dml_ask(void *arg, arena *a, str op, str json, jval **ret) {
    struct run *r = arg;
    return statement_ask(r->st, a, op, json, ret, NULL);
}

static bool dml_setting(void *arg, str name, str *ret) {
    struct run *r = arg;
    return r->env.setting(&r->env, name, ret);
}

static err *dml_node_json(void *arg, const struct ast *node, buf *out) { return run_node_json(arg, node, out); }

/* So often a statement that met others' changes is carried out again. */
#define MAX_AGAIN 20

/* The statement in a tree that was made of the same text again: itself, or in a script. */
static const struct ast *find_again(const struct ast *n, const struct ast *s) {
    if (n->kind == s->kind && n->pos == s->pos && n->end == s->end) return n;
    if (n->kind != AST_S_SCRIPT && n->kind != AST_COMMAND) return NULL;
    const struct ast *found = NULL;
    for (uint32_t i = 0; i < n->n && !found; i++) found = find_again(n->child[i], s);
    for (uint32_t i = 0; i < n->n_slots && !found; i++) found = find_again(n->slot[i].node, s);
    return found;
}

static err *run_dml(struct run *r, const struct ast *s) {
    TRY(run_connection(r));
    r->keep_connections = false;
    struct dml d = {.env = &r->env, .scan = &r->scan, .con = r->con, .a = r->a, .text = r->text, .user = str_of(r->st->s->user),
                    .statement_id = json_get_str(r->st->order, "id"), .arg = r, .ask = dml_ask, .setting = dml_setting, .txn = r->txn, .node_json = dml_node_json};
    struct dml_result out = {.modified_rows = -1};
    r->compiled_us = clock_mono();
    err *e = dml_run(&d, s, &out);
    /* Tables with deletion vectors: what others changed in the same files is no conflict, the statement sees it as if it had begun later. */
    for (int k = 0; e && out.again && k < MAX_AGAIN; k++) {
        struct ast **list;
        size_t n;
        err *bad = statement_check(r->st);
        if (!bad) bad = sql_parse(r->a, r->text, &list, &n);
        const struct ast *again = bad || n != 1 ? NULL : find_again(list[0], s);
        if (!again) {
            err_free(bad);
            break;
        }
        err_free(e);
        e = dml_run(&d, again, &out);
    }
    if (e) return e;
    if (out.elsewhere) return run_command(r, s);
    r->modified_rows = out.modified_rows;
    r->is_dml = out.is_dml;
    r->dml_metrics = out.metrics;
    if (out.clean) r->keep_connections = true;
    if (out.rows.n && out.cells) return run_table(r, out.rows.cols, out.rows.n, out.cells, 1);
    return out.rows.n ? run_compiled(r, &out.rows) : NULL;
}

const char *run_type_of(const struct ast *s) {
    static const struct {
        enum ast_kind kind;
        const char *type;
    } rows[] = {{AST_S_QUERY, "SELECT"},         {AST_S_INSERT, "INSERT"},       {AST_S_UPDATE, "UPDATE"},
                {AST_S_DELETE, "DELETE"},        {AST_S_MERGE, "MERGE"},         {AST_S_EXPLAIN, "EXPLAIN"},
                {AST_S_DESCRIBE_QUERY, "DESCRIBE"}, {AST_S_SET, "SET"},          {AST_S_SET_VAR, "SET"},
                {AST_S_RESET, "SET"},            {AST_S_USE, "USE"},             {AST_S_DECLARE, "DECLARE"},
                {AST_S_CREATE_TABLE, "CREATE"},  {AST_S_CREATE_VIEW, "CREATE"},  {AST_S_CREATE_FUNCTION, "CREATE"}};
    static const struct {
        const char *prefix, *type;
    } commands[] = {{"create", "CREATE"}, {"alter", "ALTER"}, {"drop", "DROP"}, {"show", "SHOW"}, {"describe", "DESCRIBE"},
                    {"grant", "GRANT"}, {"revoke", "REVOKE"}, {"deny", "REVOKE"}, {"copy", "COPY"}, {"optimize", "OPTIMIZE"}, {"truncate", "TRUNCATE"},
                    {"vacuum", "VACUUM"}, {"analyze", "ANALYZE"}, {"refresh", "REFRESH"}, {"restore", "RESTORE"}, {"comment", "ALTER"}, {"undrop", "CREATE"}, {"list", "LIST"}, {"explain", "EXPLAIN"}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (s->kind == rows[i].kind) return rows[i].type;
    for (size_t i = 0; s->kind == AST_COMMAND && i < ARRAY_LEN(commands); i++)
        if (str_starts(s->text, str_of(commands[i].prefix))) return commands[i].type;
    return "OTHER";
}

err *run_statement(struct run *r, struct ast *s) {
    bool taken = false;
    if (s->kind == AST_S_SCRIPT) {
        if (r->immediate) return sql_error("SQL_SCRIPT_IN_EXECUTE_IMMEDIATE", NULL, r->text, "sqlString", run_z(r, r->text), NULL);
        return script_run(r, s);
    }
    if (!r->immediate && !r->script) r->type = run_type_of(s);
    /* Of a script's statements queries alone have rows; of a transaction's all. */
    if (r->script && !r->capture) r->mute = s->kind != AST_S_QUERY && s->kind != AST_S_EXECUTE_IMMEDIATE && !r->in_block;
    TRY(txn_statement(r, s, &taken));
    if (taken) return NULL;
    if (s->kind == AST_S_QUERY) {
        struct sql_compiled c;
        TRY(sql_compile(&r->env, s, &c));
        return run_compiled(r, &c);
    }
    TRY(run_session(r, s, &taken));
    if (taken) return NULL;
    if (dml_takes(s)) return run_dml(r, s);
    return run_command(r, s);
}

err *run_text(struct run *r) {
    struct ast **list;
    size_t n;
    r->env.text = r->text;
    str escaped = STR_NONE;
    bool as_written = r->env.setting && r->env.setting(&r->env, STR("spark.sql.parser.escapedStringLiterals"), &escaped) && str_ieq(escaped, STR("true"));
    TRY(sql_parse_as(r->a, r->text, as_written, &list, &n));
    if (n != 1)
        return sql_error("PARSE_SYNTAX_ERROR", n ? list[1] : NULL, r->text, "error", n ? "';'" : "end of input", "hint", "", NULL);
    return run_statement(r, list[0]);
}

void statement_run(struct statement *st) {
    struct run r = {.st = st, .a = st->a, .text = json_get_str(st->order, "text"), .type = "OTHER", .modified_rows = -1,
                    .keep_connections = true};
    st->started = clock_mono();
    r.sent_at = 0;
    err *e = statement_check(st);
    if (!e) e = txn_enter(&r);
    if (!e) run_env(&r);
    if (!e) e = run_text(&r);
    if (!e) e = statement_check(st);
    txn_leave(&r, e != NULL);
    remote_volume_end(st->number);
    e = remote_explain(e);
    if (e)
        send_failed(&r, e);
    else
        send_finished(&r);
    err_free(e);
    run_end(&r);
    result_free(&r.res);
    arena_free(r.result_arena);
    buf_free(&r.chunks);
}
