/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What control answered about names, kept by the process: the same question of the same user gets the same answer as long as
 * nothing changed in control. Control stamps each statement with a number that rises with every change of its store
 * (policy_seq); an answer is used for statements with the number that it was asked under, so a grant that was taken away is
 * missed by the next statement. A statement that changed something itself asks again.
 *
 * Threads: all of it, any thread.
 */
#ifndef BH_ENGINE_WORKER_NAMES_H
#define BH_ENGINE_WORKER_NAMES_H

#include "base/arena.h"
#include "base/str.h"

struct names_cache;

struct names_cache *names_cache_new(size_t max_bytes);
/* Forgets everything. NULL is fine. */
void names_cache_clear(struct names_cache *c);
/* May answers to this ask be kept? */
bool names_cacheable(str op);
/* Does this ask leave everything in control as it was? */
bool names_harmless(str op);
/* The answer's text, copied into a; false: not known. */
bool names_cache_get(struct names_cache *c, uint64_t seq, str user, str op, str question, arena *a, str *ret);
/* Older numbers than the newest seen are not kept. */
void names_cache_put(struct names_cache *c, uint64_t seq, str user, str op, str question, str answer);

#endif
