/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog/managed.h"

err *managed_find(const struct caller *c, store_tx *tx, int64_t table, struct managed_log *ret, bool *found) {
    jval *list;
    *ret = (struct managed_log){0};
    TRY(ent_uc_log_by_table(tx, metastore_scope(c), c->a, table, &ret->row, found));
    if (!*found) return NULL;
    TRY(json_parse(c->a, ret->row.commits.n ? ret->row.commits : STR("[]"), false, &list));
    return delta_staged_read(c->a, list, &ret->staged, &ret->n);
}

err *managed_begin(const struct caller *c, int64_t table, int64_t version, int64_t timestamp_ms) {
    struct ent_uc_log row;
    bool found;
    TRY(ent_uc_log_by_table(c->tx, metastore_scope(c), c->a, table, &row, &found));
    if (found) return NULL;
    row = (struct ent_uc_log){.table_id = table, .latest = version, .published = version, .timestamp_ms = timestamp_ms, .commits = STR("[]")};
    return ent_uc_log_insert(c->tx, metastore_scope(c), &row);
}

/* The list without what is published, with what is new. */
static void set_commits(const struct caller *c, struct managed_log *log, const struct delta_version *add, size_t n) {
    jdoc *d = json_doc(c->a);
    jmut *list = yyjson_mut_arr(d);
    for (size_t i = 0; i < log->n; i++)
        if (log->staged[i].version > log->row.published) delta_staged_put(d, list, &log->staged[i]);
    for (size_t i = 0; i < n; i++) delta_staged_put(d, list, &add[i]);
    log->row.commits = json_text(c->a, list);
}

static err *too_many(const struct managed_log *log) {
    return err_new(ERR_RESOURCE_EXHAUSTED, "%zu commits of the table are not published, the most that it takes.", log->n);
}

err *managed_ratify(const struct caller *c, const struct managed_log *read, const struct delta_version *add, size_t n, int64_t published,
                    bool *ret_again) {
    struct managed_log now;
    bool found;
    TRY(managed_find(c, c->tx, read->row.table_id, &now, &found));
    *ret_again = !found || now.row.latest != read->row.latest;
    if (*ret_again) return NULL;
    for (size_t i = 0; i < n; i++)
        if (add[i].version != now.row.latest + 1 + (int64_t)i)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "Version %lld does not follow version %lld.", (long long)add[i].version, (long long)now.row.latest);
    if (published > now.row.latest) published = now.row.latest;
    if (published > now.row.published) now.row.published = published;
    if (now.row.latest + (int64_t)n - now.row.published > MANAGED_MAX_STAGED) return too_many(&now);
    set_commits(c, &now, add, n);
    if (n) {
        now.row.latest = add[n - 1].version;
        now.row.timestamp_ms = add[n - 1].timestamp_ms;
    }
    return ent_uc_log_update(c->tx, metastore_scope(c), &now.row);
}

err *managed_published(const struct caller *c, const struct managed_log *log, int64_t published) {
    bool again;
    if (published <= log->row.published) return NULL;
    return managed_ratify(c, log, NULL, 0, published, &again);
}

void managed_put(jdoc *d, jmut *o, const struct managed_log *log) {
    jmut *l = json_put_obj(d, o, "log");
    json_put_int(d, l, "latest", log->row.latest);
    jmut *list = json_put_arr(d, l, "commits");
    for (size_t i = 0; i < log->n; i++) delta_staged_put(d, list, &log->staged[i]);
}

err *managed_forget(const struct caller *c, int64_t table) {
    struct ent_uc_log row;
    bool found;
    TRY(ent_uc_log_by_table(c->tx, metastore_scope(c), c->a, table, &row, &found));
    return found ? ent_uc_log_delete(c->tx, metastore_scope(c), row.id) : NULL;
}
