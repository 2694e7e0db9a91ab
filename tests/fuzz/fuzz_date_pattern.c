/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: how much of the rest is the pattern; the remainder is read with it. What is written is read again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/map.h"
#include "engine/worker/parse.h"
#include "engine/worker/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    size_t n = 1 + data[0] % (size - 1);
    str pattern = str_n((const char *)data + 1, n), text = str_n((const char *)data + 1 + n, size - 1 - n);
    enum pattern_fault f;
    char at;
    int64_t us = 0;
    int32_t days;
    struct fn_interval v;
    for (int reading = 0; reading < 2; reading++) {
        struct pattern *p = pattern_new(pattern, reading, &f, &at);
        if (!p) continue;
        buf b = {0};
        (void)pattern_read(p, text, zone_utc(), &us);
        (void)pattern_read_local(p, text, &us);
        pattern_write(p, us, zone_utc(), &b);
        (void)pattern_read(p, buf_view(&b), zone_utc(), &us);
        buf_free(&b);
        free(p);
    }
    (void)parse_timestamp(text, zone_utc(), &us);
    (void)parse_date(text, &days);
    (void)parse_interval_text(text, &v);
    (void)parse_dt(text, 2, 5, &us);
    return 0;
}
