/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Layout: below the group that we are in, in every hierarchy used, one parent folder (`name`, which
 * ends in our pid) and in it one folder for each sandbox, numbered.
 *
 *   v1  <mount of memory>/<our group>/boathouse-12/3/memory.limit_in_bytes …
 *   v2  <mount of v2>/<our group>/boathouse-12/3/cgroup.kill …
 *
 * Version 2 forbids processes beside limited groups: where its controllers are to be used and our
 * group is not the root, we move ourselves into a child "main" first. That works in a group that
 * was delegated to us (systemd: Delegate=yes) and fails harmlessly elsewhere.
 */
#include "sys/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys/files.h"

#define PATH_LIMIT 1024
/* The parent of all groups is one competitor of whatever else runs beside us, and stands for many processes. */
#define PARENT_WEIGHT 1000u
/* Not the kernel's idle class: a process that holds a lock of the file system would hold up those that it yields to, for
 * seconds where the machine is busy. */
#define YIELD_PART 10u

enum { MEMORY, PIDS, CPU, CONTROLS };

/* One row per control: what it is called and the files that say the same in both versions. */
static const struct control {
    int bit;
    const char *name;
    const char *v1_limit, *v1_second, *v2_limit, *v2_second;
} CONTROL[CONTROLS] = {
    [MEMORY] = {CGROUP_MEMORY, "memory", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes",
                "memory.max", "memory.swap.max"},
    [PIDS] = {CGROUP_PIDS, "pids", "pids.max", NULL, "pids.max", NULL},
    [CPU] = {CGROUP_CPU, "cpu", "cpu.cfs_quota_us", NULL, "cpu.max", NULL},
};

struct cgroups {
    char v1[CONTROLS][PATH_LIMIT]; /* our parent folder there, "" without */
    char v2[PATH_LIMIT];
    bool v2_has[CONTROLS];
    atomic_uint next;
};

struct cgroup {
    char v1[CONTROLS][PATH_LIMIT];
    char v2[PATH_LIMIT];
    bool v2_has[CONTROLS];
    int v2_fd;
    uint32_t weight; /* as it was asked for */
    bool yields;
};

/* Writes one value; false with errno when the kernel refuses. */
static bool put(const char *dir, const char *file, const char *value) {
    char path[PATH_LIMIT + 64];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = write(fd, value, strlen(value));
    int saved = errno;
    close(fd);
    errno = saved;
    return n == (ssize_t)strlen(value);
}

static bool put_u64(const char *dir, const char *file, uint64_t v) {
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, v);
    return put(dir, file, text);
}

/* Content of a small file, "" when it is not there. */
static void get(const char *dir, const char *file, char *out, size_t cap) {
    char path[PATH_LIMIT + 64];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    out[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, out, cap - 1);
    out[n > 0 ? n : 0] = 0;
    close(fd);
}

static bool has_word(const char *list, const char *word) {
    str rest = str_of(list), part;
    while (str_split(&rest, ' ', &part))
        if (str_eqz(str_trim(part), word)) return true;
    return false;
}

/* Our group in one hierarchy, from /proc/self/cgroup ("4:memory:/a/b"; v2: "0::/"). */
static bool own_group(str text, const char *controller, str *ret) {
    str line;
    while (str_split(&text, '\n', &line)) {
        str number, names;
        if (!str_split(&line, ':', &number) || !str_split(&line, ':', &names)) continue;
        str name, rest = names;
        if (!controller && names.n == 0 && str_eqz(number, "0")) {
            *ret = line;
            return true;
        }
        while (controller && str_split(&rest, ',', &name))
            if (str_eqz(name, controller)) {
                *ret = line;
                return true;
            }
    }
    return false;
}

/* Where a hierarchy is mounted and which of its groups is the mount's root, from
 * /proc/self/mountinfo: "36 35 98:0 /root /mount opts [tags] - cgroup src superopts". */
static bool find_mount(str text, const char *controller, str *ret_mount, str *ret_root) {
    str line;
    while (str_split(&text, '\n', &line)) {
        ptrdiff_t dash = str_find(line, STR(" - "));
        if (dash < 0) continue;
        str head = str_cut(line, (size_t)dash), tail = str_from(line, (size_t)dash + 3), field;
        str type = STR_NONE, options = STR_NONE, root = STR_NONE, mount = STR_NONE;
        for (int i = 0; i < 5 && str_split(&head, ' ', &field); i++) {
            if (i == 3) root = field;
            if (i == 4) mount = field;
        }
        str_split(&tail, ' ', &type);
        str_split(&tail, ' ', &field);
        str_split(&tail, ' ', &options);
        if (controller ? !str_eqz(type, "cgroup") : !str_eqz(type, "cgroup2")) continue;
        bool hit = !controller;
        while (!hit && str_split(&options, ',', &field)) hit = str_eqz(field, controller);
        if (!hit) continue;
        *ret_mount = mount;
        *ret_root = root;
        return true;
    }
    return false;
}

/* Path of our own group in a hierarchy, or false. */
static bool own_dir(str groups, str mounts, const char *controller, char out[PATH_LIMIT]) {
    str group, mount, root;
    if (!own_group(groups, controller, &group) || !find_mount(mounts, controller, &mount, &root))
        return false;
    if (!str_eqz(root, "/")) { /* inside a container the mount shows a part of the tree */
        if (!str_starts(group, root)) return false;
        group = str_from(group, root.n);
    }
    while (str_ends(group, STR("/"))) group = str_cut(group, group.n - 1);
    int n = snprintf(out, PATH_LIMIT, "%.*s%.*s", STR_ARG(mount), STR_ARG(group));
    return n > 0 && n < PATH_LIMIT - 100;
}

/* Groups that dead processes of the same program left: "<prefix>-<pid>". Only empty ones go. */
static void sweep(const char *dir, const char *name) {
    const char *dash = strrchr(name, '-');
    size_t prefix = dash ? (size_t)(dash - name) + 1 : 0;
    struct files_names names = {0};
    err *e = prefix ? files_list(dir, 10000, &names) : NULL;
    for (size_t i = 0; !e && i < names.n; i++) {
        int64_t pid = 0;
        if (strncmp(names.p[i], name, prefix) != 0 ||
            !str_to_i64(str_of(names.p[i] + prefix), &pid) || pid <= 0 ||
            (strcmp(names.p[i], name) != 0 && (kill((pid_t)pid, 0) == 0 || errno != ESRCH)))
            continue;
        char path[PATH_LIMIT + 300], child[PATH_LIMIT + 600];
        snprintf(path, sizeof(path), "%s/%s", dir, names.p[i]);
        struct files_names inner = {0};
        err *ignored = files_list(path, 10000, &inner);
        for (size_t k = 0; !ignored && k < inner.n; k++) {
            snprintf(child, sizeof(child), "%s/%s", path, inner.p[k]);
            (void)rmdir(child); /* fails for the control files */
        }
        err_free(ignored);
        files_names_free(&inner);
        (void)rmdir(path);
    }
    err_free(e);
    files_names_free(&names);
}

/* Version 1 counts in shares, 1,024 where version 2 has 100. */
static void set_weight(const char *dir, bool v1, uint32_t weight) {
    if (weight > 10000) weight = 10000;
    (void)(v1 ? put_u64(dir, "cpu.shares", (uint64_t)weight * 1024 / 100) : put_u64(dir, "cpu.weight", weight));
}

static bool make_parent(const char *own, const char *name, char out[PATH_LIMIT]) {
    sweep(own, name);
    snprintf(out, PATH_LIMIT, "%.900s/%.100s", own, name);
    if (mkdir(out, 0755) == 0 || errno == EEXIST) return true;
    out[0] = 0;
    return false;
}

/* Version 2 controllers for our children, those that version 1 does not hold. */
static void enable_v2(cgroups *g, const char *own) {
    char have[256], word[32];
    get(own, "cgroup.controllers", have, sizeof(have));
    for (int i = 0; i < CONTROLS; i++) {
        if (g->v1[i][0] || !has_word(have, CONTROL[i].name)) continue;
        snprintf(word, sizeof(word), "+%s", CONTROL[i].name);
        bool on = put(own, "cgroup.subtree_control", word);
        if (!on && errno == EBUSY) {
            char leaf[PATH_LIMIT + 8];
            snprintf(leaf, sizeof(leaf), "%s/main", own);
            if ((mkdir(leaf, 0755) == 0 || errno == EEXIST) && put(leaf, "cgroup.procs", "0"))
                on = put(own, "cgroup.subtree_control", word);
        }
        g->v2_has[i] = on && put(g->v2, "cgroup.subtree_control", word);
    }
}

err *cgroups_new(const char *name, cgroups **ret) {
    if (!*name || strchr(name, '/') || strlen(name) > 64)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "not a group's name: '%.80s'", name);
    cgroups *g = calloc(1, sizeof(*g));
    must(g != NULL);
    buf groups = {0}, mounts = {0};
    err *e = files_read("/proc/self/cgroup", 1u << 20, &groups);
    if (!e) e = files_read("/proc/self/mountinfo", 4u << 20, &mounts);
    char own[PATH_LIMIT];
    for (int i = 0; !e && i < CONTROLS; i++)
        if (own_dir(buf_view(&groups), buf_view(&mounts), CONTROL[i].name, own))
            (void)make_parent(own, name, g->v1[i]);
    if (!e && own_dir(buf_view(&groups), buf_view(&mounts), NULL, own) &&
        make_parent(own, name, g->v2))
        enable_v2(g, own);
    if (g->v1[CPU][0] || g->v2_has[CPU]) set_weight(g->v1[CPU][0] ? g->v1[CPU] : g->v2, g->v1[CPU][0] != 0, PARENT_WEIGHT);
    buf_free(&groups);
    buf_free(&mounts);
    err_free(e); /* no /proc, no groups: described as none */
    *ret = g;
    return NULL;
}

/* A group lingers for a moment after its last process; then it is left to the next sweep. */
static void drop(const char *dir) {
    for (int i = 0; *dir && i < 100; i++) {
        if (rmdir(dir) == 0 || errno != EBUSY) return;
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

void cgroups_free(cgroups *g) {
    if (!g) return;
    for (int i = 0; i < CONTROLS; i++) drop(g->v1[i]);
    drop(g->v2);
    free(g);
}

int cgroups_controls(const cgroups *g) {
    int bits = g->v2[0] ? CGROUP_KILL : 0;
    for (int i = 0; i < CONTROLS; i++)
        if (g->v1[i][0] || g->v2_has[i]) bits |= CONTROL[i].bit;
    return bits;
}

void cgroups_describe(const cgroups *g, buf *out) {
    for (int i = 0; i < CONTROLS; i++)
        buf_fmt(out, "%s %s, ", CONTROL[i].name, g->v1[i][0] ? "v1" : g->v2_has[i] ? "v2" : "none");
    buf_z(out, g->v2[0] ? "kill v2" : "kill none");
}

static err *limit(const cgroup *c, int i, uint64_t value) {
    const struct control *k = &CONTROL[i];
    char cpu[64];
    const char *dir = c->v1[i][0] ? c->v1[i] : c->v2_has[i] ? c->v2 : NULL;
    if (!dir || value == 0) return NULL;
    const char *file = c->v1[i][0] ? k->v1_limit : k->v2_limit;
    bool ok = false;
    if (i == CPU) { /* percent of one core in periods of 100 ms */
        snprintf(cpu, sizeof(cpu), c->v1[i][0] ? "%" PRIu64 : "%" PRIu64 " 100000", value * 1000u);
        ok = put(dir, file, cpu);
    } else {
        ok = put_u64(dir, file, value);
        /* Memory alone may not exceed memory and swap together: what is raised is raised there first. */
        if (!ok && i == MEMORY && c->v1[i][0]) ok = put_u64(dir, k->v1_second, value) && put_u64(dir, file, value);
    }
    if (!ok) return err_errno("cannot set %s/%s to %" PRIu64, dir, file, value);
    /* Swap: none. Kernels without its accounting lack the file. */
    if (i == MEMORY)
        (void)(c->v1[i][0] ? put_u64(dir, k->v1_second, value) : put(dir, k->v2_second, "0"));
    return NULL;
}

static err *make(char out[PATH_LIMIT], const char *parent, unsigned n) {
    if (!parent[0]) return NULL;
    snprintf(out, PATH_LIMIT, "%.1000s/%u", parent, n);
    if (mkdir(out, 0755) == 0) return NULL;
    err *e = err_errno("cannot make group %s", out);
    out[0] = 0;
    return e;
}

err *cgroup_new(cgroups *g, const struct cgroup_limits *limits, cgroup **ret) {
    cgroup *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->v2_fd = -1;
    unsigned n = atomic_fetch_add(&g->next, 1);
    err *e = make(c->v2, g->v2, n);
    const uint64_t values[CONTROLS] = {limits->memory_bytes, limits->pids, limits->cpu_percent};
    for (int i = 0; !e && i < CONTROLS; i++) {
        e = make(c->v1[i], g->v1[i], n);
        c->v2_has[i] = g->v2_has[i];
        if (!e) e = limit(c, i, values[i]);
    }
    if (!e) cgroup_set_weight(c, limits->cpu_weight);
    if (!e && c->v2[0]) {
        c->v2_fd = open(c->v2, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (c->v2_fd < 0) e = err_errno("cannot open group %s", c->v2);
    }
    if (e) {
        cgroup_free(c);
        return e;
    }
    *ret = c;
    return NULL;
}

err *cgroup_set_memory(cgroup *c, uint64_t memory_bytes) { return limit(c, MEMORY, memory_bytes); }

/* Its folder of the processors' controller, NULL: there is none. */
static const char *cpu_dir(const cgroup *c) { return c->v1[CPU][0] ? c->v1[CPU] : c->v2_has[CPU] ? c->v2 : NULL; }

void cgroup_set_weight(cgroup *c, uint32_t cpu_weight) {
    const char *dir = cpu_dir(c);
    if (cpu_weight) c->weight = cpu_weight;
    if (dir && cpu_weight && !c->yields) set_weight(dir, c->v1[CPU][0] != 0, cpu_weight);
}

void cgroup_yield(cgroup *c, bool yield) {
    const char *dir = cpu_dir(c);
    uint32_t weight = c->weight ? c->weight : 100;
    if (!dir || c->yields == yield) return;
    c->yields = yield;
    if (yield) weight = weight / YIELD_PART ? weight / YIELD_PART : 1;
    set_weight(dir, c->v1[CPU][0] != 0, weight);
}

int cgroup_v2_fd(const cgroup *c) { return c->v2_fd; }

err *cgroup_add(cgroup *c, int pid) {
    for (int i = 0; i < CONTROLS; i++)
        if (c->v1[i][0] && !put_u64(c->v1[i], "cgroup.procs", (uint64_t)pid))
            return err_errno("cannot put process %d into %s", pid, c->v1[i]);
    return NULL;
}

bool cgroup_kill(const cgroup *c) { return c->v2[0] && put(c->v2, "cgroup.kill", "1"); }

static uint64_t number(const cgroup *c, const char *v1_file, const char *v2_file) {
    char text[32] = "";
    if (c->v1[MEMORY][0])
        get(c->v1[MEMORY], v1_file, text, sizeof(text));
    else if (c->v2_has[MEMORY])
        get(c->v2, v2_file, text, sizeof(text));
    uint64_t v = 0;
    return str_to_u64(str_trim(str_of(text)), &v) ? v : 0;
}

uint64_t cgroup_memory(const cgroup *c) {
    return number(c, "memory.usage_in_bytes", "memory.current");
}

uint64_t cgroup_memory_peak(const cgroup *c) {
    return number(c, "memory.max_usage_in_bytes", "memory.peak");
}

uint64_t cgroup_oom_kills(const cgroup *c) {
    char text[512] = "";
    if (c->v1[MEMORY][0])
        get(c->v1[MEMORY], "memory.oom_control", text, sizeof(text));
    else if (c->v2_has[MEMORY])
        get(c->v2, "memory.events", text, sizeof(text));
    str rest = str_of(text), line;
    uint64_t v = 0;
    while (str_split(&rest, '\n', &line))
        if (str_starts(line, STR("oom_kill ")) && str_to_u64(str_from(line, 9), &v)) return v;
    return 0;
}

void cgroup_free(cgroup *c) {
    if (!c) return;
    if (c->v2_fd >= 0) close(c->v2_fd);
    for (int i = 0; i < CONTROLS; i++) drop(c->v1[i]);
    drop(c->v2);
    free(c);
}
