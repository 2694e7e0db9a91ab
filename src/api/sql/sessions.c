/* SPDX-License-Identifier: Apache-2.0 */
/* SQL sessions, and what drivers ask when they connect. */
#include <stdio.h>
#include <stdlib.h>

#include "api/gen_routes.h"
#include "sql_int.h"

/* Settings may be any JSON scalar; they are texts from here on. */
static str conf_text(struct req *r, jval *v) {
    if (yyjson_is_str(v)) return json_str(v);
    size_t n = 0;
    char *p = yyjson_val_write(v, 0, &n);
    str s = p ? arena_str(r->a, str_n(p, n)) : STR("");
    free(p);
    return s;
}

err *api_sql_ses_look(struct req *r) { return session_look(r, arg_str(r, "catalog")); }

err *api_sql_ses_create(struct req *r) {
    str id = arg_str(r, "warehouse_id");
    struct session_ask ask = {.w = warehouse_find(r->control, r->scope, id),
                              .catalog = arg_str(r, "catalog"),
                              .schema = arg_str(r, "schema"),
                              .client = req_header(r, "user-agent")};
    if (!ask.w) return warehouse_missing(id);
    jval *confs = arg(r, "session_confs"), *k;
    struct msg_pair *p = arena_array_of(r->a, struct msg_pair, yyjson_obj_size(confs) + 1);
    yyjson_obj_iter it;
    yyjson_obj_iter_init(confs, &it);
    while ((k = yyjson_obj_iter_next(&it)))
        p[ask.n_conf++] = (struct msg_pair){json_str(k), conf_text(r, yyjson_obj_iter_get_val(k))};
    ask.conf = p;
    struct sql_session *s;
    TRY(session_open(r, &ask, &s));
    json_put_str(req_doc(r), req_out(r), "session_id", arena_str(r->a, str_of(s->id)));
    return NULL;
}

err *api_sql_ses_delete(struct req *r) {
    struct warehouse *w = NULL;
    struct sql_session *s;
    str id = arg_str(r, "warehouse_id");
    if (id.n && !(w = warehouse_find(r->control, r->scope, id))) return warehouse_missing(id);
    TRY(session_find(r, arg_str(r, "session_id"), w, &s));
    session_close(s);
    req_out(r);
    return NULL;
}

/* By client as its route names it: which flag makes it send telemetry. */
err *api_sql_flags(struct req *r) {
    static const struct {
        const char *client, *flag;
    } rows[] = {{"PYTHON", "enableTelemetryForPythonDriver"}, {"JDBC", "enableTelemetryForJdbc"}, {"OSS_JDBC", "enableTelemetryForJdbc"},
                {"NODEJS", "enableTelemetryForNodeJs"}};
    jmut *flags = json_put_arr(req_doc(r), req_out(r), "flags");
    for (size_t i = 0; settings_bool(&r->control->settings, SET_SQL_DRIVER_TELEMETRY) && i < ARRAY_LEN(rows); i++) {
        if (!str_ieq(arg_str(r, "client"), str_of(rows[i].client))) continue;
        jmut *f = json_add_obj(r->doc, flags);
        json_put_z(r->doc, f, "name", arena_printf(r->a, "databricks.partnerplatform.clientConfigsFeatureFlags.%s", rows[i].flag));
        json_put_z(r->doc, f, "value", "true");
    }
    json_put_int(r->doc, req_out(r), "ttl_seconds", 900);
    return NULL;
}

err *api_sql_telemetry(struct req *r) {
    json_put_arr(req_doc(r), req_out(r), "errors");
    json_put_int(r->doc, req_out(r), "numSuccess", (int64_t)yyjson_arr_size(arg(r, "items")));
    json_put_int(r->doc, req_out(r), "numProtoSuccess", (int64_t)yyjson_arr_size(arg(r, "protoLogs")));
    json_put_int(r->doc, req_out(r), "numRealtimeSuccess", 0);
    return NULL;
}
