/* notify_time.h - hours of the week in a time zone: "mon-fri 08:00-18:00", and days: "2026-12-24..2026-12-26". Pure,
 * but for reading a zone's file. */
#pragma once
#include "common/arena.h"
#include "common/err.h"
#include "common/slice.h"

struct notify_zone;
/* "" and "UTC"; "+02:00"; a name of /usr/share/zoneinfo ("Europe/Berlin"). *ret: lives as long as the arena. */
int notify_zone_open(const char *name, struct arena *a, struct notify_zone **ret, struct err *err) WARN_UNUSED;
/* The bytes of a TZif file (RFC 8536), borrowed: copied into the arena. ERR_SYNTAX. */
int notify_zone_parse(struct slice tzif, struct arena *a, struct notify_zone **ret, struct err *err) WARN_UNUSED;
/* Seconds east of UTC at that time. */
int32_t notify_zone_offset(const struct notify_zone *z, int64_t unix_s);

struct notify_span {
	uint8_t days;		   /* bit 0 = Sunday; of the day it begins on; 0: of dates */
	uint16_t from_min, to_min; /* of the day; to <= from: past midnight */
	int32_t first_day, last_day; /* since 1970, both inclusive, when days is 0 */
};
enum { NOTIFY_SPANS = 16 };
struct notify_schedule {
	struct notify_span spans[NOTIFY_SPANS];
	size_t count;
};
/* Adds what text says. ERR_SYNTAX. */
int notify_schedule_add(struct notify_schedule *s, const char *text, struct err *err) WARN_UNUSED;
bool notify_schedule_covers(const struct notify_schedule *s, const struct notify_zone *z, uint64_t unix_ns);
/* When hours are (or there are none) and mute is not, from now on; looked for over ten days: later than that is now
 * + ten days. */
uint64_t notify_schedule_next(const struct notify_schedule *hours, const struct notify_schedule *mute,
			      const struct notify_zone *z, uint64_t now_unix_ns);
