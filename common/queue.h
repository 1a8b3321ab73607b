/* queue.h - the one thing threads share: a bounded queue of messages, with a descriptor to poll.
 * A message belongs to exactly one side at any time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct queue;

/* max: 1 .. 1,048,576 messages. free_fn: for what is left at queue_free; nullable. */
int queue_new(size_t max, void (*free_fn)(void *), struct queue **ret, struct err *err) WARN_UNUSED;
/* msg: taken on success. false when full: msg stays the caller's and the drop is counted. */
bool queue_put(struct queue *q, void *msg) WARN_UNUSED;
/* The oldest message, the caller's from now on; NULL when empty. */
void *queue_take(struct queue *q);
size_t queue_length(struct queue *q);
uint64_t queue_dropped(struct queue *q);
/* Readable while the queue is not empty. Borrowed. */
int queue_fd(struct queue *q);
void queue_free(struct queue *q);
DEFINE_CLEANUP(struct queue, queue_free)
