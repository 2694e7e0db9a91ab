/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP trace exports (opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest) in the
 * binary protobuf encoding, read into spans. Source of the field numbers: opentelemetry-proto 1.x.
 */
#ifndef BH_MLFLOW_OTLP_H
#define BH_MLFLOW_OTLP_H

#include "base/json.h"
#include "store/mlflow_traces.h"

#define OTLP_MAX_SPANS 10000u
#define OTLP_MAX_DEPTH 16

struct otlp_span {
    struct mlflow_span row;
    str trace_id;             /* "tr-<hex>", or what the attribute mlflow.traceRequestId says */
    bool root;                /* has no parent */
    bool error;               /* status code ERROR */
    int64_t start, end;       /* nanoseconds */
    str inputs, outputs;      /* JSON texts for the previews; p NULL if none */
    struct mlflow_pairs tags; /* mlflow.traceTag.* */
};
struct otlp_spans {
    struct otlp_span *p;
    size_t n;
};

/* MALFORMED_REQUEST where the bytes are no such message, or beyond the limits. */
err *otlp_parse(arena *a, str bytes, struct otlp_spans *ret) BH_CHECK;

#endif
