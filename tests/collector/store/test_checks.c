/* test_checks.c - findings of checks over reports, waivers, containers and policies. */
#include "tests/collector/store/fixture.h"

#include "tests/collector/reports.h"

static struct report rep;

static void start(struct fixture *f)
{
	struct err err;

	fixture_init(f);
	fixture_enrol(f->s, "agent-1", "web");
	fixture_enrol(f->s, "agent-2", "db");
	struct store_agent a;
	CLEANUP(arena_freep) struct arena *arena = arena_new(65536);
	OK(store_agent_get(f->s, "web", &a, arena, &err));
}

struct got {
	size_t n;
	char text[64][400];
	int64_t ids[64];
};

static int on_finding(void *arg, const struct store_check_finding *x)
{
	struct got *g = arg;

	if (g->n == 64)
		return -E2BIG;
	g->ids[g->n] = x->id;
	snprintf(g->text[g->n++], 400, "%s %s %s %s %s", x->host, x->subject, x->check, msg_severity_name(x->severity),
		 x->status);
	return 0;
}

static struct got findings(struct fixture *f, const char *filter)
{
	const struct store_query q = { .filter = slice_of(filter), .limit = 64 };
	struct got g = { 0 };
	char cursor[64];
	struct err err;

	OK(store_check_finding_query(f->s, &q, on_finding, &g, cursor, sizeof(cursor), &err));
	return g;
}

static void expect(struct fixture *f, const char *filter, size_t count, const char *first)
{
	struct got g = findings(f, filter);

	if (g.n != count || (count && strcmp(g.text[0], first) != 0))
		fail_msg("%s: %zu, first '%s'; want %zu, '%s'", filter, g.n, g.n ? g.text[0] : "", count, first);
}

static void bad_web(struct fixture *f, const char *id)
{
	report_init(&rep, "container", id, "web-1", "nginx:1.25");
	report_add(&rep, "PKT-C-005", "fail", "critical", "privileged");
	report_add(&rep, "PKT-C-011", "fail", "low", "no memory limit");
	report_add(&rep, "PKT-C-020", "na", "low", "");
	report_put(f->s, "agent-1", &rep);
}

static void a_finding_is_new_then_still_then_mended_then_back(void **state)
{
	struct store_check_finding x;
	CLEANUP(arena_freep) struct arena *a = arena_new(65536);
	struct fixture f;
	struct err err;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	expect(&f, "", 2, "web web-1 PKT-C-005 critical new");
	clock_fake_advance(&f.clk, SECOND_NS);
	bad_web(&f, "aaaa");
	expect(&f, "", 2, "web web-1 PKT-C-005 critical still");
	/* one is not named any more */
	report_init(&rep, "container", "aaaa", "web-1", "nginx:1.25");
	report_add(&rep, "PKT-C-011", "fail", "low", "no memory limit");
	clock_fake_advance(&f.clk, SECOND_NS);
	assert_int_equal(report_put(f.s, "agent-1", &rep).mended, 1);
	expect(&f, "", 1, "web web-1 PKT-C-011 low still");
	expect(&f, "status:mended", 1, "web web-1 PKT-C-005 critical mended");
	int64_t id = findings(&f, "status:mended").ids[0];
	OK(store_check_finding_get(f.s, id, a, &x, &err));
	assert_int_equal(x.mended_unix_ns, T0 + 2 * SECOND_NS);
	assert_string_equal(x.mended_why, "it is no longer so");
	clock_fake_advance(&f.clk, SECOND_NS);
	bad_web(&f, "aaaa");
	expect(&f, "", 2, "web web-1 PKT-C-005 critical reopened");
	OK(store_check_finding_get(f.s, id, a, &x, &err));
	assert_int_equal(x.first_seen_unix_ns, T0);
	assert_int_equal(x.opened_unix_ns, T0 + 3 * SECOND_NS);
	assert_int_equal(x.reopened, 1);
	assert_string_equal(x.evidence, "privileged");
	assert_int_equal(store_check_finding_get(f.s, 999, a, &x, &err), -ERR_NOT_FOUND);
	fixture_fini(&f);
}

static void a_container_made_again_keeps_its_history(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	int64_t id = findings(&f, "check=PKT-C-005").ids[0];
	/* the same name, another id and a newer tag */
	report_init(&rep, "container", "bbbb", "web-1", "nginx:1.26");
	report_add(&rep, "PKT-C-005", "fail", "critical", "privileged");
	report_put(f.s, "agent-1", &rep);
	assert_int_equal(findings(&f, "check=PKT-C-005").ids[0], id);
	/* the end of the old one comes late, and is not the new one's */
	report_init(&rep, "container", "aaaa", "web-1", "nginx:1.25");
	rep.m.is_gone = true;
	report_put(f.s, "agent-1", &rep);
	expect(&f, "", 1, "web web-1 PKT-C-005 critical still");
	report_init(&rep, "container", "bbbb", "web-1", "nginx:1.26");
	rep.m.is_gone = true;
	assert_int_equal(report_put(f.s, "agent-1", &rep).mended, 1);
	expect(&f, "", 0, "");
	/* of another image it is another one; on another host, too */
	report_init(&rep, "container", "cccc", "web-1", "evil/nginx:1.26");
	report_add(&rep, "PKT-C-005", "fail", "critical", "privileged");
	report_put(f.s, "agent-1", &rep);
	report_put(f.s, "agent-2", &rep);
	expect(&f, "", 2, "db web-1 PKT-C-005 critical new");
	fixture_fini(&f);
}

static void what_cannot_be_told_mends_nothing(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	report_init(&rep, "container", "aaaa", "web-1", "nginx:1.25");
	report_add(&rep, "PKT-C-005", "error", "critical", "not to be read");
	report_add(&rep, "PKT-C-099", "error", "high", "not to be read");
	report_put(f.s, "agent-1", &rep);
	expect(&f, "check=PKT-C-005", 1, "web web-1 PKT-C-005 critical new");
	expect(&f, "evidence=privileged", 1, "web web-1 PKT-C-005 critical new");
	expect(&f, "result=error", 1, "web web-1 PKT-C-099 high new");
	expect(&f, "check=PKT-C-011", 0, "");
	fixture_fini(&f);
}

static void filters_find_what_they_say(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	report_catalogue(f.s, "agent-1");
	bad_web(&f, "0123456789abcdef");
	report_init(&rep, "host", "", "", "");
	report_add(&rep, "PKT-H-001", "fail", "medium", "no separate partition")->differs = true;
	report_put(f.s, "agent-2", &rep);
	expect(&f, "severity>=medium", 2, "web web-1 PKT-C-005 critical new");
	expect(&f, "host=db", 1, "db  PKT-H-001 medium new");
	expect(&f, "container=web-*", 2, "web web-1 PKT-C-005 critical new");
	expect(&f, "container=0123456789ab", 2, "web web-1 PKT-C-005 critical new");
	expect(&f, "kind=host", 1, "db  PKT-H-001 medium new");
	expect(&f, "differs:yes", 1, "db  PKT-H-001 medium new");
	expect(&f, "cis~5.4 mitre=T1611", 1, "web web-1 PKT-C-005 critical new");
	expect(&f, "title~privileged", 1, "web web-1 PKT-C-005 critical new");
	expect(&f, "status=open -host=web", 1, "db  PKT-H-001 medium new");
	expect(&f, "status!=open", 0, "");
	expect(&f, "partition", 1, "db  PKT-H-001 medium new");
	expect(&f, "since=1h image=nginx:*", 2, "web web-1 PKT-C-005 critical new");
	fixture_fini(&f);
}

static void pages_follow_one_another(void **state)
{
	struct store_query q = { .limit = 7 };
	struct fixture f;
	char cursor[64] = "", name[16];
	struct err err;
	size_t total = 0;

	(void)state;
	start(&f);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "c-%d", i);
		report_init(&rep, "container", name, name, "nginx");
		report_add(&rep, "PKT-C-005", "fail", i % 2 ? "critical" : "low", "x");
		report_put(f.s, "agent-1", &rep);
	}
	do {
		struct got g = { 0 };

		q.cursor = cursor;
		OK(store_check_finding_query(f.s, &q, on_finding, &g, cursor, sizeof(cursor), &err));
		total += g.n;
	} while (cursor[0]);
	assert_int_equal(total, 20);
	q.cursor = "nonsense";
	struct got none = { 0 };
	assert_int_equal(store_check_finding_query(f.s, &q, on_finding, &none, cursor, sizeof(cursor), &err), -ERR_SYNTAX);
	struct store_check_counts n;
	OK(store_check_counts(f.s, &n, &err));
	assert_int_equal(n.open[SEVERITY_CRITICAL], 10);
	assert_int_equal(n.open[SEVERITY_LOW], 10);
	assert_int_equal(n.subjects, 20);
	assert_int_equal(n.hosts, 1);
	fixture_fini(&f);
}

/* ---- waivers ---- */

static int64_t waive(struct fixture *f, const char *check, const char *subject, const char *host, uint64_t days)
{
	const struct store_waiver w = { .check = check, .subject = subject, .host = host, .reason = "known", .who = "anna",
					.until_unix_ns = clock_unix_ns(&f->clk) + days * DAY_NS };
	struct err err;
	int64_t id;

	OK(store_waiver_add(f->s, &w, &id, &err));
	return id;
}

struct waivers {
	size_t n;
	uint64_t findings[8];
	bool used[8];
};
static int on_waiver(void *arg, const struct store_waiver *w)
{
	struct waivers *x = arg;

	x->used[x->n] = w->was_used;
	x->findings[x->n++] = w->findings;
	return 0;
}

static void a_waiver_covers_what_is_there_and_what_comes(void **state)
{
	struct waivers w = { 0 }, told = { 0 };
	struct fixture f;
	struct err err;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	waive(&f, "PKT-C-005", "web-*", "", 5);
	waive(&f, "PKT-C-999", "", "", 50);
	expect(&f, "", 1, "web web-1 PKT-C-011 low new");
	expect(&f, "status=waived", 1, "web web-1 PKT-C-005 critical waived");
	report_init(&rep, "container", "dddd", "web-2", "nginx");
	report_add(&rep, "PKT-C-005", "fail", "critical", "privileged");
	report_put(f.s, "agent-2", &rep);
	expect(&f, "status=waived", 2, "db web-2 PKT-C-005 critical waived");
	report_init(&rep, "container", "eeee", "db-1", "nginx");
	report_add(&rep, "PKT-C-005", "fail", "critical", "privileged");
	report_put(f.s, "agent-2", &rep);
	expect(&f, "severity=critical", 1, "db db-1 PKT-C-005 critical new");
	OK(store_waivers_each(f.s, false, 8, on_waiver, &w, &err));
	assert_int_equal(w.n, 2);
	assert_false(w.used[0]); /* the newest first: nothing has the check */
	assert_true(w.used[1]);
	assert_int_equal(w.findings[1], 2);
	/* its end is told, with what is open again */
	clock_fake_advance(&f.clk, 6 * DAY_NS);
	OK(store_waivers_expire(f.s, on_waiver, &told, &err));
	assert_int_equal(told.n, 1);
	assert_int_equal(told.findings[0], 2);
	expect(&f, "severity=critical", 3, "db db-1 PKT-C-005 critical new");
	OK(store_waivers_expire(f.s, on_waiver, &told, &err));
	assert_int_equal(told.n, 1);
	fixture_fini(&f);
}

static void of_two_waivers_the_other_one_stays(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	int64_t narrow = waive(&f, "PKT-C-005", "web-1", "web", 5);
	int64_t wide = waive(&f, "*", "", "", 5);
	expect(&f, "", 0, "");
	OK(store_waiver_end(f.s, narrow, "anna", &err));
	expect(&f, "", 0, "");
	expect(&f, "waiver=2", 2, "web web-1 PKT-C-005 critical waived");
	OK(store_waiver_end(f.s, wide, "anna", &err));
	expect(&f, "", 2, "web web-1 PKT-C-005 critical new");
	assert_int_equal(store_waiver_end(f.s, wide, "anna", &err), -ERR_NOT_FOUND);
	/* one of another host covers nothing here */
	waive(&f, "*", "", "db", 5);
	expect(&f, "", 2, "web web-1 PKT-C-005 critical new");
	fixture_fini(&f);
}

/* ---- what people hear of ---- */

static struct store_check_case cs;

/* 1: a case; told as it is said. */
static int next_case(struct fixture *f, struct arena *a, uint64_t grace_ns)
{
	struct err err;
	int r = store_check_case_next(f->s, grace_ns, a, &cs, &err);

	if (r < 0)
		fail_msg("%s", err.msg);
	return r;
}

static void tell(struct fixture *f, int64_t alert)
{
	struct err err;

	cs.alert = alert;
	cs.told_state = cs.count ? CHECK_TOLD : CHECK_CLOSED;
	cs.told_severity = cs.severity;
	cs.told_newest = cs.newest;
	OK(store_check_case_done(f->s, &cs, &err));
}

static void sixty_containers_with_one_fault_are_one_case(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(4 << 20);
	struct fixture f;
	char name[16];

	(void)state;
	start(&f);
	report_catalogue(f.s, "agent-1");
	for (int i = 0; i < 120; i++) {
		snprintf(name, sizeof(name), "c-%d", i);
		report_init(&rep, "container", name, name, "nginx");
		report_add(&rep, "PKT-C-005", "fail", "critical", "x");
		report_add(&rep, "PKT-C-011", "fail", "low", "x");
		report_put(f.s, "agent-1", &rep);
	}
	assert_int_equal(next_case(&f, a, 0), 1);
	assert_string_equal(cs.host, "web");
	assert_string_equal(cs.check, "PKT-C-005");
	assert_string_equal(cs.text.title, "The container is not privileged");
	assert_int_equal(cs.count, 120);
	assert_int_equal(cs.subject_count, STORE_CASE_SUBJECTS);
	assert_int_equal(cs.told_state, CHECK_UNTOLD);
	tell(&f, 7);
	assert_int_equal(next_case(&f, a, 0), 0);
	fixture_fini(&f);
}

static void a_case_is_over_when_all_of_it_is_and_some_time_has_passed(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(4 << 20);
	struct fixture f;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	assert_int_equal(next_case(&f, a, 0), 1);
	tell(&f, 7);
	/* it restarts: gone and back within the time */
	report_init(&rep, "container", "aaaa", "web-1", "nginx:1.25");
	rep.m.is_gone = true;
	report_put(f.s, "agent-1", &rep);
	assert_int_equal(next_case(&f, a, 600 * SECOND_NS), 0);
	clock_fake_advance(&f.clk, 5 * SECOND_NS);
	bad_web(&f, "bbbb");
	assert_int_equal(next_case(&f, a, 600 * SECOND_NS), 1);
	assert_int_equal(cs.count, 1);
	assert_int_equal(cs.alert, 7);
	assert_int_equal(cs.told_state, CHECK_TOLD);
	assert_true(cs.newest > cs.told_newest);
	tell(&f, 7);
	report_init(&rep, "container", "bbbb", "web-1", "nginx:1.25");
	rep.m.is_gone = true;
	report_put(f.s, "agent-1", &rep);
	clock_fake_advance(&f.clk, 599 * SECOND_NS);
	assert_int_equal(next_case(&f, a, 600 * SECOND_NS), 0);
	clock_fake_advance(&f.clk, 2 * SECOND_NS);
	assert_int_equal(next_case(&f, a, 600 * SECOND_NS), 1);
	assert_int_equal(cs.count, 0);
	assert_string_equal(cs.why_over, "mended");
	tell(&f, 7);
	assert_int_equal(next_case(&f, a, 600 * SECOND_NS), 0);
	fixture_fini(&f);
}

static void waived_and_stopped_ones_are_quiet(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(4 << 20);
	struct report_container c;
	struct fixture f;
	struct err err;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	assert_int_equal(next_case(&f, a, 0), 1);
	tell(&f, 7);
	int64_t w = waive(&f, "PKT-C-005", "", "", 5);
	assert_int_equal(next_case(&f, a, 600 * SECOND_NS), 1);
	assert_int_equal(cs.count, 0);
	assert_string_equal(cs.why_over, "waived");
	tell(&f, 7);
	OK(store_waiver_end(f.s, w, "anna", &err));
	assert_int_equal(next_case(&f, a, 0), 1);
	assert_int_equal(cs.count, 1);
	assert_int_equal(cs.told_state, CHECK_CLOSED);
	tell(&f, 8);
	report_container(&c, "aaaa", "web-1", "nginx:1.25");
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	assert_int_equal(next_case(&f, a, 0), 1); /* looked at: nothing new */
	tell(&f, 8);
	c.event.type = PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP;
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	assert_int_equal(next_case(&f, a, 0), 1);
	assert_int_equal(cs.count, 0);
	assert_string_equal(cs.why_over, "nothing that runs has it");
	fixture_fini(&f);
}

/* ---- hostile, and old ---- */

static void catalogues_of_one_agent_are_few_and_those_of_others_stay(void **state)
{
	Picket__CheckCatalogue c = PICKET__CHECK_CATALOGUE__INIT;
	Picket__Check one = PICKET__CHECK__INIT, *list[] = { &one };
	struct fixture f;
	struct err err;
	char key[65];
	bool known;

	(void)state;
	start(&f);
	report_catalogue(f.s, "agent-2"); /* brought by the one that then brings many */
	OK(store_catalogue_is_known(f.s, "agent-1", REPORT_KEY, &known, &err));
	assert_true(known);
	one.id = REPORT_TEXT("X");
	c.checks = list;
	c.n_checks = 1;
	for (int i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "%064x", i);
		c.key = key;
		clock_fake_advance(&f.clk, SECOND_NS);
		OK(store_catalogue_put(f.s, "agent-2", &c, &err));
	}
	OK(store_catalogue_is_known(f.s, "agent-1", REPORT_KEY, &known, &err));
	assert_true(known);
	OK(store_catalogue_is_known(f.s, "agent-1", key, &known, &err));
	assert_true(known);
	snprintf(key, sizeof(key), "%064x", 3);
	OK(store_catalogue_is_known(f.s, "agent-2", key, &known, &err));
	assert_false(known);
	fixture_fini(&f);
}

static void a_host_in_wrong_hands_keeps_to_its_own_room(void **state)
{
	struct fixture f;
	struct err err;
	struct store_report out = { 0 };
	char name[32];

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	OK(store_begin(f.s, &err));
	/* a second subject for each name, all of them said to be there */
	for (int i = 0; i < STORE_SUBJECTS_MAX + 50; i++) {
		snprintf(name, sizeof(name), "c-%d", i);
		report_init(&rep, "container", name, name, "nginx");
		report_add(&rep, "PKT-C-005", "fail", "low", "x");
		out = report_put(f.s, "agent-2", &rep);
	}
	OK(store_commit(f.s, &err));
	assert_int_equal(out.refused, 1);
	struct store_check_counts n;
	OK(store_check_counts(f.s, &n, &err));
	assert_int_equal(n.subjects, STORE_SUBJECTS_MAX + 1);
	/* what is gone makes room */
	report_init(&rep, "container", "c-5", "c-5", "nginx");
	rep.m.is_gone = true;
	report_put(f.s, "agent-2", &rep);
	report_init(&rep, "container", "late", "late", "nginx");
	report_add(&rep, "PKT-C-005", "fail", "low", "x");
	assert_int_equal(report_put(f.s, "agent-2", &rep).appeared, 1);
	expect(&f, "host=web", 2, "web web-1 PKT-C-005 critical new");
	fixture_fini(&f);
}

static void words_of_a_newer_or_a_wrong_agent_do_no_harm(void **state)
{
	struct fixture f;

	(void)state;
	start(&f);
	report_init(&rep, "spaceship", "x", "a\0b", "nginx@sha256:1");
	rep.m.subject_name = msg_bytes(SLICE_LIT("a\0b"));
	report_add(&rep, "PKT-C-005", "doomed", "apocalyptic", "x");
	report_add(&rep, "PKT-C-005", "fail", "critical", "said twice");
	report_put(f.s, "agent-1", &rep);
	expect(&f, "", 1, "web a PKT-C-005 info new");
	fixture_fini(&f);
}

static void findings_stay_for_their_time_and_go_with_their_host(void **state)
{
	struct fixture f;
	struct err err;

	(void)state;
	start(&f);
	bad_web(&f, "aaaa");
	report_init(&rep, "container", "aaaa", "web-1", "nginx:1.25");
	rep.m.is_gone = true;
	report_put(f.s, "agent-1", &rep);
	clock_fake_advance(&f.clk, 89 * DAY_NS);
	OK(store_checks_tidy(f.s, 7 * DAY_NS, 90 * DAY_NS, &err));
	expect(&f, "status=mended", 2, "web web-1 PKT-C-005 critical mended");
	clock_fake_advance(&f.clk, 2 * DAY_NS);
	OK(store_checks_tidy(f.s, 7 * DAY_NS, 90 * DAY_NS, &err));
	expect(&f, "status=mended", 0, "");
	bad_web(&f, "bbbb");
	OK(store_agent_revoke(f.s, "web", &err));
	OK(store_checks_tidy(f.s, 7 * DAY_NS, 90 * DAY_NS, &err));
	expect(&f, "", 0, "");
	expect(&f, "status=mended", 2, "web web-1 PKT-C-005 critical mended");
	fixture_fini(&f);
}

/* ---- containers ---- */

struct boxes {
	size_t n;
	char text[16][200];
};
static int on_container(void *arg, const struct store_container *c)
{
	struct boxes *b = arg;

	snprintf(b->text[b->n++], 200, "%s %.*s %d %llu", c->host, SLICE_FMT(c->name), c->is_running,
		 (unsigned long long)c->findings);
	return 0;
}

static struct boxes containers(struct fixture *f, const char *filter)
{
	const struct store_query q = { .filter = slice_of(filter), .limit = 16 };
	struct boxes b = { 0 };
	char cursor[300];
	struct err err;

	OK(store_container_query(f->s, &q, on_container, &b, cursor, sizeof(cursor), &err));
	return b;
}

static void containers_tell_how_they_were_made(void **state)
{
	static const char *const finding[] = { "container=web-1", "port=8080", "port=80", "mount=/etc", "mount=/host/*",
					       "cap=SYS_ADMIN", "network=bridge", "running:yes", "-cap=NET_ADMIN", "nginx" };
	static const char *const missing[] = { "port=81", "mount=/root", "cap=NET_ADMIN", "running:no", "host=db",
					       "label=a=c", "privileged:yes" };
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct store_container x;
	struct report_container c;
	struct fixture f;
	struct err err;

	(void)state;
	start(&f);
	report_container(&c, "0123456789abcdef", "web-1", "nginx:1.25");
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	bad_web(&f, "0123456789abcdef");
	for (size_t i = 0; i < ARRAY_LEN(finding); i++)
		if (containers(&f, finding[i]).n != 1)
			fail_msg("%s finds nothing", finding[i]);
	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		if (containers(&f, missing[i]).n != 0)
			fail_msg("%s finds it", missing[i]);
	assert_string_equal(containers(&f, "").text[0], "web web-1 1 2");
	OK(store_container_get(f.s, "0123456789ab", NULL, a, &x, &err));
	assert_non_null(x.config);
	assert_int_equal(x.config->ports[0]->host_port, 8080);
	assert_int_equal(x.worst, SEVERITY_CRITICAL);
	OK(store_container_get(f.s, "web-1", "web", a, &x, &err));
	assert_int_equal(store_container_get(f.s, "web-1", "db", a, &x, &err), -ERR_NOT_FOUND);
	assert_int_equal(store_container_get(f.s, "0123", NULL, a, &x, &err), -ERR_NOT_FOUND);
	/* what is known of it in short keeps what was told at length */
	c.container.config = NULL;
	c.event.type = PICKET__EVENT_TYPE__EVENT_CONTAINER_UPDATE;
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	OK(store_container_put(f.s, "agent-1", &c.container, &err));
	OK(store_container_get(f.s, "web-1", NULL, a, &x, &err));
	assert_non_null(x.config);
	c.event.type = PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP;
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	assert_int_equal(containers(&f, "").n, 0);
	assert_string_equal(containers(&f, "running:no").text[0], "web web-1 0 2");
	fixture_fini(&f);
}

/* ---- policies ---- */

static void policies_are_kept_and_hosts_tell_which_they_have(void **state)
{
	const struct store_policy one = { .digest = REPORT_KEY, .text = SLICE_LIT("mode: monitor\n"), .who = "anna", .comment = "first" };
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	Picket__PolicyState st = PICKET__POLICY_STATE__INIT;
	struct store_policy_state got;
	struct store_policy p;
	struct fixture f;
	struct err err;
	char digest[65];
	int64_t id;

	(void)state;
	start(&f);
	OK(store_policy_digest(f.s, digest, &err));
	assert_string_equal(digest, "");
	assert_int_equal(store_policy_get(f.s, 0, a, &p, &err), -ERR_NOT_FOUND);
	OK(store_policy_add(f.s, &one, &id, &err));
	OK(store_policy_get(f.s, 0, a, &p, &err));
	assert_true(slice_is(p.text, "mode: monitor\n"));
	assert_string_equal(p.who, "anna");
	OK(store_policy_digest(f.s, digest, &err));
	assert_string_equal(digest, REPORT_KEY);
	OK(store_policy_state_get(f.s, "agent-1", a, &got, &err));
	assert_false(got.is_told);
	st.digest = digest;
	st.source = REPORT_TEXT("collector");
	st.has_admission = true;
	st.denied = 5;
	OK(store_policy_state_put(f.s, "agent-1", &st, &err));
	st.denied = 2; /* the agent started again */
	OK(store_policy_state_put(f.s, "agent-1", &st, &err));
	OK(store_policy_state_get(f.s, "agent-1", a, &got, &err));
	assert_true(got.is_told && got.has_admission && !got.has_network);
	assert_int_equal(got.denied, 7);
	fixture_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finding_is_new_then_still_then_mended_then_back),
		cmocka_unit_test(a_container_made_again_keeps_its_history),
		cmocka_unit_test(what_cannot_be_told_mends_nothing),
		cmocka_unit_test(filters_find_what_they_say),
		cmocka_unit_test(pages_follow_one_another),
		cmocka_unit_test(a_waiver_covers_what_is_there_and_what_comes),
		cmocka_unit_test(of_two_waivers_the_other_one_stays),
		cmocka_unit_test(sixty_containers_with_one_fault_are_one_case),
		cmocka_unit_test(a_case_is_over_when_all_of_it_is_and_some_time_has_passed),
		cmocka_unit_test(waived_and_stopped_ones_are_quiet),
		cmocka_unit_test(catalogues_of_one_agent_are_few_and_those_of_others_stay),
		cmocka_unit_test(a_host_in_wrong_hands_keeps_to_its_own_room),
		cmocka_unit_test(words_of_a_newer_or_a_wrong_agent_do_no_harm),
		cmocka_unit_test(findings_stay_for_their_time_and_go_with_their_host),
		cmocka_unit_test(containers_tell_how_they_were_made),
		cmocka_unit_test(policies_are_kept_and_hosts_tell_which_they_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
