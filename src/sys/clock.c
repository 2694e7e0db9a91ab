/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/clock.h"

#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t *page; /* NULL: real time */

static int64_t read_us(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t offset(void) { return page ? atomic_load(page) : 0; }

int64_t clock_now(void) { return read_us(CLOCK_REALTIME) + offset(); }
int64_t clock_mono(void) { return read_us(CLOCK_MONOTONIC) + offset(); }

int64_t clock_ticks(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

bool clock_driven(void) { return page != NULL; }

err *clock_page_new(int *ret_fd) {
    int fd = memfd_create("clock", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 4096) < 0) {
        err *e = err_errno("cannot create the clock page");
        if (fd >= 0) close(fd);
        return e;
    }
    *ret_fd = fd;
    return NULL;
}

err *clock_page_map(int fd, bool writable) {
    void *p = mmap(NULL, 4096, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return err_errno("cannot map the clock page");
    page = p;
    return NULL;
}

void clock_advance(int64_t us) {
    must(page != NULL && us >= 0);
    atomic_fetch_add(page, us);
}
