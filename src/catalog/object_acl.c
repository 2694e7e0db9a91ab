/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/object_acl.h"

#include <stdlib.h>

static err *rows_of(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id,
                    struct ent_acl_rows *ret) {
    struct ent_list_query q = {
        .eq = {{.column = ENT_ACL_OBJECT_TYPE, .s = str_of(perm_rows[type].type)},
               {.column = ENT_ACL_OBJECT_ID, .i = id}},
        .order = ENT_ACL_PRINCIPAL_ID};
    return ent_acl_list(tx, scope, a, &q, ret);
}

static err *fill(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id,
                 struct policy_node *node) {
    struct ent_acl_rows rows;
    TRY(rows_of(tx, scope, a, type, id, &rows));
    struct policy_entry *p = arena_array_of(a, struct policy_entry, rows.n + 1);
    for (size_t i = 0; i < rows.n; i++)
        p[i] = (struct policy_entry){rows.p[i].principal_id,
                                     (uint64_t)perm_level_by_name(type, rows.p[i].level)};
    node->entries = p;
    node->n = rows.n;
    return NULL;
}

err *object_acl_chain(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id,
                      int64_t owner, const char *what, struct object_chain *ret) {
    *ret = (struct object_chain){.type = type};
    if (id != OBJECT_ACL_ROOT) {
        struct policy_node *node = &ret->node[ret->n++];
        node->owner = owner;
        node->what = what;
        TRY(fill(tx, scope, a, type, id, node));
    }
    struct policy_node *root = &ret->node[ret->n++];
    root->what = what;
    return fill(tx, scope, a, type, OBJECT_ACL_ROOT, root);
}

uint64_t object_acl_highest(struct req *r, const struct object_chain *chain) {
    return policy_highest(&r->who, chain->type, chain->node, chain->n);
}

err *object_acl_need(struct req *r, const struct object_chain *chain, uint64_t level,
                     const char *missing) {
    struct policy_verdict v = policy_level(&r->who, chain->type, level, chain->node, chain->n);
    if (v.allow) return NULL;
    if (!v.visible) return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "%s", missing);
    return req_need_level(r, chain->type, level, chain->node, chain->n);
}

static int by_object(const void *x, const void *y) {
    const struct policy_entry *a = x, *b = y;
    return a->principal < b->principal ? -1 : a->principal > b->principal;
}

err *object_levels_read(store_tx *tx, struct store_scope scope, arena *a, int type,
                        const struct policy_subject *who, struct object_levels *ret) {
    *ret = (struct object_levels){.type = type, .who = who};
    if (who->active && who->workspace_admin) {
        ret->everywhere = (uint64_t)perm_rows[type].n_levels;
        return NULL;
    }
    vec_of(struct policy_entry) all = {0};
    err *e = NULL;
    for (size_t i = 0; !e && who->active && i <= who->n_groups; i++) {
        struct ent_list_query q = {
            .eq = {{.column = ENT_ACL_PRINCIPAL_ID, .i = i ? who->groups[i - 1] : who->id}}};
        struct ent_acl_rows rows = {.more = true};
        while (!e && rows.more) {
            e = ent_acl_list(tx, scope, a, &q, &rows);
            for (size_t k = 0; !e && k < rows.n; k++) {
                if (!str_eqz(rows.p[k].object_type, perm_rows[type].type)) continue;
                uint64_t level = (uint64_t)perm_level_by_name(type, rows.p[k].level);
                if (rows.p[k].object_id != OBJECT_ACL_ROOT)
                    vec_push(&all, ((struct policy_entry){rows.p[k].object_id, level}));
                else if (level > ret->everywhere)
                    ret->everywhere = level;
            }
            if (!e && rows.n) {
                q.after = true;
                q.after_id = rows.p[rows.n - 1].id;
                q.after_i = q.after_id;
            }
        }
    }
    ret->n = all.n;
    ret->p = arena_array_of(a, struct policy_entry, all.n + 1);
    if (all.n) memcpy(ret->p, all.p, all.n * sizeof(all.p[0]));
    vec_free(&all);
    qsort(ret->p, ret->n, sizeof(ret->p[0]), by_object);
    return e;
}

uint64_t object_levels_of(const struct object_levels *l, int64_t id, int64_t owner) {
    /* Ownership (also a group's) is the policy's to judge. */
    struct policy_node own = {.owner = owner};
    uint64_t best = policy_highest(l->who, l->type, &own, 1);
    if (l->everywhere > best) best = l->everywhere;
    size_t lo = 0, hi = l->n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (l->p[mid].principal < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < l->n && l->p[lo].principal == id; lo++)
        if (l->p[lo].right > best) best = l->p[lo].right;
    return best;
}

err *object_acl_set(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id,
                    int64_t principal, int level) {
    struct ent_acl row;
    bool found;
    TRY(ent_acl_by_entry(tx, scope, a, str_of(perm_rows[type].type), id, principal, &row, &found));
    if (!level) return found ? ent_acl_delete(tx, scope, row.id) : NULL;
    str name = str_of(perm_rows[type].levels[level - 1]);
    if (found) {
        if (str_eq(row.level, name)) return NULL;
        row.level = name;
        return ent_acl_update(tx, scope, &row);
    }
    struct ent_acl_rows rows;
    TRY(rows_of(tx, scope, a, type, id, &rows));
    if (rows.n >= OBJECT_ACL_MAX)
        return err_new(ERR_RESOURCE_EXHAUSTED,
                       "At most %u principals can have permissions on one object.", OBJECT_ACL_MAX);
    row = (struct ent_acl){.object_type = str_of(perm_rows[type].type),
                           .object_id = id,
                           .principal_id = principal,
                           .level = name};
    return ent_acl_insert(tx, scope, &row);
}

err *object_acl_drop(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id) {
    struct ent_acl_rows rows;
    TRY(rows_of(tx, scope, a, type, id, &rows));
    for (size_t i = 0; i < rows.n; i++) TRY(ent_acl_delete(tx, scope, rows.p[i].id));
    return NULL;
}
