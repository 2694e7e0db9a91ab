/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics of runs. A training loop logs the same few keys again and again, so a call must cost few
 * statements and touch few pages (each page written is encrypted, checked and synced); a search
 * wants every run's latest values in an index. Hence these forms of the same data:
 *
 *   point_new    the newest part of the history: one row per call, in the order of calls, so that
 *                the calls of many runs share pages; entries of 28 bytes
 *                  u32 key number · i64 timestamp · i64 step · f64 value      (little-endian)
 *   point        the rest of the history: the same entries, by run; n is that of the first row
 *   run_latest   the latest values: a row (segment) holds the keys 64·seg … 64·seg+63 in the order
 *                of their first appearance, which gives a key its number for ever
 *                  u16 key length · key · f64 value · i64 timestamp · i64 step
 *   metric_find  (eid, key, value, rid): what searches use
 *
 * Invariants
 * 1. A run is *settled* (run.hot = 0: metric_find has exactly its latest values but NaN) or *hot*
 *    (run.hot = 1: metric_find has none of its values, and run_hot names it).
 * 2. A log call makes its run hot; the end of a run settles it. There are at most MAX_HOT hot runs:
 *    one more settles the one that has been hot for longest.
 * 3. When point_new has NEW_MAX rows, the oldest NEW_MOVE of them go to point, a row for each of
 *    their runs. A history is what point and point_new have of a run, sorted when it is read. The
 *    newest rows always stay, so numbers are not used twice.
 * So a call costs one insert and one update per touched segment, and a search reads an index and at
 * most MAX_HOT rows beside it (mlflow_search.c).
 */
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "store/mlflow_runs.h"
#include "store/sql.h"

#define SEGMENT 64u
#define POINT_BYTES 28u
#define MAX_HOT 1000
#define NEW_MAX 4096
#define NEW_MOVE 2048
#define NEW_CHECK 64 /* calls between two looks at the number of rows */

struct latest {
    arena *a;
    vec_of(struct mlflow_point) keys;
    map *index; /* built when worth it: key -> number + 1 */
};

static void put_f64(buf *b, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    buf_u64(b, bits);
}

static uint64_t get_u64(const char *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | (unsigned char)p[i];
    return v;
}

static double get_f64(const char *p) {
    uint64_t bits = get_u64(p);
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static err *damaged(void) BH_CHECK;
static err *damaged(void) {
    return err_new(ERR_DATA_LOSS, "The stored metrics of a run cannot be read.");
}

static err *read_segment(struct latest *l, str d) {
    while (d.n) {
        if (d.n < 2) return damaged();
        size_t n = (unsigned char)d.p[0] | (size_t)(unsigned char)d.p[1] << 8;
        if (d.n < 2 + n + 24) return damaged();
        const char *v = d.p + 2 + n;
        struct mlflow_point p = {str_n(arena_strndup(l->a, d.p + 2, n), n), get_f64(v),
                                 (int64_t)get_u64(v + 8), (int64_t)get_u64(v + 16)};
        vec_push(&l->keys, p);
        d = str_from(d, 2 + n + 24);
    }
    return NULL;
}

static err *read_latest(store_tx *tx, struct latest *l, int64_t rid) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT data FROM run_latest WHERE rid = ?1 ORDER BY seg", sql_i(rid)));
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row) e = read_segment(l, sql_peek_b(q, 0));
    sql_close(q);
    return e;
}

static void free_latest(struct latest *l) {
    vec_free(&l->keys);
    map_free(l->index);
}

static size_t find_key(struct latest *l, str key, bool many) {
    if (!many) {
        for (size_t i = 0; i < l->keys.n; i++)
            if (str_eq(l->keys.p[i].key, key)) return i;
        return SIZE_MAX;
    }
    if (!l->index) {
        l->index = map_new();
        for (size_t i = 0; i < l->keys.n; i++)
            map_put(l->index, l->keys.p[i].key, (void *)(uintptr_t)(i + 1));
    }
    return (size_t)(uintptr_t)map_get(l->index, key) - 1; /* none: SIZE_MAX */
}

static size_t add_key(struct latest *l, const struct mlflow_point *p) {
    vec_push(&l->keys, *p);
    if (l->index) map_put(l->index, p->key, (void *)(uintptr_t)l->keys.n);
    return l->keys.n - 1;
}

/* MLflow's rule of what is latest: step, then time, then value. */
static bool is_later(const struct mlflow_point *n, const struct mlflow_point *old) {
    if (n->step != old->step) return n->step > old->step;
    if (n->timestamp != old->timestamp) return n->timestamp > old->timestamp;
    return n->value > old->value;
}

static err *write_segment(store_tx *tx, struct latest *l, int64_t rid, size_t seg) {
    buf b = {0};
    for (size_t i = seg * SEGMENT; i < l->keys.n && i < (seg + 1) * SEGMENT; i++) {
        const struct mlflow_point *p = &l->keys.p[i];
        must(p->key.n < 65536);
        buf_u16(&b, (uint16_t)p->key.n);
        buf_str(&b, p->key);
        put_f64(&b, p->value);
        buf_u64(&b, (uint64_t)p->timestamp);
        buf_u64(&b, (uint64_t)p->step);
    }
    err *e = sql_run(tx, "INSERT OR REPLACE INTO run_latest (rid, seg, data) VALUES (?1, ?2, ?3)",
                     sql_i(rid), sql_i((int64_t)seg), sql_b(buf_view(&b)));
    buf_free(&b);
    return e;
}

/* ---- hot and settled ---- */

static err *unsettle(store_tx *tx, struct mlflow_run *run, struct latest *l) {
    for (size_t i = 0; i < l->keys.n; i++)
        if (!isnan(l->keys.p[i].value))
            TRY(sql_run(tx,
                        "DELETE FROM metric_find WHERE eid = ?1 AND key = ?2 AND value = ?3"
                        " AND rid = ?4",
                        sql_i(run->eid), sql_t(l->keys.p[i].key), sql_f(l->keys.p[i].value),
                        sql_i(run->rid)));
    TRY(sql_run(tx, "INSERT INTO run_hot (rid, eid) VALUES (?1, ?2)", sql_i(run->rid),
                sql_i(run->eid)));
    TRY(sql_run(tx, "UPDATE run SET hot = 1 WHERE rid = ?1", sql_i(run->rid)));
    run->hot = true;
    int64_t n, oldest, eid;
    TRY(sql_one_i(&n, NULL, tx, "SELECT count(*) FROM run_hot"));
    if (n <= MAX_HOT) return NULL;
    TRY(sql_one_i(&oldest, NULL, tx, "SELECT rid FROM run_hot ORDER BY n LIMIT 1"));
    TRY(sql_one_i(&eid, NULL, tx, "SELECT eid FROM run_hot ORDER BY n LIMIT 1"));
    struct mlflow_run other = {.rid = oldest, .eid = eid, .hot = true};
    return mlflow_metrics_settle(tx, &other);
}

static err *settle(store_tx *tx, struct mlflow_run *run, struct latest *l) {
    TRY(read_latest(tx, l, run->rid));
    for (size_t i = 0; i < l->keys.n; i++)
        if (!isnan(l->keys.p[i].value))
            TRY(sql_run(tx,
                        "INSERT OR IGNORE INTO metric_find (eid, key, value, rid)"
                        " VALUES (?1, ?2, ?3, ?4)",
                        sql_i(run->eid), sql_t(l->keys.p[i].key), sql_f(l->keys.p[i].value),
                        sql_i(run->rid)));
    TRY(sql_run(tx, "DELETE FROM run_hot WHERE rid = ?1", sql_i(run->rid)));
    TRY(sql_run(tx, "UPDATE run SET hot = 0 WHERE rid = ?1", sql_i(run->rid)));
    run->hot = false;
    return NULL;
}

err *mlflow_metrics_settle(store_tx *tx, struct mlflow_run *run) {
    arena *a = arena_new();
    struct latest l = {.a = a};
    err *e = settle(tx, run, &l);
    free_latest(&l);
    arena_free(a);
    return e;
}

/* ---- history ---- */

/* Rows of one run that go to point together. */
struct moving {
    int64_t rid, n;
    buf data;
};

static err *gather(store_tx *tx, int64_t until, map *by_run) {
    sql *q;
    TRY(sql_open(&q, tx, "SELECT n, rid, data FROM point_new WHERE n <= ?1 ORDER BY n",
                 sql_i(until)));
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(q, &row)) && row) {
        uint64_t rid = (uint64_t)sql_get_i(q, 1);
        struct moving *m = map_get(by_run, map_key_u64(&rid));
        if (!m) {
            m = calloc(1, sizeof(*m));
            must(m != NULL);
            *m = (struct moving){.rid = (int64_t)rid, .n = sql_get_i(q, 0)};
            map_put(by_run, map_key_u64(&rid), m);
        }
        buf_str(&m->data, sql_peek_b(q, 2));
    }
    sql_close(q);
    return e;
}

static err *move_points(store_tx *tx) {
    int64_t first = 0, last = 0;
    TRY(sql_one_i(&first, NULL, tx, "SELECT n FROM point_new ORDER BY n LIMIT 1"));
    TRY(sql_one_i(&last, NULL, tx, "SELECT n FROM point_new ORDER BY n DESC LIMIT 1"));
    if (last - first < NEW_MAX) return NULL;
    int64_t until = last - NEW_MAX + NEW_MOVE;
    map *by_run = map_new();
    err *e = gather(tx, until, by_run);
    str k;
    void *v;
    for (size_t i = 0; map_next(by_run, &i, &k, &v);) {
        struct moving *m = v;
        if (!e)
            e = sql_run(tx, "INSERT INTO point (rid, n, data) VALUES (?1, ?2, ?3)", sql_i(m->rid),
                        sql_i(m->n), sql_b(buf_view(&m->data)));
        buf_free(&m->data);
        free(m);
    }
    map_free(by_run);
    if (!e) e = sql_run(tx, "DELETE FROM point_new WHERE n <= ?1", sql_i(until));
    return e;
}

/* ---- logging ---- */

static err *log_points(store_tx *tx, struct mlflow_run *run, struct latest *l,
                       const struct mlflow_point *p, size_t n, buf *chunk) {
    TRY(read_latest(tx, l, run->rid));
    if (!run->hot) TRY(unsettle(tx, run, l));
    size_t n_seg = (l->keys.n + n) / SEGMENT + 1;
    bool *dirty = arena_array_of(l->a, bool, n_seg);
    bool many = n > 16 && l->keys.n + n > 64;
    for (size_t i = 0; i < n; i++) {
        size_t k = find_key(l, p[i].key, many);
        if (k == SIZE_MAX) {
            k = add_key(l, &p[i]);
            dirty[k / SEGMENT] = true;
        } else if (is_later(&p[i], &l->keys.p[k])) {
            str key = l->keys.p[k].key;
            l->keys.p[k] = p[i];
            l->keys.p[k].key = key;
            dirty[k / SEGMENT] = true;
        }
        buf_u32(chunk, (uint32_t)k);
        buf_u64(chunk, (uint64_t)p[i].timestamp);
        buf_u64(chunk, (uint64_t)p[i].step);
        put_f64(chunk, p[i].value);
    }
    TRY(sql_run(tx, "INSERT INTO point_new (rid, data) VALUES (?1, ?2)", sql_i(run->rid),
                sql_b(buf_view(chunk))));
    if (sql_last_rowid(tx) % NEW_CHECK == 0) TRY(move_points(tx));
    for (size_t s = 0; s < n_seg; s++)
        if (dirty[s]) TRY(write_segment(tx, l, run->rid, s));
    return NULL;
}

err *mlflow_metrics_log(store_tx *tx, struct mlflow_run *run, const struct mlflow_point *p,
                        size_t n) {
    if (n == 0) return NULL;
    arena *a = arena_new();
    struct latest l = {.a = a};
    buf chunk = {0};
    err *e = log_points(tx, run, &l, p, n, &chunk);
    buf_free(&chunk);
    free_latest(&l);
    arena_free(a);
    return e;
}

/* ---- reading ---- */

err *mlflow_metrics_latest(store_tx *tx, arena *a, int64_t rid, struct mlflow_points *ret) {
    struct latest l = {.a = a};
    err *e = read_latest(tx, &l, rid);
    ret->p = arena_array_of(a, struct mlflow_point, l.keys.n + 1);
    ret->n = l.keys.n;
    if (l.keys.n) memcpy(ret->p, l.keys.p, l.keys.n * sizeof(*ret->p));
    free_latest(&l);
    return e;
}

static int compare_f64(double x, double y) {
    if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
    return (x > y) - (x < y);
}

static int compare_points(const void *x, const void *y) {
    const struct mlflow_point *p = x, *q = y;
    if (p->timestamp != q->timestamp) return p->timestamp < q->timestamp ? -1 : 1;
    if (p->step != q->step) return p->step < q->step ? -1 : 1;
    return compare_f64(p->value, q->value);
}

struct page {
    const struct mlflow_history *q;
    vec_of(struct mlflow_point) v;
    bool full; /* v holds the limit smallest so far, sorted */
};

/* Keeps the limit smallest, each once. */
static void shrink(struct page *pg) {
    if (pg->v.n == 0) return;
    qsort(pg->v.p, pg->v.n, sizeof(*pg->v.p), compare_points);
    size_t n = 1;
    for (size_t i = 1; i < pg->v.n; i++)
        if (compare_points(&pg->v.p[n - 1], &pg->v.p[i]) != 0) pg->v.p[n++] = pg->v.p[i];
    pg->full = n >= pg->q->limit;
    pg->v.n = pg->full ? pg->q->limit : n;
}

static err *take_chunk(struct page *pg, uint32_t key, str d) {
    const struct mlflow_history *q = pg->q;
    if (d.n % POINT_BYTES) return damaged();
    for (; d.n; d = str_from(d, POINT_BYTES)) {
        uint32_t k = (uint32_t)(get_u64(d.p) & 0xffffffffu);
        if (k != key) continue;
        struct mlflow_point p = {q->key, get_f64(d.p + 20), (int64_t)get_u64(d.p + 4),
                                 (int64_t)get_u64(d.p + 12)};
        if (p.step < q->min_step || p.step > q->max_step) continue;
        if (q->after_set && compare_points(&p, &q->after) <= 0) continue;
        if (pg->full && compare_points(&p, &pg->v.p[q->limit - 1]) >= 0) continue;
        vec_push(&pg->v, p);
        if (pg->v.n >= q->limit * 2) shrink(pg);
    }
    return NULL;
}

static err *take_all(struct page *pg, uint32_t key, sql *s) {
    bool row = true;
    err *e = NULL;
    while (!e && !(e = sql_step(s, &row)) && row) e = take_chunk(pg, key, sql_peek_b(s, 0));
    sql_close(s);
    return e;
}

static err *read_history(store_tx *tx, int64_t rid, struct page *pg, uint32_t key) {
    sql *s;
    TRY(sql_open(&s, tx, "SELECT data FROM point WHERE rid = ?1 ORDER BY n", sql_i(rid)));
    TRY(take_all(pg, key, s));
    TRY(sql_open(&s, tx, "SELECT data FROM point_new WHERE rid = ?1", sql_i(rid)));
    return take_all(pg, key, s);
}

err *mlflow_metrics_history(store_tx *tx, arena *a, int64_t rid, const struct mlflow_history *q,
                            struct mlflow_points *ret) {
    must(q->limit > 0);
    *ret = (struct mlflow_points){0};
    struct latest l = {.a = a};
    struct page pg = {.q = q};
    err *e = read_latest(tx, &l, rid);
    size_t key = find_key(&l, q->key, false);
    if (!e && key != SIZE_MAX) e = read_history(tx, rid, &pg, (uint32_t)key);
    if (!e && pg.v.n) {
        shrink(&pg);
        ret->p = arena_array_of(a, struct mlflow_point, pg.v.n);
        memcpy(ret->p, pg.v.p, pg.v.n * sizeof(*ret->p));
        ret->n = pg.v.n;
    }
    vec_free(&pg.v);
    free_latest(&l);
    return e;
}
