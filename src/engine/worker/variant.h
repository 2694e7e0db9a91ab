/* SPDX-License-Identifier: Apache-2.0 */
/* Variants built and walked (show.h writes them as JSON). */
#ifndef BH_ENGINE_WORKER_VARIANT_H
#define BH_ENGINE_WORKER_VARIANT_H

#include "base/buf.h"
#include "base/str.h"

/* Appends the stored form of JSON text; false: no JSON, or too large or deep, or a key stands twice in an object. */
bool variant_of_json(str text, buf *out);
/* Appends the part at a path ($.a[0]['b']). 1: found, 0: not there, or the bytes are malformed; -1: the text is no path. */
int variant_part(str variant, str path, buf *out);

#endif
