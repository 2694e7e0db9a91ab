/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place where time is read. With a driven clock (tests: --test-clock) an offset in a
 * shared page, mapped by every role, is added to both clocks.
 */
#ifndef BH_SYS_CLOCK_H
#define BH_SYS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* UTC microseconds since 1970. */
int64_t clock_now(void);
/* Monotonic microseconds; includes the driven offset, so timers follow it. */
int64_t clock_mono(void);
/* Monotonic nanoseconds without the offset, for measuring. */
int64_t clock_ticks(void);
bool clock_driven(void);

/* A new page with offset 0 (memfd); the supervisor makes it and passes it to all roles. */
err *clock_page_new(int *ret_fd) BH_CHECK;
/* Maps a page read-only (or writable for the one who drives). */
err *clock_page_map(int fd, bool writable) BH_CHECK;
/* Moves the clock forward; only after clock_page_map(fd, true). */
void clock_advance(int64_t us);

#endif
