/* alert_correlation.h - what rules of the collector found, as alerts (source "correlation"): a correlation that fired, or a
 * detection that speaks for itself. One alert per rule and group (a detection: per rule, host and container), folded while
 * it is open. Inside the store's transaction. */
#pragma once
#include "collector/alert/alert.h"

enum { ALERT_GROUP_MAX = 8, ALERT_EVIDENCE_MAX = 20 };

struct alert_correlated {
	const char *name;		 /* by which the rule is told from others */
	const char *title, *description; /* for people */
	enum msg_severity severity;
	const char *const *tags, *const *references, *const *falsepositives;
	size_t tag_count, reference_count, falsepositive_count;
	uint64_t time_unix_ns;
	const char *agent, *host, *container_id, *container_name, *container_image; /* "" not of one */
	/* The event, or the one that made a correlation fire; NULL: the clock did, or it has none. */
	const Picket__Process *process;
	const Picket__Container *container;
	const Picket__File *file;
	const Picket__Network *network;
	const char *call; /* "" none */
	int64_t result;
	Picket__EventType event_type;
	const char *const *evidence; /* ids, newest first */
	size_t evidence_count;
	/* of a correlation; type NULL: of a detection */
	const char *type, *condition; /* "event_count", "gte 5" */
	const char *const *rules;     /* those it counts, as people call them */
	size_t rule_count;
	struct alert_group {
		const char *name;
		struct slice value;
	} group[ALERT_GROUP_MAX];
	size_t group_count;
	uint64_t from_unix_ns, timespan_s;
	double value, score; /* score: x.score; 0 none */
	bool is_approx;
};
int alert_from_correlation(struct store *s, const struct alert_config *cfg, const struct alert_correlated *x,
			   struct alert_change *ret, struct err *err) WARN_UNUSED;
