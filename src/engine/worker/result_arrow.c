/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DuckDB's vectors into Arrow record batches (nanoarrow), with Spark's mapping:
 *
 *   boolean bool · tinyint … bigint int8 … int64 · float, double the same · decimal decimal128 · string utf8 ·
 *   binary binary · date date32 · timestamp timestamp(us, session's zone) · timestamp_ntz timestamp(us) · time time64(us) ·
 *   array list · map map · struct struct · intervals, variant, and what the client did not ask for natively: utf8
 *
 * Each field carries Spark:DataType:SqlName and Spark:DataType:JsonType, as Databricks' do. A column appends straight
 * into the buffers of its ArrowArray; a batch is encoded and the arrays are wound back, their memory kept.
 */
#include <nanoarrow/nanoarrow.h>
#include <nanoarrow/nanoarrow_ipc.h>
#include <stdlib.h>

#include "engine/worker/result_int.h"
#include "engine/worker/show.h"
#include "sql/error.h"

enum how { COPY, BITS, DECIMAL, TEXT, SHOWN, NOTHING, LIST, MAP, STRUCT };

struct acol {
    enum how how;
    const struct sql_type *type;
    size_t width;             /* COPY: bytes; DECIMAL: of DuckDB's integer */
    struct ArrowArray *array;
    struct show *show;        /* SHOWN */
    struct acol *kids;
    size_t n_kids;
    buf text;                 /* SHOWN: one value */
};

struct arrow_writer {
    struct result_int *r;
    struct ArrowSchema schema;
    struct ArrowArray root;
    struct ArrowArrayView view;
    struct ArrowIpcEncoder encoder;
    struct ArrowBuffer message, body; /* of the batch that was taken last */
    struct acol *cols;
    size_t gathered;
};

static err *arrow_error(int rc, const char *what) {
    if (rc == ENOMEM) return sql_error("OUT_OF_MEMORY", NULL, STR(""), NULL);
    return err_new(ERR_INTERNAL_ERROR, "Arrow: cannot %s (%d)", what, rc);
}
#define ARROW(expr, what)                                                                          \
    do {                                                                                           \
        int arrow_rc_ = (expr);                                                                    \
        if (arrow_rc_) return arrow_error(arrow_rc_, what);                                        \
    } while (0)

/* ---- schema ---- */

static enum how how_of(const struct sql_type *t, unsigned native, size_t *width) {
    switch (t->kind) {
    case TY_BOOLEAN: return BITS;
    case TY_TINYINT: *width = 1; return COPY;
    case TY_SMALLINT: *width = 2; return COPY;
    case TY_INT: case TY_FLOAT: case TY_DATE: *width = 4; return COPY;
    case TY_BIGINT: case TY_DOUBLE: case TY_TIME: *width = 8; return COPY;
    case TY_TIMESTAMP: case TY_TIMESTAMP_NTZ: *width = 8; return native & RESULT_TIMESTAMP ? COPY : SHOWN;
    case TY_DECIMAL: *width = (size_t)decimal_bytes(t->precision); return native & RESULT_DECIMAL ? DECIMAL : SHOWN;
    case TY_INTERVAL_YM: *width = 4; return native & RESULT_INTERVAL ? COPY : SHOWN;
    case TY_INTERVAL_DT: *width = 8; return native & RESULT_INTERVAL ? COPY : SHOWN;
    case TY_STRING: case TY_CHAR: case TY_VARCHAR: case TY_BINARY: return TEXT;
    case TY_VOID: return native & RESULT_NULL ? NOTHING : SHOWN;
    case TY_ARRAY: return native & RESULT_COMPLEX ? LIST : SHOWN;
    case TY_MAP: return native & RESULT_COMPLEX ? MAP : SHOWN;
    case TY_STRUCT: return native & RESULT_COMPLEX ? STRUCT : SHOWN;
    default: return SHOWN;
    }
}

static enum ArrowType plain_type(enum sql_type_kind k) {
    switch (k) {
    case TY_TINYINT: return NANOARROW_TYPE_INT8;
    case TY_SMALLINT: return NANOARROW_TYPE_INT16;
    case TY_INT: return NANOARROW_TYPE_INT32;
    case TY_BIGINT: return NANOARROW_TYPE_INT64;
    case TY_FLOAT: return NANOARROW_TYPE_FLOAT;
    case TY_DOUBLE: return NANOARROW_TYPE_DOUBLE;
    case TY_DATE: return NANOARROW_TYPE_DATE32;
    case TY_INTERVAL_YM: return NANOARROW_TYPE_INTERVAL_MONTHS;
    case TY_BINARY: return NANOARROW_TYPE_BINARY;
    default: return NANOARROW_TYPE_STRING;
    }
}

static err *set_metadata(struct ArrowSchema *s, const struct sql_type *t) {
    buf sql = {0}, json = {0};
    struct ArrowBuffer m;
    sql_type_write_sql(t, &sql);
    sql_type_write_json(t, &json);
    int rc = ArrowMetadataBuilderInit(&m, NULL);
    struct ArrowStringView v = {sql.p, (int64_t)sql.n}, j = {json.p, (int64_t)json.n};
    if (!rc) rc = ArrowMetadataBuilderAppend(&m, ArrowCharView("Spark:DataType:SqlName"), v);
    if (!rc) rc = ArrowMetadataBuilderAppend(&m, ArrowCharView("Spark:DataType:JsonType"), j);
    if (!rc) rc = ArrowSchemaSetMetadata(s, (const char *)m.data);
    ArrowBufferReset(&m);
    buf_free(&sql);
    buf_free(&json);
    return rc ? arrow_error(rc, "describe a column") : NULL;
}

static err *set_name(struct ArrowSchema *s, str name, bool nullable) {
    char *z = strndup(name.p ? name.p : "", name.n);
    must(z != NULL);
    int rc = ArrowSchemaSetName(s, z);
    free(z);
    s->flags = nullable ? ARROW_FLAG_NULLABLE : 0;
    return rc ? arrow_error(rc, "name a column") : NULL;
}

static err *set_type(struct ArrowSchema *s, const struct sql_type *t, const struct result_options *o);

static err *set_struct(struct ArrowSchema *s, const struct sql_type *t, const struct result_options *o) {
    ARROW(ArrowSchemaSetTypeStruct(s, (int64_t)t->n), "make a struct");
    for (size_t i = 0; i < t->n; i++) {
        TRY(set_type(s->children[i], t->fields[i].type, o));
        TRY(set_name(s->children[i], t->fields[i].name, t->fields[i].nullable));
    }
    return NULL;
}

static err *set_map(struct ArrowSchema *s, const struct sql_type *t, const struct result_options *o) {
    ARROW(ArrowSchemaSetType(s, NANOARROW_TYPE_MAP), "make a map");
    struct ArrowSchema *entries = s->children[0];
    TRY(set_type(entries->children[0], t->key, o));
    TRY(set_name(entries->children[0], STR("key"), false));
    TRY(set_type(entries->children[1], t->elem, o));
    return set_name(entries->children[1], STR("value"), t->elem_nullable);
}

static err *set_type(struct ArrowSchema *s, const struct sql_type *t, const struct result_options *o) {
    size_t width = 0;
    enum how how = how_of(t, o->native, &width);
    ArrowSchemaInit(s);
    switch (how) {
    case BITS: ARROW(ArrowSchemaSetType(s, NANOARROW_TYPE_BOOL), "set a type"); return NULL;
    case NOTHING: ARROW(ArrowSchemaSetType(s, NANOARROW_TYPE_NA), "set a type"); return NULL;
    case DECIMAL:
        ARROW(ArrowSchemaSetTypeDecimal(s, NANOARROW_TYPE_DECIMAL128, t->precision, t->scale), "set a type");
        return NULL;
    case LIST:
        ARROW(ArrowSchemaSetType(s, NANOARROW_TYPE_LIST), "make a list");
        TRY(set_type(s->children[0], t->elem, o));
        return set_name(s->children[0], STR("element"), t->elem_nullable);
    case MAP: return set_map(s, t, o);
    case STRUCT: return set_struct(s, t, o);
    case SHOWN: ARROW(ArrowSchemaSetType(s, NANOARROW_TYPE_STRING), "set a type"); return NULL;
    default: break;
    }
    int rc = 0;
    if (t->kind == TY_TIMESTAMP)
        rc = ArrowSchemaSetTypeDateTime(s, NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO, o->zone_name);
    else if (t->kind == TY_TIMESTAMP_NTZ)
        rc = ArrowSchemaSetTypeDateTime(s, NANOARROW_TYPE_TIMESTAMP, NANOARROW_TIME_UNIT_MICRO, NULL);
    else if (t->kind == TY_TIME)
        rc = ArrowSchemaSetTypeDateTime(s, NANOARROW_TYPE_TIME64, NANOARROW_TIME_UNIT_MICRO, NULL);
    else if (t->kind == TY_INTERVAL_DT)
        rc = ArrowSchemaSetTypeDateTime(s, NANOARROW_TYPE_DURATION, NANOARROW_TIME_UNIT_MICRO, NULL);
    else
        rc = ArrowSchemaSetType(s, plain_type(t->kind));
    return rc ? arrow_error(rc, "set a type") : NULL;
}

/* ---- appending ---- */

/* One bit for each row; the bitmap begins with the first NULL. */
static int add_validity(struct acol *c, const uint64_t *valid, idx_t from, idx_t to) {
    struct ArrowBitmap *b = ArrowArrayValidityBitmap(c->array);
    int64_t nulls = 0, n = (int64_t)(to - from);
    for (idx_t i = from; valid && i < to; i++) nulls += !vector_valid(valid, i);
    bool begun = b->size_bits > 0;
    if (!nulls && !begun) return 0;
    if (!begun && c->array->length) {
        int rc = ArrowBitmapReserve(b, c->array->length + n);
        if (rc) return rc;
        ArrowBitmapAppendUnsafe(b, 1, c->array->length);
    }
    int rc = ArrowBitmapReserve(b, n);
    if (rc) return rc;
    if (!nulls)
        ArrowBitmapAppendUnsafe(b, 1, n);
    else
        for (idx_t i = from; i < to; i++) ArrowBitmapAppendUnsafe(b, vector_valid(valid, i), 1);
    c->array->null_count += nulls;
    return 0;
}

static int add_bits(struct acol *c, const bool *data, idx_t from, idx_t to) {
    struct ArrowBuffer *b = ArrowArrayBuffer(c->array, 1);
    int64_t at = c->array->length, need = (at + (int64_t)(to - from) + 7) / 8;
    int rc = ArrowBufferResize(b, need, 0);
    if (rc) return rc;
    for (idx_t i = from; i < to; i++, at++) {
        if (at % 8 == 0) b->data[at / 8] = 0;
        b->data[at / 8] = (uint8_t)(b->data[at / 8] | (data[i] ? 1u << at % 8 : 0));
    }
    return 0;
}

static int add_decimals(struct acol *c, const void *data, idx_t from, idx_t to) {
    struct ArrowBuffer *b = ArrowArrayBuffer(c->array, 1);
    int rc = ArrowBufferReserve(b, (int64_t)(to - from) * 16);
    if (rc) return rc;
    int64_t *out = (int64_t *)(b->data + b->size_bytes);
    for (idx_t i = from; i < to; i++, out += 2) {
        if (c->width == 16) {
            memcpy(out, (const duckdb_hugeint *)data + i, 16);
            continue;
        }
        out[0] = c->width == 2 ? ((const int16_t *)data)[i] : c->width == 4 ? ((const int32_t *)data)[i]
                                                                             : ((const int64_t *)data)[i];
        out[1] = out[0] < 0 ? -1 : 0;
    }
    b->size_bytes += (int64_t)(to - from) * 16;
    return 0;
}

/* Offsets are 32 bits wide: a batch ends long before. */
static int add_texts(struct acol *c, const duckdb_string_t *data, const uint64_t *valid, idx_t from, idx_t to) {
    struct ArrowBuffer *offsets = ArrowArrayBuffer(c->array, 1), *bytes = ArrowArrayBuffer(c->array, 2);
    int64_t sum = 0;
    for (idx_t i = from; i < to; i++)
        if (vector_valid(valid, i)) sum += data[i].value.inlined.length;
    if (bytes->size_bytes + sum > INT32_MAX) return EOVERFLOW;
    int rc = ArrowBufferReserve(offsets, (int64_t)(to - from) * 4);
    if (!rc) rc = ArrowBufferReserve(bytes, sum);
    for (idx_t i = from; !rc && i < to; i++) {
        if (vector_valid(valid, i)) {
            str s = vector_str(&data[i]);
            ArrowBufferAppendUnsafe(bytes, s.p, (int64_t)s.n);
        }
        int32_t end = (int32_t)bytes->size_bytes;
        ArrowBufferAppendUnsafe(offsets, &end, 4);
    }
    return rc;
}

static int add_shown(struct acol *c, duckdb_vector v, idx_t from, idx_t to) {
    show_bind(c->show, v, to);
    for (idx_t i = from; i < to; i++) {
        buf_clear(&c->text);
        int rc = c->type->kind != TY_VOID && show_value(c->show, i, &c->text)
                     ? ArrowArrayAppendString(c->array, (struct ArrowStringView){c->text.p ? c->text.p : "", (int64_t)c->text.n})
                     : ArrowArrayAppendNull(c->array, 1);
        if (!rc && c->text.overflow) rc = EOVERFLOW;
        if (rc) return rc;
    }
    return 0;
}

static int add(struct acol *c, duckdb_vector v, idx_t from, idx_t to);

/* Lists and maps: runs of rows whose elements lie one after the other are taken at once. */
static int add_lists(struct acol *c, duckdb_vector v, const uint64_t *valid, idx_t from, idx_t to) {
    const duckdb_list_entry *e = duckdb_vector_get_data(v);
    bool some = false; /* a list that was folded to NULL has no vector of elements */
    for (idx_t i = from; i < to && !some; i++) some = vector_valid(valid, i);
    duckdb_vector child = some ? duckdb_list_vector_get_child(v) : NULL;
    struct ArrowBuffer *offsets = ArrowArrayBuffer(c->array, 1);
    struct ArrowArray *kid = c->array->children[0];
    int64_t end = kid->length;
    idx_t run_from = 0, run_to = 0;
    int rc = 0;
    for (idx_t i = from; !rc && i < to; i++) {
        idx_t at = e[i].offset, n = vector_valid(valid, i) ? e[i].length : 0;
        if (n && at != run_to) {
            if (run_to > run_from) rc = add(&c->kids[0], child, run_from, run_to);
            run_from = at;
        }
        if (n) run_to = at + n;
        end += (int64_t)n;
        if (end > INT32_MAX) return EOVERFLOW;
        int32_t o = (int32_t)end;
        if (!rc) rc = ArrowBufferAppend(offsets, &o, 4);
    }
    if (!rc && run_to > run_from) rc = add(&c->kids[0], child, run_from, run_to);
    return rc;
}

/* Rows from..to of a vector; the array's length grows by as many. */
static int add(struct acol *c, duckdb_vector v, idx_t from, idx_t to) {
    const uint64_t *valid = duckdb_vector_get_validity(v);
    const void *data = duckdb_vector_get_data(v);
    int rc = 0;
    if (c->how == SHOWN) return add_shown(c, v, from, to);
    if (c->how == NOTHING) return ArrowArrayAppendNull(c->array, (int64_t)(to - from));
    rc = add_validity(c, valid, from, to);
    if (rc) return rc;
    switch (c->how) {
    case COPY:
        rc = ArrowBufferAppend(ArrowArrayBuffer(c->array, 1), (const char *)data + from * c->width, (int64_t)((to - from) * c->width));
        break;
    case BITS: rc = add_bits(c, data, from, to); break;
    case DECIMAL: rc = add_decimals(c, data, from, to); break;
    case TEXT: rc = add_texts(c, data, valid, from, to); break;
    case LIST:
    case MAP: rc = add_lists(c, v, valid, from, to); break;
    default:
        for (size_t k = 0; !rc && k < c->n_kids; k++) rc = add(&c->kids[k], duckdb_struct_vector_get_child(v, k), from, to);
    }
    if (!rc) c->array->length += (int64_t)(to - from);
    return rc;
}

/* ---- the writer ---- */

static size_t bytes_of(const struct ArrowArray *a) {
    size_t n = 0;
    for (int64_t i = 0; i < a->n_buffers; i++) n += (size_t)ArrowArrayBuffer((struct ArrowArray *)a, i)->size_bytes;
    for (int64_t i = 0; i < a->n_children; i++) n += bytes_of(a->children[i]);
    return n;
}

static err *arrow_add(void *p, duckdb_data_chunk chunk, idx_t from, idx_t to) {
    struct arrow_writer *w = p;
    for (size_t c = 0; c < w->r->n; c++)
        ARROW(add(&w->cols[c], duckdb_data_chunk_get_vector(chunk, c), from, to), "add rows");
    w->root.length += (int64_t)(to - from);
    w->gathered = bytes_of(&w->root);
    return NULL;
}

static size_t arrow_gathered(const void *p) { return ((const struct arrow_writer *)p)->gathered; }

/* Points each column at its array; arrays are made anew for every batch. */
static void attach(struct acol *c, struct ArrowArray *a) {
    c->array = a;
    if (c->how == STRUCT)
        for (size_t k = 0; k < c->n_kids; k++) attach(&c->kids[k], a->children[k]);
    else if (c->n_kids)
        attach(&c->kids[0], a->children[0]);
}

static err *start(struct arrow_writer *w) {
    ARROW(ArrowArrayStartAppending(&w->root), "make arrays");
    w->gathered = 0;
    return NULL;
}

static err *begin(struct arrow_writer *w) {
    struct ArrowError why;
    ARROW(ArrowArrayInitFromSchema(&w->root, &w->schema, &why), "make arrays");
    for (size_t c = 0; c < w->r->n; c++) attach(&w->cols[c], w->root.children[c]);
    return start(w);
}

/* No rows, but the memory of those that were there. A bitmap goes: one that is there counts as having a bit for each row. */
static void wind_back(struct ArrowArray *a) {
    ArrowBitmapReset(ArrowArrayValidityBitmap(a));
    for (int64_t i = 0; i < a->n_buffers; i++) ArrowArrayBuffer(a, i)->size_bytes = 0;
    for (int64_t i = 0; i < a->n_children; i++) wind_back(a->children[i]);
    a->length = a->null_count = 0;
}

static err *arrow_take(void *p, int64_t rows, str ret[2]) {
    struct arrow_writer *w = p;
    struct ArrowError why = {{0}};
    (void)rows;
    ARROW(ArrowArrayFinishBuilding(&w->root, NANOARROW_VALIDATION_LEVEL_NONE, &why), "finish a batch");
    ARROW(ArrowArrayViewSetArray(&w->view, &w->root, &why), "read a batch");
    w->body.size_bytes = w->message.size_bytes = 0;
    ARROW(ArrowIpcEncoderEncodeSimpleRecordBatch(&w->encoder, &w->view, &w->body, &why), "encode a batch");
    ARROW(ArrowIpcEncoderFinalizeBuffer(&w->encoder, 1, &w->message), "encode a batch");
    ret[0] = str_n((const char *)w->message.data, (size_t)w->message.size_bytes);
    ret[1] = str_n((const char *)w->body.data, (size_t)w->body.size_bytes);
    wind_back(&w->root);
    return start(w);
}

static void free_col(struct acol *c) {
    buf_free(&c->text);
    for (size_t k = 0; k < c->n_kids; k++) free_col(&c->kids[k]);
}

static void arrow_free(void *p) {
    struct arrow_writer *w = p;
    for (size_t c = 0; c < w->r->n; c++) free_col(&w->cols[c]);
    if (w->root.release) ArrowArrayRelease(&w->root);
    ArrowBufferReset(&w->message);
    ArrowBufferReset(&w->body);
    ArrowArrayViewReset(&w->view);
    if (w->encoder.private_data) ArrowIpcEncoderReset(&w->encoder);
    if (w->schema.release) ArrowSchemaRelease(&w->schema);
}

static void make_col(struct result_int *r, struct acol *c, const struct sql_type *t) {
    c->type = t;
    c->how = how_of(t, r->o.native, &c->width);
    if (c->how == SHOWN) c->show = show_new(r->a, t, SHOW_JSON, r->o.zone);
    if (c->how == LIST) {
        c->n_kids = 1;
        c->kids = arena_new_of(r->a, struct acol);
        make_col(r, &c->kids[0], t->elem);
    } else if (c->how == MAP) { /* one child: the struct of key and value */
        struct acol *pair = arena_new_of(r->a, struct acol);
        c->n_kids = 1;
        c->kids = pair;
        *pair = (struct acol){.how = STRUCT, .type = t, .n_kids = 2, .kids = arena_array_of(r->a, struct acol, 2)};
        make_col(r, &pair->kids[0], t->key);
        make_col(r, &pair->kids[1], t->elem);
    } else if (c->how == STRUCT) {
        c->n_kids = t->n;
        c->kids = arena_array_of(r->a, struct acol, t->n);
        for (size_t k = 0; k < t->n; k++) make_col(r, &c->kids[k], t->fields[k].type);
    }
}

static err *make_schema(struct arrow_writer *w) {
    struct result_int *r = w->r;
    ArrowSchemaInit(&w->schema);
    ARROW(ArrowSchemaSetTypeStruct(&w->schema, (int64_t)r->n), "make a schema");
    for (size_t c = 0; c < r->n; c++) {
        TRY(set_type(w->schema.children[c], r->cols[c].type, &r->o));
        TRY(set_name(w->schema.children[c], r->cols[c].name, r->cols[c].nullable));
        TRY(set_metadata(w->schema.children[c], r->cols[c].type));
    }
    struct ArrowError why = {{0}};
    struct ArrowBuffer b;
    ARROW(ArrowIpcEncoderInit(&w->encoder), "make an encoder");
    ArrowBufferInit(&b);
    int rc = ArrowIpcEncoderEncodeSchema(&w->encoder, &w->schema, &why);
    if (!rc) rc = ArrowIpcEncoderFinalizeBuffer(&w->encoder, 1, &b);
    if (!rc) buf_add(&r->schema, b.data, (size_t)b.size_bytes);
    ArrowBufferReset(&b);
    buf_add(&r->end, "\xff\xff\xff\xff\0\0\0\0", 8);
    return rc ? arrow_error(rc, "encode the schema") : NULL;
}

err *result_arrow_new(struct result_int *r) {
    struct arrow_writer *w = arena_new_of(r->a, struct arrow_writer);
    w->r = r;
    ArrowBufferInit(&w->message);
    ArrowBufferInit(&w->body);
    r->how = (struct result_writer){arrow_add, arrow_gathered, arrow_take, arrow_free};
    r->writer = w;
    TRY(make_schema(w));
    w->cols = arena_array_of(r->a, struct acol, r->n);
    for (size_t c = 0; c < r->n; c++) make_col(r, &w->cols[c], r->cols[c].type);
    struct ArrowError why = {{0}};
    ARROW(ArrowArrayViewInitFromSchema(&w->view, &w->schema, &why), "read the schema");
    return begin(w);
}
