/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The feature program: operations over registers, one block of rows at a time. A register is a column
 * of the block, so each operation is one loop. The arithmetic is scikit-learn's, in its order: a
 * scaler subtracts, then divides; a min-max scaler multiplies, then adds.
 */
#include <math.h>

#include "plan/scorer_int.h"

/* Where an operation reads and writes: `cap` is the distance of two registers. */
struct frame {
    const struct plan *p;
    double *regs;
    str *texts;
    size_t cap, n, first;
};

static err *refuse(const struct frame *f, size_t row, const char *why) {
    return err_new(ERR_INVALID_PARAMETER_VALUE, "Row %zu: %s.", f->first + row, why);
}

static str string_at(const struct plan *p, struct plan_text_ref t) {
    return str_n((const char *)plan_at(p, PLAN_S_STRINGS) + t.off, t.n);
}

static const struct plan_cat *cat_number(const struct plan_cat *c, size_t n, double x) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (c[mid].number < x)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n && c[lo].number == x ? c + lo : NULL;
}

static const struct plan_cat *cat_text(const struct plan *p, const struct plan_cat *c, size_t n,
                                       str x) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int order = str_cmp(string_at(p, c[mid].text), x);
        if (order == 0) return c + mid;
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* What the table says of the cell: false if it does not know it. */
static bool category(const struct frame *f, const struct plan_op *op, size_t r, double *ret) {
    const struct plan_cat_table *t =
        (const struct plan_cat_table *)plan_at(f->p, PLAN_S_CAT_TABLES) + op->table;
    const struct plan_cat *c = (const struct plan_cat *)plan_at(f->p, PLAN_S_CATS) + t->first, *hit;
    bool missing;
    if (t->text) {
        str x = f->texts[op->src * f->cap + r];
        missing = x.p == NULL;
        hit = missing ? NULL : cat_text(f->p, c, t->n, x);
    } else {
        double x = f->regs[op->src * f->cap + r];
        missing = isnan(x);
        hit = missing ? NULL : cat_number(c, t->n, x);
    }
    if (hit) return *ret = hit->out, true;
    if (missing && t->missing != PLAN_NO_CAT)
        return *ret = op->code == PLAN_OP_ORDINAL ? op->b : (double)t->missing, true;
    return false;
}

static err *op_encode(const struct frame *f, const struct plan_op *op, double *to) {
    bool onehot = op->code == PLAN_OP_ONEHOT;
    if (onehot) memset(to, 0, op->width * f->cap * sizeof(double));
    for (size_t r = 0; r < f->n; r++) {
        double out;
        if (category(f, op, r, &out)) {
            if (!onehot)
                to[r] = out;
            else if (out >= 0)
                to[(size_t)out * f->cap + r] = 1;
        } else if (!(op->flags & PLAN_F_UNKNOWN_OK)) {
            return refuse(f, r, "found an unknown category during transform");
        } else if (!onehot) {
            to[r] = op->a;
        }
    }
    return NULL;
}

static err *check_value(const struct frame *f, unsigned flags, size_t r, double x) {
    if (isnan(x)) return flags & PLAN_F_NO_NAN ? refuse(f, r, "input contains NaN") : NULL;
    bool inf = isinf(x) && flags & (PLAN_F_NO_INF | PLAN_F_NO_INF32);
    bool inf32 = flags & PLAN_F_NO_INF32 && isinf((float)x);
    if (inf || inf32) return refuse(f, r, "input contains infinity or a value too large");
    return NULL;
}

static err *op_check(const struct frame *f, const struct plan_op *op) {
    const uint32_t *list = (const uint32_t *)plan_at(f->p, PLAN_S_REG_LISTS) + op->src;
    for (uint32_t i = 0; i < op->n; i++)
        for (size_t r = 0; r < f->n; r++)
            TRY(check_value(f, op->flags, r, f->regs[list[i] * f->cap + r]));
    return NULL;
}

static void op_normalize(const struct frame *f, const struct plan_op *op, double *to) {
    const uint32_t *list = (const uint32_t *)plan_at(f->p, PLAN_S_REG_LISTS) + op->src;
    for (size_t r = 0; r < f->n; r++) {
        double norm = 0;
        for (uint32_t i = 0; i < op->n; i++) {
            double x = f->regs[list[i] * f->cap + r];
            if (op->flags & PLAN_F_L1)
                norm += fabs(x);
            else if (op->flags & PLAN_F_L2)
                norm += x * x;
            else
                norm = fmax(norm, fabs(x));
        }
        if (op->flags & PLAN_F_L2) norm = sqrt(norm);
        /* A row of zeros stays as it is. */
        if (norm == 0) norm = 1;
        for (uint32_t i = 0; i < op->n; i++)
            to[i * f->cap + r] = f->regs[list[i] * f->cap + r] / norm;
    }
}

static inline double clip(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

static inline bool is_missing(const struct plan_op *op, double x) {
    return op->flags & PLAN_F_VALUE ? x == op->b : isnan(x);
}

/* Operations on one number. */
static double op_number(const struct plan_op *op, double x) {
    switch (op->code) {
    case PLAN_OP_SCALE:
        if (op->flags & PLAN_F_A) x -= op->a;
        if (op->flags & PLAN_F_B) x /= op->b;
        return x;
    case PLAN_OP_AFFINE:
        x = x * op->a;
        x = x + op->b;
        return op->flags & PLAN_F_CLIP ? clip(x, op->c, op->d) : x;
    case PLAN_OP_CLIP: return clip(x, op->c, op->d);
    case PLAN_OP_F32: return (double)(float)x;
    case PLAN_OP_IMPUTE: return is_missing(op, x) ? op->a : x;
    case PLAN_OP_MISSING: return is_missing(op, x) ? 1 : 0;
    case PLAN_OP_BINARIZE: return x > op->a ? 1 : 0;
    case PLAN_OP_LOG1P: return log1p(x);
    default: return x;
    }
}

/* One operation; `to` is its first new register, `text` its new text register. */
static err *op_run(const struct frame *f, const struct plan_op *op, double *to, str *text) {
    switch (op->code) {
    case PLAN_OP_ONEHOT:
    case PLAN_OP_ORDINAL: return op_encode(f, op, to);
    case PLAN_OP_CHECK: return op_check(f, op);
    case PLAN_OP_NORMALIZE: return op_normalize(f, op, to), NULL;
    case PLAN_OP_TEXT_FILL:
        for (size_t r = 0; r < f->n; r++) {
            str x = f->texts[op->src * f->cap + r];
            text[r] = x.p ? x : string_at(f->p, op->text);
        }
        return NULL;
    default: break;
    }
    if (op->flags & PLAN_F_TEXT) {
        const str *x = f->texts + op->src * f->cap;
        for (size_t r = 0; r < f->n; r++) to[r] = x[r].p ? 0 : 1;
        return NULL;
    }
    const double *x = f->regs + op->src * f->cap;
    for (size_t r = 0; r < f->n; r++) to[r] = op_number(op, x[r]);
    return NULL;
}

err *features_run(const struct plan *p, struct plan_scratch *s, const struct plan_batch *in,
                  size_t rows, struct block *b) {
    size_t ops = plan_count(p, PLAN_S_OPS);
    if (ops == 0) {
        static const double nothing[1];
        b->base = p->n_num ? in->num + b->first * p->n_num : nothing;
        b->reg_step = 1;
        b->row_step = p->n_num;
        return NULL;
    }
    struct frame f = {p, s->regs, s->texts, rows, b->n, b->first};
    for (size_t g = 0; g < p->n_num; g++)
        for (size_t r = 0; r < b->n; r++)
            f.regs[g * rows + r] = in->num[(b->first + r) * p->n_num + g];
    for (size_t g = 0; g < p->n_text; g++)
        for (size_t r = 0; r < b->n; r++)
            f.texts[g * rows + r] = in->text[(b->first + r) * p->n_text + g];
    const struct plan_op *op = plan_at(p, PLAN_S_OPS);
    size_t regs = p->n_num, texts = p->n_text;
    for (size_t i = 0; i < ops; i++) {
        TRY(op_run(&f, &op[i], f.regs + regs * rows, f.texts + texts * rows));
        if (op[i].code == PLAN_OP_TEXT_FILL)
            texts++;
        else
            regs += op[i].width;
    }
    b->base = f.regs;
    b->reg_step = rows;
    b->row_step = 1;
    return NULL;
}

err *features_check(const struct plan *p, const struct block *b) {
    struct frame f = {.p = p, .first = b->first};
    const uint32_t *reg = plan_at(p, PLAN_S_FEATURES);
    for (size_t r = 0; r < b->n; r++)
        for (size_t i = 0; i < plan_count(p, PLAN_S_FEATURES); i++)
            TRY(check_value(&f, p->check, r, b->base[reg[i] * b->reg_step + r * b->row_step]));
    return NULL;
}
