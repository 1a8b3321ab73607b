/* test_ports.c - ranges against the table they stand for. */
#include "agent/guard/net/ports.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* What the last range that matches says; rule 0: none does. */
static struct net_ports plain(const struct net_ports *ports, size_t count, unsigned port)
{
	struct net_ports r = { 0 };

	for (size_t i = 0; i < count; i++)
		if (port >= ports[i].from && port <= ports[i].to)
			r = ports[i];
	return r;
}

static void check(const struct net_ports *ports, size_t count, size_t want_count)
{
	CLEANUP(freep) struct port_prefix *p = NULL;
	size_t n = 0;
	static struct port_prefix at[65536];
	static unsigned hits[65536];

	memset(hits, 0, sizeof(hits));
	assert_int_equal(ports_to_prefixes(ports, count, &p, &n, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		unsigned size = 1U << (16 - p[i].bits);

		assert_int_equal(p[i].port % size, 0);
		for (unsigned k = 0; k < size; k++) {
			at[p[i].port + k] = p[i];
			hits[p[i].port + k]++;
		}
	}
	for (unsigned port = 0; port < 65536; port++) {
		struct net_ports want = plain(ports, count, port);

		assert_int_equal(hits[port], want.rule != 0);
		if (want.rule) {
			assert_int_equal(at[port].rule, want.rule);
			assert_int_equal(at[port].is_denied, want.is_denied);
		}
	}
	if (want_count)
		assert_int_equal(n, want_count);
}

static void one_port_is_one_prefix(void **state)
{
	check((struct net_ports[]){ { 22, 22, true, 1 } }, 1, 1);
	check((struct net_ports[]){ { 0, 0, true, 1 } }, 1, 1);
	check((struct net_ports[]){ { 65535, 65535, true, 1 } }, 1, 1);
}

static void all_ports_are_one_prefix(void **state)
{
	check((struct net_ports[]){ { 0, 65535, true, 1 } }, 1, 1);
}

static void the_worst_range_is_thirty(void **state)
{
	check((struct net_ports[]){ { 1, 65534, true, 1 } }, 1, 30);
}

static void the_last_that_matches_decides(void **state)
{
	check((struct net_ports[]){ { 0, 65535, true, 1 }, { 80, 80, false, 2 }, { 443, 8443, false, 3 },
				    { 1000, 2000, true, 4 } }, 4, 0);
	check((struct net_ports[]){ { 80, 80, false, 2 }, { 0, 65535, true, 1 } }, 2, 1);
}

static void a_range_the_wrong_way_round_is_nothing(void **state)
{
	check((struct net_ports[]){ { 90, 80, true, 1 } }, 1, 0);
	check(NULL, 0, 0);
}

static void any_mixture_is_as_the_table_says(void **state)
{
	unsigned seed = 7;

	for (int round = 0; round < 50; round++) {
		struct net_ports p[12] = { 0 };

		for (size_t i = 0; i < 12; i++) {
			seed = seed * 1103515245 + 12345;
			p[i].from = (uint16_t)(seed >> 8);
			seed = seed * 1103515245 + 12345;
			p[i].to = (uint16_t)(p[i].from + (seed >> 20));
			p[i].is_denied = seed & 64;
			p[i].rule = (uint32_t)i + 1;
		}
		check(p, 12, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_port_is_one_prefix),
		cmocka_unit_test(all_ports_are_one_prefix),
		cmocka_unit_test(the_worst_range_is_thirty),
		cmocka_unit_test(the_last_that_matches_decides),
		cmocka_unit_test(a_range_the_wrong_way_round_is_nothing),
		cmocka_unit_test(any_mixture_is_as_the_table_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
