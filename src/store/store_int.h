/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of src/store: connections, writers, transactions. Nobody else includes this.
 */
#ifndef BH_STORE_STORE_INT_H
#define BH_STORE_STORE_INT_H

/* The header hides SQLCipher's functions without it. */
#define SQLITE_HAS_CODEC 1

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#include "store/gen_entities.h"
#include "store/keys.h"
#include "store/sql.h"
#include "store/store.h"

/* Prepared statements that a connection keeps; when full, all that rest are thrown away. */
#define CONN_STATEMENTS 192
#define CONN_SLOTS 512 /* power of two, well above CONN_STATEMENTS */
/* Read connections that stay open while idle, and that may be open at once. */
#define POOL_IDLE 3
#define POOL_MAX 128
/* A group ends after so many jobs, or when it has run for so long. */
#define GROUP_JOBS 512
#define GROUP_US 20000
/* WAL pages after which the writer checkpoints: when idle, and in any case. */
#define WAL_SOFT 1000
#define WAL_HARD 8000
#define WAL_KEEP_BYTES (16 << 20)

struct slot {
    uint64_t key;
    sqlite3_stmt *stmt;
    bool busy;
};

/* One SQLite connection. Used by one thread at a time. */
struct conn {
    sqlite3 *db;
    enum store_file file;
    struct conn *next; /* in the pool's idle list */
    struct slot slots[CONN_SLOTS];
    int n_statements;
    int64_t deadline; /* clock_ticks in microseconds; 0: none */
    bool patient;     /* no statement of it has a time limit */
};

#define TX_MAGIC 0x57047801u
struct store_tx {
    uint32_t magic;
    store *s;
    struct conn *c;
    enum store_file file;
    bool writes;
    int64_t seq, as_of, time;
    struct store_tx *today;
    /* Writes only: */
    const struct store_actor *actor;
    struct store_scope scope;
    bool securable_set;
    char securable_type[40];
    int64_t securable_id;
    char securable_name[256];
};

struct write_job {
    struct write_job *next;
    struct store_write w;
    err *e;
    int64_t seq;
};

/* The writer of one file. `lock` guards the queue; `group` is held while a transaction runs, so
 * whoever takes it stands between two groups. */
struct writer {
    store *s;
    enum store_file file;
    pthread_t thread;
    bool started;
    pthread_mutex_t lock, group;
    pthread_cond_t more;
    struct write_job *head, **tail;
    size_t queued;
    bool stop;
    struct conn *c;
    int64_t seq, time; /* of the last commit */
    int wal_pages;
    _Atomic int64_t jobs, failed, groups, checkpoints;
};

struct pool {
    pthread_mutex_t lock;
    struct conn *idle;
    int n_idle, n_open;
};

#define STORE_MAGIC 0x57042e01u
struct store {
    uint32_t magic;
    char *dir, *vfs;
    struct keys *keys;
    struct writer writers[STORE_FILES];
    struct pool pools[STORE_FILES];
    _Atomic int64_t oldest; /* first sequence of meta.db that can still be read */
    _Atomic int64_t limits[ENT_COUNT];
};

extern const char *const store_file_names[STORE_FILES]; /* "meta", … */

/* ---- conn.c ---- */
/* Once per process: quiet SQLCipher, SQLite's own log into ours. */
err *conn_library(void) BH_CHECK;
/* Opens path with a raw key; all pragmas set. create: make the file. */
err *conn_open(const char *path, const char *vfs, const unsigned char key[STORE_KEY_SIZE],
               enum store_file file, bool create, bool readonly, struct conn **ret) BH_CHECK;
/* Only the key set: for the target of a copy. Makes the file. */
err *conn_open_plain(const char *path, const char *vfs, const unsigned char key[STORE_KEY_SIZE],
                     enum store_file file, struct conn **ret) BH_CHECK;
void conn_end(struct conn *c);
/* Statements that are not cached and take no values. */
err *conn_exec(struct conn *c, const char *text) BH_CHECK;
err *conn_int(struct conn *c, const char *text, int64_t *ret) BH_CHECK;
/* What SQLite's last result code means for the one who asked. */
err *conn_error(struct conn *c, int rc, const char *doing) BH_CHECK;
void conn_drop_statements(struct conn *c);
/* Path of a store file; out holds PATH_MAX bytes. */
void conn_path(const char *dir, enum store_file f, char *out);
void conn_start_clock(struct conn *c);

/* ---- functions.c ---- */
err *functions_register(struct conn *c) BH_CHECK;

/* ---- schema.c ---- */
/* A step of a file's schema. Steps are run once, in order, and never changed after a release; add
 * new ones at the end. Exactly one of text (may hold several statements) and fn is set. */
struct schema_step {
    const char *what;
    const char *text;
    err *(*fn)(store_tx *tx);
};
extern const struct schema_step schema_meta[], schema_mlflow[], schema_history[];
/* Brings a file up to date; A copy is made before an existing one is changed. */
err *schema_update(store *s, struct conn *c, enum store_file f) BH_CHECK;

/* ---- writer.c ---- */
err *writer_start(store *s, enum store_file f) BH_CHECK;
void writer_stop(struct writer *w);

/* ---- backup.c ---- */
/* Copies the snapshot that c sees into a new file under the same key. */
err *backup_copy(struct conn *c, const char *to, const char *vfs,
                 const unsigned char key[STORE_KEY_SIZE]) BH_CHECK;

/* ---- journal.c ---- */
err *journal_add(store_tx *tx, const err *outcome) BH_CHECK;

/* ---- ent.c, for ent_list.c ---- */
err *ent_check_read(const store_tx *tx, const struct ent_table *t,
                    struct store_scope scope) BH_CHECK;
void ent_read_row(const struct ent_table *t, sql *q, arena *a, void *row);

/* A transaction on a connection that nobody else knows yet (schema). */
void tx_init(struct store_tx *tx, store *s, struct conn *c, enum store_file f, bool writes);

#endif
