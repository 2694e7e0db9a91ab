/* SPDX-License-Identifier: Apache-2.0 */
/* Users' functions of a schema. A function and a registered model of one schema have two names. */
#ifndef BH_CATALOG_FUNCTIONS_H
#define BH_CATALOG_FUNCTIONS_H

#include "catalog/kv.h"
#include "catalog/securable.h"

struct functions_spec {
    str name, language; /* SQL or PYTHON */
    str params;         /* JSON list [{name,type_text,type_json,default,comment}] */
    str returns;        /* JSON: {"type_text",…} or, of a table function, a list of columns */
    bool is_table, deterministic;
    str body, comment;
};

/* RESOURCE_ALREADY_EXISTS when a function or model has the name; with replace a function is replaced
 * (its owner and grants stay). */
err *functions_create(const struct caller *c, const struct securable *schema,
                      const struct functions_spec *spec, bool replace, struct securable *ret)
    BH_CHECK;
err *functions_save(const struct caller *c, struct securable *f) BH_CHECK;
err *functions_delete(const struct caller *c, const struct securable *f) BH_CHECK;

#endif
