/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imports before anyone asked: when a version becomes complete, its plan is made and put into the cache
 * (deploy.c), so that an endpoint with it is ready at once. One runs at a time; as many as EARLY_MOST
 * wait, further ones are left to the endpoint that needs them. What a restart cuts off is not taken up
 * again, for the same reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "serving/serving_int.h"

#define EARLY_MOST 64

static void forget(struct early_ask *a) {
    free(a->name);
    free(a->version);
}

static bool same(const struct deploy *d, const struct deploy *o) {
    return d->scope.account == o->scope.account && d->scope.workspace == o->scope.workspace &&
           strcmp(d->name, o->name) == 0 && strcmp(d->version, o->version) == 0;
}

static void next(struct serving *s) {
    if (s->early || !s->early_asks.n || !s->builders) return;
    static uint64_t count;
    struct early_ask a = s->early_asks.p[0];
    memmove(s->early_asks.p, s->early_asks.p + 1, --s->early_asks.n * sizeof(a));
    struct update *u = calloc(1, sizeof(*u));
    must(u != NULL);
    u->d = calloc(1, sizeof(*u->d));
    must(u->d != NULL);
    u->s = s;
    u->scope = a.scope;
    u->early = true;
    u->a = arena_new();
    u->n = u->open = 1;
    u->next = s->updates;
    s->updates = u;
    s->early = u;
    struct deploy *d = u->d;
    *d = (struct deploy){.s = s, .up = u, .scope = a.scope, .name = a.name, .version = a.version};
    snprintf(d->owner, sizeof(d->owner), "i%016llx", (unsigned long long)++count);
    deploy_begin(d);
}

static void over(void *arg) {
    struct update *u = arg;
    struct serving *s = u->s;
    struct deploy *d = u->d;
    /* Whoever serves it hears the reason then. Deleted since: nobody misses it. */
    if (d->e && err_code_of(d->e) != ERR_RESOURCE_DOES_NOT_EXIST)
        log_debug("the import of a new model version failed", lf_z("model", d->name),
                 lf_z("version", d->version), lf_err(d->e));
    s->early = NULL;
    for (struct update *o = s->updates; o; o = o->next)
        for (size_t i = 0; o != u && i < o->n; i++)
            if (o->d[i].phase == DEPLOY_WAITS && same(&o->d[i], d)) deploy_begin(&o->d[i]);
    update_free(u);
    next(s);
}

void early_over(struct deploy *d) { loop_post(d->s->c->l, over, d->up); }

bool early_joins(struct deploy *d) {
    struct update *u = d->s->early;
    return u && u != d->up && same(d, u->d);
}

void early_close(struct serving *s) {
    for (size_t i = 0; i < s->early_asks.n; i++) forget(&s->early_asks.p[i]);
    vec_free(&s->early_asks);
}

static void on_written(struct req *r) {
    struct serving *s = r->control->serving;
    struct early_ask *a = r->state;
    if (!s || s->early_asks.n >= EARLY_MOST) return;
    struct early_ask own = {a->scope, strdup(a->name), strdup(a->version)};
    must(own.name && own.version);
    vec_push(&s->early_asks, own);
    next(s);
}

void serving_import_early(struct req *r, struct store_scope scope, str name, str version) {
    struct early_ask *a = arena_new_of(r->a, struct early_ask);
    *a = (struct early_ask){scope, arena_printf(r->a, "%.*s", STR_ARG(name)),
                            arena_printf(r->a, "%.*s", STR_ARG(version))};
    r->state = a;
    r->after = on_written;
}
