/* SPDX-License-Identifier: Apache-2.0 */
/* Between remote.c (copies) and remote_store.c (URLs, grants, the store behind). */
#ifndef BH_ENGINE_WORKER_REMOTE_INT_H
#define BH_ENGINE_WORKER_REMOTE_INT_H

#include "engine/worker/remote.h"

err *remote_table_open(const char *dir, int64_t max_bytes) BH_CHECK;
/* Declares an object; whole: its file is there with all its bytes. */
err *remote_table_put(str path, int64_t size, int64_t mtime_us, str etag, bool whole) BH_CHECK;
void remote_table_del(str path);
bool remote_table_has(str path);
/* Is its last block here (or is it none of ours)? */
bool remote_table_here(str path);
void remote_fetch_tail(str path);
/* remote_volume.c: beside the folder of copies. */
void remote_volume_dir(const char *copies);
/* The bytes of a place: a descriptor (the caller's), or -1: from now on there is a grant for it. False: they cannot be had. */
bool remote_volume_source(str place, int *ret_fd);
/* Notes why a place could not be read, for remote_explain(). */
void remote_volume_lost(str place, const err *e);
/* Was a grant given for one? */
bool remote_volumes_in_store(void);
/* A grant for one place, whose bytes are the object `key`. */
void remote_grant_file(uint64_t statement, str place, str key, str grant);

/* Empties copies until there is room again. */
void remote_make_room(void);

#endif
