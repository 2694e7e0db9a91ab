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
/* What lets bytes out without us: not even an owner has it before it is granted. */
#define ONLY_GRANTED (PRIV_EXTERNAL_USE_SCHEMA | PRIV_EXTERNAL_USE_LOCATION)
/* What a workspace that something is bound to for reading leaves. */
#define READING                                                                                    \
    (PRIV_USE_CATALOG | PRIV_USE_SCHEMA | PRIV_BROWSE | PRIV_SELECT | PRIV_EXECUTE |               \
     PRIV_READ_VOLUME | PRIV_READ_FILES | ONLY_GRANTED)
/* What metastore admins hold everywhere. */
#define OF_METASTORE_ADMIN                                                                         \
    (PRIV_MANAGE | PRIV_CREATE_CATALOG | PRIV_CREATE_EXTERNAL_LOCATION |                           \
     PRIV_CREATE_STORAGE_CREDENTIAL)

static bool is_fixed(const struct policy_node *chain, size_t n) {
    bool fixed = false;
    for (size_t i = 0; i < n; i++) fixed |= chain[i].fixed;
    return fixed;
}

/* A bit for each principal that the subject is; most entries are told apart by it alone. */
static uint64_t bit_of(int64_t principal) { return 1ull << ((uint64_t)principal * 0x9e3779b97f4a7c15ull >> 58); }
static uint64_t bits_of(const struct policy_subject *s) {
    uint64_t bits = bit_of(s->id);
    for (size_t i = 0; i < s->n_groups; i++) bits |= bit_of(s->groups[i]);
    return bits;
}

/* Calls fn for everything that gives the subject privileges on chain[at] and below: owning it, entries there. */
typedef void (*each_source)(void *arg, const struct policy_source *source, uint64_t right);
static void sources_of(const struct policy_subject *s, uint64_t bits, const struct policy_node *chain,
                       size_t at, each_source fn, void *arg) {
    const struct policy_node *node = &chain[at];
    struct policy_source source = {.node = at, .how = POLICY_BY_OWNER, .principal = node->owner};
    if (node->owner && is_subject(s, node->owner)) fn(arg, &source, ~ONLY_GRANTED);
    for (size_t k = 0; k < node->n; k++) {
        const struct policy_entry *e = &node->entries[k];
        if (!(bits & bit_of(e->principal)) || !is_subject(s, e->principal)) continue;
        bool all = (e->right & PRIV_ALL_PRIVILEGES) != 0;
        source = (struct policy_source){.node = at, .how = POLICY_BY_GRANT, .principal = e->principal, .all = all};
        fn(arg, &source, all ? e->right | ~NOT_IN_ALL : e->right);
    }
}

static void gather(void *arg, const struct policy_source *source, uint64_t right) {
    (void)source;
    *(uint64_t *)arg |= right;
}

struct wanted_sources {
    uint64_t need;
    struct policy_source *out;
    size_t n, max;
};

static void keep_source(void *arg, const struct policy_source *source, uint64_t right) {
    struct wanted_sources *w = arg;
    if ((right & w->need) && w->n < w->max) w->out[w->n++] = *source;
}

size_t policy_sources(const struct policy_subject *s, uint64_t need, const struct policy_node *chain,
                      size_t at, size_t n, struct policy_source *out, size_t max) {
    struct wanted_sources w = {need, out, 0, max};
    if (!s->active) return 0;
    struct policy_source admin = {.node = n ? n - 1 : 0, .how = POLICY_BY_ADMIN, .principal = s->id};
    /* Admins need no USE, and hold some privileges everywhere. */
    bool passes = at > 0 && at < n && (chain[at].use & need);
    if (s->metastore_admin && !is_fixed(chain, n) && (passes || (at == 0 && (need & OF_METASTORE_ADMIN))) && w.n < max) out[w.n++] = admin;
    for (size_t i = at; i < n; i++) sources_of(s, bits_of(s), chain, i, keep_source, &w);
    return w.n;
}

static const char *first_name(uint64_t bits) {
    for (int i = 0; i < PRIV_COUNT; i++)
        if (bits & (1ull << i)) return priv_rows[i].name;
    return "";
}

static const struct policy_node *strictest(const struct policy_node *chain, size_t n) {
    const struct policy_node *most = NULL;
    for (size_t i = 0; i < n; i++)
        if (chain[i].bound > (most ? most->bound : POLICY_BOUND)) most = &chain[i];
    return most;
}

/* From the outside inwards: what counts on a node is what counts on the one above and what the node itself gives. */
struct policy_verdict policy_privilege(const struct policy_subject *s, uint64_t need,
                                       const struct policy_node *chain, size_t n) {
    struct policy_verdict v = {.via = s->id};
    if (!s->active) return v;
    uint64_t bits = bits_of(s), has = 0;
    bool admin = s->metastore_admin && !is_fixed(chain, n);
    for (size_t i = n; i-- > 0;) {
        sources_of(s, bits, chain, i, gather, &has);
        if (!i || !chain[i].use || admin || v.missing || (has & chain[i].use)) continue;
        v.missing = first_name(chain[i].use);
        v.missing_on = chain[i].what;
    }
    if (admin) has |= need & OF_METASTORE_ADMIN;
    const struct policy_node *shut = strictest(chain, n);
    if (shut && shut->bound == POLICY_NOT_BOUND) {
        v.missing = "a binding to this workspace";
        v.missing_on = shut->what;
        return v;
    }
    v.visible = has != 0;
    if (v.missing) return v;
    if (shut && (has & need) && !(has & need & READING)) {
        v.missing = "a binding to this workspace for writing";
        v.missing_on = shut->what;
        return v;
    }
    if (has & need) {
        v.allow = v.visible = true;
    } else {
        v.missing = first_name(need);
        v.missing_on = n ? chain[0].what : "metastore";
    }
    return v;
}
