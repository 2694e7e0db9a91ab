/* SPDX-License-Identifier: Apache-2.0 */
#include "statements/statement.h"

#include <stdio.h>

#include "base/log.h"
#include "statements/statements_int.h"
#include "sys/clock.h"
#include "sys/rand.h"

/* The engine keeps the time limit itself; one that does not is reminded so much later. */
#define LATE_US 2000000
#define MAX_TRIES 3

const char *statement_state_name(enum statement_state s) {
    static const char *const names[] = {"PENDING", "RUNNING", "SUCCEEDED", "FAILED", "CANCELED", "CLOSED"};
    return names[s];
}

/* ---- life ---- */

void statement_hold(struct statement *s) { s->holds++; }

static void free_columns(struct statement *s) {
    for (size_t i = 0; i < s->n_cols; i++) {
        free(s->cols[i].name);
        free(s->cols[i].type);
        free(s->cols[i].type_json);
        free(s->cols[i].comment);
    }
    free(s->cols);
    s->cols = NULL;
    s->n_cols = 0;
}

static void free_result(struct statement *s) {
    for (size_t i = 0; i < s->chunks.n; i++) s->svc->spool_bytes -= s->chunks.p[i].bytes;
    vec_free(&s->chunks);
    spool_release(s->spool);
    s->spool = NULL;
    free_columns(s);
    free(s->arrow_schema);
    s->arrow_schema = NULL;
    s->arrow_schema_n = 0;
    s->has_schema = false;
}

void statement_free_text(struct statement *s) {
    if (s->text) s->svc->text_bytes -= (int64_t)s->text_n;
    free(s->text);
    free(s->shown);
    s->text = s->shown = NULL;
    s->text_n = 0;
}

void statement_drop(struct statement *s) {
    must(s->holds > 0);
    if (--s->holds) return;
    must(!s->listed && !s->run && !s->cluster && !s->waits.n && !s->dirty);
    free_result(s);
    vec_free(&s->waits);
    arena_free(s->a);
    free(s->user_name);
    free(s->client);
    free(s->host);
    free(s->tags);
    free(s->error);
    free(s->error_class);
    free(s->error_json);
    statement_free_text(s);
    free(s->kind);
    free(s->staging);
    free(s->metrics);
    free(s);
}

static void drop_held(void *arg) { statement_drop(arg); }

void statement_hold_for(struct req *r, struct statement *s) {
    statement_hold(s);
    arena_on_free(r->a, drop_held, s);
}

static void unlist_ended(struct statement *s) {
    struct statements *svc = s->svc;
    if (svc->shelve_next == s) svc->shelve_next = s->newer;
    *(s->older ? &s->older->newer : &svc->ended_first) = s->newer;
    *(s->newer ? &s->newer->older : &svc->ended_last) = s->older;
    s->older = s->newer = NULL;
    svc->n_ended--;
    svc->kept_bytes -= s->kept;
}

void statement_forget(struct statement *s) {
    if (!s->listed) return;
    must(statement_over(s->state));
    s->listed = false;
    map_del(s->svc->statements, str_of(s->id));
    unlist_ended(s);
    if (s->state == STATEMENT_SUCCEEDED) s->state = STATEMENT_CLOSED;
    statement_drop(s);
}

void statements_forget_warehouse(struct statements *svc, struct warehouse *w) {
    str k;
    void *v;
    for (size_t i = 0; map_next(svc->statements, &i, &k, &v);) {
        struct statement *s = v;
        if (s->w == w) s->w = NULL;
    }
    for (size_t i = 0; i < svc->dirty.n; i++)
        if (svc->dirty.p[i]->w == w) svc->dirty.p[i]->w = NULL;
}

/* ---- submitting ---- */

static str keep(arena *a, str s) { return s.p ? arena_str(a, s) : s; }

static const struct engine_param *keep_params(arena *a, const struct engine_param *from, size_t n) {
    struct engine_param *p = arena_array_of(a, struct engine_param, n + 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (struct engine_param){keep(a, from[i].name), keep(a, from[i].type), keep(a, from[i].value),
                                     from[i].args ? keep_params(a, from[i].args, from[i].n_args) : NULL, from[i].n_args};
    return p;
}

static void copy_ask(struct statement *s, const struct statement_ask *ask) {
    arena *a = s->a = arena_new();
    s->ask = *ask;
    s->text = dup_text(ask->text);
    s->text_n = ask->text.n;
    s->svc->text_bytes += (int64_t)s->text_n;
    if (ask->shown.n) s->shown = dup_text(ask->shown);
    s->ask.shown = STR_NONE;
    s->ask.text = str_n(s->text, s->text_n);
    s->ask.params = keep_params(a, ask->params, ask->n_params);
    struct msg_pair *conf = arena_array_of(a, struct msg_pair, ask->n_conf + 1);
    for (size_t i = 0; i < ask->n_conf; i++)
        conf[i] = (struct msg_pair){keep(a, ask->conf[i].name), keep(a, ask->conf[i].value)};
    s->ask.conf = conf;
    s->tags = dup_text(ask->tags);
}

static err *check_limits(struct warehouse *w, const struct statement_ask *ask) {
    const struct settings *set = &w->svc->c->settings;
    if (ask->text.n > STATEMENT_MAX_TEXT)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "The statement has %zu bytes of text, more than %u.", ask->text.n,
                       STATEMENT_MAX_TEXT);
    if (!str_is_utf8(ask->text)) return err_new(ERR_INVALID_PARAMETER_VALUE, "The statement's text is not UTF-8.");
    if (ask->text.n > STATEMENT_SHORT_TEXT && w->svc->text_bytes + (int64_t)ask->text.n > STATEMENTS_MAX_TEXTS)
        return err_hint(err_new(ERR_RESOURCE_EXHAUSTED, "The statements that wait and run have too much text to take %zu bytes more.", ask->text.n),
                        "Try again when some of them have ended.");
    int64_t most = settings_int(set, SET_SQL_QUEUE_LIMIT);
    if ((int64_t)w->n_queue >= most && w->n_queue)
        return err_new(ERR_RESOURCE_EXHAUSTED,
                       "SQL warehouse '%s' has %lld queued statements, the most it takes.", w->id,
                       (long long)most);
    if (w->svc->spool_bytes >= settings_int(set, SET_SQL_SPOOL_LIMIT))
        return err_hint(err_new(ERR_RESOURCE_EXHAUSTED, "The space for results (sql.spool_limit) is used up."),
                        "Close statements whose results are no longer needed.");
    return NULL;
}

err *statement_submit(struct req *r, const struct statement_ask *ask, struct statement **ret) {
    struct sql_session *ses = ask->session;
    struct warehouse *w = ses->w;
    struct statements *svc = w->svc;
    TRY(warehouse_need(w, &r->who, r->principal_name, WAREHOUSES_CAN_USE));
    TRY(check_limits(w, ask));
    struct statement *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->svc = svc;
    s->w = w;
    snprintf(s->warehouse_id, sizeof(s->warehouse_id), "%s", w->id);
    s->session = ses;
    s->session_shown = !ses->of_one;
    snprintf(s->session_id, sizeof(s->session_id), "%s", ses->id);
    rand_uuid(s->id);
    s->scope = r->scope;
    s->user = r->principal;
    s->user_name = dup_text(r->principal_name);
    s->client = dup_text(str_of(ses->client));
    s->host = dup_text(str_cut(r->host, 255));
    s->tls = r->tls;
    s->submitted = clock_now();
    s->disposition = ask->disposition;
    s->format = ask->format;
    s->form = ask->form;
    s->lz4 = ask->lz4;
    s->modified_rows = -1;
    copy_ask(s, ask);
    ses->statements++;
    map_put(ses->running, str_of(s->id), s);
    session_touch(ses);
    s->listed = true;
    s->holds = 1;
    map_put(svc->statements, str_of(s->id), s);
    history_note(s);
    *(w->state == WAREHOUSE_RUNNING ? &s->queued_for_room : &s->queued_for_start) = s->submitted;
    warehouse_enqueue(w, s);
    statement_hold_for(r, s); /* the pump may end it at once */
    warehouse_pump(w);
    *ret = s;
    return NULL;
}

err *statement_find(struct req *r, str id, uint64_t level, struct statement **ret) {
    struct statement *s = map_get(statements_of(r->control)->statements, id);
    bool mine = s && s->scope.workspace == r->scope.workspace &&
                (s->user == r->principal ||
                 (level && s->w && warehouse_level(s->w, &r->who) >= level));
    if (!mine)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Statement '%.*s' does not exist.",
                       STR_ARG(str_cut(id, 64)));
    statement_hold_for(r, s);
    *ret = s;
    return NULL;
}

/* ---- running ---- */

static void on_late(loop_timer *t) {
    struct statement *s = (struct statement *)((char *)t - offsetof(struct statement, late));
    if (s->run) engine_cancel(s->run, "statement timeout");
}

static int64_t timeout_of(const struct statement *s) {
    int64_t best = settings_int(&s->svc->c->settings, SET_SQL_STATEMENT_TIMEOUT), v;
    if (s->w->timeout_us > 0 && s->w->timeout_us < best) best = s->w->timeout_us;
    str set = session_setting(s->session, "STATEMENT_TIMEOUT");
    if (set.p && str_to_i64(set, &v) && v > 0 && v < best / 1000000) best = v * 1000000;
    if (s->ask.timeout_us > 0 && s->ask.timeout_us < best) best = s->ask.timeout_us;
    return best;
}

/* Names that engines remember hold until anything in meta.db changes. */
static uint64_t policy_seq(struct statements *svc) {
    struct store_stats st;
    store_stats_of(svc->c->store, STORE_META, &st);
    return (uint64_t)st.groups + 1;
}

static void set_running(struct statement *s) {
    s->state = STATEMENT_RUNNING;
    s->started = clock_now();
}

void statements_began(struct cluster *cl) {
    str k, id;
    void *session, *v;
    for (size_t i = 0; map_next(cl->w->svc->sessions, &i, &k, &session);)
        for (size_t n = 0; map_next(((struct sql_session *)session)->running, &n, &id, &v);) {
            struct statement *s = v;
            if (s->cluster == cl && s->run && s->state == STATEMENT_PENDING) set_running(s);
        }
}

static void on_state(engine_statement *run, const struct engine_state *st, void *arg);
static void on_ask(engine_statement *run, uint64_t question, str op, jval *ask, void *arg) {
    (void)run;
    asks_on_question(arg, question, op, ask);
}

void statement_run(struct statement *s) {
    static const struct engine_statement_events events = {.on_state = on_state, .on_ask = on_ask};
    struct statements *svc = s->svc;
    err *e = spool_open(&s->spool);
    if (e) {
        statement_fail(s, STATEMENT_FAILED, err_code_of(e), err_msg(e));
        err_free(e);
        return;
    }
    session_on(s->session, s->cluster);
    const struct statement_ask *k = &s->ask;
    int64_t timeout = timeout_of(s);
    /* What is left of the space for results bounds it too, and going past that is an error, not a cut. */
    int64_t space = settings_int(&svc->c->settings, SET_SQL_SPOOL_LIMIT) - svc->spool_bytes;
    bool tight = space > 0 && (!k->byte_limit || space < k->byte_limit);
    struct engine_exec x = {.session = str_of(s->session->id),
                            .id = str_of(s->id),
                            .text = k->text,
                            .params = k->params,
                            .n_params = k->n_params,
                            .conf = k->conf,
                            .n_conf = k->n_conf,
                            .format = k->format,
                            .form = k->form,
                            .native = k->native,
                            .lz4 = k->lz4,
                            .lz4_if_smaller = k->lz4_if_smaller,
                            .row_limit = k->row_limit,
                            .byte_limit = tight ? space : k->byte_limit,
                            .byte_limit_fails = tight || k->byte_limit_fails,
                            .chunk_bytes = k->chunk_bytes,
                            .chunk_rows = k->chunk_rows,
                            .inline_bytes = k->inline_bytes,
                            .timeout_ms = timeout / 1000,
                            .now_us = clock_now(),
                            .policy_seq = policy_seq(svc),
                            .early = k->early,
                            .spool = spool_fd(s->spool),
                            .spool_room = SHELF_MAX_RESULT};
    if (s->cluster->ready) set_running(s);
    s->late.on_time = on_late;
    loop_timer_set(svc->c->l, &s->late, timeout + LATE_US);
    s->room = x.byte_limit;
    s->run = engine_exec(s->cluster->e, &x, &events, s);
}

static int64_t length(const char *s) { return s ? (int64_t)strlen(s) : 0; }

/* About what an ended statement keeps in memory. */
static int64_t weight(const struct statement *s) {
    int64_t n = (int64_t)(sizeof(*s) + s->arrow_schema_n + s->chunks.n * sizeof(struct engine_chunk) + s->n_cols * sizeof(*s->cols));
    for (size_t i = 0; i < s->n_cols; i++)
        n += length(s->cols[i].name) + length(s->cols[i].type) + length(s->cols[i].type_json) + length(s->cols[i].comment);
    return n + length(s->error) + length(s->error_json) + length(s->tags) + length(s->staging) + length(s->metrics);
}

/* ---- what the engine says ---- */

static void take_schema(struct statement *s, const struct engine_state *st) {
    if (!st->has_schema || s->has_schema) return;
    s->has_schema = true;
    s->cols = calloc(st->n_cols + 1, sizeof(*s->cols));
    must(s->cols != NULL);
    s->n_cols = st->n_cols;
    for (size_t i = 0; i < st->n_cols; i++) {
        const struct engine_column *c = &st->cols[i];
        s->cols[i] = (struct statement_column){dup_text(c->name), dup_text(c->type),
                                               dup_text(c->type_json), dup_text(c->comment),
                                               c->nullable};
    }
    if (!st->arrow_schema.n) return;
    s->arrow_schema = dup_text(st->arrow_schema);
    s->arrow_schema_n = st->arrow_schema.n;
}

/* Chunks follow each other, and lie in what was written: so what they add up to is what there is. */
static bool take_chunks(struct statement *s, const struct engine_state *st) {
    if (!st->n_chunks) return true;
    if (!s->spool || s->chunks.n + st->n_chunks > STATEMENT_MAX_CHUNKS) return false;
    if (!s->chunks.n) {
        s->form = st->form;
        s->lz4 = s->lz4 && !st->plain;
    }
    int64_t size = spool_size(s->spool);
    for (size_t i = 0; i < st->n_chunks; i++) {
        const struct engine_chunk *k = &st->chunks[i];
        if (k->offset != s->told_bytes || k->row_offset != s->told_rows || k->bytes > size - s->told_bytes || !k->bytes || !k->rows)
            return false;
        s->told_bytes += k->bytes;
        s->told_rows += k->rows;
        vec_push(&s->chunks, *k);
        s->svc->spool_bytes += k->bytes;
    }
    return !s->room || s->told_bytes - s->room / 8 <= s->room + SPOOL_MAX_UNTOLD; /* the last chunk may be large */
}

/* Statements side by side were each told to stay below what was left; together they may be more. */
static void mind_space(struct statement *s) {
    if (s->svc->spool_bytes > settings_int(&s->svc->c->settings, SET_SQL_SPOOL_LIMIT))
        statement_cancel(s, "the space for results (sql.spool_limit) is used up");
}

static char *json_kept(jval *v) { return v && !yyjson_is_null(v) ? yyjson_val_write(v, 0, NULL) : NULL; }

/* Leaves its cluster, session and queue; tells everybody. */
static void statement_end(struct statement *s, enum statement_state state) {
    struct statements *svc = s->svc;
    struct cluster *cl = s->cluster;
    struct sql_session *ses = s->session;
    struct warehouse *w = s->w;
    must(!statement_over(s->state));
    statement_hold(s);
    s->state = state;
    s->ended = clock_now();
    s->ended_at = loop_now(svc->c->l);
    s->run = NULL;
    s->cluster = NULL;
    s->session = NULL;
    loop_timer_clear(svc->c->l, &s->late);
    arena_free(s->a);
    s->a = NULL;
    s->ask = (struct statement_ask){0};
    if (state != STATEMENT_SUCCEEDED) free_result(s);
    s->older = svc->ended_last;
    *(svc->ended_last ? &svc->ended_last->newer : &svc->ended_first) = s;
    svc->ended_last = s;
    if (!svc->shelve_next) svc->shelve_next = s;
    svc->n_ended++;
    s->kept = weight(s);
    svc->kept_bytes += s->kept;
    history_note(s);
    map_del(ses->running, str_of(s->id));
    session_touch(ses);
    session_release(ses);
    waits_resume(s);
    if (s->forget) statement_forget(s);
    if (cl) warehouse_freed(w, cl);
    statement_drop(s);
}

static void set_error(struct statement *s, err_code code, str message) {
    s->error_code = code;
    free(s->error);
    s->error = dup_text(message);
}

void statement_fail(struct statement *s, enum statement_state state, err_code code, const char *why) {
    if (s->w) warehouse_unqueue(s->w, s);
    set_error(s, code, str_of(why));
    statement_end(s, state);
}

/* The process is gone, with all that ran in it. */
static bool lost(const struct engine_state *st) {
    return !st->error_class.n || str_eqz(st->error_class, "ENGINE_LOST");
}

static void take_error(struct statement *s, const struct engine_state *st) {
    const struct cluster *cl = s->cluster;
    if (cl->ending && lost(st)) {
        set_error(s, ERR_ABORTED, str_of(cl->ending));
        return;
    }
    set_error(s, !lost(st) ? ERR_BAD_REQUEST : st->timed_out ? ERR_DEADLINE_EXCEEDED : ERR_ABORTED,
              st->error_message.n ? st->error_message : STR("The statement failed without a reason."));
    s->error_class = dup_text(st->error_class);
    snprintf(s->sql_state, sizeof(s->sql_state), "%.*s", STR_ARG(st->sql_state));
    s->error_json = json_kept(st->error);
}

/* The engine never came to life: another one gets the statement. */
static bool again(struct statement *s, const struct engine_state *st) {
    struct cluster *cl = s->cluster;
    struct warehouse *w = s->w;
    if (cl->ready || s->early || cl->ending || !lost(st) || s->cancel_asked || ++s->tries >= MAX_TRIES)
        return false;
    s->run = NULL;
    s->cluster = NULL;
    s->asks = 0;
    loop_timer_clear(s->svc->c->l, &s->late);
    spool_release(s->spool);
    s->spool = NULL;
    cl->running--;
    w->n_running--;
    warehouse_enqueue(w, s); /* pumped when the engine's end is told, or at the retry */
    return true;
}

static void canceled(struct statement *s, const struct engine_state *st) {
    buf b = {0};
    if (st->session && s->session) session_changed(s->session, st->session);
    if (st->timed_out)
        buf_z(&b, "The statement was cancelled because it ran longer than its time limit.");
    else
        buf_fmt(&b, "The statement was cancelled%s%s.", s->cancel_why ? ": " : "",
                s->cancel_why ? s->cancel_why : "");
    s->over_own_limit = st->timed_out && s->ask.timeout_us > 0;
    set_error(s, st->timed_out ? ERR_DEADLINE_EXCEEDED : ERR_CANCELLED, buf_view(&b));
    buf_free(&b);
    statement_end(s, st->timed_out ? STATEMENT_FAILED : STATEMENT_CANCELED);
}

static void finished(struct statement *s, const struct engine_state *st) {
    s->rows = st->rows;
    s->bytes = st->bytes;
    s->truncated = st->truncated;
    s->has_result = st->has_result;
    s->is_dml = st->is_dml;
    s->modified_rows = st->modified_rows;
    s->kind = dup_text(st->statement_type);
    s->staging = json_kept(st->staging);
    s->metrics = json_kept(st->metrics);
    if (st->session && s->session) session_changed(s->session, st->session);
    if (!s->chunks.n) { /* nothing in it */
        spool_release(s->spool);
        s->spool = NULL;
    }
    statement_end(s, STATEMENT_SUCCEEDED);
}

/* Its engine told a last state that cannot be: there will be no other. */
static void statement_refused(struct statement *s) {
    set_error(s, ERR_ABORTED, STR("[ENGINE_LOST] The warehouse's compute process was ended because its result is damaged. "
                                  "Run the statement again. SQLSTATE: 58030"));
    s->error_class = dup_text(STR("ENGINE_LOST"));
    snprintf(s->sql_state, sizeof(s->sql_state), "58030");
    statement_end(s, STATEMENT_FAILED);
}

static void on_state(engine_statement *run, const struct engine_state *st, void *arg) {
    struct statement *s = arg;
    (void)run;
    take_schema(s, st);
    if (!take_chunks(s, st)) {
        cluster_refuse(s, "chunks of a result that cannot be");
        if (st->kind != ENGINE_RUNNING) statement_refused(s);
        return;
    }
    switch (st->kind) {
    case ENGINE_RUNNING:
        s->early |= st->early && s->ask.early;
        mind_space(s);
        statement_hold(s);
        waits_rows(s);
        statement_drop(s);
        break;
    case ENGINE_FINISHED: finished(s, st); break;
    case ENGINE_CANCELED: canceled(s, st); break;
    case ENGINE_FAILED:
        if (again(s, st)) break;
        if (st->statement_type.n) s->kind = dup_text(st->statement_type);
        if (st->session && s->session) session_changed(s->session, st->session);
        if (st->timed_out) {
            canceled(s, st);
            break;
        }
        take_error(s, st);
        statement_end(s, STATEMENT_FAILED);
        break;
    }
}

/* ---- ending it from outside ---- */

void statement_cancel(struct statement *s, const char *why) {
    if (statement_over(s->state) || s->cancel_asked) return;
    s->cancel_asked = true;
    s->cancel_why = why;
    if (s->run) {
        engine_cancel(s->run, why);
        return;
    }
    buf b = {0};
    buf_fmt(&b, "The statement was cancelled: %s.", why);
    buf_c(&b, 0);
    statement_fail(s, STATEMENT_CANCELED, ERR_CANCELLED, b.p);
    buf_free(&b);
}

void statement_close(struct statement *s) {
    if (statement_over(s->state)) {
        statement_forget(s);
        return;
    }
    s->forget = true;
    statement_cancel(s, "it was closed");
}
