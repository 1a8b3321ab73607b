/* test_audit.c - from agents' reports to alerts, with the policy on its way to hosts. */
#include "tests/collector/store/fixture.h"

#include "collector/alert/alert.h"
#include "collector/audit/audit.h"
#include "tests/collector/reports.h"

#define AGENT "11111111-2222-4333-8444-555555555555"
#define OTHER "11111111-2222-4333-8444-666666666666"

static struct world {
	struct fixture f;
	struct loop *loop;
	struct audit *a;
	struct arena *arena;
	unsigned told, news, closed, waivers, notices, commits;
	char why[100], error[200];
} w;
static struct report rep;

/* As collector.c does it. */
static int on_case(void *arg, struct store_check_case *c, enum audit_case_why why, struct err *err)
{
	struct alert_change change = { 0 };
	enum alert_renewal how = why == AUDIT_CASE_SAME ? ALERT_SAME : why == AUDIT_CASE_MORE ? ALERT_MORE : ALERT_NEWS;

	(void)arg;
	w.told++;
	int r = alert_from_check(w.f.s, &w.f.clk, c, c->alert, how, &change, err);
	if (r < 0)
		return r;
	w.news += change.is_new || change.is_escalated || change.is_reopened;
	c->alert = change.id;
	return 0;
}

static int on_closed(void *arg, int64_t alert, const char *why, struct err *err)
{
	(void)arg;
	w.closed++;
	snprintf(w.why, sizeof(w.why), "%s", why);
	return alert_close(w.f.s, &w.f.clk, alert, why, err);
}

static int on_waiver(void *arg, const struct store_waiver *x, struct err *err)
{
	(void)arg;
	(void)err;
	w.waivers += (unsigned)x->findings;
	return 0;
}

static int on_policy(void *arg, const char *host, const char *error, int64_t *alert, struct err *err)
{
	(void)arg;
	(void)err;
	snprintf(w.error, sizeof(w.error), "%s %s %lld", host, error, (long long)*alert);
	if (error[0])
		*alert = 77;
	return 0;
}

static void on_notice(void *arg, const char *what, const char *agent, const char *detail)
{
	(void)arg;
	(void)agent;
	(void)detail;
	assert_string_equal(what, "audit_flood");
	w.notices++;
}

static void on_committed(void *arg)
{
	(void)arg;
	w.commits++;
}

static int setup(void **state)
{
	static const struct audit_ops ops = { on_case, on_closed, on_waiver, on_policy, on_notice, on_committed };
	struct err err;

	(void)state;
	w = (struct world){ 0 };
	fixture_init(&w.f);
	fixture_enrol(w.f.s, AGENT, "host-07");
	fixture_enrol(w.f.s, OTHER, "host-08");
	OK(loop_new(&w.loop, &err));
	OK(audit_new(w.loop, w.f.s, &w.f.clk, &ops, NULL, &w.a, &err));
	w.arena = arena_new(LIMIT_ARENA_BYTES);
	report_catalogue(w.f.s, AGENT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	audit_free(w.a);
	loop_free(w.loop);
	arena_free(w.arena);
	fixture_fini(&w.f);
	return 0;
}

static void report(const char *agent, struct report *r)
{
	struct err err;

	OK(store_begin(w.f.s, &err));
	OK(audit_report(w.a, agent, clock_unix_ns(&w.f.clk), &r->m, &err));
	OK(store_commit(w.f.s, &err));
}

static void work(void)
{
	struct err err;

	OK(audit_work_all(w.a, &err));
}

static void bad(const char *agent, const char *id, const char *name, const char *severity)
{
	report_init(&rep, "container", id, name, "nginx:1.25");
	report_add(&rep, "PKT-C-005", "fail", severity, "CapEff 3fffffffff");
	report(agent, &rep);
}

static struct store_alert last_alert(const char *filter, size_t *ret_count);

struct found {
	struct store_alert al;
	size_t n;
};
static int on_alert(void *arg, const struct store_alert *al)
{
	struct found *x = arg;

	if (!x->n++) {
		x->al = *al;
		x->al.title = arena_dup(w.arena, slice_of(al->title));
		x->al.status = arena_dup(w.arena, slice_of(al->status));
		x->al.source = arena_dup(w.arena, slice_of(al->source));
		x->al.rule = arena_dup(w.arena, slice_of(al->rule));
		x->al.document = arena_dup(w.arena, slice_of(al->document));
	}
	return 0;
}
static struct store_alert last_alert(const char *filter, size_t *ret_count)
{
	const struct store_query q = { .filter = slice_of(filter), .limit = 100 };
	struct found x = { 0 };
	char cursor[64];
	struct err err;

	arena_reset(w.arena);
	OK(store_alert_query(w.f.s, &q, on_alert, &x, cursor, sizeof(cursor), &err));
	*ret_count = x.n;
	return x.al;
}

static void expect_alerts(const char *filter, size_t want)
{
	size_t n;

	(void)last_alert(filter, &n);
	if (n != want)
		fail_msg("%s: %zu alerts, not %zu", filter, n, want);
}

static void sixty_containers_are_one_alert_with_a_list(void **state)
{
	char id[16], name[16];
	size_t n;

	(void)state;
	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof(id), "id%d", i);
		snprintf(name, sizeof(name), "web-%d", i);
		bad(AGENT, id, name, "critical");
	}
	work();
	struct store_alert al = last_alert("", &n);
	assert_int_equal(n, 1);
	assert_string_equal(al.title, "`web-59` and 59 more on host-07 fail PKT-C-005 (critical): The container is not privileged");
	assert_string_equal(al.source, "audit");
	assert_string_equal(al.rule, "PKT-C-005");
	assert_non_null(strstr(al.document, "\"subject_count\":60"));
	assert_non_null(strstr(al.document, "A privileged container owns its host."));
	expect_alerts("container=web-17", 1);
	expect_alerts("container=db", 0);
	expect_alerts("host=host-07 source=audit", 1);
	assert_int_equal(w.news, 1);
	/* another host is another alert */
	bad(OTHER, "x", "web-0", "critical");
	work();
	expect_alerts("", 2);
}

static void a_new_container_is_counted_in_silence_and_worse_is_told(void **state)
{
	size_t n;

	(void)state;
	bad(AGENT, "a", "web-1", "high");
	work();
	clock_fake_advance(&w.f.clk, SECOND_NS);
	bad(AGENT, "b", "web-2", "high");
	work();
	struct store_alert al = last_alert("", &n);
	assert_int_equal(n, 1);
	assert_int_equal(al.count, 2);
	assert_int_equal(w.news, 1);
	/* the same again is nothing at all */
	bad(AGENT, "b", "web-2", "high");
	work();
	al = last_alert("", &n);
	assert_int_equal(al.count, 2);
	clock_fake_advance(&w.f.clk, SECOND_NS);
	bad(AGENT, "b", "web-2", "critical");
	work();
	assert_int_equal(w.news, 2);
	al = last_alert("", &n);
	assert_int_equal(al.severity, SEVERITY_CRITICAL);
}

static void a_person_who_resolved_it_hears_of_another_container(void **state)
{
	struct err err;
	size_t n;

	(void)state;
	bad(AGENT, "a", "web-1", "high");
	work();
	struct store_alert al = last_alert("", &n);
	OK(store_alert_set_status(w.f.s, al.id, "resolved", NULL, "anna", &err));
	bad(AGENT, "a", "web-1", "high");
	work();
	assert_string_equal(last_alert("", &n).status, "resolved");
	clock_fake_advance(&w.f.clk, SECOND_NS);
	bad(AGENT, "b", "web-2", "high");
	work();
	assert_string_equal(last_alert("", &n).status, "new");
	assert_int_equal(w.news, 2);
}

static void mended_closes_by_itself_and_back_opens_the_same_one(void **state)
{
	size_t n;

	(void)state;
	bad(AGENT, "a", "web-1", "high");
	work();
	report_init(&rep, "container", "a", "web-1", "nginx:1.25");
	report(AGENT, &rep);
	work();
	assert_string_equal(last_alert("", &n).status, "new"); /* a restart? */
	clock_fake_advance(&w.f.clk, 11 * 60 * SECOND_NS);
	work();
	assert_string_equal(last_alert("", &n).status, "resolved");
	assert_string_equal(w.why, "mended");
	assert_int_equal(w.closed, 1);
	bad(AGENT, "a", "web-1", "high");
	work();
	struct store_alert al = last_alert("", &n);
	assert_string_equal(al.status, "new");
	assert_int_equal(n, 1);
	assert_int_equal(w.news, 2);
}

static void what_is_mild_or_uncertain_is_in_the_lists_only(void **state)
{
	(void)state;
	bad(AGENT, "a", "web-1", "medium");
	report_init(&rep, "container", "b", "web-2", "nginx:1.25");
	report_add(&rep, "PKT-C-006", "warn", "critical", "only asked for");
	report_add(&rep, "PKT-C-007", "error", "critical", "not to be read");
	report(AGENT, &rep);
	/* an image that nobody runs */
	report_init(&rep, "image", "sha256:aa", "old:1", "");
	report_add(&rep, "PKT-I-001", "fail", "critical", "x");
	report(AGENT, &rep);
	work();
	expect_alerts("", 0);
	report_init(&rep, "daemon", "/run/docker.sock", "docker", "");
	report_add(&rep, "PKT-D-001", "fail", "high", "tcp without TLS");
	report(AGENT, &rep);
	report_init(&rep, "container", "c", "web-3", "nginx:1.25");
	report_add(&rep, "PKT-P-004", "fail", "high", "AC-012: bind of /etc");
	report(AGENT, &rep);
	work();
	size_t n;
	assert_string_equal(last_alert("rule=PKT-D-001", &n).title, "The engine of host-07 fails PKT-D-001 (high)");
	struct store_alert al = last_alert("source=policy", &n);
	assert_string_equal(al.title, "`web-3` on host-07 runs against the policy (PKT-P-004, high)");
	expect_alerts("container=web-3", 1);
}

static void waivers_quiet_and_end_aloud(void **state)
{
	const struct store_waiver x = { .check = "PKT-C-005", .subject = "web-*", .host = "", .reason = "known", .who = "anna",
					.until_unix_ns = T0 + DAY_NS };
	struct err err;
	int64_t id;
	size_t n;

	(void)state;
	bad(AGENT, "a", "web-1", "high");
	work();
	OK(store_waiver_add(w.f.s, &x, &id, &err));
	work();
	assert_string_equal(last_alert("", &n).status, "resolved");
	assert_string_equal(w.why, "waived");
	bad(AGENT, "b", "web-2", "critical");
	work();
	assert_int_equal(w.news, 1);
	clock_fake_advance(&w.f.clk, DAY_NS + SECOND_NS);
	work();
	assert_int_equal(w.waivers, 2);
	assert_string_equal(last_alert("", &n).status, "new");
	assert_int_equal(w.news, 2);
}

static void a_host_in_wrong_hands_is_told_of_and_harms_nobody(void **state)
{
	char id[16];

	(void)state;
	report_init(&rep, "container", "a", "web-1", "nginx");
	for (int i = 0; i < LIMIT_CHECKS; i++) {
		snprintf(id, sizeof(id), "X-%d", i);
		report_add(&rep, arena_dup(w.arena, slice_of(id)), "fail", "low", "x");
	}
	for (int i = 0; i < 120; i++)
		report(AGENT, &rep);
	assert_true(w.notices > 0);
	unsigned before = w.notices;
	bad(OTHER, "b", "web-1", "low");
	assert_int_equal(w.notices, before);
	clock_fake_advance(&w.f.clk, 3600 * SECOND_NS);
	report(AGENT, &rep);
	assert_int_equal(w.notices, before);
}

static void names_made_to_harm_are_shown(void **state)
{
	size_t n;

	(void)state;
	report_init(&rep, "container", "a", "evil`\033[2J\xe2\x80\xae\n", "nginx");
	report_add(&rep, "PKT-C-\033[0m", "fail", "high", "x\033");
	rep.results[0].check_id = REPORT_TEXT("PKT-C-`x`");
	report(AGENT, &rep);
	work();
	assert_string_equal(last_alert("", &n).title, "`evil'\\x1b[2J\\u{202e}\\n` on host-07 fails PKT-C-'x' (high)");
}

/* ---- catalogues ---- */

static Picket__Reply ask(const char *agent, Picket__CheckCatalogue *c)
{
	Picket__Reply reply;
	struct err err;

	OK(store_begin(w.f.s, &err));
	OK(audit_request(w.a, agent, c, w.arena, &reply, &err));
	OK(store_commit(w.f.s, &err));
	return reply;
}

static void a_catalogue_is_asked_for_then_sent_and_its_key_is_checked(void **state)
{
	Picket__CheckCatalogue c = PICKET__CHECK_CATALOGUE__INIT;
	Picket__Check one = PICKET__CHECK__INIT, *list[] = { &one };
	struct store_check text;
	char key[MSG_CATALOGUE_KEY_MAX];
	struct err err;

	(void)state;
	one.id = REPORT_TEXT("PKT-C-005");
	one.title = REPORT_TEXT("as another one says");
	OK(msg_catalogue_key(list, 1, key, &err));
	c.key = key;
	assert_false(ask(AGENT, &c).check_catalogue->is_known);
	c.checks = list;
	c.n_checks = 1;
	c.key = REPORT_TEXT("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff");
	Picket__Reply r = ask(AGENT, &c);
	assert_int_equal(r.body_case, PICKET__REPLY__BODY_REFUSAL);
	assert_int_equal(r.refusal->reason, PICKET__REFUSAL__REASON__REASON_MALFORMED);
	c.key = key;
	assert_true(ask(AGENT, &c).check_catalogue->is_known);
	c.n_checks = 0;
	assert_true(ask(OTHER, &c).check_catalogue->is_known);
	OK(store_check_get(w.f.s, key, "PKT-C-005", w.arena, &text, &err));
	assert_string_equal(text.title, "as another one says");
	/* again and again: refused after a while */
	c.n_checks = 1;
	unsigned busy = 0;
	for (int i = 0; i < 20; i++) {
		char title[16];

		snprintf(title, sizeof(title), "t%d", i);
		one.title = title;
		OK(msg_catalogue_key(list, 1, key, &err));
		busy += ask(AGENT, &c).body_case == PICKET__REPLY__BODY_REFUSAL;
	}
	assert_true(busy > 5);
	assert_true(w.notices > 0);
}

/* ---- the policy ---- */

static Picket__HeartbeatReply beat(const char *agent, Picket__PolicyState *p)
{
	Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;
	Picket__HeartbeatReply reply = PICKET__HEARTBEAT_REPLY__INIT;
	struct err err;

	h.time_unix_ns = 1;
	h.policy = p;
	OK(store_begin(w.f.s, &err));
	OK(audit_heartbeat(w.a, agent, "host-07", &h, w.arena, &reply, &err));
	OK(store_commit(w.f.s, &err));
	return reply;
}

static void a_host_gets_the_policy_it_has_not(void **state)
{
	struct store_policy p = { .digest = REPORT_KEY, .text = SLICE_LIT("mode: monitor\n"), .who = "anna", .comment = "" };
	Picket__PolicyState st = PICKET__POLICY_STATE__INIT;
	struct err err;
	int64_t id;

	(void)state;
	assert_null(beat(AGENT, &st).configuration); /* there is none */
	OK(store_policy_add(w.f.s, &p, &id, &err));
	assert_null(beat(AGENT, NULL).configuration); /* an old agent */
	Picket__HeartbeatReply r = beat(AGENT, &st);
	assert_non_null(r.configuration);
	assert_true(slice_is(msg_slice(r.configuration->policy), "mode: monitor\n"));
	assert_string_equal(r.configuration->policy_digest, REPORT_KEY);
	assert_null(beat(AGENT, &st).configuration); /* not again at once */
	clock_fake_advance(&w.f.clk, 301 * SECOND_NS);
	assert_non_null(beat(AGENT, &st).configuration);
	st.digest = REPORT_TEXT(REPORT_KEY);
	st.source = REPORT_TEXT("collector");
	assert_null(beat(AGENT, &st).configuration);
	p.digest = "ff";
	OK(store_policy_add(w.f.s, &p, &id, &err));
	assert_non_null(beat(AGENT, &st).configuration); /* a newer one at once */
	st.source = REPORT_TEXT("file");
	assert_null(beat(OTHER, &st).configuration); /* it has one of its own */
}

static void a_refused_policy_is_told_once_and_its_end_too(void **state)
{
	Picket__PolicyState st = PICKET__POLICY_STATE__INIT;

	(void)state;
	st.error = REPORT_TEXT("policy.yaml:3:1: unknown key");
	beat(AGENT, &st);
	assert_string_equal(w.error, "host-07 policy.yaml:3:1: unknown key 0");
	w.error[0] = 0;
	beat(AGENT, &st);
	assert_string_equal(w.error, "");
	st.error = REPORT_TEXT("");
	beat(AGENT, &st);
	assert_string_equal(w.error, "host-07  77");
	w.error[0] = 0;
	beat(AGENT, &st);
	assert_string_equal(w.error, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sixty_containers_are_one_alert_with_a_list),
		TEST(a_new_container_is_counted_in_silence_and_worse_is_told),
		TEST(a_person_who_resolved_it_hears_of_another_container),
		TEST(mended_closes_by_itself_and_back_opens_the_same_one),
		TEST(what_is_mild_or_uncertain_is_in_the_lists_only),
		TEST(waivers_quiet_and_end_aloud),
		TEST(a_host_in_wrong_hands_is_told_of_and_harms_nobody),
		TEST(names_made_to_harm_are_shown),
		TEST(a_catalogue_is_asked_for_then_sent_and_its_key_is_checked),
		TEST(a_host_gets_the_policy_it_has_not),
		TEST(a_refused_policy_is_told_once_and_its_end_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
