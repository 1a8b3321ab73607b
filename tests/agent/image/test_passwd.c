/* test_passwd.c - who is root by an image's /etc/passwd, as engines read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "agent/image/passwd.h"

static void check(const char *text, const char *want)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, PASSWD_BYTES);
	passwd_roots(slice_of(text), &b);
	if (!slice_is(buf_slice(&b), want))
		fail_msg("%s: '%.*s' instead of '%s'", text, SLICE_FMT(buf_slice(&b)), want);
}

static void names_of_uid_0_are_found(void **state)
{
	check("root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/:\ntoor:x:0:0::/:\n", "root\ntoor\n");
	check("", "");
	check("app:x:1000:1000::/:", "");
	check("  app:x:00:0::/:\r\n\n\nb:x:+0:1\nc:x:-0", "app\nb\nc\n");
	check("1000:x:0:0::/:\n", "1000\n"); /* USER 1000 is root there */
}

/* What is no number is 0 there, and what ends too early, too. */
static void engines_read_it_generously(void **state)
{
	check("a:x:none:0\nb\nc:x\nd:x:\ne:x:1x:0\n", "a\nb\nc\nd\ne\n");
	check("a:x:18446744073709551616:0\nb:x:4294967296:0\n", "");
}

static void the_first_line_of_a_name_counts(void **state)
{
	check("app:x:1000:0\napp:x:0:0\n", "");
	check("app:x:0:0\napp:x:1000:0\napp:x:0:0\n", "app\n");
}

static void hostile_ones_are_bounded(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(buf_finip) struct buf b = { 0 };
	size_t lines = 0;

	check("a\033[31m:x:0:0\n:x:0:0\n", "");
	buf_init(&text, PASSWD_BYTES);
	buf_init(&b, PASSWD_BYTES);
	for (unsigned i = 0; i < 5000 && !text.failed; i++)
		buf_printf(&text, "u%u:x:0:0\n", i);
	passwd_roots(buf_slice(&text), &b);
	for (size_t i = 0; i < b.n; i++)
		lines += b.p[i] == '\n';
	assert_int_equal(lines, PASSWD_ROOTS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_uid_0_are_found),
		cmocka_unit_test(engines_read_it_generously),
		cmocka_unit_test(the_first_line_of_a_name_counts),
		cmocka_unit_test(hostile_ones_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
