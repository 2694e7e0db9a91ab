/* SPDX-License-Identifier: Apache-2.0 */
/* The Thrift codec: bytes written down by hand from the protocol's description, round trips,
 * hostile sizes. */
#include <setjmp.h> /* banned-ok: cmocka needs it */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "thrift/gen_tcli.h"

static arena *A;

static int up(void **state) {
    (void)state;
    A = arena_new();
    return 0;
}
static int down(void **state) {
    (void)state;
    arena_free(A);
    return 0;
}

/* A call of CloseSession: handle with guid "g", secret "s", the client's own field 3329, one
 * unknown field. */
static const char close_session[] =
    "\x80\x01\x00\x01\x00\x00\x00\x0c"
    "CloseSession\x00\x00\x00\x07"
    "\x0c\x00\x01"                                                     /* 1: request */
    "\x0c\x00\x01"                                                     /* 1: sessionHandle */
    "\x0c\x00\x01"                                                     /* 1: sessionId */
    "\x0b\x00\x01\x00\x00\x00\x01g\x0b\x00\x02\x00\x00\x00\x01s\x00"   /* guid, secret */
    "\x0f\x00\x63\x08\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x02" /* 99: list */
    "\x08\x0d\x01\x00\x00\xa5\x07\x00"                                 /* 3329: i32 */
    "\x00\x00";

static void test_reads_a_call(void **state) {
    (void)state;
    str in = str_n(close_session, sizeof(close_session) - 1);
    struct thrift_head head;
    size_t at;
    assert_null(thrift_read_head(in, &head, &at));
    assert_int_equal(head.kind, THRIFT_CALL);
    assert_true(str_eqz(head.name, "CloseSession"));
    assert_int_equal(head.seq, 7);
    struct t_close_session_req req = {0};
    assert_null(thrift_read_wrapped(A, in, at, 1, &t_close_session_req_desc, &req));
    assert_non_null(req.session_handle);
    assert_true(str_eqz(req.session_handle->session_id->guid, "g"));
    assert_true(str_eqz(req.session_handle->session_id->secret, "s"));
    assert_int_equal(req.session_handle->server_protocol_version, 0xa507);
    assert_true(req.session_handle->has & T_SESSION_HANDLE_SERVER_PROTOCOL_VERSION);
}

static void test_every_cut_is_an_error(void **state) {
    (void)state;
    for (size_t n = 0; n + 2 < sizeof(close_session) - 1; n++) {
        str in = str_n(close_session, n);
        struct thrift_head head;
        size_t at = 0;
        struct t_close_session_req req = {0};
        err *e = thrift_read_head(in, &head, &at);
        if (!e) e = thrift_read_wrapped(A, in, at, 1, &t_close_session_req_desc, &req);
        assert_non_null(e);
        assert_int_equal(err_code_of(e), ERR_MALFORMED_REQUEST);
        err_free(e);
    }
}

static void test_round_trip(void **state) {
    (void)state;
    int64_t numbers[] = {0, -1, INT64_MAX, INT64_MIN};
    struct t_i64_column col = {.values = {numbers, 4}, .nulls = STR("\x04")};
    struct t_column column = {.i64_val = &col};
    struct t_arrow_batch batch = {
        .has = T_ARROW_BATCH_ROW_COUNT, .batch = STR("\x00\xff"), .row_count = 5};
    struct t_row_set rows = {
        .has = T_ROW_SET_START_ROW_OFFSET, .columns = {&column, 1}, .arrow_batches = {&batch, 1}};
    struct t_fetch_results_resp resp = {
        .has = T_FETCH_RESULTS_RESP_HAS_MORE_ROWS, .has_more_rows = true, .results = &rows};
    buf out = {0};
    thrift_write(&t_fetch_results_resp_desc, &resp, &out);
    struct t_fetch_results_resp back = {0};
    size_t at = 0;
    assert_null(thrift_read(A, buf_view(&out), &at, &t_fetch_results_resp_desc, &back));
    assert_int_equal(at, out.n);
    assert_true(back.has_more_rows);
    assert_null(back.status);
    assert_int_equal(back.results->columns.n, 1);
    assert_memory_equal(back.results->columns.p[0].i64_val->values.p, numbers, sizeof(numbers));
    assert_true(str_eqz(back.results->columns.p[0].i64_val->nulls, "\x04"));
    assert_null(back.results->columns.p[0].string_val);
    assert_true(str_eq(back.results->arrow_batches.p[0].batch, batch.batch));
    assert_int_equal(back.results->arrow_batches.p[0].row_count, 5);
    buf_free(&out);
}

static void test_maps(void **state) {
    (void)state;
    struct thrift_pair conf[] = {{STR("a"), STR("1")}, {STR("b"), STR("")}};
    struct t_open_session_req req = {.configuration = {conf, 2}};
    buf out = {0};
    thrift_write(&t_open_session_req_desc, &req, &out);
    struct t_open_session_req back = {0};
    size_t at = 0;
    assert_null(thrift_read(A, buf_view(&out), &at, &t_open_session_req_desc, &back));
    assert_int_equal(back.configuration.n, 2);
    assert_true(str_eqz(back.configuration.p[1].key, "b"));
    struct t_type_qualifier_value_pair q[] = {
        {STR("precision"), {.has = T_TYPE_QUALIFIER_VALUE_I32_VALUE, .i32_value = 38}}};
    struct t_type_qualifiers quals = {.qualifiers = {q, 1}}, quals_back = {0};
    buf_clear(&out);
    thrift_write(&t_type_qualifiers_desc, &quals, &out);
    at = 0;
    assert_null(thrift_read(A, buf_view(&out), &at, &t_type_qualifiers_desc, &quals_back));
    assert_int_equal(quals_back.qualifiers.p[0].value.i32_value, 38);
    buf_free(&out);
}

static void refused(const char *bytes, size_t n) {
    struct t_execute_statement_req req = {0};
    size_t at = 0;
    err *e = thrift_read(A, str_n(bytes, n), &at, &t_execute_statement_req_desc, &req);
    assert_non_null(e);
    err_free(e);
}

static void test_hostile_sizes(void **state) {
    (void)state;
    /* 2^31 - 1 parameters; a text of 4 GB; a map that claims 2^32 - 1 pairs; a list of values
     * without size */
    refused("\x0f\x05\x08\x0c\x7f\xff\xff\xff\x00", 9);
    refused("\x0b\x00\x02\xff\xff\xff\xff"
            "abc",
            10);
    refused("\x0d\x00\x03\x0b\x0b\xff\xff\xff\xff", 9);
    refused("\x0f\x00\x63\x00\x7f\xff\xff\xff\x00", 9);
    refused("\x05\x00\x63\x00", 4);
    char deep[3 * 100000];
    for (size_t i = 0; i < 100000; i++) memcpy(deep + 3 * i, "\x0c\x00\x63", 3);
    refused(deep, sizeof(deep));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_a_call, up, down),
        cmocka_unit_test_setup_teardown(test_every_cut_is_an_error, up, down),
        cmocka_unit_test_setup_teardown(test_round_trip, up, down),
        cmocka_unit_test_setup_teardown(test_maps, up, down),
        cmocka_unit_test_setup_teardown(test_hostile_sizes, up, down),
    };
    return cmocka_run_group_tests_name("thrift_codec", tests, NULL, NULL);
}
