/* The summary of an inventory comes back as it was, and a wrong one is refused. */
#include "agent/image/live/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void it_comes_back_as_it_was(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	Picket__Inventory inv = PICKET__INVENTORY__INIT;
	Picket__Layer layer[2] = { PICKET__LAYER__INIT, PICKET__LAYER__INIT }, *layers[] = { &layer[0], &layer[1] };
	Picket__Package package = PICKET__PACKAGE__INIT, *packages[] = { &package, &package };
	uint8_t keys[2][LIMIT_KEY_BYTES] = { { 1, 2, 3 }, { 0xff } };
	static char a[] = "a:1", b[] = "b \"x\":2", problem[] = "etc/x: cut";
	char *names[] = { a, b }, *problems[] = { problem };
	struct summary s;

	buf_init(&out, 0);
	for (int i = 0; i < 2; i++)
		layer[i].key = (ProtobufCBinaryData){ LIMIT_KEY_BYTES, keys[i] };
	layer[1].packages = packages;
	layer[1].n_packages = 2;
	inv.layers = layers;
	inv.n_layers = 2;
	inv.names = names;
	inv.n_names = 2;
	inv.problems = problems;
	inv.n_problems = 1;
	summary_write(&inv, &out);
	assert_int_equal(summary_read(buf_slice(&out), &s, NULL), 0);
	assert_int_equal(s.key_count, 2);
	assert_memory_equal(s.keys, keys, sizeof(keys));
	assert_int_equal(s.name_count, 2);
	assert_string_equal(s.names[1], "b \"x\":2");
	assert_int_equal(s.repo_digest_count, 0);
	assert_int_equal(s.packages, 2);
	assert_int_equal(s.problems, 1);
	assert_string_equal(s.first_problem, "etc/x: cut");
	summary_fini(&s);
}

static void a_wrong_one_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"layer_keys\":7}",
		"{\"layer_keys\":[\"ab\"]}",
		"{\"layer_keys\":[7]}",
		"{\"layer_keys\":[\"zz02030000000000000000000000000000000000000000000000000000000000\"]}",
		"{\"layer_keys\":[],\"names\":[1]}",
	};
	struct summary s;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (summary_read(slice_of(wrong[i]), &s, &err) >= 0)
			fail_msg("accepted: %s", wrong[i]);
	assert_int_equal(summary_read(SLICE_LIT("{\"layer_keys\":[]}"), &s, &err), 0);
	summary_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_back_as_it_was),
		cmocka_unit_test(a_wrong_one_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
