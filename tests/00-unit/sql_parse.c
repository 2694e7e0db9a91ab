/* SPDX-License-Identifier: Apache-2.0 */
/* The parser: trees of expressions and statements, errors with their place, limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sql/error.h"
#include "sql/sql.h"

struct golden {
    const char *sql, *tree;
};

/* Written without the statement around: SELECT <sql>. */
static const struct golden expressions[] = {
    {"a + b * -c", "(binary \"+\" a (binary \"*\" b (unary \"-\" c)))"},
    {"-1", "-1"},
    {"- 1", "-1"},
    {"2-1", "(binary \"-\" 2 1)"},
    {"-x", "(unary \"-\" x)"},
    {"+1", "(unary \"+\" 1)"},
    {"NOT a = b AND c OR d",
     "(binary \"or\" (binary \"and\" (unary \"not\" (binary \"=\" a b)) c) d)"},
    {"a AND b AND c AND d", "(binary \"and\" (binary \"and\" a b) (binary \"and\" c d))"},
    {"a OR b OR c", "(binary \"or\" (binary \"or\" a b) c)"},
    {"a = b IS NULL", "(is \"null\" (binary \"=\" a b))"},
    {"NOT NOT a", "(unary \"not\" (unary \"not\" a))"},
    {"!a = b", "(unary \"not\" (binary \"=\" a b))"},
    {"a || b || c", "(binary \"||\" (binary \"||\" a b) c)"},
    {"1 << 2 + 3 & 4 ^ 5 | 6",
     "(binary \"|\" (binary \"^\" (binary \"&\" (binary \"<<\" 1 (binary \"+\" 2 3)) 4) 5) 6)"},
    {"a >>> 1 >> 2", "(binary \">>\" (binary \">>>\" a 1) 2)"},
    {"x div 2 % 3", "(binary \"%\" (binary \"div\" x 2) 3)"},
    {"a < b = c", "(binary \"=\" (binary \"<\" a b) c)"},
    {"a <=> b", "(binary \"<=>\" a b)"},
    {"a != b", "(binary \"<>\" a b)"},
    {"a BETWEEN 1 AND 2 AND b", "(binary \"and\" (between a 1 2) b)"},
    {"a NOT IN (1, 2)", "(in +not a 1 2)"},
    {"x IN (SELECT 1)", "(in x :query (query :body (select :items (list 1))))"},
    {"x NOT LIKE ANY ('a', 'b')", "(like \"like\" 'a' +not x \"a\" \"b\")"},
    {"x LIKE 'a!%' ESCAPE '!'", "(like \"like\" x \"a!%\" :escape \"!\")"},
    {"x IS NOT DISTINCT FROM y", "(is \"distinct\" +not x y)"},
    {"x REGEXP 'r'", "(like \"rlike\" x \"r\")"},
    {"EXISTS (SELECT 1)", "(exists :query (query :body (select :items (list 1))))"},
    {"exists(a, x -> x > 1)", "(call a (lambda x :expr (binary \">\" x 1)) :name exists)"},
    {"transform(a, (x, i) -> x + i)",
     "(call a (lambda x i :expr (binary \"+\" x i)) :name transform)"},
    {"1L", "1L"},
    {"2S", "2S"},
    {"3y", "3Y"},
    {"1.5BD", "1.5B"},
    {"1e-5", "1e-5"},
    {".5", ".5"},
    {"5.", "5."},
    {"1F", "1F"},
    {"2D", "2D"},
    {"'a' \"b\"", "\"ab\""},
    {"r'\\n'", "\"\\\\n\""},
    {"'\\n\\u0041\\101\\%''q'", "\"\\nAA\\\\%'q\""},
    {"X'1F0'", "(lit-binary 01f0)"},
    {"DATE '2020-01-01'", "(lit-typed \"2020-01-01\" 'd')"},
    {"TIMESTAMP_NTZ '2020-01-01'", "(lit-typed \"2020-01-01\" 'n')"},
    {"t.1a", "t.1a"},
    {"`a``b`.c", "`a`b`.c"},
    {"1abc", "1abc"},
    {"count(*)", "(call (star) :name count)"},
    {"count(DISTINCT a, b)", "(call +distinct a b :name count)"},
    {"f(a => 1, b => x -> x)",
     "(call (named-arg \"a\" 1) (named-arg \"b\" (lambda x :expr x)) :name f)"},
    {"sum(a) FILTER (WHERE b) OVER (PARTITION BY c ORDER BY d DESC NULLS LAST ROWS BETWEEN "
     "UNBOUNDED "
     "PRECEDING AND 1 FOLLOWING)",
     "(call a :name sum :filter b :over (window :partition (list c) :order (list (sort 'l' +desc "
     "d)) "
     ":frame (frame \"rows\" (bound \"unbounded preceding\") (bound \"following\" 1))))"},
    {"first(a) IGNORE NULLS OVER w", "(call 'i' a :name first :over w)"},
    {"first(a IGNORE NULLS)", "(call 'i' a :name first)"},
    {"percentile_cont(0.5) WITHIN GROUP (ORDER BY a)",
     "(call 0.5 :name percentile_cont :within (list (sort a)))"},
    {"extract(YEAR FROM d)", "(call +special \"YEAR\" d :name extract)"},
    {"trim(LEADING 'x' FROM s)", "(call +special \"leading\" \"x\" s :name trim)"},
    {"trim(BOTH FROM s)", "(call +special \"both\" (lit-null) s :name trim)"},
    {"trim('x' FROM s)", "(call +special \"both\" \"x\" s :name trim)"},
    {"trim(s)", "(call s :name trim)"},
    {"substring(a FROM 1 FOR 2)", "(call +special a 1 2 :name substring)"},
    {"substring(a, 1)", "(call a 1 :name substring)"},
    {"position('a' IN b)", "(call +special \"a\" b :name position)"},
    {"position('a', b)", "(call \"a\" b :name position)"},
    {"overlay(a PLACING b FROM 1)", "(call +special a b 1 :name overlay)"},
    {"current_date", "(call +special :name current_date)"},
    {"current_date()", "(call :name current_date)"},
    {"dateadd(DAY, 1, d)", "(call +special \"DAY\" 1 d :name dateadd)"},
    {"date_add(d, 1)", "(call d 1 :name date_add)"},
    {"v:a.b[0]['c']::int", "(cast ':' (path \"a.b[0]['c']\" v) :type (type \"int\"))"},
    {"(v):x?::string", "(cast '?' +try (path \"x\" v) :type (type \"string\"))"},
    {"a::string COLLATE UTF8_LCASE", "(cast ':' a :type (type \"string\" :collation UTF8_LCASE))"},
    {"a COLLATE UNICODE = b", "(binary \"=\" (collate \"UNICODE\" a) b)"},
    {"m['k'].x[1]", "(subscript (field \"x\" (subscript m \"k\")) 1)"},
    {"(SELECT 1)", "(subquery :query (query :body (select :items (list 1))))"},
    {"((SELECT 1) + 1)",
     "(binary \"+\" (subquery :query (query :body (select :items (list 1)))) 1)"},
    {"((SELECT 1))", "(subquery :query (query :body (query :body (select :items (list 1)))))"},
    {"(1, 2)", "(row 1 2)"},
    {"(1)", "1"},
    {"s.*", "(star :qualifier s)"},
    {"* EXCEPT (a, b.c)", "(star :except (list a b.c))"},
    {"CASE WHEN a THEN b ELSE c END", "(case a b :else c)"},
    {"CASE x WHEN 1 THEN 2 WHEN 3 THEN 4 END", "(case 1 2 3 4 :expr x)"},
    {"CAST(a AS DECIMAL(10, 2))", "(cast a :type (type \"decimal\" 10 2))"},
    {"TRY_CAST(b AS ARRAY<STRUCT<x: INT NOT NULL COMMENT 'c', y MAP<STRING, ARRAY<INT>>>>)",
     "(cast +try b :type (type \"array\" (type \"struct\" (field-def \"x\" +not-null :type (type "
     "\"int\") "
     ":comment \"c\") (field-def \"y\" :type (type \"map\" (type \"string\") (type \"array\" (type "
     "\"int\")))))))"},
    {"CAST(a AS STRUCT<>)", "(cast a :type (type \"struct\"))"},
    {"CAST(a AS INTERVAL DAY TO SECOND)",
     "(cast a :type (type \"interval\" :from DAY :to SECOND))"},
    {"CAST(a AS TIMESTAMP WITHOUT TIME ZONE)", "(cast a :type (type \"timestamp_ntz\"))"},
    {"interval 1 day 2 hours", "(interval 1 day 2 hours)"},
    {"interval '1-2' year to month", "(interval \"1-2\" :from year :to month)"},
    {"interval '1 day 2 hours'", "(interval \"1 day 2 hours\")"},
    {"interval -'3' days", "(interval (unary \"-\" \"3\") days)"},
    {"interval + 1", "(binary \"+\" interval 1)"},
    {":p + ? * ?", "(binary \"+\" (param \"p\") (binary \"*\" (param \"\") (param \"\" 1)))"},
    {"IDENTIFIER('a.b')", "(column (name-expr :expr \"a.b\"))"},
    {"IDENTIFIER(:t).c", "(column (name-expr c :expr (param \"t\")))"},
    {"IDENTIFIER('f')(1)", "(call 1 :name (name-expr :expr \"f\"))"},
    {"a AS b", "(alias \"b\" a)"},
    {"a b", "(alias \"b\" a)"},
    {"f(x) AS (c, d)", "(alias (call x :name f) :names (list c d))"},
    {"struct(1 AS a, 2 b)", "(call (alias \"a\" 1) (alias \"b\" 2) :name struct)"},
    {"date", "date"},
    {"year + timestamp", "(binary \"+\" year timestamp)"},
    {"interval", "interval"},
    {"named_struct('a', 1).a", "(field \"a\" (call \"a\" 1 :name named_struct))"},
};

static const struct golden statements[] = {
    {"SELECT a FROM t AS x (b, c) JOIN u ON x.b = u.b LEFT ANTI JOIN v USING (k) CROSS JOIN "
     "LATERAL "
     "(SELECT 1) y, w@v3, z TIMESTAMP AS OF '2020-01-01' TABLESAMPLE (10 PERCENT) REPEATABLE (3), "
     "range(10) r, VALUES (1, 2) q(i, j), delta.`/a/b`",
     "(s-query :query (query :body (select :items (list a) :from (list (join \"cross\" +lateral "
     "(join "
     "\"anti\" (join \"inner\" (from-table :name t :alias x :names (list b c)) (from-table :name "
     "u) :on "
     "(binary \"=\" x.b u.b)) (from-table :name v) :using (list k)) (from-query +lateral :query "
     "(query "
     ":body (select :items (list 1))) :alias y)) (from-table :name w :version 3) (from-table :name "
     "z "
     ":timestamp \"2020-01-01\" :sample (sample \"percent\" 10 :seed 3)) (from-call :call (call 10 "
     ":name "
     "range) :alias r) (from-values :query (values (row 1 2)) :alias q :names (list i j)) "
     "(from-table "
     "+path :name delta.`/a/b`)))))"},
    {"SELECT * FROM t LATERAL VIEW OUTER explode(a) e AS x, y LATERAL VIEW posexplode(b) p WHERE x "
     "GROUP BY a, ROLLUP(b, (c, d)), GROUPING SETS ((a), ()) HAVING z WINDOW w AS (PARTITION BY a) "
     "QUALIFY r = 1",
     "(s-query :query (query :body (select :items (list (star)) :from (list (from-table :name t)) "
     ":views (list (lateral-view \"e\" +outer :call (call a :name explode) :names (list x y)) "
     "(lateral-view \"p\" :call (call b :name posexplode))) :where x :group (group a (grouping "
     "\"rollup\" "
     "(list b) (list c d)) (grouping \"sets\" (list a) (list))) :having z :windows (list "
     "(named-window "
     "\"w\" :over (window :partition (list a)))) :qualify (binary \"=\" r 1))))"},
    {"SELECT * FROM t PIVOT (sum(a) AS s, avg(b) FOR (c, d) IN ((1, 2) AS x, (3, 4))) p",
     "(s-query :query (query :body (select :items (list (star)) :from (list (pivot (from-table "
     ":name "
     "t) :items (list (alias \"s\" (call a :name sum)) (call b :name avg)) :for (list c d) :in "
     "(list "
     "(alias \"x\" (row 1 2)) (row 3 4)) :alias p)))))"},
    {"SELECT * FROM t UNPIVOT INCLUDE NULLS ((v1, v2) FOR n IN ((a, b) AS ab, (c, d))) AS u",
     "(s-query :query (query :body (select :items (list (star)) :from (list (unpivot +nulls "
     "(from-table :name t) :names (list v1 v2) :for n :in (list (alias \"ab\" (list a b)) (list c "
     "d)) "
     ":alias u)))))"},
    {"FROM t |> WHERE a > 1 |> SELECT a, b AS c |> AGGREGATE sum(a) AS s GROUP BY c |> ORDER BY s "
     "|> "
     "LIMIT 3 |> JOIN u ON s = u.s |> EXTEND 1 AS one |> SET s = 2 |> DROP one |> AS z |> UNION "
     "ALL "
     "SELECT 1",
     "(s-query :query (query :body (pipe (select :items (list (star)) :from (list (from-table "
     ":name "
     "t))) (pipe-op \"where\" :where (binary \">\" a 1)) (pipe-op \"select\" :items (list a (alias "
     "\"c\" b))) "
     "(pipe-op \"aggregate\" :items (list (alias \"s\" (call a :name sum))) :group (group c)) "
     "(pipe-op "
     "\"order\" :order (list (sort s))) (pipe-op \"limit\" :limit 3) (pipe-op \"join\" :from (join "
     "\"inner\" "
     "(from-group) (from-table :name u) :on (binary \"=\" s u.s))) (pipe-op \"extend\" :items "
     "(list "
     "(alias \"one\" 1))) (pipe-op \"set\" (assign s 2)) (pipe-op \"drop\" one) (pipe-op \"as\" "
     ":alias z) "
     "(pipe-op \"union\" +all :query (select :items (list 1))))))"},
    {"SELECT * FROM f(TABLE(t) PARTITION BY a ORDER BY b, x => 1), g(TABLE(SELECT 1) WITH SINGLE "
     "PARTITION) AS y",
     "(s-query :query (query :body (select :items (list (star)) :from (list (from-call :call (call "
     "(table-arg :from (from-table :name t) :partition (list a) :order (list (sort b))) (named-arg "
     "\"x\" 1) :name f)) (from-call :call (call (table-arg +json :from (from-query :query (query "
     ":body "
     "(select :items (list 1))))) :name g) :alias y)))))"},
    {"SELECT order, group, from, date, year FROM t ORDER BY order",
     "(s-query :query (query :body (select :items (list order group from date year) :from (list "
     "(from-table :name t))) :order (list (sort order))))"},
    {"WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a), b AS (TABLE t) SELECT /*+ "
     "BROADCAST(t), COALESCE(1) */ DISTINCT * FROM b UNION SELECT 2 INTERSECT SELECT 3 EXCEPT ALL "
     "SELECT 4 ORDER BY 1 LIMIT 5 OFFSET 2",
     "(s-query :query (query +recursive :with (list (cte \"a\" :names (list n) :query (query :body "
     "(setop \"union\" +all (select :items (list 1)) (select :items (list (binary \"+\" n 1)) "
     ":from (list "
     "(from-table :name a)))))) (cte \"b\" :query (query :body (table :name t)))) :body (setop "
     "\"except\" "
     "+all (setop \"union\" (select +distinct :hints (list (call t :name BROADCAST) (call 1 :name "
     "COALESCE)) :items (list (star)) :from (list (from-table :name b))) (setop \"intersect\" "
     "(select "
     ":items (list 2)) (select :items (list 3)))) (select :items (list 4))) :order (list (sort 1)) "
     ":limit 5 :offset 2))"},
    {"(SELECT 1 UNION SELECT 2) EXCEPT (SELECT 3) LIMIT ALL",
     "(s-query :query (query :body (setop \"except\" (query :body (setop \"union\" (select :items "
     "(list "
     "1)) (select :items (list 2)))) (query :body (select :items (list 3))))))"},
    {"SELECT 1 FROM t CLUSTER BY a",
     "(s-query :query (query :body (select :items (list 1) :from (list (from-table :name t))) "
     ":clusterby (list a)))"},
    {"SELECT a FROM t DISTRIBUTE BY b SORT BY c DESC",
     "(s-query :query (query :body (select :items (list a) :from (list (from-table :name t))) "
     ":distributeby (list b) :sortby (list (sort +desc c))))"},
    {"SELECT 1 limit", "(s-query :query (query :body (select :items (list (alias \"limit\" 1)))))"},
    {"SELECT a from from from", "(s-query :query (query :body (select :items (list a) :from (list "
                                "(from-table :name from :alias "
                                "from)))))"},
    {"VALUES (1, 2), (3, 4) AS t(a, b)",
     "(s-query :query (query :body (values (row 1 2) (row 3 4) :alias t :names (list a b))))"},
    {"SELECT a FROM (VALUES (1)) AS t(a), (t JOIN u) x",
     "(s-query :query (query :body (select :items (list a) :from (list (from-query :query (query "
     ":body (values 1)) :alias t :names (list a)) (from-group (join \"inner\" (from-table :name t) "
     "(from-table :name u)) :alias x)))))"},
    {"FROM t SELECT a WHERE b", "(s-query :query (query :body (select :items (list a) :from (list "
                                "(from-table :name t)) :where "
                                "b)))"},
    {"SELECT * FROM a NATURAL FULL OUTER JOIN b",
     "(s-query :query (query :body (select :items (list (star)) :from (list (join \"full\" "
     "+natural "
     "(from-table :name a) (from-table :name b))))))"},
    {"SELECT * FROM STREAM t, STREAM(u)", "(s-query :query (query :body (select :items (list "
                                          "(star)) :from (list (from-table +stream :name "
                                          "t) (from-table +stream :name u)))))"},
    {"INSERT INTO t (a, b) VALUES (1, DEFAULT), (2, 'x')",
     "(s-insert :name t :names (list a b) :query (query :body (values (row 1 (default)) (row 2 "
     "\"x\"))))"},
    {"INSERT OVERWRITE TABLE t PARTITION (p = 1, q) IF NOT EXISTS SELECT * FROM u",
     "(s-insert +if-not-exists +overwrite :name t :partition (list (partval \"p\" 1) (partval "
     "\"q\")) "
     ":query (query :body (select :items (list (star)) :from (list (from-table :name u)))))"},
    {"WITH s AS (SELECT 1) INSERT INTO t BY NAME SELECT * FROM s",
     "(s-insert +by-name :name t :query (query :body (select :items (list (star)) :from (list "
     "(from-table :name s)))) :with (list (cte \"s\" :query (query :body (select :items (list "
     "1))))))"},
    {"INSERT INTO t REPLACE WHERE a > 1 SELECT 1",
     "(s-insert :name t :where (binary \">\" a 1) :query (query :body (select :items (list 1))))"},
    {"INSERT INTO t REPLACE USING (a, b) SELECT 1, 2",
     "(s-insert :name t :using (list a b) :query (query :body (select :items (list 1 2))))"},
    {"UPDATE c.s.t AS x SET a = 1, b.c = DEFAULT WHERE d",
     "(s-update :name c.s.t :alias x :items (list (assign a 1) (assign b.c (default))) :where d)"},
    {"DELETE FROM t WHERE a IS NULL", "(s-delete :name t :where (is \"null\" a))"},
    {"MERGE WITH SCHEMA EVOLUTION INTO t USING (SELECT 1 a) s ON t.a = s.a WHEN MATCHED AND s.d "
     "THEN "
     "DELETE WHEN MATCHED THEN UPDATE SET t.a = s.a WHEN NOT MATCHED THEN INSERT (a) VALUES (s.a) "
     "WHEN NOT MATCHED BY SOURCE THEN UPDATE SET a = 0",
     "(s-merge +evolve (merge-when \"matched\" :cond s.d :action (merge-do \"delete\")) "
     "(merge-when "
     "\"matched\" :action (merge-do \"update\" :items (list (assign t.a s.a)))) (merge-when "
     "\"not_matched\" "
     ":action (merge-do \"insert\" :names (list a) :values (list s.a))) (merge-when "
     "\"not_matched_by_source\" :action (merge-do \"update\" :items (list (assign a 0)))) :name t "
     ":from "
     "(from-query :query (query :body (select :items (list (alias \"a\" 1)))) :alias s) :on "
     "(binary \"=\" "
     "t.a s.a))"},
    {"CREATE OR REPLACE TABLE c.s.t (a INT NOT NULL COMMENT 'x', b BIGINT GENERATED ALWAYS AS "
     "IDENTITY (START WITH 5 INCREMENT BY -1), d DATE GENERATED ALWAYS AS (CAST(a AS DATE)), e "
     "STRING "
     "DEFAULT 'q', CONSTRAINT pk PRIMARY KEY (a) RELY, CONSTRAINT ck CHECK (a > 0), FOREIGN KEY "
     "(b) "
     "REFERENCES u (x)) USING delta PARTITIONED BY (a) COMMENT 'c' LOCATION 's3://x' TBLPROPERTIES "
     "('k' = 'v', delta.x = true)",
     "(s-create-table +replace :name c.s.t :columns (list (column-def \"a\" +not-null :type (type "
     "\"int\") :comment \"x\") (column-def \"b\" :type (type \"bigint\") :identity (list 'a' 5 "
     "-1)) "
     "(column-def \"d\" :type (type \"date\") :generated (cast a :type (type \"date\"))) "
     "(column-def \"e\" "
     ":type (type \"string\") :default \"q\")) :constraints (list (constraint \"pk\" 'p' rely "
     ":names (list "
     "a)) (constraint \"ck\" 'c' :expr (binary \">\" a 0)) (constraint \"\" 'f' :names (list b) "
     ":ref u "
     ":refnames (list x))) :using delta :partition (list a) :comment \"c\" :location \"s3://x\" "
     ":properties (list (property \"k\" \"v\") (property \"delta.x\" (lit-bool +true))))"},
    {"CREATE TABLE IF NOT EXISTS t CLUSTER BY AUTO AS SELECT 1 AS a",
     "(s-create-table +if-not-exists :name t :cluster auto :query (query :body (select :items "
     "(list "
     "(alias \"a\" 1)))))"},
    {"CREATE TABLE t SHALLOW CLONE u VERSION AS OF 3",
     "(s-create-table 's' :name t :clone u :version 3)"},
    {"CREATE TABLE t LIKE u", "(s-create-table :name t :like u)"},
    {"CREATE OR REPLACE TEMP VIEW v (a COMMENT 'x', b) COMMENT 'y' AS SELECT 1, 2",
     "(s-create-view \"SELECT 1, 2\" +replace +temp :name v :columns (list (column-def \"a\" "
     ":comment "
     "\"x\") (column-def \"b\")) :comment \"y\" :query (query :body (select :items (list 1 2))))"},
    {"CREATE MATERIALIZED VIEW IF NOT EXISTS v SCHEDULE EVERY 1 HOUR AS SELECT 1",
     "(s-create-view \"SELECT 1\" +if-not-exists +materialized :name v :key SCHEDULE EVERY 1 HOUR "
     ":query (query :body (select :items (list 1))))"},
    {"CREATE FUNCTION f(y STRING, x INT DEFAULT 1 COMMENT 'c') RETURNS INT DETERMINISTIC COMMENT "
     "'q' "
     "RETURN x + length(y)",
     "(s-create-function \"x + length(y)\" :name f :params (list (column-def \"y\" :type (type \"string\")) (column-def \"x\" :type (type "
     "\"int\") "
     ":default 1 :comment \"c\")) :returns (type "
     "\"int\") :comment "
     "\"q\" :options (list deterministic) :expr (binary \"+\" x (call y :name length)))"},
    {"CREATE OR REPLACE FUNCTION g(x INT) RETURNS TABLE (a INT, b STRING) RETURN SELECT x, 'a'",
     "(s-create-function \"SELECT x, 'a'\" +replace :name g :params (list (column-def \"x\" :type "
     "(type "
     "\"int\"))) :returns (list (column-def \"a\" :type (type \"int\")) (column-def \"b\" :type "
     "(type "
     "\"string\"))) :query (query :body (select :items (list x \"a\"))))"},
    {"CREATE FUNCTION p(x INT) RETURNS INT LANGUAGE PYTHON AS $$ return x + 1 $$",
     "(s-create-function \" return x + 1 \" :name p :params (list (column-def \"x\" :type (type "
     "\"int\"))) "
     ":returns (type \"int\") :language PYTHON :value \" return x + 1 \")"},
    {"ALTER TABLE t ADD COLUMNS (a INT FIRST, b STRING AFTER c)",
     "(command \"alter_table_add_columns\" :name t :columns (list (column-def \"a\" +first :type "
     "(type "
     "\"int\")) (column-def \"b\" :type (type \"string\") :after c)))"},
    {"ALTER TABLE t ADD CONSTRAINT c CHECK (a > 1)",
     "(command \"alter_table_add_constraint\" :name t :constraints (list (constraint \"c\" 'c' "
     ":expr "
     "(binary \">\" a 1))))"},
    {"ALTER TABLE t ALTER COLUMN a SET NOT NULL, b TYPE BIGINT",
     "(command \"alter_table_alter_column\" (command \"set_not_null\" :name a) (command \"type\" "
     ":name b "
     ":type (type \"bigint\")) :name t)"},
    {"ALTER TABLE t SET TAGS ('a' = 'b')",
     "(command \"alter_table_set_tags\" :name t :tags (list (property \"a\" \"b\")))"},
    {"ALTER TABLE t DROP COLUMN IF EXISTS a, b",
     "(command \"alter_table_drop_columns\" +if-exists :name t :columns (list a b))"},
    {"ALTER TABLE t DROP FEATURE deletionVectors TRUNCATE HISTORY",
     "(command \"alter_table_drop_feature\" +all :name t :key deletionVectors)"},
    {"ALTER TABLE t SET ROW FILTER f ON (a, b)",
     "(command \"alter_table_set_row_filter\" :name t :filter (call a b :name f))"},
    {"ALTER TABLE t ALTER COLUMN a SET MASK m USING COLUMNS (b)",
     "(command \"alter_table_alter_column\" (command \"set_mask\" :name a :mask (call b :name m)) "
     ":name t)"},
    {"ALTER SCHEMA s SET OWNER TO `me@x.org`",
     "(command \"alter_schema_owner\" :name s :owner `me@x.org`)"},
    {"CREATE SCHEMA IF NOT EXISTS c.s MANAGED LOCATION 's3://x' COMMENT 'y'",
     "(command \"create_schema\" +special +if-not-exists :name c.s :location \"s3://x\" :comment "
     "\"y\")"},
    {"CREATE CATALOG c", "(command \"create_catalog\" :name c)"},
    {"DROP SCHEMA IF EXISTS c.s CASCADE",
     "(command \"drop_schema\" +if-exists +cascade :name c.s)"},
    {"DROP TABLE IF EXISTS c.s.t", "(command \"drop_table\" +if-exists :name c.s.t)"},
    {"COMMENT ON TABLE t IS 'x'", "(command \"comment_on\" :key table :name t :comment \"x\")"},
    {"GRANT SELECT, USE SCHEMA ON SCHEMA c.s TO `a b`",
     "(command \"grant\" :privileges (list SELECT USE SCHEMA) :key schema :name c.s :principal `a "
     "b`)"},
    {"SHOW GRANTS me@x.org ON TABLE t",
     "(command \"show_grants\" :principal me@x.org :key table :name t)"},
    {"SHOW TABLES IN c.s LIKE 'a*'", "(command \"show_tables\" :schema c.s :pattern \"a*\")"},
    {"SHOW TABLE EXTENDED IN s LIKE '*'",
     "(command \"show_table_extended\" :schema s :pattern \"*\")"},
    {"SHOW CREATE TABLE t", "(command \"show_create_table\" :name t)"},
    {"SHOW COLUMNS IN t IN s", "(command \"show_columns\" :name t :schema s)"},
    {"DESCRIBE TABLE EXTENDED t AS JSON", "(command \"describe_table\" +extended +json :name t)"},
    {"DESC t a.b", "(command \"describe_table\" :name t :column a.b)"},
    {"DESCRIBE HISTORY t LIMIT 1", "(command \"describe_history\" :name t :limit 1)"},
    {"DESCRIBE QUERY SELECT 1", "(s-describe-query :query (query :body (select :items (list 1))))"},
    {"EXPLAIN FORMATTED SELECT 1",
     "(s-explain \"formatted\" (s-query :query (query :body (select :items (list 1)))))"},
    {"SET TIME ZONE 'UTC'", "(s-set \"timezone\" :value \"UTC\")"},
    {"SET x.y = a b", "(s-set \"x.y\" :value \"a b\")"},
    {"SET VAR a = 1, b = (SELECT 2)", "(s-set-var (assign a 1) (assign b (subquery :query (query "
                                      ":body (select :items (list 2))))))"},
    {"RESET", "(s-reset \"\")"},
    {"USE CATALOG c", "(s-use \"catalog\" :name c)"},
    {"USE s.t", "(s-use \"\" :name s.t)"},
    {"DECLARE OR REPLACE VARIABLE a INT DEFAULT 5",
     "(s-declare +replace :name (list a) :type (type \"int\") :default 5)"},
    {"EXECUTE IMMEDIATE 'SELECT ?' INTO a USING 5, b AS c",
     "(s-execute-immediate :expr \"SELECT ?\" :into (list a) :using (list 5 (alias \"c\" b)))"},
    {"COPY INTO t FROM (SELECT a::int FROM '/x/y') FILEFORMAT = CSV FILES = ('a', 'b') "
     "FORMAT_OPTIONS "
     "('header' = 'true') COPY_OPTIONS ('force' = 'true')",
     "(command \"copy_into\" :name t :query (query :body (select :items (list (cast ':' a :type "
     "(type "
     "\"int\"))) :from (list (from-table +path :name `/x/y`)))) :format CSV :files (list \"a\" "
     "\"b\") "
     ":options (list (property \"header\" \"true\")) :properties (list (property \"force\" "
     "\"true\")))"},
    {"OPTIMIZE t WHERE p = 1 ZORDER BY (a, b)",
     "(command \"optimize\" :name t :where (binary \"=\" p 1) :zorder (list a b))"},
    {"VACUUM t RETAIN 0 HOURS DRY RUN", "(command \"vacuum\" +json :name t :retain 0)"},
    {"RESTORE TABLE t TO VERSION AS OF 3", "(command \"restore\" :name t :version 3)"},
    {"REORG TABLE t APPLY (PURGE)", "(command \"reorg_purge\" :name t)"},
    {"ANALYZE TABLE t COMPUTE STATISTICS FOR COLUMNS a, b",
     "(command \"analyze_table\" :name t :columns (list a b))"},
    {"PUT '/a' INTO '/Volumes/x' OVERWRITE",
     "(command \"put_file\" +overwrite :location \"/a\" :target \"/Volumes/x\")"},
    {"CACHE TABLE t", "(command \"cache_table\" :name t)"},
    {"MSCK REPAIR TABLE t", "(command \"repair_table\" :name t)"},
    {"REFRESH TABLE t", "(command \"refresh_table\" :name t)"},
    {"UNDROP TABLE t", "(command \"undrop_table\" :name t)"},
    {"BEGIN DECLARE c CONDITION FOR SQLSTATE '45000'; DECLARE k INSENSITIVE CURSOR FOR SELECT ? FOR READ ONLY; DECLARE EXIT HANDLER FOR c, UNRESOLVED_COLUMN.X SIGNAL c SET MESSAGE_TEXT = 'x'; "
     "OPEN k USING 1; FETCH NEXT FROM l.k INTO x, y; CLOSE k; END",
     "(s-script \"\" (command \"declare_condition\" :name c :value \"45000\") (command \"declare_cursor\" :name k :query (query :body (select :items (list (param \"\"))))) "
     "(command \"declare_handler\" +special :names (list c UNRESOLVED_COLUMN.X) :action (command \"signal\" :name c :items (list (assign MESSAGE_TEXT \"x\")))) "
     "(command \"open\" :name k :using (list 1)) (command \"fetch\" :name l.k :into (list x y)) (command \"close\" :name k))"},
    {"BEGIN l: FOR r AS SELECT 1 DO SET l.x = 1; END FOR IDENTIFIER('l'); END",
     "(s-script \"\" (command \"for\" :key l :name r :query (query :body (select :items (list 1))) :action (s-script \"\" +all (s-set-var (assign l.x 1)))))"},
    {"CALL p(1, a => 2)", "(command \"call\" :call (call 1 (named-arg \"a\" 2) :name p))"},
    {"BEGIN DECLARE x INT DEFAULT 1; l: WHILE x < 5 DO SET x = x + 1; IF x = 3 THEN LEAVE l; ELSE "
     "ITERATE l; END IF; END WHILE l; SELECT x; END",
     "(s-script \"\" (s-declare :name (list x) :type (type \"int\") :default 1) (command \"while\" "
     ":key l "
     ":cond (binary \"<\" x 5) :action (s-script \"\" +all (s-set-var (assign x (binary \"+\" x 1))) "
     "(command "
     "\"if\" (binary \"=\" x 3) (s-script \"\" +all (command \"leave\" :key l)) :else (s-script \"\" +all "
     "(command "
     "\"iterate\" :key l))))) (s-query :query (query :body (select :items (list x)))))"},
};

/* Messages as Spark prints them. */
static const struct golden errors[] = {
    {"select a b c",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'c': extra input 'c'. SQLSTATE: 42601 (line 1, pos 11)\n"
     "\n"
     "== SQL ==\n"
     "select a b c\n"
     "-----------^^^"},
    {"select (1",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at end of input. SQLSTATE: 42601 (line 1, pos 9)\n"
     "\n"
     "== SQL ==\n"
     "select (1\n"
     "---------^^^"},
    {"selct 1",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'selct'. SQLSTATE: 42601 (line 1, pos 0)\n"
     "\n"
     "== SQL ==\n"
     "selct 1\n"
     "^^^"},
    {"select 1 1",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at '1': extra input '1'. SQLSTATE: 42601 (line 1, pos 9)\n"
     "\n"
     "== SQL ==\n"
     "select 1 1\n"
     "---------^^^"},
    {"select * from a-b",
     "[INVALID_IDENTIFIER] The name a-b must stand in back quotes: `a-b`. Without them a name has ASCII letters, digits and _ only, and does not begin with a digit. SQLSTATE: 42602 (line 1, pos 15)\n"
     "\n"
     "== SQL ==\n"
     "select * from a-b\n"
     "---------------^^^"},
    {"select 1 ! between 0 and 2",
     "[SYNTAX_DISCONTINUED.BANG_EQUALS_NOT] ! is no longer read with '!'. Write NOT, as in NOT LIKE, NOT IN, NOT BETWEEN; '!' stands only before a condition. SQLSTATE: 42601\n"
     "== SQL (line 1, position 10) ==\n"
     "select 1 ! between 0 and 2\n"
     "         ^"},
    {"delete t",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 't': missing 'FROM'. SQLSTATE: 42601 (line 1, pos 7)\n"
     "\n"
     "== SQL ==\n"
     "delete t\n"
     "-------^^^"},
    {"update t st a=1",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'a': missing 'SET'. SQLSTATE: 42601 (line 1, pos 12)\n"
     "\n"
     "== SQL ==\n"
     "update t st a=1\n"
     "------------^^^"},
    {"select a\n"
     "from t\n"
     "where x in ()\n"
     "  and b",
     "[INVALID_SQL_SYNTAX.EMPTY_IN_PREDICATE] IN () has no values. Give at least one; for a condition that never holds write FALSE. SQLSTATE: 42000\n"
     "== SQL (line 3, position 9) ==\n"
     "where x in ()\n"
     "        ^^^^^"},
    {"with a as (select 1), A as (select 2) select 3",
     "[DUPLICATED_CTE_NAMES] WITH defines these names more than once: `a`. SQLSTATE: 42602\n"
     "== SQL (line 1, position 1) ==\n"
     "with a as (select 1), A as (select 2) select 3\n"
     "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"},
    {"select interval 1 year 2 days",
     "interval 1 year 2 days mixes years or months with days or times; an interval has one kind.\n"
     "== SQL (line 1, position 8) ==\n"
     "select interval 1 year 2 days\n"
     "       ^^^^^^^^^^^^^^^^^^^^^^"},
    {"select 300Y",
     "[INVALID_NUMERIC_LITERAL_RANGE] The number 300 is no tinyint, which goes from -128 to 127. SQLSTATE: 22003\n"
     "== SQL (line 1, position 8) ==\n"
     "select 300Y\n"
     "       ^^^^"},
    {"select 1234567890123456789012345678901234567890",
     "[DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION] A decimal has at most 38 digits, not 40. SQLSTATE: 22003\n"
     "== SQL (line 1, position 8) ==\n"
     "select 1234567890123456789012345678901234567890\n"
     "       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"},
    {"select a like any ()",
     "The list between '(' and ')' is empty.\n"
     "== SQL (line 1, position 10) ==\n"
     "select a like any ()\n"
     "         ^^^^^^^^^^^"},
    {"create table t (a array)",
     "[INCOMPLETE_TYPE_DEFINITION.ARRAY] The type is not complete: an ARRAY needs its elements' type, as in \"ARRAY<INT>\". SQLSTATE: 42K01\n"
     "== SQL (line 1, position 19) ==\n"
     "create table t (a array)\n"
     "                  ^^^^^"},
    {"select blah 'x'",
     "[UNSUPPORTED_TYPED_LITERAL] No literal can be written with the type \"BLAH\"; with \"DATE\", \"TIMESTAMP_NTZ\", \"TIMESTAMP_LTZ\", \"TIMESTAMP\", \"INTERVAL\", \"X\", \"TIME\" it can. SQLSTATE: 0A000\n"
     "== SQL (line 1, position 8) ==\n"
     "select blah 'x'\n"
     "       ^^^^^^^^"},
    {"select dateadd('DAY', 1, d)",
     "[INVALID_PARAMETER_VALUE.DATETIME_UNIT] `dateadd` cannot use the text 'DAY' as `unit`: a unit is a bare word such as YEAR, MONTH, DAY, HOUR, MINUTE or SECOND. SQLSTATE: 22023\n"
     "== SQL (line 1, position 8) ==\n"
     "select dateadd('DAY', 1, d)\n"
     "       ^^^^^^^^^^^^^^^^^^^^"},
    {"select 1 /* x",
     "[UNCLOSED_BRACKETED_COMMENT] A comment that begins with /* has no */ at its end. SQLSTATE: 42601\n"
     "== SQL ==\n"
     "select 1 /* x"},
    {"/* x */",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at end of input. SQLSTATE: 42601 (line 1, pos 7)\n"
     "\n"
     "== SQL ==\n"
     "/* x */\n"
     "-------^^^"},
    {"",
     "[PARSE_EMPTY_STATEMENT] The statement is empty. SQLSTATE: 42617 (line 1, pos 0)\n"
     "\n"
     "== SQL ==\n"
     "\n"
     "^^^"},
    {"  ;",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at ';'. SQLSTATE: 42601 (line 1, pos 2)\n"
     "\n"
     "== SQL ==\n"
     "  ;\n"
     "--^^^"},
    {"select 'abc",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at '''. SQLSTATE: 42601 (line 1, pos 7)\n"
     "\n"
     "== SQL ==\n"
     "select 'abc\n"
     "-------^^^"},
    {"merge into t using s on a = b",
     "[MERGE_WITHOUT_WHEN] MERGE needs at least one WHEN clause. SQLSTATE: 42601\n"
     "== SQL (line 1, position 1) ==\n"
     "merge into t using s on a = b\n"
     "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"},
    {"create table t (a int, b)",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at ')'. SQLSTATE: 42601 (line 1, pos 24)\n"
     "\n"
     "== SQL ==\n"
     "create table t (a int, b)\n"
     "------------------------^^^"},
    {"select é b c",
     "[INVALID_IDENTIFIER] The name é must stand in back quotes: `é`. Without them a name has ASCII letters, digits and _ only, and does not begin with a digit. SQLSTATE: 42602 (line 1, pos 7)\n"
     "\n"
     "== SQL ==\n"
     "select é b c\n"
     "-------^^^"},
    {"select 'é' a b c",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'b'. SQLSTATE: 42601 (line 1, pos 13)\n"
     "\n"
     "== SQL ==\n"
     "select 'é' a b c\n"
     "-------------^^^"},
    {"set time zone",
     "SET TIME ZONE: the interval must lie between -18 and +18 hours.\n"
     "== SQL (line 1, position 1) ==\n"
     "set time zone\n"
     "^^^^^^^^^^^^^"},
    {"select 1 order by 1 cluster by 2",
     "[UNSUPPORTED_FEATURE.COMBINATION_QUERY_RESULT_CLAUSES] A query can have only one of ORDER BY, SORT BY, DISTRIBUTE BY and CLUSTER BY, save SORT BY after DISTRIBUTE BY. SQLSTATE: 0A000\n"
     "== SQL (line 1, position 10) ==\n"
     "select 1 order by 1 cluster by 2\n"
     "         ^^^^^^^^^^^^^^^^^^^^^^^"},
    {"declare x",
     "[INVALID_SQL_SYNTAX.VARIABLE_TYPE_OR_DEFAULT_REQUIRED] A variable needs a type (`DECLARE v INT`) or a default (`DECLARE v = 1`). SQLSTATE: 42000\n"
     "== SQL (line 1, position 1) ==\n"
     "declare x\n"
     "^^^^^^^^^"},
    {"drop tabel t",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'tabel'. SQLSTATE: 42601 (line 1, pos 5)\n"
     "\n"
     "== SQL ==\n"
     "drop tabel t\n"
     "-----^^^"},
    {"select * from t natural join lateral (select 1)",
     "[INCOMPATIBLE_JOIN_TYPES] A join cannot be LATERAL and NATURAL at once. SQLSTATE: 42613\n"
     "== SQL (line 1, position 17) ==\n"
     "select * from t natural join lateral (select 1)\n"
     "                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"},
    {"select 1; select 2",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'select': extra input 'select'. SQLSTATE: 42601 (line 1, pos 10)\n"
     "\n"
     "== SQL ==\n"
     "select 1; select 2\n"
     "----------^^^"},
    {"select a from t as (a",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at end of input. SQLSTATE: 42601 (line 1, pos 21)\n"
     "\n"
     "== SQL ==\n"
     "select a from t as (a\n"
     "---------------------^^^"},
    {"create table t (a int) comment 'a' comment 'b'",
     "[DUPLICATE_CLAUSES] The clause COMMENT stands twice; leave one of them. SQLSTATE: 42614\n"
     "== SQL (line 1, position 1) ==\n"
     "create table t (a int) comment 'a' comment 'b'\n"
     "^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"},
    {"alter table t frobnicate",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'frobnicate'. SQLSTATE: 42601 (line 1, pos 14)\n"
     "\n"
     "== SQL ==\n"
     "alter table t frobnicate\n"
     "--------------^^^"},
    {"show frobs in t",
     "[PARSE_SYNTAX_ERROR] Syntax error: cannot read the statement at 'frobs'. SQLSTATE: 42601 (line 1, pos 5)\n"
     "\n"
     "== SQL ==\n"
     "show frobs in t\n"
     "-----^^^"},
};

static struct ast *parse(arena *a, const char *sql) {
    struct ast *n = NULL;
    err *e = sql_parse_one(a, str_of(sql), &n);
    if (e) fail_msg("%s: %s", sql, err_msg(e));
    return n;
}

static void same(const struct ast *n, const char *sql, const char *tree) {
    buf out = {0};
    ast_dump(n, &out);
    buf_c(&out, 0);
    if (strcmp(out.p, tree) != 0) fail_msg("%s\n  is   %s\n  not  %s", sql, out.p, tree);
    buf_free(&out);
}

static void test_expressions(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
        arena *a = arena_new();
        struct ast *n = NULL;
        err *e = sql_parse_expr(a, str_of(expressions[i].sql), &n);
        if (e) fail_msg("%s: %s", expressions[i].sql, err_msg(e));
        same(n, expressions[i].sql, expressions[i].tree);
        arena_free(a);
    }
}

static void test_statements(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        arena *a = arena_new();
        same(parse(a, statements[i].sql), statements[i].sql, statements[i].tree);
        arena_free(a);
    }
}

static void test_errors(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        arena *a = arena_new();
        struct ast *n = NULL;
        err *e = sql_parse_one(a, str_of(errors[i].sql), &n);
        if (!e) fail_msg("%s: no error", errors[i].sql);
        assert_int_equal(err_code_of(e), ERR_SQL_ERROR);
        str message = str_of(err_msg(e));
        while (message.n && message.p[message.n - 1] == '\n') message.n--;
        if (!str_eqz(message, errors[i].tree))
            fail_msg("%s\n  is   %s\n  not  %s", errors[i].sql, err_msg(e), errors[i].tree);
        err_free(e);
        arena_free(a);
    }
}

static void test_detail(void **state) {
    (void)state;
    arena *a = arena_new();
    struct ast *n = NULL;
    err *e = sql_parse_one(a, STR("select 1,\n  x y z"), &n);
    assert_non_null(e);
    assert_string_equal(
        err_detail_of(e),
        "{\"class\":\"PARSE_SYNTAX_ERROR\",\"sqlState\":\"42601\",\"params\":{\"error\":\"'z'\","
        "\"hint\":\": extra input 'z'\"},\"line\":2,\"pos\":6,\"start\":16,\"stop\":16}");
    assert_true(str_eqz(sql_error_class(e, a), "PARSE_SYNTAX_ERROR"));
    assert_true(str_eqz(sql_error_state(e, a), "42601"));
    err_free(e);
    arena_free(a);
}

static void test_places(void **state) {
    (void)state;
    arena *a = arena_new();
    struct ast *n = parse(a, "SELECT (a + b) * c FROM t");
    const struct ast *items = ast_get(ast_get(ast_get(n, SLOT_QUERY), SLOT_BODY), SLOT_ITEMS),
                     *product = items->child[0];
    assert_int_equal(product->pos, 7);
    assert_int_equal(product->end, 18);
    assert_int_equal(product->child[0]->pos, 8);
    assert_int_equal(product->child[0]->end, 13);
    /* An error of the analyser over it. */
    err *e = sql_error("UNRESOLVED_COLUMN.WITHOUT_SUGGESTION", product->child[1],
                       STR("SELECT (a + b) * c FROM t"), "objectName", "`c`", NULL);
    assert_string_equal(
        err_msg(e), "[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION] `c` cannot be resolved: no column, variable or "
                    "parameter has this name. SQLSTATE: 42703; line 1 pos 17\n\n== SQL (line 1, position 18) ==\n"
                    "SELECT (a + b) * c FROM t\n                 ^\n");
    err_free(e);
    /* Made without the text, placed later; a second place changes nothing. */
    e = sql_error("DIVIDE_BY_ZERO", NULL, STR(""), "config", "\"spark.sql.ansi.enabled\"", NULL);
    assert_null(strstr(err_msg(e), "== SQL"));
    e = sql_error_place(e, product, STR("SELECT (a + b) * c FROM t"));
    assert_non_null(strstr(
        err_msg(e),
        "22012\n== SQL (line 1, position 8) ==\nSELECT (a + b) * c FROM t\n       ^^^^^^^^^^^\n"));
    e = sql_error_place(e, product->child[1], STR("SELECT (a + b) * c FROM t"));
    assert_non_null(strstr(err_detail_of(e), "\"line\":1,\"pos\":7,\"start\":7,\"stop\":17}"));
    err_free(e);
    arena_free(a);
}

static void of_duckdb(const char *text, const char *cls, const char *part) {
    arena *a = arena_new();
    err *e = sql_error_of_duckdb(text);
    if (!str_eqz(sql_error_class(e, a), cls)) fail_msg("%s: %s", text, err_msg(e));
    if (!strstr(err_msg(e), part)) fail_msg("%s: %s", text, err_msg(e));
    err_free(e);
    arena_free(a);
}

static void test_duckdb(void **state) {
    (void)state;
    of_duckdb("Invalid Input Error: [CAST_INVALID_INPUT] "
              "{\"expression\":\"'x'\",\"sourceType\":\"\\\"STRING\\\"\","
              "\"targetType\":\"\\\"INT\\\"\"}\nLINE 1: …",
              "CAST_INVALID_INPUT",
              "The \"STRING\" value 'x' is malformed for \"INT\"");
    of_duckdb("INTERRUPT Error: Interrupted!", "OPERATION_CANCELED", "canceled");
    of_duckdb("Out of Range Error: Overflow in addition of INT32 (2147483647 + 1)!",
              "ARITHMETIC_OVERFLOW", "overflow");
    of_duckdb("Binder Error: [no such class] oh", "INTERNAL_ERROR", "oh");
    of_duckdb("", "INTERNAL_ERROR", "");
}

/* Bytes that are no UTF-8 do not reach messages. */
static void test_bytes(void **state) {
    (void)state;
    arena *a = arena_new();
    struct ast *n = NULL;
    err *e = sql_parse_one(a, STR("SELE\xff\xffx y \xc3"), &n);
    assert_non_null(e);
    assert_true(str_is_utf8(str_of(err_msg(e))));
    assert_non_null(strstr(err_msg(e), "SELE\xef\xbf\xbd\xef\xbf\xbdx y \xef\xbf\xbd"));
    assert_true(str_eqz(sql_error_state(e, a), "42601"));
    err_free(e);
    arena_free(a);
}

static void test_several(void **state) {
    (void)state;
    arena *a = arena_new();
    struct ast **list = NULL;
    size_t n = 0;
    assert_null(sql_parse(a, STR(";SELECT 1;;\nSET a = 'x;y' ; BEGIN SELECT 2; END;"), &list, &n));
    assert_int_equal(n, 3);
    assert_int_equal(list[0]->kind, AST_S_QUERY);
    assert_true(str_eqz(ast_get(list[1], SLOT_VALUE)->text, "'x;y'"));
    assert_int_equal(list[2]->kind, AST_S_SCRIPT);
    arena_free(a);
}

static const char *repeat(arena *a, const char *before, const char *part, size_t n,
                          const char *between, const char *after, size_t m, const char *end) {
    buf b = {0};
    buf_z(&b, before);
    for (size_t i = 0; i < n; i++) buf_z(&b, part);
    buf_z(&b, between);
    for (size_t i = 0; i < m; i++) buf_z(&b, after);
    buf_z(&b, end);
    const char *z = arena_strndup(a, b.p, b.n);
    buf_free(&b);
    return z;
}

static void deep(const char *before, const char *part, size_t n, const char *between,
                 const char *after, bool fine) {
    arena *a = arena_new();
    struct ast *tree = NULL;
    const char *sql = repeat(a, before, part, n, between, after, after[0] ? n : 0, "");
    err *e = sql_parse_one(a, str_of(sql), &tree);
    if (fine && e) fail_msg("%.60s: %.200s", sql, err_msg(e));
    if (!fine) {
        assert_non_null(e);
        if (!str_eqz(sql_error_class(e, a), "FAILED_TO_PARSE_TOO_COMPLEX"))
            fail_msg("%.60s: %.200s", sql, err_msg(e));
    }
    err_free(e);
    arena_free(a);
}

/* Depth is bounded; what is told apart only later is not read twice at each level. */
static void test_limits(void **state) {
    (void)state;
    deep("SELECT ", "(", 390, "1", ")", true);
    deep("SELECT ", "(", 20000, "1", ")", false);
    deep("SELECT ", "(", 20000, "", "", false);
    deep("SELECT ", "- ", 20000, "1", "", false);
    deep("SELECT ", "NOT ", 20000, "1", "", false);
    deep("SELECT a", "[1]", 20000, "", "", false);
    deep("SELECT a", " + a", 900, "", "", true);
    deep("SELECT a", " + a", 20000, "", "", false);
    deep("SELECT a", " AND a", 20000, "", "", true);
    deep("SELECT a", " OR a", 20000, "", "", true);
    deep("SELECT 1", " UNION SELECT 1", 900, "", "", true);
    deep("SELECT 1", " UNION SELECT 1", 20000, "", "", false);
    deep("SELECT * FROM a", " JOIN b", 20000, "", "", false);
    deep("SELECT * FROM ", "(", 20000, "t", ")", false);
    deep("SELECT CAST(a AS ", "ARRAY<", 20000, "INT", ">", false);
    deep("SELECT ", "trim(", 150, "a", ")", true);
    deep("SELECT ", "position(", 150, "a", ")", true);
    deep("SELECT ", "substring(", 150, "a", ", 1)", true);
    deep("SELECT ", "exists(", 150, "a", ")", true);
    deep("", "EXPLAIN ", 20000, "SELECT 1", "", false);
    deep("BEGIN ", "IF a THEN ", 20000, "", "", false);
    deep("SELECT ", "CASE WHEN a THEN ", 20000, "", "", false);
    deep("SELECT 1", " ", SQL_MAX_TEXT - 8, "", "", true);
    deep("SELECT 1", " ", SQL_MAX_TEXT - 7, "", "", false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expressions), cmocka_unit_test(test_statements),
        cmocka_unit_test(test_errors),      cmocka_unit_test(test_detail),
        cmocka_unit_test(test_places),      cmocka_unit_test(test_duckdb),
        cmocka_unit_test(test_bytes),       cmocka_unit_test(test_several),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
