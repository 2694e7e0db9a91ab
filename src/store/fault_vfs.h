/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk below SQLite that loses power: a VFS around SQLite's own. It remembers what was written
 * and not synced; at a chosen write or sync the power goes, from then on every operation fails,
 * and fault_vfs_crash() makes the files what a disk might hold when the machine starts again: of
 * what was not synced, each sector (512 bytes) is kept, dropped or scrambled.
 *
 * What it takes for granted: a sync that returned is durable; making and deleting a file is durable
 * at once (SQLite deletes a WAL only after its content was synced elsewhere); sectors that were not
 * written do not change. For tests; one disk per process.
 */
#ifndef BH_STORE_FAULT_VFS_H
#define BH_STORE_FAULT_VFS_H

#include "base/err.h"

#define FAULT_VFS_NAME "fault"

enum fault_fate { FAULT_KEEP, FAULT_DROP, FAULT_SCRAMBLE, FAULT_MIX };

/* Registers FAULT_VFS_NAME (once is enough). */
err *fault_vfs_register(void) BH_CHECK;
/* The power goes at the n-th write or sync from now on; 0: never. */
void fault_vfs_arm(int64_t n);
bool fault_vfs_is_off(void);
/* Writes and syncs since the last arm. */
int64_t fault_vfs_events(void);
/* The machine starts again: decides the fate of what was not synced and switches the power on. All
 * files must be closed. The same seed decides the same. */
err *fault_vfs_crash(enum fault_fate fate, uint64_t seed) BH_CHECK;

#endif
