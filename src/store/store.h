/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores: what the platform remembers, in three encrypted SQLite files with a writer each.
 *
 *   meta.db     entities (tables/entities.json), versioned and journalled
 *   mlflow.db   runs, metrics, traces (mlflow_*.h)
 *   history.db  statements, access audit
 *
 * Reads run on any thread, each on a connection of its own, and see one snapshot from
 * store_read_begin() to store_read_end(). Writes are jobs: a file's writer thread runs them one
 * after the other, each in a savepoint of its own, commits many with one sync, and only then calls
 * their done(). So a job is straight-line code, alone on its file, and an error that it returns
 * undoes that job and no other. No transaction spans files.
 *
 * Every write has a number, the sequence; numbers follow the order of commits and are not reused.
 * Entities of meta.db can be read as of any sequence back to the oldest one kept (README.md).
 */
#ifndef BH_STORE_STORE_H
#define BH_STORE_STORE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum store_file { STORE_META, STORE_MLFLOW, STORE_HISTORY, STORE_FILES };

/* What a row belongs to. Workspace 0 is the account itself. */
struct store_scope {
    int64_t account, workspace;
};

typedef struct store store;
/* A read snapshot or the savepoint of a running write. Belongs to one thread at a time. */
typedef struct store_tx store_tx;

#define STORE_KEY_SIZE 32
/* Jobs that may wait for one writer; the next gets TEMPORARILY_UNAVAILABLE. */
#define STORE_MAX_QUEUE 65536
/* One statement may not work longer than this: DEADLINE_EXCEEDED. */
#define STORE_STATEMENT_LIMIT_US (60 * 1000000ll)

struct store_options {
    const char *dir; /* made if missing */
    str master_key;  /* STORE_KEY_SIZE bytes (store/keys.h gets them); not kept */
    const char *vfs; /* NULL: SQLite's own; tests name theirs */
    bool must_exist; /* refuse to make new stores */
};

/* Opens the three files; makes them when the folder is empty, brings older ones up to date after a
 * copy into dir/before, checks small files whole. INVALID_STATE: wrong master key, or written by a
 * newer Boathouse (the message names what is unknown). DATA_LOSS: damaged or incomplete. */
err *store_open(const struct store_options *o, store **ret) BH_CHECK;
/* Finishes what is queued, then closes. No read may be under way. NULL is fine. */
void store_close(store *s);

/* ---- reading ---- */

/* as_of_seq 0: now. Any other file than meta.db has no past (INVALID_PARAMETER_VALUE), as has a
 * sequence that is not there yet or not any more (the message names the oldest). */
err *store_read_begin(store *s, enum store_file f, int64_t as_of_seq, store_tx **ret) BH_CHECK;
void store_read_end(store_tx *tx);
/* The sequence that held at a time. INVALID_PARAMETER_VALUE names the oldest sequence. */
err *store_seq_of_time(store *s, int64_t us, int64_t *ret_seq) BH_CHECK;

/* Sequence of this write, or of the snapshot (its as_of, where it has one). */
int64_t store_tx_seq(const store_tx *tx);
/* The as_of that the read was begun with, 0: none. */
int64_t store_tx_as_of(const store_tx *tx);
/* UTC microseconds: the time of this write in the journal, or of the snapshot's last write. */
int64_t store_tx_time(const store_tx *tx);
/* The same snapshot without as_of: decisions are made with today's grants. For other transactions
 * the transaction itself. Ends with `tx`. */
store_tx *store_tx_today(store_tx *tx);
enum store_file store_tx_file(const store_tx *tx);
bool store_tx_writes(const store_tx *tx);

/* ---- writing ---- */

/* For the journal. Texts must live until done(). */
struct store_actor {
    int64_t principal;
    str request_id;
    str client;               /* address */
    str action;               /* "tokens.create" */
    struct store_scope scope; /* both 0: that of the first entity changed */
};

struct store_write {
    err *(*job)(store_tx *tx, void *arg);
    /* On the writer's thread, after the commit is durable, or with the error, which it owns. The
     * thread serves everyone: hand over and return. May be NULL. */
    void (*done)(void *arg, err *e, int64_t seq);
    void *arg;
    struct store_actor actor;
    bool no_journal; /* bookkeeping, not a change that somebody made */
};

/* Queues a write. An error means that job and done will not be called. */
err *store_write_async(store *s, enum store_file f, const struct store_write *w) BH_CHECK;
/* Waits for the commit. For start-up, tools and tests; never on a writer's thread. actor NULL: no
 * row in the journal. */
err *store_write_sync(store *s, enum store_file f, err *(*job)(store_tx *tx, void *arg), void *arg,
                      const struct store_actor *actor) BH_CHECK;
/* What the journal says was changed; without it, the first entity that the job changed. */
void store_tx_securable(store_tx *tx, const char *type, int64_t id, str name);
/* The principal of the running write, 0 when none. */
int64_t store_tx_principal(const store_tx *tx);

/* ---- care ---- */

/* Reads every page and index of all files. DATA_LOSS with what was found. Slow for large stores. */
err *store_check(store *s) BH_CHECK;
/* Forgets journal rows and past versions older than keep_us, in small writes. */
err *store_prune(store *s, int64_t keep_us, int64_t *ret_removed) BH_CHECK;
/* Sequences that can be read: from *ret_oldest to *ret_newest. */
err *store_range(store *s, int64_t *ret_oldest, int64_t *ret_newest) BH_CHECK;
/* 32 bytes for a purpose ("page tokens"): the same after every restart and key rotation, unrelated
 * to those of other purposes. */
void store_derive_key(const store *s, const char *purpose, unsigned char ret[STORE_KEY_SIZE]);

/* Counters since the start, for metrics and tests. */
struct store_stats {
    int64_t jobs, failed, groups, checkpoints, queued, connections;
};
void store_stats_of(store *s, enum store_file f, struct store_stats *ret);

#endif
