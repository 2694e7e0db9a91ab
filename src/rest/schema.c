/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/schema.h"

#include <stdlib.h>

#define MAX_PATH 256u

/* Where in the body: a chain on the stack that becomes text only for an error; most values are right. */
struct place {
    const struct place *up; /* NULL: the body itself */
    const char *name;       /* of a field or key; NULL: element `index` of a list */
    size_t index;
};

static err *check_object(const struct schema *s, jval *v, const struct place *at, int depth);

static void put_path(const struct place *at, buf *b) {
    if (!at) return;
    put_path(at->up, b);
    if (b->n >= MAX_PATH) return;
    if (at->name)
        buf_fmt(b, "%s%.64s", b->n ? "." : "", at->name);
    else
        buf_fmt(b, "[%zu]", at->index);
}

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
static err *wrong(const struct schema_field *f, jval *v, const struct place *at) {
    arena *a = arena_new();
    str s = shown(a, v);
    buf path = {0};
    put_path(at, &path);
    err *e = err_new(ERR_INVALID_PARAMETER_VALUE,
                     "Invalid value %.*s for parameter '%.*s' supplied: expected %s%s%s.", STR_ARG(s),
                     STR_ARG(buf_view(&path)), type_name(f->type), f->values ? ", one of " : "",
                     f->values ? f->values : "");
    buf_free(&path);
    arena_free(a);
    return e;
}

static err *missing(const struct place *at) {
    buf path = {0};
    put_path(at, &path);
    err *e = err_new(ERR_INVALID_PARAMETER_VALUE, "Missing value for required parameter '%.*s'.", STR_ARG(buf_view(&path)));
    buf_free(&path);
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

static err *check_value(const struct schema_field *f, jval *v, const struct place *at, int depth) {
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
        if (ok && f->sub) return check_object(f->sub, v, at, depth + 1);
        break;
    case SCHEMA_MAP:
    case SCHEMA_LIST: {
        bool list = f->type == SCHEMA_LIST;
        ok = list ? yyjson_is_arr(v) : yyjson_is_obj(v);
        if (!ok || !f->sub) break;
        size_t k, n;
        jval *key, *e;
        struct place sub = {.up = at};
        if (list) {
            yyjson_arr_foreach(v, k, n, e) {
                sub.index = k;
                TRY(check_value(&f->sub->fields[0], e, &sub, depth + 1));
            }
        } else {
            yyjson_obj_foreach(v, k, n, key, e) {
                sub.name = yyjson_get_str(key);
                TRY(check_value(&f->sub->fields[0], e, &sub, depth + 1));
            }
        }
        break;
    }
    }
    return ok ? NULL : wrong(f, v, at);
}

static err *check_object(const struct schema *s, jval *v, const struct place *at, int depth) {
    must(depth < 32); /* schemas are ours and finite */
    for (size_t i = 0; i < s->n; i++) {
        const struct schema_field *f = &s->fields[i];
        struct place sub = {.up = at, .name = f->name};
        jval *x = yyjson_obj_get(v, f->name);
        if (x && !yyjson_is_null(x))
            TRY(check_value(f, x, &sub, depth));
        else if (f->required)
            return missing(&sub);
    }
    return NULL;
}

err *schema_check(const struct schema *s, jval *v) {
    if (!s) return NULL;
    return check_object(s, v, NULL, 0);
}
