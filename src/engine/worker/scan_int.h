/* SPDX-License-Identifier: Apache-2.0 */
/* What scan*.c, files.c and dml*.c share. */
#ifndef BH_ENGINE_WORKER_SCAN_INT_H
#define BH_ENGINE_WORKER_SCAN_INT_H

#include "delta/fs.h"
#include "engine/worker/footer.h"
#include "engine/worker/scan.h"

/* ---- state that emitted text refers to by number (scan_fn.c) ---- */

struct roaring64_bitmap_s;

/* Values of a group's files, by place in the list that read_parquet got. */
struct scan_group_state {
    size_t n_files, n_values;
    const str *values;                    /* [file * n_values + k]; p NULL: NULL */
    struct roaring64_bitmap_s **dead;     /* per file, or NULL */
    const char **temporary;               /* files to remove at the end, or NULL: per file */
};
/* Freed by scan_ctx_end(). The bitmaps become its own. Returns the number. */
uint64_t scan_state_add(struct scan_ctx *c, const struct scan_group_state *g);

/* What lies below a Delta table's folder in a managed volume, as it was when the statement first looked. */
struct scan_volume {
    str root;
    struct remote_entry *all;             /* sorted */
    size_t n;
    struct scan_volume *next;
};
/* The place of a file of such a table; FAILED_READ_FILE.FILE_NOT_EXIST. */
err *scan_volume_place(struct scan_ctx *c, str root, str path, str *ret) BH_CHECK;

/* ---- helpers ---- */

void scan_quote_ident(str name, buf *out);   /* "a""b" */
void scan_quote_text(str text, buf *out);    /* 'a''b'; with zero bytes an expression in parentheses */
/* A file's path for DuckDB's readers, which take what looks like a pattern for one. */
void scan_quote_path(str path, buf *out);
/* Runs what we made; rows of text, cells [row * cols + col], p NULL for NULL. Errors are the dialect's. */
struct scan_rows {
    size_t rows, cols;
    str *cell;
};
err *scan_query(duckdb_connection con, arena *a, str sql, struct scan_rows *ret) BH_CHECK;
err *scan_exec(duckdb_connection con, str sql) BH_CHECK;
/* An error of the dialect with a class of tables/sql_errors.json that takes a message only. */
struct delta_parquet scan_parquet(struct scan_ctx *c);
/* The folder of a table; its log as the catalog has it, where that was noted (scan_note_log). */
struct delta_fs scan_fs(struct scan_ctx *c, str path);
/* Where a location that control gave lies here: of s3:// the place of its copies. */
str scan_place(arena *a, str location);
/* … and what is in an object store is declared, so that it can be read. */
err *scan_declare(str path, int64_t size) BH_CHECK;

/* The footer of a data file, kept by the cache for good (paths are never written twice). Error
 * FAILED_READ_FILE.FILE_NOT_EXIST, … */
err *scan_footer(struct scan_ctx *c, str path, const struct footer **ret) BH_CHECK;
/* The same of a file that is in no table: others may have replaced it. */
err *scan_footer_again(struct scan_ctx *c, str path, const struct footer **ret) BH_CHECK;
bool scan_footer_known(struct scan_ctx *c, str path);

/* Where a file lies that the table's log names, relative or absolute. An absolute name that leads out of what the user may read
 * is refused: PATH_NOT_FOUND, or what control says. */
err *scan_file_path(struct scan_table *t, str path, str *ret) BH_CHECK;
/* The same for a vector with an absolute path: a copy that has the place. */
err *scan_dv_place(struct scan_table *t, const struct delta_dv *dv, struct delta_dv *ret) BH_CHECK;

/* A field's name in files and statistics under column mapping; its id (-1: none). */
str scan_physical(arena *a, const struct sql_field *f);
int32_t scan_field_id(arena *a, const struct sql_field *f);

/* DuckDB text that turns `ref` (of what a file has: `node`, NULL if it has no such column) into the type's form. */
struct scan_conv {
    arena *a;
    bool by_id;        /* column mapping mode id */
    bool mapped;       /* any column mapping */
    bool plain_variants; /* annotations are not seen by the reader (footer_copy_plain) */
    bool no_null_variants; /* no NULL at the top level: what DuckDB takes for one is a variant's null */
    int vars;          /* names of lambda variables so far */
};
void scan_convert(struct scan_conv *v, str ref, const struct footer_node *node, const struct sql_type *type, buf *out);
/* A text expression as a value of char(n): padded with blanks. */
void scan_pad(str ref, const struct sql_type *t, buf *out);
/* Are its rows' ids kept, so that _metadata tells them? */
bool scan_tracks_rows(const struct scan_table *t);
/* The child of a group that a field is stored in, or NULL. */
const struct footer_node *scan_find_node(struct scan_conv *v, const struct footer_node *group, const struct sql_field *f);
/* The reverse, for writing: our form → names and forms of files. */
void scan_unconvert(struct scan_conv *v, str ref, const struct sql_type *type, buf *out);

/* t->cols from the snapshot's schema. */
err *scan_set_columns(struct scan_table *t) BH_CHECK;
/* May the statement read what a path that stands in this text names? */
err *scan_allow(struct scan_ctx *c, const struct sql_env *e, str url) BH_CHECK;
/* files.c: files under a user's path, which may be a folder or have '*' and '?'. */
err *scan_list(struct scan_ctx *c, str url, const char *suffix, str **ret, size_t *ret_n) BH_CHECK;
/* The type of the dialect that a column of a Parquet file has. */
const struct sql_type *scan_type_of_node(arena *a, const struct footer_node *n);
/* Values of folders a=b on the way to a file, decoded; the folder of NULL is null. */
struct delta_map scan_folder_values(arena *a, str path);
err *scan_parquet_files(struct scan_ctx *c, str url, struct scan_table **ret) BH_CHECK;
/* files_text.c: csv, json, text, binaryFile with options (pairs of name and text). schema: a struct type or NULL. */
err *scan_text_files(struct scan_ctx *c, str format, str url, const struct sql_type *schema, const struct delta_pair *options, size_t n_options,
                     struct scan_table **ret) BH_CHECK;

/* One SELECT over given files of a table: the used columns, then hidden ones. */
struct scan_files_ask {
    const struct delta_file *const *files;
    size_t n;
    const bool *used;            /* per column of the table; NULL: all */
    bool row_ids, file_metadata;
    bool tracking;               /* also _bh_row_id, _bh_row_version of row tracking */
    bool no_dv;                  /* also rows that are deleted */
    const struct delta_dv *dead; /* per file instead of its own vector; storage 0: none */
    str extra;                   /* further text of the select list, or empty */
};
err *scan_emit_files(struct scan_table *t, const struct scan_files_ask *ask, buf *out) BH_CHECK;

#endif
