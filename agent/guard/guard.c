/* guard.c - see guard.h: which rules act, how often, and what is told of it. */
#include "agent/guard/guard_priv.h"

#include <errno.h>
#include <unistd.h>

#include "agent/world/world.h"

enum { RECENT_WAYS = 8, WAITING = 64, WAIT_MS = 100 };

/* The last result for a target: so that many matches of one deed are one action and one line. */
struct recent {
	enum guard_action action;
	uint32_t pid;
	uint64_t start_ns;
	char id[65];
	bool is_used;
	bool is_known; /* false: nothing has come of it yet */
	enum guard_outcome last;
	uint64_t ended_ns, told_ns;
	uint64_t why; /* hash of the reason that was told */
	uint64_t folded;
};

/* A kill at an exec, not told yet: the kernel's side may say in the next record that it was the one. */
struct waiting {
	struct guard_act act; /* rule NULL: free */
	enum guard_outcome what;
	char why[GUARD_WHY_BYTES];
};

struct guard {
	const struct clock *clk;
	guard_fn fn;
	void *arg;
	enum guard_mode mode;
	struct guard_rule *rules; /* by name, then action; no two alike */
	size_t rule_count;
	struct guard_family family;
	struct engine *engine; /* NULL: no engine */
	uint64_t *taken;       /* when, the last max_per_minute actions; a ring */
	uint64_t max_per_minute, next;
	struct recent recent[GUARD_RECENT];
	struct waiting waiting[WAITING];
	struct loop_timer *wait;
	struct guard_stats stats;
};

static const char *const names[] = { "kill", "stop", "pause", "disconnect" };
_Static_assert(ARRAY_LEN(names) == GUARD_ACTION_COUNT, "each action has a name");

const char *guard_action_name(enum guard_action a)
{
	return a < GUARD_ACTION_COUNT ? names[a] : "unknown";
}

bool guard_action_parse(struct slice s, enum guard_action *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (slice_is(s, names[i])) {
			*ret = (enum guard_action)i;
			return true;
		}
	return false;
}

/* ---- what is remembered ---- */

static bool is_target(const struct recent *r, const struct guard_act *a)
{
	return r->is_used && r->action == a->action &&
	       (a->action == GUARD_KILL ? r->pid == a->pid && r->start_ns == a->start_ns
					: !strcmp(r->id, a->id));
}

/* The target's place, emptied if it was another's; the one told longest ago makes room. */
static struct recent *find_recent(struct guard *g, const struct guard_act *a)
{
	uint64_t h = a->action == GUARD_KILL ? (a->start_ns ^ a->pid) * 0x9e3779b97f4a7c15u
					     : slice_hash(slice_of(a->id)) + (uint64_t)a->action;
	struct recent *row = &g->recent[(h >> 32) % (GUARD_RECENT / RECENT_WAYS) * RECENT_WAYS];
	struct recent *oldest = row;

	for (size_t i = 0; i < RECENT_WAYS; i++) {
		if (is_target(&row[i], a))
			return &row[i];
		if (row[i].ended_ns < oldest->ended_ns)
			oldest = &row[i];
	}
	*oldest = (struct recent){ .is_used = true,
				   .action = a->action,
				   .pid = a->pid,
				   .start_ns = a->start_ns,
				   .ended_ns = clock_boot_ns(g->clk) };
	memcpy(oldest->id, a->id, sizeof(oldest->id));
	return oldest;
}

/* Nothing new is to be done about this match. A container that was stopped or paused and does something
 * afterwards was let go by somebody: that is acted upon again. */
static bool is_over(const struct guard *g, const struct recent *r, const struct guard_act *a)
{
	uint64_t age_ns = clock_boot_ns(g->clk) - r->ended_ns;

	if (!r->is_known)
		return false;
	if (r->last == GUARD_REFUSED) /* the engine is not asked for each of a thousand matches */
		return a->action != GUARD_KILL && age_ns < GUARD_RETRY_NS;
	if (r->last == GUARD_DONE && (a->action == GUARD_STOP || a->action == GUARD_PAUSE))
		return a->event_ns <= r->ended_ns;
	return age_ns < GUARD_FOLD_NS;
}

/* ---- how often ---- */

/* At most max_per_minute in any sixty seconds. */
bool guard_rate_take(struct guard *g)
{
	uint64_t now = clock_boot_ns(g->clk), *slot = &g->taken[g->next];

	if (*slot && now - *slot < GUARD_FOLD_NS)
		return false;
	*slot = now;
	g->next = (g->next + 1) % g->max_per_minute;
	return true;
}

bool guard_is_dry(const struct guard *g)
{
	return g->mode != GUARD_ENFORCE;
}

/* ---- what is told ---- */

static void hand_over(struct guard *g, const struct guard_act *a, struct recent *r, bool is_done, bool by_kernel,
		      const char *why)
{
	uint64_t now = clock_boot_ns(g->clk), ended_ns = a->ended_ns ? a->ended_ns : now;
	struct guard_result result = {
		.rule = a->rule,
		.action = a->action,
		.is_dry_run = g->mode == GUARD_DRY_RUN,
		.is_done = is_done,
		.by_kernel = by_kernel,
		.why = why,
		.pid = a->pid,
		.start_ns = a->start_ns,
		.container_id = a->id,
		.finding_seq = a->finding_seq,
		.took_ns = by_kernel || ended_ns < a->event_ns ? 0 : ended_ns - a->event_ns,
		.unix_ns = clock_unix_ns(g->clk),
		.folded = r->folded,
	};

	r->folded = 0;
	r->told_ns = now;
	r->why = slice_hash(slice_of(why));
	if (g->fn)
		g->fn(g->arg, &result);
}

void guard_tell(struct guard *g, const struct guard_act *a, enum guard_outcome what, const char *why)
{
	struct recent *r = find_recent(g, a);
	uint64_t now = clock_boot_ns(g->clk);
	char text[GUARD_WHY_BYTES];
	bool is_repeat;

	switch (what) {
	case GUARD_DONE:
		g->stats.done++;
		break;
	case GUARD_DRY:
		g->stats.dry++;
		why = "dry run";
		break;
	case GUARD_TOO_MANY:
		snprintf(text, sizeof(text), "more than %llu actions in a minute",
			 (unsigned long long)g->max_per_minute);
		why = text;
		what = GUARD_REFUSED;
		/* fall through */
	case GUARD_REFUSED:
		g->stats.refused++;
		break;
	}
	is_repeat = what == GUARD_REFUSED && r->is_known && r->last == what &&
		    now - r->told_ns < GUARD_FOLD_NS && r->why == slice_hash(slice_of(why));
	r->is_known = true;
	r->last = what;
	r->ended_ns = now;
	if (is_repeat) {
		r->folded++;
		g->stats.folded++;
		return;
	}
	hand_over(g, a, r, what == GUARD_DONE, false, why);
}

/* ---- kills at an exec ---- */

static bool is_waiting(const struct waiting *w, const struct guard_act *a)
{
	return w->act.rule && w->act.pid == a->pid && w->act.start_ns == a->start_ns;
}

static struct waiting *find_waiting(struct guard *g, const struct guard_act *a)
{
	for (size_t i = 0; i < WAITING; i++)
		if (is_waiting(&g->waiting[i], a))
			return &g->waiting[i];
	return NULL;
}

static void tell_waiting(struct waiting *w, struct guard *g)
{
	struct waiting told = *w;

	w->act.rule = NULL;
	if (told.act.rule)
		guard_tell(g, &told.act, told.what, told.why);
}

static void on_waited(void *arg)
{
	struct guard *g = arg;

	for (size_t i = 0; i < WAITING; i++)
		tell_waiting(&g->waiting[i], g);
}

static void tell_later(struct guard *g, const struct guard_act *a, enum guard_outcome what, const char *why)
{
	for (size_t i = 0; i < WAITING; i++) {
		struct waiting *w = &g->waiting[i];

		if (w->act.rule)
			continue;
		*w = (struct waiting){ .act = *a, .what = what };
		w->act.ended_ns = clock_boot_ns(g->clk);
		(void)slice_copy(slice_of(why), w->why, sizeof(w->why));
		loop_timer_once(g->wait, WAIT_MS);
		return;
	}
	guard_tell(g, a, what, why);
}

/* ---- the actions ---- */

static void kill_it(struct guard *g, const struct guard_act *a, const struct event *e)
{
	char why[GUARD_WHY_BYTES] = "", id[65];
	const char *engine;
	bool is_contained = a->id[0] || cgroup_container_id(e->p.cgroup, id, &engine);
	CLEANUP(fd_closep) int fd = kill_open(&g->family, &e->p, is_contained, why);
	enum guard_outcome what = GUARD_REFUSED;

	if (fd >= 0 && !guard_rate_take(g))
		what = GUARD_TOO_MANY;
	else if (fd >= 0 && guard_is_dry(g))
		what = GUARD_DRY;
	else if (fd >= 0 && kill_send(fd, why))
		what = GUARD_DONE;
	if (e->type == EV_EXEC && !guard_is_dry(g))
		tell_later(g, a, what, why);
	else
		guard_tell(g, a, what, why);
}

static void ask_engine(struct guard *g, const struct guard_act *a, const struct event *e)
{
	if (!a->id[0])
		guard_tell(g, a, GUARD_REFUSED, "not in a container");
	/* There each user makes cgroups of any name, so also of somebody else's container. */
	else if (slice_starts(e->p.cgroup, SLICE_LIT("/user.slice/")))
		guard_tell(g, a, GUARD_REFUSED, "in a user's own cgroup: no container of the Docker Engine");
	else if (!inspect_is_id(slice_of(a->id)))
		guard_tell(g, a, GUARD_REFUSED, "not a container of the Docker Engine");
	else if (!strcmp(a->id, g->family.container_id))
		guard_tell(g, a, GUARD_REFUSED, "protected: the agent runs in it");
	else
		engine_act(g->engine, a);
}

static struct guard_act make_act(const char *rule, enum guard_action action, const struct event *e,
				 const char *container_id, uint64_t finding_seq)
{
	struct guard_act a = { .rule = rule,
			       .action = action,
			       .pid = e->p.pid,
			       .start_ns = e->p.start_ns,
			       .finding_seq = finding_seq,
			       .event_ns = e->boot_ns };

	/* An id that does not fit is none of Docker's; cut, it is still told, and never acted upon. */
	if (!slice_copy(slice_of(container_id), a.id, sizeof(a.id)))
		a.id[0] = '?';
	return a;
}

static void act(struct guard *g, const struct guard_act *a, const struct event *e)
{
	struct recent *r = find_recent(g, a);

	if (is_over(g, r, a) || (a->action == GUARD_KILL && find_waiting(g, a)) ||
	    (g->engine && a->action != GUARD_KILL && engine_is_busy(g->engine, a))) {
		r->folded++;
		g->stats.folded++;
	} else if (a->action == GUARD_KILL) {
		kill_it(g, a, e);
	} else {
		ask_engine(g, a, e);
	}
}

static int compare_rules(const void *a, const void *b)
{
	const struct guard_rule *x = a, *y = b;
	int order = strcmp(x->rule, y->rule);

	return order ? order : (int)x->action - (int)y->action;
}

/* The first of the rule's rows, or rule_count. */
static size_t find_rule(const struct guard *g, const char *rule)
{
	size_t low = 0, high = g->rule_count;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (strcmp(g->rules[mid].rule, rule) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low < g->rule_count && !strcmp(g->rules[low].rule, rule) ? low : g->rule_count;
}

bool guard_wants(const struct guard *g, const char *rule)
{
	return g->mode != GUARD_OFF && find_rule(g, rule) < g->rule_count;
}

void guard_match(struct guard *g, const char *rule, const struct event *e, const char *container_id,
		 uint64_t finding_seq)
{
	if (g->mode == GUARD_OFF)
		return;
	for (size_t i = find_rule(g, rule); i < g->rule_count && !strcmp(g->rules[i].rule, rule); i++) {
		struct guard_act a = make_act(g->rules[i].rule, g->rules[i].action, e, container_id, finding_seq);

		act(g, &a, e);
	}
}

void guard_killed(struct guard *g, const char *rule, const struct event *e, const char *container_id)
{
	struct guard_act a = make_act(rule, GUARD_KILL, e, container_id, 0);
	struct recent *r = find_recent(g, &a);
	struct waiting *w = find_waiting(g, &a);

	if (w) { /* the same deed, as user space found it */
		a.finding_seq = w->act.finding_seq;
		w->act.rule = NULL;
	}
	g->stats.done++;
	r->is_known = true;
	r->last = GUARD_DONE;
	r->ended_ns = clock_boot_ns(g->clk);
	hand_over(g, &a, r, true, true, "");
}

void guard_each_kill(const struct guard *g, void (*fn)(void *arg, const char *rule), void *arg)
{
	for (size_t i = 0; g->mode == GUARD_ENFORCE && i < g->rule_count; i++)
		if (g->rules[i].action == GUARD_KILL)
			fn(arg, g->rules[i].rule);
}

void guard_stats(const struct guard *g, struct guard_stats *ret)
{
	*ret = g->stats;
}

/* ---- life ---- */

static int copy_rules(struct guard *g, const struct guard_config *cfg, struct err *err)
{
	if (cfg->rule_count > GUARD_RULES_MAX)
		return err_set(err, ERR_LIMIT, "responses for more than %d rules", GUARD_RULES_MAX);
	g->rules = calloc(cfg->rule_count + 1, sizeof(*g->rules));
	if (!g->rules)
		return err_set(err, ENOMEM, "responses");
	for (size_t i = 0; i < cfg->rule_count; i++) {
		char *rule = strdup(cfg->rules[i].rule);

		if (!rule)
			return err_set(err, ENOMEM, "responses");
		g->rules[g->rule_count++] =
			(struct guard_rule){ .rule = rule, .action = cfg->rules[i].action };
	}
	qsort(g->rules, g->rule_count, sizeof(*g->rules), compare_rules);
	size_t kept = 0;
	for (size_t i = 0; i < g->rule_count; i++) {
		if (kept && !compare_rules(&g->rules[kept - 1], &g->rules[i]))
			free((char *)g->rules[i].rule); /* named twice */
		else
			g->rules[kept++] = g->rules[i];
	}
	g->rule_count = kept;
	return 0;
}

static const struct guard_rule *find_container_action(const struct guard *g)
{
	for (size_t i = 0; i < g->rule_count; i++)
		if (g->rules[i].action != GUARD_KILL)
			return &g->rules[i];
	return NULL;
}

int guard_new(struct loop *l, struct fetch_pool *fetch, const struct clock *clk, const struct guard_config *cfg,
	      guard_fn fn, void *arg, struct guard **ret, struct err *err)
{
	CLEANUP(guard_freep) struct guard *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(err, ENOMEM, "responses");
	g->clk = clk;
	g->fn = fn;
	g->arg = arg;
	g->mode = cfg->mode;
	g->max_per_minute = cfg->max_per_minute ? cfg->max_per_minute : GUARD_RATE_DEFAULT;
	if (g->max_per_minute > GUARD_RATE_MAX)
		return err_set(err, ERR_LIMIT, "more than %d responses a minute", GUARD_RATE_MAX);
	g->taken = calloc(g->max_per_minute, sizeof(*g->taken));
	if (!g->taken)
		return err_set(err, ENOMEM, "responses");
	int r = copy_rules(g, cfg, err);
	if (r < 0)
		return r;
	const struct guard_rule *needs = g->mode == GUARD_OFF ? NULL : find_container_action(g);
	if (needs && !(cfg->docker_socket && *cfg->docker_socket))
		return err_set(err, ERR_SYNTAX, "to %s for rule '%.100s' a Docker socket is needed",
			       guard_action_name(needs->action), needs->rule);
	g->wait = loop_timer_new(l, on_waited, g);
	if (!g->wait)
		return err_set(err, ENOMEM, "responses");
	family_read(&g->family);
	if (needs)
		r = engine_new(l, fetch, cfg->docker_socket, &g->family, g, &g->engine, err);
	if (r < 0)
		return r;
	*ret = take_ptr(g);
	return 0;
}

void guard_free(struct guard *g)
{
	if (!g)
		return;
	engine_free(g->engine);
	on_waited(g); /* what was done is told, whatever comes */
	loop_timer_free(g->wait);
	for (size_t i = 0; i < g->rule_count; i++)
		free((char *)g->rules[i].rule);
	free(g->rules);
	free(g->taken);
	free(g);
}
