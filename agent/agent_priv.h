/* agent_priv.h - the running agent, as its files share it: agent.c (the flow of events), agent_rules.c (the
 * set of rules and what follows from it), agent_audit.c (checks), agent_status.c (what it says of itself),
 * agent_open.c (start and end). */
#pragma once
#include "agent/agent.h"
#include "agent/audit/live/live.h"
#include "agent/configs.h"
#include "agent/event_log.h"
#include "agent/fold.h"
#include "agent/guard/guard.h"
#include "agent/guard/net/net.h"
#include "agent/hash/hash.h"
#include "agent/hold.h"
#include "agent/hooks.h"
#include "agent/image/live/live.h"
#include "agent/inits.h"
#include "agent/losses.h"
#include "agent/noisy.h"
#include "agent/probe/probe.h"
#include "agent/rules/rules.h"
#include "agent/stats.h"
#include "agent/status.h"
#include "agent/uplink/uplink.h"
#include "agent/watch.h"
#include "agent/watched.h"
#include "agent/world/world.h"
#include "common/log.h"
#include "common/policy/policy.h"
#include "proto/msg.h"

_Static_assert((int)EVC_COUNT == (int)UPLINK_CLASS_COUNT && (int)EVC_VOLUME == (int)UPLINK_VOLUME,
	       "an event's class is its record's");

enum { TOLD_CGROUPS = 512, HOOKS_MAX = 128, HOLD_TICK_MS = 20, TICK_MS = 1000 };

struct agent {
	const struct agent_config *cfg;
	const struct clock *clk;
	struct fetch_pool *fetch;
	struct uplink *uplink;
	struct world *world;
	struct rules *rules;
	struct hold *hold;
	struct fold *fold;
	struct guard *guard;
	struct probe *probe;
	struct live *live; /* nullable: no engine, or not wanted */
	struct audit_live *audit; /* nullable, the same */
	struct hash *hash; /* of the files that are run; nullable: not wanted */
	struct configs *configs;
	struct policy *policy; /* in force; nullable */
	const char *policy_source; /* file collector; "" none */
	char policy_mode[100], policy_error[240];
	char policy_refused[65]; /* digest of the collector's that did not load */
	size_t policy_names;	 /* host names in it */
	uint64_t policy_resolved, policy_applied_ns;
	uint64_t names_saved; /* hash of the file */
	uint64_t engine_since_ns; /* boot time; of its last connection */
	uint32_t own_ns_mnt;
	struct net *net; /* nullable: not wanted, or not to be had */
	char net_why[240];
	struct inits *inits;
	uint64_t net_denied, net_would_deny, admission_denied, admission_would_deny;
	int admission_fd;
	struct loop_fd *admission_watch;
	bool has_admission; /* the plugin has said something lately */
	uint64_t admission_seen_ns;
	struct loop_timer *scans_timer; /* looks whether the policy asks for images' scans */
	char scans_path[512];
	bool has_no_scans; /* and was told that nobody can */
	struct stats *stats;
	struct levels *levels;
	struct loop_timer *stats_timer;
	uint64_t levels_saved_ns;
	struct watch *watch, *engine_watch, *policy_watch; /* of the rules; nullable */
	struct event_log *event_log; /* nullable */
	struct status_server *status;
	struct hooks_server *hooks;
	struct loop_timer *hold_timer, *tick_timer;
	struct arena *scratch;	/* of one record */
	struct arena *resolved; /* paths of the event under way */
	struct buf out;
	char *url, *server_name;
	char kernel[130], machine_id[64], boot_id[64];
	struct uplink_sensor sensors[LIMIT_SENSORS];
	struct noisy noisy[EVC_COUNT];
	struct losses losses;
	uint64_t judged, matches, unkept, unkept_said_ns, actions, refused_actions;
	uint32_t own_pid;
	bool has_engine; /* the engine's API answers */

	/* what follows from the rules */
	char *kill_rules[FILTER_KILLS_MAX]; /* owned: by row of the kernel's filter */
	bool wants_fork, wants_exit;
	char reload_error[240]; /* "": the last load was fine */
	struct buf watched; /* lines: files whose writes the kernel's filter lets through (watched.h) */
	bool is_half; /* the kernel took no filter: only programs that start and end are seen */
	uint64_t reloaded_unix_ns, reload_failed_unix_ns;
	/* cgroups the kernel's filter was told of; by the low bits of their id */
	struct told_cgroup {
		uint64_t id;
		bool is_container, is_mixed; /* mixed: the kernel was told to take it for both */
	} told[TOLD_CGROUPS];

	/* the event whose rules are being run */
	const struct event *event;
	const struct container *container;
	uint64_t event_seq;
	bool is_event_told; /* it was sent, or nothing is to be sent */

	/* while hooks are measured: what they said at the begin */
	struct hook_figures {
		char name[64];
		uint64_t runs, run_ns, seen, passed;
	} *measured;
	size_t measured_count;
	uint64_t measured_ns;
};

/* ---- agent.c ---- */
void agent_on_event(void *arg, const struct event *e);
/* Runs the rules; the hold's callback, too. */
void agent_judge(void *arg, const struct event *e, uint64_t event_seq);
/* The same, where the container is known otherwise than by the event's process. */
void agent_judge_in(struct agent *a, const struct event *e, uint64_t event_seq, const struct container *c);
void agent_on_container(void *arg, const struct container *c, enum world_change change);
void agent_on_engine(void *arg, bool is_connected, const char *why);
void agent_on_loss(void *arg, const struct uplink_loss *loss);
void agent_on_action(void *arg, const struct guard_result *r);
void agent_on_folded(void *arg, const struct folded *f);
/* Losses that waited to be told; all: without waiting longer. */
void agent_tell_losses(struct agent *a, bool all);
void agent_on_tick(void *arg);
void agent_on_hold_tick(void *arg);

void agent_send_audit(struct agent *a, const Picket__AuditReport *r);

void agent_send_net_event(struct agent *a, const struct net_event *e, const struct container *c);
void agent_send_traffic(struct agent *a, const struct net_traffic *t, const struct container *c);
struct admission;
void agent_send_admission(struct agent *a, const struct admission *m, const struct container *c);
void agent_send_gap(void *arg, const struct loss *l);

/* ---- agent_policy.c ---- */
int agent_open_policy(struct agent *a, struct loop *l, struct err *err) WARN_UNUSED;
void agent_close_policy(struct agent *a);
void agent_load_policy(struct agent *a);
void agent_on_policy(void *arg, struct slice text, const char *digest);
void agent_write_policy(const struct agent *a, struct json *j);
void agent_policy_state(const struct agent *a, struct uplink_policy *ret);

/* ---- agent_network.c ---- */
void agent_open_network(struct agent *a, struct loop *l);
/* The policy in force, for every container. */
void agent_network_apply(struct agent *a);
void agent_network_container(struct agent *a, const struct container *c, enum world_change change);
void agent_network_process(struct agent *a, const struct container *c, const struct event_process *p);
void agent_network_inspected(struct agent *a, const struct container *c, struct slice body);
void agent_network_tick(struct agent *a);

/* ---- agent_names.c ---- */
void agent_names_watch(struct agent *a);
void agent_names_load(struct agent *a);
void agent_names_save(struct agent *a);

/* ---- agent_admission.c ---- */
int agent_open_admission(struct agent *a, struct loop *l, struct err *err) WARN_UNUSED;
void agent_close_admission(struct agent *a);

/* ---- agent_stats.c ---- */
int agent_open_stats(struct agent *a, struct loop *l, struct err *err) WARN_UNUSED;
void agent_close_stats(struct agent *a);

/* ---- agent_audit.c ---- */
int agent_open_audit(struct agent *a, struct loop *l, struct err *err) WARN_UNUSED;
void agent_close_audit(struct agent *a);
void agent_on_images(void *arg);
void agent_on_stocked(void *arg, const char *image_id);
void agent_on_inspected(void *arg, const struct container *c, struct slice body);
void agent_audit_container(struct agent *a, const struct container *c, enum world_change change);

/* ---- agent_hash.c ---- */
int agent_open_hash(struct agent *a, struct loop *l, struct err *err) WARN_UNUSED;
/* Fills the hash of the exec's file if it is known. True: agent_hash_wait() is to be called once the exec was sent. */
bool agent_hash_find(struct agent *a, struct event *e);
/* The exec that a->out holds is told again, with the hash, as soon as that is known. */
void agent_hash_wait(struct agent *a, const struct event *e, const struct container *c);
void agent_write_hash(const struct agent *a, struct json *j);
/* A record that something else than an event made: into the spool. */
void agent_send_made(struct agent *a, int packed, uint64_t unix_ns, const struct err *err);

/* ---- agent_rules.c ---- */
/* The set of rules alone, as it is before there is a probe. */
int agent_load_rules(struct agent *a, struct err *err) WARN_UNUSED;
/* What follows from it: the kernel's filter, watched names. */
int agent_apply_rules(struct agent *a, struct err *err) WARN_UNUSED;
void agent_watch_rules(struct agent *a);
void agent_on_rules_changed(void *arg);

/* ---- agent_status.c ---- */
void agent_on_heartbeat(void *arg, struct uplink_heartbeat *hb);
void agent_write_status(void *arg, struct json *j);
void agent_begin_hooks(void *arg);
void agent_write_hooks(void *arg, struct json *j);
