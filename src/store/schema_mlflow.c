/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps of mlflow.db.
 *
 *   exp          (workspace, experiment) as one small number, eid, with which all indexes begin
 *   run          a run; rid is its row, and leads to all that belongs to it
 *   run_param, run_tag   one row each; *_find serve searches (the first 64 characters, then the
 *                run's start; the rest is compared afterwards)
 *   run_latest   the latest value of up to 64 metric keys per row, packed (mlflow_metrics.c)
 *   point_new    the latest of the history of metrics, one packed row per call, as they came
 *   point        the history before, packed by run
 *   metric_find  (eid, key, value) of settled runs; run_hot names those that are not settled
 *   dataset, run_dataset, run_model   inputs and outputs
 *   model…       logged models
 *   trace…       traces, their tags, metadata, assessments and spans
 *
 * Every table that is entered from outside carries its workspace; the others hang on a rid, mid or
 * tid that was found with one.
 */
#include "store/store_int.h"

static const char runs[] =
    "CREATE TABLE exp (eid INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL,"
    " experiment_id INTEGER NOT NULL, UNIQUE (workspace_id, experiment_id));"
    "CREATE TABLE run (rid INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL,"
    " experiment_id INTEGER NOT NULL, eid INTEGER NOT NULL, run_id TEXT NOT NULL, name TEXT,"
    " user_id TEXT, status INTEGER NOT NULL, start_time INTEGER NOT NULL,"
    " end_time INTEGER NOT NULL, deleted_time INTEGER NOT NULL, hot INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX run_by_id ON run (workspace_id, run_id);"
    "CREATE INDEX run_by_time ON run (eid, start_time DESC, run_id);"
    "CREATE INDEX run_by_name ON run (eid, name);"
    "CREATE TABLE run_param (rid INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " eid INTEGER NOT NULL, PRIMARY KEY (rid, key)) WITHOUT ROWID;"
    "CREATE INDEX run_param_find ON run_param (eid, key, substr(value, 1, 64), rid);"
    "CREATE TABLE run_tag (rid INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " eid INTEGER NOT NULL, PRIMARY KEY (rid, key)) WITHOUT ROWID;"
    "CREATE INDEX run_tag_find ON run_tag (eid, key, substr(value, 1, 64), rid);"
    "CREATE TABLE run_latest (rid INTEGER NOT NULL, seg INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY (rid, seg)) WITHOUT ROWID;"
    "CREATE TABLE point (rid INTEGER NOT NULL, n INTEGER NOT NULL, data BLOB NOT NULL,"
    " PRIMARY KEY (rid, n)) WITHOUT ROWID;"
    "CREATE TABLE metric_find (eid INTEGER NOT NULL, key TEXT NOT NULL, value REAL NOT NULL,"
    " rid INTEGER NOT NULL, PRIMARY KEY (eid, key, value, rid)) WITHOUT ROWID;"
    "CREATE TABLE run_hot (n INTEGER PRIMARY KEY, rid INTEGER NOT NULL UNIQUE,"
    " eid INTEGER NOT NULL);"
    "CREATE INDEX run_hot_by_eid ON run_hot (eid);"
    "CREATE TABLE dataset (did INTEGER PRIMARY KEY, eid INTEGER NOT NULL, name TEXT NOT NULL,"
    " digest TEXT NOT NULL, source_type TEXT NOT NULL, source TEXT NOT NULL, schema TEXT,"
    " profile TEXT, UNIQUE (eid, name, digest));"
    "CREATE TABLE run_dataset (rid INTEGER NOT NULL, did INTEGER NOT NULL, n INTEGER NOT NULL,"
    " tags TEXT NOT NULL, context TEXT, PRIMARY KEY (rid, did)) WITHOUT ROWID;"
    "CREATE INDEX run_dataset_by_did ON run_dataset (did);"
    "CREATE TABLE run_model (rid INTEGER NOT NULL, output INTEGER NOT NULL, model_id TEXT NOT NULL,"
    " step INTEGER NOT NULL, n INTEGER NOT NULL,"
    " PRIMARY KEY (rid, output, model_id)) WITHOUT ROWID;";

/* Rows of one value in the order of their runs, so that a page ends early. */
static const char find_in_order[] =
    "ALTER TABLE run_param ADD COLUMN start_time INTEGER NOT NULL DEFAULT 0;"
    "UPDATE run_param SET start_time ="
    " (SELECT start_time FROM run WHERE run.rid = run_param.rid);"
    "DROP INDEX run_param_find;"
    "CREATE INDEX run_param_find ON run_param"
    " (eid, key, substr(value, 1, 64), start_time DESC, rid);"
    "ALTER TABLE run_tag ADD COLUMN start_time INTEGER NOT NULL DEFAULT 0;"
    "UPDATE run_tag SET start_time = (SELECT start_time FROM run WHERE run.rid = run_tag.rid);"
    "DROP INDEX run_tag_find;"
    "CREATE INDEX run_tag_find ON run_tag"
    " (eid, key, substr(value, 1, 64), start_time DESC, rid);";

static const char models[] =
    "CREATE TABLE model (mid INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL,"
    " experiment_id INTEGER NOT NULL, eid INTEGER NOT NULL, model_id TEXT NOT NULL,"
    " name TEXT NOT NULL, model_type TEXT, source_run_id TEXT, status INTEGER NOT NULL,"
    " status_message TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " deleted_time INTEGER NOT NULL, creator INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX model_by_id ON model (workspace_id, model_id);"
    "CREATE INDEX model_by_time ON model (eid, created DESC, model_id);"
    "CREATE INDEX model_by_name ON model (eid, name);"
    "CREATE INDEX model_by_run ON model (workspace_id, source_run_id);"
    "CREATE TABLE model_item (mid INTEGER NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL,"
    " value TEXT NOT NULL, PRIMARY KEY (mid, kind, key)) WITHOUT ROWID;"
    "CREATE TABLE model_metric (mid INTEGER NOT NULL, key TEXT NOT NULL, run_id TEXT NOT NULL,"
    " dataset_name TEXT NOT NULL, dataset_digest TEXT NOT NULL, timestamp INTEGER NOT NULL,"
    " step INTEGER NOT NULL, value BLOB NOT NULL,"
    " PRIMARY KEY (mid, key, run_id, dataset_name, dataset_digest)) WITHOUT ROWID;";

static const char traces[] =
    "CREATE TABLE trace (tid INTEGER PRIMARY KEY, workspace_id INTEGER NOT NULL,"
    " experiment_id INTEGER NOT NULL, eid INTEGER NOT NULL, trace_id TEXT NOT NULL,"
    " request_time INTEGER NOT NULL, duration INTEGER, state INTEGER NOT NULL,"
    " client_request_id TEXT, request_preview TEXT, response_preview TEXT,"
    " n_spans INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX trace_by_id ON trace (workspace_id, trace_id);"
    "CREATE INDEX trace_by_time ON trace (eid, request_time DESC, trace_id);"
    "CREATE TABLE trace_item (tid INTEGER NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL,"
    " value TEXT NOT NULL, eid INTEGER NOT NULL, PRIMARY KEY (tid, kind, key)) WITHOUT ROWID;"
    "CREATE INDEX trace_item_find ON trace_item (eid, kind, key, substr(value, 1, 64), tid);"
    "CREATE TABLE assessment (tid INTEGER NOT NULL, assessment_id TEXT NOT NULL,"
    " name TEXT NOT NULL, kind INTEGER NOT NULL, valid INTEGER NOT NULL, created INTEGER NOT NULL,"
    " value TEXT, body TEXT NOT NULL, PRIMARY KEY (tid, assessment_id)) WITHOUT ROWID;"
    "CREATE TABLE span (tid INTEGER NOT NULL, span_id TEXT NOT NULL, start_time INTEGER NOT NULL,"
    " name TEXT NOT NULL, type TEXT, status TEXT, body TEXT NOT NULL,"
    " PRIMARY KEY (tid, span_id)) WITHOUT ROWID;";

const struct schema_step schema_mlflow[] = {
    {.what = "runs", .text = runs},
    {.what = "logged models", .text = models},
    {.what = "traces", .text = traces},
    {.what = "points as they come",
     .text = "CREATE TABLE point_new (n INTEGER PRIMARY KEY, rid INTEGER NOT NULL,"
             " data BLOB NOT NULL);"},
    {.what = "parameters and tags in order", .text = find_in_order},
    {.what = NULL},
};
