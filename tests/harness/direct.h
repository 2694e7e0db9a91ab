/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handlers without processes, loop or sockets: a real store in a temporary folder, a request built
 * by hand, and the handler's function called in the lane that it was written for.
 */
#ifndef BH_TESTS_HARNESS_DIRECT_H
#define BH_TESTS_HARNESS_DIRECT_H

#include "rest/control.h"

struct direct {
    struct control c;
    char dir[64];
    int64_t workspace, other_workspace; /* two workspaces of the account */
    int64_t admin;                      /* admin of everything */
    int64_t everyone;                   /* the group "account users" */
};

/* Someone who calls. */
struct direct_user {
    int64_t id, groups[4];
    char name[64];
    bool admin;
};

/* Opens a store and makes account, admin and two workspaces; fails the test on any error. */
void direct_open(struct direct *d);
void direct_close(struct direct *d);
/* A user of both workspaces and of "account users". */
struct direct_user direct_user(struct direct *d, const char *name, bool admin);

/* What a step of a route is, for the calls below. */
#define DIRECT_READ LANE_READ
#define DIRECT_WRITE LANE_WRITE
#define DIRECT_WORK LANE_WORK

/* Runs one handler with arguments in JSON ('…' stands for "…"); workspace 0: d->workspace. Returns
 * the finished request: its failure, or its answer in r->raw. Free with direct_end(). */
struct req *direct_call(struct direct *d, const struct direct_user *u, int64_t workspace,
                        enum lane lane, step_fn fn, const char *args);
/* The same with two steps, the second in a write. */
struct req *direct_call2(struct direct *d, const struct direct_user *u, step_fn work, step_fn write,
                         const char *args);
void direct_end(struct req *r);

/* Calls and expects success: the answer, parsed; lives until direct_close(). */
jval *direct_ok(struct direct *d, const struct direct_user *u, enum lane lane, step_fn fn,
                const char *args);
/* Calls and expects this error with `part` in its message. */
void direct_fails(struct direct *d, const struct direct_user *u, enum lane lane, step_fn fn,
                  const char *args, err_code code, const char *part);

#endif
