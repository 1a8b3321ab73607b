/* engine.h - the state machine of correlations: matches of detection rules in, firings out.
 *
 * Pure: no clock, no files. The same events in the same order give the same firings, also with a snapshot and a
 * restore anywhere between. One thread. Memory is bounded by groups and bytes; what goes is counted.
 *
 *	event ──► every correlation that names a rule which matched ──► group ──► window (t - timespan, t] ──► fires once,
 *	   fires again after the condition was false; a firing is itself a hit for the correlations that name it
 *	clock ──► windows of conditions with an upper bound or `not`: [first, first + timespan], decided at their end */
#pragma once
#include "collector/correlate/correlation.h"
#include "common/buf.h"

struct engine;

struct engine_config {
	uint64_t bytes_max;  /* of all groups; 0 = 256 MiB, at least 64 KiB */
	uint32_t groups_max; /* 0 = 1,000,000 */
	/* Hits kept of one group, the newest; 0 = CORRELATION_COUNT_MAX, at least 16. */
	uint32_t events_max;
	/* An event this much older than the newest still counts, 0 .. 24 h; older ones are refused (ENGINE_LATE). */
	int64_t lateness_ns;
	/* How long after its end a window with an upper bound or `not` is decided; lateness_ns at most. */
	int64_t close_ns;
	uint32_t agents_max; /* (agent, epoch) pairs whose last sequence is known; 0 = 65,536 */
	uint8_t seed[16];    /* random, so that nobody can aim at the tables */
};
#define ENGINE_LATENESS_DEFAULT_NS (120 * 1000000000ll)

/* Where an event can be found again. agent: at most 64 bytes; an empty one is no reference. */
struct engine_ref {
	struct slice agent;
	uint64_t epoch, sequence;
};

enum engine_value_kind { ENGINE_ABSENT, ENGINE_TEXT, ENGINE_INT, ENGINE_REAL };
struct engine_value {
	enum engine_value_kind kind;
	union {
		struct slice text; /* borrowed for the call */
		int64_t i;
		double real;
	};
};

struct engine_event {
	/* Unix, as corrected by the agent's offset; 0 .. 2^62. It moves the clock for everybody: one from the future is the
	 * caller's to cut. */
	int64_t time_ns;
	struct engine_ref ref;
	const uint32_t *rules; /* the detection rules (documents) that matched, ascending */
	size_t rule_count;
	/* The event's value of a field (a number that resolve gave out). */
	void (*get)(const void *arg, unsigned field, struct engine_value *ret);
	const void *arg;
};

struct engine_match {
	uint32_t rule; /* document */
	int64_t time_ns;
	int64_t from_ns; /* of the window; time_ns is its end */
	const struct engine_value *group; /* in the order of group-by */
	size_t group_count;
	double value; /* the count, the number of different values or rules, the sum, average, percentile */
	bool is_approx;
	const struct engine_ref *evidence; /* in the order of time; of a chained rule those of its last hit stand for it */
	size_t evidence_count;
};
/* match: borrowed for the call. The engine must not be called from within. */
typedef void (*engine_fire_fn)(void *arg, const struct engine_match *match);

/* documents: linked, borrowed (with all they point to) until engine_free. *ret: caller frees with engine_free. */
int engine_new(const struct engine_config *config, const struct correlation_document *documents, size_t count,
	       engine_fire_fn fire, void *arg, struct engine **ret, struct err *err) WARN_UNUSED;
/* NULL is allowed and does nothing. */
void engine_free(struct engine *e);
DEFINE_CLEANUP(struct engine, engine_free)

enum engine_taken {
	ENGINE_TAKEN,
	ENGINE_SEEN, /* the agent's sequence had come so far already */
	ENGINE_LATE, /* beyond the lateness: for a pass over the history */
	ENGINE_BAD   /* a time or a reference out of range */
};
/* First closes what the event's time closes, then counts it. */
enum engine_taken engine_event(struct engine *e, const struct engine_event *ev);
/* The time has come to now_ns (Unix; never back): closes windows, frees groups. */
void engine_advance(struct engine *e, int64_t now_ns);
int64_t engine_now(const struct engine *e);

struct engine_rule_stats {
	uint64_t hits;	     /* counted in a group */
	uint64_t no_group;   /* without a value for each field of group-by */
	uint64_t no_value;   /* without the number or value the condition is about */
	uint64_t late;	     /* refused */
	uint64_t evicted;    /* groups that went before their time, for want of room */
	uint64_t overflowed; /* hits that went before their time: one group had more than events_max */
	uint64_t fired, suppressed, approximate; /* approximate: groups that turned so */
	uint64_t groups, bytes, events;		 /* now */
};
struct engine_stats {
	uint64_t events, seen, late, bad;
	uint64_t groups, bytes, windows_open;
	uint64_t lost; /* hits that were not counted: no memory */
};
void engine_stats(const struct engine *e, struct engine_stats *ret);
void engine_rule_stats(const struct engine *e, uint32_t rule, struct engine_rule_stats *ret);

/* The whole state, with its own checksum. Error: ERR_LIMIT past out's cap. */
int engine_snapshot(const struct engine *e, struct buf *out, struct err *err) WARN_UNUSED;
struct engine_restored {
	unsigned kept, dropped; /* rules with state that are as they were; that changed or went */
};
/* Into a new engine. Rules are told by their hash, so that others may have been added, changed, moved. Sizes and
 * lateness are the new engine's. ERR_CORRUPT, ERR_VERSION: the engine is as new. */
int engine_restore(struct engine *e, struct slice snapshot, struct engine_restored *ret, struct err *err) WARN_UNUSED;

/* Why did rule fire for a group at a time, or not? Appends one JSON object: what was counted, what is missing. time_ns 0:
 * the newest hit. group: a value for each field of group-by. ERR_NOT_FOUND: no such correlation. */
int engine_explain(struct engine *e, uint32_t rule, const struct engine_value *group, size_t group_count, int64_t time_ns,
		   struct buf *out, struct err *err) WARN_UNUSED;
/* Calls each for the groups of a rule, that last touched first, until it returns false. */
void engine_each_group(struct engine *e, uint32_t rule,
		       bool (*each)(void *arg, const struct engine_value *group, size_t group_count, size_t events,
				    bool is_active),
		       void *arg);
