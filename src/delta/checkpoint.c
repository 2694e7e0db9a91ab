/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "delta/action.h"
#include "delta/checksum.h"
#include "delta/log.h"
#include "sys/clock.h"

#define WEEK_MS (7ll * 24 * 3600 * 1000)

bool delta_interval_ms(str text, int64_t *ret) {
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"week", WEEK_MS}, {"day", 86400000}, {"hour", 3600000}, {"minute", 60000}, {"millisecond", 1}, {"second", 1000}};
    str part;
    int64_t n = 0, sum = 0;
    bool any = false;
    while (str_split(&text, ' ', &part)) {
        if (!part.n || str_ieq(part, STR("interval"))) continue;
        if (str_to_i64(part, &n)) continue;
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(units) && !known; i++) {
            str u = str_of(units[i].unit);
            known = str_ieq(part, u) || (part.n == u.n + 1 && str_ieq(str_cut(part, u.n), u));
            if (known && (n < 0 || n > INT64_MAX / units[i].ms / 4)) return false;
            if (known) sum += n * units[i].ms, any = true;
        }
        if (!known) return false;
    }
    *ret = sum;
    return any;
}

int64_t delta_retention_ms(const struct delta_snapshot *s) {
    int64_t ms;
    str text = delta_property(s, "delta.deletedFileRetentionDuration");
    return text.n && delta_interval_ms(text, &ms) ? ms : WEEK_MS;
}

int64_t delta_log_keep_ms(const struct delta_snapshot *s) {
    int64_t ms;
    str text = delta_property(s, "delta.logRetentionDuration");
    if (str_ieq(delta_property(s, "delta.enableExpiredLogCleanup"), STR("false"))) return -1;
    return text.n && delta_interval_ms(text, &ms) ? ms : 30 * 24ll * 3600 * 1000;
}

size_t delta_checkpoint_lines(arena *a, const struct delta_snapshot *s, int64_t now_ms, buf *out) {
    size_t n = 2 + s->n_txns + s->n_domains + s->n_files;
    struct delta_action x = {.kind = DELTA_PROTOCOL};
    x.protocol = s->protocol;
    delta_action_line(a, &x, out);
    x = (struct delta_action){.kind = DELTA_METADATA};
    x.metadata = s->metadata;
    delta_action_line(a, &x, out);
    for (size_t i = 0; i < s->n_txns; i++) {
        x = (struct delta_action){.kind = DELTA_TXN};
        x.txn = s->txns[i];
        delta_action_line(a, &x, out);
    }
    for (size_t i = 0; i < s->n_domains; i++) {
        x = (struct delta_action){.kind = DELTA_DOMAIN};
        x.domain = s->domains[i];
        delta_action_line(a, &x, out);
    }
    for (size_t i = 0; i < s->n_files; i++) {
        x = (struct delta_action){.kind = DELTA_ADD};
        x.file = *s->files[i];
        x.file.data_change = false;
        delta_action_line(a, &x, out);
    }
    int64_t oldest = now_ms - delta_retention_ms(s);
    for (size_t i = 0; i < s->n_removed; i++) {
        if (s->removed[i]->deletion_ms <= oldest) continue;
        x = (struct delta_action){.kind = DELTA_REMOVE};
        x.file = *s->removed[i];
        x.file.stats = x.file.tags = STR_NONE;
        x.file.data_change = false;
        delta_action_line(a, &x, out);
        n++;
    }
    return n;
}

static int64_t number(jval *o, const char *key) {
    int64_t v;
    return json_i64(json_get(o, key), &v) ? v : -1;
}

static bool plain_name(str s) { return s.n && s.n < 256 && str_chr(s, '/', 0) < 0 && !memchr(s.p, 0, s.n) && s.p[0] != '.'; }

/* Where the engine's file goes: a classic checkpoint, or the sidecar of a V2 one, whose manifest is put then. */
static err *place(const struct delta_fs *fs, arena *a, jval *ask, int64_t version, str file) {
    str sidecar = json_get_str(ask, "sidecar"), manifest = json_get_str(ask, "manifest"), id = json_get_str(ask, "uuid");
    if (!sidecar.n) return delta_fs_rename(fs, file, str_of(arena_printf(a, "_delta_log/%020lld.checkpoint.parquet", (long long)version)));
    if (!plain_name(sidecar) || !plain_name(id) || id.n != 36)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "a checkpoint's sidecar has no name of its own");
    TRY(delta_fs_mkdir(fs, STR("_delta_log/_sidecars")));
    TRY(delta_fs_rename(fs, file, str_of(arena_printf(a, "_delta_log/_sidecars/%.*s", STR_ARG(sidecar)))));
    TRY(delta_fs_sync(fs, STR("_delta_log/_sidecars")));
    return delta_fs_put(fs, str_of(arena_printf(a, "_delta_log/%020lld.checkpoint.%.*s.json", (long long)version, STR_ARG(id))), manifest, true);
}

err *delta_checkpoint_publish(const struct delta_fs *fs, arena *a, jval *ask) {
    str file = json_get_str(ask, "file");
    int64_t version = number(ask, "version"), actions = number(ask, "actions"), files = number(ask, "num_files"), keep = number(ask, "log_keep_ms");
    if (version < 0 || !str_starts(file, STR(DELTA_TEMPORARY)) || !plain_name(file))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "a checkpoint has no version, or no file of its own");
    struct delta_entry st;
    TRY(delta_fs_stat(fs, file, &st));
    TRY(delta_fs_make_durable(fs, a, &file, 1));
    TRY(place(fs, a, ask, version, file));
    TRY(delta_fs_sync(fs, STR("_delta_log")));
    str crc = json_get_str(ask, "crc");
    if (crc.n && !fs->store) {
        err *e = delta_fs_put(fs, delta_checksum_name(a, version), crc, true);
        err_free(e); /* most have one already */
    }
    jdoc *d = json_doc(a);
    jmut *o = yyjson_mut_obj(d);
    json_put_int(d, o, "version", version);
    json_put_int(d, o, "size", actions);
    json_put_int(d, o, "sizeInBytes", st.size);
    json_put_int(d, o, "numOfAddFiles", files);
    str text = json_text(a, o);
    jval *v;
    char sum[33];
    TRY(json_parse(a, text, false, &v));
    delta_hint_checksum(v, sum);
    json_put_z(d, o, "checksum", sum);
    /* A hint of a newer one stays. */
    if (delta_log_hint(fs, a) <= version) TRY(delta_fs_put(fs, STR("_delta_log/_last_checkpoint"), json_text(a, o), false));
    return keep >= 0 ? delta_log_clean(fs, a, clock_now() / 1000 - keep) : NULL;
}

/* ---- what the log needs no more ---- */

#define DAY_MS (24ll * 3600 * 1000)

/* The version that a name in the log belongs to (of a compaction: its last), -1: not one of these. */
static int64_t version_of(str name) {
    int64_t v, last;
    if (name.n < 21 || !str_to_i64(str_cut(name, 20), &v) || v < 0) return -1;
    str rest = str_from(name, 20);
    if (str_eqz(rest, ".json") || str_eqz(rest, ".crc") || str_starts(rest, STR(".checkpoint."))) return v;
    bool compacted = rest.n == 1 + 20 + 15 && rest.p[0] == '.' && str_eqz(str_from(rest, 21), ".compacted.json");
    return compacted && str_to_i64(str_cut(str_from(rest, 1), 20), &last) ? last : -1;
}

static int64_t commit_mtime(const struct delta_log *log, int64_t version) {
    for (size_t i = 0; i < log->n_commits; i++)
        if (log->commits[i].version == version) return log->commits[i].mtime_ms;
    return INT64_MAX;
}

/* The sidecars that a manifest names, by the last part of their names, into `used`. */
static err *note_sidecars(const struct delta_fs *fs, arena *a, str manifest, map *used) {
    str text, line;
    TRY(delta_fs_read(fs, a, str_of(arena_printf(a, "_delta_log/%.*s", STR_ARG(manifest))), &text));
    while (str_split(&text, '\n', &line)) {
        struct delta_action *acts;
        size_t n;
        TRY(delta_actions_read(a, line, manifest, &acts, &n));
        for (size_t i = 0; i < n; i++) {
            str name = acts[i].kind == DELTA_SIDECAR ? acts[i].file.path : STR("");
            for (ptrdiff_t slash; (slash = str_chr(name, '/', 0)) >= 0;) name = str_from(name, (size_t)slash + 1);
            if (name.n) map_put(used, name, used);
        }
    }
    return NULL;
}

/* Sidecars that no checkpoint of these names has, once they are a day old: a younger one's checkpoint may be on its way. A manifest in
 * Parquet is not read here: where there is one all of them stay. */
static err *clean_sidecars(const struct delta_fs *fs, arena *a, const struct delta_entry *log, size_t n_log) {
    struct delta_entry *all;
    size_t n;
    TRY(delta_fs_list(fs, a, STR("_delta_log/_sidecars"), STR(""), &all, &n));
    if (!n) return NULL;
    map *used = map_new();
    err *e = NULL;
    bool known = true;
    for (size_t i = 0; !e && known && i < n_log; i++) {
        if (str_find(log[i].name, STR(".checkpoint.")) != 20) continue;
        known = str_ends(log[i].name, STR(".json"));
        if (known) e = note_sidecars(fs, a, log[i].name, used);
    }
    int64_t before = clock_now() / 1000 - DAY_MS;
    for (size_t i = 0; !e && known && i < n; i++)
        if (all[i].mtime_ms < before && !map_get(used, all[i].name)) e = delta_fs_delete(fs, str_of(arena_printf(a, "_delta_log/_sidecars/%.*s", STR_ARG(all[i].name))));
    map_free(used);
    return e;
}

err *delta_log_clean(const struct delta_fs *fs, arena *a, int64_t before_ms) {
    struct delta_log log;
    struct delta_entry *entries;
    size_t n;
    int64_t first = -1, cut = before_ms - before_ms % DAY_MS;
    TRY(delta_log_list(fs, a, 0, &log));
    /* Every version from this checkpoint on can still be built. */
    for (size_t i = 0; i < log.n_checkpoints; i++)
        if (commit_mtime(&log, log.checkpoints[i].version) < cut) first = log.checkpoints[i].version;
    if (first <= 0) return NULL;
    TRY(delta_fs_list(fs, a, STR("_delta_log"), STR(""), &entries, &n));
    /* Names are in the order of versions: what a stop in between leaves has no gap. */
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t v = version_of(entries[i].name);
        if (v < 0 || v >= first || entries[i].mtime_ms >= cut)
            entries[left++] = entries[i];
        else
            TRY(delta_fs_delete(fs, str_of(arena_printf(a, "_delta_log/%.*s", STR_ARG(entries[i].name)))));
    }
    return clean_sidecars(fs, a, entries, left);
}
