/* SPDX-License-Identifier: Apache-2.0 */
/* Reads of either form; see doc.h. */
#include <math.h>

#include "plan/doc.h"

struct doc doc_get(struct doc d, const char *key) {
    if (d.j) return (struct doc){.j = json_get(d.j, key)};
    return (struct doc){.u = ubj_get(d.u, key)};
}

bool doc_str(struct doc d, str *ret) {
    if (d.j && yyjson_is_str(d.j)) return *ret = json_str(d.j), true;
    if (d.u && d.u->kind == UBJ_STR) return *ret = d.u->text, true;
    return false;
}

bool doc_i64(struct doc d, int64_t *ret) {
    if (d.j) {
        if (yyjson_is_bool(d.j)) return *ret = yyjson_get_bool(d.j), true;
        return json_i64(d.j, ret);
    }
    if (!d.u) return false;
    switch (d.u->kind) {
    case UBJ_BOOL:
    case UBJ_INT: return *ret = d.u->integer, true;
    case UBJ_REAL:
        if (d.u->real != floor(d.u->real) || fabs(d.u->real) > 9e15) return false;
        return *ret = (int64_t)d.u->real, true;
    case UBJ_STR: return str_to_i64(d.u->text, ret);
    default: return false;
    }
}

bool doc_f64(struct doc d, double *ret) {
    if (d.j) {
        if (yyjson_is_bool(d.j)) return *ret = yyjson_get_bool(d.j), true;
        return json_f64(d.j, ret);
    }
    if (!d.u) return false;
    switch (d.u->kind) {
    case UBJ_BOOL:
    case UBJ_INT: return *ret = (double)d.u->integer, true;
    case UBJ_REAL: return *ret = d.u->real, true;
    case UBJ_STR: return str_to_f64(d.u->text, ret);
    default: return false;
    }
}

bool doc_is_array(struct doc d) {
    return d.j ? yyjson_is_arr(d.j) : d.u && (d.u->kind == UBJ_ARRAY || d.u->kind == UBJ_TYPED);
}

bool doc_is_object(struct doc d) { return d.j ? yyjson_is_obj(d.j) : d.u && d.u->kind == UBJ_OBJECT; }

size_t doc_len(struct doc d) {
    if (!doc_is_array(d)) return 0;
    return d.j ? yyjson_arr_size(d.j) : d.u->n;
}

bool doc_items(arena *a, struct doc d, struct doc **ret, size_t *n) {
    if (!doc_is_array(d) || (d.u && d.u->kind != UBJ_ARRAY && d.u->n != 0)) return false;
    *n = doc_len(d);
    *ret = arena_array_of(a, struct doc, *n + 1);
    if (d.u) {
        for (size_t i = 0; i < *n; i++) (*ret)[i].u = &d.u->items[i];
        return true;
    }
    yyjson_arr_iter it = yyjson_arr_iter_with(d.j);
    for (size_t i = 0; i < *n; i++) (*ret)[i].j = yyjson_arr_iter_next(&it);
    return true;
}

bool doc_i64s(arena *a, struct doc d, int64_t **ret, size_t *n) {
    if (!doc_is_array(d)) return false;
    *n = doc_len(d);
    *ret = arena_array_of(a, int64_t, *n + 1);
    bool typed = d.u && d.u->kind == UBJ_TYPED;
    yyjson_arr_iter it = d.j ? yyjson_arr_iter_with(d.j) : (yyjson_arr_iter){0};
    for (size_t i = 0; i < *n; i++) {
        if (typed) {
            (*ret)[i] = ubj_typed_int(d.u, i);
            continue;
        }
        struct doc v = d.j ? (struct doc){.j = yyjson_arr_iter_next(&it)}
                           : (struct doc){.u = &d.u->items[i]};
        if (!doc_i64(v, &(*ret)[i])) return false;
    }
    return true;
}

bool doc_f64s(arena *a, struct doc d, double **ret, size_t *n) {
    if (!doc_is_array(d)) return false;
    *n = doc_len(d);
    *ret = arena_array_of(a, double, *n + 1);
    bool typed = d.u && d.u->kind == UBJ_TYPED;
    yyjson_arr_iter it = d.j ? yyjson_arr_iter_with(d.j) : (yyjson_arr_iter){0};
    for (size_t i = 0; i < *n; i++) {
        if (typed) {
            (*ret)[i] = ubj_typed_real(d.u, i);
            continue;
        }
        struct doc v = d.j ? (struct doc){.j = yyjson_arr_iter_next(&it)}
                           : (struct doc){.u = &d.u->items[i]};
        if (!doc_f64(v, &(*ret)[i])) return false;
    }
    return true;
}
