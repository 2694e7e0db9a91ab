/* SPDX-License-Identifier: Apache-2.0 */
/* Between asks.c, commit.c and staging.c. */
#ifndef BH_API_UNITY_CATALOG_ASKS_INT_H
#define BH_API_UNITY_CATALOG_ASKS_INT_H

#include "catalog/ask.h"
#include "rest/control.h"

/* r's question as the answerers take it. */
err *uc_ask_begin(struct req *r, struct caller *c, struct ask *k) BH_CHECK;

/* PUT, GET, REMOVE, LIST of volumes (staging.c). */
err *uc_put_file(struct req *r) BH_CHECK;
err *uc_get_file(struct req *r) BH_CHECK;
err *uc_remove_file(struct req *r) BH_CHECK;
err *uc_list_files(struct req *r) BH_CHECK;

/* The steps of `commit`. */
err *uc_commit_place(struct req *r) BH_CHECK;
err *uc_commit_log(struct req *r) BH_CHECK;
err *uc_checkpoint(struct req *r) BH_CHECK;
err *uc_commit_row(struct req *r) BH_CHECK;

#endif
