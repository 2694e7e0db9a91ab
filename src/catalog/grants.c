/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/grants.h"

static err *rows_of(const struct caller *c, enum securable_kind kind, int64_t id,
                    struct ent_grant_rows *ret) {
    struct ent_list_query q = {
        .eq = {{.column = ENT_GRANT_SECURABLE_TYPE, .s = str_of(securable_kind_names[kind])},
               {.column = ENT_GRANT_SECURABLE_ID, .i = id}},
        .order = ENT_GRANT_PRINCIPAL_ID};
    TRY(ent_grant_list(c->tx, metastore_scope(c), c->a, &q, ret));
    /* A part of the grants must never pass for all of them. */
    if (ret->more)
        return err_new(ERR_INTERNAL_ERROR, "More than %zu grants on one %s.", ret->n,
                       securable_kind_names[kind]);
    return NULL;
}

err *grants_entries(const struct caller *c, enum securable_kind kind, int64_t id,
                    struct policy_entry **ret, size_t *ret_n) {
    struct ent_grant_rows rows;
    TRY(rows_of(c, kind, id, &rows));
    struct policy_entry *p = arena_array_of(c->a, struct policy_entry, rows.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < rows.n; i++) {
        if (!n || p[n - 1].principal != rows.p[i].principal_id)
            p[n++] = (struct policy_entry){.principal = rows.p[i].principal_id};
        p[n - 1].right |= priv_by_name(rows.p[i].privilege);
    }
    *ret = p;
    *ret_n = n;
    return NULL;
}

static err *add_one(const struct caller *c, enum securable_kind kind, int64_t id,
                    int64_t principal, const char *privilege) {
    struct ent_grant row;
    bool found;
    TRY(ent_grant_by_entry(c->tx, metastore_scope(c), c->a, str_of(securable_kind_names[kind]), id,
                           principal, str_of(privilege), &row, &found));
    if (found) return NULL;
    row = (struct ent_grant){.securable_type = str_of(securable_kind_names[kind]),
                             .securable_id = id,
                             .principal_id = principal,
                             .privilege = str_of(privilege)};
    return ent_grant_insert(c->tx, metastore_scope(c), &row);
}

static err *remove_one(const struct caller *c, enum securable_kind kind, int64_t id,
                       int64_t principal, const char *privilege) {
    struct ent_grant row;
    bool found;
    TRY(ent_grant_by_entry(c->tx, metastore_scope(c), c->a, str_of(securable_kind_names[kind]), id,
                           principal, str_of(privilege), &row, &found));
    return found ? ent_grant_delete(c->tx, metastore_scope(c), row.id) : NULL;
}

err *grants_change(const struct caller *c, enum securable_kind kind, int64_t id,
                   int64_t principal, uint64_t add, uint64_t remove) {
    for (int i = 0; i < PRIV_COUNT; i++) {
        uint64_t bit = 1ull << i;
        if (remove & bit & ~add) TRY(remove_one(c, kind, id, principal, priv_rows[i].name));
        if (add & bit) TRY(add_one(c, kind, id, principal, priv_rows[i].name));
    }
    struct ent_grant_rows rows;
    TRY(rows_of(c, kind, id, &rows));
    if (rows.n > GRANTS_MAX_PER_SECURABLE)
        return err_new(ERR_RESOURCE_EXHAUSTED, "At most %u privileges are kept on one securable.",
                       GRANTS_MAX_PER_SECURABLE);
    return NULL;
}

err *grants_need(const struct caller *c, const struct securable *s, uint64_t add) {
    struct securable catalog;
    TRY(securable_need(c, s, PRIV_MANAGE));
    if (s->kind != SEC_SCHEMA || !(add & PRIV_EXTERNAL_USE_SCHEMA)) return NULL;
    TRY(securable_up(c, s, SEC_CATALOG, &catalog));
    return securable_need(c, &catalog, PRIV_MANAGE);
}

err *grants_drop(const struct caller *c, enum securable_kind kind, int64_t id) {
    struct ent_grant_rows rows;
    TRY(rows_of(c, kind, id, &rows));
    for (size_t i = 0; i < rows.n; i++)
        TRY(ent_grant_delete(c->tx, metastore_scope(c), rows.p[i].id));
    return NULL;
}
