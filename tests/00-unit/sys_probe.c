/* SPDX-License-Identifier: Apache-2.0 */
/* Probes: each runs to a result, and the level follows from them. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/probe.h"

static void all_run(void **state) {
    (void)state;
    for (size_t i = 0; i < probe_count; i++) {
        struct probe_result r;
        assert_null(probe_run(&probes[i], &r));
        print_message("%-15s %-3s %s\n", probes[i].name, r.ok ? "yes" : "no", r.detail);
        assert_true(probes[i].way_out && *probes[i].way_out);
        if (!r.ok) assert_int_not_equal(r.error, EPROTO); /* no crash, no hang */
    }
}

static int kills_itself(char *detail, size_t cap) {
    (void)detail;
    (void)cap;
    raise(SIGKILL);
    return 0;
}

static void crash_is_a_result(void **state) {
    (void)state;
    const struct probe p = {.name = "x", .run = kills_itself};
    struct probe_result r;
    assert_null(probe_run(&p, &r));
    assert_false(r.ok);
    assert_int_equal(r.error, EPROTO);
}

static void levels(void **state) {
    (void)state;
    enum sandbox_level level;
    err *e = probe_level(STR("auto"), &level);
    if (e) {
        assert_non_null(err_hint_of(e));
        print_message("%s\n", err_msg(e));
    } else {
        assert_int_equal(level, geteuid() == 0 ? SANDBOX_FULL : SANDBOX_USER);
    }
    err_free(e);
    e = probe_level(STR("none"), &level);
    assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    err_free(e);
    if (geteuid() != 0) {
        e = probe_level(STR("full"), &level);
        assert_int_equal(err_code_of(e), ERR_INVALID_STATE);
        err_free(e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_run), cmocka_unit_test(crash_is_a_result), cmocka_unit_test(levels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
