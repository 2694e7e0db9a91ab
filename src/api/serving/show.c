/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints as answers show them: reference/serving, types ServingEndpointDetailed and ServingEndpoint. */
#include "identity/identity.h"
#include "serving_int.h"

static void put_parsed(struct req *r, jmut *o, const char *key, str text) {
    jval *v;
    if (!text.n) return;
    err *e = json_parse(r->a, text, false, &v);
    if (!e) json_put(r->doc, o, key, yyjson_val_mut_copy(r->doc, v));
    err_free(e);
}

static void put_state(struct req *r, jmut *o, const struct ent_endpoint *e) {
    jmut *s = json_put_obj(r->doc, o, "state");
    json_put_z(r->doc, s, "ready", e->ready && !e->stopped ? "READY" : "NOT_READY");
    json_put_str(r->doc, s, "config_update", e->config_update);
    if (e->stopped) json_put_z(r->doc, s, "suspend", "STOPPED");
}

/* One served entity: its input and where it stands. */
static err *put_entity(struct req *r, jmut *list, jval *v, const struct ent_endpoint *e,
                       int64_t version, bool old_names) {
    struct ent_served_version row;
    bool found;
    TRY(ent_served_version_by_name(r->tx, r->scope, r->a, e->id, version, json_get_str(v, "name"), &row,
                                   &found));
    jmut *o = yyjson_val_mut_copy(r->doc, v);
    yyjson_mut_arr_append(list, o);
    if (old_names) {
        json_put_str(r->doc, o, "model_name", json_get_str(v, "entity_name"));
        json_put_str(r->doc, o, "model_version", json_get_str(v, "entity_version"));
        yyjson_mut_obj_remove_key(o, "entity_name");
        yyjson_mut_obj_remove_key(o, "entity_version");
    }
    if (!found) return NULL;
    json_put_z(r->doc, o, "id", arena_printf(r->a, "%lld", (long long)row.id));
    json_put_int(r->doc, o, "creation_timestamp", row.created_at / 1000);
    struct principal_info p;
    TRY(identity_find(r->tx, r->a, row.created_by ? row.created_by : e->owner_id, &p, &found));
    if (found) json_put_str(r->doc, o, "creator", p.name);
    jmut *s = json_put_obj(r->doc, o, "state");
    json_put_str(r->doc, s, "deployment", row.state);
    json_put_str(r->doc, s, "deployment_state_message", row.state_message);
    return NULL;
}

static err *put_config(struct req *r, jmut *o, const char *key, str config, const struct ent_endpoint *e,
                       int64_t version) {
    jval *c, *v;
    TRY(json_parse(r->a, config, false, &c));
    jmut *out = json_put_obj(r->doc, o, key);
    static const char *const lists[] = {"served_entities", "served_models"};
    size_t i, n;
    for (int k = 0; k < 2; k++) {
        jmut *list = json_put_arr(r->doc, out, lists[k]);
        yyjson_arr_foreach(json_get(c, "served_entities"), i, n, v) {
            TRY(put_entity(r, list, v, e, version, k == 1));
        }
    }
    jval *t = json_get(c, "traffic_config");
    if (t) json_put(r->doc, out, "traffic_config", yyjson_val_mut_copy(r->doc, t));
    json_put_int(r->doc, out, "config_version", version);
    if (strcmp(key, "pending_config") == 0)
        json_put_int(r->doc, out, "start_time", e->pending_since / 1000);
    return NULL;
}

err *endpoint_put(struct req *r, jmut *o, const struct ent_endpoint *e, bool detailed) {
    struct principal_info p;
    bool found;
    char *id = arena_printf(r->a, "%lld", (long long)e->id);
    TRY(identity_find(r->tx, r->a, e->owner_id, &p, &found));
    json_put_z(r->doc, o, "id", id);
    json_put_str(r->doc, o, "name", arena_str(r->a, e->name));
    json_put_str(r->doc, o, "creator", found ? p.name : STR(""));
    json_put_int(r->doc, o, "creation_timestamp", e->created_at / 1000);
    json_put_int(r->doc, o, "last_updated_timestamp", e->updated_at / 1000);
    put_state(r, o, e);
    if (e->config.n)
        TRY(put_config(r, o, "config", e->config, e, e->config_version));
    if (detailed && e->pending.n)
        TRY(put_config(r, o, "pending_config", e->pending, e, e->pending_version));
    put_parsed(r, o, "tags", e->tags);
    put_parsed(r, o, "ai_gateway", e->ai_gateway);
    if (e->description.n) json_put_str(r->doc, o, "description", arena_str(r->a, e->description));
    if (!detailed) return NULL;
    struct object_chain chain;
    TRY(object_acl_chain(store_tx_today(r->tx), r->scope, r->a, PERM_SERVING_ENDPOINTS, e->id,
                         e->owner_id, "endpoint", &chain));
    uint64_t level = object_acl_highest(r, &chain);
    if (level)
        json_put_z(r->doc, o, "permission_level", perm_rows[PERM_SERVING_ENDPOINTS].levels[level - 1]);
    json_put_bool(r->doc, o, "route_optimized", e->route_optimized);
    str base = req_base_url(r);
    json_put_z(r->doc, o, "endpoint_url",
               arena_printf(r->a, "%.*s/serving-endpoints/%.*s/invocations", STR_ARG(base), STR_ARG(e->name)));
    put_parsed(r, o, "email_notifications", e->email_notifications);
    if (e->message.n) json_put_str(r->doc, o, "update_message", arena_str(r->a, e->message));
    return NULL;
}
