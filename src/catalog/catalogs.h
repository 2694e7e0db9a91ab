/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Catalogs and schemas: making, changing and deleting them, and what a fresh metastore holds. As in
 * models.h, rights are the handlers' to ask for.
 */
#ifndef BH_CATALOG_CATALOGS_H
#define BH_CATALOG_CATALOGS_H

#include "catalog/kv.h"
#include "catalog/securable.h"

#define CATALOGS_MAX_COMMENT 65535u

struct catalogs_spec {
    str name, comment, storage_root;
    struct kv properties;
};

/* A catalog comes with a schema "default". ALREADY_EXISTS when the name is taken. */
err *catalogs_create(const struct caller *c, const struct catalogs_spec *spec,
                         struct securable *ret) BH_CHECK;
err *catalogs_create_schema(const struct caller *c, const struct securable *catalog,
                        const struct catalogs_spec *spec, struct securable *ret) BH_CHECK;

/* Writes s->catalog or s->schema back (by s->kind). */
err *catalogs_save(const struct caller *c, struct securable *s) BH_CHECK;
err *catalogs_rename(const struct caller *c, struct securable *s, str new_name) BH_CHECK;
/* Without force, one that holds anything (a catalog: but an empty "default") is refused. A schema goes to the dropped ones. */
#define CATALOGS_KEEP_US (7 * 24 * 3600 * 1000000ll)
/* The dropped schemas of a catalog, youngest first. */
err *catalogs_dropped_schemas(const struct caller *c, int64_t catalog, struct ent_schema_rows *ret) BH_CHECK;
/* Brings one of them back with all that is in it; ALREADY_EXISTS when its name was given to another meanwhile. */
err *catalogs_undrop_schema(const struct caller *c, const struct securable *catalog, const struct ent_schema *dropped,
                            struct securable *ret) BH_CHECK;
err *catalogs_delete(const struct caller *c, const struct securable *s, bool force) BH_CHECK;
/* Forgets what is in a schema that was dropped before `before` (us), at most about max things in one write, and at last the schema
 * itself. Files of volumes and models go by c->drop_files; folders of tables are ret's. */
struct tables_gone;
err *catalogs_purge(const struct caller *c, int64_t before, size_t max, struct tables_gone *ret) BH_CHECK;

/* What a fresh metastore starts with: catalog `main` with schema `default`, owned by `owner`. The
 * account's group "account users", which everyone is in, gets what the published platform gives all
 * users on a workspace's own catalog: USE_CATALOG on main, USE_SCHEMA and CREATE_… on
 * main.default. Nothing is done where there is any catalog; call it at each start. */
err *catalog_bootstrap(store_tx *tx, struct store_scope scope, int64_t owner) BH_CHECK;
/* The same as a write of its own, when control starts. */
err *catalog_start(store *s, int64_t account, int64_t owner) BH_CHECK;

/* The metastore's id as the API shows it, from the account's id: stable, 36 characters. */
char *metastore_id(arena *a, const char *account_id);
/* A row's id in the form of a UUID. */
char *catalog_uuid(arena *a, int64_t id);

#endif
