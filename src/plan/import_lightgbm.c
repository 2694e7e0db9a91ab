/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LightGBM models, text (version v3 and v4). Lines of key=value: a header, then a block for each tree
 * from "Tree=i" to the next blank line, then "end of trees"; what follows is for humans.
 *
 *   header   version, num_class, num_tree_per_iteration (K), max_feature_idx, objective, feature_names,
 *            and the bare word average_output for random forests
 *   tree     num_leaves, num_cat, split_feature, threshold, decision_type, left_child, right_child,
 *            leaf_value, cat_boundaries, cat_threshold, is_linear
 *
 * Splits are numbered from 0; a child c >= 0 is a split, c < 0 is leaf ~c. decision_type: bit 0
 * categorical, bit 1 default left, bits 2-3 what is missing (0 nothing, 1 zero, 2 NaN). A tree of one
 * leaf has only leaf_value. A categorical split's threshold is the number i of its set, the words
 * cat_threshold[cat_boundaries[i] … cat_boundaries[i+1]).
 *
 * Everything is double. Tree i·K + k adds to output k; see reference/serving.md §14. Refused: linear
 * trees, data frame categories (pandas_categorical), objectives without a row below.
 */
#include <math.h>

#include "plan/import_int.h"

#define MAX_HEADER_LINES 64

static const struct objective {
    const char *name;
    enum plan_transform transform;
} objectives[] = {
    {"regression", PLAN_T_NONE},       {"regression_l1", PLAN_T_NONE},
    {"huber", PLAN_T_NONE},            {"fair", PLAN_T_NONE},
    {"quantile", PLAN_T_NONE},         {"mape", PLAN_T_NONE},
    {"lambdarank", PLAN_T_NONE},       {"rank_xendcg", PLAN_T_NONE},
    {"custom", PLAN_T_NONE},           {"poisson", PLAN_T_EXP},
    {"gamma", PLAN_T_EXP},             {"tweedie", PLAN_T_EXP},
    {"binary", PLAN_T_SIGMOID},        {"cross_entropy", PLAN_T_SIGMOID},
    {"cross_entropy_lambda", PLAN_T_LOG1P_EXP},
    {"multiclass", PLAN_T_SOFTMAX},    {"multiclassova", PLAN_T_SIGMOID},
};

struct reader {
    arena *a, *tree;
    const struct import_meta *meta;
    struct build *b;
    str rest;      /* not read yet */
    size_t line;
    const struct objective *objective;
    double sigmoid;
    bool root;     /* regression with sqrt: results are squared */
    bool average;
    int64_t version, outputs, max_feature;
    str names;
    size_t trees;
};

static bool next_line(struct reader *r, str *ret) {
    if (!str_split(&r->rest, '\n', ret)) return false;
    r->line++;
    if (str_ends(*ret, STR("\r"))) ret->n--;
    return true;
}

/* "key=value" → both parts; a bare word is a key without a value. */
static str split_key(str line, str *value) {
    ptrdiff_t at = str_chr(line, '=', 0);
    *value = at < 0 ? STR_NONE : str_from(line, (size_t)at + 1);
    return at < 0 ? line : str_cut(line, (size_t)at);
}

/* A list of numbers separated by blanks. The count is bounded by the length of the text. */
static bool numbers(struct reader *r, str text, double **ret, size_t *ret_n) {
    size_t n = 0;
    str part;
    *ret = arena_array_of(r->tree, double, text.n / 2 + 2);
    while (str_split(&text, ' ', &part))
        if (part.n && !str_to_f64(part, &(*ret)[n++])) {
            /* "nan" and "inf" as C prints them. */
            if (str_eqz(part, "inf"))
                (*ret)[n - 1] = INFINITY;
            else if (str_eqz(part, "-inf"))
                (*ret)[n - 1] = -INFINITY;
            else
                return false;
        }
    *ret_n = n;
    return true;
}

static bool integers(struct reader *r, str text, int64_t **ret, size_t *ret_n) {
    size_t n = 0;
    str part;
    *ret = arena_array_of(r->tree, int64_t, text.n / 2 + 2);
    while (str_split(&text, ' ', &part))
        if (part.n && !str_to_i64(part, &(*ret)[n++])) return false;
    *ret_n = n;
    return true;
}

static err *read_objective(struct reader *r, str text) {
    str name, part;
    if (!str_split(&text, ' ', &name)) return IMPORT_DAMAGED("its objective.");
    for (size_t i = 0; i < ARRAY_LEN(objectives); i++)
        if (str_eqz(name, objectives[i].name)) r->objective = &objectives[i];
    if (!r->objective)
        return IMPORT_UNSUPPORTED("LightGBM objective \"%.*s\" is not known.", STR_ARG(str_cut(name, 80)));
    while (str_split(&text, ' ', &part)) {
        if (str_eqz(part, "sqrt")) r->root = true;
        if (str_starts(part, STR("sigmoid:")) && !str_to_f64(str_from(part, 8), &r->sigmoid))
            return IMPORT_DAMAGED("its sigmoid.");
    }
    return NULL;
}

static err *header_line(struct reader *r, str line) {
    str value, key = split_key(line, &value);
    if (str_eqz(key, "num_tree_per_iteration")) {
        if (!str_to_i64(value, &r->outputs) || r->outputs < 1 || r->outputs > PLAN_MAX_OUTPUTS)
            return IMPORT_DAMAGED("num_tree_per_iteration.");
    } else if (str_eqz(key, "max_feature_idx")) {
        if (!str_to_i64(value, &r->max_feature) || r->max_feature < 0 ||
            r->max_feature >= PLAN_MAX_FEATURES)
            return IMPORT_UNSUPPORTED("max_feature_idx %.*s.", STR_ARG(str_cut(value, 40)));
    } else if (str_eqz(key, "version")) {
        if (!str_starts(value, STR("v")) || !str_to_i64(str_from(value, 1), &r->version) ||
            r->version < 3 || r->version > 4)
            return IMPORT_UNSUPPORTED("LightGBM format %.*s.", STR_ARG(str_cut(value, 40)));
    } else if (str_eqz(key, "objective")) {
        return read_objective(r, value);
    } else if (str_eqz(key, "feature_names")) {
        r->names = value;
    } else if (str_eqz(line, "average_output")) {
        r->average = true;
    }
    return NULL;
}

/* The arrays of one tree. */
struct tree {
    int64_t leaves, n_cat;
    int64_t *feature, *decision, *left, *right;
    double *threshold, *value;
    int64_t *cat_first, *cat_words;
    size_t n_feature, n_decision, n_left, n_right, n_threshold, n_value, n_first, n_words;
};

static err *tree_line(struct reader *r, str key, str value, struct tree *t) {
    int64_t linear;
    bool ok = true;
    if (str_eqz(key, "num_leaves"))
        ok = str_to_i64(value, &t->leaves);
    else if (str_eqz(key, "num_cat"))
        ok = str_to_i64(value, &t->n_cat);
    else if (str_eqz(key, "split_feature"))
        ok = integers(r, value, &t->feature, &t->n_feature);
    else if (str_eqz(key, "threshold"))
        ok = numbers(r, value, &t->threshold, &t->n_threshold);
    else if (str_eqz(key, "decision_type"))
        ok = integers(r, value, &t->decision, &t->n_decision);
    else if (str_eqz(key, "left_child"))
        ok = integers(r, value, &t->left, &t->n_left);
    else if (str_eqz(key, "right_child"))
        ok = integers(r, value, &t->right, &t->n_right);
    else if (str_eqz(key, "leaf_value"))
        ok = numbers(r, value, &t->value, &t->n_value);
    else if (str_eqz(key, "cat_boundaries"))
        ok = integers(r, value, &t->cat_first, &t->n_first);
    else if (str_eqz(key, "cat_threshold"))
        ok = integers(r, value, &t->cat_words, &t->n_words);
    else if (str_eqz(key, "is_linear") && (!str_to_i64(value, &linear) || linear != 0))
        return IMPORT_UNSUPPORTED("its trees have linear leaves.");
    if (!ok) return IMPORT_DAMAGED("line %zu, %.*s.", r->line, STR_ARG(str_cut(key, 40)));
    return NULL;
}

static err *check_counts(const struct tree *t) {
    if (t->leaves < 1 || t->leaves > PLAN_MAX_TREE_NODES / 2)
        return IMPORT_UNSUPPORTED("a tree of %lld leaves.", (long long)t->leaves);
    size_t leaves = (size_t)t->leaves, splits = leaves - 1;
    if (t->n_value != leaves) return IMPORT_DAMAGED("%zu leaves have %zu values.", leaves, t->n_value);
    if (splits == 0) return NULL;
    if (t->n_feature != splits || t->n_threshold != splits || t->n_decision != splits ||
        t->n_left != splits || t->n_right != splits)
        return IMPORT_DAMAGED("the arrays of a tree have different lengths.");
    if (t->n_cat < 0 || (t->n_cat > 0 && t->n_first != (size_t)t->n_cat + 1))
        return IMPORT_DAMAGED("cat_boundaries.");
    return NULL;
}

/* All sets of a tree go to the bit sets as they are; *base is where they begin. */
static err *copy_sets(struct reader *r, const struct tree *t, uint32_t *base) {
    buf *bits = &r->b->sec[PLAN_S_BITSETS];
    *base = (uint32_t)(bits->n / 4);
    if (t->n_cat == 0) return NULL;
    if (bits->n / 4 + t->n_words > PLAN_MAX_SIZE / 4)
        return IMPORT_UNSUPPORTED("its sets of categories are too large.");
    for (size_t i = 0; i < t->n_words; i++) {
        if (t->cat_words[i] < 0 || t->cat_words[i] > UINT32_MAX) return IMPORT_DAMAGED("cat_threshold.");
        buf_u32(bits, (uint32_t)t->cat_words[i]);
    }
    return NULL;
}

/* A split's treatment of missing values becomes its walk column's. */
static err *numeric_split(struct build_node *v, int64_t decision, double threshold) {
    bool left = decision & 2;
    switch (decision >> 2 & 3) {
    case 0: v->variant = PLAN_V_MISS_ZERO; break;
    case 1: v->variant = left ? PLAN_V_ZERO_LEFT : PLAN_V_ZERO_RIGHT; break;
    case 2: v->variant = left ? PLAN_V_MISS_LEFT : PLAN_V_MISS_RIGHT; break;
    default: return IMPORT_DAMAGED("decision_type.");
    }
    v->threshold = threshold;
    /* A threshold of +Inf splits missing values from all others; nothing is above it to stand for them. */
    if (threshold == INFINITY && (v->variant == PLAN_V_MISS_RIGHT || v->variant == PLAN_V_ZERO_RIGHT)) {
        v->variant = v->variant == PLAN_V_MISS_RIGHT ? PLAN_V_NOT_MISS : PLAN_V_NOT_ZERO;
        v->threshold = 0;
    }
    return NULL;
}

static err *categorical_split(struct build_node *v, const struct tree *t, double number, uint32_t base) {
    if (!(number >= 0 && number < (double)t->n_cat)) return IMPORT_DAMAGED("a categorical split's set.");
    size_t i = (size_t)number;
    int64_t first = t->cat_first[i], end = t->cat_first[i + 1];
    if (first < 0 || end < first || (uint64_t)end > t->n_words) return IMPORT_DAMAGED("cat_boundaries.");
    v->variant = PLAN_V_RAW;
    v->flags = PLAN_N_CATEGORICAL;
    v->word = base + (uint32_t)first;
    v->words = (uint32_t)(end - first);
    return NULL;
}

/* Splits first, leaves after them, in one array. */
static bool child(const struct tree *t, int64_t c, int32_t *ret) {
    int64_t splits = t->leaves - 1;
    if (c >= splits || c < -t->leaves) return false;
    *ret = (int32_t)(c >= 0 ? c : splits + ~c);
    return true;
}

static err *make_tree(struct reader *r, const struct tree *t) {
    TRY(check_counts(t));
    size_t splits = (size_t)t->leaves - 1, n = splits + (size_t)t->leaves;
    struct build_node *nodes = arena_array_of(r->tree, struct build_node, n);
    uint32_t base;
    TRY(copy_sets(r, t, &base));
    for (size_t i = 0; i < splits; i++) {
        struct build_node *v = &nodes[i];
        if (t->feature[i] < 0 || t->feature[i] > r->max_feature || t->decision[i] < 0 ||
            t->decision[i] > 15 || !child(t, t->left[i], &v->left) || !child(t, t->right[i], &v->right))
            return IMPORT_DAMAGED("split %zu of tree %zu.", i, r->trees);
        v->feature = (uint32_t)t->feature[i];
        TRY(t->decision[i] & 1 ? categorical_split(v, t, t->threshold[i], base)
                               : numeric_split(v, t->decision[i], t->threshold[i]));
    }
    for (size_t i = splits; i < n; i++) nodes[i] = (struct build_node){.leaf = 1, .threshold = t->value[i - splits]};
    uint32_t group = (uint32_t)(r->trees % (size_t)r->outputs);
    r->trees++;
    return build_tree(r->b, nodes, n, group);
}

/* Reads the lines after "Tree=i" up to a blank one. */
static err *read_tree(struct reader *r) {
    struct tree t = {0};
    str line;
    while (next_line(r, &line) && str_trim(line).n > 0) {
        str value, key = split_key(line, &value);
        TRY(tree_line(r, key, value, &t));
    }
    return make_tree(r, &t);
}

static err *read_features(struct reader *r) {
    size_t n = (size_t)r->max_feature + 1, i = 0;
    str rest = r->names, part;
    str *names = arena_array_of(r->a, str, n);
    while (r->names.n && str_split(&rest, ' ', &part)) {
        if (i < n) names[i] = part;
        i++;
    }
    if (i != n && i != 0) return IMPORT_DAMAGED("it has %zu features and %zu names.", n, i);
    return build_features(r->b, r->meta, i ? names : NULL, n, true);
}

static err *read_trees(struct reader *r) {
    str line;
    bool ended = false;
    while (!ended && next_line(r, &line)) {
        if (str_starts(line, STR("Tree="))) {
            size_t number = r->trees;
            err *e = read_tree(r);
            arena_reset(r->tree);
            if (e) return err_while(e, "reading tree %zu", number);
        }
        ended = str_eqz(line, "end of trees");
    }
    if (!ended) return IMPORT_DAMAGED("it ends before its trees do.");
    if (r->trees % (size_t)r->outputs != 0)
        return IMPORT_DAMAGED("%zu trees for %lld outputs.", r->trees, (long long)r->outputs);
    /* The last lines name categories of a data frame, which would have to be looked up first. */
    ptrdiff_t at = str_find(r->rest, STR("\npandas_categorical:"));
    if (at >= 0) {
        str value = str_from(r->rest, (size_t)at + 20);
        if (!str_starts(value, STR("null")) && !str_starts(value, STR("[]")))
            return IMPORT_UNSUPPORTED("it has categories of a data frame.");
    }
    return NULL;
}

static err *set_output(struct reader *r) {
    struct plan *h = &r->b->head;
    str fn = r->meta->predict_fn;
    bool proba = str_eqz(fn, "predict_proba");
    bool classifier = str_eqz(r->meta->wrapper, "LGBMClassifier");
    if (fn.n && !proba && !str_eqz(fn, "predict"))
        return IMPORT_UNSUPPORTED("predict function \"%.*s\".", STR_ARG(str_cut(fn, 80)));
    if (proba && !classifier) return IMPORT_UNSUPPORTED("predict_proba of this model.");
    h->transform = r->objective ? r->objective->transform : PLAN_T_NONE;
    h->param = r->sigmoid;
    if (r->root && h->transform == PLAN_T_NONE) h->transform = PLAN_T_SQUARE;
    if (r->average) {
        h->divide = (double)(r->trees / (size_t)r->outputs);
        if (h->divide == 0) return IMPORT_DAMAGED("it has no trees.");
    }
    if (h->transform == PLAN_T_SOFTMAX && r->outputs < 2) return IMPORT_DAMAGED("it has one class.");
    if (!classifier) return NULL;
    if (h->transform == PLAN_T_NONE) return IMPORT_UNSUPPORTED("a classifier with its own objective.");
    if (proba) {
        if (r->outputs == 1) h->out = PLAN_O_PAIR;
        return NULL;
    }
    h->out = r->outputs == 1 ? PLAN_O_COMPLEMENT : PLAN_O_ARGMAX;
    size_t classes = r->outputs == 1 ? 2 : (size_t)r->outputs;
    if (r->meta->labels.n == 0) {
        build_count_labels(r->b, classes, false);
        return NULL;
    }
    if (r->meta->labels.n != classes)
        return IMPORT_DAMAGED("%zu classes have %zu labels.", classes, r->meta->labels.n);
    return build_labels(r->b, &r->meta->labels);
}

static err *read_model(struct reader *r) {
    str line;
    if (!next_line(r, &line) || !str_eqz(str_trim(line), "tree"))
        return IMPORT_DAMAGED("it is not a LightGBM model.");
    while (next_line(r, &line) && !str_starts(line, STR("tree_sizes="))) {
        if (r->line > MAX_HEADER_LINES) return IMPORT_DAMAGED("its header does not end.");
        TRY(header_line(r, line));
    }
    if (r->outputs == 0 || r->max_feature < 0 || r->version == 0)
        return IMPORT_DAMAGED("its header is not complete.");
    struct plan *h = &r->b->head;
    h->acc = PLAN_ACC_F64;
    h->flush = 1;
    h->n_outputs = (uint32_t)r->outputs;
    TRY(read_features(r));
    for (int64_t k = 0; k < r->outputs; k++) build_base(r->b, 0);
    TRY(read_trees(r));
    return set_output(r);
}

err *import_lightgbm_into(arena *a, str text, const struct import_meta *m, struct build *b) {
    struct reader r = {.a = a,
                       .tree = arena_new(),
                       .meta = m,
                       .b = b,
                       .rest = text,
                       .sigmoid = 1,
                       .max_feature = -1};
    err *e = read_model(&r);
    arena_free(r.tree);
    return err_while(e, "reading a LightGBM model");
}

err *import_lightgbm_text(arena *a, str text, const struct import_meta *m, buf *out) {
    struct build b;
    if (text.n > PLAN_MAX_SIZE) return IMPORT_UNSUPPORTED("the file is over 1 GiB.");
    build_init(&b);
    err *e = import_lightgbm_into(a, text, m, &b);
    if (!e) e = build_finish(&b, out);
    build_free(&b);
    return e;
}
