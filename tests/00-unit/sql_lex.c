/* SPDX-License-Identifier: Apache-2.0 */
/* Words: what is one token, what it is worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sql/lex.h"

/* The tokens' texts with '|' between them, and the kind of those of more than one character before
 * them. */
static void lex(const char *sql, const char *want) {
    arena *a = arena_new();
    struct sql_tokens t;
    sql_lex(a, str_of(sql), &t);
    buf out = {0};
    for (uint32_t i = 0; i + 1 < t.n; i++) {
        const struct sql_token *k = &t.tok[i];
        if (i) buf_c(&out, '|');
        const char *kind = k->kind == T_WORD      ? "w:"
                           : k->kind == T_QUOTED  ? "q:"
                           : k->kind == T_STRING  ? "s:"
                           : k->kind == T_DSTRING ? "d:"
                           : k->kind == T_NUMBER  ? "n:"
                           : k->kind == T_WRONG   ? "?:"
                                                  : "";
        buf_z(&out, kind);
        buf_add(&out, sql + k->pos, k->end - k->pos);
    }
    buf_c(&out, 0);
    if (strcmp(out.p, want) != 0) fail_msg("%s\n  is   %s\n  not  %s", sql, out.p, want);
    assert_int_equal(t.tok[t.n - 1].kind, T_END);
    buf_free(&out);
    arena_free(a);
}

static void test_numbers(void **state) {
    (void)state;
    lex("1 1L 2S 3Y 1.5 1.5BD 1e5 1E-5 .5 5. 1F 2D 1.5e3F",
        "n:1|n:1L|n:2S|n:3Y|n:1.5|n:1.5BD|n:1e5|n:1E-5|n:.5|n:5.|n:1F|n:2D|n:1.5e3F");
    lex("1abc 1LX 1e5x 1_0 0x1F", "w:1abc|w:1LX|w:1e5x|w:1_0|w:0x1F");
    lex("t.1a t.1 1.a 12.s3", "w:t|.|w:1a|w:t|n:.1|n:1|.|w:a|n:12|.|w:s3");
    lex("1.2.3 1..2 1e 1-2", "n:1.2|n:.3|n:1.|n:.2|w:1e|n:1|-|n:2");
}

static void test_words(void **state) {
    (void)state;
    lex("a _b c1 `d``e` \"f\" r'g' R\"h\" rr 'it''s' 'a\\'b'",
        "w:a|w:_b|w:c1|q:`d``e`|d:\"f\"|s:r'g'|d:R\"h\"|w:rr|s:'it''s'|s:'a\\'b'");
    lex("r'a\\' x", "s:r'a\\'|w:x");
    lex("a $$b 'c$$ d", "w:a|s:$$b 'c$$|w:d");
    lex("'abc", "?:'|w:abc");
    lex("`abc", "?:`|w:abc");
    lex("a\xc2\xa0"
        "b\xe3\x80\x80"
        "c \xc3\xa9t\xc3\xa9",
        "w:a|w:b|w:c|w:\xc3\xa9t\xc3\xa9");
    assert_int_equal(sql_word_of(STR("select")), W_SELECT);
    assert_int_equal(sql_word_of(STR("SeLeCt")), W_SELECT);
    assert_int_equal(sql_word_of(STR("selects")), W_OTHER);
    /* The table of words is searched by halves. */
    for (int w = 1; w + 1 < W_COUNT; w++)
        assert_true(strcmp(sql_word_text((enum sql_word)w), sql_word_text((enum sql_word)(w + 1))) <
                    0);
    for (int w = 1; w < W_COUNT; w++)
        assert_int_equal(sql_word_of(str_of(sql_word_text((enum sql_word)w))), w);
}

static void test_operators(void **state) {
    (void)state;
    lex("<=> <> != <= !> >= !< << || |> -> => == :: ?::",
        "<=>|<>|!=|<=|!>|>=|!<|<<|||||>|->|=>|==|::|?::");
    lex("a>>b>>>c", "w:a|>|>|w:b|>|>|>|w:c");
    lex("a<b>c", "w:a|<|w:b|>|w:c");
    lex("/*+ a(b) */ c */ d", "/*+|w:a|(|w:b|)|*/|w:c|*|/|w:d");
    lex("a@v1 #\x01", "w:a|@|w:v1|#|?:\x01");
}

static void test_comments(void **state) {
    (void)state;
    lex("a -- b\nc", "w:a|w:c");
    lex("a -- b\\\nstill\nc", "w:a|w:c");
    lex("a /* b /* c */ d */ e", "w:a|w:e");
    lex("a - -1", "w:a|-|-|n:1");
    arena *a = arena_new();
    struct sql_tokens t;
    sql_lex(a, STR("a /* b /* c */"), &t);
    assert_true(t.open_comment);
    assert_int_equal(t.comment_pos, 2);
    sql_lex(a, STR("((a)[b"), &t);
    assert_int_equal(t.tok[0].match, 0);
    assert_int_equal(t.tok[1].match, 3);
    assert_int_equal(t.tok[4].match, 0);
    arena_free(a);
}

static void value(const char *sql, str want) {
    arena *a = arena_new();
    struct sql_tokens t;
    sql_lex(a, str_of(sql), &t);
    str s = sql_token_string(a, str_of(sql), &t.tok[0]);
    if (!str_eq(s, want)) fail_msg("%s is %.*s", sql, STR_ARG(s));
    arena_free(a);
}

static void test_strings(void **state) {
    (void)state;
    value("'a'", STR("a"));
    value("''", STR(""));
    value("'it''s'", STR("it's"));
    value("\"say \"\"x\"\"\"", STR("say \"x\""));
    value("'\"'", STR("\""));
    value("'\\n\\t\\r\\b\\Z\\\\\\'\\\"\\q'", STR("\n\t\r\b\x1a\\'\"q"));
    value("'\\0x'", STR("\0x"));
    value("'\\101\\u0041\\U00000041'", STR("AAA"));
    value("'\\u00e9\\u20AC\\uD83D\\uDE00\\U0001F600'",
          STR("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf0\x9f\x98\x80"));
    value("'\\uD83D'", STR("\xef\xbf\xbd"));
    value("'\\u12'", STR("u12"));
    value("'\\8\\400'", STR("8400"));
    value("'\\%\\_'", STR("\\%\\_"));
    value("r'\\n''", STR("\\n"));
    value("$$a\\n'$$", STR("a\\n'"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_words),
        cmocka_unit_test(test_operators), cmocka_unit_test(test_comments),
        cmocka_unit_test(test_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
