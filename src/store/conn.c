/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite connections: opening with a raw key, pragmas, result codes into errors. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/store_int.h"
#include "sys/clock.h"

const char *const store_file_names[STORE_FILES] = {"meta", "mlflow", "history"};

void conn_path(const char *dir, enum store_file f, char *out) {
    snprintf(out, PATH_MAX, "%s/%s.db", dir, store_file_names[f]);
}

/* SQLite reports what it finds wrong by itself (a recovered WAL is a notice, not an error). */
static void on_sqlite_log(void *arg, int rc, const char *text) {
    (void)arg;
    if (rc == SQLITE_NOTICE_RECOVER_WAL || rc == SQLITE_SCHEMA || (rc & 0xff) == SQLITE_CONSTRAINT)
        return;
    log_debug("sqlite", lf_int("code", rc), lf_z("text", text));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_rc;

static void library_start(void) {
    sqlite3_config(SQLITE_CONFIG_LOG, on_sqlite_log, NULL);
    sqlite3 *db = NULL;
    once_rc = sqlite3_initialize();
    /* SQLCipher writes failed checks to stderr unless told otherwise; the setting is the
     * library's, whatever connection says it. */
    if (once_rc == SQLITE_OK) once_rc = sqlite3_open(":memory:", &db);
    if (once_rc == SQLITE_OK)
        once_rc = sqlite3_exec(db, "PRAGMA cipher_log_level = NONE", NULL, NULL, NULL);
    sqlite3_close(db);
}

err *conn_library(void) {
    pthread_once(&once, library_start);
    if (once_rc != SQLITE_OK)
        return err_new(ERR_INTERNAL_ERROR, "SQLite does not start: %s.", sqlite3_errstr(once_rc));
    return NULL;
}

err *conn_error(struct conn *c, int rc, const char *doing) {
    const char *file = store_file_names[c->file];
    const char *said = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
            return err_new(ERR_RESOURCE_ALREADY_EXISTS, "This exists already (%s, %s).", doing,
                           said);
        return err_new(ERR_INTERNAL_ERROR, "A rule of the store %s forbids this: %s (%s).", file,
                       said, doing);
    case SQLITE_FULL:
        return err_hint(err_new(ERR_RESOURCE_EXHAUSTED, "The disk of the store %s is full.", file),
                        "Free some space; reads and deletes go on.");
    case SQLITE_TOOBIG:
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A value is too large for the store %s.", file);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return err_new(ERR_TEMPORARILY_UNAVAILABLE, "The store %s is locked (%s).", file, doing);
    case SQLITE_INTERRUPT:
        return err_new(ERR_DEADLINE_EXCEEDED, "The store %s worked longer than %lld s on this.",
                       file, (long long)(STORE_STATEMENT_LIMIT_US / 1000000));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_hint(
            err_new(ERR_DATA_LOSS, "The store %s is damaged: %s (%s).", file, said, doing),
            "Restore a backup, or open it with the key that it was written with.");
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return err_new(ERR_IO_ERROR, "The store %s cannot be used: %s, code %d, errno %d (%s).",
                       file, said, rc, c->db ? sqlite3_system_errno(c->db) : 0, doing);
    default:
        return err_new(ERR_INTERNAL_ERROR, "The store %s failed: %s, code %d (%s).", file, said, rc,
                       doing);
    }
}

err *conn_exec(struct conn *c, const char *text) {
    int rc = sqlite3_exec(c->db, text, NULL, NULL, NULL);
    if (rc == SQLITE_OK) return NULL;
    return err_while(conn_error(c, rc, "statement"), "running %.300s", text);
}

err *conn_int(struct conn *c, const char *text, int64_t *ret) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(c->db, text, -1, &q, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) *ret = sqlite3_column_int64(q, 0);
    err *e = rc == SQLITE_ROW ? NULL : conn_error(c, rc, "query");
    sqlite3_finalize(q);
    return err_while(e, "running %.300s", text);
}

/* No statement may hold a thread for ever: SQLite asks every few thousand steps of its machine. */
static int on_progress(void *arg) {
    struct conn *c = arg;
    return c->deadline && clock_ticks() / 1000 > c->deadline;
}

void conn_start_clock(struct conn *c) {
    c->deadline = c->patient ? 0 : clock_ticks() / 1000 + STORE_STATEMENT_LIMIT_US;
}

static err *set_key(struct conn *c, const unsigned char key[STORE_KEY_SIZE]) {
    static const char digits[] = "0123456789abcdef";
    char text[3 + 2 * STORE_KEY_SIZE + 1] = "x'";
    for (int i = 0; i < STORE_KEY_SIZE; i++) {
        text[2 + 2 * i] = digits[key[i] >> 4];
        text[3 + 2 * i] = digits[key[i] & 15];
    }
    text[2 + 2 * STORE_KEY_SIZE] = '\'';
    int rc = sqlite3_key(c->db, text, 3 + 2 * STORE_KEY_SIZE);
    keys_wipe(text, sizeof(text));
    return rc == SQLITE_OK ? NULL : conn_error(c, rc, "setting the key");
}

static err *set_pragmas(struct conn *c, bool readonly) {
    sqlite3_busy_timeout(c->db, 5000);
    sqlite3_progress_handler(c->db, 20000, on_progress, c);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH, 64 << 20);
    sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 0);
    TRY(conn_exec(c, "PRAGMA journal_mode = WAL"));
    TRY(conn_exec(c, "PRAGMA synchronous = FULL"));
    TRY(conn_exec(c, "PRAGMA wal_autocheckpoint = 0"));
    TRY(conn_exec(c, "PRAGMA foreign_keys = OFF"));
    /* KiB; memory that is taken as pages are touched, so an idle platform has little of it. A page
     * from outside the cache costs its decryption and its HMAC: some 10 µs. Runs are many, and a
     * search over them touches a thousand pages; the other files are small. */
    if (c->file == STORE_MLFLOW)
        TRY(conn_exec(c, readonly ? "PRAGMA cache_size = -6144" : "PRAGMA cache_size = -16384"));
    else
        TRY(conn_exec(c, readonly ? "PRAGMA cache_size = -1024" : "PRAGMA cache_size = -2048"));
    if (readonly) return conn_exec(c, "PRAGMA query_only = ON");
    char text[64];
    snprintf(text, sizeof(text), "PRAGMA journal_size_limit = %d", WAL_KEEP_BYTES);
    return conn_exec(c, text);
}

/* A reader, too, writes the shared memory of the WAL; query_only keeps it from more. */
static err *open_keyed(const char *path, const char *vfs, const unsigned char key[STORE_KEY_SIZE],
                       enum store_file file, bool create, struct conn **ret) {
    struct conn *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->file = file;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                (create ? SQLITE_OPEN_CREATE : 0);
    int rc = sqlite3_open_v2(path, &c->db, flags, vfs);
    if (rc == SQLITE_OK) sqlite3_extended_result_codes(c->db, 1);
    err *e = rc == SQLITE_OK ? NULL : conn_error(c, rc, "opening");
    if (!e) e = set_key(c, key);
    if (e) {
        conn_end(c);
        return err_while(e, "opening %s", path);
    }
    *ret = c;
    return NULL;
}

err *conn_open_plain(const char *path, const char *vfs, const unsigned char key[STORE_KEY_SIZE],
                     enum store_file file, struct conn **ret) {
    return open_keyed(path, vfs, key, file, true, ret);
}

err *conn_open(const char *path, const char *vfs, const unsigned char key[STORE_KEY_SIZE],
               enum store_file file, bool create, bool readonly, struct conn **ret) {
    struct conn *c;
    int64_t n;
    TRY(open_keyed(path, vfs, key, file, create, &c));
    err *e = conn_int(c, "SELECT count(*) FROM sqlite_schema", &n);
    if (!e) e = set_pragmas(c, readonly);
    if (!e) e = functions_register(c);
    if (e) {
        conn_end(c);
        return err_while(e, "opening %s", path);
    }
    *ret = c;
    return NULL;
}

void conn_drop_statements(struct conn *c) {
    for (int i = 0; i < CONN_SLOTS; i++) {
        if (!c->slots[i].stmt || c->slots[i].busy) continue;
        sqlite3_finalize(c->slots[i].stmt);
        c->slots[i].stmt = NULL;
        c->slots[i].key = 0;
        c->n_statements--;
    }
}

void conn_end(struct conn *c) {
    if (!c) return;
    conn_drop_statements(c);
    if (c->db) must(sqlite3_close(c->db) == SQLITE_OK);
    free(c);
}
