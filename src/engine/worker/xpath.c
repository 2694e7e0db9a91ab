/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The expression is read and evaluated in one go, by precedence; a predicate is read again for each node that it filters.
 * Where nothing is left to filter it is read once for a node of no meaning, so that its end is known.
 */
#include "engine/worker/xpath.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct xpath_value val;

struct at {                  /* the context */
    const struct xml *node;
    size_t pos, size;
};

struct px {
    arena *a;
    const struct xml *root;
    str s;
    size_t i;
    int depth;
    size_t steps;
    bool bad;
};

/* ---- values ---- */

static void node_text(arena *a, const struct xml *n, str *ret) {
    buf b = {0};
    xml_text(n, &b);
    *ret = b.n ? arena_str(a, buf_view(&b)) : STR("");
    buf_free(&b);
}

static str number_text(arena *a, double d) {
    char z[400];
    if (isnan(d)) return STR("NaN");
    if (isinf(d)) return d > 0 ? STR("Infinity") : STR("-Infinity");
    if (d == trunc(d) && fabs(d) < 1e17) return str_of(arena_printf(a, "%.0f", d == 0 ? 0.0 : d));
    for (int p = 1; p <= 17; p++) {
        snprintf(z, sizeof z, "%.*g", p, d);
        if (strtod(z, NULL) == d) break;
    }
    if (strchr(z, 'e')) {
        for (int p = 0; p <= 340; p++) {
            snprintf(z, sizeof z, "%.*f", p, d);
            if (strtod(z, NULL) == d) break;
        }
    }
    return str_of(arena_strdup(a, z));
}

static double text_number(str s) {
    char z[64];
    while (s.n && strchr(" \t\r\n", s.p[0])) s = str_from(s, 1);
    while (s.n && strchr(" \t\r\n", s.p[s.n - 1])) s.n--;
    bool digit = false, point = false;
    if (s.n == 0 || s.n >= sizeof z) return NAN;
    for (size_t i = s.p[0] == '-'; i < s.n; i++)
        if (s.p[i] >= '0' && s.p[i] <= '9') digit = true;
        else if (s.p[i] == '.' && !point) point = true;
        else return NAN;
    if (!digit) return NAN;
    memcpy(z, s.p, s.n);
    z[s.n] = 0;
    return strtod(z, NULL);
}

str xpath_string(arena *a, const val *v) {
    str s = STR("");
    switch (v->kind) {
    case XPATH_NODES:
        if (v->n) node_text(a, v->node[0], &s);
        return s;
    case XPATH_NUMBER: return number_text(a, v->number);
    case XPATH_STRING: return v->string;
    case XPATH_BOOLEAN: return v->boolean ? STR("true") : STR("false");
    }
    return s;
}
double xpath_number(arena *a, const val *v) {
    if (v->kind == XPATH_NUMBER) return v->number;
    if (v->kind == XPATH_BOOLEAN) return v->boolean;
    return text_number(xpath_string(a, v));
}
bool xpath_boolean(const val *v) {
    switch (v->kind) {
    case XPATH_NODES: return v->n > 0;
    case XPATH_NUMBER: return v->number != 0 && !isnan(v->number);
    case XPATH_STRING: return v->string.n > 0;
    case XPATH_BOOLEAN: return v->boolean;
    }
    return false;
}

static val of_number(double d) { return (val){.kind = XPATH_NUMBER, .number = d}; }
static val of_boolean(bool b) { return (val){.kind = XPATH_BOOLEAN, .boolean = b}; }
static val of_string(str s) { return (val){.kind = XPATH_STRING, .string = s.p ? s : STR("")}; }

/* ---- words ---- */

static void blanks(struct px *x) {
    while (x->i < x->s.n && strchr(" \t\r\n", x->s.p[x->i])) x->i++;
}
static bool sign(struct px *x, const char *z) {
    blanks(x);
    if (!str_starts(str_from(x->s, x->i), str_of(z))) return false;
    x->i += strlen(z);
    return true;
}
static bool name_char(char c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80 || (!first && ((c >= '0' && c <= '9') || c == '-' || c == '.'));
}
/* A name, with a prefix if it has one; false: none stands here. */
static bool word(struct px *x, str *ret) {
    blanks(x);
    size_t i = x->i;
    if (i >= x->s.n || !name_char(x->s.p[i], true)) return false;
    while (i < x->s.n && (name_char(x->s.p[i], false) || (x->s.p[i] == ':' && i + 1 < x->s.n && x->s.p[i + 1] != ':' && x->s.p[i - 1] != ':'))) i++;
    *ret = str_n(x->s.p + x->i, i - x->i);
    x->i = i;
    return true;
}
/* An operator that is a word. */
static bool keyword(struct px *x, const char *z) {
    size_t from = x->i;
    str w;
    if (word(x, &w) && str_eqz(w, z)) return true;
    x->i = from;
    return false;
}
static val fail(struct px *x) {
    x->bad = true;
    x->i = x->s.n;
    return of_boolean(false);
}

static val expr(struct px *x, struct at c);

/* ---- sets of nodes ---- */

struct set { const struct xml **v; size_t n, cap; };

static void put(struct px *x, struct set *s, const struct xml *n) {
    if (++x->steps > XPATH_STEPS) {
        fail(x);
        return;
    }
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        const struct xml **v = arena_array_of(x->a, const struct xml *, cap);
        if (s->n) memcpy(v, s->v, s->n * sizeof *v);
        s->v = v;
        s->cap = cap;
    }
    s->v[s->n++] = n;
}

static int by_order(const void *p, const void *q) {
    size_t a = (*(const struct xml *const *)p)->order, b = (*(const struct xml *const *)q)->order;
    return (a > b) - (a < b);
}
static void in_order(struct set *s) {
    size_t n = 0;
    if (s->n) qsort(s->v, s->n, sizeof *s->v, by_order);
    for (size_t i = 0; i < s->n; i++)
        if (n == 0 || s->v[n - 1] != s->v[i]) s->v[n++] = s->v[i];
    s->n = n;
}

/* ---- steps ---- */

enum axis { CHILD, DESCENDANT, DESCENDANT_SELF, PARENT, ANCESTOR, ANCESTOR_SELF, FOLLOWING_SIBLING, PRECEDING_SIBLING, FOLLOWING, PRECEDING, ATTRIBUTE, SELF };
static const char *const axes[] = {"child", "descendant", "descendant-or-self", "parent", "ancestor", "ancestor-or-self", "following-sibling", "preceding-sibling", "following",
                                   "preceding", "attribute", "self"};

struct test { enum axis axis; bool text, node, any, none; str name; };

static bool passes(const struct test *t, const struct xml *n) {
    if (t->none) return false;
    if (t->node) return true;
    if (t->text) return n->kind == XML_TEXT;
    if (n->kind != (t->axis == ATTRIBUTE ? XML_ATTRIBUTE : XML_ELEMENT)) return false;
    return t->any || (str_eq(n->name, t->name) && str_chr(t->name, ':', 0) < 0);
}

static void below(struct px *x, const struct test *t, const struct xml *n, struct set *out) {
    for (const struct xml *k = n->child; k && !x->bad; k = k->next) {
        if (passes(t, k)) put(x, out, k);
        if (++x->steps > XPATH_STEPS) fail(x);
        below(x, t, k, out);
    }
}

/* The nodes of an axis, in its own direction. */
static void walk(struct px *x, const struct test *t, const struct xml *n, struct set *out) {
    const struct xml *parent = n->parent;
    switch (t->axis) {
    case CHILD:
        for (const struct xml *k = n->child; k; k = k->next)
            if (passes(t, k)) put(x, out, k);
        break;
    case DESCENDANT_SELF:
        if (passes(t, n)) put(x, out, n);
        below(x, t, n, out);
        break;
    case DESCENDANT: below(x, t, n, out); break;
    case SELF:
        if (passes(t, n)) put(x, out, n);
        break;
    case PARENT:
        if (parent && passes(t, parent)) put(x, out, parent);
        break;
    case ANCESTOR_SELF:
    case ANCESTOR:
        for (const struct xml *p = t->axis == ANCESTOR ? parent : n; p; p = p->parent)
            if (passes(t, p)) put(x, out, p);
        break;
    case ATTRIBUTE:
        for (const struct xml *k = n->attribute; k; k = k->next)
            if (passes(t, k)) put(x, out, k);
        break;
    case FOLLOWING_SIBLING:
        for (const struct xml *k = n->kind == XML_ATTRIBUTE ? NULL : n->next; k; k = k->next)
            if (passes(t, k)) put(x, out, k);
        break;
    case PRECEDING_SIBLING: {
        size_t from = out->n;
        for (const struct xml *k = parent && n->kind != XML_ATTRIBUTE ? parent->child : NULL; k && k != n; k = k->next)
            if (passes(t, k)) put(x, out, k);
        for (size_t i = from, j = out->n; i + 1 < j; i++) {
            const struct xml *h = out->v[i];
            out->v[i] = out->v[--j];
            out->v[j] = h;
        }
        break;
    }
    case FOLLOWING:
        for (const struct xml *p = n; p; p = p->parent)
            for (const struct xml *k = p->kind == XML_ATTRIBUTE ? NULL : p->next; k; k = k->next) {
                if (passes(t, k)) put(x, out, k);
                below(x, t, k, out);
            }
        break;
    case PRECEDING:
        for (const struct xml *p = n; p->parent; p = p->parent)
            for (const struct xml *k = p->parent->child; k && k != p; k = k->next) {
                if (passes(t, k)) put(x, out, k);
                below(x, t, k, out);
            }
        break;
    }
}

/* [ … ]: keeps the nodes for which it holds; a number asks for that place. */
static void predicates(struct px *x, struct set *s) {
    while (!x->bad && sign(x, "[")) {
        size_t from = x->i, end = from, kept = 0;
        struct set now = *s;
        if (now.n == 0) {
            expr(x, (struct at){x->root, 1, 1});
            end = x->i;
        }
        for (size_t i = 0; i < now.n && !x->bad; i++) {
            x->i = from;
            const struct xml *n = now.v[i];
            val v = expr(x, (struct at){n, i + 1, now.n});
            end = x->i;
            if (v.kind == XPATH_NUMBER ? v.number == (double)(i + 1) : xpath_boolean(&v)) now.v[kept++] = n;
            if (++x->steps > XPATH_STEPS) fail(x);
        }
        s->n = kept;
        if (!x->bad) x->i = end;
        if (!x->bad && !sign(x, "]")) fail(x);
    }
}

static bool node_test(struct px *x, struct test *t) {
    str w;
    size_t from;
    if (sign(x, "*")) {
        t->any = true;
        return true;
    }
    if (!word(x, &w)) return false;
    from = x->i;
    bool call = sign(x, "(");
    if (!call) {
        x->i = from;
        t->name = w;
        if (w.p[w.n - 1] == ':') t->none = sign(x, "*");
        return true;
    }
    if (str_eqz(w, "text")) t->text = true;
    else if (str_eqz(w, "node")) t->node = true;
    else if (str_eqz(w, "comment") || str_eqz(w, "processing-instruction")) t->none = true;
    else return false;
    return sign(x, ")");
}

static void step(struct px *x, struct set *s) {
    struct test t = {.axis = CHILD};
    str w;
    if (sign(x, "..")) t = (struct test){.axis = PARENT, .node = true};
    else if (sign(x, ".")) t = (struct test){.axis = SELF, .node = true};
    else {
        size_t from = x->i;
        if (sign(x, "@")) t.axis = ATTRIBUTE;
        else if (word(x, &w) && sign(x, "::")) {
            size_t k = 0;
            while (k < ARRAY_LEN(axes) && !str_eqz(w, axes[k])) k++;
            if (k == ARRAY_LEN(axes)) {
                fail(x);
                return;
            }
            t.axis = (enum axis)k;
        } else x->i = from;
        if (!node_test(x, &t)) {
            fail(x);
            return;
        }
    }
    size_t start = x->i, end = start;
    struct set out = {0}, dry = {0};
    for (size_t i = 0; i < s->n && !x->bad; i++) {
        struct set one = {0};
        walk(x, &t, s->v[i], &one);
        x->i = start;
        predicates(x, &one);
        end = x->i;
        for (size_t k = 0; k < one.n; k++) put(x, &out, one.v[k]);
    }
    if (s->n == 0) {
        predicates(x, &dry);
        end = x->i;
    }
    if (!x->bad) x->i = end;
    in_order(&out);
    *s = out;
}

static void everything_below(struct px *x, struct set *s) {
    struct test t = {.axis = DESCENDANT_SELF, .node = true};
    struct set out = {0};
    for (size_t i = 0; i < s->n && !x->bad; i++) walk(x, &t, s->v[i], &out);
    in_order(&out);
    *s = out;
}

/* The steps behind a set: / and //. */
static void steps(struct px *x, struct set *s) {
    while (!x->bad) {
        if (sign(x, "//")) everything_below(x, s);
        else if (!sign(x, "/")) return;
        step(x, s);
    }
}

static val of_set(const struct set *s) { return (val){.kind = XPATH_NODES, .node = s->v, .n = s->n}; }

/* ---- functions ---- */

#define ARGS 16

static str substring(arena *a, str s, double from, double len) {
    /* By characters, from 1, rounded as the standard says. */
    double first = floor(from + 0.5), last = first + floor(len + 0.5);
    buf b = {0};
    double at = 0;
    for (size_t i = 0; i < s.n;) {
        size_t n = 1;
        while (i + n < s.n && ((unsigned char)s.p[i + n] & 0xc0) == 0x80) n++;
        at++;
        if (at >= first && at < last) buf_add(&b, s.p + i, n);
        i += n;
    }
    str r = b.n ? arena_str(a, buf_view(&b)) : STR("");
    buf_free(&b);
    return r;
}

static str normal_space(arena *a, str s) {
    buf b = {0};
    for (size_t i = 0; i < s.n; i++) {
        bool blank = strchr(" \t\r\n", s.p[i]) != NULL;
        if (!blank) buf_c(&b, s.p[i]);
        else if (b.n && b.p[b.n - 1] != ' ') buf_c(&b, ' ');
    }
    while (b.n && b.p[b.n - 1] == ' ') b.n--;
    str r = b.n ? arena_str(a, buf_view(&b)) : STR("");
    buf_free(&b);
    return r;
}

static str translate(arena *a, str s, str from, str to) {
    buf b = {0};
    for (size_t i = 0; i < s.n; i++) {
        ptrdiff_t k = str_chr(from, s.p[i], 0);
        if (k < 0) buf_c(&b, s.p[i]);
        else if ((size_t)k < to.n) buf_c(&b, to.p[k]);
    }
    str r = b.n ? arena_str(a, buf_view(&b)) : STR("");
    buf_free(&b);
    return r;
}

static size_t characters(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static val name_of(const val *v, size_t n, struct at c, bool local) {
    const struct xml *node = n == 0 ? c.node : v[0].kind == XPATH_NODES && v[0].n ? v[0].node[0] : NULL;
    str s = node ? node->name : STR("");
    ptrdiff_t colon = str_chr(s, ':', 0);
    return of_string(local && colon >= 0 ? str_from(s, (size_t)colon + 1) : s);
}

static val concat(struct px *x, const val *v, size_t n) {
    buf b = {0};
    for (size_t i = 0; i < n; i++) buf_str(&b, xpath_string(x->a, &v[i]));
    str r = b.n ? arena_str(x->a, buf_view(&b)) : STR("");
    buf_free(&b);
    return of_string(r);
}

static val sum(struct px *x, const val *v) {
    double d = 0;
    if (v->kind != XPATH_NODES) return fail(x);
    for (size_t i = 0; i < v->n; i++) {
        str s;
        node_text(x->a, v->node[i], &s);
        d += text_number(s);
    }
    return of_number(d);
}

enum fn { F_LAST, F_POSITION, F_COUNT, F_NAME, F_LOCAL, F_NAMESPACE, F_STRING, F_CONCAT, F_STARTS, F_CONTAINS, F_BEFORE, F_AFTER, F_SUBSTRING, F_LENGTH, F_NORMAL, F_TRANSLATE, F_BOOLEAN, F_NOT, F_TRUE,
          F_FALSE, F_NUMBER, F_SUM, F_FLOOR, F_CEILING, F_ROUND };
static const struct { const char *name; unsigned char least, most; } functions[] = {
    {"last", 0, 0}, {"position", 0, 0}, {"count", 1, 1}, {"name", 0, 1}, {"local-name", 0, 1}, {"namespace-uri", 0, 1}, {"string", 0, 1}, {"concat", 2, ARGS}, {"starts-with", 2, 2},
    {"contains", 2, 2}, {"substring-before", 2, 2}, {"substring-after", 2, 2}, {"substring", 2, 3}, {"string-length", 0, 1}, {"normalize-space", 0, 1}, {"translate", 3, 3}, {"boolean", 1, 1},
    {"not", 1, 1}, {"true", 0, 0}, {"false", 0, 0}, {"number", 0, 1}, {"sum", 1, 1}, {"floor", 1, 1}, {"ceiling", 1, 1}, {"round", 1, 1},
};

static val apply(struct px *x, enum fn f, val *v, size_t n, struct at c) {
    const struct xml *self[1] = {c.node};
    val own = {.kind = XPATH_NODES, .node = self, .n = 1}, *first = n ? &v[0] : &own;
    str s = xpath_string(x->a, first), t = n > 1 ? xpath_string(x->a, &v[1]) : STR("");
    ptrdiff_t at;
    switch (f) {
    case F_LAST: return of_number((double)c.size);
    case F_POSITION: return of_number((double)c.pos);
    case F_COUNT: return v[0].kind == XPATH_NODES ? of_number((double)v[0].n) : fail(x);
    case F_NAME: return name_of(v, n, c, false);
    case F_LOCAL: return name_of(v, n, c, true);
    case F_NAMESPACE: return of_string(STR(""));
    case F_STRING: return of_string(s);
    case F_CONCAT: return concat(x, v, n);
    case F_STARTS: return of_boolean(str_starts(s, t));
    case F_CONTAINS: return of_boolean(t.n == 0 || str_find(s, t) >= 0);
    case F_BEFORE: at = str_find(s, t); return of_string(at > 0 ? str_cut(s, (size_t)at) : STR(""));
    case F_AFTER: at = str_find(s, t); return of_string(at >= 0 ? str_from(s, (size_t)at + t.n) : STR(""));
    case F_SUBSTRING: return of_string(substring(x->a, s, xpath_number(x->a, &v[1]), n > 2 ? xpath_number(x->a, &v[2]) : INFINITY));
    case F_LENGTH: return of_number((double)characters(s));
    case F_NORMAL: return of_string(normal_space(x->a, s));
    case F_TRANSLATE: return of_string(translate(x->a, s, t, xpath_string(x->a, &v[2])));
    case F_BOOLEAN: return of_boolean(xpath_boolean(first));
    case F_NOT: return of_boolean(!xpath_boolean(first));
    case F_TRUE: return of_boolean(true);
    case F_FALSE: return of_boolean(false);
    case F_NUMBER: return of_number(xpath_number(x->a, first));
    case F_SUM: return sum(x, first);
    case F_FLOOR: return of_number(floor(xpath_number(x->a, first)));
    case F_CEILING: return of_number(ceil(xpath_number(x->a, first)));
    case F_ROUND: return of_number(floor(xpath_number(x->a, first) + 0.5));
    }
    return fail(x);
}

static val call(struct px *x, str name, struct at c) {
    val v[ARGS];
    size_t n = 0, f = 0;
    while (f < ARRAY_LEN(functions) && !str_eqz(name, functions[f].name)) f++;
    if (f == ARRAY_LEN(functions)) return fail(x);
    if (!sign(x, ")")) {
        do {
            if (n == ARGS) return fail(x);
            v[n++] = expr(x, c);
        } while (!x->bad && sign(x, ","));
        if (x->bad || !sign(x, ")")) return fail(x);
    }
    if (n < functions[f].least || n > functions[f].most) return fail(x);
    return apply(x, (enum fn)f, v, n, c);
}

/* ---- expressions ---- */

/* What is no path: a bracket, a text, a number, a call; false: a path stands here. */
static bool primary(struct px *x, struct at c, val *ret) {
    blanks(x);
    size_t from = x->i;
    char ch = from < x->s.n ? x->s.p[from] : 0, next = from + 1 < x->s.n ? x->s.p[from + 1] : 0;
    str w;
    if (sign(x, "(")) {
        *ret = expr(x, c);
        if (!x->bad && !sign(x, ")")) fail(x);
        return true;
    }
    if (ch == '"' || ch == '\'') {
        ptrdiff_t end = str_chr(x->s, ch, from + 1);
        if (end < 0) fail(x);
        else {
            *ret = of_string(str_n(x->s.p + from + 1, (size_t)end - from - 1));
            x->i = (size_t)end + 1;
        }
        return true;
    }
    if ((ch >= '0' && ch <= '9') || (ch == '.' && next >= '0' && next <= '9')) {
        while (x->i < x->s.n && ((x->s.p[x->i] >= '0' && x->s.p[x->i] <= '9') || x->s.p[x->i] == '.')) x->i++;
        *ret = of_number(text_number(str_n(x->s.p + from, x->i - from)));
        return true;
    }
    if (word(x, &w) && sign(x, "(") && !str_eqz(w, "text") && !str_eqz(w, "node") && !str_eqz(w, "comment") && !str_eqz(w, "processing-instruction")) {
        *ret = call(x, w, c);
        return true;
    }
    x->i = from;
    return false;
}

static val path(struct px *x, struct at c) {
    val v;
    struct set s = {0};
    if (primary(x, c, &v)) {
        blanks(x);
        char ch = x->i < x->s.n ? x->s.p[x->i] : 0;
        if (x->bad || (ch != '[' && ch != '/')) return v;
        if (v.kind != XPATH_NODES) return fail(x);
        s = (struct set){v.node, v.n, v.n};
        predicates(x, &s);
        steps(x, &s);
        return of_set(&s);
    }
    bool all = sign(x, "//"), root = !all && sign(x, "/");
    put(x, &s, all || root ? x->root : c.node);
    if (all) everything_below(x, &s);
    blanks(x);
    char ch = x->i < x->s.n ? x->s.p[x->i] : 0;
    if (root && ch != '*' && ch != '@' && ch != '.' && !name_char(ch, true)) return of_set(&s);
    step(x, &s);
    steps(x, &s);
    return of_set(&s);
}

static val united(struct px *x, struct at c) {
    val v = path(x, c);
    while (!x->bad && sign(x, "|")) {
        val w = path(x, c);
        if (v.kind != XPATH_NODES || w.kind != XPATH_NODES) return fail(x);
        struct set s = {0};
        for (size_t i = 0; i < v.n; i++) put(x, &s, v.node[i]);
        for (size_t i = 0; i < w.n; i++) put(x, &s, w.node[i]);
        in_order(&s);
        v = of_set(&s);
    }
    return v;
}

static val unary(struct px *x, struct at c) {
    bool minus = false, any = false;
    while (sign(x, "-")) minus = !minus, any = true;
    val v = united(x, c);
    if (!any) return v;
    double d = xpath_number(x->a, &v);
    return of_number(minus ? -d : d);
}

static val product(struct px *x, struct at c) {
    val v = unary(x, c);
    while (!x->bad) {
        char op = sign(x, "*") ? '*' : keyword(x, "div") ? '/' : keyword(x, "mod") ? '%' : 0;
        if (!op) return v;
        val w = unary(x, c);
        double a = xpath_number(x->a, &v), b = xpath_number(x->a, &w);
        v = of_number(op == '*' ? a * b : op == '/' ? a / b : fmod(a, b));
    }
    return v;
}

static val total(struct px *x, struct at c) {
    val v = product(x, c);
    while (!x->bad) {
        char op = sign(x, "+") ? '+' : sign(x, "-") ? '-' : 0;
        if (!op) return v;
        val w = product(x, c);
        double a = xpath_number(x->a, &v), b = xpath_number(x->a, &w);
        v = of_number(op == '+' ? a + b : a - b);
    }
    return v;
}

enum cmp { EQ, NE, LT, LE, GT, GE };

static bool numbers(enum cmp op, double a, double b) {
    switch (op) {
    case EQ: return a == b;
    case NE: return a != b;
    case LT: return a < b;
    case LE: return a <= b;
    case GT: return a > b;
    case GE: return a >= b;
    }
    return false;
}

static bool compare(struct px *x, enum cmp op, const val *v, const val *w) {
    const val *sets[2] = {v, w};
    for (int k = 0; k < 2; k++) {
        const val *s = sets[k], *o = sets[1 - k];
        if (s->kind != XPATH_NODES || o->kind == XPATH_BOOLEAN) continue;
        /* Of a set: does it hold for any of its nodes? */
        for (size_t i = 0; i < s->n && !x->bad; i++) {
            str t;
            node_text(x->a, s->node[i], &t);
            val one = of_string(t);
            if (++x->steps > XPATH_STEPS) fail(x);
            if (o->kind == XPATH_NUMBER) one = of_number(text_number(t));
            if (k == 0 ? compare(x, op, &one, o) : compare(x, op, o, &one)) return true;
        }
        return false;
    }
    if (op == EQ || op == NE) {
        bool same;
        if (v->kind == XPATH_BOOLEAN || w->kind == XPATH_BOOLEAN) same = xpath_boolean(v) == xpath_boolean(w);
        else if (v->kind == XPATH_NUMBER || w->kind == XPATH_NUMBER) return numbers(op, xpath_number(x->a, v), xpath_number(x->a, w));
        else same = str_eq(xpath_string(x->a, v), xpath_string(x->a, w));
        return (op == EQ) == same;
    }
    return numbers(op, xpath_number(x->a, v), xpath_number(x->a, w));
}

static val relation(struct px *x, struct at c) {
    val v = total(x, c);
    while (!x->bad) {
        int op = sign(x, "<=") ? LE : sign(x, ">=") ? GE : sign(x, "<") ? LT : sign(x, ">") ? GT : -1;
        if (op < 0) return v;
        val w = total(x, c);
        v = of_boolean(compare(x, (enum cmp)op, &v, &w));
    }
    return v;
}

static val equality(struct px *x, struct at c) {
    val v = relation(x, c);
    while (!x->bad) {
        int op = sign(x, "!=") ? NE : sign(x, "=") ? EQ : -1;
        if (op < 0) return v;
        val w = relation(x, c);
        v = of_boolean(compare(x, (enum cmp)op, &v, &w));
    }
    return v;
}

static val both(struct px *x, struct at c) {
    val v = equality(x, c);
    while (!x->bad && keyword(x, "and")) {
        val w = equality(x, c);
        v = of_boolean(xpath_boolean(&v) && xpath_boolean(&w));
    }
    return v;
}

static val expr(struct px *x, struct at c) {
    if (++x->depth > XPATH_DEPTH) return fail(x);
    val v = both(x, c);
    while (!x->bad && keyword(x, "or")) {
        val w = both(x, c);
        v = of_boolean(xpath_boolean(&v) || xpath_boolean(&w));
    }
    x->depth--;
    return v;
}

bool xpath_eval(arena *a, const struct xml *root, str expression, val *ret) {
    struct px x = {.a = a, .root = root, .s = expression};
    if (expression.n > XPATH_BYTES) return false;
    *ret = expr(&x, (struct at){root, 1, 1});
    blanks(&x);
    return !x.bad && x.i == x.s.n;
}
