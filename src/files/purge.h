/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a workspace leaves when it goes: files, runs, its query history, and for ephemeral ones its rows.
 *
 * An ephemeral workspace lives until the platform stops. The next start marks it CANCELLING before
 * anything serves, so that nobody enters it any more, and a worker removes its files, its runs, its
 * rows and at last itself; a start that is cut off is taken up by the one after it.
 */
#ifndef BH_FILES_PURGE_H
#define BH_FILES_PURGE_H

#include "rest/control.h"

/* At the start, before facts are loaded: marks the ephemeral workspaces of earlier runs. */
err *purge_mark(struct control *c) BH_CHECK;
/* Afterwards: begins to remove what is marked. */
err *purge_begin(struct control *c) BH_CHECK;

/* For the write that deletes a workspace, before its rows go: notes its files. purge_noted(), from the
 * request's `after`, begins to remove them and its runs. The note is the request's. */
struct purge_note;
err *purge_note(struct req *r, int64_t workspace, struct purge_note **ret) BH_CHECK;
void purge_noted(struct control *c, struct purge_note *n);

#endif
