/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCLIService: a call through the steps of its request.
 *
 *   begin   (loop)  decode; sessions, cancel, close are done here; a statement is submitted or found and waited for
 *   look    (read)  for a session that names a catalog: is there one?
 *   open    (loop)  that session is opened
 *   settle  (loop)  the statement has ended, or the wait; small answers are made here and the request ends
 *   answer  (work)  what has much to read from the spool
 *   end     (loop)  where the next fetch begins; a result that was delivered whole is closed
 *
 * Errors of SQL are answers with a TStatus or an operation state; HTTP errors are those of every route (credential,
 * unknown warehouse, missing right).
 */
#include "api/gen_routes.h"
#include "api/thrift/thrift_int.h"
#include "sql/error.h"

/* How long an answer may wait for a statement. Clients ask again without a pause of their own. The first answer comes
 * soon, since a client can cancel only what it has a handle of. */
#define NAMES_ROWS 1000 /* of a metadata call in one answer: clients decode columns slowly, and show the first names meanwhile */
#define WAIT_DIRECT 1000000
#define WAIT_STATUS 5000000
#define WAIT_ALL 45000000
/* More than this is not read from the spool on the loop. */
#define LOOP_BYTES (64 * 1024)
/* Arrow results up to this go inline, larger ones by link where the client reads links. */
#define INLINE_BYTES (1024 * 1024)
#define LINK_BYTES (16 * 1024 * 1024)
#define MAX_ROWS 100000
#define MAX_BYTES (100 * 1024 * 1024)

static struct tcall *call_of(struct req *r) { return r->state; }

static err *send(struct tcall *x, const void *resp) {
    struct thrift_head head = {THRIFT_REPLY, x->head.name, x->head.seq};
    buf out = {0};
    thrift_write_message(&head, 0, thrift_calls[x->call].response, resp, &out);
    req_body(x->r, 200, "application/x-thrift", arena_str(x->a, buf_view(&out)));
    buf_free(&out);
    req_finish(x->r);
    return NULL;
}

static err *send_exception(struct req *r, const struct thrift_head *head, int32_t kind, const char *text) {
    buf out = {0};
    thrift_write_exception(head, kind, str_of(text), &out);
    req_body(r, 200, "application/x-thrift", arena_str(r->a, buf_view(&out)));
    buf_free(&out);
    req_finish(r);
    return NULL;
}

/* Every response begins with `has` and its status. */
struct any_resp {
    uint32_t has;
    struct t_status *status;
};

static err *send_status(struct tcall *x, struct t_status *status) {
    struct any_resp *resp = arena_alloc(x->a, thrift_calls[x->call].response->size);
    resp->status = status;
    return send(x, resp);
}

static err *send_err(struct tcall *x, err *e) {
    struct t_status *st = status_of_err(x->a, e);
    err_free(e);
    return send_status(x, st);
}

/* ---- sessions ---- */

static bool own_key(str key) {
    return str_starts(key, STR("use:")) || str_starts(key, STR("spark.thriftserver.")) ||
           str_starts(key, STR("spark.sql.thriftserver."));
}

static int agreed(const struct t_open_session_req *q) {
    int64_t v = q->has & T_OPEN_SESSION_REQ_CLIENT_PROTOCOL_I64 ? q->client_protocol_i64
                : q->has & T_OPEN_SESSION_REQ_CLIENT_PROTOCOL   ? q->client_protocol
                                                                : TPROTOCOL(1);
    if (v > TPROTOCOL_MAX) v = TPROTOCOL_MAX;
    return v < TPROTOCOL(1) ? 1 : (int)(v - TPROTOCOL(0));
}

/* Of the session that the call opens: settings, catalog and schema as it names them. */
static void read_session(struct tcall *x, struct session_ask *ret) {
    const struct t_open_session_req *q = x->req;
    struct session_ask ask = {.client = req_header(x->r, "user-agent")};
    struct msg_pair *conf = arena_array_of(x->a, struct msg_pair, q->configuration.n + 1);
    for (size_t i = 0; i < q->configuration.n; i++) {
        str k = q->configuration.p[i].key, v = q->configuration.p[i].value;
        if (str_eqz(k, "use:catalog")) ask.catalog = v;
        if (str_eqz(k, "use:database") || str_eqz(k, "use:schema")) ask.schema = v;
        if (str_starts(k, STR("set:hiveconf:"))) k = str_from(k, 13);
        if (!own_key(k)) conf[ask.n_conf++] = (struct msg_pair){k, v};
    }
    ask.conf = conf;
    if (q->initial_namespace) {
        if (q->initial_namespace->catalog_name.n) ask.catalog = q->initial_namespace->catalog_name;
        if (q->initial_namespace->schema_name.n) ask.schema = q->initial_namespace->schema_name;
    }
    *ret = ask;
}

static err *open_session(struct tcall *x) {
    const struct t_open_session_req *q = x->req;
    struct session_ask ask;
    struct sql_session *s;
    read_session(x, &ask);
    ask.w = warehouse_find(x->r->control, x->r->scope, arg_str(x->r, "warehouse_id"));
    if (!ask.w) return warehouse_missing(arg_str(x->r, "warehouse_id"));
    TRY(session_open(x->r, &ask, &s));
    x->protocol = agreed(q);
    struct t_open_session_resp *resp = arena_new_of(x->a, struct t_open_session_resp);
    resp->status = status_ok(x->a);
    resp->has = T_OPEN_SESSION_RESP_SERVER_PROTOCOL_VERSION | T_OPEN_SESSION_RESP_CAN_USE_MULTIPLE_CATALOGS;
    resp->server_protocol_version = TPROTOCOL(x->protocol);
    resp->can_use_multiple_catalogs = x->protocol >= 4;
    resp->session_handle = arena_new_of(x->a, struct t_session_handle);
    resp->session_handle->session_id = arena_new_of(x->a, struct t_handle_identifier);
    handle_write(str_of(s->id), x->protocol, resp->session_handle->session_id, x->a);
    resp->session_handle->has = T_SESSION_HANDLE_SERVER_PROTOCOL_VERSION;
    resp->session_handle->server_protocol_version = TPROTOCOL(x->protocol);
    if (x->protocol >= 4) {
        resp->initial_namespace = arena_new_of(x->a, struct t_namespace);
        resp->initial_namespace->catalog_name = arena_str(x->a, str_of(s->catalog));
        resp->initial_namespace->schema_name = arena_str(x->a, str_of(s->schema));
    }
    return send(x, resp);
}

/* Every request that names a session has it as its first field. */
struct any_req {
    uint32_t has;
    struct t_session_handle *session_handle;
};

static err *find_session(struct tcall *x, struct sql_session **ret) {
    const struct any_req *q = x->req;
    const struct t_handle_identifier *id = q->session_handle ? q->session_handle->session_id : NULL;
    x->protocol = handle_protocol(id);
    return session_find(x->r, handle_read(x->a, id), NULL, ret);
}

/* ---- statements ---- */

static str number_text(arena *a, double d) { return str_of(arena_printf(a, "%.17g", d)); }

/* Elements of arrays, keys and values of maps, fields of structs. The decoder bounds how deep they nest. */
static const struct engine_param *read_arguments(arena *a, const struct t_parameter_argument *arg, size_t n) {
    struct engine_param *out = arena_array_of(a, struct engine_param, n + 1);
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct engine_param){.name = STR(""), .type = arg[i].type, .value = arg[i].value};
        if (!(arg[i].has & T_PARAMETER_ARGUMENT_ARGUMENTS)) continue;
        out[i].args = read_arguments(a, arg[i].arguments.p, arg[i].arguments.n);
        out[i].n_args = arg[i].arguments.n;
    }
    return out;
}

static void read_params(struct tcall *x, const struct t_execute_statement_req *q, struct statement_ask *ask) {
    struct engine_param *out = arena_array_of(x->a, struct engine_param, q->parameters.n + 1);
    for (size_t i = 0; i < q->parameters.n; i++) {
        const struct t_parameter *p = &q->parameters.p[i];
        out[i] = (struct engine_param){.name = p->name, .type = p->type, .value = STR_NONE};
        if (p->value && p->value->string_value.p)
            out[i].value = p->value->string_value;
        else if (p->value && p->value->has & T_PARAMETER_VALUE_DOUBLE_VALUE)
            out[i].value = number_text(x->a, p->value->double_value);
        else if (p->value && p->value->has & T_PARAMETER_VALUE_BOOLEAN_VALUE)
            out[i].value = p->value->boolean_value ? STR("true") : STR("false");
        if (!(p->has & T_PARAMETER_ARGUMENTS)) continue;
        out[i].args = read_arguments(x->a, p->arguments.p, p->arguments.n);
        out[i].n_args = p->arguments.n;
    }
    ask->params = out;
    ask->n_params = q->parameters.n;
}

static void read_format(struct tcall *x, const struct t_execute_statement_req *q, struct statement_ask *ask) {
    const struct t_arrow_native_types *n = q->use_arrow_native_types;
    ask->format = q->can_read_arrow_result && x->protocol >= 5 ? ENGINE_ARROW : ENGINE_COLUMNS;
    ask->form = ENGINE_FORM_BATCHES;
    ask->chunk_rows = MAX_ROWS;
    if (ask->format != ENGINE_ARROW) return;
    /* The client can; whether it must is told with the result: frames that are no smaller cost both sides for nothing. */
    ask->lz4 = ask->lz4_if_smaller = q->can_decompress_lz4_result && x->protocol >= 6;
    if (n)
        ask->native = (n->timestamp_as_arrow ? ENGINE_NATIVE_TIMESTAMP : 0) |
                      (n->decimal_as_arrow ? ENGINE_NATIVE_DECIMAL : 0) |
                      (n->complex_types_as_arrow ? ENGINE_NATIVE_COMPLEX : 0) |
                      (n->interval_types_as_arrow ? ENGINE_NATIVE_INTERVAL : 0) |
                      (n->null_type_as_arrow ? ENGINE_NATIVE_NULL : 0);
    if (!q->can_download_result || x->protocol < 3) return;
    ask->form = ENGINE_FORM_AUTO;
    ask->inline_bytes = INLINE_BYTES;
    ask->chunk_rows = INT32_MAX;
    ask->chunk_bytes = q->max_bytes_per_file > 0 && q->max_bytes_per_file < LINK_BYTES ? q->max_bytes_per_file : LINK_BYTES;
}

static void want_rows(struct tcall *x, const struct t_get_direct_results *d) {
    x->fetch = x->direct = d != NULL;
    x->max_rows = d && d->max_rows > 0 ? d->max_rows : MAX_ROWS;
    x->max_bytes = d && d->max_bytes > 0 && d->max_bytes < MAX_BYTES ? d->max_bytes : MAX_BYTES;
}

static err *submit(struct tcall *x, const struct statement_ask *ask, int64_t wait) {
    TRY(statement_submit(x->r, ask, &x->s));
    statement_hold_for(x->r, x->s);
    x->s->disposition = metadata_operation(x->call);
    statement_wait_rows(x->s, x->r, wait, 0);
    return NULL;
}

static err *execute(struct tcall *x) {
    const struct t_execute_statement_req *q = x->req;
    struct statement_ask ask = {.text = q->statement, .early = true};
    err *e = find_session(x, &ask.session);
    if (e) return send_err(x, e);
    struct msg_pair *conf = arena_array_of(x->a, struct msg_pair, q->conf_overlay.n + 1);
    for (size_t i = 0; i < q->conf_overlay.n; i++) {
        str k = q->conf_overlay.p[i].key;
        if (!own_key(k) && !str_eqz(k, "query_tags")) conf[ask.n_conf++] = (struct msg_pair){k, q->conf_overlay.p[i].value};
    }
    ask.conf = conf;
    read_params(x, q, &ask);
    read_format(x, q, &ask);
    if (q->has & T_EXECUTE_STATEMENT_REQ_RESULT_ROW_LIMIT && q->result_row_limit >= 0) ask.row_limit = q->result_row_limit ? q->result_row_limit : -1;
    if (q->query_timeout > 0) ask.timeout_us = q->query_timeout < INT64_MAX / 1000000 ? q->query_timeout * 1000000 : 0;
    want_rows(x, q->get_direct_results);
    e = submit(x, &ask, x->direct ? WAIT_DIRECT : q->run_async ? 0 : WAIT_ALL);
    return e ? send_err(x, e) : NULL;
}

static err *metadata(struct tcall *x) {
    struct statement_ask ask = {.text = str_of(metadata_sql(x->call, x->a)), .format = ENGINE_COLUMNS, .chunk_rows = NAMES_ROWS, .early = true};
    static const struct msg_pair outside = {STR("txn.outside"), STR("true")};
    err *e = find_session(x, &ask.session);
    /* Refused before it reaches the transaction, which goes on. */
    if (!e && ask.session->transaction)
        e = sql_error("TRANSACTION_NOT_SUPPORTED.COMMAND", NULL, STR_NONE, "command", thrift_calls[x->call].name, NULL);
    if (e) return send_err(x, e);
    ask.conf = &outside, ask.n_conf = 1; /* it begins none either */
    struct engine_param *params;
    metadata_params(x, &params, &ask.n_params);
    ask.params = params;
    if (metadata_names(x->call)) narrow(x->a, &ask, metadata_names(x->call));
    e = submit(x, &ask, WAIT_ALL);
    return e ? send_err(x, e) : NULL;
}

/* Every request that names an operation has it as its first field. */
struct any_operation {
    uint32_t has;
    struct t_operation_handle *operation_handle;
};

static err *find_operation(struct tcall *x, bool *ret_found) {
    const struct any_operation *q = x->req;
    const struct t_handle_identifier *id = q->operation_handle ? q->operation_handle->operation_id : NULL;
    x->protocol = handle_protocol(id);
    err *e = statement_find(x->r, handle_read(x->a, id), 0, &x->s);
    *ret_found = !e;
    err_free(e);
    if (*ret_found) statement_hold_for(x->r, x->s);
    return *ret_found ? NULL : send_status(x, status_invalid(x->a, "The operation handle is invalid, or its operation was closed."));
}

static err *fetch(struct tcall *x) {
    const struct t_fetch_results_req *q = x->req;
    struct t_get_direct_results d = {.max_rows = q->max_rows, .max_bytes = q->max_bytes};
    want_rows(x, &d);
    x->direct = false;
    if (q->has & T_FETCH_RESULTS_REQ_START_ROW_OFFSET && q->start_row_offset >= 0)
        x->row = q->start_row_offset;
    else if (q->orientation == TFETCH_FIRST)
        x->row = 0;
    else
        x->row = x->s->next_row;
    statement_wait_rows(x->s, x->r, WAIT_ALL, x->row);
    return NULL;
}

static err *operation(struct tcall *x) {
    bool found;
    err *e = find_operation(x, &found);
    if (!found) return e;
    switch (x->call) {
    case CALL_GetOperationStatus:
        statement_wait_rows(x->s, x->r, WAIT_STATUS, 0);
        return NULL;
    case CALL_GetResultSetMetadata:
        statement_wait_rows(x->s, x->r, WAIT_ALL, 0);
        return NULL;
    case CALL_FetchResults: return fetch(x);
    case CALL_CancelOperation:
        statement_cancel(x->s, "by the user");
        return send_status(x, status_ok(x->a));
    default:
        statement_close(x->s);
        return send_status(x, status_ok(x->a));
    }
}

/* ---- steps ---- */

static int call_by_name(str name) {
    for (int i = 0; i < CALL_COUNT; i++)
        if (str_eqz(name, thrift_calls[i].name)) return i;
    return -1;
}

/* The steps look and open are of sessions that name a catalog alone. */
static bool must_look(struct tcall *x) {
    struct session_ask ask;
    if (x->call != CALL_OpenSession) return false;
    read_session(x, &ask);
    x->catalog = ask.catalog;
    return ask.catalog.n > 0;
}

static err *dispatch(struct tcall *x) {
    struct sql_session *s;
    err *e;
    if (must_look(x)) return NULL;
    x->r->step += 2;
    switch (x->call) {
    case CALL_OpenSession: return open_session(x);
    case CALL_CloseSession:
        e = find_session(x, &s);
        if (e) {
            err_free(e);
            return send_status(x, status_invalid(x->a, "The session handle is invalid, or its session was closed."));
        }
        session_close(s);
        return send_status(x, status_ok(x->a));
    case CALL_GetInfo:
        e = find_session(x, &s);
        if (e) return send_err(x, e);
        return send(x, metadata_info(x->a, ((const struct t_get_info_req *)x->req)->info_type));
    case CALL_ExecuteStatement: return execute(x);
    case CALL_GetDelegationToken:
    case CALL_CancelDelegationToken:
    case CALL_RenewDelegationToken:
        return send_err(x, err_new(ERR_NOT_IMPLEMENTED, "Delegation tokens are not offered; use a personal access token or OAuth."));
    default: return metadata_sql(x->call, x->a) ? metadata(x) : operation(x);
    }
}

err *api_thrift_begin(struct req *r) {
    struct tcall *x = arena_new_of(r->a, struct tcall);
    size_t at;
    *x = (struct tcall){.r = r, .a = r->a, .protocol = 1};
    r->state = x;
    TRY(thrift_read_head(r->body, &x->head, &at));
    int call = call_by_name(x->head.name);
    if (x->head.kind != THRIFT_CALL || call < 0)
        return send_exception(r, &x->head, 1, arena_printf(r->a, "Invalid method name: '%.*s'", STR_ARG(str_cut(x->head.name, 100))));
    x->call = (enum thrift_call)call;
    void *q = arena_alloc(r->a, thrift_calls[call].request->size);
    TRY(thrift_read_wrapped(r->a, r->body, at, 1, thrift_calls[call].request, q));
    x->req = q;
    return dispatch(x);
}

err *api_thrift_look(struct req *r) {
    struct tcall *x = call_of(r);
    x->unknown = session_look(r, x->catalog);
    return NULL;
}

err *api_thrift_open(struct req *r) {
    struct tcall *x = call_of(r);
    err *e = x->unknown;
    x->unknown = NULL;
    return e ? send_err(x, e) : open_session(x);
}

/* May rows be fetched of it? */
static bool has_rows(const struct statement *s) { return s->state == STATEMENT_SUCCEEDED || statement_early(s); }

static err *answer_operation(struct tcall *x, struct t_operation_resp *resp) {
    struct statement *s = x->s;
    resp->status = status_ok(x->a);
    resp->operation_handle = operation_handle(x, s);
    if (!x->direct) return NULL;
    struct t_direct_results *d = arena_new_of(x->a, struct t_direct_results);
    d->operation_status = operation_status(x, s);
    resp->direct_results = d;
    if (s->state == STATEMENT_FAILED || s->state == STATEMENT_CANCELED) {
        x->close_after = true;
    } else if (has_rows(s)) {
        TRY(result_metadata(x, s, &d->result_set_metadata));
        TRY(result_rows(x, s, &d->result_set));
        x->close_after = !d->result_set->has_more_rows && !d->result_set->results->result_links.n;
    }
    if (!x->close_after) return NULL;
    d->close_operation = arena_new_of(x->a, struct t_close_operation_resp);
    d->close_operation->status = status_ok(x->a);
    return NULL;
}

static err *answer_fetch(struct tcall *x) {
    const struct t_fetch_results_req *q = x->req;
    struct t_fetch_results_resp *f;
    if (!has_rows(x->s)) {
        if (x->s->state == STATEMENT_FAILED)
            return send_err(x, err_new(ERR_SQL_ERROR, "%s", x->s->error ? x->s->error : "The statement failed."));
        return send_status(x, status_invalid(x->a, statement_over(x->s->state) ? "The operation was canceled or closed." : "The operation still runs."));
    }
    TRY(result_rows(x, x->s, &f));
    if (q->include_result_set_metadata && x->protocol >= 5) TRY(result_metadata(x, x->s, &f->result_set_metadata));
    return send(x, f);
}

static err *answer(struct tcall *x) {
    struct t_operation_resp resp = {0};
    struct t_get_result_set_metadata_resp *m;
    switch (x->call) {
    case CALL_FetchResults: return answer_fetch(x);
    case CALL_GetOperationStatus: return send(x, operation_status(x, x->s));
    case CALL_GetResultSetMetadata:
        if (x->s->state == STATEMENT_FAILED)
            return send_err(x, err_new(ERR_SQL_ERROR, "%s", x->s->error ? x->s->error : "The statement failed."));
        TRY(result_metadata(x, x->s, &m));
        return send(x, m);
    default:
        TRY(answer_operation(x, &resp));
        return send(x, &resp);
    }
}

static void settled(struct tcall *x) {
    if (x->fetch && has_rows(x->s)) x->s->next_row = x->next_row;
    if (x->close_after) statement_close(x->s);
}

err *api_thrift_settle(struct req *r) {
    struct tcall *x = call_of(r);
    if (x->fetch && x->s->state == STATEMENT_SUCCEEDED && result_rows_size(x, x->s) > LOOP_BYTES) return NULL;
    TRY(answer(x));
    settled(x);
    return NULL;
}

err *api_thrift_answer(struct req *r) {
    struct tcall *x = call_of(r);
    err *e = answer(x);
    r->done = false; /* the last step is still to come */
    return e;
}

err *api_thrift_end(struct req *r) {
    settled(call_of(r));
    return NULL;
}
