/* queue.c - see queue.h. A ring that grows to its maximum only if it has to: most queues stay short.
 *
 * Invariant, under the lock: the eventfd's counter is 1 if count > 0, else 0. */
#include "common/queue.h"

#include <errno.h>
#include <pthread.h>
#include <sys/eventfd.h>

enum { FIRST_SLOTS = 16, SLOTS_MAX = 1 << 20 };

struct queue {
	pthread_mutex_t lock;
	void **slots;
	size_t size, first, count, max;
	uint64_t dropped;
	void (*free_fn)(void *);
	int fd;
};

int queue_new(size_t max, void (*free_fn)(void *), struct queue **ret, struct err *err)
{
	if (!max || max > SLOTS_MAX)
		return err_set(err, EINVAL, "make a queue of %zu", max);
	struct queue *q = calloc(1, sizeof(*q));
	if (!q)
		return err_set(err, ENOMEM, "make a queue");
	pthread_mutex_init(&q->lock, NULL);
	q->max = max;
	q->free_fn = free_fn;
	q->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (q->fd < 0) {
		int e = errno;

		queue_free(q);
		return err_set(err, e, "make a queue");
	}
	*ret = q;
	return 0;
}

/* Twice the slots, with the oldest message first again. */
static bool grow(struct queue *q)
{
	size_t size = q->size ? q->size * 2 : FIRST_SLOTS;

	if (size > q->max)
		size = q->max;
	void **slots = calloc(size, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < q->count; i++)
		slots[i] = q->slots[(q->first + i) % q->size];
	free(q->slots);
	q->slots = slots;
	q->size = size;
	q->first = 0;
	return true;
}

bool queue_put(struct queue *q, void *msg)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&q->lock);
	bool ok = q->count < q->max && (q->count < q->size || grow(q));
	if (ok) {
		q->slots[(q->first + q->count++) % q->size] = msg;
		/* Can't fail: the counter is 0 here. */
		if (q->count == 1)
			(void)!write(q->fd, &one, sizeof(one));
	} else {
		q->dropped++;
	}
	pthread_mutex_unlock(&q->lock);
	return ok;
}

void *queue_take(struct queue *q)
{
	void *msg = NULL;
	uint64_t counter;

	pthread_mutex_lock(&q->lock);
	if (q->count) {
		msg = q->slots[q->first];
		q->first = (q->first + 1) % q->size;
		if (!--q->count)
			(void)!read(q->fd, &counter, sizeof(counter));
	}
	pthread_mutex_unlock(&q->lock);
	return msg;
}

size_t queue_length(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	size_t n = q->count;
	pthread_mutex_unlock(&q->lock);
	return n;
}

uint64_t queue_dropped(struct queue *q)
{
	pthread_mutex_lock(&q->lock);
	uint64_t n = q->dropped;
	pthread_mutex_unlock(&q->lock);
	return n;
}

int queue_fd(struct queue *q)
{
	return q->fd;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	for (size_t i = 0; q->free_fn && i < q->count; i++)
		q->free_fn(q->slots[(q->first + i) % q->size]);
	if (q->fd >= 0)
		close(q->fd);
	pthread_mutex_destroy(&q->lock);
	free(q->slots);
	free(q);
}
