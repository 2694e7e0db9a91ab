/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata calls are SQL over system.information_schema, run in the caller's session like any statement of his:
 * rights, filters, paging and formats are those of every other door. Columns are named and ordered as JDBC's
 * DatabaseMetaData has them.
 *
 * A name that a call gives is a LIKE pattern ('%', '_', escaped by '\'); an absent or empty one means all.
 */
#include "api/thrift/thrift_int.h"
#include "api/thrift/types.h"
#include "statements/type_name.h"

#define MATCHES(column, param) "(:" param " IS NULL OR lower(" column ") LIKE lower(:" param "))"
#define EXACTLY(column, param) "(:" param " IS NULL OR lower(" column ") = lower(:" param "))"
#define FROM_INFO " FROM system.information_schema."

static const char catalogs_sql[] = "SELECT catalog_name AS TABLE_CAT" FROM_INFO "catalogs ORDER BY 1";

static const char schemas_sql[] =
    "SELECT schema_name AS TABLE_SCHEM, catalog_name AS TABLE_CATALOG" FROM_INFO "schemata WHERE "
    MATCHES("catalog_name", "catalog") " AND " MATCHES("schema_name", "schema") " ORDER BY 2, 1";

#define TABLE_KIND                                                                                 \
    "CASE WHEN table_schema = 'information_schema' THEN 'SYSTEM TABLE' WHEN table_type LIKE '%VIEW' THEN 'VIEW' " \
    "ELSE 'TABLE' END"

static const char tables_sql[] =
    "SELECT table_catalog AS TABLE_CAT, table_schema AS TABLE_SCHEM, table_name AS TABLE_NAME, " TABLE_KIND
    " AS TABLE_TYPE, coalesce(comment, '') AS REMARKS, CAST(NULL AS STRING) AS TYPE_CAT, CAST(NULL AS STRING) AS "
    "TYPE_SCHEM, CAST(NULL AS STRING) AS TYPE_NAME, CAST(NULL AS STRING) AS SELF_REFERENCING_COL_NAME, CAST(NULL AS "
    "STRING) AS REF_GENERATION" FROM_INFO "tables WHERE " MATCHES("table_catalog", "catalog") " AND "
    MATCHES("table_schema", "schema") " AND " MATCHES("table_name", "table")
    " AND (:types IS NULL OR contains(:types, concat('|', " TABLE_KIND ", '|'))) ORDER BY 4, 1, 2, 3";

static const char table_types_sql[] =
    "SELECT t AS TABLE_TYPE FROM VALUES ('SYSTEM TABLE'), ('TABLE'), ('VIEW') AS v(t) ORDER BY 1";

static const char functions_sql[] =
    "SELECT routine_catalog AS FUNCTION_CAT, routine_schema AS FUNCTION_SCHEM, routine_name AS FUNCTION_NAME, "
    "coalesce(comment, '') AS REMARKS, 1 AS FUNCTION_TYPE, specific_name AS SPECIFIC_NAME" FROM_INFO
    "routines WHERE " MATCHES("routine_catalog", "catalog") " AND " MATCHES("routine_schema", "schema") " AND "
    MATCHES("routine_name", "name") " ORDER BY 1, 2, 3";

static const char primary_keys_sql[] =
    "SELECT k.table_catalog AS TABLE_CAT, k.table_schema AS TABLE_SCHEM, k.table_name AS TABLE_NAME, k.column_name AS "
    "COLUMN_NAME, CAST(k.ordinal_position AS SMALLINT) AS KEY_SEQ, k.constraint_name AS PK_NAME" FROM_INFO
    "key_column_usage AS k JOIN system.information_schema.table_constraints AS c ON c.constraint_catalog = "
    "k.constraint_catalog AND c.constraint_schema = k.constraint_schema AND c.constraint_name = k.constraint_name AND "
    "c.table_name = k.table_name WHERE c.constraint_type = 'PRIMARY KEY' AND " EXACTLY("k.table_catalog", "catalog")
    " AND " EXACTLY("k.table_schema", "schema") " AND " EXACTLY("k.table_name", "table") " ORDER BY 4";

static const char cross_reference_sql[] =
    "SELECT p.table_catalog AS PKTABLE_CAT, p.table_schema AS PKTABLE_SCHEM, p.table_name AS PKTABLE_NAME, p.column_name "
    "AS PKCOLUMN_NAME, f.table_catalog AS FKTABLE_CAT, f.table_schema AS FKTABLE_SCHEM, f.table_name AS FKTABLE_NAME, "
    "f.column_name AS FKCOLUMN_NAME, CAST(f.ordinal_position AS SMALLINT) AS KEY_SEQ, CAST(3 AS SMALLINT) AS UPDATE_RULE, "
    "CAST(3 AS SMALLINT) AS DELETE_RULE, f.constraint_name AS FK_NAME, p.constraint_name AS PK_NAME, CAST(7 AS SMALLINT) "
    "AS DEFERRABILITY" FROM_INFO "referential_constraints AS r JOIN system.information_schema.key_column_usage AS f ON "
    "f.constraint_catalog = r.constraint_catalog AND f.constraint_schema = r.constraint_schema AND f.constraint_name = "
    "r.constraint_name JOIN system.information_schema.key_column_usage AS p ON p.constraint_catalog = "
    "r.unique_constraint_catalog AND p.constraint_schema = r.unique_constraint_schema AND p.constraint_name = "
    "r.unique_constraint_name AND p.ordinal_position = f.position_in_unique_constraint WHERE "
    EXACTLY("p.table_catalog", "catalog") " AND " EXACTLY("p.table_schema", "schema") " AND "
    EXACTLY("p.table_name", "table") " AND " EXACTLY("f.table_catalog", "fcatalog") " AND "
    EXACTLY("f.table_schema", "fschema") " AND " EXACTLY("f.table_name", "ftable") " ORDER BY 5, 6, 7, 9";

/* An attribute of a column's type, as CASE over information_schema's data_type. */
static void type_case(buf *b, const char *what, int32_t (*of)(const struct thrift_type *), const char *as) {
    buf_z(b, ", CAST(CASE");
    if (what) buf_fmt(b, " %s", what);
    buf_z(b, " WHEN false THEN 0");
    for (int i = 0; i < TY_KINDS; i++)
        if (of(&thrift_types[i]) != -1)
            buf_fmt(b, " WHEN data_type = '%s' THEN %d", thrift_types[i].name, of(&thrift_types[i]));
    buf_fmt(b, " END AS INT) AS %s", as);
}

static int32_t java_of(const struct thrift_type *t) { return t->java; }
static int32_t size_of(const struct thrift_type *t) { return t->size; }
static int32_t digits_of(const struct thrift_type *t) { return t->digits; }
static int32_t radix_of(const struct thrift_type *t) { return t->radix; }
static int32_t bytes_of(const struct thrift_type *t) { return t->bytes; }

static const char *columns_sql(arena *a) {
    buf b = {0};
    buf_z(&b, "SELECT table_catalog AS TABLE_CAT, table_schema AS TABLE_SCHEM, table_name AS TABLE_NAME, column_name AS "
              "COLUMN_NAME");
    type_case(&b, NULL, java_of, "DATA_TYPE");
    buf_z(&b, ", " STATEMENT_TYPE_NAME " AS TYPE_NAME");
    type_case(&b, "WHEN data_type = 'DECIMAL' THEN numeric_precision WHEN data_type IN ('CHAR', 'VARCHAR') THEN "
                  "character_maximum_length", size_of, "COLUMN_SIZE");
    buf_z(&b, ", CAST(NULL AS TINYINT) AS BUFFER_LENGTH");
    type_case(&b, "WHEN data_type = 'DECIMAL' THEN numeric_scale", digits_of, "DECIMAL_DIGITS");
    type_case(&b, NULL, radix_of, "NUM_PREC_RADIX");
    buf_z(&b, ", CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END AS NULLABLE, coalesce(comment, '') AS REMARKS, "
              "column_default AS COLUMN_DEF, CAST(NULL AS INT) AS SQL_DATA_TYPE, CAST(NULL AS INT) AS SQL_DATETIME_SUB");
    type_case(&b, NULL, bytes_of, "CHAR_OCTET_LENGTH");
    buf_z(&b, ", CAST(ordinal_position - 1 AS INT) AS ORDINAL_POSITION, is_nullable AS IS_NULLABLE, CAST(NULL AS STRING) AS "
              "SCOPE_CATALOG, CAST(NULL AS STRING) AS SCOPE_SCHEMA, CAST(NULL AS STRING) AS SCOPE_TABLE, CAST(NULL AS "
              "SMALLINT) AS SOURCE_DATA_TYPE, CASE is_identity WHEN 'YES' THEN 'YES' ELSE 'NO' END AS IS_AUTO_INCREMENT" FROM_INFO "columns WHERE "
              MATCHES("table_catalog", "catalog") " AND " MATCHES("table_schema", "schema") " AND "
              MATCHES("table_name", "table") " AND " MATCHES("column_name", "name") " ORDER BY 1, 2, 3, ORDINAL_POSITION");
    const char *s = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return s;
}

static const char *type_info_sql(arena *a) {
    buf b = {0};
    buf_z(&b, "SELECT n AS TYPE_NAME, j AS DATA_TYPE, nullif(p, -1) AS PRECISION, CASE WHEN j IN (12, 91, 92, 93) THEN '''' "
              "END AS LITERAL_PREFIX, CASE WHEN j IN (12, 91, 92, 93) THEN '''' END AS LITERAL_SUFFIX, CAST(NULL AS STRING) "
              "AS CREATE_PARAMS, CAST(1 AS SMALLINT) AS NULLABLE, n = 'STRING' AS CASE_SENSITIVE, CAST(3 AS SMALLINT) AS "
              "SEARCHABLE, r <> 10 AS UNSIGNED_ATTRIBUTE, false AS FIXED_PREC_SCALE, false AS AUTO_INCREMENT, n AS "
              "LOCAL_TYPE_NAME, CAST(0 AS SMALLINT) AS MINIMUM_SCALE, CAST(greatest(d, 0) AS SMALLINT) AS MAXIMUM_SCALE, "
              "CAST(NULL AS INT) AS SQL_DATA_TYPE, CAST(NULL AS INT) AS SQL_DATETIME_SUB, nullif(r, -1) AS NUM_PREC_RADIX "
              "FROM VALUES ");
    bool first = true;
    for (int i = 0; i < TY_KINDS; i++) {
        const struct thrift_type *t = &thrift_types[i];
        if (t->kind == TY_INTERVAL_DT || t->kind == TY_INTERVAL || t->kind == TY_OBJECT) continue;
        buf_fmt(&b, "%s('%s', %d, %d, %d, %d)", first ? "" : ", ", t->name, t->java, t->size, t->digits, t->radix);
        first = false;
    }
    buf_z(&b, " AS v(n, j, p, d, r) ORDER BY 2, 1");
    const char *s = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return s;
}

const char *metadata_sql(enum thrift_call call, arena *a) {
    switch (call) {
    case CALL_GetCatalogs: return catalogs_sql;
    case CALL_GetSchemas: return schemas_sql;
    case CALL_GetTables: return tables_sql;
    case CALL_GetTableTypes: return table_types_sql;
    case CALL_GetColumns: return columns_sql(a);
    case CALL_GetFunctions: return functions_sql;
    case CALL_GetTypeInfo: return type_info_sql(a);
    case CALL_GetPrimaryKeys: return primary_keys_sql;
    case CALL_GetCrossReference: return cross_reference_sql;
    default: return NULL;
    }
}

const struct narrow_by *metadata_names(enum thrift_call call) {
#define OF(catalog_column, schema_column) {catalog_column, "catalog", false}, {schema_column, "schema", false}
    static const struct narrow_by schemas[] = {OF("catalog_name", "schema_name"), {0}},
                                  tables[] = {OF("table_catalog", "table_schema"), {"table_name", "table", false}, {0}},
                                  functions[] = {OF("routine_catalog", "routine_schema"), {"routine_name", "name", false}, {0}},
                                  keys[] = {{"k.table_catalog", "catalog", true}, {"k.table_schema", "schema", true}, {"k.table_name", "table", true}, {0}};
#undef OF
    switch (call) {
    case CALL_GetSchemas: return schemas;
    case CALL_GetTables:
    case CALL_GetColumns: return tables;
    case CALL_GetFunctions: return functions;
    case CALL_GetPrimaryKeys: return keys;
    default: return NULL;
    }
}

int metadata_operation(enum thrift_call call) {
    switch (call) {
    case CALL_GetTypeInfo: return 1;
    case CALL_GetCatalogs: return 2;
    case CALL_GetSchemas: return 3;
    case CALL_GetTables: return 4;
    case CALL_GetTableTypes: return 5;
    case CALL_GetColumns: return 6;
    case CALL_GetFunctions: return 7;
    default: return 0;
    }
}

/* ---- parameters ---- */

struct params {
    struct engine_param *p;
    size_t n;
};

static void add(struct params *to, const char *name, str value) {
    to->p[to->n++] = (struct engine_param){.name = str_of(name), .type = STR("STRING"), .value = value.n ? value : STR_NONE};
}

static str table_types(arena *a, const struct t_get_tables_req *q) {
    if (!q->table_types.n) return STR("");
    buf b = {0};
    buf_c(&b, '|');
    for (size_t i = 0; i < q->table_types.n; i++) {
        buf_str(&b, q->table_types.p[i]);
        buf_c(&b, '|');
    }
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

static void want(struct tcall *x, const struct t_get_direct_results *d) {
    x->fetch = x->direct = d != NULL;
    x->max_rows = d && d->max_rows > 0 ? d->max_rows : INT32_MAX;
    x->max_bytes = d && d->max_bytes > 0 ? d->max_bytes : INT32_MAX;
}

void metadata_params(struct tcall *x, struct engine_param **ret, size_t *ret_n) {
    struct params to = {arena_array_of(x->a, struct engine_param, 8), 0};
    const struct t_get_tables_req *t = x->req;
    const struct t_get_cross_reference_req *r = x->req;
    switch (x->call) {
    case CALL_GetSchemas:
        add(&to, "catalog", ((const struct t_get_schemas_req *)x->req)->catalog_name);
        add(&to, "schema", ((const struct t_get_schemas_req *)x->req)->schema_name);
        want(x, ((const struct t_get_schemas_req *)x->req)->get_direct_results);
        break;
    case CALL_GetTables:
        add(&to, "catalog", t->catalog_name);
        add(&to, "schema", t->schema_name);
        add(&to, "table", t->table_name);
        add(&to, "types", table_types(x->a, t));
        want(x, t->get_direct_results);
        break;
    case CALL_GetColumns:
        add(&to, "catalog", ((const struct t_get_columns_req *)x->req)->catalog_name);
        add(&to, "schema", ((const struct t_get_columns_req *)x->req)->schema_name);
        add(&to, "table", ((const struct t_get_columns_req *)x->req)->table_name);
        add(&to, "name", ((const struct t_get_columns_req *)x->req)->column_name);
        want(x, ((const struct t_get_columns_req *)x->req)->get_direct_results);
        break;
    case CALL_GetFunctions:
        add(&to, "catalog", ((const struct t_get_functions_req *)x->req)->catalog_name);
        add(&to, "schema", ((const struct t_get_functions_req *)x->req)->schema_name);
        add(&to, "name", ((const struct t_get_functions_req *)x->req)->function_name);
        want(x, ((const struct t_get_functions_req *)x->req)->get_direct_results);
        break;
    case CALL_GetPrimaryKeys:
        add(&to, "catalog", ((const struct t_get_primary_keys_req *)x->req)->catalog_name);
        add(&to, "schema", ((const struct t_get_primary_keys_req *)x->req)->schema_name);
        add(&to, "table", ((const struct t_get_primary_keys_req *)x->req)->table_name);
        want(x, ((const struct t_get_primary_keys_req *)x->req)->get_direct_results);
        break;
    case CALL_GetCrossReference:
        add(&to, "catalog", r->parent_catalog_name);
        add(&to, "schema", r->parent_schema_name);
        add(&to, "table", r->parent_table_name);
        add(&to, "fcatalog", r->foreign_catalog_name);
        add(&to, "fschema", r->foreign_schema_name);
        add(&to, "ftable", r->foreign_table_name);
        want(x, r->get_direct_results);
        break;
    default: want(x, ((const struct t_metadata_req *)x->req)->get_direct_results);
    }
    *ret = to.p;
    *ret_n = to.n;
}

/* ---- GetInfo ---- */

static const struct {
    int type;
    const char *text;
    int number;
} infos[] = {
    {13, "Spark SQL", 0},  /* CLI_SERVER_NAME */
    {17, "Spark SQL", 0},  /* CLI_DBMS_NAME */
    {18, "4.2.0", 0},      /* CLI_DBMS_VER: the dialect's */
    {30, NULL, 255},       /* CLI_MAX_COLUMN_NAME_LEN */
    {32, NULL, 255},       /* CLI_MAX_SCHEMA_NAME_LEN */
    {34, NULL, 255},       /* CLI_MAX_CATALOG_NAME_LEN */
    {35, NULL, 255},       /* CLI_MAX_TABLE_NAME_LEN */
    {41, ".", 0},          /* CLI_CATALOG_NAME_SEPARATOR */
    {29, "`", 0},          /* CLI_IDENTIFIER_QUOTE_CHAR */
    {10005, NULL, 255},    /* CLI_MAX_IDENTIFIER_LEN */
};

struct t_get_info_resp *metadata_info(arena *a, int info_type) {
    struct t_get_info_resp *resp = arena_new_of(a, struct t_get_info_resp);
    for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
        if (infos[i].type != info_type) continue;
        struct t_get_info_value *v = arena_new_of(a, struct t_get_info_value);
        if (infos[i].text) {
            v->string_value = str_of(infos[i].text);
        } else {
            v->has = T_GET_INFO_VALUE_LEN_VALUE;
            v->len_value = infos[i].number;
        }
        resp->status = status_ok(a);
        resp->info_value = v;
        return resp;
    }
    err *e = err_new(ERR_INVALID_PARAMETER_VALUE, "Unrecognized GetInfoType value: %d", info_type);
    resp->status = status_of_err(a, e);
    err_free(e);
    resp->info_value = arena_new_of(a, struct t_get_info_value);
    resp->info_value->string_value = STR("");
    return resp;
}
