/* SPDX-License-Identifier: Apache-2.0 */
#include "delta/partition.h"

#include <string.h>

#include "base/enc.h"
#include "base/time.h"

void delta_escape_folder(str s, buf *out) {
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c < 0x20 || c == 0x7f || strchr("\"#%'*/:=?\\{[]^", c))
            buf_fmt(out, "%%%02X", c);
        else
            buf_c(out, (char)c);
    }
}

str delta_partition_folder(arena *a, const struct delta_map *m) {
    buf b = {0};
    for (size_t i = 0; i < m->n; i++) {
        delta_escape_folder(m->p[i].key, &b);
        buf_c(&b, '=');
        if (m->p[i].null || !m->p[i].value.n)
            buf_z(&b, DELTA_NULL_FOLDER);
        else
            delta_escape_folder(m->p[i].value, &b);
        buf_c(&b, '/');
    }
    str s = arena_str(a, str_n(b.p ? b.p : "", b.n));
    buf_free(&b);
    return s;
}

str delta_encode_path(arena *a, str path) {
    buf b = {0};
    enc_percent(&b, path, "/=:@!$&'()*+,;-._~");
    str s = arena_str(a, buf_view(&b));
    buf_free(&b);
    return s;
}

bool delta_partition_null(const struct delta_map *m, str column) { return delta_map_get(m, column).n == 0; }

bool delta_time_of_text(str t, int64_t *ret_us) {
    char z[64];
    t = str_trim(t);
    if (t.n < 10 || t.n > 40) return false;
    memcpy(z, t.p, t.n);
    z[t.n] = '\0';
    size_t n = t.n;
    if (n == 10) {
        memcpy(z + 10, "T00:00:00", 10);
        n = 19;
    }
    if (z[10] == ' ') z[10] = 'T';
    bool zone = z[n - 1] == 'Z' || strchr(z + 11, '+') || strchr(z + 11, '-');
    if (!zone) z[n++] = 'Z';
    return time_parse_rfc3339(str_n(z, n), ret_us);
}
