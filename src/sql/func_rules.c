/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of conditionals and of whatever has no file of its own. */
#include "sql/func_rules.h"

static const struct sql_rule rules[] = {
    {"none", NULL, NULL, NULL},
};

const struct sql_rule_list sql_rules_core = {rules, ARRAY_LEN(rules)};
