/* SPDX-License-Identifier: Apache-2.0 */
/* How securables look in answers, in Unity Catalog's form ("info") and in MLflow's. */
#ifndef BH_API_UNITY_CATALOG_ANSWERS_H
#define BH_API_UNITY_CATALOG_ANSWERS_H

#include "catalog/models.h"
#include "catalog/securable.h"
#include "catalog/catalogs.h"
#include "rest/control.h"

/* The one who asks, for src/catalog. */
struct caller uc_caller(struct req *r);
/* The metastore's id. */
const char *uc_metastore(struct req *r);
/* Name of a principal; digits when it is gone. */
err *uc_principal(struct req *r, int64_t id, str *ret) BH_CHECK;
/* A principal named in a request: user, group or service principal. */
err *uc_principal_id(struct req *r, str name, int64_t *ret) BH_CHECK;

struct uc_stamps {
    int64_t created_at, created_by, updated_at, updated_by;
};
#define UC_STAMPS(row)                                                                             \
    ((struct uc_stamps){(row).created_at, (row).created_by, (row).updated_at, (row).updated_by})
err *uc_put_stamps(struct req *r, jmut *o, struct uc_stamps s) BH_CHECK;
/* owner, full_name, comment (where p is set), browse_only. */
err *uc_put_owner(struct req *r, jmut *o, const struct securable *s, str comment) BH_CHECK;

/* Parameters that ask for what there is not: INVALID_PARAMETER_VALUE naming the first that is set. NULL ends the names. */
/* In a list: what is bound to other workspaces is shown to whoever manages it and asks with include_unbound. */
err *uc_unbound(struct req *r, const struct caller *c, struct securable *s) BH_CHECK;
err *uc_refuse(struct req *r, const char *const *names) BH_CHECK;
/* Effective predictive optimization: there is none, so it is off for all. */
void uc_put_optimization(struct req *r, jmut *o);

/* Tables, volumes, functions, external locations, storage credentials (answers_objects.c). */
err *uc_put_object(struct req *r, jmut *o, const struct securable *s) BH_CHECK;

err *uc_put_catalog(struct req *r, jmut *o, const struct securable *s) BH_CHECK;
err *uc_put_schema(struct req *r, jmut *o, const struct securable *s) BH_CHECK;
err *uc_put_model(struct req *r, jmut *o, const struct securable *s) BH_CHECK;
err *uc_put_version(struct req *r, jmut *o, const struct securable *m,
                    const struct model_version *v) BH_CHECK;
err *uc_put_mlflow_model(struct req *r, jmut *o, const struct securable *s) BH_CHECK;
err *uc_put_mlflow_version(struct req *r, jmut *o, const struct securable *m,
                           const struct model_version *v) BH_CHECK;
/* "/Models/main/default/m/3", where the Files API has a version's files. */
str uc_files_path(struct req *r, const struct securable *m, int64_t version);

/* List routes: page size from max_results (0 or absent: dflt), INVALID_PARAMETER_VALUE when it is
 * negative or above max. */
err *uc_page_size(struct req *r, int64_t dflt, int64_t max, size_t *ret) BH_CHECK;

/* One page of the visible versions of a model, newest first; put() writes each. */
typedef err *(*uc_put_version_fn)(struct req *, jmut *, const struct securable *,
                                  const struct model_version *);
err *uc_list_versions(struct req *r, const struct securable *m, int64_t dflt, int64_t max,
                      uc_put_version_fn put) BH_CHECK;
/* One page of the visible models, of one schema or of all; put() writes each. */
typedef err *(*uc_put_model_fn)(struct req *, jmut *, const struct securable *);
err *uc_list_models(struct req *r, str catalog, str schema, uc_put_model_fn put) BH_CHECK;

#endif
