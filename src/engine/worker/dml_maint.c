/* SPDX-License-Identifier: Apache-2.0 */
/* Upkeep of tables: OPTIMIZE, REORG, RESTORE, TRUNCATE, and checkpoints after commits. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "delta/checkpoint.h"
#include "delta/checksum.h"
#include "delta/partition.h"
#include "delta/stats.h"
#include "engine/worker/dml_int.h"
#include "sys/clock.h"
#include "sys/files.h"
#include "sys/rand.h"

/* ---- checkpoints ---- */

#define FILE_FIELDS "path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT"
#define VECTOR "deletionVector STRUCT(storageType VARCHAR, pathOrInlineDv VARCHAR, \"offset\" INTEGER, sizeInBytes INTEGER, cardinality BIGINT)"

static const char columns[] =
    "{protocol: 'STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])', "
    "metaData: 'STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, \"options\" MAP(VARCHAR, VARCHAR)), schemaString "
    "VARCHAR, partitionColumns VARCHAR[], configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)', "
    "txn: 'STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)', "
    "domainMetadata: 'STRUCT(domain VARCHAR, configuration VARCHAR, removed BOOLEAN)', "
    "add: 'STRUCT(" FILE_FIELDS ", modificationTime BIGINT, dataChange BOOLEAN, tags MAP(VARCHAR, VARCHAR), " VECTOR ", baseRowId BIGINT, "
    "defaultRowCommitVersion BIGINT, clusteringProvider VARCHAR, stats VARCHAR)', "
    "remove: 'STRUCT(" FILE_FIELDS ", deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, " VECTOR ", baseRowId BIGINT, "
    "defaultRowCommitVersion BIGINT)'}";

/* Lines of files apart from all others, which a V2 checkpoint has in its manifest. */
static void split_lines(str lines, buf *files, buf *others) {
    str line;
    while (str_split(&lines, '\n', &line)) {
        if (!line.n) continue;
        bool file = str_starts(line, STR("{\"add\":")) || str_starts(line, STR("{\"remove\":"));
        buf_str(file ? files : others, line);
        buf_c(file ? files : others, '\n');
    }
}

/* Rows of JSON as a Parquet file of a checkpoint. */
static err *lines_to_parquet(struct dml_x *x, str lines, const char *json, const char *parquet, bool v2) {
    buf sql = {0};
    /* DuckDB's reader allocates for the longest line that it is told of. */
    size_t longest = 1 << 20, from = 0;
    for (size_t i = 0; i < lines.n; i++) {
        if (lines.p[i] != '\n') continue;
        if (i - from + 1024 > longest) longest = i - from + 1024;
        from = i + 1;
    }
    int fd = open(json, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    err *e = fd < 0 ? err_errno("%s", json) : files_write_fd(fd, json, lines.p, lines.n);
    if (fd >= 0) close(fd);
    buf_fmt(&sql, "COPY (SELECT %s FROM read_json(", v2 ? "\"add\", remove" : "*");
    scan_quote_text(str_of(json), &sql);
    buf_fmt(&sql, ", format = 'newline_delimited', maximum_object_size = %zu, columns = %s)) TO ", longest, columns);
    scan_quote_text(str_of(parquet), &sql);
    buf_z(&sql, " (FORMAT parquet, COMPRESSION 'zstd')");
    if (!e) e = scan_exec(x->d->con, dml_take(x, &sql));
    unlink(json);
    return e ? e : dml_keep(x, parquet);
}

/* The manifest of a V2 checkpoint whose files are all in one sidecar. */
static err *put_manifest(struct dml_x *x, const struct delta_snapshot *snap, str others, const char *parquet, const char *id, buf *q) {
    struct stat st;
    buf m = {0};
    if (stat(parquet, &st)) return err_errno("%s", parquet);
    buf_fmt(&m, "{\"checkpointMetadata\":{\"version\":%lld}}\n", (long long)snap->version);
    buf_str(&m, others);
    buf_fmt(&m, "{\"sidecar\":{\"path\":\"%s.parquet\",\"sizeInBytes\":%lld,\"modificationTime\":%lld}}\n", id, (long long)st.st_size,
            (long long)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
    buf_fmt(q, ",\"sidecar\":\"%s.parquet\",\"uuid\":\"%s\",\"manifest\":", id, id);
    buf_json_str(q, dml_take(x, &m));
    return NULL;
}

static err *write_checkpoint(struct dml_x *x) {
    struct scan_at at = {-1, INT64_MIN}; /* the newest: it is at hand, and as good */
    struct scan_table *t;
    char id[37];
    rand_uuid(id);
    TRY(scan_table_open(x->d->scan, x->path, x->url, at, -1, &t));
    bool v2 = !remote_is(x->path) && delta_has_feature(&t->snap->protocol, "v2Checkpoint") && str_eqz(delta_property(t->snap, "delta.checkpointPolicy"), "v2");
    buf lines = {0}, files = {0}, others = {0}, q = {0};
    size_t n = delta_checkpoint_lines(x->a, t->snap, clock_now() / 1000, &lines);
    if (v2) split_lines(buf_view(&lines), &files, &others);
    const char *json = arena_printf(x->a, "%.*s/%s%s.json", STR_ARG(x->path), DELTA_TEMPORARY, id);
    str file = str_of(arena_printf(x->a, "%s%s.parquet", DELTA_TEMPORARY, id));
    const char *parquet = arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(file));
    err *e = lines_to_parquet(x, buf_view(v2 ? &files : &lines), json, parquet, v2);
    buf_z(&q, "{\"id\":");
    buf_json_str(&q, x->id);
    buf_z(&q, ",\"path\":");
    dml_put_path(x, &q);
    buf_fmt(&q, ",\"version\":%lld,\"file\":\"%.*s\",\"actions\":%zu,\"num_files\":%zu,\"log_keep_ms\":%lld", (long long)t->snap->version, STR_ARG(file), n,
            t->snap->n_files, (long long)delta_log_keep_ms(t->snap));
    if (!e && v2) e = put_manifest(x, t->snap, buf_view(&others), parquet, id, &q);
    buf_z(&q, ",\"crc\":");
    buf_json_str(&q, delta_checksum_of(x->a, t->snap));
    buf_c(&q, '}');
    buf_free(&lines), buf_free(&files), buf_free(&others);
    jval *answer;
    if (!e) e = x->d->ask(x->d->arg, x->a, STR("checkpoint"), buf_view(&q), &answer);
    buf_free(&q);
    str gone = str_of(parquet);
    if (e && !remote_is(x->path)) unlink(parquet);
    if (e && remote_is(x->path)) err_free(remote_delete(&gone, 1));
    return e;
}

/* Every how many versions: as the property says, else 10 for a small table, and for one of many files so that a commit's share in
 * writing them all stays small. */
static int64_t checkpoint_interval(struct dml_x *x) {
    int64_t every;
    str text = delta_map_get(&x->metadata->config, STR("delta.checkpointInterval"));
    if (text.n && str_to_i64(text, &every) && every > 0) return every;
    size_t files = x->t ? x->t->snap->n_files : 0;
    for (every = 10; every < 1280 && (size_t)every * 10 < files; every *= 2) continue;
    return every;
}

err *dml_checkpoint(struct dml_x *x) {
    if (x->version > 0 && x->version % checkpoint_interval(x) == 0) err_free(write_checkpoint(x));
    return NULL;
}

/* ---- OPTIMIZE ---- */

struct bin {
    const struct delta_file **files;
    size_t n;
    int64_t size;
};

static bool same_values(const struct delta_map *a, const struct delta_map *b) {
    for (size_t i = 0; i < a->n; i++) {
        str x = a->p[i].null ? STR_NONE : a->p[i].value, y = delta_map_get(b, a->p[i].key);
        if (x.n != y.n || (x.n && !str_eq(x, y))) return false;
    }
    return true;
}

/* Files to be put together: of each partition those that are small (or all), more than one of them; those with vectors for PURGE. */
static size_t bins_of(struct dml_x *x, const struct delta_file **from, size_t n, bool purge, bool all, struct bin **ret) {
    struct bin *bins = arena_array_of(x->a, struct bin, n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        const struct delta_file *f = from[i];
        if (purge ? !f->dv.storage : (!all && f->size >= 128ll * 1024 * 1024 && !f->dv.storage)) continue;
        size_t b = 0;
        while (b < k && !(bins[b].size + f->size <= 1024ll * 1024 * 1024 && same_values(&bins[b].files[0]->partition, &f->partition))) b++;
        if (b == k) bins[k++].files = arena_array_of(x->a, const struct delta_file *, n + 1);
        bins[b].files[bins[b].n++] = f;
        bins[b].size += f->size;
    }
    size_t kept = 0;
    for (size_t b = 0; b < k; b++)
        if (purge || all || bins[b].n > 1 || (bins[b].n == 1 && bins[b].files[0]->dv.storage)) bins[kept++] = bins[b];
    *ret = bins;
    return kept;
}

/* Order along a space-filling curve: each column's rank in 256 steps, the bits taken in turn. */
static str zorder(struct dml_x *x, const str *names, size_t n, buf *select) {
    buf b = {0};
    if (n == 1) {
        scan_quote_ident(names[0], &b);
        return dml_take(x, &b);
    }
    for (size_t i = 0; i < n; i++) {
        buf_fmt(select, ", CAST(ntile(256) OVER (ORDER BY ");
        scan_quote_ident(names[i], select);
        buf_fmt(select, ") - 1 AS UBIGINT) AS _bh_z%zu", i);
    }
    for (size_t bit = 8; bit-- > 0;)
        for (size_t i = 0; i < n; i++) buf_fmt(&b, "%s(_bh_z%zu >> %zu) & 1", b.n ? ", " : "", i, bit);
    return dml_take(x, &b);
}

static err *order_columns(struct dml_x *x, const struct ast *s, str **ret, size_t *ret_n) {
    const struct ast *z = ast_get(s, SLOT_ZORDER);
    *ret = arena_array_of(x->a, str, 16);
    *ret_n = 0;
    const struct delta_domain *d = delta_domain_of(x->t->snap, STR("delta.clustering"));
    for (uint32_t i = 0; z && i < z->n && *ret_n < 16; i++) {
        const struct ast *name = z->child[i];
        str text = name->n ? name->child[name->n - 1]->text : name->text;
        ptrdiff_t at = dml_column(x->cols, x->n, text);
        if (at < 0) return dml_error("DELTA_ZORDERING_COLUMN_DOES_NOT_EXIST", "columnName", dml_z(x, text), NULL);
        if (dml_is_partition(x->metadata, text)) return dml_error("DELTA_ZORDERING_ON_PARTITION_COLUMN", "colName", dml_z(x, text), NULL);
        (*ret)[(*ret_n)++] = x->cols[at].name;
    }
    jval *v;
    if (z || !d) return NULL;
    err *bad = json_parse(x->a, d->config, false, &v);
    if (bad) return bad;
    size_t i, max;
    jval *path;
    yyjson_arr_foreach(json_get(v, "clusteringColumns"), i, max, path) {
        str name = json_str(yyjson_arr_get(path, 0));
        for (size_t k = 0; k < x->n && *ret_n < 16; k++)
            if (yyjson_arr_size(path) == 1 && (str_eq(x->cols[k].name, name) || str_eq(scan_physical(x->a, &x->cols[k]), name)))
                (*ret)[(*ret_n)++] = x->cols[k].name;
    }
    return NULL;
}

static bool ids_kept(struct dml_x *x) {
    return str_ieq(delta_map_get(&x->metadata->config, STR("delta.enableRowTracking")), STR("true"));
}

static err *rewrite(struct dml_x *x, const struct bin *b, const str *order, size_t n_order) {
    bool ids = ids_kept(x);
    buf rows = {0}, text = {0}, z = {0};
    struct scan_files_ask ask = {.files = b->files, .n = b->n, .tracking = ids};
    err *e = scan_emit_files(x->t, &ask, &rows);
    str by = n_order ? zorder(x, order, n_order, &z) : STR_NONE;
    buf_fmt(&text, "SELECT *%.*s FROM (%.*s) o", STR_ARG(buf_view(&z)), STR_ARG(buf_view(&rows)));
    struct dml_write w = {.text = buf_view(&text), .data_change = false, .row_ids = ids, .order = by};
    if (!e) e = dml_write(x, &w);
    for (size_t i = 0; !e && i < b->n; i++) dml_remove(x, b->files[i]);
    buf_free(&rows), buf_free(&text), buf_free(&z);
    return e;
}

static err *optimize_result(struct dml_x *x, int64_t removed, int64_t removed_size, size_t partitions, struct dml_result *ret) {
    static const char type[] = "struct<numFilesAdded:bigint,numFilesRemoved:bigint,filesAdded:struct<min:bigint,max:bigint,avg:double,totalFiles:bigint,"
                               "totalSize:bigint>,filesRemoved:struct<min:bigint,max:bigint,avg:double,totalFiles:bigint,totalSize:bigint>,"
                               "partitionsOptimized:bigint>";
    struct sql_column *cols = arena_array_of(x->a, struct sql_column, 2);
    cols[0] = (struct sql_column){STR("path"), sql_type_of(TY_STRING), true, STR_NONE};
    cols[1] = (struct sql_column){.name = STR("metrics"), .nullable = true};
    TRY(sql_type_parse(x->a, str_of(type), &cols[1].type));
    buf q = {0};
    buf_z(&q, "SELECT ");
    scan_quote_text(x->url, &q);
    buf_fmt(&q, " AS c0, struct_pack(f0 := CAST(%lld AS BIGINT), f1 := CAST(%lld AS BIGINT), f2 := struct_pack(f0 := CAST(NULL AS BIGINT), f1 := CAST(NULL AS "
            "BIGINT), f2 := CAST(%f AS DOUBLE), f3 := CAST(%lld AS BIGINT), f4 := CAST(%lld AS BIGINT)), f3 := struct_pack(f0 := CAST(NULL AS BIGINT), f1 := "
            "CAST(NULL AS BIGINT), f2 := CAST(%f AS DOUBLE), f3 := CAST(%lld AS BIGINT), f4 := CAST(%lld AS BIGINT)), f4 := CAST(%zu AS BIGINT)) AS c1",
            (long long)x->files_written, (long long)removed, x->files_written ? (double)x->bytes_written / (double)x->files_written : 0.0,
            (long long)x->files_written, (long long)x->bytes_written, removed ? (double)removed_size / (double)removed : 0.0, (long long)removed,
            (long long)removed_size, partitions);
    ret->rows = (struct sql_compiled){.duckdb = dml_take(x, &q), .cols = cols, .n = 2};
    return NULL;
}

/* WHERE of OPTIMIZE names partition columns only: files whose values may not pass are left alone. */
static err *chosen(struct dml_x *x, const struct ast *where, const struct delta_file ***ret, size_t *ret_n) {
    *ret = arena_array_of(x->a, const struct delta_file *, x->t->snap->n_files + 1);
    *ret_n = 0;
    if (!where) {
        for (size_t i = 0; i < x->t->snap->n_files; i++) (*ret)[(*ret_n)++] = x->t->snap->files[i];
        return NULL;
    }
    struct ast *items = ast_new(x->a, AST_LIST, 0, 0);
    ast_add(x->a, items, dml_col(x->a, "_bh_file"));
    struct sql_compiled c;
    TRY(sql_compile(&x->env, dml_query(x->a, dml_select(x->a, items, dml_from(x, x->target_name, NULL, true), (struct ast *)(uintptr_t)where)), &c));
    struct scan_rows rows;
    TRY(scan_query(x->d->con, x->a, str_of(arena_printf(x->a, "SELECT DISTINCT c0 FROM (%.*s) f", STR_ARG(c.duckdb))), &rows));
    map *names = map_new();
    for (size_t i = 0; i < rows.rows; i++) map_put(names, rows.cell[i], names);
    err *e = NULL;
    for (size_t i = 0; !e && i < x->t->snap->n_files; i++) {
        str path;
        e = scan_file_path(x->t, x->t->snap->files[i]->path, &path);
        if (!e && map_get(names, path)) (*ret)[(*ret_n)++] = x->t->snap->files[i];
    }
    map_free(names);
    return e;
}

err *dml_rewrite_files(struct dml_x *x, const struct delta_file *const *files, size_t n) {
    const struct delta_file **list = arena_array_of(x->a, const struct delta_file *, n + 1);
    if (n) memcpy(list, files, n * sizeof(*list));
    struct bin *bins;
    size_t k = bins_of(x, list, n, false, true, &bins);
    for (size_t i = 0; i < k; i++) TRY(rewrite(x, &bins[i], NULL, 0));
    return NULL;
}

/* A condition of OPTIMIZE chooses files by their partitions. */
static err *only_partitions(struct dml_x *x, const struct ast *e, int depth) {
    if (!e || depth > 200) return NULL;
    if (e->kind == AST_COLUMN && e->n && ast_is(e->child[0], AST_NAME)) {
        const struct ast *name = e->child[0];
        str text = name->child[0]->text;
        if (!dml_is_partition(x->metadata, text)) {
            buf list = {0};
            for (size_t i = 0; i < x->metadata->n_partitions; i++) buf_fmt(&list, "%s%.*s", i ? ", " : "", STR_ARG(x->metadata->partitions[i]));
            return dml_error("DELTA_NON_PARTITION_COLUMN_REFERENCE", "columnName", dml_z(x, text), "columnList", dml_z(x, dml_take(x, &list)), NULL);
        }
    }
    for (uint32_t i = 0; i < e->n; i++) TRY(only_partitions(x, e->child[i], depth + 1));
    for (uint32_t i = 0; i < e->n_slots; i++) TRY(only_partitions(x, e->slot[i].node, depth + 1));
    return NULL;
}

static err *check_optimize(struct dml_x *x, const struct ast *s, size_t n_order) {
    const struct ast *z = ast_get(s, SLOT_ZORDER);
    bool clustered = !z && n_order > 0;
    const struct delta_domain *d = delta_domain_of(x->t->snap, STR("delta.clustering"));
    if (z && d && str_find(d->config, STR("[[")) >= 0) {
        buf list = {0};
        for (uint32_t i = 0; i < z->n; i++) buf_fmt(&list, "%s%.*s", i ? ", " : "", STR_ARG(z->child[i]->n ? z->child[i]->child[z->child[i]->n - 1]->text : z->child[i]->text));
        return dml_error("DELTA_CLUSTERING_WITH_ZORDER_BY", "zOrderBy", dml_z(x, dml_take(x, &list)), NULL);
    }
    if (ast_has(s, AST_F_ALL) && !clustered) return dml_error("DELTA_OPTIMIZE_FULL_NOT_SUPPORTED", NULL);
    return only_partitions(x, ast_get(s, SLOT_WHERE), 0);
}

err *dml_optimize(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    bool purge = str_eqz(s->text, "reorg_purge");
    str *order;
    size_t n_order, n_files;
    const struct delta_file **files;
    dml_begin_commit(x, purge ? "REORG" : "OPTIMIZE");
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), ast_get(s, SLOT_WHERE) ? "change" : "modify"));
    TRY(order_columns(x, s, &order, &n_order));
    if (!purge) TRY(check_optimize(x, s, n_order));
    TRY(chosen(x, ast_get(s, SLOT_WHERE), &files, &n_files));
    struct bin *bins;
    size_t n = bins_of(x, files, n_files, purge, n_order > 0, &bins);
    int64_t removed = 0, size = 0;
    x->data_change = false;
    for (size_t i = 0; i < n; i++) {
        TRY(rewrite(x, &bins[i], order, n_order));
        removed += (int64_t)bins[i].n, size += bins[i].size;
    }
    if (n) {
        buf p = {0}, list = {0};
        buf_c(&list, '[');
        for (size_t i = 0; i < n_order; i++) buf_z(&list, i ? "," : ""), buf_json_str(&list, order[i]);
        buf_c(&list, ']');
        buf_z(&p, "{\"predicate\":\"[]\",\"auto\":false,\"clusterBy\":\"[]\",\"zOrderBy\":");
        buf_json_str(&p, buf_view(&list));
        buf_c(&p, '}');
        buf_free(&list);
        x->parameters = dml_take(x, &p);
        dml_metric(x, "numAddedFiles", x->files_written);
        dml_metric(x, "numAddedBytes", x->bytes_written);
        dml_metric(x, "numRemovedFiles", removed);
        dml_metric(x, "numRemovedBytes", size);
        TRY(dml_commit(x));
    }
    return optimize_result(x, removed, size, n, ret);
}

/* ---- RESTORE ---- */

static str file_key(struct dml_x *x, const struct delta_file *f) {
    return str_of(arena_printf(x->a, "%.*s\n%.*s", STR_ARG(f->path), STR_ARG(delta_dv_id(x->a, &f->dv))));
}

static bool remote_exists(struct dml_x *x, str path) {
    struct remote_entry entry;
    err *e = remote_head(x->a, path, &entry);
    bool there = err_code_of(e) != ERR_NOT_FOUND; /* what cannot be asked is not said to be gone */
    err_free(e);
    return there;
}

/* What the table is clustered by goes back too. */
static void restore_clustering(struct dml_x *x, const struct delta_snapshot *old) {
    const struct delta_domain *now = delta_domain_of(x->t->snap, STR("delta.clustering")), *then = delta_domain_of(old, STR("delta.clustering"));
    if (!then && !now) return;
    if (then && now && str_eq(then->config, now->config)) return;
    dml_action(x, DELTA_DOMAIN)->domain =
        then ? *then : (struct delta_domain){STR("delta.clustering"), STR("{\"clusteringColumns\":[],\"domainName\":\"delta.clustering\"}"), false};
}

/* A time without a version has classes of its own here. */
static err *no_such_time(struct dml_x *x, err *e) {
    static const char *const classes[][2] = {{"DELTA_TIMESTAMP_GREATER_THAN_COMMIT", "DELTA_CANNOT_RESTORE_TIMESTAMP_GREATER"},
                                             {"DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION", "DELTA_CANNOT_RESTORE_TIMESTAMP_EARLIER"}};
    str cls = sql_error_class(e, x->a);
    for (size_t i = 0; i < 2; i++) {
        if (!str_eqz(cls, classes[i][0])) continue;
        err_free(e);
        return dml_error(classes[i][1], "tableName", dml_z(x, x->full_name), NULL);
    }
    return e;
}

/* The catalog's commits carry their times, whatever the older version said. */
static void keep_times(struct dml_x *x) {
    static const char *const keys[] = {"delta.enableInCommitTimestamps", "delta.inCommitTimestampEnablementVersion", "delta.inCommitTimestampEnablementTimestamp"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        str now = delta_map_get(&x->t->snap->metadata.config, str_of(keys[i]));
        if (now.p && !str_eq(now, delta_map_get(&x->metadata->config, str_of(keys[i])))) delta_map_set(x->a, &dml_change_metadata(x)->config, str_of(keys[i]), now, false);
    }
}

static bool same_metadata(struct dml_x *x, const struct delta_metadata *a, const struct delta_metadata *b) {
    struct delta_action one = {.kind = DELTA_METADATA}, other = {.kind = DELTA_METADATA};
    buf p = {0}, q = {0};
    one.metadata = *a, other.metadata = *b;
    delta_action_line(x->a, &one, &p);
    delta_action_line(x->a, &other, &q);
    bool same = str_eq(buf_view(&p), buf_view(&q));
    buf_free(&p), buf_free(&q);
    return same;
}

err *dml_restore(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    struct scan_at at;
    struct scan_table *old;
    dml_begin_commit(x, "RESTORE");
    TRY(dml_open_target(x, ast_get(s, SLOT_NAME), "modify"));
    TRY(scan_at_of(x->d->scan, &x->env, s, &at));
    if (at.version > x->t->snap->version)
        return dml_error("DELTA_CANNOT_RESTORE_TABLE_VERSION", "version", arena_printf(x->a, "%lld", (long long)at.version), "startVersion", "0", "endVersion",
                         arena_printf(x->a, "%lld", (long long)x->t->snap->version), NULL);
    err *e = scan_table_open(x->d->scan, x->path, x->url, at, -1, &old);
    if (e) return no_such_time(x, e);
    if (dml_is_guarded(x->resolved) && !scan_same_columns(old, x->t))
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", s, x->d->text, "tableName", dml_z(x, x->full_name), "operation",
                         "RESTORE to a version with other columns while rows are filtered or columns masked", NULL);
    map *now = map_new(), *then = map_new();
    for (size_t i = 0; i < x->t->snap->n_files; i++) map_put(now, file_key(x, x->t->snap->files[i]), now);
    for (size_t i = 0; i < old->snap->n_files; i++) map_put(then, file_key(x, old->snap->files[i]), then);
    int64_t removed = 0, removed_size = 0, restored = 0, restored_size = 0, size = 0;
    for (size_t i = 0; i < x->t->snap->n_files; i++) {
        const struct delta_file *f = x->t->snap->files[i];
        if (map_get(then, file_key(x, f))) continue;
        dml_remove(x, f);
        removed++, removed_size += f->size;
    }
    for (size_t i = 0; !e && i < old->snap->n_files; i++) {
        const struct delta_file *f = old->snap->files[i];
        str path;
        size += f->size;
        if (map_get(now, file_key(x, f))) continue;
        e = scan_file_path(x->t, f->path, &path);
        bool there = e || (remote_is(path) ? remote_exists(x, path) : files_exists(dml_z(x, path)));
        if (!e && !there)
            e = delta_error("DELTA_FILE_NOT_FOUND", "The table cannot be restored to version %lld: the file %.*s was deleted.", (long long)old->snap->version, STR_ARG(path));
        struct delta_action *a = dml_action(x, DELTA_ADD);
        a->file = *f;
        a->file.data_change = true;
        restored++, restored_size += f->size;
    }
    map_free(now), map_free(then);
    if (e) return e;
    str mode = delta_mapping_mode(&x->t->snap->metadata), back = delta_mapping_mode(&old->snap->metadata);
    if (!str_eq(mode, back) && str_eqz(back, "id"))
        return dml_error("DELTA_UNSUPPORTED_COLUMN_MAPPING_MODE_CHANGE", "oldMode", dml_z(x, mode), "newMode", "id", NULL);
    x->metadata = &old->snap->metadata;
    x->cols = old->cols, x->n = old->n;
    if (x->t->managed) keep_times(x);
    x->metadata_changed = !same_metadata(x, x->metadata, &x->t->snap->metadata);
    TRY(dml_identity_keep(x));
    restore_clustering(x, old->snap);
    x->read_all = true;
    x->parameters = str_of(arena_printf(x->a, "{\"version\":%lld,\"timestamp\":null}", (long long)old->snap->version));
    dml_metric(x, "numRestoredFiles", restored);
    dml_metric(x, "numRemovedFiles", removed);
    dml_metric(x, "removedFilesSize", removed_size);
    dml_metric(x, "restoredFilesSize", restored_size);
    dml_metric(x, "numOfFilesAfterRestore", (int64_t)old->snap->n_files);
    dml_metric(x, "tableSizeAfterRestore", size);
    TRY(dml_commit_unless_empty(x));
    static const char *const names[] = {"table_size_after_restore", "num_of_files_after_restore", "num_removed_files", "num_restored_files",
                                        "removed_files_size", "restored_files_size"};
    int64_t counts[] = {size, (int64_t)old->snap->n_files, removed, restored, removed_size, restored_size};
    TRY(dml_counts(x, names, counts, 6, ret));
    ret->modified_rows = -1;
    return NULL;
}

/* ---- TRUNCATE ---- */

err *dml_truncate(struct dml_x *x, const struct ast *s, struct dml_result *ret) {
    struct ast *del = ast_new(x->a, AST_S_DELETE, s->pos, s->end), *where = NULL;
    const struct ast *parts = ast_get(s, SLOT_PARTITION);
    ast_set(x->a, del, SLOT_NAME, ast_get(s, SLOT_NAME));
    for (uint32_t i = 0; parts && i < parts->n; i++) {
        struct ast *eq = ast_text(x->a, AST_BINARY, STR("=")), *both = ast_text(x->a, AST_BINARY, STR("and"));
        ast_add(x->a, eq, dml_col(x->a, dml_z(x, parts->child[i]->text)));
        ast_add(x->a, eq, parts->child[i]->n ? parts->child[i]->child[0] : ast_new(x->a, AST_LIT_NULL, 0, 0));
        if (!where) {
            where = eq;
            continue;
        }
        ast_add(x->a, both, where);
        ast_add(x->a, both, eq);
        where = both;
    }
    ast_set(x->a, del, SLOT_WHERE, where);
    TRY(dml_delete(x, del, ret));
    ret->rows.n = 0, ret->cells = NULL;
    return NULL;
}
