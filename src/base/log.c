/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"

#define RECENT (16u * 1024u)
#define MAX_LINE (8u * 1024u)

static struct {
    const char *role;
    log_form form;
    atomic_int least, fd;
    pthread_mutex_t lock;
    char recent[RECENT];
    size_t at; /* total bytes ever put into recent */
} lg = {.role = "boathouse", .form = LOG_HUMAN, .least = LOG_INFO, .fd = 2,
        .lock = PTHREAD_MUTEX_INITIALIZER};

static const char *const NAMES[] = {"debug", "info", "warn", "error"};

void log_setup(const char *role, log_form form, log_level least, int fd) {
    lg.role = role;
    lg.form = form;
    lg.least = (int)least;
    lg.fd = fd;
}

void log_set_fd(int fd) { lg.fd = fd; }
void log_set_level(log_level least) { lg.least = (int)least; }
bool log_enabled(log_level l) { return (int)l >= lg.least; }

static void field_value(buf *b, const struct log_field *f) {
    switch (f->kind) {
    case LF_STR:
        buf_json_str(b, str_cut(f->s, 2048));
        break;
    case LF_INT:
        buf_fmt(b, "%lld", (long long)f->i);
        break;
    case LF_FLOAT:
        buf_fmt(b, "%.6g", f->f);
        break;
    case LF_BOOL:
        buf_z(b, f->i ? "true" : "false");
        break;
    case LF_SECRET:
        buf_fmt(b, "\"[secret, %zu bytes]\"", f->s.n);
        break;
    case LF_ERR: {
        buf t = {0};
        err_describe(f->e, &t);
        buf_json_str(b, str_cut(buf_view(&t), 4096));
        buf_free(&t);
        break;
    }
    }
}

static void remember(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++) lg.recent[(lg.at + i) % RECENT] = p[i];
    lg.at += n;
}

void log_emit(log_level l, const char *event, const struct log_field *fields, size_t n) {
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    arena *a = arena_new();
    const char *t = time_rfc3339(a, ts.tv_sec * US_PER_S + ts.tv_nsec / 1000, 6);
    buf b = {0};
    if (lg.form == LOG_JSON) {
        buf_fmt(&b, "{\"time\":\"%s\",\"level\":\"%s\",\"role\":\"%s\",\"pid\":%d,\"event\":", t,
                NAMES[l], lg.role, (int)getpid());
        buf_json_str(&b, str_of(event));
    } else {
        buf_fmt(&b, "%.12s %-5s %-12s %s", t + 11, NAMES[l], lg.role, event);
    }
    for (size_t i = 0; i < n; i++) {
        if (lg.form == LOG_JSON) {
            buf_c(&b, ',');
            buf_json_str(&b, str_of(fields[i].key));
            buf_c(&b, ':');
        } else {
            buf_fmt(&b, " %s=", fields[i].key);
        }
        field_value(&b, &fields[i]);
    }
    if (lg.form == LOG_JSON) buf_c(&b, '}');
    buf_c(&b, '\n');
    if (b.n > MAX_LINE) {
        b.n = MAX_LINE;
        b.p[MAX_LINE - 1] = '\n';
    }
    pthread_mutex_lock(&lg.lock);
    remember(b.p, b.n);
    pthread_mutex_unlock(&lg.lock);
    ssize_t w = write(lg.fd, b.p, b.n);
    (void)w; /* a log that cannot be written must not stop the work */
    buf_free(&b);
    arena_free(a);
}

size_t log_recent(char *out, size_t cap) {
    size_t have = lg.at < RECENT ? lg.at : RECENT;
    if (have > cap) have = cap;
    size_t from = lg.at - have;
    for (size_t i = 0; i < have; i++) out[i] = lg.recent[(from + i) % RECENT];
    return have;
}
