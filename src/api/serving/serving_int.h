/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the handlers of serving. */
#ifndef BH_API_SERVING_INT_H
#define BH_API_SERVING_INT_H

#include "catalog/object_acl.h"
#include "serving/serving.h"

/* What travels between steps. */
struct endpoint_op {
    struct ent_endpoint row;
    str config; /* normalised, as it is kept */
    struct ent_served_version *entities;
    size_t n_entities;
    int64_t entity; /* one served entity, for logs */
    bool deploys;   /* settle begins the update */
};

struct endpoint_op *endpoint_op(struct req *r);
/* The endpoint of the path at this level; not visible or missing: RESOURCE_DOES_NOT_EXIST. */
err *endpoint_find(struct req *r, uint64_t level, struct ent_endpoint *ret) BH_CHECK;
/* ServingEndpointDetailed (detailed) or ServingEndpoint of a list into o. */
err *endpoint_put(struct req *r, jmut *o, const struct ent_endpoint *e, bool detailed) BH_CHECK;

/* config.c: checks a configuration as clients send it and brings it into the form that is kept:
 * served_entities only, with names, sizes and traffic filled in. */
err *config_normalise(struct req *r, jval *config, str *ret) BH_CHECK;
/* Rows of served_version for a kept configuration. */
err *config_insert(struct req *r, const struct ent_endpoint *e, int64_t version, str config) BH_CHECK;

#endif
