/* clock.h - time as a parameter: the real one, or one that a test turns by hand. */
#pragma once
#include <stdint.h>

struct clock {
	uint64_t (*unix_ns)(const struct clock *c); /* wall time, ns since 1970 */
	uint64_t (*boot_ns)(const struct clock *c); /* CLOCK_BOOTTIME, never goes back */
	uint64_t fake_unix_ns, fake_boot_ns;	    /* the fake's hands */
};

/* The machine's clocks. Borrowed, for ever. */
const struct clock *clock_real(void);
/* A clock that stands still until clock_fake_advance. */
struct clock clock_fake(uint64_t unix_ns);
void clock_fake_advance(struct clock *c, uint64_t ns);

static inline uint64_t clock_unix_ns(const struct clock *c)
{
	return c->unix_ns(c);
}
static inline uint64_t clock_boot_ns(const struct clock *c)
{
	return c->boot_ns(c);
}
static inline uint64_t clock_unix_ms(const struct clock *c)
{
	return c->unix_ns(c) / 1000000;
}
