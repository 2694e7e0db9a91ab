/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the supervisor. */
#ifndef BH_SUPERVISOR_INT_H
#define BH_SUPERVISOR_INT_H

#include "base/vec.h"
#include "ipc/chan.h"
#include "supervisor/roles.h"
#include "supervisor/supervisor.h"
#include "sys/spawn.h"

#define REPORT_MAX (32u * 1024u)

struct supervisor;

/* A running process. */
struct child {
    struct supervisor *s;
    const struct role_row *row;
    char owner[65];
    uint64_t instance;
    int pid;                /* kept past its end, for reports */
    struct spawned process;
    chan *ch;            /* to the role; NULL for roles without a supervisor channel */
    loop_watch end, words; /* pidfd; the pipe with crash reports or stderr */
    buf report;          /* last words, the newest REPORT_MAX bytes */
    int64_t started, ready_at; /* monotonic; 0: not ready */
    bool leased, ending, stopping;
    int keep_fd;         /* control's end of its channel while it has had no owner (warm.c), or -1 */
    bool orphan;         /* it waits for a control that asks for one */
    int64_t cpu_us;      /* processor time that it had used when shares.c last looked */
    double busy;         /* cores that it used of late */
    bool yields;
    loop_timer kill_timer;
};

/* A role that is always kept running. */
struct kept {
    struct supervisor *s;
    const struct role_row *row;
    struct child *child;
    int64_t backoff_us;
    loop_timer again;
    uint64_t restarts;
};

struct listener_socket {
    int fd;
    bool tls;
    char address[80]; /* as bound, with the real port */
};

struct supervisor {
    struct supervisor_options o;
    loop *l;
    struct kept kept[ROLE_COUNT];
    vec_of(struct child *) children;
    vec_of(struct listener_socket) listeners;
    uint64_t next_instance;
    int signal_fd, clock_fd, log_fd; /* log_fd: where children write */
    loop_watch log_in;               /* the other end of it; fd -1 without log.file */
    loop_watch signals;
    bool draining;
    bool answered; /* control has been ready once */
    err *failed;   /* why it never was */
    int exit_code;
    loop_timer drain_timer, tls_timer, warm_timer, shares_timer;
    int64_t shares_at; /* when the engines were last looked at, 0: they are not */
    enum sandbox_level level;
    cgroups *groups;
    int children_nice; /* as we were started */
};

/* What a process may take of the machine; 0: what its row says (at a lease: what it has). */
struct launch_share {
    uint32_t memory_mb, cpu_weight;
};

/* launch.c: starts a process of a row. chan_fd becomes its descriptor 3. share may be NULL. */
err *launch(struct supervisor *s, const struct role_row *row, str owner, str environment,
            const struct launch_share *share, int chan_fd, struct child **ret) BH_CHECK;
/* Mounts the owner's roots into a warm child. INVALID_STATE at level reduced. After an error the child
 * must be killed: half a lease is one, too. */
err *launch_lease(struct supervisor *s, struct child *c, str owner, str environment,
                  const struct launch_share *share) BH_CHECK;
/* Kills a child and all it started. */
void launch_kill(struct child *c);
/* Sets s->level to what the settings ask and the machine can, or an error with the way out; makes
 * the parent of the control groups. */
err *launch_level(struct supervisor *s) BH_CHECK;

/* Whether the row's folders belong to an owner, and come with a lease. */
bool launch_leasable(const struct role_row *row);

/* supervisor.c: it is one of s->children from here on; chan_fd -1: it has no channel to us. */
void child_watch(struct supervisor *s, struct child *c, int chan_fd);

/* warm.c: processes of control's without an owner, which outlive it. */
bool warm_role(const struct role_row *row);
/* fd: control's end of its channel; duplicated. */
void warm_keep(struct child *c, int fd);
/* It has an owner: from here on it ends with control. */
void warm_leased(struct child *c);
/* Control has ended. */
void warm_orphan(struct supervisor *s);
/* Control was started: an engine is, too, so that both are there at the same time. */
void warm_begin(struct supervisor *s);
/* Answers control's spawn with one that waits; false: there is none. */
bool warm_give(struct supervisor *s, struct child *control, uint64_t stream, int role);
/* Control is ready: those that it does not ask for are ended after a while. */
void warm_settle(struct supervisor *s);

/* shares.c: an engine was leased. */
void shares_begin(struct supervisor *s);

/* logs.c: between the loop's making and its end. */
err *logs_open(struct supervisor *s) BH_CHECK;
/* Rotates a file that has grown past its limit; after lines of the supervisor's own. */
void logs_check(struct supervisor *s);
void logs_reopen(struct supervisor *s);
void logs_close(struct supervisor *s);

/* keep.c */
void keep_report(struct supervisor *s, struct child *c, int code, int sig);
/* Removes temporary files of earlier runs and crash reports over their cap. */
void keep_sweep(struct supervisor *s);

/* listen.c */
err *listen_open(struct supervisor *s) BH_CHECK;

#endif
