/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that work on a data folder by themselves: restore, rotate-key. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "main/cli.h"
#include "main/copy.h"
#include "store/backup.h"
#include "store/keys.h"
#include "sys/files.h"

/* ---- restore ---- */

static const char RESTORE_USAGE[] =
    "usage: boathouse restore BACKUP --data DIR [--key FILE]\n\n"
    "Makes a data folder from a backup. DIR must be empty or missing. The master key is read from FILE\n"
    "(the old folder's master.key), or from BOATHOUSE_MASTER_KEY.\n";
static const char *const RESTORE_OPTIONS[] = {"--key=", NULL};

static err *read_key(const char *file, unsigned char key[STORE_KEY_SIZE], bool *ret_from_env) {
    TRY(keys_master_env(key, ret_from_env));
    if (*ret_from_env) return NULL;
    if (!file)
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "The backup can only be opened with its master key."),
                        "Name the file with --key, or set BOATHOUSE_MASTER_KEY.");
    return keys_master_file(file, false, key);
}

static err *write_key(const char *dir, const unsigned char key[STORE_KEY_SIZE]) {
    char path[PATH_MAX], hex[2 * STORE_KEY_SIZE + 2];
    for (size_t i = 0; i < STORE_KEY_SIZE; i++) snprintf(hex + 2 * i, 3, "%02x", key[i]);
    hex[2 * STORE_KEY_SIZE] = '\n';
    snprintf(path, sizeof(path), "%.3900s/master.key", dir);
    err *e = files_create(path, str_n(hex, 2 * STORE_KEY_SIZE + 1), 0600);
    keys_wipe(hex, sizeof(hex));
    return e;
}

static err *restore(const char *from, const char *dir, const char *key_file) {
    unsigned char key[STORE_KEY_SIZE];
    bool from_env = false;
    struct files_names names = {0};
    TRY(files_mkdirs(dir, 0755));
    TRY(files_list(dir, 100000, &names));
    size_t n = names.n;
    files_names_free(&names);
    if (n)
        return err_hint(err_new(ERR_INVALID_STATE, "The folder %s is not empty.", dir),
                        "Name an empty or missing folder with --data.");
    TRY(read_key(key_file, key, &from_env));
    char store_dir[PATH_MAX], a[PATH_MAX], b[PATH_MAX];
    snprintf(store_dir, sizeof(store_dir), "%.3900s/store", dir);
    struct store_options o = {.dir = store_dir, .master_key = str_n((char *)key, sizeof(key))};
    struct backup_info info;
    err *e = store_restore(from, &o, &info);
    if (!e && !from_env) e = write_key(dir, key);
    keys_wipe(key, sizeof(key));
    snprintf(a, sizeof(a), "%.3900s/storage", from);
    snprintf(b, sizeof(b), "%.3900s/storage", dir);
    if (!e && files_exists(a)) e = copy_tree(a, b);
    if (!e)
        printf("%s: everything up to sequence %lld; start it with `boathouse serve --data %s`\n", dir,
               (long long)info.sequence[STORE_META], dir);
    return e;
}

int cmd_restore(int argc, char **argv) {
    if (cli_help(argc, argv)) return cli_usage(RESTORE_USAGE, true);
    struct cli_args a;
    err *e = cli_parse(argc, argv, RESTORE_OPTIONS, &a);
    if (e || a.word_n != 1) return e ? main_fail(e, 2) : cli_usage(RESTORE_USAGE, false);
    e = restore(a.word[0], a.data, a.value[0]);
    return e ? main_fail(e, 1) : 0;
}

/* ---- rotate-key ---- */

static const char ROTATE_USAGE[] =
    "usage: boathouse rotate-key [--data DIR]          a new master key; the platform may run\n"
    "       boathouse rotate-key --full [--data DIR]   and new data keys: re-encrypts everything; the\n"
    "                                                  platform must be stopped\n";
static const char *const ROTATE_OPTIONS[] = {"--full", NULL};

static err *rotate(const char *dir, bool full) {
    char store_dir[PATH_MAX], key_path[PATH_MAX], lock_path[PATH_MAX];
    snprintf(store_dir, sizeof(store_dir), "%.3900s/store", dir);
    snprintf(key_path, sizeof(key_path), "%.3900s/master.key", dir);
    snprintf(lock_path, sizeof(lock_path), "%.3900s/lock", dir);
    if (!keys_exist(store_dir))
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "There are no stores in %s.", dir);
    if (!files_exists(key_path))
        return err_hint(err_new(ERR_INVALID_STATE, "The master key is not in %s.", key_path),
                        "A key that comes from elsewhere is changed there.");
    int lock = -1;
    if (full) TRY(err_hint(files_lock(lock_path, &lock), "Stop the platform first: `--full` re-encrypts its files."));
    err *e = keys_rotate_file(store_dir, key_path);
    unsigned char key[STORE_KEY_SIZE];
    if (!e && full) e = keys_master_file(key_path, false, key);
    if (!e && full) {
        struct store_options o = {.dir = store_dir, .master_key = str_n((char *)key, sizeof(key)), .must_exist = true};
        e = keys_reencrypt(&o);
        keys_wipe(key, sizeof(key));
    }
    if (lock >= 0) close(lock);
    if (!e) printf("%s is a new key now; backups made before open with the old one only\n", key_path);
    return e;
}

int cmd_rotate_key(int argc, char **argv) {
    if (cli_help(argc, argv)) return cli_usage(ROTATE_USAGE, true);
    struct cli_args a;
    err *e = cli_parse(argc, argv, ROTATE_OPTIONS, &a);
    if (e || a.word_n) return e ? main_fail(e, 2) : cli_usage(ROTATE_USAGE, false);
    e = rotate(a.data, a.value[0] != NULL);
    return e ? main_fail(e, 1) : 0;
}
