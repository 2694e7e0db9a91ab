/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy.h"

int perm_type_by_name(str type) {
    for (int i = 0; i < PERM_TYPE_COUNT; i++)
        if (str_eqz(type, perm_rows[i].type)) return i;
    return -1;
}

int perm_level_by_name(int type, str level) {
    must(type >= 0 && type < PERM_TYPE_COUNT);
    for (int i = 0; i < perm_rows[type].n_levels; i++)
        if (str_eqz(level, perm_rows[type].levels[i])) return i + 1;
    return 0;
}

uint64_t priv_by_name(str name) {
    for (int i = 0; i < PRIV_COUNT; i++) {
        const char *p = priv_rows[i].name;
        if (strlen(p) != name.n) continue;
        size_t k = 0;
        while (k < name.n && (name.p[k] == p[k] || (name.p[k] == ' ' && p[k] == '_'))) k++;
        if (k == name.n) return 1ull << i;
    }
    return 0;
}

static bool is_subject(const struct policy_subject *s, int64_t principal) {
    if (principal == s->id) return true;
    for (size_t i = 0; i < s->n_groups; i++)
        if (s->groups[i] == principal) return true;
    return false;
}

uint64_t policy_highest(const struct policy_subject *s, int type, const struct policy_node *chain,
                        size_t n) {
    if (!s->active) return 0;
    uint64_t top = (uint64_t)perm_rows[type].n_levels, best = 0;
    if (s->workspace_admin) return top;
    for (size_t i = 0; i < n; i++) {
        if (chain[i].owner && is_subject(s, chain[i].owner)) return top;
        for (size_t k = 0; k < chain[i].n; k++)
            if (chain[i].entries[k].right > best && is_subject(s, chain[i].entries[k].principal))
                best = chain[i].entries[k].right;
    }
    return best;
}

struct policy_verdict policy_level(const struct policy_subject *s, int type, uint64_t level,
                                   const struct policy_node *chain, size_t n) {
    uint64_t has = policy_highest(s, type, chain, n);
    struct policy_verdict v = {.allow = has >= level && has > 0, .visible = has > 0, .via = s->id};
    if (!v.allow) {
        v.missing = perm_rows[type].levels[level ? level - 1 : 0];
        v.missing_on = n ? chain[0].what : "";
    }
    return v;
}

/* What ALL_PRIVILEGES does not give: it must be granted by its name. */
#define NOT_IN_ALL (PRIV_MANAGE | PRIV_EXTERNAL_USE_SCHEMA | PRIV_EXTERNAL_USE_LOCATION)
/* What metastore admins hold everywhere. */
#define OF_METASTORE_ADMIN                                                                         \
    (PRIV_MANAGE | PRIV_CREATE_CATALOG | PRIV_CREATE_EXTERNAL_LOCATION |                           \
     PRIV_CREATE_STORAGE_CREDENTIAL)

/* Privileges that count on chain[at]: its own entries and those of everything above. */
static uint64_t privileges_at(const struct policy_subject *s, const struct policy_node *chain,
                              size_t at, size_t n) {
    uint64_t has = 0;
    for (size_t i = at; i < n; i++) {
        if (chain[i].owner && is_subject(s, chain[i].owner)) return ~0ull;
        for (size_t k = 0; k < chain[i].n; k++)
            if (is_subject(s, chain[i].entries[k].principal)) has |= chain[i].entries[k].right;
    }
    if (has & PRIV_ALL_PRIVILEGES) has |= ~NOT_IN_ALL;
    return has;
}

static const char *first_name(uint64_t bits) {
    for (int i = 0; i < PRIV_COUNT; i++)
        if (bits & (1ull << i)) return priv_rows[i].name;
    return "";
}

struct policy_verdict policy_privilege(const struct policy_subject *s, uint64_t need,
                                       const struct policy_node *chain, size_t n) {
    struct policy_verdict v = {.via = s->id};
    if (!s->active) return v;
    uint64_t here = n ? privileges_at(s, chain, 0, n) : 0;
    if (s->metastore_admin) here |= need & OF_METASTORE_ADMIN;
    v.visible = here != 0;
    for (size_t i = n; i > 1; i--) {
        const struct policy_node *up = &chain[i - 1];
        if (!up->use || s->metastore_admin) continue;
        uint64_t has = privileges_at(s, chain, i - 1, n);
        if (has & up->use) continue;
        v.missing = first_name(up->use);
        v.missing_on = up->what;
        return v;
    }
    if (here & need) {
        v.allow = v.visible = true;
    } else {
        v.missing = first_name(need);
        v.missing_on = n ? chain[0].what : "metastore";
    }
    return v;
}
