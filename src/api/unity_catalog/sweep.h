/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nobody needs any more: tables and schemas that were dropped long ago, with their rows, folders and files; below the folder of
 * managed tables (on disk or on S3) folders of tables that never came to be, and files under temporary names that a killed statement left. Everything must be older than tables.keep_dropped (seven days), so
 * what a running statement writes is spared. Data files with names of their own are VACUUM's to judge: it knows the table's log.
 */
#ifndef BH_API_UNITY_CATALOG_SWEEP_H
#define BH_API_UNITY_CATALOG_SWEEP_H

#include "rest/control.h"

/* Begins to sweep, every tables.sweep_every. Needs the pool of engines (its roots). */
void uc_sweep_open(struct control *c);
/* Before the workers end. */
void uc_sweep_close(struct control *c);

#endif
