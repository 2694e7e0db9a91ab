/* SPDX-License-Identifier: Apache-2.0 */
/* Places for managed tables that outside clients make (staging.c). */
#ifndef BH_API_DELTA_STAGING_H
#define BH_API_DELTA_STAGING_H

#include "catalog/securable.h"
#include "rest/control.h"

/* The place that the caller was given before for the table arg "name" in this schema: its uuid. Taken by this (a write). */
err *uc_take_staging(struct req *r, const struct caller *c, const struct securable *schema, str location, str *ret_uuid) BH_CHECK;

#endif
