/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal of meta.db: one row per write that somebody asked for, refused ones too.
 */
#ifndef BH_STORE_JOURNAL_H
#define BH_STORE_JOURNAL_H

#include "store/store.h"

#define JOURNAL_MAX_PAGE 1000

struct journal_row {
    int64_t seq, time;
    struct store_scope scope;
    int64_t principal;
    str request_id, client, action;
    str securable_type, securable_name;
    int64_t securable_id;
    str outcome; /* "OK" or an error's name on the wire */
};

struct journal_rows {
    struct journal_row *p;
    size_t n;
};

/* Rows of a workspace (workspace 0: those of the account alone), newest first, below before_seq
 * (0: from the newest). */
err *journal_list(store_tx *tx, struct store_scope scope, arena *a, int64_t before_seq, int limit,
                  struct journal_rows *ret) BH_CHECK;

#endif
