/* SPDX-License-Identifier: Apache-2.0 */
#include "mlflow/traces.h"

#include <math.h>

#include "base/time.h"
#include "mlflow/rules.h"
#include "mlflow/show.h"
#include "rest/control.h"
#include "sys/rand.h"

#define MAX_KEY 250u
#define MAX_VALUE 8000u
#define MAX_PREVIEW 10000u
#define MAX_PAIRS 1000u
#define LOCATION STR("mlflow.trace.spansLocation")
#define FINALIZED STR("mlflow.trace.infoFinalized")

static const char *const states[] = {"STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS"};

int trace_state_of(str name) {
    for (int i = 1; i < (int)ARRAY_LEN(states); i++)
        if (str_eqz(name, states[i])) return i;
    return 0;
}

/* ---- rights ---- */

err *access_no_trace(str trace_id) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Trace with ID '%.*s' not found.",
                   STR_ARG(str_cut(trace_id, 100)));
}

static err *find_trace(struct req *r, str id, struct access_trace *ret, bool *found) {
    if (r->tx && store_tx_file(r->tx) == STORE_MLFLOW)
        return mlflow_trace_get(r->tx, r->scope, r->a, id, &ret->trace, found);
    store_tx *tx;
    TRY(store_read_begin(r->control->store, STORE_MLFLOW, 0, &tx));
    err *e = mlflow_trace_get(tx, r->scope, r->a, id, &ret->trace, found);
    store_read_end(tx);
    return e;
}

static err *check_trace(store_tx *meta, struct req *r, uint64_t level, struct access_trace *ret,
                        uint64_t *has) {
    bool found;
    TRY(access_find(meta, r, ret->trace.experiment, &ret->experiment, &found));
    if (!found) return NULL;
    TRY(access_level(meta, r, &ret->experiment, has));
    return *has ? access_need(meta, r, &ret->experiment, level) : NULL;
}

err *access_trace(struct req *r, str trace_id, uint64_t level, struct access_trace *ret) {
    bool found;
    uint64_t has = 0;
    TRY(find_trace(r, trace_id, ret, &found));
    if (found) {
        store_tx *meta;
        TRY(access_meta_begin(r, &meta));
        err *e = check_trace(meta, r, level, ret, &has);
        access_meta_end(r, meta);
        if (e) return e;
    }
    return has ? NULL : access_no_trace(trace_id);
}

/* ---- info as clients send it ---- */

/* "0.030s", "12s" as milliseconds; -1: not given or not readable. */
static int64_t duration_of(str s) {
    double seconds;
    if (s.n < 2 || s.p[s.n - 1] != 's' || !str_to_f64(str_cut(s, s.n - 1), &seconds)) return -1;
    return seconds >= 0 && seconds < 1e12 ? (int64_t)llround(seconds * 1000) : -1;
}

static struct mlflow_pairs object_pairs(struct req *r, jval *o) {
    struct mlflow_pairs out = {arena_array_of(r->a, struct mlflow_pair, yyjson_obj_size(o) + 1), 0};
    size_t i, max;
    jval *k, *v;
    yyjson_obj_foreach(o, i, max, k, v) {
        if (yyjson_is_str(v)) out.p[out.n++] = (struct mlflow_pair){json_str(k), json_str(v)};
    }
    return out;
}

err *trace_check_pairs(struct mlflow_pairs *p, bool cut) {
    TRY(rule_batch("tags", MAX_PAIRS, p->n));
    for (size_t i = 0; i < p->n; i++) {
        TRY(rule_length(p->p[i].key, MAX_KEY, "key"));
        if (!cut) TRY(rule_length(p->p[i].value, MAX_VALUE, "value"));
        p->p[i].value = rule_cut(p->p[i].value, MAX_VALUE);
    }
    return NULL;
}

static str preview_of(jval *info, const char *name) {
    str s = json_get_str(info, name);
    return s.p ? rule_cut(s, MAX_PREVIEW) : STR_NONE;
}

static err *read_assessments(struct req *r, jval *list, struct trace_new *t) {
    size_t i, max, n = yyjson_arr_size(list);
    jval *x;
    TRY(rule_batch("assessments", MAX_PAIRS, n));
    t->assessments.p = arena_array_of(r->a, struct mlflow_assessment, n + 1);
    yyjson_arr_foreach(list, i, max, x) {
        TRY(trace_read_assessment(r, x, t->trace.trace_id, &t->assessments.p[t->assessments.n++]));
    }
    return NULL;
}

static err *trace_id_of(struct req *r, jval *info, str *ret) {
    *ret = json_get_str(info, "trace_id");
    if (!ret->n) {
        char hex[33];
        rand_hex(hex, 16);
        *ret = str_of(arena_printf(r->a, "tr-%s", hex));
    }
    for (size_t i = 0; i < ret->n; i++)
        if (ret->n > 100 || !ret->p[i] || strchr("/\\?%", ret->p[i]))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Invalid value \"%.*s\" for parameter 'trace_id' supplied.",
                           STR_ARG(str_cut(*ret, 120)));
    return NULL;
}

err *trace_read_info(struct req *r, jval *info, struct trace_new *t) {
    jval *location = json_get(info, "trace_location");
    int64_t us;
    TRY(trace_id_of(r, info, &t->trace.trace_id));
    if (!json_i64(json_get(json_get(location, "mlflow_experiment"), "experiment_id"),
                  &t->trace.experiment) ||
        t->trace.experiment < 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter "
                       "'trace.trace_info.trace_location.mlflow_experiment.experiment_id'.");
    str time = json_get_str(info, "request_time");
    t->trace.request_time = time_parse_rfc3339(time, &us) ? us / US_PER_MS : access_now();
    t->trace.duration = duration_of(json_get_str(info, "execution_duration"));
    t->trace.state = trace_state_of(json_get_str(info, "state"));
    t->trace.client_request_id = json_get_str(info, "client_request_id");
    TRY(rule_length(t->trace.client_request_id, 250, "client_request_id"));
    t->trace.request_preview = preview_of(info, "request_preview");
    t->trace.response_preview = preview_of(info, "response_preview");
    t->tags = object_pairs(r, json_get(info, "tags"));
    t->metadata = object_pairs(r, json_get(info, "trace_metadata"));
    TRY(trace_check_pairs(&t->tags, true));
    TRY(trace_check_pairs(&t->metadata, true));
    return read_assessments(r, json_get(info, "assessments"), t);
}

static err *put_pairs(struct req *r, const struct mlflow_trace *t, enum mlflow_trace_kind kind,
                      const struct mlflow_pairs *p) {
    for (size_t i = 0; i < p->n; i++) {
        if (str_eqz(p->p[i].key, "mlflow.artifactLocation")) continue; /* made when shown */
        TRY(mlflow_trace_put(r->tx, t, kind, p->p[i].key, p->p[i].value));
    }
    return NULL;
}

err *trace_save_info(struct req *r, struct trace_new *t) {
    struct mlflow_trace old;
    bool found;
    TRY(mlflow_trace_get(r->tx, r->scope, r->a, t->trace.trace_id, &old, &found));
    if (found && old.experiment != t->trace.experiment)
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "A trace with ID '%.*s' exists already.",
                       STR_ARG(t->trace.trace_id));
    if (found) {
        t->trace.tid = old.tid;
        t->trace.eid = old.eid;
        t->trace.workspace = old.workspace;
        t->trace.n_spans = old.n_spans;
        TRY(mlflow_trace_set(r->tx, &t->trace));
    } else {
        TRY(mlflow_trace_insert(r->tx, r->scope, &t->trace));
    }
    TRY(put_pairs(r, &t->trace, TRACE_TAG, &t->tags));
    TRY(put_pairs(r, &t->trace, TRACE_METADATA, &t->metadata));
    TRY(mlflow_trace_put(r->tx, &t->trace, TRACE_METADATA, FINALIZED, STR("true")));
    for (size_t i = 0; i < t->assessments.n; i++)
        TRY(mlflow_trace_put_assessment(r->tx, t->trace.tid, &t->assessments.p[i]));
    return NULL;
}

/* ---- spans ---- */

static err *trace_for_span(struct req *r, const struct ent_experiment *e, const struct otlp_span *s,
                           struct mlflow_trace *t) {
    bool found;
    TRY(mlflow_trace_get(r->tx, r->scope, r->a, s->trace_id, t, &found));
    if (found && t->experiment != e->id)
        return err_new(ERR_RESOURCE_ALREADY_EXISTS,
                       "The trace '%.*s' belongs to another experiment.", STR_ARG(s->trace_id));
    if (found) return NULL;
    *t = (struct mlflow_trace){.experiment = e->id,
                               .trace_id = s->trace_id,
                               .request_time = s->start / 1000000,
                               .duration = -1,
                               .state = TRACE_IN_PROGRESS};
    TRY(mlflow_trace_insert(r->tx, r->scope, t));
    return mlflow_trace_put(r->tx, t, TRACE_TAG, LOCATION, STR("TRACKING_STORE"));
}

/* What a root span says about its trace, unless the client has said it itself. */
static err *from_root(struct req *r, struct mlflow_trace *t, const struct otlp_span *s) {
    str done, name;
    TRY(mlflow_trace_item(r->tx, r->a, t->tid, TRACE_METADATA, FINALIZED, &done));
    for (size_t i = 0; i < s->tags.n; i++)
        TRY(mlflow_trace_put(r->tx, t, TRACE_TAG, rule_cut(s->tags.p[i].key, MAX_KEY),
                             rule_cut(s->tags.p[i].value, MAX_VALUE)));
    if (done.p) return NULL;
    t->request_time = s->start / 1000000;
    if (s->end >= s->start && s->end) t->duration = (s->end - s->start) / 1000000;
    t->state = s->error ? TRACE_ERROR : s->end ? TRACE_OK : TRACE_IN_PROGRESS;
    if (s->inputs.p) t->request_preview = rule_cut(s->inputs, 1000);
    if (s->outputs.p) t->response_preview = rule_cut(s->outputs, 1000);
    TRY(mlflow_trace_item(r->tx, r->a, t->tid, TRACE_TAG, STR("mlflow.traceName"), &name));
    if (!name.p)
        TRY(mlflow_trace_put(r->tx, t, TRACE_TAG, STR("mlflow.traceName"),
                             rule_cut(s->row.name, MAX_VALUE)));
    return mlflow_trace_set(r->tx, t);
}

err *trace_save_spans(struct req *r, const struct ent_experiment *e,
                      const struct otlp_spans *spans) {
    struct mlflow_trace t = {0};
    for (size_t i = 0; i < spans->n; i++) {
        const struct otlp_span *s = &spans->p[i];
        if (!t.tid || !str_eq(t.trace_id, s->trace_id)) TRY(trace_for_span(r, e, s, &t));
        TRY(mlflow_trace_put_span(r->tx, &t, &s->row));
        TRY(mlflow_trace_put(r->tx, &t, TRACE_TAG, LOCATION, STR("TRACKING_STORE")));
        if (s->root) TRY(from_root(r, &t, s));
    }
    return NULL;
}

/* ---- answers ---- */

static void put_map(struct req *r, jmut *o, const struct mlflow_pairs *p) {
    for (size_t i = 0; i < p->n; i++)
        yyjson_mut_obj_add(o, yyjson_mut_strn(r->doc, p->p[i].key.p, p->p[i].key.n),
                           yyjson_mut_strn(r->doc, p->p[i].value.p, p->p[i].value.n));
}

static str number(struct req *r, int64_t n) {
    return str_of(arena_printf(r->a, "%lld", (long long)n));
}

static str data_uri(struct req *r, const struct mlflow_trace *t, const struct ent_experiment *e) {
    return access_trace_uri(r, e, t->trace_id);
}

static err *put_assessments(struct req *r, store_tx *tx, jmut *o, const struct mlflow_trace *t) {
    struct mlflow_assessments all;
    TRY(mlflow_trace_assessments(tx, r->a, t->tid, STR(""), &all));
    jmut *list = json_put_arr(r->doc, o, "assessments");
    for (size_t i = 0; i < all.n; i++) {
        jval *body;
        TRY(json_parse(r->a, all.p[i].body, false, &body));
        yyjson_mut_arr_append(list, yyjson_val_mut_copy(r->doc, body));
    }
    return NULL;
}

err *trace_show_info(struct req *r, store_tx *tx, jmut *o, const struct mlflow_trace *t,
                     const struct ent_experiment *e) {
    struct mlflow_pairs tags, metadata;
    TRY(mlflow_trace_items(tx, r->a, t->tid, TRACE_TAG, &tags));
    TRY(mlflow_trace_items(tx, r->a, t->tid, TRACE_METADATA, &metadata));
    json_put_str(r->doc, o, "trace_id", t->trace_id);
    if (t->client_request_id.n) json_put_str(r->doc, o, "client_request_id", t->client_request_id);
    jmut *l = json_put_obj(r->doc, o, "trace_location");
    json_put_z(r->doc, l, "type", "MLFLOW_EXPERIMENT");
    json_put_str(r->doc, json_put_obj(r->doc, l, "mlflow_experiment"), "experiment_id",
                 number(r, t->experiment));
    if (t->request_preview.p) json_put_str(r->doc, o, "request_preview", t->request_preview);
    if (t->response_preview.p) json_put_str(r->doc, o, "response_preview", t->response_preview);
    json_put_z(r->doc, o, "request_time", time_rfc3339(r->a, t->request_time * US_PER_MS, 3));
    if (t->duration >= 0)
        json_put_z(r->doc, o, "execution_duration",
                   arena_printf(r->a, "%lld.%03llds", (long long)(t->duration / 1000),
                                (long long)(t->duration % 1000)));
    json_put_z(r->doc, o, "state", states[t->state]);
    put_map(r, json_put_obj(r->doc, o, "trace_metadata"), &metadata);
    jmut *m = json_put_obj(r->doc, o, "tags");
    put_map(r, m, &tags);
    json_put_str(r->doc, m, "mlflow.artifactLocation", data_uri(r, t, e));
    return put_assessments(r, tx, o, t);
}

err *trace_show_v2(struct req *r, store_tx *tx, jmut *o, const struct mlflow_trace *t,
                   const struct ent_experiment *e) {
    struct mlflow_pairs tags, metadata;
    TRY(mlflow_trace_items(tx, r->a, t->tid, TRACE_TAG, &tags));
    TRY(mlflow_trace_items(tx, r->a, t->tid, TRACE_METADATA, &metadata));
    json_put_str(r->doc, o, "request_id", t->trace_id);
    json_put_str(r->doc, o, "experiment_id", number(r, t->experiment));
    json_put_int(r->doc, o, "timestamp_ms", t->request_time);
    if (t->duration >= 0) json_put_int(r->doc, o, "execution_time_ms", t->duration);
    json_put_z(r->doc, o, "status", t->state ? states[t->state] : "TRACE_STATUS_UNSPECIFIED");
    show_pairs(r, o, "request_metadata", &metadata);
    show_pairs(r, o, "tags", &tags);
    jmut *x = json_add_obj(r->doc, yyjson_mut_obj_get(o, "tags"));
    json_put_z(r->doc, x, "key", "mlflow.artifactLocation");
    json_put_str(r->doc, x, "value", data_uri(r, t, e));
    return NULL;
}

err *trace_show_all(struct req *r, store_tx *tx, jmut *o, const struct mlflow_trace *t,
                    const struct ent_experiment *e) {
    struct mlflow_spans spans;
    TRY(trace_show_info(r, tx, json_put_obj(r->doc, o, "trace_info"), t, e));
    TRY(mlflow_trace_spans(tx, r->a, t->tid, &spans));
    jmut *list = json_put_arr(r->doc, o, "spans");
    for (size_t i = 0; i < spans.n; i++) {
        jval *body;
        TRY(json_parse(r->a, spans.p[i].body, false, &body));
        yyjson_mut_arr_append(list, yyjson_val_mut_copy(r->doc, body));
    }
    return NULL;
}
