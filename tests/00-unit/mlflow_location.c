/* SPDX-License-Identifier: Apache-2.0 */
/* Where artifacts lie, in its three spellings; rules of the registries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mlflow/location.h"
#include "mlflow/registry_rules.h"

static arena *a;

static void is(str s, const char *z) {
    if (!str_eqz(s, z)) fail_msg("'%.*s' is not '%s'", STR_ARG(s), z);
}

static void spellings(void **state) {
    (void)state;
    static const struct {
        const char *http, *databricks, *files;
    } rows[] = {
        {"mlflow-artifacts:/7/abc/artifacts/d/x.json",
         "dbfs:/databricks/mlflow-tracking/7/abc/artifacts/d/x.json",
         "/WorkspaceInternal/Mlflow/Artifacts/7/Runs/abc/artifacts/d/x.json"},
        {"mlflow-artifacts:/0/models/m-1/artifacts",
         "dbfs:/databricks/mlflow-tracking/0/logged_models/m-1/artifacts",
         "/WorkspaceInternal/Mlflow/Artifacts/0/LoggedModels/m-1/artifacts"},
        {"mlflow-artifacts:/9/traces/tr-5/artifacts/traces.json",
         "dbfs:/databricks/mlflow-tracking/9/tr-5/artifacts/traces.json",
         "/WorkspaceInternal/Mlflow/Artifacts/9/Traces/tr-5/artifacts/traces.json"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *forms[] = {rows[i].http, rows[i].databricks, rows[i].files};
        for (int k = 0; k < 3; k++) {
            struct location l;
            if (!location_read(str_of(forms[k]), &l)) fail_msg("%s was not read", forms[k]);
            is(location_http(a, &l), rows[i].http);
            is(location_databricks(a, &l), rows[i].databricks);
            is(location_files(a, &l), rows[i].files);
        }
    }
    struct location l;
    assert_true(location_read(STR("mlflow-artifacts://host:80/7/abc/artifacts/"), &l));
    is(location_http(a, &l), "mlflow-artifacts:/7/abc/artifacts");
}

static void not_locations(void **state) {
    (void)state;
    static const char *const bad[] = {
        "", "s3://b/7/abc/artifacts", "dbfs:/other/7/abc/artifacts", "mlflow-artifacts:/x/abc/artifacts",
        "mlflow-artifacts:/7/abc", "mlflow-artifacts:/7//artifacts", "mlflow-artifacts:/-1/a/artifacts",
        "mlflow-artifacts:/7/abc/artifacts/../../8/x", "mlflow-artifacts:/7/../artifacts",
        "mlflow-artifacts:/7/abc/artifacts/a//b", "mlflow-artifacts:/7/abc/artifactsx",
        "/WorkspaceInternal/Mlflow/Artifacts/7/Other/abc/artifacts"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct location l;
        if (location_read(str_of(bad[i]), &l)) fail_msg("'%s' was read", bad[i]);
    }
}

static void good(err *e) {
    if (e) fail_msg("%s", err_msg(e));
}
static void bad(err *e, const char *part) {
    assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    if (!strstr(err_msg(e), part)) fail_msg("'%s' lacks '%s'", err_msg(e), part);
    err_free(e);
}

static void rules(void **state) {
    (void)state;
    good(registry_check_name(STR("my model.v2 (new)"), "name"));
    bad(registry_check_name(STR(" "), "name"), "Missing value for required parameter 'name'.");
    bad(registry_check_name(STR("a/b"), "name"), "Names cannot contain '/' or ':'.");
    bad(registry_check_name(STR(".."), "name"), "must not resolve to other names");
    good(registry_check_alias(STR("champion-2_x"), true));
    good(registry_check_alias(STR("v1"), false));
    bad(registry_check_alias(STR("v1"), true), "Version alias name 'v1' is reserved.");
    bad(registry_check_alias(STR("Latest"), true), "'latest' alias name");
    bad(registry_check_alias(STR("a b"), true), "Invalid alias name: 'a b'");
    bad(registry_check_alias(STR(""), true), "cannot be empty");
    good(registry_check_tag(STR("mlflow.user/x:y"), STR("")));
    bad(registry_check_tag(STR("a=b"), STR("")), "Names may only contain");
    enum registry_stage stage;
    good(registry_stage_of(STR("production"), &stage));
    assert_int_equal(stage, STAGE_PRODUCTION);
    bad(registry_stage_of(STR("Prod"), &stage), "None, Staging, Production, Archived");
    int64_t n;
    good(registry_check_version(STR("12"), &n));
    assert_int_equal(n, 12);
    bad(registry_check_version(STR("1.5"), &n), "must be an integer");
}

int main(void) {
    a = arena_new();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(not_locations),
        cmocka_unit_test(rules),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(a);
    return rc;
}
