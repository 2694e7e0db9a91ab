/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of chunks into the spool: as they are, or as one LZ4 frame.
 *
 * A chunk is never copied whole. It is compressed block by block into a buffer of a few blocks that stays in the
 * processor's cache and is written each time it holds BLOCK bytes; without LZ4 only small pieces go through the buffer.
 * Where the client leaves it to us, a first chunk that LZ4 makes less than 2 % smaller ends it for the whole result.
 * What a failed chunk left behind r->written is overwritten by nobody and told to nobody: the statement fails.
 */
#include <errno.h>
#include <unistd.h>

#include "engine/worker/result_int.h"

#define BLOCK (1u << 20)
#define SMALL (64u << 10)

/* ---- the spool ---- */

static err *write_all(struct result_int *r, const char *p, size_t n) {
    if (r->o.spool >= 0 && r->o.spool_room && r->out_at + (int64_t)n > r->o.spool_room) {
        TRY(r->o.on_full(r->o.arg, &r->o.spool));
        r->o.spool_room = 0;
    }
    for (int64_t at = r->out_at; r->o.spool >= 0 && n;) {
        ssize_t k = pwrite(r->o.spool, p, n < BLOCK ? n : BLOCK, at);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0)
            return err_hint(err_errno("the result cannot be kept"), "Free some disk, or ask for less.");
        p += k;
        n -= (size_t)k;
        at += k;
        r->out_at = at;
    }
    r->out_at += (int64_t)n; /* nothing is kept: it is counted */
    return NULL;
}

static err *flush(struct result_int *r) {
    if (r->out.overflow) return err_new(ERR_RESOURCE_EXHAUSTED, "no memory for a block of the result");
    str all = buf_view(&r->out);
    buf_clear(&r->out);
    return all.n ? write_all(r, all.p, all.n) : NULL;
}

static err *put_plain(struct result_int *r, str piece) {
    if (piece.n < SMALL) {
        buf_str(&r->out, piece);
        return r->out.n >= BLOCK ? flush(r) : NULL;
    }
    TRY(flush(r));
    return write_all(r, piece.p, piece.n);
}

/* ---- LZ4 ---- */

static err *lz4_error(size_t rc) { return err_new(ERR_INTERNAL_ERROR, "LZ4: %s", LZ4F_getErrorName(rc)); }

static err *pack(struct result_int *r, str piece, const LZ4F_preferences_t *how) {
    for (str s = piece; s.n; s = str_from(s, BLOCK)) {
        str block = str_cut(s, BLOCK);
        size_t most = LZ4F_compressBound(block.n, how);
        char *to = buf_reserve(&r->out, most);
        if (!to) return err_new(ERR_RESOURCE_EXHAUSTED, "no memory for a block of the result");
        size_t k = LZ4F_compressUpdate(r->packer, to, most, block.p, block.n, NULL);
        if (LZ4F_isError(k)) return lz4_error(k);
        r->out.n += k;
        if (r->out.n >= BLOCK) TRY(flush(r));
    }
    return NULL;
}

static err *put_packed(struct result_int *r, const str *pieces, size_t n, size_t raw) {
    /* Blocks by themselves: Java's reader of LZ4 frames knows no others. */
    LZ4F_preferences_t how = {.frameInfo = {.contentSize = raw, .blockSizeID = LZ4F_max1MB, .blockMode = LZ4F_blockIndependent}, .autoFlush = 1};
    char frame[LZ4F_HEADER_SIZE_MAX];
    if (!r->packer) {
        size_t rc = LZ4F_createCompressionContext(&r->packer, LZ4F_VERSION);
        if (LZ4F_isError(rc)) return lz4_error(rc);
    }
    size_t k = LZ4F_compressBegin(r->packer, frame, sizeof(frame), &how);
    if (LZ4F_isError(k)) return lz4_error(k);
    buf_add(&r->out, frame, k);
    for (size_t i = 0; i < n; i++) TRY(pack(r, pieces[i], &how));
    k = LZ4F_compressEnd(r->packer, frame, sizeof(frame), NULL);
    if (LZ4F_isError(k)) return lz4_error(k);
    buf_add(&r->out, frame, k);
    return NULL;
}

static err *put_all(struct result_int *r, const str *pieces, size_t n, size_t raw, bool packed) {
    buf_clear(&r->out);
    r->out.max = 4 * BLOCK; /* with it, no memory is an error of the statement */
    r->out_at = r->written;
    if (packed)
        TRY(put_packed(r, pieces, n, raw));
    else
        for (size_t i = 0; i < n; i++) TRY(put_plain(r, pieces[i]));
    return flush(r);
}

err *result_put(struct result_int *r, const str *pieces, size_t n, int64_t *ret) {
    bool packed = r->o.lz4 && r->o.format == RESULT_ARROW && !r->plain;
    size_t raw = 0;
    for (size_t i = 0; i < n; i++) raw += pieces[i].n;
    TRY(put_all(r, pieces, n, raw, packed));
    if (packed && r->o.lz4_if_smaller && !r->row_offset && raw >= BLOCK && (size_t)r->out_at > raw - raw / 50) {
        r->plain = true;
        TRY(put_all(r, pieces, n, raw, false)); /* over the frame, which nobody was told of */
    }
    *ret = r->out_at - r->written;
    return NULL;
}

void result_put_end(struct result_int *r) {
    LZ4F_freeCompressionContext(r->packer); /* NULL is fine */
    r->packer = NULL;
    buf_free(&r->out);
}
