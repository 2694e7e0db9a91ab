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

#include "base/map.h"
#include "delta/partition.h"
#include "engine/worker/dml_int.h"
#include "engine/worker/remote.h"
#include "sql/error.h"
#include "sys/files.h"
#include "sys/rand.h"

#define PIECE (1 << 20)

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

/* ---- what the table has already ---- */

struct clone {
    struct dml_x *x;
    struct scan_table *source;
    bool shallow;
    map *live;     /* path in the log → file of the version that is replaced */
    map *gone;     /* … that were removed from it and may still lie there */
    map *kept;     /* live ones that stay as they are */
    int64_t copied, copied_bytes;
};

static bool same_values(const struct delta_map *a, const struct delta_map *b) {
    for (size_t i = 0; i < b->n; i++) {
        str x = delta_map_get(a, b->p[i].key), y = b->p[i].value;
        if (x.n != y.n || (x.n && !str_eq(x, y))) return false;
    }
    return a->n == b->n;
}

/* A file that an earlier clone of this source made, or named, is the same one. */
static bool same_file(const struct delta_file *a, const struct delta_file *b) {
    return a->size == b->size && a->mtime_ms == b->mtime_ms && same_values(&a->partition, &b->partition);
}

/* Its rows too? Vectors in files are copied under new names: whether they are the same is not known. */
static bool same_rows(struct dml_x *x, const struct delta_dv *a, const struct delta_dv *b) {
    return str_eq(delta_dv_id(x->a, a), delta_dv_id(x->a, b)) && (!a->storage || a->storage != 'u');
}

static void keep(struct clone *c, const struct delta_file *f) { map_put(c->kept, f->path, c); }

/* ---- shallow ---- */

static err *point_to(struct clone *c, const struct delta_file *f) {
    struct dml_x *x = c->x;
    const struct scan_table *source = c->source;
    /* Grants are on tables: whose files a clone of a clone would read, nobody could say. */
    if (source->id.n && str_find(f->path, STR(":/")) > 0)
        return dml_error("CANNOT_SHALLOW_CLONE_NESTED", "table", dml_z(x, x->clone_name), NULL);
    struct delta_file named = *f;
    named.data_change = true;
    named.path = absolute(x, source, f->path);
    if (f->dv.storage == 'u') {
        str dv;
        TRY(delta_dv_path(x->a, &f->dv, &dv));
        named.dv.storage = 'p';
        named.dv.path = absolute(x, source, dv);
    }
    const struct delta_file *old = map_get(c->live, named.path);
    if (old && same_rows(x, &old->dv, &named.dv))
        keep(c, old);
    else
        dml_action(x, DELTA_ADD)->file = named;
    return NULL;
}

/* ---- deep ---- */

static bool copy_in_kernel(int in, int out, off_t left) {
    while (left > 0) {
        ssize_t n = sendfile(out, in, NULL, left > (1 << 30) ? 1 << 30 : (size_t)left);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        left -= n;
    }
    return true;
}

/* Objects come as they are read (remote_shim.c): what the kernel sees of one that nobody read yet is a hole. */
static bool copy_by_reading(int in, int out) {
    char *piece = malloc(PIECE);
    must(piece);
    ssize_t got;
    bool ok = true;
    while (ok && (got = read(in, piece, PIECE)) != 0) {
        for (ssize_t put = 0, n; ok && put < got; put += n > 0 ? n : 0) {
            n = write(out, piece + put, (size_t)(got - put));
            ok = n > 0 || errno == EINTR;
        }
        if (got < 0) ok = errno == EINTR;
    }
    free(piece);
    return ok;
}

/* The copy is synced. */
static err *copy_file(struct dml_x *x, const char *from, const char *to) {
    struct stat st;
    char *name = strdup(to);
    must(name);
    vec_push(&x->written, name);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
    if (in < 0 || fstat(in, &st)) goto failed;
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (out < 0) goto failed;
    bool ok = remote_is(str_of(from)) || remote_is_file(str_of(from)) ? copy_by_reading(in, out) : copy_in_kernel(in, out, st.st_size);
    if (!ok || fsync(out)) goto failed;
    close(in), close(out);
    TRY(files_sync_parent(to));
    return dml_keep(x, to);
failed:;
    err *e = errno == ENOENT && (in < 0 || out >= 0) ? sql_error("FAILED_READ_FILE.FILE_NOT_EXIST", NULL, STR(""), "path", from, NULL)
                                                      : err_errno("%s", in < 0 ? from : to);
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

/* A copy has the name of what it is of, so that the next clone knows it; not where the name is no data file's. */
static bool is_data_name(str path) {
    str rest = path, part;
    if (path.p[0] == '/' || str_find(path, STR(":")) >= 0 || !str_ends(path, STR(".parquet"))) return false;
    while (str_split(&rest, '/', &part))
        if (!part.n || part.p[0] == '.' || (part.p[0] == '_' && str_chr(part, '=', 0) < 0)) return false;
    return true;
}

static str parent_of(str path) {
    while (path.n > 1 && path.p[path.n - 1] != '/') path.n--;
    return str_cut(path, path.n - 1);
}

static err *place_of_copy(struct clone *c, const struct delta_file *f, size_t number, str *ret_path, str *ret_place) {
    struct dml_x *x = c->x;
    char id[37];
    *ret_path = f->path;
    if (is_data_name(f->path) && !map_get(c->live, f->path) && !map_get(c->gone, f->path)) {
        TRY(delta_file_path(x->a, x->path, f->path, ret_place));
        if (access(dml_z(x, *ret_place), F_OK)) return files_mkdirs(dml_z(x, parent_of(*ret_place)), 0755);
    }
    rand_uuid(id);
    *ret_path = str_of(arena_printf(x->a, "part-%05zu-%s.c000.parquet", number, id));
    *ret_place = str_of(arena_printf(x->a, "%.*s/%.*s", STR_ARG(x->path), STR_ARG(*ret_path)));
    return NULL;
}

static err *copy_of(struct clone *c, const struct delta_file *f, size_t number) {
    struct dml_x *x = c->x;
    struct delta_file made = *f;
    const struct delta_file *old = map_get(c->live, f->path);
    bool have = old && same_file(old, f);
    if (have && same_rows(x, &old->dv, &f->dv)) {
        keep(c, old);
        return NULL;
    }
    if (!have) {
        str path, to;
        TRY(scan_file_path(c->source, f->path, &path));
        TRY(scan_declare(path, f->size));
        TRY(place_of_copy(c, f, number, &made.path, &to));
        TRY(copy_file(x, dml_z(x, path), dml_z(x, to)));
        c->copied++, c->copied_bytes += f->size;
    }
    TRY(copy_vector(x, c->source, &f->dv, &made.dv));
    made.data_change = true;
    made.base_row_id = made.default_commit_version = -1;
    dml_action(x, DELTA_ADD)->file = made;
    return NULL;
}

/* ---- the statement ---- */

static void parameters(struct dml_x *x, const struct ast *s, struct scan_table *source) {
    buf p = {0};
    buf_z(&p, "{\"source\":");
    buf_json_str(&p, x->clone_name);
    buf_fmt(&p, ",\"sourceVersion\":\"%lld\",\"isShallow\":\"%s\"}", (long long)source->snap->version, s->op == 's' ? "true" : "false");
    x->parameters = dml_take(x, &p);
}

static err *clone_into(struct clone *c, int64_t counts[6]) {
    struct dml_x *x = c->x;
    const struct delta_snapshot *old = x->t ? x->t->snap : NULL, *from = c->source->snap;
    for (size_t i = 0; old && i < old->n_files; i++) map_put(c->live, old->files[i]->path, (void *)(uintptr_t)old->files[i]);
    for (size_t i = 0; old && i < old->n_removed; i++) map_put(c->gone, old->removed[i]->path, c);
    for (size_t i = 0; i < from->n_files; i++) {
        counts[0] += from->files[i]->size;
        TRY(c->shallow ? point_to(c, from->files[i]) : copy_of(c, from->files[i], i));
    }
    for (size_t i = 0; old && i < old->n_files; i++) {
        if (map_get(c->kept, old->files[i]->path)) continue;
        dml_remove(x, old->files[i]);
        counts[2]++, counts[4] += old->files[i]->size;
    }
    counts[1] = (int64_t)from->n_files;
    counts[3] = c->copied, counts[5] = c->copied_bytes;
    return NULL;
}

err *dml_clone_files(struct dml_x *x, const struct ast *s, struct scan_table *source, struct dml_result *ret) {
    static const char *const names[] = {"source_table_size", "source_num_of_files", "num_removed_files", "num_copied_files", "removed_files_size",
                                        "copied_files_size"};
    static const char *const metrics[] = {"sourceTableSize", "sourceNumOfFiles", "numRemovedFiles", "numCopiedFiles", "removedFilesSize", "copiedFilesSize"};
    struct clone c = {.x = x, .source = source, .shallow = s->op == 's', .live = map_new(), .gone = map_new(), .kept = map_new()};
    int64_t counts[6] = {0};
    if (c.shallow) {
        x->clone_of = source;
        scan_note_source(x->d->scan, x->path, source);
    }
    err *e = clone_into(&c, counts);
    map_free(c.live), map_free(c.gone), map_free(c.kept);
    TRY(e);
    parameters(x, s, source);
    for (size_t i = 0; i < ARRAY_LEN(counts); i++) dml_metric(x, metrics[i], counts[i]);
    return dml_counts(x, names, counts, 6, ret);
}
