/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words of the dialect. The whole text becomes an array of tokens once; the parser looks ahead and back in
 * it as it likes, and knows for each opening parenthesis or bracket where it closes.
 *
 * Blanks and comments (line comments, bracketed ones, which nest) yield nothing. A hint's opening is the token
 * T_HINT and its closing T_HINT_END. A character that no token begins with is T_WRONG: the parser stumbles over it.
 */
#ifndef BH_SQL_LEX_H
#define BH_SQL_LEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

/* Tokens of one character have that character as kind. >> and >>> are > tokens side by side: they close types as well. */
enum sql_token_kind {
    T_END = 0,
    T_WORD = 128,  /* keyword or identifier; may begin with a digit */
    T_QUOTED,      /* `identifier` */
    T_STRING,      /* 'text', r'text' */
    T_DSTRING,     /* "text", r"text" */
    T_NUMBER,      /* with suffix if it has one */
    T_WRONG,
    T_NSEQ,        /* <=> */
    T_NEQ,         /* <> != */
    T_LE,          /* <= !> */
    T_GE,          /* >= !< */
    T_SHL,         /* << */
    T_CONCAT,      /* || */
    T_PIPE,        /* |> */
    T_ARROW,       /* -> */
    T_FAT,         /* => */
    T_CAST,        /* :: */
    T_TRYCAST,     /* ?:: */
    T_HINT,        /* slash star plus */
    T_HINT_END,    /* star slash */
};

/* Words that the grammar knows. All others, and in most places these too, are identifiers. In order of the alphabet. */
#define SQL_WORDS(X)                                                                                                     \
    X(ADD) X(AFTER) X(AGGREGATE) X(ALL) X(ALTER) X(ALWAYS) X(ANALYZE) X(AND) X(ANTI) X(ANY) X(ANY_VALUE) X(ARRAY) X(AS)  \
    X(ASC) X(ASYMMETRIC) X(AT) X(AUTO) X(BEGIN) X(BETWEEN) X(BOTH) X(BUCKET) X(BUCKETS) X(BY) X(BYTES) X(CACHE)           \
    X(CALL) X(CALLED) X(CASCADE) X(CASE) X(CAST) X(CATALOG) X(CATALOGS) X(CHANGE) X(CHECK) X(CLEAR) X(CLONE) X(CLUSTER)  \
    X(CLUSTERED) X(COLLATE) X(COLLATION) X(COLUMN) X(COLUMNS) X(COMMENT) X(COMMIT) X(COMPENSATION) X(CONDITION)           \
    X(CONSTRAINT) X(CONTAINS) X(CONTINUE) X(COPY) X(CREATE) X(CROSS) X(CUBE) X(CURRENT) X(CURRENT_DATE)                  \
    X(CURRENT_TIME) X(CURRENT_TIMESTAMP) X(CURRENT_USER) X(CURSOR) X(DATABASE) X(DATABASES) X(DATE) X(DATEADD)           \
    X(DATEDIFF) X(DATE_ADD) X(DATE_DIFF) X(DECLARE) X(DEEP) X(DEFAULT) X(DEFINER) X(DELETE) X(DESC) X(DESCRIBE)          \
    X(DETERMINISTIC) X(DISTINCT) X(DISTRIBUTE) X(DIV) X(DO) X(DROP) X(ELSE) X(ELSEIF) X(END) X(ENFORCED) X(ESCAPE)       \
    X(EVOLUTION) X(EXCEPT) X(EXECUTE) X(EXISTS) X(EXIT) X(EXPLAIN) X(EXTEND) X(EXTENDED) X(EXTERNAL) X(EXTRACT)          \
    X(FALSE) X(FEATURE) X(FIELDS) X(FILTER) X(FIRST) X(FOLLOWING) X(FOR) X(FOREIGN) X(FORMAT) X(FORMATTED) X(FROM)       \
    X(FULL) X(FUNCTION) X(GENERATED) X(GET) X(GLOBAL) X(GROUP) X(GROUPING) X(GROUPS) X(HANDLER) X(HAVING)                \
    X(IDENTIFIER) X(IDENTITY) X(IF) X(IGNORE) X(ILIKE) X(IMMEDIATE) X(IN) X(INCLUDE) X(INCREMENT) X(INNER) X(INPUT)      \
    X(INSERT) X(INTERSECT) X(INTERVAL) X(INTO) X(INVOKER) X(IS) X(ITEMS) X(ITERATE) X(JOIN) X(JSON) X(KEY) X(LANGUAGE)   \
    X(LAST) X(LATERAL) X(LEADING) X(LEAVE) X(LEFT) X(LEVEL) X(LIKE) X(LIMIT) X(LINES) X(LIST) X(LOCAL) X(LOCATION)       \
    X(LOOP) X(MAP) X(MASK) X(MATCHED) X(MATERIALIZED) X(MAX) X(MERGE) X(METRICS) X(MINUS) X(MODIFIES) X(NAME) X(NATURAL) \
    X(NEXT) X(NO) X(NONE) X(NOT) X(NULL) X(NULLS) X(OF) X(OFFSET) X(ON) X(ONLY) X(OPTIONS) X(OR) X(ORDER) X(ORDINALITY)  \
    X(OUT) X(OUTER) X(OVER) X(OVERLAY) X(OVERWRITE) X(PARTITION) X(PARTITIONED) X(PERCENT) X(PIVOT) X(PLACING)           \
    X(POSITION) X(PRECEDING) X(PRIMARY) X(QUALIFY) X(QUERY) X(RANGE) X(READS) X(RECURSION) X(RECURSIVE) X(REDUCE)        \
    X(REFERENCES) X(REFRESH) X(REGEXP) X(RELY) X(RENAME) X(REPEAT) X(REPEATABLE) X(REPLACE) X(RESET) X(RESIGNAL)         \
    X(RESPECT) X(RESTRICT) X(RETURN) X(RETURNS) X(RIGHT) X(RLIKE) X(ROLLUP) X(ROW) X(ROWS) X(SCHEMA) X(SCHEMAS)          \
    X(SECURITY) X(SELECT) X(SEMI) X(SERDE) X(SERDEPROPERTIES) X(SESSION) X(SESSION_USER) X(SET) X(SETMINUS) X(SETS)      \
    X(SHALLOW) X(SHOW) X(SIGNAL) X(SINGLE) X(SKEWED) X(SOME) X(SORT) X(SORTED) X(SOURCE) X(SPECIFIC) X(SQL)              \
    X(SQLEXCEPTION) X(SQLSTATE) X(START) X(STORED) X(STREAM) X(STREAMING) X(STRUCT) X(SUBSTR) X(SUBSTRING) X(SYMMETRIC)  \
    X(SYSTEM) X(SYSTEM_TIME) X(SYSTEM_VERSION) X(TABLE) X(TABLES) X(TABLESAMPLE) X(TARGET) X(TBLPROPERTIES) X(TEMP)      \
    X(TEMPORARY) X(THEN) X(TIME) X(TIMEDIFF) X(TIMESTAMP) X(TIMESTAMPADD) X(TIMESTAMPDIFF) X(TIMEZONE) X(TO)             \
    X(TRAILING) X(TRANSFORM) X(TRIM) X(TRUE) X(TRUNCATE) X(TRY_CAST) X(TYPE) X(UNBOUNDED) X(UNION) X(UNIQUE) X(UNKNOWN)  \
    X(UNPIVOT) X(UNTIL) X(UPDATE) X(USE) X(USER) X(USING) X(VALUES) X(VAR) X(VARIABLE) X(VERSION) X(VIEW) X(VIEWS)       \
    X(WATERMARK) X(WHEN) X(WHERE) X(WHILE) X(WINDOW) X(WITH) X(WITHIN) X(WITHOUT) X(ZONE)

enum sql_word {
    W_OTHER = 0,
#define X(name) W_##name,
    SQL_WORDS(X)
#undef X
        W_COUNT
};

struct sql_token {
    uint8_t kind;
    uint8_t raw;   /* of strings: 1 r'…', 2 $$…$$, 3 '…' whose backslashes stand for themselves */
    uint16_t word; /* of T_WORD: enum sql_word */
    uint32_t pos, end;
    uint32_t match; /* of ( [ T_HINT: index of the token that closes it, 0 if there is none */
};

struct sql_tokens {
    struct sql_token *tok; /* the last one is T_END */
    uint32_t n;            /* T_END counts */
    bool open_comment;     /* a bracketed comment is not closed */
    uint32_t comment_pos;  /* where that begins */
};

/* Text of at most SQL_MAX_TEXT bytes (must). Tokens live in the arena. Never fails: what is wrong is in the tokens. */
void sql_lex(arena *a, str text, struct sql_tokens *ret);
/* Number of a word; W_OTHER if the grammar does not know it. */
enum sql_word sql_word_of(str text);
const char *sql_word_text(enum sql_word w);
/* The value of a string token: quotes off, escapes done, doubled quotes single. */
str sql_token_string(arena *a, str text, const struct sql_token *t);
/* The name of a word or a `quoted` one, without quotes. */
str sql_token_name(arena *a, str text, const struct sql_token *t);
/* The text's tokens with one blank between and comments left out: as Spark keeps the conditions of checks. In the arena. */
str sql_spaced(arena *a, str text);

#endif
