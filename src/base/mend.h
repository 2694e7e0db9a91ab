/* SPDX-License-Identifier: Apache-2.0 */
/* For what is written out as UTF-8 and may have been cut, or have come from outside. */
#ifndef BH_BASE_MEND_H
#define BH_BASE_MEND_H

#include <stddef.h>

/* Takes out, in place, the bytes that are no character of UTF-8; the length that is left. */
size_t mend_utf8(char *p, size_t n);

#endif
