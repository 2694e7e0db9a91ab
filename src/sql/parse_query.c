/* SPDX-License-Identifier: Apache-2.0 */
/* Queries: WITH, set operations, SELECT and its clauses, VALUES, the pipe syntax. */
#include "base/map.h"
#include "sql/parse.h"

/* ---- where a query begins ---- */

/* Can the token after SELECT, VALUES, … follow it? Otherwise the word is a name. */
static bool continues(const struct parser *p, uint32_t ahead) {
    const struct sql_token *t = tok_at(p, ahead);
    switch (t->kind) {
    case T_WORD:
    case T_QUOTED:
    case T_STRING:
    case T_DSTRING:
    case T_NUMBER:
    case T_HINT:
    case '(':
    case '*':
    case '-':
    case '+':
    case '~':
    case '!':
    case '?':
    case ':':
        return true;
    default:
        return false;
    }
}

static bool begins_query(const struct parser *p, uint32_t ahead) {
    switch (word_at(p, ahead)) {
    case W_SELECT:
    case W_VALUES:
        return continues(p, ahead + 1);
    case W_WITH:
        return at_identifier(p, ahead + 1, false);
    case W_FROM:
        return at_identifier(p, ahead + 1, true) || kind_at(p, ahead + 1) == '(';
    case W_TABLE:
        return at_identifier(p, ahead + 1, true);
    default:
        return false;
    }
}

/* What may follow a parenthesised query within a query. */
static bool continues_query(const struct sql_token *t) {
    if (t->kind == ')' || t->kind == T_PIPE || t->kind == T_END) return true;
    if (t->kind != T_WORD) return false;
    switch ((enum sql_word)t->word) {
    case W_UNION:
    case W_EXCEPT:
    case W_MINUS:
    case W_SETMINUS:
    case W_INTERSECT:
    case W_ORDER:
    case W_SORT:
    case W_CLUSTER:
    case W_DISTRIBUTE:
    case W_WINDOW:
    case W_LIMIT:
    case W_OFFSET:
        return true;
    default:
        return false;
    }
}

/* ((select 1) union select 2) is a query, ((select 1) + 1) is not: each parenthesis before the
 * innermost must be followed by what goes on with a query. */
bool at_query(const struct parser *p) {
    uint32_t open = 0;
    while (kind_at(p, open) == '(' && open < SQL_MAX_DEPTH) open++;
    if (!begins_query(p, open)) return false;
    for (uint32_t i = 0; i < open; i++) {
        uint32_t close = tok_at(p, i)->match;
        if (!close || !continues_query(&p->tok[close + 1])) return false;
    }
    return true;
}

/* ---- WITH ---- */

static struct ast *parse_cte(struct parser *p, bool recursive) {
    struct ast *n = node(p, AST_CTE);
    n->text = parse_ident(p)->text;
    if (at_kind(p, '(')) set(p, n, SLOT_NAMES, parse_ident_list(p));
    if (accept_words(p, W_MAX, W_RECURSION)) {
        expect_word(p, W_LEVEL);
        set(p, n, SLOT_MAXDEPTH, parse_number(p, false));
        if (!recursive)
            parse_error(
                p, done(p, n), "_LEGACY_ERROR_TEMP_0035", "message",
                "Cannot specify MAX RECURSION LEVEL when the CTE is not marked as RECURSIVE", NULL);
    }
    (void)accept_word(p, W_AS);
    expect(p, '(');
    set(p, n, SLOT_QUERY, parse_query(p));
    expect(p, ')');
    return done(p, n);
}

/* Errors over the whole statement when a name is given twice. */
void check_with(struct parser *p, const struct ast *owner) {
    const struct ast *list = ast_get(owner, SLOT_WITH);
    if (!list || list->n < 2 || failed(p)) return;
    map *seen = map_new();
    for (uint32_t i = 0; i < list->n; i++) {
        str name = lower_text(p, list->child[i]->text);
        if (!map_put(seen, name, list->child[i])) continue;
        parse_error(p, owner, "DUPLICATED_CTE_NAMES", "duplicateNames",
                    arena_printf(p->a, "`%.*s`", STR_ARG(name)), NULL);
        break;
    }
    map_free(seen);
}

struct ast *parse_with(struct parser *p, struct ast *owner) {
    struct ast *list = node(p, AST_LIST);
    expect_word(p, W_WITH);
    if (at_word(p, W_RECURSIVE) && at_identifier(p, 1, false) && word_at(p, 1) != W_AS) {
        advance(p);
        owner->flags |= AST_F_RECURSIVE;
    }
    do add(p, list, parse_cte(p, ast_has(owner, AST_F_RECURSIVE)));
    while (accept(p, ','));
    set(p, owner, SLOT_WITH, done(p, list));
    return list;
}

/* ---- SELECT ---- */

void parse_hints(struct parser *p, struct ast *select) {
    struct ast *list = NULL;
    while (accept(p, T_HINT)) {
        if (!list) list = node(p, AST_LIST);
        do {
            struct ast *hint = node(p, AST_CALL), *name = node(p, AST_NAME);
            add(p, name, parse_ident(p));
            set(p, hint, SLOT_NAME, done(p, name));
            if (accept(p, '(')) {
                if (!at_kind(p, ')')) {
                    do add(p, hint, parse_primary(p));
                    while (accept(p, ','));
                }
                expect(p, ')');
            }
            add(p, list, done(p, hint));
            (void)accept(p, ',');
        } while (at_identifier(p, 0, false));
        expect(p, T_HINT_END);
    }
    set(p, select, SLOT_HINTS, list);
}

/* TRANSFORM(a, b) [ROW FORMAT …] USING 'script' [AS (c, d)] [ROW FORMAT …]: kept for the analyser
 * to refuse by name. */
static void parse_transform(struct parser *p, struct ast *select) {
    struct ast *n = node(p, AST_CALL);
    struct ast *name = node(p, AST_NAME);
    add(p, name, parse_ident(p));
    set(p, n, SLOT_NAME, name);
    expect(p, '(');
    do add(p, n, parse_named_expr(p));
    while (accept(p, ','));
    expect(p, ')');
    while (!at_word(p, W_USING) && at_kind(p, T_WORD)) {
        advance(p);
        if (at_string(p, 0)) advance(p);
    }
    expect_word(p, W_USING);
    add(p, n, parse_string(p));
    if (accept_word(p, W_AS)) {
        bool parens = accept(p, '(');
        struct ast *cols = node(p, AST_LIST);
        do {
            struct ast *f = node(p, AST_FIELD_DEF);
            f->text = parse_ident(p)->text;
            if (at_identifier(p, 0, false) && parens) set(p, f, SLOT_TYPE, parse_type(p));
            add(p, cols, done(p, f));
        } while (accept(p, ','));
        if (parens) expect(p, ')');
        set(p, n, SLOT_COLUMNS, done(p, cols));
    }
    while (at_words(p, W_ROW, W_FORMAT) || (at_kind(p, T_WORD) && at_string(p, 1)) ||
           text_at(p, 0, "FIELDS") || text_at(p, 0, "LINES") || text_at(p, 0, "TERMINATED") ||
           text_at(p, 0, "DELIMITED") || text_at(p, 0, "DEFINED") || at_words(p, W_BY, W_OTHER) ||
           (at_word(p, W_NULL) && text_at(p, 1, "DEFINED")))
        p->at += at_string(p, 1) || at_words(p, W_ROW, W_FORMAT) ? 2 : 1;
    set(p, select, SLOT_TRANSFORM, done(p, n));
}

static struct ast *parse_items(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    do add(p, list, parse_named_expr(p));
    while (accept(p, ','));
    return done(p, list);
}

static struct ast *parse_grouping(struct parser *p);

/* (a, b), a, or within GROUPING SETS another ROLLUP, CUBE, GROUPING SETS. */
static struct ast *parse_grouping_set(struct parser *p, bool nested) {
    enum sql_word w = word_at(p, 0);
    if (nested && (w == W_GROUPING || w == W_ROLLUP || w == W_CUBE) &&
        (kind_at(p, 1) == '(' || word_at(p, 1) == W_SETS))
        return parse_grouping(p);
    if (at_kind(p, '(') && tok_at(p, 0)->match) {
        const struct sql_token *after = &p->tok[tok_at(p, 0)->match + 1];
        if (after->kind == ',' || after->kind == ')') return parse_paren_exprs(p);
    }
    struct ast *list = node(p, AST_LIST);
    add(p, list, parse_expr(p));
    return done(p, list);
}

static struct ast *parse_grouping(struct parser *p) {
    struct ast *n = node(p, AST_GROUPING);
    bool sets = accept_words(p, W_GROUPING, W_SETS);
    n->text = sets ? STR("sets") : lower_text(p, tok_text(p, tok_at(p, 0)));
    if (!sets) advance(p);
    if (!enter(p)) return n;
    expect(p, '(');
    do add(p, n, parse_grouping_set(p, sets));
    while (accept(p, ','));
    expect(p, ')');
    leave(p);
    return done(p, n);
}

/* GROUP BY a, b WITH ROLLUP: one GROUPING of the expressions; a, b GROUPING SETS (…): the sets say
 * it all. */
static void group_by_suffix(struct parser *p, struct ast *n) {
    if (at_words(p, W_WITH, W_ROLLUP) || at_words(p, W_WITH, W_CUBE)) {
        advance(p);
        struct ast *g = node(p, AST_GROUPING);
        g->text = at_word(p, W_ROLLUP) ? STR("rollup") : STR("cube");
        advance(p);
        for (uint32_t i = 0; i < n->n; i++) {
            struct ast *one = ast_new(p->a, AST_LIST, n->child[i]->pos, n->child[i]->end);
            add(p, one, n->child[i]);
            add(p, g, one);
        }
        n->n = 0;
        add(p, n, g);
    } else if (at_words(p, W_GROUPING, W_SETS)) {
        struct ast *keys = node(p, AST_LIST);
        for (uint32_t i = 0; i < n->n; i++) add(p, keys, n->child[i]);
        n->n = 0;
        struct ast *g = parse_grouping(p);
        set(p, g, SLOT_ITEMS, keys);
        add(p, n, g);
    }
}

/* ROLLUP and CUBE have no empty set; the error stands over the whole clause. */
static void check_grouping(struct parser *p, const struct ast *n, uint32_t from) {
    struct ast at = {.pos = from, .end = n->end};
    for (uint32_t i = 0; i < n->n; i++) {
        const struct ast *g = n->child[i];
        if (g->kind != AST_GROUPING || str_eqz(g->text, "sets")) continue;
        for (uint32_t k = 0; k < g->n; k++)
            if (g->child[k]->kind == AST_LIST && !g->child[k]->n)
                parse_error(p, &at, "_LEGACY_ERROR_TEMP_0051", "element",
                            str_eqz(g->text, "cube") ? "CUBE" : "ROLLUP", NULL);
    }
}

struct ast *parse_group_by(struct parser *p) {
    struct ast *n = node(p, AST_GROUP);
    uint32_t from = p->at >= 2 ? p->tok[p->at - 2].pos : 0;
    if (at_word(p, W_ALL) && kind_at(p, 1) != '.' && kind_at(p, 1) != '(' && kind_at(p, 1) != ',') {
        advance(p);
        n->flags |= AST_F_ALL;
        return done(p, n);
    }
    do {
        enum sql_word w = word_at(p, 0);
        bool grouping = (w == W_GROUPING && word_at(p, 1) == W_SETS) ||
                        ((w == W_ROLLUP || w == W_CUBE) && kind_at(p, 1) == '(');
        add(p, n, grouping ? parse_grouping(p) : parse_expr(p));
    } while (accept(p, ','));
    group_by_suffix(p, n);
    check_grouping(p, done(p, n), from);
    return n;
}

void parse_windows(struct parser *p, struct ast *owner) {
    if (!at_word(p, W_WINDOW) || (word_at(p, 2) != W_AS && word_at(p, 1) != W_IDENTIFIER)) return;
    advance(p);
    struct ast *list = ast_get(owner, SLOT_WINDOWS);
    if (!list) list = node(p, AST_LIST);
    do {
        struct ast *n = node(p, AST_NAMED_WINDOW);
        n->text = parse_ident(p)->text;
        expect_word(p, W_AS);
        set(p, n, SLOT_OVER, at_kind(p, '(') ? parse_window_spec(p) : parse_ident(p));
        done(p, n);
        for (uint32_t i = 0; i < list->n && !failed(p); i++)
            if (str_ieq(list->child[i]->text, n->text))
                parse_error(p, n, "INVALID_SQL_SYNTAX.REPETITIVE_WINDOW_DEFINITION", "windowName", arena_printf(p->a, "`%.*s`", STR_ARG(n->text)), NULL);
        add(p, list, n);
    } while (accept(p, ','));
    set(p, owner, SLOT_WINDOWS, done(p, list));
}

/* WHERE … QUALIFY: what may follow FROM in any SELECT. */
static void parse_select_clauses(struct parser *p, struct ast *n) {
    if (accept_word(p, W_WHERE)) set(p, n, SLOT_WHERE, parse_expr(p));
    if (accept_words(p, W_GROUP, W_BY)) set(p, n, SLOT_GROUP, parse_group_by(p));
    if (accept_word(p, W_HAVING)) set(p, n, SLOT_HAVING, parse_expr(p));
    parse_windows(p, n);
    if (accept_word(p, W_QUALIFY)) set(p, n, SLOT_QUALIFY, parse_expr(p));
    parse_windows(p, n);
}

static void parse_select_list(struct parser *p, struct ast *n) {
    expect_word(p, W_SELECT);
    parse_hints(p, n);
    unsigned next = kind_at(p, 1);
    bool name = next == ',' || next == T_END || next == ')' || next == ';' || next == '.';
    if (at_word(p, W_TRANSFORM) && next == '(') {
        uint32_t close = tok_at(p, 1)->match;
        enum sql_word after = close ? (enum sql_word)p->tok[close + 1].word : W_OTHER;
        if (after == W_USING || (after == W_ROW && p->tok[close + 2].word == W_FORMAT)) {
            parse_transform(p, n);
            return;
        }
    }
    if (at_word(p, W_DISTINCT) && !name) {
        advance(p);
        n->flags |= AST_F_DISTINCT;
    } else if (at_word(p, W_ALL) && !name)
        advance(p);
    set(p, n, SLOT_ITEMS, parse_items(p));
}

static struct ast *parse_select(struct parser *p) {
    struct ast *n = node(p, AST_SELECT);
    parse_select_list(p, n);
    if (at_word(p, W_FROM)) {
        advance(p);
        set(p, n, SLOT_FROM, parse_from_list(p));
        parse_lateral_views(p, n);
    }
    parse_select_clauses(p, n);
    return done(p, n);
}

/* FROM t SELECT a WHERE …; FROM t alone, which is all of t. */
static struct ast *parse_from_first(struct parser *p) {
    struct ast *n = node(p, AST_SELECT);
    expect_word(p, W_FROM);
    struct ast *from = parse_from_list(p);
    parse_lateral_views(p, n);
    if (at_word(p, W_SELECT)) {
        parse_select_list(p, n);
        set(p, n, SLOT_FROM, from);
        parse_lateral_views(p, n);
        parse_select_clauses(p, n);
    } else {
        struct ast *items = ast_new(p->a, AST_LIST, n->pos, n->pos);
        add(p, items, ast_new(p->a, AST_STAR, n->pos, n->pos));
        set(p, n, SLOT_ITEMS, items);
        set(p, n, SLOT_FROM, from);
    }
    return done(p, n);
}

/* Rows have as many values as the alias has names, and as the first row has. */
void check_values(struct parser *p, const struct ast *item, const struct ast *values) {
    const struct ast *names = ast_get(item, SLOT_NAMES);
    for (uint32_t i = 0; names && i < values->n && !failed(p); i++) {
        const struct ast *row = values->child[i];
        uint32_t width = row->kind == AST_ROW ? row->n : 1;
        if (width != names->n && row->kind != AST_CALL)
            parse_error(p, item, "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH", "expectedNumCols",
                        arena_printf(p->a, "%u", names->n), "actualNumCols",
                        arena_printf(p->a, "%u", width), "rowIndex", arena_printf(p->a, "%u", i),
                        NULL);
    }
}

struct ast *parse_values(struct parser *p) {
    struct ast *n = node(p, AST_VALUES);
    expect_word(p, W_VALUES);
    do add(p, n, parse_expr(p));
    while (accept(p, ','));
    return done(p, n);
}

/* ---- set operations and pipes ---- */

static struct ast *parse_query_primary(struct parser *p) {
    struct ast *n;
    switch (word_at(p, 0)) {
    case W_SELECT:
        return parse_select(p);
    case W_VALUES:
        n = parse_values(p);
        parse_table_alias(p, n);
        check_values(p, n, n);
        return n;
    case W_FROM:
        return parse_from_first(p);
    case W_TABLE:
        n = node(p, AST_TABLE);
        advance(p);
        set(p, n, SLOT_NAME, parse_name(p));
        return done(p, n);
    default:
        break;
    }
    if (!at_kind(p, '(')) {
        syntax_error(p);
        return node(p, AST_VALUES);
    }
    advance(p);
    n = parse_query(p);
    expect(p, ')');
    return n;
}

/* ALL, DISTINCT, BY NAME after the operator; the node has its left operand. */
static void parse_setop_flags(struct parser *p, struct ast *n) {
    if (accept_word(p, W_ALL))
        n->flags |= AST_F_ALL;
    else
        (void)accept_word(p, W_DISTINCT);
    if (at_word(p, W_BY) && word_at(p, 1) == W_NAME) {
        advance(p);
        advance(p);
        n->flags |= AST_F_BY_NAME;
    }
}

static struct ast *parse_intersect(struct parser *p) {
    uint32_t pos = tok_at(p, 0)->pos;
    uint32_t outer = chain_begin(p);
    struct ast *left = parse_query_primary(p);
    while (accept_word(p, W_INTERSECT)) {
        left = chain(p, AST_SETOP, left, pos);
        left->text = STR("intersect");
        parse_setop_flags(p, left);
        add(p, left, parse_query_primary(p));
        done(p, left);
    }
    chain_end(p, outer);
    return left;
}

static bool at_setop(const struct parser *p) {
    enum sql_word w = word_at(p, 0);
    return w == W_UNION || w == W_EXCEPT || w == W_MINUS || w == W_SETMINUS;
}

bool at_pipe(const struct parser *p) {
    if (at_kind(p, T_PIPE)) return true;
    if (!at_kind(p, '|')) return false;
    const struct sql_token *after = tok_at(p, 2);
    bool follows = after->kind == T_WORD || after->kind == T_QUOTED || after->kind == T_NUMBER ||
                   after->kind == '(' || after->kind == '*' || after->kind == T_STRING;
    switch (word_at(p, 1)) {
    case W_SELECT:
    case W_EXTEND:
    case W_SET:
    case W_DROP:
    case W_AS:
    case W_WHERE:
    case W_AGGREGATE:
    case W_LIMIT:
    case W_PIVOT:
    case W_UNPIVOT:
    case W_TABLESAMPLE:
    case W_JOIN:
    case W_UNION:
    case W_INTERSECT:
        return follows;
    case W_ORDER:
    case W_CLUSTER:
    case W_SORT:
    case W_DISTRIBUTE:
        return after->word == W_BY;
    default:
        return false;
    }
}

static void parse_pipe_ops(struct parser *p, struct ast *pipe) {
    while (at_pipe(p)) {
        advance(p);
        add(p, pipe, parse_pipe_op(p));
    }
}

static struct ast *parse_body(struct parser *p) {
    uint32_t pos = tok_at(p, 0)->pos;
    uint32_t outer = chain_begin(p);
    struct ast *left = parse_intersect(p);
    for (;;) {
        if (at_setop(p)) {
            left = chain(p, AST_SETOP, left, pos);
            left->text = at_word(p, W_UNION) ? STR("union") : STR("except");
            advance(p);
            parse_setop_flags(p, left);
            add(p, left, parse_intersect(p));
        } else if (at_pipe(p)) {
            left = chain(p, AST_PIPE, left, pos);
            parse_pipe_ops(p, left);
        } else
            break;
        done(p, left);
    }
    chain_end(p, outer);
    return left;
}

static void parse_organization(struct parser *p, struct ast *n) {
    struct ast *at = node(p, AST_LIST);
    if (accept_words(p, W_ORDER, W_BY)) set(p, n, SLOT_ORDER, parse_sort_list(p));
    if (accept_words(p, W_CLUSTER, W_BY)) set(p, n, SLOT_CLUSTERBY, parse_expr_list(p));
    if (accept_words(p, W_DISTRIBUTE, W_BY)) set(p, n, SLOT_DISTRIBUTEBY, parse_expr_list(p));
    if (accept_words(p, W_SORT, W_BY)) set(p, n, SLOT_SORTBY, parse_sort_list(p));
    parse_windows(p, n);
    if (accept_word(p, W_LIMIT)) {
        if (at_word(p, W_ALL) && kind_at(p, 1) != '(' && kind_at(p, 1) != '.')
            advance(p);
        else
            set(p, n, SLOT_LIMIT, parse_expr(p));
    }
    if (accept_word(p, W_OFFSET)) set(p, n, SLOT_OFFSET, parse_expr(p));
    bool sorts = ast_get(n, SLOT_ORDER) != NULL, cluster = ast_get(n, SLOT_CLUSTERBY) != NULL,
         spread = ast_get(n, SLOT_DISTRIBUTEBY) || ast_get(n, SLOT_SORTBY);
    if (!failed(p) && sorts + cluster + spread > 1) {
        parse_error(p, done(p, at), "UNSUPPORTED_FEATURE.COMBINATION_QUERY_RESULT_CLAUSES", NULL);
    }
}

struct ast *parse_query_rest(struct parser *p, struct ast *q) {
    set(p, q, SLOT_BODY, parse_body(p));
    parse_organization(p, q);
    /* x ORDER BY y |> …: the ordered query is what the pipe reads. */
    while (at_pipe(p)) {
        done(p, q);
        struct ast *outer = ast_new(p->a, AST_QUERY, q->pos, q->end),
                   *pipe = chain(p, AST_PIPE, q, q->pos);
        parse_pipe_ops(p, pipe);
        set(p, outer, SLOT_BODY, done(p, pipe));
        q = outer;
        parse_organization(p, q);
    }
    return done(p, q);
}

struct ast *parse_query(struct parser *p) {
    struct ast *q = node(p, AST_QUERY);
    if (!enter(p)) {
        set(p, q, SLOT_BODY, node(p, AST_VALUES));
        return q;
    }
    if (at_word(p, W_WITH)) parse_with(p, q);
    struct ast *rest = parse_query_rest(p, q);
    check_with(p, q);
    leave(p);
    return rest;
}

/* ---- pipe operators ---- */

static void pipe_set(struct parser *p, struct ast *n) {
    do {
        struct ast *a = node(p, AST_ASSIGN), *name = node(p, AST_NAME);
        add(p, name, parse_ident(p));
        while (accept(p, '.')) add(p, name, parse_ident(p));
        add(p, a, done(p, name));
        expect(p, '=');
        add(p, a, parse_expr(p));
        add(p, n, done(p, a));
    } while (accept(p, ','));
}

static struct ast *pipe_setop(struct parser *p, struct ast *n) {
    n->text = at_word(p, W_UNION)       ? STR("union")
              : at_word(p, W_INTERSECT) ? STR("intersect")
                                        : STR("except");
    advance(p);
    parse_setop_flags(p, n);
    set(p, n, SLOT_QUERY, parse_query_primary(p));
    return done(p, n);
}

/* |> AGGREGATE takes plain expressions to group by. */
static void check_pipe_group(struct parser *p, const struct ast *group) {
    const char *what = NULL;
    if (group->n == 1 && group->child[0]->kind == AST_GROUPING) what = "GROUPING SETS";
    for (uint32_t i = 0; i < group->n; i++) {
        const struct ast *g = group->child[i];
        if (g->kind != AST_CALL) continue;
        const struct ast *name = ast_get(g, SLOT_NAME);
        if (!ast_is(name, AST_NAME) || name->n != 1) continue;
        if (str_ieq(name->child[0]->text, STR("rollup"))) what = "ROLLUP";
        if (str_ieq(name->child[0]->text, STR("cube"))) what = "CUBE";
    }
    if (what)
        parse_error(p, group, "UNSUPPORTED_FEATURE.PIPE_OPERATOR_AGGREGATE_UNSUPPORTED_CASE",
                    "case", what, NULL);
}

static struct ast *pipe_organization(struct parser *p, struct ast *n) {
    uint32_t before = p->at;
    n->text = at_word(p, W_LIMIT) || at_word(p, W_OFFSET) ? STR("limit") : STR("order");
    parse_organization(p, n);
    if (p->at == before) syntax_error(p);
    done(p, n);
    if (ast_get(n, SLOT_ORDER) && ast_get(n, SLOT_LIMIT))
        parse_error(p, n, "MULTIPLE_QUERY_RESULT_CLAUSES_WITH_PIPE_OPERATORS", "clause1",
                    "ORDER BY", "clause2", "LIMIT", NULL);
    return n;
}

struct ast *parse_pipe_op(struct parser *p) {
    struct ast *n = node(p, AST_PIPE_OP);
    enum sql_word w = word_at(p, 0);
    n->text = lower_text(p, tok_text(p, tok_at(p, 0)));
    if (w == W_UNION || w == W_EXCEPT || w == W_MINUS || w == W_SETMINUS || w == W_INTERSECT)
        return pipe_setop(p, n);
    if (at_join(p)) {
        n->text = STR("join");
        set(p, n, SLOT_FROM, parse_join(p, ast_new(p->a, AST_FROM_GROUP, n->pos, n->pos)));
        return done(p, n);
    }
    switch (w) {
    case W_SELECT:
        parse_select_list(p, n);
        if (accept_words(p, W_GROUP, W_BY)) set(p, n, SLOT_GROUP, parse_group_by(p));
        parse_windows(p, n);
        break;
    case W_EXTEND:
        advance(p);
        set(p, n, SLOT_ITEMS, parse_items(p));
        parse_windows(p, n);
        break;
    case W_SET:
        advance(p);
        pipe_set(p, n);
        break;
    case W_DROP:
        advance(p);
        do add(p, n, kind_at(p, 1) == '.' ? parse_name(p) : parse_ident(p));
        while (accept(p, ','));
        break;
    case W_AS:
        advance(p);
        set(p, n, SLOT_ALIAS, parse_strict_ident(p));
        break;
    case W_WHERE:
        advance(p);
        set(p, n, SLOT_WHERE, parse_expr(p));
        break;
    case W_AGGREGATE:
        advance(p);
        if (!at_word(p, W_GROUP) || word_at(p, 1) != W_BY) set(p, n, SLOT_ITEMS, parse_items(p));
        if (accept_words(p, W_GROUP, W_BY)) {
            struct ast *group = node(p, AST_GROUP);
            do add(p, group, parse_named_expr(p));
            while (accept(p, ','));
            group_by_suffix(p, group);
            check_pipe_group(p, done(p, group));
            set(p, n, SLOT_GROUP, group);
        }
        break;
    case W_PIVOT:
        set(p, n, SLOT_FROM, parse_pivot(p, ast_new(p->a, AST_FROM_GROUP, n->pos, n->pos)));
        break;
    case W_UNPIVOT:
        set(p, n, SLOT_FROM, parse_unpivot(p, ast_new(p->a, AST_FROM_GROUP, n->pos, n->pos)));
        break;
    case W_TABLESAMPLE:
        set(p, n, SLOT_SAMPLE, parse_sample(p));
        break;
    case W_LATERAL:
        parse_lateral_views(p, n);
        n->text = STR("lateral");
        break;
    default:
        return pipe_organization(p, n);
    }
    return done(p, n);
}
