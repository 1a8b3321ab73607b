/* engine_restore.c - a snapshot's bytes into a new engine. They may come from a damaged disk: each number has its range,
 * and what is made of them is bounded as if events had made it. */
#include <math.h>
#include <openssl/sha.h>

#include "collector/correlate/engine_pack.h"

enum { HIT_BITS_MAX = 16, TABLE_BITS_MIN = 6, TABLE_BITS_MAX = 16 };
/* Windows end after the events that open them, and what fires then opens others. */
static const int64_t time_max = ENGINE_TIME_MAX + (1ll << 57);

/* A time or -1. */
static int64_t get_time(struct unpack *u)
{
	return (int64_t)unpack_u64(u, (uint64_t)time_max + 1) - 1;
}

/* ---- hits ---- */

static bool is_number(double v)
{
	return isnan(v) || fabs(v) < 1e300;
}

static void get_hit(struct unpack *u, const struct correlation *c, struct hit *h, int64_t before)
{
	*h = (struct hit){ 0 };
	h->time_ns = before + (int64_t)unpack_u64(u, (uint64_t)(time_max - before));
	if (c->type == CORRELATION_EVENT_COUNT)
		return;
	if (c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED) {
		h->order = (uint32_t)unpack_u64(u, UINT32_MAX);
		h->ref = (uint16_t)unpack_u64(u, c->ref_count - 1);
		return;
	}
	const uint8_t *p = unpack_bytes(u, sizeof(h->hash));
	if (!p)
		return;
	memcpy(&h->hash, p, sizeof(h->hash));
	if (c->type == CORRELATION_VALUE_COUNT ? h->hash && h->hash < 1u << 20 : !is_number(h->number))
		u->is_bad = true;
}

static bool get_hits(struct engine *e, struct unpack *u, struct group *g, unsigned bits)
{
	const struct correlation *c = group_rule(e, g);
	uint64_t count = unpack_u64(u, CORRELATION_COUNT_MAX);
	int64_t before = 0;

	if (u->is_bad || count > (bits ? 1u << bits : 0u) || count > (size_t)(u->end - u->p) || (g->sketch && count != 1)) {
		u->is_bad = true;
		return false;
	}
	if (bits && !window_resize(e, g, bits))
		return false;
	for (; g->count < count && !u->is_bad; g->count++) {
		get_hit(u, c, hit_at(g, g->count), before);
		before = hit_at(g, g->count)->time_ns;
	}
	e->rules[g->rule].events += g->count;
	return !u->is_bad;
}

/* ---- a group ---- */

static bool get_sketch(struct engine *e, struct unpack *u, struct group *g)
{
	struct sketch *s = g->sketch;
	const uint8_t *p;

	s->newest = (int64_t)unpack_u64(u, (uint64_t)time_max);
	s->is_stale = true;
	p = unpack_bytes(u, sizeof(s->registers));
	if (!p)
		return false;
	memcpy(s->registers, p, sizeof(s->registers));
	for (size_t i = 0; i < sizeof(s->registers); i++)
		if (p[i] > 64 - ENGINE_SKETCH_BITS + 1)
			u->is_bad = true;
	return !u->is_bad;
}

/* Restored agents stand in the order of the file. */
static bool get_evidence(struct engine *e, struct unpack *u, struct group *g)
{
	uint64_t count = unpack_u64(u, group_rule(e, g)->evidence_max);

	for (uint64_t i = 0; i < count && !u->is_bad; i++) {
		struct evidence ev = { .source = (uint32_t)unpack_u64(u, UINT32_MAX - 1) };

		ev.time_ns = (int64_t)unpack_u64(u, (uint64_t)time_max);
		ev.sequence = unpack_u64(u, UINT64_MAX);
		ev.ref = (uint16_t)unpack_u64(u, group_rule(e, g)->ref_count - 1);
		ev.source = ev.source ? ev.source - 1 : ENGINE_NO_SOURCE - 1; /* beyond all: gone */
		if (!u->is_bad)
			group_add_evidence(e, g, &ev);
	}
	return !u->is_bad;
}

static bool is_key(const struct engine *e, const struct rule *r, struct slice key, uint64_t hash)
{
	struct engine_value values[CORRELATION_GROUP_MAX];

	return key.n <= ENGINE_KEY_MAX && engine_key_split(key, values, r->c->group_by.count) && !group_find(r, key, hash);
}

static struct group *get_key(struct engine *e, struct unpack *u, uint32_t rule)
{
	size_t n = unpack_u64(u, ENGINE_KEY_MAX);
	struct slice key = slice_from(unpack_bytes(u, n), n);

	if (u->is_bad)
		return NULL;
	uint64_t hash = engine_hash(e->config.seed, key.p, key.n);
	if (!is_key(e, &e->rules[rule], key, hash)) {
		u->is_bad = true;
		return NULL;
	}
	return group_add(e, rule, key, hash);
}

static bool get_window(struct engine *e, struct unpack *u, struct group *g, unsigned bits, unsigned table)
{
	const struct correlation *c = group_rule(e, g);
	int64_t opened = get_time(u);

	g->closed_ns = get_time(u);
	g->fired_ns = get_time(u);
	if (!get_hits(e, u, g, bits))
		return false;
	if (c->is_bounded) {
		/* Where a window begins follows from the hits. */
		close_reopen(e, g);
		return opened == g->opened_ns;
	}
	g->lo = g->count ? window_upper(g, group_newest_ns(g) - c->timespan_ns) : 0;
	if (c->type == CORRELATION_TEMPORAL_ORDERED) {
		for (size_t i = 0; i < c->ref_count; i++) {
			int64_t start = get_time(u);

			group_best(g)[i] = start < 0 ? INT64_MIN : start;
		}
	}
	if (g->sketch)
		return get_sketch(e, u, g);
	return tally_rebuild(e, g, table);
}

/* false: is_bad, or out of memory. */
static bool get_group(struct engine *e, struct unpack *u, uint32_t rule)
{
	struct group *g = get_key(e, u, rule);
	const struct correlation *c = e->rules[rule].c;

	if (!g)
		return false;
	g->serial = unpack_u64(u, UINT64_MAX);
	unsigned flags = (unsigned)unpack_u64(u, PACK_ACTIVE | PACK_SKETCH);
	unsigned bits = (unsigned)unpack_u64(u, HIT_BITS_MAX), table = (unsigned)unpack_u64(u, TABLE_BITS_MAX);
	if (flags & PACK_SKETCH && (c->type != CORRELATION_VALUE_COUNT || c->is_bounded))
		u->is_bad = true;
	if (table && c->type == CORRELATION_VALUE_COUNT && table < TABLE_BITS_MIN)
		u->is_bad = true;
	if (u->is_bad)
		return false;
	g->is_active = flags & PACK_ACTIVE;
	if (flags & PACK_SKETCH) {
		g->sketch = calloc(1, sizeof(*g->sketch));
		if (!g->sketch)
			return false;
		group_charge(e, g, sizeof(*g->sketch));
	}
	if (!get_window(e, u, g, bits, table) || !get_evidence(e, u, g))
		return false;
	if (g->count > e->config.events_max)
		window_drop(e, g, g->count - e->config.events_max);
	return true;
}

/* ---- the whole ---- */

static bool get_rule(struct engine *e, struct unpack *u, uint32_t rule)
{
	struct rule *r = &e->rules[rule];
	uint64_t *figures[PACK_STATS];

	pack_stats(&r->stats, figures);
	for (size_t i = 0; i < PACK_STATS; i++)
		*figures[i] = unpack_u64(u, UINT64_MAX);
	uint64_t count = unpack_u64(u, UINT32_MAX);
	for (uint64_t i = 0; i < count; i++) {
		if (u->is_bad || !get_group(e, u, rule))
			return false;
		engine_keep_bounds(e);
	}
	return !u->is_bad && u->p == u->end;
}

static uint32_t rule_by_hash(const struct engine *e, const uint8_t *hash, const bool *is_taken)
{
	for (uint32_t i = 0; i < e->rule_count; i++)
		if (!is_taken[i] && !memcmp(e->rules[i].c->hash, hash, CORRELATION_HASH_BYTES))
			return i;
	return UINT32_MAX;
}

static bool get_rules(struct engine *e, struct unpack *u, struct engine_restored *ret)
{
	CLEANUP(freep) bool *is_taken = calloc(e->rule_count + 1, sizeof(*is_taken));
	uint64_t count = unpack_u64(u, UINT32_MAX);

	if (!is_taken)
		return false;
	for (uint64_t i = 0; i < count && !u->is_bad; i++) {
		const uint8_t *hash = unpack_bytes(u, CORRELATION_HASH_BYTES), *length = unpack_bytes(u, 4);
		uint32_t n = 0;

		if (!length)
			return false;
		memcpy(&n, length, sizeof(n));
		const uint8_t *p = unpack_bytes(u, n);
		if (!p)
			return false;
		uint32_t rule = rule_by_hash(e, hash, is_taken);
		if (rule == UINT32_MAX) {
			ret->dropped++;
			continue;
		}
		struct unpack part = { p, p + n, false };
		if (!get_rule(e, &part, rule))
			return false;
		is_taken[rule] = true;
		ret->kept++;
	}
	return !u->is_bad && u->p == u->end;
}

static bool get_agents(struct engine *e, struct unpack *u)
{
	uint64_t count = unpack_u64(u, UINT32_MAX);

	for (uint64_t i = 0; i < count && !u->is_bad; i++) {
		size_t n = unpack_u64(u, ENGINE_AGENT_MAX);
		const uint8_t *agent = unpack_bytes(u, n);
		uint64_t epoch = unpack_u64(u, UINT64_MAX), last = unpack_u64(u, UINT64_MAX);

		if (u->is_bad || !n)
			return false;
		uint32_t at = agents_put(e, slice_from(agent, n), epoch);
		if (at == ENGINE_NO_SOURCE)
			return false;
		e->sources[at].last = last;
	}
	return !u->is_bad;
}

static bool get_all(struct engine *e, struct unpack *u, struct engine_restored *ret)
{
	const uint8_t *seed = unpack_bytes(u, sizeof(e->config.seed));
	uint64_t *figures[] = { &e->stats.events, &e->stats.seen, &e->stats.late, &e->stats.bad, &e->stats.lost };

	if (!seed)
		return false;
	memcpy(e->config.seed, seed, sizeof(e->config.seed)); /* values are kept by their hash */
	e->now_ns = (int64_t)unpack_u64(u, (uint64_t)time_max);
	e->order = (uint32_t)unpack_u64(u, UINT32_MAX);
	uint64_t serial = unpack_u64(u, UINT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		*figures[i] = unpack_u64(u, UINT64_MAX);
	bool ok = !u->is_bad && get_agents(e, u) && get_rules(e, u, ret);
	e->serial = serial;
	return ok;
}

int engine_restore(struct engine *e, struct slice snapshot, struct engine_restored *ret, struct err *err)
{
	uint8_t sum[PACK_SUM_BYTES], seed[sizeof(e->config.seed)];
	size_t n = snapshot.n - PACK_SUM_BYTES;

	*ret = (struct engine_restored){ 0 };
	if (snapshot.n < PACK_MAGIC_BYTES + PACK_SUM_BYTES || memcmp(snapshot.p, PACK_MAGIC, PACK_MAGIC_BYTES - 1))
		return err_set(err, ERR_CORRUPT, "not a snapshot of correlations");
	if (snapshot.p[PACK_MAGIC_BYTES - 1] != PACK_MAGIC[PACK_MAGIC_BYTES - 1])
		return err_set(err, ERR_VERSION, "a snapshot of correlations of another version");
	SHA256((const unsigned char *)snapshot.p, n, sum);
	if (memcmp(sum, snapshot.p + n, sizeof(sum)))
		return err_set(err, ERR_CORRUPT, "a snapshot of correlations is damaged");
	struct unpack u = { (const uint8_t *)snapshot.p + PACK_MAGIC_BYTES, (const uint8_t *)snapshot.p + n, false };
	memcpy(seed, e->config.seed, sizeof(seed));
	engine_clear(e);
	if (get_all(e, &u, ret))
		return 0;
	engine_clear(e);
	memcpy(e->config.seed, seed, sizeof(seed));
	*ret = (struct engine_restored){ 0 };
	return u.is_bad ? err_set(err, ERR_CORRUPT, "a snapshot of correlations makes no sense")
			: err_set(err, ERR_CORRUPT, "a snapshot of correlations can't be taken in");
}
