/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions to control. A statement has one open at a time: a thread sends it through the loop thread
 * and waits for the answer, or for being told to end.
 */
#include <stdlib.h>
#include <unistd.h>

#include "engine/worker/remote.h"
#include "engine/worker/worker.h"

struct outgoing {
    struct worker *w;
    uint64_t number, question;
    char *op;
    buf json;
};

static void send_on_loop(void *arg) {
    struct outgoing *o = arg;
    if (o->w->ch)
        CHAN_SEND(o->w->ch, engine_ask, o->number, -1, .question = o->question, .op = str_of(o->op),
                  .json = buf_view(&o->json));
    free(o->op);
    buf_free(&o->json);
    free(o);
}

/* An error as control sent it: {"message","class","sqlState","code"…}. */
static err *error_of(arena *a, jval *e) {
    err_code code = err_by_name(json_get_str(e, "code"));
    str message = json_get_str(e, "message");
    if (!message.n) message = STR("control refused without a reason");
    err *made = err_new(code == ERR_OK ? ERR_SQL_ERROR : code, "%.*s", STR_ARG(message));
    size_t n = 0;
    char *detail = yyjson_val_write(e, 0, &n);
    if (detail && json_get_str(e, "class").n) err_detail(made, "%.*s", (int)n, detail);
    free(detail);
    (void)a;
    return made;
}

/* Whatever the question was: what the statement may reach in object stores comes along. */
static void take_grants(struct statement *st, jval *answer) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(json_get(answer, "access"), i, n, v) remote_grant(st->number, json_get_str(v, "url"), json_get_str(v, "key"), json_get_str(v, "grant"));
}

static err *ask_control(struct statement *st, arena *a, str op, str json, str *ret_text, int *ret_fd) {
    struct outgoing *o = calloc(1, sizeof(*o));
    must(o != NULL);
    *o = (struct outgoing){.w = st->w, .number = st->number, .op = strndup(op.p, op.n)};
    buf_str(&o->json, json.n ? json : STR("{}"));
    pthread_mutex_lock(&st->asking);
    pthread_mutex_lock(&st->lock);
    o->question = st->question = atomic_fetch_add(&st->w->next_question, 1) + 1;
    st->has_answer = false;
    loop_post(st->w->l, send_on_loop, o);
    while (!st->has_answer && st->end == STATEMENT_RUNS) pthread_cond_wait(&st->answered, &st->lock);
    st->question = 0;
    bool got = st->has_answer;
    char *text = got ? st->answer : NULL;
    size_t n = st->answer_n;
    int fd = got ? st->answer_fd : -1;
    st->answer = NULL;
    st->has_answer = false;
    pthread_mutex_unlock(&st->lock);
    pthread_mutex_unlock(&st->asking);
    err *e = got ? NULL : statement_check(st);
    if (!e && !text) e = err_new(ERR_INTERNAL_ERROR, "an answer of control was lost");
    if (!e) *ret_text = arena_str(a, str_n(text, n));
    free(text);
    if (!e)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return e;
}

err *statement_ask(struct statement *st, arena *a, str op, str json, jval **ret, int *ret_fd) {
    int64_t seq = 0;
    str text, user = str_of(st->s->user);
    int fd = -1;
    if (!st->changed) (void)json_i64(json_get(st->order, "policy_seq"), &seq);
    bool keep = seq > 0 && names_cacheable(op);
    if (keep && names_cache_get(st->w->names, (uint64_t)seq, user, op, json, a, &text)) return json_parse(a, text, true, ret);
    if (!names_harmless(op)) st->changed = true;
    err *e = ask_control(st, a, op, json, &text, &fd);
    if (!e) e = json_parse(a, text, true, ret);
    if (!e && json_get(*ret, "error")) e = error_of(a, json_get(*ret, "error"));
    if (!e) take_grants(st, *ret);
    /* An answer with grants is its statement's own. */
    if (!e && keep && !json_get(*ret, "access")) names_cache_put(st->w->names, (uint64_t)seq, user, op, json, text);
    if (!e && ret_fd)
        *ret_fd = fd;
    else if (fd >= 0)
        close(fd);
    return e;
}

void statement_answer(struct worker *w, uint64_t number, struct chan_frame *f) {
    arena *a = arena_new();
    struct msg_engine_answer m;
    bool ok = msg_engine_answer_decode(a, f->payload, &m);
    struct statement *st = ok ? map_get(w->statements, map_key_u64(&number)) : NULL;
    if (st) {
        pthread_mutex_lock(&st->lock);
        if (st->question == m.question && !st->has_answer) {
            st->answer = malloc(m.json.n + 1);
            must(st->answer != NULL);
            if (m.json.n) memcpy(st->answer, m.json.p, m.json.n);
            st->answer_n = m.json.n;
            st->answer_fd = f->fd;
            f->fd = -1;
            st->has_answer = true;
            pthread_cond_signal(&st->answered);
        }
        pthread_mutex_unlock(&st->lock);
    }
    arena_free(a);
}
