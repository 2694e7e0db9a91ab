/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EXPLAIN ACCESS principal ON securable: what the decision function says of each privilege, and from which grants and owners it
 * says so. A row for each step of the way (USE of what is above), then one for each privilege that the securable can be given:
 *
 *   Privilege   | ObjectType | ObjectKey | Allowed | Reason
 *   USE CATALOG | CATALOG    | c         | true    | granted on Catalog 'c' to group 'all' (ann, in group 'team', in group 'all')
 *   USE SCHEMA  | SCHEMA     | c.s       | false   | missing: nobody granted it on Schema 'c.s' or above
 *   SELECT      | TABLE      | c.s.t     | false   | granted on Table 'c.s.t' to user 'ann'; missing: USE SCHEMA on Schema 'c.s'
 *
 * Whoever sees a securable may ask for himself; for others it takes MANAGE.
 */
#include "catalog/cmd.h"
#include "identity/identity.h"

#define MOST_SOURCES 32
#define MOST_GROUPS 1000

struct explain {
    struct ask *k;
    const struct caller *of; /* whose access is explained */
    const struct securable *s;
};

static const char *kind_of(enum principal_type type) {
    return type == PRINCIPAL_GROUP ? "group" : type == PRINCIPAL_SERVICE ? "service principal" : "user";
}

static err *put_principal(struct explain *x, int64_t id, buf *out) {
    struct principal_info p;
    bool found;
    TRY(identity_find(x->k->c->today, x->k->c->a, id, &p, &found));
    if (found)
        buf_fmt(out, "%s '%.*s'", kind_of(p.type), STR_ARG(p.name));
    else
        buf_fmt(out, "principal %lld", (long long)id);
    return NULL;
}

/* " (user 'ann', in group 'team', in group 'all')": the shortest way from the principal to one of its groups. */
static err *put_way(struct explain *x, int64_t group, buf *out) {
    arena *a = x->k->c->a;
    int64_t *seen = arena_array_of(a, int64_t, MOST_GROUPS);
    size_t *from = arena_array_of(a, size_t, MOST_GROUPS), n = 1, at = 0;
    seen[0] = x->of->who->id;
    for (; at < n && seen[at] != group; at++) {
        struct id_list up;
        TRY(identity_groups_direct(x->k->c->today, a, seen[at], &up));
        for (size_t i = 0; i < up.n; i++) {
            bool known = false;
            for (size_t j = 0; j < n; j++) known |= seen[j] == up.p[i];
            if (known || n == MOST_GROUPS) continue;
            seen[n] = up.p[i];
            from[n++] = at;
        }
    }
    if (at >= n) return NULL;
    size_t way[64], len = 0;
    for (; at && len < 64; at = from[at]) way[len++] = at;
    buf_z(out, " (");
    TRY(put_principal(x, seen[0], out));
    while (len) {
        buf_z(out, ", in ");
        TRY(put_principal(x, seen[way[--len]], out));
    }
    buf_c(out, ')');
    return NULL;
}

static err *put_source(struct explain *x, const struct policy_source *src, buf *out) {
    const struct policy_node *node = &x->s->chain[src->node];
    if (src->how == POLICY_BY_ADMIN) {
        buf_z(out, "metastore admin");
        return NULL;
    }
    if (src->how == POLICY_BY_OWNER) {
        buf_fmt(out, "%s is owned by ", node->what);
    } else {
        buf_fmt(out, "%s on %s to ", src->all ? "ALL PRIVILEGES granted" : "granted", node->what);
    }
    TRY(put_principal(x, src->principal, out));
    return src->principal == x->of->who->id ? NULL : put_way(x, src->principal, out);
}

/* A privilege on chain[at], with its row. */
static err *put_privilege(struct explain *x, uint64_t bit, size_t at, enum securable_kind kind, str key) {
    const struct securable *s = x->s;
    struct policy_source sources[MOST_SOURCES];
    struct policy_verdict v = policy_privilege(x->of->who, bit, s->chain + at, s->n - at);
    size_t n = policy_sources(x->of->who, bit, s->chain, at, s->n, sources, MOST_SOURCES);
    const char *name = "";
    for (int i = 0; i < PRIV_COUNT; i++)
        if (bit == 1ull << i) name = priv_rows[i].name;
    buf b = {0};
    err *e = NULL;
    for (size_t i = 0; i < n && !e; i++) {
        if (i) buf_z(&b, "; ");
        e = put_source(x, &sources[i], &b);
    }
    if (!e && !v.allow) {
        if (n) buf_z(&b, "; ");
        if (!x->of->who->active)
            buf_z(&b, "missing: the principal is not active");
        else if (n)
            buf_fmt(&b, "missing: %.*s on %s", STR_ARG(cmd_privilege_text(x->k->c->a, v.missing ? v.missing : name)), v.missing_on ? v.missing_on : "it");
        else
            buf_fmt(&b, "missing: %.*s is not granted on %s%s", STR_ARG(cmd_privilege_text(x->k->c->a, name)), s->chain[at].what,
                    at + 1 < s->n ? " or above" : "");
    }
    if (!e) {
        jmut *row = ask_row(x->k);
        ask_put(x->k, row, cmd_privilege_text(x->k->c->a, name));
        ask_put_z(x->k, row, securable_type_name(kind));
        ask_put(x->k, row, key);
        ask_put_bool(x->k, row, v.allow);
        ask_put(x->k, row, buf_view(&b));
    }
    buf_free(&b);
    return e;
}

static err *explain_access(struct ask *k) {
    struct securable s;
    struct caller of;
    int64_t principal;
    TRY(cmd_open_securable(k, &s));
    TRY(ask_principal_id(k, ask_text(k, "principal"), &principal));
    if (principal != k->c->who->id) {
        TRY(ask_need(k->c, &s, PRIV_MANAGE));
        TRY(ask_become(k, principal, &of));
    } else {
        of = *k->c;
    }
    struct explain x = {k, &of, &s};
    ask_columns(k, "Privilege, ObjectType, ObjectKey, Allowed boolean, Reason");
    for (size_t at = s.n; at-- > 1;) {
        if (!s.chain[at].use) continue;
        bool schema = s.chain[at].use & PRIV_USE_SCHEMA;
        TRY(put_privilege(&x, s.chain[at].use, at, schema ? SEC_SCHEMA : SEC_CATALOG,
                          schema ? str_of(arena_printf(k->c->a, "%.*s.%.*s", STR_ARG(s.catalog.name), STR_ARG(s.schema.name))) : s.catalog.name));
    }
    str key = s.kind == SEC_METASTORE ? k->metastore : s.full_name;
    for (int b = 0; b < PRIV_COUNT; b++)
        if (securable_grantable(s.kind) & (1ull << b) & ~PRIV_ALL_PRIVILEGES) TRY(put_privilege(&x, 1ull << b, 0, s.kind, key));
    return NULL;
}

const struct ask_command ask_access_commands[] = {
    {"explain_access", explain_access, false},
    {NULL, NULL, false},
};
