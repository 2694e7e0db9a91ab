/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which workspace a request is about; the same in control and in the gateway. It is named by the headers
 * X-Databricks-Workspace-Id and X-Databricks-Org-Id, by ?o=<id>, or by the host name (a workspace's
 * deployment name); all that are there must agree, with each other and with the credential. Without any
 * of them it is the credential's workspace, else the default one.
 */
#ifndef BH_POLICY_WORKSPACE_H
#define BH_POLICY_WORKSPACE_H

#include "policy/facts.h"

struct workspace_asked {
    str workspace_id, org_id; /* the two headers */
    str query, host;          /* without '?'; with or without a port */
    int64_t bound;            /* of the credential; 0: none */
};
/* INVALID_PARAMETER_VALUE for one that does not exist, or two that differ. */
err *workspace_choose(const struct facts *f, const struct workspace_asked *a, int64_t *ret) BH_CHECK;

#endif
