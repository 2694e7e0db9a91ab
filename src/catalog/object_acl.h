/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permissions on workspace objects (levels): the chain that policy_level() decides on, and the
 * entries behind it. An object inherits from the root of its type, an object of its own that covers all
 * objects of the type in the workspace; its owner holds the highest level, and so do the admins of
 * the workspace.
 */
#ifndef BH_CATALOG_OBJECT_ACL_H
#define BH_CATALOG_OBJECT_ACL_H

#include "rest/req.h"
#include "store/gen_entities.h"

/* Entries on one object are at most this many (RESOURCE_EXHAUSTED). */
#define OBJECT_ACL_MAX 1000u
/* The object that stands for all of its type. (0 is an experiment.) */
#define OBJECT_ACL_ROOT (-1)

struct object_chain {
    int type; /* enum perm_type */
    struct policy_node node[2];
    size_t n;
};

/* `what` names the object in reasons ("registered model 'm'"); kept, not copied. owner 0: none. */
err *object_acl_chain(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id,
                      int64_t owner, const char *what, struct object_chain *ret) BH_CHECK;

/* May the caller do what takes this level? NULL; PERMISSION_DENIED naming the level; or, where he
 * may not know of the object, RESOURCE_DOES_NOT_EXIST with `missing` as its message. */
err *object_acl_need(struct req *r, const struct object_chain *chain, uint64_t level,
                     const char *missing) BH_CHECK;
/* Highest level that the caller holds, 0: none. */
uint64_t object_acl_highest(struct req *r, const struct object_chain *chain);

/* The caller's levels on all objects of a type, read at once: for lists. */
struct object_levels {
    int type;
    const struct policy_subject *who;
    uint64_t everywhere; /* from the root, or as admin */
    struct policy_entry *p; /* principal: here the object's id; sorted by it */
    size_t n;
};
err *object_levels_read(store_tx *tx, struct store_scope scope, arena *a, int type,
                        const struct policy_subject *who, struct object_levels *ret) BH_CHECK;
/* Level on one object, 0: it is not to be listed. */
uint64_t object_levels_of(const struct object_levels *l, int64_t id, int64_t owner);

/* Sets the level of a principal on an object; level 0 removes the entry. */
err *object_acl_set(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id,
                    int64_t principal, int level) BH_CHECK;
/* Removes all entries of an object that is deleted. */
err *object_acl_drop(store_tx *tx, struct store_scope scope, arena *a, int type, int64_t id)
    BH_CHECK;

#endif
