/* graph: what is reached, circles, and the bounds. */
#include "tests/agent/image/lang/lang_test.h"

#include "agent/image/lang/graph.h"

static void what_the_roots_reach(void **state)
{
	struct graph g;

	graph_init(&g);
	graph_add(&g, 1, 2);
	graph_add(&g, 3, 1); /* a circle */
	graph_add(&g, 2, 3);
	graph_add(&g, 1, 2);
	graph_add(&g, 5, 6);
	graph_add(&g, 6, 1);
	graph_add_root(&g, 2);
	graph_add_root(&g, 9);
	graph_reach(&g);
	for (uint64_t i = 1; i < 12; i++)
		assert_int_equal(graph_is_reached(&g, i), i <= 3 || i == 9);
	graph_fini(&g);
}

static void without_roots_or_past_the_bound_all_is_reached(void **state)
{
	struct graph g;

	graph_init(&g);
	assert_true(graph_is_reached(&g, 1));
	graph_add(&g, 1, 2);
	graph_reach(&g);
	assert_true(graph_is_reached(&g, 7));
	graph_fini(&g);
	graph_init(&g);
	graph_add_root(&g, 1);
	graph_reach(&g);
	assert_false(graph_is_reached(&g, 7));
	for (uint64_t i = 0; i <= GRAPH_EDGES_MAX; i++)
		graph_add(&g, 1, i + 2);
	graph_reach(&g);
	assert_true(graph_is_reached(&g, UINT64_MAX));
	graph_fini(&g);
}

static void a_long_chain_is_followed_without_recursion(void **state)
{
	struct graph g;

	graph_init(&g);
	for (uint64_t i = 1; i < 100000; i++)
		graph_add(&g, i, i + 1);
	graph_add_root(&g, 1);
	graph_reach(&g);
	assert_true(graph_is_reached(&g, 100000));
	assert_false(graph_is_reached(&g, 100001));
	graph_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_roots_reach),
		cmocka_unit_test(without_roots_or_past_the_bound_all_is_reached),
		cmocka_unit_test(a_long_chain_is_followed_without_recursion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
