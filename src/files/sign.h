/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed URLs: they carry no Authorization, so everything they allow is in them and signed.
 *
 *   /api/boathouse/signed/<base64url( mac(16) || text )>
 *   text: verb '\n' account '\n' workspace '\n' expires us '\n' principal '\n' extra '\n' path
 *
 * The MAC is HMAC-SHA-256 under a key derived for this purpose, cut to 16 bytes. `extra` is empty,
 * "part <upload token> <number>", "abort <upload token>", or "remove" (the file itself). An expired URL answers 403 with the XML
 * body that S3 clients know, so that they ask for a new one.
 */
#ifndef BH_FILES_SIGN_H
#define BH_FILES_SIGN_H

#include "rest/control.h"

#define SIGN_PREFIX "/api/boathouse/signed/"
#define SIGN_LIFE_US (15ll * 60 * 1000000)

struct signed_url {
    str verb, path, extra;
    struct store_scope scope;
    int64_t expires, principal;
};

/* A whole URL on the door that the client came through. life 0: SIGN_LIFE_US. */
str files_sign_url(struct req *r, struct store_scope scope, str path, const char *verb, str extra,
                   int64_t life_us);
/* From the path's last segment. PERMISSION_DENIED: not ours, or of another verb; *ret_expired set
 * when it is ours and too old. */
err *files_check_url(struct req *r, str token, str verb, struct signed_url *ret, bool *ret_expired)
    BH_CHECK;

#endif
