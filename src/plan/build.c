/* SPDX-License-Identifier: Apache-2.0 */
/* Collects the parts of a plan, puts trees into breadth-first order, lays the block out. */
#include <math.h>
#include <stdlib.h>

#include "plan/build.h"
#include "plan/crc32c.h"

void build_init(struct build *b) {
    *b = (struct build){0};
    memcpy(b->head.magic, PLAN_MAGIC, sizeof(b->head.magic));
    b->head.version = PLAN_VERSION;
    b->head.missing = NAN;
    b->head.param = 1;
    for (size_t i = 0; i < PLAN_SECTIONS; i++) b->sec[i].max = PLAN_MAX_SIZE;
}

void build_free(struct build *b) {
    for (size_t i = 0; i < PLAN_SECTIONS; i++) buf_free(&b->sec[i]);
    free(b->column_of);
    b->column_of = NULL;
}

static const size_t sizes[PLAN_SECTIONS] = {
    [PLAN_S_INPUTS] = sizeof(struct plan_input),
    [PLAN_S_OPS] = sizeof(struct plan_op),
    [PLAN_S_REG_LISTS] = sizeof(uint32_t),
    [PLAN_S_CAT_TABLES] = sizeof(struct plan_cat_table),
    [PLAN_S_CATS] = sizeof(struct plan_cat),
    [PLAN_S_FEATURES] = sizeof(uint32_t),
    [PLAN_S_COLUMNS] = sizeof(struct plan_column),
    [PLAN_S_TREES] = sizeof(struct plan_tree),
    [PLAN_S_NODES8] = sizeof(struct plan_node8),
    [PLAN_S_NODES16] = sizeof(struct plan_node16),
    [PLAN_S_LEAF_VALUES] = sizeof(double),
    [PLAN_S_BITSETS] = sizeof(uint32_t),
    [PLAN_S_BASE] = sizeof(double),
    [PLAN_S_COEF] = sizeof(double),
    [PLAN_S_LABELS] = sizeof(struct plan_label),
    [PLAN_S_STRINGS] = 1,
};

static void add(struct build *b, enum plan_section s, const void *element) {
    buf_add(&b->sec[s], element, sizes[s]);
}

size_t build_count(const struct build *b, enum plan_section s) { return b->sec[s].n / sizes[s]; }

uint32_t build_string(struct build *b, str s, struct plan_text_ref *ret) {
    *ret = (struct plan_text_ref){(uint32_t)b->sec[PLAN_S_STRINGS].n, (uint32_t)s.n};
    buf_str(&b->sec[PLAN_S_STRINGS], s);
    return ret->off;
}

err *build_inputs(struct build *b, const struct import_column *columns, size_t n) {
    if (n > PLAN_MAX_INPUTS)
        return IMPORT_UNSUPPORTED("%zu input columns; %u are the limit.", n, PLAN_MAX_INPUTS);
    for (size_t i = 0; i < n; i++) {
        struct plan_input in = {.kind = (uint8_t)columns[i].kind, .required = columns[i].required};
        if (!str_is_utf8(columns[i].name)) return IMPORT_DAMAGED("column %zu has no UTF-8 name.", i);
        build_string(b, columns[i].name, &in.name);
        in.slot = columns[i].kind == PLAN_STRING ? b->head.n_text++ : b->head.n_num++;
        add(b, PLAN_S_INPUTS, &in);
    }
    b->head.n_regs = b->head.n_num;
    b->head.n_text_regs = b->head.n_text;
    return NULL;
}

uint32_t build_op(struct build *b, struct plan_op op) {
    uint32_t *next = op.code == PLAN_OP_TEXT_FILL ? &b->head.n_text_regs : &b->head.n_regs;
    uint32_t first = *next;
    /* Beyond the limit the count stands still above it and build_finish() refuses. */
    if (first <= PLAN_MAX_REGISTERS && op.width <= PLAN_MAX_REGISTERS) *next += op.width;
    add(b, PLAN_S_OPS, &op);
    return first;
}

void build_feature(struct build *b, uint32_t reg) { add(b, PLAN_S_FEATURES, &reg); }

err *build_features(struct build *b, const struct import_meta *meta, const str *names, size_t n,
                    bool round) {
    if (n == 0 || n > PLAN_MAX_FEATURES)
        return IMPORT_UNSUPPORTED("%zu features; 1 to %u are possible.", n, PLAN_MAX_FEATURES);
    if (b->features_fixed) {
        if (build_count(b, PLAN_S_FEATURES) != n)
            return IMPORT_DAMAGED("the model takes %zu features and gets %zu.", n,
                                  build_count(b, PLAN_S_FEATURES));
        return NULL;
    }
    if (meta->n_columns == 0) {
        for (size_t i = 0; i < n; i++) {
            struct import_column c = {names ? names[i] : STR_NONE, PLAN_DOUBLE, true};
            struct plan_input in = {.kind = (uint8_t)c.kind, .required = 1, .slot = (uint32_t)i};
            if (!str_is_utf8(c.name)) return IMPORT_DAMAGED("feature %zu has no UTF-8 name.", i);
            build_string(b, c.name, &in.name);
            add(b, PLAN_S_INPUTS, &in);
        }
        b->head.n_num = b->head.n_regs = (uint32_t)n;
    } else {
        if (meta->n_columns != n)
            return IMPORT_UNSUPPORTED("the model takes %zu features and its signature has %zu columns.",
                                      n, meta->n_columns);
        for (size_t i = 0; i < n; i++)
            if (meta->columns[i].kind == PLAN_STRING)
                return IMPORT_UNSUPPORTED("column \"%.*s\" is a string, and the model takes numbers.",
                                          STR_ARG(meta->columns[i].name));
        TRY(build_inputs(b, meta->columns, n));
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t reg = (uint32_t)i;
        if (round && meta->n_columns && meta->columns[i].kind == PLAN_FLOAT)
            reg = build_op(b, (struct plan_op){.code = PLAN_OP_F32, .src = reg, .n = 1, .width = 1});
        build_feature(b, reg);
    }
    return NULL;
}

void build_base(struct build *b, double v) { add(b, PLAN_S_BASE, &v); }

void build_count_labels(struct build *b, size_t n, bool as_float) {
    b->head.label_type = as_float ? PLAN_L_FLOAT : PLAN_L_INT;
    for (size_t i = 0; i < n; i++) {
        struct plan_label l = {0};
        if (as_float)
            l.number = (double)i;
        else
            l.integer = (int64_t)i;
        add(b, PLAN_S_LABELS, &l);
    }
}

err *build_labels(struct build *b, const struct import_labels *labels) {
    b->head.label_type = labels->type;
    for (size_t i = 0; i < labels->n; i++) {
        struct plan_label l = {0};
        switch (labels->type) {
        case PLAN_L_INT:
        case PLAN_L_BOOL: l.integer = labels->integers[i]; break;
        case PLAN_L_FLOAT: l.number = labels->numbers[i]; break;
        case PLAN_L_STRING:
            if (!str_is_utf8(labels->strings[i])) return IMPORT_DAMAGED("label %zu is not UTF-8.", i);
            build_string(b, labels->strings[i], &l.text);
            break;
        default: return IMPORT_DAMAGED("labels have no type.");
        }
        add(b, PLAN_S_LABELS, &l);
    }
    return NULL;
}

/* The walk column for a feature under a treatment of missing values. */
static err *column(struct build *b, uint32_t feature, unsigned variant, uint16_t *ret) {
    size_t features = build_count(b, PLAN_S_FEATURES);
    if (feature >= features)
        return IMPORT_DAMAGED("a split reads feature %u of %zu.", feature, features);
    if (!b->column_of) {
        b->column_of = calloc(features * PLAN_VARIANTS, sizeof(*b->column_of));
        must(b->column_of != NULL);
    }
    uint32_t *c = &b->column_of[feature * PLAN_VARIANTS + variant];
    if (*c == 0) {
        if (b->n_columns >= PLAN_MAX_COLUMNS)
            return IMPORT_UNSUPPORTED("its trees read over %u features.", PLAN_MAX_COLUMNS);
        struct plan_column col = {.feature = feature, .variant = (uint16_t)variant};
        add(b, PLAN_S_COLUMNS, &col);
        *c = (uint32_t)++b->n_columns;
    }
    *ret = (uint16_t)(*c - 1);
    return NULL;
}

/* Nodes carry this column until the number of columns is known. */
#define LEAF_COLUMN 0xffffu
/* Marks leaves while nodes are collected: column 0xffff is a leaf's only if this is set. */
#define N_LEAF 0x8000u

static err *put_node(struct build *b, const struct build_node *v, uint32_t self, uint32_t next) {
    struct plan_node16 to = {0};
    if (v->leaf) {
        if (isnan(v->threshold) || v->threshold == -INFINITY)
            return IMPORT_DAMAGED("a leaf's value is not a number.");
        to = (struct plan_node16){
            .threshold = v->threshold, .left = self, .column = LEAF_COLUMN, .flags = N_LEAF};
        add(b, PLAN_S_NODES16, &to);
        return NULL;
    }
    uint16_t col = 0;
    if (v->variant >= PLAN_VARIANTS) return IMPORT_DAMAGED("a split's kind.");
    TRY(column(b, v->feature, v->variant, &col));
    to.left = next;
    to.column = col;
    to.flags = v->flags;
    if (v->flags & PLAN_N_CATEGORICAL) {
        if (v->words > PLAN_MAX_CATEGORY / 32) return IMPORT_DAMAGED("a category is too large.");
        to.set.word = v->word;
        to.set.words = v->words;
    } else {
        if (isnan(v->threshold)) return IMPORT_DAMAGED("a threshold is not a number.");
        to.threshold = v->threshold;
    }
    add(b, PLAN_S_NODES16, &to);
    return NULL;
}

/* The queue of a breadth-first walk: which source node stands at which place. */
static err *lay_tree(struct build *b, const struct build_node *nodes, size_t n, uint32_t *order,
                     unsigned char *seen, uint32_t *ret_n, uint32_t *ret_depth, bool *ret_cat) {
    uint32_t head = 0, tail = 1, level = 1, depth = 0;
    order[0] = 0;
    seen[0] = 1;
    while (head < tail) {
        if (head >= level) level = tail, depth++;
        if (depth > PLAN_MAX_DEPTH)
            return IMPORT_UNSUPPORTED("a tree is deeper than %u.", PLAN_MAX_DEPTH);
        const struct build_node *v = &nodes[order[head]];
        TRY(put_node(b, v, head, tail));
        head++;
        if (v->leaf) continue;
        *ret_cat |= v->flags & PLAN_N_CATEGORICAL;
        for (int side = 0; side < 2; side++) {
            int32_t child = side ? v->right : v->left;
            if (child < 0 || (size_t)child >= n)
                return IMPORT_DAMAGED("a split's child is outside of its tree.");
            if (seen[child]) return IMPORT_DAMAGED("a tree has a cycle, or a node with two parents.");
            seen[child] = 1;
            order[tail++] = (uint32_t)child;
        }
    }
    *ret_n = tail;
    *ret_depth = depth;
    return NULL;
}

err *build_tree(struct build *b, const struct build_node *nodes, size_t n, uint32_t group) {
    if (n == 0 || n > PLAN_MAX_TREE_NODES)
        return IMPORT_UNSUPPORTED("a tree of %zu nodes; 1 to %u are possible.", n, PLAN_MAX_TREE_NODES);
    if (build_count(b, PLAN_S_TREES) >= PLAN_MAX_TREES)
        return IMPORT_UNSUPPORTED("over %u trees.", PLAN_MAX_TREES);
    if (b->n_nodes + n > PLAN_MAX_NODES)
        return IMPORT_UNSUPPORTED("over %u nodes.", PLAN_MAX_NODES);
    uint32_t *order = malloc(n * sizeof(*order)), count = 0, depth = 0;
    unsigned char *seen = calloc(n, 1);
    must(order != NULL && seen != NULL);
    bool cat = false;
    struct plan_tree t = {.first = (uint32_t)b->n_nodes, .group = group};
    err *e = lay_tree(b, nodes, n, order, seen, &count, &depth, &cat);
    free(order);
    free(seen);
    if (e) return e;
    t.n = count;
    t.depth = (uint16_t)depth;
    t.flags = cat ? PLAN_TREE_CATEGORICAL : 0;
    add(b, PLAN_S_TREES, &t);
    b->n_nodes += count;
    b->categorical |= cat;
    if (count > b->largest_tree) b->largest_tree = count;
    return NULL;
}

/* A float32 model fits the small form if no tree is too large for 16-bit children. */
static bool is_small(const struct build *b) {
    return b->head.acc == PLAN_ACC_F32 && !b->categorical && b->largest_tree <= PLAN_MAX_SMALL_NODES;
}

/* Gives leaves their column, now that it is known, and nodes their final form. */
static void settle_nodes(struct build *b) {
    struct plan_node16 *v = (struct plan_node16 *)(void *)b->sec[PLAN_S_NODES16].p;
    bool small = is_small(b), narrow = b->head.acc == PLAN_ACC_F32;
    for (size_t i = 0; i < b->n_nodes; i++) {
        bool leaf = v[i].flags & N_LEAF;
        if (leaf) v[i].column = (uint16_t)b->n_columns, v[i].flags = 0;
        if (small) {
            struct plan_node8 to = {(float)v[i].threshold, v[i].column, (uint16_t)v[i].left};
            add(b, PLAN_S_NODES8, &to);
        } else if (narrow && !leaf && !(v[i].flags & PLAN_N_CATEGORICAL)) {
            v[i].threshold = (double)nextafterf((float)v[i].threshold, -INFINITY);
        }
    }
    if (small) buf_clear(&b->sec[PLAN_S_NODES16]);
    b->head.model = small ? PLAN_M_TREES8 : PLAN_M_TREES16;
}

static void pad(buf *out) {
    static const char zero[64];
    if (out->n % 64) buf_add(out, zero, 64 - out->n % 64);
}

bool build_seal(char *block, size_t n) {
    if (n < sizeof(struct plan)) return false;
    size_t from = offsetof(struct plan, size);
    uint32_t crc = plan_crc32c(str_n(block + from, n - from));
    memcpy(block + offsetof(struct plan, crc), &crc, sizeof(crc));
    return true;
}

err *build_finish(struct build *b, buf *out) {
    must(out->n == 0);
    for (size_t i = 0; i < PLAN_SECTIONS; i++)
        if (b->sec[i].overflow) return IMPORT_UNSUPPORTED("the plan would be over 1 GiB.");
    if (b->head.model != PLAN_M_LINEAR) settle_nodes(b);
    out->max = PLAN_MAX_SIZE;
    buf_add(out, &b->head, sizeof(b->head));
    for (size_t i = 0; i < PLAN_SECTIONS; i++) {
        pad(out);
        b->head.sec[i] = (struct plan_span){out->n, build_count(b, i)};
        buf_str(out, buf_view(&b->sec[i]));
    }
    b->head.size = out->n;
    if (out->overflow) return IMPORT_UNSUPPORTED("the plan would be over 1 GiB.");
    memcpy(out->p, &b->head, sizeof(b->head));
    build_seal(out->p, out->n);
    const struct plan *p;
    err *e = plan_check(buf_view(out), &p);
    /* The gateway would refuse it too; here it is the file that asked for the impossible. */
    if (e) return err_while(err_recode(e, ERR_INVALID_PARAMETER_VALUE), "checking the new plan");
    return NULL;
}
