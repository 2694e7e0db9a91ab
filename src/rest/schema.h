/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes of request and response bodies, as the route tables declare them, and the validator.
 * Rules (reference: what real clients send): unknown fields are ignored; null counts as absent;
 * int64 and double take numbers or decimal strings (protobuf-JSON), bool takes true/false and the
 * texts "true"/"false" (query parameters), a list takes a single value where the parameter came
 * from a query.
 */
#ifndef BH_REST_SCHEMA_H
#define BH_REST_SCHEMA_H

#include "base/err.h"
#include "base/json.h"

enum schema_type {
    SCHEMA_ANY,
    SCHEMA_STRING,
    SCHEMA_INT64,
    SCHEMA_DOUBLE,
    SCHEMA_BOOL,
    SCHEMA_OBJECT, /* sub: its fields; NULL: any object */
    SCHEMA_LIST,   /* sub->fields[0]: the element */
    SCHEMA_MAP,    /* of sub->fields[0] */
    SCHEMA_ENUM    /* values, separated by '|' */
};

struct schema_field {
    const char *name;
    enum schema_type type;
    bool required;
    const char *values;
    const struct schema *sub;
};

struct schema {
    const struct schema_field *fields;
    size_t n;
};

/* Checks v (an object) against s. Error INVALID_PARAMETER_VALUE names the field's path and value. */
err *schema_check(const struct schema *s, jval *v) BH_CHECK;

#endif
