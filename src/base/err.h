/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors are values. A function that can fail returns `err *`: NULL is success, anything else is
 * owned by the caller, who passes it on, turns it into an answer, or frees it with err_free().
 * The code's row in tables/errors.json gives the HTTP status and the name on the wire.
 *
 *   message  what was wrong, with which value        (shown to the user)
 *   detail   more, for the log and the curious       (shown to the user, optional)
 *   hint     the way out                             (shown to the user, optional)
 *   context  "while …" added on the way up           (log only)
 *   origin   file, line and function of the fault    (log only)
 */
#ifndef BH_BASE_ERR_H
#define BH_BASE_ERR_H

#include "base/assert.h"
#include "base/buf.h"
#include "base/gen_errors.h"
#include "base/str.h"

typedef enum err_code {
    ERR_OK = 0,
#define X(name, status, doc) ERR_##name,
    ERR_CODES(X)
#undef X
        ERR_CODE_COUNT
} err_code;

typedef struct err err;

/* A new error. The message is formatted; its text is copied. Never NULL. */
#define err_new(code, ...) err_make((code), __FILE__, __LINE__, __func__, __VA_ARGS__)
err *err_make(err_code code, const char *file, int line, const char *func, const char *fmt, ...)
    BH_PRINTF(5, 6) BH_CHECK;
/* The same from errno: "<formatted>: No such file or directory". Code IO_ERROR. */
#define err_errno(...) err_make_errno(__FILE__, __LINE__, __func__, __VA_ARGS__)
err *err_make_errno(const char *file, int line, const char *func, const char *fmt, ...)
    BH_PRINTF(4, 5) BH_CHECK;

/* Each returns e, so that `return err_hint(err_new(…), "…")` reads well. NULL stays NULL. */
err *err_detail(err *e, const char *fmt, ...) BH_PRINTF(2, 3);
err *err_hint(err *e, const char *fmt, ...) BH_PRINTF(2, 3);
/* Adds "while <formatted>"; for the log. */
err *err_while(err *e, const char *fmt, ...) BH_PRINTF(2, 3);
/* Changes the code, keeps everything else. */
err *err_recode(err *e, err_code code);

void err_free(err *e);

err_code err_code_of(const err *e); /* ERR_OK for NULL */
const char *err_msg(const err *e);
const char *err_detail_of(const err *e); /* NULL when absent */
const char *err_hint_of(const err *e);
/* errno at the origin, 0 if none. */
int err_errno_of(const err *e);
/* One line for the log: code, message, contexts, origin. */
void err_describe(const err *e, buf *out);

int err_status(err_code code);        /* HTTP status */
const char *err_name(err_code code);  /* name on the wire */
const char *err_doc(err_code code);
/* Code by its name on the wire; ERR_OK if unknown. */
err_code err_by_name(str name);

/* The only place where an error becomes an API body: {"error_code","message","details"?}. */
void err_to_json(const err *e, buf *out);

/* Hands the error to the caller's frame when there is one. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        err *try_e_ = (expr);                                                                      \
        if (try_e_) return try_e_;                                                                 \
    } while (0)

#endif
