/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ask `commit_managed`: versions of one or several catalog-managed tables, all or none.
 *
 *   place (read)      rights and place of each table, and its log as the catalog has it
 *   stage (work)      conflicts; each version as a staged file; nothing is committed yet
 *   ratify (write)    one write of the store raises the row of every table: the point of no return
 *   publish (work)    the versions get their own names; what a crash leaves undone, the next commit does
 *
 * When a table's row moved between place and ratify, the answer is {"again":true} and the engine asks once more.
 */
#include "api/unity_catalog/asks.h"
#include "api/unity_catalog/asks_int.h"
#include "catalog/managed.h"
#include "sys/clock.h"

#define MAX_TABLES 1000
#define MAX_VERSIONS 1000

struct part {
    jval *in;                    /* of the question */
    struct ask_commit_place place;
    struct managed_log log;
    struct delta_fs base;
    struct delta_commit_ask *asks;
    struct delta_version *staged;
    size_t n;
    int64_t published;           /* what is known to lie under its own name */
};

struct managed {
    struct part *parts;
    size_t n;
    bool again;
};

static err *open_part(struct ask *k, struct part *p) {
    struct ask one = *k;
    bool found;
    one.in = p->in;
    TRY(ask_commit_place(&one, &p->place));
    if (!p->place.table) return err_new(ERR_INVALID_PARAMETER_VALUE, "A table to be committed has no row.");
    TRY(managed_find(k->c, k->c->tx, p->place.table, &p->log, &found));
    if (!found) return err_new(ERR_INVALID_STATE, "The table is not catalog-managed.");
    p->place.control = arena_str(k->c->a, p->place.control);
    p->published = p->log.row.published;
    return NULL;
}

err *uc_managed_place(struct req *r) {
    struct caller c;
    struct ask k;
    struct managed *m = arena_new_of(r->a, struct managed);
    jval *tables = arg(r, "tables"), *v;
    size_t i, n;
    TRY(uc_ask_begin(r, &c, &k));
    *m = (struct managed){.n = yyjson_arr_size(tables)};
    if (!m->n || m->n > MAX_TABLES) return err_new(ERR_INVALID_PARAMETER_VALUE, "A commit takes 1 to %d tables.", MAX_TABLES);
    m->parts = arena_array_of(r->a, struct part, m->n);
    yyjson_arr_foreach(tables, i, n, v) {
        m->parts[i] = (struct part){.in = v};
        TRY(open_part(&k, &m->parts[i]));
        m->parts[i].base = uc_place_fs(r, &m->parts[i].place);
        for (size_t j = 0; j < i; j++)
            if (m->parts[j].place.table == m->parts[i].place.table)
                return err_new(ERR_INVALID_PARAMETER_VALUE, "A commit names a table twice.");
    }
    r->state = m;
    return NULL;
}

static err *read_asks(struct req *r, struct part *p) {
    jval *versions = json_get(p->in, "versions"), *v;
    size_t i, n;
    p->n = yyjson_arr_size(versions);
    if (!p->n || p->n > MAX_VERSIONS) return err_new(ERR_INVALID_PARAMETER_VALUE, "A commit of a table takes 1 to %d versions.", MAX_VERSIONS);
    p->asks = arena_array_of(r->a, struct delta_commit_ask, p->n);
    p->staged = arena_array_of(r->a, struct delta_version, p->n);
    yyjson_arr_foreach(versions, i, n, v) {
        TRY(delta_commit_of_json(r->a, v, &p->asks[i]));
        TRY(uc_check_paths(p->asks[i].actions, p->asks[i].n));
        TRY(uc_read_sync(r, json_get(v, "sync"), &p->asks[i]));
        p->asks[i].now_ms = clock_now() / 1000;
        p->asks[i].ict = true; /* the feature wants it */
    }
    return NULL;
}

/* What a crash, or somebody who did not, left unpublished. */
static void publish_left(struct req *r, struct part *p) {
    int64_t published = p->published;
    err *e = delta_managed_publish(&p->base, r->a, p->log.staged, p->log.n, &published);
    err_free(e);
    if (published > p->published) p->published = published;
}

static void unstage(struct req *r, struct managed *m, size_t n) {
    for (size_t i = 0; i < n; i++) delta_managed_unstage(&m->parts[i].base, r->a, m->parts[i].staged, m->parts[i].n);
}

err *uc_managed_stage(struct req *r) {
    struct managed *m = r->state;
    err *e = NULL;
    size_t done = 0;
    for (size_t i = 0; i < m->n; i++) TRY(read_asks(r, &m->parts[i]));
    for (; !e && done < m->n; done++) {
        struct part *p = &m->parts[done];
        publish_left(r, p);
        struct delta_fs fs = delta_managed_fs(r->a, &p->base, p->log.row.latest, p->log.staged, p->log.n);
        e = delta_managed_stage(&fs, r->a, p->asks, p->n, p->staged, NULL);
    }
    if (e) unstage(r, m, done - 1);
    return e;
}

static err *ratify_one(struct ask *k, struct part *p, bool *again) {
    struct ask one = *k;
    one.in = p->in;
    TRY(managed_ratify(k->c, &p->log, p->staged, p->n, p->published, again));
    return *again ? NULL : ask_commit_done(&one);
}

err *uc_managed_ratify(struct req *r) {
    struct managed *m = r->state;
    struct caller c;
    struct ask k;
    TRY(uc_ask_begin(r, &c, &k));
    /* All rows are looked at before the first is changed. */
    for (size_t i = 0; i < m->n && !m->again; i++) {
        struct managed_log now;
        bool found;
        TRY(managed_find(&c, c.tx, m->parts[i].place.table, &now, &found));
        m->again = !found || now.row.latest != m->parts[i].log.row.latest;
    }
    for (size_t i = 0; i < m->n && !m->again; i++) TRY(ratify_one(&k, &m->parts[i], &m->again));
    json_put_bool(req_doc(r), req_out(r), "again", m->again);
    return NULL;
}

/* The log as it is now, for whoever reads on. */
static void put_log(struct req *r, jmut *o, const struct part *p, int64_t published) {
    struct managed_log now = p->log;
    struct delta_version *all = arena_array_of(r->a, struct delta_version, p->log.n + p->n + 1);
    now.n = 0;
    for (size_t i = 0; i < p->log.n + p->n; i++) {
        const struct delta_version *s = i < p->log.n ? &p->log.staged[i] : &p->staged[i - p->log.n];
        if (s->version > published) all[now.n++] = *s;
    }
    now.staged = all;
    now.row.latest = p->staged[p->n - 1].version;
    managed_put(r->doc, o, &now);
}

err *uc_managed_publish(struct req *r) {
    struct managed *m = r->state;
    if (m->again) {
        unstage(r, m, m->n);
        return NULL;
    }
    jmut *list = json_put_arr(req_doc(r), req_out(r), "tables");
    for (size_t i = 0; i < m->n; i++) {
        struct part *p = &m->parts[i];
        int64_t published = -1;
        err *e = p->published < p->log.row.latest ? NULL : delta_managed_publish(&p->base, r->a, p->staged, p->n, &published);
        err_free(e); /* committed it is; the next commit publishes */
        jmut *o = json_add_obj(r->doc, list);
        json_put_int(r->doc, o, "version", p->staged[p->n - 1].version);
        json_put_int(r->doc, o, "published", published);
        put_log(r, o, p, published);
        if (p->staged[p->n - 1].version % 10 == 0) delta_managed_sweep(&p->base, published, clock_now() / 1000);
    }
    return NULL;
}
