/* fold.c - see fold.h. A fixed pool of pairs in hash chains; a pair lives as long as its window. */
#include "agent/fold.h"

#include <errno.h>

enum { CONTAINER_ID_BYTES = 65 };

struct pair {
	struct pair *next; /* in its chain, or in the free list */
	uint64_t hash;
	char *rule; /* owned: the set of rules may be replaced within a window */
	char container_id[CONTAINER_ID_BYTES];
	uint64_t begin_unix_ns;
	uint64_t admitted, folded;
	uint32_t subjects[FOLD_SUBJECTS]; /* hashes of those that went out */
	uint32_t subject_count;
	uint64_t first_unix_ns, last_unix_ns; /* of the folded ones */
	char *sample;
	size_t sample_bytes;
};

struct fold {
	struct pair *pool, *free;
	struct pair **chains;
	size_t max, chain_mask;
	unsigned burst;
	uint64_t window_ns, total;
	fold_fn fn;
	void *arg;
};

int fold_new(size_t max, unsigned burst, uint64_t window_ns, fold_fn fn, void *arg, struct fold **ret,
	     struct err *err)
{
	CLEANUP(fold_freep) struct fold *f = calloc(1, sizeof(*f));
	size_t chains = 1;

	while (chains < max)
		chains *= 2;
	if (!f)
		return err_set(err, ENOMEM, "fold");
	f->chains = calloc(chains, sizeof(*f->chains));
	f->pool = calloc(max + 1, sizeof(*f->pool));
	if (!f->chains || !f->pool)
		return err_set(err, ENOMEM, "fold");
	f->chain_mask = chains - 1;
	f->max = max;
	f->burst = burst;
	f->window_ns = window_ns;
	f->fn = fn;
	f->arg = arg;
	for (size_t i = 0; i < max; i++) {
		f->pool[i].next = f->free;
		f->free = &f->pool[i];
	}
	*ret = take_ptr(f);
	return 0;
}

static uint64_t hash_of(const char *rule, const char *container_id)
{
	return slice_hash(slice_of(rule)) * 31 + slice_hash(slice_of(container_id));
}

static struct pair *find(const struct fold *f, uint64_t hash, const char *rule, const char *container_id)
{
	for (struct pair *p = f->chains[hash & f->chain_mask]; p; p = p->next)
		if (p->hash == hash && !strcmp(p->rule, rule) && !strcmp(p->container_id, container_id))
			return p;
	return NULL;
}

static struct pair *add(struct fold *f, uint64_t hash, const char *rule, const char *container_id)
{
	struct pair *p = f->free;
	char *name = p && strlen(container_id) < CONTAINER_ID_BYTES ? strdup(rule) : NULL;

	if (!name)
		return NULL;
	f->free = p->next;
	*p = (struct pair){ .next = f->chains[hash & f->chain_mask], .hash = hash, .rule = name };
	slice_copy(slice_of(container_id), p->container_id, sizeof(p->container_id));
	f->chains[hash & f->chain_mask] = p;
	return p;
}

/* Takes the pair out before telling, as the teller may come back here. */
static void end_window(struct fold *f, struct pair *p)
{
	struct pair **at = &f->chains[p->hash & f->chain_mask];

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	if (p->folded) {
		const struct folded told = { .rule = p->rule,
					     .container_id = p->container_id,
					     .count = p->folded,
					     .first_unix_ns = p->first_unix_ns,
					     .last_unix_ns = p->last_unix_ns,
					     .sample = slice_from(p->sample, p->sample_bytes) };
		f->fn(f->arg, &told);
	}
	free(p->rule);
	free(p->sample);
	*p = (struct pair){ .next = f->free };
	f->free = p;
}

/* Events come a little out of order, as some wait for a name. Only one that is a whole window older than
 * the begin says that the clock was set back. */
static bool is_over(const struct fold *f, const struct pair *p, uint64_t unix_ns)
{
	return unix_ns >= p->begin_unix_ns ? unix_ns - p->begin_unix_ns >= f->window_ns
					   : p->begin_unix_ns - unix_ns >= f->window_ns;
}

/* Was it not told of in this window, and is there room to remember it? */
static bool is_new_subject(struct pair *p, uint64_t subject)
{
	uint32_t hash = (uint32_t)(subject ^ subject >> 32);

	for (uint32_t i = 0; i < p->subject_count; i++)
		if (p->subjects[i] == hash)
			return false;
	if (p->subject_count == FOLD_SUBJECTS)
		return false;
	p->subjects[p->subject_count++] = hash;
	return true;
}

bool fold_admit(struct fold *f, const char *rule, const char *container_id, uint64_t subject, uint64_t unix_ns)
{
	if (!f->burst)
		return true;
	uint64_t hash = hash_of(rule, container_id);
	struct pair *p = find(f, hash, rule, container_id);
	if (p && is_over(f, p, unix_ns)) {
		end_window(f, p);
		p = NULL;
	}
	if (!p) {
		p = add(f, hash, rule, container_id);
		if (!p) /* full: told one by one rather than not at all */
			return true;
		p->begin_unix_ns = unix_ns;
	}
	if (is_new_subject(p, subject) || p->admitted < f->burst) {
		p->admitted++;
		return true;
	}
	if (!p->folded || unix_ns < p->first_unix_ns)
		p->first_unix_ns = unix_ns;
	if (unix_ns > p->last_unix_ns)
		p->last_unix_ns = unix_ns;
	p->folded++;
	f->total++;
	return false;
}

bool fold_wants_sample(const struct fold *f, const char *rule, const char *container_id)
{
	const struct pair *p = find(f, hash_of(rule, container_id), rule, container_id);

	return p && p->folded && !p->sample;
}

void fold_sample(struct fold *f, const char *rule, const char *container_id, struct slice finding)
{
	struct pair *p = find(f, hash_of(rule, container_id), rule, container_id);

	if (!p || p->sample || !finding.n)
		return;
	p->sample = malloc(finding.n);
	if (!p->sample) /* told without details */
		return;
	memcpy(p->sample, finding.p, finding.n);
	p->sample_bytes = finding.n;
}

void fold_tick(struct fold *f, uint64_t unix_ns)
{
	for (size_t i = 0; i < f->max; i++)
		if (f->pool[i].rule && is_over(f, &f->pool[i], unix_ns))
			end_window(f, &f->pool[i]);
}

uint64_t fold_total(const struct fold *f)
{
	return f->total;
}

void fold_free(struct fold *f)
{
	if (!f)
		return;
	for (size_t i = 0; f->pool && i < f->max; i++)
		if (f->pool[i].rule)
			end_window(f, &f->pool[i]);
	free(f->pool);
	free(f->chains);
	free(f);
}
