/* SPDX-License-Identifier: Apache-2.0 */
/* Between asks.c, commit.c, staging.c and volume_files.c. */
#ifndef BH_API_UNITY_CATALOG_ASKS_INT_H
#define BH_API_UNITY_CATALOG_ASKS_INT_H

#include "catalog/ask.h"
#include "delta/fs.h"
#include "rest/control.h"

/* r's question as the answerers take it. */
err *uc_ask_begin(struct req *r, struct caller *c, struct ask *k) BH_CHECK;

/* PUT, GET, REMOVE, LIST of volumes (staging.c). */
err *uc_put_file(struct req *r) BH_CHECK;
err *uc_get_file(struct req *r) BH_CHECK;
err *uc_remove_file(struct req *r) BH_CHECK;
err *uc_list_files(struct req *r) BH_CHECK;
err *uc_list_outside(struct req *r) BH_CHECK;

/* Files of managed volumes for statements (volume_files.c). */
err *uc_files(struct req *r) BH_CHECK;
err *uc_open_file(struct req *r) BH_CHECK;

/* The steps of `commit`. */
err *uc_commit_place(struct req *r) BH_CHECK;
err *uc_commit_log(struct req *r) BH_CHECK;
err *uc_checkpoint(struct req *r) BH_CHECK;
err *uc_commit_row(struct req *r) BH_CHECK;

/* The steps of `commit_managed` (managed.c). */
err *uc_managed_place(struct req *r) BH_CHECK;
err *uc_managed_stage(struct req *r) BH_CHECK;
err *uc_managed_ratify(struct req *r) BH_CHECK;
err *uc_managed_publish(struct req *r) BH_CHECK;

struct delta_action;
struct delta_commit_ask;
/* Where a table's log lies. */
struct delta_fs uc_place_fs(struct req *r, const struct ask_commit_place *p);
/* A file of a table by its name there: one that leaves the folder is refused. */
err *uc_check_path(str path) BH_CHECK;
/* Files that the engine wrote and did not sync: the committer does it, together with the log's. */
err *uc_read_sync(struct req *r, jval *list, struct delta_commit_ask *x) BH_CHECK;
/* Files named in a log lie in the table's folder: a path that leaves it is refused. */
err *uc_check_paths(const struct delta_action *actions, size_t n) BH_CHECK;

#endif
