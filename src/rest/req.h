/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request as handlers see it. A route is a list of steps; a step is a function and the lane it
 * runs in:
 *
 *   LANE_LOOP    control's loop thread; must not block; may park (req_park)
 *   LANE_READ    a worker thread with a read snapshot in r->tx (as_of applies)
 *   LANE_WORK    a worker thread without a snapshot, for blocking work on files
 *   LANE_SYNC    a thread of a larger pool, for work that mostly waits for a disk and shares that wait with others
 *   LANE_WRITE   the writer thread of the route's store: r->tx is a savepoint of a group commit;
 *                returning an error rolls it back alone. Keep it short: no files, no waiting.
 *   LANE_TAKE    no function: the gateway writes the body into r->take.fd; then r->taken is set
 *
 * A step returns NULL (go on with the next one, or answer after the last), or an error, which
 * becomes the answer. Arguments of path, query and body are merged into one object (r->args), after
 * validation by the row's schema. The answer is built in r->out (JSON), or with req_body/req_fd.
 * Everything lives in r->a.
 */
#ifndef BH_REST_REQ_H
#define BH_REST_REQ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/vec.h"
#include "ipc/gen_messages.h"
#include "policy/facts.h"
#include "rest/schema.h"
#include "store/store.h"

enum lane { LANE_END, LANE_LOOP, LANE_READ, LANE_WORK, LANE_SYNC, LANE_WRITE, LANE_TAKE };
enum auth { AUTH_USER, AUTH_NONE, AUTH_ADMIN, AUTH_ACCOUNT_ADMIN };
enum scope_kind { SCOPE_WORKSPACE, SCOPE_ACCOUNT, SCOPE_ANY };

struct req;
typedef err *(*step_fn)(struct req *);

struct route_step {
    enum lane lane;
    step_fn fn;
};

#define ROUTE_MAX_STEPS 6

struct route_row {
    const char *service, *name, *method, *path;
    enum auth auth;
    enum scope_kind scope;
    enum store_file file;
    int64_t limit;      /* largest structured body; 0: the setting http.body_limit */
    bool streamed;      /* the body goes into a descriptor */
    bool scim;          /* SCIM error bodies and content type */
    const struct schema *request, *response;
    struct route_step steps[ROUTE_MAX_STEPS + 1];
    const char *sdk;    /* operation of databricks-sdk, or NULL */
    const char *doc;
};

/* What went wrong or right with a streamed body. */
struct req_taken {
    int64_t size;
    str sha256, md5; /* raw digests */
    uint32_t crc32;
};

struct req_fact {
    uint16_t kind;
    bool remove, restricts;
    str key, value;
    int fd;
};

struct control; /* rest/control.h */
struct later;

/* Of which statement an engine's question is (statements/asks.h). Texts live in the request. */
struct req_ask {
    str op, statement, session, warehouse;
    str catalog, schema; /* the session's current ones */
    uint64_t number;     /* engine_statement_number() */
};

struct req {
    arena *a;
    struct control *control;
    const struct route_row *row;
    uint64_t stream;
    int64_t started; /* clock_ticks */

    str method, path, query, host, peer, request_id;
    struct msg_pairs headers;
    str body;
    int64_t content_length;
    bool tls;
    jval *args;  /* merged and validated */
    jval *json;  /* the body as sent (may be an array), or NULL */

    /* Who, copied from the facts; closure and names live in the arena. */
    int64_t principal;
    str principal_name;
    uint8_t principal_type;
    struct policy_subject who;
    bool account_admin;
    const char *credential_kind, *token_id;
    struct store_scope scope;

    store_tx *tx;
    int64_t as_of; /* 0: now */

    struct {
        int fd; /* where the body goes; owned by the request */
        int64_t max;
    } take;
    struct req_taken taken;

    /* The answer */
    int status;
    jdoc *doc;
    jmut *out;
    str raw;               /* used instead of out when raw_type is set */
    const char *raw_type;
    struct msg_pairs reply_headers;
    size_t reply_cap;
    int reply_fd;
    int64_t reply_offset, reply_length;

    vec_of(struct req_fact) facts;
    void (*after)(struct req *); /* on the loop, after commit, before the answer */
    void *state;                 /* a service's own, across steps */
    const struct req_ask *ask;   /* NULL for requests of clients */
    /* Internal requests: gets the answer on the loop instead of a gateway (e NULL: r->raw or r->reply_fd; e stays
     * the caller's); the request ends when it returns. */
    void (*on_answer)(struct req *r, const err *e);
    struct later *drops;         /* blobs to delete after the commit (src/api/files) */

    /* Machinery */
    int step;
    bool gone, done, parked, stepping, in_store;
    uint64_t park_number;
    err *failure;
    struct req *next;
    void *conn;
};

/* ---- arguments ---- */
static inline jval *arg(struct req *r, const char *name) {
    jval *v = r->args ? yyjson_obj_get(r->args, name) : NULL;
    return v && !yyjson_is_null(v) ? v : NULL;
}
static inline bool arg_has(struct req *r, const char *name) { return arg(r, name) != NULL; }
/* "" when absent. */
static inline str arg_str(struct req *r, const char *name) {
    jval *v = arg(r, name);
    return yyjson_is_str(v) ? json_str(v) : STR("");
}
static inline int64_t arg_i64(struct req *r, const char *name, int64_t dflt) {
    int64_t n;
    return json_i64(arg(r, name), &n) ? n : dflt;
}
static inline double arg_f64(struct req *r, const char *name, double dflt) {
    double d;
    return json_f64(arg(r, name), &d) ? d : dflt;
}
bool arg_bool(struct req *r, const char *name, bool dflt);
/* A required id in a path that must be a number; otherwise RESOURCE_DOES_NOT_EXIST "<what> …". */
err *arg_id(struct req *r, const char *name, const char *what, int64_t *ret) BH_CHECK;

/* "https://host[:port]" that links in answers begin with: the setting net.public_url, else the host and door that the request
 * came by. Lives as long as the request. */
str req_base_url(struct req *r);
str req_header(const struct req *r, const char *name);

/* ---- the answer ---- */
/* The root object of the JSON answer (made on first use). */
jmut *req_out(struct req *r);
/* Its document, for callers that write both as arguments of one call. */
static inline jdoc *req_doc(struct req *r) {
    (void)req_out(r);
    return r->doc;
}
/* Replaces the root, e.g. by an array. */
void req_set_out(struct req *r, jmut *root);
/* An answer that is not JSON built by req_out(). */
void req_body(struct req *r, int status, const char *content_type, str body);
/* The body comes from a descriptor (taken over); length -1 where unknown. */
void req_fd(struct req *r, int status, int fd, int64_t offset, int64_t length);
void req_reply_header(struct req *r, const char *name, str value);
/* Ends the request after this step with what is there. */
static inline void req_finish(struct req *r) { r->done = true; }

/* ---- parking (LANE_LOOP steps only) ---- */
/* The step returns NULL after this; the request then waits without a thread. The number finds it
 * again (control_parked), where the one who resumes cannot know whether it still waits. */
uint64_t req_park(struct req *r);
/* On the loop: goes on with the next step, or answers with e. From inside the step that parked it, the
 * request goes on when that step returns. */
void req_resume(struct req *r, err *e);

/* ---- facts ---- */
/* After this write commits, the change goes into the routing table. restricts: it takes something
 * away, so the answer waits until every gateway has confirmed it. fd is taken over. */
void req_fact(struct req *r, enum fact_kind kind, bool remove, bool restricts, str key, str value,
              int fd);

/* ---- decisions ---- */
/* NULL if the caller is admin of the workspace, else PERMISSION_DENIED. */
err *req_need_admin(struct req *r) BH_CHECK;
/* Level on a workspace object whose chain the caller has built; PERMISSION_DENIED names the level;
 * an object that the caller may not see is RESOURCE_DOES_NOT_EXIST with `missing_message`. */
err *req_need_level(struct req *r, int type, uint64_t level, const struct policy_node *chain,
                    size_t n) BH_CHECK;
/* Privilege on the catalog tree. */
err *req_need_privilege(struct req *r, uint64_t need, const struct policy_node *chain, size_t n)
    BH_CHECK;

#endif
