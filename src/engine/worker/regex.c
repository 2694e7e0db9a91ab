/* SPDX-License-Identifier: Apache-2.0 */
/* Compiling and matching (regex.h). */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "engine/worker/regex.h"

#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "engine/worker/utf8.h"

#define MATCH_LIMIT 20000000u
#define DEPTH_LIMIT 100000u
#define HEAP_LIMIT_KB (64u * 1024u)

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    unsigned groups;
};

struct regex *regex_new(str java, char why[200]) {
    buf b = {0};
    why[0] = 0;
    if (java.n > REGEX_PATTERN_MAX) {
        snprintf(why, 200, "the pattern is longer than %u bytes", REGEX_PATTERN_MAX);
        return NULL;
    }
    if (!regex_translate(java, &b, why)) {
        buf_free(&b);
        return NULL;
    }
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    must(cc);
    pcre2_set_newline(cc, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_parens_nest_limit(cc, 200);
    int error;
    size_t at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)(b.p ? b.p : ""), b.n, PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &at, cc);
    pcre2_compile_context_free(cc);
    buf_free(&b);
    if (!code) {
        char text[150];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof(text));
        snprintf(why, 200, "%s near index %zu", text, at);
        return NULL;
    }
    struct regex *r = calloc(1, sizeof(*r));
    must(r);
    r->code = code;
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it the interpreter does the same */
    uint32_t groups;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    r->groups = groups;
    r->data = pcre2_match_data_create_from_pattern(code, NULL);
    r->context = pcre2_match_context_create(NULL);
    r->stack = pcre2_jit_stack_create(32 * 1024, 1024 * 1024, NULL);
    must(r->data && r->context);
    pcre2_set_match_limit(r->context, MATCH_LIMIT);
    pcre2_set_depth_limit(r->context, DEPTH_LIMIT);
    pcre2_set_heap_limit(r->context, HEAP_LIMIT_KB);
    if (r->stack) pcre2_jit_stack_assign(r->context, NULL, r->stack);
    return r;
}

void regex_free(struct regex *r) {
    if (!r) return;
    pcre2_match_data_free(r->data);
    pcre2_match_context_free(r->context);
    pcre2_jit_stack_free(r->stack);
    pcre2_code_free(r->code);
    free(r);
}

unsigned regex_groups(const struct regex *r) { return r->groups; }

int regex_group(const struct regex *r, str name) {
    char z[40];
    if (!name.n || name.n >= sizeof(z)) return -1;
    memcpy(z, name.p, name.n);
    z[name.n] = 0;
    int n = pcre2_substring_number_from_name(r->code, (PCRE2_SPTR)z);
    return n > 0 ? n : -1;
}

enum regex_found regex_find(struct regex *r, str subject, size_t from) {
    if (from > subject.n) return REGEX_NONE;
    int rc = pcre2_match(r->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.n, from, PCRE2_NO_UTF_CHECK, r->data, r->context);
    if (rc >= 0) return REGEX_FOUND;
    return rc == PCRE2_ERROR_NOMATCH ? REGEX_NONE : REGEX_LIMIT;
}

bool regex_span(const struct regex *r, unsigned group, size_t *from, size_t *to) {
    const size_t *v = pcre2_get_ovector_pointer(r->data);
    if (group > r->groups || v[2 * group] == PCRE2_UNSET || v[2 * group + 1] < v[2 * group]) return false;
    *from = v[2 * group];
    *to = v[2 * group + 1];
    return true;
}

size_t regex_next(const struct regex *r, str subject) {
    const size_t *v = pcre2_get_ovector_pointer(r->data);
    if (v[1] > v[0]) return v[1];
    return v[1] < subject.n ? v[1] + utf8_len(subject, v[1]) : subject.n + 1;
}
