/* SPDX-License-Identifier: Apache-2.0 */
/* Search over runs. */
#include "mlflow/search.h"
#include "api/gen_routes.h"
#include "mlflow/show.h"

#define RUNS_PAGE 1000
#define RUNS_MAX 50000

static err *view_of(struct req *r, enum mlflow_view *ret) {
    str v = arg_str(r, "run_view_type");
    *ret = MLFLOW_ACTIVE;
    if (v.n == 0 || str_eqz(v, "ACTIVE_ONLY")) return NULL;
    *ret = MLFLOW_DELETED;
    if (str_eqz(v, "DELETED_ONLY")) return NULL;
    *ret = MLFLOW_ALL;
    if (str_eqz(v, "ALL")) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Invalid value '%.*s' for parameter 'run_view_type' supplied: expected "
                   "ACTIVE_ONLY, DELETED_ONLY or ALL.",
                   STR_ARG(str_cut(v, 100)));
}

err *api_mlflow_run_search(struct req *r) {
    struct search_page p = {0};
    struct mlflow_found found;
    TRY(view_of(r, &p.search.view));
    TRY(search_order(r, FILTER_RUNS, &p));
    TRY(search_terms(r, FILTER_RUNS, "runs", RUNS_PAGE, RUNS_MAX, &p));
    TRY(search_where(r, arg(r, "experiment_ids"), &p));
    TRY(mlflow_search_runs(r->tx, r->a, &p.search, &found));
    jmut *o = req_out(r);
    jmut *list = json_put_arr(r->doc, o, "runs");
    for (size_t i = 0; i < found.n; i++) {
        struct mlflow_run run;
        bool ok;
        TRY(mlflow_run_row(r->tx, r->a, found.ids[i], &run, &ok));
        if (!ok) continue;
        const struct ent_experiment *e = search_experiment(&p, run.experiment);
        bool active = run.deleted_time == 0 && access_is_active(e);
        TRY(show_run(r, r->tx, json_add_obj(r->doc, list), &run, e, active));
    }
    search_next(r, &p, &found);
    return NULL;
}
