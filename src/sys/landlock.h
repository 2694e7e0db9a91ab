/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Landlock: rules on files, TCP ports, signals and abstract sockets that a process puts on itself.
 * No memory is allocated and no error value made here, so that it works between clone and exec:
 * functions return 0 or -errno.
 * Rules hold for a folder as it is mounted when the rule is made; what is mounted later on top of
 * it is reached through the rules of the folder above.
 */
#ifndef BH_SYS_LANDLOCK_H
#define BH_SYS_LANDLOCK_H

#include "sys/sandbox.h"

/* ABI version of the kernel, 0 without Landlock. */
int landlock_abi(void);
/* A new ruleset that refuses what no rule allows: files when `files`, TCP by `deny_tcp`, and (ABI
 * 6) signals and abstract sockets to processes outside. Returns the descriptor. */
int landlock_begin(int abi, bool files, int deny_tcp);
/* Missing paths are passed over. */
int landlock_allow(int ruleset, int abi, const char *path, int rights);
/* Puts it on this thread (and those it starts) and closes the descriptor. */
int landlock_end(int ruleset);

#endif
