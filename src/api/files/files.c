/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Files API: files and directories by path. A PUT runs through six steps (routes.json): check,
 * open the place, take the body, sync, confirm, write the row.
 */
#include <stdio.h>

#include "api/gen_routes.h"
#include "base/time.h"
#include "files_int.h"
#include "rest/page.h"

#define PAGE 1000

struct file_op *files_op(struct req *r) {
    if (!r->state) r->state = arena_new_of(r->a, struct file_op);
    return r->state;
}

/* ---- dropping ---- */

struct later {
    struct later *next;
    str key;
};

/* Runs on the loop, after commit: the rows that named these blobs are gone. */
static void drop_all(struct req *r) {
    for (struct later *l = r->drops; l; l = l->next) blob_drop(r->control, l->key);
}

void files_drop_later(struct req *r, str key) {
    if (!key.n) return;
    struct later *l = arena_new_of(r->a, struct later);
    l->key = arena_str(r->a, key);
    l->next = r->drops;
    r->drops = l;
    r->after = drop_all;
}

/* ---- upload ---- */

err *api_files_put_check(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    op->overwrite = arg_bool(r, "overwrite", false);
    struct ent_file_object row;
    bool found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &row, &found));
    if (found && (row.is_dir || !op->overwrite))
        return err_new(ERR_ALREADY_EXISTS, "The %s '%.*s' exists.", row.is_dir ? "directory" : "file",
                       STR_ARG(op->shown));
    return NULL;
}

err *api_files_put_open(struct req *r) {
    return blob_put_open(r, r->content_length, &files_op(r)->put);
}
err *api_files_put_sync(struct req *r) { return blob_put_sync(r, files_op(r)->put); }
err *api_files_put_confirm(struct req *r) { return blob_put_confirm(r, files_op(r)->put); }

err *files_store(struct req *r, struct file_op *op, bool overwrite) {
    struct blob_put *p = op->put;
    struct tree_file f = {.path = op->path,
                          .storage_key = str_of(p ? p->key : op->key),
                          .etag = str_of(p ? p->etag : op->etag),
                          .sha256 = p ? r->taken.sha256 : STR(""),
                          .content_type = str_cut(req_header(r, "content-type"), 255),
                          .size = p ? p->size : op->size,
                          .owner = op->principal};
    if (!f.content_type.n || !p) f.content_type = STR("application/octet-stream");
    str old;
    TRY(tree_put(r->tx, op->scope, r->a, &f, overwrite, &old));
    store_tx_securable(r->tx, "file", 0, op->path);
    if (old.n && !r->control->keep_past) files_drop_later(r, old);
    if (p) blob_put_keep(p);
    return NULL;
}

err *api_files_put(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_access(r, op->path, true)); /* rights may have gone while the body came */
    TRY(files_store(r, op, op->overwrite));
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

/* ---- download ---- */

static bool wants_range(struct req *r, int64_t size, int64_t *from, int64_t *n, bool *bad) {
    str h = req_header(r, "range");
    *bad = false;
    if (!str_starts(h, STR("bytes="))) return false;
    str spec = str_from(h, 6);
    if (str_chr(spec, ',', 0) >= 0) return false; /* several ranges: the whole file is an answer too */
    ptrdiff_t dash = str_chr(spec, '-', 0);
    if (dash < 0) return false;
    int64_t a, b;
    bool has_a = str_to_i64(str_cut(spec, (size_t)dash), &a);
    bool has_b = str_to_i64(str_from(spec, (size_t)dash + 1), &b);
    if (!has_a && !has_b) return false;
    if (!has_a) { /* the last b bytes */
        a = b > size ? 0 : size - b;
        b = size - 1;
        *bad = size == 0;
    } else if (!has_b || b >= size) {
        b = size - 1;
    }
    if (a >= size || b < a) *bad = true;
    *from = a;
    *n = b - a + 1;
    return true;
}

/* If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since: RFC 9110 §13. */
static bool precondition(struct req *r, const struct ent_file_object *f, str etag, int *status) {
    int64_t us, modified = f->modified_at / US_PER_S * US_PER_S;
    str h = req_header(r, "if-match");
    *status = 412;
    if (h.n && !str_eqz(h, "*") && str_find(h, etag) < 0) return false;
    if (!h.n && time_parse_http_date(req_header(r, "if-unmodified-since"), &us) && modified > us)
        return false;
    *status = 304;
    h = req_header(r, "if-none-match");
    if (h.n && (str_eqz(h, "*") || str_find(h, etag) >= 0)) return false;
    if (!h.n && time_parse_http_date(req_header(r, "if-modified-since"), &us) && modified <= us)
        return false;
    return true;
}

err *files_serve(struct req *r, struct file_op *op) {
    const struct ent_file_object *f = &op->row;
    char date[30], range[80];
    str etag = str_of(arena_printf(r->a, "\"%.*s\"", STR_ARG(f->etag)));
    time_http_date(f->modified_at, date);
    req_reply_header(r, "ETag", etag);
    req_reply_header(r, "Last-Modified", str_of(date));
    req_reply_header(r, "Accept-Ranges", STR("bytes"));
    req_reply_header(r, "Content-Type",
                     f->content_type.n ? f->content_type : STR("application/octet-stream"));
    int status;
    if (!precondition(r, f, etag, &status)) {
        req_body(r, status, "application/octet-stream", STR(""));
        req_finish(r);
        return NULL;
    }
    int64_t from = 0, n = f->size;
    bool bad, part = wants_range(r, f->size, &from, &n, &bad);
    if (bad) {
        snprintf(range, sizeof(range), "bytes */%lld", (long long)f->size);
        req_reply_header(r, "Content-Range", str_of(range));
        return err_new(ERR_RANGE_NOT_SATISFIABLE, "The file has %lld bytes.", (long long)f->size);
    }
    if (part) {
        snprintf(range, sizeof(range), "bytes %lld-%lld/%lld", (long long)from,
                 (long long)(from + n - 1), (long long)f->size);
        req_reply_header(r, "Content-Range", str_of(range));
    }
    r->reply_offset = from;
    r->reply_length = n;
    r->status = part ? 206 : 200;
    if (str_eqz(r->method, "HEAD")) {
        char len[24];
        snprintf(len, sizeof(len), "%lld", (long long)n);
        req_reply_header(r, "Content-Length", str_of(len));
        req_body(r, r->status, "application/octet-stream", STR(""));
        req_finish(r);
    }
    return NULL;
}

err *files_find(struct req *r, struct file_op *op) {
    bool found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &op->row, &found));
    str shown = op->shown.n ? op->shown : op->path;
    if (!found || op->row.is_dir)
        return err_new(ERR_NOT_FOUND, "The file '%.*s' does not exist.", STR_ARG(shown));
    return files_serve(r, op);
}

err *api_files_get_find(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", false, op));
    return files_find(r, op);
}

err *api_files_get_open(struct req *r) {
    struct file_op *op = files_op(r);
    return blob_get_open(r, op->row.storage_key, r->reply_offset, r->reply_length, r->status);
}

err *api_files_delete(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    str key;
    TRY(tree_remove_file(r->tx, op->scope, r->a, op->path, &key));
    if (!r->control->keep_past) files_drop_later(r, key);
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

/* ---- directories ---- */

err *api_files_mkdir(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    TRY(tree_mkdirs(r->tx, op->scope, r->a, op->path));
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

err *api_files_rmdir(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    TRY(tree_remove_dir(r->tx, op->scope, r->a, op->path));
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

err *api_files_list(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", false, op));
    bool found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &op->row, &found));
    if (!found || !op->row.is_dir)
        return err_new(ERR_NOT_FOUND, "The directory '%.*s' does not exist.", STR_ARG(op->shown));
    int64_t limit = arg_i64(r, "page_size", PAGE);
    if (limit < 1 || limit > PAGE) limit = PAGE;
    str after;
    TRY(page_token_read(r, arg_str(r, "page_token"), op->path, &after));
    struct ent_file_object_rows rows;
    TRY(tree_list(r->tx, op->scope, r->a, op->path, after, (int)limit, &rows));
    jmut *o = req_out(r), *list = json_put_arr(r->doc, o, "contents");
    for (size_t i = 0; i < rows.n; i++) {
        jmut *e = json_add_obj(r->doc, list);
        json_put_str(r->doc, e, "path",
                     str_of(arena_printf(r->a, "%.*s/%.*s", STR_ARG(op->shown),
                                         STR_ARG(rows.p[i].name))));
        json_put_str(r->doc, e, "name", rows.p[i].name);
        json_put_bool(r->doc, e, "is_directory", rows.p[i].is_dir);
        if (!rows.p[i].is_dir) json_put_int(r->doc, e, "file_size", rows.p[i].size);
        json_put_int(r->doc, e, "last_modified", rows.p[i].modified_at / 1000);
    }
    if (rows.more && rows.n)
        json_put_str(r->doc, o, "next_page_token",
                     page_token_make(r, op->path, rows.p[rows.n - 1].name));
    return NULL;
}
