/* requirements.txt: pins, and what is no pin. */
#include "tests/agent/image/lang/lang_test.h"

static void only_a_pin_is_a_version(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "a==1.0", "a 1.0\n" },
		{ "A.b_c-d == 1.0 # why", "A.b_c-d 1.0\n" },
		{ "a===1.0#why", "a 1.0\n" },
		{ "a[x, y] ==1.0 ; python_version < '3'", "a 1.0\n" },
		{ "a>=0.5,==1.0,!=2", "a 1.0\n" },
		{ "a (==1.0)", "a 1.0\n" },
		{ "a==1.0 --hash=sha256:1 \\\n  --hash=sha256:2", "a 1.0\n" },
		{ "a \\\n == \\\r\n1.0\nb==2 \\", "a 1.0\nb 2\n" },
		{ "# a \\\nb==1", "b 1\n" },
		{ "a", "a \n" },
		{ "a ; x", "a \n" },
		{ "a>=1.0", "a \n" },
		{ "a==1.*", "a \n" },
		{ "a~=1.0, <2", "a \n" },
		{ "a==", "" },
		{ "a== --hash=sha256:1", "" },
		{ "a 1.0", "" },
		{ "==1.0", "" },
		{ ">=1.0", "" },
		{ "-a==1", "" },
		{ "-r other.txt", "" },
		{ "--index-url https://example.org", "" },
		{ "a @ https://example.org/a-1.zip", "" },
		{ "https://example.org/a-1.zip", "" },
		{ "./a-1.0.whl", "" },
		{ "a/b-1.0.whl", "" },
		{ "a==${VERSION}", "" },
		{ "a[x", "" },
		{ "a-==1", "" },
		{ "a = 1", "a \n" },
		{ "", "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_file("requirements.txt", rows[i].line, rows[i].want, "");
}

static void the_names_people_give_such_files(void **state)
{
	assert_file("requirements.txt", "a==1", "a 1\n", "");
	assert_file("app/requirements-dev.txt", "a==1", "a 1\n", "");
	assert_file("app/dev-requirements.txt", "a==1", "a 1\n", "");
	assert_file("app/requirements/base.txt", "a==1", "a 1\n", "");
	assert_file("app/requirements_of_law/notes.txt", "a==1", "", "");
}

static void windows_writes_utf_16(void **state)
{
	struct got g;

	got_init(&g);
	get(&g, "requirements.txt", SLICE_LIT("\xff\xfe" "a\0=\0=\0" "1\0\r\0\n\0"));
	get(&g, "requirements.txt", SLICE_LIT("\xfe\xff\0b\0=\0=\0" "2\0\n"));
	get(&g, "requirements.txt", SLICE_LIT("\xef\xbb\xbf" "c==3\n"));
	get(&g, "requirements.txt", SLICE_LIT("\xff\xfe" "d"));
	assert_string_equal(g.packages.p, "a 1\nb 2\nc 3\n");
	assert_int_equal(g.result, 0);
	got_fini(&g);
}

static void a_line_that_never_ends_is_dropped(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 1 << 20);
	buf_add_str(&b, "a \\\n");
	for (int i = 0; i < 40000; i++)
		buf_add_str(&b, "x \\\n");
	buf_add_str(&b, "\nb==1\n");
	assert_file("requirements.txt", b.p, "b 1\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_pin_is_a_version),
		cmocka_unit_test(the_names_people_give_such_files),
		cmocka_unit_test(windows_writes_utf_16),
		cmocka_unit_test(a_line_that_never_ends_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
