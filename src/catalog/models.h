/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registered models of the catalog and their versions.
 *
 * A version's life:
 *   PENDING_REGISTRATION  made; its creator (or whoever may create versions) writes the files
 *   READY                 finalized: the files are complete and no longer written
 *   FAILED_REGISTRATION   given up by the client
 * Numbers count up per model and are never used again. Aliases belong to the model and point to
 * living versions; deleting a version takes its aliases along.
 *
 * Files lie below a path made of ids (models_storage_path) in the account's tree of files, so
 * renaming moves nothing and a new model of an old name finds none of its files; the Files API shows
 * them as /Models/<catalog>/<schema>/<model>/<version>/…. They go with their version.
 *
 * The functions decide nothing about rights, except models_file_access(): handlers do, with
 * securable_need(). All that write need a write transaction in c->tx.
 */
#ifndef BH_CATALOG_MODELS_H
#define BH_CATALOG_MODELS_H

#include "catalog/kv.h"
#include "catalog/securable.h"

#define MODELS_MAX_COMMENT 65535u

struct model_version {
    struct ent_uc_model_version row;
    struct kv tags;
};

struct version_spec {
    str source, run_id, comment, logged_model, dependencies;
    int64_t run_workspace;
    struct kv tags;
};

/* ret->chain is set. RESOURCE_ALREADY_EXISTS when the name is taken. */
err *models_create(const struct caller *c, const struct securable *schema, str name, str comment,
                   const struct kv *tags, struct securable *ret) BH_CHECK;
/* Writes m->model back after a handler changed it. */
err *models_save(const struct caller *c, struct securable *m) BH_CHECK;
/* Another name in the same schema. */
err *models_rename(const struct caller *c, struct securable *m, str new_name) BH_CHECK;
/* With versions and grants. */
err *models_delete(const struct caller *c, const struct securable *m) BH_CHECK;
err *models_change_tags(const struct caller *c, struct securable *m, const struct kv *add,
                        const str *remove, size_t n_remove) BH_CHECK;

err *models_set_alias(const struct caller *c, struct securable *m, str alias, int64_t version)
    BH_CHECK;
/* An alias that is not there is fine. */
err *models_delete_alias(const struct caller *c, struct securable *m, str alias) BH_CHECK;

err *models_version_create(const struct caller *c, struct securable *m,
                           const struct version_spec *spec, struct model_version *ret) BH_CHECK;
/* RESOURCE_DOES_NOT_EXIST when there is none of that number. */
err *models_version(const struct caller *c, const struct securable *m, int64_t number,
                    struct model_version *ret) BH_CHECK;
err *models_version_by_alias(const struct caller *c, const struct securable *m, str alias,
                             struct model_version *ret) BH_CHECK;
/* Writes v->row back. */
err *models_version_save(const struct caller *c, struct model_version *v) BH_CHECK;
err *models_version_finalize(const struct caller *c, struct model_version *v) BH_CHECK;
err *models_version_delete(const struct caller *c, struct securable *m, struct model_version *v)
    BH_CHECK;
err *models_version_change_tags(const struct caller *c, struct model_version *v,
                                const struct kv *add, const str *remove, size_t n_remove) BH_CHECK;

/* "/Models/.id/<model id>/<version>", without a slash at the end; version 0: the model's folder. No
 * catalog can be called ".id". */
str models_storage_path(arena *a, int64_t model_id, int64_t version);

/* What the Files API asks. path: what follows /Models/, in names ("main/default/m/3/MLmodel") or as
 * models_storage_path() has it (".id/7/3/MLmodel"). Decides for reading or for writing, and says
 * where the file is kept, in the account's scope.
 * Reading takes EXECUTE, or CREATE_MODEL_VERSION while the version is pending; writing takes
 * CREATE_MODEL_VERSION, and is over when the version is READY. The folder of a model
 * ("main/default/m") can be read only; anything above it is INVALID_PARAMETER_VALUE. */
err *models_file_access(const struct caller *c, str path, bool write, str *ret_path) BH_CHECK;

#endif
