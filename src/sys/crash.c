/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/crash.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "base/log.h"

#define STACK_SIZE (256u * 1024u)
#define FRAMES_MAX 64
#define MODULES_MAX 64
#define LOG_MAX (8u * 1024u)
#define GIVE_UP_S 5u

static const int SIGNALS[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

/* Everything the handler needs, gathered while all is well. */
static struct {
    const char *role;
    int fd;
    bool names;
    struct {
        uintptr_t from, to, base;
        char name[48];
    } modules[MODULES_MAX];
    int module_n;
    pthread_key_t stack_key;
    atomic_int busy; /* thread id of the one that reports */
    char log[LOG_MAX];
} cr = {.role = "boathouse", .fd = 2};

static _Thread_local const char *request_id;
static _Thread_local const char *route;

void crash_context_set(const char *id, const char *r) {
    request_id = id;
    route = r;
}

/* --- writing without the C library's stdio --------------------------------------------------- */

struct line {
    char p[512];
    size_t n;
};

static void add(struct line *l, const char *s) {
    while (*s && l->n < sizeof(l->p) - 1) l->p[l->n++] = *s++;
}

static void add_number(struct line *l, uint64_t v, unsigned base) {
    char digits[24];
    size_t n = 0;
    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    while (n && l->n < sizeof(l->p) - 1) l->p[l->n++] = digits[--n];
}

static void add_hex(struct line *l, uint64_t v) {
    add(l, "0x");
    add_number(l, v, 16);
}

static void put(const char *p, size_t n) {
    while (n > 0) {
        ssize_t w = write(cr.fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) return;
        p += w;
        n -= (size_t)w;
    }
}

static void end_line(struct line *l) {
    l->p[l->n++] = '\n';
    put(l->p, l->n);
    l->n = 0;
}

static void fact(const char *name, const char *value) {
    struct line l = {.n = 0};
    add(&l, name);
    add(&l, value && *value ? value : "-");
    end_line(&l);
}

/* --- the report ------------------------------------------------------------------------------ */

static void add_place(struct line *l, uintptr_t at) {
    for (int i = 0; i < cr.module_n; i++) {
        if (at < cr.modules[i].from || at >= cr.modules[i].to) continue;
        add(l, cr.modules[i].name);
        add(l, "+");
        add_hex(l, at - cr.modules[i].base);
        return;
    }
    add_hex(l, at);
}

static void put_stack(ucontext_t *context) {
    unw_cursor_t cursor;
    if (unw_init_local2(&cursor, (unw_context_t *)context, UNW_INIT_SIGNAL_FRAME) != 0) return;
    for (unsigned i = 0; i < FRAMES_MAX; i++) {
        unw_word_t ip = 0, offset = 0;
        if (unw_get_reg(&cursor, UNW_REG_IP, &ip) != 0 || ip == 0) return;
        struct line l = {.n = 0};
        add(&l, "#");
        add_number(&l, i, 10);
        add(&l, " ");
        add_place(&l, (uintptr_t)ip);
        char name[128];
        if (cr.names && unw_get_proc_name(&cursor, name, sizeof(name), &offset) == 0) {
            add(&l, " ");
            add(&l, name);
            add(&l, "+");
            add_hex(&l, offset);
        }
        end_line(&l);
        if (unw_step(&cursor) <= 0) return;
    }
}

static const char *signal_name(int sig) {
    const char *name = sigabbrev_np(sig);
    return name ? name : "?";
}

static void report(int sig, const siginfo_t *info, ucontext_t *context) {
    struct line l = {.n = 0};
    add(&l, "crash: ");
    add(&l, cr.role);
    add(&l, " pid ");
    add_number(&l, (uint64_t)getpid(), 10);
    end_line(&l);
    add(&l, "signal: ");
    add_number(&l, (uint64_t)sig, 10);
    add(&l, " SIG");
    add(&l, signal_name(sig));
    add(&l, " code ");
    if (info->si_code < 0) add(&l, "-");
    add_number(&l, (uint64_t)(info->si_code < 0 ? -(int64_t)info->si_code : info->si_code), 10);
    if (info->si_code > 0 && sig != SIGSYS) {
        add(&l, " address ");
        add_hex(&l, (uint64_t)(uintptr_t)info->si_addr);
    }
    end_line(&l);
    fact("request: ", request_id);
    fact("route: ", route);
    put_stack(context);
    size_t n = log_recent(cr.log, sizeof(cr.log));
    put("log:\n", 5);
    put(cr.log, n);
    put("crash end\n", 10);
}

static void on_signal(int sig, siginfo_t *info, void *context) {
    int self = (int)syscall(SYS_gettid), none = 0;
    bool first = atomic_compare_exchange_strong(&cr.busy, &none, self);
    if (!first && none != self)
        for (;;) pause(); /* another thread reports and ends the process */
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) (void)sigaction(SIGNALS[i], &dfl, NULL);
    if (first) {
        /* A crash inside the loader or the allocator may hold a lock that unwinding wants. */
        if (cr.names) {
            (void)sigaction(SIGALRM, &dfl, NULL);
            alarm(GIVE_UP_S);
        }
        report(sig, info, context);
    }
    /* The default action, so that the parent sees this signal. It takes effect when the handler
     * returns; a pid 1 that raised it itself is immune and ends by the trap. */
    if (info->si_code <= 0 || sig == SIGABRT) {
        (void)syscall(SYS_tgkill, getpid(), self, sig);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, sig);
        (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        __builtin_trap();
    }
}

/* --- set-up ---------------------------------------------------------------------------------- */

static int remember_module(struct dl_phdr_info *info, size_t size, void *arg) {
    (void)size;
    (void)arg;
    if (cr.module_n == MODULES_MAX) return 1;
    uintptr_t from = UINTPTR_MAX, to = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_LOAD) continue;
        uintptr_t start = info->dlpi_addr + h->p_vaddr;
        if (start < from) from = start;
        if (start + h->p_memsz > to) to = start + h->p_memsz;
    }
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = !info->dlpi_name[0] ? "boathouse" : slash ? slash + 1 : info->dlpi_name;
    size_t n = strnlen(name, sizeof(cr.modules[0].name) - 1);
    memcpy(cr.modules[cr.module_n].name, name, n);
    cr.modules[cr.module_n].from = from;
    cr.modules[cr.module_n].to = to;
    cr.modules[cr.module_n++].base = info->dlpi_addr;
    return 0;
}

static void free_stack(void *p) {
    stack_t off = {.ss_flags = SS_DISABLE};
    (void)sigaltstack(&off, NULL);
    (void)munmap(p, STACK_SIZE);
}

err *crash_thread(void) {
    void *p = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return err_errno("cannot make a signal stack");
    stack_t st = {.ss_sp = p, .ss_size = STACK_SIZE};
    if (sigaltstack(&st, NULL) != 0 || pthread_setspecific(cr.stack_key, p) != 0) {
        err *e = err_errno("cannot set a signal stack");
        (void)munmap(p, STACK_SIZE);
        return e;
    }
    return NULL;
}

err *crash_setup(const char *role, int fd, bool names) {
    cr.role = role;
    cr.fd = fd >= 0 ? fd : 2;
    cr.names = names;
    cr.module_n = 0;
    (void)dl_iterate_phdr(remember_module, NULL);
    if (pthread_key_create(&cr.stack_key, free_stack) != 0)
        return err_new(ERR_INTERNAL_ERROR, "no thread key left for signal stacks");
    TRY(crash_thread());
    /* The first unwinding loads and allocates; better now than in a broken process. */
    unw_context_t here;
    unw_cursor_t cursor;
    if (unw_getcontext(&here) == 0 && unw_init_local(&cursor, &here) == 0)
        for (int i = 0; i < 4 && unw_step(&cursor) > 0; i++) {
        }
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&act.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++)
        if (sigaction(SIGNALS[i], &act, NULL) != 0) return err_errno("cannot catch a signal");
    return NULL;
}
