/* SPDX-License-Identifier: Apache-2.0 */
#include "store/mlflow_topk.h"

#include <math.h>
#include <stdlib.h>

#include "base/buf.h"

void topk_init(struct topk *t, size_t limit) {
    must(limit >= 1);
    *t = (struct topk){.limit = limit};
}

void topk_free(struct topk *t) {
    for (size_t i = 0; i < t->n; i++) free(t->items[i].keys);
    free(t->items);
    t->items = NULL;
    t->n = 0;
}

void topk_order(struct topk *t, bool descending) {
    must(t->n_keys < TOPK_MAX_KEYS);
    t->descending[t->n_keys++] = descending;
}

static int rank_of(const struct topk_key *k) {
    return k->kind == TOPK_NONE ? 2 : k->kind == TOPK_NUMBER && isnan(k->number) ? 1 : 0;
}

static int compare_key(const struct topk_key *x, const struct topk_key *y, bool descending) {
    int rx = rank_of(x), ry = rank_of(y);
    if (rx || ry) return rx - ry;
    int c = x->kind != y->kind       ? (int)x->kind - (int)y->kind
            : x->kind == TOPK_NUMBER ? (x->number > y->number) - (x->number < y->number)
                                     : str_cmp(x->text, y->text);
    return descending ? -c : c;
}

int topk_compare(const struct topk *t, const struct topk_key *x, const struct topk_key *y) {
    for (size_t i = 0; i < t->n_keys; i++) {
        int c = compare_key(&x[i], &y[i], t->descending[i]);
        if (c) return c;
    }
    return 0;
}

/* One block: the keys, then their texts. */
static struct topk_key *copy_keys(const struct topk *t, const struct topk_key *keys) {
    size_t n = t->n_keys * sizeof(*keys), at = n;
    for (size_t i = 0; i < t->n_keys; i++) n += keys[i].kind == TOPK_TEXT ? keys[i].text.n : 0;
    struct topk_key *out = malloc(n ? n : 1);
    must(out != NULL);
    memcpy(out, keys, t->n_keys * sizeof(*keys));
    for (size_t i = 0; i < t->n_keys; i++)
        if (keys[i].kind == TOPK_TEXT) {
            char *p = (char *)out + at;
            if (keys[i].text.n) memcpy(p, keys[i].text.p, keys[i].text.n);
            out[i].text = str_n(p, keys[i].text.n);
            at += keys[i].text.n;
        }
    return out;
}

static void swap(struct topk_item *x, struct topk_item *y) {
    struct topk_item z = *x;
    *x = *y;
    *y = z;
}

static bool later(const struct topk *t, size_t i, size_t j) {
    return topk_compare(t, t->items[i].keys, t->items[j].keys) > 0;
}

static void sift_up(struct topk *t, size_t i) {
    for (; i && later(t, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(&t->items[i], &t->items[(i - 1) / 2]);
}

static void sift_down(struct topk *t, size_t i) {
    for (;;) {
        size_t top = i, l = 2 * i + 1, r = l + 1;
        if (l < t->n && later(t, l, top)) top = l;
        if (r < t->n && later(t, r, top)) top = r;
        if (top == i) return;
        swap(&t->items[i], &t->items[top]);
        i = top;
    }
}

void topk_offer(struct topk *t, int64_t id, const struct topk_key *keys) {
    if (t->after_set && topk_compare(t, keys, t->after) <= 0) return;
    if (t->n > t->limit) {
        if (topk_compare(t, keys, t->items[0].keys) >= 0) return;
        free(t->items[0].keys);
        t->items[0] = (struct topk_item){id, copy_keys(t, keys)};
        sift_down(t, 0);
        return;
    }
    if (t->n == t->cap) {
        t->cap = t->cap ? t->cap * 2 : 64;
        t->items = realloc(t->items, t->cap * sizeof(*t->items));
        must(t->items != NULL);
    }
    t->items[t->n] = (struct topk_item){id, copy_keys(t, keys)};
    sift_up(t, t->n++);
}

bool topk_done(const struct topk *t, const struct topk_key *first) {
    return t->n > t->limit && compare_key(first, &t->items[0].keys[0], t->descending[0]) > 0;
}

/* Heap sort: the last one goes to the end, again and again. */
void topk_finish(struct topk *t) {
    size_t n = t->n;
    while (t->n > 1) {
        t->n--;
        swap(&t->items[0], &t->items[t->n]);
        sift_down(t, 0);
    }
    t->n = n;
    t->more = n > t->limit;
    if (t->more) free(t->items[--t->n].keys);
}

/* Per key: u8 kind, then f64 bits or u32 length and text. */
str topk_token(const struct topk *t, arena *a) {
    if (!t->n) return STR("");
    buf b = {0};
    const struct topk_key *keys = t->items[t->n - 1].keys;
    for (size_t i = 0; i < t->n_keys; i++) {
        buf_u8(&b, (uint8_t)keys[i].kind);
        uint64_t bits;
        memcpy(&bits, &keys[i].number, sizeof(bits));
        if (keys[i].kind == TOPK_NUMBER) buf_u64(&b, bits);
        if (keys[i].kind == TOPK_TEXT) {
            buf_u32(&b, (uint32_t)keys[i].text.n);
            buf_str(&b, keys[i].text);
        }
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

static uint64_t little(const char *p, int n) {
    uint64_t v = 0;
    while (n--) v = v << 8 | (unsigned char)p[n];
    return v;
}

static bool take_key(struct topk_key *k, arena *a, str *in) {
    if (in->n < 1 || (unsigned char)in->p[0] > TOPK_TEXT) return false;
    *k = (struct topk_key){.kind = in->p[0]};
    *in = str_from(*in, 1);
    if (k->kind == TOPK_NUMBER) {
        if (in->n < 8) return false;
        uint64_t bits = little(in->p, 8);
        memcpy(&k->number, &bits, sizeof(bits));
        *in = str_from(*in, 8);
    } else if (k->kind == TOPK_TEXT) {
        if (in->n < 4) return false;
        size_t n = (size_t)little(in->p, 4);
        if (in->n - 4 < n) return false;
        k->text = arena_str(a, str_n(in->p + 4, n));
        *in = str_from(*in, 4 + n);
    }
    return true;
}

err *topk_after(struct topk *t, arena *a, str token) {
    if (token.n == 0) return NULL;
    for (size_t i = 0; i < t->n_keys; i++)
        if (!take_key(&t->after[i], a, &token))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid page token.");
    if (token.n) return err_new(ERR_INVALID_PARAMETER_VALUE, "Invalid page token.");
    t->after_set = true;
    return NULL;
}
