/* SPDX-License-Identifier: Apache-2.0 */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/time.h"

/* Accepted per event: new clients must not starve those already there. */
#define ROUND 64
/* Rest when descriptors or memory are short. */
#define REST (100 * US_PER_MS)

struct listener {
    loop *l;
    loop_watch watch;
    loop_timer rest;
    listener_accept *on_accept;
    void *arg;
    bool paused, resting, accepting, gone; /* gone: freed while accepting */
};

static void update(listener *l) {
    loop_watch_set(l->l, &l->watch, l->paused || l->resting ? 0 : LOOP_READ);
}

static void on_rest_over(loop_timer *t) {
    listener *l = (listener *)(void *)((char *)t - offsetof(listener, rest));
    l->resting = false;
    update(l);
}

static void on_event(loop_watch *w, int events) {
    (void)events;
    listener *l = (listener *)(void *)((char *)w - offsetof(listener, watch));
    l->accepting = true;
    for (int i = 0; i < ROUND && !l->gone && !l->paused; i++) {
        struct sockaddr_storage ss = {0};
        socklen_t len = sizeof(ss);
        int fd = accept4(l->watch.fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->on_accept(fd, (struct sockaddr *)&ss, len, l->arg);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno != EAGAIN) {
            l->resting = true;
            loop_timer_set(l->l, &l->rest, REST);
            update(l);
        }
        break;
    }
    l->accepting = false;
    if (l->gone) free(l);
}

err *listener_new(net *n, int fd, listener_accept *on_accept, void *arg, listener **ret) {
    listener *l = calloc(1, sizeof(*l));
    must(l != NULL);
    l->l = net_loop(n);
    l->watch.fd = fd;
    l->watch.on_event = on_event;
    l->rest.on_time = on_rest_over;
    l->on_accept = on_accept;
    l->arg = arg;
    int flags = fcntl(fd, F_GETFL);
    err *e = NULL;
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        e = err_errno("descriptor %d cannot be listened on", fd);
    if (!e) e = loop_watch_add(l->l, &l->watch, LOOP_READ);
    if (e) {
        close(fd);
        free(l);
        return e;
    }
    *ret = l;
    return NULL;
}

void listener_pause(listener *l, bool pause) {
    if (l->paused == pause) return;
    l->paused = pause;
    update(l);
}

void listener_free(listener *l) {
    if (!l) return;
    loop_unwatch(l->l, &l->watch);
    loop_timer_clear(l->l, &l->rest);
    close(l->watch.fd);
    l->gone = true;
    if (!l->accepting) free(l);
}
