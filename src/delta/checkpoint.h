/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: what goes in, and giving one its name.
 *
 * The engine writes the Parquet (rows of delta_checkpoint_lines) as a file of the table whose name begins with
 * DELTA_TEMPORARY; control moves it to _delta_log/<version>.checkpoint.parquet and writes _last_checkpoint.
 */
#ifndef BH_DELTA_CHECKPOINT_H
#define BH_DELTA_CHECKPOINT_H

#include "delta/snapshot.h"

#define DELTA_TEMPORARY "_bh_tmp-"

/* Protocol, metadata, transactions, domains, live files, and tombstones younger than the table keeps deleted files, as
 * lines of JSON. Returns their number. */
size_t delta_checkpoint_lines(arena *a, const struct delta_snapshot *s, int64_t now_ms, buf *out);
/* The ask {"version","file","actions","num_files","crc","log_keep_ms"} of an engine; of a V2 checkpoint also {"sidecar","uuid","manifest"}: the file is
 * the sidecar of that name then, and manifest the text of <version>.checkpoint.<uuid>.json. All is durable before the hint names it. log_keep_ms
 * >= 0: the log is cleaned. A directory only. */
err *delta_checkpoint_publish(const struct delta_fs *fs, arena *a, jval *ask) BH_CHECK;
/* Removes commits, checksums, checkpoints and compactions below the newest checkpoint whose commit is older than `before_ms` (cut to the day):
 * every version from that one on can still be built. */
err *delta_log_clean(const struct delta_fs *fs, arena *a, int64_t before_ms) BH_CHECK;
/* How long a table keeps its log: delta.logRetentionDuration (30 days), -1 where delta.enableExpiredLogCleanup is false. */
int64_t delta_log_keep_ms(const struct delta_snapshot *s);
/* How long a table keeps what was removed: delta.deletedFileRetentionDuration ("interval 1 week"), ms. */
int64_t delta_retention_ms(const struct delta_snapshot *s);
/* "interval 7 days", "interval 1 week", "168 hours" … as ms. */
bool delta_interval_ms(str text, int64_t *ret);

#endif
