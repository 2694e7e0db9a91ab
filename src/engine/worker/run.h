/* SPDX-License-Identifier: Apache-2.0 */
/* One statement on its thread: what run*.c share. */
#ifndef BH_ENGINE_WORKER_RUN_H
#define BH_ENGINE_WORKER_RUN_H

#include "engine/worker/result.h"
#include "engine/worker/scan.h"
#include "engine/worker/worker.h"
#include "engine/worker/zone.h"
#include "sql/sql.h"

#define RUN_LEVELS 12 /* pairs of connections of a statement: a script's open queries and what runs in them; the last: commands in FROM */
#define RUN_MAX_IMMEDIATE 16 /* EXECUTE IMMEDIATE within EXECUTE IMMEDIATE */

/* Relations whose rows came with control's answer (information_schema). */
struct run_rows {
    const struct sql_relation *rel;
    jval *rows;               /* NULL: asked for when the scan says which */
    str id;                   /* the relation's, for that */
    str catalog, schema;      /* under which it was named: whose rights count */
    const struct run_capture *here; /* of a command in FROM: its rows, instead */
    struct run_rows *next;
};

/* What a command in FROM showed. */
struct run_capture {
    const struct sql_column *cols;
    const str *cells;
    size_t n, rows;
    bool micros;              /* timestamps are microseconds; else all are DuckDB's texts */
};

/* A schema of the path. */
struct run_place {
    str catalog, schema;
    bool system;              /* system.builtin, system.session */
};

#define RUN_MADE "\002made" /* nobody's name */

struct run {
    struct statement *st;
    arena *a;
    str text;                 /* of the statement that runs (EXECUTE IMMEDIATE: of the inner one) */
    struct sql_env env;
    struct scan_ctx scan;
    const struct zone *zone;
    str zone_name;
    struct run_place *path;   /* SET PATH: where names without a qualifier are looked for, in order; n_path 0: the default */
    size_t n_path;
    duckdb_connection con;    /* NULL until run_connection() */
    unsigned staged;        /* temporary tables of rows that control made */
    bool keep_connections;    /* they hold nothing of this statement */
    struct run_rows *rows;
    int immediate;            /* depth of EXECUTE IMMEDIATE */
    const struct ast *view;   /* CREATE or ALTER VIEW, CREATE FUNCTION that is being compiled: no temporary view may stand in it */
    const struct sql_function_def *made; /* the function of a CREATE FUNCTION, called RUN_MADE while its body is compiled */
    bool in_txn;              /* between txn_enter() and txn_leave() of a session with a transaction */
    struct txn *txn;          /* … and reads and changes tables in it */
    bool in_block;            /* a statement of BEGIN ATOMIC … END */
    bool mute;                /* its rows are nobody's */
    struct run_capture *capture; /* … or go here */
    struct script *script;    /* a statement of a script; or the script itself */
    bool no_locals;           /* the text of EXECUTE IMMEDIATE: it sees no variable of the script */
    int level;                /* its pair of the statement's connections */
    arena *result_arena;      /* of a script: what res and cols point into */
    str temporary;            /* a variable that the view's query names */

    /* what the last state tells */
    struct result res;
    const struct sql_column *cols;
    size_t n_cols;
    bool has_result, schema_sent;
    bool early;               /* the door takes rows before the last is known, and they come in pages */
    buf chunks;               /* new ones, as JSON */
    int64_t sent_at;
    const char *type;         /* "SELECT" … */
    int64_t modified_rows;
    bool is_dml;
    str dml_metrics, staging; /* JSON objects or empty */
    bool session_changed;
    int64_t compiled_us, ended_us;
};

/* run.c */
/* Parses and carries out r->text. */
err *run_text(struct run *r) BH_CHECK;
err *run_statement(struct run *r, struct ast *s) BH_CHECK;
/* "SELECT", "INSERT", …, "OTHER". */
const char *run_type_of(const struct ast *s);

/* run_query.c */
void run_env(struct run *r);
err *run_connection(struct run *r) BH_CHECK;
/* Runs the compiled query; its rows are the statement's result. */
err *run_compiled(struct run *r, const struct sql_compiled *c) BH_CHECK;
/* Runs it and keeps at most max rows as DuckDB's texts (p NULL: NULL), row after row. */
err *run_capture(struct run *r, const struct sql_compiled *c, size_t max, str **ret, size_t *ret_rows) BH_CHECK;
/* Compiles and runs `SELECT items`, of expressions without a FROM; one row. */
err *run_values(struct run *r, struct ast *const *exprs, size_t n, struct sql_compiled *ret_compiled, str **ret) BH_CHECK;
/* Rows that are here already: texts in row order (p NULL: NULL), of columns that are string, boolean, integral,
 * double, or timestamp (microseconds). */
err *run_table(struct run *r, const struct sql_column *cols, size_t n, const str *cells, size_t rows) BH_CHECK;
/* Runs it, each column as DuckDB's text; the rows are read by run_cell(). */
err *run_texts(struct run *r, const struct sql_compiled *c, duckdb_result *ret) BH_CHECK;
/* p NULL: NULL. */
str run_cell(arena *a, duckdb_data_chunk chunk, size_t column, idx_t row);
/* The same page by page: begin, any number of pages, end. After the first one the door has its rows, where it takes them so early. */
struct run_pages {
    duckdb_type *types;
    duckdb_logical_type *logical;
    duckdb_data_chunk chunk;
    size_t n;
};
err *run_pages_begin(struct run *r, const struct sql_column *cols, size_t n, struct run_pages *ret) BH_CHECK;
err *run_pages_add(struct run *r, struct run_pages *p, const str *cells, size_t rows) BH_CHECK;
/* What is there so far is told. */
err *run_pages_tell(struct run *r) BH_CHECK;
void run_pages_end(struct run_pages *p);
void run_end(struct run *r);

/* run_path.c: SET PATH; what it says now. */
err *run_set_path(struct run *r, const struct ast *s) BH_CHECK;
void run_path(struct run *r);
/* The name in place i of the path as a name of three parts; NULL: there are none. */
struct ast *run_path_name(struct run *r, size_t i, const struct ast *name);
/* Is the name one that the path is for? */
bool run_by_path(const struct run *r, const struct ast *name);
/* Are names those of the body of a view, function, row filter or mask now? What the session calls its own is not seen in
 * there: who reads could put his rows or values in the place of the owner's. */
bool run_in_body(const struct run *r);

/* run_session.c: statements that the session itself carries out; *ret_taken false: not one of them. */
err *run_session(struct run *r, const struct ast *s, bool *ret_taken) BH_CHECK;
/* A variable by its name: of the script, else of the session. */
bool run_variable(struct run *r, const str *parts, size_t n, struct session_variable *ret);
/* Do two names stand for one variable? */
bool run_same_variable(struct run *r, const str *a, size_t n, const str *b, size_t m);
/* Gives the variable of that name a value of another type; an expression's. */
err *run_assign(struct run *r, const struct ast *name, const struct sql_type *from, str text) BH_CHECK;
err *run_set_variable(struct run *r, struct ast *name, struct ast *expr) BH_CHECK;
/* The values of USING become the statement's parameters. */
err *run_params(struct run *r, const struct ast *using_) BH_CHECK;
/* Text of DuckDB that yields a value of the type again; the type as it is written. */
str run_literal(struct run *r, const struct sql_type *t, str text);
str run_type_text(struct run *r, const struct sql_type *t);
/* A copy on the heap. */
char *run_heap(str s);
/* The session's zone name and zone; UTC where the setting is missing. */
void run_zone(struct run *r);

/* run_using.c: the query that CREATE TEMPORARY VIEW … USING … OPTIONS (…) stands for. */
err *run_using(struct run *r, const struct ast *s, str *ret) BH_CHECK;
/* The error of a CREATE VIEW or CREATE FUNCTION (r->view) whose text names something of the session: what, "VIEW" or "FUNCTION". */
err *run_outlives(struct run *r, const struct ast *name, const char *what) BH_CHECK;

/* run_function.c: temporary functions. CREATE and DROP; the function that a name means, *ret NULL if none. */
err *run_temp_function(struct run *r, const struct ast *s) BH_CHECK;
err *run_drop_function(struct run *r, const struct ast *s) BH_CHECK;
err *run_find_function(struct run *r, const struct ast *name, const struct sql_function_def **ret) BH_CHECK;
/* DESCRIBE FUNCTION; *ret_taken is left false where the name is the catalog's. */
err *run_describe_function(struct run *r, const struct ast *s, bool *ret_taken) BH_CHECK;
/* run_command.c: what a CREATE FUNCTION declares; in the arena and of the statement's text. */
err *run_made_function(struct run *r, const struct ast *s, struct sql_function_def *ret) BH_CHECK;
/* Does the body of a CREATE FUNCTION make sense? Statements of other languages are not looked at. */
err *run_check_function(struct run *r, const struct ast *s) BH_CHECK;

/* run_view.c: DESCRIBE and SHOW COLUMNS of a temporary view; *ret_taken false: the name is the catalog's. */
err *run_view(struct run *r, const struct ast *s, bool *ret_taken) BH_CHECK;
/* What the session has that control does not list: rows of SHOW TABLES and SHOW VIEWS for its temporary views. */
err *run_temporary_rows(struct run *r, const struct ast *s, size_t n, str **cells, size_t *rows) BH_CHECK;
/* (SHOW …) and (DESCRIBE …) in FROM. */
err *run_from_command(struct run *r, const struct ast *from, struct sql_relation **ret) BH_CHECK;
void run_emit_capture(const struct sql_scan_ask *ask, const struct run_capture *c, buf *out);
/* The query's columns as rows of col_name, data_type, comment. */
err *run_schema(struct run *r, const struct sql_compiled *c) BH_CHECK;

/* run_command.c: asks control to do it and shows what it answers. */
err *run_command(struct run *r, const struct ast *s) BH_CHECK;
/* A node as JSON (README: "Slots as JSON"). */
err *run_node_json(struct run *r, const struct ast *n, buf *out) BH_CHECK;
/* The parts of a NAME or NAME_EXPR. */
err *run_name(struct run *r, const struct ast *name, str **ret, size_t *ret_n) BH_CHECK;

static inline const char *run_z(const struct run *r, str s) { return arena_strndup(r->a, s.p ? s.p : "", s.n); }

static inline str run_source(const struct run *r, const struct ast *n) {
    uint32_t end = n->end < r->text.n ? n->end : (uint32_t)r->text.n;
    return n->pos < end ? str_n(r->text.p + n->pos, end - n->pos) : STR("");
}

#endif
