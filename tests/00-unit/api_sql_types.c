/* SPDX-License-Identifier: Apache-2.0 */
/* Types as the Statement Execution API names them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/sql/sql_int.h"

static const struct {
    const char *type, *text, *name;
} rows[] = {
    {"boolean", "BOOLEAN", "BOOLEAN"},
    {"tinyint", "TINYINT", "BYTE"},
    {"bigint", "BIGINT", "LONG"},
    {"decimal(10,2)", "DECIMAL(10,2)", "DECIMAL"},
    {"varchar(7)", "VARCHAR(7)", "STRING"},
    {"timestamp_ntz", "TIMESTAMP_NTZ", "TIMESTAMP_NTZ"},
    {"interval day to second", "INTERVAL DAY TO SECOND", "INTERVAL"},
    {"void", "VOID", "NULL"},
    {"array<array<int>>", "ARRAY<ARRAY<INT>>", "ARRAY"},
    {"map<string,struct<aB:int>>", "MAP<STRING, STRUCT<aB: INT>>", "MAP"},
    {"struct<Ab:int,c:array<string>>", "STRUCT<Ab: INT, c: ARRAY<STRING>>", "STRUCT"},
    {"struct<`a:b`:int,struct:map<int,decimal(5,1)>>", "STRUCT<`a:b`: INT, struct: MAP<INT, DECIMAL(5,1)>>", "STRUCT"},
    {"struct<>", "STRUCT<>", "STRUCT"},
    {"something new", "SOMETHING NEW", "USER_DEFINED_TYPE"},
    {"", "", "USER_DEFINED_TYPE"},
};

static void each_type(void **state) {
    (void)state;
    arena *a = arena_new();
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        str text = show_type_text(a, str_of(rows[i].type));
        if (!str_eqz(text, rows[i].text)) fail_msg("%s: %.*s", rows[i].type, STR_ARG(text));
        assert_string_equal(show_type_name(str_of(rows[i].type)), rows[i].name);
    }
    arena_free(a);
}

/* Whatever it is given, it ends, and nothing but letters' case and blanks changes. */
static void any_text(void **state) {
    (void)state;
    static const char bits[] = "<>:,`(a1 ";
    arena *a = arena_new();
    unsigned seed = 7;
    for (int n = 0; n < 20000; n++) {
        char t[40];
        size_t len = (size_t)(n % 39);
        for (size_t i = 0; i < len; i++) {
            seed = seed * 1103515245u + 12345u;
            t[i] = (seed >> 16) % 9 == 7 ? 's' : bits[(seed >> 16) % 9];
        }
        str text = show_type_text(a, str_n(t, len));
        size_t k = 0;
        for (size_t i = 0; i < text.n; i++) {
            char c = text.p[i];
            if (c == ' ' && (k == len || t[k] != ' ')) continue; /* put in */
            assert_true(k < len && (c == t[k] || (c | 32) == t[k]));
            k++;
        }
        assert_int_equal(k, len);
        if (n % 1000 == 0) arena_reset(a);
    }
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type),
        cmocka_unit_test(any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
