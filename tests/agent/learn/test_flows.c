/* test_flows.c - who a container talks to, out of the kernel's tables and the collector's events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/learn/flows.h"

static void connections_of_now_have_a_direction(void **state)
{
	static const char table[] =
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
		"   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n"
		"   1: 020014AC:0050 076433C6:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1\n"
		"   2: 020014AC:C351 030014AC:1538 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n"
		"   x: 020014AC 030014AC:1538 01\n"
		"   3: 020014ZC:C351 030014AC:1538 01\n"
		"   4:";
	static const char table6[] = "  0: 0000000000000000FFFF0000020014AC:C352 0000000000000000FFFF0000030014AC:0050 01 x\n";
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct flows f = { 0 };

	assert_int_equal(flows_add_table(&f, slice_of(table), "tcp", "web", a, NULL), 0);
	assert_int_equal(flows_add_table(&f, slice_of(table6), "tcp6", "web", a, NULL), 0);
	assert_int_equal(f.count, 3);
	assert_string_equal(f.v[0].to, "web"); /* its port 80 is listened on */
	assert_string_equal(f.v[0].from_address, "198.51.100.7");
	assert_int_equal(f.v[0].port, 80);
	assert_string_equal(f.v[1].from, "web");
	assert_string_equal(f.v[1].to_address, "172.20.0.3");
	assert_int_equal(f.v[1].port, 5432);
	assert_string_equal(f.v[2].to_address, "::ffff:172.20.0.3");
}

static void events_say_whose_traffic_it_is(void **state)
{
	static const char text[] =
		"{\"type\":\"traffic\",\"container\":{\"name\":\"web\"},\"traffic\":{\"peers\":[{\"address\":\"172.20.0.3\",\"port\":5432,"
		"\"protocol\":\"tcp\",\"outgoing\":true,\"connections\":4},{\"address\":\"9.9.9.9\",\"port\":80,\"protocol\":\"tcp\","
		"\"outgoing\":false},{\"address\":\"\"},7,{\"address\":\"1.1.1.1\",\"port\":99999}]}}\n\n"
		"{\"type\":\"traffic\",\"traffic\":{\"peers\":[]}}\nnot json\n{\"container\":{\"name\":\"x\"},\"traffic\":[]}";
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct flows f = { 0 };

	assert_int_equal(flows_add_events(&f, slice_of(text), a, NULL), 0);
	assert_int_equal(f.count, 2);
	assert_int_equal(f.skipped, 6);
	assert_string_equal(f.v[0].from, "web");
	assert_int_equal(f.v[0].count, 4);
	assert_string_equal(f.v[1].to, "web");
	assert_string_equal(f.v[1].from_address, "9.9.9.9");
}

static void too_many_are_cut_and_memory_ends_well(void **state)
{
	CLEANUP(arena_freep) struct arena *small = arena_new(256);
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct flows f = { 0 }, full = { .count = REACH_FLOWS_MAX, .size = REACH_FLOWS_MAX };
	struct slice line = SLICE_LIT("  0: 020014AC:C351 030014AC:1538 01 x\n");

	assert_true(flows_add_table(&f, line, "tcp", "web", small, NULL) < 0);
	assert_int_equal(flows_add_table(&full, line, "tcp", "web", a, NULL), 0);
	assert_true(full.is_cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(connections_of_now_have_a_direction),
		cmocka_unit_test(events_say_whose_traffic_it_is),
		cmocka_unit_test(too_many_are_cut_and_memory_ends_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
