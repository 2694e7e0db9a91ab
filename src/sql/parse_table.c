/* SPDX-License-Identifier: Apache-2.0 */
/* CREATE TABLE, VIEW, FUNCTION; column definitions, constraints, properties. */
#include "sql/parse.h"

/* ---- properties ---- */

/* 'a.b', a.b, a.b-c: the key as text. */
str parse_property_key(struct parser *p) {
    if (at_string(p, 0)) { /* one: a value may follow without '=' */
        str key = sql_token_string(p->a, p->text, tok_at(p, 0));
        advance(p);
        return key;
    }
    const struct sql_token *first = tok_at(p, 0);
    str key = parse_ident(p)->text;
    if (!at_kind(p, '.') && !at_kind(p, '-')) return key;
    while ((at_kind(p, '.') || at_kind(p, '-')) && at_identifier(p, 1, false)) {
        advance(p);
        advance(p);
    }
    uint32_t end = p->tok[p->at - 1].end;
    return str_n(p->text.p + first->pos, end - first->pos);
}

static struct ast *parse_property_value(struct parser *p) {
    if (at_string(p, 0)) return parse_string(p);
    if (at_kind(p, T_NUMBER)) return parse_number(p, false);
    if (at_kind(p, '-') && kind_at(p, 1) == T_NUMBER) {
        advance(p);
        return parse_number(p, true);
    }
    return parse_value(p);
}

struct ast *parse_properties(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    if (at_kind(p, ')')) {
        syntax_error(p);
        return list;
    }
    do {
        struct ast *n = node(p, AST_PROPERTY);
        n->text = parse_property_key(p);
        (void)accept(p, '=');
        if (!at_kind(p, ',') && !at_kind(p, ')')) add(p, n, parse_property_value(p));
        add(p, list, done(p, n));
    } while (accept(p, ','));
    expect(p, ')');
    return done(p, list);
}

struct ast *parse_property_keys(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    do {
        struct ast *n = node(p, AST_PROPERTY);
        n->text = parse_property_key(p);
        add(p, list, done(p, n));
    } while (accept(p, ','));
    expect(p, ')');
    return done(p, list);
}

/* ---- constraints ---- */

static const char *const constraint_options[][4] = {{"NOT", "ENFORCED"},
                                                    {"ENFORCED"},
                                                    {"NOT", "DEFERRABLE"},
                                                    {"DEFERRABLE"},
                                                    {"INITIALLY", "DEFERRED"},
                                                    {"INITIALLY", "IMMEDIATE"},
                                                    {"NORELY"},
                                                    {"RELY"},
                                                    {"MATCH", "FULL"},
                                                    {"TIMESERIES"},
                                                    {"ON", "UPDATE", "NO", "ACTION"},
                                                    {"ON", "DELETE", "NO", "ACTION"}};

static void parse_constraint_options(struct parser *p, struct ast *n) {
    for (size_t i = 0; i < ARRAY_LEN(constraint_options);) {
        uint32_t words = 0;
        while (words < 4 && constraint_options[i][words] &&
               text_at(p, words, constraint_options[i][words]))
            words++;
        if (words && (words == 4 || !constraint_options[i][words])) {
            struct ast *option = node(p, AST_IDENT);
            p->at += words;
            done(p, option);
            option->text = lower_text(p, str_n(p->text.p + option->pos, option->end - option->pos));
            add(p, n, option);
            i = 0;
        } else
            i++;
    }
}

static void parse_references(struct parser *p, struct ast *n) {
    expect_word(p, W_REFERENCES);
    set(p, n, SLOT_REF, parse_name(p));
    if (at_kind(p, '(')) set(p, n, SLOT_REFNAMES, parse_ident_list(p));
}

/* Key columns, each of which may be followed by TIMESERIES. */
static struct ast *parse_key_columns(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    do {
        add(p, list, parse_ident(p));
        (void)accept_text(p, "TIMESERIES");
    } while (accept(p, ','));
    expect(p, ')');
    return done(p, list);
}

static bool at_constraint(const struct parser *p) {
    enum sql_word w = word_at(p, 0), x = word_at(p, 1);
    if (w == W_CONSTRAINT) return at_identifier(p, 1, false) && kind_at(p, 2) == T_WORD;
    return (w == W_PRIMARY && x == W_KEY) || (w == W_FOREIGN && x == W_KEY) ||
           (w == W_CHECK && kind_at(p, 1) == '(') || (w == W_UNIQUE && kind_at(p, 1) == '(');
}

struct ast *parse_constraint(struct parser *p) {
    struct ast *n = node(p, AST_CONSTRAINT);
    n->text = accept_word(p, W_CONSTRAINT) ? parse_ident(p)->text : STR("");
    if (accept_words(p, W_PRIMARY, W_KEY)) {
        n->op = 'p';
        if (at_kind(p, '(')) set(p, n, SLOT_NAMES, parse_key_columns(p));
    } else if (accept_words(p, W_FOREIGN, W_KEY)) {
        n->op = 'f';
        if (at_kind(p, '(')) set(p, n, SLOT_NAMES, parse_ident_list(p));
        parse_references(p, n);
    } else if (at_word(p, W_REFERENCES)) {
        n->op = 'f';
        parse_references(p, n);
    } else if (accept_word(p, W_UNIQUE)) {
        n->op = 'u';
        if (at_kind(p, '(')) set(p, n, SLOT_NAMES, parse_ident_list(p));
    } else {
        /* EXPECT is of streaming tables. */
        n->op = accept_text(p, "EXPECT") ? 'e' : 'c';
        if (n->op == 'c') expect_word(p, W_CHECK);
        expect(p, '(');
        set(p, n, SLOT_EXPR, parse_expr(p));
        expect(p, ')');
        if (n->op == 'e' && accept_word(p, W_ON)) {
            expect_text(p, "VIOLATION");
            while (at_kind(p, T_WORD)) add(p, n, parse_ident(p));
        }
    }
    parse_constraint_options(p, n);
    return done(p, n);
}

/* ---- columns ---- */

static void parse_generated(struct parser *p, struct ast *n) {
    advance(p);
    bool always = accept_word(p, W_ALWAYS);
    if (!always) {
        expect_word(p, W_BY);
        expect_word(p, W_DEFAULT);
    }
    expect_word(p, W_AS);
    if (!at_word(p, W_IDENTITY)) {
        if (!always) syntax_error(p);
        expect(p, '(');
        set(p, n, SLOT_GENERATED, parse_expr(p));
        expect(p, ')');
        return;
    }
    struct ast *list = node(p, AST_LIST), *start = ast_text(p->a, AST_LIT_NUMBER, STR("1")),
               *step = start;
    list->op = always ? 'a' : 'd';
    advance(p);
    if (accept(p, '(')) {
        while (!at_kind(p, ')') && !failed(p)) {
            struct ast **to = at_word(p, W_START) ? &start : &step;
            if (accept_word(p, W_START))
                expect_word(p, W_WITH);
            else {
                expect_word(p, W_INCREMENT);
                expect_word(p, W_BY);
            }
            bool minus = accept(p, '-');
            *to = parse_number(p, minus);
            (void)accept(p, ',');
        }
        expect(p, ')');
    }
    add(p, list, start);
    add(p, list, step);
    set(p, n, SLOT_IDENTITY, done(p, list));
}

/* MASK f [USING COLUMNS (a, 'x')]: a CALL with what the function gets after the column. */
struct ast *parse_mask(struct parser *p) {
    struct ast *n = node(p, AST_CALL);
    set(p, n, SLOT_NAME, parse_name(p));
    if (accept_words(p, W_USING, W_COLUMNS)) {
        struct ast *list = parse_paren_exprs(p);
        for (uint32_t i = 0; i < list->n; i++) add(p, n, list->child[i]);
    }
    return done(p, n);
}

static bool parse_column_option(struct parser *p, struct ast *n, struct ast **constraints) {
    if (accept_words(p, W_NOT, W_NULL))
        n->flags |= AST_F_NOT_NULL;
    else if (at_word(p, W_COMMENT)) {
        advance(p);
        set(p, n, SLOT_COMMENT, parse_string(p));
    } else if (accept_word(p, W_DEFAULT))
        set(p, n, SLOT_DEFAULT, parse_expr(p));
    else if (at_word(p, W_GENERATED))
        parse_generated(p, n);
    else if (accept_word(p, W_COLLATE))
        set(p, n, SLOT_COLLATION, parse_ident(p));
    else if (accept_word(p, W_MASK))
        set(p, n, SLOT_MASK, parse_mask(p));
    else if (accept_word(p, W_FIRST))
        n->flags |= AST_F_FIRST;
    else if (accept_word(p, W_AFTER))
        set(p, n, SLOT_AFTER, parse_ident(p));
    else if (at_constraint(p) || at_word(p, W_REFERENCES) || at_words(p, W_PRIMARY, W_KEY) ||
             at_word(p, W_UNIQUE)) {
        if (!*constraints) *constraints = node(p, AST_LIST);
        add(p, *constraints, parse_constraint(p));
    } else if (accept_word(p, W_NULL))
        return true;
    else
        return false;
    return true;
}

/* name [:] TYPE options. Without a type in views. A nested name (ADD COLUMN a.b INT) is in slot
 * NAME as a whole. */
struct ast *parse_column_def(struct parser *p) {
    struct ast *n = node(p, AST_COLUMN_DEF), *constraints = NULL;
    struct ast *name = node(p, AST_NAME);
    add(p, name, parse_ident(p));
    while (accept(p, '.')) add(p, name, parse_ident(p));
    done(p, name);
    n->text = name->child[name->n - 1]->text;
    if (name->n > 1) set(p, n, SLOT_NAME, name);
    (void)accept(p, ':');
    bool option = word_at(p, 0) == W_COMMENT || at_words(p, W_NOT, W_NULL) || at_word(p, W_MASK) ||
                  at_word(p, W_GENERATED);
    if (at_identifier(p, 0, false) && !(option && kind_at(p, 1) != ',' && kind_at(p, 1) != ')'))
        set(p, n, SLOT_TYPE, parse_type(p));
    while (parse_column_option(p, n, &constraints)) continue;
    set(p, n, SLOT_CONSTRAINTS, constraints);
    return done(p, n);
}

struct ast *parse_column_defs(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    do add(p, list, parse_column_def(p));
    while (accept(p, ','));
    return done(p, list);
}

/* (a INT, CONSTRAINT c CHECK (…), …) */
static void parse_table_elements(struct parser *p, struct ast *n) {
    struct ast *columns = node(p, AST_LIST), *constraints = node(p, AST_LIST);
    expect(p, '(');
    if (!at_kind(p, ')')) {
        do {
            struct ast *def = at_constraint(p) ? parse_constraint(p) : parse_column_def(p);
            add(p, def->kind == AST_CONSTRAINT ? constraints : columns, def);
            if (n->kind == AST_S_CREATE_TABLE && def->kind == AST_COLUMN_DEF &&
                !ast_get(def, SLOT_TYPE))
                syntax_error(p);
        } while (accept(p, ','));
    }
    expect(p, ')');
    set(p, n, SLOT_COLUMNS, done(p, columns));
    if (constraints->n) set(p, n, SLOT_CONSTRAINTS, constraints);
}

/* ---- clauses of tables and views ---- */

/* PARTITIONED BY (a, b) or (a INT): IDENT or COLUMN_DEF; transforms (years(a)) as CALL. */
static struct ast *parse_partitioned(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    do {
        unsigned next = kind_at(p, 1);
        if (next == '(')
            add(p, list, parse_primary(p));
        else if (next == ',' || next == ')')
            add(p, list, parse_ident(p));
        else if (next == '.')
            add(p, list, parse_name(p));
        else
            add(p, list, parse_column_def(p));
    } while (accept(p, ','));
    expect(p, ')');
    return done(p, list);
}

/* CLUSTER BY (a, b), AUTO, NONE */
struct ast *parse_cluster(struct parser *p) {
    if (!at_kind(p, '(')) {
        struct ast *n = node(p, AST_IDENT);
        if (!at_word(p, W_AUTO) && !at_word(p, W_NONE)) syntax_error(p);
        n->text = lower_text(p, tok_text(p, tok_at(p, 0)));
        advance(p);
        return n;
    }
    struct ast *list = node(p, AST_LIST);
    advance(p);
    if (!at_kind(p, ')')) {
        do add(p, list, parse_name(p));
        while (accept(p, ','));
    }
    expect(p, ')');
    return done(p, list);
}

/* WITH ROW FILTER f ON (a, 'x'): a CALL. */
struct ast *parse_row_filter(struct parser *p) {
    struct ast *n = node(p, AST_CALL);
    set(p, n, SLOT_NAME, parse_name(p));
    expect_word(p, W_ON);
    struct ast *list = parse_paren_exprs(p);
    for (uint32_t i = 0; i < list->n; i++) add(p, n, list->child[i]);
    return done(p, n);
}

/* CLUSTERED BY (a) [SORTED BY (…)] INTO 4 BUCKETS, SKEWED BY …, ROW FORMAT …, STORED AS …: Hive's;
 * kept as one text. */
static bool parse_hive_clause(struct parser *p, struct ast *n) {
    enum sql_word w = word_at(p, 0);
    bool hive = (w == W_CLUSTERED || w == W_SKEWED || w == W_SORTED) && word_at(p, 1) == W_BY;
    hive = hive || (w == W_ROW && word_at(p, 1) == W_FORMAT) ||
           (w == W_STORED && (word_at(p, 1) == W_AS || word_at(p, 1) == W_BY));
    if (!hive) return false;
    struct ast *format = node(p, AST_IDENT);
    if (w == W_CLUSTERED) {
        p->at += 2;
        (void)parse_ident_list(p);
        if (accept_words(p, W_SORTED, W_BY)) {
            expect(p, '(');
            (void)parse_sort_list(p);
            expect(p, ')');
        }
        expect_word(p, W_INTO);
        (void)parse_number(p, false);
        expect_word(p, W_BUCKETS);
    } else if (w == W_STORED) {
        p->at += 2;
        if (accept_text(p, "INPUTFORMAT")) {
            (void)parse_string(p);
            expect_text(p, "OUTPUTFORMAT");
            (void)parse_string(p);
        } else if (at_string(p, 0))
            (void)parse_string(p);
        else
            (void)parse_ident(p);
    } else {
        p->at += 2;
        while (!failed(p) && !at_kind(p, T_END) && !at_kind(p, ';') && !at_word(p, W_STORED) &&
               !at_word(p, W_LOCATION) && !at_word(p, W_TBLPROPERTIES) && !at_word(p, W_AS) &&
               !at_query(p) && !at_word(p, W_PARTITIONED)) {
            if (at_kind(p, '(') && tok_at(p, 0)->match) p->at = tok_at(p, 0)->match;
            advance(p);
        }
    }
    done(p, format);
    format->text = str_n(p->text.p + format->pos, format->end - format->pos);
    set(p, n, SLOT_FORMAT, format);
    return true;
}

/* delta, or a class: a.b.C, as one IDENT. */
static struct ast *parse_provider(struct parser *p) {
    struct ast *n = parse_ident(p);
    while (accept(p, '.')) {
        (void)parse_ident(p);
        done(p, n);
        n->text = str_n(p->text.p + n->pos, n->end - n->pos);
    }
    return n;
}

static void only_once(struct parser *p, struct ast *n, enum ast_slot slot, const char *clause) {
    if (!ast_get(n, slot) || failed(p)) return;
    parse_error(p, done(p, n), "DUPLICATE_CLAUSES", "clauseName", clause, NULL);
}

static bool parse_table_clause(struct parser *p, struct ast *n) {
    if (at_words(p, W_PARTITIONED, W_BY)) {
        only_once(p, n, SLOT_PARTITION, "PARTITIONED BY");
        p->at += failed(p) ? 0 : 2;
        set(p, n, SLOT_PARTITION, parse_partitioned(p));
    } else if (at_words(p, W_CLUSTER, W_BY)) {
        only_once(p, n, SLOT_CLUSTER, "CLUSTER BY");
        p->at += failed(p) ? 0 : 2;
        set(p, n, SLOT_CLUSTER, parse_cluster(p));
    } else if (at_word(p, W_COMMENT)) {
        only_once(p, n, SLOT_COMMENT, "COMMENT");
        (void)accept_word(p, W_COMMENT);
        set(p, n, SLOT_COMMENT, parse_string(p));
    } else if (at_word(p, W_TBLPROPERTIES)) {
        only_once(p, n, SLOT_PROPERTIES, "TBLPROPERTIES");
        (void)accept_word(p, W_TBLPROPERTIES);
        set(p, n, SLOT_PROPERTIES, parse_properties(p));
    } else if (at_word(p, W_LOCATION)) {
        only_once(p, n, SLOT_LOCATION, "LOCATION");
        (void)accept_word(p, W_LOCATION);
        set(p, n, SLOT_LOCATION, parse_string(p));
    } else if (accept_word(p, W_OPTIONS))
        set(p, n, SLOT_OPTIONS, parse_properties(p));
    else if (accept_words(p, W_DEFAULT, W_COLLATION))
        set(p, n, SLOT_COLLATION, parse_ident(p));
    else if (at_words(p, W_WITH, W_ROW) && word_at(p, 2) == W_FILTER) {
        p->at += 3;
        set(p, n, SLOT_FILTER, parse_row_filter(p));
    } else if (accept_word(p, W_USING))
        set(p, n, SLOT_USING, parse_provider(p));
    else
        return parse_hive_clause(p, n);
    return true;
}

/* ---- CREATE TABLE ---- */

static void parse_clone(struct parser *p, struct ast *n) {
    n->op = at_word(p, W_SHALLOW) ? 's' : 'd';
    if (!at_word(p, W_CLONE)) advance(p);
    expect_word(p, W_CLONE);
    struct ast *source = node(p, AST_FROM_TABLE);
    set(p, source, SLOT_NAME, parse_name(p));
    set(p, n, SLOT_CLONE, ast_get(source, SLOT_NAME));
    uint32_t ahead = at_word(p, W_FOR);
    enum sql_word w = word_at(p, ahead);
    if (word_at(p, ahead + 1) == W_AS && word_at(p, ahead + 2) == W_OF &&
        (w == W_VERSION || w == W_TIMESTAMP)) {
        p->at += ahead + 3;
        set(p, n, w == W_VERSION ? SLOT_VERSION : SLOT_TIMESTAMP, parse_value(p));
    }
    while (parse_table_clause(p, n)) continue;
}

static bool parse_view_clause(struct parser *p, struct ast *n);

static struct ast *parse_create_table(struct parser *p, struct ast *n) {
    /* Streaming tables are created with the clauses of views. */
    bool (*clause)(struct parser *, struct ast *) =
        n->kind == AST_COMMAND ? parse_view_clause : parse_table_clause;
    n->flags |= accept_if_not_exists(p);
    set(p, n, SLOT_NAME, parse_name(p));
    if (at_word(p, W_CLONE) ||
        ((at_word(p, W_SHALLOW) || at_word(p, W_DEEP)) && word_at(p, 1) == W_CLONE)) {
        parse_clone(p, n);
        return done(p, n);
    }
    if (accept_word(p, W_LIKE)) {
        set(p, n, SLOT_LIKE, parse_name(p));
        while (parse_table_clause(p, n)) continue;
        return done(p, n);
    }
    if (at_kind(p, '(') && !at_query(p)) parse_table_elements(p, n);
    while (clause(p, n)) continue;
    bool as = accept_word(p, W_AS);
    if (as || at_query(p)) set(p, n, SLOT_QUERY, parse_query(p));
    return done(p, n);
}

/* ---- CREATE VIEW ---- */

/* What stands before AS: WITH SCHEMA …, SCHEDULE …, TRIGGER ON …, of views and materialized views.
 */
static bool parse_view_clause(struct parser *p, struct ast *n) {
    if (at_words(p, W_WITH, W_SCHEMA)) {
        p->at += 2;
        struct ast *mode = node(p, AST_IDENT);
        /* BINDING, COMPENSATION, EVOLUTION, TYPE EVOLUTION */
        (void)accept_word(p, W_TYPE);
        mode->text = lower_text(p, tok_text(p, tok_at(p, 0)));
        (void)parse_ident(p);
        set(p, n, SLOT_SCHEMA, done(p, mode));
        return true;
    }
    if (at_words(p, W_WITH, W_METRICS)) {
        p->at += 2;
        n->flags |= AST_F_SPECIAL;
        return true;
    }
    if (accept_word(p, W_LANGUAGE)) {
        set(p, n, SLOT_LANGUAGE, parse_ident(p));
        return true;
    }
    if (text_at(p, 0, "SCHEDULE") || (text_at(p, 0, "TRIGGER") && word_at(p, 1) == W_ON)) {
        struct ast *schedule = node(p, AST_IDENT);
        while (!at_word(p, W_AS) && !at_kind(p, T_END) && !at_kind(p, ';') &&
               !at_word(p, W_COMMENT) && !at_word(p, W_TBLPROPERTIES))
            advance(p);
        done(p, schedule);
        schedule->text = str_n(p->text.p + schedule->pos, schedule->end - schedule->pos);
        set(p, n, SLOT_KEY, schedule);
        return true;
    }
    return parse_table_clause(p, n);
}

static void parse_own_text(struct parser *p, struct ast *n, const struct ast *body) {
    n->text = body->end > body->pos ? str_n(p->text.p + body->pos, body->end - body->pos) : STR("");
}

static struct ast *parse_create_view(struct parser *p, struct ast *n) {
    n->kind = AST_S_CREATE_VIEW;
    n->flags |= accept_if_not_exists(p);
    set(p, n, SLOT_NAME, parse_name(p));
    if (at_kind(p, '(') && !at_query(p)) parse_table_elements(p, n);
    while (parse_view_clause(p, n)) continue;
    if (ast_get(n, SLOT_USING) && !at_word(p, W_AS)) return done(p, n);
    expect_word(p, W_AS);
    if ((n->flags & AST_F_SPECIAL) && at_string(p, 0)) {
        struct ast *yaml = parse_string(p);
        n->text = yaml->text;
        return done(p, n);
    }
    struct ast *q = parse_query(p);
    set(p, n, SLOT_QUERY, q);
    parse_own_text(p, n, q);
    return done(p, n);
}

/* ---- CREATE FUNCTION ---- */

static bool parse_characteristic(struct parser *p, struct ast *n, struct ast *options) {
    static const char *const words[][4] = {{"NOT", "DETERMINISTIC"},
                                           {"DETERMINISTIC"},
                                           {"CONTAINS", "SQL"},
                                           {"READS", "SQL", "DATA"},
                                           {"MODIFIES", "SQL", "DATA"},
                                           {"NO", "SQL"},
                                           {"SQL", "SECURITY", "DEFINER"},
                                           {"SQL", "SECURITY", "INVOKER"},
                                           {"PARAMETER", "STYLE", "PANDAS"},
                                           {"CALLED", "ON", "NULL", "INPUT"}};
    if (accept_word(p, W_LANGUAGE))
        set(p, n, SLOT_LANGUAGE, parse_ident(p));
    else if (accept_word(p, W_COMMENT))
        set(p, n, SLOT_COMMENT, parse_string(p));
    else if (accept_words(p, W_DEFAULT, W_COLLATION))
        set(p, n, SLOT_COLLATION, parse_ident(p));
    else if (text_at(p, 0, "ENVIRONMENT") && kind_at(p, 1) == '(') {
        advance(p);
        set(p, n, SLOT_PROPERTIES, parse_properties(p));
    } else if (accept_word(p, W_HANDLER))
        set(p, n, SLOT_KEY, parse_string(p));
    else {
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            uint32_t k = 0;
            while (k < 4 && words[i][k] && text_at(p, k, words[i][k])) k++;
            if (!k || (k < 4 && words[i][k])) continue;
            struct ast *option = node(p, AST_IDENT);
            p->at += k;
            done(p, option);
            option->text = lower_text(p, str_n(p->text.p + option->pos, option->end - option->pos));
            add(p, options, option);
            return true;
        }
        return false;
    }
    return true;
}

static struct ast *parse_params(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    if (!at_kind(p, ')')) {
        do {
            /* IN, OUT, INOUT are of procedures. */
            if ((at_word(p, W_IN) || at_word(p, W_OUT) || text_at(p, 0, "INOUT")) &&
                at_identifier(p, 1, false) && kind_at(p, 2) == T_WORD)
                advance(p);
            add(p, list, parse_column_def(p));
        } while (accept(p, ','));
    }
    expect(p, ')');
    return done(p, list);
}

static void parse_returns(struct parser *p, struct ast *n) {
    if (!at_word(p, W_TABLE)) {
        set(p, n, SLOT_RETURNS, parse_type(p));
        return;
    }
    struct ast *list = node(p, AST_LIST);
    advance(p);
    if (accept(p, '(')) {
        list = parse_column_defs(p);
        expect(p, ')');
    }
    set(p, n, SLOT_RETURNS, list);
}

static void parse_body(struct parser *p, struct ast *n) {
    bool table = ast_is(ast_get(n, SLOT_RETURNS), AST_LIST);
    if (accept_word(p, W_AS)) {
        if (at_string(p, 0)) {
            struct ast *body = parse_string(p);
            n->text = body->text;
            set(p, n, SLOT_VALUE, body);
            if (accept_word(p, W_USING)) {
                struct ast *files = node(p, AST_LIST);
                do {
                    struct ast *file = node(p, AST_PROPERTY);
                    file->text = parse_ident(p)->text;
                    add(p, file, parse_string(p));
                    add(p, files, done(p, file));
                } while (accept(p, ','));
                set(p, n, SLOT_FILES, done(p, files));
            }
            return;
        }
    } else
        expect_word(p, W_RETURN);
    struct ast *body;
    bool paren = at_kind(p, '(');
    if ((table || !paren) && at_query(p))
        set(p, n, SLOT_QUERY, body = parse_query(p));
    else
        set(p, n, SLOT_EXPR, body = parse_expr(p));
    parse_own_text(p, n, body);
}

static const char *lower_quoted(struct parser *p, str s) { return arena_printf(p->a, "`%.*s`", STR_ARG(lower_text(p, s))); }

/* Names of parameters and of a table's columns: each once, and none NOT NULL. */
static void check_function_names(struct parser *p, const struct ast *n, const struct ast *list, bool params, const char *function) {
    for (uint32_t i = 0; list && i < list->n && !failed(p); i++) {
        if (list->child[i]->flags & AST_F_NOT_NULL)
            parse_error(p, n, "USER_DEFINED_FUNCTIONS.NOT_NULL_ON_FUNCTION_PARAMETERS", "input",
                        arena_strndup(p->a, p->text.p + list->child[0]->pos, list->child[list->n - 1]->end - list->child[0]->pos), NULL);
        for (uint32_t k = 0; k < i && !failed(p); k++)
            if (str_ieq(list->child[i]->text, list->child[k]->text))
                parse_error(p, n, params ? "DUPLICATE_ROUTINE_PARAMETER_NAMES" : "DUPLICATE_ROUTINE_RETURNS_COLUMNS", "routineName", function, params ? "names" : "columns",
                            lower_quoted(p, list->child[i]->text), NULL);
    }
}

static void check_defaults(struct parser *p, const struct ast *n, const struct ast *list, const char *function) {
    for (uint32_t i = 0; list && i < list->n && !failed(p); i++) {
        const struct ast *d = ast_get(list->child[i], SLOT_DEFAULT);
        const char *name = arena_printf(p->a, "%.*s", STR_ARG(list->child[i]->text));
        if (d && ast_has_query(d)) parse_error(p, n, "USER_DEFINED_FUNCTIONS.NOT_A_VALID_DEFAULT_EXPRESSION", "functionName", function, "parameterName", name, NULL);
        if (d && i + 1 < list->n && !ast_get(list->child[i + 1], SLOT_DEFAULT) && !failed(p))
            parse_error(p, n, "USER_DEFINED_FUNCTIONS.NOT_A_VALID_DEFAULT_PARAMETER_POSITION", "functionName", function, "parameterName", name, "nextParameterName",
                        arena_printf(p->a, "%.*s", STR_ARG(list->child[i + 1]->text)), NULL);
    }
}

static void check_function(struct parser *p, const struct ast *n) {
    const struct ast *name = ast_get(n, SLOT_NAME), *returns = ast_get(n, SLOT_RETURNS);
    const char *function = name->kind == AST_NAME && name->n ? arena_printf(p->a, "%.*s", STR_ARG(name->child[name->n - 1]->text)) : "";
    if (failed(p)) return;
    check_function_names(p, n, ast_get(n, SLOT_PARAMS), true, function);
    check_defaults(p, n, ast_get(n, SLOT_PARAMS), function);
    if (!ast_is(returns, AST_LIST)) return;
    check_function_names(p, n, returns, false, function);
    if (ast_get(n, SLOT_EXPR) && !failed(p)) parse_error(p, n, "USER_DEFINED_FUNCTIONS.SQL_TABLE_UDF_BODY_MUST_BE_A_QUERY", "name", function, NULL);
}

/* Parameters are no columns: the errors stand over the whole statement. */
static void check_params(struct parser *p, const struct ast *n) {
    const struct ast *params = ast_get(n, SLOT_PARAMS);
    for (uint32_t i = 0; params && i < params->n; i++) {
        const struct ast *def = params->child[i];
        if (ast_get(def, SLOT_GENERATED) || ast_get(def, SLOT_IDENTITY))
            parse_error(p, n, "INVALID_SQL_SYNTAX.CREATE_FUNC_WITH_GENERATED_COLUMNS_AS_PARAMETERS",
                        NULL);
        if (ast_get(def, SLOT_CONSTRAINTS))
            parse_error(p, n, "INVALID_SQL_SYNTAX.CREATE_FUNC_WITH_COLUMN_CONSTRAINTS", NULL);
    }
}

static struct ast *parse_create_function(struct parser *p, struct ast *n) {
    n->kind = AST_S_CREATE_FUNCTION;
    n->text = STR("");
    n->flags |= accept_if_not_exists(p);
    set(p, n, SLOT_NAME, parse_name(p));
    if (at_kind(p, '(')) set(p, n, SLOT_PARAMS, parse_params(p));
    if (accept_word(p, W_RETURNS)) parse_returns(p, n);
    struct ast *options = node(p, AST_LIST);
    while (parse_characteristic(p, n, options)) continue;
    if (options->n) set(p, n, SLOT_OPTIONS, options);
    parse_body(p, n);
    check_params(p, done(p, n));
    check_function(p, n);
    return n;
}

/* CREATE [OR REPLACE] PROCEDURE name(params) characteristics AS BEGIN … END: a command with slot
 * ACTION. */
static struct ast *parse_create_procedure(struct parser *p, struct ast *n) {
    n->kind = AST_COMMAND;
    n->text = STR("create_procedure");
    n->flags |= accept_if_not_exists(p);
    set(p, n, SLOT_NAME, parse_name(p));
    set(p, n, SLOT_PARAMS, parse_params(p));
    struct ast *options = node(p, AST_LIST);
    while (parse_characteristic(p, n, options)) continue;
    if (options->n) set(p, n, SLOT_OPTIONS, options);
    expect_word(p, W_AS);
    set(p, n, SLOT_ACTION, parse_script(p));
    return done(p, n);
}

/* NULL, with the position as it was, when it is none of these. */
struct ast *parse_create(struct parser *p) {
    struct parse_mark m = try_begin(p);
    struct ast *n = node(p, AST_S_CREATE_TABLE);
    bool replace_only = at_word(p, W_REPLACE);
    advance(p);
    if (replace_only)
        n->flags |= AST_F_REPLACE | AST_F_IF_EXISTS;
    else if (at_words(p, W_OR, W_REPLACE) || at_words(p, W_OR, W_REFRESH)) {
        p->at += 2;
        n->flags |= AST_F_REPLACE;
    }
    for (bool more = true; more;) {
        if (accept_word(p, W_TEMPORARY) || accept_word(p, W_TEMP))
            n->flags |= AST_F_TEMP;
        else if (accept_word(p, W_GLOBAL))
            n->flags |= AST_F_GLOBAL;
        else if (at_words(p, W_EXTERNAL, W_TABLE) && accept_word(p, W_EXTERNAL))
            n->flags |= AST_F_EXTERNAL;
        else if (accept_word(p, W_MATERIALIZED))
            n->flags |= AST_F_MATERIALIZED;
        else if (accept_word(p, W_STREAMING))
            n->flags |= AST_F_STREAM;
        else if (!accept_text(p, "PRIVATE"))
            more = false;
    }
    bool bloom = text_at(p, 0, "BLOOMFILTER");
    if (!bloom && accept_word(p, W_TABLE)) {
        if (n->flags & AST_F_STREAM) {
            n->kind = AST_COMMAND;
            n->text = STR("create_streaming_table");
        }
        return parse_create_table(p, n);
    }
    if (accept_word(p, W_VIEW)) return parse_create_view(p, n);
    if (accept_word(p, W_FUNCTION)) return parse_create_function(p, n);
    if (accept_text(p, "PROCEDURE")) return parse_create_procedure(p, n);
    p->at = m.at;
    return NULL;
}
