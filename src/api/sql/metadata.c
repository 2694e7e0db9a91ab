/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata as drivers ask for it over REST: forms of SHOW that no manual has, made by drivers alone.
 *
 *   SHOW TABLES  IN CATALOG c | IN ALL CATALOGS [SCHEMA LIKE 'p'] [LIKE 'p']
 *   SHOW COLUMNS IN CATALOG c | IN ALL CATALOGS [SCHEMA LIKE 'p'] [TABLE LIKE 'p'] [LIKE 'p']
 *   SHOW FUNCTIONS IN CATALOG c | IN ALL CATALOGS [SCHEMA LIKE 'p'] [LIKE 'p']
 *   SHOW [FOREIGN] KEYS IN CATALOG c IN SCHEMA s IN TABLE t
 *
 * They become queries of system.information_schema with parameters, run in the caller's session: rights are those
 * of every query. A pattern has % or * for any text, _ or . for any character. What is not exactly of these forms
 * is left to the dialect's own grammar.
 */
#include "sql_int.h"
#include "statements/narrow.h"
#include "statements/type_name.h"

#define MATCHES(column, param) "(:" param " IS NULL OR lower(" column ") LIKE lower(:" param "))"

static const char tables_sql[] =
    "SELECT table_schema AS namespace, table_name AS tableName, false AS isTemporary, CAST(NULL AS STRING) AS information, "
    "table_catalog AS catalogName, CASE WHEN table_schema = 'information_schema' THEN 'SYSTEM TABLE' WHEN table_type "
    "LIKE '%VIEW' THEN 'VIEW' ELSE 'TABLE' END AS tableType, coalesce(comment, '') AS remarks FROM "
    "system.information_schema.tables WHERE " MATCHES("table_catalog", "catalog") " AND "
    MATCHES("table_schema", "schema") " AND " MATCHES("table_name", "name") " ORDER BY 5, 1, 2";

static const char columns_sql[] =
    "SELECT column_name AS col_name, table_catalog AS catalogName, table_schema AS namespace, table_name AS tableName, "
    STATEMENT_TYPE_NAME " AS columnType, coalesce(numeric_precision, character_maximum_length) AS columnSize, "
    "numeric_scale AS decimalDigits, numeric_precision_radix AS radix, CASE is_nullable WHEN 'YES' THEN 'true' ELSE "
    "'false' END AS isNullable, coalesce(comment, '') AS remarks, CAST(ordinal_position AS INT) AS ordinalPosition, "
    "is_identity AS isAutoIncrement, CASE is_generated WHEN 'ALWAYS' THEN 'YES' ELSE 'NO' END AS isGenerated FROM "
    "system.information_schema.columns WHERE " MATCHES("table_catalog", "catalog") " AND "
    MATCHES("table_schema", "schema") " AND " MATCHES("table_name", "table") " AND " MATCHES("column_name", "name")
    " ORDER BY 2, 3, 4, 11";

static const char functions_sql[] =
    "SELECT routine_name AS functionName, routine_catalog AS catalogName, routine_schema AS namespace, coalesce(comment, '') AS remarks, "
    "1 AS functionType, specific_name AS specificName FROM system.information_schema.routines WHERE "
    MATCHES("routine_catalog", "catalog") " AND " MATCHES("routine_schema", "schema") " AND " MATCHES("routine_name", "name")
    " ORDER BY 2, 3, 1";

#define OF_TABLE(k) "lower(" k ".table_catalog) = lower(:catalog) AND lower(" k ".table_schema) = lower(:schema) AND lower(" k ".table_name) = lower(:name)"
#define SAME_KEY(a, b)                                                                                     \
    a ".constraint_catalog = " b ".constraint_catalog AND " a ".constraint_schema = " b ".constraint_schema AND " a     \
      ".constraint_name = " b ".constraint_name"

static const char keys_sql[] =
    "SELECT k.table_catalog AS catalogName, k.table_schema AS namespace, k.table_name AS tableName, k.column_name AS col_name, "
    "CAST(k.ordinal_position AS INT) AS keySeq, k.constraint_name AS constraintName FROM system.information_schema.key_column_usage AS k "
    "JOIN system.information_schema.table_constraints AS c ON " SAME_KEY("c", "k") " AND c.table_name = k.table_name WHERE "
    "c.constraint_type = 'PRIMARY KEY' AND " OF_TABLE("k") " ORDER BY 5";

static const char foreign_keys_sql[] =
    "SELECT p.table_catalog AS parentCatalogName, p.table_schema AS parentNamespace, p.table_name AS parentTableName, p.column_name AS "
    "parentColName, k.table_catalog AS catalogName, k.table_schema AS namespace, k.table_name AS tableName, k.column_name AS col_name, "
    "CAST(k.ordinal_position AS INT) AS keySeq, 3 AS updateRule, 3 AS deleteRule, k.constraint_name AS constraintName, 7 AS deferrability "
    "FROM system.information_schema.referential_constraints AS r JOIN system.information_schema.key_column_usage AS k ON " SAME_KEY("k", "r")
    " JOIN system.information_schema.key_column_usage AS p ON p.constraint_catalog = r.unique_constraint_catalog AND p.constraint_schema = "
    "r.unique_constraint_schema AND p.constraint_name = r.unique_constraint_name AND p.ordinal_position = k.position_in_unique_constraint "
    "WHERE " OF_TABLE("k") " ORDER BY 12, 9";

/* ---- words ---- */

struct words {
    arena *a;
    str rest;
};

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           (unsigned char)c >= 128;
}

static void skip_blanks(struct words *w) {
    while (w->rest.n && (w->rest.p[0] == ' ' || (w->rest.p[0] >= '\t' && w->rest.p[0] <= '\r'))) w->rest = str_from(w->rest, 1);
}

/* The next word is this keyword; taken then. */
static bool keyword(struct words *w, const char *word) {
    size_t n = strlen(word);
    skip_blanks(w);
    if (!str_ieq(str_cut(w->rest, n), str_of(word)) || (w->rest.n > n && is_name(w->rest.p[n]))) return false;
    w->rest = str_from(w->rest, n);
    return true;
}

/* Text between quotes; the quote doubled stands for itself, a backslash for what follows it. */
static bool quoted(struct words *w, char quote, str *ret) {
    skip_blanks(w);
    if (!w->rest.n || w->rest.p[0] != quote) return false;
    buf b = {0};
    bool ended = false;
    size_t i = 1;
    for (; i < w->rest.n && !ended; i++) {
        char c = w->rest.p[i];
        if (c == quote && i + 1 < w->rest.n && w->rest.p[i + 1] == quote)
            buf_c(&b, w->rest.p[i++]);
        else if (c == '\\' && quote == '\'' && i + 1 < w->rest.n)
            buf_c(&b, w->rest.p[++i]);
        else if (c == quote)
            ended = true;
        else
            buf_c(&b, c);
    }
    *ret = arena_str(w->a, buf_view(&b));
    buf_free(&b);
    w->rest = str_from(w->rest, i);
    return ended;
}

static bool name_of(struct words *w, str *ret) {
    if (quoted(w, '`', ret)) return true;
    size_t n = 0;
    while (n < w->rest.n && is_name(w->rest.p[n])) n++;
    *ret = str_cut(w->rest, n);
    w->rest = str_from(w->rest, n);
    return n > 0;
}

/* As LIKE has it. literal: nothing in it stands for anything else. */
static str pattern(struct words *w, str p, bool literal) {
    buf b = {0};
    for (size_t i = 0; i < p.n; i++) {
        char c = p.p[i];
        if (literal && (c == '%' || c == '_' || c == '\\')) buf_c(&b, '\\');
        buf_c(&b, literal ? c : c == '*' ? '%' : c == '.' ? '_' : c);
    }
    str s = arena_str(w->a, buf_view(&b));
    buf_free(&b);
    return s;
}

/* [<word>] LIKE 'p' if it stands there; false: something else does. */
static bool like(struct words *w, const char *word, str *ret) {
    struct words before = *w;
    str p;
    *ret = STR_NONE;
    if (word && !keyword(w, word)) return true;
    if (!keyword(w, "LIKE")) {
        *w = before;
        return !word;
    }
    if (!quoted(w, '\'', &p)) return false;
    *ret = pattern(w, p, false);
    return true;
}

/* ---- the forms ---- */

enum form { TABLES, COLUMNS, FUNCTIONS, KEYS, FOREIGN_KEYS };

static bool form_of(struct words *w, enum form *ret) {
    static const struct {
        const char *first, *second;
        enum form form;
    } rows[] = {{"TABLES", NULL, TABLES}, {"COLUMNS", NULL, COLUMNS}, {"FUNCTIONS", NULL, FUNCTIONS}, {"KEYS", NULL, KEYS},
                {"FOREIGN", "KEYS", FOREIGN_KEYS}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (!keyword(w, rows[i].first)) continue;
        *ret = rows[i].form;
        return !rows[i].second || keyword(w, rows[i].second);
    }
    return false;
}

/* IN <word> <name> */
static bool in_name(struct words *w, const char *word, str *ret) {
    return keyword(w, "IN") && keyword(w, word) && (skip_blanks(w), name_of(w, ret));
}

struct asked {
    str catalog, schema, table, name;
};

static bool read_asked(struct words *w, enum form form, struct asked *q) {
    if (form == KEYS || form == FOREIGN_KEYS)
        return in_name(w, "CATALOG", &q->catalog) && in_name(w, "SCHEMA", &q->schema) && in_name(w, "TABLE", &q->name);
    if (!keyword(w, "IN")) return false;
    if (keyword(w, "CATALOG")) {
        if (!name_of(w, &q->catalog)) return false;
        q->catalog = pattern(w, q->catalog, true);
    } else if (!keyword(w, "ALL") || !keyword(w, "CATALOGS")) {
        return false;
    }
    return like(w, "SCHEMA", &q->schema) && (form != COLUMNS || like(w, "TABLE", &q->table)) && like(w, NULL, &q->name);
}

bool metadata_query(arena *a, struct statement_ask *ask) {
    static const char *const texts[] = {[TABLES] = tables_sql, [COLUMNS] = columns_sql, [FUNCTIONS] = functions_sql, [KEYS] = keys_sql,
                                        [FOREIGN_KEYS] = foreign_keys_sql};
#define OF(prefix) {prefix "_catalog", "catalog", false}, {prefix "_schema", "schema", false}
#define OF_KEY {"k.table_catalog", "catalog", true}, {"k.table_schema", "schema", true}, {"k.table_name", "name", true}
    static const struct narrow_by names[][4] = {[TABLES] = {OF("table"), {"table_name", "name", false}, {0}},
                                                [COLUMNS] = {OF("table"), {"table_name", "table", false}, {0}},
                                                [FUNCTIONS] = {OF("routine"), {"routine_name", "name", false}, {0}},
                                                [KEYS] = {OF_KEY, {0}},
                                                [FOREIGN_KEYS] = {OF_KEY, {0}}};
#undef OF_KEY
#undef OF
    struct words w = {a, ask->text};
    struct asked q = {STR_NONE, STR_NONE, STR_NONE, STR_NONE};
    enum form form;
    if (!keyword(&w, "SHOW") || !form_of(&w, &form) || !read_asked(&w, form, &q)) return false;
    skip_blanks(&w);
    if (w.rest.n && !str_eqz(str_trim(w.rest), ";")) return false;
    struct engine_param *p = arena_array_of(a, struct engine_param, 4);
    p[0] = (struct engine_param){.name = STR("catalog"), .type = STR("STRING"), .value = q.catalog};
    p[1] = (struct engine_param){.name = STR("schema"), .type = STR("STRING"), .value = q.schema};
    p[2] = (struct engine_param){.name = STR("name"), .type = STR("STRING"), .value = q.name};
    p[3] = (struct engine_param){.name = STR("table"), .type = STR("STRING"), .value = q.table};
    ask->shown = ask->text;
    ask->text = str_of(texts[form]);
    ask->params = p;
    ask->n_params = form == COLUMNS ? 4 : 3;
    narrow(a, ask, names[form]);
    return true;
}
