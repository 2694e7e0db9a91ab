/* SPDX-License-Identifier: Apache-2.0 */
/* Statement Execution: execute, get, cancel, close, chunks, links. */
#include "api/gen_routes.h"
#include "base/time.h"
#include "sql_int.h"
#include "sys/clock.h"

#define LINK_CHUNK_BYTES (20 * 1024 * 1024)
#define MANY_ROWS (4 * 1024 * 1024)
#define DEFAULT_WAIT_US (10 * US_PER_S)
#define MAX_PARAMS 65536u

static const struct {
    const char *name;
    enum engine_format format;
} formats[] = {{"JSON_ARRAY", ENGINE_JSON_ARRAY}, {"ARROW_STREAM", ENGINE_ARROW}, {"CSV", ENGINE_CSV}};

static const struct {
    const char *name;
    enum disposition disposition;
} dispositions[] = {{"INLINE", DISPOSITION_INLINE},
                    {"EXTERNAL_LINKS", DISPOSITION_LINKS},
                    {"INLINE_OR_EXTERNAL_LINKS", DISPOSITION_HYBRID}};

/* ---- execute ---- */

static err *read_wait(struct req *r, int64_t *ret_us) {
    str t = arg_str(r, "wait_timeout");
    int64_t n;
    *ret_us = DEFAULT_WAIT_US;
    if (!t.n) return NULL;
    if (t.n > 1 && t.p[t.n - 1] == 's' && str_to_i64(str_cut(t, t.n - 1), &n) &&
        (n == 0 || (n >= 5 && n <= 50))) {
        *ret_us = n * US_PER_S;
        return NULL;
    }
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "wait_timeout must be 0 seconds (0s), or between 5 and 50 seconds, not '%.*s'.",
                   STR_ARG(str_cut(t, 32)));
}

static err *read_params(struct req *r, struct statement_ask *ask) {
    jval *list = arg(r, "parameters"), *e;
    size_t i, n;
    if (yyjson_arr_size(list) > MAX_PARAMS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "More than %u parameters.", MAX_PARAMS);
    struct engine_param *p = arena_array_of(r->a, struct engine_param, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, e) {
        jval *v = json_get(e, "value");
        p[i] = (struct engine_param){.name = json_get_str(e, "name"), .type = json_get_str(e, "type"), .value = STR_NONE};
        if (!p[i].name.p) p[i].name = STR("");
        if (!p[i].type.p) p[i].type = STR("");
        if (yyjson_is_str(v)) {
            p[i].value = json_str(v);
        } else if (yyjson_is_bool(v)) {
            p[i].value = str_of(yyjson_get_bool(v) ? "true" : "false");
        } else if (yyjson_is_num(v)) {
            jdoc *d = json_doc(r->a);
            p[i].value = json_text(r->a, yyjson_val_mut_copy(d, v));
        } else if (v && !yyjson_is_null(v)) {
            return err_new(ERR_INVALID_PARAMETER_VALUE, "The value of parameter '%.*s' must be a string.",
                           STR_ARG(str_cut(p[i].name, 64)));
        }
    }
    ask->params = p;
    ask->n_params = yyjson_arr_size(list);
    return NULL;
}

#define MAX_TAGS 20

static str read_tags(struct req *r) {
    jval *list = arg(r, "query_tags"), *e;
    size_t i, n, kept = 0;
    if (!yyjson_arr_size(list)) return STR("");
    jdoc *d = json_doc(r->a);
    jmut *out = yyjson_mut_arr(d);
    yyjson_arr_foreach(list, i, n, e) {
        if (!json_get_str(e, "key").n || kept++ >= MAX_TAGS) continue;
        jmut *o = json_add_obj(d, out);
        json_put_str(d, o, "key", json_get_str(e, "key"));
        if (str_trim(json_get_str(e, "value")).n) json_put_str(d, o, "value", json_get_str(e, "value"));
    }
    return json_text(r->a, out);
}

/* Format, disposition, limits. */
static err *read_shape(struct req *r, struct statement_ask *ask) {
    const struct settings *set = &r->control->settings;
    str format = arg_str(r, "format"), where = arg_str(r, "disposition");
    ask->format = ENGINE_JSON_ARRAY;
    ask->disposition = DISPOSITION_INLINE;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_eqz(format, formats[i].name)) ask->format = formats[i].format;
    for (size_t i = 0; i < ARRAY_LEN(dispositions); i++)
        if (str_eqz(where, dispositions[i].name)) ask->disposition = (int)dispositions[i].disposition;
    if (ask->disposition == DISPOSITION_INLINE && ask->format != ENGINE_JSON_ARRAY)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "The format field must be JSON_ARRAY when the disposition field is INLINE.");
    ask->row_limit = arg_i64(r, "row_limit", 0);
    ask->byte_limit = arg_i64(r, "byte_limit", 0);
    if (ask->row_limit < 0 || (arg_has(r, "byte_limit") && ask->byte_limit < 1))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "row_limit must not be negative, byte_limit must be at least 1.");
    if (arg_has(r, "row_limit") && !ask->row_limit) ask->row_limit = -1;
    ask->form = ENGINE_FORM_STREAMS;
    ask->native = ENGINE_NATIVE_TIMESTAMP | ENGINE_NATIVE_DECIMAL | ENGINE_NATIVE_COMPLEX | ENGINE_NATIVE_NULL;
    ask->lz4 = str_eqz(arg_str(r, "result_compression"), "LZ4_FRAME") && ask->format == ENGINE_ARROW;
    bool in = ask->disposition == DISPOSITION_INLINE;
    int64_t most = settings_int(set, in ? SET_SQL_INLINE_LIMIT : SET_SQL_RESULT_LIMIT);
    ask->byte_limit_fails = in && (!ask->byte_limit || ask->byte_limit > most);
    if (!ask->byte_limit || ask->byte_limit > most) ask->byte_limit = most;
    /* Inline results are one chunk: clients take what they get first for the whole. */
    ask->chunk_bytes = in ? most : LINK_CHUNK_BYTES;
    if (ask->chunk_bytes > ask->byte_limit) ask->chunk_bytes = ask->byte_limit;
    ask->chunk_rows = in ? INT64_MAX / 2 : MANY_ROWS;
    return NULL;
}

/* The session that the request names, or one for this statement alone. */
static err *read_session(struct req *r, struct sql_session **ret) {
    str id = arg_str(r, "warehouse_id"), session = arg_str(r, "session_id");
    struct warehouse *w = warehouse_find(r->control, r->scope, id);
    if (id.n && !w) return warehouse_missing(id);
    if (session.n) return session_find(r, session, w, ret);
    if (!w) return err_new(ERR_INVALID_PARAMETER_VALUE, "Missing value for required parameter 'warehouse_id'.");
    struct session_ask ask = {.w = w,
                              .catalog = arg_str(r, "catalog"),
                              .schema = arg_str(r, "schema"),
                              .client = req_header(r, "user-agent"),
                              .of_one = true};
    return session_open(r, &ask, ret);
}

err *api_sql_st_execute(struct req *r) {
    struct statement_ask ask = {.text = arg_str(r, "statement"), .tags = STR("")};
    int64_t wait_us;
    TRY(read_wait(r, &wait_us));
    TRY(read_shape(r, &ask));
    TRY(read_params(r, &ask));
    if (!str_trim(ask.text).n)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "Missing value for required parameter 'statement'.");
    ask.tags = read_tags(r);
    metadata_query(r->a, &ask);
    TRY(read_session(r, &ask.session));
    struct statement_op *op = statement_op(r);
    bool of_one = ask.session->of_one;
    err *e = statement_submit(r, &ask, &op->s);
    if (e && of_one) session_close(ask.session);
    if (e) return e;
    statement_wait(op->s, r, wait_us, str_eqz(arg_str(r, "on_wait_timeout"), "CANCEL"));
    return NULL;
}

/* ---- get ---- */

err *api_sql_st_find(struct req *r) {
    struct statement_op *op = statement_op(r);
    err *e = statement_find(r, arg_str(r, "statement_id"), 0, &op->s);
    if (!e) return NULL;
    err_free(e);
    op->s = NULL;
    history_settle(r->control, r);
    return NULL;
}

static err *missing(str id) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Statement '%.*s' does not exist.", STR_ARG(str_cut(id, 64)));
}

static err *find_past(struct req *r, struct statement_op *op) {
    str id = arg_str(r, "statement_id");
    int64_t keep = settings_int(&r->control->settings, SET_SQL_STATUS_KEEP);
    TRY(history_statement_get(r->tx, r->scope, r->a, id, &op->past, &op->has_past));
    if (!op->has_past || op->past.user != r->principal) return missing(id);
    if (op->past.ended && clock_now() - op->past.ended > keep) return missing(id);
    return NULL;
}

err *api_sql_st_past(struct req *r) {
    struct statement_op *op = statement_op(r);
    return op->s ? NULL : find_past(r, op);
}

err *api_sql_st_show(struct req *r) {
    struct statement_op *op = statement_op(r);
    if (!op->s) {
        show_past(r, &op->past);
        req_finish(r);
        return NULL;
    }
    if (show_is_long(op->s, 0)) return NULL; /* st_show_long */
    TRY(show_statement(r, op->s));
    req_finish(r);
    return NULL;
}

err *api_sql_st_show_long(struct req *r) { return show_statement(r, statement_op(r)->s); }

/* ---- cancel, close ---- */

err *api_sql_st_cancel(struct req *r) {
    struct statement_op *op = statement_op(r);
    req_out(r);
    err *e = statement_find(r, arg_str(r, "statement_id"), WAREHOUSES_CAN_MANAGE, &op->s);
    if (!e) {
        statement_cancel(op->s, "a user asked for it");
        req_finish(r);
        return NULL;
    }
    err_free(e);
    history_settle(r->control, r);
    return NULL;
}

err *api_sql_st_close(struct req *r) {
    struct statement_op *op = statement_op(r);
    req_out(r);
    err *e = statement_find(r, arg_str(r, "statement_id"), 0, &op->s);
    if (!e) {
        statement_close(op->s);
        req_finish(r);
        return NULL;
    }
    err_free(e);
    history_settle(r->control, r);
    return NULL;
}

/* It is over already: nothing to do, if it is the caller's. */
err *api_sql_st_cancel_past(struct req *r) { return find_past(r, statement_op(r)); }

/* ---- chunks ---- */

err *api_sql_st_chunk(struct req *r) {
    struct statement_op *op = statement_op(r);
    int64_t n;
    TRY(statement_find(r, arg_str(r, "statement_id"), 0, &op->s));
    if (!json_i64(arg(r, "chunk_index"), &n) || n < 0 || (op->s->state == STATEMENT_SUCCEEDED &&
                                                          (size_t)n >= op->s->chunks.n))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "chunk_index '%.*s' is none of the result's %zu chunks.",
                       STR_ARG(str_cut(arg_str(r, "chunk_index"), 32)), op->s->chunks.n);
    if (op->s->state != STATEMENT_SUCCEEDED)
        return err_new(ERR_INVALID_STATE, "Statement '%s' is %s: it has no result to fetch.", op->s->id,
                       statement_state_name(op->s->state));
    op->chunk = (size_t)n;
    if (show_is_long(op->s, op->chunk)) return NULL;
    TRY(show_chunk(r, op->s, op->chunk, req_out(r)));
    req_finish(r);
    return NULL;
}

err *api_sql_st_chunk_long(struct req *r) {
    struct statement_op *op = statement_op(r);
    return show_chunk(r, op->s, op->chunk, req_out(r));
}

/* ---- links ---- */

static void expired(struct req *r) {
    req_body(r, 403, "application/xml",
             STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code><Message>Request has "
                 "expired</Message></Error>"));
}

err *api_sql_st_link(struct req *r) {
    struct statement *s;
    size_t chunk;
    bool old;
    int fd;
    int64_t at, n;
    TRY(statement_of_link(r, arg_str(r, "token"), &s, &chunk, &old));
    if (old) {
        expired(r);
        return NULL;
    }
    TRY(statement_chunk_fd(s, chunk, &fd, &at, &n));
    req_fd(r, 200, fd, at, n);
    req_reply_header(r, "Content-Type",
                     s->format == ENGINE_JSON_ARRAY ? STR("application/json")
                     : s->format == ENGINE_CSV      ? STR("text/csv")
                                                    : STR("application/octet-stream"));
    return NULL;
}
