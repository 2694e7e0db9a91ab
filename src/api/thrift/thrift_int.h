/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the Thrift door: one call on its way through the steps of its request. */
#ifndef BH_API_THRIFT_INT_H
#define BH_API_THRIFT_INT_H

#include "rest/req.h"
#include "statements/narrow.h"
#include "statements/statement.h"
#include "thrift/gen_tcli.h"

/* TStatusCode, TOperationState, result formats, fetch orientations (reference: TCLIService.thrift). */
enum { TSTATUS_SUCCESS, TSTATUS_SUCCESS_WITH_INFO, TSTATUS_STILL_EXECUTING, TSTATUS_ERROR, TSTATUS_INVALID_HANDLE };
enum { TSTATE_INITIALIZED, TSTATE_RUNNING, TSTATE_FINISHED, TSTATE_CANCELED, TSTATE_CLOSED, TSTATE_ERROR, TSTATE_UNKNOWN, TSTATE_PENDING, TSTATE_TIMEDOUT };
enum { TFORMAT_ARROW, TFORMAT_COLUMN, TFORMAT_ROW, TFORMAT_URL };
enum { TFETCH_NEXT = 0, TFETCH_FIRST = 4 };

#define TPROTOCOL(n) (0xA500 + (n))
#define TPROTOCOL_MAX TPROTOCOL(8)

struct tcall {
    struct req *r;
    arena *a;
    struct thrift_head head;
    enum thrift_call call;
    const void *req;       /* decoded request, of the call's type */
    void *resp;            /* the call's response; NULL: the answer is made in `answer` */
    struct statement *s;   /* of this call, held */
    int protocol;          /* 1..8, of the session */
    bool fetch;            /* the answer has rows: FetchResults, or direct results */
    bool direct;           /* … inside direct results */
    int64_t row;           /* first row that is wanted */
    int64_t max_rows, max_bytes;
    int64_t next_row;      /* after the rows that were put into the answer */
    bool close_after;      /* all rows are delivered with the answer */
    str catalog;           /* that the session to open names */
    err *unknown;          /* why it cannot; between two steps */
};

/* handles.c */
void handle_write(str id, int protocol, struct t_handle_identifier *ret, arena *a);
/* "" when it is not one of ours. */
str handle_read(arena *a, const struct t_handle_identifier *h);
int handle_protocol(const struct t_handle_identifier *h);
struct t_operation_handle *operation_handle(struct tcall *x, const struct statement *s);

struct t_status *status_ok(arena *a);
struct t_status *status_of_err(arena *a, const err *e);
/* INVALID_HANDLE with a sentence. */
struct t_status *status_invalid(arena *a, const char *what);

/* results.c */
struct t_get_operation_status_resp *operation_status(struct tcall *x, const struct statement *s);
err *result_metadata(struct tcall *x, const struct statement *s, struct t_get_result_set_metadata_resp **ret) BH_CHECK;
/* Rows from x->row on; sets x->next_row. Reads the spool: not on the loop where much is to be read. */
err *result_rows(struct tcall *x, const struct statement *s, struct t_fetch_results_resp **ret) BH_CHECK;
/* Bytes that result_rows() would read. */
int64_t result_rows_size(struct tcall *x, const struct statement *s);

/* metadata.c */
/* The SQL of a metadata call and its parameters; NULL if `call` is none. */
const char *metadata_sql(enum thrift_call call, arena *a);
void metadata_params(struct tcall *x, struct engine_param **ret, size_t *ret_n);
/* By which of its parameters narrow() makes its rows few, or NULL. */
const struct narrow_by *metadata_names(enum thrift_call call);
/* TOperationType of a call. */
int metadata_operation(enum thrift_call call);
struct t_get_info_resp *metadata_info(arena *a, int info_type);

#endif
