/* SPDX-License-Identifier: Apache-2.0 */
/* Types as text: Spark's two forms, DuckDB's, and the reader of the DDL form. */
#include "sql/error.h"
#include "sql/sql.h"
#include "sql/type.h"

static const char *const simple[TY_KINDS] = {
    [TY_VOID] = "void",           [TY_BOOLEAN] = "boolean", [TY_TINYINT] = "tinyint",
    [TY_SMALLINT] = "smallint",   [TY_INT] = "int",         [TY_BIGINT] = "bigint",
    [TY_FLOAT] = "float",         [TY_DOUBLE] = "double",   [TY_DECIMAL] = "decimal",
    [TY_STRING] = "string",       [TY_CHAR] = "char",       [TY_VARCHAR] = "varchar",
    [TY_BINARY] = "binary",       [TY_DATE] = "date",       [TY_TIMESTAMP] = "timestamp",
    [TY_TIMESTAMP_NTZ] = "timestamp_ntz", [TY_TIME] = "time", [TY_INTERVAL] = "interval",
    [TY_ARRAY] = "array",         [TY_MAP] = "map",         [TY_STRUCT] = "struct",
    [TY_VARIANT] = "variant",     [TY_OBJECT] = "object",
};
static const char *const units[] = {"year", "month", "day", "hour", "minute", "second"};

static void word(buf *out, const char *z, bool upper) {
    for (; *z; z++) buf_c(out, upper && *z >= 'a' && *z <= 'z' ? (char)(*z - 32) : *z);
}

static void field_name(buf *out, str name, bool quote) {
    bool plain = name.n > 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
              (c >= '0' && c <= '9')))
            plain = false;
    }
    if (plain || !quote) {
        buf_str(out, name);
        return;
    }
    buf_c(out, '`');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '`') buf_c(out, '`');
        buf_c(out, name.p[i]);
    }
    buf_c(out, '`');
}

/* Both of Spark's forms: `sql` is upper case and names nullability. */
static void write_type(const struct sql_type *t, buf *out, bool sql) {
    switch (t->kind) {
    case TY_DECIMAL:
        word(out, "decimal", sql);
        buf_fmt(out, "(%u,%u)", t->precision, t->scale);
        return;
    case TY_CHAR:
    case TY_VARCHAR:
        word(out, simple[t->kind], sql);
        buf_fmt(out, "(%d)", t->length);
        break;
    case TY_TIME:
        word(out, "time", sql);
        buf_fmt(out, "(%u)", t->precision);
        return;
    case TY_INTERVAL_YM:
    case TY_INTERVAL_DT:
        word(out, "interval ", sql);
        word(out, units[t->from], sql);
        if (t->to != t->from) {
            word(out, " to ", sql);
            word(out, units[t->to], sql);
        }
        return;
    case TY_ARRAY:
        word(out, "array<", sql);
        write_type(t->elem, out, sql);
        buf_c(out, '>');
        return;
    case TY_MAP:
        word(out, "map<", sql);
        write_type(t->key, out, sql);
        buf_z(out, sql ? ", " : ",");
        write_type(t->elem, out, sql);
        buf_c(out, '>');
        return;
    case TY_STRUCT:
        word(out, "struct<", sql);
        for (size_t i = 0; i < t->n; i++) {
            if (i) buf_z(out, sql ? ", " : ",");
            field_name(out, t->fields[i].name, sql);
            buf_z(out, sql ? ": " : ":");
            write_type(t->fields[i].type, out, sql);
            if (sql && !t->fields[i].nullable) buf_z(out, " NOT NULL");
        }
        buf_c(out, '>');
        return;
    default: word(out, simple[t->kind], sql); break;
    }
    if (sql_is_text(t) && t->collation.n) {
        word(out, " collate ", sql);
        for (size_t i = 0; i < t->collation.n; i++) { /* names of collations are shown in capitals */
            char c = t->collation.p[i];
            buf_c(out, c >= 'a' && c <= 'z' ? (char)(c - 32) : c);
        }
    }
}

void sql_type_write(const struct sql_type *t, buf *out) { write_type(t, out, false); }
void sql_type_write_sql(const struct sql_type *t, buf *out) { write_type(t, out, true); }

void sql_type_write_duckdb(const struct sql_type *t, buf *out) {
    static const char *const duck[TY_KINDS] = {
        [TY_VOID] = "INTEGER",      [TY_BOOLEAN] = "BOOLEAN",  [TY_TINYINT] = "TINYINT",
        [TY_SMALLINT] = "SMALLINT", [TY_INT] = "INTEGER",      [TY_BIGINT] = "BIGINT",
        [TY_FLOAT] = "FLOAT",       [TY_DOUBLE] = "DOUBLE",    [TY_STRING] = "VARCHAR",
        [TY_CHAR] = "VARCHAR",      [TY_VARCHAR] = "VARCHAR",  [TY_BINARY] = "BLOB",
        [TY_DATE] = "DATE",         [TY_TIMESTAMP] = "TIMESTAMPTZ",
        [TY_TIMESTAMP_NTZ] = "TIMESTAMP", [TY_TIME] = "TIME",  [TY_INTERVAL_YM] = "INTEGER",
        [TY_INTERVAL_DT] = "BIGINT", [TY_INTERVAL] = "STRUCT(m INTEGER, d INTEGER, us BIGINT)",
        [TY_VARIANT] = "BLOB",      [TY_OBJECT] = "BLOB",
    };
    switch (t->kind) {
    case TY_DECIMAL: buf_fmt(out, "DECIMAL(%u,%u)", t->precision, t->scale); return;
    case TY_ARRAY:
        sql_type_write_duckdb(t->elem, out);
        buf_z(out, "[]");
        return;
    case TY_MAP:
        buf_z(out, "MAP(");
        sql_type_write_duckdb(t->key, out);
        buf_z(out, ", ");
        sql_type_write_duckdb(t->elem, out);
        buf_c(out, ')');
        return;
    case TY_STRUCT:
        buf_z(out, "STRUCT(");
        /* DuckDB has no struct without fields. */
        if (t->n == 0) buf_z(out, "f0 BOOLEAN");
        for (size_t i = 0; i < t->n; i++) {
            buf_fmt(out, "%sf%zu ", i ? ", " : "", i);
            sql_type_write_duckdb(t->fields[i].type, out);
        }
        buf_c(out, ')');
        return;
    default: buf_z(out, duck[t->kind]); return;
    }
}

/* ---- reading ---- */

struct reader {
    arena *a;
    str s;
    size_t i;
    int depth;
};

static err *read_type(struct reader *r, const struct sql_type **ret);

static void blanks(struct reader *r) {
    while (r->i < r->s.n && (r->s.p[r->i] == ' ' || r->s.p[r->i] == '\n' || r->s.p[r->i] == '\t' ||
                             r->s.p[r->i] == '\r'))
        r->i++;
}

static bool take(struct reader *r, char c) {
    blanks(r);
    if (r->i >= r->s.n || r->s.p[r->i] != c) return false;
    r->i++;
    return true;
}

static bool name_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* A plain or quoted name; empty when there is none. */
static str take_name(struct reader *r) {
    blanks(r);
    if (r->i < r->s.n && r->s.p[r->i] == '`') {
        char *to = arena_alloc(r->a, r->s.n - r->i + 1);
        size_t n = 0;
        for (r->i++; r->i < r->s.n; r->i++) {
            if (r->s.p[r->i] == '`') {
                if (r->i + 1 >= r->s.n || r->s.p[r->i + 1] != '`') break;
                r->i++;
            }
            to[n++] = r->s.p[r->i];
        }
        if (r->i < r->s.n) r->i++;
        return str_n(to, n);
    }
    size_t from = r->i;
    while (r->i < r->s.n && name_byte(r->s.p[r->i])) r->i++;
    return arena_str(r->a, str_n(r->s.p + from, r->i - from));
}

static bool take_word(struct reader *r, const char *z) {
    size_t at = r->i;
    if (str_ieq(take_name(r), str_of(z))) return true;
    r->i = at;
    return false;
}

static err *bad(struct reader *r) {
    return sql_error("PARSE_SYNTAX_ERROR", NULL, STR_NONE, "error",
                     arena_printf(r->a, "'%.*s'", STR_ARG(str_from(r->s, r->i))), "hint", "", NULL);
}

static err *read_text(struct reader *r, str *ret) {
    if (!take(r, '\'')) return bad(r);
    char *to = arena_alloc(r->a, r->s.n - r->i + 1);
    size_t n = 0;
    for (; r->i < r->s.n && r->s.p[r->i] != '\''; r->i++) {
        if (r->s.p[r->i] == '\\' && r->i + 1 < r->s.n) r->i++;
        to[n++] = r->s.p[r->i];
    }
    if (!take(r, '\'')) return bad(r);
    *ret = str_n(to, n);
    return NULL;
}

/* name [:] type [NOT NULL] [COMMENT 'text'], … until `end` (0: the end of the text). */
static err *read_fields(struct reader *r, char end, const struct sql_type **ret) {
    size_t n = 0, cap = 8;
    struct sql_field *f = arena_array_of(r->a, struct sql_field, cap);
    if (end && take(r, end)) {
        *ret = sql_struct(r->a, f, 0);
        return NULL;
    }
    for (;;) {
        if (n == cap) {
            struct sql_field *more = arena_array_of(r->a, struct sql_field, cap * 2);
            memcpy(more, f, n * sizeof *f);
            f = more;
            cap *= 2;
        }
        f[n].name = take_name(r);
        f[n].nullable = true;
        if (f[n].name.n == 0) return bad(r);
        take(r, ':');
        TRY(read_type(r, &f[n].type));
        if (take_word(r, "not")) {
            if (!take_word(r, "null")) return bad(r);
            f[n].nullable = false;
        }
        if (take_word(r, "comment")) TRY(read_text(r, &f[n].comment));
        n++;
        if (!take(r, ',')) break;
    }
    blanks(r);
    if (end ? !take(r, end) : r->i < r->s.n) return bad(r);
    *ret = sql_struct(r->a, f, n);
    return NULL;
}

static err *read_sized(struct reader *r, enum sql_type_kind kind, const struct sql_type **ret) {
    int64_t args[2] = {0, 0};
    size_t n = 0;
    if (take(r, '(')) {
        do {
            if (n == 2 || !str_to_i64(take_name(r), &args[n])) return bad(r);
            n++;
        } while (take(r, ','));
        if (!take(r, ')')) return bad(r);
    }
    TRY(sql_type_sized(r->a, kind, args, n, ret));
    if (sql_is_text(*ret) && take_word(r, "collate")) {
        struct sql_type *t = arena_new_of(r->a, struct sql_type);
        *t = **ret;
        t->collation = take_name(r);
        if (str_ieq(t->collation, STR("UTF8_BINARY"))) t->collation = STR_NONE;
        *ret = t;
    }
    return NULL;
}

static err *read_interval(struct reader *r, const struct sql_type **ret) {
    enum sql_unit from, to;
    size_t at = r->i;
    if (!sql_unit_by_name(take_name(r), &from)) {
        r->i = at;
        *ret = sql_type_of(TY_INTERVAL);
        return NULL;
    }
    to = from;
    if (take_word(r, "to") && !sql_unit_by_name(take_name(r), &to)) return bad(r);
    if (from > to || (from <= UNIT_MONTH) != (to <= UNIT_MONTH)) return bad(r);
    *ret = sql_interval(r->a, from, to);
    return NULL;
}

static err *read_nested(struct reader *r, str name, const struct sql_type **ret) {
    const struct sql_type *k = NULL, *e;
    bool map = str_ieq(name, STR("map"));
    if (!take(r, '<')) return bad(r);
    if (str_ieq(name, STR("struct"))) return read_fields(r, '>', ret);
    if (map) {
        TRY(read_type(r, &k));
        if (!take(r, ',')) return bad(r);
    }
    TRY(read_type(r, &e));
    if (!take(r, '>')) return bad(r);
    *ret = map ? sql_map(r->a, k, e, true) : sql_array(r->a, e, true);
    return NULL;
}

static err *read_type(struct reader *r, const struct sql_type **ret) {
    enum sql_type_kind kind;
    str name = take_name(r);
    if (++r->depth > 100) return bad(r);
    err *e;
    if (str_ieq(name, STR("array")) || str_ieq(name, STR("map")) || str_ieq(name, STR("struct")))
        e = read_nested(r, name, ret);
    else if (str_ieq(name, STR("interval")))
        e = read_interval(r, ret);
    else if (sql_type_kind_by_name(name, &kind))
        e = read_sized(r, kind, ret);
    else
        e = sql_error("UNSUPPORTED_DATATYPE", NULL, STR_NONE, "typeName",
                      arena_printf(r->a, "\"%.*s\"", STR_ARG(name)), NULL);
    r->depth--;
    return e;
}

err *sql_type_parse(arena *a, str text, const struct sql_type **ret) {
    struct reader r = {.a = a, .s = text};
    err *e = read_type(&r, ret);
    blanks(&r);
    if (!e && r.i == text.n) return NULL;
    struct reader again = {.a = a, .s = text};
    err *e2 = read_fields(&again, 0, ret);
    if (!e2) {
        err_free(e);
        return NULL;
    }
    if (e) {
        err_free(e2);
        return e;
    }
    return e2;
}
