/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of api/delta. */
#ifndef BH_API_DELTA_INT_H
#define BH_API_DELTA_INT_H

#include "api/unity_catalog/answers.h"
#include "catalog/kv.h"
#include "catalog/managed.h"
#include "catalog/stores.h"
#include "catalog/tables.h"

#define LAST_VERSION "delta.lastUpdateVersion"
#define LAST_TIME "delta.lastCommitTimestamp"

/* An error of this API by its type ("NoSuchTableException"). */
err *delta_api_error(const char *type, err_code code, const char *fmt, ...) BH_PRINTF(3, 4) BH_CHECK;

/* ---- shape.c ---- */
/* {"type":"struct","fields":[…]} of a request → the catalog's list of columns. `partitions`: names, or NULL. */
err *delta_columns_in(struct req *r, jval *columns, jval *partitions, str *ret) BH_CHECK;
/* delta.minReaderVersion, delta.feature.… of a protocol; those that were there go. */
err *delta_protocol_in(struct req *r, jval *protocol, struct kv *properties) BH_CHECK;
/* The answer of load. */
err *delta_put_load(struct req *r, const struct caller *c, const struct securable *t) BH_CHECK;
/* Credentials that an answer is to have: decided by one step, asked of the store by a later one (lane work). */
struct delta_session {
    struct store_at at;  /* at.s NULL: a local place, which needs none */
    str url;
    bool write;
    jmut *into;          /* the object of the answer */
};
/* {"prefix","operation","config","expiration-time-ms"}; what is in an object store gets its config by delta_fill_session(). */
err *delta_put_credential(struct req *r, const struct caller *c, jmut *list, str url, const char *operation, struct delta_session *ret) BH_CHECK;
err *delta_fill_session(struct req *r, struct delta_session *s) BH_CHECK;

/* ---- tables.c ---- */
/* The table of the path's names; an error if it is no Delta table. need 0: metadata. */
err *delta_open_table(struct req *r, const struct caller *c, uint64_t need, struct securable *t) BH_CHECK;
/* EXTERNAL_USE_SCHEMA on its schema; and no row filter, no mask. */
err *delta_need_outside(const struct caller *c, const struct securable *t) BH_CHECK;
/* By uuid, visible to the caller. */
err *delta_by_uuid(const struct caller *c, str uuid, struct securable *t) BH_CHECK;

#endif
