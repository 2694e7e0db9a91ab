/* SPDX-License-Identifier: Apache-2.0 */
#include "main/main.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bh_version.h"

struct entry {
    const char *name;
    int (*fn)(int, char **);
    const char *help; /* NULL: a role, not for people */
};

static const struct entry entries[] = {
    {"serve", cmd_serve, "start the platform in the foreground"},
    {"status", cmd_status, "processes of the running platform"},
    {"doctor", cmd_doctor, "what this machine lacks, and the ways out"},
    {"env", cmd_env, "exports for a shell: eval \"$(boathouse env --data DIR)\""},
    {"token", cmd_token, "create, list and revoke tokens of the first admin"},
    {"user", cmd_user, "create, list and delete users"},
    {"workspace", cmd_workspace, "create, list and delete workspaces"},
    {"backup", cmd_backup, "back up the running platform"},
    {"restore", cmd_restore, "make a data folder from a backup"},
    {"reload", cmd_reload, "read settings and certificates again"},
    {"rotate-key", cmd_rotate_key, "change the master key, or with --full all keys"},
    {"routes", cmd_routes, "every route of the REST API"},
    {"settings", cmd_settings, "every setting with its value and source"},
    {"errors", cmd_errors, "every error code"},
    {"version", cmd_version, "version of the program"},
    {"role:control", role_control, NULL},
    {"role:gateway", role_gateway, NULL},
    {"role:courier", role_courier, NULL},
    {"role:importer", role_importer, NULL},
};

const char *main_shipped(char *out, enum main_part part) {
    static const char *const places[][2] = {
        [MAIN_BASE_ENV] = {BH_DEPS_DIR "/py/base", "/usr/lib/boathouse/py/base"},
        [MAIN_PYTHON] = {BH_DEPS_DIR "/../python", "/usr/lib/boathouse/python"},
        [MAIN_UV] = {BH_DEPS_DIR "/bin/uv", "/usr/lib/boathouse/bin/uv"},
        [MAIN_ENGINE] = {"", "/usr/bin/boathouse-engine"},
        [MAIN_DUCKDB] = {BH_DEPS_DIR "/prefix/lib/libduckdb.so", "/usr/lib/boathouse/libduckdb.so"},
    };
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    exe[n > 0 ? n : 0] = 0;
    char beside[PATH_MAX + 16];
    snprintf(beside, sizeof(beside), "%s-engine", exe); /* built into the same folder */
    if (part == MAIN_ENGINE && realpath(beside, out)) return out;
    int first = strncmp(exe, "/usr/", 5) == 0;
    for (int i = 0; i < 2; i++)
        if (realpath(places[part][first ^ i], out)) return out;
    return NULL;
}

int main_fail(err *e, int code) {
    const char *msg = err_msg(e), *hint = err_hint_of(e);
    size_t n = strlen(msg);
    bool ended = n && (msg[n - 1] == '.' || msg[n - 1] == '?');
    fprintf(stderr, "boathouse: %s%s%s%s\n", msg, ended ? "" : ".", hint ? " " : "", hint ? hint : "");
    err_free(e);
    return code;
}

static int usage(FILE *to) {
    fprintf(to, "usage: boathouse COMMAND [options]\n\n");
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        if (entries[i].help) fprintf(to, "  %-12s %s\n", entries[i].name, entries[i].help);
    fprintf(to, "\n`boathouse COMMAND --help` says more.\n");
    return to == stderr ? 2 : 0;
}

#ifdef BH_SANITIZE
/* Looking for leaks at the end of a process takes ptrace, which the sandboxes refuse. Unit tests look. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }
#endif

int main(int argc, char **argv) {
    if (argc < 2) return usage(stderr);
    str cmd = str_of(argv[1]);
    if (str_eqz(cmd, "--help") || str_eqz(cmd, "help")) return usage(stdout);
    if (str_eqz(cmd, "--version")) return cmd_version(argc - 1, argv + 1);
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        if (str_eqz(cmd, entries[i].name)) return entries[i].fn(argc - 1, argv + 1);
    fprintf(stderr, "boathouse: there is no command '%s'.\n\n", argv[1]);
    return usage(stderr);
}
