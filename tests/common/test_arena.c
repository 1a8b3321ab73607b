/* arena: the cap holds whatever is asked, and a reset gives everything back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/arena.h"

static void pieces_are_aligned_and_apart(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	char *last = NULL;

	for (size_t n = 0; n < 300; n++) {
		char *p = arena_alloc(a, n);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		assert_ptr_not_equal(p, last);
		memset(p, 0xff, n);
		last = p;
	}
}

static void the_cap_holds(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(10000);
	size_t got = 0;

	assert_null(arena_alloc(a, 10001));
	assert_null(arena_alloc(a, SIZE_MAX));
	while (arena_alloc(a, 100))
		got += 100;
	assert_in_range(got, 8000, 10000);
	assert_true(arena_used(a) <= 10000);
	arena_reset(a);
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_alloc(a, 9000));
}

static void counted_pieces_cannot_overflow(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SIZE_MAX);

	assert_null(arena_zalloc(a, SIZE_MAX / 2, 3));
	assert_null(arena_zalloc(a, SIZE_MAX, SIZE_MAX));
	char *p = arena_zalloc(a, 10, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(p[i], 0);
}

static void a_wish_near_size_max_is_refused(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(SIZE_MAX);

	for (size_t n = SIZE_MAX - 64; n; n++) /* ends when n wraps to 0 */
		assert_null(arena_alloc(a, n));
}

static void text_is_copied_and_formatted(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(1000);
	char big[2000];

	assert_string_equal(arena_dup(a, SLICE_LIT("abc")), "abc");
	assert_string_equal(arena_dup(a, SLICE_NONE), "");
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	memset(big, 'x', sizeof(big));
	assert_null(arena_dup(a, slice_from(big, sizeof(big))));
	big[1999] = 0;
	assert_null(arena_printf(a, "%s", big));
}

static void borrowed_texts_are_kept_or_refused(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(4096);
	static char big[8192];
	char row[] = "one";
	const char *x = row, *y = "", *z = memset(big, 'z', sizeof(big) - 1);
	const char **texts[] = { &x, &y, &z };

	assert_true(arena_keep(a, texts, 2));
	row[0] = 'X';
	assert_string_equal(x, "one");
	assert_string_equal(y, "");
	assert_false(arena_keep(a, &texts[2], 1));
}

static void large_wishes_get_their_own_block_and_resets_keep_one(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);

	for (int round = 0; round < 3; round++) {
		char *p = arena_alloc(a, 8 << 20);

		assert_non_null(p);
		memset(p, 1, 8 << 20);
		assert_non_null(arena_alloc(a, 100));
		arena_reset(a);
	}
	arena_free(NULL);
}

/* What is kept is used again, whatever was asked for in between, and the bytes handed out are still bounded. */
static void a_reset_keeps_as_much_as_it_was_told(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(4 << 20);

	arena_keep_bytes(a, 1 << 20);
	for (int round = 0; round < 4; round++) {
		size_t n = 0;

		while (n < 3000) {
			char *p = arena_alloc(a, 1000);

			assert_non_null(p);
			memset(p, round, 1000);
			n++;
		}
		assert_non_null(arena_alloc(a, 600000)); /* none of the kept ones is so large */
		assert_int_equal(arena_used(a), 3000 * 1008 + 600000);
		assert_null(arena_alloc(a, 2 << 20));
		arena_reset(a);
		assert_int_equal(arena_used(a), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_and_apart),
		cmocka_unit_test(the_cap_holds),
		cmocka_unit_test(counted_pieces_cannot_overflow),
		cmocka_unit_test(a_wish_near_size_max_is_refused),
		cmocka_unit_test(text_is_copied_and_formatted),
		cmocka_unit_test(borrowed_texts_are_kept_or_refused),
		cmocka_unit_test(large_wishes_get_their_own_block_and_resets_keep_one),
		cmocka_unit_test(a_reset_keeps_as_much_as_it_was_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
