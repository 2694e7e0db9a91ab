/* SPDX-License-Identifier: Apache-2.0 */
/* What a gateway must know of an endpoint: policy/facts.h, kind endpoint. */
#include "catalog/object_acl.h"
#include "identity/identity.h"
#include "ipc/wire.h"
#include "serving/serving.h"

int64_t serving_concurrency(str size) {
    static const struct {
        const char *name;
        int64_t most;
    } rows[] = {{"Small", 4}, {"Medium", 16}, {"Large", 64}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_ieq(size, str_of(rows[i].name))) return rows[i].most;
    return 0;
}

static uint32_t traffic_of(jval *config, str name, size_t entities) {
    jval *routes = json_get(json_get(config, "traffic_config"), "routes"), *v;
    if (!yyjson_arr_size(routes)) return entities == 1 ? 100 : 0;
    size_t i, n;
    yyjson_arr_foreach(routes, i, n, v) {
        str r = json_get_str(v, "served_entity_name");
        if (!r.n) r = json_get_str(v, "served_model_name");
        int64_t pct = 0;
        if (str_eq(r, name) && json_i64(json_get(v, "traffic_percentage"), &pct)) return (uint32_t)pct;
    }
    return 0;
}

static err *put_entities(store_tx *tx, arena *a, const struct ent_endpoint *e, jval *config, buf *b) {
    struct store_scope scope = {e->account, e->workspace};
    jval *list = json_get(config, "served_entities"), *v;
    size_t i, n;
    uint32_t count = 0;
    buf rows = {0};
    err *bad = NULL;
    yyjson_arr_foreach(list, i, n, v) {
        struct ent_served_version row;
        bool found;
        bad = ent_served_version_by_name(tx, scope, a, e->id, e->config_version,
                                         json_get_str(v, "name"), &row, &found);
        if (bad) break;
        if (!found || !str_eqz(row.state, "DEPLOYMENT_READY")) continue;
        int64_t most = serving_concurrency(json_get_str(v, "workload_size")), given;
        if (json_i64(json_get(v, "max_provisioned_concurrency"), &given)) most = given;
        wire_put_i64(&rows, row.id);
        wire_put_str(&rows, row.name);
        wire_put_u8(&rows, str_eqz(row.kind, "native") ? 1 : 2);
        wire_put_u32(&rows, traffic_of(config, row.name, yyjson_arr_size(list)));
        wire_put_u32(&rows, (uint32_t)(most > 0 ? most : 4));
        wire_put_bool(&rows, yyjson_get_bool(json_get(v, "scale_to_zero_enabled")));
        wire_put_str(&rows, row.owner);
        wire_put_str(&rows, STR(""));
        count++;
    }
    wire_put_u32(b, count);
    buf_str(b, buf_view(&rows));
    buf_free(&rows);
    return bad;
}

err *serving_fact(store_tx *tx, arena *a, const struct ent_endpoint *e, str *ret_key, str *ret_value) {
    struct object_chain chain;
    TRY(object_acl_chain(tx, (struct store_scope){e->account, e->workspace}, a,
                         PERM_SERVING_ENDPOINTS, e->id, e->owner_id, "endpoint", &chain));
    buf b = {0};
    wire_put_i64(&b, e->id);
    wire_put_i64(&b, e->owner_id);
    wire_put_u8(&b, e->stopped ? 3 : e->ready ? 1 : 2);
    uint32_t n = 0;
    for (size_t i = 0; i < chain.n; i++) n += (uint32_t)chain.node[i].n;
    wire_put_u32(&b, n);
    for (size_t i = 0; i < chain.n; i++)
        for (size_t k = 0; k < chain.node[i].n; k++) {
            wire_put_i64(&b, chain.node[i].entries[k].principal);
            wire_put_u64(&b, chain.node[i].entries[k].right);
        }
    jval *config = NULL;
    err *bad = e->config.n ? json_parse(a, e->config, false, &config) : NULL;
    if (!bad) bad = put_entities(tx, a, e, config, &b);
    if (!bad) {
        *ret_value = arena_str(a, buf_view(&b));
        buf k = {0};
        buf_u64(&k, (uint64_t)e->workspace);
        buf_str(&k, e->name);
        *ret_key = arena_str(a, buf_view(&k));
        buf_free(&k);
    }
    buf_free(&b);
    return bad;
}

err *serving_publish(struct req *r, int64_t endpoint, bool restricts) {
    struct ent_endpoint e;
    bool found;
    TRY(ent_endpoint_get(r->tx, r->scope, r->a, endpoint, &e, &found));
    if (!found || !e.config.n) return NULL;
    str key, value;
    TRY(serving_fact(r->tx, r->a, &e, &key, &value));
    req_fact(r, FACT_ENDPOINT, false, restricts, key, value, -1);
    return NULL;
}
