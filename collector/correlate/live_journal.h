/* live_journal.h - what the engine was told since its last snapshot, one row each, so that a killed collector tells it the
 * same again. Pure. Private to live*.
 *
 *	row   = 1 clock time agent(n) epoch sequence rules: count, each - the one before; fields: count, each: number kind value
 *	      | 2 clock
 *	names = lateness, rules: count, each text(n); fields: count, each text(n)
 * Numbers are base 128 (engine_pack.h). clock: the engine's before the event; rules, fields: numbers of names. */
#pragma once
#include "collector/correlate/engine.h"

enum { LIVE_FIELDS_MAX = 256, LIVE_RULES_MAX = 4096 };

struct live_value {
	uint16_t field;
	struct engine_value value;
};
struct live_row {
	bool is_event;
	int64_t clock_ns, time_ns;
	struct engine_ref ref;
	uint32_t rules[LIVE_RULES_MAX]; /* ascending */
	size_t rule_count;
	struct live_value values[LIVE_FIELDS_MAX];
	size_t value_count;
};
void live_row_put(struct buf *out, const struct live_row *row);
/* ret's texts are borrowed from row. ERR_CORRUPT. */
int live_row_get(struct slice row, struct live_row *ret, struct err *err) WARN_UNUSED;

/* What names begin with. ERR_CORRUPT. */
void live_lateness_put(struct buf *out, int64_t lateness_ns);
int live_lateness_get(struct slice *names, int64_t *ret_ns, struct err *err) WARN_UNUSED;
/* Appends a list of texts. */
void live_names_put(struct buf *out, const char *const *names, size_t count);
/* Cuts a list off *names; each: number by number. ERR_CORRUPT. */
int live_names_get(struct slice *names, size_t max, void (*each)(void *arg, size_t i, struct slice name), void *arg,
		   struct err *err) WARN_UNUSED;
