/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/traces (OTLP over HTTP) and /version, as plain MLflow servers have them. */
#include "api/gen_routes.h"
#include "mlflow/traces.h"

/* The version of MLflow whose API this is: clients choose their way by it. */
#define MLFLOW_VERSION STR("3.17.2")

err *api_mlflow_version(struct req *r) {
    req_body(r, 200, "text/plain; charset=utf-8", MLFLOW_VERSION);
    return NULL;
}

struct export {
    struct ent_experiment experiment;
    struct otlp_spans spans;
};

err *api_mlflow_otlp_check(struct req *r) {
    struct export *x = arena_new_of(r->a, struct export);
    str type = req_header(r, "content-type"), id = req_header(r, "x-mlflow-experiment-id");
    str encoding = req_header(r, "content-encoding");
    int64_t experiment;
    if (!str_starts(type, STR("application/x-protobuf")))
        return err_new(ERR_UNSUPPORTED_MEDIA_TYPE,
                       "Invalid Content-Type: %.*s. Expected: application/x-protobuf",
                       STR_ARG(str_cut(type, 100)));
    if (encoding.n && !str_ieq(encoding, STR("identity")))
        return err_new(ERR_UNSUPPORTED_MEDIA_TYPE,
                       "Content-Encoding '%.*s' is not read here; send the body as it is.",
                       STR_ARG(str_cut(encoding, 100)));
    if (!str_to_i64(id, &experiment) || experiment < 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "The header x-mlflow-experiment-id must hold the id of an experiment.");
    TRY(access_experiment_now(r, experiment, EXPERIMENTS_CAN_EDIT, &x->experiment));
    TRY(access_experiment_active(&x->experiment));
    r->state = x;
    return otlp_parse(r->a, r->body, &x->spans);
}

err *api_mlflow_otlp(struct req *r) {
    struct export *x = r->state;
    TRY(trace_save_spans(r, &x->experiment, &x->spans));
    req_body(r, 200, "application/x-protobuf", STR("")); /* an empty ExportTraceServiceResponse */
    return NULL;
}
