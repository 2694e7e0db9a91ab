/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of folders for backup and restore. Files of storage are never changed in place, so a hard
 * link is a copy where the file system is the same one. */
#ifndef BH_MAIN_COPY_H
#define BH_MAIN_COPY_H

#include "base/err.h"

/* Makes `to` with everything below `from`; regular files and folders only. A file that goes away
 * meanwhile is left out. IO_ERROR names the path. */
err *copy_tree(const char *from, const char *to) BH_CHECK;
/* Renames, or copies and removes where `to` is on another file system. */
err *copy_move(const char *from, const char *to) BH_CHECK;

#endif
