/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Securables of the account's metastore: what a full name names, who owns it, who was granted what
 * on it and above it, and the decision from that.
 *
 *   metastore (account) → catalog → schema → registered model, table or view, volume, function
 *                       → external location, storage credential
 *
 * Every decision goes through policy_privilege() (policy/policy.h). Three outcomes:
 *   allowed     the caller holds one of the privileges asked, and USE on everything above
 *   refused     PERMISSION_DENIED naming the privilege and the securable on which it lacks
 *   missing     RESOURCE_DOES_NOT_EXIST as for a name that was never given, when the caller holds
 *               nothing on the securable: he may not know that it exists
 * Passing through (USE_CATALOG on a catalog) does not make what is below visible; a privilege that
 * applies to the securable's own kind, granted there or above, does, and so does BROWSE.
 */
#ifndef BH_CATALOG_SECURABLE_H
#define BH_CATALOG_SECURABLE_H

#include "policy/policy.h"
#include "store/gen_entities.h"
#include "store/store.h"

enum securable_kind {
    SEC_METASTORE,
    SEC_CATALOG,
    SEC_SCHEMA,
    SEC_MODEL,
    SEC_TABLE, /* and views */
    SEC_VOLUME,
    SEC_FUNCTION,
    SEC_LOCATION,
    SEC_CREDENTIAL,
    SEC_KINDS
};

/* "metastore", "catalog", "schema", "registered_model", "table", …: as grants keep it. */
extern const char *const securable_kind_names[SEC_KINDS];

#define SECURABLE_DEPTH 4

struct securable {
    enum securable_kind kind;
    int64_t id;    /* of the row; 0 for the metastore */
    int64_t owner; /* principal */
    str full_name; /* as first spelled */
    struct ent_catalog catalog; /* set from the top down to its own kind */
    struct ent_schema schema;
    union { /* by kind */
        struct ent_uc_model model;
        struct ent_uc_table table;
        struct ent_uc_volume volume;
        struct ent_uc_function function;
        struct ent_external_location location;
        struct ent_storage_credential credential;
    };
    struct policy_node chain[SECURABLE_DEPTH]; /* [0] itself, then outwards */
    size_t n;
};

struct engine_root;

/* Who asks, and where to look. today: what rights are read from, which is tx itself but
 * for a tx that looks at the past. */
struct caller {
    store_tx *tx, *today;
    struct store_scope scope;
    arena *a;
    const struct policy_subject *who;
    str name;
    void *arg; /* of whoever made the caller */
    /* Removes a folder of the account's tree of files with all in it; src/files lies to the right of
     * us. NULL: nothing is done. */
    err *(*drop_files)(const struct caller *c, str folder);
    bool any_workspace; /* bindings to workspaces are not looked at: of whoever changes them */
    /* For walks over many: what the caller himself and his groups hold on things of one kind, by id
     * (policy_entry); then no grants are read for these. NULL: they are. */
    struct map *own;
    enum securable_kind own_kind;
    /* Where bytes may lie (engine/link.h): managed tables first, then the local roots. */
    const struct engine_root *roots;
    size_t n_roots;
    str tables_url; /* the folder of managed tables as people know it: file:///… or s3://… */
    const struct stores *stores; /* NULL: none outside (catalog/stores.h) */
};

/* The scope of everything in the metastore: the account. */
static inline struct store_scope metastore_scope(const struct caller *c) {
    return (struct store_scope){c->scope.account, 0};
}

/* By kind and full name ("" for the metastore). *found false: some part does not exist. Bad names
 * are INVALID_PARAMETER_VALUE. */
err *securable_find(const struct caller *c, enum securable_kind kind, str full_name,
                    struct securable *ret, bool *found) BH_CHECK;
/* The same by rows already read: makes the chain. */
err *securable_of_catalog(const struct caller *c, const struct ent_catalog *row,
                          struct securable *ret) BH_CHECK;
err *securable_of_schema(const struct caller *c, const struct securable *catalog,
                         const struct ent_schema *row, struct securable *ret) BH_CHECK;
err *securable_of_model(const struct caller *c, const struct securable *schema,
                        const struct ent_uc_model *row, struct securable *ret) BH_CHECK;
err *securable_of_table(const struct caller *c, const struct securable *schema,
                        const struct ent_uc_table *row, struct securable *ret) BH_CHECK;
err *securable_of_volume(const struct caller *c, const struct securable *schema,
                         const struct ent_uc_volume *row, struct securable *ret) BH_CHECK;
err *securable_of_function(const struct caller *c, const struct securable *schema,
                           const struct ent_uc_function *row, struct securable *ret) BH_CHECK;
err *securable_of_location(const struct caller *c, const struct ent_external_location *row,
                           struct securable *ret) BH_CHECK;
err *securable_of_credential(const struct caller *c, const struct ent_storage_credential *row,
                             struct securable *ret) BH_CHECK;

/* One level down: a schema of a catalog, a leaf (model, table, …) of a schema, by the name alone. */
err *securable_below(const struct caller *c, const struct securable *up, enum securable_kind kind,
                     str name, struct securable *ret, bool *found) BH_CHECK;
/* Schema, or anything in one, by the id of its row. */
err *securable_by_id(const struct caller *c, enum securable_kind kind, int64_t id,
                     struct securable *ret, bool *found) BH_CHECK;
/* A model by the id of its row. */
err *securable_model(const struct caller *c, int64_t id, struct securable *ret, bool *found)
    BH_CHECK;

/* "Catalog 'x' does not exist." */
err *securable_missing(enum securable_kind kind, str full_name) BH_CHECK;

/* Does the caller hold anything on it that lets him know of it? */
bool securable_visible(const struct caller *c, const struct securable *s);
/* May he read its metadata: visible, and USE on what is above, or BROWSE? */
bool securable_readable(const struct caller *c, const struct securable *s);
/* Views and functions read with the rights of their owners. So what they read is changed by the owner (himself, through a
 * group, or an admin) alone, MANAGE is not enough; and they are given to those only for whom the caller may act: himself,
 * a group that he is in, anybody by an admin. Otherwise a text of one's own would read with another's rights. Both: the
 * error, or NULL; of other kinds of things NULL. */
err *securable_need_owner(const struct caller *c, const struct securable *s) BH_CHECK;
err *securable_may_give(const struct caller *c, const struct securable *s, int64_t new_owner) BH_CHECK;
/* May he see the text of a view or function? Its owner, and whoever has MANAGE: others read and call it without knowing how. */
bool securable_shows_text(const struct caller *c, const struct securable *s);
/* Readable through BROWSE alone. */
bool securable_browse_only(const struct caller *c, const struct securable *s);
/* The decision for showing something of it: a workspace that may read a catalog shows all that its owners may see there. */
bool securable_knows(const struct caller *c, const struct securable *s, uint64_t need);
/* PERMISSION_DENIED that names what is not bound to the caller's workspace, for whoever would see it were it bound; else NULL. */
err *securable_unbound(const struct caller *c, const struct securable *s) BH_CHECK;
/* NULL where it was found and the caller may know of it; else that error, or that there is none of this name (as he wrote it). */
err *securable_known(const struct caller *c, const struct securable *s, bool found, enum securable_kind kind, str name) BH_CHECK;
/* One of the privileges `need`, or the error of the essay. */
err *securable_need(const struct caller *c, const struct securable *s, uint64_t need) BH_CHECK;
/* True if securable_need() would allow. */
bool securable_allows(const struct caller *c, const struct securable *s, uint64_t need);

/* Finds and decides in one step: the usual opening of a handler. need 0: metadata. */
err *securable_open(const struct caller *c, enum securable_kind kind, str full_name, uint64_t need,
                    struct securable *ret) BH_CHECK;

/* What the decision says is missing: the name of a privilege and "Table 'a.b.c'". False: nothing is.
 * need as in securable_need(). */
bool securable_lacks(const struct caller *c, const struct securable *s, uint64_t need,
                     const char **ret_privilege, const char **ret_on);
/* "Catalog", "Table", "External location": for messages. Views are "View". */
const char *securable_title(const struct securable *s);
/* The API's name of the kind: "CATALOG", "TABLE", … */
const char *securable_type_name(enum securable_kind kind);
/* How many parts a name of this kind has: 0..3. */
int securable_parts(enum securable_kind kind);
/* The schema's (or catalog's) own securable from one below it: nothing is read but grants. */
err *securable_up(const struct caller *c, const struct securable *s, enum securable_kind kind,
                  struct securable *ret) BH_CHECK;

/* Kind by the type in a path ("catalog", "SCHEMA", "function", "registered_model"), or -1. */
int securable_kind_of(str type);
/* Privileges that may be granted on this kind. */
uint64_t securable_grantable(enum securable_kind kind);

#endif
