/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sketches in the binary forms of Apache DataSketches, written from the published layouts: Theta and Tuple (sets of
 * hashes), HLL, KLL (quantiles), frequent items; and Spark's count-min sketch. Nothing here knows of DuckDB.
 *
 * All of it is bounded: a reader refuses bytes that do not fit, a structure that cannot grow returns false.
 */
#ifndef BH_ENGINE_WORKER_SKETCH_H
#define BH_ENGINE_WORKER_SKETCH_H

#include "base/buf.h"
#include "base/str.h"

#define SKETCH_SEED 9001u

/* MurmurHash3, x64, 128 bits. */
void sketch_hash128(const void *p, size_t n, uint64_t seed, uint64_t ret[2]);
/* Doubles as hashed: one zero, one NaN. */
uint64_t sketch_double_bits(double v);

/* ---- Theta and Tuple ---- */

enum ts_kind { TS_THETA, TS_DOUBLE, TS_INTEGER };
enum ts_mode { TS_SUM, TS_MIN, TS_MAX, TS_ONE }; /* how summaries of one key merge; numbers are those of the bytes */

struct ts_value {
    union { double d; int32_t i; };
    uint8_t mode;            /* that of the sketch which made it last */
};

struct ts {
    enum ts_kind kind;
    enum ts_mode mode;
    unsigned lg_k, lg_size;  /* nominal entries; slots */
    uint64_t theta;          /* hashes below it are kept; TS_ALL: all */
    size_t n;
    bool touched;            /* not the empty set, even where nothing is kept */
    uint64_t *key;           /* 0: a free slot */
    struct ts_value *value;   /* NULL in Theta */
};

#define TS_ALL INT64_MAX
#define TS_LG_MIN 4
#define TS_LG_MAX 26

void ts_init(struct ts *t, enum ts_kind kind, enum ts_mode mode, unsigned lg_k);
void ts_free(struct ts *t);
/* A hash (63 bits, not 0) with its summary; false: no memory. */
bool ts_add(struct ts *t, uint64_t hash, struct ts_value v);
/* What a key that only a Theta sketch has gets. */
struct ts_value ts_neutral(enum ts_kind kind, enum ts_mode mode);
/* into ∪ from; keys of a Theta sketch get neutral summaries in a Tuple sketch. */
bool ts_union(struct ts *into, const struct ts *from);
/* a ∩ b and a \ b; the summaries of a, merged with b's in an intersection. ret is initialised by them. */
bool ts_intersect(const struct ts *a, const struct ts *b, enum ts_mode mode, struct ts *ret);
bool ts_difference(const struct ts *a, const struct ts *b, struct ts *ret);
/* Keeps the 2^lg_k least hashes. */
bool ts_trim(struct ts *t);
double ts_estimate(const struct ts *t);
/* Compact bytes. Trim before. */
bool ts_write(const struct ts *t, buf *out);
/* false: no such sketch (ret is empty then). */
bool ts_read(enum ts_kind kind, str bytes, struct ts *ret);

/* ---- HLL ---- */

#define HLL_LG_MIN 4
#define HLL_LG_MAX 21

struct hll {
    unsigned lg_k;
    enum { HLL_LIST, HLL_SET, HLL_FULL } mode;
    unsigned lg_size;        /* slots of list and set */
    uint32_t n;              /* coupons of list and set */
    uint32_t *coupon;
    uint8_t *reg;            /* HLL_FULL: 2^lg_k */
    double hip, kxq0, kxq1;
    bool unordered;          /* came out of a union: the running estimate does not hold */
    bool merged;             /* registers were merged: sums are made anew when written */
};

uint32_t hll_coupon(const void *p, size_t n); /* 0 of no bytes */
bool hll_init(struct hll *h, unsigned lg_k);
void hll_free(struct hll *h);
bool hll_add(struct hll *h, uint32_t coupon);
/* into ∪ from, of the smaller lg_k of both. */
bool hll_union(struct hll *into, const struct hll *from);
double hll_estimate(const struct hll *h);
void hll_write(struct hll *h, buf *out);
bool hll_read(str bytes, struct hll *ret);

/* ---- KLL ---- */

enum kll_kind { KLL_BIGINT, KLL_DOUBLE, KLL_FLOAT };
#define KLL_K_MIN 8
#define KLL_K_MAX 65535
#define KLL_LEVELS 61

union kll_item { int64_t l; double d; };

struct kll_level { union kll_item *item; size_t n, cap; };

struct kll {
    enum kll_kind kind;
    unsigned k, min_k;
    uint64_t n;
    size_t levels;
    struct kll_level level[KLL_LEVELS]; /* the first in order of arrival, the others sorted */
    union kll_item min, max;
    bool sorted;             /* as read: the first level is sorted */
    uint64_t seed;           /* of the coins */
};

void kll_init(struct kll *s, enum kll_kind kind, unsigned k);
void kll_free(struct kll *s);
/* ret is whole even where it fails (no memory). */
bool kll_copy(const struct kll *s, struct kll *ret);
bool kll_add(struct kll *s, union kll_item v);
bool kll_merge(struct kll *into, const struct kll *from);
/* The first level in the order in which a merge into an empty sketch leaves it. */
void kll_turn(struct kll *s);
void kll_write(const struct kll *s, buf *out);
bool kll_read(enum kll_kind kind, str bytes, struct kll *ret);
size_t kll_retained(const struct kll *s);
size_t kll_capacity(const struct kll *s);
double kll_rank(const struct kll *s, union kll_item v);
/* false: no memory. The sketch is not empty. */
bool kll_quantile(const struct kll *s, double rank, union kll_item *ret);
double kll_epsilon(const struct kll *s, bool pmf);

/* ---- count-min ---- */

struct cms { int32_t depth, width; int64_t total; int64_t *hash, *cell; };

/* false: sizes beyond CMS_CELLS, or no memory. */
bool cms_init(struct cms *c, double eps, double confidence, int32_t seed);
void cms_free(struct cms *c);
bool cms_copy(const struct cms *c, struct cms *ret);
void cms_add_long(struct cms *c, int64_t v);
void cms_add_bytes(struct cms *c, str s);
bool cms_merge(struct cms *into, const struct cms *from);
void cms_write(const struct cms *c, buf *out);
#define CMS_CELLS (16u << 20)

/* ---- frequent items ---- */

/* Items are bytes with Java's hash code; the map has the slots of DataSketches, so that ties come in its order. */
struct freq_item { char *p; uint32_t n; int32_t code; int64_t count; uint32_t seq; uint16_t state; };
struct freq {
    unsigned lg_max, lg_size;
    size_t n;
    int64_t total, offset, nulls;
    uint32_t added;
    struct freq_item *slot;  /* state 0: free */
};

bool freq_init(struct freq *f, unsigned lg_max);
void freq_free(struct freq *f);
/* ret is whole even where it fails (no memory). */
bool freq_copy(const struct freq *f, struct freq *ret);
bool freq_add(struct freq *f, str item, int32_t code, int64_t count);
bool freq_merge(struct freq *into, const struct freq *from);
/* Most frequent first, of one count in the order in which they were added (that of the bytes read); ret is made by malloc,
 * the caller frees it. */
bool freq_sorted(const struct freq *f, const struct freq_item ***ret);
/* The next slot in the order of the map's iterator; start with *at = -1. NULL: no more. */
const struct freq_item *freq_next(const struct freq *f, int64_t *at, size_t *seen);

/* Bytes of a map: what kind an item is, a letter: c h i l f d B s m (decimal in 8 bytes) M (longer decimal), and above
 * it the scale of a decimal. In memory an item is what is written of it (of s and M without the length). */
#define FREQ_KIND(kind) ((char)((kind) & 255))
int32_t freq_code(int kind, str item);
void freq_write(const struct freq *f, int kind, buf *out);
bool freq_read(int kind, str bytes, struct freq *ret);

/* ---- histograms ---- */

/* Bins (x, weight) by x, at most `most`; the nearest two become one where there are more. */
struct bins { int32_t most; size_t n, cap; double (*bin)[2]; uint64_t seed; };

bool bins_add(struct bins *b, double v);
bool bins_merge(struct bins *into, const struct bins *from);

/* java.util.Random, as far as it is used here: its state of a seed, the next bits. */
uint64_t java_random(int64_t seed);
int32_t java_next(uint64_t *state, unsigned bits);

#endif
