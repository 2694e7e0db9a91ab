/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The XML that S3 stores answer with, through expat, as a flat sequence: every element that holds
 * text is handed over with the path of names above it. Document types are refused (no entities of
 * their making), depth and text are bounded; namespaces are ignored.
 */
#ifndef BH_SYS_S3_XML_H
#define BH_SYS_S3_XML_H

#include "base/arena.h"
#include "base/err.h"

#define S3_XML_MAX_DEPTH 16
#define S3_XML_MAX_TEXT 16384u

/* Called at the end of each element. path: names joined by slashes, the root's first. */
typedef void s3_xml_fn(void *arg, const char *path, str text);

/* MALFORMED_REQUEST with the line where the text is not such XML. */
err *s3_xml_parse(str text, s3_xml_fn *fn, void *arg) BH_CHECK;

struct s3_xml_entry {
    str key;
    bool prefix;
    int64_t size, mtime;
    str etag;
};

struct s3_xml_list {
    struct s3_xml_entry *entries;
    size_t n;
    str next;
    bool truncated;
};

/* ListBucketResult; keys are decoded if the store encoded them. Entries as they come: objects, then
 * common prefixes. */
err *s3_xml_list(arena *a, str text, struct s3_xml_list *ret) BH_CHECK;

/* Everything else that is answered: whatever of it is there. */
struct s3_xml_answer {
    char root[64];
    char code[64], message[512]; /* of <Error>, or of the first <Error> of a DeleteResult */
    char etag[128];
    char upload_id[1024];
    char key[1025];
};
err *s3_xml_answer(str text, struct s3_xml_answer *ret) BH_CHECK;

/* An ETag without its quotes. */
str s3_unquote(str etag);

#endif
