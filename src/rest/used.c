/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a token was last used. Whoever checks a token (control, a gateway) notes at most one use in an
 * hour; each note is one small write that nobody waits for and that is no change of the journal.
 */
#include <stdlib.h>

#include "base/log.h"
#include "rest/control.h"
#include "store/gen_entities.h"

struct use {
    int64_t workspace, time_us;
    char id[72];
};

static err *note(store_tx *tx, void *arg) {
    struct use *u = arg;
    struct store_scope scope = {1, u->workspace};
    struct ent_token t;
    bool found;
    arena *a = arena_new();
    err *e = ent_token_by_token_id(tx, scope, a, str_of(u->id), &t, &found);
    if (!e && found && t.last_used_at < u->time_us) {
        t.last_used_at = u->time_us;
        e = ent_token_update(tx, scope, &t);
    }
    arena_free(a);
    return e;
}

static void noted(void *arg, err *e, int64_t seq) {
    (void)seq;
    if (e) log_warn("the use of a token is not noted", lf_err(e));
    err_free(e);
    free(arg);
}

void control_token_used(struct control *c, int64_t workspace, str id, int64_t time_us) {
    if (!id.n || id.n >= sizeof(((struct use *)0)->id)) return;
    struct use *u = calloc(1, sizeof(*u));
    must(u != NULL);
    u->workspace = workspace;
    u->time_us = time_us;
    memcpy(u->id, id.p, id.n);
    struct store_write w = {.job = note,
                            .done = noted,
                            .arg = u,
                            .actor = {.action = STR("token.used"), .scope = {1, workspace}},
                            .no_journal = true};
    err *e = store_write_async(c->store, STORE_META, &w);
    if (e) noted(u, e, 0);
}
