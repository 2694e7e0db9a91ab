/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a commit (or as rows of a checkpoint): read, replayed over a small table, statistics asked. */
#include <stddef.h>
#include <stdint.h>

#include "delta/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    str text = str_n((const char *)data, size);
    struct delta_action *acts;
    size_t n;
    err *e = delta_actions_read(a, text, STR("fuzz"), &acts, &n);
    for (size_t i = 0; !e && i < n; i++) {
        buf b = {0};
        str path;
        delta_action_line(a, &acts[i], &b);
        buf_free(&b);
        if (acts[i].kind == DELTA_ADD) err_free(delta_file_path(a, STR("/t"), acts[i].file.path, &path));
    }
    err_free(e);
    struct delta_snapshot *s;
    e = delta_snapshot_of_text(text, &s);
    if (!e) {
        static const char *const columns[] = {"id", "p", "s"};
        bool *keep = arena_array_of(a, bool, s->n_files + 1);
        for (size_t i = 0; i < 3; i++) {
            str path = str_of(columns[i]), value = STR("5");
            struct delta_test t = {&path, 1, i == 1, (enum delta_order)i, '=', &value, 1};
            delta_skip(s, &t, 1, keep);
        }
        delta_snapshot_drop(s);
    }
    err_free(e);
    arena_free(a);
    return 0;
}
