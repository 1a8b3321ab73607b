/* test_risk.c - points and reasons, and that whatever they are made of makes them anew. */
#include "tests/collector/store/fixture.h"

#include "collector/store/risk_score.h"
#include "collector/store/store_checks.h"
#include "collector/store/store_risk.h"
#include "collector/store/store_triage.h"
#include "collector/store/store_vulns.h"
#include "common/json.h"
#include "tests/collector/reports.h"
#include "tests/collector/stock.h"

#define WEB "sha256:aaaaaaaaaaaa00000000000000000000000000000000000000000000000000aa"

static struct fixture f;
static struct arena *a;
static struct err err;

static int setup(void **state)
{
	(void)state;
	a = arena_new(64 << 20);
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_fini(&f);
	arena_free(a);
	return 0;
}

/* ---- points ---- */

static void the_worst_counts_whole_and_a_heap_of_small_things_is_no_disaster(void **state)
{
	struct risk_part *p = calloc(1, sizeof(*p));
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	p->kind = &risk_configuration;
	for (unsigned i = 0; i < 100; i++)
		risk_add(p, 1, "small");
	risk_add(p, 0, "nothing");
	unsigned small = risk_write(p, &out);
	assert_in_range(small, 2, 3);
	*p = (struct risk_part){ .kind = &risk_configuration };
	for (unsigned i = 0; i < 64; i++)
		risk_add(p, 15, "bad");
	buf_reset(&out);
	assert_int_equal(risk_write(p, &out), 25);
	free(p);
}

static void reasons_add_up_to_the_points(void **state)
{
	struct risk_part *p = calloc(1, sizeof(*p));
	unsigned seed = 1;

	(void)state;
	for (unsigned run = 0; run < 500; run++) {
		CLEANUP(buf_finip) struct buf out = { 0 }, list = { 0 };
		CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
		unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & 127, sum = 0;
		const cJSON *item;

		*p = (struct risk_part){ .kind = run % 2 ? &risk_alert : &risk_vulnerability };
		for (unsigned i = 0; i < n; i++)
			risk_add(p, ((seed = seed * 1103515245 + 12345) >> 16 & 255) / 8.0, "it");
		unsigned points = risk_write(p, &out);
		buf_printf(&list, "[%s]", out.n ? out.p : "");
		OK(json_parse(buf_slice(&list), list.n, &doc, &err));
		cJSON_ArrayForEach(item, doc)
			sum += (unsigned)json_get_u64(item, "points", 0);
		assert_int_equal(sum, points);
		assert_in_range(cJSON_GetArraySize(doc), 0, RISK_REASONS_SHOWN + 1);
	}
	free(p);
}

static void what_is_exploited_and_used_is_above_what_might_be(void **state)
{
	const struct risk_vuln kev = { VULN_MEDIUM, true, 0.9, true, false, true }, idle = { VULN_CRITICAL, false, 0.001, false, false, true },
			       used = { VULN_CRITICAL, false, 0.001, true, false, true }, unknown = { VULN_CRITICAL, false, 0.001, false, false, false };

	(void)state;
	assert_true(risk_vuln_points(&kev) > 2 * risk_vuln_points(&used));
	assert_true(risk_vuln_points(&used) > risk_vuln_points(&unknown));
	assert_true(risk_vuln_points(&unknown) > risk_vuln_points(&idle));
	assert_true(risk_alert_points(SEVERITY_CRITICAL, 0) > 39.9 && risk_alert_points(SEVERITY_CRITICAL, 3 * DAY_NS) < 20.1);
}

/* ---- in the store ---- */

static void judge(void)
{
	bool more = true;

	for (unsigned i = 0; more; i++) {
		OK(store_risk_judge(f.s, 3, &more, &err));
		if (i > 100)
			fail_msg("it comes to no rest");
	}
}

static uint64_t of_container(const char *what)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	uint64_t score;

	OK(store_risk_container(f.s, "agent-1", "c0ffee", &score, &out, &err));
	if (what && !strstr(out.p, what))
		fail_msg("no %s in %s", what, out.p);
	return score;
}

static uint64_t of_image(const char *what)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct store_image im;
	uint64_t score;

	OK(store_image_get(f.s, WEB, a, &im, &err));
	OK(store_risk_image(f.s, im.row, &score, &out, &err));
	assert_int_equal(im.risk, score);
	if (what && !strstr(out.p, what))
		fail_msg("no %s in %s", what, out.p);
	return score;
}

static void start(void)
{
	static const char *const packages[] = { "deb openssl 3.0.1-1", NULL };
	Picket__Inventory *m = stock_inventory(a, WEB, "web:1");
	struct report_container c;
	struct stock_use u;

	stock_add(m, stock_layer(a, packages));
	OK(stock_put(f.s, "agent-1", m, &err));
	report_container(&c, "c0ffee", "web-1", "web:1");
	c.container.image_id = REPORT_TEXT(WEB);
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	stock_use(&u, 1, WEB, NULL);
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	report_catalogue(f.s, "agent-1");
}

static void find_hole(const char *id, enum vuln_severity severity)
{
	struct vulndb_found found = stock_found(id, severity, "");
	struct store_match m;
	bool more = true;

	OK(store_match_next(f.s, 10, a, &m, &err));
	OK(store_begin(f.s, &err));
	for (size_t i = 0; i < m.count; i++)
		OK(store_match_found(f.s, &m, i, &found, 1, &err));
	OK(store_match_done(f.s, &m, &err));
	while (more)
		OK(store_image_counts(f.s, 10, &more, &err));
	OK(store_commit(f.s, &err));
}

static int64_t raise_alert(enum msg_severity severity)
{
	uint64_t now = clock_unix_ns(&f.clk);
	const struct store_alert al = { .first_seen_unix_ns = now, .last_seen_unix_ns = now, .count = 1, .severity = severity,
					.priority = "Error", .status = "new", .assignee = "", .source = "runtime",
					.rule = "Shell", .title = "t", .host = "host-1", .agent = "agent-1",
					.container_id = "c0ffee", .document = "{}", .evidence = "[]", .fold_key = "k" };
	int64_t id;

	OK(store_alert_insert(f.s, &al, &id, &err));
	return id;
}

static void each_part_is_counted_when_it_comes_and_no_longer_when_it_goes(void **state)
{
	struct report r;

	(void)state;
	start();
	judge();
	uint64_t bare = of_container("a port is published");
	assert_int_equal(bare, 5);
	assert_int_equal(of_image(NULL), 5);

	find_hole("CVE-2026-1", VULN_CRITICAL);
	judge();
	uint64_t holed = of_container("CVE-2026-1 in openssl 3.0.1-1 (critical)");
	assert_int_equal(holed, 10);
	assert_int_equal(of_image("CVE-2026-1"), 10);

	report_init(&r, "container", "c0ffee", "web-1", "web:1");
	report_add(&r, "PKT-C-005", "fail", "critical", "privileged");
	report_put(f.s, "agent-1", &r);
	judge();
	assert_int_equal(of_container("PKT-C-005 (critical): privileged"), 25);
	assert_int_equal(of_image("worst container: web-1 on host-1"), 25);

	int64_t id = raise_alert(SEVERITY_CRITICAL);
	judge();
	assert_int_equal(of_container("(critical, 0 h ago): Shell"), 65);
	assert_int_equal(of_image("\"points\":55"), 65);

	/* It fades, by itself. */
	clock_fake_advance(&f.clk, 3 * DAY_NS);
	judge();
	assert_int_equal(of_container("72 h ago"), 45);
	assert_int_equal(of_image(NULL), 45);
	OK(store_alert_triage(f.s, id, &(struct store_triage){ .status = "resolved", .who = "anna" }, &err));
	judge();
	assert_int_equal(of_container(NULL), 25);
	assert_int_equal(of_image(NULL), 25);

	const struct store_waiver w = { .check = "PKT-C-005", .subject = "", .host = "", .reason = "r", .who = "anna",
					.until_unix_ns = clock_unix_ns(&f.clk) + DAY_NS };
	OK(store_waiver_add(f.s, &w, &id, &err));
	judge();
	assert_int_equal(of_container(NULL), holed);
	const struct store_acceptance x = { .vuln = "CVE-2026-1", .image = "", .package = "", .reason = "r", .who = "anna",
					    .until_unix_ns = clock_unix_ns(&f.clk) + DAY_NS };
	OK(store_acceptance_add(f.s, &x, &id, &err));
	judge();
	assert_int_equal(of_container(NULL), bare);
	assert_int_equal(of_image(NULL), bare);
}

static void a_container_that_stopped_has_none(void **state)
{
	struct report_container c;
	struct stock_use u;

	(void)state;
	start();
	raise_alert(SEVERITY_HIGH);
	judge();
	assert_int_equal(of_container("Shell"), 25);
	report_container(&c, "c0ffee", "web-1", "web:1");
	c.event.type = PICKET__EVENT_TYPE__EVENT_CONTAINER_STOP;
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	stock_use(&u, 2, NULL, NULL);
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	judge();
	assert_int_equal(of_container(NULL), 0);
	of_image(NULL);
}

static int take_container(void *arg, const struct store_container *c)
{
	buf_printf(arg, "%s:%u ", c->id, (unsigned)c->risk);
	return 0;
}

static void lists_go_by_risk(void **state)
{
	static const struct {
		const char *filter, *want;
	} cases[] = { { "", "c0ffee:25 aa:0 " }, { "risk>=20", "c0ffee:25 " }, { "risk<20", "aa:0 " }, { "risk>70", "" } };
	struct report_container c;

	(void)state;
	start();
	report_container(&c, "aa", "other", "other");
	OK(store_container_event(f.s, "agent-1", &c.event, &err));
	raise_alert(SEVERITY_HIGH);
	judge();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };
		char cursor[256] = "";

		/* A row a page: the cursor is tried too. */
		do {
			char from[256];

			snprintf(from, sizeof(from), "%s", cursor);
			const struct store_query q = { .filter = slice_of(cases[i].filter), .limit = 1, .by_risk = true, .cursor = from };
			OK(store_container_query(f.s, &q, take_container, &out, cursor, sizeof(cursor), &err));
		} while (cursor[0]);
		if (strcmp(out.n ? out.p : "", cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].filter, out.p);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_worst_counts_whole_and_a_heap_of_small_things_is_no_disaster),
		cmocka_unit_test(reasons_add_up_to_the_points),
		cmocka_unit_test(what_is_exploited_and_used_is_above_what_might_be),
		TEST(each_part_is_counted_when_it_comes_and_no_longer_when_it_goes),
		TEST(a_container_that_stopped_has_none),
		TEST(lists_go_by_risk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
