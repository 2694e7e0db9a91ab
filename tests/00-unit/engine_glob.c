/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of file names (engine/worker/glob.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/assert.h"
#include "engine/worker/glob.h"

static void matches(void **state) {
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool yes;
    } rows[] = {
        {"", "", true},              {"", "a", false},            {"abc", "abc", true},          {"abc", "abcd", false},      {"*", "", true},
        {"*", "x.csv", true},        {"*.csv", "x.csv", true},    {"*.csv", "x.csv.gz", false},  {"a*b*c", "axxbyyc", true},  {"a*b*c", "axxcyyb", false},
        {"?", "a", true},            {"?", "", false},            {"?", "\xc3\xbc", true},       {"??", "\xc3\xbc", false},   {"?.csv", "ab.csv", false},
        {"[abc]x", "bx", true},      {"[abc]x", "dx", false},     {"[a-c]x", "bx", true},        {"[a-c]x", "-x", false},     {"[^a-c]x", "dx", true},
        {"[!a-c]x", "ax", false},    {"[^a]", "\xc3\xbc", true},  {"[a]", "\xc3\xbc", false},    {"[]x]", "]", true},         {"[a", "[a", true},
        {"[a", "a", false},          {"a]", "a]", true},          {"{ab,cd}", "ab", true},       {"{ab,cd}", "cd", true},     {"{ab,cd}", "abcd", false},
        {"{ab,cd}.x", "cd.x", true}, {"{a,}b", "b", true},        {"{a,b{c,d*}}", "bdxyz", true}, {"{a,b{c,d*}}", "bc", true}, {"{a,b{c,d*}}", "b", false},
        {"{a", "{a", true},          {"a}", "a}", true},          {"{a,b", "{a,b", true},        {"[{]a", "{a", true},
        {"{a,b}{c,d}", "bd", true},  {"{a,b}{c,d}", "ab", false}, {"a-[0-9][0-9]", "a-07", true}, {"[-a]", "-", true},         {"[a-]", "-", true},
        {"{{a}}", "a", true},        {"{}", "", true},            {"{*}", "anything", true}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (glob_matches(str_of(rows[i].pattern), str_of(rows[i].name)) != rows[i].yes)
            fail_msg("'%s' and '%s'", rows[i].pattern, rows[i].name);
}

static void what_is_a_pattern(void **state) {
    (void)state;
    assert_false(glob_is(STR("a-b]}.csv")));
    assert_true(glob_is(STR("a*")) && glob_is(STR("?")) && glob_is(STR("x[")) && glob_is(STR("{")));
}

/* What takes for ever elsewhere ends here: many stars, braces in braces. */
static void bounded(void **state) {
    (void)state;
    char stars[400], name[400], braces[400] = "";
    for (int i = 0; i < 150; i++) memcpy(stars + 2 * i, "*a", 2);
    memset(name, 'a', 399);
    name[399] = 0;
    assert_false(glob_matches(str_n(stars, 300), str_n("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 33)));
    assert_true(glob_matches(str_n(stars, 300), str_of(name)));
    for (int i = 0; i < 40; i++) memcpy(braces + 5 * i, "{a,b}", 5);
    assert_false(glob_matches(str_n(braces, 200), STR("bbbb")));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(matches), cmocka_unit_test(what_is_a_pattern), cmocka_unit_test(bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
