/* test_quiet.c - what people do with alerts, and what is not told: against a real store, with a clock of our own. */
#include "tests/collector/people.h"

#include "collector/alert/alert.h"
#include "collector/alert/escalate.h"
#include "collector/alert/quiet.h"
#include "collector/store/store_triage.h"

static const uint64_t t0 = 1795464000ull * 1000000000, minute = 60ull * 1000000000;

/* Everything that was told, as a collector would. */
enum { TOLD_MAX = 64 };
static struct {
	int64_t ids[TOLD_MAX];
	char routes[TOLD_MAX][32];
	size_t count;
} told;
static struct people *world;

static int setup(void **state)
{
	people_setup(state);
	world = *state;
	world->clk = clock_fake(t0);
	told.count = 0;
	return 0;
}

static int on_tell(void *arg, int64_t id, bool woke, struct err *err)
{
	(void)arg;
	(void)woke;
	(void)err;
	assert_true(told.count < TOLD_MAX);
	told.routes[told.count][0] = 0;
	told.ids[told.count++] = id;
	return 0;
}

static int on_route(void *arg, int64_t id, const char *route, struct err *err)
{
	on_tell(arg, id, false, err);
	snprintf(told.routes[told.count - 1], sizeof(told.routes[0]), "%s", route);
	return 0;
}

static void read_row(int64_t id, struct arena *a, struct store_alert *al)
{
	MUST(store_alert_get(world->store, id, a, al, &must_err));
}

/* As collector.c does. */
static void tell(const struct alert_change *c)
{
	struct arena *a = arena_new(1 << 21);
	struct alert_quiet q;
	struct store_alert al;

	if (c->is_new || c->is_escalated || c->is_reopened) {
		read_row(c->id, a, &al);
		MUST(store_inhibit_note(world->store, &al, &must_err));
		MUST(alert_quiet_hold(world->store, &al, clock_unix_ns(&world->clk), &q, &must_err));
		if (!q.is_quiet)
			on_tell(NULL, c->id, false, NULL);
	}
	arena_free(a);
}

static struct alert_change find_at(const char *rule, const char *priority, const char *host, uint64_t when)
{
	const struct alert_config day = { .fold_ms = 24 * 3600 * 1000, .now_unix_ns = clock_unix_ns(&world->clk) };
	static uint64_t seq;
	struct people_finding f;
	struct alert_change c;

	people_finding(&f, when);
	f.finding.rule = (char *)(uintptr_t)rule;
	f.finding.priority = (char *)(uintptr_t)priority;
	MUST(store_begin(world->store, &must_err));
	MUST(alert_from_finding(world->store, &day, "agent-1", host, 5, ++seq, &f.record, &c, &must_err));
	tell(&c);
	MUST(store_commit(world->store, &must_err));
	return c;
}

static struct alert_change find(const char *rule, const char *priority, const char *host)
{
	return find_at(rule, priority, host, clock_unix_ns(&world->clk));
}

static void pass(uint64_t ns)
{
	int r;

	clock_fake_advance(&world->clk, ns);
	do {
		r = alert_quiet_tick(world->store, &world->clk, on_tell, NULL, &must_err);
		if (r < 0)
			fail_msg("%s", must_err.msg);
	} while (r > 0);
}

static void reopen_store(void)
{
	struct store_config cfg = { .dir = world->dir };

	store_close(world->store);
	MUST(store_open(&cfg, &world->clk, &world->store, &must_err));
}

static void status_is(int64_t id, const char *want)
{
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;

	read_row(id, a, &al);
	assert_string_equal(al.status, want);
	arena_free(a);
}

static void deed(int64_t id, struct store_triage t)
{
	t.who = "anna";
	MUST(store_alert_triage(world->store, id, &t, &must_err));
}

static int add_line(void *arg, const struct store_trail *t)
{
	struct buf *out = arg;

	buf_printf(out, "%s %s %s;", t->who, t->what, t->text);
	return 0;
}

static void trail_is(int64_t id, const char *want)
{
	CLEANUP(buf_finip) struct buf out = { 0 };

	MUST(store_trail_each(world->store, id, add_line, &out, &must_err));
	assert_string_equal(out.p, want);
}

static int64_t silence(const char *matchers, uint64_t from, uint64_t until)
{
	const struct store_silence x = { .matchers = matchers, .reason = "deploy", .who = "anna",
					 .begins_unix_ns = from, .until_unix_ns = until };
	int64_t id;

	MUST(store_silence_add(world->store, &x, &id, &must_err));
	return id;
}

/* ---- triage ---- */

static void resolving_wants_a_reason_that_is_one(void **state)
{
	int64_t a = find("A", "Error", "host-1").id, b = find("B", "Error", "host-1").id;
	const struct {
		struct store_triage t;
		int code;
	} cases[] = {
		{ { .status = "resolved", .resolution = "because" }, -ERR_SYNTAX },
		{ { .status = "resolved", .resolution = "duplicate_of" }, -ERR_SYNTAX },
		{ { .status = "resolved", .resolution = "duplicate_of", .duplicate_of = b }, -ERR_SYNTAX },
		{ { .status = "resolved", .resolution = "duplicate_of", .duplicate_of = 99 }, -ERR_NOT_FOUND },
		{ { .status = "resolved", .resolution = "benign", .duplicate_of = a }, -ERR_SYNTAX },
		{ { .status = "snoozed" }, -ERR_SYNTAX },
		{ { .status = "snoozed", .wake_unix_ns = t0 }, -ERR_SYNTAX },
		{ { .status = "open" }, -ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct store_triage t = cases[i].t;

		t.who = "anna";
		if (store_alert_triage(world->store, b, &t, &must_err) != cases[i].code)
			fail_msg("case %zu: %s", i, must_err.msg);
	}
	deed(b, (struct store_triage){ .status = "resolved", .resolution = "duplicate_of", .duplicate_of = a });
	struct arena *arena = arena_new(1 << 21);
	struct store_alert al;
	read_row(b, arena, &al);
	assert_string_equal(al.resolution, "duplicate_of");
	assert_int_equal(al.duplicate_of, a);
	/* What it was resolved as is over when it is open again. */
	assert_true(find("B", "Error", "host-1").is_reopened);
	read_row(b, arena, &al);
	assert_string_equal(al.resolution, "");
	assert_int_equal(al.duplicate_of, 0);
	arena_free(arena);
}

static void a_trail_says_who_did_what(void **state)
{
	int64_t id = find("A", "Notice", "host-1").id;

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		find("A", "Notice", "host-1");
	find("A", "Critical", "host-1");
	deed(id, (struct store_triage){ .status = "acknowledged", .comment = "mine" });
	deed(id, (struct store_triage){ .assignee = "bert" });
	deed(id, (struct store_triage){ .status = "resolved", .resolution = "benign" });
	find("A", "Notice", "host-1");
	trail_is(id, "picket created ;picket folded 10 times;picket worse critical, was low;anna acknowledged ;"
		     "anna commented mine;anna assigned bert;anna resolved benign;picket reopened seen again;");
}

static void the_system_pushes_no_persons_word_out_of_the_trail(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	int64_t id = find("A", "Error", "host-1").id;

	(void)state;
	deed(id, (struct store_triage){ .comment = "kept" });
	for (unsigned i = 0; i < 500; i++)
		MUST(store_trail_add(world->store, id, TRAIL_SYSTEM, "worse", "", &must_err));
	MUST(store_trail_each(world->store, id, add_line, &out, &must_err));
	assert_non_null(strstr(out.p, "anna commented kept;"));
	assert_true(out.n < 250 * strlen("picket worse ;"));
}

static void a_snoozed_alert_sleeps_through_evidence_and_wakes_by_itself(void **state)
{
	int64_t id = find("A", "Error", "host-1").id;

	(void)state;
	assert_int_equal(told.count, 1);
	deed(id, (struct store_triage){ .status = "snoozed", .wake_unix_ns = t0 + 60 * minute });
	struct alert_change c = find("A", "Error", "host-1");
	assert_int_equal(c.count, 2);
	pass(59 * minute);
	status_is(id, "snoozed");
	assert_int_equal(told.count, 1);
	reopen_store();
	pass(minute);
	status_is(id, "new");
	assert_int_equal(told.count, 2);
	pass(minute);
	assert_int_equal(told.count, 2);
}

static void what_gets_worse_wakes_at_once(void **state)
{
	int64_t id = find("A", "Notice", "host-1").id;

	(void)state;
	deed(id, (struct store_triage){ .status = "snoozed", .wake_unix_ns = t0 + 60 * minute });
	assert_true(find("A", "Critical", "host-1").is_escalated);
	status_is(id, "new");
	assert_int_equal(told.count, 2);
	pass(60 * minute); /* its time is no longer there to wake it again */
	assert_int_equal(told.count, 2);
}

static void a_snoozed_alert_that_is_resolved_does_not_wake(void **state)
{
	int64_t id = find("A", "Error", "host-1").id;

	(void)state;
	deed(id, (struct store_triage){ .status = "snoozed", .wake_unix_ns = t0 + 60 * minute });
	MUST(alert_close(world->store, &world->clk, id, "over", &must_err));
	pass(61 * minute);
	status_is(id, "resolved");
	assert_int_equal(told.count, 1);
}

/* ---- silences ---- */

static void a_silence_must_end_and_say_what_it_is_of(void **state)
{
	const struct {
		const char *matchers;
		uint64_t begins, until;
	} wrong[] = { { "rule=A", t0, 0 },
		      { "rule=A", t0, t0 },
		      { "rule=A", t0, t0 + 367 * 24 * 60 * minute },
		      { "rule=A", t0 + 2 * minute, t0 + minute },
		      { "", t0, t0 + minute },
		      { "-rule=A", t0, t0 + minute },
		      { "rule!=A", t0, t0 + minute },
		      { "status=new", t0, t0 + minute },
		      { "silenced:yes", t0, t0 + minute } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const struct store_silence x = { .matchers = wrong[i].matchers, .reason = "r", .who = "anna",
						 .begins_unix_ns = wrong[i].begins, .until_unix_ns = wrong[i].until };
		int64_t id;

		if (store_silence_add(world->store, &x, &id, &must_err) != -ERR_SYNTAX)
			fail_msg("case %zu went through", i);
	}
}

static void a_silenced_alert_is_made_and_told_once_when_that_is_over(void **state)
{
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;

	(void)state;
	int64_t by = silence("rule=A host=host-*", t0, t0 + 60 * minute);
	int64_t id = find("A", "Error", "host-1").id;
	assert_int_equal(told.count, 0);
	find("B", "Error", "host-1");
	assert_int_equal(told.count, 1);
	read_row(id, a, &al);
	assert_int_equal(al.silence, by);
	arena_reset(a);
	pass(59 * minute);
	assert_int_equal(told.count, 1);
	reopen_store();
	pass(minute);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.ids[1], id);
	read_row(id, a, &al);
	assert_int_equal(al.silence, 0);
	pass(minute);
	assert_int_equal(told.count, 2);
	arena_free(a);
}

static void of_many_of_a_rule_one_alert_says_how_many(void **state)
{
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;
	char host[16];

	(void)state;
	int64_t by = silence("rule=A", t0, t0 + 60 * minute);
	for (unsigned i = 0; i < 250; i++) {
		snprintf(host, sizeof(host), "host-%u", i);
		find("A", i == 7 ? "Critical" : "Notice", host);
	}
	MUST(store_silence_end(world->store, by, "anna", &must_err));
	pass(0);
	assert_int_equal(told.count, 1);
	read_row(told.ids[0], a, &al);
	assert_string_equal(al.title, "250 open alerts of rule `A` were not told: silence 1 has ended");
	assert_int_equal(al.severity, SEVERITY_CRITICAL);
	arena_free(a);
}

/* More rules than one transaction takes: each is told all the same. */
static int count_tell(void *arg, int64_t id, bool woke, struct err *err)
{
	(void)id;
	(void)woke;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

static void however_many_rules_were_held_each_is_told(void **state)
{
	enum { RULES = 1100 };
	size_t count = 0;
	char rule[32];
	int r;

	(void)state;
	silence("severity>=low", t0, t0 + 60 * minute);
	for (int i = 0; i < RULES; i++) {
		snprintf(rule, sizeof(rule), "Rule %04d", i);
		find(rule, "Error", "host-1");
	}
	assert_int_equal(told.count, 0);
	clock_fake_advance(&world->clk, 61 * minute);
	while ((r = alert_quiet_tick(world->store, &world->clk, count_tell, &count, &must_err)) > 0)
		;
	MUST(r);
	assert_int_equal(count, RULES);
}

static void what_somebody_saw_meanwhile_is_not_told_late(void **state)
{
	(void)state;
	silence("rule=*", t0, t0 + 60 * minute);
	int64_t seen = find("A", "Error", "host-1").id, done = find("B", "Error", "host-1").id;
	deed(seen, (struct store_triage){ .status = "acknowledged" });
	deed(done, (struct store_triage){ .status = "resolved" });
	pass(61 * minute);
	assert_int_equal(told.count, 0);
}

static void a_second_silence_goes_on_holding(void **state)
{
	(void)state;
	silence("rule=A", t0, t0 + 60 * minute);
	silence("host=host-1", t0, t0 + 120 * minute);
	find("A", "Error", "host-1");
	pass(61 * minute);
	assert_int_equal(told.count, 0);
	pass(60 * minute);
	assert_int_equal(told.count, 1);
}

static void a_silence_to_come_holds_nothing_yet(void **state)
{
	(void)state;
	silence("rule=A", t0 + 10 * minute, t0 + 60 * minute);
	find("A", "Error", "host-1");
	assert_int_equal(told.count, 1);
	pass(10 * minute);
	find("A", "Error", "host-2");
	assert_int_equal(told.count, 1);
}

static int count_row(void *arg, const struct store_alert *al)
{
	(void)al;
	++*(unsigned *)arg;
	return 0;
}

static void the_inbox_is_asked_for_what_is_silenced(void **state)
{
	static const struct {
		const char *filter;
		unsigned want;
	} cases[] = { { "silenced:yes", 1 },	       { "silenced:no", 2 },	   { "-silenced:yes", 2 },
		      { "resolution=benign", 1 },      { "process=wget", 3 },	   { "exe=/usr/bin/*", 3 },
		      { "parent=bash", 0 },	       { "cmdline~203.0.113", 3 }, { "tag=T1105", 3 },
		      { "-tag=T1105", 0 },	       { "tag!=T9", 3 },	   { "rule=A process=wget", 1 },
		      { "host=host-2", 1 },	       { "user=root host=host-1", 2 } };

	(void)state;
	silence("rule=A", t0, t0 + 60 * minute);
	find("A", "Error", "host-1");
	find("B", "Error", "host-1");
	int64_t id = find("B", "Error", "host-2").id;
	deed(id, (struct store_triage){ .status = "resolved", .resolution = "benign" });
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct store_query q = { .filter = slice_of(cases[i].filter), .limit = 10 };
		unsigned n = 0;
		char cursor[64];

		MUST(store_alert_query(world->store, &q, count_row, &n, cursor, sizeof(cursor), &must_err));
		if (n != cases[i].want)
			fail_msg("%s: %u, not %u", cases[i].filter, n, cases[i].want);
	}
}

/* ---- inhibition ---- */

static const char *const by_host[] = { "host" };
static const struct store_inhibition host_down = { .name = "host down", .source = "rule=Down severity>=high",
						   .target = "severity<critical", .equal = by_host, .equal_count = 1 };

static void an_open_alert_inhibits_those_with_equal_fields_until_it_is_resolved(void **state)
{
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;
	struct alert_quiet q;

	(void)state;
	MUST(store_inhibitions_set(world->store, &host_down, 1, &must_err));
	int64_t down = find("Down", "Critical", "host-1").id;
	int64_t held = find("A", "Error", "host-1").id;
	assert_int_equal(told.count, 1);
	find("A", "Error", "host-2"); /* another host */
	find("B", "Critical", "host-1"); /* no target */
	assert_int_equal(told.count, 3);
	read_row(held, a, &al);
	MUST(alert_quiet(world->store, &al, t0, &q, &must_err));
	assert_string_equal(q.why, "inhibited by alert 1 (host down)");
	pass(minute);
	assert_int_equal(told.count, 3);
	deed(down, (struct store_triage){ .status = "resolved" });
	pass(minute);
	assert_int_equal(told.count, 4);
	assert_int_equal(told.ids[3], held);
	arena_free(a);
}

static void a_new_rule_looks_at_what_was_open_before_it(void **state)
{
	(void)state;
	find("Down", "Critical", "host-1");
	MUST(store_inhibitions_set(world->store, &host_down, 1, &must_err));
	while (store_inhibit_catch_up(world->store, &must_err) > 0)
		;
	find("A", "Error", "host-1");
	assert_int_equal(told.count, 1);
	/* Without the rule nothing is left of it. */
	MUST(store_inhibitions_set(world->store, NULL, 0, &must_err));
	find("B", "Error", "host-1");
	assert_int_equal(told.count, 2);
}

static void two_that_are_source_and_target_both_inhibit_neither(void **state)
{
	static const struct store_inhibition loop = { .name = "loop", .source = "rule=A*", .target = "rule=A*",
						      .equal = by_host, .equal_count = 1 };

	(void)state;
	MUST(store_inhibitions_set(world->store, &loop, 1, &must_err));
	find("A1", "Error", "host-1");
	find("A2", "Error", "host-1");
	assert_int_equal(told.count, 2);
}

/* Two rules, each the other's way round: one of them must be heard of. */
static void two_rules_in_a_circle_do_not_silence_each_other(void **state)
{
	static const struct store_inhibition circle[] = {
		{ .name = "one", .source = "rule=A", .target = "rule=B", .equal = by_host, .equal_count = 1 },
		{ .name = "two", .source = "rule=B", .target = "rule=A", .equal = by_host, .equal_count = 1 } };

	(void)state;
	MUST(store_inhibitions_set(world->store, circle, ARRAY_LEN(circle), &must_err));
	find("A", "Notice", "host-1");
	find("B", "Notice", "host-1");
	assert_int_equal(told.count, 1);
	find("A", "Critical", "host-1"); /* worse: told, though B is open */
	assert_int_equal(told.count, 2);
	find("B", "Critical", "host-1");
	assert_int_equal(told.count, 2);
}

/* Its host's clock was ahead once, or it lies: what it finds in a month is an alert of its own all the same. */
static void a_finding_of_the_future_does_not_take_in_all_that_come(void **state)
{
	(void)state;
	struct alert_change c = find_at("A", "Error", "host-1", t0 + 100ull * 365 * 24 * 60 * minute);
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;

	read_row(c.id, a, &al);
	assert_int_equal(al.last_seen_unix_ns, t0);
	deed(c.id, (struct store_triage){ .status = "acknowledged" });
	clock_fake_advance(&world->clk, 30ull * 24 * 60 * minute);
	told.count = 0;
	assert_true(find("A", "Error", "host-1").is_new);
	assert_int_equal(told.count, 1);
	arena_free(a);
}

static void a_wrong_rule_of_inhibition_is_named(void **state)
{
	static const char *const nonsense[] = { "colour" };
	struct store_inhibition x = host_down;

	(void)state;
	x.equal = nonsense;
	assert_int_equal(store_inhibitions_set(world->store, &x, 1, &must_err), -ERR_SYNTAX);
	assert_non_null(strstr(must_err.msg, "colour"));
	x = host_down;
	x.target = "sevrity=high";
	assert_int_equal(store_inhibitions_set(world->store, &x, 1, &must_err), -ERR_SYNTAX);
	assert_non_null(strstr(must_err.msg, "host down"));
}

/* ---- escalation ---- */

static char pager[] = "pager", chief[] = "chief", night[] = "night", bad[] = "severity>=high";
static char *routes[] = { pager, chief };
static struct alert_escalation policy = { .name = night, .filter = bad, .after_ms = 15 * 60000, .every_ms = 5 * 60000,
					  .times = 2, .routes = { .items = routes, .count = 2 } };

static void wait_for(const struct alert_escalations *e, uint64_t ns)
{
	clock_fake_advance(&world->clk, ns);
	while (alert_escalations_tick(e, world->store, &world->clk, on_route, NULL, &must_err) > 0)
		;
}

static void begin(const struct alert_escalations *e, int64_t id)
{
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;

	read_row(id, a, &al);
	MUST(alert_escalations_begin(e, world->store, &al, clock_unix_ns(&world->clk), &must_err));
	arena_free(a);
}

static void what_nobody_acknowledges_goes_to_further_routes_so_often(void **state)
{
	CLEANUP(alert_escalations_freep) struct alert_escalations *e = NULL;

	(void)state;
	MUST(alert_escalations_new(&policy, 1, &e, &must_err));
	int64_t id = find("A", "Error", "host-1").id, low = find("B", "Notice", "host-1").id;
	begin(e, id);
	begin(e, low);
	told.count = 0;
	wait_for(e, 15 * minute - 1);
	assert_int_equal(told.count, 0);
	begin(e, id); /* a repeat does not begin anew */
	reopen_store();
	wait_for(e, 1);
	assert_int_equal(told.count, 2);
	assert_string_equal(told.routes[0], "pager");
	assert_string_equal(told.routes[1], "chief");
	assert_int_equal(told.ids[1], id);
	wait_for(e, 5 * minute);
	assert_int_equal(told.count, 4);
	wait_for(e, 60 * minute);
	assert_int_equal(told.count, 4);
	trail_is(id, "picket created ;picket escalated night, time 1: pager, chief;picket escalated night, time 2: pager, chief;");
}

/* It was a year ahead when the alert came. */
static void a_clock_that_is_set_back_keeps_no_escalation_from_coming(void **state)
{
	const uint64_t year = 365ull * 24 * 60 * minute;
	CLEANUP(alert_escalations_freep) struct alert_escalations *e = NULL;

	(void)state;
	MUST(alert_escalations_new(&policy, 1, &e, &must_err));
	world->clk.fake_unix_ns += year;
	begin(e, find("A", "Error", "host-1").id);
	told.count = 0;
	world->clk.fake_unix_ns -= year;
	wait_for(e, minute);
	wait_for(e, 15 * minute);
	assert_int_equal(told.count, 2);
}

/* A policy that comes later has its time from then on: whoever sets one is not woken by all of yesterday at once. */
static void alerts_from_before_a_policy_escalate_from_then_on(void **state)
{
	CLEANUP(alert_escalations_freep) struct alert_escalations *e = NULL, *other = NULL;
	struct alert_escalation changed = policy;

	(void)state;
	int64_t id = find("A", "Error", "host-1").id, seen = find("B", "Error", "host-1").id, low = find("C", "Notice", "host-1").id;
	deed(seen, (struct store_triage){ .status = "acknowledged" });
	clock_fake_advance(&world->clk, 24 * 60 * minute);
	MUST(alert_escalations_new(&policy, 1, &e, &must_err));
	MUST(alert_escalations_known(e, world->store, &must_err));
	told.count = 0;
	wait_for(e, 0);
	reopen_store();
	wait_for(e, 15 * minute - 1);
	assert_int_equal(told.count, 0);
	wait_for(e, 1);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.ids[0], id);
	wait_for(e, 60 * minute);
	assert_int_equal(told.count, 4);
	/* the same policy after a restart has looked at them already */
	MUST(alert_escalations_known(e, world->store, &must_err));
	wait_for(e, 60 * minute);
	wait_for(e, 60 * minute);
	assert_int_equal(told.count, 4);
	/* one that is of other alerts now looks again */
	changed.filter = (char[]){ "severity>=low" };
	MUST(alert_escalations_new(&changed, 1, &other, &must_err));
	MUST(alert_escalations_known(other, world->store, &must_err));
	wait_for(other, 0);
	wait_for(other, 15 * minute);
	assert_int_equal(told.count, 8);
	assert_true(told.ids[4] == low || told.ids[6] == low);
}

static void who_acknowledges_ends_it_and_a_silence_puts_it_off(void **state)
{
	CLEANUP(alert_escalations_freep) struct alert_escalations *e = NULL;

	(void)state;
	MUST(alert_escalations_new(&policy, 1, &e, &must_err));
	int64_t seen = find("A", "Error", "host-1").id, hushed = find("B", "Error", "host-1").id;
	begin(e, seen);
	begin(e, hushed);
	told.count = 0;
	deed(seen, (struct store_triage){ .status = "acknowledged" });
	silence("rule=B", t0, t0 + 30 * minute);
	wait_for(e, 20 * minute);
	assert_int_equal(told.count, 0);
	wait_for(e, 11 * minute);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.ids[0], hushed);
}

static void a_wrong_policy_is_named(void **state)
{
	struct alert_escalation x[2] = { policy, policy };
	struct alert_escalations *e;

	(void)state;
	assert_int_equal(alert_escalations_new(x, 2, &e, &must_err), -ERR_SYNTAX);
	assert_non_null(strstr(must_err.msg, "two are called 'night'"));
	x[0].routes.count = 0;
	assert_int_equal(alert_escalations_new(x, 1, &e, &must_err), -ERR_SYNTAX);
	x[0] = policy;
	x[0].filter = night;
	x[0].filter = (char[]){ "colour=red" };
	assert_int_equal(alert_escalations_new(x, 1, &e, &must_err), -ERR_SYNTAX);
	assert_non_null(strstr(must_err.msg, "night"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, people_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(resolving_wants_a_reason_that_is_one),
		TEST(a_trail_says_who_did_what),
		TEST(the_system_pushes_no_persons_word_out_of_the_trail),
		TEST(a_snoozed_alert_sleeps_through_evidence_and_wakes_by_itself),
		TEST(what_gets_worse_wakes_at_once),
		TEST(a_snoozed_alert_that_is_resolved_does_not_wake),
		TEST(a_silence_must_end_and_say_what_it_is_of),
		TEST(a_silenced_alert_is_made_and_told_once_when_that_is_over),
		TEST(of_many_of_a_rule_one_alert_says_how_many),
		TEST(however_many_rules_were_held_each_is_told),
		TEST(what_somebody_saw_meanwhile_is_not_told_late),
		TEST(a_second_silence_goes_on_holding),
		TEST(a_silence_to_come_holds_nothing_yet),
		TEST(the_inbox_is_asked_for_what_is_silenced),
		TEST(an_open_alert_inhibits_those_with_equal_fields_until_it_is_resolved),
		TEST(a_new_rule_looks_at_what_was_open_before_it),
		TEST(two_that_are_source_and_target_both_inhibit_neither),
		TEST(two_rules_in_a_circle_do_not_silence_each_other),
		TEST(a_finding_of_the_future_does_not_take_in_all_that_come),
		TEST(a_wrong_rule_of_inhibition_is_named),
		TEST(what_nobody_acknowledges_goes_to_further_routes_so_often),
		TEST(a_clock_that_is_set_back_keeps_no_escalation_from_coming),
		TEST(alerts_from_before_a_policy_escalate_from_then_on),
		TEST(who_acknowledges_ends_it_and_a_silence_puts_it_off),
		TEST(a_wrong_policy_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
