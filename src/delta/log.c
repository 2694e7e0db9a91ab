/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/vec.h"

str delta_commit_name(arena *a, int64_t version) {
    return str_of(arena_printf(a, "_delta_log/%020lld.json", (long long)version));
}

/* n digits at the start of *s, taken off. */
static bool digits(str *s, size_t n, int64_t *ret) {
    if (s->n < n) return false;
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        if (v > (INT64_MAX - 9) / 10) return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *ret = v;
    *s = str_from(*s, n);
    return true;
}

static bool take(str *s, const char *z) {
    if (!str_starts(*s, str_of(z))) return false;
    *s = str_from(*s, strlen(z));
    return true;
}

struct part {
    int64_t version, i, n;
    str name;
};

struct sorting {
    vec_of(struct delta_commit_file) commits;
    vec_of(struct delta_checkpoint_file) checkpoints;
    vec_of(struct delta_compaction) compactions;
    vec_of(struct part) parts;
};

static void sort_out(struct sorting *s, const struct delta_entry *x) {
    str rest = x->name;
    int64_t version, a, b;
    if (!digits(&rest, 20, &version)) return;
    if (str_eqz(rest, ".json")) {
        struct delta_commit_file c = {version, x->mtime_ms};
        vec_push(&s->commits, c);
    } else if (take(&rest, ".checkpoint.")) {
        str after = rest;
        if (str_eqz(rest, "parquet")) {
            struct delta_checkpoint_file c = {version, 0, x->name, NULL, false};
            vec_push(&s->checkpoints, c);
        } else if (digits(&after, 10, &a) && take(&after, ".") && digits(&after, 10, &b) && str_eqz(after, ".parquet")) {
            struct part p = {version, a, b, x->name};
            if (b > 0 && b <= 100000) vec_push(&s->parts, p);
        } else if (rest.n > 36 && (str_eqz(str_from(rest, 36), ".parquet") || str_eqz(str_from(rest, 36), ".json"))) {
            struct delta_checkpoint_file c = {version, 0, x->name, NULL, rest.n == 36 + 5};
            vec_push(&s->checkpoints, c);
        }
    } else if (take(&rest, ".") && digits(&rest, 20, &a) && str_eqz(rest, ".compacted.json") && a >= version) {
        struct delta_compaction c = {version, a, x->name};
        vec_push(&s->compactions, c);
    }
}

/* Sets of parts lie side by side in the sorted listing: version, part; sets of different n interleave, so each
 * (version, n) is gathered by itself. */
static void gather_parts(arena *a, struct sorting *s) {
    for (size_t i = 0; i < s->parts.n; i++) {
        struct part *first = &s->parts.p[i];
        if (first->i != 1) continue;
        str *names = arena_array_of(a, str, first->n);
        int64_t found = 0;
        for (size_t j = i; j < s->parts.n && s->parts.p[j].version == first->version; j++) {
            struct part *p = &s->parts.p[j];
            if (p->n != first->n || p->i < 1 || p->i > p->n || names[p->i - 1].p) continue;
            names[p->i - 1] = p->name;
            found++;
        }
        if (found != first->n) continue;
        struct delta_checkpoint_file c = {first->version, (int)first->n, first->name, names, false};
        vec_push(&s->checkpoints, c);
    }
}

static int by_version(const void *x, const void *y) {
    const struct delta_checkpoint_file *a = x, *b = y;
    return a->version < b->version ? -1 : a->version > b->version;
}

#define TO_ARENA(a, v, to, n_to)                                                                   \
    do {                                                                                           \
        (to) = arena_alloc((a), sizeof(*(v).p) * ((v).n + 1));                                     \
        if ((v).n) memcpy((to), (v).p, sizeof(*(v).p) * (v).n);                                    \
        (n_to) = (v).n;                                                                            \
        vec_free(&(v));                                                                            \
    } while (0)

err *delta_log_list(const struct delta_fs *fs, arena *a, int64_t from, struct delta_log *ret) {
    *ret = (struct delta_log){0};
    struct delta_entry *entries;
    size_t n;
    char first[32];
    snprintf(first, sizeof(first), "%020lld", (long long)(from > 0 ? from : 0));
    TRY(delta_fs_list(fs, a, STR("_delta_log"), str_of(first), &entries, &n));
    struct sorting s = {0};
    for (size_t i = 0; i < n; i++) sort_out(&s, &entries[i]);
    gather_parts(a, &s);
    if (s.checkpoints.n) qsort(s.checkpoints.p, s.checkpoints.n, sizeof(*s.checkpoints.p), by_version);
    TO_ARENA(a, s.commits, ret->commits, ret->n_commits);
    TO_ARENA(a, s.checkpoints, ret->checkpoints, ret->n_checkpoints);
    TO_ARENA(a, s.compactions, ret->compactions, ret->n_compactions);
    vec_free(&s.parts);
    return NULL;
}

int64_t delta_log_hint(const struct delta_fs *fs, arena *a) {
    str text;
    jval *v;
    int64_t version = -1;
    err *e = delta_fs_read(fs, a, STR("_delta_log/_last_checkpoint"), &text);
    if (!e) e = json_parse(a, text, false, &v);
    if (!e && (!json_i64(json_get(v, "version"), &version) || version < 0)) version = -1;
    err_free(e);
    return version;
}

/* ---- the hint's checksum ----
 * The JSON is flattened to lines of key=value, keys percent-encoded and quoted, joined by '+' for nesting, sorted;
 * the lines are joined by commas and digested. Numbers and booleans are written as they are, strings quoted and
 * encoded, nulls left out, array elements under their index. */

static void add_encoded(buf *b, str s) {
    static const char keep[] = "-._~";
    buf_c(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(keep, c));
        if (plain)
            buf_c(b, (char)c);
        else
            buf_fmt(b, "%%%02X", c);
    }
    buf_c(b, '"');
}

typedef vec_of(char *) lines;

static void flatten(jval *v, const char *key, lines *out) {
    size_t i, max;
    jval *k, *x;
    if (yyjson_is_null(v)) return;
    if (yyjson_is_obj(v)) {
        yyjson_obj_foreach(v, i, max, k, x) {
            buf b = {0};
            if (*key) buf_z(&b, key), buf_c(&b, '+');
            add_encoded(&b, json_str(k));
            buf_c(&b, '\0');
            flatten(x, b.p, out);
            buf_free(&b);
        }
        return;
    }
    if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, i, max, x) {
            buf b = {0};
            if (*key) buf_z(&b, key), buf_c(&b, '+');
            buf_fmt(&b, "%zu", i);
            buf_c(&b, '\0');
            flatten(x, b.p, out);
            buf_free(&b);
        }
        return;
    }
    buf b = {0};
    buf_z(&b, key);
    buf_c(&b, '=');
    if (yyjson_is_str(v)) {
        add_encoded(&b, json_str(v));
    } else {
        char *text = yyjson_val_write(v, 0, NULL);
        if (text) buf_z(&b, text);
        free(text);
    }
    buf_c(&b, '\0');
    vec_push(out, b.p);
}

static int by_text(const void *x, const void *y) { return strcmp(*(char *const *)x, *(char *const *)y); }

void delta_hint_checksum(jval *hint, char out[33]) {
    lines all = {0};
    size_t i, max;
    jval *k, *x;
    yyjson_obj_foreach(hint, i, max, k, x) {
        if (str_eqz(json_str(k), "checksum")) continue;
        buf b = {0};
        add_encoded(&b, json_str(k));
        buf_c(&b, '\0');
        flatten(x, b.p, &all);
        buf_free(&b);
    }
    if (all.n) qsort(all.p, all.n, sizeof(*all.p), by_text);
    buf text = {0};
    for (size_t j = 0; j < all.n; j++) {
        if (j) buf_c(&text, ',');
        buf_z(&text, all.p[j]);
        free(all.p[j]);
    }
    vec_free(&all);
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    EVP_Digest(text.p ? text.p : "", text.n, md, &n, EVP_md5(), NULL);
    for (unsigned j = 0; j < 16; j++) snprintf(out + 2 * j, 3, "%02x", md[j]);
    buf_free(&text);
}
