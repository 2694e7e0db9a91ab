/* SPDX-License-Identifier: Apache-2.0 */
/* Statements in history.db: rows, filters, pages, what stood open, forgetting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/history_statements.h"
#include "sys/files.h"

static store *st;
static char dir[64];
static arena *a;
static const struct store_scope here = {1, 10}, there = {1, 11};

static void ok(err *e) {
    if (e) fail_msg("%s: %s", err_name(err_code_of(e)), err_msg(e));
}

static err *put(store_tx *tx, void *arg) { return history_statement_put(tx, arg); }
static void add(struct store_scope scope, const char *id, int64_t user, enum history_state state, int64_t submitted) {
    struct history_statement s = {.scope = scope, .id = str_of(id), .warehouse = str_of(user == 1 ? "w1" : "w2"), .user = user,
                                  .user_name = STR("u"), .state = state, .submitted = submitted, .text = STR("SELECT 1")};
    ok(store_write_sync(st, STORE_HISTORY, put, &s, NULL));
}

static bool get(struct store_scope scope, const char *id, struct history_statement *ret) {
    store_tx *tx;
    bool found;
    ok(store_read_begin(st, STORE_HISTORY, 0, &tx));
    ok(history_statement_get(tx, scope, a, str_of(id), ret, &found));
    store_read_end(tx);
    return found;
}

/* The ids in order, "a b c", with "+" if there are more. */
static const char *ids(const struct history_query *q, struct store_scope scope) {
    static char out[256];
    struct history_statements rows;
    bool more;
    store_tx *tx;
    ok(store_read_begin(st, STORE_HISTORY, 0, &tx));
    ok(history_statement_list(tx, scope, a, q, &rows, &more));
    store_read_end(tx);
    out[0] = 0;
    for (size_t i = 0; i < rows.n; i++)
        snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%.*s", i ? " " : "", STR_ARG(rows.p[i].id));
    if (more) snprintf(out + strlen(out), sizeof(out) - strlen(out), "+");
    return out;
}

static int setup(void **state) {
    (void)state;
    a = arena_new();
    snprintf(dir, sizeof(dir), "/tmp/bh-history-XXXXXX");
    assert_non_null(mkdtemp(dir));
    struct store_options o = {.dir = dir, .master_key = STR("0123456789abcdef0123456789abcdef")};
    ok(store_open(&o, &st));
    add(here, "a", 1, HISTORY_SUCCEEDED, 100);
    add(here, "b", 2, HISTORY_FAILED, 200);
    add(here, "c", 1, HISTORY_RUNNING, 200);
    add(here, "d", 2, HISTORY_PENDING, 300);
    add(there, "a", 1, HISTORY_SUCCEEDED, 400);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    store_close(st);
    arena_free(a);
    ok(files_remove_tree(dir, 1000));
    return 0;
}

static void lists(void **state) {
    (void)state;
    str some[] = {STR("a"), STR("d"), STR("zz")}, w1[] = {STR("w1")};
    int64_t two[] = {2};
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10}, here), "d c b a");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10}, there), "a");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 3}, here), "d c b+");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10, .from = 150, .until = 250}, here), "c b");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10, .ids = some, .n_ids = 3}, here), "d a");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10, .users = two, .n_users = 1}, here), "d b");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10, .warehouses = w1, .n_warehouses = 1}, here), "c a");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10, .states = 1u << HISTORY_FAILED | 1u << HISTORY_RUNNING}, here),
                        "c b");
    /* One's own, and those of warehouses that one may see. */
    assert_string_equal(ids(&(struct history_query){.self = 2, .limit = 10}, here), "d b");
    assert_string_equal(ids(&(struct history_query){.self = 3, .limit = 10}, here), "");
    assert_string_equal(ids(&(struct history_query){.self = 2, .seen = w1, .n_seen = 1, .limit = 10}, here), "d c b a");
}

static void pages_stay_right_among_equal_times(void **state) {
    (void)state;
    struct history_statement c;
    assert_true(get(here, "c", &c));
    struct history_query q = {.everything = true, .limit = 1, .before = c.submitted, .before_sid = c.sid};
    assert_string_equal(ids(&q, here), "b+");
}

static void a_row_is_written_over(void **state) {
    (void)state;
    struct history_statement s;
    struct history_statement done = {.scope = here, .id = STR("d"), .state = HISTORY_SUCCEEDED, .submitted = 9, .ended = 350, .rows = 4,
                                     .metrics = STR("{}")};
    ok(store_write_sync(st, STORE_HISTORY, put, &done, NULL));
    assert_true(get(here, "d", &s));
    assert_int_equal(s.state, HISTORY_SUCCEEDED);
    assert_int_equal(s.submitted, 300); /* what was true at the beginning stays */
    assert_int_equal(s.rows, 4);
    assert_true(str_eqz(s.text, "SELECT 1"));
    assert_false(get(there, "d", &s));
}

static err *fail_open(store_tx *tx, void *arg) {
    (void)arg;
    return history_statement_fail_open(tx, 500, STR("ABORTED"), STR("restarted"));
}
static void what_stood_open_failed(void **state) {
    (void)state;
    struct history_statement s;
    ok(store_write_sync(st, STORE_HISTORY, fail_open, NULL, NULL));
    assert_true(get(here, "c", &s));
    assert_int_equal(s.state, HISTORY_FAILED);
    assert_int_equal(s.ended, 500);
    assert_true(str_eqz(s.error, "restarted") && str_eqz(s.error_code, "ABORTED"));
    assert_true(get(here, "a", &s));
    assert_int_equal(s.state, HISTORY_SUCCEEDED);
}

static void long_texts_are_cut_between_characters(void **state) {
    (void)state;
    struct history_statement s;
    buf b = {0};
    while (b.n < HISTORY_MAX_TEXT + 10) buf_z(&b, "\xe2\x82\xac"); /* three bytes each */
    struct history_statement in = {.scope = here, .id = STR("long"), .submitted = 1000, .state = HISTORY_FAILED, .text = buf_view(&b)};
    ok(store_write_sync(st, STORE_HISTORY, put, &in, NULL));
    assert_true(get(here, "long", &s));
    assert_int_equal(s.text.n, HISTORY_MAX_TEXT / 3 * 3);
    assert_true(str_is_utf8(s.text));
    buf_free(&b);
}

static int64_t pruned;
static err *prune(store_tx *tx, void *arg) { return history_statement_prune(tx, *(int64_t *)arg, 2, &pruned); }
static err *drop(store_tx *tx, void *arg) {
    (void)arg;
    return history_statement_drop(tx, here, 100, &pruned);
}
static void forgetting(void **state) {
    (void)state;
    int64_t before = 250;
    ok(store_write_sync(st, STORE_HISTORY, prune, &before, NULL));
    assert_int_equal(pruned, 2);
    ok(store_write_sync(st, STORE_HISTORY, prune, &before, NULL));
    assert_int_equal(pruned, 1);
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10}, here), "long d");
    ok(store_write_sync(st, STORE_HISTORY, drop, NULL, NULL));
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10}, here), "");
    assert_string_equal(ids(&(struct history_query){.everything = true, .limit = 10}, there), "a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),
        cmocka_unit_test(pages_stay_right_among_equal_times),
        cmocka_unit_test(a_row_is_written_over),
        cmocka_unit_test(what_stood_open_failed),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(forgetting),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
