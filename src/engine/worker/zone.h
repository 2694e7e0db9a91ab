/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones as Java knows them, from the system's zoneinfo files.
 *
 * Names: regions ("Europe/Berlin", case matters), offsets ("Z", "+02:00", "-8", "+0530", "UTC+3", "GMT-01:30",
 * up to ±18:00), and Java's short ones ("PST", "JST", …).
 * A local time in a gap is moved on by the gap's length; one in an overlap has the earlier offset (summer time).
 */
#ifndef BH_ENGINE_WORKER_ZONE_H
#define BH_ENGINE_WORKER_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct zone;

/* NULL: no such zone. Loaded once, never freed; any thread. */
const struct zone *zone_get(str name);
const struct zone *zone_utc(void);
/* Seconds east of Greenwich at an instant (microseconds since 1970). */
int32_t zone_offset(const struct zone *z, int64_t us);
/* Is summer time in force, and the abbreviation ("CEST", "+03"), at an instant. */
void zone_describe(const struct zone *z, int64_t us, bool *ret_dst, char ret_abbr[16]);
/* Local clock time, as microseconds, to an instant; and back. */
int64_t zone_to_utc(const struct zone *z, int64_t local_us);
int64_t zone_to_local(const struct zone *z, int64_t us);
const char *zone_name(const struct zone *z);
/* A fixed offset, no region. */
bool zone_is_fixed(const struct zone *z);

#endif
