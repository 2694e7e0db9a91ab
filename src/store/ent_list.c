/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and counts of entities: SQL put together from names of columns, values always bound. */
#include <stdio.h>

#include "base/buf.h"
#include "store/fold.h"
#include "store/store_int.h"

#define MAX_ARGS (3 + ENT_MAX_FILTERS + 7)

struct query {
    const struct ent_table *t;
    arena *a;
    buf text;
    struct sql_arg args[MAX_ARGS];
    size_t n;
    bool nothing; /* a value that no row can have */
};

static int add(struct query *q, struct sql_arg v) {
    must(q->n < MAX_ARGS);
    q->args[q->n++] = v;
    return (int)q->n;
}

static const struct ent_column *column_of(const struct ent_table *t, int column) {
    must(column >= 1 && column <= t->n_cols);
    const struct ent_column *c = &t->cols[column - 1];
    must(c->indexed);
    return c;
}

static struct sql_arg value(struct query *q, const struct ent_column *c, int64_t i, str s) {
    bool text = c->type == ENT_TEXT || c->type == ENT_JSON || c->type == ENT_BLOB;
    if (!text) return sql_i(i);
    if (!s.p) s = STR("");
    if (c->fold ? !fold_text(q->a, s, &s) : !str_is_utf8(s) && c->type != ENT_BLOB)
        q->nothing = true;
    return c->type == ENT_BLOB ? sql_b(s) : sql_t(s);
}

/* Where the rows are, at the sequence of the transaction: the living, or the living of then and
 * what has gone since. Each row has one version at a sequence, so nothing comes twice. */
static void from(struct query *q, const store_tx *tx) {
    const char *name = q->t->name;
    if (!tx->as_of) {
        buf_fmt(&q->text, " FROM \"%s\"", name);
        return;
    }
    buf folded = {0};
    for (int i = 0; i < q->t->n_cols; i++)
        if (q->t->cols[i].fold) buf_fmt(&folded, ", \"%s_k\"", q->t->cols[i].name);
    buf_c(&folded, 0);
    int at = add(q, sql_i(tx->as_of));
    buf_fmt(&q->text,
            " FROM (SELECT %s%s FROM \"%s\" WHERE from_seq <= ?%d UNION ALL SELECT %s%s FROM"
            " \"%s_past\" WHERE from_seq <= ?%d AND to_seq > ?%d)",
            q->t->list, folded.p, name, at, q->t->list, folded.p, name, at, at);
    buf_free(&folded);
}

static void where(struct query *q, const struct ent_list_query *ask) {
    buf_z(&q->text, " WHERE account_id = ?1 AND workspace_id = ?2");
    for (int i = 0; ask && i < ENT_MAX_FILTERS; i++) {
        const struct ent_filter *f = &ask->eq[i];
        if (!f->column) continue;
        const struct ent_column *c = column_of(q->t, f->column);
        int at = add(q, value(q, c, f->i, f->s));
        buf_fmt(&q->text, " AND \"%s%s\" = ?%d", c->name, c->fold ? "_k" : "", at);
    }
}

/* The smallest text above all that begin with p: bytes of UTF-8 never reach 0xff. */
static str above(arena *a, str p) {
    char *up = arena_strndup(a, p.p, p.n);
    up[p.n - 1] = (char)((unsigned char)up[p.n - 1] + 1);
    return str_n(up, p.n);
}

static void order(struct query *q, const struct ent_list_query *ask) {
    char by[96] = "id";
    const struct ent_column *c = NULL;
    if (ask->order == ENT_BY_CREATED || ask->order == ENT_BY_UPDATED) {
        snprintf(by, sizeof(by), "%s", ask->order == ENT_BY_CREATED ? "created_at" : "updated_at");
    } else if (ask->order != ENT_BY_ID) {
        c = column_of(q->t, ask->order);
        snprintf(by, sizeof(by), "\"%s%s\"", c->name, c->fold ? "_k" : "");
    }
    const char *sign = ask->descending ? "<" : ">", *way = ask->descending ? " DESC" : "";
    if (ask->prefix.n) {
        must(c && c->type == ENT_TEXT);
        struct sql_arg v = value(q, c, 0, ask->prefix);
        int low = add(q, v), high = add(q, sql_t(above(q->a, v.s)));
        buf_fmt(&q->text, " AND %s >= ?%d AND %s < ?%d", by, low, by, high);
    }
    if (ask->like.n) {
        must(c && c->type == ENT_TEXT);
        buf_fmt(&q->text, " AND %s LIKE ?%d ESCAPE '\\'", by, add(q, value(q, c, 0, ask->like)));
    }
    if (ask->after && ask->order == ENT_BY_ID) {
        buf_fmt(&q->text, " AND id %s ?%d", sign, add(q, sql_i(ask->after_id)));
    } else if (ask->after) {
        int one = add(q, c ? value(q, c, ask->after_i, ask->after_s) : sql_i(ask->after_i));
        int two = add(q, sql_i(ask->after_id));
        buf_fmt(&q->text, " AND (%s, id) %s (?%d, ?%d)", by, sign, one, two);
    }
    if (ask->order == ENT_BY_ID)
        buf_fmt(&q->text, " ORDER BY %sid%s", ask->few ? "+" : "", way); /* SQLite would go by id for the order's sake */
    else
        buf_fmt(&q->text, " ORDER BY %s%s, id%s", by, way, way);
}

/* The list of columns; in brief with NULL for what may be long. */
static void columns(struct query *q, const struct ent_list_query *ask) {
    const struct ent_table *t = q->t;
    if (!ask->brief) {
        buf_z(&q->text, t->list);
        return;
    }
    str rest = str_of(t->list), part;
    for (int at = -8; str_split(&rest, ',', &part); at++) { /* the head's columns come first */
        const struct ent_column *c = at >= 0 ? &t->cols[at] : NULL;
        if (at > -8) buf_z(&q->text, ", ");
        if (c && !c->indexed && (c->type == ENT_JSON || c->type == ENT_BLOB || c->max > 65535))
            buf_z(&q->text, "NULL");
        else
            buf_str(&q->text, str_trim(part));
    }
}

static err *begin(struct query *q, store_tx *tx, const struct ent_table *t,
                  struct store_scope scope, arena *a) {
    must_magic(tx, TX_MAGIC);
    must(tx->file == STORE_META);
    TRY(ent_check_read(tx, t, scope));
    *q = (struct query){.t = t, .a = a};
    add(q, sql_i(scope.account));
    add(q, sql_i(scope.workspace));
    return NULL;
}

static err *read_rows(struct query *q, store_tx *tx, int limit, void **ret_rows, size_t *ret_n,
                      bool *ret_more) {
    const struct ent_table *t = q->t;
    size_t n = 0, cap = limit < 16 ? (size_t)limit : 16;
    char *rows = arena_alloc(q->a, cap * t->size);
    sql *s;
    buf_c(&q->text, 0);
    TRY(sql_open_text(&s, tx, q->text.p, q->args, q->n));
    bool row;
    err *e;
    while (!(e = sql_step(s, &row)) && row && n < (size_t)limit) {
        if (n == cap) {
            char *bigger = arena_alloc(q->a, 4 * cap * t->size);
            memcpy(bigger, rows, cap * t->size);
            rows = bigger;
            cap *= 4;
        }
        ent_read_row(t, s, q->a, rows + n++ * t->size);
    }
    sql_close(s);
    if (e) return e;
    *ret_rows = rows;
    *ret_n = n;
    *ret_more = row;
    return NULL;
}

err *ent_list(store_tx *tx, const struct ent_table *t, struct store_scope scope, arena *a,
              const struct ent_list_query *ask, void **ret_rows, size_t *ret_n, bool *ret_more) {
    static const struct ent_list_query all;
    if (!ask) ask = &all;
    int limit = ask->limit ? ask->limit : ENT_MAX_PAGE;
    must(limit >= 1 && limit <= ENT_MAX_PAGE);
    struct query q;
    TRY(begin(&q, tx, t, scope, a));
    *ret_rows = NULL;
    *ret_n = 0;
    *ret_more = false;
    buf_z(&q.text, "SELECT ");
    columns(&q, ask);
    from(&q, tx);
    where(&q, ask);
    order(&q, ask);
    /* One more than asked for says whether there is a next page. */
    int at = add(&q, sql_i((int64_t)limit + 1));
    buf_fmt(&q.text, " LIMIT ?%d", at);
    err *e = q.nothing ? NULL : read_rows(&q, tx, limit, ret_rows, ret_n, ret_more);
    buf_free(&q.text);
    return e;
}

/* Entities with a limit keep their count (ent.c). */
static err *kept_count(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                       int64_t *ret) {
    bool found = false;
    int64_t n = 0;
    TRY(sql_one_i(
        &n, &found, tx,
        "SELECT n FROM ent_count WHERE entity = ?1 AND account_id = ?2 AND workspace_id = ?3",
        sql_z(t->name), sql_i(scope.account), sql_i(scope.workspace)));
    *ret = n;
    return NULL;
}

err *ent_count(store_tx *tx, const struct ent_table *t, struct store_scope scope,
               const struct ent_list_query *ask, int64_t *ret) {
    bool filtered = false;
    for (int i = 0; ask && i < ENT_MAX_FILTERS; i++) filtered |= ask->eq[i].column != 0;
    struct query q;
    arena *a = arena_new();
    err *e = begin(&q, tx, t, scope, a);
    if (!e && t->limit && !filtered && !tx->as_of) {
        e = kept_count(tx, t, scope, ret);
    } else if (!e) {
        buf_z(&q.text, "SELECT count(*)");
        from(&q, tx);
        where(&q, ask);
        buf_c(&q.text, 0);
        sql *s = NULL;
        bool row = false;
        *ret = 0;
        if (!q.nothing) e = sql_open_text(&s, tx, q.text.p, q.args, q.n);
        if (s) e = sql_step(s, &row);
        if (row) *ret = sql_get_i(s, 0);
        sql_close(s);
    }
    buf_free(&q.text);
    arena_free(a);
    return e;
}

err *ent_first_account(store_tx *tx, int64_t *ret_id, bool *ret_found) {
    must_magic(tx, TX_MAGIC);
    return sql_one_i(ret_id, ret_found, tx,
                     "SELECT id FROM account ORDER BY created_at, id LIMIT 1");
}

/* ---- limits ---- */

bool ent_set_limit(store *s, const char *entity, int64_t limit) {
    for (int i = 0; i < ENT_COUNT; i++)
        if (ent_tables[i]->limit && strcmp(ent_tables[i]->name, entity) == 0) {
            atomic_store(&s->limits[i], limit);
            return true;
        }
    return false;
}

void ent_set_limits(store *s, int64_t (*value_of)(void *arg, const char *setting), void *arg) {
    for (int i = 0; i < ENT_COUNT; i++)
        if (ent_tables[i]->limit_setting)
            atomic_store(&s->limits[i], value_of(arg, ent_tables[i]->limit_setting));
}
