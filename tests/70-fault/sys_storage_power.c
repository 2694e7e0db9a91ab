/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Power loss below the local store. A random sequence of puts, deletes, renames and uploads runs
 * until the disk dies in the midst of a call; then the disk shows what it really holds. Whatever
 * was acknowledged must be there, whole; what was under way may have happened or not, but never in
 * part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/storage_suite.h"
#include "sys/storage_fault.h"

/* Keys that are prefixes of each other, so that files become directories under way. */
static const char *const keys[] = {"a",     "a/b",   "a/b/c", "a/b/d/e",
                                   "log/0", "log/1", "x/y/z", "x/y/"};
enum { KEYS = ARRAY_LEN(keys), STEPS = 25 };

struct ledger {
    char now[KEYS][40];   /* acknowledged content, "" = absent */
    char maybe[KEYS][40]; /* what the call under way would make of it */
    bool open[KEYS];
};

static uint64_t state;
static uint64_t draw(uint64_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

static void begin(struct ledger *l, size_t k, const char *text) {
    l->open[k] = true;
    size_t n = strnlen(text, sizeof(l->maybe[k]) - 1);
    memmove(l->maybe[k], text, n);
    l->maybe[k][n] = 0;
}

static void end(struct ledger *l, size_t k, bool ok) {
    if (!ok) return;
    l->open[k] = false;
    memcpy(l->now[k], l->maybe[k], sizeof(l->now[k]));
}

static err *upload(storage *s, str key, str text) {
    arena *a = arena_new();
    struct storage_bytes b;
    struct storage_part p[2];
    str id;
    err *e = storage_multi_create(s, a, key, &id);
    if (!e) e = storage_multi_part(s, key, id, 1, storage_from_bytes(&b, str_cut(text, 3)), &p[0]);
    if (!e) e = storage_multi_part(s, key, id, 2, storage_from_bytes(&b, str_from(text, 3)), &p[1]);
    if (!e) e = storage_multi_complete(s, key, id, p, 2, false, NULL);
    arena_free(a);
    return e;
}

/* One random call; false when the power is gone. */
static bool step(storage *s, struct ledger *l, int number) {
    size_t k = draw(KEYS), to = draw(KEYS);
    str key = str_of(keys[k]);
    char text[40];
    snprintf(text, sizeof(text), "content %d of %s", number, keys[k]);
    struct storage_bytes b;
    struct storage_put_options absent = {.if_absent = true};
    err *e;
    bool expected = false;
    switch (draw(8)) {
    case 0:
    case 1:
    case 2:
        begin(l, k, text);
        e = storage_put(s, key, storage_from_bytes(&b, str_of(text)), NULL, NULL);
        break;
    case 3:
        begin(l, k, text);
        expected = l->now[k][0] != 0; /* put-if-absent must lose */
        if (expected) l->open[k] = false;
        e = storage_put(s, key, storage_from_bytes(&b, str_of(text)), &absent, NULL);
        if (expected && err_code_of(e) == ERR_ALREADY_EXISTS) {
            err_free(e);
            return true;
        }
        break;
    case 4:
        begin(l, k, text);
        e = upload(s, key, str_of(text));
        break;
    case 5:
        if (l->now[k][0] && k != to) {
            begin(l, to, l->now[k]);
            begin(l, k, "");
            e = storage_rename(s, key, str_of(keys[to]));
            end(l, to, e == NULL);
            break;
        } /* fall through */
    default:
        begin(l, k, "");
        e = storage_del(s, &key, 1);
        break;
    }
    end(l, k, e == NULL);
    bool ok = e == NULL;
    if (e && err_errno_of(e) != 5 /* EIO */ && err_code_of(e) != ERR_IO_ERROR)
        print_error("unexpected: %s\n", err_msg(e));
    err_free(e);
    return ok;
}

static void check(storage *s, const struct ledger *l, const char *what) {
    for (size_t k = 0; k < KEYS; k++) {
        buf b = {0};
        struct storage_sink to = storage_to_buf(&b);
        struct storage_info info;
        err *e = storage_get(s, str_of(keys[k]), 0, -1, STR_NONE, &to, &info);
        if (e && err_code_of(e) != ERR_NOT_FOUND) suite_ok(e);
        err_free(e);
        str got = e ? STR("") : buf_view(&b);
        bool fine = str_eqz(got, l->now[k]) || (l->open[k] && str_eqz(got, l->maybe[k]));
        if (!fine)
            print_error("%s: '%s' holds '%.*s', acknowledged '%s', under way '%s'\n", what, keys[k],
                        STR_ARG(got), l->now[k], l->open[k] ? l->maybe[k] : "-");
        assert_true(fine);
        buf_free(&b);
    }
    /* what is listed can be read, and nothing else is listed */
    arena *a = arena_new();
    struct storage_list_ask ask = {0};
    struct storage_list list;
    suite_ok(storage_list(s, a, &ask, &list));
    for (size_t i = 0; i < list.n; i++) {
        struct storage_info info;
        suite_ok(storage_head(s, list.entries[i].key, &info));
        bool known = false;
        for (size_t k = 0; k < KEYS; k++) known |= str_eqz(list.entries[i].key, keys[k]);
        assert_true(known);
    }
    arena_free(a);
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw) {
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static int64_t run(uint64_t seed, int64_t die_after, enum storage_power_mode mode) {
    char root[64] = "/tmp/bh-power-XXXXXX", what[96];
    assert_non_null(mkdtemp(root));
    snprintf(what, sizeof(what), "seed %lu, power gone after %ld calls, mode %d",
             (unsigned long)seed, (long)die_after, mode);
    storage_power *p;
    storage *s;
    struct ledger l = {0};
    state = seed;
    suite_ok(storage_power_new(seed, die_after, &p));
    suite_ok(storage_local_new(root, storage_power_disk(p), &s));
    for (int i = 0; i < STEPS && step(s, &l, i); i++) {
    }
    int64_t calls = storage_power_calls(p);
    bool died = storage_power_died(p);
    if (die_after < 0) assert_false(died);
    check(s, &l, what); /* as the running program sees it */
    storage_free(s);
    suite_ok(storage_power_cut(p, root, mode));
    suite_ok(storage_local_new(root, NULL, &s));
    suite_ok(storage_local_sweep(s, 0));
    check(s, &l, what);
    storage_free(s);
    storage_power_free(p);
    nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
    return calls;
}

static void test_power(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        int64_t calls = run(seed, -1, STORAGE_POWER_DROP);
        assert_true(calls > STEPS);
        run(seed, -1, STORAGE_POWER_SCRAMBLE);
        for (int64_t at = 0; at < calls; at += 1 + (int64_t)(seed % 3)) {
            run(seed, at, STORAGE_POWER_DROP);
            run(seed, at, STORAGE_POWER_KEEP);
            run(seed + 100 * (uint64_t)at, at, STORAGE_POWER_SCRAMBLE);
        }
    }
}

/* The disk itself: what nobody synced is lost, so the test above can fail. */
static void test_disk_forgets(void **unused) {
    (void)unused;
    char root[64] = "/tmp/bh-power-XXXXXX", path[128];
    assert_non_null(mkdtemp(root));
    storage_power *p;
    suite_ok(storage_power_new(1, -1, &p));
    struct storage_disk *d = storage_power_disk(p);
    int dir = open(root, O_RDONLY | O_DIRECTORY);
    static const char *const names[] = {"synced", "named only", "data only", "nothing"};
    for (int i = 0; i < 4; i++) {
        int fd = openat(dir, "t", O_CREAT | O_RDWR, 0600);
        assert_int_equal(write(fd, "data", 4), 4);
        if (i == 0 || i == 2) assert_int_equal(d->sync(d, fd), 0);
        close(fd);
        assert_int_equal(d->rename(d, dir, "t", dir, names[i], 0), 0);
        if (i == 1) assert_int_equal(d->sync(d, dir), 0);
    }
    close(dir);
    suite_ok(storage_power_cut(p, root, STORAGE_POWER_DROP));
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", root, names[0]);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 4);
    snprintf(path, sizeof(path), "%s/%s", root, names[1]);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 0);
    for (int i = 2; i < 4; i++) {
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        assert_int_equal(stat(path, &st), -1);
    }
    storage_power_free(p);
    nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_disk_forgets),
                                       cmocka_unit_test(test_power)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
