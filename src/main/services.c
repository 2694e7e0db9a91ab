/* SPDX-License-Identifier: Apache-2.0 */
#include "main/services.h"

#include <stdlib.h>

#include "base/log.h"
#include "serving/serving.h"

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

err *services_start(struct control *c) {
    TRY(serving_open(c));
    c->on_supervisor = serving_on_supervisor;
    c->on_gateway = serving_on_gateway;
    c->on_peer = serving_on_peer;
    return serving_load(c);
}

void services_stop(struct control *c) { serving_close(c); }

void services_on_supervisor(struct control *c, struct chan_frame *f) {
    switch (f->type) {
    case MSG_STATUS:
        on_status(c, f);
        break;
    case MSG_SPAWNED:
    case MSG_LEASED:
    case MSG_ENDED:
        if (c->on_supervisor) c->on_supervisor(c, f);
        break;
    default:
        log_error("frame refused", lf_z("type", msg_name(f->type)));
    }
}
