/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GRANT, REVOKE, SHOW GRANTS. Granting takes MANAGE, which owners have. Whoever may see a securable
 * may see his own grants on it; all grants are shown to whoever has MANAGE.
 */
#include "catalog/cmd.h"
#include "catalog/grants.h"

/* The securable of slots key and name. Functions and registered models share their names. */
err *cmd_open_securable(struct ask *k, struct securable *s) {
    str type = ask_text(k, "key");
    bool found;
    int kind = securable_kind_of(type);
    if (kind < 0)
        return ask_error("UNSUPPORTED_FEATURE.SQL_STATEMENT", "0A000", "Privileges on '%.*s' are not supported.", STR_ARG(type));
    if (kind == SEC_METASTORE) return securable_find(k->c, SEC_METASTORE, STR(""), s, &found);
    struct ask_name n;
    TRY(ask_name(k, json_get(k->in, "name"), securable_parts((enum securable_kind)kind), &n));
    if (kind == SEC_FUNCTION) {
        TRY(ask_find(k, k->c, SEC_FUNCTION, &n, s, &found));
        if (!found) TRY(ask_find(k, k->c, SEC_MODEL, &n, s, &found));
        if (found) return NULL;
    }
    TRY(ask_find(k, k->c, (enum securable_kind)kind, &n, s, &found));
    return found ? NULL : ask_missing(k, (enum securable_kind)kind, &n);
}

static err *read_privileges(struct ask *k, const struct securable *s, uint64_t *ret) {
    jval *v;
    size_t i, n;
    *ret = 0;
    yyjson_arr_foreach(json_get(k->in, "privileges"), i, n, v) {
        str name = json_str(v);
        if (str_ieq(name, STR("ALL")) || str_ieq(name, STR("ALL PRIVILEGES"))) name = STR("ALL PRIVILEGES");
        if (str_ieq(name, STR("USAGE"))) name = s->kind == SEC_CATALOG ? STR("USE CATALOG") : STR("USE SCHEMA");
        if (str_ieq(name, STR("CREATE")) && s->kind == SEC_CATALOG) name = STR("CREATE SCHEMA");
        if (str_ieq(name, STR("CREATE")) && s->kind == SEC_SCHEMA) name = STR("CREATE TABLE");
        uint64_t bit = priv_by_name(name);
        if (!bit)
            return ask_error("INVALID_PRIVILEGE", "42000", "'%.*s' is not a privilege.", STR_ARG(str_cut(name, 64)));
        if (!(bit & securable_grantable(s->kind)))
            return ask_error("INVALID_PRIVILEGE", "42000", "The privilege %.*s cannot be given on %.*s (%s).", STR_ARG(name),
                             STR_ARG(s->full_name), securable_type_name(s->kind));
        *ret |= bit;
    }
    return NULL;
}

static err *change(struct ask *k, bool add) {
    struct securable s;
    uint64_t bits;
    int64_t principal;
    TRY(cmd_open_securable(k, &s));
    TRY(ask_need(k->c, &s, PRIV_MANAGE));
    TRY(read_privileges(k, &s, &bits));
    if (add) TRY(ask_sql(grants_need(k->c, &s, bits)));
    TRY(ask_principal_id(k, ask_text(k, "principal"), &principal));
    /* Taking ALL PRIVILEGES away takes each of them away. */
    if (!add && (bits & PRIV_ALL_PRIVILEGES)) bits = securable_grantable(s.kind);
    TRY(grants_change(k->c, s.kind, s.id, principal, add ? bits : 0, add ? 0 : bits));
    store_tx_securable(k->c->tx, securable_kind_names[s.kind], s.id, s.full_name);
    return NULL;
}
static err *grant(struct ask *k) { return change(k, true); }
static err *revoke(struct ask *k) { return change(k, false); }

/* ---- showing ---- */

str cmd_privilege_text(arena *a, const char *name) {
    char *p = arena_strdup(a, name);
    for (char *q = p; *q; q++)
        if (*q == '_') *q = ' ';
    return str_of(p);
}

bool cmd_is_self(const struct caller *c, int64_t principal) {
    bool self = principal == c->who->id;
    for (size_t i = 0; i < c->who->n_groups; i++) self |= c->who->groups[i] == principal;
    return self;
}

static err *show_level(struct ask *k, enum securable_kind kind, int64_t id, str name, uint64_t applies, int64_t only) {
    struct policy_entry *p;
    size_t n;
    TRY(grants_entries(k->c, kind, id, &p, &n));
    for (size_t i = 0; i < n; i++) {
        if (only && p[i].principal != only) continue;
        str who;
        TRY(ask_principal(k, p[i].principal, &who));
        for (int b = 0; b < PRIV_COUNT; b++) {
            if (!(p[i].right & applies & (1ull << b))) continue;
            jmut *row = ask_row(k);
            ask_put(k, row, who);
            ask_put(k, row, cmd_privilege_text(k->c->a, priv_rows[b].name));
            ask_put_z(k, row, securable_type_name(kind));
            ask_put(k, row, name);
        }
    }
    return NULL;
}

static err *show_grants(struct ask *k) {
    struct securable s;
    int64_t only = 0;
    str principal = ask_text(k, "principal");
    TRY(cmd_open_securable(k, &s));
    if (principal.n) TRY(ask_principal_id(k, principal, &only));
    bool all = securable_knows(k->c, &s, PRIV_MANAGE);
    if (!all && only && !cmd_is_self(k->c, only)) return ask_need(k->c, &s, PRIV_MANAGE);
    if (!all && !only) only = k->c->who->id;
    ask_columns(k, "Principal, ActionType, ObjectType, ObjectKey");
    uint64_t applies = securable_grantable(s.kind);
    TRY(show_level(k, s.kind, s.id, s.kind == SEC_METASTORE ? k->metastore : s.full_name, ~0ull, only));
    if (securable_parts(s.kind) == 3)
        TRY(show_level(k, SEC_SCHEMA, s.schema.id, str_of(arena_printf(k->c->a, "%.*s.%.*s", STR_ARG(s.catalog.name), STR_ARG(s.schema.name))),
                       applies, only));
    if (securable_parts(s.kind) >= 2) TRY(show_level(k, SEC_CATALOG, s.catalog.id, s.catalog.name, applies, only));
    if (s.kind != SEC_METASTORE) TRY(show_level(k, SEC_METASTORE, 0, k->metastore, applies, only));
    return NULL;
}

const struct ask_command ask_grant_commands[] = {
    {"grant", grant, true},
    {"revoke", revoke, true},
    {"show_grants", show_grants, false},
    {NULL, NULL, false},
};
