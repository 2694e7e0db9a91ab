/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checksum of a version, `%020d.crc`: one JSON object with what a table at that version sums up to. It is carried on from commit
 * to commit by the actions alone, and compared when a snapshot is read anew.
 *
 * A version need not have one. Where a sum is not known for sure (a remove without its size, files added again without having been
 * removed), the sums are given up until a checkpoint or another's .crc gives them again.
 */
#ifndef BH_DELTA_CHECKSUM_H
#define BH_DELTA_CHECKSUM_H

#include "delta/snapshot.h"

struct delta_checksum_part;

/* What is summed up. Zeroed: nothing is known. */
struct delta_checksum {
    bool known;
    int64_t version;
    int64_t files, bytes;
    struct delta_checksum_part *parts; /* protocol, metadata, transactions, domains: JSON objects on the heap */
    size_t n, cap;
    bool txns, domains;                /* all of them are known */
    int64_t ict;                       /* -1 */
};

void delta_checksum_free(struct delta_checksum *c); /* then as zeroed */
/* The table before its first commit: version -1. */
void delta_checksum_start(struct delta_checksum *c);
/* From a .crc's text; false: it is none that can be used (c is as zeroed). */
bool delta_checksum_read(arena *a, str text, int64_t version, struct delta_checksum *c);
/* The next version's actions. */
void delta_checksum_apply(arena *a, struct delta_checksum *c, const struct delta_action *actions, size_t n);
/* The file's text. Only where c->known, and protocol and metadata are there (else empty). */
str delta_checksum_text(arena *a, const struct delta_checksum *c);
/* The same of a snapshot. */
str delta_checksum_of(arena *a, const struct delta_snapshot *s);
str delta_checksum_name(arena *a, int64_t version); /* "_delta_log/%020d.crc" */

/* DELTA_TXN_LOG_FAILED_INTEGRITY if the version's .crc is there, can be read and says something else. */
err *delta_checksum_check(const struct delta_fs *fs, const struct delta_snapshot *s) BH_CHECK;

#endif
