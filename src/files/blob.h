/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs: the bytes of files and artifacts. A blob is written once under a random key and never
 * changed; a row of meta.db (entity file_object) gives it a path. So an overwrite is a new blob and
 * one row, atomic by the row's commit; a blob that no row names is swept.
 *
 * Two backs: a local directory (DATA/storage), whose temporary files control opens and the gateway
 * fills; and S3, behind the courier, with a socket pair between gateway and courier. The steps of a
 * route call the functions below in this order; each does nothing where its back has no such step:
 *
 *   upload    blob_put_open (LOOP) → LANE_TAKE → blob_put_sync (WORK) → blob_put_confirm (LOOP,
 *             may park) → the handler's own write, which stores blob->key
 *   download  blob_get_open (LOOP, may park) sets the answer's descriptor
 *
 * A request that ends before its row is written throws its blob away.
 */
#ifndef BH_FILES_BLOB_H
#define BH_FILES_BLOB_H

#include "rest/control.h"
#include "sys/storage.h"

struct blobs;
struct waiting;

/* Opens storage.root; key prefix of all blobs is "blobs/". Sweeps temporary files. */
err *blobs_open(struct control *c) BH_CHECK;
void blobs_close(struct control *c);
/* A channel to the courier was brokered. */
void blobs_on_courier(struct control *c, int fd);
/* Removes blobs; for worker threads. Keys that are not there are fine. */
err *blob_remove(struct control *c, char *const *keys, size_t n) BH_CHECK;
/* Control's end of that channel, for other orders than of blobs. Lives as long as the blobs. */
struct courier_client *blobs_courier(struct control *c);

/* What a request carries while it writes a blob (in r->state or beside it). */
struct blob_put {
    struct blobs *b;
    struct req *r;
    char key[80];
    int64_t size;
    char etag[80];
    void *temp;       /* local: storage_temp */
    struct waiting *waiting; /* courier: the order under way */
    err *failed;      /* courier: it failed before it was confirmed */
    bool committed;   /* the row is written: keep it */
    bool done;        /* the bytes are an object */
    bool outside;     /* in a store of its own: no row, and nothing to take back */
};

/* Makes the place for a new blob, sets r->take. max: more is refused (-1: the setting). */
err *blob_put_open(struct req *r, int64_t announced, struct blob_put **ret) BH_CHECK;
/* The same into a store of its own (ipc/courier_client.h; place empty: storage.root's): the object `key` itself, replaced when
 * the body is confirmed; if_absent: ALREADY_EXISTS instead. */
err *blob_put_open_at(struct req *r, int64_t announced, str place, str key, bool if_absent, struct blob_put **ret) BH_CHECK;
err *blob_put_sync(struct req *r, struct blob_put *p) BH_CHECK;
err *blob_put_confirm(struct req *r, struct blob_put *p) BH_CHECK;
/* Called in the write step, after the row: the blob stays. */
void blob_put_keep(struct blob_put *p);

/* Answers with length bytes of a blob from offset on. */
err *blob_get_open(struct req *r, str key, int64_t offset, int64_t length, int status) BH_CHECK;

/* … of an object in a store of its own. */
err *blob_get_open_at(struct req *r, str place, str key, int64_t offset, int64_t length, int status) BH_CHECK;

/* Small blobs without a client behind them; blocking, worker threads only; local back, or through
 * the courier and a wait. */
err *blob_write(struct control *c, str bytes, char key_out[80]) BH_CHECK;
err *blob_read(struct control *c, str key, size_t max, buf *out) BH_CHECK;
/* length bytes from offset on. */
err *blob_read_range(struct control *c, str key, int64_t offset, int64_t length, buf *out) BH_CHECK;
/* Are blobs files of this machine's disk (else in an object store)? Any thread. */
bool blobs_on_disk(const struct control *c);
/* A descriptor to read one from, where they are; the caller closes it. NOT_FOUND. Any thread. */
err *blob_open(struct control *c, str key, int *ret_fd) BH_CHECK;
/* Copies a blob into a new file on the local disk (importing a model). Worker threads only. */
err *blob_copy_out(struct control *c, str key, const char *path) BH_CHECK;
/* Joins blobs into one new blob; worker threads only. */
err *blob_join(struct control *c, const str *keys, size_t n, char key_out[80], int64_t *ret_size,
               char etag_out[80]) BH_CHECK;
/* After the answer: no row names these any more. Any thread. */
void blob_drop(struct control *c, str key);

#endif
