/* SPDX-License-Identifier: Apache-2.0 */
/* /mlflow/traces/{trace_id}/assessments/… */
#include "api/gen_routes.h"
#include "base/time.h"
#include "mlflow/show.h"
#include "mlflow/traces.h"
#include "sys/clock.h"

static err *answer(struct req *r, const struct mlflow_assessment *s) {
    jval *body;
    TRY(json_parse(r->a, s->body, false, &body));
    jmut *o = req_out(r);
    json_put(r->doc, o, "assessment", yyjson_val_mut_copy(r->doc, body));
    return NULL;
}

static err *find(struct req *r, const struct mlflow_trace *t, struct mlflow_assessment *ret) {
    struct mlflow_assessments found;
    str id = arg_str(r, "assessment_id");
    TRY(mlflow_trace_assessments(r->tx, r->a, t->tid, id, &found));
    if (!id.n || !found.n)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST,
                       "Assessment with ID '%.*s' not found for trace '%.*s'",
                       STR_ARG(str_cut(id, 100)), STR_ARG(t->trace_id));
    *ret = found.p[0];
    return NULL;
}

/* Marks the one that a new assessment overrides as no longer valid. */
static err * override(struct req *r, const struct mlflow_trace *t, str id) {
    struct mlflow_assessments found;
    jval *body;
    TRY(mlflow_trace_assessments(r->tx, r->a, t->tid, id, &found));
    if (!found.n)
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST,
                       "Assessment with ID '%.*s' not found for trace '%.*s'",
                       STR_ARG(str_cut(id, 100)), STR_ARG(t->trace_id));
    TRY(json_parse(r->a, found.p[0].body, false, &body));
    jdoc *d = json_doc(r->a);
    jmut *o = yyjson_val_mut_copy(d, body);
    yyjson_mut_obj_remove_key(o, "valid");
    json_put_bool(d, o, "valid", false);
    found.p[0].valid = false;
    found.p[0].body = json_text(r->a, o);
    return mlflow_trace_put_assessment(r->tx, t->tid, &found.p[0]);
}

err *api_mlflow_assessment_create(struct req *r) {
    struct access_trace *a = r->state;
    struct mlflow_assessment s;
    jval *in = arg(r, "assessment");
    TRY(trace_read_assessment(r, in, a->trace.trace_id, &s));
    str old = json_get_str(in, "overrides");
    if (old.n) TRY(override(r, &a->trace, old));
    TRY(mlflow_trace_put_assessment(r->tx, a->trace.tid, &s));
    return answer(r, &s);
}

err *api_mlflow_assessment_get(struct req *r) {
    struct access_trace a = {0};
    struct mlflow_assessment s;
    TRY(access_trace(r, arg_str(r, "trace_id"), EXPERIMENTS_CAN_READ, &a));
    TRY(find(r, &a.trace, &s));
    return answer(r, &s);
}

/* The field mask is a list of names, joined by commas in protobuf-JSON. */
static bool masked(jval *mask, const char *field) {
    str names = json_str(mask), one;
    if (!names.p) {
        jval *x;
        size_t i, max;
        yyjson_arr_foreach(json_get(mask, "paths"), i, max, x) {
            if (str_eqz(json_str(x), field)) return true;
        }
        return false;
    }
    while (str_split(&names, ',', &one)) {
        str t = str_trim(one);
        if (str_eqz(t, field)) return true;
        if (str_eqz(t, "assessmentName") && strcmp(field, "assessment_name") == 0) return true;
    }
    return false;
}

err *api_mlflow_assessment_update(struct req *r) {
    static const char *const fields[] = {"assessment_name", "expectation", "feedback",
                                         "rationale",       "metadata",    "valid"};
    struct access_trace *a = r->state;
    struct mlflow_assessment s;
    jval *body, *in = arg(r, "assessment"), *mask = arg(r, "update_mask");
    TRY(find(r, &a->trace, &s));
    TRY(json_parse(r->a, s.body, false, &body));
    jdoc *d = json_doc(r->a);
    jmut *o = yyjson_val_mut_copy(d, body);
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        jval *v = json_get(in, fields[i]);
        if (!masked(mask, fields[i])) continue;
        yyjson_mut_obj_remove_key(o, fields[i]);
        if (v) json_put(d, o, fields[i], yyjson_val_mut_copy(d, v));
    }
    TRY(json_parse(r->a, json_text(r->a, o), false, &body));
    TRY(trace_read_assessment(r, body, a->trace.trace_id, &s));
    TRY(mlflow_trace_put_assessment(r->tx, a->trace.tid, &s));
    return answer(r, &s);
}

err *api_mlflow_assessment_delete(struct req *r) {
    struct access_trace *a = r->state;
    bool found;
    req_out(r);
    return mlflow_trace_drop_assessment(r->tx, a->trace.tid, arg_str(r, "assessment_id"), &found);
}
