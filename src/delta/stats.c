/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/stats.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "delta/partition.h"
#include "delta/snapshot_int.h"

/* ---- truncation ----
 * Lengths count UTF-16 units, as the reference does: a character beyond U+FFFF is two. */

static size_t char_bytes(str s, size_t at) {
    unsigned char c = (unsigned char)s.p[at];
    size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return at + n > s.n ? s.n - at : n;
}

/* Bytes of the first `units`; a pair that would be split is taken whole. *ret_units is what was taken. */
static size_t prefix_bytes(str s, size_t units, size_t *ret_units) {
    size_t at = 0, got = 0;
    while (at < s.n && got < units) {
        size_t n = char_bytes(s, at);
        got += n == 4 ? 2 : 1;
        at += n;
    }
    *ret_units = got;
    return at;
}

void delta_stats_min(str s, buf *out) {
    size_t units;
    buf_add(out, s.p, prefix_bytes(s, DELTA_STATS_PREFIX, &units));
}

bool delta_stats_max(str s, buf *out) {
    size_t units, at = prefix_bytes(s, DELTA_STATS_PREFIX, &units);
    if (at >= s.n) {
        buf_str(out, s);
        return true;
    }
    /* A tie breaker greater than the next character: U+007F where that is ASCII below it, else the greatest character there
     * is, unless the next character is that one itself: then one more is taken. */
    while (at < s.n && units <= 2 * DELTA_STATS_PREFIX) {
        unsigned char next = (unsigned char)s.p[at];
        if (next < 0x7f) {
            buf_add(out, s.p, at);
            buf_c(out, 0x7f);
            return true;
        }
        if (s.n - at < 4 || memcmp(s.p + at, "\xf4\x8f\xbf\xbf", 4) != 0) {
            buf_add(out, s.p, at);
            buf_z(out, "\xf4\x8f\xbf\xbf");
            return true;
        }
        at += char_bytes(s, at);
        units += 2;
    }
    if (at >= s.n && units <= 2 * DELTA_STATS_PREFIX) {
        buf_str(out, s);
        return true;
    }
    return false;
}

/* ---- bounds of a column in all files ---- */

enum { HAS_MIN = 1, HAS_MAX = 2, NO_NULLS = 4, ONLY_NULLS = 8 };

union bound {
    int64_t i;
    double f;
    str s;
};

struct delta_bounds {
    struct delta_bounds *next;
    str path;                /* parts joined by '\0' */
    bool partition;
    enum delta_order order;
    uint8_t *flags;
    union bound *lo, *hi;
};

static bool bound_of_text(str t, enum delta_order order, union bound *ret) {
    switch (order) {
    case DELTA_ORDER_INT: return str_to_i64(t, &ret->i);
    case DELTA_ORDER_FLOAT: return str_to_f64(t, &ret->f) && !isnan(ret->f);
    case DELTA_ORDER_TEXT: ret->s = t; return true;
    case DELTA_ORDER_TIME: return delta_time_of_text(t, &ret->i);
    case DELTA_ORDER_BOOL: ret->i = str_ieq(t, STR("true")); return true;
    }
    return false;
}

static bool bound_of_json(jval *v, enum delta_order order, bool max, union bound *ret) {
    switch (order) {
    case DELTA_ORDER_INT: return yyjson_is_num(v) && json_i64(v, &ret->i);
    case DELTA_ORDER_FLOAT: return json_f64(v, &ret->f) && !isnan(ret->f);
    case DELTA_ORDER_TEXT:
        ret->s = json_str(v);
        return yyjson_is_str(v);
    case DELTA_ORDER_TIME:
        if (!yyjson_is_str(v) || !delta_time_of_text(json_str(v), &ret->i)) return false;
        if (max) ret->i += 999;
        return true;
    case DELTA_ORDER_BOOL: ret->i = yyjson_is_true(v); return yyjson_is_bool(v);
    }
    return false;
}

static int cmp(const union bound *a, const union bound *b, enum delta_order order) {
    if (order == DELTA_ORDER_TEXT) return str_cmp(a->s, b->s);
    if (order == DELTA_ORDER_FLOAT) return a->f < b->f ? -1 : a->f > b->f;
    return a->i < b->i ? -1 : a->i > b->i;
}

static jval *walk(jval *v, const struct delta_test *t) {
    for (size_t i = 0; v && i < t->n_path; i++) v = yyjson_obj_getn(v, t->path[i].p, t->path[i].n);
    return v;
}

static void from_partition(const struct delta_file *f, const struct delta_test *t, struct delta_bounds *b, size_t i) {
    if (delta_partition_null(&f->partition, t->path[0])) {
        b->flags[i] = ONLY_NULLS;
    } else if (bound_of_text(delta_map_get(&f->partition, t->path[0]), t->order, &b->lo[i])) {
        b->hi[i] = b->lo[i];
        b->flags[i] = HAS_MIN | HAS_MAX | NO_NULLS;
    }
}

static void from_stats(arena *keep, arena *a, const struct delta_file *f, const struct delta_test *t, struct delta_bounds *b, size_t i) {
    jval *v;
    if (!f->stats.n) return;
    err *e = json_parse(a, f->stats, true, &v);
    if (e) {
        err_free(e);
        return;
    }
    int64_t nulls, rows;
    if (json_i64(walk(json_get(v, "nullCount"), t), &nulls)) {
        if (nulls == 0) b->flags[i] |= NO_NULLS;
        if (json_i64(json_get(v, "numRecords"), &rows) && rows == nulls) b->flags[i] |= ONLY_NULLS;
    }
    if (bound_of_json(walk(json_get(v, "minValues"), t), t->order, false, &b->lo[i])) b->flags[i] |= HAS_MIN;
    if (bound_of_json(walk(json_get(v, "maxValues"), t), t->order, true, &b->hi[i])) b->flags[i] |= HAS_MAX;
    if (t->order != DELTA_ORDER_TEXT) return;
    if (b->flags[i] & HAS_MIN) b->lo[i].s = arena_str(keep, b->lo[i].s);
    if (b->flags[i] & HAS_MAX) b->hi[i].s = arena_str(keep, b->hi[i].s);
}

static struct delta_bounds *bounds_of(struct delta_snapshot *s, const struct delta_test *t) {
    struct delta_extras *x = delta_snapshot_extras(s);
    buf key = {0};
    for (size_t i = 0; i < t->n_path; i++) buf_str(&key, t->path[i]), buf_c(&key, '\0');
    for (struct delta_bounds *b = x->bounds; b; b = b->next)
        if (b->partition == t->partition && b->order == t->order && str_eq(b->path, buf_view(&key))) {
            buf_free(&key);
            return b;
        }
    struct delta_bounds *b = arena_new_of(x->a, struct delta_bounds);
    b->path = arena_str(x->a, buf_view(&key));
    buf_free(&key);
    b->partition = t->partition, b->order = t->order;
    b->flags = arena_array_of(x->a, uint8_t, s->n_files + 1);
    b->lo = arena_array_of(x->a, union bound, s->n_files + 1);
    b->hi = arena_array_of(x->a, union bound, s->n_files + 1);
    arena *a = arena_new();
    for (size_t i = 0; i < s->n_files; i++) {
        if (t->partition) {
            from_partition(s->files[i], t, b, i);
        } else {
            from_stats(x->a, a, s->files[i], t, b, i);
            arena_reset(a);
        }
    }
    arena_free(a);
    b->next = x->bounds;
    x->bounds = b;
    return b;
}

/* May a value v with lo <= v <= hi (where known) stand in this relation to the literal? */
static bool may(const struct delta_bounds *b, size_t i, char op, const union bound *lit) {
    bool below = (b->flags[i] & HAS_MIN) && cmp(lit, &b->lo[i], b->order) < 0; /* lit < min */
    bool above = (b->flags[i] & HAS_MAX) && cmp(lit, &b->hi[i], b->order) > 0; /* lit > max */
    bool at_min = (b->flags[i] & HAS_MIN) && cmp(lit, &b->lo[i], b->order) <= 0;
    bool at_max = (b->flags[i] & HAS_MAX) && cmp(lit, &b->hi[i], b->order) >= 0;
    switch (op) {
    case '=':
    case 'i': return !below && !above;
    case '<': return b->order == DELTA_ORDER_FLOAT ? !below : !at_min;
    case 'l': return !below;
    /* NaN is above everything and may be missing from the bounds. */
    case '>': return b->order == DELTA_ORDER_FLOAT || !at_max;
    case 'g': return b->order == DELTA_ORDER_FLOAT || !above;
    default: return true;
    }
}

static void apply(const struct delta_bounds *b, const struct delta_test *t, size_t n_files, bool *keep) {
    if (t->op == '0' || t->op == '1') {
        uint8_t none = t->op == '0' ? NO_NULLS : ONLY_NULLS;
        for (size_t i = 0; i < n_files; i++)
            if (b->flags[i] & none) keep[i] = false;
        return;
    }
    union bound *lits = malloc(sizeof(*lits) * (t->n + 1));
    must(lits);
    bool known = t->n > 0;
    for (size_t j = 0; j < t->n && known; j++) known = bound_of_text(t->values[j], t->order, &lits[j]);
    for (size_t i = 0; known && i < n_files; i++) {
        if (!keep[i]) continue;
        bool any = false;
        if (!(b->flags[i] & ONLY_NULLS))
            for (size_t j = 0; j < t->n && !any; j++) any = may(b, i, t->op, &lits[j]);
        keep[i] = any;
    }
    free(lits);
}

void delta_skip(struct delta_snapshot *s, const struct delta_test *tests, size_t n, bool *keep) {
    for (size_t i = 0; i < s->n_files; i++) keep[i] = true;
    if (!s->n_files) return;
    struct delta_extras *x = delta_snapshot_extras(s);
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < n; i++) apply(bounds_of(s, &tests[i]), &tests[i], s->n_files, keep);
    pthread_mutex_unlock(&x->lock);
}

bool delta_file_may_pass(const struct delta_file *f, const struct delta_test *tests, size_t n) {
    arena *a = arena_new();
    bool keep = true;
    for (size_t i = 0; i < n && keep; i++) {
        uint8_t flags = 0;
        union bound lo = {0}, hi = {0};
        struct delta_bounds b = {.order = tests[i].order, .flags = &flags, .lo = &lo, .hi = &hi};
        if (tests[i].partition)
            from_partition(f, &tests[i], &b, 0);
        else
            from_stats(a, a, f, &tests[i], &b, 0);
        apply(&b, &tests[i], 1, &keep);
    }
    arena_free(a);
    return keep;
}

int64_t delta_num_records(const struct delta_file *f) {
    /* Most writers put it first: read without parsing the whole. */
    static const char head[] = "{\"numRecords\":";
    if (str_starts(f->stats, str_n(head, sizeof(head) - 1))) {
        str rest = str_from(f->stats, sizeof(head) - 1);
        size_t n = 0;
        while (n < rest.n && rest.p[n] >= '0' && rest.p[n] <= '9') n++;
        int64_t v;
        if (str_to_i64(str_cut(rest, n), &v)) return v;
    }
    if (!f->stats.n) return -1;
    arena *a = arena_new();
    jval *v;
    int64_t rows = -1;
    err *e = json_parse(a, f->stats, true, &v);
    if (e || !json_i64(json_get(v, "numRecords"), &rows)) rows = -1;
    err_free(e);
    arena_free(a);
    return rows;
}

int64_t delta_null_count(const struct delta_file *f, str column) {
    if (!f->stats.n) return -1;
    arena *a = arena_new();
    jval *v;
    int64_t nulls = -1;
    err *e = json_parse(a, f->stats, true, &v);
    if (e || !json_i64(yyjson_obj_getn(json_get(v, "nullCount"), column.p, column.n), &nulls)) nulls = -1;
    err_free(e);
    arena_free(a);
    return nulls;
}
