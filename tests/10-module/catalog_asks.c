/* SPDX-License-Identifier: Apache-2.0 */
/* What engines ask of the catalog: names, functions, commands, information_schema, each with its refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/gen_routes.h"
#include "api/unity_catalog/asks.h"
#include "catalog/catalogs.h"
#include "catalog/locations.h"
#include "engine/link.h"
#include "harness/direct.h"

static struct direct d;
static struct direct_user ann, bob, root; /* root owns main */

static err *t_resolve(struct req *r) { return uc_ask(r, ask_resolve); }
static err *t_function(struct req *r) { return uc_ask(r, ask_function); }
static err *t_rows(struct req *r) { return uc_ask(r, ask_rows); }
static err *t_stage(struct req *r) { return uc_ask(r, ask_stage_table); }
static err *t_done(struct req *r) { return uc_ask(r, ask_commit_done); }
static err *t_command(struct req *r) {
    const struct ask_command *c = ask_command_find(arg_str(r, "command"));
    if (!c) fail_msg("no command %.*s", STR_ARG(arg_str(r, "command")));
    return uc_ask(r, c->fn);
}

#define RESOLVE(u, args) direct_ok(&d, u, DIRECT_READ, t_resolve, args)
#define DO(u, args) direct_ok(&d, u, DIRECT_WRITE, t_command, args)
#define DO_FAILS(u, args, part) direct_fails(&d, u, DIRECT_WRITE, t_command, args, ERR_SQL_ERROR, part)

static err *bootstrap(store_tx *tx, void *arg) { return catalog_bootstrap(tx, (struct store_scope){1, 0}, *(int64_t *)arg); }

static int setup(void **state) {
    (void)state;
    direct_open(&d);
    root = (struct direct_user){.id = d.admin, .name = "admin", .admin = true};
    ann = direct_user(&d, "ann@example.com", false);
    bob = direct_user(&d, "bob@example.com", false);
    err *e = store_write_sync(d.c.store, STORE_META, bootstrap, &d.admin, NULL);
    if (e) fail_msg("%s", err_msg(e));
    /* As a definer ann is known by her rows alone: her groups are not in this store. */
    DO(&root, "{'command':'grant','privileges':['USE CATALOG'],'key':'catalog','name':['main'],'principal':'ann@example.com'}");
    DO(&root, "{'command':'grant','privileges':['USE SCHEMA'],'key':'schema','name':['main','default'],'principal':'ann@example.com'}");
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

/* A table as an engine makes it: staged, then committed. */
static void make_table(struct direct_user *u, const char *name, const char *columns) {
    char args[2000];
    snprintf(args, sizeof(args), "{'parts':['main','default','%s']}", name);
    jval *v = direct_ok(&d, u, DIRECT_READ, t_stage, args);
    assert_false(yyjson_get_bool(yyjson_ptr_get(v, "/exists")));
    assert_int_equal(strlen(text(v, "/uuid")), 36);
    snprintf(args, sizeof(args),
             "{'create':{'catalog':'main','schema':'default','name':'%s','uuid':'%s','managed':true},'columns':%s,"
             "'properties':{'delta.minReaderVersion':'1'}}",
             name, text(v, "/uuid"), columns);
    direct_ok(&d, u, DIRECT_WRITE, t_done, args);
}

#define TWO "[{'name':'id','type_json':'long','type_text':'bigint','nullable':false},{'name':'s','type_json':'string','type_text':'string'}]"

static void tables(void **state) {
    (void)state;
    make_table(&ann, "T", TWO);
    direct_fails(&d, &bob, DIRECT_READ, t_stage, "{'parts':['main','default','t']}", ERR_SQL_ERROR, "TABLE_OR_VIEW_ALREADY_EXISTS");
    direct_fails(&d, &bob, DIRECT_READ, t_stage, "{'parts':['main','default','t'],'replace':true}", ERR_SQL_ERROR, "MANAGE on Table 'main.default.T'");
    jval *v = RESOLVE(&ann, "{'names':[{'parts':['t'],'for':'select'},{'parts':['nowhere'],'for':'select'}]}");
    assert_string_equal(text(v, "/relations/0/kind"), "table");
    assert_string_equal(text(v, "/relations/0/name"), "T");
    assert_string_equal(text(v, "/relations/0/columns/0/type_json"), "long");
    assert_true(yyjson_is_null(yyjson_ptr_get(v, "/relations/1")));
    const char *ask = "{'names':[{'parts':['main','default','t'],'for':'select'}]}";
    direct_fails(&d, &bob, DIRECT_READ, t_resolve, ask, ERR_SQL_ERROR, "you do not have SELECT on Table 'main.default.T'");
    DO_FAILS(&bob, "{'command':'grant','privileges':['SELECT'],'key':'table','name':['t'],'principal':'bob@example.com'}", "MANAGE");
    DO(&ann, "{'command':'grant','privileges':['SELECT'],'key':'table','name':['t'],'principal':'bob@example.com'}");
    RESOLVE(&bob, ask);
    direct_fails(&d, &bob, DIRECT_READ, t_resolve, "{'names':[{'parts':['t'],'for':'modify'}]}", ERR_SQL_ERROR, "MODIFY on Table");
    v = DO(&ann, "{'command':'show_grants','key':'table','name':['t']}");
    assert_string_equal(text(v, "/rows/0/0"), "bob@example.com");
    assert_string_equal(text(v, "/rows/0/1"), "SELECT");
    /* A commit is decided again: bob may not change columns. */
    DO(&ann, "{'command':'revoke','privileges':['ALL PRIVILEGES'],'key':'table','name':['t'],'principal':'bob@example.com'}");
    direct_fails(&d, &bob, DIRECT_READ, t_resolve, ask, ERR_SQL_ERROR, "SELECT on Table");
    /* Who cannot reach the schema learns nothing of what is in it. */
    DO(&root, "{'command':'create_schema','name':['main','hidden']}");
    direct_fails(&d, &bob, DIRECT_READ, t_resolve, "{'names':[{'parts':['main','hidden','x'],'for':'select'}]}", ERR_SQL_ERROR, "USE SCHEMA on Schema 'main.hidden'");
    v = RESOLVE(&bob, "{'names':[{'parts':['other','hidden','x'],'for':'select'}]}");
    assert_true(yyjson_is_null(yyjson_ptr_get(v, "/relations/0")));
}

static void views(void **state) {
    (void)state;
    const char *make = "{'command':'create_view','name':['v'],'text':'SELECT id FROM t','result':[{'name':'id','type':'bigint','type_json':'long','nullable':false}]}";
    DO(&ann, make);
    DO_FAILS(&ann, make, "TABLE_OR_VIEW_ALREADY_EXISTS");
    DO(&ann, "{'command':'grant','privileges':['SELECT'],'key':'table','name':['v'],'principal':'bob@example.com'}");
    jval *v = RESOLVE(&bob, "{'names':[{'parts':['v'],'for':'select'}]}");
    assert_string_equal(text(v, "/relations/0/kind"), "view");
    assert_string_equal(text(v, "/relations/0/view/text"), "SELECT id FROM t");
    /* Under the view's catalog, bob's names are ann's to decide. */
    struct req *r = direct_call(&d, &bob, 0, DIRECT_READ, t_resolve, "{'names':[{'parts':['t'],'for':'select'}]}");
    assert_non_null(r->failure);
    direct_end(r);
    char args[600], marked[300];
    snprintf(marked, sizeof(marked), "\\u0001%s", strchr(text(v, "/relations/0/view/catalog"), 1) + 1);
    snprintf(args, sizeof(args), "{'catalog':'main%s','schema':'default','names':[{'parts':['t'],'for':'select'}]}", marked);
    v = RESOLVE(&bob, args);
    assert_string_equal(text(v, "/relations/0/name"), "T");
    direct_fails(&d, &root, DIRECT_READ, t_resolve, args, ERR_PERMISSION_DENIED, "not of this statement");
    marked[strlen(marked) - 1] ^= 1;
    snprintf(args, sizeof(args), "{'catalog':'main%s','schema':'default','names':[{'parts':['t'],'for':'select'}]}", marked);
    direct_fails(&d, &bob, DIRECT_READ, t_resolve, args, ERR_PERMISSION_DENIED, "mark");
    DO_FAILS(&bob, "{'command':'drop_view','name':['v']}", "MANAGE on View 'main.default.v'");
    DO_FAILS(&ann, "{'command':'drop_table','name':['v']}", "WRONG_COMMAND_FOR_OBJECT_TYPE");
}

static void functions(void **state) {
    (void)state;
    DO(&ann, "{'command':'create_function','name':['mine'],'text':'x > 1','params':[{'name':'x','type':'bigint','type_json':'long'}],"
             "'returns':{'type':'boolean','type_json':'boolean'}}");
    jval *v = direct_ok(&d, &ann, DIRECT_READ, t_function, "{'parts':['mine']}");
    assert_string_equal(text(v, "/function/body"), "x > 1");
    assert_string_equal(text(v, "/function/params/0/type"), "bigint");
    assert_string_equal(text(v, "/function/returns"), "boolean");
    direct_fails(&d, &bob, DIRECT_READ, t_function, "{'parts':['mine']}", ERR_SQL_ERROR, "EXECUTE on Function 'main.default.mine'");
    v = direct_ok(&d, &ann, DIRECT_READ, t_function, "{'parts':['none']}");
    assert_true(yyjson_is_null(yyjson_ptr_get(v, "/function")));
    /* A row filter and a mask: their calls are in the answer; who reads the table needs no EXECUTE for them. */
    DO_FAILS(&bob, "{'command':'alter_table_set_row_filter','name':['t'],'filter':{'sql':'mine ON (id)'}}", "on Table");
    DO(&ann, "{'command':'alter_table_set_row_filter','name':['t'],'filter':{'sql':'main.default.mine ON (id)'}}");
    DO(&ann, "{'command':'alter_table_alter_column','name':['t'],'children':[{'command':'set_mask','name':['s'],'mask':{'sql':'mine USING COLUMNS (id)'}}]}");
    DO(&ann, "{'command':'grant','privileges':['SELECT'],'key':'table','name':['t'],'principal':'bob@example.com'}");
    v = RESOLVE(&bob, "{'names':[{'parts':['t'],'for':'select'}]}");
    const char *call = text(v, "/relations/0/row_filter"), *mask = text(v, "/relations/0/columns/1/mask");
    assert_non_null(strstr(call, "`default`.`mine`(`id`)"));
    assert_non_null(strstr(mask, "`mine`(`s`, `id`)"));
    char args[400], *end = strchr(call + 1, '`');
    snprintf(args, sizeof(args), "{'parts':['main\\u0001%.*s','default','mine']}", (int)(end - strchr(call, 1) - 1), strchr(call, 1) + 1);
    v = direct_ok(&d, &bob, DIRECT_READ, t_function, args);
    assert_string_equal(text(v, "/function/body"), "x > 1");
    v = DO(&ann, "{'command':'describe_table','name':['t'],'extended':true,'json':true}");
    assert_non_null(strstr(text(v, "/rows/0/0"), "\"row_filter\":{\"function_name\":{\"catalog_name\":\"main\""));
}

static void shows(void **state) {
    (void)state;
    jval *v = DO(&ann, "{'command':'show_tables','pattern':'t*|v'}");
    assert_string_equal(text(v, "/columns/1/name"), "tableName");
    assert_int_equal(count(v, "/rows"), 2);
    assert_string_equal(text(v, "/rows/0/1"), "T");
    v = DO(&bob, "{'command':'show_views'}");
    assert_int_equal(count(v, "/rows"), 1);
    v = DO(&bob, "{'command':'show_schemas'}"); /* default, information_schema; not hidden */
    assert_int_equal(count(v, "/rows"), 2);
    v = DO(&bob, "{'command':'describe_table','name':['t']}");
    assert_string_equal(text(v, "/rows/0/0"), "id");
    assert_string_equal(text(v, "/rows/0/1"), "bigint");
    v = DO(&ann, "{'command':'show_create_table','name':['t']}");
    assert_non_null(strstr(text(v, "/rows/0/0"), "CREATE TABLE main.default.T (\n  id BIGINT NOT NULL"));
    v = DO(&ann, "{'command':'use','kind':'','catalog':'main','schema':'default','name':['main']}");
    assert_string_equal(text(v, "/catalog"), "main");
    DO_FAILS(&bob, "{'command':'use','kind':'schema','name':['hidden']}", "SCHEMA_NOT_FOUND");
    DO_FAILS(&bob, "{'command':'describe_table','name':['nothing']}", "TABLE_OR_VIEW_NOT_FOUND");
}

static void information(void **state) {
    (void)state;
    jval *v = RESOLVE(&ann, "{'names':[{'parts':['system','information_schema','tables'],'for':'select'}]}");
    assert_string_equal(text(v, "/relations/0/kind"), "rows");
    assert_string_equal(text(v, "/relations/0/rows/0/2"), "t");
    const char *const *names;
    size_t n = ask_information_views(&names);
    /* and those of samples; and information_schema itself, of main, samples and system */
    assert_int_equal(count(v, "/relations/0/rows"), 2 + 9 + 3 * (int)n);
    assert_int_equal(count(v, "/relations/0/columns"), count(v, "/relations/0/rows/0"));
    v = RESOLVE(&bob, "{'names':[{'parts':['main','information_schema','columns'],'for':'select'}]}");
    assert_int_equal(count(v, "/relations/0/columns"), count(v, "/relations/0/rows/0"));
    v = direct_ok(&d, &bob, DIRECT_READ, t_rows, "{'id':'columns:','filters':[{'column':'table_name','values':['v']}]}");
    assert_int_equal(count(v, "/rows"), 1);
    assert_string_equal(text(v, "/rows/0/3"), "id");
    /* As many cells as columns, in every view. */
    for (size_t i = 0; i < n; i++) {
        char args[200];
        snprintf(args, sizeof(args), "{'names':[{'parts':['main','information_schema','%s'],'for':'select'}]}", names[i]);
        v = RESOLVE(&ann, args);
        if (count(v, "/relations/0/rows") && count(v, "/relations/0/columns") != count(v, "/relations/0/rows/0"))
            fail_msg("%s: %zu columns, %zu cells", names[i], count(v, "/relations/0/columns"), count(v, "/relations/0/rows/0"));
    }
    v = direct_ok(&d, &bob, DIRECT_READ, t_rows, "{'id':'row_filters:main'}");
    assert_string_equal(text(v, "/rows/0/3"), "main.default.mine");
}

static void altering(void **state) {
    (void)state;
    DO(&ann, "{'command':'alter_table_set_tags','name':['t'],'tags':[{'key':'a','value':'1'}]}");
    DO(&ann, "{'command':'comment_on','key':'column','name':['main','default','t','s'],'comment':'text'}");
    DO(&ann, "{'command':'alter_table_add_constraint','name':['t'],'constraints':[{'name':'pk','op':'p','names':['id']}]}");
    jval *v = DO(&ann, "{'command':'describe_table','name':['t'],'json':true}");
    assert_non_null(strstr(text(v, "/rows/0/0"), "\"table_constraints\":\"[(pk,PRIMARY KEY (`id`))]\""));
    DO_FAILS(&bob, "{'command':'alter_table_rename','name':['t'],'newname':['u']}", "MANAGE on Table");
    DO(&ann, "{'command':'alter_table_rename','name':['t'],'newname':['u']}");
    DO_FAILS(&ann, "{'command':'drop_table','name':['t']}", "TABLE_OR_VIEW_NOT_FOUND");
    DO(&ann, "{'command':'drop_table','name':['t'],'if_exists':true}");
    DO(&ann, "{'command':'drop_table','name':['u']}");
    v = DO(&ann, "{'command':'show_tables_dropped'}");
    assert_string_equal(text(v, "/rows/0/2"), "u");
    DO(&ann, "{'command':'undrop_table','name':['u']}");
    v = RESOLVE(&bob, "{'names':[{'parts':['u'],'for':'select'}]}"); /* its grants came back too */
    assert_string_equal(text(v, "/relations/0/name"), "u");
    DO(&ann, "{'command':'alter_table_owner','name':['u'],'owner':'bob@example.com'}");
    DO_FAILS(&ann, "{'command':'drop_table','name':['u']}", "MANAGE on Table 'main.default.u'");
    DO_FAILS(&root, "{'command':'drop_schema','name':['main','default']}", "SCHEMA_NOT_EMPTY");
    DO_FAILS(&bob, "{'command':'drop_schema','name':['main','default'],'cascade':true}", "MANAGE on Schema");
    DO(&root, "{'command':'create_catalog','name':['c2']}");
    DO_FAILS(&bob, "{'command':'create_catalog','name':['c3']}", "CREATE CATALOG");
    DO(&root, "{'command':'create_schema','name':['c2','s'],'if_not_exists':true}");
    DO_FAILS(&bob, "{'command':'create_schema','name':['c2','s2']}", "NO_SUCH_CATALOG");
    DO_FAILS(&root, "{'command':'drop_catalog','name':['c2']}", "CATALOG_NOT_EMPTY");
    DO(&root, "{'command':'drop_catalog','name':['c2'],'cascade':true}");
}

static void places(void **state) {
    (void)state;
    char root_path[200], url[300], args[800];
    snprintf(root_path, sizeof(root_path), "%s/ext", d.dir);
    snprintf(url, sizeof(url), "file://%s", root_path);
    assert_int_equal(mkdir(root_path, 0700), 0);
    struct engine_root roots[] = {{"tables", "/data/tables", "/data/tables", ""}, {"ext0", root_path, "/ext/0", url}};
    struct policy_subject who = {.id = d.admin, .active = true, .metastore_admin = true};
    arena *a = arena_new();
    store_tx *tx;
    assert_null(store_read_begin(d.c.store, STORE_META, 0, &tx));
    struct caller c = {.tx = tx, .today = tx, .scope = {1, d.workspace}, .a = a, .who = &who, .name = STR("admin"), .roots = roots, .n_roots = 2};
    struct location_place p;
    str canonical;
    snprintf(args, sizeof(args), "%s//a/b/", url);
    assert_null(locations_url(a, str_of(args), &canonical));
    assert_null(locations_place(&c, canonical, &p));
    assert_string_equal(arena_strndup(a, p.engine.p, p.engine.n), "/ext/0/a/b");
    static const char *const bad[] = {"file:///a/../b", "file://host/a", "s3://b/c", "file:///", "/a"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        err *e = locations_url(a, str_of(bad[i]), &canonical);
        if (!e) fail_msg("%s passed", bad[i]);
        err_free(e);
    }
    snprintf(args, sizeof(args), "%s/link", root_path);
    assert_int_equal(symlink("/etc", args), 0);
    snprintf(args, sizeof(args), "%s/link/passwd", url);
    err *e = locations_place(&c, str_of(args), &p);
    assert_non_null(e);
    assert_non_null(strstr(err_msg(e), "link"));
    err_free(e);
    e = locations_place(&c, STR("file:///etc"), &p);
    assert_non_null(e);
    err_free(e);
    store_read_end(tx);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest list[] = {cmocka_unit_test(tables),      cmocka_unit_test(views),    cmocka_unit_test(functions),
                                      cmocka_unit_test(shows),       cmocka_unit_test(information), cmocka_unit_test(altering),
                                      cmocka_unit_test(places)};
    return cmocka_run_group_tests(list, setup, teardown);
}
