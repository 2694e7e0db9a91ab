/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entities: the typed rows of meta.db. tables/entities.json declares them, gen/gen_entities.py
 * writes a struct and typed functions for each (gen_entities.h), ent.c does the work for all.
 *
 * For an entity `thing` there are
 *   struct ent_thing                 texts live in the arena of the call that read them
 *   ent_thing_get(tx, scope, a, id, &row, &found)
 *   ent_thing_by_<key>(tx, scope, a, parts…, &row, &found)
 *   ent_thing_insert(tx, scope, &row)   id 0: a new one is made; fills id, scope, stamps
 *   ent_thing_update(tx, scope, &row)   replaces all columns; the old version goes to thing_past
 *   ent_thing_delete(tx, scope, id)
 *   ent_thing_list(tx, scope, a, &query, &rows)
 *   ent_thing_count(tx, scope, &query or NULL, &n)
 *
 * found NULL: what is missing is an error, RESOURCE_DOES_NOT_EXIST "thing 'x' does not exist.".
 * insert and update check every column against its declaration: INVALID_PARAMETER_VALUE names
 * field, value and what is allowed; a second row with the same key is RESOURCE_ALREADY_EXISTS; one
 * too many in the scope is RESOURCE_EXHAUSTED.
 * A transaction with as_of reads what held then. Erased entities (tokens, secrets) keep no past:
 * reading them as of a sequence is an error; use store_tx_today().
 */
#ifndef BH_STORE_ENT_H
#define BH_STORE_ENT_H

#include "base/arena.h"
#include "store/store.h"

#define ENT_MAX_PAGE 10000
#define ENT_MAX_FILTERS 4
#define ENT_MAX_COLUMNS 48
#define ENT_MAX_KEY 4
/* As row.id on insert: the id shall really be 0. */
#define ENT_ID_ZERO INT64_MIN

/* What every row begins with. created_… and updated_… are set by insert and update; created_at or
 * updated_at that are not 0 are kept as given. */
#define ENT_HEAD                                                                                   \
    int64_t id, account, workspace;                                                                \
    int64_t from_seq;                                      /* the write that made this version */  \
    int64_t created_at, created_by, updated_at, updated_by /* UTC microseconds; principals */

/* Orders of a list besides the ENT_<THING>_<COLUMN> constants. */
#define ENT_BY_ID 0
#define ENT_BY_CREATED 1000
#define ENT_BY_UPDATED 1001

struct ent_filter {
    int column; /* ENT_<THING>_<COLUMN>, of an index or key; 0: not used */
    int64_t i;  /* numbers and bools */
    str s;      /* texts: folded where the column is */
};

/* All zero: everything, by id, the first ENT_MAX_PAGE. */
struct ent_list_query {
    struct ent_filter eq[ENT_MAX_FILTERS];
    int order; /* ENT_BY_… or a column; ties by id, in the same direction */
    bool descending;
    str prefix; /* of the order column, a text */
    str like;   /* pattern of SQL's LIKE for the order column, '\\' before what stands for itself */
    bool few;   /* by id alone: eq leaves few rows, which are found by it and then put in order */
    bool brief; /* without JSON and long texts: they come empty */
    bool after; /* keyset paging: go on after the row with this order value and id */
    int64_t after_i;
    str after_s;
    int64_t after_id;
    int limit; /* 1..ENT_MAX_PAGE; 0: the most */
};

/* ---- for gen_entities.c and src/store ---- */

struct ent_head {
    ENT_HEAD;
};

enum ent_type { ENT_INT, ENT_BOOL, ENT_FLOAT, ENT_TEXT, ENT_JSON, ENT_BLOB };

struct ent_column {
    const char *name;
    enum ent_type type;
    uint16_t at; /* offset in the struct */
    bool null;   /* STR_NONE is kept apart from "" */
    bool fold, nfc;
    bool name_like; /* not empty, no control characters */
    bool indexed;
    uint32_t max;                        /* code points of texts, bytes of JSON and blobs */
    const char *allow, *forbid, *values; /* sets of ASCII; "a|b|c"; or NULL */
};

struct ent_key {
    const char *name;
    int n;
    uint8_t cols[ENT_MAX_KEY];
    const char *get, *get_past; /* SQL */
};

enum ent_scope { ENT_ACCOUNT, ENT_WORKSPACE, ENT_ANY };

struct ent_index {
    const char *name, *sql;
};

struct ent_table {
    const char *name;
    int number; /* in ent_tables */
    size_t size;
    enum ent_scope scope;
    bool erased;
    int64_t limit; /* of rows in a scope; 0: none */
    const char *limit_setting;
    const struct ent_column *cols;
    int n_cols;
    const struct ent_key *keys;
    int n_keys;
    const char *removed; /* columns that older versions had, between blanks: " a b " */
    /* SQL */
    const char *list, *create, *create_past, *get, *get_past, *insert, *update, *to_past, *del,
        *count, *prune;
    const struct ent_index *indexes; /* ends with a NULL name */
};

struct ent_part {
    int64_t i;
    str s;
};

err *ent_get(store_tx *tx, const struct ent_table *t, struct store_scope scope, arena *a,
             int64_t id, void *ret, bool *found) BH_CHECK;
err *ent_by_key(store_tx *tx, const struct ent_table *t, int key, struct store_scope scope,
                arena *a, const struct ent_part *parts, void *ret, bool *found) BH_CHECK;
err *ent_insert(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                void *row) BH_CHECK;
err *ent_update(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                void *row) BH_CHECK;
err *ent_delete(store_tx *tx, const struct ent_table *t, struct store_scope scope,
                int64_t id) BH_CHECK;
err *ent_list(store_tx *tx, const struct ent_table *t, struct store_scope scope, arena *a,
              const struct ent_list_query *q, void **ret_rows, size_t *ret_n,
              bool *ret_more) BH_CHECK;
err *ent_count(store_tx *tx, const struct ent_table *t, struct store_scope scope,
               const struct ent_list_query *q, int64_t *ret) BH_CHECK;

/* Deletes every row of every entity in the scope (a workspace that goes); *ret_more: call again in
 * another write, because at most max rows go in one. */
err *ent_delete_scope(store_tx *tx, struct store_scope scope, int64_t max, bool *ret_more) BH_CHECK;

/* The first account of the folder, which its scope begins with: at start nobody knows it yet. */
err *ent_first_account(store_tx *tx, int64_t *ret_id, bool *ret_found) BH_CHECK;

/* Changes the count limit of an entity by its name; false if there is none of that name. */
bool ent_set_limit(store *s, const char *entity, int64_t limit);
/* All limits whose entities name a setting: value(arg, setting) gives the number. */
void ent_set_limits(store *s, int64_t (*value)(void *arg, const char *setting), void *arg);

#endif
