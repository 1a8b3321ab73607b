/* live_state.c - the engine's state in the store: a snapshot, and what it was told since. */
#include "collector/correlate/live_priv.h"

#include <errno.h>

#include "common/log.h"

enum { SNAPSHOT_MIN_BYTES = 4 << 20, SNAPSHOT_MIN_S = 60, SNAPSHOT_MAX_S = 900, FLOOD_TIMES = 8 };
enum { PART_BYTES = 256 << 10, PARTS_AT_ONCE = 64, WRITE_MS = 15, TIDY_ROWS = 5000, COPY_MAX_S = 120 };
#define SNAPSHOT_CAP(l) (2 * (size_t)(l)->cfg.bytes_max + (64 << 20))
static const uint64_t second_ns = 1000000000;

/* ---- one row ---- */

static void get_value(const void *arg, unsigned field, struct engine_value *ret)
{
	const struct live_row *row = arg;

	*ret = (struct engine_value){ .kind = ENGINE_ABSENT };
	for (size_t i = 0; i < row->value_count; i++)
		if (row->values[i].field == field)
			*ret = row->values[i].value;
}

enum engine_taken live_apply(struct live *l, const struct live_row *row)
{
	const struct engine_event ev = { .time_ns = row->time_ns,
					 .ref = row->ref,
					 .rules = row->rules,
					 .rule_count = row->rule_count,
					 .get = get_value,
					 .arg = row };

	engine_advance(l->engine, row->clock_ns);
	return row->is_event ? engine_event(l->engine, &ev) : ENGINE_TAKEN;
}

int live_journal_add(struct live *l, const struct live_row *row, struct err *err)
{
	buf_reset(&l->packed);
	live_row_put(&l->packed, row);
	if (l->packed.failed)
		return err_set(err, ERR_LIMIT, "an event is too large for correlations");
	int r = store_correlation_journal_add(l->store, l->journal + 1, buf_slice(&l->packed), err);
	if (r < 0)
		return r;
	l->journal++;
	l->stats.journal_rows++;
	l->stats.journal_bytes += l->packed.n;
	return 0;
}

int live_check(struct live *l, struct err *err)
{
	int64_t last;
	int r = store_correlation_journal_last(l->store, &last, err);

	if (r < 0 || last == l->journal)
		return r;
	l->stats.rebuilt++;
	return live_rebuild(l, err);
}

/* ---- back from the store ---- */

static int ensure_room(struct live *l, const struct ruleset *rules, struct err *err)
{
	unsigned *wider = realloc(l->matched, (detect_set_count(rules->set) + 1) * sizeof(*wider));

	if (!wider)
		return err_set(err, ENOMEM, "rules");
	l->matched = wider;
	return 0;
}

static void map_rule(void *arg, size_t i, struct slice name)
{
	struct live *l = arg;
	ptrdiff_t at = -1;

	/* Mostly they are as they were. */
	if (i < l->rules->count && slice_is(name, l->rules->rules[i].name) && !l->rules->rules[i].correlation)
		at = (ptrdiff_t)i;
	for (size_t k = 0; k < l->rules->count && at < 0; k++)
		if (slice_is(name, l->rules->rules[k].name) && !l->rules->rules[k].correlation)
			at = (ptrdiff_t)k;
	if (i < l->map_count)
		l->map[i] = at < 0 ? UINT32_MAX : (uint32_t)at;
}

static void map_field(void *arg, size_t i, struct slice name)
{
	struct live *l = arg;
	int field = observed_resolve(NULL, DETECT_SOURCE_ANY, name);

	if (i <= UINT16_MAX)
		l->fields[i] = field < 0 ? UINT16_MAX : (uint16_t)field;
}

static int read_names(struct live *l, struct slice names, struct err *err)
{
	l->map_count = RULESET_DOCUMENTS_MAX;
	if (!l->map)
		l->map = malloc(l->map_count * sizeof(*l->map));
	if (!l->map)
		return err_set(err, ENOMEM, "rules");
	memset(l->map, 0xff, l->map_count * sizeof(*l->map));
	memset(l->fields, 0xff, sizeof(l->fields));
	if (!names.n)
		return 0;
	int r = live_lateness_get(&names, &l->lateness_ns, err);
	if (r >= 0)
		r = live_names_get(&names, RULESET_DOCUMENTS_MAX, map_rule, l, err);
	return r < 0 ? r : live_names_get(&names, UINT16_MAX, map_field, l, err);
}

static int renew_engine(struct live *l, struct err *err)
{
	int r = ensure_room(l, l->rules, err);

	engine_free(l->engine);
	l->engine = NULL;
	return r < 0 ? r : live_new_engine(l, l->rules, &l->engine, err);
}

static int on_state(void *arg, const struct store_correlation_state *st)
{
	struct live *l = arg;
	struct engine_restored restored;
	int r = read_names(l, st->names, l->err);

	/* What came since is judged by the lateness that it was judged by then. */
	if (r >= 0)
		r = renew_engine(l, l->err);
	if (r >= 0 && st->snapshot.n)
		r = engine_restore(l->engine, st->snapshot, &restored, l->err);
	l->journal = st->journal;
	l->generation = st->generation;
	l->stats.snapshot_bytes = st->snapshot.n;
	return r;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* From the numbers it was written with to these. */
static void translate(struct live *l, struct live_row *row)
{
	size_t rules = 0, values = 0;

	for (size_t i = 0; i < row->rule_count; i++) {
		uint32_t to = row->rules[i] < l->map_count ? l->map[row->rules[i]] : UINT32_MAX;

		if (to != UINT32_MAX)
			row->rules[rules++] = to;
	}
	row->rule_count = rules;
	qsort(row->rules, rules, sizeof(*row->rules), by_number);
	for (size_t i = 0; i < row->value_count; i++) {
		row->values[values] = row->values[i];
		row->values[values].field = l->fields[row->values[i].field];
		values += row->values[values].field != UINT16_MAX;
	}
	row->value_count = values;
}

static int on_row(void *arg, struct slice packed)
{
	struct live *l = arg;
	int r = live_row_get(packed, &l->row, l->err);

	if (r < 0)
		return r;
	translate(l, &l->row);
	(void)live_apply(l, &l->row);
	l->stats.journal_rows++;
	l->stats.journal_bytes += packed.n;
	return 0;
}

static int replay(struct live *l, struct err *err)
{
	l->journal = 0;
	l->stats.journal_rows = l->stats.journal_bytes = l->stats.snapshot_bytes = 0;
	l->err = err;
	l->is_replaying = true;
	int r = read_names(l, SLICE_NONE, err);
	if (r >= 0)
		r = renew_engine(l, err);
	if (r >= 0)
		r = store_correlation_state_get(l->store, SNAPSHOT_CAP(l), on_state, l, err);
	if (r >= 0)
		r = store_correlation_journal_each(l->store, on_row, l, err);
	l->is_replaying = false;
	return r < 0 ? r : store_correlation_journal_last(l->store, &l->journal, err);
}

int live_rebuild(struct live *l, struct err *err)
{
	int r = replay(l, err);

	if (r != -ERR_CORRUPT && r != -ERR_VERSION)
		return r;
	/* What is damaged can't be mended here: counting begins anew, and people are told. */
	LOG(ERROR, "correlate.state", KV_STR("why", err->msg));
	l->ops.on_notice(l->arg, "rules_state_lost", err->msg);
	r = renew_engine(l, err);
	if (r >= 0)
		r = store_correlation_generation(l->store, &l->generation, err);
	return r < 0 ? r : store_correlation_journal_last(l->store, &l->journal, err);
}

int live_begin_anew(struct live *l, const char *why, struct err *err)
{
	LOG(ERROR, "correlate.state", KV_STR("why", why));
	l->ops.on_notice(l->arg, "rules_state_lost", why);
	live_pending_fini(l);
	int r = live_check(l, err);
	if (r >= 0)
		r = renew_engine(l, err);
	return r < 0 ? r : live_snapshot(l, err);
}

/* ---- into the store ---- */

static void write_names(const struct ruleset *rules, struct buf *out)
{
	const char **names = calloc(rules->count + 1, sizeof(*names));
	unsigned fields = 0;

	for (size_t i = 0; names && i < rules->count; i++)
		names[i] = rules->rules[i].name;
	if (!names) {
		out->failed = true;
		return;
	}
	live_names_put(out, names, rules->count);
	free(names);
	while (observed_field_name(fields)[0])
		fields++;
	names = calloc(fields + 1, sizeof(*names));
	for (unsigned i = 0; names && i < fields; i++)
		names[i] = observed_field_name(i);
	if (names)
		live_names_put(out, names, fields);
	out->failed |= !names;
	free(names);
}

void live_pending_fini(struct live *l)
{
	live_copy_end(&l->pending.copy);
	buf_fini(&l->pending.names);
	buf_fini(&l->pending.snapshot);
	l->pending = (struct live_pending){ 0 };
}

/* A copy of the process does it; where none can be had we do. */
static bool may_copy(struct live *l, const struct engine *e)
{
	struct live_pending *p = &l->pending;
	struct engine_stats st;
	struct err why;

	engine_stats(e, &st);
	if (st.bytes <= l->copy_bytes || l->is_copy_bad)
		return false;
	if (live_copy_start(e, SNAPSHOT_CAP(l), &p->copy, &why) >= 0)
		return true;
	LOG(WARN, "correlate.snapshot_copy", KV_STR("why", why.msg));
	return false;
}

/* The engine as it is, known by these rules' numbers. */
static int make_pending(struct live *l, const struct ruleset *rules, const struct engine *e, bool is_whole, struct err *err)
{
	struct live_pending *p = &l->pending;

	live_pending_fini(l);
	buf_init(&p->names, 64 << 20);
	buf_init(&p->snapshot, SNAPSHOT_CAP(l));
	p->part_bytes = PART_BYTES;
	p->begun_boot_ns = clock_boot_ns(l->clk);
	p->journal = l->journal;
	p->journal_rows = l->stats.journal_rows;
	p->journal_bytes = l->stats.journal_bytes;
	live_lateness_put(&p->names, l->lateness_ns);
	write_names(rules, &p->names);
	int r = 0;
	p->is_copied = !is_whole && may_copy(l, e);
	p->is_made = !p->is_copied;
	if (p->is_made)
		r = engine_snapshot(e, &p->snapshot, err);
	p->bytes = p->snapshot.n;
	if (r >= 0 && p->names.failed)
		r = err_set(err, ENOMEM, "names of rules");
	p->is_open = r >= 0;
	return r;
}

static int take_part(struct live_pending *p, struct slice *ret, struct err *err)
{
	size_t n = p->bytes - p->done < p->part_bytes ? p->bytes - p->done : p->part_bytes;

	*ret = slice_sub(buf_slice(&p->snapshot), p->done, n);
	if (!p->is_copied)
		return 0;
	int r = live_copy_read(&p->copy, p->done, n, &p->snapshot, err);
	*ret = buf_slice(&p->snapshot);
	return r;
}

/* Inside a transaction. 1: that was the last. */
static int put_part(struct live *l, struct err *err)
{
	struct live_pending *p = &l->pending;
	struct slice part;
	int r = take_part(p, &part, err);

	if (r >= 0 && !p->done)
		r = store_correlation_parts_drop(l->store, err);
	if (r >= 0)
		r = store_correlation_part_add(l->store, l->generation + 1, p->parts, part, err);
	if (r < 0)
		return r;
	p->done += part.n;
	p->parts++;
	if (p->done < p->bytes)
		return 0;
	r = store_correlation_state_put(l->store, buf_slice(&p->names), l->generation + 1, p->parts, p->journal, err);
	return r < 0 ? r : 1;
}

/* After the commit of the last part. */
static void end_pending(struct live *l)
{
	const struct live_pending *p = &l->pending;

	l->generation++;
	l->stats.snapshot_bytes = p->bytes;
	l->stats.journal_rows -= p->journal_rows < l->stats.journal_rows ? p->journal_rows : l->stats.journal_rows;
	l->stats.journal_bytes -= p->journal_bytes < l->stats.journal_bytes ? p->journal_bytes : l->stats.journal_bytes;
	l->snapshot_boot_ns = clock_boot_ns(l->clk);
	l->must_tidy = true;
	l->is_copy_bad = false;
	live_pending_fini(l);
}

/* All of it in one transaction. */
static int put_whole(struct live *l, const struct ruleset *rules, const struct engine *e, struct err *err)
{
	int r = make_pending(l, rules, e, true, err);

	if (r >= 0)
		r = store_begin(l->store, err);
	if (r >= 0) {
		do
			r = put_part(l, err);
		while (!r);
		r = store_end(l->store, r < 0 ? r : 0, err);
	}
	if (r < 0) {
		live_pending_fini(l);
		return r;
	}
	end_pending(l);
	return 0;
}

int live_snapshot(struct live *l, struct err *err)
{
	int r = live_check(l, err);

	return r < 0 ? r : put_whole(l, l->rules, l->engine, err);
}

int live_snapshot_begin(struct live *l, struct err *err)
{
	int r = live_check(l, err);

	return r < 0 ? r : make_pending(l, l->rules, l->engine, false, err);
}

int live_snapshot_step(struct live *l, struct err *err)
{
	struct live_pending *p = &l->pending;
	int r = p->is_made ? 1 : live_copy_poll(&p->copy, &p->bytes, err);

	if (!r && clock_boot_ns(l->clk) > p->begun_boot_ns + COPY_MAX_S * second_ns)
		r = err_set(err, ETIMEDOUT, "the copy that takes a snapshot does not end");
	if (r < 0) {
		l->is_copy_bad = true;
		live_pending_fini(l);
	}
	if (r <= 0)
		return r;
	p->is_made = true;
	r = store_begin(l->store, err);
	if (r < 0)
		return r;
	int last = put_part(l, err);
	r = store_end(l->store, last < 0 ? last : 0, err);
	if (r < 0)
		live_pending_fini(l);
	else if (last > 0)
		end_pending(l);
	return r;
}

static int tidy(struct live *l, struct err *err)
{
	int r = store_begin(l->store, err);

	if (r < 0)
		return r;
	return store_end(l->store, store_correlation_tidy(l->store, TIDY_ROWS, &l->must_tidy, err), err);
}

/* A snapshot costs its size: one is due when the journal has grown by as much, so that a start reads little and writing
 * costs a constant part. */
static bool is_due(const struct live *l)
{
	uint64_t age_s = (clock_boot_ns(l->clk) - l->snapshot_boot_ns) / second_ns;
	uint64_t bytes = l->stats.snapshot_bytes * 2 > SNAPSHOT_MIN_BYTES ? l->stats.snapshot_bytes * 2 : SNAPSHOT_MIN_BYTES;

	if (!l->stats.journal_rows)
		return false;
	return age_s >= SNAPSHOT_MAX_S || (age_s >= SNAPSHOT_MIN_S && l->stats.journal_bytes >= bytes) ||
	       l->stats.journal_bytes > FLOOD_TIMES * bytes;
}

void live_snapshot_if_due(struct live *l)
{
	uint64_t until = clock_boot_ns(l->clk) + WRITE_MS * 1000000ull;
	struct err err = { 0 };
	int r = !l->pending.is_open && is_due(l) ? live_snapshot_begin(l, &err) : 0;

	/* At least one, however slow the disk. */
	for (unsigned i = 0; r >= 0 && l->pending.is_open && i < PARTS_AT_ONCE && (!i || l->pending.is_made) && (!i || clock_boot_ns(l->clk) < until); i++)
		r = live_snapshot_step(l, &err);
	if (r >= 0 && l->must_tidy && !l->pending.is_open)
		r = tidy(l, &err);
	if (r >= 0)
		return;
	LOG(ERROR, "correlate.snapshot", KV_STR("why", err.msg));
	l->snapshot_boot_ns = clock_boot_ns(l->clk); /* not each second */
}

int live_switch(struct live *l, struct ruleset *rules, struct err *err)
{
	CLEANUP(buf_finip) struct buf snapshot = { 0 };
	CLEANUP(engine_freep) struct engine *e = NULL;
	struct ruleset *next = rules ? rules : l->rules;
	struct engine_restored restored;
	int r = live_check(l, err);

	buf_init(&snapshot, SNAPSHOT_CAP(l));
	if (r >= 0)
		r = engine_snapshot(l->engine, &snapshot, err);
	if (r >= 0)
		r = live_new_engine(l, next, &e, err);
	if (r >= 0)
		r = engine_restore(e, buf_slice(&snapshot), &restored, err);
	if (r >= 0)
		r = ensure_room(l, next, err);
	if (r >= 0)
		r = put_whole(l, next, e, err);
	if (r < 0)
		return r;
	engine_free(l->engine);
	l->engine = take_ptr(e);
	if (rules) {
		ruleset_free(l->rules);
		l->rules = rules;
	}
	return 0;
}
