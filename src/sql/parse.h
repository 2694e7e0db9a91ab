/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the parser: recursive descent over an array of tokens, one function for each rule of the grammar.
 *
 * Errors. The first error is kept in `fail` and moves the position to the end of the text (T_END), so every loop and
 * every rule ends by itself; what they return then is never NULL and never used. Rules therefore need not check for
 * errors; sql_parse() looks once at the end. try_begin/try_end guess: an error within is forgotten.
 *
 * Depth. enter()/leave() bound the nesting of rules (SQL_MAX_DEPTH). Chains (a + b + c, x UNION y UNION z) are built by
 * loops between chain_begin() and chain_end(); `height` is the greatest depth of what was parsed since chain_begin(), each
 * chain() puts one more node over that, bounded by SQL_MAX_HEIGHT.
 */
#ifndef BH_SQL_PARSE_H
#define BH_SQL_PARSE_H

#include "sql/error.h"
#include "sql/lex.h"
#include "sql/sql.h"

struct parse_fail {
    const char *cls; /* NULL: none */
    uint32_t pos, end;
    const char *pairs[8];
    size_t n;
};

struct parser {
    arena *a;
    str text;
    struct sql_token *tok;
    uint32_t n, at;     /* tok[n - 1] is T_END */
    uint32_t n_markers; /* ? seen */
    uint32_t depth, height;
    struct parse_fail fail;
    bool in_script; /* END, ELSE … end a statement's list */
    bool in_dml;    /* DEFAULT is a value */
    bool before_query; /* REPLACE ON: a query in brackets behind a name is no call's arguments */
    bool in_copy;   /* FROM may have a 'path' */
    bool marks;     /* names may carry the resolver's mark (SQL_MARK) */
};

/* ---- tokens ---- */
static inline const struct sql_token *tok_at(const struct parser *p, uint32_t ahead) {
    uint32_t i = p->at + ahead;
    return &p->tok[i < p->n ? i : p->n - 1];
}
static inline unsigned kind_at(const struct parser *p, uint32_t ahead) { return tok_at(p, ahead)->kind; }
/* The word at a place, W_OTHER if it is not a word that the grammar knows. */
static inline enum sql_word word_at(const struct parser *p, uint32_t ahead) {
    return (enum sql_word)tok_at(p, ahead)->word;
}
static inline bool at_kind(const struct parser *p, unsigned kind) { return kind_at(p, 0) == kind; }
static inline bool at_word(const struct parser *p, enum sql_word w) { return word_at(p, 0) == w; }
static inline bool at_words(const struct parser *p, enum sql_word w, enum sql_word x) {
    return word_at(p, 0) == w && word_at(p, 1) == x;
}
static inline bool failed(const struct parser *p) { return p->fail.cls != NULL; }
str tok_text(const struct parser *p, const struct sql_token *t);
/* Is the token a word with this text (upper case)? For words that are not in SQL_WORDS. */
bool text_at(const struct parser *p, uint32_t ahead, const char *upper);
void advance(struct parser *p);
/* Not a symbol of the program: it would stand in for the C library's accept(), also where libraries call that. */
static inline bool accept(struct parser *p, unsigned kind) {
    if (!at_kind(p, kind) || kind == T_END) return false;
    advance(p);
    return true;
}
bool accept_word(struct parser *p, enum sql_word w);
bool accept_words(struct parser *p, enum sql_word w, enum sql_word x);
bool accept_text(struct parser *p, const char *upper);
void expect(struct parser *p, unsigned kind);
void expect_word(struct parser *p, enum sql_word w);
void expect_text(struct parser *p, const char *upper);
/* expect_word(), but a name that stands here instead is told as "missing 'WORD'". */
void expect_or_missing(struct parser *p, enum sql_word w);
/* The error for ! in the place of NOT; false if there is none. */
bool discontinued_bang(struct parser *p);
/* IF NOT EXISTS, IF EXISTS: the flag if it stands here, else 0. */
uint32_t accept_if_not_exists(struct parser *p);
uint32_t accept_if_exists(struct parser *p);

/* ---- errors ---- */
/* Syntax error at the current token. */
void syntax_error(struct parser *p);
/* "…: missing X" at the current token. */
void syntax_missing(struct parser *p, const char *what);
void syntax_extra(struct parser *p);
/* An error of another class over the bytes of `at`; pairs end with NULL, values must live in the arena. */
void parse_error(struct parser *p, const struct ast *at, const char *cls, ...);
struct parse_mark {
    uint32_t at, n_markers, depth, height;
};
struct parse_mark try_begin(const struct parser *p);
/* true: the guess was right and stands; false: the position is as before. */
bool try_end(struct parser *p, struct parse_mark m);

/* ---- nodes ---- */
/* A node that begins at the current token. */
struct ast *node(struct parser *p, enum ast_kind kind);
/* Ends it at the token before the current one; returns it. */
struct ast *done(struct parser *p, struct ast *n);
void set(struct parser *p, struct ast *n, enum ast_slot slot, struct ast *value);
void add(struct parser *p, struct ast *n, struct ast *child);
/* A node of this kind over an existing first child: begins where the child does. */
struct ast *wrap(struct parser *p, enum ast_kind kind, struct ast *child);
uint32_t chain_begin(struct parser *p);
/* wrap() as a link of a chain; pos: where the chain's text begins (before the parentheses of its first operand). */
struct ast *chain(struct parser *p, enum ast_kind kind, struct ast *child, uint32_t pos);
void chain_end(struct parser *p, uint32_t outer);
bool enter(struct parser *p);
void leave(struct parser *p);
/* A text of ours in the arena, in lower case. */
str lower_text(struct parser *p, str s);

/* ---- names (parse.c) ---- */
/* An identifier: any word or a quoted one; `strict` refuses the words of joins and set operations. */
bool at_identifier(const struct parser *p, uint32_t ahead, bool strict);
struct ast *parse_ident(struct parser *p);
struct ast *parse_strict_ident(struct parser *p);  /* where a-b is told to want quotes */
struct ast *parse_name(struct parser *p);          /* NAME or NAME_EXPR */
struct ast *parse_ident_list(struct parser *p);    /* (a, b) → LIST */
struct ast *parse_string(struct parser *p);        /* LIT_STRING; neighbours joined */
bool at_string(const struct parser *p, uint32_t ahead);
struct ast *string_node(struct parser *p, enum ast_kind kind, str value);
/* Reads the alias after a from item: [AS] name [(a, b)]. */
void parse_table_alias(struct parser *p, struct ast *item);
/* May the current word be an alias without AS, or does it begin a clause? */
bool at_bare_alias(const struct parser *p, bool strict);

/* ---- expressions (parse_expr.c, parse_call.c) ---- */
struct ast *parse_expr(struct parser *p);
/* Without AND, OR, NOT and predicates: bounds, patterns. */
struct ast *parse_value(struct parser *p);
struct ast *parse_primary(struct parser *p);
struct ast *parse_named_expr(struct parser *p); /* expr [[AS] alias | AS (a, b)] */
struct ast *parse_expr_list(struct parser *p);  /* e, e … → LIST */
struct ast *parse_paren_exprs(struct parser *p); /* (e, e …) → LIST; maybe empty */
struct ast *parse_sort_list(struct parser *p);  /* e [ASC|DESC] [NULLS …], … → LIST */
struct ast *parse_window_spec(struct parser *p);
struct ast *parse_call(struct parser *p, struct ast *name);
struct ast *parse_table_call(struct parser *p, struct ast *name); /* without FILTER, OVER … */
/* CAST(, EXTRACT(, … at the current word: the node, NULL if the word begins no special form. */
struct ast *parse_special_call(struct parser *p);
struct ast *parse_interval(struct parser *p);
bool at_lambda(const struct parser *p);
struct ast *parse_lambda(struct parser *p);
struct ast *parse_number(struct parser *p, bool negative);
struct ast *parse_case(struct parser *p);

/* ---- types ---- */
struct ast *parse_type(struct parser *p);

/* ---- queries ---- */
/* Does a query begin here (SELECT, WITH, FROM, VALUES, TABLE, MAP, REDUCE, or a parenthesised one)? */
bool at_query(const struct parser *p);
struct ast *parse_query(struct parser *p);
struct ast *parse_with(struct parser *p, struct ast *owner);
void check_with(struct parser *p, const struct ast *owner);
/* The query after its WITH. `q` is the QUERY node. */
struct ast *parse_query_rest(struct parser *p, struct ast *q);
struct ast *parse_values(struct parser *p);
/* item: the node with slot NAMES, if it has one. */
void check_values(struct parser *p, const struct ast *item, const struct ast *values);
struct ast *parse_from_list(struct parser *p);
struct ast *parse_from_item(struct parser *p);
struct ast *parse_from_primary(struct parser *p);
void parse_lateral_views(struct parser *p, struct ast *select);
void parse_windows(struct parser *p, struct ast *owner);
struct ast *parse_group_by(struct parser *p);
struct ast *parse_pivot(struct parser *p, struct ast *input);
struct ast *parse_unpivot(struct parser *p, struct ast *input);
struct ast *parse_sample(struct parser *p);
struct ast *parse_join(struct parser *p, struct ast *left);
bool at_join(const struct parser *p);
/* |>, or | where a pipe operator follows. */
bool at_pipe(const struct parser *p);
struct ast *parse_pipe_op(struct parser *p);
void parse_hints(struct parser *p, struct ast *select);
struct ast *parse_table_arg(struct parser *p);
/* FROM [catalog.]fmt.`path`: sets AST_F_PATH. */
void mark_path(struct ast *table);

/* ---- statements ---- */
struct ast *parse_statement(struct parser *p);
struct ast *parse_dml(struct parser *p);         /* INSERT, UPDATE, DELETE, MERGE; NULL if none begins here */
struct ast *parse_with_statement(struct parser *p); /* WITH … then a query or INSERT */
struct ast *parse_create(struct parser *p);      /* CREATE TABLE, VIEW, FUNCTION; NULL if none of these begins here */
struct ast *parse_session(struct parser *p);     /* SET, RESET, USE, DECLARE, EXECUTE IMMEDIATE; NULL if none begins here */
struct ast *parse_command(struct parser *p);     /* by the table of commands; NULL if none begins here */
struct ast *parse_script(struct parser *p);      /* BEGIN … END */
struct ast *parse_using(struct parser *p);       /* behind USING */
bool at_cursor_statement(const struct parser *p); /* OPEN, FETCH, CLOSE */
/* script_check.c: fails where a script makes no sense. */
void script_check(struct parser *p, const struct ast *script);
struct ast *parse_column_defs(struct parser *p); /* a INT, b STRING … (without parentheses) → LIST */
struct ast *parse_column_def(struct parser *p);
struct ast *parse_properties(struct parser *p);  /* (k = v, …) → LIST of PROPERTY */
struct ast *parse_property_keys(struct parser *p);
str parse_property_key(struct parser *p);
struct ast *parse_mask(struct parser *p);
struct ast *parse_row_filter(struct parser *p);
struct ast *parse_cluster(struct parser *p);
struct ast *parse_constraint(struct parser *p);
struct ast *parse_assignments(struct parser *p);
struct ast *parse_partition_spec(struct parser *p); /* (a = 1, b) → LIST of PARTVAL */

#endif
