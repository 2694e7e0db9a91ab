/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of the stores. A master key (32 bytes, never in the store's folder of files) wraps data
 * keys, one per store file and one from which further keys are derived. The wrapped keys stand in
 * keys.json (format: keys.c). Whoever has keys.json and the master key can open the files; the
 * files and keys.json without the master key are noise.
 */
#ifndef BH_STORE_KEYS_H
#define BH_STORE_KEYS_H

#include "base/err.h"
#include "store/store.h"

#define KEYS_FINGERPRINT_SIZE 33 /* 32 hex digits and a zero */

/* ---- where a master key comes from ---- */

/* A file with 64 hex digits, readable by its owner only. create: make it (mode 0600) when it is
 * missing; pass true only while there are no stores yet (keys_exist()). */
err *keys_master_file(const char *path, bool create, unsigned char ret[STORE_KEY_SIZE]) BH_CHECK;
/* Reads 64 hex digits (or 32 raw bytes) from a descriptor to its end; the caller closes it. */
err *keys_master_fd(int fd, unsigned char ret[STORE_KEY_SIZE]) BH_CHECK;
/* BOATHOUSE_MASTER_KEY, 64 hex digits: read once, wiped where it stood, removed. *ret_found false
 * where it is not set. */
err *keys_master_env(unsigned char ret[STORE_KEY_SIZE], bool *ret_found) BH_CHECK;
void keys_fingerprint(const unsigned char master[STORE_KEY_SIZE], char out[KEYS_FINGERPRINT_SIZE]);
void keys_wipe(void *p, size_t n);
bool keys_exist(const char *dir);

/* ---- data keys ---- */

enum keys_name { KEYS_META, KEYS_MLFLOW, KEYS_HISTORY, KEYS_DERIVE, KEYS_COUNT };

/* The unwrapped keys, in memory that is not dumped or swapped where the system allows. */
struct keys;

/* Reads dir/keys.json, or makes it with new data keys when it is missing and create is set.
 * INVALID_STATE with both fingerprints when the master key is another. */
err *keys_open(const char *dir, const unsigned char master[STORE_KEY_SIZE], bool create,
               struct keys **ret) BH_CHECK;
void keys_close(struct keys *k);
const unsigned char *keys_of(const struct keys *k, enum keys_name n);
/* The key that a file will have after a re-encryption that was cut short, or NULL. */
const unsigned char *keys_next_of(const struct keys *k, enum keys_name n);
const char *keys_master_fingerprint(const struct keys *k);

/* ---- rotation ---- */

/* A new master key in three steps, each of which may be the last before a power cut; every state
 * between opens with the old key or the new one:
 *   keys_rotate_begin()   keys.json opens with both
 *   the caller puts the new master key where the old one was
 *   keys_rotate_end()     keys.json opens with the new one only
 * May run while the stores are open. */
err *keys_rotate_begin(const char *dir, const unsigned char old_master[STORE_KEY_SIZE],
                       const unsigned char new_master[STORE_KEY_SIZE]) BH_CHECK;
err *keys_rotate_end(const char *dir, const unsigned char new_master[STORE_KEY_SIZE]) BH_CHECK;
/* All three for a master key file. */
err *keys_rotate_file(const char *dir, const char *key_path) BH_CHECK;

/* Re-encrypts the files under new data keys. The stores must be closed. Copies, then swaps, so that
 * a power cut leaves each file whole under the old key or the new one, and keys.json knows both. */
err *keys_reencrypt(const struct store_options *o) BH_CHECK;

/* For keys_reencrypt(): notes a next key for a file / makes it the current one. */
err *keys_set_next(struct keys *k, const char *dir, const unsigned char master[STORE_KEY_SIZE],
                   enum keys_name n) BH_CHECK;
err *keys_take_next(struct keys *k, const char *dir, const unsigned char master[STORE_KEY_SIZE],
                    enum keys_name n) BH_CHECK;

#endif
