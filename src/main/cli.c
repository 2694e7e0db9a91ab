/* SPDX-License-Identifier: Apache-2.0 */
#include "main/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "net/http_client.h"
#include "net/tls.h"
#include "sys/files.h"

#define MAX_ENV 65536u

/* ---- arguments ---- */

bool cli_help(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0) return true;
    return false;
}

int cli_usage(const char *usage, bool asked) {
    fputs(usage, asked ? stdout : stderr);
    return asked ? 0 : 2;
}

/* One of the command's own options at argv[*i]? */
static bool known_option(int argc, char **argv, int *i, struct cli_args *a) {
    for (size_t k = 0; a->known && a->known[k]; k++) {
        const char *name = a->known[k];
        size_t n = strlen(name);
        if (name[n - 1] == '=') {
            char bare[64];
            snprintf(bare, sizeof(bare), "%.*s", (int)(n - 1), name);
            if (main_option(argc, argv, i, bare, &a->value[k])) return true;
        } else if (strcmp(argv[*i], name) == 0) {
            a->value[k] = "";
            return true;
        }
    }
    return false;
}

err *cli_parse(int argc, char **argv, const char *const *known, struct cli_args *ret) {
    *ret = (struct cli_args){.data = "data", .known = known};
    for (int i = 1; i < argc; i++) {
        if (main_option(argc, argv, &i, "--data", &ret->data) || known_option(argc, argv, &i, ret))
            continue;
        if (argv[i][0] == '-')
            return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "unknown option '%s'.", argv[i]),
                            "`boathouse %s --help` lists them.", argv[0]);
        if (ret->word_n == CLI_WORDS)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "'%s' is one argument too many.", argv[i]);
        ret->word[ret->word_n++] = argv[i];
    }
    return NULL;
}

void cli_export(const char *name, const char *value) {
    printf("export %s='", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*p);
    }
    puts("'");
}

err *cli_running(const char *data, int *ret_pid) {
    char path[PATH_MAX], text[32] = "";
    snprintf(path, sizeof(path), "%.3900s/lock", data);
    *ret_pid = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? NULL : err_errno("cannot read %s", path);
    if (flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        ssize_t n = read(fd, text, sizeof(text) - 1);
        text[n > 0 ? n : 0] = 0;
        int64_t pid = 0;
        if (str_to_i64(str_trim(str_of(text)), &pid) && pid > 0 && pid < INT_MAX) *ret_pid = (int)pid;
    }
    close(fd);
    return NULL;
}

/* ---- talking ---- */

struct cli {
    arena *a;
    char *env; /* connect.env, lines ended by zeros */
    size_t env_n;
    loop *l;
    net *n;
    http_client *http;
    struct tls_context *tls;
    const char *host, *token;
    int status;
    str body;
    err *failed;
};

const char *cli_env(struct cli *c, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; i < c->env_n; i += strlen(c->env + i) + 1)
        if (strncmp(c->env + i, name, n) == 0 && c->env[i + n] == '=') return c->env + i + n + 1;
    return NULL;
}

arena *cli_arena(struct cli *c) { return c->a; }

static err *read_connect(struct cli *c, const char *data) {
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%.3900s/connect.env", data);
    buf b = {0};
    err *e = files_read(path, MAX_ENV, &b);
    if (e) {
        buf_free(&b);
        return err_hint(e, "Start the platform with `./run --data %s` first.", data);
    }
    c->env = arena_strndup(c->a, b.p ? b.p : "", b.n);
    c->env_n = b.n;
    buf_free(&b);
    for (size_t i = 0; i < c->env_n; i++)
        if (c->env[i] == '\n') c->env[i] = 0;
    c->host = cli_env(c, "DATABRICKS_HOST");
    c->token = cli_env(c, "DATABRICKS_TOKEN");
    if (!c->host || !c->token) return err_new(ERR_DATA_LOSS, "%s is damaged.", path);
    /* The client resolves no names; a listener on all addresses is announced as localhost. */
    const char *local = strstr(c->host, "//localhost");
    if (local)
        c->host = arena_printf(c->a, "%.*s127.0.0.1%s", (int)(local + 2 - c->host), c->host, local + 11);
    return NULL;
}

err *cli_open(const char *data, struct cli **ret) {
    struct cli *c = calloc(1, sizeof(*c));
    must(c != NULL);
    c->a = arena_new();
    err *e = read_connect(c, data);
    /* With our own CA its one certificate is enough; reading the system's 150 takes 20 ms. */
    char own[PATH_MAX];
    snprintf(own, sizeof(own), "%.3900s/tls/ca.key", data);
    const char *ca = e ? NULL : cli_env(c, files_exists(own) ? "NODE_EXTRA_CA_CERTS" : "SSL_CERT_FILE");
    buf pem = {0};
    if (!e && ca) e = files_read(ca, 16u << 20, &pem);
    if (!e && ca) e = tls_client_new(buf_view(&pem), &c->tls);
    buf_free(&pem);
    if (!e) e = loop_new(&c->l);
    if (!e) e = net_new(c->l, &c->n);
    struct http_client_options o = {.tls = c->tls};
    if (!e) e = http_client_new(c->n, &o, &c->http);
    if (e)
        cli_close(c);
    else
        *ret = c;
    return e;
}

void cli_close(struct cli *c) {
    if (!c) return;
    http_client_free(c->http);
    if (c->n) net_free(c->n);
    tls_free(c->tls);
    if (c->l) loop_free(c->l);
    err_free(c->failed);
    arena_free(c->a);
    free(c);
}

static void on_done(const struct http_reply *r, const err *e, void *arg) {
    struct cli *c = arg;
    if (e) {
        c->failed = err_hint(err_new(err_code_of(e), "%s does not answer: %s", c->host, err_msg(e)),
                             "Is the platform running? See `boathouse status`.");
    } else {
        c->status = r->status;
        c->body = arena_str(c->a, r->body);
    }
    loop_stop(c->l);
}

static err *reply_error(struct cli *c, const char *method, const char *path) {
    jval *v = NULL;
    err *e = json_parse(c->a, c->body, false, &v);
    err_free(e);
    str message = json_get_str(v, "message"), code = json_get_str(v, "error_code");
    if (!message.n) message = json_get_str(v, "detail"); /* SCIM */
    if (!message.n)
        return err_new(ERR_INTERNAL_ERROR, "%s %s was answered with status %d.", method, path, c->status);
    err_code known = err_by_name(code);
    return err_new(known == ERR_OK ? ERR_INVALID_STATE : known, "%.*s", STR_ARG(message));
}

err *cli_call(struct cli *c, const char *method, const char *path, str body, jval **ret) {
    struct http_header h[] = {
        {STR("authorization"), str_of(arena_printf(c->a, "Bearer %s", c->token))},
        {STR("content-type"), STR("application/json")},
        {STR("user-agent"), STR("boathouse-cli")},
    };
    struct http_call_ask ask = {.method = str_of(method),
                                .url = str_of(arena_printf(c->a, "%s%s", c->host, path)),
                                .headers = h,
                                .header_count = ARRAY_LEN(h),
                                .body = body,
                                .timeout_us = 120ll * 1000000,
                                .on_done = on_done,
                                .arg = c};
    c->failed = NULL;
    TRY(http_client_start(c->http, &ask, NULL));
    loop_run(c->l);
    err *e = c->failed;
    c->failed = NULL;
    if (e) return e;
    if (c->status < 200 || c->status > 299) return reply_error(c, method, path);
    if (!ret) return NULL;
    *ret = NULL;
    return c->body.n ? json_parse(c->a, c->body, false, ret) : NULL;
}
