/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of JSON text by path: $.a.b[0]['c d'][*]. Text that is no JSON, and paths that are none, give NULL. */
#include <stdlib.h>

#include "base/json.h"
#include "engine/worker/fn_int.h"

#define PATH_STEPS 64

enum step_kind { STEP_KEY, STEP_INDEX, STEP_ALL };

struct step {
    enum step_kind kind;
    str key;
    size_t index;
};

/* false: the text is no path. */
static bool read_path(str p, struct step *to, size_t *n) {
    size_t i = 1;
    *n = 0;
    if (p.n == 0 || p.p[0] != '$') return false;
    while (i < p.n) {
        if (*n == PATH_STEPS) return false;
        struct step *s = &to[*n];
        if (p.p[i] == '.') {
            size_t from = ++i;
            while (i < p.n && p.p[i] != '.' && p.p[i] != '[') i++;
            *s = (struct step){.kind = STEP_KEY, .key = str_n(p.p + from, i - from)};
            if (s->key.n == 0) return false;
            if (str_eqz(s->key, "*")) s->kind = STEP_ALL;
        } else if (p.p[i] == '[' && i + 1 < p.n && p.p[i + 1] == '\'') {
            size_t from = i + 2;
            for (i = from; i < p.n && p.p[i] != '\'';) i++;
            *s = (struct step){.kind = STEP_KEY, .key = str_n(p.p + from, i - from)};
            if (i + 1 >= p.n || p.p[i + 1] != ']') return false;
            i += 2;
        } else if (p.p[i] == '[') {
            size_t from = ++i;
            int64_t v = 0;
            while (i < p.n && p.p[i] != ']') i++;
            if (i == p.n) return false;
            str word = str_n(p.p + from, i++ - from);
            *s = (struct step){.kind = STEP_ALL};
            if (!str_eqz(word, "*")) {
                if (!str_to_i64(word, &v) || v < 0) return false;
                s->kind = STEP_INDEX;
                s->index = (size_t)v;
            }
        } else {
            return false;
        }
        (*n)++;
    }
    return true;
}

static void write_value(yyjson_val *v, bool raw, buf *out) {
    if (raw && yyjson_is_str(v)) {
        buf_add(out, yyjson_get_str(v), yyjson_get_len(v));
        return;
    }
    size_t n = 0;
    char *text = yyjson_val_write(v, YYJSON_WRITE_ALLOW_INF_AND_NAN, &n);
    if (text) buf_add(out, text, n);
    free(text);
}

/* Everything that the steps reach, in order; NULLs are left out. */
static void collect(yyjson_val *v, const struct step *s, size_t n, yyjson_val **found, size_t *count, size_t max) {
    if (!v || *count == max) return;
    if (n == 0) {
        if (!yyjson_is_null(v)) found[(*count)++] = v;
        return;
    }
    if (s->kind == STEP_KEY && yyjson_is_obj(v)) {
        collect(yyjson_obj_getn(v, s->key.p, s->key.n), s + 1, n - 1, found, count, max);
    } else if (s->kind == STEP_INDEX && yyjson_is_arr(v)) {
        collect(yyjson_arr_get(v, s->index), s + 1, n - 1, found, count, max);
    } else if (s->kind == STEP_ALL && yyjson_is_arr(v)) {
        size_t i, top;
        yyjson_val *e;
        yyjson_arr_foreach(v, i, top, e) collect(e, s + 1, n - 1, found, count, max);
    }
}

static void get_json_object(struct fn_call *c) {
    struct step steps[PATH_STEPS];
    size_t n, count = 0;
    bool many = false;
    str text = fn_str(c, 0);
    if (!read_path(fn_str(c, 1), steps, &n)) return;
    yyjson_doc *d = yyjson_read(text.p, text.n, 0);
    if (!d) return;
    for (size_t i = 0; i < n; i++) many |= steps[i].kind == STEP_ALL;
    size_t max = many ? 65536 : 1;
    yyjson_val **found = calloc(max, sizeof *found);
    if (found) collect(yyjson_doc_get_root(d), steps, n, found, &count, max);
    if (count) {
        buf *o = fn_text(c);
        if (count > 1) buf_c(o, '[');
        for (size_t i = 0; i < count; i++) {
            if (i) buf_c(o, ',');
            write_value(found[i], !many, o);
        }
        if (count > 1) buf_c(o, ']');
        fn_ret_buf(c, o);
    }
    free(found);
    yyjson_doc_free(d);
}

/* json_tuple: a field of the outermost object as text. */
static void json_field(struct fn_call *c) {
    str text = fn_str(c, 0), key = fn_str(c, 1);
    yyjson_doc *d = yyjson_read(text.p, text.n, 0);
    if (!d) return;
    yyjson_val *v = yyjson_obj_getn(yyjson_doc_get_root(d), key.p, key.n);
    if (v && !yyjson_is_null(v)) {
        buf *o = fn_text(c);
        write_value(v, true, o);
        fn_ret_buf(c, o);
    }
    yyjson_doc_free(d);
}

static const struct fn_def defs[] = {
    {"bh_get_json_object", "ss:s", get_json_object, 0, 0},
    {"bh_json_field", "ss:s", json_field, 0, 0},
};
const struct fn_table fn_table_json = {defs, ARRAY_LEN(defs)};
