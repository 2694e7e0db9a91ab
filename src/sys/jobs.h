/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small pool of worker threads with one queue. For work that may block; a job gets its worker's
 * number, so that per-worker state (a read connection) needs no lock.
 */
#ifndef BH_SYS_JOBS_H
#define BH_SYS_JOBS_H

#include "base/err.h"

typedef struct jobs jobs;

err *jobs_new(const char *name, int threads, jobs **ret) BH_CHECK;
/* Finishes what is queued, joins the threads. */
void jobs_free(jobs *j);
void jobs_add(jobs *j, void (*fn)(void *arg, int worker), void *arg);
/* Jobs queued and not begun. */
size_t jobs_waiting(jobs *j);

#endif
