/* guard.h - what is done about a match: kill, stop, pause, disconnect; or only said.
 *
 * Off unless the configuration names a rule. In a dry run everything is decided, checked and told as if it
 * were done, and nothing is. One thread: the loop; the engine is asked without waiting. */
#pragma once
#include "agent/event.h"
#include "common/clock.h"
#include "common/err.h"
#include "common/fetch.h"
#include "common/loop.h"

struct guard;

enum guard_mode { GUARD_OFF, GUARD_DRY_RUN, GUARD_ENFORCE };
enum guard_action {
	GUARD_KILL,	  /* SIGKILL to the process, by pidfd and only if it is still the same one */
	GUARD_STOP,	  /* docker stop -t 0 */
	GUARD_PAUSE,	  /* docker pause */
	GUARD_DISCONNECT, /* from every network */
	GUARD_ACTION_COUNT
};
const char *guard_action_name(enum guard_action a); /* kill stop pause disconnect */
bool guard_action_parse(struct slice s, enum guard_action *ret);

struct guard_rule {
	const char *rule; /* exact name */
	enum guard_action action;
};
struct guard_config {
	enum guard_mode mode;
	const struct guard_rule *rules; /* copied */
	size_t rule_count;
	const char *docker_socket; /* NULL or "": only kill */
	uint64_t max_per_minute; /* actions, over all rules; past it they are refused and told; default 60 */
};

/* What was done, or not. Strings borrowed for the call. */
struct guard_result {
	const char *rule;
	enum guard_action action;
	bool is_dry_run, is_done, by_kernel;
	const char *why; /* "" when done; else why not: "already gone", "protected: the agent itself", ... */
	uint32_t pid;
	uint64_t start_ns;
	const char *container_id; /* "" = host */
	uint64_t finding_seq;
	uint64_t took_ns; /* from the event to the end of the action; by the kernel: 0, it is the event */
	uint64_t unix_ns;
	uint64_t folded; /* earlier matches about the same target, since it was last told of, that were not told */
};
typedef void (*guard_fn)(void *arg, const struct guard_result *r);

/* fetch, clk: borrowed until guard_free. Errors: ERR_SYNTAX (stop, pause or disconnect without a Docker
 * socket), ERR_LIMIT, ENOMEM. *ret: caller frees with guard_free, not from within fn. */
int guard_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk, const struct guard_config *cfg,
	      guard_fn fn, void *arg, struct guard **ret, struct err *err) WARN_UNUSED;
/* Is the rule one to act on? */
bool guard_wants(const struct guard *g, const char *rule);
/* A rule matched. Acts, or says what it would have done; fn may be called from within or later.
 * container_id: "" on the host. Never acts on init, kernel threads, the agent, its engine or its parents, nor
 * on containers the agent runs in or that are labelled picket.role=agent|collector.
 * Folded (counted, not told): matches while the same action on the same target is under way; what a container
 * did before it was stopped or paused; for 60 s a process that was killed, a container that was disconnected,
 * what a dry run has told; and the same refusal. */
void guard_match(struct guard *g, const char *rule, const struct event *e, const char *container_id,
		 uint64_t finding_seq);
/* The kernel's side killed it already (EV_KILL): tells only, whatever the rate. A match of the same is folded:
 * a kill at an exec is told 100 ms later, for the kernel's word follows the exec's record. */
void guard_killed(struct guard *g, const char *rule, const struct event *e, const char *container_id);
/* Rules with action kill, for rules_filter_kill; only in mode ENFORCE. */
void guard_each_kill(const struct guard *g, void (*fn)(void *arg, const char *rule), void *arg);
struct guard_stats {
	uint64_t done, dry, refused, folded; /* dry: would have been done */
};
void guard_stats(const struct guard *g, struct guard_stats *ret);
/* Tells what is done and not told yet; what the engine is still at is told to nobody. */
void guard_free(struct guard *g);
DEFINE_CLEANUP(struct guard, guard_free)
