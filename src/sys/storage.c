/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/storage.h"

#include <errno.h>
#include <unistd.h>

err *storage_check_key(str key) {
    if (key.n == 0) return err_new(ERR_INVALID_PARAMETER_VALUE, "an object's key is empty");
    if (key.n > STORAGE_MAX_KEY)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "an object's key has %zu bytes; %u are allowed",
                       key.n, STORAGE_MAX_KEY);
    if (!str_is_utf8(key))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "an object's key is not UTF-8");
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] < 0x20 || key.p[i] == 0x7f)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "an object's key has a control character at byte %zu", i);
    str rest = key, part;
    size_t segments = 0;
    while (str_split(&rest, '/', &part)) {
        bool last = part.p + part.n == key.p + key.n;
        if (part.n == 0 && last && segments > 0) break; /* folder marker */
        if (part.n == 0 || str_eqz(part, ".") || str_eqz(part, ".."))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "key '%.*s' has an empty, '.' or '..' segment", STR_ARG(key));
        if (part.n > STORAGE_MAX_SEGMENT)
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "key '%.*s' has a segment of %zu bytes; %u are allowed", STR_ARG(key),
                           part.n, STORAGE_MAX_SEGMENT);
        if (++segments > STORAGE_MAX_SEGMENTS)
            return err_new(ERR_INVALID_PARAMETER_VALUE, "key '%.*s' has more than %u segments",
                           STR_ARG(key), STORAGE_MAX_SEGMENTS);
    }
    return NULL;
}

static err *check_upload(str key, str id) {
    if (id.n == 0 || id.n >= STORAGE_UPLOAD_ID_CAP)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "an upload id has 1..%u bytes",
                       STORAGE_UPLOAD_ID_CAP - 1);
    return storage_check_key(key);
}

err *storage_put(storage *s, str key, struct storage_source *from,
                 const struct storage_put_options *o, struct storage_info *ret) {
    must_magic(s, STORAGE_MAGIC);
    static const struct storage_put_options plain = {0};
    struct storage_info unused;
    TRY(storage_check_key(key));
    return s->ops->put(s, key, from, o ? o : &plain, ret ? ret : &unused);
}

err *storage_get(storage *s, str key, int64_t offset, int64_t length, str if_match,
                 struct storage_sink *to, struct storage_info *ret) {
    must_magic(s, STORAGE_MAGIC);
    TRY(storage_check_key(key));
    int64_t end;
    if (offset < 0 || length < -1 || __builtin_add_overflow(offset, length, &end))
        return err_new(ERR_INVALID_PARAMETER_VALUE, "a range begins or ends below zero");
    if (if_match.n >= STORAGE_ETAG_CAP)
        return err_new(ERR_PRECONDITION_FAILED, "the object's ETag is not the one asked for");
    return s->ops->get(s, key, offset, length, if_match, to, ret);
}

err *storage_head(storage *s, str key, struct storage_info *ret) {
    must_magic(s, STORAGE_MAGIC);
    TRY(storage_check_key(key));
    return s->ops->head(s, key, ret);
}

err *storage_list(storage *s, arena *a, const struct storage_list_ask *ask,
                  struct storage_list *ret) {
    must_magic(s, STORAGE_MAGIC);
    struct storage_list_ask norm = *ask;
    if (norm.max == 0) norm.max = STORAGE_MAX_PAGE;
    if (norm.max < 1 || norm.max > STORAGE_MAX_PAGE)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "a page has 1..%d entries, not %d",
                       STORAGE_MAX_PAGE, ask->max);
    if (ask->prefix.n > STORAGE_MAX_KEY || ask->start_after.n > STORAGE_MAX_KEY ||
        !str_is_utf8(ask->prefix) || !str_is_utf8(ask->start_after))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "a prefix or start key is over %u bytes or not UTF-8", STORAGE_MAX_KEY);
    if (ask->token.n > 4 * STORAGE_MAX_KEY)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "a page token of %zu bytes is not ours",
                       ask->token.n);
    return s->ops->list(s, a, &norm, ret);
}

err *storage_del(storage *s, const str *keys, size_t n) {
    must_magic(s, STORAGE_MAGIC);
    for (size_t i = 0; i < n; i++) TRY(storage_check_key(keys[i]));
    return n ? s->ops->del(s, keys, n) : NULL;
}

err *storage_copy(storage *s, str from, str to, struct storage_info *ret) {
    must_magic(s, STORAGE_MAGIC);
    struct storage_info unused;
    TRY(storage_check_key(from));
    TRY(storage_check_key(to));
    return s->ops->copy(s, from, to, ret ? ret : &unused);
}

err *storage_rename(storage *s, str from, str to) {
    must_magic(s, STORAGE_MAGIC);
    TRY(storage_check_key(from));
    TRY(storage_check_key(to));
    if (str_eq(from, to)) {
        struct storage_info unused;
        return s->ops->head(s, from, &unused);
    }
    return s->ops->rename(s, from, to);
}

err *storage_multi_create(storage *s, arena *a, str key, str *ret_id) {
    must_magic(s, STORAGE_MAGIC);
    TRY(storage_check_key(key));
    return s->ops->multi_create(s, a, key, ret_id);
}

err *storage_multi_part(storage *s, str key, str id, int number, struct storage_source *from,
                        struct storage_part *ret) {
    must_magic(s, STORAGE_MAGIC);
    TRY(check_upload(key, id));
    if (number < 1 || number > STORAGE_MAX_PARTS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "part numbers are 1..%d, not %d",
                       STORAGE_MAX_PARTS, number);
    return s->ops->multi_part(s, key, id, number, from, ret);
}

err *storage_multi_complete(storage *s, str key, str id, const struct storage_part *parts, size_t n,
                            bool if_absent, struct storage_info *ret) {
    must_magic(s, STORAGE_MAGIC);
    struct storage_info unused;
    TRY(check_upload(key, id));
    if (n == 0 || n > STORAGE_MAX_PARTS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "an upload has 1..%d parts, not %zu",
                       STORAGE_MAX_PARTS, n);
    for (size_t i = 0; i < n; i++)
        if (parts[i].number < 1 || parts[i].number > STORAGE_MAX_PARTS ||
            (i > 0 && parts[i].number <= parts[i - 1].number))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "part numbers must ascend; number %d is out of place", parts[i].number);
    return s->ops->multi_complete(s, key, id, parts, n, if_absent, ret ? ret : &unused);
}

err *storage_multi_abort(storage *s, str key, str id) {
    must_magic(s, STORAGE_MAGIC);
    TRY(check_upload(key, id));
    return s->ops->multi_abort(s, key, id);
}

void storage_free(storage *s) {
    if (!s) return;
    must_magic(s, STORAGE_MAGIC);
    s->ops->free(s);
}

/* ---- sources and sinks ---- */

static err *bytes_read(void *arg, void *p, size_t n, size_t *ret_n) {
    struct storage_bytes *b = arg;
    str now = str_cut(b->rest, n);
    if (now.n) memcpy(p, now.p, now.n);
    b->rest = str_from(b->rest, now.n);
    *ret_n = now.n;
    return NULL;
}

static err *bytes_rewind(void *arg) {
    struct storage_bytes *b = arg;
    b->rest = b->all;
    return NULL;
}

struct storage_source *storage_from_bytes(struct storage_bytes *b, str bytes) {
    b->all = b->rest = bytes;
    b->source = (struct storage_source){bytes_read, b, (int64_t)bytes.n, bytes_rewind};
    return &b->source;
}

static err *fd_read(void *arg, void *p, size_t n, size_t *ret_n) {
    struct storage_fd *f = arg;
    if (f->left >= 0 && n > (uint64_t)f->left) n = (size_t)f->left;
    ssize_t got;
    do got = n ? read(f->fd, p, n) : 0;
    while (got < 0 && errno == EINTR);
    if (got < 0) return err_errno("cannot read from descriptor %d", f->fd);
    if (f->left > 0) f->left -= got;
    *ret_n = (size_t)got;
    return NULL;
}

static err *fd_rewind(void *arg) {
    struct storage_fd *f = arg;
    if (lseek(f->fd, f->start, SEEK_SET) < 0) return err_errno("cannot go back in descriptor %d", f->fd);
    f->left = f->source.size;
    return NULL;
}

struct storage_source *storage_from_fd(struct storage_fd *f, int fd, int64_t size) {
    f->fd = fd;
    f->left = size;
    f->start = lseek(fd, 0, SEEK_CUR);
    f->source = (struct storage_source){fd_read, f, size, f->start < 0 ? NULL : fd_rewind};
    return &f->source;
}

static err *buf_write(void *arg, const void *p, size_t n) {
    buf *b = arg;
    buf_add(b, p, n);
    return b->overflow ? err_new(ERR_PAYLOAD_TOO_LARGE, "more than %zu bytes", b->max) : NULL;
}

struct storage_sink storage_to_buf(buf *b) {
    return (struct storage_sink){buf_write, b};
}

static err *fd_write(void *arg, const void *p, size_t n) {
    int fd = *(int *)arg;
    const char *at = p;
    while (n) {
        ssize_t put = write(fd, at, n);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return err_errno("cannot write to descriptor %d", fd);
        at += put;
        n -= (size_t)put;
    }
    return NULL;
}

struct storage_sink storage_to_fd(int *fd) {
    return (struct storage_sink){fd_write, fd};
}
