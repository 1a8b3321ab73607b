/* err: codes, words, and messages longer than their room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "common/err.h"
#include "common/slice.h"

static void setting_returns_the_negative_code_and_says_errno(void **state)
{
	struct err err;

	assert_int_equal(err_set(&err, ENOENT, "open '%s'", "x"), -ENOENT);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.msg, "open 'x': No such file or directory");
	assert_int_equal(err_set(&err, -ENOENT, "again"), -ENOENT); /* either sign */
	assert_int_equal(err_set(&err, ERR_SYNTAX, "a.yaml:1:2: bad"), -ERR_SYNTAX);
	assert_string_equal(err.msg, "a.yaml:1:2: bad");
}

static void an_error_without_a_code_still_fails(void **state)
{
	struct err err;

	assert_int_equal(err_set(&err, 0, "x"), -EIO);
	assert_int_equal(err_set(NULL, 0, "x"), -EIO);
	assert_int_equal(err_wrap(NULL, -EIO, "x"), -EIO);
}

static void wrapping_puts_words_before(void **state)
{
	struct err err;

	err_set(&err, ERR_LIMIT, "too many");
	assert_int_equal(err_wrap(&err, -ERR_LIMIT, "read '%s'", "f"), -ERR_LIMIT);
	assert_string_equal(err.msg, "read 'f': too many");
	assert_int_equal(err.code, ERR_LIMIT);
}

static void long_messages_are_cut_and_terminated(void **state)
{
	struct err err;
	char long_text[1000];

	for (size_t n = 200; n < 300; n++) {
		memset(long_text, 'x', n);
		long_text[n] = 0;
		err_set(&err, ENOENT, "%s", long_text);
		assert_true(strlen(err.msg) < sizeof(err.msg));
		err_wrap(&err, -ENOENT, "%s", "outer");
		assert_true(strlen(err.msg) < sizeof(err.msg));
		assert_memory_equal(err.msg, "outer: xxx", 10);
		err_wrap(&err, -ENOENT, "%s", long_text);
		assert_true(strlen(err.msg) < sizeof(err.msg));
		for (int i = 0; i < 50; i++)
			err_wrap(&err, -ENOENT, "deeper");
		assert_true(strlen(err.msg) < sizeof(err.msg));
	}
}

static void every_code_has_words_and_an_exit_code(void **state)
{
	static const struct {
		int code, exit;
	} rows[] = {
		{ 0, 0 },		{ ERR_USAGE, 2 },    { ERR_SYNTAX, 3 },	  { ERR_CORRUPT, 3 },
		{ ERR_VERSION, 3 },	{ ERR_DENIED, 4 },   { ERR_CRYPTO, 4 },	  { -EACCES, 4 },
		{ ERR_NOT_FOUND, 5 },	{ ENOENT, 5 },	     { ERR_PEER, 6 },	  { ECONNREFUSED, 6 },
		{ EHOSTUNREACH, 6 },	{ -ETIMEDOUT, 7 },   { ERR_LIMIT, 1 },	  { EIO, 1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(err_exit_code(rows[i].code), rows[i].exit);
	for (int code = ERR_CORRUPT; code <= ERR_USAGE; code++)
		assert_string_not_equal(err_name(code), "unknown error");
	assert_string_equal(err_name(ERR_USAGE + 1), "unknown error");
	assert_string_equal(err_name(99999), "unknown error");
	assert_string_equal(err_name(-EPERM), "Operation not permitted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(setting_returns_the_negative_code_and_says_errno),
		cmocka_unit_test(an_error_without_a_code_still_fails),
		cmocka_unit_test(wrapping_puts_words_before),
		cmocka_unit_test(long_messages_are_cut_and_terminated),
		cmocka_unit_test(every_code_has_words_and_an_exit_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
