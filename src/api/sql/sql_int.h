/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the handlers of SQL. */
#ifndef BH_API_SQL_INT_H
#define BH_API_SQL_INT_H

#include "statements/statements.h"

/* A chunk up to this size is answered from the loop. */
#define SHOW_SHORT (64 * 1024)

enum disposition { DISPOSITION_INLINE, DISPOSITION_LINKS, DISPOSITION_HYBRID };

/* What travels between the steps of one request. */
struct statement_op {
    struct statement *s;            /* held; NULL: only history knows it */
    struct history_statement past;  /* then this is it */
    bool has_past;
    size_t chunk;
};
static inline struct statement_op *statement_op(struct req *r) {
    if (!r->state) r->state = arena_new_of(r->a, struct statement_op);
    return r->state;
}

/* metadata.c: a driver's metadata statement becomes the query that answers it (true); anything else stays. */
bool metadata_query(arena *a, struct statement_ask *ask);

/* show.c. Both may be called on any thread for a held statement that is over. */
/* statement_id, status and, when it has succeeded, manifest and first chunk. */
err *show_statement(struct req *r, struct statement *s) BH_CHECK;
/* The result object of one chunk into o. */
err *show_chunk(struct req *r, struct statement *s, size_t chunk, jmut *o) BH_CHECK;
void show_past(struct req *r, const struct history_statement *h);
/* type_name of a type as typeof() writes it: "bigint" → "LONG". */
const char *show_type_name(str type);
/* type_text: "struct<Ab:int>" → "STRUCT<Ab: INT>"; names of fields stay as they are. In the arena. */
str show_type_text(arena *a, str type);
/* True if answering with this chunk reads more than SHOW_SHORT bytes. */
bool show_is_long(const struct statement *s, size_t chunk);

#endif
