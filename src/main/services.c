/* SPDX-License-Identifier: Apache-2.0 */
#include "main/services.h"

#include <stdlib.h>

#include "api/unity_catalog/asks.h"
#include "api/unity_catalog/sweep.h"
#include "base/log.h"
#include "catalog/stores.h"
#include "engine/link.h"
#include "serving/serving.h"
#include "statements/statements.h"

/* The status of the processes comes with the stream number of the request that asked. */
static void on_status(struct control *c, struct chan_frame *f) {
    arena *a = arena_new();
    struct msg_status m;
    struct req *r = control_parked(c, f->stream);
    if (r && msg_status_decode(a, f->payload, &m)) {
        req_body(r, 200, "application/json", arena_str(r->a, m.json));
        req_resume(r, NULL);
    }
    arena_free(a);
}

/* Channels that the supervisor brokered to processes started for us. */
static void on_peer(struct control *c, str role, str owner, uint64_t instance, int fd) {
    if (!engine_pool_on_peer(c, role, instance, fd)) serving_on_peer(c, role, owner, instance, fd);
}

err *services_start(struct control *c) {
    TRY(engine_pool_open(c));
    TRY(serving_open(c));
    c->on_supervisor = serving_on_supervisor;
    c->on_gateway = serving_on_gateway;
    c->on_peer = on_peer;
    TRY(serving_load(c));
    TRY(statements_open(c));
    uc_asks_open(c);
    c->stores = stores_new(c->outside, &c->settings);
    uc_sweep_open(c);
    return NULL;
}

void services_stop(struct control *c) {
    uc_sweep_close(c);
    statements_close(c);
    engine_pool_close(c);
    serving_close(c);
}

void services_end(struct control *c) {
    stores_free(c->stores);
    c->stores = NULL;
}

void services_on_supervisor(struct control *c, struct chan_frame *f) {
    switch (f->type) {
    case MSG_STATUS:
        on_status(c, f);
        break;
    case MSG_SPAWNED:
    case MSG_LEASED:
    case MSG_ENDED:
        if (!engine_pool_on_supervisor(c, f) && c->on_supervisor) c->on_supervisor(c, f);
        break;
    default:
        log_error("frame refused", lf_z("type", msg_name(f->type)));
    }
}
