/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of every answer: an HTTP server that does nothing but `200`, to be measured beside
 * nginx's `return 200` (wrk -t1 -c32, the same request). Any method, any path, body read and
 * dropped.
 *
 *   http_floor PORT [certificate.pem key.pem]
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/http.h"
#include "net/tls.h"
#include "sys/files.h"

static void on_request(http_stream *st, const struct http_request *req, void *arg) {
    (void)arg;
    if (req->content_length) http_body_collect(st, 16u << 20);
}
static void on_body(http_stream *st, str piece, void *arg) { (void)st, (void)piece, (void)arg; }
static void on_body_end(http_stream *st, void *arg) {
    (void)arg;
    http_respond_json(st, 200, STR("{\"predictions\":[0.5]}"));
}
static void on_abort(http_stream *st, const char *why, void *arg) {
    (void)st, (void)why, (void)arg;
}
static const struct http_handler handler = {
    .on_request = on_request, .on_body = on_body, .on_body_end = on_body_end, .on_abort = on_abort};

static err *run(unsigned port, const char *cert, const char *key) {
    tls_context *tls = NULL;
    buf c = {0}, k = {0};
    if (cert) {
        TRY(files_read(cert, 1 << 20, &c));
        TRY(files_read(key, 1 << 20, &k));
        TRY(tls_server_new(buf_view(&c), buf_view(&k), &tls));
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 4096) < 0)
        return err_errno("cannot listen on port %u", port);
    loop *l = NULL;
    net *n = NULL;
    http_server *s = NULL;
    TRY(loop_new(&l));
    TRY(net_new(l, &n));
    TRY(http_server_new(n, NULL, &handler, NULL, &s));
    TRY(http_server_listen(s, fd, tls, 0));
    loop_run(l);
    return NULL;
}

int main(int argc, char **argv) {
    uint64_t port;
    if ((argc != 2 && argc != 4) || !str_to_u64(str_of(argv[1]), &port) || port > 65535) {
        fprintf(stderr, "usage: http_floor PORT [certificate.pem key.pem]\n");
        return 2;
    }
    err *e = run((unsigned)port, argc == 4 ? argv[2] : NULL, argc == 4 ? argv[3] : NULL);
    if (e) fprintf(stderr, "http_floor: %s\n", err_msg(e));
    err_free(e);
    return e ? 1 : 0;
}
