/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's wire format: a message is a sequence of fields, each a varint tag (number << 3 | type)
 * and a value:
 *
 *   type 0  varint (at most 10 bytes, 7 bits each, low first)
 *   type 1  8 bytes, little-endian            type 5  4 bytes, little-endian
 *   type 2  varint length, then that many bytes: text, bytes or a message
 *
 * Unknown fields are passed over, as protobuf demands; types 3 and 4 (groups) are refused. Every
 * length is checked against what is left, so the reader never goes past its slice. Messages nest
 * (resource → scope → span → attribute → list …) no deeper than OTLP_MAX_DEPTH.
 *
 * What is read is written at once as protobuf-JSON (snake_case names, bytes in base64, 64-bit
 * numbers as texts), the form in which spans are kept and given back.
 */
#include "mlflow/otlp.h"

#include <stdlib.h>

#include "base/enc.h"
#include "base/vec.h"

struct field {
    uint32_t number;
    uint8_t type;
    uint64_t n; /* types 0, 1, 5 */
    str bytes;  /* type 2 */
};

static bool varint(str *in, uint64_t *ret) {
    uint64_t v = 0;
    for (size_t i = 0; i < 10 && i < in->n; i++) {
        unsigned char c = (unsigned char)in->p[i];
        v |= (uint64_t)(c & 0x7f) << (7 * i);
        if (c & 0x80) continue;
        *in = str_from(*in, i + 1);
        *ret = v;
        return true;
    }
    return false;
}

static bool fixed(str *in, size_t n, uint64_t *ret) {
    if (in->n < n) return false;
    uint64_t v = 0;
    for (size_t i = n; i-- > 0;) v = v << 8 | (unsigned char)in->p[i];
    *in = str_from(*in, n);
    *ret = v;
    return true;
}

/* The next field; false on malformed bytes. Call while in->n > 0. */
static bool next(str *in, struct field *f) {
    uint64_t tag, n;
    if (!varint(in, &tag) || tag >> 3 == 0 || tag >> 3 > 0x1fffffff) return false;
    *f = (struct field){.number = (uint32_t)(tag >> 3), .type = (uint8_t)(tag & 7)};
    switch (f->type) {
    case 0:
        return varint(in, &f->n);
    case 1:
        return fixed(in, 8, &f->n);
    case 5:
        return fixed(in, 4, &f->n);
    case 2:
        if (!varint(in, &n) || n > in->n) return false;
        f->bytes = str_n(in->p, (size_t)n);
        *in = str_from(*in, (size_t)n);
        return true;
    default:
        return false;
    }
}

static err *malformed(const char *what) BH_CHECK;
static err *malformed(const char *what) {
    return err_new(ERR_MALFORMED_REQUEST, "Invalid OpenTelemetry format: %s.", what);
}

struct reader {
    arena *a;
    jdoc *d;
    vec_of(struct otlp_span) spans;
};

static bool is_text(const struct field *f) { return f->type == 2 && str_is_utf8(f->bytes); }

/* An empty text is not an absent one. */
static str text_of(const struct field *f) { return f->bytes.n ? f->bytes : STR(""); }

static void put_bytes(struct reader *r, jmut *o, const char *k, str bytes) {
    buf b = {0};
    enc_base64(&b, bytes);
    json_put_str(r->d, o, k, arena_str(r->a, buf_view(&b)));
    buf_free(&b);
}

static void put_u64(struct reader *r, jmut *o, const char *k, uint64_t n) {
    json_put_str(r->d, o, k, str_of(arena_printf(r->a, "%llu", (unsigned long long)n)));
}

/* ---- values ---- */

static err *any_value(struct reader *r, str in, jmut *o, int depth);
static err *key_value(struct reader *r, str in, jmut *list, int depth);

/* ArrayValue and KeyValueList: repeated field 1. */
static err *values(struct reader *r, str in, jmut *list, bool keyed, int depth) {
    struct field f;
    while (in.n) {
        if (!next(&in, &f)) return malformed("a list of values");
        if (f.number != 1 || f.type != 2) continue;
        if (keyed)
            TRY(key_value(r, f.bytes, list, depth + 1));
        else
            TRY(any_value(r, f.bytes, json_add_obj(r->d, list), depth + 1));
    }
    return NULL;
}

static err *any_value(struct reader *r, str in, jmut *o, int depth) {
    struct field f;
    double x;
    if (depth > OTLP_MAX_DEPTH) return malformed("values nest too deep");
    while (in.n) {
        if (!next(&in, &f)) return malformed("a value");
        if (f.number == 1 && f.type == 2) {
            if (!is_text(&f)) return malformed("a text is not UTF-8");
            json_put_str(r->d, o, "string_value", text_of(&f));
        } else if (f.number == 2 && f.type == 0) {
            json_put_bool(r->d, o, "bool_value", f.n != 0);
        } else if (f.number == 3 && f.type == 0) {
            json_put_str(r->d, o, "int_value",
                         str_of(arena_printf(r->a, "%lld", (long long)(int64_t)f.n)));
        } else if (f.number == 4 && f.type == 1) {
            memcpy(&x, &f.n, sizeof(x));
            json_put_f64(r->d, o, "double_value", x);
        } else if (f.number == 5 && f.type == 2) {
            TRY(values(r, f.bytes,
                       json_put_arr(r->d, json_put_obj(r->d, o, "array_value"), "values"), false,
                       depth));
        } else if (f.number == 6 && f.type == 2) {
            TRY(values(r, f.bytes,
                       json_put_arr(r->d, json_put_obj(r->d, o, "kvlist_value"), "values"), true,
                       depth));
        } else if (f.number == 7 && f.type == 2) {
            put_bytes(r, o, "bytes_value", f.bytes);
        }
    }
    return NULL;
}

static err *key_value(struct reader *r, str in, jmut *list, int depth) {
    struct field f;
    jmut *o = json_add_obj(r->d, list);
    while (in.n) {
        if (!next(&in, &f)) return malformed("an attribute");
        if (f.number == 1 && f.type == 2) {
            if (!is_text(&f)) return malformed("a key is not UTF-8");
            json_put_str(r->d, o, "key", text_of(&f));
        } else if (f.number == 2 && f.type == 2) {
            TRY(any_value(r, f.bytes, json_put_obj(r->d, o, "value"), depth + 1));
        }
    }
    return NULL;
}

/* ---- spans ---- */

static jmut *list_of(struct reader *r, jmut *o, const char *k) {
    jmut *list = yyjson_mut_obj_get(o, k);
    return list ? list : json_put_arr(r->d, o, k);
}

static err *event(struct reader *r, str in, jmut *o) {
    struct field f;
    while (in.n) {
        if (!next(&in, &f)) return malformed("an event");
        if (f.number == 1 && f.type == 1) put_u64(r, o, "time_unix_nano", f.n);
        if (f.number == 2 && f.type == 2) {
            if (!is_text(&f)) return malformed("a name is not UTF-8");
            json_put_str(r->d, o, "name", text_of(&f));
        }
        if (f.number == 3 && f.type == 2)
            TRY(key_value(r, f.bytes, list_of(r, o, "attributes"), 0));
    }
    return NULL;
}

static err *link_to(struct reader *r, str in, jmut *o) {
    struct field f;
    while (in.n) {
        if (!next(&in, &f)) return malformed("a link");
        if (f.number == 1 && f.type == 2) put_bytes(r, o, "trace_id", f.bytes);
        if (f.number == 2 && f.type == 2) put_bytes(r, o, "span_id", f.bytes);
        if (f.number == 4 && f.type == 2)
            TRY(key_value(r, f.bytes, list_of(r, o, "attributes"), 0));
    }
    return NULL;
}

static err *status(struct reader *r, str in, jmut *o, struct otlp_span *s) {
    static const char *const names[] = {"STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"};
    struct field f;
    while (in.n) {
        if (!next(&in, &f)) return malformed("a status");
        if (f.number == 2 && f.type == 2) {
            if (!is_text(&f)) return malformed("a message is not UTF-8");
            json_put_str(r->d, o, "message", text_of(&f));
        }
        if (f.number == 3 && f.type == 0 && f.n < 3) {
            json_put_z(r->d, o, "code", names[f.n]);
            s->error = f.n == 2;
            s->row.status = str_of(names[f.n] + 12);
        }
    }
    return NULL;
}

/* Texts of the tree point into the message: no zero ends them. */
static str view(jmut *v) {
    return yyjson_mut_is_str(v) ? str_n(yyjson_mut_get_str(v), yyjson_mut_get_len(v)) : STR_NONE;
}

/* An attribute's text; MLflow's clients write JSON into it, so a text has quotes of its own. */
static str attribute(struct reader *r, jmut *attributes, str key, bool unquote) {
    size_t i, max;
    jmut *x;
    yyjson_mut_arr_foreach(attributes, i, max, x) {
        if (!str_eq(view(yyjson_mut_obj_get(x, "key")), key)) continue;
        str s = view(yyjson_mut_obj_get(yyjson_mut_obj_get(x, "value"), "string_value"));
        jval *j;
        if (!unquote || s.n < 2 || s.p[0] != '"') return s;
        err *e = json_parse(r->a, s, false, &j);
        bool ok = !e && yyjson_is_str(j);
        err_free(e);
        return ok ? json_str(j) : s;
    }
    return STR_NONE;
}

#define TAG_PREFIX STR("mlflow.traceTag.")

static void trace_tags(struct reader *r, jmut *attributes, struct otlp_span *s) {
    size_t i, max, n = yyjson_mut_arr_size(attributes);
    jmut *x;
    s->tags.p = arena_array_of(r->a, struct mlflow_pair, n + 1);
    yyjson_mut_arr_foreach(attributes, i, max, x) {
        str key = view(yyjson_mut_obj_get(x, "key"));
        if (!str_starts(key, TAG_PREFIX)) continue;
        str v = attribute(r, attributes, key, true);
        if (v.p) s->tags.p[s->tags.n++] = (struct mlflow_pair){str_from(key, TAG_PREFIX.n), v};
    }
}

static str hex_of(struct reader *r, str bytes) {
    buf b = {0};
    enc_hex(&b, bytes);
    str s = arena_str(r->a, buf_view(&b));
    buf_free(&b);
    return s;
}

static err *span_field(struct reader *r, const struct field *f, jmut *o, struct otlp_span *s) {
    switch (f->number << 3 | f->type) {
    case 1 << 3 | 2:
        if (f->bytes.n != 16) return malformed("a trace_id is not 16 bytes long");
        put_bytes(r, o, "trace_id", f->bytes);
        s->trace_id = str_of(arena_printf(r->a, "tr-%.*s", STR_ARG(hex_of(r, f->bytes))));
        return NULL;
    case 2 << 3 | 2:
        if (f->bytes.n != 8) return malformed("a span_id is not 8 bytes long");
        put_bytes(r, o, "span_id", f->bytes);
        s->row.span_id = hex_of(r, f->bytes);
        return NULL;
    case 3 << 3 | 2:
        if (!is_text(f)) return malformed("a trace_state is not UTF-8");
        json_put_str(r->d, o, "trace_state", text_of(f));
        return NULL;
    case 4 << 3 | 2:
        s->root = f->bytes.n == 0;
        if (!s->root) put_bytes(r, o, "parent_span_id", f->bytes);
        return NULL;
    case 5 << 3 | 2:
        if (!is_text(f)) return malformed("a name is not UTF-8");
        s->row.name = text_of(f);
        json_put_str(r->d, o, "name", s->row.name);
        return NULL;
    case 6 << 3 | 0:
        json_put_int(r->d, o, "kind", (int64_t)(f->n & 7));
        return NULL;
    case 7 << 3 | 1:
        s->start = (int64_t)(f->n & INT64_MAX);
        put_u64(r, o, "start_time_unix_nano", f->n);
        return NULL;
    case 8 << 3 | 1:
        s->end = (int64_t)(f->n & INT64_MAX);
        put_u64(r, o, "end_time_unix_nano", f->n);
        return NULL;
    case 9 << 3 | 2:
        return key_value(r, f->bytes, list_of(r, o, "attributes"), 0);
    case 11 << 3 | 2:
        return event(r, f->bytes, json_add_obj(r->d, list_of(r, o, "events")));
    case 13 << 3 | 2:
        return link_to(r, f->bytes, json_add_obj(r->d, list_of(r, o, "links")));
    case 15 << 3 | 2:
        if (yyjson_mut_obj_get(o, "status")) return malformed("two statuses");
        return status(r, f->bytes, json_put_obj(r->d, o, "status"), s);
    default:
        return NULL;
    }
}

static err *one_span(struct reader *r, str in) {
    struct field f;
    struct otlp_span s = {.root = true, .row = {.name = STR(""), .status = STR("UNSET")}};
    jmut *o = yyjson_mut_obj(r->d);
    if (r->spans.n == OTLP_MAX_SPANS) return malformed("too many spans in one request");
    while (in.n) {
        if (!next(&in, &f)) return malformed("a span");
        TRY(span_field(r, &f, o, &s));
    }
    if (!s.trace_id.n || !s.row.span_id.n) return malformed("a span has no id");
    jmut *attributes = yyjson_mut_obj_get(o, "attributes");
    str id = attribute(r, attributes, STR("mlflow.traceRequestId"), true);
    if (id.n && id.n <= 100) s.trace_id = id;
    s.row.type = attribute(r, attributes, STR("mlflow.spanType"), true);
    s.row.start_time = s.start;
    if (s.root) {
        s.inputs = attribute(r, attributes, STR("mlflow.spanInputs"), false);
        s.outputs = attribute(r, attributes, STR("mlflow.spanOutputs"), false);
        trace_tags(r, attributes, &s);
    }
    s.row.body = json_text(r->a, o);
    vec_push(&r->spans, s);
    return NULL;
}

/* Field 2 of ResourceSpans is ScopeSpans, whose field 2 is Span. */
static err *scope_spans(struct reader *r, str in) {
    struct field f;
    while (in.n) {
        if (!next(&in, &f)) return malformed("scope_spans");
        if (f.number == 2 && f.type == 2) TRY(one_span(r, f.bytes));
    }
    return NULL;
}

static err *resource_spans(struct reader *r, str in) {
    struct field f;
    while (in.n) {
        if (!next(&in, &f)) return malformed("resource_spans");
        if (f.number == 2 && f.type == 2) TRY(scope_spans(r, f.bytes));
    }
    return NULL;
}

static err *request(struct reader *r, str in) {
    struct field f;
    while (in.n) {
        if (!next(&in, &f)) return malformed("the request");
        if (f.number == 1 && f.type == 2) TRY(resource_spans(r, f.bytes));
    }
    return NULL;
}

err *otlp_parse(arena *a, str bytes, struct otlp_spans *ret) {
    struct reader r = {.a = a, .d = json_doc(a)};
    err *e = request(&r, bytes);
    if (!e) {
        ret->p = arena_array_of(a, struct otlp_span, r.spans.n + 1);
        ret->n = r.spans.n;
        if (r.spans.n) memcpy(ret->p, r.spans.p, r.spans.n * sizeof(*r.spans.p));
    }
    vec_free(&r.spans);
    return e;
}
