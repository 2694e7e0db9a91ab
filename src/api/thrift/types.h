/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of the dialect as Thrift clients see them: TTypeId and qualifiers of result columns, and the JDBC
 * attributes of metadata answers (java.sql.DatabaseMetaData.getColumns, getTypeInfo).
 */
#ifndef BH_API_THRIFT_TYPES_H
#define BH_API_THRIFT_TYPES_H

#include "sql/type.h"
#include "thrift/gen_tcli.h"

struct thrift_type {
    enum sql_type_kind kind;
    int32_t id;          /* TTypeId */
    int32_t java;        /* java.sql.Types */
    const char *name;    /* as TYPE_NAME without parameters */
    int32_t size;        /* COLUMN_SIZE; -1: NULL */
    int32_t digits;      /* DECIMAL_DIGITS; -1: NULL */
    int32_t radix;       /* NUM_PREC_RADIX; -1: NULL */
    int32_t bytes;       /* CHAR_OCTET_LENGTH; -1: NULL */
    bool fixed;          /* searchable and usable in metadata of types */
};

/* One row for each kind, in the order of enum sql_type_kind. */
extern const struct thrift_type thrift_types[TY_KINDS];

/* The row of a type; decimals, chars and varchars fill their own size and digits. */
struct thrift_type thrift_type_of(const struct sql_type *t);
/* A type's description for TColumnDesc, in the arena. */
struct t_type_desc *thrift_type_desc(arena *a, const struct sql_type *t);

#endif
