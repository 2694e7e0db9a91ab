/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Session credentials of a store's token service (STS), narrowed by a policy: what may be handed to somebody who reads and
 * writes objects without us.
 *
 * Stores differ in what they offer to a user with keys. AWS has GetFederationToken for users and AssumeRole for roles;
 * MinIO and its relatives have AssumeRole without a role. Both are tried unless a role is named.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/time.h"
#include "sys/s3_int.h"

#define NO_ROLE "arn:aws:iam::000000000000:role/boathouse" /* for stores that want one and look at none */

static void put(buf *b, const char *name, str value) {
    buf_fmt(b, "%s%s=", b->n ? "&" : "", name);
    enc_percent(b, value, "");
}

static void on_text(void *arg, const char *path, str text) {
    struct storage_s3_session *s = arg;
    const char *name = strrchr(path, '/');
    if (!name || !strstr(path, "/Credentials/")) return;
    struct {
        const char *name;
        char *to;
        size_t cap;
    } const fields[] = {{"/AccessKeyId", s->access_key_id, sizeof(s->access_key_id)},
                        {"/SecretAccessKey", s->secret_access_key, sizeof(s->secret_access_key)},
                        {"/SessionToken", s->session_token, sizeof(s->session_token)}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(name, fields[i].name) == 0 && text.n < fields[i].cap) memcpy(fields[i].to, text.p, text.n), fields[i].to[text.n] = 0;
    if (strcmp(name, "/Expiration") == 0 && !time_parse_rfc3339(text, &s->expires)) s->expires = 0;
}

static err *call(struct s3 *t, const char *action, str role, str policy, int seconds, struct storage_s3_session *ret) {
    buf form = {0};
    char text[24];
    snprintf(text, sizeof(text), "%d", seconds);
    put(&form, "Action", str_of(action));
    put(&form, "DurationSeconds", str_of(text));
    if (strcmp(action, "AssumeRole") == 0) put(&form, "RoleArn", role.n ? role : STR(NO_ROLE));
    put(&form, strcmp(action, "AssumeRole") == 0 ? "RoleSessionName" : "Name", STR("boathouse"));
    put(&form, "Policy", policy);
    put(&form, "Version", STR("2011-06-15"));
    struct s3_call c = {.s3 = t, .method = "POST", .key = STR_NONE, .body = buf_view(&form), .length = -1,
                        .content_type = "application/x-www-form-urlencoded"};
    memset(ret, 0, sizeof(*ret));
    err *e = s3_call(&c);
    if (!e) e = s3_xml_parse(buf_view(&c.text), on_text, ret);
    if (!e && (!ret->access_key_id[0] || !ret->secret_access_key[0] || !ret->session_token[0] || !ret->expires))
        e = err_new(ERR_NOT_IMPLEMENTED, "the store's token service gives no session");
    if (c.text.p) explicit_bzero(c.text.p, c.text.n);
    s3_done(&c);
    buf_free(&form);
    return e;
}

/* scheme://host of the token service: AWS has one for each region, others answer at the store's own address. */
static char *service_url(const struct s3 *s, str region) {
    char *url = NULL;
    const char *host = strstr(s->host_url, "://");
    str rest = str_of(host ? host + 3 : s->host_url);
    ptrdiff_t slash = str_chr(rest, '/', 0);
    if (slash >= 0) rest = str_cut(rest, (size_t)slash);
    size_t n = strlen(s->bucket);
    if (rest.n > n + 1 && memcmp(rest.p, s->bucket, n) == 0 && rest.p[n] == '.') rest = str_from(rest, n + 1);
    if (str_ends(rest, STR(".amazonaws.com")))
        must(asprintf(&url, "https://sts.%.*s.amazonaws.com", STR_ARG(region)) >= 0);
    else
        must(asprintf(&url, "%.*s://%.*s", host ? (int)(host - s->host_url) : 5, host ? s->host_url : "https", STR_ARG(rest)) >= 0);
    return url;
}

err *storage_s3_session(storage *s, str role, str policy, int seconds, struct storage_s3_session *ret) {
    if (!storage_s3_is(s)) return err_new(ERR_NOT_IMPLEMENTED, "only an S3 store has sessions");
    const struct s3 *of = s3_of(s);
    struct s3 t = *of; /* texts stay of's */
    str region = str_from(str_of(of->sigv4), 8);
    region = str_cut(region, region.n > 3 ? region.n - 3 : 0); /* "aws:amz:us-east-1:s3" */
    outgoing_pool_init(&t.pool);
    must(asprintf(&t.sigv4, "aws:amz:%.*s:sts", STR_ARG(region)) >= 0);
    t.host_url = service_url(of, region);
    err *e = role.n ? NULL : call(&t, "GetFederationToken", role, policy, seconds, ret);
    if (role.n || (e && err_code_of(e) != ERR_TEMPORARILY_UNAVAILABLE)) {
        err_free(e);
        e = call(&t, "AssumeRole", role, policy, seconds, ret);
    }
    outgoing_pool_free(&t.pool);
    free(t.sigv4);
    free(t.host_url);
    return e;
}
