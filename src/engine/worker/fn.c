/* SPDX-License-Identifier: Apache-2.0 */
/* How C functions reach DuckDB: signatures, chunks to rows, results, errors (fn.h). */
#include "engine/worker/fn.h"

#include "engine/worker/fn_int.h"

#include <stdio.h>
#include <stdlib.h>

struct fn_extra {
    const struct fn_def *def;
    int scale;
    bool any[FN_ARGS];      /* the argument is declared A */
    size_t n;
    bool repeats;
};

/* ---- types ---- */

static duckdb_logical_type type_of_letter(const char **at, int scale);

static duckdb_logical_type interval_type(void) {
    duckdb_logical_type parts[3] = {duckdb_create_logical_type(DUCKDB_TYPE_INTEGER),
                                    duckdb_create_logical_type(DUCKDB_TYPE_INTEGER),
                                    duckdb_create_logical_type(DUCKDB_TYPE_BIGINT)};
    const char *names[3] = {"m", "d", "us"};
    duckdb_logical_type t = duckdb_create_struct_type(parts, names, 3);
    for (size_t i = 0; i < 3; i++) duckdb_destroy_logical_type(&parts[i]);
    return t;
}

static duckdb_logical_type list_or_map(const char **at, bool map, int scale) {
    duckdb_logical_type child, t;
    if (map) {
        child = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR);
        t = duckdb_create_map_type(child, child);
    } else {
        child = type_of_letter(at, scale);
        t = duckdb_create_list_type(child);
    }
    duckdb_destroy_logical_type(&child);
    return t;
}

static duckdb_logical_type type_of_letter(const char **at, int scale) {
    static const struct { char letter; duckdb_type type; } letters[] = {
        {'B', DUCKDB_TYPE_BOOLEAN},      {'c', DUCKDB_TYPE_TINYINT}, {'h', DUCKDB_TYPE_SMALLINT},
        {'i', DUCKDB_TYPE_INTEGER},      {'l', DUCKDB_TYPE_BIGINT},  {'H', DUCKDB_TYPE_HUGEINT},
        {'f', DUCKDB_TYPE_FLOAT},        {'d', DUCKDB_TYPE_DOUBLE},  {'s', DUCKDB_TYPE_VARCHAR},
        {'b', DUCKDB_TYPE_BLOB},         {'D', DUCKDB_TYPE_DATE},    {'N', DUCKDB_TYPE_TIMESTAMP},
        {'T', DUCKDB_TYPE_TIMESTAMP_TZ}, {'t', DUCKDB_TYPE_TIME},    {'A', DUCKDB_TYPE_ANY},
    };
    char c = *(*at)++;
    if (c == '[') return list_or_map(at, false, scale);
    if (c == 'M') return list_or_map(at, true, scale);
    if (c == 'I') return interval_type();
    if (c == 'Z') return duckdb_create_decimal_type(38, (uint8_t)scale);
    for (size_t i = 0; i < ARRAY_LEN(letters); i++)
        if (letters[i].letter == c) return duckdb_create_logical_type(letters[i].type);
    unreachable();
}

/* ---- a chunk ---- */

static void state_free(void *p) {
    struct fn_state *st = p;
    if (st->cache && st->cache_free) st->cache_free(st->cache);
    buf_free(&st->out_text);
    buf_free(&st->tmp);
    buf_free(&st->tmp2);
    buf_free(&st->cache_key);
    free(st);
}

static void on_init(duckdb_init_info info) {
    struct fn_state *st = calloc(1, sizeof(*st));
    must(st);
    st->out_text.max = st->tmp.max = st->tmp2.max = FN_TEXT_MAX;
    duckdb_scalar_function_init_set_state(info, st, state_free);
}

static void load_arg(struct fn_arg *a, duckdb_vector v, bool any) {
    *a = (struct fn_arg){.vec = v, .data = duckdb_vector_get_data(v), .valid = duckdb_vector_get_validity(v)};
    if (!any) return;
    a->logical = duckdb_vector_get_column_type(v);
    a->type = duckdb_get_type_id(a->logical);
    if (a->type == DUCKDB_TYPE_DECIMAL) {
        a->width = duckdb_decimal_width(a->logical);
        a->scale = duckdb_decimal_scale(a->logical);
        a->stored = duckdb_decimal_internal_type(a->logical);
    }
}

static bool all_valid(const struct fn_call *c) {
    for (size_t i = 0; i < c->n; i++)
        if (!fn_valid(c, i)) return false;
    return true;
}

static void set_null(struct fn_call *c) {
    if (!c->out_valid) {
        duckdb_vector_ensure_validity_writable(c->out);
        c->out_valid = duckdb_vector_get_validity(c->out);
    }
    /* Children of structs must be NULL as well: this call does it. */
    duckdb_validity_set_row_invalid(c->out_valid, c->row);
}

static void on_chunk(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output) {
    const struct fn_extra *x = duckdb_scalar_function_get_extra_info(info);
    struct fn_call c = {.info = info, .def = x->def, .scale = x->scale, .out = output};
    c.n = duckdb_data_chunk_get_column_count(input);
    c.rows = duckdb_data_chunk_get_size(input);
    c.st = duckdb_scalar_function_get_state(info);
    if (c.n > FN_ARGS) {
        fn_fail(&c, "WRONG_NUM_ARGS.WITHOUT_SUGGESTION", NULL);
        return;
    }
    c.out_data = duckdb_vector_get_data(output);
    for (size_t i = 0; i < c.n; i++)
        load_arg(&c.arg[i], duckdb_data_chunk_get_vector(input, i), x->any[i < x->n ? i : x->n - 1]);
    bool nulls = x->def->flags & FN_NULLS;
    for (c.row = 0; c.row < c.rows && !c.failed; c.row++) {
        c.null = true;
        if (nulls || all_valid(&c)) x->def->row(&c);
        if (c.null) set_null(&c);
    }
    for (size_t i = 0; i < c.n; i++)
        if (c.arg[i].logical) duckdb_destroy_logical_type(&c.arg[i].logical);
}

/* ---- registration ---- */

static err *register_one(duckdb_connection con, const struct fn_def *def, int scale) {
    struct fn_extra *x = calloc(1, sizeof(*x));
    must(x);
    *x = (struct fn_extra){.def = def, .scale = scale};
    duckdb_scalar_function f = duckdb_create_scalar_function();
    char name[64];
    if (def->flags & FN_SCALES) snprintf(name, sizeof(name), "%s_%d", def->name, scale);
    else snprintf(name, sizeof(name), "%s", def->name);
    duckdb_scalar_function_set_name(f, name);
    const char *at = def->sig;
    while (*at != ':') {
        must(x->n < FN_ARGS);
        x->any[x->n] = *at == 'A';
        duckdb_logical_type t = type_of_letter(&at, scale);
        if (*at == '*') {
            duckdb_scalar_function_set_varargs(f, t);
            x->repeats = true;
            at++;
        } else duckdb_scalar_function_add_parameter(f, t);
        x->n++;
        duckdb_destroy_logical_type(&t);
    }
    at++;
    duckdb_logical_type t = type_of_letter(&at, scale);
    duckdb_scalar_function_set_return_type(f, t);
    duckdb_destroy_logical_type(&t);
    duckdb_scalar_function_set_extra_info(f, x, free);
    if (def->flags & FN_NULLS) duckdb_scalar_function_set_special_handling(f);
    if (def->flags & FN_VOLATILE) duckdb_scalar_function_set_volatile(f);
    duckdb_scalar_function_set_init(f, on_init);
    duckdb_scalar_function_set_function(f, on_chunk);
    duckdb_state rc = duckdb_register_scalar_function(con, f);
    duckdb_destroy_scalar_function(&f);
    return rc == DuckDBSuccess ? NULL : err_new(ERR_INTERNAL_ERROR, "DuckDB refuses the function %s", name);
}

err *fn_register_all(duckdb_connection con) {
    for (size_t t = 0; t < fn_n_tables; t++)
        for (size_t i = 0; i < fn_tables[t]->n; i++) {
            const struct fn_def *def = &fn_tables[t]->defs[i];
            int last = def->flags & FN_SCALES ? 38 : 0;
            for (int s = 0; s <= last; s++) TRY(register_one(con, def, s));
        }
    TRY(fn_register_moments(con));
    TRY(fn_register_sketches(con));
    return NULL;
}

/* ---- arguments and results ---- */

i128 fn_int(const struct fn_call *c, size_t i) {
    switch (c->arg[i].type == DUCKDB_TYPE_DECIMAL ? c->arg[i].stored : c->arg[i].type) {
    case DUCKDB_TYPE_TINYINT: return fn_i8(c, i);
    case DUCKDB_TYPE_SMALLINT: return fn_i16(c, i);
    case DUCKDB_TYPE_INTEGER: return fn_i32(c, i);
    case DUCKDB_TYPE_BIGINT: return fn_i64(c, i);
    case DUCKDB_TYPE_HUGEINT: return fn_huge(c, i);
    case DUCKDB_TYPE_BOOLEAN: return fn_bool(c, i);
    default: return 0;
    }
}

struct fn_interval fn_interval(const struct fn_call *c, size_t i) {
    struct fn_interval v;
    v.m = ((const int32_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(c->arg[i].vec, 0)))[c->row];
    v.d = ((const int32_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(c->arg[i].vec, 1)))[c->row];
    v.us = ((const int64_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(c->arg[i].vec, 2)))[c->row];
    return v;
}

void fn_ret_interval(struct fn_call *c, struct fn_interval v) {
    ((int32_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(c->out, 0)))[c->row] = v.m;
    ((int32_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(c->out, 1)))[c->row] = v.d;
    ((int64_t *)duckdb_vector_get_data(duckdb_struct_vector_get_child(c->out, 2)))[c->row] = v.us;
    c->null = false;
}

void fn_ret_str(struct fn_call *c, str s) {
    if (s.n <= 12) {
        duckdb_string_t v = {.value.inlined.length = (uint32_t)s.n};
        if (s.n) memcpy(v.value.inlined.inlined, s.p, s.n);
        ((duckdb_string_t *)c->out_data)[c->row] = v;
    } else duckdb_unsafe_vector_assign_string_element_len(c->out, c->row, s.p, s.n);
    c->null = false;
}

void fn_ret_buf(struct fn_call *c, const buf *b) {
    if (b->no_memory) fn_fail(c, "OUT_OF_MEMORY", NULL);
    else if (b->overflow) fn_fail(c, "FUNCTION_LIMIT_EXCEEDED", "message", "a string would be longer than 64 MiB", NULL);
    else fn_ret_str(c, buf_view(b));
}

void fn_list_begin(struct fn_call *c) {
    duckdb_list_entry *e = (duckdb_list_entry *)c->out_data + c->row;
    *e = (duckdb_list_entry){duckdb_list_vector_get_size(c->out), 0};
    c->null = false;
}

static idx_t list_slot(struct fn_call *c) {
    duckdb_list_entry *e = (duckdb_list_entry *)c->out_data + c->row;
    idx_t at = e->offset + e->length++;
    /* Doubles: a list grows by one at a time. */
    if ((at & (at + 1)) == 0 || e->length == 1) duckdb_list_vector_reserve(c->out, at < 16 ? 32 : (at + 1) * 2);
    return at;
}

void fn_list_str(struct fn_call *c, str s) {
    idx_t at = list_slot(c);
    duckdb_unsafe_vector_assign_string_element_len(duckdb_list_vector_get_child(c->out), at, s.p ? s.p : "", s.n);
}

void fn_list_f64(struct fn_call *c, double v) {
    idx_t at = list_slot(c);
    ((double *)duckdb_vector_get_data(duckdb_list_vector_get_child(c->out)))[at] = v;
}

void fn_list_null(struct fn_call *c) {
    idx_t at = list_slot(c);
    duckdb_vector child = duckdb_list_vector_get_child(c->out);
    duckdb_vector_ensure_validity_writable(child);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(child), at);
}

void fn_list_end(struct fn_call *c) {
    duckdb_list_entry *e = (duckdb_list_entry *)c->out_data + c->row;
    duckdb_list_vector_set_size(c->out, e->offset + e->length);
}

static buf *emptied(buf *b) {
    buf_clear(b);
    return b;
}
buf *fn_text(struct fn_call *c) { return emptied(&c->st->out_text); }
buf *fn_tmp(struct fn_call *c) { return emptied(&c->st->tmp); }

/* ---- errors ---- */

void fn_fail_with(struct fn_call *c, const char *cls, const struct fn_param *params, size_t n) {
    buf b = {0};
    buf_fmt(&b, "[%s] {", cls);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_c(&b, ',');
        buf_json_str(&b, str_of(params[i].name));
        buf_c(&b, ':');
        buf_json_str(&b, str_cut(params[i].value, 2000));
    }
    buf_z(&b, "}");
    buf_c(&b, 0);
    duckdb_scalar_function_set_error(c->info, b.p);
    buf_free(&b);
    c->failed = true;
    c->null = true;
}

void fn_fail(struct fn_call *c, const char *cls, ...) {
    struct fn_param params[8];
    size_t n = 0;
    va_list ap;
    va_start(ap, cls);
    for (const char *name; n < ARRAY_LEN(params) && (name = va_arg(ap, const char *)); n++)
        params[n] = (struct fn_param){name, str_of(va_arg(ap, const char *))};
    va_end(ap);
    fn_fail_with(c, cls, params, n);
}

/* ---- what was compiled ---- */

void *fn_cached(struct fn_call *c, str key) {
    return c->st->cache && str_eq(buf_view(&c->st->cache_key), key) ? c->st->cache : NULL;
}

void fn_keep(struct fn_call *c, str key, void *made, void (*release)(void *)) {
    struct fn_state *st = c->st;
    if (st->cache && st->cache_free) st->cache_free(st->cache);
    st->cache = made;
    st->cache_free = release;
    buf_clear(&st->cache_key);
    buf_str(&st->cache_key, key);
}
