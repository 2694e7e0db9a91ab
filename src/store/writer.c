/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer of a file: a thread, a queue, and group commit.
 *
 *   queue ─▶ BEGIN IMMEDIATE
 *             for each job:  SAVEPOINT, job, journal row, RELEASE     (or ROLLBACK TO, journal row)
 *             store_state: sequence and time
 *            COMMIT = one sync of the WAL
 *         ─▶ done() of each job, in order
 *         ─▶ checkpoint, if the WAL is long enough
 *
 * While the sync runs, the next jobs gather; so the group grows by itself with the load, and one
 * writer alone waits for nobody.
 *
 * Invariants
 *  1. done() says success only after COMMIT returned, so after the sync.
 *  2. Sequences are given in the order of the savepoints, which is the order of commits; a group
 *     that fails as a whole gives its sequences back (nobody saw them).
 *  3. Times in the journal never run backwards, whatever the clock does: looking up a sequence by
 *     time is a binary search.
 *  4. A job's error undoes that job only. If SQLite had to drop the whole transaction (disk full in
 *     the middle of a statement), every job of the group fails with that error.
 *  5. A writer thread runs no code of others besides job() and done().
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "store/store_int.h"
#include "sys/clock.h"

static __thread struct writer *this_writer;

static void job_free(struct write_job *j) {
    err_free(j->e);
    free(j);
}

/* NULL when the queue is empty. */
static struct write_job *take_job(struct writer *w) {
    pthread_mutex_lock(&w->lock);
    struct write_job *j = w->head;
    if (j) {
        w->head = j->next;
        if (!w->head) w->tail = &w->head;
        w->queued--;
        j->next = NULL;
    }
    pthread_mutex_unlock(&w->lock);
    return j;
}

void tx_init(struct store_tx *tx, store *s, struct conn *c, enum store_file f, bool writes) {
    memset(tx, 0, sizeof(*tx));
    tx->magic = TX_MAGIC;
    tx->s = s;
    tx->c = c;
    tx->file = f;
    tx->writes = writes;
}

static bool transaction_lost(struct writer *w) { return sqlite3_get_autocommit(w->c->db) != 0; }

/* Runs one job in its savepoint; j->e is its outcome. An error returned is the group's. */
static err *run_job(struct writer *w, struct write_job *j) {
    struct store_tx tx;
    tx_init(&tx, w->s, w->c, w->file, true);
    tx.seq = j->seq;
    tx.time = w->time;
    tx.actor = &j->w.actor;
    tx.scope = j->w.actor.scope;
    TRY(sql_run(&tx, "SAVEPOINT job"));
    j->e = j->w.job(&tx, j->w.arg);
    if (transaction_lost(w))
        return err_new(ERR_RESOURCE_EXHAUSTED, "The store %s could not write: %s.",
                       store_file_names[w->file], j->e ? err_msg(j->e) : "transaction lost");
    if (j->e) TRY(sql_run(&tx, "ROLLBACK TO job"));
    if (w->file == STORE_META && !j->w.no_journal) TRY(journal_add(&tx, j->e));
    TRY(sql_run(&tx, "RELEASE job"));
    tx.magic = 0;
    return NULL;
}

/* A copy for each job of the group: errors have one owner. */
static err *same_error(const err *e) {
    err *copy = err_new(err_code_of(e), "%s", err_msg(e));
    if (err_hint_of(e)) err_hint(copy, "%s", err_hint_of(e));
    return copy;
}

static err *save_state(struct writer *w, int64_t seq) {
    struct store_tx tx;
    tx_init(&tx, w->s, w->c, w->file, true);
    return sql_run(&tx, "UPDATE store_state SET sequence = ?1, time = ?2 WHERE one = 1", sql_i(seq),
                   sql_i(w->time));
}

/* Fills *list with the jobs that ran. */
static err *run_group(struct writer *w, struct write_job **list, int *ret_n) {
    struct write_job **tail = list, *j;
    int64_t seq = w->seq, start = clock_ticks();
    TRY(conn_exec(w->c, "BEGIN IMMEDIATE"));
    while (*ret_n < GROUP_JOBS && clock_ticks() - start < GROUP_US * 1000ll && (j = take_job(w))) {
        *tail = j;
        tail = &j->next;
        ++*ret_n;
        j->seq = ++seq;
        int64_t now = clock_now();
        if (now > w->time) w->time = now;
        TRY(run_job(w, j));
    }
    TRY(save_state(w, seq));
    TRY(conn_exec(w->c, "COMMIT"));
    w->seq = seq;
    return NULL;
}

static void finish_group(struct writer *w, struct write_job *list, int n, err *failed) {
    atomic_fetch_add(&w->groups, 1);
    atomic_fetch_add(&w->jobs, n);
    for (struct write_job *j = list, *next; j; j = next) {
        next = j->next;
        err *e = j->e;
        j->e = NULL;
        if (failed) {
            err_free(e);
            e = same_error(failed);
        }
        if (e) atomic_fetch_add(&w->failed, 1);
        if (j->w.done)
            j->w.done(j->w.arg, e, j->seq);
        else
            err_free(e);
        job_free(j);
    }
}

static void one_group(struct writer *w) {
    struct write_job *list = NULL;
    int n = 0;
    pthread_mutex_lock(&w->group);
    err *e = run_group(w, &list, &n);
    if (e && !transaction_lost(w)) {
        err *again = conn_exec(w->c, "ROLLBACK");
        err_free(again);
    }
    pthread_mutex_unlock(&w->group);
    if (e) {
        log_debug("store group failed", lf_z("file", store_file_names[w->file]), lf_int("jobs", n),
                  lf_err(e));
        /* BEGIN itself failed: take one job so that somebody hears of it. */
        if (!n && (list = take_job(w))) n = 1;
    }
    finish_group(w, list, n, e);
    err_free(e);
}

static int on_wal(void *arg, sqlite3 *db, const char *name, int pages) {
    (void)db;
    (void)name;
    struct writer *w = arg;
    w->wal_pages = pages;
    return SQLITE_OK;
}

/* PASSIVE waits for nobody: what readers still use stays in the WAL for the next time, and SQLite
 * begins the WAL anew once all of it is copied and no reader needs it. */
static void checkpoint(struct writer *w) {
    int log = 0, done = 0;
    int rc = sqlite3_wal_checkpoint_v2(w->c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log, &done);
    if (rc != SQLITE_OK && rc != SQLITE_BUSY)
        log_debug("checkpoint failed", lf_z("file", store_file_names[w->file]), lf_int("code", rc));
    atomic_fetch_add(&w->checkpoints, 1);
    /* Wait for as much again before the next try. */
    w->wal_pages = log - done;
}

static void *run(void *arg) {
    struct writer *w = arg;
    char name[16];
    snprintf(name, sizeof(name), "write-%.8s", store_file_names[w->file]);
    pthread_setname_np(pthread_self(), name);
    this_writer = w;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        bool idle = !w->head;
        if (idle && w->wal_pages >= WAL_SOFT) {
            pthread_mutex_unlock(&w->lock);
            checkpoint(w);
            pthread_mutex_lock(&w->lock);
        }
        while (!w->head && !w->stop) pthread_cond_wait(&w->more, &w->lock);
        bool end = !w->head;
        pthread_mutex_unlock(&w->lock);
        if (end) break;
        one_group(w);
        if (w->wal_pages >= WAL_HARD) checkpoint(w);
    }
    this_writer = NULL;
    return NULL;
}

err *writer_start(store *s, enum store_file f) {
    struct writer *w = &s->writers[f];
    w->s = s;
    w->file = f;
    w->tail = &w->head;
    pthread_mutex_init(&w->lock, NULL);
    pthread_mutex_init(&w->group, NULL);
    pthread_cond_init(&w->more, NULL);
    TRY(conn_int(w->c, "SELECT sequence FROM store_state", &w->seq));
    TRY(conn_int(w->c, "SELECT time FROM store_state", &w->time));
    sqlite3_wal_hook(w->c->db, on_wal, w);
    /* Signals belong to the loop's thread, but faults to the one that made them. */
    sigset_t all, old;
    sigfillset(&all);
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    for (size_t i = 0; i < ARRAY_LEN(faults); i++) sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&w->thread, NULL, run, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) return err_new(ERR_INTERNAL_ERROR, "cannot start a writer thread: %s.", strerror(rc));
    w->started = true;
    return NULL;
}

void writer_stop(struct writer *w) {
    if (!w->started) return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->more);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->started = false;
    pthread_mutex_destroy(&w->lock);
    pthread_mutex_destroy(&w->group);
    pthread_cond_destroy(&w->more);
}

err *store_write_async(store *s, enum store_file f, const struct store_write *write) {
    must_magic(s, STORE_MAGIC);
    struct writer *w = &s->writers[f];
    struct write_job *j = calloc(1, sizeof(*j));
    must(j != NULL);
    j->w = *write;
    pthread_mutex_lock(&w->lock);
    bool take = !w->stop && w->queued < STORE_MAX_QUEUE;
    if (take) {
        *w->tail = j;
        w->tail = &j->next;
        w->queued++;
        pthread_cond_signal(&w->more);
    }
    pthread_mutex_unlock(&w->lock);
    if (take) return NULL;
    free(j);
    return err_hint(err_new(ERR_TEMPORARILY_UNAVAILABLE, "The store %s takes no more writes now.",
                            store_file_names[f]),
                    "Try again in a moment.");
}

struct waiter {
    err *(*job)(store_tx *, void *);
    void *arg;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool over;
    err *e;
};

static err *sync_job(store_tx *tx, void *arg) {
    struct waiter *w = arg;
    return w->job(tx, w->arg);
}

static void sync_done(void *arg, err *e, int64_t seq) {
    (void)seq;
    struct waiter *w = arg;
    pthread_mutex_lock(&w->lock);
    w->e = e;
    w->over = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

err *store_write_sync(store *s, enum store_file f, err *(*job)(store_tx *, void *), void *arg,
                      const struct store_actor *actor) {
    must(this_writer == NULL);
    struct waiter w = {.job = job, .arg = arg};
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.cond, NULL);
    struct store_write write = {.job = sync_job, .done = sync_done, .arg = &w};
    if (actor) write.actor = *actor;
    write.no_journal = !actor;
    err *e = store_write_async(s, f, &write);
    if (!e) {
        pthread_mutex_lock(&w.lock);
        while (!w.over) pthread_cond_wait(&w.cond, &w.lock);
        pthread_mutex_unlock(&w.lock);
        e = w.e;
    }
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.cond);
    return e;
}

void store_tx_securable(store_tx *tx, const char *type, int64_t id, str name) {
    must_magic(tx, TX_MAGIC);
    tx->securable_set = true;
    tx->securable_id = id;
    snprintf(tx->securable_type, sizeof(tx->securable_type), "%s", type);
    snprintf(tx->securable_name, sizeof(tx->securable_name), "%.*s", STR_ARG(name));
}

int64_t store_tx_principal(const store_tx *tx) { return tx->actor ? tx->actor->principal : 0; }
