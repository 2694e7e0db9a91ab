/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text encodings of bytes: hex, base64 (RFC 4648, standard and URL alphabets), percent (RFC 3986).
 */
#ifndef BH_BASE_ENC_H
#define BH_BASE_ENC_H

#include "base/buf.h"

void enc_hex(buf *out, str bytes);
/* Strict: even length, only hex digits. */
bool enc_unhex(buf *out, str hex);

void enc_base64(buf *out, str bytes);
/* URL alphabet, no padding. */
void enc_base64url(buf *out, str bytes);
/* Accepts both alphabets, padding optional; false on anything else. */
bool enc_unbase64(buf *out, str text);

/* Percent-encodes all but unreserved characters and those in `keep`. */
void enc_percent(buf *out, str s, const char *keep);
/* Decodes %XX, and '+' to a blank if `plus`. False on a malformed escape. */
bool enc_unpercent(buf *out, str s, bool plus);

#endif
