/* test_full_disk.c - a file system of 8 MiB of its own (a tmpfs in a private mount namespace): what is
 * said when it is full, that nothing acknowledged is lost, and that writing works again afterwards. */
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/collector/store/fixture.h"

#include "common/file.h"
#include "common/text.h"

enum { BATCH = 200, SKIPPED = 77 };

static char mount_dir[64];

/* Random arguments, so that neither the tail nor the blocks stay small. */
static int put_batch(struct store *s, uint64_t first, struct err *err)
{
	int r = store_begin(s, err);

	for (uint64_t seq = first; r >= 0 && seq < first + BATCH; seq++) {
		CLEANUP(buf_finip) struct buf b = { 0 };
		char noise[300], hex[2 * sizeof(noise) + 1];

		text_random(noise, sizeof(noise));
		struct sample p = { .process = "sh",
				    .exe = "/bin/sh",
				    .args = text_hex(noise, sizeof(noise), hex),
				    .time_unix_ns = T0 };
		buf_init(&b, 0);
		r = put_packed(s, "agent-1", 1, seq, sample_pack(&p, &b), err);
	}
	if (r >= 0)
		r = store_seq_set(s, "agent-1", 1, first + BATCH - 1, BATCH, 0, err);
	if (r >= 0)
		return store_commit(s, err);
	store_rollback(s);
	return r;
}

static void count_fault(void *arg, const char *fault)
{
	print_error("%s\n", fault);
	++*(int *)arg;
}

static void check_all(struct store *s, uint64_t acked)
{
	uint64_t records, have;
	int faults = 0;
	struct err err;

	OK(store_verify(s, count_fault, &faults, &records, &err));
	assert_int_equal(faults, 0);
	OK(store_seq_get(s, "agent-1", 1, &have, &err));
	assert_int_equal(have, acked);
	assert_true(records >= acked);
}

static void make_ballast(const char *path, size_t n)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct err err;

	buf_init(&b, n + 1);
	assert_non_null(buf_reserve(&b, n));
	memset(b.p, 'b', n);
	buf_written(&b, n);
	OK(file_write_atomic(path, buf_slice(&b), 0600, &err));
}

static void a_full_disk_refuses_clearly_loses_nothing_and_heals(void **state)
{
	struct clock clk = clock_fake(T0);
	struct store_config cfg = { .dir = mount_dir, .reserve_bytes = 1024 * 1024 };
	struct store *s;
	char ballast[128];
	uint64_t acked = 0;
	struct err err;

	(void)state;
	snprintf(ballast, sizeof(ballast), "%s/ballast", mount_dir);
	make_ballast(ballast, 3 * 1024 * 1024);
	OK(store_open(&cfg, &clk, &s, &err));
	fixture_enrol(s, "agent-1", "host-1");
	int r = 0;
	for (int i = 0; i < 1000 && r >= 0; i++) {
		r = put_batch(s, acked + 1, &err);
		if (r >= 0)
			acked += BATCH;
	}
	assert_int_equal(r, -ENOSPC);
	assert_null(strchr(err.msg, '\n'));
	assert_true(acked > 0);
	clock_fake_advance(&clk, 2 * SECOND_NS);
	assert_int_equal(store_has_room(s, &err), -ENOSPC);
	for (int i = 0; i < 5; i++) /* again and again, as agents do */
		assert_true(put_batch(s, acked + 1, &err) < 0);
	store_close(s); /* and with a restart while it is full */
	r = store_open(&cfg, &clk, &s, &err);
	if (r >= 0) {
		check_all(s, acked);
		store_close(s);
	} else {
		assert_int_equal(r, -ENOSPC);
	}
	assert_int_equal(unlink(ballast), 0);
	OK(store_open(&cfg, &clk, &s, &err));
	OK(store_has_room(s, &err));
	OK(put_batch(s, acked + 1, &err));
	acked += BATCH;
	OK(store_history_tidy(s, &err));
	check_all(s, acked);
	store_close(s);
}

static void space_that_returns_is_used_without_a_restart(void **state)
{
	struct clock clk = clock_fake(T0);
	char dir[128], ballast[128];
	struct store_config cfg = { .dir = dir, .reserve_bytes = 1 };
	struct store *s;
	uint64_t acked = 0;
	struct err err;
	int r = 0;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/second", mount_dir);
	snprintf(ballast, sizeof(ballast), "%s/ballast", mount_dir);
	OK(store_open(&cfg, &clk, &s, &err));
	fixture_enrol(s, "agent-1", "host-1");
	make_ballast(ballast, 1024 * 1024);
	for (int i = 0; i < 1000 && r >= 0; i++) {
		r = put_batch(s, acked + 1, &err);
		if (r >= 0)
			acked += BATCH;
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(unlink(ballast), 0);
	OK(put_batch(s, acked + 1, &err));
	acked += BATCH;
	check_all(s, acked);
	store_close(s);
}

/* Each test has the whole of it. */
static int mount_fresh(void **state)
{
	(void)state;
	return mount("tmpfs", mount_dir, "tmpfs", 0, "size=8m,mode=0700");
}

static int unmount(void **state)
{
	(void)state;
	return umount2(mount_dir, MNT_DETACH);
}

int main(void)
{
	snprintf(mount_dir, sizeof(mount_dir), "/tmp/picket-full-XXXXXX");
	if (!mkdtemp(mount_dir))
		return 1;
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount_fresh(NULL) < 0) {
		printf("skipped: no file system of our own can be mounted here: %s\n", strerror(errno));
		rmdir(mount_dir);
		return SKIPPED;
	}
	unmount(NULL);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_full_disk_refuses_clearly_loses_nothing_and_heals,
						mount_fresh, unmount),
		cmocka_unit_test_setup_teardown(space_that_returns_is_used_without_a_restart, mount_fresh,
						unmount),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(mount_dir);
	return failed;
}
