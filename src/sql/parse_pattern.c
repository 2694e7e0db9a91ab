/* SPDX-License-Identifier: Apache-2.0 */
/* Reads statements by the patterns of parse_command.c: what stands in a pattern is described there.
 */
#include <stdio.h>

#include "sql/parse_command.h"

/* ---- readers: what <what:SLOT> reads ---- */

static struct ast *one_ident(struct parser *p, uint32_t pos, str text) {
    struct ast *n = ast_new(p->a, AST_IDENT, pos, pos);
    n->text = text;
    return done(p, n);
}

/* Everything up to the end of the statement, as text. */
static struct ast *read_rest(struct parser *p, struct ast *command) {
    (void)command;
    struct ast *n = node(p, AST_IDENT);
    if (at_kind(p, T_END) || at_kind(p, ';')) syntax_error(p);
    while (!at_kind(p, T_END) && !at_kind(p, ';')) advance(p);
    done(p, n);
    n->text = n->end > n->pos ? str_n(p->text.p + n->pos, n->end - n->pos) : STR("");
    return n;
}

static struct ast *read_name(struct parser *p, struct ast *c) {
    (void)c;
    return parse_name(p);
}
static struct ast *read_ident(struct parser *p, struct ast *c) {
    (void)c;
    return parse_ident(p);
}
static struct ast *read_string(struct parser *p, struct ast *c) {
    (void)c;
    return parse_string(p);
}
static struct ast *read_number(struct parser *p, struct ast *c) {
    (void)c;
    bool minus = accept(p, '-');
    return parse_number(p, minus);
}
static struct ast *read_expr(struct parser *p, struct ast *c) {
    (void)c;
    return parse_expr(p);
}
static struct ast *read_query(struct parser *p, struct ast *c) {
    (void)c;
    return parse_query(p);
}
static struct ast *read_idents(struct parser *p, struct ast *c) {
    (void)c;
    return parse_ident_list(p);
}
static struct ast *read_props(struct parser *p, struct ast *c) {
    (void)c;
    return parse_properties(p);
}
static struct ast *read_keys(struct parser *p, struct ast *c) {
    (void)c;
    return parse_property_keys(p);
}
static struct ast *read_parts(struct parser *p, struct ast *c) {
    (void)c;
    return parse_partition_spec(p);
}
static struct ast *read_filter(struct parser *p, struct ast *c) {
    (void)c;
    return parse_row_filter(p);
}
static struct ast *read_cluster(struct parser *p, struct ast *c) {
    (void)c;
    return parse_cluster(p);
}
static struct ast *read_columndefs(struct parser *p, struct ast *c) {
    (void)c;
    return parse_column_defs(p);
}

/* a.b, c: LIST of NAME. */
static struct ast *read_names(struct parser *p, struct ast *c) {
    (void)c;
    struct ast *list = node(p, AST_LIST);
    do add(p, list, parse_name(p));
    while (accept(p, ','));
    return done(p, list);
}

/* A table's name or its path as a string. */
static struct ast *read_target(struct parser *p, struct ast *c) {
    (void)c;
    return at_string(p, 0) ? parse_string(p) : parse_name(p);
}

static struct ast *read_columns(struct parser *p, struct ast *c) {
    (void)c;
    bool parens = accept(p, '(');
    struct ast *list = parse_column_defs(p);
    if (parens) expect(p, ')');
    return list;
}

static struct ast *read_constraint(struct parser *p, struct ast *c) {
    (void)c;
    struct ast *list = node(p, AST_LIST);
    if (!at_word(p, W_CONSTRAINT) && !at_word(p, W_PRIMARY) && !at_word(p, W_FOREIGN) &&
        !at_word(p, W_CHECK) && !at_word(p, W_UNIQUE))
        syntax_error(p);
    add(p, list, parse_constraint(p));
    return done(p, list);
}

static struct ast *read_key(struct parser *p, struct ast *c) {
    (void)c;
    uint32_t pos = tok_at(p, 0)->pos;
    return one_ident(p, pos, parse_property_key(p));
}

static struct ast *read_principal(struct parser *p, struct ast *c) {
    (void)c;
    uint32_t pos = tok_at(p, 0)->pos;
    /* `TO USER x`, `TO GROUP x` as older texts have it. */
    if ((at_word(p, W_USER) || at_word(p, W_GROUP)) &&
        (at_identifier(p, 1, false) || at_string(p, 1)))
        advance(p);
    if (at_string(p, 0)) return one_ident(p, pos, parse_string(p)->text);
    struct ast *n = parse_ident(p);
    /* me@example.com without quotes */
    if (!at_kind(p, '@') && !at_kind(p, '.') && !at_kind(p, '-')) return n;
    while (at_kind(p, '@') || at_kind(p, '.') || at_kind(p, '-')) {
        advance(p);
        (void)parse_ident(p);
    }
    done(p, n);
    n->text = str_n(p->text.p + n->pos, n->end - n->pos);
    return n;
}

/* The word before, in lower case. */
static struct ast *read_previous(struct parser *p, struct ast *c) {
    (void)c;
    const struct sql_token *t = &p->tok[p->at - 1];
    struct ast *n = ast_new(p->a, AST_IDENT, t->pos, t->end);
    n->text = lower_text(p, tok_text(p, t));
    return n;
}

/* Functions may be named by operators here: DESCRIBE FUNCTION <=> */
static struct ast *read_funcname(struct parser *p, struct ast *c) {
    (void)c;
    if (at_identifier(p, 0, false)) return parse_name(p);
    struct ast *n = node(p, AST_NAME), *part = node(p, AST_IDENT);
    if (at_string(p, 0))
        part->text = parse_string(p)->text;
    else {
        part->text = tok_text(p, tok_at(p, 0));
        if (at_kind(p, T_END)) syntax_error(p);
        advance(p);
    }
    add(p, n, part);
    return done(p, n);
}

static struct ast *read_callable(struct parser *p, struct ast *c) {
    (void)c;
    struct ast *name = parse_name(p);
    return parse_call(p, name);
}

static struct ast *read_strings(struct parser *p, struct ast *c) {
    (void)c;
    struct ast *list = node(p, AST_LIST);
    expect(p, '(');
    do add(p, list, parse_string(p));
    while (accept(p, ','));
    expect(p, ')');
    return done(p, list);
}

/* ---- readers that know their slots ---- */

static struct ast *read_moreparts(struct parser *p, struct ast *c) {
    add(p, c, parse_partition_spec(p));
    return NULL;
}

/* DESCRIBE QUERY is a statement of its own. */
static struct ast *read_describedquery(struct parser *p, struct ast *c) {
    c->kind = AST_S_DESCRIBE_QUERY;
    c->text = STR_NONE;
    set(p, c, SLOT_QUERY, parse_query(p));
    return NULL;
}

/* Reads nothing: what DESCRIBE TABLE cannot show. */
static struct ast *read_describechecks(struct parser *p, struct ast *c) {
    done(p, c);
    const struct ast *parts = ast_get(c, SLOT_PARTITION), *column = ast_get(c, SLOT_COLUMN);
    for (uint32_t i = 0; parts && i < parts->n; i++)
        if (!parts->child[i]->n)
            parse_error(p, c, "INVALID_SQL_SYNTAX.EMPTY_PARTITION_VALUE", "partKey",
                        arena_printf(p->a, "`%.*s`", STR_ARG(parts->child[i]->text)), NULL);
    if (ast_has(c, AST_F_JSON) && column)
        parse_error(p, c, "UNSUPPORTED_FEATURE.DESC_TABLE_COLUMN_JSON", NULL);
    const struct ast *name = ast_get(c, SLOT_NAME);
    if (ast_has(c, AST_F_JSON) && !ast_has(c, AST_F_EXTENDED))
        parse_error(p, c, "DESCRIBE_JSON_NOT_EXTENDED", "tableName",
                    arena_printf(p->a, "%.*s",
                                 STR_ARG(str_n(p->text.p + name->pos, name->end - name->pos))),
                    NULL);
    return NULL;
}

/* SELECT, MODIFY, USE CATALOG: LIST of IDENT in upper case, words separated by one blank. */
static struct ast *read_grants(struct parser *p, struct ast *c) {
    struct ast *list = node(p, AST_LIST);
    do {
        struct ast *privilege = node(p, AST_IDENT);
        buf text = {0};
        do {
            str word = parse_ident(p)->text;
            if (text.n) buf_c(&text, ' ');
            for (size_t i = 0; i < word.n; i++)
                buf_c(&text,
                      (char)(word.p[i] >= 'a' && word.p[i] <= 'z' ? word.p[i] - 32 : word.p[i]));
            /* SELECT (a, b): columns, which Databricks does not have. */
            if (at_kind(p, '(')) syntax_error(p);
        } while (at_kind(p, T_WORD) && !at_word(p, W_ON));
        privilege->text = arena_str(p->a, buf_view(&text));
        buf_free(&text);
        add(p, list, done(p, privilege));
    } while (accept(p, ','));
    set(p, c, SLOT_PRIVILEGES, done(p, list));
    return NULL;
}

/* Types of securables; the name may follow without one, then it is a table. */
static const struct {
    const char *words[3], *type;
    bool nameless;
} securables[] = {
    {{"CATALOG"}, "catalog", false},
    {{"SCHEMA"}, "schema", false},
    {{"DATABASE"}, "schema", false},
    {{"NAMESPACE"}, "schema", false},
    {{"MATERIALIZED", "VIEW"}, "table", false},
    {{"STREAMING", "TABLE"}, "table", false},
    {{"TABLE"}, "table", false},
    {{"VIEW"}, "table", false},
    {{"COLUMN"}, "column", false},
    {{"VOLUME"}, "volume", false},
    {{"FUNCTION"}, "function", false},
    {{"PROCEDURE"}, "procedure", false},
    {{"MODEL"}, "function", false},
    {{"EXTERNAL", "LOCATION"}, "external_location", false},
    {{"STORAGE", "CREDENTIAL"}, "storage_credential", false},
    {{"SERVICE", "CREDENTIAL"}, "credential", false},
    {{"CREDENTIAL"}, "credential", false},
    {{"CONNECTION"}, "connection", false},
    {{"SERVER"}, "connection", false},
    {{"SHARE"}, "share", false},
    {{"RECIPIENT"}, "recipient", false},
    {{"PROVIDER"}, "provider", false},
    {{"CLEAN", "ROOM"}, "clean_room", false},
    {{"METASTORE"}, "metastore", true},
    {{"ANY", "FILE"}, "any_file", true},
    {{"ANONYMOUS", "FUNCTION"}, "anonymous_function", true},
};

static struct ast *read_securable(struct parser *p, struct ast *c) {
    const char *type = "table";
    bool nameless = false;
    uint32_t pos = tok_at(p, 0)->pos;
    for (size_t i = 0; i < ARRAY_LEN(securables); i++) {
        uint32_t k = 0;
        while (k < 3 && securables[i].words[k] && text_at(p, k, securables[i].words[k])) k++;
        if (k == 3 || securables[i].words[k]) continue;
        /* A word alone is the name of a table. */
        if (!securables[i].nameless && !at_identifier(p, k, true)) continue;
        if (!securables[i].nameless && (word_at(p, k) == W_TO || word_at(p, k) == W_FROM) &&
            kind_at(p, k + 1) != T_END && word_at(p, k + 1) != W_TO && word_at(p, k + 1) != W_FROM)
            continue;
        type = securables[i].type;
        nameless = securables[i].nameless;
        p->at += k;
        break;
    }
    set(p, c, SLOT_KEY, one_ident(p, pos, str_of(type)));
    if (!nameless) set(p, c, SLOT_NAME, parse_name(p));
    return NULL;
}

/* key [= value] */
static struct ast *read_tag(struct parser *p, struct ast *c) {
    struct ast *list = node(p, AST_LIST), *tag = node(p, AST_PROPERTY);
    tag->text = parse_property_key(p);
    if (accept(p, '=')) {
        if (at_string(p, 0))
            add(p, tag, parse_string(p));
        else {
            struct ast *value = parse_ident(p);
            value->kind = AST_LIT_STRING;
            add(p, tag, value);
        }
    }
    add(p, list, done(p, tag));
    set(p, c, SLOT_TAGS, done(p, list));
    return NULL;
}

static struct ast *read_timetravel(struct parser *p, struct ast *c) {
    bool version = accept_word(p, W_VERSION);
    if (!version) expect_word(p, W_TIMESTAMP);
    expect_word(p, W_AS);
    expect_word(p, W_OF);
    set(p, c, version ? SLOT_VERSION : SLOT_TIMESTAMP, parse_value(p));
    return NULL;
}

/* USER a, GROUP b …: children PROPERTY, text "user" or "group", child the name. */
static struct ast *read_members(struct parser *p, struct ast *c) {
    do {
        struct ast *m = node(p, AST_PROPERTY);
        m->text = STR("user");
        if (accept_word(p, W_GROUP))
            m->text = STR("group");
        else
            (void)accept_word(p, W_USER);
        add(p, m, read_principal(p, c));
        add(p, c, done(p, m));
    } while (accept(p, ','));
    return NULL;
}

/* 'path', a name, or (SELECT … FROM 'path'), of COPY INTO. */
static struct ast *read_copysource(struct parser *p, struct ast *c) {
    p->in_copy = true;
    if (at_kind(p, '(')) {
        advance(p);
        set(p, c, SLOT_QUERY, parse_query(p));
        expect(p, ')');
    } else
        set(p, c, SLOT_FROM, parse_from_primary(p));
    p->in_copy = false;
    return NULL;
}

static struct ast *read_credential(struct parser *p, struct ast *c) {
    struct ast *n = node(p, AST_IDENT);
    if (!at_kind(p, '(') || !tok_at(p, 0)->match)
        syntax_error(p);
    else
        p->at = tok_at(p, 0)->match + 1;
    done(p, n);
    n->text = str_n(p->text.p + n->pos, n->end - n->pos);
    set(p, c, SLOT_KEY, n);
    return NULL;
}

/* What ALTER COLUMN does to one column: a COMMAND named by it. */
static struct ast *alter_column(struct parser *p) {
    struct ast *n = node(p, AST_COMMAND);
    set(p, n, SLOT_NAME, parse_name(p));
    if (accept_word(p, W_TYPE)) {
        n->text = STR("type");
        set(p, n, SLOT_TYPE, parse_type(p));
        if (accept_word(p, W_COLLATE)) set(p, n, SLOT_COLLATION, parse_ident(p));
    } else if (accept_word(p, W_COMMENT)) {
        n->text = STR("comment");
        set(p, n, SLOT_COMMENT, parse_string(p));
    } else if (accept_word(p, W_FIRST)) {
        n->text = STR("position");
        n->flags |= AST_F_FIRST;
    } else if (accept_word(p, W_AFTER)) {
        n->text = STR("position");
        set(p, n, SLOT_AFTER, parse_ident(p));
    } else if (accept_word(p, W_SET)) {
        if (accept_words(p, W_NOT, W_NULL))
            n->text = STR("set_not_null");
        else if (accept_word(p, W_DEFAULT)) {
            n->text = STR("set_default");
            set(p, n, SLOT_DEFAULT, parse_expr(p));
        } else if (accept_word(p, W_MASK)) {
            n->text = STR("set_mask");
            set(p, n, SLOT_MASK, parse_mask(p));
        } else {
            expect_text(p, "TAGS");
            n->text = STR("set_tags");
            set(p, n, SLOT_TAGS, parse_properties(p));
        }
    } else if (accept_word(p, W_DROP)) {
        if (accept_words(p, W_NOT, W_NULL))
            n->text = STR("drop_not_null");
        else if (accept_word(p, W_DEFAULT))
            n->text = STR("drop_default");
        else {
            expect_word(p, W_MASK);
            n->text = STR("drop_mask");
        }
    } else if (accept_text(p, "UNSET")) {
        expect_text(p, "TAGS");
        n->text = STR("unset_tags");
        set(p, n, SLOT_TAGS, parse_property_keys(p));
    } else if (accept_text(p, "SYNC")) {
        expect_word(p, W_IDENTITY);
        n->text = STR("sync_identity");
    } else {
        /* CHANGE COLUMN old new TYPE …: Hive's. */
        n->text = STR("change");
        set(p, n, SLOT_COLUMNS, parse_column_def(p));
    }
    return done(p, n);
}

static struct ast *read_altercolumns(struct parser *p, struct ast *c) {
    (void)accept_word(p, W_COLUMN);
    do add(p, c, alter_column(p));
    while (accept(p, ','));
    return NULL;
}

enum plausible { NOTHING, ANY, IDENT, STRING, NUMBER, OPEN, QUERY, TARGET, PRINCIPAL };

static const struct reader {
    const char *name;
    struct ast *(*read)(struct parser *, struct ast *);
    enum plausible begins;
} readers[] = {
    {"name", read_name, IDENT},
    {"ident", read_ident, IDENT},
    {"string", read_string, STRING},
    {"number", read_number, NUMBER},
    {"expr", read_expr, ANY},
    {"query", read_query, QUERY},
    {"idents", read_idents, OPEN},
    {"names", read_names, IDENT},
    {"props", read_props, OPEN},
    {"keys", read_keys, OPEN},
    {"key", read_key, TARGET},
    {"parts", read_parts, OPEN},
    {"moreparts", read_moreparts, OPEN},
    {"filter", read_filter, IDENT},
    {"cluster", read_cluster, ANY},
    {"columns", read_columns, ANY},
    {"columndefs", read_columndefs, IDENT},
    {"constraint", read_constraint, ANY},
    {"principal", read_principal, PRINCIPAL},
    {"previous", read_previous, ANY},
    {"funcname", read_funcname, ANY},
    {"callable", read_callable, IDENT},
    {"target", read_target, TARGET},
    {"strings", read_strings, OPEN},
    {"rest", read_rest, ANY},
    {"describedquery", read_describedquery, QUERY},
    {"describechecks", read_describechecks, NOTHING},
    {"grants", read_grants, IDENT},
    {"securable", read_securable, IDENT},
    {"tag", read_tag, TARGET},
    {"timetravel", read_timetravel, IDENT},
    {"members", read_members, IDENT},
    {"copysource", read_copysource, ANY},
    {"credential", read_credential, OPEN},
    {"altercolumns", read_altercolumns, IDENT},
};

static const struct reader *reader_of(str name) {
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        if (str_eqz(name, readers[i].name)) return &readers[i];
    unreachable();
}

/* ---- patterns ---- */

#define MAX_ELEMENTS 400

struct pattern {
    str element[MAX_ELEMENTS];
    uint16_t close[MAX_ELEMENTS]; /* of ( [ {: the index of what closes it */
    size_t n;
};

static void split(const char *text, struct pattern *ret) {
    size_t open[32], depth = 0;
    ret->n = 0;
    str rest = str_of(text), part;
    while (str_split(&rest, ' ', &part)) {
        if (!part.n) continue;
        must(ret->n < MAX_ELEMENTS);
        char c = part.p[0];
        if (part.n == 1 && strchr("([{", c)) {
            must(depth < ARRAY_LEN(open));
            open[depth++] = ret->n;
        } else if (part.n == 1 && strchr(")]}", c)) {
            must(depth > 0);
            ret->close[open[--depth]] = (uint16_t)ret->n;
        }
        ret->element[ret->n++] = part;
    }
    must(depth == 0);
}

/* The end of the alternative that begins at i: the '/' or the closing element of its group. */
static size_t alternative_end(const struct pattern *q, size_t i, size_t end) {
    while (i < end && !str_eqz(q->element[i], "/")) {
        char c = q->element[i].n == 1 ? q->element[i].p[0] : 0;
        i = c && strchr("([{", c) ? (size_t)q->close[i] + 1 : i + 1;
    }
    return i;
}

static bool is_word(const struct parser *p, str words, uint32_t ahead) {
    const struct sql_token *t = tok_at(p, ahead);
    if (t->kind != T_WORD) return false;
    str text = tok_text(p, t), word;
    while (str_split(&words, '|', &word))
        if (str_ieq(text, word)) return true;
    return false;
}

static bool plausible(const struct parser *p, enum plausible what, uint32_t ahead) {
    struct parser there = *p;
    there.at = p->at + ahead < p->n ? p->at + ahead : p->n - 1;
    switch (what) {
    case NOTHING:
        return true;
    case IDENT:
        return at_identifier(p, ahead, false);
    case STRING:
        return at_string(p, ahead);
    case NUMBER:
        return kind_at(p, ahead) == T_NUMBER || kind_at(p, ahead) == '-';
    case OPEN:
        return kind_at(p, ahead) == '(';
    case QUERY:
        return at_word(&there, W_WITH)
                   ? at_identifier(p, ahead + 1, false) && kind_at(p, ahead + 1) != T_END
                   : at_query(&there);
    case TARGET:
        return at_identifier(p, ahead, false) || at_string(p, ahead);
    case PRINCIPAL:
        return (at_identifier(p, ahead, false) && word_at(p, ahead) != W_ON) || at_string(p, ahead);
    default:
        return kind_at(p, ahead) != T_END && kind_at(p, ahead) != ';';
    }
}

/* Does the text fit the beginning of elements i … end? `reach` is raised to the first token that
 * did not. */
static bool fits(const struct parser *p, const struct pattern *q, size_t i, size_t end,
                 uint32_t ahead, uint32_t *reach) {
    while (i < end) {
        str e = q->element[i];
        char c = e.p[0];
        if (*reach < ahead) *reach = ahead;
        if (e.n == 1 && c == '[') {
            size_t close = q->close[i];
            uint32_t words = 0;
            size_t k = i + 1;
            while (k < close &&
                   (strchr("+:", q->element[k].p[0]) || is_word(p, q->element[k], ahead + words)))
                words += strchr("+:", q->element[k++].p[0]) == NULL;
            if (k < close) {
                /* Something else than words in it: whether it fits decides alone. */
                if (strchr("<(['", q->element[k].p[0]) && fits(p, q, i + 1, close, ahead, reach))
                    return true;
            } else if (fits(p, q, close + 1, end, ahead + words, reach))
                return true;
            i = close + 1;
        } else if (e.n == 1 && (c == '(' || c == '{')) {
            if (c == '{') return true;
            for (size_t k = i + 1; k < q->close[i];) {
                size_t stop = alternative_end(q, k, q->close[i]);
                if (fits(p, q, k, stop, ahead, reach)) return true;
                k = stop + 1;
            }
            return false;
        } else if (c == '<') {
            ptrdiff_t colon = str_chr(e, ':', 0);
            str what = colon < 0 ? str_n(e.p + 1, e.n - 2) : str_n(e.p + 1, (size_t)colon - 1);
            return plausible(p, reader_of(what)->begins, ahead);
        } else if (c == '+' || c == ':')
            i++;
        else if (c == '\'') {
            if (kind_at(p, ahead) != (unsigned char)e.p[1]) return false;
            ahead++;
            i++;
        } else {
            if (!is_word(p, e, ahead)) return false;
            ahead++;
            i++;
        }
    }
    if (*reach < ahead) *reach = ahead;
    return true;
}

static enum ast_slot slot_of(str name) {
    for (unsigned s = 0; s < SLOT_COUNT; s++)
        if (str_eqz(name, ast_slot_name((enum ast_slot)s))) return (enum ast_slot)s;
    unreachable();
}

static uint32_t flag_of(str name) {
    static const struct {
        const char *name;
        uint32_t flag;
    } flags[] = {{"IF_EXISTS", AST_F_IF_EXISTS},
                 {"IF_NOT_EXISTS", AST_F_IF_NOT_EXISTS},
                 {"CASCADE", AST_F_CASCADE},
                 {"ALL", AST_F_ALL},
                 {"FIRST", AST_F_FIRST},
                 {"SPECIAL", AST_F_SPECIAL},
                 {"EXTENDED", AST_F_EXTENDED},
                 {"JSON", AST_F_JSON},
                 {"EXTERNAL", AST_F_EXTERNAL},
                 {"TEMP", AST_F_TEMP},
                 {"REPLACE", AST_F_REPLACE},
                 {"OVERWRITE", AST_F_OVERWRITE},
                 {"MATERIALIZED", AST_F_MATERIALIZED}};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (str_eqz(name, flags[i].name)) return flags[i].flag;
    unreachable();
}

static void match(struct parser *p, const struct pattern *q, size_t i, size_t end, struct ast *n);

/* One of the alternatives of the group at i; false if none fits. */
static bool match_one(struct parser *p, const struct pattern *q, size_t i, struct ast *n) {
    uint32_t reach = 0;
    for (size_t k = i + 1; k < q->close[i];) {
        size_t stop = alternative_end(q, k, q->close[i]);
        if (fits(p, q, k, stop, 0, &reach)) {
            match(p, q, k, stop, n);
            return true;
        }
        k = stop + 1;
    }
    if (str_eqz(q->element[i], "(")) {
        p->at += reach;
        syntax_error(p);
    }
    return false;
}

static void match_reader(struct parser *p, str e, struct ast *n) {
    ptrdiff_t colon = str_chr(e, ':', 0);
    str what = colon < 0 ? str_n(e.p + 1, e.n - 2) : str_n(e.p + 1, (size_t)colon - 1);
    struct ast *value = reader_of(what)->read(p, n);
    if (colon >= 0) set(p, n, slot_of(str_n(e.p + colon + 1, e.n - (size_t)colon - 2)), value);
}

static void match(struct parser *p, const struct pattern *q, size_t i, size_t end, struct ast *n) {
    while (i < end && !failed(p)) {
        str e = q->element[i];
        char c = e.p[0];
        if (e.n == 1 && strchr("([{", c)) {
            uint32_t reach = 0;
            if (c == '[') {
                if (fits(p, q, i + 1, q->close[i], 0, &reach)) match(p, q, i + 1, q->close[i], n);
            } else if (c == '(')
                (void)match_one(p, q, i, n);
            else {
                uint32_t before;
                do before = p->at;
                while (match_one(p, q, i, n) && p->at > before && !failed(p));
            }
            i = (size_t)q->close[i] + 1;
            continue;
        }
        if (c == '<')
            match_reader(p, e, n);
        else if (c == '+')
            n->flags |= flag_of(str_from(e, 1));
        else if (c == ':')
            n->text = str_from(e, 1);
        else if (c == '\'')
            expect(p, (unsigned char)e.p[1]);
        else if (is_word(p, e, 0))
            advance(p);
        else
            syntax_error(p);
        i++;
    }
}

struct ast *parse_command(struct parser *p) {
    if (!at_kind(p, T_WORD)) return NULL;
    uint32_t furthest = 0;
    struct ast *n = node(p, AST_COMMAND);
    str first = tok_text(p, tok_at(p, 0));
    for (size_t i = 0; i < sql_n_commands; i++) {
        struct pattern q;
        str rest = str_of(sql_commands[i].pattern), word, words;
        (void)str_split(&rest, ' ', &words);
        bool same = false;
        while (str_split(&words, '|', &word)) same = same || str_ieq(first, word);
        if (!same) continue;
        split(sql_commands[i].pattern, &q);
        uint32_t reach = 0;
        if (fits(p, &q, 0, q.n, 0, &reach)) {
            n->text = str_of(sql_commands[i].name);
            match(p, &q, 0, q.n, n);
            return done(p, n);
        }
        if (reach > furthest) furthest = reach;
    }
    if (!furthest) return NULL;
    p->at += furthest;
    if (p->at >= p->n) p->at = p->n - 1;
    syntax_error(p);
    return n;
}
