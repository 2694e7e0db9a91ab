/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/checksum.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 1000 /* transactions and domains; beyond them the sums are given up */

struct delta_checksum_part {
    enum delta_action_kind kind;
    char *key, *json;      /* key: appId or domain; empty for protocol and metadata */
};

static char *copy(str s) {
    char *p = malloc(s.n + 1);
    must(p != NULL);
    if (s.n) memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return p;
}

void delta_checksum_free(struct delta_checksum *c) {
    for (size_t i = 0; i < c->n; i++) free(c->parts[i].key), free(c->parts[i].json);
    free(c->parts);
    *c = (struct delta_checksum){0};
}

void delta_checksum_start(struct delta_checksum *c) {
    delta_checksum_free(c);
    *c = (struct delta_checksum){.known = true, .version = -1, .txns = true, .domains = true, .ict = -1};
}

/* json empty: it is taken away. */
static void set(struct delta_checksum *c, enum delta_action_kind kind, str key, str json) {
    size_t i = 0;
    while (i < c->n && !(c->parts[i].kind == kind && str_eqz(key, c->parts[i].key))) i++;
    if (i < c->n) {
        free(c->parts[i].json);
        c->parts[i].json = NULL;
        if (json.n) {
            c->parts[i].json = copy(json);
        } else {
            free(c->parts[i].key);
            memmove(&c->parts[i], &c->parts[i + 1], (c->n - i - 1) * sizeof(*c->parts));
            c->n--;
        }
        return;
    }
    if (!json.n) return;
    if (c->n == MAX_PARTS) {
        delta_checksum_free(c);
        return;
    }
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 8;
        c->parts = realloc(c->parts, c->cap * sizeof(*c->parts));
        must(c->parts != NULL);
    }
    c->parts[c->n++] = (struct delta_checksum_part){kind, copy(key), copy(json)};
}

/* {"metaData":{…}} → {…} */
static str inner(arena *a, const struct delta_action *x) {
    buf b = {0};
    delta_action_line(a, x, &b);
    str s = buf_view(&b);
    ptrdiff_t colon = str_chr(s, ':', 0);
    while (s.n && s.p[s.n - 1] != '}') s.n--;
    s = colon > 0 && s.n ? arena_str(a, str_n(s.p + colon + 1, s.n - 1 - (size_t)colon - 1)) : STR("");
    buf_free(&b);
    return s;
}

static int64_t ict_of(arena *a, str info) {
    jval *v;
    int64_t t = -1;
    err *e = json_parse(a, info, false, &v);
    if (e || !json_i64(json_get(v, "inCommitTimestamp"), &t)) t = -1;
    err_free(e);
    return t;
}

/* Sums of sizes that a log only claims. */
static void count(struct delta_checksum *c, int64_t files, int64_t bytes) {
    if (__builtin_add_overflow(c->files, files, &c->files) || __builtin_add_overflow(c->bytes, bytes, &c->bytes)) c->known = false;
}

void delta_checksum_apply(arena *a, struct delta_checksum *c, const struct delta_action *acts, size_t n) {
    bool again = false, removed = false;
    c->ict = -1;
    c->version++;
    for (size_t i = 0; i < n && c->known; i++) {
        const struct delta_action *x = &acts[i];
        switch (x->kind) {
        case DELTA_ADD:
            count(c, 1, x->file.size);
            again |= !x->file.data_change;
            break;
        case DELTA_REMOVE:
            removed = true;
            if ((!x->file.extended && x->file.size <= 0) || x->file.size < 0) c->known = false;
            else count(c, -1, -x->file.size);
            break;
        case DELTA_PROTOCOL:
        case DELTA_METADATA: set(c, x->kind, STR(""), inner(a, x)); break;
        case DELTA_TXN: set(c, x->kind, x->txn.app, inner(a, x)); break;
        case DELTA_DOMAIN: set(c, x->kind, x->domain.name, x->domain.removed ? STR("") : inner(a, x)); break;
        case DELTA_COMMIT_INFO: c->ict = ict_of(a, x->info); break;
        default: break;
        }
    }
    /* Files that were there already may have been named once more, with other statistics or row ids. */
    if (again && !removed && c->version > 0) c->known = false;
    if (c->files < 0 || c->bytes < 0) c->known = false;
    if (!c->known) delta_checksum_free(c);
}

static const struct delta_checksum_part *part_of(const struct delta_checksum *c, enum delta_action_kind kind) {
    for (size_t i = 0; i < c->n; i++)
        if (c->parts[i].kind == kind) return &c->parts[i];
    return NULL;
}

static void put_list(const struct delta_checksum *c, enum delta_action_kind kind, const char *name, buf *b) {
    bool any = false;
    buf_fmt(b, ",\"%s\":[", name);
    for (size_t i = 0; i < c->n; i++) {
        if (c->parts[i].kind != kind) continue;
        if (any) buf_c(b, ',');
        buf_z(b, c->parts[i].json);
        any = true;
    }
    buf_c(b, ']');
}

str delta_checksum_text(arena *a, const struct delta_checksum *c) {
    const struct delta_checksum_part *protocol = part_of(c, DELTA_PROTOCOL), *metadata = part_of(c, DELTA_METADATA);
    if (!c->known || !protocol || !metadata) return STR("");
    buf b = {0};
    buf_fmt(&b, "{\"tableSizeBytes\":%lld,\"numFiles\":%lld,\"numMetadata\":1,\"numProtocol\":1", (long long)c->bytes, (long long)c->files);
    if (c->ict >= 0) buf_fmt(&b, ",\"inCommitTimestampOpt\":%lld", (long long)c->ict);
    if (c->txns) put_list(c, DELTA_TXN, "setTransactions", &b);
    if (c->domains) put_list(c, DELTA_DOMAIN, "domainMetadata", &b);
    buf_fmt(&b, ",\"metadata\":%s,\"protocol\":%s}\n", metadata->json, protocol->json);
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

str delta_checksum_of(arena *a, const struct delta_snapshot *s) {
    struct delta_checksum c;
    struct delta_action x = {.kind = DELTA_PROTOCOL};
    memset(&c, 0, sizeof(c));
    delta_checksum_start(&c);
    x.protocol = s->protocol;
    set(&c, x.kind, STR(""), inner(a, &x));
    x = (struct delta_action){.kind = DELTA_METADATA};
    x.metadata = s->metadata;
    set(&c, x.kind, STR(""), inner(a, &x));
    for (size_t i = 0; i < s->n_txns && c.known; i++) {
        x = (struct delta_action){.kind = DELTA_TXN};
        x.txn = s->txns[i];
        set(&c, x.kind, x.txn.app, inner(a, &x));
    }
    for (size_t i = 0; i < s->n_domains && c.known; i++) {
        x = (struct delta_action){.kind = DELTA_DOMAIN};
        x.domain = s->domains[i];
        set(&c, x.kind, x.domain.name, inner(a, &x));
    }
    for (size_t i = 0; i < s->n_files && c.known; i++) count(&c, 1, s->files[i]->size);
    if (delta_property_true(s, "delta.enableInCommitTimestamps")) c.ict = s->timestamp_ms;
    str text = delta_checksum_text(a, &c);
    delta_checksum_free(&c);
    return text;
}

static str object_text(arena *a, jval *v) {
    size_t n = 0;
    char *p = yyjson_is_obj(v) ? yyjson_val_write(v, 0, &n) : NULL;
    str s = p ? arena_str(a, str_n(p, n)) : STR("");
    free(p);
    return s;
}

static bool read_list(arena *a, jval *list, const char *key, enum delta_action_kind kind, struct delta_checksum *c) {
    size_t i, n;
    jval *v;
    if (!yyjson_is_arr(list)) return false;
    yyjson_arr_foreach(list, i, n, v) {
        str name = json_get_str(v, key);
        if (name.n && !yyjson_is_true(json_get(v, "removed"))) set(c, kind, name, object_text(a, v));
    }
    return true;
}

bool delta_checksum_read(arena *a, str text, int64_t version, struct delta_checksum *c) {
    jval *v;
    delta_checksum_start(c);
    err *e = json_parse(a, text, false, &v);
    bool good = !e && json_i64(json_get(v, "tableSizeBytes"), &c->bytes) && json_i64(json_get(v, "numFiles"), &c->files) && c->bytes >= 0 &&
                c->files >= 0 && yyjson_is_obj(json_get(v, "metadata")) && yyjson_is_obj(json_get(v, "protocol"));
    if (good) {
        c->version = version;
        set(c, DELTA_PROTOCOL, STR(""), object_text(a, json_get(v, "protocol")));
        set(c, DELTA_METADATA, STR(""), object_text(a, json_get(v, "metadata")));
        c->txns = read_list(a, json_get(v, "setTransactions"), "appId", DELTA_TXN, c);
        c->domains = read_list(a, json_get(v, "domainMetadata"), "domain", DELTA_DOMAIN, c);
    }
    err_free(e);
    if (!good || !c->known) delta_checksum_free(c);
    return c->known;
}

str delta_checksum_name(arena *a, int64_t version) { return str_of(arena_printf(a, "_delta_log/%020lld.crc", (long long)version)); }

err *delta_checksum_check(const struct delta_fs *fs, const struct delta_snapshot *s) {
    arena *a = arena_new();
    struct delta_checksum c;
    str text;
    memset(&c, 0, sizeof(c));
    err *e = delta_fs_read(fs, a, delta_checksum_name(a, s->version), &text), *wrong = NULL;
    if (!e && delta_checksum_read(a, text, s->version, &c)) {
        int64_t bytes = 0;
        bool sane = true;
        for (size_t i = 0; i < s->n_files && sane; i++) sane = !__builtin_add_overflow(bytes, s->files[i]->size, &bytes);
        if (!sane || c.files != (int64_t)s->n_files || c.bytes != bytes)
            wrong = delta_error("DELTA_TXN_LOG_FAILED_INTEGRITY", "The table's log does not agree with the checksum of version %lld: %zu files of %lld "
                                "bytes are there, and %lld of %lld should be.", (long long)s->version, s->n_files, (long long)bytes, (long long)c.files,
                                (long long)c.bytes);
    }
    err_free(e);
    delta_checksum_free(&c);
    arena_free(a);
    return wrong;
}
