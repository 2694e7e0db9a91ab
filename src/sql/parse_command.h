/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands and its interpreter (parse_pattern.c). */
#ifndef BH_SQL_PARSE_COMMAND_H
#define BH_SQL_PARSE_COMMAND_H

#include "sql/parse.h"

struct sql_command_row {
    const char *name, *pattern;
};

extern const struct sql_command_row sql_commands[];
extern const size_t sql_n_commands;

#endif
