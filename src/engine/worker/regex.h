/* SPDX-License-Identifier: Apache-2.0 */
/*
 * java.util.regex through PCRE2: the pattern is rewritten where the two differ, compiled with its JIT, and matched
 * within limits, so that no pattern holds a thread for ever.
 */
#ifndef BH_ENGINE_WORKER_REGEX_H
#define BH_ENGINE_WORKER_REGEX_H

#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"

#define REGEX_PATTERN_MAX (64u * 1024u)

struct regex;

/* NULL: not a pattern, why[] says so. Caller frees. */
struct regex *regex_new(str java, char why[200]);
void regex_free(struct regex *r);
/* Groups besides the whole match. */
unsigned regex_groups(const struct regex *r);
/* Number of a named group, -1 if there is none. */
int regex_group(const struct regex *r, str name);

enum regex_found { REGEX_NONE, REGEX_FOUND, REGEX_LIMIT };
/* Searches from byte `from`. A match's offsets are read with regex_span; one struct belongs to one thread. */
enum regex_found regex_find(struct regex *r, str subject, size_t from);
/* False: the group took no part. */
bool regex_span(const struct regex *r, unsigned group, size_t *from, size_t *to);
/* Where the next search begins after the match just found: after an empty one, a character on. */
size_t regex_next(const struct regex *r, str subject);

/* Java's pattern in PCRE2's language; false: an error, in why[]. */
bool regex_translate(str java, buf *out, char why[200]);

#endif
