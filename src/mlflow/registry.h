/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workspace model registry: registered models, versions, stages, aliases, tags.
 *
 * Rights are levels on "registered-models" (tables/permissions.json): anyone may create a model and
 * manages it from then on; reading takes CAN_READ, changing texts and tags and adding versions
 * CAN_EDIT, moving a version between None, Staging and Archived CAN_MANAGE_STAGING_VERSIONS, into
 * or out of Production CAN_MANAGE_PRODUCTION_VERSIONS, renaming, deleting and aliases' removal with
 * a version CAN_MANAGE. A model that the caller may not see is "not found".
 *
 * A version refers to files that lie where its source put them; nothing is copied. So a source is
 * resolved once, at creation, with the creator's rights on it (registry_resolve_source), and from
 * then on the version's own permissions count. Deleting a version deletes no file.
 *
 * Functions that take a req read and write through r->tx.
 */
#ifndef BH_MLFLOW_REGISTRY_H
#define BH_MLFLOW_REGISTRY_H

#include "catalog/aliases.h"
#include "catalog/kv.h"
#include "catalog/object_acl.h"
#include "mlflow/registry_rules.h"

struct reg_model {
    struct ent_registered_model row;
    struct kv tags;
    struct ent_model_alias_rows aliases;
    struct object_chain chain;
};

struct reg_version {
    struct ent_model_version row;
    struct kv tags;
};

/* Finds the model and asks for the level. */
err *registry_open(struct req *r, str name, uint64_t level, struct reg_model *ret) BH_CHECK;
/* The version by its number as the client wrote it. */
err *registry_version(struct req *r, const struct reg_model *m, str version,
                      struct reg_version *ret) BH_CHECK;

err *registry_create(struct req *r, str name, str description, const struct kv *tags,
                     struct reg_model *ret) BH_CHECK;
/* Writes m->row and m->tags back. */
err *registry_save(struct req *r, struct reg_model *m) BH_CHECK;
err *registry_rename(struct req *r, struct reg_model *m, str new_name) BH_CHECK;
err *registry_delete(struct req *r, struct reg_model *m) BH_CHECK;

struct reg_version_spec {
    str source, storage, run_id, run_link, description, logged_model;
    struct kv tags;
};
err *registry_version_create(struct req *r, struct reg_model *m,
                             const struct reg_version_spec *spec, struct reg_version *ret) BH_CHECK;
err *registry_version_save(struct req *r, struct reg_version *v) BH_CHECK;
err *registry_version_delete(struct req *r, struct reg_model *m, struct reg_version *v) BH_CHECK;
/* Moves it; archive: versions that were in that stage before become Archived. */
err *registry_transition(struct req *r, struct reg_model *m, struct reg_version *v,
                         enum registry_stage to, bool archive) BH_CHECK;
/* Highest version in a stage; *found false: none. */
err *registry_latest(struct req *r, int64_t model, enum registry_stage stage,
                     struct reg_version *ret, bool *found) BH_CHECK;
err *registry_by_alias(struct req *r, const struct reg_model *m, str alias,
                       struct reg_version *ret) BH_CHECK;

/* JSON of answers. with_latest reads the latest versions of each stage. */
err *registry_put_model(struct req *r, jmut *o, const struct reg_model *m, bool with_latest)
    BH_CHECK;
void registry_put_version(struct req *r, jmut *o, const struct reg_model *m,
                          const struct reg_version *v);

/* Fills tags and aliases of rows read from a list. */
err *registry_load(struct req *r, struct reg_model *m) BH_CHECK;
err *registry_load_version(struct req *r, struct reg_version *v) BH_CHECK;

/* Answers of the search routes, from r's arguments (registry_search.c). */
err *registry_search_models(struct req *r) BH_CHECK;
err *registry_search_versions(struct req *r) BH_CHECK;

/* Where the files of a source lie, as URI ("dbfs:/databricks/mlflow-tracking/…"), and what else it
 * tells; asks for CAN_READ on what it belongs to. Reads from the stores itself: not in a write step
 * (registry_source.c). */
struct reg_source {
    str storage; /* resolved URI; the source itself where it is not one of ours */
    str run_id;  /* of a logged model */
};
err *registry_resolve_source(struct req *r, str source, str logged_model,
                             struct reg_source *ret) BH_CHECK;

#endif
