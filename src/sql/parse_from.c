/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in FROM: tables, subqueries, functions, joins, PIVOT, UNPIVOT, LATERAL VIEW,
 * TABLESAMPLE, time travel. */
#include "sql/parse.h"

/* ---- tables ---- */

void mark_path(struct ast *table) {
    static const char *const formats[] = {"parquet", "delta", "csv",        "json", "orc",
                                          "avro",    "text",  "binaryfile", "xml"};
    struct ast *name = ast_get(table, SLOT_NAME);
    if (!ast_is(name, AST_NAME) || name->n != 2 || !(name->child[1]->flags & AST_F_QUOTED)) return;
    for (size_t i = 0; i < ARRAY_LEN(formats); i++)
        if (str_ieq(name->child[0]->text, str_of(formats[i]))) table->flags |= AST_F_PATH;
}

/* [FOR] VERSION AS OF 3, [FOR] TIMESTAMP AS OF '…', t@v3, t@20240101000000000 */
static void parse_time_travel(struct parser *p, struct ast *n) {
    if (at_kind(p, '@')) {
        advance(p);
        str s = tok_text(p, tok_at(p, 0));
        if (at_kind(p, T_WORD) && s.n > 1 && (s.p[0] | 32) == 'v') {
            struct ast *version = node(p, AST_LIT_NUMBER);
            version->text = str_from(s, 1);
            set(p, n, SLOT_VERSION, version);
        } else if (at_kind(p, T_NUMBER)) {
            struct ast *time = node(p, AST_LIT_STRING);
            time->text = s;
            set(p, n, SLOT_TIMESTAMP, time);
        } else
            syntax_error(p);
        advance(p);
        return;
    }
    uint32_t ahead = at_word(p, W_FOR);
    enum sql_word w = word_at(p, ahead);
    if (word_at(p, ahead + 1) != W_AS || word_at(p, ahead + 2) != W_OF) return;
    bool version = w == W_VERSION || w == W_SYSTEM_VERSION;
    if (!version && w != W_TIMESTAMP && w != W_SYSTEM_TIME) return;
    p->at += ahead + 3;
    set(p, n, version ? SLOT_VERSION : SLOT_TIMESTAMP, parse_value(p));
}

static struct ast *sample_number(struct parser *p) {
    if (at_kind(p, '-')) {
        advance(p);
        return parse_number(p, true);
    }
    return at_kind(p, T_NUMBER) ? parse_number(p, false) : parse_value(p);
}

/* Percents lie in [0, 100]; bytes are not taken. */
static void check_sample(struct parser *p, const struct ast *n) {
    const struct ast *size = n->child[0];
    double d = 0;
    const struct ast at = *n;
    if (str_eqz(n->text, "bytes")) {
        str text = str_n(p->text.p + size->pos, size->end - size->pos);
        bool bytes = text.n > 1 && strchr("BKMGbkmg", text.p[text.n - 1]) && text.p[0] >= '0' &&
                     text.p[0] <= '9';
        if (bytes)
            parse_error(p, &at, "_LEGACY_ERROR_TEMP_0015", "msg", "byteLengthLiteral", NULL);
        else
            parse_error(p, &at, "_LEGACY_ERROR_TEMP_0016", "bytesStr",
                        arena_printf(p->a, "%.*s", STR_ARG(str_cut(text, 100))), NULL);
    } else if (str_eqz(n->text, "percent") && size->kind == AST_LIT_NUMBER &&
               str_to_f64(size->text, &d) && (d < 0 || d > 100)) {
        double f = d / 100;
        bool whole = f > -1e15 && f < 1e15 && f == (double)(int64_t)f;
        const char *shown = arena_printf(p->a, whole ? "%.1f" : "%g", f);
        parse_error(p, &at, "_LEGACY_ERROR_TEMP_0063", "msg",
                    arena_printf(p->a, "Sampling fraction (%s) must be on interval [0, 1]", shown),
                    NULL);
    }
}

struct ast *parse_sample(struct parser *p) {
    struct ast *n = node(p, AST_SAMPLE);
    expect_word(p, W_TABLESAMPLE);
    if (accept_text(p, "SYSTEM") || accept_text(p, "BERNOULLI")) n->flags |= AST_F_SPECIAL;
    expect(p, '(');
    if (accept_word(p, W_BUCKET)) {
        n->text = STR("bucket");
        add(p, n, parse_number(p, false));
        expect_word(p, W_OUT);
        expect_word(p, W_OF);
        add(p, n, parse_number(p, false));
        if (accept_word(p, W_ON)) set(p, n, SLOT_ON, parse_expr(p));
    } else if (at_kind(p, ')')) {
        advance(p);
        parse_error(p, done(p, n), "_LEGACY_ERROR_TEMP_0014", NULL);
    } else {
        add(p, n, sample_number(p));
        if (accept_word(p, W_PERCENT))
            n->text = STR("percent");
        else if (accept_word(p, W_ROWS) || accept_word(p, W_ROW))
            n->text = STR("rows");
        else
            n->text = STR("bytes");
    }
    expect(p, ')');
    if (at_word(p, W_REPEATABLE)) {
        advance(p);
        expect(p, '(');
        set(p, n, SLOT_SEED, sample_number(p));
        expect(p, ')');
    }
    done(p, n);
    if (n->n == 1 && !failed(p)) check_sample(p, n);
    return n;
}

static void parse_item_tail(struct parser *p, struct ast *n) {
    if (at_word(p, W_TABLESAMPLE) && (kind_at(p, 1) == '(' || kind_at(p, 2) == '('))
        set(p, n, SLOT_SAMPLE, parse_sample(p));
    parse_table_alias(p, n);
    if (n->kind != AST_FROM_TABLE && n->kind != AST_FROM_QUERY) return;
    /* Databricks also takes the sample after the alias. */
    if (at_word(p, W_TABLESAMPLE) && kind_at(p, 1) == '(' && !ast_get(n, SLOT_SAMPLE))
        set(p, n, SLOT_SAMPLE, parse_sample(p));
}

static struct ast *parse_from_call(struct parser *p, uint32_t pos, struct ast *name) {
    struct ast *n = ast_new(p->a, AST_FROM_CALL, pos, pos);
    set(p, n, SLOT_CALL, parse_table_call(p, name));
    if (at_words(p, W_WITH, W_ORDINALITY)) {
        advance(p);
        advance(p);
        n->flags |= AST_F_JSON;
    }
    parse_item_tail(p, n);
    return done(p, n);
}

/* (SHOW …), (DESCRIBE …): a table without a name, whose text is the command's; NULL: it is none. */
static struct ast *parse_from_command(struct parser *p) {
    enum sql_word w = word_at(p, 1);
    if (w != W_SHOW && w != W_DESCRIBE && w != W_DESC) return NULL;
    struct parse_mark m = try_begin(p);
    struct ast *n = node(p, AST_FROM_TABLE), *name = node(p, AST_NAME), *part = node(p, AST_IDENT);
    advance(p);
    uint32_t from = tok_at(p, 0)->pos;
    struct ast *command = parse_command(p);
    bool shows = ast_is(command, AST_COMMAND) && (str_starts(command->text, STR("show_")) || str_starts(command->text, STR("describe_")));
    if (!failed(p) && (!shows || !at_kind(p, ')'))) syntax_error(p);
    if (!try_end(p, m)) return NULL;
    n->text = str_n(p->text.p + from, p->tok[p->at - 1].end - from);
    part->text = STR("\x01" "command"); /* SQL_MARK: no text can name it */
    add(p, name, part);
    set(p, n, SLOT_NAME, name);
    expect(p, ')');
    parse_item_tail(p, n);
    return done(p, n);
}

/* (query) or (from item [, …]) with an alias. */
static struct ast *parse_from_paren(struct parser *p) {
    struct ast *command = parse_from_command(p);
    if (command) return command;
    struct ast *n = node(p, AST_FROM_GROUP);
    bool query = false;
    struct parse_mark m = try_begin(p);
    advance(p);
    query = at_query(p);
    p->at = m.at;
    expect(p, '(');
    if (query) {
        n->kind = AST_FROM_QUERY;
        set(p, n, SLOT_QUERY, parse_query(p));
    } else if (enter(p)) {
        do add(p, n, parse_from_item(p));
        while (accept(p, ','));
        leave(p);
    }
    expect(p, ')');
    parse_item_tail(p, n);
    return done(p, n);
}

static struct ast *parse_from_named(struct parser *p) {
    uint32_t pos = tok_at(p, 0)->pos;
    bool stream = at_word(p, W_STREAM) &&
                  (kind_at(p, 1) == '(' || (at_identifier(p, 1, true) && word_at(p, 1) != W_AS));
    bool parens = false;
    if (stream) {
        advance(p);
        parens = accept(p, '(');
    }
    if (p->in_copy && at_string(p, 0)) {
        struct ast *path = node(p, AST_FROM_TABLE), *file = node(p, AST_NAME),
                   *part = node(p, AST_IDENT);
        part->text = parse_string(p)->text;
        part->flags = AST_F_QUOTED;
        add(p, file, part);
        set(p, path, SLOT_NAME, file);
        path->flags |= AST_F_PATH;
        /* COPY INTO t FROM 'path' FILEFORMAT = …: no alias. */
        if (!text_at(p, 0, "FILEFORMAT") && !text_at(p, 0, "WITH")) parse_item_tail(p, path);
        return done(p, path);
    }
    if (!at_identifier(p, 0, true)) syntax_error(p);
    struct ast *name = parse_name(p);
    if (at_kind(p, '(') && !stream) return parse_from_call(p, pos, name);
    struct ast *n = ast_new(p->a, AST_FROM_TABLE, pos, pos);
    if (stream && at_kind(p, '(')) {
        n->kind = AST_FROM_CALL;
        set(p, n, SLOT_CALL, parse_table_call(p, name));
    } else
        set(p, n, SLOT_NAME, name);
    if (stream) n->flags |= AST_F_STREAM;
    if (parens) expect(p, ')');
    if (n->kind == AST_FROM_TABLE) {
        mark_path(n);
        parse_time_travel(p, n);
        if (at_word(p, W_WITH) &&
            (kind_at(p, 1) == '(' || (word_at(p, 1) == W_OPTIONS && kind_at(p, 2) == '('))) {
            advance(p);
            (void)accept_word(p, W_OPTIONS);
            set(p, n, SLOT_OPTIONS, parse_properties(p));
        }
        if (!ast_get(n, SLOT_VERSION) && !ast_get(n, SLOT_TIMESTAMP)) parse_time_travel(p, n);
    }
    parse_item_tail(p, n);
    return done(p, n);
}

struct ast *parse_from_primary(struct parser *p) {
    if (at_word(p, W_LATERAL)) {
        uint32_t pos = tok_at(p, 0)->pos;
        advance(p);
        struct ast *n = parse_from_primary(p);
        n->flags |= AST_F_LATERAL;
        n->pos = pos;
        return n;
    }
    if (at_kind(p, '(')) return parse_from_paren(p);
    if (at_word(p, W_VALUES) && kind_at(p, 1) != T_END && kind_at(p, 1) != ',' &&
        kind_at(p, 1) != '.' && kind_at(p, 1) != ')') {
        struct ast *n = node(p, AST_FROM_VALUES);
        set(p, n, SLOT_QUERY, parse_values(p));
        parse_table_alias(p, n);
        check_values(p, n, ast_get(n, SLOT_QUERY));
        return n;
    }
    if (at_word(p, W_TABLE) && kind_at(p, 1) == '(') {
        /* TABLE(f(x)): a function; TABLE(t) is not a relation of its own. */
        uint32_t pos = tok_at(p, 0)->pos;
        advance(p);
        advance(p);
        struct ast *n = parse_from_named(p);
        n->pos = pos;
        expect(p, ')');
        parse_item_tail(p, n);
        return done(p, n);
    }
    return parse_from_named(p);
}

/* ---- joins ---- */

bool at_join(const struct parser *p) {
    switch (word_at(p, 0)) {
    case W_JOIN:
    case W_CROSS:
    case W_INNER:
    case W_LEFT:
    case W_RIGHT:
    case W_FULL:
    case W_SEMI:
    case W_ANTI:
    case W_NATURAL:
        return true;
    default:
        return false;
    }
}

static str join_kind(struct parser *p) {
    if (accept_word(p, W_CROSS)) return STR("cross");
    if (accept_word(p, W_SEMI)) return STR("semi");
    if (accept_word(p, W_ANTI)) return STR("anti");
    if (accept_word(p, W_LEFT)) {
        if (accept_word(p, W_SEMI)) return STR("semi");
        if (accept_word(p, W_ANTI)) return STR("anti");
        (void)accept_word(p, W_OUTER);
        return STR("left");
    }
    if (accept_word(p, W_RIGHT)) {
        (void)accept_word(p, W_OUTER);
        return STR("right");
    }
    if (accept_word(p, W_FULL)) {
        (void)accept_word(p, W_OUTER);
        return STR("full");
    }
    (void)accept_word(p, W_INNER);
    return STR("inner");
}

/* What cannot be joined so; the error stands from the join's first word. */
static void check_join(struct parser *p, const struct ast *n, struct ast *at) {
    static const char *const kinds[][2] = {{"right", "RIGHT OUTER"},
                                           {"full", "FULL OUTER"},
                                           {"semi", "LEFT SEMI"},
                                           {"anti", "LEFT ANTI"}};
    done(p, at);
    bool natural = ast_has(n, AST_F_NATURAL), lateral = ast_has(n, AST_F_LATERAL);
    if (natural && lateral)
        parse_error(p, at, "INCOMPATIBLE_JOIN_TYPES", "joinType1", "LATERAL", "joinType2",
                    "NATURAL", NULL);
    if (natural && str_eqz(n->text, "cross"))
        parse_error(p, at, "INCOMPATIBLE_JOIN_TYPES", "joinType1", "NATURAL", "joinType2", "CROSS",
                    NULL);
    if (!lateral) return;
    if (ast_get(n, SLOT_USING)) parse_error(p, at, "UNSUPPORTED_FEATURE.LATERAL_JOIN_USING", NULL);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (str_eqz(n->text, kinds[i][0]))
            parse_error(p, at, "INVALID_LATERAL_JOIN_TYPE", "joinType", kinds[i][1], NULL);
}

struct ast *parse_join(struct parser *p, struct ast *left) {
    struct ast *at = node(p, AST_LIST);
    struct ast *n = chain(p, AST_JOIN, left, left->pos);
    if (accept_word(p, W_NATURAL)) n->flags |= AST_F_NATURAL;
    n->text = join_kind(p);
    expect_word(p, W_JOIN);
    struct ast *right = parse_from_primary(p);
    if (right->flags & AST_F_LATERAL) n->flags |= AST_F_LATERAL;
    add(p, n, right);
    if (!(n->flags & AST_F_NATURAL)) {
        if (accept_word(p, W_ON))
            set(p, n, SLOT_ON, parse_expr(p));
        else if (at_word(p, W_USING)) {
            advance(p);
            set(p, n, SLOT_USING, parse_ident_list(p));
        }
    }
    done(p, n);
    check_join(p, n, at);
    return n;
}

struct ast *parse_from_item(struct parser *p) {
    uint32_t outer = chain_begin(p);
    struct ast *n = parse_from_primary(p);
    for (;;) {
        if (at_join(p))
            n = parse_join(p, n);
        else if (at_word(p, W_PIVOT) && kind_at(p, 1) == '(')
            n = parse_pivot(p, n);
        else if (at_word(p, W_UNPIVOT) && (kind_at(p, 1) == '(' || word_at(p, 2) == W_NULLS))
            n = parse_unpivot(p, n);
        else
            break;
    }
    chain_end(p, outer);
    return n;
}

struct ast *parse_from_list(struct parser *p) {
    struct ast *list = node(p, AST_LIST);
    do add(p, list, parse_from_item(p));
    while (accept(p, ','));
    return done(p, list);
}

/* ---- PIVOT, UNPIVOT ---- */

struct ast *parse_pivot(struct parser *p, struct ast *input) {
    struct ast *n = chain(p, AST_PIVOT, input, input->pos);
    expect_word(p, W_PIVOT);
    expect(p, '(');
    struct ast *items = node(p, AST_LIST), *columns, *values;
    do add(p, items, parse_named_expr(p));
    while (accept(p, ','));
    set(p, n, SLOT_ITEMS, done(p, items));
    expect_word(p, W_FOR);
    columns = node(p, AST_LIST);
    bool several = accept(p, '(');
    do {
        struct ast *c = node(p, AST_COLUMN), *name = node(p, AST_NAME);
        add(p, name, parse_ident(p));
        while (accept(p, '.')) add(p, name, parse_ident(p));
        add(p, c, done(p, name));
        add(p, columns, done(p, c));
    } while (several && accept(p, ','));
    if (several) expect(p, ')');
    set(p, n, SLOT_FOR, done(p, columns));
    expect_word(p, W_IN);
    expect(p, '(');
    values = node(p, AST_LIST);
    do add(p, values, parse_named_expr(p));
    while (accept(p, ','));
    set(p, n, SLOT_IN, done(p, values));
    expect(p, ')');
    expect(p, ')');
    parse_table_alias(p, n);
    return done(p, n);
}

static struct ast *unpivot_column(struct parser *p) {
    struct ast *n;
    if (at_kind(p, '(')) {
        n = node(p, AST_LIST);
        advance(p);
        do add(p, n, parse_primary(p));
        while (accept(p, ','));
        expect(p, ')');
        done(p, n);
    } else
        n = parse_primary(p);
    bool as = accept_word(p, W_AS);
    if (!as && !at_identifier(p, 0, false)) return n;
    n = wrap(p, AST_ALIAS, n);
    n->text = parse_ident(p)->text;
    return done(p, n);
}

struct ast *parse_unpivot(struct parser *p, struct ast *input) {
    struct ast *n = chain(p, AST_UNPIVOT, input, input->pos);
    expect_word(p, W_UNPIVOT);
    if (accept_words(p, W_INCLUDE, W_NULLS))
        n->flags |= AST_F_NULLS;
    else if (at_kind(p, T_WORD)) {
        expect_text(p, "EXCLUDE");
        expect_word(p, W_NULLS);
    }
    expect(p, '(');
    struct ast *names = NULL;
    if (at_kind(p, '('))
        names = parse_ident_list(p);
    else {
        names = node(p, AST_LIST);
        add(p, names, parse_ident(p));
        done(p, names);
    }
    set(p, n, SLOT_NAMES, names);
    expect_word(p, W_FOR);
    set(p, n, SLOT_FOR, parse_ident(p));
    expect_word(p, W_IN);
    expect(p, '(');
    struct ast *columns = node(p, AST_LIST);
    do add(p, columns, unpivot_column(p));
    while (accept(p, ','));
    set(p, n, SLOT_IN, done(p, columns));
    expect(p, ')');
    expect(p, ')');
    if (accept_word(p, W_AS))
        set(p, n, SLOT_ALIAS, parse_ident(p));
    else if (at_bare_alias(p, true))
        set(p, n, SLOT_ALIAS, parse_ident(p));
    return done(p, n);
}

/* ---- LATERAL VIEW ---- */

void parse_lateral_views(struct parser *p, struct ast *select) {
    struct ast *list = NULL;
    while (at_words(p, W_LATERAL, W_VIEW)) {
        if (!list) list = ast_get(select, SLOT_VIEWS);
        if (!list) list = node(p, AST_LIST);
        struct ast *n = node(p, AST_LATERAL_VIEW);
        n->text = STR("");
        advance(p);
        advance(p);
        if (accept_word(p, W_OUTER)) n->flags |= AST_F_OUTER;
        struct ast *name = parse_name(p);
        set(p, n, SLOT_CALL, parse_table_call(p, name));
        if (!at_word(p, W_AS) && at_bare_alias(p, false)) n->text = parse_ident(p)->text;
        if (accept_word(p, W_AS) || at_bare_alias(p, false)) {
            struct ast *names = node(p, AST_LIST);
            do add(p, names, parse_ident(p));
            while (accept(p, ','));
            set(p, n, SLOT_NAMES, done(p, names));
        }
        add(p, list, done(p, n));
    }
    set(p, select, SLOT_VIEWS, list);
}
