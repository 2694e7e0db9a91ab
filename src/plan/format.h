/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model plan: a trained model as data.
 *
 * A plan is one contiguous, position-independent block. An importer (untrusted, in a sandbox) writes
 * it; the gateway maps it read-only, checks it once (plan_check) and scores from it for as long as
 * the mapping lives. There are no pointers and there is no code in it. All numbers are little endian.
 *
 *   offset 0     struct plan            fixed header; its `sec` is the section table
 *   …            sections               each aligned to 64 bytes, in the order of enum plan_section,
 *                                       gaps are zero; the last one ends at `size`
 *
 * A row travels through four stages:
 *
 *   input cells ──▶ feature program ──▶ model (trees or linear) ──▶ transform ──▶ output
 *
 * 1. Inputs. Each column has a slot: numeric kinds in a row-major matrix of doubles (NaN = missing),
 *    strings in a row-major matrix of slices (NULL = missing).
 *
 * 2. Feature program. A straight line of operations over registers. A numeric register holds one
 *    double per row: registers 0 … n_num-1 are the numeric slots, and each operation appends `width`
 *    registers after those which exist already. Text registers likewise (0 … n_text-1 are the slots).
 *    So "an operation reads only what was written before" is one comparison, and no register is ever
 *    written twice. `features` then lists the register of each feature of the model; passing through,
 *    reordering and dropping columns cost nothing. Without operations, features are slots.
 *
 * 3a. Trees. Nodes read *walk columns*, not features. A walk column is a feature after the treatment
 *    of missing values which its nodes ask for (enum plan_variant): for a split whose default is left
 *    NaN becomes -Inf, for one whose default is right +Inf. So the walk compares and nothing else.
 *    One more column, the last (index n_columns), always holds -Inf: leaves read it.
 *
 *    Nodes of a tree are in breadth-first order; the two children of a split are neighbours, the k-th
 *    split (counted from 0 in node order) has its children at 2k+1 and 2k+2. So `left` of a valid tree
 *    is no free choice: checking it proves that the nodes form a tree, without cycles, of a depth that
 *    the same pass counts. A leaf names itself as left child and compares -Inf with its value, which
 *    always says "left": a walk that takes too many steps stays where it is and needs no exit test.
 *
 *      8-byte node   f32 threshold | u16 column | u16 left      go left if x <  threshold  (XGBoost)
 *      16-byte node  f64 threshold | u32 left | u16 column | u16 flags
 *                                                               go left if x <= threshold  (others)
 *
 *    In a leaf `threshold` is the value; with leaf vectors (several values to a leaf) it is the index
 *    of the first of them in `leaf_values`, as a number. Trees with categorical splits (16-byte only)
 *    are flagged and walked node by node: there `threshold` holds the bits of {u32 first word, u32
 *    number of words} in `bitsets`. 16-byte nodes also serve XGBoost models which the small form cannot
 *    hold (over 65,536 nodes in a tree, categorical splits): "x < t" is then written "x <= the float
 *    below t".
 *
 *    Sums start at `base` and take the trees in order, in float32 or double as `acc` says. That order
 *    and that width are what makes results bit-equal to the training library's.
 *
 * 3b. Linear. n_outputs rows of n_features coefficients; sums start at 0 and `base` is added last.
 *
 * 4. Transform and output: what the library's predict function does with the raw sums.
 *
 * Validity (all of it is checked by plan_check(), none of it is assumed before):
 *   1. magic, version, size and CRC-32C match; sections are aligned, ordered, inside the block;
 *   2. enums are in range and fit each other (table in check.c);
 *   3. every index (slot, register, category table, string, label, column, node, leaf vector, bit set)
 *      is inside what it points into;
 *   4. trees are trees (above); thresholds and leaf values are not NaN, leaf values not -Inf;
 *   5. category tables are strictly ascending; labels are as many as the outputs need;
 *   6. strings are UTF-8.
 *
 * A new operation, transform or output: its enum value here, a row in check.c, a case in features.c or
 * output.c, a word in import_sklearn.c if the exporter writes it, a golden test. Changing the meaning
 * of anything that exists: PLAN_VERSION + 1 (plans are a cache, they are made again).
 */
#ifndef BH_PLAN_FORMAT_H
#define BH_PLAN_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC "BHPLAN\r\n"
#define PLAN_VERSION 1

/* Declared limits. An importer refuses a model beyond them by name; the checker refuses the plan. */
#define PLAN_MAX_SIZE ((uint64_t)1 << 30)
#define PLAN_MAX_INPUTS 65535u
#define PLAN_MAX_FEATURES 65535u
#define PLAN_MAX_COLUMNS 65535u
#define PLAN_MAX_REGISTERS 131072u
#define PLAN_MAX_OPS 65536u
#define PLAN_MAX_LISTED (1u << 20) /* entries of all register lists */
#define PLAN_MAX_TREES 100000u
#define PLAN_MAX_NODES (1u << 26)
#define PLAN_MAX_TREE_NODES (1u << 24)
#define PLAN_MAX_SMALL_NODES 65536u /* 16-bit child index */
#define PLAN_MAX_DEPTH 1024u
#define PLAN_MAX_OUTPUTS 10000u
#define PLAN_MAX_CATEGORY 16777216u /* categories are numbers below 2^24 */

enum plan_section {
    PLAN_S_INPUTS,      /* struct plan_input */
    PLAN_S_OPS,         /* struct plan_op */
    PLAN_S_REG_LISTS,   /* u32: register lists of operations */
    PLAN_S_CAT_TABLES,  /* struct plan_cat_table */
    PLAN_S_CATS,        /* struct plan_cat */
    PLAN_S_FEATURES,    /* u32: register of each feature */
    PLAN_S_COLUMNS,     /* struct plan_column */
    PLAN_S_TREES,       /* struct plan_tree */
    PLAN_S_NODES8,      /* struct plan_node8 */
    PLAN_S_NODES16,     /* struct plan_node16 */
    PLAN_S_LEAF_VALUES, /* f64: leaf vectors, n_outputs each */
    PLAN_S_BITSETS,     /* u32 */
    PLAN_S_BASE,        /* f64: n_outputs */
    PLAN_S_COEF,        /* f64: n_outputs × n_features */
    PLAN_S_LABELS,      /* struct plan_label */
    PLAN_S_STRINGS,     /* bytes */
    PLAN_SECTIONS
};

enum plan_kind {
    PLAN_DOUBLE,
    PLAN_FLOAT, /* where float32 matters the program rounds (PLAN_OP_F32); the scorer does not */
    PLAN_INTEGER,
    PLAN_LONG,
    PLAN_BOOLEAN,
    PLAN_STRING,
    PLAN_KINDS
};

struct plan_text_ref {
    uint32_t off, n;
};

struct plan_input {
    struct plan_text_ref name;
    uint32_t slot; /* in the matrix of its kind */
    uint8_t kind;  /* enum plan_kind */
    uint8_t required;
    uint8_t zero[2];
};

enum plan_opcode {
    PLAN_OP_SCALE,      /* (x - a) then / b, each if its flag is set */
    PLAN_OP_AFFINE,     /* x * a + b; with PLAN_F_CLIP then into [c, d] */
    PLAN_OP_CLIP,       /* into [c, d] */
    PLAN_OP_F32,        /* rounded to float32 */
    PLAN_OP_IMPUTE,     /* a where missing (NaN, or equal to b with PLAN_F_VALUE) */
    PLAN_OP_MISSING,    /* 1 where missing (as IMPUTE), else 0 */
    PLAN_OP_BINARIZE,   /* 1 if x > a, else 0 */
    PLAN_OP_LOG1P,      /* log(1 + x) */
    PLAN_OP_CHECK,      /* refuses rows: NaN, Inf, Inf after float32 by flag; width 0 */
    PLAN_OP_NORMALIZE,  /* a row's list divided by its norm (PLAN_F_L1, _L2, _MAX); width = list */
    PLAN_OP_ONEHOT,     /* category table → 0/1 columns */
    PLAN_OP_ORDINAL,    /* category table → its number; a missing value that it knows → b */
    PLAN_OP_TEXT_FILL,  /* text register: the string `text` where missing; width 1 text register */
    PLAN_OPCODES
};

enum plan_op_flag {
    PLAN_F_A = 1,          /* SCALE subtracts a */
    PLAN_F_B = 2,          /* SCALE divides by b */
    PLAN_F_CLIP = 4,       /* AFFINE clips */
    PLAN_F_VALUE = 8,      /* missing is the value b, not NaN */
    PLAN_F_NO_NAN = 16,    /* CHECK */
    PLAN_F_NO_INF = 32,    /* CHECK */
    PLAN_F_NO_INF32 = 64,  /* CHECK: also what becomes infinite in float32 */
    PLAN_F_L1 = 128,
    PLAN_F_L2 = 256,
    PLAN_F_MAX = 512,
    PLAN_F_TEXT = 1024,    /* ONEHOT, ORDINAL, TEXT_FILL read a text register */
    PLAN_F_UNKNOWN_OK = 2048, /* ONEHOT: all zero; ORDINAL: the value a. Else the row is refused. */
    PLAN_OP_FLAGS = 4095
};

struct plan_op {
    uint16_t code, flags;
    uint32_t src;   /* register; NORMALIZE and CHECK: first of `n` entries in reg_lists */
    uint32_t n;     /* NORMALIZE, CHECK: length of the list; else 1 */
    uint32_t width; /* registers appended */
    uint32_t table; /* ONEHOT, ORDINAL: category table */
    struct plan_text_ref text;
    uint32_t zero;
    double a, b, c, d;
};

/* Categories of one encoder column: `n` entries of `cats` from `first`, strictly ascending (numbers by
 * value; strings bytewise). A missing value (NaN, NULL) is known if `missing` is not PLAN_NO_CAT;
 * ONEHOT: then it is its column. */
#define PLAN_NO_CAT 0xffffffffu
struct plan_cat_table {
    uint32_t first, n, missing;
    uint32_t text; /* 0 numbers, 1 strings */
};

struct plan_cat {
    union {
        double number;
        struct plan_text_ref text;
    };
    double out; /* ORDINAL: the value. ONEHOT: column in [0, width), or -1 where it was dropped */
};

/* How a walk column is made of its feature x. "miss" is NaN, or the model's missing value. */
enum plan_variant {
    PLAN_V_RAW,        /* x; NaN compares as right. For categorical splits, and models without NaN */
    PLAN_V_MISS_LEFT,  /* miss → -Inf */
    PLAN_V_MISS_RIGHT, /* miss → +Inf */
    PLAN_V_MISS_ZERO,  /* miss → 0 */
    PLAN_V_ZERO_LEFT,  /* miss, and |x| at most 1e-35f → -Inf */
    PLAN_V_ZERO_RIGHT, /* … → +Inf */
    PLAN_V_IS_MISS,    /* miss → -1, else +1: for splits whose threshold is infinite */
    PLAN_V_NOT_MISS,   /* miss → +1, else -1 */
    PLAN_V_NOT_ZERO,   /* miss, and |x| at most 1e-35f → +1, else -1 */
    PLAN_VARIANTS
};

struct plan_column {
    uint32_t feature;
    uint16_t variant;
    uint16_t zero;
};

struct plan_tree {
    uint32_t first; /* index in nodes8 or nodes16 */
    uint32_t n;
    uint16_t depth; /* steps from the root to the deepest leaf */
    uint16_t flags; /* PLAN_TREE_CATEGORICAL */
    uint32_t group; /* output that it adds to; 0 with leaf vectors */
};
#define PLAN_TREE_CATEGORICAL 1

struct plan_node8 {
    float threshold;
    uint16_t column, left;
};

struct plan_node16 {
    union {
        double threshold;
        struct {
            uint32_t word, words;
        } set;
    };
    uint32_t left;
    uint16_t column, flags;
};
/* Flags of 16-byte nodes. A categorical split sends its set to the left, or to the right with
 * SET_RIGHT; missing goes right, or left with MISS_LEFT; a number is truncated, and with NEG_OUT
 * anything below 0 is outside the set (else only what truncates below 0). */
#define PLAN_N_CATEGORICAL 1
#define PLAN_N_SET_RIGHT 2
#define PLAN_N_MISS_LEFT 4
#define PLAN_N_NEG_OUT 8
#define PLAN_N_FLAGS 15

enum plan_model { PLAN_M_TREES8, PLAN_M_TREES16, PLAN_M_LINEAR, PLAN_MODELS };

enum plan_acc { PLAN_ACC_F32, PLAN_ACC_F64, PLAN_ACCS };

enum plan_transform {
    PLAN_T_NONE,
    PLAN_T_SIGMOID_F32,  /* XGBoost's, in float32 */
    PLAN_T_SOFTMAX_F32,  /* XGBoost's */
    PLAN_T_EXP_F32,
    PLAN_T_HINGE,        /* 1 if x > 0, else 0 */
    PLAN_T_SIGMOID,      /* 1 / (1 + exp(-param·x)), each output */
    PLAN_T_SOFTMAX,
    PLAN_T_EXP,          /* in double, also of float32 sums */
    PLAN_T_SQUARE,       /* sign(x)·x² */
    PLAN_T_LOG1P_EXP,
    PLAN_T_OVR,          /* sigmoid of each, divided by their sum */
    PLAN_TRANSFORMS
};

enum plan_out {
    PLAN_O_VALUES,     /* the outputs */
    PLAN_O_ARGMAX,     /* label of the first largest */
    PLAN_O_GT,         /* label 1 if x > param2, else label 0 */
    PLAN_O_GE,         /* label 1 if x >= param2, else label 0 */
    PLAN_O_COMPLEMENT, /* label 1 if x > 1 - x, else label 0 */
    PLAN_O_PAIR,       /* 1 - x, x */
    PLAN_O_PAIR_F32,   /* the same in float32 */
    PLAN_O_MULTILABEL, /* each output: 1.0 if x > param2, else 0.0 */
    PLAN_OUTS
};

enum plan_label_type { PLAN_L_NONE, PLAN_L_INT, PLAN_L_FLOAT, PLAN_L_BOOL, PLAN_L_STRING, PLAN_LABEL_TYPES };

struct plan_label {
    union {
        int64_t integer; /* PLAN_L_INT, PLAN_L_BOOL */
        double number;
        struct plan_text_ref text;
    };
};

struct plan_span {
    uint64_t off, n; /* n elements */
};

struct plan {
    char magic[8];
    uint32_t version;
    uint32_t crc; /* CRC-32C of everything after this field */
    uint64_t size;
    struct plan_span sec[PLAN_SECTIONS];

    uint32_t n_num, n_text;       /* slots */
    uint32_t n_regs, n_text_regs; /* with the slots */
    uint32_t n_outputs;           /* raw sums */
    uint32_t model, acc;
    uint32_t leaf_vectors; /* 0 or 1 */
    uint32_t check;        /* PLAN_F_NO_… on every feature */
    uint32_t transform, out;
    uint32_t label_type;
    uint32_t two_d; /* values are written as one array per row even if there is one */
    uint32_t flush; /* 1: features with |x| at most 1e-35f are 0 (LightGBM does not store them) */
    double missing; /* value that means missing beside NaN; NaN if none */
    double divide;  /* sums are divided by it; 0: not */
    double param;   /* PLAN_T_SIGMOID's factor */
    double param2;  /* PLAN_O_… threshold */
};

_Static_assert(sizeof(struct plan_input) == 16, "layout");
_Static_assert(sizeof(struct plan_op) == 64, "layout");
_Static_assert(sizeof(struct plan_cat_table) == 16, "layout");
_Static_assert(sizeof(struct plan_cat) == 16, "layout");
_Static_assert(sizeof(struct plan_column) == 8, "layout");
_Static_assert(sizeof(struct plan_tree) == 16, "layout");
_Static_assert(sizeof(struct plan_node8) == 8, "layout");
_Static_assert(sizeof(struct plan_node16) == 16, "layout");
_Static_assert(sizeof(struct plan_label) == 8, "layout");
_Static_assert(offsetof(struct plan, size) == 16, "the checksum starts here");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plans are mapped as they are");

/* The elements of a section. */
static inline const void *plan_at(const struct plan *p, enum plan_section s) {
    return (const char *)p + p->sec[s].off;
}
static inline size_t plan_count(const struct plan *p, enum plan_section s) {
    return (size_t)p->sec[s].n;
}

#endif
