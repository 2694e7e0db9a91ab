/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Warehouses are neighbours: one that sorts for minutes must not be felt by one that answers short questions. Weights
 * alone do not do it, because whoever asks for little still waits for the end of another's slice each time it wakes.
 * So an engine that used more than BUSY cores of late yields: everybody else of ours goes first, and it gets what they leave,
 * which is nearly all, because they ask for little. Engines that yield share among themselves. One that gets less than
 * CALM cores, because it asks for no more or because the others leave no more, is an ordinary one again: none starves.
 *
 * Nobody is looked at while fewer than two engines have an owner.
 */
#include <time.h>

#include "supervisor/supervisor_int.h"
#include "sys/clock.h"

#define LOOK_US 200000
#define KEEP 0.7 /* of the average before, per look: a third of a second makes half of it */
#define BUSY 0.3
#define CALM 0.1

static bool is_one(const struct child *c) { return c->row == &role_rows[ROLE_ENGINE] && c->leased && !c->ending && c->process.group; }

/* Of the whole process, ended threads included; -1: it is gone. */
static int64_t cpu_us(const struct child *c) {
    clockid_t id;
    struct timespec t;
    if (clock_getcpuclockid(c->process.pid, &id) != 0 || clock_gettime(id, &t) != 0) return -1;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void look(struct child *c, int64_t passed) {
    int64_t now = cpu_us(c);
    if (now < 0) return;
    if (c->cpu_us && passed > 0) c->busy = c->busy * KEEP + (double)(now - c->cpu_us) / (double)passed * (1 - KEEP);
    c->cpu_us = now ? now : 1;
    bool yields = c->yields ? c->busy > CALM : c->busy > BUSY;
    if (yields == c->yields) return;
    c->yields = yields;
    cgroup_yield(c->process.group, yields);
}

static void on_look(loop_timer *t) {
    struct supervisor *s = (struct supervisor *)((char *)t - offsetof(struct supervisor, shares_timer));
    int64_t now = clock_mono(), passed = s->shares_at ? now - s->shares_at : 0;
    size_t n = 0;
    for (size_t i = 0; i < s->children.n; i++) n += is_one(s->children.p[i]);
    s->shares_at = n < 2 ? 0 : now;
    for (size_t i = 0; n >= 2 && i < s->children.n; i++)
        if (is_one(s->children.p[i])) look(s->children.p[i], passed);
    if (n >= 2) loop_timer_set(s->l, t, LOOK_US);
}

void shares_begin(struct supervisor *s) {
    s->shares_timer.on_time = on_look;
    if (!s->shares_timer.slot) loop_timer_set(s->l, &s->shares_timer, 0);
}
