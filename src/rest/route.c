/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/route.h"

#include <stdlib.h>

#define MAX_SEGMENTS 64

struct node {
    map *literals; /* segment -> struct node */
    struct node *param, *rest;
    vec_of(const struct route_row *) rows; /* ending here, one per method */
};

struct router {
    struct node root;
};

static struct node *node_new(void) {
    struct node *n = calloc(1, sizeof(*n));
    must(n != NULL);
    return n;
}

static struct node *child(struct node *n, str seg) {
    if (seg.n > 2 && seg.p[0] == '{' && seg.p[seg.n - 1] == '}') {
        struct node **slot = seg.p[seg.n - 2] == '*' ? &n->rest : &n->param;
        if (!*slot) *slot = node_new();
        return *slot;
    }
    if (!n->literals) n->literals = map_new();
    struct node *c = map_get(n->literals, seg);
    if (!c) {
        c = node_new();
        map_put(n->literals, seg, c);
    }
    return c;
}

bool route_served(const struct route_row *r) {
    for (const struct route_step *s = r->steps; s->lane != LANE_END; s++)
        if (s->lane != LANE_TAKE && !s->fn) return false;
    return true;
}

router *router_new(const struct route_row *rows, size_t n) {
    router *t = calloc(1, sizeof(*t));
    must(t != NULL);
    for (size_t i = 0; i < n; i++) {
        if (!route_served(&rows[i])) continue;
        str rest = str_from(str_of(rows[i].path), 1), seg;
        struct node *at = &t->root;
        while (str_split(&rest, '/', &seg)) at = child(at, seg);
        vec_push(&at->rows, &rows[i]);
    }
    return t;
}

static void node_clear(struct node *n) {
    if (!n) return;
    if (n->literals) {
        str k;
        void *v;
        for (size_t i = 0; map_next(n->literals, &i, &k, &v);) {
            node_clear(v);
            free(v);
        }
        map_free(n->literals);
    }
    node_clear(n->param);
    free(n->param);
    node_clear(n->rest);
    free(n->rest);
    vec_free(&n->rows);
}

void router_free(router *t) {
    if (!t) return;
    node_clear(&t->root);
    free(t);
}

struct search {
    str segs[MAX_SEGMENTS];
    int n;
    str path, method;
    struct route_match *m;
    str values[ROUTE_MAX_PARAMS];
    int n_values;
};

static bool ends_here(struct search *s, const struct node *at) {
    for (size_t i = 0; i < at->rows.n; i++) {
        const struct route_row *r = at->rows.p[i];
        if (!str_eqz(s->method, r->method) &&
            !(str_eqz(s->method, "HEAD") && strcmp(r->method, "GET") == 0))
            continue;
        s->m->row = r;
        if (str_eqz(s->method, r->method)) return true;
    }
    if (!s->m->row && at->rows.n) s->m->other_method = true;
    return s->m->row != NULL;
}

/* Depth is bounded by MAX_SEGMENTS; each level tries at most three children. */
static bool walk(struct search *s, const struct node *at, int i) {
    if (i == s->n) return ends_here(s, at);
    struct node *c = at->literals ? map_get(at->literals, s->segs[i]) : NULL;
    if (c && walk(s, c, i + 1)) return true;
    if (at->param && s->segs[i].n && s->n_values < ROUTE_MAX_PARAMS) {
        s->values[s->n_values++] = s->segs[i];
        if (walk(s, at->param, i + 1)) return true;
        s->n_values--;
    }
    if (at->rest && s->n_values < ROUTE_MAX_PARAMS) {
        const char *from = s->segs[i].p;
        s->values[s->n_values++] = str_n(from, (size_t)(s->path.p + s->path.n - from));
        if (ends_here(s, at->rest)) return true;
        s->n_values--;
    }
    return false;
}

static void name_params(struct search *s) {
    str rest = str_from(str_of(s->m->row->path), 1), seg;
    int k = 0;
    while (k < s->n_values && str_split(&rest, '/', &seg)) {
        if (seg.n < 3 || seg.p[0] != '{') continue;
        bool star = seg.p[seg.n - 2] == '*';
        s->m->params[k].name = str_n(seg.p + 1, seg.n - (star ? 3 : 2));
        s->m->params[k].value = s->values[k];
        k++;
    }
    s->m->n = k;
}

struct route_match router_find(const router *t, str method, str path) {
    struct route_match m = {0};
    struct search s = {.method = method, .m = &m};
    if (path.n == 0 || path.p[0] != '/') return m;
    if (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    s.path = path;
    str rest = str_from(path, 1), seg;
    while (str_split(&rest, '/', &seg)) {
        if (s.n == MAX_SEGMENTS) return m;
        s.segs[s.n++] = seg;
    }
    if (walk(&s, &t->root, 0)) name_params(&s);
    return m;
}
