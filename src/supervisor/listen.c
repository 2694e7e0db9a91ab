/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening sockets: opened by the supervisor and passed to gateways, so that a port survives
 * a gateway, and a gateway needs no right to open one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "supervisor/supervisor_int.h"

#define LISTENERS_MAX 8

static bool is_loopback(const struct sockaddr *sa) {
    if (sa->sa_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24) == 127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/* "ADDR:PORT", "[v6]:PORT" or "PORT". */
static err *split_address(str text, char host[64], char port[8]) {
    ptrdiff_t colon = -1;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] == ':') colon = (ptrdiff_t)i;
    str h = colon < 0 ? STR("127.0.0.1") : str_cut(text, (size_t)colon);
    str p = colon < 0 ? text : str_from(text, (size_t)colon + 1);
    if (h.n >= 2 && h.p[0] == '[' && h.p[h.n - 1] == ']') h = str_n(h.p + 1, h.n - 2);
    uint64_t n;
    if (h.n >= 64 || !str_to_u64(p, &n) || n > 65535)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'%.*s' is not an address; write ADDR:PORT, for example 127.0.0.1:8443.",
                       STR_ARG(text));
    snprintf(host, 64, "%.*s", STR_ARG(h));
    snprintf(port, 8, "%u", (unsigned)n);
    return NULL;
}

static err *bind_one(const struct addrinfo *ai, str text, int *ret_fd) {
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return err_errno("cannot open a socket for %.*s", STR_ARG(text));
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* [::] takes IPv4 as well, whatever the system's default is. */
    int off = 0;
    if (ai->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, 4096) < 0) {
        int os = errno;
        err *e = err_errno("cannot listen on %.*s", STR_ARG(text));
        close(fd);
        if (os == EADDRINUSE) err_hint(e, "Another program uses this port; choose one with --http or --https.");
        if (os == EACCES) err_hint(e, "Ports below 1024 take root; choose a higher one.");
        return e;
    }
    *ret_fd = fd;
    return NULL;
}

static err *open_one(struct supervisor *s, str text, bool tls) {
    if (str_eqz(text, "off") || text.n == 0) return NULL;
    char host[64], port[8];
    TRY(split_address(text, host, port));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *ai = NULL;
    int rc = getaddrinfo(host, port, &hints, &ai);
    if (rc)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "cannot resolve '%s': %s.", host,
                       gai_strerror(rc));
    err *e = NULL;
    struct listener_socket ls = {.fd = -1, .tls = tls};
    bool remote = settings_bool(s->o.settings, SET_HTTP_ALLOW_REMOTE);
    if (!tls && !is_loopback(ai->ai_addr) && !remote)
        e = err_hint(err_new(ERR_INVALID_PARAMETER_VALUE,
                             "plain HTTP on %.*s would send tokens in the clear.", STR_ARG(text)),
                     "Use --https, or set http.allow_remote=true behind a TLS proxy.");
    if (!e && !is_loopback(ai->ai_addr) && (s->o.test_clock || s->level == SANDBOX_REDUCED))
        e = err_new(ERR_INVALID_PARAMETER_VALUE,
                    "%.*s is not loopback: a driven clock and sandbox.level=reduced are for loopback "
                    "listeners only.",
                    STR_ARG(text));
    if (!e) e = bind_one(ai, text, &ls.fd);
    freeaddrinfo(ai);
    if (e) return e;
    struct sockaddr_storage ss;
    socklen_t n = sizeof(ss);
    getsockname(ls.fd, (struct sockaddr *)&ss, &n);
    unsigned bound = ntohs(ss.ss_family == AF_INET6
                               ? ((struct sockaddr_in6 *)(void *)&ss)->sin6_port
                               : ((struct sockaddr_in *)(void *)&ss)->sin_port);
    snprintf(ls.address, sizeof(ls.address), strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, bound);
    vec_push(&s->listeners, ls);
    return NULL;
}

/* Addresses separated by commas: "127.0.0.1:8080,[::1]:8080". */
static err *open_list(struct supervisor *s, str list, bool tls) {
    str one;
    while (str_split(&list, ',', &one)) {
        if (s->listeners.n >= LISTENERS_MAX)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "more than %d listeners.", LISTENERS_MAX);
        TRY(open_one(s, str_trim(one), tls));
    }
    return NULL;
}

err *listen_open(struct supervisor *s) {
    TRY(open_list(s, settings_str(s->o.settings, SET_HTTP_ADDRESS), false));
    TRY(open_list(s, settings_str(s->o.settings, SET_HTTPS_ADDRESS), true));
    if (!s->listeners.n)
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "Both listeners are off."),
                        "Give --http or --https an address.");
    return NULL;
}
