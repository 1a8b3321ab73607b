/* names.c - which watched names lead to an address.
 *
 *   names_watch --lists--> [resolver thread: getaddrinfo, again every minute] --answers--> names_of
 *
 * getaddrinfo may take many seconds and can't be called off. So the thread is never waited for: whoever of
 * the two lets go last frees what they share. */
#include "agent/world/world_priv.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "common/queue.h"

enum {
	AGAIN_MS = 60000,
	QUEUE_MAX = 16,
	SLOTS = 2 * WORLD_NAMES * WORLD_NAME_ADDRESSES, /* a power of two */
};

/* One name and where it leads; belongs to the thread. */
struct target {
	char name[WORLD_HOST_NAME_BYTES + 1];
	size_t count;
	struct address {
		uint8_t bytes[16];
		uint8_t n; /* 4 or 16 */
	} addresses[WORLD_NAME_ADDRESSES];
};

struct list {
	size_t count;
	struct target targets[];
};

/* What the thread found: each address with each of its names, in a table by address. Never changes. */
struct answers {
	size_t count;
	struct answer {
		struct address address;
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
	names_resolver resolve;
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

static size_t slot_of(const struct address *a)
{
	return slice_hash(slice_from(a->bytes, a->n)) & (SLOTS - 1);
}

static bool is_same(const struct address *a, const struct address *b)
{
	return a->n == b->n && !memcmp(a->bytes, b->bytes, a->n);
}

/* An address of IPv4 written as one of IPv6 is the same place. */
static struct address address_of(const uint8_t *bytes, size_t n)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct address a = {.n = (uint8_t)n};

	if (n == 16 && !memcmp(bytes, mapped, sizeof(mapped))) {
		a.n = 4;
		bytes += 12;
	}
	memcpy(a.bytes, bytes, a.n);
	return a;
}

static void answers_add(struct answers *a, const struct address *address, uint16_t name)
{
	size_t slot = slot_of(address);
	struct answer *at;

	while (a->slots[slot] && !is_same(&a->all[a->slots[slot] - 1].address, address))
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
		const struct target *t = &l->targets[i];

		memcpy(a->names[i], t->name, sizeof(t->name));
		for (size_t k = 0; k < t->count; k++)
			answers_add(a, &t->addresses[k], (uint16_t)i);
	}
	return a;
}

/* ---- the thread ---- */

static void target_add(struct target *t, const struct addrinfo *i)
{
	struct address a;

	if (i->ai_family == AF_INET)
		a = address_of((const uint8_t *)&((struct sockaddr_in *)i->ai_addr)->sin_addr, 4);
	else if (i->ai_family == AF_INET6)
		a = address_of((const uint8_t *)&((struct sockaddr_in6 *)i->ai_addr)->sin6_addr, 16);
	else
		return;
	for (size_t k = 0; k < t->count; k++)
		if (is_same(&t->addresses[k], &a))
			return;
	if (t->count < WORLD_NAME_ADDRESSES)
		t->addresses[t->count++] = a;
}

/* When nobody answers, it keeps what was known: an outage of names must not blind the rules. */
static void target_resolve(struct target *t, names_resolver resolve)
{
	static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	int r = resolve(t->name, NULL, &hints, &found);

	if (r && r != EAI_NONAME)
		return;
	t->count = 0;
	if (r)
		return;
	for (const struct addrinfo *i = found; i; i = i->ai_next)
		target_add(t, i);
	freeaddrinfo(found);
}

struct start {
	struct shared *shared;
	names_resolver resolve;
};

static void *run(void *arg)
{
	struct start start = *(struct start *)arg;
	struct shared *s = start.shared;
	struct list *list = NULL;

	free(arg);
	while (!atomic_load(&s->is_over)) {
		struct pollfd p = {queue_fd(s->lists), POLLIN, 0};
		struct list *newer;

		if (poll(&p, 1, list ? AGAIN_MS : -1) < 0 && errno != EINTR)
			break;
		while ((newer = queue_take(s->lists))) {
			free(list);
			list = newer;
		}
		for (size_t i = 0; list && i < list->count && !atomic_load(&s->is_over) && !queue_length(s->lists); i++)
			target_resolve(&list->targets[i], start.resolve);
		if (!list || atomic_load(&s->is_over) || queue_length(s->lists))
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

struct names *names_new(names_resolver resolve)
{
	struct names *n = calloc(1, sizeof(*n));

	if (n)
		n->resolve = resolve ? resolve : getaddrinfo;
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
	*start = (struct start){n->shared, n->resolve};
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

int names_watch(struct names *n, const char *const *names, size_t count, struct err *err)
{
	size_t kept = 0;

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
			kept++;
	l->count = kept;
	if (!queue_put(n->shared->lists, l)) {
		free(l);
		return err_set(err, EAGAIN, "watch names: the resolver is busy");
	}
	return (int)kept;
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
	struct address a = address_of(address, bytes);
	size_t slot = slot_of(&a);
	while (n->now->slots[slot] && !is_same(&n->now->all[n->now->slots[slot] - 1].address, &a))
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
