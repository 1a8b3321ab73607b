/* How long a DNS answer holds: real messages, cut ones, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/world/names_priv.h"

#define LIT(s) slice_from(s, sizeof(s) - 1)
#define HEAD(questions, answers) "\x12\x34\x81\x80\x00" questions "\x00" answers "\x00\x00\x00\x00"
#define QUESTION "\x03www\x07""example\x00\x00\x01\x00\x01"
#define CNAME(ttl) "\xc0\x0c\x00\x05\x00\x01" ttl "\x00\x02\xc0\x10"
#define A(ttl) "\xc0\x0c\x00\x01\x00\x01" ttl "\x00\x04\x0a\x00\x00\x01"

static void the_least_of_the_answers_counts(void **state)
{
	(void)state;
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x01") QUESTION A("\x00\x00\x01\x2c"))), 300);
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x03") QUESTION CNAME("\x00\x00\x00\x3c") A("\x00\x00\x01\x2c") A("\x00\x00\x01\x2c"))), 60);
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x01") QUESTION A("\x00\x00\x00\x00"))), 0);
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x01") QUESTION A("\xff\xff\xff\xfe"))), 0);
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x00") QUESTION)), NAMES_NO_TTL);
	assert_int_equal(names_answer_ttl(SLICE_NONE), NAMES_NO_TTL);
}

static void a_message_cut_anywhere_says_no_more_than_it_has(void **state)
{
	static const char whole[] = HEAD("\x01", "\x02") QUESTION CNAME("\x00\x00\x00\x3c") A("\x00\x00\x00\x05");
	char copy[sizeof(whole)];
	size_t n = sizeof(whole) - 1, first = n - 16;

	(void)state;
	for (size_t i = 0; i <= n; i++) {
		memcpy(copy, whole, i); /* so that a byte too many is seen */
		char *end = malloc(i ? i : 1);
		memcpy(end, copy, i);
		uint32_t ttl = names_answer_ttl(slice_from(end, i));
		free(end);
		/* The second one's time stands before its address. */
		assert_int_equal(ttl, i < first - 2 ? NAMES_NO_TTL : i < n - 4 ? 60 : 5);
	}
}

static void counts_and_lengths_that_lie_end_nowhere(void **state)
{
	(void)state;
	assert_int_equal(names_answer_ttl(LIT("\x12\x34\x81\x80\xff\xff\xff\xff\x00\x00\x00\x00")), NAMES_NO_TTL);
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\xff") QUESTION A("\x00\x00\x00\x07"))), 7);
	/* a pointer to itself, a label of a kind nobody knows, a length past the end */
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x01") "\xc0\x0c\x00\x01\x00\x01" A("\x00\x00\x00\x09"))), 9);
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x01") "\x80xx\x00\x00\x01\x00\x01" A("\x00\x00\x00\x09"))), NAMES_NO_TTL);
	assert_int_equal(names_answer_ttl(LIT(HEAD("\x01", "\x02") QUESTION "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x09\xff\xff")), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_least_of_the_answers_counts),
		cmocka_unit_test(a_message_cut_anywhere_says_no_more_than_it_has),
		cmocka_unit_test(counts_and_lengths_that_lie_end_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
