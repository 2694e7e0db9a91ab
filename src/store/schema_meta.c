/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of meta.db besides the entities, which schema.c brings up to date by their declaration. */
#include "store/store_int.h"

const struct schema_step schema_meta[] = {
    {.what = "journal",
     .text = "CREATE TABLE journal (sequence INTEGER PRIMARY KEY, time INTEGER NOT NULL,"
             " account_id INTEGER NOT NULL, workspace_id INTEGER NOT NULL,"
             " principal INTEGER NOT NULL, request_id TEXT, client TEXT, action TEXT,"
             " securable_type TEXT, securable_id INTEGER, securable_name TEXT,"
             " outcome TEXT NOT NULL);"
             "CREATE INDEX journal_scope ON journal (account_id, workspace_id, sequence);"},
    {.what = "counts of entities",
     .text = "CREATE TABLE ent_count (entity TEXT NOT NULL, account_id INTEGER NOT NULL,"
             " workspace_id INTEGER NOT NULL, n INTEGER NOT NULL,"
             " PRIMARY KEY (entity, account_id, workspace_id)) WITHOUT ROWID;"
             "CREATE TABLE ent_known (name TEXT PRIMARY KEY) WITHOUT ROWID;"},
    {.what = NULL},
};
