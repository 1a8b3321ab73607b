/* engine_priv.h - between engine*.c.
 *
 *	engine.c	  events in, firings out, the clock	engine_window.c	  hits of a group: kept, slid, looked at
 *	engine_key.c	  group-by of an event as bytes		engine_tally.c	  what a window comes to, kept up to date
 *	engine_group.c	  groups: found, aged, evicted		engine_sketch.c	  different values beyond what is exact
 *	engine_close.c	  windows decided at their end		engine_order.c	  temporal_ordered's chains
 *	engine_agents.c	  sequences seen, references		engine_snapshot.c, engine_restore.c, engine_explain.c
 *
 * A group's hits are a ring sorted by (time, order of arrival). Of an unbounded rule hits[lo .. count) is the window
 * that ends at the newest hit, and tally (best) is what it comes to: hits in order cost a step, late ones a walk. Of a
 * bounded rule there are only hits, and from opened_ns on its window. */
#pragma once
#include "collector/correlate/engine.h"

enum {
	ENGINE_TEXT_MAX = 256,	     /* of a text in a key; longer ones are cut and told apart by their hash */
	ENGINE_KEY_MAX = CORRELATION_GROUP_MAX * (ENGINE_TEXT_MAX + 3),
	ENGINE_EXACT_MAX = 4096,     /* different values counted exactly */
	ENGINE_LINEAR_MAX = 16,	     /* hits among which different values are looked for without a table */
	ENGINE_SLICES = 16,	     /* of a timespan, in a sketch */
	ENGINE_SKETCH_BITS = 10,     /* 2^10 registers: 3 % standard error */
	ENGINE_AGENT_MAX = 64,
	ENGINE_NO_SOURCE = 0xffffffff,
	ENGINE_NOT_OPEN = 0xffffffff,
	ENGINE_GROUP_CHARGE = 32,    /* of malloc and the table, for each group */
};
#define ENGINE_TIME_MAX (1ll << 62)

struct hit {
	int64_t time_ns;
	union {
		double number;	/* NAN: the event has none */
		uint64_t hash;	/* of value_count; 0: the event has no value */
		struct {
			uint32_t order; /* of arrival; the same for rules that one event matched */
			uint16_t ref, zero;
		};
	};
};

struct evidence {
	int64_t time_ns;
	uint64_t sequence;
	uint32_t source;
	uint16_t turn; /* of the source's place: it may have been given to another */
	uint16_t ref;
};

/* What hits[lo .. count) come to, by the rule's type. */
struct tally {
	union {
		struct { /* value_sum, value_avg */
			int64_t sum;	  /* of those that are whole */
			uint32_t numbers; /* all */
			uint32_t odd;	  /* not whole, or large: then the sum is made anew */
		};
		struct { /* value_percentile */
			double *sorted;
			uint32_t sorted_count, sorted_size;
		};
		struct { /* value_count; slots: hash's high 44 bits and a count of 20, 0: free. NULL: none needed */
			uint64_t *slots;
			uint32_t used, bits;
		};
		struct { /* temporal */
			uint64_t mask;
			uint32_t *counts; /* of each rule; behind the group */
		};
	};
};

struct sketch {
	int64_t newest;	  /* slice number; slices newest - ENGINE_SLICES .. newest are kept */
	double cached;	  /* valid while !is_stale */
	int64_t cached_lo;
	bool is_stale;
	uint8_t registers[ENGINE_SLICES + 1][1 << ENGINE_SKETCH_BITS]; /* slice n at n % (ENGINE_SLICES + 1) */
};

/* What each event reads comes first, in one line of the cache. */
struct group {
	struct group *next; /* of the same bucket */
	uint64_t hash;
	struct group *newer, *older; /* of the rule, by last touch */
	struct hit *hits;	     /* ring of 1 << size_bits; NULL: none */
	uint32_t first, count, lo;
	uint32_t rule; /* of engine.rules */
	uint16_t key_count;
	uint8_t size_bits;
	bool is_active;
	uint8_t evidence_count, evidence_size;
	uint8_t evidence_first; /* the oldest, where a full one is a ring */
	struct hit small[2]; /* hits, while there are not more */
	struct tally tally;
	struct evidence *evidence; /* one: sole */
	struct evidence sole;
	int64_t fired_ns;	      /* -1: never */
	int64_t opened_ns, closed_ns; /* bounded: -1 none */
	struct sketch *sketch;	      /* value_count beyond ENGINE_EXACT_MAX */
	uint64_t serial;
	uint32_t heap_at, zero;
	uint8_t tail[]; /* temporal's counts or group_best, then the key */
};

struct rule {
	const struct correlation *c;
	uint32_t document;
	struct group **buckets;
	size_t bucket_count, group_count;
	struct group *newest, *oldest;
	struct engine_rule_stats stats; /* groups, bytes, events: filled when asked */
	uint64_t bytes, events;
};

/* A document's hits go to these. */
struct subscription {
	uint32_t rule;
	uint16_t ref;
	uint32_t spec;
};
/* The fields that make a key; the same for many rules. */
struct spec {
	int32_t fields[CORRELATION_GROUP_MAX];
	uint8_t count;
	bool is_missing; /* a field nobody has */
	/* The key of the event `stamp`. */
	uint64_t stamp, hash;
	uint32_t key_at, key_count;
	bool has_key;
};
enum { ENGINE_NO_SPEC = 0xffffffff };

struct source {
	uint64_t epoch, last;
	uint32_t next, newer, older;
	uint16_t turn;
	uint8_t agent_count;
	char agent[ENGINE_AGENT_MAX];
};

/* Where a hit comes from: an event, or a correlation that fired. */
struct origin {
	int64_t time_ns;
	uint32_t order;
	const struct engine_event *event; /* NULL: chained */
	const struct engine_value *group; /* chained: its group-by */
	struct evidence evidence;
};
struct pending {
	struct group *group; /* NULL: evicted meanwhile */
	uint32_t rule;
};

struct engine {
	struct engine_config config;
	const struct correlation_document *documents;
	size_t document_count;
	engine_fire_fn fire;
	void *fire_arg;
	struct rule *rules;
	size_t rule_count;
	uint32_t *rule_of; /* by document; UINT32_MAX: a detection */
	struct subscription *subscriptions;
	uint32_t *subscribed; /* document d: subscriptions[subscribed[d] .. subscribed[d + 1]) */
	struct spec *specs;
	size_t spec_count;
	uint8_t *keys; /* of the event in hand */
	size_t keys_used;
	struct pending *pending;
	size_t pending_count;
	int64_t now_ns;
	uint64_t stamp, serial;
	uint32_t order;
	struct group **heap;
	size_t heap_count, heap_size;
	struct source *sources;
	uint32_t source_count, source_size, source_newest, source_oldest;
	uint32_t *source_buckets;
	size_t source_bucket_count;
	struct engine_stats stats; /* groups, bytes, windows_open: kept here, too */
	/* For windows made from scratch. */
	struct tally walk;
	uint32_t walk_counts[CORRELATION_TEMPORAL_MAX];
};

/* ---- engine_key.c ---- */
uint64_t engine_hash(const uint8_t seed[16], const void *p, size_t n);
/* The key of group-by for a hit through s. false: a field is missing. Valid until the next event. */
bool engine_key(struct engine *e, const struct subscription *s, const struct origin *o, struct slice *ret_key, uint64_t *ret_hash);
/* Builds a key of values; returns its length, 0 if one is absent. dst holds ENGINE_KEY_MAX. */
size_t engine_key_build(const struct engine *e, const struct engine_value *values, size_t count, uint8_t *dst);
/* Into count values that point into key; false: it is none. */
bool engine_key_split(struct slice key, struct engine_value *ret, size_t count);
/* What the rule's condition is about, from a hit; whether it was there. */
bool engine_value_of(struct engine *e, const struct subscription *s, const struct origin *o, struct hit *ret);

/* ---- engine_group.c ---- */
static inline const struct correlation *group_rule(const struct engine *e, const struct group *g)
{
	return e->rules[g->rule].c;
}
struct slice group_key(const struct engine *e, const struct group *g);
/* temporal_ordered: of each step the latest start of a chain so far, INT64_MIN: none. */
static inline int64_t *group_best(struct group *g)
{
	return (int64_t *)(void *)g->tail;
}
struct group *group_find(const struct rule *r, struct slice key, uint64_t hash);
/* A new one, the newest. NULL: out of memory. */
struct group *group_add(struct engine *e, uint32_t rule, struct slice key, uint64_t hash);
/* Asks for the memory that group_find and what follows will read: stage 0, then 1, then 2, each some time later. */
void group_prefetch(const struct rule *r, uint64_t hash, int stage);
void group_touch(struct rule *r, struct group *g);
void group_remove(struct engine *e, struct group *g);
/* Bytes of g that come (> 0) or go. */
void group_charge(struct engine *e, const struct group *g, int64_t bytes);
/* Frees groups that can't matter any more. */
void engine_expire(struct engine *e, struct rule *r);
/* Frees the least recently touched groups of the largest rules until the bounds are kept. */
void engine_keep_bounds(struct engine *e);
static inline const struct evidence *group_evidence(const struct group *g, unsigned i)
{
	i += g->evidence_first;
	return &g->evidence[i < g->evidence_count ? i : i - g->evidence_count];
}
void group_add_evidence(struct engine *e, struct group *g, const struct evidence *ev);

/* ---- engine_window.c ---- */
static inline struct hit *hit_at(const struct group *g, uint32_t i)
{
	return &g->hits[(g->first + i) & ((1u << g->size_bits) - 1)];
}
/* Beside the group itself. */
static inline size_t hit_bytes(const struct group *g)
{
	return g->hits && g->hits != g->small ? sizeof(struct hit) << g->size_bits : 0;
}
static inline int64_t group_newest_ns(const struct group *g)
{
	return g->count ? hit_at(g, g->count - 1)->time_ns : INT64_MIN;
}
/* The number of hits with a time <= time_ns. */
uint32_t window_upper(const struct group *g, int64_t time_ns);
/* Room for hits: 2^bits. false: out of memory. */
bool window_resize(struct engine *e, struct group *g, unsigned bits);
/* Puts h into its place, slides the window. false: not counted (no memory, or a bounded group is full). */
bool window_add(struct engine *e, struct group *g, const struct hit *h);
/* Without the n oldest. */
void window_drop(struct engine *e, struct group *g, uint32_t n);
/* Forgets what no hit to come can be together with. */
void window_age(struct engine *e, struct group *g);
struct window {
	int64_t end_ns;
	double value;
	bool has_value, holds, is_approx;
};
/* The first window that ends at a hit >= from_ns and meets the condition; else holds is false. */
struct window window_look(struct engine *e, struct group *g, int64_t from_ns);
/* The window of hits with from <= time <= to, from scratch. positive: of a boolean condition count only these. */
struct window window_between(struct engine *e, const struct group *g, int64_t from_ns, int64_t to_ns);

/* ---- engine_tally.c ---- */
/* lo, hi: the group's hits without (add: before) or with (remove: before) the hit in hand. */
void tally_add(struct engine *e, struct group *g, const struct hit *h);
void tally_remove(struct engine *e, struct group *g, const struct hit *h);
/* What hits[lo .. hi) come to; t is up to date for them. */
struct window tally_look(const struct correlation *c, const struct tally *t, const struct group *g, uint32_t lo, uint32_t hi);
/* For windows made from scratch: in e->walk. */
void walk_begin(struct engine *e, const struct correlation *c);
void walk_add(struct engine *e, const struct correlation *c, const struct hit *h);
void walk_remove(struct engine *e, const struct correlation *c, const struct hit *h);
void tally_walk_end(struct engine *e, const struct correlation *c);
/* Makes the tally for hits[lo .. count) anew; bits: of value_count's table, 0 none. false: out of memory. */
bool tally_rebuild(struct engine *e, struct group *g, uint32_t bits);
void tally_fini(struct engine *e, struct group *g);
/* Different values of hits[lo .. hi), without a table. */
uint32_t tally_different(const struct group *g, uint32_t lo, uint32_t hi);

/* ---- engine_sketch.c ---- */
/* From now on approximately. false: out of memory, then it stays exact. */
bool sketch_begin(struct engine *e, struct group *g);
void sketch_add(struct engine *e, struct group *g, const struct hit *h);
double sketch_look(const struct engine *e, struct group *g, int64_t end_ns);
void sketch_end(struct engine *e, struct group *g);

/* ---- engine_order.c ---- */
void order_add(int64_t *best, const struct hit *h);
void order_rebuild(const struct correlation *c, const struct group *g, int64_t *best);
/* The longest chain whose first hit is after `after_ns`. */
uint32_t order_length(const struct correlation *c, const int64_t *best, int64_t after_ns);

/* ---- engine_close.c ---- */
/* A hit of a bounded rule came in: opens a window, or an earlier one. */
void close_hit(struct engine *e, struct group *g, const struct hit *h);
/* The first hit after closed_ns that may open a window opens it. */
void close_reopen(struct engine *e, struct group *g);
/* Decides windows that end by now_ns, in the order of their ends. */
void engine_close_until(struct engine *e, int64_t now_ns);
void close_forget(struct engine *e, struct group *g);

/* ---- engine_agents.c ---- */
/* false: seen before. *ret: what stands for it in evidence. */
bool agents_take(struct engine *e, const struct engine_ref *ref, struct evidence *ret);
/* NULL: its place was given to another. */
const struct source *agents_get(const struct engine *e, const struct evidence *ev);
/* The newest from now on; ENGINE_NO_SOURCE: out of memory. */
uint32_t agents_put(struct engine *e, struct slice agent, uint64_t epoch);
void engine_agents_fini(struct engine *e);

/* ---- engine.c ---- */
/* Fires (unless suppressed) and hands the match on to correlations that name the rule. g may be gone afterwards. */
void engine_emit(struct engine *e, struct group *g, const struct window *w, int64_t from_ns);
/* Everything counted is forgotten. */
void engine_clear(struct engine *e);
