/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/s3_curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

struct s3_curl s3_curl;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

/* A pointer to a function does not convert from one to an object in C; its bytes do. */
static bool find(void *library, const char *name, void *ret_function) {
    void *p = dlsym(library, name);
    memcpy(ret_function, &p, sizeof(p));
    return p != NULL;
}

static err *load(void) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return err_hint(err_new(ERR_INVALID_STATE, "the object store needs %s: %s", LIBRARY, dlerror()),
                        "install Debian's package libcurl4");
    const char *missing = NULL;
#define FIND(result, name, arguments) \
    if (!find(library, "curl_" #name, &s3_curl.name)) missing = "curl_" #name;
    S3_CURL_FUNCTIONS(FIND)
#undef FIND
    if (missing) return err_new(ERR_INVALID_STATE, "%s has no function %s", LIBRARY, missing);
    CURLcode rc = s3_curl.global_init(CURL_GLOBAL_DEFAULT);
    return rc ? err_new(ERR_INTERNAL_ERROR, "%s does not start: %s", LIBRARY, s3_curl.easy_strerror(rc)) : NULL;
}

err *s3_curl_load(void) {
    err *e = NULL;
    pthread_mutex_lock(&lock);
    if (!loaded) e = load();
    loaded = !e;
    pthread_mutex_unlock(&lock);
    return e;
}
