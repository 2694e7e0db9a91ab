/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/storage_fault.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/vec.h"

#define OPS(X)                                                                                     \
    X(put)                                                                                         \
    X(get) X(head) X(list) X(del) X(copy) X(rename) X(multi_create) X(multi_part)                  \
        X(multi_complete) X(multi_abort)

enum op {
#define X(name) OP_##name,
    OPS(X)
#undef X
        OP_COUNT
};

static const char *const op_names[] = {
#define X(name) #name,
    OPS(X)
#undef X
};

struct twin {
    struct storage base;
    storage *inner;
    struct storage_fault_rule *rules;
    size_t n_rules;
    pthread_mutex_t lock;
    int calls[OP_COUNT];
};

/* Counts the call and finds its rule, or NULL. */
static const struct storage_fault_rule *note(struct twin *t, enum op op) {
    pthread_mutex_lock(&t->lock);
    int own = ++t->calls[op], all = 0;
    for (int i = 0; i < OP_COUNT; i++) all += t->calls[i];
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < t->n_rules; i++) {
        const struct storage_fault_rule *r = &t->rules[i];
        bool any = strcmp(r->op, "*") == 0;
        if ((any || strcmp(r->op, op_names[op]) == 0) &&
            (r->nth == 0 || r->nth == (any ? all : own)))
            return r;
    }
    return NULL;
}

static err *fault(const struct storage_fault_rule *r, enum op op) {
    return err_new(r->code, "injected fault in %s", op_names[op]);
}

/* Runs the call as the rule says. */
#define PASS(op, call)                                                                             \
    struct twin *t = (struct twin *)s;                                                             \
    const struct storage_fault_rule *r = note(t, OP_##op);                                         \
    if (r && r->kind == STORAGE_FAULT_BEFORE) return fault(r, OP_##op);                            \
    err *e = (call);                                                                               \
    if (!e && r && r->kind == STORAGE_FAULT_AFTER) return fault(r, OP_##op);                       \
    return e

struct cut {
    struct storage_source *from;
    struct storage_sink *to;
    const struct storage_fault_rule *rule;
    enum op op;
    int64_t left;
};

static err *cut_read(void *arg, void *p, size_t n, size_t *ret_n) {
    struct cut *c = arg;
    if (c->left <= 0) return fault(c->rule, c->op);
    if ((int64_t)n > c->left) n = (size_t)c->left;
    TRY(c->from->read(c->from->arg, p, n, ret_n));
    c->left -= (int64_t)*ret_n;
    return NULL;
}

static err *cut_write(void *arg, const void *p, size_t n) {
    struct cut *c = arg;
    size_t now = (int64_t)n > c->left ? (size_t)c->left : n;
    if (now) TRY(c->to->write(c->to->arg, p, now));
    c->left -= (int64_t)now;
    return now < n ? fault(c->rule, c->op) : NULL;
}

static err *twin_put(storage *s, str key, struct storage_source *from,
                     const struct storage_put_options *o, struct storage_info *ret) {
    struct cut c = {.from = from, .op = OP_put};
    struct storage_source torn = {.read = cut_read, .arg = &c, .size = from->size};
    PASS(put,
         (c.rule = r, c.left = r ? r->bytes : 0,
          storage_put(t->inner, key, r && r->kind == STORAGE_FAULT_CUT ? &torn : from, o, ret)));
}

static err *twin_get(storage *s, str key, int64_t offset, int64_t length, str if_match,
                     struct storage_sink *to, struct storage_info *ret) {
    struct cut c = {.to = to, .op = OP_get};
    struct storage_sink torn = {cut_write, &c};
    PASS(get, (c.rule = r, c.left = r ? r->bytes : 0,
               storage_get(t->inner, key, offset, length, if_match,
                           r && r->kind == STORAGE_FAULT_CUT ? &torn : to, ret)));
}

static err *twin_head(storage *s, str key, struct storage_info *ret) {
    PASS(head, storage_head(t->inner, key, ret));
}

static err *twin_list(storage *s, arena *a, const struct storage_list_ask *ask,
                      struct storage_list *ret) {
    PASS(list, storage_list(t->inner, a, ask, ret));
}

static err *twin_del(storage *s, const str *keys, size_t n) {
    PASS(del, storage_del(t->inner, keys, n));
}

static err *twin_copy(storage *s, str from, str to, struct storage_info *ret) {
    PASS(copy, storage_copy(t->inner, from, to, ret));
}

static err *twin_rename(storage *s, str from, str to) {
    PASS(rename, storage_rename(t->inner, from, to));
}

static err *twin_multi_create(storage *s, arena *a, str key, str *ret_id) {
    PASS(multi_create, storage_multi_create(t->inner, a, key, ret_id));
}

static err *twin_multi_part(storage *s, str key, str id, int number, struct storage_source *from,
                            struct storage_part *ret) {
    struct cut c = {.from = from, .op = OP_multi_part};
    struct storage_source torn = {.read = cut_read, .arg = &c, .size = from->size};
    PASS(multi_part, (c.rule = r, c.left = r ? r->bytes : 0,
                      storage_multi_part(t->inner, key, id, number,
                                         r && r->kind == STORAGE_FAULT_CUT ? &torn : from, ret)));
}

static err *twin_multi_complete(storage *s, str key, str id, const struct storage_part *parts,
                                size_t n, bool if_absent, struct storage_info *ret) {
    PASS(multi_complete, storage_multi_complete(t->inner, key, id, parts, n, if_absent, ret));
}

static err *twin_multi_abort(storage *s, str key, str id) {
    PASS(multi_abort, storage_multi_abort(t->inner, key, id));
}

static void twin_free(storage *s) {
    struct twin *t = (struct twin *)s;
    storage_free(t->inner);
    pthread_mutex_destroy(&t->lock);
    free(t->rules);
    free(t);
}

static const struct storage_ops twin_ops = {
    .name = "fault twin",
#define X(op) .op = twin_##op,
    OPS(X)
#undef X
        .free = twin_free,
};

storage *storage_fault_new(storage *inner, const struct storage_fault_rule *rules, size_t n) {
    struct twin *t = calloc(1, sizeof(*t));
    must(t != NULL);
    t->base = (struct storage){STORAGE_MAGIC, &twin_ops};
    t->inner = inner;
    t->rules = calloc(n + 1, sizeof(*rules));
    must(t->rules != NULL);
    if (n) memcpy(t->rules, rules, n * sizeof(*rules));
    t->n_rules = n;
    pthread_mutex_init(&t->lock, NULL);
    return &t->base;
}

int storage_fault_calls(storage *s, const char *op) {
    struct twin *t = (struct twin *)s;
    int all = 0;
    pthread_mutex_lock(&t->lock);
    for (int i = 0; i < OP_COUNT; i++)
        if (strcmp(op, "*") == 0 || strcmp(op, op_names[i]) == 0) all += t->calls[i];
    pthread_mutex_unlock(&t->lock);
    return all;
}
