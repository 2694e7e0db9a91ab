/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics and partition values. The bytes are taken as the text of add.stats, against which conditions of every kind and order
 * are tested; as a string whose bounds are written (they must enclose it); as a partition value, a time, and a folder's name.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "delta/partition.h"
#include "delta/stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tests(arena *a, str stats, str value) {
    static const char ops[] = "=<>lg01i";
    static const char *const columns[] = {"id", "p", "s"};
    struct delta_file f = {.path = STR("x"), .size = 1, .stats = stats};
    delta_map_set(a, &f.partition, STR("p"), value, !value.n);
    for (size_t c = 0; c < 3; c++)
        for (int order = DELTA_ORDER_INT; order <= DELTA_ORDER_BOOL; order++)
            for (size_t o = 0; o < sizeof(ops) - 1; o++) {
                str path[2] = {str_of(columns[c]), STR("x")}, values[2] = {value, STR("5")};
                struct delta_test t = {path, c == 2 ? 2 : 1, c == 1, (enum delta_order)order, ops[o], values, ops[o] == 'i' ? 2 : 1};
                (void)delta_file_may_pass(&f, &t, 1);
            }
    (void)delta_num_records(&f);
    (void)delta_null_count(&f, STR("id"));
}

/* Bounds enclose what they were made of. */
static void bounds(str s) {
    buf low = {0}, high = {0};
    if (!str_is_utf8(s)) return;
    delta_stats_min(s, &low);
    must(str_cmp(buf_view(&low), s) <= 0);
    if (delta_stats_max(s, &high)) must(str_cmp(buf_view(&high), s) >= 0);
    buf_free(&low), buf_free(&high);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    arena *a = arena_new();
    str all = str_n((const char *)data, size);
    ptrdiff_t cut = str_chr(all, '\n', 0);
    str value = cut < 0 ? STR("7") : str_cut(all, (size_t)cut), stats = cut < 0 ? all : str_from(all, (size_t)cut + 1);
    int64_t us;
    tests(a, stats, value);
    bounds(all);
    (void)delta_time_of_text(value, &us);
    struct delta_map m = {0};
    delta_map_set(a, &m, STR("p"), value, false);
    str folder = delta_partition_folder(a, &m), part, place;
    while (str_split(&folder, '/', &part)) must(!str_eqz(part, ".."));
    err_free(delta_file_path(a, STR("/t"), all, &place));
    arena_free(a);
    return 0;
}
