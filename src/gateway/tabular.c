/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/tabular.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "plan/plan.h"

#define FORMATS "{'dataframe_split', 'dataframe_records', 'instances', 'inputs'}"
#define MAX_SHOWN 200u

static enum tab_type type_of(enum plan_kind k) {
    switch (k) {
    case PLAN_FLOAT: return TAB_FLOAT;
    case PLAN_INTEGER: return TAB_INTEGER;
    case PLAN_LONG: return TAB_LONG;
    case PLAN_BOOLEAN: return TAB_BOOLEAN;
    case PLAN_STRING: return TAB_STRING;
    default: return TAB_DOUBLE;
    }
}

void tab_schema_of_plan(arena *a, const struct plan *p, struct tab_schema *ret) {
    size_t n = plan_inputs(p);
    struct tab_schema s = {.columns = arena_array_of(a, struct tab_column, n + 1),
                           .n = n,
                           .n_num = plan_num_width(p),
                           .n_text = plan_text_width(p)};
    for (size_t i = 0; i < n; i++) {
        str name = plan_input_name(p, i);
        s.named |= name.n > 0;
        s.columns[i] = (struct tab_column){name, type_of(plan_input_kind(p, i)),
                                           plan_input_required(p, i), plan_input_slot(p, i)};
    }
    *ret = s;
}

void tab_batch_free(struct tab_batch *b) {
    free(b->num);
    free(b->text);
    free(b->pool);
    *b = (struct tab_batch){0};
}

/* ---- room ---- */

static err *set_size(const struct tab_schema *s, struct tab_batch *b, size_t rows) {
    b->rows = rows;
    size_t cells;
    if (__builtin_mul_overflow(rows, s->n ? s->n : 1, &cells) || cells > TAB_MAX_CELLS)
        return err_new(ERR_INVALID_PARAMETER_VALUE, "%zu rows of %zu columns are too many.", rows,
                       s->n);
    size_t num = rows * s->n_num, text = rows * s->n_text;
    if (num > b->cap_num) {
        double *p = realloc(b->num, num * sizeof(*p));
        must(p != NULL);
        b->num = p;
        b->cap_num = num;
    }
    if (text > b->cap_text) {
        str *p = realloc(b->text, text * sizeof(*p));
        must(p != NULL);
        b->text = p;
        b->cap_text = text;
    }
    return NULL;
}

static inline double *num_at(const struct tab_schema *s, struct tab_batch *b, size_t row, size_t col) {
    return &b->num[row * s->n_num + s->columns[col].slot];
}

static inline str *text_at(const struct tab_schema *s, struct tab_batch *b, size_t row, size_t col) {
    return &b->text[row * s->n_text + s->columns[col].slot];
}

/* ---- cells ---- */

static const char *const NUMPY[] = {"float64", "float32", "int64", "int32", "bool", "object"};

static err *not_convertible(const struct tab_column *c, const char *why) {
    return err_new(ERR_BAD_REQUEST,
                   "Data is not compatible with model signature. Failed to convert column %.*s to "
                   "type '%s'. Error: '%s'",
                   STR_ARG(c->name), NUMPY[c->type], why);
}

static err *put_number(const struct tab_column *c, double v, double *to) {
    if (c->type == TAB_LONG || c->type == TAB_INTEGER) {
        if (!isfinite(v))
            return not_convertible(c, "IntCastingNaNError('Cannot convert non-finite values (NA or "
                                      "inf) to integer')");
        v = trunc(v);
    } else if (c->type == TAB_BOOLEAN) {
        v = v != 0; /* NaN is true, as in numpy */
    } else if (c->type == TAB_FLOAT) {
        v = (double)(float)v;
    }
    *to = v;
    return NULL;
}

static err *put_text(const struct tab_column *c, str v, double *to) {
    double d;
    if (c->type == TAB_BOOLEAN) {
        *to = v.n != 0; /* as in numpy: a non-empty string is true */
        return NULL;
    }
    if (!str_to_f64(str_trim(v), &d)) {
        if (str_ieq(v, STR("nan")))
            d = NAN;
        else if (str_ieq(v, STR("inf")) || str_ieq(v, STR("infinity")))
            d = INFINITY;
        else if (str_ieq(v, STR("-inf")))
            d = -INFINITY;
        else
            return err_new(ERR_BAD_REQUEST,
                           "Data is not compatible with model signature. Failed to convert column "
                           "%.*s to type '%s'. Error: 'ValueError(\"could not convert string to "
                           "float: '%.*s'\")'",
                           STR_ARG(c->name), NUMPY[c->type], STR_ARG(str_cut(v, MAX_SHOWN)));
    }
    return put_number(c, d, to);
}

static err *missing_cell(const struct tab_schema *s, struct tab_batch *b, size_t row, size_t col) {
    const struct tab_column *c = &s->columns[col];
    if (c->type == TAB_STRING) {
        *text_at(s, b, row, col) = STR_NONE;
        return NULL;
    }
    if (c->type == TAB_DOUBLE || c->type == TAB_FLOAT) {
        *num_at(s, b, row, col) = NAN;
        return NULL;
    }
    return put_number(c, NAN, num_at(s, b, row, col));
}

static err *put_cell(const struct tab_schema *s, struct tab_batch *b, size_t row, size_t col,
                     jval *v) {
    const struct tab_column *c = &s->columns[col];
    if (yyjson_is_null(v)) return missing_cell(s, b, row, col);
    if (c->type == TAB_STRING) {
        if (!yyjson_is_str(v))
            return err_new(ERR_BAD_REQUEST,
                           "Incompatible input types for column %.*s. Can not safely convert %s to "
                           "<U0.",
                           STR_ARG(c->name),
                           yyjson_is_bool(v) ? "bool" : yyjson_is_int(v) ? "int64" : "float64");
        *text_at(s, b, row, col) = json_str(v);
        return NULL;
    }
    double *num = num_at(s, b, row, col);
    if (yyjson_is_num(v)) return put_number(c, yyjson_get_num(v), num);
    if (yyjson_is_bool(v)) return put_number(c, yyjson_get_bool(v) ? 1 : 0, num);
    if (yyjson_is_str(v)) return put_text(c, json_str(v), num);
    return not_convertible(c, "TypeError('a cell holds a list or an object')");
}

/* ---- finding columns ---- */

static ptrdiff_t column_at(const struct tab_schema *s, str name, size_t guess) {
    if (guess < s->n && str_eq(s->columns[guess].name, name)) return (ptrdiff_t)guess;
    for (size_t i = 0; i < s->n; i++)
        if (str_eq(s->columns[i].name, name)) return (ptrdiff_t)i;
    return -1;
}

/* The signature as MLflow prints it: ['age': double (required), 'city': string (optional)]. */
static void put_schema(const struct tab_schema *s, buf *b) {
    static const char *const names[] = {[TAB_DOUBLE] = "double", [TAB_FLOAT] = "float",     [TAB_INTEGER] = "integer",
                                        [TAB_LONG] = "long",     [TAB_BOOLEAN] = "boolean", [TAB_STRING] = "string"};
    for (size_t i = 0; i < s->n && b->n < 1000; i++) {
        const struct tab_column *c = &s->columns[i];
        buf_z(b, i ? ", " : "[");
        if (s->named) buf_fmt(b, "'%.*s': ", STR_ARG(str_cut(c->name, 200)));
        buf_fmt(b, "%s (%s)", names[c->type], c->required ? "required" : "optional");
    }
    buf_c(b, ']');
}

static err *schema_err(const struct tab_schema *s, str why) {
    buf text = {0};
    put_schema(s, &text);
    err *e = err_new(ERR_BAD_REQUEST, "Failed to enforce schema of data with schema '%.*s'. Error: %.*s", STR_ARG(buf_view(&text)), STR_ARG(why));
    buf_free(&text);
    return e;
}

static err *missing_columns(const struct tab_schema *s, const bool *seen, buf *extra) {
    buf names = {0};
    for (size_t i = 0; i < s->n; i++) {
        if (seen[i] || !s->columns[i].required) continue;
        if (names.n > 1000) continue;
        buf_fmt(&names, "%s'%.*s'", names.n ? ", " : "", STR_ARG(s->columns[i].name));
    }
    err *e = NULL;
    if (names.n) {
        buf why = {0};
        buf_fmt(&why, "Model is missing inputs [%.*s].", STR_ARG(buf_view(&names)));
        if (extra && extra->n) buf_fmt(&why, " Note that there were extra inputs: [%.*s].", STR_ARG(buf_view(extra)));
        e = schema_err(s, buf_view(&why));
        buf_free(&why);
    }
    buf_free(&names);
    return e;
}

/* Fills a column that is optional and absent. */
static err *fill_absent(const struct tab_schema *s, struct tab_batch *b, const bool *seen) {
    for (size_t c = 0; c < s->n; c++) {
        if (seen[c]) continue;
        for (size_t r = 0; r < b->rows; r++) {
            TRY(missing_cell(s, b, r, c));
        }
    }
    return NULL;
}

static void note_extra(buf *extra, str name) {
    if (extra->n < 500)
        buf_fmt(extra, "%s'%.*s'", extra->n ? ", " : "", STR_ARG(str_cut(name, 100)));
}

/* ---- the forms ---- */

/* One row given as an object. */
static err *record_row(const struct tab_schema *s, struct tab_batch *b, size_t row, jval *o,
                       bool *seen) {
    memset(seen, 0, s->n);
    buf extra = {0};
    size_t i, n;
    jval *k, *v;
    err *e = NULL;
    yyjson_obj_foreach(o, i, n, k, v) {
        ptrdiff_t c = column_at(s, json_str(k), i);
        if (c < 0) {
            note_extra(&extra, json_str(k));
            continue;
        }
        seen[c] = true;
        e = put_cell(s, b, row, (size_t)c, v);
        if (e) break;
    }
    for (size_t c = 0; !e && c < s->n; c++) {
        if (seen[c]) continue;
        /* In a list of records a key that only some rows have is NaN in the others. */
        if (row == 0 || !s->columns[c].required) {
            if (s->columns[c].required) e = missing_columns(s, seen, &extra);
            if (e) break;
        }
        e = missing_cell(s, b, row, c);
    }
    buf_free(&extra);
    return e;
}

static err *wrong_width(const struct tab_schema *s, size_t got) {
    char why[80];
    snprintf(why, sizeof(why), "%zu columns passed, the model has %zu inputs.", got, s->n);
    return schema_err(s, str_of(why));
}

/* A row given as an array; map[i] is the schema's column of element i, -1 to drop it. */
static err *array_row(const struct tab_schema *s, struct tab_batch *b, size_t row, jval *arr,
                      const ptrdiff_t *map, size_t width) {
    if (!yyjson_is_arr(arr) || yyjson_arr_size(arr) != width)
        return err_new(ERR_BAD_REQUEST,
                       "Provided dataframe_split field is not a valid dataframe representation in "
                       "'split' format. Error: '%zu columns passed, passed data had %zu columns'",
                       width, yyjson_is_arr(arr) ? yyjson_arr_size(arr) : (size_t)1);
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(arr, i, n, v) {
        ptrdiff_t c = map ? map[i] : (ptrdiff_t)i;
        if (c >= 0) TRY(put_cell(s, b, row, (size_t)c, v));
    }
    return NULL;
}

static err *rows_by_position(const struct tab_schema *s, struct tab_batch *b, jval *rows) {
    TRY(set_size(s, b, yyjson_arr_size(rows)));
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(rows, i, n, v) {
        if (yyjson_is_arr(v)) {
            if (yyjson_arr_size(v) != s->n) return wrong_width(s, yyjson_arr_size(v));
            TRY(array_row(s, b, i, v, NULL, s->n));
        } else {
            if (s->n != 1) return wrong_width(s, 1);
            TRY(put_cell(s, b, i, 0, v));
        }
    }
    return NULL;
}

static err *records(const struct tab_schema *s, struct tab_batch *b, jval *rows, bool *seen) {
    if (!yyjson_is_arr(rows))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Dataframe records format must be a list of records. Got %s.",
                       yyjson_is_obj(rows) ? "dictionary" : "another type");
    jval *first = yyjson_arr_get_first(rows);
    if (!s->named || (first && !yyjson_is_obj(first))) return rows_by_position(s, b, rows);
    TRY(set_size(s, b, yyjson_arr_size(rows)));
    size_t i, n;
    jval *v;
    yyjson_arr_foreach(rows, i, n, v) {
        if (!yyjson_is_obj(v))
            return err_new(ERR_INVALID_PARAMETER_VALUE,
                           "Dataframe records format must be a list of records.");
        TRY(record_row(s, b, i, v, seen));
    }
    return NULL;
}

static err *split_columns(const struct tab_schema *s, jval *cols, ptrdiff_t *map, bool *seen) {
    buf extra = {0};
    size_t i, n;
    jval *v;
    memset(seen, 0, s->n);
    yyjson_arr_foreach(cols, i, n, v) {
        str name = json_str(v);
        map[i] = yyjson_is_str(v) ? column_at(s, name, i) : -1;
        if (map[i] >= 0)
            seen[map[i]] = true;
        else
            note_extra(&extra, name);
    }
    err *e = missing_columns(s, seen, &extra);
    buf_free(&extra);
    return e;
}

static err *split(const struct tab_schema *s, struct tab_batch *b, jval *o, bool *seen) {
    if (yyjson_is_arr(o) && yyjson_arr_size(o) == 1) o = yyjson_arr_get_first(o);
    if (!yyjson_is_obj(o))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Dataframe split format must be a dictionary. Got %s.",
                       yyjson_is_arr(o) ? "list" : "another type");
    jval *data = json_get(o, "data"), *cols = json_get(o, "columns");
    if (!yyjson_is_arr(data))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "Dataframe split format must have 'data' field and optionally 'columns' and "
                       "'index' fields.");
    if (!s->named || !yyjson_is_arr(cols)) return rows_by_position(s, b, data);
    size_t width = yyjson_arr_size(cols);
    if (width > TAB_MAX_COLUMNS) return wrong_width(s, width);
    ptrdiff_t small[64], *map = width > 64 ? malloc(width * sizeof(*map)) : small;
    must(map != NULL);
    err *e = split_columns(s, cols, map, seen);
    if (!e) e = set_size(s, b, yyjson_arr_size(data));
    size_t i, n;
    jval *v;
    if (!e) yyjson_arr_foreach(data, i, n, v) {
        e = array_row(s, b, i, v, map, width);
        if (e) break;
    }
    if (map != small) free(map);
    return e ? e : fill_absent(s, b, seen);
}

/* {"col":[…], …}: all columns of one length; a scalar counts as one row. */
static err *by_column(const struct tab_schema *s, struct tab_batch *b, jval *o, bool *seen) {
    size_t i, n, rows = 0;
    bool first = true;
    jval *k, *v;
    buf extra = {0};
    memset(seen, 0, s->n);
    yyjson_obj_foreach(o, i, n, k, v) {
        ptrdiff_t c = column_at(s, json_str(k), i);
        if (c < 0) {
            note_extra(&extra, json_str(k));
            continue;
        }
        seen[c] = true;
        size_t len = yyjson_is_arr(v) ? yyjson_arr_size(v) : 1;
        if (!first && len != rows) {
            buf_free(&extra);
            return err_new(ERR_BAD_REQUEST,
                           "The length of values for each input/column name are not the same");
        }
        rows = len;
        first = false;
    }
    err *e = missing_columns(s, seen, &extra);
    buf_free(&extra);
    if (!e) e = set_size(s, b, rows);
    if (e) return e;
    yyjson_obj_foreach(o, i, n, k, v) {
        ptrdiff_t c = column_at(s, json_str(k), i);
        if (c < 0) continue;
        if (!yyjson_is_arr(v)) {
            TRY(put_cell(s, b, 0, (size_t)c, v));
            continue;
        }
        size_t j, m;
        jval *x;
        yyjson_arr_foreach(v, j, m, x) {
            jval *cell = yyjson_is_arr(x) && yyjson_arr_size(x) == 1 ? yyjson_arr_get_first(x) : x;
            TRY(put_cell(s, b, j, (size_t)c, cell));
        }
    }
    return fill_absent(s, b, seen);
}

static err *tensor_like(const struct tab_schema *s, struct tab_batch *b, jval *v, bool *seen) {
    if (yyjson_is_obj(v)) return by_column(s, b, v, seen);
    if (!yyjson_is_arr(v))
        return err_new(ERR_BAD_REQUEST, "The input must be a list or a dictionary.");
    return records(s, b, v, seen);
}

static err *choose(const struct tab_schema *s, struct tab_batch *b, jval *root, bool *seen) {
    static const char *const names[] = {"dataframe_split", "dataframe_records", "instances",
                                        "inputs"};
    jval *found = NULL;
    size_t which = 0, count = 0;
    if (!yyjson_is_obj(root))
        return err_new(ERR_BAD_REQUEST,
                       "The input must be a JSON dictionary with exactly one of the input fields "
                       FORMATS ". Received a %s.",
                       yyjson_is_arr(root) ? "list" : "value");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        jval *v = yyjson_obj_get(root, names[i]);
        if (!v) continue;
        count++;
        found = v;
        which = i;
    }
    if (count != 1) {
        buf keys = {0};
        size_t i, n;
        jval *k, *v;
        yyjson_obj_foreach(root, i, n, k, v) {
            if (keys.n < 500) buf_fmt(&keys, "%s'%.100s'", keys.n ? ", " : "", yyjson_get_str(k));
        }
        err *e = err_new(ERR_BAD_REQUEST,
                         "The input must be a JSON dictionary with exactly one of the input fields "
                         FORMATS ". Received dictionary with input fields: [%.*s]. IMPORTANT: The "
                         "MLflow Model scoring protocol has changed in MLflow version 2.0.",
                         STR_ARG(buf_view(&keys)));
        buf_free(&keys);
        return e;
    }
    if (which >= 2 && yyjson_obj_get(root, "signature_name"))
        return err_new(ERR_INVALID_PARAMETER_VALUE,
                       "'signature_name' parameter is currently not supported");
    b->client_request_id = json_get_str(root, "client_request_id");
    switch (which) {
    case 0: return split(s, b, found, seen);
    case 1: return records(s, b, found, seen);
    default: return tensor_like(s, b, found, seen);
    }
}

err *tab_read_json(const struct tab_schema *s, str body, struct tab_batch *b) {
    size_t need = yyjson_read_max_memory_usage(body.n, YYJSON_READ_ALLOW_INF_AND_NAN);
    if (need > b->cap_pool) {
        void *p = realloc(b->pool, need);
        must(p != NULL);
        b->pool = p;
        b->cap_pool = need;
    }
    yyjson_alc alc;
    must(yyjson_alc_pool_init(&alc, b->pool, b->cap_pool));
    yyjson_read_err re;
    yyjson_doc *doc = yyjson_read_opts((char *)(uintptr_t)body.p, body.n,
                                       YYJSON_READ_ALLOW_INF_AND_NAN, &alc, &re);
    if (!doc)
        return err_new(ERR_BAD_REQUEST,
                       "Failed to parse input from JSON. Ensure that input is a valid JSON formatted "
                       "string. Error: '%s at byte %zu'",
                       re.msg, re.pos);
    bool small[256], *seen = s->n > sizeof(small) ? malloc(s->n) : small;
    must(seen != NULL);
    b->client_request_id = STR_NONE;
    err *e = choose(s, b, yyjson_doc_get_root(doc), seen);
    if (seen != small) free(seen);
    return e;
}

/* ---- CSV: RFC 4180 with a header line ---- */

/* Next field of a record; *end_of_record set when its line ends. Quoted fields may hold newlines;
 * "" inside quotes is one quote (unescaped into `out`). */
static bool csv_field(str *rest, buf *out, bool *end_of_record, bool *quoted) {
    buf_clear(out);
    *end_of_record = *quoted = false;
    size_t i = 0;
    if (rest->n && rest->p[0] == '"') {
        *quoted = true;
        for (i = 1;; i++) {
            if (i >= rest->n) return false;
            if (rest->p[i] != '"') {
                buf_c(out, rest->p[i]);
            } else if (i + 1 < rest->n && rest->p[i + 1] == '"') {
                buf_c(out, '"');
                i++;
            } else {
                break;
            }
        }
        i++;
    } else {
        while (i < rest->n && rest->p[i] != ',' && rest->p[i] != '\n' && rest->p[i] != '\r') i++;
        buf_add(out, rest->p, i);
    }
    if (i < rest->n && rest->p[i] == '\r') i++;
    if (i >= rest->n || rest->p[i] == '\n')
        *end_of_record = true;
    else if (rest->p[i] != ',')
        return false;
    *rest = str_from(*rest, i + (i < rest->n));
    return true;
}

static err *csv_error(const char *why) {
    return err_new(ERR_BAD_REQUEST,
                   "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid "
                   "CSV-formatted Pandas DataFrame produced using the `pandas.DataFrame.to_csv()` "
                   "method. Error: '%s'",
                   why);
}

struct csv_in {
    const struct tab_schema *s;
    struct tab_batch *b;
    str rest;
    buf field;
    ptrdiff_t *map;
    size_t width;
    bool *seen;
};

static err *csv_header(struct csv_in *in) {
    buf extra = {0};
    bool end = false, quoted;
    err *e = NULL;
    memset(in->seen, 0, in->s->n);
    while (!e && !end) {
        if (in->width == TAB_MAX_COLUMNS || !csv_field(&in->rest, &in->field, &end, &quoted)) {
            e = csv_error("malformed header line");
            break;
        }
        str name = buf_view(&in->field);
        ptrdiff_t c = in->s->named ? column_at(in->s, name, in->width)
                      : in->width < in->s->n ? (ptrdiff_t)in->width
                                             : -1;
        in->map[in->width++] = c;
        if (c >= 0)
            in->seen[c] = true;
        else
            note_extra(&extra, name);
    }
    if (!e) e = missing_columns(in->s, in->seen, &extra);
    buf_free(&extra);
    return e;
}

/* pandas reads true, false, 1 and 0 into a column of booleans, and nothing else. */
static err *csv_bool(str v, double *to) {
    bool yes = str_ieq(v, STR("true")) || str_eqz(v, "1");
    if (!v.n) return csv_error("Bool column has NA values");
    if (!yes && !str_ieq(v, STR("false")) && !str_eqz(v, "0"))
        return csv_error("cannot safely convert passed user dtype of bool for object dtyped data");
    *to = yes;
    return NULL;
}

static err *csv_cell(struct csv_in *in, size_t row, size_t col, bool quoted) {
    const struct tab_column *c = &in->s->columns[col];
    str v = buf_view(&in->field);
    if (c->type == TAB_BOOLEAN) return csv_bool(v, num_at(in->s, in->b, row, col));
    if (v.n == 0 && !quoted) return missing_cell(in->s, in->b, row, col);
    if (c->type == TAB_STRING) {
        /* The field's buffer is reused: strings are kept in the pool, behind those before. */
        size_t used = in->b->pool_used;
        must(used + v.n <= in->b->cap_pool);
        char *to = (char *)in->b->pool + used;
        memcpy(to, v.p, v.n);
        in->b->pool_used = used + v.n;
        *text_at(in->s, in->b, row, col) = str_n(to, v.n);
        return NULL;
    }
    double *num = num_at(in->s, in->b, row, col);
    if (str_ieq(v, STR("true")) || str_ieq(v, STR("false")))
        return put_number(c, str_ieq(v, STR("true")) ? 1 : 0, num);
    return put_text(c, v, num);
}

static size_t count_lines(str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == '\n';
    return n + (s.n && s.p[s.n - 1] != '\n');
}

static err *csv_rows(struct csv_in *in) {
    size_t row = 0, most = count_lines(in->rest);
    TRY(set_size(in->s, in->b, most));
    while (in->rest.n) {
        if (in->rest.p[0] == '\n' || str_starts(in->rest, STR("\r\n"))) {
            in->rest = str_from(in->rest, in->rest.p[0] == '\n' ? 1 : 2);
            continue; /* blank lines are skipped, as pandas does */
        }
        bool end = false, quoted;
        size_t i = 0;
        while (!end) {
            if (!csv_field(&in->rest, &in->field, &end, &quoted)) return csv_error("malformed line");
            if (i == in->width) return csv_error("a line has more fields than the header");
            if (in->map[i] >= 0) TRY(csv_cell(in, row, (size_t)in->map[i], quoted));
            i++;
        }
        if (i < in->width) return csv_error("a line has fewer fields than the header");
        row++;
    }
    in->b->rows = row;
    return fill_absent(in->s, in->b, in->seen);
}

err *tab_read_csv(const struct tab_schema *s, str body, struct tab_batch *b) {
    if (body.n > b->cap_pool) {
        void *p = realloc(b->pool, body.n);
        must(p != NULL);
        b->pool = p;
        b->cap_pool = body.n;
    }
    b->pool_used = 0;
    b->client_request_id = STR_NONE;
    struct csv_in in = {.s = s, .b = b, .rest = body};
    in.map = malloc(TAB_MAX_COLUMNS * sizeof(*in.map));
    in.seen = malloc(s->n + 1);
    must(in.map && in.seen);
    err *e = csv_header(&in);
    if (!e) e = csv_rows(&in);
    free(in.map);
    free(in.seen);
    buf_free(&in.field);
    return e;
}
