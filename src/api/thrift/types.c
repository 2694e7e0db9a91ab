/* SPDX-License-Identifier: Apache-2.0 */
#include "api/thrift/types.h"

#define MAX_TEXT 2147483647

/* Intervals travel as texts and are announced as such, unless a client asks for Arrow's own. */
const struct thrift_type thrift_types[TY_KINDS] = {
    [TY_VOID] = {TY_VOID, 16, 0, "VOID", 1, -1, -1, -1, true},
    [TY_BOOLEAN] = {TY_BOOLEAN, 0, 16, "BOOLEAN", 1, 0, -1, -1, true},
    [TY_TINYINT] = {TY_TINYINT, 1, -6, "TINYINT", 3, 0, 10, -1, true},
    [TY_SMALLINT] = {TY_SMALLINT, 2, 5, "SMALLINT", 5, 0, 10, -1, true},
    [TY_INT] = {TY_INT, 3, 4, "INT", 10, 0, 10, -1, true},
    [TY_BIGINT] = {TY_BIGINT, 4, -5, "BIGINT", 19, 0, 10, -1, true},
    [TY_FLOAT] = {TY_FLOAT, 5, 6, "FLOAT", 7, 7, 10, -1, true},
    [TY_DOUBLE] = {TY_DOUBLE, 6, 8, "DOUBLE", 15, 15, 10, -1, true},
    [TY_DECIMAL] = {TY_DECIMAL, 15, 3, "DECIMAL", 38, 0, 10, -1, true},
    [TY_STRING] = {TY_STRING, 7, 12, "STRING", MAX_TEXT, -1, -1, MAX_TEXT, true},
    [TY_CHAR] = {TY_CHAR, 19, 1, "CHAR", 255, -1, -1, 255, true},
    [TY_VARCHAR] = {TY_VARCHAR, 18, 12, "VARCHAR", 65535, -1, -1, 65535, true},
    [TY_BINARY] = {TY_BINARY, 9, -2, "BINARY", MAX_TEXT, -1, -1, MAX_TEXT, true},
    [TY_DATE] = {TY_DATE, 17, 91, "DATE", 10, 0, -1, -1, true},
    [TY_TIMESTAMP] = {TY_TIMESTAMP, 8, 93, "TIMESTAMP", 29, 6, -1, -1, true},
    [TY_TIMESTAMP_NTZ] = {TY_TIMESTAMP_NTZ, 8, 93, "TIMESTAMP_NTZ", 29, 6, -1, -1, true},
    [TY_TIME] = {TY_TIME, 7, 92, "TIME", 15, 6, -1, -1, true},
    [TY_INTERVAL_YM] = {TY_INTERVAL_YM, 7, 12, "INTERVAL", MAX_TEXT, -1, -1, -1, true},
    [TY_INTERVAL_DT] = {TY_INTERVAL_DT, 7, 12, "INTERVAL", MAX_TEXT, -1, -1, -1, true},
    [TY_INTERVAL] = {TY_INTERVAL, 7, 12, "INTERVAL", MAX_TEXT, -1, -1, -1, true},
    [TY_ARRAY] = {TY_ARRAY, 10, 2003, "ARRAY", -1, -1, -1, -1, false},
    [TY_MAP] = {TY_MAP, 11, 2000, "MAP", -1, -1, -1, -1, false},
    [TY_STRUCT] = {TY_STRUCT, 12, 2002, "STRUCT", -1, -1, -1, -1, false},
    [TY_VARIANT] = {TY_VARIANT, 7, 1111, "VARIANT", -1, -1, -1, -1, false},
    [TY_OBJECT] = {TY_OBJECT, 7, 1111, "OBJECT", -1, -1, -1, -1, false},
};

struct thrift_type thrift_type_of(const struct sql_type *t) {
    struct thrift_type row = thrift_types[t->kind];
    if (t->kind == TY_DECIMAL) {
        row.size = t->precision;
        row.digits = t->scale;
    } else if (t->kind == TY_CHAR || t->kind == TY_VARCHAR) {
        row.size = row.bytes = t->length;
    }
    return row;
}

struct t_type_desc *thrift_type_desc(arena *a, const struct sql_type *t) {
    struct t_type_desc *desc = arena_new_of(a, struct t_type_desc);
    struct t_type_entry *entry = arena_new_of(a, struct t_type_entry);
    struct t_primitive_type_entry *p = arena_new_of(a, struct t_primitive_type_entry);
    p->has = T_PRIMITIVE_TYPE_ENTRY_TYPE;
    p->type = thrift_types[t->kind].id;
    if (t->kind == TY_DECIMAL || t->kind == TY_CHAR || t->kind == TY_VARCHAR) {
        bool decimal = t->kind == TY_DECIMAL;
        struct t_type_qualifiers *q = arena_new_of(a, struct t_type_qualifiers);
        struct t_type_qualifier_value_pair *pair = arena_array_of(a, struct t_type_qualifier_value_pair, 2);
        pair[0].key = decimal ? STR("precision") : STR("characterMaximumLength");
        pair[0].value.has = T_TYPE_QUALIFIER_VALUE_I32_VALUE;
        pair[0].value.i32_value = decimal ? t->precision : t->length;
        pair[1].key = STR("scale");
        pair[1].value.has = T_TYPE_QUALIFIER_VALUE_I32_VALUE;
        pair[1].value.i32_value = t->scale;
        q->qualifiers.p = pair;
        q->qualifiers.n = decimal ? 2 : 1;
        p->type_qualifiers = q;
    }
    entry->primitive_entry = p;
    desc->types.p = entry;
    desc->types.n = 1;
    return desc;
}
