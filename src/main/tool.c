/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that only print tables: settings, errors, routes, version, env.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/gen_routes.h"
#include "bh_version.h"
#include "main/cli.h"
#include "main/main.h"
#include "sys/files.h"
#include "sys/settings.h"

extern char **environ;

int cmd_version(int argc, char **argv) {
    (void)argc;
    (void)argv;
    printf("boathouse %s\n", BH_VERSION);
    return 0;
}

int cmd_errors(int argc, char **argv) {
    (void)argc;
    (void)argv;
    for (int i = 1; i < ERR_CODE_COUNT; i++)
        printf("%-26s %d  %s\n", err_name((err_code)i), err_status((err_code)i), err_doc((err_code)i));
    return 0;
}

int cmd_routes(int argc, char **argv) {
    (void)argc;
    (void)argv;
    static const char *const who[] = {"user", "none", "admin", "account admin"};
    for (size_t i = 0; i < route_rows_n; i++)
        printf("%-7s %-70s %-14s %s\n", route_rows[i].method, route_rows[i].path,
               who[route_rows[i].auth], route_rows[i].doc);
    return 0;
}

static const char *data_option(int argc, char **argv) {
    const char *v = "data";
    for (int i = 1; i < argc; i++) main_option(argc, argv, &i, "--data", &v);
    return v;
}

/* What the platform that runs on the folder was started with (serve.c writes it); empty where none runs. */
static err *read_started(const char *data, buf *ret) {
    char path[PATH_MAX];
    int pid;
    TRY(cli_running(data, &pid));
    if (!pid) return NULL;
    snprintf(path, sizeof(path), "%.3900s/" MAIN_STARTED_SETTINGS, data);
    err *e = files_read(path, 1 << 20, ret);
    if (err_errno_of(e) != ENOENT) return e;
    err_free(e);
    return NULL;
}

/* The line of a setting: its source and value. */
static bool started_with(str all, const char *name, int *source, str *value) {
    str line, part;
    while (str_split(&all, '\n', &line)) {
        if (!str_split(&line, '\t', &part) || !str_eqz(part, name) || !str_split(&line, '\t', &part)) continue;
        *source = part.n == 1 ? part.p[0] - '0' : 0;
        *value = line;
        return true;
    }
    return false;
}

static void put_setting(const struct settings *s, int i, str started) {
    static const char *const sources[] = {"default", "file", "environment", "command line"};
    const struct setting_row *row = &setting_rows[i];
    int source = (int)s->v[i].source, then = source;
    str value = row->secret && s->v[i].text[0] ? STR("(secret)") : str_of(s->v[i].text), was = value;
    bool known = started_with(started, row->name, &then, &was);
    if (known && then >= SETTING_ENV && then <= SETTING_COMMAND) value = was, source = then; /* stronger than the file, also next time */
    printf("%-32s %-24.*s %-12s %-8s %s", row->name, STR_ARG(value), sources[source], row->reload ? "reload" : "restart", row->help);
    if (known && !str_eq(was, value)) printf(" PENDING RESTART: it runs with '%.*s'.", STR_ARG(was));
    putchar('\n');
}

int cmd_settings(int argc, char **argv) {
    struct settings s;
    settings_init(&s);
    char path[PATH_MAX];
    const char *data = data_option(argc, argv);
    buf started = {0};
    snprintf(path, sizeof(path), "%s/boathouse.toml", data);
    err *e = settings_read_file(&s, path, SETTING_FILE);
    if (!e) e = settings_read_env(&s, environ);
    if (!e) e = read_started(data, &started);
    for (int i = 0; !e && i < SETTING_COUNT; i++) put_setting(&s, i, buf_view(&started));
    buf_free(&started);
    settings_free(&s);
    return e ? main_fail(e, 2) : 0;
}

/* connect.env holds NAME=value lines; a shell wants them exported and quoted. */
int cmd_env(int argc, char **argv) {
    char path[PATH_MAX], line[8192];
    snprintf(path, sizeof(path), "%s/connect.env", data_option(argc, argv));
    FILE *f = fopen(path, "re");
    if (!f)
        return main_fail(err_hint(err_errno("cannot read %s", path),
                                  "Start the platform with `./run --data DIR` first."),
                         1);
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = 0;
        char *eq = strchr(line, '=');
        if (!eq) continue;
        *eq = 0;
        printf("export %s='", line);
        for (const char *p = eq + 1; *p; p++) {
            if (*p == '\'')
                fputs("'\\''", stdout);
            else
                putchar(*p);
        }
        puts("'");
    }
    fclose(f);
    return 0;
}
