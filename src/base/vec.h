/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed growing arrays on the heap: `vec_of(int) v = {0}; vec_push(&v, 3); vec_free(&v);`
 */
#ifndef BH_BASE_VEC_H
#define BH_BASE_VEC_H

#include <stddef.h>

#include "base/assert.h"

#define vec_of(T)                                                                                  \
    struct {                                                                                       \
        T *p;                                                                                      \
        size_t n, cap;                                                                             \
    }

/* Grows *p to hold want elements of `size` bytes; aborts when out of memory. */
void vec_grow(void **p, size_t *cap, size_t want, size_t size);

#define vec_reserve(v, want)                                                                       \
    ((want) > (v)->cap ? vec_grow((void **)&(v)->p, &(v)->cap, (want), sizeof(*(v)->p)) : (void)0)
#define vec_push(v, x) (vec_reserve((v), (v)->n + 1), (void)((v)->p[(v)->n++] = (x)))
#define vec_last(v) ((v)->p[(v)->n - 1])
/* Removes element i by moving the last one into its place. */
#define vec_remove_swap(v, i) ((void)((v)->p[i] = (v)->p[--(v)->n]))
#define vec_free(v) (free((v)->p), (void)((v)->p = NULL), (void)((v)->n = (v)->cap = 0))

#endif
