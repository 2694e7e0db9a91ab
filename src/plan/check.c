/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checker: the only thing between a file that somebody else wrote and a scorer that follows its
 * indexes without looking. Every rule of format.h's "Validity" is here, in that order, and nothing
 * is read before what it depends on was checked. Time is linear in the size of the plan.
 */
#include <math.h>

#include "plan/crc32c.h"
#include "plan/plan.h"

#define BAD(...) err_new(ERR_DATA_LOSS, "The model plan is damaged: " __VA_ARGS__)

static const struct {
    const char *name;
    size_t size;
    uint64_t max;
} sections[PLAN_SECTIONS] = {
    [PLAN_S_INPUTS] = {"inputs", sizeof(struct plan_input), PLAN_MAX_INPUTS},
    [PLAN_S_OPS] = {"operations", sizeof(struct plan_op), PLAN_MAX_OPS},
    [PLAN_S_REG_LISTS] = {"register lists", sizeof(uint32_t), PLAN_MAX_LISTED},
    [PLAN_S_CAT_TABLES] = {"category tables", sizeof(struct plan_cat_table), PLAN_MAX_REGISTERS},
    [PLAN_S_CATS] = {"categories", sizeof(struct plan_cat), PLAN_MAX_NODES},
    [PLAN_S_FEATURES] = {"features", sizeof(uint32_t), PLAN_MAX_FEATURES},
    [PLAN_S_COLUMNS] = {"columns", sizeof(struct plan_column), PLAN_MAX_COLUMNS},
    [PLAN_S_TREES] = {"trees", sizeof(struct plan_tree), PLAN_MAX_TREES},
    [PLAN_S_NODES8] = {"8-byte nodes", sizeof(struct plan_node8), PLAN_MAX_NODES},
    [PLAN_S_NODES16] = {"16-byte nodes", sizeof(struct plan_node16), PLAN_MAX_NODES},
    [PLAN_S_LEAF_VALUES] = {"leaf values", sizeof(double), PLAN_MAX_SIZE / sizeof(double)},
    [PLAN_S_BITSETS] = {"bit sets", sizeof(uint32_t), PLAN_MAX_SIZE / sizeof(uint32_t)},
    [PLAN_S_BASE] = {"base", sizeof(double), PLAN_MAX_OUTPUTS},
    [PLAN_S_COEF] = {"coefficients", sizeof(double), PLAN_MAX_SIZE / sizeof(double)},
    [PLAN_S_LABELS] = {"labels", sizeof(struct plan_label), PLAN_MAX_OUTPUTS},
    [PLAN_S_STRINGS] = {"strings", 1, PLAN_MAX_SIZE},
};

static err *check_sections(const struct plan *p) {
    uint64_t at = sizeof(struct plan);
    for (size_t i = 0; i < PLAN_SECTIONS; i++) {
        const struct plan_span *s = &p->sec[i];
        if (s->n > sections[i].max)
            return BAD("%s: too many (%llu).", sections[i].name, (unsigned long long)s->n);
        uint64_t bytes = s->n * sections[i].size;
        if (s->off % 64 != 0 || s->off < at || s->off > p->size || bytes > p->size - s->off)
            return BAD("%s lie outside of their place.", sections[i].name);
        at = s->off + bytes;
    }
    if (at != p->size) return BAD("%llu bytes are expected.", (unsigned long long)at);
    return NULL;
}

static bool text_ok(const struct plan *p, struct plan_text_ref t) {
    size_t n = plan_count(p, PLAN_S_STRINGS);
    if (t.off > n || t.n > n - t.off) return false;
    return str_is_utf8(str_n((const char *)plan_at(p, PLAN_S_STRINGS) + t.off, t.n));
}

static str text_of(const struct plan *p, struct plan_text_ref t) {
    return str_n((const char *)plan_at(p, PLAN_S_STRINGS) + t.off, t.n);
}

static err *check_inputs(const struct plan *p) {
    const struct plan_input *in = plan_at(p, PLAN_S_INPUTS);
    size_t n = plan_count(p, PLAN_S_INPUTS);
    uint32_t num = 0, text = 0;
    for (size_t i = 0; i < n; i++) {
        if (in[i].kind >= PLAN_KINDS || in[i].required > 1 || !text_ok(p, in[i].name))
            return BAD("input %zu.", i);
        /* Slots are handed out in order, so none is shared and none is left over. */
        uint32_t want = in[i].kind == PLAN_STRING ? text++ : num++;
        if (in[i].slot != want) return BAD("input %zu: slot.", i);
    }
    if (num != p->n_num || text != p->n_text) return BAD("number of slots.");
    return NULL;
}

static err *check_tables(const struct plan *p) {
    const struct plan_cat_table *t = plan_at(p, PLAN_S_CAT_TABLES);
    const struct plan_cat *cats = plan_at(p, PLAN_S_CATS);
    size_t n = plan_count(p, PLAN_S_CAT_TABLES), n_cats = plan_count(p, PLAN_S_CATS);
    for (size_t i = 0; i < n; i++) {
        if (t[i].text > 1 || t[i].first > n_cats || t[i].n > n_cats - t[i].first)
            return BAD("category table %zu.", i);
        const struct plan_cat *c = cats + t[i].first;
        for (uint32_t k = 0; k < t[i].n; k++) {
            bool ascending;
            if (t[i].text) {
                if (!text_ok(p, c[k].text)) return BAD("category %u of table %zu.", k, i);
                ascending = k == 0 || str_cmp(text_of(p, c[k - 1].text), text_of(p, c[k].text)) < 0;
            } else {
                ascending = !isnan(c[k].number) && (k == 0 || c[k - 1].number < c[k].number);
            }
            if (!ascending) return BAD("category table %zu is not in order.", i);
        }
    }
    return NULL;
}

/* Which flags an operation may have, and how many registers it appends. */
static const struct op_rule {
    uint16_t flags;
    enum { LIKE_SRC, LIKE_LIST, NOTHING, ANY } width;
} op_rules[PLAN_OPCODES] = {
    [PLAN_OP_SCALE] = {PLAN_F_A | PLAN_F_B, LIKE_SRC},
    [PLAN_OP_AFFINE] = {PLAN_F_CLIP, LIKE_SRC},
    [PLAN_OP_CLIP] = {0, LIKE_SRC},
    [PLAN_OP_F32] = {0, LIKE_SRC},
    [PLAN_OP_IMPUTE] = {PLAN_F_VALUE, LIKE_SRC},
    [PLAN_OP_MISSING] = {PLAN_F_VALUE | PLAN_F_TEXT, LIKE_SRC},
    [PLAN_OP_BINARIZE] = {0, LIKE_SRC},
    [PLAN_OP_LOG1P] = {0, LIKE_SRC},
    [PLAN_OP_CHECK] = {PLAN_F_NO_NAN | PLAN_F_NO_INF | PLAN_F_NO_INF32, NOTHING},
    [PLAN_OP_NORMALIZE] = {PLAN_F_L1 | PLAN_F_L2 | PLAN_F_MAX, LIKE_LIST},
    [PLAN_OP_ONEHOT] = {PLAN_F_TEXT | PLAN_F_UNKNOWN_OK, ANY},
    [PLAN_OP_ORDINAL] = {PLAN_F_TEXT | PLAN_F_UNKNOWN_OK, LIKE_SRC},
    [PLAN_OP_TEXT_FILL] = {PLAN_F_TEXT, LIKE_SRC},
};

static bool onehot_ok(const struct plan *p, const struct plan_op *op) {
    const struct plan_cat_table *t = (const struct plan_cat_table *)plan_at(p, PLAN_S_CAT_TABLES) +
                                     op->table;
    const struct plan_cat *c = (const struct plan_cat *)plan_at(p, PLAN_S_CATS) + t->first;
    for (uint32_t k = 0; k < t->n; k++)
        if (!(c[k].out >= -1 && c[k].out < op->width) || c[k].out != floor(c[k].out)) return false;
    return t->missing == PLAN_NO_CAT || t->missing < op->width;
}

static err *check_op(const struct plan *p, size_t i, uint32_t regs, uint32_t texts) {
    const struct plan_op *op = (const struct plan_op *)plan_at(p, PLAN_S_OPS) + i;
    if (op->code >= PLAN_OPCODES || (op->flags & ~op_rules[op->code].flags) != 0)
        return BAD("operation %zu.", i);
    bool list = op->code == PLAN_OP_NORMALIZE || op->code == PLAN_OP_CHECK;
    if (list) {
        size_t n = plan_count(p, PLAN_S_REG_LISTS);
        if (op->src > n || op->n > n - op->src) return BAD("operation %zu: list.", i);
        const uint32_t *reg = (const uint32_t *)plan_at(p, PLAN_S_REG_LISTS) + op->src;
        for (uint32_t k = 0; k < op->n; k++)
            if (reg[k] >= regs) return BAD("operation %zu: register.", i);
    } else if (op->n != 1 || op->src >= (op->flags & PLAN_F_TEXT ? texts : regs)) {
        return BAD("operation %zu: register.", i);
    }
    if (op->code == PLAN_OP_TEXT_FILL && (!(op->flags & PLAN_F_TEXT) || !text_ok(p, op->text)))
        return BAD("operation %zu: text.", i);
    int width = op_rules[op->code].width;
    if ((width == LIKE_SRC && op->width != 1) || (width == LIKE_LIST && op->width != op->n) ||
        (width == NOTHING && op->width != 0) || op->width > PLAN_MAX_REGISTERS)
        return BAD("operation %zu: width.", i);
    if (op->code == PLAN_OP_ONEHOT || op->code == PLAN_OP_ORDINAL) {
        if (op->table >= plan_count(p, PLAN_S_CAT_TABLES)) return BAD("operation %zu: table.", i);
        const struct plan_cat_table *t = plan_at(p, PLAN_S_CAT_TABLES);
        if (t[op->table].text != !!(op->flags & PLAN_F_TEXT)) return BAD("operation %zu: kind.", i);
        if (op->code == PLAN_OP_ONEHOT && !onehot_ok(p, op)) return BAD("operation %zu: columns.", i);
    }
    return NULL;
}

static err *check_program(const struct plan *p) {
    const struct plan_op *op = plan_at(p, PLAN_S_OPS);
    uint32_t regs = p->n_num, texts = p->n_text;
    for (size_t i = 0; i < plan_count(p, PLAN_S_OPS); i++) {
        TRY(check_op(p, i, regs, texts));
        if (op[i].code == PLAN_OP_TEXT_FILL)
            texts += 1;
        else
            regs += op[i].width;
        if (regs > PLAN_MAX_REGISTERS || texts > PLAN_MAX_REGISTERS) return BAD("too many registers.");
    }
    if (regs != p->n_regs || texts != p->n_text_regs) return BAD("number of registers.");
    const uint32_t *feature = plan_at(p, PLAN_S_FEATURES);
    for (size_t i = 0; i < plan_count(p, PLAN_S_FEATURES); i++)
        if (feature[i] >= regs) return BAD("feature %zu.", i);
    return NULL;
}

static err *check_columns(const struct plan *p) {
    const struct plan_column *c = plan_at(p, PLAN_S_COLUMNS);
    size_t features = plan_count(p, PLAN_S_FEATURES);
    for (size_t i = 0; i < plan_count(p, PLAN_S_COLUMNS); i++)
        if (c[i].feature >= features || c[i].variant >= PLAN_VARIANTS) return BAD("column %zu.", i);
    return NULL;
}

/* Where a walk over the nodes in order stands: enough to prove the breadth-first form. */
struct shape {
    uint32_t next;  /* the left child that the next split must have */
    uint32_t level; /* first node after the level that we are in */
    uint32_t depth;
};

/* Takes node i; false if a child is not where it must be. */
static bool shape_take(struct shape *s, uint32_t i, uint32_t n, uint32_t left, bool leaf) {
    if (i >= s->level) s->level = s->next, s->depth++;
    if (leaf) return left == i;
    if (left != s->next || left + 1 >= n || left <= i) return false;
    s->next += 2;
    return true;
}

static bool shape_done(const struct shape *s, uint32_t n, uint32_t depth) {
    return s->next == n && s->depth == depth;
}

static bool tree8_ok(const struct plan *p, const struct plan_tree *t) {
    const struct plan_node8 *v = (const struct plan_node8 *)plan_at(p, PLAN_S_NODES8) + t->first;
    size_t columns = plan_count(p, PLAN_S_COLUMNS);
    struct shape s = {.next = 1, .level = 1};
    if (t->n > PLAN_MAX_SMALL_NODES) return false;
    for (uint32_t i = 0; i < t->n; i++) {
        bool leaf = v[i].column == columns;
        if (isnan(v[i].threshold) || v[i].column > columns) return false;
        if (leaf && v[i].threshold == -INFINITY) return false;
        if (!shape_take(&s, i, t->n, v[i].left, leaf)) return false;
    }
    return shape_done(&s, t->n, t->depth);
}

static bool set_ok(const struct plan *p, const struct plan_node16 *v) {
    size_t n = plan_count(p, PLAN_S_BITSETS);
    return v->set.word <= n && v->set.words <= n - v->set.word &&
           v->set.words <= PLAN_MAX_CATEGORY / 32;
}

static bool leaf16_ok(const struct plan *p, const struct plan_node16 *v) {
    double x = v->threshold;
    if (v->flags != 0 || isnan(x) || x == -INFINITY) return false;
    if (!p->leaf_vectors) return true;
    size_t n = plan_count(p, PLAN_S_LEAF_VALUES);
    return n >= p->n_outputs && x >= 0 && x <= (double)(n - p->n_outputs) && x == floor(x);
}

static bool tree16_ok(const struct plan *p, const struct plan_tree *t) {
    const struct plan_node16 *v = (const struct plan_node16 *)plan_at(p, PLAN_S_NODES16) + t->first;
    size_t columns = plan_count(p, PLAN_S_COLUMNS);
    struct shape s = {.next = 1, .level = 1};
    for (uint32_t i = 0; i < t->n; i++) {
        bool leaf = v[i].column == columns;
        if (v[i].column > columns || (v[i].flags & ~PLAN_N_FLAGS) != 0) return false;
        if (leaf) {
            if (!leaf16_ok(p, &v[i])) return false;
        } else if (v[i].flags & PLAN_N_CATEGORICAL) {
            if (!(t->flags & PLAN_TREE_CATEGORICAL) || !set_ok(p, &v[i])) return false;
        } else if (v[i].flags != 0 || isnan(v[i].threshold)) {
            return false;
        }
        if (!shape_take(&s, i, t->n, v[i].left, leaf)) return false;
    }
    return shape_done(&s, t->n, t->depth);
}

static err *check_trees(const struct plan *p) {
    bool small = p->model == PLAN_M_TREES8;
    size_t nodes = plan_count(p, small ? PLAN_S_NODES8 : PLAN_S_NODES16);
    const struct plan_tree *t = plan_at(p, PLAN_S_TREES);
    for (size_t i = 0; i < plan_count(p, PLAN_S_TREES); i++) {
        if (t[i].n == 0 || t[i].first > nodes || t[i].n > nodes - t[i].first ||
            t[i].depth > PLAN_MAX_DEPTH || t[i].group >= p->n_outputs ||
            t[i].flags > (small ? 0 : PLAN_TREE_CATEGORICAL))
            return BAD("tree %zu.", i);
        if (!(small ? tree8_ok(p, &t[i]) : tree16_ok(p, &t[i]))) return BAD("nodes of tree %zu.", i);
    }
    return NULL;
}

/* What each transform and output needs of the number of outputs: 0 any number, 1 exactly one, 2 at
 * least two. */
static const unsigned char transform_needs[PLAN_TRANSFORMS] = {
    [PLAN_T_SOFTMAX_F32] = 2, [PLAN_T_SOFTMAX] = 2, [PLAN_T_OVR] = 2};
/* The width of sums that a transform is written for: bits of 1 << enum plan_acc. */
static const unsigned char transform_acc[PLAN_TRANSFORMS] = {
    [PLAN_T_NONE] = 3,        [PLAN_T_SIGMOID_F32] = 1, [PLAN_T_SOFTMAX_F32] = 1, [PLAN_T_EXP_F32] = 1,
    [PLAN_T_HINGE] = 1,       [PLAN_T_SIGMOID] = 2,     [PLAN_T_SOFTMAX] = 2,     [PLAN_T_EXP] = 3,
    [PLAN_T_SQUARE] = 2,      [PLAN_T_LOG1P_EXP] = 2,   [PLAN_T_OVR] = 2};
static const struct {
    unsigned char needs;
    int labels; /* -1: as many as outputs */
} out_rules[PLAN_OUTS] = {
    [PLAN_O_VALUES] = {0, 0}, [PLAN_O_ARGMAX] = {2, -1},    [PLAN_O_GT] = {1, 2},
    [PLAN_O_GE] = {1, 2},     [PLAN_O_COMPLEMENT] = {1, 2}, [PLAN_O_PAIR] = {1, 0},
    [PLAN_O_PAIR_F32] = {1, 0}, [PLAN_O_MULTILABEL] = {0, 0},
};

static bool needs_ok(unsigned char needs, uint32_t n) {
    return needs == 0 || (needs == 1 ? n == 1 : n >= 2);
}

static err *check_output(const struct plan *p) {
    if (p->transform >= PLAN_TRANSFORMS || p->out >= PLAN_OUTS || p->label_type >= PLAN_LABEL_TYPES)
        return BAD("output.");
    if (!needs_ok(transform_needs[p->transform], p->n_outputs) ||
        !needs_ok(out_rules[p->out].needs, p->n_outputs))
        return BAD("number of outputs.");
    if (!(transform_acc[p->transform] & 1u << p->acc) || (p->divide != 0 && p->acc != PLAN_ACC_F64))
        return BAD("width of sums.");
    size_t labels = plan_count(p, PLAN_S_LABELS);
    size_t want = out_rules[p->out].labels < 0 ? p->n_outputs : (size_t)out_rules[p->out].labels;
    if (labels != want || (labels == 0) != (p->label_type == PLAN_L_NONE)) return BAD("labels.");
    const struct plan_label *l = plan_at(p, PLAN_S_LABELS);
    if (p->label_type == PLAN_L_STRING)
        for (size_t i = 0; i < labels; i++)
            if (!text_ok(p, l[i].text)) return BAD("label %zu.", i);
    return NULL;
}

static err *check_model(const struct plan *p) {
    const struct {
        enum plan_section s;
        bool has;
    } only[] = {
        {PLAN_S_TREES, p->model != PLAN_M_LINEAR},     {PLAN_S_NODES8, p->model == PLAN_M_TREES8},
        {PLAN_S_NODES16, p->model == PLAN_M_TREES16},  {PLAN_S_COLUMNS, p->model != PLAN_M_LINEAR},
        {PLAN_S_COEF, p->model == PLAN_M_LINEAR},      {PLAN_S_BITSETS, p->model == PLAN_M_TREES16},
        {PLAN_S_LEAF_VALUES, p->leaf_vectors == 1},
    };
    if (p->model >= PLAN_MODELS || p->acc >= PLAN_ACCS || p->leaf_vectors > 1 || p->two_d > 1 ||
        p->flush > 1)
        return BAD("kind of model.");
    if (p->n_outputs == 0 || p->n_outputs > PLAN_MAX_OUTPUTS) return BAD("number of outputs.");
    if (plan_count(p, PLAN_S_BASE) != p->n_outputs) return BAD("number of base values.");
    if ((p->check & ~(uint32_t)(PLAN_F_NO_NAN | PLAN_F_NO_INF | PLAN_F_NO_INF32)) != 0)
        return BAD("row checks.");
    for (size_t i = 0; i < ARRAY_LEN(only); i++)
        if (!only[i].has && plan_count(p, only[i].s) != 0)
            return BAD("%s do not belong to this kind of model.", sections[only[i].s].name);
    if (p->leaf_vectors && (p->model != PLAN_M_TREES16 || p->acc != PLAN_ACC_F64))
        return BAD("leaf vectors.");
    if (p->model == PLAN_M_TREES8 && p->acc != PLAN_ACC_F32) return BAD("width of sums.");
    if (p->model == PLAN_M_LINEAR) {
        if (p->acc != PLAN_ACC_F64) return BAD("width of sums.");
        if (plan_count(p, PLAN_S_COEF) != (uint64_t)p->n_outputs * plan_count(p, PLAN_S_FEATURES))
            return BAD("number of coefficients.");
        return NULL;
    }
    TRY(check_columns(p));
    return check_trees(p);
}

err *plan_check(str bytes, const struct plan **ret) {
    if (((uintptr_t)bytes.p & 15) != 0) return BAD("it is not aligned.");
    if (bytes.n < sizeof(struct plan) || bytes.n > PLAN_MAX_SIZE) return BAD("its size is impossible.");
    const struct plan *p = (const struct plan *)(const void *)bytes.p;
    if (memcmp(p->magic, PLAN_MAGIC, sizeof(p->magic)) != 0) return BAD("it does not start as one.");
    if (p->version != PLAN_VERSION)
        return BAD("version %u; this program reads version %u.", p->version, PLAN_VERSION);
    if (p->size != bytes.n) return BAD("it says %llu bytes and has %zu.", (unsigned long long)p->size,
                                       bytes.n);
    if (plan_crc32c(str_from(bytes, offsetof(struct plan, size))) != p->crc) return BAD("checksum.");
    TRY(check_sections(p));
    TRY(check_inputs(p));
    TRY(check_tables(p));
    TRY(check_program(p));
    TRY(check_model(p));
    TRY(check_output(p));
    *ret = p;
    return NULL;
}
