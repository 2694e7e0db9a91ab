/* SPDX-License-Identifier: Apache-2.0 */
/* Warehouses, sessions and statements over engines that the test plays: no process, no socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness/direct.h"
#include "identity/identity.h"
#include "statements/statements.h"

/* ---- engines as the test plays them (instead of engine/link.c) ---- */

struct engine {
    const struct engine_events *ev;
    void *arg;
    int64_t memory;
    bool dead;
    char opened[64], closed[64], catalog[64];
};
struct engine_statement {
    engine *e;
    const struct engine_statement_events *ev;
    void *arg;
    char text[64];
    int spool;
    bool over, cancelled;
    int64_t timeout_ms;
};
static engine engines[64];
static engine_statement runs[256];
static size_t n_engines, n_runs;

engine *engine_acquire(struct control *c, const struct engine_spec *spec, const struct engine_events *ev, void *arg) {
    (void)c;
    engine *e = &engines[n_engines++];
    *e = (engine){.ev = ev, .arg = arg, .memory = spec->memory_bytes};
    return e;
}
static void tell(engine_statement *s, struct engine_state st) {
    if (s->over) return;
    s->over = st.kind != ENGINE_RUNNING;
    if (s->over) close(s->spool);
    s->ev->on_state(s, &st, s->arg);
}
static void fail_all(engine *e) {
    for (size_t i = 0; i < n_runs; i++)
        if (runs[i].e == e)
            tell(&runs[i], (struct engine_state){.kind = ENGINE_FAILED, .error_message = STR("the engine ended")});
}
void engine_end(engine *e) {
    e->dead = true;
    fail_all(e);
}
void engine_session_open(engine *e, const struct engine_session *s) {
    snprintf(e->opened, sizeof(e->opened), "%.*s", STR_ARG(s->id));
    snprintf(e->catalog, sizeof(e->catalog), "%.*s", STR_ARG(s->catalog));
}
void engine_session_close(engine *e, str id) { snprintf(e->closed, sizeof(e->closed), "%.*s", STR_ARG(id)); }
engine_statement *engine_exec(engine *e, const struct engine_exec *x, const struct engine_statement_events *ev, void *arg) {
    engine_statement *s = &runs[n_runs++];
    *s = (engine_statement){.e = e, .ev = ev, .arg = arg, .spool = dup(x->spool), .timeout_ms = x->timeout_ms};
    snprintf(s->text, sizeof(s->text), "%.*s", STR_ARG(x->text));
    return s;
}
void engine_cancel(engine_statement *s, const char *reason) {
    (void)reason;
    s->cancelled = true;
}
uint64_t engine_statement_number(const engine_statement *s) { return (uint64_t)(s - runs); }
engine_statement *engine_statement_by_number(struct control *c, uint64_t number) {
    (void)c;
    return number < n_runs && !runs[number].over ? &runs[number] : NULL;
}
void *engine_arg_of(const engine_statement *s) { return s->arg; }
static char refused[64];
void engine_refuse(engine_statement *s, const char *what) {
    (void)s;
    snprintf(refused, sizeof(refused), "%s", what);
}
static char answered[256];
void engine_answer(struct control *c, uint64_t statement, uint64_t question, str json, int fd) {
    (void)c, (void)fd;
    snprintf(answered, sizeof(answered), "%d/%d %.*s", (int)statement, (int)question, STR_ARG(json));
}
void engine_answer_err(struct control *c, uint64_t statement, uint64_t question, const err *e) {
    (void)c;
    snprintf(answered, sizeof(answered), "%d/%d %s", (int)statement, (int)question, err_name(err_code_of(e)));
}

static void ready(engine *e) { e->ev->on_ready(e, e->arg); }
static void dies(engine *e) {
    fail_all(e);
    e->dead = true;
    e->ev->on_ended(e, "killed by signal 9", e->arg);
}
/* One row "[[\"1\"]]" in one chunk. */
static void finish(engine_statement *s) {
    static const struct engine_column col = {.name = {"a", 1}, .type = {"int", 3}, .type_json = {"\"integer\"", 9}};
    static const struct engine_chunk chunk = {0, 7, 1, 0, 7};
    assert_int_equal(write(s->spool, "[[\"1\"]]", 7), 7);
    tell(s, (struct engine_state){.kind = ENGINE_FINISHED, .cols = &col, .n_cols = 1, .has_schema = true, .chunks = &chunk,
                                  .n_chunks = 1, .rows = 1, .bytes = 7, .has_result = true, .modified_rows = -1,
                                  .statement_type = STR("SELECT")});
}

/* ---- requests ---- */

static struct direct d;
static struct direct_user ann, bob, root;
static struct warehouse *w;

static void ok(err *e) {
    if (e) fail_msg("%s: %s", err_name(err_code_of(e)), err_msg(e));
}
static void fails(err *e, err_code code, const char *part) {
    if (err_code_of(e) != code || !strstr(err_msg(e), part))
        fail_msg("expected %s \"%s\", got %s", err_name(code), part, e ? err_msg(e) : "success");
    err_free(e);
}

static struct req *request(const struct direct_user *u) {
    static const struct route_row row = {.service = "test", .name = "test", .path = "/test"};
    struct req *r = req_new(&d.c);
    r->row = &row;
    r->principal = u->id;
    r->principal_name = str_of(u->name);
    r->scope = (struct store_scope){IDENTITY_ACCOUNT, d.workspace};
    r->who = (struct policy_subject){.id = u->id, .active = true, .workspace_admin = u->admin};
    r->host = STR("host:1");
    return r;
}

static struct sql_session *session(const struct direct_user *u) {
    struct req *r = request(u);
    struct sql_session *s;
    struct session_ask ask = {.w = w, .client = STR("test")};
    ok(session_open(r, &ask, &s));
    req_release(r);
    return s;
}

/* Submits; the statement stays because the service lists it. */
static struct statement *submit(struct sql_session *ses, const char *text) {
    struct req *r = request(&ann);
    struct statement_ask ask = {.session = ses, .text = str_of(text), .format = ENGINE_JSON_ARRAY};
    struct statement *s;
    ok(statement_submit(r, &ask, &s));
    req_release(r);
    return s;
}

static int waited;
static void resumed(struct req *r, const err *e) {
    (void)r;
    assert_null(e);
    waited++;
}
static struct statement *wait_for;
static int64_t wait_us;
static bool wait_cancel;
static err *wait_step(struct req *r) {
    statement_wait(wait_for, r, wait_us, wait_cancel);
    return NULL;
}
/* A request that waits; `waited` counts those that went on. */
static void wait_on(struct statement *s, int64_t us, bool cancel) {
    static const struct route_row row = {.service = "test", .name = "wait", .path = "/wait", .steps = {{LANE_LOOP, wait_step}}};
    struct req *r = request(&ann);
    wait_for = s;
    wait_us = us;
    wait_cancel = cancel;
    r->row = &row;
    r->on_answer = resumed;
    req_dispatch(r);
}

static void spin(int least) {
    for (int i = 0; i < 2000 && waited < least; i++) loop_step(d.c.l, 5000);
    assert_true(waited >= least);
}

/* The default workspace's starter becomes ann's, with two clusters at most. */
static err *make(store_tx *tx, void *arg) {
    (void)arg;
    arena *a = arena_new();
    struct store_scope scope = {IDENTITY_ACCOUNT, d.workspace};
    struct ent_warehouse_rows rows;
    struct ent_list_query q = {0};
    err *e = ent_warehouse_list(tx, scope, a, &q, &rows);
    if (!e && rows.n) {
        rows.p[0].max_clusters = 2;
        rows.p[0].owner_id = ann.id;
        e = ent_warehouse_update(tx, scope, &rows.p[0]);
    }
    arena_free(a);
    return e;
}

static void set(const char *name, const char *value) {
    ok(settings_set(&d.c.settings, str_of(name), str_of(value), SETTING_COMMAND));
}

static int setup(void **state) {
    (void)state;
    direct_open(&d);
    ok(loop_new(&d.c.l));
    d.c.data_dir = d.dir;
    d.c.record_fd = -1;
    d.c.facts = facts_new(false);
    d.c.facts->terms_accepted = true;
    root = direct_user(&d, "root", true);
    ann = direct_user(&d, "ann", false);
    bob = direct_user(&d, "bob", false);
    set("sql.cluster_statements", "2");
    set("sql.queue_limit", "3");
    set("log.requests", "false");
    ok(statements_open(&d.c)); /* makes the starters */
    ok(store_write_sync(d.c.store, STORE_META, make, NULL, NULL));
    statements_close(&d.c);
    ok(statements_open(&d.c)); /* reads them */
    w = warehouse_find(&d.c, (struct store_scope){IDENTITY_ACCOUNT, d.workspace},
                       statements_first_warehouse(&d.c, d.workspace));
    assert_non_null(w);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    statements_close(&d.c);
    d.c.data_dir = NULL;
    loop_free(d.c.l);
    facts_free(d.c.facts);
    direct_close(&d);
    return 0;
}

/* ---- the tests, in order: each leaves the warehouse stopped ---- */

static void starter_is_everyones_of_one_workspace(void **state) {
    (void)state;
    struct store_scope other = {IDENTITY_ACCOUNT, d.other_workspace};
    assert_string_equal(w->name, "Serverless Starter Warehouse");
    assert_null(warehouse_find(&d.c, other, str_of(w->id)));
    assert_int_equal(warehouse_level(w, &(struct policy_subject){.id = ann.id, .active = true}), WAREHOUSES_CAN_MANAGE);
    struct req *r = request(&bob);
    struct session_ask ask = {.w = w, .client = STR("test")};
    struct sql_session *s;
    fails(session_open(r, &ask, &s), ERR_PERMISSION_DENIED, "CAN_USE");
    req_release(r);
}

static void first_statement_starts_it(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    waited = 0;
    struct sql_session *ses = session(&ann);
    struct statement *s = submit(ses, "SELECT 1");
    assert_int_equal(w->state, WAREHOUSE_STARTING);
    assert_int_equal(n_engines, 1);
    assert_string_equal(engines[0].opened, ses->id);
    assert_string_equal(engines[0].catalog, "main");
    assert_int_equal(s->state, STATEMENT_PENDING);
    wait_on(s, 60000000, false);
    ready(&engines[0]);
    assert_int_equal(w->state, WAREHOUSE_RUNNING);
    tell(&runs[0], (struct engine_state){.kind = ENGINE_RUNNING});
    assert_int_equal(s->state, STATEMENT_RUNNING);
    assert_int_equal(waited, 0);
    finish(&runs[0]);
    assert_int_equal(waited, 1);
    assert_int_equal(s->state, STATEMENT_SUCCEEDED);
    arena *a = arena_new();
    str bytes;
    ok(statement_read(s, 0, a, &bytes));
    assert_true(str_eqz(bytes, "[[\"1\"]]"));
    assert_int_equal(statement_chunk_of(s, 0), 0);
    assert_int_equal(statement_chunk_of(s, 1), -1);
    arena_free(a);
    session_close(ses);
    assert_string_equal(engines[0].closed, engines[0].opened);
    warehouse_stop(w, "test");
    assert_int_equal(w->state, WAREHOUSE_STOPPED);
    assert_true(engines[0].dead);
}

static void clusters_and_queue(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    struct sql_session *ses[8];
    struct statement *s[8];
    for (int i = 0; i < 7; i++) ses[i] = session(&ann);
    assert_int_equal(n_engines, 1);
    ready(&engines[0]);
    for (int i = 0; i < 7; i++) s[i] = submit(ses[i], "SELECT 1");
    assert_int_equal(n_engines, 2); /* max_clusters */
    assert_int_equal(n_runs, 4);    /* two each */
    assert_int_equal(w->n_queue, 3);
    struct req *r = request(&ann);
    struct statement_ask ask = {.session = ses[0], .text = STR("SELECT 1"), .format = ENGINE_JSON_ARRAY};
    struct statement *more;
    fails(statement_submit(r, &ask, &more), ERR_RESOURCE_EXHAUSTED, "queued statements");
    req_release(r);
    finish(&runs[1]);
    loop_step(d.c.l, 1000);
    assert_int_equal(n_runs, 5);
    assert_ptr_equal(runs[4].arg, s[4]); /* the oldest that waited */
    assert_int_equal(w->n_queue, 2);
    statement_cancel(s[6], "test"); /* it waits: over at once */
    assert_int_equal(s[6]->state, STATEMENT_CANCELED);
    assert_int_equal(w->n_queue, 1);
    statement_cancel(s[0], "test"); /* it runs: the engine says when */
    assert_int_equal(s[0]->state, STATEMENT_RUNNING);
    assert_true(runs[0].cancelled);
    tell(&runs[0], (struct engine_state){.kind = ENGINE_CANCELED});
    assert_int_equal(s[0]->state, STATEMENT_CANCELED);
    loop_step(d.c.l, 1000);
    assert_int_equal(w->n_queue, 0);
    warehouse_stop(w, "The SQL warehouse was stopped.");
    assert_int_equal(s[5]->state, STATEMENT_FAILED);
    assert_string_equal(s[5]->error, "The SQL warehouse was stopped.");
    for (int i = 0; i < 7; i++) session_close(ses[i]);
    assert_int_equal(w->n_sessions, 0);
}

static void a_killed_engine_fails_its_statement_alone(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    struct sql_session *ses = session(&ann);
    ready(&engines[0]);
    struct statement *s = submit(ses, "SELECT 1");
    dies(&engines[0]);
    assert_int_equal(s->state, STATEMENT_FAILED);
    assert_int_equal(s->error_code, ERR_ABORTED);
    assert_int_equal(n_engines, 2);
    assert_int_equal(w->state, WAREHOUSE_RUNNING);
    struct statement *next = submit(ses, "SELECT 2"); /* the session is opened on the new one */
    assert_string_equal(engines[1].opened, ses->id);
    ready(&engines[1]);
    finish(&runs[1]);
    assert_int_equal(next->state, STATEMENT_SUCCEEDED);
    session_close(ses);
    warehouse_stop(w, "test");
}

/* An engine that goes takes nothing of the queue with it. */
static void the_queue_outlives_an_engine(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    struct sql_session *ses = session(&ann);
    struct statement *s[4];
    ready(&engines[0]);
    w->max_clusters = 1;
    for (int i = 0; i < 4; i++) s[i] = submit(ses, "SELECT 1");
    assert_int_equal(n_runs, 2);
    dies(&engines[0]);
    loop_step(d.c.l, 1000);
    assert_int_equal(n_engines, 2);
    assert_int_equal(n_runs, 4);
    assert_ptr_equal(runs[2].e, &engines[1]);
    ready(&engines[1]);
    finish(&runs[2]);
    finish(&runs[3]);
    for (int i = 0; i < 4; i++) assert_int_equal(s[i]->state, i < 2 ? STATEMENT_FAILED : STATEMENT_SUCCEEDED);
    w->max_clusters = 2;
    session_close(ses);
    warehouse_stop(w, "test");
}

static void a_new_size_lets_statements_end(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    struct sql_session *ses = session(&ann), *other = session(&ann);
    ready(&engines[0]);
    struct statement *s = submit(ses, "SELECT 1");
    arena *a = arena_new();
    struct warehouse_change ch;
    store_tx *tx;
    ok(store_read_begin(d.c.store, STORE_META, 0, &tx));
    ok(warehouse_change_read(tx, w->scope, a, w->row, &ch));
    store_read_end(tx);
    ch.row.cluster_size = STR("Small");
    warehouse_change_apply(&d.c, &ch);
    assert_int_equal(n_engines, 2);
    ready(&engines[1]);
    struct statement *next = submit(other, "SELECT 2");
    assert_ptr_equal(runs[1].e, &engines[1]);
    assert_false(engines[0].dead);
    finish(&runs[0]); /* the last one of the old cluster: that ends a moment later, not inside */
    assert_false(engines[0].dead);
    for (int i = 0; i < 100 && !engines[0].dead; i++) loop_step(d.c.l, 1000);
    assert_true(engines[0].dead);
    assert_int_equal(s->state, STATEMENT_SUCCEEDED);
    finish(&runs[1]);
    assert_int_equal(next->state, STATEMENT_SUCCEEDED);
    arena_free(a);
    session_close(ses);
    session_close(other);
    warehouse_stop(w, "test");
}

static void engines_that_never_come(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    waited = 0;
    struct sql_session *ses = session(&ann);
    struct statement *s = submit(ses, "SELECT 1");
    wait_on(s, 60000000, false);
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 500 && n_engines <= (size_t)i; k++) loop_step(d.c.l, 5000);
        assert_int_equal(n_engines, i + 1);
        dies(&engines[i]);
    }
    assert_int_equal(waited, 1);
    assert_int_equal(s->state, STATEMENT_FAILED);
    assert_int_equal(w->state, WAREHOUSE_STOPPED);
    assert_non_null(w->failure);
    session_close(ses);
}

static err *read_row(struct statement *s, struct history_statement *ret, arena *a, bool *found) {
    store_tx *tx;
    TRY(store_read_begin(d.c.store, STORE_HISTORY, 0, &tx));
    err *e = history_statement_get(tx, s->scope, a, str_of(s->id), ret, found);
    store_read_end(tx);
    return e;
}

static void what_a_client_was_told_is_durable(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    waited = 0;
    struct sql_session *ses = session(&ann);
    ready(&engines[0]);
    struct statement *s = submit(ses, "SELECT 1");
    arena *a = arena_new();
    struct history_statement row;
    bool found;
    wait_on(s, 0, false);
    spin(1);
    ok(read_row(s, &row, a, &found));
    assert_true(found);
    assert_int_equal(row.state, HISTORY_RUNNING);
    wait_on(s, 2000, true); /* over time: cancelled, and it waits for that */
    for (int i = 0; i < 200 && !runs[0].cancelled; i++) loop_step(d.c.l, 5000);
    assert_true(runs[0].cancelled);
    assert_int_equal(waited, 1);
    tell(&runs[0], (struct engine_state){.kind = ENGINE_CANCELED});
    assert_int_equal(waited, 2);
    assert_int_equal(s->state, STATEMENT_CANCELED);
    arena_free(a);
    session_close(ses);
    warehouse_stop(w, "test");
}

static void links_open_one_chunk(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    struct sql_session *ses = session(&ann);
    ready(&engines[0]);
    struct statement *s = submit(ses, "SELECT 1"), *got;
    finish(&runs[0]);
    struct req *r = request(&ann), *nobody = request(&bob);
    int64_t until;
    size_t chunk;
    bool old;
    str url = statement_link(r, s, 0, &until);
    assert_true(str_starts(url, STR("http://host:1/api/2.0/sql/results/")));
    char kept[512];
    snprintf(kept, sizeof(kept), "%.*s", STR_ARG(str_from(url, strlen("http://host:1/api/2.0/sql/results/"))));
    str token = str_of(kept);
    ok(statement_of_link(nobody, token, &got, &chunk, &old));
    assert_ptr_equal(got, s);
    assert_false(old);
    for (size_t i = 0; i + 1 < token.n; i += 3) { /* any change closes it */
        char *bad = arena_strndup(nobody->a, token.p, token.n);
        bad[i] = bad[i] == 'A' ? 'B' : 'A';
        fails(statement_of_link(nobody, str_n(bad, token.n), &got, &chunk, &old), ERR_PERMISSION_DENIED, "not one of ours");
    }
    req_release(nobody);
    req_release(r);
    statement_close(s);
    r = request(&bob);
    fails(statement_of_link(r, token, &got, &chunk, &old), ERR_NOT_FOUND, "not kept any more");
    req_release(r);
    session_close(ses);
    warehouse_stop(w, "test");
}

/* Chunks that are not in the spool: the engine is refused, the next statement goes to another one. */
static void chunks_that_are_not_there(void **state) {
    (void)state;
    static const struct engine_chunk bad[][2] = {
        {{0, 1ll << 40, 1, 0, 7}, {0}}, {{7, 7, 1, 0, 7}, {0}},
        {{0, 7, 1, 5, 7}, {0}},         {{0, 0, 0, 0, 0}, {0}},
        {{0, 7, 1, 0, 7}, {0, 7, 1, 1, 7}},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        n_engines = n_runs = 0;
        refused[0] = 0;
        struct sql_session *ses = session(&ann);
        ready(&engines[0]);
        struct statement *s = submit(ses, "SELECT 1");
        tell(&runs[0], (struct engine_state){.kind = ENGINE_FINISHED, .chunks = bad[i], .n_chunks = bad[i][1].bytes ? 2 : 1, .rows = 1});
        assert_int_equal(s->state, STATEMENT_FAILED);
        assert_string_equal(s->error_class, "ENGINE_LOST");
        assert_string_equal(refused, "chunks of a result that cannot be");
        struct statement *next = submit(ses, "SELECT 2"); /* its end is not told yet */
        assert_int_equal(n_engines, 2);
        ready(&engines[1]);
        finish(&runs[1]);
        assert_int_equal(next->state, STATEMENT_SUCCEEDED);
        dies(&engines[0]);
        session_close(ses);
        warehouse_stop(w, "test");
    }
}

static void questions_have_the_principals_rights(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    struct sql_session *ses = session(&ann);
    ready(&engines[0]);
    submit(ses, "SELECT 1");
    runs[0].ev->on_ask(&runs[0], 7, STR("no_such"), NULL, runs[0].arg);
    assert_string_equal(answered, "0/7 NOT_IMPLEMENTED");
    session_close(ses);
    tell(&runs[0], (struct engine_state){.kind = ENGINE_CANCELED});
    warehouse_stop(w, "test");
}

static void sessions_are_their_users(void **state) {
    (void)state;
    n_engines = n_runs = 0;
    struct sql_session *ses = session(&ann), *got;
    struct req *r = request(&ann), *other = request(&root);
    ok(session_find(r, str_of(ses->id), NULL, &got));
    assert_ptr_equal(got, ses);
    fails(session_find(other, str_of(ses->id), NULL, &got), ERR_RESOURCE_DOES_NOT_EXIST, "does not exist");
    struct statement *s = submit(ses, "SELECT 1"), *found;
    fails(statement_find(other, str_of(s->id), 0, &found), ERR_RESOURCE_DOES_NOT_EXIST, "does not exist");
    ok(statement_find(other, str_of(s->id), WAREHOUSES_CAN_MANAGE, &found));
    req_release(r);
    req_release(other);
    session_close(ses);
    warehouse_stop(w, "test");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starter_is_everyones_of_one_workspace),
        cmocka_unit_test(first_statement_starts_it),
        cmocka_unit_test(clusters_and_queue),
        cmocka_unit_test(a_killed_engine_fails_its_statement_alone),
        cmocka_unit_test(the_queue_outlives_an_engine),
        cmocka_unit_test(a_new_size_lets_statements_end),
        cmocka_unit_test(engines_that_never_come),
        cmocka_unit_test(what_a_client_was_told_is_durable),
        cmocka_unit_test(links_open_one_chunk),
        cmocka_unit_test(chunks_that_are_not_there),
        cmocka_unit_test(questions_have_the_principals_rights),
        cmocka_unit_test(sessions_are_their_users),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
