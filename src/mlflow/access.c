/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/access.h"

#include "base/time.h"
#include "rest/control.h"
#include "sys/clock.h"

int64_t access_now(void) { return clock_now() / US_PER_MS; }

err *access_meta_begin(struct req *r, store_tx **ret) {
    if (r->tx && store_tx_file(r->tx) == STORE_META) {
        *ret = r->tx;
        return NULL;
    }
    return store_read_begin(r->control->store, STORE_META, 0, ret);
}

void access_meta_end(struct req *r, store_tx *meta) {
    if (meta != r->tx) store_read_end(meta);
}

/* ---- experiments ---- */

static struct ent_experiment the_default(struct req *r) {
    return (struct ent_experiment){
        .id = 0,
        .account = r->scope.account,
        .workspace = r->scope.workspace,
        .name = STR("Default"),
        .lifecycle = STR("active"),
        .tags = STR("{}"),
        .artifact_location = STR(""),
    };
}

err *access_find(store_tx *meta, struct req *r, int64_t id, struct ent_experiment *ret,
                 bool *found) {
    TRY(ent_experiment_get(meta, r->scope, r->a, id, ret, found));
    if (*found || id != 0) return NULL;
    *ret = the_default(r);
    *found = true;
    return NULL;
}

err *access_find_name(store_tx *meta, struct req *r, str name, struct ent_experiment *ret,
                      bool *found) {
    TRY(ent_experiment_by_name(meta, r->scope, r->a, name, ret, found));
    if (*found || !str_eqz(name, "Default")) return NULL;
    struct ent_experiment zero;
    TRY(ent_experiment_get(meta, r->scope, r->a, 0, &zero, found));
    if (*found) {
        *found = false; /* it has another name now */
        return NULL;
    }
    *ret = the_default(r);
    *found = true;
    return NULL;
}

err *access_level(store_tx *meta, struct req *r, const struct ent_experiment *e, uint64_t *ret) {
    struct policy_node node = {.owner = e->owner_id};
    node.what = arena_printf(r->a, "experiment %lld", (long long)e->id);
    if (r->who.workspace_admin || (e->owner_id && e->owner_id == r->who.id)) {
        *ret = policy_highest(&r->who, PERM_EXPERIMENTS, &node, 1);
        return NULL;
    }
    struct ent_list_query q = {.eq = {{.column = ENT_ACL_OBJECT_TYPE, .s = STR("experiments")},
                                      {.column = ENT_ACL_OBJECT_ID, .i = e->id}}};
    struct ent_acl_rows rows;
    TRY(ent_acl_list(store_tx_today(meta), r->scope, r->a, &q, &rows));
    struct policy_entry *entries = arena_array_of(r->a, struct policy_entry, rows.n + 1);
    for (size_t i = 0; i < rows.n; i++)
        entries[i] =
            (struct policy_entry){rows.p[i].principal_id,
                                  (uint64_t)perm_level_by_name(PERM_EXPERIMENTS, rows.p[i].level)};
    node.entries = entries;
    node.n = rows.n;
    if (e->id == 0 && rows.n == 0) {
        entries[0] = (struct policy_entry){r->who.id, EXPERIMENTS_CAN_EDIT};
        node.n = 1;
    }
    *ret = policy_highest(&r->who, PERM_EXPERIMENTS, &node, 1);
    return NULL;
}

static err *no_experiment(int64_t id) BH_CHECK;
static err *no_experiment(int64_t id) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "No Experiment with id=%lld exists", (long long)id);
}

err *access_need(store_tx *meta, struct req *r, const struct ent_experiment *e, uint64_t level) {
    uint64_t has;
    TRY(access_level(meta, r, e, &has));
    if (has >= level) return NULL;
    if (has == 0) return no_experiment(e->id);
    return err_new(ERR_PERMISSION_DENIED,
                   "User '%.*s' does not have %s permission on experiment %lld.",
                   STR_ARG(r->principal_name), perm_rows[PERM_EXPERIMENTS].levels[level - 1],
                   (long long)e->id);
}

err *access_experiment(store_tx *meta, struct req *r, int64_t id, uint64_t level,
                       struct ent_experiment *ret) {
    bool found;
    TRY(access_find(meta, r, id, ret, &found));
    if (!found) return no_experiment(id);
    return access_need(meta, r, ret, level);
}

err *access_experiment_now(struct req *r, int64_t id, uint64_t level, struct ent_experiment *ret) {
    store_tx *meta;
    TRY(access_meta_begin(r, &meta));
    err *e = access_experiment(meta, r, id, level, ret);
    access_meta_end(r, meta);
    return e;
}

err *access_experiment_arg(struct req *r, const char *name, int64_t *ret) {
    if (json_i64(arg(r, name), ret) && *ret >= 0) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "Invalid experiment ID '%.*s'. Experiment ID must be a valid integer.",
                   STR_ARG(str_cut(arg_str(r, name), 200)));
}

err *access_experiment_active(const struct ent_experiment *e) {
    if (access_is_active(e)) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "The experiment %lld must be in the 'active' state. Current state is deleted.",
                   (long long)e->id);
}

/* ---- runs ---- */

err *access_no_run(str run_id) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Run with id=%.*s not found",
                   STR_ARG(str_cut(run_id, 256)));
}

static err *find_run(struct req *r, str run_id, struct access_run *ret, bool *found) {
    if (r->tx && store_tx_file(r->tx) == STORE_MLFLOW)
        return mlflow_run_get(r->tx, r->scope, r->a, run_id, &ret->run, found);
    store_tx *tx;
    TRY(store_read_begin(r->control->store, STORE_MLFLOW, 0, &tx));
    err *e = mlflow_run_get(tx, r->scope, r->a, run_id, &ret->run, found);
    store_read_end(tx);
    return e;
}

static err *check_run(store_tx *meta, struct req *r, str run_id, uint64_t level,
                      struct access_run *ret) {
    bool found;
    uint64_t has = 0;
    TRY(access_find(meta, r, ret->run.experiment, &ret->experiment, &found));
    if (found) TRY(access_level(meta, r, &ret->experiment, &has));
    if (has == 0) return access_no_run(run_id);
    if (has < level)
        return err_new(ERR_PERMISSION_DENIED,
                       "User '%.*s' does not have %s permission on experiment %lld of run %.*s.",
                       STR_ARG(r->principal_name), perm_rows[PERM_EXPERIMENTS].levels[level - 1],
                       (long long)ret->run.experiment, STR_ARG(str_cut(run_id, 256)));
    ret->active = ret->run.deleted_time == 0 && access_is_active(&ret->experiment);
    return NULL;
}

err *access_run(struct req *r, str run_id, uint64_t level, struct access_run *ret) {
    if (run_id.n == 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter 'run_id'.");
    bool found = false;
    TRY(find_run(r, run_id, ret, &found));
    if (!found) return access_no_run(run_id);
    store_tx *meta;
    TRY(access_meta_begin(r, &meta));
    err *e = check_run(meta, r, run_id, level, ret);
    access_meta_end(r, meta);
    return e;
}

err *access_run_active(const struct access_run *a) {
    if (a->active) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE,
                   "The run %.*s must be in the 'active' state. Current state is deleted.",
                   STR_ARG(a->run.run_id));
}

err *access_run_again(struct req *r, struct access_run **ret) {
    struct access_run *a = r->state;
    bool found;
    str id = a->run.run_id;
    TRY(mlflow_run_row(r->tx, r->a, a->run.rid, &a->run, &found));
    if (!found) return access_no_run(id);
    a->active = a->run.deleted_time == 0 && access_is_active(&a->experiment);
    *ret = a;
    return NULL;
}

err *access_run_write(struct req *r, struct access_run **ret) {
    TRY(access_run_again(r, ret));
    req_out(r);
    return access_run_active(*ret);
}

/* ---- artifacts ---- */

bool access_wants_dbfs(struct req *r) {
    return str_find(req_header(r, "user-agent"), STR("databricks-sdk")) >= 0;
}

str access_artifact_root(struct req *r) {
    return access_wants_dbfs(r) ? STR("dbfs:/databricks/mlflow-tracking/")
                                : STR("mlflow-artifacts:/");
}

str access_experiment_uri(struct req *r, const struct ent_experiment *e) {
    if (e->artifact_location.n) return e->artifact_location;
    str root = access_artifact_root(r);
    return str_of(arena_printf(r->a, "%.*s%lld", STR_ARG(root), (long long)e->id));
}

static str under(struct req *r, const struct ent_experiment *e, const char *folder, str id) {
    str root = access_experiment_uri(r, e);
    return str_of(arena_printf(r->a, "%.*s/%s%.*s/artifacts", STR_ARG(root), folder, STR_ARG(id)));
}

str access_run_uri(struct req *r, const struct ent_experiment *e, str run_id) {
    return under(r, e, "", run_id);
}

str access_model_uri(struct req *r, const struct ent_experiment *e, str model_id) {
    return under(r, e, access_wants_dbfs(r) ? "logged_models/" : "models/", model_id);
}

str access_trace_uri(struct req *r, const struct ent_experiment *e, str trace_id) {
    return under(r, e, access_wants_dbfs(r) ? "" : "traces/", trace_id);
}
