/* SPDX-License-Identifier: Apache-2.0 */
/* What stays after a process: crash reports with their cap; what an earlier run left is swept. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor_int.h"
#include "sys/clock.h"
#include "sys/files.h"

#define SWEEP_MAX (1u << 20)

/* Names begin with milliseconds, so the oldest come first. */
static void cap_reports(struct supervisor *s) {
    char dir[PATH_MAX], path[PATH_MAX];
    snprintf(dir, sizeof(dir), "%.3900s/crash", s->o.data_dir);
    struct files_names names = {0};
    err *e = files_list(dir, SWEEP_MAX, &names);
    err_free(e);
    size_t keep = (size_t)settings_int(s->o.settings, SET_DISK_CRASH_REPORTS);
    for (size_t i = 0; i + keep < names.n; i++) {
        snprintf(path, sizeof(path), "%.3900s/%.150s", dir, names.p[i]);
        (void)unlink(path);
    }
    files_names_free(&names);
}

void keep_report(struct supervisor *s, struct child *c, int code, int sig) {
    if (!c->report.n && !sig) return;
    char path[4200], name[128];
    snprintf(name, sizeof(name), "%lld-%s-%d", (long long)(clock_now() / 1000), c->row->name, c->pid);
    snprintf(path, sizeof(path), "%s/crash/%s.txt", s->o.data_dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) return;
    buf b = {0};
    buf_fmt(&b, "role: %s\npid: %d\nowner: %s\n", c->row->name, c->pid, c->owner);
    /* A report says its signal itself; the process then ends by another, as the first of its namespace. */
    if (str_find(buf_view(&c->report), STR("crash: ")) < 0) buf_fmt(&b, "exit code: %d\nsignal: %d\n", code, sig);
    buf_c(&b, '\n');
    buf_str(&b, buf_view(&c->report));
    ssize_t w = write(fd, b.p, b.n);
    (void)w;
    buf_free(&b);
    close(fd);
    cap_reports(s);
}

/* Everything in DATA/<name>, or only what ends in `suffix`. */
static void sweep(struct supervisor *s, const char *name, const char *suffix) {
    char dir[PATH_MAX], path[PATH_MAX];
    snprintf(dir, sizeof(dir), "%.3900s/%s", s->o.data_dir, name);
    struct files_names names = {0};
    err *e = files_list(dir, SWEEP_MAX, &names);
    for (size_t i = 0; !e && i < names.n; i++) {
        if (suffix && !str_ends(str_of(names.p[i]), str_of(suffix))) continue;
        snprintf(path, sizeof(path), "%.3900s/%.180s", dir, names.p[i]);
        e = files_remove_tree(path, SWEEP_MAX);
    }
    files_names_free(&names);
    if (!e) return;
    log_warn("cannot sweep what an earlier run left", lf_z("folder", dir), lf_err(e));
    err_free(e);
}

void keep_sweep(struct supervisor *s) {
    sweep(s, "run", NULL);
    sweep(s, "spool", NULL);
    sweep(s, "spill", NULL);
    sweep(s, "envs", ".building");
    cap_reports(s);
}
