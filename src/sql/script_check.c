/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a script makes no sense, before any of it runs: labels that are not there or stand twice, declarations in the wrong
 * place or order, handlers that name the same twice, SQLSTATEs that are none.
 *
 * Order in a block: variables and conditions, then cursors, then handlers, then statements. Lists that are no blocks (the body of
 * IF, of a loop) declare nothing. A label is known in what it labels; the variable of FOR is a label of its body.
 */
#include "sql/error.h"
#include "sql/parse.h"

struct label {
    str name;
    bool block, variable;
    const struct label *outer;
};

struct condition {
    str name;
    const struct condition *outer;
};

struct scope {
    const struct label *labels;
    const struct condition *conditions;
};

static void check_statement(struct parser *p, const struct ast *n, const struct scope *s);

static const char *upper(struct parser *p, str s) {
    char *z = arena_strndup(p->a, s.p, s.n);
    for (char *c = z; *c; c++)
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
    return z;
}

static const char *quoted(struct parser *p, str s) { return arena_printf(p->a, "`%.*s`", STR_ARG(s)); }

/* ---- labels ---- */

static bool forbidden(str name) {
    static const char *const names[] = {"builtin", "session", "system"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_ieq(name, str_of(names[i]))) return true;
    return name.n >= 3 && str_ieq(str_cut(name, 3), STR("sys"));
}

static const struct label *find_label(const struct label *l, str name) {
    while (l && !str_ieq(l->name, name)) l = l->outer;
    return l;
}

/* The label, over what is known; NULL or no name: nothing new. */
static const struct label *with_label(struct parser *p, const struct label *outer, const struct ast *at, str name, bool block, bool variable) {
    if (!name.n) return outer;
    if (forbidden(name)) parse_error(p, at, "LABEL_OR_FOR_VARIABLE_NAME_FORBIDDEN", "label", quoted(p, name), NULL);
    if (find_label(outer, name)) parse_error(p, at, "LABEL_OR_FOR_VARIABLE_ALREADY_EXISTS", "label", quoted(p, name), NULL);
    struct label *l = arena_new_of(p->a, struct label);
    *l = (struct label){name, block, variable, outer};
    return l;
}

static void check_jump(struct parser *p, const struct ast *n, const struct scope *s) {
    const struct ast *key = ast_get(n, SLOT_KEY);
    const struct label *l = find_label(s->labels, key->text);
    bool iterate = str_eqz(n->text, "iterate");
    if (!l || l->variable)
        parse_error(p, n, "INVALID_LABEL_USAGE.DOES_NOT_EXIST", "labelName", upper(p, key->text), "statementType", iterate ? "ITERATE" : "LEAVE", NULL);
    else if (iterate && l->block)
        parse_error(p, n, "INVALID_LABEL_USAGE.ITERATE_IN_COMPOUND", "labelName", upper(p, key->text), NULL);
}

/* ---- conditions ---- */

static void check_state(struct parser *p, const struct ast *at) {
    str s = at->text;
    bool good = s.n == 5;
    for (size_t i = 0; good && i < 5; i++) {
        char c = s.p[i];
        good = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    }
    str cls = str_cut(s, 2);
    if (!good || str_eqz(cls, "00") || str_eqz(cls, "01") || str_ieq(cls, STR("XX")))
        parse_error(p, at, "INVALID_SQLSTATE", "sqlState", arena_strndup(p->a, s.p, s.n), NULL);
}

static bool declared(const struct condition *c, str name) {
    while (c && !str_ieq(c->name, name)) c = c->outer;
    return c != NULL;
}

static void check_condition(struct parser *p, const struct ast *n, struct scope *s) {
    const struct ast *name = ast_get(n, SLOT_NAME), *value = ast_get(n, SLOT_VALUE);
    for (size_t i = 0; i < name->text.n; i++) {
        char c = name->text.p[i];
        if (c != '_' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z')) {
            parse_error(p, n, "INVALID_ERROR_CONDITION_DECLARATION.SPECIAL_CHARACTER_FOUND", "conditionName", quoted(p, str_of(upper(p, name->text))), NULL);
            return;
        }
    }
    if (value) check_state(p, value);
    if (declared(s->conditions, name->text))
        parse_error(p, n, "DUPLICATE_CONDITION_IN_SCOPE", "condition", quoted(p, str_of(upper(p, name->text))), NULL);
    struct condition *c = arena_new_of(p->a, struct condition);
    *c = (struct condition){name->text, s->conditions};
    s->conditions = c;
}

static bool is_general(const struct ast *x) {
    return x->kind == AST_IDENT && (str_ieq(x->text, STR("SQLEXCEPTION")) || str_ieq(x->text, STR("not found")));
}

static void check_handler(struct parser *p, const struct ast *n, const struct scope *s) {
    const struct ast *names = ast_get(n, SLOT_NAMES);
    bool general = false, special = false;
    for (uint32_t i = 0; i < names->n; i++) {
        const struct ast *x = names->child[i];
        if (x->kind == AST_LIT_STRING)
            check_state(p, x);
        else if (!is_general(x) && !declared(s->conditions, x->text) && !sql_condition_known(x->text, NULL))
            parse_error(p, x, "INVALID_HANDLER_DECLARATION.CONDITION_NOT_FOUND", "condition", upper(p, x->text), NULL);
        for (uint32_t k = 0; k < i; k++) {
            if (names->child[k]->kind != x->kind || !str_ieq(names->child[k]->text, x->text)) continue;
            if (x->kind == AST_LIT_STRING)
                parse_error(p, x, "INVALID_HANDLER_DECLARATION.DUPLICATE_SQLSTATE_IN_HANDLER_DECLARATION", "sqlState", upper(p, x->text), NULL);
            else
                parse_error(p, x, "INVALID_HANDLER_DECLARATION.DUPLICATE_CONDITION_IN_HANDLER_DECLARATION", "condition", upper(p, x->text), NULL);
        }
        general |= is_general(x);
        special |= !is_general(x);
    }
    if (general && special) parse_error(p, n, "INVALID_HANDLER_DECLARATION.INVALID_CONDITION_COMBINATION", NULL);
    check_statement(p, ast_get(n, SLOT_ACTION), s);
}

/* No condition has two handlers in one block. */
static void check_twice(struct parser *p, const struct ast *block, uint32_t at) {
    const struct ast *names = ast_get(block->child[at], SLOT_NAMES);
    for (uint32_t i = 0; i < at; i++) {
        const struct ast *other = block->child[i];
        if (other->kind != AST_COMMAND || !str_eqz(other->text, "declare_handler")) continue;
        const struct ast *list = ast_get(other, SLOT_NAMES);
        for (uint32_t k = 0; k < list->n; k++)
            for (uint32_t m = 0; m < names->n; m++) {
                const struct ast *x = names->child[m];
                if (list->child[k]->kind != x->kind || !str_ieq(list->child[k]->text, x->text)) continue;
                if (x->kind == AST_LIT_STRING)
                    parse_error(p, x, "DUPLICATE_EXCEPTION_HANDLER.SQLSTATE", "sqlState", upper(p, x->text), NULL);
                else
                    parse_error(p, x, "DUPLICATE_EXCEPTION_HANDLER.CONDITION", "condition", upper(p, x->text), NULL);
            }
    }
}

/* ---- blocks ---- */

/* The place of a statement in the order of a block. */
enum place { P_VARIABLE, P_CURSOR, P_HANDLER, P_STATEMENT };

static enum place place_of(const struct ast *n) {
    if (n->kind == AST_S_DECLARE) return P_VARIABLE;
    if (n->kind != AST_COMMAND) return P_STATEMENT;
    if (str_eqz(n->text, "declare_condition")) return P_VARIABLE;
    if (str_eqz(n->text, "declare_cursor")) return P_CURSOR;
    return str_eqz(n->text, "declare_handler") ? P_HANDLER : P_STATEMENT;
}

static const char *variable_name(struct parser *p, const struct ast *declare) {
    const struct ast *name = ast_get(declare, SLOT_NAME)->child[0];
    buf b = {0};
    for (uint32_t i = 0; i < name->n; i++) buf_fmt(&b, "%s`%.*s`", i ? "." : "", STR_ARG(name->child[i]->text));
    const char *z = arena_strndup(p->a, b.p ? b.p : "", b.n);
    buf_free(&b);
    return z;
}

static void misplaced(struct parser *p, const struct ast *n, bool block) {
    if (n->kind == AST_S_DECLARE)
        parse_error(p, n, block ? "INVALID_VARIABLE_DECLARATION.ONLY_AT_BEGINNING" : "INVALID_VARIABLE_DECLARATION.NOT_ALLOWED_IN_SCOPE", "varName",
                    variable_name(p, n), NULL);
    else if (str_eqz(n->text, "declare_condition"))
        parse_error(p, n, "INVALID_ERROR_CONDITION_DECLARATION.NOT_AT_START_OF_COMPOUND_STATEMENT", "conditionName",
                    quoted(p, str_of(upper(p, ast_get(n, SLOT_NAME)->text))), NULL);
    else
        parse_error(p, n, str_eqz(n->text, "declare_cursor") ? "INVALID_CURSOR_DECLARATION" : "INVALID_HANDLER_DECLARATION.WRONG_PLACE_OF_DECLARATION", NULL);
}

static void check_list(struct parser *p, const struct ast *n, const struct scope *outer) {
    struct scope s = *outer;
    bool block = !ast_has(n, AST_F_ALL);
    enum place at = block ? P_VARIABLE : P_STATEMENT;
    for (uint32_t i = 0; i < n->n && !failed(p); i++) {
        const struct ast *x = n->child[i];
        enum place here = place_of(x);
        if (here < at) {
            misplaced(p, x, block);
            return;
        }
        at = here;
        if (here == P_VARIABLE && x->kind == AST_COMMAND) check_condition(p, x, &s);
        if (here == P_HANDLER) {
            check_handler(p, x, &s);
            check_twice(p, n, i);
        }
        if (here == P_STATEMENT) check_statement(p, x, &s);
    }
}

static void check_control(struct parser *p, const struct ast *n, const struct scope *outer) {
    struct scope s = *outer;
    const struct ast *key = ast_get(n, SLOT_KEY), *name = ast_get(n, SLOT_NAME);
    if (str_eqz(n->text, "leave") || str_eqz(n->text, "iterate")) {
        check_jump(p, n, outer);
        return;
    }
    if (str_eqz(n->text, "drop_variable")) parse_error(p, n, "UNSUPPORTED_FEATURE.SQL_SCRIPTING_DROP_TEMPORARY_VARIABLE", NULL);
    if (str_eqz(n->text, "signal") && ast_get(n, SLOT_VALUE)) check_state(p, ast_get(n, SLOT_VALUE));
    if (ast_is(ast_get(n, SLOT_ACTION), AST_S_SCRIPT)) {
        if (key) s.labels = with_label(p, s.labels, key, key->text, false, false);
        if (name && str_eqz(n->text, "for")) s.labels = with_label(p, s.labels, name, name->text, false, true);
        check_list(p, ast_get(n, SLOT_ACTION), &s);
    }
    for (uint32_t i = 0; i < n->n; i++)
        if (n->child[i]->kind == AST_S_SCRIPT) check_list(p, n->child[i], &s);
    if (ast_is(ast_get(n, SLOT_ELSE), AST_S_SCRIPT)) check_list(p, ast_get(n, SLOT_ELSE), &s);
}

static void check_statement(struct parser *p, const struct ast *n, const struct scope *outer) {
    if (failed(p)) return;
    if (n->kind == AST_COMMAND) check_control(p, n, outer);
    if (n->kind != AST_S_SCRIPT) return;
    struct scope s = *outer;
    s.labels = with_label(p, s.labels, n, n->text, true, false);
    check_list(p, n, &s);
}

void script_check(struct parser *p, const struct ast *script) {
    struct scope s = {NULL, NULL};
    /* Numbers of ? have no order in what repeats. */
    if (p->n_markers) parse_error(p, script, "UNSUPPORTED_FEATURE.SQL_SCRIPTING_WITH_POSITIONAL_PARAMETERS", NULL);
    check_statement(p, script, &s);
}
