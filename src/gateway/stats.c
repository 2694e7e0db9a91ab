/* SPDX-License-Identifier: Apache-2.0 */
/* Counters as JSON, for control's metrics routes. */
#include "gateway/entity.h"

void stats_write(struct gateway *g, buf *out) {
    struct http_stats hs = http_server_stats(g->server);
    buf_fmt(out, "{\"connections\":%zu,\"requests\":%llu,\"answered\":%llu,\"entities\":[", hs.conns,
            (unsigned long long)hs.requests_total, (unsigned long long)g->answered);
    str k;
    void *v;
    bool first = true;
    for (size_t i = 0; map_next(g->entities, &i, &k, &v);) {
        const struct entity_rt *e = v;
        if (!e->requests) continue;
        buf_fmt(out,
                "%s{\"id\":\"%lld\",\"requests\":%llu,\"errors_4xx\":%llu,\"errors_5xx\":%llu,"
                "\"sum_us\":%.1f,\"predict_us\":%.1f,\"queued\":%zu,\"native\":%s,\"buckets\":[",
                first ? "" : ",", (long long)e->id, (unsigned long long)e->requests,
                (unsigned long long)e->errors_4xx, (unsigned long long)e->errors_5xx, e->sum_us,
                e->predict_us, e->queued, e->plan ? "true" : "false");
        for (int b = 0; b <= ENTITY_BUCKETS; b++)
            buf_fmt(out, "%s%llu", b ? "," : "", (unsigned long long)e->buckets[b]);
        buf_z(out, "]}");
        first = false;
    }
    buf_z(out, "]}");
}
