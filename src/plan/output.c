/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From raw sums to what predict() returns. Each transform repeats its library's arithmetic, operation
 * by operation and in its width (reference/serving.md §14): that, and not the formula on paper, is
 * what makes results equal to the bit.
 */
#include <math.h>

#include "plan/scorer_int.h"

size_t output_width(const struct plan *p) {
    switch (p->out) {
    case PLAN_O_VALUES:
    case PLAN_O_MULTILABEL: return p->n_outputs;
    case PLAN_O_PAIR:
    case PLAN_O_PAIR_F32: return 2;
    default: return 1;
    }
}

static float sigmoid_f32(float x) {
    /* expf overflows above 88.7; the tiny term is part of the formula, even though it rounds away. */
    float y = -x < 88.7f ? -x : 88.7f;
    return 1.0f / (expf(y) + 1.0f + 1e-16f);
}

static void softmax_f32(float *x, size_t n) {
    float top = x[0];
    for (size_t i = 1; i < n; i++) top = fmaxf(top, x[i]);
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = expf(x[i] - top);
        sum += (double)x[i];
    }
    for (size_t i = 0; i < n; i++) x[i] /= (float)sum;
}

static void transform_f32(enum plan_transform t, float *x, size_t n) {
    if (t == PLAN_T_SOFTMAX_F32) {
        softmax_f32(x, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        switch (t) {
        case PLAN_T_SIGMOID_F32: x[i] = sigmoid_f32(x[i]); break;
        case PLAN_T_EXP_F32: x[i] = expf(x[i]); break;
        case PLAN_T_EXP: x[i] = (float)exp((double)x[i]); break;
        case PLAN_T_HINGE: x[i] = x[i] > 0.0f ? 1.0f : 0.0f; break;
        default: break;
        }
    }
}

static void softmax(double *x, size_t n) {
    double top = x[0], sum = 0;
    for (size_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
    for (size_t i = 0; i < n; i++) sum += x[i] = exp(x[i] - top);
    for (size_t i = 0; i < n; i++) x[i] /= sum;
}

static double transform_one(enum plan_transform t, double param, double x) {
    switch (t) {
    case PLAN_T_SIGMOID: return 1.0 / (1.0 + exp(-param * x));
    case PLAN_T_OVR: return 1.0 / (1.0 + exp(-x));
    case PLAN_T_EXP: return exp(x);
    case PLAN_T_SQUARE: return copysign(x * x, x);
    case PLAN_T_LOG1P_EXP: return log1p(exp(x));
    default: return x;
    }
}

static void transform_f64(const struct plan *p, double *x, size_t n) {
    if (p->divide != 0)
        for (size_t i = 0; i < n; i++) x[i] /= p->divide;
    if (p->transform == PLAN_T_SOFTMAX) {
        softmax(x, n);
        return;
    }
    if (p->transform == PLAN_T_NONE) return;
    for (size_t i = 0; i < n; i++) x[i] = transform_one((enum plan_transform)p->transform, p->param, x[i]);
    if (p->transform == PLAN_T_OVR) {
        double sum = 0;
        for (size_t i = 0; i < n; i++) sum += x[i];
        /* All classes impossible: every one as likely as the others, as the library has it. */
        for (size_t i = 0; i < n; i++) x[i] = sum == 0 ? 1.0 / (double)n : x[i] / sum;
    }
}

/* First largest; a NaN counts as largest, as in numpy. */
static uint32_t argmax(const double *x, size_t n) {
    uint32_t best = 0;
    for (size_t i = 1; i < n && !isnan(x[best]); i++)
        if (x[i] > x[best] || isnan(x[i])) best = (uint32_t)i;
    return best;
}

void output_row(const struct plan *p, const void *sums, double *values, uint32_t *label) {
    size_t n = p->n_outputs;
    double one[1], *x = p->out == PLAN_O_VALUES || p->out == PLAN_O_MULTILABEL ? values : one;
    if (p->acc == PLAN_ACC_F32) {
        /* The sums are ours to change: they lie in the scratch. */
        float *f = (float *)(uintptr_t)sums;
        transform_f32((enum plan_transform)p->transform, f, n);
        if (p->out == PLAN_O_ARGMAX) {
            uint32_t best = 0;
            for (size_t i = 1; i < n && !isnan(f[best]); i++)
                if (f[i] > f[best] || isnan(f[i])) best = (uint32_t)i;
            *label = best;
            return;
        }
        if (p->out == PLAN_O_PAIR_F32) {
            values[0] = (double)(1.0f - f[0]);
            values[1] = (double)f[0];
            return;
        }
        for (size_t i = 0; i < (x == one ? 1 : n); i++) x[i] = (double)f[i];
    } else {
        double *d = (double *)(uintptr_t)sums;
        transform_f64(p, d, n);
        if (p->out == PLAN_O_ARGMAX) {
            *label = argmax(d, n);
            return;
        }
        for (size_t i = 0; i < (x == one ? 1 : n); i++) x[i] = d[i];
    }
    switch (p->out) {
    case PLAN_O_GT: *label = x[0] > p->param2; break;
    case PLAN_O_GE: *label = x[0] >= p->param2; break;
    case PLAN_O_COMPLEMENT: *label = x[0] > 1.0 - x[0]; break;
    case PLAN_O_PAIR:
    case PLAN_O_PAIR_F32:
        values[0] = 1.0 - x[0];
        values[1] = x[0];
        break;
    case PLAN_O_MULTILABEL:
        for (size_t i = 0; i < n; i++) x[i] = x[i] > p->param2 ? 1.0 : 0.0;
        break;
    default: break;
    }
}
