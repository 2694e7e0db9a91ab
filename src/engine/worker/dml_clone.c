/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CREATE TABLE … CLONE. A shallow clone's log names the source's files where they lie, so it reads them as long as the source
 * keeps them (its VACUUM does not know of clones); a deep one has copies of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "delta/partition.h"
#include "engine/worker/dml_int.h"
#include "engine/worker/remote.h"
#include "sys/files.h"
#include "sys/rand.h"

err *dml_copy_domains(struct dml_x *x, struct scan_table *source, bool ids) {
    const struct delta_domain *by = delta_domain_of(source->snap, STR("delta.clustering"));
    const struct delta_domain *mark = ids ? delta_domain_of(source->snap, STR("delta.rowTracking")) : NULL;
    if (by && delta_has_feature(x->protocol, "clustering")) dml_action(x, DELTA_DOMAIN)->domain = *by;
    if (mark && delta_has_feature(x->protocol, "rowTracking")) dml_action(x, DELTA_DOMAIN)->domain = *mark;
    return NULL;
}

/* A name in the source's log as one that holds everywhere. */
static str absolute(struct dml_x *x, const struct scan_table *source, str path) {
    if (path.p[0] == '/' || str_starts(path, STR("file:")) || str_find(str_cut(path, 16), STR("://")) > 0) return path;
    str url = source->url;
    if (url.p[0] == '/') url = str_of(arena_printf(x->a, "file://%.*s", STR_ARG(url)));
    return str_of(arena_printf(x->a, "%.*s/%.*s", STR_ARG(delta_encode_path(x->a, url)), STR_ARG(path)));
}

static err *point_to(struct dml_x *x, const struct scan_table *source, const struct delta_file *f) {
    /* Grants are on tables: whose files a clone of a clone would read, nobody could say. */
    if (source->id.n && str_find(f->path, STR(":/")) > 0)
        return dml_error("CANNOT_SHALLOW_CLONE_NESTED", "table", dml_z(x, x->clone_name), NULL);
    struct delta_action *a = dml_action(x, DELTA_ADD);
    a->file = *f;
    a->file.data_change = true;
    a->file.path = absolute(x, source, f->path);
    if (f->dv.storage != 'u') return NULL;
    str dv;
    TRY(delta_dv_path(x->a, &f->dv, &dv));
    a = &vec_last(&x->actions);
    a->file.dv.storage = 'p';
    a->file.dv.path = absolute(x, source, dv);
    return NULL;
}

/* Copies a file in the kernel; the copy is synced. */
static err *copy_file(struct dml_x *x, const char *from, const char *to) {
    struct stat st;
    char *name = strdup(to);
    must(name);
    vec_push(&x->written, name);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    if (in < 0 || fstat(in, &st)) goto failed;
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out < 0) goto failed;
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(out, in, NULL, left > (1 << 30) ? 1 << 30 : (size_t)left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) goto failed;
        left -= n;
    }
    if (fsync(out)) goto failed;
    close(in), close(out);
    TRY(files_sync_parent(to));
    return dml_keep(x, to);
failed:;
    err *e = err_errno("%s", out < 0 ? from : to);
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    return e;
}

static err *copy_vector(struct dml_x *x, struct scan_table *source, const struct delta_dv *old, struct delta_dv *dv) {
    if (old->storage != 'u' && old->storage != 'p') return NULL;
    struct delta_fs fs = scan_fs(x->d->scan, source->path);
    struct delta_dv placed;
    struct roaring64_bitmap_s *bits = NULL;
    unsigned char uuid[16];
    str path, name;
    buf file = {0};
    TRY(scan_dv_place(source, old, &placed));
    TRY(delta_dv_load(&fs, &placed, -1, &bits));
    rand_bytes(uuid, sizeof(uuid));
    uuid[6] = (uuid[6] & 0x0f) | 0x40, uuid[8] = (uuid[8] & 0x3f) | 0x80;
    delta_dv_name(x->a, uuid, &path, &name);
    *dv = (struct delta_dv){.storage = 'u', .path = path};
    delta_dv_file_add(&file, bits, dv);
    delta_bitmap_free(bits);
    const char *to = arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(name));
    char *copy = strdup(to);
    must(copy);
    vec_push(&x->written, copy);
    err *e = files_create(to, buf_view(&file), 0644);
    if (!e) e = dml_keep(x, to);
    buf_free(&file);
    return e;
}

static err *copy_of(struct dml_x *x, struct scan_table *source, const struct delta_file *f, size_t number) {
    str path;
    char id[37];
    TRY(scan_file_path(source, f->path, &path));
    TRY(scan_declare(path, f->size));
    rand_uuid(id);
    str name = str_of(arena_printf(x->a, "part-%05zu-%s.c000.parquet", number, id));
    TRY(copy_file(x, dml_z(x, path), arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(name))));
    struct delta_file made = *f;
    TRY(copy_vector(x, source, &f->dv, &made.dv));
    made.path = name;
    made.data_change = true;
    made.base_row_id = made.default_commit_version = -1;
    dml_action(x, DELTA_ADD)->file = made;
    return NULL;
}

static void parameters(struct dml_x *x, const struct ast *s, struct scan_table *source) {
    buf p = {0};
    buf_z(&p, "{\"source\":");
    buf_json_str(&p, x->clone_name);
    buf_fmt(&p, ",\"sourceVersion\":\"%lld\",\"isShallow\":\"%s\"}", (long long)source->snap->version, s->op == 's' ? "true" : "false");
    x->parameters = dml_take(x, &p);
}

err *dml_clone_files(struct dml_x *x, const struct ast *s, struct scan_table *source, struct dml_result *ret) {
    static const char *const names[] = {"source_table_size", "source_num_of_files", "num_removed_files", "num_copied_files", "removed_files_size",
                                        "copied_files_size"};
    static const char *const metrics[] = {"sourceTableSize", "sourceNumOfFiles", "numRemovedFiles", "numCopiedFiles", "removedFilesSize", "copiedFilesSize"};
    const struct delta_snapshot *old = x->t ? x->t->snap : NULL;
    if (s->op == 's' && (remote_is(source->path) || remote_is(x->path)))
        return sql_error("UNSUPPORTED_FEATURE.TABLE_OPERATION", s, x->d->text, "tableName", dml_z(x, x->clone_name), "operation",
                         "SHALLOW CLONE in an object store", NULL);
    if (s->op == 's') x->clone_of = source;
    int64_t bytes = 0, gone = 0, n = (int64_t)source->snap->n_files;
    for (size_t i = 0; i < source->snap->n_files; i++) {
        const struct delta_file *f = source->snap->files[i];
        bytes += f->size;
        TRY(s->op == 's' ? point_to(x, source, f) : copy_of(x, source, f, i));
    }
    for (size_t i = 0; old && i < old->n_files; i++) gone += old->files[i]->size;
    parameters(x, s, source);
    int64_t counts[] = {bytes, n, old ? (int64_t)old->n_files : 0, s->op == 's' ? 0 : n, gone, s->op == 's' ? 0 : bytes};
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) dml_metric(x, metrics[i], counts[i]);
    return dml_counts(x, names, counts, 6, ret);
}
