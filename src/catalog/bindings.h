/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workspaces that a catalog, an external location or a storage credential is bound to. They count while its isolation mode is
 * ISOLATED: then other workspaces have nothing of it, whoever asks there (policy/policy.h), and those that are bound to read a
 * catalog change nothing in it.
 *
 * In the row, by ids: "<workspace>:rw <workspace>:ro …".
 */
#ifndef BH_CATALOG_BINDINGS_H
#define BH_CATALOG_BINDINGS_H

#include "catalog/securable.h"

#define BINDINGS_MAX 1000

struct binding {
    int64_t workspace;
    bool read_only;
};
struct bindings {
    struct binding *p; /* by workspace */
    size_t n;
};

/* Has this kind bindings? */
bool bindings_on(enum securable_kind kind);
/* What a workspace may have of what has this mode and these bindings in its row. */
enum policy_binding bindings_say(str mode, str bindings, int64_t workspace);
bool bindings_isolated(const struct securable *s);
/* OPEN or ISOLATED, as a request spells it ("ISOLATION_MODE_OPEN" too). What becomes isolated is bound to the caller's workspace,
 * unless it is bound already. Changes the row in s alone. */
err *bindings_set_mode(const struct caller *c, struct securable *s, str mode) BH_CHECK;

err *bindings_read(const struct caller *c, const struct securable *s, struct bindings *ret) BH_CHECK;
/* One more, or changed; and one less. NOT_FOUND: no workspace of the account; what is not bound is none less. */
err *bindings_add(const struct caller *c, struct bindings *b, struct binding one) BH_CHECK;
void bindings_remove(struct bindings *b, struct binding one, bool of_this_type);
/* Into the store. */
err *bindings_save(const struct caller *c, struct securable *s, const struct bindings *b) BH_CHECK;

#endif
