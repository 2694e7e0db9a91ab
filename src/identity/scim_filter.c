/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SCIM filters, RFC 7644 §3.4.2.2, the part that clients use.
 *
 *   or      := and ("or" and)*
 *   and     := term ("and" term)*
 *   term    := "(" or ")" | attr "pr" | attr op value
 *
 * Depth is bounded by MAX_DEPTH, comparisons by MAX_TERMS.
 */
#include "identity/scim.h"

#include <stdio.h>

#define MAX_TERMS 32
#define MAX_DEPTH 16

enum node_kind { NODE_AND, NODE_OR, NODE_TERM };

struct scim_filter {
    enum node_kind kind;
    struct scim_filter *left, *right;
    str attr, op, value;
};

struct parser {
    arena *a;
    str text;
    size_t at;
    int terms, depth;
};

static err *wrong(struct parser *p, const char *what) {
    err *e = err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid filter at character %zu: %s.", p->at + 1, what);
    return err_detail(e, "invalidFilter");
}

static void blanks(struct parser *p) {
    while (p->at < p->text.n && p->text.p[p->at] == ' ') p->at++;
}

static str word(struct parser *p) {
    blanks(p);
    size_t from = p->at;
    while (p->at < p->text.n && !strchr(" ()\"", p->text.p[p->at])) p->at++;
    return str_n(p->text.p + from, p->at - from);
}

/* A quoted string (JSON escapes \" and \\) or a bare word. */
static err *value(struct parser *p, str *ret) {
    blanks(p);
    if (p->at >= p->text.n || p->text.p[p->at] != '"') {
        *ret = word(p);
        return ret->n ? NULL : wrong(p, "a value is missing");
    }
    buf b = {0};
    for (p->at++; p->at < p->text.n && p->text.p[p->at] != '"'; p->at++) {
        if (p->text.p[p->at] == '\\' && p->at + 1 < p->text.n) p->at++;
        buf_c(&b, p->text.p[p->at]);
    }
    *ret = arena_str(p->a, buf_view(&b));
    buf_free(&b);
    if (p->at >= p->text.n) return wrong(p, "the string does not end");
    p->at++;
    return NULL;
}

static bool known(str s, const char *list) {
    str rest = str_of(list), part;
    while (str_split(&rest, ' ', &part))
        if (str_ieq(s, part)) return true;
    return false;
}

static err *parse_or(struct parser *p, struct scim_filter **ret);

static err *parse_term(struct parser *p, struct scim_filter **ret) {
    blanks(p);
    if (p->at < p->text.n && p->text.p[p->at] == '(') {
        if (++p->depth > MAX_DEPTH) return wrong(p, "nested too deep");
        p->at++;
        TRY(parse_or(p, ret));
        blanks(p);
        if (p->at >= p->text.n || p->text.p[p->at] != ')') return wrong(p, "')' is missing");
        p->at++;
        p->depth--;
        return NULL;
    }
    if (++p->terms > MAX_TERMS) return wrong(p, "too many comparisons");
    struct scim_filter *f = arena_new_of(p->a, struct scim_filter);
    f->kind = NODE_TERM;
    f->attr = word(p);
    if (!known(f->attr, "userName displayName id externalId applicationId active"))
        return wrong(p, "the attribute is not one of userName, displayName, id, externalId, "
                        "applicationId, active");
    f->op = word(p);
    if (!known(f->op, "eq ne co sw ew pr")) return wrong(p, "the operator is not one of eq, ne, co, sw, ew, pr");
    if (!str_ieq(f->op, STR("pr"))) TRY(value(p, &f->value));
    *ret = f;
    return NULL;
}

static bool next_is(struct parser *p, const char *w) {
    size_t at = p->at;
    if (str_ieq(word(p), str_of(w))) return true;
    p->at = at;
    return false;
}

static struct scim_filter *join(struct parser *p, enum node_kind k, struct scim_filter *l,
                                struct scim_filter *r) {
    struct scim_filter *f = arena_new_of(p->a, struct scim_filter);
    *f = (struct scim_filter){.kind = k, .left = l, .right = r};
    return f;
}

static err *parse_and(struct parser *p, struct scim_filter **ret) {
    TRY(parse_term(p, ret));
    while (next_is(p, "and")) {
        struct scim_filter *r;
        TRY(parse_term(p, &r));
        *ret = join(p, NODE_AND, *ret, r);
    }
    return NULL;
}

static err *parse_or(struct parser *p, struct scim_filter **ret) {
    TRY(parse_and(p, ret));
    while (next_is(p, "or")) {
        struct scim_filter *r;
        TRY(parse_and(p, &r));
        *ret = join(p, NODE_OR, *ret, r);
    }
    return NULL;
}

err *scim_filter_parse(arena *a, str text, struct scim_filter **ret) {
    *ret = NULL;
    if (!str_trim(text).n) return NULL;
    struct parser p = {.a = a, .text = text};
    TRY(parse_or(&p, ret));
    blanks(&p);
    return p.at == text.n ? NULL : wrong(&p, "unexpected text");
}

static bool contains(str have, str want) {
    for (size_t i = 0; i + want.n <= have.n; i++)
        if (str_ieq(str_n(have.p + i, want.n), want)) return true;
    return false;
}

static bool compare(str op, str have, str want) {
    bool fits = have.n >= want.n;
    if (str_ieq(op, STR("eq"))) return str_ieq(have, want);
    if (str_ieq(op, STR("ne"))) return !str_ieq(have, want);
    if (str_ieq(op, STR("co"))) return contains(have, want);
    if (str_ieq(op, STR("sw"))) return fits && str_ieq(str_cut(have, want.n), want);
    if (str_ieq(op, STR("ew"))) return fits && str_ieq(str_from(have, have.n - want.n), want);
    return have.n > 0; /* pr */
}

static bool match_term(const struct scim_filter *f, const struct scim_resource *r) {
    char id[24];
    str have = STR("");
    if (str_ieq(f->attr, STR("id"))) {
        snprintf(id, sizeof(id), "%lld", (long long)r->id);
        have = str_of(id);
    } else if (str_ieq(f->attr, STR("externalId"))) {
        have = r->external_id;
    } else if (str_ieq(f->attr, STR("active"))) {
        have = r->active ? STR("true") : STR("false");
    } else if (str_ieq(f->attr, STR("displayName"))) {
        have = r->type == PRINCIPAL_GROUP || !r->display_name.n ? r->name : r->display_name; /* as it is shown */
    } else if (str_ieq(f->attr, STR("userName"))) {
        have = r->type == PRINCIPAL_USER ? r->name : STR("");
    } else {
        have = r->type == PRINCIPAL_SERVICE ? r->name : STR("");
    }
    return compare(f->op, have, f->value);
}

/* Depth follows the text's: at most MAX_TERMS levels. */
bool scim_filter_match(const struct scim_filter *f, const struct scim_resource *r) {
    if (!f) return true;
    if (f->kind == NODE_TERM) return match_term(f, r);
    if (f->kind == NODE_AND) return scim_filter_match(f->left, r) && scim_filter_match(f->right, r);
    return scim_filter_match(f->left, r) || scim_filter_match(f->right, r);
}
