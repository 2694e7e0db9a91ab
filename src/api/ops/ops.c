/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/gen_routes.h"
#include "base/time.h"
#include "identity/identity.h"
#include "store/backup.h"
#include "store/journal.h"
#include "sys/files.h"
#include "sys/rand.h"

extern const char openapi_text[];
extern const size_t openapi_size;

#define MAX_REPORTS 100u
#define MAX_REPORT_BYTES (64u * 1024u)

err *api_ops_openapi(struct req *r) {
    req_body(r, 200, "application/json", str_n(openapi_text, openapi_size));
    return NULL;
}

err *api_ops_readyz(struct req *r) {
    uint64_t space = 0;
    TRY(files_space(r->control->data_dir, &space, NULL));
    if ((int64_t)space < settings_int(&r->control->settings, SET_STORAGE_RESERVE))
        return err_new(ERR_TEMPORARILY_UNAVAILABLE, "The disk is nearly full.");
    json_put_z(r->doc, req_out(r), "status", "ok");
    return NULL;
}

/* The supervisor answers with a frame of the same stream number. */
err *api_ops_status(struct req *r) {
    CHAN_SEND(r->control->supervisor, status_ask, req_park(r), -1, .none = 0);
    return NULL;
}

err *api_ops_clock(struct req *r) {
    int64_t ms = arg_i64(r, "advance_ms", -1);
    if (!settings_bool(&r->control->settings, SET_CLOCK_TEST))
        return err_new(ERR_ENDPOINT_NOT_FOUND, "The clock of this platform is not driven.");
    if (ms < 0 || ms > 100ll * 365 * 24 * 3600 * 1000)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "advance_ms %lld is out of bounds (0 to 100 years).",
                       (long long)ms);
    CHAN_SEND(r->control->supervisor, advance, req_park(r), -1, .ms = (uint64_t)ms);
    return NULL;
}

static err *reports_dir(struct req *r, char *path, size_t n) {
    int w = snprintf(path, n, "%s/crash", r->control->data_dir);
    return w > 0 && (size_t)w < n ? NULL : err_new(ERR_INTERNAL_ERROR, "path too long");
}

err *api_ops_crash_list(struct req *r) {
    char dir[4096];
    TRY(reports_dir(r, dir, sizeof(dir)));
    struct files_names names;
    TRY(files_list(dir, 100000, &names));
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "reports");
    for (size_t i = names.n; i > 0 && names.n - i < MAX_REPORTS; i--) {
        /* <ms>-<role>-<pid>.txt */
        str name = arena_str(r->a, str_of(names.p[i - 1])), rest = name, ms, role;
        if (!str_split(&rest, '-', &ms) || !str_split(&rest, '-', &role)) continue;
        int64_t at;
        if (!str_to_i64(ms, &at)) continue;
        jmut *e = json_add_obj(r->doc, list);
        json_put_str(r->doc, e, "name", name);
        json_put_int(r->doc, e, "time", at);
        json_put_str(r->doc, e, "role", role);
    }
    files_names_free(&names);
    return NULL;
}

err *api_ops_crash_get(struct req *r) {
    char dir[4096], path[4400];
    str name = arg_str(r, "name");
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '/' || (name.p[i] == '.' && i == 0))
            return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "There is no such crash report.");
    TRY(reports_dir(r, dir, sizeof(dir)));
    snprintf(path, sizeof(path), "%s/%.*s", dir, STR_ARG(str_cut(name, 200)));
    buf b = {0};
    err *e = files_read(path, MAX_REPORT_BYTES, &b);
    if (e) {
        err_free(e);
        buf_free(&b);
        return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "There is no crash report '%.*s'.",
                       STR_ARG(str_cut(name, 200)));
    }
    jmut *o = req_out(r);
    json_put_str(r->doc, o, "name", name);
    str text = arena_str(r->a, buf_view(&b));
    json_put_str(r->doc, o, "text", str_is_utf8(text) ? text : STR("(not text)"));
    buf_free(&b);
    return NULL;
}

err *api_ops_journal(struct req *r) {
    int64_t limit = arg_i64(r, "max_results", 100);
    if (limit < 1 || limit > JOURNAL_MAX_PAGE)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "max_results %lld is out of bounds (1 to %d).",
                       (long long)limit, JOURNAL_MAX_PAGE);
    struct journal_rows rows;
    TRY(journal_list(r->tx, r->scope, r->a, arg_i64(r, "before_seq", 0), (int)limit, &rows));
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "entries");
    for (size_t i = 0; i < rows.n; i++) {
        const struct journal_row *j = &rows.p[i];
        jmut *e = json_add_obj(r->doc, list);
        json_put_int(r->doc, e, "sequence", j->seq);
        json_put_z(r->doc, e, "time", time_rfc3339(r->a, j->time, 6));
        json_put_int(r->doc, e, "principal_id", j->principal);
        json_put_str(r->doc, e, "request_id", j->request_id);
        json_put_str(r->doc, e, "client", j->client);
        json_put_str(r->doc, e, "action", j->action);
        json_put_str(r->doc, e, "securable_type", j->securable_type);
        json_put_int(r->doc, e, "securable_id", j->securable_id);
        json_put_str(r->doc, e, "securable_name", j->securable_name);
        json_put_str(r->doc, e, "outcome", j->outcome);
    }
    if (rows.n == (size_t)limit) json_put_int(r->doc, o, "next_before_seq", rows.p[rows.n - 1].seq);
    return NULL;
}

/* Letters, digits, - and _: a folder's name, never a path. */
static bool plain_name(str n) {
    if (!n.n || n.n > 64) return false;
    for (size_t i = 0; i < n.n; i++) {
        char c = n.p[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_';
        if (!ok) return false;
    }
    return true;
}

err *api_ops_backup(struct req *r) {
    str name = arg_str(r, "name");
    if (!plain_name(name))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "name '%.*s' must be 1 to 64 letters, digits, - or _.",
                       STR_ARG(str_cut(name, 80)));
    char *dir = arena_printf(r->a, "%s/backups", r->control->data_dir);
    TRY(files_mkdirs(dir, 0700));
    dir = arena_printf(r->a, "%s/%.*s", dir, STR_ARG(name));
    struct backup_info info;
    TRY(store_backup(r->control->store, dir, &info));
    jmut *o = req_out(r);
    json_put_int(r->doc, o, "sequence", info.sequence[STORE_META]);
    json_put_int(r->doc, o, "bytes", info.bytes);
    json_put_z(r->doc, o, "path",
               arena_printf(r->a, "%s/backups/%.*s", r->control->host_data, STR_ARG(name)));
    return NULL;
}

/* A workspace and a token in it, in one transaction: what a test or a CI job starts with. */
err *api_ops_workspace_create(struct req *r) {
    struct ent_workspace w;
    str name = arg_str(r, "workspace_name");
    char made[40];
    snprintf(made, sizeof(made), "workspace %llx", (unsigned long long)rand_id());
    TRY(identity_workspace_create(r->tx, r->a, name.n ? name : str_of(made), STR(""),
                                  arg_bool(r, "ephemeral", false), r->principal, &w));
    struct new_token *t = arena_new_of(r->a, struct new_token);
    TRY(identity_token_create(r->tx, w.id, r->principal, STR("made with the workspace"), 0, t));
    store_tx_securable(r->tx, "workspace", w.id, w.name);
    uint64_t key = (uint64_t)w.id;
    req_fact(r, FACT_WORKSPACE, false, false, map_key_u64(&key), identity_workspace_fact(r->a, &w), -1);
    TRY(identity_publish(r, r->principal, false));
    req_fact(r, FACT_TOKEN, false, false, t->row.hash, identity_token_fact(r->a, &t->row), -1);
    jmut *o = req_out(r);
    json_put_int(r->doc, o, "workspace_id", w.id);
    json_put_str(r->doc, o, "workspace_name", arena_str(r->a, w.name));
    json_put_str(r->doc, o, "deployment_name", arena_str(r->a, w.deployment_name));
    json_put_z(r->doc, o, "token_value", t->text);
    return NULL;
}
