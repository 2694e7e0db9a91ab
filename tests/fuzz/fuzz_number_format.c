/* SPDX-License-Identifier: Apache-2.0 */
/* First byte: how much of the rest is the format; the remainder is the number's text. */
#include <stddef.h>
#include <stdint.h>

#include "engine/worker/digits.h"
#include "engine/worker/parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    size_t n = 1 + data[0] % (size - 1);
    str format = str_n((const char *)data + 1, n), text = str_n((const char *)data + 1 + n, size - 1 - n);
    struct digits x;
    buf b = {0};
    double v = 0;
    i128 dec = 0;
    (void)parse_double(text, &v);
    (void)parse_decimal(text, 38, (int)(n % 39), &dec);
    if (number_format_check(format)) {
        (void)number_format_read(format, text, &b);
        digits_of_double(&x, v);
        number_format_write(format, &x, &b);
        digits_of_decimal(&x, dec, (int)(n % 39));
        number_format_write(format, &x, &b);
    }
    digits_of_double_exact(&x, v);
    (void)decimal_format_write(format, &x, &b);
    buf_free(&b);
    return 0;
}
