/* losses.c - see losses.h. */
#include "agent/losses.h"

#include "common/slice.h"

static bool is_due(const struct losses_row *row, uint64_t now_ns)
{
	const uint64_t pause_ns = LOSSES_PAUSE_MS * 1000000ull;

	return !row->told_ns || now_ns >= row->told_ns + pause_ns;
}

/* The row is empty again before it is told: telling makes a record, which may be lost, too. */
static void tell(struct losses_row *row, uint64_t now_ns, losses_fn fn, void *arg)
{
	const struct loss told = row->sum;

	row->told_ns = now_ns;
	row->sum.lost = 0;
	fn(arg, &told);
}

static struct losses_row *row_of(struct losses *s, enum event_class class, const char *reason)
{
	struct losses_row *rows = s->rows[class];

	for (size_t i = 0; i < LOSSES_REASONS; i++) {
		if (!rows[i].sum.reason[0]) {
			bool is_last = i + 1 == LOSSES_REASONS;

			slice_copy(slice_of(is_last ? "several" : reason), rows[i].sum.reason,
				   sizeof(rows[i].sum.reason));
			rows[i].sum.class = class;
		}
		if (!strncmp(rows[i].sum.reason, reason, sizeof(rows[i].sum.reason) - 1))
			return &rows[i];
	}
	return &rows[LOSSES_REASONS - 1];
}

void losses_add(struct losses *s, enum event_class class, uint64_t lost, uint64_t from_unix_ns,
		uint64_t to_unix_ns, const char *reason, uint64_t now_ns, losses_fn fn, void *arg)
{
	struct losses_row *row = row_of(s, class, reason);
	struct loss *sum = &row->sum;

	if (!lost)
		return;
	if (!sum->lost || from_unix_ns < sum->from_unix_ns)
		sum->from_unix_ns = from_unix_ns;
	if (!sum->lost || to_unix_ns > sum->to_unix_ns)
		sum->to_unix_ns = to_unix_ns;
	sum->lost += lost;
	if (is_due(row, now_ns))
		tell(row, now_ns, fn, arg);
}

bool losses_tick(struct losses *s, uint64_t now_ns, losses_fn fn, void *arg)
{
	bool waits = false;

	for (size_t c = 0; c < EVC_COUNT; c++) {
		for (size_t i = 0; i < LOSSES_REASONS; i++) {
			struct losses_row *row = &s->rows[c][i];

			if (row->sum.lost && is_due(row, now_ns))
				tell(row, now_ns, fn, arg);
			waits = waits || row->sum.lost;
		}
	}
	return waits;
}
