/* names.c - which watched names lead to an address.
 *
 *   names_watch --lists--> [resolver thread: getaddrinfo, again when an answer's time is over] --answers--> names_of
 *
 * getaddrinfo may take many seconds and can't be called off. So the thread is never waited for: whoever of
 * the two lets go last frees what they share. */
#include "agent/world/names_priv.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include "common/queue.h"

enum {
	QUEUE_MAX = 16,
	ROUND_MS = 2000,
	SLOTS = 2 * WORLD_NAMES * WORLD_NAME_ADDRESSES, /* a power of two */
};
_Static_assert((int)WORLD_NAMES == (int)WORLD_NAMES_MAX, "world.h's bound");
_Static_assert(SLOTS <= UINT16_MAX, "a number of the table");

struct list {
	size_t count;
	struct name_target targets[]; /* the thread's, once it is in the queue */
};

/* What the thread found: each address with each of its names, in a table by address. Never changes. */
struct answers {
	size_t count;
	struct answer {
		struct name_address address;
		uint16_t name;
		uint16_t next; /* + 1, of the same address; 0 = none */
	} *all;
	char (*names)[WORLD_HOST_NAME_BYTES + 1];
	uint16_t slots[SLOTS]; /* + 1 */
};

struct shared {
	atomic_int refs;
	atomic_bool is_over;
	struct queue *lists, *answers;
};

struct names {
	struct shared *shared; /* NULL: the thread has not been needed */
	struct answers *now;   /* nullable */
	uint64_t count;	       /* of answers */
	struct names_config cfg;
};

static void answers_free(void *p)
{
	struct answers *a = p;

	if (!a)
		return;
	free(a->all);
	free(a->names);
	free(a);
}

static void shared_put(struct shared *s)
{
	if (atomic_fetch_sub(&s->refs, 1) != 1)
		return;
	queue_free(s->lists);
	queue_free(s->answers);
	free(s);
}

static size_t slot_of(const struct name_address *a)
{
	return slice_hash(slice_from(a->bytes, a->n)) & (SLOTS - 1);
}

static void answers_add(struct answers *a, const struct name_address *address, uint16_t name)
{
	size_t slot = slot_of(address);
	struct answer *at;

	while (a->slots[slot] && !name_address_same(&a->all[a->slots[slot] - 1].address, address))
		slot = (slot + 1) & (SLOTS - 1);
	a->all[a->count] = (struct answer){*address, name, 0};
	if (!a->slots[slot]) {
		a->slots[slot] = (uint16_t)++a->count;
		return;
	}
	for (at = &a->all[a->slots[slot] - 1]; at->next; at = &a->all[at->next - 1])
		;
	at->next = (uint16_t)++a->count;
}

static struct answers *answers_of(const struct list *l)
{
	struct answers *a = calloc(1, sizeof(*a));
	size_t count = 0;

	for (size_t i = 0; i < l->count; i++)
		count += l->targets[i].count;
	if (!a)
		return NULL;
	a->all = calloc(count + 1, sizeof(*a->all));
	a->names = calloc(l->count + 1, sizeof(*a->names));
	if (!a->all || !a->names) {
		answers_free(a);
		return NULL;
	}
	for (size_t i = 0; i < l->count; i++) {
		const struct name_target *t = &l->targets[i];

		memcpy(a->names[i], t->name, sizeof(t->name));
		for (size_t k = 0; k < t->count; k++)
			answers_add(a, &t->addresses[k], (uint16_t)i);
	}
	return a;
}

/* ---- the thread ---- */

struct start {
	struct shared *shared;
	struct names_config cfg;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static struct name_target *most_due(struct list *l)
{
	struct name_target *first = NULL;

	for (size_t i = 0; l && i < l->count; i++)
		if (!first || l->targets[i].due_ms < first->due_ms)
			first = &l->targets[i];
	return first;
}

/* Until the next is due; -1: nothing is. */
static int patience_ms(struct list *l)
{
	const struct name_target *t = most_due(l);
	uint64_t now = now_ms();

	if (!t)
		return -1;
	return t->due_ms <= now ? 0 : t->due_ms - now > INT32_MAX ? INT32_MAX : (int)(t->due_ms - now);
}

/* Those that are due, as many as go in a while: what is known is to be told in between. False: there is something more
 * urgent. */
static bool ask_those_due(struct shared *s, struct list *l, const struct names_config *cfg)
{
	uint64_t begun = now_ms(), now = begun;
	struct name_target *t = most_due(l);
	bool is_slow = false;

	for (; t && t->due_ms <= now && now - begun < ROUND_MS; now = now_ms(), t = most_due(l)) {
		if (atomic_load(&s->is_over) || queue_length(s->lists))
			return false;
		name_target_ask(t, cfg, now, &is_slow);
	}
	return !atomic_load(&s->is_over) && !queue_length(s->lists);
}

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;
	struct shared *s = start.shared;
	struct list *list = NULL;

	free(arg);
	while (!atomic_load(&s->is_over)) {
		struct pollfd p = {queue_fd(s->lists), POLLIN, 0};
		struct list *newer;

		if (poll(&p, 1, patience_ms(list)) < 0 && errno != EINTR)
			break;
		while ((newer = queue_take(s->lists))) {
			free(list);
			list = newer;
		}
		if (!list || !ask_those_due(s, list, &start.cfg))
			continue;
		struct answers *a = answers_of(list);
		while (a && !queue_put(s->answers, a)) /* nobody asks: the latest is wanted, then */
			answers_free(queue_take(s->answers));
	}
	free(list);
	shared_put(s);
	return NULL;
}

/* ---- the loop's side ---- */

struct names *names_new(const struct names_config *cfg)
{
	static const struct names_config usual = { .ttl = names_ask_ttl,
						   .again_ms = WORLD_NAME_AGAIN_MS,
						   .least_ms = WORLD_NAME_LEAST_MS,
						   .most_ms = WORLD_NAME_MOST_MS,
						   .keep_ms = WORLD_NAME_KEEP_MS };
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->cfg = cfg ? *cfg : usual;
	if (!n->cfg.resolve)
		n->cfg.resolve = getaddrinfo;
	return n;
}

/* Signals are the loop's. */
static int start_thread(struct names *n)
{
	struct start *start = malloc(sizeof(*start));
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t thread;

	if (!start)
		return ENOMEM;
	*start = (struct start){n->shared, n->cfg};
	atomic_fetch_add(&n->shared->refs, 1);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	int r = pthread_create(&thread, &attr, run, start);
	(void)pthread_attr_destroy(&attr);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		atomic_fetch_sub(&n->shared->refs, 1);
		free(start);
	}
	return r;
}

static int start(struct names *n, struct err *err)
{
	struct shared *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, ENOMEM, "watch names");
	atomic_init(&s->refs, 1);
	n->shared = s;
	r = queue_new(QUEUE_MAX, free, &s->lists, err);
	if (r >= 0)
		r = queue_new(QUEUE_MAX, answers_free, &s->answers, err);
	if (r >= 0) {
		r = start_thread(n);
		r = r ? err_set(err, r, "start the resolver") : 0;
	}
	if (r < 0) {
		n->shared = NULL;
		shared_put(s);
	}
	return r;
}

static void take_answers(struct names *n)
{
	struct answers *newer;

	while (n->shared && (newer = queue_take(n->shared->answers))) {
		answers_free(n->now);
		n->now = newer;
		n->count++;
	}
}

/* What is known of a name outlives the list that it was in: the new one may wait long for an answer. */
static void carry_over(struct names *n, struct name_target *t)
{
	uint64_t now = now_ms();

	for (size_t i = 0; n->now && i < n->now->count; i++)
		if (!strcmp(n->now->names[n->now->all[i].name], t->name))
			name_target_add(t, &n->now->all[i].address, now);
}

int names_watch(struct names *n, const char *const *names, size_t count, struct err *err)
{
	size_t kept = 0;

	take_answers(n);
	if (!n->shared) {
		if (!count)
			return 0;
		int r = start(n, err);
		if (r < 0)
			return r;
	}
	struct list *l = calloc(1, sizeof(*l) + (count > WORLD_NAMES ? WORLD_NAMES : count) * sizeof(l->targets[0]));
	if (!l)
		return err_set(err, ENOMEM, "watch names");
	for (size_t i = 0; i < count && kept < WORLD_NAMES; i++)
		if (*names[i] && slice_copy(slice_of(names[i]), l->targets[kept].name, sizeof(l->targets[kept].name)))
			carry_over(n, &l->targets[kept++]);
	l->count = kept;
	if (!queue_put(n->shared->lists, l)) {
		free(l);
		return err_set(err, EAGAIN, "watch names: the resolver is busy");
	}
	return (int)kept;
}

int names_know(struct names *n, const struct known_address *known, size_t count, struct err *err)
{
	size_t max = count > WORLD_NAMES ? WORLD_NAMES : count;
	CLEANUP(freep) struct list *l = calloc(1, sizeof(*l) + max * sizeof(l->targets[0]));

	if (!l)
		return err_set(err, ENOMEM, "remember names");
	for (size_t i = 0; i < count; i++) {
		const struct known_address *k = &known[i];
		struct name_address a = name_address_of(k->address, k->bytes);
		size_t at = 0;

		while (at < l->count && strcmp(l->targets[at].name, k->name) != 0)
			at++;
		if (at == l->count && (at == max || !slice_copy(slice_of(k->name), l->targets[at].name, sizeof(l->targets[at].name))))
			continue;
		l->count += at == l->count;
		name_target_add(&l->targets[at], &a, 0);
	}
	struct answers *a = answers_of(l);
	if (!a)
		return err_set(err, ENOMEM, "remember names");
	answers_free(n->now);
	n->now = a;
	return 0;
}

uint64_t names_count(struct names *n)
{
	take_answers(n);
	return n->count;
}

void names_addresses(struct names *n, const char *name, void (*fn)(void *arg, const uint8_t *address, size_t bytes), void *arg)
{
	take_answers(n);
	for (size_t i = 0; n->now && i < n->now->count; i++) {
		const struct answer *a = &n->now->all[i];

		if (!strcmp(n->now->names[a->name], name))
			fn(arg, a->address.bytes, a->address.n);
	}
}

const char *names_of(struct names *n, const uint8_t *address, size_t bytes, size_t index)
{
	if (!n->shared || (bytes != 4 && bytes != 16))
		return NULL;
	/* Not within a walk over one address's names. */
	if (!index)
		take_answers(n);
	if (!n->now)
		return NULL;
	struct name_address a = name_address_of(address, bytes);
	size_t slot = slot_of(&a);
	while (n->now->slots[slot] && !name_address_same(&n->now->all[n->now->slots[slot] - 1].address, &a))
		slot = (slot + 1) & (SLOTS - 1);
	uint16_t at = n->now->slots[slot];
	while (at && index--)
		at = n->now->all[at - 1].next;
	return at ? n->now->names[n->now->all[at - 1].name] : NULL;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	if (n->shared) {
		struct list *last = calloc(1, sizeof(*last));

		atomic_store(&n->shared->is_over, true);
		if (last && !queue_put(n->shared->lists, last)) /* wakes it */
			free(last);
		shared_put(n->shared);
	}
	answers_free(n->now);
	free(n);
}
