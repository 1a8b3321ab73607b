/* live.h - the rules in force over what comes in. Fed inside the store's transaction; what the engine is told is journaled
 * there, too, so that state, alerts and the acknowledgement are one: a kill -9 or a rollback anywhere leads to the same
 * state, rebuilt from the last snapshot and the journal.
 *
 *	record ─► observed ─► rules that match ─┬─► told for themselves ─► on_matched
 *	                                         └─► named: journal ─► engine ─► on_fired
 *	files ── changed? ─► a thread: a new ruleset ─► snapshot, restore, new snapshot stored
 */
#pragma once
#include "collector/correlate/ruleset.h"
#include "collector/store/store.h"
#include "common/json.h"

struct live;
struct live_config {
	const char *correlations_dir, *rules_dir; /* "" none */
	bool has_shipped;
	const char *const *muted; /* ids or names of rules that raise no alerts; others may still name them */
	size_t muted_count;
	uint64_t bytes_max;   /* of all groups; 1 .. 1,024 MiB */
	uint64_t lateness_ms; /* an event this much older than the newest still counts; 0 .. 24 h */
};

/* A correlation fired. */
struct live_firing {
	const struct ruleset_rule *rule;
	const struct engine_match *match;
	const struct observed *event; /* nullable: that made it fire; else the clock did */
};
struct live_ops {
	/* Both inside the transaction; a failure fails what was fed. */
	int (*on_fired)(void *arg, const struct live_firing *f, struct err *err);
	int (*on_matched)(void *arg, const struct ruleset_rule *rule, const struct observed *event, struct err *err);
	/* Something a person should know: note it, write it later. what: rules_evicted, rules_late, rules_state_lost.
	 * Files that are wrong are in live_error for as long as they are. */
	void (*on_notice)(void *arg, const char *what, const char *detail);
};

/* Loads the rules, and the state as it was. Files that are wrong are left out here, and told. *ret: caller frees with
 * live_free. */
int live_new(struct store *s, const struct clock *clk, const struct live_config *cfg, const struct live_ops *ops, void *arg,
	     struct live **ret, struct err *err) WARN_UNUSED;
void live_free(struct live *l);
DEFINE_CLEANUP(struct live, live_free)

/* Inside the transaction that stores it. */
int live_record(struct live *l, const char *agent, const char *host, uint64_t epoch, uint64_t seq, const Picket__Record *rec,
		struct err *err) WARN_UNUSED;
int live_made(struct live *l, const char *agent, const char *host, const struct observed_made *made, struct err *err) WARN_UNUSED;
/* An agent speaks from there ("192.0.2.1:55555", "[2001:db8::1]:55555"): an address of its host. */
void live_address(struct live *l, const char *host, const char *address);
/* Each second: windows end, agents are silent or back, snapshots are due, files have changed. Makes its own
 * transactions; none may be open. */
void live_tick(struct live *l);
/* Reads the files again, beside the loop; what they say is in force from a later tick on. A wrong one leaves what is in
 * force, and is told. */
void live_reload(struct live *l);

struct live_stats {
	uint64_t detections, correlations; /* rules in force */
	uint64_t events, skipped;	   /* looked at; no rule asks for such */
	uint64_t matched, hits, firings, alerts_of_rules;
	uint64_t groups, bytes, bytes_max, evicted, late, overruns, no_group, overflowed;
	uint64_t journal_rows, journal_bytes, snapshot_bytes, rebuilt;
	uint64_t reloaded_unix_ns, failed_unix_ns;
	size_t error_count;
	char error[240]; /* of the last load; "" it was fine */
};
/* What is wrong with the files as they were last read, with its place; "" nothing. Borrowed until the next tick. */
const char *live_error(const struct live *l);
void live_stats(const struct live *l, struct live_stats *ret);
/* {"items":[…]} of correlations, or of detections. */
int live_list_json(struct live *l, bool is_correlations, struct buf *out, struct err *err) WARN_UNUSED;
/* What engine_explain says. group: name, value, name, value … ERR_NOT_FOUND, ERR_SYNTAX where a name is none of group-by's
 * or one is missing; without any the groups there are. */
int live_explain(struct live *l, struct slice rule, const struct slice *group, size_t count, uint64_t time_unix_ns,
		 struct buf *out, struct err *err) WARN_UNUSED;
/* Those in force; borrowed until the next tick or reload. */
const struct ruleset *live_rules(const struct live *l);
/* For a pass over the history: what is known of containers and addresses. Borrowed. */
const struct observed_world *live_world(struct live *l);
