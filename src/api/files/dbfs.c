/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DBFS: the workspace's own files, by `dbfs:/` paths. They live in the same tree below /dbfs; every
 * member of the workspace may use them, but for what MLflow keeps there. A file that is being written
 * is a row of `upload`; its blocks are blobs; close joins them.
 */
#include "api/gen_routes.h"
#include "base/enc.h"
#include "base/time.h"
#include "files_int.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define BLOCK (1024 * 1024)
#define HANDLE_LIFE_US (86400ll * US_PER_S)
#define MAX_LIST 10000

/* Without /dbfs, as clients see it. */
static str shown(str path) { return path.n <= 5 ? STR("/") : str_from(path, 5); }

static err *dbfs_path(struct req *r, const char *name, struct file_op *op) {
    str p = arg_str(r, name);
    if (str_starts(p, STR("dbfs:"))) p = str_from(p, 5);
    if (!p.n || p.p[0] != '/')
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%s '%.*s' is not an absolute path.", name,
                       STR_ARG(str_cut(p, 200)));
    while (p.n > 1 && p.p[p.n - 1] == '/') p.n--;
    str whole = p.n == 1 ? STR("/dbfs") : str_of(arena_printf(r->a, "/dbfs%.*s", STR_ARG(p)));
    TRY(tree_path(r->a, whole, &op->path));
    if (str_eqz(op->path, "/dbfs/Volumes") || str_starts(op->path, STR("/dbfs/Volumes/"))) /* as clients do */
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is a path of volumes: their files are reached by the Files API.", STR_ARG(shown(op->path)));
    op->scope = r->scope;
    op->principal = r->principal;
    if (str_starts(op->path, STR("/dbfs/databricks/mlflow-")))
        return err_new(ERR_PERMISSION_DENIED,
                       "MLflow's files are reached through MLflow and the Files API.");
    return NULL;
}

static err *missing(str path) {
    str p = shown(path);
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "No file or directory exists on path %.*s.",
                   STR_ARG(p));
}

static err *find(struct req *r, struct file_op *op) {
    bool found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &op->row, &found));
    if (found) return NULL;
    if (op->path.n == 5) { /* the root is always there */
        op->row = (struct ent_file_object){.path = op->path, .is_dir = true};
        return NULL;
    }
    return missing(op->path);
}

static void put_info(struct req *r, jmut *o, const struct ent_file_object *f) {
    json_put_str(r->doc, o, "path", shown(f->path));
    json_put_bool(r->doc, o, "is_dir", f->is_dir);
    json_put_int(r->doc, o, "file_size", f->size);
    json_put_int(r->doc, o, "modification_time", f->modified_at / 1000);
}

err *api_files_dbfs_get_status(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(dbfs_path(r, "path", op));
    TRY(find(r, op));
    put_info(r, req_out(r), &op->row);
    return NULL;
}

err *api_files_dbfs_list(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(dbfs_path(r, "path", op));
    TRY(find(r, op));
    jmut *o = req_out(r);
    if (!op->row.is_dir) {
        put_info(r, json_add_obj(r->doc, json_put_arr(r->doc, o, "files")), &op->row);
        return NULL;
    }
    struct ent_file_object_rows rows;
    TRY(tree_list(r->tx, op->scope, r->a, op->path, STR(""), MAX_LIST, &rows));
    if (!rows.n) return NULL; /* clients expect no field at all */
    jmut *list = json_put_arr(r->doc, o, "files");
    for (size_t i = 0; i < rows.n; i++) put_info(r, json_add_obj(r->doc, list), &rows.p[i]);
    return NULL;
}

err *api_files_dbfs_mkdirs(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(dbfs_path(r, "path", op));
    req_out(r);
    err *e = tree_mkdirs(r->tx, op->scope, r->a, op->path);
    return err_code_of(e) == ERR_ALREADY_EXISTS ? err_recode(e, ERR_RESOURCE_ALREADY_EXISTS) : e;
}

static void drop(void *arg, str key) { files_drop_later(arg, key); }

err *api_files_dbfs_delete(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(dbfs_path(r, "path", op));
    req_out(r);
    bool found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &op->row, &found));
    if (!found) return NULL; /* as published: deleting what is not there is fine */
    if (op->row.is_dir && !arg_bool(r, "recursive", false))
        return tree_remove_dir(r->tx, op->scope, r->a, op->path);
    return tree_remove_all(r->tx, op->scope, r->a, op->path, drop, r);
}

static void keep(void *arg, str key) {
    (void)arg;
    (void)key;
}

err *api_files_dbfs_move(struct req *r) {
    struct file_op *op = files_op(r), to = {0};
    TRY(dbfs_path(r, "source_path", op));
    TRY(dbfs_path(r, "destination_path", &to));
    TRY(find(r, op));
    bool found;
    TRY(tree_find(r->tx, to.scope, r->a, to.path, &to.row, &found));
    if (found)
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "A file or directory exists on path %.*s.",
                       STR_ARG(shown(to.path)));
    if (str_eq(op->path, to.path) ||
        str_starts(to.path, str_of(arena_printf(r->a, "%.*s/", STR_ARG(op->path)))))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A directory cannot move into itself.");
    if (op->row.is_dir) {
        TRY(tree_mkdirs(r->tx, to.scope, r->a, to.path));
        TRY(tree_copy(r->tx, op->scope, op->path, to.scope, to.path, r->a));
    } else {
        struct tree_file f = {.path = to.path, .storage_key = op->row.storage_key,
                              .etag = op->row.etag, .sha256 = op->row.sha256,
                              .content_type = op->row.content_type, .size = op->row.size,
                              .owner = op->row.owner_id};
        str old;
        TRY(tree_put(r->tx, to.scope, r->a, &f, false, &old));
    }
    req_out(r);
    return tree_remove_all(r->tx, op->scope, r->a, op->path, keep, NULL);
}

/* ---- writing ---- */

err *api_files_dbfs_create(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(dbfs_path(r, "path", op));
    bool overwrite = arg_bool(r, "overwrite", false), found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &op->row, &found));
    if (found && (!overwrite || op->row.is_dir))
        return err_new(ERR_RESOURCE_ALREADY_EXISTS, "A file or directory already exists at path %.*s.",
                       STR_ARG(shown(op->path)));
    int64_t handle = rand_id();
    struct ent_upload u = {.token = str_of(arena_printf(r->a, "dbfs-%lld", (long long)handle)),
                           .path = op->path, .overwrite = overwrite, .principal_id = r->principal,
                           .parts = STR("[]"), .state = STR("OPEN"),
                           .expires_at = clock_now() + HANDLE_LIFE_US};
    TRY(ent_upload_insert(r->tx, op->scope, &u));
    json_put_int(r->doc, req_out(r), "handle", handle);
    return NULL;
}

static err *by_handle(struct req *r, struct ent_upload *ret) {
    bool found;
    char *token = arena_printf(r->a, "dbfs-%lld", (long long)arg_i64(r, "handle", 0));
    TRY(ent_upload_by_token(r->tx, r->scope, r->a, str_of(token), ret, &found));
    if (found && ret->principal_id == r->principal) return NULL;
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "No stream exists with handle %s.", token + 5);
}

static err *decode_block(struct req *r, const char *name, struct file_op *op) {
    str data = arg_str(r, name);
    buf b = {.max = BLOCK};
    bool ok = data.n <= BLOCK * 4ull / 3 + 8 && enc_unbase64(&b, data);
    bool large = b.overflow || data.n > BLOCK * 4ull / 3 + 8;
    op->bytes = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    if (large) return err_new(ERR_MAX_BLOCK_SIZE_EXCEEDED, "A block has at most 1 MiB.");
    return ok ? NULL : err_new(ERR_INVALID_PARAMETER_VALUE, "%s is not base64.", name);
}

err *api_files_dbfs_block_check(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(by_handle(r, &op->upload));
    return decode_block(r, "data", op);
}

err *api_files_dbfs_block_store(struct req *r) {
    struct file_op *op = files_op(r);
    return blob_write(r->control, op->bytes, op->key);
}

err *api_files_dbfs_add_block(struct req *r) {
    struct file_op *op = files_op(r);
    struct ent_upload u;
    TRY(by_handle(r, &u));
    jval *have;
    TRY(json_parse(r->a, u.parts, false, &have));
    jdoc *d = json_doc(r->a);
    jmut *list = yyjson_val_mut_copy(d, have);
    json_add_str(d, list, str_of(op->key));
    u.parts = json_text(r->a, list);
    req_out(r);
    return ent_upload_update(r->tx, r->scope, &u);
}

err *api_files_dbfs_close_check(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(by_handle(r, &op->upload));
    op->path = op->upload.path;
    op->scope = r->scope;
    op->principal = r->principal;
    jval *have, *v;
    TRY(json_parse(r->a, op->upload.parts, false, &have));
    size_t i, n;
    op->part_keys = arena_array_of(r->a, str, yyjson_arr_size(have) + 1);
    yyjson_arr_foreach(have, i, n, v) op->part_keys[op->n_parts++] = json_str(v);
    return NULL;
}

err *api_files_dbfs_close_join(struct req *r) {
    struct file_op *op = files_op(r);
    return blob_join(r->control, op->part_keys, op->n_parts, op->key, &op->size, op->etag);
}

err *api_files_dbfs_close(struct req *r) {
    struct file_op *op = files_op(r);
    struct ent_upload u;
    TRY(by_handle(r, &u));
    TRY(files_store(r, op, u.overwrite));
    for (size_t i = 0; i < op->n_parts; i++) files_drop_later(r, op->part_keys[i]);
    req_out(r);
    return ent_upload_delete(r->tx, r->scope, u.id);
}

err *api_files_dbfs_put_store(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(dbfs_path(r, "path", op));
    TRY(decode_block(r, "contents", op));
    op->size = (int64_t)op->bytes.n;
    rand_hex(op->etag, 16);
    return blob_write(r->control, op->bytes, op->key);
}

err *api_files_dbfs_put(struct req *r) {
    struct file_op *op = files_op(r);
    req_out(r);
    err *e = files_store(r, op, arg_bool(r, "overwrite", false));
    return err_code_of(e) == ERR_ALREADY_EXISTS ? err_recode(e, ERR_RESOURCE_ALREADY_EXISTS) : e;
}

/* ---- reading ---- */

err *api_files_dbfs_read_find(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(dbfs_path(r, "path", op));
    TRY(find(r, op));
    if (op->row.is_dir)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%.*s is a directory.", STR_ARG(shown(op->path)));
    int64_t length = arg_i64(r, "length", BLOCK), offset = arg_i64(r, "offset", 0);
    if (length < 0 || offset < 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "offset and length must not be negative.");
    if (length > BLOCK)
        return err_new(ERR_MAX_READ_SIZE_EXCEEDED, "At most 1 MiB can be read at once.");
    return NULL;
}

err *api_files_dbfs_read(struct req *r) {
    struct file_op *op = files_op(r);
    int64_t length = arg_i64(r, "length", BLOCK), offset = arg_i64(r, "offset", 0);
    if (offset > op->row.size) offset = op->row.size;
    if (length > op->row.size - offset) length = op->row.size - offset;
    buf b = {0}, text = {0};
    err *e = blob_read_range(r->control, op->row.storage_key, offset, length, &b);
    if (!e) {
        enc_base64(&text, buf_view(&b));
        jmut *o = req_out(r);
        json_put_int(r->doc, o, "bytes_read", (int64_t)b.n);
        json_put_str(r->doc, o, "data", arena_str(r->a, buf_view(&text)));
    }
    buf_free(&b);
    buf_free(&text);
    return e;
}
