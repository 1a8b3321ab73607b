/* What a process has mapped, from what the kernel writes. */
#include "agent/image/live/maps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

static char got[4096];

static void on_path(void *arg, struct slice path)
{
	(void)arg;
	size_t n = strlen(got);
	snprintf(got + n, sizeof(got) - n, "%.*s;", SLICE_FMT(path));
}

static const char *parse(const char *text)
{
	got[0] = 0;
	maps_parse(slice_of(text), on_path, NULL);
	return got;
}

static void files_mapped_to_run_come_in_order(void **state)
{
	assert_string_equal(
		parse("55d0c0a00000-55d0c0a20000 r--p 00000000 00:2b 131 /usr/bin/perl\n"
		      "55d0c0a20000-55d0c0b80000 r-xp 00020000 00:2b 131                        /usr/bin/perl\n"
		      "7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n"
		      "7f1000000000-7f1000100000 r-xp 00026000 00:2b 77  /usr/lib/x86_64-linux-gnu/libc.so.6\n"
		      "7f2000000000-7f2000100000 r--p 00026000 00:2b 78  /usr/lib/locale/C.utf8/LC_CTYPE\n"
		      "7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0 [vdso]\n"),
		"/usr/bin/perl;/usr/lib/x86_64-linux-gnu/libc.so.6;");
}

static void a_file_mapped_in_pieces_comes_once(void **state)
{
	assert_string_equal(parse("1-2 r-xp 0 00:2b 5 /a\n2-3 r-xp 0 00:2b 5 /a\n"), "/a;");
}

static void what_is_no_file_of_the_image_is_passed_by(void **state)
{
	assert_string_equal(parse("1-2 r-xp 0 00:01 5 /memfd:x (deleted)\n"
				  "1-2 r-xp 0 00:2b 5 /tmp/gone (deleted)\n"
				  "1-2 rwxp 0 00:01 5 /SYSV00000000\n"
				  "1-2 r-xp 0 00:01 5 anon_inode:[x]\n"
				  "1-2 r-xp 0 00:2b 5 /new\\012line\n"),
			    "");
}

static void a_path_with_blanks_is_whole(void **state)
{
	assert_string_equal(parse("1-2 r-xp 0 00:2b 5       /opt/my app/lib x.so\n"), "/opt/my app/lib x.so;");
}

static void lines_that_are_none_do_no_harm(void **state)
{
	assert_string_equal(parse("\n\n \n1-2\n1-2 r-xp\n1-2 r-xp 0 00:2b 5\n1-2 r-xp 0 00:2b 5 \nx x x x x x"), "");
	assert_string_equal(parse("1-2 r-xp 0 00:2b 5 /"), "");
	assert_string_equal(parse("1-2 r-xp 0 00:2b 5 /b"), "/b;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_mapped_to_run_come_in_order),
		cmocka_unit_test(a_file_mapped_in_pieces_comes_once),
		cmocka_unit_test(what_is_no_file_of_the_image_is_passed_by),
		cmocka_unit_test(a_path_with_blanks_is_whole),
		cmocka_unit_test(lines_that_are_none_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
