/* backtest.h - rules over the history: how often they would have fired, when, for which groups. In slices, from the
 * oldest event on. Nothing is raised. */
#pragma once
#include "collector/correlate/ruleset.h"
#include "collector/store/store.h"
#include "common/json.h"

enum { BACKTEST_FIRINGS_MAX = 1000, BACKTEST_SLICE_ROWS = 2000 };

struct backtest;
struct backtest_config {
	uint64_t since_unix_ns, until_unix_ns;
	uint64_t bytes_max; /* of groups */
	int64_t lateness_ns; /* the history is in the order of storing: what a host kept while it was cut off may be late */
	const struct observed_world *world; /* nullable; borrowed: what is known now of containers and addresses */
};
/* rules: linked; taken on success. *ret: caller frees with backtest_free. */
int backtest_new(struct store *s, const struct backtest_config *cfg, struct ruleset *rules, struct backtest **ret,
		 struct err *err) WARN_UNUSED;
/* One slice: 1 there is more, 0 it has come to the end. */
int backtest_step(struct backtest *b, struct err *err) WARN_UNUSED;
/* Members: since, until, at, progress (0 to 1), events, late, fired, rules: [{rule, name, fired, first, last}],
 * items: [{rule, time, group, value}] (the first ones), evicted. */
void backtest_json(const struct backtest *b, struct json *j);
/* NULL is allowed and does nothing. */
void backtest_free(struct backtest *b);
DEFINE_CLEANUP(struct backtest, backtest_free)
