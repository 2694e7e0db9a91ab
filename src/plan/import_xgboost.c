/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XGBoost models, JSON and UBJSON (the same names in both; written by 1.x to 3.2).
 *
 *   learner
 *     attributes.best_iteration        scikit-learn wrappers predict with the trees up to it
 *     feature_names, feature_types
 *     learner_model_param              base_score "5E-1" or "[4.7E-1,…]", num_class, num_feature, num_target
 *     objective.name
 *     gradient_booster                 name: gbtree | dart (weight_drop, gbtree inside) | gblinear
 *       model
 *         gbtree_model_param           num_trees, num_parallel_tree
 *         iteration_indptr             first tree of each iteration (absent before 1.7)
 *         tree_info                    output that each tree adds to
 *         cats.enc                     string categories that were re-coded (3.1+)
 *         trees[]                      left_children, right_children, split_indices, split_conditions,
 *                                      default_left, split_type, categories*, tree_param
 *
 * A leaf is a node whose left child is -1; its value stands in split_conditions. base_score is given as
 * the user sees it (a probability for logistic objectives) and is carried into the space of the sums by
 * the objective's inverse link. Everything is float32; see reference/serving.md §14.
 *
 * Not expressed, and refused by name: gblinear, vector leaves, string categories, objectives without a
 * row below.
 */
#include <math.h>

#include "plan/import_int.h"

enum link { LINK_IDENTITY, LINK_LOGIT, LINK_LOG };

static const struct objective {
    const char *name;
    enum link link;
    enum plan_transform transform;
} objectives[] = {
    {"reg:squarederror", LINK_IDENTITY, PLAN_T_NONE},
    {"reg:linear", LINK_IDENTITY, PLAN_T_NONE},
    {"reg:squaredlogerror", LINK_IDENTITY, PLAN_T_NONE},
    {"reg:pseudohubererror", LINK_IDENTITY, PLAN_T_NONE},
    {"reg:absoluteerror", LINK_IDENTITY, PLAN_T_NONE},
    {"reg:quantileerror", LINK_IDENTITY, PLAN_T_NONE},
    {"reg:logistic", LINK_LOGIT, PLAN_T_SIGMOID_F32},
    {"binary:logistic", LINK_LOGIT, PLAN_T_SIGMOID_F32},
    {"binary:logitraw", LINK_IDENTITY, PLAN_T_NONE},
    {"binary:hinge", LINK_IDENTITY, PLAN_T_HINGE},
    {"count:poisson", LINK_LOG, PLAN_T_EXP_F32},
    {"reg:gamma", LINK_LOG, PLAN_T_EXP_F32},
    {"reg:tweedie", LINK_LOG, PLAN_T_EXP_F32},
    {"survival:cox", LINK_LOG, PLAN_T_EXP_F32},
    {"survival:aft", LINK_LOG, PLAN_T_EXP},
    {"rank:pairwise", LINK_IDENTITY, PLAN_T_NONE},
    {"rank:ndcg", LINK_IDENTITY, PLAN_T_NONE},
    {"rank:map", LINK_IDENTITY, PLAN_T_NONE},
    {"multi:softprob", LINK_IDENTITY, PLAN_T_SOFTMAX_F32},
    {"multi:softmax", LINK_IDENTITY, PLAN_T_NONE},
};

struct reader {
    arena *a;     /* for the whole import */
    arena *tree;  /* reset for each tree */
    const struct import_meta *meta;
    struct build *b;
    struct doc learner, booster, model;
    const struct objective *objective;
    size_t features, outputs;
    bool wrapper; /* a scikit-learn class: honours best_iteration, takes infinities */
    const double *weight; /* dart */
};

static err *find_objective(struct reader *r) {
    str name;
    if (!doc_str(doc_get(doc_get(r->learner, "objective"), "name"), &name))
        return IMPORT_DAMAGED("it has no objective.");
    for (size_t i = 0; i < ARRAY_LEN(objectives); i++)
        if (str_eqz(name, objectives[i].name)) return r->objective = &objectives[i], NULL;
    return IMPORT_UNSUPPORTED("XGBoost objective \"%.*s\" is not known.", STR_ARG(str_cut(name, 80)));
}

static err *count_of(struct doc o, const char *name, int64_t max, size_t *ret) {
    int64_t v;
    if (!doc_i64(doc_get(o, name), &v) || v < 0 || v > max)
        return IMPORT_DAMAGED("%s is missing or impossible.", name);
    *ret = (size_t)v;
    return NULL;
}

/* Base values: "5E-1" or "[5E-1,…]", one for all outputs or one for each. */
static err *read_base(struct reader *r, struct doc param) {
    str text;
    double one;
    if (!doc_str(doc_get(param, "base_score"), &text)) {
        if (!doc_f64(doc_get(param, "base_score"), &one)) return IMPORT_DAMAGED("it has no base_score.");
        text = str_of(arena_printf(r->a, "%.9g", one));
    }
    text = str_trim(text);
    if (str_starts(text, STR("["))) text = str_n(text.p + 1, text.n - 1);
    if (str_ends(text, STR("]"))) text.n--;
    float base[2] = {0};
    size_t n = 0;
    for (str part; n <= r->outputs && str_split(&text, ',', &part); n++) {
        if (!str_to_f64(str_trim(part), &one)) return IMPORT_DAMAGED("base_score is not a number.");
        float f = (float)one;
        if (r->objective->link == LINK_LOGIT) f = -logf(1.0f / f - 1.0f);
        if (r->objective->link == LINK_LOG) f = logf(f);
        if (isnan(f)) return IMPORT_DAMAGED("base_score does not fit the objective.");
        base[0] = f;
        build_base(r->b, (double)f);
    }
    for (; n == 1 && build_count(r->b, PLAN_S_BASE) < r->outputs;) build_base(r->b, (double)base[0]);
    if (build_count(r->b, PLAN_S_BASE) != r->outputs)
        return IMPORT_DAMAGED("base_score has not one value for each output.");
    return NULL;
}

static err *read_names(struct reader *r, const str **ret) {
    struct doc *items;
    size_t n;
    *ret = NULL;
    struct doc list = doc_get(r->learner, "feature_names");
    if (!doc_is(list) || !doc_items(r->a, list, &items, &n) || n == 0) return NULL;
    if (n != r->features) return IMPORT_DAMAGED("it has %zu features and %zu names.", r->features, n);
    str *names = arena_array_of(r->a, str, n);
    for (size_t i = 0; i < n; i++)
        if (!doc_str(items[i], &names[i])) return IMPORT_DAMAGED("a feature's name is not a string.");
    *ret = names;
    if (r->b->features_fixed) return NULL;
    for (size_t i = 0; i < n && i < r->meta->n_columns; i++)
        if (!str_eq(names[i], r->meta->columns[i].name))
            return IMPORT_UNSUPPORTED("feature %zu is \"%.*s\" in the model and \"%.*s\" in its signature.",
                                      i, STR_ARG(str_cut(names[i], 80)),
                                      STR_ARG(str_cut(r->meta->columns[i].name, 80)));
    return NULL;
}

/* String categories are re-coded by the library from the data frame's own categories. */
static err *refuse_strings(struct reader *r) {
    struct doc *enc, list = doc_get(doc_get(r->model, "cats"), "enc");
    size_t n;
    if (!doc_is(list) || !doc_items(r->a, list, &enc, &n)) return NULL;
    for (size_t i = 0; i < n; i++) {
        struct doc values = doc_get(enc[i], "values");
        if (doc_len(values) != 0)
            return IMPORT_UNSUPPORTED("feature %zu has categories of a data frame.", i);
    }
    return NULL;
}

/* The arrays of one tree. */
struct tree {
    int64_t *left, *right, *feature, *default_left, *split_type;
    double *condition;
    size_t n;
    int64_t *cat, *cat_node, *cat_first, *cat_size;
    size_t n_cat, n_cat_nodes;
};

static err *ints(struct reader *r, struct doc t, const char *name, size_t want, int64_t **ret) {
    size_t n;
    if (!doc_i64s(r->tree, doc_get(t, name), ret, &n)) return IMPORT_DAMAGED("a tree has no %s.", name);
    if (n != want) return IMPORT_DAMAGED("a tree has %zu nodes and %zu %s.", want, n, name);
    return NULL;
}

static err *read_tree(struct reader *r, struct doc t, struct tree *to) {
    int64_t vector = 1;
    size_t n;
    *to = (struct tree){0};
    if (doc_i64(doc_get(doc_get(t, "tree_param"), "size_leaf_vector"), &vector) && vector > 1)
        return IMPORT_UNSUPPORTED("its trees have several values to a leaf.");
    if (!doc_f64s(r->tree, doc_get(t, "split_conditions"), &to->condition, &to->n))
        return IMPORT_DAMAGED("a tree has no split_conditions.");
    TRY(ints(r, t, "left_children", to->n, &to->left));
    TRY(ints(r, t, "right_children", to->n, &to->right));
    TRY(ints(r, t, "split_indices", to->n, &to->feature));
    TRY(ints(r, t, "default_left", to->n, &to->default_left));
    if (!doc_is(doc_get(t, "categories_nodes"))) return NULL; /* before 1.5 */
    if (!doc_i64s(r->tree, doc_get(t, "categories_nodes"), &to->cat_node, &to->n_cat_nodes))
        return IMPORT_DAMAGED("categories_nodes.");
    if (to->n_cat_nodes == 0) return NULL;
    TRY(ints(r, t, "split_type", to->n, &to->split_type));
    TRY(ints(r, t, "categories_segments", to->n_cat_nodes, &to->cat_first));
    TRY(ints(r, t, "categories_sizes", to->n_cat_nodes, &to->cat_size));
    if (!doc_i64s(r->tree, doc_get(t, "categories"), &to->cat, &n)) return IMPORT_DAMAGED("categories.");
    to->n_cat = n;
    return NULL;
}

/* The set of the i-th categorical split as bits at the end of the section. */
static err *read_set(struct reader *r, const struct tree *t, size_t i, struct build_node *to) {
    int64_t first = t->cat_first[i], size = t->cat_size[i], top = -1;
    if (first < 0 || size < 0 || (uint64_t)first > t->n_cat || (uint64_t)size > t->n_cat - (size_t)first)
        return IMPORT_DAMAGED("a categorical split's set.");
    for (int64_t k = 0; k < size; k++) {
        int64_t c = t->cat[first + k];
        if (c < 0 || c >= PLAN_MAX_CATEGORY) return IMPORT_DAMAGED("a category is impossible.");
        if (c > top) top = c;
    }
    buf *bits = &r->b->sec[PLAN_S_BITSETS];
    size_t words = (size_t)(top / 32 + 1), at = bits->n;
    if (top < 0) words = 0;
    if (at + words * 4 > PLAN_MAX_SIZE) return IMPORT_UNSUPPORTED("its sets of categories are too large.");
    to->word = (uint32_t)(at / 4);
    to->words = (uint32_t)words;
    if (!words) return NULL; /* an empty set: no category goes that way */
    for (size_t k = 0; k < words; k++) buf_u32(bits, 0);
    uint32_t *word = (uint32_t *)(void *)(bits->p + at);
    for (int64_t k = 0; k < size; k++) {
        uint32_t c = (uint32_t)t->cat[first + k];
        word[c / 32] |= 1u << (c % 32);
    }
    return NULL;
}

static err *read_sets(struct reader *r, const struct tree *t, struct build_node *nodes) {
    for (size_t i = 0; i < t->n_cat_nodes; i++) {
        int64_t at = t->cat_node[i];
        if (at < 0 || (uint64_t)at >= t->n) return IMPORT_DAMAGED("a categorical split outside of its tree.");
        if (nodes[at].leaf || t->split_type[at] != 1) continue;
        bool left = t->default_left[at] != 0;
        /* Categories of the set go right; what is no category goes left, as anything outside does. */
        nodes[at].variant = PLAN_V_RAW;
        nodes[at].flags = PLAN_N_CATEGORICAL | PLAN_N_SET_RIGHT | PLAN_N_NEG_OUT |
                          (left ? PLAN_N_MISS_LEFT : 0);
        TRY(read_set(r, t, i, &nodes[at]));
    }
    for (size_t i = 0; t->split_type && i < t->n; i++)
        if (t->split_type[i] == 1 && !nodes[i].leaf && !(nodes[i].flags & PLAN_N_CATEGORICAL))
            return IMPORT_DAMAGED("a categorical split without categories.");
    return NULL;
}

/* A split on a number. No number is below -Inf, so such a threshold only asks whether x is missing. */
static void numeric_split(struct build_node *v, double threshold, bool default_left) {
    v->variant = default_left ? PLAN_V_MISS_LEFT : PLAN_V_MISS_RIGHT;
    v->threshold = threshold;
    if (threshold == -INFINITY) {
        v->variant = default_left ? PLAN_V_IS_MISS : PLAN_V_RAW;
        v->threshold = default_left ? 0 : -INFINITY;
    }
}

/* What a leaf of a dart model adds. In place, the library predicts with the one tree on top of the base
 * value, takes the base value off again and weighs what is left; both steps round. */
static float dropped(const struct reader *r, float weight, float leaf, int64_t group) {
    if (!r->wrapper) return weight * leaf;
    const double *base = (const double *)(const void *)r->b->sec[PLAN_S_BASE].p;
    float on_base = (float)base[group] + leaf;
    return (on_base - (float)base[group]) * weight;
}

static err *add_tree(struct reader *r, struct doc doc, size_t i, int64_t group) {
    struct tree t;
    TRY(read_tree(r, doc, &t));
    if (group < 0 || (uint64_t)group >= r->outputs) return IMPORT_DAMAGED("tree_info.");
    if (t.n > PLAN_MAX_TREE_NODES) return IMPORT_UNSUPPORTED("a tree of %zu nodes.", t.n);
    struct build_node *nodes = arena_array_of(r->tree, struct build_node, t.n + 1);
    for (size_t k = 0; k < t.n; k++) {
        struct build_node *v = &nodes[k];
        float condition = (float)t.condition[k];
        v->leaf = t.left[k] == -1;
        if (v->leaf) {
            v->threshold = (double)(r->weight ? dropped(r, (float)r->weight[i], condition, group) : condition);
            continue;
        }
        if (t.left[k] < 0 || t.left[k] > INT32_MAX || t.right[k] < 0 || t.right[k] > INT32_MAX ||
            t.feature[k] < 0 || t.feature[k] > UINT32_MAX)
            return IMPORT_DAMAGED("node %zu of tree %zu.", k, i);
        v->left = (int32_t)t.left[k];
        v->right = (int32_t)t.right[k];
        v->feature = (uint32_t)t.feature[k];
        numeric_split(v, (double)condition, t.default_left[k] != 0);
    }
    TRY(read_sets(r, &t, nodes));
    return build_tree(r->b, nodes, t.n, (uint32_t)group);
}

/* How many trees count: all, or with a wrapper those up to the best iteration. */
static err *used_trees(struct reader *r, size_t all, size_t *ret) {
    int64_t best, parallel = 1, *first;
    size_t n;
    *ret = all;
    if (!r->wrapper || !doc_i64(doc_get(doc_get(r->learner, "attributes"), "best_iteration"), &best))
        return NULL;
    if (best < 0 || best > PLAN_MAX_TREES) return IMPORT_DAMAGED("best_iteration.");
    if (doc_i64s(r->a, doc_get(r->model, "iteration_indptr"), &first, &n) && n > 0) {
        if ((size_t)best + 1 >= n) return NULL;
        if (first[best + 1] < 0 || (uint64_t)first[best + 1] > all) return IMPORT_DAMAGED("iteration_indptr.");
        *ret = (size_t)first[best + 1];
        return NULL;
    }
    doc_i64(doc_get(doc_get(r->model, "gbtree_model_param"), "num_parallel_tree"), &parallel);
    if (parallel < 1 || parallel > PLAN_MAX_TREES) return IMPORT_DAMAGED("num_parallel_tree.");
    size_t want = (size_t)(best + 1) * (size_t)parallel * r->outputs;
    if (want < all) *ret = want;
    return NULL;
}

static err *read_trees(struct reader *r) {
    struct doc *trees;
    int64_t *group;
    size_t n, n_group, used;
    if (!doc_items(r->a, doc_get(r->model, "trees"), &trees, &n)) return IMPORT_DAMAGED("it has no trees.");
    if (n > PLAN_MAX_TREES) return IMPORT_UNSUPPORTED("%zu trees; %u are the limit.", n, PLAN_MAX_TREES);
    if (!doc_i64s(r->a, doc_get(r->model, "tree_info"), &group, &n_group) || n_group != n)
        return IMPORT_DAMAGED("tree_info does not fit the trees.");
    double *weight;
    struct doc drop = doc_get(r->booster, "weight_drop");
    if (doc_is(drop)) {
        size_t n_weight;
        if (!doc_f64s(r->a, drop, &weight, &n_weight) || n_weight != n)
            return IMPORT_DAMAGED("weight_drop does not fit the trees.");
        r->weight = weight;
    }
    TRY(used_trees(r, n, &used));
    for (size_t i = 0; i < used; i++) {
        err *e = add_tree(r, trees[i], i, group[i]);
        arena_reset(r->tree);
        if (e) return err_while(e, "reading tree %zu", i);
    }
    return NULL;
}

/* What predict() of the class makes of the transformed values. */
static err *set_output(struct reader *r) {
    struct plan *h = &r->b->head;
    str fn = r->meta->predict_fn;
    bool proba = str_eqz(fn, "predict_proba");
    if (fn.n && !proba && !str_eqz(fn, "predict"))
        return IMPORT_UNSUPPORTED("predict function \"%.*s\".", STR_ARG(str_cut(fn, 80)));
    bool classifier = str_ends(r->meta->wrapper, STR("Classifier"));
    bool softmax = str_eqz(str_of(r->objective->name), "multi:softmax");
    h->transform = r->objective->transform;
    if (proba) {
        if (!classifier || softmax) return IMPORT_UNSUPPORTED("predict_proba of this model.");
        if (r->outputs == 1) h->out = PLAN_O_PAIR_F32;
        return NULL;
    }
    if (softmax || (classifier && r->objective->transform == PLAN_T_SOFTMAX_F32)) {
        /* A Booster names classes as floats, a classifier as integers. */
        if (r->outputs < 2) return IMPORT_DAMAGED("it has one class.");
        h->out = PLAN_O_ARGMAX;
        build_count_labels(r->b, r->outputs, !classifier);
        return NULL;
    }
    if (!classifier) return NULL;
    h->param2 = 0.5;
    if (r->outputs > 1) {
        h->out = PLAN_O_MULTILABEL;
    } else {
        h->out = PLAN_O_GT;
        build_count_labels(r->b, 2, false);
    }
    return NULL;
}

static err *read_model(struct reader *r, struct doc root) {
    size_t classes = 0, targets = 1;
    str name;
    r->learner = doc_get(root, "learner");
    if (!doc_is_object(r->learner)) return IMPORT_DAMAGED("it is not an XGBoost model: no \"learner\".");
    r->booster = doc_get(r->learner, "gradient_booster");
    if (!doc_str(doc_get(r->booster, "name"), &name)) return IMPORT_DAMAGED("it names no booster.");
    bool dart = str_eqz(name, "dart");
    if (!dart && !str_eqz(name, "gbtree"))
        return IMPORT_UNSUPPORTED("XGBoost booster \"%.*s\".", STR_ARG(str_cut(name, 80)));
    r->model = doc_get(dart ? doc_get(r->booster, "gbtree") : r->booster, "model");
    TRY(find_objective(r));
    struct doc param = doc_get(r->learner, "learner_model_param");
    TRY(count_of(param, "num_feature", PLAN_MAX_FEATURES, &r->features));
    TRY(count_of(param, "num_class", PLAN_MAX_OUTPUTS, &classes));
    if (doc_is(doc_get(param, "num_target")))
        TRY(count_of(param, "num_target", PLAN_MAX_OUTPUTS, &targets));
    r->outputs = classes > 1 ? classes : 1;
    if (targets > 1 && classes > 1) return IMPORT_UNSUPPORTED("several targets of several classes.");
    if (targets > 1) r->outputs = targets;

    struct plan *h = &r->b->head;
    h->acc = PLAN_ACC_F32;
    h->n_outputs = (uint32_t)r->outputs;
    h->missing = r->meta->missing;
    r->wrapper = str_starts(r->meta->wrapper, STR("XGB"));
    /* A Booster's data goes through a DMatrix, which refuses infinities; a wrapper predicts in place. */
    if (!r->wrapper && !r->b->features_fixed) h->check = PLAN_F_NO_INF32;
    const str *names;
    TRY(read_names(r, &names));
    TRY(refuse_strings(r));
    TRY(build_features(r->b, r->meta, names, r->features, false));
    TRY(read_base(r, param));
    TRY(read_trees(r));
    return set_output(r);
}

err *import_xgboost_into(arena *a, struct doc root, const struct import_meta *m, struct build *b) {
    struct reader r = {.a = a, .tree = arena_new(), .meta = m, .b = b};
    err *e = read_model(&r, root);
    arena_free(r.tree);
    return err_while(e, "reading an XGBoost model");
}

static err *finish(arena *a, struct doc root, const struct import_meta *m, buf *out) {
    struct build b;
    build_init(&b);
    err *e = import_xgboost_into(a, root, m, &b);
    if (!e) e = build_finish(&b, out);
    build_free(&b);
    return e;
}

err *import_xgboost_json(arena *a, str text, const struct import_meta *m, buf *out) {
    struct doc root = {0};
    if (text.n > PLAN_MAX_SIZE) return IMPORT_UNSUPPORTED("the file is over 1 GiB.");
    err *e = json_parse(a, text, true, &root.j);
    if (e) return err_recode(e, ERR_INVALID_PARAMETER_VALUE);
    return finish(a, root, m, out);
}

err *import_xgboost_ubj(arena *a, str bytes, const struct import_meta *m, buf *out) {
    struct doc root = {0};
    if (bytes.n > PLAN_MAX_SIZE) return IMPORT_UNSUPPORTED("the file is over 1 GiB.");
    TRY(ubj_parse(a, bytes, &root.u));
    return finish(a, root, m, out);
}
