/* SPDX-License-Identifier: Apache-2.0 */
/* Reading options: what both programs, boathouse and boathouse-engine, need of main.h. */
#include <string.h>

#include "base/str.h"
#include "main/main.h"

bool main_option(int argc, char **argv, int *i, const char *name, const char **ret) {
    str a = str_of(argv[*i]);
    size_t n = strlen(name);
    if (!str_starts(a, str_of(name))) return false;
    if (a.n == n && *i + 1 < argc) {
        *ret = argv[++*i];
        return true;
    }
    if (a.n > n && a.p[n] == '=') {
        *ret = a.p + n + 1;
        return true;
    }
    return false;
}
