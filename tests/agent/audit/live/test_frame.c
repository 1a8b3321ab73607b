/* test_frame.c - what the agent and its audit worker say to each other, whole, in pieces and wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/audit/live/frame.h"

static void frames_come_back_also_in_pieces(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	enum frame_kind kind;
	struct slice body;
	size_t n;

	buf_init(&b, 0);
	frame_add(&b, FRAME_REPORT, SLICE_LIT("abc"));
	size_t first = b.n;
	frame_add(&b, FRAME_DONE, SLICE_NONE);
	for (size_t i = 0; i < first; i++)
		assert_int_equal(frame_read(slice_sub(buf_slice(&b), 0, i), &kind, &body, &n, NULL), 0);
	assert_int_equal(frame_read(buf_slice(&b), &kind, &body, &n, NULL), 1);
	assert_int_equal(kind, FRAME_REPORT);
	assert_true(slice_is(body, "abc"));
	assert_int_equal(n, first);
	assert_int_equal(frame_read(slice_sub(buf_slice(&b), n, b.n), &kind, &body, &n, NULL), 1);
	assert_int_equal(kind, FRAME_DONE);
	assert_int_equal(body.n, 0);
}

static void what_is_no_frame_is_refused(void **state)
{
	enum frame_kind kind;
	struct slice body;
	size_t n;
	struct err err;

	assert_int_equal(frame_read(SLICE_LIT("x"), &kind, &body, &n, &err), -ERR_CORRUPT);
	assert_int_equal(frame_read(SLICE_LIT("R\xff\xff\xff\x7f"), &kind, &body, &n, &err), -ERR_CORRUPT);
	assert_int_equal(frame_read(SLICE_LIT("R\x01\x00\x08\x00"), &kind, &body, &n, &err), -ERR_CORRUPT);
}

static void questions_are_three_words_and_what_is_known(void **state)
{
	static const char *const wrong[] = { "",	   "container",	     "container a",	   "container a b C", "container a b c d",
					     "container  b c", "container a/b c", "container ../x start", "a b c\n", "A b c" };
	struct question q;
	struct err err;

	assert_int_equal(question_read(SLICE_LIT("image sha256:12ab daily"), &q, &err), 0);
	assert_true(slice_is(q.subject, "image") && slice_is(q.id, "sha256:12ab") && slice_is(q.trigger, "daily"));
	assert_int_equal(q.known.n, 0);
	assert_int_equal(question_read(SLICE_LIT("container 12ab daily 7-2-ff"), &q, &err), 0);
	assert_true(slice_is(q.trigger, "daily") && slice_is(q.known, "7-2-ff"));
	assert_int_equal(question_read(SLICE_LIT("host - agent"), &q, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(question_read(slice_of(wrong[i]), &q, &err), -ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_back_also_in_pieces),
		cmocka_unit_test(what_is_no_frame_is_refused),
		cmocka_unit_test(questions_are_three_words_and_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
