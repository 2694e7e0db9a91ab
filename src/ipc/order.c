/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/order.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

#include "base/enc.h"

/* Which fields a verb has, as a set of letters:
 * k key, t to, r range and if_match, b body sizes, a if_absent, u upload_id, n number, p parts,
 * d keys, l list */
static const struct {
    const char *name, *fields;
} verbs[ORDER_VERB_COUNT] = {
    [ORDER_PUT] = {"put", "kba"},
    [ORDER_GET] = {"get", "kr"},
    [ORDER_HEAD] = {"head", "k"},
    [ORDER_LIST] = {"list", "l"},
    [ORDER_DELETE] = {"delete", "d"},
    [ORDER_COPY] = {"copy", "kt"},
    [ORDER_CREATE] = {"create", "k"},
    [ORDER_PART] = {"part", "kbun"},
    [ORDER_COMPLETE] = {"complete", "kaup"},
    [ORDER_ABORT] = {"abort", "ku"},
    [ORDER_INDEX] = {"index", ""},
    [ORDER_PLACE] = {"place", "k"},
    [ORDER_ENGINE] = {"engine", ""},
    [ORDER_SESSION] = {"session", "kt"},
    [ORDER_ENDED] = {"ended", "k"},
};

const char *order_verb_name(enum order_verb v) { return verbs[v].name; }

static bool has(enum order_verb v, char field) { return strchr(verbs[v].fields, field) != NULL; }

/* ---- writing ---- */

static void put_name(buf *b, const char *name) {
    buf_fmt(b, "%s\"%s\":", b->n && b->p[b->n - 1] != '{' && b->p[b->n - 1] != '[' ? "," : "",
            name);
}
static void put_text(buf *b, const char *name, str v) {
    put_name(b, name);
    buf_json_str(b, v);
}
static void put_int(buf *b, const char *name, int64_t v) {
    put_name(b, name);
    buf_fmt(b, "\"%lld\"", (long long)v); /* as text: exact for every reader */
}
static void put_flag(buf *b, const char *name, bool v) {
    put_name(b, name);
    buf_z(b, v ? "true" : "false");
}

static void put_parts(buf *b, const struct order *o) {
    put_name(b, "parts");
    buf_c(b, '[');
    for (size_t i = 0; i < o->n_parts; i++) {
        buf_fmt(b, "%s{\"number\":\"%d\",\"etag\":", i ? "," : "", o->parts[i].number);
        buf_json_str(b, str_of(o->parts[i].etag));
        buf_c(b, '}');
    }
    buf_c(b, ']');
}

void order_write(const struct order *o, buf *b) {
    enum order_verb v = o->verb;
    buf_c(b, '{');
    put_text(b, "verb", str_of(verbs[v].name));
    put_int(b, "expires", o->expires);
    if (o->place.n) put_text(b, "place", o->place);
    if (has(v, 'k')) put_text(b, "key", o->key);
    if (has(v, 't')) put_text(b, "to", o->to);
    if (has(v, 'r')) {
        put_int(b, "offset", o->offset);
        put_int(b, "length", o->length);
        put_text(b, "if_match", o->if_match);
    }
    if (has(v, 'b')) {
        put_int(b, "size", o->size);
        put_int(b, "max_size", o->max_size);
    }
    if (has(v, 'a')) put_flag(b, "if_absent", o->if_absent);
    if (has(v, 'u')) put_text(b, "upload_id", o->upload_id);
    if (has(v, 'n')) put_int(b, "number", o->number);
    if (has(v, 'p')) put_parts(b, o);
    if (has(v, 'd')) {
        put_name(b, "keys");
        buf_c(b, '[');
        for (size_t i = 0; i < o->n_keys; i++) {
            if (i) buf_c(b, ',');
            buf_json_str(b, o->keys[i]);
        }
        buf_c(b, ']');
    }
    if (has(v, 'l')) {
        put_text(b, "prefix", o->list.prefix);
        put_text(b, "start_after", o->list.start_after);
        put_text(b, "token", o->list.token);
        put_flag(b, "delimiter", o->list.delimiter);
        put_int(b, "max", o->list.max);
    }
    buf_c(b, '}');
}

/* ---- reading ---- */

struct order_in {
    jval *root;
    const char *bad; /* first field that is missing or of another type */
};

static str text_of(struct order_in *in, const char *name) {
    jval *v = json_get(in->root, name);
    if (!yyjson_is_str(v) && !in->bad) in->bad = name;
    return json_str(v);
}
static int64_t int_of(struct order_in *in, const char *name) {
    int64_t n = 0;
    if (!json_i64(json_get(in->root, name), &n) && !in->bad) in->bad = name;
    return n;
}
static bool flag_of(struct order_in *in, const char *name) {
    jval *v = json_get(in->root, name);
    if (!yyjson_is_bool(v) && !in->bad) in->bad = name;
    return yyjson_get_bool(v);
}

static void read_parts(arena *a, struct order_in *in, struct order *o) {
    jval *list = json_get(in->root, "parts");
    o->n_parts = yyjson_arr_size(list);
    if (o->n_parts == 0 || o->n_parts > STORAGE_MAX_PARTS) {
        in->bad = "parts";
        return;
    }
    o->parts = arena_array_of(a, struct storage_part, o->n_parts);
    for (size_t i = 0; i < o->n_parts; i++) {
        struct order_in part = {.root = yyjson_arr_get(list, i)};
        o->parts[i].number = (int)int_of(&part, "number");
        str etag = text_of(&part, "etag");
        if (etag.n >= STORAGE_ETAG_CAP || part.bad) {
            in->bad = "parts";
            return;
        }
        snprintf(o->parts[i].etag, STORAGE_ETAG_CAP, "%.*s", STR_ARG(etag));
    }
}

static void read_keys(arena *a, struct order_in *in, struct order *o) {
    jval *list = json_get(in->root, "keys");
    o->n_keys = yyjson_arr_size(list);
    if (o->n_keys > ORDER_MAX_KEYS || !yyjson_is_arr(list)) {
        in->bad = "keys";
        return;
    }
    o->keys = arena_array_of(a, str, o->n_keys + 1);
    for (size_t i = 0; i < o->n_keys; i++) {
        jval *v = yyjson_arr_get(list, i);
        if (!yyjson_is_str(v)) in->bad = "keys";
        o->keys[i] = json_str(v);
    }
}

err *order_read(arena *a, str verb, str json, struct order *ret) {
    *ret = (struct order){.verb = ORDER_VERB_COUNT, .length = -1, .size = -1};
    if (json.n > ORDER_MAX_JSON)
        return err_new(ERR_MALFORMED_REQUEST, "an order of %zu bytes", json.n);
    struct order_in in = {0};
    TRY(json_parse(a, json, false, &in.root));
    if (!str_eq(text_of(&in, "verb"), verb)) in.bad = "verb";
    for (int i = 0; i < ORDER_VERB_COUNT; i++)
        if (str_eqz(verb, verbs[i].name)) ret->verb = (enum order_verb)i;
    if (ret->verb == ORDER_VERB_COUNT)
        return err_new(ERR_MALFORMED_REQUEST, "an order has no verb '%.*s'", STR_ARG(verb));
    enum order_verb v = ret->verb;
    ret->expires = int_of(&in, "expires");
    if (json_get(in.root, "place")) ret->place = text_of(&in, "place");
    if (has(v, 'k')) ret->key = text_of(&in, "key");
    if (has(v, 't')) ret->to = text_of(&in, "to");
    if (has(v, 'r')) {
        ret->offset = int_of(&in, "offset");
        ret->length = int_of(&in, "length");
        ret->if_match = text_of(&in, "if_match");
    }
    if (has(v, 'b')) {
        ret->size = int_of(&in, "size");
        ret->max_size = int_of(&in, "max_size");
        if (ret->size < -1 || ret->max_size < 0) in.bad = "size";
    }
    if (has(v, 'a')) ret->if_absent = flag_of(&in, "if_absent");
    if (has(v, 'u')) ret->upload_id = text_of(&in, "upload_id");
    if (has(v, 'n')) {
        int64_t number = int_of(&in, "number");
        ret->number = number >= 1 && number <= STORAGE_MAX_PARTS ? (int)number : 0;
    }
    if (has(v, 'p')) read_parts(a, &in, ret);
    if (has(v, 'd')) read_keys(a, &in, ret);
    if (has(v, 'l')) {
        ret->list.prefix = text_of(&in, "prefix");
        ret->list.start_after = text_of(&in, "start_after");
        ret->list.token = text_of(&in, "token");
        ret->list.delimiter = flag_of(&in, "delimiter");
        int64_t max = int_of(&in, "max");
        ret->list.max = max >= 0 && max <= STORAGE_MAX_PAGE ? (int)max : -1;
    }
    if (in.bad) return err_new(ERR_MALFORMED_REQUEST, "an order's field '%s' is wrong", in.bad);
    return NULL;
}

/* ---- tokens ---- */

static void mac(const unsigned char key[ORDER_KEY_SIZE], str verb, str json, buf *out) {
    buf text = {0};
    unsigned char sum[32];
    unsigned n = sizeof(sum);
    buf_fmt(&text, "boathouse order 1\n%.*s\n", STR_ARG(verb));
    buf_str(&text, json);
    must(HMAC(EVP_sha256(), key, ORDER_KEY_SIZE, (unsigned char *)text.p, text.n, sum, &n) != NULL);
    enc_base64url(out, str_n((char *)sum, n));
    buf_free(&text);
}

void order_sign(const unsigned char key[ORDER_KEY_SIZE], str verb, str json, buf *out) {
    mac(key, verb, json, out);
}

err *order_verify(const unsigned char key[ORDER_KEY_SIZE], str verb, str json, str token) {
    buf want = {0};
    mac(key, verb, json, &want);
    bool same = want.n == token.n && str_eq_secret(buf_view(&want), token);
    buf_free(&want);
    return same ? NULL : err_new(ERR_PERMISSION_DENIED, "an order's token is not control's");
}

err *order_check_time(const struct order *o, int64_t now) {
    return now <= o->expires ? NULL : err_new(ERR_PERMISSION_DENIED, "an order has expired");
}

/* ---- grants ---- */

static void seal(const unsigned char key[ORDER_KEY_SIZE], str text, buf *out) {
    buf in = {0};
    unsigned char sum[32];
    unsigned n = sizeof(sum);
    buf_z(&in, "boathouse grant 1\n");
    buf_str(&in, text);
    must(HMAC(EVP_sha256(), key, ORDER_KEY_SIZE, (unsigned char *)in.p, in.n, sum, &n) != NULL);
    enc_base64url(out, str_n((char *)sum, n));
    buf_free(&in);
}

void order_grant_write(const unsigned char key[ORDER_KEY_SIZE], const struct order_grant *g, buf *out) {
    buf j = {0}, text = {0};
    buf_c(&j, '{');
    put_text(&j, "place", g->place);
    put_text(&j, "prefix", g->prefix);
    put_flag(&j, "write", g->write);
    put_int(&j, "statement", (int64_t)g->statement);
    put_int(&j, "expires", g->expires);
    buf_c(&j, '}');
    enc_hex(&text, buf_view(&j));
    buf_str(out, buf_view(&text));
    buf_c(out, '.');
    seal(key, buf_view(&text), out);
    buf_free(&j);
    buf_free(&text);
}

err *order_grant_read(arena *a, const unsigned char key[ORDER_KEY_SIZE], str token, struct order_grant *ret) {
    ptrdiff_t dot = str_chr(token, '.', 0);
    buf want = {0}, json = {0};
    bool good = dot > 0;
    if (good) {
        seal(key, str_cut(token, (size_t)dot), &want);
        str sum = str_from(token, (size_t)dot + 1);
        good = want.n == sum.n && str_eq_secret(buf_view(&want), sum) && enc_unhex(&json, str_cut(token, (size_t)dot));
    }
    buf_free(&want);
    err *e = good ? NULL : err_new(ERR_PERMISSION_DENIED, "a grant is not control's");
    struct order_in in = {0};
    if (!e) e = json_parse(a, arena_str(a, buf_view(&json)), false, &in.root);
    buf_free(&json);
    if (e) return e;
    *ret = (struct order_grant){.place = text_of(&in, "place"), .prefix = text_of(&in, "prefix"), .write = flag_of(&in, "write"),
                                .statement = (uint64_t)int_of(&in, "statement"), .expires = int_of(&in, "expires")};
    return in.bad ? err_new(ERR_MALFORMED_REQUEST, "a grant's field '%s' is wrong", in.bad) : NULL;
}

static bool is_in_log(str key) {
    str part;
    while (str_split(&key, '/', &part))
        if (str_eqz(part, "_delta_log")) return true;
    return false;
}

static bool covers(const struct order_grant *g, str key, bool write) {
    if (write && (!g->write || is_in_log(key))) return false;
    if (!g->prefix.n) return true;
    return str_starts(key, g->prefix) && (key.n == g->prefix.n || key.p[g->prefix.n] == '/');
}

err *order_grant_check(const struct order_grant *g, const struct order *o, int64_t now) {
    bool good = false;
    switch (o->verb) {
    case ORDER_GET:
    case ORDER_HEAD: good = covers(g, o->key, false); break;
    case ORDER_LIST: good = covers(g, o->list.prefix, false) && (!g->prefix.n || o->list.prefix.n > g->prefix.n); break;
    case ORDER_PUT:
    case ORDER_CREATE:
    case ORDER_PART:
    case ORDER_COMPLETE:
    case ORDER_ABORT: good = covers(g, o->key, true); break;
    case ORDER_COPY: good = covers(g, o->key, false) && covers(g, o->to, true); break;
    case ORDER_DELETE:
        good = true;
        for (size_t i = 0; i < o->n_keys; i++) good &= covers(g, o->keys[i], true);
        break;
    default: break;
    }
    if (!good) return err_new(ERR_PERMISSION_DENIED, "a statement's grant does not reach that far");
    return now <= g->expires ? NULL : err_new(ERR_PERMISSION_DENIED, "a statement's grant has expired");
}

/* ---- outcomes ---- */

void order_write_info(const struct storage_info *i, buf *b) {
    buf_c(b, '{');
    put_int(b, "size", i->size);
    put_int(b, "mtime", i->mtime);
    put_text(b, "etag", str_of(i->etag));
    if (i->has_sha256) {
        buf hex = {0};
        enc_hex(&hex, str_n((const char *)i->sha256, 32));
        put_text(b, "sha256", buf_view(&hex));
        buf_free(&hex);
    }
    buf_c(b, '}');
}

bool order_read_info(jval *v, struct storage_info *ret) {
    *ret = (struct storage_info){0};
    struct order_in in = {.root = v};
    ret->size = int_of(&in, "size");
    ret->mtime = int_of(&in, "mtime");
    str etag = text_of(&in, "etag");
    if (in.bad || etag.n >= sizeof(ret->etag)) return false;
    memcpy(ret->etag, etag.p, etag.n);
    str sha = json_get_str(v, "sha256");
    buf raw = {0};
    if (sha.p && enc_unhex(&raw, sha) && raw.n == 32) {
        ret->has_sha256 = true;
        memcpy(ret->sha256, raw.p, 32);
    }
    buf_free(&raw);
    return true;
}

void order_write_list(const struct storage_list *l, buf *b) {
    buf_c(b, '{');
    put_name(b, "entries");
    buf_c(b, '[');
    for (size_t i = 0; i < l->n; i++) {
        const struct storage_entry *e = &l->entries[i];
        buf_z(b, i ? ",{" : "{");
        put_text(b, "key", e->key);
        if (e->prefix) {
            put_flag(b, "prefix", true);
        } else {
            put_int(b, "size", e->size);
            put_int(b, "mtime", e->mtime);
            put_text(b, "etag", str_of(e->etag));
        }
        buf_c(b, '}');
    }
    buf_c(b, ']');
    put_text(b, "next", l->next);
    buf_c(b, '}');
}

bool order_read_list(arena *a, jval *v, struct storage_list *ret) {
    jval *list = json_get(v, "entries");
    *ret = (struct storage_list){.n = yyjson_arr_size(list), .next = json_get_str(v, "next")};
    if (!yyjson_is_arr(list) || ret->n > STORAGE_MAX_PAGE) return false;
    ret->entries = arena_array_of(a, struct storage_entry, ret->n + 1);
    for (size_t i = 0; i < ret->n; i++) {
        struct order_in in = {.root = yyjson_arr_get(list, i)};
        struct storage_entry *e = &ret->entries[i];
        e->key = text_of(&in, "key");
        e->prefix = yyjson_get_bool(json_get(in.root, "prefix"));
        e->etag = "";
        if (!e->prefix) {
            e->size = int_of(&in, "size");
            e->mtime = int_of(&in, "mtime");
            str etag = text_of(&in, "etag");
            e->etag = arena_strndup(a, etag.p ? etag.p : "", etag.n);
        }
        if (in.bad) return false;
    }
    return true;
}
