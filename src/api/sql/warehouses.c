/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL warehouses. Rows are written in the writer's lane; what runs is the loop's (statements/warehouse.h), which
 * hears of a change after its commit.
 */
#include <stdlib.h>

#include "api/gen_routes.h"
#include "catalog/object_acl.h"
#include "rest/page.h"
#include "sql_int.h"
#include "sys/rand.h"

#define MAX_TAGS 44
#define MAX_NAME 99
#define PAGE 1000

/* ---- fields ---- */

static err *wrong(const char *field, const char *must_be) {
    return err_new(ERR_INVALID_PARAMETER_VALUE, "%s %s.", field, must_be);
}

static str json_arg(struct req *r, const char *name, str old) {
    jval *v = arg(r, name);
    if (!v) return old;
    size_t n = 0;
    char *p = yyjson_val_write(v, 0, &n);
    must(p != NULL);
    str s = arena_str(r->a, str_n(p, n));
    free(p);
    return s;
}

/* A serverless warehouse cannot reach what an external Hive metastore describes. */
static err *check_serverless(struct req *r, const struct ent_warehouse *w) {
    struct ent_warehouse_config config;
    bool found;
    if (!w->serverless) return NULL;
    if (str_eqz(w->warehouse_type, "CLASSIC"))
        return wrong("warehouse_type", "must be PRO where enable_serverless_compute is true");
    TRY(ent_warehouse_config_by_one(r->tx, r->scope, r->a, 1, &config, &found));
    if (!found) return NULL;
    if (str_find(config.data_access, STR("spark.sql.hive.metastore.")) >= 0 ||
        str_find(config.data_access, STR("javax.jdo.option.ConnectionURL")) >= 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Serverless SQL warehouses cannot be used in a workspace that uses an external Hive "
                       "metastore (legacy).");
    return NULL;
}

static err *check_type(struct req *r, const struct ent_warehouse *w) {
    struct ent_warehouse_config config;
    bool found;
    jval *list = NULL, *e;
    size_t i, n;
    TRY(ent_warehouse_config_by_one(r->tx, r->scope, r->a, 1, &config, &found));
    if (!found || !config.types.n) return NULL;
    TRY(json_parse(r->a, config.types, false, &list));
    yyjson_arr_foreach(list, i, n, e) {
        if (str_eq(json_get_str(e, "warehouse_type"), w->warehouse_type) &&
            yyjson_is_false(json_get(e, "enabled")))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Warehouses of type %.*s are not enabled in this workspace.",
                           STR_ARG(w->warehouse_type));
    }
    return NULL;
}

static err *check_tags(struct req *r) {
    jval *tags = json_get(arg(r, "tags"), "custom_tags"), *t;
    size_t i, n;
    if (yyjson_arr_size(tags) > MAX_TAGS) return wrong("tags", "must be fewer than 45");
    yyjson_arr_foreach(tags, i, n, t) {
        if (!json_get_str(t, "key").n) return wrong("tags.custom_tags.key", "must not be empty");
    }
    return NULL;
}

static err *check_numbers(const struct ent_warehouse *w) {
    if (w->max_clusters < 1 || w->max_clusters > WAREHOUSE_MAX_CLUSTERS)
        return wrong("max_num_clusters", "must be between 1 and 40");
    if (w->min_clusters < 1 || w->min_clusters > WAREHOUSE_MAX_MIN_CLUSTERS ||
        w->min_clusters > w->max_clusters)
        return wrong("min_num_clusters", "must be between 1 and 30, and not above max_num_clusters");
    int64_t least = w->serverless ? 1 : 10;
    if (w->auto_stop_mins != 0 && (w->auto_stop_mins < least || w->auto_stop_mins > 525600))
        return wrong("auto_stop_mins", w->serverless ? "must be 0 (never) or at least 1"
                                                     : "must be 0 (never) or at least 10");
    if (w->statement_timeout < 0 || w->statement_timeout > 172800)
        return wrong("statement_timeout", "must be between 0 and 172800 seconds");
    return NULL;
}

/* The request's fields over what w holds. */
static err *take_fields(struct req *r, struct ent_warehouse *w) {
    if (arg_has(r, "name")) w->name = str_trim(arg_str(r, "name"));
    if (!w->name.n || w->name.n > MAX_NAME * 4u) return wrong("name", "must have 1 to 99 characters");
    if (arg_has(r, "cluster_size")) {
        int size = warehouse_size_find(arg_str(r, "cluster_size"));
        if (size < 0)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "cluster_size '%.*s' is none of 2X-Small, X-Small, Small, Medium, Large, X-Large, 2X-Large, "
                           "3X-Large, 4X-Large, 5X-Large.",
                           STR_ARG(str_cut(arg_str(r, "cluster_size"), 40)));
        w->cluster_size = str_of(warehouse_sizes[size].name);
    }
    bool had_max = arg_has(r, "max_num_clusters");
    w->min_clusters = arg_i64(r, "min_num_clusters", w->min_clusters);
    w->max_clusters = arg_i64(r, "max_num_clusters", w->max_clusters);
    if (!had_max && w->max_clusters < w->min_clusters) w->max_clusters = w->min_clusters;
    w->auto_stop_mins = arg_i64(r, "auto_stop_mins", w->auto_stop_mins);
    w->statement_timeout = arg_i64(r, "statement_timeout", w->statement_timeout);
    w->photon = arg_bool(r, "enable_photon", w->photon);
    str type = arg_str(r, "warehouse_type");
    if (type.n && !str_eqz(type, "TYPE_UNSPECIFIED")) {
        w->warehouse_type = type;
        if (str_eqz(type, "CLASSIC")) w->serverless = false;
    }
    w->serverless = arg_bool(r, "enable_serverless_compute", w->serverless);
    if (arg_has(r, "spot_instance_policy")) w->spot_policy = arg_str(r, "spot_instance_policy");
    w->channel = json_arg(r, "channel", w->channel);
    w->tags = json_arg(r, "tags", w->tags);
    TRY(check_numbers(w));
    TRY(check_tags(r));
    TRY(check_serverless(r, w));
    return check_type(r, w);
}

/* ---- create ---- */

static err *name_taken(err *e, str name) {
    if (err_code_of(e) != ERR_RESOURCE_ALREADY_EXISTS) return e;
    err_free(e);
    return err_new(ERR_RESOURCE_ALREADY_EXISTS, "A SQL warehouse with name '%.*s' already exists.",
                   STR_ARG(name));
}

err *api_sql_wh_create(struct req *r) {
    TRY(req_need_admin(r));
    char id[17];
    rand_hex(id, 8);
    struct ent_warehouse w = {.uid = arena_str(r->a, str_of(id)),
                              .owner_id = r->principal,
                              .creator = r->principal_name,
                              .cluster_size = STR("X-Small"),
                              .min_clusters = 1,
                              .max_clusters = 1,
                              .auto_stop_mins = 120,
                              .warehouse_type = STR("PRO"),
                              .serverless = true,
                              .photon = true,
                              .spot_policy = STR("COST_OPTIMIZED")};
    TRY(take_fields(r, &w));
    TRY(name_taken(ent_warehouse_insert(r->tx, r->scope, &w), w.name));
    store_tx_securable(r->tx, "warehouse", w.id, w.name);
    TRY(warehouse_publish(r, w.id));
    json_put_str(req_doc(r), req_out(r), "id", w.uid);
    return NULL;
}

/* It starts; a start that is refused (quota) is seen in its state. */
err *api_sql_wh_started(struct req *r) {
    const struct warehouse_change *ch = r->state;
    struct warehouse *w = warehouse_find(r->control, r->scope, ch->row.uid);
    err *e = w ? warehouse_start(w) : NULL;
    if (e) {
        free(w->failure);
        w->failure = strdup(err_msg(e));
    } else if (w) {
        warehouse_watch(w, r);
    }
    err_free(e);
    return NULL;
}

/* ---- finding ---- */

/* The row of the path's id; the caller's level is asked on it. */
static err *find(struct req *r, uint64_t level, struct ent_warehouse *ret) {
    str id = arg_str(r, "id");
    bool found;
    TRY(ent_warehouse_by_uid(r->tx, r->scope, r->a, id, ret, &found));
    if (!found) return warehouse_missing(id);
    struct object_chain chain;
    TRY(object_acl_chain(store_tx_today(r->tx), r->scope, r->a, PERM_WAREHOUSES, ret->id, ret->owner_id,
                         arena_printf(r->a, "SQL warehouse '%.*s'", STR_ARG(id)), &chain));
    return req_need_level(r, PERM_WAREHOUSES, level, chain.node, chain.n);
}

struct found {
    struct ent_warehouse *p;
    size_t n;
    str next;
};

static void put_json(struct req *r, jmut *o, const char *name, str text) {
    jval *v = NULL;
    err *e = text.n ? json_parse(r->a, text, false, &v) : NULL;
    err_free(e);
    if (v) json_put(r->doc, o, name, yyjson_val_mut_copy(r->doc, v));
}

static void put_door(struct req *r, jmut *o, const struct ent_warehouse *w) {
    str host = req_base_url(r);
    bool tls = str_starts(host, STR("https://"));
    host = str_from(host, tls ? 8 : 7);
    str name = host;
    int64_t port = tls ? 443 : 80;
    for (size_t i = host.n; i-- > 0 && host.p[i] != ']';)
        if (host.p[i] == ':') {
            if (str_to_i64(str_from(host, i + 1), &port)) name = str_cut(host, i);
            break;
        }
    char *path = arena_printf(r->a, "/sql/1.0/warehouses/%.*s", STR_ARG(w->uid));
    json_put_z(r->doc, o, "jdbc_url",
               arena_printf(r->a, "jdbc:databricks://%.*s:%lld/default;transportMode=http;ssl=%d;AuthMech=3;httpPath=%s;",
                            STR_ARG(name), (long long)port, tls, path));
    jmut *odbc = json_put_obj(r->doc, o, "odbc_params");
    json_put_str(r->doc, odbc, "hostname", name);
    json_put_z(r->doc, odbc, "path", path);
    json_put_z(r->doc, odbc, "protocol", tls ? "https" : "http");
    json_put_int(r->doc, odbc, "port", port);
}

static void put_state(struct req *r, jmut *o, const struct warehouse *w) {
    json_put_z(r->doc, o, "state", warehouse_state_name(w ? w->state : WAREHOUSE_STOPPED));
    json_put_int(r->doc, o, "num_clusters", w ? warehouse_running_clusters(w) : 0);
    json_put_int(r->doc, o, "num_active_sessions", w ? (int64_t)w->n_sessions : 0);
    jmut *health = json_put_obj(r->doc, o, "health");
    json_put_z(r->doc, health, "status", w && w->failure ? "FAILED" : "HEALTHY");
    if (!w || !w->failure) return;
    json_put_z(r->doc, health, "summary", arena_strdup(r->a, w->failure));
    json_put_z(r->doc, health, "details", "The SQL warehouse could not start.");
}

static void put_warehouse(struct req *r, jmut *o, const struct ent_warehouse *w) {
    json_put_str(r->doc, o, "id", w->uid);
    json_put_str(r->doc, o, "name", w->name);
    json_put_str(r->doc, o, "cluster_size", w->cluster_size);
    json_put_int(r->doc, o, "min_num_clusters", w->min_clusters);
    json_put_int(r->doc, o, "max_num_clusters", w->max_clusters);
    json_put_int(r->doc, o, "auto_stop_mins", w->auto_stop_mins);
    json_put_str(r->doc, o, "creator_name", w->creator);
    json_put_str(r->doc, o, "warehouse_type", w->warehouse_type);
    json_put_bool(r->doc, o, "enable_serverless_compute", w->serverless);
    json_put_bool(r->doc, o, "enable_photon", w->photon);
    json_put_str(r->doc, o, "spot_instance_policy", w->spot_policy);
    if (w->statement_timeout) json_put_int(r->doc, o, "statement_timeout", w->statement_timeout);
    put_json(r, o, "channel", w->channel);
    put_json(r, o, "tags", w->tags);
    put_state(r, o, warehouse_find(r->control, r->scope, w->uid));
    put_door(r, o, w);
}

err *api_sql_wh_get_find(struct req *r) {
    struct found *f = arena_new_of(r->a, struct found);
    f->p = arena_new_of(r->a, struct ent_warehouse);
    r->state = f;
    return find(r, WAREHOUSES_CAN_VIEW, f->p);
}

err *api_sql_wh_get(struct req *r) {
    const struct found *f = r->state;
    put_warehouse(r, req_out(r), f->p);
    return NULL;
}

err *api_sql_wh_list_find(struct req *r) {
    struct found *f = arena_new_of(r->a, struct found);
    struct object_levels levels;
    str after;
    int64_t size = arg_i64(r, "page_size", PAGE);
    r->state = f;
    if (size < 1 || size > PAGE) return wrong("page_size", "must be between 1 and 1000");
    TRY(page_token_read(r, arg_str(r, "page_token"), STR("warehouses"), &after));
    TRY(object_levels_read(store_tx_today(r->tx), r->scope, r->a, PERM_WAREHOUSES, &r->who, &levels));
    struct ent_list_query q = {.order = ENT_BY_CREATED, .limit = 1000};
    if (after.n) {
        str at = after, created;
        q.after = str_split(&at, ' ', &created) && str_to_i64(created, &q.after_i) && str_to_i64(at, &q.after_id);
    }
    f->p = arena_array_of(r->a, struct ent_warehouse, size + 1);
    struct ent_warehouse_rows rows;
    do {
        TRY(ent_warehouse_list(r->tx, r->scope, r->a, &q, &rows));
        for (size_t i = 0; i < rows.n; i++) {
            if (!object_levels_of(&levels, rows.p[i].id, rows.p[i].owner_id)) continue;
            if (f->n == (size_t)size) {
                const struct ent_warehouse *last = &f->p[f->n - 1];
                f->next = page_token_make(r, STR("warehouses"),
                                          str_of(arena_printf(r->a, "%lld %lld", (long long)last->created_at,
                                                              (long long)last->id)));
                return NULL;
            }
            f->p[f->n++] = rows.p[i];
        }
        q.after = true;
        if (rows.n) {
            q.after_i = rows.p[rows.n - 1].created_at;
            q.after_id = rows.p[rows.n - 1].id;
        }
    } while (rows.more);
    return NULL;
}

err *api_sql_wh_list(struct req *r) {
    const struct found *f = r->state;
    jmut *list = json_put_arr(req_doc(r), req_out(r), "warehouses");
    for (size_t i = 0; i < f->n; i++) put_warehouse(r, json_add_obj(r->doc, list), &f->p[i]);
    if (f->next.n) json_put_str(r->doc, req_out(r), "next_page_token", f->next);
    return NULL;
}

/* ---- changing ---- */

err *api_sql_wh_edit(struct req *r) {
    struct ent_warehouse w;
    TRY(find(r, WAREHOUSES_CAN_MANAGE, &w));
    TRY(take_fields(r, &w));
    TRY(name_taken(ent_warehouse_update(r->tx, r->scope, &w), w.name));
    store_tx_securable(r->tx, "warehouse", w.id, w.name);
    req_out(r);
    return warehouse_publish(r, w.id);
}

static void removed(struct req *r) {
    struct warehouse_change *ch = r->state;
    warehouse_change_apply(r->control, ch);
}

err *api_sql_wh_delete(struct req *r) {
    struct warehouse_change *ch = arena_new_of(r->a, struct warehouse_change);
    TRY(find(r, WAREHOUSES_CAN_MANAGE, &ch->row));
    TRY(object_acl_drop(r->tx, r->scope, r->a, PERM_WAREHOUSES, ch->row.id));
    TRY(ent_warehouse_delete(r->tx, r->scope, ch->row.id));
    store_tx_securable(r->tx, "warehouse", ch->row.id, ch->row.name);
    ch->removed = true;
    r->state = ch;
    r->after = removed;
    req_out(r);
    return NULL;
}

/* ---- start, stop ---- */

static err *find_running(struct req *r, uint64_t level, struct warehouse **ret) {
    *ret = warehouse_find(r->control, r->scope, arg_str(r, "id"));
    if (!*ret) return warehouse_missing(arg_str(r, "id"));
    req_out(r);
    return warehouse_need(*ret, &r->who, r->principal_name, level);
}

err *api_sql_wh_start(struct req *r) {
    struct warehouse *w;
    TRY(find_running(r, WAREHOUSES_CAN_USE, &w));
    TRY(warehouse_start(w));
    warehouse_watch(w, r);
    return NULL;
}

err *api_sql_wh_stop(struct req *r) {
    struct warehouse *w;
    TRY(find_running(r, WAREHOUSES_CAN_MANAGE, &w));
    warehouse_stop(w, "The SQL warehouse was stopped.");
    return NULL;
}
