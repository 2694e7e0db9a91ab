/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listing a local store in the byte order of keys, as S3 does.
 *
 * A directory's entries are ordered by what their keys look like: a file is its name, a directory
 * its name and a slash. So "a!" comes before "a/…" and the object "a" before both, though it may
 * lie in the directory "a" (rule 2 of storage_local.c). Walking the entries in this order, and
 * directories in depth, gives keys in order.
 *
 * A page costs one pass over each directory on the way, and memory for at most a page of names per
 * level: of more entries only the smallest are kept, and the directory is read again if they were
 * not enough (which happens only where many directories are empty).
 *
 * A page token is "k" + the last key, or "p" + the last rolled up entry, which is skipped whole.
 */
#include "sys/storage_local_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/vec.h"

struct name {
    char *text; /* as in the key; a directory's ends in a slash */
    bool self;  /* the object in the directory of the same name */
};
typedef vec_of(struct name) names;

struct walk {
    struct storage_local *l;
    arena *a;
    struct storage_list *out;
    vec_of(struct storage_entry) found;
    str prefix, after;
    bool delimiter, after_is_prefix;
    size_t want; /* one more than the page, to know whether there is a next */
};

static int name_order(const void *x, const void *y) {
    const struct name *a = x, *b = y;
    return strcmp(a->text, b->text);
}

static void names_cut(names *v, size_t keep) {
    if (v->n) qsort(v->p, v->n, sizeof(*v->p), name_order);
    while (v->n > keep) free(v->p[--v->n].text);
}

static void names_free(names *v) {
    for (size_t i = 0; i < v->n; i++) free(v->p[i].text);
    vec_free(v);
}

static void names_add(names *v, const char *name, bool dir, bool self) {
    struct name n = {.self = self};
    if (strncmp(name, LOCAL_ESCAPE, 3) == 0) name += 3;
    must(asprintf(&n.text, "%s%s", name, dir ? "/" : "") >= 0);
    vec_push(v, n);
}

/* What kind of thing an entry is: 'f', 'd' or 0 for what is none of ours. */
static char kind_of(int fd, const struct dirent *d) {
    if (d->d_type == DT_REG) return 'f';
    if (d->d_type == DT_DIR) return 'd';
    if (d->d_type != DT_UNKNOWN) return 0;
    struct stat st;
    if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) return 0;
    return S_ISREG(st.st_mode) ? 'f' : S_ISDIR(st.st_mode) ? 'd' : 0;
}

static void names_of_entry(int fd, const struct dirent *d, names *v) {
    bool reserved = strncmp(d->d_name, LOCAL_RESERVED, 2) == 0;
    char kind = kind_of(fd, d);
    if (!kind || strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) return;
    if (reserved && strncmp(d->d_name, LOCAL_ESCAPE ".~", 5) != 0) {
        if (kind == 'f' && strcmp(d->d_name, LOCAL_FOLDER) == 0) {
            struct name folder = {.text = strdup("")};
            must(folder.text != NULL);
            vec_push(v, folder);
        }
        return;
    }
    names_add(v, d->d_name, kind == 'd', false);
    if (kind != 'd') return;
    char self[256 + sizeof(LOCAL_SELF) + 1];
    snprintf(self, sizeof(self), "%s/%s", d->d_name, LOCAL_SELF);
    struct stat st;
    if (fstatat(fd, self, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        names_add(v, d->d_name, false, true);
}

/* The `limit` smallest names after `from` (or equal to it, with `inclusive`; NULL: all) of a
 * directory, ordered. The folder marker is the empty name. *cut: there are more. */
static err *scan(int dir, const char *from, bool inclusive, size_t limit, names *v, bool *cut) {
    int fd = local_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0) close(fd);
        return err_errno("cannot read a storage directory");
    }
    *cut = false;
    struct dirent *entry;
    while ((entry = readdir(d))) { /* NOLINT(concurrency-mt-unsafe): the stream is ours alone */
        size_t before = v->n;
        names_of_entry(fd, entry, v);
        for (size_t i = v->n; from && i > before; i--)
            if (strcmp(v->p[i - 1].text, from) < (inclusive ? 0 : 1)) {
                free(v->p[i - 1].text);
                vec_remove_swap(v, i - 1);
            }
        if (v->n >= 2 * limit + 16) {
            names_cut(v, limit);
            *cut = true;
        }
    }
    closedir(d);
    if (v->n > limit) *cut = true;
    names_cut(v, limit);
    return NULL;
}

/* May a key that begins with `base` be wanted? */
static bool wanted_below(const struct walk *w, str base) {
    if (!str_starts(base, w->prefix) && !str_starts(w->prefix, base)) return false;
    if (w->after.n == 0) return true;
    if (w->after_is_prefix && str_starts(base, w->after)) return false;
    return str_cmp(base, w->after) > 0 || str_starts(w->after, base);
}

static bool wanted(const struct walk *w, str key) {
    if (!str_starts(key, w->prefix)) return false;
    if (w->after.n == 0) return true;
    if (w->after_is_prefix && str_starts(key, w->after)) return false;
    return str_cmp(key, w->after) > 0;
}

static void emit_file(struct walk *w, int dir, const char *base, const struct name *n) {
    struct storage_entry e = {.key = str_of(arena_printf(w->a, "%s%s", base, n->text))};
    char file[256 + sizeof(LOCAL_SELF) + 1];
    if (n->text[0])
        local_name(str_of(n->text), file);
    else
        snprintf(file, sizeof(file), "%s", LOCAL_FOLDER);
    size_t at = strlen(file);
    if (n->self) snprintf(file + at, sizeof(file) - at, "/%s", LOCAL_SELF);
    struct stat st;
    if (fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode)) return;
    struct storage_info info;
    local_info(-1, &st, &info);
    e.size = info.size;
    e.mtime = info.mtime;
    e.etag = arena_strdup(w->a, info.etag);
    vec_push(&w->found, e);
}

static err *walk_dir(struct walk *w, int dir, const char *base, unsigned depth, bool probe,
                     bool *ret_any);

/* A directory entry: rolled up, or gone into. Depth is bounded by STORAGE_MAX_SEGMENTS. */
static err *enter(struct walk *w, int dir, const char *base, const char *text, unsigned depth,
                  bool probe, bool *ret_any) {
    char *full = NULL, name[256];
    must(asprintf(&full, "%s%s", base, text) >= 0);
    err *e = NULL;
    int inner = -1;
    if (depth >= STORAGE_MAX_SEGMENTS || !wanted_below(w, str_of(full))) goto out;
    local_name(str_n(text, strlen(text) - 1), name);
    inner = local_openat(dir, name, O_RDONLY | O_DIRECTORY, 0);
    if (inner < 0) goto out; /* removed meanwhile */
    bool roll =
        !probe && w->delimiter && str_starts(str_of(full), w->prefix) && strlen(full) > w->prefix.n;
    if (!roll) {
        e = walk_dir(w, inner, full, depth + 1, probe, ret_any);
    } else {
        bool any = false;
        e = walk_dir(w, inner, full, depth + 1, true, &any);
        if (!e && any) {
            struct storage_entry entry = {
                .key = str_of(arena_strdup(w->a, full)), .prefix = true, .etag = ""};
            vec_push(&w->found, entry);
        }
    }
out:
    if (inner >= 0) close(inner);
    free(full);
    return e;
}

/* Emits what is wanted below `dir`, whose keys begin with `base`; with `probe` only finds out
 * whether there is anything. */
static err *walk_dir(struct walk *w, int dir, const char *base, unsigned depth, bool probe,
                     bool *ret_any) {
    char *from = NULL;
    bool inclusive = false, cut = true;
    err *e = NULL;
    if (w->after.n > strlen(base) && str_starts(w->after, str_of(base))) {
        /* What sorts before the place of `after` is done; if that lies deeper, "name/" is not. */
        str rest = str_from(w->after, strlen(base));
        ptrdiff_t slash = str_chr(rest, '/', 0);
        inclusive = slash >= 0;
        must((from = strndup(rest.p, slash < 0 ? rest.n : (size_t)slash + 1)) != NULL);
    }
    while (!e && cut && !(probe ? *ret_any : w->found.n >= w->want)) {
        names v = {0};
        e = scan(dir, from, inclusive, probe ? 64 : w->want, &v, &cut);
        for (size_t i = 0; !e && i < v.n && !(probe ? *ret_any : w->found.n >= w->want); i++) {
            size_t n = strlen(v.p[i].text);
            if (n && v.p[i].text[n - 1] == '/') {
                e = enter(w, dir, base, v.p[i].text, depth, probe, ret_any);
                continue;
            }
            char *key = NULL;
            must(asprintf(&key, "%s%s", base, v.p[i].text) >= 0);
            if (wanted(w, str_of(key))) {
                *ret_any = true;
                if (!probe) emit_file(w, dir, base, &v.p[i]);
            }
            free(key);
        }
        if (v.n) {
            free(from);
            must((from = strdup(v.p[v.n - 1].text)) != NULL);
            inclusive = false;
        }
        names_free(&v);
    }
    free(from);
    return e;
}

err *local_list(storage *s, arena *a, const struct storage_list_ask *ask,
                struct storage_list *ret) {
    struct walk w = {.l = local_of(s),
                     .a = a,
                     .prefix = ask->prefix,
                     .after = ask->start_after,
                     .delimiter = ask->delimiter,
                     .want = (size_t)ask->max + 1};
    if (ask->token.n) {
        if (ask->token.p[0] != 'k' && ask->token.p[0] != 'p')
            return err_new(ERR_INVALID_PARAMETER_VALUE, "the page token is not one of ours");
        w.after = str_from(ask->token, 1);
        w.after_is_prefix = ask->token.p[0] == 'p';
    }
    /* Down to the directory that the prefix names, if it names one: nothing else can match. */
    char *base = NULL;
    const char *slash = ask->prefix.n ? memrchr(ask->prefix.p, '/', ask->prefix.n) : NULL;
    str dir_key = slash ? str_n(ask->prefix.p, (size_t)(slash - ask->prefix.p) + 1) : STR("");
    *ret = (struct storage_list){0};
    err *bad = dir_key.n ? storage_check_key(dir_key) : NULL;
    if (bad) { /* no object can have such a key */
        err_free(bad);
        return NULL;
    }
    char path[LOCAL_PATH_CAP], name[256];
    local_path(dir_key, path, name);
    int dir = local_openat(w.l->root, path, O_RDONLY | O_DIRECTORY, 0);
    if (dir < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return NULL;
        return local_errno("list", ask->prefix);
    }
    must((base = strndup(dir_key.n ? dir_key.p : "", dir_key.n)) != NULL);
    bool any = false;
    err *e = walk_dir(&w, dir, base, 0, false, &any);
    close(dir);
    free(base);
    if (!e) {
        bool more = w.found.n > (size_t)ask->max;
        ret->n = more ? (size_t)ask->max : w.found.n;
        ret->entries = arena_array_of(a, struct storage_entry, ret->n + 1);
        if (ret->n) memcpy(ret->entries, w.found.p, ret->n * sizeof(*ret->entries));
        if (more) {
            const struct storage_entry *end = &ret->entries[ret->n - 1];
            ret->next =
                str_of(arena_printf(a, "%c%.*s", end->prefix ? 'p' : 'k', STR_ARG(end->key)));
        }
    }
    vec_free(&w.found);
    return e;
}
