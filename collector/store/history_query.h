/* history_query.h - a filter made ready for the history: which blocks can hold a match, which records
 * do; and the walk through them. Private to the store. */
#pragma once
#include "collector/store/history_priv.h"

enum { PLAN_SET_MAX = 80, PLAN_IDS_MAX = 64, PLAN_SETS = 64, PLAN_NEEDLES = 8, PLAN_ANY = 8 };

/* A block must have one of these. */
struct plan_set {
	uint64_t terms[PLAN_SET_MAX];
	size_t count;
};
struct plan {
	struct filter filter;
	uint64_t now, since, until; /* 0 = open */
	struct plan_set *sets;	 /* PLAN_SETS of the terms, and one of the types */
	const char *const *types; /* nullable */
	unsigned classes;	  /* a bit for each that can have a match */
	size_t set_count;
	struct {
		struct slice word;
		bool is_any_case;
	} needles[PLAN_NEEDLES]; /* each stands in every matching packed record */
	size_t needle_count;
	struct slice any[PLAN_ANY]; /* one of these stands in every matching packed record */
	size_t any_count;	    /* 0: not known */
	bool needs_names;	   /* container name or image is asked for */
	bool is_gaps;		   /* only gaps are asked for */
};

/* The plan lives in the arena. ERR_SYNTAX with the column. */
int plan_make(struct store *s, const struct store_query *q, struct arena *a, struct plan *ret,
	      struct err *err) WARN_UNUSED;
/* The same for the gaps of the hosts and the time that q asks for, without its other terms. */
int plan_make_gaps(struct store *s, const struct store_query *q, struct arena *a, struct plan *ret,
		   struct err *err) WARN_UNUSED;
/* Could a record of this agent match? */
bool plan_match_agent(struct store *s, const struct plan *p, const char *agent);
/* Could this packed record match? Cheap. */
bool plan_may_match(const struct plan *p, struct slice packed);
/* 1: it matches, and its container's name and image are filled in where they are known. 0: no. */
int plan_match(struct store *s, const struct plan *p, const char *agent, Picket__Record *rec,
	       struct arena *a, struct err *err) WARN_UNUSED;

/* ---- history_walk.c: through the days ---- */

struct query {
	struct store *s;
	const struct store_query *q;
	struct plan plan;
	int (*fn)(void *arg, const struct store_event *e);
	void *arg;
	uint64_t given, looked_at, deadline_boot_ns;
	uint32_t from_date; /* the cursor: 0 = none */
	uint64_t from_rid;
	uint32_t date;	   /* where we are */
	uint64_t last_rid; /* the record looked at last */
	bool is_stopped;   /* by the limit or the budget */
};
int history_walk(struct query *run, struct err *err) WARN_UNUSED;
