/* live_journal.c - see live_journal.h. */
#include "collector/correlate/live_journal.h"

#include "collector/correlate/engine_pack.h"

enum { KIND_EVENT = 1, KIND_CLOCK = 2, TEXT_MAX = 1 << 20, AGENT_MAX = 64 };

static void put_text(struct buf *out, struct slice s)
{
	pack_u64(out, s.n);
	buf_add_slice(out, s);
}

static struct slice get_text(struct unpack *u, size_t max)
{
	size_t n = unpack_u64(u, max);
	const uint8_t *p = unpack_bytes(u, n);

	return p ? slice_from(p, n) : SLICE_NONE;
}

/* Small numbers of either sign stay small. */
static uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static void put_value(struct buf *out, const struct live_value *v)
{
	pack_u64(out, v->field);
	pack_u64(out, v->value.kind);
	if (v->value.kind == ENGINE_TEXT)
		put_text(out, v->value.text);
	else if (v->value.kind == ENGINE_INT)
		pack_u64(out, zigzag(v->value.i));
	else if (v->value.kind == ENGINE_REAL)
		buf_add(out, &v->value.real, sizeof(v->value.real));
}

void live_row_put(struct buf *out, const struct live_row *row)
{
	uint32_t before = 0;

	pack_u64(out, row->is_event ? KIND_EVENT : KIND_CLOCK);
	pack_u64(out, (uint64_t)row->clock_ns);
	if (!row->is_event)
		return;
	pack_u64(out, (uint64_t)row->time_ns);
	put_text(out, row->ref.agent);
	pack_u64(out, row->ref.epoch);
	pack_u64(out, row->ref.sequence);
	pack_u64(out, row->rule_count);
	for (size_t i = 0; i < row->rule_count; i++) {
		pack_u64(out, row->rules[i] - before);
		before = row->rules[i];
	}
	pack_u64(out, row->value_count);
	for (size_t i = 0; i < row->value_count; i++)
		put_value(out, &row->values[i]);
}

static void get_value(struct unpack *u, struct live_value *ret)
{
	*ret = (struct live_value){ .field = (uint16_t)unpack_u64(u, UINT16_MAX) };
	ret->value.kind = (enum engine_value_kind)unpack_u64(u, ENGINE_REAL);
	if (ret->value.kind == ENGINE_TEXT) {
		ret->value.text = get_text(u, TEXT_MAX);
	} else if (ret->value.kind == ENGINE_INT) {
		uint64_t v = unpack_u64(u, UINT64_MAX);

		ret->value.i = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
	} else if (ret->value.kind == ENGINE_REAL) {
		const uint8_t *p = unpack_bytes(u, sizeof(double));

		if (p)
			memcpy(&ret->value.real, p, sizeof(double));
	}
}

static void get_event(struct unpack *u, struct live_row *ret)
{
	uint64_t rule = 0;

	ret->time_ns = (int64_t)unpack_u64(u, INT64_MAX);
	ret->ref.agent = get_text(u, AGENT_MAX);
	ret->ref.epoch = unpack_u64(u, UINT64_MAX);
	ret->ref.sequence = unpack_u64(u, UINT64_MAX);
	ret->rule_count = unpack_u64(u, LIVE_RULES_MAX);
	for (size_t i = 0; i < ret->rule_count && !u->is_bad; i++) {
		rule += unpack_u64(u, UINT32_MAX);
		u->is_bad |= rule > UINT32_MAX;
		ret->rules[i] = (uint32_t)rule;
	}
	ret->value_count = unpack_u64(u, LIVE_FIELDS_MAX);
	for (size_t i = 0; i < ret->value_count && !u->is_bad; i++)
		get_value(u, &ret->values[i]);
}

int live_row_get(struct slice row, struct live_row *ret, struct err *err)
{
	struct unpack u = { (const uint8_t *)row.p, (const uint8_t *)row.p + row.n, false };
	uint64_t kind = unpack_u64(&u, KIND_CLOCK);

	ret->is_event = kind == KIND_EVENT;
	ret->clock_ns = (int64_t)unpack_u64(&u, INT64_MAX);
	ret->rule_count = ret->value_count = 0;
	ret->time_ns = 0;
	ret->ref = (struct engine_ref){ .agent = SLICE_NONE };
	if (ret->is_event)
		get_event(&u, ret);
	if (u.is_bad || !kind || u.p != u.end)
		return err_set(err, ERR_CORRUPT, "a row of the correlations' journal");
	return 0;
}

void live_lateness_put(struct buf *out, int64_t lateness_ns)
{
	pack_u64(out, (uint64_t)lateness_ns);
}

int live_lateness_get(struct slice *names, int64_t *ret_ns, struct err *err)
{
	struct unpack u = { (const uint8_t *)names->p, (const uint8_t *)names->p + names->n, false };
	uint64_t ns = unpack_u64(&u, 86400ull * 1000000000);

	if (u.is_bad)
		return err_set(err, ERR_CORRUPT, "the lateness in the correlations' state");
	*ret_ns = (int64_t)ns;
	*names = slice_from(u.p, (size_t)(u.end - u.p));
	return 0;
}

void live_names_put(struct buf *out, const char *const *names, size_t count)
{
	pack_u64(out, count);
	for (size_t i = 0; i < count; i++)
		put_text(out, slice_of(names[i]));
}

int live_names_get(struct slice *names, size_t max, void (*each)(void *arg, size_t i, struct slice name), void *arg, struct err *err)
{
	struct unpack u = { (const uint8_t *)names->p, (const uint8_t *)names->p + names->n, false };
	size_t count = unpack_u64(&u, max);

	for (size_t i = 0; i < count && !u.is_bad; i++) {
		struct slice name = get_text(&u, TEXT_MAX);

		if (!u.is_bad)
			each(arg, i, name);
	}
	if (u.is_bad)
		return err_set(err, ERR_CORRUPT, "the names in the correlations' state");
	*names = slice_from(u.p, (size_t)(u.end - u.p));
	return 0;
}
