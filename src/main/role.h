/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every role does first. Descriptors given by the supervisor:
 *   3  the channel to the supervisor (or, for one-shot roles, to the role that asked for them)
 *   4  the pipe for last words
 *   5  the clock page, if the clock is driven
 *   6  control: the file of test.record, if that is set
 *   7  control: the master key, if it does not lie in the data folder
 */
#ifndef BH_MAIN_ROLE_H
#define BH_MAIN_ROLE_H

#include "base/err.h"

enum { ROLE_FD_CHANNEL = 3, ROLE_FD_WORDS = 4, ROLE_FD_CLOCK = 5, ROLE_FD_RECORD = 6, ROLE_FD_KEY = 7 };

struct role_args {
    const char *data_dir;  /* as the process sees it */
    const char *host_data; /* the same folder as people know it */
    const char *level;    /* sandbox level: full, user, reduced */
    const char *log_form; /* human or json */
    const char *log_level;
    int record_fd, key_fd; /* -1 where not given */
};

/* Log, crash reports, hash seed, clock. */
err *role_begin(const char *role, int argc, char **argv, struct role_args *ret) BH_CHECK;
/* Enters the confined stage of the role's sandbox row. */
err *role_confine(const char *role, const struct role_args *args) BH_CHECK;
/* Logs e as the last word and returns the exit code. */
int role_end(const char *role, err *e);

#endif
