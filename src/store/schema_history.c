/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of history.db.
 *
 *   statement    a SQL statement: one row from its submission on, written again when it ends
 *                (history_statements.c)
 */
#include "store/store_int.h"

static const char statements[] =
    "CREATE TABLE statement (sid INTEGER PRIMARY KEY, account_id INTEGER NOT NULL,"
    " workspace_id INTEGER NOT NULL, id TEXT NOT NULL, warehouse TEXT NOT NULL, session TEXT NOT NULL,"
    " user_id INTEGER NOT NULL, user_name TEXT NOT NULL, state INTEGER NOT NULL,"
    " submitted INTEGER NOT NULL, started INTEGER NOT NULL, ended INTEGER NOT NULL,"
    " row_count INTEGER NOT NULL, kind TEXT NOT NULL, client TEXT NOT NULL, text TEXT NOT NULL,"
    " error_code TEXT NOT NULL, error TEXT NOT NULL, sql_state TEXT NOT NULL, tags TEXT NOT NULL,"
    " metrics TEXT NOT NULL);"
    "CREATE UNIQUE INDEX statement_by_id ON statement (workspace_id, id);"
    "CREATE INDEX statement_by_time ON statement (workspace_id, submitted, sid);"
    "CREATE INDEX statement_by_user ON statement (workspace_id, user_id, submitted, sid);"
    "CREATE INDEX statement_open ON statement (state) WHERE state < 3;"
    "CREATE INDEX statement_old ON statement (submitted);";

const struct schema_step schema_history[] = {
    {.what = "statements", .text = statements},
    {.what = NULL},
};
