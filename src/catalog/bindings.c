/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/bindings.h"

#include "base/buf.h"
#include "catalog/catalogs.h"
#include "catalog/locations.h"

bool bindings_on(enum securable_kind kind) { return kind == SEC_CATALOG || kind == SEC_LOCATION || kind == SEC_CREDENTIAL; }

/* The next of the text; false at its end. */
static bool next(str *rest, struct binding *ret) {
    str part;
    while (str_split(rest, ' ', &part)) {
        ptrdiff_t colon = str_chr(part, ':', 0);
        if (colon <= 0 || !str_to_i64(str_cut(part, (size_t)colon), &ret->workspace)) continue;
        ret->read_only = str_eqz(str_from(part, (size_t)colon + 1), "ro");
        return true;
    }
    return false;
}

enum policy_binding bindings_say(str mode, str bindings, int64_t workspace) {
    struct binding b;
    if (!str_eqz(mode, "ISOLATED")) return POLICY_BOUND;
    while (next(&bindings, &b))
        if (b.workspace == workspace) return b.read_only ? POLICY_BOUND_TO_READ : POLICY_BOUND;
    return POLICY_NOT_BOUND;
}

static str *mode_of(struct securable *s) {
    return s->kind == SEC_CATALOG ? &s->catalog.isolation_mode : s->kind == SEC_LOCATION ? &s->location.isolation_mode : &s->credential.isolation_mode;
}
static str *text_of(struct securable *s) {
    return s->kind == SEC_CATALOG ? &s->catalog.bindings : s->kind == SEC_LOCATION ? &s->location.bindings : &s->credential.bindings;
}

bool bindings_isolated(const struct securable *s) {
    struct securable copy = *s;
    return str_eqz(*mode_of(&copy), "ISOLATED");
}

err *bindings_read(const struct caller *c, const struct securable *s, struct bindings *ret) {
    struct securable copy = *s;
    struct binding b;
    must(bindings_on(s->kind));
    *ret = (struct bindings){.p = arena_array_of(c->a, struct binding, BINDINGS_MAX + 1)};
    for (str rest = *text_of(&copy); ret->n < BINDINGS_MAX && next(&rest, &b);) ret->p[ret->n++] = b;
    return NULL;
}

err *bindings_add(const struct caller *c, struct bindings *b, struct binding one) {
    struct ent_workspace w;
    bool found;
    size_t at = 0;
    TRY(ent_workspace_get(c->tx, metastore_scope(c), c->a, one.workspace, &w, &found));
    if (!found) return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Workspace %lld does not exist in this account.", (long long)one.workspace);
    while (at < b->n && b->p[at].workspace < one.workspace) at++;
    if (at == b->n || b->p[at].workspace != one.workspace) {
        if (b->n == BINDINGS_MAX) return err_new(ERR_RESOURCE_EXHAUSTED, "At most %d workspaces are bound to one securable.", BINDINGS_MAX);
        memmove(&b->p[at + 1], &b->p[at], (b->n++ - at) * sizeof(*b->p));
    }
    b->p[at] = one;
    return NULL;
}

void bindings_remove(struct bindings *b, struct binding one, bool of_this_type) {
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->p[i].workspace != one.workspace || (of_this_type && b->p[i].read_only != one.read_only)) b->p[kept++] = b->p[i];
    b->n = kept;
}

static void put_text(const struct caller *c, struct securable *s, const struct bindings *b) {
    buf out = {0};
    for (size_t i = 0; i < b->n; i++) buf_fmt(&out, "%s%lld:%s", i ? " " : "", (long long)b->p[i].workspace, b->p[i].read_only ? "ro" : "rw");
    *text_of(s) = arena_str(c->a, buf_view(&out));
    buf_free(&out);
}

err *bindings_save(const struct caller *c, struct securable *s, const struct bindings *b) {
    put_text(c, s, b);
    return s->kind == SEC_CATALOG ? catalogs_save(c, s) : s->kind == SEC_LOCATION ? locations_save(c, s) : credentials_save(c, s);
}

err *bindings_set_mode(const struct caller *c, struct securable *s, str mode) {
    static const str LONG = {"ISOLATION_MODE_", 15};
    struct bindings b;
    str name = str_starts(mode, LONG) ? str_from(mode, LONG.n) : mode;
    bool isolated = str_eqz(name, "ISOLATED");
    if (!isolated && !str_eqz(name, "OPEN"))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "isolation_mode must be OPEN or ISOLATED, not '%.*s'.", STR_ARG(str_cut(mode, 64)));
    if (isolated && !bindings_isolated(s)) {
        TRY(bindings_read(c, s, &b));
        bool bound = bindings_say(STR("ISOLATED"), *text_of(s), c->scope.workspace) != POLICY_NOT_BOUND;
        if (!bound) TRY(bindings_add(c, &b, (struct binding){.workspace = c->scope.workspace}));
        put_text(c, s, &b);
    }
    *mode_of(s) = isolated ? STR("ISOLATED") : STR("OPEN");
    return NULL;
}
