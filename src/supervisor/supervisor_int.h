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
    int64_t started;
    bool leased, ending, stopping, ready;
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
    loop_timer drain_timer, tls_timer;
    enum sandbox_level level;
    cgroups *groups;
};

/* launch.c: starts a process of a row. chan_fd becomes its descriptor 3. The child is watched. */
err *launch(struct supervisor *s, const struct role_row *row, str owner, str environment,
            uint32_t memory_mb, int chan_fd, struct child **ret) BH_CHECK;
/* Mounts the owner's roots into a warm child. INVALID_STATE at level reduced. After an error the child
 * must be killed: half a lease is one, too. */
err *launch_lease(struct supervisor *s, struct child *c, str owner, str environment, uint32_t memory_mb) BH_CHECK;
/* Kills a child and all it started. */
void launch_kill(struct child *c);
/* Sets s->level to what the settings ask and the machine can, or an error with the way out; makes
 * the parent of the control groups. */
err *launch_level(struct supervisor *s) BH_CHECK;

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
