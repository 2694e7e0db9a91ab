/* SPDX-License-Identifier: Apache-2.0 */
#include "main/role.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "base/log.h"
#include "base/map.h"
#include "main/main.h"
#include "sys/clock.h"
#include "sys/crash.h"
#include "sys/rand.h"
#include "sys/sandbox.h"

static log_level level_by_name(const char *name) {
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++)
        if (name && strcmp(name, names[i]) == 0) return (log_level)i;
    return LOG_INFO;
}

err *role_begin(const char *role, int argc, char **argv, struct role_args *ret) {
    *ret = (struct role_args){.level = "reduced", .log_form = "human", .log_level = "info", .record_fd = -1, .key_fd = -1};
    const char *v;
    for (int i = 1; i < argc; i++) {
        if (main_option(argc, argv, &i, "--data", &v))
            ret->data_dir = v;
        else if (main_option(argc, argv, &i, "--host-data", &v))
            ret->host_data = v;
        else if (main_option(argc, argv, &i, "--sandbox", &v))
            ret->level = v;
        else if (main_option(argc, argv, &i, "--log-form", &v))
            ret->log_form = v;
        else if (main_option(argc, argv, &i, "--log-level", &v))
            ret->log_level = v;
        else
            return err_new(ERR_INVALID_PARAMETER_VALUE, "role %s: unknown option '%s'", role, argv[i]);
    }
    log_setup(role, strcmp(ret->log_form, "json") == 0 ? LOG_JSON : LOG_HUMAN,
              level_by_name(ret->log_level), 2);
    unsigned char seed[16];
    rand_bytes(seed, sizeof(seed));
    map_seed(seed);
    signal(SIGPIPE, SIG_IGN);
    if (fcntl(ROLE_FD_CHANNEL, F_GETFD) < 0)
        return err_hint(err_new(ERR_INVALID_STATE, "role %s is started by the supervisor only.", role),
                        "Use `boathouse serve`.");
    /* Before anything else takes these numbers. */
    bool words = fcntl(ROLE_FD_WORDS, F_GETFD) >= 0, driven = fcntl(ROLE_FD_CLOCK, F_GETFD) >= 0;
    if (fcntl(ROLE_FD_RECORD, F_GETFD) >= 0) ret->record_fd = ROLE_FD_RECORD;
    if (fcntl(ROLE_FD_KEY, F_GETFD) >= 0) ret->key_fd = ROLE_FD_KEY;
    TRY(crash_setup(role, words ? ROLE_FD_WORDS : -1, true));
    return driven ? clock_page_map(ROLE_FD_CLOCK, false) : NULL;
}

err *role_confine(const char *role, const struct role_args *args) {
    enum sandbox_level level = SANDBOX_REDUCED;
    const struct sandbox_row *row = sandbox_by_name(str_of(role));
    if (!row || !sandbox_level_by_name(str_of(args->level), &level))
        return err_new(ERR_INTERNAL_ERROR, "role %s has no sandbox row for level %s", role,
                       args->level);
    return sandbox_confine(row, level);
}

int role_end(const char *role, err *e) {
    if (!e) return 0;
    log_error("role failed", lf_z("role", role), lf_err(e));
    buf b = {0};
    /* The first line is what a person is told; where it comes from follows. */
    buf_fmt(&b, "%s%s%s\n", err_msg(e), err_hint_of(e) ? " " : "", err_hint_of(e) ? err_hint_of(e) : "");
    err_describe(e, &b);
    dprintf(ROLE_FD_WORDS, "%.*s\n", STR_ARG(buf_view(&b)));
    buf_free(&b);
    err_free(e);
    return 1;
}
