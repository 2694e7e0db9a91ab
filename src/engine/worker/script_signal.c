/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions of scripts: which handler takes an error, SIGNAL, RESIGNAL, GET DIAGNOSTICS. */
#include "engine/worker/script.h"
#include "sql/error.h"

/* ---- handlers ---- */

static const struct ast *declared_condition(const struct ast *block, str name) {
    for (uint32_t i = 0; block && i < block->n; i++) {
        const struct ast *n = block->child[i];
        if (n->kind == AST_COMMAND && str_eqz(n->text, "declare_condition") && str_ieq(ast_get(n, SLOT_NAME)->text, name)) return n;
    }
    return NULL;
}

/* How near a condition of a handler comes to an error: 0 not at all, more is nearer. */
static int nearness(const struct ast *x, str cls, str state) {
    if (x->kind == AST_LIT_STRING) return str_ieq(x->text, state) ? 3 : 0;
    bool not_found = str_starts(state, STR("02"));
    if (str_ieq(x->text, STR("SQLEXCEPTION"))) return not_found ? 0 : 1;
    if (str_ieq(x->text, STR("not found"))) return not_found ? 2 : 0;
    if (str_ieq(x->text, cls)) return 5;
    ptrdiff_t dot = str_chr(cls, '.', 0);
    return dot > 0 && str_ieq(x->text, str_cut(cls, (size_t)dot)) ? 4 : 0;
}

const struct ast *script_handler(const struct ast *block, str cls, str state) {
    const struct ast *best = NULL;
    int most = 0;
    for (uint32_t i = 0; i < block->n; i++) {
        const struct ast *h = block->child[i];
        if (h->kind != AST_COMMAND || !str_eqz(h->text, "declare_handler")) continue;
        const struct ast *names = ast_get(h, SLOT_NAMES);
        for (uint32_t k = 0; k < names->n; k++) {
            int near = nearness(names->child[k], cls, state);
            if (near > most) most = near, best = h;
        }
    }
    return best;
}

/* ---- SIGNAL ---- */

/* MESSAGE_TEXT = …, MESSAGE_ARGUMENTS = …: the text, and the map as JSON. */
static err *arguments(struct run *x, const struct ast *items, str *ret_text, str *ret_json) {
    *ret_text = *ret_json = STR_NONE;
    for (uint32_t i = 0; items && i < items->n; i++) {
        const struct ast *name = items->child[i]->child[0];
        struct ast *expr = items->child[i]->child[1];
        str item = name->kind == AST_NAME && name->n == 1 ? name->child[0]->text : STR("");
        bool map = str_ieq(item, STR("MESSAGE_ARGUMENTS"));
        struct sql_compiled c;
        str *out;
        if (!map && !str_ieq(item, STR("MESSAGE_TEXT")))
            return sql_error("PARSE_SYNTAX_ERROR", name, x->text, "error", arena_printf(x->a, "'%.*s'", STR_ARG(item)), "hint", "", NULL);
        if (map) {
            struct ast *call = ast_new(x->a, AST_CALL, expr->pos, expr->end);
            str to_json = STR("to_json");
            ast_set(x->a, call, SLOT_NAME, ast_name(x->a, &to_json, 1));
            ast_add(x->a, call, expr);
            expr = call;
        }
        TRY(run_values(x, &expr, 1, &c, &out));
        *(map ? ret_json : ret_text) = out[0];
    }
    return NULL;
}

static err *raise_known(struct run *x, const struct ast *n, str cls, str state, str json) {
    const char *pairs[32];
    size_t k = 0, i, max;
    jval *root = NULL, *key, *v;
    if (!sql_error_known(cls)) return sql_error_signal(cls, state, STR(""), json);
    if (json.n) TRY(json_parse(x->a, json, false, &root));
    yyjson_obj_foreach(root, i, max, key, v) {
        if (k + 2 > ARRAY_LEN(pairs)) break;
        pairs[k++] = yyjson_get_str(key);
        pairs[k++] = yyjson_is_str(v) ? yyjson_get_str(v) : "null";
    }
    return sql_error_list(arena_strndup(x->a, cls.p, cls.n), n, x->text, pairs, k);
}

static err *raise(struct script *sc, struct run *x, const struct ast *n) {
    const struct ast *name = ast_get(n, SLOT_NAME), *value = ast_get(n, SLOT_VALUE), *declared = NULL;
    str text, json, cls, state = STR("45000");
    TRY(arguments(x, ast_get(n, SLOT_ITEMS), &text, &json));
    if (value) {
        buf b = {0};
        script_upper(x->a, value->text, &state);
        buf_z(&b, "{\"errorMessage\":");
        buf_json_str(&b, text);
        buf_c(&b, '}');
        err *e = sql_error_signal(STR("USER_RAISED_EXCEPTION"), state, text, buf_view(&b));
        buf_free(&b);
        return e;
    }
    for (struct script_frame *f = sc->top; f && !declared; f = f->outer) declared = declared_condition(f->block, name->text);
    script_upper(x->a, name->text, &cls);
    if (declared) {
        if (ast_get(declared, SLOT_VALUE)) script_upper(x->a, ast_get(declared, SLOT_VALUE)->text, &state);
        return sql_error_signal(cls, state, text, json);
    }
    const char *known = NULL;
    if (!sql_condition_known(cls, &known))
        return sql_error("INVALID_HANDLER_DECLARATION.CONDITION_NOT_FOUND", n, x->text, "condition", arena_strndup(x->a, cls.p, cls.n), NULL);
    if (text.p) return sql_error_signal(cls, str_of(known), text, json);
    return raise_known(x, n, cls, str_of(known), json);
}

static struct script_frame *handling(struct script *sc) {
    for (struct script_frame *f = sc->top; f; f = f->outer)
        if (f->handled) return f;
    return NULL;
}

err *script_signal(struct script *sc, const struct ast *n) {
    if (str_eqz(n->text, "resignal")) {
        const struct script_frame *f = handling(sc);
        if (!f) return sql_error("RESIGNAL_WHEN_HANDLER_NOT_ACTIVE", n, sc->r->text, NULL);
        err *again = err_new(err_code_of(f->handled), "%s", err_msg(f->handled));
        return err_detail_of(f->handled) ? err_detail(again, "%s", err_detail_of(f->handled)) : again;
    }
    struct run x;
    TRY(script_begin(sc, &x));
    err *e = raise(sc, &x, n);
    script_end(sc, &x);
    return e;
}

/* ---- GET DIAGNOSTICS ---- */

/* The sentence alone: without "[CLASS] " before it, SQLSTATE and place behind it. */
static str sentence(const char *message) {
    str s = str_of(message);
    ptrdiff_t close = s.n && s.p[0] == '[' ? str_find(s, STR("] ")) : -1;
    if (close > 0) s = str_from(s, (size_t)close + 2);
    ptrdiff_t state = str_find(s, STR(" SQLSTATE: "));
    return state >= 0 ? str_cut(s, (size_t)state) : s;
}

static void put_literal(buf *b, str s) {
    buf_z(b, "'");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\') buf_c(b, '\\');
        buf_c(b, s.p[i]);
    }
    buf_c(b, '\'');
}

/* The text of an expression that yields an item of the condition; false: no such item. */
static bool put_item(struct run *x, const struct script_frame *f, str item, buf *b) {
    str cls, state;
    script_class(x->a, f->handled, &cls, &state);
    if (str_ieq(item, STR("MESSAGE_TEXT"))) {
        put_literal(b, sentence(err_msg(f->handled)));
    } else if (str_ieq(item, STR("RETURNED_SQLSTATE"))) {
        put_literal(b, state);
    } else if (str_ieq(item, STR("CONDITION_IDENTIFIER"))) {
        put_literal(b, cls);
    } else if (str_ieq(item, STR("LINE_NUMBER"))) {
        buf_fmt(b, "%zuL", f->line);
    } else if (str_ieq(item, STR("MESSAGE_ARGUMENTS"))) {
        jval *root = NULL, *k, *v;
        size_t i, n;
        const char *detail = err_detail_of(f->handled);
        err *bad = detail ? json_parse(x->a, str_of(detail), false, &root) : NULL;
        if (bad) root = NULL;
        err_free(bad);
        jval *params = json_get(root, "params");
        buf_z(b, yyjson_obj_size(params) ? "map(" : "CAST(map(");
        yyjson_obj_foreach(params, i, n, k, v) {
            if (i) buf_c(b, ',');
            put_literal(b, json_str(k));
            buf_c(b, ',');
            put_literal(b, json_str(v));
        }
        buf_z(b, yyjson_obj_size(params) ? ")" : ") AS MAP<STRING, STRING>)");
    } else {
        return false;
    }
    return true;
}

static err *take_items(struct run *x, const struct script_frame *f, const struct ast *n) {
    for (uint32_t i = 0; i < n->n; i++) {
        const struct ast *assign = n->child[i];
        if (assign->kind != AST_ASSIGN) continue;
        const struct ast *what = assign->child[1], *name = ast_is(what, AST_COLUMN) ? what->child[0] : NULL;
        str item = ast_is(name, AST_NAME) && name->n == 1 ? name->child[0]->text : STR("");
        buf b = {0};
        struct ast *expr = NULL;
        err *e = put_item(x, f, item, &b) ? sql_parse_expr(x->a, arena_str(x->a, buf_view(&b)), &expr)
                                          : sql_error("PARSE_SYNTAX_ERROR", what, x->text, "error", arena_printf(x->a, "'%.*s'", STR_ARG(run_source(x, what))), "hint", "", NULL);
        buf_free(&b);
        if (!e) e = run_set_variable(x, assign->child[0], expr);
        if (e) return e;
    }
    return NULL;
}

err *script_diagnostics(struct script *sc, const struct ast *n) {
    const struct script_frame *f = handling(sc);
    if (!f) return sql_error("INVALID_STATEMENT_OR_CLAUSE", n, sc->r->text, "operation", "GET DIAGNOSTICS outside of a handler", NULL);
    struct run x;
    TRY(script_begin(sc, &x));
    err *e = take_items(&x, f, n);
    script_end(sc, &x);
    return e;
}
