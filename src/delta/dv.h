/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deletion vectors: which rows of a file are gone.
 *
 *   storage 'u'  <prefix><20 characters of Z85 = a UUID>: file <table>/[<prefix>/]deletion_vector_<uuid>.bin
 *   storage 'i'  the blob in Z85
 *   storage 'p'  an absolute path
 *
 *   file   byte 0: version 1; then per vector: u32 BE size, blob, u32 BE CRC-32 of the blob. offset: of the size
 *   blob   u32 LE magic 1681511377, then a 64-bit Roaring bitmap in its portable form: u64 LE number of buckets,
 *          each u32 LE key (the upper half of the numbers) and a 32-bit Roaring bitmap
 *
 * An older form of the blob (magic 1681511376, big-endian; dv.c) is read too.
 * Worked example: inline wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L → rows 3, 4, 7, 11, 18, 29.
 */
#ifndef BH_DELTA_DV_H
#define BH_DELTA_DV_H

#include "delta/action.h"
#include "delta/fs.h"

struct roaring64_bitmap_s;

/* Z85: 4 bytes ↔ 5 characters; lengths must fit. False on anything else. */
bool delta_z85_decode(str text, buf *out);
void delta_z85_encode(str bytes, buf *out); /* pads the last group with zero bytes */

/* Where the vector's file lies, relative to the table's root (storage u) or absolute (p). */
err *delta_dv_path(arena *a, const struct delta_dv *dv, str *ret) BH_CHECK;
/* Decodes a blob. Every length is checked; rows beyond 2^47 are refused. *ret is freed with delta_bitmap_free(). */
err *delta_dv_blob_read(str blob, struct roaring64_bitmap_s **ret) BH_CHECK;
void delta_dv_blob_write(struct roaring64_bitmap_s *rows, buf *out);
/* Loads a vector, whatever its storage; checks size, checksum and cardinality. `rows` is numRecords of the file, or -1. */
err *delta_dv_load(const struct delta_fs *fs, const struct delta_dv *dv, int64_t rows, struct roaring64_bitmap_s **ret) BH_CHECK;
/* The same for n vectors: a file that holds several of them is read once. After an error nothing of ret[] is to be freed. */
err *delta_dv_load_all(const struct delta_fs *fs, const struct delta_dv *dv, const int64_t *rows, size_t n,
                       struct roaring64_bitmap_s **ret) BH_CHECK;
/* Appends to the bytes of a vectors' file (beginning it with the version byte if it is empty); *ret has offset, size,
 * cardinality; storage and path are the caller's. */
void delta_dv_file_add(buf *file, struct roaring64_bitmap_s *rows, struct delta_dv *ret);
/* pathOrInlineDv of storage u for a UUID's 16 bytes, and the file's name. */
void delta_dv_name(arena *a, const unsigned char uuid[16], str *ret_path, str *ret_file);

struct roaring64_bitmap_s *delta_bitmap_new(void);
void delta_bitmap_free(struct roaring64_bitmap_s *b); /* NULL is fine */
void delta_bitmap_add(struct roaring64_bitmap_s *b, uint64_t row);
bool delta_bitmap_has(const struct roaring64_bitmap_s *b, uint64_t row);
uint64_t delta_bitmap_count(const struct roaring64_bitmap_s *b);
void delta_bitmap_or(struct roaring64_bitmap_s *to, const struct roaring64_bitmap_s *from);

#endif
