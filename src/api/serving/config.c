/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations: from what clients send to what is kept. */
#include <stdlib.h>

#include "catalog/securable.h"
#include "mlflow/registry.h"
#include "serving_int.h"

#define MAX_ENVIRONMENT 30

static err *bad(const char *field, const char *what) {
    return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid value for parameter '%s': %s.", field, what);
}

static str either(jval *v, const char *a, const char *b) {
    str s = json_get_str(v, a);
    return s.n ? s : json_get_str(v, b);
}

/* "m-1", "main-default-m-1": dots are not for names. */
static str default_name(struct req *r, str model, str version) {
    char *p = arena_printf(r->a, "%.*s-%.*s", STR_ARG(model), STR_ARG(version));
    for (char *c = p; *c; c++)
        if (*c == '.' || *c == ':') *c = '-';
    return str_of(p);
}

/* The creator must be allowed to use the model: EXECUTE in Unity Catalog, CAN_READ in the workspace. */
static err *may_use(struct req *r, str model, str version) {
    int dots = 0;
    for (size_t i = 0; i < model.n; i++) dots += model.p[i] == '.';
    if (dots == 2) {
        struct caller c = {.tx = r->tx, .today = store_tx_today(r->tx), .scope = r->scope, .a = r->a,
                           .who = &r->who, .name = r->principal_name};
        struct securable m;
        TRY(securable_open(&c, SEC_MODEL, model, PRIV_EXECUTE, &m));
    } else {
        struct reg_model m;
        TRY(registry_open(r, model, REGISTERED_MODELS_CAN_READ, &m));
    }
    struct model_files files;
    return model_files_of(r->tx, r->scope, r->a, model, version, &files);
}

static err *check_environment(jval *env) {
    if (!env) return NULL;
    if (!yyjson_is_obj(env)) return bad("environment_vars", "it must be an object of strings");
    if (yyjson_obj_size(env) > MAX_ENVIRONMENT) return bad("environment_vars", "more than 30 variables");
    size_t i, n;
    jval *k, *v;
    yyjson_obj_foreach(env, i, n, k, v) {
        if (!yyjson_is_str(v)) return bad("environment_vars", "every value must be a string");
        if (str_find(json_str(v), STR("{{secrets/")) >= 0)
            return err_new(ERR_NOT_IMPLEMENTED,
                           "environment_vars: secrets are not offered yet; '%s' names one.",
                           yyjson_get_str(k));
    }
    return NULL;
}

static err *one_entity(struct req *r, jval *v, jmut *out, str *ret_name) {
    if (!yyjson_is_obj(v)) return bad("served_entities", "every entry must be an object");
    if (json_get(v, "external_model"))
        return err_new(ERR_NOT_IMPLEMENTED, "external_model: external models are not offered yet.");
    str model = either(v, "entity_name", "model_name"), version = either(v, "entity_version", "model_version");
    int64_t number;
    if (!model.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter 'served_entities.entity_name'.");
    if (!version.n && json_i64(json_get(v, "entity_version"), &number))
        version = str_of(arena_printf(r->a, "%lld", (long long)number));
    if (!version.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter 'served_entities.entity_version'.");
    TRY(may_use(r, model, version));
    TRY(check_environment(json_get(v, "environment_vars")));
    jmut *e = yyjson_val_mut_copy(r->doc, v);
    static const char *const old[] = {"model_name", "model_version"};
    for (size_t i = 0; i < ARRAY_LEN(old); i++) yyjson_mut_obj_remove_key(e, old[i]);
    str name = json_get_str(v, "name");
    if (!name.n) name = default_name(r, model, version);
    if (name.n > 63) return bad("served_entities.name", "longer than 63 characters");
    str size = json_get_str(v, "workload_size");
    int64_t most;
    if (!size.n && !json_i64(json_get(v, "max_provisioned_concurrency"), &most)) size = STR("Small");
    if (size.n && !serving_concurrency(size))
        return bad("served_entities.workload_size", "it is not one of Small, Medium, Large");
    jval *zero = json_get(v, "scale_to_zero_enabled");
    if (zero && !yyjson_is_bool(zero))
        return bad("served_entities.scale_to_zero_enabled", "it must be true or false");
    static const char *const set[] = {"name", "entity_name", "entity_version", "workload_size"};
    str values[] = {name, model, version, size};
    for (size_t i = 0; i < ARRAY_LEN(set); i++) {
        yyjson_mut_obj_remove_key(e, set[i]);
        if (values[i].n) json_put_str(r->doc, e, set[i], arena_str(r->a, values[i]));
    }
    if (!zero) json_put_bool(r->doc, e, "scale_to_zero_enabled", false);
    if (!json_get(v, "workload_type")) json_put_z(r->doc, e, "workload_type", "CPU");
    yyjson_mut_arr_append(out, e);
    *ret_name = arena_str(r->a, name);
    return NULL;
}

static bool known(const str *names, size_t n, str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(names[i], name)) return true;
    return false;
}

/* Percentages are whole numbers (or their texts) that make 100. */
static err *traffic(struct req *r, jval *config, const str *names, size_t n_names, jmut *out) {
    jval *routes = json_get(json_get(config, "traffic_config"), "routes"), *v;
    jmut *list = json_put_arr(r->doc, json_put_obj(r->doc, out, "traffic_config"), "routes");
    if (!yyjson_arr_size(routes)) {
        if (n_names > 1)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "traffic_config is required with more than one served entity.");
        jmut *o = json_add_obj(r->doc, list);
        json_put_str(r->doc, o, "served_model_name", names[0]);
        json_put_str(r->doc, o, "served_entity_name", names[0]);
        json_put_int(r->doc, o, "traffic_percentage", 100);
        return NULL;
    }
    int64_t sum = 0;
    size_t i, n;
    yyjson_arr_foreach(routes, i, n, v) {
        int64_t pct;
        str name = either(v, "served_entity_name", "served_model_name");
        if (!known(names, n_names, name))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "traffic_config names '%.*s', which is not a served entity.",
                           STR_ARG(str_cut(name, 100)));
        if (!json_i64(json_get(v, "traffic_percentage"), &pct) || pct < 0 || pct > 100)
            return bad("traffic_config.routes.traffic_percentage", "it must be 0 to 100");
        sum += pct;
        jmut *o = json_add_obj(r->doc, list);
        json_put_str(r->doc, o, "served_model_name", name);
        json_put_str(r->doc, o, "served_entity_name", name);
        json_put_int(r->doc, o, "traffic_percentage", pct);
    }
    if (sum != 100)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "The traffic percentages make %lld, they must make 100.", (long long)sum);
    return NULL;
}

err *config_normalise(struct req *r, jval *config, str *ret) {
    jval *list = json_get(config, "served_entities"), *v;
    if (!yyjson_arr_size(list)) list = json_get(config, "served_models");
    size_t count = yyjson_arr_size(list), i, n;
    int64_t most = settings_int(&r->control->settings, SET_SERVING_MAX_ENTITIES);
    if (!count)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter 'served_entities'.");
    if ((int64_t)count > most)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%zu served entities are more than the %lld allowed.",
                       count, (long long)most);
    if (!r->doc) r->doc = json_doc(r->a);
    jmut *out = yyjson_mut_obj(r->doc), *entities = json_put_arr(r->doc, out, "served_entities");
    str *names = arena_array_of(r->a, str, count);
    yyjson_arr_foreach(list, i, n, v) {
        TRY(one_entity(r, v, entities, &names[i]));
        if (known(names, i, names[i]))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Two served entities have the name '%.*s'.",
                           STR_ARG(names[i]));
    }
    TRY(traffic(r, config, names, count, out));
    jval *capture = json_get(config, "auto_capture_config");
    if (yyjson_is_obj(capture) && yyjson_get_bool(json_get(capture, "enabled")))
        return err_new(ERR_NOT_IMPLEMENTED,
                       "auto_capture_config: inference tables come with SQL warehouses.");
    *ret = json_text(r->a, out);
    return NULL;
}

err *config_insert(struct req *r, const struct ent_endpoint *e, int64_t version, str config) {
    jval *o, *v;
    TRY(json_parse(r->a, config, false, &o));
    size_t i, n;
    yyjson_arr_foreach(json_get(o, "served_entities"), i, n, v) {
        size_t len = 0;
        char *spec = yyjson_val_write(v, 0, &len);
        must(spec != NULL);
        struct ent_served_version row = {.endpoint_id = e->id,
                                         .config_version = version,
                                         .name = json_get_str(v, "name"),
                                         .entity_name = json_get_str(v, "entity_name"),
                                         .entity_version = json_get_str(v, "entity_version"),
                                         .spec = arena_str(r->a, str_n(spec, len)),
                                         .state = STR("DEPLOYMENT_CREATING")};
        free(spec);
        TRY(ent_served_version_insert(r->tx, r->scope, &row));
    }
    return NULL;
}
