/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of builders and pages of package indexes: read or refused; and a turned link never leads
 * anywhere but through the relay or below its own page. */
#include "courier/index_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
static void seen(void *arg, const struct index_url *u) {
    (void)arg;
    must(u->host.n > 0 && u->host.n < 256);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    str text = str_n((const char *)data, n);
    struct index_url at = {STR("https"), STR("index.example"), STR("/simple/x/")}, u;
    struct index_ask ask;
    buf out = {0};
    err_free(index_read_ask(text, &ask));
    if (index_url_read(text, &u)) {
        index_url_put(&out, &u);
        must(str_eq(buf_view(&out), text));
        buf_clear(&out);
    }
    index_turn_page(text, &at, &out, seen, NULL);
    buf_free(&out);
    return 0;
}
