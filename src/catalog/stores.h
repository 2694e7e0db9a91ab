/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores outside: from an s3:// URL to the credential that reaches it, and to what the courier is told.
 *
 * A URL belongs to the external location that it lies in, else to storage.root where that is on S3. How a store is reached
 * (bucket, endpoint, keys) has a name made of its content, the place: a changed key is a new place, and nobody can take one
 * for another. Secrets go to the courier alone; engines get grants.
 */
#ifndef BH_CATALOG_STORES_H
#define BH_CATALOG_STORES_H

#include "catalog/securable.h"
#include "ipc/courier_client.h"
#include "sys/settings.h"

#define STORES_GRANT_LIFE_US (24ll * 3600 * 1000000) /* a grant ends with its statement; this is the most */

/* What control reaches stores with; made once. */
struct stores {
    courier_client *client;
    str root_url;    /* "s3://bucket/prefix" of storage.root; empty: it is not on S3 */
};

/* Copies what it needs; NULL is fine for free. */
struct stores *stores_new(courier_client *client, const struct settings *s);
void stores_free(struct stores *s);

struct store_at {
    str place;       /* empty: storage.root */
    str key;         /* of the URL, without slashes at its ends: as the store has it, which is below storage.root's prefix there */
    str role;        /* to assume for sessions; usually empty */
    storage *s;      /* blocks, so not for the loop's thread */
};

static inline bool url_is_remote(str url) { return str_starts(url, STR("s3://")); }

/* "s3://bucket/a/b" → bucket, a/b. */
void stores_split(str url, str *ret_bucket, str *ret_key);
/* Canonical s3:// URL → its store, known to the courier when this returns. NOT_FOUND where it lies in no place that we can
 * reach, INVALID_STATE where its credential has no keys. */
err *stores_open(const struct caller *c, str url, struct store_at *ret) BH_CHECK;
/* The same with a credential that need not have a location yet. */
err *stores_open_with(const struct caller *c, str url, int64_t credential, struct store_at *ret) BH_CHECK;
/* Session credentials for what lies at and below the URL (courier_client_session()); blocks on the store. INVALID_STATE where
 * the store gives none. The URL's store was opened before, with `role` of its credential. */
err *stores_session(const struct stores *s, arena *a, const struct store_at *at, str url, bool write, jval **ret) BH_CHECK;
/* Appends a statement's grant for what lies at and below the URL. */
void stores_grant(const struct caller *c, const struct store_at *at, bool write, uint64_t statement, buf *out);

#endif
