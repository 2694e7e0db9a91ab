/* SPDX-License-Identifier: Apache-2.0 */
#include "statements/asks.h"

#include <unistd.h>

#include "base/log.h"
#include "engine/link.h"
#include "statements/statements_int.h"

/* Which question of which statement a request answers. */
struct answer_to {
    uint64_t statement, question;
};

void asks_add(struct control *c, const struct route_row *rows, size_t n) {
    struct statements *svc = statements_of(c);
    for (size_t i = 0; i < n; i++)
        must(!map_put(svc->asks, str_of(rows[i].name), (void *)(uintptr_t)&rows[i]));
}

void asks_free(struct statements *svc) { map_free(svc->asks); }

static const struct route_row *row_of(struct statements *svc, str op, jval *ask) {
    const struct route_row *row = map_get(svc->asks, op);
    if (row) return row;
    buf name = {0}, key = {0};
    buf_str(&key, op);
    buf_c(&key, 0);
    buf_fmt(&name, "%.*s.%.*s", STR_ARG(op), STR_ARG(json_get_str(ask, key.p)));
    row = map_get(svc->asks, buf_view(&name));
    buf_free(&name);
    buf_free(&key);
    return row;
}

static void on_answer(struct req *r, const err *e) {
    struct answer_to *to = r->conn;
    struct control *c = r->control;
    engine_statement *run = engine_statement_by_number(c, to->statement);
    struct statement *s = run ? engine_arg_of(run) : NULL;
    if (s && s->asks) s->asks--;
    if (e) {
        engine_answer_err(c, to->statement, to->question, e);
    } else if (r->raw.n > CHAN_MAX_PAYLOAD - 4096) {
        err *big = err_new(ERR_RESOURCE_EXHAUSTED, "The answer to '%.*s' has %zu bytes.",
                           STR_ARG(r->ask->op), r->raw.n);
        engine_answer_err(c, to->statement, to->question, big);
        err_free(big);
    } else {
        engine_answer(c, to->statement, to->question, r->raw.n ? r->raw : STR("{}"), r->reply_fd);
    }
}

/* A statement that is parsed and that nobody carries out, or a question that nobody answers. */
static err *unknown(arena *a, str op, jval *ask) {
    if (!str_eqz(op, "command"))
        return err_new(ERR_NOT_IMPLEMENTED, "'%.*s' is not answered by this platform.", STR_ARG(str_cut(op, 64)));
    char *words = arena_strndup(a, json_get_str(ask, "command").p, json_get_str(ask, "command").n);
    for (char *p = words; *p; p++) *p = *p == '_' ? ' ' : *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    err *e = err_new(ERR_SQL_ERROR, "[UNSUPPORTED_FEATURE.SQL_STATEMENT] The statement %s is not supported. SQLSTATE: 0A000", words);
    return err_detail(e, "{\"class\":\"UNSUPPORTED_FEATURE.SQL_STATEMENT\",\"sqlState\":\"0A000\",\"params\":{}}");
}

/* The statement's principal with the rights that he has now. */
static err *set_who(struct req *r, const struct statement *s) {
    const struct fact_principal *p = facts_principal(r->control->facts, s->user);
    if (!p || !p->active || !facts_membership(p, s->scope.workspace))
        return err_new(ERR_PERMISSION_DENIED, "'%s' may no longer use this workspace.", s->user_name);
    r->principal = p->id;
    r->principal_type = p->type;
    r->principal_name = arena_str(r->a, str_of(p->name));
    r->account_admin = p->account_admin;
    r->who = facts_subject(p, s->scope.workspace);
    int64_t *g = arena_array_of(r->a, int64_t, p->n_groups + 1);
    if (p->n_groups) memcpy(g, p->groups, p->n_groups * sizeof(*g));
    r->who.groups = g;
    return NULL;
}

static void set_args(struct req *r, jval *ask) {
    yyjson_doc *copy = NULL;
    if (ask) {
        jdoc *d = json_doc(r->a);
        copy = yyjson_mut_val_imut_copy(yyjson_val_mut_copy(d, ask), NULL);
        must(copy != NULL);
        arena_on_free(r->a, (void (*)(void *))yyjson_doc_free, copy);
    }
    r->args = r->json = copy ? yyjson_doc_get_root(copy) : NULL;
}

/* The result outgrew its memory. It concerns the statement alone, so no principal is asked about. */
static void answer_spool(struct statement *s, uint64_t question) {
    struct control *c = s->svc->c;
    uint64_t number = engine_statement_number(s->run);
    if (s->spool && spool_grown(s->spool)) { /* each further one would be disk that nobody counts */
        cluster_refuse(s, "a second file for one result");
        return;
    }
    err *e = s->spool ? spool_grow(s->svc, s) : err_new(ERR_INVALID_STATE, "This statement keeps no result.");
    if (e)
        engine_answer_err(c, number, question, e);
    else
        engine_answer(c, number, question, STR("{}"), spool_fd(s->spool));
    err_free(e);
}

void asks_on_question(struct statement *s, uint64_t question, str op, jval *ask) {
    struct control *c = s->svc->c;
    if (str_eqz(op, "spool")) {
        answer_spool(s, question);
        return;
    }
    if (s->asks >= STATEMENT_MAX_ASKS) {
        cluster_refuse(s, "more questions than it can wait for");
        return;
    }
    s->asks++;
    struct req *r = req_new(c);
    struct answer_to *to = arena_new_of(r->a, struct answer_to);
    *to = (struct answer_to){engine_statement_number(s->run), question};
    struct req_ask *k = arena_new_of(r->a, struct req_ask);
    *k = (struct req_ask){.op = arena_str(r->a, op),
                          .statement = arena_str(r->a, str_of(s->id)),
                          .session = arena_str(r->a, str_of(s->session_id)),
                          .warehouse = arena_str(r->a, str_of(s->warehouse_id)),
                          .catalog = arena_str(r->a, str_of(s->session->catalog)),
                          .schema = arena_str(r->a, str_of(s->session->schema)),
                          .number = to->statement};
    r->ask = k;
    r->conn = to;
    r->on_answer = on_answer;
    r->method = STR("POST");
    r->path = str_of(arena_printf(r->a, "ask/%.*s", STR_ARG(str_cut(op, 64))));
    r->request_id = k->statement;
    r->scope = s->scope;
    r->host = arena_str(r->a, str_of(s->host));
    r->tls = s->tls;
    set_args(r, ask);
    r->row = row_of(s->svc, op, ask);
    err *e = r->row ? set_who(r, s) : unknown(r->a, op, ask);
    if (e) {
        on_answer(r, e);
        err_free(e);
        req_release(r);
        return;
    }
    req_dispatch(r);
}
