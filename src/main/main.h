/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles and commands of the one program. A role's main reads as a story: parse, check, open, drop
 * rights, loop, drain; what it does lives in its folder.
 */
#ifndef BH_MAIN_MAIN_H
#define BH_MAIN_MAIN_H

#include "base/err.h"

/* In the data folder: what the platform was started with (serve.c; `boathouse settings` compares). */
#define MAIN_STARTED_SETTINGS "settings.started"

/* Roles: run by the supervisor with descriptor 3 = its channel, 4 = the pipe for last words,
 * 5 = the clock page (only with a driven clock); see role.h. argv[0] is the role's name. */
int role_control(int argc, char **argv);
int role_gateway(int argc, char **argv);
int role_courier(int argc, char **argv);
int role_importer(int argc, char **argv);

/* Commands for a person. Exit codes: 0 done, 1 failed, 2 wrong use or wrong settings. */
int cmd_serve(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_env(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_token(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_workspace(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_restore(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_rotate_key(int argc, char **argv);
int cmd_routes(int argc, char **argv);
int cmd_settings(int argc, char **argv);
int cmd_errors(int argc, char **argv);
int cmd_version(int argc, char **argv);

/* What is shipped beside the program: in its checkout (made by tools/setup), or installed. */
enum main_part { MAIN_BASE_ENV, MAIN_PYTHON, MAIN_UV, MAIN_ENGINE, MAIN_DUCKDB };
/* Its real path in out[PATH_MAX], or NULL where it is missing. */
const char *main_shipped(char *out, enum main_part part);

/* Prints one clear line (and the way out) to stderr; frees e; returns code. */
int main_fail(err *e, int code);
/* Value of `--name VALUE` or `--name=VALUE` at argv[*i]; moves *i past it. */
bool main_option(int argc, char **argv, int *i, const char *name, const char **ret);

#endif
