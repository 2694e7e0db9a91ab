/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mend.h"

#define ERR_MAGIC 0xe4404001u

struct err {
    uint32_t magic;
    err_code code;
    char *msg, *detail, *hint, *context;
    const char *file, *func;
    int line, os;
};

static const struct {
    const char *name, *doc;
    int status;
} rows[ERR_CODE_COUNT] = {
    [ERR_OK] = {"OK", "success", 200},
#define X(n, s, d) [ERR_##n] = {#n, d, s},
    ERR_CODES(X)
#undef X
};

static char *format(const char *fmt, va_list ap) {
    char *p = NULL;
    int n = vasprintf(&p, fmt, ap);
    must(n >= 0);
    p[mend_utf8(p, (size_t)n)] = 0; /* it quotes what users wrote, cut after some bytes; answers are UTF-8 */
    return p;
}

static err *make(err_code code, const char *file, int line, const char *func, const char *fmt,
                 va_list ap) {
    err *e = calloc(1, sizeof(*e));
    must(e != NULL);
    e->magic = ERR_MAGIC;
    e->code = code;
    e->msg = format(fmt, ap);
    e->file = file;
    e->line = line;
    e->func = func;
    return e;
}

err *err_make(err_code code, const char *file, int line, const char *func, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    err *e = make(code, file, line, func, fmt, ap);
    va_end(ap);
    return e;
}

err *err_make_errno(const char *file, int line, const char *func, const char *fmt, ...) {
    int os = errno;
    va_list ap;
    va_start(ap, fmt);
    err *e = make(ERR_IO_ERROR, file, line, func, fmt, ap);
    va_end(ap);
    char text[128];
    const char *why = strerror_r(os, text, sizeof(text));
    char *whole = NULL;
    must(asprintf(&whole, "%s: %s", e->msg, why) >= 0);
    free(e->msg);
    e->msg = whole;
    e->os = os;
    return e;
}

#define SET_FIELD(field)                                                                           \
    if (!e) return NULL;                                                                           \
    must_magic(e, ERR_MAGIC);                                                                      \
    va_list ap;                                                                                    \
    va_start(ap, fmt);                                                                             \
    free(e->field);                                                                                \
    e->field = format(fmt, ap);                                                                    \
    va_end(ap);                                                                                    \
    return e

err *err_detail(err *e, const char *fmt, ...) { SET_FIELD(detail); }
err *err_hint(err *e, const char *fmt, ...) { SET_FIELD(hint); }

err *err_while(err *e, const char *fmt, ...) {
    if (!e) return NULL;
    must_magic(e, ERR_MAGIC);
    va_list ap;
    va_start(ap, fmt);
    char *more = format(fmt, ap), *whole = NULL;
    va_end(ap);
    must(asprintf(&whole, "%s%swhile %s", e->context ? e->context : "", e->context ? ", " : "",
                  more) >= 0);
    free(more);
    free(e->context);
    e->context = whole;
    return e;
}

err *err_recode(err *e, err_code code) {
    if (e) e->code = code;
    return e;
}

void err_free(err *e) {
    if (!e) return;
    must_magic(e, ERR_MAGIC);
    e->magic = 0;
    free(e->msg);
    free(e->detail);
    free(e->hint);
    free(e->context);
    free(e);
}

err_code err_code_of(const err *e) { return e ? e->code : ERR_OK; }
const char *err_msg(const err *e) { return e ? e->msg : ""; }
const char *err_detail_of(const err *e) { return e ? e->detail : NULL; }
const char *err_hint_of(const err *e) { return e ? e->hint : NULL; }
int err_errno_of(const err *e) { return e ? e->os : 0; }

void err_describe(const err *e, buf *out) {
    if (!e) return;
    buf_fmt(out, "%s: %s", err_name(e->code), e->msg);
    if (e->detail) buf_fmt(out, " [%s]", e->detail);
    if (e->context) buf_fmt(out, " (%s)", e->context);
    buf_fmt(out, " at %s:%d %s", e->file, e->line, e->func);
}

int err_status(err_code code) { return code < ERR_CODE_COUNT ? rows[code].status : 500; }
const char *err_name(err_code code) {
    return code < ERR_CODE_COUNT ? rows[code].name : "INTERNAL_ERROR";
}
const char *err_doc(err_code code) { return code < ERR_CODE_COUNT ? rows[code].doc : ""; }

err_code err_by_name(str name) {
    for (int i = 1; i < ERR_CODE_COUNT; i++)
        if (str_eqz(name, rows[i].name)) return (err_code)i;
    return ERR_OK;
}

void err_to_json(const err *e, buf *out) {
    buf_z(out, "{\"error_code\":");
    buf_json_str(out, str_of(err_name(err_code_of(e))));
    buf_z(out, ",\"message\":");
    if (e && e->hint) {
        buf whole = {0};
        buf_fmt(&whole, "%s %s", e->msg, e->hint);
        buf_json_str(out, buf_view(&whole));
        buf_free(&whole);
    } else {
        buf_json_str(out, str_of(err_msg(e)));
    }
    if (e && e->detail) {
        buf_z(out, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\","
                   "\"reason\":");
        buf_json_str(out, str_of(err_name(e->code)));
        buf_z(out, ",\"domain\":\"boathouse\",\"metadata\":{\"detail\":");
        buf_json_str(out, str_of(e->detail));
        buf_z(out, "}}]");
    }
    buf_c(out, '}');
}
