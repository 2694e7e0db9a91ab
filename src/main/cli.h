/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the commands for people share: their arguments, and talking to the platform that runs on a
 * data folder, with the address and token of its connect.env.
 */
#ifndef BH_MAIN_CLI_H
#define BH_MAIN_CLI_H

#include "base/json.h"
#include "main/main.h"

#define CLI_WORDS 4

/* Options that take a value are named with a trailing '=', e.g. "--comment=". */
struct cli_args {
    const char *data;              /* --data, "data" if not given */
    const char *word[CLI_WORDS];   /* what is no option, in order */
    size_t word_n;
    const char *const *known;      /* further options of the command, NULL at the end */
    const char *value[8];          /* of known[i]: the value, "" for one without, or NULL */
};
/* Parses; error INVALID_PARAMETER_VALUE for what is not known. `known` has at most 8 rows. */
err *cli_parse(int argc, char **argv, const char *const *known, struct cli_args *ret) BH_CHECK;
/* Prints the usage and returns the exit code; asked: --help was given, so that it is no mistake. */
int cli_usage(const char *usage, bool asked);
bool cli_help(int argc, char **argv);

struct cli;
/* Reads DATA/connect.env. Error with the way out where no platform has run. Free with cli_close(). */
err *cli_open(const char *data, struct cli **ret) BH_CHECK;
void cli_close(struct cli *c);
/* One request; body is JSON or empty. An answer that is no 2xx becomes an error with its message.
 * *ret (optional) is the parsed answer in the arena of the cli, NULL where there is no body. */
err *cli_call(struct cli *c, const char *method, const char *path, str body, jval **ret) BH_CHECK;
arena *cli_arena(struct cli *c);
/* Value of a line of connect.env, or NULL. */
const char *cli_env(struct cli *c, const char *name);
/* "export NAME='value'" for a shell. */
void cli_export(const char *name, const char *value);

/* Is the folder's platform running? *ret_pid is its supervisor's, 0 if not. */
err *cli_running(const char *data, int *ret_pid) BH_CHECK;

#endif
