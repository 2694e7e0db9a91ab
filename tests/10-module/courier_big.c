/* SPDX-License-Identifier: Apache-2.0 */
/* 300 MB through the courier, and back, in bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/courier_big.h"

#ifdef BH_SANITIZE
#define MAX_RSS_KB 0 /* sanitizers keep freed memory */
#else
#define MAX_RSS_KB (64 * 1024)
#endif

static void test_300mb(void **state) {
    (void)state;
    struct moto m;
    moto_start(&m, false);
    courier_big(&m, 300000000, -1, MAX_RSS_KB);
    moto_stop(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_300mb)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
