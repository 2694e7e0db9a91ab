/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every storage must do, as cmocka assertions: run against the local directory and against a
 * real S3 server.
 */
#ifndef BH_TEST_STORAGE_SUITE_H
#define BH_TEST_STORAGE_SUITE_H

#include "sys/storage.h"

/* Fails the test with the error's description unless e is NULL. */
void suite_ok(err *e);
/* Fails unless e has this code; frees it. */
void suite_is(err *e, err_code code);
void suite_put(storage *s, const char *key, const char *text);
/* The object is exactly this text. */
void suite_has(storage *s, const char *key, const char *text);
/* Keys of all pages, joined by blanks, rolled up ones as they come. page: entries per page. */
char *suite_list(storage *s, arena *a, const char *prefix, bool delimiter, int page);

void suite_objects(storage *s);
void suite_ranges(storage *s);
void suite_if_absent(storage *s);
void suite_names(storage *s);
void suite_listing(storage *s);
void suite_copy_delete(storage *s);
/* part_size: the store's least (S3: 5 MiB). strict: also asks for parts of uploads that are gone,
 * for which moto has a 500 where S3 has NoSuchUpload. */
void suite_multipart(storage *s, size_t part_size, bool strict);

#endif
