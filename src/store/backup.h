/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backups of the stores: the three files at one instant, their wrapped keys, and a manifest. Made
 * while the stores serve; the master key is not in it, only its fingerprint.
 *
 *   manifest.json   format, time, sequence of each file, fingerprint, size and SHA-256 of the rest
 *   meta.db mlflow.db history.db keys.json
 */
#ifndef BH_STORE_BACKUP_H
#define BH_STORE_BACKUP_H

#include "store/store.h"

struct backup_info {
    int64_t made_at; /* UTC microseconds */
    int64_t sequence[STORE_FILES];
    int64_t bytes;
    char master[33]; /* fingerprint */
};

/* Writes a backup into `dir`, which must be empty or missing. The manifest is written last: a
 * folder without one is not a backup. ret may be NULL. */
err *store_backup(store *s, const char *dir, struct backup_info *ret) BH_CHECK;
/* Reads the manifest and compares every file with it. DATA_LOSS names the file that differs. */
err *store_backup_verify(const char *dir, struct backup_info *ret) BH_CHECK;
/* Verifies, copies into o->dir (empty or missing), opens with o->master_key, reads every page. On
 * an error what was copied is removed. */
err *store_restore(const char *from, const struct store_options *o,
                   struct backup_info *ret) BH_CHECK;

#endif
