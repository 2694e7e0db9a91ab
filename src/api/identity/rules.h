/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the admin of one workspace may do to principals, who belong to the whole account. He rules his
 * workspace, and nobody else's:
 *
 *   - he changes, or makes credentials for, only those who are in no other workspace and are no
 *     account admins;
 *   - deleting one who is in another workspace too takes him out of this one only;
 *   - groups of the account he sees, but does not change;
 *   - into his groups he takes whom he sees: members of his workspace, its groups, the account's groups.
 *
 * Account admins may do all of it.
 */
#ifndef BH_API_IDENTITY_RULES_H
#define BH_API_IDENTITY_RULES_H

#include "identity/scim.h"

/* NULL, or PERMISSION_DENIED. */
err *rules_may_change(struct req *r, const struct scim_resource *s) BH_CHECK;
/* May the principal be put into the group? RESOURCE_DOES_NOT_EXIST for one that the caller does not
 * see; the account's groups hold no workspace's group. */
err *rules_may_add(struct req *r, const struct scim_resource *group, int64_t member) BH_CHECK;
/* Is the user or service principal a member of another workspace than this? */
err *rules_elsewhere(struct req *r, int64_t principal, int64_t workspace, bool *ret) BH_CHECK;
/* Takes a user or service principal out of every group of the workspace, with his tokens there. */
err *rules_leave(struct req *r, int64_t principal, int64_t workspace) BH_CHECK;
/* Notes the new facts of a principal, or of all below a group. */
err *rules_publish(struct req *r, int64_t id, bool restricts) BH_CHECK;

#endif
