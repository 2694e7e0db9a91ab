/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Multipart uploads and signed URLs. A part is a blob of its own, named in the upload's row; complete
 * joins the parts into one blob and writes the file's row.
 */
#include <stdio.h>

#include "api/gen_routes.h"
#include "base/time.h"
#include "files_int.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define UPLOAD_LIFE_US (7ll * 86400 * US_PER_S)
#define DONE_LIFE_US (3600ll * US_PER_S)
#define MAX_PARTS 10000
#define MAX_PART_URLS 100

static str life_error(struct req *r) {
    return str_of(arena_printf(r->a,
                               "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied"
                               "</Code><Message>Request has expired</Message></Error>"));
}

/* "2026-11-21T04:25:23Z" → microseconds from now, within our own limit. */
static int64_t asked_life(struct req *r) {
    int64_t at;
    if (!time_parse_rfc3339(arg_str(r, "expire_time"), &at)) return 0;
    int64_t life = at - clock_now();
    return life > 0 ? life : 1;
}

static void put_url(struct req *r, jmut *o, str url) {
    json_put_str(r->doc, o, "url", url);
    json_put_arr(r->doc, o, "headers");
}

err *api_files_download_url(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_place(r, "path", false, op));
    bool found;
    if (op->outside) { /* the store says whether it is there */
        put_url(r, req_out(r), files_sign_url(r, op->scope, op->path, "GET", STR(""), asked_life(r)));
        return NULL;
    }
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &op->row, &found));
    if (!found || op->row.is_dir)
        return err_new(ERR_NOT_FOUND, "The file '%.*s' does not exist.", STR_ARG(op->shown));
    put_url(r, req_out(r), files_sign_url(r, op->scope, op->path, "GET", STR(""), asked_life(r)));
    return NULL;
}

err *api_files_upload_url(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_place(r, "path", true, op));
    put_url(r, req_out(r), files_sign_url(r, op->scope, op->path, "PUT", STR(""), asked_life(r)));
    return NULL;
}

/* ---- the upload's row ---- */

#define SWEEP 4 /* uploads that nobody ended, dropped whenever one begins */

static bool is_done(const struct ent_upload *u) { return str_eqz(u->state, "DONE"); }

static err *find_upload(struct req *r, struct store_scope scope, str token, str path,
                        struct ent_upload *ret) {
    bool found;
    TRY(ent_upload_by_token(r->tx, scope, r->a, token, ret, &found));
    if (!found || !str_eq(ret->path, path) || !str_eqz(ret->state, "OPEN"))
        return err_new(ERR_NOT_FOUND, "There is no open upload of '%.*s' with this session_token.",
                       STR_ARG(path));
    return NULL;
}

/* Also one that is complete: who asks for the completion again (his answer was late) hears that it is. */
static err *find_any_upload(struct req *r, struct store_scope scope, str token, str path, struct ent_upload *ret) {
    bool found;
    TRY(ent_upload_by_token(r->tx, scope, r->a, token, ret, &found));
    if (found && str_eq(ret->path, path) && is_done(ret)) return NULL;
    return find_upload(r, scope, token, path, ret);
}

/* parts: {"1":["<key>","<etag>",size],…} */
static err *read_parts(struct req *r, const struct ent_upload *u, jval **ret) {
    *ret = NULL;
    return u->parts.n ? json_parse(r->a, u->parts, false, ret) : NULL;
}

err *api_files_part_urls(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    str token = arg_str(r, "session_token");
    TRY(find_upload(r, op->scope, token, op->path, &op->upload));
    int64_t first = arg_i64(r, "start_part_number", 1), count = arg_i64(r, "count", 1);
    if (first < 1 || count < 1 || count > MAX_PART_URLS || first + count - 1 > MAX_PARTS)
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "start_part_number %lld and count %lld are out of bounds (parts 1 to %d, %d "
                       "at once).",
                       (long long)first, (long long)count, MAX_PARTS, MAX_PART_URLS);
    jmut *list = json_put_arr(r->doc, req_out(r), "upload_part_urls");
    for (int64_t n = first; n < first + count; n++) {
        jmut *o = json_add_obj(r->doc, list);
        str extra = str_of(arena_printf(r->a, "part %.*s %lld", STR_ARG(token), (long long)n));
        put_url(r, o, files_sign_url(r, op->scope, op->path, "PUT", extra, asked_life(r)));
        json_put_int(r->doc, o, "part_number", n);
    }
    return NULL;
}

err *api_files_abort_url(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_path(r, "path", true, op));
    str token = arg_str(r, "session_token");
    TRY(find_upload(r, op->scope, token, op->path, &op->upload));
    str extra = str_of(arena_printf(r->a, "abort %.*s", STR_ARG(token)));
    put_url(r, json_put_obj(r->doc, req_out(r), "abort_upload_url"),
            files_sign_url(r, op->scope, op->path, "DELETE", extra, asked_life(r)));
    return NULL;
}

/* ---- initiate and complete ---- */

static bool completes(struct req *r) { return str_eqz(arg_str(r, "action"), "complete-upload"); }

static err *choose_parts(struct req *r, struct file_op *op) {
    jval *have, *asked = arg(r, "parts"), *p;
    TRY(read_parts(r, &op->upload, &have));
    size_t i, n;
    op->part_keys = arena_array_of(r->a, str, yyjson_arr_size(asked) + 1);
    int64_t last = 0;
    yyjson_arr_foreach(asked, i, n, p) {
        int64_t number = 0;
        json_i64(json_get(p, "part_number"), &number);
        char key[24];
        snprintf(key, sizeof(key), "%lld", (long long)number);
        jval *row = json_get(have, key);
        str etag = json_get_str(p, "etag"), mine = json_str(yyjson_arr_get(row, 1));
        if (etag.n >= 2 && etag.p[0] == '"') etag = str_n(etag.p + 1, etag.n - 2);
        if (!row || number <= last || (etag.n && !str_eq(etag, mine)))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Part %lld is missing, out of order, or has another etag.",
                           (long long)number);
        last = number;
        op->part_keys[op->n_parts++] = json_str(yyjson_arr_get(row, 0));
    }
    if (!op->n_parts)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "parts: the list of parts is empty.");
    return NULL;
}

/* Parts are not for files outside. Clients that begin so are let begin and are refused at the first part: then they send the
 * file in one request, which they would not if the beginning failed. */
static err *begin_outside(struct req *r) {
    if (completes(r)) return err_new(ERR_NOT_IMPLEMENTED, "Files of external volumes are not uploaded in parts.");
    json_put_z(req_doc(r), json_put_obj(r->doc, req_out(r), "multipart_upload"), "session_token", "one-request");
    req_finish(r);
    return NULL;
}

err *api_files_post_check(struct req *r) {
    struct file_op *op = files_op(r);
    TRY(files_place(r, "path", true, op));
    if (op->outside) return begin_outside(r);
    if (completes(r)) {
        TRY(find_any_upload(r, op->scope, arg_str(r, "session_token"), op->path, &op->upload));
        if (!is_done(&op->upload)) return choose_parts(r, op);
        req_out(r);
        req_finish(r);
        return NULL;
    }
    op->overwrite = arg_bool(r, "overwrite", false);
    bool found;
    TRY(tree_find(r->tx, op->scope, r->a, op->path, &op->row, &found));
    if (found && (op->row.is_dir || !op->overwrite))
        return err_new(ERR_ALREADY_EXISTS, "The file '%.*s' exists.", STR_ARG(op->shown));
    return NULL;
}

err *api_files_post_join(struct req *r) {
    struct file_op *op = files_op(r);
    if (!completes(r)) return NULL;
    /* Another request may complete the same upload meanwhile and drop the parts: the next step knows. */
    err *e = blob_join(r->control, op->part_keys, op->n_parts, op->key, &op->size, op->etag);
    if (err_code_of(e) != ERR_NOT_FOUND) return e;
    op->failed = e;
    return NULL;
}

static err *drop_parts(struct req *r, const struct ent_upload *u) {
    jval *parts, *k, *v;
    TRY(read_parts(r, u, &parts));
    size_t i, n;
    yyjson_obj_foreach(parts, i, n, k, v) files_drop_later(r, json_str(yyjson_arr_get(v, 0)));
    yyjson_arr_foreach(parts, i, n, v) files_drop_later(r, json_str(v)); /* the blocks of DBFS */
    return NULL;
}

static err *sweep(struct req *r, struct store_scope scope) {
    struct ent_list_query q = {.order = ENT_UPLOAD_EXPIRES_AT, .limit = SWEEP};
    struct ent_upload_rows rows;
    TRY(ent_upload_list(r->tx, scope, r->a, &q, &rows));
    for (size_t i = 0; i < rows.n && rows.p[i].expires_at < clock_now(); i++) {
        TRY(drop_parts(r, &rows.p[i]));
        TRY(ent_upload_delete(r->tx, scope, rows.p[i].id));
    }
    return NULL;
}

static err *complete(struct req *r, struct file_op *op) {
    struct ent_upload u;
    err *e = find_any_upload(r, op->scope, arg_str(r, "session_token"), op->path, &u);
    bool again = !e && is_done(&u);
    if (!op->failed && (e || again)) files_drop_later(r, arena_str(r->a, str_of(op->key)));
    req_out(r);
    if (e || again) {
        err_free(op->failed);
        return e;
    }
    if (op->failed) return op->failed;
    TRY(files_store(r, op, u.overwrite));
    TRY(drop_parts(r, &u));
    u.state = STR("DONE");
    u.parts = STR("{}");
    u.expires_at = clock_now() + DONE_LIFE_US;
    return ent_upload_update(r->tx, op->scope, &u);
}

err *api_files_post(struct req *r) {
    struct file_op *op = files_op(r);
    if (!completes(r)) {
        char token[65];
        rand_hex(token, 32);
        TRY(sweep(r, op->scope));
        struct ent_upload u = {.token = str_of(token), .path = op->path, .overwrite = op->overwrite,
                               .principal_id = r->principal, .state = STR("OPEN"),
                               .expires_at = clock_now() + UPLOAD_LIFE_US};
        TRY(ent_upload_insert(r->tx, op->scope, &u));
        jmut *m = json_put_obj(r->doc, req_out(r), "multipart_upload");
        json_put_z(r->doc, m, "session_token", arena_strdup(r->a, token));
        return NULL;
    }
    return complete(r, op);
}

/* ---- signed URLs ---- */

static err *check_signed(struct req *r, struct file_op *op, bool *ret_expired) {
    TRY(files_check_url(r, arg_str(r, "token"), r->method, &op->url, ret_expired));
    op->path = op->url.path;
    op->scope = op->url.scope;
    op->principal = op->url.principal;
    if (url_is_remote(op->path) && !*ret_expired) TRY(files_go_outside(r, op));
    r->principal = op->url.principal;
    r->scope = op->url.scope;
    if (*ret_expired) {
        req_body(r, 403, "application/xml", life_error(r));
        req_finish(r);
    }
    return NULL;
}

err *api_files_signed_find(struct req *r) {
    struct file_op *op = files_op(r);
    bool expired;
    TRY(check_signed(r, op, &expired));
    return expired || op->outside ? NULL : files_find(r, op);
}

static bool part_of(str extra, str *token, int64_t *number) {
    str rest = extra, word, n;
    return str_split(&rest, ' ', &word) && str_eqz(word, "part") && str_split(&rest, ' ', token) &&
           str_split(&rest, ' ', &n) && str_to_i64(n, number);
}

err *api_files_signed_put_check(struct req *r) {
    struct file_op *op = files_op(r);
    bool expired;
    TRY(check_signed(r, op, &expired));
    op->overwrite = !str_eqz(op->url.extra, "create"); /* outside, where no row says what exists */
    return NULL;
}

static err *store_part(struct req *r, struct file_op *op, str token, int64_t number) {
    struct ent_upload u;
    TRY(find_upload(r, op->scope, token, op->path, &u));
    jval *have;
    TRY(read_parts(r, &u, &have));
    jdoc *d = json_doc(r->a);
    jmut *o = have ? yyjson_val_mut_copy(d, have) : yyjson_mut_obj(d);
    char key[24];
    snprintf(key, sizeof(key), "%lld", (long long)number);
    jmut *old = yyjson_mut_obj_get(o, key);
    if (old) {
        jmut *k = yyjson_mut_arr_get(old, 0);
        files_drop_later(r, str_n(yyjson_mut_get_str(k), yyjson_mut_get_len(k)));
    }
    jmut *row = yyjson_mut_arr(d);
    json_add_str(d, row, str_of(op->put->key));
    json_add_str(d, row, str_of(op->put->etag));
    yyjson_mut_arr_add_sint(d, row, op->put->size);
    yyjson_mut_obj_put(o, yyjson_mut_str(d, key), row);
    u.parts = json_text(r->a, o);
    TRY(ent_upload_update(r->tx, op->scope, &u));
    blob_put_keep(op->put);
    return NULL;
}

err *api_files_signed_put(struct req *r) {
    struct file_op *op = files_op(r);
    str token;
    int64_t number;
    if (op->outside)
        ;
    else if (part_of(op->url.extra, &token, &number))
        TRY(store_part(r, op, token, number));
    else
        TRY(files_store(r, op, true));
    req_reply_header(r, "ETag", str_of(arena_printf(r->a, "\"%s\"", op->put->etag)));
    req_body(r, 200, "application/json", STR(""));
    return NULL;
}

err *api_files_signed_delete_find(struct req *r) {
    struct file_op *op = files_op(r);
    bool expired;
    TRY(check_signed(r, op, &expired));
    if (!op->outside || str_eqz(op->url.extra, "remove")) return NULL;
    return err_new(ERR_PERMISSION_DENIED, "This URL removes nothing.");
}

err *api_files_signed_delete(struct req *r) {
    struct file_op *op = files_op(r);
    bool expired;
    TRY(check_signed(r, op, &expired));
    if (expired) return NULL;
    if (str_eqz(op->url.extra, "remove")) {
        str key;
        TRY(tree_remove_file(r->tx, op->scope, r->a, op->path, &key));
        if (!r->control->keep_past) files_drop_later(r, key);
        req_body(r, 204, "application/json", STR(""));
        return NULL;
    }
    if (!str_starts(op->url.extra, STR("abort ")))
        return err_new(ERR_PERMISSION_DENIED, "This URL removes nothing and aborts no upload.");
    struct ent_upload u;
    TRY(find_upload(r, op->scope, str_from(op->url.extra, 6), op->path, &u));
    TRY(drop_parts(r, &u));
    TRY(ent_upload_delete(r->tx, op->scope, u.id));
    req_body(r, 204, "application/json", STR(""));
    return NULL;
}
