/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when the first S3 store is opened. Linked as usual it would pull some thirty
 * libraries (LDAP, Kerberos, SSH, …) into every role at every start: a third of the time of a start,
 * and code that only the courier ever runs.
 */
#ifndef BH_SYS_S3_CURL_H
#define BH_SYS_S3_CURL_H

#include <curl/curl.h>

#include "base/err.h"

/* The functions that we use; X(result, name without "curl_", arguments). */
#define S3_CURL_FUNCTIONS(X)                                      \
    X(CURLcode, global_init, (long))                              \
    X(CURL *, easy_init, (void))                                  \
    X(void, easy_cleanup, (CURL *))                               \
    X(void, easy_reset, (CURL *))                                 \
    X(CURLcode, easy_perform, (CURL *))                           \
    X(CURLcode, easy_setopt, (CURL *, CURLoption, ...))           \
    X(CURLcode, easy_getinfo, (CURL *, CURLINFO, ...))            \
    X(const char *, easy_strerror, (CURLcode))                    \
    X(struct curl_slist *, slist_append, (struct curl_slist *, const char *)) \
    X(void, slist_free_all, (struct curl_slist *))

#define S3_CURL_MEMBER(result, name, arguments) result(*name) arguments;
struct s3_curl {
    S3_CURL_FUNCTIONS(S3_CURL_MEMBER)
};
#undef S3_CURL_MEMBER

/* All members are set once s3_curl_load() has succeeded; constant from then on. */
extern struct s3_curl s3_curl;

/* Loads and starts the library once per process, from any thread. Fails where it is not installed. */
err *s3_curl_load(void) BH_CHECK;

#endif
