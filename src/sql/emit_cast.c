/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Casts as templates of DuckDB text. Where DuckDB's own cast means the same it is used; elsewhere one of the engine's
 * bh_cast_… functions is (tables/sql_functions/README.md lists them).
 */
#include "sql/bind.h"
#include "sql/func_rules.h"

#include <stdio.h>

static const char *kind_word(const struct sql_type *t) {
    static const char *const words[TY_KINDS] = {
        [TY_BOOLEAN] = "boolean", [TY_TINYINT] = "tinyint", [TY_SMALLINT] = "smallint",
        [TY_INT] = "int",         [TY_BIGINT] = "bigint",   [TY_FLOAT] = "float",
        [TY_DOUBLE] = "double",   [TY_DATE] = "date",       [TY_TIMESTAMP_NTZ] = "ntz",
        [TY_TIME] = "time",       [TY_BINARY] = "binary",   [TY_TIMESTAMP] = "timestamp",
    };
    return words[t->kind];
}

static err *cast_of(struct binder *b, const char *x, const struct sql_type *from,
                    const struct sql_type *to, bool try_it, int depth, buf *out);

/* {type} means the whole cast's type, so inner types are written out. */
static void duck(const struct sql_type *t, buf *out) { sql_type_write_duckdb(t, out); }

static void native(const char *x, const struct sql_type *to, bool try_it, buf *out) {
    buf_fmt(out, "%s(%s AS ", try_it ? "TRY_CAST" : "CAST", x);
    duck(to, out);
    buf_c(out, ')');
}

static void from_string(struct binder *b, const char *x, const struct sql_type *to, bool try_it, buf *out) {
    const char *t = try_it ? "try_" : "";
    if (sql_is_integral(to) && !b->env->ansi && !b->try_cast) { /* without ANSI mode '1.9' is 1 */
        buf_fmt(out, "TRY_CAST(trunc(CAST(bh_try_cast_string_decimal(%s, 38, 18) AS DECIMAL(38,18))) AS ", x);
        duck(to, out);
        buf_c(out, ')');
        return;
    }
    switch (to->kind) {
    case TY_DECIMAL:
        buf_fmt(out, "CAST(bh_%scast_string_decimal(%s, %u, %u) AS DECIMAL(%u,%u))", t, x, to->precision,
                to->scale, to->precision, to->scale);
        return;
    case TY_BINARY: buf_fmt(out, "encode(%s)", x); return;
    case TY_TIMESTAMP: buf_fmt(out, "bh_%scast_string_timestamp(%s, {tz})", t, x); return;
    case TY_INTERVAL_YM:
        buf_fmt(out, "bh_%scast_string_ym(%s, %u, %u)", t, x, to->from, to->to);
        return;
    case TY_INTERVAL_DT:
        buf_fmt(out, "bh_%scast_string_dt(%s, %u, %u)", t, x, to->from, to->to);
        return;
    case TY_INTERVAL: buf_fmt(out, "bh_try_cast_string_interval(%s)", x); return; /* what is none is NULL */
    default: buf_fmt(out, "bh_%scast_string_%s(%s)", t, kind_word(to), x); return;
    }
}

/* Parts of arrays, maps and structs are written with null for NULL. */
static err *part_string(struct binder *b, const char *x, const struct sql_type *from, int depth,
                        buf *out) {
    buf_z(out, "COALESCE(");
    TRY(cast_of(b, x, from, sql_type_of(TY_STRING), false, depth + 1, out));
    buf_z(out, ", 'null')");
    return NULL;
}

static err *nested_string(struct binder *b, const char *x, const struct sql_type *from, int depth,
                          buf *out) {
    char v[64], part[96];
    snprintf(v, sizeof v, "v{#}_%d", depth);
    if (from->kind == TY_ARRAY) {
        buf_fmt(out, "('[' || array_to_string(list_transform(%s, lambda %s: ", x, v);
        TRY(part_string(b, v, from->elem, depth, out));
        buf_z(out, "), ', ') || ']')");
        return NULL;
    }
    if (from->kind == TY_MAP) {
        buf_fmt(out, "('{{' || array_to_string(list_transform(map_entries(%s), lambda %s: ", x, v);
        snprintf(part, sizeof part, "%s.key", v);
        TRY(part_string(b, part, from->key, depth, out));
        buf_z(out, " || ' -> ' || ");
        snprintf(part, sizeof part, "%s.value", v);
        TRY(part_string(b, part, from->elem, depth, out));
        buf_z(out, "), ', ') || '}}')");
        return NULL;
    }
    buf_fmt(out, "list_transform([%s], lambda %s: CASE WHEN %s IS NOT NULL THEN '{{'", x, v, v);
    for (size_t i = 0; i < from->n; i++) {
        buf_z(out, i ? " || ', ' || " : " || ");
        snprintf(part, sizeof part, "%s.f%zu", v, i);
        TRY(part_string(b, part, from->fields[i].type, depth, out));
    }
    buf_z(out, " || '}}' END)[1]");
    return NULL;
}

static err *to_string(struct binder *b, const char *x, const struct sql_type *from, int depth, buf *out) {
    switch (from->kind) {
    case TY_FLOAT: buf_fmt(out, "bh_cast_float_string(%s)", x); return NULL;
    case TY_DOUBLE: buf_fmt(out, "bh_cast_double_string(%s)", x); return NULL;
    case TY_BINARY: buf_fmt(out, "bh_cast_binary_string(%s)", x); return NULL;
    case TY_DATE: buf_fmt(out, "bh_cast_date_string(%s)", x); return NULL;
    case TY_TIMESTAMP: buf_fmt(out, "bh_cast_timestamp_string(%s, {tz})", x); return NULL;
    case TY_TIMESTAMP_NTZ: buf_fmt(out, "bh_cast_ntz_string(%s)", x); return NULL;
    case TY_TIME: buf_fmt(out, "bh_cast_time_string(%s)", x); return NULL;
    case TY_INTERVAL_YM:
        buf_fmt(out, "bh_cast_ym_string(%s, %u, %u)", x, from->from, from->to);
        return NULL;
    case TY_INTERVAL_DT:
        buf_fmt(out, "bh_cast_dt_string(%s, %u, %u)", x, from->from, from->to);
        return NULL;
    case TY_INTERVAL: buf_fmt(out, "bh_cast_interval_string(%s)", x); return NULL;
    case TY_DECIMAL: /* DuckDB leaves out the 0 before the point where a type has no digits there */
        if (from->scale < from->precision)
            buf_fmt(out, "CAST(%s AS VARCHAR)", x);
        else if (from->precision < 38)
            buf_fmt(out, "CAST(CAST(%s AS DECIMAL(%u,%u)) AS VARCHAR)", x, from->precision + 1, from->scale);
        else
            buf_fmt(out, "regexp_replace(CAST(%s AS VARCHAR), '^(-?)[.]', '\\10.')", x);
        return NULL;
    case TY_VARIANT: buf_fmt(out, "bh_variant_cast_string(%s, {tz})", x); return NULL;
    case TY_ARRAY:
    case TY_MAP:
    case TY_STRUCT: return nested_string(b, x, from, depth, out);
    default: buf_fmt(out, "CAST(%s AS VARCHAR)", x); return NULL;
    }
}

static err *nested(struct binder *b, const char *x, const struct sql_type *from,
                   const struct sql_type *to, bool try_it, int depth, buf *out) {
    char v[64], part[96];
    snprintf(v, sizeof v, "v{#}_%d", depth);
    if (from->kind == TY_ARRAY) {
        buf_fmt(out, "list_transform(%s, lambda %s: ", x, v);
        TRY(cast_of(b, v, from->elem, to->elem, try_it, depth + 1, out));
        buf_c(out, ')');
        return NULL;
    }
    if (from->kind == TY_MAP) {
        buf_fmt(out, "map_from_entries(list_transform(map_entries(%s), lambda %s: {{'k': ", x, v);
        snprintf(part, sizeof part, "%s.key", v);
        TRY(cast_of(b, part, from->key, to->key, try_it, depth + 1, out));
        buf_z(out, ", 'v': ");
        snprintf(part, sizeof part, "%s.value", v);
        TRY(cast_of(b, part, from->elem, to->elem, try_it, depth + 1, out));
        buf_z(out, "}}))");
        return NULL;
    }
    buf_fmt(out, "list_transform([%s], lambda %s: CASE WHEN %s IS NOT NULL THEN {{", x, v, v);
    for (size_t i = 0; i < from->n; i++) {
        buf_fmt(out, "%s'f%zu': ", i ? ", " : "", i);
        snprintf(part, sizeof part, "%s.f%zu", v, i);
        TRY(cast_of(b, part, from->fields[i].type, to->fields[i].type, try_it, depth + 1, out));
    }
    buf_z(out, "}} END)[1]");
    return NULL;
}

/* Seconds since 1970 as numbers, and back. */
static void number_and_stamp(const char *x, const struct sql_type *from, const struct sql_type *to,
                             bool try_it, buf *out) {
    if (from->kind == TY_TIMESTAMP) {
        if (to->kind == TY_FLOAT || to->kind == TY_DOUBLE) {
            buf_fmt(out, "CAST(epoch_us(%s) / 1e6 AS ", x);
        } else if (to->kind == TY_DECIMAL) {
            buf_fmt(out, "%s(CAST(epoch_us(%s) AS DECIMAL(20,0)) * 0.000001 AS ",
                    try_it ? "TRY_CAST" : "CAST", x);
        } else {
            buf_fmt(out, "%s(bh_floor_div(epoch_us(%s), 1000000) AS ", try_it ? "TRY_CAST" : "CAST", x);
        }
        duck(to, out);
        buf_c(out, ')');
        return;
    }
    if (sql_is_integral(from))
        buf_fmt(out, "make_timestamptz(CAST(%s AS BIGINT) * 1000000)", x);
    else
        buf_fmt(out, from->kind == TY_DECIMAL ? "make_timestamptz(CAST(trunc(CAST(%s AS DECIMAL(38,%u)) * 1000000) AS BIGINT))" : "make_timestamptz(CAST(trunc(%s * 1000000) AS BIGINT))", x, from->scale);
}

static int64_t unit_size(unsigned unit) {
    static const int64_t size[] = {[UNIT_YEAR] = 12,         [UNIT_MONTH] = 1,
                                   [UNIT_DAY] = 86400000000, [UNIT_HOUR] = 3600000000,
                                   [UNIT_MINUTE] = 60000000, [UNIT_SECOND] = 1000000};
    return size[unit];
}

/* Years and months are rounded; of days, hours and minutes the part behind the point is dropped. */
static void number_to_interval(const char *x, bool whole, const struct sql_type *to, bool try_it, buf *out) {
    buf_fmt(out, "%s(", try_it ? "TRY_CAST" : "CAST");
    if (whole || to->to != UNIT_SECOND) {
        const char *cut = whole ? "" : to->kind == TY_INTERVAL_YM ? "round" : "trunc";
        buf_fmt(out, "CAST(%s(%s) AS HUGEINT) * %lld AS ", cut, x, (long long)unit_size(to->to));
    } else {
        buf_fmt(out, "%s * 1000000 AS ", x);
    }
    duck(to, out);
    buf_c(out, ')');
}

static void from_number(struct binder *b, const char *x, const struct sql_type *from, const struct sql_type *to,
                        bool try_it, buf *out) {
    bool whole = sql_is_integral(from);
    if (to->kind == TY_BOOLEAN) {
        buf_fmt(out, "(%s <> 0)", x);
    } else if (to->kind == TY_TIMESTAMP) {
        number_and_stamp(x, from, to, try_it, out);
    } else if (to->kind == TY_INTERVAL_YM || to->kind == TY_INTERVAL_DT) {
        number_to_interval(x, whole, to, try_it, out);
    } else if (to->kind == TY_BINARY) {
        buf_fmt(out, "bh_%s_to_binary(%s)", kind_word(from), x);
    } else if (sql_is_integral(to) && whole && to->kind < from->kind && !b->env->ansi && !b->try_cast) {
        char t[4096];
        snprintf(t, sizeof t, "CAST(%s AS BIGINT)", x);
        sql_wrap(out, to, t);
    } else if (sql_is_integral(to) && !whole) {
        char t[4096];
        if ((size_t)snprintf(t, sizeof t, "trunc(%s)", x) < sizeof t)
            native(t, to, try_it, out);
        else
            native(x, to, try_it, out);
    } else if (to->kind == TY_DECIMAL && (from->kind == TY_FLOAT || from->kind == TY_DOUBLE)) {
        buf_fmt(out, "CAST(bh_%scast_double_decimal(CAST(%s AS DOUBLE), %u, %u) AS DECIMAL(%u,%u))",
                try_it ? "try_" : "", x, to->precision, to->scale, to->precision, to->scale);
    } else if (to->kind == TY_FLOAT && from->kind == TY_DOUBLE) {
        buf_fmt(out, "bh_cast_double_float(%s)", x);
    } else {
        native(x, to, try_it, out);
    }
}

static err *from_time(struct binder *b, const char *x, const struct sql_type *from,
                      const struct sql_type *to, bool try_it, buf *out) {
    (void)b;
    switch (from->kind) {
    case TY_DATE:
        if (to->kind == TY_TIMESTAMP)
            buf_fmt(out, "bh_date_to_ts(%s, {tz})", x);
        else
            native(x, to, try_it, out);
        return NULL;
    case TY_TIMESTAMP:
        if (to->kind == TY_DATE)
            buf_fmt(out, "bh_ts_to_date(%s, {tz})", x);
        else if (to->kind == TY_TIMESTAMP_NTZ)
            buf_fmt(out, "bh_ts_to_ntz(%s, {tz})", x);
        else if (to->kind == TY_TIME)
            buf_fmt(out, "CAST(bh_ts_to_ntz(%s, {tz}) AS TIME)", x);
        else
            number_and_stamp(x, from, to, try_it, out);
        return NULL;
    case TY_TIMESTAMP_NTZ:
        if (to->kind == TY_TIMESTAMP)
            buf_fmt(out, "bh_ntz_to_ts(%s, {tz})", x);
        else
            native(x, to, try_it, out);
        return NULL;
    case TY_TIME:
        if (to->kind == TY_TIME) { /* digits behind the point that the type has not are dropped */
            int64_t unit = 1;
            for (unsigned p = to->precision; p < 6; p++) unit *= 10;
            buf_fmt(out, unit == 1 ? "%s" : "(TIME '00:00:00' + to_microseconds((epoch_us(%s) // %lld) * %lld))", x, (long long)unit, (long long)unit);
            return NULL;
        }
        if (sql_is_integral(to) || to->kind == TY_DECIMAL || to->kind == TY_FLOAT || to->kind == TY_DOUBLE) {
            buf_fmt(out, "%s(", try_it ? "TRY_CAST" : "CAST");
            buf_fmt(out, to->kind == TY_DECIMAL ? "CAST(epoch_us(%s) AS DECIMAL(20,0)) * 0.000001" : sql_is_integral(to) ? "epoch_us(%s) // 1000000" : "epoch_us(%s) / 1e6", x);
            buf_z(out, " AS ");
            duck(to, out);
            buf_c(out, ')');
            return NULL;
        }
        native(x, to, try_it, out);
        return NULL;
    default: native(x, to, try_it, out); return NULL;
    }
}

static err *from_variant(struct binder *b, const char *x, const struct sql_type *to, bool try_it, int depth, buf *out) {
    if (to->kind >= TY_ARRAY && to->kind <= TY_STRUCT) {
        char json[128];
        if ((size_t)snprintf(json, sizeof json, "bh_variant_json(%s, {tz})", x) >= sizeof json) return unsupported(b, NULL, "this cast of a variant");
        TRY(sql_json_read_tmpl(b->env, b->a, json, to, out));
        return NULL;
    }
    buf *inner = sql_buf(b->a), *t = sql_buf(b->a);
    sql_type_write(to, t);
    buf_fmt(inner, "bh_%svariant_get(%s, '$', ", try_it ? "try_" : "", x);
    sql_quote(inner, buf_view(t));
    buf_z(inner, ", {tz})");
    buf_c(inner, 0);
    if (try_it) {
        from_string(b, inner->p, to, true, out);
        return NULL;
    }
    /* What the text of a value does not read as is an error of the variant's own. */
    buf *name = sql_buf(b->a), *q = sql_buf(b->a);
    char v[40];
    snprintf(v, sizeof v, "v{#}_%d", depth);
    sql_type_write_sql(to, name);
    sql_quote(q, buf_view(t));
    buf *plain = sql_buf(b->a), *tried = sql_buf(b->a);
    buf_fmt(plain, "bh_variant_get(%s, '$', %.*s, {tz})", v, STR_ARG(buf_view(q)));
    buf_c(plain, 0);
    from_string(b, plain->p, to, true, tried);
    buf_fmt(out, "list_transform([%s], lambda %s: CASE WHEN (%.*s) IS NULL AND %s IS NOT NULL AND NOT bh_is_variant_null(%s) THEN error('[INVALID_VARIANT_CAST] ' || CAST(to_json({{'value': bh_variant_json(%s, {tz}), 'dataType': '\"%.*s\"'}}) AS VARCHAR)) ELSE %.*s END)[1]",
            x, v, STR_ARG(buf_view(tried)), v, v, v, STR_ARG(buf_view(name)), STR_ARG(buf_view(tried)));
    return NULL;
}

static err *cast_of(struct binder *b, const char *x, const struct sql_type *from,
                    const struct sql_type *to, bool try_it, int depth, buf *out) {
    if (depth > 60) return unsupported(b, NULL, "casts of types nested this deep");
    if (from->kind == TY_VOID) {
        native("NULL", to, false, out);
        return NULL;
    }
    bool cuts = from->kind == to->kind && (from->kind == TY_TIME || from->kind == TY_INTERVAL_YM || from->kind == TY_INTERVAL_DT);
    if (sql_type_same_physical(from, to) && !cuts) {
        buf_z(out, x);
        return NULL;
    }
    if (to->kind == TY_VARIANT) {
        buf_z(out, "bh_variant_made(");
        TRY(sql_json_write_tmpl(b->env, b->a, x, from, out));
        buf_c(out, ')');
        return NULL;
    }
    if (sql_is_text(to)) return to_string(b, x, from, depth, out);
    if (from->kind == TY_VARIANT) return from_variant(b, x, to, try_it, depth, out);
    if (sql_is_text(from)) {
        from_string(b, x, to, try_it, out);
        return NULL;
    }
    if (sql_is_numeric(from)) {
        from_number(b, x, from, to, try_it, out);
        return NULL;
    }
    if (from->kind == to->kind && from->kind >= TY_ARRAY && from->kind <= TY_STRUCT)
        return nested(b, x, from, to, try_it, depth, out);
    if (from->kind == TY_INTERVAL_YM || from->kind == TY_INTERVAL_DT) {
        if (from->kind == to->kind) {
            /* Fields below the target's last are cut off. */
            int64_t unit = unit_size(to->to);
            if (to->to == UNIT_SECOND || to->to == UNIT_MONTH)
                buf_z(out, x);
            else
                buf_fmt(out, "((%s // %lld) * %lld)", x, (long long)unit, (long long)unit);
        } else if (to->kind == TY_DECIMAL && from->to == UNIT_SECOND) {
            buf_fmt(out, "%s(CAST(%s AS DECIMAL(20,0)) * 0.000001 AS ", try_it ? "TRY_CAST" : "CAST", x);
            duck(to, out);
            buf_c(out, ')');
        } else {
            buf_fmt(out, "%s(%s // %lld AS ", try_it ? "TRY_CAST" : "CAST", x,
                    (long long)unit_size(from->to));
            duck(to, out);
            buf_c(out, ')');
        }
        return NULL;
    }
    if (from->kind >= TY_DATE && from->kind <= TY_TIME) return from_time(b, x, from, to, try_it, out);
    native(x, to, try_it, out);
    return NULL;
}

/* What does not fit is an error in both modes: interval to number and back. */
static bool always_strict(const struct sql_type *from, const struct sql_type *to) {
    bool left = from->kind == TY_INTERVAL_YM || from->kind == TY_INTERVAL_DT, right = to->kind == TY_INTERVAL_YM || to->kind == TY_INTERVAL_DT;
    return (left && sql_is_numeric(to)) || (right && sql_is_numeric(from));
}

err *emit_cast_tmpl(struct binder *b, const struct sql_type *from, const struct sql_type *to,
                    bool try_it, buf *out) {
    if (!b->try_cast && always_strict(from, to)) try_it = false;
    return cast_of(b, "{0}", from, to, try_it, 0, out);
}
