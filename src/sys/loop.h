/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: descriptors, timers and posted calls; it knows nothing of HTTP or SQL.
 * One loop belongs to one thread; loop_post() alone may be called from others.
 * Built on epoll (level triggered) and a binary heap of timers.
 */
#ifndef BH_SYS_LOOP_H
#define BH_SYS_LOOP_H

#include "base/err.h"

typedef struct loop loop;

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_HUP = 4 };

/* Embedded by whoever watches a descriptor. `on_event` may free the watcher after
 * loop_unwatch(); events of a watcher that was unwatched in the same round are dropped. */
typedef struct loop_watch {
    void (*on_event)(struct loop_watch *w, int events);
    int fd;
    int events;      /* what is asked for; owned by the loop */
    uint32_t slot;   /* owned by the loop */
} loop_watch;

/* Embedded by whoever needs a timer. Zero-initialise, set on_time; `at` and `slot` are the loop's. */
typedef struct loop_timer {
    void (*on_time)(struct loop_timer *t);
    int64_t at;
    size_t slot; /* 1-based place in the heap; 0 = not armed */
} loop_timer;

/* Embedded by whoever gathers work of one round. Zero-initialise, set run. */
typedef struct loop_last {
    void (*run)(struct loop_last *t);
    struct loop_last *next;
    bool queued; /* owned by the loop */
} loop_last;

err *loop_new(loop **ret) BH_CHECK;
void loop_free(loop *l);

/* w->fd and w->on_event are set by the caller. events may be 0 (only HUP/ERR is reported). */
err *loop_watch_add(loop *l, loop_watch *w, int events) BH_CHECK;
void loop_watch_set(loop *l, loop_watch *w, int events);
/* Does not close the descriptor. Fine if not watched. */
void loop_unwatch(loop *l, loop_watch *w);

/* (Re)arms: on_time runs once, delay_us from now (monotonic clock plus the driven offset). */
void loop_timer_set(loop *l, loop_timer *t, int64_t delay_us);
void loop_timer_clear(loop *l, loop_timer *t);
/* run() is called once, after all events, timers and posts of this round and before the loop waits. */
void loop_at_end(loop *l, loop_last *t);
/* Takes it back. Fine if it is not queued. */
void loop_at_end_clear(loop *l, loop_last *t);
/* Monotonic microseconds read at the start of this round. */
int64_t loop_now(const loop *l);

/* From any thread: fn(arg) runs on the loop's thread soon, in order of posting. */
void loop_post(loop *l, void (*fn)(void *arg), void *arg);

/* Runs until loop_stop(). */
void loop_run(loop *l);
/* One round: waits at most wait_us (-1: for ever), then handles what is ready. */
void loop_step(loop *l, int64_t wait_us);
void loop_stop(loop *l);

#endif
