/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles as rows (tables/roles.json): what the supervisor knows about each kind of child.
 */
#ifndef BH_SUPERVISOR_ROLES_H
#define BH_SUPERVISOR_ROLES_H

#include "base/str.h"
#include "supervisor/gen_roles.h"

struct role_root {
    const char *inside;  /* path in the sandbox */
    const char *outside; /* path below the data folder, with {owner} and {env} */
    bool writable;
};

struct role_row {
    const char *name, *sandbox;
    bool restart, start;
    int drain_ms;
    const char *peer;   /* role that gets the other end of its channel, or NULL */
    const char *python; /* module run by the sandbox's Python instead of our program, or NULL */
    const char *program; /* a program of ours other than boathouse, or NULL */
    bool local_roots;    /* storage.local_roots are mounted as /ext/<n> */
    const struct role_root *roots;
    const uint16_t *accepts; /* 0 ends the list */
    const char *doc;
};
extern const struct role_row role_rows[ROLE_COUNT];

/* Row index by name, or -1. */
int role_by_name(str name);
/* Owners and environments name folders: 1..64 of [0-9a-z_-], so never a path. */
bool role_owner_ok(str owner);

#endif
