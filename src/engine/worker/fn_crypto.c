/* SPDX-License-Identifier: Apache-2.0 */
/* aes_encrypt, aes_decrypt: ECB and CBC with PKCS padding, GCM. The vector stands before the text, GCM's tag after. */
#include <openssl/evp.h>
#include <stdio.h>

#include "engine/worker/fn_int.h"
#include "sys/rand.h"

enum mode { ECB, CBC, GCM };
#define TAG_N 16

/* Arguments: text, key, mode, padding, [iv], aad. */
static bool read_mode(struct fn_call *c, enum mode *ret) {
    static const struct { const char *mode, *padding; enum mode m; } known[] = {
        {"ECB", "PKCS", ECB}, {"ECB", "DEFAULT", ECB}, {"CBC", "PKCS", CBC}, {"CBC", "DEFAULT", CBC}, {"GCM", "NONE", GCM}, {"GCM", "DEFAULT", GCM},
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_ieq(fn_str(c, 2), str_of(known[i].mode)) && str_ieq(fn_str(c, 3), str_of(known[i].padding))) {
            *ret = known[i].m;
            return true;
        }
    fn_fail_with(c, "UNSUPPORTED_FEATURE.AES_MODE",
                 (struct fn_param[]){{"mode", fn_str(c, 2)}, {"padding", fn_str(c, 3)}, {"functionName", STR("`aes_encrypt`/`aes_decrypt`")}}, 3);
    return false;
}

static const EVP_CIPHER *cipher(struct fn_call *c, enum mode m, size_t key) {
    switch (key) {
    case 16: return m == ECB ? EVP_aes_128_ecb() : m == CBC ? EVP_aes_128_cbc() : EVP_aes_128_gcm();
    case 24: return m == ECB ? EVP_aes_192_ecb() : m == CBC ? EVP_aes_192_cbc() : EVP_aes_192_gcm();
    case 32: return m == ECB ? EVP_aes_256_ecb() : m == CBC ? EVP_aes_256_cbc() : EVP_aes_256_gcm();
    default: {
        char n[24];
        snprintf(n, sizeof(n), "%zu", key);
        fn_fail(c, "INVALID_PARAMETER_VALUE.AES_KEY_LENGTH", "parameter", "`key`", "functionName", "`aes_encrypt`/`aes_decrypt`", "actualLength", n, NULL);
        return NULL;
    }
    }
}

static void crypto_error(struct fn_call *c, const char *why) {
    fn_fail(c, "INVALID_PARAMETER_VALUE.AES_CRYPTO_ERROR", "parameter", "`expr`, `key`", "functionName", "`aes_encrypt`/`aes_decrypt`", "detailMessage", why, NULL);
}

static bool check_iv(struct fn_call *c, enum mode m, str iv, str aad) {
    static const char *const names[] = {"ECB", "CBC", "GCM"};
    size_t want = m == CBC ? 16 : m == GCM ? 12 : 0;
    if (iv.n && m == ECB) fn_fail(c, "UNSUPPORTED_FEATURE.AES_MODE_IV", "mode", names[m], "functionName", "`aes_encrypt`", NULL);
    else if (aad.n && m != GCM) fn_fail(c, "UNSUPPORTED_FEATURE.AES_MODE_AAD", "mode", names[m], "functionName", "`aes_encrypt`", NULL);
    else if (iv.n && iv.n != want) {
        char n[24];
        snprintf(n, sizeof(n), "%zu", iv.n);
        fn_fail(c, m == CBC ? "INVALID_PARAMETER_VALUE.AES_IV_LENGTH" : "INVALID_PARAMETER_VALUE.AES_IV_LENGTH", "mode", names[m], "parameter", "`iv`",
                "functionName", "`aes_encrypt`", "actualLength", n, NULL);
    } else return true;
    return false;
}

static void aes_encrypt(struct fn_call *c) {
    enum mode m;
    str s = fn_str(c, 0), key = fn_str(c, 1), iv = fn_str(c, 4), aad = fn_str(c, 5);
    if (!read_mode(c, &m)) return;
    const EVP_CIPHER *ci = cipher(c, m, key.n);
    if (!ci || !check_iv(c, m, iv, aad)) return;
    unsigned char made[16];
    size_t iv_n = m == CBC ? 16 : m == GCM ? 12 : 0;
    if (!iv.n && iv_n) {
        rand_bytes(made, iv_n);
        iv = str_n((const char *)made, iv_n);
    }
    if (s.n > FN_TEXT_MAX - 64) return;
    EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
    buf *b = fn_text(c);
    buf_str(b, iv);
    int n = 0, last = 0;
    bool ok = x && EVP_EncryptInit_ex(x, ci, NULL, (const unsigned char *)key.p, iv.n ? (const unsigned char *)iv.p : NULL) == 1;
    if (ok && aad.n) ok = EVP_EncryptUpdate(x, NULL, &n, (const unsigned char *)aad.p, (int)aad.n) == 1;
    unsigned char *out = (unsigned char *)buf_reserve(b, s.n + 32);
    ok = ok && out && EVP_EncryptUpdate(x, out, &n, (const unsigned char *)s.p, (int)s.n) == 1 && EVP_EncryptFinal_ex(x, out + n, &last) == 1;
    if (ok) {
        b->n += (size_t)(n + last);
        if (m == GCM) {
            unsigned char tag[TAG_N];
            ok = EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_GET_TAG, TAG_N, tag) == 1;
            buf_add(b, tag, TAG_N);
        }
    }
    EVP_CIPHER_CTX_free(x);
    if (ok) fn_ret_buf(c, b);
    else crypto_error(c, "the text cannot be encrypted");
}

/* Arguments: text, key, mode, padding, aad. tag: NULL where it fails. */
static void aes_decrypt(struct fn_call *c) {
    enum mode m;
    str s = fn_str(c, 0), key = fn_str(c, 1), aad = fn_str(c, 4);
    if (!read_mode(c, &m)) return;
    const EVP_CIPHER *ci = cipher(c, m, key.n);
    if (!ci || !check_iv(c, m, STR_NONE, aad)) return;
    size_t iv_n = m == CBC ? 16 : m == GCM ? 12 : 0, tag_n = m == GCM ? TAG_N : 0;
    bool ok = s.n >= iv_n + tag_n;
    buf *b = fn_text(c);
    if (ok) {
        str iv = str_cut(s, iv_n), body = str_n(s.p + iv_n, s.n - iv_n - tag_n);
        EVP_CIPHER_CTX *x = EVP_CIPHER_CTX_new();
        int n = 0, last = 0;
        ok = x && EVP_DecryptInit_ex(x, ci, NULL, (const unsigned char *)key.p, iv_n ? (const unsigned char *)iv.p : NULL) == 1;
        if (ok && aad.n) ok = EVP_DecryptUpdate(x, NULL, &n, (const unsigned char *)aad.p, (int)aad.n) == 1;
        unsigned char *out = (unsigned char *)buf_reserve(b, body.n + 32);
        ok = ok && out && EVP_DecryptUpdate(x, out, &n, (const unsigned char *)body.p, (int)body.n) == 1;
        if (ok && tag_n) ok = EVP_CIPHER_CTX_ctrl(x, EVP_CTRL_GCM_SET_TAG, TAG_N, (void *)(uintptr_t)(body.p + body.n)) == 1;
        ok = ok && EVP_DecryptFinal_ex(x, out + n, &last) == 1;
        if (ok) b->n += (size_t)(n + last);
        EVP_CIPHER_CTX_free(x);
    }
    if (ok) fn_ret_buf(c, b);
    else if (!c->def->tag) crypto_error(c, m == GCM ? "Tag mismatch" : "Given final block not properly padded. Such issues can arise if a bad key is used during decryption.");
}

static const struct fn_def defs[] = {
    {"bh_aes_encrypt", "bbssbb:b", aes_encrypt, FN_VOLATILE, 0},
    {"bh_aes_decrypt", "bbssb:b", aes_decrypt, 0, 0},
    {"bh_try_aes_decrypt", "bbssb:b", aes_decrypt, 0, 1},
};
const struct fn_table fn_table_crypto = {defs, ARRAY_LEN(defs)};
