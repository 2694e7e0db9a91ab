/* SPDX-License-Identifier: Apache-2.0 */
/* The commands by area (ask.h, ask_command_tables). */
#ifndef BH_CATALOG_CMD_H
#define BH_CATALOG_CMD_H

#include "catalog/ask.h"
#include "catalog/keys.h"

extern const struct ask_command ask_schema_commands[];   /* cmd_schemas.c */
extern const struct ask_command ask_object_commands[];   /* cmd_objects.c */
extern const struct ask_command ask_alter_commands[];    /* cmd_alter.c */
extern const struct ask_command ask_grant_commands[];    /* cmd_grants.c */
extern const struct ask_command ask_access_commands[];   /* cmd_access.c */
extern const struct ask_command ask_show_commands[];     /* cmd_show.c */
extern const struct ask_command ask_describe_commands[]; /* cmd_describe.c */

/* The securable of the slots key and name, as GRANT and its relatives have them; seen by the caller. */
err *cmd_open_securable(struct ask *k, struct securable *ret) BH_CHECK;
/* What a row filter or mask calls. */
struct cmd_policy {
    struct ask_name function;
    jmut *names;     /* ["x", …]: its arguments as text, columns and constants */
    jmut *arguments; /* [{"column"} or {"constant"}, …]: which is which */
    bool constants;  /* is there one? */
};
/* Of "f ON (x, 1)" or "f USING COLUMNS (x, 1)" as the statement has it. Anything but columns and constants is refused. */
err *cmd_read_policy(struct ask *k, str text, struct cmd_policy *ret) BH_CHECK;
/* Masks and the row filter that a statement gives with a table's columns, {columns, filter} as its slots; saved. NULL policies:
 * nothing is done. */
err *cmd_apply_policies(struct ask *k, struct securable *t, jval *policies) BH_CHECK;
/* "USE_CATALOG" as statements write it: "USE CATALOG". */
str cmd_privilege_text(arena *a, const char *name);
/* Is the principal the caller or one of his groups? */
bool cmd_is_self(const struct caller *c, int64_t principal);

/* "`a` INT …" of SHOW CREATE TABLE; a column's type as written in DDL. */
str cmd_type_text(jval *column);

/* A key's slots {name, op:"p"/"f", names, ref, refnames, children} appended to `list` in the form that a table's row keeps. The
 * parent of a foreign key must be one that the caller may read. */
err *cmd_put_key(struct ask *k, const struct key_table *t, jval *v, jmut *list) BH_CHECK;

#endif
