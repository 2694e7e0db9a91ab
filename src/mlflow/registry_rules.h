/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be a name, an alias, a stage, a version or a tag in a model registry. Pure. The texts of
 * the errors are those that MLflow's clients and tests expect (reference: what real clients send).
 */
#ifndef BH_MLFLOW_REGISTRY_RULES_H
#define BH_MLFLOW_REGISTRY_RULES_H

#include "catalog/kv.h"

#define REGISTRY_MAX_NAME 256u
#define REGISTRY_MAX_ALIAS 255u
#define REGISTRY_MAX_TAG_KEY 250u
#define REGISTRY_MAX_TAG_VALUE 100000u
#define REGISTRY_MAX_DESCRIPTION 65535u
#define REGISTRY_MAX_SOURCE 4096u

enum registry_stage { STAGE_NONE, STAGE_STAGING, STAGE_PRODUCTION, STAGE_ARCHIVED, STAGE_COUNT };
extern const char *const registry_stage_names[STAGE_COUNT];

/* Name of a model of the workspace registry: not blank, no '/' or ':', not a path like "../x". */
err *registry_check_name(str name, const char *field) BH_CHECK;
/* for_set: names that resolve by themselves ("latest", "v3") cannot be given. */
err *registry_check_alias(str alias, bool for_set) BH_CHECK;
err *registry_check_tag(str key, str value) BH_CHECK;
err *registry_check_tags(const struct kv *tags) BH_CHECK;
err *registry_check_text(str text, const char *field, size_t max) BH_CHECK;
/* "3" → 3. */
err *registry_check_version(str text, int64_t *ret) BH_CHECK;
/* Any case; the error names the four stages. */
err *registry_stage_of(str text, enum registry_stage *ret) BH_CHECK;

#endif
