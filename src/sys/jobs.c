/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/jobs.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    struct job *next;
    void (*fn)(void *, int);
    void *arg;
};

struct worker {
    struct jobs *pool;
    pthread_t thread;
    int number;
};

struct jobs {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct job *head, **tail;
    size_t waiting;
    bool stop;
    int n;
    char name[16];
    struct worker workers[];
};

static void *run(void *arg) {
    struct worker *w = arg;
    jobs *j = w->pool;
    char name[16];
    snprintf(name, sizeof(name), "%.10s-%d", j->name, w->number);
    pthread_setname_np(pthread_self(), name);
    pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->head && !j->stop) pthread_cond_wait(&j->more, &j->lock);
        struct job *b = j->head;
        if (!b) break;
        j->head = b->next;
        if (!j->head) j->tail = &j->head;
        j->waiting--;
        pthread_mutex_unlock(&j->lock);
        b->fn(b->arg, w->number);
        free(b);
        pthread_mutex_lock(&j->lock);
    }
    pthread_mutex_unlock(&j->lock);
    return NULL;
}

err *jobs_new(const char *name, int threads, jobs **ret) {
    jobs *j = calloc(1, sizeof(*j) + sizeof(struct worker) * (size_t)threads);
    must(j != NULL);
    pthread_mutex_init(&j->lock, NULL);
    pthread_cond_init(&j->more, NULL);
    j->tail = &j->head;
    snprintf(j->name, sizeof(j->name), "%s", name);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals belong to the main thread */
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 1024 * 1024);
    int rc = 0;
    for (; j->n < threads && !rc; j->n++) {
        j->workers[j->n] = (struct worker){.pool = j, .number = j->n};
        rc = pthread_create(&j->workers[j->n].thread, &attr, run, &j->workers[j->n]);
        if (rc) break;
    }
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        jobs_free(j);
        return err_new(ERR_INTERNAL_ERROR, "cannot start worker threads (%d)", rc);
    }
    *ret = j;
    return NULL;
}

void jobs_free(jobs *j) {
    if (!j) return;
    pthread_mutex_lock(&j->lock);
    j->stop = true;
    pthread_cond_broadcast(&j->more);
    pthread_mutex_unlock(&j->lock);
    for (int i = 0; i < j->n; i++) pthread_join(j->workers[i].thread, NULL);
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->more);
    free(j);
}

void jobs_add(jobs *j, void (*fn)(void *, int), void *arg) {
    struct job *b = malloc(sizeof(*b));
    must(b != NULL);
    *b = (struct job){NULL, fn, arg};
    pthread_mutex_lock(&j->lock);
    *j->tail = b;
    j->tail = &b->next;
    j->waiting++;
    pthread_cond_signal(&j->more);
    pthread_mutex_unlock(&j->lock);
}

size_t jobs_waiting(jobs *j) {
    pthread_mutex_lock(&j->lock);
    size_t n = j->waiting;
    pthread_mutex_unlock(&j->lock);
    return n;
}
