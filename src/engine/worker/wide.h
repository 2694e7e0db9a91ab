/* SPDX-License-Identifier: Apache-2.0 */
/* 256-bit magnitudes, as much as exact products and quotients of 38-digit decimals need. */
#ifndef BH_ENGINE_WORKER_WIDE_H
#define BH_ENGINE_WORKER_WIDE_H

#include "engine/worker/fn.h"

struct wide { uint64_t w[4]; }; /* least first */

static inline u128 wide_low(struct wide a) { return (u128)a.w[1] << 64 | a.w[0]; }
static inline bool wide_fits(struct wide a) { return !(a.w[2] | a.w[3]); }
static inline struct wide wide_of(u128 v) { return (struct wide){{(uint64_t)v, (uint64_t)(v >> 64), 0, 0}}; }
/* a × m; *over is set when it does not fit. */
struct wide wide_mul_u64(struct wide a, uint64_t m, bool *over);
struct wide wide_mul(u128 a, u128 b);
/* a × 10^n */
struct wide wide_scale_up(struct wide a, int n, bool *over);
/* a ÷ 10^n, rounded half up */
struct wide wide_scale_down(struct wide a, int n, bool *over);
struct wide wide_add(struct wide a, struct wide b, bool *over);
struct wide wide_sub(struct wide a, struct wide b);
int wide_cmp(struct wide a, struct wide b);
/* a ÷ b, rounded half up (half: away from zero of the magnitude); b > 0 */
struct wide wide_div(struct wide a, u128 b, bool half_up);

#endif
