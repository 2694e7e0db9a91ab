/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/worker/footer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"

#define MAX_NODES 100000
#define MAX_DEPTH 100

/* ---- Thrift compact, as far as it is needed ---- */

enum { T_STOP, T_TRUE, T_FALSE, T_BYTE, T_I16, T_I32, T_I64, T_DOUBLE, T_BINARY, T_LIST, T_SET, T_MAP, T_STRUCT, T_UUID };

struct in {
    const unsigned char *p, *end, *schema;
    bool bad;
    int depth;
};

static uint64_t varint(struct in *in) {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (in->p >= in->end) break;
        unsigned char c = *in->p++;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80)) return v;
    }
    in->bad = true;
    return 0;
}

static int64_t zigzag(struct in *in) {
    uint64_t v = varint(in);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static str binary(struct in *in) {
    uint64_t n = varint(in);
    if (in->bad || n > (uint64_t)(in->end - in->p)) {
        in->bad = true;
        return STR_NONE;
    }
    str s = str_n((const char *)in->p, (size_t)n);
    in->p += n;
    return s;
}

/* The next field of a struct: its type, 0 at the end; *id is kept between calls. */
static int field(struct in *in, int *id) {
    if (in->bad || in->p >= in->end) return in->bad = true, 0;
    unsigned char c = *in->p++;
    int type = c & 15, step = c >> 4;
    if (type == T_STOP) return 0;
    *id = step ? *id + step : (int)zigzag(in);
    return in->bad ? 0 : type;
}

static uint64_t list_head(struct in *in, int *type) {
    if (in->p >= in->end) return in->bad = true, 0;
    unsigned char c = *in->p++;
    *type = c & 15;
    uint64_t n = c >> 4;
    if (n == 15) n = varint(in);
    if (n > (uint64_t)(in->end - in->p)) in->bad = true;
    return in->bad ? 0 : n;
}

static void skip(struct in *in, int type) {
    if (in->bad || ++in->depth > MAX_DEPTH) {
        in->bad = true;
        return;
    }
    int t, id = 0;
    uint64_t n;
    switch (type) {
    case T_TRUE:
    case T_FALSE: break;
    case T_BYTE: in->p < in->end ? (void)in->p++ : (void)(in->bad = true); break;
    case T_I16:
    case T_I32:
    case T_I64: varint(in); break;
    case T_DOUBLE: in->end - in->p >= 8 ? (void)(in->p += 8) : (void)(in->bad = true); break;
    case T_UUID: in->end - in->p >= 16 ? (void)(in->p += 16) : (void)(in->bad = true); break;
    case T_BINARY: binary(in); break;
    case T_LIST:
    case T_SET:
        n = list_head(in, &t);
        for (uint64_t i = 0; i < n && !in->bad; i++) {
            if (t == T_TRUE || t == T_FALSE)
                in->p < in->end ? (void)in->p++ : (void)(in->bad = true);
            else
                skip(in, t);
        }
        break;
    case T_MAP: {
        n = varint(in);
        if (!n) break;
        if (in->p >= in->end) { in->bad = true; break; }
        int kv = *in->p++;
        for (uint64_t i = 0; i < n && !in->bad; i++) skip(in, kv >> 4), skip(in, kv & 15);
        break;
    }
    case T_STRUCT:
        while ((t = field(in, &id))) skip(in, t);
        break;
    default: in->bad = true;
    }
    in->depth--;
}

/* ---- the schema ---- */

static void read_unit(struct in *in, char *unit) {
    int t, id = 0;
    while ((t = field(in, &id))) {
        if (id >= 1 && id <= 3) *unit = "mun"[id - 1];
        skip(in, t);
    }
}

static void logical_body(struct in *in, struct footer_node *n) {
    int t, id = 0;
    while ((t = field(in, &id))) {
        if (n->logical == LOG_DECIMAL && t == T_I32)
            *(id == 1 ? &n->scale : &n->precision) = (int)zigzag(in);
        else if ((n->logical == LOG_TIME || n->logical == LOG_TIMESTAMP) && id == 1 && (t == T_TRUE || t == T_FALSE))
            n->utc = t == T_TRUE;
        else if ((n->logical == LOG_TIME || n->logical == LOG_TIMESTAMP) && id == 2 && t == T_STRUCT)
            read_unit(in, &n->unit);
        else if (n->logical == LOG_INT && id == 1 && t == T_BYTE && in->p < in->end)
            n->bits = *in->p++;
        else if (n->logical == LOG_INT && id == 2 && (t == T_TRUE || t == T_FALSE))
            n->is_signed = t == T_TRUE;
        else
            skip(in, t);
    }
}

static void read_logical(struct in *in, struct footer_node *n) {
    static const enum footer_logical kinds[] = {[1] = LOG_STRING, [2] = LOG_MAP, [3] = LOG_LIST, [4] = LOG_ENUM, [5] = LOG_DECIMAL,
        [6] = LOG_DATE, [7] = LOG_TIME, [8] = LOG_TIMESTAMP, [10] = LOG_INT, [11] = LOG_OTHER, [12] = LOG_JSON, [13] = LOG_BSON,
        [14] = LOG_UUID, [15] = LOG_OTHER, [16] = LOG_VARIANT};
    int t, id = 0;
    while ((t = field(in, &id))) {
        if (t != T_STRUCT || id < 1 || (size_t)id >= ARRAY_LEN(kinds)) {
            skip(in, t);
            continue;
        }
        n->logical = kinds[id];
        /* Ids above 15 are written out, in a byte of their own where they are below 64. */
        if (n->logical == LOG_VARIANT) n->annotated_at = (uint32_t)(in->p - 1 - in->schema);
        logical_body(in, n);
    }
}

static void of_converted(struct footer_node *n, int64_t converted) {
    static const struct {
        enum footer_logical logical;
        int bits;
        bool is_signed;
        char unit;
    } rows[] = {{LOG_STRING, 0, 0, 0}, {LOG_MAP, 0, 0, 0}, {LOG_MAP, 0, 0, 0}, {LOG_LIST, 0, 0, 0}, {LOG_ENUM, 0, 0, 0}, {LOG_DECIMAL, 0, 0, 0},
                {LOG_DATE, 0, 0, 0}, {LOG_TIME, 0, 0, 'm'}, {LOG_TIME, 0, 0, 'u'}, {LOG_TIMESTAMP, 0, 0, 'm'}, {LOG_TIMESTAMP, 0, 0, 'u'},
                {LOG_INT, 8, 0, 0}, {LOG_INT, 16, 0, 0}, {LOG_INT, 32, 0, 0}, {LOG_INT, 64, 0, 0}, {LOG_INT, 8, 1, 0}, {LOG_INT, 16, 1, 0},
                {LOG_INT, 32, 1, 0}, {LOG_INT, 64, 1, 0}, {LOG_JSON, 0, 0, 0}, {LOG_BSON, 0, 0, 0}, {LOG_INTERVAL, 0, 0, 0}};
    if (converted < 0 || converted >= (int64_t)ARRAY_LEN(rows) || n->logical != LOG_NONE) return;
    n->logical = rows[converted].logical;
    n->bits = rows[converted].bits, n->is_signed = rows[converted].is_signed;
    n->unit = rows[converted].unit;
    n->utc = true;
}

static void read_element(struct in *in, struct footer_node *n, int64_t *children) {
    int t, id = 0;
    int64_t converted = -1;
    *n = (struct footer_node){.field_id = -1, .phys = PHYS_GROUP};
    *children = 0;
    while ((t = field(in, &id))) {
        int64_t v;
        if (id == 4 && t == T_BINARY) {
            n->name = binary(in);
        } else if (id == 10 && t == T_STRUCT) {
            read_logical(in, n);
        } else if (t == T_I32) {
            v = zigzag(in);
            if (id == 1 && v >= 0 && v <= PHYS_FIXED) n->phys = (enum footer_phys)v;
            if (id == 3) n->repeated = v == 2, n->required = v == 0;
            if (id == 5) *children = v;
            if (id == 6) converted = v;
            if (id == 7 && !n->scale) n->scale = (int)v;
            if (id == 8 && !n->precision) n->precision = (int)v;
            if (id == 9) n->field_id = (int32_t)v;
        } else {
            skip(in, t);
        }
    }
    of_converted(n, converted);
}

static bool build(struct in *in, arena *a, uint64_t *left, struct footer_node *n, int depth) {
    int64_t children;
    if (!*left || depth > MAX_DEPTH) return false;
    (*left)--;
    read_element(in, n, &children);
    if (in->bad || children < 0 || (uint64_t)children > *left) return false;
    n->name = arena_str(a, n->name);
    if (!children) return true;
    n->phys = PHYS_GROUP;
    n->child = arena_array_of(a, struct footer_node, children);
    n->n = (size_t)children;
    for (int64_t i = 0; i < children; i++)
        if (!build(in, a, left, &n->child[i], depth + 1)) return false;
    return true;
}

err *footer_parse(arena *a, str metadata, struct footer *ret) {
    const unsigned char *head = (const unsigned char *)metadata.p;
    struct in in = {head, head + metadata.n, head, false, 0};
    *ret = (struct footer){.rows = -1};
    int t, id = 0;
    bool schema = false;
    while (!(schema && ret->rows >= 0) && (t = field(&in, &id))) {
        if (id == 2 && t == T_LIST) {
            int of;
            const unsigned char *from = in.schema = in.p;
            ret->schema_at = from - head;
            uint64_t left = list_head(&in, &of);
            if (in.bad || of != T_STRUCT || left > MAX_NODES || !build(&in, a, &left, &ret->root, 0)) break;
            ret->bytes = arena_str(a, str_n((const char *)from, (size_t)(in.p - from)));
            ret->hash = map_hash(ret->bytes.p, ret->bytes.n);
            schema = true;
        } else if (id == 3 && t == T_I64) {
            ret->rows = zigzag(&in);
        } else {
            skip(&in, t);
        }
    }
    if (!schema || ret->rows < 0) return err_new(ERR_DATA_LOSS, "the footer of a Parquet file is malformed");
    return NULL;
}

err *footer_read(arena *a, const char *path, struct footer *ret) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? err_new(ERR_NOT_FOUND, "%s: no such file", path) : err_errno("%s", path);
    struct stat st;
    unsigned char tail[8];
    buf b = {0};
    err *e = NULL;
    if (fstat(fd, &st) || st.st_size < 12 || pread(fd, tail, 8, st.st_size - 8) != 8 || memcmp(tail + 4, "PAR1", 4) != 0) {
        e = err_new(ERR_DATA_LOSS, "%s is not a Parquet file", path);
    } else {
        int64_t n = (int64_t)tail[0] | (int64_t)tail[1] << 8 | (int64_t)tail[2] << 16 | (int64_t)tail[3] << 24;
        /* The schema stands at the front; of big footers a head is tried first. */
        for (int64_t want = n > 65536 ? 65536 : n; n <= st.st_size - 12; want = n) {
            buf_clear(&b);
            char *p = buf_reserve(&b, (size_t)want + 1);
            if (pread(fd, p, (size_t)want, st.st_size - 8 - n) != want) {
                e = err_errno("%s", path);
                break;
            }
            err_free(e);
            e = footer_parse(a, str_n(p, (size_t)want), ret);
            if (!e || want == n) break;
        }
        if (n > st.st_size - 12) e = err_new(ERR_DATA_LOSS, "%s: the Parquet footer is longer than the file", path);
        if (e) err_while(e, "reading %s", path);
    }
    buf_free(&b);
    close(fd);
    return e;
}

static err *patch(int fd, int64_t base, const struct footer_node *n, const char *name) {
    /* Field 16 of the union (0x20 in zigzag) becomes 60 (0x78), which nobody knows. */
    if (n->annotated_at && pwrite(fd, "\x78", 1, base + n->annotated_at) != 1) return err_errno("%s", name);
    for (size_t i = 0; i < n->n; i++) TRY(patch(fd, base, &n->child[i], name));
    return NULL;
}

static err *copy_bytes(int in, int out, off_t n, const char *name) {
    char block[65536];
    while (n > 0) {
        ssize_t got = read(in, block, sizeof(block));
        if (got <= 0 || write(out, block, (size_t)got) != got) return err_errno("copying %s", name);
        n -= got;
    }
    return NULL;
}

err *footer_copy_plain(const char *from, const char *to) {
    arena *a = arena_new();
    struct footer f;
    err *e = footer_read(a, from, &f);
    int in = e ? -1 : open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct stat st;
    unsigned char tail[8];
    if (!e && (out < 0 || fstat(in, &st) || pread(in, tail, 8, st.st_size - 8) != 8)) e = err_errno("copying %s", from);
    if (!e) e = copy_bytes(in, out, st.st_size, from);
    if (!e) {
        int64_t n = (int64_t)tail[0] | (int64_t)tail[1] << 8 | (int64_t)tail[2] << 16 | (int64_t)tail[3] << 24;
        e = patch(out, st.st_size - 8 - n + f.schema_at, &f.root, to);
    }
    if (in >= 0) close(in);
    if (out >= 0) close(out);
    arena_free(a);
    return e;
}

/* ---- meaning ---- */

const struct footer_node *footer_element(const struct footer_node *n) {
    if (n->phys != PHYS_GROUP || n->n != 1 || n->logical != LOG_LIST) return NULL;
    const struct footer_node *r = &n->child[0];
    if (!r->repeated) return NULL;
    /* Three levels (list.element), or the older two (the repeated field is the element). */
    if (r->phys == PHYS_GROUP && r->n == 1 && !str_eqz(r->name, "array") && !str_ends(r->name, STR("_tuple"))) return &r->child[0];
    return r;
}

bool footer_map(const struct footer_node *n, const struct footer_node **key, const struct footer_node **value) {
    if (n->phys != PHYS_GROUP || n->n != 1 || n->logical != LOG_MAP) return false;
    const struct footer_node *r = &n->child[0];
    if (!r->repeated || r->phys != PHYS_GROUP || r->n != 2) return false;
    *key = &r->child[0], *value = &r->child[1];
    return true;
}

void footer_duckdb_type(const struct footer_node *n, buf *out) {
    if (n->logical == LOG_DECIMAL && n->precision <= 38) {
        buf_fmt(out, "DECIMAL(%d,%d)", n->precision, n->scale);
        return;
    }
    switch (n->phys) {
    case PHYS_BOOLEAN: buf_z(out, "BOOLEAN"); return;
    case PHYS_INT32:
        if (n->logical == LOG_DATE) buf_z(out, "DATE");
        else if (n->logical == LOG_TIME) buf_z(out, "TIME");
        else if (n->logical == LOG_INT && n->bits < 32) buf_z(out, n->bits == 8 ? (n->is_signed ? "TINYINT" : "UTINYINT") : n->is_signed ? "SMALLINT" : "USMALLINT");
        else buf_z(out, n->logical == LOG_INT && !n->is_signed ? "UINTEGER" : "INTEGER");
        return;
    case PHYS_INT64:
        if (n->logical == LOG_TIMESTAMP) buf_z(out, n->utc ? "TIMESTAMP WITH TIME ZONE" : n->unit == 'n' ? "TIMESTAMP_NS" : "TIMESTAMP");
        else if (n->logical == LOG_TIME) buf_z(out, "TIME");
        else buf_z(out, n->logical == LOG_INT && !n->is_signed ? "UBIGINT" : "BIGINT");
        return;
    case PHYS_INT96: buf_z(out, "TIMESTAMP"); return;
    case PHYS_FLOAT: buf_z(out, "FLOAT"); return;
    case PHYS_DOUBLE: buf_z(out, "DOUBLE"); return;
    case PHYS_BYTES:
        buf_z(out, n->logical == LOG_STRING || n->logical == LOG_ENUM || n->logical == LOG_JSON ? "VARCHAR" : "BLOB");
        return;
    case PHYS_FIXED: buf_z(out, n->logical == LOG_UUID ? "UUID" : n->logical == LOG_INTERVAL ? "INTERVAL" : "BLOB"); return;
    case PHYS_GROUP: buf_z(out, "STRUCT"); return;
    }
}
