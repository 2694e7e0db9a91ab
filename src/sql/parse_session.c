/* SPDX-License-Identifier: Apache-2.0 */
/* Statements about the session itself: SET, RESET, USE, variables, EXECUTE IMMEDIATE. */
#include "sql/parse.h"

/* Where the statement's text ends: the bytes before ';' or the end, without outer blanks and
 * comments. */
static str text_until(struct parser *p, unsigned stop) {
    uint32_t from = tok_at(p, 0)->pos, end = from;
    while (!at_kind(p, T_END) && !at_kind(p, ';') && !at_kind(p, stop)) {
        end = tok_at(p, 0)->end;
        advance(p);
    }
    return str_n(p->text.p + from, end - from);
}

/* `quoted` keys and values lose their quotes. */
static str unquoted(str s) {
    if (s.n >= 2 && s.p[0] == '`' && s.p[s.n - 1] == '`' && !memchr(s.p + 1, '`', s.n - 2))
        return str_n(s.p + 1, s.n - 2);
    return s;
}

static struct ast *parse_time_zone(struct parser *p, struct ast *n) {
    p->at += 2;
    n->text = STR("timezone");
    if (at_word(p, W_LOCAL)) {
        struct ast *local = node(p, AST_LIT_STRING);
        local->text = STR("LOCAL");
        advance(p);
        set(p, n, SLOT_VALUE, local);
    } else if (at_string(p, 0))
        set(p, n, SLOT_VALUE, parse_string(p));
    else if (at_word(p, W_INTERVAL)) {
        struct ast *interval = parse_interval(p);
        if (!interval) syntax_error(p);
        set(p, n, SLOT_EXPR, interval);
    }
    if (!ast_get(n, SLOT_VALUE) && !ast_get(n, SLOT_EXPR))
        parse_error(p, done(p, n), "_LEGACY_ERROR_TEMP_0045", NULL);
    return done(p, n);
}

/* SET VAR a = 1, b = 2; SET VAR (a, b) = (query); in scripts also without VAR. */
static struct ast *parse_set_var(struct parser *p, struct ast *n) {
    n->kind = AST_S_SET_VAR;
    n->text = STR_NONE;
    if (at_kind(p, '(')) {
        struct ast *names = node(p, AST_LIST);
        advance(p);
        do add(p, names, parse_name(p));
        while (accept(p, ','));
        expect(p, ')');
        set(p, n, SLOT_NAMES, done(p, names));
        expect(p, '=');
        expect(p, '(');
        set(p, n, SLOT_QUERY, parse_query(p));
        expect(p, ')');
        return done(p, n);
    }
    p->in_dml = true;
    struct ast *list = parse_assignments(p);
    p->in_dml = false;
    for (uint32_t i = 0; i < list->n; i++) add(p, n, list->child[i]);
    return done(p, n);
}

/* In a script: (a, b) = …, a = …, label.a = …, IDENTIFIER('a') = … */
static bool at_variable(const struct parser *p) {
    uint32_t k = 1;
    if (at_kind(p, '(')) return true;
    if (text_at(p, 0, "IDENTIFIER") && kind_at(p, 1) == '(') return true;
    if (!at_identifier(p, 0, false)) return false;
    while (kind_at(p, k) == '.' && at_identifier(p, k + 1, false)) k += 2;
    return kind_at(p, k) == '=';
}

/* SET PATH = a.b, CURRENT_SCHEMA, …: the names. */
static struct ast *parse_path(struct parser *p, struct ast *n) {
    struct ast *names = node(p, AST_LIST);
    p->at += 2;
    n->text = STR("path");
    do add(p, names, parse_name(p));
    while (accept(p, ','));
    set(p, n, SLOT_NAMES, done(p, names));
    return done(p, n);
}

static struct ast *parse_set(struct parser *p, struct ast *n) {
    n->kind = AST_S_SET;
    n->text = STR("");
    advance(p);
    if (at_words(p, W_TIME, W_ZONE)) return parse_time_zone(p, n);
    if (!p->in_script && text_at(p, 0, "PATH") && kind_at(p, 1) == '=') return parse_path(p, n);
    if ((at_word(p, W_VAR) || at_word(p, W_VARIABLE)) &&
        (at_identifier(p, 1, false) || kind_at(p, 1) == '(')) {
        advance(p);
        return parse_set_var(p, n);
    }
    if (text_at(p, 0, "TAG") && word_at(p, 1) == W_ON) {
        p->at--;
        return NULL;
    }
    if (at_word(p, W_CATALOG) && (at_identifier(p, 1, false) || at_string(p, 1))) {
        n->kind = AST_S_USE;
        n->text = STR("catalog");
        advance(p);
        if (at_string(p, 0)) {
            struct ast *name = node(p, AST_NAME), *part = node(p, AST_IDENT);
            part->text = parse_string(p)->text;
            part->flags = AST_F_QUOTED;
            add(p, name, part);
            set(p, n, SLOT_NAME, done(p, name));
        } else
            set(p, n, SLOT_NAME, parse_name(p));
        return done(p, n);
    }
    if (p->in_script && at_variable(p)) return parse_set_var(p, n);
    if (at_kind(p, T_END) || at_kind(p, ';')) return done(p, n);
    if (at_kind(p, '-') && text_at(p, 1, "V")) {
        p->at += 2;
        n->flags |= AST_F_ALL;
        return done(p, n);
    }
    n->text = unquoted(text_until(p, '='));
    if (accept(p, '=')) {
        struct ast *value = node(p, AST_LIT_STRING);
        value->text = unquoted(text_until(p, ';'));
        set(p, n, SLOT_VALUE, done(p, value));
    }
    return done(p, n);
}

static struct ast *parse_use(struct parser *p, struct ast *n) {
    n->kind = AST_S_USE;
    n->text = STR("");
    advance(p);
    bool named = at_identifier(p, 1, false) || at_string(p, 1);
    if (at_word(p, W_CATALOG) && named)
        n->text = STR("catalog");
    else if ((at_word(p, W_SCHEMA) || at_word(p, W_DATABASE) || text_at(p, 0, "NAMESPACE")) &&
             named)
        n->text = STR("schema");
    if (n->text.n) advance(p);
    if (at_kind(p, T_STRING) && str_eqz(n->text, "catalog")) {
        struct ast *name = node(p, AST_NAME), *part = node(p, AST_IDENT);
        part->text = parse_string(p)->text;
        part->flags = AST_F_QUOTED;
        add(p, name, part);
        set(p, n, SLOT_NAME, done(p, name));
    } else
        set(p, n, SLOT_NAME, parse_name(p));
    return done(p, n);
}

/* DECLARE [OR REPLACE] [VARIABLE] a [, b] [type] [DEFAULT | = expr] */
static struct ast *parse_declare(struct parser *p, struct ast *n) {
    n->kind = AST_S_DECLARE;
    advance(p);
    if (accept_words(p, W_OR, W_REPLACE)) n->flags |= AST_F_REPLACE;
    if ((at_word(p, W_VARIABLE) || at_word(p, W_VAR)) && at_identifier(p, 1, false)) advance(p);
    struct ast *names = node(p, AST_LIST);
    do add(p, names, parse_name(p));
    while (accept(p, ','));
    set(p, n, SLOT_NAME, done(p, names));
    if (at_identifier(p, 0, false) && !at_word(p, W_DEFAULT)) set(p, n, SLOT_TYPE, parse_type(p));
    if (accept_word(p, W_DEFAULT) || accept(p, '=')) set(p, n, SLOT_DEFAULT, parse_expr(p));
    done(p, n);
    if (!ast_get(n, SLOT_TYPE) && !ast_get(n, SLOT_DEFAULT) &&
        (at_kind(p, T_END) || at_kind(p, ';')) && !failed(p))
        parse_error(p, n, "INVALID_SQL_SYNTAX.VARIABLE_TYPE_OR_DEFAULT_REQUIRED", NULL);
    return n;
}

static void check_aliases(struct parser *p, const struct ast *n, const struct ast *values) {
    for (uint32_t i = 0; i < values->n; i++)
        for (uint32_t j = 0; j < i && j < 1000; j++)
            if (values->child[i]->kind == AST_ALIAS && values->child[j]->kind == AST_ALIAS &&
                str_ieq(values->child[i]->text, values->child[j]->text)) {
                str name = values->child[i]->text;
                parse_error(p, n, "EXEC_IMMEDIATE_DUPLICATE_ARGUMENT_ALIASES", "aliases",
                            arena_printf(p->a, "`%.*s`", STR_ARG(name)), NULL);
            }
}

/* The values behind USING, with or without brackets around them. */
struct ast *parse_using(struct parser *p) {
    uint32_t close = at_kind(p, '(') && !at_query(p) ? tok_at(p, 0)->match : 0;
    bool parens = close && (p->tok[close + 1].kind == T_END || p->tok[close + 1].kind == ';');
    if (parens) advance(p);
    struct ast *values = node(p, AST_LIST);
    do add(p, values, parse_named_expr(p));
    while (accept(p, ','));
    if (parens) expect(p, ')');
    return done(p, values);
}

static struct ast *parse_execute(struct parser *p, struct ast *n) {
    n->kind = AST_S_EXECUTE_IMMEDIATE;
    p->at += 2;
    set(p, n, SLOT_EXPR, parse_expr(p));
    if (accept_word(p, W_INTO)) {
        struct ast *names = node(p, AST_LIST);
        do add(p, names, parse_name(p));
        while (accept(p, ','));
        set(p, n, SLOT_INTO, done(p, names));
    }
    if (accept_word(p, W_USING)) {
        struct ast *values = parse_using(p);
        set(p, n, SLOT_USING, values);
        check_aliases(p, done(p, n), values);
    }
    return done(p, n);
}

struct ast *parse_session(struct parser *p) {
    struct ast *n = node(p, AST_S_SET);
    switch (word_at(p, 0)) {
    case W_SET:
        return parse_set(p, n);
    case W_RESET:
        n->kind = AST_S_RESET;
        advance(p);
        n->text = unquoted(text_until(p, ';'));
        done(p, n);
        if (p->tok[p->at - 1].pos != n->pos && str_chr(n->text, ' ', 0) >= 0 &&
            p->tok[p->at - 1].kind != T_QUOTED)
            parse_error(p, n, "INVALID_RESET_COMMAND_FORMAT", NULL);
        return n;
    case W_USE:
        return parse_use(p, n);
    case W_DECLARE:
        return parse_declare(p, n);
    case W_EXECUTE:
        return word_at(p, 1) == W_IMMEDIATE ? parse_execute(p, n) : NULL;
    default:
        return NULL;
    }
}
