/* SPDX-License-Identifier: Apache-2.0 */
/* The little language of signatures: "array<T>, lambda(T,int?)->U", "text|array<T>...", "literal:string?". */
#include "sql/func_sig.h"

struct reader {
    arena *a;
    const char *p;
};

static void blanks(struct reader *r) {
    while (*r->p == ' ') r->p++;
}

static bool take(struct reader *r, const char *z) {
    blanks(r);
    size_t n = strlen(z);
    if (strncmp(r->p, z, n) != 0) return false;
    r->p += n;
    return true;
}

static bool word_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static str word(struct reader *r) {
    blanks(r);
    const char *from = r->p;
    while (word_byte(*r->p)) r->p++;
    must(r->p > from);
    return str_n(from, (size_t)(r->p - from));
}

static struct pat *read_alts(struct reader *r);

static void add_child(struct reader *r, struct pat *p, struct pat *c, str name) {
    struct pat **more = arena_array_of(r->a, struct pat *, p->n + 1);
    str *names = arena_array_of(r->a, str, p->n + 1);
    if (p->n) memcpy(more, p->child, p->n * sizeof *more);
    if (p->n) memcpy(names, p->names, p->n * sizeof *names);
    more[p->n] = c;
    names[p->n] = name;
    p->child = more;
    p->names = names;
    p->n++;
}

static struct pat *read_one(struct reader *r) {
    struct pat *p = arena_new_of(r->a, struct pat);
    p->word = word(r);
    if (str_eqz(p->word, "literal") && take(r, ":")) {
        p = read_one(r);
        p->literal = true;
        return p;
    }
    bool exact = str_eqz(p->word, "exact");
    if ((exact || str_eqz(p->word, "only")) && take(r, ":")) {
        p = read_one(r);
        p->exact = true;
        p->null_too = !exact;
        return p;
    }
    if (str_eqz(p->word, "lambda")) {
        must(take(r, "("));
        while (!take(r, ")")) {
            struct pat *c = read_alts(r);
            if (take(r, "?")) c->optional = true;
            add_child(r, p, c, STR_NONE);
            take(r, ",");
        }
        must(take(r, "->"));
        add_child(r, p, read_alts(r), STR_NONE);
        return p;
    }
    if (take(r, "<")) {
        bool fields = str_eqz(p->word, "struct");
        while (!take(r, ">")) {
            str name = STR_NONE;
            if (fields) {
                name = word(r);
                must(take(r, ":"));
            }
            add_child(r, p, read_alts(r), name);
            take(r, ",");
        }
        return p;
    }
    if (*r->p == '(') {
        const char *end = strchr(r->p, ')');
        must(end != NULL);
        p->word.n = (size_t)(end + 1 - p->word.p);
        r->p = end + 1;
    }
    return p;
}

static struct pat *read_alts(struct reader *r) {
    struct pat *first = read_one(r);
    if (!take(r, "|")) return first;
    struct pat *p = arena_new_of(r->a, struct pat);
    p->word = STR("|");
    p->alternatives = true;
    p->literal = first->literal;
    add_child(r, p, first, STR_NONE);
    do {
        add_child(r, p, read_one(r), STR_NONE);
    } while (take(r, "|"));
    return p;
}

void sig_read(arena *a, const char *text, struct sig *ret) {
    struct reader r = {a, text};
    struct pat list = {.n = 0};
    memset(ret, 0, sizeof *ret);
    for (blanks(&r); *r.p; blanks(&r)) {
        struct pat *p = read_alts(&r);
        if (take(&r, "?")) p->optional = true;
        if (take(&r, "...")) {
            p->repeat = true;
            ret->open = true;
        }
        add_child(&r, &list, p, STR_NONE);
        if (!p->optional) ret->least = list.n;
        if (!take(&r, ",")) break;
    }
    must(*r.p == 0);
    ret->arg = list.child;
    ret->n = list.n;
}

struct pat *sig_read_type(arena *a, const char *text) {
    struct reader r = {a, text};
    struct pat *p = read_alts(&r);
    blanks(&r);
    /* "interval day to second" and the like are types of several words. */
    if (*r.p) {
        p = arena_new_of(a, struct pat);
        p->word = str_of(text);
    }
    return p;
}

const struct pat *sig_arg(const struct sig *s, size_t i) {
    if (i < s->n) return s->arg[i];
    return s->open && s->n ? s->arg[s->n - 1] : NULL;
}

bool pat_is_lambda(const struct pat *p) { return str_eqz(p->word, "lambda"); }

static bool is_var(const struct pat *p) {
    return p->word.n == 1 && p->word.p[0] >= 'A' && p->word.p[0] <= 'Z';
}
static size_t var_of(const struct pat *p) { return (size_t)(p->word.p[0] - 'A'); }

/* ---- matching ---- */

/* The one type of two uses of a variable. Without text: a text and a number have none. Tight: neither have decimals of other digits. */
static const struct sql_type *one_type(arena *a, const struct sql_type *x, const struct sql_type *y, enum pat_common how) {
    if (how != COMMON_WIDE && sql_is_text(x) != sql_is_text(y) && x->kind != TY_VOID && y->kind != TY_VOID) return NULL;
    if (how == COMMON_TIGHT && sql_type_eq(x, y)) return x;
    return how == COMMON_TIGHT ? sql_tightest_type(a, x, y) : sql_common_type(a, x, y);
}

bool pat_gather(arena *a, const struct pat *p, const struct sql_type *t, enum pat_common how, const struct sql_type **vars) {
    if (is_var(p)) {
        const struct sql_type **v = &vars[var_of(p)];
        *v = *v ? one_type(a, *v, t, how) : t;
        return *v != NULL;
    }
    if (t->kind == TY_VOID) return true;
    if (p->alternatives) {
        for (size_t i = 0; i < p->n; i++) {
            const struct pat *c = p->child[i];
            if (c->n == 0 && !is_var(c)) continue;
            if (str_eqz(c->word, "array") && t->kind != TY_ARRAY) continue;
            if (str_eqz(c->word, "map") && t->kind != TY_MAP) continue;
            return pat_gather(a, c, t, how, vars);
        }
        return true;
    }
    if (str_eqz(p->word, "array") && p->n == 1) return t->kind == TY_ARRAY && pat_gather(a, p->child[0], t->elem, how, vars);
    if (str_eqz(p->word, "map") && p->n == 2)
        return t->kind == TY_MAP && pat_gather(a, p->child[0], t->key, how, vars) && pat_gather(a, p->child[1], t->elem, how, vars);
    return true;
}

static const struct sql_type *as(enum sql_type_kind kind, int price, int *cost) {
    *cost += price;
    return sql_type_of(kind);
}

/* Classes that hold several types; *known false: not such a word. */
static const struct sql_type *coerce_class(arena *a, str w, const struct sql_type *t, int *cost, bool *known) {
    bool null = t->kind == TY_VOID, text = sql_is_text(t);
    *known = true;
    if (str_eqz(w, "any")) return t;
    if (str_eqz(w, "orderable")) return sql_is_orderable(t) ? t : NULL;
    if (str_eqz(w, "numeric")) {
        if (sql_is_numeric(t)) return t;
        return text || null ? as(TY_DOUBLE, null ? 0 : 20, cost) : NULL;
    }
    if (str_eqz(w, "integral")) {
        if (sql_is_integral(t)) return t;
        return text || null ? as(null ? TY_INT : TY_BIGINT, null ? 0 : 20, cost) : NULL;
    }
    if (str_eqz(w, "small")) { /* what an int holds; no number with a point, no larger one */
        if (t->kind >= TY_TINYINT && t->kind <= TY_INT) return as(TY_INT, 0, cost);
        return text || null ? as(TY_INT, null ? 0 : 20, cost) : NULL;
    }
    if (str_eqz(w, "decimal")) {
        if (t->kind == TY_DECIMAL) return t;
        if (!sql_is_integral(t) && !text && !null) return NULL;
        *cost += null ? 0 : text ? 20 : 2;
        return null ? sql_decimal(a, 38, 18) : sql_decimal_for(a, t);
    }
    if (str_eqz(w, "text")) {
        if (text || t->kind == TY_BINARY) return t;
        if (null) return sql_type_of(TY_STRING);
        return sql_implicit(a, t, sql_type_of(TY_STRING)) ? as(TY_STRING, 20, cost) : NULL;
    }
    if (str_eqz(w, "datetime")) {
        if (t->kind >= TY_DATE && t->kind <= TY_TIMESTAMP_NTZ) return t;
        return text || null ? as(TY_TIMESTAMP, null ? 0 : 20, cost) : NULL;
    }
    if (str_eqz(w, "interval")) return t->kind >= TY_INTERVAL_YM && t->kind <= TY_INTERVAL ? t : null ? sql_type_of(TY_INTERVAL_DT) : NULL;
    if (str_eqz(w, "ym")) return t->kind == TY_INTERVAL_YM ? t : NULL;
    if (str_eqz(w, "dt")) return t->kind == TY_INTERVAL_DT ? t : NULL;
    if (str_eqz(w, "calendar")) return t->kind == TY_INTERVAL ? t : NULL;
    if (str_eqz(w, "struct")) return t->kind == TY_STRUCT ? t : NULL;
    if (str_eqz(w, "variant")) return t->kind == TY_VARIANT || null ? sql_type_of(TY_VARIANT) : NULL;
    if (str_eqz(w, "array")) return t->kind == TY_ARRAY || null ? t : NULL;
    if (str_eqz(w, "map")) return t->kind == TY_MAP || null ? t : NULL;
    *known = false;
    return NULL;
}

static const struct sql_type *word_type(arena *a, str w) {
    const struct sql_type *t;
    if (str_eqz(w, "ntz")) return sql_type_of(TY_TIMESTAMP_NTZ);
    err *e = sql_type_parse(a, w, &t);
    if (!e) return t;
    err_free(e);
    return NULL;
}

static const struct sql_type *to_type(arena *a, const struct sql_type *from, const struct sql_type *to, int *cost) {
    if (sql_type_same_physical(from, to)) return from->kind == TY_CHAR || from->kind == TY_VARCHAR ? to : from;
    const struct sql_type *t = sql_implicit(a, from, to);
    if (!t) return NULL;
    if (from->kind == TY_VOID)
        *cost += 0;
    else if (sql_is_numeric(from) && sql_is_numeric(to))
        *cost += 1 + (to->kind > from->kind ? to->kind - from->kind : 0);
    else if (from->kind == TY_DATE || from->kind == TY_TIMESTAMP || from->kind == TY_TIMESTAMP_NTZ)
        *cost += sql_is_text(to) ? 25 : 5;
    else
        *cost += 20;
    return t;
}

/* Is it a type of the same sort, down to the elements? */
static bool same_sort(const struct sql_type *x, const struct sql_type *y) {
    if (sql_is_text(x) && sql_is_text(y)) return true;
    if (x->kind != y->kind) return false;
    if (x->kind == TY_MAP && !same_sort(x->key, y->key)) return false;
    return (x->kind != TY_ARRAY && x->kind != TY_MAP) || same_sort(x->elem, y->elem);
}

const struct sql_type *pat_coerce(arena *a, const struct pat *p, const struct sql_type *t,
                                  const struct sql_type *const *vars, int *cost) {
    bool known;
    if (p->exact) {
        struct pat loose = *p;
        loose.exact = false;
        if (t->kind == TY_VOID && !p->null_too) return NULL;
        const struct sql_type *x = pat_coerce(a, &loose, t, vars, cost);
        return x && (t->kind == TY_VOID || same_sort(t, x)) ? x : NULL;
    }
    if (p->alternatives) {
        const struct sql_type *best = NULL;
        int low = 1 << 20;
        for (size_t i = 0; i < p->n; i++) {
            int c = 0;
            const struct sql_type *x = pat_coerce(a, p->child[i], t, vars, &c);
            if (x && c < low) {
                best = x;
                low = c;
            }
        }
        if (best) *cost += low;
        return best;
    }
    if (is_var(p)) {
        const struct sql_type *v = vars[var_of(p)];
        return v ? v : t;
    }
    if (p->n == 0) {
        const struct sql_type *x = coerce_class(a, p->word, t, cost, &known);
        if (known) return x;
        const struct sql_type *to = word_type(a, p->word);
        return to ? to_type(a, t, to, cost) : NULL;
    }
    const struct sql_type *to = pat_type(a, p, vars);
    if (!to) return NULL;
    if (t->kind == TY_VOID) return to;
    if (t->kind != to->kind) return NULL;
    if (t->kind == TY_ARRAY && p->n == 1) {
        const struct sql_type *e = pat_coerce(a, p->child[0], t->elem, vars, cost);
        return e ? (e == t->elem ? t : sql_array(a, e, t->elem_nullable)) : NULL;
    }
    if (t->kind == TY_MAP && p->n == 2) {
        const struct sql_type *k = pat_coerce(a, p->child[0], t->key, vars, cost);
        const struct sql_type *v = pat_coerce(a, p->child[1], t->elem, vars, cost);
        return k && v ? sql_map(a, k, v, t->elem_nullable) : NULL;
    }
    return t;
}

const struct sql_type *pat_type(arena *a, const struct pat *p, const struct sql_type *const *vars) {
    if (is_var(p)) {
        const struct sql_type *v = vars[var_of(p)];
        return v ? v : sql_type_of(TY_VOID);
    }
    if (p->alternatives) return pat_type(a, p->child[0], vars);
    if (str_eqz(p->word, "array") && p->n == 1) {
        const struct sql_type *e = pat_type(a, p->child[0], vars);
        return e ? sql_array(a, e, true) : NULL;
    }
    if (str_eqz(p->word, "map") && p->n == 2) {
        const struct sql_type *k = pat_type(a, p->child[0], vars), *v = pat_type(a, p->child[1], vars);
        return k && v ? sql_map(a, k, v, true) : NULL;
    }
    if (str_eqz(p->word, "struct") && p->n) {
        struct sql_field *f = arena_array_of(a, struct sql_field, p->n);
        for (size_t i = 0; i < p->n; i++) {
            f[i].name = p->names[i];
            f[i].nullable = true;
            f[i].type = pat_type(a, p->child[i], vars);
            if (!f[i].type) return NULL;
        }
        return sql_struct(a, f, p->n);
    }
    if (str_eqz(p->word, "struct")) return sql_struct(a, NULL, 0);
    if (str_eqz(p->word, "ym")) return sql_type_of(TY_INTERVAL_YM);
    if (str_eqz(p->word, "dt")) return sql_type_of(TY_INTERVAL_DT);
    if (str_eqz(p->word, "any")) return sql_type_of(TY_VOID);
    if (str_eqz(p->word, "orderable") || str_eqz(p->word, "numeric")) return sql_type_of(TY_DOUBLE);
    return word_type(a, p->word);
}

void pat_write(const struct pat *p, buf *out) {
    if (p->alternatives) {
        buf_c(out, '(');
        for (size_t i = 0; i < p->n; i++) {
            if (i) buf_z(out, " or ");
            pat_write(p->child[i], out);
        }
        buf_c(out, ')');
        return;
    }
    if (str_eqz(p->word, "small")) {
        buf_z(out, "(\"INT\" or \"SMALLINT\" or \"TINYINT\")");
        return;
    }
    if (str_eqz(p->word, "text")) {
        buf_z(out, "(\"STRING\" or \"BINARY\")");
        return;
    }
    if (str_eqz(p->word, "array") && p->n == 1 && !is_var(p->child[0]) && !str_eqz(p->child[0]->word, "any")) {
        size_t from = out->n;
        pat_write(p->child[0], out);
        if (out->p[from] != '"') return;
        arena *a = arena_new();
        const char *elem = arena_strndup(a, out->p + from + 1, out->n - from - 2);
        out->n = from;
        buf_fmt(out, "\"ARRAY<%s>\"", elem);
        arena_free(a);
        return;
    }
    buf_c(out, '"');
    str w = p->word;
    if (str_eqz(w, "ym")) w = STR("INTERVAL YEAR TO MONTH");
    if (str_eqz(w, "dt")) w = STR("INTERVAL DAY TO SECOND");
    if (str_eqz(w, "ntz")) w = STR("TIMESTAMP_NTZ");
    if (str_eqz(w, "datetime")) w = STR("TIMESTAMP");
    if (str_starts(w, STR("time("))) w = STR("TIME");
    for (size_t i = 0; i < w.n; i++) buf_c(out, w.p[i] >= 'a' && w.p[i] <= 'z' ? (char)(w.p[i] - 32) : w.p[i]);
    buf_c(out, '"');
}
