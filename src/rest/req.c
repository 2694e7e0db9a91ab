/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/req.h"

#include <unistd.h>

#include "rest/control.h"

bool arg_bool(struct req *r, const char *name, bool dflt) {
    jval *v = arg(r, name);
    if (yyjson_is_bool(v)) return yyjson_get_bool(v);
    if (yyjson_is_str(v)) return str_ieq(json_str(v), STR("true"));
    return dflt;
}

err *arg_id(struct req *r, const char *name, const char *what, int64_t *ret) {
    if (json_i64(arg(r, name), ret) && *ret >= 0) return NULL;
    str v = str_cut(arg_str(r, name), 100);
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s '%.*s' does not exist.", what, STR_ARG(v));
}

str req_header(const struct req *r, const char *name) {
    for (uint32_t i = 0; i < r->headers.n; i++)
        if (str_ieq(r->headers.p[i].name, str_of(name))) return r->headers.p[i].value;
    return STR_NONE;
}

str req_base_url(struct req *r) {
    str set = r->control ? settings_str(&r->control->settings, SET_NET_PUBLIC_URL) : STR_NONE;
    while (set.n && set.p[set.n - 1] == '/') set.n--;
    if (set.n) return set;
    str host = r->host.n && r->host.n < 256 ? r->host : STR("localhost");
    return str_of(arena_printf(r->a, "%s://%.*s", r->tls ? "https" : "http", STR_ARG(host)));
}

jmut *req_out(struct req *r) {
    if (!r->doc) r->doc = json_doc(r->a);
    if (!r->out) r->out = yyjson_mut_obj(r->doc);
    return r->out;
}

void req_set_out(struct req *r, jmut *root) { r->out = root; }

void req_body(struct req *r, int status, const char *content_type, str body) {
    r->status = status;
    r->raw_type = content_type;
    r->raw = body;
}

static void close_reply_fd(void *arg) {
    struct req *r = arg;
    if (r->reply_fd >= 0) close(r->reply_fd);
    r->reply_fd = -1;
}

void req_fd(struct req *r, int status, int fd, int64_t offset, int64_t length) {
    must(r->reply_fd < 0);
    r->status = status;
    r->reply_fd = fd;
    r->reply_offset = offset;
    r->reply_length = length;
    arena_on_free(r->a, close_reply_fd, r);
}

void req_reply_header(struct req *r, const char *name, str value) {
    if (r->reply_headers.n == r->reply_cap) {
        size_t cap = r->reply_cap ? r->reply_cap * 2 : 8;
        struct msg_pair *p = arena_array_of(r->a, struct msg_pair, cap);
        if (r->reply_headers.n)
            memcpy(p, r->reply_headers.p, r->reply_headers.n * sizeof(*p));
        r->reply_headers.p = p;
        r->reply_cap = cap;
    }
    r->reply_headers.p[r->reply_headers.n++] =
        (struct msg_pair){str_of(name), arena_str(r->a, value)};
}

void req_fact(struct req *r, enum fact_kind kind, bool remove, bool restricts, str key, str value,
              int fd) {
    vec_push(&r->facts, ((struct req_fact){(uint16_t)kind, remove, restricts, arena_str(r->a, key),
                                           arena_str(r->a, value), fd}));
}

err *req_need_admin(struct req *r) {
    if (r->who.workspace_admin || r->account_admin) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "Only workspace admins can do this; '%.*s' is not one.",
                   STR_ARG(r->principal_name));
}

err *req_need_level(struct req *r, int type, uint64_t level, const struct policy_node *chain,
                    size_t n) {
    struct policy_verdict v = policy_level(&r->who, type, level, chain, n);
    if (v.allow) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s permission on %s.",
                   STR_ARG(r->principal_name), v.missing, v.missing_on ? v.missing_on : "this object");
}

err *req_need_privilege(struct req *r, uint64_t need, const struct policy_node *chain, size_t n) {
    struct policy_verdict v = policy_privilege(&r->who, need, chain, n);
    if (v.allow) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "User '%.*s' does not have %s on %s.",
                   STR_ARG(r->principal_name), v.missing ? v.missing : "a privilege",
                   v.missing_on ? v.missing_on : "this securable");
}
