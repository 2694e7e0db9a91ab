/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/schema.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_PATH 256u

static err *check_object(const struct schema *s, jval *v, const char *path, int depth);

static const char *type_name(enum schema_type t) {
    static const char *const names[] = {"any value",     "a string", "a 64-bit integer",
                                        "a number",      "a boolean", "an object",
                                        "a list",        "an object", "a string"};
    return names[t];
}

static str shown(arena *a, jval *v) {
    size_t n = 0;
    char *p = yyjson_val_write(v, 0, &n);
    str s = p ? arena_str(a, str_cut(str_n(p, n), 80)) : STR("?");
    free(p);
    return s;
}

/* MLflow's clients and tests know this sentence, so all services use it. */
static err *wrong(const struct schema_field *f, jval *v, const char *path) {
    arena *a = arena_new();
    str s = shown(a, v);
    err *e = err_new(ERR_INVALID_PARAMETER_VALUE,
                     "Invalid value %.*s for parameter '%s' supplied: expected %s%s%s.", STR_ARG(s),
                     path, type_name(f->type), f->values ? ", one of " : "",
                     f->values ? f->values : "");
    arena_free(a);
    return e;
}

static bool in_values(const char *values, str v) {
    str rest = str_of(values), part;
    while (str_split(&rest, '|', &part))
        if (str_eq(part, v)) return true;
    return false;
}

static bool is_bool(jval *v) {
    return yyjson_is_bool(v) || (yyjson_is_str(v) && (str_ieq(json_str(v), STR("true")) ||
                                                      str_ieq(json_str(v), STR("false"))));
}

static err *check_value(const struct schema_field *f, jval *v, const char *path, int depth) {
    int64_t i;
    double d;
    bool ok = true;
    switch (f->type) {
    case SCHEMA_ANY: break;
    case SCHEMA_STRING: ok = yyjson_is_str(v); break;
    case SCHEMA_INT64: ok = json_i64(v, &i); break;
    case SCHEMA_DOUBLE: ok = json_f64(v, &d); break;
    case SCHEMA_BOOL: ok = is_bool(v); break;
    case SCHEMA_ENUM: ok = yyjson_is_str(v) && in_values(f->values, json_str(v)); break;
    case SCHEMA_OBJECT:
        ok = yyjson_is_obj(v);
        if (ok && f->sub) return check_object(f->sub, v, path, depth + 1);
        break;
    case SCHEMA_MAP:
    case SCHEMA_LIST: {
        bool list = f->type == SCHEMA_LIST;
        ok = list ? yyjson_is_arr(v) : yyjson_is_obj(v);
        if (!ok || !f->sub) break;
        size_t k, n;
        jval *key, *e;
        char sub[MAX_PATH];
        if (list) {
            yyjson_arr_foreach(v, k, n, e) {
                snprintf(sub, sizeof(sub), "%s[%zu]", path, k);
                TRY(check_value(&f->sub->fields[0], e, sub, depth + 1));
            }
        } else {
            yyjson_obj_foreach(v, k, n, key, e) {
                snprintf(sub, sizeof(sub), "%s.%.64s", path, yyjson_get_str(key));
                TRY(check_value(&f->sub->fields[0], e, sub, depth + 1));
            }
        }
        break;
    }
    }
    return ok ? NULL : wrong(f, v, path);
}

static err *check_object(const struct schema *s, jval *v, const char *path, int depth) {
    must(depth < 32); /* schemas are ours and finite */
    for (size_t i = 0; i < s->n; i++) {
        const struct schema_field *f = &s->fields[i];
        char sub[MAX_PATH];
        snprintf(sub, sizeof(sub), "%s%s%s", path, path[0] ? "." : "", f->name);
        jval *x = yyjson_obj_get(v, f->name);
        if (!x || yyjson_is_null(x)) {
            if (f->required)
                return err_new(ERR_INVALID_PARAMETER_VALUE,
                               "Missing value for required parameter '%s'.", sub);
            continue;
        }
        TRY(check_value(f, x, sub, depth));
    }
    return NULL;
}

err *schema_check(const struct schema *s, jval *v) {
    if (!s) return NULL;
    return check_object(s, v, "", 0);
}
