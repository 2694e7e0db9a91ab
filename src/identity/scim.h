/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCIM 2.0 (RFC 7643, RFC 7644) over our principals: one generic resource, its filter language, and
 * the changes of PATCH.
 */
#ifndef BH_IDENTITY_SCIM_H
#define BH_IDENTITY_SCIM_H

#include "identity/identity.h"

struct scim_resource {
    int64_t id, workspace; /* workspace: of a group; 0: the account's */
    enum principal_type type;
    str name;         /* userName, applicationId, or a group's displayName */
    str display_name; /* of users and service principals */
    str external_id, given_name, family_name;
    bool active, account_admin, builtin;
    str emails, entitlements, roles; /* JSON arrays */
};

/* found false: none of this type with this id, as seen from the workspace (0: the account). */
err *scim_get(store_tx *tx, arena *a, enum principal_type type, int64_t workspace, int64_t id,
              struct scim_resource *ret, bool *found) BH_CHECK;
/* A workspace sees the users and service principals that are its members. */
err *scim_is_member(store_tx *tx, arena *a, int64_t workspace, int64_t id, bool *ret) BH_CHECK;
/* Every resource of a type, by id. `each` returns false to stop. */
err *scim_each(store_tx *tx, arena *a, enum principal_type type, int64_t workspace,
               bool (*each)(void *arg, const struct scim_resource *r), void *arg) BH_CHECK;
err *scim_insert(store_tx *tx, struct scim_resource *r) BH_CHECK;
err *scim_update(store_tx *tx, arena *a, const struct scim_resource *r) BH_CHECK;
err *scim_delete(store_tx *tx, arena *a, const struct scim_resource *r) BH_CHECK;

/* Members: rows of the group, and their change. */
err *scim_members(store_tx *tx, arena *a, const struct scim_resource *group, struct id_list *ret)
    BH_CHECK;
err *scim_member_add(store_tx *tx, arena *a, const struct scim_resource *group, int64_t member)
    BH_CHECK;
err *scim_member_remove(store_tx *tx, arena *a, const struct scim_resource *group, int64_t member)
    BH_CHECK;

/* A filter: `attr op "value"` joined by and / or (and binds tighter), parentheses, at most 32
 * comparisons. Attributes: userName, displayName, id, externalId, applicationId, active; operators
 * eq, ne, co, sw, ew, pr. Matching ignores case. */
struct scim_filter;
err *scim_filter_parse(arena *a, str text, struct scim_filter **ret) BH_CHECK;
bool scim_filter_match(const struct scim_filter *f, const struct scim_resource *r);

/* The path of a PATCH, attr[key eq "want"].sub; parts that are not there are empty, all lie in the text. */
struct scim_path {
    str attr, key, want, sub;
};
/* INVALID_PARAMETER_VALUE with detail invalidPath. */
err *scim_path_parse(str text, struct scim_path *ret) BH_CHECK;
/* That error, of a path that names nothing that can be changed. */
err *scim_path_invalid(str path) BH_CHECK;

#endif
