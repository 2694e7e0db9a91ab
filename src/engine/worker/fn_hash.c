/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes: Spark's Murmur3 and XXH64 over typed values (start value 42), CRC-32, MD5, SHA. NULLs change nothing. */
#include <math.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <zlib.h>

#include "engine/worker/fn_int.h"

/* ---- Murmur3, 32 bits ---- */

static uint32_t rotl32(uint32_t v, int n) { return v << n | v >> (32 - n); }
static uint32_t mix_k(uint32_t k) { return rotl32(k * 0xcc9e2d51u, 15) * 0x1b873593u; }
static uint32_t mix_h(uint32_t h, uint32_t k) { return rotl32(h ^ k, 13) * 5 + 0xe6546b64u; }
static uint32_t fmix(uint32_t h, uint32_t len) {
    h ^= len;
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    return h ^ h >> 16;
}
static uint32_t le32(const unsigned char *p) { return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24; }
static uint64_t le64(const unsigned char *p) { return le32(p) | (uint64_t)le32(p + 4) << 32; }

/* The tail as in the published algorithm: what Scala's library does. */
uint32_t fn_murmur3_scala(const unsigned char *p, size_t n, uint32_t seed) {
    uint32_t h = seed, k = 0;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) h = mix_h(h, mix_k(le32(p + i)));
    for (size_t j = n; j-- > i;) k = k << 8 | p[j];
    if (n > i) h ^= mix_k(k);
    return fmix(h, (uint32_t)n);
}

static uint64_t m_int(uint32_t v, uint64_t seed) { return fmix(mix_h((uint32_t)seed, mix_k(v)), 4); }
static uint64_t m_long(uint64_t v, uint64_t seed) { return fmix(mix_h(mix_h((uint32_t)seed, mix_k((uint32_t)v)), mix_k((uint32_t)(v >> 32))), 8); }
/* Spark's own tail: each byte left over is a word of its own, with its sign. */
static uint64_t m_bytes(str s, uint64_t seed) {
    uint32_t h = (uint32_t)seed;
    size_t i = 0;
    for (; i + 4 <= s.n; i += 4) h = mix_h(h, mix_k(le32((const unsigned char *)s.p + i)));
    for (; i < s.n; i++) h = mix_h(h, mix_k((uint32_t)(int32_t)(signed char)s.p[i]));
    return fmix(h, (uint32_t)s.n);
}

uint32_t fn_murmur3_spark(str s, uint32_t seed) { return (uint32_t)m_bytes(s, seed); }

/* ---- XXH64 ---- */

#define P1 0x9E3779B185EBCA87ull
#define P2 0xC2B2AE3D27D4EB4Full
#define P3 0x165667B19E3779F9ull
#define P4 0x85EBCA77C2B2AE63ull
#define P5 0x27D4EB2F165667C5ull
static uint64_t rotl64(uint64_t v, int n) { return v << n | v >> (64 - n); }
static uint64_t xmix(uint64_t h) {
    h ^= h >> 33;
    h *= P2;
    h ^= h >> 29;
    h *= P3;
    return h ^ h >> 32;
}
static uint64_t x_int(uint32_t v, uint64_t seed) { return xmix(rotl64((seed + P5 + 4) ^ v * P1, 23) * P2 + P3); }
static uint64_t x_long(uint64_t v, uint64_t seed) { return xmix(rotl64((seed + P5 + 8) ^ rotl64(v * P2, 31) * P1, 27) * P1 + P4); }
static uint64_t x_bytes(str s, uint64_t seed) {
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.n;
    uint64_t h;
    if (s.n >= 32) {
        uint64_t v[4] = {seed + P1 + P2, seed + P2, seed, seed - P1};
        for (; p + 32 <= end; p += 32)
            for (int i = 0; i < 4; i++) v[i] = rotl64(v[i] + le64(p + 8 * i) * P2, 31) * P1;
        h = rotl64(v[0], 1) + rotl64(v[1], 7) + rotl64(v[2], 12) + rotl64(v[3], 18);
        for (int i = 0; i < 4; i++) h = (h ^ rotl64(v[i] * P2, 31) * P1) * P1 + P4;
    } else h = seed + P5;
    h += s.n;
    for (; p + 8 <= end; p += 8) h = rotl64(h ^ rotl64(le64(p) * P2, 31) * P1, 27) * P1 + P4;
    if (p + 4 <= end) {
        h = rotl64(h ^ le32(p) * P1, 23) * P2 + P3;
        p += 4;
    }
    for (; p < end; p++) h = rotl64(h ^ *p * P5, 11) * P1;
    return xmix(h);
}

/* ---- typed values ---- */

struct hasher {
    uint64_t (*of_int)(uint32_t, uint64_t);
    uint64_t (*of_long)(uint64_t, uint64_t);
    uint64_t (*of_bytes)(str, uint64_t);
};
static const struct hasher murmur = {m_int, m_long, m_bytes}, xxhash = {x_int, x_long, x_bytes};

/* BigInteger.toByteArray: big-endian two's complement, as short as it can be. */
static uint64_t hash_huge(const struct hasher *h, i128 v, uint64_t seed) {
    unsigned char b[16];
    for (int i = 0; i < 16; i++) b[i] = (unsigned char)((u128)v >> (120 - 8 * i));
    int from = 0;
    while (from < 15 && ((b[from] == 0 && !(b[from + 1] & 0x80)) || (b[from] == 0xff && (b[from + 1] & 0x80)))) from++;
    return h->of_bytes(str_n((const char *)b + from, (size_t)(16 - from)), seed);
}

static uint64_t hash_value(const struct hasher *h, duckdb_vector v, duckdb_logical_type t, idx_t row, uint64_t seed);

static uint64_t hash_child(const struct hasher *h, duckdb_vector v, duckdb_logical_type t, idx_t row, uint64_t seed) {
    uint64_t r = hash_value(h, v, t, row, seed);
    duckdb_destroy_logical_type(&t);
    return r;
}

static uint64_t hash_nested(const struct hasher *h, duckdb_vector v, duckdb_logical_type t, duckdb_type id, idx_t row, uint64_t seed) {
    if (id == DUCKDB_TYPE_STRUCT) {
        idx_t n = duckdb_struct_type_child_count(t);
        char *first = duckdb_struct_type_child_name(t, 0);
        bool calendar = first && strcmp(first, "m") == 0; /* months, days, microseconds: hashed from the last */
        duckdb_free(first);
        if (calendar) {
            for (idx_t i = n; i-- > 0;) seed = hash_child(h, duckdb_struct_vector_get_child(v, i), duckdb_struct_type_child_type(t, i), row, seed);
            return seed;
        }
        for (idx_t i = 0; i < n; i++) seed = hash_child(h, duckdb_struct_vector_get_child(v, i), duckdb_struct_type_child_type(t, i), row, seed);
        return seed;
    }
    duckdb_list_entry e = ((const duckdb_list_entry *)duckdb_vector_get_data(v))[row];
    duckdb_vector child = duckdb_list_vector_get_child(v);
    for (idx_t i = e.offset; i < e.offset + e.length; i++) {
        if (id == DUCKDB_TYPE_LIST) seed = hash_child(h, child, duckdb_list_type_child_type(t), i, seed);
        else {
            seed = hash_child(h, duckdb_struct_vector_get_child(child, 0), duckdb_map_type_key_type(t), i, seed);
            seed = hash_child(h, duckdb_struct_vector_get_child(child, 1), duckdb_map_type_value_type(t), i, seed);
        }
    }
    return seed;
}

static uint64_t hash_decimal(const struct hasher *h, const void *data, duckdb_logical_type t, idx_t row, uint64_t seed) {
    switch (duckdb_decimal_internal_type(t)) {
    case DUCKDB_TYPE_SMALLINT: return h->of_long((uint64_t)(int64_t)((const int16_t *)data)[row], seed);
    case DUCKDB_TYPE_INTEGER: return h->of_long((uint64_t)(int64_t)((const int32_t *)data)[row], seed);
    case DUCKDB_TYPE_BIGINT: return h->of_long((uint64_t)((const int64_t *)data)[row], seed);
    default: return hash_huge(h, fn_huge_of(((const duckdb_hugeint *)data)[row]), seed);
    }
}

/* a: what is asked of DuckDB once for a whole chunk, not for each of its rows. */
static uint64_t hash_arg(const struct hasher *h, const struct fn_arg *a, idx_t row, uint64_t seed) {
    const uint64_t *valid = a->valid;
    const void *data = a->data;
    duckdb_type id = a->type;
    if ((valid && !(valid[row >> 6] >> (row & 63) & 1)) || id == DUCKDB_TYPE_SQLNULL) return seed;
    switch (id) {
    case DUCKDB_TYPE_BOOLEAN: return h->of_int(((const bool *)data)[row], seed);
    case DUCKDB_TYPE_TINYINT: return h->of_int((uint32_t)(int32_t)((const int8_t *)data)[row], seed);
    case DUCKDB_TYPE_SMALLINT: return h->of_int((uint32_t)(int32_t)((const int16_t *)data)[row], seed);
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE: return h->of_int((uint32_t)((const int32_t *)data)[row], seed);
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ: return h->of_long((uint64_t)((const int64_t *)data)[row], seed);
    case DUCKDB_TYPE_TIME: return h->of_long((uint64_t)((const int64_t *)data)[row] * 1000, seed);
    case DUCKDB_TYPE_FLOAT: {
        float f = ((const float *)data)[row];
        uint32_t u;
        f = f == 0 ? 0.0f : f;
        memcpy(&u, &f, 4);
        return h->of_int(isnan(f) ? 0x7fc00000u : u, seed);
    }
    case DUCKDB_TYPE_DOUBLE: {
        double d = ((const double *)data)[row];
        uint64_t u;
        d = d == 0 ? 0.0 : d;
        memcpy(&u, &d, 8);
        return h->of_long(isnan(d) ? 0x7ff8000000000000ull : u, seed);
    }
    case DUCKDB_TYPE_DECIMAL: return hash_decimal(h, data, a->logical, row, seed);
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB: return h->of_bytes(fn_str_of(&((const duckdb_string_t *)data)[row]), seed);
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_MAP:
    case DUCKDB_TYPE_STRUCT: return hash_nested(h, a->vec, a->logical, id, row, seed);
    default: return seed;
    }
}

static uint64_t hash_value(const struct hasher *h, duckdb_vector v, duckdb_logical_type t, idx_t row, uint64_t seed) {
    struct fn_arg a = {.vec = v, .data = duckdb_vector_get_data(v), .valid = duckdb_vector_get_validity(v), .type = duckdb_get_type_id(t), .logical = t};
    return hash_arg(h, &a, row, seed);
}

static uint64_t hash_row(const struct fn_call *c, const struct hasher *h, uint64_t seed) {
    for (size_t i = 0; i < c->n; i++) seed = hash_arg(h, &c->arg[i], c->row, seed);
    return seed;
}
static void hash(struct fn_call *c) { fn_ret_i32(c, (int32_t)(uint32_t)hash_row(c, &murmur, 42)); }
static void xxhash64(struct fn_call *c) { fn_ret_i64(c, (int64_t)hash_row(c, &xxhash, 42)); }

/* ---- digests ---- */

static void crc(struct fn_call *c) {
    str s = fn_str(c, 0);
    fn_ret_i64(c, (int64_t)crc32(0, (const unsigned char *)s.p, (uInt)s.n));
}

static void digest(struct fn_call *c, const EVP_MD *md) {
    str s = fn_str(c, 0);
    unsigned char d[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    char hex[2 * EVP_MAX_MD_SIZE];
    if (EVP_Digest(s.p, s.n, d, &n, md, NULL) != 1) {
        fn_fail(c, "INTERNAL_ERROR", "message", "a digest failed", NULL);
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        hex[2 * i] = "0123456789abcdef"[d[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[d[i] & 15];
    }
    fn_ret_str(c, str_n(hex, 2 * n));
}
static void md5(struct fn_call *c) { digest(c, EVP_md5()); }
static void sha1(struct fn_call *c) { digest(c, EVP_sha1()); }
static void sha2(struct fn_call *c) {
    switch (fn_i32(c, 1)) {
    case 224: digest(c, EVP_sha224()); break;
    case 0:
    case 256: digest(c, EVP_sha256()); break;
    case 384: digest(c, EVP_sha384()); break;
    case 512: digest(c, EVP_sha512()); break;
    default: break;
    }
}

static const struct fn_def defs[] = {
    {"bh_hash", "A*:i", hash, FN_NULLS, 0},
    {"bh_xxhash64", "A*:l", xxhash64, FN_NULLS, 0},
    {"bh_crc32", "b:l", crc, 0, 0},
    {"bh_md5", "b:s", md5, 0, 0},
    {"bh_sha1", "b:s", sha1, 0, 0},
    {"bh_sha2", "bi:s", sha2, 0, 0},
};
const struct fn_table fn_table_hash = {defs, ARRAY_LEN(defs)};
