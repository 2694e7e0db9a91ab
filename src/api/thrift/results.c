/* SPDX-License-Identifier: Apache-2.0 */
/* A statement's state, schema and rows in Thrift's structures. */
#include "api/thrift/thrift_int.h"
#include "api/thrift/types.h"

/* At most so many links or batches in one answer; clients ask for more. */
#define MAX_CHUNKS 64
/* What the links of one answer lead to. A client downloads them in parallel and asks for more only when it has them all: the
 * more they are, the less it waits; but all of them must be read while they are valid (15 minutes), by a slow client too. */
#define LINKED_BYTES (512ll * 1024 * 1024)

static const int states[] = {[STATEMENT_PENDING] = TSTATE_PENDING,     [STATEMENT_RUNNING] = TSTATE_RUNNING,
                             [STATEMENT_SUCCEEDED] = TSTATE_FINISHED,  [STATEMENT_FAILED] = TSTATE_ERROR,
                             [STATEMENT_CANCELED] = TSTATE_CANCELED,   [STATEMENT_CLOSED] = TSTATE_CLOSED};

static bool is_links(const struct statement *s) { return s->format == ENGINE_ARROW && s->form == ENGINE_FORM_STREAMS && s->n_cols; }
static bool is_columns(const struct statement *s) { return s->format == ENGINE_COLUMNS; }

/* The Arrow schema of a statement without columns, which the engine does not make: an IPC message with no field. Where Arrow
 * is read, it is Arrow too: Node.js asks for the rows of a column set without columns for ever. */
static const unsigned char no_columns[] = {
    0xff, 0xff, 0xff, 0xff, 0x30, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0x0a, 0, 0x0c, 0, 0x06, 0, 0x05, 0, 0x08, 0, 0x0a, 0, 0, 0,
    0,    1,    4,    0,    0x0c, 0, 0, 0, 0x08, 0, 0x08, 0, 0, 0, 0x04, 0, 0x08, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0};

struct t_get_operation_status_resp *operation_status(struct tcall *x, const struct statement *s) {
    struct t_get_operation_status_resp *o = arena_new_of(x->a, struct t_get_operation_status_resp);
    o->status = status_ok(x->a);
    o->has = T_GET_OPERATION_STATUS_RESP_OPERATION_STATE | T_GET_OPERATION_STATUS_RESP_HAS_RESULT_SET |
             T_GET_OPERATION_STATUS_RESP_OPERATION_STARTED;
    o->operation_state = statement_early(s) ? TSTATE_FINISHED : states[s->state];
    /* Only a client that set this statement's limit looks for it: JDBC throws SQLTimeoutException, the Python connector, which sets
     * none, would take this state for success. */
    if (s->state == STATEMENT_FAILED && s->over_own_limit) o->operation_state = TSTATE_TIMEDOUT;
    o->has_result_set = true; /* false: Node.js does not ask why a statement failed */
    o->operation_started = s->submitted / 1000;
    if (statement_over(s->state) && s->ended) {
        o->has |= T_GET_OPERATION_STATUS_RESP_OPERATION_COMPLETED;
        o->operation_completed = s->ended / 1000;
    }
    if (s->state == STATEMENT_FAILED || s->state == STATEMENT_CANCELED) {
        o->has |= T_GET_OPERATION_STATUS_RESP_ERROR_CODE;
        str text = str_of(s->error ? s->error : "The statement was canceled.");
        o->error_message = arena_str(x->a, text);
        o->display_message = o->error_message;             /* Python shows this one, */
        o->status->error_message = o->display_message;     /* JDBC that one */
        o->sql_state = arena_str(x->a, s->sql_state[0] ? str_of(s->sql_state) : STR("HY000"));
        if (s->error_json) o->error_details_json = arena_str(x->a, str_of(s->error_json));
    }
    if (s->is_dml && s->modified_rows >= 0) {
        o->has |= T_GET_OPERATION_STATUS_RESP_NUM_MODIFIED_ROWS;
        o->num_modified_rows = s->modified_rows;
    }
    return o;
}

err *result_metadata(struct tcall *x, const struct statement *s, struct t_get_result_set_metadata_resp **ret) {
    struct t_get_result_set_metadata_resp *m = arena_new_of(x->a, struct t_get_result_set_metadata_resp);
    struct t_column_desc *cols = arena_array_of(x->a, struct t_column_desc, s->n_cols + 1);
    for (size_t i = 0; i < s->n_cols; i++) {
        jval *v;
        const struct sql_type *type;
        TRY(json_parse(x->a, str_of(s->cols[i].type_json), false, &v));
        TRY(sql_type_read_json(x->a, v, &type));
        if (type->kind == TY_VOID && s->format == ENGINE_ARROW && !(s->ask.native & ENGINE_NATIVE_NULL)) type = sql_type_of(TY_STRING);
        cols[i] = (struct t_column_desc){.has = T_COLUMN_DESC_POSITION,
                                         .column_name = arena_str(x->a, str_of(s->cols[i].name)),
                                         .type_desc = thrift_type_desc(x->a, type),
                                         .position = (int32_t)i + 1,
                                         .comment = arena_str(x->a, str_of(s->cols[i].comment ? s->cols[i].comment : ""))};
    }
    m->status = status_ok(x->a);
    m->schema = arena_new_of(x->a, struct t_table_schema);
    m->schema->columns.p = cols;
    m->schema->columns.n = s->n_cols;
    m->has = T_GET_RESULT_SET_METADATA_RESP_RESULT_FORMAT | T_GET_RESULT_SET_METADATA_RESP_LZ4_COMPRESSED |
             T_GET_RESULT_SET_METADATA_RESP_CACHE_LOOKUP_RESULT | T_GET_RESULT_SET_METADATA_RESP_IS_STAGING_OPERATION;
    m->result_format = is_columns(s) ? TFORMAT_COLUMN : is_links(s) ? TFORMAT_URL : TFORMAT_ARROW;
    m->lz4_compressed = s->lz4 && !is_columns(s);
    m->cache_lookup_result = 0;
    m->is_staging_operation = s->staging != NULL;
    if (!is_columns(s) && s->n_cols) m->arrow_schema = arena_str(x->a, str_n(s->arrow_schema, s->arrow_schema_n));
    if (!is_columns(s) && !s->n_cols) m->arrow_schema = str_n((const char *)no_columns, sizeof(no_columns));
    *ret = m;
    return NULL;
}

/* The chunks that an answer takes: [*from, *to). One at least, where any is left. */
static void pick(struct tcall *x, const struct statement *s, size_t *from, size_t *to) {
    ptrdiff_t at = s->n_cols && x->row < (statement_early(s) ? s->told_rows : s->rows) ? statement_chunk_of(s, x->row) : -1;
    *from = *to = 0;
    if (at < 0) return;
    *from = (size_t)at;
    int64_t rows = 0, bytes = 0, most_rows = is_links(s) ? INT64_MAX : x->max_rows, most = is_links(s) ? LINKED_BYTES : x->max_bytes;
    for (*to = *from; *to < s->chunks.n && *to - *from < MAX_CHUNKS; ++*to) {
        const struct engine_chunk *c = &s->chunks.p[*to];
        rows += c->rows;
        bytes += c->bytes;
        if (*to > *from && (rows > most_rows || bytes > most)) break;
        if (*to > *from && s->format == ENGINE_COLUMNS) break; /* one set of columns is one chunk */
    }
}

int64_t result_rows_size(struct tcall *x, const struct statement *s) {
    size_t from, to;
    int64_t bytes = 0;
    pick(x, s, &from, &to);
    if (is_links(s)) return 0;
    for (size_t i = from; i < to; i++) bytes += s->chunks.p[i].bytes;
    return bytes;
}

/* Links are signed on the loop, where the request's host is known too: they cost no reading. */
static void add_links(struct tcall *x, const struct statement *s, size_t from, size_t to, struct t_row_set *rows) {
    struct t_result_link *links = arena_array_of(x->a, struct t_result_link, to - from + 1);
    for (size_t i = from; i < to; i++) {
        const struct engine_chunk *c = &s->chunks.p[i];
        int64_t expires;
        str url = statement_link(x->r, s, i, &expires);
        links[i - from] = (struct t_result_link){
            .has = T_RESULT_LINK_EXPIRY_TIME | T_RESULT_LINK_START_ROW_OFFSET | T_RESULT_LINK_ROW_COUNT | T_RESULT_LINK_BYTES_NUM,
            .file_link = url,
            .expiry_time = expires / 1000,
            .start_row_offset = c->row_offset,
            .row_count = c->rows,
            .bytes_num = c->raw ? c->raw : c->bytes};
    }
    rows->result_links.p = links;
    rows->result_links.n = to - from;
}

static err *add_batches(struct tcall *x, const struct statement *s, size_t from, size_t to, struct t_row_set *rows) {
    struct t_arrow_batch *batches = arena_array_of(x->a, struct t_arrow_batch, to - from + 1);
    for (size_t i = from; i < to; i++) {
        batches[i - from] = (struct t_arrow_batch){.has = T_ARROW_BATCH_ROW_COUNT, .row_count = s->chunks.p[i].rows};
        TRY(statement_read(s, i, x->a, &batches[i - from].batch));
    }
    rows->arrow_batches.p = batches;
    rows->arrow_batches.n = to - from;
    return NULL;
}

/* A column set without rows still has all its columns. */
static err *add_empty_columns(struct tcall *x, const struct statement *s, struct t_row_set *rows) {
    static const char nothing[1];
    rows->columns.p = arena_array_of(x->a, struct t_column, s->n_cols + 1);
    for (; rows->columns.n < s->n_cols; rows->columns.n++) {
        struct t_column *c = &rows->columns.p[rows->columns.n];
        jval *v;
        const struct sql_type *type;
        TRY(json_parse(x->a, str_of(s->cols[rows->columns.n].type_json), false, &v));
        TRY(sql_type_read_json(x->a, v, &type));
        switch (type->kind) {
#define EMPTY(field, T)                                                                            \
    c->field = arena_new_of(x->a, struct t_##T##_column);                                          \
    c->field->values.p = arena_alloc(x->a, 8);                                                     \
    c->field->nulls = str_n(nothing, 0)
        case TY_BOOLEAN: EMPTY(bool_val, bool); break;
        case TY_TINYINT: EMPTY(byte_val, byte); break;
        case TY_SMALLINT: EMPTY(i16_val, i16); break;
        case TY_INT: EMPTY(i32_val, i32); break;
        case TY_BIGINT: EMPTY(i64_val, i64); break;
        case TY_FLOAT:
        case TY_DOUBLE: EMPTY(double_val, double); break;
        case TY_BINARY: EMPTY(binary_val, binary); break;
        default: EMPTY(string_val, string);
#undef EMPTY
        }
    }
    return NULL;
}

err *result_rows(struct tcall *x, const struct statement *s, struct t_fetch_results_resp **ret) {
    struct t_fetch_results_resp *f = arena_new_of(x->a, struct t_fetch_results_resp);
    struct t_row_set *rows = arena_new_of(x->a, struct t_row_set);
    size_t from, to;
    pick(x, s, &from, &to);
    rows->has = T_ROW_SET_START_ROW_OFFSET;
    rows->start_row_offset = from < to ? s->chunks.p[from].row_offset : x->row;
    rows->rows.p = arena_new_of(x->a, struct t_row);
    if (is_columns(s)) {
        if (from < to)
            TRY(statement_read(s, from, x->a, &rows->columns_raw));
        else
            TRY(add_empty_columns(x, s, rows));
    } else if (is_links(s)) {
        add_links(x, s, from, to, rows);
    } else {
        TRY(add_batches(x, s, from, to, rows));
    }
    x->next_row = from < to ? s->chunks.p[to - 1].row_offset + s->chunks.p[to - 1].rows : x->row;
    f->status = status_ok(x->a);
    f->has = T_FETCH_RESULTS_RESP_HAS_MORE_ROWS;
    f->has_more_rows = statement_early(s) || (s->n_cols && x->next_row < s->rows);
    f->results = rows;
    *ret = f;
    return NULL;
}
