/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The source of a version, resolved:
 *
 *   models:/m-<id>[/path]               a logged model's files
 *   models:/<name>/<version or alias>   the files of another version of this registry
 *   runs:/<run>/<path>                  files of a run
 *   dbfs:/databricks/mlflow-tracking/…, mlflow-artifacts:/…    files of a run or a logged model
 *   anything else                       kept as it is: nothing of ours, and never read by us
 *
 * Whoever registers must be able to read the files: CAN_READ on the experiment, or on the other
 * model. What he may not see is "not found", in the same words as what is not there.
 */
#include "mlflow/access.h"
#include "mlflow/location.h"
#include "mlflow/registry.h"
#include "rest/control.h"
#include "store/mlflow_models.h"

static err *not_fetched(str source) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST,
                   "Unable to fetch model from model URI source artifact location '%.*s'.",
                   STR_ARG(str_cut(source, 500)));
}

/* CAN_READ on the experiment; what is invisible is not there. */
static err *need_experiment(struct req *r, int64_t experiment, str source) {
    store_tx *meta;
    struct ent_experiment row;
    TRY(access_meta_begin(r, &meta));
    err *e = access_experiment(meta, r, experiment, EXPERIMENTS_CAN_READ, &row);
    access_meta_end(r, meta);
    if (err_code_of(e) != ERR_RESOURCE_DOES_NOT_EXIST) return e;
    err_free(e);
    return not_fetched(source);
}

static err *logged_model(struct req *r, str id, struct mlflow_model *ret, bool *found) {
    store_tx *tx;
    TRY(store_read_begin(r->control->store, STORE_MLFLOW, 0, &tx));
    err *e = mlflow_model_get(tx, r->scope, r->a, id, ret, found);
    store_read_end(tx);
    if (!e && *found && ret->deleted_time) *found = false;
    return e;
}

static err *from_logged_model(struct req *r, str id, str rest, str source, struct reg_source *ret) {
    struct mlflow_model m;
    bool found;
    TRY(logged_model(r, id, &m, &found));
    if (!found) return not_fetched(source);
    TRY(need_experiment(r, m.experiment, source));
    struct location l = {m.experiment, LOCATION_MODEL, id, rest};
    ret->storage = location_databricks(r->a, &l);
    ret->run_id = m.source_run_id;
    return NULL;
}

static err *from_location(struct req *r, str source, struct reg_source *ret) {
    struct location l;
    if (!location_read(source, &l)) {
        ret->storage = source;
        return NULL;
    }
    TRY(need_experiment(r, l.experiment, source));
    /* Whose folder it is must be known, too: experiments are not spelled by their ids alone. */
    if (l.kind == LOCATION_MODEL) {
        struct mlflow_model m;
        bool found;
        TRY(logged_model(r, l.id, &m, &found));
        if (!found || m.experiment != l.experiment) return not_fetched(source);
    } else if (l.kind == LOCATION_RUN) {
        struct access_run run;
        TRY(access_run(r, l.id, EXPERIMENTS_CAN_READ, &run));
        if (run.run.experiment != l.experiment) return not_fetched(source);
    }
    ret->storage = location_databricks(r->a, &l);
    return NULL;
}

static err *from_run(struct req *r, str rest, str source, struct reg_source *ret) {
    ptrdiff_t slash = str_chr(rest, '/', 0);
    str id = slash < 0 ? rest : str_cut(rest, (size_t)slash);
    str path = slash < 0 ? STR("") : str_from(rest, (size_t)slash + 1);
    struct access_run run;
    TRY(access_run(r, id, EXPERIMENTS_CAN_READ, &run));
    struct location l = {run.run.experiment, LOCATION_RUN, id, path}, checked;
    ret->storage = location_databricks(r->a, &l);
    ret->run_id = id;
    return location_read(ret->storage, &checked) ? NULL : not_fetched(source);
}

/* In a read of its own, so that the functions of registry.c find r->tx. */
static err *from_version(struct req *r, str rest, str source, struct reg_source *ret) {
    ptrdiff_t cut = str_chr(rest, '/', 0);
    bool alias = cut < 0;
    if (alias) cut = str_chr(rest, '@', 0);
    if (cut < 0) return not_fetched(source);
    str name = str_cut(rest, (size_t)cut), version = str_from(rest, (size_t)cut + 1);
    struct reg_model m;
    struct reg_version v;
    must(!r->tx);
    TRY(store_read_begin(r->control->store, STORE_META, 0, &r->tx));
    err *e = registry_open(r, name, REGISTERED_MODELS_CAN_READ, &m);
    if (!e) e = alias ? registry_by_alias(r, &m, version, &v) : registry_version(r, &m, version, &v);
    if (!e) {
        ret->storage = v.row.storage_location;
        ret->run_id = v.row.run_id;
    }
    store_read_end(r->tx);
    r->tx = NULL;
    return e;
}

/* "m-" and 32 hex digits; a registered model may be called m-something, too. */
static bool is_model_id(str s) {
    if (s.n != 34 || !str_starts(s, STR("m-"))) return false;
    for (size_t i = 2; i < s.n; i++)
        if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f'))) return false;
    return true;
}

err *registry_resolve_source(struct req *r, str source, str model_id, struct reg_source *ret) {
    TRY(registry_check_text(source, "source", REGISTRY_MAX_SOURCE));
    if (str_starts(source, STR("models:/"))) {
        str rest = str_from(source, 8);
        ptrdiff_t slash = str_chr(rest, '/', 0);
        str first = slash < 0 ? rest : str_cut(rest, (size_t)slash);
        if (is_model_id(first))
            return from_logged_model(r, first,
                                     slash < 0 ? STR("") : str_from(rest, (size_t)slash + 1),
                                     source, ret);
        return from_version(r, rest, source, ret);
    }
    if (str_starts(source, STR("runs:/"))) return from_run(r, str_from(source, 6), source, ret);
    TRY(from_location(r, source, ret));
    if (!model_id.n || ret->run_id.n) return NULL;
    struct mlflow_model m;
    bool found;
    TRY(logged_model(r, model_id, &m, &found));
    if (found) TRY(need_experiment(r, m.experiment, source));
    if (found) ret->run_id = m.source_run_id;
    return NULL;
}
