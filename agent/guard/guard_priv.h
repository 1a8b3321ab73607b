/* guard_priv.h - what the files of this folder share. */
#pragma once
#include "agent/guard/guard.h"

enum {
	GUARD_RULES_MAX = 4096,
	GUARD_RATE_DEFAULT = 60,
	GUARD_RATE_MAX = 100000,
	GUARD_JOBS = 16,	    /* questions to the engine at once */
	GUARD_RECENT = 512,	    /* targets whose last result is remembered */
	GUARD_ANCESTORS = 64,
	GUARD_WHY_BYTES = 240,
	GUARD_ENGINE_BYTES = 1 << 20, /* of one answer */
	GUARD_ENGINE_TIMEOUT_MS = 10000,
	GUARD_NETWORKS_MAX = 64, /* left one after the other */
	GUARD_STARTING_MS = 100, /* between two looks at a container that is being started */
	GUARD_STARTING_TRIES = 50,
};
#define GUARD_FOLD_NS 60000000000ull /* a result is told again after it, and the rate's window */
#define GUARD_RETRY_NS 1000000000ull /* between two tries at an engine that failed */

enum guard_outcome { GUARD_DONE, GUARD_DRY, GUARD_TOO_MANY, GUARD_REFUSED };

/* One action on one target, for as long as it lasts. */
struct guard_act {
	const char *rule; /* borrowed from the guard's own list until guard_free */
	enum guard_action action;
	uint32_t pid;
	uint64_t start_ns;
	char id[65]; /* container; "" = host */
	uint64_t finding_seq, event_ns;
	uint64_t ended_ns; /* 0 = when it is told */
};

/* ---- guard.c ---- */
bool guard_rate_take(struct guard *g);
bool guard_is_dry(const struct guard *g);
/* why: for GUARD_REFUSED; borrowed for the call. */
void guard_tell(struct guard *g, const struct guard_act *a, enum guard_outcome what, const char *why);

/* ---- kill.c: a process ---- */
struct proc_stat {
	char state;
	uint32_t ppid, flags, threads;
	uint64_t start_ticks;
};
/* /proc/PID/stat, whatever the process calls itself; pure. false: it is none. */
bool proc_stat_parse(struct slice text, struct proc_stat *ret);

/* Who must live: the agent and all above it. */
struct guard_family {
	struct {
		uint32_t pid;
		uint64_t start_ticks;
	} of[GUARD_ANCESTORS];
	unsigned count;
	char container_id[65]; /* the agent's own; "" = host */
};
void family_read(struct guard_family *f);
bool family_has(const struct guard_family *f, uint32_t pid, uint64_t start_ticks);
/* A descriptor of that very process, which may be killed; else -1 and why. Caller closes. */
int kill_open(const struct guard_family *f, const struct event_process *p, bool is_contained,
	      char why[GUARD_WHY_BYTES]);
/* False: it is gone, or why. */
bool kill_send(int pidfd, char why[GUARD_WHY_BYTES]);

/* ---- inspect.c: what the engine says of a container; pure ---- */
struct inspect {
	bool is_running, is_paused, is_created; /* is_created: not started yet */
	uint32_t pid;				/* of its first process */
	const char *role;			/* "agent" or "collector" for our own, else NULL */
	enum inspect_net { NET_NONE, NET_OWN, NET_HOST, NET_SHARED } net;
	char network[65]; /* id of the first it is in; fit for a URL */
};
/* Errors: ERR_SYNTAX, ERR_LIMIT, ERR_PEER (another container's, or an id that is none). */
int inspect_parse(struct slice text, const char *id, struct inspect *ret, struct err *err) WARN_UNUSED;
/* 64 lower-case hex digits: the only ids that are put into a URL. */
bool inspect_is_id(struct slice s);
/* The engine's own words in the body of a refusal, cut and made plain. */
void inspect_message(struct slice body, char *dst, size_t size);

/* ---- engine.c: stop, pause, disconnect ---- */
struct engine;
int engine_new(struct loop *l, struct fetch_pool *fetch, const char *socket_path, const struct guard_family *f,
	       struct guard *g, struct engine **ret, struct err *err) WARN_UNUSED;
/* Is that action on that container under way? */
bool engine_is_busy(const struct engine *e, const struct guard_act *a);
/* Tells by guard_tell, now or later. */
void engine_act(struct engine *e, const struct guard_act *a);
void engine_free(struct engine *e);
