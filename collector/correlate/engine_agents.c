/* engine_agents.c - how far each (agent, epoch) has come: an event told twice counts once, and evidence can name it in
 * sixteen bytes. */
#include "collector/correlate/engine_priv.h"

static uint64_t hash_of(const struct engine *e, struct slice agent, uint64_t epoch)
{
	return engine_hash(e->config.seed, agent.p, agent.n) ^ epoch * 0x9e3779b97f4a7c15;
}

static struct slice agent_of(const struct source *s)
{
	return slice_from(s->agent, s->agent_count);
}

static uint32_t *bucket_of(const struct engine *e, struct slice agent, uint64_t epoch)
{
	return &e->source_buckets[hash_of(e, agent, epoch) & (e->source_bucket_count - 1)];
}

static uint32_t find(const struct engine *e, struct slice agent, uint64_t epoch)
{
	if (!e->source_bucket_count)
		return ENGINE_NO_SOURCE;
	for (uint32_t at = *bucket_of(e, agent, epoch); at != ENGINE_NO_SOURCE; at = e->sources[at].next)
		if (e->sources[at].epoch == epoch && slice_eq(agent_of(&e->sources[at]), agent))
			return at;
	return ENGINE_NO_SOURCE;
}

static void unlink_source(struct engine *e, uint32_t at)
{
	struct source *s = &e->sources[at];

	*(s->newer != ENGINE_NO_SOURCE ? &e->sources[s->newer].older : &e->source_newest) = s->older;
	*(s->older != ENGINE_NO_SOURCE ? &e->sources[s->older].newer : &e->source_oldest) = s->newer;
}

static void link_newest(struct engine *e, uint32_t at)
{
	struct source *s = &e->sources[at];

	s->newer = ENGINE_NO_SOURCE;
	s->older = e->source_newest;
	*(s->older != ENGINE_NO_SOURCE ? &e->sources[s->older].newer : &e->source_oldest) = at;
	e->source_newest = at;
}

static bool grow(struct engine *e)
{
	uint32_t size = e->source_size ? e->source_size * 2 : 64;
	struct source *wider = realloc(e->sources, size * sizeof(*wider));

	if (!wider)
		return false;
	e->sources = wider;
	uint32_t *buckets = malloc(size * sizeof(*buckets));
	if (!buckets)
		return false;
	memset(buckets, 0xff, size * sizeof(*buckets));
	free(e->source_buckets);
	e->source_buckets = buckets;
	e->source_bucket_count = size;
	e->source_size = size;
	for (uint32_t i = 0; i < e->source_count; i++) {
		uint32_t *bucket = bucket_of(e, agent_of(&e->sources[i]), e->sources[i].epoch);

		e->sources[i].next = *bucket;
		*bucket = i;
	}
	return true;
}

/* The place of the one that was silent the longest. */
static uint32_t take_oldest(struct engine *e)
{
	uint32_t at = e->source_oldest, *link = bucket_of(e, agent_of(&e->sources[at]), e->sources[at].epoch);

	while (*link != at)
		link = &e->sources[*link].next;
	*link = e->sources[at].next;
	unlink_source(e, at);
	e->sources[at].turn++;
	return at;
}

uint32_t agents_put(struct engine *e, struct slice agent, uint64_t epoch)
{
	uint32_t at = find(e, agent, epoch);

	if (at != ENGINE_NO_SOURCE) {
		if (at != e->source_newest) {
			unlink_source(e, at);
			link_newest(e, at);
		}
		return at;
	}
	if (e->source_count >= e->config.agents_max) {
		at = take_oldest(e);
	} else {
		if (e->source_count == e->source_size && !grow(e))
			return ENGINE_NO_SOURCE;
		at = e->source_count++;
		e->sources[at].turn = 0;
	}
	struct source *s = &e->sources[at];
	uint32_t *bucket = bucket_of(e, agent, epoch);
	s->epoch = epoch;
	s->last = 0;
	s->agent_count = (uint8_t)agent.n;
	memcpy(s->agent, agent.p, agent.n);
	s->next = *bucket;
	*bucket = at;
	link_newest(e, at);
	return at;
}

bool agents_take(struct engine *e, const struct engine_ref *ref, struct evidence *ret)
{
	ret->source = ENGINE_NO_SOURCE;
	if (!ref->agent.n)
		return true;
	uint32_t at = agents_put(e, ref->agent, ref->epoch);
	if (at == ENGINE_NO_SOURCE)
		return true;
	struct source *s = &e->sources[at];
	if (ref->sequence <= s->last)
		return false;
	s->last = ref->sequence;
	ret->source = at;
	ret->turn = s->turn;
	ret->sequence = ref->sequence;
	return true;
}

const struct source *agents_get(const struct engine *e, const struct evidence *ev)
{
	const struct source *s = ev->source < e->source_count ? &e->sources[ev->source] : NULL;

	return s && s->turn == ev->turn ? s : NULL;
}

void engine_agents_fini(struct engine *e)
{
	free(e->sources);
	free(e->source_buckets);
	e->sources = NULL;
	e->source_buckets = NULL;
	e->source_count = e->source_size = 0;
	e->source_bucket_count = 0;
	e->source_newest = e->source_oldest = ENGINE_NO_SOURCE;
}
