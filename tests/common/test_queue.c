/* queue: the bound, the descriptor, and two threads at both ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>

#include "common/queue.h"

static unsigned freed;

static void count_free(void *msg)
{
	freed++;
	free(msg);
}

static bool is_readable(struct queue *q, int wait_ms)
{
	struct pollfd p = { .fd = queue_fd(q), .events = POLLIN };

	return poll(&p, 1, wait_ms) == 1;
}

static void messages_come_out_in_order_across_growth(void **state)
{
	CLEANUP(queue_freep) struct queue *q = NULL;
	struct err err;
	int cells[1000];
	size_t in = 0, out = 0;

	assert_int_equal(queue_new(100, NULL, &q, &err), 0);
	/* The ring turns while it grows: put 3, take 2, so that first is never 0 at a growth. */
	while (out < ARRAY_LEN(cells)) {
		for (int i = 0; i < 3 && in < ARRAY_LEN(cells); i++)
			if (queue_put(q, &cells[in]))
				in++;
		for (int i = 0; i < 2 && out < ARRAY_LEN(cells); i++)
			assert_ptr_equal(queue_take(q), &cells[out++]);
	}
	assert_null(queue_take(q));
}

static void a_full_queue_refuses_and_counts(void **state)
{
	CLEANUP(queue_freep) struct queue *q = NULL;
	struct err err;
	int x;

	assert_int_equal(queue_new(3, NULL, &q, &err), 0);
	for (int i = 0; i < 3; i++)
		assert_true(queue_put(q, &x));
	assert_false(queue_put(q, &x));
	assert_false(queue_put(q, &x));
	assert_int_equal(queue_dropped(q), 2);
	assert_int_equal(queue_length(q), 3);
	assert_ptr_equal(queue_take(q), &x);
	assert_true(queue_put(q, &x));
}

static void the_descriptor_is_readable_while_there_is_something(void **state)
{
	CLEANUP(queue_freep) struct queue *q = NULL;
	struct err err;
	int x;

	assert_int_equal(queue_new(3, NULL, &q, &err), 0);
	assert_false(is_readable(q, 0));
	assert_true(queue_put(q, &x) && queue_put(q, &x));
	assert_true(is_readable(q, 0));
	(void)queue_take(q);
	assert_true(is_readable(q, 0));
	(void)queue_take(q);
	assert_false(is_readable(q, 0));
	assert_null(queue_take(q));
}

static void what_is_left_is_freed(void **state)
{
	struct queue *q = NULL;
	struct err err;

	freed = 0;
	assert_int_equal(queue_new(5, count_free, &q, &err), 0);
	for (int i = 0; i < 3; i++)
		assert_true(queue_put(q, malloc(8)));
	free(queue_take(q));
	queue_free(q);
	assert_int_equal(freed, 2);
	queue_free(NULL);
}

static void bounds_out_of_range_are_refused(void **state)
{
	struct queue *q = NULL;
	struct err err;

	assert_true(queue_new(0, NULL, &q, &err) < 0);
	assert_true(queue_new((1 << 20) + 1, NULL, &q, &err) < 0);
	assert_null(q);
}

enum { EACH = 20000, WRITERS = 3 };

static void *put_many(void *arg)
{
	for (uintptr_t i = 1; i <= EACH; i++) {
		uintptr_t *msg = malloc(sizeof(*msg));

		*msg = i;
		while (!queue_put(arg, msg))
			sched_yield();
	}
	return NULL;
}

static void nothing_is_lost_or_doubled_between_threads(void **state)
{
	CLEANUP(queue_freep) struct queue *q = NULL;
	struct err err;
	pthread_t writers[WRITERS];
	uint64_t sum = 0, count = 0;

	assert_int_equal(queue_new(64, count_free, &q, &err), 0);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, put_many, q), 0);
	while (count < (uint64_t)EACH * WRITERS) {
		/* A wake-up that got lost would end here. */
		assert_true(is_readable(q, 20000));
		for (uintptr_t *msg; (msg = queue_take(q)); count++) {
			sum += *msg;
			free(msg);
		}
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	assert_int_equal(sum, (uint64_t)WRITERS * EACH * (EACH + 1) / 2);
	assert_false(is_readable(q, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_in_order_across_growth),
		cmocka_unit_test(a_full_queue_refuses_and_counts),
		cmocka_unit_test(the_descriptor_is_readable_while_there_is_something),
		cmocka_unit_test(what_is_left_is_freed),
		cmocka_unit_test(bounds_out_of_range_are_refused),
		cmocka_unit_test(nothing_is_lost_or_doubled_between_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
