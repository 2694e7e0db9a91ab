/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives a process: schemas of other versions, keys and their rotation, backup and restore.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/backup.h"
#include "store/gen_entities.h"
#include "store/keys.h"
#include "store/store_int.h"
#include "sys/files.h"

static char dir[64], keep[80], other[80];
static unsigned char master[STORE_KEY_SIZE];
static const struct store_scope WS = {1, 10};

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
    snprintf(dir, sizeof(dir), "/tmp/bh-keep-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(keep, sizeof(keep), "%s/store", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    memset(master, 'k', sizeof(master));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    err *e = files_remove_tree(dir, 1u << 20);
    err_free(e);
    return e != NULL;
}

static struct store_options in(const char *where) {
    return (struct store_options){.dir = where, .master_key = {(char *)master, STORE_KEY_SIZE}};
}
static store *opened(const char *where) {
    struct store_options o = in(where);
    store *s;
    ok(store_open(&o, &s));
    return s;
}

static err *add(store_tx *tx, void *arg) {
    struct ent_setting_kv row = {.name = str_of(arg), .value = STR("{}")};
    return ent_setting_kv_insert(tx, WS, &row);
}

static int64_t settings_in(store *s) {
    store_tx *tx;
    int64_t n;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    ok(ent_setting_kv_count(tx, WS, NULL, &n));
    store_read_end(tx);
    return n;
}

/* ---- other versions ---- */

static err *run_text(store_tx *tx, void *arg) { return conn_exec(tx->c, arg); }

/* Makes the file look as if another version had written it. */
static void alter(const char *where, enum store_file f, const char *text) {
    store *s = opened(where);
    ok(store_write_sync(s, f, run_text, (void *)text, NULL));
    store_close(s);
}

static void refused(const char *part) {
    struct store_options o = in(keep);
    store *s;
    fails(store_open(&o, &s), ERR_INVALID_STATE, part);
}

static void newer_steps_are_refused(void **state) {
    (void)state;
    alter(keep, STORE_MLFLOW, "PRAGMA user_version = 999");
    refused("mlflow.db was written by a newer Boathouse (schema 999");
}

static void newer_columns_are_refused(void **state) {
    (void)state;
    alter(
        keep, STORE_META,
        "ALTER TABLE endpoint ADD COLUMN hologram TEXT; UPDATE store_state SET fingerprint = 'x'");
    refused("the column 'endpoint.hologram'");
}

static void newer_entities_are_refused(void **state) {
    (void)state;
    alter(keep, STORE_META,
          "INSERT INTO ent_known VALUES ('dashboard'); UPDATE store_state SET fingerprint = 'x'");
    refused("the entity 'dashboard'");
}

static size_t copies(void) {
    char path[128];
    struct files_names names;
    snprintf(path, sizeof(path), "%s/before", keep);
    if (!files_exists(path)) return 0;
    ok(files_list(path, 100, &names));
    size_t n = names.n;
    files_names_free(&names);
    return n;
}

/* A file of an older declaration gets what it lacks, keeps what it has, and was copied before. */
static void older_files_catch_up(void **state) {
    (void)state;
    store *s = opened(keep);
    ok(store_write_sync(s, STORE_META, add, "Kept", NULL));
    store_close(s);
    assert_int_equal(copies(), 0);
    alter(
        keep, STORE_META,
        "DROP INDEX ix_setting_kv_k_name; DROP INDEX ix_setting_kv_past_k_name;"
        "DROP INDEX ix_user_k_user_name; DROP INDEX ix_user_past_k_user_name;"
        "ALTER TABLE user DROP COLUMN user_name_k; ALTER TABLE user_past DROP COLUMN user_name_k;"
        "ALTER TABLE endpoint DROP COLUMN ai_gateway; ALTER TABLE endpoint_past DROP COLUMN "
        "ai_gateway;"
        "INSERT INTO user (id, account_id, workspace_id, from_seq, user_name) VALUES (5, 1, 0, 1, "
        "'Ann');"
        "CREATE INDEX ix_gone ON acl (object_id); DROP TABLE grant_past; DROP TABLE \"grant\";"
        "DELETE FROM ent_known WHERE name = 'grant'; UPDATE store_state SET fingerprint = 'older'");
    s = opened(keep);
    assert_int_equal(copies(), 1);
    assert_int_equal(settings_in(s), 1);
    store_tx *tx;
    arena *a = arena_new();
    struct ent_user u;
    struct ent_grant_rows grants;
    int64_t n;
    bool found;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    ok(ent_user_by_user_name(tx, (struct store_scope){1, 0}, a, STR("ANN"), &u, &found));
    assert_true(found && u.id == 5);
    ok(ent_user_count(tx, (struct store_scope){1, 0}, NULL, &n));
    assert_int_equal(n, 1); /* counts are made anew */
    ok(ent_grant_list(tx, (struct store_scope){1, 0}, a, NULL, &grants));
    ok(sql_one_i(&n, &found, tx, "SELECT count(*) FROM sqlite_schema WHERE name = 'ix_gone'"));
    assert_int_equal(n, 0);
    store_read_end(tx);
    arena_free(a);
    store_close(s);
    store_close(opened(keep)); /* and needs nothing more */
    assert_int_equal(copies(), 1);
    for (int i = 0; i < 5; i++) {
        alter(keep, STORE_META, "UPDATE store_state SET fingerprint = 'older'");
        store_close(opened(keep));
    }
    assert_int_equal(copies(), 3); /* the last three stay */
}

/* ---- keys ---- */

static void master_keys(void **state) {
    (void)state;
    char path[100];
    unsigned char one[32], two[32];
    struct stat st;
    snprintf(path, sizeof(path), "%s/master.key", dir);
    fails(keys_master_file(path, false, one), ERR_IO_ERROR, "master.key");
    ok(keys_master_file(path, true, one));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_size, 65);
    ok(keys_master_file(path, true, two));
    assert_memory_equal(one, two, 32);
    assert_int_equal(chmod(path, 0644), 0);
    fails(keys_master_file(path, false, two), ERR_INVALID_STATE, "Others may read");
    assert_int_equal(chmod(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ok(keys_master_fd(fd, two));
    close(fd);
    assert_memory_equal(one, two, 32);
    ok(files_write(path, STR("not a key"), 0600));
    fails(keys_master_file(path, false, two), ERR_INVALID_PARAMETER_VALUE, "64 hex digits");

    bool found;
    ok(keys_master_env(two, &found));
    assert_false(found);
    char text[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    setenv("BOATHOUSE_MASTER_KEY", text, 1);
    char *at = getenv("BOATHOUSE_MASTER_KEY");
    ok(keys_master_env(two, &found));
    assert_true(found && two[31] == 0x1f);
    assert_null(getenv("BOATHOUSE_MASTER_KEY"));
    (void)at;
}

static void rotation_of_the_master_key(void **state) {
    (void)state;
    unsigned char fresh[STORE_KEY_SIZE];
    memset(fresh, 'n', sizeof(fresh));
    store *s = opened(keep), *second;
    ok(store_write_sync(s, STORE_META, add, "a", NULL));
    ok(keys_rotate_begin(keep, master, fresh)); /* while it serves */
    ok(store_write_sync(s, STORE_META, add, "b", NULL));
    store_close(s);

    /* Cut short here, both keys open it; the one used stays. */
    struct store_options o = in(keep);
    o.master_key = str_n((char *)fresh, sizeof(fresh));
    ok(store_open(&o, &s));
    assert_int_equal(settings_in(s), 2);
    store_close(s);
    struct store_options old = in(keep);
    fails(store_open(&old, &second), ERR_INVALID_STATE, "is not the one of this folder");
    ok(keys_rotate_begin(keep, fresh, master));
    ok(keys_rotate_end(keep, master));
    fails(store_open(&o, &second), ERR_INVALID_STATE, "is not the one of this folder");
    assert_int_equal(settings_in(s = opened(keep)), 2);
    store_close(s);

    char path[100];
    snprintf(path, sizeof(path), "%s/master.key", dir);
    buf hex = {0};
    for (int i = 0; i < STORE_KEY_SIZE; i++) buf_fmt(&hex, "%02x", master[i]);
    ok(files_create(path, buf_view(&hex), 0600));
    buf_free(&hex);
    ok(keys_rotate_file(keep, path));
    fails(store_open(&old, &second), ERR_INVALID_STATE, "is not the one of this folder");
    ok(keys_master_file(path, false, master));
    assert_int_equal(settings_in(s = opened(keep)), 2);
    store_close(s);
}

static void file_bytes(const char *name, buf *b) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", keep, name);
    buf_clear(b);
    ok(files_read(path, 32 << 20, b));
}

static void reencryption(void **state) {
    (void)state;
    store *s = opened(keep);
    unsigned char before[32], after[32];
    ok(store_write_sync(s, STORE_META, add, "a", NULL));
    store_derive_key(s, "x", before);
    store_close(s);
    buf one = {0}, two = {0}, keys = {0};
    file_bytes("meta.db", &one);
    file_bytes("keys.json", &keys);
    struct store_options o = in(keep);
    ok(keys_reencrypt(&o));
    file_bytes("meta.db", &two);
    assert_false(str_eq(buf_view(&one), buf_view(&two)));
    s = opened(keep);
    assert_int_equal(settings_in(s), 1);
    ok(store_check(s));
    store_derive_key(s, "x", after);
    assert_memory_equal(before, after, 32);
    store_close(s);
    /* The old keys open the new file no more. */
    char path[128];
    snprintf(path, sizeof(path), "%s/keys.json", keep);
    file_bytes("keys.json", &two);
    ok(files_write(path, buf_view(&keys), 0600));
    fails(store_open(&o, &s), ERR_DATA_LOSS, "meta");
    ok(files_write(path, buf_view(&two), 0600));

    /* Cut short between the swap of a file and the note in keys.json: here for all three at once.
     */
    struct keys *k;
    ok(keys_open(keep, master, false, &k));
    for (int f = 0; f < STORE_FILES; f++) ok(keys_set_next(k, keep, master, (enum keys_name)f));
    file_bytes("keys.json", &keys);
    keys_close(k);
    ok(keys_reencrypt(&o));
    ok(files_write(path, buf_view(&keys), 0600));
    assert_int_equal(settings_in(s = opened(keep)), 1);
    store_close(s);
    ok(keys_open(keep, master, false, &k));
    for (int f = 0; f < STORE_FILES; f++) assert_null(keys_next_of(k, (enum keys_name)f));
    keys_close(k);
    assert_int_equal(settings_in(s = opened(keep)), 1);
    store_close(s);
    buf_free(&one);
    buf_free(&two);
    buf_free(&keys);
}

static void a_damaged_key_file_is_named(void **state) {
    (void)state;
    store_close(opened(keep));
    buf b = {0};
    char path[128];
    file_bytes("keys.json", &b);
    snprintf(path, sizeof(path), "%s/keys.json", keep);
    ptrdiff_t at = str_find(buf_view(&b), STR("\"mlflow\": \""));
    assert_true(at > 0);
    b.p[at + 20] = b.p[at + 20] == 'A' ? 'B' : 'A';
    ok(files_write(path, buf_view(&b), 0600));
    struct store_options o = in(keep);
    store *s;
    fails(store_open(&o, &s), ERR_DATA_LOSS, "the key 'mlflow' is damaged");
    buf_free(&b);
}

/* ---- backup ---- */

struct load {
    store *s;
    _Atomic bool stop;
    int acked;
};

static void *load_main(void *arg) {
    struct load *l = arg;
    char name[32];
    while (!atomic_load(&l->stop)) {
        snprintf(name, sizeof(name), "load-%d", l->acked);
        err *e = store_write_sync(l->s, STORE_META, add, name, NULL);
        if (e) break;
        l->acked++;
    }
    return NULL;
}

static void backup_while_it_serves(void **state) {
    (void)state;
    char restored[80];
    snprintf(restored, sizeof(restored), "%s/restored", dir);
    store *s = opened(keep);
    ok(store_write_sync(s, STORE_META, add, "first", NULL));
    struct load l = {.s = s};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, load_main, &l), 0);
    usleep(50000);
    struct backup_info info, again;
    ok(store_backup(s, other, &info));
    atomic_store(&l.stop, true);
    pthread_join(t, NULL);
    assert_int_equal(settings_in(s), l.acked + 1);
    fails(store_backup(s, other, &info), ERR_INVALID_STATE, "not empty");
    store_close(s);

    assert_true(info.bytes > 8192 && info.sequence[STORE_META] > 0);
    struct store_options o = in(restored);
    ok(store_restore(other, &o, &again));
    assert_int_equal(again.sequence[STORE_META], info.sequence[STORE_META]);
    assert_int_equal(again.made_at, info.made_at);
    s = opened(restored);
    int64_t oldest, newest;
    ok(store_range(s, &oldest, &newest));
    assert_int_equal(newest, info.sequence[STORE_META]);
    int64_t n = settings_in(s);
    assert_true(n >= 1 && n <= l.acked + 1);
    ok(store_write_sync(s, STORE_META, add, "goes on", NULL));
    store_close(s);
    fails(store_restore(other, &o, NULL), ERR_INVALID_STATE, "not empty");
}

static void restore_refuses(void **state) {
    (void)state;
    char restored[80], path[128];
    snprintf(restored, sizeof(restored), "%s/restored", dir);
    struct store_options o = in(restored);
    fails(store_backup_verify(dir, NULL), ERR_RESOURCE_DOES_NOT_EXIST, "manifest.json");
    store *s = opened(keep);
    ok(store_backup(s, other, NULL));
    store_close(s);
    memset(master, 'z', sizeof(master));
    fails(store_restore(other, &o, NULL), ERR_INVALID_STATE, "is not the one of this folder");
    assert_false(files_exists(restored));
    memset(master, 'k', sizeof(master));
    snprintf(path, sizeof(path), "%s/mlflow.db", other);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "x", 1, 5000), 1);
    close(fd);
    fails(store_restore(other, &o, NULL), ERR_DATA_LOSS, "mlflow.db is not the file");
    snprintf(path, sizeof(path), "%s/manifest.json", other);
    ok(files_write(path, STR("{\"format\": 7}"), 0600));
    fails(store_restore(other, &o, NULL), ERR_INVALID_STATE, "does not know");
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(newer_steps_are_refused),
        T(newer_columns_are_refused),
        T(newer_entities_are_refused),
        T(older_files_catch_up),
        T(master_keys),
        T(rotation_of_the_master_key),
        T(reencryption),
        T(a_damaged_key_file_is_named),
        T(backup_while_it_serves),
        T(restore_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
