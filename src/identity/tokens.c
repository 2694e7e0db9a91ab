/* SPDX-License-Identifier: Apache-2.0 */
/* Personal access tokens: 256 random bits, kept as SHA-256, shown once. */
#include <stdio.h>

#include "base/enc.h"
#include "identity/identity.h"
#include "policy/credential.h"
#include "sys/rand.h"

err *identity_token_create(store_tx *tx, int64_t workspace, int64_t principal, str comment,
                           int64_t lifetime_us, struct new_token *ret) {
    memset(ret, 0, sizeof(*ret));
    memcpy(ret->text, TOKEN_PREFIX, 4);
    rand_hex(ret->text + 4, 32);
    credential_hash(str_of(ret->text), ret->hash);
    rand_hex(ret->id, 32);
    ret->row = (struct ent_token){
        .token_id = str_of(ret->id),
        .hash = str_n((char *)ret->hash, 32),
        .principal_id = principal,
        .comment = comment,
        .expires_at = lifetime_us ? store_tx_time(tx) + lifetime_us : 0,
    };
    return ent_token_insert(tx, (struct store_scope){IDENTITY_ACCOUNT, workspace}, &ret->row);
}

str identity_token_fact(arena *a, const struct ent_token *t) {
    buf b = {0};
    buf_u64(&b, (uint64_t)t->principal_id);
    buf_u64(&b, (uint64_t)t->workspace);
    buf_u64(&b, (uint64_t)t->expires_at);
    buf_u32(&b, (uint32_t)t->token_id.n);
    buf_str(&b, t->token_id);
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}
