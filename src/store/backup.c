/* SPDX-License-Identifier: Apache-2.0 */
/* Backups, and re-encryption, which is a backup into a file under another key. */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/enc.h"
#include "base/json.h"
#include "base/time.h"
#include "store/store_int.h"
#include "sys/clock.h"
#include "sys/files.h"

#define FORMAT 1
#define PAGES_PER_STEP 512
#define MAX_MANIFEST 65536u

static const char *const parts[] = {"meta.db", "mlflow.db", "history.db", "keys.json"};

/* ---- copying a file ---- */

static err *sync_file(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno("cannot open %s", path);
    err *e = fsync(fd) < 0 ? err_errno("cannot sync %s", path) : NULL;
    close(fd);
    return e ? e : files_sync_parent(path);
}

static err *copy_pages(struct conn *from, struct conn *to) {
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    if (!b) return conn_error(to, sqlite3_extended_errcode(to->db), "copying");
    int rc;
    do {
        rc = sqlite3_backup_step(b, PAGES_PER_STEP);
    } while (rc == SQLITE_OK);
    int end = sqlite3_backup_finish(b);
    if (rc == SQLITE_DONE && end == SQLITE_OK) return NULL;
    return conn_error(to, end != SQLITE_OK ? end : rc, "copying");
}

err *backup_copy(struct conn *c, const char *to, const char *vfs,
                 const unsigned char key[STORE_KEY_SIZE]) {
    struct conn *dest;
    unlink(to);
    TRY(conn_open_plain(to, vfs, key, c->file, &dest));
    if (chmod(to, 0600) < 0) {
        conn_end(dest);
        return err_errno("cannot set the mode of %s", to);
    }
    bool patient = c->patient;
    c->patient = true;
    conn_start_clock(c);
    err *e = conn_exec(dest, "PRAGMA journal_mode = OFF");
    if (!e) e = copy_pages(c, dest);
    c->patient = patient;
    conn_start_clock(c);
    conn_end(dest);
    if (!e) e = sync_file(to);
    if (e) unlink(to);
    return err_while(e, "copying the store %s to %s", store_file_names[c->file], to);
}

static err *copy_plain(const char *from, const char *to) {
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) return err_errno("cannot open %s", from);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    err *e = out < 0 ? err_errno("cannot make %s", to) : NULL;
    char *p = malloc(1 << 16);
    must(p != NULL);
    while (!e) {
        ssize_t n = read(in, p, 1 << 16);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) e = err_errno("cannot read %s", from);
        if (n <= 0) break;
        e = files_write_fd(out, to, p, (size_t)n);
    }
    if (!e && fsync(out) < 0) e = err_errno("cannot sync %s", to);
    free(p);
    close(in);
    if (out >= 0) close(out);
    return e;
}

/* ---- the manifest ---- */

static err *digest(const char *path, int64_t *ret_size, char hex[65]) {
    unsigned char md[32], *p = malloc(1 << 16);
    unsigned int n_md = 0;
    must(p != NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        free(p);
        return err_errno("cannot open %s", path);
    }
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    must(c && EVP_DigestInit_ex(c, EVP_sha256(), NULL) == 1);
    err *e = NULL;
    *ret_size = 0;
    for (;;) {
        ssize_t n = read(fd, p, 1 << 16);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) e = err_errno("cannot read %s", path);
        if (n <= 0) break;
        must(EVP_DigestUpdate(c, p, (size_t)n) == 1);
        *ret_size += n;
    }
    must(EVP_DigestFinal_ex(c, md, &n_md) == 1);
    EVP_MD_CTX_free(c);
    close(fd);
    free(p);
    for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", md[i]);
    return e;
}

static err *write_manifest(const char *dir, struct backup_info *info) {
    char path[PATH_MAX], hex[65];
    arena *a = arena_new();
    jdoc *d = json_doc(a);
    jmut *root = yyjson_mut_obj(d);
    json_put_int(d, root, "format", FORMAT);
    json_put_z(d, root, "made_at", time_rfc3339(a, info->made_at, 6));
    json_put_z(d, root, "master", info->master);
    jmut *seq = json_put_obj(d, root, "sequence"), *files = json_put_arr(d, root, "files");
    for (int f = 0; f < STORE_FILES; f++)
        json_put_int(d, seq, store_file_names[f], info->sequence[f]);
    err *e = NULL;
    for (size_t i = 0; i < ARRAY_LEN(parts) && !e; i++) {
        int64_t size;
        snprintf(path, sizeof(path), "%s/%s", dir, parts[i]);
        e = digest(path, &size, hex);
        jmut *o = json_add_obj(d, files);
        json_put_z(d, o, "name", parts[i]);
        json_put_int(d, o, "size", size);
        json_put_z(d, o, "sha256", arena_strdup(a, hex));
        info->bytes += size;
    }
    snprintf(path, sizeof(path), "%s/manifest.json", dir);
    if (!e) e = files_write(path, json_text(a, root), 0600);
    arena_free(a);
    return e;
}

static err *check_part(const char *dir, jval *o) {
    char path[PATH_MAX], hex[65];
    int64_t size, want;
    str name = json_get_str(o, "name");
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) known |= str_eqz(name, parts[i]);
    if (!known || !json_i64(json_get(o, "size"), &want))
        return err_new(ERR_DATA_LOSS, "The manifest of %s names the file '%.*s'.", dir,
                       STR_ARG(str_cut(name, 60)));
    snprintf(path, sizeof(path), "%s/%.*s", dir, STR_ARG(name));
    TRY(digest(path, &size, hex));
    if (size == want && str_eqz(json_get_str(o, "sha256"), hex)) return NULL;
    return err_hint(err_new(ERR_DATA_LOSS, "%s is not the file that was backed up.", path),
                    "Use another backup.");
}

static err *read_manifest(const char *dir, arena *a, jval *root, struct backup_info *info) {
    (void)a;
    int64_t format;
    if (!json_i64(json_get(root, "format"), &format) || format != FORMAT)
        return err_new(ERR_INVALID_STATE,
                       "The backup in %s has a format that this version does not know.", dir);
    jval *files = json_get(root, "files"), *seq = json_get(root, "sequence");
    if (yyjson_arr_size(files) != ARRAY_LEN(parts))
        return err_new(ERR_DATA_LOSS, "The manifest of %s does not name all files.", dir);
    for (int f = 0; f < STORE_FILES; f++)
        if (!json_i64(json_get(seq, store_file_names[f]), &info->sequence[f]))
            info->sequence[f] = 0;
    if (!time_parse_rfc3339(json_get_str(root, "made_at"), &info->made_at)) info->made_at = 0;
    snprintf(info->master, sizeof(info->master), "%.*s", STR_ARG(json_get_str(root, "master")));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        int64_t size = 0;
        TRY(check_part(dir, yyjson_arr_get(files, i)));
        if (json_i64(json_get(yyjson_arr_get(files, i), "size"), &size)) info->bytes += size;
    }
    return NULL;
}

err *store_backup_verify(const char *dir, struct backup_info *ret) {
    struct backup_info info = {0};
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/manifest.json", dir);
    buf b = {0};
    arena *a = arena_new();
    jval *root;
    err *e = files_read(path, MAX_MANIFEST, &b);
    if (!e) e = json_parse(a, buf_view(&b), false, &root);
    if (!e) e = read_manifest(dir, a, root, &info);
    arena_free(a);
    buf_free(&b);
    if (!e && ret) *ret = info;
    return err_while(e, "reading the backup in %s", dir);
}

/* ---- backup and restore ---- */

static err *empty_folder(const char *dir) {
    struct files_names names;
    TRY(files_mkdirs(dir, 0700));
    TRY(files_list(dir, 10000, &names));
    size_t n = names.n;
    files_names_free(&names);
    if (!n) return NULL;
    return err_hint(err_new(ERR_INVALID_STATE, "The folder %s is not empty.", dir),
                    "Name a new or empty one.");
}

/* Between two groups of every writer: what was acknowledged to anybody is in all three snapshots
 * or in none. The writers stand still only until the snapshots have begun. */
static err *snapshots(store *s, store_tx *tx[STORE_FILES]) {
    err *e = NULL;
    for (int f = 0; f < STORE_FILES; f++) pthread_mutex_lock(&s->writers[f].group);
    for (int f = 0; f < STORE_FILES && !e; f++)
        e = store_read_begin(s, (enum store_file)f, 0, &tx[f]);
    for (int f = STORE_FILES - 1; f >= 0; f--) pthread_mutex_unlock(&s->writers[f].group);
    return e;
}

static err *copy_all(store *s, store_tx *tx[STORE_FILES], const char *dir) {
    char from[PATH_MAX], to[PATH_MAX];
    for (int f = 0; f < STORE_FILES; f++) {
        conn_path(dir, (enum store_file)f, to);
        TRY(backup_copy(tx[f]->c, to, NULL, keys_of(s->keys, (enum keys_name)f)));
    }
    snprintf(from, sizeof(from), "%s/keys.json", s->dir);
    snprintf(to, sizeof(to), "%s/keys.json", dir);
    return copy_plain(from, to);
}

err *store_backup(store *s, const char *dir, struct backup_info *ret) {
    must_magic(s, STORE_MAGIC);
    store_tx *tx[STORE_FILES] = {0};
    struct backup_info info = {.made_at = clock_now()};
    TRY(empty_folder(dir));
    err *e = snapshots(s, tx);
    for (int f = 0; f < STORE_FILES && !e; f++) info.sequence[f] = store_tx_seq(tx[f]);
    snprintf(info.master, sizeof(info.master), "%s", keys_master_fingerprint(s->keys));
    if (!e) e = copy_all(s, tx, dir);
    for (int f = 0; f < STORE_FILES; f++) store_read_end(tx[f]);
    if (!e) e = write_manifest(dir, &info);
    if (!e && ret) *ret = info;
    return err_while(e, "making a backup in %s", dir);
}

static err *restore_files(const char *from, const struct store_options *o) {
    char a[PATH_MAX], b[PATH_MAX];
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        snprintf(a, sizeof(a), "%s/%s", from, parts[i]);
        snprintf(b, sizeof(b), "%s/%s", o->dir, parts[i]);
        TRY(copy_plain(a, b));
    }
    TRY(files_sync_parent(b));
    struct store_options again = *o;
    again.must_exist = true;
    store *s;
    TRY(store_open(&again, &s));
    err *e = store_check(s);
    store_close(s);
    return e;
}

err *store_restore(const char *from, const struct store_options *o, struct backup_info *ret) {
    TRY(empty_folder(o->dir));
    TRY(store_backup_verify(from, ret));
    err *e = restore_files(from, o);
    if (!e) return NULL;
    err *again = files_remove_tree(o->dir, 1000);
    err_free(again);
    return err_while(e, "restoring %s", from);
}

/* ---- re-encryption ---- */

/* The old file's WAL must be empty before the new one takes its place: a WAL belongs to its file.
 */
static err *swap_file(struct conn **c, const char *path, const char *fresh) {
    char side[PATH_MAX + 8];
    TRY(conn_exec(*c, "PRAGMA wal_checkpoint(TRUNCATE)"));
    conn_end(*c);
    *c = NULL;
    for (int i = 0; i < 2; i++) {
        snprintf(side, sizeof(side), "%s%s", path, i ? "-shm" : "-wal");
        if (unlink(side) < 0 && errno != ENOENT) return err_errno("cannot remove %s", side);
    }
    if (rename(fresh, path) < 0) return err_errno("cannot rename %s", fresh);
    return files_sync_parent(path);
}

static err *reencrypt_file(const struct store_options *o, struct keys *k, enum store_file f) {
    const unsigned char *master = (const unsigned char *)o->master_key.p;
    enum keys_name name = (enum keys_name)f;
    char path[PATH_MAX - 8], fresh[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s.db", o->dir, store_file_names[f]);
    snprintf(fresh, sizeof(fresh), "%s.new", path);
    struct conn *c = NULL;
    TRY(keys_set_next(k, o->dir, master, name));
    TRY(conn_open(path, o->vfs, keys_of(k, name), f, false, false, &c));
    err *e = conn_exec(c, "BEGIN");
    if (!e) e = backup_copy(c, fresh, o->vfs, keys_next_of(k, name));
    if (!e) e = conn_exec(c, "COMMIT");
    if (!e) e = swap_file(&c, path, fresh);
    if (c) conn_end(c);
    if (!e) e = keys_take_next(k, o->dir, master, name);
    if (e) unlink(fresh);
    return e;
}

err *keys_reencrypt(const struct store_options *o) {
    /* Opening finishes what an earlier re-encryption began, and proves that all is well. */
    struct store_options again = *o;
    again.must_exist = true;
    store *s;
    TRY(store_open(&again, &s));
    store_close(s);
    struct keys *k;
    TRY(keys_open(o->dir, (const unsigned char *)o->master_key.p, false, &k));
    err *e = NULL;
    for (int f = 0; f < STORE_FILES && !e; f++) e = reencrypt_file(o, k, (enum store_file)f);
    keys_close(k);
    return e;
}
