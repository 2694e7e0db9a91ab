/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hash maps from byte strings or 64-bit numbers to pointers. Open addressing, keys hashed with
 * SipHash-1-3 under a per-process random key (map_seed), so that users cannot choose collisions.
 * Keys of map_str are copied. Not thread-safe.
 */
#ifndef BH_BASE_MAP_H
#define BH_BASE_MAP_H

#include "base/str.h"

typedef struct map map;

/* Sets the hash key once per process, before the first map. 16 random bytes. */
void map_seed(const unsigned char key[16]);
uint64_t map_hash(const void *p, size_t n);

map *map_new(void);
void map_free(map *m); /* values are not touched */
size_t map_size(const map *m);
/* Value or NULL. */
void *map_get(const map *m, str key);
/* Stores a non-NULL value; returns the value replaced, or NULL. */
void *map_put(map *m, str key, void *value);
/* Removes; returns the value that was there, or NULL. */
void *map_del(map *m, str key);

static inline str map_key_u64(const uint64_t *k) { return str_n((const char *)k, sizeof(*k)); }

/* Iteration in no order: `for (size_t i = 0; map_next(m, &i, &k, &v);)`. Deleting the current
 * element during iteration is allowed, inserting is not. */
bool map_next(const map *m, size_t *i, str *ret_key, void **ret_value);

#endif
