/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a finished request to status, headers and body: the one place where an error becomes an
 * answer.
 */
#include <stdio.h>

#include "base/enc.h"
#include "rest/control.h"

static bool of_delta(const struct req *r) { return r->row && strcmp(r->row->service, "delta") == 0 && strstr(r->row->path, "/delta/v1/"); }

/* Unity Catalog's Delta API: {"error":{"message","type","code","stack"}}. Its handlers may say the type as the error's detail. */
static void delta_error_body(struct req *r, buf *b) {
    static const struct {
        err_code code;
        const char *type;
    } types[] = {
        {ERR_RESOURCE_DOES_NOT_EXIST, "NoSuchTableException"}, {ERR_NOT_FOUND, "NoSuchTableException"},
        {ERR_ENDPOINT_NOT_FOUND, "NotFoundException"},         {ERR_PERMISSION_DENIED, "PermissionDeniedException"},
        {ERR_UNAUTHENTICATED, "NotAuthorizedException"},       {ERR_INVALID_PARAMETER_VALUE, "InvalidParameterValueException"},
        {ERR_RESOURCE_ALREADY_EXISTS, "AlreadyExistsException"}, {ERR_RESOURCE_EXHAUSTED, "ResourceExhaustedException"},
        {ERR_NOT_IMPLEMENTED, "NotImplementedException"},      {ERR_RESOURCE_CONFLICT, "CommitVersionConflictException"},
    };
    str detail = err_detail_of(r->failure) ? str_of(err_detail_of(r->failure)) : STR("");
    const char *type = r->status >= 500 ? "InternalServerErrorException" : "BadRequestException";
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (types[i].code == err_code_of(r->failure)) type = types[i].type;
    buf_z(b, "{\"error\":{\"message\":");
    buf_json_str(b, str_of(err_msg(r->failure)));
    buf_z(b, ",\"type\":");
    buf_json_str(b, str_ends(detail, STR("Exception")) ? detail : str_of(type));
    buf_fmt(b, ",\"code\":%d,\"stack\":null}}", r->status);
}

/* RFC 7644's word for a wrong request; handlers may say a closer one as the error's detail. */
static const char *scim_type(const char *detail) {
    static const char *const types[] = {"invalidFilter", "invalidPath", "noTarget", "mutability"};
    for (size_t i = 0; detail && i < ARRAY_LEN(types); i++)
        if (strcmp(detail, types[i]) == 0) return types[i];
    return "invalidValue";
}

static void error_body(struct req *r, buf *b) {
    if (of_delta(r)) {
        delta_error_body(r, b);
        return;
    }
    if (r->row && r->row->scim) {
        buf_z(b, "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"detail\":");
        buf_json_str(b, str_of(err_msg(r->failure)));
        buf_fmt(b, ",\"status\":\"%d\"", r->status);
        err_code code = err_code_of(r->failure);
        if (code == ERR_RESOURCE_ALREADY_EXISTS || code == ERR_ALREADY_EXISTS)
            buf_z(b, ",\"scimType\":\"uniqueness\"");
        else if (code == ERR_INVALID_PARAMETER_VALUE || code == ERR_MALFORMED_REQUEST)
            buf_fmt(b, ",\"scimType\":\"%s\"", scim_type(err_detail_of(r->failure)));
        buf_c(b, '}');
        return;
    }
    err_to_json(r->failure, b);
    /* Clients of Unity Catalog look for a reason in the details of every error. */
    if (!r->row || strncmp(r->row->path, "/api/2.1/unity-catalog/", 23) != 0 || err_detail_of(r->failure) || !b->n) return;
    b->n--;
    buf_z(b, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":");
    buf_json_str(b, str_of(err_name(err_code_of(r->failure))));
    buf_z(b, ",\"domain\":\"boathouse\",\"metadata\":{}}]}");
}

static int error_status(struct req *r) {
    int st = err_status(err_code_of(r->failure));
    /* SCIM says 409 where the other services say 400. */
    if (((r->row && r->row->scim) || of_delta(r)) && err_code_of(r->failure) == ERR_RESOURCE_ALREADY_EXISTS) st = 409;
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
