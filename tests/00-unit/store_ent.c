/* SPDX-License-Identifier: Apache-2.0 */
/* Entities: versions and as_of, keys, folding, checks, scopes, lists and their pages, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/gen_entities.h"
#include "sys/clock.h"
#include "sys/files.h"

static char dir[64];
static store *s;
static arena *a;
static const struct store_scope WS = {1, 10}, OTHER = {1, 11}, ACCOUNT = {1, 0};
static const struct store_actor ANN = {.principal = 7, .action = {"test", 4}};

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
    snprintf(dir, sizeof(dir), "/tmp/bh-ent-XXXXXX");
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

/* One write around a few lines of a test. */
typedef err *(*job_fn)(store_tx *tx, void *arg);
static int64_t last_seq;
static job_fn job_now;
static err *with_seq(store_tx *tx, void *arg) {
    last_seq = store_tx_seq(tx);
    return job_now(tx, arg);
}
static err *run(job_fn job, void *arg) {
    job_now = job;
    return store_write_sync(s, STORE_META, with_seq, arg, &ANN);
}

static store_tx *reading(int64_t as_of) {
    store_tx *tx;
    ok(store_read_begin(s, STORE_META, as_of, &tx));
    return tx;
}

static err *insert_endpoint(store_tx *tx, void *arg) {
    struct ent_endpoint *row = arg;
    if (!row->config_update.p) row->config_update = STR("NOT_UPDATING");
    return ent_endpoint_insert(tx, WS, row);
}
static err *update_endpoint(store_tx *tx, void *arg) { return ent_endpoint_update(tx, WS, arg); }
static err *delete_endpoint(store_tx *tx, void *arg) {
    return ent_endpoint_delete(tx, WS, ((struct ent_endpoint *)arg)->id);
}

static str description_at(int64_t seq, str name) {
    struct ent_endpoint e;
    bool found;
    store_tx *tx = reading(seq);
    ok(ent_endpoint_by_name(tx, WS, a, name, &e, &found));
    store_read_end(tx);
    return found ? e.description : STR("(none)");
}

static int64_t count_at(int64_t seq) {
    struct ent_endpoint_rows rows;
    int64_t n;
    store_tx *tx = reading(seq);
    ok(ent_endpoint_list(tx, WS, a, NULL, &rows));
    ok(ent_endpoint_count(tx, WS, NULL, &n));
    assert_int_equal(rows.n, n);
    store_read_end(tx);
    return n;
}

static void versions(void **state) {
    (void)state;
    struct ent_endpoint e = {.name = STR("churn"), .description = STR("one"), .config = STR("{}")};
    ok(run(insert_endpoint, &e));
    int64_t one = last_seq, id = e.id;
    assert_true(id > 0);
    assert_int_equal(e.created_by, 7);
    e.description = STR("two");
    ok(run(update_endpoint, &e));
    int64_t two = last_seq;
    ok(run(delete_endpoint, &e));
    int64_t three = last_seq;
    e.id = 0;
    e.description = STR("again");
    ok(run(insert_endpoint, &e));
    int64_t four = last_seq;
    assert_true(one < two && two < three && three < four);

    assert_true(str_eqz(description_at(one, e.name), "one"));
    assert_true(str_eqz(description_at(two, e.name), "two"));
    assert_true(str_eqz(description_at(three, e.name), "(none)"));
    assert_true(str_eqz(description_at(four, e.name), "again"));
    assert_true(str_eqz(description_at(0, e.name), "again"));
    assert_int_equal(count_at(one), 1);
    assert_int_equal(count_at(two), 1);
    assert_int_equal(count_at(three), 0);
    assert_int_equal(count_at(four), 1);

    struct ent_endpoint old;
    bool found;
    store_tx *tx = reading(two);
    ok(ent_endpoint_get(tx, WS, a, id, &old, &found));
    assert_true(found && old.from_seq == two && old.updated_at >= old.created_at);
    assert_int_equal(store_tx_as_of(tx), two);
    /* Today's state of the same snapshot. */
    ok(ent_endpoint_get(store_tx_today(tx), WS, a, id, &old, &found));
    assert_false(found);
    ok(ent_endpoint_by_name(store_tx_today(tx), WS, a, e.name, &old, &found));
    assert_true(found && str_eqz(old.description, "again"));
    store_read_end(tx);
}

static err *twice_in_one(store_tx *tx, void *arg) {
    struct ent_endpoint *e = arg;
    TRY(insert_endpoint(tx, e));
    e->description = STR("second");
    TRY(ent_endpoint_update(tx, WS, e));
    e->description = STR("third");
    TRY(ent_endpoint_update(tx, WS, e));
    struct ent_endpoint seen;
    TRY(ent_endpoint_get(tx, WS, a, e->id, &seen, NULL));
    return str_eqz(seen.description, "third") ? NULL
                                              : err_new(ERR_INTERNAL_ERROR, "not what I wrote");
}

/* What a write replaced itself leaves no past, so no sequence shows two versions or half of it. */
static void one_write_is_one_version(void **state) {
    (void)state;
    struct ent_endpoint e = {.name = STR("x")};
    ok(run(twice_in_one, &e));
    assert_int_equal(count_at(last_seq), 1);
    assert_true(str_eqz(description_at(last_seq, STR("x")), "third"));
    ok(run(delete_endpoint, &e));
    assert_int_equal(count_at(last_seq), 0);
    assert_int_equal(count_at(last_seq - 1), 1);
}

static err *update_to_taken(store_tx *tx, void *arg) {
    struct ent_endpoint *e = arg;
    e->name = STR("one");
    err *x = ent_endpoint_update(tx, WS, e);
    if (err_code_of(x) != ERR_RESOURCE_ALREADY_EXISTS)
        return x ? x : err_new(ERR_INTERNAL_ERROR, "?");
    err_free(x);
    return NULL; /* the job goes on and commits */
}

static void a_failed_update_leaves_no_trace(void **state) {
    (void)state;
    struct ent_endpoint one = {.name = STR("one")}, two = {.name = STR("two")};
    ok(run(insert_endpoint, &one));
    ok(run(insert_endpoint, &two));
    ok(run(update_to_taken, &two));
    assert_int_equal(count_at(0), 2);
    assert_int_equal(count_at(last_seq), 2);
    assert_int_equal(count_at(last_seq - 1), 2);
    struct ent_endpoint dup = {.name = STR("one")};
    fails(run(insert_endpoint, &dup), ERR_RESOURCE_ALREADY_EXISTS, "endpoint with name 'one'");
    assert_int_equal(count_at(0), 2);
    struct ent_endpoint ghost = {
        .id = 12345, .name = STR("g"), .config_update = STR("NOT_UPDATING")};
    fails(run(update_endpoint, &ghost), ERR_RESOURCE_DOES_NOT_EXIST, "endpoint 12345");
    fails(run(delete_endpoint, &ghost), ERR_RESOURCE_DOES_NOT_EXIST, "endpoint 12345");
}

/* ---- scopes ---- */

static err *insert_in(store_tx *tx, void *arg) {
    const struct store_scope *scope = arg;
    struct ent_experiment x = {
        .id = ENT_ID_ZERO, .name = STR("Default"), .lifecycle = STR("active")};
    return ent_experiment_insert(tx, *scope, &x);
}

static void scopes_do_not_meet(void **state) {
    (void)state;
    struct store_scope ws = WS, other = OTHER, account = ACCOUNT, nobody = {0, 0};
    ok(run(insert_in, &ws));
    ok(run(insert_in, &other));
    fails(run(insert_in, &ws), ERR_RESOURCE_ALREADY_EXISTS, "Default");
    fails(run(insert_in, &account), ERR_INTERNAL_ERROR, "does not fit");
    fails(run(insert_in, &nobody), ERR_INTERNAL_ERROR, "does not fit");
    struct ent_endpoint e = {.name = STR("mine")};
    ok(run(insert_endpoint, &e));

    store_tx *tx = reading(0);
    struct ent_endpoint got;
    struct ent_experiment x;
    bool found;
    ok(ent_experiment_get(tx, OTHER, a, 0, &x, &found));
    assert_true(found && x.workspace == 11 && x.id == 0);
    ok(ent_endpoint_get(tx, OTHER, a, e.id, &got, &found));
    assert_false(found);
    ok(ent_endpoint_by_name(tx, OTHER, a, STR("mine"), &got, &found));
    assert_false(found);
    int64_t n;
    ok(ent_endpoint_count(tx, OTHER, NULL, &n));
    assert_int_equal(n, 0);
    fails(ent_endpoint_get(tx, OTHER, a, e.id, &got, NULL), ERR_RESOURCE_DOES_NOT_EXIST,
          "endpoint");
    fails(ent_endpoint_by_name(tx, OTHER, a, STR("mine"), &got, NULL), ERR_RESOURCE_DOES_NOT_EXIST,
          "'mine'");
    store_read_end(tx);
}

static err *delete_all(store_tx *tx, void *arg) { return ent_delete_scope(tx, WS, 1000000, arg); }

static void a_workspace_goes_whole(void **state) {
    (void)state;
    struct store_scope ws = WS, other = OTHER;
    ok(run(insert_in, &ws));
    ok(run(insert_in, &other));
    struct ent_endpoint e = {.name = STR("mine")};
    ok(run(insert_endpoint, &e));
    int64_t before = last_seq;
    bool more = true;
    ok(run(delete_all, &more));
    assert_false(more);
    assert_int_equal(count_at(0), 0);
    assert_int_equal(count_at(before), 1);
    store_tx *tx = reading(0);
    struct ent_experiment x;
    bool found;
    ok(ent_experiment_get(tx, OTHER, a, 0, &x, &found));
    assert_true(found);
    store_read_end(tx);
}

/* ---- names ---- */

static err *insert_user(store_tx *tx, void *arg) {
    struct ent_user u = {.user_name = str_of(arg), .active = true};
    return ent_user_insert(tx, ACCOUNT, &u);
}

static void names_fold(void **state) {
    (void)state;
    ok(run(insert_user, "Ann@Example.com"));
    fails(run(insert_user, "ANN@example.COM"), ERR_RESOURCE_ALREADY_EXISTS, "ANN@example.COM");
    /* e and a combining acute, against é; capital sharp s against ss. */
    ok(run(insert_user, "ren\x65\xcc\x81@x"));
    fails(run(insert_user, "REN\xc3\x89@x"), ERR_RESOURCE_ALREADY_EXISTS, "user_name");
    ok(run(insert_user, "gro\xc3\x9f@x"));
    fails(run(insert_user, "GROSS@x"), ERR_RESOURCE_ALREADY_EXISTS, "user_name");

    store_tx *tx = reading(0);
    struct ent_user u;
    bool found;
    ok(ent_user_by_user_name(tx, ACCOUNT, a, STR("aNN@eXample.com"), &u, &found));
    assert_true(found && str_eqz(u.user_name, "Ann@Example.com"));
    assert_true(u.external_id.p == NULL && u.display_name.p != NULL);
    ok(ent_user_by_user_name(tx, ACCOUNT, a, STR("\xff\xfe"), &u, &found));
    assert_false(found);
    store_read_end(tx);
    /* Exact names stay apart. */
    struct ent_endpoint one = {.name = STR("m")}, two = {.name = STR("M")};
    ok(run(insert_endpoint, &one));
    ok(run(insert_endpoint, &two));
}

static void columns_are_checked(void **state) {
    (void)state;
    char longer[65];
    memset(longer, 'x', 64);
    longer[64] = 0;
    struct ent_endpoint e = {.name = str_of(longer)};
    fails(run(insert_endpoint, &e), ERR_INVALID_PARAMETER_VALUE, "64 characters; the most is 63");
    e.name = STR("a b");
    fails(run(insert_endpoint, &e), ERR_INVALID_PARAMETER_VALUE, "name 'a b' of the endpoint");
    e.name = STR("");
    fails(run(insert_endpoint, &e), ERR_INVALID_PARAMETER_VALUE, "name of the endpoint is empty");
    e.name = STR("ok");
    e.description = STR("\xc3\x28");
    fails(run(insert_endpoint, &e), ERR_INVALID_PARAMETER_VALUE, "not UTF-8");
    e.description = STR("a\0b");
    fails(run(insert_endpoint, &e), ERR_INVALID_PARAMETER_VALUE, "byte 0x00");
    e.description = STR("two\nlines are fine");
    e.config_update = STR("SOMETIMES");
    fails(run(insert_endpoint, &e), ERR_INVALID_PARAMETER_VALUE, "config_update 'SOMETIMES'");
    e.config_update = STR("IN_PROGRESS");
    ok(run(insert_endpoint, &e));
    assert_int_equal(count_at(0), 1);
}

/* ---- erased ---- */

static err *insert_token(store_tx *tx, void *arg) {
    struct ent_token *t = arg;
    return ent_token_insert(tx, WS, t);
}
static err *delete_token(store_tx *tx, void *arg) {
    return ent_token_delete(tx, WS, ((struct ent_token *)arg)->id);
}

static void erased_means_gone(void **state) {
    (void)state;
    struct ent_token t = {.token_id = STR("t1"), .hash = STR("\0\1\2"), .principal_id = 7}, got;
    bool found;
    ok(run(insert_token, &t));
    int64_t then = last_seq;
    struct ent_token same = {.token_id = STR("t2"), .hash = STR("\0\1\2")};
    fails(run(insert_token, &same), ERR_RESOURCE_ALREADY_EXISTS, "token");
    store_tx *tx = reading(0);
    ok(ent_token_by_hash(tx, WS, a, STR("\0\1\2"), &got, &found));
    assert_true(found && got.hash.n == 3 && got.hash.p[1] == 1 && str_eqz(got.token_id, "t1"));
    store_read_end(tx);
    ok(run(delete_token, &t));
    tx = reading(then);
    fails(ent_token_get(tx, WS, a, t.id, &got, &found), ERR_INVALID_PARAMETER_VALUE, "no past");
    ok(ent_token_get(store_tx_today(tx), WS, a, t.id, &got, &found));
    assert_false(found);
    store_read_end(tx);
}

/* ---- lists ---- */

static err *insert_files(store_tx *tx, void *arg) {
    int n = *(int *)arg;
    for (int i = 0; i < n; i++) {
        char path[32], name[16];
        snprintf(name, sizeof(name), "f%03d", (i * 7) % n);
        snprintf(path, sizeof(path), "/%s/%s", i % 3 ? "a" : "b", name);
        struct ent_dbfs_file f = {.path = str_of(path),
                                  .parent = i % 3 ? STR("/a") : STR("/b"),
                                  .name = str_of(name),
                                  .size = i};
        TRY(ent_dbfs_file_insert(tx, WS, &f));
    }
    return NULL;
}

static size_t walk(store_tx *tx, struct ent_list_query q, const char *first, const char *last) {
    struct ent_dbfs_file_rows rows;
    size_t n = 0;
    str before = STR_NONE, head = STR_NONE;
    do {
        ok(ent_dbfs_file_list(tx, WS, a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            str name = rows.p[i].name;
            if (!n) head = name;
            if (n && q.order == ENT_DBFS_FILE_NAME)
                assert_true(q.descending ? str_cmp(name, before) <= 0 : str_cmp(name, before) >= 0);
            before = name;
            n++;
        }
        if (!rows.n) break;
        q.after = true;
        q.after_s = rows.p[rows.n - 1].name;
        q.after_id = rows.p[rows.n - 1].id;
    } while (rows.more);
    if (first) assert_true(str_eqz(head, first) && str_eqz(before, last));
    return n;
}

static void lists_and_pages(void **state) {
    (void)state;
    int n = 100;
    ok(run(insert_files, &n));
    int64_t full = last_seq;
    bool more;
    ok(run(delete_all, &more));
    for (int pass = 0; pass < 2; pass++) {
        if (pass) ok(run(insert_files, &n));
        store_tx *tx = reading(pass ? 0 : full); /* as of, then living: the same answers */
        struct ent_list_query q = {.order = ENT_DBFS_FILE_NAME, .limit = 7};
        assert_int_equal(walk(tx, q, "f000", "f099"), 100);
        q.descending = true;
        assert_int_equal(walk(tx, q, "f099", "f000"), 100);
        q = (struct ent_list_query){.limit = 9};
        assert_int_equal(walk(tx, q, NULL, NULL), 100);
        q = (struct ent_list_query){.eq = {{.column = ENT_DBFS_FILE_PARENT, .s = STR("/a")}},
                                    .order = ENT_DBFS_FILE_NAME,
                                    .limit = 10};
        assert_int_equal(walk(tx, q, NULL, NULL), 66);
        int64_t count;
        ok(ent_dbfs_file_count(tx, WS, &q, &count));
        assert_int_equal(count, 66);
        q = (struct ent_list_query){.order = ENT_DBFS_FILE_NAME, .prefix = STR("f01"), .limit = 3};
        assert_int_equal(walk(tx, q, "f010", "f019"), 10);
        struct ent_dbfs_file_rows rows;
        q = (struct ent_list_query){.order = ENT_BY_CREATED, .descending = true, .limit = 5};
        ok(ent_dbfs_file_list(tx, WS, a, &q, &rows));
        assert_true(rows.n == 5 && rows.more);
        ok(ent_dbfs_file_list(tx, OTHER, a, &q, &rows));
        assert_true(rows.n == 0 && !rows.more);
        store_read_end(tx);
    }
}

static void folded_lists(void **state) {
    (void)state;
    ok(run(insert_user, "b@x"));
    ok(run(insert_user, "A@x"));
    ok(run(insert_user, "C@x"));
    store_tx *tx = reading(0);
    struct ent_user_rows rows;
    struct ent_list_query q = {.order = ENT_USER_USER_NAME};
    ok(ent_user_list(tx, ACCOUNT, a, &q, &rows));
    assert_int_equal(rows.n, 3);
    assert_true(str_eqz(rows.p[0].user_name, "A@x") && str_eqz(rows.p[2].user_name, "C@x"));
    q.prefix = STR("c");
    ok(ent_user_list(tx, ACCOUNT, a, &q, &rows));
    assert_true(rows.n == 1 && str_eqz(rows.p[0].user_name, "C@x"));
    q = (struct ent_list_query){.eq = {{.column = ENT_USER_USER_NAME, .s = STR("B@X")}}};
    ok(ent_user_list(tx, ACCOUNT, a, &q, &rows));
    assert_true(rows.n == 1 && str_eqz(rows.p[0].user_name, "b@x"));
    store_read_end(tx);
}

/* ---- limits ---- */

static int64_t limit_of(void *arg, const char *setting) {
    return strcmp(setting, "serving.max_endpoints") == 0 ? *(int64_t *)arg : 1000;
}

static void limits_hold(void **state) {
    (void)state;
    int64_t two = 2;
    ent_set_limits(s, limit_of, &two);
    struct ent_endpoint e[3] = {{.name = STR("a")}, {.name = STR("b")}, {.name = STR("c")}};
    ok(run(insert_endpoint, &e[0]));
    ok(run(insert_endpoint, &e[1]));
    fails(run(insert_endpoint, &e[2]), ERR_RESOURCE_EXHAUSTED, "the most is 2");
    ok(run(delete_endpoint, &e[0]));
    e[2].id = 0;
    ok(run(insert_endpoint, &e[2]));
    assert_true(ent_set_limit(s, "endpoint", 3));
    assert_false(ent_set_limit(s, "grant", 3));
    e[0].id = 0;
    ok(run(insert_endpoint, &e[0]));
    assert_int_equal(count_at(0), 3);
}

/* ---- forgetting ---- */

static void pruning_forgets(void **state) {
    (void)state;
    struct ent_endpoint e = {.name = STR("p"), .description = STR("1")};
    ok(run(insert_endpoint, &e));
    int64_t first = last_seq;
    e.description = STR("2");
    ok(run(update_endpoint, &e));
    int64_t second = last_seq, removed = -1, oldest, newest;
    ok(store_prune(s, 3600 * 1000000ll, &removed));
    assert_int_equal(removed, 0);
    assert_true(str_eqz(description_at(first, e.name), "1"));
    ok(store_prune(s, 0, &removed));
    assert_true(removed > 0);
    ok(store_range(s, &oldest, &newest));
    assert_int_equal(oldest, second);
    store_tx *tx;
    char words[64];
    snprintf(words, sizeof(words), "the oldest is %lld", (long long)second);
    fails(store_read_begin(s, STORE_META, first, &tx), ERR_INVALID_PARAMETER_VALUE, words);
    assert_true(str_eqz(description_at(second, e.name), "2"));
}

static void sequence_by_time(void **state) {
    (void)state;
    struct ent_endpoint e = {.name = STR("t")};
    int64_t seqs[20], times[20], got;
    for (int i = 0; i < 20; i++) {
        ok(i ? run(update_endpoint, &e) : run(insert_endpoint, &e));
        seqs[i] = last_seq;
        store_tx *tx = reading(0);
        times[i] = store_tx_time(tx);
        store_read_end(tx);
    }
    for (int i = 0; i < 20; i++) {
        ok(store_seq_of_time(s, times[i], &got));
        assert_true(got >= seqs[i]); /* writes of one microsecond share it */
        if (i < 19 && times[i + 1] > times[i]) assert_int_equal(got, seqs[i]);
        if (i > 0 && times[i] - 1 > times[i - 1]) {
            ok(store_seq_of_time(s, times[i] - 1, &got));
            assert_int_equal(got, seqs[i - 1]);
        }
    }
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(versions),
        T(one_write_is_one_version),
        T(a_failed_update_leaves_no_trace),
        T(scopes_do_not_meet),
        T(a_workspace_goes_whole),
        T(names_fold),
        T(columns_are_checked),
        T(erased_means_gone),
        T(lists_and_pages),
        T(folded_lists),
        T(limits_hold),
        T(pruning_forgets),
        T(sequence_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
