/* SPDX-License-Identifier: Apache-2.0 */
/* The decision function, each rule with its counter-case. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/wire.h"
#include "policy/credential.h"
#include "policy/policy.h"

static const int64_t ann_groups[] = {50, 60};
static struct policy_subject ann(void) {
    return (struct policy_subject){.id = 7, .groups = ann_groups, .n_groups = 2, .active = true};
}

static void test_levels(void **state) {
    (void)state;
    struct policy_entry e[] = {{50, SERVING_ENDPOINTS_CAN_QUERY}, {9, SERVING_ENDPOINTS_CAN_MANAGE}};
    struct policy_node chain[] = {{.owner = 9, .what = "endpoint e", .entries = e, .n = 2}};
    struct policy_subject s = ann();
    assert_true(policy_level(&s, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_VIEW, chain, 1).allow);
    assert_true(policy_level(&s, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_QUERY, chain, 1).allow);
    struct policy_verdict v =
        policy_level(&s, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_MANAGE, chain, 1);
    assert_false(v.allow);
    assert_true(v.visible);
    assert_string_equal(v.missing, "CAN_MANAGE");
    s.n_groups = 0;
    v = policy_level(&s, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_VIEW, chain, 1);
    assert_false(v.allow);
    assert_false(v.visible);
    s.workspace_admin = true;
    assert_true(policy_level(&s, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_MANAGE, chain, 1).allow);
    s.active = false;
    assert_false(policy_level(&s, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_VIEW, chain, 1).allow);
    s = ann();
    s.id = 9; /* the owner */
    assert_true(policy_level(&s, PERM_SERVING_ENDPOINTS, SERVING_ENDPOINTS_CAN_MANAGE, chain, 1).allow);
}

static void test_privileges(void **state) {
    (void)state;
    struct policy_entry on_model[] = {{7, PRIV_EXECUTE}}, on_schema[] = {{60, PRIV_USE_SCHEMA}},
                        on_catalog[] = {{7, PRIV_USE_CATALOG}};
    struct policy_node chain[] = {
        {.what = "model main.default.m", .entries = on_model, .n = 1},
        {.what = "schema main.default", .use = PRIV_USE_SCHEMA, .entries = on_schema, .n = 1},
        {.what = "catalog main", .use = PRIV_USE_CATALOG, .entries = on_catalog, .n = 1}};
    struct policy_subject s = ann();
    assert_true(policy_privilege(&s, PRIV_EXECUTE, chain, 3).allow);
    chain[1].n = 0;
    struct policy_verdict v = policy_privilege(&s, PRIV_EXECUTE, chain, 3);
    assert_false(v.allow);
    assert_string_equal(v.missing, "USE_SCHEMA");
    assert_string_equal(v.missing_on, "schema main.default");
    chain[1].n = 1;
    v = policy_privilege(&s, PRIV_MANAGE, chain, 3);
    assert_false(v.allow);
    assert_string_equal(v.missing, "MANAGE");
    on_catalog[0].right = PRIV_ALL_PRIVILEGES; /* inherited by everything below, MANAGE is not in it */
    assert_true(policy_privilege(&s, PRIV_CREATE_MODEL_VERSION, chain, 3).allow);
    assert_false(policy_privilege(&s, PRIV_MANAGE, chain, 3).allow);
    chain[2].owner = 50; /* a group of hers owns the catalog */
    assert_true(policy_privilege(&s, PRIV_MANAGE, chain, 3).allow);
}

/* What is bound to other workspaces is shut to everybody, what is bound to be read to all that changes it. */
static void test_bindings(void **state) {
    (void)state;
    struct policy_entry on_table[] = {{7, PRIV_SELECT | PRIV_MODIFY}};
    struct policy_node chain[] = {{.what = "t", .entries = on_table, .n = 1},
                                  {.what = "s", .use = PRIV_USE_SCHEMA, .owner = 7},
                                  {.what = "catalog c", .use = PRIV_USE_CATALOG, .owner = 7}};
    struct policy_subject s = ann(), admin = {.id = 8, .active = true, .metastore_admin = true};
    assert_true(policy_privilege(&s, PRIV_SELECT, chain, 3).allow);
    chain[2].bound = POLICY_BOUND_TO_READ;
    assert_true(policy_privilege(&s, PRIV_SELECT, chain, 3).allow);
    assert_true(policy_privilege(&s, PRIV_SELECT | PRIV_MODIFY, chain, 3).allow);
    static const uint64_t changes[] = {PRIV_MODIFY, PRIV_MANAGE, PRIV_APPLY_TAG, PRIV_CREATE_TABLE, PRIV_WRITE_VOLUME, PRIV_REFRESH};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct policy_verdict v = policy_privilege(&s, changes[i], chain, 3);
        assert_false(v.allow);
        assert_true(v.visible);
        assert_string_equal(v.missing, "a binding to this workspace for writing");
        assert_string_equal(v.missing_on, "catalog c");
    }
    assert_false(policy_privilege(&admin, PRIV_MANAGE, chain, 3).allow);
    chain[2].bound = POLICY_NOT_BOUND;
    for (int b = 0; b < PRIV_COUNT; b++) {
        struct policy_verdict v = policy_privilege(&s, 1ull << b, chain, 3);
        assert_false(v.allow || v.visible);
        assert_string_equal(v.missing, "a binding to this workspace");
        assert_false(policy_privilege(&admin, 1ull << b, chain, 3).allow);
    }
}

/* Bytes go out by a grant alone. */
static void test_outside_is_granted(void **state) {
    (void)state;
    struct policy_entry grant[] = {{7, PRIV_EXTERNAL_USE_SCHEMA}}, all[] = {{7, PRIV_ALL_PRIVILEGES}};
    struct policy_node chain[] = {{.what = "s", .use = PRIV_USE_SCHEMA, .owner = 7, .entries = all, .n = 1}, {.what = "c", .use = PRIV_USE_CATALOG, .owner = 7}};
    struct policy_subject s = ann();
    assert_true(policy_privilege(&s, PRIV_MANAGE, chain, 2).allow);
    assert_false(policy_privilege(&s, PRIV_EXTERNAL_USE_SCHEMA, chain, 2).allow);
    assert_false(policy_privilege(&s, PRIV_EXTERNAL_USE_LOCATION, chain, 2).allow);
    chain[1].entries = grant;
    chain[1].n = 1;
    assert_true(policy_privilege(&s, PRIV_EXTERNAL_USE_SCHEMA, chain, 2).allow);
}

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17;
    return *x;
}

/* Random trees: what is allowed has a reason on the securable and on each step to it, and the reverse. */
static void test_reasons(void **state) {
    (void)state;
    static const uint64_t rights[] = {PRIV_SELECT, PRIV_USE_CATALOG, PRIV_USE_SCHEMA, PRIV_MANAGE, PRIV_ALL_PRIVILEGES, PRIV_MODIFY};
    static const int64_t who[] = {7, 50, 60, 9, 70};
    uint64_t x = 88172645463325252ull;
    size_t allowed = 0;
    for (int round = 0; round < 20000; round++) {
        struct policy_entry e[3][2];
        struct policy_node chain[3] = {{.what = "t"}, {.what = "s", .use = PRIV_USE_SCHEMA}, {.what = "c", .use = PRIV_USE_CATALOG}};
        for (size_t i = 0; i < 3; i++) {
            for (size_t k = 0; k < 2; k++)
                e[i][k] = (struct policy_entry){who[next_random(&x) % 5], rights[next_random(&x) % 6] | rights[next_random(&x) % 6]};
            chain[i].entries = e[i];
            chain[i].n = next_random(&x) % 3;
            if (next_random(&x) % 6 == 0) chain[i].owner = who[next_random(&x) % 5];
        }
        struct policy_subject s = ann();
        s.metastore_admin = next_random(&x) % 8 == 0;
        s.active = next_random(&x) % 16 != 0;
        for (size_t r = 0; r < 6; r++) {
            struct policy_source out[16];
            bool reasons = policy_sources(&s, rights[r], chain, 0, 3, out, 16) > 0;
            for (size_t at = 1; at < 3; at++) reasons &= policy_sources(&s, chain[at].use, chain, at, 3, out, 16) > 0;
            struct policy_verdict v = policy_privilege(&s, rights[r], chain, 3);
            assert_int_equal(v.allow, reasons);
            allowed += v.allow;
            if (!v.allow && s.active) assert_non_null(v.missing);
        }
    }
    assert_in_range(allowed, 1000, 60000);
}

/* Every row of tables/permissions.json is found by its names, and by no other. */
static void test_rows(void **state) {
    (void)state;
    for (int i = 0; i < PERM_TYPE_COUNT; i++) {
        assert_int_equal(perm_type_by_name(str_of(perm_rows[i].type)), i);
        for (int l = 0; l < perm_rows[i].n_levels; l++)
            assert_int_equal(perm_level_by_name(i, str_of(perm_rows[i].levels[l])), l + 1);
        assert_int_equal(perm_level_by_name(i, STR("CAN_FLY")), 0);
    }
    for (int i = 0; i < PRIV_COUNT; i++)
        assert_true(priv_by_name(str_of(priv_rows[i].name)) == 1ull << i);
    assert_true(priv_by_name(STR("USE CATALOG")) == PRIV_USE_CATALOG);
    assert_true(priv_by_name(STR("NOPE")) == 0);
}

static void put_principal(struct facts *f, int64_t id, bool active) {
    buf v = {0};
    wire_put_u8(&v, PRINCIPAL_USER);
    wire_put_bool(&v, active);
    wire_put_str(&v, STR("ann"));
    wire_put_u32(&v, 1);
    wire_put_i64(&v, 50);
    wire_put_u32(&v, 1);
    wire_put_i64(&v, 100);
    wire_put_bool(&v, true);
    wire_put_bool(&v, false);
    uint64_t key = (uint64_t)id;
    assert_null(facts_apply(f, FACT_PRINCIPAL, false, map_key_u64(&key), buf_view(&v), -1));
    buf_free(&v);
}

static void put_token(struct facts *f, const char *text, int64_t expires) {
    buf v = {0};
    unsigned char h[32];
    credential_hash(str_of(text), h);
    wire_put_i64(&v, 7);
    wire_put_i64(&v, 100);
    wire_put_i64(&v, expires);
    wire_put_str(&v, STR("tid"));
    assert_null(facts_apply(f, FACT_TOKEN, false, str_n((char *)h, 32), buf_view(&v), -1));
    buf_free(&v);
}

static err_code check(struct facts *f, const char *header, int64_t now) {
    struct credential c;
    err *e = credential_check(f, str_of(header), now, &c);
    err_code code = err_code_of(e);
    err_free(e);
    return code;
}

static void test_credentials(void **state) {
    (void)state;
    struct facts *f = facts_new(true);
    put_principal(f, 7, true);
    put_token(f, "dapi123", 1000);
    assert_int_equal(check(f, "Bearer dapi123", 999), ERR_OK);
    assert_int_equal(check(f, "bearer dapi123", 999), ERR_OK);
    assert_int_equal(check(f, "Basic dG9rZW46ZGFwaTEyMw==", 999), ERR_OK); /* token:dapi123 */
    assert_int_equal(check(f, "Basic YW5uOmRhcGkxMjM=", 999), ERR_UNAUTHENTICATED);
    assert_int_equal(check(f, "Bearer dapi123", 1000), ERR_UNAUTHENTICATED); /* expired */
    assert_int_equal(check(f, "Bearer dapi124", 999), ERR_UNAUTHENTICATED);
    assert_int_equal(check(f, "Bearer ", 999), ERR_UNAUTHENTICATED);
    assert_int_equal(check(f, "", 999), ERR_UNAUTHENTICATED);
    put_principal(f, 7, false);
    assert_int_equal(check(f, "Bearer dapi123", 999), ERR_UNAUTHENTICATED);
    put_principal(f, 7, true);
    unsigned char h[32];
    credential_hash(STR("dapi123"), h);
    assert_null(facts_apply(f, FACT_TOKEN, true, str_n((char *)h, 32), STR(""), -1));
    assert_int_equal(check(f, "Bearer dapi123", 999), ERR_UNAUTHENTICATED);
    facts_free(f);
}

static void test_malformed_facts(void **state) {
    (void)state;
    struct facts *f = facts_new(false);
    uint64_t k = 1;
    for (uint16_t kind = 0; kind < 9; kind++) {
        if (kind == FACT_SIGNER || kind == FACT_ACCOUNT) continue;
        err *e = facts_apply(f, kind, false, map_key_u64(&k), STR("\xff\xff\xff\xff\x01"), -1);
        assert_non_null(e);
        err_free(e);
    }
    facts_free(f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels), cmocka_unit_test(test_privileges),
        cmocka_unit_test(test_bindings), cmocka_unit_test(test_outside_is_granted), cmocka_unit_test(test_reasons), cmocka_unit_test(test_rows), cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_malformed_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
