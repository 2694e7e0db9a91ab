/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers to what engines ask of the catalog (src/engine/README.md "Asks"): names, functions, commands. Each is decided
 * with the rights of the statement's principal, as they are now.
 *
 *   ask_resolve, ask_function, ask_in_group, ask_path, ask_rows     questions of the analyser and of scans
 *   ask_command                                                     what the catalog carries out, by ask_commands
 *
 * Rights of definers: what a view reads, its owner must be allowed to read. So a view's catalog in an answer carries a
 * mark (MARK, then view, principal and a seal), and a name that is asked under a catalog with a mark is decided with the
 * owner's rights. Marks are sealed for the statement's principal: another cannot use them.
 *
 * Errors are the dialect's: code SQL_ERROR, text "[CLASS] … SQLSTATE: …", detail {"class","sqlState","params"}.
 */
#ifndef BH_CATALOG_ASK_H
#define BH_CATALOG_ASK_H

#include "base/json.h"
#include "catalog/kv.h"
#include "catalog/securable.h"
#include "sys/storage.h"

#define HIVE_CATALOG "hive_metastore"
#define SYSTEM_CATALOG "system"
#define INFORMATION_SCHEMA "information_schema"

struct ask {
    struct caller *c;     /* the statement's principal; definers get a caller of their own */
    jval *in;             /* the question */
    jdoc *d;
    jmut *out;            /* the answer: an object */
    str catalog, schema;  /* current, without a mark */
    str metastore;        /* its id */
    const unsigned char *key; /* 32 bytes: seals marks */
    int64_t workspace;
    jmut *rows;           /* of a command, once ask_columns() was called */
    uint64_t statement;   /* its number, for grants; 0: no engine's */
    store_tx *past;       /* resolve with as_of: where the versions of catalog-managed tables are looked up; or NULL */
    struct {
        int64_t id;
        str name;
    } known[8];           /* names of principals asked for last: rows of one list share them */
    size_t next_known;
};

/* Fills k from a question; `catalog` and `schema` are what holds where the question names none. */
err *ask_begin(struct ask *k, struct caller *c, jval *in, jdoc *d, jmut *out, str catalog, str schema) BH_CHECK;

typedef err *(*ask_fn)(struct ask *k);
err *ask_resolve(struct ask *k) BH_CHECK;
err *ask_function(struct ask *k) BH_CHECK;
err *ask_in_group(struct ask *k) BH_CHECK;
/* {url or path, for:"read"/"write"} → {path, url}: where a path lies as an engine sees it. */
err *ask_path(struct ask *k) BH_CHECK;
/* {id: of a relation of kind "rows", filters:[{column, values:[…]}], limit} → {rows}. */
err *ask_rows(struct ask *k) BH_CHECK;
/* stage_table: {parts, location?, format?, replace, if_not_exists, comment?} → {catalog, schema, name, uuid, location (as
 * the engine sees it), url, managed, exists, and of one that exists id, kind}. Rights are decided; nothing is visible yet. */
err *ask_stage_table(struct ask *k) BH_CHECK;
/* commit, before the log is written: may the principal change this table (or path, or make the table of `create`), and
 * where does it lie for control? */
struct ask_commit_place {
    str control;      /* its folder; empty: */
    storage *store;   /* it lies in this store … */
    str key;          /* … at this prefix */
    bool managed;
    int64_t table;    /* its row, 0: none yet */
    bool catalog_managed; /* it has a row in uc_log: only commit_managed changes it */
};
err *ask_commit_place(struct ask *k, struct ask_commit_place *ret) BH_CHECK;
/* {sources:[{id, url}]}: tables whose files a shallow clone names; then those that the table (0: none yet) names already. Where
 * they lie, as people know it; the error if the principal may not read one that was asked for. */
err *ask_commit_sources(struct ask *k, int64_t table, str **ret, size_t *ret_n) BH_CHECK;
/* Where a table lies for control; nothing is asked of rights. */
err *ask_control_place(const struct caller *c, const struct ent_uc_table *t, struct ask_commit_place *ret) BH_CHECK;
/* The URL of a managed table of this uuid, where its schema or catalog has a place of its own; else empty. */
str ask_managed_url(const struct caller *c, const struct securable *schema, str uuid);
/* … and after it: the row is made (create) or gets its new columns and properties. Needs a write. */
err *ask_commit_done(struct ask *k) BH_CHECK;

/* Commands by name; writes: needs a write transaction. */
struct ask_command {
    const char *name;
    ask_fn fn;
    bool writes;
};
extern const struct ask_command *const ask_command_tables[]; /* ends with NULL; each ends with a NULL name */
const struct ask_command *ask_command_find(str name);

/* ---- for the answerers (ask*.c) ---- */

err *ask_error(const char *cls, const char *state, const char *fmt, ...) BH_PRINTF(3, 4) BH_CHECK;
/* "[INSUFFICIENT_PERMISSIONS] … User does not have SELECT on Table 'a.b.c'." */
err *ask_denied(const char *privilege, const char *on) BH_CHECK;
/* There is one of this name already: TABLE_OR_VIEW_ALREADY_EXISTS. */
err *ask_table_exists(struct ask *k, const struct securable *t) BH_CHECK;
/* NULL, or the error that names what is missing. */
err *ask_need(const struct caller *c, const struct securable *s, uint64_t need) BH_CHECK;
/* An error of src/catalog as one of the dialect (classes where they exist). NULL stays NULL. */
err *ask_sql(err *e) BH_CHECK;
/* "`a`.`b`.`c`", as messages quote names; empty parts are left out. */
str ask_quoted(arena *a, str p0, str p1, str p2);
str ask_quote(arena *a, str part);

/* Parts of a name, current ones filled in: catalog, schema, name (or catalog, schema; or catalog). */
struct ask_name {
    str part[3];
    bool path; /* format.`/path` or a string with a path: part[2] */
};
/* value: ["a","b","c"], or a text. want: 1 catalogs, 2 schemas, 3 what is in schemas. */
err *ask_name(struct ask *k, jval *value, int want, struct ask_name *ret) BH_CHECK;

/* Finds; *found false also for what the caller may not know of. Missing USE on the way is an error. */
err *ask_find(struct ask *k, const struct caller *c, enum securable_kind kind, const struct ask_name *n,
              struct securable *ret, bool *found) BH_CHECK;
/* The same, and NOT_FOUND of its kind as an error; need 0: metadata. */
err *ask_open(struct ask *k, enum securable_kind kind, const struct ask_name *n, uint64_t need,
              struct securable *ret) BH_CHECK;
err *ask_missing(struct ask *k, enum securable_kind kind, const struct ask_name *n) BH_CHECK;
/* Slot `slot` of a command, opened. */
err *ask_open_slot(struct ask *k, const char *slot, enum securable_kind kind, uint64_t need,
                   struct securable *ret) BH_CHECK;

/* A virtual schema (information_schema) or catalog (system)? */
bool ask_is_virtual(str catalog, str schema);
/* The catalog `system`, or information_schema of a catalog, as a relation of kind rows; *found. */
err *ask_information(struct ask *k, const struct ask_name *n, jmut *relation, bool *found) BH_CHECK;
/* Names and comments of the views of information_schema. */
size_t ask_information_views(const char *const **ret_names);

static inline bool ask_flag(const struct ask *k, const char *flag) {
    return yyjson_is_true(json_get(k->in, flag));
}
static inline str ask_text(const struct ask *k, const char *slot) { return json_get_str(k->in, slot); }
/* A slot that is a name of one part, or a text. */
str ask_word(const struct ask *k, const char *slot);
/* [{key,value}] → pairs. */
err *ask_pairs(struct ask *k, const char *slot, struct kv *ret) BH_CHECK;
/* [key] → texts. */
const str *ask_keys(struct ask *k, const char *slot, size_t *ret_n);

/* Results of commands: columns "name type, name type", then rows. */
void ask_columns(struct ask *k, const char *columns);
jmut *ask_row(struct ask *k);
void ask_put(struct ask *k, jmut *row, str cell);      /* NULL where p is NULL */
void ask_put_z(struct ask *k, jmut *row, const char *cell);
void ask_put_bool(struct ask *k, jmut *row, bool cell);

/* Does a name pass a SHOW pattern ("a*|b*", "." for any character, case-insensitive)? An absent pattern passes all. */
bool ask_like(str pattern, str name);
/* A principal's name; digits when it is gone. */
err *ask_principal(struct ask *k, int64_t id, str *ret) BH_CHECK;
err *ask_principal_id(struct ask *k, str name, int64_t *ret) BH_CHECK;
/* Takes the mark off the current catalog; *ret is who the question's names are decided for: who asks, or the owner of the view or function
 * whose text they stand in. */
err *ask_definer(struct ask *k, struct caller *ret) BH_CHECK;
/* A principal as one who asks, with the groups and rights that he has now; one that is gone may nothing. */
err *ask_become(struct ask *k, int64_t principal, struct caller *ret) BH_CHECK;
/* "Sat Nov 28 07:23:44 UTC 2026". */
str ask_time(arena *a, int64_t us);
/* Where a table's files lie: as engines see it, and as people know it. */
err *ask_table_place(const struct caller *c, const struct ent_uc_table *t, str *ret_engine, str *ret_url) BH_CHECK;

/* Puts a grant for what lies at and below the URL into the answer, for the engine's courier; nothing for local places. */
err *ask_access(struct ask *k, str url, bool write) BH_CHECK;

/* Walks what the caller may see. The callback returns false in *go to stop. */
typedef err *(*ask_each)(void *arg, const struct securable *s, bool *go);
err *ask_each_catalog(struct ask *k, ask_each fn, void *arg) BH_CHECK;
err *ask_each_schema(struct ask *k, const struct securable *catalog, ask_each fn, void *arg) BH_CHECK;
/* kind: SEC_TABLE, SEC_VOLUME, SEC_FUNCTION, SEC_MODEL. The arena of the callback's securable is emptied after each. */
struct ask_walk {
    str after;   /* those whose names come after it */
    str pattern; /* of SHOW … LIKE, or STR_NONE */
    str like;    /* of LIKE on names as they are shown, or STR_NONE: those that cannot match may be left out */
    bool brief;  /* the rows come without JSON and long texts: names, types, owners, times, comments */
};
err *ask_walk_leaves(struct ask *k, const struct securable *schema, enum securable_kind kind, const struct ask_walk *walk, ask_each fn,
                     void *arg) BH_CHECK;
/* All of them. Only k->c is read. */
err *ask_each_leaf(struct ask *k, const struct securable *schema, enum securable_kind kind, ask_each fn,
                   void *arg) BH_CHECK;

#endif
