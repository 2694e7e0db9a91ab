/* SPDX-License-Identifier: Apache-2.0 */
/* Up to the first line break an expression of XPath, then XML, asked of it; the whole as CSV, JSON and XML whose schema is told. */
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "engine/worker/xpath.h"
#include "sql/infer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size > 1 << 14) return 0;
    str all = str_n((const char *)data, size);
    ptrdiff_t end = str_chr(all, '\n', 0);
    str path = end < 0 ? all : str_cut(all, (size_t)end), text = end < 0 ? STR("<a b='1'>t<c>2</c></a>") : str_from(all, (size_t)end + 1);
    arena *a = arena_new();
    struct xml *root = xml_read(a, text);
    struct xpath_value v;
    buf out = {0};
    if (root) {
        xml_write(root, &out);
        if (xpath_eval(a, root, path, &v)) {
            must(xpath_string(a, &v).p);
            xpath_number(a, &v);
            xpath_boolean(&v);
            for (size_t i = 1; v.kind == XPATH_NODES && i < v.n; i++) must(v.node[i - 1]->order < v.node[i]->order);
        }
    }
    struct infer how = {.leading_zeros = true, .prefers_decimal = size & 1};
    const struct sql_type *t[4] = {infer_csv(a, text, &how), infer_json(a, text, &how), infer_xml(a, text, &how), infer_json(a, all, &how)};
    for (size_t i = 0; i < 4; i++)
        if (t[i]) sql_type_write_sql(t[i], &out);
    buf_free(&out);
    arena_free(a);
    return 0;
}
