/* SPDX-License-Identifier: Apache-2.0 */
/* The workspace model registry through its handlers, on a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/gen_routes.h"
#include "harness/direct.h"
#include "mlflow/registry.h"
#include "store/mlflow_runs.h"

static struct direct d;
static struct direct_user ann, bob, root;

#define READ(u, fn, args) direct_ok(&d, u, DIRECT_READ, api_registry_##fn, args)
#define WRITE(u, fn, args) direct_ok(&d, u, DIRECT_WRITE, api_registry_##fn, args)
#define READ_FAILS(u, fn, args, code, part)                                                        \
    direct_fails(&d, u, DIRECT_READ, api_registry_##fn, args, ERR_##code, part)
#define WRITE_FAILS(u, fn, args, code, part)                                                       \
    direct_fails(&d, u, DIRECT_WRITE, api_registry_##fn, args, ERR_##code, part)

static int setup(void **state) {
    (void)state;
    direct_open(&d);
    root = direct_user(&d, "root@example.com", true);
    ann = direct_user(&d, "ann@example.com", false);
    bob = direct_user(&d, "bob@example.com", false);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    direct_close(&d);
    return 0;
}

static const char *text(jval *v, const char *path) {
    jval *x = yyjson_ptr_get(v, path);
    return yyjson_is_str(x) ? yyjson_get_str(x) : "(none)";
}
static size_t count(jval *v, const char *path) { return yyjson_arr_size(yyjson_ptr_get(v, path)); }

/* A version, by both steps of the route. */
static void add_version(const struct direct_user *u, const char *model, const char *more) {
    char args[512];
    snprintf(args, sizeof(args), "{'name':'%s','source':'s3://bucket/%s'%s}", model, model, more);
    struct req *r = direct_call2(&d, u, api_registry_resolve_source, api_registry_create_version,
                                 args);
    if (r->failure) fail_msg("%s: %s", args, err_msg(r->failure));
    direct_end(r);
}

static void models(void **state) {
    (void)state;
    jval *v = WRITE(&ann, create_model, "{'name':'m','description':'d','tags':[{'key':'a','value':'b'}]}");
    assert_string_equal(text(v, "/registered_model/name"), "m");
    assert_string_equal(text(v, "/registered_model/tags/0/value"), "b");
    WRITE_FAILS(&bob, create_model, "{'name':'m'}", RESOURCE_ALREADY_EXISTS,
                "Registered Model (name=m) already exists.");
    WRITE_FAILS(&ann, create_model, "{'name':'a/b'}", INVALID_PARAMETER_VALUE, "cannot contain");
    READ_FAILS(&ann, get_model, "{'name':'none'}", RESOURCE_DOES_NOT_EXIST,
               "Registered Model with name=none not found");
    WRITE(&ann, update_model, "{'name':'m','description':'e'}");
    WRITE(&ann, set_model_tag, "{'name':'m','key':'k','value':'v'}");
    WRITE(&ann, delete_model_tag, "{'name':'m','key':'a'}");
    v = READ(&ann, get_model, "{'name':'m'}");
    assert_string_equal(text(v, "/registered_model/description"), "e");
    assert_int_equal(count(v, "/registered_model/tags"), 1);
    assert_string_equal(text(v, "/registered_model/tags/0/key"), "k");
    v = READ(&ann, databricks_get_model, "{'name':'m'}");
    assert_string_equal(text(v, "/registered_model_databricks/permission_level"), "CAN_MANAGE");
    WRITE(&ann, create_model, "{'name':'n'}");
    WRITE_FAILS(&ann, rename_model, "{'name':'n','new_name':'m'}", RESOURCE_ALREADY_EXISTS, "m");
    WRITE(&ann, rename_model, "{'name':'n','new_name':'o'}");
    READ_FAILS(&ann, get_model, "{'name':'n'}", RESOURCE_DOES_NOT_EXIST, "n");
    WRITE(&ann, delete_model, "{'name':'o'}");
    READ_FAILS(&ann, get_model, "{'name':'o'}", RESOURCE_DOES_NOT_EXIST, "o");
}

static void versions(void **state) {
    (void)state;
    WRITE(&ann, create_model, "{'name':'v'}");
    add_version(&ann, "v", ",'tags':[{'key':'x','value':'1'}],'description':'first'");
    add_version(&ann, "v", "");
    jval *v = READ(&ann, get_version, "{'name':'v','version':'1'}");
    assert_string_equal(text(v, "/model_version/status"), "READY");
    assert_string_equal(text(v, "/model_version/current_stage"), "None");
    assert_string_equal(text(v, "/model_version/source"), "s3://bucket/v");
    assert_string_equal(text(v, "/model_version/description"), "first");
    READ_FAILS(&ann, get_version, "{'name':'v','version':'9'}", RESOURCE_DOES_NOT_EXIST,
               "Model Version (name=v, version=9) not found");
    READ_FAILS(&ann, get_version, "{'name':'v','version':'x'}", INVALID_PARAMETER_VALUE, "integer");
    WRITE(&ann, set_version_tag, "{'name':'v','version':'2','key':'k','value':'w'}");
    WRITE(&ann, delete_version_tag, "{'name':'v','version':'1','key':'x'}");
    WRITE(&ann, update_version, "{'name':'v','version':'2','description':'second'}");
    v = READ(&ann, get_version, "{'name':'v','version':'2'}");
    assert_string_equal(text(v, "/model_version/tags/0/value"), "w");
    /* A number is never given twice. */
    WRITE(&ann, delete_version, "{'name':'v','version':'2'}");
    READ_FAILS(&ann, get_version, "{'name':'v','version':'2'}", RESOURCE_DOES_NOT_EXIST, "version=2");
    add_version(&ann, "v", "");
    READ(&ann, get_version, "{'name':'v','version':'3'}");
    v = READ(&ann, download_uri, "{'name':'v','version':'3'}");
    assert_string_equal(text(v, "/artifact_uri"), "s3://bucket/v");
}

static void aliases(void **state) {
    (void)state;
    WRITE(&ann, create_model, "{'name':'al'}");
    add_version(&ann, "al", "");
    add_version(&ann, "al", "");
    WRITE(&ann, set_alias, "{'name':'al','alias':'champion','version':'1'}");
    WRITE(&ann, set_alias, "{'name':'al','alias':'champion','version':'2'}");
    WRITE_FAILS(&ann, set_alias, "{'name':'al','alias':'v2','version':'2'}", INVALID_PARAMETER_VALUE,
                "reserved");
    WRITE_FAILS(&ann, set_alias, "{'name':'al','alias':'x','version':'7'}", RESOURCE_DOES_NOT_EXIST,
                "version=7");
    jval *v = READ(&ann, get_alias, "{'name':'al','alias':'champion'}");
    assert_string_equal(text(v, "/model_version/version"), "2");
    assert_string_equal(text(v, "/model_version/aliases/0"), "champion");
    READ_FAILS(&ann, get_alias, "{'name':'al','alias':'none'}", INVALID_PARAMETER_VALUE,
               "Registered model alias none not found.");
    v = READ(&ann, get_alias, "{'name':'al','alias':'latest'}");
    assert_string_equal(text(v, "/model_version/version"), "2");
    v = READ(&ann, get_model, "{'name':'al'}");
    assert_string_equal(text(v, "/registered_model/aliases/0/alias"), "champion");
    assert_string_equal(text(v, "/registered_model/aliases/0/version"), "2");
    WRITE(&ann, delete_version, "{'name':'al','version':'2'}");
    v = READ(&ann, get_model, "{'name':'al'}");
    assert_int_equal(count(v, "/registered_model/aliases"), 0);
}

static void stages(void **state) {
    (void)state;
    WRITE(&ann, create_model, "{'name':'st'}");
    for (int i = 0; i < 3; i++) add_version(&ann, "st", "");
    WRITE(&ann, transition_stage, "{'name':'st','version':'1','stage':'staging'}");
    WRITE(&ann, transition_stage,
          "{'name':'st','version':'2','stage':'Staging','archive_existing_versions':true}");
    jval *v = READ(&ann, get_version, "{'name':'st','version':'1'}");
    assert_string_equal(text(v, "/model_version/current_stage"), "Archived");
    WRITE_FAILS(&ann, transition_stage, "{'name':'st','version':'2','stage':'Prod'}",
                INVALID_PARAMETER_VALUE, "None, Staging, Production, Archived");
    WRITE_FAILS(&ann, transition_stage,
                "{'name':'st','version':'2','stage':'None','archive_existing_versions':true}",
                INVALID_PARAMETER_VALUE, "not an Active stage");
    v = READ(&ann, latest_versions, "{'name':'st','stages':['Staging']}");
    assert_int_equal(count(v, "/model_versions"), 1);
    assert_string_equal(text(v, "/model_versions/0/version"), "2");
    v = READ(&ann, latest_versions, "{'name':'st'}");
    assert_int_equal(count(v, "/model_versions"), 3);
}

static void find(const char *args, size_t n, const char *first) {
    jval *v = READ(&ann, search_models, args);
    if (count(v, "/registered_models") != n)
        fail_msg("%s: %zu models, not %zu", args, count(v, "/registered_models"), n);
    if (first) assert_string_equal(text(v, "/registered_models/0/name"), first);
}

static void search_models(void **state) {
    (void)state;
    static const char *const names[] = {"s-alpha", "s-beta", "s-gamma", "s-Delta", "s-prompt"};
    for (int i = 0; i < 5; i++) {
        char args[256];
        snprintf(args, sizeof(args), "{'name':'%s','tags':[{'key':'%s','value':'%s'}]}", names[i],
                 i == 4 ? "mlflow.prompt.is_prompt" : "team", i == 4 ? "true" : i < 2 ? "one" : "two");
        WRITE(&ann, create_model, args);
    }
    find("{'filter':'name = \\u0027s-alpha\\u0027'}", 1, "s-alpha");
}

static void search_filters(void **state) {
    (void)state;
    static const struct {
        const char *filter;
        size_t n;
        const char *first;
    } rows[] = {
        {"name = \\u0027s-beta\\u0027", 1, "s-beta"},
        {"name LIKE \\u0027s-%\\u0027", 4, "s-Delta"},
        {"name ILIKE \\u0027S-D%\\u0027", 1, "s-Delta"},
        {"tags.team = \\u0027one\\u0027", 2, "s-alpha"},
        {"tags.team != \\u0027one\\u0027 AND name LIKE \\u0027s-%\\u0027", 2, "s-Delta"},
        {"name IN (\\u0027s-alpha\\u0027, \\u0027s-gamma\\u0027)", 2, "s-alpha"},
        {"tags.`mlflow.prompt.is_prompt` = \\u0027true\\u0027", 1, "s-prompt"},
        {"name LIKE \\u0027none%\\u0027", 0, NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char args[300];
        snprintf(args, sizeof(args), "{'filter':'%s'}", rows[i].filter);
        find(args, rows[i].n, rows[i].first);
    }
    READ_FAILS(&ann, search_models, "{'filter':'description = 1'}", INVALID_PARAMETER_VALUE,
               "Invalid attribute key");
    READ_FAILS(&ann, search_models, "{'max_results':1001}", INVALID_PARAMETER_VALUE, "at most 1000");
    READ_FAILS(&ann, search_models, "{'max_results':0}", INVALID_PARAMETER_VALUE, "positive");
}

/* Pages by three, in several orders, while models come and go. */
static void search_pages(void **state) {
    (void)state;
    static const char *const orders[] = {"name ASC", "name DESC", "last_updated_timestamp DESC"};
    for (size_t o = 0; o < 3; o++) {
        char args[1200], token[600] = "";
        buf names = {0};
        size_t seen = 0;
        for (int page = 0; page < 50; page++) {
            snprintf(args, sizeof(args), "{'max_results':3,'order_by':['%s'],'page_token':'%s'}",
                     orders[o], token);
            jval *v = READ(&ann, search_models, args), *e;
            size_t i, n;
            yyjson_arr_foreach(yyjson_ptr_get(v, "/registered_models"), i, n, e) {
                char mark[300];
                snprintf(mark, sizeof(mark), "|%s|", text(e, "/name"));
                if (str_find(buf_view(&names), str_of(mark)) >= 0)
                    fail_msg("%s twice by %s", mark, orders[o]);
                buf_z(&names, mark);
                seen++;
            }
            snprintf(token, sizeof(token), "%s", text(v, "/next_page_token"));
            if (!strcmp(token, "(none)")) break;
            if (page == 0) {
                snprintf(args, sizeof(args), "{'name':'zz-%zu'}", o);
                WRITE(&ann, create_model, args);
            }
        }
        buf_free(&names);
        jval *all = READ(&ann, search_models, "{'max_results':1000}");
        assert_in_range(seen, count(all, "/registered_models") - 1, count(all, "/registered_models"));
    }
    READ_FAILS(&ann, search_models, "{'page_token':'AAAA'}", INVALID_PARAMETER_VALUE, "token");
}

static void search_versions(void **state) {
    (void)state;
    WRITE(&ann, create_model, "{'name':'sv'}");
    add_version(&ann, "sv", ",'run_id':'r1'");
    add_version(&ann, "sv", ",'run_id':'r2'");
    add_version(&ann, "sv", ",'run_id':'r1'");
    static const struct {
        const char *filter;
        size_t n;
    } rows[] = {{"name = \\u0027sv\\u0027", 3},
                {"run_id = \\u0027r1\\u0027", 2},
                {"run_id IN (\\u0027r2\\u0027)", 1},
                {"name = \\u0027sv\\u0027 AND version_number >= 2", 2},
                {"source_path = \\u0027s3://bucket/sv\\u0027", 3},
                {"name = \\u0027none\\u0027", 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char args[300];
        snprintf(args, sizeof(args), "{'filter':'%s'}", rows[i].filter);
        jval *v = READ(&ann, search_versions, args);
        if (count(v, "/model_versions") != rows[i].n)
            fail_msg("%s: %zu", args, count(v, "/model_versions"));
    }
    jval *v = READ(&ann, search_versions,
                   "{'filter':'name = \\u0027sv\\u0027','order_by':['version_number DESC'],'max_results':2}");
    assert_string_equal(text(v, "/model_versions/0/version"), "3");
    assert_string_not_equal(text(v, "/next_page_token"), "(none)");
}

/* What is not yours is not there; what you may read you may not write. */
static void rights(void **state) {
    (void)state;
    WRITE(&ann, create_model, "{'name':'mine'}");
    add_version(&ann, "mine", "");
    READ_FAILS(&bob, get_model, "{'name':'mine'}", RESOURCE_DOES_NOT_EXIST,
               "Registered Model with name=mine not found");
    READ_FAILS(&bob, get_version, "{'name':'mine','version':'1'}", RESOURCE_DOES_NOT_EXIST, "mine");
    WRITE_FAILS(&bob, delete_model, "{'name':'mine'}", RESOURCE_DOES_NOT_EXIST, "mine");
    jval *v = READ(&bob, search_models, "{'filter':'name = \\u0027mine\\u0027'}");
    assert_int_equal(count(v, "/registered_models"), 0);
    v = READ(&bob, search_versions, "{'filter':'name = \\u0027mine\\u0027'}");
    assert_int_equal(count(v, "/model_versions"), 0);
    v = READ(&root, get_model, "{'name':'mine'}");
    v = READ(&ann, databricks_get_model, "{'name':'mine'}");
    char args[256];
    snprintf(args, sizeof(args),
             "{'type':'registered-models','id':'%s','access_control_list':[{'user_name':"
             "'bob@example.com','permission_level':'CAN_READ'}]}",
             text(v, "/registered_model_databricks/id"));
    direct_ok(&d, &ann, DIRECT_WRITE, api_permissions_update, args);
    READ(&bob, get_model, "{'name':'mine'}");
    v = READ(&bob, search_models, "{'filter':'name = \\u0027mine\\u0027'}");
    assert_int_equal(count(v, "/registered_models"), 1);
    WRITE_FAILS(&bob, update_model, "{'name':'mine','description':'x'}", PERMISSION_DENIED,
                "CAN_EDIT");
    WRITE_FAILS(&bob, transition_stage, "{'name':'mine','version':'1','stage':'Production'}",
                PERMISSION_DENIED, "CAN_MANAGE_PRODUCTION_VERSIONS");
    WRITE_FAILS(&bob, delete_model, "{'name':'mine'}", PERMISSION_DENIED, "CAN_MANAGE");
    /* The same name in another workspace is another model. */
    struct req *r = direct_call(&d, &root, d.other_workspace, DIRECT_READ, api_registry_get_model,
                                "{'name':'mine'}");
    assert_int_equal(err_code_of(r->failure), ERR_RESOURCE_DOES_NOT_EXIST);
    direct_end(r);
}

static err *sequence(store_tx *tx, void *arg) {
    *(int64_t *)arg = store_tx_seq(tx);
    return NULL;
}

static void as_of(void **state) {
    (void)state;
    int64_t seq;
    WRITE(&ann, create_model, "{'name':'past','description':'then'}");
    err *e = store_write_sync(d.c.store, STORE_META, sequence, &seq, NULL);
    assert_null(e);
    WRITE(&ann, update_model, "{'name':'past','description':'now'}");
    char args[100];
    snprintf(args, sizeof(args), "{'name':'past','as_of':%lld}", (long long)seq);
    jval *v = READ(&ann, get_model, args);
    assert_string_equal(text(v, "/registered_model/description"), "then");
    READ_FAILS(&bob, get_model, args, RESOURCE_DOES_NOT_EXIST, "past");
    WRITE(&ann, delete_model, "{'name':'past'}");
    v = READ(&ann, get_model, args);
    assert_string_equal(text(v, "/registered_model/description"), "then");
}

/* ---- sources ---- */

static err *make_run(store_tx *tx, void *arg) {
    struct mlflow_run *run = arg;
    return mlflow_run_insert(tx, (struct store_scope){1, d.workspace}, run);
}
static err *make_experiment(store_tx *tx, void *arg) {
    return ent_experiment_insert(tx, (struct store_scope){1, d.workspace}, arg);
}

static void sources(void **state) {
    (void)state;
    struct ent_experiment x = {.name = STR("secret"), .lifecycle = STR("active"),
                               .owner_id = ann.id};
    err *e = store_write_sync(d.c.store, STORE_META, make_experiment, &x, NULL);
    assert_null(e);
    struct mlflow_run run = {.workspace = d.workspace, .experiment = x.id, .run_id = STR("run1"),
                             .status = RUN_RUNNING};
    e = store_write_sync(d.c.store, STORE_MLFLOW, make_run, &run, NULL);
    if (e) fail_msg("%s", err_msg(e));
    WRITE(&ann, create_model, "{'name':'src'}");
    struct req *r = direct_call2(&d, &ann, api_registry_resolve_source, api_registry_create_version,
                                 "{'name':'src','source':'runs:/run1/model'}");
    if (r->failure) fail_msg("%s", err_msg(r->failure));
    direct_end(r);
    jval *v = READ(&ann, download_uri, "{'name':'src','version':'1'}");
    char want[200];
    snprintf(want, sizeof(want), "mlflow-artifacts:/%lld/run1/artifacts/model", (long long)x.id);
    assert_string_equal(text(v, "/artifact_uri"), want);
    v = READ(&ann, get_version, "{'name':'src','version':'1'}");
    assert_string_equal(text(v, "/model_version/run_id"), "run1");
    /* Who cannot read the experiment cannot register from it, in any spelling. */
    WRITE(&bob, create_model, "{'name':'thief'}");
    char spelled[3][200];
    snprintf(spelled[0], 200, "runs:/run1/model");
    snprintf(spelled[1], 200, "dbfs:/databricks/mlflow-tracking/%lld/run1/artifacts/model",
             (long long)x.id);
    snprintf(spelled[2], 200, "models:/src/1");
    for (int i = 0; i < 3; i++) {
        char args[700];
        snprintf(args, sizeof(args), "{'name':'thief','source':'%s'}", spelled[i]);
        r = direct_call2(&d, &bob, api_registry_resolve_source, api_registry_create_version, args);
        if (err_code_of(r->failure) != ERR_RESOURCE_DOES_NOT_EXIST)
            fail_msg("%s: %s", args, r->failure ? err_msg(r->failure) : "done");
        direct_end(r);
    }
    /* By way of the Default experiment's number neither. */
    r = direct_call2(&d, &bob, api_registry_resolve_source, api_registry_create_version,
                     "{'name':'thief','source':'mlflow-artifacts:/0/run1/artifacts/model'}");
    assert_int_equal(err_code_of(r->failure), ERR_RESOURCE_DOES_NOT_EXIST);
    direct_end(r);
    r = direct_call2(&d, &ann, api_registry_resolve_source, api_registry_create_version,
                     "{'name':'src','source':'models:/src/1'}");
    if (r->failure) fail_msg("%s", err_msg(r->failure));
    direct_end(r);
    v = READ(&ann, download_uri, "{'name':'src','version':'2'}");
    assert_string_equal(text(v, "/artifact_uri"), want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models),         cmocka_unit_test(versions),
        cmocka_unit_test(aliases),        cmocka_unit_test(stages),
        cmocka_unit_test(search_models),  cmocka_unit_test(search_filters),
        cmocka_unit_test(search_pages),   cmocka_unit_test(search_versions),
        cmocka_unit_test(rights),         cmocka_unit_test(as_of),
        cmocka_unit_test(sources),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
