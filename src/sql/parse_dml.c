/* SPDX-License-Identifier: Apache-2.0 */
/* The statement's first word, and statements that change rows: INSERT, UPDATE, DELETE, MERGE. */
#include "sql/parse.h"

/* ---- parts ---- */

struct ast *parse_assignments(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    do {
        struct ast *a = node(p, AST_ASSIGN);
        add(p, a, parse_name(p));
        expect(p, '=');
        add(p, a, parse_expr(p));
        add(p, list, done(p, a));
    } while (accept(p, ','));
    return done(p, list);
}

struct ast *parse_partition_spec(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    do {
        struct ast *v = node(p, AST_PARTVAL);
        v->text = parse_ident(p)->text;
        if (accept(p, '=')) {
            if (at_kind(p, ')') || at_kind(p, ','))
                syntax_error(p);
            else
                add(p, v, parse_value(p));
        }
        add(p, list, done(p, v));
    } while (accept(p, ','));
    expect(p, ')');
    return done(p, list);
}

static struct ast *parse_target_alias(struct parser *p) {
    if (accept_word(p, W_AS)) return parse_ident(p);
    return at_bare_alias(p, true) && !at_word(p, W_SET) ? parse_ident(p) : NULL;
}

/* ---- INSERT ---- */

/* INSERT OVERWRITE [LOCAL] DIRECTORY …: a command. */
static struct ast *parse_insert_directory(struct parser *p, struct ast *n) {
    n->kind = AST_COMMAND;
    n->text = STR("insert_directory");
    if (accept_word(p, W_LOCAL)) n->flags |= AST_F_SPECIAL;
    expect_text(p, "DIRECTORY");
    if (at_string(p, 0)) set(p, n, SLOT_LOCATION, parse_string(p));
    if (accept_word(p, W_USING)) set(p, n, SLOT_USING, parse_ident(p));
    if (accept_word(p, W_OPTIONS)) set(p, n, SLOT_OPTIONS, parse_properties(p));
    while (!at_query(p) && !at_word(p, W_WITH) && !at_kind(p, T_END) && !at_kind(p, ';')) {
        /* ROW FORMAT …, STORED AS …: Hive's, told by the analyser. */
        advance(p);
        n->flags |= AST_F_EXTENDED;
    }
    set(p, n, SLOT_QUERY, parse_query(p));
    return done(p, n);
}

static void parse_replace(struct parser *p, struct ast *n) {
    advance(p);
    if (accept_word(p, W_WHERE))
        set(p, n, SLOT_WHERE, parse_expr(p));
    else if (accept_word(p, W_ON)) {
        p->before_query = true;
        set(p, n, SLOT_ON, parse_expr(p));
        p->before_query = false;
    } else {
        expect_word(p, W_USING);
        struct ast *list = node(p, AST_LIST);
        expect(p, '(');
        do add(p, list, parse_name(p));
        while (accept(p, ','));
        expect(p, ')');
        set(p, n, SLOT_USING, done(p, list));
    }
}

/* "(SELECT …) AS s": at_query() knows only what goes on as a query. */
static bool behind_bracket(const struct parser *p) {
    enum sql_word w = word_at(p, 1);
    return w == W_SELECT || w == W_WITH || w == W_VALUES;
}

static void parse_insert_columns(struct parser *p, struct ast *n) {
    if (at_word(p, W_BY) && word_at(p, 1) == W_NAME) {
        advance(p);
        advance(p);
        n->flags |= AST_F_BY_NAME;
    } else if (at_kind(p, '(') && !at_query(p) && !behind_bracket(p)) {
        struct ast *list = node(p, AST_LIST);
        advance(p);
        do add(p, list, parse_name(p));
        while (accept(p, ','));
        expect(p, ')');
        set(p, n, SLOT_NAMES, done(p, list));
    }
}

static bool at_replace(const struct parser *p) {
    enum sql_word w = word_at(p, 1);
    return at_word(p, W_REPLACE) && (w == W_WHERE || w == W_ON || w == W_USING);
}

static struct ast *parse_insert(struct parser *p, struct ast *n) {
    expect_word(p, W_INSERT);
    if (at_word(p, W_WITH)) {
        advance(p);
        expect_word(p, W_SCHEMA);
        expect_word(p, W_EVOLUTION);
        n->flags |= AST_F_EVOLVE;
    }
    if (accept_word(p, W_OVERWRITE)) {
        n->flags |= AST_F_OVERWRITE;
        if (text_at(p, 0, "DIRECTORY") || (at_word(p, W_LOCAL) && text_at(p, 1, "DIRECTORY")))
            return parse_insert_directory(p, n);
        (void)accept_word(p, W_INTO);
    } else
        expect_word(p, W_INTO);
    if (at_word(p, W_TABLE) && (at_identifier(p, 1, true))) advance(p);
    set(p, n, SLOT_NAME, parse_name(p));
    if (at_word(p, W_AS)) set(p, n, SLOT_ALIAS, parse_target_alias(p));
    if (at_word(p, W_WITH) && kind_at(p, 1) == '(') {
        advance(p);
        set(p, n, SLOT_OPTIONS, parse_properties(p));
    }
    if (at_word(p, W_PARTITION) && kind_at(p, 1) == '(') {
        advance(p);
        set(p, n, SLOT_PARTITION, parse_partition_spec(p));
    }
    n->flags |= accept_if_not_exists(p);
    parse_insert_columns(p, n);
    if (at_replace(p)) parse_replace(p, n);
    parse_insert_columns(p, n);
    p->in_dml = true;
    struct ast *source = node(p, AST_FROM_QUERY);
    set(p, n, SLOT_QUERY, parse_query(p));
    if (at_word(p, W_AS)) {
        set(p, source, SLOT_QUERY, ast_get(n, SLOT_QUERY));
        parse_table_alias(p, source);
        set(p, n, SLOT_FROM, source);
    }
    p->in_dml = false;
    return done(p, n);
}

/* ---- UPDATE, DELETE ---- */

static struct ast *parse_update(struct parser *p, struct ast *n) {
    n->kind = AST_S_UPDATE;
    expect_word(p, W_UPDATE);
    set(p, n, SLOT_NAME, parse_name(p));
    set(p, n, SLOT_ALIAS, parse_target_alias(p));
    expect_or_missing(p, W_SET);
    p->in_dml = true;
    set(p, n, SLOT_ITEMS, parse_assignments(p));
    p->in_dml = false;
    if (accept_word(p, W_WHERE)) set(p, n, SLOT_WHERE, parse_expr(p));
    return done(p, n);
}

static struct ast *parse_delete(struct parser *p, struct ast *n) {
    n->kind = AST_S_DELETE;
    expect_word(p, W_DELETE);
    expect_or_missing(p, W_FROM);
    set(p, n, SLOT_NAME, parse_name(p));
    set(p, n, SLOT_ALIAS, parse_target_alias(p));
    if (accept_word(p, W_WHERE)) set(p, n, SLOT_WHERE, parse_expr(p));
    return done(p, n);
}

/* ---- MERGE ---- */

static struct ast *parse_merge_insert(struct parser *p, struct ast *n) {
    n->text = STR("insert");
    advance(p);
    if (accept(p, '*')) {
        n->flags |= AST_F_ALL;
        return done(p, n);
    }
    if (at_kind(p, '(')) {
        struct ast *names = node(p, AST_LIST);
        advance(p);
        do add(p, names, parse_name(p));
        while (accept(p, ','));
        expect(p, ')');
        set(p, n, SLOT_NAMES, done(p, names));
    }
    expect_word(p, W_VALUES);
    set(p, n, SLOT_VALUES, parse_paren_exprs(p));
    return done(p, n);
}

static struct ast *parse_merge_do(struct parser *p, bool insert) {
    struct ast *n = node(p, AST_MERGE_DO);
    if (insert && at_word(p, W_INSERT)) return parse_merge_insert(p, n);
    if (!insert && accept_word(p, W_DELETE)) {
        n->text = STR("delete");
        return done(p, n);
    }
    n->text = STR("update");
    if (insert) syntax_error(p);
    expect_word(p, W_UPDATE);
    expect_word(p, W_SET);
    if (accept(p, '*'))
        n->flags |= AST_F_ALL;
    else
        set(p, n, SLOT_ITEMS, parse_assignments(p));
    return done(p, n);
}

static struct ast *parse_merge_when(struct parser *p) {
    struct ast *n = node(p, AST_MERGE_WHEN);
    expect_word(p, W_WHEN);
    bool not = accept_word(p, W_NOT);
    expect_word(p, W_MATCHED);
    bool source = false;
    if (not &&accept_word(p, W_BY)) {
        source = accept_word(p, W_SOURCE);
        if (!source) expect_word(p, W_TARGET);
    }
    n->text = !not ? STR("matched") : source ? STR("not_matched_by_source") : STR("not_matched");
    if (accept_word(p, W_AND)) set(p, n, SLOT_COND, parse_expr(p));
    expect_word(p, W_THEN);
    set(p, n, SLOT_ACTION, parse_merge_do(p, not &&!source));
    return done(p, n);
}

/* Only the last clause of a kind may come without a condition. */
static void check_merge(struct parser *p, const struct ast *n) {
    static const char *const kinds[][2] = {
        {"matched", "NON_LAST_MATCHED_CLAUSE_OMIT_CONDITION"},
        {"not_matched", "NON_LAST_NOT_MATCHED_BY_TARGET_CLAUSE_OMIT_CONDITION"},
        {"not_matched_by_source", "NON_LAST_NOT_MATCHED_BY_SOURCE_CLAUSE_OMIT_CONDITION"}};
    if (!n->n) parse_error(p, n, "MERGE_WITHOUT_WHEN", NULL);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        const struct ast *open = NULL;
        for (uint32_t i = 0; i < n->n; i++) {
            const struct ast *w = n->child[i];
            if (!str_eqz(w->text, kinds[k][0])) continue;
            if (open) parse_error(p, n, kinds[k][1], NULL);
            if (!ast_get(w, SLOT_COND)) open = w;
        }
    }
}

static struct ast *parse_merge(struct parser *p, struct ast *n) {
    n->kind = AST_S_MERGE;
    expect_word(p, W_MERGE);
    if (accept_words(p, W_WITH, W_SCHEMA)) {
        expect_word(p, W_EVOLUTION);
        n->flags |= AST_F_EVOLVE;
    }
    expect_word(p, W_INTO);
    set(p, n, SLOT_NAME, parse_name(p));
    set(p, n, SLOT_ALIAS, parse_target_alias(p));
    expect_word(p, W_USING);
    set(p, n, SLOT_FROM, parse_from_primary(p));
    expect_word(p, W_ON);
    set(p, n, SLOT_ON, parse_expr(p));
    p->in_dml = true;
    while (at_word(p, W_WHEN)) add(p, n, parse_merge_when(p));
    p->in_dml = false;
    done(p, n);
    if (!failed(p) && (n->n || at_kind(p, T_END) || at_kind(p, ';'))) check_merge(p, n);
    return n;
}

struct ast *parse_dml(struct parser *p) {
    struct ast *n = node(p, AST_S_INSERT);
    switch (word_at(p, 0)) {
    case W_INSERT:
        return parse_insert(p, n);
    case W_UPDATE:
        return parse_update(p, n);
    case W_DELETE:
        return parse_delete(p, n);
    case W_MERGE:
        return parse_merge(p, n);
    default:
        return NULL;
    }
}

/* WITH … SELECT, or WITH … INSERT and its relatives, which get the list in slot WITH. */
struct ast *parse_with_statement(struct parser *p) {
    struct ast *n = node(p, AST_S_QUERY), *q = node(p, AST_QUERY);
    parse_with(p, q);
    struct ast *dml = parse_dml(p);
    if (dml) {
        dml->pos = n->pos;
        dml->flags |= q->flags & AST_F_RECURSIVE;
        set(p, dml, SLOT_WITH, ast_get(q, SLOT_WITH));
        check_with(p, dml);
        return dml;
    }
    set(p, n, SLOT_QUERY, parse_query_rest(p, q));
    check_with(p, q);
    return done(p, n);
}

/* ---- statements ---- */

static struct ast *parse_explain(struct parser *p) {
    struct ast *n = node(p, AST_S_EXPLAIN);
    static const char *const modes[] = {"LOGICAL", "FORMATTED", "EXTENDED", "CODEGEN", "COST"};
    advance(p);
    n->text = STR("");
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        if (text_at(p, 0, modes[i])) {
            n->text = lower_text(p, tok_text(p, tok_at(p, 0)));
            advance(p);
            break;
        }
    if (enter(p)) {
        add(p, n, parse_statement(p));
        leave(p);
    }
    return done(p, n);
}

struct ast *parse_statement(struct parser *p) {
    struct ast *n = NULL;
    if (at_word(p, W_WITH)) return parse_with_statement(p);
    if (at_query(p) || at_word(p, W_SELECT) || at_word(p, W_VALUES) || at_kind(p, '(')) {
        n = node(p, AST_S_QUERY);
        set(p, n, SLOT_QUERY, parse_query(p));
        return done(p, n);
    }
    switch (word_at(p, 0)) {
    case W_INSERT:
    case W_UPDATE:
    case W_DELETE:
    case W_MERGE:
        return parse_dml(p);
    case W_EXPLAIN:
        if (text_at(p, 1, "ACCESS")) break;
        return parse_explain(p);
    case W_CREATE:
    case W_REPLACE:
        n = parse_create(p);
        break;
    case W_BEGIN:
        if (!text_at(p, 1, "TRANSACTION") && !text_at(p, 1, "WORK") && kind_at(p, 1) != T_END && kind_at(p, 1) != ';')
            n = parse_script(p);
        break;
    default:
        break;
    }
    if (!n) n = parse_session(p);
    if (!n) n = parse_command(p);
    if (!n) {
        if (!p->in_script && at_cursor_statement(p)) parse_error(p, node(p, AST_LIST), "CURSOR_OUTSIDE_SCRIPT", NULL);
        syntax_error(p);
        n = node(p, AST_S_QUERY);
    }
    return n;
}
