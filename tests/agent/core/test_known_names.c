/* test_known_names.c - where names led, kept for the next start; and files that somebody spoiled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/known_names.h"
#include "common/file.h"

static void what_is_written_is_read(void **state)
{
	static const uint8_t v4[16] = { 192, 0, 2, 7 }, v6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 9 };
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct known_names k = { 0 }, back = { 0 };
	char path[] = "/tmp/picket-names-XXXXXX", name[32];
	struct err err;

	close(mkstemp(path));
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "n%u.example.net", i);
		assert_int_equal(known_names_add(&k, name, i % 2 ? v6 : v4, i % 2 ? 16 : 4, &err), 0);
	}
	assert_int_equal(known_names_add(&k, "odd", v4, 5, &err), 0);
	assert_int_equal(k.count, 100);
	buf_init(&out, KNOWN_NAMES_FILE_BYTES);
	assert_int_equal(known_names_write(&k, &out, &err), 0);
	assert_int_equal(file_write_atomic(path, buf_slice(&out), 0600, &err), 0);
	assert_int_equal(known_names_load(path, &back, &err), 0);
	assert_int_equal(back.count, 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_string_equal(back.all[i].name, k.all[i].name);
		assert_int_equal(back.all[i].bytes, k.all[i].bytes);
		assert_memory_equal(back.all[i].address, k.all[i].address, k.all[i].bytes);
	}
	known_names_free(&back);
	known_names_free(&k);
	(void)unlink(path);
	assert_int_equal(known_names_load(path, &back, &err), 0); /* not there: none */
	assert_int_equal(back.count, 0);
}

static size_t parsed(const char *text)
{
	struct known_names k = { 0 };
	struct err err;

	if (known_names_parse(slice_of(text), &k, &err) < 0)
		return SIZE_MAX;
	size_t count = k.count;
	known_names_free(&k);
	return count;
}

static void a_spoiled_file_is_told_and_a_spoiled_row_left_out(void **state)
{
	assert_int_equal(parsed(""), SIZE_MAX);
	assert_int_equal(parsed("{}"), SIZE_MAX);
	assert_int_equal(parsed("{\"version\":2,\"addresses\":[]}"), SIZE_MAX);
	assert_int_equal(parsed("{\"version\":1,\"addresses\":{}}"), SIZE_MAX);
	assert_int_equal(parsed("{\"version\":1,\"addresses\":[]}"), 0);
	assert_int_equal(parsed("{\"version\":1,\"addresses\":[7,null,{},{\"name\":\"\",\"address\":\"1.2.3.4\"},{\"name\":\"a\",\"address\":\"1.2.3\"},"
				"{\"name\":\"b\",\"address\":\"::ffff:1.2.3.4\"},{\"name\":\"c\",\"address\":\"1.2.3.4\"}]}"),
			 2);
}

static void more_than_the_bound_is_not_kept(void **state)
{
	static const uint8_t v4[16] = { 192, 0, 2, 7 };
	struct known_names k = { 0 };

	for (unsigned i = 0; i < KNOWN_NAMES_MAX + 10; i++)
		assert_int_equal(known_names_add(&k, "n", v4, 4, NULL), 0);
	assert_int_equal(k.count, KNOWN_NAMES_MAX);
	known_names_free(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(a_spoiled_file_is_told_and_a_spoiled_row_left_out),
		cmocka_unit_test(more_than_the_bound_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
