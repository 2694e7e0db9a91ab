/* SPDX-License-Identifier: Apache-2.0 */
/* Private to serving. */
#ifndef BH_SERVING_INT_H
#define BH_SERVING_INT_H

#include "base/vec.h"
#include "ipc/chan.h"
#include "serving/serving.h"
#include "sys/jobs.h"

#define SERVING_LOG_MAX (64u * 1024u)

struct serving;
struct update;

enum deploy_phase {
    DEPLOY_WAITS,
    DEPLOY_RESOLVE,
    DEPLOY_EXPORT,
    DEPLOY_IMPORT,
    DEPLOY_LOCK,
    DEPLOY_BUILD,
    DEPLOY_LOAD,
    DEPLOY_READY,
    DEPLOY_FAILED
};

/* Name of an environment: its lock's SHA-256, or empty for the base. */
#define ENV_NAME_CAP 65

/* One served entity on its way. Owned by its update; a thread has it during RESOLVE and between. */
struct deploy {
    struct serving *s;
    struct update *up;
    struct store_scope scope;
    int64_t entity, endpoint;
    char owner[40], digest[65];
    char *name, *version;      /* of the model */
    char *environment;         /* JSON object of environment variables, or NULL */
    enum deploy_phase phase;
    bool native, cached;
    int plan_fd;               /* sealed memfd with the plan, or -1 */
    uint64_t instance;
    int py_fd;                 /* importer_python's channel, kept open while it runs */
    chan *importer;
    char died[192];            /* how the process that opened the model ended */
    err *e;                    /* why it failed */
    char *why_python;          /* why there is no native plan */
    buf log;                   /* build log */
    int64_t began;
    loop_timer limit;
    /* The environment (environment.c) */
    char env[ENV_NAME_CAP];    /* the model's own, once it is there */
    bool env_known;            /* base or own: it is decided */
    bool env_wanted;           /* the base is not what the model asks for */
    bool export_again;         /* it is opened in its own environment */
    char requirements[ENV_NAME_CAP]; /* digest of the files that hold them */
    chan *builder;             /* env_builder's channel */
    struct index_link *index;  /* its way to the package index */
};

struct update {
    struct update *next;
    struct serving *s;
    struct store_scope scope;
    int64_t endpoint, config_version;
    struct deploy *d;
    size_t n, open;
    uint64_t wait;
    loop_timer wait_timer;
    bool cancelled;
    bool early;                /* of no endpoint: only fills the cache of plans (early.c) */
    arena *a;                  /* for the final write */
    err *failure;
    int64_t *old_entities;
    size_t n_old;
};

/* A runtime_host of an entity. */
struct shost {
    uint64_t instance;
    int64_t entity, endpoint;
    bool loaded, leased;
    struct deploy *d; /* waits for its load */
};

/* What serves: enough to start another host. */
struct sentity {
    int64_t entity, endpoint;
    char owner[40], env[ENV_NAME_CAP];
    char *environment;
    int64_t concurrency;
    bool scale_to_zero, python, starting;
    size_t hosts;
    buf log, build_log;
    struct serving_stats stats;
    int64_t last_wake;
};

/* A version whose import should begin. */
struct early_ask {
    struct store_scope scope;
    char *name, *version;
};

/* A runtime_host that has had no owner. */
struct warm_host {
    uint64_t instance;
    bool ready; /* its libraries are in memory */
};

struct serving {
    struct control *c;
    vec_of(struct warm_host) warm;
    size_t warm_starting;
    bool warm_wanted; /* there are Python models */
    loop_timer warm_timer;
    jobs *builders;
    struct update *updates;
    map *entities;  /* id -> struct sentity */
    map *hosts;     /* instance -> struct shost */
    vec_of(uint64_t) stats_waiting;
    struct update *early;                /* the import that runs before anyone asked, or NULL */
    vec_of(struct early_ask) early_asks; /* those after it */
};

/* deploy.c */
void deploy_begin(struct deploy *d);
void deploy_spawned(struct serving *s, const struct msg_spawned *m);
void deploy_ended(struct serving *s, const struct msg_ended *m);
void deploy_done(struct deploy *d, err *e); /* e NULL: ready */
void deploy_release(struct deploy *d);
struct deploy *deploy_by_owner(struct serving *s, str owner);

void deploy_note(struct deploy *d, const char *fmt, ...) BH_PRINTF(2, 3);
void deploy_path(char out[], const struct deploy *d, const char *what); /* PATH_MAX; below its folder */
/* Runs fn on the builder's thread; then deploy_next() on the loop, or deploy_done() with its error. */
void deploy_build(struct deploy *d, err *(*fn)(struct deploy *d));
void deploy_spawn(struct deploy *d, const char *role, enum deploy_phase phase, str environment, int64_t memory,
                  int64_t limit_us);

/* environment.c */
/* Of a model that was looked at before; *ret_known false: not, or its environment is gone. */
err *environment_recall(struct serving *s, const char *digest, char ret_env[ENV_NAME_CAP], bool *ret_known) BH_CHECK;
/* Notes that the base is right for this model. */
err *environment_base(struct deploy *d) BH_CHECK;
/* Begins LOCK. */
void environment_begin(struct deploy *d);
/* What comes after a builder's job in LOCK and BUILD; true when d->env is decided. */
bool environment_next(struct deploy *d);
/* The env_builder's channel; takes over fd. */
void environment_peer(struct deploy *d, int fd);
void environment_ended(struct deploy *d, const struct msg_ended *m);
void environment_release(struct deploy *d);
err *environment_sweep(struct serving *s) BH_CHECK;

/* hosts.c */
struct sentity *entity_of(struct serving *s, int64_t id, bool make);
void hosts_start(struct serving *s, struct sentity *e, struct deploy *d);
void hosts_spawned(struct serving *s, const struct msg_spawned *m);
void hosts_leased(struct serving *s, const struct msg_leased *m);
/* From now on serving.warm_hosts processes are kept that have had no owner. */
void hosts_keep_warm(struct serving *s);
void hosts_ended(struct serving *s, const struct msg_ended *m);
void hosts_state(struct serving *s, const struct msg_host_state *m);
void hosts_wake(struct serving *s, const struct msg_wake *m);
/* Ends its processes at once. */
void hosts_end(struct serving *s, int64_t entity);
/* It is no longer served, and forgotten here. The gateways hear it after the endpoint's new fact, finish
 * what they began and let its processes go. */
void hosts_retire(struct serving *s, int64_t entity);
void hosts_add_log(buf *log, str text);

/* update.c */
void update_deploy_over(struct deploy *d);
void update_free(struct update *u);

/* early.c */
/* The one deploy of an early import is over. */
void early_over(struct deploy *d);
/* Whether the deploy's model is being imported just now; then it begins when that is over. */
bool early_joins(struct deploy *d);
void early_close(struct serving *s);

#endif
