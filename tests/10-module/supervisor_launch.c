/* SPDX-License-Identifier: Apache-2.0 */
/* Roles of Python started through the supervisor's launcher at every level that works here: they
 * say hello, get their owner's folders by a lease or at the start, and see nothing else. */
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bh_version.h"
#include "ipc/wire.h"
#include "supervisor/supervisor_int.h"
#include "sys/files.h"
#include "sys/probe.h"

enum { F_LEASE = 60, F_LOADED, F_FAILED };

struct fix {
    char dir[64];
    struct settings set;
    struct supervisor s;
    char python[PATH_MAX];
};

static void good(err *e) {
    if (!e) return;
    print_error("%s\n", err_msg(e));
    fail();
}

static void make(const struct fix *f, const char *path) {
    char full[PATH_MAX];
    snprintf(full, sizeof(full), "%s/%s", f->dir, path);
    good(files_mkdirs(full, 0755));
}

static bool begin(struct fix *f, const char *level) {
    *f = (struct fix){0};
    settings_init(&f->set);
    good(settings_set(&f->set, STR("sandbox.level"), str_of(level), SETTING_COMMAND));
    snprintf(f->dir, sizeof(f->dir), "/tmp/launch-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->python, sizeof(f->python), "%s/python", BH_SOURCE_DIR);
    f->s.o = (struct supervisor_options){.data_dir = f->dir,
                                         .settings = &f->set,
                                         .python_dir = f->python,
                                         .base_env = BH_DEPS_DIR "/py/base",
                                         .uv = BH_DEPS_DIR "/bin/uv",
                                         .master_key_fd = -1,
                                         .log_fd = 2};
    f->s.clock_fd = -1;
    f->s.log_fd = 2;
    make(f, "models/o1/model");
    make(f, "models/o1/out");
    make(f, "models/o2/model");
    err *e = launch_level(&f->s);
    if (e) print_message("level %s: %s\n", level, err_msg(e));
    bool ok = e == NULL && access(f->s.o.base_env, X_OK) == 0;
    err_free(e);
    return ok;
}

static void end(struct fix *f) {
    err_free(files_remove_tree(f->dir, 1000));
    cgroups_free(f->s.groups);
    settings_free(&f->set);
}

static void drop(struct child *c) {
    spawn_release(&c->process);
    close(c->words.fd);
    buf_free(&c->report);
    free(c);
}

/* The next frame; its payload in the arena. */
static uint16_t frame(int fd, arena *a, str *ret) {
    struct chan_frame f;
    bool eof = false;
    good(chan_recv_blocking(fd, a, 1 << 20, &f, &eof));
    if (eof) return 0;
    *ret = f.payload;
    return f.type;
}

static struct child *start(struct fix *f, enum role_id role, str owner, int *ret_fd) {
    int fds[2];
    struct child *c = NULL;
    good(chan_pair(fds));
    good(launch(&f->s, &role_rows[role], owner, STR(""), &(struct launch_share){.memory_mb = 1024}, fds[1], &c));
    close(fds[1]);
    *ret_fd = fds[0];
    return c;
}

static void lease(int fd, arena *a, const char *model, bool *ret_seen) {
    char json[PATH_MAX + 32];
    snprintf(json, sizeof(json), "{\"model\": \"%s\"}", model);
    str payload;
    good(chan_send_blocking(fd, F_LEASE, 0, str_of(json), -1));
    uint16_t t = frame(fd, a, &payload);
    while (t == 65) t = frame(fd, a, &payload); /* what it printed */
    assert_int_equal(t, F_FAILED); /* an empty folder is no model; but the folder must be there */
    *ret_seen = strstr(arena_strndup(a, payload.p, payload.n), "MLmodel") != NULL;
}

static void host_at(const char *level) {
    struct fix f;
    if (!begin(&f, level)) {
        end(&f);
        return;
    }
    arena *a = arena_new();
    bool is_reduced = f.s.level == SANDBOX_REDUCED, seen = false;
    int fd;
    struct child *c = start(&f, ROLE_RUNTIME_HOST, is_reduced ? STR("o1") : STR(""), &fd);
    str payload;
    assert_int_equal(frame(fd, a, &payload), MSG_HELLO);
    struct wire_in in = {payload, true};
    assert_true(str_eqz(wire_get_str(&in), "runtime_host"));
    assert_int_equal(frame(fd, a, &payload), MSG_READY);
    err *e = launch_lease(&f.s, c, STR("o1"), STR(""), NULL);
    if (is_reduced) {
        assert_non_null(e);
        assert_int_equal(err_code_of(e), ERR_INVALID_STATE);
        err_free(e);
    } else {
        good(e);
        e = launch_lease(&f.s, c, STR("o2"), STR(""), NULL);
        assert_non_null(e); /* never a second owner */
        err_free(e);
    }
    char model[PATH_MAX];
    snprintf(model, sizeof(model), "%s/models/o1/model", f.dir);
    lease(fd, a, is_reduced ? model : "/model", &seen);
    assert_true(seen);
    close(fd);
    drop(c);
    arena_free(a);
    end(&f);
}

/* An import of something that is no model: the module ran, wrote to its owner's folder, and ended. */
static void import_at(const char *level) {
    struct fix f;
    if (!begin(&f, level)) {
        end(&f);
        return;
    }
    int fd;
    struct child *c = start(&f, ROLE_IMPORTER_PYTHON, STR("o1"), &fd);
    struct spawn_end how;
    good(spawn_wait(&c->process, 60000, &how));
    char words[4096];
    ssize_t n = read(c->words.fd, words, sizeof(words) - 1);
    words[n > 0 ? n : 0] = 0;
    if (how.by_signal || how.code != 1) print_message("%s\n", words);
    assert_false(how.by_signal);
    assert_int_equal(how.code, 1);
    assert_non_null(strstr(words, "BAD_MODEL"));
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/models/o1/out/failed.json", f.dir);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, geteuid()); /* nothing on disk belongs to a sandbox's number */
    close(fd);
    drop(c);
    end(&f);
}

static void test_host_best(void **state) {
    (void)state;
    host_at("auto");
}
static void test_host_user(void **state) {
    (void)state;
    host_at("user");
}
static void test_host_reduced(void **state) {
    (void)state;
    host_at("reduced");
}
static void test_import_best(void **state) {
    (void)state;
    import_at("auto");
}
static void test_import_reduced(void **state) {
    (void)state;
    import_at("reduced");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_best),   cmocka_unit_test(test_host_user),
        cmocka_unit_test(test_host_reduced), cmocka_unit_test(test_import_best),
        cmocka_unit_test(test_import_reduced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
