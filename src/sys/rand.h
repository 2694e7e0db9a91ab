/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Randomness: getrandom(2), or a seeded stream in tests.
 */
#ifndef BH_SYS_RAND_H
#define BH_SYS_RAND_H

#include <stddef.h>
#include <stdint.h>

/* n unpredictable bytes; aborts if the kernel has none to give. */
void rand_bytes(void *p, size_t n);
/* Positive, up to 2^53 - 1 so that JSON readers of doubles keep it exact. */
int64_t rand_id(void);
uint64_t rand_u64(void);
/* 2*n lower-case hex digits and a zero. */
void rand_hex(char *out, size_t n);
/* Version 4 UUID text, 36 characters and a zero. */
void rand_uuid(char out[37]);
/* Tests only: from now on a reproducible stream. */
void rand_seed_for_test(uint64_t seed);

#endif
