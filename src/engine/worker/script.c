/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The interpreter of scripts: BEGIN … END.
 *
 * A script is one statement to whoever drives statements: one text, one number, one timeout, one cancel, one result, one row of the
 * history. Here its tree is walked, and each statement in it goes through the same door as one that stands alone (run_statement()): it
 * is resolved by control with the principal's rights of that moment, reads tables as they are then, and commits by itself. Only BEGIN
 * ATOMIC makes one transaction of what stands in it (txn.h).
 *
 * Each such statement has a `struct run` of its own (script_begin, script_end): an arena, two connections, scans, names. So a loop
 * holds no more after a million rounds than after one. A loop over a query, and an open cursor, keep theirs while the statements
 * within use others: RUN_LEVELS pairs of connections at most.
 *
 * Scopes are frames on the C stack, linked outwards. A block's has its variables, cursors, handlers and conditions; FOR's has one
 * variable for each column; a handler's stands on the block that declares it, so that it sees what that block sees. Names are
 * looked for from the inside out, [label.]name; columns come before them and session variables after them (run_query.c). The text of
 * EXECUTE IMMEDIATE sees no local variable.
 *
 * What a statement asks of those around it is in sc->flow: LEAVE and ITERATE go outwards to the label, EXIT to the block whose EXIT handler
 * has run. Errors are different: where one is raised, its handler is looked for at once, outwards from there, by its class, then by
 * its SQLSTATE, then NOT FOUND (class 02) or SQLEXCEPTION (others). The handler runs there and then, on top of what failed. After
 * it, CONTINUE goes on behind the statement that failed (of IF, CASE and loops whose condition failed: behind the whole), EXIT
 * leaves the block. An error in a handler is looked for outside of the handler's block. Without a handler the script fails with the
 * error; of class 02 it goes on. No handler catches a cancel, the timeout, or an error of our own (XX).
 * BEGIN ATOMIC is left, rolled back, before a handler around it is looked for.
 *
 * The result is that of the last query that ran (SELECT, VALUES, …, also by EXECUTE IMMEDIATE); no other statement has one here. Since
 * any query may be the last, each is written to the spool from its beginning, over the one before; control is told of chunks
 * only at the end.
 *
 * Bounds: SCRIPT_MAX_DEPTH (and the parser's SQL_MAX_DEPTH), RUN_LEVELS, the statement's timeout, the memory of one statement at a time.
 * statement_check() is asked before each statement and each round.
 */
#include "engine/worker/script.h"

#include "engine/worker/txn.h"
#include "sql/error.h"

static err *exec_statement(struct script *sc, const struct ast *n) BH_CHECK;
static err *exec_list(struct script *sc, const struct ast *n) BH_CHECK;

/* ---- runs of statements ---- */

err *script_begin(struct script *sc, struct run *ret) {
    struct run *r = sc->r;
    int level = 0;
    while (level < RUN_LEVELS - 1 && (sc->levels & (1u << level))) level++;
    if (level == RUN_LEVELS - 1) return sql_error("SQL_SCRIPT_TOO_MANY_OPEN_QUERIES", NULL, r->text, "limit", "9", NULL);
    sc->levels |= 1u << level;
    *ret = (struct run){.st = r->st, .a = arena_new(), .text = r->text, .type = r->type, .modified_rows = -1, .keep_connections = true,
                        .level = level, .script = sc, .in_txn = r->in_txn, .in_block = r->in_block};
    run_env(ret);
    ret->env.text = ret->text;
    return NULL;
}

void script_end(struct script *sc, struct run *x) {
    run_end(x);
    sc->levels &= ~(1u << x->level);
    sc->r->session_changed |= x->session_changed;
    if (x->has_result) result_free(&x->res);
    buf_free(&x->chunks);
    arena_free(x->a);
    x->a = NULL;
}

/* The rows of x become the script's; those before are forgotten. */
static void keep_result(struct script *sc, struct run *x) {
    struct run *r = sc->r;
    if (r->has_result) result_free(&r->res);
    arena_free(sc->kept);
    buf_free(&r->chunks);
    r->res = x->res;
    r->cols = x->cols;
    r->n_cols = x->n_cols;
    r->has_result = true;
    r->chunks = x->chunks;
    if (!r->compiled_us) r->compiled_us = x->compiled_us;
    sc->kept = x->a;
    x->has_result = false;
    x->chunks = (buf){0};
    x->a = arena_new();
}

static err *exec_leaf(struct script *sc, const struct ast *n) {
    struct run x;
    TRY(script_begin(sc, &x));
    err *e = run_statement(&x, (struct ast *)n);
    if (!e && x.has_result) keep_result(sc, &x);
    if (!e && x.in_block) { /* a block that is one transaction tells of its last statement */
        sc->r->modified_rows = x.modified_rows;
        sc->r->is_dml = x.is_dml;
    }
    script_end(sc, &x);
    return e;
}

/* ---- errors ---- */

void script_upper(arena *a, str s, str *ret) {
    char *z = arena_strndup(a, s.p ? s.p : "", s.n);
    for (size_t i = 0; i < s.n; i++)
        if (z[i] >= 'a' && z[i] <= 'z') z[i] = (char)(z[i] - 32);
    *ret = str_n(z, s.n);
}

void script_class(arena *a, const err *e, str *ret_class, str *ret_state) {
    const char *message = err_msg(e), *at = strstr(message, "SQLSTATE: ");
    *ret_class = sql_error_class(e, a);
    *ret_state = sql_error_state(e, a);
    if (ret_class->n) return;
    const char *close = message[0] == '[' ? strchr(message, ']') : NULL;
    *ret_class = close ? arena_str(a, str_n(message + 1, (size_t)(close - message - 1))) : str_of(err_name(err_code_of(e)));
    *ret_state = at && strlen(at) >= 15 ? arena_str(a, str_n(at + 10, 5)) : STR("XX000");
}

static bool is_final(str cls, str state) {
    return str_eqz(cls, "OPERATION_CANCELED") || str_eqz(cls, "STATEMENT_TIMEOUT") || (state.n == 5 && str_starts(state, STR("XX")));
}

/* Outwards from where we are; a handler that runs does not look into its own block's. */
static const struct ast *find_handler(struct script *sc, str cls, str state, struct script_frame **ret) {
    for (struct script_frame *f = sc->top; f; f = f->outer) {
        const struct ast *h = f->block ? script_handler(f->block, cls, state) : NULL;
        *ret = f;
        if (h) return h;
        if (f->atomic) return NULL;
        if (f->handler_of) f = f->handler_of;
    }
    return NULL;
}

static bool inside_atomic(const struct script *sc) {
    for (const struct script_frame *f = sc->top; f; f = f->outer)
        if (f->atomic) return true;
    return false;
}

static size_t line_of(const struct script *sc, const struct ast *at) {
    size_t line = 1;
    for (size_t i = 0; i < at->pos && i < sc->r->text.n; i++) line += sc->r->text.p[i] == '\n';
    return line;
}

/* What becomes of an error that the statement `at` raised: NULL where a handler has dealt with it, or nobody needs to. */
static err *handle(struct script *sc, err *e, const struct ast *at) {
    struct script_frame *block = NULL;
    str cls, state;
    if (!e || sc->looked || statement_stopped(sc->r->st)) return e;
    arena *a = arena_new();
    script_class(a, e, &cls, &state);
    const struct ast *h = is_final(cls, state) ? NULL : find_handler(sc, cls, state, &block);
    bool complete = !h && str_starts(state, STR("02")) && !inside_atomic(sc);
    arena_free(a);
    if (complete) {
        err_free(e);
        return NULL;
    }
    if (!h) {
        sc->looked = true;
        return e;
    }
    txn_failed(sc->r);
    struct script_frame f = {.outer = block, .handler_of = block, .handled = e, .line = line_of(sc, at)}, *was = sc->top;
    sc->top = &f;
    err *bad = exec_statement(sc, ast_get(h, SLOT_ACTION));
    sc->top = was;
    script_frame_free(sc, &f);
    err_free(e);
    if (bad) {
        sc->looked = true;
        return bad;
    }
    if (sc->flow == FLOW_NEXT && ast_has(h, AST_F_SPECIAL)) {
        sc->flow = FLOW_EXIT;
        sc->frame = block;
    }
    return NULL;
}

/* ---- conditions ---- */

static err *not_boolean(struct script *sc, const struct ast *at, arena *a) {
    str text;
    script_upper(a, run_source(sc->r, at), &text);
    return sql_error("INVALID_BOOLEAN_STATEMENT", at, sc->r->text, "invalidStatement", text.p, NULL);
}

/* NULL is false. */
static err *condition(struct script *sc, struct ast *expr, bool *ret) {
    struct run x;
    struct sql_compiled c;
    str *out;
    *ret = false;
    TRY(script_begin(sc, &x));
    err *e = run_values(&x, &expr, 1, &c, &out);
    if (!e && c.cols[0].type->kind != TY_BOOLEAN) e = not_boolean(sc, expr, x.a);
    if (!e) *ret = out[0].p && str_ieq(out[0], STR("true"));
    script_end(sc, &x);
    return e;
}

/* ---- control ---- */

static err *exec_if(struct script *sc, const struct ast *n) {
    bool is = false;
    for (uint32_t i = 0; i + 1 < n->n; i += 2) {
        TRY(condition(sc, n->child[i], &is));
        if (is) return exec_list(sc, n->child[i + 1]);
    }
    const struct ast *other = ast_get(n, SLOT_ELSE);
    return other ? exec_list(sc, other) : NULL;
}

/* A variable that no text can name. */
#define CASE_VALUE STR("\x01" "case")

static err *case_value(struct script *sc, struct ast *expr, struct script_frame *f) {
    struct run x;
    struct sql_compiled c;
    str *out;
    TRY(script_begin(sc, &x));
    err *e = run_values(&x, &expr, 1, &c, &out);
    if (!e) {
        struct session_variable v = {.name = run_heap(CASE_VALUE), .type = run_heap(run_type_text(&x, c.cols[0].type)),
                                     .duckdb = run_heap(run_literal(&x, c.cols[0].type, out[0])), .initial = run_heap(STR(""))};
        vec_push(&f->vars, v);
    }
    script_end(sc, &x);
    return e;
}

/* CASE x WHEN y: x = y, x worked out once. */
static err *exec_case(struct script *sc, const struct ast *n) {
    struct ast *expr = ast_get(n, SLOT_EXPR);
    struct script_frame f = {.outer = sc->top};
    const struct ast *list = ast_get(n, SLOT_ELSE);
    err *e = expr ? case_value(sc, expr, &f) : NULL;
    for (uint32_t i = 0; !e && i + 1 < n->n; i += 2) {
        bool is = false;
        arena *a = arena_new();
        struct ast *when = n->child[i];
        if (expr) {
            struct ast *equal = ast_new(a, AST_BINARY, when->pos, when->end);
            str name = CASE_VALUE;
            equal->text = STR("=");
            ast_add(a, equal, ast_column(a, &name, 1));
            equal->child[0]->pos = expr->pos, equal->child[0]->end = expr->end;
            ast_add(a, equal, when);
            when = equal;
        }
        sc->top = &f;
        e = condition(sc, when, &is);
        sc->top = f.outer;
        arena_free(a);
        if (!e && is) {
            list = n->child[i + 1];
            break;
        }
    }
    script_frame_free(sc, &f);
    if (e) return e;
    return list ? exec_list(sc, list) : NULL;
}

/* After a round of a loop: does it go on? Takes LEAVE and ITERATE that mean it. */
static bool goes_on(struct script *sc, const struct ast *n) {
    const struct ast *key = ast_get(n, SLOT_KEY);
    bool mine = key && (sc->flow == FLOW_LEAVE || sc->flow == FLOW_ITERATE) && str_ieq(sc->label, key->text);
    if (sc->flow == FLOW_NEXT) return true;
    if (!mine) return false;
    bool again = sc->flow == FLOW_ITERATE;
    sc->flow = FLOW_NEXT;
    return again;
}

static err *exec_loop(struct script *sc, const struct ast *n) {
    struct ast *cond = ast_get(n, SLOT_COND);
    bool first = str_eqz(n->text, "while"), last = str_eqz(n->text, "repeat"), is = true;
    for (;;) {
        TRY(statement_check(sc->r->st));
        if (first) TRY(condition(sc, cond, &is));
        if (first && !is) return NULL;
        err *e = exec_list(sc, ast_get(n, SLOT_ACTION));
        if (e || !goes_on(sc, n)) return e;
        if (!last) continue;
        TRY(condition(sc, cond, &is));
        if (is) return NULL;
    }
}

static err *exec_for(struct script *sc, const struct ast *n) {
    struct script_query q = {0};
    const struct ast *name = ast_get(n, SLOT_NAME);
    struct script_frame f = {.outer = sc->top, .label = name ? name->text : STR("")};
    TRY(script_query_open(sc, ast_get(n, SLOT_QUERY), NULL, &q));
    err *e = script_row_begin(sc, &f, &q, n);
    arena *a = arena_new();
    while (!e) {
        str *row = NULL;
        arena_reset(a);
        e = statement_check(sc->r->st);
        if (!e) e = script_query_next(&q, a, &row);
        if (e || !row) break;
        script_row_set(&f, &q, row);
        sc->top = &f;
        e = exec_list(sc, ast_get(n, SLOT_ACTION));
        sc->top = f.outer;
        if (e || !goes_on(sc, n)) break;
    }
    arena_free(a);
    script_query_close(sc, &q);
    script_frame_free(sc, &f);
    return e;
}

/* ---- blocks ---- */

static err *exec_list(struct script *sc, const struct ast *n) {
    for (uint32_t i = 0; i < n->n; i++) {
        TRY(exec_statement(sc, n->child[i]));
        if (sc->flow != FLOW_NEXT) return NULL;
    }
    return NULL;
}

static err *exec_block(struct script *sc, const struct ast *n) {
    struct script_frame f = {.outer = sc->top, .label = n->text, .block = n, .atomic = ast_has(n, AST_F_SPECIAL)};
    if (f.atomic) TRY(txn_block_begin(sc->r, n));
    sc->top = &f;
    err *e = exec_list(sc, n);
    sc->top = f.outer;
    script_frame_free(sc, &f);
    if (f.atomic) e = txn_block_end(sc->r, e);
    if (sc->flow == FLOW_EXIT && sc->frame == &f) sc->flow = FLOW_NEXT;
    if (sc->flow == FLOW_LEAVE && n->text.n && str_ieq(sc->label, n->text)) sc->flow = FLOW_NEXT;
    return e;
}

/* Errors that come out of it were looked at already, but for those of its own conditions, and of BEGIN ATOMIC. */
static err *exec_command(struct script *sc, const struct ast *n, bool *ret_taken) {
    static const struct {
        const char *name;
        err *(*run)(struct script *sc, const struct ast *n);
    } rows[] = {{"if", exec_if},         {"case", exec_case},    {"while", exec_loop},      {"repeat", exec_loop},
                {"loop", exec_loop},     {"for", exec_for},      {"open", script_cursor},   {"fetch", script_cursor},
                {"close", script_cursor}, {"declare_cursor", script_cursor_declare}, {"signal", script_signal}, {"resignal", script_signal},
                {"get_diagnostics", script_diagnostics}};
    *ret_taken = true;
    if (str_eqz(n->text, "declare_handler") || str_eqz(n->text, "declare_condition")) return NULL;
    if (str_eqz(n->text, "leave") || str_eqz(n->text, "iterate")) {
        sc->flow = str_eqz(n->text, "leave") ? FLOW_LEAVE : FLOW_ITERATE;
        sc->label = ast_get(n, SLOT_KEY)->text;
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (str_eqz(n->text, rows[i].name)) return rows[i].run(sc, n);
    *ret_taken = false;
    return NULL;
}

static err *exec_statement(struct script *sc, const struct ast *n) {
    bool taken = n->kind == AST_S_SCRIPT;
    err *e = statement_check(sc->r->st);
    if (!e && sc->depth >= SCRIPT_MAX_DEPTH) e = sql_error("FAILED_TO_PARSE_TOO_COMPLEX", n, sc->r->text, NULL);
    if (e) return e;
    sc->depth++;
    if (taken)
        e = exec_block(sc, n);
    else if (n->kind == AST_COMMAND)
        e = exec_command(sc, n, &taken);
    if (!e && !taken) e = exec_leaf(sc, n);
    if (e && n->kind == AST_S_SCRIPT && ast_has(n, AST_F_SPECIAL)) sc->looked = false; /* those around it may have a handler */
    e = handle(sc, e, n);
    sc->depth--;
    return e;
}

err *script_run(struct run *r, const struct ast *s) {
    struct script sc = {.r = r, .s = s, .levels = 1}; /* level 0 is r's own */
    struct script *outer = r->script;
    r->script = &sc;
    err *e = exec_statement(&sc, s);
    r->script = outer;
    r->result_arena = sc.kept;
    return e;
}
