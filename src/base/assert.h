/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asserts are for our own bugs, never for input. Two kinds:
 *   must(x)        the program is wrong if x is false
 *   unreachable()  control cannot come here
 * Long-lived structs carry a `magic` word, checked at public entries by must_magic().
 */
#ifndef BH_BASE_ASSERT_H
#define BH_BASE_ASSERT_H

#include <stdint.h>

/* Reports to stderr and aborts; the crash handler adds the stack. Never returns. */
void assert_fail(const char *kind, const char *what, const char *file, int line,
                 const char *func) __attribute__((noreturn, cold));

#define must(x)                                                                                    \
    ((x) ? (void)0 : assert_fail("must hold", #x, __FILE__, __LINE__, __func__))
#define unreachable() assert_fail("unreachable", "", __FILE__, __LINE__, __func__)
#define must_magic(p, m) must((p) != NULL && (p)->magic == (m))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define BH_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define BH_CHECK __attribute__((warn_unused_result))

#endif
