/* SPDX-License-Identifier: Apache-2.0 */
/* What control says to a leased engine, and what it hears: sessions, statements, states, questions. */
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/log.h"
#include "engine/link_int.h"
#include "ipc/courier_client.h"

/* ---- writing ---- */

static void put(buf *j, const char *name, str value) {
    if (j->n > 1) buf_c(j, ',');
    buf_fmt(j, "\"%s\":", name);
    buf_json_str(j, value);
}

static void put_int(buf *j, const char *name, int64_t value) {
    buf_fmt(j, "%s\"%s\":%lld", j->n > 1 ? "," : "", name, (long long)value);
}

static void put_conf(buf *j, const struct msg_pair *conf, size_t n) {
    if (!n) return;
    buf_z(j, ",\"conf\":{");
    for (size_t i = 0; i < n; i++) {
        if (i) buf_c(j, ',');
        buf_json_str(j, conf[i].name);
        buf_c(j, ':');
        buf_json_str(j, conf[i].value);
    }
    buf_c(j, '}');
}

/* Frames with one field json. */
static void send_json(engine *e, uint16_t type, uint64_t stream, buf *json, int fd) {
    buf payload = {0};
    struct msg_engine_exec m = {.json = buf_view(json)};
    msg_engine_exec_encode(&m, &payload); /* all of them have this form */
    buf_free(json);
    engine_send(e, type, stream, &payload, fd);
}

void engine_session_open(engine *e, const struct engine_session *s) {
    buf j = {0};
    buf_c(&j, '{');
    put(&j, "op", STR("open"));
    put(&j, "session", s->id);
    put(&j, "catalog", s->catalog);
    put(&j, "schema", s->schema);
    put(&j, "user", s->user);
    put_conf(&j, s->conf, s->n_conf);
    buf_c(&j, '}');
    send_json(e, MSG_ENGINE_SESSION, 0, &j, -1);
}

void engine_session_close(engine *e, str id) {
    buf j = {0};
    buf_c(&j, '{');
    put(&j, "op", STR("close"));
    put(&j, "session", id);
    buf_c(&j, '}');
    send_json(e, MSG_ENGINE_SESSION, 0, &j, -1);
}

static void put_list(buf *j, const struct engine_param *list, size_t n) {
    buf_c(j, '[');
    for (size_t i = 0; i < n; i++) {
        const struct engine_param *p = &list[i];
        buf_z(j, i ? ",{\"name\":" : "{\"name\":");
        buf_json_str(j, p->name);
        buf_z(j, ",\"type\":");
        buf_json_str(j, p->type);
        buf_z(j, ",\"value\":");
        if (p->value.p)
            buf_json_str(j, p->value);
        else
            buf_z(j, "null");
        if (p->args) {
            buf_z(j, ",\"args\":");
            put_list(j, p->args, p->n_args);
        }
        buf_c(j, '}');
    }
    buf_c(j, ']');
}

static void put_params(buf *j, const struct engine_exec *x) {
    if (!x->n_params) return;
    buf_z(j, ",\"params\":");
    put_list(j, x->params, x->n_params);
}

/* ---- statements ---- */

static void on_late(loop_timer *t) {
    engine_statement *s = (engine_statement *)((char *)t - offsetof(engine_statement, late));
    log_warn("an engine does not end a statement: it is killed", lf_z("owner", s->e->owner));
    engine_kill(s->e);
}

engine_statement *engine_exec(engine *e, const struct engine_exec *x, const struct engine_statement_events *ev, void *arg) {
    static const char *const formats[] = {"arrow", "json_array", "csv", "columns"};
    static const char *const forms[] = {"batches", "streams", "auto"};
    struct engine_pool *p = e->pool;
    engine_statement *s = calloc(1, sizeof(*s));
    must(s != NULL);
    *s = (engine_statement){.pool = p, .e = e, .number = ++p->next_statement, .ev = *ev, .arg = arg};
    s->late.on_time = on_late;
    map_put(p->statements, map_key_u64(&s->number), s);
    vec_push(&e->statements, s);
    buf j = {0};
    buf_c(&j, '{');
    put(&j, "session", x->session);
    put(&j, "id", x->id);
    put(&j, "text", x->text);
    put(&j, "format", str_of(formats[x->format]));
    put(&j, "form", str_of(forms[x->form]));
    put_int(&j, "native", x->native);
    put_int(&j, "row_limit", x->row_limit);
    put_int(&j, "byte_limit", x->byte_limit);
    put_int(&j, "chunk_bytes", x->chunk_bytes);
    put_int(&j, "chunk_rows", x->chunk_rows);
    put_int(&j, "inline_bytes", x->inline_bytes);
    put_int(&j, "spool_room", x->spool_room);
    put_int(&j, "timeout_ms", x->timeout_ms);
    put_int(&j, "now_us", x->now_us);
    put_int(&j, "policy_seq", (int64_t)x->policy_seq);
    buf_fmt(&j, ",\"lz4\":%s,\"lz4_if_smaller\":%s,\"byte_limit_fails\":%s,\"early\":%s", x->lz4 ? "true" : "false", x->lz4_if_smaller ? "true" : "false",
            x->byte_limit_fails ? "true" : "false", x->early ? "true" : "false");
    put_params(&j, x);
    put_conf(&j, x->conf, x->n_conf);
    buf_c(&j, '}');
    send_json(e, MSG_ENGINE_EXEC, s->number, &j, x->spool);
    if (x->timeout_ms > 0) loop_timer_set(p->c->l, &s->late, (x->timeout_ms + ENGINE_CANCEL_MS) * 1000);
    return s;
}

void engine_cancel(engine_statement *s, const char *reason) {
    if (s->canceled) return;
    s->canceled = true;
    struct msg_engine_cancel m = {.reason = str_of(reason)};
    buf payload = {0};
    msg_engine_cancel_encode(&m, &payload);
    engine_send(s->e, MSG_ENGINE_CANCEL, s->number, &payload, -1);
    loop_timer_set(s->pool->c->l, &s->late, ENGINE_CANCEL_MS * 1000);
}

void engine_refuse(engine_statement *s, const char *what) {
    log_error("an engine misbehaves: it is killed", lf_z("owner", s->e->owner), lf_z("what", what));
    engine_kill(s->e);
}

uint64_t engine_statement_number(const engine_statement *s) { return s->number; }
engine *engine_of(const engine_statement *s) { return s->e; }
void *engine_arg_of(const engine_statement *s) { return s->arg; }

engine_statement *engine_statement_by_number(struct control *c, uint64_t number) {
    struct engine_pool *p = c->engines;
    return p ? map_get(p->statements, map_key_u64(&number)) : NULL;
}

/* It has told its last state: the pointer is dead from here on. */
static void forget(engine_statement *s) {
    engine *e = s->e;
    if (s->pool->c->outside) courier_client_ended(s->pool->c->outside, s->number);
    loop_timer_clear(s->pool->c->l, &s->late);
    map_del(s->pool->statements, map_key_u64(&s->number));
    for (size_t i = 0; i < e->statements.n; i++)
        if (e->statements.p[i] == s) {
            vec_remove_swap(&e->statements, i);
            break;
        }
    free(s);
}

/* ---- states ---- */

static int64_t int_of(jval *o, const char *name, int64_t missing) {
    int64_t v;
    return json_i64(json_get(o, name), &v) ? v : missing;
}

static void read_schema(arena *a, jval *o, struct engine_state *st) {
    jval *list = json_get(o, "schema"), *v;
    st->has_schema = list != NULL;
    if (!list) return;
    struct engine_column *cols = arena_array_of(a, struct engine_column, yyjson_arr_size(list));
    size_t i, n;
    yyjson_arr_foreach(list, i, n, v)
        cols[i] = (struct engine_column){.name = json_get_str(v, "name"), .type = json_get_str(v, "type"),
                                         .type_json = json_get_str(v, "type_json"), .comment = json_get_str(v, "comment"),
                                         .nullable = yyjson_get_bool(json_get(v, "nullable"))};
    st->cols = cols;
    st->n_cols = yyjson_arr_size(list);
    str b64 = json_get_str(o, "arrow_schema");
    buf raw = {0};
    if (b64.n && enc_unbase64(&raw, b64)) st->arrow_schema = arena_str(a, buf_view(&raw));
    buf_free(&raw);
}

/* An engine is trusted less than control: numbers that cannot be places in a file are refused. */
static bool read_chunks(arena *a, jval *o, struct engine_state *st) {
    jval *list = json_get(o, "chunks"), *v;
    struct engine_chunk *chunks = arena_array_of(a, struct engine_chunk, yyjson_arr_size(list));
    size_t i, n;
    yyjson_arr_foreach(list, i, n, v) {
        int64_t x[5] = {0};
        for (size_t k = 0; k < ARRAY_LEN(x); k++)
            if (!json_i64(yyjson_arr_get(v, k), &x[k]) || x[k] < 0 || x[k] > INT64_MAX / 4) return false;
        chunks[i] = (struct engine_chunk){x[0], x[1], x[2], x[3], x[4]};
    }
    st->chunks = chunks;
    st->n_chunks = yyjson_arr_size(list);
    st->early = yyjson_get_bool(json_get(o, "early"));
    st->plain = yyjson_get_bool(json_get(o, "plain"));
    st->form = str_eqz(json_get_str(o, "form"), "streams") ? ENGINE_FORM_STREAMS : ENGINE_FORM_BATCHES;
    return true;
}

static bool read_state(arena *a, str state, jval *o, struct engine_state *st) {
    static const char *const kinds[] = {"running", "finished", "failed", "canceled"};
    size_t k = 0;
    while (k < ARRAY_LEN(kinds) && !str_eqz(state, kinds[k])) k++;
    if (k == ARRAY_LEN(kinds)) return false;
    *st = (struct engine_state){.kind = (enum engine_state_kind)k, .modified_rows = int_of(o, "modified_rows", -1),
                                .rows = int_of(o, "rows", 0), .bytes = int_of(o, "bytes", 0),
                                .truncated = yyjson_get_bool(json_get(o, "truncated")),
                                .has_result = yyjson_get_bool(json_get(o, "has_result")),
                                .is_dml = yyjson_get_bool(json_get(o, "is_dml")),
                                .timed_out = yyjson_get_bool(json_get(o, "timed_out")),
                                .statement_type = json_get_str(o, "statement_type"), .staging = json_get(o, "staging"),
                                .metrics = json_get(o, "metrics"), .session = json_get(o, "session"),
                                .error = json_get(o, "error")};
    read_schema(a, o, st);
    if (!read_chunks(a, o, st) || st->rows < 0 || st->bytes < 0) return false;
    st->error_message = json_get_str(st->error, "message");
    st->error_class = json_get_str(st->error, "class");
    st->sql_state = json_get_str(st->error, "sqlState");
    return true;
}

static void on_state(engine_statement *s, arena *a, str state, str json) {
    jval *o = NULL;
    struct engine_state st;
    err *bad = json_parse(a, json, true, &o);
    if (bad || !read_state(a, state, o, &st)) {
        log_error("a state of an engine is damaged", lf_err(bad));
        err_free(bad);
        engine_kill(s->e);
        return;
    }
    bool last = st.kind != ENGINE_RUNNING;
    if (last) loop_timer_clear(s->pool->c->l, &s->late);
    uint64_t number = s->number;
    struct control *c = s->pool->c;
    if (s->ev.on_state) s->ev.on_state(s, &st, s->arg);
    if (last && engine_statement_by_number(c, number) == s) forget(s);
}

void engine_fail_statements(engine *e, const char *cls, const char *state, const char *message) {
    while (e->statements.n) {
        engine_statement *s = e->statements.p[0];
        buf j = {0};
        buf_fmt(&j, "{\"class\":\"%s\",\"sqlState\":\"%s\",\"message\":", cls, state);
        buf_json_str(&j, str_of(message));
        buf_c(&j, '}');
        arena *a = arena_new();
        jval *o = NULL;
        err_free(json_parse(a, buf_view(&j), false, &o));
        struct engine_state st = {.kind = s->canceled ? ENGINE_CANCELED : ENGINE_FAILED, .modified_rows = -1, .error = o,
                                  .error_message = str_of(message), .error_class = str_of(cls), .sql_state = str_of(state)};
        struct engine_statement_events ev = s->ev;
        void *arg = s->arg;
        vec_remove_swap(&e->statements, 0); /* first: the callback may ask for what still runs */
        map_del(s->pool->statements, map_key_u64(&s->number));
        loop_timer_clear(s->pool->c->l, &s->late);
        if (s->pool->c->outside) courier_client_ended(s->pool->c->outside, s->number);
        if (ev.on_state) ev.on_state(s, &st, arg);
        free(s);
        arena_free(a);
        buf_free(&j);
    }
}

void engine_on_statement_frame(engine *e, struct chan_frame *f) {
    arena *a = arena_new();
    struct msg_engine_state state;
    struct msg_engine_ask ask;
    engine_statement *s = map_get(e->pool->statements, map_key_u64(&f->stream));
    if (s && s->e != e) s = NULL; /* an engine speaks of its own statements only */
    if (f->type == MSG_ENGINE_STATE && msg_engine_state_decode(a, f->payload, &state)) {
        if (s) on_state(s, a, state.state, state.json);
    } else if (f->type == MSG_ENGINE_ASK && msg_engine_ask_decode(a, f->payload, &ask)) {
        jval *o = NULL;
        err *bad = json_parse(a, ask.json, true, &o);
        if (s && !bad && s->ev.on_ask) {
            s->ev.on_ask(s, ask.question, ask.op, o, s->arg);
        } else if (s) {
            err *why = bad ? bad : err_new(ERR_NOT_IMPLEMENTED, "nobody answers '%.*s'", STR_ARG(ask.op));
            engine_answer_err(e->pool->c, f->stream, ask.question, why);
            if (!bad) err_free(why);
        }
        err_free(bad);
    } else {
        log_error("frame of an engine refused", lf_z("type", msg_name(f->type)));
        engine_kill(e);
    }
    arena_free(a);
}

/* ---- answers ---- */

void engine_answer(struct control *c, uint64_t statement, uint64_t question, str json, int fd) {
    engine_statement *s = engine_statement_by_number(c, statement);
    if (!s) return;
    struct msg_engine_answer m = {.question = question, .json = json};
    buf payload = {0};
    msg_engine_answer_encode(&m, &payload);
    engine_send(s->e, MSG_ENGINE_ANSWER, statement, &payload, fd);
}

/* The detail of an error of the dialect is the object of src/sql/sql.h. */
void engine_answer_err(struct control *c, uint64_t statement, uint64_t question, const err *e) {
    buf j = {0};
    str detail = str_trim(str_of(err_detail_of(e)));
    buf_z(&j, "{\"error\":{\"code\":");
    buf_json_str(&j, str_of(err_name(err_code_of(e))));
    buf_z(&j, ",\"message\":");
    buf_json_str(&j, str_of(err_msg(e)));
    if (detail.n > 2 && detail.p[0] == '{' && detail.p[detail.n - 1] == '}') {
        buf_c(&j, ',');
        buf_str(&j, str_n(detail.p + 1, detail.n - 2));
    }
    buf_z(&j, "}}");
    engine_answer(c, statement, question, buf_view(&j), -1);
    buf_free(&j);
}
