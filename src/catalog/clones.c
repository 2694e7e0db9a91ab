/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/clones.h"

#include "catalog/locations.h"
#include "catalog/stores.h"

err *clones_read(arena *a, const struct ent_uc_table *row, struct clone_source **ret, size_t *ret_n) {
    jval *list, *v;
    size_t i, n;
    *ret = NULL, *ret_n = 0;
    if (!clones_is(row)) return NULL;
    TRY(json_parse(a, row->clone_sources, false, &list));
    *ret = arena_array_of(a, struct clone_source, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) {
        struct clone_source *s = &(*ret)[(*ret_n)++];
        *s = (struct clone_source){.url = json_get_str(v, "url"), .managed = yyjson_is_true(json_get(v, "managed"))};
        (void)json_i64(json_get(v, "id"), &s->id);
    }
    return NULL;
}

err *clones_add(arena *a, struct ent_uc_table *row, const struct clone_source *list, size_t n) {
    struct clone_source *old;
    size_t n_old;
    TRY(clones_read(a, row, &old, &n_old));
    jdoc *d = json_doc(a);
    jmut *arr = yyjson_mut_arr(d);
    for (size_t i = 0; i < n_old + n; i++) {
        const struct clone_source *s = i < n_old ? &old[i] : &list[i - n_old];
        bool known = false;
        for (size_t j = 0; i >= n_old && j < n_old; j++) known |= old[j].id == s->id && str_eq(old[j].url, s->url);
        if (known) continue;
        jmut *o = json_add_obj(d, arr);
        json_put_int(d, o, "id", s->id);
        json_put_str(d, o, "url", s->url);
        json_put_bool(d, o, "managed", s->managed);
    }
    row->clone_sources = json_text(a, arr);
    return NULL;
}

/* Is the place still the table's, or at least nobody else's? */
static err *is_theirs(struct ask *k, const struct clone_source *s, bool *ret) {
    *ret = true;
    if (s->managed) return NULL;
    err *e = locations_check_free(k->c, s->url, s->id);
    *ret = !e;
    if (e && err_code_of(e) != ERR_INVALID_PARAMETER_VALUE) return e;
    err_free(e);
    return NULL;
}

/* Below the root of managed tables, or where an external location is. */
static err *place_of(struct ask *k, const struct clone_source *s, str *ret_engine) {
    struct location_place place;
    str root = k->c->tables_url;
    if (s->managed && !url_is_remote(s->url) && root.n && k->c->n_roots && str_starts(s->url, root) && s->url.n > root.n && s->url.p[root.n] == '/') {
        *ret_engine = str_of(arena_printf(k->c->a, "%s%.*s", k->c->roots[0].engine, STR_ARG(str_from(s->url, root.n))));
        return NULL;
    }
    TRY(locations_place(k->c, s->url, &place));
    *ret_engine = place.engine;
    return NULL;
}

/* One that cannot be reached (its location or credential is gone) is left out too: older versions, or newer ones, need not have it. */
static err *put_source(struct ask *k, jmut *list, const struct clone_source *s) {
    bool theirs;
    str engine;
    TRY(is_theirs(k, s, &theirs));
    if (!theirs) return NULL;
    err *e = place_of(k, s, &engine);
    if (!e) e = ask_access(k, s->url, false);
    err_code code = err_code_of(e);
    if (e) {
        err_free(e);
        return code == ERR_INTERNAL_ERROR ? err_new(code, "a clone's source cannot be reached") : NULL;
    }
    jmut *o = json_add_obj(k->d, list);
    json_put_str(k->d, o, "url", s->url);
    json_put_str(k->d, o, "location", engine);
    return NULL;
}

err *clones_put(struct ask *k, jmut *o, const struct ent_uc_table *row) {
    struct clone_source *s;
    size_t n;
    if (!clones_is(row)) return NULL;
    TRY(clones_read(k->c->a, row, &s, &n));
    jmut *list = json_put_arr(k->d, o, "sources");
    for (size_t i = 0; i < n; i++) TRY(put_source(k, list, &s[i]));
    return NULL;
}
