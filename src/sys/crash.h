/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A crash explains itself. On SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP and SIGSYS a report
 * is written to a descriptor opened before (a pipe to the supervisor), then the signal is raised
 * again. Text, one fact per line, each part with its own write so that a second fault loses little:
 *
 *   crash: control pid 12
 *   signal: 11 SIGSEGV code 1 address 0x0
 *   request: 5b0c…
 *   route: POST /api/2.0/…
 *   #0 boathouse+0x1234 store_get+0x20
 *   log:
 *   …last lines of the log (secrets are redacted by type there)…
 *   crash end
 */
#ifndef BH_SYS_CRASH_H
#define BH_SYS_CRASH_H

#include "base/err.h"

/* Installs the handlers; `role` stays with the caller. fd -1 means stderr. `names`: resolve
 * function names from our program's file; false in sandboxes that may not open files, where the
 * offsets are enough. Call once at start; threads started later call crash_thread(). */
err *crash_setup(const char *role, int fd, bool names) BH_CHECK;
/* Gives the calling thread its own signal stack, so that an overflow of its stack is reported.
 * Freed by the thread's end. */
err *crash_thread(void) BH_CHECK;
/* What this thread works on. The strings stay with the caller until the next call; NULLs: nothing.
 */
void crash_context_set(const char *request_id, const char *route);

#endif
