/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log file (setting log.file). Children write into one end of a packet socket, one line a
 * packet, so that lines of several processes never mix; the supervisor alone has the file, and so
 * alone rotates it at log.max_size (file → file.1 → … → file.<log.keep>) and opens it again on
 * SIGUSR1, which is how logrotate and its like ask for it. Without log.file everyone writes to stderr.
 *
 * The children's end does not block: a disk that hangs costs log lines, not answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor_int.h"

#define PACKET_MAX (64u * 1024u)

static const char *path_of(const struct supervisor *s) {
    return settings_str(s->o.settings, SET_LOG_FILE).p;
}

static void open_file(struct supervisor *s) {
    int fd = open(path_of(s), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0) {
        err *e = err_errno("cannot open the log file %s", path_of(s));
        log_error("the log goes on where it went", lf_err(e));
        err_free(e);
        return;
    }
    log_set_fd(fd);
    close(s->o.log_fd);
    s->o.log_fd = fd;
}

static void rotate(struct supervisor *s) {
    char from[PATH_MAX], to[PATH_MAX];
    int64_t keep = settings_int(s->o.settings, SET_LOG_KEEP);
    for (int64_t i = keep; i > 0; i--) {
        if (i == 1)
            snprintf(from, sizeof(from), "%s", path_of(s));
        else
            snprintf(from, sizeof(from), "%s.%lld", path_of(s), (long long)(i - 1));
        snprintf(to, sizeof(to), "%s.%lld", path_of(s), (long long)i);
        (void)rename(from, to); /* the older ones may not be there yet */
    }
    if (keep == 0) (void)unlink(path_of(s));
    open_file(s);
}

static void read_lines(struct supervisor *s) {
    char packet[PACKET_MAX];
    for (;;) {
        ssize_t n = recv(s->log_in.fd, packet, sizeof(packet), MSG_DONTWAIT);
        if (n <= 0) return;
        ssize_t w = write(s->o.log_fd, packet, (size_t)n);
        (void)w; /* a log that cannot be written must not stop the work */
    }
}

void logs_check(struct supervisor *s) {
    struct stat st;
    if (s->log_in.fd < 0 || fstat(s->o.log_fd, &st) < 0) return;
    if (st.st_size > settings_int(s->o.settings, SET_LOG_MAX_SIZE)) rotate(s);
}

static void on_lines(loop_watch *w, int events) {
    (void)events;
    struct supervisor *s = (struct supervisor *)((char *)w - offsetof(struct supervisor, log_in));
    read_lines(s);
    logs_check(s);
}

err *logs_open(struct supervisor *s) {
    s->log_fd = s->o.log_fd;
    s->log_in.fd = -1;
    if (!path_of(s)[0]) return NULL;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return err_errno("cannot make a socket pair for the log");
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    s->log_fd = fds[1];
    s->log_in = (loop_watch){.on_event = on_lines, .fd = fds[0]};
    return loop_watch_add(s->l, &s->log_in, LOOP_READ);
}

void logs_reopen(struct supervisor *s) {
    if (s->log_in.fd < 0) return;
    read_lines(s);
    open_file(s);
    log_info("log file opened again");
}

void logs_close(struct supervisor *s) {
    if (s->log_in.fd < 0) return;
    read_lines(s);
    loop_unwatch(s->l, &s->log_in);
    close(s->log_in.fd);
    close(s->log_fd);
    s->log_in.fd = -1;
}
