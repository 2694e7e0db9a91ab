/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a checksum file, then as the commits that carry it on, and as the conditions of a commit. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delta/checksum.h"
#include "delta/commit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    str text = str_n((const char *)data, size), first = text;
    struct delta_checksum c;
    memset(&c, 0, sizeof(c));
    /* A checksum, and after an empty line a commit. */
    ptrdiff_t gap = str_find(text, STR("\n\n"));
    if (gap >= 0) first = str_cut(text, (size_t)gap), text = str_from(text, (size_t)gap + 2);
    if (!delta_checksum_read(a, first, 3, &c)) delta_checksum_start(&c);
    struct delta_action *acts;
    size_t n, n_tests;
    err *e = delta_actions_read(a, text, STR("fuzz"), &acts, &n);
    for (int i = 0; !e && i < 2; i++) delta_checksum_apply(a, &c, acts, n);
    err_free(e);
    str again = delta_checksum_text(a, &c);
    bool known = again.n > 0;
    delta_checksum_free(&c);
    /* What was written is read again. */
    if (known) must(delta_checksum_read(a, again, 4, &c));
    delta_checksum_free(&c);
    jval *v;
    const struct delta_test *tests;
    e = json_parse(a, first, false, &v);
    if (!e) e = delta_tests_of_json(a, v, &tests, &n_tests);
    struct delta_file f = {.path = STR("x"), .stats = first, .dv.offset = -1};
    if (!e) (void)delta_file_may_pass(&f, tests, n_tests);
    err_free(e);
    arena_free(a);
    return 0;
}
