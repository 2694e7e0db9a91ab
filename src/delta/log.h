/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What lies in `_delta_log`, sorted out.
 *
 *   %020d.json                               commit
 *   %020d.checkpoint.parquet                 classic checkpoint (V1 or V2)
 *   %020d.checkpoint.%010d.%010d.parquet     part i of n; a set counts only when complete
 *   %020d.checkpoint.<uuid>.json|parquet     V2 checkpoint
 *   %020d.%020d.compacted.json               commits x..y in one
 *   %020d.crc                                checksum of a version
 *   _last_checkpoint                         hint: where to begin the listing
 * Anything else is ignored.
 */
#ifndef BH_DELTA_LOG_H
#define BH_DELTA_LOG_H

#include "base/json.h"
#include "delta/fs.h"

struct delta_commit_file {
    int64_t version;
    int64_t mtime_ms;
};

struct delta_checkpoint_file {
    int64_t version;
    int parts;              /* 0: one file */
    str name;               /* of the file; of part 1 */
    const str *part_names;  /* parts > 0 */
    bool json;
};

struct delta_compaction {
    int64_t from, to;
    str name;
};

struct delta_log {
    struct delta_commit_file *commits;         /* ascending */
    size_t n_commits;
    struct delta_checkpoint_file *checkpoints; /* ascending, complete ones only */
    size_t n_checkpoints;
    struct delta_compaction *compactions;
    size_t n_compactions;
};

/* From version `from` on (0: all). An absent or empty log gives an empty listing. */
err *delta_log_list(const struct delta_fs *fs, arena *a, int64_t from, struct delta_log *ret) BH_CHECK;
/* The hint's version, -1 if there is none that can be read. */
int64_t delta_log_hint(const struct delta_fs *fs, arena *a);
str delta_commit_name(arena *a, int64_t version);   /* "_delta_log/%020d.json" */
/* MD5 of the canonical form of `_last_checkpoint` (without the field checksum), lower-case hex. */
void delta_hint_checksum(jval *hint, char out[33]);

#endif
