/* SPDX-License-Identifier: Apache-2.0 */
/* How drivers read the name of a column's type: "DECIMAL(10,2)", "STRUCT<name: STRING, age: INT>". */
#ifndef BH_STATEMENTS_TYPE_NAME_H
#define BH_STATEMENTS_TYPE_NAME_H

/* An expression of SQL over information_schema.columns. Types are in upper case, names of fields as they are. */
#define STATEMENT_TYPE_NAME                                                                                              \
    "CASE WHEN data_type IN ('STRUCT', 'ARRAY', 'MAP') THEN array_join(transform(regexp_extract_all(full_data_type, "     \
    "'`[^`]*`:|[^<>,:()`]+:|[^<>,:()`]+(\\\\([^)]*\\\\))?|[<>,]', 0), t -> CASE WHEN endswith(t, ':') THEN concat(t, ' ') " \
    "WHEN t = ',' THEN ', ' ELSE upper(t) END), '') ELSE upper(full_data_type) END"

#endif
