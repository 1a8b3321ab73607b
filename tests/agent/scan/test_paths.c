/* paths: which path each value has, and what a hostile document gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "agent/scan/paths.h"
#include "common/buf.h"
#include "common/text.h"

static int note(void *arg, enum paths_kind kind, struct slice path, struct slice value, struct err *err)
{
	buf_printf(arg, "%c%.*s=%.*s;", "{}s-"[kind], SLICE_FMT(path), SLICE_FMT(value));
	return 0;
}

static int count(void *arg, enum paths_kind kind, struct slice path, struct slice value, struct err *err)
{
	++*(size_t *)arg;
	return 0;
}

static void every_value_has_its_path(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{\"a\":1,\"b\":{\"c\":\"x\",\"d\":null},\"e\":true}",
		  "{=;-.a=1;{.b=;s.b.c=x;-.b.d=null;}.b=;-.e=true;}=;" },
		{ "{\"l\":[{\"n\":\"1\"},{\"n\":\"2\",\"m\":[\"3\",[\"4\"]]}],\"z\":\"5\"}",
		  "{=;{.l[]=;s.l[].n=1;}.l[]=;{.l[]=;s.l[].n=2;s.l[].m[]=3;s.l[].m[][]=4;}.l[]=;s.z=5;}=;" },
		{ "[[{\"a\":{}}]]", "{[][]=;{[][].a=;}[][].a=;}[][]=;" },
		{ "\"x\"", "s=x;" },
		{ "\xef\xbb\xbf{}", "{=;}=;" },
		/* keys that would look like other paths */
		{ "{\"l[].n\":\"1\",\"a.b\":{\"c\":\"2\"},\"\":\"3\"}", "{=;s.?=1;{.?=;s.?.c=2;}.?=;s.=3;}=;" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };
		struct err err;

		buf_init(&out, 0);
		if (paths_text(slice_of(rows[i].text), note, &out, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.msg);
		assert_string_equal(out.p, rows[i].want);
	}
}

static void wrong_documents_are_refused_with_their_place(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "", "byte 0: " },
		{ "{", "byte 1: " },
		{ "{\"a\":}", "byte " },
		{ "{} x", "byte " },
		{ "{\"a\":\"b\\u0000c\"}", "a NUL character" },
		{ "{\"a\\u0000\":1}", "a NUL character" },
		{ "{\"a\":\"\xff\"}", "byte " },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = 0;
		struct err err;

		if (paths_text(slice_of(rows[i].text), count, &n, &err) != -ERR_SYNTAX ||
		    !strstr(err.msg, rows[i].want) || strchr(err.msg, '\n'))
			fail_msg("%s: %s", rows[i].text, err.msg);
	}
}

static void depth_and_values_are_bounded(void **state)
{
	static char text[4 << 20];
	struct err err;
	size_t n = 0;

	memset(text, '[', PATHS_DEPTH_MAX);
	memset(text + PATHS_DEPTH_MAX, ']', PATHS_DEPTH_MAX);
	assert_int_equal(paths_text(slice_from(text, 2 * PATHS_DEPTH_MAX), count, &n, &err), 0);
	memset(text, '[', sizeof(text));
	assert_int_equal(paths_text(slice_from(text, sizeof(text)), count, &n, &err), -ERR_LIMIT);

	memset(text, 'a', sizeof(text));
	text[0] = '"';
	assert_int_equal(paths_text(slice_from(text, sizeof(text)), count, &n, &err), -ERR_LIMIT);
	text[PATHS_VALUE_MAX - 100] = '"';
	assert_int_equal(paths_text(slice_from(text, PATHS_VALUE_MAX - 99), count, &n, &err), 0);
	assert_int_equal(n, 1);

	/* the longest path there can be */
	CLEANUP(buf_finip) struct buf deep = { 0 };
	buf_init(&deep, 0);
	for (int i = 0; i < PATHS_DEPTH_MAX; i++)
		buf_printf(&deep, "{\"%064d\":%s", i, i + 1 == PATHS_DEPTH_MAX ? "1" : "");
	for (int i = 0; i < PATHS_DEPTH_MAX; i++)
		buf_add_char(&deep, '}');
	assert_int_equal(paths_text(buf_slice(&deep), count, &n, &err), 0);
}

static int refuse(void *arg, enum paths_kind kind, struct slice path, struct slice value, struct err *err)
{
	return kind == PATHS_STRING ? err_set(err, ERR_LIMIT, "enough") : 0;
}

static void what_the_reader_says_ends_the_walk(void **state)
{
	struct err err;

	assert_int_equal(paths_text(SLICE_LIT("{\"a\":[1,\"x\""), refuse, NULL, &err), -ERR_LIMIT);
	assert_string_equal(err.msg, "enough");
}

static void a_file_is_read_up_to_its_bound(void **state)
{
	char path[] = "/tmp/picket_pathsXXXXXX";
	CLEANUP(fd_closep) int fd = mkstemp(path);
	struct err err;
	size_t n = 0;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[1,2,3]", 7), 7);
	assert_int_equal(paths_file(path, 7, count, &n, &err), 0);
	assert_int_equal(n, 3);
	assert_int_equal(paths_file(path, 6, count, &n, &err), -ERR_LIMIT);
	unlink(path);
	assert_true(paths_file(path, 6, count, &n, &err) < 0);
	assert_int_equal(err_exit_code(err.code), 5);
}

static void random_bytes_end(void **state)
{
	for (int i = 0; i < 5000; i++) {
		static const char some[] = "{}[]\":,1ea\\u0 ";
		char raw[80];
		size_t n = 0;

		text_random(raw, sizeof(raw));
		for (size_t k = 0; k < sizeof(raw) && i % 2; k++)
			raw[k] = some[(uint8_t)raw[k] % (sizeof(some) - 1)];
		(void)!paths_text(slice_from(raw, sizeof(raw)), count, &n, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_has_its_path),
		cmocka_unit_test(wrong_documents_are_refused_with_their_place),
		cmocka_unit_test(depth_and_values_are_bounded),
		cmocka_unit_test(what_the_reader_says_ends_the_walk),
		cmocka_unit_test(a_file_is_read_up_to_its_bound),
		cmocka_unit_test(random_bytes_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
