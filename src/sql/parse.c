/* SPDX-License-Identifier: Apache-2.0 */
/* The parser's common ground: tokens, errors, nodes, names; and the entries sql_parse…(). */
#include "sql/parse.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- tokens ---- */

str tok_text(const struct parser *p, const struct sql_token *t) {
    return str_n(p->text.p + t->pos, t->end - t->pos);
}

bool text_at(const struct parser *p, uint32_t ahead, const char *upper) {
    const struct sql_token *t = tok_at(p, ahead);
    return t->kind == T_WORD && str_ieq(tok_text(p, t), str_of(upper));
}

void advance(struct parser *p) {
    if (p->at + 1 < p->n) p->at++;
}

bool accept_word(struct parser *p, enum sql_word w) {
    if (!at_word(p, w)) return false;
    advance(p);
    return true;
}

bool accept_words(struct parser *p, enum sql_word w, enum sql_word x) {
    if (!at_words(p, w, x)) return false;
    advance(p);
    advance(p);
    return true;
}

bool accept_text(struct parser *p, const char *upper) {
    if (!text_at(p, 0, upper)) return false;
    advance(p);
    return true;
}

void expect(struct parser *p, unsigned kind) {
    if (accept(p, kind)) return;
    syntax_error(p);
}

/* As ANTLR tells it: a token too many if the wanted one comes next. */
void expect_word(struct parser *p, enum sql_word w) {
    if (accept_word(p, w)) return;
    if (word_at(p, 1) == w && !at_kind(p, T_END))
        syntax_extra(p);
    else
        syntax_error(p);
}

void expect_or_missing(struct parser *p, enum sql_word w) {
    if (accept_word(p, w)) return;
    if (at_identifier(p, 0, false))
        syntax_missing(p, arena_printf(p->a, "'%s'", sql_word_text(w)));
    else
        expect_word(p, w);
}

void expect_text(struct parser *p, const char *upper) {
    if (!accept_text(p, upper)) syntax_error(p);
}

bool discontinued_bang(struct parser *p) {
    if (!at_kind(p, '!')) return false;
    parse_error(p, node(p, AST_LIST), "SYNTAX_DISCONTINUED.BANG_EQUALS_NOT", "clause", "!", NULL);
    return true;
}

uint32_t accept_if_not_exists(struct parser *p) {
    if (at_word(p, W_IF) && kind_at(p, 1) == '!' && word_at(p, 2) == W_EXISTS) {
        advance(p);
        (void)discontinued_bang(p);
    }
    if (!at_words(p, W_IF, W_NOT) || word_at(p, 2) != W_EXISTS) return 0;
    p->at += 3;
    return AST_F_IF_NOT_EXISTS;
}

uint32_t accept_if_exists(struct parser *p) {
    return accept_words(p, W_IF, W_EXISTS) ? AST_F_IF_EXISTS : 0;
}

/* ---- errors ---- */

static void fail_at(struct parser *p, const char *cls, uint32_t pos, uint32_t end) {
    p->fail = (struct parse_fail){.cls = cls, .pos = pos, .end = end};
    p->at = p->n - 1;
}

static void syntax_hint(struct parser *p, const char *before, const char *what) {
    if (failed(p)) return;
    const struct sql_token *t = tok_at(p, 0);
    str shown = str_cut(tok_text(p, t), 1000);
    const char *error =
        t->kind == T_END ? "end of input" : arena_printf(p->a, "'%.*s'", STR_ARG(shown));
    const char *hint = before ? arena_printf(p->a, "%s%s", before, what ? what : error) : "";
    fail_at(p, "PARSE_SYNTAX_ERROR", t->pos, t->end);
    p->fail.pairs[0] = "error";
    p->fail.pairs[1] = error;
    p->fail.pairs[2] = "hint";
    p->fail.pairs[3] = hint;
    p->fail.n = 4;
}

void syntax_error(struct parser *p) { syntax_hint(p, NULL, NULL); }
void syntax_missing(struct parser *p, const char *what) { syntax_hint(p, ": missing ", what); }
void syntax_extra(struct parser *p) { syntax_hint(p, ": extra input ", NULL); }

void parse_error(struct parser *p, const struct ast *at, const char *cls, ...) {
    if (failed(p)) return;
    fail_at(p, cls, at->pos, at->end);
    va_list ap;
    va_start(ap, cls);
    for (const char *s;
         p->fail.n < ARRAY_LEN(p->fail.pairs) && (s = va_arg(ap, const char *)) != NULL;)
        p->fail.pairs[p->fail.n++] = s;
    va_end(ap);
}

struct parse_mark try_begin(const struct parser *p) {
    return (struct parse_mark){p->at, p->n_markers, p->depth, p->height};
}

bool try_end(struct parser *p, struct parse_mark m) {
    if (!failed(p)) return true;
    p->fail = (struct parse_fail){0};
    p->at = m.at;
    p->n_markers = m.n_markers;
    p->depth = m.depth;
    p->height = m.height;
    return false;
}

static err *take_error(struct parser *p) {
    struct ast at = {.pos = p->fail.pos, .end = p->fail.end};
    /* An empty text has a place too: its only line. */
    return sql_error_list(p->fail.cls, &at, p->text.n ? p->text : STR("\n"), p->fail.pairs,
                          p->fail.n);
}

/* ---- nodes ---- */

struct ast *node(struct parser *p, enum ast_kind kind) {
    const struct sql_token *t = tok_at(p, 0);
    return ast_new(p->a, kind, t->pos, t->end);
}

struct ast *done(struct parser *p, struct ast *n) {
    if (p->at > 0) {
        uint32_t end = p->tok[p->at - 1].end;
        if (end > n->pos) n->end = end;
    }
    return n;
}

void set(struct parser *p, struct ast *n, enum ast_slot slot, struct ast *value) {
    ast_set(p->a, n, slot, value);
}
void add(struct parser *p, struct ast *n, struct ast *child) { ast_add(p->a, n, child); }

static void too_complex(struct parser *p) {
    struct ast *at = node(p, AST_LIST);
    parse_error(p, at, "FAILED_TO_PARSE_TOO_COMPLEX", NULL);
}

struct ast *wrap(struct parser *p, enum ast_kind kind, struct ast *child) {
    struct ast *n = ast_new(p->a, kind, child->pos, child->end);
    ast_add(p->a, n, child);
    return n;
}

uint32_t chain_begin(struct parser *p) {
    uint32_t outer = p->height;
    p->height = p->depth;
    return outer;
}

struct ast *chain(struct parser *p, enum ast_kind kind, struct ast *child, uint32_t pos) {
    struct ast *n = wrap(p, kind, child);
    n->pos = pos;
    if (++p->height > SQL_MAX_HEIGHT) too_complex(p);
    return n;
}

void chain_end(struct parser *p, uint32_t outer) {
    if (p->height < outer) p->height = outer;
}

bool enter(struct parser *p) {
    if (++p->depth > p->height) p->height = p->depth;
    if (p->depth <= SQL_MAX_DEPTH) return true;
    too_complex(p);
    return false;
}

void leave(struct parser *p) { p->depth--; }

str lower_text(struct parser *p, str s) {
    char *z = arena_strndup(p->a, s.p, s.n);
    for (size_t i = 0; i < s.n; i++)
        if (z[i] >= 'A' && z[i] <= 'Z') z[i] = (char)(z[i] + 32);
    return str_n(z, s.n);
}

/* ---- names ---- */

/* Words that join and combine; never names where a `strict` name is wanted. */
static bool is_joining(enum sql_word w) {
    switch (w) {
    case W_ANTI:
    case W_CROSS:
    case W_EXCEPT:
    case W_FULL:
    case W_INNER:
    case W_INTERSECT:
    case W_JOIN:
    case W_LATERAL:
    case W_LEFT:
    case W_MINUS:
    case W_NATURAL:
    case W_ON:
    case W_RIGHT:
    case W_SEMI:
    case W_SETMINUS:
    case W_UNION:
    case W_USING:
        return true;
    default:
        return false;
    }
}

bool at_identifier(const struct parser *p, uint32_t ahead, bool strict) {
    const struct sql_token *t = tok_at(p, ahead);
    if (t->kind == T_QUOTED) return true;
    return t->kind == T_WORD && !(strict && is_joining((enum sql_word)t->word));
}

/* Words that begin a clause when the words after them fit, and are names otherwise. */
bool at_bare_alias(const struct parser *p, bool strict) {
    if (!at_identifier(p, 0, strict)) return false;
    if (at_kind(p, T_QUOTED)) return true;
    unsigned next = kind_at(p, 1);
    bool last = next == T_END || next == ',' || next == ')' || next == ';';
    enum sql_word second = word_at(p, 1);
    switch (word_at(p, 0)) {
    case W_ORDER:
    case W_GROUP:
    case W_CLUSTER:
    case W_DISTRIBUTE:
    case W_SORT:
        return second != W_BY;
    case W_FROM:
    case W_WHERE:
    case W_HAVING:
    case W_LIMIT:
    case W_OFFSET:
    case W_QUALIFY:
    case W_UNION:
    case W_EXCEPT:
    case W_INTERSECT:
    case W_MINUS:
    case W_SETMINUS:
    case W_JOIN:
    case W_FOR:
    case W_ON:
    case W_USING:
        return last;
    case W_WINDOW:
        return last || word_at(p, 2) != W_AS;
    case W_LATERAL:
        return last || word_at(p, 1) == W_FROM;
    case W_PIVOT:
    case W_UNPIVOT:
    case W_TABLESAMPLE:
        return next != '(' && word_at(p, 1) != W_INCLUDE;
    case W_WHEN:
    case W_THEN:
    case W_ELSE:
    case W_DO:
    case W_LOOP:
        return !p->in_script;
    case W_END:
        return last && !p->in_script;
    case W_SET:
    case W_VALUES:
    case W_SELECT:
        return last;
    case W_AS:
        return false;
    default:
        return true;
    }
}

/* a.b as `a`.`b` */
static const char *quoted_parts(struct parser *p, str s) {
    buf out = {0};
    for (str part; str_split(&s, '.', &part);)
        buf_fmt(&out, "%s`%.*s`", out.n ? "." : "", STR_ARG(part));
    const char *z = arena_strndup(p->a, out.p, out.n);
    buf_free(&out);
    return z;
}

/* IDENTIFIER('a'), IDENTIFIER('`a b`') in the place of a name: the name itself. */
static struct ast *literal_ident(struct parser *p) {
    struct ast *n = node(p, AST_IDENT);
    advance(p);
    advance(p);
    str s = str_trim(parse_string(p)->text);
    expect(p, ')');
    done(p, n);
    n->flags = AST_F_QUOTED;
    n->text = s;
    if (s.n >= 2 && s.p[0] == '`' && s.p[s.n - 1] == '`') {
        struct sql_token t = {.kind = T_QUOTED, .end = (uint32_t)s.n};
        n->text = sql_token_name(p->a, s, &t);
    } else if (str_chr(s, '.', 0) >= 0 && !failed(p))
        parse_error(p, n, "IDENTIFIER_TOO_MANY_NAME_PARTS", "identifier",
                    quoted_parts(p, str_cut(s, 200)), "limit", "1", NULL);
    if (!p->marks && str_chr(n->text, SQL_MARK, 0) >= 0 && !failed(p))
        parse_error(p, n, "INVALID_IDENTIFIER", "ident", "IDENTIFIER", NULL);
    return n;
}

/* Names without quotes are of ASCII alone. */
static void refuse_letters(struct parser *p, const struct ast *n) {
    for (size_t i = 0; i < n->text.n; i++)
        if ((unsigned char)n->text.p[i] >= 0x80) {
            parse_error(p, n, "INVALID_IDENTIFIER", "ident",
                        arena_printf(p->a, "%.*s", STR_ARG(str_cut(n->text, 300))), NULL);
            return;
        }
}

static bool at_literal_ident(const struct parser *p) {
    return at_word(p, W_IDENTIFIER) && kind_at(p, 1) == '(' && at_string(p, 2) &&
           tok_at(p, 1)->match == p->at + 3;
}

struct ast *parse_ident(struct parser *p) {
    if (at_literal_ident(p)) return literal_ident(p);
    struct ast *n = node(p, AST_IDENT);
    if (!at_identifier(p, 0, false)) {
        syntax_error(p);
        n->text = STR("");
        return n;
    }
    const struct sql_token *t = tok_at(p, 0);
    n->text = sql_token_name(p->a, p->text, t);
    if (t->kind == T_QUOTED) {
        n->flags = AST_F_QUOTED;
        /* The catalog of a view carries a mark after this byte (catalog/ask.h); nobody may write one. */
        if (!p->marks && str_chr(n->text, SQL_MARK, 0) >= 0) syntax_error(p);
    }
    advance(p);
    if (t->kind == T_WORD) refuse_letters(p, n);
    return n;
}

/* Not a name but looks like one: a-b, which wants quotes. */
static void refuse_dash(struct parser *p, const struct ast *ident) {
    if (!at_kind(p, '-') || (!at_identifier(p, 1, false) && kind_at(p, 1) != T_NUMBER) ||
        (ident->flags & AST_F_QUOTED))
        return;
    struct ast at = {.pos = tok_at(p, 0)->pos, .end = tok_at(p, 0)->end};
    buf whole = {0};
    buf_str(&whole, ident->text);
    while (at_kind(p, '-') && (at_identifier(p, 1, false) || kind_at(p, 1) == T_NUMBER)) {
        buf_c(&whole, '-');
        buf_str(&whole, tok_text(p, tok_at(p, 1)));
        p->at += 2;
    }
    const char *text = arena_strndup(p->a, whole.p, whole.n);
    buf_free(&whole);
    parse_error(p, &at, "INVALID_IDENTIFIER", "ident", text, NULL);
}

struct ast *parse_strict_ident(struct parser *p) {
    struct ast *n = parse_ident(p);
    refuse_dash(p, n);
    return n;
}

/* a.b.c, or IDENTIFIER(expr).c */
struct ast *parse_name(struct parser *p) {
    if (at_word(p, W_IDENTIFIER) && kind_at(p, 1) == '(') {
        struct ast *n = node(p, AST_NAME_EXPR);
        advance(p);
        advance(p);
        set(p, n, SLOT_EXPR, parse_expr(p));
        expect(p, ')');
        while (at_kind(p, '.') && at_identifier(p, 1, false)) {
            advance(p);
            add(p, n, parse_ident(p));
        }
        return done(p, n);
    }
    struct ast *n = node(p, AST_NAME);
    add(p, n, parse_strict_ident(p));
    while (accept(p, '.')) add(p, n, parse_strict_ident(p));
    return done(p, n);
}

struct ast *parse_ident_list(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    do add(p, list, parse_ident(p));
    while (accept(p, ','));
    expect(p, ')');
    return done(p, list);
}

bool at_string(const struct parser *p, uint32_t ahead) {
    unsigned k = kind_at(p, ahead);
    return k == T_STRING || k == T_DSTRING;
}

struct ast *string_node(struct parser *p, enum ast_kind kind, str value) {
    struct ast *n = node(p, kind);
    n->text = value;
    return n;
}

struct ast *parse_string(struct parser *p) {
    struct ast *n = node(p, AST_LIT_STRING);
    n->text = STR("");
    if (!at_string(p, 0)) {
        syntax_error(p);
        return n;
    }
    n->text = sql_token_string(p->a, p->text, tok_at(p, 0));
    advance(p);
    if (at_string(p, 0)) {
        buf joined = {0};
        buf_str(&joined, n->text);
        while (at_string(p, 0)) {
            buf_str(&joined, sql_token_string(p->a, p->text, tok_at(p, 0)));
            advance(p);
        }
        n->text = arena_str(p->a, buf_view(&joined));
        buf_free(&joined);
    }
    return done(p, n);
}

void parse_table_alias(struct parser *p, struct ast *item) {
    bool as = accept_word(p, W_AS);
    if (as && at_kind(p, '('))
        set(p, item, SLOT_NAMES, parse_ident_list(p));
    else if (as ? at_identifier(p, 0, true) : at_bare_alias(p, true)) {
        set(p, item, SLOT_ALIAS, as ? parse_strict_ident(p) : parse_ident(p));
        if (at_kind(p, '(')) set(p, item, SLOT_NAMES, parse_ident_list(p));
    } else if (as)
        syntax_error(p);
    done(p, item);
}

/* ---- entries ---- */

/* A token behind a whole statement: an extra one if it is the last. */
static void unexpected(struct parser *p) {
    if (kind_at(p, 1) == T_END || kind_at(p, 1) == ';')
        syntax_extra(p);
    else
        syntax_error(p);
}

static void begin(struct parser *p, arena *a, str text) {
    struct sql_tokens tokens = {0};
    *p = (struct parser){.a = a, .text = text};
    if (text.n > SQL_MAX_TEXT) {
        static struct sql_token none;
        p->tok = &none;
        p->n = 1;
        p->fail = (struct parse_fail){.cls = "FAILED_TO_PARSE_TOO_COMPLEX"};
        return;
    }
    sql_lex(a, text, &tokens);
    p->tok = tokens.tok;
    p->n = tokens.n;
    if (tokens.open_comment) {
        struct ast at = {.pos = tokens.comment_pos, .end = (uint32_t)text.n};
        parse_error(p, &at, "UNCLOSED_BRACKETED_COMMENT", NULL);
    }
}

static void expect_end(struct parser *p) {
    if (!at_kind(p, T_END)) unexpected(p);
}

/* Blank texts are empty statements; one of comments or of ; alone is a syntax error, as in Spark.
 */
static void nothing(struct parser *p) {
    if (!str_trim(p->text).n) {
        struct ast at = {0};
        parse_error(p, &at, "PARSE_EMPTY_STATEMENT", NULL);
        return;
    }
    p->at = 0;
    syntax_error(p);
}

static struct ast *parse_all(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    while (!failed(p)) {
        while (accept(p, ';')) continue;
        if (at_kind(p, T_END)) break;
        add(p, list, parse_statement(p));
        if (!at_kind(p, T_END) && !at_kind(p, ';')) unexpected(p);
    }
    if (!failed(p) && !list->n) nothing(p);
    return list;
}

err *sql_parse(arena *a, str text, struct ast ***ret, size_t *ret_n) { return sql_parse_as(a, text, false, ret, ret_n); }

err *sql_parse_as(arena *a, str text, bool escaped_strings, struct ast ***ret, size_t *ret_n) {
    struct parser p;
    begin(&p, a, text);
    for (size_t i = 0; escaped_strings && i < p.n; i++)
        if ((p.tok[i].kind == T_STRING || p.tok[i].kind == T_DSTRING) && !p.tok[i].raw) p.tok[i].raw = 3;
    struct ast *list = parse_all(&p);
    if (failed(&p)) return take_error(&p);
    *ret = list->child;
    *ret_n = list->n;
    return NULL;
}

err *sql_parse_one(arena *a, str text, struct ast **ret) {
    struct parser p;
    begin(&p, a, text);
    struct ast *n = NULL;
    if (at_kind(&p, T_END) || at_kind(&p, ';'))
        nothing(&p);
    else
        n = parse_statement(&p);
    if (!failed(&p) && !at_kind(&p, T_END) && !at_kind(&p, ';')) unexpected(&p);
    while (accept(&p, ';')) continue;
    if (!failed(&p) && !at_kind(&p, T_END)) syntax_extra(&p);
    if (failed(&p)) return take_error(&p);
    *ret = n;
    return NULL;
}

static err *parse_expr_text(arena *a, str text, bool marks, struct ast **ret) {
    struct parser p;
    begin(&p, a, text);
    p.marks = marks;
    struct ast *n = parse_named_expr(&p);
    expect_end(&p);
    if (failed(&p)) return take_error(&p);
    *ret = n;
    return NULL;
}

err *sql_parse_expr(arena *a, str text, struct ast **ret) { return parse_expr_text(a, text, false, ret); }

/* RETURN of a function may be a bare query, too. */
err *sql_parse_body(arena *a, str text, struct ast **ret) {
    struct parser p;
    begin(&p, a, text);
    if (at_kind(&p, '(') || !at_query(&p)) return sql_parse_expr(a, text, ret);
    struct ast *n = node(&p, AST_SUBQUERY);
    set(&p, n, SLOT_QUERY, parse_query(&p));
    expect_end(&p);
    if (failed(&p)) return take_error(&p);
    *ret = done(&p, n);
    return NULL;
}

err *sql_parse_resolved(arena *a, str text, struct ast **ret) { return parse_expr_text(a, text, true, ret); }

err *sql_parse_query(arena *a, str text, struct ast **ret) {
    struct parser p;
    begin(&p, a, text);
    struct ast *n = parse_query(&p);
    while (accept(&p, ';')) continue;
    expect_end(&p);
    if (failed(&p)) return take_error(&p);
    *ret = n;
    return NULL;
}
