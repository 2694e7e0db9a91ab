/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of managed volumes for engines: which there are, and the bytes of one. Rights are decided with every question, with
 * those of the statement's principal (or of the owner of the view that names the path) as they are now.
 *
 * A path's content has an id, made of the key of its blob, which is random and never used twice. An engine that asks for the
 * bytes names the id that it was told: when the path has another content meanwhile, or none, it is told so.
 *
 *   files      {path, after}  → {file, files:[[path, size, modified, id]], next}
 *   open_file  {path, id}     → a descriptor, where the blobs are on this disk; else {key, grant} for the courier
 */
#include <openssl/sha.h>

#include "api/unity_catalog/asks_int.h"
#include "base/enc.h"
#include "catalog/stores.h"
#include "catalog/volumes.h"
#include "files/blob.h"
#include "files/tree.h"
#include "delta/action.h"

#define PAGE 2000
#define PAGE_BYTES (2u << 20)

struct at {
    struct store_scope scope;
    str shown; /* /Volumes/<catalog>/<schema>/<volume>/… */
    str kept;  /* the same as a path of the tree */
};

static err *place(struct req *r, struct ask *k, struct at *ret) {
    struct securable v;
    struct caller who;
    str path, rest;
    TRY(ask_sql(tree_path(r->a, ask_text(k, "path"), &path)));
    if (!str_starts(path, STR("/Volumes/"))) return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no path of a volume.", STR_ARG(path));
    TRY(ask_definer(k, &who));
    TRY(ask_sql(volumes_of_path(&who, str_from(path, 9), &v, &rest)));
    TRY(ask_need(&who, &v, PRIV_READ_VOLUME));
    if (v.volume.location.n) return err_new(ERR_INVALID_STATE, "The volume '%.*s' is external.", STR_ARG(v.full_name));
    str kept = volumes_storage_path(r->a, v.id);
    const char *slash = rest.n ? "/" : "";
    ret->scope = (struct store_scope){r->scope.account, 0};
    ret->kept = str_of(arena_printf(r->a, "%.*s%s%.*s", STR_ARG(kept), slash, STR_ARG(rest)));
    ret->shown = str_of(arena_printf(r->a, "%.*s%s%.*s", STR_ARG(volumes_shown(r->a, &v)), slash, STR_ARG(rest)));
    return NULL;
}

static str id_of(arena *a, const struct ent_file_object *f) {
    unsigned char sum[SHA256_DIGEST_LENGTH];
    buf hex = {0};
    SHA256((const unsigned char *)f->storage_key.p, f->storage_key.n, sum);
    enc_hex(&hex, str_n((char *)sum, 16));
    str id = arena_str(a, buf_view(&hex));
    buf_free(&hex);
    return id;
}

static void put_file(struct req *r, jmut *list, str shown, const struct ent_file_object *f) {
    jdoc *d = req_doc(r);
    jmut *row = yyjson_mut_arr_add_arr(d, list);
    json_add_str(d, row, shown);
    yyjson_mut_arr_add_sint(d, row, f->size);
    yyjson_mut_arr_add_sint(d, row, f->modified_at);
    json_add_str(d, row, id_of(r->a, f));
}

err *uc_files(struct req *r) {
    struct caller c;
    struct ask k;
    struct at at;
    struct ent_file_object one;
    struct ent_file_object_rows rows;
    bool found;
    TRY(uc_ask_begin(r, &c, &k));
    TRY(place(r, &k, &at));
    TRY(tree_find(r->tx, at.scope, r->a, at.kept, &one, &found));
    json_put_bool(k.d, k.out, "file", found && !one.is_dir);
    jmut *list = json_put_arr(k.d, k.out, "files");
    if (found && !one.is_dir) {
        put_file(r, list, at.shown, &one);
        return NULL;
    }
    struct ent_list_query q = {.order = ENT_FILE_OBJECT_PATH, .prefix = str_of(arena_printf(r->a, "%.*s/", STR_ARG(at.kept))), .limit = PAGE};
    str after = ask_text(&k, "after");
    if (after.n) {
        q.after = true;
        q.after_s = str_of(arena_printf(r->a, "%.*s%.*s", STR_ARG(at.kept), STR_ARG(after)));
        q.after_id = INT64_MAX;
    }
    TRY(ent_file_object_list(r->tx, at.scope, r->a, &q, &rows));
    size_t bytes = 0, i = 0;
    for (; i < rows.n && bytes < PAGE_BYTES; i++) {
        str below = str_from(rows.p[i].path, at.kept.n);
        bytes += below.n + at.shown.n + 80;
        if (!rows.p[i].is_dir) put_file(r, list, str_of(arena_printf(r->a, "%.*s%.*s", STR_ARG(at.shown), STR_ARG(below))), &rows.p[i]);
    }
    if (i && (rows.more || i < rows.n)) json_put_str(k.d, k.out, "next", str_from(rows.p[i - 1].path, at.kept.n));
    return NULL;
}

static err *gone(const struct at *at) {
    return delta_error("FAILED_READ_FILE.FILE_NOT_EXIST", "The file dbfs:%.*s cannot be read: it was replaced or removed since the statement looked "
                       "for it.", STR_ARG(at->shown));
}

err *uc_open_file(struct req *r) {
    struct caller c;
    struct ask k;
    struct at at;
    struct ent_file_object f;
    bool found;
    int fd = -1;
    TRY(uc_ask_begin(r, &c, &k));
    TRY(place(r, &k, &at));
    TRY(tree_find(r->tx, at.scope, r->a, at.kept, &f, &found));
    if (!found || f.is_dir || !str_eq(id_of(r->a, &f), ask_text(&k, "id"))) return gone(&at);
    if (blobs_on_disk(r->control)) {
        err *e = blob_open(r->control, f.storage_key, &fd);
        if (err_code_of(e) == ERR_NOT_FOUND) { /* its row went a moment ago */
            err_free(e);
            return gone(&at);
        }
        if (!e) req_fd(r, 200, fd, 0, f.size);
        return e;
    }
    struct store_at store = {.place = STR(""), .key = f.storage_key};
    buf token = {0};
    stores_grant(&c, &store, false, k.statement, &token);
    json_put_str(k.d, k.out, "key", f.storage_key);
    json_put_str(k.d, k.out, "grant", arena_str(r->a, buf_view(&token)));
    buf_free(&token);
    return NULL;
}
