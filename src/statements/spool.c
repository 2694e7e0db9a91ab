/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results: files without a name in DATA/spool, so that nothing is left of them when control ends; which bytes of
 * them are which chunk; signed links.
 *
 * A file belongs to one statement while the engine writes it. It begins as SHELF_MAX_RESULT bytes of memory that
 * cannot grow (a file system takes a hundred times as long to make a nameless file); the engine asks for a file on
 * the disk when its result does not fit ("spool"), once. Small results move, two seconds after their end, into a file
 * that many share (the shelf), so that clients that never close their statements cost no descriptor.
 *
 * A link is /api/2.0/sql/results/<base64url( mac(16) || text )>, text: statement id '\n' chunk '\n' expiry us.
 * The MAC is HMAC-SHA-256 of "sql result\n" and the text under the key of signed URLs, cut to 16 bytes. It opens
 * one chunk of a statement that is still kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/enc.h"
#include "base/log.h"
#include "statements/statements_int.h"
#include "sys/clock.h"
#include "sys/files.h"

#define LINK_PREFIX "/api/2.0/sql/results/"
#define LINK_LIFE_US (15ll * 60 * 1000000)
#define MAC 16u

struct spool {
    int fd;
    unsigned refs;
    bool on_disk;
    int64_t size; /* of a shelf: where the next result goes */
};

err *spool_start(struct statements *svc) {
    buf path = {0};
    buf_fmt(&path, "%s/spool", svc->c->data_dir);
    buf_c(&path, 0);
    err *e = files_mkdirs(path.p, 0700);
    if (!e) {
        svc->spool_dir = open(path.p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (svc->spool_dir < 0) e = err_errno("cannot open %s", path.p);
    }
    buf_free(&path);
    return e;
}

/* File systems that have no nameless files get memory, which is bounded by sql.spool_limit as well. */
static int new_file(struct statements *svc) {
    int fd = openat(svc->spool_dir, ".", O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600); /* EXCL: nobody gives it a name */
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT))
        fd = memfd_create("sql result", MFD_CLOEXEC);
    return fd;
}

static struct spool *spool_of(int fd) {
    struct spool *s = calloc(1, sizeof(*s));
    must(s != NULL);
    *s = (struct spool){.fd = fd, .refs = 1};
    return s;
}

static err *spool_on_disk(struct statements *svc, struct spool **ret) {
    int fd = new_file(svc);
    if (fd < 0) return err_errno("cannot make a file for a result");
    *ret = spool_of(fd);
    (*ret)->on_disk = true;
    return NULL;
}

err *spool_open(struct spool **ret) {
    int fd = memfd_create("sql result", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return err_errno("cannot make memory for a result");
    if (ftruncate(fd, SHELF_MAX_RESULT) || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)) {
        err *e = err_errno("cannot make memory for a result");
        close(fd);
        return e;
    }
    *ret = spool_of(fd);
    return NULL;
}

int spool_fd(const struct spool *s) { return s->fd; }

bool spool_grown(const struct spool *s) { return s->on_disk; }

int64_t spool_size(const struct spool *s) {
    struct stat st;
    return fstat(s->fd, &st) == 0 ? st.st_size : 0;
}

void spool_release(struct spool *s) {
    if (!s || --s->refs) return;
    close(s->fd);
    free(s);
}

/* ---- the shelf ---- */

static bool copy_bytes(int from, int64_t at, int to, int64_t to_at, int64_t n) {
    char *p = malloc((size_t)n + 1);
    must(p != NULL);
    bool ok = pread(from, p, (size_t)n, at) == n && pwrite(to, p, (size_t)n, to_at) == n;
    free(p);
    return ok;
}

err *spool_grow(struct statements *svc, struct statement *s) {
    struct spool *file;
    TRY(spool_on_disk(svc, &file));
    if (!copy_bytes(s->spool->fd, 0, file->fd, 0, SHELF_MAX_RESULT)) {
        err *e = err_errno("cannot write the result of statement %s", s->id);
        spool_release(file);
        return e;
    }
    spool_release(s->spool);
    s->spool = file;
    return NULL;
}

void spool_shelve(struct statements *svc, struct statement *s) {
    int64_t end = 0;
    for (size_t i = 0; i < s->chunks.n; i++)
        if (s->chunks.p[i].offset + s->chunks.p[i].bytes > end)
            end = s->chunks.p[i].offset + s->chunks.p[i].bytes;
    if (!s->spool || s->spool == svc->shelf || end > SHELF_MAX_RESULT || s->holds > 1) return;
    if (svc->shelf && svc->shelf->size > SHELF_MAX) {
        spool_release(svc->shelf);
        svc->shelf = NULL;
    }
    if (!svc->shelf) {
        err *e = spool_on_disk(svc, &svc->shelf);
        if (e) {
            log_error("no shelf for results", lf_err(e));
            err_free(e);
            return;
        }
    }
    struct spool *shelf = svc->shelf;
    if (!copy_bytes(s->spool->fd, s->spool_base, shelf->fd, shelf->size, end)) return;
    spool_release(s->spool);
    s->spool = shelf;
    shelf->refs++;
    s->spool_base = shelf->size;
    shelf->size += end;
}

/* ---- chunks ---- */

ptrdiff_t statement_chunk_of(const struct statement *s, int64_t row) {
    size_t lo = 0, hi = s->chunks.n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const struct engine_chunk *k = &s->chunks.p[mid];
        if (row < k->row_offset)
            hi = mid;
        else if (row >= k->row_offset + k->rows)
            lo = mid + 1;
        else
            return (ptrdiff_t)mid;
    }
    return -1;
}

static err *need_chunk(const struct statement *s, size_t chunk) {
    if (s->spool && chunk < s->chunks.n) return NULL;
    if (!s->spool && s->rows)
        return err_new(ERR_INVALID_STATE, "The result of statement '%s' is not kept any more.", s->id);
    return err_new(ERR_INVALID_PARAMETER_VALUE, "Statement '%s' has %zu chunks; there is no chunk %zu.",
                   s->id, s->chunks.n, chunk);
}

err *statement_read(const struct statement *s, size_t chunk, arena *a, str *ret) {
    TRY(need_chunk(s, chunk));
    const struct engine_chunk *k = &s->chunks.p[chunk];
    char *p = arena_try_alloc(a, (size_t)k->bytes + 1, CHAN_MAX_PAYLOAD);
    if (!p) return err_new(ERR_RESOURCE_EXHAUSTED, "A chunk of %lld bytes is too large here.", (long long)k->bytes);
    for (int64_t n = 0; n < k->bytes;) {
        ssize_t got = pread(s->spool->fd, p + n, (size_t)(k->bytes - n), s->spool_base + k->offset + n);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return err_errno("cannot read the result of statement %s", s->id);
        n += got;
    }
    *ret = str_n(p, (size_t)k->bytes);
    return NULL;
}

err *statement_chunk_fd(const struct statement *s, size_t chunk, int *ret_fd, int64_t *ret_at,
                        int64_t *ret_n) {
    TRY(need_chunk(s, chunk));
    int fd = fcntl(s->spool->fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) return err_errno("cannot hand over the result of statement %s", s->id);
    *ret_fd = fd;
    *ret_at = s->spool_base + s->chunks.p[chunk].offset;
    *ret_n = s->chunks.p[chunk].bytes;
    return NULL;
}

/* ---- links ---- */

static void sign(struct control *c, str text, unsigned char out[32]) {
    buf b = {0};
    unsigned n = 32;
    buf_z(&b, "sql result\n");
    buf_str(&b, text);
    HMAC(EVP_sha256(), c->url_key, sizeof(c->url_key), (const unsigned char *)b.p, b.n, out, &n);
    buf_free(&b);
}

str statement_link(struct req *r, const struct statement *s, size_t chunk, int64_t *ret_expires) {
    buf text = {0}, whole = {0}, b64 = {0};
    unsigned char m[32];
    *ret_expires = clock_now() + LINK_LIFE_US;
    buf_fmt(&text, "%s\n%zu\n%lld", s->id, chunk, (long long)*ret_expires);
    sign(r->control, buf_view(&text), m);
    buf_add(&whole, m, MAC);
    buf_str(&whole, buf_view(&text));
    enc_base64url(&b64, buf_view(&whole));
    str base = req_base_url(r);
    str out = str_of(arena_printf(r->a, "%.*s" LINK_PREFIX "%.*s", STR_ARG(base), STR_ARG(buf_view(&b64))));
    buf_free(&text);
    buf_free(&whole);
    buf_free(&b64);
    return out;
}

err *statement_of_link(struct req *r, str token, struct statement **ret, size_t *ret_chunk,
                       bool *ret_expired) {
    buf raw = {0};
    bool ok = token.n < 1024 && enc_unbase64(&raw, token) && raw.n > MAC;
    if (ok) {
        unsigned char m[32];
        sign(r->control, str_from(buf_view(&raw), MAC), m);
        ok = str_eq_secret(str_n((char *)m, MAC), str_cut(buf_view(&raw), MAC));
    }
    str rest = ok ? str_from(arena_str(r->a, buf_view(&raw)), MAC) : STR_NONE;
    buf_free(&raw);
    str id, chunk;
    uint64_t n;
    int64_t until;
    if (!ok || !str_split(&rest, '\n', &id) || !str_split(&rest, '\n', &chunk) || !str_to_u64(chunk, &n) ||
        !str_to_i64(rest, &until))
        return err_new(ERR_PERMISSION_DENIED, "This link is not one of ours.");
    *ret_expired = until <= clock_now();
    *ret_chunk = (size_t)n;
    struct statement *s = map_get(statements_of(r->control)->statements, id);
    if (!s && !*ret_expired)
        return err_new(ERR_NOT_FOUND, "The result of statement '%.*s' is not kept any more.", STR_ARG(id));
    *ret = s;
    if (s) statement_hold_for(r, s);
    return NULL;
}
