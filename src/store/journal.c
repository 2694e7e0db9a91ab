/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the journal, the sequence of a time, forgetting what is too old. */
#include "store/journal.h"

#include "store/store_int.h"
#include "sys/clock.h"

/* Rows that one pruning write removes from each table. */
#define PRUNE_ROWS 2000

err *journal_add(store_tx *tx, const err *outcome) {
    const struct store_actor *a = tx->actor;
    return sql_run(tx,
                   "INSERT INTO journal (sequence, time, account_id, workspace_id, principal,"
                   " request_id, client, action, securable_type, securable_id, securable_name,"
                   " outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                   sql_i(tx->seq), sql_i(tx->time), sql_i(tx->scope.account),
                   sql_i(tx->scope.workspace), sql_i(a->principal), sql_t(a->request_id),
                   sql_t(a->client), sql_t(a->action), sql_z(tx->securable_type),
                   sql_i(tx->securable_id), sql_z(tx->securable_name),
                   sql_z(outcome ? err_name(err_code_of(outcome)) : "OK"));
}

static void read_row(sql *q, arena *a, struct journal_row *r) {
    *r = (struct journal_row){
        .seq = sql_get_i(q, 0),
        .time = sql_get_i(q, 1),
        .scope = {sql_get_i(q, 2), sql_get_i(q, 3)},
        .principal = sql_get_i(q, 4),
        .request_id = sql_get_t(q, 5, a),
        .client = sql_get_t(q, 6, a),
        .action = sql_get_t(q, 7, a),
        .securable_type = sql_get_t(q, 8, a),
        .securable_id = sql_get_i(q, 9),
        .securable_name = sql_get_t(q, 10, a),
        .outcome = sql_get_t(q, 11, a),
    };
}

err *journal_list(store_tx *tx, struct store_scope scope, arena *a, int64_t before_seq, int limit,
                  struct journal_rows *ret) {
    must(tx->file == STORE_META && limit > 0 && limit <= JOURNAL_MAX_PAGE);
    int64_t end = before_seq > 0 ? before_seq : INT64_MAX;
    if (tx->as_of && tx->as_of < end) end = tx->as_of + 1;
    struct journal_rows rows = {arena_array_of(a, struct journal_row, limit), 0};
    sql *q;
    TRY(sql_open(&q, tx,
                 "SELECT sequence, time, account_id, workspace_id, principal, request_id, client,"
                 " action, securable_type, securable_id, securable_name, outcome FROM journal"
                 " WHERE account_id = ?1 AND workspace_id = ?2 AND sequence < ?3"
                 " ORDER BY sequence DESC LIMIT ?4",
                 sql_i(scope.account), sql_i(scope.workspace), sql_i(end), sql_i(limit)));
    bool row;
    err *e;
    while (!(e = sql_step(q, &row)) && row) read_row(q, a, &rows.p[rows.n++]);
    sql_close(q);
    if (!e) *ret = rows;
    return e;
}

/* ---- a sequence by time ---- */

/* The first journal row at or after seq. */
static err *row_from(store_tx *tx, int64_t seq, int64_t *ret_seq, int64_t *ret_time, bool *found) {
    sql *q;
    TRY(sql_open(
        &q, tx, "SELECT sequence, time FROM journal WHERE sequence >= ?1 ORDER BY sequence LIMIT 1",
        sql_i(seq)));
    err *e = sql_step(q, found);
    if (!e && *found) {
        *ret_seq = sql_get_i(q, 0);
        *ret_time = sql_get_i(q, 1);
    }
    sql_close(q);
    return e;
}

/* The last journalled sequence with time ≤ us, 0 if none: times rise with sequences (writer.c). */
static err *last_at(store_tx *tx, int64_t us, int64_t *ret) {
    int64_t low = 0, high = tx->seq; /* the answer is 0 or in (low, high] ∪ {best} */
    int64_t best = 0;
    while (low < high) {
        int64_t mid = low + (high - low + 1) / 2, seq = 0, time = 0;
        bool found;
        TRY(row_from(tx, mid, &seq, &time, &found));
        if (found && time <= us) {
            best = seq;
            low = seq;
        } else {
            high = mid - 1;
        }
    }
    *ret = best;
    return NULL;
}

err *store_seq_of_time(store *s, int64_t us, int64_t *ret_seq) {
    store_tx *tx;
    TRY(store_read_begin(s, STORE_META, 0, &tx));
    int64_t seq = 0, newest = store_tx_seq(tx), oldest = atomic_load(&s->oldest);
    err *e = us >= store_tx_time(tx) ? NULL : last_at(tx, us, &seq);
    if (!e && us >= store_tx_time(tx)) seq = newest;
    store_read_end(tx);
    if (e) return e;
    if (seq < oldest)
        return err_hint(
            err_new(ERR_INVALID_PARAMETER_VALUE,
                    "as_of: nothing is kept from that time; the oldest sequence is %lld.",
                    (long long)oldest),
            "Ask for a later time; the setting journal.retention says how far back.");
    *ret_seq = seq;
    return NULL;
}

/* ---- forgetting ---- */

struct prune {
    int64_t cut, removed;
    bool more;
};

static err *prune_job(store_tx *tx, void *arg) {
    struct prune *p = arg;
    p->more = false;
    TRY(sql_run(tx, "UPDATE store_state SET oldest = max(oldest, ?1) WHERE one = 1",
                sql_i(p->cut)));
    TRY(sql_run(tx,
                "DELETE FROM journal WHERE sequence IN (SELECT sequence FROM journal"
                " WHERE sequence < ?1 ORDER BY sequence LIMIT ?2)",
                sql_i(p->cut), sql_i(PRUNE_ROWS)));
    p->removed += sql_changes(tx);
    p->more |= sql_changes(tx) == PRUNE_ROWS;
    for (int i = 0; i < ENT_COUNT; i++) {
        if (!ent_tables[i]->prune) continue;
        struct sql_arg args[] = {sql_i(p->cut), sql_i(PRUNE_ROWS)};
        TRY(sql_run_text(tx, ent_tables[i]->prune, args, ARRAY_LEN(args)));
        p->removed += sql_changes(tx);
        p->more |= sql_changes(tx) == PRUNE_ROWS;
    }
    return NULL;
}

err *store_prune(store *s, int64_t keep_us, int64_t *ret_removed) {
    struct prune p = {0};
    store_tx *tx;
    TRY(store_read_begin(s, STORE_META, 0, &tx));
    err *e = last_at(tx, clock_now() - keep_us, &p.cut);
    store_read_end(tx);
    if (e) return e;
    int64_t oldest = atomic_load(&s->oldest);
    if (p.cut < oldest) p.cut = oldest;
    /* Nobody may begin to read what is about to go. */
    atomic_store(&s->oldest, p.cut);
    do {
        TRY(store_write_sync(s, STORE_META, prune_job, &p, NULL));
    } while (p.more);
    if (ret_removed) *ret_removed = p.removed;
    return NULL;
}
