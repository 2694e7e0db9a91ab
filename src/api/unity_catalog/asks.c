/* SPDX-License-Identifier: Apache-2.0 */
#include "api/unity_catalog/asks.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/unity_catalog/answers.h"
#include "api/unity_catalog/asks_int.h"
#include "catalog/ask.h"
#include "statements/asks.h"

/* A question as the answerers take it. */
err *uc_ask_begin(struct req *r, struct caller *c, struct ask *k) {
    *c = uc_caller(r);
    c->name = r->principal_name;
    str catalog = r->ask && r->ask->catalog.n ? r->ask->catalog : STR("main");
    str schema = r->ask && r->ask->schema.n ? r->ask->schema : STR("default");
    TRY(ask_begin(k, c, r->args, req_doc(r), req_out(r), catalog, schema));
    k->key = r->control->page_key;
    k->workspace = r->scope.workspace;
    k->statement = r->ask ? r->ask->number : 0;
    k->metastore = str_of(uc_metastore(r));
    return NULL;
}

err *uc_ask(struct req *r, ask_fn fn) {
    struct caller c;
    struct ask k;
    TRY(uc_ask_begin(r, &c, &k));
    return fn(&k);
}

/* With as_of, catalog-managed tables are shown as they were at that sequence of the store. */
static err *resolve(struct req *r) {
    struct caller c;
    struct ask k;
    int64_t as_of = arg_i64(r, "as_of", 0);
    TRY(uc_ask_begin(r, &c, &k));
    if (as_of > 0) TRY(store_read_begin(r->control->store, STORE_META, as_of, &k.past));
    err *e = ask_resolve(&k);
    if (k.past) store_read_end(k.past);
    return e;
}
static err *function(struct req *r) { return uc_ask(r, ask_function); }
static err *in_group(struct req *r) { return uc_ask(r, ask_in_group); }
static err *path(struct req *r) { return uc_ask(r, ask_path); }
static err *rows_of(struct req *r) { return uc_ask(r, ask_rows); }
static err *stage_table(struct req *r) { return uc_ask(r, ask_stage_table); }

static err *command(struct req *r) {
    const struct ask_command *cmd = ask_command_find(arg_str(r, "command"));
    must(cmd != NULL);
    return uc_ask(r, cmd->fn);
}

static const struct route_row rows[] = {
    {.service = "ask", .name = "resolve", .file = STORE_META, .steps = {{LANE_READ, resolve}}},
    {.service = "ask", .name = "function", .file = STORE_META, .steps = {{LANE_READ, function}}},
    {.service = "ask", .name = "in_group", .file = STORE_META, .steps = {{LANE_READ, in_group}}},
    {.service = "ask", .name = "path", .file = STORE_META, .steps = {{LANE_READ, path}}},
    {.service = "ask", .name = "files", .file = STORE_META, .steps = {{LANE_READ, uc_files}}},
    {.service = "ask", .name = "open_file", .file = STORE_META, .steps = {{LANE_READ, uc_open_file}}},
    {.service = "ask", .name = "rows", .file = STORE_META, .steps = {{LANE_READ, rows_of}}},
    {.service = "ask", .name = "stage_table", .file = STORE_META, .steps = {{LANE_READ, stage_table}}},
    {.service = "ask", .name = "command.put_file", .file = STORE_META, .steps = {{LANE_READ, uc_put_file}}},
    {.service = "ask", .name = "command.get_file", .file = STORE_META, .steps = {{LANE_READ, uc_get_file}}},
    {.service = "ask", .name = "command.remove_file", .file = STORE_META, .steps = {{LANE_READ, uc_remove_file}}},
    {.service = "ask", .name = "command.list_files", .file = STORE_META, .steps = {{LANE_READ, uc_list_files}, {LANE_WORK, uc_list_outside}}},
    {.service = "ask",
     .name = "commit",
     .file = STORE_META,
     .steps = {{LANE_READ, uc_commit_place}, {LANE_SYNC, uc_commit_log}, {LANE_WRITE, uc_commit_row}}},
    {.service = "ask",
     .name = "commit_managed",
     .file = STORE_META,
     .steps = {{LANE_READ, uc_managed_place}, {LANE_SYNC, uc_managed_stage}, {LANE_WRITE, uc_managed_ratify}, {LANE_SYNC, uc_managed_publish}}},
    {.service = "ask", .name = "checkpoint", .file = STORE_META, .steps = {{LANE_READ, uc_commit_place}, {LANE_SYNC, uc_checkpoint}}},
};

/* A row for each command, by whether it writes. */
static struct route_row *command_rows(size_t *ret_n) {
    size_t n = 0, at = 0;
    for (size_t t = 0; ask_command_tables[t]; t++)
        for (const struct ask_command *c = ask_command_tables[t]; c->name; c++) n++;
    struct route_row *made = calloc(n + 1, sizeof(*made));
    must(made != NULL);
    for (size_t t = 0; ask_command_tables[t]; t++)
        for (const struct ask_command *c = ask_command_tables[t]; c->name; c++) {
            char *name = malloc(strlen(c->name) + 16);
            must(name != NULL);
            snprintf(name, strlen(c->name) + 16, "command.%s", c->name);
            made[at++] = (struct route_row){.service = "ask",
                                            .name = name,
                                            .file = STORE_META,
                                            .steps = {{c->writes ? LANE_WRITE : LANE_READ, command}}};
        }
    *ret_n = n;
    return made;
}

void uc_asks_open(struct control *c) {
    static struct route_row *commands; /* as long as the process, like the rows above */
    static size_t n;
    asks_add(c, rows, sizeof(rows) / sizeof(rows[0]));
    if (!commands) commands = command_rows(&n);
    asks_add(c, commands, n);
}
