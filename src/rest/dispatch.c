/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request through control.
 *
 *   frame "request" (loop) → route, credential, scope (loop: the facts are the loop's)
 *     → worker: decode, validate → steps … → answer (loop) → frame "response"
 *
 * States of a request, by who may touch it:
 *   LOOP    the loop's thread owns it (new, parked, waiting for the gateways, answering)
 *   WORKER  one worker thread owns it
 *   WRITER  the store's writer owns it, between store_write_async() and done()
 * It changes hands only through jobs_add(), store_write_async() and loop_post(). When the client
 * goes away, `gone` is set on the loop and seen when the request comes back there.
 *
 * Facts of a committed write are applied on the loop in commit order (done() posts in that order).
 * A restricting fact keeps the answer until every gateway confirmed its number, or was killed.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "base/time.h"
#include "policy/credential.h"
#include "policy/workspace.h"
#include "rest/control.h"
#include "rest/decode.h"
#include "sys/clock.h"
#include "sys/crash.h"
#include "sys/rand.h"

#define CONFIRM_LIMIT_US 2000000
#define MAX_LIVE 20000u
/* What a frame holds, less its head. */
#define MAX_ANSWER (CHAN_MAX_PAYLOAD - (1u << 20))

static void advance(struct req *r);
static void finish(struct req *r, err *e);

struct req *req_new(struct control *c) {
    arena *a = arena_new();
    struct req *r = arena_new_of(a, struct req);
    r->a = a;
    r->control = c;
    r->take.fd = r->reply_fd = -1;
    r->started = clock_ticks();
    c->n_live++;
    return r;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void req_release(struct req *r) {
    for (size_t i = 0; i < r->facts.n; i++) close_fd(&r->facts.p[i].fd);
    vec_free(&r->facts);
    close_fd(&r->take.fd);
    err_free(r->failure);
    r->control->n_live--;
    arena_free(r->a);
}

/* ---- scope: which workspace ---- */

static err *choose_scope(struct req *r, const struct credential *cred) {
    if (r->row->scope == SCOPE_ACCOUNT) {
        r->scope.workspace = 0;
        return NULL;
    }
    struct workspace_asked asked = {.workspace_id = req_header(r, "x-databricks-workspace-id"),
                                    .org_id = req_header(r, "x-databricks-org-id"),
                                    .query = r->query,
                                    .host = r->host,
                                    .bound = cred ? cred->workspace : 0};
    return workspace_choose(r->control->facts, &asked, &r->scope.workspace);
}

static void copy_subject(struct req *r, const struct fact_principal *p) {
    r->principal = p->id;
    r->principal_type = p->type;
    r->principal_name = arena_str(r->a, str_of(p->name));
    r->account_admin = p->account_admin;
    r->who = facts_subject(p, r->scope.workspace);
    int64_t *g = arena_array_of(r->a, int64_t, p->n_groups + 1);
    if (p->n_groups) memcpy(g, p->groups, p->n_groups * sizeof(*g));
    r->who.groups = g;
}

static err *authorize(struct req *r) {
    if (r->row->auth == AUTH_NONE) return choose_scope(r, NULL);
    struct credential cred;
    TRY(credential_check(r->control->facts, req_header(r, "authorization"), clock_now(), &cred));
    TRY(choose_scope(r, &cred));
    copy_subject(r, cred.principal);
    r->credential_kind = cred.kind;
    r->token_id = arena_strdup(r->a, cred.id);
    if (cred.note) control_token_used(r->control, cred.workspace, str_of(cred.id), clock_now());
    /* A path of both scopes that names the account is the account's; the handler asks who may. */
    bool at_account = r->row->scope == SCOPE_ANY && strstr(r->row->path, "{account_id}");
    if (r->scope.workspace && r->row->scope != SCOPE_ACCOUNT && !at_account &&
        !facts_membership(cred.principal, r->scope.workspace))
        return err_new(ERR_PERMISSION_DENIED, "'%.*s' is not a member of workspace %lld.",
                       STR_ARG(r->principal_name), (long long)r->scope.workspace);
    if (r->row->auth == AUTH_ADMIN) return req_need_admin(r);
    if (r->row->auth == AUTH_ACCOUNT_ADMIN && !r->account_admin)
        return err_new(ERR_PERMISSION_DENIED, "Only account admins can do this; '%.*s' is not one.",
                       STR_ARG(r->principal_name));
    return NULL;
}

/* ---- lanes ---- */

static void on_loop(void *arg) { advance(arg); }

static void to_loop(struct req *r, err *e) {
    if (e) {
        err_free(r->failure);
        r->failure = e;
    }
    loop_post(r->control->l, on_loop, r);
}

static err *resolve_as_of(struct req *r) {
    jval *v = arg(r, "as_of");
    if (!v || !str_eqz(r->method, "GET")) return NULL;
    int64_t us;
    if (json_i64(v, &r->as_of)) {
        if (r->as_of <= 0) return err_new(ERR_INVALID_PARAMETER_VALUE, "as_of must be positive.");
        return NULL;
    }
    if (!yyjson_is_str(v) || !time_parse_rfc3339(json_str(v), &us))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "as_of '%.*s' is neither a sequence nor an RFC 3339 time.",
                       STR_ARG(str_cut(arg_str(r, "as_of"), 60)));
    return store_seq_of_time(r->control->store, us, &r->as_of);
}

static err *run_read(struct req *r, step_fn fn) {
    TRY(resolve_as_of(r));
    TRY(store_read_begin(r->control->store, r->row->file, r->as_of, &r->tx));
    err *e = fn(r);
    store_read_end(r->tx);
    r->tx = NULL;
    return e;
}

static void submit_write(struct req *r);

/* For a crash report: what this thread works on, NULL for nothing. Taken back before the request
 * changes hands, because its memory goes with it. */
static void working_on(const struct req *r) {
    crash_context_set(r ? r->request_id.p : NULL, r ? r->row->path : NULL);
}

/* On a worker: runs read and work steps until one needs another thread. */
static void run_worker(void *arg, int worker) {
    (void)worker;
    struct req *r = arg;
    err *e = NULL;
    working_on(r);
    if (!r->args && r->state == NULL && r->conn) {
        struct route_match *m = r->conn;
        r->conn = NULL;
        e = decode_args(r, m);
    }
    bool sync = r->row->steps[r->step].lane == LANE_SYNC;
    while (!e && !r->done) {
        const struct route_step *s = &r->row->steps[r->step];
        if (sync ? s->lane != LANE_SYNC : s->lane != LANE_READ && s->lane != LANE_WORK) break;
        e = s->lane == LANE_READ ? run_read(r, s->fn) : s->fn(r);
        r->step++;
    }
    if (!e && !r->done && r->row->steps[r->step].lane == LANE_WRITE) {
        working_on(NULL);
        submit_write(r);
        return;
    }
    if (!e && (r->done || r->row->steps[r->step].lane == LANE_END)) req_encode(r);
    working_on(NULL);
    to_loop(r, e);
}

static err *write_job(store_tx *tx, void *arg) {
    struct req *r = arg;
    r->tx = tx;
    working_on(r);
    err *e = r->row->steps[r->step].fn(r);
    working_on(NULL);
    r->tx = NULL;
    return e;
}

static void write_done(void *arg, err *e, int64_t seq) {
    (void)seq;
    struct req *r = arg;
    r->in_store = true;
    to_loop(r, e);
}

static void submit_write(struct req *r) {
    struct store_write w = {
        .job = write_job,
        .done = write_done,
        .arg = r,
        .actor = {.principal = r->principal,
                  .request_id = r->request_id,
                  .client = r->peer,
                  .action = str_of(arena_printf(r->a, "%s.%s", r->row->service, r->row->name)),
                  .scope = r->scope},
    };
    err *e = store_write_async(r->control->store, r->row->file, &w);
    if (e) to_loop(r, e);
}

/* ---- the routing table ---- */

static void send_fact(struct gateway_link *g, const struct req_fact *f, uint64_t number) {
    CHAN_SEND(g->ch, fact, 0, f->fd, .number = number, .kind = f->kind, .remove = f->remove,
              .key = f->key, .value = f->value);
}

static void apply_fact(struct control *c, struct req_fact *f) {
    uint64_t number = ++c->facts->number;
    for (size_t i = 0; i < c->gateways.n; i++) send_fact(c->gateways.p[i], f, number);
    err *e = facts_apply(c->facts, f->kind, f->remove, f->key, f->value, f->fd);
    f->fd = -1;
    if (e) {
        log_error("fact refused", lf_err(e));
        err_free(e);
    }
}

static void announce(struct control *c) {
    for (size_t i = 0; i < c->gateways.n; i++)
        CHAN_SEND(c->gateways.p[i]->ch, facts_done, 0, -1, .number = c->facts->number);
}

void control_fact(struct control *c, enum fact_kind kind, bool remove, str key, str value, int fd) {
    struct req_fact f = {(uint16_t)kind, remove, false, key, value, fd};
    apply_fact(c, &f);
    announce(c);
}

static bool all_acked(const struct control *c, uint64_t number) {
    for (size_t i = 0; i < c->gateways.n; i++)
        if (c->gateways.p[i]->acked < number) return false;
    return true;
}

static void release_waiting(struct control *c) {
    for (size_t i = 0; i < c->waiting.n;) {
        struct req *r = c->waiting.p[i];
        if (!all_acked(c, (uint64_t)(uintptr_t)r->conn)) {
            i++;
            continue;
        }
        vec_remove_swap(&c->waiting, i);
        r->conn = NULL;
        advance(r);
        i = 0;
    }
    if (!c->waiting.n) loop_timer_clear(c->l, &c->confirm_timer);
}

/* A gateway that does not confirm would go on honouring what was taken away: it is ended. */
static void on_confirm_late(loop_timer *t) {
    struct control *c = (struct control *)((char *)t - offsetof(struct control, confirm_timer));
    for (size_t i = 0; i < c->gateways.n; i++) {
        struct gateway_link *g = c->gateways.p[i];
        if (g->acked >= c->facts->number) continue;
        log_warn("gateway does not confirm, restarting it", lf_int("acked", (int64_t)g->acked),
                 lf_int("number", (int64_t)c->facts->number));
        CHAN_SEND(c->supervisor, restart, 0, -1, .role = STR("gateway"),
                  .why = STR("does not confirm a restriction"));
    }
}

/* True if the answer has to wait. */
static bool publish_facts(struct req *r) {
    struct control *c = r->control;
    bool restricts = false;
    for (size_t i = 0; i < r->facts.n; i++) {
        restricts |= r->facts.p[i].restricts;
        apply_fact(c, &r->facts.p[i]);
    }
    if (r->facts.n) announce(c);
    r->facts.n = 0;
    if (!restricts || all_acked(c, c->facts->number)) return false;
    r->conn = (void *)(uintptr_t)c->facts->number;
    vec_push(&c->waiting, r);
    if (!c->confirm_timer.slot) {
        c->confirm_timer.on_time = on_confirm_late;
        loop_timer_set(c->l, &c->confirm_timer, CONFIRM_LIMIT_US);
    }
    return true;
}

/* ---- steps ---- */

static struct gateway_link *link_of(struct req *r) {
    struct control *c = r->control;
    for (size_t i = 0; i < c->gateways.n; i++)
        if (map_get(c->gateways.p[i]->streams, map_key_u64(&r->stream)) == r)
            return c->gateways.p[i];
    return NULL;
}

uint64_t req_park(struct req *r) {
    struct control *c = r->control;
    r->parked = true;
    r->park_number = ++c->next_park;
    if (!c->parked) c->parked = map_new();
    map_put(c->parked, map_key_u64(&r->park_number), r);
    return r->park_number;
}

struct req *control_parked(struct control *c, uint64_t number) {
    return c->parked ? map_get(c->parked, map_key_u64(&number)) : NULL;
}

void req_resume(struct req *r, err *e) {
    must(r->parked);
    map_del(r->control->parked, map_key_u64(&r->park_number));
    r->parked = false;
    if (e) {
        err_free(r->failure);
        r->failure = e;
    }
    if (!r->stepping) advance(r); /* else advance() is below us and goes on itself */
}

/* On the loop: decides what comes next. */
static void advance(struct req *r) {
    if (r->in_store) { /* back from the writer */
        r->in_store = false;
        if (!r->failure) {
            r->step++;
            if (r->after) {
                r->after(r);
                r->after = NULL;
            }
            if (publish_facts(r)) return;
        }
    }
    for (;;) {
        if (r->failure) {
            err *e = r->failure;
            r->failure = NULL;
            finish(r, e);
            return;
        }
        const struct route_step *s = &r->row->steps[r->step];
        if (r->done || s->lane == LANE_END) {
            finish(r, NULL);
            return;
        }
        if (r->gone && s->lane != LANE_LOOP) {
            finish(r, err_new(ERR_CANCELLED, "The client went away."));
            return;
        }
        if (s->lane == LANE_READ || s->lane == LANE_WORK) {
            jobs_add(r->control->workers, run_worker, r);
            return;
        }
        if (s->lane == LANE_SYNC) {
            jobs_add(r->control->syncers, run_worker, r);
            return;
        }
        if (s->lane == LANE_WRITE) {
            submit_write(r);
            return;
        }
        if (s->lane == LANE_TAKE) {
            must(r->take.fd >= 0);
            struct gateway_link *g = link_of(r);
            if (!g) {
                finish(r, err_new(ERR_CANCELLED, "The client went away."));
                return;
            }
            CHAN_SEND(g->ch, take, r->stream, r->take.fd, .max = r->take.max);
            close_fd(&r->take.fd);
            return; /* frame "taken" goes on */
        }
        r->step++;
        working_on(r);
        r->stepping = true;
        err *e = s->fn(r);
        r->stepping = false;
        working_on(NULL);
        if (e) {
            err_free(r->failure);
            r->failure = e;
        }
        if (r->parked && !r->failure) return;
        if (r->parked) map_del(r->control->parked, map_key_u64(&r->park_number));
        r->parked = false;
    }
}

void req_dispatch(struct req *r) {
    if (r->row->steps[r->step].lane == LANE_LOOP) {
        struct route_match *m = r->conn;
        r->conn = NULL;
        r->failure = m ? decode_args(r, m) : NULL;
        advance(r);
    } else {
        jobs_add(r->control->workers, run_worker, r);
    }
}

/* ---- answers ---- */

static void record(struct req *r, str body) {
    struct control *c = r->control;
    if (c->record_fd < 0) return;
    buf b = {0};
    buf_fmt(&b, "{\"method\":\"%.*s\",\"path\":", STR_ARG(r->method));
    buf_json_str(&b, r->path);
    buf_fmt(&b, ",\"operation\":\"%s.%s\",\"route\":\"%s\",\"status\":%d,\"type\":",
            r->row ? r->row->service : "", r->row ? r->row->name : "", r->row ? r->row->path : "",
            r->status);
    buf_json_str(&b, str_of(r->raw_type ? r->raw_type : "application/json"));
    buf_z(&b, ",\"request\":");
    bool text = str_is_utf8(r->body) && r->body.n < 65536;
    buf_json_str(&b, text ? r->body : STR(""));
    buf_z(&b, ",\"response\":");
    text = str_is_utf8(body) && body.n < (1u << 20);
    buf_json_str(&b, text ? body : STR(""));
    buf_z(&b, "}\n");
    ssize_t w = write(c->record_fd, b.p, b.n);
    (void)w;
    buf_free(&b);
}

static void access_line(struct req *r) {
    if (!settings_bool(&r->control->settings, SET_LOG_REQUESTS)) return;
    log_info("request", lf_str("method", r->method), lf_str("path", r->path),
             lf_int("status", r->status), lf_str("principal", r->principal_name),
             lf_int("workspace", r->scope.workspace), lf_str("id", r->request_id),
             lf_int("us", (clock_ticks() - r->started) / 1000));
}

static void log_failure(struct req *r, const err *e) {
    if (err_status(err_code_of(e)) < 500) return;
    log_error("request failed", lf_str("method", r->method), lf_str("path", r->path),
              lf_str("id", r->request_id), lf_err(e));
}

static void finish_internal(struct req *r, err *e) {
    if (!e) req_encode(r);
    r->on_answer(r, e);
    err_free(e);
    req_release(r);
}

static void finish(struct req *r, err *e) {
    if (e) log_failure(r, e);
    if (r->on_answer) {
        finish_internal(r, e);
        return;
    }
    if (e) {
        r->failure = e;
        r->raw_type = NULL;
        close_fd(&r->reply_fd);
    }
    req_encode(r);
    if (r->raw.n > MAX_ANSWER && r->reply_fd < 0) {
        r->failure = err_hint(err_new(ERR_RESOURCE_EXHAUSTED, "The answer has %zu bytes, more than %u.",
                                      r->raw.n, MAX_ANSWER),
                              "Ask for smaller pages.");
        r->raw_type = NULL;
        r->reply_headers.n = 0;
        req_encode(r);
    }
    struct gateway_link *g = r->stream ? link_of(r) : NULL;
    if (g) {
        map_del(g->streams, map_key_u64(&r->stream));
        if (r->gone) {
            /* nobody listens */
        } else if (r->reply_fd >= 0) {
            CHAN_SEND(g->ch, response_fd, r->stream, r->reply_fd, .status = (uint16_t)r->status,
                      .headers = r->reply_headers, .offset = r->reply_offset,
                      .length = r->reply_length);
        } else {
            CHAN_SEND(g->ch, response, r->stream, -1, .status = (uint16_t)r->status,
                      .headers = r->reply_headers, .body = r->raw);
        }
    }
    record(r, r->raw);
    access_line(r);
    req_release(r);
}

/* ---- frames from gateways ---- */

static struct msg_pairs copy_pairs(arena *a, struct msg_pairs p) {
    struct msg_pairs out = {arena_array_of(a, struct msg_pair, p.n + 1), p.n};
    for (uint32_t i = 0; i < p.n; i++) {
        out.p[i].name = arena_str(a, p.p[i].name);
        out.p[i].value = arena_str(a, p.p[i].value);
    }
    return out;
}

static void on_request(struct gateway_link *g, struct chan_frame *f) {
    struct control *c = g->control;
    struct req *r = req_new(c);
    str bytes = arena_str(r->a, f->payload); /* all slices point into this copy */
    struct msg_request m;
    if (!msg_request_decode(r->a, bytes, &m)) {
        log_error("malformed request frame");
        req_release(r);
        return;
    }
    r->stream = f->stream;
    r->method = m.method;
    r->host = m.host;
    r->peer = m.peer;
    r->tls = m.tls;
    r->request_id = str_of(arena_strndup(r->a, m.request_id.p, m.request_id.n));
    r->headers = copy_pairs(r->a, m.headers);
    r->body = m.body;
    r->content_length = m.content_length;
    r->scope.account = 1;
    c->requests++;
    map_put(g->streams, map_key_u64(&r->stream), r);
    struct route_match *match = arena_new_of(r->a, struct route_match);
    err *e = decode_route(r, c->router, m.target, match);
    if (!e && c->n_live > MAX_LIVE)
        e = err_new(ERR_REQUEST_LIMIT_EXCEEDED, "More than %u requests at once.", MAX_LIVE);
    if (!e) e = authorize(r);
    r->conn = match;
    if (e) {
        finish(r, e);
        return;
    }
    req_dispatch(r);
}

static void on_taken(struct req *r, const struct msg_taken *m) {
    r->step++;
    if (!m->ok) {
        r->failure = m->too_large ? err_new(ERR_PAYLOAD_TOO_LARGE,
                                            "The body is larger than the %lld bytes allowed.",
                                            (long long)r->take.max)
                                  : err_new(ERR_CANCELLED, "The client went away.");
        r->gone |= !m->too_large;
    } else {
        r->taken = (struct req_taken){m->size, arena_str(r->a, m->sha256), arena_str(r->a, m->md5),
                                      m->crc32};
    }
    advance(r);
}

void control_on_gateway_frame(struct gateway_link *g, struct chan_frame *f) {
    struct control *c = g->control;
    struct req *r = map_get(g->streams, map_key_u64(&f->stream));
    arena *a = arena_new();
    switch (f->type) {
    case MSG_REQUEST:
        on_request(g, f);
        break;
    case MSG_GONE:
        if (r) r->gone = true;
        break;
    case MSG_TAKEN: {
        struct msg_taken m;
        if (r && msg_taken_decode(a, f->payload, &m)) on_taken(r, &m);
        break;
    }
    case MSG_FACTS_ACK: {
        struct msg_facts_ack m;
        if (!msg_facts_ack_decode(a, f->payload, &m)) break;
        g->acked = m.number;
        if (!g->synced && c->on_gateway_synced) c->on_gateway_synced(c);
        g->synced = true;
        release_waiting(c);
        break;
    }
    case MSG_TOKEN_USED: {
        struct msg_token_used m;
        if (msg_token_used_decode(a, f->payload, &m)) control_token_used(c, m.workspace, m.id, m.time);
        break;
    }
    default:
        if (c->on_gateway) c->on_gateway(c, g, f);
    }
    arena_free(a);
}

static void on_gateway_frame(chan *ch, struct chan_frame *f, void *arg) {
    (void)ch;
    control_on_gateway_frame(arg, f);
}

static void on_gateway_close(chan *ch, const char *why, void *arg) {
    struct gateway_link *g = arg;
    struct control *c = g->control;
    log_info("gateway link closed", lf_z("why", why));
    for (size_t i = 0; i < c->gateways.n; i++)
        if (c->gateways.p[i] == g) {
            vec_remove_swap(&c->gateways, i);
            break;
        }
    str k;
    void *v;
    for (size_t i = 0; map_next(g->streams, &i, &k, &v);) {
        struct req *r = v;
        r->gone = true;
        /* One that waits for its body will never get it. */
        if (r->row && r->row->steps[r->step].lane == LANE_TAKE) {
            map_del(g->streams, k);
            r->failure = err_new(ERR_CANCELLED, "The gateway went away.");
            advance(r);
        }
    }
    map_free(g->streams);
    chan_free(ch);
    free(g);
    release_waiting(c);
}

/* Copies every fact of one map to a gateway, from the bytes that made it. */
static void send_all(struct gateway_link *g);

err *control_add_gateway(struct control *c, int fd, uint64_t instance) {
    struct gateway_link *g = calloc(1, sizeof(*g));
    must(g != NULL);
    g->control = c;
    g->instance = instance;
    g->streams = map_new();
    static const struct chan_events ev = {.on_frame = on_gateway_frame, .on_close = on_gateway_close};
    err *e = chan_new(c->l, fd, &ev, g, &g->ch);
    if (e) {
        map_free(g->streams);
        free(g);
        return e;
    }
    chan_gather(g->ch);
    vec_push(&c->gateways, g);
    CHAN_SEND(g->ch, facts_reset, 0, -1, .none = 0);
    send_all(g);
    CHAN_SEND(g->ch, facts_done, 0, -1, .number = c->facts->number);
    return NULL;
}

static void send_all(struct gateway_link *g) {
    struct facts *f = g->control->facts;
    str k;
    void *v;
    for (size_t i = 0; map_next(f->raw, &i, &k, &v);) {
        struct fact_raw *raw = v;
        struct req_fact m = {raw->kind, false, false, raw->key, raw->value, raw->fd};
        send_fact(g, &m, f->number);
    }
}

static void on_heartbeat(loop_timer *t) {
    struct control *c = (struct control *)((char *)t - offsetof(struct control, heartbeat));
    for (size_t i = 0; i < c->gateways.n; i++)
        CHAN_SEND(c->gateways.p[i]->ch, heartbeat, 0, -1, .number = c->facts->number);
    loop_timer_set(c->l, &c->heartbeat, 1000000);
}

void control_start(struct control *c) {
    c->heartbeat.on_time = on_heartbeat;
    loop_timer_set(c->l, &c->heartbeat, 1000000);
}
