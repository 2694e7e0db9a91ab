/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a role's row to a running, sandboxed process.
 *
 * Everything that a process gets is named here: its descriptors, its arguments, a built environment,
 * and folders. Folders come from the row's roots (below the data folder; those of an owner once it is
 * known), and for Python roles from what is shipped (interpreter's environment, modules, uv).
 *
 *   descriptor 0  /dev/null        3  the channel
 *              1  /dev/null        4  the pipe for last words (Python: 1 and 2 as well)
 *              2  the log          5  the clock page, if the clock is driven
 *                                  6  control only: the file of test.record
 *                                  7  control only: a master key that does not lie in the data folder
 *
 * At level reduced there is no root of its own: paths in arguments are the host's, and owners'
 * folders must be known at the start, because nothing can be mounted later.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor_int.h"
#include "sys/probe.h"

#define ARGS_MAX 20
#define UV_INSIDE "/uv"
/* The program finds its library relative to itself (cmake/deps.cmake). */
#define PROGRAM_INSIDE "/engine/bin/boathouse-engine"
#define LIBRARY_INSIDE "/engine/lib/boathouse/libduckdb.so"
#define LOCAL_ROOTS_MAX 16

err *launch_level(struct supervisor *s) {
    str wanted = settings_str(s->o.settings, SET_SANDBOX_LEVEL);
    TRY(probe_level(wanted, &s->level));
    if (s->level == SANDBOX_REDUCED)
        log_warn("sandbox.level is reduced: processes of users' code are not isolated from the host's files "
                 "of this user; listeners stay on loopback");
    char name[64];
    snprintf(name, sizeof(name), "boathouse-%d", (int)getpid());
    return cgroups_new(name, &s->groups);
}

/* ---- folders ---- */

struct plan {
    arena *a;
    struct supervisor *s;
    const struct role_row *row;
    str owner, environment;
    struct sandbox_mount mounts[SANDBOX_MOUNTS_MAX];
    size_t mount_n;
    struct spawn_fd fds[10];
    size_t fd_n;
    int own_fds[4]; /* opened for this start, closed after it */
    size_t own_n;
    char *argv[ARGS_MAX + 1], *envp[ARGS_MAX + 1];
    size_t arg_n, env_n;
    const char *exe;
};

static bool reduced(const struct plan *p) { return p->s->level == SANDBOX_REDUCED; }

/* `outside` with {owner} and {env} filled in; NULL when it needs one that is not known. */
static const char *fill(arena *a, const char *outside, str owner, str environment) {
    buf b = {0};
    bool known = true;
    for (const char *c = outside; *c && known; c++) {
        if (strncmp(c, "{owner}", 7) == 0) {
            known = owner.n > 0;
            buf_str(&b, owner);
            c += 6;
        } else if (strncmp(c, "{env}", 5) == 0) {
            known = environment.n > 0;
            buf_str(&b, environment);
            c += 4;
        } else {
            buf_c(&b, *c);
        }
    }
    const char *ret = known ? arena_strndup(a, b.p ? b.p : "", b.n) : NULL;
    buf_free(&b);
    return ret;
}

/* The folders of storage.local_roots as /ext/0, /ext/1 …: checked by `serve`. */
static size_t local_roots(struct supervisor *s, arena *a, struct sandbox_mount *out) {
    str rest = settings_str(s->o.settings, SET_STORAGE_LOCAL_ROOTS), part;
    size_t n = 0;
    while (n < LOCAL_ROOTS_MAX && str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (!part.n) continue;
        out[n] = (struct sandbox_mount){.base = arena_strndup(a, part.p, part.n),
                                        .inside = arena_printf(a, "/ext/%zu", n),
                                        .writable = true,
                                        .as_owner = true};
        n++;
    }
    return n;
}

bool launch_leasable(const struct role_row *row) {
    for (const struct role_root *r = row->roots; r->inside; r++)
        if (strchr(r->outside, '{')) return true;
    return false;
}

/* The row's roots; leasable: only those that name an owner or an environment. */
static size_t roots_of(struct supervisor *s, const struct role_row *row, arena *a, str owner,
                       str environment, bool leasable, struct sandbox_mount *out) {
    size_t n = 0;
    bool owned = launch_leasable(row);
    if (row->local_roots && (owned ? owner.n > 0 : !leasable)) n += local_roots(s, a, out);
    for (const struct role_root *r = row->roots; r->inside; r++) {
        if (leasable && !strchr(r->outside, '{')) continue;
        const char *path = fill(a, r->outside, owner, environment);
        if (!path) continue;
        out[n++] = (struct sandbox_mount){.base = s->o.data_dir,
                                          .path = path[0] ? path : NULL,
                                          .inside = r->inside,
                                          .writable = r->writable,
                                          .exec = strcmp(r->inside, "/env") == 0,
                                          .as_owner = true};
    }
    return n;
}

/* What `inside` is called by the process itself. */
static char *place(struct plan *p, const char *inside) {
    if (reduced(p))
        for (size_t i = 0; i < p->mount_n; i++) {
            const struct sandbox_mount *m = &p->mounts[i];
            if (strcmp(m->inside, inside) == 0)
                return m->path ? arena_printf(p->a, "%s/%s", m->base, m->path)
                               : arena_strdup(p->a, m->base);
        }
    return arena_strdup(p->a, inside);
}

static void add_arg(struct plan *p, const char *text) {
    must(p->arg_n < ARGS_MAX);
    p->argv[p->arg_n++] = arena_strdup(p->a, text);
}

static void add_env(struct plan *p, const char *name, const char *value) {
    must(p->env_n < ARGS_MAX);
    p->envp[p->env_n++] = arena_printf(p->a, "%s=%s", name, value);
}

/* ---- descriptors ---- */

static void add_fd(struct plan *p, int fd, int as) {
    must(p->fd_n < ARRAY_LEN(p->fds));
    p->fds[p->fd_n++] = (struct spawn_fd){.fd = fd, .as = as};
}

static void add_own_fd(struct plan *p, int fd, int as) {
    must(p->own_n < ARRAY_LEN(p->own_fds));
    p->own_fds[p->own_n++] = fd;
    add_fd(p, fd, as);
}

/* A second, read-only opening of a memory file: with a file offset of its own. */
static err *open_again(int fd, int *ret) {
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    *ret = open(path, O_RDONLY | O_CLOEXEC);
    return *ret >= 0 ? NULL : err_errno("cannot open a descriptor of ours again");
}

static err *add_control_fds(struct plan *p) {
    str record = settings_str(p->s->o.settings, SET_TEST_RECORD);
    if (record.n) {
        int fd = open(record.p, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) return err_errno("cannot open the file of test.record, %s", record.p);
        add_own_fd(p, fd, 6);
    }
    if (p->s->o.master_key_fd >= 0) {
        int fd;
        TRY(open_again(p->s->o.master_key_fd, &fd));
        add_own_fd(p, fd, 7);
    }
    return NULL;
}

static err *plan_fds(struct plan *p, int chan_fd, int words_fd) {
    add_fd(p, chan_fd, 3);
    add_fd(p, words_fd, 4);
    if (p->row->python) {
        add_fd(p, words_fd, 1);
        add_fd(p, words_fd, 2);
    } else {
        add_fd(p, p->s->log_fd, 2);
    }
    if (p->s->clock_fd >= 0 && !p->row->python) {
        int fd;
        TRY(open_again(p->s->clock_fd, &fd));
        add_own_fd(p, fd, 5);
    }
    return p->row == &role_rows[ROLE_CONTROL] ? add_control_fds(p) : NULL;
}

/* ---- arguments ---- */

static void plan_own(struct plan *p) {
    static const char *const forms[] = {"json", "human"};
    const struct settings *set = p->s->o.settings;
    add_arg(p, p->row->program ? p->row->program : "boathouse");
    add_arg(p, arena_printf(p->a, "role:%s", p->row->name));
    if (p->row == &role_rows[ROLE_CONTROL]) {
        add_arg(p, "--data");
        add_arg(p, place(p, "/data"));
        add_arg(p, "--host-data");
        add_arg(p, p->s->o.data_dir);
    }
    add_arg(p, "--sandbox");
    add_arg(p, sandbox_level_name(p->s->level));
    add_arg(p, "--log-form");
    add_arg(p, forms[!str_eqz(settings_str(set, SET_LOG_FORM), "json")]);
    add_arg(p, "--log-level");
    add_arg(p, settings_str(set, SET_LOG_LEVEL).p);
    add_env(p, "PATH", "/usr/bin:/bin");
    add_env(p, "LANG", "C.UTF-8");
}

static void add_mount(struct plan *p, const char *base, const char *inside, bool exec) {
    must(p->mount_n < SANDBOX_MOUNTS_MAX);
    p->mounts[p->mount_n++] = (struct sandbox_mount){.base = base, .inside = inside, .exec = exec};
}

/* Folders that the module takes as arguments where they are not at their usual places. */
static void add_python_folders(struct plan *p) {
    if (!reduced(p)) return;
    if (p->row == &role_rows[ROLE_IMPORTER_PYTHON]) {
        add_arg(p, place(p, "/model"));
        add_arg(p, place(p, "/out"));
    } else if (p->row == &role_rows[ROLE_ENV_BUILDER]) {
        char lock[PATH_MAX];
        snprintf(lock, sizeof(lock), "%.4000s/requirements.lock", place(p, "/lock"));
        add_arg(p, access(lock, R_OK) == 0 ? "build" : "prepare");
        add_arg(p, place(p, "/lock"));
        add_arg(p, place(p, "/build"));
    }
}

/* The index as the courier's relay names it (courier/index_text.h): "https/host/simple"; "" for none. */
static const char *index_inside(struct plan *p) {
    const char *url = settings_str(p->s->o.settings, SET_ENVIRONMENTS_INDEX_URL).p;
    const char *host = url ? strstr(url, "://") : NULL;
    if (!host) return "";
    return arena_printf(p->a, "%.*s/%s", (int)(host - url), url, host + 3);
}

static err *plan_python(struct plan *p) {
    const struct supervisor_options *o = &p->s->o;
    if (!o->base_env || !o->python_dir)
        return err_hint(err_new(ERR_INVALID_STATE, "Python models need the base environment, which is not installed."),
                        "Run tools/setup, or set environments.python to its folder.");
    add_mount(p, o->base_env, "/base", true);
    add_mount(p, o->python_dir, "/python", true);
    /* One that has its environment from the start begins in it. */
    bool own = p->environment.n && p->row != &role_rows[ROLE_ENV_BUILDER];
    if (own) add_env(p, "BOATHOUSE_OWN_ENVIRONMENT", "1");
    p->exe = arena_printf(p->a, "%s/bin/python", place(p, own ? "/env" : "/base"));
    add_arg(p, p->exe);
    /* -P, -s: nothing from the working folder or a home; PYTHONPATH must hold for a model's own
     * environment too, which the process goes over to by itself. */
    add_arg(p, "-P");
    add_arg(p, "-s");
    add_arg(p, "-m");
    add_arg(p, p->row->python);
    add_python_folders(p);
    add_env(p, "PYTHONPATH", place(p, "/python"));
    add_env(p, "PYTHONDONTWRITEBYTECODE", "1");
    add_env(p, "PATH", arena_printf(p->a, "%s/bin:/usr/bin:/bin", place(p, "/base")));
    add_env(p, "LANG", "C.UTF-8");
    add_env(p, "HOME", "/tmp");
    if (p->row != &role_rows[ROLE_ENV_BUILDER]) return NULL;
    if (o->uv) {
        add_mount(p, o->uv, UV_INSIDE, true);
        add_env(p, "BOATHOUSE_UV", place(p, UV_INSIDE));
    }
    add_env(p, "BOATHOUSE_INDEX", index_inside(p));
    if (reduced(p)) add_env(p, "TMPDIR", place(p, "/build")); /* no /tmp of its own, and the host's is not for it */
    if (settings_bool(o->settings, SET_ENVIRONMENTS_ALLOW_SDIST)) add_env(p, "BOATHOUSE_ALLOW_SDIST", "1");
    return NULL;
}

/* A program of ours beside boathouse, with its library. */
static err *plan_program(struct plan *p) {
    const struct supervisor_options *o = &p->s->o;
    if (!o->engine || !o->duckdb)
        return err_hint(err_new(ERR_INVALID_STATE, "The program %s or its libduckdb.so is not installed.", p->row->program),
                        "Build the target boathouse-engine beside boathouse, or install the package.");
    add_mount(p, o->engine, PROGRAM_INSIDE, true);
    add_mount(p, o->duckdb, LIBRARY_INSIDE, true);
    /* DuckDB looks for its group's limits and gives up where it may see but not read them. */
    if (reduced(p) && access("/sys/fs/cgroup", R_OK) == 0) add_mount(p, "/sys/fs/cgroup", "/sys/fs/cgroup", false);
    p->exe = place(p, PROGRAM_INSIDE);
    plan_own(p);
    return NULL;
}

/* ---- the three calls ---- */

static err *run(struct plan *p, const struct launch_share *share, int chan_fd, int words_fd, struct spawned *ret) {
    p->mount_n = roots_of(p->s, p->row, p->a, p->owner, p->environment, false, p->mounts);
    TRY(plan_fds(p, chan_fd, words_fd));
    if (p->row->python)
        TRY(plan_python(p));
    else if (p->row->program)
        TRY(plan_program(p));
    else
        plan_own(p);
    struct spawn_plan plan = {.row = sandbox_by_name(str_of(p->row->sandbox)),
                              .level = p->s->level,
                              .exe = p->exe,
                              .argv = p->argv,
                              .envp = p->envp,
                              .cwd = reduced(p) ? "/tmp" : NULL,
                              .fds = p->fds,
                              .fd_n = p->fd_n,
                              .mounts = p->mounts,
                              .mount_n = p->mount_n,
                              .memory_mb = share ? share->memory_mb : 0,
                              .cpu_weight = share ? share->cpu_weight : 0,
                              .nice = &p->s->children_nice,
                              .groups = p->s->groups};
    must(plan.row != NULL);
    return spawn_run(&plan, ret);
}

err *launch(struct supervisor *s, const struct role_row *row, str owner, str environment,
            const struct launch_share *share, int chan_fd, struct child **ret) {
    int words[2];
    if (pipe2(words, O_CLOEXEC) < 0) return err_errno("cannot make a pipe");
    struct plan p = {.a = arena_new(), .s = s, .row = row, .owner = owner, .environment = environment};
    struct child *c = calloc(1, sizeof(*c));
    must(c != NULL);
    err *e = run(&p, share, chan_fd, words[1], &c->process);
    for (size_t i = 0; i < p.own_n; i++) close(p.own_fds[i]);
    arena_free(p.a);
    close(words[1]);
    if (e) {
        close(words[0]);
        free(c);
        return e;
    }
    c->row = row;
    c->pid = c->process.pid;
    c->words.fd = words[0];
    fcntl(words[0], F_SETFL, O_NONBLOCK);
    snprintf(c->owner, sizeof(c->owner), "%.*s", STR_ARG(owner));
    *ret = c;
    return NULL;
}

err *launch_lease(struct supervisor *s, struct child *c, str owner, str environment,
                  const struct launch_share *share) {
    arena *a = arena_new();
    struct sandbox_mount mounts[SANDBOX_MOUNTS_MAX];
    size_t n = roots_of(s, c->row, a, owner, environment, true, mounts);
    err *e = sandbox_lease(&c->process, mounts, n);
    cgroup *group = share ? c->process.group : NULL;
    if (!e && group && share->memory_mb) e = cgroup_set_memory(group, (uint64_t)share->memory_mb << 20);
    if (!e && group) cgroup_set_weight(group, share->cpu_weight);
    arena_free(a);
    snprintf(c->owner, sizeof(c->owner), "%.*s", STR_ARG(owner));
    return e;
}

void launch_kill(struct child *c) { spawn_kill(&c->process); }
