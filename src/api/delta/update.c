/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commits and changes of what the catalog keeps of a table, all of a request or nothing.
 *
 *   open (read)    the table, rights, what is asked; the table's log as the catalog has it
 *   look (sync)    the staged file: is it there, is it a commit of this version; which versions are really published
 *   apply (write)  requirements, the row of the log, the row of the table
 *
 * The older form (delta/preview/commits) is read into the same and applied by the same steps.
 */
#include "api/delta/delta_int.h"
#include "api/gen_routes.h"
#include "api/unity_catalog/asks_int.h"
#include "catalog/ask.h"
#include "delta/action.h"
#include "delta/log.h"

struct update {
    int64_t table;                /* its row */
    str uuid, etag;               /* required; etag empty: not */
    struct managed_log log;
    bool managed;
    struct delta_fs fs;           /* where the table's log lies */
    struct delta_version add;     /* version 0: none */
    bool replayed;                /* the same commit was taken before */
    int64_t published, seen;      /* what the client says; what lies there */
    str columns, comment;         /* p NULL: as they were */
    struct kv set;                /* properties */
    str *unset;
    size_t n_unset;
    bool replace;                 /* `set` is all of them */
    jval *protocol, *partitions;
    bool changed;                 /* anything but the log */
};

static err *bad(const char *what) {
    return delta_api_error("InvalidParameterValueException", ERR_INVALID_PARAMETER_VALUE, "%s", what);
}

/* ---- what is asked ---- */

static err *take_commit(struct req *r, struct update *u, jval *c, char dash) {
    str name = json_get_str(c, dash == '-' ? "file-name" : "file_name");
    (void)r;
    u->add = (struct delta_version){.file = name};
    if (!json_i64(json_get(c, "version"), &u->add.version) || u->add.version < 1 || !json_i64(json_get(c, "timestamp"), &u->add.timestamp_ms))
        return bad("A commit has a version above 0 and a timestamp.");
    (void)json_i64(json_get(c, dash == '-' ? "file-size" : "file_size"), &u->add.size);
    (void)json_i64(json_get(c, dash == '-' ? "file-modification-timestamp" : "file_modification_timestamp"), &u->add.mtime_ms);
    if (!delta_staged_name_ok(name, u->add.version)) return bad("A staged commit is named <version>.<uuid>.json, the version with 20 digits.");
    return NULL;
}

static err *on_add_commit(struct req *r, struct update *u, jval *a) { return take_commit(r, u, json_get(a, "commit"), '-'); }

static err *on_published(struct req *r, struct update *u, jval *a) {
    (void)r;
    return json_i64(json_get(a, "latest-published-version"), &u->published) ? NULL : bad("latest-published-version is missing.");
}

static err *on_set_properties(struct req *r, struct update *u, jval *a) {
    u->changed = true;
    if (!yyjson_is_obj(json_get(a, "updates"))) return bad("set-properties has no updates.");
    struct kv more;
    TRY(kv_from_object(r->a, json_get(a, "updates"), "properties", &more));
    for (size_t i = 0; i < more.n; i++) kv_set(r->a, &u->set, more.p[i].key, more.p[i].value);
    return NULL;
}

static err *on_remove_properties(struct req *r, struct update *u, jval *a) {
    jval *list = json_get(a, "removals"), *v;
    size_t i, n;
    u->changed = true;
    u->unset = arena_array_of(r->a, str, yyjson_arr_size(list) + 1);
    yyjson_arr_foreach(list, i, n, v) u->unset[u->n_unset++] = json_str(v);
    return NULL;
}

static err *on_columns(struct req *r, struct update *u, jval *a) {
    u->changed = true;
    /* Read with the partition columns, which may come later in the list. */
    u->columns = json_text(r->a, yyjson_val_mut_copy(req_doc(r), json_get(a, "columns")));
    return NULL;
}

static err *on_partitions(struct req *r, struct update *u, jval *a) {
    (void)r;
    u->changed = true;
    u->partitions = json_get(a, "partition-columns");
    return NULL;
}

static err *on_comment(struct req *r, struct update *u, jval *a) {
    (void)r;
    u->changed = true;
    u->comment = json_get_str(a, "comment");
    return NULL;
}

static err *on_protocol(struct req *r, struct update *u, jval *a) {
    (void)r;
    u->changed = true;
    u->protocol = json_get(a, "protocol");
    return NULL;
}

/* What the log's domains say is kept as the properties that clients look for. */
static const char *const domains[][3] = {{"delta.clustering", "clusteringColumns", "delta.clusteringColumns"},
                                         {"delta.rowTracking", "rowIdHighWaterMark", "delta.rowTracking.rowIdHighWaterMark"}};

static err *on_set_domain(struct req *r, struct update *u, jval *a) {
    u->changed = true;
    for (size_t i = 0; i < ARRAY_LEN(domains); i++) {
        jval *v = json_get(json_get(json_get(a, "updates"), domains[i][0]), domains[i][1]);
        if (v) kv_set(r->a, &u->set, str_of(domains[i][2]), json_text(r->a, yyjson_val_mut_copy(req_doc(r), v)));
    }
    return NULL;
}

static err *on_remove_domain(struct req *r, struct update *u, jval *a) {
    jval *list = json_get(a, "domains"), *v;
    size_t i, n;
    u->changed = true;
    str *more = arena_array_of(r->a, str, u->n_unset + yyjson_arr_size(list) + 1);
    for (size_t k = 0; k < u->n_unset; k++) more[k] = u->unset[k];
    u->unset = more;
    yyjson_arr_foreach(list, i, n, v)
        for (size_t k = 0; k < ARRAY_LEN(domains); k++)
            if (str_eqz(json_str(v), domains[k][0])) u->unset[u->n_unset++] = str_of(domains[k][2]);
    return NULL;
}

static err *on_snapshot_version(struct req *r, struct update *u, jval *a) {
    int64_t version, at;
    u->changed = true;
    if (!json_i64(json_get(a, "last-commit-version"), &version) || !json_i64(json_get(a, "last-commit-timestamp-ms"), &at))
        return bad("update-metadata-snapshot-version has a version and a timestamp.");
    kv_set(r->a, &u->set, STR(LAST_VERSION), str_of(arena_printf(r->a, "%lld", (long long)version)));
    kv_set(r->a, &u->set, STR(LAST_TIME), str_of(arena_printf(r->a, "%lld", (long long)at)));
    return NULL;
}

static const struct {
    const char *name;
    err *(*take)(struct req *r, struct update *u, jval *action);
} actions[] = {
    {"add-commit", on_add_commit},
    {"set-latest-backfilled-version", on_published},
    {"set-properties", on_set_properties},
    {"remove-properties", on_remove_properties},
    {"set-columns", on_columns},
    {"set-partition-columns", on_partitions},
    {"set-table-comment", on_comment},
    {"set-protocol", on_protocol},
    {"set-domain-metadata", on_set_domain},
    {"remove-domain-metadata", on_remove_domain},
    {"update-metadata-snapshot-version", on_snapshot_version},
};

static err *take_updates(struct req *r, struct update *u, jval *list) {
    bool had[ARRAY_LEN(actions)] = {0};
    size_t i, n, k;
    jval *a;
    if (!yyjson_arr_size(list)) return bad("updates is empty.");
    yyjson_arr_foreach(list, i, n, a) {
        for (k = 0; k < ARRAY_LEN(actions) && !str_eqz(json_get_str(a, "action"), actions[k].name);) k++;
        if (k == ARRAY_LEN(actions))
            return delta_api_error("BadRequestException", ERR_BAD_REQUEST, "There is no action '%.*s'.", STR_ARG(str_cut(json_get_str(a, "action"), 60)));
        if (had[k]) return delta_api_error("BadRequestException", ERR_BAD_REQUEST, "The action %s stands twice.", actions[k].name);
        had[k] = true;
        TRY(actions[k].take(r, u, a));
    }
    return NULL;
}

static err *take_requirements(struct update *u, jval *list) {
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(list, i, n, v) {
        str type = json_get_str(v, "type");
        if (str_eqz(type, "assert-table-uuid"))
            u->uuid = json_get_str(v, "uuid");
        else if (str_eqz(type, "assert-etag"))
            u->etag = json_get_str(v, "etag");
        else
            return delta_api_error("BadRequestException", ERR_BAD_REQUEST, "There is no requirement '%.*s'.", STR_ARG(str_cut(type, 60)));
    }
    return u->uuid.n ? NULL : bad("A request asserts the table's uuid.");
}

/* ---- open ---- */

/* Rights, and where its log lies. */
static err *open(struct req *r, struct caller *c, struct securable *t, struct update *u) {
    TRY(securable_need(c, t, PRIV_MODIFY));
    TRY(delta_need_outside(c, t));
    u->table = t->id;
    TRY(managed_find(c, c->tx, t->id, &u->log, &u->managed));
    if ((u->add.version || u->published >= 0) && !u->managed) return bad("The table is not catalog-managed: its versions are not the catalog's to commit.");
    if (!u->managed) return NULL;
    struct ask_commit_place place;
    TRY(ask_control_place(c, &t->table, &place));
    u->fs = uc_place_fs(r, &place);
    return NULL;
}

err *api_delta_update_open(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    struct update *u = arena_new_of(r->a, struct update);
    *u = (struct update){.published = -1, .columns = STR_NONE, .comment = STR_NONE};
    TRY(take_requirements(u, arg(r, "requirements")));
    TRY(take_updates(r, u, arg(r, "updates")));
    TRY(delta_open_table(r, &c, 0, &t));
    TRY(open(r, &c, &t, u));
    r->state = u;
    return NULL;
}

/* {"properties":{"properties":{…}}, "description", "schema":{"columns":[…]}} */
static err *take_older(struct req *r, struct update *u, jval *m) {
    jval *properties = json_get(json_get(m, "properties"), "properties"), *columns = json_get(json_get(m, "schema"), "columns");
    if (yyjson_is_obj(properties)) {
        u->changed = u->replace = true;
        TRY(kv_from_object(r->a, properties, "properties", &u->set));
    }
    if (json_get_str(m, "description").p) {
        u->changed = true;
        u->comment = json_get_str(m, "description");
    }
    if (yyjson_is_arr(columns)) {
        u->changed = true;
        u->columns = json_text(r->a, yyjson_val_mut_copy(req_doc(r), columns));
    }
    return NULL;
}

err *api_delta_preview_open(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    struct update *u = arena_new_of(r->a, struct update);
    *u = (struct update){.published = arg_i64(r, "latest_backfilled_version", -1), .columns = STR_NONE, .comment = STR_NONE, .uuid = arg_str(r, "table_id")};
    if (arg_has(r, "commit_info")) TRY(take_commit(r, u, arg(r, "commit_info"), '_'));
    TRY(take_older(r, u, arg(r, "metadata")));
    TRY(delta_by_uuid(&c, u->uuid, &t));
    TRY(open(r, &c, &t, u));
    r->state = u;
    return NULL;
}

/* ---- look ---- */

static err *look_at_file(struct req *r, const struct update *u, const struct delta_fs *fs) {
    str text;
    struct delta_action *acts;
    size_t n;
    int64_t at = -1;
    err *e = delta_fs_read(fs, r->a, delta_staged_path(r->a, u->add.file), &text);
    if (err_code_of(e) == ERR_NOT_FOUND) {
        err_free(e);
        return bad("The staged commit is not there.");
    }
    TRY(e);
    TRY(delta_actions_read(r->a, text, STR("commit"), &acts, &n));
    TRY(uc_check_paths(acts, n));
    for (size_t i = 0; i < n; i++) {
        jval *info;
        if (acts[i].kind != DELTA_COMMIT_INFO) continue;
        TRY(json_parse(r->a, acts[i].info, false, &info));
        (void)json_i64(json_get(info, "inCommitTimestamp"), &at);
    }
    return at == u->add.timestamp_ms ? NULL : bad("The commit's timestamp is not the inCommitTimestamp of the staged file.");
}

err *api_delta_update_look(struct req *r) {
    struct update *u = r->state;
    if (!u->managed) return NULL;
    const struct delta_fs *fs = &u->fs;
    u->seen = u->log.row.published;
    /* Said to be published is believed of what lies there. */
    for (size_t i = 0; i < u->log.n && u->log.staged[i].version <= u->published; i++) {
        struct delta_entry there;
        err *e = delta_fs_stat(fs, delta_commit_name(r->a, u->log.staged[i].version), &there);
        bool missing = e != NULL;
        err_free(e);
        if (missing) break;
        u->seen = u->log.staged[i].version;
    }
    for (size_t i = 0; i < u->log.n; i++)
        u->replayed |= u->add.version == u->log.staged[i].version && str_eq(u->add.file, u->log.staged[i].file);
    return u->add.version && !u->replayed && u->add.version == u->log.row.latest + 1 ? look_at_file(r, u, fs) : NULL;
}

/* ---- apply ---- */

static err *conflict(const struct update *u) {
    return delta_api_error("CommitVersionConflictException", ERR_RESOURCE_CONFLICT, "Version %lld cannot be committed: the newest one is %lld.",
                           (long long)u->add.version, (long long)u->log.row.latest);
}

static err *apply_log(const struct caller *c, struct update *u) {
    bool again = false;
    if (!u->managed) return NULL;
    if (!u->add.version) return managed_published(c, &u->log, u->seen);
    if (u->add.version != u->log.row.latest + 1) return conflict(u);
    TRY(managed_ratify(c, &u->log, &u->add, 1, u->seen, &again));
    return again ? conflict(u) : NULL;
}

/* The names of the columns that the table is partitioned by, as a list. */
static err *partitions_of(struct req *r, const struct ent_uc_table *row, jval **ret) {
    jval *list, *v;
    size_t i, n;
    int64_t at;
    TRY(json_parse(r->a, row->columns.n ? row->columns : STR("[]"), false, &list));
    jmut *names = yyjson_mut_arr(req_doc(r));
    for (int64_t want = 0; want < (int64_t)yyjson_arr_size(list); want++)
        yyjson_arr_foreach(list, i, n, v)
            if (json_i64(json_get(v, "partition_index"), &at) && at == want) json_add_str(r->doc, names, json_get_str(v, "name"));
    return json_parse(r->a, json_text(r->a, names), false, ret);
}

static err *apply_columns(struct req *r, struct update *u, struct ent_uc_table *row) {
    jval *v, *partitions = u->partitions;
    if (!u->columns.p) return partitions ? bad("set-partition-columns comes with set-columns.") : NULL;
    TRY(json_parse(r->a, u->columns, false, &v));
    if (yyjson_is_arr(v)) row->columns = u->columns; /* the older form is the catalog's own */
    if (yyjson_is_arr(v)) return NULL;
    if (!partitions) TRY(partitions_of(r, row, &partitions));
    return delta_columns_in(r, v, partitions, &row->columns);
}

static err *apply_row(struct req *r, const struct caller *c, struct update *u, struct securable *t) {
    struct kv have;
    if (!u->changed) return NULL;
    TRY(kv_read(r->a, t->table.properties, &have));
    if (u->replace) have = (struct kv){0};
    for (size_t i = 0; i < u->set.n; i++) kv_set(r->a, &have, u->set.p[i].key, u->set.p[i].value);
    for (size_t i = 0; i < u->n_unset; i++) (void)kv_del(&have, u->unset[i]);
    if (u->protocol) TRY(delta_protocol_in(r, u->protocol, &have));
    if (u->add.version && !u->replace) {
        kv_set(r->a, &have, STR(LAST_VERSION), str_of(arena_printf(r->a, "%lld", (long long)u->add.version)));
        kv_set(r->a, &have, STR(LAST_TIME), str_of(arena_printf(r->a, "%lld", (long long)u->add.timestamp_ms)));
    }
    TRY(kv_text(r->a, &have, "properties", &t->table.properties));
    if (u->comment.p) t->table.comment = u->comment;
    TRY(apply_columns(r, u, &t->table));
    return tables_save(c, t);
}

static err *apply(struct req *r, struct caller *c, struct securable *t) {
    struct update *u = r->state;
    bool found;
    TRY(securable_by_id(c, SEC_TABLE, u->table, t, &found));
    if (!found) return securable_missing(SEC_TABLE, u->uuid);
    if (!str_ieq(t->table.uuid, u->uuid) ||
        (u->etag.n && !str_eqz(u->etag, arena_printf(r->a, "etag-%lld", (long long)t->table.updated_at))))
        return delta_api_error("UpdateRequirementConflictException", ERR_RESOURCE_CONFLICT, "A requirement is not met: the table was changed.");
    if (u->replayed) return NULL; /* it was taken: a client that lost the answer asks again */
    TRY(apply_log(c, u));
    return apply_row(r, c, u, t);
}

err *api_delta_update_apply(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    TRY(apply(r, &c, &t));
    return delta_put_load(r, &c, &t);
}

err *api_delta_preview_apply(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    (void)req_out(r);
    return apply(r, &c, &t);
}

/* ---- the older form of load ---- */

err *api_delta_get_commits(struct req *r) {
    struct caller c = uc_caller(r);
    struct securable t;
    struct managed_log log;
    bool managed;
    int64_t from = arg_i64(r, "start_version", 0), to = arg_i64(r, "end_version", INT64_MAX);
    TRY(delta_by_uuid(&c, arg_str(r, "table_id"), &t));
    TRY(securable_need(&c, &t, PRIV_SELECT));
    TRY(managed_find(&c, c.tx, t.id, &log, &managed));
    if (!managed) return err_new(ERR_INVALID_PARAMETER_VALUE, "Table '%.*s' is not catalog-managed.", STR_ARG(t.full_name));
    jmut *list = json_put_arr(req_doc(r), req_out(r), "commits");
    for (size_t i = log.n; i-- > 0;)
        if (log.staged[i].version > log.row.published && log.staged[i].version >= from && log.staged[i].version <= to)
            delta_staged_put(r->doc, list, &log.staged[i]);
    json_put_int(r->doc, r->out, "latest_table_version", log.row.latest);
    return NULL;
}
