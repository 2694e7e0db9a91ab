/* SPDX-License-Identifier: Apache-2.0 */
/* Search over traces, in both versions. */
#include "api/gen_routes.h"
#include "mlflow/search.h"
#include "mlflow/traces.h"

#define PAGE 100
#define MAX_PAGE 500

static err *search(struct req *r, struct search_page *p, jval *ids, bool v3) {
    struct mlflow_found found;
    TRY(search_order(r, FILTER_TRACES, p));
    TRY(search_terms(r, FILTER_TRACES, "traces", PAGE, MAX_PAGE, p));
    TRY(search_where(r, ids, p));
    TRY(mlflow_search_traces(r->tx, r->a, &p->search, &found));
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "traces");
    for (size_t i = 0; i < found.n; i++) {
        struct mlflow_trace t;
        bool ok;
        TRY(mlflow_trace_row(r->tx, r->a, found.ids[i], &t, &ok));
        if (!ok) continue;
        jmut *x = json_add_obj(r->doc, list);
        const struct ent_experiment *e = search_experiment(p, t.experiment);
        TRY(v3 ? trace_show_info(r, r->tx, x, &t, e) : trace_show_v2(r, r->tx, x, &t, e));
    }
    search_next(r, p, &found);
    return NULL;
}

err *api_mlflow_trace_search_v2(struct req *r) {
    struct search_page p = {0};
    return search(r, &p, arg(r, "experiment_ids"), false);
}

/* [{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id"}}] as a list of ids. */
static err *ids_of(struct req *r, jval **ret) {
    jval *list = arg(r, "locations"), *x;
    size_t i, max;
    jdoc *d = json_doc(r->a);
    jmut *ids = yyjson_mut_arr(d);
    yyjson_arr_foreach(list, i, max, x) {
        jval *id = json_get(json_get(x, "mlflow_experiment"), "experiment_id");
        if (!id)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "locations[%zu]: only MLflow experiments can be searched; other "
                           "locations not yet supported.",
                           i);
        yyjson_mut_arr_append(ids, yyjson_val_mut_copy(d, id));
    }
    return json_parse(r->a, json_text(r->a, ids), false, ret);
}

err *api_mlflow_trace_search(struct req *r) {
    struct search_page p = {0};
    jval *ids;
    TRY(ids_of(r, &ids));
    return search(r, &p, ids, true);
}
