/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/vec.h"
#include "sys/clock.h"

#define BATCH 128

struct posted {
    void (*fn)(void *);
    void *arg;
};

struct slot {
    loop_watch *w; /* NULL: free */
    uint32_t gen;
};

struct loop {
    int ep, wake;
    bool stop;
    int64_t now;
    vec_of(struct slot) slots;
    vec_of(uint32_t) free_slots;
    vec_of(loop_timer *) heap;
    pthread_mutex_t lock; /* guards posts */
    vec_of(struct posted) posts;
    atomic_bool woken;
    loop_watch wake_watch;
    loop_last *last; /* to run at the end of this round */
};

static void on_wake(loop_watch *w, int events) {
    (void)events;
    uint64_t n;
    ssize_t r = read(w->fd, &n, sizeof(n));
    (void)r;
}

err *loop_new(loop **ret) {
    loop *l = calloc(1, sizeof(*l));
    must(l != NULL);
    l->ep = epoll_create1(EPOLL_CLOEXEC);
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&l->lock, NULL);
    if (l->ep < 0 || l->wake < 0) {
        err *e = err_errno("cannot create an event loop");
        loop_free(l);
        return e;
    }
    l->now = clock_mono();
    l->wake_watch = (loop_watch){.on_event = on_wake, .fd = l->wake};
    err *e = loop_watch_add(l, &l->wake_watch, LOOP_READ);
    if (e) {
        loop_free(l);
        return e;
    }
    *ret = l;
    return NULL;
}

void loop_free(loop *l) {
    if (!l) return;
    if (l->ep >= 0) close(l->ep);
    if (l->wake >= 0) close(l->wake);
    pthread_mutex_destroy(&l->lock);
    vec_free(&l->slots);
    vec_free(&l->free_slots);
    vec_free(&l->heap);
    vec_free(&l->posts);
    free(l);
}

static uint32_t to_epoll(int events) {
    return ((events & LOOP_READ) ? (uint32_t)(EPOLLIN | EPOLLRDHUP) : 0u) |
           ((events & LOOP_WRITE) ? (uint32_t)EPOLLOUT : 0u);
}

/* epoll's data is slot and generation, so that a stale event of a reused slot is recognised. */
static uint64_t tag(const loop *l, uint32_t slot) {
    return (uint64_t)l->slots.p[slot].gen << 32 | slot;
}

err *loop_watch_add(loop *l, loop_watch *w, int events) {
    uint32_t slot;
    if (l->free_slots.n) {
        slot = l->free_slots.p[--l->free_slots.n];
    } else {
        slot = (uint32_t)l->slots.n;
        vec_push(&l->slots, ((struct slot){NULL, 0}));
    }
    l->slots.p[slot].w = w;
    w->slot = slot + 1;
    w->events = events;
    struct epoll_event ev = {.events = to_epoll(events), .data.u64 = tag(l, slot)};
    if (epoll_ctl(l->ep, EPOLL_CTL_ADD, w->fd, &ev) < 0) {
        err *e = err_errno("cannot watch descriptor %d", w->fd);
        l->slots.p[slot].w = NULL;
        vec_push(&l->free_slots, slot);
        w->slot = 0;
        return e;
    }
    return NULL;
}

void loop_watch_set(loop *l, loop_watch *w, int events) {
    if (!w->slot || w->events == events) return;
    w->events = events;
    struct epoll_event ev = {.events = to_epoll(events), .data.u64 = tag(l, w->slot - 1)};
    must(epoll_ctl(l->ep, EPOLL_CTL_MOD, w->fd, &ev) == 0);
}

void loop_unwatch(loop *l, loop_watch *w) {
    if (!w->slot) return;
    uint32_t slot = w->slot - 1;
    epoll_ctl(l->ep, EPOLL_CTL_DEL, w->fd, NULL);
    l->slots.p[slot].w = NULL;
    l->slots.p[slot].gen++;
    vec_push(&l->free_slots, slot);
    w->slot = 0;
}

static void heap_swap(loop *l, size_t i, size_t j) {
    loop_timer *t = l->heap.p[i];
    l->heap.p[i] = l->heap.p[j];
    l->heap.p[j] = t;
    l->heap.p[i]->slot = i + 1;
    l->heap.p[j]->slot = j + 1;
}

static void sift_up(loop *l, size_t i) {
    while (i && l->heap.p[i]->at < l->heap.p[(i - 1) / 2]->at) {
        heap_swap(l, i, (i - 1) / 2);
        i = (i - 1) / 2;
    }
}

static void sift_down(loop *l, size_t i) {
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= l->heap.n) return;
        if (k + 1 < l->heap.n && l->heap.p[k + 1]->at < l->heap.p[k]->at) k++;
        if (l->heap.p[i]->at <= l->heap.p[k]->at) return;
        heap_swap(l, i, k);
        i = k;
    }
}

void loop_timer_clear(loop *l, loop_timer *t) {
    if (!t->slot) return;
    size_t i = t->slot - 1;
    heap_swap(l, i, l->heap.n - 1);
    l->heap.n--;
    t->slot = 0;
    if (i < l->heap.n) {
        sift_down(l, i);
        sift_up(l, i);
    }
}

void loop_timer_set(loop *l, loop_timer *t, int64_t delay_us) {
    loop_timer_clear(l, t);
    t->at = clock_mono() + (delay_us > 0 ? delay_us : 0);
    vec_push(&l->heap, t);
    t->slot = l->heap.n;
    sift_up(l, l->heap.n - 1);
}

int64_t loop_now(const loop *l) { return l->now; }

void loop_post(loop *l, void (*fn)(void *), void *arg) {
    pthread_mutex_lock(&l->lock);
    vec_push(&l->posts, ((struct posted){fn, arg}));
    pthread_mutex_unlock(&l->lock);
    if (!atomic_exchange(&l->woken, true)) {
        uint64_t one = 1;
        ssize_t r = write(l->wake, &one, sizeof(one));
        (void)r;
    }
}

static void run_posts(loop *l) {
    atomic_store(&l->woken, false);
    pthread_mutex_lock(&l->lock);
    struct posted *p = l->posts.p;
    size_t n = l->posts.n;
    l->posts.p = NULL;
    l->posts.n = l->posts.cap = 0;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < n; i++) p[i].fn(p[i].arg);
    free(p);
}

static void run_timers(loop *l) {
    /* Only those due at the start of the round: a timer that re-arms itself cannot starve I/O. */
    int64_t now = l->now;
    while (l->heap.n && l->heap.p[0]->at <= now) {
        loop_timer *t = l->heap.p[0];
        loop_timer_clear(l, t);
        t->on_time(t);
    }
}

void loop_at_end(loop *l, loop_last *t) {
    if (t->queued) return;
    t->queued = true;
    t->next = l->last;
    l->last = t;
}

void loop_at_end_clear(loop *l, loop_last *t) {
    if (!t->queued) return;
    for (loop_last **at = &l->last; *at; at = &(*at)->next) {
        if (*at != t) continue;
        *at = t->next;
        break;
    }
    t->queued = false;
}

static void run_last(loop *l) {
    while (l->last) {
        loop_last *t = l->last;
        l->last = t->next;
        t->queued = false;
        t->run(t);
    }
}

void loop_step(loop *l, int64_t wait_us) {
    struct epoll_event evs[BATCH];
    run_last(l); /* here, so that what was sent between two calls goes, too */
    int64_t wait = wait_us;
    if (l->heap.n) {
        int64_t due = l->heap.p[0]->at - clock_mono();
        if (due < 0) due = 0;
        if (wait < 0 || due < wait) wait = due;
    }
    /* With a driven clock a timer may become due at any time: look at least every 20 ms. */
    if (clock_driven() && l->heap.n && (wait < 0 || wait > 20000)) wait = 20000;
    struct timespec ts = {wait / 1000000, (wait % 1000000) * 1000};
    int n = epoll_pwait2(l->ep, evs, BATCH, wait < 0 ? NULL : &ts, NULL);
    l->now = clock_mono();
    for (int i = 0; i < n; i++) {
        uint32_t slot = (uint32_t)evs[i].data.u64, gen = (uint32_t)(evs[i].data.u64 >> 32);
        if (slot >= l->slots.n || l->slots.p[slot].gen != gen || !l->slots.p[slot].w) continue;
        loop_watch *w = l->slots.p[slot].w;
        uint32_t e = evs[i].events;
        int got = ((e & (EPOLLIN | EPOLLRDHUP)) ? LOOP_READ : 0) |
                  ((e & EPOLLOUT) ? LOOP_WRITE : 0) | ((e & (EPOLLHUP | EPOLLERR)) ? LOOP_HUP : 0);
        w->on_event(w, got);
    }
    run_timers(l);
    if (atomic_load(&l->woken)) run_posts(l);
}

void loop_run(loop *l) {
    l->stop = false;
    while (!l->stop) loop_step(l, -1);
}

void loop_stop(loop *l) { l->stop = true; }
