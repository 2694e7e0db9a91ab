/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/decode.h"

#include "base/enc.h"

#define MAX_PARAMS 512

err *decode_route(struct req *r, const router *t, str target, struct route_match *ret) {
    ptrdiff_t q = str_chr(target, '?', 0);
    r->path = q < 0 ? target : str_cut(target, (size_t)q);
    r->query = q < 0 ? STR_NONE : str_from(target, (size_t)q + 1);
    *ret = router_find(t, r->method, r->path);
    r->row = ret->row;
    if (ret->row) return NULL;
    return err_new(ERR_ENDPOINT_NOT_FOUND, "No API found for '%.*s %.*s'", STR_ARG(r->method),
                   STR_ARG(str_cut(r->path, 512)));
}

static err *unpercent(struct req *r, str in, bool plus, str *ret) {
    if (!in.n || (!memchr(in.p, '%', in.n) && !(plus && memchr(in.p, '+', in.n)))) {
        *ret = in;
    } else {
        buf b = {0};
        bool ok = enc_unpercent(&b, in, plus);
        *ret = ok ? arena_str(r->a, buf_view(&b)) : STR_NONE;
        buf_free(&b);
        if (!ok)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' has a malformed percent escape.",
                           STR_ARG(str_cut(in, 100)));
    }
    if (!str_is_utf8(*ret) || (ret->n && memchr(ret->p, 0, ret->n)))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not valid UTF-8 text.",
                       STR_ARG(str_cut(in, 100)));
    return NULL;
}

static const struct schema_field *field_of(const struct schema *s, str name) {
    for (size_t i = 0; s && i < s->n; i++)
        if (str_eqz(name, s->fields[i].name)) return &s->fields[i];
    return NULL;
}

static jmut *key_of(struct req *r, str name) {
    return yyjson_mut_strn(r->doc, name.p ? name.p : "", name.n);
}

/* One name=value of a query or form. Lists gather repeated names; "a.b" goes into object a. */
static void put_param(struct req *r, jmut *o, const struct schema *s, str name, str value) {
    const struct schema_field *f = field_of(s, name);
    ptrdiff_t dot = f ? -1 : str_chr(name, '.', 0);
    if (dot > 0) {
        const struct schema_field *up = field_of(s, str_cut(name, (size_t)dot));
        if (up && up->type == SCHEMA_OBJECT) {
            jmut *sub = yyjson_mut_obj_getn(o, name.p, (size_t)dot);
            if (!sub) {
                sub = yyjson_mut_obj(r->doc);
                yyjson_mut_obj_add(o, key_of(r, str_cut(name, (size_t)dot)), sub);
            }
            if (yyjson_mut_is_obj(sub))
                yyjson_mut_obj_add(sub, key_of(r, str_from(name, (size_t)dot + 1)), key_of(r, value));
            return;
        }
    }
    jmut *v = key_of(r, value);
    jmut *old = yyjson_mut_obj_getn(o, name.p, name.n);
    if (f && f->type == SCHEMA_LIST) {
        if (!yyjson_mut_is_arr(old)) {
            old = yyjson_mut_arr(r->doc);
            yyjson_mut_obj_add(o, key_of(r, name), old);
        }
        yyjson_mut_arr_append(old, v);
    } else if (!old) {
        yyjson_mut_obj_add(o, key_of(r, name), v);
    }
}

static err *put_params(struct req *r, jmut *o, const struct schema *s, str text) {
    str part;
    int n = 0;
    while (str_split(&text, '&', &part)) {
        if (part.n == 0) continue;
        if (++n > MAX_PARAMS)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "More than %d parameters.", MAX_PARAMS);
        ptrdiff_t eq = str_chr(part, '=', 0);
        str name, value;
        TRY(unpercent(r, eq < 0 ? part : str_cut(part, (size_t)eq), true, &name));
        TRY(unpercent(r, eq < 0 ? STR("") : str_from(part, (size_t)eq + 1), true, &value));
        put_param(r, o, s, name, value);
    }
    return NULL;
}

static bool is_form(struct req *r) {
    str ct = req_header(r, "content-type");
    return ct.n >= 33 && str_ieq(str_cut(ct, 33), STR("application/x-www-form-urlencoded"));
}

static bool is_json(struct req *r) {
    str ct = req_header(r, "content-type");
    if (ct.n == 0) return true;
    ptrdiff_t semi = str_chr(ct, ';', 0);
    str mime = str_trim(semi < 0 ? ct : str_cut(ct, (size_t)semi));
    if (str_ieq(mime, STR("application/json")) || str_ieq(mime, STR("text/plain"))) return true;
    return mime.n > 5 && str_ieq(str_from(mime, mime.n - 5), STR("+json"));
}

static err *decode_body(struct req *r, str *ret_form) {
    str body = str_trim(r->body);
    if (body.n == 0) return NULL;
    /* curl -d '{…}' says it is a form. */
    bool brace = body.p[0] == '{' || body.p[0] == '[';
    if (is_form(r) && !brace) {
        *ret_form = body;
        return NULL;
    }
    if (!is_json(r) && !is_form(r)) return NULL; /* the handler reads r->body */
    return json_parse(r->a, body, false, &r->json);
}

err *decode_args(struct req *r, const struct route_match *m) {
    const struct schema *s = r->row->request;
    str form = STR_NONE;
    TRY(decode_body(r, &form));
    if (r->json && !yyjson_is_obj(r->json) && s && s->n)
        return err_new(ERR_MALFORMED_REQUEST, "The body must be a JSON object.");
    bool object = yyjson_is_obj(r->json);
    if (object && m->n == 0 && r->query.n == 0 && form.n == 0) {
        r->args = r->json;
        return schema_check(s, r->args);
    }
    if (!r->doc) r->doc = json_doc(r->a);
    jmut *o = object ? yyjson_val_mut_copy(r->doc, r->json) : yyjson_mut_obj(r->doc);
    must(o != NULL);
    for (int i = 0; i < m->n; i++) {
        str v;
        TRY(unpercent(r, m->params[i].value, false, &v));
        yyjson_mut_obj_put(o, key_of(r, m->params[i].name), key_of(r, v));
    }
    TRY(put_params(r, o, s, r->query));
    TRY(put_params(r, o, s, form));
    yyjson_alc *alc = NULL;
    yyjson_doc *flat = yyjson_mut_val_imut_copy(o, alc);
    must(flat != NULL);
    arena_on_free(r->a, (void (*)(void *))yyjson_doc_free, flat);
    r->args = yyjson_doc_get_root(flat);
    return schema_check(s, r->args);
}
