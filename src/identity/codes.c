/* SPDX-License-Identifier: Apache-2.0 */
#include "identity/codes.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/enc.h"
#include "base/map.h"
#include "sys/rand.h"

struct codes {
    map *by_hash; /* SHA-256 of the code -> struct code_grant: a lookup tells nothing by its time */
};

struct codes *codes_new(void) {
    struct codes *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->by_hash = map_new();
    return c;
}

void codes_free(struct codes *c) {
    if (!c) return;
    str k;
    void *v;
    for (size_t i = 0; map_next(c->by_hash, &i, &k, &v);) free(v);
    map_free(c->by_hash);
    free(c);
}

static str hash_of(str code, unsigned char out[32]) {
    SHA256((const unsigned char *)code.p, code.n, out);
    return str_n((const char *)out, 32);
}

static void drop(struct codes *c, str key) {
    struct code_grant *g = map_get(c->by_hash, key);
    map_del(c->by_hash, key);
    free(g);
}

/* Room for one more: what expired goes first, then whatever is oldest. */
static void make_room(struct codes *c, int64_t now_us) {
    while (map_size(c->by_hash) >= CODES_MAX) {
        int64_t oldest = INT64_MAX;
        char key[32];
        str k;
        void *v;
        for (size_t i = 0; map_next(c->by_hash, &i, &k, &v);) {
            struct code_grant *g = v;
            if (g->expires_us >= oldest) continue;
            oldest = g->expires_us;
            memcpy(key, k.p, sizeof(key));
            if (oldest <= now_us) break;
        }
        drop(c, str_n(key, sizeof(key)));
    }
}

void codes_put(struct codes *c, const struct code_grant *g, int64_t now_us, char ret_code[65]) {
    make_room(c, now_us);
    struct code_grant *copy = malloc(sizeof(*copy));
    must(copy != NULL);
    *copy = *g;
    copy->expires_us = now_us + CODES_LIFE_US;
    rand_hex(ret_code, 32);
    unsigned char h[32];
    map_put(c->by_hash, hash_of(str_of(ret_code), h), copy);
}

bool codes_take(struct codes *c, str code, int64_t now_us, struct code_grant *ret) {
    unsigned char h[32];
    str key = hash_of(code, h);
    struct code_grant *g = map_get(c->by_hash, key);
    if (!g) return false;
    *ret = *g;
    drop(c, key);
    return ret->expires_us > now_us;
}

static bool unreserved(char ch) {
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           (ch && strchr("-._~", ch));
}

bool codes_verifier_fits(str verifier, const char *challenge) {
    if (verifier.n < 43 || verifier.n > 128) return false;
    for (size_t i = 0; i < verifier.n; i++)
        if (!unreserved(verifier.p[i])) return false;
    unsigned char h[32];
    buf b = {0};
    enc_base64url(&b, hash_of(verifier, h));
    bool ok = str_eq_secret(buf_view(&b), str_of(challenge));
    buf_free(&b);
    return ok;
}

bool codes_redirect_allowed(str uri) {
    static const char *const hosts[] = {"http://localhost", "http://127.0.0.1", "http://[::1]"};
    if (!uri.n || uri.n > CODES_MAX_TEXT || str_chr(uri, '#', 0) >= 0) return false;
    for (size_t i = 0; i < uri.n; i++)
        if (uri.p[i] <= ' ' || uri.p[i] == 0x7f || uri.p[i] == '\\') return false;
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        if (!str_starts(uri, str_of(hosts[i]))) continue;
        str rest = str_from(uri, strlen(hosts[i]));
        if (rest.n && rest.p[0] == ':') {
            size_t d = 1;
            while (d < rest.n && rest.p[d] >= '0' && rest.p[d] <= '9') d++;
            if (d == 1 || d > 6) return false;
            rest = str_from(rest, d);
        }
        return !rest.n || rest.p[0] == '/' || rest.p[0] == '?';
    }
    return false;
}
