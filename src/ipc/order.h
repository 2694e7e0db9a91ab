/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Orders to the courier: what control asks of object storage, as one JSON text that is signed.
 *
 *   {"verb":"get","key":"w1/x","offset":"0","length":"-1","if_match":"…","expires":"1795…"}
 *
 * The token is HMAC-SHA256 over "boathouse order 1\n", the verb, "\n" and exactly this text, under
 * a key that control draws and gives to the courier as the first frame of their channel. The
 * courier acts on the text that it verified, so there is no second reading of it; a token is good
 * for one verb, path and set of limits until it expires. Fields that a verb does not use are
 * absent.
 *
 * Outcomes are JSON texts too:
 *   put, head, copy, complete   {"size","mtime","etag","sha256"?}
 *   get                         the same as soon as the store answered; then {"sent"} at the end
 *   list                        {"entries":[{"key","size","mtime","etag"} |
 * {"key","prefix":true}],"next"} create                      {"upload_id"};   part
 * {"number","etag"};   delete, abort, place, engine, session, ended  {};   index, when it is over  {"requests","bytes"}
 */
#ifndef BH_IPC_ORDER_H
#define BH_IPC_ORDER_H

#include "base/json.h"
#include "sys/storage.h"

#define ORDER_KEY_SIZE 32u
#define ORDER_MAX_KEYS 1000u
#define ORDER_MAX_JSON (4u * 1024u * 1024u)

enum order_verb {
    ORDER_PUT,
    ORDER_GET,
    ORDER_HEAD,
    ORDER_LIST,
    ORDER_DELETE,
    ORDER_COPY,
    ORDER_CREATE,
    ORDER_PART,
    ORDER_COMPLETE,
    ORDER_ABORT,
    ORDER_INDEX, /* of the package index, see courier/index.h; fd is a listener */
    ORDER_PLACE, /* key names a store from now on; fd is a memfd with how it is reached (JSON) */
    ORDER_ENGINE, /* fd is a channel to an engine, whose orders carry grants instead of signatures */
    ORDER_SESSION, /* session credentials: key is a role or "-", to the policy; fd gets them as JSON */
    ORDER_ENDED,  /* grants of the statement whose number is key are over */
    ORDER_VERB_COUNT
};

struct order {
    enum order_verb verb;
    int64_t expires;            /* UTC microseconds */
    str place;                  /* which store; empty: that of storage.root */
    str key;                    /* put get head copy create part complete abort */
    str to;                     /* copy: the new key */
    int64_t offset, length;     /* get; length -1: to the end */
    str if_match;               /* get */
    int64_t size;               /* put, part: announced size, or -1 */
    int64_t max_size;           /* put, part: more is refused; 0: no limit of ours */
    bool if_absent;             /* put, complete */
    str upload_id;              /* part complete abort */
    int number;                 /* part */
    struct storage_part *parts; /* complete */
    size_t n_parts;
    str *keys; /* delete */
    size_t n_keys;
    struct storage_list_ask list;
};

const char *order_verb_name(enum order_verb v);

/* Appends the JSON text. */
void order_write(const struct order *o, buf *out);
/* The reverse; memory is the arena's or the text's. MALFORMED_REQUEST names the field. */
err *order_read(arena *a, str verb, str json, struct order *ret) BH_CHECK;

/* Appends the token, 43 characters. */
void order_sign(const unsigned char key[ORDER_KEY_SIZE], str verb, str json, buf *out);
/* PERMISSION_DENIED unless the token is right; the time is checked by order_check_time(). */
err *order_verify(const unsigned char key[ORDER_KEY_SIZE], str verb, str json, str token) BH_CHECK;
err *order_check_time(const struct order *o, int64_t now) BH_CHECK;

/*
 * Grants: what an engine may order for one statement. Control writes and seals them, the engine only hands them on:
 *
 *   hex({"place":…,"prefix":…,"write":…,"statement":"…","expires":"…"}) "." base64url(HMAC-SHA256)
 *
 * A grant is good for keys at its prefix and below it; writing never reaches a _delta_log, which is the committer's.
 */
struct order_grant {
    str place;
    str prefix;       /* of keys, without a slash at its end; empty: the whole store */
    bool write;
    uint64_t statement;
    int64_t expires;  /* UTC microseconds */
};

void order_grant_write(const unsigned char key[ORDER_KEY_SIZE], const struct order_grant *g, buf *out);
/* PERMISSION_DENIED unless control sealed it; memory is the arena's. Time is not looked at. */
err *order_grant_read(arena *a, const unsigned char key[ORDER_KEY_SIZE], str token, struct order_grant *ret) BH_CHECK;
/* PERMISSION_DENIED unless the grant allows this order now. */
err *order_grant_check(const struct order_grant *g, const struct order *o, int64_t now) BH_CHECK;

/* Outcomes. */
void order_write_info(const struct storage_info *i, buf *out);
bool order_read_info(jval *v, struct storage_info *ret);
void order_write_list(const struct storage_list *l, buf *out);
bool order_read_list(arena *a, jval *v, struct storage_list *ret);

#endif
