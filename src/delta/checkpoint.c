/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/checkpoint.h"

#include <stdio.h>
#include <string.h>

#include "delta/log.h"

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

err *delta_checkpoint_publish(const struct delta_fs *fs, arena *a, jval *ask) {
    str file = json_get_str(ask, "file");
    int64_t version = number(ask, "version"), actions = number(ask, "actions"), files = number(ask, "num_files");
    if (version < 0 || !str_starts(file, STR(DELTA_TEMPORARY)) || str_chr(file, '/', 0) >= 0 || memchr(file.p, 0, file.n))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "a checkpoint has no version, or no file of its own");
    str to = str_of(arena_printf(a, "_delta_log/%020lld.checkpoint.parquet", (long long)version));
    struct delta_entry st;
    TRY(delta_fs_stat(fs, file, &st));
    TRY(delta_fs_rename(fs, file, to));
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
    if (delta_log_hint(fs, a) > version) return NULL;
    return delta_fs_put(fs, STR("_delta_log/_last_checkpoint"), json_text(a, o), false);
}
