/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a plan: what the importers have in common. An importer collects inputs, features, trees or
 * coefficients here, sets the scalars of `head`, and calls build_finish(), which lays the block out and
 * has plan_check() look at it before anyone gets it. Internal to src/plan.
 */
#ifndef BH_PLAN_BUILD_H
#define BH_PLAN_BUILD_H

#include "plan/import.h"
#include "plan/plan.h"

/* Two kinds of refusal, told apart by code: the file is wrong (INVALID_PARAMETER_VALUE), or it is fine
 * and a plan cannot express it (NOT_IMPLEMENTED: the model runs in Python instead). */
#define IMPORT_DAMAGED(...) err_new(ERR_INVALID_PARAMETER_VALUE, "The model file is damaged: " __VA_ARGS__)
#define IMPORT_UNSUPPORTED(...) err_new(ERR_NOT_IMPLEMENTED, "No native plan: " __VA_ARGS__)

struct build {
    struct plan head;       /* scalars; zero sections */
    buf sec[PLAN_SECTIONS]; /* nodes are collected as 16-byte ones */
    uint32_t *column_of;    /* feature × variant → column + 1 */
    size_t n_columns;
    uint64_t n_nodes;
    uint32_t largest_tree;
    bool categorical;
    bool features_fixed; /* a feature program has been made: inputs are not the features */
};

void build_init(struct build *b);
void build_free(struct build *b);

uint32_t build_string(struct build *b, str s, struct plan_text_ref *ret);
/* Declares the input columns, in order. */
err *build_inputs(struct build *b, const struct import_column *columns, size_t n) BH_CHECK;
/* Makes every input a feature, which is what a bare model takes; `names` (may be NULL) are the model's own,
 * `n` their number. Columns come from meta, or from the model if meta has none. With `round`, columns of
 * kind float are rounded to float32. Does nothing but compare the number if a program made the features. */
err *build_features(struct build *b, const struct import_meta *meta, const str *names, size_t n,
                    bool round) BH_CHECK;
/* Appends an operation; returns its first register. */
uint32_t build_op(struct build *b, struct plan_op op);
void build_feature(struct build *b, uint32_t reg);
size_t build_count(const struct build *b, enum plan_section s);

/* A node as files have it. Children are indexes into the same array. */
struct build_node {
    int32_t left, right;
    uint32_t feature;
    uint8_t leaf;
    uint8_t variant; /* enum plan_variant; ignored in leaves */
    uint8_t flags;   /* PLAN_N_… */
    double threshold; /* leaf: value, or index of its vector */
    uint32_t word, words; /* categorical: its bit set */
};

/* Adds a tree that starts at nodes[0]. Refuses cycles, shared and missing children, depths, counts.
 * For float32 models thresholds mean x < t, for others x <= t. */
err *build_tree(struct build *b, const struct build_node *nodes, size_t n, uint32_t group) BH_CHECK;

/* The base value of each output, in order. */
void build_base(struct build *b, double v);
/* Labels 0 … n-1 as integers (or as floats), or those of meta. */
void build_count_labels(struct build *b, size_t n, bool as_float);
err *build_labels(struct build *b, const struct import_labels *l) BH_CHECK;

/* Lays the block out at the end of `out` (which is empty before) and checks it. */
err *build_finish(struct build *b, buf *out) BH_CHECK;

/* Recomputes the checksum of a block: for tests which change plans. False if it is too short. */
bool build_seal(char *block, size_t n);

#endif
