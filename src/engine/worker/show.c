/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of DuckDB's chunks as text (show.h): a tree of nodes, one for each level of the type. */
#include "engine/worker/show.h"

#include "base/enc.h"
#include "engine/worker/fn.h"
#include "engine/worker/text.h"

struct show {
    const struct sql_type *t;
    enum show_form form;
    const struct zone *zone;
    duckdb_type stored;        /* of decimals: the integer behind */
    const void *data;
    const uint64_t *valid;
    struct show *kids;         /* array: element; map: key, value; struct: fields; interval: m, d, us */
    size_t n;
};

static void fill(arena *a, struct show *s, const struct sql_type *t, enum show_form form, const struct zone *zone) {
    *s = (struct show){.t = t, .form = form, .zone = zone ? zone : zone_utc()};
    switch (t->kind) {
    case TY_ARRAY:
        s->kids = arena_array_of(a, struct show, s->n = 1);
        fill(a, &s->kids[0], t->elem, form, zone);
        break;
    case TY_MAP:
        s->kids = arena_array_of(a, struct show, s->n = 2);
        fill(a, &s->kids[0], t->key, form, zone);
        fill(a, &s->kids[1], t->elem, form, zone);
        break;
    case TY_STRUCT:
        s->kids = arena_array_of(a, struct show, (s->n = t->n) ? t->n : 1);
        for (size_t i = 0; i < t->n; i++) fill(a, &s->kids[i], t->fields[i].type, form, zone);
        break;
    case TY_INTERVAL:
        s->kids = arena_array_of(a, struct show, s->n = 3);
        fill(a, &s->kids[0], sql_type_of(TY_INT), form, zone);
        fill(a, &s->kids[1], sql_type_of(TY_INT), form, zone);
        fill(a, &s->kids[2], sql_type_of(TY_BIGINT), form, zone);
        break;
    default: break;
    }
}

struct show *show_new(arena *a, const struct sql_type *t, enum show_form form, const struct zone *zone) {
    struct show *s = arena_new_of(a, struct show);
    fill(a, s, t, form, zone);
    return s;
}

static bool any_row(const uint64_t *valid, idx_t n) {
    for (idx_t i = 0; i < n; i++)
        if (!valid || valid[i >> 6] >> (i & 63) & 1) return true;
    return false;
}

void show_bind(struct show *s, duckdb_vector v, idx_t n) {
    s->data = duckdb_vector_get_data(v);
    s->valid = duckdb_vector_get_validity(v);
    /* A list that was folded to NULL has no vector of elements, and asking for it ends the process. */
    if ((s->t->kind == TY_ARRAY || s->t->kind == TY_MAP) && !any_row(s->valid, n)) return;
    switch (s->t->kind) {
    case TY_DECIMAL: {
        duckdb_logical_type t = duckdb_vector_get_column_type(v);
        s->stored = duckdb_get_type_id(t) == DUCKDB_TYPE_DECIMAL ? duckdb_decimal_internal_type(t) : duckdb_get_type_id(t);
        duckdb_destroy_logical_type(&t);
        break;
    }
    case TY_ARRAY: show_bind(&s->kids[0], duckdb_list_vector_get_child(v), duckdb_list_vector_get_size(v)); break;
    case TY_MAP: {
        duckdb_vector entries = duckdb_list_vector_get_child(v);
        idx_t size = duckdb_list_vector_get_size(v);
        show_bind(&s->kids[0], duckdb_struct_vector_get_child(entries, 0), size);
        show_bind(&s->kids[1], duckdb_struct_vector_get_child(entries, 1), size);
        break;
    }
    case TY_STRUCT:
    case TY_INTERVAL:
        for (size_t i = 0; i < s->n; i++) show_bind(&s->kids[i], duckdb_struct_vector_get_child(v, i), n);
        break;
    default: break;
    }
}

#define AT(T) (((const T *)s->data)[row])

static i128 decimal_at(const struct show *s, idx_t row) {
    switch (s->stored) {
    case DUCKDB_TYPE_SMALLINT: return AT(int16_t);
    case DUCKDB_TYPE_INTEGER: return AT(int32_t);
    case DUCKDB_TYPE_BIGINT: return AT(int64_t);
    case DUCKDB_TYPE_HUGEINT: return fn_huge_of(AT(duckdb_hugeint));
    default: return 0;
    }
}

static bool is_null(const struct show *s, idx_t row) {
    return s->t->kind == TY_VOID || (s->valid && !(s->valid[row >> 6] >> (row & 63) & 1));
}

static void write_value(const struct show *s, idx_t row, buf *out, bool inside);

static void nested(const struct show *s, idx_t row, buf *out) {
    if (is_null(s, row)) buf_z(out, "null");
    else write_value(s, row, out, true);
}

static void write_array(const struct show *s, idx_t row, buf *out) {
    duckdb_list_entry e = AT(duckdb_list_entry);
    buf_c(out, '[');
    for (idx_t i = 0; i < e.length; i++) {
        if (i) buf_z(out, s->form == SHOW_CAST ? ", " : ",");
        nested(&s->kids[0], e.offset + i, out);
    }
    buf_c(out, ']');
}

/* JSON's keys are strings: the CAST form of the key. */
static void json_key(const struct show *key, idx_t row, buf *out) {
    if (sql_is_text(key->t)) {
        nested(key, row, out);
        return;
    }
    buf text = {0};
    nested(key, row, &text);
    if (text.n && text.p[0] == '"') buf_str(out, buf_view(&text));
    else buf_json_str(out, buf_view(&text));
    buf_free(&text);
}

static void write_map(const struct show *s, idx_t row, buf *out) {
    duckdb_list_entry e = AT(duckdb_list_entry);
    buf_c(out, '{');
    for (idx_t i = 0; i < e.length; i++) {
        if (i) buf_z(out, s->form == SHOW_CAST ? ", " : ",");
        if (s->form == SHOW_JSON) json_key(&s->kids[0], e.offset + i, out);
        else nested(&s->kids[0], e.offset + i, out);
        buf_z(out, s->form == SHOW_CAST ? " -> " : ":");
        nested(&s->kids[1], e.offset + i, out);
    }
    buf_c(out, '}');
}

static void write_struct(const struct show *s, idx_t row, buf *out) {
    buf_c(out, '{');
    for (size_t i = 0; i < s->n; i++) {
        if (i) buf_z(out, s->form == SHOW_CAST ? ", " : ",");
        if (s->form == SHOW_HIVE) {
            buf_c(out, '"');
            buf_str(out, s->t->fields[i].name);
            buf_z(out, "\":");
        } else if (s->form == SHOW_JSON) {
            buf_json_str(out, s->t->fields[i].name);
            buf_c(out, ':');
        }
        nested(&s->kids[i], row, out);
    }
    buf_c(out, '}');
}

static void write_text(const struct show *s, str v, buf *out, bool inside) {
    if (!inside || s->form == SHOW_CAST) buf_str(out, v);
    else if (s->form == SHOW_JSON) buf_json_str(out, v);
    else {
        buf_c(out, '"');
        buf_str(out, v);
        buf_c(out, '"');
    }
}

static void write_binary(const struct show *s, str v, buf *out, bool inside) {
    if (s->form == SHOW_HIVE) {
        text_utf8(out, v);
        return;
    }
    if (s->form != SHOW_JSON || !inside) {
        buf_str(out, v);
        return;
    }
    buf_c(out, '"');
    enc_base64(out, v);
    buf_c(out, '"');
}

/* Values that JSON holds as strings: dates, times, intervals. */
static void write_quoted(const struct show *s, idx_t row, buf *out, bool inside) {
    bool quote = inside && s->form == SHOW_JSON;
    bool literal = s->form != SHOW_HIVE;
    if (quote) buf_c(out, '"');
    switch (s->t->kind) {
    case TY_DATE: text_date(out, AT(int32_t)); break;
    case TY_TIMESTAMP: text_timestamp(out, AT(int64_t), s->zone); break;
    case TY_TIMESTAMP_NTZ: text_ntz(out, AT(int64_t)); break;
    case TY_TIME: text_time(out, AT(int64_t)); break;
    case TY_INTERVAL_YM:
        if (literal) text_ym_literal(out, AT(int32_t), s->t->from, s->t->to);
        else text_ym(out, AT(int32_t));
        break;
    case TY_INTERVAL_DT:
        if (literal) text_dt_literal(out, AT(int64_t), s->t->from, s->t->to);
        else text_dt(out, AT(int64_t));
        break;
    default:
        text_interval(out, (struct fn_interval){((const int32_t *)s->kids[0].data)[row], ((const int32_t *)s->kids[1].data)[row],
                                                ((const int64_t *)s->kids[2].data)[row]});
    }
    if (quote) buf_c(out, '"');
}

static void write_value(const struct show *s, idx_t row, buf *out, bool inside) {
    switch (s->t->kind) {
    case TY_BOOLEAN: buf_z(out, AT(bool) ? "true" : "false"); break;
    case TY_TINYINT: buf_fmt(out, "%d", AT(int8_t)); break;
    case TY_SMALLINT: buf_fmt(out, "%d", AT(int16_t)); break;
    case TY_INT: buf_fmt(out, "%d", AT(int32_t)); break;
    case TY_BIGINT: buf_fmt(out, "%lld", (long long)AT(int64_t)); break;
    case TY_FLOAT: text_float(out, AT(float)); break;
    case TY_DOUBLE: text_double(out, AT(double)); break;
    case TY_DECIMAL: text_decimal(out, decimal_at(s, row), s->t->scale); break;
    case TY_STRING:
    case TY_CHAR:
    case TY_VARCHAR: write_text(s, fn_str_of(&AT(duckdb_string_t)), out, inside); break;
    case TY_BINARY: write_binary(s, fn_str_of(&AT(duckdb_string_t)), out, inside); break;
    case TY_ARRAY: write_array(s, row, out); break;
    case TY_MAP: write_map(s, row, out); break;
    case TY_STRUCT: write_struct(s, row, out); break;
    case TY_VARIANT: show_variant(fn_str_of(&AT(duckdb_string_t)), s->zone, out); break;
    case TY_DATE:
    case TY_TIMESTAMP:
    case TY_TIMESTAMP_NTZ:
    case TY_TIME:
    case TY_INTERVAL_YM:
    case TY_INTERVAL_DT:
    case TY_INTERVAL: write_quoted(s, row, out, inside); break;
    default: buf_z(out, "null"); break;
    }
}

bool show_value(const struct show *s, idx_t row, buf *out) {
    if (is_null(s, row)) return false;
    write_value(s, row, out, false);
    return true;
}
