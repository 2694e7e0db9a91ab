/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/managed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "delta/commit_int.h"
#include "delta/log.h"
#include "sys/clock.h"
#include "sys/rand.h"

#define LOG "_delta_log"
#define STAGED "_delta_log/_staged_commits"
#define KEEP_STAGED_MS (7 * 24 * 3600 * 1000ll)

/* ---- names ---- */

static int64_t version_in(str name) {
    int64_t v = 0;
    if (name.n < 21 || name.p[20] != '.') return -1;
    for (size_t i = 0; i < 20; i++) {
        if (name.p[i] < '0' || name.p[i] > '9' || v > (INT64_MAX - 9) / 10) return -1;
        v = v * 10 + (name.p[i] - '0');
    }
    return v;
}

bool delta_staged_name_ok(str file, int64_t version) {
    if (file.n != 20 + 1 + 36 + 5 || version_in(file) != version || !str_ends(file, STR(".json"))) return false;
    for (size_t i = 21; i < 57; i++) {
        char c = file.p[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') && !(c >= 'A' && c <= 'F') && c != '-') return false;
    }
    return true;
}

str delta_staged_path(arena *a, str file) { return str_of(arena_printf(a, STAGED "/%.*s", STR_ARG(file))); }

/* ---- the log as the catalog has it ---- */

static const struct delta_version *staged_of(const struct delta_managed *m, int64_t version) {
    for (size_t i = 0; i < m->n; i++)
        if (m->staged[i].version == version) return &m->staged[i];
    return NULL;
}

/* A commit's version by its path, -1: another file. */
static int64_t commit_in(str name) {
    if (!str_starts(name, STR(LOG "/"))) return -1;
    str file = str_from(name, sizeof(LOG));
    return file.n == 25 && str_ends(file, STR(".json")) ? version_in(file) : -1;
}

static struct delta_fs base_of(const struct delta_fs *fs) {
    struct delta_fs base = *fs;
    base.managed = NULL;
    return base;
}

err *delta_managed_get(const struct delta_fs *fs, arena *a, str name, str *ret) {
    const struct delta_managed *m = fs->managed;
    struct delta_fs base = base_of(fs);
    int64_t v = commit_in(name);
    const struct delta_version *s = v >= 0 ? staged_of(m, v) : NULL;
    if (v > m->latest) return err_new(ERR_NOT_FOUND, "version %lld is not ratified", (long long)v);
    if (!s) return delta_fs_read(&base, a, name, ret);
    err *e = delta_fs_read(&base, a, delta_staged_path(a, s->file), ret);
    if (err_code_of(e) != ERR_NOT_FOUND) return e;
    /* Published meanwhile, and the staged file swept. */
    err_free(e);
    return delta_fs_read(&base, a, name, ret);
}

/* The highest version that a file of the log speaks of, -1: none. */
static int64_t reaches(str name) {
    int64_t v = version_in(name);
    if (v < 0 || name.n < 42) return v;
    int64_t to = version_in(str_from(name, 21));
    return to >= 0 && str_ends(name, STR(".compacted.json")) ? to : v;
}

static int by_name(const void *x, const void *y) { return str_cmp(((const struct delta_entry *)x)->name, ((const struct delta_entry *)y)->name); }

err *delta_managed_list(const struct delta_fs *fs, arena *a, str dir, str from, struct delta_entry **ret, size_t *ret_n) {
    const struct delta_managed *m = fs->managed;
    struct delta_fs base = base_of(fs);
    TRY(delta_fs_list(&base, a, dir, from, ret, ret_n));
    if (!str_eqz(dir, LOG)) return NULL;
    struct delta_entry *all = arena_array_of(a, struct delta_entry, *ret_n + m->n + 1);
    size_t n = 0;
    for (size_t i = 0; i < *ret_n; i++) {
        const struct delta_entry *x = &(*ret)[i];
        int64_t v = x->name.n == 25 && str_ends(x->name, STR(".json")) ? version_in(x->name) : -1;
        if (reaches(x->name) > m->latest || (v >= 0 && staged_of(m, v))) continue;
        all[n++] = *x;
    }
    for (size_t i = 0; i < m->n; i++) {
        const struct delta_version *s = &m->staged[i];
        str name = str_of(arena_printf(a, "%020lld.json", (long long)s->version));
        if (s->version > m->latest || str_cmp(name, from) < 0) continue;
        all[n++] = (struct delta_entry){name, s->size, s->timestamp_ms};
    }
    if (n) qsort(all, n, sizeof(*all), by_name);
    *ret = all, *ret_n = n;
    return NULL;
}

err *delta_managed_stat(const struct delta_fs *fs, str name, struct delta_entry *ret) {
    const struct delta_managed *m = fs->managed;
    struct delta_fs base = base_of(fs);
    int64_t v = commit_in(name);
    const struct delta_version *s = v >= 0 ? staged_of(m, v) : NULL;
    if (v > m->latest) return err_new(ERR_NOT_FOUND, "version %lld is not ratified", (long long)v);
    if (!s) return delta_fs_stat(&base, name, ret);
    *ret = (struct delta_entry){name, s->size, s->timestamp_ms};
    return NULL;
}

struct delta_fs delta_managed_fs(arena *a, const struct delta_fs *base, int64_t latest, const struct delta_version *staged, size_t n) {
    struct delta_managed *m = arena_new_of(a, struct delta_managed);
    struct delta_fs fs = *base;
    *m = (struct delta_managed){latest, staged, n};
    fs.managed = m;
    return fs;
}

/* ---- lists as JSON ---- */

err *delta_staged_read(arena *a, jval *list, struct delta_version **ret, size_t *ret_n) {
    size_t i, n, k = 0;
    jval *v;
    struct delta_version *s = arena_array_of(a, struct delta_version, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) {
        struct delta_version x = {.file = json_get_str(v, "file_name")};
        bool ok = json_i64(json_get(v, "version"), &x.version) && x.version > 0 && json_i64(json_get(v, "timestamp"), &x.timestamp_ms) &&
                  delta_staged_name_ok(x.file, x.version) && (!k || s[k - 1].version < x.version);
        if (!ok) return err_new(ERR_INVALID_PARAMETER_VALUE, "A list of staged commits is not one.");
        (void)json_i64(json_get(v, "file_size"), &x.size);
        (void)json_i64(json_get(v, "file_modification_timestamp"), &x.mtime_ms);
        s[k++] = x;
    }
    *ret = s, *ret_n = k;
    return NULL;
}

err *delta_managed_read(arena *a, jval *o, int64_t *ret_latest, struct delta_version **ret, size_t *ret_n) {
    if (!json_i64(json_get(o, "latest"), ret_latest) || *ret_latest < 0)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "A catalog-managed table has no newest version.");
    return delta_staged_read(a, json_get(o, "commits"), ret, ret_n);
}

void delta_staged_put(jdoc *d, jmut *list, const struct delta_version *s) {
    jmut *o = json_add_obj(d, list);
    json_put_int(d, o, "version", s->version);
    json_put_int(d, o, "timestamp", s->timestamp_ms);
    json_put_str(d, o, "file_name", s->file);
    json_put_int(d, o, "file_size", s->size);
    json_put_int(d, o, "file_modification_timestamp", s->mtime_ms);
}

/* ---- staging ---- */

/* Several versions at once give out row ids on the snapshot that they began with; what came since took some of these. */
static err *check_row_ids(const struct delta_commit_ask *asks, size_t n, int64_t latest) {
    if (n < 2 || !asks[0].row_ids || latest == asks[0].read_version) return NULL;
    return delta_error("DELTA_CONCURRENT_APPEND", "ConcurrentAppendException: the table tracks its rows, and another writer has "
                                                  "committed version %lld since this transaction read version %lld.",
                       (long long)latest, (long long)asks[0].read_version);
}

static err *check_all(const struct delta_fs *fs, arena *a, const struct delta_commit_ask *asks, size_t n, struct delta_commit_state *s) {
    for (int64_t v = asks[0].read_version + 1; v <= fs->managed->latest; v++) {
        str text;
        TRY(delta_fs_read(fs, a, delta_commit_name(a, v), &text));
        for (size_t i = 0; i < n; i++) TRY(delta_commit_winner(a, &asks[i], s, text, v));
    }
    return NULL;
}

int64_t delta_managed_time(const struct delta_commit_ask *ask, int64_t before) {
    int64_t now = ask->now_ms > 0 ? ask->now_ms : clock_now() / 1000;
    return now <= before ? before + 1 : now;
}

static err *stage_one(const struct delta_fs *base, arena *a, const struct delta_commit_ask *ask, struct delta_commit_state *s,
                      struct delta_version *ret, str *ret_text) {
    char uuid[37];
    rand_uuid(uuid);
    int64_t now = delta_managed_time(ask, s->ict), mark = -1;
    buf text = {0};
    err *e = delta_commit_text(a, ask, s, now, &text, &mark);
    str bytes = arena_str(a, buf_view(&text));
    buf_free(&text);
    if (e) return e;
    *ret = (struct delta_version){s->next, now, str_of(arena_printf(a, "%020lld.%s.json", (long long)s->next, uuid)), (int64_t)bytes.n, now};
    s->ict = now;
    s->high_water = mark;
    s->next++;
    if (ret_text) *ret_text = bytes;
    return delta_fs_put(base, delta_staged_path(a, ret->file), bytes, true);
}

err *delta_managed_stage(const struct delta_fs *fs, arena *a, const struct delta_commit_ask *asks, size_t n, struct delta_version *ret,
                         str *ret_texts) {
    const struct delta_managed *m = fs->managed;
    must(m != NULL && n > 0);
    struct delta_commit_state s = {.next = m->latest + 1, .ict = asks[0].previous_ict, .high_water = asks[0].high_water};
    if (asks[0].read_version > m->latest)
        return delta_error("DELTA_VERSION_NOT_FOUND", "The table has no version %lld; its newest is %lld.", (long long)asks[0].read_version,
                           (long long)m->latest);
    TRY(check_row_ids(asks, n, m->latest));
    TRY(check_all(fs, a, asks, n, &s));
    struct delta_fs base = base_of(fs);
    TRY(delta_fs_mkdir(&base, STR(STAGED)));
    for (size_t i = 0; i < n; i++)
        if (asks[i].n_sync) TRY(delta_fs_make_durable(&base, a, asks[i].sync, asks[i].n_sync));
    size_t done = 0;
    err *e = NULL;
    for (; !e && done < n; done++) e = stage_one(&base, a, &asks[done], &s, &ret[done], ret_texts ? &ret_texts[done] : NULL);
    if (e) delta_managed_unstage(&base, a, ret, done);
    return e;
}

void delta_managed_unstage(const struct delta_fs *base, arena *a, const struct delta_version *s, size_t n) {
    for (size_t i = 0; i < n; i++) err_free(delta_fs_delete(base, delta_staged_path(a, s[i].file)));
}

/* ---- publishing ---- */

err *delta_managed_publish(const struct delta_fs *base, arena *a, const struct delta_version *s, size_t n, int64_t *ret_published) {
    err *e = NULL;
    if (n) *ret_published = s[0].version - 1;
    for (size_t i = 0; !e && i < n; i++) {
        str name = delta_commit_name(a, s[i].version), text;
        struct delta_entry there;
        err *missing = delta_fs_stat(base, name, &there);
        if (missing) {
            err_free(missing);
            e = delta_fs_read(base, a, delta_staged_path(a, s[i].file), &text);
            if (!e) e = delta_fs_put(base, name, text, true);
            if (err_code_of(e) == ERR_ALREADY_EXISTS) err_free(e), e = NULL;
        }
        if (!e) *ret_published = s[i].version;
    }
    return e;
}

void delta_managed_sweep(const struct delta_fs *base, int64_t published, int64_t now_ms) {
    arena *a = arena_new();
    struct delta_entry *x;
    size_t n = 0;
    err_free(delta_fs_list(base, a, STR(STAGED), STR(""), &x, &n));
    for (size_t i = 0; i < n; i++)
        if (version_in(x[i].name) <= published && x[i].mtime_ms < now_ms - KEEP_STAGED_MS) err_free(delta_fs_delete(base, delta_staged_path(a, x[i].name)));
    arena_free(a);
}
