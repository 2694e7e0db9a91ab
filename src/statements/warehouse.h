/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL warehouses as they live in control's memory: their rows (entity warehouse), who may use them, whether
 * they run, and the clusters that run their statements.
 *
 *            start, first statement            all clusters ended
 *   STOPPED ───────────────────────▶ STARTING          ▲
 *      ▲                                │ first engine │ ready
 *      │                                ▼              │
 *      └── STOPPING ◀──── stop, idle ── RUNNING     DELETED ◀── DELETING ◀── delete (from any state)
 *
 * Nothing of this is stored: after a restart of control every warehouse is STOPPED, and starts by itself with
 * its next statement. A start that fails three times in a row ends in STOPPED with `failure` set; statements
 * that waited for it fail.
 *
 * A cluster is one engine process. A statement goes to the cluster of its session, else to the least busy one,
 * if that runs fewer than sql.cluster_statements; otherwise it waits in the warehouse's queue, and a cluster is
 * added while there are fewer than max_clusters. Above min_clusters, idle ones end after sql.scale_down_after.
 *
 * Everything is the loop thread's, but for the functions that take a store_tx.
 */
#ifndef BH_STATEMENTS_WAREHOUSE_H
#define BH_STATEMENTS_WAREHOUSE_H

#include "base/vec.h"
#include "policy/policy.h"
#include "rest/control.h"
#include "store/gen_entities.h"

#define WAREHOUSE_MAX_CLUSTERS 40
#define WAREHOUSE_MAX_MIN_CLUSTERS 30

enum warehouse_state {
    WAREHOUSE_STOPPED,
    WAREHOUSE_STARTING,
    WAREHOUSE_RUNNING,
    WAREHOUSE_STOPPING,
    WAREHOUSE_DELETING,
    WAREHOUSE_DELETED
};
/* "STOPPED", … */
const char *warehouse_state_name(enum warehouse_state s);

struct warehouse_size {
    const char *name; /* "2X-Small", … */
    int dbu;          /* per hour and cluster */
    int doublings;    /* of sql.memory_base and sql.spill_base */
    int cpu_weight;   /* of a cluster beside others: where all want the processors, each has them in this proportion */
};
extern const struct warehouse_size warehouse_sizes[];
extern const size_t warehouse_sizes_n;
/* Index in warehouse_sizes, -1 if there is none of that name. */
int warehouse_size_find(str name);

struct cluster;
struct statement;
struct statements;

struct warehouse {
    struct statements *svc;
    int64_t row;
    struct store_scope scope;
    char id[17];
    int64_t created; /* UTC us */
    char *name, *default_catalog;
    char *parameters; /* the workspace's sql_configuration_parameters as JSON, "" if none */
    int size; /* index in warehouse_sizes */
    bool serverless;
    int min_clusters, max_clusters;
    int64_t auto_stop_us; /* 0: never */
    int64_t timeout_us;   /* of statements, 0: the setting's */
    int64_t owner;
    struct policy_entry *acl;
    size_t n_acl;

    enum warehouse_state state;
    char *failure; /* why it could not start, or NULL */
    int failures;  /* starts in a row that failed */
    vec_of(struct cluster *) clusters;
    struct statement *queue, **queue_end; /* those without a cluster, oldest first */
    size_t n_queue, n_running, n_sessions;
    unsigned next_cluster;
    loop_timer idle, retry, soon;
    int64_t idle_since; /* loop_now; 0: it is not idle */
    bool pumping;       /* warehouse_pump() is below us */
    vec_of(uint64_t) watching; /* parked requests that wait for the end of STARTING */
    loop_timer watch;
};

/* ---- finding, rights ---- */
struct warehouse *warehouse_find(struct control *c, struct store_scope scope, str id);
/* All of a workspace, in no order; in the arena. svc NULL: none. */
struct warehouse **warehouses_of(struct statements *svc, arena *a, int64_t workspace, size_t *ret_n);
/* As a row of policy_level(). The node points into w. */
struct policy_node warehouse_node(const struct warehouse *w);
/* The caller's level, 0: none. */
uint64_t warehouse_level(const struct warehouse *w, const struct policy_subject *who);
/* NULL, or PERMISSION_DENIED naming the level (enum perm_level_warehouses). */
err *warehouse_need(const struct warehouse *w, const struct policy_subject *who, str who_name,
                    uint64_t level) BH_CHECK;
/* RESOURCE_DOES_NOT_EXIST. */
err *warehouse_missing(str id) BH_CHECK;
/* Clusters that run, and the state as answers give it. */
int warehouse_running_clusters(const struct warehouse *w);

/* ---- changes of the row ---- */
/* What a committed change of a warehouse's row or permissions means for the loop. */
struct warehouse_change {
    struct ent_warehouse row;
    str default_catalog, parameters; /* the workspace's */
    struct policy_entry *acl;
    size_t n_acl;
    bool removed;
};
/* As it is in tx; everything in the arena. */
err *warehouse_change_read(store_tx *tx, struct store_scope scope, arena *a, int64_t row,
                           struct warehouse_change *ret) BH_CHECK;
/* On the loop. A new size replaces the clusters once their statements have ended. */
struct warehouse *warehouse_change_apply(struct control *c, const struct warehouse_change *ch);
/* For write handlers: notes the change with the request; applied after the commit (takes r->state, r->after). */
err *warehouse_publish(struct req *r, int64_t row) BH_CHECK;
/* The warehouse that every workspace begins with, usable by its group users. */
err *warehouse_make_starter(store_tx *tx, struct store_scope scope, arena *a, int64_t owner,
                            str owner_name, struct warehouse_change *ret) BH_CHECK;
/* The workspace's sql_configuration_parameters are others now: for sessions that begin from here on. */
void warehouse_set_parameters(struct control *c, int64_t workspace, str json);
/* A workspace is gone: its warehouses end with all that runs. */
void warehouse_forget_workspace(struct control *c, int64_t workspace);

/* ---- running ---- */
/* STOPPED → STARTING; otherwise nothing. RESOURCE_EXHAUSTED at the serverless quota. */
err *warehouse_start(struct warehouse *w) BH_CHECK;
/* Parks r while the warehouse starts, but not long: who asks next for its state mostly finds it running. */
void warehouse_watch(struct warehouse *w, struct req *r);
void warehouse_unwatch(struct warehouse *w);
/* Ends its clusters; what runs or waits FAILED. */
void warehouse_stop(struct warehouse *w, const char *why);
/* Gives waiting statements to clusters; starts the warehouse when there are any. */
void warehouse_pump(struct warehouse *w);
/* A statement of this cluster has ended; its place is given on a moment later, because the engine may be ending
 * just now, statement by statement. */
void warehouse_freed(struct warehouse *w, struct cluster *cl);
void warehouse_free(struct warehouse *w);

#endif
