/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an invocation's body. The first byte: JSON or CSV, named columns or a tensor; every
 * cell of what is accepted is read. */
#include <stddef.h>
#include <stdint.h>

#include "gateway/tabular.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct tab_column NAMED[] = {{{"x", 1}, TAB_DOUBLE, true, 0},   {{"n", 1}, TAB_LONG, false, 1},
                                    {{"s", 1}, TAB_STRING, false, 0},  {{"f", 1}, TAB_FLOAT, false, 2},
                                    {{"b", 1}, TAB_BOOLEAN, false, 3}, {{"t", 1}, TAB_STRING, false, 1}};
static struct tab_column PLAIN[] = {{{"", 0}, TAB_DOUBLE, true, 0}, {{"", 0}, TAB_INTEGER, true, 1}};
static const struct tab_schema SCHEMAS[] = {
    {.columns = NAMED, .n = 6, .n_num = 4, .n_text = 2, .named = true},
    {.columns = PLAIN, .n = 2, .n_num = 2}};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    static struct tab_batch b; /* reused between bodies, as in the gateway */
    const struct tab_schema *s = &SCHEMAS[data[0] & 1];
    str body = str_n((const char *)data + 1, size - 1);
    err *e = data[0] & 2 ? tab_read_csv(s, body, &b) : tab_read_json(s, body, &b);
    volatile double sum = 0;
    volatile size_t bytes = 0;
    for (size_t i = 0; !e && i < b.rows * s->n_num; i++) sum = sum + b.num[i];
    for (size_t i = 0; !e && i < b.rows * s->n_text; i++)
        for (size_t k = 0; b.text[i].p && k < b.text[i].n; k++) bytes = bytes + (unsigned char)b.text[i].p[k];
    err_free(e);
    return 0;
}
