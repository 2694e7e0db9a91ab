/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of regular expressions: Java's meaning (regex.h), positions in characters from 1. */
#include <stdio.h>

#include "engine/worker/fn_int.h"
#include "engine/worker/regex.h"
#include "engine/worker/utf8.h"

static void release(void *r) { regex_free(r); }

static void bad_pattern(struct fn_call *c, str pattern, const char *why) {
    (void)why;
    buf name = {0};
    buf_z(&name, "`");
    const char *f = c->def->name + 3;
    buf_z(&name, strcmp(f, "rlike") == 0 ? "rlike" : f);
    buf_z(&name, "`");
    buf value = {0};
    buf_c(&value, '\'');
    buf_str(&value, str_cut(pattern, 500));
    buf_c(&value, '\'');
    fn_fail_with(c, "INVALID_PARAMETER_VALUE.PATTERN",
                 (struct fn_param[]){{"parameter", STR("`regexp`")}, {"functionName", buf_view(&name)}, {"value", buf_view(&value)}}, 3);
    buf_free(&name);
    buf_free(&value);
}

static struct regex *pattern(struct fn_call *c, str p) {
    struct regex *r = fn_cached(c, p);
    if (r) return r;
    char why[200];
    r = regex_new(p, why);
    if (!r) bad_pattern(c, p, why);
    else fn_keep(c, p, r, release);
    return r;
}

/* REGEX_FOUND or not; a limit ends the statement. */
static bool find(struct fn_call *c, struct regex *r, str s, size_t from) {
    enum regex_found f = regex_find(r, s, from);
    if (f == REGEX_LIMIT) fn_fail(c, "FUNCTION_LIMIT_EXCEEDED", "message", "a regular expression took too many steps on one string", NULL);
    return f == REGEX_FOUND;
}

static void rlike(struct fn_call *c) {
    struct regex *r = pattern(c, fn_str(c, 1));
    if (!r) return;
    bool found = find(c, r, fn_str(c, 0), 0);
    if (!c->failed) fn_ret_bool(c, found);
}

static void regexp_count(struct fn_call *c) {
    str s = fn_str(c, 0);
    struct regex *r = pattern(c, fn_str(c, 1));
    int32_t n = 0;
    for (size_t at = 0; r && at <= s.n && find(c, r, s, at); at = regex_next(r, s)) n++;
    if (r && !c->failed) fn_ret_i32(c, n);
}

static bool group_ok(struct fn_call *c, struct regex *r, int32_t g) {
    if (g >= 0 && (unsigned)g <= regex_groups(r)) return true;
    char have[16], want[16], name[48];
    snprintf(have, sizeof(have), "%u", regex_groups(r));
    snprintf(want, sizeof(want), "%d", g);
    snprintf(name, sizeof(name), "`%s`", c->def->name + 3);
    fn_fail(c, "INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX", "parameter", "`idx`", "functionName", name, "groupCount", have, "groupIndex", want, NULL);
    return false;
}

static str group_text(struct regex *r, str s, unsigned g) {
    size_t from, to;
    return regex_span(r, g, &from, &to) ? str_n(s.p + from, to - from) : str_n("", 0);
}

static void regexp_extract(struct fn_call *c) {
    str s = fn_str(c, 0);
    struct regex *r = pattern(c, fn_str(c, 1));
    if (!r) return;
    bool found = find(c, r, s, 0); /* a group is asked for where something is found, as Spark does */
    if (!c->failed && (!found || group_ok(c, r, fn_i32(c, 2)))) fn_ret_str(c, found ? group_text(r, s, (unsigned)fn_i32(c, 2)) : str_n("", 0));
}

static void regexp_substr(struct fn_call *c) {
    str s = fn_str(c, 0);
    struct regex *r = pattern(c, fn_str(c, 1));
    if (!r || !find(c, r, s, 0)) return;
    str m = group_text(r, s, 0);
    if (m.n) fn_ret_str(c, m);
}

static void regexp_extract_all(struct fn_call *c) {
    str s = fn_str(c, 0);
    struct regex *r = pattern(c, fn_str(c, 1));
    if (!r || (find(c, r, s, 0) && !group_ok(c, r, fn_i32(c, 2))) || c->failed) return;
    fn_list_begin(c);
    for (size_t at = 0; at <= s.n && find(c, r, s, at); at = regex_next(r, s)) fn_list_str(c, group_text(r, s, (unsigned)fn_i32(c, 2)));
    fn_list_end(c);
}

static void regexp_instr(struct fn_call *c) {
    str s = fn_str(c, 0);
    struct regex *r = pattern(c, fn_str(c, 1));
    if (!r) return;
    size_t from = 0, to;
    bool found = find(c, r, s, 0) && regex_span(r, 0, &from, &to);
    if (!c->failed) fn_ret_i32(c, found ? (int32_t)utf8_count(str_cut(s, from)) + 1 : 0);
}

static bool bad_replacement(struct fn_call *c, str rep) {
    char pos[16];
    snprintf(pos, sizeof(pos), "%d", fn_i32(c, 3));
    fn_fail_with(c, "INVALID_REGEXP_REPLACE",
                 (struct fn_param[]){{"source", fn_str(c, 0)}, {"pattern", fn_str(c, 1)}, {"replacement", rep}, {"position", str_of(pos)}}, 4);
    return false;
}

/* $1, ${name}, \x: as Matcher.appendReplacement. As many digits as still name a group. */
static bool put_replacement(struct fn_call *c, struct regex *r, str s, str rep, buf *b) {
    for (size_t i = 0; i < rep.n;) {
        char ch = rep.p[i];
        if (ch == '\\') {
            if (i + 1 >= rep.n) return bad_replacement(c, rep);
            buf_c(b, rep.p[i + 1]);
            i += 2;
        } else if (ch == '$') {
            i++;
            int g = -1;
            if (i < rep.n && rep.p[i] == '{') {
                ptrdiff_t end = str_chr(rep, '}', i);
                if (end > 0) g = regex_group(r, str_n(rep.p + i + 1, (size_t)end - i - 1));
                if (g < 0) return bad_replacement(c, rep);
                i = (size_t)end + 1;
            } else {
                if (i >= rep.n || rep.p[i] < '0' || rep.p[i] > '9') return bad_replacement(c, rep);
                g = rep.p[i++] - '0';
                if ((unsigned)g > regex_groups(r)) return bad_replacement(c, rep);
                for (; i < rep.n && rep.p[i] >= '0' && rep.p[i] <= '9' && (unsigned)(g * 10 + rep.p[i] - '0') <= regex_groups(r); i++) g = g * 10 + rep.p[i] - '0';
            }
            buf_str(b, group_text(r, s, (unsigned)g));
        } else {
            buf_c(b, ch);
            i++;
        }
    }
    return true;
}

static void regexp_replace(struct fn_call *c) {
    str s = fn_str(c, 0), rep = fn_str(c, 2);
    int32_t pos = fn_i32(c, 3);
    struct regex *r = pattern(c, fn_str(c, 1));
    if (!r) return;
    if (pos < 1) {
        fn_fail(c, "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE", "sqlExpr", "\"regexp_replace\"", "exprName", "position", "valueRange", "(0, 2147483647]", "currentValue", "0", NULL);
        return;
    }
    size_t start = utf8_bytes(s, (size_t)pos - 1);
    if (pos > 1 && start >= s.n) {
        fn_ret_str(c, s);
        return;
    }
    buf *b = fn_text(c);
    buf_add(b, s.p, start);
    str t = str_from(s, start);
    size_t copied = 0;
    for (size_t at = 0; at <= t.n && find(c, r, t, at); at = regex_next(r, t)) {
        size_t from, to;
        if (!regex_span(r, 0, &from, &to)) break;
        buf_add(b, t.p + copied, from - copied);
        if (!put_replacement(c, r, t, rep, b)) return;
        copied = to;
    }
    if (c->failed) return;
    buf_str(b, str_from(t, copied));
    fn_ret_buf(c, b);
}

static void split_chars(struct fn_call *c, str s, int32_t limit) {
    fn_list_begin(c);
    int32_t k = 0;
    for (size_t i = 0, n; i < s.n; i += n, k++) {
        n = limit > 0 && k == limit - 1 ? s.n - i : utf8_len(s, i); /* the last has the rest */
        fn_list_str(c, str_n(s.p + i, n));
    }
    fn_list_end(c);
}

/* split(s, pattern, limit): limit ≤ 0 has no bound and keeps empty parts at the end. */
static void split(struct fn_call *c) {
    str s = fn_str(c, 0), p = fn_str(c, 1);
    int32_t limit = fn_i32(c, 2), parts = 1;
    if (s.n && !p.n) {
        split_chars(c, s, limit);
        return;
    }
    struct regex *r = pattern(c, p);
    if (!r) return;
    fn_list_begin(c);
    size_t copied = 0;
    for (size_t at = 0; at <= s.n && (limit <= 0 || parts < limit) && find(c, r, s, at); at = regex_next(r, s)) {
        size_t from, to;
        if (!regex_span(r, 0, &from, &to)) break;
        if (to == 0) continue; /* an empty match at the start makes no part */
        fn_list_str(c, str_n(s.p + copied, from - copied));
        copied = to;
        parts++;
    }
    fn_list_str(c, str_from(s, copied));
    fn_list_end(c);
}

static const struct fn_def defs[] = {
    {"bh_rlike", "ss:B", rlike, 0, 0},
    {"bh_regexp_count", "ss:i", regexp_count, 0, 0},
    {"bh_regexp_extract", "ssi:s", regexp_extract, 0, 0},
    {"bh_regexp_extract_all", "ssi:[s", regexp_extract_all, 0, 0},
    {"bh_regexp_substr", "ss:s", regexp_substr, 0, 0},
    {"bh_regexp_instr", "ss:i", regexp_instr, 0, 0},
    {"bh_regexp_replace", "sssi:s", regexp_replace, 0, 0},
    {"bh_split", "ssi:[s", split, 0, 0},
};
const struct fn_table fn_table_regex = {defs, ARRAY_LEN(defs)};
