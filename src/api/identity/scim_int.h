/* SPDX-License-Identifier: Apache-2.0 */
/* What the SCIM routes share: fields of a body, members, operations of PATCH, the attributes that were asked for. */
#ifndef BH_API_IDENTITY_SCIM_INT_H
#define BH_API_IDENTITY_SCIM_INT_H

#include "identity/scim.h"

/* "User", "Group" or "ServicePrincipal". */
const char *scim_resource_name(enum principal_type t);

/* Takes the fields that are there from a body. Only account admins may make account admins. */
err *scim_take_fields(struct req *r, struct scim_resource *s, jval *o) BH_CHECK;
/* One member {"value": id} or a list of them; each must be one that the caller may add (rules.h). */
err *scim_add_members(struct req *r, const struct scim_resource *g, jval *list) BH_CHECK;
err *scim_remove_all_members(struct req *r, const struct scim_resource *g) BH_CHECK;

/* Applies one operation {"op", "path", "value"} to the resource, and at once to its members. A path that names
 * nothing we keep is an error with scimType invalidPath, one whose filter finds nothing to replace noTarget;
 * without a path, attributes that we do not keep are passed over. */
err *scim_patch_one(struct req *r, struct scim_resource *s, jval *op) BH_CHECK;

/* Does the answer show this attribute: the request's `attributes` names it, or its `excludedAttributes` does not? */
bool scim_wanted(struct req *r, const char *attr);
/* Takes out of a resource what is not wanted. */
void scim_project(struct req *r, jmut *resource);

#endif
