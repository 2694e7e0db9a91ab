/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The S3 store: set-up, and the calls that concern whole objects. Puts and copies are in
 * s3_multi.c.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/enc.h"
#include "sys/s3_int.h"

#define DELETE_BATCH 1000u

/* ---- get and head ---- */

err *s3_head_put(struct s3 *s, str key, struct storage_info *ret, char put_id[64]) {
    struct s3_call c = {.s3 = s, .method = "HEAD", .key = key, .info = ret};
    err *e = s3_call(&c);
    if (!e && put_id) memcpy(put_id, c.put_id, sizeof(c.put_id));
    s3_done(&c);
    return e;
}

err *s3_head(storage *st, str key, struct storage_info *ret) {
    return s3_head_put(s3_of(st), key, ret, NULL);
}

static err *s3_get(storage *st, str key, int64_t offset, int64_t length, str if_match,
                   struct storage_sink *to, struct storage_info *ret) {
    struct s3_call c = {.s3 = s3_of(st), .method = "GET", .key = key, .to = to, .info = ret};
    c.offset = offset;
    c.length = length;
    c.ranged = offset > 0 || length >= 0;
    snprintf(c.if_match, sizeof(c.if_match), "%.*s", STR_ARG(if_match));
    if (length == 0) { /* HTTP has no empty range */
        c.method = "HEAD";
        c.ranged = false;
    }
    err *e = s3_call(&c);
    if (!e && length == 0 && offset >= ret->size && offset > 0)
        e = err_new(ERR_RANGE_NOT_SATISFIABLE, "'%.*s' has %lld bytes; the range begins at %lld",
                    STR_ARG(key), (long long)ret->size, (long long)offset);
    s3_done(&c);
    return e;
}

/* ---- list ---- */

static int entry_order(const void *x, const void *y) {
    return str_cmp(((const struct storage_entry *)x)->key, ((const struct storage_entry *)y)->key);
}

static void list_query(struct s3 *s, const struct storage_list_ask *ask, buf *q) {
    buf full = {0};
    if (ask->token.n) {
        buf_z(q, "continuation-token=");
        s3_quote(q, ask->token);
        buf_c(q, '&');
    }
    if (ask->delimiter) buf_z(q, "delimiter=%2F&");
    buf_fmt(q, "encoding-type=url&list-type=2&max-keys=%d&prefix=", ask->max);
    buf_fmt(&full, "%s%.*s", s->prefix, STR_ARG(ask->prefix));
    s3_quote(q, buf_view(&full));
    if (ask->start_after.n && !ask->token.n) {
        buf_clear(&full);
        buf_fmt(&full, "%s%.*s", s->prefix, STR_ARG(ask->start_after));
        buf_z(q, "&start-after=");
        s3_quote(q, buf_view(&full));
    }
    buf_free(&full);
    buf_c(q, 0);
}

static err *s3_list(storage *st, arena *a, const struct storage_list_ask *ask,
                    struct storage_list *ret) {
    struct s3 *s = s3_of(st);
    buf q = {0};
    list_query(s, ask, &q);
    struct s3_call c = {.s3 = s, .method = "GET", .query = q.p};
    struct s3_xml_list list;
    err *e = s3_call(&c);
    if (!e) e = err_recode(s3_xml_list(a, buf_view(&c.text), &list), ERR_IO_ERROR);
    s3_done(&c);
    buf_free(&q);
    if (e) return e;
    size_t cut = strlen(s->prefix);
    *ret = (struct storage_list){.entries = arena_array_of(a, struct storage_entry, list.n + 1)};
    for (size_t i = 0; i < list.n; i++) {
        const struct s3_xml_entry *x = &list.entries[i];
        if (x->key.n <= cut) continue; /* the marker of our own prefix */
        ret->entries[ret->n++] =
            (struct storage_entry){.key = str_from(x->key, cut),
                                   .prefix = x->prefix,
                                   .size = x->size,
                                   .mtime = x->mtime,
                                   .etag = x->etag.n ? arena_strndup(a, x->etag.p, x->etag.n) : ""};
    }
    qsort(ret->entries, ret->n, sizeof(*ret->entries), entry_order);
    if (list.truncated) ret->next = list.next;
    return NULL;
}

/* ---- delete ---- */

static void xml_text(buf *b, str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '<')
            buf_z(b, "&lt;");
        else if (s.p[i] == '>')
            buf_z(b, "&gt;");
        else if (s.p[i] == '&')
            buf_z(b, "&amp;");
        else
            buf_c(b, s.p[i]);
    }
}

static err *delete_batch(struct s3 *s, const str *keys, size_t n) {
    buf body = {0}, md5 = {0};
    buf_z(&body, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
    for (size_t i = 0; i < n; i++) {
        buf_z(&body, "<Object><Key>");
        xml_text(&body, str_of(s->prefix));
        xml_text(&body, keys[i]);
        buf_z(&body, "</Key></Object>");
    }
    buf_z(&body, "</Delete>");
    unsigned char sum[16];
    EVP_Digest(body.p, body.n, sum, NULL, EVP_md5(), NULL);
    enc_base64(&md5, str_n((char *)sum, 16));
    struct s3_call c = {.s3 = s, .method = "POST", .query = "delete=", .body = buf_view(&body)};
    s3_header(&c, "Content-MD5: %.*s", STR_ARG(buf_view(&md5)));
    struct s3_xml_answer x;
    err *e = s3_call(&c);
    if (!e) e = s3_answer(&c, &x);
    s3_done(&c);
    buf_free(&body);
    buf_free(&md5);
    return e;
}

static err *s3_del(storage *st, const str *keys, size_t n) {
    struct s3 *s = s3_of(st);
    if (n > 1) {
        for (size_t i = 0; i < n; i += DELETE_BATCH)
            TRY(delete_batch(s, keys + i, n - i < DELETE_BATCH ? n - i : DELETE_BATCH));
        return NULL;
    }
    struct s3_call c = {.s3 = s, .method = "DELETE", .key = keys[0]};
    err *e = s3_call(&c);
    s3_done(&c);
    if (err_code_of(e) == ERR_NOT_FOUND) { /* some stores say so; S3 does not */
        err_free(e);
        return NULL;
    }
    return e;
}

static err *s3_rename(storage *st, str from, str to) {
    (void)st;
    return err_new(ERR_NOT_IMPLEMENTED, "cannot rename '%.*s' to '%.*s' in one step on S3",
                   STR_ARG(from), STR_ARG(to));
}

/* ---- set-up ---- */

static void wipe(char *s) {
    if (s) explicit_bzero(s, strlen(s));
    free(s);
}

static void s3_free(storage *st) {
    struct s3 *s = s3_of(st);
    outgoing_pool_free(&s->pool);
    free(s->host_url);
    free(s->host);
    free(s->bucket);
    free(s->prefix);
    free(s->sigv4);
    free(s->user);
    wipe(s->secret);
    wipe(s->session);
    free(s->ca_file);
    free(s->proxy);
    s->base.magic = 0;
    free(s);
}

static const struct storage_ops s3_ops = {
    .name = "S3",
    .put = s3_put,
    .get = s3_get,
    .head = s3_head,
    .list = s3_list,
    .del = s3_del,
    .copy = s3_copy,
    .rename = s3_rename,
    .multi_create = s3_multi_create,
    .multi_part = s3_multi_part,
    .multi_complete = s3_multi_complete,
    .multi_abort = s3_multi_abort,
    .free = s3_free,
};

static char *copy_of(str s) {
    char *p = strndup(s.p ? s.p : "", s.n);
    must(p != NULL);
    return p;
}

static bool bucket_ok(str b) {
    if (b.n < 3 || b.n > 63) return false;
    for (size_t i = 0; i < b.n; i++) {
        char c = b.p[i];
        bool edge = i == 0 || i + 1 == b.n;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (!edge && (c == '-' || c == '.'))))
            return false;
    }
    return str_find(b, STR("..")) < 0;
}

static bool plain(str s) { /* fit for a URL's authority or a region */
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || strchr("/?#@\\%\"<>", s.p[i]) || (unsigned char)s.p[i] >= 0x7f)
            return false;
    return true;
}

/* endpoint -> scheme, host, port; sets s->host, s->port, s->host_url. */
static err *set_endpoint(struct s3 *s, const struct storage_s3_config *c, str region) {
    char aws[128];
    snprintf(aws, sizeof(aws), "https://s3.%.*s.amazonaws.com", STR_ARG(region));
    str url = c->endpoint.n ? c->endpoint : str_of(aws);
    bool tls = str_starts(url, STR("https://"));
    str authority = str_from(url, tls ? 8 : 7);
    if (authority.n && authority.p[authority.n - 1] == '/') authority.n--;
    ptrdiff_t colon = -1;
    for (size_t i = authority.n; i > 0 && authority.p[i - 1] != ']' && colon < 0; i--)
        if (authority.p[i - 1] == ':') colon = (ptrdiff_t)i - 1;
    str host = colon < 0 ? authority : str_cut(authority, (size_t)colon);
    int64_t port = tls ? 443 : 80;
    if ((!tls && !str_starts(url, STR("http://"))) || host.n == 0 || !plain(authority) ||
        (colon >= 0 &&
         (!str_to_i64(str_from(authority, (size_t)colon + 1), &port) || port < 1 || port > 65535)))
        return err_hint(
            err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no endpoint of a store", STR_ARG(url)),
            "write http(s)://host[:port]");
    s->port = (int)port;
    s->host = copy_of(host);
    const char *scheme = tls ? "https" : "http";
    int rc = c->path_style
                 ? asprintf(&s->host_url, "%s://%.*s/%s", scheme, STR_ARG(authority), s->bucket)
                 : asprintf(&s->host_url, "%s://%s.%.*s", scheme, s->bucket, STR_ARG(authority));
    must(rc >= 0);
    return NULL;
}

bool storage_s3_is(const storage *s) { return s->ops == &s3_ops; }

err *storage_s3_new(const struct storage_s3_config *c, storage **ret) {
    TRY(s3_curl_load());
    str region = c->region.n ? c->region : STR("us-east-1");
    if (!bucket_ok(c->bucket))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no bucket's name",
                       STR_ARG(c->bucket));
    if (region.n > 64 || !plain(region) || str_chr(region, ':', 0) >= 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no region", STR_ARG(region));
    if (c->prefix.n && (c->prefix.p[c->prefix.n - 1] != '/' || c->prefix.n > STORAGE_MAX_KEY / 2))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "prefix '%.*s' is too long or lacks its slash",
                       STR_ARG(c->prefix));
    struct s3 *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->base = (struct storage){STORAGE_MAGIC, &s3_ops};
    outgoing_pool_init(&s->pool);
    s->bucket = copy_of(c->bucket);
    s->prefix = copy_of(c->prefix);
    s->user = copy_of(c->access_key_id);
    s->secret = copy_of(c->secret_access_key);
    s->session = copy_of(c->session_token);
    s->ca_file = copy_of(c->ca_file);
    s->proxy = copy_of(c->proxy);
    must(asprintf(&s->sigv4, "aws:amz:%.*s:s3", STR_ARG(region)) >= 0);
    s->egress = c->egress;
    s->tries = c->tries > 0 ? c->tries : 5;
    s->backoff_ms = c->backoff_ms > 0 ? c->backoff_ms : 100;
    s->part_size = c->part_size ? c->part_size : S3_PART;
    err *e = set_endpoint(s, c, region);
    if (e)
        s3_free(&s->base);
    else
        *ret = &s->base;
    return e;
}

err *storage_s3_url(arena *a, str url, str *ret_bucket, str *ret_prefix) {
    if (!str_starts(url, STR("s3://")))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' does not begin with s3://",
                       STR_ARG(url));
    str rest = str_from(url, 5);
    ptrdiff_t slash = str_chr(rest, '/', 0);
    str bucket = slash < 0 ? rest : str_cut(rest, (size_t)slash);
    str prefix = slash < 0 ? STR("") : str_from(rest, (size_t)slash + 1);
    while (prefix.n && prefix.p[prefix.n - 1] == '/') prefix.n--;
    if (!bucket_ok(bucket))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "'%.*s' is no bucket's name", STR_ARG(bucket));
    if (prefix.n) TRY(storage_check_key(prefix));
    *ret_bucket = arena_str(a, bucket);
    *ret_prefix = prefix.n ? str_of(arena_printf(a, "%.*s/", STR_ARG(prefix))) : STR("");
    return NULL;
}
