/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of a commit that the committer of the log (commit.c) and that of the catalog (managed.c) share. */
#ifndef BH_DELTA_COMMIT_INT_H
#define BH_DELTA_COMMIT_INT_H

#include "delta/commit.h"

/* What came between the read version and the next one: checked, and merged into what we must know. */
struct delta_commit_state {
    int64_t next;             /* the version to write */
    int64_t ict, high_water;
    int64_t checked;          /* conflict-checked up to here */
};

/* The commit of another at this version: does it stand against the ask? Its timestamp and row ids go into the state. */
err *delta_commit_winner(arena *a, const struct delta_commit_ask *ask, struct delta_commit_state *s, str text, int64_t version) BH_CHECK;
/* The lines of a version: commitInfo first, then the actions, with row ids and versions where the table has them.
 * ret_high_water, if not NULL: the highest row id after it. */
err *delta_commit_text(arena *a, const struct delta_commit_ask *ask, const struct delta_commit_state *s, int64_t now, buf *out,
                       int64_t *ret_high_water) BH_CHECK;

#endif
