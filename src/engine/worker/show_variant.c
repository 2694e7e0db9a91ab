/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A variant as JSON, as Spark's to_json writes it. Every offset is checked: a malformed variant ends the text.
 *
 *   stored      u32 LE length of metadata | metadata | value
 *   metadata    header (version 1, offset size in bits 6–7) | count | count+1 offsets | names
 *   value       header: bits 0–1 kind (0 primitive, 1 short string, 2 object, 3 array), bits 2–7 by kind
 */
#include <math.h>

#include "base/enc.h"
#include "engine/worker/show.h"
#include "engine/worker/text.h"

#define VARIANT_DEPTH 1000

struct names { str all; size_t count, size, offsets, bytes; };

static bool le(str s, size_t at, size_t n, uint64_t *ret) {
    if (at > s.n || s.n - at < n) return false;
    *ret = 0;
    for (size_t i = n; i-- > 0;) *ret = *ret << 8 | (unsigned char)s.p[at + i];
    return true;
}

static int64_t sign_extend(uint64_t v, size_t bytes) { return bytes == 8 ? (int64_t)v : (int64_t)(v << (64 - 8 * bytes)) >> (64 - 8 * bytes); }

static bool read_names(str m, struct names *n) {
    uint64_t count;
    if (m.n < 1) return false;
    *n = (struct names){.all = m, .size = ((unsigned char)m.p[0] >> 6 & 3) + 1u};
    if (!le(m, 1, n->size, &count)) return false;
    n->count = count;
    n->offsets = 1 + n->size;
    n->bytes = n->offsets + (n->count + 1) * n->size;
    return n->count < m.n && n->bytes <= m.n;
}

static bool name_at(const struct names *n, uint64_t id, str *ret) {
    uint64_t from, to;
    if (id >= n->count || !le(n->all, n->offsets + id * n->size, n->size, &from) ||
        !le(n->all, n->offsets + (id + 1) * n->size, n->size, &to) || to < from || n->bytes + to > n->all.n)
        return false;
    *ret = str_n(n->all.p + n->bytes + from, to - from);
    return true;
}

static bool write_any(const struct names *n, str v, const struct zone *zone, int depth, buf *out);

static bool write_container(const struct names *n, str v, const struct zone *zone, int depth, buf *out, bool object) {
    unsigned h = (unsigned char)v.p[0] >> 2;
    size_t off_size = (h & 3) + 1, id_size = object ? (h >> 2 & 3) + 1 : 0;
    bool large = object ? h >> 4 & 1 : h >> 2 & 1;
    size_t count_size = large ? 4 : 1;
    uint64_t count;
    if (!le(v, 1, count_size, &count) || count > v.n) return false;
    size_t ids = 1 + count_size, offs = ids + count * id_size, data = offs + (count + 1) * off_size;
    if (data > v.n) return false;
    buf_c(out, object ? '{' : '[');
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id, off;
        str name;
        if (i) buf_c(out, ',');
        if (object) {
            if (!le(v, ids + i * id_size, id_size, &id) || !name_at(n, id, &name)) return false;
            buf_json_str(out, name);
            buf_c(out, ':');
        }
        if (!le(v, offs + i * off_size, off_size, &off) || off > v.n - data) return false;
        if (!write_any(n, str_from(v, data + off), zone, depth + 1, out)) return false;
    }
    buf_c(out, object ? '}' : ']');
    return true;
}

static bool write_decimal(str v, size_t bytes, buf *out) {
    uint64_t scale, lo, hi = 0;
    if (!le(v, 1, 1, &scale) || scale > 38 || !le(v, 2, bytes < 8 ? bytes : 8, &lo)) return false;
    i128 x;
    if (bytes == 16) {
        if (!le(v, 10, 8, &hi)) return false;
        x = (i128)((u128)hi << 64 | lo);
    } else x = sign_extend(lo, bytes);
    /* Trailing zeros are not written: 1.20 is 1.2. */
    while (scale > 0 && x % 10 == 0) x /= 10, scale--;
    text_decimal(out, x, (int)scale);
    return true;
}

static void write_time(uint64_t u, unsigned type, const struct zone *zone, buf *out) {
    int64_t us = (int64_t)u;
    buf_c(out, '"');
    if (type == 11) text_date(out, (int32_t)sign_extend(u, 4));
    else if (type == 13) text_ntz(out, us);
    else {
        int32_t off = zone_offset(zone, us);
        text_timestamp(out, us, zone);
        buf_fmt(out, "%c%02d:%02d", off < 0 ? '-' : '+', (off < 0 ? -off : off) / 3600, (off < 0 ? -off : off) / 60 % 60);
    }
    buf_c(out, '"');
}

static void write_number(buf *out, double d, float f, bool is_float) {
    bool quote = !isfinite(is_float ? (double)f : d);
    if (quote) buf_c(out, '"');
    if (is_float) text_float(out, f);
    else text_double(out, d);
    if (quote) buf_c(out, '"');
}

static bool write_primitive(str v, const struct zone *zone, buf *out) {
    static const uint8_t size[] = {0, 0, 0, 1, 2, 4, 8, 8, 5, 9, 17, 4, 8, 8, 4, 4, 4};
    unsigned type = (unsigned char)v.p[0] >> 2;
    uint64_t u = 0;
    if (type >= sizeof(size)) return false;
    if (type >= 8 && type <= 10) return write_decimal(v, type == 8 ? 4 : type == 9 ? 8 : 16, out);
    if (!le(v, 1, size[type], &u)) return false;
    switch (type) {
    case 0: buf_z(out, "null"); return true;
    case 1: buf_z(out, "true"); return true;
    case 2: buf_z(out, "false"); return true;
    case 3: case 4: case 5: case 6: buf_fmt(out, "%lld", (long long)sign_extend(u, size[type])); return true;
    case 7: {
        double d;
        memcpy(&d, &u, 8);
        write_number(out, d, 0, false);
        return true;
    }
    case 14: {
        float f;
        uint32_t w = (uint32_t)u;
        memcpy(&f, &w, 4);
        write_number(out, 0, f, true);
        return true;
    }
    case 11: case 12: case 13: write_time(u, type, zone, out); return true;
    default:
        if (u > v.n - 5) return false;
        if (type == 16) buf_json_str(out, str_n(v.p + 5, u));
        else {
            buf_c(out, '"');
            enc_base64(out, str_n(v.p + 5, u));
            buf_c(out, '"');
        }
        return true;
    }
}

static bool write_any(const struct names *n, str v, const struct zone *zone, int depth, buf *out) {
    if (v.n == 0 || depth > VARIANT_DEPTH) return false;
    unsigned h = (unsigned char)v.p[0];
    switch (h & 3) {
    case 0: return write_primitive(v, zone, out);
    case 1:
        if ((h >> 2) > v.n - 1) return false;
        buf_json_str(out, str_n(v.p + 1, h >> 2));
        return true;
    case 2: return write_container(n, v, zone, depth, out, true);
    default: return write_container(n, v, zone, depth, out, false);
    }
}

bool show_variant(str variant, const struct zone *zone, buf *out) {
    uint64_t len;
    struct names n;
    if (!le(variant, 0, 4, &len) || len > variant.n - 4) return false;
    if (!read_names(str_n(variant.p + 4, len), &n)) return false;
    return write_any(&n, str_from(variant, 4 + len), zone, 0, out);
}
