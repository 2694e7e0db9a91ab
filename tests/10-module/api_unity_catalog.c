/* SPDX-License-Identifier: Apache-2.0 */
/* Catalogs, schemas, registered models and grants through their handlers, on a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/gen_routes.h"
#include "api/unity_catalog/answers.h"
#include "files/tree.h"
#include "harness/direct.h"

static struct direct d;
static struct direct_user ann, bob, root;

#define READ(u, fn, args) direct_ok(&d, u, DIRECT_READ, api_unity_catalog_##fn, args)
#define WRITE(u, fn, args) direct_ok(&d, u, DIRECT_WRITE, api_unity_catalog_##fn, args)
#define READ_FAILS(u, fn, args, code, part)                                                        \
    direct_fails(&d, u, DIRECT_READ, api_unity_catalog_##fn, args, ERR_##code, part)
#define WRITE_FAILS(u, fn, args, code, part)                                                       \
    direct_fails(&d, u, DIRECT_WRITE, api_unity_catalog_##fn, args, ERR_##code, part)

static err *bootstrap(store_tx *tx, void *arg) {
    return catalog_bootstrap(tx, (struct store_scope){1, 0}, *(int64_t *)arg);
}

static int setup(void **state) {
    (void)state;
    direct_open(&d);
    root = direct_user(&d, "root@example.com", true);
    ann = direct_user(&d, "ann@example.com", false);
    bob = direct_user(&d, "bob@example.com", false);
    for (int i = 0; i < 2; i++) { /* a second start changes nothing */
        err *e = store_write_sync(d.c.store, STORE_META, bootstrap, &d.admin, NULL);
        if (e) fail_msg("%s", err_msg(e));
    }
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

static void grant(const char *type, const char *name, const char *who, const char *add,
                  const char *remove) {
    char args[512];
    snprintf(args, sizeof(args),
             "{'securable_type':'%s','full_name':'%s','changes':[{'principal':'%s','add':[%s],"
             "'remove':[%s]}]}",
             type, name, who, add, remove);
    WRITE(&root, update_grants, args);
}

static void fresh(void **state) {
    (void)state;
    jval *v = READ(&bob, list_catalogs, "{}");
    assert_int_equal(count(v, "/catalogs"), 2); /* main, samples */
    assert_string_equal(text(v, "/catalogs/0/name"), "main");
    assert_string_equal(text(v, "/catalogs/0/owner"), "admin");
    v = READ(&bob, list_schemas, "{'catalog_name':'MAIN'}");
    assert_int_equal(count(v, "/schemas"), 1);
    assert_string_equal(text(v, "/schemas/0/full_name"), "main.default");
    v = READ(&bob, metastore_summary, "{}");
    char args[200];
    snprintf(args, sizeof(args), "{'id':'%s'}", text(v, "/metastore_id"));
    READ(&bob, get_metastore, args);
    v = READ(&bob, current_assignment, "{}");
    assert_string_equal(text(v, "/default_catalog_name"), "main");
    READ_FAILS(&bob, get_metastore, "{'id':'x'}", RESOURCE_DOES_NOT_EXIST, "x");
    v = READ(&root, effective_grants, "{'securable_type':'schema','full_name':'main.default'}");
    assert_string_equal(text(v, "/privilege_assignments/0/principal"), "account users");
}

static void catalogs(void **state) {
    (void)state;
    WRITE_FAILS(&ann, create_catalog, "{'name':'c'}", PERMISSION_DENIED, "CREATE_CATALOG");
    jval *v = WRITE(&root, create_catalog, "{'name':'Sales','comment':'x','properties':{'a':'b'}}");
    assert_string_equal(text(v, "/name"), "Sales");
    assert_string_equal(text(v, "/properties/a"), "b");
    WRITE_FAILS(&root, create_catalog, "{'name':'SALES'}", ALREADY_EXISTS, "already exists");
    WRITE_FAILS(&root, create_catalog, "{'name':'a.b'}", INVALID_PARAMETER_VALUE, "period");
    READ_FAILS(&ann, get_catalog, "{'name':'sales'}", RESOURCE_DOES_NOT_EXIST,
               "Catalog 'sales' does not exist.");
    READ_FAILS(&ann, get_catalog, "{'name':'nowhere'}", RESOURCE_DOES_NOT_EXIST,
               "Catalog 'nowhere' does not exist.");
    READ_FAILS(&ann, list_schemas, "{'catalog_name':'sales'}", RESOURCE_DOES_NOT_EXIST, "sales");
    grant("catalog", "sales", "ann@example.com", "'USE CATALOG'", "");
    v = READ(&ann, get_catalog, "{'name':'SALES'}");
    assert_string_equal(text(v, "/full_name"), "Sales");
    WRITE_FAILS(&ann, create_schema, "{'name':'s','catalog_name':'sales'}", PERMISSION_DENIED,
                "CREATE_SCHEMA");
    WRITE_FAILS(&ann, update_catalog, "{'name':'sales','comment':'y'}", PERMISSION_DENIED, "MANAGE");
    grant("catalog", "sales", "ann@example.com", "'CREATE_SCHEMA'", "");
    WRITE(&ann, create_schema, "{'name':'Raw','catalog_name':'sales'}");
    WRITE_FAILS(&root, delete_catalog, "{'name':'sales'}", INVALID_STATE, "not empty");
    v = READ(&ann, list_schemas, "{'catalog_name':'sales'}");
    assert_int_equal(count(v, "/schemas"), 1); /* her own, not "default" */
    assert_string_equal(text(v, "/schemas/0/name"), "Raw");
    WRITE(&root, update_catalog, "{'name':'sales','new_name':'sold','owner':'ann@example.com'}");
    v = READ(&ann, get_schema, "{'full_name':'sold.raw'}");
    assert_string_equal(text(v, "/catalog_name"), "sold");
    WRITE(&ann, update_schema, "{'full_name':'sold.raw','comment':'z'}");
    WRITE(&ann, delete_catalog, "{'name':'sold','force':true}");
    READ_FAILS(&root, get_catalog, "{'name':'sold'}", RESOURCE_DOES_NOT_EXIST, "sold");
    WRITE(&root, create_catalog, "{'name':'sold'}");
    READ_FAILS(&ann, get_catalog, "{'name':'sold'}", RESOURCE_DOES_NOT_EXIST, "sold");
}

static void models(void **state) {
    (void)state;
    jval *v = WRITE(&ann, create_model,
                    "{'name':'Iris','catalog_name':'main','schema_name':'default','comment':'c'}");
    assert_string_equal(text(v, "/full_name"), "main.default.Iris");
    assert_string_equal(text(v, "/owner"), "ann@example.com");
    WRITE_FAILS(&bob, mlflow_create_model, "{'name':'main.default.iris'}", RESOURCE_ALREADY_EXISTS,
                "already exists");
    WRITE_FAILS(&bob, mlflow_create_model, "{'name':'iris'}", INVALID_PARAMETER_VALUE,
                "<catalog>.<schema>.<name>");
    WRITE_FAILS(&bob, mlflow_create_model, "{'name':'main.none.iris'}", RESOURCE_DOES_NOT_EXIST,
                "Schema 'main.none' does not exist.");
    READ_FAILS(&bob, get_model, "{'full_name':'main.default.iris'}", RESOURCE_DOES_NOT_EXIST,
               "Registered model 'main.default.iris' does not exist.");
    v = READ(&bob, list_models, "{'catalog_name':'main','schema_name':'default'}");
    assert_int_equal(count(v, "/registered_models"), 0);
    grant("registered_model", "main.default.iris", "bob@example.com", "'EXECUTE'", "");
    v = READ(&bob, mlflow_get_model, "{'name':'main.default.iris'}");
    assert_string_equal(text(v, "/registered_model/name"), "main.default.Iris");
    assert_string_equal(text(v, "/registered_model/description"), "c");
    v = READ(&bob, mlflow_search_models, "{}");
    assert_int_equal(count(v, "/registered_models"), 1);
    WRITE_FAILS(&bob, mlflow_create_version, "{'name':'main.default.iris','source':'models:/m-1'}",
                PERMISSION_DENIED, "CREATE_MODEL_VERSION on Registered model 'main.default.Iris'");
    WRITE_FAILS(&bob, mlflow_set_model_tag, "{'name':'main.default.iris','key':'k','value':'v'}",
                PERMISSION_DENIED, "APPLY_TAG");
    WRITE_FAILS(&bob, delete_model, "{'full_name':'main.default.iris'}", PERMISSION_DENIED, "MANAGE");
    /* Without USE on the schema the grant on the model is of no use, and the reason says so. */
    grant("schema", "main.default", "account users", "", "'USE_SCHEMA'");
    READ_FAILS(&bob, get_model, "{'full_name':'main.default.iris'}", PERMISSION_DENIED,
               "USE_SCHEMA on Schema 'main.default'");
    grant("schema", "main.default", "account users", "'USE_SCHEMA'", "");
    WRITE(&ann, mlflow_set_model_tag, "{'name':'main.default.iris','key':'k','value':'v'}");
    WRITE(&ann, update_model, "{'full_name':'main.default.iris','new_name':'iris2'}");
    v = READ(&bob, mlflow_get_model, "{'name':'main.default.iris2'}");
    assert_string_equal(text(v, "/registered_model/tags/0/value"), "v");
    WRITE(&ann, mlflow_update_model,
          "{'name':'main.default.iris2','new_name':'main.default.iris','description':'e'}");
    WRITE_FAILS(&ann, mlflow_update_model,
                "{'name':'main.default.iris','new_name':'main.other.iris'}", INVALID_PARAMETER_VALUE,
                "cannot move");
    grant("registered_model", "main.default.iris", "bob@example.com", "", "'EXECUTE'");
    READ_FAILS(&bob, get_model, "{'full_name':'main.default.iris'}", RESOURCE_DOES_NOT_EXIST, "iris");
    WRITE(&ann, mlflow_delete_model, "{'name':'main.default.iris'}");
    READ_FAILS(&ann, get_model, "{'full_name':'main.default.iris'}", RESOURCE_DOES_NOT_EXIST, "iris");
}

struct access {
    struct direct_user *u;
    const char *path;
    bool write;
    char kept[256];
};

/* Who may read or write a file below /Models, as the Files API asks. */
static err *file_access(store_tx *tx, struct access *x) {
    arena *a = arena_new();
    struct policy_subject who = {.id = x->u->id, .groups = x->u->groups, .n_groups = 1,
                                 .active = true};
    struct caller c = {.tx = tx, .today = tx, .scope = {1, d.workspace}, .a = a, .who = &who,
                       .name = str_of(x->u->name)};
    str kept;
    err *e = models_file_access(&c, str_of(x->path), x->write, &kept);
    if (!e) snprintf(x->kept, sizeof(x->kept), "%.*s", STR_ARG(kept));
    arena_free(a);
    return e;
}

static void access_is(struct direct_user *u, const char *path, bool write, err_code code) {
    struct access x = {.u = u, .path = path, .write = write};
    store_tx *tx;
    err *e = store_read_begin(d.c.store, STORE_META, 0, &tx);
    assert_null(e);
    e = file_access(tx, &x);
    store_read_end(tx);
    if (err_code_of(e) != code)
        fail_msg("%s %s %s: %s", u->name, write ? "writes" : "reads", path, e ? err_msg(e) : "may");
    if (!e) {
        assert_memory_equal(x.kept, "/Models/.id/", 12);
        assert_null(strstr(x.kept, "main"));
        /* Asked by the path where it is kept, the answer is the same. */
        char again[300];
        snprintf(again, sizeof(again), "%s", x.kept + 8);
        if (strncmp(path, ".id", 3)) access_is(u, again, write, code);
    }
    err_free(e);
}

static err *put_file(store_tx *tx, void *arg) {
    arena *a = arena_new();
    struct tree_file f = {.path = str_of(arg), .storage_key = STR("k"), .etag = STR("e"),
                          .sha256 = STR(""), .content_type = STR("text/plain"), .size = 1};
    str old;
    err *e = tree_put(tx, (struct store_scope){1, 0}, a, &f, true, &old);
    arena_free(a);
    return e;
}

static void versions(void **state) {
    (void)state;
    WRITE(&ann, mlflow_create_model, "{'name':'main.default.ver'}");
    jval *v = WRITE(&ann, mlflow_create_version,
                    "{'name':'main.default.ver','source':'models:/m-1','run_id':'r','model_id':'m-1',"
                    "'tags':[{'key':'a','value':'b'}]}");
    assert_string_equal(text(v, "/model_version/status"), "PENDING_REGISTRATION");
    assert_string_equal(text(v, "/model_version/version"), "1");
    const char *path = "main/default/ver/1/MLmodel";
    access_is(&ann, path, true, ERR_OK);
    access_is(&ann, path, false, ERR_OK);
    access_is(&bob, path, true, ERR_RESOURCE_DOES_NOT_EXIST);
    access_is(&bob, path, false, ERR_RESOURCE_DOES_NOT_EXIST);
    access_is(&ann, "main/default/ver/9/MLmodel", false, ERR_RESOURCE_DOES_NOT_EXIST);
    access_is(&ann, "main/default", false, ERR_INVALID_PARAMETER_VALUE);
    access_is(&ann, "main/default/ver", false, ERR_OK);
    access_is(&ann, "main/default/ver", true, ERR_PERMISSION_DENIED);
    access_is(&ann, "main/default/ver/x", false, ERR_RESOURCE_DOES_NOT_EXIST);
    access_is(&bob, ".id/1/1/MLmodel", false, ERR_RESOURCE_DOES_NOT_EXIST);
    grant("function", "main.default.ver", "bob@example.com", "'EXECUTE'", "");
    access_is(&bob, path, false, ERR_OK);
    access_is(&bob, path, true, ERR_PERMISSION_DENIED);
    v = WRITE(&ann, mlflow_finalize_version, "{'name':'main.default.ver','version':'1'}");
    assert_string_equal(text(v, "/model_version/status"), "READY");
    WRITE(&ann, finalize_version, "{'full_name':'main.default.ver','version':'1'}");
    access_is(&ann, path, true, ERR_PERMISSION_DENIED);
    access_is(&ann, path, false, ERR_OK);

    WRITE(&ann, create_version,
          "{'model_name':'ver','catalog_name':'main','schema_name':'default','source':'x'}");
    WRITE(&ann, mlflow_set_alias, "{'name':'main.default.ver','alias':'Champion','version':'2'}");
    v = READ(&bob, mlflow_get_alias, "{'name':'main.default.ver','alias':'champion'}");
    assert_string_equal(text(v, "/model_version/version"), "2");
    assert_string_equal(text(v, "/model_version/aliases/0/alias"), "Champion");
    v = READ(&bob, get_by_alias, "{'full_name':'main.default.ver','alias':'champion'}");
    assert_int_equal(yyjson_get_sint(yyjson_ptr_get(v, "/aliases/0/version_num")), 2);
    READ_FAILS(&bob, mlflow_get_alias, "{'name':'main.default.ver','alias':'none'}",
               RESOURCE_DOES_NOT_EXIST, "none");
    WRITE_FAILS(&ann, set_alias, "{'full_name':'main.default.ver','alias':'latest','version_num':1}",
                INVALID_PARAMETER_VALUE, "reserved");
    v = READ(&bob, mlflow_search_versions, "{'filter':'name = \\u0027main.default.ver\\u0027'}");
    assert_int_equal(count(v, "/model_versions"), 2);
    assert_string_equal(text(v, "/model_versions/0/version"), "2");
    v = READ(&bob, list_versions, "{'full_name':'main.default.ver','max_results':1}");
    assert_int_equal(count(v, "/model_versions"), 1);
    char args[512];
    snprintf(args, sizeof(args), "{'full_name':'main.default.ver','max_results':1,'page_token':'%s'}",
             text(v, "/next_page_token"));
    v = READ(&bob, list_versions, args);
    assert_int_equal(yyjson_get_sint(yyjson_ptr_get(v, "/model_versions/0/version")), 1);
    assert_string_equal(text(v, "/next_page_token"), "(none)");
    WRITE(&ann, subentity_tags,
          "{'securable_type':'FUNCTION','full_name':'main.default.ver','subentity':'1','changes':"
          "{'add_tags':[{'key':'x','value':'y'}],'remove':['a']}}");
    v = READ(&bob, mlflow_get_version, "{'name':'main.default.ver','version':'1'}");
    assert_int_equal(count(v, "/model_version/tags"), 1);
    assert_string_equal(text(v, "/model_version/tags/0/key"), "x");
    READ_FAILS(&bob, mlflow_get_version, "{'name':'main.default.ver','version':'7'}",
               RESOURCE_DOES_NOT_EXIST, "version=7");
    v = READ(&bob, mlflow_temporary_credentials, "{'name':'main.default.ver','version':'1',"
             "'operation':'MODEL_VERSION_OPERATION_READ'}");
    assert_string_equal(text(v, "/credentials/storage_mode"), "DEFAULT_STORAGE");
    READ_FAILS(&bob, mlflow_temporary_credentials, "{'name':'main.default.ver','version':'1',"
               "'operation':'MODEL_VERSION_OPERATION_READ_WRITE'}", PERMISSION_DENIED,
               "CREATE_MODEL_VERSION");
}

/* Deleting takes aliases and files along; a new model of the old name sees none of them. */
static void deleting(void **state) {
    (void)state;
    WRITE(&ann, mlflow_create_model, "{'name':'main.default.del'}");
    WRITE(&ann, mlflow_create_version, "{'name':'main.default.del','source':'x'}");
    WRITE(&ann, mlflow_create_version, "{'name':'main.default.del','source':'x'}");
    WRITE(&ann, mlflow_set_alias, "{'name':'main.default.del','alias':'a','version':'1'}");
    struct access x = {.u = &ann, .path = "main/default/del/1/MLmodel", .write = true};
    store_tx *tx;
    err *e = store_read_begin(d.c.store, STORE_META, 0, &tx);
    assert_null(e);
    e = file_access(tx, &x);
    assert_null(e);
    store_read_end(tx);
    char path[300];
    snprintf(path, sizeof(path), "%s", x.kept);
    e = store_write_sync(d.c.store, STORE_META, put_file, path, NULL);
    if (e) fail_msg("%s", err_msg(e));
    WRITE(&ann, mlflow_delete_version, "{'name':'main.default.del','version':'1'}");
    arena *a = arena_new();
    struct ent_file_object file;
    bool found;
    e = store_read_begin(d.c.store, STORE_META, 0, &tx);
    assert_null(e);
    e = tree_find(tx, (struct store_scope){1, 0}, a, str_of(path), &file, &found);
    assert_null(e);
    assert_false(found);
    store_read_end(tx);
    arena_free(a);
    READ_FAILS(&ann, mlflow_get_alias, "{'name':'main.default.del','alias':'a'}",
               RESOURCE_DOES_NOT_EXIST, "Alias 'a'");
    jval *v = WRITE(&ann, mlflow_create_version, "{'name':'main.default.del','source':'x'}");
    assert_string_equal(text(v, "/model_version/version"), "3");
    WRITE(&ann, mlflow_delete_model, "{'name':'main.default.del'}");
    WRITE(&ann, mlflow_create_model, "{'name':'main.default.del'}");
    READ_FAILS(&ann, mlflow_get_version, "{'name':'main.default.del','version':'2'}",
               RESOURCE_DOES_NOT_EXIST, "version=2");
}

static void grants(void **state) {
    (void)state;
    WRITE(&ann, mlflow_create_model, "{'name':'main.default.g'}");
    WRITE_FAILS(&bob, update_grants,
                "{'securable_type':'function','full_name':'main.default.g','changes':[]}",
                RESOURCE_DOES_NOT_EXIST, "main.default.g");
    WRITE_FAILS(&bob, update_grants,
                "{'securable_type':'schema','full_name':'main.default','changes':[]}",
                PERMISSION_DENIED, "MANAGE");
    WRITE_FAILS(&ann, update_grants,
                "{'securable_type':'function','full_name':'main.default.g','changes':"
                "[{'principal':'bob@example.com','add':['USE_CATALOG']}]}",
                INVALID_PARAMETER_VALUE, "not applicable");
    WRITE_FAILS(&ann, update_grants,
                "{'securable_type':'function','full_name':'main.default.g','changes':"
                "[{'principal':'bob@example.com','add':['FLY']}]}",
                INVALID_PARAMETER_VALUE, "'FLY' is not a privilege");
    WRITE_FAILS(&ann, update_grants,
                "{'securable_type':'function','full_name':'main.default.g','changes':"
                "[{'principal':'eve@example.com','add':['EXECUTE']}]}",
                RESOURCE_DOES_NOT_EXIST, "eve@example.com");
    jval *v = WRITE(&ann, update_grants,
                    "{'securable_type':'function','full_name':'main.default.g','changes':"
                    "[{'principal':'bob@example.com','add':['EXECUTE','APPLY TAG']}]}");
    assert_string_equal(text(v, "/privilege_assignments/0/principal"), "bob@example.com");
    assert_int_equal(count(v, "/privilege_assignments/0/privileges"), 2);
    READ_FAILS(&bob, get_grants, "{'securable_type':'function','full_name':'main.default.g'}",
               PERMISSION_DENIED, "MANAGE");
    v = READ(&bob, effective_grants, "{'securable_type':'function','full_name':'main.default.g',"
             "'principal':'bob@example.com'}");
    assert_int_equal(count(v, "/privilege_assignments"), 1);
    /* Granted above counts below, and says where it comes from. */
    grant("catalog", "main", "bob@example.com", "'ALL_PRIVILEGES'", "");
    WRITE(&bob, mlflow_create_version, "{'name':'main.default.g','source':'x'}");
    WRITE_FAILS(&bob, delete_model, "{'full_name':'main.default.g'}", PERMISSION_DENIED, "MANAGE");
    v = READ(&ann, effective_grants, "{'securable_type':'function','full_name':'main.default.g'}");
    bool inherited = false;
    size_t i, n, k, m;
    jval *e, *x;
    yyjson_arr_foreach(yyjson_ptr_get(v, "/privilege_assignments"), i, n, e) {
        yyjson_arr_foreach(yyjson_ptr_get(e, "/privileges"), k, m, x)
            inherited |= !strcmp(text(x, "/privilege"), "ALL_PRIVILEGES") &&
                         !strcmp(text(x, "/inherited_from_name"), "main") &&
                         !strcmp(text(x, "/inherited_from_type"), "CATALOG");
    }
    assert_true(inherited);
    grant("catalog", "main", "bob@example.com", "", "'ALL_PRIVILEGES'");
    WRITE_FAILS(&bob, mlflow_create_version, "{'name':'main.default.g','source':'x'}",
                PERMISSION_DENIED, "CREATE_MODEL_VERSION");
    /* BROWSE shows metadata, no more, without USE. */
    WRITE(&root, create_catalog, "{'name':'shown'}");
    grant("catalog", "shown", "bob@example.com", "'BROWSE'", "");
    v = READ(&bob, get_schema, "{'full_name':'shown.default'}");
    assert_true(yyjson_get_bool(yyjson_ptr_get(v, "/browse_only")));
    WRITE_FAILS(&bob, create_model, "{'name':'x','catalog_name':'shown','schema_name':'default'}",
                PERMISSION_DENIED, "USE_CATALOG");
}

static void listing(void **state) {
    (void)state;
    char args[512], token[400] = "", last[100] = "";
    size_t seen = 0;
    for (int i = 0; i < 25; i++) {
        snprintf(args, sizeof(args), "{'name':'main.default.list-%02d'}", i);
        WRITE(&ann, mlflow_create_model, args);
        snprintf(args, sizeof(args), "{'name':'main.default.hidden-%02d'}", i);
        WRITE(&bob, mlflow_create_model, args);
    }
    for (int page = 0; page < 20; page++) {
        snprintf(args, sizeof(args),
                 "{'catalog_name':'main','schema_name':'default','max_results':7,'page_token':'%s'}",
                 token);
        jval *v = READ(&ann, list_models, args), *e;
        size_t i, n;
        yyjson_arr_foreach(yyjson_ptr_get(v, "/registered_models"), i, n, e) {
            assert_true(strcmp(text(e, "/name"), last) > 0);
            snprintf(last, sizeof(last), "%s", text(e, "/name"));
            assert_null(strstr(last, "hidden"));
            seen += strncmp(last, "list-", 5) == 0;
        }
        snprintf(token, sizeof(token), "%s", text(v, "/next_page_token"));
        if (!strcmp(token, "(none)")) break;
    }
    assert_int_equal(seen, 25);
    /* All schemas together: pages give the same set as one answer. */
    size_t total = count(READ(&ann, mlflow_search_models, "{'max_results':1000}"),
                         "/registered_models");
    size_t paged = 0;
    token[0] = 0;
    for (int page = 0; page < 100; page++) {
        snprintf(args, sizeof(args), "{'max_results':4,'page_token':'%s'}", token);
        jval *v = READ(&ann, mlflow_search_models, args);
        paged += count(v, "/registered_models");
        snprintf(token, sizeof(token), "%s", text(v, "/next_page_token"));
        if (!strcmp(token, "(none)")) break;
    }
    assert_int_equal(paged, total);
    READ_FAILS(&ann, list_models, "{'schema_name':'default'}", INVALID_PARAMETER_VALUE,
               "without catalog_name");
    READ_FAILS(&ann, list_catalogs, "{'max_results':-1}", INVALID_PARAMETER_VALUE, "max_results");
}

static err *sequence(store_tx *tx, void *arg) {
    *(int64_t *)arg = store_tx_seq(tx);
    return NULL;
}

/* The past is shown with today's rights. */
static void as_of(void **state) {
    (void)state;
    int64_t seq;
    WRITE(&ann, create_model,
          "{'name':'past','catalog_name':'main','schema_name':'default','comment':'then'}");
    grant("function", "main.default.past", "bob@example.com", "'EXECUTE'", "");
    err *e = store_write_sync(d.c.store, STORE_META, sequence, &seq, NULL);
    assert_null(e);
    WRITE(&ann, update_model, "{'full_name':'main.default.past','comment':'now'}");
    char args[200];
    snprintf(args, sizeof(args), "{'full_name':'main.default.past','as_of':%lld}", (long long)seq);
    jval *v = READ(&bob, get_model, args);
    assert_string_equal(text(v, "/comment"), "then");
    grant("function", "main.default.past", "bob@example.com", "", "'EXECUTE'");
    READ_FAILS(&bob, get_model, args, RESOURCE_DOES_NOT_EXIST, "past");
    WRITE(&ann, delete_model, "{'full_name':'main.default.past'}");
    v = READ(&ann, get_model, args);
    assert_string_equal(text(v, "/comment"), "then");
}

/* A model of one's own is out of reach, too, without USE on what is above. */
static void owner_without_use(void **state) {
    (void)state;
    WRITE(&bob, mlflow_create_model, "{'name':'main.default.bobs'}");
    grant("catalog", "main", "account users", "", "'USE_CATALOG'");
    READ_FAILS(&bob, mlflow_get_model, "{'name':'main.default.bobs'}", PERMISSION_DENIED,
               "USE_CATALOG on Catalog 'main'");
    jval *v = READ(&bob, mlflow_search_models, "{}");
    assert_int_equal(count(v, "/registered_models"), 0);
    grant("catalog", "main", "account users", "'USE_CATALOG'", "");
    READ(&bob, mlflow_get_model, "{'name':'main.default.bobs'}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fresh),    cmocka_unit_test(catalogs), cmocka_unit_test(models),
        cmocka_unit_test(versions), cmocka_unit_test(deleting), cmocka_unit_test(grants),
        cmocka_unit_test(listing),  cmocka_unit_test(as_of),    cmocka_unit_test(owner_without_use),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
