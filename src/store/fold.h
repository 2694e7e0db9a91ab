/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Folding of names whose case does not matter: Unicode full case folding, then NFC (utf8proc).
 * Two names are the same if their folded bytes are. Locale plays no part: 'I' folds to 'i' in
 * Turkey too, and 'ß' to 'ss'. What was stored under one version of the tables stays as it is, so
 * a change of the library's Unicode version takes a schema step that folds again.
 */
#ifndef BH_STORE_FOLD_H
#define BH_STORE_FOLD_H

#include "base/arena.h"
#include "base/str.h"

/* False if s is not UTF-8. The result lives in the arena. */
bool fold_text(arena *a, str s, str *ret) BH_CHECK;
/* NFC without folding. */
bool fold_nfc(arena *a, str s, str *ret) BH_CHECK;
/* Code points; s is valid UTF-8. */
size_t fold_length(str s);

#endif
