/* SPDX-License-Identifier: Apache-2.0 */
/* kill -9 of a process that writes: a child reports over a pipe what was acknowledged, dies at any
 * moment, and the next process finds all of it. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/gen_entities.h"
#include "store/keys.h"
#include "sys/files.h"

#define ROUNDS 25
#define THREADS 8
#define KEY STR("0123456789abcdef0123456789abcdef")

static char dir[64];
static const struct store_scope WS = {1, 10};
static const struct store_actor ANN = {.principal = 7, .action = {"test", 4}};

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/bh-kill-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    err *e = files_remove_tree(dir, 1u << 20);
    err_free(e);
    return e != NULL;
}

/* ---- the child ---- */

struct writer_thread {
    store *s;
    int round, number, out;
};

struct job {
    int round, thread, n;
};

static void name_of(const struct job *j, char out[48]) {
    snprintf(out, 48, "r%d-t%d-n%d", j->round, j->thread, j->n);
}

static err *add(store_tx *tx, void *arg) {
    char name[48];
    name_of(arg, name);
    struct ent_setting_kv row = {.name = str_of(name), .value = STR("{}")};
    TRY(ent_setting_kv_insert(tx, WS, &row));
    row.value = STR("{\"whole\":1}");
    return ent_setting_kv_update(tx, WS, &row);
}

static void *child_thread(void *arg) {
    struct writer_thread *w = arg;
    for (struct job j = {w->round, w->number, 0};; j.n++) {
        err *e = store_write_sync(w->s, STORE_META, add, &j, &ANN);
        if (e) _exit(3);
        if (write(w->out, &j, sizeof(j)) != sizeof(j)) _exit(4);
    }
    return NULL;
}

static void child(int round, int out) {
    struct store_options o = {.dir = dir, .master_key = KEY};
    store *s;
    err *e = store_open(&o, &s);
    if (e) {
        fprintf(stderr, "child: %s\n", err_msg(e));
        _exit(2);
    }
    struct writer_thread w[THREADS];
    pthread_t t;
    for (int i = 0; i < THREADS; i++) {
        w[i] = (struct writer_thread){s, round, i, out};
        if (pthread_create(&t, NULL, child_thread, &w[i])) _exit(5);
    }
    for (;;) pause();
}

/* ---- the parent ---- */

struct ledger {
    struct job *p;
    size_t n, cap;
};

static void read_acks(int in, struct ledger *l) {
    struct job j;
    while (read(in, &j, sizeof(j)) == sizeof(j)) {
        if (l->n == l->cap) {
            l->cap = l->cap ? 2 * l->cap : 1024;
            l->p = realloc(l->p, l->cap * sizeof(*l->p));
            assert_non_null(l->p);
        }
        l->p[l->n++] = j;
    }
}

static void check_ledger(store *s, const struct ledger *l, size_t from) {
    store_tx *tx;
    arena *a = arena_new();
    ok(store_read_begin(s, STORE_META, 0, &tx));
    for (size_t i = from; i < l->n; i++) {
        char name[48];
        struct ent_setting_kv row;
        bool found;
        name_of(&l->p[i], name);
        ok(ent_setting_kv_by_name(tx, WS, a, str_of(name), &row, &found));
        if (!found) fail_msg("%s was acknowledged and is gone", name);
        assert_true(str_eqz(row.value, "{\"whole\":1}"));
        if (i % 256 == 0) arena_reset(a);
    }
    store_read_end(tx);
    arena_free(a);
}

static void killed_at_any_moment(void **state) {
    (void)state;
    struct ledger l = {0};
    struct store_options o = {.dir = dir, .master_key = KEY};
    for (int round = 0; round < ROUNDS; round++) {
        int fds[2];
        size_t before = l.n;
        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            close(fds[0]);
            child(round, fds[1]);
        }
        close(fds[1]);
        /* From the middle of the first start on to a long load. */
        usleep((useconds_t)(1000 + (round * 7919) % 150000));
        kill(pid, SIGKILL);
        read_acks(fds[0], &l);
        close(fds[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));

        store *s;
        ok(store_open(&o, &s));
        check_ledger(s, &l, round + 1 == ROUNDS ? 0 : before);
        ok(store_check(s));
        store_close(s);
    }
    assert_true(l.n > 20);
    free(l.p);
}

/* A rotation of the master key, killed at any moment: the key file of the moment opens. */
static void killed_while_keys_rotate(void **state) {
    (void)state;
    char path[100];
    unsigned char master[STORE_KEY_SIZE];
    store *s;
    snprintf(path, sizeof(path), "%s/master.key", dir);
    ok(keys_master_file(path, true, master));
    struct store_options o = {.dir = dir, .master_key = {(char *)master, STORE_KEY_SIZE}};
    ok(store_open(&o, &s));
    store_close(s);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (;;) {
                err *e = keys_rotate_file(dir, path);
                if (e) _exit(2);
            }
        }
        usleep((useconds_t)(500 + (round * 3571) % 30000));
        kill(pid, SIGKILL);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        ok(keys_master_file(path, false, master));
        ok(store_open(&o, &s));
        store_close(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_while_keys_rotate, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
