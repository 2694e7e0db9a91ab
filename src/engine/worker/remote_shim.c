/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads of copies (remote.h), whoever makes them: DuckDB's C API takes no file system of ours, but its library reads files
 * by open, read, pread and close of the C library, and a program's own definitions of these come before the library's. Ours
 * do what the C library's do, by the same system calls, and look whether the descriptor is that of a copy: then the bytes
 * asked for are fetched first.
 *
 * A descriptor of anything else costs one load from a table.
 */
#undef _FORTIFY_SOURCE /* its inline versions would stand beside ours */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/worker/remote.h"

#define MAX_FD 65536
#define TRIES 100

static _Atomic(struct remote_object *) copies[MAX_FD];

static struct remote_object *copy_of(int fd) {
    return fd >= 0 && fd < MAX_FD ? atomic_load_explicit(&copies[fd], memory_order_acquire) : NULL;
}

static int open_as(const char *path, int flags, int mode) {
    struct remote_object *o = NULL;
    int fd, tries = 0;
    bool known;
    do {
        fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
        if (fd < 0 || (flags & O_ACCMODE) != O_RDONLY) return fd;
        known = fd < MAX_FD ? remote_opened(path, fd, &o) : !remote_is(str_of(path)) && !remote_is_file(str_of(path));
        if (!known) (void)syscall(SYS_close, fd);
    } while (!known && ++tries < TRIES);
    /* The place of a volume's file has no bytes of its own: its holes are not to be read. */
    if (known && !o && remote_is_file(str_of(path))) {
        (void)syscall(SYS_close, fd);
        known = false;
    }
    if (!known) {
        errno = EIO;
        return -1;
    }
    if (o) atomic_store_explicit(&copies[fd], o, memory_order_release);
    return fd;
}

int open(const char *path, int flags, ...) {
    int mode = 0;
    if (flags & (O_CREAT | O_TMPFILE)) {
        va_list ap;
        va_start(ap, flags);
        mode = va_arg(ap, int);
        va_end(ap);
    }
    return open_as(path, flags, mode);
}

int close(int fd) {
    struct remote_object *o = copy_of(fd);
    if (o) {
        atomic_store_explicit(&copies[fd], NULL, memory_order_release);
        remote_closed(o);
    }
    return (int)syscall(SYS_close, fd);
}

ssize_t pread(int fd, void *p, size_t n, off_t offset) {
    struct remote_object *o = copy_of(fd);
    if (!o) return syscall(SYS_pread64, fd, p, n, offset);
    return remote_read(o, fd, p, n, offset);
}

ssize_t read(int fd, void *p, size_t n) {
    struct remote_object *o = copy_of(fd);
    if (!o) return syscall(SYS_read, fd, p, n);
    off_t at = lseek(fd, 0, SEEK_CUR);
    ssize_t got = at < 0 ? -1 : remote_read(o, fd, p, n, at);
    if (got > 0 && lseek(fd, at + got, SEEK_SET) < 0) return -1;
    return got;
}

/* A file that is copied in the kernel would be its holes. */
ssize_t sendfile(int out, int in, off_t *offset, size_t n) {
    char piece[1 << 16];
    if (!copy_of(in)) return syscall(SYS_sendfile, out, in, offset, n);
    if (n > sizeof(piece)) n = sizeof(piece);
    ssize_t got = offset ? pread(in, piece, n, *offset) : read(in, piece, n);
    for (ssize_t at = 0, put; at < got; at += put) {
        put = write(out, piece + at, (size_t)(got - at));
        if (put < 0) return -1;
    }
    if (offset && got > 0) *offset += got;
    return got;
}

/* What fortified callers of our own use, and large-file names. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
ssize_t sendfile64(int out, int in, off_t *offset, size_t n) __attribute__((alias("sendfile")));
ssize_t pread64(int fd, void *p, size_t n, off_t offset) __attribute__((alias("pread")));
ssize_t __pread_chk(int fd, void *p, size_t n, off_t offset, size_t room);
ssize_t __pread_chk(int fd, void *p, size_t n, off_t offset, size_t room) {
    must(n <= room);
    return pread(fd, p, n, offset);
}
ssize_t __read_chk(int fd, void *p, size_t n, size_t room);
ssize_t __read_chk(int fd, void *p, size_t n, size_t room) {
    must(n <= room);
    return read(fd, p, n);
}
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags) { return open_as(path, flags, 0); }
