/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker/txn.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "delta/commit_int.h"
#include "delta/managed.h"
#include "engine/worker/dml_int.h"
#include "engine/worker/run.h"

#define MAX_TABLES 100
#define MAX_VERSIONS 200

enum txn_state { TXN_NONE, TXN_ACTIVE, TXN_ABORTED };

/* A table that the transaction named. Heap. */
struct txn_table {
    char *path, *id;
    bool managed;
    struct delta_snapshot *base, *now; /* held */
    buf versions;  /* JSON of versions, joined by commas */
    size_t n;
    buf columns;   /* ,"columns":…: the last change of the catalog's row, or empty */
    int64_t number; /* of the last version */
};

struct txn {
    pthread_mutex_t lock;
    pthread_cond_t free;
    bool busy;              /* a statement of it runs */
    bool manual;            /* AUTOCOMMIT is off */
    enum txn_state state;
    bool lost;              /* aborted since its engine ended */
    int64_t seq;            /* as of which tables are looked up; 0: none yet */
    vec_of(struct txn_table) tables;
    vec_of(char *) written; /* files that go with a rollback */
};

/* ---- life ---- */

struct txn *txn_new(void) {
    struct txn *t = calloc(1, sizeof(*t));
    must(t != NULL);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->free, NULL);
    return t;
}

static void forget(struct txn *t, bool remove_files) {
    for (size_t i = 0; i < t->tables.n; i++) {
        struct txn_table *x = &t->tables.p[i];
        free(x->path);
        free(x->id);
        delta_snapshot_drop(x->base);
        delta_snapshot_drop(x->now);
        buf_free(&x->versions);
        buf_free(&x->columns);
    }
    for (size_t i = 0; i < t->written.n; i++) {
        if (remove_files) unlink(t->written.p[i]);
        free(t->written.p[i]);
    }
    vec_free(&t->tables);
    vec_free(&t->written);
    t->seq = 0;
}

void txn_free(struct txn *t) {
    forget(t, true);
    pthread_mutex_destroy(&t->lock);
    pthread_cond_destroy(&t->free);
    free(t);
}

bool txn_setting(struct txn *t, str name, str value) {
    if (str_eqz(name, "txn.autocommit")) {
        t->manual = str_eqz(value, "false");
        return true;
    }
    if (!str_eqz(name, "txn.lost")) return false;
    t->state = TXN_ABORTED;
    t->lost = true;
    return true;
}

/* ---- a statement's turn ---- */

/* Under the lock. */
static err *wait_turn(struct run *r, struct txn *t) {
    err *e = NULL;
    while (!e && t->busy && (t->manual || t->state != TXN_NONE)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&t->free, &t->lock, &until);
        e = statement_check(r->st);
    }
    return e;
}

err *txn_enter(struct run *r) {
    struct txn *t = r->st->s->txn;
    /* Calls for metadata look at the catalog, not at the transaction. */
    if (json_get(json_get(r->st->order, "conf"), "txn.outside")) return NULL;
    pthread_mutex_lock(&t->lock);
    err *e = wait_turn(r, t);
    r->in_txn = !e && (t->manual || t->state != TXN_NONE);
    if (r->in_txn) t->busy = true;
    pthread_mutex_unlock(&t->lock);
    return e;
}

void txn_leave(struct run *r, bool failed) {
    struct txn *t = r->st->s->txn;
    if (!r->in_txn) return;
    pthread_mutex_lock(&t->lock);
    if (failed && t->state == TXN_ACTIVE) {
        t->state = TXN_ABORTED;
        r->session_changed = true;
    }
    t->busy = false;
    r->in_txn = false;
    pthread_cond_broadcast(&t->free);
    pthread_mutex_unlock(&t->lock);
}

void txn_put_state(struct session *s, buf *j) {
    pthread_mutex_lock(&s->txn->lock);
    buf_fmt(j, "\"autocommit\":%s,\"transaction\":%s", s->txn->manual ? "false" : "true", s->txn->state != TXN_NONE ? "true" : "false");
    pthread_mutex_unlock(&s->txn->lock);
}

/* ---- what it reads ---- */

static struct txn_table *table_of(struct txn *t, str path) {
    for (size_t i = 0; i < t->tables.n; i++)
        if (str_eq(str_of(t->tables.p[i].path), path)) return &t->tables.p[i];
    return NULL;
}

static struct delta_snapshot *pinned(void *arg, str path) {
    struct txn_table *x = table_of(arg, path);
    if (!x) return NULL;
    delta_snapshot_hold(x->now);
    return x->now;
}

static char *copy(str s) {
    char *p = malloc(s.n + 1);
    must(p != NULL);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

static void pin(void *arg, str path, bool managed, struct delta_snapshot *s) {
    struct txn *t = arg;
    delta_snapshot_hold(s);
    delta_snapshot_hold(s);
    vec_push(&t->tables, ((struct txn_table){.path = copy(path), .managed = managed, .base = s, .now = s}));
}

void txn_put_as_of(const struct txn *t, buf *q) {
    if (t && t->seq) buf_fmt(q, ",\"as_of\":%lld", (long long)t->seq);
}

void txn_take_seq(struct txn *t, jval *answer) {
    if (t && !t->seq) (void)json_i64(json_get(answer, "seq"), &t->seq);
}

/* ---- what it writes ---- */

static err *too_many(const char *cls, const char *key, long long most) {
    buf b = {0};
    buf_fmt(&b, "%lld", most);
    buf_c(&b, 0);
    err *e = sql_error(cls, NULL, STR_NONE, key, b.p, NULL);
    buf_free(&b);
    return e;
}

err *txn_keep(struct txn *t, struct dml_x *x) {
    struct txn_table *at = x->t ? table_of(t, x->t->path) : NULL;
    struct delta_commit_ask ask;
    struct delta_snapshot *next;
    jval *o;
    if (!at) return err_new(ERR_INTERNAL_ERROR, "a transaction changes a table that it has not read");
    if (t->tables.n > MAX_TABLES) return too_many("TRANSACTION_NOT_SUPPORTED.MAX_TABLES_ACCESSED_EXCEEDED", "maxTables", MAX_TABLES);
    if (at->n >= MAX_VERSIONS) return too_many("TRANSACTION_NOT_SUPPORTED.MAX_INTERMEDIATE_COMMITS_EXCEEDED", "maxCommits", MAX_VERSIONS);
    str text = dml_version_text(x);
    TRY(json_parse(x->a, text, false, &o));
    TRY(delta_commit_of_json(x->a, o, &ask));
    struct delta_commit_state s = {.next = at->now->version + 1, .ict = ask.previous_ict, .high_water = ask.high_water};
    int64_t now = delta_managed_time(&ask, ask.previous_ict);
    buf lines = {0};
    err *e = delta_commit_text(x->a, &ask, &s, now, &lines, NULL);
    if (!e) e = delta_snapshot_apply(at->now, s.next, now, buf_view(&lines), &next);
    buf_free(&lines);
    if (e) return e;
    delta_snapshot_drop(at->now);
    at->now = next;
    if (!at->id) at->id = copy(x->id);
    if (at->n++) buf_c(&at->versions, ',');
    buf_str(&at->versions, text);
    if (x->metadata_changed) {
        buf_clear(&at->columns);
        dml_put_columns(x, &at->columns);
    }
    for (size_t i = 0; i < x->written.n; i++) vec_push(&t->written, x->written.p[i]);
    x->written.n = 0;
    x->version = s.next;
    return NULL;
}

/* ---- COMMIT, ROLLBACK ---- */

static size_t put_tables(const struct txn *t, buf *q) {
    size_t n = 0;
    buf_z(q, "{\"tables\":[");
    for (size_t i = 0; i < t->tables.n; i++) {
        const struct txn_table *x = &t->tables.p[i];
        if (!x->n) continue;
        buf_z(q, n++ ? ",{\"id\":" : "{\"id\":");
        buf_json_str(q, str_of(x->id));
        buf_z(q, ",\"path\":");
        buf_json_str(q, str_of(x->path));
        buf_str(q, buf_view(&x->columns));
        buf_z(q, ",\"versions\":[");
        buf_str(q, buf_view(&x->versions));
        buf_z(q, "]}");
    }
    buf_z(q, "]}");
    return n;
}

static err *dml_ask(void *arg, arena *a, str op, str json, jval **ret) {
    struct run *r = arg;
    return statement_ask(r->st, a, op, json, ret, NULL);
}

static err *commit(struct run *r, struct txn *t) {
    buf q = {0};
    jval *tables;
    err *e = NULL;
    if (put_tables(t, &q)) {
        struct dml d = {.a = r->a, .arg = r, .ask = dml_ask};
        e = dml_ask_managed(&d, buf_view(&q), &tables);
    }
    buf_free(&q);
    if (!e) forget(t, false);
    /* Told to end while control committed: perhaps it did. Then the files are part of their tables. */
    for (size_t i = 0; dml_may_stand(e) && i < t->written.n; i++) free(t->written.p[i]);
    if (dml_may_stand(e)) t->written.n = 0;
    return e;
}

/* ---- statements ---- */

static err *say(struct run *r, const char *cls) { return sql_error(cls, NULL, r->text, NULL); }

static err *aborted(struct run *r, const struct txn *t) {
    return say(r, t->lost ? "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.INTERNAL_ERROR_WITH_CAUSE"
                          : "TRANSACTION_ROLLBACK_REQUIRED_AFTER_ABORT.PREVIOUS_QUERY_FAILURE");
}

static err *run_autocommit(struct run *r, struct txn *t, const struct ast *s) {
    const struct ast *value = ast_get(s, SLOT_VALUE);
    if (value) {
        str v = str_trim(value->text);
        bool on = str_ieq(v, STR("true"));
        if (!on && !str_ieq(v, STR("false")))
            return sql_error("INVALID_CONF_VALUE.TYPE_MISMATCH", NULL, r->text, "confName", "AUTOCOMMIT", "confValue", arena_strndup(r->a, v.p, v.n),
                             "confType", "boolean", NULL);
        if (t->state != TXN_NONE) return say(r, "AUTOCOMMIT_SET_DURING_ACTIVE_TRANSACTION");
        t->manual = !on;
        r->session_changed = true;
    }
    struct sql_column *cols = arena_array_of(r->a, struct sql_column, 1);
    str *cells = arena_array_of(r->a, str, 1);
    cols[0] = (struct sql_column){.name = STR("AUTOCOMMIT"), .type = sql_type_of(TY_STRING)};
    cells[0] = t->manual ? STR("false") : STR("true");
    return run_table(r, cols, 1, cells, 1);
}

static err *run_begin(struct run *r, struct txn *t) {
    if (t->state == TXN_ABORTED) return aborted(r, t);
    if (t->state != TXN_NONE) return say(r, "TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION");
    t->state = TXN_ACTIVE;
    r->session_changed = true;
    return NULL;
}

static err *run_commit(struct run *r, struct txn *t) {
    if (t->state == TXN_ABORTED) return aborted(r, t);
    /* With AUTOCOMMIT off there is always a transaction; one without a statement has nothing to commit. */
    if (t->state == TXN_NONE && !t->manual) return say(r, "NO_ACTIVE_TRANSACTION");
    TRY(commit(r, t));
    if (t->state != TXN_NONE) r->session_changed = true;
    t->state = TXN_NONE;
    return NULL;
}

static err *run_rollback(struct run *r, struct txn *t) {
    forget(t, true);
    if (t->state != TXN_NONE) r->session_changed = true;
    t->state = TXN_NONE;
    t->lost = false;
    return NULL;
}

/* Statements that a transaction takes: those that read and change tables, and those of the session alone. */
static bool takes(const struct ast *s, bool *ret_of_session) {
    *ret_of_session = false;
    switch (s->kind) {
    case AST_S_QUERY:
    case AST_S_INSERT:
    case AST_S_UPDATE:
    case AST_S_DELETE:
    case AST_S_MERGE:
    case AST_S_DESCRIBE_QUERY:
    case AST_S_EXPLAIN:
    case AST_S_EXECUTE_IMMEDIATE: return true;
    case AST_S_SET:
    case AST_S_SET_VAR:
    case AST_S_DECLARE:
    case AST_S_RESET:
    case AST_S_USE: return *ret_of_session = true;
    case AST_COMMAND:
        if (str_eqz(s->text, "describe_table")) return !ast_has(s, AST_F_EXTENDED);
        return str_eqz(s->text, "show_columns");
    default: return false;
    }
}

static err *refused(struct run *r, const struct ast *s) {
    buf b = {0};
    str name = s->kind == AST_COMMAND ? s->text : str_of(run_type_of(s));
    for (size_t i = 0; i < name.n; i++) buf_c(&b, name.p[i] == '_' ? ' ' : name.p[i] >= 'a' && name.p[i] <= 'z' ? (char)(name.p[i] - 32) : name.p[i]);
    char *z = arena_strndup(r->a, b.p, b.n);
    buf_free(&b);
    return sql_error("TRANSACTION_NOT_SUPPORTED.COMMAND", NULL, r->text, "command", z, NULL);
}

static err *control(struct run *r, const struct ast *s, struct txn *t, bool *ret_taken) {
    *ret_taken = true;
    if (s->kind == AST_S_SET && str_ieq(s->text, STR("autocommit"))) return run_autocommit(r, t, s);
    if (s->kind == AST_COMMAND && str_eqz(s->text, "begin_transaction")) return run_begin(r, t);
    if (s->kind == AST_COMMAND && str_eqz(s->text, "commit")) return run_commit(r, t);
    if (s->kind == AST_COMMAND && str_eqz(s->text, "rollback")) return run_rollback(r, t);
    *ret_taken = false;
    return NULL;
}

/* ---- BEGIN ATOMIC … END ---- */

/* Control, and what a script alone has; handlers would go on in a transaction that is broken. */
static bool of_scripts(const struct ast *s) {
    static const char *const names[] = {"if", "case", "while", "repeat", "loop", "for", "leave", "iterate", "declare_condition", "signal", "declare_cursor", "open", "fetch", "close"};
    for (size_t i = 0; s->kind == AST_COMMAND && i < ARRAY_LEN(names); i++)
        if (str_eqz(s->text, names[i])) return true;
    return s->kind == AST_S_SCRIPT;
}

/* Nothing is carried out of a block that has a statement that it does not take. */
static err *check_block(struct run *r, const struct ast *s) {
    for (uint32_t i = 0; i < s->n; i++) {
        bool of_session;
        const struct ast *n = s->child[i];
        if (of_scripts(n)) {
            if (ast_has(n, AST_F_SPECIAL) && n->kind == AST_S_SCRIPT) return say(r, "TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION");
            TRY(check_block(r, n));
            for (uint32_t k = 0; k < n->n_slots; k++)
                if (ast_is(n->slot[k].node, AST_S_SCRIPT)) TRY(check_block(r, n->slot[k].node));
        } else if (s->kind == AST_S_SCRIPT && !takes(n, &of_session))
            return refused(r, n);
    }
    return NULL;
}

/* The session may have no transaction; others of its statements wait from here to txn_leave(). */
static err *begin_block(struct run *r, struct txn *t) {
    pthread_mutex_lock(&t->lock);
    err *e = r->in_txn ? NULL : wait_turn(r, t);
    bool none = t->state == TXN_NONE && !t->manual;
    if (!e && none) {
        t->state = TXN_ACTIVE;
        t->busy = r->in_txn = true;
    }
    pthread_mutex_unlock(&t->lock);
    if (e || none) return e;
    return t->state == TXN_ABORTED ? aborted(r, t) : say(r, "TRANSACTION_NOT_SUPPORTED.NESTED_TRANSACTION");
}

err *txn_block_begin(struct run *r, const struct ast *s) {
    TRY(check_block(r, s));
    TRY(begin_block(r, r->st->s->txn));
    r->in_block = true;
    return NULL;
}

err *txn_block_end(struct run *r, err *e) {
    struct txn *t = r->st->s->txn;
    if (!e) e = commit(r, t);
    if (e) forget(t, true);
    r->in_block = false;
    pthread_mutex_lock(&t->lock);
    t->state = TXN_NONE;
    pthread_mutex_unlock(&t->lock);
    if (!t->manual) txn_leave(r, false); /* what follows in the script is no part of it */
    return e;
}

void txn_failed(struct run *r) {
    struct txn *t = r->st->s->txn;
    if (!r->in_txn) return;
    pthread_mutex_lock(&t->lock);
    if (t->state == TXN_ACTIVE) {
        t->state = TXN_ABORTED;
        r->session_changed = true;
    }
    pthread_mutex_unlock(&t->lock);
}

err *txn_statement(struct run *r, const struct ast *s, bool *ret_taken) {
    struct txn *t = r->st->s->txn;
    bool of_session;
    if (r->in_block && !takes(s, &of_session)) return refused(r, s);
    TRY(control(r, s, t, ret_taken));
    if (*ret_taken || !r->in_txn) return NULL;
    if (t->state == TXN_ABORTED) return aborted(r, t);
    if (!takes(s, &of_session)) return refused(r, s);
    if (of_session) return NULL;
    if (t->state == TXN_NONE) {
        t->state = TXN_ACTIVE;
        r->session_changed = true;
    }
    r->txn = t;
    r->scan.pinned = pinned, r->scan.pin = pin, r->scan.txn = t;
    return NULL;
}
