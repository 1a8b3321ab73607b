/* segment.c - see segment.h. */
#include "collector/store/segment.h"

#include <errno.h>

struct segment *segment_new(void)
{
	struct segment *g = calloc(1, sizeof(*g));

	if (g)
		buf_init(&g->data, SEGMENT_RAW_MAX);
	return g;
}

void segment_reset(struct segment *g)
{
	for (size_t i = 0; i < g->source_count; i++)
		free(g->sources[i].agent);
	if (g->slotted)
		memset(g->slots, 0, sizeof(g->slots));
	g->source_count = g->count = g->slotted = 0;
	g->offset[0] = 0;
	g->bytes = NULL;
	g->t0 = g->t1 = 0;
	buf_reset(&g->data);
}

void segment_free(struct segment *g)
{
	if (!g)
		return;
	segment_reset(g);
	buf_fini(&g->data);
	free(g);
}

bool segment_has_room(const struct segment *g, size_t record_bytes)
{
	return g->count < SEGMENT_RECORDS && g->source_count < SEGMENT_SOURCES &&
	       (!g->count || g->data.n + record_bytes <= SEGMENT_BYTES);
}

static bool is_source(const struct segment_source *src, const char *agent, uint64_t epoch)
{
	return src->epoch == epoch && !strcmp(src->agent, agent);
}

/* Where it is, or would be. */
static uint16_t *slot_of(struct segment *g, const char *agent, uint64_t epoch)
{
	size_t at = slice_hash(slice_of(agent)) ^ epoch * 0x9e3779b97f4a7c15ull;

	for (at ^= at >> 32;; at++) {
		uint16_t *slot = &g->slots[at % ARRAY_LEN(g->slots)];

		if (!*slot || is_source(&g->sources[*slot - 1], agent, epoch))
			return slot;
	}
}

/* Records come in runs of one source: the last record's is the likeliest. */
static int find_source(struct segment *g, const char *agent, uint64_t epoch, uint16_t *ret,
		       struct err *err)
{
	if (g->count && is_source(&g->sources[g->source[g->count - 1]], agent, epoch)) {
		*ret = g->source[g->count - 1];
		return 0;
	}
	for (; g->slotted < g->source_count; g->slotted++) { /* of a segment that was read */
		const struct segment_source *src = &g->sources[g->slotted];

		*slot_of(g, src->agent, src->epoch) = (uint16_t)(g->slotted + 1);
	}
	uint16_t *slot = slot_of(g, agent, epoch);
	if (*slot) {
		*ret = (uint16_t)(*slot - 1);
		return 0;
	}
	struct slice name = slice_of(agent);
	if (g->source_count == SEGMENT_SOURCES || name.n > SEGMENT_AGENT_BYTES)
		return err_set(err, ERR_LIMIT, "too many agents in a segment, or too long a name");
	char *copy = slice_dup(name);
	if (!copy)
		return err_set(err, ENOMEM, "segment");
	*ret = (uint16_t)g->source_count;
	g->sources[g->source_count++] = (struct segment_source){ copy, epoch };
	*slot = (uint16_t)++g->slotted;
	return 0;
}

int segment_add(struct segment *g, const struct segment_place *at, struct slice packed, struct err *err)
{
	uint16_t source = 0;

	if (g->count == SEGMENT_RECORDS)
		return err_set(err, ERR_LIMIT, "the segment is full");
	int r = find_source(g, at->agent, at->epoch, &source, err);
	if (r < 0)
		return r;
	buf_add_slice(&g->data, packed);
	if (g->data.failed)
		return err_set(err, ERR_LIMIT, "the segment is full");
	g->bytes = g->data.p;
	g->source[g->count] = source;
	g->seq[g->count] = at->seq;
	g->rid[g->count] = at->rid;
	if (!g->count || at->time_unix_ns < g->t0)
		g->t0 = at->time_unix_ns;
	if (!g->count || at->time_unix_ns > g->t1)
		g->t1 = at->time_unix_ns;
	g->offset[++g->count] = (uint32_t)g->data.n;
	return 0;
}

static void put_varint(struct buf *out, uint64_t v)
{
	char bytes[10];
	size_t n = 0;

	for (; v > 127; v >>= 7)
		bytes[n++] = (char)(v | 128);
	bytes[n++] = (char)v;
	buf_add(out, bytes, n);
}

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

void segment_encode(const struct segment *g, struct buf *out)
{
	uint64_t before = 0;

	buf_add_char(out, 2);
	put_varint(out, g->source_count);
	for (size_t i = 0; i < g->source_count; i++) {
		struct slice agent = slice_of(g->sources[i].agent);

		put_varint(out, agent.n);
		buf_add_slice(out, agent);
		put_varint(out, g->sources[i].epoch);
	}
	put_varint(out, g->count);
	for (size_t i = 0; i < g->count; i++)
		put_varint(out, g->source[i]);
	for (size_t i = 0; i < g->count; i++) {
		put_varint(out, zigzag((int64_t)(g->seq[i] - before)));
		before = g->seq[i];
	}
	for (size_t i = 0; i < g->count; i++)
		put_varint(out, g->offset[i + 1] - g->offset[i]);
	for (size_t i = 1; i < g->count; i++)
		put_varint(out, g->rid[i] - g->rid[i - 1]);
	if (g->count)
		buf_add(out, g->bytes, g->offset[g->count]);
}

/* A number off the front; false when cut off or too long. */
static bool take_varint(struct slice *s, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 10 && i < s->n; i++) {
		uint64_t byte = (unsigned char)s->p[i];

		v |= (byte & 127) << (7 * i);
		if (!(byte & 128)) {
			*s = slice_sub(*s, i + 1, s->n);
			*ret = v;
			return true;
		}
	}
	return false;
}

static bool take_sources(struct slice *s, struct segment *g)
{
	uint64_t count, n;

	if (!take_varint(s, &count) || count > SEGMENT_SOURCES)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		if (!take_varint(s, &n) || n > s->n || n > SEGMENT_AGENT_BYTES)
			return false;
		char *agent = slice_dup(slice_sub(*s, 0, n));
		if (!agent)
			return false;
		*s = slice_sub(*s, n, s->n);
		g->sources[g->source_count++].agent = agent;
		if (!take_varint(s, &g->sources[i].epoch))
			return false;
	}
	return true;
}

/* Numbers ascend, and leave room for those of a day. */
static bool take_numbers(struct slice *s, uint64_t first, uint64_t count, bool is_old, struct segment *g)
{
	uint64_t v = 1;

	for (uint64_t i = 0; i < count; i++) {
		if (i && !is_old && !take_varint(s, &v))
			return false;
		if (!v || v > INT64_MAX || first > INT64_MAX - v)
			return false;
		first += i ? v : 0;
		g->rid[i] = first;
	}
	return true;
}

static bool take_columns(struct slice *s, uint64_t first, bool is_old, struct segment *g)
{
	uint64_t count, v, before = 0, at = 0;

	if (!take_varint(s, &count) || count > SEGMENT_RECORDS)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		if (!take_varint(s, &v) || v >= g->source_count)
			return false;
		g->source[i] = (uint16_t)v;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (!take_varint(s, &v))
			return false;
		before += (uint64_t)unzigzag(v);
		g->seq[i] = before;
	}
	for (uint64_t i = 0; i < count; i++) {
		if (!take_varint(s, &v) || v > SEGMENT_RAW_MAX || at + v > SEGMENT_RAW_MAX)
			return false;
		at += v;
		g->offset[i + 1] = (uint32_t)at;
	}
	if (!take_numbers(s, first, count, is_old, g))
		return false;
	g->count = count;
	return at == s->n;
}

int segment_decode(struct slice raw, uint64_t first, struct segment *g, struct err *err)
{
	struct slice rest = slice_sub(raw, 1, raw.n);

	segment_reset(g);
	if (!raw.n || (raw.p[0] != 1 && raw.p[0] != 2) || !take_sources(&rest, g) ||
	    !take_columns(&rest, first, raw.p[0] == 1, g)) {
		segment_reset(g);
		return err_set(err, ERR_CORRUPT, "a segment of records can't be read");
	}
	g->bytes = rest.p ? rest.p : "";
	return 0;
}
