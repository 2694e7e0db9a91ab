/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's life: lock the folder → open listeners → start the kept roles → loop → drain.
 *
 * A kept role (control, gateway, courier) is restarted when it ends: at once the first time, then
 * after 50 ms, 100 ms … 5 s while it does not even get ready; at once whenever it had been ready for
 * READY_GAP_US, for then its end came from outside or from one request. Ten quiet seconds reset the
 * back-off. Each (re)start makes new socket pairs to the other kept roles: a channel never outlives
 * either end. Engines without an owner outlive control (warm.c).
 * Roles started for control (importer, runtime_host, …) are never restarted; their end is told to
 * control with their last words.
 */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "supervisor/supervisor_int.h"
#include "sys/clock.h"

#define BACKOFF_LEAST 50000
#define BACKOFF_MOST 5000000
#define READY_GAP_US 50000
#define QUIET_US 10000000
#define DRAIN_US 4500000
#define NICE (-10)
#define ADVANCE_MOST_MS (100ull * 365 * 24 * 3600 * 1000)

static void start_kept(struct kept *k);
static void drain(struct supervisor *s);
static void drain_children(struct supervisor *s);

static struct child *control_of(struct supervisor *s) { return s->kept[ROLE_CONTROL].child; }

static struct child *child_by_instance(struct supervisor *s, uint64_t instance) {
    for (size_t i = 0; i < s->children.n; i++)
        if (s->children.p[i]->instance == instance) return s->children.p[i];
    return NULL;
}

/* ---- brokering ---- */

static bool talks(int a, int b) {
    return (a == ROLE_CONTROL && (b == ROLE_GATEWAY || b == ROLE_COURIER)) ||
           (b == ROLE_CONTROL && (a == ROLE_GATEWAY || a == ROLE_COURIER));
}

static void send_peer(struct child *to, const struct child *other, int fd) {
    CHAN_SEND(to->ch, peer, 0, fd, .role = str_of(other->row->name), .owner = str_of(other->owner),
              .instance = other->instance);
}

static void broker(struct child *a, struct child *b) {
    if (!a->ch || !b->ch) return; /* one of them is ending: its successor is connected anew */
    int fds[2];
    err *e = chan_pair(fds);
    if (e) {
        log_error("cannot connect roles", lf_err(e));
        err_free(e);
        return;
    }
    send_peer(a, b, fds[0]);
    send_peer(b, a, fds[1]);
    close(fds[0]);
    close(fds[1]);
}

static void tell_ended(struct supervisor *s, struct child *c, int code, int sig) {
    struct child *control = control_of(s);
    if (!control || control == c || !control->ch) return;
    CHAN_SEND(control->ch, ended, 0, -1, .role = str_of(c->row->name), .owner = str_of(c->owner),
              .instance = c->instance, .pid = (uint32_t)c->pid, .code = (uint32_t)code,
              .signal = (uint32_t)sig, .report = buf_view(&c->report));
}

/* ---- ends ---- */

static void read_words(struct child *c) {
    char chunk[4096];
    for (;;) {
        ssize_t n = read(c->words.fd, chunk, sizeof(chunk));
        if (n <= 0) return;
        if (c->row->python)
            log_info("words", lf_z("from", c->row->name), lf_z("owner", c->owner),
                     lf_str("text", str_trim(str_n(chunk, (size_t)n))));
        buf_add(&c->report, chunk, (size_t)n);
        if (c->report.n > REPORT_MAX) buf_shift(&c->report, c->report.n - REPORT_MAX);
    }
}

static void on_words(loop_watch *w, int events) {
    struct child *c = (struct child *)((char *)w - offsetof(struct child, words));
    read_words(c);
    if (events & LOOP_HUP) loop_unwatch(c->s->l, w);
}

static void check_stopped(struct supervisor *s) {
    if (!s->draining) return;
    if (s->children.n == 0) loop_stop(s->l);
}

static void forget(struct child *c) {
    struct supervisor *s = c->s;
    for (size_t i = 0; i < s->children.n; i++)
        if (s->children.p[i] == c) {
            vec_remove_swap(&s->children, i);
            break;
        }
    loop_timer_clear(s->l, &c->kill_timer);
    loop_unwatch(s->l, &c->end);
    loop_unwatch(s->l, &c->words);
    spawn_release(&c->process);
    if (c->words.fd >= 0) close(c->words.fd);
    if (c->keep_fd >= 0) close(c->keep_fd);
    chan_free(c->ch);
    buf_free(&c->report);
    free(c);
}

/* ready_us: how long it had been ready, -1: it never was. */
static void restart_later(struct kept *k, bool quick, int64_t ready_us) {
    struct supervisor *s = k->s;
    int64_t wait = ready_us >= 0 && ready_us < READY_GAP_US ? READY_GAP_US - ready_us : 0;
    k->restarts++;
    if (ready_us >= 0 || !quick) {
        k->backoff_us = 0;
    } else {
        k->backoff_us = k->backoff_us ? k->backoff_us * 2 : BACKOFF_LEAST;
        if (k->backoff_us > BACKOFF_MOST) k->backoff_us = BACKOFF_MOST;
        wait = k->backoff_us;
    }
    loop_timer_set(s->l, &k->again, wait);
}

/* A kept role that gives up by itself before the platform has ever answered has found something that
 * a restart would find again: a wrong key, a damaged store. The platform ends with its last words. */
static bool give_up(struct supervisor *s, struct child *c, int code) {
    if (s->answered || s->draining || code == 0) return false;
    str text = buf_view(&c->report), line;
    if (!str_split(&text, '\n', &line) || !line.n) line = STR("no reason given");
    s->failed = err_new(ERR_INVALID_STATE, "%s could not start: %.*s", c->row->name, STR_ARG(line));
    drain(s);
    return true;
}

static void on_end(loop_watch *w, int events) {
    (void)events;
    struct child *c = (struct child *)((char *)w - offsetof(struct child, end));
    struct supervisor *s = c->s;
    launch_kill(c); /* whatever it had started */
    struct spawn_end end;
    err *e = spawn_wait(&c->process, 0, &end);
    if (e) {
        err_free(e); /* not yet */
        return;
    }
    int code = end.by_signal ? 0 : end.code, sig = end.by_signal ? end.code : 0;
    read_words(c);
    if (end.out_of_memory) buf_z(&c->report, "\nended for using more memory than its limit\n");
    struct kept *k = &s->kept[c->row - role_rows];
    bool kept = k->child == c;
    bool unexpected = kept && !s->draining;
    if (unexpected || (sig && !c->ending))
        log_warn("process ended", lf_z("role", c->row->name), lf_int("pid", c->pid),
                 lf_int("code", code), lf_int("signal", sig), lf_z("owner", c->owner));
    if (sig != SIGTERM && !c->ending) keep_report(s, c, code, sig);
    tell_ended(s, c, code, sig);
    if (kept) k->child = NULL;
    if (kept && c->row == &role_rows[ROLE_CONTROL]) warm_orphan(s);
    bool quick = clock_mono() - c->started < QUIET_US;
    if (unexpected && give_up(s, c, code)) unexpected = false;
    int64_t ready_us = c->ready_at ? clock_mono() - c->ready_at : -1;
    forget(c);
    if (unexpected) restart_later(k, quick && k->restarts > 0, ready_us);
    if (s->draining) drain_children(s);
    check_stopped(s);
}

/* ---- starting ---- */

static void on_child_frame(chan *ch, struct chan_frame *f, void *arg);

static void on_child_close(chan *ch, const char *why, void *arg) {
    (void)ch;
    struct child *c = arg;
    (void)why;
    chan_free(c->ch);
    c->ch = NULL; /* its end is seen through the pidfd */
}

void child_watch(struct supervisor *s, struct child *c, int chan_fd) {
    c->s = s;
    c->keep_fd = -1;
    c->instance = ++s->next_instance;
    c->started = clock_mono();
    c->end.on_event = on_end;
    c->end.fd = c->process.pidfd;
    c->words.on_event = on_words;
    err *e = loop_watch_add(s->l, &c->end, LOOP_READ);
    if (!e && c->words.fd >= 0) e = loop_watch_add(s->l, &c->words, LOOP_READ);
    static const struct chan_events ev = {.on_frame = on_child_frame, .on_close = on_child_close};
    if (!e && chan_fd >= 0) e = chan_new(s->l, chan_fd, &ev, c, &c->ch);
    if (e) {
        log_error("cannot watch a child", lf_err(e));
        err_free(e);
    }
    vec_push(&s->children, c);
}

static void send_settings(struct child *c) {
    buf b = {0};
    settings_write_text(c->s->o.settings, c->row->name, &b);
    CHAN_SEND(c->ch, reload, 0, -1, .text = buf_view(&b));
    buf_free(&b);
}

static void send_certificate(struct child *c) {
    const struct supervisor_options *o = &c->s->o;
    if (o->tls_chain && o->tls_chain->n)
        CHAN_SEND(c->ch, certificate, 0, -1, .chain = buf_view(o->tls_chain),
                  .key = buf_view(o->tls_key));
}

static err *start_role(struct kept *k) {
    struct supervisor *s = k->s;
    int fds[2];
    TRY(chan_pair(fds));
    struct child *c = NULL;
    err *e = launch(s, k->row, STR(""), STR(""), NULL, fds[1], &c);
    close(fds[1]);
    if (e) {
        close(fds[0]);
        return e;
    }
    child_watch(s, c, fds[0]);
    k->child = c;
    send_settings(c);
    if (k->row == &role_rows[ROLE_GATEWAY]) send_certificate(c);
    if (k->row == &role_rows[ROLE_GATEWAY] || k->row == &role_rows[ROLE_CONTROL])
        for (size_t i = 0; i < s->listeners.n; i++) {
            const struct listener_socket *ls = &s->listeners.p[i];
            /* control only wants to know the addresses */
            CHAN_SEND(c->ch, listener, 0, k->row == &role_rows[ROLE_GATEWAY] ? ls->fd : -1,
                      .name = ls->tls ? STR("https") : STR("http"), .tls = ls->tls,
                      .address = str_of(ls->address));
        }
    for (int i = 0; i < ROLE_COUNT; i++)
        if (s->kept[i].child && talks((int)(k->row - role_rows), i)) broker(c, s->kept[i].child);
    if (k->row == &role_rows[ROLE_CONTROL]) warm_begin(s);
    return NULL;
}

static void on_again(loop_timer *t) {
    start_kept((struct kept *)((char *)t - offsetof(struct kept, again)));
}

static void start_kept(struct kept *k) {
    if (k->s->draining) return;
    err *e = start_role(k);
    if (!e) return;
    log_error("cannot start a role", lf_z("role", k->row->name), lf_err(e));
    err_free(e);
    restart_later(k, true, -1);
}

/* ---- orders of control ---- */

static void on_spawn(struct supervisor *s, struct child *control, uint64_t stream,
                     const struct msg_spawn *m) {
    int role = role_by_name(m->role);
    err *e = NULL;
    struct child *c = NULL;
    int fds[2] = {-1, -1};
    if (role < 0 || !role_rows[role].peer)
        e = err_new(ERR_INVALID_PARAMETER_VALUE, "no role to spawn");
    else if (m->owner.n && !role_owner_ok(m->owner))
        e = err_new(ERR_INVALID_PARAMETER_VALUE, "owner is not an id");
    else if (m->environment.n && !role_owner_ok(m->environment))
        e = err_new(ERR_INVALID_PARAMETER_VALUE, "environment is not an id");
    bool warm = !e && !m->owner.n && !m->environment.n && warm_role(&role_rows[role]);
    if (warm && warm_give(s, control, stream, role)) return;
    if (!e) e = chan_pair(fds);
    struct launch_share share = {m->memory_mb, m->cpu_weight};
    if (!e) e = launch(s, &role_rows[role], m->owner, m->environment, &share, fds[1], &c);
    if (fds[1] >= 0) close(fds[1]);
    if (!e) {
        child_watch(s, c, -1);
        if (warm) warm_keep(c, fds[0]);
        struct child *peer = s->kept[role_by_name(str_of(role_rows[role].peer))].child;
        if (peer && peer->ch)
            CHAN_SEND(peer->ch, peer, 0, fds[0], .role = m->role, .owner = str_of(c->owner),
                      .instance = c->instance);
    }
    if (fds[0] >= 0) close(fds[0]);
    CHAN_SEND(control->ch, spawned, stream, -1, .role = m->role, .owner = m->owner,
              .instance = c ? c->instance : 0, .pid = c ? (uint32_t)c->pid : 0, .ok = e == NULL,
              .reason = e ? str_of(err_msg(e)) : STR(""));
    err_free(e);
}

static void on_lease(struct supervisor *s, struct child *control, uint64_t stream,
                     const struct msg_lease *m) {
    struct child *c = child_by_instance(s, m->instance);
    struct launch_share share = {m->memory_mb, m->cpu_weight};
    err *e = NULL;
    if (!c || !c->row->peer)
        e = err_new(ERR_RESOURCE_DOES_NOT_EXIST, "no such instance");
    else if (c->leased || c->owner[0])
        e = err_new(ERR_INVALID_STATE, "the instance had an owner");
    else if (!role_owner_ok(m->owner) || (m->environment.n && !role_owner_ok(m->environment)))
        e = err_new(ERR_INVALID_PARAMETER_VALUE, "owner or environment is not an id");
    else
        e = launch_lease(s, c, m->owner, m->environment, &share);
    if (!e) {
        c->leased = true;
        warm_leased(c);
        shares_begin(s);
    } else if (c && c->process.leased) {
        c->ending = true;
        launch_kill(c);
    }
    CHAN_SEND(control->ch, leased, stream, -1, .instance = m->instance, .owner = m->owner,
              .ok = e == NULL, .reason = e ? str_of(err_msg(e)) : STR(""));
    err_free(e);
}

static void on_restart(struct supervisor *s, const struct msg_restart *m) {
    int role = role_by_name(m->role);
    if (role < 0 || !s->kept[role].child) return;
    log_warn("restarting a role", lf_str("role", m->role), lf_str("why", m->why));
    launch_kill(s->kept[role].child);
}

static void on_status(struct supervisor *s, struct child *control, uint64_t stream) {
    arena *a = arena_new();
    jdoc *d = json_doc(a);
    jmut *o = yyjson_mut_obj(d);
    json_put_int(d, o, "pid", getpid());
    json_put_z(d, o, "sandbox_level", sandbox_level_name(s->level));
    jmut *list = json_put_arr(d, o, "processes");
    for (size_t i = 0; i < s->children.n; i++) {
        struct child *c = s->children.p[i];
        jmut *p = json_add_obj(d, list);
        json_put_z(d, p, "role", c->row->name);
        json_put_int(d, p, "pid", c->pid);
        json_put_str(d, p, "owner", arena_str(a, str_of(c->owner)));
        json_put_int(d, p, "instance", (int64_t)c->instance);
        json_put_int(d, p, "uptime_ms", (clock_mono() - c->started) / 1000);
        json_put_int(d, p, "restarts", (int64_t)s->kept[c->row - role_rows].restarts);
    }
    CHAN_SEND(control->ch, status, stream, -1, .json = json_text(a, o));
    arena_free(a);
}

static void on_advance(struct supervisor *s, struct child *control, uint64_t stream, uint64_t ms) {
    if (s->clock_fd < 0) return;
    clock_advance((int64_t)ms * 1000);
    char json[64];
    snprintf(json, sizeof(json), "{\"now_ms\":%lld}", (long long)(clock_now() / 1000));
    CHAN_SEND(control->ch, status, stream, -1, .json = str_of(json));
}

static void on_ready(struct child *c) {
    struct supervisor *s = c->s;
    const char *at[2] = {NULL, NULL};
    for (size_t i = 0; i < s->listeners.n; i++) at[s->listeners.p[i].tls] = s->listeners.p[i].address;
    c->ready_at = clock_mono();
    if (c->row == &role_rows[ROLE_CONTROL] && !s->kept[ROLE_CONTROL].restarts && s->o.on_ready)
        s->o.on_ready(s->o.data_dir, at[0], at[1]);
    if (c->row == &role_rows[ROLE_CONTROL]) {
        s->answered = true;
        warm_settle(s);
    }
    log_debug("ready", lf_z("role", c->row->name), lf_int("pid", c->pid));
}

/* A frame is obeyed only from control (ready: from anyone). */
static void on_child_frame(chan *ch, struct chan_frame *f, void *arg) {
    (void)ch;
    struct child *c = arg;
    struct supervisor *s = c->s;
    if (f->type == MSG_READY) {
        on_ready(c);
        return;
    }
    if (f->type == MSG_HELLO) return;
    if (c->row != &role_rows[ROLE_CONTROL]) {
        log_error("frame refused", lf_z("from", c->row->name), lf_z("type", msg_name(f->type)));
        return;
    }
    arena *a = arena_new();
    struct msg_spawn spawn;
    struct msg_lease lease;
    struct msg_end end;
    struct msg_restart restart;
    struct msg_advance advance;
    if (f->type == MSG_SPAWN && msg_spawn_decode(a, f->payload, &spawn)) {
        on_spawn(s, c, f->stream, &spawn);
    } else if (f->type == MSG_LEASE && msg_lease_decode(a, f->payload, &lease)) {
        on_lease(s, c, f->stream, &lease);
    } else if (f->type == MSG_END && msg_end_decode(a, f->payload, &end)) {
        struct child *x = child_by_instance(s, end.instance);
        if (x && x->row->peer) {
            x->ending = true;
            launch_kill(x);
        }
    } else if (f->type == MSG_RESTART && msg_restart_decode(a, f->payload, &restart)) {
        on_restart(s, &restart);
    } else if (f->type == MSG_ADVANCE && msg_advance_decode(a, f->payload, &advance) &&
               advance.ms <= ADVANCE_MOST_MS) {
        on_advance(s, c, f->stream, advance.ms);
    } else if (f->type == MSG_STATUS_ASK) {
        on_status(s, c, f->stream);
    } else {
        log_error("frame refused", lf_z("from", c->row->name), lf_z("type", msg_name(f->type)));
    }
    arena_free(a);
}

/* ---- stopping ---- */

static void kill_all(struct supervisor *s) {
    for (size_t i = 0; i < s->children.n; i++) {
        s->children.p[i]->ending = true;
        launch_kill(s->children.p[i]);
    }
}

static void on_drain_late(loop_timer *t) {
    struct supervisor *s = (struct supervisor *)((char *)t - offsetof(struct supervisor, drain_timer));
    kill_all(s);
}

/* Gateway and control finish together; what they still need (the courier, hosts of models) goes once
 * control has gone. */
static void drain_children(struct supervisor *s) {
    bool last = control_of(s) == NULL;
    for (size_t i = 0; i < s->children.n; i++) {
        struct child *c = s->children.p[i];
        bool first = c->row == &role_rows[ROLE_GATEWAY] || c->row == &role_rows[ROLE_CONTROL];
        if (c->stopping || (!first && !last)) continue;
        c->stopping = true;
        if (c->ch)
            CHAN_SEND(c->ch, drain, 0, -1, .deadline_ms = (uint32_t)c->row->drain_ms);
        else
            launch_kill(c);
    }
}

static void close_listeners(struct supervisor *s) {
    for (size_t i = 0; i < s->listeners.n; i++) close(s->listeners.p[i].fd);
    s->listeners.n = 0;
}

static void drain(struct supervisor *s) {
    if (s->draining) {
        kill_all(s);
        return;
    }
    s->draining = true;
    log_info("stopping");
    close_listeners(s); /* else clients would wait in a backlog that nobody reads */
    drain_children(s);
    s->drain_timer.on_time = on_drain_late;
    loop_timer_set(s->l, &s->drain_timer, DRAIN_US);
    check_stopped(s);
}

#define TLS_LOOK_US (24ll * 3600 * 1000000)

/* Renewed certificates, or changed files of the user's own, without a restart. */
static void renew_tls(struct supervisor *s) {
    buf chain = {0}, key = {0};
    err *e = s->o.tls_chain && s->o.tls_chain->n && s->o.renew_tls
                 ? s->o.renew_tls(s->o.data_dir, s->o.settings, &chain, &key)
                 : NULL;
    if (e) {
        log_error("cannot renew the certificate; the old one stays", lf_err(e));
        err_free(e);
    } else if (chain.n && !str_eq(buf_view(&chain), buf_view(s->o.tls_chain))) {
        buf_clear(s->o.tls_chain);
        buf_clear(s->o.tls_key);
        buf_str(s->o.tls_chain, buf_view(&chain));
        buf_str(s->o.tls_key, buf_view(&key));
        struct child *gw = s->kept[ROLE_GATEWAY].child;
        if (gw && gw->ch) send_certificate(gw);
        log_info("certificate renewed");
    }
    buf_free(&chain);
    buf_free(&key);
}

static void on_tls_timer(loop_timer *t) {
    struct supervisor *s = (struct supervisor *)((char *)t - offsetof(struct supervisor, tls_timer));
    renew_tls(s);
    loop_timer_set(s->l, t, TLS_LOOK_US);
}

static void reload(struct supervisor *s) {
    char path[4200];
    snprintf(path, sizeof(path), "%s/boathouse.toml", s->o.data_dir);
    struct settings next;
    settings_copy(&next, s->o.settings);
    err *e = settings_read_file(&next, path, SETTING_FILE);
    if (e) {
        log_error("reload refused, nothing changed", lf_err(e));
        err_free(e);
        settings_free(&next);
        return;
    }
    for (int i = 0; i < SETTING_COUNT; i++)
        if (setting_rows[i].reload && s->o.settings->v[i].source <= SETTING_FILE) {
            char *t = s->o.settings->v[i].text;
            s->o.settings->v[i] = next.v[i];
            next.v[i].text = t;
        }
    settings_free(&next);
    for (size_t i = 0; i < s->children.n; i++)
        if (s->children.p[i]->ch) send_settings(s->children.p[i]);
    renew_tls(s);
    log_set_level(settings_log_level(s->o.settings));
    log_info("settings reloaded");
}

static void on_signal(loop_watch *w, int events) {
    (void)events;
    struct supervisor *s = (struct supervisor *)((char *)w - offsetof(struct supervisor, signals));
    struct signalfd_siginfo si;
    while (read(s->signal_fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
        if (si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT)
            drain(s);
        else if (si.ssi_signo == SIGHUP)
            reload(s);
        else if (si.ssi_signo == SIGUSR1)
            logs_reopen(s);
    }
    logs_check(s);
}

static err *open_signals(struct supervisor *s) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0) return err_errno("cannot watch signals");
    s->signals = (loop_watch){.on_event = on_signal, .fd = s->signal_fd};
    return loop_watch_add(s->l, &s->signals, LOOP_READ);
}

/* What it does is little, and others wait for it: a restart is not to stand in the queue of a busy machine. Where sessions are
 * the kernel's groups (autogroup) their own value counts. */
static void go_first(struct supervisor *s) {
    s->children_nice = getpriority(PRIO_PROCESS, 0);
    if (s->children_nice <= NICE || setpriority(PRIO_PROCESS, 0, NICE) != 0) return;
    int fd = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    char text[8];
    int n = snprintf(text, sizeof(text), "%d", NICE);
    ssize_t done = fd >= 0 ? write(fd, text, (size_t)n) : -1;
    (void)done;
    if (fd >= 0) close(fd);
}

static err *begin(struct supervisor *s) {
    go_first(s);
    TRY(loop_new(&s->l));
    TRY(logs_open(s));
    TRY(open_signals(s));
    TRY(launch_level(s));
    TRY(sandbox_confine(sandbox_by_name(STR("supervisor")), s->level));
    TRY(listen_open(s));
    if (s->o.test_clock) {
        TRY(clock_page_new(&s->clock_fd));
        TRY(clock_page_map(s->clock_fd, true));
        log_warn("the clock is driven by tests: do not use this platform for anything else");
    }
    keep_sweep(s);
    s->tls_timer.on_time = on_tls_timer;
    loop_timer_set(s->l, &s->tls_timer, TLS_LOOK_US);
    for (int i = 0; i < ROLE_COUNT; i++) {
        s->kept[i].s = s;
        s->kept[i].row = &role_rows[i];
        s->kept[i].again.on_time = on_again;
        if (!role_rows[i].start) continue;
        err *e = start_role(&s->kept[i]);
        if (e) {
            kill_all(s);
            return e;
        }
    }
    return NULL;
}

err *supervisor_run(const struct supervisor_options *o) {
    struct supervisor *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->o = *o;
    s->signal_fd = s->clock_fd = -1;
    s->log_in.fd = -1;
    err *e = begin(s);
    if (!e) {
        loop_run(s->l);
        e = s->failed;
    }
    close_listeners(s);
    loop_timer_clear(s->l, &s->warm_timer);
    loop_timer_clear(s->l, &s->shares_timer);
    while (s->children.n) forget(s->children.p[0]);
    logs_close(s);
    vec_free(&s->children);
    vec_free(&s->listeners);
    if (s->signal_fd >= 0) close(s->signal_fd);
    if (s->clock_fd >= 0) close(s->clock_fd);
    cgroups_free(s->groups);
    loop_free(s->l);
    free(s);
    return e;
}
