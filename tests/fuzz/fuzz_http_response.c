/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP client under arbitrary answers, cut at arbitrary places (input as in
 * fuzz_http_request.c). Whole or in pieces, the outcome must be the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/http_client.h"

static loop *l;
static net *n;
static int listening = -1;
static char path[64];

struct outcome {
    buf text;
    bool done;
};

static void on_head(http_call *c, const struct http_reply *r, void *arg) {
    (void)c;
    struct outcome *o = arg;
    buf_fmt(&o->text, "%d\n", r->status);
    for (size_t i = 0; i < r->header_count; i++)
        buf_fmt(&o->text, "%.*s=%.*s\n", STR_ARG(r->headers[i].name), STR_ARG(r->headers[i].value));
}

static void on_done(const struct http_reply *r, const err *e, void *arg) {
    struct outcome *o = arg;
    must(!o->done && (r != NULL) == (e == NULL));
    o->done = true;
    if (e)
        buf_fmt(&o->text, "error %d", (int)err_code_of(e));
    else
        buf_str(&o->text, r->body);
}

static void ok(err *e) {
    if (!e) return;
    fprintf(stderr, "%s\n", err_msg(e));
    abort();
}

static void listen_once(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(path, sizeof(path), "/tmp/bh-fuzz-%d.sock", (int)getpid());
    snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
    unlink(path);
    listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(listening, (struct sockaddr *)&un, sizeof(un)) == 0 && listen(listening, 4) == 0);
}

static void remove_socket(void) { unlink(path); }

static void talk(const uint8_t *cuts, size_t cut_count, bool head, str input, struct outcome *o) {
    http_client *c;
    ok(http_client_new(n, NULL, &c));
    struct http_call_ask ask = {.method = head ? STR("HEAD") : STR("POST"),
                                .url = STR("http://fuzz/"),
                                .unix_path = path,
                                .on_head = on_head,
                                .on_done = on_done,
                                .arg = o};
    ok(http_client_start(c, &ask, NULL));
    for (int j = 0; j < 3; j++) loop_step(l, 0);
    int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    must(fd >= 0);
    for (int j = 0; j < 2; j++) loop_step(l, 0);
    char request[1000];
    must(recv(fd, request, sizeof(request), MSG_DONTWAIT) > 0);
    for (size_t i = 0; input.n; i++) {
        str piece = str_cut(input, cut_count ? cuts[i % cut_count] : input.n);
        input = str_from(input, piece.n);
        if (send(fd, piece.p, piece.n, MSG_NOSIGNAL) != (ssize_t)piece.n) break;
        for (int j = 0; j < 2; j++) loop_step(l, 0);
    }
    shutdown(fd, SHUT_WR);
    for (int j = 0; j < 6 && !o->done; j++) loop_step(l, 0);
    must(o->done);
    http_client_free(c);
    must(net_conns(n) == 0);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!l) {
        ok(loop_new(&l));
        ok(net_new(l, &n));
        listen_once();
        atexit(remove_socket);
    }
    if (size > 100000) return 0;
    size_t cut_count = 0;
    while (cut_count < 8 && cut_count < size && data[cut_count]) cut_count++;
    size_t at = cut_count < size ? cut_count + 1 : size;
    str input = str_n((const char *)data + at, size - at);
    bool head = size % 8 == 7;
    struct outcome whole = {0}, cut = {0};
    talk(NULL, 0, head, input, &whole);
    if (cut_count) {
        talk(data, cut_count, head, input, &cut);
        if (whole.text.n != cut.text.n ||
            (cut.text.n && memcmp(whole.text.p, cut.text.p, cut.text.n) != 0)) {
            fprintf(stderr, "whole:\n%.*s\ncut:\n%.*s\n", (int)whole.text.n, whole.text.p,
                    (int)cut.text.n, cut.text.p);
            abort();
        }
    }
    buf_free(&whole.text);
    buf_free(&cut.text);
    return 0;
}
