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
    TRY(files_place(r, "path", true, op));
    op->overwrite = arg_bool(r, "overwrite", false);
    if (op->outside) return NULL; /* the put itself tells what exists */
    struct ent_file_object row;
    bool found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &row, &found));
    if (found && (row.is_dir || !op->overwrite))
        return err_new(ERR_ALREADY_EXISTS, "The %s '%.*s' exists.", row.is_dir ? "directory" : "file",
                       STR_ARG(op->shown));
    return NULL;
}

err *api_files_put_open(struct req *r) {
    struct file_op *op = files_op(r);
    if (op->outside && !op->at.key.n) return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is a volume, not a file.", STR_ARG(op->shown));
    if (op->outside) return blob_put_open_at(r, r->content_length, op->at.place, op->at.key, !op->overwrite, &op->put);
    return blob_put_open(r, r->content_length, &op->put);
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
    if (!op->outside) {
        TRY(files_access(r, op->path, true)); /* rights may have gone while the body came */
        TRY(files_store(r, op, op->overwrite));
    }
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
    TRY(files_place(r, "path", false, op));
    return op->outside ? NULL : files_find(r, op);
}

static err *no_file(const struct file_op *op) {
    return err_new(ERR_NOT_FOUND, "The file '%.*s' does not exist.", STR_ARG(op->shown.n ? op->shown : op->path));
}

/* What the rows say of other files, the store says of those outside. */
err *api_files_get_head(struct req *r) {
    struct file_op *op = files_op(r);
    struct storage_info info;
    if (!op->outside) return NULL;
    if (!op->at.key.n) return no_file(op);
    err *e = storage_head(op->at.s, op->at.key, &info);
    if (err_code_of(e) == ERR_NOT_FOUND) {
        err_free(e);
        return no_file(op);
    }
    if (e) return e;
    op->row = (struct ent_file_object){.size = info.size, .modified_at = info.mtime, .etag = arena_str(r->a, str_of(info.etag))};
    return files_serve(r, op);
}

err *api_files_get_open(struct req *r) {
    struct file_op *op = files_op(r);
    if (op->outside) return blob_get_open_at(r, op->at.place, op->at.key, r->reply_offset, r->reply_length, r->status);
    return blob_get_open(r, op->row.storage_key, r->reply_offset, r->reply_length, r->status);
}

/* For routes whose write step is for files with rows. */
err *api_files_find_place(struct req *r) {
    struct file_op *op = files_op(r);
    return files_place(r, "path", true, op);
}

static err *done_outside(struct req *r) {
    req_body(r, 204, "application/json", STR(""));
    req_finish(r);
    return NULL;
}

err *api_files_delete_outside(struct req *r) {
    struct file_op *op = files_op(r);
    struct storage_info info;
    if (!op->outside) return NULL;
    if (!op->at.key.n) return no_file(op);
    err *e = storage_head(op->at.s, op->at.key, &info);
    if (err_code_of(e) == ERR_NOT_FOUND) {
        err_free(e);
        return no_file(op);
    }
    if (!e) e = storage_del(op->at.s, &op->at.key, 1);
    return e ? e : done_outside(r);
}

err *api_files_delete(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    str key;
    TRY(files_as_shown(r, op, tree_remove_file(r->tx, op->scope, r->a, op->path, &key)));
    if (!r->control->keep_past) files_drop_later(r, key);
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

/* ---- directories ---- */

err *api_files_mkdir(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    TRY(files_as_shown(r, op, tree_mkdirs(r->tx, op->scope, r->a, op->path)));
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

err *api_files_rmdir(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    TRY(files_as_shown(r, op, tree_remove_dir(r->tx, op->scope, r->a, op->path)));
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}

/* A directory outside is a prefix; one without files is an object whose key ends in a slash. */
static str folder_key(struct req *r, const struct file_op *op) {
    return op->at.key.n ? str_of(arena_printf(r->a, "%.*s/", STR_ARG(op->at.key))) : STR("");
}

err *api_files_mkdir_outside(struct req *r) {
    struct file_op *op = files_op(r);
    struct storage_bytes nothing;
    struct storage_put_options o = {0};
    str key = folder_key(r, op);
    if (!op->outside) return NULL;
    if (key.n) TRY(storage_put(op->at.s, key, storage_from_bytes(&nothing, STR("")), &o, NULL));
    return done_outside(r);
}

static err *no_folder(const struct file_op *op) {
    return err_new(ERR_NOT_FOUND, "The directory '%.*s' does not exist.", STR_ARG(op->shown));
}

err *api_files_rmdir_outside(struct req *r) {
    struct file_op *op = files_op(r);
    struct storage_list page;
    if (!op->outside) return NULL;
    str key = folder_key(r, op);
    struct storage_list_ask ask = {.prefix = key, .max = 2};
    TRY(storage_list(op->at.s, r->a, &ask, &page));
    if (!page.n || !key.n) return no_folder(op);
    if (page.n > 1 || !str_eq(page.entries[0].key, key)) return err_new(ERR_DIRECTORY_NOT_EMPTY, "The directory '%.*s' is not empty.", STR_ARG(op->shown));
    TRY(storage_del(op->at.s, &key, 1));
    return done_outside(r);
}

err *api_files_list_outside(struct req *r) {
    struct file_op *op = files_op(r);
    if (!op->outside) return NULL;
    str prefix = folder_key(r, op);
    int64_t limit = arg_i64(r, "page_size", PAGE);
    struct storage_list_ask ask = {.prefix = prefix, .delimiter = true, .max = limit < 1 || limit > PAGE ? PAGE : (int)limit};
    struct storage_list page;
    TRY(page_token_read(r, arg_str(r, "page_token"), op->path, &ask.token));
    TRY(storage_list(op->at.s, r->a, &ask, &page));
    if (!page.n && !ask.token.n && prefix.n && !str_eq(op->shown, STR(""))) {
        str rest = str_from(op->shown, 9), part; /* a volume without files is there, too */
        int parts = 0;
        while (str_split(&rest, '/', &part)) parts += part.n > 0;
        if (parts > 3) return no_folder(op);
    }
    jmut *list = json_put_arr(req_doc(r), req_out(r), "contents");
    for (size_t i = 0; i < page.n; i++) {
        const struct storage_entry *x = &page.entries[i];
        str name = str_from(x->key, prefix.n);
        while (name.n && name.p[name.n - 1] == '/') name.n--;
        if (!name.n) continue;
        jmut *e = json_add_obj(r->doc, list);
        json_put_str(r->doc, e, "path", str_of(arena_printf(r->a, "%.*s/%.*s", STR_ARG(op->shown), STR_ARG(name))));
        json_put_str(r->doc, e, "name", name);
        json_put_bool(r->doc, e, "is_directory", x->prefix);
        if (!x->prefix) json_put_int(r->doc, e, "file_size", x->size);
        if (!x->prefix) json_put_int(r->doc, e, "last_modified", x->mtime / 1000);
    }
    if (page.next.n) json_put_str(r->doc, r->out, "next_page_token", page_token_make(r, op->path, page.next));
    return NULL;
}

err *api_files_list(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_place(r, "path", false, op));
    if (op->outside) return NULL;
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
