/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replay.
 *
 * A version's state is: the newest complete checkpoint at or below it, then each commit after that in order (or
 * a compaction that covers some of them). For files the key is (path, vector's id): an add puts it, a remove takes it
 * away and leaves a tombstone. Of everything else the last one counts.
 *
 * A snapshot made from an older one shares its files: it holds the older one (whose arena has their text) and has only
 * the list of pointers for itself. After some hundreds of such steps (max_chain()) the next one is read anew from checkpoint and commits, so that
 * what was removed long ago does not stay in memory.
 */
#include "delta/snapshot.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/map.h"
#include "base/vec.h"
#include "delta/checksum.h"
#include "delta/feature.h"
#include "delta/log.h"
#include "delta/snapshot_int.h"

#define MAGIC 0xde17a5a9u
#define MIN_CHAIN 200
#define MAX_CHAIN 5000

struct snap {
    struct delta_snapshot s; /* first */
    arena *a;
    int refs, children; /* under count_lock; children: newer ones made from it */
    struct snap *base;
    int chain;
    int64_t head_mtime; /* of the version's file, -1: not known */
    uint64_t *keys; /* of files, in their order */
    struct delta_extras extras;
};

static struct snap *of(struct delta_snapshot *s) {
    must_magic(s, MAGIC);
    return (struct snap *)s;
}

struct delta_extras *delta_snapshot_extras(struct delta_snapshot *s) { return &of(s)->extras; }

/* Counts of all snapshots: they change a few times in a statement. */
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;

void delta_snapshot_hold(struct delta_snapshot *s) {
    pthread_mutex_lock(&count_lock);
    of(s)->refs++;
    pthread_mutex_unlock(&count_lock);
}

static void free_lists(struct snap *x) {
    free(x->s.files);
    free(x->s.removed);
    free(x->keys);
    x->s.files = x->s.removed = NULL;
    x->keys = NULL;
}

/* The last user drops it. One that only newer ones hold, for the texts in its arena, needs its lists no more. */
void delta_snapshot_drop(struct delta_snapshot *s) {
    bool of_child = false;
    while (s) {
        struct snap *x = of(s);
        pthread_mutex_lock(&count_lock);
        int left = --x->refs;
        if (of_child) x->children--;
        if (left && left == x->children) free_lists(x);
        pthread_mutex_unlock(&count_lock);
        if (left) return;
        s = x->base ? &x->base->s : NULL;
        of_child = true;
        x->s.magic = 0;
        free_lists(x);
        arena_free(x->a);
        arena_free(x->extras.a);
        pthread_mutex_destroy(&x->extras.lock);
        free(x);
    }
}

static struct snap *snap_new(struct snap *base) {
    struct snap *x = calloc(1, sizeof(*x));
    must(x);
    x->s.magic = MAGIC;
    x->s.version = -1, x->s.timestamp_ms = -1, x->s.checkpoint_version = -1;
    x->head_mtime = -1;
    x->a = arena_new();
    x->extras.a = arena_new();
    pthread_mutex_init(&x->extras.lock, NULL);
    x->refs = 1;
    if (base) {
        pthread_mutex_lock(&count_lock);
        base->refs++, base->children++;
        pthread_mutex_unlock(&count_lock);
        x->base = base;
        x->chain = base->chain + 1;
    }
    return x;
}

/* ---- state while replaying ---- */

typedef vec_of(const struct delta_file *) file_list;

struct replay {
    struct snap *to;
    file_list files;        /* a removed one is NULL */
    vec_of(uint64_t) keys;
    map *index;             /* key → place + 1; NULL while extending an older snapshot */
    map *tombs;             /* key → struct delta_file */
    map *txns, *domains;
    bool has_protocol, has_metadata;
    int64_t ict;            /* of the last commit read, -1 */
};

static uint64_t key_of(arena *a, const struct delta_file *f, str *ret) {
    if (!f->dv.storage) {
        *ret = f->path;
        return map_hash(f->path.p, f->path.n);
    }
    str id = delta_dv_id(a, &f->dv);
    char *p = arena_alloc(a, f->path.n + 1 + id.n);
    memcpy(p, f->path.p, f->path.n);
    p[f->path.n] = '\0';
    memcpy(p + f->path.n + 1, id.p, id.n);
    *ret = str_n(p, f->path.n + 1 + id.n);
    return map_hash(ret->p, ret->n);
}

static void replay_begin(struct replay *r, struct snap *to) {
    *r = (struct replay){.to = to, .ict = -1};
    r->tombs = map_new(), r->txns = map_new(), r->domains = map_new();
    if (!to->base) {
        r->index = map_new();
        return;
    }
    const struct delta_snapshot *b = &to->base->s;
    vec_reserve(&r->files, b->n_files + 16);
    vec_reserve(&r->keys, b->n_files + 16);
    if (b->n_files) {
        memcpy(r->files.p, b->files, b->n_files * sizeof(*b->files));
        memcpy(r->keys.p, to->base->keys, b->n_files * sizeof(*r->keys.p));
    }
    r->files.n = r->keys.n = b->n_files;
    for (size_t i = 0; i < b->n_removed; i++) {
        str key;
        key_of(to->a, b->removed[i], &key);
        map_put(r->tombs, key, (void *)b->removed[i]);
    }
    for (size_t i = 0; i < b->n_txns; i++) map_put(r->txns, b->txns[i].app, &b->txns[i]);
    for (size_t i = 0; i < b->n_domains; i++) map_put(r->domains, b->domains[i].name, &b->domains[i]);
    to->s.protocol = b->protocol, to->s.metadata = b->metadata;
    to->s.checkpoint_version = b->checkpoint_version;
    r->has_protocol = r->has_metadata = true;
}

/* Place of a key among the files, or -1. */
static ptrdiff_t find(struct replay *r, str key, uint64_t hash) {
    if (r->index) return (ptrdiff_t)(uintptr_t)map_get(r->index, key) - 1;
    for (size_t i = r->keys.n; i-- > 0;) {
        if (r->keys.p[i] != hash || !r->files.p[i]) continue;
        str have;
        key_of(r->to->a, r->files.p[i], &have);
        if (str_eq(have, key)) return (ptrdiff_t)i;
    }
    return -1;
}

static void put_file(struct replay *r, const struct delta_file *f) {
    struct delta_file *copy = arena_new_of(r->to->a, struct delta_file);
    *copy = *f;
    str key;
    uint64_t hash = key_of(r->to->a, copy, &key);
    ptrdiff_t at = find(r, key, hash);
    map_del(r->tombs, key);
    if (at >= 0) {
        r->files.p[at] = copy;
        return;
    }
    vec_push(&r->files, copy);
    vec_push(&r->keys, hash);
    if (r->index) map_put(r->index, key, (void *)(uintptr_t)r->files.n);
}

static void remove_file(struct replay *r, const struct delta_file *f) {
    struct delta_file *copy = arena_new_of(r->to->a, struct delta_file);
    *copy = *f;
    str key;
    uint64_t hash = key_of(r->to->a, copy, &key);
    ptrdiff_t at = find(r, key, hash);
    if (at >= 0) {
        r->files.p[at] = NULL;
        if (r->index) map_del(r->index, key);
    }
    map_put(r->tombs, key, copy);
}

static int64_t ict_of(arena *a, str info) {
    jval *v;
    int64_t t;
    err *e = json_parse(a, info, false, &v);
    if (!e && json_i64(json_get(v, "inCommitTimestamp"), &t)) return t;
    err_free(e);
    return -1;
}

static void take(struct replay *r, const struct delta_action *x) {
    arena *a = r->to->a;
    switch (x->kind) {
    case DELTA_ADD: put_file(r, &x->file); break;
    case DELTA_REMOVE: remove_file(r, &x->file); break;
    case DELTA_METADATA: r->to->s.metadata = x->metadata, r->has_metadata = true; break;
    case DELTA_PROTOCOL: r->to->s.protocol = x->protocol, r->has_protocol = true; break;
    case DELTA_TXN: {
        struct delta_txn *t = arena_new_of(a, struct delta_txn);
        *t = x->txn;
        map_put(r->txns, t->app, t);
        break;
    }
    case DELTA_DOMAIN: {
        struct delta_domain *d = arena_new_of(a, struct delta_domain);
        *d = x->domain;
        map_put(r->domains, d->name, d);
        break;
    }
    case DELTA_COMMIT_INFO: r->ict = ict_of(a, x->info); break;
    default: break;
    }
}

static err *take_commit(struct replay *r, str text, str name) {
    struct delta_action *acts;
    size_t n, protocols = 0, metadatas = 0;
    r->ict = -1;
    TRY(delta_actions_read(r->to->a, text, name, &acts, &n));
    r->to->s.bytes += text.n * 2;
    for (size_t i = 0; i < n; i++) {
        protocols += acts[i].kind == DELTA_PROTOCOL;
        metadatas += acts[i].kind == DELTA_METADATA;
    }
    if (protocols > 1 || metadatas > 1)
        return delta_error("DELTA_DUPLICATE_ACTIONS_FOUND", "%.*s has more than one %s action.", STR_ARG(name),
                           protocols > 1 ? "protocol" : "metaData");
    /* Removes first: a commit that replaces a file's vector has remove and add of one path in any order. */
    for (size_t i = 0; i < n; i++)
        if (acts[i].kind == DELTA_REMOVE) take(r, &acts[i]);
    for (size_t i = 0; i < n; i++)
        if (acts[i].kind != DELTA_REMOVE) take(r, &acts[i]);
    return NULL;
}

static void replay_free(struct replay *r) {
    vec_free(&r->files);
    vec_free(&r->keys);
    map_free(r->index), map_free(r->tombs), map_free(r->txns), map_free(r->domains);
}

static err *replay_end(struct replay *r, int64_t version) {
    struct snap *to = r->to;
    if (!r->has_protocol || !r->has_metadata)
        return delta_error("DELTA_STATE_RECOVER_ERROR", "The log has no %s for version %lld of the table.",
                           r->has_protocol ? "metadata" : "protocol", (long long)version);
    size_t n = 0;
    for (size_t i = 0; i < r->files.n; i++) {
        if (!r->files.p[i]) continue;
        r->files.p[n] = r->files.p[i];
        r->keys.p[n++] = r->keys.p[i];
    }
    to->s.version = version;
    to->s.files = r->files.p, to->s.n_files = n, to->keys = r->keys.p;
    r->files.p = NULL, r->keys.p = NULL;
    to->s.bytes += n * (sizeof(struct delta_file) + 16);
    to->s.removed = calloc(map_size(r->tombs) + 1, sizeof(*to->s.removed));
    must(to->s.removed);
    to->s.txns = arena_array_of(to->a, struct delta_txn, map_size(r->txns) + 1);
    to->s.domains = arena_array_of(to->a, struct delta_domain, map_size(r->domains) + 1);
    str k;
    void *v;
    for (size_t i = 0; map_next(r->tombs, &i, &k, &v);) to->s.removed[to->s.n_removed++] = v;
    for (size_t i = 0; map_next(r->txns, &i, &k, &v);) to->s.txns[to->s.n_txns++] = *(struct delta_txn *)v;
    for (size_t i = 0; map_next(r->domains, &i, &k, &v);)
        if (!((struct delta_domain *)v)->removed) to->s.domains[to->s.n_domains++] = *(struct delta_domain *)v;
    return NULL;
}

/* ---- checkpoints ---- */

typedef vec_of(struct delta_file) sidecar_list;

static err *rows_of(struct replay *r, str lines, str name, sidecar_list *sidecars) {
    struct delta_action *acts;
    size_t n;
    TRY(delta_actions_read(r->to->a, lines, name, &acts, &n));
    r->to->s.bytes += lines.n;
    for (size_t i = 0; i < n; i++) {
        if (acts[i].kind == DELTA_SIDECAR && sidecars)
            vec_push(sidecars, acts[i].file);
        else if (acts[i].kind != DELTA_COMMIT_INFO)
            take(r, &acts[i]);
    }
    return NULL;
}

static err *read_part(struct replay *r, const struct delta_fs *fs, const struct delta_parquet *pq, str name, bool json,
                      sidecar_list *sidecars) {
    str lines;
    if (json)
        TRY(delta_fs_read(fs, r->to->a, name, &lines));
    else if (!pq)
        return delta_error("DELTA_STATE_RECOVER_ERROR", "The checkpoint %.*s is Parquet, which nobody reads here.", STR_ARG(name));
    else
        TRY(pq->rows(pq->arg, r->to->a, fs, name, &lines));
    return rows_of(r, lines, name, sidecars);
}

static err *read_checkpoint(struct replay *r, const struct delta_fs *fs, const struct delta_parquet *pq,
                            const struct delta_checkpoint_file *c) {
    sidecar_list sidecars = {0};
    err *e = NULL;
    arena *a = r->to->a;
    for (int i = 0; !e && i < (c->parts ? c->parts : 1); i++) {
        str name = c->parts ? c->part_names[i] : c->name;
        e = read_part(r, fs, pq, str_of(arena_printf(a, "_delta_log/%.*s", STR_ARG(name))), c->json, &sidecars);
    }
    for (size_t i = 0; !e && i < sidecars.n; i++) {
        str path = sidecars.p[i].path;
        if (str_chr(path, '/', 0) >= 0 || str_starts(path, STR("."))) {
            e = delta_error("DELTA_LOG_FILE_MALFORMED", "A sidecar's path is not a plain name: %.*s", STR_ARG(path));
            break;
        }
        e = read_part(r, fs, pq, str_of(arena_printf(a, "_delta_log/_sidecars/%.*s", STR_ARG(path))), false, NULL);
    }
    vec_free(&sidecars);
    return e;
}

/* ---- to a version ---- */

static const struct delta_compaction *compaction_at(const struct delta_log *log, int64_t from, int64_t to) {
    const struct delta_compaction *best = NULL;
    for (size_t i = 0; i < log->n_compactions; i++) {
        const struct delta_compaction *c = &log->compactions[i];
        /* Single commits are needed for the last one's time, so a compaction never covers the target itself. */
        if (c->from == from && c->to < to && c->to > from && (!best || c->to > best->to)) best = c;
    }
    return best;
}

static const struct delta_commit_file *commit_at(const struct delta_log *log, int64_t version) {
    size_t lo = 0, hi = log->n_commits;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (log->commits[mid].version < version)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < log->n_commits && log->commits[lo].version == version ? &log->commits[lo] : NULL;
}

static err *take_commits(struct replay *r, const struct delta_fs *fs, const struct delta_log *log, int64_t from, int64_t to) {
    arena *a = r->to->a;
    for (int64_t v = from; v <= to; v++) {
        str text, name;
        const struct delta_compaction *c = compaction_at(log, v, to);
        if (c) {
            name = str_of(arena_printf(a, "_delta_log/%.*s", STR_ARG(c->name)));
            err *e = delta_fs_read(fs, a, name, &text);
            if (!e) {
                TRY(take_commit(r, text, name));
                v = c->to;
                continue;
            }
            err_free(e);
        }
        name = delta_commit_name(a, v);
        err *e = delta_fs_read(fs, a, name, &text);
        /* A listing may lack what came while it was made, and have what came after that: the file itself says. */
        if (err_code_of(e) == ERR_NOT_FOUND && !commit_at(log, v)) {
            err_free(e);
            e = delta_error("DELTA_VERSIONS_NOT_CONTIGUOUS", "Versions are not contiguous: version %lld of the Delta log is missing.",
                            (long long)v);
        }
        TRY(e);
        TRY(take_commit(r, text, name));
    }
    return NULL;
}

/* The time of the version that r stands at. */
static err *set_time(struct replay *r, const struct delta_fs *fs, const struct delta_log *log, int64_t version) {
    struct snap *to = r->to;
    const struct delta_commit_file *c = commit_at(log, version);
    to->head_mtime = c ? c->mtime_ms : -1;
    if (delta_property_true(&to->s, "delta.enableInCommitTimestamps")) {
        if (r->ict < 0) {
            str text;
            err *e = delta_fs_read(fs, to->a, delta_commit_name(to->a, version), &text);
            if (!e) {
                struct delta_action *acts;
                size_t n;
                e = delta_actions_read(to->a, text, STR("commit"), &acts, &n);
                for (size_t i = 0; !e && i < n; i++)
                    if (acts[i].kind == DELTA_COMMIT_INFO) r->ict = ict_of(to->a, acts[i].info);
            }
            err_free(e);
        }
        if (r->ict >= 0) {
            to->s.timestamp_ms = r->ict;
            return NULL;
        }
    }
    to->s.timestamp_ms = c ? c->mtime_ms : 0;
    return NULL;
}

static err *no_table(const struct delta_fs *fs) {
    return delta_error("DELTA_TABLE_NOT_FOUND", "Delta table %.*s doesn't exist.", STR_ARG(fs->root));
}

static err *version_not_found(int64_t v, int64_t earliest, int64_t latest) {
    return delta_error("DELTA_VERSION_NOT_FOUND", "The table has no version %lld; it has the versions %lld to %lld.",
                       (long long)v, (long long)earliest, (long long)latest);
}

/* Tries checkpoints from the newest that fits down to none; a damaged one is passed over where the commits reach
 * far enough back. */
static err *replay_to(const struct delta_fs *fs, const struct delta_parquet *pq, const struct delta_log *log, int64_t version,
                      struct snap **ret) {
    err *why = NULL;
    for (size_t i = log->n_checkpoints + 1; i-- > 0;) {
        const struct delta_checkpoint_file *c = i ? &log->checkpoints[i - 1] : NULL;
        if (c && c->version > version) continue;
        if (!c && !commit_at(log, 0)) break;
        struct replay r;
        struct snap *to = snap_new(NULL);
        replay_begin(&r, to);
        err *e = c ? read_checkpoint(&r, fs, pq, c) : NULL;
        if (!e) {
            to->s.checkpoint_version = c ? c->version : -1;
            e = take_commits(&r, fs, log, c ? c->version + 1 : 0, version);
            if (!e) e = replay_end(&r, version);
            if (!e) e = set_time(&r, fs, log, version);
            if (!e) e = delta_checksum_check(fs, &to->s);
            replay_free(&r);
            if (!e) {
                err_free(why);
                *ret = to;
                return NULL;
            }
            delta_snapshot_drop(&to->s);
            err_free(why);
            return e;
        }
        replay_free(&r);
        delta_snapshot_drop(&to->s);
        if (why)
            err_free(e);
        else
            why = e;
    }
    if (why) return err_code_of(why) == ERR_SQL_ERROR ? why : (err_free(why), delta_error("DELTA_STATE_RECOVER_ERROR",
        "No checkpoint of the table can be read, and commit 0 is gone."));
    int64_t earliest = log->n_checkpoints ? log->checkpoints[0].version : log->n_commits ? log->commits[0].version : 0;
    int64_t latest = log->n_commits ? log->commits[log->n_commits - 1].version : earliest;
    if (log->n_checkpoints && version < earliest) return version_not_found(version, earliest, latest);
    return delta_error("DELTA_TRUNCATED_TRANSACTION_LOG", "%.*s/_delta_log: version %lld cannot be built any more, since older "
                                                          "entries of the log are gone.", STR_ARG(fs->root), (long long)version);
}

static int64_t latest_of(const struct delta_log *log) {
    int64_t v = -1;
    if (log->n_commits) v = log->commits[log->n_commits - 1].version;
    if (log->n_checkpoints && log->checkpoints[log->n_checkpoints - 1].version > v) v = log->checkpoints[log->n_checkpoints - 1].version;
    return v;
}

/* ---- by time ---- */

/* In-commit timestamp of a version, -1 if it has none. */
static int64_t read_ict(const struct delta_fs *fs, arena *a, int64_t version) {
    str text;
    err *e = delta_fs_read(fs, a, delta_commit_name(a, version), &text);
    int64_t t = -1;
    str line;
    if (!e && str_split(&text, '\n', &line)) {
        jval *v;
        e = json_parse(a, line, false, &v);
        int64_t got;
        if (!e && json_i64(json_get(json_get(v, "commitInfo"), "inCommitTimestamp"), &got)) t = got;
    }
    err_free(e);
    return t;
}

/* The times of all commits listed, in-commit ones where the table has them, rising strictly as the protocol wants. */
static void times_of(const struct delta_fs *fs, arena *a, const struct delta_log *log, int64_t ict_from, int64_t *times) {
    for (size_t i = 0; i < log->n_commits; i++) {
        times[i] = log->commits[i].mtime_ms;
        if (ict_from >= 0 && log->commits[i].version >= ict_from) {
            int64_t t = read_ict(fs, a, log->commits[i].version);
            if (t >= 0) times[i] = t;
        } else if (i && times[i] <= times[i - 1]) {
            times[i] = times[i - 1] + 1;
        }
    }
}

static int64_t ict_start(const struct delta_snapshot *s) {
    if (!delta_property_true(s, "delta.enableInCommitTimestamps")) return -1;
    int64_t v;
    str from = delta_property(s, "delta.inCommitTimestampEnablementVersion");
    return from.n && str_to_i64(from, &v) ? v : 0;
}

static err *version_at(const struct delta_fs *fs, arena *a, const struct delta_log *log, const struct delta_snapshot *latest,
                       int64_t when, int64_t *ret) {
    if (!log->n_commits) return no_table(fs);
    int64_t *times = arena_array_of(a, int64_t, log->n_commits);
    times_of(fs, a, log, ict_start(latest), times);
    size_t last = log->n_commits - 1;
    if (when > times[last])
        return delta_error("DELTA_TIMESTAMP_GREATER_THAN_COMMIT", "The time is later than the table's newest version (version "
                                                                  "%lld).", (long long)log->commits[last].version);
    if (when < times[0])
        return delta_error("DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION", "The time is earlier than the table's oldest "
                                                                            "version that is kept (version %lld).", (long long)log->commits[0].version);
    size_t i = last;
    while (times[i] > when) i--;
    *ret = log->commits[i].version;
    return NULL;
}

/* ---- calls ---- */

static err *checked(struct snap *s, const struct delta_fs *fs, struct delta_snapshot **ret) {
    err *e = delta_check_read(&s->s.protocol, s->s.metadata.name.n ? s->s.metadata.name : fs->root);
    if (e) {
        delta_snapshot_drop(&s->s);
        return e;
    }
    *ret = &s->s;
    return NULL;
}

static err *open_in(arena *a, const struct delta_fs *fs, const struct delta_parquet *pq, struct delta_at at, struct delta_snapshot **ret) {
    struct delta_log log;
    int64_t hint = at.version < 0 && at.timestamp_ms == INT64_MIN ? delta_log_hint(fs, a) : -1;
    TRY(delta_log_list(fs, a, hint > 0 ? hint : 0, &log));
    /* A hint may be wrong: then everything is listed. */
    if (hint > 0 && !log.n_checkpoints) TRY(delta_log_list(fs, a, 0, &log));
    int64_t latest = latest_of(&log);
    if (latest < 0) return no_table(fs);
    int64_t version = at.version >= 0 ? at.version : latest;
    int64_t earliest = log.n_commits ? log.commits[0].version : latest;
    if (log.n_checkpoints && !commit_at(&log, 0)) earliest = log.checkpoints[0].version;
    if (version > latest || (at.version >= 0 && version < earliest)) return version_not_found(version, earliest, latest);
    struct snap *s;
    if (at.timestamp_ms != INT64_MIN) {
        TRY(replay_to(fs, pq, &log, latest, &s));
        err *e = version_at(fs, a, &log, &s->s, at.timestamp_ms, &version);
        if (e || version != latest) delta_snapshot_drop(&s->s);
        if (e) return e;
        if (version == latest) return checked(s, fs, ret);
    }
    err *e = replay_to(fs, pq, &log, version, &s);
    if (e && hint > 0) {
        /* The checkpoint that the hint names cannot be read: begin from the whole log. */
        struct delta_log all;
        err *again = delta_log_list(fs, a, 0, &all);
        if (!again) again = replay_to(fs, pq, &all, version, &s);
        if (again) {
            err_free(again);
            return e;
        }
        err_free(e);
        e = NULL;
    }
    if (e) return e;
    return checked(s, fs, ret);
}

err *delta_snapshot_open(const struct delta_fs *fs, const struct delta_parquet *parquet, struct delta_at at, struct delta_snapshot **ret) {
    arena *a = arena_new();
    err *e = open_in(a, fs, parquet, at, ret);
    arena_free(a);
    return e;
}

static err *extend(struct snap *old, const struct delta_fs *fs, const struct delta_log *log, int64_t version, struct delta_snapshot **ret) {
    struct snap *to = snap_new(old);
    struct replay r;
    replay_begin(&r, to);
    err *e = take_commits(&r, fs, log, old->s.version + 1, version);
    if (!e) e = replay_end(&r, version);
    if (!e) e = set_time(&r, fs, log, version);
    replay_free(&r);
    if (e) {
        delta_snapshot_drop(&to->s);
        return e;
    }
    for (size_t i = 0; i < log->n_checkpoints; i++)
        if (log->checkpoints[i].version <= version) to->s.checkpoint_version = log->checkpoints[i].version;
    return checked(to, fs, ret);
}

#define MAX_PROBES 500

/* Reading a large table anew costs more, and what its removed files' texts take is less beside it. */
static int max_chain(const struct delta_snapshot *s) {
    size_t n = s->n_files / 4;
    return n < MIN_CHAIN ? MIN_CHAIN : n > MAX_CHAIN ? MAX_CHAIN : (int)n;
}

static err *mtime_of(const struct delta_fs *fs, arena *a, int64_t version, int64_t *ret) {
    struct delta_entry x;
    TRY(delta_fs_stat(fs, delta_commit_name(a, version), &x));
    *ret = x.mtime_ms;
    return NULL;
}

/* What came after `old`, by name: a log has no gaps, so no listing is needed (of a folder with thousands of files, at each statement).
 * False: the version's own file is gone or another one, or too much came. */
static bool probe(const struct delta_fs *fs, arena *a, const struct snap *old, struct delta_log *ret) {
    int64_t mtime = -1;
    *ret = (struct delta_log){0};
    err *e = old->head_mtime >= 0 && !fs->store ? mtime_of(fs, a, old->s.version, &mtime) : err_new(ERR_NOT_FOUND, "not known");
    bool same = !e && mtime == old->head_mtime;
    err_free(e);
    if (!same) return false;
    ret->commits = arena_array_of(a, struct delta_commit_file, MAX_PROBES);
    while (!(e = mtime_of(fs, a, old->s.version + 1 + (int64_t)ret->n_commits, &mtime))) {
        ret->commits[ret->n_commits] = (struct delta_commit_file){old->s.version + 1 + (int64_t)ret->n_commits, mtime};
        if (++ret->n_commits == MAX_PROBES) return false;
    }
    bool end = err_code_of(e) == ERR_NOT_FOUND;
    err_free(e);
    return end;
}

/* A table that others made anew at the same place has files of its own under the same names. Staged commits have other times than
 * what is published of them: there the catalog says which table it is. */
static bool made_anew(const struct delta_fs *fs, const struct snap *old, const struct delta_log *log) {
    const struct delta_commit_file *own = commit_at(log, old->s.version);
    return !fs->managed && own && old->head_mtime >= 0 && own->mtime_ms != old->head_mtime;
}

err *delta_snapshot_update(const struct delta_fs *fs, const struct delta_parquet *parquet, struct delta_snapshot *old,
                           struct delta_snapshot **ret) {
    arena *a = arena_new();
    struct delta_log log;
    bool probed = probe(fs, a, of(old), &log);
    err *e = probed ? NULL : delta_log_list(fs, a, old->version, &log);
    int64_t latest = e ? -1 : probed ? old->version + (int64_t)log.n_commits : latest_of(&log);
    if (!e && !probed && made_anew(fs, of(old), &log)) {
        e = open_in(a, fs, parquet, DELTA_LATEST, ret);
    } else if (!e && latest == old->version) {
        delta_snapshot_hold(old);
        *ret = old;
    } else if (!e && latest > old->version && of(old)->chain < max_chain(old) && commit_at(&log, old->version + 1)) {
        e = extend(of(old), fs, &log, latest, ret);
    } else if (!e) {
        e = open_in(a, fs, parquet, DELTA_LATEST, ret);
    }
    arena_free(a);
    return e;
}

err *delta_snapshot_apply(struct delta_snapshot *old, int64_t version, int64_t timestamp_ms, str text, struct delta_snapshot **ret) {
    struct snap *to = snap_new(of(old));
    struct replay r;
    replay_begin(&r, to);
    err *e = take_commit(&r, arena_str(to->a, text), STR("commit"));
    if (!e) e = replay_end(&r, version);
    to->s.timestamp_ms = r.ict >= 0 && delta_property_true(&to->s, "delta.enableInCommitTimestamps") ? r.ict : timestamp_ms;
    replay_free(&r);
    if (e)
        delta_snapshot_drop(&to->s);
    else
        *ret = &to->s;
    return e;
}

err *delta_snapshot_of_text(str text, struct delta_snapshot **ret) {
    struct snap *to = snap_new(NULL);
    struct replay r;
    replay_begin(&r, to);
    err *e = take_commit(&r, arena_str(to->a, text), STR("commit"));
    if (!e) e = replay_end(&r, 0);
    to->s.timestamp_ms = r.ict;
    replay_free(&r);
    if (e)
        delta_snapshot_drop(&to->s);
    else
        *ret = &to->s;
    return e;
}

str delta_property(const struct delta_snapshot *s, const char *key) { return delta_map_get(&s->metadata.config, str_of(key)); }

bool delta_property_true(const struct delta_snapshot *s, const char *key) { return str_ieq(delta_property(s, key), STR("true")); }

const struct delta_domain *delta_domain_of(const struct delta_snapshot *s, str name) {
    for (size_t i = 0; i < s->n_domains; i++)
        if (str_eq(s->domains[i].name, name)) return &s->domains[i];
    return NULL;
}

str delta_mapping_mode(const struct delta_metadata *m) {
    str mode = delta_map_get(&m->config, STR("delta.columnMapping.mode"));
    return mode.n ? mode : STR("none");
}

static str info_of(const struct delta_fs *fs, arena *a, int64_t version) {
    struct delta_action *acts;
    size_t n;
    str text;
    err *e = delta_commit_read(fs, a, version, &acts, &n, &text);
    for (size_t i = 0; !e && i < n; i++)
        if (acts[i].kind == DELTA_COMMIT_INFO) return acts[i].info;
    err_free(e);
    return STR_NONE;
}

err *delta_history(const struct delta_fs *fs, arena *a, int64_t from, int64_t to, size_t limit, struct delta_commit_entry **ret,
                   size_t *ret_n) {
    struct delta_log log;
    TRY(delta_log_list(fs, a, from, &log));
    *ret = arena_array_of(a, struct delta_commit_entry, log.n_commits + 1);
    *ret_n = 0;
    int64_t previous = INT64_MIN;
    for (size_t i = 0; i < log.n_commits; i++) {
        /* Commits' own times rise strictly. */
        if (log.commits[i].mtime_ms <= previous) log.commits[i].mtime_ms = previous + 1;
        previous = log.commits[i].mtime_ms;
    }
    for (size_t i = log.n_commits; i-- > 0 && (!limit || *ret_n < limit);) {
        if (log.commits[i].version > to) continue;
        struct delta_commit_entry *x = &(*ret)[(*ret_n)++];
        x->version = log.commits[i].version;
        x->info = info_of(fs, a, x->version);
        int64_t ict = x->info.n ? ict_of(a, x->info) : -1;
        x->timestamp_ms = ict >= 0 ? ict : log.commits[i].mtime_ms;
    }
    return NULL;
}

err *delta_commit_read(const struct delta_fs *fs, arena *a, int64_t version, struct delta_action **ret, size_t *ret_n, str *ret_text) {
    str name = delta_commit_name(a, version);
    TRY(delta_fs_read(fs, a, name, ret_text));
    return delta_actions_read(a, *ret_text, name, ret, ret_n);
}

err *delta_file_path(arena *a, str root, str path, str *ret) {
    buf b = {0};
    bool ok = enc_unpercent(&b, path, false);
    str plain = arena_str(a, buf_view(&b));
    buf_free(&b);
    if (!ok || !plain.n || memchr(plain.p, 0, plain.n))
        return delta_error("DELTA_LOG_FILE_MALFORMED", "A file's path in the Delta log is not a URI: %.*s", STR_ARG(path));
    str rest = plain, part;
    while (str_split(&rest, '/', &part))
        if (str_eqz(part, ".."))
            return delta_error("DELTA_LOG_FILE_MALFORMED", "A file's path in the Delta log leaves its folder: %.*s", STR_ARG(path));
    if (str_starts(plain, STR("file:"))) {
        plain = str_from(plain, 5);
        while (plain.n > 1 && plain.p[0] == '/' && plain.p[1] == '/') plain = str_from(plain, 1);
        *ret = str_of(arena_strndup(a, plain.p, plain.n));
    } else if (plain.p[0] == '/' || str_find(str_cut(plain, 16), STR("://")) > 0) {
        *ret = plain;
    } else {
        *ret = str_of(arena_printf(a, "%.*s/%.*s", STR_ARG(root), STR_ARG(plain)));
    }
    return NULL;
}
