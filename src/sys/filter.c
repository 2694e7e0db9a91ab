/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NAMESPACES                                                                                 \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#define PROGRAM_MAX (64u * 1024u)

static struct {
    pthread_mutex_t lock;
    struct sock_fprog programs[FILTER_COUNT]; /* filter == NULL: not built yet */
} built = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* One rule; calls that this architecture does not have are passed over. */
static int add(scmp_filter_ctx ctx, uint32_t action, const char *call, unsigned n,
               const struct scmp_arg_cmp *args) {
    int nr = seccomp_syscall_resolve_name(call);
    if (nr == __NR_SCMP_ERROR || nr < 0) return 0;
    return seccomp_rule_add_array(ctx, action, nr, n, args);
}

static int add_when(scmp_filter_ctx ctx, uint32_t action, const char *call,
                    struct scmp_arg_cmp arg) {
    return add(ctx, action, call, 1, &arg);
}

/* clone(2) makes no namespaces: a list that allows names the bits, one that refuses their absence.
 * With threads_only new processes are refused as well. */
static int rule_clone(scmp_filter_ctx ctx, const struct filter_row *row, bool threads_only) {
    if (row->def != FILTER_DEFAULT_ALLOW) {
        uint64_t mask = NAMESPACES | (threads_only ? CLONE_THREAD : 0u);
        return add_when(ctx, SCMP_ACT_ALLOW, "clone",
                        SCMP_A0_64(SCMP_CMP_MASKED_EQ, mask, threads_only ? CLONE_THREAD : 0u));
    }
    int rc = 0;
    for (uint64_t bit = 1; bit <= UINT32_MAX && rc == 0; bit <<= 1)
        if (bit & NAMESPACES)
            rc = add_when(ctx, SCMP_ACT_ERRNO((uint32_t)row->refuse), "clone",
                          SCMP_A0_64(SCMP_CMP_MASKED_EQ, bit, bit));
    return rc;
}

/* Families that network namespaces do not cover (AF_VSOCK) or nobody needs are unknown here, which
 * callers such as getaddrinfo() take calmly. */
static int rule_socket(scmp_filter_ctx ctx, const struct filter_row *row) {
    bool allow = row->def == FILTER_DEFAULT_ALLOW;
    int rc = add_when(ctx, SCMP_ACT_ERRNO(EAFNOSUPPORT), "socket",
                      SCMP_A0_64(SCMP_CMP_GT, allow ? AF_NETLINK : AF_INET6, 0));
    static const uint64_t families[] = {AF_UNIX, AF_INET, AF_INET6};
    for (size_t i = 0; !allow && rc == 0 && i < ARRAY_LEN(families); i++)
        rc = add_when(ctx, SCMP_ACT_ALLOW, "socket", SCMP_A0_64(SCMP_CMP_EQ, families[i], 0));
    return rc;
}

/* Terminals: no typing into one that is shared. The command is an int, so only its low half counts
 * where something is refused. Lists that allow name the few that programs use. */
static int rule_ioctl(scmp_filter_ctx ctx, const struct filter_row *row) {
    static const uint64_t fine[] = {TCGETS,  TIOCGWINSZ, FIONREAD, FIONBIO,
                                    FIOCLEX, FIONCLEX,   FICLONE};
    int rc = 0;
    if (row->def == FILTER_DEFAULT_ALLOW) {
        uint32_t refuse = SCMP_ACT_ERRNO((uint32_t)row->refuse);
        rc = add_when(ctx, refuse, "ioctl", SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCSTI));
        if (rc == 0)
            rc = add_when(ctx, refuse, "ioctl",
                          SCMP_A1_64(SCMP_CMP_MASKED_EQ, UINT32_MAX, TIOCLINUX));
        return rc;
    }
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(fine); i++)
        rc = add_when(ctx, SCMP_ACT_ALLOW, "ioctl", SCMP_A1_64(SCMP_CMP_EQ, fine[i], 0));
    return rc;
}

/* Memory never becomes executable. */
static int rule_memory(scmp_filter_ctx ctx) {
    struct scmp_arg_cmp no_exec = SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    int rc = add_when(ctx, SCMP_ACT_ALLOW, "mmap", no_exec);
    return rc ? rc : add_when(ctx, SCMP_ACT_ALLOW, "mprotect", no_exec);
}

/* Flags and seals of descriptors; no duplicates, locks or leases. */
static int rule_fcntl(scmp_filter_ctx ctx) {
    static const uint64_t commands[] = {F_GETFD, F_SETFD,     F_GETFL,
                                        F_SETFL, F_ADD_SEALS, F_GET_SEALS};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(commands); i++)
        rc = add_when(ctx, SCMP_ACT_ALLOW, "fcntl", SCMP_A1_64(SCMP_CMP_EQ, commands[i], 0));
    return rc;
}

static int add_rules(scmp_filter_ctx ctx, const struct filter_row *row) {
    int rc = 0, r = row->rules;
    if (!rc && (r & FILTER_CLONE_NO_NAMESPACES)) rc = rule_clone(ctx, row, false);
    if (!rc && (r & FILTER_CLONE_THREADS)) rc = rule_clone(ctx, row, true);
    /* Its flags lie in memory and cannot be read here; the C library falls back to clone(2). */
    if (!rc && (r & FILTER_CLONE3_ENOSYS)) rc = add(ctx, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    if (!rc && (r & (FILTER_SOCKET_COMMON | FILTER_SOCKET_INET_UNIX))) rc = rule_socket(ctx, row);
    if (!rc && (r & FILTER_IOCTL_COMMON)) rc = rule_ioctl(ctx, row);
    if (!rc && (r & FILTER_MEMORY_NO_EXEC)) rc = rule_memory(ctx);
    if (!rc && (r & FILTER_FCNTL_SEALS)) rc = rule_fcntl(ctx);
    return rc;
}

static int fill(scmp_filter_ctx ctx, const struct filter_row *row) {
    uint32_t action =
        row->def == FILTER_DEFAULT_ALLOW ? SCMP_ACT_ERRNO((uint32_t)row->refuse) : SCMP_ACT_ALLOW;
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!rc) rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* search by tree */
    for (size_t i = 0; !rc && row->calls[i]; i++) rc = add(ctx, action, row->calls[i], 0, NULL);
#ifdef BH_SANITIZE
    const char *const *more = filter_rows[FILTER_SANITIZER].calls;
    for (size_t i = 0; !rc && row->def != FILTER_DEFAULT_ALLOW && more[i]; i++)
        rc = add(ctx, action, more[i], 0, NULL);
#endif
    return rc ? rc : add_rules(ctx, row);
}

static err *export(scmp_filter_ctx ctx, const char *name, struct sock_fprog *ret) {
    int fd = memfd_create("filter", MFD_CLOEXEC);
    if (fd < 0) return err_errno("cannot make memory for seccomp list %s", name);
    err *e = NULL;
    int rc = seccomp_export_bpf(ctx, fd);
    off_t size = lseek(fd, 0, SEEK_END);
    if (rc != 0 || size <= 0 || (size_t)size > PROGRAM_MAX) {
        e = err_new(ERR_INTERNAL_ERROR, "cannot export seccomp list %s: code %d", name, rc);
    } else {
        struct sock_filter *code = malloc((size_t)size);
        must(code != NULL);
        if (pread(fd, code, (size_t)size, 0) == size) {
            ret->len = (unsigned short)((size_t)size / sizeof(*code));
            ret->filter = code;
        } else {
            e = err_errno("cannot read seccomp list %s", name);
            free(code);
        }
    }
    close(fd);
    return e;
}

static err *build(const struct filter_row *row, struct sock_fprog *ret) {
    uint32_t def = row->def == FILTER_DEFAULT_ALLOW    ? SCMP_ACT_ALLOW
                   : row->def == FILTER_DEFAULT_REFUSE ? SCMP_ACT_ERRNO((uint32_t)row->refuse)
                                                       : SCMP_ACT_KILL_PROCESS;
    scmp_filter_ctx ctx = seccomp_init(def);
    if (!ctx) return err_new(ERR_INTERNAL_ERROR, "libseccomp cannot start list %s", row->name);
    int rc = fill(ctx, row);
    err *e = rc == 0 ? export(ctx, row->name, ret)
                     : err_new(ERR_INTERNAL_ERROR, "cannot build seccomp list %s: code %d",
                               row->name, rc);
    seccomp_release(ctx);
    return e;
}

err *filter_program(enum filter_id id, const struct sock_fprog **ret) {
    if (id == FILTER_COUNT) {
        *ret = NULL;
        return NULL;
    }
    must((unsigned)id < FILTER_COUNT);
    err *e = NULL;
    pthread_mutex_lock(&built.lock);
    struct sock_fprog *p = &built.programs[id];
    if (!p->filter) e = build(&filter_rows[id], p);
    pthread_mutex_unlock(&built.lock);
    if (!e) *ret = p;
    return e;
}

int filter_load(const struct sock_fprog *program) {
    if (!program) return 0;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, program) == 0 ? 0 : -errno;
}
