/* SPDX-License-Identifier: Apache-2.0 */
/* xpath() and its like: an expression of XPath asked of a text of XML. An empty text or expression has no answer. */
#include <math.h>

#include "base/arena.h"
#include "engine/worker/fn_int.h"
#include "engine/worker/xpath.h"

/* false: there is nothing to answer (NULL, or the statement has failed). The caller frees *a in any case. */
static bool ask(struct fn_call *c, arena **a, struct xpath_value *v) {
    str text = fn_str(c, 0), path = fn_str(c, 1);
    *a = NULL;
    if (text.n == 0 || path.n == 0) return false;
    *a = arena_new();
    struct xml *root = xml_read(*a, text);
    if (root && xpath_eval(*a, root, path, v)) return true;
    fn_fail_with(c, "FAILED_FUNCTION_CALL", &(struct fn_param){"funcName", str_of(arena_printf(*a, "`%s`", c->def->name + 3))}, 1);
    return false;
}

static void nodes(struct fn_call *c) {
    arena *a;
    struct xpath_value v;
    if (ask(c, &a, &v)) {
        if (v.kind != XPATH_NODES) fn_fail(c, "FAILED_FUNCTION_CALL", "funcName", "`xpath`", NULL);
        else {
            fn_list_begin(c);
            for (size_t i = 0; i < v.n; i++)
                if (v.node[i]->kind == XML_TEXT || v.node[i]->kind == XML_ATTRIBUTE) fn_list_str(c, v.node[i]->text);
                else fn_list_null(c);
            fn_list_end(c);
        }
    }
    arena_free(a);
}

static void string(struct fn_call *c) {
    arena *a;
    struct xpath_value v;
    if (ask(c, &a, &v)) fn_ret_str(c, xpath_string(a, &v));
    arena_free(a);
}

static void boolean(struct fn_call *c) {
    arena *a;
    struct xpath_value v;
    if (ask(c, &a, &v)) fn_ret_bool(c, xpath_boolean(&v));
    arena_free(a);
}

/* Java's casts of a double: towards zero, within the type's bounds, NaN is 0; a short is cut out of an int. */
static int64_t whole(double d, int64_t least, int64_t most) {
    if (isnan(d)) return 0;
    return d <= (double)least ? least : d >= (double)most ? most : (int64_t)d;
}

static void number(struct fn_call *c) {
    arena *a;
    struct xpath_value v;
    if (ask(c, &a, &v)) {
        double d = xpath_number(a, &v);
        switch ((char)c->def->tag) {
        case 'h': fn_ret_i16(c, (int16_t)whole(d, INT32_MIN, INT32_MAX)); break;
        case 'i': fn_ret_i32(c, (int32_t)whole(d, INT32_MIN, INT32_MAX)); break;
        case 'l': fn_ret_i64(c, whole(d, INT64_MIN, INT64_MAX)); break;
        case 'f': fn_ret_f32(c, (float)d); break;
        default: fn_ret_f64(c, d); break;
        }
    }
    arena_free(a);
}

static const struct fn_def defs[] = {
    {"bh_xpath", "ss:[s", nodes, 0, 0},           {"bh_xpath_string", "ss:s", string, 0, 0},  {"bh_xpath_boolean", "ss:B", boolean, 0, 0},
    {"bh_xpath_short", "ss:h", number, 0, 'h'},   {"bh_xpath_int", "ss:i", number, 0, 'i'},   {"bh_xpath_long", "ss:l", number, 0, 'l'},
    {"bh_xpath_float", "ss:f", number, 0, 'f'},   {"bh_xpath_double", "ss:d", number, 0, 'd'}, {"bh_xpath_number", "ss:d", number, 0, 'd'},
};
const struct fn_table fn_table_xpath = {defs, ARRAY_LEN(defs)};
