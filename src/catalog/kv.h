/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pairs of texts kept as one JSON object in a column: tags ({"key":"value"}), aliases
 * ({"champion":"3"}), properties. Small lists in the order in which they were first set; a key
 * occurs once. Everything is allocated in the arena given.
 */
#ifndef BH_CATALOG_KV_H
#define BH_CATALOG_KV_H

#include "base/err.h"
#include "base/json.h"

/* More pairs than this on one object are refused (RESOURCE_EXHAUSTED). */
#define KV_MAX_PAIRS 1000u
/* Encoded size of all pairs of one object. */
#define KV_MAX_BYTES (2u << 20)

struct kv_pair {
    str key, value;
};

struct kv {
    struct kv_pair *p;
    size_t n, cap;
};

/* Reads what kv_text() wrote; "" is empty. Values that are not text are an error (our bug or a
 * damaged row). */
err *kv_read(arena *a, str text, struct kv *ret) BH_CHECK;
/* The JSON object; error when a limit is passed. `what` names the list in the message. */
err *kv_text(arena *a, const struct kv *m, const char *what, str *ret) BH_CHECK;

/* NULL when absent. */
const struct kv_pair *kv_find(const struct kv *m, str key);
/* Adds or replaces. Slices are kept, not copied. */
void kv_set(arena *a, struct kv *m, str key, str value);
/* False when there was no such key. */
bool kv_del(struct kv *m, str key);

/* From [{"key":…,"value":…},…] of a request; later ones win. An element without a key is
 * INVALID_PARAMETER_VALUE; a missing value counts as "". v may be NULL. */
err *kv_from_list(arena *a, jval *v, const char *what, struct kv *ret) BH_CHECK;
/* From a JSON object of texts. v may be NULL. */
err *kv_from_object(arena *a, jval *v, const char *what, struct kv *ret) BH_CHECK;
/* Writes [{"key","value"},…] under `name`. */
void kv_put_list(jdoc *d, jmut *o, const char *name, const struct kv *m);
/* Writes {"key":"value",…} under `name`. */
void kv_put_object(jdoc *d, jmut *o, const char *name, const struct kv *m);

#endif
