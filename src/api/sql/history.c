/* SPDX-License-Identifier: Apache-2.0 */
/* Query history: one's own statements, and all of the warehouses that one may monitor. */
#include "api/gen_routes.h"
#include "rest/page.h"
#include "sql_int.h"
#include "sys/clock.h"

#define PAGE 100
#define MAX_FILTER 1000u

struct history_op {
    struct history_query q;
};

/* On the loop: what the caller may see; then until all is written. */
err *api_sql_hist_settle(struct req *r) {
    struct history_op *op = r->state = arena_new_of(r->a, struct history_op);
    struct statements *svc = r->control->statements;
    size_t n;
    struct warehouse **all = warehouses_of(svc, r->a, r->scope.workspace, &n);
    str *seen = arena_array_of(r->a, str, n + 1);
    op->q.self = r->principal;
    op->q.everything = r->who.workspace_admin;
    for (size_t i = 0; i < n; i++)
        if (warehouse_level(all[i], &r->who) >= WAREHOUSES_CAN_MONITOR)
            seen[op->q.n_seen++] = arena_str(r->a, str_of(all[i]->id));
    op->q.seen = seen;
    history_settle(r->control, r);
    return NULL;
}

/* ---- the filter ---- */

/* Values of a field that came as a list, once, or again and again (a query string). */
static err *gather(struct req *r, jval *filter, const char *field, str **ret, size_t *ret_n) {
    yyjson_obj_iter it;
    jval *k, *e;
    size_t i, n;
    str *out = arena_array_of(r->a, str, MAX_FILTER + 1);
    *ret_n = 0;
    yyjson_obj_iter_init(filter, &it);
    while ((k = yyjson_obj_iter_next(&it))) {
        jval *v = yyjson_obj_iter_get_val(k);
        if (!str_eqz(json_str(k), field)) continue;
        bool list = yyjson_is_arr(v);
        n = list ? yyjson_arr_size(v) : 1;
        for (i = 0; i < n; i++) {
            e = list ? yyjson_arr_get(v, i) : v;
            if (*ret_n == MAX_FILTER)
                return err_new(ERR_INVALID_PARAMETER_VALUE, "filter_by.%s has more than %u values.", field, MAX_FILTER);
            out[(*ret_n)++] = yyjson_is_str(e) ? json_str(e)
                              : yyjson_is_int(e)
                                  ? str_of(arena_printf(r->a, "%lld", (long long)yyjson_get_sint(e)))
                                  : STR("");
        }
    }
    *ret = out;
    return NULL;
}

static const struct {
    const char *name;
    unsigned states;
} statuses[] = {
    {"QUEUED", 1u << HISTORY_PENDING},
    {"STARTED", 1u << HISTORY_RUNNING},
    {"COMPILING", 1u << HISTORY_RUNNING},
    {"COMPILED", 1u << HISTORY_RUNNING},
    {"RUNNING", 1u << HISTORY_RUNNING},
    {"FINISHED", 1u << HISTORY_SUCCEEDED | 1u << HISTORY_CLOSED},
    {"FAILED", 1u << HISTORY_FAILED},
    {"CANCELED", 1u << HISTORY_CANCELED},
};

static err *read_statuses(struct req *r, jval *filter, unsigned *ret) {
    str *p;
    size_t n;
    TRY(gather(r, filter, "statuses", &p, &n));
    for (size_t i = 0; i < n; i++) {
        unsigned bits = 0;
        for (size_t k = 0; k < ARRAY_LEN(statuses); k++)
            if (str_eqz(p[i], statuses[k].name)) bits = statuses[k].states;
        if (!bits)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not a status of a query.",
                           STR_ARG(str_cut(p[i], 40)));
        *ret |= bits;
    }
    return NULL;
}

/* {"start_time_ms","end_time_ms"}, nested or with dots. */
static int64_t time_of(jval *filter, const char *name, const char *dotted) {
    int64_t ms = 0;
    jval *range = json_get(filter, "query_start_time_range");
    if (!json_i64(json_get(range, name), &ms)) (void)json_i64(json_get(filter, dotted), &ms);
    return ms * 1000;
}

static err *read_filter(struct req *r, struct history_query *q) {
    jval *f = arg(r, "filter_by");
    str *ids, *warehouses, *users;
    size_t n_users;
    if (!f) return NULL;
    TRY(gather(r, f, "statement_ids", &ids, &q->n_ids));
    TRY(gather(r, f, "warehouse_ids", &warehouses, &q->n_warehouses));
    TRY(gather(r, f, "user_ids", &users, &n_users));
    TRY(read_statuses(r, f, &q->states));
    q->ids = ids;
    q->warehouses = warehouses;
    int64_t *u = arena_array_of(r->a, int64_t, n_users + 1);
    for (size_t i = 0; i < n_users; i++)
        if (!str_to_i64(users[i], &u[i]))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "filter_by.user_ids: '%.*s' is not a user's id.",
                           STR_ARG(str_cut(users[i], 40)));
    q->users = u;
    q->n_users = n_users;
    q->from = time_of(f, "start_time_ms", "query_start_time_range.start_time_ms");
    q->until = time_of(f, "end_time_ms", "query_start_time_range.end_time_ms");
    if (q->until) q->until += 999;
    return NULL;
}

/* ---- rows ---- */

static const struct {
    const char *agent, *application;
} applications[] = {
    {"PyDatabricksSqlConnector", "Databricks SQL Connector for Python"},
    {"NodejsDatabricksSqlConnector", "Databricks SQL Driver for Node.js"},
    {"DatabricksJDBCDriver", "Databricks JDBC Driver"},
    {"databricks-sdk-py", "Databricks SDK for Python"},
    {"dbt", "dbt"},
};

static str application(str agent) {
    for (size_t i = 0; i < ARRAY_LEN(applications); i++)
        if (str_find(agent, str_of(applications[i].agent)) >= 0) return str_of(applications[i].application);
    return agent;
}

/* The first word of a statement whose kind nobody said. */
static str first_word(arena *a, str text) {
    static const char *const kinds[] = {"ALTER",  "ANALYZE", "COPY",    "CREATE",   "DELETE",  "DESCRIBE", "DROP",
                                        "EXPLAIN", "GRANT",  "INSERT",  "MERGE",    "OPTIMIZE", "REFRESH", "REPLACE",
                                        "REVOKE", "SELECT",  "SET",     "SHOW",     "TRUNCATE", "UPDATE",  "USE"};
    (void)a;
    text = str_trim(text);
    size_t n = 0;
    while (n < text.n && ((text.p[n] | 32) >= 'a' && (text.p[n] | 32) <= 'z')) n++;
    str w = str_cut(text, n);
    if (str_ieq(w, STR("WITH")) || str_ieq(w, STR("VALUES")) || str_ieq(w, STR("FROM"))) return STR("SELECT");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_ieq(w, str_of(kinds[i]))) return str_of(kinds[i]);
    return STR("OTHER");
}

static const char *status_name(enum history_state s) {
    switch (s) {
    case HISTORY_PENDING: return "QUEUED";
    case HISTORY_RUNNING: return "RUNNING";
    case HISTORY_FAILED: return "FAILED";
    case HISTORY_CANCELED: return "CANCELED";
    default: return "FINISHED";
    }
}

static void put_json(struct req *r, jmut *o, const char *name, str text) {
    jval *v = NULL;
    err *e = text.n ? json_parse(r->a, text, false, &v) : NULL;
    err_free(e);
    if (v) json_put(r->doc, o, name, yyjson_val_mut_copy(r->doc, v));
}

static void put_query(struct req *r, jmut *o, const struct history_statement *h) {
    bool final = h->state >= HISTORY_SUCCEEDED;
    int64_t now = clock_now(), end = final ? h->ended : now > h->submitted ? now : h->submitted;
    json_put_str(r->doc, o, "query_id", h->id);
    json_put_z(r->doc, o, "status", status_name(h->state));
    json_put_str(r->doc, o, "query_text", h->text);
    json_put_int(r->doc, o, "query_start_time_ms", h->submitted / 1000);
    if (final) {
        json_put_int(r->doc, o, "execution_end_time_ms", h->ended / 1000);
        json_put_int(r->doc, o, "query_end_time_ms", h->ended / 1000);
    }
    json_put_int(r->doc, o, "user_id", h->user);
    json_put_str(r->doc, o, "user_name", h->user_name);
    json_put_int(r->doc, o, "executed_as_user_id", h->user);
    json_put_str(r->doc, o, "executed_as_user_name", h->user_name);
    json_put_str(r->doc, o, "endpoint_id", h->warehouse);
    json_put_str(r->doc, o, "warehouse_id", h->warehouse);
    json_put_str(r->doc, o, "lookup_key", h->id);
    if (h->session.n) json_put_str(r->doc, o, "session_id", h->session);
    json_put_int(r->doc, o, "rows_produced", h->rows);
    json_put_int(r->doc, o, "duration", (end - h->submitted) / 1000);
    json_put_bool(r->doc, o, "is_final", final);
    json_put_str(r->doc, o, "statement_type", h->kind.n ? h->kind : first_word(r->a, h->text));
    json_put_str(r->doc, o, "client_application", application(h->client));
    json_put_z(r->doc, o, "plans_state", "UNKNOWN");
    json_put_z(r->doc, json_put_obj(r->doc, o, "channel_used"), "name", "CHANNEL_NAME_CURRENT");
    if (h->error.n) json_put_str(r->doc, o, "error_message", h->error);
    put_json(r, o, "query_tags", h->tags);
    if (arg_bool(r, "include_metrics", false)) put_json(r, o, "metrics", h->metrics);
}

/* What a page token is bound to: whatever chooses the rows. */
static str bound_to(struct req *r) {
    jval *f = arg(r, "filter_by");
    jdoc *d = json_doc(r->a);
    str text = f ? json_text(r->a, yyjson_val_mut_copy(d, f)) : STR("");
    return str_of(arena_printf(r->a, "queries %lld %.*s", (long long)r->principal, STR_ARG(text)));
}

err *api_sql_hist_list(struct req *r) {
    struct history_query *q = &((struct history_op *)r->state)->q;
    struct history_statements rows;
    str key, part;
    bool more;
    int64_t size = arg_i64(r, "max_results", PAGE);
    if (size < 1 || size > HISTORY_MAX_PAGE)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "max_results must be between 1 and %d.", HISTORY_MAX_PAGE);
    q->limit = (int)size;
    TRY(read_filter(r, q));
    TRY(page_token_read(r, arg_str(r, "page_token"), bound_to(r), &key));
    if (key.n && (!str_split(&key, ' ', &part) || !str_to_i64(part, &q->before) || !str_to_i64(key, &q->before_sid)))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "page_token is not one of ours.");
    TRY(history_statement_list(r->tx, r->scope, r->a, q, &rows, &more));
    jmut *list = json_put_arr(req_doc(r), req_out(r), "res");
    for (size_t i = 0; i < rows.n; i++) put_query(r, json_add_obj(r->doc, list), &rows.p[i]);
    json_put_bool(r->doc, req_out(r), "has_next_page", more);
    if (!more) return NULL;
    const struct history_statement *last = &rows.p[rows.n - 1];
    json_put_str(r->doc, req_out(r), "next_page_token",
                 page_token_make(r, bound_to(r), str_of(arena_printf(r->a, "%lld %lld", (long long)last->submitted,
                                                                     (long long)last->sid))));
    return NULL;
}
