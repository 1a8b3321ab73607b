/* test_facts_known.c - what is known of a filter travels as a word and comes back as it was; nonsense is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/audit/facts.h"

static struct facts_real example(void)
{
	struct facts_real r = { .is_known = true, .init_start_ticks = 123456 };

	r.init = (struct facts_process){ .pid = 4711, .seccomp = SECCOMP_FILTERED, .seccomp_filters = 2 };
	r.filter = (struct facts_filter){ .is_read = true, .why = "", .instructions = 300, .filters = 2, .allows_other_abi = true };
	r.filter.allows[0] = 0x8000000000000007;
	r.filter.allows[7] = 1;
	r.filter.always[0] = 3;
	r.filter.allowed = 5;
	return r;
}

static void it_comes_back_as_it_was(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct facts_real r = example();
	struct facts_known k;

	buf_init(&b, FACTS_KNOWN_BYTES);
	facts_known_write(&r, &b);
	assert_false(b.failed);
	assert_int_equal(facts_known_read(buf_slice(&b), &k, NULL), 0);
	assert_int_equal(k.pid, 4711);
	assert_int_equal(k.start_ticks, 123456);
	assert_int_equal(k.seccomp_filters, 2);
	assert_memory_equal(k.filter.allows, r.filter.allows, sizeof(r.filter.allows));
	assert_memory_equal(k.filter.always, r.filter.always, sizeof(r.filter.always));
	assert_true(k.filter.is_read && k.filter.allows_other_abi);
	assert_int_equal(k.filter.allowed, 5);
	assert_int_equal(k.filter.instructions, 300);
	assert_int_equal(k.filter.filters, 2);
}

static void the_largest_fits(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct facts_real r = example();
	struct facts_known k;

	r.init.pid = INT32_MAX;
	r.init_start_ticks = UINT64_MAX;
	r.init.seccomp_filters = r.filter.instructions = UINT32_MAX;
	buf_init(&b, FACTS_KNOWN_BYTES);
	facts_known_write(&r, &b);
	assert_false(b.failed);
	assert_int_equal(facts_known_read(buf_slice(&b), &k, NULL), 0);
}

/* Who can't be told from another, or has no filter to be read, is not known. */
static void what_can_not_be_known_is_not(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct facts_real r[5];

	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		r[i] = example();
	r[0].is_known = false;
	r[1].filter.is_read = false;
	r[2].init.seccomp_filters = 0; /* before Linux 5.9 */
	r[3].init_start_ticks = 0;
	r[4].init.seccomp = SECCOMP_OFF;
	buf_init(&b, FACTS_KNOWN_BYTES);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		facts_known_write(&r[i], &b);
	assert_int_equal(b.n, 0);
}

static void nonsense_is_refused(void **state)
{
#define ZEROS "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
	static const char *const wrong[] = {
		"", "-", "1-2-3-4-0", "1-2-3-4-0-" ZEROS, "1-2-3-4-2-" ZEROS "-" ZEROS, "99999999999-2-3-4-0-" ZEROS "-" ZEROS,
		"1-2-3-4-0-" ZEROS "-0" ZEROS, "x-2-3-4-0-" ZEROS "-" ZEROS, "1-2-3-4-0-" ZEROS "-" ZEROS "-0",
	};
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct facts_real r = example();
	struct facts_known k;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (facts_known_read(slice_of(wrong[i]), &k, NULL) != -ERR_SYNTAX)
			fail_msg("accepted: %s", wrong[i]);
	assert_int_equal(facts_known_read(SLICE_LIT("1-2-3-4-0-" ZEROS "-" ZEROS), &k, NULL), 0);
	r.filter.always[3] = 1; /* always, and never */
	buf_init(&b, FACTS_KNOWN_BYTES);
	facts_known_write(&r, &b);
	assert_int_equal(facts_known_read(buf_slice(&b), &k, NULL), -ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_comes_back_as_it_was),
		cmocka_unit_test(the_largest_fits),
		cmocka_unit_test(what_can_not_be_known_is_not),
		cmocka_unit_test(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
