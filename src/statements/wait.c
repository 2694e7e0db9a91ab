/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that wait for a statement: parked, without a thread. */
#include "statements/statements_int.h"

static void wait_end(struct statement_wait *w) {
    struct statement *s = w->s;
    struct control *c = s->svc->c;
    for (size_t i = 0; i < s->waits.n; i++)
        if (s->waits.p[i] == w) {
            vec_remove_swap(&s->waits, i);
            break;
        }
    loop_timer_clear(c->l, &w->timer);
    struct req *r = control_parked(c, w->park);
    free(w);
    statement_drop(s); /* the request holds it too, while it is there */
    if (r) req_resume(r, NULL);
}

static void over_time(struct statement_wait *w) {
    struct statement *s = w->s;
    if (w->then_cancel) {
        statement_cancel(s, "it did not finish within wait_timeout"); /* may end w */
        return;
    }
    w->over_time = true;
    if (s->noted)
        wait_end(w);
    else
        history_flush_soon(s->svc, true);
}

static void on_time(loop_timer *t) {
    over_time((struct statement_wait *)((char *)t - offsetof(struct statement_wait, timer)));
}

static void wait_begin(struct statement *s, struct req *r, int64_t wait_us, bool then_cancel, int64_t row) {
    bool there = row >= 0 && statement_early(s) && s->told_rows > row;
    if (statement_over(s->state) || (there && s->noted)) return;
    struct statement_wait *w = calloc(1, sizeof(*w));
    must(w != NULL);
    w->s = s;
    statement_hold(s);
    w->then_cancel = then_cancel;
    w->row = row;
    w->timer.on_time = on_time;
    vec_push(&s->waits, w);
    w->park = req_park(r);
    if (wait_us > 0 && !there)
        loop_timer_set(s->svc->c->l, &w->timer, wait_us);
    else
        over_time(w);
}

void statement_wait(struct statement *s, struct req *r, int64_t wait_us, bool then_cancel) { wait_begin(s, r, wait_us, then_cancel, -1); }
void statement_wait_rows(struct statement *s, struct req *r, int64_t wait_us, int64_t row) { wait_begin(s, r, wait_us, false, row); }

void waits_rows(struct statement *s) {
    bool any = false;
    for (size_t i = 0; statement_early(s) && i < s->waits.n; i++) {
        struct statement_wait *w = s->waits.p[i];
        if (w->row < 0 || w->row >= s->told_rows || w->over_time) continue;
        w->over_time = any = true;
    }
    if (any && s->noted) waits_noted(s);
    if (any && !s->noted) history_flush_soon(s->svc, true);
}

/* Resuming runs handlers, which may do anything to the statement but free it: the caller holds it. */
void waits_resume(struct statement *s) {
    while (s->waits.n) wait_end(s->waits.p[s->waits.n - 1]);
}

void waits_noted(struct statement *s) {
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < s->waits.n && !again; i++)
            if (s->waits.p[i]->over_time) {
                wait_end(s->waits.p[i]);
                again = true;
            }
    }
}
