/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/kv.h"

static void grow(arena *a, struct kv *m) {
    if (m->n < m->cap) return;
    size_t cap = m->cap ? m->cap * 2 : 8;
    struct kv_pair *p = arena_array_of(a, struct kv_pair, cap);
    if (m->n) memcpy(p, m->p, m->n * sizeof(*p));
    m->p = p;
    m->cap = cap;
}

err *kv_read(arena *a, str text, struct kv *ret) {
    *ret = (struct kv){0};
    if (!text.n) return NULL;
    jval *o;
    TRY(json_parse(a, text, false, &o));
    if (!yyjson_is_obj(o)) return err_new(ERR_INTERNAL_ERROR, "Stored pairs are not an object.");
    size_t i, n;
    jval *k, *v;
    yyjson_obj_foreach(o, i, n, k, v) {
        if (!yyjson_is_str(v)) return err_new(ERR_INTERNAL_ERROR, "A stored pair is not text.");
        grow(a, ret);
        ret->p[ret->n++] = (struct kv_pair){json_str(k), json_str(v)};
    }
    return NULL;
}

err *kv_text(arena *a, const struct kv *m, const char *what, str *ret) {
    if (m->n > KV_MAX_PAIRS)
        return err_new(ERR_RESOURCE_EXHAUSTED, "At most %u %s are kept on one object, not %zu.",
                       KV_MAX_PAIRS, what, m->n);
    jdoc *d = json_doc(a);
    jmut *o = yyjson_mut_obj(d);
    for (size_t i = 0; i < m->n; i++)
        yyjson_mut_obj_add(o, yyjson_mut_strn(d, m->p[i].key.p ? m->p[i].key.p : "", m->p[i].key.n),
                           yyjson_mut_strn(d, m->p[i].value.p ? m->p[i].value.p : "",
                                           m->p[i].value.n));
    str text = json_text(a, o);
    if (text.n > KV_MAX_BYTES)
        return err_new(ERR_RESOURCE_EXHAUSTED,
                       "The %s of one object may take %u bytes together, not %zu.", what,
                       KV_MAX_BYTES, text.n);
    *ret = text;
    return NULL;
}

const struct kv_pair *kv_find(const struct kv *m, str key) {
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->p[i].key, key)) return &m->p[i];
    return NULL;
}

void kv_set(arena *a, struct kv *m, str key, str value) {
    for (size_t i = 0; i < m->n; i++)
        if (str_eq(m->p[i].key, key)) {
            m->p[i].value = value;
            return;
        }
    grow(a, m);
    m->p[m->n++] = (struct kv_pair){key, value};
}

bool kv_del(struct kv *m, str key) {
    for (size_t i = 0; i < m->n; i++) {
        if (!str_eq(m->p[i].key, key)) continue;
        memmove(&m->p[i], &m->p[i + 1], (m->n - i - 1) * sizeof(m->p[0]));
        m->n--;
        return true;
    }
    return false;
}

err *kv_from_list(arena *a, jval *v, const char *what, struct kv *ret) {
    *ret = (struct kv){0};
    size_t i, n;
    jval *e;
    if (yyjson_arr_size(v) > KV_MAX_PAIRS)
        return err_new(ERR_RESOURCE_EXHAUSTED, "At most %u %s are kept on one object, not %zu.",
                       KV_MAX_PAIRS, what, yyjson_arr_size(v));
    yyjson_arr_foreach(v, i, n, e) {
        str key = json_get_str(e, "key");
        if (!key.p)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Missing value for required parameter '%s[%zu].key'.", what, i);
        kv_set(a, ret, key, json_get_str(e, "value"));
    }
    return NULL;
}

err *kv_from_object(arena *a, jval *v, const char *what, struct kv *ret) {
    *ret = (struct kv){0};
    size_t i, n;
    jval *k, *e;
    if (yyjson_obj_size(v) > KV_MAX_PAIRS)
        return err_new(ERR_RESOURCE_EXHAUSTED, "At most %u %s are kept on one object, not %zu.",
                       KV_MAX_PAIRS, what, yyjson_obj_size(v));
    yyjson_obj_foreach(v, i, n, k, e) {
        if (!yyjson_is_str(e))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Parameter '%s.%.*s' must be a string.",
                           what, STR_ARG(str_cut(json_str(k), 100)));
        kv_set(a, ret, json_str(k), json_str(e));
    }
    return NULL;
}

void kv_put_list(jdoc *d, jmut *o, const char *name, const struct kv *m) {
    jmut *arr = json_put_arr(d, o, name);
    for (size_t i = 0; i < m->n; i++) {
        jmut *e = json_add_obj(d, arr);
        json_put_str(d, e, "key", m->p[i].key);
        json_put_str(d, e, "value", m->p[i].value);
    }
}

void kv_put_object(jdoc *d, jmut *o, const char *name, const struct kv *m) {
    jmut *sub = json_put_obj(d, o, name);
    for (size_t i = 0; i < m->n; i++)
        yyjson_mut_obj_add(sub,
                           yyjson_mut_strn(d, m->p[i].key.p ? m->p[i].key.p : "", m->p[i].key.n),
                           yyjson_mut_strn(d, m->p[i].value.p ? m->p[i].value.p : "",
                                           m->p[i].value.n));
}
