/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TBinaryProtocol (strict), for structures that tables describe.
 *
 * A message
 *   i32  0x8001 in the upper half, the kind below: 1 call, 2 reply, 3 exception, 4 oneway
 *   str  the call's name (i32 length, bytes)
 *   i32  sequence number, given back in the reply
 *   a structure: of a call its field 1 is the request, of a reply its field 0 is the response
 * A structure is a list of fields, ended by a zero byte: i8 type, i16 id, value. Numbers are
 * big-endian. type  2 bool, 3 i8, 4 double, 6 i16, 8 i32, 10 i64, 11 text or bytes, 12 structure,
 * 13 map, 14 set, 15 list map   i8 key type, i8 value type, i32 count, pairs;   list, set  i8 type,
 * i32 count, values
 *
 * The decoder skips fields that it does not know and fields of another type than described. What a
 * length or count claims is compared with the bytes that are left before anything is allocated;
 * structures nest at most THRIFT_MAX_DEPTH deep, and lists take at most THRIFT_MAX_LISTS. Texts
 * point into the message.
 */
#ifndef BH_THRIFT_THRIFT_H
#define BH_THRIFT_THRIFT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define THRIFT_MAX_DEPTH 24
/* Bytes of memory for all lists and maps of one message. */
#define THRIFT_MAX_LISTS (256u * 1024u * 1024u)

enum thrift_kind {
    TF_BOOL = 1,
    TF_I8,
    TF_I16,
    TF_I32,
    TF_I64,
    TF_DOUBLE,
    TF_STR,
    TF_STRUCT,
    TF_LIST,
    TF_MAP,
    TF_RAW /* a list that is encoded already; written only */
};
enum thrift_message { THRIFT_CALL = 1, THRIFT_REPLY, THRIFT_EXCEPTION, THRIFT_ONEWAY };

struct thrift_pair {
    str key, value;
};

struct thrift_struct;

struct thrift_field {
    int16_t id;
    const char *name;
    uint8_t kind, elem;              /* enum thrift_kind; of lists and maps: of their values */
    size_t at;                       /* offset in the C struct */
    uint8_t bit;                     /* of `has`, the struct's first member */
    const struct thrift_struct *sub; /* structures, and lists and maps of them */
    size_t size;                     /* of an element in memory */
};

struct thrift_struct {
    const char *name;
    const struct thrift_field *fields;
    size_t n, size;
    bool is_union;
};

struct thrift_head {
    enum thrift_message kind;
    str name;
    int32_t seq;
};

/* The head of a message and where its structure begins. MALFORMED_REQUEST says what is wrong. */
err *thrift_read_head(str message, struct thrift_head *ret, size_t *ret_at) BH_CHECK;
/* The structure inside field `id` (1 of a call, 0 of a reply) at `at`, into the zeroed C struct
 * `ret`. */
err *thrift_read_wrapped(arena *a, str message, size_t at, int16_t id,
                         const struct thrift_struct *desc, void *ret) BH_CHECK;
/* A bare structure; *at is moved behind it. */
err *thrift_read(arena *a, str bytes, size_t *at, const struct thrift_struct *desc,
                 void *ret) BH_CHECK;

/* Appends head and wrapped structure. What is not set by its pointer or `has` bit is left out; so a
 * number counts only with its bit. */
void thrift_write_message(const struct thrift_head *head, int16_t id,
                          const struct thrift_struct *desc, const void *value, buf *out);
void thrift_write(const struct thrift_struct *desc, const void *value, buf *out);
/* A TApplicationException: kind 1 unknown method, 7 protocol error … */
void thrift_write_exception(const struct thrift_head *head, int32_t kind, str text, buf *out);

#endif
