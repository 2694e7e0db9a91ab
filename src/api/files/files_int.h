/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the handlers of files. */
#ifndef BH_API_FILES_INT_H
#define BH_API_FILES_INT_H

#include "catalog/stores.h"
#include "files/blob.h"
#include "files/sign.h"
#include "files/tree.h"

/* What travels between the steps of one request. */
struct file_op {
    str path;  /* as it is kept */
    str shown; /* as the client wrote it: for answers and messages */
    bool outside;          /* of an external volume in a store: path is its URL, no row knows of it … */
    struct store_at at;    /* … and it lies here */
    struct store_scope scope;
    struct ent_file_object row; /* downloads */
    struct blob_put *put;       /* uploads */
    int64_t principal;
    bool overwrite;
    struct signed_url url;      /* signed ones */
    /* multipart */
    struct ent_upload upload;
    str *part_keys;
    size_t n_parts;
    char key[80], etag[80];
    err *failed; /* why the parts could not be joined */
    int64_t size;
    str bytes;
};

/* access.c: may the caller read or write this path? Needs r->tx (meta.db). The file itself need not
 * exist. NOT_FOUND where he may not know of what is above it. */
err *files_access(struct req *r, str path, bool write) BH_CHECK;
/* The path argument, checked and with its scope; access is asked. */
err *files_path(struct req *r, const char *arg_name, bool write, struct file_op *op) BH_CHECK;
/* The same for handlers that know files outside (op->outside). */
err *files_place(struct req *r, const char *arg_name, bool write, struct file_op *op) BH_CHECK;
/* op->path is an s3:// URL: opens its store. Needs r->tx. */
err *files_go_outside(struct req *r, struct file_op *op) BH_CHECK;
/* Errors of the tree name the path as it is kept; this says it as the client wrote it. Takes e, NULL for NULL. */
err *files_as_shown(struct req *r, const struct file_op *op, err *e) BH_CHECK;
/* The canonical path of "<exp>/<run>/artifacts/…" or "<exp>/models/<id>/artifacts/…" (plain MLflow);
 * false where it is of another form. */
bool files_artifact_path(arena *a, str artifact, str *ret);
/* The op in r->state, made on first use. */
struct file_op *files_op(struct req *r);
/* Deletes the blob after this write has committed. */
void files_drop_later(struct req *r, str key);
/* Sets what get_open needs and answers HEAD and conditional requests by itself. */
err *files_serve(struct req *r, struct file_op *op) BH_CHECK;
err *files_find(struct req *r, struct file_op *op) BH_CHECK;
/* Writes the row of op->put (or of op->key) under op->path. */
err *files_store(struct req *r, struct file_op *op, bool overwrite) BH_CHECK;

#endif
