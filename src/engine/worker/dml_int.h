/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What dml*.c share.
 *
 * All changes of rows take one way:
 *   1. a query over the target (with _bh_file, _bh_row) and the source says what becomes of each row
 *   2. dml_project() makes rows of the table's columns of it: casts, defaults, generated columns, checks
 *   3. dml_write() writes files and gives add actions with statistics
 *   4. rows that go are taken from their files: by a deletion vector, or by writing the files anew (dml_take_rows)
 *   5. dml_commit() asks control
 * What a statement wrote and did not commit is removed at its end.
 */
#ifndef BH_ENGINE_WORKER_DML_INT_H
#define BH_ENGINE_WORKER_DML_INT_H

#include "base/vec.h"
#include "delta/dv.h"
#include "delta/feature.h"
#include "engine/worker/dml.h"
#include "engine/worker/remote.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"

typedef vec_of(struct delta_action) action_list;

struct dml_x {
    struct sql_env env;           /* first: as the statement's, but our target is found without asking again */
    struct dml *d;
    arena *a;
    const struct ast *target_name;
    struct scan_table *t;         /* the target as read; NULL for a new table */
    struct sql_relation *rel;
    str id, full_name, path, url; /* control's id (empty: a path), name for messages */
    const struct ast *source_name; /* COPY INTO: the folder's name in the query … */
    struct sql_relation *source;   /* … and its files */
    str clone_name;               /* the source of CLONE, for messages and history */
    struct scan_table *clone_of;  /* of a shallow clone: whose files it names */
    jval *resolved;               /* control's answer for the target, or NULL */
    str *masks;                   /* rel->masks: of the target as read, or NULL */

    /* what will be committed */
    action_list actions;
    const struct delta_metadata *metadata; /* in force after the commit */
    const struct delta_protocol *protocol;
    const struct sql_field *cols; /* … its columns */
    size_t n;
    bool metadata_changed, protocol_changed, no_comment; /* no_comment: the catalog is told that there is none */
    str operation;
    str parameters;               /* JSON object of commitInfo */
    buf metrics;                  /* "\"numFiles\":\"1\"," … */
    bool blind_append, read_all, data_change;
    bool by_name, evolving;       /* fields of structs are found by name; those that a source lacks are NULL */
    int n_names;                  /* names of lambda variables so far */
    vec_of(str) files_read;
    const struct scan_table *read_by; /* its conditions are all that was read of the target (dml_reads), or NULL */
    str keys;                     /* JSON of the keys that CREATE TABLE declares, or empty */
    str policies;                 /* masks and row filter that the statement gives, as JSON for control, or empty */
    str uuid;                     /* the catalog's, of a table that has a name; or empty */
    str create;                   /* JSON of stage_table's answer for a new table, or empty */
    vec_of(char *) written;       /* files to remove unless committed */
    vec_of(str) to_sync;          /* small ones that control makes durable with the log: relative to the table */
    int64_t version;              /* of the commit, -1 before */
    int64_t published;            /* catalog-managed: the log has its versions up to here under their own names */
    int64_t rows_written, bytes_written, files_written, cdc_files;
    int64_t started_us;
    bool temps;                   /* the connection has temporary tables now */
};

/* ---- dml.c ---- */
err *dml_open_target(struct dml_x *x, const struct ast *name, const char *right) BH_CHECK;
/* The same without asking whether the table's writer features are known. */
err *dml_open_readable(struct dml_x *x, const struct ast *name, const char *right) BH_CHECK;
err *dml_open_name(struct dml_x *x, const struct ast *name, const char *right, const struct ast *from, struct scan_table **ret, jval **ret_answer) BH_CHECK;
/* Masks of the statement's columns, and its row filter, go along with the commit. */
err *dml_take_policies(struct dml_x *x, const struct ast *columns, const struct ast *filter) BH_CHECK;
/* Has a relation (control's answer) a row filter or masks? */
bool dml_is_guarded(jval *relation);
/* Statements see masked columns through their masks; what is written back takes the true values, under this name. */
str dml_true_name(const struct dml_x *x, str column);
bool dml_is_masked(const struct dml_x *x, str column);
void dml_begin_commit(struct dml_x *x, const char *operation);
/* Adds "key":"n", to the operation's metrics. */
void dml_metric(struct dml_x *x, const char *key, int64_t n);
struct delta_action *dml_action(struct dml_x *x, enum delta_action_kind kind);
/* remove of a live file (data_change as the statement's). */
void dml_remove(struct dml_x *x, const struct delta_file *f);
/* Commits, or in a transaction keeps the version back. */
err *dml_commit(struct dml_x *x) BH_CHECK;
/* The same, but a statement that changes nothing of its table makes no version. */
err *dml_commit_unless_empty(struct dml_x *x) BH_CHECK;
/* What a compiled query read of the target: where it did so once, others' commits are checked against its conditions. */
void dml_reads(struct dml_x *x, const struct sql_compiled *c);
bool dml_vectors_on(struct dml_x *x);
/* What the committer must know of this version, as JSON (a version of op commit_managed). */
str dml_version_text(struct dml_x *x);
/* After a commit whose number asks for it. Failures do not matter: the commit stands. */
err *dml_checkpoint(struct dml_x *x) BH_CHECK;
bool dml_create_takes(const struct ast *s);
/* Names of a result's columns and its one row of numbers. */
err *dml_counts(struct dml_x *x, const char *const *names, const int64_t *values, size_t n, struct dml_result *ret) BH_CHECK;
/* A result of texts: cells row after row, types int ('l'), text ('s'), boolean ('b'), timestamp ms ('t'), json map ('m'). */
err *dml_rows(struct dml_x *x, const char *const *names, const char *types, size_t n, const str *cells, size_t rows, struct dml_result *ret) BH_CHECK;
err *dml_error(const char *cls, ...) BH_CHECK; /* pairs as sql_error() */
char *dml_z(struct dml_x *x, str s);
/* A name written as IDENTIFIER(…) becomes a plain one. */
err *dml_plain_name(struct dml_x *x, const struct ast **name) BH_CHECK;
str dml_take(struct dml_x *x, buf *b); /* into the arena, buf freed */
/* A file of the table is written and closed: it will be durable before the commit that names it. A small one is left to control,
 * which syncs it together with the log and with other statements' files; `rel` is relative to the table's folder. */
err *dml_settle(struct dml_x *x, str rel, int64_t size) BH_CHECK;
/* Column by name (case-insensitive), -1. */
ptrdiff_t dml_column(const struct sql_field *cols, size_t n, str name);
/* Metadata key of a field as text, STR_NONE. */
str dml_field_meta(arena *a, const struct sql_field *f, const char *key);
/* Does the expression name the column (a NAME), what lies in it, or what it lies in? */
bool dml_names_column(const struct ast *expr, const struct ast *path);
bool dml_is_partition(const struct delta_metadata *m, str name);

/* ---- dml_rows.c ---- */
/* A query's output as the source of the table's columns. */
struct dml_source {
    str text;                     /* DuckDB SELECT with columns c0, c1, … */
    const struct sql_column *cols;
    size_t n;
    const int *of;                /* per table column: the source's column, -1: not given (default), -2: keep as is (already stored type) */
    str hidden;                   /* select list over the source that goes through: "c0 AS \"_bh_file\"" …, or empty */
    str hidden_names;             /* "\"_bh_file\", …" */
    str inserts;                  /* SQL condition of rows of the source that are new (MERGE), or empty: none is told apart */
    str skip_checks;              /* SQL condition of rows that need no checks (deleted ones), or empty */
};
err *dml_project(struct dml_x *x, const struct dml_source *s, buf *out) BH_CHECK;
/* DEFAULT of a column as an expression (AST), or LIT_NULL. */
/* An expression that the table keeps (default, generated column, check) over its columns, as sql_compile_expr(). It reads no
 * table, function of a user, file or variable: its maker would read with the rights of whoever writes rows, and find the values kept. */
err *dml_kept_expr(struct dml_x *x, const struct ast *expr, const struct sql_field *cols, size_t n, const struct sql_type *want, buf *out,
                   const struct sql_type **ret_type) BH_CHECK;
/* May this be a column's default? text: as it is written. */
err *dml_check_default(struct dml_x *x, const char *command, str column, str text, const struct ast *value) BH_CHECK;
err *dml_default(struct dml_x *x, const struct sql_field *f, struct ast **ret) BH_CHECK;
/* New high-water marks of identity columns after rows were written: changes metadata. */
err *dml_identity_after(struct dml_x *x, const int *of) BH_CHECK;
/* An older version's columns are about to be the table's again: identity columns go on from where they are now. */
err *dml_identity_keep(struct dml_x *x) BH_CHECK;
/* Is the field's value made by the table? */
bool dml_is_identity(const struct sql_field *f);
bool dml_is_generated(const struct sql_field *f);

/* ---- dml_write.c ---- */
struct dml_write {
    str text;                     /* SELECT with the table's columns under their own names, then `extra` */
    bool cdc;                     /* change data: into _change_data/, with the column _change_type */
    bool row_ids;                 /* has _bh_row_id, _bh_row_version to be kept in the materialised columns */
    bool data_change;
    str order;                    /* ORDER BY text or empty */
    int64_t file_rows;            /* about so many rows in a file, 0: one file (for each partition) */
    bool few;                     /* the rows are some given values: a file is made without COPY if their types allow */
};
err *dml_write(struct dml_x *x, const struct dml_write *w) BH_CHECK;
/* A file that was written becomes an object, where the table lies in a store. What is in x->written does at the commit. */
err *dml_keep(struct dml_x *x, const char *path) BH_CHECK;
/* Appends the table's path as control takes it, as JSON. */
void dml_put_path(struct dml_x *x, buf *q);
/* Text of a value of a partition column, as the log has it: DuckDB expression. */
void dml_partition_text(const struct sql_type *t, str ref, buf *out);

/* ---- dml_stats.c ---- */
/* What is known of a leaf column of a file, as text. */
struct dml_leaf {
    str path;                  /* names in the file joined by '\0' */
    str min, max;              /* p NULL: none */
    int64_t nulls;             /* -1: not told */
    bool nan;                  /* there may be a NaN, which is above all numbers */
};
struct dml_out_file {
    str path;
    int64_t rows, size;
    struct dml_leaf *leaves;
    size_t n;
    str *keys;                 /* partition values by number, p NULL: NULL */
    bool plain;                /* not compressed */
};
/* The statistics of a file of the table's columns, as the log's JSON. */
str dml_stats_text(struct dml_x *x, const struct dml_out_file *f);
/* Reads files of a table whose columns are x's and tells of each the rows and leaves, in the order given; `whole`: also
 * rows that are deleted (bounds of what the file holds). */
err *dml_stats_read(struct dml_x *x, struct scan_table *t, const struct delta_file *const *files, size_t n, bool whole, struct dml_out_file *ret) BH_CHECK;

/* ---- dml_change.c ---- */
/* Takes rows out of files. `table` is a temporary table with _bh_file, _bh_row and _bh_action ('u', 'd', 'i'); rows of 'u' and 'd'
 * go. Adds removes, vectors, rewritten files. */
err *dml_take_rows(struct dml_x *x, str table) BH_CHECK;
str dml_temp_name(struct dml_x *x);
err *dml_insert(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_update(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_delete(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_merge(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_create(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;

/* ---- dml_schema.c ---- */
/* Columns into metadata (schemaString); with column mapping, new fields get ids and physical names. */
err *dml_set_schema(struct dml_x *x, const struct sql_field *cols, size_t n) BH_CHECK;
/* A copy of the metadata that may be changed; marks it changed. */
struct delta_metadata *dml_change_metadata(struct dml_x *x);
/* A field's metadata (a JSON object's text) with a key set, or without it (value STR_NONE). STR_NONE: nothing is left. */
str dml_set_meta(struct dml_x *x, str metadata, const char *key, str value);
/* Features that properties and types ask for; marks the protocol changed if it is. */
err *dml_set_features(struct dml_x *x) BH_CHECK;
/* Does the statement (WITH SCHEMA EVOLUTION), the session or the table let sources widen the schema? */
bool dml_evolves(struct dml_x *x, const struct ast *s);
/* Does a type change keep every value, as type widening allows? */
bool dml_widens(const struct sql_type *from, const struct sql_type *to);
/* A field's metadata with one more change of its type in delta.typeChanges; inner: the path below the field, or empty. */
str dml_put_change(struct dml_x *x, str metadata, str inner, const struct sql_type *from, const struct sql_type *to);
/* The type with NULL allowed everywhere in it: columns that a query brings are so. */
const struct sql_type *dml_nullable(struct dml_x *x, const struct sql_type *t);
/* Adds what a source has more (schema evolution). */
err *dml_evolve(struct dml_x *x, const struct sql_column *cols, size_t n) BH_CHECK;

/* ---- dml_alter.c, dml_maint.c, dml_describe.c ---- */
/* Writes files anew, with the metadata that will be: removes and adds without a change of data. */
err *dml_rewrite_files(struct dml_x *x, const struct delta_file *const *files, size_t n) BH_CHECK;
/* dml_feature.c: ALTER TABLE … DROP FEATURE. */
err *dml_drop_feature(struct dml_x *x, const struct ast *s) BH_CHECK;
bool dml_alter_takes(const struct ast *s);
err *dml_alter(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_optimize(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_vacuum(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_restore(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_truncate(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_history(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_detail(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;

/* ---- dml_copy.c ---- */
err *dml_copy_into(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;

/* ---- dml_analyze.c ---- */
err *dml_analyze(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_analyze_all(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;
err *dml_partitions(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;

/* ---- dml_directory.c ---- */
err *dml_insert_directory(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;

/* ---- dml_convert.c ---- */
err *dml_convert(struct dml_x *x, const struct ast *s, struct dml_result *ret) BH_CHECK;

/* ---- dml_clone.c ---- */
/* CLONE: the source's files as the table's, named where they lie (shallow) or copied; the statement's parameters and result. */
err *dml_clone_files(struct dml_x *x, const struct ast *s, struct scan_table *source, struct dml_result *ret) BH_CHECK;
/* What a table made after another takes over of its domains: clustering; `ids`: the mark of its row ids. */
err *dml_copy_domains(struct dml_x *x, struct scan_table *source, bool ids) BH_CHECK;

/* ---- dml_table.c ---- */
err *dml_column_of(struct dml_x *x, const struct ast *def, struct sql_field *ret) BH_CHECK;
/* May the DEFAULT (which dml_check_default() took) be stored in the column? */
err *dml_check_default_type(struct dml_x *x, const struct sql_field *f, const struct ast *value) BH_CHECK;
err *dml_properties(struct dml_x *x, const struct ast *list, struct delta_map *config) BH_CHECK;
/* The same for a table's own: names that begin with "delta." must be known. */
err *dml_table_properties(struct dml_x *x, const struct ast *list, struct delta_map *config) BH_CHECK;
/* A table's property: the platform may choose what it is clustered by. */
#define CLUSTER_BY_AUTO "clusterByAuto"
bool dml_cluster_auto(const struct ast *by);
/* The error that tells of a table without the feature of column defaults. */
err *dml_need_defaults(struct dml_x *x, const char *command) BH_CHECK;
/* CLUSTER BY (list, or the words auto, none): the domain delta.clustering, its feature in p. */
err *dml_cluster(struct dml_x *x, const struct ast *by, struct delta_protocol *p) BH_CHECK;
/* ,"columns":[…],"properties":{…} of an ask, for the catalog. */
void dml_put_columns(struct dml_x *x, buf *q);

/* ---- more of dml_change.c, for MERGE ---- */
bool dml_feed(struct dml_x *x);
err *dml_write_feed(struct dml_x *x, str table) BH_CHECK;
err *dml_write_changed(struct dml_x *x, str table) BH_CHECK;
err *dml_count(struct dml_x *x, str table, const char *where, int64_t *ret) BH_CHECK;
void dml_hidden(struct dml_x *x, const char *action, size_t first_old, struct dml_source *s);
err *dml_assigned(struct dml_x *x, size_t column, str alias, const struct ast *items, struct ast **ret, bool *any) BH_CHECK;
err *dml_check_assigned(struct dml_x *x, const struct ast *items, str alias) BH_CHECK;

/* ---- SQL trees ---- */
struct ast *dml_select(arena *a, struct ast *items, struct ast *from, struct ast *where);
struct ast *dml_query(arena *a, struct ast *select);
struct ast *dml_query_of(arena *a, const struct ast *s, struct ast *select); /* under the WITH list that stands before statement s */
struct ast *dml_col(arena *a, const char *name);
struct ast *dml_alias(arena *a, struct ast *e, const char *name);
struct ast *dml_from(struct dml_x *x, const struct ast *name, const struct ast *alias, bool row_ids);

#endif
