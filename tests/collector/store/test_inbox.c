/* test_inbox.c - the inbox's bounds, and questions that go by its indexes. */
#include "tests/collector/store/fixture.h"

#include "collector/store/store_quiet.h"
#include "collector/store/store_triage.h"

static struct fixture f;
static struct err err;

static int setup(void **state)
{
	(void)state;
	f.cfg = (struct store_config){ 0 };
	fixture_init(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_fini(&f);
	return 0;
}

static int64_t put(unsigned i, const char *source, const char *rule, const char *host, const char *document)
{
	char key[32];
	const struct store_alert al = { .first_seen_unix_ns = T0 + i, .last_seen_unix_ns = T0 + i, .count = 1,
					.severity = SEVERITY_HIGH, .priority = "Error", .status = "new", .assignee = "",
					.source = source, .rule = rule, .title = "t", .host = host, .agent = "a",
					.container_id = "", .document = document, .evidence = "[]", .fold_key = key };
	int64_t id;

	snprintf(key, sizeof(key), "%u", i);
	OK(store_alert_insert(f.s, &al, &id, &err));
	return id;
}

static int take_id(void *arg, const struct store_alert *al)
{
	buf_printf(arg, "%lld ", (long long)al->id);
	return 0;
}

static void asked(const char *filter, bool oldest_first, const char *want)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	char cursor[64] = "", from[64];

	/* A row a page, so that each order's cursor is tried. */
	do {
		memcpy(from, cursor, sizeof(from));
		const struct store_query q = { .filter = slice_of(filter), .limit = 1, .cursor = from, .oldest_first = oldest_first };
		OK(store_alert_query(f.s, &q, take_id, &out, cursor, sizeof(cursor), &err));
	} while (cursor[0]);
	if (strcmp(out.n ? out.p : "", want) != 0)
		fail_msg("%s: '%s', not '%s'", filter, out.n ? out.p : "", want);
}

static void each_index_answers_in_order_page_by_page(void **state)
{
	static const char places[] = "{\"hosts\":[{\"name\":\"h1\",\"containers\":[{\"id\":\"c\",\"name\":\"web\"}]}]}";

	(void)state;
	put(1, "runtime", "A", "h1", "{}");
	put(2, "scan", "B", "", places);
	put(3, "runtime", "A", "h2", "{}");
	put(4, "audit", "C", "h1", places);
	put(5, "policy", "A", "h1", "{}");
	put(6, "runtime", "B", "h1", "{\"process\":{\"name\":\"sh\"}}");
	OK(store_alert_set_status(f.s, 6, "acknowledged", NULL, "anna", &err));
	asked("", false, "6 5 4 3 2 1 ");
	asked("rule=A", false, "5 3 1 ");
	asked("rule=A", true, "1 3 5 ");
	/* those of many hosts merged in */
	asked("host=h1", false, "6 5 4 2 1 ");
	asked("host=h1", true, "1 2 4 5 6 ");
	asked("host=h2", false, "3 ");
	asked("host=h*", false, "6 5 4 3 2 1 ");
	asked("container=web", false, "4 2 ");
	asked("host=h1 rule=B", false, "6 2 ");
	asked("status=new host=h1", true, "1 2 4 5 ");
	asked("status=acknowledged", false, "6 ");
	asked("-rule=A", false, "6 4 2 ");
	asked("process=sh", false, "6 ");
}

static int count_line(void *arg, const struct store_trail *t)
{
	(void)t;
	++*(unsigned *)arg;
	return 0;
}

static unsigned trail_lines(int64_t id)
{
	unsigned n = 0;

	OK(store_trail_each(f.s, id, count_line, &n, &err));
	return n;
}

static void beyond_its_most_resolved_ones_go_first_with_all_about_them(void **state)
{
	(void)state;
	f.cfg.alerts_max = 5;
	fixture_reopen(&f);
	for (unsigned i = 1; i <= 8; i++)
		put(i, "runtime", "A", "h", "{}");
	OK(store_alert_set_status(f.s, 7, "resolved", NULL, "anna", &err));
	OK(store_escalation_begin(f.s, 1, "night", T0, &err));
	OK(store_alert_hold(f.s, 1, (struct store_held){ HOLD_SILENCE, 9 }, "x", &err));
	assert_int_equal(trail_lines(7), 2);
	for (unsigned i = 0; i < 3; i++) {
		clock_fake_advance(&f.clk, 120 * SECOND_NS);
		OK(store_history_tidy(f.s, &err));
	}
	asked("", false, "8 6 5 4 3 ");
	assert_int_equal(trail_lines(7), 0);
	assert_int_equal(trail_lines(1), 0);
	assert_int_equal(trail_lines(8), 1);
	struct store_escalation due;
	char policy[64];
	assert_int_equal(store_escalation_due(f.s, INT64_MAX, &due, policy, &err), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_index_answers_in_order_page_by_page),
		TEST(beyond_its_most_resolved_ones_go_first_with_all_about_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
