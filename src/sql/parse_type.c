/* SPDX-License-Identifier: Apache-2.0 */
/* Types. Which names are types is the analyser's business; here is only their shape. */
#include "sql/parse.h"

static struct ast *parse_struct_field(struct parser *p) {
    struct ast *n = node(p, AST_FIELD_DEF);
    n->text = parse_ident(p)->text;
    (void)accept(p, ':');
    set(p, n, SLOT_TYPE, parse_type(p));
    for (;;) {
        if (accept_words(p, W_NOT, W_NULL))
            n->flags |= AST_F_NOT_NULL;
        else if (accept_word(p, W_COMMENT))
            set(p, n, SLOT_COMMENT, parse_string(p));
        else if (accept_word(p, W_COLLATE))
            set(p, n, SLOT_COLLATION, parse_ident(p));
        else if (accept_word(p, W_DEFAULT))
            set(p, n, SLOT_DEFAULT, parse_value(p));
        else
            return done(p, n);
    }
}

static void incomplete(struct parser *p, struct ast *n, const char *cls) {
    parse_error(p, n, cls, "elementType", "<INT>", NULL);
}

static void parse_nested(struct parser *p, struct ast *n) {
    bool array = str_eqz(n->text, "array"), map = str_eqz(n->text, "map");
    if (!at_kind(p, '<') && !at_kind(p, T_NEQ)) {
        incomplete(p, n,
                   array ? "INCOMPLETE_TYPE_DEFINITION.ARRAY"
                   : map ? "INCOMPLETE_TYPE_DEFINITION.MAP"
                         : "INCOMPLETE_TYPE_DEFINITION.STRUCT");
        return;
    }
    if (!array && !map && accept(p, T_NEQ)) return;
    expect(p, '<');
    if (array)
        add(p, n, parse_type(p));
    else if (map) {
        add(p, n, parse_type(p));
        expect(p, ',');
        add(p, n, parse_type(p));
    } else if (!at_kind(p, '>')) {
        do add(p, n, parse_struct_field(p));
        while (accept(p, ','));
    }
    expect(p, '>');
}

static bool at_text_unit(const struct parser *p) {
    static const char *const units[] = {"YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (text_at(p, 0, units[i])) return true;
    return false;
}

static void parse_interval_type(struct parser *p, struct ast *n) {
    if (!at_text_unit(p)) return;
    set(p, n, SLOT_FROM, parse_ident(p));
    if (!accept_word(p, W_TO)) return;
    if (!at_text_unit(p)) syntax_error(p);
    set(p, n, SLOT_TO, parse_ident(p));
}

/* TIMESTAMP WITHOUT TIME ZONE, TIMESTAMP WITH LOCAL TIME ZONE, TIME [(p)] WITHOUT TIME ZONE */
static void parse_zone(struct parser *p, struct ast *n) {
    if (at_words(p, W_WITHOUT, W_TIME) && word_at(p, 2) == W_ZONE) {
        p->at += 3;
        if (str_eqz(n->text, "timestamp")) n->text = STR("timestamp_ntz");
    } else if (at_words(p, W_WITH, W_LOCAL) && word_at(p, 2) == W_TIME && word_at(p, 3) == W_ZONE) {
        p->at += 4;
        if (str_eqz(n->text, "timestamp")) n->text = STR("timestamp_ltz");
    }
}

struct ast *parse_type(struct parser *p) {
    struct ast *n = node(p, AST_TYPE);
    n->text = STR("");
    if (!enter(p)) return n;
    n->text = lower_text(p, parse_ident(p)->text);
    if (str_eqz(n->text, "array") || str_eqz(n->text, "map") || str_eqz(n->text, "struct"))
        parse_nested(p, n);
    else if (str_eqz(n->text, "interval"))
        parse_interval_type(p, n);
    else {
        if (accept(p, '(')) {
            do {
                if (at_kind(p, T_NUMBER) || at_kind(p, '-'))
                    add(p, n,
                        at_kind(p, '-') ? (advance(p), parse_number(p, true))
                                        : parse_number(p, false));
                else
                    add(p, n, parse_ident(p));
            } while (accept(p, ','));
            expect(p, ')');
        }
        if (str_eqz(n->text, "timestamp") || str_eqz(n->text, "time")) parse_zone(p, n);
        if (str_eqz(n->text, "string") && at_word(p, W_COLLATE)) {
            advance(p);
            struct ast *name = parse_name(p);
            set(p, n, SLOT_COLLATION, name->kind == AST_NAME ? name->child[name->n - 1] : name);
        }
    }
    leave(p);
    return done(p, n);
}
