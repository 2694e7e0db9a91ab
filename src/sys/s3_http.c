/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call to an S3 store: address, signature, body, answer, retries.
 *
 * libcurl signs (CURLOPT_AWS_SIGV4). It signs the query as it stands in the URL, so callers write
 * it sorted and encoded; the hash of the body is given as x-amz-content-sha256, since a body in
 * memory is hashed anyway. Bodies that are read while they are sent are UNSIGNED-PAYLOAD.
 *
 * What is tried again: connections that fail or break, 408, 429 and 5xx answers, with a delay that
 * doubles and is drawn from its upper half. A download that breaks goes on where it stopped, with
 * If-Match, so that it never continues in another object. A failure after which the store may have
 * acted (no answer, or 5xx) sets `ambiguous`; put-if-absent uses it to recognise its own success.
 *
 * Egress: libcurl asks for each socket with the address that it is about to connect to; that
 * address is judged (sys/egress.h), so a name that resolves differently a moment later gains
 * nothing. After the connection stands, its two ends must not be the same address either: that is
 * this machine under its own name. A proxy's address is judged as the store's would be. Redirects
 * are not followed.
 */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/time.h"
#include "sys/rand.h"
#include "sys/s3_int.h"

#define CONNECT_TIMEOUT_MS 10000L
#define STALL_SECONDS 60L
#define PATIENT_SECONDS 900L
#define MAX_BACKOFF_MS 5000

void s3_header(struct s3_call *c, const char *fmt, ...) {
    char *line = NULL;
    va_list ap;
    va_start(ap, fmt);
    must(vasprintf(&line, fmt, ap) >= 0);
    va_end(ap);
    c->headers = s3_curl.slist_append(c->headers, line);
    must(c->headers != NULL);
    free(line);
}

void s3_quote(buf *b, str s) { enc_percent(b, s, ""); }

/* ---- callbacks of libcurl ---- */

static size_t on_header(char *p, size_t size, size_t n, void *arg) {
    struct s3_call *c = arg;
    str line = str_trim(str_n(p, size * n)), v;
    if (str_starts(line, STR("HTTP/"))) { /* a new answer: 100, then the real one */
        c->content_length = c->total = -1;
        c->mtime = 0;
        c->has_sha = c->headed = false;
        c->etag[0] = c->put_id[0] = 0;
    } else if (outgoing_header(line, "etag", &v)) {
        snprintf(c->etag, sizeof(c->etag), "%.*s", STR_ARG(s3_unquote(v)));
    } else if (outgoing_header(line, "content-length", &v)) {
        if (!str_to_i64(v, &c->content_length)) c->content_length = -1;
    } else if (outgoing_header(line, "content-range", &v)) {
        ptrdiff_t slash = str_chr(v, '/', 0);
        if (slash < 0 || !str_to_i64(str_from(v, (size_t)slash + 1), &c->total)) c->total = -1;
    } else if (outgoing_header(line, "last-modified", &v)) {
        if (!time_parse_http_date(v, &c->mtime)) c->mtime = 0;
    } else if (outgoing_header(line, S3_META_PUT, &v)) {
        snprintf(c->put_id, sizeof(c->put_id), "%.*s", STR_ARG(v));
    } else if (outgoing_header(line, S3_META_SHA, &v)) {
        buf b = {0};
        c->has_sha = enc_unhex(&b, v) && b.n == 32;
        if (c->has_sha) memcpy(c->sha, b.p, 32);
        buf_free(&b);
    }
    return size * n;
}

static void fill_info(struct s3_call *c) {
    if (c->headed || !c->info) return;
    c->headed = true;
    if (c->delivered) return; /* a continued download: told already */
    *c->info = (struct storage_info){.mtime = c->mtime, .has_sha256 = c->has_sha};
    c->info->size = c->total >= 0 ? c->total : c->content_length;
    memcpy(c->info->etag, c->etag, sizeof(c->etag));
    memcpy(c->info->sha256, c->sha, 32);
}

static bool good(long status) { return status >= 200 && status < 300; }

static size_t on_body(char *p, size_t size, size_t n, void *arg) {
    struct s3_call *c = arg;
    size *= n;
    s3_curl.easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &c->status);
    if (c->to && good(c->status)) {
        fill_info(c);
        c->out.failed = c->to->write(c->to->arg, p, size);
        if (c->out.failed) return CURL_WRITEFUNC_ERROR;
        c->delivered += (int64_t)size;
        return size;
    }
    buf_add(&c->text, p, size);
    return c->text.overflow ? CURL_WRITEFUNC_ERROR : size;
}

static size_t on_read(char *p, size_t size, size_t n, void *arg) {
    struct s3_call *c = arg;
    size_t got = 0;
    c->out.failed = c->stream->read(c->stream->arg, p, size * n, &got);
    return c->out.failed ? CURL_READFUNC_ABORT : got;
}

/* ---- one try ---- */

static void set_url(struct s3_call *c, buf *url) {
    buf_z(url, c->s3->host_url);
    buf_c(url, '/');
    if (c->key.n) {
        enc_percent(url, str_of(c->s3->prefix), "/");
        enc_percent(url, c->key, "/");
    }
    if (c->query) buf_fmt(url, "?%s", c->query);
    buf_c(url, 0);
}

/* Options that every call has: where to, how to sign, what is refused. */
static void set_common(struct s3_call *c, CURL *h, const char *url) {
    struct s3 *s = c->s3;
    c->out = (struct outgoing){.egress = s->egress, .host = s->host, .port = s->port, .proxy = s->proxy, .ca_file = s->ca_file,
                               .connect_ms = CONNECT_TIMEOUT_MS, .stall_s = c->patient ? PATIENT_SECONDS : STALL_SECONDS};
    outgoing_set(&c->out, h, url);
    s3_curl.easy_setopt(h, CURLOPT_AWS_SIGV4, s->sigv4);
    s3_curl.easy_setopt(h, CURLOPT_USERNAME, s->user);
    s3_curl.easy_setopt(h, CURLOPT_PASSWORD, s->secret);
    s3_curl.easy_setopt(h, CURLOPT_UPLOAD_BUFFERSIZE, 512L * 1024L);
    s3_curl.easy_setopt(h, CURLOPT_BUFFERSIZE, 256L * 1024L);
    s3_curl.easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    s3_curl.easy_setopt(h, CURLOPT_HEADERDATA, c);
    s3_curl.easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    s3_curl.easy_setopt(h, CURLOPT_WRITEDATA, c);
}

/* The headers of this try: those of the call, and what depends on body and range. */
static struct curl_slist *set_body(struct s3_call *c, CURL *h) {
    struct s3_call extra = {0};
    for (struct curl_slist *l = c->headers; l; l = l->next) s3_header(&extra, "%s", l->data);
    unsigned char sha[32];
    char hex[65];
    EVP_Digest(c->body.p ? c->body.p : "", c->body.n, sha, NULL, EVP_sha256(), NULL);
    for (int i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", sha[i]);
    s3_header(&extra, "x-amz-content-sha256: %s", c->stream ? "UNSIGNED-PAYLOAD" : hex);
    if (c->s3->session[0]) s3_header(&extra, "x-amz-security-token: %s", c->s3->session);
    if (strcmp(c->method, "HEAD") == 0) {
        s3_curl.easy_setopt(h, CURLOPT_NOBODY, 1L);
    } else if (c->stream) {
        s3_curl.easy_setopt(h, CURLOPT_UPLOAD, 1L);
        s3_curl.easy_setopt(h, CURLOPT_READFUNCTION, on_read);
        s3_curl.easy_setopt(h, CURLOPT_READDATA, c);
        s3_curl.easy_setopt(h, CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->stream->size);
        s3_curl.easy_setopt(h, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
    } else if (strcmp(c->method, "GET") != 0) {
        if (strcmp(c->method, "DELETE") != 0) {
            s3_curl.easy_setopt(h, CURLOPT_POSTFIELDS, c->body.n ? c->body.p : "");
            s3_curl.easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body.n);
            s3_curl.easy_setopt(h, CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
            s3_header(&extra, "Content-Type: %s", c->content_type ? c->content_type : "application/octet-stream");
        }
        s3_curl.easy_setopt(h, CURLOPT_CUSTOMREQUEST, c->method);
    }
    if (c->ranged || c->delivered) {
        int64_t from = c->offset + c->delivered;
        if (c->length >= 0)
            s3_header(&extra, "Range: bytes=%lld-%lld", (long long)from,
                      (long long)(c->offset + c->length - 1));
        else
            s3_header(&extra, "Range: bytes=%lld-", (long long)from);
    }
    const char *match = c->delivered && c->info ? c->info->etag : c->if_match;
    if (match[0]) s3_header(&extra, "If-Match: \"%s\"", match);
    s3_curl.easy_setopt(h, CURLOPT_HTTPHEADER, extra.headers);
    return extra.headers;
}

static CURLcode try_once(struct s3_call *c) {
    buf url = {0};
    set_url(c, &url);
    CURL *h = c->curl = outgoing_take(&c->s3->pool);
    c->status = 0;
    c->headed = false;
    buf_clear(&c->text);
    c->text.max = S3_ANSWER_MAX;
    set_common(c, h, url.p);
    struct curl_slist *headers = set_body(c, h);
    CURLcode rc = s3_curl.easy_perform(h);
    s3_curl.easy_getinfo(h, CURLINFO_RESPONSE_CODE, &c->status);
    if (rc == CURLE_OK && good(c->status)) fill_info(c);
    s3_curl.slist_free_all(headers);
    c->curl = NULL;
    outgoing_give(&c->s3->pool, h);
    buf_free(&url);
    return rc;
}

/* ---- judging an answer ---- */

static err *curl_error(struct s3_call *c, CURLcode rc) {
    return err_hint(err_new(ERR_TEMPORARILY_UNAVAILABLE, "object store at %s:%d: %s", c->s3->host,
                            c->s3->port, s3_curl.easy_strerror(rc)),
                    "see storage.s3.endpoint and courier.ca_file");
}

static const struct {
    const char *code;
    err_code is;
} code_rows[] = {
    {"NoSuchKey", ERR_NOT_FOUND},
    {"NoSuchUpload", ERR_NOT_FOUND},
    {"NoSuchBucket", ERR_INVALID_STATE},
    {"PreconditionFailed", ERR_PRECONDITION_FAILED},
    {"InvalidRange", ERR_RANGE_NOT_SATISFIABLE},
    {"InvalidPart", ERR_INVALID_PARAMETER_VALUE},
    {"InvalidPartOrder", ERR_INVALID_PARAMETER_VALUE},
    {"EntityTooSmall", ERR_INVALID_PARAMETER_VALUE},
    {"EntityTooLarge", ERR_PAYLOAD_TOO_LARGE},
    {"KeyTooLongError", ERR_INVALID_PARAMETER_VALUE},
    {"BadDigest", ERR_DATA_LOSS},
    {"XAmzContentSHA256Mismatch", ERR_DATA_LOSS},
    {"ConditionalRequestConflict", ERR_ABORTED},
    {"OperationAborted", ERR_ABORTED},
    {"SlowDown", ERR_TEMPORARILY_UNAVAILABLE},
    {"ServiceUnavailable", ERR_TEMPORARILY_UNAVAILABLE},
    {"InternalError", ERR_TEMPORARILY_UNAVAILABLE},
    {"RequestTimeout", ERR_TEMPORARILY_UNAVAILABLE},
};

static err_code code_for(const char *code, long status) {
    for (size_t i = 0; i < ARRAY_LEN(code_rows); i++)
        if (strcmp(code_rows[i].code, code) == 0) return code_rows[i].is;
    switch (status) {
    case 401:
    case 403:
        return ERR_PERMISSION_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_ABORTED;
    case 412:
        return ERR_PRECONDITION_FAILED;
    case 416:
        return ERR_RANGE_NOT_SATISFIABLE;
    case 408:
    case 429:
        return ERR_TEMPORARILY_UNAVAILABLE;
    default:
        return status >= 500 ? ERR_TEMPORARILY_UNAVAILABLE : ERR_IO_ERROR;
    }
}

static err *status_error(struct s3_call *c, const struct s3_xml_answer *x) {
    err_code code = code_for(x->code, c->status);
    str key = c->key.p ? c->key : STR("");
    err *e;
    if (code == ERR_NOT_FOUND && strcmp(x->code, "NoSuchUpload") != 0)
        e = err_new(code, "object '%.*s' does not exist", STR_ARG(key));
    else
        e = err_new(code, "the object store refuses %s '%.*s': %ld %s", c->method, STR_ARG(key),
                    c->status, x->code[0] ? x->code : "(no code)");
    if (x->message[0]) e = err_detail(e, "%s", x->message);
    if (strcmp(x->code, "NoSuchBucket") == 0)
        e = err_hint(e, "make the bucket '%s', or see storage.root", c->s3->bucket);
    else if (code == ERR_PERMISSION_DENIED)
        e = err_hint(e, "see storage.s3.access_key_id and the bucket's policy");
    else if (c->status == 301 || c->status == 307)
        e = err_hint(e, "the bucket lies elsewhere: see storage.s3.region and storage.s3.endpoint");
    return e;
}

err *s3_answer(struct s3_call *c, struct s3_xml_answer *ret) {
    TRY(err_recode(s3_xml_answer(buf_view(&c->text), ret), ERR_IO_ERROR));
    if (strcmp(ret->root, "Error") == 0 || ret->code[0]) {
        c->status = 500; /* copy and complete say 200 first and may fail then */
        return status_error(c, ret);
    }
    return NULL;
}

/* After one try: NULL and *again false is success. */
static err *judge(struct s3_call *c, CURLcode rc, bool *again) {
    *again = false;
    if (c->out.failed) {
        err *e = c->out.failed;
        c->out.failed = NULL;
        return e;
    }
    if (rc != CURLE_OK) {
        *again = rc != CURLE_URL_MALFORMAT && rc != CURLE_PEER_FAILED_VERIFICATION &&
                 rc != CURLE_SSL_CACERT_BADFILE && rc != CURLE_UNSUPPORTED_PROTOCOL;
        if (c->text.overflow)
            return err_new(ERR_IO_ERROR, "the object store's answer is over %u bytes",
                           S3_ANSWER_MAX);
        if (rc != CURLE_COULDNT_CONNECT && rc != CURLE_COULDNT_RESOLVE_HOST) c->ambiguous = true;
        return curl_error(c, rc);
    }
    if (good(c->status)) return NULL;
    struct s3_xml_answer x = {0};
    if (c->text.n) err_free(s3_xml_answer(buf_view(&c->text), &x)); /* a proxy may answer in HTML */
    err *e = status_error(c, &x);
    *again = err_code_of(e) == ERR_TEMPORARILY_UNAVAILABLE ||
             strcmp(x.code, "ConditionalRequestConflict") == 0;
    if (c->status >= 500) c->ambiguous = true;
    return e;
}

static void back_off(const struct s3 *s, int tried) {
    int64_t ms = s->backoff_ms;
    for (int i = 1; i < tried && ms < MAX_BACKOFF_MS; i++) ms *= 2;
    if (ms > MAX_BACKOFF_MS) ms = MAX_BACKOFF_MS;
    ms = ms / 2 + (int64_t)(rand_u64() % (uint64_t)(ms / 2 + 1));
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

err *s3_call(struct s3_call *c) {
    int tries = c->stream ? 1 : c->s3->tries;
    int64_t progress = 0;
    for (int tried = 1;; tried++) {
        bool again;
        err *e = judge(c, try_once(c), &again);
        if (!e) return NULL;
        if (c->delivered > progress) { /* a download that moves on may break more often */
            progress = c->delivered;
            tried = 1;
        }
        if (!again || tried >= tries) return e;
        err_free(e);
        back_off(c->s3, tried);
    }
}

void s3_done(struct s3_call *c) {
    s3_curl.slist_free_all(c->headers);
    c->headers = NULL;
    buf_free(&c->text);
    err_free(c->out.failed);
    c->out.failed = NULL;
}
