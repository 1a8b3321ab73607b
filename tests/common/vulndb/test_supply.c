/* supply, import: hostile archives and folders cost little and say why. */
#include <sys/stat.h>
#include <time.h>

#include "common/vulndb/limits.h"
#include "common/vulndb/supply.h"
#include "tests/common/vulndb/fixture.h"

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A zip of `count` files of `size` bytes each: one byte over and over, after a beginning. */
static const char *make_bomb(struct fixture *f, const char *start, size_t size, unsigned count)
{
	struct archive *a = archive_write_new();
	static char block[65536];

	memset(block, ' ', sizeof(block));
	archive_write_set_format_zip(a);
	archive_write_open_filename(a, fixture_path(f, "bomb.zip"));
	for (unsigned i = 0; i < count; i++) {
		struct archive_entry *e = archive_entry_new();
		char name[32];

		snprintf(name, sizeof(name), "b%u.json", i);
		archive_entry_set_pathname(e, name);
		archive_entry_set_filetype(e, AE_IFREG);
		archive_entry_set_size(e, (la_int64_t)size);
		archive_write_header(a, e);
		archive_write_data(a, start, strlen(start));
		for (size_t n = strlen(start); n < size; n += sizeof(block))
			archive_write_data(a, block, size - n < sizeof(block) ? size - n : sizeof(block));
		archive_entry_free(e);
	}
	archive_write_free(a);
	return f->source;
}

static void a_bomb_is_left_early(void **state)
{
	struct fixture *f = *state;
	const char *source = make_bomb(f, "{\"id\":\"A-1\",\"modified\":\"x\",\"affected\":[]", 12u << 20, 2);
	double start = now_s();

	assert_int_equal(fixture_import(f, source, NULL), -ERR_LIMIT);
	assert_non_null(strstr(f->err.msg, "pack so well"));
	assert_true(now_s() - start < 3);
	assert_int_equal(access(f->db, F_OK), -1); /* no empty database is left */
}

static void a_record_too_large_is_a_bad_one(void **state)
{
	struct fixture *f = *state;
	size_t size = VULNDB_RECORD_MAX + 1000;
	CLEANUP(freep) char *big = malloc(size + 1);

	/* random enough not to be a bomb */
	for (size_t i = 0; i < size; i++)
		big[i] = (char)('a' + (i * i + i / 7 + (i >> 11)) % 26);
	memcpy(big, "{\"id\":\"BIG\",\"x\":\"", 17);
	big[size] = 0;
	const char *const pairs[] = { "A-1.json", "{\"id\":\"A-1\",\"affected\":[]}", "BIG.json", big, "A-2.json",
				      "{\"id\":\"A-2\",\"affected\":[]}", NULL };
	fixture_must_import(f, fixture_zip(f, "a.zip", pairs), NULL);
	assert_counts(f, 2, 0, 0, 0, 1);
	assert_non_null(strstr(f->last.first_bad, "BIG.json: a record of over"));
}

static void deep_json_is_a_bad_record(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_finip) struct buf b = { 0 };

	buf_init(&b, 0);
	buf_add_str(&b, "{\"id\":\"DEEP\",\"x\":");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&b, "{\"x\":");
	buf_add_str(&b, "1");
	for (int i = 0; i < 1001; i++)
		buf_add_char(&b, '}');
	const char *const pairs[] = { "DEEP.json", b.p, "A-1.json", "{\"id\":\"A-1\",\"affected\":[]}", NULL };
	fixture_must_import(f, fixture_zip(f, "a.zip", pairs), NULL);
	assert_counts(f, 1, 0, 0, 0, 1);
	assert_non_null(strstr(f->last.first_bad, "nested deeper"));
}

static void names_are_no_paths_and_reach_no_terminal(void **state)
{
	static const char *const pairs[] = { "../../../../../../tmp/picket-escaped.json", "{\"id\":\"A-1\",\"affected\":[]}",
					     "/tmp/picket-escaped.json", "{\"id\":\"A-2\",\"affected\":[]}",
					     "x/\x1b[31mred.json", "nonsense", "__MACOSX/._x.json", "junk", NULL };
	struct fixture *f = *state;

	fixture_must_import(f, fixture_zip(f, "a.zip", pairs), NULL);
	assert_counts(f, 2, 0, 0, 0, 1);
	assert_int_equal(access("/tmp/picket-escaped.json", F_OK), -1);
	assert_null(strchr(f->last.first_bad, '\x1b'));
	assert_non_null(strstr(f->last.first_bad, "red.json"));
}

static void more_bad_than_good_is_no_feed(void **state)
{
	struct fixture *f = *state;
	const char **pairs = calloc(2 * 3000 + 1, sizeof(*pairs));

	pairs[0] = "A-1.json";
	pairs[1] = "{\"id\":\"A-1\",\"affected\":[]}";
	for (int i = 1; i < 3000; i++) {
		pairs[2 * i] = "bad.json";
		pairs[2 * i + 1] = "{\"id\":1}";
	}
	assert_int_equal(fixture_import(f, fixture_zip(f, "a.zip", pairs), NULL), -ERR_SYNTAX);
	assert_non_null(strstr(f->err.msg, "more bad records than good ones; the first: bad.json"));
	assert_true(f->last.read < 1100);
	free(pairs);
}

static void random_bytes_are_an_error(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 88172645463325252ull;

	for (unsigned round = 0; round < 40; round++) {
		char bytes[2000];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[i] = (char)seed;
		}
		if (round % 2)
			memcpy(bytes, "PK\3\4", 4);
		if (round % 4 == 2)
			memcpy(bytes, "\x1f\x8b\x08\0", 4);
		assert_int_equal(file_write_atomic(fixture_path(f, "r.zip"), slice_from(bytes, sizeof(bytes)), 0644, NULL), 0);
		assert_true(fixture_import(f, f->source, NULL) < 0);
	}
	assert_int_equal(access(f->db, F_OK), -1);
}

static void what_is_no_file_is_refused(void **state)
{
	struct fixture *f = *state;
	struct supply *s = NULL;

	assert_int_equal(mkfifo(fixture_path(f, "pipe.json"), 0600), 0);
	assert_int_equal(supply_open(f->source, &s, &f->err), -ERR_SYNTAX); /* and does not wait for a writer */
	assert_int_equal(supply_open("/dev/zero", &s, &f->err), -ERR_SYNTAX);
	/* in a folder it is passed over */
	assert_int_equal(supply_open(f->dir, &s, &f->err), 0);
	assert_int_equal(supply_next(s, &f->err), 0);
	supply_close(s);
}

static void tar_is_read_too(void **state)
{
	struct fixture *f = *state;
	char command[512];

	fixture_write(f, "A-1.json", "{\"id\":\"A-1\",\"affected\":[]}");
	fixture_write(f, "A-2.json", "{\"id\":\"A-2\",\"affected\":[]}");
	snprintf(command, sizeof(command), "tar -C %s -czf %s/t.tar.gz A-1.json A-2.json", f->dir, f->dir);
	assert_int_equal(system(command), 0);
	fixture_must_import(f, fixture_path(f, "t.tar.gz"), NULL);
	assert_counts(f, 2, 0, 0, 0, 0);
}

static uint64_t last_done;
static void on_progress(void *arg, uint64_t done, uint64_t total)
{
	assert_true(done >= last_done && done <= total);
	last_done = done;
	++*(unsigned *)arg;
}

static void progress_goes_up_to_the_end(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf_finip) struct buf b = { 0 };
	unsigned calls = 0;

	buf_init(&b, 0);
	for (unsigned i = 0; i < 20000; i++)
		buf_printf(&b, "CVE-2024-%05u,0.%05u,0.%05u\n", i + 10000, i * 7919 % 100000, i * 104729 % 100000);
	struct vulndb_import in = { .path = f->db, .source = fixture_write(f, "e.csv", b.p), .format = VULNDB_EPSS,
				    .progress = on_progress, .arg = &calls, .now_unix_s = NOW };
	last_done = 0;
	assert_int_equal(vulndb_import(&in, &f->last, &f->err), 0);
	assert_int_equal(f->last.added, 20000);
	assert_true(calls >= 1 && last_done > b.n / 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, fixture_open, fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_bomb_is_left_early),
		T(a_record_too_large_is_a_bad_one),
		T(deep_json_is_a_bad_record),
		T(names_are_no_paths_and_reach_no_terminal),
		T(more_bad_than_good_is_no_feed),
		T(random_bytes_are_an_error),
		T(what_is_no_file_is_refused),
		T(tar_is_read_too),
		T(progress_goes_up_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
