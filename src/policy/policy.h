/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decision function: facts in, allow or a reason out. Pure: it reads its arguments only, keeps
 * nothing, and runs the same in control and in the gateway.
 *
 * Two families of rights:
 *   levels      on workspace objects (tables/permissions.json "objects"): ordered; an entry on the
 *               object or on any ancestor in its chain counts; workspace admins have the highest.
 *   privileges  on the Unity-style tree: a set of bits per principal and securable; inherited from
 *               ancestors; every ancestor also needs its USE privilege; the owner of a securable has
 *               all on it and below, but EXTERNAL_USE_… (it is granted, to owners too). There is no deny.
 *               A node that is not bound to the workspace of the request shuts out everybody, owners
 *               and admins too; one that is bound to be read leaves of all privileges those that read.
 * Everything not granted is refused.
 */
#ifndef BH_POLICY_POLICY_H
#define BH_POLICY_POLICY_H

#include "base/arena.h"
#include "policy/gen_permissions.h"

struct perm_row {
    const char *type;        /* as in /api/2.0/permissions/{type}/{id} */
    const char *object_type; /* as in answers */
    const char *prefix;      /* of object ids in answers: "/<prefix><type>/<id>" */
    const char *owner;       /* level that an owner is shown with, or NULL: the highest */
    const char *const *levels;
    int n_levels;
    const char *doc;
};
extern const struct perm_row perm_rows[PERM_TYPE_COUNT];

struct priv_row {
    const char *name;
    const char *on; /* securable types, separated by blanks */
    const char *doc;
};
extern const struct priv_row priv_rows[PRIV_COUNT];

/* Row index by the type of a path, or -1. */
int perm_type_by_name(str type);
/* 1-based rank of a level of this type, 0 if it has none of that name. */
int perm_level_by_name(int type, str level);
/* Bit of a privilege ("USE_CATALOG", also "USE CATALOG"), 0 if unknown. */
uint64_t priv_by_name(str name);

/* Who asks. groups: the closure over nested groups. */
struct policy_subject {
    int64_t id;
    const int64_t *groups;
    size_t n_groups;
    bool active;
    bool workspace_admin; /* of the workspace of the request */
    bool metastore_admin;
};

struct policy_entry {
    int64_t principal;
    uint64_t right; /* level rank, or privilege bits */
};

/* Of a node that is bound to some workspaces only: what of it the workspace that asks may have. */
enum policy_binding { POLICY_BOUND, POLICY_BOUND_TO_READ, POLICY_NOT_BOUND };

/* One node of the chain: [0] is the object itself, then its parents outwards. */
struct policy_node {
    int64_t owner;     /* 0: none */
    uint64_t use;      /* privilege that reaching below this node takes (USE_CATALOG, …), or 0 */
    bool fixed;        /* belongs to nobody: admins manage neither it nor what is below */
    enum policy_binding bound; /* to the workspace of the request */
    const char *what;  /* "catalog main": for the reason */
    const struct policy_entry *entries;
    size_t n;
};

struct policy_verdict {
    bool allow;
    bool visible;         /* false: the subject may not even know that the object exists */
    const char *missing;  /* name of the level or privilege that is lacking, or NULL */
    const char *missing_on; /* node it lacks on */
    int64_t via;          /* principal (subject or group) through which it was allowed */
};

/* Does the subject hold at least `level` of this type? */
struct policy_verdict policy_level(const struct policy_subject *s, int type, uint64_t level,
                                   const struct policy_node *chain, size_t n);
/* The highest level that the subject holds (0: none). */
uint64_t policy_highest(const struct policy_subject *s, int type, const struct policy_node *chain,
                        size_t n);
/* Does the subject hold one of `need` on chain[0], and USE on all above, in a workspace that it is bound to? */
struct policy_verdict policy_privilege(const struct policy_subject *s, uint64_t need,
                                       const struct policy_node *chain, size_t n);

/* ---- why ---- */

enum policy_how { POLICY_BY_OWNER, POLICY_BY_GRANT, POLICY_BY_ADMIN };

/* One reason for which the subject holds a privilege on a node. */
struct policy_source {
    enum policy_how how;
    size_t node;       /* of the chain: where it is owned or granted */
    int64_t principal; /* the subject or one of its groups */
    bool all;          /* granted as ALL_PRIVILEGES */
};

/* All reasons for which one of `need` counts on chain[at]; at most max. The decision adds up the same ones. */
size_t policy_sources(const struct policy_subject *s, uint64_t need, const struct policy_node *chain,
                      size_t at, size_t n, struct policy_source *out, size_t max);

#endif
