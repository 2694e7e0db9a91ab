/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/facts.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/wire.h"

#define MAX_LIST 100000u

struct facts *facts_new(bool keep_raw) {
    struct facts *f = calloc(1, sizeof(*f));
    must(f != NULL);
    f->tokens = map_new();
    f->principals = map_new();
    f->workspaces = map_new();
    f->signers = map_new();
    f->endpoints = map_new();
    f->plans = map_new();
    f->jwts = map_new();
    f->raw = map_new();
    f->keep_raw = keep_raw;
    return f;
}

static char *dup_z(str s) {
    char *p = malloc(s.n + 1);
    must(p != NULL);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

static void free_principal(void *v) {
    struct fact_principal *p = v;
    if (!p) return;
    free(p->name);
    free(p->groups);
    free(p->workspaces);
    free(p);
}

static void free_workspace(void *v) {
    struct fact_workspace *w = v;
    if (!w) return;
    free(w->name);
    free(w->host);
    free(w);
}

static void free_endpoint(void *v) {
    struct fact_endpoint *e = v;
    if (!e) return;
    for (size_t i = 0; i < e->n_entities; i++) {
        free(e->entities[i].name);
        free(e->entities[i].owner);
        free(e->entities[i].schema);
    }
    free(e->entities);
    free(e->acl);
    free(e->name);
    free(e);
}

static void free_plan(void *v) {
    struct fact_plan *p = v;
    if (!p) return;
    if (p->base) munmap((void *)(uintptr_t)p->base, p->size);
    free(p);
}

static void free_raw(void *v) {
    struct fact_raw *r = v;
    if (!r) return;
    if (r->fd >= 0) close(r->fd);
    free(r);
}

static void clear_map(map *m, void (*fn)(void *)) {
    str k;
    void *v;
    for (size_t i = 0; map_next(m, &i, &k, &v);) {
        map_del(m, k);
        fn(v);
    }
}

void facts_clear(struct facts *f) {
    clear_map(f->tokens, free);
    clear_map(f->principals, free_principal);
    clear_map(f->workspaces, free_workspace);
    clear_map(f->signers, free);
    clear_map(f->endpoints, free_endpoint);
    clear_map(f->plans, free_plan);
    clear_map(f->jwts, free);
    clear_map(f->raw, free_raw);
    f->terms_accepted = false;
    f->default_workspace = 0;
    f->number = 0;
}

void facts_free(struct facts *f) {
    if (!f) return;
    facts_clear(f);
    map_free(f->tokens);
    map_free(f->principals);
    map_free(f->workspaces);
    map_free(f->signers);
    map_free(f->endpoints);
    map_free(f->plans);
    map_free(f->jwts);
    map_free(f->raw);
    free(f);
}

static uint32_t get_count(struct wire_in *in, size_t least) {
    uint32_t n = wire_get_u32(in);
    if (n > MAX_LIST || (size_t)n * least > in->rest.n) {
        in->ok = false;
        return 0;
    }
    return n;
}

static void *array(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size);
    must(p != NULL);
    return p;
}

static void *read_token(struct wire_in *in) {
    struct fact_token *t = array(1, sizeof(*t));
    t->principal = wire_get_i64(in);
    t->workspace = wire_get_i64(in);
    t->expires_us = wire_get_i64(in);
    str id = str_cut(wire_get_str(in), sizeof(t->id) - 1);
    if (id.n) memcpy(t->id, id.p, id.n);
    return t;
}

static void *read_principal(struct wire_in *in, int64_t id) {
    struct fact_principal *p = array(1, sizeof(*p));
    p->id = id;
    p->type = wire_get_u8(in);
    p->active = wire_get_bool(in);
    p->name = dup_z(wire_get_str(in));
    p->n_groups = get_count(in, 8);
    p->groups = array(p->n_groups, sizeof(int64_t));
    for (size_t i = 0; i < p->n_groups; i++) p->groups[i] = wire_get_i64(in);
    p->n_workspaces = get_count(in, 9);
    p->workspaces = array(p->n_workspaces, sizeof(*p->workspaces));
    for (size_t i = 0; i < p->n_workspaces; i++) {
        p->workspaces[i].workspace = wire_get_i64(in);
        p->workspaces[i].admin = wire_get_bool(in);
    }
    p->account_admin = wire_get_bool(in);
    return p;
}

static void *read_workspace(struct wire_in *in, int64_t id) {
    struct fact_workspace *w = array(1, sizeof(*w));
    w->id = id;
    w->name = dup_z(wire_get_str(in));
    w->host = dup_z(wire_get_str(in));
    w->state = wire_get_u8(in);
    return w;
}

static void *read_endpoint(struct wire_in *in, int64_t workspace, str name) {
    struct fact_endpoint *e = array(1, sizeof(*e));
    e->workspace = workspace;
    e->name = dup_z(name);
    e->id = wire_get_i64(in);
    e->owner = wire_get_i64(in);
    e->state = wire_get_u8(in);
    e->n_acl = get_count(in, 16);
    e->acl = array(e->n_acl, sizeof(*e->acl));
    for (size_t i = 0; i < e->n_acl; i++) {
        e->acl[i].principal = wire_get_i64(in);
        e->acl[i].right = wire_get_u64(in);
    }
    e->n_entities = get_count(in, 30);
    e->entities = array(e->n_entities, sizeof(*e->entities));
    for (size_t i = 0; i < e->n_entities; i++) {
        struct fact_entity *t = &e->entities[i];
        t->id = wire_get_i64(in);
        t->name = dup_z(wire_get_str(in));
        t->kind = wire_get_u8(in);
        t->traffic = wire_get_u32(in);
        t->concurrency = wire_get_u32(in);
        t->scale_to_zero = wire_get_bool(in);
        t->owner = dup_z(wire_get_str(in));
        t->schema = dup_z(wire_get_str(in));
    }
    return e;
}

static err *read_plan(int fd, int64_t id, void **ret) {
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) return err_new(ERR_INTERNAL_ERROR, "plan without a file");
    struct fact_plan *p = array(1, sizeof(*p));
    p->id = id;
    p->size = (size_t)st.st_size;
    void *m = mmap(NULL, p->size, PROT_READ, MAP_SHARED, fd, 0);
    if (m == MAP_FAILED) {
        free(p);
        return err_errno("cannot map a model plan");
    }
    p->base = m;
    *ret = p;
    return NULL;
}

static int64_t key_id(str key) {
    uint64_t id = 0;
    if (key.n >= 8) memcpy(&id, key.p, 8);
    return (int64_t)id;
}

struct kind_ops {
    map *m;
    void (*release)(void *);
};

static struct kind_ops ops_of(struct facts *f, uint16_t kind) {
    switch (kind) {
    case FACT_TOKEN: return (struct kind_ops){f->tokens, free};
    case FACT_PRINCIPAL: return (struct kind_ops){f->principals, free_principal};
    case FACT_WORKSPACE: return (struct kind_ops){f->workspaces, free_workspace};
    case FACT_SIGNER: return (struct kind_ops){f->signers, free};
    case FACT_ENDPOINT: return (struct kind_ops){f->endpoints, free_endpoint};
    case FACT_PLAN: return (struct kind_ops){f->plans, free_plan};
    default: return (struct kind_ops){NULL, NULL};
    }
}

static err *read_value(uint16_t kind, str key, str value, int fd, void **ret) {
    struct wire_in in = {value, true};
    switch (kind) {
    case FACT_TOKEN: *ret = read_token(&in); break;
    case FACT_PRINCIPAL: *ret = read_principal(&in, key_id(key)); break;
    case FACT_WORKSPACE: *ret = read_workspace(&in, key_id(key)); break;
    case FACT_SIGNER:
        *ret = dup_z(value);
        return NULL;
    case FACT_ENDPOINT: *ret = read_endpoint(&in, key_id(key), str_from(key, 8)); break;
    case FACT_PLAN: return read_plan(fd, key_id(key), ret);
    default: return err_new(ERR_INTERNAL_ERROR, "unknown kind of fact %u", kind);
    }
    return in.ok && in.rest.n == 0 ? NULL
                                   : err_new(ERR_INTERNAL_ERROR, "malformed fact of kind %u", kind);
}

/* The key in `raw` is the kind and the key; the struct and its bytes are one allocation. */
static void keep_raw(struct facts *f, uint16_t kind, bool remove, str key, str value, int fd) {
    buf k = {0};
    buf_u16(&k, kind);
    buf_str(&k, key);
    void *old;
    if (remove) {
        old = map_del(f->raw, buf_view(&k));
    } else {
        struct fact_raw *r = malloc(sizeof(*r) + key.n + value.n + 1);
        must(r != NULL);
        char *p = (char *)(r + 1);
        if (key.n) memcpy(p, key.p, key.n);
        if (value.n) memcpy(p + key.n, value.p, value.n);
        *r = (struct fact_raw){kind, str_n(p, key.n), str_n(p + key.n, value.n),
                               fd >= 0 ? dup(fd) : -1};
        old = map_put(f->raw, buf_view(&k), r);
    }
    buf_free(&k);
    free_raw(old);
}

err *facts_apply(struct facts *f, uint16_t kind, bool remove, str key, str value, int fd) {
    err *e = NULL;
    if (f->keep_raw) keep_raw(f, kind, remove, key, value, fd);
    if (kind == FACT_ACCOUNT && str_eqz(key, "workspace")) {
        f->default_workspace = 0;
        if (!remove && value.n == 8) memcpy(&f->default_workspace, value.p, 8);
    } else if (kind == FACT_ACCOUNT) {
        f->terms_accepted = !remove && value.n && value.p[0];
    } else {
        struct kind_ops ops = ops_of(f, kind);
        if (kind == FACT_SIGNER) clear_map(f->jwts, free); /* their signer may be gone */
        if (!ops.m) {
            e = err_new(ERR_INTERNAL_ERROR, "unknown kind of fact %u", kind);
        } else if (remove) {
            void *old = map_del(ops.m, key);
            if (old) ops.release(old);
        } else {
            void *v = NULL;
            e = read_value(kind, key, value, fd, &v);
            if (e) {
                if (v) ops.release(v);
            } else {
                void *old = map_put(ops.m, key, v);
                if (old) ops.release(old);
            }
        }
    }
    if (fd >= 0) close(fd);
    return e;
}

struct fact_principal *facts_principal(const struct facts *f, int64_t id) {
    return map_get(f->principals, str_n((const char *)&id, sizeof(id)));
}

struct fact_workspace *facts_workspace(const struct facts *f, int64_t id) {
    return map_get(f->workspaces, str_n((const char *)&id, sizeof(id)));
}

struct fact_plan *facts_plan(const struct facts *f, int64_t entity) {
    return map_get(f->plans, str_n((const char *)&entity, sizeof(entity)));
}

struct fact_endpoint *facts_endpoint(const struct facts *f, int64_t workspace, str name) {
    char key[8 + 256];
    if (name.n > 256) return NULL;
    memcpy(key, &workspace, 8);
    if (name.n) memcpy(key + 8, name.p, name.n);
    return map_get(f->endpoints, str_n(key, 8 + name.n));
}

int facts_membership(const struct fact_principal *p, int64_t workspace) {
    for (size_t i = 0; i < p->n_workspaces; i++)
        if (p->workspaces[i].workspace == workspace) return p->workspaces[i].admin ? 2 : 1;
    return 0;
}

struct policy_subject facts_subject(const struct fact_principal *p, int64_t workspace) {
    int m = facts_membership(p, workspace);
    return (struct policy_subject){.id = p->id,
                                   .groups = p->groups,
                                   .n_groups = p->n_groups,
                                   .active = p->active,
                                   .workspace_admin = m == 2,
                                   .metastore_admin = p->account_admin};
}
