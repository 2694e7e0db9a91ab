/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a sketch of each kind: what is read must be writable, be read again alike, be united, estimated, asked. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "engine/worker/sketch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void as_set(enum ts_kind kind, str s) {
    struct ts t, again, out;
    buf b = {0};
    if (!ts_read(kind, s, &t)) return;
    must(ts_write(&t, &b) && ts_read(kind, buf_view(&b), &again) && again.n == t.n && again.theta == t.theta);
    ts_init(&out, kind, TS_SUM, 5);
    must(ts_union(&out, &t) && out.n <= 32 && ts_estimate(&out) >= 0);
    ts_free(&out);
    must(ts_intersect(&t, &again, TS_MIN, &out) && out.n == t.n);
    ts_free(&out);
    must(ts_difference(&t, &again, &out) && out.n == 0);
    ts_free(&out);
    ts_free(&t);
    ts_free(&again);
    buf_free(&b);
}

static void as_hll(str s) {
    struct hll h, again, out;
    buf b = {0};
    if (!hll_read(s, &h)) return;
    hll_write(&h, &b);
    must(hll_read(buf_view(&b), &again) && hll_estimate(&again) >= 0);
    must(hll_init(&out, 5) && hll_union(&out, &h) && hll_union(&out, &again) && hll_estimate(&out) >= 0);
    hll_free(&out);
    hll_free(&h);
    hll_free(&again);
    buf_free(&b);
}

static void as_kll(enum kll_kind kind, str s) {
    struct kll k, again;
    buf b = {0};
    if (!kll_read(kind, s, &k)) return;
    kll_write(&k, &b);
    must(kll_read(kind, buf_view(&b), &again) && again.n == k.n);
    if (k.n) {
        union kll_item v;
        must(kll_quantile(&k, 0.5, &v));
        double r = kll_rank(&k, v);
        must(r > 0 && r <= 1);
    }
    must(kll_merge(&again, &k));
    kll_free(&k);
    kll_free(&again);
    buf_free(&b);
}

static void as_freq(int kind, str s) {
    struct freq f;
    const struct freq_item **v;
    buf b = {0};
    if (!freq_read(kind, s, &f)) return;
    must(freq_sorted(&f, &v));
    for (size_t i = 1; i < f.n; i++) must(v[i - 1]->count >= v[i]->count);
    freq_write(&f, kind, &b);
    free(v);
    freq_free(&f);
    buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char kinds[] = "chilfdBsmM";
    if (size < 1 || size > 1 << 16) return 0;
    str s = str_n((const char *)data + 1, size - 1);
    switch (data[0] % 18) {
    case 0: as_set(TS_THETA, s); break;
    case 1: as_set(TS_DOUBLE, s); break;
    case 2: as_set(TS_INTEGER, s); break;
    case 3: as_hll(s); break;
    case 4: as_kll(KLL_BIGINT, s); break;
    case 5: as_kll(KLL_DOUBLE, s); break;
    case 6: as_kll(KLL_FLOAT, s); break;
    default: as_freq(kinds[(data[0] % 18 - 7) % 10], s); break;
    }
    return 0;
}
