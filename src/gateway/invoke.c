/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invocations: credential → endpoint → policy → body → entity by traffic → score.
 *
 * Everything is decided from facts in this process. A native plan is scored right here, between two
 * events of the loop; any other entity is handed to a runtime_host (host.c) and answered later.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "base/json.h"
#include "base/log.h"
#include "gateway/entity.h"
#include "plan/scorer.h"
#include "policy/credential.h"
#include "policy/workspace.h"
#include "sys/clock.h"
#include "sys/rand.h"

const int64_t entity_bounds[ENTITY_BUCKETS] = {50,     100,    250,     500,     1000,    2500,   5000,
                                               10000,  25000,  50000,   100000,  500000,  1000000,
                                               10000000};

/* ---- entities ---- */

struct entity_rt *entity_get(struct gateway *g, int64_t id) {
    str key = str_n((const char *)&id, sizeof(id));
    struct entity_rt *e = map_get(g->entities, key);
    if (e) return e;
    e = calloc(1, sizeof(*e));
    must(e != NULL);
    e->id = id;
    e->queue_tail = &e->queue;
    map_put(g->entities, key, e);
    return e;
}

void entity_plan_changed(struct gateway *g, int64_t id, bool removed) {
    struct fact_plan *f = facts_plan(g->facts, id);
    struct entity_rt *e = map_get(g->entities, str_n((const char *)&id, sizeof(id)));
    if (e) {
        e->plan = NULL;
        arena_free(e->a);
        e->a = NULL;
    }
    if (!f) {
        if (e && removed) host_retire(e);
        return;
    }
    e = entity_get(g, id);
    const struct plan *p;
    err *bad = plan_check(str_n(f->base, f->size), &p);
    if (bad) {
        log_error("model plan refused", lf_int("entity", id), lf_err(bad));
        err_free(bad);
        return;
    }
    f->plan = p;
    e->plan = p;
    e->a = arena_new();
    tab_schema_of_plan(e->a, p, &e->schema);
}

void entity_count(struct entity_rt *e, int status, int64_t us) {
    e->requests++;
    if (status >= 500)
        e->errors_5xx++;
    else if (status >= 400)
        e->errors_4xx++;
    int i = 0;
    while (i < ENTITY_BUCKETS && us > entity_bounds[i]) i++;
    e->buckets[i]++;
    e->sum_us += (double)us;
}

void invoke_fact_changed(struct gateway *g, uint16_t kind, bool remove, str key) {
    int64_t id = 0;
    if (key.n >= 8) memcpy(&id, key.p, 8);
    if (kind == FACT_PLAN) entity_plan_changed(g, id, remove);
    if (kind) return;
    /* A whole new table: look at every plan again. */
    (void)remove;
    str k;
    void *v;
    for (size_t i = 0; map_next(g->entities, &i, &k, &v);) {
        struct entity_rt *e = v;
        e->plan = NULL;
        arena_free(e->a);
        e->a = NULL;
    }
    for (size_t i = 0; map_next(g->facts->plans, &i, &k, &v);)
        entity_plan_changed(g, ((struct fact_plan *)v)->id, false);
}

/* ---- answers ---- */

static void count(struct invocation *v, int status) {
    if (v->rt) {
        entity_count(v->rt, status, (clock_ticks() - v->began) / 1000);
        v->rt->last_used = clock_mono();
    }
    v->g->answered++;
}

void invoke_answer(struct invocation *v, int status, const char *type, str body) {
    loop_timer_clear(v->g->l, &v->deadline);
    count(v, status);
    struct http_header h[2] = {{STR("Content-Type"), str_of(type)},
                               {STR("served-model-name"), v->served_name}};
    http_respond(v->st, status, h, v->served_name.n ? 2 : 1, body, true);
}

void invoke_error(struct invocation *v, err *e) {
    int status = err_status(err_code_of(e));
    buf b = {0};
    err_to_json(e, &b);
    err_free(e);
    struct http_header h[3] = {{STR("Content-Type"), STR("application/json")}};
    size_t n = 1;
    if (v->served_name.n) h[n++] = (struct http_header){STR("served-model-name"), v->served_name};
    if (status == 503 || status == 429) h[n++] = (struct http_header){STR("Retry-After"), STR("1")};
    if (status == 401)
        h[n++] = (struct http_header){STR("WWW-Authenticate"), STR("Bearer realm=\"boathouse\"")};
    loop_timer_clear(v->g->l, &v->deadline);
    count(v, status);
    http_respond(v->st, status, h, n, buf_view(&b), true);
    buf_free(&b);
}

/* ---- who may ask what ---- */

/* /serving-endpoints/{name}/invocations, /serving-endpoints/{name}/served-models/{m}/invocations */
static bool parse_path(str path, str *name, str *served) {
    str rest = path, seg[6];
    int n = 0;
    if (!str_starts(path, STR("/serving-endpoints/"))) return false;
    rest = str_from(rest, 1);
    while (n < 6 && str_split(&rest, '/', &seg[n])) n++;
    if (n && rest.p == NULL && seg[n - 1].n == 0) n--; /* trailing slash */
    if (n == 3 && str_eqz(seg[2], "invocations")) {
        *name = seg[1];
        *served = STR("");
        return true;
    }
    if (n == 5 && str_eqz(seg[2], "served-models") && str_eqz(seg[4], "invocations")) {
        *name = seg[1];
        *served = seg[3];
        return true;
    }
    return false;
}

static err *workspace_of(struct gateway *g, const struct http_request *req,
                         const struct credential *c, int64_t *ret) {
    struct workspace_asked asked = {.workspace_id = http_header_of(req, "x-databricks-workspace-id"),
                                    .org_id = http_header_of(req, "x-databricks-org-id"),
                                    .query = req->query,
                                    .host = req->host,
                                    .bound = c->workspace};
    return workspace_choose(g->facts, &asked, ret);
}

static err *not_there(void) {
    return err_new(ERR_ENDPOINT_NOT_FOUND,
                   "The given endpoint does not exist, please retry after checking the specified "
                   "model and version deployment exists.");
}

static err *admit(struct gateway *g, struct invocation *v, const struct http_request *req) {
    if (!g->synced) return err_new(ERR_TEMPORARILY_UNAVAILABLE, "The platform is starting.");
    int64_t stale = settings_int(&g->settings, SET_GATEWAY_MAX_STALE);
    if (!g->control && clock_mono() - g->last_heard > stale)
        return err_new(ERR_TEMPORARILY_UNAVAILABLE,
                       "The control plane has not been heard from for too long.");
    struct credential c;
    TRY(credential_check(g->facts, http_header_of(req, "authorization"), clock_now(), &c));
    if (c.note && g->control)
        CHAN_SEND(g->control, token_used, 0, -1, .workspace = c.workspace, .id = str_of(c.id),
                  .time = clock_now());
    TRY(workspace_of(g, req, &c, &v->workspace));
    v->principal = c.principal->id;
    struct policy_subject who = facts_subject(c.principal, v->workspace);
    if (!facts_membership(c.principal, v->workspace))
        return err_new(ERR_PERMISSION_DENIED, "'%s' is not a member of workspace %lld.",
                       c.principal->name, (long long)v->workspace);
    struct fact_endpoint *ep = facts_endpoint(g->facts, v->workspace, v->endpoint_name);
    if (!ep) return not_there();
    struct policy_node node = {.owner = ep->owner, .what = ep->name, .entries = ep->acl, .n = ep->n_acl};
    struct policy_verdict d =
        policy_level(&who, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_QUERY, &node, 1);
    if (!d.allow)
        return err_new(ERR_PERMISSION_DENIED,
                       "User '%s' does not have CAN_QUERY permission on serving endpoint '%s'.",
                       c.principal->name, ep->name);
    v->endpoint_id = ep->id;
    if (ep->state == 3)
        return err_new(ERR_BAD_REQUEST, "The endpoint '%s' is stopped; start it first.", ep->name);
    if (!ep->n_entities)
        return err_new(ERR_INVALID_STATE, "The endpoint '%s' is not ready yet.", ep->name);
    return NULL;
}

bool invoke_begin(struct gateway *g, http_stream *st, const struct http_request *req) {
    str name, served;
    if (!parse_path(req->path, &name, &served)) return false;
    if (!str_eqz(req->method, "POST")) return false; /* control says what is wrong */
    struct invocation *v = arena_new_of(http_arena(st), struct invocation);
    v->g = g;
    v->st = st;
    v->endpoint_name = name;
    v->served = served;
    v->began = clock_ticks();
    struct gw_stream *s = http_data(st);
    s->invocation = v;
    err *e = admit(g, v, req);
    int64_t limit = settings_int(&g->settings, SET_SERVING_PAYLOAD_LIMIT);
    if (!e && req->content_length > limit)
        e = err_new(ERR_PAYLOAD_TOO_LARGE, "The request body is larger than %lld bytes.",
                    (long long)limit);
    if (e) {
        invoke_error(v, e);
        return true;
    }
    v->body.max = (size_t)limit;
    return true;
}

void invoke_body(struct invocation *v, str piece) {
    if (http_responded(v->st)) return;
    buf_str(&v->body, piece);
    if (v->body.overflow)
        invoke_error(v, err_new(ERR_PAYLOAD_TOO_LARGE, "The request body is larger than %zu bytes.",
                                v->body.max));
}

void invoke_gone(struct invocation *v) {
    loop_timer_clear(v->g->l, &v->deadline);
    host_cancel(v);
    buf_free(&v->body);
}

/* ---- scoring ---- */

/* By traffic; entities without any get nothing, unless asked for by name. */
static struct fact_entity *choose(struct invocation *v, struct fact_endpoint *ep) {
    if (v->served.n) {
        for (size_t i = 0; i < ep->n_entities; i++)
            if (str_eqz(v->served, ep->entities[i].name)) return &ep->entities[i];
        return NULL;
    }
    if (ep->n_entities == 1) return &ep->entities[0];
    uint32_t total = 0;
    for (size_t i = 0; i < ep->n_entities; i++) total += ep->entities[i].traffic;
    if (!total) return &ep->entities[0];
    uint32_t at = (uint32_t)(rand_u64() % total);
    for (size_t i = 0; i < ep->n_entities; i++) {
        if (at < ep->entities[i].traffic) return &ep->entities[i];
        at -= ep->entities[i].traffic;
    }
    return &ep->entities[0];
}

enum body_kind { BODY_JSON, BODY_CSV, BODY_OTHER };

static err *content_type(struct invocation *v, enum body_kind *ret) {
    str ct = http_header_of(http_request_of(v->st), "content-type"), mime, p;
    str rest = ct;
    if (!ct.n) {
        *ret = BODY_JSON;
        return NULL;
    }
    str_split(&rest, ';', &mime);
    mime = str_trim(mime);
    while (str_split(&rest, ';', &p)) {
        p = str_trim(p);
        if (p.n && !str_ieq(p, STR("charset=utf-8")) && !str_ieq(p, STR("charset=\"utf-8\"")))
            return err_new(ERR_UNSUPPORTED_MEDIA_TYPE,
                           "Unrecognized content type parameters: %.*s. IMPORTANT: The MLflow Model "
                           "scoring protocol has changed in MLflow version 2.0.",
                           STR_ARG(str_cut(p, 100)));
    }
    if (str_ieq(mime, STR("application/json")))
        *ret = BODY_JSON;
    else if (str_ieq(mime, STR("text/csv")))
        *ret = BODY_CSV;
    else if (str_ieq(mime, STR("application/x-www-form-urlencoded")))
        *ret = BODY_JSON; /* curl -d without a type */
    else
        return err_new(ERR_UNSUPPORTED_MEDIA_TYPE,
                       "This predictor only supports the following content types: Types: "
                       "['text/csv', 'application/json']. Got '%.*s'.",
                       STR_ARG(str_cut(ct, 100)));
    return NULL;
}

static err *score(struct invocation *v, struct entity_rt *e) {
    struct gateway *g = v->g;
    struct tab_batch *b = &g->batch;
    TRY(v->csv ? tab_read_csv(&e->schema, buf_view(&v->body), b)
               : tab_read_json(&e->schema, buf_view(&v->body), b));
    if (!g->plan_scratch) g->plan_scratch = plan_scratch_new();
    struct plan_batch in = {.n = b->rows, .num = b->num, .text = b->text};
    struct plan_output out;
    int64_t t0 = clock_ticks();
    TRY(plan_predict(e->plan, g->plan_scratch, &in, &out));
    e->predict_us += (double)(clock_ticks() - t0) / 1000;
    buf_clear(&g->scratch);
    buf_z(&g->scratch, "{\"predictions\": ");
    plan_write_predictions(&out, &g->scratch);
    buf_c(&g->scratch, '}');
    invoke_answer(v, 200, "application/json", buf_view(&g->scratch));
    if (g->scratch.cap > 4 * 1024 * 1024) buf_free(&g->scratch);
    return NULL;
}

static void on_deadline(loop_timer *t) {
    struct invocation *v = (struct invocation *)((char *)t - offsetof(struct invocation, deadline));
    host_cancel(v);
    invoke_error(v, err_new(ERR_DEADLINE_EXCEEDED, "Request processing time exceeded limit"));
}

void invoke_body_end(struct invocation *v) {
    if (http_responded(v->st)) return;
    struct gateway *g = v->g;
    enum body_kind kind = BODY_JSON;
    err *bad = content_type(v, &kind);
    /* The facts may have changed while the body came. */
    struct fact_endpoint *ep = bad ? NULL : facts_endpoint(g->facts, v->workspace, v->endpoint_name);
    if (!bad && (!ep || ep->id != v->endpoint_id)) bad = not_there();
    struct fact_entity *fe = bad ? NULL : choose(v, ep);
    if (!bad && !fe)
        bad = err_new(ERR_RESOURCE_DOES_NOT_EXIST, "The endpoint '%s' has no served entity '%.*s'.",
                      ep->name, STR_ARG(v->served));
    if (bad) {
        invoke_error(v, bad);
        return;
    }
    v->csv = kind == BODY_CSV;
    v->entity = fe->id;
    v->served_name = arena_str(http_arena(v->st), str_of(fe->name));
    v->rt = entity_get(g, fe->id);
    if (fe->kind == 1) {
        bad = v->rt->plan ? score(v, v->rt)
                          : err_new(ERR_TEMPORARILY_UNAVAILABLE, "The model is being loaded.");
        if (bad) invoke_error(v, bad);
        return;
    }
    if (!v->deadline.on_time) {
        v->deadline.on_time = on_deadline;
        loop_timer_set(g->l, &v->deadline, settings_int(&g->settings, SET_SERVING_TIMEOUT));
    }
    host_submit(v, fe);
}

void invoke_again(struct invocation *v) {
    v->rt = NULL;
    invoke_body_end(v);
}
