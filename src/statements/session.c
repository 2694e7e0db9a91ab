/* SPDX-License-Identifier: Apache-2.0 */
#include "statements/session.h"

#include <stdio.h>

#include "catalog/ask.h"
#include "catalog/securable.h"
#include "statements/statements_int.h"
#include "sys/rand.h"

#define MAX_CONF 500
#define MAX_CONF_BYTES 65536u

/* ---- the list by use ---- */

static void unlist(struct statements *svc, struct sql_session *s) {
    *(s->prev ? &s->prev->next : &svc->oldest) = s->next;
    *(s->next ? &s->next->prev : &svc->newest) = s->prev;
    s->next = s->prev = NULL;
}

static void list_newest(struct statements *svc, struct sql_session *s) {
    s->prev = svc->newest;
    s->next = NULL;
    *(svc->newest ? &svc->newest->next : &svc->oldest) = s;
    svc->newest = s;
}

void session_touch(struct sql_session *s) {
    struct statements *svc = s->w->svc;
    s->used = loop_now(svc->c->l);
    unlist(svc, s);
    list_newest(svc, s);
}

/* ---- settings ---- */

static str upper(buf *b, str name) {
    for (size_t i = 0; i < name.n; i++)
        buf_c(b, name.p[i] >= 'a' && name.p[i] <= 'z' ? (char)(name.p[i] - 32) : name.p[i]);
    return buf_view(b);
}

void session_set(struct sql_session *s, str name, str value) {
    buf key = {0};
    str k = upper(&key, name);
    free(value.p ? map_put(s->conf, k, dup_text(value)) : map_del(s->conf, k));
    buf_free(&key);
}

str session_setting(const struct sql_session *s, const char *name) {
    const char *v = map_get(s->conf, str_of(name));
    return v ? str_of(v) : STR_NONE;
}

void session_conf(const struct sql_session *s, arena *a, const struct msg_pair **ret, size_t *ret_n) {
    struct msg_pair *p = arena_array_of(a, struct msg_pair, map_size(s->conf) + 1);
    size_t n = 0;
    str k;
    void *v;
    for (size_t i = 0; map_next(s->conf, &i, &k, &v);)
        p[n++] = (struct msg_pair){arena_str(a, k), arena_str(a, str_of(v))};
    *ret = p;
    *ret_n = n;
}

static void replace(char **at, str v) {
    free(*at);
    *at = dup_text(v);
}

void session_changed(struct sql_session *s, jval *change) {
    jval *key, *value;
    yyjson_obj_iter it;
    if (json_get_str(change, "catalog").n) replace(&s->catalog, json_get_str(change, "catalog"));
    if (json_get_str(change, "schema").n) replace(&s->schema, json_get_str(change, "schema"));
    jval *autocommit = json_get(change, "autocommit"), *transaction = json_get(change, "transaction");
    if (autocommit) s->manual = yyjson_is_false(autocommit);
    if (transaction) s->transaction = yyjson_is_true(transaction);
    yyjson_obj_iter_init(json_get(change, "conf"), &it);
    while ((key = yyjson_obj_iter_next(&it))) {
        value = yyjson_obj_iter_get_val(key);
        session_set(s, json_str(key), yyjson_is_str(value) ? json_str(value) : STR_NONE);
    }
}

/* ---- opening ---- */

/* What the workspace sets for every session: {"configuration_pairs":[{"key","value"}]}. */
static void set_parameters(struct sql_session *s, str json) {
    arena *a = arena_new();
    jval *v = NULL, *e;
    size_t i, n;
    err *bad = json.n ? json_parse(a, json, false, &v) : NULL;
    err_free(bad);
    yyjson_arr_foreach(json_get(v, "configuration_pairs"), i, n, e) {
        if (json_get_str(e, "key").n && i < MAX_CONF) session_set(s, json_get_str(e, "key"), json_get_str(e, "value"));
    }
    arena_free(a);
}

static err *check_conf(const struct session_ask *ask) {
    if (ask->n_conf > MAX_CONF)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A session takes at most %d settings.", MAX_CONF);
    for (size_t i = 0; i < ask->n_conf; i++) {
        if (!ask->conf[i].name.n || ask->conf[i].name.n > 255)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is not the name of a setting.",
                           STR_ARG(str_cut(ask->conf[i].name, 64)));
        if (ask->conf[i].value.n > MAX_CONF_BYTES)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "The value of '%.*s' has more than %u bytes.",
                           STR_ARG(ask->conf[i].name), MAX_CONF_BYTES);
    }
    return NULL;
}

static bool has_control(str name) {
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < 32) return true;
    return false;
}

err *session_look(struct req *r, str catalog) {
    if (!catalog.n || str_ieq(catalog, STR("system")) || has_control(catalog)) return NULL;
    struct caller c = {.tx = r->tx, .today = store_tx_today(r->tx), .scope = r->scope, .a = r->a, .who = &r->who, .name = r->principal_name};
    struct securable s;
    bool found = false;
    err *bad = securable_find(&c, SEC_CATALOG, catalog, &s, &found); /* a name that none can have */
    if (!bad && found) TRY(ask_sql(securable_unbound(&c, &s)));
    bool unknown = bad || !found || !securable_visible(&c, &s);
    err_free(bad);
    return unknown ? ask_error("NO_SUCH_CATALOG_EXCEPTION", "42704", "There is no catalog '%.*s', or you may not use it.", STR_ARG(str_cut(catalog, 255)))
                   : NULL;
}

err *session_open(struct req *r, const struct session_ask *ask, struct sql_session **ret) {
    struct warehouse *w = ask->w;
    struct statements *svc = w->svc;
    TRY(warehouse_need(w, &r->who, r->principal_name, WAREHOUSES_CAN_USE));
    TRY(check_conf(ask));
    int64_t most = settings_int(&svc->c->settings, SET_SQL_MAX_SESSIONS);
    if (!ask->of_one && w->n_sessions >= (size_t)most)
        return err_new(ERR_RESOURCE_EXHAUSTED, "SQL warehouse '%s' has %lld sessions, the most it takes.",
                       w->id, (long long)most);
    if (ask->catalog.n > 255 || ask->schema.n > 255)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A catalog or schema name has more than 255 bytes.");
    if (has_control(ask->catalog) || has_control(ask->schema))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A catalog or schema name has a control character.");
    struct sql_session *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->w = w;
    rand_uuid(s->id);
    s->scope = r->scope;
    s->user = r->principal;
    s->user_name = dup_text(r->principal_name);
    s->client = dup_text(str_cut(ask->client, 255));
    s->catalog = dup_text(ask->catalog.n ? ask->catalog : str_of(w->default_catalog));
    s->schema = dup_text(ask->schema.n ? ask->schema : STR("default"));
    s->conf = map_new();
    s->running = map_new();
    set_parameters(s, str_of(w->parameters));
    for (size_t i = 0; i < ask->n_conf; i++) session_set(s, ask->conf[i].name, ask->conf[i].value);
    s->of_one = ask->of_one;
    s->used = loop_now(svc->c->l);
    w->n_sessions++;
    list_newest(svc, s);
    map_put(svc->sessions, str_of(s->id), s);
    *ret = s;
    if (ask->of_one) return NULL;
    err *e = warehouse_start(w); /* the first statement says it, if it still holds then */
    err_free(e);
    return NULL;
}

err *session_find(struct req *r, str id, const struct warehouse *w, struct sql_session **ret) {
    struct statements *svc = statements_of(r->control);
    struct sql_session *s = map_get(svc->sessions, id);
    if (s && !s->of_one && !s->closed && s->scope.workspace == r->scope.workspace &&
        s->user == r->principal && (!w || s->w == w)) {
        *ret = s;
        return NULL;
    }
    return err_hint(err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Session '%.*s' does not exist; it was closed or "
                            "has expired, or the platform was restarted.",
                            STR_ARG(str_cut(id, 64))),
                    "Open a new session.");
}

/* ---- where it is open ---- */

/* What the engine must know of transactions (engine/worker/txn.h). */
static void put_transaction(const struct sql_session *s, arena *a, struct engine_session *open) {
    struct msg_pair *p = arena_array_of(a, struct msg_pair, open->n_conf + 2);
    if (!s->manual && !s->transaction) return;
    if (open->n_conf) memcpy(p, open->conf, open->n_conf * sizeof(*p));
    if (s->manual) p[open->n_conf++] = (struct msg_pair){STR("txn.autocommit"), STR("false")};
    if (s->transaction) p[open->n_conf++] = (struct msg_pair){STR("txn.lost"), STR("true")};
    open->conf = p;
}

void session_on(struct sql_session *s, struct cluster *cl) {
    if (s->cluster == cl) return;
    if (s->cluster && s->cluster->e) engine_session_close(s->cluster->e, str_of(s->id));
    s->cluster = cl;
    arena *a = arena_new();
    struct engine_session open = {.id = str_of(s->id),
                                  .catalog = str_of(s->catalog),
                                  .schema = str_of(s->schema),
                                  .user = str_of(s->user_name)};
    session_conf(s, a, &open.conf, &open.n_conf);
    put_transaction(s, a, &open);
    engine_session_open(cl->e, &open);
    arena_free(a);
}

void sessions_left(struct cluster *cl) {
    for (struct sql_session *s = cl->w->svc->oldest; s; s = s->next)
        if (s->cluster == cl) s->cluster = NULL;
}

/* ---- ending ---- */

static void session_free(struct sql_session *s) {
    struct statements *svc = s->w->svc;
    if (s->cluster && s->cluster->e) engine_session_close(s->cluster->e, str_of(s->id));
    s->w->n_sessions--;
    unlist(svc, s);
    map_del(svc->sessions, str_of(s->id));
    str k;
    void *v;
    for (size_t i = 0; map_next(s->conf, &i, &k, &v);) free(v);
    map_free(s->conf);
    map_free(s->running);
    free(s->user_name);
    free(s->client);
    free(s->catalog);
    free(s->schema);
    free(s);
}

void session_release(struct sql_session *s) {
    must(s->statements > 0);
    if (--s->statements == 0 && (s->closed || s->of_one)) session_free(s);
}

void session_close(struct sql_session *s) {
    if (s->closed) return;
    s->closed = true;
    if (!s->statements) {
        session_free(s);
        return;
    }
    /* Cancelling one may end it, and with the last one the session. */
    vec_of(struct statement *) run = {0};
    str k;
    void *v;
    for (size_t i = 0; map_next(s->running, &i, &k, &v);) {
        statement_hold(v);
        vec_push(&run, v);
    }
    for (size_t i = 0; i < run.n; i++) {
        statement_cancel(run.p[i], "its session was closed");
        statement_drop(run.p[i]);
    }
    vec_free(&run);
}

void sessions_forget_warehouse(struct statements *svc, struct warehouse *w) {
    for (struct sql_session *s = svc->oldest, *next; s; s = next) {
        next = s->next;
        if (s->w == w) session_free(s);
    }
}

void sessions_sweep(struct statements *svc) {
    int64_t most = settings_int(&svc->c->settings, SET_SQL_SESSION_IDLE), now = loop_now(svc->c->l);
    for (struct sql_session *s = svc->oldest, *next; s && now - s->used > most; s = next) {
        next = s->next;
        if (!s->statements && !s->of_one) session_close(s);
    }
}
