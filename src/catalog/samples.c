/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog `samples`: tables to try things on, the same everywhere. They are views over range(): their rows are made when
 * they are read, from numbers alone (hash() of the row's number and of a number for each column), so that nothing is stored,
 * nothing is downloaded and start-up does not wait. nyctaxi.trips has the columns of its model; tpch.* those of the benchmark
 * (a twentieth of its size; keys fit, values are not dbgen's).
 *
 * The catalog belongs to nobody: everyone may read it, nobody, admins neither, may change it (policy_node.fixed).
 */
#include "catalog/samples.h"

#include "base/json.h"
#include "catalog/grants.h"
#include "catalog/tables.h"

static const struct sample {
    const char *schema, *name, *comment;
    const char *columns; /* "name type, name type" */
    const char *text;
} samples[] = {
    {"nyctaxi", "trips", "Taxi trips in a city: made up, always the same.",
     "tpep_pickup_datetime timestamp, tpep_dropoff_datetime timestamp, trip_distance double, fare_amount double, pickup_zip "
     "int, dropoff_zip int",
     "SELECT timestamp_seconds(pickup) AS tpep_pickup_datetime, timestamp_seconds(pickup + CAST(120 + distance * 240 AS "
     "BIGINT)) AS tpep_dropoff_datetime, distance AS trip_distance, round(2.5D + distance * 2.75D, 1) AS fare_amount, "
     "CAST(10001 + pmod(hash(id, 3), 282) AS INT) AS pickup_zip, CAST(10001 + pmod(hash(id, 4), 282) AS INT) AS dropoff_zip "
     "FROM (SELECT id, 1451606400 + pmod(hash(id, 1), 5184000) AS pickup, round(0.3D + pow(pmod(hash(id, 2), 1000) / "
     "1000.0D, 3.0D) * 20.0D, 2) AS distance FROM range(21932))"},
    {"tpch", "region", "The five regions.",
     "r_regionkey bigint, r_name string, r_comment string",
     "SELECT id AS r_regionkey, element_at(array('AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'), CAST(id + 1 AS "
     "INT)) AS r_name, concat(element_at(array('quick', 'silent', 'bold', 'final', 'even', 'regular', 'ironic', 'express'), "
     "CAST(1 + pmod(hash(id, 90), 8) AS INT)), ' ', element_at(array('deposits', 'packages', 'accounts', 'requests', "
     "'ideas', 'theodolites', 'pinto beans'), CAST(1 + pmod(hash(id, 91), 7) AS INT)), ' ', element_at(array('sleep', "
     "'wake', 'haggle', 'nag', 'cajole', 'detect', 'integrate'), CAST(1 + pmod(hash(id, 92), 7) AS INT))) AS r_comment FROM "
     "range(5)"},
    {"tpch", "nation", "Twenty-five nations.",
     "n_nationkey bigint, n_name string, n_regionkey bigint, n_comment string",
     "SELECT id AS n_nationkey, element_at(array('ALGERIA', 'ARGENTINA', 'BRAZIL', 'CANADA', 'EGYPT', 'ETHIOPIA', 'FRANCE', "
     "'GERMANY', 'INDIA', 'INDONESIA', 'IRAN', 'IRAQ', 'JAPAN', 'JORDAN', 'KENYA', 'MOROCCO', 'MOZAMBIQUE', 'PERU', "
     "'CHINA', 'ROMANIA', 'SAUDI ARABIA', 'VIETNAM', 'RUSSIA', 'UNITED KINGDOM', 'UNITED STATES'), CAST(id + 1 AS INT)) AS "
     "n_name, CAST(element_at(array(0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1), CAST(id + 1 "
     "AS INT)) AS BIGINT) AS n_regionkey, concat(element_at(array('quick', 'silent', 'bold', 'final', 'even', 'regular', "
     "'ironic', 'express'), CAST(1 + pmod(hash(id, 90), 8) AS INT)), ' ', element_at(array('deposits', 'packages', "
     "'accounts', 'requests', 'ideas', 'theodolites', 'pinto beans'), CAST(1 + pmod(hash(id, 91), 7) AS INT)), ' ', "
     "element_at(array('sleep', 'wake', 'haggle', 'nag', 'cajole', 'detect', 'integrate'), CAST(1 + pmod(hash(id, 92), 7) "
     "AS INT))) AS n_comment FROM range(25)"},
    {"tpch", "supplier", "Suppliers.",
     "s_suppkey bigint, s_name string, s_address string, s_nationkey bigint, s_phone string, s_acctbal decimal(18,2), "
     "s_comment string",
     "SELECT id + 1 AS s_suppkey, concat('Supplier#', lpad(CAST(id + 1 AS STRING), 9, '0')) AS s_name, substr(sha2(CAST(id "
     "AS STRING), 256), 1, 20) AS s_address, CAST(pmod(hash(id, 6), 25) AS BIGINT) AS s_nationkey, concat(CAST(10 + "
     "pmod(hash(id, 7), 25) AS STRING), '-', CAST(100 + pmod(hash(id, 8), 900) AS STRING), '-', CAST(100 + pmod(hash(id, "
     "9), 900) AS STRING), '-', CAST(1000 + pmod(hash(id, 10), 9000) AS STRING)) AS s_phone, CAST((-100000 + pmod(hash(id, "
     "11), 1100000)) / 100 AS DECIMAL(18,2)) AS s_acctbal, concat(element_at(array('quick', 'silent', 'bold', 'final', "
     "'even', 'regular', 'ironic', 'express'), CAST(1 + pmod(hash(id, 90), 8) AS INT)), ' ', element_at(array('deposits', "
     "'packages', 'accounts', 'requests', 'ideas', 'theodolites', 'pinto beans'), CAST(1 + pmod(hash(id, 91), 7) AS INT)), "
     "' ', element_at(array('sleep', 'wake', 'haggle', 'nag', 'cajole', 'detect', 'integrate'), CAST(1 + pmod(hash(id, 92), "
     "7) AS INT))) AS s_comment FROM range(500)"},
    {"tpch", "customer", "Customers.",
     "c_custkey bigint, c_name string, c_address string, c_nationkey bigint, c_phone string, c_acctbal decimal(18,2), "
     "c_mktsegment string, c_comment string",
     "SELECT id + 1 AS c_custkey, concat('Customer#', lpad(CAST(id + 1 AS STRING), 9, '0')) AS c_name, substr(sha2(CAST(id "
     "AS STRING), 256), 1, 20) AS c_address, CAST(pmod(hash(id, 6), 25) AS BIGINT) AS c_nationkey, concat(CAST(10 + "
     "pmod(hash(id, 7), 25) AS STRING), '-', CAST(100 + pmod(hash(id, 8), 900) AS STRING), '-', CAST(100 + pmod(hash(id, "
     "9), 900) AS STRING), '-', CAST(1000 + pmod(hash(id, 10), 9000) AS STRING)) AS c_phone, CAST((-100000 + pmod(hash(id, "
     "11), 1100000)) / 100 AS DECIMAL(18,2)) AS c_acctbal, element_at(array('AUTOMOBILE', 'BUILDING', 'FURNITURE', "
     "'MACHINERY', 'HOUSEHOLD'), CAST(1 + pmod(hash(id, 12), 5) AS INT)) AS c_mktsegment, concat(element_at(array('quick', "
     "'silent', 'bold', 'final', 'even', 'regular', 'ironic', 'express'), CAST(1 + pmod(hash(id, 90), 8) AS INT)), ' ', "
     "element_at(array('deposits', 'packages', 'accounts', 'requests', 'ideas', 'theodolites', 'pinto beans'), CAST(1 + "
     "pmod(hash(id, 91), 7) AS INT)), ' ', element_at(array('sleep', 'wake', 'haggle', 'nag', 'cajole', 'detect', "
     "'integrate'), CAST(1 + pmod(hash(id, 92), 7) AS INT))) AS c_comment FROM range(7500)"},
    {"tpch", "part", "Parts.",
     "p_partkey bigint, p_name string, p_mfgr string, p_brand string, p_type string, p_size int, p_container string, "
     "p_retailprice decimal(18,2), p_comment string",
     "SELECT id + 1 AS p_partkey, concat(element_at(array('almond', 'azure', 'blue', 'coral', 'forest', 'green', 'lemon', "
     "'peru', 'rose', 'sky'), CAST(1 + pmod(hash(id, 20), 10) AS INT)), ' ', element_at(array('antique', 'beige', 'cream', "
     "'dim', 'frosted', 'ghost', 'honey', 'ivory'), CAST(1 + pmod(hash(id, 21), 8) AS INT))) AS p_name, "
     "concat('Manufacturer#', CAST(1 + pmod(hash(id, 22), 5) AS STRING)) AS p_mfgr, concat('Brand#', CAST(1 + pmod(hash(id, "
     "22), 5) AS STRING), CAST(1 + pmod(hash(id, 23), 5) AS STRING)) AS p_brand, concat(element_at(array('STANDARD', "
     "'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO'), CAST(1 + pmod(hash(id, 24), 6) AS INT)), ' ', "
     "element_at(array('ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED'), CAST(1 + pmod(hash(id, 25), 5) AS INT)), "
     "' ', element_at(array('TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'), CAST(1 + pmod(hash(id, 26), 5) AS INT))) AS "
     "p_type, CAST(1 + pmod(hash(id, 27), 50) AS INT) AS p_size, concat(element_at(array('SM', 'LG', 'MED', 'JUMBO', "
     "'WRAP'), CAST(1 + pmod(hash(id, 28), 5) AS INT)), ' ', element_at(array('CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', "
     "'CAN', 'DRUM'), CAST(1 + pmod(hash(id, 29), 8) AS INT))) AS p_container, CAST((90000 + pmod(id + 1, 20000) + 100 * "
     "pmod(id + 1, 1000)) / 100 AS DECIMAL(18,2)) AS p_retailprice, concat(element_at(array('quick', 'silent', 'bold', "
     "'final', 'even', 'regular', 'ironic', 'express'), CAST(1 + pmod(hash(id, 90), 8) AS INT)), ' ', "
     "element_at(array('deposits', 'packages', 'accounts', 'requests', 'ideas', 'theodolites', 'pinto beans'), CAST(1 + "
     "pmod(hash(id, 91), 7) AS INT)), ' ', element_at(array('sleep', 'wake', 'haggle', 'nag', 'cajole', 'detect', "
     "'integrate'), CAST(1 + pmod(hash(id, 92), 7) AS INT))) AS p_comment FROM range(10000)"},
    {"tpch", "partsupp", "Which supplier has which part: four for each part.",
     "ps_partkey bigint, ps_suppkey bigint, ps_availqty int, ps_supplycost decimal(18,2), ps_comment string",
     "SELECT id DIV 4 + 1 AS ps_partkey, pmod(id DIV 4 + pmod(id, 4) * 125, 500) + 1 AS ps_suppkey, CAST(1 + pmod(hash(id, "
     "31), 9999) AS INT) AS ps_availqty, CAST((100 + pmod(hash(id, 32), 99900)) / 100 AS DECIMAL(18,2)) AS ps_supplycost, "
     "concat(element_at(array('quick', 'silent', 'bold', 'final', 'even', 'regular', 'ironic', 'express'), CAST(1 + "
     "pmod(hash(id, 90), 8) AS INT)), ' ', element_at(array('deposits', 'packages', 'accounts', 'requests', 'ideas', "
     "'theodolites', 'pinto beans'), CAST(1 + pmod(hash(id, 91), 7) AS INT)), ' ', element_at(array('sleep', 'wake', "
     "'haggle', 'nag', 'cajole', 'detect', 'integrate'), CAST(1 + pmod(hash(id, 92), 7) AS INT))) AS ps_comment FROM "
     "range(40000)"},
    {"tpch", "orders", "Orders of seven years.",
     "o_orderkey bigint, o_custkey bigint, o_orderstatus string, o_totalprice decimal(18,2), o_orderdate date, "
     "o_orderpriority string, o_clerk string, o_shippriority int, o_comment string",
     "SELECT id + 1 AS o_orderkey, CAST(1 + pmod(hash(id, 41), 7500) AS BIGINT) AS o_custkey, CASE WHEN pmod(hash(id, 43), "
     "2406) < 1200 THEN 'F' WHEN pmod(hash(id, 43), 2406) > 1300 THEN 'O' ELSE 'P' END AS o_orderstatus, CAST((100000 + "
     "pmod(hash(id, 42), 40000000)) / 100 AS DECIMAL(18,2)) AS o_totalprice, date_add(DATE'1992-01-01', CAST(pmod(hash(id, "
     "43), 2406) AS INT)) AS o_orderdate, element_at(array('1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'), "
     "CAST(1 + pmod(hash(id, 44), 5) AS INT)) AS o_orderpriority, concat('Clerk#', lpad(CAST(1 + pmod(hash(id, 45), 50) AS "
     "STRING), 9, '0')) AS o_clerk, 0 AS o_shippriority, concat(element_at(array('quick', 'silent', 'bold', 'final', "
     "'even', 'regular', 'ironic', 'express'), CAST(1 + pmod(hash(id, 90), 8) AS INT)), ' ', element_at(array('deposits', "
     "'packages', 'accounts', 'requests', 'ideas', 'theodolites', 'pinto beans'), CAST(1 + pmod(hash(id, 91), 7) AS INT)), "
     "' ', element_at(array('sleep', 'wake', 'haggle', 'nag', 'cajole', 'detect', 'integrate'), CAST(1 + pmod(hash(id, 92), "
     "7) AS INT))) AS o_comment FROM range(75000)"},
    {"tpch", "lineitem", "Lines of orders: four for each.",
     "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, l_quantity decimal(18,2), l_extendedprice "
     "decimal(18,2), l_discount decimal(18,2), l_tax decimal(18,2), l_returnflag string, l_linestatus string, l_shipdate "
     "date, l_commitdate date, l_receiptdate date, l_shipinstruct string, l_shipmode string, l_comment string",
     "SELECT id DIV 4 + 1 AS l_orderkey, part + 1 AS l_partkey, pmod(part + pmod(hash(id, 52), 4) * 125, 500) + 1 AS "
     "l_suppkey, CAST(pmod(id, 4) + 1 AS INT) AS l_linenumber, CAST(quantity AS DECIMAL(18,2)) AS l_quantity, CAST(quantity "
     "* (90000 + pmod(part + 1, 20000) + 100 * pmod(part + 1, 1000)) / 100 AS DECIMAL(18,2)) AS l_extendedprice, "
     "CAST(pmod(hash(id, 54), 11) / 100 AS DECIMAL(18,2)) AS l_discount, CAST(pmod(hash(id, 55), 9) / 100 AS DECIMAL(18,2)) "
     "AS l_tax, CASE WHEN received > DATE'1995-06-17' THEN 'N' WHEN pmod(hash(id, 56), 2) = 0 THEN 'R' ELSE 'A' END AS "
     "l_returnflag, CASE WHEN shipped > DATE'1995-06-17' THEN 'O' ELSE 'F' END AS l_linestatus, shipped AS l_shipdate, "
     "date_add(ordered, CAST(30 + pmod(hash(id, 57), 61) AS INT)) AS l_commitdate, received AS l_receiptdate, "
     "element_at(array('DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'), CAST(1 + pmod(hash(id, 58), 4) AS "
     "INT)) AS l_shipinstruct, element_at(array('REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'), CAST(1 + "
     "pmod(hash(id, 59), 7) AS INT)) AS l_shipmode, concat(element_at(array('quick', 'silent', 'bold', 'final', 'even', "
     "'regular', 'ironic', 'express'), CAST(1 + pmod(hash(id, 90), 8) AS INT)), ' ', element_at(array('deposits', "
     "'packages', 'accounts', 'requests', 'ideas', 'theodolites', 'pinto beans'), CAST(1 + pmod(hash(id, 91), 7) AS INT)), "
     "' ', element_at(array('sleep', 'wake', 'haggle', 'nag', 'cajole', 'detect', 'integrate'), CAST(1 + pmod(hash(id, 92), "
     "7) AS INT))) AS l_comment FROM (SELECT id, part, quantity, ordered, shipped, date_add(shipped, CAST(1 + pmod(hash(id, "
     "61), 30) AS INT)) AS received FROM (SELECT id, part, quantity, ordered, date_add(ordered, CAST(1 + pmod(hash(id, 60), "
     "121) AS INT)) AS shipped FROM (SELECT id, CAST(pmod(hash(id, 51), 10000) AS BIGINT) AS part, 1 + pmod(hash(id, 53), "
     "50) AS quantity, date_add(DATE'1992-01-01', CAST(pmod(hash(id DIV 4, 43), 2406) AS INT)) AS ordered FROM "
     "range(300000))))"},
};

/* [{name, type_json, type_text, nullable}] of "name type, …". */
static str columns_of(arena *a, const char *list) {
    static const char *const spark[][2] = {{"bigint", "long"}, {"int", "integer"}};
    jdoc *d = json_doc(a);
    jmut *all = yyjson_mut_arr(d);
    str rest = str_of(list);
    while (rest.n) {
        ptrdiff_t end = str_find(rest, STR(", ")), blank = str_chr(rest, ' ', 0);
        str part = end < 0 ? rest : str_cut(rest, (size_t)end), type = str_from(part, (size_t)blank + 1), in_json = type;
        rest = end < 0 ? STR("") : str_from(rest, (size_t)end + 2);
        for (size_t i = 0; i < ARRAY_LEN(spark); i++)
            if (str_eqz(type, spark[i][0])) in_json = str_of(spark[i][1]);
        jmut *o = json_add_obj(d, all);
        json_put_str(d, o, "name", str_cut(part, (size_t)blank));
        json_put_str(d, o, "type_json", in_json);
        json_put_str(d, o, "type_text", type);
        json_put_bool(d, o, "nullable", true);
    }
    return json_text(a, all);
}

static err *add_schema(const struct caller *c, const struct securable *catalog, str name, struct securable *ret) {
    bool found;
    TRY(securable_below(c, catalog, SEC_SCHEMA, name, ret, &found));
    if (found) return NULL;
    struct ent_schema row = {.catalog_id = catalog->id, .name = name, .properties = STR("{}"), .tags = STR("{}")};
    TRY(ent_schema_insert(c->tx, metastore_scope(c), &row));
    return securable_of_schema(c, catalog, &row, ret);
}

err *samples_create(const struct caller *c, int64_t everyone) {
    struct policy_subject nobody = {.id = 0};
    struct caller own = *c;
    struct ent_catalog row = {.name = STR(SAMPLES_CATALOG),
                              .comment = STR("Tables to try things on. They can be read only."),
                              .catalog_type = STR("SYSTEM_CATALOG"),
                              .isolation_mode = STR("OPEN"),
                              .properties = STR("{}"),
                              .options = STR("{}"),
                              .tags = STR("{}")};
    struct securable catalog, schema, t;
    own.who = &nobody;
    TRY(ent_catalog_insert(own.tx, metastore_scope(&own), &row));
    TRY(securable_of_catalog(&own, &row, &catalog));
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const struct sample *s = &samples[i];
        TRY(add_schema(&own, &catalog, str_of(s->schema), &schema));
        struct tables_spec spec = {.name = str_of(s->name),
                                   .type = STR("VIEW"),
                                   .comment = str_of(s->comment),
                                   .columns = columns_of(own.a, s->columns),
                                   .view_text = str_of(s->text),
                                   .view_catalog = STR(SAMPLES_CATALOG),
                                   .view_schema = str_of(s->schema)};
        TRY(tables_create(&own, &schema, &spec, &t));
    }
    return grants_change(&own, SEC_CATALOG, catalog.id, everyone, PRIV_USE_CATALOG | PRIV_USE_SCHEMA | PRIV_SELECT | PRIV_BROWSE, 0);
}
