/* test_tables.c - a filter's rows as the kernel's tables. */
#include "agent/probe/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct tables t;

static uint64_t match(const char *path)
{
	return tables_match(&t.path, slice_of(path));
}

static struct filter_row row_of(enum call c)
{
	struct filter_row row = {.outcome = FILTER_ANY_OUTCOME,
				 .access = FILTER_ANY_ACCESS,
				 .where = FILTER_ANYWHERE,
				 .sock = FILTER_ANY_SOCK};

	filter_row_add_call(&row, c);
	return row;
}

static void a_text_is_found_where_its_kind_says(void **state)
{
	static const struct {
		struct filter_text text;
		const char *path;
		bool is_found;
	} rows[] = {
		{{FILTER_EXACT, SLICE_LIT("/etc/shadow")}, "/etc/shadow", true},
		{{FILTER_EXACT, SLICE_LIT("/etc/shadow")}, "/tmp/etc/shadow", false},
		{{FILTER_EXACT, SLICE_LIT("/etc/shadow")}, "/usr/lib/x", false},
		{{FILTER_PREFIX, SLICE_LIT("/etc/")}, "/etc/passwd", true},
		{{FILTER_PREFIX, SLICE_LIT("/etc/")}, "/usr/etc/passwd", false},
		{{FILTER_SUFFIX, SLICE_LIT(".bashrc")}, "/root/.bashrc", true},
		{{FILTER_CONTAINS, SLICE_LIT("docker.sock")}, "/var/run/docker.sock", true},
		{{FILTER_CONTAINS, SLICE_LIT("docker.sock")}, "/var/run/other", false},
		{{FILTER_CONTAINS, SLICE_LIT("abc")}, "/none", true}, /* too short: any */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct filter f = {.row_count = 1};

		f.rows[0] = row_of(CALL_OPENAT);
		f.rows[0].paths = &rows[i].text;
		f.rows[0].path_count = 1;
		tables_fill(&f, NULL, &t);
		if ((match(rows[i].path) & 1) != rows[i].is_found)
			fail_msg("row %zu: '%s'", i, rows[i].path);
	}
}

static void thousands_of_texts_let_through_too_much_but_never_too_little(void **state)
{
	enum { COUNT = 4000 };
	static struct filter_text texts[COUNT];
	static char store[COUNT][24];
	struct filter f = {.row_count = 1};

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		snprintf(store[i], sizeof(store[i]), "/opt/%zx/%zu", i * 2654435761u, i);
		texts[i] = (struct filter_text){FILTER_PREFIX + i % 3, slice_of(store[i])};
	}
	f.rows[0] = row_of(CALL_OPENAT);
	f.rows[0].paths = texts;
	f.rows[0].path_count = COUNT;
	tables_fill(&f, NULL, &t);
	for (size_t i = 0; i < COUNT; i++)
		if (!(match(store[i]) & 1))
			fail_msg("'%s' is not found", store[i]);
}

static void a_long_path_passes(void **state)
{
	static char path[2000];
	struct filter f = {.row_count = 1};
	static const struct filter_text text = {FILTER_EXACT, SLICE_LIT("/etc/shadow")};

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	f.rows[0] = row_of(CALL_OPENAT);
	f.rows[0].paths = &text;
	f.rows[0].path_count = 1;
	tables_fill(&f, NULL, &t);
	assert_true(match(path) & 1);
}

static void rows_are_bits_of_each_question(void **state)
{
	static const char *const comms[] = {"a"};
	static const uint16_t ports[] = {80};
	struct filter f = {.row_count = 3};

	(void)state;
	f.rows[0] = row_of(CALL_OPENAT);
	f.rows[0].outcome = FILTER_OK;
	f.rows[0].access = FILTER_WRITE;
	f.rows[1] = row_of(CALL_CONNECT);
	f.rows[1].outcome = FILTER_FAILED;
	f.rows[1].sock = FILTER_INET;
	f.rows[1].ports = ports;
	f.rows[1].port_count = 1;
	f.rows[2] = row_of(CALL_EXECVE);
	f.rows[2].where = FILTER_CONTAINER;
	f.rows[2].comms = comms;
	f.rows[2].comm_count = 1;
	tables_fill(&f, NULL, &t);
	assert_int_equal(t.call_rows[0][CALL_OPENAT], 1);
	assert_int_equal(t.call_rows[1][CALL_OPENAT], 0);
	assert_int_equal(t.call_rows[0][CALL_CONNECT], 0);
	assert_int_equal(t.call_rows[1][CALL_CONNECT], 2);
	assert_int_equal(t.call_rows[0][CALL_EXECVE], 0); /* it is an EV_EXEC */
	assert_int_equal(t.call_rows[1][CALL_EXECVE], 4);
	assert_int_equal(t.access_rows[0], 6);
	assert_int_equal(t.access_rows[1], 7);
	assert_int_equal(t.access_rows[2], 7);
	assert_int_equal(t.where_rows[FILTER_HOST], 3);
	assert_int_equal(t.where_rows[FILTER_CONTAINER], 7);
	assert_int_equal(t.where_rows[3], 7);
	assert_int_equal(t.sock_rows[0], 7);
	assert_int_equal(t.sock_rows[1], 5);
	assert_int_equal(t.comm_all, 3);
	assert_int_equal(t.port_all, 5);
	assert_true(t.has_class[0] && t.has_class[1]);
}

static void a_wanted_call_stands_in_the_tables_of_numbers(void **state)
{
	struct filter f = {.row_count = 1};
	bool hooked[CALL_COUNT] = {0};

	(void)state;
	f.rows[0] = row_of(CALL_SETUID);
	filter_row_add_call(&f.rows[0], CALL_CONNECT);
	tables_fill(&f, NULL, &t);
#if defined(__x86_64__)
	assert_int_equal(t.call_of[0][105], CALL_SETUID);
	assert_int_equal(t.call_of[1][213], CALL_SETUID);
	assert_int_equal(t.call_of[1][23], CALL_SETUID); /* with 16-bit ids */
	assert_int_equal(t.call_of_socketcall[3], CALL_CONNECT);
	assert_int_not_equal(t.call_of[1][102], CALL_NONE);
	assert_int_equal(t.call_of[0][257], CALL_NONE);
#endif
	hooked[CALL_CONNECT] = true;
	tables_fill(&f, hooked, &t);
	assert_false(t.is_hooked[CALL_CONNECT]);
	assert_true(t.is_wanted[CALL_CONNECT]);
#if defined(__x86_64__)
	assert_int_equal(t.call_of[0][42], CALL_NONE);
#endif
}

static void an_empty_filter_wants_nothing(void **state)
{
	struct filter f = {0};

	(void)state;
	tables_fill(&f, NULL, &t);
	assert_false(t.has_calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_text_is_found_where_its_kind_says),
		cmocka_unit_test(thousands_of_texts_let_through_too_much_but_never_too_little),
		cmocka_unit_test(a_long_path_passes),
		cmocka_unit_test(rows_are_bits_of_each_question),
		cmocka_unit_test(a_wanted_call_stands_in_the_tables_of_numbers),
		cmocka_unit_test(an_empty_filter_wants_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
