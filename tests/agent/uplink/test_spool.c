/* test_spool.c - what was handed to the kernel comes back in order, whatever happens to the files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "agent/uplink/segment.h"
#include "agent/uplink/spool.h"
#include "common/log.h"

#define MIB (1024ULL * 1024)
#define NOW 1795463975000000000ULL

static char dir[64];

static void each_file(void (*fn)(const char *path))
{
	DIR *d = opendir(dir);
	char path[512];

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		fn(path);
	}
	closedir(d);
}

static void remove_path(const char *path)
{
	if (unlink(path) < 0)
		rmdir(path);
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/picket-spool-XXXXXX");
	log_open(LOG_ERROR, 2);
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	each_file(remove_path);
	rmdir(dir);
	return 0;
}

static struct spool *open_spool(uint64_t max)
{
	struct spool *s = NULL;
	struct err err;

	if (spool_open(dir, max, clock_real(), &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

/* A record of n bytes that names its value. */
static struct slice record(uint64_t value, size_t n)
{
	static char body[65536];

	memset(body, (int)('a' + value % 26), n);
	snprintf(body, sizeof(body), "%016" PRIu64, value);
	body[16] = '.';
	return slice_from(body, n < 17 ? 17 : n);
}

static uint64_t value_of(struct slice body)
{
	uint64_t v = UINT64_MAX;

	assert_true(body.n >= 17);
	assert_true(slice_to_u64(slice_sub(body, 0, 16), &v));
	for (size_t i = 17; i < body.n; i++)
		assert_int_equal(body.p[i], 'a' + v % 26);
	return v;
}

static void append(struct spool *s, enum uplink_class class, uint64_t value, size_t n)
{
	struct err err;

	if (spool_append(s, class, NOW + value, record(value, n), NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static uint64_t lost(struct spool *s)
{
	struct spool_stats st;

	spool_stats(s, &st);
	return st.lost[0] + st.lost[1] + st.lost[2];
}

static void numbers_run_through_all_classes_and_come_back_in_order(void **state)
{
	struct spool *s = open_spool(4 * MIB);
	struct spool_item it;

	for (uint64_t i = 1; i <= 3000; i++)
		append(s, (enum uplink_class)(i % 3), i, 20 + i % 300);
	assert_false(spool_peek(s, &it) && it.seq > 3000);
	assert_int_equal(spool_flush(s, NULL), 0);
	for (uint64_t i = 1; i <= 3000; i++) {
		assert_true(spool_peek(s, &it));
		assert_int_equal(it.seq, i);
		assert_int_equal(it.class, i % 3);
		assert_int_equal(it.time_unix_ns, NOW + i);
		assert_int_equal(value_of(it.body), i);
		spool_take(s);
	}
	assert_false(spool_peek(s, &it));
	/* a reading that starts again begins behind the acknowledgement */
	spool_ack(s, it.epoch, 2500);
	spool_rewind(s);
	assert_true(spool_peek(s, &it));
	assert_int_equal(it.seq, 2501);
	spool_close(s);
}

static void nothing_is_read_before_the_kernel_has_it(void **state)
{
	struct spool *s = open_spool(MIB);
	struct spool_item it;

	append(s, UPLINK_PROCESS, 1, 100);
	assert_false(spool_peek(s, &it));
	assert_int_equal(spool_flush(s, NULL), 0);
	assert_true(spool_peek(s, &it));
	append(s, UPLINK_VOLUME, 2, 100);
	spool_take(s);
	assert_false(spool_peek(s, &it));
	spool_close(s);
}

static void each_run_has_an_epoch_and_earlier_ones_come_first(void **state)
{
	uint64_t epochs[3];
	struct spool_stats st;
	struct spool_item it;

	for (uint64_t run = 0; run < 3; run++) {
		struct spool *s = open_spool(MIB);

		spool_stats(s, &st);
		epochs[run] = st.epoch;
		for (uint64_t i = 0; i < 10; i++)
			append(s, UPLINK_PROCESS, run * 10 + i, 50);
		spool_close(s);
	}
	assert_true(epochs[0] < epochs[1] && epochs[1] < epochs[2]);
	struct spool *s = open_spool(MIB);
	for (uint64_t i = 0; i < 30; i++) {
		assert_true(spool_peek(s, &it));
		assert_int_equal(it.epoch, epochs[i / 10]);
		assert_int_equal(it.seq, i % 10 + 1);
		assert_int_equal(value_of(it.body), i);
		spool_take(s);
	}
	spool_ack(s, epochs[1], 5);
	spool_close(s);
	s = open_spool(MIB); /* the acknowledgement was kept */
	assert_true(spool_peek(s, &it));
	assert_int_equal(it.epoch, epochs[1]);
	assert_int_equal(it.seq, 6);
	assert_int_equal(lost(s), 0);
	spool_close(s);
}

static void a_spool_belongs_to_one_process(void **state)
{
	struct spool *s = open_spool(MIB), *other = NULL;
	struct err err;

	assert_int_equal(spool_open(dir, MIB, clock_real(), &other, &err), -EBUSY);
	assert_non_null(strstr(err.msg, "another agent"));
	spool_close(s);
}

/* Appends and flushes until it is killed; *taken: what append has taken. */
static void append_until_killed(uint64_t next, volatile uint64_t *taken)
{
	struct spool *s = NULL;

	if (spool_open(dir, 64 * MIB, clock_real(), &s, NULL) < 0)
		_exit(1);
	for (uint64_t v = next;; v++) {
		if (spool_append(s, (enum uplink_class)(v % 3), NOW, record(v, 20 + v % 500), NULL, NULL) < 0)
			_exit(2);
		*taken = v + 1;
		if (v % 37 == 0 && spool_flush(s, NULL) < 0)
			_exit(3);
	}
}

static uint64_t *map_counter(void)
{
	void *p = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void a_kill_loses_nothing_that_was_appended(void **state)
{
	uint64_t expect = 0, *taken = map_counter();

	for (unsigned round = 0; round < 20; round++) {
		uint64_t before = *taken = expect;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			append_until_killed(expect, taken);
		/* Some are killed while they open; the others have appended something, however busy the machine is. */
		while (round % 4 && __atomic_load_n(taken, __ATOMIC_RELAXED) < before + 50)
			usleep(100);
		usleep(1000 + round * 1500);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);

		struct spool *s = open_spool(64 * MIB);
		struct spool_item it = {0};
		while (spool_peek(s, &it)) {
			assert_int_equal(value_of(it.body), expect);
			expect++;
			spool_take(s);
		}
		/* one may be in that the child had no time to count */
		assert_in_range(expect, *taken, *taken + 1);
		assert_int_equal(lost(s), 0);
		spool_ack(s, it.epoch, it.epoch ? it.seq : 0);
		spool_close(s);
	}
	assert_true(expect > 15 * 50);
	munmap(taken, sizeof(*taken));
}

/* Leaves ten records that were flushed and five that were not, as a kill does. */
static void leave_buffered(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		struct spool *s = NULL;
		if (spool_open(dir, MIB, clock_real(), &s, NULL) < 0)
			_exit(1);
		for (uint64_t i = 0; i < 15; i++)
			if (spool_append(s, UPLINK_PROCESS, NOW + i, record(i, 40), NULL, NULL) < 0 ||
			    (i == 9 && spool_flush(s, NULL) < 0))
				_exit(2);
		_exit(0); /* without spool_close */
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static uint64_t count_values(struct spool *s)
{
	struct spool_item it;
	uint64_t n = 0;

	for (; spool_peek(s, &it); n++) {
		assert_int_equal(value_of(it.body), n);
		spool_take(s);
	}
	return n;
}

static void edit_file(const char *name, off_t at, const void *bytes, size_t n)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | (at < 0 ? O_APPEND : 0));
	assert_true(fd >= 0);
	assert_int_equal(at < 0 ? write(fd, bytes, n) : pwrite(fd, bytes, n, at), n);
	close(fd);
}

static char seg_name[SEGMENT_NAME_MAX];

static void find_name(const char *path)
{
	if (slice_ends(slice_of(path), SLICE_LIT(".seg")))
		slice_copy(slice_of(strrchr(path, '/') + 1), seg_name, sizeof(seg_name));
}

static void a_flush_that_a_kill_cut_short_is_done_again(void **state)
{
	for (size_t n = 0; n < 5 * (SEGMENT_HEADER_BYTES + 40); n += 7) {
		char part[512];

		leave_buffered();
		/* the first bytes of what is buffered, as an interrupted write leaves them; the head is a page */
		int fd = open((snprintf(part, sizeof(part), "%s/buffer", dir), part), O_RDONLY);
		assert_int_equal(pread(fd, part, n, 4096), n);
		close(fd);
		each_file(find_name);
		edit_file(seg_name, -1, part, n);
		struct spool *s = open_spool(MIB);
		assert_int_equal(count_values(s), 15);
		assert_int_equal(lost(s), 0);
		spool_close(s);
		each_file(remove_path);
	}
}

static void what_was_buffered_in_another_boot_is_not_believed(void **state)
{
	leave_buffered();
	edit_file("buffer", 16, "00000000", 8);
	struct spool *s = open_spool(MIB);
	assert_int_equal(count_values(s), 10);
	spool_close(s);
}

static void a_damaged_buffer_costs_what_is_behind_the_place(void **state)
{
	uint64_t huge = UINT64_MAX;

	leave_buffered();
	edit_file("buffer", 4096 + 2 * (SEGMENT_HEADER_BYTES + 40) + 50, "!", 1);
	struct spool *s = open_spool(MIB);
	assert_int_equal(count_values(s), 12);
	spool_close(s);
	each_file(remove_path);
	leave_buffered();
	for (off_t at = 56; at < 56 + 16 + 9 * 8; at += 8)
		edit_file("buffer", at, &huge, sizeof(huge));
	s = open_spool(MIB);
	assert_int_equal(count_values(s), 10);
	spool_close(s);
}

/* ---- damage ---- */

static char saved[4096], seg_path[512];
static size_t saved_n;

static void find_segment(const char *path)
{
	if (slice_ends(slice_of(path), SLICE_LIT(".seg")))
		slice_copy(slice_of(path), seg_path, sizeof(seg_path));
}

static void write_segment(const char *bytes, size_t n)
{
	FILE *f = fopen(seg_path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	fclose(f);
}

/* Ten records of 40 bytes, with or without the footer; keeps the file's bytes. */
static void make_small(bool with_footer)
{
	struct spool *s = open_spool(MIB);

	for (uint64_t i = 0; i < 10; i++)
		append(s, UPLINK_PROCESS, i, 40);
	spool_close(s);
	each_file(find_segment);
	FILE *f = fopen(seg_path, "rb");
	assert_non_null(f);
	saved_n = fread(saved, 1, sizeof(saved), f);
	fclose(f);
	assert_int_equal(saved_n, SEGMENT_START_BYTES + 10 * (SEGMENT_HEADER_BYTES + 40) +
					  SEGMENT_FOOTER_BYTES);
	if (!with_footer)
		saved_n -= SEGMENT_FOOTER_BYTES;
}

/* Reads what is there; returns a bit for each value seen. */
static unsigned read_values(struct spool *s)
{
	struct spool_item it;
	unsigned seen = 0;

	while (spool_peek(s, &it)) {
		uint64_t v = value_of(it.body);
		assert_true(v < 10);
		assert_int_equal(it.seq, v + 1);
		assert_false(seen >> v & 1);
		seen |= 1u << v;
		spool_take(s);
	}
	return seen;
}

static void a_flipped_bit_costs_its_record_alone(void **state)
{
	for (int with_footer = 0; with_footer < 2; with_footer++) {
		make_small(with_footer);
		for (size_t at = 0; at < saved_n; at++) {
			char damaged[sizeof(saved)];
			size_t body = SEGMENT_START_BYTES + 10 * (SEGMENT_HEADER_BYTES + 40);
			unsigned want = 0x3ff;

			each_file(remove_path);
			memcpy(damaged, saved, saved_n);
			damaged[at] ^= (char)(1 << at % 8);
			write_segment(damaged, saved_n);
			if (at >= SEGMENT_START_BYTES && at < body)
				want &= ~(1u << (at - SEGMENT_START_BYTES) /
							(SEGMENT_HEADER_BYTES + 40));
			struct spool *s = open_spool(MIB);
			unsigned seen = read_values(s);
			/* a damaged footer is no record, but nobody can know that it was not one */
			uint64_t most = at >= body ? 1 : want != 0x3ff;
			if (seen != want || lost(s) > most || (at < body && lost(s) != most))
				fail_msg("byte %zu: seen %x, lost %" PRIu64, at, seen, lost(s));
			spool_close(s);
			/* the next start does not count it again */
			s = open_spool(MIB);
			if (!with_footer)
				assert_int_equal(lost(s), 0);
			assert_int_equal(read_values(s), want);
			spool_close(s);
		}
		each_file(remove_path);
	}
}

static void a_torn_tail_is_cut_at_every_byte(void **state)
{
	make_small(false);
	for (size_t n = saved_n - (SEGMENT_HEADER_BYTES + 40); n <= saved_n; n++) {
		each_file(remove_path);
		write_segment(saved, n);
		struct spool *s = open_spool(MIB);
		assert_int_equal(read_values(s), n == saved_n ? 0x3ff : 0x1ff);
		/* cut between two records nothing shows that there was another */
		assert_int_equal(lost(s),
				 n != saved_n && n != saved_n - (SEGMENT_HEADER_BYTES + 40));
		spool_close(s);
	}
}

static unsigned bad_count, seg_count;
static void count_kinds(const char *path)
{
	bad_count += slice_ends(slice_of(path), SLICE_LIT(".bad"));
	seg_count += slice_ends(slice_of(path), SLICE_LIT(".seg"));
}

static void foreign_files_are_left_alone_and_rubbish_is_set_aside(void **state)
{
	char path[512];

	make_small(true);
	memset(saved, 'x', 300);
	write_segment(saved, 300);
	snprintf(path, sizeof(path), "%s/p-0000000000000001-0000000000000001-00000000.seg", dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/p-0000000000000002-0000000000000001-00000000.seg", dir);
	fclose(fopen(path, "w"));
	snprintf(path, sizeof(path), "%s/p-0000000000000003-0000000000000001-00000000.seg", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/p-0000000000000004-1-00000000.seg", dir);
	fclose(fopen(path, "w"));
	snprintf(path, sizeof(path), "%s/state", dir);
	fclose(fopen(path, "w"));
	struct spool *s = open_spool(MIB);
	assert_int_equal(read_values(s), 0);
	assert_int_equal(lost(s), 1);
	spool_close(s);
	each_file(count_kinds);
	assert_int_equal(bad_count, 1);
	assert_int_equal(seg_count, 3); /* link, folder, misspelt name */
}

/* ---- full ---- */

static void a_full_spool_drops_the_oldest_of_the_lowest_class(void **state)
{
	struct spool *s = open_spool(MIB);
	struct spool_stats st;
	struct spool_item it;
	uint64_t seen[3] = {0}, first_volume = 0, last_volume = 0;

	/* 300 KiB of each, in turn; then volume alone, which only pushes itself out */
	for (uint64_t i = 0; i < 900; i++)
		append(s, (enum uplink_class)(i % 3), i, 1000);
	for (uint64_t i = 900; i < 3000; i++)
		append(s, UPLINK_VOLUME, i, 1000);
	assert_int_equal(spool_flush(s, NULL), 0);
	spool_stats(s, &st);
	assert_true(st.bytes <= MIB);
	assert_int_equal(st.lost[UPLINK_PROCESS], 0);
	assert_int_equal(st.lost[UPLINK_RARE], 0);
	assert_true(st.lost[UPLINK_VOLUME] > 1000);
	while (spool_peek(s, &it)) {
		seen[it.class]++;
		if (it.class == UPLINK_VOLUME) {
			if (!first_volume)
				first_volume = it.seq;
			last_volume = it.seq;
		}
		spool_take(s);
	}
	assert_int_equal(seen[UPLINK_PROCESS], 300);
	assert_int_equal(seen[UPLINK_RARE], 300);
	assert_int_equal(seen[UPLINK_VOLUME] + st.lost[UPLINK_VOLUME], 300 + 2100);
	assert_int_equal(last_volume, 3000);
	assert_true(first_volume > 1500);
	/* all of it is under way now: a new record is the one that goes */
	spool_rewind(s);
	struct uplink_loss loss;
	assert_true(spool_take_loss(s, &loss));
	assert_int_equal(loss.class, UPLINK_VOLUME);
	assert_string_equal(loss.reason, "spool_full");
	assert_int_equal(loss.lost, st.lost[UPLINK_VOLUME]);
	assert_true(loss.from_unix_ns <= loss.to_unix_ns);
	assert_false(spool_take_loss(s, &loss));
	/* the highest class pushes out everything below it, at last itself */
	for (uint64_t i = 0; i < 3000; i++)
		append(s, UPLINK_PROCESS, i, 1000);
	spool_stats(s, &st);
	assert_int_equal(st.lost[UPLINK_RARE], 300);
	assert_int_equal(st.lost[UPLINK_VOLUME], 2400);
	assert_true(st.lost[UPLINK_PROCESS] > 2000);
	spool_close(s);
}

static void what_is_under_way_is_not_dropped(void **state)
{
	struct spool *s = open_spool(MIB);
	struct spool_item it;

	for (uint64_t i = 0; i < 800; i++)
		append(s, UPLINK_PROCESS, i, 1000);
	assert_int_equal(spool_flush(s, NULL), 0);
	for (uint64_t i = 0; i < 100; i++) {
		assert_true(spool_peek(s, &it));
		spool_take(s);
	}
	for (uint64_t i = 800; i < 2000; i++)
		append(s, UPLINK_PROCESS, i, 1000);
	/* the hole begins behind what was taken */
	spool_rewind(s);
	for (uint64_t i = 0; i < 100; i++) {
		assert_true(spool_peek(s, &it));
		assert_int_equal(it.seq, i + 1);
		spool_take(s);
	}
	spool_close(s);
}

static void a_full_disk_is_counted_and_recovers(void **state)
{
	struct clock clk = clock_fake(NOW);
	struct spool *s = NULL;
	struct rlimit old, small = {200 * 1024, 0};
	struct uplink_loss loss;
	struct spool_item it;
	unsigned failed = 0, seen = 0;

	/* A file that may not grow stands for the disk: write(2) fails the same way. */
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(spool_open(dir, 64 * MIB, &clk, &s, NULL), 0);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	for (uint64_t i = 0; i < 500; i++)
		failed += spool_append(s, UPLINK_PROCESS, NOW, record(i, 1000), NULL, NULL) < 0;
	setrlimit(RLIMIT_FSIZE, &old);
	assert_true(failed > 100);
	assert_int_equal(lost(s), failed);
	assert_false(spool_take_loss(s, &loss)); /* not now: it would only be lost too */
	clock_fake_advance(&clk, 2000000000);
	assert_int_equal(spool_flush(s, NULL), 0);
	assert_true(spool_take_loss(s, &loss));
	assert_string_equal(loss.reason, "disk_full");
	assert_int_equal(loss.lost, failed);
	append(s, UPLINK_PROCESS, 500, 1000);
	assert_int_equal(spool_flush(s, NULL), 0);
	while (spool_peek(s, &it)) {
		seen++;
		spool_take(s);
	}
	assert_int_equal(seen + failed, 501);
	spool_close(s);
}

static void acknowledged_segments_go(void **state)
{
	struct spool *s = open_spool(MIB);
	struct spool_stats st;

	for (uint64_t round = 0; round < 50; round++) {
		struct spool_item it = {0};

		for (uint64_t i = 0; i < 100; i++)
			append(s, UPLINK_PROCESS, i, 1000);
		assert_int_equal(spool_flush(s, NULL), 0);
		while (spool_peek(s, &it))
			spool_take(s);
		spool_ack(s, it.epoch, it.seq);
	}
	spool_stats(s, &st);
	assert_int_equal(st.records, 0);
	assert_int_equal(st.oldest_unix_ns, 0);
	assert_int_equal(st.produced, 5000);
	assert_true(st.bytes < 200 * 1024);
	assert_int_equal(lost(s), 0);
	spool_close(s);
}

static uint64_t ms_since(uint64_t ns)
{
	return (clock_boot_ns(clock_real()) - ns) / 1000000;
}

/* Figures for a person; only the memory is a promise. */
static void a_large_spool_opens_and_reads_in_little_memory(void **state)
{
	struct spool *s = open_spool(128 * MIB);
	struct spool_item it;
	uint64_t count = 64 * MIB / 532, seen = 0, t = clock_boot_ns(clock_real());
	struct rusage before, after;

	for (uint64_t i = 0; i < count; i++)
		append(s, UPLINK_PROCESS, i, 500);
	spool_close(s);
	uint64_t write_ms = ms_since(t);
	getrusage(RUSAGE_SELF, &before);
	t = clock_boot_ns(clock_real());
	s = open_spool(128 * MIB);
	uint64_t open_ms = ms_since(t);
	t = clock_boot_ns(clock_real());
	while (spool_peek(s, &it)) {
		assert_int_equal(it.seq, ++seen);
		spool_take(s);
	}
	getrusage(RUSAGE_SELF, &after);
	print_message("64 MiB, %" PRIu64 " records: written in %" PRIu64 " ms, opened in %" PRIu64
		      " ms, read in %" PRIu64 " ms\n",
		      count, write_ms, open_ms, ms_since(t));
	assert_int_equal(seen, count);
	assert_true(after.ru_maxrss - before.ru_maxrss < 4096);
	spool_close(s);
}

static void names_have_one_spelling(void **state)
{
	static const char *const wrong[] = {
		"",
		"p",
		"x-0000000000000001-0000000000000001-00000000.seg",
		"p-0000000000000000-0000000000000001-00000000.seg",
		"p-0000000000000001-0000000000000000-00000000.seg",
		"p-000000000000000A-0000000000000001-00000000.seg",
		"p-0000000000000001-0000000000000001-00000000.segx",
		"p-+000000000000001-0000000000000001-00000000.seg",
	};
	struct segment_name n;

	assert_true(segment_name_parse(
		SLICE_LIT("v-000000000000000a-0000000000000001-0000000c.seg"), &n));
	assert_int_equal(n.epoch, 10);
	assert_int_equal(n.salt, 12);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(segment_name_parse(slice_of(wrong[i]), &n));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(numbers_run_through_all_classes_and_come_back_in_order),
		TEST(nothing_is_read_before_the_kernel_has_it),
		TEST(each_run_has_an_epoch_and_earlier_ones_come_first),
		TEST(a_spool_belongs_to_one_process),
		TEST(a_kill_loses_nothing_that_was_appended),
		TEST(a_flush_that_a_kill_cut_short_is_done_again),
		TEST(what_was_buffered_in_another_boot_is_not_believed),
		TEST(a_damaged_buffer_costs_what_is_behind_the_place),
		TEST(a_flipped_bit_costs_its_record_alone),
		TEST(a_torn_tail_is_cut_at_every_byte),
		TEST(foreign_files_are_left_alone_and_rubbish_is_set_aside),
		TEST(a_full_spool_drops_the_oldest_of_the_lowest_class),
		TEST(what_is_under_way_is_not_dropped),
		TEST(a_full_disk_is_counted_and_recovers),
		TEST(acknowledged_segments_go),
		TEST(a_large_spool_opens_and_reads_in_little_memory),
		TEST(names_have_one_spelling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
