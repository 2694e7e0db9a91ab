/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a finished request to status, headers and body: the one place where an error becomes an
 * answer.
 */
#include <stdio.h>

#include "base/enc.h"
#include "rest/control.h"

static void error_body(struct req *r, buf *b) {
    if (r->row && r->row->scim) {
        buf_z(b, "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"detail\":");
        buf_json_str(b, str_of(err_msg(r->failure)));
        buf_fmt(b, ",\"status\":\"%d\"", r->status);
        err_code code = err_code_of(r->failure);
        if (code == ERR_RESOURCE_ALREADY_EXISTS || code == ERR_ALREADY_EXISTS)
            buf_z(b, ",\"scimType\":\"uniqueness\"");
        else if (code == ERR_INVALID_PARAMETER_VALUE || code == ERR_MALFORMED_REQUEST)
            buf_z(b, ",\"scimType\":\"invalidValue\"");
        buf_c(b, '}');
        return;
    }
    err_to_json(r->failure, b);
}

static int error_status(struct req *r) {
    int st = err_status(err_code_of(r->failure));
    /* SCIM says 409 where the other services say 400. */
    if (r->row && r->row->scim && err_code_of(r->failure) == ERR_RESOURCE_ALREADY_EXISTS) st = 409;
    return st;
}

void req_encode(struct req *r) {
    if (r->failure) {
        r->status = error_status(r);
        buf b = {0};
        error_body(r, &b);
        r->raw = arena_str(r->a, buf_view(&b));
        buf_free(&b);
        r->raw_type = r->row && r->row->scim ? "application/scim+json" : "application/json";
        if (r->status == 401) req_reply_header(r, "WWW-Authenticate", STR("Bearer realm=\"boathouse\""));
        if (r->status == 429 || r->status == 503) req_reply_header(r, "Retry-After", STR("1"));
    } else if (r->reply_fd < 0 && !r->raw_type) {
        r->raw = json_text(r->a, req_out(r));
        r->raw_type = r->row && r->row->scim ? "application/scim+json" : "application/json";
    }
    if (!r->status) r->status = 200;
    if (r->raw_type && r->reply_fd < 0) {
        for (uint32_t i = 0; i < r->reply_headers.n; i++)
            if (str_eqz(r->reply_headers.p[i].name, "Content-Type")) return;
        req_reply_header(r, "Content-Type", str_of(r->raw_type));
        if (r->scope.workspace) {
            char id[24];
            snprintf(id, sizeof(id), "%lld", (long long)r->scope.workspace);
            req_reply_header(r, "X-Databricks-Org-Id", str_of(id));
        }
        req_reply_header(r, "x-request-id", r->request_id);
    }
}
