/* log: lines as they arrive at the other end of a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>

#include "common/log.h"

static int pipe_fds[2];
static char got[1 << 20];

static int open_pipe(void **state)
{
	if (pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	fcntl(pipe_fds[1], F_SETPIPE_SZ, 1 << 20);
	log_open(LOG_INFO, pipe_fds[1]);
	return 0;
}

static int close_pipe(void **state)
{
	log_open(LOG_INFO, STDERR_FILENO);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* Everything written so far; "" if nothing. */
static const char *written(void)
{
	size_t n = 0;
	ssize_t r;

	while (n < sizeof(got) - 1 && (r = read(pipe_fds[0], got + n, sizeof(got) - 1 - n)) > 0)
		n += (size_t)r;
	got[n] = 0;
	return got;
}

static unsigned count_lines(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

static void a_line_is_logfmt_with_typed_pairs(void **state)
{
	LOG(WARN, "test.pairs", KV_STR("peer", "tls+tcp://x"), KV_U64("retry_ms", 500),
	    KV_I64("delta", -3), KV_BOOL("ok", true), KV_STR("none", NULL),
	    KV_SLICE("raw", SLICE_LIT("a\0b")));
	const char *line = written();
	assert_memory_equal(line, "time=20", 7);
	assert_non_null(strstr(line, " level=warn event=test.pairs peer=\"tls+tcp://x\" retry_ms=500 "
				     "delta=-3 ok=true none=null raw=\"a\\x00b\"\n"));
	assert_int_equal(count_lines(line), 1);
}

static void levels_below_the_least_are_not_written(void **state)
{
	LOG(DEBUG, "test.levels", KV_U64("n", 1));
	assert_string_equal(written(), "");
	log_open(LOG_ERROR, pipe_fds[1]);
	LOG(WARN, "test.levels", KV_U64("n", 2));
	assert_string_equal(written(), "");
	LOG(ERROR, "test.levels", KV_U64("n", 3));
	assert_int_equal(count_lines(written()), 1);
}

static void hostile_values_are_escaped(void **state)
{
	static const struct {
		struct slice in;
		const char *want;
	} rows[] = {
		{ { "plain gr\xc3\xbc\xc3\x9f", 12 }, "plain gr\xc3\xbc\xc3\x9f" },
		{ { "a\nb\rc\td", 7 }, "a\\x0ab\\x0dc\\x09d" },
		{ { "\x1b[31m", 5 }, "\\x1b[31m" },
		{ { "say \"hi\" \\", 10 }, "say \\\"hi\\\" \\\\" },
		{ { "\xff\xc3", 2 }, "\\xff\\xc3" },
		{ { "\xe2\x80\xae", 3 }, "\\u{202e}" },
		{ { "\xc2\x85", 2 }, "\\u{85}" },
		{ { "\x7f", 1 }, "\\x7f" },
		{ { NULL, 0 }, "" },
	};
	char out[64];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(log_escape(rows[i].in, out, sizeof(out)), strlen(rows[i].want));
		assert_string_equal(out, rows[i].want);
	}
}

static void an_escape_is_never_cut_in_half(void **state)
{
	char out[8];

	for (size_t size = 1; size <= sizeof(out); size++) {
		size_t n = log_escape(SLICE_LIT("\n\n"), out, size);

		assert_int_equal(n, size > 4 ? 4 : 0);
		assert_int_equal(out[n], 0);
	}
	assert_int_equal(log_escape(SLICE_LIT("\xe2\x82\xac"), out, 3), 0);
}

static void a_huge_value_is_cut_and_the_line_stays_one(void **state)
{
	static char huge[100000];

	memset(huge, '\n', sizeof(huge));
	LOG(INFO, "test.huge", KV_SLICE("a", slice_from(huge, sizeof(huge))),
	    KV_SLICE("b", slice_from(huge, sizeof(huge))), KV_SLICE("c", slice_from(huge, sizeof(huge))),
	    KV_SLICE("d", slice_from(huge, sizeof(huge))), KV_SLICE("e", slice_from(huge, sizeof(huge))),
	    KV_U64("last", 7));
	const char *line = written();
	assert_int_equal(count_lines(line), 1);
	assert_true(strlen(line) <= 4096);
	assert_non_null(strstr(line, "…\""));
	assert_non_null(strstr(line, " last=7\n")); /* a pair that fits still gets in */
}

static void a_flood_is_held_back_and_counted(void **state)
{
	for (unsigned i = 0; i < 1000; i++)
		LOG(WARN, "test.flood", KV_U64("i", i));
	assert_int_equal(count_lines(written()), 20);
	LOG(WARN, "test.quiet", KV_U64("i", 1));
	assert_int_equal(count_lines(written()), 1);
	LOG(ERROR, "test.flood", KV_STR("why", "bad"));
	assert_non_null(strstr(written(), "level=error event=test.flood suppressed=980 why=\"bad\""));
	LOG(ERROR, "test.flood", KV_STR("why", "bad"));
	assert_null(strstr(written(), "suppressed"));
}

static void names_past_the_table_share_one_bucket(void **state)
{
	static char names[400][24]; /* static: the log keeps the pointers */

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(names[i], sizeof(names[i]), "test.many.%zu", i);
		LOG(WARN, names[i], KV_U64("i", i));
	}
	unsigned lines = count_lines(written());
	assert_true(lines >= 256 && lines < 290);
}

static void *write_many(void *arg)
{
	for (unsigned i = 0; i < 200; i++)
		LOG(ERROR, "test.threads", KV_STR("who", arg), KV_U64("i", i));
	return NULL;
}

static void lines_of_several_threads_stay_whole(void **state)
{
	pthread_t threads[4];
	char names[4][2] = { "a", "b", "c", "d" };

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, names[i]), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	struct slice rest = slice_of(written()), line;
	unsigned lines = 0;
	while (slice_split(&rest, '\n', &line) && line.n) {
		assert_true(slice_starts(line, SLICE_LIT("time=")));
		lines++;
	}
	assert_int_equal(lines, 800);
}

#define ON_A_PIPE(f) cmocka_unit_test_setup_teardown(f, open_pipe, close_pipe)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_PIPE(a_line_is_logfmt_with_typed_pairs),
		ON_A_PIPE(levels_below_the_least_are_not_written),
		ON_A_PIPE(hostile_values_are_escaped),
		ON_A_PIPE(an_escape_is_never_cut_in_half),
		ON_A_PIPE(a_huge_value_is_cut_and_the_line_stays_one),
		ON_A_PIPE(a_flood_is_held_back_and_counted),
		ON_A_PIPE(lines_of_several_threads_stay_whole),
		ON_A_PIPE(names_past_the_table_share_one_bucket), /* last: it fills the table */
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
