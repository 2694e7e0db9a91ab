/* SPDX-License-Identifier: Apache-2.0 */
/* Calls with their clauses and special forms, windows, CASE, numbers, intervals. */
#include <stdlib.h>

#include "sql/parse.h"

/* ---- arguments and clauses ---- */

static struct ast *parse_argument(struct parser *p, bool aliases) {
    if (at_lambda(p)) return parse_lambda(p);
    if (at_identifier(p, 0, false) && kind_at(p, 1) == T_FAT) {
        struct ast *n = node(p, AST_NAMED_ARG);
        n->text = parse_ident(p)->text;
        advance(p);
        add(p, n, parse_argument(p, false));
        return done(p, n);
    }
    if (at_word(p, W_TABLE) && (kind_at(p, 1) == '(' || at_identifier(p, 1, true)))
        return parse_table_arg(p);
    return aliases ? parse_named_expr(p) : parse_expr(p);
}

static void parse_over(struct parser *p, struct ast *n) {
    advance(p);
    set(p, n, SLOT_OVER, at_kind(p, '(') ? parse_window_spec(p) : parse_ident(p));
}

static void parse_nulls_treatment(struct parser *p, struct ast *n) {
    if (accept_words(p, W_IGNORE, W_NULLS))
        n->op = 'i';
    else if (accept_words(p, W_RESPECT, W_NULLS))
        n->op = 'r';
}

/* What may follow the closing parenthesis. */
static struct ast *parse_call_clauses(struct parser *p, struct ast *n) {
    if (at_words(p, W_WITHIN, W_GROUP)) {
        advance(p);
        advance(p);
        expect(p, '(');
        expect_word(p, W_ORDER);
        expect_word(p, W_BY);
        set(p, n, SLOT_WITHIN, parse_sort_list(p));
        expect(p, ')');
    }
    if (at_word(p, W_FILTER) && kind_at(p, 1) == '(') {
        advance(p);
        advance(p);
        expect_word(p, W_WHERE);
        set(p, n, SLOT_FILTER, parse_expr(p));
        expect(p, ')');
    }
    parse_nulls_treatment(p, n);
    if (at_word(p, W_OVER) && (kind_at(p, 1) == '(' || at_identifier(p, 1, false)))
        parse_over(p, n);
    return done(p, n);
}

static const char *const unit_words[] = {"YEAR",   "QUARTER",     "MONTH",      "WEEK",
                                         "DAY",    "DAYOFYEAR",   "HOUR",       "MINUTE",
                                         "SECOND", "MILLISECOND", "MICROSECOND"};

/* dateadd(unit, n, t) and its relatives: three arguments, the first a bare unit, becomes its text.
 */
static void unit_argument(struct parser *p, struct ast *n, str function) {
    if (n->n != 3 || failed(p)) return;
    struct ast *unit = n->child[0];
    if (unit->kind == AST_LIT_STRING) {
        parse_error(p, n, "INVALID_PARAMETER_VALUE.DATETIME_UNIT", "functionName",
                    arena_printf(p->a, "`%.*s`", STR_ARG(function)), "parameter", "`unit`",
                    "invalidValue", arena_printf(p->a, "'%.*s'", STR_ARG(str_cut(unit->text, 200))),
                    NULL);
        return;
    }
    if (unit->kind != AST_COLUMN || unit->child[0]->kind != AST_NAME || unit->child[0]->n != 1)
        return;
    str name = unit->child[0]->child[0]->text;
    for (size_t i = 0; i < ARRAY_LEN(unit_words); i++)
        if (str_ieq(name, str_of(unit_words[i]))) {
            struct ast *text = ast_new(p->a, AST_LIT_STRING, unit->pos, unit->end);
            text->text = name;
            n->child[0] = text;
            n->flags |= AST_F_SPECIAL;
        }
}

static bool takes_unit(str f) {
    static const char *const names[] = {"timestampadd", "dateadd",   "date_add", "timestampdiff",
                                        "datediff",     "date_diff", "timediff"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(f, str_of(names[i]))) return true;
    return false;
}

/* What follows the first argument, which is there already, or the opening parenthesis. */
static struct ast *parse_call_rest(struct parser *p, struct ast *n, str function) {
    bool aliases = str_ieq(function, STR("struct"));
    while (accept(p, ',')) add(p, n, parse_argument(p, aliases));
    parse_nulls_treatment(p, n);
    if (n->n && accept_words(p, W_ORDER, W_BY)) set(p, n, SLOT_ORDER, parse_sort_list(p));
    expect(p, ')');
    done(p, n);
    if (takes_unit(function)) unit_argument(p, n, function);
    return n;
}

struct ast *parse_table_call(struct parser *p, struct ast *name) {
    struct ast *n = ast_new(p->a, AST_CALL, name->pos, name->end);
    set(p, n, SLOT_NAME, name);
    str function = name->kind == AST_NAME && name->n == 1 ? name->child[0]->text : STR("");
    expect(p, '(');
    bool quantified = kind_at(p, 1) != ')' && kind_at(p, 1) != ',' && kind_at(p, 1) != '.';
    if (at_word(p, W_DISTINCT) && quantified) {
        advance(p);
        n->flags |= AST_F_DISTINCT;
    } else if (at_word(p, W_ALL) && quantified)
        advance(p);
    if (!at_kind(p, ')')) add(p, n, parse_argument(p, str_ieq(function, STR("struct"))));
    return parse_call_rest(p, n, function);
}

struct ast *parse_call(struct parser *p, struct ast *name) {
    return parse_call_clauses(p, parse_table_call(p, name));
}

/* TABLE(t), TABLE(query), TABLE t [PARTITION BY …] [ORDER BY …] */
struct ast *parse_table_arg(struct parser *p) {
    struct ast *n = node(p, AST_TABLE_ARG);
    expect_word(p, W_TABLE);
    if (accept(p, '(')) {
        struct ast *from = node(p, AST_FROM_QUERY);
        if (at_query(p))
            set(p, from, SLOT_QUERY, parse_query(p));
        else {
            from->kind = AST_FROM_TABLE;
            set(p, from, SLOT_NAME, parse_name(p));
        }
        set(p, n, SLOT_FROM, done(p, from));
        expect(p, ')');
    } else {
        struct ast *from = node(p, AST_FROM_TABLE);
        set(p, from, SLOT_NAME, parse_name(p));
        set(p, n, SLOT_FROM, done(p, from));
    }
    if (accept_words(p, W_WITH, W_SINGLE)) {
        expect_word(p, W_PARTITION);
        n->flags |= AST_F_JSON;
    } else if (accept_words(p, W_PARTITION, W_BY) || accept_words(p, W_DISTRIBUTE, W_BY)) {
        if (at_kind(p, '('))
            set(p, n, SLOT_PARTITION, parse_paren_exprs(p));
        else
            set(p, n, SLOT_PARTITION, parse_expr_list(p));
    }
    if (accept_words(p, W_ORDER, W_BY) || accept_words(p, W_SORT, W_BY)) {
        bool parens = accept(p, '(');
        set(p, n, SLOT_ORDER, parse_sort_list(p));
        if (parens) expect(p, ')');
    }
    return done(p, n);
}

/* ---- windows ---- */

static struct ast *parse_bound(struct parser *p) {
    struct ast *n = node(p, AST_BOUND);
    if (at_word(p, W_UNBOUNDED) && (word_at(p, 1) == W_PRECEDING || word_at(p, 1) == W_FOLLOWING)) {
        n->text =
            word_at(p, 1) == W_PRECEDING ? STR("unbounded preceding") : STR("unbounded following");
        advance(p);
        advance(p);
    } else if (accept_words(p, W_CURRENT, W_ROW))
        n->text = STR("current row");
    else {
        add(p, n, parse_expr(p));
        n->text = at_word(p, W_FOLLOWING) ? STR("following") : STR("preceding");
        if (!accept_word(p, W_FOLLOWING)) expect_word(p, W_PRECEDING);
    }
    return done(p, n);
}

static struct ast *parse_frame(struct parser *p) {
    struct ast *n = node(p, AST_FRAME);
    n->text = lower_text(p, tok_text(p, tok_at(p, 0)));
    advance(p);
    if (accept_word(p, W_BETWEEN)) {
        add(p, n, parse_bound(p));
        expect_word(p, W_AND);
    }
    add(p, n, parse_bound(p));
    return done(p, n);
}

struct ast *parse_window_spec(struct parser *p) {
    struct ast *n = node(p, AST_WINDOW);
    expect(p, '(');
    enum sql_word w = word_at(p, 0);
    bool clause =
        ((w == W_PARTITION || w == W_DISTRIBUTE || w == W_ORDER || w == W_SORT || w == W_CLUSTER) &&
         word_at(p, 1) == W_BY) ||
        ((w == W_ROWS || w == W_RANGE || w == W_GROUPS) && kind_at(p, 1) != ')');
    if (!clause && at_identifier(p, 0, false)) set(p, n, SLOT_REF, parse_ident(p));
    if (accept_words(p, W_CLUSTER, W_BY) || accept_words(p, W_PARTITION, W_BY) ||
        accept_words(p, W_DISTRIBUTE, W_BY))
        set(p, n, SLOT_PARTITION, parse_expr_list(p));
    if (accept_words(p, W_ORDER, W_BY) || accept_words(p, W_SORT, W_BY))
        set(p, n, SLOT_ORDER, parse_sort_list(p));
    if (at_word(p, W_ROWS) || at_word(p, W_RANGE) || at_word(p, W_GROUPS))
        set(p, n, SLOT_FRAME, parse_frame(p));
    expect(p, ')');
    return done(p, n);
}

/* ---- CASE ---- */

struct ast *parse_case(struct parser *p) {
    struct ast *n = node(p, AST_CASE);
    expect_word(p, W_CASE);
    if (!at_word(p, W_WHEN)) set(p, n, SLOT_EXPR, parse_expr(p));
    do {
        expect_word(p, W_WHEN);
        add(p, n, parse_expr(p));
        expect_word(p, W_THEN);
        add(p, n, parse_expr(p));
    } while (at_word(p, W_WHEN));
    if (accept_word(p, W_ELSE)) set(p, n, SLOT_ELSE, parse_expr(p));
    expect_word(p, W_END);
    return done(p, n);
}

/* ---- special forms ---- */

static struct ast *special(struct parser *p) {
    struct ast *n = node(p, AST_CALL);
    n->flags = AST_F_SPECIAL;
    struct ast *name = node(p, AST_NAME);
    add(p, name, parse_ident(p));
    set(p, n, SLOT_NAME, done(p, name));
    expect(p, '(');
    return n;
}

static struct ast *text_argument(struct parser *p, str text) {
    struct ast *n = node(p, AST_LIT_STRING);
    n->text = text;
    return n;
}

static struct ast *close_special(struct parser *p, struct ast *n) {
    expect(p, ')');
    done(p, n);
    return parse_call_clauses(p, n);
}

static struct ast *parse_cast(struct parser *p) {
    struct ast *n = node(p, AST_CAST);
    if (at_word(p, W_TRY_CAST)) n->flags = AST_F_TRY;
    advance(p);
    expect(p, '(');
    add(p, n, parse_expr(p));
    expect_word(p, W_AS);
    set(p, n, SLOT_TYPE, parse_type(p));
    if (text_at(p, 0, "FORMAT")) {
        advance(p);
        add(p, n, parse_string(p));
    }
    expect(p, ')');
    return done(p, n);
}

/* EXTRACT(field FROM source); extract(a, b) is an ordinary call. */
static struct ast *parse_extract(struct parser *p) {
    if (!at_identifier(p, 2, false) || word_at(p, 3) != W_FROM) return NULL;
    struct ast *n = special(p);
    add(p, n, text_argument(p, tok_text(p, tok_at(p, 0))));
    advance(p);
    advance(p);
    add(p, n, parse_value(p));
    return close_special(p, n);
}

/* It was an ordinary call after all: on with the arguments after the first. */
static struct ast *not_special(struct parser *p, struct ast *n) {
    n->flags = 0;
    const struct ast *name = ast_get(n, SLOT_NAME);
    return parse_call_clauses(p, parse_call_rest(p, n, name->child[0]->text));
}

/* Does an argument that no special form has begin here: none, a => b, x -> y? */
static bool ordinary_argument(const struct parser *p) {
    return at_kind(p, ')') || at_lambda(p) ||
           (at_identifier(p, 0, false) && kind_at(p, 1) == T_FAT);
}

static struct ast *parse_trim(struct parser *p) {
    struct ast *n = special(p);
    if (ordinary_argument(p)) {
        if (!at_kind(p, ')')) add(p, n, parse_argument(p, false));
        return not_special(p, n);
    }
    enum sql_word w = word_at(p, 0);
    bool form = (w == W_BOTH || w == W_LEADING || w == W_TRAILING) && kind_at(p, 1) != ',' &&
                kind_at(p, 1) != ')';
    struct ast *how =
        text_argument(p, form ? lower_text(p, tok_text(p, tok_at(p, 0))) : STR("both"));
    if (form) advance(p);
    struct ast *what = at_word(p, W_FROM) && form ? node(p, AST_LIT_NULL) : parse_expr(p);
    if (!form && !at_word(p, W_FROM)) {
        add(p, n, what);
        return not_special(p, n);
    }
    add(p, n, how);
    add(p, n, what);
    expect_word(p, W_FROM);
    add(p, n, parse_value(p));
    return close_special(p, n);
}

/* SUBSTRING(x FROM a [FOR b]), OVERLAY(x PLACING y FROM a [FOR b]), POSITION(x IN y) */
static struct ast *parse_from_for(struct parser *p, enum sql_word second) {
    struct ast *n = special(p);
    if (ordinary_argument(p)) {
        if (!at_kind(p, ')')) add(p, n, parse_argument(p, false));
        return not_special(p, n);
    }
    add(p, n, parse_value(p));
    if (!accept_word(p, second)) return not_special(p, n);
    add(p, n, parse_value(p));
    if (second == W_PLACING) {
        expect_word(p, W_FROM);
        add(p, n, parse_value(p));
    }
    if (second != W_IN && accept_word(p, W_FOR)) add(p, n, parse_value(p));
    return close_special(p, n);
}

struct ast *parse_special_call(struct parser *p) {
    switch (word_at(p, 0)) {
    case W_CAST:
    case W_TRY_CAST:
        return parse_cast(p);
    case W_EXTRACT:
        return parse_extract(p);
    case W_TRIM:
        return parse_trim(p);
    case W_SUBSTR:
    case W_SUBSTRING:
        return parse_from_for(p, W_FROM);
    case W_OVERLAY:
        return parse_from_for(p, W_PLACING);
    case W_POSITION:
        return parse_from_for(p, W_IN);
    default:
        return NULL;
    }
}

/* ---- numbers ---- */

static void out_of_range(struct parser *p, const struct ast *n, const char *low, const char *high,
                         const char *type) {
    parse_error(p, n, "INVALID_NUMERIC_LITERAL_RANGE", "rawStrippedQualifier",
                arena_printf(p->a, "%.*s", STR_ARG(str_cut(n->text, 400))), "minValue", low,
                "maxValue", high, "typeName", type, NULL);
}

/* A literal without exponent has as many digits as are written, without zeros in front. */
static void check_precision(struct parser *p, const struct ast *n) {
    unsigned digits = 0;
    for (size_t i = 0; i < n->text.n; i++) {
        char c = n->text.p[i];
        if (c >= '0' && c <= '9' && (digits || c != '0')) digits++;
    }
    if (digits > 38)
        parse_error(p, n, "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION", "precision",
                    arena_printf(p->a, "%u", digits), "maxPrecision", "38", NULL);
}

static void check_range(struct parser *p, const struct ast *n) {
    int64_t v = 0;
    double d = 0;
    bool whole = str_to_i64(n->text, &v);
    switch (n->op) {
    case 'Y':
        if (!whole || v < INT8_MIN || v > INT8_MAX) out_of_range(p, n, "-128", "127", "tinyint");
        break;
    case 'S':
        if (!whole || v < INT16_MIN || v > INT16_MAX)
            out_of_range(p, n, "-32768", "32767", "smallint");
        break;
    case 'L':
        if (!whole) out_of_range(p, n, "-9223372036854775808", "9223372036854775807", "bigint");
        break;
    case 'F':
        if (str_to_f64(n->text, &d) && (d > 3.4028234663852886e38 || d < -3.4028234663852886e38))
            out_of_range(p, n, "-3.4028234663852886E+38", "3.4028234663852886E+38", "float");
        break;
    case 'D':
        if (str_to_f64(n->text, &d) && (d > 1.7976931348623157e308 || d < -1.7976931348623157e308))
            out_of_range(p, n, "-1.7976931348623157E+308", "1.7976931348623157E+308", "double");
        break;
    default:
        if (memchr(n->text.p, 'e', n->text.n) || memchr(n->text.p, 'E', n->text.n)) {
            if (n->op == 0 && str_to_f64(n->text, &d) &&
                (d > 1.7976931348623157e308 || d < -1.7976931348623157e308))
                out_of_range(p, n, "-1.7976931348623157E+308", "1.7976931348623157E+308", "double");
        } else
            check_precision(p, n);
        break;
    }
}

struct ast *parse_number(struct parser *p, bool negative) {
    struct ast *n = node(p, AST_LIT_NUMBER);
    if (negative) n->pos = p->tok[p->at - 1].pos;
    if (!at_kind(p, T_NUMBER)) {
        syntax_error(p);
        return n;
    }
    str s = tok_text(p, tok_at(p, 0));
    char last = (char)(s.p[s.n - 1] & ~32);
    if (last == 'D' && s.n > 2 && (s.p[s.n - 2] & ~32) == 'B') {
        n->op = 'B';
        s.n -= 2;
    } else if (strchr("LSYFD", last)) {
        n->op = (uint16_t)(unsigned char)last;
        s.n--;
    }
    if (negative) {
        char *text = arena_alloc(p->a, s.n + 2);
        text[0] = '-';
        memcpy(text + 1, s.p, s.n);
        s = str_n(text, s.n + 1);
    }
    n->text = s;
    advance(p);
    done(p, n);
    if (n->op || n->text.n > 18)
        check_range(p, n);
    else if (memchr(n->text.p, 'e', n->text.n) || memchr(n->text.p, 'E', n->text.n))
        check_range(p, n);
    return n;
}

/* ---- intervals ---- */

static bool is_unit(const struct parser *p, uint32_t ahead) {
    static const char *const units[] = {"YEAR",        "MONTH",     "WEEK",   "DAY",
                                        "HOUR",        "MINUTE",    "SECOND", "MILLISECOND",
                                        "MICROSECOND", "NANOSECOND"};
    const struct sql_token *t = tok_at(p, ahead);
    if (t->kind != T_WORD) return false;
    str s = tok_text(p, t);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        str u = str_of(units[i]);
        if (str_ieq(s, u)) return true;
        if (s.n == u.n + 1 && (s.p[u.n] == 's' || s.p[u.n] == 'S') && str_ieq(str_cut(s, u.n), u))
            return true;
    }
    return false;
}

/* Length in tokens of the value of an interval that begins `ahead`, 0 if none does: '1', 1, -1,
 * (…), :p, ? */
static uint32_t interval_value(const struct parser *p, uint32_t ahead) {
    unsigned k = kind_at(p, ahead);
    if (k == '+' || k == '-') {
        k = kind_at(p, ahead + 1);
        return k == T_NUMBER || k == T_STRING || k == T_DSTRING ? 2 : 0;
    }
    if (k == T_NUMBER || k == T_STRING || k == T_DSTRING || k == '?') return 1;
    if (k == ':') return kind_at(p, ahead + 1) == T_WORD ? 2 : 0;
    uint32_t close = k == '(' ? tok_at(p, ahead)->match : 0;
    return close ? close - (p->at + ahead) + 1 : 0;
}

static struct ast *parse_interval_value(struct parser *p) {
    if (at_string(p, 0)) {
        struct ast *n = node(p, AST_LIT_STRING);
        n->text = sql_token_string(p->a, p->text, tok_at(p, 0));
        advance(p);
        return n;
    }
    bool minus = at_kind(p, '-');
    if (minus || at_kind(p, '+')) {
        advance(p);
        if (at_kind(p, T_NUMBER)) return parse_number(p, minus);
        struct ast *value = parse_interval_value(p);
        if (!minus) return value;
        struct ast *n = wrap(p, AST_UNARY, value);
        n->text = STR("-");
        return n;
    }
    return parse_primary(p);
}

/* Value and unit pairs after a from-to form, or the other way round. */
static void single_from_to(struct parser *p, struct ast *n) {
    for (uint32_t length; (length = interval_value(p, 0)) > 0 && is_unit(p, length);) {
        p->at += length + 1;
        if (at_word(p, W_TO) && is_unit(p, 1)) p->at += 2;
    }
    parse_error(p, done(p, n), "_LEGACY_ERROR_TEMP_0024", NULL);
}

/* INTERVAL 1 YEAR 2 DAYS is of neither kind. */
static void check_mixed(struct parser *p, struct ast *n) {
    bool months = false, other = false;
    for (uint32_t i = 1; i < n->n; i += 2) {
        unsigned c = (unsigned char)n->child[i]->text.p[0] | 32,
                 d = (unsigned char)n->child[i]->text.p[1] | 32;
        bool month = c == 'y' || (c == 'm' && d == 'o');
        months = months || month;
        other = other || !month;
    }
    done(p, n);
    if (months && other)
        parse_error(p, n, "_LEGACY_ERROR_TEMP_0029", "literal",
                    arena_printf(p->a, "%.*s", STR_ARG(str_n(p->text.p + n->pos, n->end - n->pos))),
                    NULL);
}

/* NULL where `interval` is a name. */
struct ast *parse_interval(struct parser *p) {
    uint32_t length = interval_value(p, 1);
    unsigned first = kind_at(p, 1);
    bool text = first == T_STRING || first == T_DSTRING;
    if (!length || (!is_unit(p, 1 + length) && !text && first != T_NUMBER)) return NULL;
    struct ast *n = node(p, AST_INTERVAL);
    advance(p);
    if (text && !is_unit(p, length)) {
        add(p, n, parse_string(p));
        return done(p, n);
    }
    for (;;) {
        struct ast *value = parse_interval_value(p);
        add(p, n, value);
        if (!is_unit(p, 0)) {
            syntax_error(p);
            return n;
        }
        struct ast *unit = parse_ident(p);
        if (n->n == 1 && at_word(p, W_TO) && is_unit(p, 1)) {
            done(p, n);
            advance(p);
            set(p, n, SLOT_FROM, unit);
            set(p, n, SLOT_TO, parse_ident(p));
            done(p, n);
            struct ast at = {.pos = value->pos, .end = n->end};
            if (value->kind != AST_LIT_STRING && value->kind != AST_UNARY)
                parse_error(p, &at, "_LEGACY_ERROR_TEMP_0027", NULL);
            if (interval_value(p, 0) && is_unit(p, interval_value(p, 0))) single_from_to(p, n);
            return n;
        }
        add(p, n, unit);
        length = interval_value(p, 0);
        if (!length || !is_unit(p, length) || kind_at(p, 0) == '(' || kind_at(p, 0) == ':') {
            check_mixed(p, n);
            return n;
        }
        if (word_at(p, length + 1) == W_TO && is_unit(p, length + 2)) {
            single_from_to(p, n);
            return n;
        }
    }
}
