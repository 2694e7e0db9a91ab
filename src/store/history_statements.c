/* SPDX-License-Identifier: Apache-2.0 */
#include "store/history_statements.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/vec.h"
#include "store/sql.h"

#define COLUMNS                                                                                    \
    "sid, account_id, workspace_id, id, warehouse, session, user_id, user_name, state, submitted,"  \
    " started, ended, row_count, kind, client, text, error_code, error, sql_state, tags, metrics"

/* At most n bytes, and no half character. */
static str cut(str s, size_t n) {
    if (s.n <= n) return s;
    while (n && ((unsigned char)s.p[n] & 0xC0) == 0x80) n--;
    return str_cut(s, n);
}

/* "" instead of NULL. */
static struct sql_arg text(str s) { return sql_t(s.p ? s : STR("")); }

err *history_statement_put(store_tx *tx, const struct history_statement *s) {
    return sql_run(
        tx,
        "INSERT INTO statement (account_id, workspace_id, id, warehouse, session, user_id, user_name,"
        " state, submitted, started, ended, row_count, kind, client, text, error_code, error,"
        " sql_state, tags, metrics) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
        " ?14, ?15, ?16, ?17, ?18, ?19, ?20) ON CONFLICT (workspace_id, id) DO UPDATE SET"
        " state = ?8, started = ?10, ended = ?11, row_count = ?12, kind = ?13, error_code = ?16,"
        " error = ?17, sql_state = ?18, metrics = ?20",
        sql_i(s->scope.account), sql_i(s->scope.workspace), sql_t(s->id), text(s->warehouse),
        text(s->session), sql_i(s->user), text(s->user_name), sql_i(s->state), sql_i(s->submitted),
        sql_i(s->started), sql_i(s->ended), sql_i(s->rows), text(s->kind), text(s->client),
        text(cut(s->text, HISTORY_MAX_TEXT)), text(s->error_code), text(cut(s->error, 65536)),
        text(s->sql_state), text(s->tags), text(s->metrics));
}

static void read_row(sql *q, arena *a, struct history_statement *r) {
    *r = (struct history_statement){
        .sid = sql_get_i(q, 0),
        .scope = {sql_get_i(q, 1), sql_get_i(q, 2)},
        .id = sql_get_t(q, 3, a),
        .warehouse = sql_get_t(q, 4, a),
        .session = sql_get_t(q, 5, a),
        .user = sql_get_i(q, 6),
        .user_name = sql_get_t(q, 7, a),
        .state = (enum history_state)sql_get_i(q, 8),
        .submitted = sql_get_i(q, 9),
        .started = sql_get_i(q, 10),
        .ended = sql_get_i(q, 11),
        .rows = sql_get_i(q, 12),
        .kind = sql_get_t(q, 13, a),
        .client = sql_get_t(q, 14, a),
        .text = sql_get_t(q, 15, a),
        .error_code = sql_get_t(q, 16, a),
        .error = sql_get_t(q, 17, a),
        .sql_state = sql_get_t(q, 18, a),
        .tags = sql_get_t(q, 19, a),
        .metrics = sql_get_t(q, 20, a),
    };
}

err *history_statement_get(store_tx *tx, struct store_scope scope, arena *a, str id,
                           struct history_statement *ret, bool *found) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT " COLUMNS " FROM statement WHERE workspace_id = ?1 AND id = ?2",
                 sql_i(scope.workspace), sql_t(id)));
    err *e = sql_step(q, found);
    if (!e && *found) read_row(q, a, ret);
    sql_close(q);
    return e;
}

/* ---- lists ---- */

struct condition {
    buf text;
    vec_of(struct sql_arg) args;
};

/* " AND column IN (?7, ?8)"; the names are ours. */
static void in_list(struct condition *c, const char *before, size_t n, const char *after) {
    buf_z(&c->text, before);
    for (size_t i = 0; i < n; i++)
        buf_fmt(&c->text, "%s?%zu", i ? ", " : "", c->args.n - n + i + 1);
    buf_z(&c->text, after);
}

static void add_texts(struct condition *c, const char *before, const str *p, size_t n,
                      const char *after) {
    for (size_t i = 0; i < n; i++) vec_push(&c->args, text(p[i]));
    in_list(c, before, n, after);
}

static void add_number(struct condition *c, const char *before, int64_t v) {
    vec_push(&c->args, sql_i(v));
    buf_fmt(&c->text, "%s?%zu", before, c->args.n);
}

static void conditions(struct condition *c, struct store_scope scope, const struct history_query *q) {
    buf_z(&c->text, "SELECT " COLUMNS " FROM statement WHERE");
    add_number(c, " workspace_id = ", scope.workspace);
    if (q->from) add_number(c, " AND submitted >= ", q->from);
    if (q->until) add_number(c, " AND submitted <= ", q->until);
    if (q->n_ids) add_texts(c, " AND id IN (", q->ids, q->n_ids, ")");
    if (q->n_warehouses) add_texts(c, " AND warehouse IN (", q->warehouses, q->n_warehouses, ")");
    if (q->n_users) {
        for (size_t i = 0; i < q->n_users; i++) vec_push(&c->args, sql_i(q->users[i]));
        in_list(c, " AND user_id IN (", q->n_users, ")");
    }
    if (q->states) {
        buf_z(&c->text, " AND state IN (-1");
        for (int i = 0; i < 32; i++)
            if (q->states & 1u << i) buf_fmt(&c->text, ", %d", i);
        buf_z(&c->text, ")");
    }
    if (!q->everything) {
        add_number(c, " AND (user_id = ", q->self);
        if (q->n_seen) add_texts(c, " OR warehouse IN (", q->seen, q->n_seen, ")");
        buf_z(&c->text, ")");
    }
    if (q->before || q->before_sid) {
        vec_push(&c->args, sql_i(q->before));
        vec_push(&c->args, sql_i(q->before_sid));
        buf_fmt(&c->text, " AND (submitted, sid) < (?%zu, ?%zu)", c->args.n - 1, c->args.n);
    }
    add_number(c, " ORDER BY submitted DESC, sid DESC LIMIT ", q->limit + 1);
}

err *history_statement_list(store_tx *tx, struct store_scope scope, arena *a,
                            const struct history_query *query, struct history_statements *ret,
                            bool *ret_more) {
    must(query->limit > 0 && query->limit <= HISTORY_MAX_PAGE);
    struct condition c = {0};
    conditions(&c, scope, query);
    buf_c(&c.text, 0);
    *ret = (struct history_statements){arena_array_of(a, struct history_statement, query->limit), 0};
    *ret_more = false;
    sql *q = NULL;
    bool row;
    err *e = sql_open_text(&q, tx, c.text.p, c.args.p, c.args.n);
    while (!e && !(e = sql_step(q, &row)) && row) {
        if (ret->n == (size_t)query->limit) {
            *ret_more = true;
            break;
        }
        read_row(q, a, &ret->p[ret->n++]);
    }
    sql_close(q);
    buf_free(&c.text);
    vec_free(&c.args);
    return e;
}

/* ---- care ---- */

err *history_statement_fail_open(store_tx *tx, int64_t ended, str code, str message) {
    return sql_run(tx,
                   "UPDATE statement SET state = 4, ended = ?1, error_code = ?2, error = ?3"
                   " WHERE state < 3",
                   sql_i(ended), sql_t(code), sql_t(message));
}

err *history_statement_prune(store_tx *tx, int64_t before, int64_t max, int64_t *ret_n) {
    TRY(sql_run(tx,
                "DELETE FROM statement WHERE sid IN (SELECT sid FROM statement"
                " WHERE submitted < ?1 LIMIT ?2)",
                sql_i(before), sql_i(max)));
    *ret_n = sql_changes(tx);
    return NULL;
}

err *history_statement_drop(store_tx *tx, struct store_scope scope, int64_t max, int64_t *ret_n) {
    TRY(sql_run(tx,
                "DELETE FROM statement WHERE sid IN (SELECT sid FROM statement"
                " WHERE workspace_id = ?1 LIMIT ?2)",
                sql_i(scope.workspace), sql_i(max)));
    *ret_n = sql_changes(tx);
    return NULL;
}
