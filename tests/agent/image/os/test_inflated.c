/* inflated: packed data read at any offset gives what was packed, within its budget and its memory. */
#include <malloc.h>

#include "agent/image/os/inflated.h"
#include "zip_build.h"

enum { SIZE = 24 << 20 };

static uint64_t random_state = 88172645463325252ULL;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Words that repeat near and far, and noise: blocks of every type. */
static char *make_text(size_t n)
{
	char *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n;) {
		size_t len = 1 + next_random() % 3000, kind = next_random() % 4;

		for (size_t k = 0; k < len && i < n; k++, i++)
			p[i] = kind == 0 && i > 30000 ? p[i - 30000] :
			       kind == 1	      ? (char)next_random() :
			       kind == 2	      ? (char)('a' + k % 7) :
							(char)('a' + next_random() % 20);
	}
	return p;
}

static void check_at(const struct blob *b, const char *text, uint64_t off, size_t n)
{
	static char got[65536];
	struct err err;

	if (blob_read(b, off, got, n, &err) < 0)
		fail_msg("%s", err.msg);
	assert_memory_equal(got, text + off, n);
}

static void any_offset_in_any_order_is_right(void **state)
{
	char *text = make_text(SIZE);
	struct buf packed = deflated(slice_from(text, SIZE), 6);
	struct slice bytes = buf_slice(&packed);
	const struct blob whole = blob_from_slice(&bytes);
	CLEANUP(inflated_freep) struct inflated *f = NULL;
	uint64_t budget = 100ULL * SIZE;

	(void)state;
	assert_int_equal(inflated_new(&whole, 0, bytes.n, SIZE, &budget, &f, NULL), 0);
	const struct blob *b = inflated_blob(f);
	check_at(b, text, SIZE - 22, 22); /* as a zip's end is looked for */
	for (int i = 0; i < 60; i++)
		check_at(b, text, next_random() % (SIZE - 65536), next_random() % 65536);
	for (uint64_t off = 0; off < SIZE; off += 65536)
		check_at(b, text, off, 65536);
	/* 60 ways back cost 60 times a 64th, not 60 times the whole. */
	assert_true(100ULL * SIZE - budget < 6ULL * SIZE);
	free(text);
	buf_fini(&packed);
}

static void memory_stays_small(void **state)
{
	char *text = make_text(SIZE);
	struct buf packed = deflated(slice_from(text, SIZE), 1);
	struct slice bytes = buf_slice(&packed);
	const struct blob whole = blob_from_slice(&bytes);
	CLEANUP(inflated_freep) struct inflated *f = NULL;
	uint64_t budget = 100ULL * SIZE;
	size_t before = mallinfo2().uordblks;

	(void)state;
	assert_int_equal(inflated_new(&whole, 0, bytes.n, SIZE, &budget, &f, NULL), 0);
	check_at(inflated_blob(f), text, SIZE - 1, 1);
	/* With ASan's allocator this says 0 of both. */
	assert_true(mallinfo2().uordblks - before < 2400 * 1024);
	free(text);
	buf_fini(&packed);
}

static int read_from(struct slice packed, uint64_t size, uint64_t budget, uint64_t off, struct err *err)
{
	const struct blob whole = blob_from_slice(&packed);
	CLEANUP(inflated_freep) struct inflated *f = NULL;
	char c;

	assert_int_equal(inflated_new(&whole, 0, packed.n, size, &budget, &f, NULL), 0);
	return blob_read(inflated_blob(f), off, &c, 1, err);
}

static void what_is_not_as_said_is_an_error(void **state)
{
	char *text = make_text(1 << 20);
	struct buf packed = deflated(slice_from(text, 1 << 20), 6);
	struct err err;

	(void)state;
	assert_int_equal(read_from(buf_slice(&packed), 1 << 20, 1 << 21, (1 << 20) - 1, &err), 0);
	assert_int_equal(read_from(buf_slice(&packed), 2 << 20, 1 << 22, (2 << 20) - 1, &err), -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "shorter than said"));
	assert_int_equal(read_from(buf_slice(&packed), 1 << 20, 1 << 19, (1 << 20) - 1, &err), -ERR_LIMIT);
	assert_int_equal(read_from(slice_sub(buf_slice(&packed), 0, 10000), 1 << 20, 1 << 22, (1 << 20) - 1, &err),
			 -ERR_CORRUPT);
	assert_non_null(strstr(err.msg, "too early"));
	memset(packed.p, 0xff, 10); /* a block of no type */
	assert_int_equal(read_from(buf_slice(&packed), 1 << 20, 1 << 22, (1 << 20) - 1, &err), -ERR_CORRUPT);
	assert_int_equal(read_from(SLICE_NONE, 1 << 20, 1 << 22, 0, &err), -ERR_CORRUPT);
	struct slice none = SLICE_NONE;
	const struct blob whole = blob_from_slice(&none);
	struct inflated *f;
	uint64_t budget = 1;
	assert_int_equal(inflated_new(&whole, 1, UINT64_MAX, 1, &budget, &f, &err), -ERR_CORRUPT);
	free(text);
	buf_fini(&packed);
}

/* 5 bytes each that unpack to nothing: stored blocks of length 0. */
static void empty_blocks_use_the_budget_up(void **state)
{
	enum { COUNT = 1000000 };
	struct buf b;
	struct err err;

	(void)state;
	buf_init(&b, 0);
	for (int i = 0; i < COUNT; i++)
		buf_add(&b, "\0\0\0\xff\xff", 5);
	assert_int_equal(read_from(buf_slice(&b), 10, 1 << 20, 0, &err), -ERR_LIMIT);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_offset_in_any_order_is_right),
		cmocka_unit_test(memory_stays_small),
		cmocka_unit_test(what_is_not_as_said_is_an_error),
		cmocka_unit_test(empty_blocks_use_the_budget_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
