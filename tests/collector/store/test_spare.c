/* test_spare.c - a day's file is made ahead, whole, whatever was left of making one. */
#include <fcntl.h>
#include <unistd.h>

#include "tests/collector/store/fixture.h"

#include "common/file.h"

static bool is_there(const struct fixture *f, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/history/%s", f->dir, name);
	return !stat(path, &st);
}

static void put_file(const struct fixture *f, const char *name)
{
	char path[256];
	struct err err;

	snprintf(path, sizeof(path), "%s/history/%s", f->dir, name);
	OK(file_write_atomic(path, SLICE_LIT("half of a file"), 0600, &err));
}

static void put_one(struct fixture *f, uint64_t seq)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct sample p = { .process = "sh", .exe = "/bin/sh", .args = "sh", .time_unix_ns = T0 };
	struct err err;

	buf_init(&b, 0);
	OK(store_begin(f->s, &err));
	OK(put_packed(f->s, "agent-1", 1, seq, sample_pack(&p, &b), &err));
	OK(store_seq_set(f->s, "agent-1", 1, seq, 1, 0, &err));
	OK(store_commit(f->s, &err));
}

static void count_fault(void *arg, const char *fault)
{
	print_error("%s\n", fault);
	++*(int *)arg;
}

static void expect_records(struct fixture *f, uint64_t want)
{
	uint64_t records;
	int faults = 0;
	struct err err;

	OK(store_verify(f->s, count_fault, &faults, &records, &err));
	assert_int_equal(faults, 0);
	assert_int_equal(records, want);
}

static void a_days_first_batch_takes_what_was_made_ahead(void **state)
{
	struct fixture f;
	struct err err;

	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	assert_false(is_there(&f, "spare.db"));
	OK(store_history_prepare(f.s, &err));
	assert_true(is_there(&f, "spare.db"));
	assert_false(is_there(&f, "spare.db-wal")); /* else a rename would leave half of it behind */
	assert_false(is_there(&f, "spare.db.new"));
	put_one(&f, 1);
	assert_true(is_there(&f, "2026-11-23.db"));
	assert_false(is_there(&f, "spare.db"));
	OK(store_history_tidy(f.s, &err)); /* the first tick makes tomorrow's */
	assert_true(is_there(&f, "spare.db"));
	clock_fake_advance(&f.clk, DAY_NS);
	put_one(&f, 2);
	assert_true(is_there(&f, "2026-11-24.db"));
	expect_records(&f, 2);
	fixture_fini(&f);
}

static void what_a_kill_left_of_making_one_is_made_anew(void **state)
{
	struct fixture f;
	struct err err;

	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	put_file(&f, "spare.db.new");
	put_file(&f, "spare.db.new-wal");
	OK(store_history_prepare(f.s, &err));
	put_one(&f, 1);
	put_file(&f, "spare.db.new"); /* and without one that is ready */
	clock_fake_advance(&f.clk, DAY_NS);
	put_one(&f, 2);
	assert_false(is_there(&f, "spare.db.new"));
	fixture_reopen(&f);
	expect_records(&f, 2);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_days_first_batch_takes_what_was_made_ahead),
		cmocka_unit_test(what_a_kill_left_of_making_one_is_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
