/* SPDX-License-Identifier: Apache-2.0 */
/* The name that an expression without alias has: Spark's pretty text of it, written only when somebody asks. */
#include "sql/bind.h"

#define CAPTION_MAX (1u << 20)

static void expand_cap(struct binder *b, const struct bx *x, buf *out) {
    str t = x->cap;
    for (size_t i = 0; i < t.n && out->n < CAPTION_MAX; i++) {
        char c = t.p[i];
        if ((c == '{' || c == '}') && i + 1 < t.n && t.p[i + 1] == c) {
            buf_c(out, c);
            i++;
            continue;
        }
        if (c != '{') {
            buf_c(out, c);
            continue;
        }
        size_t j = i + 1, arg = 0;
        while (j < t.n && t.p[j] >= '0' && t.p[j] <= '9') arg = arg * 10 + (size_t)(t.p[j++] - '0');
        if (j < t.n && t.p[j] == '*') {
            for (size_t k = arg; k < x->n; k++) {
                if (k > arg) buf_z(out, ", ");
                caption(b, x->child[k], out);
            }
            j++;
        } else if (arg < x->n) {
            caption(b, x->child[arg], out);
        }
        i = j;
    }
}

static void order_cap(struct binder *b, const struct bsort *o, size_t n, buf *out) {
    for (size_t i = 0; i < n; i++) {
        if (i) buf_z(out, ", ");
        caption(b, o[i].x, out);
        buf_z(out, o[i].desc ? " DESC" : " ASC");
        buf_z(out, o[i].nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

static void frame_cap(struct binder *b, const struct bx *x, buf *out) {
    const struct bwin *w = x->win;
    if (w->shown.n && !w->frame.n) {
        buf_str(out, w->shown);
        return;
    }
    if (!w->frame.n) {
        buf_z(out, w->n_order ? "RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
                              : "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING");
        return;
    }
    struct bx bounds = {.kind = BX_TMPL, .child = w->bound, .n = w->n_bound, .cap = w->frame_cap.n ? w->frame_cap : w->frame, .type = x->type};
    expand_cap(b, &bounds, out);
}

void window_caption(struct binder *b, const struct bx *x, buf *out) {
    const struct bwin *w = x->win;
    buf_c(out, '(');
    size_t at = out->n;
    for (size_t i = 0; i < w->n_part; i++) {
        buf_z(out, i ? ", " : "PARTITION BY ");
        caption(b, w->part[i], out);
    }
    if (w->n_order) {
        buf_z(out, out->n > at ? " ORDER BY " : "ORDER BY ");
        order_cap(b, w->order, w->n_order, out);
    }
    if (out->n > at) buf_c(out, ' ');
    frame_cap(b, x, out);
    buf_c(out, ')');
}

void caption(struct binder *b, const struct bx *x, buf *out) {
    if (out->n >= CAPTION_MAX) return;
    switch (x->kind) {
    case BX_LIT:
    case BX_COL:
    case BX_VAR: buf_str(out, x->cap); return;
    case BX_LAMBDA:
        buf_z(out, "lambdafunction(");
        caption(b, x->child[0], out);
        for (size_t i = 0; i < x->n_vars; i++) buf_z(out, ", namedlambdavariable()");
        buf_c(out, ')');
        return;
    default: break;
    }
    expand_cap(b, x, out);
    if (x->filter) {
        buf_z(out, " FILTER (WHERE ");
        caption(b, x->filter, out);
        buf_c(out, ')');
    }
    if (!x->win) return;
    buf_z(out, " OVER ");
    window_caption(b, x, out);
}

str caption_of(struct binder *b, const struct bx *x) {
    buf *o = sql_buf(b->a);
    caption(b, x, o);
    buf_c(o, 0);
    o->n--;
    return sql_keep(b->a, o);
}
