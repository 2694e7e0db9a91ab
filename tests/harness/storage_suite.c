/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "harness/storage_suite.h"

void suite_ok(err *e) {
    if (!e) return;
    buf b = {0};
    err_describe(e, &b);
    print_error("%.*s\n", STR_ARG(buf_view(&b)));
    buf_free(&b);
    err_free(e);
    fail();
}

void suite_is(err *e, err_code code) {
    if (err_code_of(e) != code)
        print_error("got %s (%s), wanted %s\n", err_name(err_code_of(e)), e ? err_msg(e) : "",
                    err_name(code));
    assert_int_equal(err_code_of(e), code);
    err_free(e);
}

void suite_put(storage *s, const char *key, const char *text) {
    struct storage_bytes b;
    struct storage_info info;
    suite_ok(storage_put(s, str_of(key), storage_from_bytes(&b, str_of(text)), NULL, &info));
    assert_int_equal(info.size, strlen(text));
    assert_true(info.etag[0] != 0);
    assert_true(info.has_sha256);
}

static err *read_all(storage *s, const char *key, int64_t at, int64_t n, const char *etag, buf *out,
                     struct storage_info *info) {
    struct storage_sink to = storage_to_buf(out);
    return storage_get(s, str_of(key), at, n, str_of(etag), &to, info);
}

void suite_has(storage *s, const char *key, const char *text) {
    buf b = {0};
    struct storage_info info, head;
    suite_ok(read_all(s, key, 0, -1, NULL, &b, &info));
    assert_int_equal(b.n, strlen(text));
    if (b.n) assert_memory_equal(b.p, text, b.n);
    assert_int_equal(info.size, strlen(text));
    suite_ok(storage_head(s, str_of(key), &head));
    assert_int_equal(head.size, info.size);
    assert_string_equal(head.etag, info.etag);
    buf_free(&b);
}

char *suite_list(storage *s, arena *a, const char *prefix, bool delimiter, int page) {
    buf all = {0};
    str token = STR_NONE;
    for (int pages = 0; pages < 1000; pages++) {
        struct storage_list_ask ask = {
            .prefix = str_of(prefix), .delimiter = delimiter, .max = page, .token = token};
        struct storage_list l;
        suite_ok(storage_list(s, a, &ask, &l));
        assert_true(l.n <= (size_t)page);
        for (size_t i = 0; i < l.n; i++)
            buf_fmt(&all, "%s%.*s", all.n ? " " : "", STR_ARG(l.entries[i].key));
        token = l.next;
        if (!token.n) break;
        assert_true(l.n > 0);
    }
    assert_int_equal(token.n, 0);
    char *text = arena_strndup(a, all.n ? all.p : "", all.n);
    buf_free(&all);
    return text;
}

void suite_objects(storage *s) {
    struct storage_info info, again;
    suite_is(storage_head(s, STR("obj/none"), &info), ERR_NOT_FOUND);
    buf b = {0};
    suite_is(read_all(s, "obj/none", 0, -1, NULL, &b, &info), ERR_NOT_FOUND);
    suite_put(s, "obj/one", "first");
    suite_has(s, "obj/one", "first");
    suite_ok(storage_head(s, STR("obj/one"), &info));
    assert_true(info.mtime > 1500000000000000);
    if (info.has_sha256) {
        /* SHA-256 of "first" */
        static const unsigned char want[4] = {0xa7, 0x93, 0x7b, 0x64};
        assert_memory_equal(info.sha256, want, 4);
    }
    suite_put(s, "obj/one", "second one");
    suite_has(s, "obj/one", "second one");
    suite_ok(storage_head(s, STR("obj/one"), &again));
    assert_string_not_equal(info.etag, again.etag);
    suite_put(s, "obj/empty", "");
    suite_has(s, "obj/empty", "");
    /* a body that is not as long as announced never becomes an object */
    struct storage_bytes bytes;
    struct storage_source *from = storage_from_bytes(&bytes, STR("short"));
    from->size = 6;
    suite_is(storage_put(s, STR("obj/lying"), from, NULL, NULL), ERR_DATA_LOSS);
    from = storage_from_bytes(&bytes, STR("longer"));
    from->size = 3;
    suite_is(storage_put(s, STR("obj/lying"), from, NULL, NULL), ERR_DATA_LOSS);
    suite_is(storage_head(s, STR("obj/lying"), &info), ERR_NOT_FOUND);
    /* of unknown length */
    from = storage_from_bytes(&bytes, STR("unknown length"));
    from->size = -1;
    suite_ok(storage_put(s, STR("obj/unknown"), from, NULL, &info));
    assert_int_equal(info.size, 14);
    suite_has(s, "obj/unknown", "unknown length");
    buf_free(&b);
}

static err *refuse(void *arg, int64_t size, const unsigned char sha256[32]) {
    assert_int_equal(size, 3);
    assert_int_equal(sha256[0], 0xba); /* "abc" */
    return err_new(ERR_CANCELLED, "%s", (const char *)arg);
}

void suite_ranges(storage *s) {
    suite_put(s, "range", "0123456789");
    struct storage_info info;
    static const struct {
        int64_t at, n;
        const char *want;
    } rows[] = {{0, 3, "012"}, {7, 3, "789"},         {7, 100, "789"},
                {9, -1, "9"},  {0, -1, "0123456789"}, {4, 0, ""}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        buf b = {0};
        suite_ok(read_all(s, "range", rows[i].at, rows[i].n, NULL, &b, &info));
        assert_int_equal(b.n, strlen(rows[i].want));
        if (b.n) assert_memory_equal(b.p, rows[i].want, b.n);
        assert_int_equal(info.size, 10); /* of the object, not of the range */
        buf_free(&b);
    }
    buf b = {0};
    suite_is(read_all(s, "range", 10, -1, NULL, &b, &info), ERR_RANGE_NOT_SATISFIABLE);
    suite_is(read_all(s, "range", 100, 5, NULL, &b, &info), ERR_RANGE_NOT_SATISFIABLE);
    suite_is(read_all(s, "range", 0, 5, "wrong", &b, &info), ERR_PRECONDITION_FAILED);
    suite_ok(storage_head(s, STR("range"), &info));
    char etag[STORAGE_ETAG_CAP];
    memcpy(etag, info.etag, sizeof(etag));
    suite_ok(read_all(s, "range", 0, 5, etag, &b, &info));
    assert_int_equal(b.n, 5);
    buf_free(&b);
}

void suite_if_absent(storage *s) {
    struct storage_bytes b;
    struct storage_put_options o = {.if_absent = true};
    suite_ok(
        storage_put(s, STR("absent/0001.json"), storage_from_bytes(&b, STR("mine")), &o, NULL));
    suite_is(
        storage_put(s, STR("absent/0001.json"), storage_from_bytes(&b, STR("yours")), &o, NULL),
        ERR_ALREADY_EXISTS);
    suite_has(s, "absent/0001.json", "mine");
    struct storage_put_options no = {.before_commit = refuse, .arg = "client went away"};
    suite_is(storage_put(s, STR("absent/0002.json"), storage_from_bytes(&b, STR("abc")), &no, NULL),
             ERR_CANCELLED);
    struct storage_info info;
    suite_is(storage_head(s, STR("absent/0002.json"), &info), ERR_NOT_FOUND);
}

void suite_names(storage *s) {
    static const char *const good[] = {
        "n/plain",         "n/with blank",  "n/a=b/part-0.parquet",   "n/100%25 50%",  "n/~tilde",
        "n/.hidden",       "n/+plus&and",   "n/\xc3\xa4\xe2\x82\xac", "n/quote'\"<>",  "n/.~tmp/x",
        "n/.~self",        "n/.~e.~",       "n/back\\slash",          "n/?query#frag", "n/folder/",
        "n/a:b;c,d@e!$()", "n/[x]{y}|^`z*",
    };
    for (size_t i = 0; i < ARRAY_LEN(good); i++) suite_put(s, good[i], good[i]);
    for (size_t i = 0; i < ARRAY_LEN(good); i++) suite_has(s, good[i], good[i]);
    arena *a = arena_new();
    struct storage_list_ask ask = {.prefix = STR("n/")};
    struct storage_list l;
    suite_ok(storage_list(s, a, &ask, &l));
    assert_int_equal(l.n, ARRAY_LEN(good));
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        bool found = false;
        for (size_t j = 0; j < l.n; j++) found |= str_eqz(l.entries[j].key, good[i]);
        if (!found) print_error("not listed: %s\n", good[i]);
        assert_true(found);
    }
    arena_free(a);
    static const char *const bad[] = {"",  "/",   "/a",   "a//b",  "a/../b",   "..",
                                      ".", "a/.", "a\nb", "a\x7f", "\xff\xfe", "a//"};
    struct storage_info info;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        suite_is(storage_head(s, str_of(bad[i]), &info), ERR_INVALID_PARAMETER_VALUE);
    suite_is(storage_head(s, str_n("a\0b", 3), &info), ERR_INVALID_PARAMETER_VALUE);
    char longest[STORAGE_MAX_KEY + 2];
    memset(longest, 'x', sizeof(longest));
    for (size_t i = 150; i < sizeof(longest); i += 150) longest[i] = '/';
    suite_is(storage_head(s, str_n(longest, STORAGE_MAX_KEY + 1), &info),
             ERR_INVALID_PARAMETER_VALUE);
    suite_is(storage_head(s, str_n(longest, STORAGE_MAX_KEY), &info), ERR_NOT_FOUND);
    suite_is(storage_head(s, str_n(longest + 1, 149), &info), ERR_NOT_FOUND);
}

void suite_listing(storage *s) {
    static const char *const keys[] = {"l/a",  "l/a!",  "l/a/b",   "l/a/c/d", "l/a/c/e", "l/a0",
                                       "l/b/", "l/b/x", "l/c/d/e", "l/z",     "l2/q",    "l/a/c"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) suite_put(s, keys[i], keys[i]);
    arena *a = arena_new();
    static const int pages[] = {1, 2, 3, 1000};
    for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
        int p = pages[i];
        assert_string_equal(suite_list(s, a, "l/", false, p),
                            "l/a l/a! l/a/b l/a/c l/a/c/d l/a/c/e l/a0 l/b/ l/b/x l/c/d/e l/z");
        assert_string_equal(suite_list(s, a, "l/", true, p), "l/a l/a! l/a/ l/a0 l/b/ l/c/ l/z");
        assert_string_equal(suite_list(s, a, "l/a", true, p), "l/a l/a! l/a/ l/a0");
        assert_string_equal(suite_list(s, a, "l/a/", true, p), "l/a/b l/a/c l/a/c/");
        assert_string_equal(suite_list(s, a, "l/b/", true, p), "l/b/ l/b/x");
        assert_string_equal(suite_list(s, a, "l/a/c", false, p), "l/a/c l/a/c/d l/a/c/e");
        assert_string_equal(suite_list(s, a, "l", true, p), "l/ l2/");
        assert_string_equal(suite_list(s, a, "nothing/", true, p), "");
        assert_string_equal(suite_list(s, a, "l/z/", true, p), "");
    }
    struct storage_list l;
    struct storage_list_ask ask = {.prefix = STR("l/"), .start_after = STR("l/a/c/d")};
    suite_ok(storage_list(s, a, &ask, &l));
    assert_true(str_eqz(l.entries[0].key, "l/a/c/e"));
    assert_int_equal(l.n, 6);
    assert_int_equal(l.entries[0].size, 7);
    assert_true(l.entries[0].etag[0] != 0 && l.entries[0].mtime > 1500000000000000);
    struct storage_info info;
    suite_ok(storage_head(s, STR("l/a/c/e"), &info));
    assert_string_equal(info.etag, l.entries[0].etag);
    /* deleting everything leaves nothing, not even empty folders */
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        str key = str_of(keys[i]);
        suite_ok(storage_del(s, &key, 1));
    }
    assert_string_equal(suite_list(s, a, "l", true, 10), "");
    arena_free(a);
}

void suite_copy_delete(storage *s) {
    suite_put(s, "c/from", "copied");
    struct storage_info info;
    suite_ok(storage_copy(s, STR("c/from"), STR("c/to &%"), &info));
    suite_has(s, "c/to &%", "copied");
    suite_has(s, "c/from", "copied");
    suite_is(storage_copy(s, STR("c/none"), STR("c/to2"), NULL), ERR_NOT_FOUND);
    str keys[] = {STR("c/from"), STR("c/to &%"), STR("c/never was")};
    suite_ok(storage_del(s, keys, 3));
    suite_is(storage_head(s, STR("c/from"), &info), ERR_NOT_FOUND);
    suite_is(storage_head(s, STR("c/to &%"), &info), ERR_NOT_FOUND);
    suite_ok(storage_del(s, keys, 3));
    suite_ok(storage_del(s, keys, 1));
}

void suite_multipart(storage *s, size_t part_size, bool strict) {
    arena *a = arena_new();
    str id, other;
    struct storage_part parts[2], again;
    struct storage_bytes b;
    char *big = malloc(part_size);
    for (size_t i = 0; i < part_size; i++) big[i] = (char)(i * 31 >> 3);
    suite_ok(storage_multi_create(s, a, STR("m/big"), &id));
    suite_ok(
        storage_multi_part(s, STR("m/big"), id, 2, storage_from_bytes(&b, STR("wrong")), &again));
    suite_ok(
        storage_multi_part(s, STR("m/big"), id, 2, storage_from_bytes(&b, STR("tail")), &parts[1]));
    suite_ok(storage_multi_part(s, STR("m/big"), id, 1,
                                storage_from_bytes(&b, str_n(big, part_size)), &parts[0]));
    struct storage_info info;
    suite_is(storage_head(s, STR("m/big"), &info), ERR_NOT_FOUND);
    assert_string_equal(suite_list(s, a, "m/", false, 10), "");
    struct storage_part wrong[2] = {parts[0], again};
    suite_is(storage_multi_complete(s, STR("m/big"), id, wrong, 2, false, NULL),
             ERR_INVALID_PARAMETER_VALUE);
    suite_ok(storage_multi_complete(s, STR("m/big"), id, parts, 2, true, &info));
    assert_int_equal(info.size, part_size + 4);
    buf got = {0};
    suite_ok(read_all(s, "m/big", 0, -1, NULL, &got, &info));
    assert_int_equal(got.n, part_size + 4);
    assert_memory_equal(got.p, big, part_size);
    assert_memory_equal(got.p + part_size, "tail", 4);
    buf_free(&got);
    if (strict)
        suite_is(
            storage_multi_part(s, STR("m/big"), id, 1, storage_from_bytes(&b, STR("x")), &again),
            ERR_NOT_FOUND);
    suite_ok(storage_multi_create(s, a, STR("m/big"), &other));
    suite_ok(
        storage_multi_part(s, STR("m/big"), other, 1, storage_from_bytes(&b, STR("x")), &again));
    suite_is(storage_multi_complete(s, STR("m/big"), other, &again, 1, true, NULL),
             ERR_ALREADY_EXISTS);
    if (strict) {
        suite_is(storage_multi_abort(s, STR("m/elsewhere"), other), ERR_NOT_FOUND);
        suite_is(storage_multi_part(s, STR("m/big"), STR("../../etc"), 1,
                                    storage_from_bytes(&b, STR("x")), &again),
                 ERR_NOT_FOUND);
    }
    suite_ok(storage_multi_abort(s, STR("m/big"), other));
    if (strict) suite_is(storage_multi_abort(s, STR("m/big"), other), ERR_NOT_FOUND);
    free(big);
    arena_free(a);
}
