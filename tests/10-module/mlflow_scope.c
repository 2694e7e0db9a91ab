/* SPDX-License-Identifier: Apache-2.0 */
/* Two workspaces with experiments, runs, models and traces: neither reaches the other's by id or
 * name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/gen_routes.h"
#include "harness/direct.h"
#include "store/mlflow_models.h"
#include "store/mlflow_traces.h"

static struct direct d;

static int setup(void **state) {
    (void)state;
    direct_open(&d);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    direct_close(&d);
    return 0;
}

static err *in_other(struct direct_user *u, enum lane lane, step_fn fn, const char *args) {
    struct req *r = direct_call(&d, u, d.other_workspace, lane, fn, args);
    err *e = r->failure;
    r->failure = NULL;
    direct_end(r);
    return e;
}

static void hidden(struct direct_user *u, enum lane lane, step_fn fn, const char *args) {
    err *e = in_other(u, lane, fn, args);
    if (err_code_of(e) != ERR_RESOURCE_DOES_NOT_EXIST)
        fail_msg("%s: %s", args, e ? err_msg(e) : "answered");
    err_free(e);
}

struct things {
    struct store_scope scope;
    int64_t experiment;
};

static err *make_things(store_tx *tx, void *arg) {
    struct things *t = arg;
    struct mlflow_run run = {.experiment = t->experiment,
                             .run_id = STR("r1"),
                             .name = STR("r"),
                             .user_id = STR("u"),
                             .status = RUN_RUNNING};
    struct mlflow_model model = {.experiment = t->experiment,
                                 .model_id = STR("m-1"),
                                 .name = STR("m"),
                                 .status = MODEL_READY};
    struct mlflow_trace trace = {
        .experiment = t->experiment, .trace_id = STR("tr-1"), .duration = -1};
    TRY(mlflow_run_insert(tx, t->scope, &run));
    TRY(mlflow_model_insert(tx, t->scope, &model));
    return mlflow_trace_insert(tx, t->scope, &trace);
}

/* What looks a thing up by its id; the editing steps too. */
static const struct {
    step_fn fn;
    const char *args;
} by_id[] = {
    {api_mlflow_run_for_edit, "{'run_id': 'r1'}"},
    {api_mlflow_model_for_edit, "{'model_id': 'm-1'}"},
    {api_mlflow_trace_for_edit, "{'trace_id': 'tr-1'}"},
};

static void test_other_workspace(void **state) {
    (void)state;
    arena *a = arena_new();
    struct direct_user admin = direct_user(&d, "root", true), ann = direct_user(&d, "ann", false);
    jval *o = direct_ok(&d, &ann, DIRECT_WRITE, api_mlflow_experiment_create, "{'name': 'x'}");
    const char *exp =
        arena_printf(a, "{'experiment_id': '%.*s'}", STR_ARG(json_get_str(o, "experiment_id")));
    struct things t = {.scope = {1, d.workspace}};
    assert_true(json_i64(json_get(o, "experiment_id"), &t.experiment));
    assert_null(store_write_sync(d.c.store, STORE_MLFLOW, make_things, &t, NULL));
    for (size_t i = 0; i < ARRAY_LEN(by_id); i++) {
        direct_ok(&d, &ann, DIRECT_READ, by_id[i].fn, by_id[i].args);
        hidden(&ann, DIRECT_READ, by_id[i].fn, by_id[i].args);
        hidden(&admin, DIRECT_READ, by_id[i].fn, by_id[i].args);
    }
    hidden(&ann, DIRECT_READ, api_mlflow_experiment_get, exp);
    hidden(&admin, DIRECT_READ, api_mlflow_experiment_get, exp);
    hidden(&admin, DIRECT_READ, api_mlflow_experiment_get_by_name, "{'experiment_name': 'x'}");
    hidden(&admin, DIRECT_WRITE, api_mlflow_experiment_delete, exp);
    hidden(&admin, DIRECT_READ, api_mlflow_run_create_check, exp);
    hidden(&admin, DIRECT_READ, api_mlflow_model_create_check, exp);
    hidden(&admin, DIRECT_READ, api_mlflow_experiment_for_edit, exp);
    /* The same name is free there. */
    err *e = in_other(&ann, DIRECT_WRITE, api_mlflow_experiment_create, "{'name': 'x'}");
    assert_null(e);
    arena_free(a);
}

static void test_default_experiment(void **state) {
    (void)state;
    struct direct_user ann = direct_user(&d, "ann", false);
    jval *o = direct_ok(&d, &ann, DIRECT_READ, api_mlflow_experiment_get, "{'experiment_id': '0'}");
    assert_true(str_eqz(json_get_str(json_get(o, "experiment"), "name"), "Default"));
    direct_fails(&d, &ann, DIRECT_WRITE, api_mlflow_experiment_create, "{'name': 'Default'}",
                 ERR_RESOURCE_ALREADY_EXISTS, "already exists");
    direct_fails(&d, &ann, DIRECT_WRITE, api_mlflow_experiment_delete, "{'experiment_id': 0}",
                 ERR_PERMISSION_DENIED, "CAN_MANAGE");
    direct_ok(&d, &ann, DIRECT_WRITE, api_mlflow_experiment_set_tag,
              "{'experiment_id': '0', 'key': 'k', 'value': 'v'}");
    o = direct_ok(&d, &ann, DIRECT_READ, api_mlflow_experiment_search,
                  "{'filter': 'tags.k IS NOT NULL'}");
    assert_int_equal(yyjson_arr_size(json_get(o, "experiments")), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_other_workspace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_experiment, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
