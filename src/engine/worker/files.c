/* SPDX-License-Identifier: Apache-2.0 */
/* Time travel's versions; files that are no table: read_files(), csv.`path` and its relatives. */
#include "base/buf.h"
#include "engine/worker/scan_int.h"
#include "sql/error.h"

/* Text of a time, in the session's zone unless it names one, as microseconds. */
static err *time_of(struct scan_ctx *c, struct sql_env *e, str text, int64_t *ret) {
    buf b = {0};
    str t = str_trim(text);
    bool zone = t.n > 10 && (t.p[t.n - 1] == 'Z' || str_chr(t, '+', 10) > 0 || str_chr(t, '-', 10) > 0);
    buf_z(&b, "SELECT CAST(epoch_us(");
    if (!zone) buf_z(&b, "timezone("), scan_quote_text(e->time_zone.n ? e->time_zone : STR("UTC"), &b), buf_z(&b, ", ");
    buf_z(&b, "TRY_CAST(");
    scan_quote_text(t, &b);
    buf_z(&b, zone ? " AS TIMESTAMPTZ)) AS VARCHAR)" : " AS TIMESTAMP))) AS VARCHAR)");
    struct scan_rows rows;
    err *why = scan_query(c->con, c->a, buf_view(&b), &rows);
    buf_free(&b);
    if (why) return why;
    if (rows.rows == 1 && rows.cell[0].p && str_to_i64(rows.cell[0], ret)) return NULL;
    return sql_error("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", NULL, STR_NONE, "expr", arena_strndup(c->a, text.p, text.n), NULL);
}

err *scan_at_of(struct scan_ctx *c, struct sql_env *e, const struct ast *from, struct scan_at *ret) {
    const struct ast *version = ast_get(from, SLOT_VERSION), *time = ast_get(from, SLOT_TIMESTAMP);
    const struct sql_type *type;
    str text;
    *ret = (struct scan_at){-1, INT64_MIN};
    if (version) {
        TRY(sql_constant(e, version, &type, &text));
        if (!text.p || !str_to_i64(text, &ret->version) || ret->version < 0)
            return sql_error("INVALID_TIME_TRAVEL_SPEC", version, STR_NONE, NULL);
    } else if (time) {
        TRY(sql_constant(e, time, &type, &text));
        if (!text.p) return sql_error("INVALID_TIME_TRAVEL_TIMESTAMP_EXPR.INPUT", time, STR_NONE, "expr", "NULL", NULL);
        return time_of(c, e, text, &ret->timestamp_us);
    }
    return NULL;
}
