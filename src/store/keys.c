/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file keys.json.
 *
 *   {"format": 1,
 *    "wraps": [{"master": "<fingerprint>", "keys": {"meta": "<wrapped>", "mlflow": …, "history": …,
 *               "derive": …, "meta.next": …}}]}
 *
 * A wrapped key is base64 of  nonce (12 bytes) | AES-256-GCM of the 32 bytes | tag (16 bytes) under
 * the master key, with "boathouse key 1 <name>" as additional data, so that a wrap cannot be moved
 * to another name. The fingerprint is the first half of SHA-256("boathouse master key" | key).
 *
 * There is one entry of wraps, or two during a rotation of the master key; both then hold the same
 * keys. Opening with either finishes by keeping only the one that was used.
 * A name with ".next" is there during a re-encryption: the file of that name is under the one key
 * or the other, whole; whoever opens tries both (store.c). The file is replaced as a whole
 * (files_write), so every state that is ever seen is one of these.
 */
#include "store/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/enc.h"
#include "base/json.h"
#include "sys/files.h"
#include "sys/rand.h"

#define FORMAT 1
#define NONCE 12u
#define TAG 16u
#define WRAPPED (NONCE + STORE_KEY_SIZE + TAG)
#define MAX_FILE 65536u

struct keys {
    unsigned char key[KEYS_COUNT][STORE_KEY_SIZE], next[KEYS_COUNT][STORE_KEY_SIZE];
    bool has_next[KEYS_COUNT];
    char fingerprint[KEYS_FINGERPRINT_SIZE];
};

static const char *const names[KEYS_COUNT] = {"meta", "mlflow", "history", "derive"};

void keys_wipe(void *p, size_t n) { OPENSSL_cleanse(p, n); }

static struct keys *keys_new(void) {
    struct keys *k =
        mmap(NULL, sizeof(*k), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    must(k != MAP_FAILED);
    /* Best effort: some machines allow no locked memory. */
    (void)mlock(k, sizeof(*k));
    (void)madvise(k, sizeof(*k), MADV_DONTDUMP);
    return k;
}

void keys_close(struct keys *k) {
    if (!k) return;
    keys_wipe(k, sizeof(*k));
    munmap(k, sizeof(*k));
}

const unsigned char *keys_of(const struct keys *k, enum keys_name n) { return k->key[n]; }
const unsigned char *keys_next_of(const struct keys *k, enum keys_name n) {
    return k->has_next[n] ? k->next[n] : NULL;
}
const char *keys_master_fingerprint(const struct keys *k) { return k->fingerprint; }

void keys_fingerprint(const unsigned char master[STORE_KEY_SIZE], char out[KEYS_FINGERPRINT_SIZE]) {
    static const char label[] = "boathouse master key";
    unsigned char text[sizeof(label) - 1 + STORE_KEY_SIZE], digest[SHA256_DIGEST_LENGTH];
    memcpy(text, label, sizeof(label) - 1);
    memcpy(text + sizeof(label) - 1, master, STORE_KEY_SIZE);
    SHA256(text, sizeof(text), digest);
    keys_wipe(text, sizeof(text));
    for (int i = 0; i < 16; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* ---- where a master key comes from ---- */

static err *key_from_hex(str hex, const char *where, unsigned char ret[STORE_KEY_SIZE]) {
    buf b = {0};
    str text = str_trim(hex);
    bool ok = text.n == 2 * STORE_KEY_SIZE && enc_unhex(&b, text);
    if (ok) memcpy(ret, b.p, STORE_KEY_SIZE);
    if (b.p) keys_wipe(b.p, b.cap);
    buf_free(&b);
    if (ok) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "%s does not hold a master key (64 hex digits).",
                   where);
}

err *keys_master_file(const char *path, bool create, unsigned char ret[STORE_KEY_SIZE]) {
    struct stat st;
    if (stat(path, &st) < 0 && errno == ENOENT && create) {
        char hex[2 * STORE_KEY_SIZE + 2];
        rand_hex(hex, STORE_KEY_SIZE);
        hex[2 * STORE_KEY_SIZE] = '\n';
        err *e = files_create(path, str_n(hex, 2 * STORE_KEY_SIZE + 1), 0600);
        keys_wipe(hex, sizeof(hex));
        if (e) return err_while(e, "making the master key");
    }
    if (stat(path, &st) < 0)
        return err_hint(err_errno("cannot read the master key file %s", path),
                        "Put the key file back; without it nobody can open the stores.");
    if (st.st_mode & 077)
        return err_hint(err_new(ERR_INVALID_STATE,
                                "Others may read the master key file %s (mode %03o).", path,
                                st.st_mode & 0777),
                        "Run chmod 600 on it.");
    buf b = {0};
    err *e = files_read(path, 4096, &b);
    if (!e) e = key_from_hex(buf_view(&b), path, ret);
    if (b.p) keys_wipe(b.p, b.cap);
    buf_free(&b);
    return e;
}

err *keys_master_fd(int fd, unsigned char ret[STORE_KEY_SIZE]) {
    buf b = {0};
    err *e = files_read_fd(fd, "the descriptor of the master key", 4096, &b);
    if (!e && b.n == STORE_KEY_SIZE)
        memcpy(ret, b.p, STORE_KEY_SIZE);
    else if (!e)
        e = key_from_hex(buf_view(&b), "the descriptor", ret);
    if (b.p) keys_wipe(b.p, b.cap);
    buf_free(&b);
    return e;
}

err *keys_master_env(unsigned char ret[STORE_KEY_SIZE], bool *ret_found) {
    char *v = getenv("BOATHOUSE_MASTER_KEY");
    *ret_found = v != NULL;
    if (!v) return NULL;
    err *e = key_from_hex(str_of(v), "BOATHOUSE_MASTER_KEY", ret);
    keys_wipe(v, strlen(v));
    unsetenv("BOATHOUSE_MASTER_KEY");
    return e;
}

/* ---- wrapping ---- */

static bool seal(const unsigned char master[STORE_KEY_SIZE], const char *name,
                 const unsigned char key[STORE_KEY_SIZE], unsigned char out[WRAPPED]) {
    char aad[64];
    int n = snprintf(aad, sizeof(aad), "boathouse key 1 %s", name), len;
    rand_bytes(out, NONCE);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, master, out) == 1 &&
              EVP_EncryptUpdate(c, NULL, &len, (unsigned char *)aad, n) == 1 &&
              EVP_EncryptUpdate(c, out + NONCE, &len, key, STORE_KEY_SIZE) == 1 &&
              EVP_EncryptFinal_ex(c, out + NONCE + STORE_KEY_SIZE, &len) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + STORE_KEY_SIZE) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static bool unseal(const unsigned char master[STORE_KEY_SIZE], const char *name,
                   const unsigned char in[WRAPPED], unsigned char key[STORE_KEY_SIZE]) {
    char aad[64];
    unsigned char tag[TAG];
    int n = snprintf(aad, sizeof(aad), "boathouse key 1 %s", name), len;
    memcpy(tag, in + NONCE + STORE_KEY_SIZE, TAG);
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, master, in) == 1 &&
              EVP_DecryptUpdate(c, NULL, &len, (unsigned char *)aad, n) == 1 &&
              EVP_DecryptUpdate(c, key, &len, in + NONCE, STORE_KEY_SIZE) == 1 &&
              EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
              EVP_DecryptFinal_ex(c, key + STORE_KEY_SIZE, &len) == 1;
    EVP_CIPHER_CTX_free(c);
    return ok;
}

static void put_wrap(buf *out, const unsigned char master[STORE_KEY_SIZE], const char *name,
                     const unsigned char key[STORE_KEY_SIZE], bool first) {
    unsigned char w[WRAPPED];
    must(seal(master, name, key, w));
    buf_fmt(out, "%s\n      \"%s\": \"", first ? "" : ",", name);
    enc_base64(out, str_n((char *)w, sizeof(w)));
    buf_c(out, '"');
}

static void put_entry(buf *out, const struct keys *k, const unsigned char master[STORE_KEY_SIZE]) {
    char fp[KEYS_FINGERPRINT_SIZE];
    keys_fingerprint(master, fp);
    buf_fmt(out, "{\"master\": \"%s\", \"keys\": {", fp);
    for (int i = 0; i < KEYS_COUNT; i++) {
        char next[32];
        put_wrap(out, master, names[i], k->key[i], i == 0);
        snprintf(next, sizeof(next), "%s.next", names[i]);
        if (k->has_next[i]) put_wrap(out, master, next, k->next[i], false);
    }
    buf_z(out, "}}");
}

static void path_of(const char *dir, char out[PATH_MAX]) {
    snprintf(out, PATH_MAX, "%s/keys.json", dir);
}

bool keys_exist(const char *dir) {
    char path[PATH_MAX];
    path_of(dir, path);
    return files_exists(path);
}

/* other: a second master key that shall open the file, or NULL. */
static err *save(const struct keys *k, const char *dir, const unsigned char *master,
                 const unsigned char *other) {
    char path[PATH_MAX];
    path_of(dir, path);
    buf out = {0};
    buf_fmt(&out, "{\"format\": %d,\n \"wraps\": [", FORMAT);
    put_entry(&out, k, master);
    if (other) {
        buf_z(&out, ",\n  ");
        put_entry(&out, k, other);
    }
    buf_z(&out, "]}\n");
    err *e = files_write(path, buf_view(&out), 0600);
    buf_free(&out);
    return e;
}

/* ---- reading ---- */

static bool read_wrap(jval *o, const unsigned char master[STORE_KEY_SIZE], const char *name,
                      unsigned char key[STORE_KEY_SIZE]) {
    buf b = {0};
    bool ok = enc_unbase64(&b, json_get_str(o, name)) && b.n == WRAPPED &&
              unseal(master, name, (unsigned char *)b.p, key);
    buf_free(&b);
    return ok;
}

static err *read_entry(struct keys *k, jval *o, const unsigned char master[STORE_KEY_SIZE],
                       const char *path) {
    for (int i = 0; i < KEYS_COUNT; i++) {
        char next[32];
        snprintf(next, sizeof(next), "%s.next", names[i]);
        if (!read_wrap(o, master, names[i], k->key[i]))
            return err_new(ERR_DATA_LOSS, "%s: the key '%s' is damaged.", path, names[i]);
        k->has_next[i] = json_get(o, next) != NULL;
        if (k->has_next[i] && !read_wrap(o, master, next, k->next[i]))
            return err_new(ERR_DATA_LOSS, "%s: the key '%s' is damaged.", path, next);
    }
    return NULL;
}

static err *read_doc(struct keys *k, jval *root, const unsigned char master[STORE_KEY_SIZE],
                     const char *path) {
    int64_t format;
    if (!json_i64(json_get(root, "format"), &format) || format != FORMAT)
        return err_new(ERR_INVALID_STATE, "%s has a format that this version does not know.", path);
    jval *wraps = json_get(root, "wraps");
    str first = STR("none");
    keys_fingerprint(master, k->fingerprint);
    for (size_t i = 0; i < yyjson_arr_size(wraps); i++) {
        jval *w = yyjson_arr_get(wraps, i);
        str fp = json_get_str(w, "master");
        if (str_eqz(fp, k->fingerprint)) return read_entry(k, json_get(w, "keys"), master, path);
        if (i == 0) first = fp;
    }
    return err_hint(err_new(ERR_INVALID_STATE,
                            "The master key (fingerprint %s) is not the one of this folder (%.*s).",
                            k->fingerprint, STR_ARG(first)),
                    "Start with the key that the folder was made or last rotated with.");
}

static err *load(const char *dir, const unsigned char master[STORE_KEY_SIZE], struct keys *k,
                 size_t *ret_wraps) {
    char path[PATH_MAX];
    path_of(dir, path);
    buf b = {0};
    arena *a = arena_new();
    jval *root;
    err *e = files_read(path, MAX_FILE, &b);
    if (!e) e = json_parse(a, buf_view(&b), false, &root);
    if (!e) e = read_doc(k, root, master, path);
    if (!e) *ret_wraps = yyjson_arr_size(json_get(root, "wraps"));
    arena_free(a);
    buf_free(&b);
    return err_while(e, "reading %s", path);
}

err *keys_open(const char *dir, const unsigned char master[STORE_KEY_SIZE], bool create,
               struct keys **ret) {
    struct keys *k = keys_new();
    err *e;
    size_t wraps = 1;
    if (create && !keys_exist(dir)) {
        rand_bytes(k->key, sizeof(k->key));
        keys_fingerprint(master, k->fingerprint);
        e = save(k, dir, master, NULL);
    } else {
        e = load(dir, master, k, &wraps);
        /* A rotation that was cut short: the key in use is the one that counts. */
        if (!e && wraps > 1) e = save(k, dir, master, NULL);
    }
    if (e) {
        keys_close(k);
        return e;
    }
    *ret = k;
    return NULL;
}

/* ---- rotation ---- */

err *keys_rotate_begin(const char *dir, const unsigned char old_master[STORE_KEY_SIZE],
                       const unsigned char new_master[STORE_KEY_SIZE]) {
    struct keys *k;
    TRY(keys_open(dir, old_master, false, &k));
    err *e = save(k, dir, old_master, new_master);
    keys_close(k);
    return e;
}

err *keys_rotate_end(const char *dir, const unsigned char new_master[STORE_KEY_SIZE]) {
    struct keys *k;
    TRY(keys_open(dir, new_master, false, &k));
    keys_close(k);
    return NULL;
}

err *keys_rotate_file(const char *dir, const char *key_path) {
    unsigned char old_master[STORE_KEY_SIZE], new_master[STORE_KEY_SIZE];
    char hex[2 * STORE_KEY_SIZE + 2];
    TRY(keys_master_file(key_path, false, old_master));
    rand_bytes(new_master, sizeof(new_master));
    for (int i = 0; i < STORE_KEY_SIZE; i++) snprintf(hex + 2 * i, 3, "%02x", new_master[i]);
    hex[2 * STORE_KEY_SIZE] = '\n';
    err *e = keys_rotate_begin(dir, old_master, new_master);
    if (!e) e = files_write(key_path, str_n(hex, 2 * STORE_KEY_SIZE + 1), 0600);
    if (!e) e = keys_rotate_end(dir, new_master);
    keys_wipe(hex, sizeof(hex));
    keys_wipe(old_master, sizeof(old_master));
    keys_wipe(new_master, sizeof(new_master));
    return e;
}

err *keys_set_next(struct keys *k, const char *dir, const unsigned char master[STORE_KEY_SIZE],
                   enum keys_name n) {
    if (!k->has_next[n]) rand_bytes(k->next[n], STORE_KEY_SIZE);
    k->has_next[n] = true;
    return save(k, dir, master, NULL);
}

err *keys_take_next(struct keys *k, const char *dir, const unsigned char master[STORE_KEY_SIZE],
                    enum keys_name n) {
    must(k->has_next[n]);
    memcpy(k->key[n], k->next[n], STORE_KEY_SIZE);
    keys_wipe(k->next[n], STORE_KEY_SIZE);
    k->has_next[n] = false;
    return save(k, dir, master, NULL);
}
