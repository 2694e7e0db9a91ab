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

#endif
