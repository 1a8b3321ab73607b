/* clock.c - see clock.h. */
#include "common/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t real_unix(const struct clock *c)
{
	(void)c;
	return read_ns(CLOCK_REALTIME);
}

static uint64_t real_boot(const struct clock *c)
{
	(void)c;
	return read_ns(CLOCK_BOOTTIME);
}

static uint64_t fake_unix(const struct clock *c)
{
	return c->fake_unix_ns;
}

static uint64_t fake_boot(const struct clock *c)
{
	return c->fake_boot_ns;
}

const struct clock *clock_real(void)
{
	static const struct clock real = { .unix_ns = real_unix, .boot_ns = real_boot };

	return &real;
}

struct clock clock_fake(uint64_t unix_ns)
{
	return (struct clock){ .unix_ns = fake_unix,
			       .boot_ns = fake_boot,
			       .fake_unix_ns = unix_ns,
			       .fake_boot_ns = 1000000000 };
}

void clock_fake_advance(struct clock *c, uint64_t ns)
{
	c->fake_unix_ns += ns;
	c->fake_boot_ns += ns;
}
