/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places of storage: external locations (a URL that was opened to the catalog), storage credentials,
 * and the way from a URL to the folder that control and engines see.
 *
 * Rules
 *   - A URL is file:///…, below one of storage.local_roots, or s3://bucket/…; it has no "..", no "." and no empty
 *     segment, and no folder on the way is a link.
 *   - External locations do not overlap: none lies in another.
 *   - External tables and volumes lie in an external location, and do not overlap each other or managed locations.
 *   - A path is decided by the external location that it lies in; where there is none, nobody may.
 */
#ifndef BH_CATALOG_LOCATIONS_H
#define BH_CATALOG_LOCATIONS_H

#include "catalog/securable.h"
#include "engine/link.h"

/* Canonical: "file:///srv/files/a", "s3://bucket/a", no slash at the end. Accepts file:/a, file:///a, s3a://. */
err *locations_url(arena *a, str url, str *ret) BH_CHECK;

/* Where a canonical URL lies. */
struct location_place {
    str root;    /* engine_root.id; of s3:// "s3" */
    str control; /* path as control sees it; of s3:// empty (catalog/stores.h) */
    str engine;  /* as an engine sees it; of s3:// the URL */
};
/* INVALID_PARAMETER_VALUE outside storage.local_roots, or across a link. What is on s3:// is not looked at. */
err *locations_place(const struct caller *c, str url, struct location_place *ret) BH_CHECK;

err *locations_create(const struct caller *c, str name, str url, str credential, str comment,
                      bool read_only, struct securable *ret) BH_CHECK;
/* Another storage credential; the caller saves. */
err *locations_set_credential(const struct caller *c, struct securable *l, str name) BH_CHECK;
/* Another URL, which takes what making a location takes; without force, one with tables or volumes in it is refused. The caller saves. */
err *locations_move(const struct caller *c, struct securable *l, str url, bool force) BH_CHECK;
/* Writes l->location back; its URL is checked again. */
err *locations_save(const struct caller *c, struct securable *l) BH_CHECK;
/* Without force, one with tables or volumes in it is refused. */
err *locations_delete(const struct caller *c, const struct securable *l, bool force) BH_CHECK;
/* The external location that a canonical URL lies in. */
err *locations_of_url(const struct caller *c, str url, struct securable *ret, bool *found) BH_CHECK;
/* A path by itself: the location's privilege, or PERMISSION_DENIED that names it. */
err *locations_need(const struct caller *c, str url, uint64_t need, struct securable *ret) BH_CHECK;
/* Reading (or writing) a path may not go around the tables that lie at, below or above it: each takes SELECT (and MODIFY), and one
 * with a row filter or masks is refused to all. A pattern stands for everything below its last plain folder. */
err *locations_check_tables(const struct caller *c, str url, bool write) BH_CHECK;
/* A managed location of a catalog or schema: its canonical URL, if CREATE_MANAGED_STORAGE is held there and nothing else lies there. */
err *locations_managed(const struct caller *c, str url, str *ret) BH_CHECK;
/* INVALID_PARAMETER_VALUE when a table, a volume or a managed location lies at, above or below the URL. */
err *locations_check_free(const struct caller *c, str url, int64_t but_table) BH_CHECK;

err *credentials_create(const struct caller *c, str name, str kind, str config, str comment,
                        bool read_only, struct securable *ret) BH_CHECK;
/* Its secret half, JSON {secret_access_key, session_token}; empty: it has none any more. */
err *credentials_set_secret(const struct caller *c, int64_t id, str config) BH_CHECK;
err *credentials_save(const struct caller *c, struct securable *s) BH_CHECK;
/* Without force, one that external locations use is refused. */
err *credentials_delete(const struct caller *c, const struct securable *s, bool force) BH_CHECK;

#endif
