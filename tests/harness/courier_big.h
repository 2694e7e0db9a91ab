/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body of any size through the courier: the test's own threads play the two ends of its sockets,
 * the courier's code runs in a child process of its own, whose memory is measured.
 */
#ifndef BH_TEST_COURIER_BIG_H
#define BH_TEST_COURIER_BIG_H

#include "harness/moto.h"

/* Puts and gets back `size` bytes. The child's peak of resident memory must stay at or below
 * max_rss_kb (0: not asked, as under sanitizers). Fails the cmocka test otherwise. */
void courier_big(const struct moto *m, int64_t size, int64_t announced, long max_rss_kb);

#endif
