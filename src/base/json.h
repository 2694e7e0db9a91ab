/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON through yyjson. Reading: json_parse() checks size and depth, memory is the arena's.
 * Writing: a yyjson_mut_doc of the arena (json_doc), encoded by json_write().
 * yyjson reads without recursion; json_parse() refuses deeper nesting than JSON_MAX_DEPTH so that
 * recursive readers of the tree are bounded too.
 */
#ifndef BH_BASE_JSON_H
#define BH_BASE_JSON_H

#include <yyjson.h>

#include "base/arena.h"
#include "base/err.h"

#define JSON_MAX_DEPTH 128

typedef yyjson_val jval;
typedef yyjson_mut_val jmut;
typedef yyjson_mut_doc jdoc;

/* Parses text into *ret (root value). Error: MALFORMED_REQUEST with line and column.
 * NaN and Infinity literals are accepted only with `nonfinite` (models' files have them). */
err *json_parse(arena *a, str text, bool nonfinite, jval **ret) BH_CHECK;

/* A new empty document for writing, in the arena. */
jdoc *json_doc(arena *a);
/* Appends the encoded value. Non-finite doubles are written as null. */
void json_write(jmut *root, buf *out);
str json_text(arena *a, jmut *root);

/* Reading helpers: field of an object or NULL; typed reads return false when absent or of
 * another type. */
static inline jval *json_get(jval *o, const char *k) { return yyjson_obj_get(o, k); }
static inline str json_str(jval *v) {
    return yyjson_is_str(v) ? str_n(yyjson_get_str(v), yyjson_get_len(v)) : STR_NONE;
}
static inline str json_get_str(jval *o, const char *k) { return json_str(yyjson_obj_get(o, k)); }
/* Numbers, and decimal strings as protobuf-JSON writes them. */
bool json_i64(jval *v, int64_t *ret);
/* Numbers, and "NaN", "Infinity", "-Infinity" and decimal strings. */
bool json_f64(jval *v, double *ret);

/* Writing helpers; strings are not copied (they must live as long as the arena). */
static inline void json_put_str(jdoc *d, jmut *o, const char *k, str v) {
    yyjson_mut_obj_add_strn(d, o, k, v.p ? v.p : "", v.n);
}
static inline void json_put_z(jdoc *d, jmut *o, const char *k, const char *v) {
    yyjson_mut_obj_add_str(d, o, k, v);
}
static inline void json_put_int(jdoc *d, jmut *o, const char *k, int64_t v) {
    yyjson_mut_obj_add_sint(d, o, k, v);
}
static inline void json_put_bool(jdoc *d, jmut *o, const char *k, bool v) {
    yyjson_mut_obj_add_bool(d, o, k, v);
}
/* Finite as a number; otherwise the strings "NaN", "Infinity", "-Infinity" (protobuf-JSON). */
void json_put_f64(jdoc *d, jmut *o, const char *k, double v);
static inline void json_put(jdoc *d, jmut *o, const char *k, jmut *v) {
    yyjson_mut_obj_add_val(d, o, k, v);
}
static inline jmut *json_put_obj(jdoc *d, jmut *o, const char *k) {
    return yyjson_mut_obj_add_obj(d, o, k);
}
static inline jmut *json_put_arr(jdoc *d, jmut *o, const char *k) {
    return yyjson_mut_obj_add_arr(d, o, k);
}
static inline jmut *json_add_obj(jdoc *d, jmut *arr) { return yyjson_mut_arr_add_obj(d, arr); }
static inline void json_add_str(jdoc *d, jmut *arr, str v) {
    yyjson_mut_arr_add_strn(d, arr, v.p ? v.p : "", v.n);
}

#endif
