/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `boathouse serve`: options → settings → data folder → supervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/map.h"
#include "bh_version.h"
#include "main/main.h"
#include "main/tls_setup.h"
#include "store/keys.h"
#include "supervisor/supervisor.h"
#include "sys/files.h"
#include "sys/rand.h"

extern char **environ;

#define FORMAT_VERSION 1

static const char USAGE[] =
    "usage: boathouse serve [--data DIR] [--http ADDR:PORT|off] [--https ADDR:PORT|off]\n"
    "                       [--set name=value]... [--test-clock]\n\n"
    "Starts the platform in the foreground; SIGINT or SIGTERM stops it. When it answers,\n"
    "DIR/connect.env holds what clients need. `boathouse settings` lists all settings.\n";

struct serve {
    const char *data;
    bool test_clock;
    struct settings settings;
};

/* Command line wins over environment, environment over the file: read in that order, twice over
 * the arguments because --data says where the file is. */
static err *read_options(struct serve *s, int argc, char **argv, bool settings_too) {
    const char *v;
    for (int i = 1; i < argc; i++) {
        if (main_option(argc, argv, &i, "--data", &v)) {
            s->data = v;
        } else if (main_option(argc, argv, &i, "--https", &v)) {
            if (settings_too)
                TRY(settings_set(&s->settings, STR("https.address"), str_of(v), SETTING_COMMAND));
        } else if (main_option(argc, argv, &i, "--http", &v)) {
            if (settings_too)
                TRY(settings_set(&s->settings, STR("http.address"), str_of(v), SETTING_COMMAND));
        } else if (main_option(argc, argv, &i, "--set", &v)) {
            if (settings_too) TRY(settings_set_pair(&s->settings, str_of(v), SETTING_COMMAND));
        } else if (strcmp(argv[i], "--test-clock") == 0) {
            s->test_clock = true;
        } else {
            return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "unknown option '%s'.", argv[i]),
                            "`boathouse serve --help` lists them.");
        }
    }
    return NULL;
}

static err *make_dir(const char *base, const char *name, mode_t mode) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.3900s%s%s", base, name[0] ? "/" : "", name);
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return err_hint(err_errno("cannot make the folder %s", path),
                        "Choose a writable folder with --data.");
    if (access(path, W_OK | X_OK) < 0)
        return err_hint(err_errno("the folder %s is not writable", path),
                        "Choose a writable folder with --data.");
    return NULL;
}

/* Held as long as the process lives. */
static err *lock_folder(const char *dir) {
    char path[PATH_MAX];
    int fd;
    snprintf(path, sizeof(path), "%.3900s/lock", dir);
    err *e = files_lock(path, &fd);
    if (!e) return NULL;
    return err_hint(e, "Stop that process, or choose another folder with --data.");
}

static err *check_version(const char *dir) {
    char path[PATH_MAX], text[128] = "";
    snprintf(path, sizeof(path), "%.3900s/VERSION", dir);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        text[n > 0 ? n : 0] = 0;
        int64_t format = 0;
        str s = str_of(text), first;
        if (!str_split(&s, ' ', &first) || !str_to_i64(str_trim(first), &format))
            return err_new(ERR_DATA_LOSS, "%s is damaged: '%.40s'.", path, text);
        if (format > FORMAT_VERSION)
            return err_hint(err_new(ERR_INVALID_STATE,
                                    "%s was written by a newer Boathouse (format %lld, ours is %d).",
                                    dir, (long long)format, FORMAT_VERSION),
                            "Use that version, or another folder.");
    }
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return err_errno("cannot write %s", path);
    int n = snprintf(text, sizeof(text), "%d boathouse-%s\n", FORMAT_VERSION, BH_VERSION);
    ssize_t w = write(fd, text, (size_t)n);
    close(fd);
    return w == n ? NULL : err_errno("cannot write %s", path);
}

static err *prepare_folder(const char *dir) {
    static const char *const sub[] = {"store", "storage", "crash", "run", "tls", "models", "envs", "spool",
                                      "tables", "spill"};
    TRY(make_dir(dir, "", 0755));
    TRY(lock_folder(dir));
    TRY(check_version(dir));
    for (size_t i = 0; i < ARRAY_LEN(sub); i++) TRY(make_dir(dir, sub[i], 0755));
    return NULL;
}

static bool within(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == 0 || path[n] == '/' || n == 1);
}

/* storage.local_roots: folders that exist, and that neither hold the data folder nor lie in it. */
static err *check_local_roots(const struct settings *set, const char *data) {
    str rest = settings_str(set, SET_STORAGE_LOCAL_ROOTS), part;
    int n = 0;
    while (str_split(&rest, ',', &part)) {
        char path[PATH_MAX], real[PATH_MAX];
        struct stat st;
        part = str_trim(part);
        if (!part.n) continue;
        snprintf(path, sizeof(path), "%.*s", STR_ARG(str_cut(part, sizeof(path) - 1)));
        const char *why = NULL;
        if (++n > 16)
            why = "there may be at most 16";
        else if (path[0] != '/')
            why = "it is not an absolute path";
        else if (!realpath(path, real) || stat(real, &st) != 0 || !S_ISDIR(st.st_mode))
            why = "there is no such folder";
        else if (within(real, data) || within(data, real))
            why = "it must not hold the data folder or lie in it";
        if (why)
            return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "storage.local_roots: '%.200s': %s.", path, why),
                            "List folders for external locations, separated by commas.");
    }
    return NULL;
}

/* Where no index is set, the one that whoever started us uses for himself. */
static err *take_index(struct settings *s) {
    static const char *const names[] = {"UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"};
    if (settings_str(s, SET_ENVIRONMENTS_INDEX_URL).n) return NULL;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *url = getenv(names[i]);
        if (!url || !url[0] || strchr(url, '@')) continue; /* credentials are told by their own settings */
        return settings_set(s, STR("environments.index_url"), str_of(url), SETTING_ENV);
    }
    return NULL;
}

/* A master key from the environment or a service credential goes to control in a memory file; the
 * variable is wiped. */
static err *take_master_key(int *ret_fd) {
    unsigned char key[STORE_KEY_SIZE];
    bool found = false;
    TRY(keys_master_env(key, &found));
    const char *dir = getenv("CREDENTIALS_DIRECTORY");
    if (!found && dir) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%.3900s/master.key", dir);
        if (access(path, F_OK) == 0) {
            TRY(keys_master_file(path, false, key));
            found = true;
        }
    }
    if (!found) return NULL;
    int fd = memfd_create("key", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool ok = fd >= 0 && write(fd, key, sizeof(key)) == (ssize_t)sizeof(key) &&
              fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
    keys_wipe(key, sizeof(key));
    if (ok) {
        *ret_fd = fd;
        return NULL;
    }
    err *e = err_errno("cannot keep the master key");
    if (fd >= 0) close(fd);
    return e;
}

/* For the person at the terminal; programs read DATA/connect.env. */
static void print_ready(const char *data_dir, const char *http, const char *https) {
    printf("\nBoathouse is up.\n");
    if (https) printf("  https://%s   (certificate authority: %s/tls/ca.pem)\n", https, data_dir);
    if (http) printf("  http://%s\n", http);
    printf("\nConnect a client in another terminal:\n"
           "  eval \"$(%s env --data %s)\"\n"
           "  python -c 'from databricks.sdk import WorkspaceClient as W; print(W().current_user.me())'\n"
           "`./run tour` shows the main job on real data. Ctrl-C stops.\n\n",
           program_invocation_name, data_dir);
    fflush(stdout);
}

/* It goes into answers as it is. */
static err *check_public_url(const struct settings *s) {
    str url = settings_str(s, SET_NET_PUBLIC_URL);
    size_t head = str_starts(url, STR("https://")) ? 8 : str_starts(url, STR("http://")) ? 7 : 0;
    bool ok = head && url.n > head && url.n < 256;
    for (size_t i = head; ok && i < url.n; i++) {
        char c = url.p[i];
        ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr(".-_:[]", c) || (c == '/' && i + 1 == url.n);
    }
    if (!url.n || ok) return NULL;
    return err_new(ERR_INVALID_PARAMETER_VALUE, "net.public_url '%.*s' is not https://host[:port].", STR_ARG(str_cut(url, 200)));
}

/* What cannot change while we run, for `boathouse settings`: lines of name, source, value. Secrets stay out. */
static err *note_settings(const char *dir, const struct settings *set) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.3900s/" MAIN_STARTED_SETTINGS, dir);
    buf b = {0};
    for (int i = 0; i < SETTING_COUNT; i++)
        if (!setting_rows[i].reload && !setting_rows[i].secret)
            buf_fmt(&b, "%s\t%d\t%s\n", setting_rows[i].name, (int)set->v[i].source, set->v[i].text);
    err *e = files_write(path, buf_view(&b), 0600);
    buf_free(&b);
    return e;
}

static err *serve(struct serve *s, int argc, char **argv, char *dir) {
    TRY(read_options(s, argc, argv, false));
    if (!realpath(s->data, dir)) {
        if (errno != ENOENT) return err_errno("cannot use the folder %s", s->data);
        TRY(make_dir(s->data, "", 0755));
        if (!realpath(s->data, dir)) return err_errno("cannot use the folder %s", s->data);
    }
    char path[PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s/boathouse.toml", dir);
    TRY(settings_read_file(&s->settings, path, SETTING_FILE));
    TRY(settings_read_env(&s->settings, environ));
    TRY(read_options(s, argc, argv, true));
    if (s->test_clock) TRY(settings_set(&s->settings, STR("clock.test"), STR("true"), SETTING_COMMAND));
    bool json = str_eqz(settings_str(&s->settings, SET_LOG_FORM), "json");
    int fd = 2;
    str file = settings_str(&s->settings, SET_LOG_FILE);
    if (file.n) {
        fd = open(file.p, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (fd < 0) return err_errno("cannot open the log file %s", file.p);
    }
    log_setup("supervisor", json ? LOG_JSON : LOG_HUMAN, settings_log_level(&s->settings), fd);
    TRY(prepare_folder(dir));
    TRY(check_local_roots(&s->settings, dir));
    TRY(check_public_url(&s->settings));
    static char base_env[PATH_MAX], python_dir[PATH_MAX], uv[PATH_MAX], engine[PATH_MAX], duckdb[PATH_MAX];
    str env = settings_str(&s->settings, SET_ENVIRONMENTS_PYTHON);
    if (env.n && !realpath(env.p, base_env))
        return err_hint(err_errno("cannot use %s", env.p), "Correct environments.python.");
    TRY(take_index(&s->settings));
    TRY(note_settings(dir, &s->settings));
    int key_fd = -1;
    TRY(take_master_key(&key_fd));
    buf chain = {0}, key = {0};
    if (!str_eqz(settings_str(&s->settings, SET_HTTPS_ADDRESS), "off"))
        TRY(tls_setup(dir, &s->settings, &chain, &key));
    struct supervisor_options o = {.data_dir = dir,
                                   .tls_chain = &chain,
                                   .tls_key = &key,
                                   .renew_tls = tls_setup,
                                   .settings = &s->settings,
                                   .base_env = env.n ? base_env
                                                     : main_shipped(base_env, MAIN_BASE_ENV),
                                   .python_dir = main_shipped(python_dir, MAIN_PYTHON),
                                   .uv = main_shipped(uv, MAIN_UV),
                                   .engine = main_shipped(engine, MAIN_ENGINE),
                                   .duckdb = main_shipped(duckdb, MAIN_DUCKDB),
                                   .master_key_fd = key_fd,
                                   .log_fd = fd,
                                   .on_ready = print_ready,
                                   .test_clock = s->test_clock};
    return supervisor_run(&o);
}

int cmd_serve(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) {
            fputs(USAGE, stdout);
            return 0;
        }
    unsigned char seed[16];
    rand_bytes(seed, sizeof(seed));
    map_seed(seed);
    static char dir[PATH_MAX];
    struct serve s = {.data = "data"};
    settings_init(&s.settings);
    err *e = serve(&s, argc, argv, dir);
    settings_free(&s.settings);
    return e ? main_fail(e, 2) : 0;
}
