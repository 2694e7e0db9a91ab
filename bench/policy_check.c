/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One permission check, warm: a table of four levels, each with 50 grants, asked by a user in 20 groups.
 *
 *   policy_check [seconds]
 */
#include <stdio.h>
#include <stdlib.h>

#include "policy/policy.h"
#include "sys/clock.h"

#define GRANTS 50
#define GROUPS 20

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
    static struct policy_entry entries[4][GRANTS];
    static int64_t groups[GROUPS];
    struct policy_node chain[4] = {{.what = "table"}, {.what = "schema", .use = PRIV_USE_SCHEMA}, {.what = "catalog", .use = PRIV_USE_CATALOG}, {.what = "metastore"}};
    for (int i = 0; i < GROUPS; i++) groups[i] = 100000 + i;
    for (int l = 0; l < 4; l++) {
        for (int i = 0; i < GRANTS; i++) entries[l][i] = (struct policy_entry){i == GRANTS - 1 ? groups[GROUPS - 1] : 5000 + i, PRIV_SELECT | PRIV_USE_SCHEMA | PRIV_USE_CATALOG};
        chain[l].entries = entries[l];
        chain[l].n = GRANTS;
    }
    struct policy_subject allowed = {.id = 7, .groups = groups, .n_groups = GROUPS, .active = true}, refused = {.id = 8, .active = true};
    const struct policy_subject *who[2] = {&allowed, &refused};
    for (int w = 0; w < 2; w++) {
        int64_t began = clock_mono(), us = 0;
        size_t n = 0, yes = 0;
        while (us < (int64_t)(seconds * 500000)) {
            for (int i = 0; i < 1000; i++, n++) yes += policy_privilege(who[w], PRIV_SELECT, chain, 4).allow;
            us = clock_mono() - began;
        }
        printf("%s: %.3f us a check (%zu checks, %zu allowed)\n", w ? "refused, no group" : "allowed through the last of 20 groups", (double)us / (double)n, n, yes);
    }
    return 0;
}
