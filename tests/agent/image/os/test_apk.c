/* apk: packages, sources, files; broken and hostile databases. */
#include "collect.h"

#define INSTALLED "lib/apk/db/installed"

static const struct slice two = SLICE_LIT("C:Q1v4QhLje3kWlC8DJj+ZfJTjlJRSU=\n"
					  "P:busybox\nV:1.36.1-r2\nA:x86_64\nS:1\no:busybox-src\nL:GPL-2.0-only\n"
					  "F:\nR:root-file\nF:bin\nM:0:0:1777\nR:busybox\na:0:0:755\n"
					  "Z:Q14upz3tfnNxZkIEsUhWn7Xoiw96g=\nR:sh\nF:etc/empty\nF:etc\nR:securetty\n"
					  "\n"
					  "P:musl\nV:1.2.4_git20230717-r4\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\n");

static void packages_come_with_their_files(void **state)
{
	struct collect c;

	(void)state;
	collect_init(&c);
	assert_int_equal(collect_bytes(&c, INSTALLED, two), 0);
	assert_string_equal(collect_packages(&c), "apk busybox 1.36.1-r2 x86_64 busybox-src -\n"
						  "apk musl 1.2.4_git20230717-r4 x86_64 - -\n");
	assert_string_equal(collect_files(&c), "busybox root-file\nbusybox bin/busybox\nbusybox bin/sh\n"
					       "busybox etc/securetty\nmusl lib/ld-musl-x86_64.so.1\n");
	collect_fini(&c);
	expect_packages("usr/lib/apk/db/installed", SLICE_LIT("P:a\nV:1-r0"), "apk a 1-r0 - - -\n");
	expect_packages(INSTALLED, SLICE_NONE, "");
}

static void a_bad_entry_is_named_and_hides_no_other(void **state)
{
	struct collect c;

	(void)state;
	collect_init(&c);
	assert_int_equal(collect_bytes(&c, INSTALLED, SLICE_LIT("this is no database\n\nP:a\nA:x\n\nP:b\nV:1\n")),
			 -ERR_SYNTAX);
	assert_string_equal(c.err.msg, "line 1: no field");
	assert_string_equal(collect_packages(&c), "apk b 1 - - -\n");
	collect_fini(&c);
	collect_init(&c);
	assert_int_equal(collect_bytes(&c, INSTALLED, SLICE_LIT("\nP:a\nA:x\n\nP:b\nV:1\n")), -ERR_SYNTAX);
	assert_string_equal(c.err.msg, "line 2: a package without a version");
	collect_fini(&c);
}

static void long_paths_and_texts_are_refused(void **state)
{
	struct collect c;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "P:a\nV:1\nF:");
	for (int i = 0; i < 4090; i++)
		buf_add_char(&b, 'd');
	buf_add_str(&b, "\nR:12345\nR:123456789\nF:");
	for (int i = 0; i < 5000; i++)
		buf_add_char(&b, 'd');
	buf_add_str(&b, "\nR:x\n\nP:");
	for (int i = 0; i < 1100; i++)
		buf_add_char(&b, 'p');
	buf_add_str(&b, "\nV:1\n");
	collect_init(&c);
	assert_int_equal(collect_bytes(&c, INSTALLED, buf_slice(&b)), -ERR_SYNTAX);
	assert_int_equal(c.owned_count, 1); /* the one that fits */
	assert_int_equal(c.package_count, 1);
	collect_fini(&c);
	buf_fini(&b);
}

static void cut_and_random_files_do_no_harm(void **state)
{
	(void)state;
	expect_unharmed(INSTALLED, two, 1);
	expect_unharmed_by_noise(INSTALLED, SLICE_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packages_come_with_their_files),
		cmocka_unit_test(a_bad_entry_is_named_and_hides_no_other),
		cmocka_unit_test(long_paths_and_texts_are_refused),
		cmocka_unit_test(cut_and_random_files_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
