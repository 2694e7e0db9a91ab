/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of managed volumes (remote.h): which there are, control says; their bytes come from it too, as a descriptor or as a
 * grant for the courier.
 *
 * A statement that may read in a volume has a ticket: whom to ask, and with whose rights. Every file has a place here for each
 * content that it had, dir.volumes/<id of the content>/Volumes/…, so what lies at a place never changes, and nobody can take the
 * bytes of one content for those of another. The place is a file of the right size and time, without the bytes:
 *
 *   - blobs on control's disk: reads go to the descriptor of the blob, which is asked for by the first of them and closed with the
 *     last who has the file open. Nothing is copied.
 *   - blobs in an object store: the place fills itself as other copies do; the grant is for this one blob.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/vec.h"
#include "delta/action.h"
#include "engine/worker/remote_int.h"

#define ID_HEX 32u
#define MAX_LISTED 1000000u

struct ticket {
    uint64_t statement;
    char *root;       /* /Volumes/<catalog>/<schema>/<volume> */
    char *rights;     /* the catalog whose mark says with whose rights; or empty */
    remote_ask ask;
    void *arg;
    int users;
    bool over;
};

/* Why a place could not be read: DuckDB tells of it by an errno alone. */
struct failure {
    char *place;
    err *why;
};

static struct {
    char *dir;        /* without a slash at its end */
    size_t dir_n;
    pthread_mutex_t lock; /* guards tickets */
    pthread_cond_t idle;  /* a ticket has no users any more */
    vec_of(struct ticket *) tickets;
    struct failure failures[16]; /* the last */
    unsigned next_failure;
    atomic_bool in_store; /* blobs are in an object store: so it was told once, and so it stays */
} volumes = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};

void remote_volume_dir(const char *copies) {
    size_t n = strlen(copies) + 16;
    volumes.dir = malloc(n);
    must(volumes.dir != NULL);
    volumes.dir_n = (size_t)snprintf(volumes.dir, n, "%s.volumes", copies);
}

/* ---- names ---- */

bool remote_is_volume(str path) { return str_starts(path, STR("/Volumes/")); }

bool remote_is_file(str path) {
    return volumes.dir_n && path.n >= volumes.dir_n + 1 + ID_HEX && path.p[volumes.dir_n] == '/' && memcmp(path.p, volumes.dir, volumes.dir_n) == 0;
}

size_t remote_file_prefix(void) { return volumes.dir_n + 1 + ID_HEX; }

str remote_shown(str path) { return remote_is_file(path) ? str_from(path, remote_file_prefix()) : path; }

static str id_of(str place) { return str_n(place.p + volumes.dir_n + 1, ID_HEX); }

static bool is_id(str id) {
    for (size_t i = 0; i < id.n; i++)
        if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'f'))) return false;
    return id.n == ID_HEX;
}

/* ---- tickets ---- */

void remote_volume_open(uint64_t statement, str root, str rights, remote_ask ask, void *arg) {
    struct ticket *t = calloc(1, sizeof(*t));
    must(t != NULL);
    *t = (struct ticket){.statement = statement, .root = str_dup(root), .rights = str_dup(rights), .ask = ask, .arg = arg};
    must(t->root != NULL && t->rights != NULL);
    pthread_mutex_lock(&volumes.lock);
    vec_push(&volumes.tickets, t);
    pthread_mutex_unlock(&volumes.lock);
}

static void ticket_free(struct ticket *t) {
    free(t->root);
    free(t->rights);
    free(t);
}

void remote_volume_end(uint64_t statement) {
    pthread_mutex_lock(&volumes.lock);
    for (size_t i = volumes.tickets.n; i-- > 0;) {
        struct ticket *t = volumes.tickets.p[i];
        if (t->statement != statement) continue;
        memmove(&volumes.tickets.p[i], &volumes.tickets.p[i + 1], (volumes.tickets.n - i - 1) * sizeof(t));
        volumes.tickets.n--;
        t->over = true;
        while (t->users) pthread_cond_wait(&volumes.idle, &volumes.lock);
        ticket_free(t);
        if (i > volumes.tickets.n) i = volumes.tickets.n; /* others may have ended meanwhile */
    }
    pthread_mutex_unlock(&volumes.lock);
}

/* The youngest that is for the path; held until let_go(). */
static struct ticket *ticket_of(str path) {
    struct ticket *best = NULL;
    pthread_mutex_lock(&volumes.lock);
    for (size_t i = volumes.tickets.n; !best && i-- > 0;) {
        struct ticket *t = volumes.tickets.p[i];
        size_t n = strlen(t->root);
        if (str_starts(path, str_n(t->root, n)) && (path.n == n || path.p[n] == '/')) best = t;
    }
    if (best) best->users++;
    pthread_mutex_unlock(&volumes.lock);
    return best;
}

static void let_go(struct ticket *t) {
    pthread_mutex_lock(&volumes.lock);
    if (--t->users == 0 && t->over) pthread_cond_broadcast(&volumes.idle);
    pthread_mutex_unlock(&volumes.lock);
}

static err *no_ticket(str path) {
    return err_new(ERR_PERMISSION_DENIED, "the statement was granted nothing at %.*s", STR_ARG(path));
}

/* A question about the path; more: a further field of it. */
static err *ask_about(struct ticket *t, arena *a, const char *op, str path, const char *field, str value, jval **ret, int *ret_fd) {
    buf j = {0};
    buf_z(&j, "{\"path\":");
    buf_json_str(&j, path);
    if (value.n) {
        buf_fmt(&j, ",\"%s\":", field);
        buf_json_str(&j, value);
    }
    if (t->rights[0]) {
        buf_z(&j, ",\"catalog\":");
        buf_json_str(&j, str_of(t->rights));
        buf_z(&j, ",\"schema\":\"default\"");
    }
    buf_c(&j, '}');
    err *e = t->ask(t->arg, a, str_of(op), buf_view(&j), ret, ret_fd);
    buf_free(&j);
    return e;
}

/* ---- which files there are ---- */

typedef vec_of(struct remote_entry) entries;

static err *read_page(arena *a, jval *page, entries *all) {
    jval *v;
    size_t i, n;
    yyjson_arr_foreach(json_get(page, "files"), i, n, v) {
        struct remote_entry x = {.path = json_str(yyjson_arr_get(v, 0)), .etag = json_str(yyjson_arr_get(v, 3))};
        if (!remote_is_volume(x.path) || !is_id(x.etag) || !json_i64(yyjson_arr_get(v, 1), &x.size) || !json_i64(yyjson_arr_get(v, 2), &x.mtime_us))
            return err_new(ERR_INTERNAL_ERROR, "a list of files is damaged");
        vec_push(all, x);
    }
    (void)a;
    return NULL;
}

static err *list_with(struct ticket *t, arena *a, str path, entries *all, bool *ret_file) {
    str after = STR("");
    for (;;) {
        jval *page;
        TRY(ask_about(t, a, "files", path, "after", after, &page, NULL));
        TRY(read_page(a, page, all));
        if (all->n > MAX_LISTED) return err_new(ERR_RESOURCE_EXHAUSTED, "%.*s has more than %u files", STR_ARG(path), MAX_LISTED);
        *ret_file = yyjson_is_true(json_get(page, "file"));
        after = json_get_str(page, "next");
        if (!after.n) return NULL;
    }
}

err *remote_volume_list(arena *a, str path, struct remote_entry **ret, size_t *ret_n, bool *ret_file) {
    entries all = {0};
    struct ticket *t = ticket_of(path);
    err *e = t ? list_with(t, a, path, &all, ret_file) : no_ticket(path);
    if (t) let_go(t);
    *ret = arena_array_of(a, struct remote_entry, all.n + 1);
    if (all.n) memcpy(*ret, all.p, all.n * sizeof(*all.p));
    *ret_n = all.n;
    vec_free(&all);
    return e;
}

err *remote_volume_declare(arena *a, const struct remote_entry *x, str *ret) {
    if (!is_id(x->etag) || !remote_is_volume(x->path)) return err_new(ERR_INTERNAL_ERROR, "a file of a volume has no place");
    *ret = str_of(arena_printf(a, "%s/%.*s%.*s", volumes.dir, STR_ARG(x->etag), STR_ARG(x->path)));
    return remote_table_put(*ret, x->size, x->mtime_us, x->etag, false);
}

/* ---- their bytes ---- */

bool remote_volumes_in_store(void) { return volumes.in_store; }

static void note_failure(str place, err *e) {
    pthread_mutex_lock(&volumes.lock);
    struct failure *f = &volumes.failures[volumes.next_failure++ % ARRAY_LEN(volumes.failures)];
    free(f->place);
    err_free(f->why);
    *f = (struct failure){str_dup(place), e};
    must(f->place != NULL);
    pthread_mutex_unlock(&volumes.lock);
}

static err *same_error(err_code code, str message, str detail) {
    err *e = err_new(code, "%.*s", STR_ARG(message));
    return detail.n ? err_detail(e, "%.*s", STR_ARG(detail)) : e;
}

/* What was noted of the place that a message names; NULL: nothing. */
static err *noted(str message) {
    err *found = NULL;
    pthread_mutex_lock(&volumes.lock);
    for (size_t i = 0; i < ARRAY_LEN(volumes.failures) && !found; i++) {
        const struct failure *f = &volumes.failures[i];
        if (f->place && str_find(message, str_of(f->place)) >= 0)
            found = same_error(err_code_of(f->why), str_of(err_msg(f->why)), str_of(err_detail_of(f->why)));
    }
    pthread_mutex_unlock(&volumes.lock);
    return found;
}

void remote_volume_lost(str place, const err *e) {
    err *known = noted(place);
    if (known && err_code_of(e) == ERR_PERMISSION_DENIED) { /* told better when it was asked for */
        err_free(known);
        return;
    }
    err_free(known);
    str shown = remote_shown(place);
    note_failure(place, err_code_of(e) == ERR_NOT_FOUND ? delta_error("FAILED_READ_FILE.FILE_NOT_EXIST", "The file dbfs:%.*s cannot be read: it was replaced "
                                                                      "or removed while the statement read it.", STR_ARG(shown))
                                                        : err_new(err_code_of(e), "dbfs:%.*s: %s", STR_ARG(shown), err_msg(e)));
}

/* Places as people know them. */
static str plain(arena *a, str text) {
    buf b = {0};
    str dir = str_n(volumes.dir, volumes.dir_n);
    for (ptrdiff_t at; (at = str_find(text, dir)) >= 0 && text.n > (size_t)at + remote_file_prefix();) {
        buf_str(&b, str_cut(text, (size_t)at));
        buf_z(&b, "dbfs:");
        text = str_from(text, (size_t)at + remote_file_prefix());
    }
    buf_str(&b, text);
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

err *remote_explain(err *e) {
    str message = str_of(err_msg(e));
    if (!e || !volumes.dir_n || str_find(message, str_n(volumes.dir, volumes.dir_n)) < 0) return e;
    err *why = noted(message);
    if (!why) {
        arena *a = arena_new();
        why = same_error(err_code_of(e), plain(a, message), plain(a, str_of(err_detail_of(e))));
        arena_free(a);
    }
    err_free(e);
    return why;
}

bool remote_volume_source(str place, int *ret_fd) {
    struct ticket *t = ticket_of(remote_shown(place));
    *ret_fd = -1;
    if (!t) {
        note_failure(place, no_ticket(remote_shown(place)));
        return false;
    }
    arena *a = arena_new();
    jval *o;
    int fd = -1;
    err *e = ask_about(t, a, "open_file", remote_shown(place), "id", id_of(place), &o, &fd);
    str key = e ? STR("") : json_get_str(o, "key"), grant = e ? STR("") : json_get_str(o, "grant");
    if (!e && fd < 0 && !key.n) e = err_new(ERR_INTERNAL_ERROR, "a file of a volume came without its bytes");
    if (!e && fd < 0) {
        volumes.in_store = true;
        remote_grant_file(t->statement, place, key, grant);
    }
    *ret_fd = fd;
    let_go(t);
    arena_free(a);
    if (e) log_warn("a file of a volume cannot be read", lf_str("path", remote_shown(place)), lf_err(e));
    if (e) note_failure(place, e);
    return !e;
}

/* ---- as a store, for Delta's logs ---- */

static str path_of(arena *a, str key) { return str_of(arena_printf(a, "/%.*s", STR_ARG(key))); }

static void put_info(const struct remote_entry *x, struct storage_info *ret) {
    *ret = (struct storage_info){.size = x->size, .mtime = x->mtime_us};
    memcpy(ret->etag, x->etag.p, x->etag.n);
}

static err *one_file(arena *a, str path, struct remote_entry *ret) {
    struct remote_entry *all;
    size_t n;
    bool file;
    TRY(remote_volume_list(a, path, &all, &n, &file));
    if (!file || n != 1) return err_new(ERR_NOT_FOUND, "dbfs:%.*s does not exist", STR_ARG(path));
    *ret = all[0];
    return NULL;
}

static err *front_head(storage *s, str key, struct storage_info *ret) {
    (void)s;
    struct remote_entry x;
    arena *a = arena_new();
    err *e = one_file(a, path_of(a, key), &x);
    if (!e) put_info(&x, ret);
    arena_free(a);
    return e;
}

static err *read_all(const char *place, int64_t from, int64_t to, struct storage_sink *sink) {
    int fd = open(place, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return err_errno("%s", place);
    char piece[1 << 16];
    err *e = NULL;
    while (!e && from < to) {
        ssize_t got = pread(fd, piece, to - from < (int64_t)sizeof(piece) ? (size_t)(to - from) : sizeof(piece), from);
        if (got <= 0) e = got < 0 ? err_errno("%s", place) : err_new(ERR_DATA_LOSS, "%s ends early", place);
        if (!e) e = sink->write(sink->arg, piece, (size_t)got);
        from += got > 0 ? got : 0;
    }
    close(fd);
    return e;
}

static err *front_get(storage *s, str key, int64_t offset, int64_t length, str if_match, struct storage_sink *to, struct storage_info *ret) {
    (void)s;
    (void)if_match;
    struct remote_entry x;
    str place;
    arena *a = arena_new();
    err *e = one_file(a, path_of(a, key), &x);
    if (!e) e = remote_volume_declare(a, &x, &place);
    if (!e) {
        put_info(&x, ret);
        int64_t end = length < 0 || offset + length > x.size ? x.size : offset + length;
        e = read_all(place.p, offset, end, to);
    }
    arena_free(a);
    return e;
}

/* One page: with a delimiter what lies deeper is left out. */
static err *front_list(storage *s, arena *a, const struct storage_list_ask *ask, struct storage_list *ret) {
    (void)s;
    struct remote_entry *all;
    size_t n;
    bool file;
    str folder = path_of(a, ask->prefix);
    while (folder.n > 1 && folder.p[folder.n - 1] == '/') folder.n--;
    *ret = (struct storage_list){.next = STR("")};
    TRY(remote_volume_list(a, folder, &all, &n, &file));
    ret->entries = arena_array_of(a, struct storage_entry, n + 1);
    for (size_t i = 0; i < n && !file; i++) {
        str key = str_from(all[i].path, 1);
        if (!str_starts(key, ask->prefix) || str_cmp(key, ask->start_after) <= 0) continue;
        if (ask->delimiter && str_chr(str_from(key, ask->prefix.n), '/', 0) >= 0) continue;
        ret->entries[ret->n++] = (struct storage_entry){.key = key, .size = all[i].size, .mtime = all[i].mtime_us, .etag = arena_strndup(a, all[i].etag.p, all[i].etag.n)};
    }
    return NULL;
}

static const struct storage_ops front_ops = {.name = "volumes", .get = front_get, .head = front_head, .list = front_list};
static storage front = {STORAGE_MAGIC, &front_ops};

storage *remote_volume_storage(void) { return &front; }
