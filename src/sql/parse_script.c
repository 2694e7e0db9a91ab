/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scripts: BEGIN … END and the statements that only stand in it. The tree only; script_check.c says what of it makes no sense,
 * engine/worker/script*.c run it.
 *
 *   S_SCRIPT          text the label or ""; AST_F_SPECIAL for BEGIN ATOMIC, AST_F_ALL for a list of statements that is no block (the
 *                     body of IF, a loop, …); children: declarations and statements
 *   COMMAND           text and slots:
 *   "if"              children: condition, S_SCRIPT, condition, S_SCRIPT …; slot ELSE (S_SCRIPT)
 *   "case"            slot EXPR (CASE x …); children: WHEN, S_SCRIPT in pairs; slot ELSE
 *   "while"           slot COND; slot ACTION (S_SCRIPT); slot KEY (IDENT label)
 *   "repeat"          slot ACTION; slot COND (UNTIL); slot KEY
 *   "loop"            slot ACTION; slot KEY
 *   "for"             slot NAME (IDENT, may be missing); slot QUERY; slot ACTION; slot KEY
 *   "leave","iterate" slot KEY
 *   "declare_handler" AST_F_SPECIAL for EXIT, else CONTINUE; slot NAMES (LIST of IDENT conditions, "A.B" where dotted, "not found", or
 *                     LIT_STRING SQLSTATEs); slot ACTION
 *   "declare_condition" slot NAME; slot VALUE (LIT_STRING SQLSTATE, may be missing)
 *   "declare_cursor"  slot NAME; slot QUERY
 *   "open"            slot NAME (NAME); slot USING (LIST)
 *   "fetch"           slot NAME (NAME); slot INTO (LIST of NAME)
 *   "close"           slot NAME (NAME)
 *   "signal", "resignal" slot NAME (IDENT, dotted) or VALUE (SQLSTATE); slot ITEMS (LIST of ASSIGN)
 *   "get_diagnostics" children: ASSIGN
 */
#include "sql/parse.h"

static struct ast *parse_script_statement(struct parser *p);

static bool begins_loop(enum sql_word w) {
    return w == W_WHILE || w == W_REPEAT || w == W_LOOP || w == W_FOR;
}

/* Do the words that end a list of statements stand here? */
static bool at_list_end(const struct parser *p) {
    switch (word_at(p, 0)) {
    case W_END:
    case W_ELSE:
    case W_ELSEIF:
    case W_UNTIL:
        return true;
    case W_WHEN:
        return true;
    default:
        return at_kind(p, T_END);
    }
}

/* The statements between two words: at least one. */
static struct ast *parse_list(struct parser *p) {
    struct ast *n = node(p, AST_S_SCRIPT);
    n->text = STR("");
    n->flags |= AST_F_ALL;
    do {
        if (at_list_end(p)) { /* END IF: what is wrong is the word behind END */
            if (at_word(p, W_END)) advance(p);
            syntax_error(p);
        }
        add(p, n, parse_script_statement(p));
        expect(p, ';');
    } while (!at_list_end(p) && !failed(p));
    return done(p, n);
}

/* A label or the variable of FOR: a name, or IDENTIFIER('…') of one. */
static bool at_label(const struct parser *p) {
    return at_identifier(p, 0, false) || (text_at(p, 0, "IDENTIFIER") && kind_at(p, 1) == '(');
}

static struct ast *parse_label(struct parser *p) {
    if (!text_at(p, 0, "IDENTIFIER") || kind_at(p, 1) != '(' || !at_string(p, 2)) return parse_ident(p);
    struct ast *n = node(p, AST_IDENT);
    p->at += 2;
    n->text = parse_string(p)->text;
    n->flags |= AST_F_QUOTED;
    expect(p, ')');
    return done(p, n);
}

/* The name of a condition: CLASS or CLASS.SUBCLASS, as one text. */
static struct ast *parse_condition_name(struct parser *p) {
    struct ast *n = parse_ident(p);
    while (accept(p, '.')) {
        struct ast *part = parse_ident(p);
        n->text = str_of(arena_printf(p->a, "%.*s.%.*s", STR_ARG(n->text), STR_ARG(part->text)));
    }
    return done(p, n);
}

static struct ast *command(struct parser *p, const char *name) {
    struct ast *n = node(p, AST_COMMAND);
    n->text = str_of(name);
    return n;
}

/* The label after END, which must be the one before. */
static void end_label(struct parser *p, struct ast *label) {
    if (!at_label(p)) return;
    struct ast *end = parse_label(p);
    if (!label)
        parse_error(p, end, "END_LABEL_WITHOUT_BEGIN_LABEL", "endLabel",
                    arena_printf(p->a, "`%.*s`", STR_ARG(end->text)), NULL);
    else if (!str_ieq(label->text, end->text))
        parse_error(p, end, "LABELS_MISMATCH", "beginLabel",
                    arena_printf(p->a, "`%.*s`", STR_ARG(label->text)), "endLabel",
                    arena_printf(p->a, "`%.*s`", STR_ARG(end->text)), NULL);
}

static struct ast *parse_if(struct parser *p) {
    struct ast *n = command(p, "if");
    do {
        advance(p);
        add(p, n, parse_expr(p));
        expect_word(p, W_THEN);
        add(p, n, parse_list(p));
    } while (at_word(p, W_ELSEIF));
    if (accept_word(p, W_ELSE)) set(p, n, SLOT_ELSE, parse_list(p));
    expect_word(p, W_END);
    expect_word(p, W_IF);
    return done(p, n);
}

static struct ast *parse_case_statement(struct parser *p) {
    struct ast *n = command(p, "case");
    advance(p);
    if (!at_word(p, W_WHEN)) set(p, n, SLOT_EXPR, parse_expr(p));
    do {
        expect_word(p, W_WHEN);
        add(p, n, parse_expr(p));
        expect_word(p, W_THEN);
        add(p, n, parse_list(p));
    } while (at_word(p, W_WHEN));
    if (accept_word(p, W_ELSE)) set(p, n, SLOT_ELSE, parse_list(p));
    expect_word(p, W_END);
    expect_word(p, W_CASE);
    return done(p, n);
}

static struct ast *parse_loop(struct parser *p, struct ast *label) {
    enum sql_word w = word_at(p, 0);
    struct ast *n = command(p, w == W_WHILE    ? "while"
                               : w == W_REPEAT ? "repeat"
                               : w == W_FOR    ? "for"
                                               : "loop");
    advance(p);
    set(p, n, SLOT_KEY, label);
    if (w == W_WHILE) {
        set(p, n, SLOT_COND, parse_expr(p));
        expect_word(p, W_DO);
    } else if (w == W_FOR) {
        bool called = text_at(p, 0, "IDENTIFIER") && kind_at(p, 1) == '(';
        if (at_label(p) && word_at(p, called ? 4 : 1) == W_AS) {
            set(p, n, SLOT_NAME, parse_label(p));
            advance(p);
        }
        set(p, n, SLOT_QUERY, parse_query(p));
        expect_word(p, W_DO);
    }
    set(p, n, SLOT_ACTION, parse_list(p));
    if (w == W_REPEAT) {
        expect_word(p, W_UNTIL);
        set(p, n, SLOT_COND, parse_expr(p));
    }
    expect_word(p, W_END);
    expect_word(p, w);
    end_label(p, label);
    return done(p, n);
}

/* A block, or one statement that is none of control. */
static struct ast *parse_handler_action(struct parser *p) {
    enum sql_word w = word_at(p, 0);
    if ((w == W_IF || w == W_CASE || w == W_DECLARE || begins_loop(w)) && kind_at(p, 1) != '.') {
        advance(p);
        syntax_error(p);
    }
    return parse_script_statement(p);
}

static struct ast *parse_handler(struct parser *p) {
    struct ast *n = command(p, "declare_handler");
    advance(p);
    if (at_word(p, W_EXIT)) n->flags |= AST_F_SPECIAL;
    advance(p);
    expect_word(p, W_HANDLER);
    expect_word(p, W_FOR);
    struct ast *names = node(p, AST_LIST);
    do {
        if (accept_word(p, W_SQLSTATE)) {
            (void)accept_text(p, "VALUE");
            add(p, names, parse_string(p));
        } else if ((at_word(p, W_NOT) && text_at(p, 1, "FOUND"))) {
            struct ast *found = node(p, AST_IDENT);
            found->text = STR("not found");
            p->at += 2;
            add(p, names, done(p, found));
        } else
            add(p, names, parse_condition_name(p));
    } while (accept(p, ','));
    set(p, n, SLOT_NAMES, done(p, names));
    set(p, n, SLOT_ACTION, parse_handler_action(p));
    return done(p, n);
}

static struct ast *parse_condition(struct parser *p) {
    struct ast *n = command(p, "declare_condition");
    advance(p);
    set(p, n, SLOT_NAME, parse_ident(p));
    expect_word(p, W_CONDITION);
    if (accept_word(p, W_FOR)) {
        (void)accept_word(p, W_SQLSTATE);
        (void)accept_text(p, "VALUE");
        set(p, n, SLOT_VALUE, parse_string(p));
    }
    return done(p, n);
}

static struct ast *parse_signal(struct parser *p) {
    struct ast *n = command(p, at_word(p, W_SIGNAL) ? "signal" : "resignal");
    advance(p);
    if (str_eqz(n->text, "resignal")) return done(p, n); /* what is handled, as it is */
    if (accept_word(p, W_SQLSTATE)) {
        (void)accept_text(p, "VALUE");
        set(p, n, SLOT_VALUE, parse_string(p));
    } else if (at_identifier(p, 0, false) && !at_word(p, W_SET))
        set(p, n, SLOT_NAME, parse_condition_name(p));
    else
        syntax_error(p);
    if (accept_word(p, W_SET)) set(p, n, SLOT_ITEMS, parse_assignments(p));
    return done(p, n);
}

static struct ast *parse_diagnostics(struct parser *p) {
    struct ast *n = command(p, "get_diagnostics");
    p->at += 2;
    (void)accept_word(p, W_CONDITION);
    if (at_kind(p, T_NUMBER)) add(p, n, parse_number(p, false));
    struct ast *list = parse_assignments(p);
    for (uint32_t i = 0; i < list->n; i++) add(p, n, list->child[i]);
    return done(p, n);
}

static struct ast *parse_jump(struct parser *p) {
    struct ast *n = command(p, at_word(p, W_LEAVE) ? "leave" : "iterate");
    advance(p);
    set(p, n, SLOT_KEY, parse_label(p));
    return done(p, n);
}

/* ---- cursors ---- */

/* DECLARE c [ASENSITIVE | INSENSITIVE] CURSOR FOR query [FOR READ ONLY] */
static bool at_cursor(const struct parser *p) {
    uint32_t k = text_at(p, 1, "IDENTIFIER") && kind_at(p, 2) == '(' ? 5 : 2;
    if (text_at(p, k, "ASENSITIVE") || text_at(p, k, "INSENSITIVE")) k++;
    return at_word(p, W_DECLARE) && text_at(p, k, "CURSOR");
}

static struct ast *parse_cursor(struct parser *p) {
    struct ast *n = command(p, "declare_cursor");
    advance(p);
    set(p, n, SLOT_NAME, parse_label(p));
    if (!text_at(p, 0, "CURSOR")) advance(p);
    advance(p);
    expect_word(p, W_FOR);
    uint32_t markers = p->n_markers; /* its ? are those of OPEN … USING */
    p->n_markers = 0;
    set(p, n, SLOT_QUERY, parse_query(p));
    p->n_markers = markers;
    if (accept_word(p, W_FOR)) {
        expect_text(p, "READ");
        expect_text(p, "ONLY");
    }
    return done(p, n);
}

static struct ast *cursor_name(struct parser *p) {
    struct ast *name = parse_name(p);
    if (name->n > 2)
        parse_error(p, name, "CURSOR_REFERENCE_INVALID_QUALIFIER", "cursorName", arena_printf(p->a, "%.*s", (int)(name->end - name->pos), p->text.p + name->pos), NULL);
    return name;
}

/* OPEN c [USING …], FETCH [[NEXT] FROM] c INTO …, CLOSE c */
static struct ast *parse_cursor_use(struct parser *p) {
    struct ast *n = command(p, text_at(p, 0, "OPEN") ? "open" : text_at(p, 0, "CLOSE") ? "close" : "fetch");
    bool fetch = str_eqz(n->text, "fetch");
    advance(p);
    if (fetch && text_at(p, 0, "NEXT") && word_at(p, 1) == W_FROM) advance(p);
    if (fetch) (void)accept_word(p, W_FROM);
    set(p, n, SLOT_NAME, cursor_name(p));
    if (str_eqz(n->text, "open") && accept_word(p, W_USING)) set(p, n, SLOT_USING, parse_using(p));
    if (fetch) {
        expect_word(p, W_INTO);
        struct ast *list = node(p, AST_LIST);
        do add(p, list, parse_name(p));
        while (accept(p, ','));
        set(p, n, SLOT_INTO, done(p, list));
    }
    return done(p, n);
}

bool at_cursor_statement(const struct parser *p) {
    static const char *const words[] = {"OPEN", "FETCH", "CLOSE"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (text_at(p, 0, words[i])) return kind_at(p, 1) != '(' && (at_identifier(p, 1, false) || word_at(p, 1) == W_FROM || text_at(p, 1, "IDENTIFIER"));
    return false;
}

static struct ast *parse_block(struct parser *p, struct ast *label) {
    struct ast *n = node(p, AST_S_SCRIPT);
    bool outer = p->in_script;
    p->in_script = true;
    n->text = label ? label->text : STR("");
    expect_word(p, W_BEGIN);
    if (accept_text(p, "ATOMIC"))
        n->flags |= AST_F_SPECIAL;
    else if (at_word(p, W_NOT) && text_at(p, 1, "ATOMIC"))
        p->at += 2;
    while (!at_word(p, W_END) && !failed(p)) {
        add(p, n, parse_script_statement(p));
        expect(p, ';');
    }
    expect_word(p, W_END);
    if (outer) end_label(p, label); /* the outermost has none */
    p->in_script = outer;
    return done(p, n);
}

static struct ast *parse_unlabelled(struct parser *p, struct ast *label) {
    enum sql_word w = word_at(p, 0), x = word_at(p, 1);
    if (w == W_BEGIN && !text_at(p, 1, "TRANSACTION") && !text_at(p, 1, "WORK")) return parse_block(p, label);
    if (begins_loop(w) && kind_at(p, 1) != '.') return parse_loop(p, label);
    if (label) syntax_error(p);
    switch (w) {
    case W_IF:
        return parse_if(p);
    case W_CASE:
        return parse_case_statement(p);
    case W_LEAVE:
    case W_ITERATE:
        return parse_jump(p);
    case W_SIGNAL:
    case W_RESIGNAL:
        return parse_signal(p);
    case W_GET:
        if (text_at(p, 1, "DIAGNOSTICS")) return parse_diagnostics(p);
        break;
    case W_DECLARE:
        if ((x == W_EXIT || x == W_CONTINUE) && word_at(p, 2) == W_HANDLER) return parse_handler(p);
        if (word_at(p, 2) == W_CONDITION) return parse_condition(p);
        if (at_cursor(p)) return parse_cursor(p);
        break;
    default:
        if (at_cursor_statement(p)) return parse_cursor_use(p);
        break;
    }
    return parse_statement(p);
}

static struct ast *parse_script_statement(struct parser *p) {
    struct ast *label = NULL, *n;
    if (!enter(p)) return node(p, AST_S_SCRIPT);
    bool called = text_at(p, 0, "IDENTIFIER") && kind_at(p, 1) == '(' && at_string(p, 2) && kind_at(p, 3) == ')';
    uint32_t colon = called ? 4 : 1;
    enum sql_word next = word_at(p, colon + 1); /* IF :parameter has no label */
    if ((called || at_identifier(p, 0, false)) && kind_at(p, colon) == ':' && (next == W_BEGIN || begins_loop(next))) {
        label = parse_label(p);
        advance(p);
    }
    n = parse_unlabelled(p, label);
    leave(p);
    return n;
}

struct ast *parse_script(struct parser *p) {
    bool inner = p->in_script;
    struct ast *n = parse_block(p, NULL);
    if (!inner && !failed(p)) script_check(p, n);
    return n;
}
