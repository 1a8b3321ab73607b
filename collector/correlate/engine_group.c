/* engine_group.c - groups of rules: found by key, aged, evicted. */
#include "collector/correlate/engine_priv.h"

enum { EXPIRE_TURNS_MAX = 64 };

static size_t extra(const struct correlation *c)
{
	if (c->is_bounded)
		return 0;
	if (c->type == CORRELATION_TEMPORAL)
		return (c->ref_count * sizeof(uint32_t) + 7) & ~(size_t)7;
	return c->type == CORRELATION_TEMPORAL_ORDERED ? c->ref_count * sizeof(int64_t) : 0;
}

struct slice group_key(const struct engine *e, const struct group *g)
{
	return slice_from(g->tail + extra(group_rule(e, g)), g->key_count);
}

static int64_t size_of(const struct engine *e, const struct group *g)
{
	return (int64_t)(sizeof(*g) + extra(group_rule(e, g)) + g->key_count + ENGINE_GROUP_CHARGE);
}

/* One stands in the group itself. */
static size_t evidence_bytes(unsigned size)
{
	return size > 1 ? size * sizeof(struct evidence) : 0;
}

void group_charge(struct engine *e, const struct group *g, int64_t bytes)
{
	e->rules[g->rule].bytes += (uint64_t)bytes;
	e->stats.bytes += (uint64_t)bytes;
}

/* ---- the table ---- */

struct group *group_find(const struct rule *r, struct slice key, uint64_t hash)
{
	if (!r->bucket_count)
		return NULL;
	for (struct group *g = r->buckets[hash & (r->bucket_count - 1)]; g; g = g->next) {
		if (g->hash != hash || g->key_count != key.n)
			continue;
		size_t at = extra(r->c);
		if (!memcmp(g->tail + at, key.p, key.n))
			return g;
	}
	return NULL;
}

void group_prefetch(const struct rule *r, uint64_t hash, int stage)
{
	if (!r->bucket_count)
		return;
	struct group *const *bucket = &r->buckets[hash & (r->bucket_count - 1)];
	if (!stage) {
		__builtin_prefetch(bucket);
		return;
	}
	const struct group *g = *bucket;
	if (!g)
		return;
	if (stage == 1) {
		for (size_t i = 0; i < 4; i++)
			__builtin_prefetch((const char *)g + 64 * i);
		return;
	}
	if (g->hits && g->hits != g->small) {
		__builtin_prefetch(hit_at(g, 0));
		__builtin_prefetch(hit_at(g, g->count - 1));
	}
	if (g->newer)
		__builtin_prefetch(&g->newer->newer);
	if (g->older)
		__builtin_prefetch(&g->older->newer);
	if (g->evidence != &g->sole)
		__builtin_prefetch(g->evidence);
}

/* Fails only where there is no table yet: a full one is slow, not wrong. */
static bool resize(struct rule *r, size_t count)
{
	struct group **wider = calloc(count, sizeof(struct group *));

	if (!wider)
		return r->bucket_count;
	for (size_t i = 0; i < r->bucket_count; i++) {
		for (struct group *g = r->buckets[i], *next; g; g = next) {
			next = g->next;
			g->next = wider[g->hash & (count - 1)];
			wider[g->hash & (count - 1)] = g;
		}
	}
	free(r->buckets);
	r->buckets = wider;
	r->bucket_count = count;
	return true;
}

static void link_newest(struct rule *r, struct group *g)
{
	g->newer = NULL;
	g->older = r->newest;
	if (r->newest)
		r->newest->newer = g;
	else
		r->oldest = g;
	r->newest = g;
}

static void unlink_group(struct rule *r, struct group *g)
{
	*(g->newer ? &g->newer->older : &r->newest) = g->older;
	*(g->older ? &g->older->newer : &r->oldest) = g->newer;
}

void group_touch(struct rule *r, struct group *g)
{
	if (r->newest == g)
		return;
	unlink_group(r, g);
	link_newest(r, g);
}

struct group *group_add(struct engine *e, uint32_t rule, struct slice key, uint64_t hash)
{
	struct rule *r = &e->rules[rule];
	size_t at = extra(r->c);

	if (r->group_count >= r->bucket_count && !resize(r, r->bucket_count ? r->bucket_count * 2 : 16))
		return NULL;
	struct group *g = calloc(1, sizeof(*g) + at + key.n);
	if (!g)
		return NULL;
	g->hash = hash;
	g->serial = e->serial++;
	g->rule = rule;
	g->heap_at = ENGINE_NOT_OPEN;
	g->key_count = (uint16_t)key.n;
	g->opened_ns = g->closed_ns = g->fired_ns = -1;
	if (key.n)
		memcpy(g->tail + at, key.p, key.n);
	if (!r->c->is_bounded && r->c->type == CORRELATION_TEMPORAL)
		g->tally.counts = (uint32_t *)(void *)g->tail;
	if (!r->c->is_bounded && r->c->type == CORRELATION_TEMPORAL_ORDERED)
		for (size_t i = 0; i < r->c->ref_count; i++)
			group_best(g)[i] = INT64_MIN;
	struct group **bucket = &r->buckets[hash & (r->bucket_count - 1)];
	g->next = *bucket;
	*bucket = g;
	link_newest(r, g);
	r->group_count++;
	e->stats.groups++;
	group_charge(e, g, size_of(e, g));
	return g;
}

void group_remove(struct engine *e, struct group *g)
{
	struct rule *r = &e->rules[g->rule];
	struct group **at = &r->buckets[g->hash & (r->bucket_count - 1)];

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	unlink_group(r, g);
	close_forget(e, g);
	for (size_t i = 0; i < e->pending_count; i++)
		if (e->pending[i].group == g)
			e->pending[i].group = NULL;
	tally_fini(e, g);
	sketch_end(e, g);
	group_charge(e, g, -(int64_t)(hit_bytes(g) + evidence_bytes(g->evidence_size)) - size_of(e, g));
	r->events -= g->count;
	r->group_count--;
	e->stats.groups--;
	if (g->hits != g->small)
		free(g->hits);
	if (g->evidence != &g->sole)
		free(g->evidence);
	free(g);
	if (r->bucket_count > 1024 && r->group_count < r->bucket_count / 8)
		(void)resize(r, r->bucket_count / 2);
}

/* ---- age and bounds ---- */

/* No event that may still come can be in one window with what is here, or be refused because of it. */
static bool is_over(const struct engine *e, const struct rule *r, const struct group *g)
{
	int64_t oldest = e->now_ns - e->config.lateness_ns, newest = group_newest_ns(g);

	if (g->fired_ns >= 0 && g->fired_ns + r->c->suppress_ns > oldest)
		return false;
	if (r->c->is_bounded)
		return g->opened_ns < 0 && g->closed_ns < oldest && newest < oldest;
	return newest == INT64_MIN || newest + r->c->timespan_ns <= oldest;
}

/* What is only kept to suppress makes way for those behind it. */
void engine_expire(struct engine *e, struct rule *r)
{
	unsigned turns = 0;

	while (r->oldest) {
		if (is_over(e, r, r->oldest))
			group_remove(e, r->oldest);
		else if (r->c->suppress_ns && turns++ < EXPIRE_TURNS_MAX)
			group_touch(r, r->oldest);
		else
			return;
	}
}

static void evict(struct engine *e, bool by_count)
{
	struct rule *largest = NULL;

	for (size_t i = 0; i < e->rule_count; i++) {
		struct rule *r = &e->rules[i];

		if (r->group_count && (!largest || (by_count ? r->group_count > largest->group_count : r->bytes > largest->bytes)))
			largest = r;
	}
	if (!largest) /* bytes are those of groups */
		return;
	largest->stats.evicted++;
	group_remove(e, largest->oldest);
}

void engine_keep_bounds(struct engine *e)
{
	while (e->stats.groups && (e->stats.groups > e->config.groups_max || e->stats.bytes > e->config.bytes_max))
		evict(e, e->stats.groups > e->config.groups_max);
}

/* ---- evidence ---- */

static bool make_room(struct engine *e, struct group *g, unsigned max)
{
	unsigned size = g->evidence_size ? g->evidence_size * 2u : 1;

	if (size > max)
		size = max;
	struct evidence *wider = size > 1 ? malloc(size * sizeof(*wider)) : &g->sole;
	if (!wider)
		return false;
	if (g->evidence_count)
		memcpy(wider, g->evidence, g->evidence_count * sizeof(*wider));
	if (g->evidence != &g->sole)
		free(g->evidence);
	group_charge(e, g, (int64_t)evidence_bytes(size) - (int64_t)evidence_bytes(g->evidence_size));
	g->evidence = wider;
	g->evidence_size = (uint8_t)size;
	return true;
}

/* Full: the oldest of the same rule goes, so that a flood of one step does not push out the others. */
void group_add_evidence(struct engine *e, struct group *g, const struct evidence *ev)
{
	const struct correlation *c = group_rule(e, g);
	unsigned max = c->evidence_max, out = 0;

	if (!max || ev->source == ENGINE_NO_SOURCE)
		return;
	if (g->evidence_count < max) {
		if (g->evidence_count < g->evidence_size || make_room(e, g, max))
			g->evidence[g->evidence_count++] = *ev;
		return;
	}
	if (c->ref_count == 1) {
		g->evidence[g->evidence_first] = *ev;
		g->evidence_first = (uint8_t)((g->evidence_first + 1u) % max);
		return;
	}
	for (unsigned i = max; i-- > 0;)
		if (g->evidence[i].ref == ev->ref)
			out = i;
	memmove(&g->evidence[out], &g->evidence[out + 1], (max - out - 1) * sizeof(*ev));
	g->evidence[max - 1] = *ev;
}
