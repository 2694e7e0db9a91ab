/* SPDX-License-Identifier: Apache-2.0 */
/* Commands token, user, workspace: thin clients of the platform's own API. */
#include <stdio.h>

#include "base/time.h"
#include "main/cli.h"

/* Opens the platform, runs one of a command's verbs. */
struct verb {
    const char *name;
    size_t least, most; /* words after the verb */
    err *(*fn)(struct cli *c, const struct cli_args *a);
};

static int run(int argc, char **argv, const char *usage, const char *const *known,
               const struct verb *verbs, size_t n) {
    if (cli_help(argc, argv)) return cli_usage(usage, true);
    struct cli_args a;
    err *e = cli_parse(argc, argv, known, &a);
    if (e) return main_fail(e, 2);
    for (size_t i = 0; i < n; i++) {
        if (!a.word_n || strcmp(a.word[0], verbs[i].name) != 0) continue;
        if (a.word_n - 1 < verbs[i].least || a.word_n - 1 > verbs[i].most) break;
        struct cli *c = NULL;
        e = cli_open(a.data, &c);
        if (!e) e = verbs[i].fn(c, &a);
        cli_close(c);
        return e ? main_fail(e, 1) : 0;
    }
    return cli_usage(usage, false);
}

static void print_time(arena *a, int64_t ms) {
    printf("  %-20s", ms > 0 ? time_rfc3339(a, ms * 1000, 0) : "never");
}

/* Of a JSON object, as text to send. */
static str text_of(struct cli *c, jmut *o) { return json_text(cli_arena(c), o); }

/* A path's or query's part: everything but letters, digits and -._~ as %XX. */
static const char *escaped(struct cli *c, const char *s) {
    buf b = {0};
    for (; *s; s++) {
        unsigned char ch = (unsigned char)*s;
        bool plain = (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
                     strchr("-._~", ch) != NULL;
        if (plain)
            buf_c(&b, (char)ch);
        else
            buf_fmt(&b, "%%%02X", ch);
    }
    char *ret = arena_strndup(cli_arena(c), b.p ? b.p : "", b.n);
    buf_free(&b);
    return ret;
}

/* ---- token ---- */

static const char TOKEN_USAGE[] =
    "usage: boathouse token create [--comment TEXT] [--lifetime SECONDS] [--data DIR]\n"
    "       boathouse token list [--data DIR]\n"
    "       boathouse token revoke ID [--data DIR]\n\n"
    "Tokens of the first admin. A new token is printed once, on a line of its own.\n";
static const char *const TOKEN_OPTIONS[] = {"--comment=", "--lifetime=", NULL};

static err *token_create(struct cli *c, const struct cli_args *a) {
    jdoc *d = json_doc(cli_arena(c));
    jmut *o = yyjson_mut_obj(d);
    json_put_z(d, o, "comment", a->value[0] ? a->value[0] : "made by boathouse token");
    int64_t seconds;
    if (a->value[1]) {
        if (!str_to_i64(str_of(a->value[1]), &seconds))
            return err_new(ERR_INVALID_PARAMETER_VALUE, "--lifetime '%s' is not a number of seconds.",
                           a->value[1]);
        json_put_int(d, o, "lifetime_seconds", seconds);
    }
    jval *v;
    TRY(cli_call(c, "POST", "/api/2.0/token/create", text_of(c, o), &v));
    printf("%.*s\n", STR_ARG(json_get_str(v, "token_value")));
    return NULL;
}

static err *token_list(struct cli *c, const struct cli_args *a) {
    (void)a;
    jval *v, *t;
    TRY(cli_call(c, "GET", "/api/2.0/token/list", STR(""), &v));
    size_t i, n;
    printf("%-64s  %-20s  %-20s  %s\n", "id", "created", "expires", "comment");
    yyjson_arr_foreach(json_get(v, "token_infos"), i, n, t) {
        int64_t created = 0, expires = 0;
        json_i64(json_get(t, "creation_time"), &created);
        json_i64(json_get(t, "expiry_time"), &expires);
        printf("%-64.*s", STR_ARG(json_get_str(t, "token_id")));
        print_time(cli_arena(c), created);
        print_time(cli_arena(c), expires);
        printf("  %.*s\n", STR_ARG(json_get_str(t, "comment")));
    }
    return NULL;
}

static err *token_revoke(struct cli *c, const struct cli_args *a) {
    jdoc *d = json_doc(cli_arena(c));
    jmut *o = yyjson_mut_obj(d);
    json_put_z(d, o, "token_id", a->word[1]);
    return cli_call(c, "POST", "/api/2.0/token/delete", text_of(c, o), NULL);
}

int cmd_token(int argc, char **argv) {
    static const struct verb verbs[] = {
        {"create", 0, 0, token_create}, {"list", 0, 0, token_list}, {"revoke", 1, 1, token_revoke}};
    return run(argc, argv, TOKEN_USAGE, TOKEN_OPTIONS, verbs, ARRAY_LEN(verbs));
}

/* ---- user ---- */

#define USERS "/api/2.0/preview/scim/v2/Users"

static const char USER_USAGE[] =
    "usage: boathouse user create NAME [--display TEXT] [--data DIR]\n"
    "       boathouse user list [--data DIR]\n"
    "       boathouse user delete NAME [--data DIR]\n\n"
    "Users of the account, members of the default workspace.\n";
static const char *const USER_OPTIONS[] = {"--display=", NULL};

static err *user_create(struct cli *c, const struct cli_args *a) {
    jdoc *d = json_doc(cli_arena(c));
    jmut *o = yyjson_mut_obj(d);
    json_put_z(d, o, "userName", a->word[1]);
    json_put_z(d, o, "displayName", a->value[0] ? a->value[0] : a->word[1]);
    jval *v;
    TRY(cli_call(c, "POST", USERS, text_of(c, o), &v));
    printf("%.*s\n", STR_ARG(json_get_str(v, "id")));
    return NULL;
}

static err *user_list(struct cli *c, const struct cli_args *a) {
    (void)a;
    printf("%-20s  %-7s %-32s %s\n", "id", "active", "user", "name");
    for (int64_t start = 1;;) {
        jval *v, *u;
        TRY(cli_call(c, "GET", arena_printf(cli_arena(c), USERS "?startIndex=%lld&count=1000", (long long)start),
                     STR(""), &v));
        size_t i, n;
        yyjson_arr_foreach(json_get(v, "Resources"), i, n, u)
            printf("%-20.*s  %-7s %-32.*s %.*s\n", STR_ARG(json_get_str(u, "id")),
                   yyjson_is_true(json_get(u, "active")) ? "yes" : "no",
                   STR_ARG(json_get_str(u, "userName")), STR_ARG(json_get_str(u, "displayName")));
        size_t got = yyjson_arr_size(json_get(v, "Resources"));
        if (got == 0) return NULL;
        start += (int64_t)got;
    }
}

static err *user_delete(struct cli *c, const struct cli_args *a) {
    if (strchr(a->word[1], '"') || strchr(a->word[1], '\\'))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%s' is not a user name.", a->word[1]);
    const char *filter = escaped(c, arena_printf(cli_arena(c), "userName eq \"%s\"", a->word[1]));
    jval *v;
    TRY(cli_call(c, "GET", arena_printf(cli_arena(c), USERS "?filter=%s", filter), STR(""), &v));
    jval *u = yyjson_arr_get_first(json_get(v, "Resources"));
    if (!u) return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "There is no user '%s'.", a->word[1]);
    str id = json_get_str(u, "id");
    return cli_call(c, "DELETE", arena_printf(cli_arena(c), USERS "/%.*s", STR_ARG(id)), STR(""), NULL);
}

int cmd_user(int argc, char **argv) {
    static const struct verb verbs[] = {
        {"create", 1, 1, user_create}, {"list", 0, 0, user_list}, {"delete", 1, 1, user_delete}};
    return run(argc, argv, USER_USAGE, USER_OPTIONS, verbs, ARRAY_LEN(verbs));
}

/* ---- workspace ---- */

static const char WORKSPACE_USAGE[] =
    "usage: boathouse workspace create [--name NAME] [--ephemeral] [--data DIR]\n"
    "       boathouse workspace list [--data DIR]\n"
    "       boathouse workspace delete ID [--data DIR]\n\n"
    "`create` prints exports of the new workspace for a shell: eval \"$(boathouse workspace create)\"\n"
    "One that is --ephemeral goes with all its objects and files when the platform stops; what is left is\n"
    "removed at the next start.\n";
static const char *const WORKSPACE_OPTIONS[] = {"--name=", "--ephemeral", NULL};

static err *workspace_create(struct cli *c, const struct cli_args *a) {
    jdoc *d = json_doc(cli_arena(c));
    jmut *o = yyjson_mut_obj(d);
    if (a->value[0]) json_put_z(d, o, "workspace_name", a->value[0]);
    json_put_bool(d, o, "ephemeral", a->value[1] != NULL);
    jval *v;
    TRY(cli_call(c, "POST", "/api/boathouse/workspaces", text_of(c, o), &v));
    int64_t id = 0;
    json_i64(json_get(v, "workspace_id"), &id);
    str token = json_get_str(v, "token_value");
    cli_export("DATABRICKS_HOST", cli_env(c, "DATABRICKS_HOST"));
    cli_export("DATABRICKS_TOKEN", arena_strndup(cli_arena(c), token.p, token.n));
    cli_export("DATABRICKS_WORKSPACE_ID", arena_printf(cli_arena(c), "%lld", (long long)id));
    static const char *const ca[] = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"};
    for (size_t i = 0; i < ARRAY_LEN(ca); i++)
        if (cli_env(c, ca[i])) cli_export(ca[i], cli_env(c, ca[i]));
    return NULL;
}

/* The account API's path names the account, which discovery tells. */
static err *account_path(struct cli *c, const char **ret) {
    jval *v;
    TRY(cli_call(c, "GET", "/.well-known/databricks-config", STR(""), &v));
    *ret = arena_printf(cli_arena(c), "/api/2.0/accounts/%.*s/workspaces",
                        STR_ARG(json_get_str(v, "account_id")));
    return NULL;
}

static err *workspace_list(struct cli *c, const struct cli_args *a) {
    (void)a;
    const char *path;
    jval *v, *w;
    TRY(account_path(c, &path));
    TRY(cli_call(c, "GET", path, STR(""), &v));
    printf("%-20s  %-10s %-24s %s\n", "id", "state", "host name", "name");
    size_t i, n;
    yyjson_arr_foreach(v, i, n, w) {
        int64_t id = 0;
        json_i64(json_get(w, "workspace_id"), &id);
        printf("%-20lld  %-10.*s %-24.*s %.*s\n", (long long)id,
               STR_ARG(json_get_str(w, "workspace_status")), STR_ARG(json_get_str(w, "deployment_name")),
               STR_ARG(json_get_str(w, "workspace_name")));
    }
    return NULL;
}

static err *workspace_delete(struct cli *c, const struct cli_args *a) {
    const char *path;
    int64_t id;
    if (!str_to_i64(str_of(a->word[1]), &id))
        return err_hint(err_new(ERR_INVALID_PARAMETER_VALUE, "'%s' is not a workspace id.", a->word[1]),
                        "`boathouse workspace list` shows them.");
    TRY(account_path(c, &path));
    return cli_call(c, "DELETE", arena_printf(cli_arena(c), "%s/%lld", path, (long long)id), STR(""), NULL);
}

int cmd_workspace(int argc, char **argv) {
    static const struct verb verbs[] = {{"create", 0, 0, workspace_create},
                                        {"list", 0, 0, workspace_list},
                                        {"delete", 1, 1, workspace_delete}};
    return run(argc, argv, WORKSPACE_USAGE, WORKSPACE_OPTIONS, verbs, ARRAY_LEN(verbs));
}
