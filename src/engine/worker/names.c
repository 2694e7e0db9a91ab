/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker/names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/map.h"

#define LARGEST_KEPT (256u << 10)

struct names_cache {
    pthread_mutex_t lock;
    uint64_t seq; /* of all that is kept */
    map *answers; /* op, user, question → char * */
    size_t bytes, max_bytes;
};

struct names_cache *names_cache_new(size_t max_bytes) {
    struct names_cache *c = calloc(1, sizeof(*c));
    must(c != NULL);
    pthread_mutex_init(&c->lock, NULL);
    c->answers = map_new();
    c->max_bytes = max_bytes;
    return c;
}

/* Under the lock. */
static void forget(struct names_cache *c) {
    str key;
    void *value;
    for (size_t at = 0; map_next(c->answers, &at, &key, &value);) free(value);
    map_free(c->answers);
    c->answers = map_new();
    c->bytes = 0;
}

void names_cache_clear(struct names_cache *c) {
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    forget(c);
    pthread_mutex_unlock(&c->lock);
}

static bool one_of(str op, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (str_eqz(op, names[i])) return true;
    return false;
}

bool names_cacheable(str op) {
    static const char *const names[] = {"resolve", "function", "in_group"};
    return one_of(op, names, ARRAY_LEN(names));
}

bool names_harmless(str op) {
    static const char *const names[] = {"path", "rows", "files", "open_file", "snapshot_hint", "list_files"};
    return names_cacheable(op) || one_of(op, names, ARRAY_LEN(names));
}

static void put_key(buf *out, str user, str op, str question) {
    buf_str(out, op);
    buf_c(out, 0);
    buf_str(out, user);
    buf_c(out, 0);
    buf_str(out, question);
}

bool names_cache_get(struct names_cache *c, uint64_t seq, str user, str op, str question, arena *a, str *ret) {
    buf key = {0};
    bool found = false;
    put_key(&key, user, op, question);
    pthread_mutex_lock(&c->lock);
    if (seq && seq == c->seq) {
        const char *text = map_get(c->answers, buf_view(&key));
        found = text != NULL;
        if (found) *ret = arena_str(a, str_of(text));
    }
    pthread_mutex_unlock(&c->lock);
    buf_free(&key);
    return found;
}

void names_cache_put(struct names_cache *c, uint64_t seq, str user, str op, str question, str answer) {
    if (!seq || answer.n > LARGEST_KEPT || memchr(answer.p, 0, answer.n)) return;
    buf key = {0};
    put_key(&key, user, op, question);
    pthread_mutex_lock(&c->lock);
    if (seq > c->seq || c->bytes > c->max_bytes) {
        forget(c);
        if (seq > c->seq) c->seq = seq;
    }
    if (seq == c->seq) {
        char *text = strndup(answer.p, answer.n);
        must(text != NULL);
        c->bytes += key.n + answer.n + 64;
        free(map_put(c->answers, buf_view(&key), text));
    }
    pthread_mutex_unlock(&c->lock);
    buf_free(&key);
}
