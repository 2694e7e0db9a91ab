/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process in each profile tries, and that it is refused or contained. This program runs
 * itself in the sandbox as `probe <profile> <attempt> [argument]`: it confines itself as the
 * profile says, tries, and ends with BREACH if it got what it wanted, REFUSED if not. A kill by
 * seccomp counts as refused. At level full as root, at level user otherwise; both when root can
 * start an ordinary user's part (test_sandbox_levels.py).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/files.h"
#include "sys/probe.h"
#include "sys/spawn.h"

enum { BREACH = 42, REFUSED = 43, BROKEN = 44 };

/* --- attempts: true means that it worked, which must not be ---------------------------------- */

static bool opens(const char *path) {
    int fd = open(path, O_RDONLY);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

/* The argument is a file that the test made outside, readable for all. */
static bool try_host_file(const char *arg) {
    char inside[300];
    snprintf(inside, sizeof(inside), "/proc/1/root%s", arg);
    if (getpid() != 1 && opens("/proc/1/environ")) return true;
    return opens(arg) || opens("/etc/shadow") || opens(inside) || opens("/proc/kcore") ||
           opens("/sys/kernel") || opens("/dev/mem") || opens("/dev/vda");
}

static bool try_connect(const char *arg) {
    int port = atoi(arg);
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s >= 0 && connect(s, (struct sockaddr *)&in, sizeof(in)) == 0) return true;
    if (s >= 0) close(s);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int n = snprintf(un.sun_path + 1, sizeof(un.sun_path) - 1, "boathouse-test-%d", port);
    s = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    return s >= 0 && connect(s, (struct sockaddr *)&un, size) == 0;
}

/* The argument is the test's own pid. More than init, the program and a helper is too many. */
static bool try_other_pid(const char *arg) {
    pid_t pid = (pid_t)atoi(arg);
    if (pid > 10 && kill(pid, 0) == 0) return true;
    int seen = 0;
    for (int i = 1; i < 100000; i += i < 1000 ? 1 : 97)
        if (kill(i, 0) == 0 || errno == EPERM) seen++;
    return seen > 3;
}

static bool try_vsock(const char *arg) {
    (void)arg;
    return socket(40, SOCK_STREAM, 0) >= 0;
}
static bool try_packet(const char *arg) {
    (void)arg;
    return socket(AF_PACKET, SOCK_RAW, 0) >= 0 || socket(AF_INET, SOCK_RAW, IPPROTO_RAW) >= 0;
}
static bool try_io_uring(const char *arg) {
    (void)arg;
    char params[120] = {0};
    return syscall(SYS_io_uring_setup, 4, params) >= 0;
}
static bool try_userfaultfd(const char *arg) {
    (void)arg;
    return syscall(SYS_userfaultfd, 1) >= 0;
}
static bool try_ptrace(const char *arg) {
    (void)arg;
    char b;
    struct iovec l = {&b, 1}, r = {&b, 1};
    return syscall(SYS_ptrace, 16, 1, 0, 0) == 0 ||
           syscall(SYS_process_vm_readv, getpid(), &l, 1, &r, 1, 0) == 1;
}
static bool try_keys(const char *arg) {
    (void)arg;
    return syscall(SYS_keyctl, 0, -3, 1) >= 0 || syscall(SYS_add_key, "user", "x", "y", 1, -3) >= 0;
}
static bool try_bpf(const char *arg) {
    (void)arg;
    char attr[72] = {1};
    return syscall(SYS_bpf, 0, attr, sizeof(attr)) >= 0 ||
           syscall(SYS_perf_event_open, attr, 0, -1, -1, 0) >= 0;
}
static bool try_namespaces(const char *arg) {
    (void)arg;
    if (unshare(CLONE_NEWUSER) == 0 || unshare(CLONE_NEWNS) == 0) return true;
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return pid > 0;
}
static bool try_mounts(const char *arg) {
    (void)arg;
    return syscall(SYS_mount, "tmpfs", "/tmp", "tmpfs", 0, "") == 0 ||
           syscall(SYS_mount, NULL, "/", NULL, 32 /* remount */, NULL) == 0 ||
           syscall(SYS_umount2, "/usr", 2) == 0 || syscall(SYS_pivot_root, ".", ".") == 0 ||
           syscall(SYS_fsopen, "tmpfs", 0) >= 0 || chroot("/usr") == 0;
}
static bool try_rights(const char *arg) {
    (void)arg;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {{0}, {0}};
    if (syscall(SYS_capget, &head, d) == 0 && (d[0].permitted || d[1].permitted)) return true;
    return setuid(0) == 0 || setgid(0) == 0 || prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 1 ||
           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}
static bool try_terminal(const char *arg) {
    (void)arg;
    int fd = open("/dev/tty", O_RDWR);
    return fd >= 0 || ioctl(0, TIOCSTI, "x") == 0;
}
static bool try_write_root(const char *arg) {
    (void)arg;
    return open("/x", O_CREAT | O_RDWR, 0600) >= 0 || mkdir("/usr/x", 0700) == 0 ||
           open("/usr/lib/x", O_CREAT | O_RDWR, 0600) >= 0 || open("/etc/passwd", O_WRONLY) >= 0 ||
           chmod("/etc/passwd", 0777) == 0;
}
/* The argument is a name; "w:" first makes it. */
static bool try_sibling(const char *arg) {
    char path[200];
    snprintf(path, sizeof(path), "/tmp/%s", arg + 2);
    if (arg[0] != 'w') return opens(path);
    int fd = open(path, O_CREAT | O_RDWR, 0666);
    if (fd < 0) _exit(BROKEN);
    char go;
    _exit(read(0, &go, 1) == 1 ? REFUSED : BROKEN); /* stays while the other one looks */
}
static bool try_exec(const char *arg) {
    (void)arg;
    char *argv[] = {(char *)(uintptr_t) "probe", NULL};
    execv(SANDBOX_EXE, argv);
    execv("/bin/true", argv);
    execv("/usr/lib/ld-linux-x86-64.so.2", argv);
    return false;
}
/* Where programs may be run, they have no more than the one that ran them. */
static bool try_exec_escape(const char *arg) {
    char *argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                    (char *)(uintptr_t) "cat \"$0\" || echo x > /usr/x || mount -t tmpfs x /tmp",
                    (char *)(uintptr_t)arg, NULL};
    pid_t pid = fork();
    if (pid == 0) {
        execv("/bin/sh", argv);
        _exit(1);
    }
    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}
/* 400 MB where 64 are allowed. */
static bool try_memory(const char *arg) {
    (void)arg;
    for (int i = 0; i < 400; i++) {
        char *p = mmap(NULL, 1u << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return false;
        for (size_t k = 0; k < 1u << 20; k += 4096) p[k] = (char)(k + (size_t)i);
    }
    return true;
}
static bool try_forks(const char *arg) {
    (void)arg;
    int made = 0;
    while (made < 400) {
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
        if (pid < 0) break;
        if (pid == 0)
            for (;;) pause();
        made++;
    }
    return made > 40;
}
/* Orphans in sessions of their own end with the sandbox: the test looks for them by name. */
static bool try_orphans(const char *arg) {
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            setsid();
            prctl(PR_SET_NAME, arg);
            for (;;) pause();
        }
    return false;
}
static bool try_fill_tmp(const char *arg) {
    int fd = open("/tmp/big", O_CREAT | O_RDWR, 0600);
    static char block[1u << 20];
    for (int i = 0; fd >= 0 && i < atoi(arg); i++)
        if (write(fd, block, sizeof(block)) != (ssize_t)sizeof(block)) return false;
    return fd >= 0;
}
static bool try_exec_memory(const char *arg) {
    (void)arg;
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
           MAP_FAILED;
}
static bool try_crash(const char *arg) {
    (void)arg;
    raise(SIGSEGV);
    return false;
}
/* Not refused: control's own folder. */
static bool try_data(const char *arg) {
    (void)arg;
    err *e = files_write("/data/made", STR("x"), 0600);
    if (!e) e = files_mkdirs("/data/folder", 0700);
    return e == NULL && opens("/data/before");
}
/* Waits for a byte that never comes. */
static bool try_hold(const char *arg) {
    (void)arg;
    char go;
    return read(0, &go, 1) == 1;
}
static bool try_nothing(const char *arg) {
    (void)arg;
    return false;
}

static const struct attempt {
    const char *name;
    bool (*run)(const char *arg);
} ATTEMPTS[] = {
    {"host_file", try_host_file},
    {"connect", try_connect},
    {"other_pid", try_other_pid},
    {"vsock", try_vsock},
    {"packet", try_packet},
    {"io_uring", try_io_uring},
    {"userfaultfd", try_userfaultfd},
    {"ptrace", try_ptrace},
    {"keys", try_keys},
    {"bpf", try_bpf},
    {"namespaces", try_namespaces},
    {"mounts", try_mounts},
    {"rights", try_rights},
    {"terminal", try_terminal},
    {"write_root", try_write_root},
    {"sibling", try_sibling},
    {"exec", try_exec},
    {"exec_escape", try_exec_escape},
    {"memory", try_memory},
    {"forks", try_forks},
    {"orphans", try_orphans},
    {"fill_tmp", try_fill_tmp},
    {"exec_memory", try_exec_memory},
    {"crash", try_crash},
    {"data", try_data},
    {"hold", try_hold},
    {"nothing", try_nothing},
};

static int probe_main(int argc, char **argv) {
    if (argc < 4) return BREACH; /* reached by try_exec */
    const struct sandbox_row *row = sandbox_by_name(str_of(argv[1]));
    enum sandbox_level level = SANDBOX_FULL;
    if (!row || !sandbox_level_by_name(str_of(argv[2]), &level)) return BROKEN;
    const struct attempt *a = NULL;
    for (size_t i = 0; i < ARRAY_LEN(ATTEMPTS); i++)
        if (strcmp(ATTEMPTS[i].name, argv[3]) == 0) a = &ATTEMPTS[i];
    if (!a) return BROKEN;
    if (row->confine_filter != FILTER_COUNT && sandbox_confine(row, level)) return BROKEN;
    return a->run(argc > 4 ? argv[4] : "") ? BREACH : REFUSED;
}

/* --- the test's side ------------------------------------------------------------------------- */

static enum sandbox_level level;
static cgroups *groups;
static char work[64], host_file[128];

static void ok(err *e) {
    if (!e) return;
    buf b = {0};
    err_describe(e, &b);
    buf_c(&b, 0);
    fail_msg("%s", b.p);
}

static const char *join(char *out, size_t cap, const char *a, const char *b) {
    snprintf(out, cap, "%s/%s", a, b);
    return out;
}

struct options {
    uint64_t memory_mb;
    uint32_t pids;
    int in, out;
    const struct sandbox_mount *mount;
};

static struct spawned start(const char *profile, const char *attempt, const char *arg,
                            const struct options *o) {
    char *argv[] = {(char *)(uintptr_t) "probe",
                    (char *)(uintptr_t)profile,
                    (char *)(uintptr_t)sandbox_level_name(level),
                    (char *)(uintptr_t)attempt,
                    (char *)(uintptr_t)arg,
                    NULL};
    char *const envp[] = {(char *)(uintptr_t) "PATH=/usr/bin", NULL};
    struct spawn_fd fds[3] = {{.fd = 2, .as = 2}};
    size_t n = 1;
    if (o && o->in > 0) fds[n++] = (struct spawn_fd){o->in, 0};
    if (o && o->out > 0) fds[n++] = (struct spawn_fd){o->out, 1};
    struct spawn_plan plan = {.row = sandbox_by_name(str_of(profile)),
                              .level = level,
                              .argv = argv,
                              .envp = envp,
                              .fds = fds,
                              .fd_n = n,
                              .groups = groups,
                              .mounts = o ? o->mount : NULL,
                              .mount_n = o && o->mount,
                              .memory_mb = o ? o->memory_mb : 0,
                              .pids = o ? o->pids : 0};
    struct spawned s = {0};
    ok(spawn_run(&plan, &s));
    return s;
}

static struct spawn_end finish(struct spawned *s) {
    struct spawn_end end;
    ok(spawn_wait(s, 60000, &end));
    return end;
}

static struct spawn_end attempt(const char *profile, const char *name, const char *arg,
                                const struct options *o) {
    struct spawned s = start(profile, name, arg, o);
    struct spawn_end end = finish(&s);
    spawn_release(&s);
    return end;
}

static void refused(const char *profile, const char *name, const char *arg) {
    struct spawn_end end = attempt(profile, name, arg, NULL);
    if ((!end.by_signal && end.code == REFUSED) || (end.by_signal && end.code == SIGSYS)) return;
    buf b = {0};
    spawn_describe(&end, &b);
    buf_c(&b, 0);
    fail_msg("%s in %s: %s", name, profile, b.p);
}

static const char *const PROFILES[] = {"importer", "importer_python", "runtime_host", "env_builder",
                                       "gateway",  "control",         "courier", "engine"};
static bool is_python(const char *profile) {
    return strcmp(profile, "importer_python") == 0 || strcmp(profile, "runtime_host") == 0 ||
           strcmp(profile, "env_builder") == 0;
}

static void everywhere(void **state) {
    (void)state;
    static const char *const names[] = {"vsock",    "packet", "io_uring",   "userfaultfd",
                                        "ptrace",   "keys",   "bpf",        "rights",
                                        "terminal", "mounts", "write_root", "namespaces"};
    for (size_t p = 0; p < ARRAY_LEN(PROFILES); p++) {
        for (size_t i = 0; i < ARRAY_LEN(names); i++) refused(PROFILES[p], names[i], "");
        refused(PROFILES[p], "host_file", host_file);
        char pid[16];
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        refused(PROFILES[p], "other_pid", pid);
        if (is_python(PROFILES[p]))
            refused(PROFILES[p], "exec_escape", host_file);
        else
            refused(PROFILES[p], "exec", "");
    }
#ifndef BH_SANITIZE
    refused("importer", "exec_memory", "");
#endif
}

/* The courier alone has the host's network. */
static void network(void **state) {
    (void)state;
    int tcp = socket(AF_INET, SOCK_STREAM, 0), un = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(in);
    assert_int_equal(bind(tcp, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(tcp, 64), 0);
    assert_int_equal(getsockname(tcp, (struct sockaddr *)&in, &size), 0);
    char port[16];
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(port, sizeof(port), "%d", ntohs(in.sin_port));
    int n = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "boathouse-test-%s", port);
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    assert_int_equal(bind(un, (struct sockaddr *)&name, size), 0);
    assert_int_equal(listen(un, 64), 0);
    for (size_t p = 0; p < ARRAY_LEN(PROFILES); p++) {
        if (strcmp(PROFILES[p], "courier") != 0) {
            refused(PROFILES[p], "connect", port);
            continue;
        }
        struct spawn_end end = attempt("courier", "connect", port, NULL);
        assert_int_equal(end.code, BREACH);
    }
    close(tcp);
    close(un);
}

static void memory_is_bounded(void **state) {
    (void)state;
    struct options o = {.memory_mb = 64};
#ifdef BH_SANITIZE
    if (!groups || !(cgroups_controls(groups) & CGROUP_MEMORY)) skip();
#endif
    for (size_t p = 0; p < ARRAY_LEN(PROFILES); p++) {
        struct spawn_end end = attempt(PROFILES[p], "memory", "", &o);
        assert_true(end.by_signal || end.code == REFUSED);
        if (groups && (cgroups_controls(groups) & CGROUP_MEMORY)) {
            assert_true(end.by_signal && end.out_of_memory);
            assert_true(end.peak_bytes > 0);
        }
    }
}

static void forks_are_bounded(void **state) {
    (void)state;
    struct options o = {.pids = 20};
    for (size_t p = 0; p < ARRAY_LEN(PROFILES); p++) {
        struct spawn_end end = attempt(PROFILES[p], "forks", "", &o);
        assert_true(end.by_signal ? end.code == SIGSYS : end.code == REFUSED);
    }
}

static int processes_named(const char *name) {
    struct files_names names;
    int found = 0;
    ok(files_list("/proc", 100000, &names));
    for (size_t i = 0; i < names.n; i++) {
        char path[300];
        buf b = {0};
        snprintf(path, sizeof(path), "/proc/%s/comm", names.p[i]);
        err *e = files_read(path, 64, &b);
        if (!e && str_eqz(str_trim(buf_view(&b)), name)) found++;
        err_free(e);
        buf_free(&b);
    }
    files_names_free(&names);
    return found;
}

static void nothing_outlives(void **state) {
    (void)state;
    char name[16];
    snprintf(name, sizeof(name), "orphan%d", (int)getpid() % 100000);
    attempt("runtime_host", "orphans", name, NULL);
    assert_int_equal(processes_named(name), 0);
}

static void tmp_is_bounded_and_private(void **state) {
    (void)state;
    refused("runtime_host", "fill_tmp", "300"); /* of 256 MB */
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    struct options o = {.in = go[0]};
    struct spawned first = start("runtime_host", "sibling", "w:mine", &o);
    static const char *const others[] = {"runtime_host", "importer_python", "env_builder"};
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) refused(others[i], "sibling", "r:mine");
    assert_int_equal(write(go[1], "x", 1), 1);
    struct spawn_end end = finish(&first);
    assert_int_equal(end.code, REFUSED); /* it was there all the time */
    spawn_release(&first);
    close(go[0]);
    close(go[1]);
}

/* --- starting and ending ---------------------------------------------------------------------- */

static void kill_ends_all(void **state) {
    (void)state;
    int go[2];
    assert_int_equal(pipe2(go, O_CLOEXEC), 0);
    struct options o = {.in = go[0]};
    struct spawned s = start("runtime_host", "sibling", "w:x", &o);
    struct spawn_end end;
    err *e = spawn_wait(&s, 50, &end);
    assert_int_equal(err_code_of(e), ERR_DEADLINE_EXCEEDED);
    err_free(e);
    spawn_kill(&s);
    end = finish(&s);
    assert_true(end.by_signal);
    assert_int_equal(end.code, SIGKILL);
    spawn_release(&s);
    spawn_release(&s);
    /* SIGTERM reaches the program through its init */
    s = start("runtime_host", "sibling", "w:x", &o);
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    spawn_terminate(&s);
    end = finish(&s);
    assert_true(end.by_signal);
    assert_int_equal(end.code, SIGTERM);
    spawn_release(&s);
    close(go[0]);
    close(go[1]);
}

/* A launcher that is killed takes its children with it, those below an init too. */
static void dies_with_launcher(void **state) {
    (void)state;
    static const char *const profiles[] = {"runtime_host", "importer", "gateway"};
    for (size_t i = 0; i < ARRAY_LEN(profiles); i++) {
        int told[2], hold[2];
        assert_int_equal(pipe2(told, O_CLOEXEC), 0);
        assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
        pid_t launcher = fork();
        if (launcher == 0) {
            groups = NULL; /* theirs are the test's to remove */
            struct options o = {.in = hold[0]};
            struct spawned s = start(profiles[i], "hold", "", &o);
            (void)!write(told[1], &s.pid, sizeof(s.pid));
            for (;;) pause();
        }
        close(told[1]);
        pid_t pid = 0;
        assert_int_equal(read(told[0], &pid, sizeof(pid)), sizeof(pid));
        int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 100), 0); /* alive */
        kill(launcher, SIGKILL);
        waitpid(launcher, NULL, 0);
        assert_int_equal(poll(&p, 1, 10000), 1);
        const int fds[] = {told[0], hold[0], hold[1], pidfd};
        for (size_t k = 0; k < ARRAY_LEN(fds); k++) close(fds[k]);
    }
}

static void end_is_told(void **state) {
    (void)state;
    struct spawn_end end = attempt("importer_python", "crash", "", NULL);
#ifdef BH_SANITIZE
    assert_int_not_equal(end.code, 0);
#else
    assert_true(end.by_signal);
    assert_int_equal(end.code, SIGSEGV);
#endif
    end = attempt("importer_python", "nothing", "", NULL);
    assert_false(end.by_signal);
    assert_int_equal(end.code, REFUSED);
}

static void bad_plans(void **state) {
    (void)state;
    char *const argv[] = {(char *)(uintptr_t) "x", NULL};
    char *const envp[] = {NULL};
    struct spawned s = {0};
    struct spawn_plan plan = {.row = sandbox_by_name(STR("runtime_host")),
                              .level = level,
                              .exe = "/no/such/program",
                              .argv = argv,
                              .envp = envp};
    err *e = spawn_run(&plan, &s);
    assert_int_equal(err_errno_of(e), ENOENT);
    assert_non_null(strstr(err_msg(e), "/no/such/program"));
    err_free(e);
    struct sandbox_mount up = {.base = work, .path = "../x", .inside = "/model"};
    plan.exe = "/bin/true";
    plan.mounts = &up;
    plan.mount_n = 1;
    e = spawn_run(&plan, &s);
    assert_int_equal(err_errno_of(e), EXDEV);
    err_free(e);
    struct sandbox_mount out = {.base = work, .inside = "/a/../../b"};
    plan.mounts = &out;
    e = spawn_run(&plan, &s);
    assert_int_equal(err_code_of(e), ERR_INVALID_PARAMETER_VALUE);
    err_free(e);
    assert_int_equal(s.pid, 0);
}

/* The data folder keeps its owner on disk, whatever uid control has. */
static void control_has_its_folder(void **state) {
    (void)state;
    char path[200];
    ok(files_mkdirs(join(path, sizeof(path), work, "data"), 0700));
    ok(files_write(join(path, sizeof(path), work, "data/before"), STR("x"), 0600));
    struct sandbox_mount m = {
        .base = work, .path = "data", .inside = "/data", .writable = true, .as_owner = true};
    struct options o = {.mount = &m};
    struct spawn_end end = attempt("control", "data", "", &o);
    assert_int_equal(end.code, BREACH);
    struct stat st, dir;
    assert_int_equal(stat(join(path, sizeof(path), work, "data"), &dir), 0);
    assert_int_equal(stat(join(path, sizeof(path), work, "data/made"), &st), 0);
    assert_int_equal(st.st_uid, dir.st_uid);
    assert_int_equal(st.st_mode & 07777, 0600);
}

/* An upgrade replaces the program under a running supervisor: children still are the old one. */
static int spawn_after_removal(const char *copy) {
    if (unlink(copy) != 0) return BROKEN;
    err *e = probe_level(STR("auto"), &level);
    if (e) return BROKEN;
    char *argv[] = {(char *)(uintptr_t) "probe", (char *)(uintptr_t) "gateway",
                    (char *)(uintptr_t)sandbox_level_name(level), (char *)(uintptr_t) "nothing",
                    NULL};
    char *const envp[] = {NULL};
    struct spawn_plan plan = {
        .row = sandbox_by_name(STR("gateway")), .level = level, .argv = argv, .envp = envp};
    struct spawned s = {0};
    struct spawn_end end = {0};
    e = spawn_run(&plan, &s);
    if (!e) e = spawn_wait(&s, 10000, &end);
    return e ? BROKEN : end.code;
}

static void replaced_program(void **state) {
    (void)state;
    char copy[200], command[800];
    join(copy, sizeof(copy), work, "program");
    snprintf(command, sizeof(command), "cp /proc/%d/exe %s && %s removed %s", (int)getpid(), copy,
             copy, copy);
    int status = system(command); // NOLINT(cert-env33-c,concurrency-mt-unsafe)
    assert_int_equal(WEXITSTATUS(status), REFUSED);
}

/* --- the lease -------------------------------------------------------------------------------- */

/* A shell in the sandbox that runs each line it is sent and answers with the exit code. */
struct shell {
    struct spawned s;
    int to, from;
};

static struct shell shell_start(const char *profile) {
    struct shell sh;
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    char *const argv[] = {(char *)(uintptr_t) "/bin/sh", (char *)(uintptr_t) "-c",
                          (char *)(uintptr_t) "while read -r line; do "
                                              "(eval \"$line\") >/dev/null 2>&1; echo $?; done",
                          NULL};
    char *const envp[] = {(char *)(uintptr_t) "PATH=/usr/bin", NULL};
    struct spawn_fd fds[] = {{in[0], 0}, {out[1], 1}};
    struct spawn_plan plan = {.row = sandbox_by_name(str_of(profile)),
                              .level = level,
                              .exe = "/bin/sh",
                              .argv = argv,
                              .envp = envp,
                              .fds = fds,
                              .fd_n = 2,
                              .groups = groups};
    memset(&sh.s, 0, sizeof(sh.s));
    ok(spawn_run(&plan, &sh.s));
    close(in[0]);
    close(out[1]);
    sh.to = in[1];
    sh.from = out[0];
    return sh;
}

static int shell_run(struct shell *sh, const char *line) {
    char answer[16] = "";
    ok(files_write_fd(sh->to, "shell", line, strlen(line)));
    ok(files_write_fd(sh->to, "shell", "\n", 1));
    size_t n = 0;
    while (n < sizeof(answer) - 1 && read(sh->from, answer + n, 1) == 1 && answer[n] != '\n') n++;
    return atoi(answer);
}

static void shell_end(struct shell *sh) {
    close(sh->to);
    finish(&sh->s);
    spawn_release(&sh->s);
    close(sh->from);
}

static void lease(void **state) {
    (void)state;
    char path[200], line[300];
    ok(files_mkdirs(join(path, sizeof(path), work, "models/m1/model"), 0700));
    ok(files_write(join(path, sizeof(path), work, "models/m1/model/weights"), STR("abc"), 0600));
    ok(files_mkdirs(join(path, sizeof(path), work, "models/m1/out"), 0700));
    struct shell leased = shell_start("importer_python"), other = shell_start("importer_python");
    assert_int_equal(shell_run(&leased, "test -d /model -a -z \"$(ls /model)\""), 0);
    struct sandbox_mount mounts[] = {
        {.base = work, .path = "models/m1/model", .inside = "/model", .as_owner = true},
        {.base = work,
         .path = "models/m1/out",
         .inside = "/out",
         .writable = true,
         .as_owner = true}};
    ok(sandbox_lease(&leased.s, mounts, 2));
    assert_int_equal(shell_run(&leased, "test \"$(cat /model/weights)\" = abc"), 0);
    assert_int_not_equal(shell_run(&leased, "echo x > /model/weights"), 0);
    assert_int_not_equal(shell_run(&leased, "echo x > /model/new"), 0);
    assert_int_not_equal(shell_run(&leased, "rm /model/weights"), 0);
    assert_int_equal(shell_run(&leased, "echo done > /out/result"), 0);
    assert_int_equal(shell_run(&leased, "mkdir /out/d && mv /out/result /out/d/result"), 0);
    assert_int_not_equal(shell_run(&leased, "cp /bin/true /out/p && /out/p"), 0); /* noexec */
    snprintf(line, sizeof(line), "ls %s", work);
    assert_int_not_equal(shell_run(&leased, line), 0); /* the host's path is not there */
    assert_int_not_equal(shell_run(&leased, "ls /model/../../models || ls /out/../../out/../m1"),
                         0);
    assert_int_equal(shell_run(&other, "test -z \"$(ls /model /out)\" -o ! -e /model/weights"), 0);
    assert_int_not_equal(shell_run(&other, "ls /model/weights"), 0);
    /* What it wrote belongs to the folder's owner, so that we can read it. */
    struct stat st, dir;
    assert_int_equal(stat(join(path, sizeof(path), work, "models/m1/out"), &dir), 0);
    assert_int_equal(stat(join(path, sizeof(path), work, "models/m1/out/d/result"), &st), 0);
    assert_int_equal(st.st_uid, dir.st_uid);
    assert_int_equal(st.st_gid, dir.st_gid);
    /* Never to a second owner. */
    err *e = sandbox_lease(&leased.s, mounts, 1);
    assert_int_equal(err_code_of(e), ERR_INVALID_STATE);
    err_free(e);
    shell_end(&leased);
    shell_end(&other);
}

static void lease_refused(void **state) {
    (void)state;
    char path[200];
    ok(files_mkdirs(join(path, sizeof(path), work, "lr/in"), 0700));
    char link[200];
    assert_int_equal(symlink("/etc", join(link, sizeof(link), work, "lr/link")), 0);
    static const struct {
        const char *path, *inside;
        int error;
    } cases[] = {{"lr/link", "/model", ELOOP}, {"lr/../../x", "/model", 0},
                 {"/etc", "/model", EXDEV},    {"lr/none", "/model", ENOENT},
                 {"lr/in", "/usr", 0},         {"lr/in", "/tmp", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct shell sh = shell_start("runtime_host");
        struct sandbox_mount m = {
            .base = work, .path = cases[i].path, .inside = cases[i].inside, .as_owner = true};
        err *e = sandbox_lease(&sh.s, &m, 1);
        assert_non_null(e);
        if (cases[i].error) assert_int_equal(err_errno_of(e), cases[i].error);
        err_free(e);
        assert_int_equal(shell_run(&sh, "test -z \"$(ls /model)\""), 0);
        shell_end(&sh);
    }
}

/* Descriptors: only those of the plan, at their numbers. */
static void descriptors(void **state) {
    (void)state;
    int extra = open("/", O_RDONLY); /* no CLOEXEC on purpose */
    struct shell sh = shell_start("runtime_host");
    assert_int_equal(shell_run(&sh, "test \"$(ls /proc/self/fd | tr -d '\\n')\" = 0123"), 0);
    assert_int_equal(shell_run(&sh, "test -r /dev/urandom && echo x > /dev/null"), 0);
    shell_end(&sh);
    close(extra);
}

static int setup(void **state) {
    (void)state;
    err *e = probe_level(STR("auto"), &level);
    if (e) {
        print_message("skipped: %s\n", err_msg(e));
        err_free(e);
        return -1;
    }
    char name[64];
    snprintf(name, sizeof(name), "boathouse_test-%d", (int)getpid());
    ok(cgroups_new(name, &groups));
    print_message("level %s\n", sandbox_level_name(level));
    snprintf(work, sizeof(work), "/var/tmp/bh-sandbox-XXXXXX");
    if (!mkdtemp(work)) return -1;
    join(host_file, sizeof(host_file), work, "secret");
    ok(files_write(host_file, STR("secret"), 0644));
    return chmod(work, 0755);
}

static int teardown(void **state) {
    (void)state;
    ok(files_remove_tree(work, 10000));
    cgroups_free(groups);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 0 && strcmp(argv[0], "probe") == 0) return probe_main(argc, argv);
    if (argc == 3 && strcmp(argv[1], "removed") == 0) return spawn_after_removal(argv[2]);
    enum sandbox_level works;
    err *e = probe_level(STR("auto"), &works);
    if (e) { /* not this machine: said, and no failure */
        printf("skipped: %s; %s\n", err_msg(e), err_hint_of(e) ? err_hint_of(e) : "");
        err_free(e);
        return 0;
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(everywhere),
                                       cmocka_unit_test(network),
                                       cmocka_unit_test(memory_is_bounded),
                                       cmocka_unit_test(forks_are_bounded),
                                       cmocka_unit_test(nothing_outlives),
                                       cmocka_unit_test(tmp_is_bounded_and_private),
                                       cmocka_unit_test(kill_ends_all),
                                       cmocka_unit_test(end_is_told),
                                       cmocka_unit_test(dies_with_launcher),
                                       cmocka_unit_test(bad_plans),
                                       cmocka_unit_test(control_has_its_folder),
                                       cmocka_unit_test(replaced_program),
                                       cmocka_unit_test(lease),
                                       cmocka_unit_test(lease_refused),
                                       cmocka_unit_test(descriptors)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
