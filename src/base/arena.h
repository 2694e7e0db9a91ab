/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: memory with the life time of a request (or a phase of one).
 * Nothing in an arena is freed by itself; arena_reset() or arena_free() frees everything at once,
 * after running the registered clean-ups in reverse order. In sanitizer builds every allocation is
 * its own malloc, so that overruns and uses after reset are found.
 * An arena belongs to one thread at a time.
 */
#ifndef BH_BASE_ARENA_H
#define BH_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/str.h"

typedef struct arena arena;

/* A new arena; never NULL (out of memory aborts with a report). Caller frees with arena_free(). */
arena *arena_new(void);
/* Runs the clean-ups, frees everything. NULL is fine. */
void arena_free(arena *a);
/* As arena_free(), but the arena stays usable and keeps its first block. */
void arena_reset(arena *a);
/* Bytes handed out since the last reset. */
size_t arena_used(const arena *a);

/* n zeroed bytes, aligned to 16. Aborts when out of memory. For sizes that we chose. */
void *arena_alloc(arena *a, size_t n);
/* The same for a size that a user chose: NULL when n > max or memory is short. */
void *arena_try_alloc(arena *a, size_t n, size_t max) BH_CHECK;

#define arena_new_of(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define arena_array_of(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))

/* Copies, zero-terminated. */
char *arena_strdup(arena *a, const char *s);
char *arena_strndup(arena *a, const char *s, size_t n);
str arena_str(arena *a, str s);
char *arena_printf(arena *a, const char *fmt, ...) BH_PRINTF(2, 3);
char *arena_vprintf(arena *a, const char *fmt, va_list ap);

/* fn(arg) runs when the arena is reset or freed; last registered runs first. */
void arena_on_free(arena *a, void (*fn)(void *), void *arg);

#endif
