/* SPDX-License-Identifier: Apache-2.0 */
/* The lists of rules, one for each func_rules*.c; a new file adds its list here and in sql_rule_lists (func.c). */
#ifndef BH_SQL_FUNC_RULES_H
#define BH_SQL_FUNC_RULES_H

#include "sql/func.h"

extern const struct sql_rule_list sql_rules_core; /* func_rules.c */
extern const struct sql_rule_list sql_rules_agg;  /* func_rules_agg.c */
extern const struct sql_rule_list sql_rules_coll; /* func_rules_coll.c: arrays, maps, generators */
extern const struct sql_rule_list sql_rules_json; /* func_rules_json.c */
extern const struct sql_rule_list sql_rules_fn;   /* func_rules_fn.c: strings, numbers, dates */
extern const struct sql_rule_list sql_rules_sketch; /* func_rules_sketch.c */
extern const struct sql_rule_list sql_rules_text; /* func_rules_text.c: CSV and XML */

/* Templates of JSON: a value of type t out of the JSON text `json`; the JSON text of the value x (NULL stays NULL). */
err *sql_json_read_tmpl(struct sql_env *env, arena *a, const char *json, const struct sql_type *t, buf *out) BH_CHECK;
err *sql_json_write_tmpl(struct sql_env *env, arena *a, const char *x, const struct sql_type *t, buf *out) BH_CHECK;

#endif
