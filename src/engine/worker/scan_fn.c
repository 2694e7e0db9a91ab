/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C functions that emitted scans call, and the state that they look things up in.
 *
 *   bh_part(group, file, k)    value k of a file, as text (partition values and facts of files)
 *   bh_live(group, file, row)  is this row not deleted?
 *   bh_variant_join(metadata, value)   the two of a file as one (sql/type.h)
 *   bh_variant_part(variant, which)    the other way: value (true) or metadata
 *
 * `group` is a number given at emission; the state behind it lives until its statement's scan_ctx_end().
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <roaring/roaring.h>

#include "base/map.h"
#include "delta/dv.h"
#include "engine/worker/scan_int.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static map *groups;
static uint64_t last_number;

struct scan_state {
    struct scan_state *next;
    uint64_t number;
    struct scan_group_state g;
};

uint64_t scan_state_add(struct scan_ctx *c, const struct scan_group_state *g) {
    struct scan_state *s = arena_new_of(c->a, struct scan_state);
    s->g = *g;
    s->next = c->state;
    c->state = s;
    pthread_rwlock_wrlock(&lock);
    if (!groups) groups = map_new();
    s->number = ++last_number;
    map_put(groups, map_key_u64(&s->number), s);
    pthread_rwlock_unlock(&lock);
    return s->number;
}

void scan_ctx_end(struct scan_ctx *c) {
    pthread_rwlock_wrlock(&lock);
    for (struct scan_state *s = c->state; s; s = s->next) map_del(groups, map_key_u64(&s->number));
    pthread_rwlock_unlock(&lock);
    for (struct scan_state *s = c->state; s; s = s->next)
        for (size_t i = 0; s->g.temporary && i < s->g.n_files; i++) unlink(s->g.temporary[i]);
    for (struct scan_state *s = c->state; s; s = s->next)
        for (size_t i = 0; s->g.dead && i < s->g.n_files; i++) delta_bitmap_free(s->g.dead[i]);
    c->state = NULL;
}

static const struct scan_group_state *group_of(uint64_t number) {
    pthread_rwlock_rdlock(&lock);
    struct scan_state *s = groups ? map_get(groups, map_key_u64(&number)) : NULL;
    pthread_rwlock_unlock(&lock);
    return s ? &s->g : NULL;
}

static void gone(duckdb_function_info info) {
    duckdb_scalar_function_set_error(info, "[INTERNAL_ERROR] {\"message\":\"the state of a scan is gone\"}");
}

static void part(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out) {
    idx_t n = duckdb_data_chunk_get_size(in);
    if (!n) return;
    const int64_t *number = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 0));
    const uint64_t *file = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 1));
    const int32_t *k = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 2));
    const struct scan_group_state *g = group_of((uint64_t)number[0]);
    if (!g) {
        gone(info);
        return;
    }
    uint64_t *valid = NULL;
    for (idx_t i = 0; i < n; i++) {
        str v = STR_NONE;
        if (file[i] < g->n_files && (size_t)k[i] < g->n_values) v = g->values[file[i] * g->n_values + (size_t)k[i]];
        if (v.p) {
            duckdb_vector_assign_string_element_len(out, i, v.p, v.n);
            continue;
        }
        if (!valid) {
            duckdb_vector_ensure_validity_writable(out);
            valid = duckdb_vector_get_validity(out);
        }
        duckdb_validity_set_row_invalid(valid, i);
    }
}

static void mark_each(const roaring64_bitmap_t *dead, const int64_t *row, idx_t n, bool *to) {
    roaring64_bulk_context_t bulk = {0};
    for (idx_t i = 0; i < n; i++) to[i] = !roaring64_bitmap_contains_bulk(dead, &bulk, (uint64_t)row[i]);
}

/* Are these the rows of one file, one after the other, as a scan mostly has them? Without a branch, so that several are
 * compared at a time. */
static bool in_order(const uint64_t *file, const int64_t *row, idx_t n) {
    uint64_t differ[8] = {0}, any = 0, first = (uint64_t)row[0];
    idx_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (idx_t j = 0; j < 8; j++) differ[j] |= (file[i + j] ^ file[0]) | ((uint64_t)row[i + j] ^ (first + i + j));
    for (; i < n; i++) any |= (file[i] ^ file[0]) | ((uint64_t)row[i] ^ (first + i));
    for (idx_t j = 0; j < 8; j++) any |= differ[j];
    return !any;
}

/* Rows one after the other: only those that are gone are looked at. */
static void mark_range(const roaring64_bitmap_t *dead, uint64_t first, idx_t n, bool *to) {
    roaring64_iterator_t *it = roaring64_iterator_create(dead);
    bool more = roaring64_iterator_move_equalorlarger(it, first);
    for (; more && roaring64_iterator_value(it) - first < n; more = roaring64_iterator_advance(it)) to[roaring64_iterator_value(it) - first] = false;
    roaring64_iterator_free(it);
}

static void live(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out) {
    idx_t n = duckdb_data_chunk_get_size(in);
    if (!n) return;
    const int64_t *number = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 0));
    const uint64_t *file = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 1));
    const int64_t *row = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 2));
    bool *to = duckdb_vector_get_data(out);
    const struct scan_group_state *g = group_of((uint64_t)number[0]);
    if (!g || !g->dead) {
        gone(info);
        return;
    }
    memset(to, 1, n * sizeof(*to));
    bool range = in_order(file, row, n);
    for (idx_t i = 0, end; i < n; i = end) {
        const roaring64_bitmap_t *dead = file[i] < g->n_files ? g->dead[file[i]] : NULL;
        for (end = range ? n : i; end < n && file[end] == file[i]; end++) {}
        if (dead && range)
            mark_range(dead, (uint64_t)row[i], end - i, to + i);
        else if (dead)
            mark_each(dead, row + i, end - i, to + i);
    }
}

static bool is_null(duckdb_vector v, idx_t i) {
    uint64_t *valid = duckdb_vector_get_validity(v);
    return valid && !duckdb_validity_row_is_valid(valid, i);
}

static void set_null(duckdb_vector out, idx_t i) {
    duckdb_vector_ensure_validity_writable(out);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), i);
}

static str text_at(duckdb_vector v, idx_t i) {
    duckdb_string_t *s = (duckdb_string_t *)duckdb_vector_get_data(v) + i;
    return str_n(duckdb_string_t_data(s), duckdb_string_t_length(*s));
}

static void variant_join(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out) {
    (void)info;
    idx_t n = duckdb_data_chunk_get_size(in);
    duckdb_vector m = duckdb_data_chunk_get_vector(in, 0), v = duckdb_data_chunk_get_vector(in, 1);
    buf b = {0};
    for (idx_t i = 0; i < n; i++) {
        if (is_null(m, i) || is_null(v, i)) {
            set_null(out, i);
            continue;
        }
        str meta = text_at(m, i), value = text_at(v, i);
        buf_clear(&b);
        buf_u32(&b, (uint32_t)meta.n);
        buf_str(&b, meta), buf_str(&b, value);
        duckdb_vector_assign_string_element_len(out, i, b.p, b.n);
    }
    buf_free(&b);
}

static void variant_part(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out) {
    (void)info;
    idx_t n = duckdb_data_chunk_get_size(in);
    duckdb_vector v = duckdb_data_chunk_get_vector(in, 0);
    const bool *value = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 1));
    for (idx_t i = 0; i < n; i++) {
        str s = is_null(v, i) ? STR_NONE : text_at(v, i);
        uint32_t meta = 0;
        if (s.n >= 4) memcpy(&meta, s.p, 4);
        if (s.n < 4 || meta > s.n - 4) {
            set_null(out, i);
            continue;
        }
        str part = value[i] ? str_from(s, 4 + meta) : str_n(s.p + 4, meta);
        duckdb_vector_assign_string_element_len(out, i, part.p, part.n);
    }
}

/* Size or time (microseconds) of the file that a row comes from; rows of one file follow each other. */
static void file_stat(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out) {
    (void)info;
    idx_t n = duckdb_data_chunk_get_size(in);
    duckdb_vector paths = duckdb_data_chunk_get_vector(in, 0);
    const bool *time = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 1));
    int64_t *to = duckdb_vector_get_data(out);
    struct stat st = {0};
    str last = STR_NONE;
    bool there = false;
    for (idx_t i = 0; i < n; i++) {
        str path = is_null(paths, i) ? STR("") : text_at(paths, i);
        if (!last.p || !str_eq(path, last)) {
            char *z = strndup(path.p, path.n);
            must(z != NULL);
            there = stat(z, &st) == 0;
            free(z);
            last = path;
        }
        if (there)
            to[i] = time[i] ? (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000 : st.st_size;
        else
            set_null(out, i);
    }
}

static err *add(duckdb_connection con, const char *name, const duckdb_type *args, size_t n, duckdb_type returns,
                duckdb_scalar_function_t fn) {
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_scalar_function_set_name(f, name);
    for (size_t i = 0; i < n; i++) {
        duckdb_logical_type t = duckdb_create_logical_type(args[i]);
        duckdb_scalar_function_add_parameter(f, t);
        duckdb_destroy_logical_type(&t);
    }
    duckdb_logical_type r = duckdb_create_logical_type(returns);
    duckdb_scalar_function_set_return_type(f, r);
    duckdb_destroy_logical_type(&r);
    duckdb_scalar_function_set_function(f, fn);
    duckdb_state ok = duckdb_register_scalar_function(con, f);
    duckdb_destroy_scalar_function(&f);
    return ok == DuckDBSuccess ? NULL : err_new(ERR_INTERNAL_ERROR, "DuckDB refused the function %s", name);
}

err *scan_register(duckdb_connection con) {
    static const duckdb_type part_args[] = {DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_UBIGINT, DUCKDB_TYPE_INTEGER};
    static const duckdb_type live_args[] = {DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_UBIGINT, DUCKDB_TYPE_BIGINT};
    static const duckdb_type join_args[] = {DUCKDB_TYPE_BLOB, DUCKDB_TYPE_BLOB};
    static const duckdb_type variant_args[] = {DUCKDB_TYPE_BLOB, DUCKDB_TYPE_BOOLEAN};
    TRY(add(con, "bh_variant_join", join_args, 2, DUCKDB_TYPE_BLOB, variant_join));
    TRY(add(con, "bh_variant_part", variant_args, 2, DUCKDB_TYPE_BLOB, variant_part));
    static const duckdb_type stat_args[] = {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_BOOLEAN};
    TRY(add(con, "bh_file_stat", stat_args, 2, DUCKDB_TYPE_BIGINT, file_stat));
    TRY(add(con, "bh_part", part_args, 3, DUCKDB_TYPE_VARCHAR, part));
    return add(con, "bh_live", live_args, 3, DUCKDB_TYPE_BOOLEAN, live);
}
