/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Java's DateTimeFormatter patterns, as Spark uses them: compiled once, then dates written and read with them.
 *
 * Letters: G y u M L d D Q q E F a h K k H m s S V z O X x Z, 'text', [optional]. Those of week-based years and the
 * others that Spark forbids are errors. Texts are English; reading ignores case, and must use the whole text.
 */
#ifndef BH_ENGINE_WORKER_PATTERN_H
#define BH_ENGINE_WORKER_PATTERN_H

#include "base/buf.h"
#include "base/str.h"
#include "engine/worker/zone.h"

#define PATTERN_ITEMS 200

struct pattern;

enum pattern_fault { PATTERN_OK, PATTERN_LETTER, PATTERN_LENGTH, PATTERN_WEEK, PATTERN_UNKNOWN, PATTERN_OTHER };

/* NULL: *fault says why, *at which letter. Caller frees with free(). For reading, fewer letters are allowed: E, F, q
 * and Q are not. */
struct pattern *pattern_new(str text, bool reading, enum pattern_fault *fault, char *at);
/* Would the formatter of older versions (SimpleDateFormat) have taken it? Then Spark says so. */
bool pattern_was_legal(str text);
/* Writes an instant in a zone. */
void pattern_write(const struct pattern *p, int64_t us, const struct zone *z, buf *out);
/* Reads: missing fields are those of 1970-01-01 00:00. The text's own zone, if it has one, goes before z. */
bool pattern_read(const struct pattern *p, str text, const struct zone *z, int64_t *ret_us);
/* The local time; a zone in the text is read and does not matter. */
bool pattern_read_local(const struct pattern *p, str text, int64_t *ret_us);

#endif
