/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions of the dialect as rows (tables/sql_functions/<area>.json → gen_functions.c by gen/gen_functions.py),
 * and the rules that rows may name where a text does not suffice (func_rules*.c).
 *
 * A row's `emit` is a template of DuckDB text:
 *   {0} {1} …      an argument's text (already cast to the class that the signature asks for)
 *   {*}            all arguments, by comma; {1*} those from number 1 on
 *   {type}         DuckDB's type of the result; {type:0} of argument 0
 *   {spark}        the result's type as quoted text of Spark's JSON form; {spark:0} that of argument 0
 *   {ddl} {ddl:0}  the same in simpleString form ("array<int>"), quoted
 *   {tz} {user}    the session's zone, user, quoted; {now} the statement's start as TIMESTAMPTZ
 *   {ansi}         true or false
 *   {#}            a number that no other call in the statement has, for names of DuckDB lambda variables
 *   {2}            of a lambda argument: "lambda x, i: body"; an index parameter counts from 0 in body
 *   {2|a|b}        of a lambda argument: its body with the parameters written as the texts a, b (which may hold {0}…)
 *   {d} {w}        aggregates and windows: where DISTINCT goes, and where FILTER and OVER go (right after the aggregate's
 *                  own parenthesis). A template that is one call, name(…), needs neither. {o}: where ORDER BY goes,
 *                  {i}: where IGNORE NULLS goes. {f}: as {w}, over rows only where argument 0 is not NULL
 *   {{ }}          braces
 * Generators' templates yield a DuckDB list with one element for each row: the value itself where the result has one
 * column, else a struct f0, f1, …. Table functions' templates are a SELECT with columns c0, c1, ….
 */
#ifndef BH_SQL_FUNC_H
#define BH_SQL_FUNC_H

#include "sql/sql.h"

enum sql_func_kind { FN_SCALAR, FN_AGGREGATE, FN_WINDOW, FN_GENERATOR, FN_TABLE };
enum sql_func_null { FN_NULL_ANY, FN_NULL_NEVER, FN_NULL_ALWAYS };

struct sql_func {
    const char *name;
    const char *args;            /* the signature's text */
    const char *returns;
    const char *emit;
    const char *caption;         /* NULL: name(args) */
    const char *const *defaults; /* NULL-terminated, for the last optional arguments; may be NULL */
    const char *names;           /* "input, path": argument names for name => value, or NULL */
    const char *shown;           /* what errors about its arguments call it: a name, or a caption; NULL: as caption */
    uint8_t kind, null;
    bool nondeterministic, ansi_error;
    uint8_t common;              /* enum pat_common: what uses of one type variable have in common */
    bool strict;                 /* arguments are not cast to other sorts of types */
    const char *doc;
};

extern const struct sql_func sql_functions[];
extern const size_t sql_functions_n;

/* Rows of a name (any case); they lie side by side. NULL if there is none. */
const struct sql_func *sql_func_find(str name, size_t *ret_n);

/* What a rule sees of a call. */
struct sql_arg {
    const struct sql_type *type; /* after the cast to its class */
    bool nullable;
    bool constant;               /* value is known now */
    str value;                   /* of a constant: canonical text (numbers, strings, true/false, dates); STR_NONE: NULL */
    str caption;
};

struct sql_call {
    struct sql_env *env;
    arena *a;
    const struct sql_func *f;
    const struct ast *ast;
    const struct sql_arg *args;
    size_t n;
    const struct sql_type *type; /* the result's, when emitting */
    bool distinct, windowed;
};

struct sql_rule {
    const char *name;
    /* "returns": "rule:name" */
    err *(*type)(struct sql_call *c, const struct sql_type **ret);
    /* "emit": "rule:name": writes a template as above */
    err *(*emit)(struct sql_call *c, buf *out);
    /* "caption": "rule:name": writes the caption; args' captions are in c->args */
    err *(*caption)(struct sql_call *c, buf *out);
};

/* Each func_rules*.c has one such list, named in sql_rule_lists of func.c. */
struct sql_rule_list {
    const struct sql_rule *rules;
    size_t n;
};
const struct sql_rule *sql_rule_find(const char *name);

/* A DuckDB string literal. */
void sql_quote(buf *out, str s);
/* A DuckDB identifier in quotes. */
void sql_quote_ident(buf *out, str s);

#endif
