/* agent.c - see agent.h. The flow of events:
 *
 *   probe -> world (who, which container) -> record -> uplink
 *                    \-> rules (at once, or when the container's name is known) -> fold -> record -> uplink
 *                                                                               \-> guard (responses)
 */
#include "agent/agent_priv.h"

#include "agent/record.h"
#include "agent/record_policy.h"

/* ---- out ---- */

/* A record that could not be kept or packed: counted, and said at most every ten seconds. */
static void say_unkept(struct agent *a, const char *event, const struct err *err)
{
	const uint64_t pause_ns = 10 * 1000000000ull;
	uint64_t now = clock_boot_ns(a->clk);

	a->unkept++;
	if (a->unkept_said_ns && now - a->unkept_said_ns < pause_ns)
		return;
	a->unkept_said_ns = now;
	LOG(ERROR, event, KV_STR("why", err->msg), KV_U64("unkept", a->unkept));
}

/* One packed record into the spool. A failure is counted there as lost, too. */
static uint64_t send_record(struct agent *a, enum uplink_class class, uint64_t unix_ns)
{
	struct err err;
	uint64_t seq = 0;

	if (uplink_append(a->uplink, class, unix_ns, buf_slice(&a->out), &seq, &err) < 0)
		say_unkept(a, "agent.spool", &err);
	return seq;
}

static void begin_record(struct agent *a)
{
	buf_reset(&a->out);
	arena_reset(a->scratch);
}

/* packed: what a record_…() returned. 0 when it could not be packed. */
static uint64_t send_packed(struct agent *a, int packed, enum uplink_class class, uint64_t unix_ns,
			    const struct err *err)
{
	if (packed >= 0)
		return send_record(a, class, unix_ns);
	say_unkept(a, "agent.pack", err);
	return 0;
}

void agent_send_made(struct agent *a, int packed, uint64_t unix_ns, const struct err *err)
{
	send_packed(a, packed, UPLINK_PROCESS, unix_ns, err);
}

static uint64_t send_event(struct agent *a, const struct event *e, const struct container *c)
{
	struct err err;

	begin_record(a);
	int r = record_event(a->world, e, c, a->scratch, &a->out, &err);
	return send_packed(a, r, (enum uplink_class)e->class, e->unix_ns, &err);
}

/* ---- losses ---- */

void agent_send_gap(void *arg, const struct loss *l)
{
	struct agent *a = arg;
	const char *noisiest = noisy_most(&a->noisy[l->class]);
	uint64_t now = clock_unix_ns(a->clk);
	struct err err;
	static const char *const classes[EVC_COUNT] = { "process", "rare", "volume" };

	LOG(WARN, "agent.gap", KV_STR("class", classes[l->class]), KV_U64("lost", l->lost),
	    KV_STR("reason", l->reason), KV_STR("noisiest", noisiest));
	begin_record(a);
	int r = record_gap(l, noisiest, now, &a->out, &err);
	send_packed(a, r, UPLINK_PROCESS, now, &err);
}

void agent_on_loss(void *arg, const struct uplink_loss *l)
{
	struct agent *a = arg;

	losses_add(&a->losses, (enum event_class)l->class, l->lost, l->from_unix_ns, l->to_unix_ns, l->reason,
		   clock_boot_ns(a->clk), agent_send_gap, a);
}

void agent_tell_losses(struct agent *a, bool all)
{
	losses_tick(&a->losses, all ? UINT64_MAX : clock_boot_ns(a->clk), agent_send_gap, a);
}

/* Who produces what is delivered: he also produces what is lost. */
static void count_noise(struct agent *a, const struct event *e, const struct container *c)
{
	uint64_t key = c ? e->p.cgroup_id : slice_hash(e->p.name);
	char *label = noisy_add(&a->noisy[e->class], key, e->boot_ns);

	if (!label)
		return;
	const struct proc *p = c ? NULL : world_proc(a->world, e->p.pid);
	if (c)
		snprintf(label, NOISY_LABEL_BYTES, "%s", c->name[0] ? c->name : c->id);
	else
		slice_copy(p && p->exe.n ? p->exe : e->p.exe.n ? e->p.exe : e->p.name, label, NOISY_LABEL_BYTES);
}

/* ---- rules ---- */

/* A call is sent only when a rule matched it: the kernel lets through what rules might match, which is more. */
static void tell_event(struct agent *a)
{
	if (a->is_event_told)
		return;
	a->is_event_told = true;
	a->event_seq = send_event(a, a->event, a->container);
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * 0x9e3779b97f4a7c15u;
}

/* What a reader would tell two matches of a rule in one container by: the program, what it did, to what. Not
 * what differs each time, as process ids and the ports of clients do. */
static uint64_t subject_of(const struct agent *a, const struct event *e)
{
	const struct proc *p = e->type == EV_EXEC ? NULL : world_proc(a->world, e->p.pid);
	const struct event_call *c = &e->call;
	uint64_t hash = mix(slice_hash(p ? p->exe : e->p.exe), slice_hash(e->p.name));

	if (e->type == EV_EXEC)
		return mix(hash, slice_hash(e->p.args));
	if (e->type != EV_CALL)
		return mix(hash, e->type);
	hash = mix(mix(hash, c->call), slice_hash(c->path.n ? c->path : c->raw));
	hash = mix(hash, slice_hash(c->path2.n ? c->path2 : c->raw2));
	hash = mix(hash, slice_hash(slice_from((const char *)c->remote.address, sizeof(c->remote.address))));
	bool is_server = c->call == CALL_ACCEPT || c->call == CALL_ACCEPT4; /* the port there is a client's */
	return mix(hash, is_server ? c->local.port : c->remote.port);
}

static void on_match(void *arg, const struct rules_match *m)
{
	struct agent *a = arg;
	const struct event *e = a->event;
	const char *id = a->container ? a->container->id : "";
	uint64_t seq = 0;
	struct err err;

	a->matches++;
	if (fold_admit(a->fold, m->rule, id, subject_of(a, e), e->unix_ns)) {
		tell_event(a);
		begin_record(a);
		int r = record_finding(a->world, e, a->container, m, a->event_seq, a->scratch, &a->out, &err);
		/* A finding is worth more than the events of its class: it goes with the last to be dropped. */
		seq = send_packed(a, r, UPLINK_PROCESS, e->unix_ns, &err);
	} else if (fold_wants_sample(a->fold, m->rule, id)) {
		begin_record(a);
		if (record_finding(a->world, e, a->container, m, 0, a->scratch, &a->out, &err) >= 0)
			fold_sample(a->fold, m->rule, id, buf_slice(&a->out));
	}
	/* Folding is for readers: each match is acted on. */
	if (guard_wants(a->guard, m->rule))
		guard_match(a->guard, m->rule, e, id, seq);
}

void agent_on_folded(void *arg, const struct folded *f)
{
	struct agent *a = arg;
	struct err err;

	begin_record(a);
	int r = record_folded(f, a->scratch, &a->out, &err);
	send_packed(a, r, UPLINK_PROCESS, f->last_unix_ns, &err);
}

void agent_judge(void *arg, const struct event *e, uint64_t event_seq)
{
	struct agent *a = arg;

	agent_judge_in(a, e, event_seq, world_container(a->world, &e->p));
}

void agent_judge_in(struct agent *a, const struct event *e, uint64_t event_seq, const struct container *c)
{
	struct rules_live live = { .world = a->world, .event = e, .container = c, .number = ++a->judged };
	struct rules_source src = rules_live_source(&live);
	const char *type = rules_live_type(e);

	if (a->event_log)
		event_log_add(a->event_log, type, &src);
	if (!type)
		return;
	a->event = e;
	a->container = live.container;
	a->event_seq = event_seq;
	a->is_event_told = e->type == EV_EXEC || e->type == EV_EXIT || e->type == EV_STATS;
	rules_eval(a->rules, type, &src, on_match, a);
	a->event = NULL;
}

void agent_on_hold_tick(void *arg)
{
	struct agent *a = arg;

	if (!hold_expire(a->hold, clock_boot_ns(a->clk)))
		loop_timer_stop(a->hold_timer);
}

/* Rules look at more than the name (declared user, image digest), so where the engine is there to
 * answer, its inspection is waited for; it nearly always came before the container's start. */
static void judge_when_known(struct agent *a, const struct event *e, const struct container *c, uint64_t seq)
{
	bool will_be_known = c && a->has_engine && !strcmp(c->engine, "docker");

	if (!will_be_known || c->is_inspected || !a->cfg->name_wait_ms) {
		agent_judge(a, e, seq);
		return;
	}
	uint64_t deadline = clock_boot_ns(a->clk) + a->cfg->name_wait_ms * 1000000;
	hold_add(a->hold, e, seq, c->id, deadline);
	loop_timer_every(a->hold_timer, HOLD_TICK_MS);
}

/* ---- responses ---- */

void agent_on_action(void *arg, const struct guard_result *r)
{
	struct agent *a = arg;
	const struct container *c =
		r->container_id[0] ? world_container_by_id(a->world, slice_of(r->container_id)) : NULL;
	struct err err;

	if (r->is_done)
		a->actions++;
	else
		a->refused_actions++;
	LOG(WARN, "guard.action", KV_STR("action", guard_action_name(r->action)), KV_STR("rule", r->rule),
	    KV_BOOL("done", r->is_done), KV_BOOL("dry_run", r->is_dry_run), KV_STR("why", r->why),
	    KV_U64("pid", r->pid), KV_STR("container", r->container_id), KV_BOOL("by_kernel", r->by_kernel),
	    KV_U64("took_us", r->took_ns / 1000));
	begin_record(a);
	int packed = record_action(a->world, r, c, a->scratch, &a->out, &err);
	send_packed(a, packed, UPLINK_PROCESS, r->unix_ns, &err);
}

/* The kernel's side acted before the program's first instruction; its exec comes as an event, too. */
static void on_kill(struct agent *a, const struct event *e, const struct container *c)
{
	const char *rule = e->kill.row < ARRAY_LEN(a->kill_rules) ? a->kill_rules[e->kill.row] : NULL;

	guard_killed(a->guard, rule ? rule : "", e, c ? c->id : "");
}

/* ---- what comes in ---- */

/* Rules that ask for containers only, or for the host only, are decided in the kernel once it knows. Where
 * only a process's mount namespace says that its cgroup is a container's, one cgroup may hold both kinds:
 * then the kernel must not decide. */
static void tell_cgroup(struct agent *a, const struct event *e, bool is_container)
{
	struct told_cgroup *t = &a->told[e->p.cgroup_id % TOLD_CGROUPS];

	if (!e->p.cgroup_id)
		return;
	if (t->id == e->p.cgroup_id) {
		if (t->is_mixed || t->is_container == is_container)
			return;
		t->is_mixed = true;
		probe_unmark_cgroup(a->probe, t->id);
		return;
	}
	if (!t->is_mixed) /* what is mixed keeps its place */
		*t = (struct told_cgroup){ .id = e->p.cgroup_id, .is_container = is_container };
	probe_mark_cgroup(a->probe, e->p.cgroup_id, is_container);
}

static void on_exited(struct agent *a, const struct event *e, const struct container *c)
{
	/* Before the tree forgets what it was. */
	uint64_t seq = send_event(a, e, c);

	if (a->wants_exit || a->event_log)
		agent_judge(a, e, seq);
	world_apply(a->world, e);
}

/* The program as it is at the call: one that waits to be judged must not pass for what was started by the
 * same process meanwhile (runc becomes the container's first program). The slices are the tree's. */
static void fill_program(struct agent *a, struct event_process *p)
{
	const struct proc *known = world_proc_of(a->world, p);

	if (!known)
		return;
	p->exe = known->exe;
	p->argv0 = known->argv0;
	p->args = known->args;
	if (!p->cwd.n)
		p->cwd = known->cwd;
}

static void on_call(struct agent *a, const struct event *e, const struct container *c)
{
	struct event whole = *e;

	fill_program(a, &whole.p);
	arena_reset(a->resolved);
	world_resolve(a->world, &whole, a->resolved);
	judge_when_known(a, &whole, c, 0);
}

/* The event does not wait for its file's hash, which is told later where it is not known yet. */
static void on_exec(struct agent *a, const struct event *e, const struct container *c)
{
	struct event whole = *e;

	if (c && a->live)
		live_exec(a->live, c, e->p.pid, e->p.exe, e->p.exe_upper_layer || e->p.exe_from_memfd);
	if (c && a->audit)
		audit_live_exec(a->audit, c, &e->p);
	if (c)
		agent_network_process(a, c, &e->p);
	bool waits = agent_hash_find(a, &whole);
	uint64_t seq = send_event(a, &whole, c);
	if (waits && seq)
		agent_hash_wait(a, e, c);
	judge_when_known(a, &whole, c, seq);
}

void agent_on_event(void *arg, const struct event *e)
{
	struct agent *a = arg;

	if (e->type == EV_GAP) {
		losses_add(&a->losses, e->gap.class, e->gap.lost, e->gap.from_unix_ns, e->gap.to_unix_ns,
			   e->gap.reason, clock_boot_ns(a->clk), agent_send_gap, a);
		return;
	}
	/* Finding out where a path leads is calls on files, too: a rule about them would never come to rest. */
	if (e->type == EV_CALL && e->p.pid == a->own_pid)
		return;
	if (e->type == EV_CALL && hash_is_worker(a->hash, e->p.pid))
		return; /* it opens what is run, which a rule about that file would take for somebody's doing */
	/* Of the worker no more than this: what it reads is hostile, and what else it does is to be seen. */
	if (e->type == EV_CALL && e->call.call == CALL_PTRACE && a->audit && audit_live_is_worker(a->audit, e->p.pid))
		return;
	if (e->type != EV_EXIT)
		world_apply(a->world, e);
	const struct container *c = world_container(a->world, &e->p);
	count_noise(a, e, c);
	if (c && e->type != EV_CALL)
		stats_cgroup(a->stats, e->p.cgroup_id, c->id);
	tell_cgroup(a, e, c);
	switch (e->type) {
	case EV_EXEC:
		on_exec(a, e, c);
		break;
	case EV_EXIT:
		on_exited(a, e, c);
		break;
	case EV_FORK:
		if (a->wants_fork || a->event_log)
			judge_when_known(a, e, c, 0);
		break;
	case EV_CALL:
		on_call(a, e, c);
		break;
	case EV_KILL:
		on_kill(a, e, c);
		break;
	case EV_NONE:
	case EV_GAP:
	case EV_STATS: /* made here, not read */
	case EV_TYPE_COUNT:
		break;
	}
}

void agent_send_audit(struct agent *a, const Picket__AuditReport *report)
{
	struct err err;
	uint64_t now = clock_unix_ns(a->clk);

	begin_record(a);
	int r = record_audit(report, now, &a->out, &err);
	send_packed(a, r, UPLINK_PROCESS, now, &err);
}

static const char *policy_in_force(const struct agent *a)
{
	return a->policy ? policy_digest(a->policy) : "";
}

void agent_send_net_event(struct agent *a, const struct net_event *e, const struct container *c)
{
	struct err err;
	uint64_t now = clock_unix_ns(a->clk);

	begin_record(a);
	int r = record_net_event(e, c, policy_in_force(a), now, a->scratch, &a->out, &err);
	send_packed(a, r, UPLINK_PROCESS, now, &err);
}

void agent_send_traffic(struct agent *a, const struct net_traffic *t, const struct container *c)
{
	struct err err;

	begin_record(a);
	int r = record_traffic(t, c, a->scratch, &a->out, &err);
	send_packed(a, r, UPLINK_VOLUME, t->to_unix_ns, &err);
}

void agent_send_admission(struct agent *a, const struct admission *m, const struct container *c)
{
	struct err err;

	begin_record(a);
	int r = record_admission(m, c, policy_in_force(a), a->scratch, &a->out, &err);
	send_packed(a, r, UPLINK_PROCESS, m->unix_ns, &err);
}

static void send_container_event(struct agent *a, const struct container *c, int type)
{
	struct err err;
	uint64_t now = clock_unix_ns(a->clk);

	begin_record(a);
	int r = record_container_event(c, configs_get(a->configs, c->id), type, now, &a->out, &err);
	send_packed(a, r, UPLINK_PROCESS, now, &err);
}

void agent_on_container(void *arg, const struct container *c, enum world_change change)
{
	static const int types[] = { [WORLD_CREATED] = PICKET__EVENT_TYPE__EVENT_CONTAINER_CREATE,
				     [WORLD_STARTED] = PICKET__EVENT_TYPE__EVENT_CONTAINER_START,
				     [WORLD_STOPPED] = PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP,
				     [WORLD_REMOVED] = 0,
				     [WORLD_UPDATED] = 0,
				     [WORLD_CHANGED] = PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE };
	struct agent *a = arg;
	struct err err;
	uint64_t now = clock_unix_ns(a->clk);

	if (c->is_named && (change == WORLD_CREATED || change == WORLD_UPDATED)) {
		begin_record(a);
		int r = record_container(c, configs_get(a->configs, c->id), now, a->scratch, &a->out, &err);
		send_packed(a, r, UPLINK_PROCESS, now, &err);
	}
	if (types[change])
		send_container_event(a, c, types[change]);
	if (c->is_inspected)
		hold_release(a->hold, c->id);
	if (a->live)
		live_container(a->live, c);
	agent_network_container(a, c, change);
	agent_audit_container(a, c, change);
}

void agent_on_engine(void *arg, bool is_connected, const char *why)
{
	struct agent *a = arg;

	a->has_engine = is_connected;
	a->engine_since_ns = clock_boot_ns(a->clk);
	if (a->audit)
		audit_live_engine(a->audit, is_connected);
	if (is_connected)
		LOG(INFO, "engine.connected", KV_STR("engine", "docker"));
	else
		LOG(WARN, "engine.lost", KV_STR("engine", "docker"), KV_STR("why", why));
}

void agent_on_tick(void *arg)
{
	struct agent *a = arg;

	fold_tick(a->fold, clock_unix_ns(a->clk));
	agent_tell_losses(a, false);
	agent_network_tick(a);
	if (a->event_log)
		event_log_flush(a->event_log);
}
