/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PUT, GET, REMOVE and LIST of volumes. The first three are carried out by the client's driver: the answer is one row that
 * says what to do with which signed URL of the Files API. Rights are decided here, when the URL is made.
 */
#include "api/unity_catalog/asks_int.h"
#include "catalog/stores.h"
#include "catalog/volumes.h"
#include "files/sign.h"
#include "files/tree.h"

/* "/Volumes/…" of the client, decided; *kept is where the file is kept. */
static err *open_path(struct req *r, struct ask *k, str raw, bool write, str *kept) {
    str path;
    if (str_starts(raw, STR("dbfs:/"))) raw = str_from(raw, 5);
    TRY(ask_sql(tree_path(r->a, raw, &path)));
    if (!str_starts(path, STR("/Volumes/")))
        return ask_error("INVALID_PARAMETER_VALUE", "22023", "'%.*s' is not the path of a volume: /Volumes/<catalog>/<schema>/<volume>/….",
                         STR_ARG(str_cut(raw, 300)));
    return ask_sql(volumes_file_access(k->c, str_from(path, 9), write, kept));
}

/* The URL on the door that the statement's client came through. */
static str signed_url(struct req *r, str kept, const char *verb, const char *extra) {
    return files_sign_url(r, (struct store_scope){r->scope.account, 0}, kept, verb, str_of(extra), 0);
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

static err *begin(struct req *r, struct caller *c, struct ask *k, const char *slot, bool write, str *kept) {
    TRY(uc_ask_begin(r, c, k));
    return open_path(r, k, ask_text(k, slot), write, kept);
}

static err *must_exist(struct req *r, str kept, str shown) {
    struct ent_file_object row;
    bool found;
    if (is_outside(kept)) return NULL;
    TRY(tree_find(r->tx, (struct store_scope){r->scope.account, 0}, r->a, kept, &row, &found));
    if (found && !row.is_dir) return NULL;
    return ask_error("PATH_NOT_FOUND", "42K03", "Path does not exist: %.*s.", STR_ARG(str_cut(shown, 600)));
}

err *uc_put_file(struct req *r) {
    struct caller c;
    struct ask k;
    struct ent_file_object row;
    str kept;
    bool found;
    TRY(begin(r, &c, &k, "target", true, &kept));
    if (is_outside(kept)) {
        say(&k, "PUT", signed_url(r, kept, "PUT", ask_flag(&k, "overwrite") ? "" : "create"), ask_text(&k, "location"));
        return NULL;
    }
    TRY(tree_find(r->tx, (struct store_scope){r->scope.account, 0}, r->a, kept, &row, &found));
    if (found && !ask_flag(&k, "overwrite"))
        return ask_error("PATH_ALREADY_EXISTS", "42K04", "Path %.*s already exists. Use OVERWRITE to replace it.",
                         STR_ARG(str_cut(ask_text(&k, "target"), 600)));
    say(&k, "PUT", signed_url(r, kept, "PUT", ""), ask_text(&k, "location"));
    return NULL;
}

err *uc_get_file(struct req *r) {
    struct caller c;
    struct ask k;
    str kept;
    TRY(begin(r, &c, &k, "location", false, &kept));
    TRY(must_exist(r, kept, ask_text(&k, "location")));
    say(&k, "GET", signed_url(r, kept, "GET", ""), ask_text(&k, "target"));
    return NULL;
}

err *uc_remove_file(struct req *r) {
    struct caller c;
    struct ask k;
    str kept;
    TRY(begin(r, &c, &k, "location", true, &kept));
    TRY(must_exist(r, kept, ask_text(&k, "location")));
    say(&k, "REMOVE", signed_url(r, kept, "DELETE", "remove"), STR_NONE);
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
    str kept, shown;
    int64_t limit = MOST_LISTED;
    TRY(begin(r, &c, &k, "location", false, &kept));
    if (is_outside(kept)) {
        struct store_at *at = arena_new_of(r->a, struct store_at);
        r->state = at;
        return ask_sql(stores_open(&c, arena_str(r->a, kept), at));
    }
    (void)json_i64(json_get(k.in, "limit"), &limit);
    if (limit < 0 || limit > MOST_LISTED) limit = MOST_LISTED;
    shown = ask_text(&k, "location");
    while (shown.n && shown.p[shown.n - 1] == '/') shown.n--;
    ask_columns(&k, "path, name, size bigint, modification_time bigint");
    err *e = tree_list(r->tx, (struct store_scope){r->scope.account, 0}, r->a, kept, STR(""), (int)limit, &rows);
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
