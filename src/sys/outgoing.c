/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/outgoing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/assert.h"

void outgoing_pool_init(struct outgoing_pool *p) {
    memset(p, 0, sizeof(*p));
    pthread_mutex_init(&p->lock, NULL);
}

void outgoing_pool_free(struct outgoing_pool *p) {
    for (size_t i = 0; i < p->idle.n; i++) s3_curl.easy_cleanup(p->idle.p[i]);
    vec_free(&p->idle);
    pthread_mutex_destroy(&p->lock);
}

CURL *outgoing_take(struct outgoing_pool *p) {
    pthread_mutex_lock(&p->lock);
    CURL *h = p->idle.n ? p->idle.p[--p->idle.n] : NULL;
    pthread_mutex_unlock(&p->lock);
    if (!h) h = s3_curl.easy_init();
    must(h != NULL);
    return h;
}

void outgoing_give(struct outgoing_pool *p, CURL *h) {
    s3_curl.easy_reset(h);
    pthread_mutex_lock(&p->lock);
    vec_push(&p->idle, h);
    pthread_mutex_unlock(&p->lock);
}

static void fail(struct outgoing *o, err *e) {
    err_free(o->failed);
    o->failed = e;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *a) {
    struct outgoing *o = arg;
    (void)purpose;
    err *e = egress_judge(o->egress, str_of(o->host), o->port, &a->addr, a->addrlen);
    if (!e) return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
    fail(o, e);
    return CURL_SOCKET_BAD;
}

static int before_request(void *arg, char *there, char *here, int there_port, int here_port) {
    struct outgoing *o = arg;
    (void)here_port;
    if (!there || !here || strcmp(there, here) != 0) return CURL_PREREQFUNC_OK;
    if (egress_named(o->egress, str_of(o->host), o->port, str_of(there))) return CURL_PREREQFUNC_OK;
    fail(o, err_hint(err_new(ERR_PERMISSION_DENIED, "no connection to %s:%d: %s is this machine", o->host, there_port, there),
                     "name it in the setting egress.allow if it is meant"));
    return CURL_PREREQFUNC_ABORT;
}

void outgoing_set(struct outgoing *o, CURL *h, const char *url) {
    s3_curl.easy_setopt(h, CURLOPT_URL, url);
    s3_curl.easy_setopt(h, CURLOPT_PATH_AS_IS, 1L);
    s3_curl.easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    s3_curl.easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    s3_curl.easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    s3_curl.easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L);
    s3_curl.easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, o->connect_ms);
    s3_curl.easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    s3_curl.easy_setopt(h, CURLOPT_LOW_SPEED_TIME, o->stall_s);
    s3_curl.easy_setopt(h, CURLOPT_PROXY, o->proxy); /* "" also shuts off the environment's */
    s3_curl.easy_setopt(h, CURLOPT_NOPROXY, "");
    if (o->ca_file[0]) s3_curl.easy_setopt(h, CURLOPT_CAINFO, o->ca_file);
    s3_curl.easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    s3_curl.easy_setopt(h, CURLOPT_OPENSOCKETDATA, o);
    s3_curl.easy_setopt(h, CURLOPT_PREREQFUNCTION, before_request);
    s3_curl.easy_setopt(h, CURLOPT_PREREQDATA, o);
}

bool outgoing_header(str line, const char *name, str *ret_value) {
    ptrdiff_t colon = str_chr(line, ':', 0);
    if (colon < 0 || !str_ieq(str_cut(line, (size_t)colon), str_of(name))) return false;
    *ret_value = str_trim(str_from(line, (size_t)colon + 1));
    return true;
}
