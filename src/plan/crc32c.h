/* SPDX-License-Identifier: Apache-2.0 */
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): with the processor's instruction where it has one. */
#ifndef BH_PLAN_CRC32C_H
#define BH_PLAN_CRC32C_H

#include "base/str.h"

uint32_t plan_crc32c(str bytes);
/* The portable path, for the test that compares both. */
uint32_t plan_crc32c_table(str bytes);

#endif
