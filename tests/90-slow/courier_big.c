/* SPDX-License-Identifier: Apache-2.0 */
/* 5 GB through the courier, and back, in bounded memory, its size announced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "harness/courier_big.h"

#ifdef BH_SANITIZE
#define MAX_RSS_KB 0 /* sanitizers keep freed memory */
#else
#define MAX_RSS_KB (64 * 1024)
#endif

/* The S3 server of the tests keeps objects in memory, more than once while it assembles them. */
static bool machine_is_large(void) {
    char line[128];
    long kb = 0;
    FILE *f = fopen("/proc/meminfo", "r");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %ld kB", &kb) == 1) break;
    if (f) fclose(f);
    return kb >= 20l << 20;
}

static void test_5gb(void **state) {
    (void)state;
    struct moto m;
    if (!machine_is_large()) {
        print_message("skipped: the S3 server needs 20 GiB of free memory for this\n");
        skip();
    }
    moto_start(&m, false);
    courier_big(&m, 5000000000, 5000000000, MAX_RSS_KB);
    moto_stop(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_5gb)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
