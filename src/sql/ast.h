/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree that the parser makes of a statement, and that everything after it reads.
 *
 * One struct for every kind of node. A node has
 *   kind    what it is (AST_KINDS below says which children and slots each kind has)
 *   pos,end the bytes of the text that it was made of: errors and captions point there
 *   text    a name, an operator, a literal's value … as its row says
 *   flags   AST_F_…, as its row says
 *   child   the list that is the kind's own: arguments, parts of a name, items
 *   slot    what is named and may be missing: ast_get(n, SLOT_WHERE) is NULL when it is not there
 *
 * Statements are nodes too. A statement that the catalog carries out (CREATE SCHEMA, GRANT, …) is a
 * AST_COMMAND whose text is the command's name ("create_schema"); sql_commands in parse_command.c lists
 * each with its slots; children and slots of scripts' statements stand in parse_script.c.
 *
 * Height is bounded by the parser (SQL_MAX_HEIGHT), so recursive walks are safe. Chains of AND and of OR are
 * balanced trees, as Spark builds them; other chains (a + b + c, UNION) grow to the left. Nodes live in the arena
 * of the parse; nothing is changed after it, rewrites build new nodes.
 */
#ifndef BH_SQL_AST_H
#define BH_SQL_AST_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define SQL_MAX_DEPTH 400   /* nesting of parentheses, queries, types */
#define SQL_MAX_HEIGHT 1000 /* height of the tree, chains like a + b + c included */
/* Begins what the resolver adds to a catalog's name for its own use; never part of a name that a user writes. */
#define SQL_MARK '\x01'
#define SQL_MAX_TEXT (16u * 1024u * 1024u)

/*
 * kind        text; flags; children; slots
 *
 * Names
 *   IDENT       the name as written, unquoted; AST_F_QUOTED
 *   NAME        children: IDENT parts, 1..n ("a.b.c"). Of a column, table, function.
 *   NAME_EXPR   IDENTIFIER(expr): slot EXPR (and child IDENT parts that follow with '.'); the analyser
 *               turns its constant into a NAME
 * Expressions
 *   LIT_NULL
 *   LIT_BOOL    AST_F_TRUE
 *   LIT_NUMBER  digits as written without suffix, after "-" where a minus stands before the number (-1 is one literal); suffix in `op`: 0, 'L','S','Y','F','D','B'(BD). No
 *               suffix: no point and no exponent → int/bigint/decimal; a point → decimal; exponent → double
 *   LIT_STRING  value (escapes done, neighbours joined)
 *   LIT_BINARY  value in bytes (X'1F' → "\x1f")
 *   LIT_TYPED   value; op: 'd' DATE, 't' TIMESTAMP, 'n' TIMESTAMP_NTZ, 'l' TIMESTAMP_LTZ, 'T' TIME, 'x' other
 *               word with slot NAME
 *   INTERVAL    children: pairs of value (expression or LIT_STRING) and IDENT unit: INTERVAL 1 DAY 2 HOURS;
 *               or one LIT_STRING with slot FROM, TO (IDENT units): INTERVAL '1-2' YEAR TO MONTH; a LIT_STRING
 *               alone: INTERVAL '1 day 2 hours'
 *   PARAM       name of :name, or "" for ?; `op` = its number from 0 among the ?
 *   COLUMN      child 0: NAME or NAME_EXPR (may turn out to be alias.column.field…)
 *   STAR        slot QUALIFIER (NAME), slot EXCEPT (LIST of NAME), slot REPLACE (LIST of ALIAS)
 *   UNARY       op text: "-", "+", "~", "not"("!" too); child 0
 *   BINARY      op text: + - * / % div & | ^ << >> >>> || = == (as "=") <> (!= too) < <= > >= <=>
 *               and or; children 0,1
 *   BETWEEN     AST_F_NOT, AST_F_SYMMETRIC; children x, low, high
 *   IN          AST_F_NOT; child 0 x, children 1.. values; or slot QUERY
 *   LIKE        text: "like" "ilike" "rlike"; AST_F_NOT; op: 0 or 'a' ANY/SOME, 'A' ALL; child 0 x, 1.. patterns;
 *               slot ESCAPE
 *   IS          AST_F_NOT; text "null" "true" "false" "unknown" "distinct"; child 0, and 1 for distinct
 *   EXISTS      slot QUERY
 *   SUBQUERY    slot QUERY: scalar subquery
 *   CASE        slot EXPR (CASE x …); children: WHEN, THEN in pairs; slot ELSE
 *   CAST        AST_F_TRY; child 0; slot TYPE; op ':' when written x::t, '?' when x?::t; child 1 of CAST(x AS t FORMAT 'f')
 *   CALL        children: arguments; slot NAME; AST_F_DISTINCT; slot FILTER (WHERE expr); slot WITHIN (LIST of SORT);
 *               slot ORDER (LIST of SORT inside the parentheses); slot OVER (WINDOW or IDENT name); op: 0, 'i' IGNORE NULLS,
 *               'r' RESPECT NULLS. count(*) has a STAR. An argument may be NAMED_ARG, LAMBDA, TABLE_ARG.
 *               EXTRACT(f FROM x), TRIM(BOTH a FROM b), SUBSTRING(x FROM a FOR b), POSITION(a IN b), OVERLAY(…),
 *               CURRENT_DATE without () are CALLs too; AST_F_SPECIAL marks the special form. extract's field is a
 *               LIT_STRING; trim's form is the first argument as LIT_STRING "both"/"leading"/"trailing", then what
 *               (or LIT_NULL), then from where. `timestampdiff(unit, …)`, `dateadd(unit, …)`: unit as LIT_STRING.
 *   NAMED_ARG   text the name; child 0 (name => value)
 *   LAMBDA      children: IDENT parameters; slot EXPR
 *   TABLE_ARG   slot FROM: TABLE(t) or TABLE(query); slot PARTITION (LIST), slot ORDER (LIST of SORT); WITH SINGLE PARTITION: AST_F_JSON
 *   SUBSCRIPT   child 0 [ child 1 ]
 *   FIELD       child 0 . text  (after something that is not a plain name)
 *   PATH        v:a.b[0]: child 0; text the path as written after ':'
 *   ROW         (a, b, …): children, two or more
 *   COLLATE     child 0; text the collation
 *   ALIAS       child 0; text the alias; or slot NAMES (LIST of IDENT): expr AS (a, b)
 *   DEFAULT     the word DEFAULT as a value
 *   SORT        child 0; AST_F_DESC; op: 0, 'f' NULLS FIRST, 'l' NULLS LAST. ORDER BY ALL: child 0 is COLUMN "all"
 *   WINDOW      slot REF (IDENT), slot PARTITION (LIST), slot ORDER (LIST of SORT), slot FRAME
 *   FRAME       text "rows" or "range" ("groups"); children: BOUND start, BOUND end (end may be missing)
 *   BOUND       text "unbounded preceding" "unbounded following" "current row" "preceding" "following"; child 0 for
 *               the last two
 *   LIST        children
 * Types
 *   TYPE        text: name in lower case ("decimal", "array", "interval", …); children: LIT_NUMBER parameters, or TYPE
 *               of elements (array 1, map 2), or FIELD_DEF of struct; interval: slot FROM, TO (IDENT units); string: slot
 *               COLLATION (IDENT). timestamp without time zone is "timestamp_ntz", with local time zone "timestamp_ltz"
 *   FIELD_DEF   text the name; slot TYPE; AST_F_NOT_NULL; slot COMMENT; slot COLLATION
 * Queries
 *   QUERY       slot WITH (LIST of CTE; AST_F_RECURSIVE on QUERY), slot BODY (SELECT, SETOP, VALUES, TABLE, QUERY, PIPE),
 *               slot ORDER, SORTBY, CLUSTERBY, DISTRIBUTEBY (LIST of SORT), slot LIMIT (expr; LIMIT ALL is absent), OFFSET,
 *               slot WINDOWS (LIST of ALIAS-like NAMED_WINDOW) when written after the body
 *   CTE         text name; slot NAMES (LIST of IDENT); slot QUERY; slot MAXDEPTH
 *   SELECT      text: which operator of a pipe it stands for (bind_pipe.c), else none; AST_F_DISTINCT; slot ITEMS (LIST of expr, ALIAS, STAR), slot FROM (LIST of from items joined by comma),
 *               slot VIEWS (LIST of LATERAL_VIEW), slot WHERE, slot GROUP (GROUP), slot HAVING, slot QUALIFY,
 *               slot WINDOWS (LIST of NAMED_WINDOW), slot HINTS (LIST of CALL), slot PIVOT as from item; slot TRANSFORM
 *   NAMED_WINDOW text; slot OVER (WINDOW)
 *   GROUP       children: expressions, or GROUPING (text "rollup" "cube" "sets"; children LIST each; slot ITEMS: keys before GROUPING SETS); AST_F_ALL for GROUP BY
 *               ALL; `GROUP BY a WITH ROLLUP|CUBE` becomes one GROUPING
 *   SETOP       text "union" "except" "intersect" (minus → except); AST_F_ALL; AST_F_BY_NAME; children left, right
 *   VALUES      children: ROW or expression, one per row; slot ALIAS, NAMES where it is a query's body and has them
 *   TABLE       TABLE name: slot NAME
 *   PIPE        child 0 the input (a query's body; FROM t alone is a SELECT of a STAR), children 1..: PIPE_OP
 *   PIPE_OP     text "select" "extend" "set" "drop" "as" "where" "aggregate" "join" "order" "limit" "union"… "pivot" "unpivot"
 *               "tablesample" "lateral". select, extend: ITEMS (WINDOWS); set: children ASSIGN; drop: children IDENT (NAME when dotted); as: ALIAS;
 *               where: WHERE; aggregate: ITEMS, GROUP (children may be ALIAS); join, pivot, unpivot: FROM, whose leftmost child 0 is an empty
 *               FROM_GROUP that stands for the input; order, limit: slots of QUERY; union, except, intersect: QUERY (a body), _ALL, _BY_NAME;
 *               tablesample: SAMPLE; lateral: VIEWS
 * From items
 *   FROM_TABLE  slot NAME; slot ALIAS (IDENT); slot NAMES (LIST of IDENT); slot VERSION or TIMESTAMP (expr) for time travel;
 *               slot SAMPLE; slot OPTIONS (LIST of PROPERTY); AST_F_STREAM. `t@v1` and `t@2024…` come as VERSION/TIMESTAMP.
 *               (SHOW …), (DESCRIBE …): text is the command's, NAME is the one part "\\x01command"
 *               AST_F_PATH: a direct path, format.`path`: NAME has the two parts
 *               AST_F_ROWIDS (never parsed; rewrites set it): also yields the hidden columns _bh_file, _bh_row
 *   FROM_QUERY  slot QUERY; slot ALIAS, NAMES, SAMPLE; AST_F_LATERAL; op 'p' (never parsed): what a pipe operator reads
 *   FROM_CALL   slot CALL (table-valued function); slot ALIAS, NAMES, SAMPLE; AST_F_LATERAL; WITH ORDINALITY: AST_F_JSON
 *   FROM_VALUES slot QUERY (VALUES); slot ALIAS, NAMES
 *   JOIN        text "inner" "left" "right" "full" "cross" "semi" "anti"; AST_F_NATURAL; AST_F_LATERAL; children left, right;
 *               slot ON, slot USING (LIST of IDENT)
 *   FROM_GROUP  (from items) with slot ALIAS, NAMES; children
 *   PIVOT       child 0 the input; slot ITEMS (aggregates, ALIAS), slot FOR (LIST of COLUMN), slot IN (LIST of expr/ALIAS/ROW),
 *               slot ALIAS, NAMES
 *   UNPIVOT     child 0 the input; AST_F_NULLS (INCLUDE NULLS); slot NAMES values (LIST of IDENT), slot FOR (IDENT),
 *               slot IN (LIST of ALIAS or LIST), slot ALIAS
 *   LATERAL_VIEW AST_F_OUTER; slot CALL; text table alias; slot NAMES
 *   SAMPLE      text "rows" "percent" "bucket" "bytes"; children numbers; slot SEED
 * Statements
 *   S_QUERY     slot QUERY
 *   S_INSERT    slot NAME; AST_F_OVERWRITE; AST_F_BY_NAME; slot NAMES (LIST of NAME); slot PARTITION (LIST of PARTVAL), AST_F_IF_NOT_EXISTS;
 *               slot WHERE (REPLACE WHERE), slot USING (REPLACE USING LIST), slot ON (REPLACE ON), slot QUERY; slot WITH; AST_F_EVOLVE;
 *               slot ALIAS (of the target), slot FROM (FROM_QUERY: the source again, with its alias), slot OPTIONS
 *   PARTVAL     text column; child 0 value or missing (dynamic)
 *   S_UPDATE    slot NAME, ALIAS, ITEMS (LIST of ASSIGN), WHERE
 *   ASSIGN      child 0 NAME, child 1 value (or DEFAULT)
 *   S_DELETE    slot NAME, ALIAS, WHERE
 *   S_MERGE     slot NAME, ALIAS, FROM (source from item), ON; AST_F_EVOLVE; children MERGE_WHEN
 *   MERGE_WHEN  text "matched" "not_matched" "not_matched_by_source"; slot COND; slot ACTION: ASSIGN_UPDATE/INSERT/DELETE below
 *   MERGE_DO    text "update" "insert" "delete"; AST_F_ALL (*); ITEMS (LIST of ASSIGN) for update; NAMES and VALUES for insert
 *   S_EXPLAIN   text "" "extended" "codegen" "cost" "formatted"; child 0 the statement
 *   S_DESCRIBE_QUERY slot QUERY
 *   S_SET       text key as written ("" for SET alone, AST_F_ALL for SET -v); slot VALUE (LIT_STRING raw text); "time zone" is key "timezone", whose
 *               value may be an INTERVAL in slot EXPR
 *               SET PATH: key "path", slot NAMES (LIST of NAME)
 *   S_SET_VAR   SET VAR: children ASSIGN; or slot NAMES (LIST) and QUERY
 *   S_RESET     text key or ""
 *   S_USE       text "catalog" "schema" ""; slot NAME
 *   S_DECLARE   slot NAME(s LIST), TYPE, DEFAULT; AST_F_REPLACE
 *   S_EXECUTE_IMMEDIATE slot EXPR, slot INTO (LIST of NAME), slot USING (LIST of expr/ALIAS)
 *   S_CREATE_TABLE AST_F_REPLACE, AST_F_IF_NOT_EXISTS, AST_F_EXTERNAL, AST_F_TEMP; slot NAME; COLUMNS (LIST of COLUMN_DEF), CONSTRAINTS
 *               (LIST of CONSTRAINT), USING (IDENT), PARTITION (LIST of IDENT or COLUMN_DEF), CLUSTER (LIST of NAME; IDENT "auto"/"none"), LOCATION, COMMENT
 *               (LIT_STRING), PROPERTIES, OPTIONS (LIST of PROPERTY), QUERY (CTAS), LIKE (NAME), CLONE (NAME; text "shallow"/"deep" in op 's'/'d',
 *               VERSION/TIMESTAMP), COLLATION, FILTER (row filter: CALL of function and columns), FORMAT (Hive's clauses, as text). REPLACE TABLE without
 *               CREATE has AST_F_IF_EXISTS. CREATE STREAMING TABLE is the COMMAND "create_streaming_table" with the same slots
 *   COLUMN_DEF  text; TYPE; AST_F_NOT_NULL; DEFAULT, GENERATED (expr), IDENTITY (LIST: LIT_NUMBER start, step; op 'a' ALWAYS 'd' BY DEFAULT), COMMENT,
 *               CONSTRAINTS, MASK (CALL), COLLATION, AFTER (IDENT), AST_F_FIRST; NAME where the name is nested (ADD COLUMN a.b INT)
 *   CONSTRAINT  text name or ""; op 'c' CHECK, 'p' primary, 'f' foreign, 'u' unique; EXPR; NAMES; REF (NAME); REFNAMES; child IDENT options (rely, …)
 *   S_CREATE_VIEW AST_F_REPLACE, _IF_NOT_EXISTS, _TEMP, _GLOBAL, _MATERIALIZED; NAME; COLUMNS (LIST of COLUMN_DEF without type), COMMENT, PROPERTIES, QUERY;
 *               text the query's own text; SCHEMA (IDENT: binding, compensation, evolution, type evolution), KEY (schedule, as text), USING and OPTIONS
 *               (temporary view of a source, no QUERY), slots of tables (PARTITION, CLUSTER, FILTER, LOCATION); AST_F_SPECIAL: WITH METRICS, text the YAML
 *   S_CREATE_FUNCTION AST_F_REPLACE, _IF_NOT_EXISTS, _TEMP; NAME; PARAMS (LIST of COLUMN_DEF), RETURNS (TYPE, or LIST of COLUMN_DEF for a table), LANGUAGE, EXPR or QUERY,
 *               COMMENT, OPTIONS (LIST of IDENT); text the body's own text. Of other languages: VALUE (LIT_STRING body), KEY (handler), PROPERTIES (environment),
 *               FILES (LIST of PROPERTY)
 *   S_SCRIPT    BEGIN … END: children statements (see parse_script.c)
 *   PROPERTY    text key; child 0 value (LIT_STRING, LIT_NUMBER, LIT_BOOL) or missing
 *   COMMAND     text its name; NAME and other slots as its row in parse_command.c says
 */
#define AST_KINDS(X)                                                                               \
    X(IDENT) X(NAME) X(NAME_EXPR) X(LIT_NULL) X(LIT_BOOL) X(LIT_NUMBER) X(LIT_STRING) X(LIT_BINARY) \
    X(LIT_TYPED) X(INTERVAL) X(PARAM) X(COLUMN) X(STAR) X(UNARY) X(BINARY) X(BETWEEN) X(IN) X(LIKE) \
    X(IS) X(EXISTS) X(SUBQUERY) X(CASE) X(CAST) X(CALL) X(NAMED_ARG) X(LAMBDA) X(TABLE_ARG)         \
    X(SUBSCRIPT) X(FIELD) X(PATH) X(ROW) X(COLLATE) X(ALIAS) X(DEFAULT) X(SORT) X(WINDOW) X(FRAME)  \
    X(BOUND) X(LIST) X(TYPE) X(FIELD_DEF) X(QUERY) X(CTE) X(SELECT) X(NAMED_WINDOW) X(GROUP)        \
    X(GROUPING) X(SETOP) X(VALUES) X(TABLE) X(PIPE) X(PIPE_OP) X(FROM_TABLE) X(FROM_QUERY)          \
    X(FROM_CALL) X(FROM_VALUES) X(JOIN) X(FROM_GROUP) X(PIVOT) X(UNPIVOT) X(LATERAL_VIEW) X(SAMPLE) \
    X(S_QUERY) X(S_INSERT) X(PARTVAL) X(S_UPDATE) X(ASSIGN) X(S_DELETE) X(S_MERGE) X(MERGE_WHEN)    \
    X(MERGE_DO) X(S_EXPLAIN) X(S_DESCRIBE_QUERY) X(S_SET) X(S_SET_VAR) X(S_RESET) X(S_USE)          \
    X(S_DECLARE) X(S_EXECUTE_IMMEDIATE) X(S_CREATE_TABLE) X(COLUMN_DEF) X(CONSTRAINT)               \
    X(S_CREATE_VIEW) X(S_CREATE_FUNCTION) X(S_SCRIPT) X(PROPERTY) X(COMMAND)

enum ast_kind {
#define X(name) AST_##name,
    AST_KINDS(X)
#undef X
        AST_KIND_COUNT
};

#define AST_SLOTS(X)                                                                               \
    X(NAME) X(NAMES) X(EXPR) X(QUERY) X(BODY) X(WITH) X(ITEMS) X(FROM) X(TO) X(VIEWS) X(WHERE)      \
    X(GROUP) X(HAVING) X(QUALIFY) X(WINDOWS) X(HINTS) X(ORDER) X(SORTBY) X(CLUSTERBY)               \
    X(DISTRIBUTEBY) X(LIMIT) X(OFFSET) X(ALIAS) X(VERSION) X(TIMESTAMP) X(SAMPLE) X(OPTIONS)        \
    X(CALL) X(ON) X(USING) X(FOR) X(IN) X(TYPE) X(ELSE) X(ESCAPE) X(FILTER) X(WITHIN) X(OVER)       \
    X(QUALIFIER) X(EXCEPT) X(REPLACE) X(PARTITION) X(FRAME) X(REF) X(REFNAMES) X(SEED) X(COND)      \
    X(ACTION) X(VALUES) X(VALUE) X(DEFAULT) X(INTO) X(COLUMNS) X(CONSTRAINTS) X(CLUSTER)            \
    X(LOCATION) X(COMMENT) X(PROPERTIES) X(LIKE) X(CLONE) X(COLLATION) X(MASK) X(GENERATED)         \
    X(IDENTITY) X(AFTER) X(PARAMS) X(RETURNS) X(LANGUAGE) X(MAXDEPTH) X(PRINCIPAL) X(PRIVILEGES)    \
    X(TARGET) X(NEWNAME) X(PATTERN) X(CATALOG) X(SCHEMA) X(TABLE) X(FORMAT) X(TRANSFORM) X(KEY)     \
    X(TAGS) X(RETAIN) X(ZORDER) X(COLUMN) X(FILES) X(OWNER)

enum ast_slot {
#define X(name) SLOT_##name,
    AST_SLOTS(X)
#undef X
        SLOT_COUNT
};

enum ast_flag {
    AST_F_NOT = 1u << 0,
    AST_F_TRUE = 1u << 1,
    AST_F_QUOTED = 1u << 2,
    AST_F_DISTINCT = 1u << 3,
    AST_F_ALL = 1u << 4,
    AST_F_TRY = 1u << 5,
    AST_F_DESC = 1u << 6,
    AST_F_SPECIAL = 1u << 7,
    AST_F_LATERAL = 1u << 8,
    AST_F_NATURAL = 1u << 9,
    AST_F_OUTER = 1u << 10,
    AST_F_BY_NAME = 1u << 11,
    AST_F_RECURSIVE = 1u << 12,
    AST_F_REPLACE = 1u << 13,
    AST_F_IF_NOT_EXISTS = 1u << 14,
    AST_F_IF_EXISTS = 1u << 15,
    AST_F_TEMP = 1u << 16,
    AST_F_GLOBAL = 1u << 17,
    AST_F_EXTERNAL = 1u << 18,
    AST_F_OVERWRITE = 1u << 19,
    AST_F_NOT_NULL = 1u << 20,
    AST_F_FIRST = 1u << 21,
    AST_F_CASCADE = 1u << 22,
    AST_F_EVOLVE = 1u << 23,
    AST_F_NULLS = 1u << 24,
    AST_F_PATH = 1u << 25,
    AST_F_ROWIDS = 1u << 26,
    AST_F_MATERIALIZED = 1u << 27,
    AST_F_STREAM = 1u << 28,
    AST_F_SYMMETRIC = 1u << 29,
    AST_F_EXTENDED = 1u << 30,
    AST_F_JSON = 1u << 31, /* AS JSON; ORDINALITY of FROM_CALL; SINGLE of TABLE_ARG; DRY RUN of VACUUM, FSCK, SYNC */
};

struct ast_place {
    uint16_t slot;
    struct ast *node;
};

struct ast {
    uint16_t kind;  /* enum ast_kind */
    uint16_t op;    /* as the kind's row says */
    uint32_t flags; /* AST_F_… */
    uint32_t pos, end;
    str text;
    struct ast **child;
    struct ast_place *slot;
    uint32_t n, n_slots;
};

/* NULL for a NULL node or a slot that is not there. */
static inline struct ast *ast_get(const struct ast *n, enum ast_slot slot) {
    for (uint32_t i = 0; n && i < n->n_slots; i++)
        if (n->slot[i].slot == slot) return n->slot[i].node;
    return NULL;
}
static inline bool ast_is(const struct ast *n, enum ast_kind kind) { return n && n->kind == kind; }
static inline bool ast_has(const struct ast *n, uint32_t flag) { return n && (n->flags & flag) != 0; }
/* Is there a query in it, at any depth? NULL: no. */
bool ast_has_query(const struct ast *n);

/* Building, for the parser and for rewrites (ast.c). Lists grow by doubling in the arena. */
struct ast *ast_new(arena *a, enum ast_kind kind, uint32_t pos, uint32_t end);
struct ast *ast_text(arena *a, enum ast_kind kind, str text);
void ast_add(arena *a, struct ast *n, struct ast *child);
/* A NULL node is not set. */
void ast_set(arena *a, struct ast *n, enum ast_slot slot, struct ast *node);
/* NAME of the given parts; COLUMN of it; both for rewrites. */
struct ast *ast_name(arena *a, const str *parts, size_t n);
struct ast *ast_column(arena *a, const str *parts, size_t n);
const char *ast_kind_name(enum ast_kind kind);
const char *ast_slot_name(enum ast_slot slot);
/* The tree as an S-expression, for golden tests: (select :items (list (binary "+" …))). */
void ast_dump(const struct ast *n, buf *out);

#endif
