/* SPDX-License-Identifier: Apache-2.0 */
/* Power cuts under the stores: whatever the disk makes of what was not synced, everything that was
 * acknowledged is there, nothing is there in part, and every page is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/fault_vfs.h"
#include "store/gen_entities.h"
#include "sys/files.h"

#define ROUNDS 60
#define MAX_WRITES 400

static char dir[64];
static const struct store_scope WS = {1, 10};
static const struct store_actor ANN = {.principal = 7, .action = {"test", 4}};

static void ok(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}

static int setup(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/bh-power-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    err *e = files_remove_tree(dir, 1u << 20);
    err_free(e);
    return e != NULL;
}

static err *open_with(const char *vfs, store **s) {
    struct store_options o = {
        .dir = dir, .master_key = STR("0123456789abcdef0123456789abcdef"), .vfs = vfs};
    return store_open(&o, s);
}

/* A write of two rows that belong together, and an update of a third: all or none. */
static err *pair(store_tx *tx, void *arg) {
    arena *a = arena_new();
    int n = *(int *)arg;
    struct ent_setting_kv left = {.name = str_of(arena_printf(a, "left-%d", n))},
                          right = {.name = str_of(arena_printf(a, "right-%d", n))}, count;
    char *big = arena_alloc(a, 3001);
    memset(big, 'b', 3000);
    left.value = right.value = str_of(big);
    bool found = false;
    err *e = ent_setting_kv_insert(tx, WS, &left);
    if (!e) e = ent_setting_kv_insert(tx, WS, &right);
    if (!e) e = ent_setting_kv_by_name(tx, WS, a, STR("count"), &count, &found);
    if (!e && !found) count = (struct ent_setting_kv){.name = STR("count")};
    count.value = str_of(arena_printf(a, "%d", n));
    if (!e)
        e = found ? ent_setting_kv_update(tx, WS, &count) : ent_setting_kv_insert(tx, WS, &count);
    arena_free(a);
    return e;
}

/* Returns how many of the pairs are there; they must be 0 … n-1 without a gap, each whole. */
static int pairs_there(store *s) {
    store_tx *tx;
    arena *a = arena_new();
    struct ent_setting_kv row;
    bool left = true, right = true, found;
    int n = -1;
    ok(store_read_begin(s, STORE_META, 0, &tx));
    while (left) {
        n++;
        ok(ent_setting_kv_by_name(tx, WS, a, str_of(arena_printf(a, "left-%d", n)), &row, &left));
        ok(ent_setting_kv_by_name(tx, WS, a, str_of(arena_printf(a, "right-%d", n)), &row, &right));
        assert_int_equal(left, right);
    }
    ok(ent_setting_kv_by_name(tx, WS, a, STR("count"), &row, &found));
    assert_int_equal(found, n > 0);
    if (found) assert_true(str_eqz(row.value, arena_printf(a, "%d", n - 1)));
    int64_t rows;
    ok(ent_setting_kv_count(tx, WS, NULL, &rows));
    assert_int_equal(rows, 2 * n + (n > 0));
    store_read_end(tx);
    arena_free(a);
    return n;
}

/* Writes until the power goes; *acked counts on. */
static void write_until_dark(store *s, int *acked) {
    for (int i = 0; i < MAX_WRITES && !fault_vfs_is_off(); i++) {
        int n = *acked;
        err *e = store_write_sync(s, STORE_META, pair, &n, &ANN);
        if (!e) ++*acked;
        err_free(e);
    }
}

static void cut_at_any_moment(void **state) {
    (void)state;
    uint64_t seed = 20261121;
    int acked = 0, cuts = 0;
    ok(fault_vfs_register());
    for (int round = 0; round < ROUNDS; round++) {
        store *s = NULL;
        /* Early rounds: while the stores are made or opened; later ones: anywhere in the load. */
        fault_vfs_arm(round < 20 ? 1 + round * 9 : 30 + (round * 131) % 700);
        err *e = open_with(FAULT_VFS_NAME, &s);
        assert_true(!e || fault_vfs_is_off());
        if (!e) write_until_dark(s, &acked);
        err_free(e);
        cuts += fault_vfs_is_off();
        store_close(s);
        ok(fault_vfs_crash((enum fault_fate)(round % 4), seed + (uint64_t)round));

        ok(open_with(NULL, &s));
        ok(store_check(s));
        int there = pairs_there(s);
        /* At most the one write that was under way may be there without having been acknowledged.
         */
        if (there < acked || there > acked + 1)
            fail_msg("round %d: %d pairs, %d acknowledged", round, there, acked);
        acked = there;
        store_close(s);
    }
    assert_true(cuts > ROUNDS / 2);
    assert_true(acked > 100);
}

/* The twin itself: dropping takes back what was not synced, so a store without syncs would lose. */
static void the_disk_forgets(void **state) {
    (void)state;
    store *s;
    int n = 0;
    ok(fault_vfs_register());
    ok(open_with(FAULT_VFS_NAME, &s));
    fault_vfs_arm(0);
    ok(store_write_sync(s, STORE_META, pair, &n, &ANN));
    int64_t events = fault_vfs_events();
    assert_true(events > 3);
    /* The last event of a commit is its sync: cut there. */
    n = 1;
    fault_vfs_arm(events);
    err *e = NULL;
    while (!fault_vfs_is_off()) {
        err_free(e);
        e = store_write_sync(s, STORE_META, pair, &n, &ANN);
        if (!e) n++;
    }
    assert_non_null(e);
    err_free(e);
    store_close(s);
    ok(fault_vfs_crash(FAULT_DROP, 1));
    ok(open_with(NULL, &s));
    assert_int_equal(pairs_there(s), n);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cut_at_any_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(the_disk_forgets, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
