/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C, reflected polynomial 0x82f63b78. A plan is checked at every cold start, so the speed of
 * this is part of the time to the first answer: eight bytes to an instruction on x86-64. */
#include "plan/crc32c.h"

/* Bit by bit: no table to build, and only processors without the instruction come here. */
uint32_t plan_crc32c_table(str bytes) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < bytes.n; i++) {
        crc ^= (unsigned char)bytes.p[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0x82f63b78u & (0u - (crc & 1)));
    }
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(str bytes) {
    uint64_t crc = ~0u;
    size_t i = 0;
    for (; i + 8 <= bytes.n; i += 8) {
        uint64_t word;
        memcpy(&word, bytes.p + i, 8);
        crc = __builtin_ia32_crc32di(crc, word);
    }
    uint32_t rest = (uint32_t)crc;
    for (; i < bytes.n; i++) rest = __builtin_ia32_crc32qi(rest, (unsigned char)bytes.p[i]);
    return ~rest;
}
#endif

uint32_t plan_crc32c(str bytes) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) return crc_hardware(bytes);
#endif
    return plan_crc32c_table(bytes);
}
