/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query history: statements go into history.db in groups, a moment after they began and after they ended, so that
 * a short one costs one row and no sync of its own.
 */
#include "base/log.h"
#include "statements/statements_int.h"
#include "sys/clock.h"

#define FLUSH_US 100000
#define PRUNE_EVERY_US 3600000000ll
#define PRUNE_ROWS 5000

struct group {
    struct statements *svc;
    arena *a;
    struct statement **of;
    struct history_statement *rows;
    size_t n;
    err *e;
};

static enum history_state state_of(enum statement_state s) {
    static const enum history_state states[] = {HISTORY_PENDING, HISTORY_RUNNING,  HISTORY_SUCCEEDED,
                                                HISTORY_FAILED,  HISTORY_CANCELED, HISTORY_SUCCEEDED};
    return states[s];
}

/* How long it waited, for the metrics; the engine's own come first. */
static void add_waits(const struct statement *s, jdoc *d, jmut *m) {
    if (s->queued_for_start && s->started > s->queued_for_start)
        json_put_int(d, m, "provisioning_queue_start_timestamp", s->queued_for_start / 1000);
    if (s->queued_for_room && s->started - s->queued_for_room > 1000)
        json_put_int(d, m, "overloading_queue_start_timestamp", s->queued_for_room / 1000);
    int64_t end = s->ended ? s->ended : clock_now();
    json_put_int(d, m, "total_time_ms", (end - s->submitted) / 1000);
    if (s->state == STATEMENT_SUCCEEDED) json_put_int(d, m, "rows_produced_count", s->rows);
}

/* What the engine measured, by the names of query history. */
static const struct {
    const char *engine, *shown;
    int64_t per;
} measured[] = {
    {"compile_us", "compilation_time_ms", 1000},
    {"execute_us", "execution_time_ms", 1000},
    {"result_bytes", "network_sent_bytes", 1},
    {"read_bytes", "read_bytes", 1},
    {"read_files", "read_files_count", 1},
    {"read_rows", "rows_read_count", 1},
    {"pruned_files", "pruned_files_count", 1},
    {"pruned_bytes", "pruned_bytes", 1},
    {"spill_bytes", "spill_to_disk_bytes", 1},
    {"written_bytes", "write_remote_bytes", 1},
};

static str metrics_of(const struct statement *s, arena *a) {
    jdoc *d = json_doc(a);
    jval *v = NULL;
    int64_t n;
    err *e = s->metrics ? json_parse(a, str_of(s->metrics), false, &v) : NULL;
    err_free(e);
    jmut *m = yyjson_mut_obj(d);
    for (size_t i = 0; i < ARRAY_LEN(measured); i++)
        if (json_i64(json_get(v, measured[i].engine), &n)) json_put_int(d, m, measured[i].shown, n / measured[i].per);
    add_waits(s, d, m);
    return json_text(a, m);
}

void statement_row(const struct statement *s, struct history_statement *ret) {
    *ret = (struct history_statement){.scope = s->scope,
                                      .id = str_of(s->id),
                                      .warehouse = str_of(s->warehouse_id),
                                      .session = str_of(s->session_shown ? s->session_id : ""),
                                      .user = s->user,
                                      .user_name = str_of(s->user_name),
                                      .state = state_of(s->state),
                                      .submitted = s->submitted,
                                      .started = s->started,
                                      .ended = s->ended,
                                      .rows = s->rows,
                                      .kind = str_of(s->kind ? s->kind : ""),
                                      .client = str_of(s->client),
                                      .text = s->shown ? str_of(s->shown) : str_n(s->text, s->text_n),
                                      .error_code = str_of(s->error ? err_name(s->error_code) : ""),
                                      .error = str_of(s->error ? s->error : ""),
                                      .sql_state = str_of(s->sql_state),
                                      .tags = str_of(s->tags)};
}

static err *write_rows(store_tx *tx, void *arg) {
    struct group *g = arg;
    for (size_t i = 0; i < g->n; i++) TRY(history_statement_put(tx, &g->rows[i]));
    return NULL;
}

static void settle(struct statements *svc) {
    while (svc->settling_now.n) {
        uint64_t park = svc->settling_now.p[--svc->settling_now.n];
        struct req *r = control_parked(svc->c, park);
        if (r) req_resume(r, NULL);
    }
}

static void written(void *arg) {
    struct group *g = arg;
    struct statements *svc = g->svc;
    svc->flushing = false;
    if (g->e) log_error("query history cannot be written", lf_err(g->e));
    err_free(g->e);
    for (size_t i = 0; i < g->n; i++) {
        g->of[i]->noted = true;
        if (statement_over(g->of[i]->state) && !g->of[i]->dirty) statement_free_text(g->of[i]);
        waits_noted(g->of[i]);
        statement_drop(g->of[i]);
    }
    settle(svc);
    arena_free(g->a);
    if (svc->dirty.n || svc->settling.n) history_flush_soon(svc, svc->settling.n > 0);
}

static void rows_done(void *arg, err *e, int64_t seq) {
    (void)seq;
    struct group *g = arg;
    g->e = e;
    loop_post(g->svc->c->l, written, g);
}

/* Copies: the writer's thread must not see what the loop changes. */
static struct group *gather(struct statements *svc) {
    arena *a = arena_new();
    struct group *g = arena_new_of(a, struct group);
    *g = (struct group){.svc = svc, .a = a, .n = svc->dirty.n};
    g->of = arena_array_of(a, struct statement *, g->n + 1);
    g->rows = arena_array_of(a, struct history_statement, g->n + 1);
    for (size_t i = 0; i < g->n; i++) {
        struct statement *s = g->of[i] = svc->dirty.p[i];
        struct history_statement *row = &g->rows[i];
        statement_row(s, row);
        str *texts[] = {&row->id, &row->warehouse, &row->session, &row->user_name, &row->kind,
                        &row->client, &row->error, &row->sql_state, &row->tags};
        for (size_t k = 0; k < ARRAY_LEN(texts); k++) *texts[k] = arena_str(a, *texts[k]);
        row->text = arena_str(a, str_cut(row->text, HISTORY_MAX_TEXT + 4));
        row->metrics = metrics_of(s, a);
        s->dirty = false;
    }
    svc->dirty.n = 0;
    return g;
}

static void flush(struct statements *svc) {
    if (svc->flushing) return;
    svc->flushing = true;
    loop_timer_clear(svc->c->l, &svc->flush);
    struct group *g = gather(svc);
    for (size_t i = 0; i < svc->settling.n; i++) vec_push(&svc->settling_now, svc->settling.p[i]);
    svc->settling.n = 0;
    struct store_write w = {.job = write_rows, .done = rows_done, .arg = g, .no_journal = true};
    err *e = store_write_async(svc->c->store, STORE_HISTORY, &w);
    if (e) {
        g->e = e;
        loop_post(svc->c->l, written, g);
    }
}

static void on_flush(loop_timer *t) {
    flush((struct statements *)((char *)t - offsetof(struct statements, flush)));
}

void history_flush_soon(struct statements *svc, bool now) {
    if (svc->flushing || svc->closing) return;
    if (now) {
        flush(svc);
    } else if (!svc->flush.slot) {
        svc->flush.on_time = on_flush;
        loop_timer_set(svc->c->l, &svc->flush, FLUSH_US);
    }
}

void history_note(struct statement *s) {
    struct statements *svc = s->svc;
    if (s->dirty) return;
    s->dirty = true;
    statement_hold(s);
    vec_push(&svc->dirty, s);
    history_flush_soon(svc, false);
}

void history_settle(struct control *c, struct req *r) {
    struct statements *svc = statements_of(c);
    if (!svc->dirty.n && !svc->flushing) return;
    vec_push(&svc->settling, req_park(r));
    history_flush_soon(svc, true);
}

/* ---- start, care, end ---- */

struct prune {
    struct statements *svc;
    int64_t before, n;
};

static err *prune_rows(store_tx *tx, void *arg) {
    struct prune *p = arg;
    return history_statement_prune(tx, p->before, PRUNE_ROWS, &p->n);
}

static void on_prune(loop_timer *t);

static void pruned_on_loop(void *arg) {
    struct prune *p = arg;
    struct statements *svc = p->svc;
    if (!svc->closing) loop_timer_set(svc->c->l, &svc->prune, p->n == PRUNE_ROWS ? 1000000 : PRUNE_EVERY_US);
    free(p);
}

static void pruned(void *arg, err *e, int64_t seq) {
    (void)seq;
    struct prune *p = arg;
    if (e) log_error("query history cannot be pruned", lf_err(e));
    err_free(e);
    loop_post(p->svc->c->l, pruned_on_loop, p);
}

static void on_prune(loop_timer *t) {
    struct statements *svc = (struct statements *)((char *)t - offsetof(struct statements, prune));
    struct prune *p = calloc(1, sizeof(*p));
    must(p != NULL);
    *p = (struct prune){svc, clock_now() - settings_int(&svc->c->settings, SET_SQL_HISTORY_KEEP), 0};
    struct store_write w = {.job = prune_rows, .done = pruned, .arg = p, .no_journal = true};
    err *e = store_write_async(svc->c->store, STORE_HISTORY, &w);
    if (e) pruned(p, e, 0);
}

static err *fail_open(store_tx *tx, void *arg) {
    (void)arg;
    return history_statement_fail_open(
        tx, clock_now(), STR("ABORTED"),
        STR("The platform's control plane restarted while the statement was under way; what it had not committed "
            "had no effect. Run it again."));
}

err *history_start(struct statements *svc) {
    TRY(store_write_sync(svc->c->store, STORE_HISTORY, fail_open, NULL, NULL));
    svc->prune.on_time = on_prune;
    loop_timer_set(svc->c->l, &svc->prune, 60000000);
    return NULL;
}

void history_close(struct statements *svc) {
    svc->closing = true;
    loop_timer_clear(svc->c->l, &svc->flush);
    loop_timer_clear(svc->c->l, &svc->prune);
    if (!svc->dirty.n) return;
    struct group *g = gather(svc);
    err *e = store_write_sync(svc->c->store, STORE_HISTORY, write_rows, g, NULL);
    if (e) log_error("query history cannot be written", lf_err(e));
    err_free(e);
    for (size_t i = 0; i < g->n; i++) statement_drop(g->of[i]);
    arena_free(g->a);
}
