/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bound tree, private to bind*.c, emit*.c, caption.c: what a query means, with every name found and every type
 * known, in the shape that the emitted text has.
 *
 * An expression (struct bx) is mostly a template of DuckDB text over its children (BX_TMPL): operators, functions and
 * casts need no kinds of their own. A query (struct bq) keeps its select block whole (from, where, keys, having,
 * windows, projection, order), so that DuckDB's optimiser sees joins and filters of one block together.
 *
 * Relations (struct rel) are the things that columns belong to; each is emitted under the alias t<id>. Emission writes
 * the expressions of a block first and its FROM last: by then every column that is needed has been marked as used.
 *
 * Everything lives in the arena of the compile.
 */
#ifndef BH_SQL_BIND_H
#define BH_SQL_BIND_H

#include "base/map.h"
#include "sql/coerce.h"
#include "sql/error.h"
#include "sql/func.h"
#include "sql/sql.h"

struct bq;
struct bfrom;
struct binder;

/* ---- expressions ---- */

enum bx_kind {
    BX_LIT,    /* text: canonical value, STR_NONE: NULL */
    BX_COL,    /* rel, col */
    BX_TMPL,   /* text: template over child */
    BX_AGG,    /* aggregate: template over child, distinct, filter, order */
    BX_WIN,    /* the same with a window */
    BX_SUB,    /* subquery: template over child, {q} is the query */
    BX_LAMBDA, /* child 0 the body; vars */
    BX_VAR,    /* a lambda's parameter: var */
    BX_GEN,    /* generator: template that yields a list; gen: columns */
};

struct bsort {
    struct bx *x;
    bool desc, nulls_first;
    int item;                     /* position in the select list, -1: none */
};

struct bwin {
    struct bx **part;
    size_t n_part;
    struct bsort *order;
    size_t n_order;
    str frame;                    /* template "ROWS BETWEEN …", over bounds; or empty */
    str shown;                    /* what captions say where no frame was written; or empty */
    str frame_cap;                /* the frame as captions write it, a template over bounds */
    struct bx **bound;
    size_t n_bound;
    struct bend {                 /* as written, from the first to the last row */
        uint8_t kind;             /* 0: not written; 'p' 'f': unbounded; 'c': the current row; '-' '+': value before, after it */
        struct bx *value;
    } from, to;
};

struct bx {
    uint8_t kind;
    bool nullable;
    bool loose;                   /* DuckDB's decimal has another precision than `type` */
    bool nondet;
    bool has_agg, has_win, has_gen, has_sub, has_lambda; /* in it or below, within its query */
    bool implicit;                /* a cast that nobody wrote: captions leave it out */
    bool distinct, ignore_nulls;
    bool outer;                   /* generator: _outer; */
    uint32_t id;                  /* {#} of its template; of BX_VAR and BX_LAMBDA the first variable's number */
    const struct sql_type *type;
    str text;
    str cap;                      /* caption template over child; of BX_LIT and BX_COL the caption */
    struct bx **child;
    size_t n;
    struct rel *rel;
    size_t col;
    struct bq *query;
    struct bx **outers;           /* BX_SUB: columns of enclosing queries in it */
    str *names;                   /* BX_GEN: AS (a, b), or NULL */
    size_t n_outers;
    struct bx *filter;
    struct bsort *order;
    size_t n_order;
    struct bwin *win;
    size_t n_vars;                /* BX_LAMBDA */
    bool index_var;               /* BX_LAMBDA: the last parameter is an index */
    const struct sql_type *gen;   /* BX_GEN: struct of the columns */
    const struct ast *ast;
    double weight;                /* expressions in it as it will be written out: what is mentioned twice counts twice; 0: one */
};

/* ---- relations ---- */

enum rel_kind { RK_SCAN, RK_QUERY, RK_CTE, RK_TEXT, RK_GEN, RK_AGG };

struct rcol {
    str name;                     /* as the user sees it */
    const struct sql_type *type;
    bool nullable, used;
    str comment;
    const str *qual;              /* of a select's output: the three qualifiers of the column that it is; NULL: none (pipes see them) */
};

struct rel {
    uint32_t id;
    uint8_t kind;
    uint32_t level;               /* of the select block that it stands in */
    struct rcol *cols;
    size_t n;
    struct rel *wrap;             /* emitted inside this one's select: columns are t<wrap>.t<id>_<col> */
    bool open;                    /* while what it wraps is written */
    const struct sql_relation *table; /* RK_SCAN */
    const struct ast *from;
    bool row_ids, file_metadata;
    struct sql_prune *prune;
    size_t n_prune;
    int64_t limit;                /* RK_SCAN: rows that the block needs of it, + 1; 0: unknown */
    size_t *order, n_order;       /* … the first ones by these columns */
    struct bq *query;             /* RK_QUERY */
    struct cte *cte;              /* RK_CTE */
    struct bx *call;              /* RK_TEXT: template of a SELECT; RK_GEN: the generator */
    struct bq *agg;               /* RK_AGG: whose keys and aggregates its columns are */
    bool lateral;
    str sample;                   /* " TABLESAMPLE …" */
};

/* A common table expression, emitted once as w<id>. */
struct cte {
    uint32_t id;
    str name;
    const struct ast *ast;
    struct bq *query;
    struct rcol *cols;
    size_t n;
    bool recursive, binding, emitted, referenced;
    struct bq *step;              /* the recursive part */
    bool all;
    int64_t max_level, max_rows;  /* rounds of the step, rows in all; max_level -1: neither is limited */
    struct cte *next;             /* the scope's next */
};

/* ---- names ---- */

/* A name that a scope offers: column of a relation, or an expression (USING of a full join). */
struct scol {
    str name;
    str qual[3];                  /* catalog, schema, table or alias; from the right; empty: unqualified */
    struct rel *rel;
    size_t col;
    struct bx *x;                 /* instead of rel and col */
    bool hidden;                  /* only with a qualifier, never in a star */
    bool metadata;                /* _metadata: not in a star */
};

struct lvar {                     /* a lambda's parameter in sight */
    str name;
    uint32_t var;
    const struct sql_type *type;
    bool nullable;
    struct bx *x;                 /* a SQL function's parameter: stands for this */
    str owner;                    /* the function, whose name may stand before the parameter's */
    struct lvar *next;
};

struct scope {
    struct scope *outer;          /* of the enclosing query, for correlation */
    struct scol *cols;
    size_t n, cap;
    struct lvar *vars;
    uint32_t level;
    /* select aliases in sight: lateral ones (so far), or all of them for HAVING, ORDER BY */
    struct bx **alias_x;
    str *alias;
    size_t n_alias;
    bool lateral_alias;           /* captions say so */
    struct bq *above;             /* HAVING, ORDER BY of this block: what it yields and groups by */
    bool having;
    struct bx *sub;               /* the subquery node whose scope this is: collects outers */
};

/* What may stand in the expression being bound. */
struct cx {
    struct binder *b;
    struct scope *s;
    bool no_agg, no_win;          /* not here: WHERE, GROUP BY, arguments of aggregates */
    bool in_agg;
    bool gen_ok;                  /* a generator may stand at the top of it */
    const char *clause;           /* for messages */
    struct ast *windows;          /* LIST of NAMED_WINDOW, or NULL */
};

/* ---- from ---- */

enum bf_kind { BF_REL, BF_JOIN, BF_GEN };

struct bfrom {
    uint8_t kind;
    struct rel *rel;              /* BF_REL; BF_GEN: the generated relation, left is its input (may be NULL) */
    struct bfrom *left, *right;
    const char *join;             /* "INNER JOIN" … "CROSS JOIN" "," */
    struct bx *on;
    struct rel **inside;          /* BF_GEN: relations of left that it hides */
    size_t n_inside;
};

/* ---- queries ---- */

enum bq_kind { BQ_SELECT, BQ_SETOP, BQ_VALUES };

struct bq {
    uint8_t kind;
    uint32_t level;
    struct rcol *cols;            /* output */
    size_t n;
    struct cte **ctes;
    size_t n_ctes;
    bool ctes_recursive;
    struct bfrom *from;
    struct bx *where;
    bool aggregated, staged;
    struct rel *aggrel;
    struct bx **keys;
    size_t n_keys;
    struct bx **aggs;
    size_t n_aggs, cap_aggs;
    uint64_t *sets;               /* grouping sets: bit i: key i is in */
    size_t n_sets;
    bool has_sets, group_all;
    struct bx *having, *qualify;
    struct bx **items;
    size_t n_items;               /* ≥ n: those from n on are hidden, for ORDER BY */
    bool distinct;
    struct bsort *order;
    size_t n_order;
    struct bx *limit, *offset;
    const char *op;               /* BQ_SETOP: "UNION ALL" … */
    struct bq *left, *right;
    struct bx ***rows;            /* BQ_VALUES */
    size_t n_rows;
    bool above;                   /* HAVING or ORDER BY is being rewritten */
    bool gen;                     /* one item is a generator's list, emitted by unnest */
    bool barrier;                 /* hides rows from whoever asks: conditions that may fail stay outside (bind_guard.c) */
};

/* ---- the binder ---- */

struct vtext {
    uint32_t var;
    str text;
    struct vtext *next;
};


struct pre {                      /* names resolved in one round trip */
    const struct ast *from;
    struct sql_relation *rel;
    struct pre *next;
};

struct binder {
    struct sql_env *env;
    arena *a;
    str text;                     /* of the statement, for places of errors; may be empty */
    uint32_t next_id, next_level;
    int depth;                    /* of views and functions */
    const struct udf_within { const struct sql_function_def *f; const struct udf_within *next; } *within; /* the user's functions whose bodies are being bound */
    int nesting;                  /* of expressions and queries */
    struct cte *ctes;             /* in sight, innermost first */
    struct pre *pre;
    const struct sql_relation **tables;
    size_t n_tables, cap_tables;
    bool nondet;
    bool gen_loose;               /* generators may stand anywhere: only the text of the expression is wanted */
    bool try_cast;                /* the cast being written is a TRY_CAST */
    bool stormy;                  /* a condition was bound that may fail with a row's data in its error (bind_guard.c) */
    uint32_t n_calls;             /* of users' functions that were taken apart */
    int sheltered;                /* binding a row filter or mask: its conditions are not the asker's */
    bool secured;                 /* a row filter, a mask or another's view is read */
    err *emit_error;              /* the first failure of a scan */
    struct vtext *vtexts;         /* how lambda variables are written, while emitting */
};

/* A buffer that the arena frees. */
buf *sql_buf(arena *a);
/* What the buffer holds, kept by the arena. */
str sql_keep(arena *a, buf *b);
str sql_fmt(arena *a, const char *fmt, ...) BH_PRINTF(2, 3);

/* bind.c: making nodes */
struct bx *bx_new(struct binder *b, enum bx_kind kind, const struct sql_type *type);
struct bx *bx_lit(struct binder *b, const struct sql_type *type, str value);
struct bx *bx_null(struct binder *b, const struct sql_type *type);
struct bx *bx_int(struct binder *b, int64_t v);
struct bx *bx_string(struct binder *b, str v);
struct bx *bx_bool(struct binder *b, bool v);
/* Template over n children; nullable if any child is; flags gathered; caption template `cap`. */
struct bx *bx_tmpl(struct binder *b, const struct sql_type *type, str tmpl, str cap, struct bx **child, size_t n);
struct bx *bx_tmpl1(struct binder *b, const struct sql_type *type, const char *tmpl, const char *cap, struct bx *x);
struct bx *bx_tmpl2(struct binder *b, const struct sql_type *type, const char *tmpl, const char *cap, struct bx *x,
                    struct bx *y);
struct bx *bx_col(struct binder *b, struct rel *rel, size_t col, str name);
/* Gathers flags of the children (and filter, window) into x. */
void bx_flags(struct bx *x);
bool bx_is_null(const struct bx *x);
bool bx_is_const(const struct bx *x);
/* Does it have the same value in each row, known before there are rows? */
bool bx_is_foldable(const struct bx *x);
/* As bind_expr(), for places where a generator may stand. */
err *bind_generator(struct cx *c, const struct ast *n, struct bx **ret);
/* Does this qualifier of a star name a table (and no struct)? */
bool star_of_table(struct cx *c, const struct ast *qualifier);
/* Do both compute the same thing? */
bool bx_eq(const struct bx *x, const struct bx *y);
/* An implicit cast: the node itself when nothing changes, a folded literal where that is easy. */
struct bx *bx_cast(struct binder *b, struct bx *x, const struct sql_type *to);
/* An error where rows of q cannot be compared with each other, as DISTINCT and set operations do; bind_query.c. */
err *bind_comparable_rows(struct binder *b, const struct ast *n, const struct bq *q) BH_CHECK;
/* Is it a variant, or is one in it? Such values are not compared. */
bool bind_has_variant(const struct sql_type *t);
/* What v:path is called. */
str bind_path_name(str path);
/* NOT x. */
struct bx *bx_not(struct binder *b, struct bx *x);
/* A condition that only chooses rows: memberships of queries may be unknown in it, which DuckDB makes semi and anti joins of. */
struct bx *bx_condition(struct binder *b, struct bx *x);
/* What two strings of the collation have in common if they are equal in it, and are ordered by. */
struct bx *bx_collate_key(struct binder *b, struct bx *x, str coll);
static inline bool bx_is_collated(const struct bx *x) { return sql_is_text(x->type) && x->type->collation.n; }
/* An error where CAST (try_it: TRY_CAST) of x, written at n, does not exist; bind_expr.c. */
err *check_cast(struct binder *b, const struct ast *n, const struct bx *x, const struct sql_type *to, bool try_it);
/* The precision that `type` says, for uses where DuckDB's own would show. */
struct bx *bx_exact(struct binder *b, struct bx *x);
/* Brings all to their common type; NULL type when there is none. */
const struct sql_type *bx_unify(struct binder *b, struct bx **x, size_t n);
struct rel *rel_new(struct binder *b, enum rel_kind kind, size_t n, uint32_t level);
void scope_add(struct binder *b, struct scope *s, struct scol c);
/* Columns of a relation under a qualifier. */
void scope_add_rel(struct binder *b, struct scope *s, struct rel *r, str q0, str q1, str q2);
/* Text for a template: braces doubled. */
void buf_tmpl(buf *out, str s);
str tmpl_text(struct binder *b, str s);
str type_name(struct binder *b, const struct sql_type *t);      /* "BIGINT" in quotes, for messages */
str ident_name(struct binder *b, const struct ast *name);       /* `a`.`b` */
/* A struct whose fields are called as those of the other struct type, to be compared with it; others as they are. */
struct bx *bx_named_like(struct binder *b, struct bx *x, const struct sql_type *as);
struct ast *column_all(struct cx *c, const struct ast *at);
err *unsupported(struct binder *b, const struct ast *at, const char *what);
str search_path(struct binder *b); /* where names without a schema are looked for, for messages */

/* bind_expr.c */
/* The error of a statement that is short and becomes too large: by views over views, functions in functions, doubled terms. */
err *bind_too_large(struct binder *b, const struct ast *n) BH_CHECK;
err *bind_expr(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
err *bind_boolean(struct cx *c, const struct ast *n, const char *what, struct bx **ret) BH_CHECK;
/* Why a name means nothing here, with the names that come near. */
err *unresolved_column(struct cx *c, const struct ast *name) BH_CHECK;
/* The same above an aggregation: only what the block yields is near. */
err *unresolved_above(struct binder *b, const struct bq *q, const struct ast *name) BH_CHECK;
err *bind_column(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
err *bind_field(struct cx *c, struct bx *x, str name, const struct ast *at, struct bx **ret) BH_CHECK;
err *bind_name(struct cx *c, const struct ast *name, const struct ast **ret) BH_CHECK;
/* bind_guard.c: row filters, masks, barriers */
/* Reads a table with a row filter or masks through a select of its own. */
err *bind_guarded(struct binder *b, const struct sql_relation *t, const struct ast *from, struct bq **ret) BH_CHECK;
/* Does this block leave rows out that its sources have? */
bool bq_hides_rows(const struct bq *q);
/* A condition of the statement: notes whether evaluating it on a row that is not the asker's to see could tell of it. */
void bind_note_condition(struct binder *b, const struct bx *x);
/* Notes conjuncts that a scan's files can be tested by; only: of columns that are in this scope, NULL: of all. */
void bind_prune(struct binder *b, struct bx *x, const struct scope *only);
/* bind_from.c */
struct rel *bind_scan_rel(struct binder *b, const struct sql_relation *t, const struct ast *from, uint32_t level);
void bind_add_scan(struct binder *b, struct scope *s, struct rel *r, size_t n, const str *names, str q0, str q1, str q2);
struct bfrom *bind_leaf(struct binder *b, struct rel *r);
/* bind_literal.c */
err *bind_literal(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
err *bind_interval(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
bool sql_read_interval(str text, const struct sql_type *t, int64_t *ret);
bool sql_read_date(str text, int32_t *ret_days);
/* bind_ops.c */
err *bind_binary(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
err *bind_unary(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
err *bind_arith(struct binder *b, char op, struct bx *x, struct bx *y, const struct ast *at, bool try_it,
                struct bx **ret) BH_CHECK;
/* Values that are compared with a table's char(n) column: literals and shorter char(n) get its blanks. */
void bind_pad(struct binder *b, struct bx **v, size_t n);
err *bind_compare(struct binder *b, const char *op, struct bx *x, struct bx *y, const struct ast *at,
                  struct bx **ret) BH_CHECK;
/* bind_preds.c */
err *bind_predicate(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
err *bind_case(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
/* bind_time.c: dates, timestamps, intervals in arithmetic; *ret NULL: not such operands */
err *bind_time_arith(struct binder *b, char op, struct bx *x, struct bx *y, const struct ast *at, bool try_it,
                     struct bx **ret) BH_CHECK;
/* bind_call.c */
err *bind_call(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
/* Arguments that have no common type; expr in quotes; `list`: their types as [a, b], else as (a or b). */
err *different_types(struct binder *b, const struct ast *at, const char *function, const char *expr, struct bx *const *x, size_t n, bool list) BH_CHECK;
/* Why an aggregate may not stand here; expr in quotes. */
err *no_aggregate(struct cx *c, const struct ast *at, const char *expr) BH_CHECK;
/* A call with bound arguments (rewrites). */
err *bind_apply(struct cx *c, const char *name, const struct ast *at, struct bx **args, size_t n,
                struct bx **ret) BH_CHECK;
/* bind_special.c: calls that no row can say; *done false: not one of them */
/* GROUP BY of windows that overlap and of sessions as a query over one that has them as a column; *ret is n where there is none. */
err *bind_time_windows(struct binder *b, const struct ast *n, const struct ast **ret) BH_CHECK;
err *bind_session_window(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
/* schema_of_csv(), schema_of_json(), schema_of_xml(); *done stays false: another name. */
err *bind_schema_of(struct cx *c, str name, const struct ast *n, bool *done, struct bx **ret) BH_CHECK;
err *bind_special(struct cx *c, str name, const struct ast *n, bool *done, struct bx **ret) BH_CHECK;
/* "array", "map" (keys and values by turns) or "struct" (fields col1, …) of values that are bound; v may be changed. */
err *bind_built(struct binder *b, const char *name, const struct ast *at, struct bx **v, size_t count, struct bx **ret) BH_CHECK;
/* bind_udf.c */
err *bind_udf(struct cx *c, const struct sql_function_def *f, const struct ast *n, struct bx **ret) BH_CHECK;
err *bind_udf_table(struct binder *b, struct scope *outer, const struct sql_function_def *f, const struct ast *call,
                    struct bq **ret) BH_CHECK;
/* bind_window.c */
err *bind_over(struct cx *c, const struct ast *over, struct bx *f, struct bx **ret) BH_CHECK;
/* The error for a key of ORDER BY whose type has no order. */
err *no_order(struct binder *b, const struct ast *at, const struct bsort *o);
err *bind_sorts(struct cx *c, const struct ast *list, struct bsort **ret, size_t *ret_n) BH_CHECK;
/* bind_subquery.c */
err *bind_subquery(struct cx *c, const struct ast *n, struct bx **ret) BH_CHECK;
/* bind_query.c */
err *bind_query(struct binder *b, const struct ast *q, struct scope *outer, struct bq **ret) BH_CHECK;
err *bind_setop(struct binder *b, const struct ast *n, struct bq *l, struct bq *r, struct bq **ret) BH_CHECK;
/* A select of all columns of q. */
struct bq *bq_wrap(struct binder *b, struct bq *q, struct rel **ret_rel);
struct bq *bq_new(struct binder *b, enum bq_kind kind);
void bq_set_output(struct binder *b, struct bq *q, size_t n);
/* The output column i becomes of that type. */
struct bq *bq_retype(struct binder *b, struct bq *q, const struct sql_type *const *types);
err *bind_limit(struct binder *b, const struct ast *n, const char *name, struct bx **ret) BH_CHECK;
err *bind_limits(struct binder *b, const struct ast *q, struct bq *to) BH_CHECK;
/* ORDER BY, SORT BY or CLUSTER BY of a query. */
const struct ast *order_of(const struct ast *q);
/* bind_select.c */
err *bind_order(struct cx *c, const struct ast *list, struct bq *q) BH_CHECK;
err *bind_select(struct binder *b, const struct ast *n, const struct ast *query, struct scope *outer,
                 struct bq **ret) BH_CHECK;
/* bind_agg.c */
err *bind_group(struct cx *c, const struct ast *group, struct bq *q, struct bx **items, const str *alias,
                const bool *aliased, size_t n_items) BH_CHECK;
/* Rewrites an expression to stand above the aggregation. */
err *agg_rewrite(struct binder *b, struct bq *q, struct bx **x) BH_CHECK;
/* bind_from.c */
err *bind_from(struct binder *b, const struct ast *list, struct scope *s, struct bfrom **ret) BH_CHECK;
err *bind_from_item(struct binder *b, const struct ast *n, struct scope *s, struct scope *left, struct bfrom *left_from,
                    struct bfrom **ret) BH_CHECK;
err *bind_lateral_views(struct binder *b, const struct ast *views, struct scope *s, struct bfrom **from) BH_CHECK;
err *bind_join_parts(struct binder *b, const struct ast *n, struct scope *ls, struct scope *rs, struct scope *out,
                     struct bfrom *l, struct bfrom *r, struct bfrom **ret) BH_CHECK;
/* Rows of a generator beside those of `left` (may be NULL). */
struct bfrom *bind_generated(struct binder *b, struct bx *g, struct bfrom *left, uint32_t level);
/* A derived table. */
struct bfrom *bind_from_bq(struct binder *b, struct bq *q, uint32_t level, struct rel **ret);
/* Names of the tables in a tree, asked for in one round trip. */
err *prefetch_names(struct binder *b, const struct ast *n) BH_CHECK;
/* bind_pivot.c */
err *bind_pivot(struct binder *b, const struct ast *n, struct scope *s, struct bfrom **ret) BH_CHECK;
err *bind_unpivot(struct binder *b, const struct ast *n, struct scope *s, struct bfrom **ret) BH_CHECK;
/* bind_pipe.c */
err *bind_pipe(struct binder *b, const struct ast *n, struct scope *outer, struct bq **ret) BH_CHECK;
/* bind_star.c: appends items of a star */
struct items {
    struct bx **x;
    str *name;
    bool *aliased;
    str *comment;
    size_t n, cap;
};
void items_add(struct binder *b, struct items *it, struct bx *x, str name, bool aliased);
err *bind_star(struct cx *c, const struct ast *star, struct items *it) BH_CHECK;
const struct ast *star_arguments(struct cx *c, const struct ast *n);
err *bind_items(struct cx *c, const struct ast *list, struct items *it) BH_CHECK;

/* emit_cast.c: template of a cast */
err *emit_cast_tmpl(struct binder *b, const struct sql_type *from, const struct sql_type *to, bool try_it, buf *out);
/* emit_expr.c, emit_query.c */
void emit_expr(struct binder *b, struct bx *x, buf *out);
void emit_query(struct binder *b, struct bq *q, buf *out);
void emit_literal(struct binder *b, const struct sql_type *t, str value, buf *out);
/* caption.c */
void caption(struct binder *b, const struct bx *x, buf *out);
/* The window of x: (PARTITION BY … ORDER BY … frame). */
void window_caption(struct binder *b, const struct bx *x, buf *out);
str caption_of(struct binder *b, const struct bx *x);

#endif
