/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions on workspace objects through their handlers, on a real store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/gen_routes.h"
#include "catalog/object_acl.h"
#include "harness/direct.h"

static struct direct d;
static struct direct_user ann, bob, root;
static char model[32];

#define GET(u, args) direct_ok(&d, u, DIRECT_READ, api_permissions_get, args)
#define SET(u, fn, args) direct_ok(&d, u, DIRECT_WRITE, api_permissions_##fn, args)
#define FAILS(u, lane, fn, args, code, part)                                                       \
    direct_fails(&d, u, DIRECT_##lane, api_permissions_##fn, args, ERR_##code, part)

static const char *text(jval *v, const char *path) {
    jval *x = yyjson_ptr_get(v, path);
    return yyjson_is_str(x) ? yyjson_get_str(x) : "(none)";
}

static int setup(void **state) {
    (void)state;
    direct_open(&d);
    root = direct_user(&d, "root@example.com", true);
    ann = direct_user(&d, "ann@example.com", false);
    bob = direct_user(&d, "bob@example.com", false);
    direct_ok(&d, &ann, DIRECT_WRITE, api_registry_create_model, "{'name':'m'}");
    jval *v = direct_ok(&d, &ann, DIRECT_READ, api_registry_databricks_get_model, "{'name':'m'}");
    snprintf(model, sizeof(model), "%s", text(v, "/registered_model_databricks/id"));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    direct_close(&d);
    return 0;
}

static char buffer[1024];
static const char *on_model(const char *list) {
    snprintf(buffer, sizeof(buffer),
             "{'type':'registered-models','id':'%s','access_control_list':[%s]}", model, list);
    return buffer;
}

/* Level of a principal in an answer, "" when it is not there. */
static const char *level_of(jval *v, const char *name, bool inherited) {
    static const char *const fields[] = {"/user_name", "/group_name", "/service_principal_name"};
    size_t i, n, k, m;
    jval *e, *p;
    yyjson_arr_foreach(yyjson_ptr_get(v, "/access_control_list"), i, n, e) {
        bool is = false;
        for (int f = 0; f < 3; f++) is |= !strcmp(text(e, fields[f]), name);
        if (!is) continue;
        yyjson_arr_foreach(yyjson_ptr_get(e, "/all_permissions"), k, m, p)
            if (yyjson_get_bool(yyjson_ptr_get(p, "/inherited")) == inherited)
                return text(p, "/permission_level");
    }
    return "";
}

static void owner_and_admins(void **state) {
    (void)state;
    jval *v = GET(&ann, on_model(""));
    assert_string_equal(text(v, "/object_type"), "registered-model");
    assert_string_equal(level_of(v, "ann@example.com", false), "CAN_MANAGE");
    assert_string_equal(level_of(v, "admins", true), "CAN_MANAGE");
    FAILS(&ann, WRITE, set, on_model("{'group_name':'admins','permission_level':'CAN_READ'}"),
          INVALID_PARAMETER_VALUE, "cannot be changed");
    FAILS(&ann, WRITE, set, on_model("{'user_name':'ann@example.com','permission_level':'CAN_READ'}"),
          INVALID_PARAMETER_VALUE, "owner");
    GET(&root, on_model(""));
    FAILS(&bob, READ, get, on_model(""), RESOURCE_DOES_NOT_EXIST, "does not exist");
    FAILS(&bob, WRITE, set, on_model(""), RESOURCE_DOES_NOT_EXIST, "does not exist");
}

static void set_and_update(void **state) {
    (void)state;
    jval *v = SET(&ann, update, on_model("{'user_name':'bob@example.com','permission_level':'CAN_READ'}"));
    assert_string_equal(level_of(v, "bob@example.com", false), "CAN_READ");
    FAILS(&bob, WRITE, update, on_model("{'user_name':'bob@example.com','permission_level':'CAN_MANAGE'}"),
          PERMISSION_DENIED, "CAN_MANAGE");
    v = SET(&ann, update, on_model("{'group_name':'users','permission_level':'CAN_EDIT'}"));
    assert_string_equal(level_of(v, "bob@example.com", false), "CAN_READ");
    assert_string_equal(level_of(v, "users", false), "CAN_EDIT");
    v = SET(&ann, set, on_model("{'user_name':'bob@example.com','permission_level':'CAN_EDIT'}"));
    assert_string_equal(level_of(v, "users", false), "");
    assert_string_equal(level_of(v, "bob@example.com", false), "CAN_EDIT");
    v = GET(&bob, on_model(""));
    assert_string_equal(level_of(v, "ann@example.com", false), "CAN_MANAGE");
    SET(&ann, set, on_model(""));
    FAILS(&bob, READ, get, on_model(""), RESOURCE_DOES_NOT_EXIST, "does not exist");
}

static void refused(void **state) {
    (void)state;
    FAILS(&ann, WRITE, set, on_model("{'user_name':'bob@example.com','permission_level':'CAN_FLY'}"),
          INVALID_PARAMETER_VALUE, "CAN_READ, CAN_EDIT");
    FAILS(&ann, WRITE, set, on_model("{'user_name':'eve@example.com','permission_level':'CAN_READ'}"),
          RESOURCE_DOES_NOT_EXIST, "eve@example.com");
    FAILS(&ann, WRITE, set, on_model("{'permission_level':'CAN_READ'}"), INVALID_PARAMETER_VALUE,
          "must name one of");
    FAILS(&ann, READ, get, "{'type':'spaceships','id':'1'}", RESOURCE_DOES_NOT_EXIST, "spaceships");
    FAILS(&ann, READ, get, "{'type':'registered-models','id':'12345'}", RESOURCE_DOES_NOT_EXIST, "12345");
    FAILS(&ann, READ, get, "{'type':'experiments','id':'x'}", RESOURCE_DOES_NOT_EXIST, "/experiments/x");
    /* What was refused has changed nothing. */
    jval *v = GET(&ann, on_model(""));
    assert_string_equal(level_of(v, "bob@example.com", false), "");
}

static void inherited(void **state) {
    (void)state;
    FAILS(&ann, WRITE, set, "{'type':'registered-models','id':'root','access_control_list':[]}",
          RESOURCE_DOES_NOT_EXIST, "root");
    SET(&root, set, "{'type':'registered-models','id':'root','access_control_list':"
        "[{'user_name':'bob@example.com','permission_level':'CAN_EDIT'}]}");
    jval *v = GET(&ann, on_model(""));
    assert_string_equal(level_of(v, "bob@example.com", true), "CAN_EDIT");
    direct_ok(&d, &bob, DIRECT_WRITE, api_registry_update_model, "{'name':'m','description':'x'}");
    v = direct_ok(&d, &bob, DIRECT_READ, api_registry_search_models, "{}");
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(v, "/registered_models")), 1);
    SET(&root, set, "{'type':'registered-models','id':'root','access_control_list':[]}");
    v = direct_ok(&d, &bob, DIRECT_READ, api_registry_search_models, "{}");
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(v, "/registered_models")), 0);
}

static void levels(void **state) {
    (void)state;
    char args[200];
    snprintf(args, sizeof(args), "{'type':'registered-models','id':'%s'}", model);
    jval *v = direct_ok(&d, &ann, DIRECT_READ, api_permissions_levels, args);
    assert_int_equal(yyjson_arr_size(yyjson_ptr_get(v, "/permission_levels")),
                     perm_rows[PERM_REGISTERED_MODELS].n_levels);
    FAILS(&bob, READ, levels, args, RESOURCE_DOES_NOT_EXIST, "does not exist");
    v = GET(&root, "{'type':'authorization','id':'tokens'}");
    assert_string_equal(text(v, "/object_id"), "/authorization/tokens");
    v = GET(&bob, "{'type':'experiments','id':'0'}");
    assert_string_equal(level_of(v, "users", true), "CAN_EDIT");
    FAILS(&bob, WRITE, set, "{'type':'experiments','id':'0','access_control_list':[]}",
          PERMISSION_DENIED, "CAN_MANAGE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(owner_and_admins), cmocka_unit_test(set_and_update),
        cmocka_unit_test(refused),          cmocka_unit_test(inherited),
        cmocka_unit_test(levels),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
