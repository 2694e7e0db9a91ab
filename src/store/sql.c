/* SPDX-License-Identifier: Apache-2.0 */
/* Statements: a cache per connection, typed values in, typed columns out. */
#include "store/sql.h"

#include <stdlib.h>

#include "base/map.h"
#include "store/store_int.h"

struct sql {
    struct conn *c;
    sqlite3_stmt *stmt;
    struct slot *slot; /* NULL: not of the cache, ends with the close */
    bool on_row;
};

/* Open addressing without removal of single entries: a full table is emptied at once, but for the
 * statements in use, which keep their places (a probe goes past them). */
static struct slot *find_slot(struct conn *c, uint64_t key, const char *text) {
    uint64_t at = (key ^ (key >> 29)) * 0x9e3779b97f4a7c15ull >> 40;
    for (uint64_t i = 0; i < CONN_SLOTS; i++) {
        struct slot *s = &c->slots[(at + i) & (CONN_SLOTS - 1)];
        if (!s->stmt) return s;
        if (s->key == key && (!text || strcmp(sqlite3_sql(s->stmt), text) == 0)) return s;
    }
    unreachable();
}

static err *prepare(struct conn *c, const char *text, bool keep, sqlite3_stmt **ret) {
    int rc = sqlite3_prepare_v3(c->db, text, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, ret, NULL);
    if (rc == SQLITE_OK) return NULL;
    return err_while(conn_error(c, rc, "preparing"), "preparing %.400s", text);
}

/* literal: find by address; else by content. A text that is in use already (a query inside a loop
 * over the same query) gets a statement of its own. */
static err *get_statement(struct sql *q, const char *text, bool literal) {
    struct conn *c = q->c;
    uint64_t key = literal ? (uint64_t)(uintptr_t)text << 1 : map_hash(text, strlen(text)) | 1;
    struct slot *s = find_slot(c, key, literal ? NULL : text);
    if (s->stmt && s->busy) return prepare(c, text, false, &q->stmt);
    if (!s->stmt) {
        if (c->n_statements >= CONN_STATEMENTS) {
            conn_drop_statements(c);
            s = find_slot(c, key, literal ? NULL : text);
        }
        if (s->stmt) return prepare(c, text, false, &q->stmt);
        TRY(prepare(c, text, true, &s->stmt));
        s->key = key;
        c->n_statements++;
    }
    s->busy = true;
    q->slot = s;
    q->stmt = s->stmt;
    return NULL;
}

static int bind_one(sqlite3_stmt *st, int at, const struct sql_arg *a) {
    switch (a->kind) {
    case SQL_NULL:
        return sqlite3_bind_null(st, at);
    case SQL_INT:
        return sqlite3_bind_int64(st, at, a->i);
    case SQL_FLOAT:
        return sqlite3_bind_double(st, at, a->f);
    case SQL_TEXT:
        if (!a->s.p) return sqlite3_bind_null(st, at);
        return sqlite3_bind_text64(st, at, a->s.p, a->s.n, SQLITE_STATIC, SQLITE_UTF8);
    case SQL_BLOB:
        if (!a->s.p) return sqlite3_bind_null(st, at);
        return sqlite3_bind_blob64(st, at, a->s.p, a->s.n, SQLITE_STATIC);
    }
    unreachable();
}

static err *bind(struct sql *q, const struct sql_arg *args, size_t n) {
    must(sqlite3_bind_parameter_count(q->stmt) == (int)n);
    for (size_t i = 0; i < n; i++) {
        int rc = bind_one(q->stmt, (int)i + 1, &args[i]);
        if (rc != SQLITE_OK) return conn_error(q->c, rc, "binding");
    }
    return NULL;
}

static err *start(sql **ret, store_tx *tx, const char *text, bool literal,
                  const struct sql_arg *args, size_t n) {
    must_magic(tx, TX_MAGIC);
    struct sql *q = calloc(1, sizeof(*q));
    must(q != NULL);
    q->c = tx->c;
    err *e = get_statement(q, text, literal);
    if (!e) e = bind(q, args, n);
    if (e) {
        sql_close(q);
        return e;
    }
    conn_start_clock(q->c);
    *ret = q;
    return NULL;
}

err *sql_open_n(sql **ret, store_tx *tx, const char *literal, const struct sql_arg *args,
                size_t n) {
    return start(ret, tx, literal, true, args, n);
}

err *sql_open_text(sql **ret, store_tx *tx, const char *text, const struct sql_arg *args,
                   size_t n) {
    return start(ret, tx, text, false, args, n);
}

err *sql_again_n(sql *q, const struct sql_arg *args, size_t n) {
    sqlite3_reset(q->stmt);
    q->on_row = false;
    conn_start_clock(q->c);
    return bind(q, args, n);
}

err *sql_step(sql *q, bool *ret_row) {
    int rc = sqlite3_step(q->stmt);
    q->on_row = rc == SQLITE_ROW;
    if (ret_row) *ret_row = q->on_row;
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) return NULL;
    return err_while(conn_error(q->c, rc, "statement"), "running %.400s", sqlite3_sql(q->stmt));
}

void sql_close(sql *q) {
    if (!q) return;
    if (q->slot) {
        sqlite3_reset(q->stmt);
        sqlite3_clear_bindings(q->stmt);
        q->slot->busy = false;
    } else {
        sqlite3_finalize(q->stmt);
    }
    free(q);
}

static err *run_out(sql *q) {
    bool row = true;
    err *e = NULL;
    while (!e && row) e = sql_step(q, &row);
    sql_close(q);
    return e;
}

err *sql_run_n(store_tx *tx, const char *literal, const struct sql_arg *args, size_t n) {
    sql *q;
    TRY(start(&q, tx, literal, true, args, n));
    return run_out(q);
}

err *sql_run_text(store_tx *tx, const char *text, const struct sql_arg *args, size_t n) {
    sql *q;
    TRY(start(&q, tx, text, false, args, n));
    return run_out(q);
}

err *sql_one_i_n(int64_t *ret, bool *ret_found, store_tx *tx, const char *literal,
                 const struct sql_arg *args, size_t n) {
    sql *q;
    TRY(start(&q, tx, literal, true, args, n));
    bool row = false;
    err *e = sql_step(q, &row);
    if (!e && row) *ret = sql_get_i(q, 0);
    if (!e && ret_found) *ret_found = row;
    sql_close(q);
    return e;
}

int64_t sql_get_i(sql *q, int col) {
    must(q->on_row);
    return sqlite3_column_int64(q->stmt, col);
}

double sql_get_f(sql *q, int col) {
    must(q->on_row);
    return sqlite3_column_double(q->stmt, col);
}

bool sql_is_null(sql *q, int col) {
    must(q->on_row);
    return sqlite3_column_type(q->stmt, col) == SQLITE_NULL;
}

str sql_peek_t(sql *q, int col) {
    must(q->on_row);
    const char *p = (const char *)sqlite3_column_text(q->stmt, col);
    return p ? str_n(p, (size_t)sqlite3_column_bytes(q->stmt, col)) : STR_NONE;
}

str sql_peek_b(sql *q, int col) {
    must(q->on_row);
    if (sqlite3_column_type(q->stmt, col) == SQLITE_NULL) return STR_NONE;
    const char *p = sqlite3_column_blob(q->stmt, col);
    return str_n(p ? p : "", (size_t)sqlite3_column_bytes(q->stmt, col));
}

str sql_get_t(sql *q, int col, arena *a) {
    str s = sql_peek_t(q, col);
    return s.p ? str_n(arena_strndup(a, s.p, s.n), s.n) : s;
}

str sql_get_b(sql *q, int col, arena *a) {
    str s = sql_peek_b(q, col);
    return s.p ? str_n(arena_strndup(a, s.p, s.n), s.n) : s;
}

int64_t sql_changes(store_tx *tx) { return sqlite3_changes64(tx->c->db); }
int64_t sql_last_rowid(store_tx *tx) { return sqlite3_last_insert_rowid(tx->c->db); }
bool sql_is_duplicate(const err *e) { return err_code_of(e) == ERR_RESOURCE_ALREADY_EXISTS; }
