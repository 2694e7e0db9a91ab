/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that only print tables: settings, errors, routes, version, env.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/gen_routes.h"
#include "bh_version.h"
#include "main/main.h"
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

int cmd_settings(int argc, char **argv) {
    static const char *const source[] = {"default", "file", "environment", "command line"};
    struct settings s;
    settings_init(&s);
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/boathouse.toml", data_option(argc, argv));
    err *e = settings_read_file(&s, path, SETTING_FILE);
    if (!e) e = settings_read_env(&s, environ);
    if (e) {
        settings_free(&s);
        return main_fail(e, 2);
    }
    for (int i = 0; i < SETTING_COUNT; i++)
        printf("%-32s %-24s %-12s %-8s %s\n", setting_rows[i].name,
               setting_rows[i].secret && s.v[i].text[0] ? "(secret)" : s.v[i].text,
               source[s.v[i].source], setting_rows[i].reload ? "reload" : "restart",
               setting_rows[i].help);
    settings_free(&s);
    return 0;
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
