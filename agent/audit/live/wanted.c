/* wanted.c - see wanted.h. */
#include "agent/audit/live/wanted.h"

#include <errno.h>
#include <stdio.h>

#include "common/slice.h"

void wanted_init(struct wanted_queue *q)
{
	*q = (struct wanted_queue){ 0 };
	TAILQ_INIT(&q->urgent);
	TAILQ_INIT(&q->others);
}

static void insert(struct wanted_queue *q, struct wanted *w)
{
	if (w->is_urgent)
		TAILQ_INSERT_TAIL(&q->urgent, w, entry);
	else
		TAILQ_INSERT_TAIL(&q->others, w, entry);
}

static void drop_from_list(struct wanted_queue *q, struct wanted *w)
{
	if (w->is_urgent)
		TAILQ_REMOVE(&q->urgent, w, entry);
	else
		TAILQ_REMOVE(&q->others, w, entry);
}

static struct wanted *find(const struct wanted_queue *q, const char *key)
{
	struct wanted *w;

	HASH_FIND_STR(q->by_key, key, w);
	return w;
}

int wanted_add(struct wanted_queue *q, const char *subject, const char *id, const char *trigger, uint64_t now_ns,
	       struct err *err)
{
	bool is_urgent = !strcmp(trigger, "start");
	char key[WANTED_KEY_BYTES];

	if (snprintf(key, sizeof(key), "%s %s", subject, id) >= (int)sizeof(key))
		return err_set(err, ERR_LIMIT, "audit of %.20s %.80s…: too long", subject, id);
	struct wanted *w = find(q, key);
	if (w && is_urgent > w->is_urgent) {
		/* it was a matter of the day, and starts now */
		drop_from_list(q, w);
		w->is_urgent = true;
		w->trigger = trigger;
		w->since_ns = now_ns;
		insert(q, w);
	}
	if (w)
		return 0;
	if (HASH_COUNT(q->by_key) >= (is_urgent ? 2 : 1) * WANTED_MAX)
		return err_set(err, ERR_LIMIT, "too much waits to be audited; the daily audit will look at it");
	w = calloc(1, sizeof(*w));
	if (!w)
		return err_set(err, ENOMEM, "audit");
	(void)slice_copy(slice_of(key), w->key, sizeof(w->key));
	w->trigger = trigger;
	w->since_ns = now_ns;
	w->is_urgent = is_urgent;
	insert(q, w);
	HASH_ADD_STR(q->by_key, key, w);
	return 0;
}

struct wanted *wanted_first(const struct wanted_queue *q)
{
	struct wanted *w = TAILQ_FIRST(&q->urgent);

	return w ? w : TAILQ_FIRST(&q->others);
}

void wanted_take(struct wanted_queue *q, struct wanted *w)
{
	drop_from_list(q, w);
	HASH_DEL(q->by_key, w);
}

void wanted_drop(struct wanted_queue *q, const char *subject, const char *id)
{
	char key[WANTED_KEY_BYTES];

	(void)snprintf(key, sizeof(key), "%s %s", subject, id);
	struct wanted *w = find(q, key);
	if (!w)
		return;
	wanted_take(q, w);
	free(w);
}

bool wanted_return(struct wanted_queue *q, struct wanted *w)
{
	if (find(q, w->key))
		return false;
	insert(q, w);
	HASH_ADD_STR(q->by_key, key, w);
	return true;
}

size_t wanted_count(const struct wanted_queue *q)
{
	return HASH_COUNT(q->by_key);
}

void wanted_fini(struct wanted_queue *q)
{
	for (struct wanted *w; (w = wanted_first(q));) {
		wanted_take(q, w);
		free(w);
	}
}
