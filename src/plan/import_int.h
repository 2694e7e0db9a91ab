/* SPDX-License-Identifier: Apache-2.0 */
/* Importers that add a model behind features which exist already: used when a pipeline ends in one. */
#ifndef BH_PLAN_IMPORT_INT_H
#define BH_PLAN_IMPORT_INT_H

#include "plan/build.h"
#include "plan/doc.h"

err *import_xgboost_into(arena *a, struct doc root, const struct import_meta *m,
                         struct build *b) BH_CHECK;
/* {"name", "type", "required"}. */
err *import_column_read(jval *v, struct import_column *to) BH_CHECK;
/* {"type": "int", "values": […]}; an absent or null object leaves *to as it is. */
err *import_labels_read(arena *a, jval *o, struct import_labels *to) BH_CHECK;
err *import_lightgbm_into(arena *a, str text, const struct import_meta *m, struct build *b) BH_CHECK;

#endif
