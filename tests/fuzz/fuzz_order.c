/* SPDX-License-Identifier: Apache-2.0 */
/* Orders and outcomes as the courier and control read them: the verb, a newline, the JSON text.
 * What is read is written and read again to the same text. */
#include <stdlib.h>

#include "ipc/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    arena *a = arena_new();
    str json = str_n((const char *)data, n), verb;
    struct order o, again;
    if (json.p && str_split(&json, '\n', &verb) && json.p) {
        err *e = order_read(a, verb, json, &o);
        if (!e) {
            buf one = {0}, two = {0};
            order_write(&o, &one);
            if (order_read(a, verb, buf_view(&one), &again)) abort();
            order_write(&again, &two);
            if (!str_eq(buf_view(&one), buf_view(&two))) abort();
            buf_free(&one);
            buf_free(&two);
        }
        bool read = e == NULL;
        err_free(e);
        /* Whatever stands in an order, a grant for a folder reaches nothing else. */
        struct order_grant g = {.prefix = STR("a/b"), .write = true, .expires = INT64_MAX};
        err *denied = read ? order_grant_check(&g, &o, 0) : NULL;
        if (read && !denied && o.key.n && !str_starts(o.key, g.prefix)) abort();
        err_free(denied);
        unsigned char key[ORDER_KEY_SIZE] = {1};
        e = order_grant_read(a, key, json, &g);
        err_free(e);
        jval *v;
        e = json_parse(a, json, false, &v);
        if (!e) {
            struct storage_info info;
            struct storage_list list;
            (void)order_read_info(v, &info);
            (void)order_read_list(a, v, &list);
        }
        err_free(e);
    }
    arena_free(a);
    return 0;
}
