/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a model version's files are. Control looks at names and digests only; no byte of a model file
 * is parsed here.
 */
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/enc.h"
#include "catalog/models.h"
#include "catalog/models.h"
#include "files/blob.h"
#include "files/tree.h"
#include "mlflow/location.h"
#include "plan/import.h"
#include "serving/serving.h"
#include "sys/files.h"

#define MAX_FILES 10000

static err *no_version(str name, str version) {
    return err_new(ERR_RESOURCE_DOES_NOT_EXIST, "Model '%.*s' has no version '%.*s'.",
                   STR_ARG(str_cut(name, 300)), STR_ARG(str_cut(version, 40)));
}

/* Path and scope of a Unity Catalog version's files. */
static err *uc_root(store_tx *tx, struct store_scope scope, arena *a, str name, int64_t version,
                    str *ret) {
    str rest = name, c, s, m;
    struct store_scope acc = {scope.account, 0};
    struct ent_catalog cat;
    struct ent_schema sch;
    struct ent_uc_model mod;
    struct ent_uc_model_version v;
    bool found = str_split(&rest, '.', &c) && str_split(&rest, '.', &s) && str_split(&rest, '.', &m) &&
                 !rest.p;
    if (found) TRY(ent_catalog_by_name(tx, acc, a, c, &cat, &found));
    if (found) TRY(ent_schema_by_name(tx, acc, a, cat.id, s, &sch, &found));
    if (found) TRY(ent_uc_model_by_name(tx, acc, a, sch.id, m, &mod, &found));
    if (found) TRY(ent_uc_model_version_by_version(tx, acc, a, mod.id, version, &v, &found));
    if (!found) return no_version(name, str_of(arena_printf(a, "%lld", (long long)version)));
    if (!str_eqz(v.status, "READY"))
        return err_new(ERR_INVALID_STATE, "Version %lld of model '%.*s' is %.*s, not READY.",
                       (long long)version, STR_ARG(name), STR_ARG(v.status));
    *ret = models_storage_path(a, mod.id, version);
    return NULL;
}

static err *workspace_root(store_tx *tx, struct store_scope scope, arena *a, str name,
                           int64_t version, str *ret) {
    struct ent_registered_model m;
    struct ent_model_version v;
    bool found;
    TRY(ent_registered_model_by_name(tx, scope, a, name, &m, &found));
    if (found) TRY(ent_model_version_by_version(tx, scope, a, m.id, version, &v, &found));
    if (!found) return no_version(name, str_of(arena_printf(a, "%lld", (long long)version)));
    struct location l;
    str at = v.storage_location.n ? v.storage_location : v.source;
    if (!location_read(at, &l))
        return err_new(ERR_INVALID_STATE,
                       "Version %lld of model '%.*s' lies at '%.*s', which is not in this platform.",
                       (long long)version, STR_ARG(name), STR_ARG(str_cut(at, 300)));
    *ret = location_files(a, &l);
    return NULL;
}

/* Names and contents, so that equal models share a plan. */
static void digest_of(const struct model_files *f, char out[65]) {
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    must(md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1);
    uint32_t v = IMPORT_VERSION;
    EVP_DigestUpdate(md, &v, sizeof(v));
    for (size_t i = 0; i < f->n; i++) {
        const struct model_file *m = &f->p[i];
        /* Written anew by each log_model and of no meaning for predictions. */
        if (str_eqz(m->relative, "registered_model_meta")) continue;
        EVP_DigestUpdate(md, m->relative.p, m->relative.n);
        EVP_DigestUpdate(md, "\0", 1);
        EVP_DigestUpdate(md, m->etag.p, m->etag.n);
        EVP_DigestUpdate(md, "\n", 1);
    }
    unsigned char h[32];
    unsigned n = 0;
    EVP_DigestFinal_ex(md, h, &n);
    EVP_MD_CTX_free(md);
    for (int i = 0; i < 32; i++) snprintf(out + 2 * i, 3, "%02x", h[i]);
}

err *model_files_of(store_tx *tx, struct store_scope scope, arena *a, str name, str version,
                    struct model_files *ret) {
    int64_t number;
    if (!str_to_i64(version, &number)) return no_version(name, version);
    int dots = 0;
    for (size_t i = 0; i < name.n; i++) dots += name.p[i] == '.';
    str root;
    TRY(dots == 2 ? uc_root(tx, scope, a, name, number, &root)
                  : workspace_root(tx, scope, a, name, number, &root));
    struct tree_entry *files;
    size_t n;
    TRY(tree_walk(tx, tree_scope(root, scope), a, root, MAX_FILES, &files, &n));
    if (!n)
        return err_new(ERR_INVALID_STATE, "Version %.*s of model '%.*s' has no files.",
                       STR_ARG(version), STR_ARG(name));
    *ret = (struct model_files){.p = arena_array_of(a, struct model_file, n), .n = n};
    for (size_t i = 0; i < n; i++) {
        struct ent_file_object *o = &files[i].row;
        ret->p[i] = (struct model_file){files[i].relative, o->storage_key, o->etag, o->size};
        ret->bytes += o->size;
    }
    digest_of(ret, ret->digest);
    return NULL;
}

err *model_files_copy(struct control *c, const struct model_files *f, const char *dir) {
    TRY(files_remove_tree(dir, 100000));
    TRY(files_mkdirs(dir, 0755));
    for (size_t i = 0; i < f->n; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof(path), "%.2000s/%.*s", dir, STR_ARG(str_cut(f->p[i].relative, 2000)));
        char *slash = strrchr(path, '/');
        *slash = 0;
        TRY(files_mkdirs(path, 0755)); /* names were checked when the file was made: no "..", no links */
        *slash = '/';
        TRY(blob_copy_out(c, f->p[i].storage_key, path));
    }
    return NULL;
}
