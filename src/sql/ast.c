/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/ast.h"

struct ast *ast_new(arena *a, enum ast_kind kind, uint32_t pos, uint32_t end) {
    struct ast *n = arena_new_of(a, struct ast);
    n->kind = (uint16_t)kind;
    n->pos = pos;
    n->end = end;
    return n;
}

struct ast *ast_text(arena *a, enum ast_kind kind, str text) {
    struct ast *n = ast_new(a, kind, 0, 0);
    n->text = text;
    return n;
}

/* Is a list of n elements full? Lists hold 2, 4, 8, … elements. */
static bool full(uint32_t n) { return n == 0 || (n >= 2 && (n & (n - 1)) == 0); }

void ast_add(arena *a, struct ast *n, struct ast *child) {
    if (full(n->n)) {
        struct ast **more = arena_array_of(a, struct ast *, n->n ? n->n * 2 : 2);
        if (n->n) memcpy(more, n->child, sizeof(*more) * n->n);
        n->child = more;
    }
    n->child[n->n++] = child;
}

void ast_set(arena *a, struct ast *n, enum ast_slot slot, struct ast *node) {
    if (!node) return;
    for (uint32_t i = 0; i < n->n_slots; i++)
        if (n->slot[i].slot == slot) {
            n->slot[i].node = node;
            return;
        }
    if (full(n->n_slots)) {
        struct ast_place *more =
            arena_array_of(a, struct ast_place, n->n_slots ? n->n_slots * 2 : 2);
        if (n->n_slots) memcpy(more, n->slot, sizeof(*more) * n->n_slots);
        n->slot = more;
    }
    n->slot[n->n_slots++] = (struct ast_place){(uint16_t)slot, node};
}

struct ast *ast_name(arena *a, const str *parts, size_t n) {
    struct ast *name = ast_new(a, AST_NAME, 0, 0);
    for (size_t i = 0; i < n; i++) ast_add(a, name, ast_text(a, AST_IDENT, parts[i]));
    return name;
}

struct ast *ast_column(arena *a, const str *parts, size_t n) {
    struct ast *column = ast_new(a, AST_COLUMN, 0, 0);
    ast_add(a, column, ast_name(a, parts, n));
    return column;
}

static const char *const kind_names[AST_KIND_COUNT] = {
#define X(name) [AST_##name] = #name,
    AST_KINDS(X)
#undef X
};

static const char *const slot_names[SLOT_COUNT] = {
#define X(name) [SLOT_##name] = #name,
    AST_SLOTS(X)
#undef X
};

const char *ast_kind_name(enum ast_kind kind) {
    return kind < AST_KIND_COUNT ? kind_names[kind] : "?";
}
const char *ast_slot_name(enum ast_slot slot) { return slot < SLOT_COUNT ? slot_names[slot] : "?"; }

/* By bit. The last one stands for several things; see ast.h. */
static const char *const flag_names[32] = {
    "not",           "true",      "quoted",   "distinct", "all",      "try",       "desc",
    "special",       "lateral",   "natural",  "outer",    "by-name",  "recursive", "replace",
    "if-not-exists", "if-exists", "temp",     "global",   "external", "overwrite", "not-null",
    "first",         "cascade",   "evolve",   "nulls",    "path",     "rowids",    "materialized",
    "stream",        "symmetric", "extended", "json",
};

static void lower(const char *z, buf *out) {
    for (; *z; z++) buf_c(out, (char)(*z >= 'A' && *z <= 'Z' ? *z + 32 : *z == '_' ? '-' : *z));
}

static void dump_text(const struct ast *n, buf *out) {
    buf_c(out, ' ');
    if (n->kind != AST_LIT_BINARY)
        buf_json_str(out, n->text);
    else
        for (size_t i = 0; i < n->text.n; i++) buf_fmt(out, "%02x", (unsigned char)n->text.p[i]);
}

void ast_dump(const struct ast *n, buf *out) {
    if (!n) {
        buf_z(out, "nil");
        return;
    }
    /* What occurs most is written shortest: a name is its parts, a column its name. */
    if (n->kind == AST_COLUMN && n->n == 1 && !n->n_slots && n->child[0]->kind == AST_NAME) {
        ast_dump(n->child[0], out);
        return;
    }
    if (n->kind == AST_NAME) {
        for (uint32_t i = 0; i < n->n; i++) {
            if (i) buf_c(out, '.');
            ast_dump(n->child[i], out);
        }
        return;
    }
    if (n->kind == AST_IDENT && !n->n && !n->n_slots) {
        if (n->flags & AST_F_QUOTED)
            buf_fmt(out, "`%.*s`", STR_ARG(n->text));
        else
            buf_str(out, n->text);
        return;
    }
    if (n->kind == AST_LIT_NUMBER && !n->n_slots) {
        buf_str(out, n->text);
        if (n->op) buf_c(out, (char)n->op);
        return;
    }
    if (n->kind == AST_LIT_STRING && !n->n_slots) {
        buf_json_str(out, n->text);
        return;
    }
    buf_c(out, '(');
    lower(ast_kind_name((enum ast_kind)n->kind), out);
    if (n->text.p) dump_text(n, out);
    if (n->op >= 32 && n->op < 127 && n->kind != AST_PARAM)
        buf_fmt(out, " '%c'", (char)n->op);
    else if (n->op)
        buf_fmt(out, " %u", n->op);
    for (unsigned i = 0; i < 32; i++)
        if (n->flags & 1u << i) buf_fmt(out, " +%s", flag_names[i]);
    for (uint32_t i = 0; i < n->n; i++) {
        buf_c(out, ' ');
        ast_dump(n->child[i], out);
    }
    for (uint32_t i = 0; i < n->n_slots; i++) {
        buf_z(out, " :");
        lower(ast_slot_name((enum ast_slot)n->slot[i].slot), out);
        buf_c(out, ' ');
        ast_dump(n->slot[i].node, out);
    }
    buf_c(out, ')');
}

bool ast_has_query(const struct ast *n) {
    if (!n) return false;
    if (n->kind == AST_QUERY || n->kind == AST_SUBQUERY || n->kind == AST_EXISTS || (n->kind == AST_IN && ast_get(n, SLOT_QUERY))) return true;
    for (uint32_t i = 0; i < n->n; i++)
        if (ast_has_query(n->child[i])) return true;
    for (uint32_t i = 0; i < n->n_slots; i++)
        if (ast_has_query(n->slot[i].node)) return true;
    return false;
}
