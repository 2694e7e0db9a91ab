/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handles: 16 bytes of a session's or statement's id, and 16 bytes "secret" that clients give back as they
 * got it. Who may use a handle is decided by the caller's identity; the secret only carries the protocol version
 * that was agreed, so that it needs no memory of ours.
 */
#include "api/thrift/thrift_int.h"
#include "sql/error.h"

#define HANDLE_SIZE 16

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

void handle_write(str id, int protocol, struct t_handle_identifier *ret, arena *a) {
    char *guid = arena_alloc(a, HANDLE_SIZE), *secret = arena_alloc(a, HANDLE_SIZE);
    size_t n = 0;
    for (size_t i = 0; i < id.n && n < 2 * HANDLE_SIZE; i++) {
        int h = hex(id.p[i]);
        if (h < 0) continue;
        guid[n / 2] = (char)(guid[n / 2] << 4 | h);
        n++;
    }
    memcpy(secret, guid, HANDLE_SIZE);
    secret[0] = (char)protocol;
    *ret = (struct t_handle_identifier){.guid = str_n(guid, HANDLE_SIZE), .secret = str_n(secret, HANDLE_SIZE)};
}

str handle_read(arena *a, const struct t_handle_identifier *h) {
    static const char digits[] = "0123456789abcdef";
    if (!h || h->guid.n != HANDLE_SIZE) return STR("");
    char *text = arena_alloc(a, 37);
    size_t n = 0;
    for (size_t i = 0; i < HANDLE_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text[n++] = '-';
        text[n++] = digits[(uint8_t)h->guid.p[i] >> 4];
        text[n++] = digits[h->guid.p[i] & 15];
    }
    return str_n(text, n);
}

int handle_protocol(const struct t_handle_identifier *h) {
    int p = h && h->secret.n == HANDLE_SIZE ? h->secret.p[0] : 0;
    return p >= 1 && p <= 8 ? p : 1;
}

struct t_operation_handle *operation_handle(struct tcall *x, const struct statement *s) {
    struct t_operation_handle *h = arena_new_of(x->a, struct t_operation_handle);
    h->operation_id = arena_new_of(x->a, struct t_handle_identifier);
    handle_write(str_of(s->id), x->protocol, h->operation_id, x->a);
    h->has = T_OPERATION_HANDLE_OPERATION_TYPE | T_OPERATION_HANDLE_HAS_RESULT_SET;
    h->operation_type = metadata_operation(x->call);
    h->has_result_set = true;
    if (s->is_dml && s->modified_rows >= 0) {
        h->has |= T_OPERATION_HANDLE_MODIFIED_ROW_COUNT;
        h->modified_row_count = (double)s->modified_rows;
    }
    return h;
}

/* ---- TStatus ---- */

struct t_status *status_ok(arena *a) {
    struct t_status *s = arena_new_of(a, struct t_status);
    s->has = T_STATUS_STATUS_CODE;
    s->status_code = TSTATUS_SUCCESS;
    return s;
}

struct t_status *status_of_err(arena *a, const err *e) {
    struct t_status *s = arena_new_of(a, struct t_status);
    s->has = T_STATUS_STATUS_CODE | T_STATUS_ERROR_CODE;
    s->status_code = TSTATUS_ERROR;
    s->error_message = arena_str(a, str_of(err_msg(e)));
    s->display_message = s->error_message;
    str state = sql_error_state(e, a);
    s->sql_state = state.n ? state : STR("HY000");
    str *info = arena_new_of(a, str);
    *info = str_of(arena_printf(a, "*org.apache.hive.service.cli.HiveSQLException:%s", err_msg(e)));
    s->info_messages.p = info;
    s->info_messages.n = 1;
    return s;
}

struct t_status *status_invalid(arena *a, const char *what) {
    struct t_status *s = arena_new_of(a, struct t_status);
    s->has = T_STATUS_STATUS_CODE;
    s->status_code = TSTATUS_INVALID_HANDLE;
    s->error_message = s->display_message = str_of(arena_strdup(a, what));
    s->sql_state = STR("HY000");
    return s;
}
