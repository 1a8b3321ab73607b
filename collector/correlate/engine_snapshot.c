/* engine_snapshot.c - the state as bytes: see engine_pack.h. */
#include <openssl/sha.h>
#include <errno.h>

#include "collector/correlate/engine_pack.h"

static void put_hits(struct buf *b, const struct correlation *c, const struct group *g)
{
	int64_t before = 0;

	pack_u64(b, g->count);
	for (uint32_t i = 0; i < g->count; i++) {
		const struct hit *h = hit_at(g, i);

		pack_u64(b, (uint64_t)(h->time_ns - before));
		before = h->time_ns;
		if (c->type == CORRELATION_TEMPORAL || c->type == CORRELATION_TEMPORAL_ORDERED) {
			pack_u64(b, h->order);
			pack_u64(b, h->ref);
		} else if (c->type != CORRELATION_EVENT_COUNT) {
			buf_add(b, &h->hash, sizeof(h->hash));
		}
	}
}

static unsigned tally_bits(const struct correlation *c, const struct group *g)
{
	if (c->is_bounded || g->sketch)
		return 0;
	if (c->type == CORRELATION_VALUE_COUNT)
		return g->tally.slots ? g->tally.bits : 0;
	if (c->type == CORRELATION_VALUE_PERCENTILE && g->tally.sorted_size)
		return 31 - (unsigned)__builtin_clz(g->tally.sorted_size);
	return 0;
}

static void put_evidence(struct buf *b, const struct engine *e, const struct group *g, const uint32_t *places)
{
	pack_u64(b, g->evidence_count);
	for (unsigned i = 0; i < g->evidence_count; i++) {
		const struct evidence *ev = group_evidence(g, i);

		pack_u64(b, agents_get(e, ev) ? places[ev->source] + 1ull : 0);
		pack_u64(b, (uint64_t)ev->time_ns);
		pack_u64(b, ev->sequence);
		pack_u64(b, ev->ref);
	}
}

static void put_group(struct buf *b, const struct engine *e, struct group *g, const uint32_t *places)
{
	const struct correlation *c = group_rule(e, g);
	struct slice key = group_key(e, g);

	pack_u64(b, key.n);
	buf_add_slice(b, key);
	pack_u64(b, g->serial);
	pack_u64(b, (g->is_active ? PACK_ACTIVE : 0) | (g->sketch ? PACK_SKETCH : 0));
	pack_u64(b, g->hits ? g->size_bits : 0);
	pack_u64(b, tally_bits(c, g));
	pack_u64(b, (uint64_t)(g->opened_ns + 1));
	pack_u64(b, (uint64_t)(g->closed_ns + 1));
	pack_u64(b, (uint64_t)(g->fired_ns + 1));
	put_hits(b, c, g);
	if (c->type == CORRELATION_TEMPORAL_ORDERED && !c->is_bounded)
		for (size_t i = 0; i < c->ref_count; i++)
			pack_u64(b, group_best(g)[i] == INT64_MIN ? 0 : (uint64_t)group_best(g)[i] + 1);
	if (g->sketch) {
		pack_u64(b, (uint64_t)g->sketch->newest);
		buf_add(b, g->sketch->registers, sizeof(g->sketch->registers));
	}
	put_evidence(b, e, g, places);
}

static void put_rule(struct buf *b, const struct engine *e, const struct rule *r, const uint32_t *places)
{
	struct engine_rule_stats stats = r->stats;
	uint64_t *figures[PACK_STATS];
	uint32_t length = 0;
	size_t from;

	buf_add(b, r->c->hash, sizeof(r->c->hash));
	from = b->n;
	buf_add(b, &length, sizeof(length));
	pack_stats(&stats, figures);
	for (size_t i = 0; i < PACK_STATS; i++)
		pack_u64(b, *figures[i]);
	pack_u64(b, r->group_count);
	for (struct group *g = r->oldest; g && !b->failed; g = g->newer)
		put_group(b, e, g, places);
	if (b->failed || b->n - from - sizeof(length) > UINT32_MAX) {
		b->failed = true;
		return;
	}
	length = (uint32_t)(b->n - from - sizeof(length));
	memcpy(b->p + from, &length, sizeof(length));
}

static void put_agents(struct buf *b, const struct engine *e, uint32_t *places)
{
	uint32_t n = 0;

	pack_u64(b, e->source_count);
	for (uint32_t at = e->source_oldest; at != ENGINE_NO_SOURCE; at = e->sources[at].newer) {
		const struct source *s = &e->sources[at];

		places[at] = n++;
		pack_u64(b, s->agent_count);
		buf_add(b, s->agent, s->agent_count);
		pack_u64(b, s->epoch);
		pack_u64(b, s->last);
	}
}

int engine_snapshot(const struct engine *e, struct buf *out, struct err *err)
{
	CLEANUP(freep) uint32_t *places = calloc(e->source_count + 1ull, sizeof(*places));
	const uint64_t head[] = { (uint64_t)e->now_ns, e->order, e->serial, e->stats.events, e->stats.seen, e->stats.late, e->stats.bad,
				  e->stats.lost };
	size_t from = out->n;
	uint8_t sum[PACK_SUM_BYTES];

	if (!places)
		return err_set(err, ENOMEM, "take a snapshot of the correlations");
	buf_add(out, PACK_MAGIC, PACK_MAGIC_BYTES);
	buf_add(out, e->config.seed, sizeof(e->config.seed));
	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		pack_u64(out, head[i]);
	put_agents(out, e, places);
	pack_u64(out, e->rule_count);
	for (size_t i = 0; i < e->rule_count; i++)
		put_rule(out, e, &e->rules[i], places);
	if (out->failed)
		return err_set(err, ERR_LIMIT, "the state of the correlations is too large for a snapshot");
	SHA256((const unsigned char *)out->p + from, out->n - from, sum);
	buf_add(out, sum, sizeof(sum));
	return out->failed ? err_set(err, ERR_LIMIT, "the state of the correlations is too large for a snapshot") : 0;
}
