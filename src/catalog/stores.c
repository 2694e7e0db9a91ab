/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/stores.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "catalog/locations.h"
#include "sys/clock.h"

struct stores *stores_new(courier_client *client, const struct settings *set) {
    struct stores *s = calloc(1, sizeof(*s));
    must(s != NULL);
    s->client = client;
    str url = settings_str(set, SET_STORAGE_ROOT);
    if (!str_starts(url, STR("s3://"))) return s;
    while (url.n && url.p[url.n - 1] == '/') url.n--;
    s->root_url = str_n(str_dup(url), url.n);
    must(s->root_url.p != NULL);
    return s;
}

void stores_free(struct stores *s) {
    if (!s) return;
    free((char *)(uintptr_t)s->root_url.p);
    free(s);
}

void stores_split(str url, str *ret_bucket, str *ret_key) {
    str rest = str_from(url, 5);
    ptrdiff_t slash = str_chr(rest, '/', 0);
    *ret_bucket = slash < 0 ? rest : str_cut(rest, (size_t)slash);
    *ret_key = slash < 0 ? STR("") : str_from(rest, (size_t)slash + 1);
    while (ret_key->n && ret_key->p[ret_key->n - 1] == '/') ret_key->n--;
}

/* The secret half; nothing where the credential has none. */
static err *secret_of(const struct caller *c, int64_t credential, jval **ret) {
    struct ent_storage_secret_rows rows;
    struct ent_list_query q = {.eq = {{.column = ENT_STORAGE_SECRET_CREDENTIAL_ID, .i = credential}}, .limit = 1};
    *ret = NULL;
    TRY(ent_storage_secret_list(store_tx_today(c->tx), metastore_scope(c), c->a, &q, &rows));
    return rows.n ? json_parse(c->a, rows.p[0].config, false, ret) : NULL;
}

static err *config_of(const struct caller *c, str bucket, int64_t credential, str *ret, str *ret_role) {
    static const char *const shown[] = {"access_key_id", "endpoint", "region"}, *const hidden[] = {"secret_access_key", "session_token"};
    struct ent_storage_credential row;
    bool found;
    jval *open, *secret;
    TRY(ent_storage_credential_get(store_tx_today(c->tx), metastore_scope(c), c->a, credential, &row, &found));
    if (!found) return err_new(ERR_INVALID_STATE, "The storage credential of '%.*s' is gone.", STR_ARG(bucket));
    TRY(json_parse(c->a, row.config.n ? row.config : STR("{}"), false, &open));
    TRY(secret_of(c, credential, &secret));
    if (!secret || !json_get_str(secret, "secret_access_key").n)
        return err_new(ERR_INVALID_STATE, "Storage credential '%.*s' (%.*s) holds no keys that reach an object store.", STR_ARG(row.name),
                       STR_ARG(row.kind));
    jdoc *d = json_doc(c->a);
    jmut *o = yyjson_mut_obj(d);
    json_put_str(d, o, "bucket", bucket);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) json_put_str(d, o, shown[i], json_get_str(open, shown[i]));
    for (size_t i = 0; i < ARRAY_LEN(hidden); i++) json_put_str(d, o, hidden[i], json_get_str(secret, hidden[i]));
    json_put_bool(d, o, "path_style", !yyjson_is_false(json_get(open, "path_style")));
    *ret = json_text(c->a, o);
    *ret_role = json_get_str(open, "role_arn");
    return NULL;
}

static err *open_config(const struct caller *c, str url, str config, struct store_at *ret) {
    unsigned char sum[SHA256_DIGEST_LENGTH];
    buf hex = {0};
    SHA256((const unsigned char *)config.p, config.n, sum);
    enc_hex(&hex, str_n((char *)sum, 16));
    *ret = (struct store_at){.place = arena_str(c->a, buf_view(&hex))};
    buf_free(&hex);
    str bucket;
    stores_split(url, &bucket, &ret->key);
    TRY(courier_client_place(c->stores->client, ret->place, config));
    ret->s = courier_client_store(c->stores->client, ret->place);
    return ret->s ? NULL : err_new(ERR_INTERNAL_ERROR, "a store was lost");
}

static err *no_stores(str url) {
    return err_new(ERR_NOT_FOUND, "'%.*s' lies in no external location with a storage credential.", STR_ARG(str_cut(url, 300)));
}

err *stores_open_with(const struct caller *c, str url, int64_t credential, struct store_at *ret) {
    str bucket, key, config, role;
    if (!c->stores || !credential || !url_is_remote(url)) return no_stores(url);
    stores_split(url, &bucket, &key);
    TRY(config_of(c, bucket, credential, &config, &role));
    TRY(open_config(c, url, config, ret));
    ret->role = role;
    return NULL;
}

/* The courier alone knows the keys of storage.root, and puts its prefix before all that it does there. */
static err *open_root(const struct caller *c, str url, struct store_at *ret) {
    str root = c->stores->root_url;
    if (!root.n || !str_starts(url, root) || (url.n > root.n && url.p[root.n] != '/')) return no_stores(url);
    *ret = (struct store_at){.place = STR(""), .key = url.n > root.n ? str_from(url, root.n + 1) : STR(""), .s = courier_client_storage(c->stores->client)};
    return NULL;
}

err *stores_open(const struct caller *c, str url, struct store_at *ret) {
    struct securable l;
    bool found = false;
    if (!c->stores || !url_is_remote(url)) return no_stores(url);
    TRY(locations_of_url(c, url, &l, &found));
    return found ? stores_open_with(c, url, l.location.credential_id, ret) : open_root(c, url, ret);
}

/* "a*b" → "a${*}b": in a policy's resource these are patterns. */
static void put_resource(buf *b, str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (memchr("*?$", s.p[i], 3))
            buf_fmt(b, "${%c}", s.p[i]);
        else
            buf_c(b, s.p[i]);
    }
}

static str policy_for(arena *a, str url, bool write) {
    static const char *const reads[] = {"s3:GetObject"}, *const writes[] = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"};
    str bucket, key;
    buf resource = {0}, prefix = {0};
    stores_split(url, &bucket, &key);
    put_resource(&prefix, key);
    buf_fmt(&resource, "arn:aws:s3:::%.*s/%.*s%s*", STR_ARG(bucket), STR_ARG(buf_view(&prefix)), key.n ? "/" : "");
    jdoc *d = json_doc(a);
    jmut *o = yyjson_mut_obj(d);
    json_put_z(d, o, "Version", "2012-10-17");
    jmut *list = json_put_arr(d, o, "Statement"), *objects = json_add_obj(d, list), *listing = json_add_obj(d, list);
    json_put_z(d, objects, "Effect", "Allow");
    jmut *actions = json_put_arr(d, objects, "Action");
    for (size_t i = 0; i < (write ? ARRAY_LEN(writes) : ARRAY_LEN(reads)); i++) json_add_str(d, actions, str_of(write ? writes[i] : reads[i]));
    json_put_str(d, objects, "Resource", arena_str(a, buf_view(&resource)));
    json_put_z(d, listing, "Effect", "Allow");
    json_add_str(d, json_put_arr(d, listing, "Action"), STR("s3:ListBucket"));
    json_put_str(d, listing, "Resource", str_of(arena_printf(a, "arn:aws:s3:::%.*s", STR_ARG(bucket))));
    if (key.n) {
        jmut *like = json_put_arr(d, json_put_obj(d, json_put_obj(d, listing, "Condition"), "StringLike"), "s3:prefix");
        json_add_str(d, like, str_of(arena_printf(a, "%.*s", STR_ARG(buf_view(&prefix)))));
        json_add_str(d, like, str_of(arena_printf(a, "%.*s/*", STR_ARG(buf_view(&prefix)))));
    }
    buf_free(&resource);
    buf_free(&prefix);
    return json_text(a, o);
}

err *stores_session(const struct stores *s, arena *a, const struct store_at *at, str url, bool write, jval **ret) {
    err *e = courier_client_session(s->client, a, at->place, at->role, policy_for(a, url, write), ret);
    if (!e || err_code_of(e) == ERR_TEMPORARILY_UNAVAILABLE) return e;
    err *why = err_hint(err_new(ERR_INVALID_STATE, "The store of '%.*s' gives no temporary credentials: %s", STR_ARG(url), err_msg(e)),
                        "They need a token service (STS) at the credential's endpoint.");
    err_free(e);
    return why;
}

void stores_grant(const struct caller *c, const struct store_at *at, bool write, uint64_t statement, buf *out) {
    struct order_grant g = {.place = at->place, .prefix = at->key, .write = write, .statement = statement,
                            .expires = clock_now() + STORES_GRANT_LIFE_US};
    courier_client_grant(c->stores->client, &g, out);
}
