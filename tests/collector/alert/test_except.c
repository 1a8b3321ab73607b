/* test_except.c - what becomes no alert of its own: exceptions (what is proposed, what falls under it, what must not),
 * and what a flooding host raises. */
#include "tests/collector/people.h"

#include "collector/alert/alert.h"
#include "collector/alert/except.h"
#include "collector/store/store_exceptions.h"

static const uint64_t t0 = 1795464000ull * 1000000000, day_ns = 24ull * 3600 * 1000000000;
static struct people *world;

static int setup(void **state)
{
	people_setup(state);
	world = *state;
	world->clk = clock_fake(t0);
	return 0;
}

static struct alert_change put(struct people_finding *f)
{
	static const struct alert_config day = { .fold_ms = 24 * 3600 * 1000 };
	static uint64_t seq;
	struct alert_change c;

	MUST(store_begin(world->store, &must_err));
	MUST(alert_from_finding(world->store, &day, "agent-1", "host-1", 5, ++seq, &f->record, &c, &must_err));
	MUST(store_commit(world->store, &must_err));
	return c;
}

static void proposal_is(int64_t alert, const char *fields, const char *want)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;

	MUST(store_alert_get(world->store, alert, a, &al, &must_err));
	MUST(alert_except_propose(&al, fields, &out, &must_err));
	assert_string_equal(out.p, want);
	arena_free(a);
}

/* From the alert, as the API makes it. */
static int64_t except(int64_t alert, const char *fields, uint64_t until)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct arena *a = arena_new(1 << 21);
	struct store_exception x = { .reason = "known", .who = "anna", .until_unix_ns = until };
	struct store_alert al;
	int64_t id;

	MUST(store_alert_get(world->store, alert, a, &al, &must_err));
	MUST(alert_except_propose(&al, fields, &out, &must_err));
	x.conditions = out.p;
	MUST(store_exception_add(world->store, &x, &id, &must_err));
	arena_free(a);
	return id;
}

static int read_hits(void *arg, const struct store_exception *x)
{
	*(uint64_t *)arg = x->hits;
	return 0;
}

static uint64_t hits(void)
{
	uint64_t n = 0;

	MUST(store_exceptions_each(world->store, false, 1, read_hits, &n, &must_err));
	return n;
}

static void it_is_proposed_of_what_is_so_of_the_next_one_too(void **state)
{
	struct people_finding f;

	(void)state;
	people_finding(&f, t0);
	int64_t id = put(&f).id;
	proposal_is(id, "", "rule=\"Download tool in container\" source=runtime image=nginx:* exe=\"/usr/bin/wget\" parent=\"sh\"");
	proposal_is(id, "process,container", "rule=\"Download tool in container\" source=runtime process=\"wget\" container=\"web-1\"");
	f.container.id = (char[]){ "bb" };
	f.container.image = people_bytes("registry.example:5000/team/app@sha256:1234");
	id = put(&f).id;
	proposal_is(id, "image", "rule=\"Download tool in container\" source=runtime image=registry.example:5000/team/app@*");
	f.container.id = (char[]){ "cc" };
	f.container.image = people_bytes("registry.example:5000/team/app");
	proposal_is(put(&f).id, "image", "rule=\"Download tool in container\" source=runtime image=\"registry.example:5000/team/app\"");
	f.finding.container = NULL;
	proposal_is(put(&f).id, "", "rule=\"Download tool in container\" source=runtime host=\"host-1\" exe=\"/usr/bin/wget\" parent=\"sh\"");
}

/* Nothing else is known of it, or its path is longer than a condition may be: not the rule on all hosts for that. */
static void it_is_never_of_the_rule_alone(void **state)
{
	static char path[3000];
	struct people_finding f;

	(void)state;
	people_finding(&f, t0);
	f.container.image = people_bytes("");
	f.process.exe = people_bytes("");
	f.process.name = people_bytes("");
	f.finding.file = NULL;
	f.process.n_ancestors = 0;
	proposal_is(put(&f).id, "", "rule=\"Download tool in container\" source=runtime host=\"host-1\"");
	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	f.process.exe = people_bytes(path);
	f.container.id = (char[]){ "cc" };
	int64_t id = put(&f).id;
	struct arena *a = arena_new(1 << 21);
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct store_alert al;
	MUST(store_alert_get(world->store, id, a, &al, &must_err));
	MUST(alert_except_propose(&al, "", &out, &must_err));
	assert_non_null(strstr(out.p, "exe=\"/xxx"));
	arena_free(a);
}

static void names_that_a_container_chose_are_no_patterns(void **state)
{
	struct people_finding f;

	(void)state;
	people_finding(&f, t0);
	f.container.image = people_bytes("* severity=low");
	f.process.exe = people_bytes("*\" host=\"x");
	int64_t id = put(&f).id;
	proposal_is(id, "image,exe", "rule=\"Download tool in container\" source=runtime image=\"* severity=low\" exe=\"*\\\" host=\\\"x\"");
	except(id, "image,exe", 0);
	assert_true(put(&f).exception);
	people_finding(&f, t0);
	assert_false(put(&f).exception);
}

static void what_falls_under_it_is_counted_and_becomes_no_alert(void **state)
{
	struct people_finding f;

	(void)state;
	people_finding(&f, t0);
	int64_t alert = put(&f).id;
	int64_t id = except(alert, "", 0);
	f.container.id = (char[]){ "another" };
	f.container.image = people_bytes("nginx:1.29");
	struct alert_change c = put(&f);
	assert_int_equal(c.exception, id);
	assert_int_equal(c.id, 0);
	f.finding.count = 41;
	put(&f);
	assert_int_equal(hits(), 42);
	/* One thing of it is other: an alert. */
	f.process.exe = people_bytes("/tmp/wget");
	assert_true(put(&f).is_new);
	assert_int_equal(hits(), 42);
}

static void it_ends_by_itself_or_by_hand(void **state)
{
	struct people_finding f;

	(void)state;
	people_finding(&f, t0);
	int64_t alert = put(&f).id;
	except(alert, "", t0 + day_ns);
	assert_true(put(&f).exception);
	clock_fake_advance(&world->clk, day_ns);
	assert_false(put(&f).exception); /* before the tick has looked */
	MUST(store_exceptions_expire(world->store, &must_err));
	int64_t id = except(alert, "", 0);
	assert_true(put(&f).exception);
	MUST(store_exception_end(world->store, id, "anna", &must_err));
	assert_false(put(&f).exception);
	assert_int_equal(store_exception_end(world->store, id, "anna", &must_err), -ERR_NOT_FOUND);
}

static void a_rule_of_that_name_elsewhere_is_another(void **state)
{
	static const struct alert_config cfg = { 0 };
	static char loss[] = "Events lost";
	struct people_finding f;
	struct alert_change c;

	(void)state;
	people_finding(&f, t0);
	f.finding.rule = loss;
	f.finding.container = NULL;
	int64_t id = put(&f).id;
	except(id, "exe", 0);
	MUST(alert_from_system(world->store, &cfg, &world->clk, loss, SEVERITY_HIGH, "host-9", "lost", "much", &c, &must_err));
	assert_true(c.is_new);
	struct arena *a = arena_new(1 << 21);
	struct store_alert al;
	MUST(store_alert_get(world->store, c.id, a, &al, &must_err));
	assert_true(alert_except_needs_force(&al));
	except(c.id, "", 0);
	MUST(alert_from_system(world->store, &cfg, &world->clk, loss, SEVERITY_HIGH, "host-9", "lost", "much", &c, &must_err));
	assert_true(c.exception);
	MUST(alert_from_system(world->store, &cfg, &world->clk, loss, SEVERITY_HIGH, "host-2", "lost", "much", &c, &must_err));
	assert_true(c.is_new);
	arena_free(a);
}

static void what_an_exception_must_have(void **state)
{
	static const char *const wrong[] = { "", "image=nginx", "rule=Down*", "-rule=X host=y", "rule=X colour=red" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		const struct store_exception x = { .conditions = wrong[i], .reason = "r", .who = "a" };
		int64_t id;

		if (store_exception_add(world->store, &x, &id, &must_err) != -ERR_SYNTAX)
			fail_msg("'%s' went through", wrong[i]);
	}
}

static void the_agents_rules_can_say_the_same(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct arena *a = arena_new(1 << 21);
	struct people_finding f;
	struct store_alert al;

	(void)state;
	people_finding(&f, t0);
	MUST(store_alert_get(world->store, put(&f).id, a, &al, &must_err));
	alert_except_falco(&al, "", al.id, &out);
	assert_string_equal(out.p, "- rule: \"Download tool in container\"\n"
				   "  exceptions:\n"
				   "    - name: picket_alert_1\n"
				   "      fields: [container.image.repository, proc.exepath, proc.pname]\n"
				   "      comps: [=, =, =]\n"
				   "      values:\n"
				   "        - [\"nginx\", \"/usr/bin/wget\", \"sh\"]\n"
				   "  override:\n"
				   "    exceptions: append\n"
				   "# or in its condition: and not (container.image.repository = \"nginx\" and proc.exepath = "
				   "\"/usr/bin/wget\" and proc.pname = \"sh\")\n");
	buf_reset(&out);
	alert_except_falco(&al, "host", al.id, &out); /* it doesn't know the host */
	assert_int_equal(out.n, 0);
	arena_free(a);
}

/* ---- a flood ---- */

static void beyond_its_share_a_host_fills_one_alert_of_each_rule(void **state)
{
	struct alert_config full = { .fold_ms = 24 * 3600 * 1000, .is_full = true, .may_sum = true };
	struct arena *a = arena_new(1 << 21);
	struct people_finding f;
	struct alert_change c, first;
	struct store_alert al;
	char id[16];

	(void)state;
	people_finding(&f, t0);
	int64_t before = put(&f).id; /* when there was room: its own repeats still fold into it */
	for (unsigned i = 0; i < 30; i++) {
		snprintf(id, sizeof(id), "box-%u", i);
		f.container.id = id;
		MUST(alert_from_finding(world->store, &full, "agent-1", "host-1", 5, 1000 + i, &f.record, &c, &must_err));
		assert_true(c.is_excess);
		assert_int_equal(c.is_new, !i);
		first = i ? first : c;
		assert_int_equal(c.id, first.id);
	}
	people_finding(&f, t0);
	MUST(alert_from_finding(world->store, &full, "agent-1", "host-1", 5, 2000, &f.record, &c, &must_err));
	assert_int_equal(c.id, before);
	assert_false(c.is_excess);
	MUST(store_alert_get(world->store, first.id, a, &al, &must_err));
	assert_int_equal(al.count, 30);
	assert_string_equal(al.rule, "Download tool in container");
	assert_string_equal(al.title, "`Download tool in container` on host-1: more than alerts are made of, in one; each is in the history");
	/* Where no more may be made, one that is there still counts. */
	full.may_sum = false;
	f.container.id = (char[]){ "more" };
	MUST(alert_from_finding(world->store, &full, "agent-1", "host-1", 5, 3000, &f.record, &c, &must_err));
	assert_int_equal(c.count, 31);
	f.finding.rule = (char[]){ "Invented" };
	MUST(alert_from_finding(world->store, &full, "agent-1", "host-1", 5, 3001, &f.record, &c, &must_err));
	assert_int_equal(c.id, 0);
	arena_free(a);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, people_teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_proposed_of_what_is_so_of_the_next_one_too),
		TEST(it_is_never_of_the_rule_alone),
		TEST(names_that_a_container_chose_are_no_patterns),
		TEST(what_falls_under_it_is_counted_and_becomes_no_alert),
		TEST(it_ends_by_itself_or_by_hand),
		TEST(a_rule_of_that_name_elsewhere_is_another),
		TEST(what_an_exception_must_have),
		TEST(the_agents_rules_can_say_the_same),
		TEST(beyond_its_share_a_host_fills_one_alert_of_each_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
