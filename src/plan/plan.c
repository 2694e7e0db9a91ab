/* SPDX-License-Identifier: Apache-2.0 */
/* What a checked plan says about itself. */
#include "plan/plan.h"

static const char *const kind_names[PLAN_KINDS] = {
    [PLAN_DOUBLE] = "double", [PLAN_FLOAT] = "float",     [PLAN_INTEGER] = "integer",
    [PLAN_LONG] = "long",     [PLAN_BOOLEAN] = "boolean", [PLAN_STRING] = "string",
};

const char *plan_kind_name(enum plan_kind k) {
    must(k < PLAN_KINDS);
    return kind_names[k];
}

bool plan_kind_by_name(str name, enum plan_kind *ret) {
    for (size_t i = 0; i < PLAN_KINDS; i++)
        if (str_eqz(name, kind_names[i])) return *ret = (enum plan_kind)i, true;
    return false;
}

static const struct plan_input *input(const struct plan *p, size_t i) {
    must(i < plan_count(p, PLAN_S_INPUTS));
    return (const struct plan_input *)plan_at(p, PLAN_S_INPUTS) + i;
}

size_t plan_inputs(const struct plan *p) { return plan_count(p, PLAN_S_INPUTS); }

str plan_input_name(const struct plan *p, size_t i) {
    struct plan_text_ref t = input(p, i)->name;
    return str_n((const char *)plan_at(p, PLAN_S_STRINGS) + t.off, t.n);
}

enum plan_kind plan_input_kind(const struct plan *p, size_t i) {
    return (enum plan_kind)input(p, i)->kind;
}

bool plan_input_required(const struct plan *p, size_t i) { return input(p, i)->required; }

size_t plan_input_slot(const struct plan *p, size_t i) { return input(p, i)->slot; }

ptrdiff_t plan_input_find(const struct plan *p, str name) {
    for (size_t i = 0; i < plan_inputs(p); i++)
        if (str_eq(plan_input_name(p, i), name)) return (ptrdiff_t)i;
    return -1;
}

void plan_describe(const struct plan *p, struct plan_facts *ret) {
    static const char *const models[PLAN_MODELS] = {
        [PLAN_M_TREES8] = "trees, 8-byte nodes",
        [PLAN_M_TREES16] = "trees, 16-byte nodes",
        [PLAN_M_LINEAR] = "linear",
    };
    const struct plan_tree *t = plan_at(p, PLAN_S_TREES);
    *ret = (struct plan_facts){
        .model = models[p->model],
        .bytes = (size_t)p->size,
        .trees = plan_count(p, PLAN_S_TREES),
        .nodes = plan_count(p, PLAN_S_NODES8) + plan_count(p, PLAN_S_NODES16),
        .features = plan_count(p, PLAN_S_FEATURES),
        .outputs = p->n_outputs,
        .ops = plan_count(p, PLAN_S_OPS),
        .steps = (uint64_t)p->n_regs + plan_count(p, PLAN_S_COLUMNS) + plan_count(p, PLAN_S_COEF) +
                 plan_count(p, PLAN_S_REG_LISTS),
    };
    for (size_t i = 0; i < ret->trees; i++)
        ret->steps += t[i].depth + (p->leaf_vectors ? p->n_outputs : 1u);
}
