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
/* Empties copies until there is room again. */
void remote_make_room(void);
/* Why a read of this thread failed, for the error that DuckDB makes of it. */
void remote_note_failure(const err *e);

#endif
