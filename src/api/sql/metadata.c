/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata as drivers ask for it over REST: forms of SHOW that no manual has, made by drivers alone.
 *
 *   SHOW TABLES  IN CATALOG c | IN ALL CATALOGS [SCHEMA LIKE 'p'] [LIKE 'p']
 *   SHOW COLUMNS IN CATALOG c | IN ALL CATALOGS [SCHEMA LIKE 'p'] [TABLE LIKE 'p'] [LIKE 'p']
 *
 * They become queries of system.information_schema with parameters, run in the caller's session: rights are those
 * of every query. A pattern has % or * for any text, _ or . for any character. What is not exactly of these forms
 * is left to the dialect's own grammar.
 */
#include "sql_int.h"
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

bool metadata_query(arena *a, struct statement_ask *ask) {
    struct words w = {a, ask->text};
    str catalog = STR_NONE, schema, table = STR_NONE, name;
    if (!keyword(&w, "SHOW")) return false;
    bool columns = keyword(&w, "COLUMNS");
    if ((!columns && !keyword(&w, "TABLES")) || !keyword(&w, "IN")) return false;
    if (keyword(&w, "CATALOG")) {
        if (!name_of(&w, &catalog)) return false;
        catalog = pattern(&w, catalog, true);
    } else if (!keyword(&w, "ALL") || !keyword(&w, "CATALOGS")) {
        return false;
    }
    if (!like(&w, "SCHEMA", &schema) || (columns && !like(&w, "TABLE", &table)) || !like(&w, NULL, &name)) return false;
    skip_blanks(&w);
    if (w.rest.n && !str_eqz(str_trim(w.rest), ";")) return false;
    struct engine_param *p = arena_array_of(a, struct engine_param, 4);
    p[0] = (struct engine_param){.name = STR("catalog"), .type = STR("STRING"), .value = catalog};
    p[1] = (struct engine_param){.name = STR("schema"), .type = STR("STRING"), .value = schema};
    p[2] = (struct engine_param){.name = STR("name"), .type = STR("STRING"), .value = name};
    p[3] = (struct engine_param){.name = STR("table"), .type = STR("STRING"), .value = table};
    ask->shown = ask->text;
    ask->text = str_of(columns ? columns_sql : tables_sql);
    ask->params = p;
    ask->n_params = columns ? 4 : 3;
    return true;
}
