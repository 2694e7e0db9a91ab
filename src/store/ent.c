/* SPDX-License-Identifier: Apache-2.0 */
/* What all entities have in common: checks, versions, keys, lists. Declarations: gen_entities.c. */
#include "store/ent.h"

#include <stdio.h>

#include "base/buf.h"
#include "store/fold.h"
#include "store/store_int.h"
#include "sys/rand.h"

#define HEAD_COLUMNS 8

/* ---- checks ---- */

static str *text_at(const struct ent_column *c, void *row) { return (str *)((char *)row + c->at); }

/* A value in a message: short, and whole characters only. */
static str shown(str s) {
    size_t n = s.n > 80 ? 80 : s.n;
    while (n && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80) n--;
    return str_cut(s, n);
}

static err *bad_char(const struct ent_table *t, const struct ent_column *c, str s,
                     unsigned char ch) {
    char what[16];
    snprintf(what, sizeof(what), ch > 0x20 && ch < 0x7f ? "'%c'" : "byte 0x%02x", ch);
    err *e = err_new(ERR_INVALID_PARAMETER_VALUE, "%s '%.*s' of the %s may not have %s.", c->name,
                     STR_ARG(shown(s)), t->name, what);
    return c->allow ? err_detail(e, "Allowed characters: %s", c->allow) : e;
}

static err *check_characters(const struct ent_table *t, const struct ent_column *c, str s) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char ch = (unsigned char)s.p[i];
        bool bad = ch == 0 || (c->name_like && (ch < 0x20 || ch == 0x7f)) ||
                   (c->allow && (ch >= 0x80 || !strchr(c->allow, ch))) ||
                   (c->forbid && ch < 0x80 && strchr(c->forbid, ch));
        if (bad) return bad_char(t, c, s, ch);
    }
    return NULL;
}

static bool among(const char *values, str s) {
    str rest = str_of(values), one;
    while (str_split(&rest, '|', &one))
        if (str_eq(one, s)) return true;
    return false;
}

static err *check_column(const struct ent_table *t, const struct ent_column *c, str s) {
    bool text = c->type == ENT_TEXT;
    if (c->type != ENT_BLOB && !str_is_utf8(s))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%s of the %s is not UTF-8.", c->name, t->name);
    if (c->name_like && s.n == 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%s of the %s is empty.", c->name, t->name);
    size_t n = text ? fold_length(s) : s.n;
    if (n > c->max)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "%s '%.*s' of the %s has %zu %s; the most is %u.", c->name,
                       STR_ARG(c->type == ENT_BLOB ? STR("…") : shown(s)), t->name, n,
                       text ? "characters" : "bytes", c->max);
    if (text) TRY(check_characters(t, c, s));
    if (c->values && !among(c->values, s))
        return err_detail(err_new(ERR_INVALID_PARAMETER_VALUE, "%s '%.*s' of the %s is not known.",
                                  c->name, STR_ARG(shown(s)), t->name),
                          "Known: %s", c->values);
    return NULL;
}

static bool is_text(const struct ent_column *c) {
    return c->type == ENT_TEXT || c->type == ENT_JSON || c->type == ENT_BLOB;
}

static err *check_row(const struct ent_table *t, void *row) {
    for (int i = 0; i < t->n_cols; i++) {
        if (!is_text(&t->cols[i])) continue;
        str s = *text_at(&t->cols[i], row);
        if (s.p || !t->cols[i].null) TRY(check_column(t, &t->cols[i], s));
    }
    return NULL;
}

/* Mixing up scopes is a bug of ours, and must not become an answer with somebody else's rows. */
static err *check_scope(const struct ent_table *t, struct store_scope scope) {
    bool ok = scope.account > 0 && scope.workspace >= 0 &&
              (t->scope == ENT_ANY || (t->scope == ENT_ACCOUNT) == (scope.workspace == 0));
    if (ok) return NULL;
    return err_new(ERR_INTERNAL_ERROR, "The scope (%lld, %lld) does not fit the entity %s.",
                   (long long)scope.account, (long long)scope.workspace, t->name);
}

err *ent_check_read(const store_tx *tx, const struct ent_table *t, struct store_scope scope) {
    must_magic(tx, TX_MAGIC);
    must(tx->file == STORE_META);
    TRY(check_scope(t, scope));
    if (tx->as_of && t->erased)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "as_of: of a %s no past is kept.", t->name);
    return NULL;
}

static err *check_write(store_tx *tx, const struct ent_table *t, struct store_scope scope) {
    must_magic(tx, TX_MAGIC);
    must(tx->file == STORE_META && tx->writes);
    TRY(check_scope(t, scope));
    if (!tx->scope.account) tx->scope = scope;
    return NULL;
}

/* The first text of the first key names a row in messages and in the journal. */
static str name_of(const struct ent_table *t, void *row) {
    for (int k = 0; k < t->n_keys; k++)
        for (int i = 0; i < t->keys[k].n; i++) {
            const struct ent_column *c = &t->cols[t->keys[k].cols[i]];
            if (c->type == ENT_TEXT) return *text_at(c, row);
        }
    return STR("");
}

/* What the caller named stays; else the first row that the write changed. */
static void note_securable(store_tx *tx, const struct ent_table *t, int64_t id, str name) {
    if (!tx->securable_set) store_tx_securable(tx, t->name, id, shown(name));
}

/* ---- rows in and out ---- */

void ent_read_row(const struct ent_table *t, sql *q, arena *a, void *row) {
    struct ent_head *h = row;
    h->id = sql_get_i(q, 0);
    h->account = sql_get_i(q, 1);
    h->workspace = sql_get_i(q, 2);
    h->from_seq = sql_get_i(q, 3);
    h->created_at = sql_get_i(q, 4);
    h->created_by = sql_get_i(q, 5);
    h->updated_at = sql_get_i(q, 6);
    h->updated_by = sql_get_i(q, 7);
    for (int i = 0; i < t->n_cols; i++) {
        const struct ent_column *c = &t->cols[i];
        char *at = (char *)row + c->at;
        int col = HEAD_COLUMNS + i;
        switch (c->type) {
        case ENT_INT:
            *(int64_t *)at = sql_get_i(q, col);
            break;
        case ENT_BOOL:
            *(bool *)at = sql_get_i(q, col) != 0;
            break;
        case ENT_FLOAT:
            *(double *)at = sql_get_f(q, col);
            break;
        case ENT_TEXT:
        case ENT_JSON:
            *(str *)at = sql_get_t(q, col, a);
            break;
        case ENT_BLOB:
            *(str *)at = sql_get_b(q, col, a);
            break;
        }
    }
}

/* All stored columns in the order of the INSERT; folded twins last. *ret_n values. */
static void row_args(const struct ent_table *t, arena *a, void *row, struct sql_arg *args,
                     size_t *ret_n) {
    struct ent_head *h = row;
    size_t n = 0;
    const int64_t head[HEAD_COLUMNS] = {h->id,         h->account,    h->workspace,  h->from_seq,
                                        h->created_at, h->created_by, h->updated_at, h->updated_by};
    for (int i = 0; i < HEAD_COLUMNS; i++) args[n++] = sql_i(head[i]);
    for (int i = 0; i < t->n_cols; i++) {
        const struct ent_column *c = &t->cols[i];
        char *at = (char *)row + c->at;
        str s = is_text(c) ? *(str *)at : STR_NONE;
        if (is_text(c) && !s.p && !c->null) s = STR("");
        switch (c->type) {
        case ENT_INT:
            args[n++] = sql_i(*(int64_t *)at);
            break;
        case ENT_BOOL:
            args[n++] = sql_i(*(bool *)at);
            break;
        case ENT_FLOAT:
            args[n++] = sql_f(*(double *)at);
            break;
        case ENT_TEXT:
            if (c->nfc && s.p) must(fold_nfc(a, s, &s)); /* UTF-8 by check_row() */
            args[n++] = sql_t(s);
            break;
        case ENT_JSON:
            args[n++] = sql_t(s);
            break;
        case ENT_BLOB:
            args[n++] = sql_b(s);
            break;
        }
    }
    for (int i = 0; i < t->n_cols; i++) {
        const struct ent_column *c = &t->cols[i];
        if (!c->fold) continue;
        str s = *text_at(c, row), folded = STR_NONE;
        if (s.p || !c->null) must(fold_text(a, s.p ? s : STR(""), &folded));
        args[n++] = sql_t(folded);
    }
    *ret_n = n;
}

/* ---- look-ups ---- */

static err *not_found(const struct ent_table *t, str name, int64_t id) {
    if (name.n)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s '%.*s' does not exist.", t->name,
                       STR_ARG(shown(name)));
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s %lld does not exist.", t->name, (long long)id);
}

static err *look_up(store_tx *tx, const struct ent_table *t, const char *text,
                    const struct sql_arg *args, size_t n, arena *a, void *ret, bool *found) {
    sql *q;
    bool row = false;
    TRY(sql_open_n(&q, tx, text, args, n));
    err *e = sql_step(q, &row);
    if (!e && row) ent_read_row(t, q, a, ret);
    sql_close(q);
    *found = row;
    return e;
}

err *ent_get(store_tx *tx, const struct ent_table *t, struct store_scope scope, arena *a,
             int64_t id, void *ret, bool *found) {
    TRY(ent_check_read(tx, t, scope));
    const struct sql_arg args[] = {sql_i(scope.account), sql_i(scope.workspace), sql_i(id),
                                   sql_i(tx->as_of)};
    bool there;
    TRY(look_up(tx, t, tx->as_of ? t->get_past : t->get, args, tx->as_of ? 4 : 3, a, ret, &there));
    if (!found && !there) return not_found(t, STR_NONE, id);
    if (found) *found = there;
    return NULL;
}

/* The value that is compared. False: no row can have it (not UTF-8). */
static bool compared(const struct ent_column *c, arena *a, int64_t i, str s, struct sql_arg *ret) {
    if (!is_text(c)) {
        *ret = sql_i(i);
        return true;
    }
    if (!s.p) s = STR("");
    if (c->fold && !fold_text(a, s, &s)) return false;
    if (c->nfc && !c->fold && !fold_nfc(a, s, &s)) return false;
    *ret = c->type == ENT_BLOB ? sql_b(s) : sql_t(s);
    return true;
}

static err *by_key(store_tx *tx, const struct ent_table *t, const struct ent_key *k,
                   struct store_scope scope, arena *a, const struct ent_part *parts, void *ret,
                   bool *found) {
    struct sql_arg args[ENT_MAX_KEY + 3] = {sql_i(scope.account), sql_i(scope.workspace)};
    size_t n = 2;
    *found = false;
    for (int i = 0; i < k->n; i++)
        if (!compared(&t->cols[k->cols[i]], a, parts[i].i, parts[i].s, &args[n++])) return NULL;
    if (tx->as_of) args[n++] = sql_i(tx->as_of);
    return look_up(tx, t, tx->as_of ? k->get_past : k->get, args, n, a, ret, found);
}

err *ent_by_key(store_tx *tx, const struct ent_table *t, int key, struct store_scope scope,
                arena *a, const struct ent_part *parts, void *ret, bool *found) {
    must(key >= 0 && key < t->n_keys);
    TRY(ent_check_read(tx, t, scope));
    const struct ent_key *k = &t->keys[key];
    bool there;
    TRY(by_key(tx, t, k, scope, a, parts, ret, &there));
    if (!there && !found) {
        for (int i = 0; i < k->n; i++)
            if (t->cols[k->cols[i]].type == ENT_TEXT) return not_found(t, parts[i].s, 0);
        return not_found(t, STR_NONE, parts[k->n - 1].i);
    }
    if (found) *found = there;
    return NULL;
}

/* ---- changes ---- */

static err *check_limit(store_tx *tx, const struct ent_table *t, struct store_scope scope) {
    int64_t limit = atomic_load(&tx->s->limits[t->number]), n = 0;
    if (!t->limit || limit <= 0) return NULL;
    TRY(ent_count(tx, t, scope, NULL, &n));
    if (n < limit) return NULL;
    return err_hint(err_new(ERR_RESOURCE_EXHAUSTED,
                            "There are %lld of the entity %s; the most is %lld.", (long long)n,
                            t->name, (long long)limit),
                    "Delete some%s%s.", t->limit_setting ? ", or raise the setting " : "",
                    t->limit_setting ? t->limit_setting : "");
}

static err *count_row(store_tx *tx, const struct ent_table *t, struct store_scope scope, int by) {
    if (!t->limit) return NULL;
    return sql_run(
        tx,
        "INSERT INTO ent_count (entity, account_id, workspace_id, n) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (entity, account_id, workspace_id) DO UPDATE SET n = n + ?4",
        sql_z(t->name), sql_i(scope.account), sql_i(scope.workspace), sql_i(by));
}

/* Which key is taken? Looks each one up, so that the message can name the value. */
static err *explain_duplicate(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                              void *row, bool inserting, err *original) {
    arena *a = arena_new();
    void *other = arena_alloc(a, t->size);
    int64_t id = ((struct ent_head *)row)->id;
    err *better = NULL;
    for (int k = 0; k < t->n_keys && !better; k++) {
        struct ent_part parts[ENT_MAX_KEY] = {0};
        const struct ent_column *text = NULL;
        for (int i = 0; i < t->keys[k].n; i++) {
            const struct ent_column *c = &t->cols[t->keys[k].cols[i]];
            if (is_text(c))
                parts[i].s = *text_at(c, row);
            else
                parts[i].i = *(int64_t *)((char *)row + c->at);
            if (c->type == ENT_TEXT) text = c;
        }
        bool found = false;
        err *e = by_key(tx, t, &t->keys[k], scope, a, parts, other, &found);
        err_free(e);
        if (e || !found || (!inserting && ((struct ent_head *)other)->id == id)) continue;
        better = text ? err_new(ERR_RESOURCE_ALREADY_EXISTS, "%s with %s '%.*s' already exists.",
                                t->name, text->name, STR_ARG(shown(*text_at(text, row))))
                      : err_new(ERR_RESOURCE_ALREADY_EXISTS, "This %s already exists.", t->name);
    }
    arena_free(a);
    if (!better) return original;
    err_free(original);
    return better;
}

/* An id that no living row of the entity has. */
static err *new_id(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                   int64_t *ret) {
    for (int tries = 0; tries < 8; tries++) {
        int64_t id = rand_id();
        const struct sql_arg args[] = {sql_i(scope.account), sql_i(scope.workspace), sql_i(id)};
        sql *q;
        bool row = false;
        TRY(sql_open_n(&q, tx, t->get, args, 3));
        err *e = sql_step(q, &row);
        sql_close(q);
        if (e) return e;
        if (!row) {
            *ret = id;
            return NULL;
        }
    }
    return err_new(ERR_INTERNAL_ERROR, "No free id for a %s.", t->name);
}

static err *write_row(store_tx *tx, const struct ent_table *t, const char *text, void *row) {
    arena *a = arena_new();
    struct sql_arg args[ENT_MAX_COLUMNS];
    size_t n;
    row_args(t, a, row, args, &n);
    err *e = sql_run_n(tx, text, args, n);
    arena_free(a);
    return e;
}

err *ent_insert(store_tx *tx, const struct ent_table *t, struct store_scope scope, void *row) {
    TRY(check_write(tx, t, scope));
    TRY(check_row(t, row));
    struct ent_head *h = row;
    if (h->id == 0) TRY(new_id(tx, t, scope, &h->id));
    if (h->id == ENT_ID_ZERO) h->id = 0;
    h->account = scope.account;
    h->workspace = scope.workspace;
    h->from_seq = tx->seq;
    if (!h->created_at) h->created_at = tx->time;
    if (!h->updated_at) h->updated_at = tx->time;
    if (!h->created_by) h->created_by = store_tx_principal(tx);
    if (!h->updated_by) h->updated_by = store_tx_principal(tx);
    TRY(check_limit(tx, t, scope));
    err *e = write_row(tx, t, t->insert, row);
    if (e) return sql_is_duplicate(e) ? explain_duplicate(tx, t, scope, row, true, e) : e;
    note_securable(tx, t, h->id, name_of(t, row));
    return count_row(tx, t, scope, 1);
}

/* A version that this very write made was never seen by anybody: it leaves no past. */
static err *keep_past(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                      int64_t id) {
    if (t->erased) return NULL;
    const struct sql_arg args[] = {sql_i(scope.account), sql_i(scope.workspace), sql_i(id),
                                   sql_i(tx->seq)};
    return sql_run_n(tx, t->to_past, args, 4);
}

/* All or nothing, also for a job that goes on after an error: the past must not get a version that
 * still lives. */
static err *replace(store_tx *tx, const struct ent_table *t, struct store_scope scope, void *row) {
    TRY(sql_run(tx, "SAVEPOINT ent"));
    err *e = keep_past(tx, t, scope, ((struct ent_head *)row)->id);
    if (!e) e = write_row(tx, t, t->update, row);
    if (!e && sql_changes(tx) == 0) e = not_found(t, STR_NONE, ((struct ent_head *)row)->id);
    if (e) {
        err *undo = sql_run(tx, "ROLLBACK TO ent");
        err_free(undo); /* the transaction is lost then, and the writer sees it */
    }
    err *end = sql_run(tx, "RELEASE ent");
    if (e)
        err_free(end);
    else
        e = end;
    return e;
}

err *ent_update(store_tx *tx, const struct ent_table *t, struct store_scope scope, void *row) {
    TRY(check_write(tx, t, scope));
    TRY(check_row(t, row));
    struct ent_head *h = row;
    h->account = scope.account;
    h->workspace = scope.workspace;
    h->from_seq = tx->seq;
    h->updated_at = tx->time;
    h->updated_by = store_tx_principal(tx);
    err *e = replace(tx, t, scope, row);
    if (e) return sql_is_duplicate(e) ? explain_duplicate(tx, t, scope, row, false, e) : e;
    note_securable(tx, t, h->id, name_of(t, row));
    return NULL;
}

err *ent_delete(store_tx *tx, const struct ent_table *t, struct store_scope scope, int64_t id) {
    TRY(check_write(tx, t, scope));
    TRY(keep_past(tx, t, scope, id));
    const struct sql_arg args[] = {sql_i(scope.account), sql_i(scope.workspace), sql_i(id)};
    TRY(sql_run_n(tx, t->del, args, 3));
    if (sql_changes(tx) == 0) return not_found(t, STR_NONE, id);
    TRY(count_row(tx, t, scope, -1));
    note_securable(tx, t, id, STR(""));
    return NULL;
}

static err *delete_some(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                        int64_t *left) {
    arena *a = arena_new();
    struct ent_list_query q = {.limit = *left < ENT_MAX_PAGE ? (int)*left : ENT_MAX_PAGE};
    void *rows;
    size_t n = 0;
    bool more;
    err *e = ent_list(tx, t, scope, a, &q, &rows, &n, &more);
    for (size_t i = 0; i < n && !e; i++)
        e = ent_delete(tx, t, scope, ((struct ent_head *)((char *)rows + i * t->size))->id);
    arena_free(a);
    *left -= (int64_t)n;
    return e;
}

err *ent_delete_scope(store_tx *tx, struct store_scope scope, int64_t max, bool *ret_more) {
    int64_t left = max;
    for (int i = 0; i < ENT_COUNT && left > 0; i++) {
        const struct ent_table *t = ent_tables[i];
        if (t->scope != ENT_ANY && (t->scope == ENT_ACCOUNT) != (scope.workspace == 0)) continue;
        int64_t before;
        do {
            before = left;
            TRY(delete_some(tx, t, scope, &left));
        } while (left > 0 && left < before);
    }
    *ret_more = left <= 0;
    return NULL;
}
