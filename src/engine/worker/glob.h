/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Patterns of file names, as Hadoop's paths have them; inside one part of a path:
 *
 *   *  any characters      [abc] [a-z] [^a-z]  one character (of bytes below 0x80; others stand in no set)
 *   ?  one character       {ab,c*}             one of these patterns, which may have braces themselves
 *
 * A bracket or brace that is not closed stands for itself.
 */
#ifndef BH_ENGINE_WORKER_GLOB_H
#define BH_ENGINE_WORKER_GLOB_H

#include "base/str.h"

/* Has it one of * ? [ {? */
bool glob_is(str text);
/* Pure. Patterns whose braces give more than a thousand others match nothing. */
bool glob_matches(str pattern, str name);

#endif
