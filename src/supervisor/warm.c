/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that control keeps warm outlive it.
 *
 * An engine takes longer to start than control itself does. One that has had no owner holds nothing of anybody's, and
 * nothing was said to it yet: so the supervisor keeps a second descriptor of control's end of its channel. When
 * control dies, the engine sees nothing; the next control asks for an engine as the first one did, and is given this
 * one with its channel in the place of a new process. A lease ends that: who has an owner ends with control.
 *
 *   spawn without owner → kept ── lease ──▶ leased (our descriptor is closed)
 *                          │ control ends
 *                          ▼
 *                        orphan ── spawn of the next control ──▶ kept
 *                          └── not asked for within ORPHAN_US of control being ready ──▶ ended
 *
 * When control starts and there is no orphan, one engine is started beside it (setting engine.warm above 0): it is
 * loaded while control opens its stores.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor_int.h"

#define ORPHAN_US 10000000

bool warm_role(const struct role_row *row) {
    return row->peer && strcmp(row->peer, role_rows[ROLE_CONTROL].name) == 0 && !row->python && launch_leasable(row);
}

void warm_keep(struct child *c, int fd) {
    c->keep_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* without one it ends with control, as others do */
}

void warm_leased(struct child *c) {
    if (c->keep_fd >= 0) close(c->keep_fd);
    c->keep_fd = -1;
    c->orphan = false;
}

void warm_orphan(struct supervisor *s) {
    for (size_t i = 0; i < s->children.n; i++) {
        struct child *c = s->children.p[i];
        c->orphan = c->keep_fd >= 0 && !c->leased && !c->ending;
    }
    loop_timer_clear(s->l, &s->warm_timer);
}

static struct child *find(struct supervisor *s, int role) {
    for (size_t i = 0; i < s->children.n; i++) {
        struct child *c = s->children.p[i];
        if (c->orphan && !c->ending && c->row == &role_rows[role]) return c;
    }
    return NULL;
}

static err *begin(struct supervisor *s) {
    int fds[2];
    struct child *c = NULL;
    TRY(chan_pair(fds));
    err *e = launch(s, &role_rows[ROLE_ENGINE], STR(""), STR(""), NULL, fds[1], &c);
    close(fds[1]);
    if (!e) {
        child_watch(s, c, -1);
        warm_keep(c, fds[0]);
        c->orphan = c->keep_fd >= 0;
    }
    close(fds[0]);
    return e;
}

void warm_begin(struct supervisor *s) {
    bool wanted = s->level != SANDBOX_REDUCED && settings_int(s->o.settings, SET_ENGINE_WARM) > 0 && s->o.engine && s->o.duckdb;
    if (!wanted || find(s, ROLE_ENGINE)) return;
    err *e = begin(s);
    if (!e) return;
    log_warn("no engine is started beside control", lf_err(e)); /* control asks for one, and hears why */
    err_free(e);
}

bool warm_give(struct supervisor *s, struct child *control, uint64_t stream, int role) {
    struct child *c = find(s, role);
    if (!c) return false;
    c->orphan = false;
    CHAN_SEND(control->ch, peer, 0, c->keep_fd, .role = str_of(c->row->name), .owner = STR(""), .instance = c->instance);
    CHAN_SEND(control->ch, spawned, stream, -1, .role = str_of(c->row->name), .owner = STR(""), .instance = c->instance,
              .pid = (uint32_t)c->pid, .ok = true, .reason = STR(""));
    return true;
}

static void on_settled(loop_timer *t) {
    struct supervisor *s = (struct supervisor *)((char *)t - offsetof(struct supervisor, warm_timer));
    for (size_t i = 0; i < s->children.n; i++) {
        struct child *c = s->children.p[i];
        if (!c->orphan) continue;
        c->orphan = false;
        c->ending = true;
        launch_kill(c);
    }
}

void warm_settle(struct supervisor *s) {
    s->warm_timer.on_time = on_settled;
    loop_timer_set(s->l, &s->warm_timer, ORPHAN_US);
}
