/* SPDX-License-Identifier: Apache-2.0 */
/* What holds for all SQL warehouses of a workspace. */
#include <stdlib.h>

#include "api/gen_routes.h"
#include "sql_int.h"

/* Fields that are kept as they came, by the column that keeps them. */
static const struct {
    const char *field;
    size_t at; /* of a str in struct ent_warehouse_config */
} kept[] = {
    {"data_access_config", offsetof(struct ent_warehouse_config, data_access)},
    {"sql_configuration_parameters", offsetof(struct ent_warehouse_config, parameters)},
    {"enabled_warehouse_types", offsetof(struct ent_warehouse_config, types)},
};
/* Those that share the column extra. */
static const char *const extras[] = {"channel", "config_param", "global_param", "google_service_account",
                                     "instance_profile_arn"};

static err *read_config(struct req *r, struct ent_warehouse_config *ret, bool *found) {
    *ret = (struct ent_warehouse_config){.one = 1, .security_policy = STR("DATA_ACCESS_CONTROL")};
    return ent_warehouse_config_by_one(r->tx, r->scope, r->a, 1, ret, found);
}

static err *put_text(struct req *r, const char *name, str text) {
    jval *v;
    if (!text.n) return NULL;
    TRY(json_parse(r->a, text, false, &v));
    json_put(r->doc, req_out(r), name, yyjson_val_mut_copy(r->doc, v));
    return NULL;
}

err *api_sql_config_get(struct req *r) {
    struct ent_warehouse_config c;
    bool found;
    TRY(read_config(r, &c, &found));
    json_put_str(req_doc(r), req_out(r), "security_policy", c.security_policy);
    json_put_bool(r->doc, req_out(r), "enable_serverless_compute", true);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        TRY(put_text(r, kept[i].field, *(str *)((char *)&c + kept[i].at)));
    jval *extra = NULL, *k;
    if (!c.extra.n) return NULL;
    TRY(json_parse(r->a, c.extra, false, &extra));
    yyjson_obj_iter it;
    yyjson_obj_iter_init(extra, &it);
    while ((k = yyjson_obj_iter_next(&it)))
        yyjson_mut_obj_add(req_out(r), yyjson_val_mut_copy(r->doc, k),
                           yyjson_val_mut_copy(r->doc, yyjson_obj_iter_get_val(k)));
    return NULL;
}

static str text_of(struct req *r, jval *v) {
    size_t n = 0;
    char *p = yyjson_val_write(v, 0, &n);
    must(p != NULL);
    str s = arena_str(r->a, str_n(p, n));
    free(p);
    return s;
}

static err *take_extras(struct req *r, struct ent_warehouse_config *c) {
    jval *old = NULL;
    if (c->extra.n) TRY(json_parse(r->a, c->extra, false, &old));
    (void)req_out(r);
    jmut *o = old ? yyjson_val_mut_copy(r->doc, old) : yyjson_mut_obj(r->doc);
    for (size_t i = 0; i < ARRAY_LEN(extras); i++)
        if (arg_has(r, extras[i]))
            yyjson_mut_obj_put(o, yyjson_mut_str(r->doc, extras[i]),
                               yyjson_val_mut_copy(r->doc, arg(r, extras[i])));
    c->extra = json_text(r->a, o);
    return NULL;
}

static void apply(struct req *r) {
    const struct ent_warehouse_config *c = r->state;
    warehouse_set_parameters(r->control, r->scope.workspace, c->parameters);
}

err *api_sql_config_set(struct req *r) {
    struct ent_warehouse_config *kept_row = arena_new_of(r->a, struct ent_warehouse_config), c;
    bool found;
    TRY(read_config(r, &c, &found));
    if (arg_has(r, "enable_serverless_compute") && !arg_bool(r, "enable_serverless_compute", true))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "enable_serverless_compute can only be set to true.");
    if (arg_has(r, "security_policy")) c.security_policy = arg_str(r, "security_policy");
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (!arg_has(r, kept[i].field)) continue;
        str text = text_of(r, arg(r, kept[i].field));
        if (text.n > 512 * 1024)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "%s has more than 512 KB.", kept[i].field);
        *(str *)((char *)&c + kept[i].at) = text;
    }
    TRY(take_extras(r, &c));
    req_out(r);
    *kept_row = c;
    r->state = kept_row;
    r->after = apply;
    return found ? ent_warehouse_config_update(r->tx, r->scope, &c)
                 : ent_warehouse_config_insert(r->tx, r->scope, &c);
}
