/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the platform as a whole: status, doctor, reload, backup. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bh_version.h"
#include "main/cli.h"
#include "main/copy.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/probe.h"
#include "sys/settings.h"

/* ---- status ---- */

static const char STATUS_USAGE[] = "usage: boathouse status [--data DIR]\n\n"
                                   "Processes of the platform that runs on the folder; exit code 1 if none does.\n";

static void print_process(jval *p) {
    int64_t pid = 0, restarts = 0, up = 0;
    json_i64(json_get(p, "pid"), &pid);
    json_i64(json_get(p, "restarts"), &restarts);
    json_i64(json_get(p, "uptime_ms"), &up);
    printf("  %-16.*s pid %-8lld up %8.1f s   restarts %-4lld %.*s\n", STR_ARG(json_get_str(p, "role")),
           (long long)pid, (double)up / 1000, (long long)restarts, STR_ARG(json_get_str(p, "owner")));
}

static err *status(const char *data, int pid) {
    struct cli *c = NULL;
    TRY(cli_open(data, &c));
    jval *v = NULL, *p;
    err *e = cli_call(c, "GET", "/api/boathouse/status", STR(""), &v);
    if (!e) {
        str level = json_get_str(v, "sandbox_level");
        printf("running    pid %d, version %s\naddress    %s\nsandbox    %.*s%s\n", pid, BH_VERSION,
               cli_env(c, "DATABRICKS_HOST"), STR_ARG(level),
               str_eqz(level, "reduced") ? "  (processes are not isolated)" : "");
        size_t i, n;
        yyjson_arr_foreach(json_get(v, "processes"), i, n, p) print_process(p);
    }
    if (!e) e = cli_call(c, "GET", "/readyz", STR(""), NULL);
    cli_close(c);
    return e;
}

int cmd_status(int argc, char **argv) {
    if (cli_help(argc, argv)) return cli_usage(STATUS_USAGE, true);
    struct cli_args a;
    err *e = cli_parse(argc, argv, NULL, &a);
    if (e || a.word_n) return e ? main_fail(e, 2) : cli_usage(STATUS_USAGE, false);
    int pid = 0;
    e = cli_running(a.data, &pid);
    if (!e && !pid) {
        printf("not running on %s\n", a.data);
        return 1;
    }
    if (!e) e = status(a.data, pid);
    return e ? main_fail(e, 1) : 0;
}

/* ---- reload ---- */

static const char RELOAD_USAGE[] =
    "usage: boathouse reload [--data DIR]\n\n"
    "Makes the platform read DIR/boathouse.toml and its certificates again; the log says what came of it.\n";

int cmd_reload(int argc, char **argv) {
    if (cli_help(argc, argv)) return cli_usage(RELOAD_USAGE, true);
    struct cli_args a;
    err *e = cli_parse(argc, argv, NULL, &a);
    if (e || a.word_n) return e ? main_fail(e, 2) : cli_usage(RELOAD_USAGE, false);
    /* A mistake in the file is told here, where a person looks, before anything is asked. */
    char path[PATH_MAX];
    struct settings s;
    settings_init(&s);
    snprintf(path, sizeof(path), "%.3900s/boathouse.toml", a.data);
    e = settings_read_file(&s, path, SETTING_FILE);
    settings_free(&s);
    int pid = 0;
    if (!e) e = cli_running(a.data, &pid);
    if (!e && !pid) e = err_new(ERR_INVALID_STATE, "No platform runs on %s.", a.data);
    if (!e && kill(pid, SIGHUP) != 0) e = err_errno("cannot signal process %d", pid);
    return e ? main_fail(e, 1) : 0;
}

/* ---- backup ---- */

static const char BACKUP_USAGE[] =
    "usage: boathouse backup NAME [--data DIR]     into DIR/backups/NAME\n"
    "       boathouse backup FOLDER [--data DIR]   into FOLDER (an argument with a slash)\n\n"
    "Copies the stores as they are at one instant, while the platform runs, and the files of workspaces\n"
    "where those lie in DIR/storage. The master key is not in it: keep DIR/master.key in another place.\n";

static err *backup(const struct cli_args *a) {
    const char *to = a->word[0];
    bool folder = strchr(to, '/') != NULL;
    char name[64], made[PATH_MAX], from[PATH_MAX], storage[PATH_MAX];
    snprintf(name, sizeof(name), "made-%lld", (long long)clock_now());
    if (folder && files_exists(to))
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "%s is there already; name a folder to be made.", to);
    struct cli *c = NULL;
    TRY(cli_open(a->data, &c));
    jdoc *d = json_doc(cli_arena(c));
    jmut *o = yyjson_mut_obj(d);
    json_put_z(d, o, "name", folder ? name : to);
    jval *v = NULL;
    err *e = cli_call(c, "POST", "/api/boathouse/backup", json_text(cli_arena(c), o), &v);
    snprintf(made, sizeof(made), "%.3800s/backups/%s", a->data, folder ? name : to);
    if (!e && folder) {
        e = copy_move(made, to);
        snprintf(made, sizeof(made), "%.4000s", to);
    }
    /* After the stores: what they name is then there. */
    snprintf(from, sizeof(from), "%.3900s/storage", a->data);
    snprintf(storage, sizeof(storage), "%.3900s/storage", made);
    if (!e && files_exists(from)) e = copy_tree(from, storage);
    int64_t seq = 0;
    if (!e) {
        json_i64(json_get(v, "sequence"), &seq);
        printf("%s: everything up to sequence %lld\n", made, (long long)seq);
    }
    cli_close(c);
    return e;
}

int cmd_backup(int argc, char **argv) {
    if (cli_help(argc, argv)) return cli_usage(BACKUP_USAGE, true);
    struct cli_args a;
    err *e = cli_parse(argc, argv, NULL, &a);
    if (e || a.word_n != 1) return e ? main_fail(e, 2) : cli_usage(BACKUP_USAGE, false);
    e = backup(&a);
    return e ? main_fail(e, 1) : 0;
}

/* ---- doctor ---- */

static const char DOCTOR_USAGE[] =
    "usage: boathouse doctor [--data DIR]\n\n"
    "Tries what the platform needs of this machine. Exit code 0 if it can run isolated, 1 if not.\n";

static void line(const char *mark, const char *name, const char *what, const char *detail) {
    printf("%-8s %-16s %s%s%s%s\n", mark, name, what, detail[0] ? " (" : "", detail, detail[0] ? ")" : "");
}

/* One row of sys/probe; false if a level that `uid` could have needs it and it is not there. */
static bool probe_line(const struct probe *p) {
    struct probe_result r;
    err *e = probe_run(p, &r);
    if (e) {
        line("error", p->name, err_msg(e), "");
        err_free(e);
        return false;
    }
    char detail[256];
    snprintf(detail, sizeof(detail), "%s%s%s", r.detail, !r.ok && r.detail[0] && r.error ? ": " : "",
             !r.ok && r.error ? strerrordesc_np(r.error) : "");
    line(r.ok ? "ok" : p->need & PROBE_GOOD ? "better" : "missing", p->name, p->what, detail);
    if (!r.ok) printf("%-8s %-16s -> %s\n", "", "", p->way_out);
    return r.ok;
}

static void disk_line(const char *data) {
    uint64_t space = 0, total = 0;
    err *e = files_space(files_exists(data) ? data : ".", &space, &total);
    char detail[64] = "";
    if (!e) snprintf(detail, sizeof(detail), "%.1f of %.1f GiB free", (double)space / (1u << 30), (double)total / (1u << 30));
    struct settings s;
    settings_init(&s);
    bool enough = !e && (int64_t)space > 2 * settings_int(&s, SET_STORAGE_RESERVE);
    line(enough ? "ok" : "missing", "disk", "free space for the data folder", detail);
    settings_free(&s);
    err_free(e);
}

int cmd_doctor(int argc, char **argv) {
    if (cli_help(argc, argv)) return cli_usage(DOCTOR_USAGE, true);
    struct cli_args a;
    err *e = cli_parse(argc, argv, NULL, &a);
    if (e || a.word_n) return e ? main_fail(e, 2) : cli_usage(DOCTOR_USAGE, false);
    for (size_t i = 0; i < probe_count; i++) (void)probe_line(&probes[i]);
    disk_line(a.data);
    char at[PATH_MAX];
    const char *base = main_shipped(at, MAIN_BASE_ENV);
    line(base ? "ok" : "better", "python", "base environment of Python models", base ? base : "");
    if (!base) printf("%-8s %-16s -> %s\n", "", "", "run tools/setup, or set environments.python; native models work without");
    const char *uv = main_shipped(at, MAIN_UV);
    line(uv ? "ok" : "better", "uv", "builder of models' own environments", uv ? uv : "");
    enum sandbox_level level;
    e = probe_level(STR("auto"), &level);
    if (!e) {
        printf("\nsandbox.level=auto gives: %s%s\n", sandbox_level_name(level),
               level == SANDBOX_FULL ? "" : " (as root, or through the systemd unit, it is full where the parts above allow)");
        return 0;
    }
    printf("\n");
    return main_fail(e, 1);
}
