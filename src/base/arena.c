/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAGIC 0xa12e4a01u
#define FIRST_BLOCK 4096u
#define MAX_BLOCK (256u * 1024u)

struct block {
    struct block *next;
    size_t size, used;
    _Alignas(16) unsigned char data[];
};

struct cleanup {
    struct cleanup *next;
    void (*fn)(void *);
    void *arg;
};

struct arena {
    uint32_t magic;
    struct block *head;
    struct cleanup *cleanups;
    size_t used, next_size;
};

static struct block *block_new(size_t n) {
    struct block *b = malloc(sizeof(*b) + n);
    if (b) {
        b->next = NULL;
        b->size = n;
        b->used = 0;
    }
    return b;
}

arena *arena_new(void) {
    arena *a = calloc(1, sizeof(*a));
    must(a != NULL);
    a->magic = ARENA_MAGIC;
    a->next_size = FIRST_BLOCK;
    return a;
}

static void run_cleanups(arena *a) {
    while (a->cleanups) {
        struct cleanup *c = a->cleanups;
        a->cleanups = c->next;
        c->fn(c->arg);
    }
}

static void free_blocks(struct block *b) {
    while (b) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
}

void arena_reset(arena *a) {
    must_magic(a, ARENA_MAGIC);
    run_cleanups(a);
#ifdef BH_SANITIZE
    free_blocks(a->head);
    a->head = NULL;
#else
    /* The oldest block is the smallest: keep it, a small request then costs no malloc. */
    struct block *b = a->head, *last = NULL;
    while (b && b->next) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    last = b;
    if (last) last->used = 0;
    a->head = last;
#endif
    a->used = 0;
    a->next_size = FIRST_BLOCK;
}

void arena_free(arena *a) {
    if (!a) return;
    must_magic(a, ARENA_MAGIC);
    run_cleanups(a);
    free_blocks(a->head);
    a->magic = 0;
    free(a);
}

size_t arena_used(const arena *a) { return a->used; }

static void *take(arena *a, size_t n) {
    must_magic(a, ARENA_MAGIC);
    size_t need = (n + 15u) & ~(size_t)15u;
    if (need < n) return NULL;
    struct block *b = a->head;
#ifdef BH_SANITIZE
    b = block_new(n ? n : 1);
    if (!b) return NULL;
    b->next = a->head;
    a->head = b;
    need = n;
#else
    if (!b || b->size - b->used < need) {
        size_t size = a->next_size > need ? a->next_size : need;
        if (a->next_size < MAX_BLOCK) a->next_size *= 2;
        b = block_new(size);
        if (!b) return NULL;
        b->next = a->head;
        a->head = b;
    }
#endif
    void *p = b->data + b->used;
    b->used += need;
    a->used += need;
    memset(p, 0, n);
    return p;
}

void *arena_alloc(arena *a, size_t n) {
    void *p = take(a, n);
    must(p != NULL);
    return p;
}

void *arena_try_alloc(arena *a, size_t n, size_t max) { return n > max ? NULL : take(a, n); }

char *arena_strndup(arena *a, const char *s, size_t n) {
    char *p = arena_alloc(a, n + 1);
    if (n) memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *arena_strdup(arena *a, const char *s) { return arena_strndup(a, s, strlen(s)); }

str arena_str(arena *a, str s) { return (str){arena_strndup(a, s.p, s.n), s.n}; }

char *arena_vprintf(arena *a, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    must(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

char *arena_printf(arena *a, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *p = arena_vprintf(a, fmt, ap);
    va_end(ap);
    return p;
}

void arena_on_free(arena *a, void (*fn)(void *), void *arg) {
    struct cleanup *c = arena_alloc(a, sizeof(*c));
    c->fn = fn;
    c->arg = arg;
    c->next = a->cleanups;
    a->cleanups = c;
}
