/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walking trees. What a step costs is waiting for memory, not arithmetic, so eight trees walk in step
 * and the processor overlaps their loads (reference: a packed walk is 1.8 times as fast this way).
 * Nodes are read from a file that plan_check() has proven, so no step looks where it goes: walk
 * columns have no NaN to decide about, leaves stay in place, and every index is inside.
 *
 * With several rows, a chunk of trees that fits the first-level cache is walked by all rows of the
 * block before the next chunk. Each row still takes its trees in order, so the sums are the same bits
 * for any number of rows.
 */
#include <math.h>

#include "plan/scorer_int.h"

#define GROUP 8
/* Steps between two looks at whether all trees of a group have arrived. */
#define STRIDE 8
#define CHUNK_BYTES ((size_t)20 << 10)
#define CHUNK_GROUPS 64

/* LightGBM's "zero": a float32 literal, which is a hair above the double 1e-35. */
#define NEAR_ZERO ((double)1e-35f)

/* The value of a walk column where it is not simply x. */
static double column_special(unsigned variant, double x, bool miss) {
    switch (variant) {
    case PLAN_V_MISS_LEFT: return miss ? -INFINITY : x;
    case PLAN_V_MISS_RIGHT: return miss ? INFINITY : x;
    case PLAN_V_MISS_ZERO: return miss ? 0 : x;
    case PLAN_V_ZERO_LEFT: return miss || fabs(x) <= NEAR_ZERO ? -INFINITY : x;
    case PLAN_V_ZERO_RIGHT: return miss || fabs(x) <= NEAR_ZERO ? INFINITY : x;
    case PLAN_V_IS_MISS: return miss ? -1 : 1;
    case PLAN_V_NOT_MISS: return miss ? 1 : -1;
    case PLAN_V_NOT_ZERO: return miss || fabs(x) <= NEAR_ZERO ? 1 : -1;
    default: return miss ? NAN : x;
    }
}

static inline bool is_plain(unsigned variant) { return variant <= PLAN_V_MISS_ZERO; }

/* Rows of walk columns, with the leaves' -Inf at the end of each. Features of float32 models are
 * rounded before anything is compared. */
static void fill_f32(const struct plan *p, const struct block *b, float *to) {
    const struct plan_column *c = plan_at(p, PLAN_S_COLUMNS);
    const uint32_t *reg = plan_at(p, PLAN_S_FEATURES);
    size_t columns = plan_count(p, PLAN_S_COLUMNS);
    float missing = (float)p->missing;
    for (size_t r = 0; r < b->n; r++, to += columns + 1) {
        const double *row = b->base + r * b->row_step;
        for (size_t i = 0; i < columns; i++) {
            float x = (float)row[reg[c[i].feature] * b->reg_step];
            bool miss = isnan(x) || x == missing;
            if (__builtin_expect(miss || !is_plain(c[i].variant), 0))
                x = (float)column_special(c[i].variant, (double)x, miss);
            to[i] = x;
        }
        to[columns] = -INFINITY;
    }
}

static void fill_f64(const struct plan *p, const struct block *b, double *to) {
    const struct plan_column *c = plan_at(p, PLAN_S_COLUMNS);
    const uint32_t *reg = plan_at(p, PLAN_S_FEATURES);
    size_t columns = plan_count(p, PLAN_S_COLUMNS);
    bool narrow = p->acc == PLAN_ACC_F32, flush = p->flush;
    double missing = narrow ? (double)(float)p->missing : p->missing;
    for (size_t r = 0; r < b->n; r++, to += columns + 1) {
        const double *row = b->base + r * b->row_step;
        for (size_t i = 0; i < columns; i++) {
            double x = row[reg[c[i].feature] * b->reg_step];
            if (narrow) x = (double)(float)x;
            if (flush && fabs(x) <= NEAR_ZERO) x = 0;
            bool miss = isnan(x) || x == missing;
            if (__builtin_expect(miss || !is_plain(c[i].variant), 0))
                x = column_special(c[i].variant, x, miss);
            to[i] = x;
        }
        to[columns] = -INFINITY;
    }
}

/* Defines a walk of GROUP trees in step: at[] are the trees' nodes, leaf[] receives the thresholds of
 * the leaves reached. `!(a < b)` and not `a >= b`: NaN, where there is one, goes right. */
#define DEFINE_WALK(name, node_type, value_type, right)                                            \
    static inline void name(const node_type *const at[GROUP], unsigned steps,                      \
                            const value_type *row, size_t leaf_column, value_type leaf[GROUP]) {   \
        uint32_t i[GROUP] = {0};                                                                   \
        while (steps > 0) {                                                                        \
            unsigned now = steps < STRIDE ? steps : STRIDE;                                        \
            for (unsigned s = 0; s < now; s++)                                                     \
                for (unsigned g = 0; g < GROUP; g++) {                                             \
                    const node_type *v = at[g] + i[g];                                             \
                    value_type x = row[v->column];                                                 \
                    i[g] = v->left + (uint32_t)(right);                                            \
                }                                                                                  \
            steps -= now;                                                                          \
            if (steps == 0) break;                                                                 \
            unsigned arrived = 0;                                                                  \
            for (unsigned g = 0; g < GROUP; g++) arrived += at[g][i[g]].column == leaf_column;     \
            if (arrived == GROUP) break;                                                           \
        }                                                                                          \
        for (unsigned g = 0; g < GROUP; g++) leaf[g] = at[g][i[g]].threshold;                      \
    }

DEFINE_WALK(walk_group8, struct plan_node8, float, !(x < v->threshold))
DEFINE_WALK(walk_group16, struct plan_node16, double, !(x <= v->threshold))

/* Does a categorical split send x to the left? */
static bool categorical_left(const struct plan *p, const struct plan_node16 *v, double x) {
    if (isnan(x)) return v->flags & PLAN_N_MISS_LEFT;
    bool in = false;
    bool below = v->flags & PLAN_N_NEG_OUT ? x < 0 : x <= -1;
    if (!below && x < PLAN_MAX_CATEGORY) {
        uint32_t cat = (uint32_t)(int32_t)x;
        const uint32_t *word = (const uint32_t *)plan_at(p, PLAN_S_BITSETS) + v->set.word;
        in = cat / 32 < v->set.words && (word[cat / 32] >> (cat % 32) & 1);
    }
    return in != !!(v->flags & PLAN_N_SET_RIGHT);
}

/* One tree with categorical splits; returns the leaf's threshold. */
static double walk_one16(const struct plan *p, const struct plan_node16 *at, const double *row,
                         size_t leaf_column) {
    uint32_t i = 0;
    while (at[i].column != leaf_column) {
        const struct plan_node16 *v = at + i;
        double x = row[v->column];
        bool left = v->flags & PLAN_N_CATEGORICAL ? categorical_left(p, v, x) : x <= v->threshold;
        i = v->left + !left;
    }
    return at[i].threshold;
}

/* Up to GROUP trees that walk together. */
struct group {
    unsigned steps; /* depth of the deepest */
    bool categorical;
};

/* Groups of a chunk that starts at tree t; *ret_trees is how many trees it has. A single row takes
 * as many as there are places for, since it comes past each tree only once. */
static size_t chunk_groups(const struct plan *p, size_t t, bool one_row, struct group *groups,
                           size_t *ret_trees) {
    const struct plan_tree *tree = plan_at(p, PLAN_S_TREES);
    size_t trees = plan_count(p, PLAN_S_TREES), first = t, n = 0, bytes = 0;
    size_t node = p->model == PLAN_M_TREES8 ? sizeof(struct plan_node8) : sizeof(struct plan_node16);
    while (t < trees && n < CHUNK_GROUPS && (n == 0 || one_row || bytes < CHUNK_BYTES)) {
        struct group g = {0};
        for (size_t end = t + GROUP < trees ? t + GROUP : trees; t < end; t++) {
            if (tree[t].depth > g.steps) g.steps = tree[t].depth;
            g.categorical |= tree[t].flags & PLAN_TREE_CATEGORICAL;
            bytes += tree[t].n * node;
        }
        groups[n++] = g;
    }
    *ret_trees = t - first;
    return n;
}

/* Trees [t, t + n) of one row, n <= GROUP, added in order. Short groups repeat their first tree and
 * throw the surplus away. */
static inline void add_group8(const struct plan *p, const struct plan_tree *t, size_t n,
                              unsigned steps, const float *row, size_t leaf_column, float *sums) {
    const struct plan_node8 *nodes = plan_at(p, PLAN_S_NODES8), *at[GROUP];
    float leaf[GROUP];
    for (size_t g = 0; g < GROUP; g++) at[g] = nodes + t[g < n ? g : 0].first;
    walk_group8(at, steps, row, leaf_column, leaf);
    for (size_t g = 0; g < n; g++) sums[t[g].group] += leaf[g];
}

static void leaves16(const struct plan *p, const struct plan_tree *t, size_t n, struct group group,
                     const double *row, size_t leaf_column, double leaf[GROUP]) {
    const struct plan_node16 *nodes = plan_at(p, PLAN_S_NODES16), *at[GROUP];
    if (group.categorical) {
        for (size_t g = 0; g < n; g++) leaf[g] = walk_one16(p, nodes + t[g].first, row, leaf_column);
        return;
    }
    for (size_t g = 0; g < GROUP; g++) at[g] = nodes + t[g < n ? g : 0].first;
    walk_group16(at, group.steps, row, leaf_column, leaf);
}

static inline void add_group16(const struct plan *p, const struct plan_tree *t, size_t n,
                               struct group group, const double *row, size_t leaf_column,
                               void *sums) {
    double leaf[GROUP];
    leaves16(p, t, n, group, row, leaf_column, leaf);
    if (p->acc == PLAN_ACC_F32) {
        float *to = sums;
        for (size_t g = 0; g < n; g++) to[t[g].group] += (float)leaf[g];
    } else if (!p->leaf_vectors) {
        double *to = sums;
        for (size_t g = 0; g < n; g++) to[t[g].group] += leaf[g];
    } else {
        double *to = sums;
        for (size_t g = 0; g < n; g++) {
            const double *v = (const double *)plan_at(p, PLAN_S_LEAF_VALUES) + (size_t)leaf[g];
            for (size_t k = 0; k < p->n_outputs; k++) to[k] += v[k];
        }
    }
}

static void walk_small(const struct plan *p, struct plan_scratch *s, const struct block *b) {
    const struct plan_tree *tree = plan_at(p, PLAN_S_TREES);
    size_t trees = plan_count(p, PLAN_S_TREES), columns = plan_count(p, PLAN_S_COLUMNS);
    struct group groups[CHUNK_GROUPS];
    fill_f32(p, b, s->walk);
    for (size_t t = 0, n = 0; t < trees; t += n) {
        size_t n_groups = chunk_groups(p, t, b->n == 1, groups, &n);
        for (size_t r = 0; r < b->n; r++) {
            const float *row = (const float *)s->walk + r * (columns + 1);
            float *sums = (float *)s->sums + r * p->n_outputs;
            for (size_t g = 0; g < n_groups; g++) {
                size_t at = g * GROUP, count = n - at < GROUP ? n - at : GROUP;
                add_group8(p, tree + t + at, count, groups[g].steps, row, columns, sums);
            }
        }
    }
}

static void walk_wide(const struct plan *p, struct plan_scratch *s, const struct block *b) {
    const struct plan_tree *tree = plan_at(p, PLAN_S_TREES);
    size_t trees = plan_count(p, PLAN_S_TREES), columns = plan_count(p, PLAN_S_COLUMNS);
    size_t size = p->acc == PLAN_ACC_F32 ? sizeof(float) : sizeof(double);
    struct group groups[CHUNK_GROUPS];
    fill_f64(p, b, s->walk);
    for (size_t t = 0, n = 0; t < trees; t += n) {
        size_t n_groups = chunk_groups(p, t, b->n == 1, groups, &n);
        for (size_t r = 0; r < b->n; r++) {
            const double *row = (const double *)s->walk + r * (columns + 1);
            void *sums = (char *)s->sums + r * p->n_outputs * size;
            for (size_t g = 0; g < n_groups; g++) {
                size_t at = g * GROUP, count = n - at < GROUP ? n - at : GROUP;
                add_group16(p, tree + t + at, count, groups[g], row, columns, sums);
            }
        }
    }
}

void walk_block(const struct plan *p, struct plan_scratch *s, const struct block *b) {
    const double *base = plan_at(p, PLAN_S_BASE);
    for (size_t r = 0; r < b->n; r++)
        for (size_t k = 0; k < p->n_outputs; k++) {
            if (p->acc == PLAN_ACC_F32)
                ((float *)s->sums)[r * p->n_outputs + k] = (float)base[k];
            else
                ((double *)s->sums)[r * p->n_outputs + k] = base[k];
        }
    if (p->model == PLAN_M_TREES8)
        walk_small(p, s, b);
    else
        walk_wide(p, s, b);
}
