#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/hash/cache.h"
#include "common/slice.h"

static struct hash_known known_of(uint64_t inode, uint8_t first)
{
	return (struct hash_known){ .key = { .inode = inode, .ctime_ns = 7 }, .sha256 = { first } };
}

static void what_was_asked_for_last_stays(void **state)
{
	CLEANUP(hash_cache_freep) struct hash_cache *c = NULL;
	struct hash_key one = { .inode = 1, .ctime_ns = 7 };

	(void)state;
	assert_int_equal(hash_cache_new(3, &c, NULL), 0);
	for (uint64_t i = 1; i <= 3; i++) {
		struct hash_known k = known_of(i, (uint8_t)i);

		hash_cache_put(c, &k);
	}
	assert_non_null(hash_cache_find(c, &one));
	struct hash_known four = known_of(4, 4);
	hash_cache_put(c, &four);
	assert_int_equal(hash_cache_count(c), 3);
	assert_int_equal(hash_cache_evicted(c), 1);
	assert_int_equal(hash_cache_find(c, &one)->sha256[0], 1);
	assert_null(hash_cache_find(c, &(struct hash_key){ .inode = 2, .ctime_ns = 7 }));
	assert_int_equal(hash_cache_find(c, &four.key)->sha256[0], 4);
}

static void a_file_that_changed_is_another(void **state)
{
	CLEANUP(hash_cache_freep) struct hash_cache *c = NULL;
	struct hash_known k = known_of(1, 1);
	struct hash_key keys[] = { k.key, k.key, k.key, k.key };

	(void)state;
	assert_int_equal(hash_cache_new(8, &c, NULL), 0);
	hash_cache_put(c, &k);
	keys[0].ctime_ns++;
	keys[1].mtime_ns++;
	keys[2].dev++;
	keys[3].inode++;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_null(hash_cache_find(c, &keys[i]));
	k.sha256[0] = 9;
	hash_cache_put(c, &k);
	assert_int_equal(hash_cache_count(c), 1);
	assert_int_equal(hash_cache_find(c, &k.key)->sha256[0], 9);
}

/* Against a plain list: the same is kept, the same given up. */
static void a_long_random_life_keeps_the_order(void **state)
{
	enum { MAX = 16, FILES = 40, STEPS = 20000 };
	CLEANUP(hash_cache_freep) struct hash_cache *c = NULL;
	uint64_t list[MAX], seed = 1;
	size_t n = 0;

	(void)state;
	assert_int_equal(hash_cache_new(MAX, &c, NULL), 0);
	for (int step = 0; step < STEPS; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		struct hash_known k = known_of(1 + (seed >> 33) % FILES, (uint8_t)((seed >> 33) % FILES));
		size_t at = 0;

		while (at < n && list[at] != k.key.inode)
			at++;
		assert_int_equal(hash_cache_find(c, &k.key) != NULL, at < n);
		if (at == n)
			hash_cache_put(c, &k);
		if (at == n && n < MAX)
			n++;
		else if (at == n)
			at = n - 1; /* the last goes */
		memmove(&list[1], &list[0], at * sizeof(*list));
		list[0] = k.key.inode;
	}
	assert_int_equal(hash_cache_count(c), MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_asked_for_last_stays),
		cmocka_unit_test(a_file_that_changed_is_another),
		cmocka_unit_test(a_long_random_life_keeps_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
