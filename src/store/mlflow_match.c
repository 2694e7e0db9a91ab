/* SPDX-License-Identifier: Apache-2.0 */
/* Single values against single clauses. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <math.h>

#include "store/mlflow_query.h"

#define REGEX_MAX 1000u
#define REGEX_WORK 100000u

static char fold_of(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static size_t code_point(str t, size_t at) {
    size_t n = 1;
    while (at + n < t.n && ((unsigned char)t.p[at + n] & 0xc0) == 0x80) n++;
    return n;
}

/* Greedy with one point of return: after a failed match only the last % need take more, as earlier
 * ones can gain nothing. So at most text × pattern steps, and no recursion. */
bool mlq_like(str text, str pattern, bool fold) {
    size_t t = 0, p = 0, back_t = 0, back_p = 0;
    bool star = false;
    while (t < text.n) {
        bool ok = p < pattern.n;
        if (ok && pattern.p[p] == '%') {
            star = true;
            back_p = ++p;
            back_t = t;
            continue;
        }
        if (ok && pattern.p[p] == '_') {
            t += code_point(text, t);
            p++;
            continue;
        }
        if (ok &&
            (pattern.p[p] == text.p[t] || (fold && fold_of(pattern.p[p]) == fold_of(text.p[t])))) {
            t++;
            p++;
            continue;
        }
        if (!star) return false;
        back_t += code_point(text, back_t);
        t = back_t;
        p = back_p;
    }
    while (p < pattern.n && pattern.p[p] == '%') p++;
    return p == pattern.n;
}

static void free_code(void *p) { pcre2_code_free(p); }

err *mlq_prepare(arena *a, struct mlq *q) {
    for (size_t i = 0; i < q->n_clauses; i++) {
        struct mlq_clause *c = &q->clauses[i];
        if (c->op != MLQ_RLIKE) continue;
        int code;
        size_t at;
        if (c->text.n > REGEX_MAX)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "The pattern of RLIKE is longer than %u bytes.", REGEX_MAX);
        c->pattern = pcre2_compile((PCRE2_SPTR)(c->text.p ? c->text.p : ""), c->text.n, PCRE2_UTF,
                                   &code, &at, NULL);
        if (!c->pattern) {
            char why[120];
            pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof(why));
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid pattern '%.*s' for RLIKE: %s.",
                           STR_ARG(str_cut(c->text, 200)), why);
        }
        arena_on_free(a, free_code, c->pattern);
    }
    return NULL;
}

static bool regex(const struct mlq_clause *c, str value) {
    if (!c->pattern) return false;
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    bool ok = false;
    if (limits && data) {
        pcre2_set_match_limit(limits, REGEX_WORK);
        pcre2_set_depth_limit(limits, REGEX_WORK);
        ok = pcre2_match(c->pattern, (PCRE2_SPTR)value.p, value.n, 0, 0, data, limits) >= 0;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return ok;
}

static bool in_list(const struct mlq_clause *c, str value) {
    for (size_t i = 0; i < c->n_list; i++)
        if (str_eq(c->list[i], value)) return true;
    return false;
}

bool mlq_match_text(const struct mlq_clause *c, str value) {
    if (c->op == MLQ_IS_NULL) return !value.p;
    if (!value.p) return false;
    switch (c->op) {
    case MLQ_EQ:
        return str_eq(value, c->text);
    case MLQ_NE:
        return !str_eq(value, c->text);
    case MLQ_LT:
        return str_cmp(value, c->text) < 0;
    case MLQ_LE:
        return str_cmp(value, c->text) <= 0;
    case MLQ_GT:
        return str_cmp(value, c->text) > 0;
    case MLQ_GE:
        return str_cmp(value, c->text) >= 0;
    case MLQ_LIKE:
        return mlq_like(value, c->text, false);
    case MLQ_ILIKE:
        return mlq_like(value, c->text, true);
    case MLQ_RLIKE:
        return regex(c, value);
    case MLQ_IN:
        return in_list(c, value);
    case MLQ_NOT_IN:
        return !in_list(c, value);
    case MLQ_IS_NULL:
        return false;
    case MLQ_NOT_NULL:
        return true;
    }
    unreachable();
}

bool mlq_match_number(const struct mlq_clause *c, double v) {
    switch (c->op) {
    case MLQ_EQ:
        return v == c->number;
    case MLQ_NE:
        return !(v == c->number);
    case MLQ_LT:
        return v < c->number;
    case MLQ_LE:
        return v <= c->number;
    case MLQ_GT:
        return v > c->number;
    case MLQ_GE:
        return v >= c->number;
    case MLQ_NOT_NULL:
        return true;
    default:
        return false;
    }
}
