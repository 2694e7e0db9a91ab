/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUT, GET, REMOVE and LIST of volumes and of users' own staging places. The first three are carried out by the client's
 * driver: the answer is one row that says what to do with which signed URL of the Files API. Rights are decided here, when
 * the URL is made.
 *
 *   /Volumes/<catalog>/<schema>/<volume>/…   a volume, by its grants
 *   stage://tmp/<user>/…                     the user's own, of the workspace; nobody else's
 */
#include "api/unity_catalog/asks_int.h"
#include "catalog/stores.h"
#include "catalog/volumes.h"
#include "files/sign.h"
#include "files/tree.h"

/* A file's place in the tree. */
struct place {
    struct store_scope scope;
    str path;
};

static err *bad_path(str raw, const char *operation) {
    return ask_error("INVALID_STAGING_PATH_IN_STAGING_ACCESS_QUERY", "42604",
                     "%s: '%.*s' is neither /Volumes/<catalog>/<schema>/<volume>/… nor stage://tmp/<user>/….", operation,
                     STR_ARG(str_cut(raw, 300)));
}

static err *open_stage(struct req *r, str raw, const char *operation, struct place *ret) {
    str path, rest, first, user;
    TRY(ask_sql(tree_path(r->a, str_of(arena_printf(r->a, "/%.*s", STR_ARG(str_from(raw, 8)))), &path)));
    rest = str_from(path, 1);
    if (!str_split(&rest, '/', &first) || !str_eqz(first, "tmp") || !str_split(&rest, '/', &user) || !user.n)
        return bad_path(raw, operation);
    if (!str_eq(user, r->principal_name))
        return ask_error("PERMISSION_DENIED", "42501", "The staging place of '%.*s' is that user's alone.", STR_ARG(str_cut(user, 200)));
    *ret = (struct place){{r->scope.account, r->scope.workspace}, str_of(arena_printf(r->a, "/.stage%.*s", STR_ARG(path)))};
    return NULL;
}

/* A path is told to be wrong by its first wrong part, as far as the user may know of it. */
static err *open_volume(struct req *r, struct ask *k, str path, bool write, struct place *ret) {
    struct securable catalog;
    str rest = str_from(path, 9), first;
    bool found = false;
    ret->scope = (struct store_scope){r->scope.account, 0};
    if (str_split(&rest, '/', &first) && !str_eqz(first, ".id")) {
        TRY(ask_sql(securable_find(k->c, SEC_CATALOG, first, &catalog, &found)));
        if (found) TRY(ask_sql(securable_unbound(k->c, &catalog)));
        if (!found || !securable_visible(k->c, &catalog))
            return ask_error("NO_SUCH_CATALOG_EXCEPTION", "42704", "NOT_FOUND: Catalog '%.*s' does not exist.", STR_ARG(str_cut(first, 255)));
    }
    return ask_sql(volumes_file_access(k->c, str_from(path, 9), write, &ret->path));
}

/* The client's path, decided. */
static err *open_path(struct req *r, struct ask *k, str raw, const char *operation, bool write, struct place *ret) {
    str path;
    if (str_starts(raw, STR("stage://"))) return open_stage(r, raw, operation, ret);
    if (str_starts(raw, STR("dbfs:/"))) raw = str_from(raw, 5);
    if (!str_starts(raw, STR("/Volumes/"))) return bad_path(raw, operation);
    TRY(ask_sql(tree_path(r->a, raw, &path)));
    if (!str_starts(path, STR("/Volumes/"))) return bad_path(raw, operation);
    return open_volume(r, k, path, write, ret);
}

/* The URL on the door that the statement's client came through. */
static str signed_url(struct req *r, const struct place *at, const char *verb, const char *extra) {
    return files_sign_url(r, at->scope, at->path, verb, str_of(extra), 0);
}

/* What lies in an external volume's store is asked there, when the URL is used. */
static bool is_outside(str kept) { return str_starts(kept, STR("s3://")); }

static void say(struct ask *k, const char *operation, str url, str local) {
    ask_columns(k, "operation, presignedUrl, headers, localFile");
    jmut *row = ask_row(k);
    ask_put_z(k, row, operation);
    ask_put(k, row, url);
    ask_put_z(k, row, "{}");
    ask_put(k, row, local);
    jmut *o = json_put_obj(k->d, k->out, "staging");
    json_put_z(k->d, o, "operation", operation);
}

static err *begin(struct req *r, struct caller *c, struct ask *k, const char *slot, const char *operation, bool write, struct place *at) {
    TRY(uc_ask_begin(r, c, k));
    return open_path(r, k, ask_text(k, slot), operation, write, at);
}

static err *need_local(str local, const char *operation) {
    if (local.n) return NULL;
    return ask_error("EMPTY_LOCAL_FILE_IN_STAGING_ACCESS_QUERY", "22023", "%s names no local file.", operation);
}

err *uc_put_file(struct req *r) {
    struct caller c;
    struct ask k;
    struct ent_file_object row;
    struct place at;
    bool found;
    TRY(begin(r, &c, &k, "target", "PUT", true, &at));
    TRY(need_local(ask_text(&k, "location"), "PUT"));
    if (is_outside(at.path)) {
        say(&k, "PUT", signed_url(r, &at, "PUT", ask_flag(&k, "overwrite") ? "" : "create"), ask_text(&k, "location"));
        return NULL;
    }
    TRY(tree_find(r->tx, at.scope, r->a, at.path, &row, &found));
    if (found && !ask_flag(&k, "overwrite"))
        return ask_error("FILE_IN_STAGING_PATH_ALREADY_EXISTS", "42K04", "There is a file at %.*s already. Use OVERWRITE to replace it.",
                         STR_ARG(str_cut(ask_text(&k, "target"), 600)));
    say(&k, "PUT", signed_url(r, &at, "PUT", ""), ask_text(&k, "location"));
    return NULL;
}

/* Whether the file is there, the URL says: drivers show its 404. */
err *uc_get_file(struct req *r) {
    struct caller c;
    struct ask k;
    struct place at;
    TRY(begin(r, &c, &k, "location", "GET", false, &at));
    TRY(need_local(ask_text(&k, "target"), "GET"));
    say(&k, "GET", signed_url(r, &at, "GET", ""), ask_text(&k, "target"));
    return NULL;
}

err *uc_remove_file(struct req *r) {
    struct caller c;
    struct ask k;
    struct place at;
    struct ent_file_object row;
    bool found;
    TRY(begin(r, &c, &k, "location", "REMOVE", true, &at));
    found = is_outside(at.path);
    row.is_dir = false;
    if (!found) TRY(tree_find(r->tx, at.scope, r->a, at.path, &row, &found));
    if (!found || row.is_dir)
        return ask_error("PATH_NOT_FOUND", "42K03", "Path does not exist: %.*s.", STR_ARG(str_cut(ask_text(&k, "location"), 600)));
    say(&k, "REMOVE", signed_url(r, &at, "DELETE", "remove"), STR_NONE);
    return NULL;
}

#define MOST_LISTED 10000

/* The second step of LIST: of an external volume's store. */
err *uc_list_outside(struct req *r) {
    struct store_at *at = r->state;
    struct caller c = {.a = r->a};
    struct ask k = {.c = &c, .in = r->args, .d = req_doc(r), .out = req_out(r)}; /* no store here: rights were decided before */
    int64_t limit = MOST_LISTED, n = 0;
    if (!at) return NULL;
    (void)json_i64(json_get(k.in, "limit"), &limit);
    if (limit < 0 || limit > MOST_LISTED) limit = MOST_LISTED;
    str shown = ask_text(&k, "location"), prefix = at->key.n ? str_of(arena_printf(r->a, "%.*s/", STR_ARG(at->key))) : STR("");
    while (shown.n && shown.p[shown.n - 1] == '/') shown.n--;
    ask_columns(&k, "path, name, size bigint, modification_time bigint");
    struct storage_list_ask ask = {.prefix = prefix, .delimiter = true};
    struct storage_list page = {.next = STR("")};
    do {
        TRY(storage_list(at->s, r->a, &ask, &page));
        for (size_t i = 0; i < page.n && n < limit; i++) {
            const struct storage_entry *x = &page.entries[i];
            str name = str_from(x->key, prefix.n);
            if (!name.n) continue;
            jmut *row = ask_row(&k);
            ask_put(&k, row, str_of(arena_printf(r->a, "%.*s/%.*s", STR_ARG(shown), STR_ARG(name))));
            ask_put(&k, row, name);
            ask_put(&k, row, str_of(arena_printf(r->a, "%lld", (long long)x->size)));
            ask_put(&k, row, str_of(arena_printf(r->a, "%lld", (long long)(x->mtime / 1000))));
            n++;
        }
        ask.token = page.next;
    } while (page.next.n && n < limit);
    return NULL;
}

err *uc_list_files(struct req *r) {
    struct caller c;
    struct ask k;
    struct ent_file_object_rows rows;
    struct place at;
    str shown;
    int64_t limit = MOST_LISTED;
    TRY(begin(r, &c, &k, "location", "LIST", false, &at));
    if (is_outside(at.path)) {
        struct store_at *outside = arena_new_of(r->a, struct store_at);
        r->state = outside;
        return ask_sql(stores_open(&c, arena_str(r->a, at.path), outside));
    }
    (void)json_i64(json_get(k.in, "limit"), &limit);
    if (limit < 0 || limit > MOST_LISTED) limit = MOST_LISTED;
    shown = ask_text(&k, "location");
    while (shown.n && shown.p[shown.n - 1] == '/') shown.n--;
    ask_columns(&k, "path, name, size bigint, modification_time bigint");
    err *e = tree_list(r->tx, at.scope, r->a, at.path, STR(""), (int)limit, &rows);
    if (err_code_of(e) == ERR_NOT_FOUND || err_code_of(e) == ERR_RESOURCE_DOES_NOT_EXIST) { /* a volume without files has no folder yet */
        err_free(e);
        return NULL;
    }
    if (e) return e;
    for (size_t i = 0; i < rows.n; i++) {
        jmut *row = ask_row(&k);
        ask_put(&k, row, str_of(arena_printf(r->a, "%.*s/%.*s%s", STR_ARG(shown), STR_ARG(rows.p[i].name), rows.p[i].is_dir ? "/" : "")));
        ask_put(&k, row, str_of(arena_printf(r->a, "%.*s%s", STR_ARG(rows.p[i].name), rows.p[i].is_dir ? "/" : "")));
        ask_put(&k, row, str_of(arena_printf(r->a, "%lld", (long long)rows.p[i].size)));
        ask_put(&k, row, str_of(arena_printf(r->a, "%lld", (long long)(rows.p[i].modified_at / 1000))));
    }
    return NULL;
}
