/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of S3 stores: whatever they are, they are read or refused. */
#include "sys/s3_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    arena *a = arena_new();
    str text = str_n((const char *)data, n);
    struct s3_xml_list l;
    struct s3_xml_answer x;
    err_free(s3_xml_list(a, text, &l));
    err_free(s3_xml_answer(text, &x));
    arena_free(a);
    return 0;
}
