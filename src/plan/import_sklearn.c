/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scikit-learn models in our own form, "boathouse.sklearn/1". scikit-learn has no data format of its
 * own, so python/boathouse_export/sklearn_export.py, which runs in a sandbox beside the opened pickle,
 * flattens a pipeline into this and nothing else leaves the sandbox.
 *
 *   {"format": "boathouse.sklearn/1",
 *    "inputs":   [{"name": "age", "type": "double", "required": true}, …],
 *    "program":  [{"op": "scale", "in": 0, "out": 2, "sub": 38.5, "div": 12.25}, …],
 *    "features": [2, 3],                 registers, in the order of the model
 *    "model":    {"type": "linear" | "trees" | "xgboost" | "lightgbm", …}}
 *
 * Registers are numbered as format.h says: numeric inputs in order, then what each operation appends
 * ("out" is the first of those; written down so that a wrong count is found here). Text registers are
 * numbered apart. Doubles are JSON numbers in their shortest exact form, or "NaN", "Infinity".
 *
 *   op         fields (beside in, out)
 *   scale      sub, div: null or a number
 *   affine     mul, add, clip: null or [lo, hi]
 *   clip       lo, hi
 *   f32, log1p
 *   impute     value, missing: the value that is missing, null for NaN
 *   missing    missing; text
 *   binarize   threshold
 *   check      in: list; nan, inf, inf32: true refuses the row
 *   normalize  in: list; norm: l1, l2, max
 *   onehot     text, categories, columns (one for each category, -1 dropped), width, missing (column of
 *              the missing value or null), unknown: "error" or "ignore"
 *   ordinal    text, categories, values, missing (number for a missing value, or null: not known),
 *              unknown: null (refused) or a number
 *   fill       value (a string); reads and appends a text register
 *   Categories are ascending: numbers by value, strings by their UTF-8 bytes.
 *
 *   linear     coef: a list for each output; intercept: a number for each output
 *   trees      outputs, base (a number for each output), divide (0: not), vectors: true if a leaf has
 *              `outputs` values, trees: [{left, right, feature, threshold, missing_left, value, group}];
 *              left is -1 in a leaf; value is the leaf's value in node order (vectors: `outputs` numbers
 *              for each leaf). Left is x <= threshold.
 *   both       transform: none | sigmoid | softmax | exp | ovr
 *              output: values | argmax | gt | ge | complement | pair; bound (of gt, ge)
 *              two_d; classes: {"type", "values"}
 *   xgboost    file (name in the export), meta as in export.json
 *   lightgbm   the same
 */
#include <math.h>

#include "plan/import_int.h"

struct reader {
    arena *a;
    struct build *b;
};

static bool number(jval *o, const char *key, double *ret) { return json_f64(json_get(o, key), ret); }

static bool truth(jval *o, const char *key) { return yyjson_get_bool(json_get(o, key)); }

static bool is_null(jval *o, const char *key) {
    jval *v = json_get(o, key);
    return !v || yyjson_is_null(v);
}

static bool index_of(jval *v, uint32_t *ret) {
    int64_t i;
    if (!v || !json_i64(v, &i) || i < 0 || i > PLAN_MAX_REGISTERS) return false;
    *ret = (uint32_t)i;
    return true;
}

/* A value or null: present says which. False if it is neither a number nor null. */
static bool maybe(jval *o, const char *key, double *ret, bool *present) {
    *present = !is_null(o, key);
    return !*present || number(o, key, ret);
}

static err *doubles(struct reader *r, jval *list, double **ret, size_t *n) {
    if (!doc_f64s(r->a, (struct doc){.j = list}, ret, n)) return IMPORT_DAMAGED("a list of numbers.");
    return NULL;
}

/* ---- the program ---- */

static bool op_scale(jval *o, struct plan_op *op) {
    bool a, b;
    if (!maybe(o, "sub", &op->a, &a) || !maybe(o, "div", &op->b, &b)) return false;
    op->flags = (uint16_t)((a ? PLAN_F_A : 0) | (b ? PLAN_F_B : 0));
    return true;
}

static bool op_affine(jval *o, struct plan_op *op) {
    jval *clip = json_get(o, "clip");
    if (yyjson_is_arr(clip)) {
        op->flags = PLAN_F_CLIP;
        if (!json_f64(yyjson_arr_get(clip, 0), &op->c) || !json_f64(yyjson_arr_get(clip, 1), &op->d))
            return false;
    }
    return number(o, "mul", &op->a) && number(o, "add", &op->b);
}

static bool op_clip(jval *o, struct plan_op *op) {
    return number(o, "lo", &op->c) && number(o, "hi", &op->d);
}

static bool op_plain(jval *o, struct plan_op *op) {
    (void)o;
    (void)op;
    return true;
}

static bool op_missing(jval *o, struct plan_op *op) {
    bool value;
    if (!maybe(o, "missing", &op->b, &value)) return false;
    if (value) op->flags = PLAN_F_VALUE;
    if (truth(o, "text")) op->flags |= PLAN_F_TEXT;
    return !(value && (op->flags & PLAN_F_TEXT));
}

static bool op_impute(jval *o, struct plan_op *op) {
    return op_missing(o, op) && !(op->flags & PLAN_F_TEXT) && number(o, "value", &op->a);
}

static bool op_binarize(jval *o, struct plan_op *op) { return number(o, "threshold", &op->a); }

static bool op_check(jval *o, struct plan_op *op) {
    op->flags = (uint16_t)((truth(o, "nan") ? PLAN_F_NO_NAN : 0) | (truth(o, "inf") ? PLAN_F_NO_INF : 0) |
                           (truth(o, "inf32") ? PLAN_F_NO_INF32 : 0));
    op->width = 0;
    return true;
}

static bool op_normalize(jval *o, struct plan_op *op) {
    str norm = json_get_str(o, "norm");
    op->width = op->n;
    op->flags = str_eqz(norm, "l1")    ? PLAN_F_L1
                : str_eqz(norm, "l2")  ? PLAN_F_L2
                : str_eqz(norm, "max") ? PLAN_F_MAX
                                       : 0;
    return op->flags != 0;
}

static const struct op_word {
    const char *word;
    enum plan_opcode code;
    bool (*read)(jval *o, struct plan_op *op);
    bool list;
} op_words[] = {
    {"scale", PLAN_OP_SCALE, op_scale, false},
    {"affine", PLAN_OP_AFFINE, op_affine, false},
    {"clip", PLAN_OP_CLIP, op_clip, false},
    {"f32", PLAN_OP_F32, op_plain, false},
    {"log1p", PLAN_OP_LOG1P, op_plain, false},
    {"impute", PLAN_OP_IMPUTE, op_impute, false},
    {"missing", PLAN_OP_MISSING, op_missing, false},
    {"binarize", PLAN_OP_BINARIZE, op_binarize, false},
    {"check", PLAN_OP_CHECK, op_check, true},
    {"normalize", PLAN_OP_NORMALIZE, op_normalize, true},
};

/* The categories of an encoder and what each becomes: `outs` names the list beside them. */
static err *read_table(struct reader *r, jval *o, const char *outs, struct plan_op *op,
                       struct plan_cat_table *t) {
    jval *cats = json_get(o, "categories"), *v;
    double *out;
    size_t n, i, max;
    TRY(doubles(r, json_get(o, outs), &out, &n));
    if (!yyjson_is_arr(cats) || yyjson_arr_size(cats) != n) return IMPORT_DAMAGED("categories.");
    t->text = truth(o, "text");
    t->first = (uint32_t)build_count(r->b, PLAN_S_CATS);
    t->n = (uint32_t)n;
    if (n > PLAN_MAX_REGISTERS) return IMPORT_UNSUPPORTED("%zu categories in one column.", n);
    yyjson_arr_foreach(cats, i, max, v) {
        struct plan_cat c = {.out = out[i]};
        if (t->text ? !yyjson_is_str(v) : !json_f64(v, &c.number)) return IMPORT_DAMAGED("category %zu.", i);
        if (t->text) build_string(r->b, json_str(v), &c.text);
        buf_add(&r->b->sec[PLAN_S_CATS], &c, sizeof(c));
    }
    if (t->text) op->flags |= PLAN_F_TEXT;
    return NULL;
}

static err *op_encode(struct reader *r, jval *o, bool onehot, struct plan_op *op) {
    struct plan_cat_table t = {.missing = PLAN_NO_CAT};
    TRY(read_table(r, o, onehot ? "columns" : "values", op, &t));
    bool known = !is_null(o, "missing"), ok = true;
    if (onehot) {
        ok = index_of(json_get(o, "width"), &op->width);
        if (known) ok = ok && index_of(json_get(o, "missing"), &t.missing);
        if (str_eqz(json_get_str(o, "unknown"), "ignore")) op->flags |= PLAN_F_UNKNOWN_OK;
    } else {
        if (known) ok = number(o, "missing", &op->b), t.missing = 0;
        bool unknown = false;
        ok = ok && maybe(o, "unknown", &op->a, &unknown);
        if (unknown) op->flags |= PLAN_F_UNKNOWN_OK;
    }
    if (!ok) return IMPORT_DAMAGED("an encoder.");
    op->table = (uint32_t)build_count(r->b, PLAN_S_CAT_TABLES);
    buf_add(&r->b->sec[PLAN_S_CAT_TABLES], &t, sizeof(t));
    return NULL;
}

/* The register list of an operation; sets src and n. */
static err *read_list(struct reader *r, jval *in, struct plan_op *op) {
    jval *v;
    size_t i, max;
    buf *lists = &r->b->sec[PLAN_S_REG_LISTS];
    if (!yyjson_is_arr(in)) return IMPORT_DAMAGED("an operation reads no list.");
    op->src = (uint32_t)(lists->n / 4);
    op->n = (uint32_t)yyjson_arr_size(in);
    if (op->src + (uint64_t)op->n > PLAN_MAX_LISTED) return IMPORT_UNSUPPORTED("its register lists are too long.");
    yyjson_arr_foreach(in, i, max, v) {
        uint32_t reg;
        if (!index_of(v, &reg)) return IMPORT_DAMAGED("a register.");
        buf_u32(lists, reg);
    }
    return NULL;
}

static err *read_op(struct reader *r, jval *o, size_t i) {
    str word = json_get_str(o, "op");
    jval *in = json_get(o, "in");
    struct plan_op op = {.n = 1, .width = 1};
    const struct op_word *w = NULL;
    for (size_t k = 0; k < ARRAY_LEN(op_words); k++)
        if (str_eqz(word, op_words[k].word)) w = &op_words[k];
    bool onehot = str_eqz(word, "onehot"), ordinal = str_eqz(word, "ordinal");
    bool fill = str_eqz(word, "fill");
    if (w && w->list)
        TRY(read_list(r, in, &op));
    else if (!index_of(in, &op.src))
        return IMPORT_DAMAGED("operation %zu reads no register.", i);
    if (w) {
        op.code = (uint16_t)w->code;
        if (!w->read(o, &op)) return IMPORT_DAMAGED("operation %zu.", i);
    } else if (onehot || ordinal) {
        op.code = onehot ? PLAN_OP_ONEHOT : PLAN_OP_ORDINAL;
        TRY(op_encode(r, o, onehot, &op));
    } else if (fill && yyjson_is_str(json_get(o, "value"))) {
        op.code = PLAN_OP_TEXT_FILL;
        op.flags = PLAN_F_TEXT;
        build_string(r->b, json_get_str(o, "value"), &op.text);
    } else {
        return IMPORT_DAMAGED("operation %zu is \"%.*s\".", i, STR_ARG(str_cut(word, 40)));
    }
    uint32_t out, first = build_op(r->b, op);
    if (!index_of(json_get(o, "out"), &out) || out != first)
        return IMPORT_DAMAGED("operation %zu writes another register than it says.", i);
    return NULL;
}

static err *read_program(struct reader *r, jval *root) {
    jval *ops = json_get(root, "program"), *features = json_get(root, "features"), *v;
    size_t i, max;
    if (!yyjson_is_arr(ops) || yyjson_arr_size(ops) > PLAN_MAX_OPS)
        return IMPORT_UNSUPPORTED("its program has over %u operations.", PLAN_MAX_OPS);
    yyjson_arr_foreach(ops, i, max, v) TRY(read_op(r, v, i));
    if (!yyjson_is_arr(features) || yyjson_arr_size(features) > PLAN_MAX_FEATURES)
        return IMPORT_UNSUPPORTED("over %u features.", PLAN_MAX_FEATURES);
    yyjson_arr_foreach(features, i, max, v) {
        uint32_t reg;
        if (!index_of(v, &reg)) return IMPORT_DAMAGED("feature %zu.", i);
        build_feature(r->b, reg);
    }
    r->b->features_fixed = true;
    return NULL;
}

/* ---- the model ---- */

static err *read_outputs(struct reader *r, jval *model, double *values, size_t n) {
    if (n == 0 || n > PLAN_MAX_OUTPUTS) return IMPORT_UNSUPPORTED("%zu outputs.", n);
    r->b->head.n_outputs = (uint32_t)n;
    for (size_t i = 0; i < n; i++) build_base(r->b, values[i]);
    static const struct {
        const char *word;
        enum plan_transform t;
    } transforms[] = {{"none", PLAN_T_NONE},
                      {"sigmoid", PLAN_T_SIGMOID},
                      {"softmax", PLAN_T_SOFTMAX},
                      {"exp", PLAN_T_EXP},
                      {"ovr", PLAN_T_OVR}};
    static const struct {
        const char *word;
        enum plan_out out;
    } outs[] = {{"values", PLAN_O_VALUES},         {"argmax", PLAN_O_ARGMAX}, {"gt", PLAN_O_GT},
                {"ge", PLAN_O_GE},                 {"pair", PLAN_O_PAIR},
                {"complement", PLAN_O_COMPLEMENT}};
    struct plan *h = &r->b->head;
    bool found = false;
    for (size_t i = 0; i < ARRAY_LEN(transforms); i++)
        if (str_eqz(json_get_str(model, "transform"), transforms[i].word))
            h->transform = transforms[i].t, found = true;
    if (!found) return IMPORT_DAMAGED("its transform.");
    found = false;
    for (size_t i = 0; i < ARRAY_LEN(outs); i++)
        if (str_eqz(json_get_str(model, "output"), outs[i].word)) h->out = outs[i].out, found = true;
    if (!found) return IMPORT_DAMAGED("its output.");
    h->two_d = truth(model, "two_d");
    if (!is_null(model, "bound") && !number(model, "bound", &h->param2)) return IMPORT_DAMAGED("its bound.");
    struct import_labels labels = {0};
    TRY(import_labels_read(r->a, json_get(model, "classes"), &labels));
    return labels.n ? build_labels(r->b, &labels) : NULL;
}

static err *read_linear(struct reader *r, jval *model) {
    double *intercept, *row;
    size_t n, k, features = build_count(r->b, PLAN_S_FEATURES), i, max;
    jval *coef = json_get(model, "coef"), *v;
    r->b->head.model = PLAN_M_LINEAR;
    r->b->head.acc = PLAN_ACC_F64;
    TRY(doubles(r, json_get(model, "intercept"), &intercept, &n));
    if (!yyjson_is_arr(coef) || yyjson_arr_size(coef) != n) return IMPORT_DAMAGED("its coefficients.");
    yyjson_arr_foreach(coef, i, max, v) {
        TRY(doubles(r, v, &row, &k));
        if (k != features) return IMPORT_DAMAGED("%zu features have %zu coefficients.", features, k);
        buf_add(&r->b->sec[PLAN_S_COEF], row, k * sizeof(double));
    }
    return read_outputs(r, model, intercept, n);
}

struct tree {
    int64_t *left, *right, *feature, *missing_left;
    double *threshold, *value;
    size_t n, n_value;
};

static bool tree_arrays(arena *a, jval *o, struct tree *t) {
    const struct {
        const char *key;
        int64_t **to;
    } lists[] = {{"left", &t->left},
                 {"right", &t->right},
                 {"feature", &t->feature},
                 {"missing_left", &t->missing_left}};
    size_t n;
    if (!doc_f64s(a, (struct doc){.j = json_get(o, "threshold")}, &t->threshold, &t->n)) return false;
    for (size_t i = 0; i < ARRAY_LEN(lists); i++)
        if (!doc_i64s(a, (struct doc){.j = json_get(o, lists[i].key)}, lists[i].to, &n) || n != t->n)
            return false;
    return doc_f64s(a, (struct doc){.j = json_get(o, "value")}, &t->value, &t->n_value);
}

/* A threshold of +Inf splits missing values from all others; see PLAN_V_NOT_MISS. */
static void split(struct build_node *v, double threshold, bool missing_left) {
    v->variant = missing_left ? PLAN_V_MISS_LEFT : PLAN_V_MISS_RIGHT;
    v->threshold = threshold;
    if (threshold == INFINITY && !missing_left) {
        v->variant = PLAN_V_NOT_MISS;
        v->threshold = 0;
    }
}

static err *read_tree(struct reader *r, arena *a, jval *o, bool vectors) {
    struct tree t;
    uint32_t group = 0;
    size_t per_leaf = vectors ? r->b->head.n_outputs : 1, leaves = 0;
    if (!tree_arrays(a, o, &t) || t.n == 0) return IMPORT_DAMAGED("the arrays of a tree.");
    if (!vectors && (!index_of(json_get(o, "group"), &group) || group >= r->b->head.n_outputs))
        return IMPORT_DAMAGED("a tree's group.");
    struct build_node *nodes = arena_array_of(a, struct build_node, t.n);
    size_t base = build_count(r->b, PLAN_S_LEAF_VALUES);
    for (size_t i = 0; i < t.n; i++) {
        struct build_node *v = &nodes[i];
        if (t.left[i] == -1) {
            v->leaf = 1;
            if ((leaves + 1) * per_leaf > t.n_value) return IMPORT_DAMAGED("a leaf has no value.");
            v->threshold = vectors ? (double)(base + leaves * per_leaf) : t.value[leaves];
            leaves++;
            continue;
        }
        if (t.left[i] < 0 || t.left[i] > INT32_MAX || t.right[i] < 0 || t.right[i] > INT32_MAX ||
            t.feature[i] < 0 || t.feature[i] > UINT32_MAX)
            return IMPORT_DAMAGED("node %zu.", i);
        v->left = (int32_t)t.left[i];
        v->right = (int32_t)t.right[i];
        v->feature = (uint32_t)t.feature[i];
        split(v, t.threshold[i], t.missing_left[i] != 0);
    }
    if (leaves * per_leaf != t.n_value) return IMPORT_DAMAGED("%zu leaves have %zu values.", leaves, t.n_value);
    if (vectors) buf_add(&r->b->sec[PLAN_S_LEAF_VALUES], t.value, t.n_value * sizeof(double));
    return build_tree(r->b, nodes, t.n, group);
}

static err *read_trees(struct reader *r, jval *model) {
    double *base, divide = 0;
    size_t n, i, max;
    jval *trees = json_get(model, "trees"), *v;
    bool vectors = truth(model, "vectors");
    r->b->head.acc = PLAN_ACC_F64;
    r->b->head.model = PLAN_M_TREES16;
    r->b->head.leaf_vectors = vectors;
    TRY(doubles(r, json_get(model, "base"), &base, &n));
    TRY(read_outputs(r, model, base, n));
    if (!is_null(model, "divide") && !number(model, "divide", &divide)) return IMPORT_DAMAGED("divide.");
    r->b->head.divide = divide;
    if (!yyjson_is_arr(trees)) return IMPORT_DAMAGED("it has no trees.");
    arena *a = arena_new();
    err *e = NULL;
    yyjson_arr_foreach(trees, i, max, v) {
        e = read_tree(r, a, v, vectors);
        arena_reset(a);
        if (e) break;
    }
    arena_free(a);
    return err_while(e, "reading tree %zu", i);
}

/* A pipeline that ends in a library of its own. */
static err *read_other(struct reader *r, jval *model, bool xgboost, const struct import_files *files) {
    str name = json_get_str(model, "file"), bytes = STR_NONE;
    struct import_meta meta;
    TRY(import_meta_read(r->a, model, &meta));
    for (size_t i = 0; i < files->n; i++)
        if (name.n && str_eq(files->files[i].name, name)) bytes = files->files[i].bytes;
    if (!bytes.p) return IMPORT_DAMAGED("it has no file \"%.*s\".", STR_ARG(str_cut(name, 80)));
    if (!xgboost) return import_lightgbm_into(r->a, bytes, &meta, r->b);
    struct doc root = {0};
    TRY(ubj_parse(r->a, bytes, &root.u));
    return import_xgboost_into(r->a, root, &meta, r->b);
}

static err *read_inputs(struct reader *r, jval *root, const struct import_meta *m) {
    struct import_meta own = IMPORT_META_NONE;
    jval *inputs = json_get(root, "inputs"), *v;
    size_t i, max, n = yyjson_arr_size(inputs);
    if (!yyjson_is_arr(inputs) || n == 0 || n > PLAN_MAX_INPUTS) return IMPORT_DAMAGED("its inputs.");
    struct import_column *columns = arena_array_of(r->a, struct import_column, n);
    yyjson_arr_foreach(inputs, i, max, v) TRY(import_column_read(v, &columns[i]));
    own.columns = columns;
    own.n_columns = n;
    /* The program was made for these columns; a signature given beside it must be the same. */
    if (m->n_columns && m->n_columns != n)
        return IMPORT_DAMAGED("it has %zu inputs and its signature %zu columns.", n, m->n_columns);
    for (i = 0; i < m->n_columns; i++)
        if (m->columns[i].kind != columns[i].kind || !str_eq(m->columns[i].name, columns[i].name))
            return IMPORT_DAMAGED("input %zu is not what the signature says.", i);
    return build_inputs(r->b, own.columns, own.n_columns);
}

static err *read_model(struct reader *r, jval *root, const struct import_meta *m,
                       const struct import_files *files) {
    if (!str_eqz(json_get_str(root, "format"), "boathouse.sklearn/1"))
        return IMPORT_DAMAGED("it is not boathouse.sklearn/1.");
    TRY(read_inputs(r, root, m));
    TRY(read_program(r, root));
    jval *model = json_get(root, "model");
    str type = json_get_str(model, "type");
    if (str_eqz(type, "linear")) return read_linear(r, model);
    if (str_eqz(type, "trees")) return read_trees(r, model);
    if (str_eqz(type, "xgboost")) return read_other(r, model, true, files);
    if (str_eqz(type, "lightgbm")) return read_other(r, model, false, files);
    return IMPORT_UNSUPPORTED("model type \"%.*s\".", STR_ARG(str_cut(type, 80)));
}

err *import_sklearn_json(arena *a, str json, const struct import_meta *m,
                         const struct import_files *files, buf *out) {
    jval *root;
    if (json.n > PLAN_MAX_SIZE) return IMPORT_UNSUPPORTED("the file is over 1 GiB.");
    err *e = json_parse(a, json, true, &root);
    if (e) return err_recode(e, ERR_INVALID_PARAMETER_VALUE);
    struct build b;
    build_init(&b);
    struct reader r = {.a = a, .b = &b};
    e = read_model(&r, root, m, files);
    if (!e) e = build_finish(&b, out);
    build_free(&b);
    return err_while(e, "reading a scikit-learn model");
}
