/* Watched names by address: all names of one, changes, bounds, and a resolver that hangs. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/world/world_priv.h"

static atomic_int calls, hang_ms, answer; /* of "turns": the last byte of its address, or an error of getaddrinfo */
static atomic_uint ttl_s;

/* "4.<a>.<b>.<c>.<d>" and "6.<last>" lead where they say, "many" to a hundred places. */
static int fake(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
	char text[64];
	unsigned a, b, c, d;

	atomic_fetch_add(&calls, 1);
	if (atomic_load(&hang_ms))
		usleep((useconds_t)atomic_load(&hang_ms) * 1000);
	if (sscanf(name, "4.%u.%u.%u.%u", &a, &b, &c, &d) == 4)
		snprintf(text, sizeof(text), "%u.%u.%u.%u", a, b, c, d);
	else if (sscanf(name, "6.%u", &a) == 1)
		snprintf(text, sizeof(text), "2001:db8::%x", a);
	else if (!strcmp(name, "turns") && atomic_load(&answer) < 0)
		return atomic_load(&answer);
	else if (!strcmp(name, "turns"))
		snprintf(text, sizeof(text), "10.0.1.%d", atomic_load(&answer));
	else if (!strncmp(name, "same", 4))
		snprintf(text, sizeof(text), "10.0.0.1");
	else
		return EAI_NONAME;
	(void)hints;
	struct addrinfo numeric = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM};
	return getaddrinfo(text, service, &numeric, ret);
}

static uint32_t fake_ttl(const char *name, bool is_v6, bool *is_slow)
{
	(void)name;
	(void)is_v6;
	(void)is_slow;
	return atomic_load(&ttl_s);
}

static const struct names_config quick = { .resolve = fake, .again_ms = 60000, .keep_ms = 60000 };

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Waits for the thread: at most 5 s. */
static const char *name_of(struct names *n, const char *address, size_t index, bool is_awaited)
{
	uint8_t bytes[16];
	int family = strchr(address, ':') ? AF_INET6 : AF_INET;
	const char *found;

	assert_int_equal(inet_pton(family, address, bytes), 1);
	for (uint64_t until = now_ms() + 5000;;) {
		(void)names_of(n, bytes, family == AF_INET ? 4 : 16, 0);
		found = names_of(n, bytes, family == AF_INET ? 4 : 16, index);
		if ((found != NULL) == is_awaited || now_ms() > until)
			return found;
		usleep(1000);
	}
}

static char told[512];

static void tell_address(void *arg, const uint8_t *address, size_t bytes)
{
	char text[64] = "";
	size_t n = strlen(told);

	(void)arg;
	assert_non_null(inet_ntop(bytes == 4 ? AF_INET : AF_INET6, address, text, sizeof(text)));
	snprintf(told + n, sizeof(told) - n, "%s;", text);
}

static const char *addresses_of(struct names *n, const char *name)
{
	told[0] = 0;
	names_addresses(n, name, tell_address, NULL);
	return told;
}

static void the_addresses_of_a_name_are_told(void **state)
{
	static const char *const watched[] = {"same.one", "4.192.0.2.7", "6.15", "nowhere"};
	CLEANUP(names_freep) struct names *n = names_new(&quick);

	(void)state;
	assert_string_equal(addresses_of(n, "same.one"), "");
	assert_int_equal(names_count(n), 0);
	assert_int_equal(names_watch(n, watched, ARRAY_LEN(watched), NULL), 4);
	for (uint64_t until = now_ms() + 5000; !names_count(n) && now_ms() < until;)
		usleep(1000);
	assert_int_equal(names_count(n), 1);
	assert_string_equal(addresses_of(n, "same.one"), "10.0.0.1;");
	assert_string_equal(addresses_of(n, "4.192.0.2.7"), "192.0.2.7;");
	assert_string_equal(addresses_of(n, "6.15"), "2001:db8::f;");
	assert_string_equal(addresses_of(n, "nowhere"), "");
	assert_string_equal(addresses_of(n, "other"), "");
}

static void wait_for(struct names *n, const char *name, const char *wanted, unsigned ms)
{
	for (uint64_t until = now_ms() + ms; strcmp(addresses_of(n, name), wanted) && now_ms() < until;)
		usleep(1000);
	assert_string_equal(addresses_of(n, name), wanted);
}

static void an_address_that_left_the_answers_stays_a_while(void **state)
{
	static const char *const watched[] = {"turns"};
	static const struct names_config cfg = { .resolve = fake, .again_ms = 20, .keep_ms = 1500 };
	CLEANUP(names_freep) struct names *n = names_new(&cfg);

	(void)state;
	atomic_store(&answer, 1);
	assert_int_equal(names_watch(n, watched, 1, NULL), 1);
	wait_for(n, "turns", "10.0.1.1;", 5000);
	atomic_store(&answer, 2);
	wait_for(n, "turns", "10.0.1.1;10.0.1.2;", 1300);
	wait_for(n, "turns", "10.0.1.2;", 5000);
	/* there is no such name any more */
	atomic_store(&answer, EAI_NONAME);
	usleep(100000);
	assert_string_equal(addresses_of(n, "turns"), "10.0.1.2;");
	wait_for(n, "turns", "", 5000);
	atomic_store(&answer, 3);
	wait_for(n, "turns", "10.0.1.3;", 5000);
	/* nobody answers: however long */
	atomic_store(&answer, EAI_AGAIN);
	usleep(2000000);
	assert_string_equal(addresses_of(n, "turns"), "10.0.1.3;");
	/* and it is no time that counts */
	atomic_store(&answer, EAI_NONAME);
	usleep(100000);
	assert_string_equal(addresses_of(n, "turns"), "10.0.1.3;");
	wait_for(n, "turns", "", 5000);
}

static int asked_within(const struct names_config *cfg, unsigned ttl, unsigned ms)
{
	static const char *const watched[] = {"same.one"};
	CLEANUP(names_freep) struct names *n = names_new(cfg);
	int before = atomic_load(&calls);

	atomic_store(&ttl_s, ttl);
	assert_int_equal(names_watch(n, watched, 1, NULL), 1);
	usleep(ms * 1000);
	return atomic_load(&calls) - before;
}

static void an_answers_time_is_obeyed_within_bounds(void **state)
{
	static const struct names_config cfg = { .resolve = fake, .ttl = fake_ttl, .again_ms = 3000000, .least_ms = 100, .most_ms = 1500,
						 .keep_ms = 1000 };

	(void)state;
	assert_in_range(asked_within(&cfg, 0, 550), 3, 6);	  /* not without end */
	assert_in_range(asked_within(&cfg, 1, 800), 1, 1);
	assert_in_range(asked_within(&cfg, 1, 1700), 2, 2);
	assert_in_range(asked_within(&cfg, 86400, 2300), 2, 2); /* a day is not waited for */
	assert_in_range(asked_within(&cfg, NAMES_NO_TTL, 1000), 1, 1);
}

static void what_is_known_outlives_a_list_and_comes_from_an_earlier_process(void **state)
{
	static const char *const watched[] = {"turns", "same.one"}, *const other[] = {"same.two", "turns"};
	static const struct names_config cfg = { .resolve = fake, .again_ms = 20, .keep_ms = 60000 };
	static const struct known_address known[] = { { "turns", { 192, 0, 2, 1 }, 4 }, { "turns", { [10] = 0xff, 0xff, 192, 0, 2, 2 }, 16 },
						      { "same.one", { 0x20, 1, [15] = 7 }, 16 } };
	CLEANUP(names_freep) struct names *n = names_new(&cfg);

	(void)state;
	atomic_store(&answer, EAI_AGAIN);
	assert_int_equal(names_know(n, known, ARRAY_LEN(known), NULL), 0);
	assert_string_equal(addresses_of(n, "turns"), "192.0.2.1;192.0.2.2;");
	assert_string_equal(addresses_of(n, "same.one"), "2001::7;");
	assert_int_equal(names_watch(n, watched, 2, NULL), 2);
	wait_for(n, "same.one", "2001::7;10.0.0.1;", 5000);
	assert_string_equal(addresses_of(n, "turns"), "192.0.2.1;192.0.2.2;");
	assert_int_equal(names_watch(n, other, 2, NULL), 2);
	wait_for(n, "same.two", "10.0.0.1;", 5000);
	assert_string_equal(addresses_of(n, "turns"), "192.0.2.1;192.0.2.2;");
	assert_string_equal(addresses_of(n, "same.one"), "");
}

static void every_name_of_an_address_is_told(void **state)
{
	static const char *const watched[] = {"same.one", "4.192.0.2.7", "same.two", "6.15", "nowhere", "same.three"};
	CLEANUP(names_freep) struct names *n = names_new(&quick);

	(void)state;
	assert_null(names_of(n, (const uint8_t[]){1, 2, 3, 4}, 4, 0));
	assert_int_equal(names_watch(n, watched, ARRAY_LEN(watched), NULL), 6);
	assert_string_equal(name_of(n, "192.0.2.7", 0, true), "4.192.0.2.7");
	assert_null(name_of(n, "192.0.2.7", 1, false));
	assert_string_equal(name_of(n, "10.0.0.1", 0, true), "same.one");
	assert_string_equal(name_of(n, "10.0.0.1", 1, true), "same.two");
	assert_string_equal(name_of(n, "10.0.0.1", 2, true), "same.three");
	assert_null(name_of(n, "10.0.0.1", 3, false));
	assert_string_equal(name_of(n, "2001:db8::f", 0, true), "6.15");
	assert_string_equal(name_of(n, "::ffff:192.0.2.7", 0, true), "4.192.0.2.7");
	assert_null(names_of(n, (const uint8_t[]){1, 2, 3}, 3, 0));
}

static void another_list_replaces_the_first(void **state)
{
	static const char *const first[] = {"4.192.0.2.7"}, *const second[] = {"6.1"};
	CLEANUP(names_freep) struct names *n = names_new(&quick);

	(void)state;
	assert_int_equal(names_watch(n, first, 1, NULL), 1);
	assert_non_null(name_of(n, "192.0.2.7", 0, true));
	assert_int_equal(names_watch(n, second, 1, NULL), 1);
	assert_non_null(name_of(n, "2001:db8::1", 0, true));
	assert_null(name_of(n, "192.0.2.7", 0, false));
	assert_int_equal(names_watch(n, NULL, 0, NULL), 0);
	assert_null(name_of(n, "2001:db8::1", 0, false));
}

static void past_the_bounds_the_first_are_watched(void **state)
{
	static char texts[WORLD_NAMES + 16][24];
	const char *watched[WORLD_NAMES + 18];
	char too_long[400];
	CLEANUP(names_freep) struct names *n = names_new(&quick);

	(void)state;
	memset(too_long, 'x', sizeof(too_long));
	too_long[sizeof(too_long) - 1] = 0;
	watched[0] = too_long;
	watched[1] = "";
	for (unsigned i = 0; i < WORLD_NAMES + 16; i++) {
		snprintf(texts[i], sizeof(texts[i]), "4.10.9.%u.%u", i / 200, i % 200);
		watched[i + 2] = texts[i];
	}
	assert_int_equal(names_watch(n, watched, ARRAY_LEN(watched), NULL), WORLD_NAMES);
	assert_string_equal(name_of(n, "10.9.1.55", 0, true), "4.10.9.1.55");
	assert_null(name_of(n, "10.9.1.56", 0, false));
}

static void without_a_need_there_is_no_thread(void **state)
{
	CLEANUP(names_freep) struct names *n = names_new(&quick);
	int before = atomic_load(&calls);

	(void)state;
	assert_int_equal(names_watch(n, NULL, 0, NULL), 0);
	usleep(20000);
	assert_int_equal(atomic_load(&calls), before);
}

static void a_resolver_that_hangs_holds_nobody_up(void **state)
{
	static const char *const watched[] = {"4.1.2.3.4"};
	struct names *n = names_new(&quick);
	uint64_t start = now_ms();

	(void)state;
	atomic_store(&hang_ms, 700);
	assert_int_equal(names_watch(n, watched, 1, NULL), 1);
	usleep(50000); /* it hangs now */
	assert_null(names_of(n, (const uint8_t[]){1, 2, 3, 4}, 4, 0));
	names_free(n);
	assert_true(now_ms() - start < 500);
	atomic_store(&hang_ms, 0);
	usleep(900000); /* what they shared is freed by the thread */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_of_an_address_is_told),
		cmocka_unit_test(the_addresses_of_a_name_are_told),
		cmocka_unit_test(an_address_that_left_the_answers_stays_a_while),
		cmocka_unit_test(an_answers_time_is_obeyed_within_bounds),
		cmocka_unit_test(what_is_known_outlives_a_list_and_comes_from_an_earlier_process),
		cmocka_unit_test(another_list_replaces_the_first),
		cmocka_unit_test(past_the_bounds_the_first_are_watched),
		cmocka_unit_test(without_a_need_there_is_no_thread),
		cmocka_unit_test(a_resolver_that_hangs_holds_nobody_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
