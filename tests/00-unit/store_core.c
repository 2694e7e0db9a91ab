/* SPDX-License-Identifier: Apache-2.0 */
/* The stores: opening, group commit, savepoints, sequences, refusals at the door. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/gen_entities.h"
#include "store/journal.h"
#include "store/keys.h"
#include "sys/files.h"

static char dir[64];
static const char KEY[] = "0123456789abcdef0123456789abcdef";
static const struct store_scope WS = {1, 10}, OTHER = {1, 11};
static const struct store_actor ANN = {
    .principal = 7, .request_id = {"r-1", 3}, .client = {"::1", 3}, .action = {"test.write", 10}};

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}
static void fails(err *e, err_code code, const char *part) {
    assert_non_null(e);
    if (err_code_of(e) != code || !strstr(err_msg(e), part))
        fail_msg("unexpected error %s: %s", err_name(err_code_of(e)), err_msg(e));
    err_free(e);
}

static struct store_options options(void) {
    return (struct store_options){.dir = dir, .master_key = str_n(KEY, 32)};
}

static store *opened(void) {
    struct store_options o = options();
    store *s;
    ok(store_open(&o, &s));
    return s;
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/bh-store-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    err *e = files_remove_tree(dir, 1u << 20);
    err_free(e);
    return e != NULL;
}

static err *add_setting(store_tx *tx, void *arg) {
    struct ent_setting_kv row = {.name = str_of(arg), .value = STR("1")};
    return ent_setting_kv_insert(tx, WS, &row);
}

static err *add_and_fail(store_tx *tx, void *arg) {
    err *e = add_setting(tx, arg);
    return e ? e : err_new(ERR_INVALID_STATE, "changed my mind");
}

static int64_t count_settings(store *s) {
    store_tx *tx;
    int64_t n;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    ok(ent_setting_kv_count(tx, WS, NULL, &n));
    store_read_end(tx);
    return n;
}

static void a_write_stays(void **state) {
    (void)state;
    store *s = opened();
    ok(store_write_sync(s, STORE_META, add_setting, "a", &ANN));
    assert_int_equal(count_settings(s), 1);
    store_close(s);
    s = opened();
    assert_int_equal(count_settings(s), 1);
    ok(store_write_sync(s, STORE_META, add_setting, "b", &ANN));
    assert_int_equal(count_settings(s), 2);
    ok(store_check(s));
    store_close(s);
}

static void an_error_undoes_its_own_job(void **state) {
    (void)state;
    store *s = opened();
    ok(store_write_sync(s, STORE_META, add_setting, "kept", &ANN));
    fails(store_write_sync(s, STORE_META, add_and_fail, "gone", &ANN), ERR_INVALID_STATE,
          "my mind");
    fails(store_write_sync(s, STORE_META, add_setting, "kept", &ANN), ERR_RESOURCE_ALREADY_EXISTS,
          "setting_kv with name 'kept'");
    assert_int_equal(count_settings(s), 1);

    /* The journal knows all three, with what became of them. */
    store_tx *tx;
    arena *a = arena_new();
    struct journal_rows rows;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    ok(journal_list(tx, WS, a, 0, 10, &rows));
    assert_int_equal(rows.n, 3);
    assert_true(str_eqz(rows.p[0].outcome, "RESOURCE_ALREADY_EXISTS"));
    assert_true(str_eqz(rows.p[1].outcome, "INVALID_STATE"));
    assert_true(str_eqz(rows.p[2].outcome, "OK"));
    assert_true(str_eqz(rows.p[2].securable_type, "setting_kv"));
    assert_true(str_eqz(rows.p[2].securable_name, "kept"));
    assert_true(str_eqz(rows.p[2].action, "test.write"));
    assert_int_equal(rows.p[2].principal, 7);
    assert_true(rows.p[0].seq == rows.p[1].seq + 1 && rows.p[1].seq == rows.p[2].seq + 1);
    ok(journal_list(tx, OTHER, a, 0, 10, &rows));
    assert_int_equal(rows.n, 0);
    store_read_end(tx);
    arena_free(a);
    store_close(s);
}

/* ---- many at once ---- */

struct client {
    store *s;
    int number, failed;
};

static err *add_numbered(store_tx *tx, void *arg) {
    char name[32];
    snprintf(name, sizeof(name), "%p", arg);
    struct ent_setting_kv row = {.name = str_of(name)};
    TRY(ent_setting_kv_insert(tx, WS, &row));
    /* Every third one fails after it wrote. */
    return (uintptr_t)arg % 3 == 0 ? err_new(ERR_INVALID_STATE, "third") : NULL;
}

static void *client_main(void *arg) {
    struct client *c = arg;
    for (int i = 0; i < 60; i++) {
        err *e = store_write_sync(c->s, STORE_META, add_numbered,
                                  (void *)(uintptr_t)(c->number * 1000 + i + 1), &ANN);
        if (e) c->failed++;
        err_free(e);
    }
    return NULL;
}

static void writers_share_commits(void **state) {
    (void)state;
    store *s = opened();
    pthread_t t[32];
    struct client c[32];
    int failed = 0;
    for (int i = 0; i < 32; i++) {
        c[i] = (struct client){s, i, 0};
        assert_int_equal(pthread_create(&t[i], NULL, client_main, &c[i]), 0);
    }
    for (int i = 0; i < 32; i++) {
        pthread_join(t[i], NULL);
        failed += c[i].failed;
    }
    assert_int_equal(failed, 32 * 20);
    assert_int_equal(count_settings(s), 32 * 40);
    struct store_stats st;
    store_stats_of(s, STORE_META, &st);
    assert_true(st.jobs >= 32 * 60);
    assert_true(st.groups < st.jobs); /* some shared a commit */
    int64_t oldest, newest;
    ok(store_range(s, &oldest, &newest));
    assert_int_equal(oldest, 1);
    assert_true(newest >= 32 * 60);
    ok(store_check(s));
    store_close(s);
}

/* ---- refusals at the door ---- */

static void wrong_key_is_refused(void **state) {
    (void)state;
    store_close(opened());
    struct store_options o = options();
    o.master_key = STR("another key, thirty-two bytes...");
    store *s;
    fails(store_open(&o, &s), ERR_INVALID_STATE, "is not the one of this folder");
    o.master_key = STR("short");
    fails(store_open(&o, &s), ERR_INVALID_PARAMETER_VALUE, "has 32 bytes");
}

static void missing_files_are_named(void **state) {
    (void)state;
    struct store_options o = options();
    char path[PATH_MAX];
    store *s;
    o.must_exist = true;
    fails(store_open(&o, &s), ERR_RESOURCE_DOES_NOT_EXIST, "no stores");
    o.must_exist = false;
    store_close(opened());
    static const char *const names[] = {"history.db", "mlflow.db", "meta.db"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        assert_int_equal(unlink(path), 0);
        fails(store_open(&o, &s), ERR_DATA_LOSS, names[i]);
    }
}

static void files_are_noise_without_the_key(void **state) {
    (void)state;
    store *s = opened();
    ok(store_write_sync(s, STORE_META, add_setting, "findable-marker", &ANN));
    store_close(s);
    char path[PATH_MAX];
    buf b = {0};
    snprintf(path, sizeof(path), "%s/meta.db", dir);
    ok(files_read(path, 16 << 20, &b));
    assert_true(b.n > 4096);
    assert_int_equal(str_find(buf_view(&b), STR("findable-marker")), -1);
    assert_int_equal(str_find(buf_view(&b), STR("SQLite format")), -1);
    buf_free(&b);
}

static void damage_is_found(void **state) {
    (void)state;
    store_close(opened());
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/meta.db", dir);
    FILE *f = fopen(path, "r+");
    assert_non_null(f);
    fseek(f, 3 * 4096 + 100, SEEK_SET);
    fputs("scratch", f);
    fclose(f);
    struct store_options o = options();
    store *s;
    err *e = store_open(&o, &s);
    assert_non_null(e);
    assert_int_equal(err_code_of(e), ERR_DATA_LOSS);
    err_free(e);
}

/* ---- time ---- */

static void as_of_is_checked(void **state) {
    (void)state;
    store *s = opened();
    store_tx *tx;
    int64_t seq;
    ok(store_write_sync(s, STORE_META, add_setting, "a", &ANN));
    fails(store_read_begin(s, STORE_META, 99, &tx), ERR_INVALID_PARAMETER_VALUE,
          "no sequence 99 yet");
    fails(store_read_begin(s, STORE_MLFLOW, 1, &tx), ERR_INVALID_PARAMETER_VALUE, "no past");
    fails(store_seq_of_time(s, 1000, &seq), ERR_INVALID_PARAMETER_VALUE, "oldest sequence is 1");
    ok(store_seq_of_time(s, INT64_MAX, &seq));
    int64_t oldest, newest;
    ok(store_range(s, &oldest, &newest));
    assert_int_equal(seq, newest);
    store_close(s);
}

static void derived_keys_last(void **state) {
    (void)state;
    store *s = opened();
    unsigned char a[32], b[32], c[32];
    store_derive_key(s, "pages", a);
    store_derive_key(s, "links", b);
    assert_memory_not_equal(a, b, 32);
    store_close(s);
    s = opened();
    store_derive_key(s, "pages", c);
    assert_memory_equal(a, c, 32);
    store_close(s);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_write_stays),           T(an_error_undoes_its_own_job),
        T(writers_share_commits),   T(wrong_key_is_refused),
        T(missing_files_are_named), T(files_are_noise_without_the_key),
        T(damage_is_found),         T(as_of_is_checked),
        T(derived_keys_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
