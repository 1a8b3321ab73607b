/* test_watched.c - a file counts as watched only where nobody can write it past the kernel's filter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/watched.h"

static const struct filter_text etc[] = { { FILTER_PREFIX, SLICE_LIT("/etc/") }, { FILTER_EXACT, SLICE_LIT("/usr/bin/dockerd") },
					  { FILTER_SUFFIX, SLICE_LIT(".sock") }, { FILTER_CONTAINS, SLICE_LIT("/docker/") } };

static struct filter_row good(void)
{
	struct filter_row r = { .outcome = FILTER_OK, .access = FILTER_WRITE, .where = FILTER_ANYWHERE, .paths = etc, .path_count = ARRAY_LEN(etc) };

	filter_row_add_call(&r, CALL_OPENAT);
	return r;
}

static void check(struct filter_row row, const char *want)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct filter *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->rows[0] = row;
	f->row_count = 1;
	buf_init(&b, WATCHED_BYTES + 1);
	watched_paths(f, &b);
	assert_true(slice_is(buf_slice(&b), want));
	free(f);
}

static void whole_files_and_folders_are(void **state)
{
	struct filter_row r = good();

	check(r, "/etc\n/usr/bin/dockerd\n");
	r.path_count = 0; /* of any path */
	check(r, "/\n");
}

static void what_only_some_writes_pass_is_not(void **state)
{
	static const char *const comms[] = { "nginx" };
	static const uint16_t ports[] = { 80 };
	struct filter_row rows[7];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		rows[i] = good();
	rows[0].comms = comms;
	rows[0].comm_count = 1;
	rows[1].ports = ports;
	rows[1].port_count = 1;
	rows[2].access = FILTER_READ;
	rows[3].where = FILTER_CONTAINER;
	rows[4].outcome = FILTER_FAILED;
	rows[5].raws = etc;
	rows[5].raw_count = 1;
	rows[5].raws_bind_success = true;
	rows[6].calls[0] = rows[6].calls[1] = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check(rows[i], "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_files_and_folders_are),
		cmocka_unit_test(what_only_some_writes_pass_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
