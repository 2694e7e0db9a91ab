/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of the dialect (Spark's), and how a value of each lies in DuckDB.
 *
 *   type                    DuckDB                      note
 *   void                    "NULL" (INTEGER where a type is needed)
 *   boolean                 BOOLEAN
 *   tinyint … bigint        TINYINT … BIGINT
 *   float, double           FLOAT, DOUBLE
 *   decimal(p,s)            DECIMAL(p,s)
 *   string, char, varchar   VARCHAR                     collation is the type's, comparisons apply it
 *   binary                  BLOB
 *   date                    DATE
 *   timestamp               TIMESTAMP WITH TIME ZONE    an instant, microseconds
 *   timestamp_ntz           TIMESTAMP
 *   time                    TIME                        microseconds
 *   interval year to month  INTEGER                     months
 *   interval day to second  BIGINT                      microseconds
 *   interval (calendar)     STRUCT(m INTEGER, d INTEGER, us BIGINT)   make_interval() only
 *   array<T>                T[]
 *   map<K,V>                MAP(K, V)
 *   struct<…>               STRUCT("f0" …, "f1" …)      DuckDB folds case and refuses doubles: fields are
 *                                                       named f0, f1, … there; real names are only here
 *   variant                 BLOB                        u32 LE length of metadata, metadata, value, both as in
 *                                                       Spark's variant encoding
 */
#ifndef BH_SQL_TYPE_H
#define BH_SQL_TYPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum sql_type_kind {
    TY_VOID, TY_BOOLEAN, TY_TINYINT, TY_SMALLINT, TY_INT, TY_BIGINT, TY_FLOAT, TY_DOUBLE, TY_DECIMAL,
    TY_STRING, TY_CHAR, TY_VARCHAR, TY_BINARY, TY_DATE, TY_TIMESTAMP, TY_TIMESTAMP_NTZ, TY_TIME,
    TY_INTERVAL_YM, TY_INTERVAL_DT, TY_INTERVAL, TY_ARRAY, TY_MAP, TY_STRUCT, TY_VARIANT, TY_OBJECT,
    TY_KINDS
};

/* Fields of intervals: year month | day hour minute second. */
enum sql_unit { UNIT_YEAR, UNIT_MONTH, UNIT_DAY, UNIT_HOUR, UNIT_MINUTE, UNIT_SECOND };

struct sql_field {
    str name;
    const struct sql_type *type;
    bool nullable;
    str comment;        /* or empty */
    str metadata;       /* JSON object text of a Delta field, or empty */
};

struct sql_type {
    enum sql_type_kind kind;
    uint8_t precision, scale;        /* decimal; time: precision (6) */
    uint8_t from, to;                /* intervals: enum sql_unit */
    int32_t length;                  /* char, varchar */
    str collation;                   /* string; empty: UTF8_BINARY */
    const struct sql_type *elem;     /* array; map: value */
    const struct sql_type *key;      /* map */
    bool elem_nullable;              /* array elements, map values */
    const struct sql_field *fields;  /* struct */
    size_t n;
};

/* The types without parameters, shared. TY_DECIMAL gives decimal(10,0), TY_STRING the default collation. */
const struct sql_type *sql_type_of(enum sql_type_kind kind);
const struct sql_type *sql_decimal(arena *a, int precision, int scale);
const struct sql_type *sql_array(arena *a, const struct sql_type *elem, bool nullable);
const struct sql_type *sql_map(arena *a, const struct sql_type *key, const struct sql_type *value, bool nullable);
/* The fields are not copied. */
const struct sql_type *sql_struct(arena *a, const struct sql_field *fields, size_t n);
const struct sql_type *sql_interval(arena *a, enum sql_unit from, enum sql_unit to);

bool sql_type_eq(const struct sql_type *a, const struct sql_type *b);
/* Is it of this kind, or something within it? */
bool sql_type_has(const struct sql_type *t, enum sql_type_kind kind);
/* Do values of both lie in DuckDB alike (names of fields, nullability, lengths aside)? */
bool sql_type_same_physical(const struct sql_type *a, const struct sql_type *b);
/* "bigint", "long", … without parameters; false: no such type. */
bool sql_type_kind_by_name(str name, enum sql_type_kind *ret);
/* "day", "DAYS", …; false: no such unit. */
bool sql_unit_by_name(str name, enum sql_unit *ret);
/* decimal(args…), char(n), varchar(n), time(p); n may be 0. */
err *sql_type_sized(arena *a, enum sql_type_kind kind, const int64_t *args, size_t n,
                    const struct sql_type **ret) BH_CHECK;
static inline bool sql_is_integral(const struct sql_type *t) { return t->kind >= TY_TINYINT && t->kind <= TY_BIGINT; }
static inline bool sql_is_numeric(const struct sql_type *t) { return t->kind >= TY_TINYINT && t->kind <= TY_DECIMAL; }
static inline bool sql_is_text(const struct sql_type *t) { return t->kind >= TY_STRING && t->kind <= TY_VARCHAR; }

/* "array<struct<a:int,b:string>>", as DESCRIBE and typeof() write it (simpleString / catalogString). */
void sql_type_write(const struct sql_type *t, buf *out);
/* "ARRAY<STRUCT<a: INT, b: STRING>>": Spark's sql form, of error messages and SHOW CREATE TABLE. */
void sql_type_write_sql(const struct sql_type *t, buf *out);
/* DuckDB's type for a value of it. */
void sql_type_write_duckdb(const struct sql_type *t, buf *out);
/* Delta's and Spark's JSON form of schemas: "integer", "decimal(10,2)", {"type":"struct","fields":[…]}. */
void sql_type_write_json(const struct sql_type *t, buf *out);
/* Is there a collation of this name? The string type with it (UTF8_BINARY is none). */
bool sql_collation_known(str name);
const struct sql_type *sql_collated(arena *a, const struct sql_type *t, str name);
/* As sql_type_write_json() for a type that stands by itself, so that it is read as it was: a collated string says so. */
void sql_type_write_json_alone(const struct sql_type *t, buf *out);
err *sql_type_read_json(arena *a, jval *v, const struct sql_type **ret) BH_CHECK;
/* From text of the DDL form: "int", "array<string>", "struct<a:int>", "a INT, b STRING" (a struct). */
err *sql_type_parse(arena *a, str text, const struct sql_type **ret) BH_CHECK;

#endif
