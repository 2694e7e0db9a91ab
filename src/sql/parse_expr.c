/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expressions. From loosest to tightest, as in Spark:
 *   OR   AND   NOT   [NOT] BETWEEN IN LIKE …, IS   = <> < <= > >= <=>   |   ^   &   << >> >>>   + -
 * ||   * / % DIV   - + ~ [ ] . :: : COLLATE One predicate (BETWEEN, IN, LIKE, IS) may follow a
 * value; comparisons chain to the left.
 */
#include "sql/parse.h"

/* ---- OR, AND, NOT ---- */

static struct ast *parse_not(struct parser *p);

/* Operands low … high as a balanced tree, the way Spark does it: captions show it. */
static struct ast *balance(struct parser *p, const struct ast *list, uint32_t low, uint32_t high,
                           str op) {
    if (low == high) return list->child[low];
    uint32_t mid = high - low == 1 ? low : low + (high - low) / 2;
    struct ast *n = ast_new(p->a, AST_BINARY, list->pos, list->end);
    n->text = op;
    add(p, n, balance(p, list, low, mid, op));
    add(p, n, balance(p, list, mid + 1, high, op));
    return n;
}

static struct ast *parse_and(struct parser *p) {
    struct ast *list = NULL, *first = parse_not(p);
    if (!at_word(p, W_AND)) return first;
    list = wrap(p, AST_LIST, first);
    while (accept_word(p, W_AND)) add(p, list, parse_not(p));
    done(p, list);
    return balance(p, list, 0, list->n - 1, STR("and"));
}

struct ast *parse_expr(struct parser *p) {
    if (!enter(p)) return node(p, AST_LIT_NULL);
    struct ast *list = NULL, *n = parse_and(p);
    if (at_word(p, W_OR)) {
        list = wrap(p, AST_LIST, n);
        while (accept_word(p, W_OR)) add(p, list, parse_and(p));
        done(p, list);
        n = balance(p, list, 0, list->n - 1, STR("or"));
    }
    leave(p);
    return n;
}

static struct ast *parse_predicated(struct parser *p);

/* Does what follows the word NOT begin an operand? Otherwise `not` is a name. */
static bool at_not(const struct parser *p) {
    if (at_kind(p, '!')) return true;
    if (!at_word(p, W_NOT)) return false;
    unsigned k = kind_at(p, 1);
    return k >= T_WORD ? k <= T_NUMBER : k && strchr("(-+~?:!*", (int)k) != NULL;
}

static struct ast *parse_not(struct parser *p) {
    if (!at_not(p)) return parse_predicated(p);
    struct ast *n = node(p, AST_UNARY);
    n->text = STR("not");
    advance(p);
    if (enter(p)) {
        add(p, n, parse_not(p));
        leave(p);
    }
    if (!n->n) add(p, n, node(p, AST_LIT_NULL));
    return done(p, n);
}

/* ---- predicates ---- */

/* Errors over [NOT] IN (), from the predicate's first word. */
static void empty_predicate(struct parser *p, uint32_t pos, const char *cls, const char *msg) {
    struct ast at = {.pos = pos, .end = tok_at(p, 0)->end};
    parse_error(p, &at, cls, msg ? "msg" : NULL, msg, NULL);
}

static struct ast *parse_in(struct parser *p, struct ast *n, uint32_t pos) {
    expect(p, '(');
    if (at_query(p))
        set(p, n, SLOT_QUERY, parse_query(p));
    else {
        if (at_kind(p, ')')) empty_predicate(p, pos, "INVALID_SQL_SYNTAX.EMPTY_IN_PREDICATE", NULL);
        do add(p, n, parse_expr(p));
        while (accept(p, ','));
    }
    expect(p, ')');
    return n;
}

static struct ast *parse_like(struct parser *p, struct ast *n, uint32_t pos) {
    n->text = lower_text(p, tok_text(p, tok_at(p, 0)));
    bool regular = at_word(p, W_RLIKE) || at_word(p, W_REGEXP);
    if (regular) n->text = STR("rlike");
    advance(p);
    enum sql_word w = word_at(p, 0);
    if (!regular && (w == W_ANY || w == W_SOME || w == W_ALL) && kind_at(p, 1) == '(') {
        n->op = w == W_ALL ? 'A' : 'a';
        advance(p);
        advance(p);
        if (at_kind(p, ')'))
            empty_predicate(p, pos, "_LEGACY_ERROR_TEMP_0064",
                            "The list between '(' and ')' is empty");
        do add(p, n, parse_expr(p));
        while (accept(p, ','));
        expect(p, ')');
        return n;
    }
    add(p, n, parse_value(p));
    if (!regular && at_word(p, W_ESCAPE)) {
        advance(p);
        struct ast *escape = parse_string(p);
        if (escape->text.n != 1 && !failed(p)) {
            parse_error(p, n, "INVALID_ESCAPE_CHAR", "sqlExpr",
                        arena_printf(p->a, "\"%.*s\"", STR_ARG(str_cut(escape->text, 200))), NULL);
        }
        set(p, n, SLOT_ESCAPE, escape);
    }
    return n;
}

static struct ast *parse_is(struct parser *p, struct ast *n) {
    advance(p);
    if (accept_word(p, W_NOT)) n->flags |= AST_F_NOT;
    (void)discontinued_bang(p);
    switch (word_at(p, 0)) {
    case W_NULL:
    case W_TRUE:
    case W_FALSE:
    case W_UNKNOWN:
        n->text = lower_text(p, tok_text(p, tok_at(p, 0)));
        advance(p);
        return n;
    case W_DISTINCT:
        advance(p);
        expect_word(p, W_FROM);
        n->text = STR("distinct");
        add(p, n, parse_value(p));
        return n;
    default:
        syntax_error(p);
        return n;
    }
}

static struct ast *parse_between(struct parser *p, struct ast *n) {
    advance(p);
    if (accept_word(p, W_SYMMETRIC))
        n->flags |= AST_F_SYMMETRIC;
    else
        (void)accept_word(p, W_ASYMMETRIC);
    add(p, n, parse_value(p));
    expect_word(p, W_AND);
    add(p, n, parse_value(p));
    return n;
}

static struct ast *parse_predicated(struct parser *p) {
    uint32_t pos = tok_at(p, 0)->pos;
    if (at_word(p, W_EXISTS) && kind_at(p, 1) == '(') {
        struct parse_mark m = try_begin(p);
        advance(p);
        advance(p);
        if (at_query(p)) {
            struct ast *n = ast_new(p->a, AST_EXISTS, pos, pos);
            set(p, n, SLOT_QUERY, parse_query(p));
            expect(p, ')');
            return done(p, n);
        }
        p->at = m.at;
    }
    struct ast *x = parse_value(p);
    bool not = at_word(p, W_NOT);
    struct ast *n = NULL;
    bool bang = at_kind(p, '!');
    switch (word_at(p, not || bang)) {
    case W_BETWEEN:
    case W_IN:
    case W_LIKE:
    case W_ILIKE:
    case W_RLIKE:
    case W_REGEXP:
        break;
    case W_IS:
        if (not || bang) return x;
        n = wrap(p, AST_IS, x);
        n->pos = pos;
        return done(p, parse_is(p, n));
    default:
        return x;
    }
    uint32_t from = tok_at(p, 0)->pos;
    if (bang) (void)discontinued_bang(p);
    if (not ) advance(p);
    enum sql_word w = word_at(p, 0);
    n = wrap(p, w == W_BETWEEN ? AST_BETWEEN : w == W_IN ? AST_IN : AST_LIKE, x);
    n->pos = pos;
    if (not ) n->flags = AST_F_NOT;
    if (w == W_BETWEEN)
        parse_between(p, n);
    else if (w == W_IN) {
        advance(p);
        parse_in(p, n, from);
    } else
        parse_like(p, n, from);
    return done(p, n);
}

/* ---- operators ---- */

/* How many > stand side by side here, three at most. */
static uint32_t closing_angles(const struct parser *p) {
    uint32_t n = 1;
    while (n < 3 && kind_at(p, n) == '>' && tok_at(p, n)->pos == tok_at(p, n - 1)->end) n++;
    return n;
}

/* Binding strength of the binary operator at the current token, 0 if none stands there; its text
 * and how many tokens it is. */
static unsigned operator_at(const struct parser *p, str *ret_text, uint32_t *ret_n) {
    *ret_n = 1;
#define IS(level, text)                                                                            \
    *ret_text = STR(text);                                                                         \
    return level
    switch (kind_at(p, 0)) {
    case '=':
        IS(1, "=");
    case T_NEQ:
        IS(1, "<>");
    case '<':
        IS(1, "<");
    case T_LE:
        IS(1, "<=");
    case '>':
        *ret_n = closing_angles(p);
        if (*ret_n == 3) {
            IS(5, ">>>");
        }
        if (*ret_n == 2) {
            IS(5, ">>");
        }
        IS(1, ">");
    case T_GE:
        IS(1, ">=");
    case T_NSEQ:
        IS(1, "<=>");
    case '|':
        if (at_pipe(p)) return 0;
        IS(2, "|");
    case '^':
        IS(3, "^");
    case '&':
        IS(4, "&");
    case T_SHL:
        IS(5, "<<");
    case '+':
        IS(6, "+");
    case '-':
        IS(6, "-");
    case T_CONCAT:
        IS(6, "||");
    case '*':
        IS(7, "*");
    case '/':
        IS(7, "/");
    case '%':
        IS(7, "%");
    case T_WORD:
        if (at_word(p, W_DIV)) {
            IS(7, "div");
        }
        return 0;
    default:
        return 0;
    }
#undef IS
}

static struct ast *parse_unary(struct parser *p);

static struct ast *parse_operators(struct parser *p, unsigned least) {
    uint32_t pos = tok_at(p, 0)->pos;
    uint32_t outer = chain_begin(p);
    struct ast *left = parse_unary(p);
    str text;
    uint32_t n;
    for (unsigned level; (level = operator_at(p, &text, &n)) >= least && level;) {
        left = chain(p, AST_BINARY, left, pos);
        left->text = text;
        while (n--) advance(p);
        add(p, left, parse_operators(p, level + 1));
        done(p, left);
    }
    chain_end(p, outer);
    return left;
}

struct ast *parse_value(struct parser *p) {
    return parse_operators(p, 1);
}

static struct ast *parse_postfix(struct parser *p);

static struct ast *parse_unary(struct parser *p) {
    unsigned k = kind_at(p, 0);
    if (k != '-' && k != '+' && k != '~') return parse_postfix(p);
    if (k == '-' && kind_at(p, 1) == T_NUMBER) return parse_postfix(p);
    struct ast *n = node(p, AST_UNARY);
    n->text = k == '-' ? STR("-") : k == '+' ? STR("+") : STR("~");
    advance(p);
    if (enter(p)) {
        add(p, n, parse_unary(p));
        leave(p);
    }
    if (!n->n) add(p, n, node(p, AST_LIT_NULL));
    return done(p, n);
}

/* v:a.b[0]['c']: the text of the path as written. */
static struct ast *parse_path(struct parser *p, struct ast *n) {
    advance(p);
    uint32_t from = tok_at(p, 0)->pos;
    bool first = true;
    for (;; first = false) {
        if (at_kind(p, '[')) {
            advance(p);
            if (!at_kind(p, T_NUMBER) && !at_string(p, 0) && !at_kind(p, '*') &&
                !at_identifier(p, 0, false))
                syntax_error(p);
            advance(p);
            expect(p, ']');
        } else if (first ? at_identifier(p, 0, false)
                         : at_kind(p, '.') && at_identifier(p, 1, false)) {
            if (!first) advance(p);
            advance(p);
        } else
            break;
    }
    done(p, n);
    n->text = n->end > from ? str_n(p->text.p + from, n->end - from) : STR("");
    return n;
}

static struct ast *parse_field(struct parser *p, struct ast *n) {
    advance(p);
    if (accept(p, '*')) {
        n->kind = AST_STAR;
        set(p, n, SLOT_QUALIFIER, n->child[0]);
        n->n = 0;
        return n;
    }
    n->text = parse_ident(p)->text;
    return n;
}

static struct ast *parse_collate(struct parser *p, struct ast *n) {
    advance(p);
    n->text = parse_ident(p)->text;
    while (at_kind(p, '.') && at_identifier(p, 1, false)) {
        advance(p);
        n->text = parse_ident(p)->text;
    }
    return n;
}

static struct ast *parse_postfix(struct parser *p) {
    uint32_t pos = tok_at(p, 0)->pos;
    uint32_t outer = chain_begin(p);
    struct ast *n = parse_primary(p);
    for (;;) {
        unsigned k = kind_at(p, 0);
        if (k == '[') {
            n = chain(p, AST_SUBSCRIPT, n, pos);
            advance(p);
            add(p, n, parse_expr(p));
            expect(p, ']');
        } else if (k == '.') {
            n = parse_field(p, chain(p, AST_FIELD, n, pos));
        } else if (k == T_CAST || k == T_TRYCAST) {
            n = chain(p, AST_CAST, n, pos);
            n->op = k == T_CAST ? ':' : '?';
            if (k == T_TRYCAST) n->flags = AST_F_TRY;
            advance(p);
            set(p, n, SLOT_TYPE, parse_type(p));
        } else if (k == ':' && (at_identifier(p, 1, false) || kind_at(p, 1) == '[')) {
            n = parse_path(p, chain(p, AST_PATH, n, pos));
        } else if (k == T_WORD && at_word(p, W_COLLATE) && at_identifier(p, 1, false)) {
            n = parse_collate(p, chain(p, AST_COLLATE, n, pos));
        } else
            break;
        done(p, n);
    }
    chain_end(p, outer);
    return n;
}

/* ---- primaries ---- */

static struct ast *parse_star(struct parser *p, struct ast *n) {
    expect(p, '*');
    bool except = (at_word(p, W_EXCEPT) || text_at(p, 0, "EXCLUDE")) && kind_at(p, 1) == '(';
    if (except) {
        struct parse_mark m = try_begin(p);
        advance(p);
        advance(p);
        bool query = at_query(p);
        p->at = m.at;
        if (!query) {
            advance(p);
            struct ast *list = node(p, AST_LIST);
            expect(p, '(');
            do add(p, list, parse_name(p));
            while (accept(p, ','));
            expect(p, ')');
            set(p, n, SLOT_EXCEPT, done(p, list));
        }
    }
    if (at_word(p, W_REPLACE) && kind_at(p, 1) == '(') {
        advance(p);
        advance(p);
        struct ast *list = node(p, AST_LIST);
        do add(p, list, parse_named_expr(p));
        while (accept(p, ','));
        expect(p, ')');
        set(p, n, SLOT_REPLACE, done(p, list));
    }
    return done(p, n);
}

bool at_lambda(const struct parser *p) {
    if (at_identifier(p, 0, false)) return kind_at(p, 1) == T_ARROW;
    if (!at_kind(p, '(')) return false;
    uint32_t close = tok_at(p, 0)->match;
    return close && p->tok[close + 1].kind == T_ARROW;
}

struct ast *parse_lambda(struct parser *p) {
    struct ast *n = node(p, AST_LAMBDA);
    if (accept(p, '(')) {
        do add(p, n, parse_ident(p));
        while (accept(p, ','));
        expect(p, ')');
    } else
        add(p, n, parse_ident(p));
    expect(p, T_ARROW);
    set(p, n, SLOT_EXPR, parse_expr(p));
    return done(p, n);
}

static struct ast *parse_paren(struct parser *p) {
    if (at_lambda(p)) return parse_lambda(p);
    struct ast *n = node(p, AST_ROW);
    advance(p);
    if (at_query(p)) {
        n->kind = AST_SUBQUERY;
        set(p, n, SLOT_QUERY, parse_query(p));
        expect(p, ')');
        return done(p, n);
    }
    struct ast *first = parse_named_expr(p);
    if (!at_kind(p, ',')) {
        if (first->kind == AST_ALIAS && !failed(p)) {
            p->at--;
            syntax_error(p);
        }
        expect(p, ')');
        return first;
    }
    add(p, n, first);
    while (accept(p, ',')) add(p, n, parse_named_expr(p));
    expect(p, ')');
    return done(p, n);
}

/* A name of one or more parts: a column, a star, a call. */
static struct ast *parse_named(struct parser *p) {
    uint32_t pos = tok_at(p, 0)->pos;
    struct ast *name;
    if (at_word(p, W_IDENTIFIER) && kind_at(p, 1) == '(')
        name = parse_name(p);
    else {
        name = node(p, AST_NAME);
        add(p, name, parse_ident(p));
        while (at_kind(p, '.') && at_identifier(p, 1, false)) {
            advance(p);
            add(p, name, parse_ident(p));
        }
        done(p, name);
    }
    if (at_kind(p, '(') && !(p->before_query && (word_at(p, 1) == W_SELECT || word_at(p, 1) == W_WITH || word_at(p, 1) == W_VALUES))) return parse_call(p, name);
    struct ast *n = ast_new(p->a, AST_COLUMN, pos, pos);
    if (at_kind(p, '.') && kind_at(p, 1) == '*') {
        n->kind = AST_STAR;
        set(p, n, SLOT_QUALIFIER, name);
        advance(p);
        return parse_star(p, n);
    }
    add(p, n, name);
    return done(p, n);
}

static struct ast *parse_typed_literal(struct parser *p) {
    struct ast *n = node(p, AST_LIT_TYPED);
    struct ast *word = parse_ident(p);
    struct ast *value = parse_string(p);
    static const struct {
        const char *word;
        char op;
    } words[] = {{"DATE", 'd'},
                 {"TIMESTAMP", 't'},
                 {"TIMESTAMP_NTZ", 'n'},
                 {"TIMESTAMP_LTZ", 'l'},
                 {"TIME", 'T'}};
    n->text = value->text;
    n->op = 'x';
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (str_ieq(word->text, str_of(words[i].word))) n->op = (uint16_t)words[i].op;
    done(p, n);
    if (n->op != 'x' || failed(p)) return n;
    if (!str_ieq(word->text, STR("X"))) {
        char *upper = arena_strndup(p->a, word->text.p, word->text.n);
        for (char *c = upper; *c; c++)
            if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
        parse_error(p, n, "UNSUPPORTED_TYPED_LITERAL", "unsupportedType",
                    arena_printf(p->a, "\"%s\"", upper), "supportedTypes",
                    "\"DATE\", \"TIMESTAMP_NTZ\", \"TIMESTAMP_LTZ\", \"TIMESTAMP\", \"INTERVAL\", "
                    "\"X\", \"TIME\"",
                    NULL);
        return n;
    }
    n->kind = AST_LIT_BINARY;
    n->op = 0;
    str hex = value->text;
    char *bytes = arena_alloc(p->a, hex.n / 2 + 1);
    for (size_t i = 0; i < hex.n; i++) {
        char c = hex.p[i];
        int d = c >= '0' && c <= '9'                 ? c - '0'
                : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                     : -1;
        if (d < 0) {
            parse_error(p, n, "INVALID_TYPED_LITERAL", "valueType", "\"X\"", "value",
                        arena_printf(p->a, "'%.*s'", STR_ARG(str_cut(hex, 200))), NULL);
            return n;
        }
        /* An odd number of digits has a zero before it. */
        size_t at = (i + hex.n % 2) / 2;
        bytes[at] = (char)((bytes[at] << 4 | d) & 255);
    }
    n->text = str_n(bytes, (hex.n + 1) / 2);
    return n;
}

static struct ast *parse_parameter(struct parser *p) {
    struct ast *n = node(p, AST_PARAM);
    n->text = STR("");
    if (accept(p, '?'))
        n->op = (uint16_t)p->n_markers++;
    else {
        expect(p, ':');
        n->text = parse_ident(p)->text;
    }
    return done(p, n);
}

static struct ast *single_name(struct parser *p) {
    struct ast *name = node(p, AST_NAME);
    add(p, name, parse_ident(p));
    return done(p, name);
}

static struct ast *parse_word(struct parser *p) {
    enum sql_word w = word_at(p, 0);
    unsigned next = kind_at(p, 1);
    if (next == T_ARROW) return parse_lambda(p);
    bool alone = next != '(' && next != '.';
    struct ast *n = NULL;
    switch (w) {
    case W_NULL:
    case W_TRUE:
    case W_FALSE:
        if (!alone && next != '.') break;
        n = node(p, w == W_NULL ? AST_LIT_NULL : AST_LIT_BOOL);
        if (w == W_TRUE) n->flags = AST_F_TRUE;
        advance(p);
        return n;
    case W_CASE:
        return parse_case(p);
    case W_DEFAULT:
        if (!p->in_dml || !alone) break;
        n = node(p, AST_DEFAULT);
        advance(p);
        return n;
    case W_INTERVAL:
        n = parse_interval(p);
        break;
    case W_CURRENT_DATE:
    case W_CURRENT_TIMESTAMP:
    case W_CURRENT_TIME:
    case W_CURRENT_USER:
    case W_USER:
    case W_SESSION_USER:
        if (!alone) break;
        n = node(p, AST_CALL);
        n->flags = AST_F_SPECIAL;
        set(p, n, SLOT_NAME, single_name(p));
        return done(p, n);
    default:
        if (next == '(') n = parse_special_call(p);
    }
    if (n) return n;
    if (next == T_STRING || next == T_DSTRING) return parse_typed_literal(p);
    return parse_named(p);
}

struct ast *parse_primary(struct parser *p) {
    struct ast *n;
    switch (kind_at(p, 0)) {
    case T_NUMBER:
        return parse_number(p, false);
    case '-':
        advance(p);
        return parse_number(p, true);
    case T_STRING:
    case T_DSTRING:
        return parse_string(p);
    case T_WORD:
        return parse_word(p);
    case T_QUOTED:
        return kind_at(p, 1) == T_ARROW ? parse_lambda(p) : parse_named(p);
    case '(':
        return parse_paren(p);
    case '*':
        n = node(p, AST_STAR);
        return parse_star(p, n);
    case '?':
    case ':':
        return parse_parameter(p);
    default:
        syntax_error(p);
        return node(p, AST_LIT_NULL);
    }
}

/* ---- lists ---- */

struct ast *parse_named_expr(struct parser *p) {
    uint32_t pos = tok_at(p, 0)->pos;
    struct ast *e = parse_expr(p);
    bool as = accept_word(p, W_AS);
    if (as && at_kind(p, '(')) {
        struct ast *n = wrap(p, AST_ALIAS, e);
        set(p, n, SLOT_NAMES, parse_ident_list(p));
        n->pos = pos;
        return done(p, n);
    }
    if (!as && !at_bare_alias(p, false)) return e;
    struct ast *n = wrap(p, AST_ALIAS, e);
    n->pos = pos;
    n->text = as ? parse_strict_ident(p)->text : parse_ident(p)->text;
    return done(p, n);
}

/* A comma that goes on with this list, not with the arguments of the call around it (… ORDER BY a,
 * x => 1). */
static bool accept_more(struct parser *p) {
    if (!at_kind(p, ',') || (at_identifier(p, 1, false) && kind_at(p, 2) == T_FAT)) return false;
    advance(p);
    return true;
}

struct ast *parse_expr_list(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    do add(p, list, parse_expr(p));
    while (accept_more(p));
    return done(p, list);
}

struct ast *parse_paren_exprs(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    if (!at_kind(p, ')')) {
        do add(p, list, parse_expr(p));
        while (accept(p, ','));
    }
    expect(p, ')');
    return done(p, list);
}

struct ast *parse_sort_list(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    do {
        struct ast *e = parse_expr(p), *s = wrap(p, AST_SORT, e);
        if (accept_word(p, W_DESC))
            s->flags |= AST_F_DESC;
        else
            (void)accept_word(p, W_ASC);
        if (accept_words(p, W_NULLS, W_FIRST))
            s->op = 'f';
        else if (accept_words(p, W_NULLS, W_LAST))
            s->op = 'l';
        add(p, list, done(p, s));
    } while (accept_more(p));
    return done(p, list);
}
