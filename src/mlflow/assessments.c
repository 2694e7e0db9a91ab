/* SPDX-License-Identifier: Apache-2.0 */
/* Assessments of traces: kept as the JSON that the client sent, with ids and times of ours. */
#include "base/time.h"
#include "mlflow/rules.h"
#include "mlflow/show.h"
#include "mlflow/traces.h"
#include "sys/clock.h"
#include "sys/rand.h"

static err *kind_of(jval *in, struct mlflow_assessment *s, jval **value) {
    jval *feedback = json_get(in, "feedback"), *expectation = json_get(in, "expectation");
    int n = (feedback != NULL) + (expectation != NULL) + (json_get(in, "issue") != NULL);
    if (n != 1)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Exactly one of 'feedback', 'expectation' and 'issue' must be set in an "
                       "assessment.");
    s->kind = feedback      ? ASSESSMENT_FEEDBACK
              : expectation ? ASSESSMENT_EXPECTATION
                            : ASSESSMENT_ISSUE;
    *value = json_get(feedback ? feedback : expectation, "value");
    return NULL;
}

err *trace_read_assessment(struct req *r, jval *in, str trace_id, struct mlflow_assessment *s) {
    jval *value;
    TRY(kind_of(in, s, &value));
    s->name = json_get_str(in, "assessment_name");
    TRY(rule_length(s->name, 250, "assessment_name"));
    if (!s->name.n)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Missing value for required parameter 'assessment.assessment_name'.");
    s->assessment_id = json_get_str(in, "assessment_id");
    if (!s->assessment_id.n || s->assessment_id.n > 64) {
        char hex[33];
        rand_hex(hex, 16);
        s->assessment_id = str_of(arena_printf(r->a, "a-%s", hex));
    }
    jval *valid = json_get(in, "valid");
    s->valid = !yyjson_is_bool(valid) || yyjson_get_bool(valid);
    int64_t now = clock_now(), us;
    s->created =
        time_parse_rfc3339(json_get_str(in, "create_time"), &us) ? us / US_PER_MS : now / US_PER_MS;
    s->value = value ? show_raw(r->a, value) : STR_NONE;
    jdoc *d = json_doc(r->a);
    jmut *o = yyjson_val_mut_copy(d, in);
    if (!yyjson_mut_is_obj(o))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "An assessment must be an object.");
    static const char *const ours[] = {"assessment_id", "trace_id", "valid", "create_time",
                                       "last_update_time"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) yyjson_mut_obj_remove_key(o, ours[i]);
    json_put_str(d, o, "assessment_id", s->assessment_id);
    json_put_str(d, o, "trace_id", trace_id);
    json_put_bool(d, o, "valid", s->valid);
    json_put_z(d, o, "create_time", time_rfc3339(r->a, s->created * US_PER_MS, 3));
    json_put_z(d, o, "last_update_time", time_rfc3339(r->a, now, 3));
    s->body = json_text(r->a, o);
    return NULL;
}
