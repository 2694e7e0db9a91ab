/* SPDX-License-Identifier: Apache-2.0 */
/* What the analyser makes of queries: DuckDB's text, the columns that the user sees, the classes of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "harness/sqlworld.h"

#include "sql/error.h"

struct golden {
    const char *sql, *want;
};

static const struct golden texts[] = {
    {"SELECT 1",
     "SELECT 1 AS c0"},
    {"SELECT a + 1, -a, a / 2, a % 3, a div 2 FROM t",
     "SELECT (t1.\"a\" + 1) AS c0, (- t1.\"a\") AS c1, (CAST(t1.\"a\" AS DOUBLE) / CAST('2' AS DOUBLE)) AS c2, (t1.\"a\" % 3) AS c3, (CAST(t1.\"a\" AS BIGINT) // CAST(2 AS BIGINT)) AS c4 FROM t AS t1"},
    {"SELECT a / (a - 1) FROM t",
     "SELECT (CAST(t1.\"a\" AS DOUBLE) / bh_nonzero_double(CAST((t1.\"a\" - 1) AS DOUBLE))) AS c0 FROM t AS t1"},
    {"SELECT d * (1 - d), d + 1, d / 3, sum(d * d), avg(d) FROM t GROUP BY d",
     "SELECT CAST((t1.\"d\" * (CAST('1' AS DECIMAL(1,0)) - t1.\"d\")) AS DECIMAL(32,4)) AS c0, CAST((t1.\"d\" + CAST('1' AS DECIMAL(1,0))) AS DECIMAL(16,2)) AS c1, CAST(bh_decimal_div_6(t1.\"d\", CAST('3' AS DECIMAL(1,0))) AS DECIMAL(19,6)) AS c2, CAST(sum((t1.\"d\" * t1.\"d\")) AS DECIMAL(38,4)) AS c3, CAST(bh_decimal_div_6(sum(t1.\"d\"), count(t1.\"d\")) AS DECIMAL(19,6)) AS c4 FROM t AS t1 GROUP BY t1.\"d\""},
    {"SELECT b = 1, b < 'x', a <=> NULL, d > 1, day >= '2024-01-01' FROM t",
     "SELECT (bh_cast_string_bigint(t1.\"b\") = CAST(1 AS BIGINT)) AS c0, (t1.\"b\" < 'x') AS c1, (t1.\"a\" IS NOT DISTINCT FROM CAST(NULL AS INTEGER)) AS c2, (t1.\"d\" > CAST('1.00' AS DECIMAL(15,2))) AS c3, (t1.\"day\" >= DATE '2024-01-01') AS c4 FROM t AS t1"},
    {"SELECT a FROM t WHERE a > 1.5 AND b IN ('x', 'y') AND day BETWEEN date'2024-01-01' AND date'2024-01-01' + interval 90 days",
     "SELECT t1.\"a\" AS c0 FROM t{0>1}{1ix}{6g2024-01-01}{6l2024-03-31} AS t1 WHERE (((t1.\"a\" > 1) AND (t1.\"b\" IN ('x', 'y'))) AND ((t1.\"day\" >= DATE '2024-01-01') AND (t1.\"day\" <= DATE '2024-03-31')))"},
    {"SELECT b, count(*) AS n, count(DISTINCT a, b) FROM t GROUP BY b HAVING n > 1 ORDER BY n DESC, b",
     "SELECT t1.\"b\" AS c0, count(*) AS c1, count(DISTINCT CASE WHEN t1.\"a\" IS NOT NULL AND t1.\"b\" IS NOT NULL THEN row(t1.\"a\", t1.\"b\") END) AS c2 FROM t AS t1 GROUP BY t1.\"b\" HAVING (count(*) > CAST(1 AS BIGINT)) ORDER BY 2 DESC NULLS LAST, 1 ASC NULLS FIRST"},
    {"SELECT a, sum(d) FROM t GROUP BY ROLLUP (a, b) ORDER BY grouping_id()",
     "SELECT t1.\"a\" AS c0, CAST(sum(t1.\"d\") AS DECIMAL(25,2)) AS c1 FROM t AS t1 GROUP BY GROUPING SETS ((t1.\"a\", t1.\"b\"), (t1.\"a\"), ()) ORDER BY CAST(GROUPING(t1.\"a\", t1.\"b\") AS BIGINT) ASC NULLS FIRST"},
    {"SELECT b, grouping(b) FROM t GROUP BY CUBE (b)",
     "SELECT t1.\"b\" AS c0, CAST(GROUPING(t1.\"b\") AS TINYINT) AS c1 FROM t AS t1 GROUP BY GROUPING SETS ((t1.\"b\"), ())"},
    {"SELECT upper(b) AS k, sum(a) FROM t GROUP BY k ORDER BY sum(a)",
     "SELECT bh_upper(t1.\"b\") AS c0, CAST(sum(t1.\"a\") AS BIGINT) AS c1 FROM t AS t1 GROUP BY bh_upper(t1.\"b\") ORDER BY 2 ASC NULLS FIRST"},
    {"SELECT t.a, u.c FROM t JOIN u ON t.a = u.a WHERE u.c > 0",
     "SELECT t1.\"a\" AS c0, t2.\"c\" AS c1 FROM t AS t1 INNER JOIN u{1>0} AS t2 ON (CAST(t1.\"a\" AS BIGINT) = t2.\"a\") WHERE (t2.\"c\" > CAST('0' AS DOUBLE))"},
    {"SELECT * FROM t LEFT JOIN u USING (a)",
     "SELECT t1.\"a\" AS c0, t1.\"b\" AS c1, t1.\"d\" AS c2, t1.\"s\" AS c3, t1.\"m\" AS c4, t1.\"ts\" AS c5, t1.\"day\" AS c6, t2.\"c\" AS c7 FROM t AS t1 LEFT JOIN u AS t2 ON (CAST(t1.\"a\" AS BIGINT) = t2.\"a\")"},
    {"SELECT a FROM t FULL JOIN u USING (a)",
     "SELECT COALESCE(CAST(t1.\"a\" AS BIGINT), t2.\"a\") AS c0 FROM t AS t1 FULL JOIN u AS t2 ON (CAST(t1.\"a\" AS BIGINT) = t2.\"a\")"},
    {"SELECT b FROM t LEFT SEMI JOIN u ON t.a = u.a",
     "SELECT t1.\"b\" AS c0 FROM t AS t1 SEMI JOIN u AS t2 ON (CAST(t1.\"a\" AS BIGINT) = t2.\"a\")"},
    {"SELECT b FROM t WHERE a NOT IN (SELECT a FROM u) AND EXISTS (SELECT 1 FROM u WHERE u.a = t.a)",
     "SELECT t1.\"b\" AS c0 FROM t AS t1 WHERE ((NOT (CAST(t1.\"a\" AS BIGINT) IN (SELECT t4.\"a\" AS c0 FROM u AS t4))) AND EXISTS (SELECT 1 AS c0 FROM u AS t11 WHERE (t11.\"a\" = CAST(t1.\"a\" AS BIGINT))))"},
    {"SELECT b, (SELECT max(c) FROM u WHERE u.a = t.a) FROM t",
     "SELECT t1.\"b\" AS c0, (SELECT max(t4.\"c\") AS c0 FROM u AS t4 WHERE (t4.\"a\" = CAST(t1.\"a\" AS BIGINT))) AS c1 FROM t AS t1"},
    {"SELECT a, (SELECT max(c) FROM u WHERE u.a = t.a) FROM t GROUP BY a",
     "SELECT t14.c0 AS c0, (SELECT max(t4.\"c\") AS c0 FROM u AS t4 WHERE (t4.\"a\" = CAST(t14.c0 AS BIGINT))) AS c1 FROM (SELECT t1.\"a\" AS c0 FROM t AS t1 GROUP BY 1) AS t14"},
    {"SELECT s.x, m['k'], m.k, s FROM t",
     "SELECT struct_extract(t1.\"s\", 'f0') AS c0, t1.\"m\"['k'] AS c1, t1.\"m\"['k'] AS c2, t1.\"s\" AS c3 FROM t AS t1"},
    {"SELECT cast(b AS int), try_cast(b AS date), cast(d AS int), cast(ts AS date), cast(a AS string) FROM t",
     "SELECT bh_cast_string_int(t1.\"b\") AS c0, bh_try_cast_string_date(t1.\"b\") AS c1, CAST(trunc(t1.\"d\") AS INTEGER) AS c2, bh_ts_to_date(t1.\"ts\", 'UTC') AS c3, CAST(t1.\"a\" AS VARCHAR) AS c4 FROM t AS t1"},
    {"SELECT CASE WHEN a > 1 THEN 'x' END, if(a > 1, a, 2L), coalesce(b, 'z') FROM t",
     "SELECT CASE WHEN (t1.\"a\" > 1) THEN 'x' END AS c0, CASE WHEN (t1.\"a\" > 1) THEN CAST(t1.\"a\" AS BIGINT) ELSE CAST(2 AS BIGINT) END AS c1, COALESCE(t1.\"b\", 'z') AS c2 FROM t AS t1"},
    {"SELECT row_number() OVER (PARTITION BY b ORDER BY a DESC), sum(a) OVER (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW), lag(a) OVER (ORDER BY a) FROM t",
     "SELECT CAST(row_number() OVER (PARTITION BY t1.\"b\" ORDER BY t1.\"a\" DESC NULLS LAST) AS INTEGER) AS c0, CAST(sum(t1.\"a\") OVER ( ORDER BY t1.\"a\" ASC NULLS FIRST ROWS BETWEEN CAST(1 AS BIGINT) PRECEDING AND CURRENT ROW) AS BIGINT) AS c1, lag(t1.\"a\", 1, CAST(NULL AS INTEGER)) OVER ( ORDER BY t1.\"a\" ASC NULLS FIRST) AS c2 FROM t AS t1"},
    {"SELECT a, rank() OVER (ORDER BY a) AS r FROM t QUALIFY r = 1",
     "SELECT t1.\"a\" AS c0, CAST(rank() OVER ( ORDER BY t1.\"a\" ASC NULLS FIRST) AS INTEGER) AS c1 FROM t AS t1 QUALIFY (CAST(rank() OVER ( ORDER BY t1.\"a\" ASC NULLS FIRST) AS INTEGER) = 1)"},
    {"SELECT a AS x, x + 1 AS y, y * 2 FROM t",
     "SELECT t1.\"a\" AS c0, (t1.\"a\" + 1) AS c1, ((t1.\"a\" + 1) * 2) AS c2 FROM t AS t1"},
    {"SELECT a FROM t UNION ALL SELECT c FROM u",
     "(SELECT CAST(t1.\"a\" AS DOUBLE) AS c0 FROM t AS t1) UNION ALL (SELECT t3.\"c\" AS c0 FROM u AS t3)"},
    {"SELECT a FROM t EXCEPT SELECT a FROM u ORDER BY 1 LIMIT 3",
     "SELECT t6.c0 AS c0 FROM ((SELECT CAST(t1.\"a\" AS BIGINT) AS c0 FROM t AS t1) EXCEPT (SELECT t3.\"a\" AS c0 FROM u AS t3)) AS t6 ORDER BY 1 ASC NULLS FIRST LIMIT 3"},
    {"SELECT DISTINCT b FROM t ORDER BY b NULLS LAST LIMIT 5 OFFSET 2",
     "SELECT DISTINCT t1.\"b\" AS c0 FROM t AS t1 ORDER BY 1 ASC NULLS LAST LIMIT 5 OFFSET 2"},
    {"WITH w AS (SELECT a, b FROM t) SELECT x.a FROM w AS x JOIN w AS y ON x.a = y.a",
     "WITH w1 AS (SELECT t2.\"a\" AS c0 FROM t AS t2) SELECT t5.c0 AS c0 FROM w1 AS t5 INNER JOIN w1 AS t6 ON (t5.c0 = t6.c0)"},
    {"WITH RECURSIVE r(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM r WHERE n < 9) SELECT * FROM r",
     "WITH RECURSIVE w1(c0, rounds, so_far) AS ((SELECT *, 0, CAST(0 AS BIGINT) FROM (SELECT * FROM (VALUES (1)) AS v(c0))) UNION ALL (SELECT *, (SELECT CASE WHEN max(rounds) >= 100 THEN error('[RECURSION_LEVEL_LIMIT_EXCEEDED] {\"levelLimit\":\"100\"}') ELSE max(rounds) + 1 END FROM w1), (SELECT CASE WHEN max(so_far) + count(*) > 1000000 THEN error('[RECURSION_ROW_LIMIT_EXCEEDED] {\"rowLimit\":\"1000000\"}') ELSE max(so_far) + count(*) END FROM w1) FROM (SELECT (t3.c0 + 1) AS c0 FROM w1 AS t3 WHERE (t3.c0 < 9)))) SELECT t10.c0 AS c0 FROM w1 AS t10"},
    {"SELECT * FROM v WHERE n = 3",
     "SELECT t5.c0 AS c0 FROM (SELECT (t1.\"a\" + 1) AS c0 FROM t AS t1) AS t5 WHERE (t5.c0 = 3)"},
    {"SELECT * FROM f",
     "SELECT t12.c0 AS c0, t12.c1 AS c1 FROM (SELECT t1.\"id\" AS c0, ('x' || t1.\"secret\") AS c1 FROM f AS t1 WHERE (t1.\"id\" > 1)) AS t12"},
    {"SELECT twice(a) FROM t",
     "SELECT CAST((t1.\"a\" * 2) AS BIGINT) AS c0 FROM t AS t1"},
    {"SELECT * FROM (SELECT a, b FROM t) PIVOT (max(a) FOR b IN ('p' AS one, 'q'))",
     "SELECT t41.c0 AS c0, t41.c1 AS c1 FROM (SELECT CASE WHEN ((count(*) FILTER (WHERE (t9.c1 IS NOT DISTINCT FROM 'p'))) > CAST(0 AS BIGINT)) THEN (max(t9.c0) FILTER (WHERE (t9.c1 IS NOT DISTINCT FROM 'p'))) END AS c0, CASE WHEN ((count(*) FILTER (WHERE (t9.c1 IS NOT DISTINCT FROM 'q'))) > CAST(0 AS BIGINT)) THEN (max(t9.c0) FILTER (WHERE (t9.c1 IS NOT DISTINCT FROM 'q'))) END AS c1 FROM (SELECT t6.\"a\" AS c0, t6.\"b\" AS c1 FROM t AS t6) AS t9) AS t41"},
    {"SELECT * FROM (SELECT a, a AS p, a AS q FROM t) UNPIVOT (val FOR nm IN (p, q))",
     "SELECT t15.c0 AS c0, t15.c1 AS c1, t15.c2 AS c2 FROM (SELECT t10.t5_0 AS c0, struct_extract(t10.g, 'f0') AS c1, struct_extract(t10.g, 'f1') AS c2 FROM (SELECT t5.c0 AS t5_0, t5.c1 AS t5_1, t5.c2 AS t5_2, unnest([{'f0': 'p', 'f1': t5.c1}, {'f0': 'q', 'f1': t5.c2}]) AS g FROM (SELECT t1.\"a\" AS c0, t1.\"a\" AS c1, t1.\"a\" AS c2 FROM t AS t1) AS t5) AS t10 WHERE (struct_extract(t10.g, 'f1') IS NOT NULL)) AS t15"},
    {"SELECT x.n FROM t, LATERAL (SELECT count(*) AS n FROM u WHERE u.a = t.a) AS x",
     "SELECT t10.c0 AS c0 FROM t AS t1 , LATERAL (SELECT count(*) AS c0 FROM u AS t2 WHERE (t2.\"a\" = CAST(t1.\"a\" AS BIGINT))) AS t10"},
    {"FROM t |> WHERE a > 1 |> AGGREGATE sum(a) AS s GROUP BY b |> ORDER BY s DESC |> LIMIT 2",
     "SELECT t24.c0 AS c0, t24.c1 AS c1 FROM (SELECT t20.c0 AS c0, t20.c1 AS c1 FROM (SELECT t12.c1 AS c0, CAST(sum(t12.c0) AS BIGINT) AS c1 FROM (SELECT t1.\"a\" AS c0, t1.\"b\" AS c1 FROM t{0>1} AS t1 WHERE (t1.\"a\" > 1)) AS t12 GROUP BY t12.c1) AS t20 ORDER BY 2 DESC NULLS LAST) AS t24 LIMIT 2"},
    {"SELECT * FROM VALUES (1, 'a'), (2L, NULL) AS w(p, q)",
     "SELECT t7.c0 AS c0, t7.c1 AS c1 FROM (SELECT * FROM (VALUES (CAST(1 AS BIGINT), 'a'), (CAST(2 AS BIGINT), CAST(NULL AS VARCHAR))) AS v(c0, c1)) AS t7"},
    {"SELECT struct(a, b AS z), array(a, 2L), map('k', a), named_struct('q', 1).q FROM t",
     "SELECT {'f0': t1.\"a\", 'f1': t1.\"b\"} AS c0, [CAST(t1.\"a\" AS BIGINT), CAST(2 AS BIGINT)] AS c1, map(['k'], [t1.\"a\"]) AS c2, struct_extract({'f0': 1}, 'f0') AS c3 FROM t AS t1"},
    {"SELECT ts + interval 1 day, ts - interval '1-2' year to month, day + 1, day - date'2024-01-01' FROM t",
     "SELECT bh_ts_add_dt(t1.\"ts\", CAST(86400000000 AS BIGINT), 'UTC') AS c0, bh_ts_add_months(t1.\"ts\", CAST(-14 AS INTEGER), 'UTC') AS c1, (t1.\"day\" + 1) AS c2, ((t1.\"day\" - DATE '2024-01-01') * 86400000000) AS c3 FROM t AS t1"},
    {"SELECT count(*) FROM t TABLESAMPLE (10 PERCENT)",
     "SELECT count(*) AS c0 FROM t AS t1 TABLESAMPLE BERNOULLI(10%)"},
    {"SELECT first(a, true), any_value(b), collect_list(a), percentile(a, 0.5), max_by(b, a) FROM t",
     "SELECT first(t1.\"a\") FILTER (WHERE t1.\"a\" IS NOT NULL) AS c0, first(t1.\"b\") AS c1, COALESCE(list(t1.\"a\") FILTER (WHERE t1.\"a\" IS NOT NULL), []) AS c2, quantile_cont(CAST(t1.\"a\" AS DOUBLE), CAST('0.5' AS DOUBLE)) AS c3, arg_max(t1.\"b\", t1.\"a\") AS c4 FROM t AS t1"},
    {"SELECT sum(a) FILTER (WHERE b = 'x') FROM t",
     "SELECT CAST(sum(t1.\"a\") FILTER (WHERE (t1.\"b\" = 'x')) AS BIGINT) AS c0 FROM t AS t1"},
};

static const struct golden columns[] = {
    {"SELECT a + 1, -a, b || 'x', NOT (a = 1), a <> 2, b IS NULL, a IN (1, 2) FROM t",
     "(a + 1) int not null; (- a) int not null; concat(b, x) string; (NOT (a = 1)) boolean not null; (NOT (a = 2)) boolean not null; (b IS NULL) boolean not null; (a IN (1, 2)) boolean not null"},
    {"SELECT CAST(a AS STRING), if(a < 2, a, 3), CASE WHEN a = 1 THEN 2 ELSE 3 END FROM t",
     "a string not null; (IF((a < 2), a, 3)) int not null; CASE WHEN (a = 1) THEN 2 ELSE 3 END int not null"},
    {"SELECT sum(a), avg(d), count(*), count(DISTINCT b), max(b) FILTER (WHERE a > 1) FROM t",
     "sum(a) bigint; avg(d) decimal(19,6); count(1) bigint not null; count(DISTINCT b) bigint not null; max(b) FILTER (WHERE (a > 1)) string"},
    {"SELECT rank() OVER (PARTITION BY b ORDER BY a), sum(a) OVER (ORDER BY a) FROM t",
     "RANK() OVER (PARTITION BY b ORDER BY a ASC NULLS FIRST ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) int not null; sum(a) OVER (ORDER BY a ASC NULLS FIRST RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) bigint"},
    {"SELECT d * d, d / d, d + a, a / 2, a div 2, 1.5 + 1, 2L + 1 FROM t",
     "(d * d) decimal(31,4); (d / d) decimal(33,18); (d + a) decimal(16,2); (a / 2) double not null; (a div 2) bigint not null; (1.5 + 1) decimal(3,1) not null; (2 + 1) bigint not null"},
    {"SELECT 1.10, 1e3, 5Y, 2.5BD, 'x', true, NULL, X'0a', date'2024-1-2', interval 1 day 2 hours FROM t",
     "1.10 decimal(3,2) not null; 1000.0 double not null; 5 tinyint not null; 2.5 decimal(2,1) not null; x string not null; true boolean not null; NULL void; X'0A' binary not null; DATE '2024-01-02' date not null; INTERVAL '1 02' DAY TO HOUR interval day to hour not null"},
    {"SELECT s.x, s.y AS z, m['k'], s.* FROM t",
     "x int; z string; m[k] int; x int; y string"},
    {"SELECT * EXCEPT (s, m, ts, day) FROM t",
     "a int not null; b string; d decimal(15,2)"},
    {"SELECT a AS x, x + 1 FROM t",
     "x int not null; (lateralAliasReference(x) + 1) int not null"},
    {"SELECT 2 > 1.1, a > 1.5, b LIKE 'x%', b RLIKE 'x' FROM t",
     "(2 > 1) boolean not null; (a > 1) boolean not null; b LIKE x% boolean; RLIKE(b, x) boolean"},
    {"SELECT t.a, u.a FROM t LEFT JOIN u ON t.a = u.a",
     "a int not null; a bigint"},
    {"SELECT (SELECT 1), EXISTS (SELECT 1), a IN (SELECT a FROM u) FROM t",
     "scalarsubquery() int; exists() boolean not null; (a IN (listquery())) boolean"},
    {"SELECT 1 AS a UNION ALL SELECT 2.5",
     "a decimal(11,1) not null"},
    {"SELECT twice(2)",
     "main.default.twice(2) bigint not null"},
};

static const struct golden errors[] = {
    {"SELECT nope FROM t",
     "UNRESOLVED_COLUMN.WITH_SUGGESTION"},
    {"SELECT a FROM t, u",
     "AMBIGUOUS_REFERENCE"},
    {"SELECT * FROM missing",
     "TABLE_OR_VIEW_NOT_FOUND"},
    {"SELECT nofunc(1)",
     "UNRESOLVED_ROUTINE"},
    {"SELECT a, count(*) FROM t",
     "MISSING_GROUP_BY"},
    {"SELECT sum(sum(a)) FROM t",
     "NESTED_AGGREGATE_FUNCTION"},
    {"SELECT a FROM t WHERE sum(a) > 1",
     "INVALID_WHERE_CONDITION"},
    {"SELECT a + true FROM t",
     "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES"},
    {"SELECT a FROM t WHERE a",
     "DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN"},
    {"SELECT a = m FROM t",
     "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES"},
    {"SELECT row_number() FROM t",
     "WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE"},
    {"SELECT s.nope FROM t",
     "FIELD_NOT_FOUND"},
    {"SELECT a FROM t UNION SELECT 1, 2",
     "NUM_COLUMNS_MISMATCH"},
    {"SELECT a FROM t GROUP BY 3",
     "GROUP_BY_POS_OUT_OF_RANGE"},
    {"SELECT a FROM t ORDER BY 3",
     "ORDER_BY_POS_OUT_OF_RANGE"},
    {"SELECT a FROM t LIMIT -1",
     "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE"},
    {"SELECT a FROM t LIMIT a",
     "INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE"},
    {"SELECT CAST(m AS INT) FROM t",
     "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION"},
    {"SELECT coalesce(a, m) FROM t",
     "DATATYPE_MISMATCH.DATA_DIFF_TYPES"},
    {"SELECT (SELECT a, b FROM t)",
     "INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN"},
    {"SELECT a IN (SELECT a, c FROM u) FROM t",
     "DATATYPE_MISMATCH.IN_SUBQUERY_LENGTH_MISMATCH"},
    {"SELECT count(DISTINCT a) OVER (ORDER BY a) FROM t",
     "DISTINCT_WINDOW_FUNCTION_UNSUPPORTED"},
    {"SELECT *",
     "INVALID_USAGE_OF_STAR_OR_REGEX"},
    {"SELECT x.* FROM t",
     "CANNOT_RESOLVE_STAR_EXPAND"},
    {"VALUES (1), (1, 2)",
     "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH"},
    {"SELECT :p",
     "UNBOUND_SQL_PARAMETER"},
    {"SELECT date'2024-02-30'",
     "INVALID_TYPED_LITERAL"},
    {"WITH w AS (SELECT 1), w AS (SELECT 2) SELECT 1",
     "DUPLICATED_CTE_NAMES"},
    {"SELECT sum(a) OVER w FROM t",
     "MISSING_WINDOW_SPECIFICATION"},
    {"SELECT grouping(a) FROM t GROUP BY a",
     "UNSUPPORTED_GROUPING_EXPRESSION"},
    {"SELECT m FROM t ORDER BY m",
     "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE"},
    {"SELECT sum(a, b) FROM t",
     "WRONG_NUM_ARGS.WITHOUT_SUGGESTION"},
    {"SELECT 12345678901234567890123456789012345678901",
     "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION"},
    {"SELECT a FROM t JOIN u USING (b)",
     "UNRESOLVED_USING_COLUMN_FOR_JOIN"},
    {"SELECT twice(1, 2)",
     "WRONG_NUM_ARGS.WITHOUT_SUGGESTION"},
};

/* With BH_GOLDEN set, the rows as they should stand above. */
static void row(const struct golden *g, const char *got) {
    if (getenv("BH_GOLDEN")) {
        printf("G\t%s\t%s\n", g->sql, got);
        return;
    }
    if (strcmp(g->want, got) != 0) fail_msg("%s\n  want %s\n  got  %s", g->sql, g->want, got);
}

static void duckdb_text(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        arena *a = arena_new();
        struct sql_compiled c;
        row(&texts[i], sqlworld_compile(a, texts[i].sql, &c));
        arena_free(a);
    }
}

static void output_columns(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
        arena *a = arena_new();
        struct sql_compiled c = {.n = 0};
        const char *text = sqlworld_compile(a, columns[i].sql, &c);
        buf b = {0};
        if (!c.n) buf_z(&b, text);
        for (size_t k = 0; k < c.n; k++) {
            if (k) buf_z(&b, "; ");
            buf_str(&b, c.cols[k].name);
            buf_c(&b, ' ');
            sql_type_write(c.cols[k].type, &b);
            if (!c.cols[k].nullable) buf_z(&b, " not null");
        }
        buf_c(&b, 0);
        row(&columns[i], b.p);
        buf_free(&b);
        arena_free(a);
    }
}

static void error_classes(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        arena *a = arena_new();
        struct sql_compiled c;
        row(&errors[i], sqlworld_compile(a, errors[i].sql, &c));
        arena_free(a);
    }
}

static void store_casts(void **state) {
    (void)state;
    arena *a = arena_new();
    struct sql_env e;
    buf b = {0};
    sqlworld_env(a, &e);
    assert_null(sql_store_cast(&e, STR("`t`"), STR("c"), STR("x"), sql_type_of(TY_BIGINT), sql_type_of(TY_INT), &b));
    buf_c(&b, 0);
    assert_non_null(strstr(b.p, "CASE WHEN TRY_CAST(x AS INTEGER) IS NULL AND x IS NOT NULL THEN error('[CAST_OVERFLOW_IN_TABLE_INSERT]"));
    buf_clear(&b);
    assert_null(sql_store_cast(&e, STR("`t`"), STR("c"), STR("x"), sql_type_of(TY_INT), sql_type_of(TY_BIGINT), &b));
    buf_c(&b, 0);
    assert_string_equal(b.p, "CAST(x AS BIGINT)");
    buf_clear(&b);
    err *bad = sql_store_cast(&e, STR("`t`"), STR("c"), STR("x"), sql_type_of(TY_BOOLEAN), sql_type_of(TY_INT), &b);
    assert_non_null(bad);
    assert_true(str_eqz(sql_error_class(bad, a), "INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST"));
    assert_non_null(strstr(err_msg(bad), "`t`"));
    err_free(bad);
    buf_free(&b);
    arena_free(a);
}

static void constants(void **state) {
    (void)state;
    arena *a = arena_new();
    struct sql_env e;
    struct ast *x;
    const struct sql_type *t;
    str v;
    sqlworld_env(a, &e);
    assert_null(sql_parse_expr(a, STR("'a' || '.b'"), &x));
    assert_null(sql_constant(&e, x, &t, &v));
    assert_true(str_eqz(v, "a.b"));
    assert_null(sql_parse_expr(a, STR("date'2024-01-31' + interval 1 month"), &x));
    assert_null(sql_constant(&e, x, &t, &v));
    assert_true(str_eqz(v, "2024-02-29"));
    assert_null(sql_parse_expr(a, STR("rand()"), &x));
    err *bad = sql_constant(&e, x, &t, &v);
    assert_non_null(bad);
    err_free(bad);
    arena_free(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(duckdb_text), cmocka_unit_test(output_columns), cmocka_unit_test(error_classes),
                                       cmocka_unit_test(store_casts), cmocka_unit_test(constants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
