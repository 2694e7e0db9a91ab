/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model serving in control: what an endpoint's configuration means, how it becomes ready, and which
 * processes stand behind it. Scoring itself is the gateway's.
 *
 * An update of an endpoint (its creation is the first one):
 *
 *   write  endpoint.pending, one served_version row per entity (DEPLOYMENT_CREATING)
 *   each entity is deployed:
 *     RESOLVE   (thread) files of the model version, their digest; a plan cached under the digest
 *               ends it here: READY
 *     EXPORT    importer_python opens the model in its sandbox and writes the library's data form
 *     IMPORT    importer (strict sandbox) reads that untrusted form, makes a plan, and compares its
 *               predictions with the Python model's on sample rows
 *     LOCK      where the base environment is not what the model asks for: env_builder reads its
 *               requirements and chooses versions; a lock built before ends it here
 *     BUILD     env_builder makes the environment of the lock; then EXPORT once more, or LOAD, in it
 *     LOAD      where there is no data form, or the predictions differ: a runtime_host loads the model
 *   all READY  → pending becomes config, facts go to the gateways, the old entities end
 *   one FAILED → UPDATE_FAILED with the reason; the old configuration serves on untouched
 *
 * Everything here runs on control's loop, but for the functions said to be for a thread.
 */
#ifndef BH_SERVING_SERVING_H
#define BH_SERVING_SERVING_H

#include "rest/control.h"
#include "store/gen_entities.h"

struct serving;

err *serving_open(struct control *c) BH_CHECK;
void serving_close(struct control *c);
/* spawned, leased, ended of the supervisor. */
void serving_on_supervisor(struct control *c, struct chan_frame *f);
/* Channels to importers. Takes over fd. */
void serving_on_peer(struct control *c, str role, str owner, uint64_t instance, int fd);
/* wake, host_state, gateway_stats. */
void serving_on_gateway(struct control *c, struct gateway_link *g, struct chan_frame *f);
/* After the start: facts of all endpoints, unfinished updates go on. */
err *serving_load(struct control *c) BH_CHECK;

/* Begins (or begins again) the update that endpoint.pending describes. `wait`: a parked request that
 * wants to hear of its end (park number, 0: none); it is resumed then or after 150 ms. */
void serving_update(struct control *c, struct store_scope scope, int64_t endpoint, uint64_t wait);
/* A version of a model is complete: its import begins now, so that an endpoint finds the plan. For a
 * write handler's end (it takes r->state and r->after): it begins when the write is done. Failures are
 * only logged. */
void serving_import_early(struct req *r, struct store_scope scope, str name, str version);
/* The endpoint is gone or stopped: its processes end. */
void serving_end(struct control *c, int64_t endpoint, const int64_t *entities, size_t n);

/* The fact of an endpoint as it is in tx: key and value for req_fact(). */
err *serving_fact(store_tx *tx, arena *a, const struct ent_endpoint *e, str *ret_key, str *ret_value)
    BH_CHECK;
/* Notes the endpoint's fact with a request that changed it (permissions too). */
err *serving_publish(struct req *r, int64_t endpoint, bool restricts) BH_CHECK;

/* Counters of a gateway for an entity since it began. */
struct serving_stats {
    uint64_t requests, errors_4xx, errors_5xx, buckets[15];
    double sum_us, predict_us;
};
/* Asks the gateways; the parked request is resumed when they answered, then serving_stats_of() has
 * them. */
void serving_ask_stats(struct control *c, uint64_t park);
struct serving_stats serving_stats_of(struct control *c, int64_t entity);
/* Last lines of an entity's server log, or of its build. In the arena. */
str serving_log(struct control *c, arena *a, int64_t entity, bool build);

/* Provisioned concurrency that a size stands for: upper bound; 0: not a known size. */
int64_t serving_concurrency(str workload_size);

/* ---- the model's files (model.c; for threads) ---- */
struct model_file {
    str relative, storage_key, etag;
    int64_t size;
};
struct model_files {
    struct model_file *p;
    size_t n;
    int64_t bytes;
    char digest[65]; /* of names, contents and the importer's version */
};
/* Files of a model version: "a.b.c" is Unity Catalog's, any other name the workspace registry's. */
err *model_files_of(store_tx *tx, struct store_scope scope, arena *a, str name, str version,
                    struct model_files *ret) BH_CHECK;
/* Copies them below dir (made anew). */
err *model_files_copy(struct control *c, const struct model_files *f, const char *dir) BH_CHECK;

#endif
