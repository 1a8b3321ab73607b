/* inits.c - see inits.h. */
#include "agent/inits.h"

#include <stdlib.h>
#include <uthash.h>

struct init {
	char id[65];
	pid_t pid;
	UT_hash_handle hh;
};

struct inits {
	struct init *by_id;
};

struct inits *inits_new(void)
{
	return calloc(1, sizeof(struct inits));
}

static struct init *find(const struct inits *i, const char *id)
{
	struct init *n;

	HASH_FIND_STR(i->by_id, id, n);
	return n;
}

bool inits_put(struct inits *i, const char *id, pid_t pid)
{
	struct init *n = find(i, id);

	if (n && n->pid == pid)
		return false;
	if (!n) {
		if (HASH_COUNT(i->by_id) >= INITS_MAX)
			return true; /* not kept, but new all the same */
		n = calloc(1, sizeof(*n));
		if (!n || !slice_copy(slice_of(id), n->id, sizeof(n->id))) {
			free(n);
			return true;
		}
		HASH_ADD_STR(i->by_id, id, n);
	}
	n->pid = pid;
	return true;
}

pid_t inits_get(const struct inits *i, const char *id)
{
	const struct init *n = find(i, id);

	return n ? n->pid : 0;
}

static void drop(struct inits *i, struct init *n)
{
	HASH_DEL(i->by_id, n);
	free(n);
}

void inits_drop(struct inits *i, const char *id)
{
	struct init *n = find(i, id);

	if (n)
		drop(i, n);
}

void inits_free(struct inits *i)
{
	struct init *n, *next;

	if (!i)
		return;
	HASH_ITER(hh, i->by_id, n, next)
	drop(i, n);
	free(i);
}
