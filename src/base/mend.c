/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mend.h"

#include "base/str.h"

size_t mend_utf8(char *p, size_t n) {
    size_t to = 0;
    for (size_t i = 0; i < n;) {
        size_t k = 1, left = n - i;
        while (k <= 4 && k <= left && !str_is_utf8(str_n(p + i, k))) k++;
        if (k > 4 || k > left) {
            i++;
            continue;
        }
        for (; k; k--) p[to++] = p[i++];
    }
    return to;
}
