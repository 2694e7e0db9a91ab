/* SPDX-License-Identifier: Apache-2.0 */
/* Importers against files that are damaged or mean harm: each is refused with its reason, none does harm. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/plan/seeds.h"

/* Imports and expects a refusal that says `why`. */
static void refused(const char *kind, str bytes, const struct import_meta *meta, err_code code, const char *why) {
    arena *a = arena_new();
    buf plan = {0};
    struct import_file file = {STR("model"), bytes};
    struct import_meta none = IMPORT_META_NONE;
    err *e = import_model(a, str_of(kind), &(struct import_files){&file, 1}, meta ? meta : &none, &plan);
    if (!e) fail_msg("imported, and should have said \"%s\"", why);
    if (err_code_of(e) != code || !strstr(err_msg(e), why))
        fail_msg("%s \"%s\" does not say \"%s\"", err_name(err_code_of(e)), err_msg(e), why);
    err_free(e);
    buf_free(&plan);
    arena_free(a);
}

#define DAMAGED ERR_INVALID_PARAMETER_VALUE
#define UNSUPPORTED ERR_NOT_IMPLEMENTED

/* One tree of three nodes, with what the caller wants changed. */
struct xgb {
    const char *left, *right, *feature, *threshold, *objective, *booster, *features, *classes, *base, *info;
};

static buf xgb_text(struct xgb x) {
    buf b = {0};
    buf_fmt(&b,
            "{\"learner\":{\"learner_model_param\":{\"base_score\":\"%s\",\"num_class\":\"%s\",\"num_feature\":\"%s\","
            "\"num_target\":\"1\"},\"objective\":{\"name\":\"%s\"},\"gradient_booster\":{\"name\":\"%s\",\"model\":{"
            "\"tree_info\":[%s],\"trees\":[{\"left_children\":[%s],\"right_children\":[%s],\"split_indices\":[%s],"
            "\"split_conditions\":[%s],\"default_left\":[1,0,0]}]}}}}",
            x.base ? x.base : "[5E-1]", x.classes ? x.classes : "0", x.features ? x.features : "2",
            x.objective ? x.objective : "reg:squarederror", x.booster ? x.booster : "gbtree", x.info ? x.info : "0",
            x.left ? x.left : "1,-1,-1", x.right ? x.right : "2,-1,-1", x.feature ? x.feature : "1,0,0",
            x.threshold ? x.threshold : "0.5,1,2");
    return b;
}

static void xgb_refused(struct xgb x, err_code code, const char *why) {
    buf b = xgb_text(x);
    refused("xgboost-json", buf_view(&b), NULL, code, why);
    buf_free(&b);
}

static void test_xgb_hostile(void **state) {
    (void)state;
    buf good = xgb_text((struct xgb){0}), plan = {0};
    assert_true(play_import("xgboost-json", buf_view(&good), &plan));
    buf_free(&plan);
    assert_true(play_import("", buf_view(&good), &plan));
    buf_free(&plan);
    buf_free(&good);
    xgb_refused((struct xgb){.left = "0,-1,-1"}, DAMAGED, "cycle");
    xgb_refused((struct xgb){.left = "2,-1,-1"}, DAMAGED, "two parents");
    xgb_refused((struct xgb){.left = "1,0,-1"}, DAMAGED, "node 1");
    xgb_refused((struct xgb){.left = "1,0,-1", .right = "2,2,-1"}, DAMAGED, "cycle");
    xgb_refused((struct xgb){.left = "3,-1,-1"}, DAMAGED, "outside");
    xgb_refused((struct xgb){.left = "-2,-1,-1"}, DAMAGED, "node 0");
    xgb_refused((struct xgb){.left = "1,-1"}, DAMAGED, "left_children");
    xgb_refused((struct xgb){.left = "99999999999,-1,-1"}, DAMAGED, "node 0");
    xgb_refused((struct xgb){.feature = "2,0,0"}, DAMAGED, "reads feature 2 of 2");
    xgb_refused((struct xgb){.feature = "-1,0,0"}, DAMAGED, "node 0");
    xgb_refused((struct xgb){.threshold = "NaN,1,2"}, DAMAGED, "threshold");
    xgb_refused((struct xgb){.threshold = "0.5,NaN,2"}, DAMAGED, "leaf");
    xgb_refused((struct xgb){.threshold = "0.5,-Infinity,2"}, DAMAGED, "leaf");
    xgb_refused((struct xgb){.threshold = ""}, DAMAGED, "left_children");
    xgb_refused((struct xgb){.features = "4294967297"}, DAMAGED, "num_feature");
    xgb_refused((struct xgb){.features = "0"}, UNSUPPORTED, "0 features");
    xgb_refused((struct xgb){.classes = "100000"}, DAMAGED, "num_class");
    xgb_refused((struct xgb){.base = "[x]"}, DAMAGED, "base_score");
    xgb_refused((struct xgb){.base = "[1,2,3]"}, DAMAGED, "base_score");
    xgb_refused((struct xgb){.base = "[2]", .objective = "binary:logistic"}, DAMAGED, "base_score");
    xgb_refused((struct xgb){.info = "1"}, DAMAGED, "tree_info");
    xgb_refused((struct xgb){.info = "0,0"}, DAMAGED, "tree_info");
    xgb_refused((struct xgb){.objective = "reg:mine"}, UNSUPPORTED, "\"reg:mine\"");
    xgb_refused((struct xgb){.booster = "gblinear"}, UNSUPPORTED, "gblinear");
    refused("xgboost-json", STR("{}"), NULL, DAMAGED, "learner");
    refused("xgboost-json", STR("[1"), NULL, DAMAGED, "Invalid JSON");
}

static void test_signature(void **state) {
    (void)state;
    buf b = xgb_text((struct xgb){0}), plan = {0};
    struct import_column columns[] = {{STR("a"), PLAN_DOUBLE, true}, {STR("b"), PLAN_STRING, true}, {STR("c"), PLAN_LONG, true}};
    struct import_meta meta = IMPORT_META_NONE;
    meta.columns = columns;
    meta.n_columns = 3;
    refused("xgboost-json", buf_view(&b), &meta, UNSUPPORTED, "2 features and its signature has 3 columns");
    meta.n_columns = 2;
    refused("xgboost-json", buf_view(&b), &meta, UNSUPPORTED, "\"b\" is a string");
    meta.predict_fn = STR("predict_log_proba");
    columns[1].kind = PLAN_BOOLEAN;
    refused("xgboost-json", buf_view(&b), &meta, UNSUPPORTED, "predict_log_proba");
    meta.predict_fn = STR("predict");
    arena *a = arena_new();
    assert_null(import_xgboost_json(a, buf_view(&b), &meta, &plan));
    const struct plan *p;
    assert_null(plan_check(buf_view(&plan), &p));
    assert_true(str_eqz(plan_input_name(p, 1), "b"));
    assert_int_equal(plan_input_kind(p, 1), PLAN_BOOLEAN);
    arena_free(a);
    buf_free(&plan);
    buf_free(&b);
}

/* A chain of splits, each the left child of the one before. */
static buf xgb_chain(size_t depth) {
    buf left = {0}, right = {0}, zero = {0}, b = {0};
    for (size_t i = 0; i < 2 * depth + 1; i++) {
        bool split = i < depth;
        const char *comma = i ? "," : "";
        buf_fmt(&left, "%s%d", comma, split ? (int)(i + 1 < depth ? i + 1 : 2 * depth) : -1);
        buf_fmt(&right, "%s%d", comma, split ? (int)(depth + i) : -1);
        buf_fmt(&zero, "%s0", comma);
    }
    buf_fmt(&b,
            "{\"learner\":{\"learner_model_param\":{\"base_score\":\"0\",\"num_class\":\"0\",\"num_feature\":\"1\"},"
            "\"objective\":{\"name\":\"reg:linear\"},\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"tree_info\":[0],"
            "\"trees\":[{\"left_children\":[%.*s],\"right_children\":[%.*s],\"split_indices\":[%.*s],"
            "\"split_conditions\":[%.*s],\"default_left\":[%.*s]}]}}}}",
            STR_ARG(left), STR_ARG(right), STR_ARG(zero), STR_ARG(zero), STR_ARG(zero));
    buf_free(&left);
    buf_free(&right);
    buf_free(&zero);
    return b;
}

static void test_depth(void **state) {
    (void)state;
    buf b = xgb_chain(PLAN_MAX_DEPTH), plan = {0}, json = {0};
    assert_true(play_import("xgboost-json", buf_view(&b), &plan));
    assert_true(play_block(buf_view(&plan), &json));
    buf_free(&b);
    buf_free(&plan);
    buf_free(&json);
    b = xgb_chain(PLAN_MAX_DEPTH + 1);
    refused("xgboost-json", buf_view(&b), NULL, UNSUPPORTED, "deeper than 1024");
    buf_free(&b);
    for (size_t i = 0; i < 100000; i++) buf_c(&b, '[');
    refused("xgboost-json", buf_view(&b), NULL, DAMAGED, "nested deeper");
    refused("xgboost-ubj", buf_view(&b), NULL, DAMAGED, "nested too deeply");
    buf_free(&b);
}

static void test_ubj_hostile(void **state) {
    (void)state;
    static const struct {
        str bytes;
        const char *why;
    } rows[] = {
        {{"", 0}, "ends early"},
        {{"{", 1}, "ends early"},
        {{"?", 1}, "unknown marker"},
        {{"ZZ", 2}, "follows the end"},
        {{"i", 1}, "number ends early"},
        {{"SU\xff" "a", 4}, "impossible"},
        {{"SU\x02" "a", 4}, "string ends early"},
        {{"SL\xff\xff\xff\xff\xff\xff\xff\xff", 10}, "impossible"},
        {{"SL\x7f\xff\xff\xff\xff\xff\xff\xff", 10}, "impossible"},
        {{"Sd\x00\x00\x00\x01", 6}, "not an integer"},
        {{"[#U\x05ZZ", 6}, "ends early"},
        {{"[$d#U\x03\x00\x00\x00\x00", 10}, "typed array ends early"},
        {{"[$Z#U\x03", 6}, "no number"},
        {{"[$S#U\x03", 6}, "no number"},
        {{"[$dU\x03", 5}, "without a count"},
        {{"{$d#U\x01", 6}, "typed object"},
        {{"{U\x01" "aZ", 5}, "ends early"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) refused("xgboost-ubj", rows[i].bytes, NULL, DAMAGED, rows[i].why);
    refused("xgboost-ubj", STR("{}"), NULL, DAMAGED, "learner");
}

/* A file that was cut anywhere is refused; with one bit changed it is refused or imported, and then scores. */
static void test_cut_and_flipped(void **state) {
    (void)state;
    static const struct {
        const char *kind, *what, *name;
        size_t step;
    } seeds[] = {{"xgboost-ubj", "ubj", "codes", 7},
                 {"xgboost-json", "xgboost", "codes.json", 7},
                 {"lightgbm-text", "lightgbm", "lgb_codes", 7},
                 {"sklearn-json", "sklearn", "logistic", 5}};
    for (size_t s = 0; s < ARRAY_LEN(seeds); s++) {
        buf b = seed_read(seeds[s].what, seeds[s].name), plan = {0}, json = {0};
        assert_true(play_import(seeds[s].kind, buf_view(&b), &plan));
        buf_clear(&plan);
        size_t end = b.n;
        /* LightGBM's parameters after the trees are not needed, nor is the end of the trees' own lines. */
        if (s == 2) end = (size_t)str_find(buf_view(&b), STR("end of trees"));
        for (size_t n = 0; n < end; n += seeds[s].step)
            if (play_import(seeds[s].kind, str_n(b.p, n), &plan)) fail_msg("%s: %zu bytes do", seeds[s].name, n);
        for (size_t i = 0; i < b.n; i += seeds[s].step)
            for (int bit = 0; bit < 8; bit += 3) {
                b.p[i] = (char)(b.p[i] ^ 1 << bit);
                if (play_import(seeds[s].kind, buf_view(&b), &plan)) assert_true(play_block(buf_view(&plan), &json));
                b.p[i] = (char)(b.p[i] ^ 1 << bit);
                buf_clear(&plan);
                buf_clear(&json);
            }
        buf_free(&b);
        buf_free(&plan);
        buf_free(&json);
    }
}

/* Replaces the first `from` of a seed by `to` and expects the refusal. */
static void changed(const char *kind, const char *what, const char *name, const char *from, const char *to,
                    err_code code, const char *why) {
    buf b = seed_read(what, name), c = {0};
    ptrdiff_t at = str_find(buf_view(&b), str_of(from));
    assert_true(at >= 0);
    buf_add(&c, b.p, (size_t)at);
    buf_z(&c, to);
    buf_str(&c, str_from(buf_view(&b), (size_t)at + strlen(from)));
    refused(kind, buf_view(&c), NULL, code, why);
    buf_free(&b);
    buf_free(&c);
}

static void test_lightgbm_hostile(void **state) {
    (void)state;
#define LGB(from, to, code, why) changed("lightgbm-text", "lightgbm", "lgb", from, to, code, why)
    LGB("tree\n", "forest\n", DAMAGED, "not a LightGBM model");
    LGB("version=v4", "version=v2", UNSUPPORTED, "format v2");
    LGB("max_feature_idx=2", "max_feature_idx=70000", UNSUPPORTED, "max_feature_idx");
    LGB("max_feature_idx=2", "max_feature_idx=-1", UNSUPPORTED, "max_feature_idx");
    LGB("max_feature_idx=2", "max_feature_idx=5", DAMAGED, "6 features and 3 names");
    LGB("num_tree_per_iteration=1", "num_tree_per_iteration=0", DAMAGED, "num_tree_per_iteration");
    LGB("num_tree_per_iteration=1", "num_tree_per_iteration=2", DAMAGED, "3 trees for 2 outputs");
    LGB("objective=regression", "objective=mine", UNSUPPORTED, "\"mine\"");
    LGB("num_leaves=4", "num_leaves=400000000", UNSUPPORTED, "leaves");
    LGB("num_leaves=4", "num_leaves=5", DAMAGED, "5 leaves have 4 values");
    LGB("num_leaves=4", "num_leaves=-4", UNSUPPORTED, "leaves");
    LGB("left_child=", "left_child=0 ", DAMAGED, "different lengths");
    LGB("split_feature=", "split_feature=x", DAMAGED, "split_feature");
    LGB("is_linear=0", "is_linear=1", UNSUPPORTED, "linear leaves");
    LGB("leaf_value=", "leaf_value=nan ", DAMAGED, "leaf_value");
    LGB("end of trees", "end of trays", DAMAGED, "ends before its trees do");
    LGB("pandas_categorical:null", "pandas_categorical:[[\"a\"]]", UNSUPPORTED, "categories of a data frame");
#undef LGB
}

static void test_sklearn_hostile(void **state) {
    (void)state;
#define SK(from, to, code, why) changed("sklearn-json", "sklearn", "logistic", from, to, code, why)
    SK("boathouse.sklearn/1", "boathouse.sklearn/2", DAMAGED, "not boathouse.sklearn/1");
    SK("\"out\":3", "\"out\":4", DAMAGED, "another register than it says");
    SK("\"in\":0,", "\"in\":999,", DAMAGED, "operation");
    SK("\"in\":0,", "\"in\":-1,", DAMAGED, "reads no register");
    SK("\"op\":\"missing\"", "\"op\":\"shell\"", DAMAGED, "is \"shell\"");
    SK("\"type\":\"linear\"", "\"type\":\"neural\"", UNSUPPORTED, "\"neural\"");
    SK("\"type\":\"linear\"", "\"type\":\"xgboost\",\"file\":\"x\"", DAMAGED, "no file \"x\"");
    SK("\"transform\":\"none\"", "\"transform\":\"tan\"", DAMAGED, "transform");
    SK("\"output\":\"gt\"", "\"output\":\"argmax\"", DAMAGED, "number of outputs");
    SK("\"intercept\":[", "\"intercept\":[1,", DAMAGED, "coefficients");
    SK("\"coef\":[[", "\"coef\":[[1,", DAMAGED, "coefficients");
    SK("\"width\":3", "\"width\":2", DAMAGED, "");
    SK("[\"Oslo\",\"a\"", "[\"b\",\"a\"", DAMAGED, "not in order");
    SK("\"features\":[", "\"features\":[100000,", DAMAGED, "");
    SK("\"type\":\"string\"", "\"type\":\"datetime\"", UNSUPPORTED, "\"datetime\"");
#undef SK
    changed("sklearn-json", "sklearn", "hist", "\"left\":[1", "\"left\":[0", DAMAGED, "cycle");
    changed("sklearn-json", "sklearn", "forest", "\"left\":[1", "\"left\":[99", DAMAGED, "outside");
}

static void test_meta(void **state) {
    (void)state;
    static const struct {
        const char *json, *why;
    } bad[] = {
        {"{\"meta\":{\"missing\":\"x\"}}", "missing"},
        {"{\"meta\":{\"classes\":{\"type\":\"int\",\"values\":[1,\"a\"]}}}", "class 1"},
        {"{\"meta\":{\"classes\":{\"type\":\"object\",\"values\":[1]}}}", "classes"},
        {"{\"columns\":[{\"name\":\"a\",\"type\":\"binary\"}]}", "\"binary\""},
        {"{\"columns\":{}}", "columns"},
    };
    arena *a = arena_new();
    struct import_meta m;
    jval *root;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_null(json_parse(a, str_of(bad[i].json), false, &root));
        err *e = import_meta_read(a, root, &m);
        assert_non_null(e);
        assert_non_null(strstr(err_msg(e), bad[i].why));
        err_free(e);
    }
    assert_null(json_parse(a,
                           STR("{\"meta\":{\"wrapper\":\"LGBMClassifier\",\"missing\":-1,\"classes\":{\"type\":\"bool\","
                               "\"values\":[false,true]}},\"columns\":[{\"name\":\"a\",\"type\":\"long\",\"required\":false}]}"),
                           false, &root));
    assert_null(import_meta_read(a, root, &m));
    assert_true(str_eqz(m.wrapper, "LGBMClassifier"));
    assert_true(m.missing == -1);
    assert_int_equal(m.labels.type, PLAN_L_BOOL);
    assert_int_equal(m.labels.integers[1], 1);
    assert_int_equal(m.n_columns, 1);
    assert_int_equal(m.columns[0].kind, PLAN_LONG);
    assert_false(m.columns[0].required);
    refused("onnx", STR("x"), NULL, UNSUPPORTED, "onnx");
    refused("", STR("\x80\x04\x95"), NULL, UNSUPPORTED, "no importer");
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_xgb_hostile),  cmocka_unit_test(test_signature),
        cmocka_unit_test(test_depth),        cmocka_unit_test(test_ubj_hostile),
        cmocka_unit_test(test_cut_and_flipped), cmocka_unit_test(test_lightgbm_hostile),
        cmocka_unit_test(test_sklearn_hostile), cmocka_unit_test(test_meta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
