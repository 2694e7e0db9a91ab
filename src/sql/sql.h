/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of SQL: text → tree → DuckDB's SQL. Nothing here executes or reads anything; what it must
 * know of the world comes through struct sql_env.
 *
 *   sql_parse()     text → statements (ast.h)
 *   sql_compile()   one query → DuckDB SQL and the schema that the user sees
 *
 * Errors are the dialect's: `err` with code SQL_ERROR (tables/errors.json), whose detail is the JSON
 *   {"class":"TABLE_OR_VIEW_NOT_FOUND","sqlState":"42P01","params":{…},"line":1,"pos":14,"start":n,"stop":n}
 * and whose message is Spark's text "[CLASS] … SQLSTATE: 42P01" followed, where a place is known, by
 * "\n== SQL … ==\n" with the line and carets. sql_error() (error.h) is the one place that makes them, from
 * tables/sql_errors.json.
 */
#ifndef BH_SQL_SQL_H
#define BH_SQL_SQL_H

#include "base/err.h"
#include "sql/ast.h"
#include "sql/type.h"

/* ---- parsing ---- */

/* Statements between ';'. SQL_ERROR PARSE_SYNTAX_ERROR and its relatives. */
err *sql_parse(arena *a, str text, struct ast ***ret, size_t *ret_n) BH_CHECK;
/* Exactly one statement, semicolons after it allowed: what Databricks takes from a client; a second one is a syntax error. */
/* escaped_strings: backslashes in strings stand for themselves (spark.sql.parser.escapedStringLiterals). */
err *sql_parse_as(arena *a, str text, bool escaped_strings, struct ast ***ret, size_t *ret_n) BH_CHECK;
err *sql_parse_one(arena *a, str text, struct ast **ret) BH_CHECK;
err *sql_parse_expr(arena *a, str text, struct ast **ret) BH_CHECK;
/* The body of a scalar function: an expression, or a query that yields one value. */
err *sql_parse_body(arena *a, str text, struct ast **ret) BH_CHECK;
/* As sql_parse_expr(), of a text that the resolver made (row filters, masks): its names may carry SQL_MARK. */
err *sql_parse_resolved(arena *a, str text, struct ast **ret) BH_CHECK;
err *sql_parse_query(arena *a, str text, struct ast **ret) BH_CHECK;

/* ---- the world ---- */

enum sql_relation_kind { REL_TABLE, REL_VIEW, REL_TEMP_VIEW, REL_INLINE };

/* What a name in FROM stands for. Owned by the resolver's arena. */
struct sql_relation {
    enum sql_relation_kind kind;
    str catalog, schema, name;            /* as in the catalog; temp views: name alone */
    const struct sql_field *cols;         /* in order; of views: the declared ones, may be 0 */
    size_t n;
    str view_text;                        /* REL_VIEW, REL_TEMP_VIEW: the query's text … */
    str view_catalog, view_schema;        /* … and the names that it was made under */
    const struct ast *view_query;         /* or the parsed query */
    bool definer;                         /* REL_VIEW: read with the rights of somebody else */
    str row_filter;                       /* SQL boolean expression over the columns, or empty */
    const str *masks;                     /* per column: SQL expression, or empty; NULL: none */
    bool row_ids;                         /* _metadata has row_id and row_commit_version too */
    void *scan;                           /* the engine's: table, location, snapshot */
};

struct sql_function_def {               /* a SQL user-defined function */
    str catalog, schema, name;
    const struct sql_field *params;      /* metadata "default" text in .metadata */
    size_t n;
    const struct sql_type *returns;      /* scalar; or the struct of a table function's row */
    bool is_table;
    bool definer;                        /* the body reads with the rights of somebody else */
    bool temporary;                      /* of the session: named without catalog and schema, which are those of its body's names */
    str body;                            /* expression or query text */
};

struct sql_param {
    str name;                            /* empty: positional */
    const struct sql_type *type;         /* NULL: that of what build makes */
    str value;                           /* text that the type's cast reads; STR_NONE: NULL */
    const char *build;                   /* "array", "map", "struct": the function that makes it of args; else NULL */
    const struct sql_param *args;        /* of a map, keys and values by turns */
    size_t n_args;
};

struct sql_variable {
    str name;
    const struct sql_type *type;
    str duckdb;                          /* value as a DuckDB expression */
};

/* Simple conjuncts on a table's own columns, for skipping files: column op literal. */
struct sql_prune {
    size_t column;
    char op;                             /* '=' '<' '>' 'l' (<=) 'g' (>=) '0' IS NULL '1' IS NOT NULL 'i' IN '~' LIKE ('\\' escapes) */
    const struct sql_type *type;         /* of the literals */
    const str *values;                   /* canonical text of the column's type: Delta's partition value form */
    size_t n;
};

struct sql_scan_ask {
    const struct sql_relation *rel;
    const struct ast *from;              /* FROM_TABLE: time travel, options; NULL for views' own */
    const bool *used;                    /* per column; none may be */
    bool row_ids;                        /* also yield _bh_file VARCHAR, _bh_row BIGINT */
    bool file_metadata;                  /* also yield _metadata STRUCT(f0 VARCHAR path, f1 VARCHAR name, f2 BIGINT size,
                                          * f3 BIGINT block start, f4 BIGINT block length, f5 TIMESTAMPTZ modified; where rel->row_ids: f6 BIGINT row id,
                                          * f7 BIGINT commit version) */
    const struct sql_prune *prune;
    size_t n_prune;
    int64_t limit;                       /* no more rows are needed, if all of prune is applied exactly; -1: unknown */
    const size_t *order;                 /* … the first ones by these columns, each ascending; n_order 0: any */
    size_t n_order;
};

struct sql_env {
    void *arg;
    arena *a;                            /* of the statement */
    str text;                            /* the statement's, for places of errors; may be empty */
    str catalog, schema;                 /* current */
    str path, search;                    /* SET PATH as current_path() and as errors show it; empty: the default one */
    str user;                            /* session_user */
    str time_zone;                       /* "UTC", "Europe/Berlin", "+02:00" */
    str time_zone_shown;                 /* what users are told it is called; empty: the same */
    bool ansi;                           /* true unless SET ansi_mode = false */
    int64_t now_us;                      /* statement's start */
    const struct sql_param *params;
    size_t n_params;

    /* All names of a query at once (parts 1..n as written), one round trip. rels[i] NULL: not found;
     * an error ends the statement. Called again only for names inside views and functions. */
    err *(*resolve)(struct sql_env *e, struct ast *const *names, struct ast *const *froms, size_t n,
                    struct sql_relation **rels);
    /* A user's function by name, *ret NULL if there is none. */
    err *(*function)(struct sql_env *e, const struct ast *name, const struct sql_function_def **ret);
    bool (*variable)(struct sql_env *e, const struct ast *name, struct sql_variable *ret);
    /* A session setting by name, for current_setting-like functions and ANSI_MODE; false: not set. */
    bool (*setting)(struct sql_env *e, str name, str *ret);
    /* Appends what stands in FROM for a table: a parenthesised SELECT or a table function call that
     * yields exactly the used columns under their own names (quoted, first spelling), then the hidden ones. */
    err *(*scan)(struct sql_env *e, const struct sql_scan_ask *ask, buf *out);
    /* Infers the schema of files for read_files, csv.`path` …: columns and a scan. */
    err *(*files)(struct sql_env *e, const struct ast *call, struct sql_relation **ret);
    bool (*in_group)(struct sql_env *e, str group, bool account); /* is_member, is_account_group_member */
    /* What a zone's clock shows (microseconds since 1970 of it) at an instant, or the instant at which it shows that.
     * An empty name is the session's zone; false: there is no such zone. NULL: UTC is the only one. */
    bool (*clock)(struct sql_env *e, str zone, bool to_instant, int64_t us, int64_t *ret);
};

struct sql_column {
    str name;
    const struct sql_type *type;
    bool nullable;
    str comment;
};

struct sql_compiled {
    str duckdb;                          /* one SELECT, columns c0, c1, … in order, physical types of type.h */
    struct sql_column *cols;
    size_t n;
    bool ordered;                        /* it has an ORDER BY at the top */
    const struct sql_relation **tables;  /* every table that it reads */
    size_t n_tables;
    bool deterministic;
    bool secured;                        /* a row filter, a mask or another's view is read: its plan tells of more than its rows */
};

/* The name under which UPDATE, DELETE and MERGE find the true values of a masked column of their target. */
str sql_raw_name(arena *a, str column);

/* Compiles an AST_QUERY (or a statement S_QUERY). */
err *sql_compile(struct sql_env *e, const struct ast *query, struct sql_compiled *ret) BH_CHECK;

/* A type written in a statement. */
err *sql_type_of_ast(arena *a, const struct ast *type, const struct sql_type **ret) BH_CHECK;
/* A constant expression's value, folded by rules that need no engine where possible: LIT_… → text. Used for
 * LIMIT, IDENTIFIER(), time travel, properties. *ret STR_NONE for NULL; an expression that is not constant is an error. */
err *sql_constant(struct sql_env *e, const struct ast *expr, const struct sql_type **ret_type, str *ret) BH_CHECK;
/* Where names without a schema are looked for, for messages; in the arena. */
const char *sql_search_path(const struct sql_env *e, arena *a);
/* The output column name that Spark gives an expression without alias. */
err *sql_caption(struct sql_env *e, const struct ast *expr, buf *out) BH_CHECK;
/* An expression over one relation's columns (generated columns, checks, defaults, row filters): DuckDB text where
 * column i is written as quoted "name", prefixed by `alias.` if not empty. */
err *sql_compile_expr(struct sql_env *e, const struct ast *expr, const struct sql_field *cols, size_t n, str alias,
                      const struct sql_type *want, buf *out, const struct sql_type **ret_type) BH_CHECK;

/* ---- tables ---- */
/* What DuckDB's text of a cast between stored types is: store assignment of INSERT, UPDATE, MERGE (ANSI). Error
 * INCOMPATIBLE_DATA_FOR_TABLE.… (of `table`, a name for the message) where it is not allowed. `expr` is DuckDB text of
 * type `from`. */
err *sql_store_cast(struct sql_env *e, str table, str column, str expr, const struct sql_type *from, const struct sql_type *to,
                    buf *out) BH_CHECK;

#endif
