/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a type: the JSON of a table's schema (a hostile log's too), and a type as statements write it. What is read is written in
 * every form, and read again as the same type. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/json.h"
#include "sql/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_all(arena *a, const struct sql_type *t) {
    const struct sql_type *again;
    jval *v;
    buf text = {0}, json = {0}, duck = {0};
    sql_type_write(t, &text);
    sql_type_write_duckdb(t, &duck);
    sql_type_write_json_alone(t, &json);
    must(json_parse(a, buf_view(&json), false, &v) == NULL);
    err *e = sql_type_read_json(a, v, &again);
    if (!e) must(sql_type_eq(t, again));
    err_free(e);
    buf_free(&text);
    buf_free(&json);
    buf_free(&duck);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    str text = str_n((const char *)data, size);
    if (!str_is_utf8(text)) return 0; /* doors let nothing else in */
    arena *a = arena_new();
    const struct sql_type *t;
    jval *v;
    err *e = json_parse(a, text, false, &v);
    if (!e) e = sql_type_read_json(a, v, &t);
    if (!e) write_all(a, t);
    err_free(e);
    e = sql_type_parse(a, text, &t);
    if (!e) write_all(a, t);
    err_free(e);
    arena_free(a);
    return 0;
}
