/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/dv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <roaring/roaring.h>

#include "base/map.h"

#define DV_MAGIC 1681511377u
#define DV_MAGIC_OLD 1681511376u
#define MAX_BLOB (1024u * 1024u * 1024u)

/* ---- Z85 ---- */

static const char z85[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

bool delta_z85_decode(str text, buf *out) {
    if (text.n % 5) return false;
    for (size_t i = 0; i < text.n; i += 5) {
        uint64_t v = 0;
        for (size_t j = 0; j < 5; j++) {
            const char *at = text.p[i + j] ? memchr(z85, text.p[i + j], 85) : NULL;
            if (!at) return false;
            v = v * 85 + (uint64_t)(at - z85);
        }
        if (v > UINT32_MAX) return false;
        unsigned char b[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v};
        buf_add(out, b, 4);
    }
    return true;
}

void delta_z85_encode(str bytes, buf *out) {
    for (size_t i = 0; i < bytes.n; i += 4) {
        uint32_t v = 0;
        for (size_t j = 0; j < 4; j++) v = v << 8 | (i + j < bytes.n ? (unsigned char)bytes.p[i + j] : 0);
        char c[5];
        for (int j = 4; j >= 0; j--) c[j] = z85[v % 85], v /= 85;
        buf_add(out, c, 5);
    }
}

/* ---- names ---- */

void delta_dv_name(arena *a, const unsigned char u[16], str *ret_path, str *ret_file) {
    buf b = {0};
    delta_z85_encode(str_n((const char *)u, 16), &b);
    *ret_path = arena_str(a, buf_view(&b));
    buf_free(&b);
    *ret_file = str_of(arena_printf(a, "deletion_vector_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x.bin", u[0],
                                    u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]));
}

static err *bad_descriptor(const struct delta_dv *dv) {
    return delta_error("DELTA_LOG_FILE_MALFORMED", "The deletion vector descriptor '%c%.*s' cannot be understood.", dv->storage,
                       STR_ARG(dv->path));
}

err *delta_dv_path(arena *a, const struct delta_dv *dv, str *ret) {
    if (dv->storage == 'p') {
        str plain = dv->path;
        if (str_starts(plain, STR("file:"))) {
            plain = str_from(plain, 5);
            while (plain.n > 1 && plain.p[0] == '/' && plain.p[1] == '/') plain = str_from(plain, 1);
        }
        *ret = plain;
        return NULL;
    }
    if (dv->storage != 'u' || dv->path.n < 20) return bad_descriptor(dv);
    str prefix = str_cut(dv->path, dv->path.n - 20);
    if (str_chr(prefix, '/', 0) >= 0 || str_chr(prefix, '.', 0) >= 0) return bad_descriptor(dv);
    buf b = {0};
    if (!delta_z85_decode(str_from(dv->path, prefix.n), &b) || b.n != 16) {
        buf_free(&b);
        return bad_descriptor(dv);
    }
    str ignored, file;
    delta_dv_name(a, (const unsigned char *)b.p, &ignored, &file);
    buf_free(&b);
    *ret = prefix.n ? str_of(arena_printf(a, "%.*s/%.*s", STR_ARG(prefix), STR_ARG(file))) : file;
    return NULL;
}

/* ---- blobs ---- */

static uint32_t le32(const char *p) {
    const unsigned char *u = (const unsigned char *)p;
    return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}
static uint32_t be32(const char *p) { return __builtin_bswap32(le32(p)); }
static uint64_t le64(const char *p) { return (uint64_t)le32(p) | (uint64_t)le32(p + 4) << 32; }

static err *bad_blob(void) {
    return delta_error("DELTA_DELETION_VECTOR_INVALID_ROW_INDEX", "A deletion vector's bitmap is malformed.");
}

/* A checked 32-bit bitmap at the front of *rest, taken off. NULL: malformed. */
static roaring_bitmap_t *take_bitmap(str *rest) {
    size_t n = roaring_bitmap_portable_deserialize_size(rest->p, rest->n);
    roaring_bitmap_t *one = n ? roaring_bitmap_portable_deserialize_safe(rest->p, rest->n) : NULL;
    const char *why = NULL;
    if (one && !roaring_bitmap_internal_validate(one, &why)) {
        roaring_bitmap_free(one);
        return NULL;
    }
    *rest = str_from(*rest, n);
    return one;
}

/* The older form, which the specification's example has: u32 BE magic 1681511376, u32 BE number of bitmaps, per bitmap
 * u32 BE size and a 32-bit bitmap; bitmap i holds the rows whose upper half is i. */
static err *read_old(str blob, roaring64_bitmap_t **ret) {
    uint32_t n = be32(blob.p + 4);
    str rest = str_from(blob, 8);
    roaring64_bitmap_t *all = delta_bitmap_new();
    for (uint32_t i = 0; i < n; i++) {
        uint32_t size = rest.n >= 4 ? be32(rest.p) : UINT32_MAX;
        str part = str_n(rest.p ? rest.p + 4 : NULL, size);
        roaring_bitmap_t *one = i <= 0x7fff && rest.n >= 4 && size <= rest.n - 4 ? take_bitmap(&part) : NULL;
        if (!one) {
            delta_bitmap_free(all);
            return bad_blob();
        }
        roaring_uint32_iterator_t it;
        for (roaring_iterator_init(one, &it); it.has_value; roaring_uint32_iterator_advance(&it))
            roaring64_bitmap_add(all, (uint64_t)i << 32 | it.current_value);
        roaring_bitmap_free(one);
        rest = str_from(rest, 4 + (size_t)size);
    }
    *ret = all;
    return NULL;
}

err *delta_dv_blob_read(str blob, roaring64_bitmap_t **ret) {
    if (blob.n >= 8 && be32(blob.p) == DV_MAGIC_OLD) return read_old(blob, ret);
    if (blob.n < 12 || le32(blob.p) != DV_MAGIC) return bad_blob();
    /* Keys must rise and stay below 2^15 (rows below 2^47): checked before the library sees them. Each bucket is read
     * by the checking reader of 32-bit bitmaps, and handed over whole. */
    uint64_t buckets = le64(blob.p + 4);
    str rest = str_from(blob, 12);
    int64_t last = -1;
    for (uint64_t i = 0; i < buckets; i++) {
        if (rest.n < 8) return bad_blob();
        uint32_t key = le32(rest.p);
        if ((int64_t)key <= last || key > 0x7fff) return bad_blob();
        last = key;
        rest = str_from(rest, 4);
        roaring_bitmap_t *one = take_bitmap(&rest);
        if (!one) return bad_blob();
        roaring_bitmap_free(one);
    }
    *ret = roaring64_bitmap_portable_deserialize_safe(blob.p + 4, blob.n - 4);
    return *ret ? NULL : bad_blob();
}

void delta_dv_blob_write(roaring64_bitmap_t *rows, buf *out) {
    roaring64_bitmap_run_optimize(rows);
    size_t n = roaring64_bitmap_portable_size_in_bytes(rows);
    buf_u32(out, DV_MAGIC);
    char *p = buf_reserve(out, n);
    if (!p) return;
    out->n += roaring64_bitmap_portable_serialize(rows, p);
}

void delta_dv_file_add(buf *file, roaring64_bitmap_t *rows, struct delta_dv *ret) {
    if (!file->n) buf_u8(file, 1);
    ret->offset = (int64_t)file->n;
    ret->cardinality = (int64_t)roaring64_bitmap_get_cardinality(rows);
    buf blob = {0};
    delta_dv_blob_write(rows, &blob);
    ret->size = (int64_t)blob.n;
    uint32_t size = __builtin_bswap32((uint32_t)blob.n);
    uint32_t crc = __builtin_bswap32((uint32_t)crc32(0, (const unsigned char *)blob.p, (unsigned)blob.n));
    buf_add(file, &size, 4);
    buf_str(file, buf_view(&blob));
    buf_add(file, &crc, 4);
    buf_free(&blob);
}

static err *blob_of_file(str file, const struct delta_dv *dv, str *ret) {
    uint64_t at = dv->offset < 0 ? 1 : (uint64_t)dv->offset;
    if (file.n < 1 || file.p[0] != 1 || at + 8 > file.n || at + 8 + (uint64_t)dv->size > file.n)
        return delta_error("DELTA_DELETION_VECTOR_SIZE_MISMATCH", "A deletion vector has another size than the log says.");
    if (be32(file.p + at) != (uint64_t)dv->size)
        return delta_error("DELTA_DELETION_VECTOR_SIZE_MISMATCH", "A deletion vector has another size than the log says.");
    *ret = str_n(file.p + at + 4, (size_t)dv->size);
    if (be32(ret->p + ret->n) != (uint32_t)crc32(0, (const unsigned char *)ret->p, (unsigned)ret->n))
        return delta_error("DELTA_DELETION_VECTOR_CHECKSUM_MISMATCH", "A deletion vector's bytes do not have their checksum.");
    return NULL;
}

/* Many vectors lie in one file: each file is read once. */
struct dv_files {
    arena *a;
    map *text;      /* path → str */
};

static err *file_of(struct dv_files *f, const struct delta_fs *fs, const struct delta_dv *dv, str *ret) {
    str path;
    TRY(delta_dv_path(f->a, dv, &path));
    str *have = map_get(f->text, path);
    if (have) {
        *ret = *have;
        return NULL;
    }
    struct delta_fs root = dv->storage == 'p' ? delta_fs_dir(f->a, STR("")) : *fs;
    err *e = delta_fs_read(&root, f->a, dv->storage == 'p' ? str_from(path, 1) : path, ret);
    if (err_code_of(e) == ERR_NOT_FOUND) {
        err_free(e);
        return delta_error("DELTA_FILE_NOT_FOUND", "The deletion vector file %.*s does not exist.", STR_ARG(path));
    }
    if (e) return e;
    have = arena_new_of(f->a, str);
    *have = *ret;
    map_put(f->text, path, have);
    return NULL;
}

static err *check_bitmap(const roaring64_bitmap_t *b, const struct delta_dv *dv, int64_t rows) {
    if ((int64_t)roaring64_bitmap_get_cardinality(b) != dv->cardinality)
        return delta_error("DELTA_DELETION_VECTOR_CARDINALITY_MISMATCH",
                           "A deletion vector marks another number of rows than the log says.");
    if (rows >= 0 && dv->cardinality && (int64_t)roaring64_bitmap_maximum(b) >= rows)
        return delta_error("DELTA_DELETION_VECTOR_INVALID_ROW_INDEX", "A deletion vector marks a row that its file does not "
                                                                      "have.");
    return NULL;
}

static err *load_in(struct dv_files *f, const struct delta_fs *fs, const struct delta_dv *dv, int64_t rows, roaring64_bitmap_t **ret) {
    str blob;
    buf inl = {0};
    if (dv->size < 0 || dv->size > MAX_BLOB) return bad_descriptor(dv);
    if (dv->storage == 'i') {
        bool ok = delta_z85_decode(dv->path, &inl) && inl.n >= (size_t)dv->size;
        blob = arena_str(f->a, str_cut(buf_view(&inl), (size_t)dv->size));
        buf_free(&inl);
        if (!ok) return bad_descriptor(dv);
    } else {
        str file;
        TRY(file_of(f, fs, dv, &file));
        TRY(blob_of_file(file, dv, &blob));
    }
    TRY(delta_dv_blob_read(blob, ret));
    err *e = check_bitmap(*ret, dv, rows);
    if (!e) return NULL;
    delta_bitmap_free(*ret);
    *ret = NULL;
    return e;
}

err *delta_dv_load_all(const struct delta_fs *fs, const struct delta_dv *dv, const int64_t *rows, size_t n, roaring64_bitmap_t **ret) {
    struct dv_files f = {arena_new(), map_new()};
    err *e = NULL;
    for (size_t i = 0; i < n; i++) ret[i] = NULL;
    for (size_t i = 0; !e && i < n; i++) e = load_in(&f, fs, &dv[i], rows[i], &ret[i]);
    for (size_t i = 0; e && i < n; i++) {
        delta_bitmap_free(ret[i]);
        ret[i] = NULL;
    }
    map_free(f.text);
    arena_free(f.a);
    return e;
}

err *delta_dv_load(const struct delta_fs *fs, const struct delta_dv *dv, int64_t rows, roaring64_bitmap_t **ret) {
    return delta_dv_load_all(fs, dv, &rows, 1, ret);
}

roaring64_bitmap_t *delta_bitmap_new(void) {
    roaring64_bitmap_t *b = roaring64_bitmap_create();
    must(b);
    return b;
}
void delta_bitmap_free(roaring64_bitmap_t *b) {
    if (b) roaring64_bitmap_free(b);
}
void delta_bitmap_add(roaring64_bitmap_t *b, uint64_t row) { roaring64_bitmap_add(b, row); }
bool delta_bitmap_has(const roaring64_bitmap_t *b, uint64_t row) { return roaring64_bitmap_contains(b, row); }
uint64_t delta_bitmap_count(const roaring64_bitmap_t *b) { return roaring64_bitmap_get_cardinality(b); }
void delta_bitmap_or(roaring64_bitmap_t *to, const roaring64_bitmap_t *from) { roaring64_bitmap_or_inplace(to, from); }
