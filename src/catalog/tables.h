/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables and views of the catalog: their rows. What a table holds is in its Delta log; the row keeps
 * what must be answered without reading it (columns, properties, comment), and what the log does not
 * know (owner, tags, keys, filter, masks).
 *
 * A managed table's folder lies in the root "tables" and is named by the table's uuid: renaming moves
 * nothing. A dropped table goes out of its schema at once and can come back for TABLES_KEEP_US
 * (UNDROP); then tables_purge() forgets it and says which folders may go. Views, and external tables'
 * files, are not kept or touched.
 *
 * Rights are the callers' to ask for, except tables_storage().
 */
#ifndef BH_CATALOG_TABLES_H
#define BH_CATALOG_TABLES_H

#include "catalog/kv.h"
#include "catalog/securable.h"

/* Properties that begin so are what ANALYZE counted: shown as statistics, and by nobody as properties. */
#define TABLE_STATISTICS "spark.sql.statistics."

#define TABLES_KEEP_US (7 * 24 * 3600 * 1000000ll)
#define TABLES_MAX_COLUMNS 10000

static inline bool table_is_view(const struct ent_uc_table *t) {
    return t->view_text.n > 0 || str_ends(t->table_type, STR("VIEW"));
}
static inline bool table_is_managed(const struct ent_uc_table *t) {
    return str_starts(t->table_type, STR("MANAGED"));
}

/* What kind of thing may be where a table's name is used. */
struct tables_spec {
    str name, type, format, location, uuid; /* uuid empty: a new one */
    str columns, constraints, comment;      /* JSON lists, or empty */
    str row_filter;
    str clone_sources;                      /* of a shallow clone: see clones.h */
    str view_text, view_catalog, view_schema;
    struct kv properties;
};

/* RESOURCE_ALREADY_EXISTS when the name is taken. ret's chain is set. */
err *tables_create(const struct caller *c, const struct securable *schema,
                   const struct tables_spec *spec, struct securable *ret) BH_CHECK;
/* Writes t->table back. */
err *tables_save(const struct caller *c, struct securable *t) BH_CHECK;
/* Another name, in the same or another schema of the same catalog (schema NULL: the same). */
err *tables_rename(const struct caller *c, struct securable *t, const struct securable *schema,
                   str new_name) BH_CHECK;
/* A table goes to the dropped ones; a view, and with `forever` any, goes at once. */
err *tables_drop(const struct caller *c, const struct securable *t, bool forever) BH_CHECK;
/* The dropped tables of a schema, youngest first. */
err *tables_dropped(const struct caller *c, int64_t schema, struct ent_uc_table_rows *ret) BH_CHECK;
/* Brings the youngest dropped one of that name (or that uuid) back. */
err *tables_undrop(const struct caller *c, const struct securable *schema, str name, str uuid,
                   struct securable *ret) BH_CHECK;

/* Managed tables that nobody knows any more, to remove their folders. */
struct tables_gone {
    struct tables_folder {
        str uuid, url; /* the folder's name below the root of managed tables; its URL where it lies elsewhere, else empty */
    } *p;              /* in the caller's arena */
    size_t n;
    bool more;         /* there may be more: once more in another write */
};
/* Forgets up to max tables that were dropped before `before` (us). */
err *tables_purge(const struct caller *c, int64_t before, size_t max, struct tables_gone *ret) BH_CHECK;
/* Forgets up to max tables whose schema_id is this (living ones, or with a negative id dropped ones), whatever their age. */
err *tables_forget_all(const struct caller *c, int64_t schema, size_t max, struct tables_gone *ret) BH_CHECK;

/* Tags lie as {"table":{…},"columns":{"c":{…}}}; column empty: of the table. */
err *tables_tags(const struct caller *c, const struct ent_uc_table *t, str column, struct kv *ret)
    BH_CHECK;
err *tables_set_tags(const struct caller *c, struct securable *t, str column, const struct kv *add,
                     const str *remove, size_t n_remove) BH_CHECK;

/* Has it a row filter or a column mask? Its files tell more than its rows then. */
err *tables_guarded(const struct caller *c, const struct ent_uc_table *t, bool *ret) BH_CHECK;

/* Properties as people are shown them. Statistics of values are left out where a filter or mask hides rows or values. */
err *tables_properties(const struct caller *c, const struct ent_uc_table *t, struct kv *ret) BH_CHECK;

/* Columns as stored: an array, possibly empty. */
err *tables_columns(const struct caller *c, const struct ent_uc_table *t, jval **ret) BH_CHECK;

#endif
