/* SPDX-License-Identifier: Apache-2.0 */
/* Invocation bodies: every form, every type of column, and the sentences of every refusal. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <math.h>

#include "gateway/tabular.h"

/* x double, n long, s string, b boolean: required; o double: optional. */
static struct tab_column COLUMNS[] = {
    {{"x", 1}, TAB_DOUBLE, true, 0},  {{"n", 1}, TAB_LONG, true, 1},
    {{"s", 1}, TAB_STRING, true, 0},  {{"o", 1}, TAB_DOUBLE, false, 2},
    {{"b", 1}, TAB_BOOLEAN, true, 3},
};
static const struct tab_schema S = {
    .columns = COLUMNS, .n = 5, .n_num = 4, .n_text = 1, .named = true};
static struct tab_column PLAIN[] = {{{"", 0}, TAB_DOUBLE, true, 0}, {{"", 0}, TAB_DOUBLE, true, 1}};
static const struct tab_schema T = {.columns = PLAIN, .n = 2, .n_num = 2, .named = false};
static struct tab_column ONE[] = {{{"v", 1}, TAB_FLOAT, true, 0}};
static const struct tab_schema V = {.columns = ONE, .n = 1, .n_num = 1, .named = true};

static struct tab_batch B; /* reused, as in the gateway */

/* Cells as text: numbers with %g, texts quoted, missing texts as null; rows end with ';'. */
static const char *shown(const struct tab_schema *s) {
    static char out[4000];
    size_t n = 0;
    for (size_t r = 0; r < B.rows; r++) {
        for (size_t c = 0; c < s->n; c++) {
            const struct tab_column *k = &s->columns[c];
            if (c) out[n++] = ',';
            if (k->type != TAB_STRING) {
                n += (size_t)snprintf(out + n, sizeof(out) - n, "%g", B.num[r * s->n_num + k->slot]);
                continue;
            }
            str t = B.text[r * s->n_text + k->slot];
            n += (size_t)(t.p ? snprintf(out + n, sizeof(out) - n, "'%.*s'", STR_ARG(t))
                              : snprintf(out + n, sizeof(out) - n, "null"));
        }
        out[n++] = ';';
    }
    out[n] = 0;
    return out;
}

static void reads(const struct tab_schema *s, bool csv, const char *body, const char *wanted) {
    err *e = csv ? tab_read_csv(s, str_of(body), &B) : tab_read_json(s, str_of(body), &B);
    if (e) fail_msg("%s: %s", body, err_msg(e));
    const char *got = shown(s);
    if (strcmp(got, wanted) != 0) fail_msg("%s:\n  %s\nwanted\n  %s", body, got, wanted);
}

static void refuses(const struct tab_schema *s, bool csv, const char *body, const char *part) {
    err *e = csv ? tab_read_csv(s, str_of(body), &B) : tab_read_json(s, str_of(body), &B);
    if (!e) fail_msg("%s passed: %s", body, shown(s));
    assert_int_equal(err_status(err_code_of(e)), 400);
    if (!strstr(err_msg(e), part)) fail_msg("%s:\n  %s\nlacks\n  %s", body, err_msg(e), part);
    err_free(e);
}

static void test_forms(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "{\"dataframe_split\":{\"columns\":[\"x\",\"n\",\"s\",\"b\"],\"data\":[[1.5,2,\"a\",true],[2,3,\"b\",false]]}}",
        "{\"dataframe_split\":{\"index\":[0,1],\"columns\":[\"b\",\"s\",\"zz\",\"n\",\"x\"],"
        "\"data\":[[true,\"a\",9,2,1.5],[false,\"b\",9,3,2]]}}",
        "{\"dataframe_split\":[{\"columns\":[\"x\",\"n\",\"s\",\"b\"],\"data\":[[1.5,2,\"a\",1],[2,3,\"b\",0]]}]}",
        "{\"dataframe_records\":[{\"x\":1.5,\"n\":2,\"s\":\"a\",\"b\":true},{\"b\":false,\"s\":\"b\",\"n\":3,\"x\":2,\"q\":1}]}",
        "{\"instances\":[{\"x\":1.5,\"n\":2,\"s\":\"a\",\"b\":true},{\"x\":2,\"n\":3,\"s\":\"b\",\"b\":false}]}",
        "{\"inputs\":{\"x\":[1.5,2],\"n\":[2,3],\"s\":[\"a\",\"b\"],\"b\":[true,false]}}",
        "{\"inputs\":{\"x\":[[1.5],[2]],\"n\":[2,3],\"s\":[\"a\",\"b\"],\"b\":[true,false],\"q\":[1,2]}}",
        "{\"inputs\":[{\"x\":1.5,\"n\":2,\"s\":\"a\",\"b\":true},{\"x\":2,\"n\":3,\"s\":\"b\",\"b\":false}]}",
        "{\"params\":{},\"client_request_id\":\"c\",\"inputs\":{\"x\":[1.5,2],\"n\":[2,3],\"s\":[\"a\",\"b\"],\"b\":[1,0]}}"};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        reads(&S, false, bodies[i], "1.5,2,'a',nan,1;2,3,'b',nan,0;");
    assert_true(str_eqz(B.client_request_id, "c"));
    reads(&S, false, "{\"inputs\":{\"x\":1,\"n\":2,\"s\":\"a\",\"b\":true}}", "1,2,'a',nan,1;");
    assert_false(B.client_request_id.n);
    reads(&S, false, "{\"dataframe_records\":[]}", "");
    reads(&S, false, "{\"instances\":[[1,2,\"a\",3,true]]}", "1,2,'a',3,1;");
    reads(&T, false, "{\"instances\":[[1,2],[3,4]]}", "1,2;3,4;");
    reads(&T, false, "{\"dataframe_split\":{\"columns\":[\"a\",\"b\"],\"data\":[[1,2]]}}", "1,2;");
    reads(&V, false, "{\"instances\":[1,2,null]}", "1;2;nan;");
}

static void test_cells(void **state) {
    (void)state;
    static const struct {
        const char *cells, *wanted;
    } rows[] = {
        {"[0.1,2.9,\"a\",1,true]", "0.1,2,'a',1,1;"}, /* a long truncates */
        {"[true,false,\"\",null,0]", "1,0,'',nan,0;"},
        {"[\"1.5\",\" 7 \",null,\"nan\",\"x\"]", "1.5,7,null,nan,1;"},
        {"[\"inf\",1,\"a\",\"-inf\",\"\"]", "inf,1,'a',-inf,0;"},
        {"[NaN,1,\"a\",Infinity,2]", "nan,1,'a',inf,1;"},
        {"[1e400,1,\"a\",-0.0,0]", "inf,1,'a',-0,0;"},
        {"[9007199254740993,-3.9,\"\\u00e9\",1,1]", "9.0072e+15,-3,'\xc3\xa9',1,1;"},
    };
    char body[300];
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        snprintf(body, sizeof(body), "{\"dataframe_split\":{\"columns\":[\"x\",\"n\",\"s\",\"o\",\"b\"],\"data\":[%s]}}",
                 rows[i].cells);
        reads(&S, false, body, rows[i].wanted);
    }
    /* A float column holds single precision. */
    reads(&V, false, "{\"instances\":[0.1]}", "0.1;");
    assert_true(B.num[0] == (double)0.1f);
}

static void test_refused(void **state) {
    (void)state;
#define ONE_OF "exactly one of the input fields {'dataframe_split', 'dataframe_records', 'instances', 'inputs'}"
#define ROW(cells) "{\"dataframe_split\":{\"columns\":[\"x\",\"n\",\"s\",\"b\"],\"data\":[[" cells "]]}}"
    static const struct {
        const char *body, *part;
    } rows[] = {
        {"", "Failed to parse input from JSON"},
        {"{", "Failed to parse input from JSON. Ensure that input is a valid JSON formatted string."},
        {"[1]", ONE_OF ". Received a list"},
        {"7", ONE_OF},
        {"{}", ONE_OF ". Received dictionary with input fields: []"},
        {"{\"inputs\":[],\"instances\":[]}", "Received dictionary with input fields: ['inputs', 'instances']"},
        {"{\"columns\":[\"x\"],\"data\":[[1]]}", "The MLflow Model scoring protocol has changed in MLflow version 2.0"},
        {"{\"instances\":[],\"signature_name\":\"s\"}", "'signature_name' parameter is currently not supported"},
        {"{\"dataframe_split\":[1,2]}", "Dataframe split format must be a dictionary. Got list."},
        {"{\"dataframe_split\":{\"columns\":[\"x\"]}}", "must have 'data' field"},
        {"{\"dataframe_split\":{\"columns\":[\"x\"],\"data\":[[1]]}}", "Model is missing inputs ['n', 's', 'b']."},
        {"{\"dataframe_split\":{\"columns\":[\"x\",\"y\"],\"data\":[]}}", "Note that there were extra inputs: ['y']"},
        {ROW("1,2,\"a\""), "Error: '4 columns passed, passed data had 3 columns'"},
        {ROW("1,2,\"a\",true,5"), "'4 columns passed, passed data had 5 columns'"},
        {"{\"dataframe_records\":{\"x\":1}}", "Dataframe records format must be a list of records. Got dictionary."},
        {"{\"dataframe_records\":[{\"x\":1,\"n\":1,\"s\":\"a\",\"b\":1},5]}", "must be a list of records"},
        {"{\"dataframe_records\":[{\"x\":1}]}", "Failed to enforce schema of data with schema '['x': double (required), 'n': long (required), 's': string (required), 'o': double (optional), 'b': boolean (required)]'. Error"},
        {"{\"instances\":[[1,2]]}", "2 columns passed, the model has 5 inputs"},
        {"{\"inputs\":{\"x\":[1,2],\"n\":[1],\"s\":[\"a\"]}}", "The length of values for each input/column name are not the same"},
        {"{\"inputs\":5}", "The input must be a list or a dictionary."},
        {"{\"inputs\":{\"x\":[1],\"n\":[1]}}", "Model is missing inputs ['s', 'b']"},
        {ROW("\"abc\",2,\"a\",1"), "Failed to convert column x to type 'float64'. Error: 'ValueError(\"could not convert string to float: 'abc'\")'"},
        {ROW("1,NaN,\"a\",1"), "Failed to convert column n to type 'int64'. Error: 'IntCastingNaNError("},
        {ROW("1,null,\"a\",1"), "IntCastingNaNError("},
        {ROW("1,2,3,1"), "Incompatible input types for column s. Can not safely convert int64 to <U0."},
        {ROW("1,2,true,1"), "Can not safely convert bool to <U0."},
        {ROW("[1],2,\"a\",1"), "a cell holds a list or an object"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) refuses(&S, false, rows[i].body, rows[i].part);
    refuses(&T, false, "{\"instances\":[[1,2],[3]]}", "1 columns passed, the model has 2 inputs");
    refuses(&T, false, "{\"instances\":[1,2]}", "1 columns passed");
}

static void test_csv(void **state) {
    (void)state;
    reads(&S, true, "x,n,s,b\n1.5,2,a,true\n2,3,b,false\n", "1.5,2,'a',nan,1;2,3,'b',nan,0;");
    reads(&S, true, "b,s,zz,n,x\r\n1,a,?,2,1.5\r\n0,b,?,3,2", "1.5,2,'a',nan,1;2,3,'b',nan,0;");
    reads(&S, true, "x,n,s,b,o\n,2,,0,\n1,2,\"\",0,7\n", "nan,2,null,nan,0;1,2,'',7,0;");
    reads(&S, true, "x,n,s,b\n1,2,\"a,\"\"b\"\"\nc\",0\n\n\n", "1,2,'a,\"b\"\nc',nan,0;");
    reads(&S, true, "x,n,s,b\n", "");
    reads(&V, true, "v\r\n1\r\n\r\n2\r\n\r\n", "1;2;"); /* blank lines are skipped */
    reads(&V, true, "\"v\"\n1e-3\ninf\n", "0.001;inf;");
    reads(&T, true, "a,b\n1,2\n", "1,2;");
    static const struct {
        const char *body, *part;
    } rows[] = {
        {"", "Model is missing inputs"},
        {"x,n\n1,2\n", "Model is missing inputs ['s', 'b']"},
        {"x,n,s,b\n1,2,a,0,5\n", "Failed to parse input as a Pandas DataFrame"},
        {"x,n,s,b\n1,2\n", "fewer fields"},
        {"x,n,s,b\n1,2,\"a,0\n", "malformed line"},
        {"x,n,s,b\n1,2,\"a\"z,0\n", "malformed line"},
        {"\"x,n\n", "malformed header"},
        {"x,n,s,b\nabc,2,a,0\n", "could not convert string to float: 'abc'"},
        {"x,n,s,b\n1,,a,0\n", "IntCastingNaNError"},
        {"x,n,s,b\n1,2,a,2\n", "cannot safely convert passed user dtype of bool"},
        {"x,n,s,b\n1,2,a,yes\n", "cannot safely convert passed user dtype of bool"},
        {"x,n,s,b\n1,2,a,\n", "Bool column has NA values"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) refuses(&S, true, rows[i].body, rows[i].part);
}

static void test_limits(void **state) {
    (void)state;
    buf b = {0};
    for (unsigned i = 0; i <= TAB_MAX_COLUMNS; i++) buf_z(&b, "c,");
    buf_c(&b, '\n');
    buf_c(&b, 0);
    refuses(&S, true, b.p, "malformed header");
    buf_clear(&b);
    for (int i = 0; i < 100000; i++) buf_c(&b, '[');
    buf_c(&b, 0);
    refuses(&S, false, b.p, "Failed to parse input");
    buf_clear(&b);
    buf_z(&b, "{\"instances\":");
    for (int i = 0; i < 10000; i++) buf_c(&b, '[');
    for (int i = 0; i < 10000; i++) buf_c(&b, ']');
    buf_z(&b, "}");
    buf_c(&b, 0);
    refuses(&V, false, b.p, "a cell holds a list");
    buf_free(&b);
}

static int done(void **state) {
    (void)state;
    tab_batch_free(&B);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms), cmocka_unit_test(test_cells),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_csv),   cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, done);
}
