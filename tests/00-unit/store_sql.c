/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: values in and out, the cache, limits, our functions, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/store_int.h"
#include "sys/files.h"

static char dir[64];
static store *s;
static arena *a;

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}
static void fails(err *e, err_code code, const char *part) {
    assert_non_null(e);
    if (err_code_of(e) != code || !strstr(err_msg(e), part))
        fail_msg("unexpected error %s: %s", err_name(err_code_of(e)), err_msg(e));
    err_free(e);
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/bh-sql-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    struct store_options o = {.dir = dir, .master_key = STR("0123456789abcdef0123456789abcdef")};
    a = arena_new();
    ok(store_open(&o, &s));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    store_close(s);
    arena_free(a);
    err *e = files_remove_tree(dir, 1u << 20);
    err_free(e);
    return e != NULL;
}

static err *make_table(store_tx *tx, void *arg) {
    (void)arg;
    return sql_run(tx, "CREATE TABLE t (id INTEGER PRIMARY KEY, x, u UNIQUE)");
}

static err *values_go_round(store_tx *tx, void *arg) {
    (void)arg;
    sql *q;
    bool row;
    TRY(sql_run(tx,
                "INSERT INTO t (id, x) VALUES (1, ?1), (2, ?2), (3, ?3), (4, ?4), (5, ?5), (6, ?6)",
                sql_i(INT64_MIN), sql_f(-0.1), sql_t(STR("a\0b")), sql_b(STR("\xff\0")),
                sql_t(STR_NONE), sql_t(STR(""))));
    assert_int_equal(sql_changes(tx), 6);
    assert_int_equal(sql_last_rowid(tx), 6);
    TRY(sql_open(&q, tx, "SELECT x FROM t ORDER BY id"));
    TRY(sql_step(q, &row));
    assert_true(row && sql_get_i(q, 0) == INT64_MIN);
    TRY(sql_step(q, &row));
    assert_true(sql_get_f(q, 0) == -0.1);
    TRY(sql_step(q, &row));
    assert_true(str_eq(sql_get_t(q, 0, a), STR("a\0b")) && str_eq(sql_peek_t(q, 0), STR("a\0b")));
    TRY(sql_step(q, &row));
    assert_true(str_eq(sql_get_b(q, 0, a), STR("\xff\0")));
    TRY(sql_step(q, &row));
    assert_true(sql_is_null(q, 0) && !sql_get_t(q, 0, a).p && !sql_peek_b(q, 0).p);
    TRY(sql_step(q, &row));
    assert_true(!sql_is_null(q, 0) && sql_get_t(q, 0, a).p && sql_get_t(q, 0, a).n == 0);
    TRY(sql_step(q, &row));
    assert_false(row);
    sql_close(q);
    return NULL;
}

static void round_trip(void **state) {
    (void)state;
    ok(store_write_sync(s, STORE_HISTORY, make_table, NULL, NULL));
    ok(store_write_sync(s, STORE_HISTORY, values_go_round, NULL, NULL));
}

/* A query inside a loop over the same query, and more texts than a connection keeps. */
static void the_cache(void **state) {
    (void)state;
    store_tx *tx;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    sql *outer = NULL, *inner = NULL;
    bool row;
    for (int i = 0; i < 2; i++) {
        sql **q = i ? &inner : &outer;
        ok(sql_open(q, tx, "SELECT one FROM store_state"));
    }
    (void)inner;
    for (int i = 0; i < 3; i++) {
        sql *q;
        ok(sql_open_text(&q, tx, "SELECT ?1 + 1", (struct sql_arg[]){sql_i(i)}, 1));
        ok(sql_step(q, &row));
        assert_int_equal(sql_get_i(q, 0), i + 1);
        ok(sql_again(q, sql_i(10)));
        ok(sql_step(q, &row));
        assert_int_equal(sql_get_i(q, 0), 11);
        sql_close(q);
    }
    for (int i = 0; i < 3 * CONN_STATEMENTS; i++) {
        char text[32];
        sql *q;
        snprintf(text, sizeof(text), "SELECT %d", i % (2 * CONN_STATEMENTS));
        ok(sql_open_text(&q, tx, text, NULL, 0));
        ok(sql_step(q, &row));
        assert_int_equal(sql_get_i(q, 0), i % (2 * CONN_STATEMENTS));
        sql_close(q);
        assert_true(tx->c->n_statements <= CONN_STATEMENTS + 2);
    }
    ok(sql_step(outer, &row));
    assert_true(row);
    ok(sql_step(inner, &row));
    assert_true(row);
    sql_close(outer);
    sql_close(inner);
    store_read_end(tx);
}

static err *break_a_rule(store_tx *tx, void *arg) {
    (void)arg;
    TRY(sql_run(tx, "INSERT INTO t (u) VALUES (1)"));
    err *e = sql_run(tx, "INSERT INTO t (u) VALUES (1)");
    assert_true(sql_is_duplicate(e));
    err_free(e);
    return NULL; /* the statement is undone, the job goes on */
}

static void errors(void **state) {
    (void)state;
    store_tx *tx;
    ok(store_write_sync(s, STORE_HISTORY, make_table, NULL, NULL));
    ok(store_write_sync(s, STORE_HISTORY, break_a_rule, NULL, NULL));
    ok(store_read_begin(s, STORE_HISTORY, 0, &tx));
    int64_t n = 0;
    bool found = true;
    ok(sql_one_i(&n, &found, tx, "SELECT count(*) FROM t"));
    assert_int_equal(n, 1);
    ok(sql_one_i(&n, &found, tx, "SELECT id FROM t WHERE id > 5"));
    assert_false(found);
    fails(sql_run(tx, "SELEKT 1"), ERR_INTERNAL_ERROR, "syntax error");
    /* A reader cannot write. */
    err *e = sql_run(tx, "DELETE FROM t");
    assert_non_null(e);
    err_free(e);
    store_read_end(tx);
}

static void a_statement_has_an_end(void **state) {
    (void)state;
    store_tx *tx;
    sql *q;
    bool row;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    ok(sql_open(
        &q, tx,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"));
    tx->c->deadline = 1; /* long ago */
    fails(sql_step(q, &row), ERR_DEADLINE_EXCEEDED, "worked longer");
    sql_close(q);
    store_read_end(tx);
    int64_t oldest, newest;
    ok(store_range(s, &oldest, &newest)); /* the connection serves on */
}

static void our_functions(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *text;
        int like, ilike;
    } rows[] = {
        {"abc", "abc", 1, 1},
        {"abc", "ABC", 0, 1},
        {"a%", "abc", 1, 1},
        {"%c", "abc", 1, 1},
        {"%b%", "abc", 1, 1},
        {"a_c", "abc", 1, 1},
        {"a_c", "ac", 0, 0},
        {"%", "", 1, 1},
        {"", "", 1, 1},
        {"", "a", 0, 0},
        {"_", "\xc3\xa9", 1, 1},
        {"__", "\xc3\xa9", 0, 0},
        {"\xc3\x89", "\xc3\xa9", 0, 1},
        {"%a%a%a%b", "aaaaaaaaaaaaaaaa", 0, 0},
        {"%%%x", "abx", 1, 1},
        {"a%c%e", "abcde", 1, 1},
        {"A%", "abc", 0, 1},
    };
    store_tx *tx;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t like = -1, ilike = -1;
        ok(sql_one_i(&like, NULL, tx, "SELECT bh_like(?1, ?2)", sql_z(rows[i].pattern),
                     sql_z(rows[i].text)));
        ok(sql_one_i(&ilike, NULL, tx, "SELECT bh_ilike(?1, ?2)", sql_z(rows[i].pattern),
                     sql_z(rows[i].text)));
        if (like != rows[i].like || ilike != rows[i].ilike)
            fail_msg("'%s' against '%s': %d %d", rows[i].text, rows[i].pattern, (int)like,
                     (int)ilike);
    }
    int64_t one = 0;
    ok(sql_one_i(&one, NULL, tx,
                 "SELECT bh_fold(NULL) IS NULL AND bh_fold('\xc3\x89X') = '\xc3\xa9x'"));
    assert_int_equal(one, 1);
    store_read_end(tx);
}

/* ---- a full disk ---- */

static err *set_room(store_tx *tx, void *arg) {
    int64_t pages;
    TRY(conn_int(tx->c, "PRAGMA page_count", &pages));
    char text[64];
    snprintf(text, sizeof(text), "PRAGMA max_page_count = %lld", (long long)(pages + *(int *)arg));
    return conn_exec(tx->c, text);
}

static err *big(store_tx *tx, void *arg) {
    for (int i = 0; i < 200; i++) TRY(sql_run(tx, "INSERT INTO t (x) VALUES (zeroblob(20000))"));
    (void)arg;
    return NULL;
}

static err *small(store_tx *tx, void *arg) {
    (void)arg;
    return sql_run(tx, "INSERT INTO t (x) VALUES (1)");
}

static int64_t rows_of_t(void) {
    store_tx *tx;
    int64_t n = -1;
    ok(store_read_begin(s, STORE_HISTORY, 0, &tx));
    ok(sql_one_i(&n, NULL, tx, "SELECT count(*) FROM t"));
    store_read_end(tx);
    return n;
}

static void a_full_disk_fails_what_does_not_fit(void **state) {
    (void)state;
    int room = 20, much = 100000;
    ok(store_write_sync(s, STORE_HISTORY, make_table, NULL, NULL));
    ok(store_write_sync(s, STORE_HISTORY, set_room, &room, NULL));
    ok(store_write_sync(s, STORE_HISTORY, small, NULL, NULL));
    fails(store_write_sync(s, STORE_HISTORY, big, NULL, NULL), ERR_RESOURCE_EXHAUSTED, "history");
    ok(store_write_sync(s, STORE_HISTORY, small, NULL, NULL));
    assert_int_equal(rows_of_t(), 2);
    ok(store_write_sync(s, STORE_HISTORY, set_room, &much, NULL));
    ok(store_write_sync(s, STORE_HISTORY, big, NULL, NULL));
    assert_int_equal(rows_of_t(), 202);
    ok(store_check(s));
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(round_trip),    T(the_cache),
        T(errors),        T(a_statement_has_an_end),
        T(our_functions), T(a_full_disk_fails_what_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
