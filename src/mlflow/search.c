/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/search.h"

#include <stdlib.h>

#include "mlflow/show.h"
#include "rest/page.h"

static int compare_ids(const void *x, const void *y) {
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return (p > q) - (p < q);
}

static err *add_experiment(struct req *r, store_tx *meta, int64_t id, struct search_page *p) {
    struct ent_experiment *e = &p->experiments[p->search.n_where];
    bool found;
    uint64_t level = 0;
    TRY(access_find(meta, r, id, e, &found));
    if (found) TRY(access_level(meta, r, e, &level));
    if (!level) return NULL;
    struct mlflow_where *w = (struct mlflow_where *)&p->search.where[p->search.n_where++];
    *w = (struct mlflow_where){id, !access_is_active(e), access_experiment_uri(r, e)};
    return NULL;
}

static err *add_all(struct req *r, const int64_t *ids, size_t n, struct search_page *p) {
    store_tx *meta;
    TRY(access_meta_begin(r, &meta));
    err *e = NULL;
    for (size_t i = 0; !e && i < n; i++)
        if (i == 0 || ids[i] != ids[i - 1]) e = add_experiment(r, meta, ids[i], p);
    access_meta_end(r, meta);
    return e;
}

err *search_where(struct req *r, jval *ids, struct search_page *p) {
    size_t n = yyjson_arr_size(ids), i, max, k = 0;
    jval *x;
    if (n > SEARCH_MAX_EXPERIMENTS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "More than %d experiments at once.",
                       SEARCH_MAX_EXPERIMENTS);
    int64_t *list = arena_array_of(r->a, int64_t, n + 1);
    yyjson_arr_foreach(ids, i, max, x) {
        if (!json_i64(x, &list[k]) || list[k] < 0)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid experiment ID '%.*s'. Experiment ID must be a valid integer.",
                           STR_ARG(str_cut(json_str(x), 100)));
        k++;
    }
    if (n) qsort(list, n, sizeof(*list), compare_ids);
    p->experiments = arena_array_of(r->a, struct ent_experiment, n + 1);
    p->search.where = arena_array_of(r->a, struct mlflow_where, n + 1);
    p->search.scope = r->scope;
    return add_all(r, list, n, p);
}

err *search_order(struct req *r, enum filter_domain d, struct search_page *p) {
    jval *list = arg(r, "order_by"), *x;
    size_t i, max;
    yyjson_arr_foreach(list, i, max, x) { TRY(filter_order(r->a, d, json_str(x), &p->q)); }
    return NULL;
}

err *search_terms(struct req *r, enum filter_domain d, const char *kind, int64_t dflt, int64_t max,
                  struct search_page *p) {
    int64_t n = arg_i64(r, "max_results", dflt);
    if (n < 1 || n > max)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Invalid value %lld for parameter 'max_results' supplied: It must be a "
                       "positive integer of at most %lld.",
                       (long long)n, (long long)max);
    str filter = arg_str(r, "filter"), order = show_raw(r->a, arg(r, "order_by"));
    TRY(filter_parse(r->a, d, filter, &p->q));
    p->search.limit = (size_t)n;
    p->search.q = &p->q;
    static const char *const also[] = {"experiment_ids", "locations", "datasets", "run_view_type"};
    buf b = {0};
    buf_fmt(&b, "%s\n%.*s\n%.*s", kind, STR_ARG(filter), STR_ARG(order));
    for (size_t i = 0; i < ARRAY_LEN(also); i++) {
        buf_c(&b, '\n');
        buf_str(&b, show_raw(r->a, arg(r, also[i])));
    }
    p->bound = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return page_token_read(r, arg_str(r, "page_token"), p->bound, &p->search.after);
}

const struct ent_experiment *search_experiment(const struct search_page *p, int64_t id) {
    for (size_t i = 0; i < p->search.n_where; i++)
        if (p->experiments[i].id == id) return &p->experiments[i];
    unreachable();
}

void search_next(struct req *r, const struct search_page *p, const struct mlflow_found *found) {
    jmut *o = req_out(r);
    if (found->next.n)
        json_put_str(r->doc, o, "next_page_token", page_token_make(r, p->bound, found->next));
}
