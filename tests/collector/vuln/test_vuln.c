/* test_vuln.c - inventories and advisories in, findings and alerts out: with the real store and the real
 * database, fed by hand. */
#include "tests/collector/vuln/advised.h"

#include "collector/vuln/vuln_priv.h"

static const char *const packages[] = { "deb libssl3 3.0.11-1 openssl", "deb openssl 3.0.11-1", "deb bash 5.2-1",
					"npm lodash 4.17.20", NULL };

static void expect(const char *got, const char *want)
{
	if (strcmp(got, want) != 0)
		fail_msg("told:\n%swant:\n%s", got, want);
}

static void a_new_advisory_raises_one_alert_for_each_running_image(void **state)
{
	static const char *const feed[] = { "openssl", "CVE-2026-0001", "high", "3.0.12-1", NULL };

	advised_image(WEB, "web:1", packages);
	advised_image(DB, "db:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_run("agent-2", 1, WEB);
	expect(advised_work(), "");
	advised_debian(feed);
	/* both binary packages of the source, both hosts, in one; the image that doesn't run is in lists only */
	expect(advised_work(), "new CVE-2026-0001 nginx:1.25 high 3.0.12-1 hosts=2 packages=2\n");
	expect(advised_work(), "");
	struct store_vuln v;
	OK(store_vuln_get(w.f.s, "CVE-2026-0001", w.a, &v, &err));
	assert_int_equal(v.images, 2);
	assert_int_equal(v.running, 1);
	assert_int_equal(v.hosts, 2);
	assert_string_equal(v.packages, "[\"libssl3\",\"openssl\"]");
	assert_true(v.is_fixable);
}

static void an_advisory_taken_back_closes_and_one_that_returns_opens_again(void **state)
{
	static const char *const both[] = { "openssl", "CVE-2026-0001", "high", "", "bash", "CVE-2026-0002", "high", "",
					    NULL };
	static const char *const one[] = { "bash", "CVE-2026-0002", "high", "", NULL };
	static const char *const fixed[] = { "openssl", "CVE-2026-0001", "high", "3.0.11-1", "bash", "CVE-2026-0002", "high",
					     "", NULL };

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_debian(both);
	const char *told = advised_work();
	assert_non_null(strstr(told, "new CVE-2026-0001 nginx:1.25 high - hosts=1 packages=2\n"));
	assert_non_null(strstr(told, "new CVE-2026-0002"));
	advised_debian(one);
	told = advised_work();
	assert_non_null(strstr(told, "closed"));
	assert_non_null(strstr(told, "no package of the image is affected any more"));
	assert_null(strstr(told, "CVE-2026-0002"));
	advised_debian(both);
	assert_non_null(strstr(advised_work(), "again CVE-2026-0001"));
	/* the installed version turns out to be the fixed one */
	advised_debian(fixed);
	assert_non_null(strstr(advised_work(), "no package of the image is affected any more"));
}

static void what_is_below_the_level_is_in_lists_until_it_is_known_to_be_exploited(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "low", "", NULL };
	struct store_vuln v;

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_debian(feed);
	expect(advised_work(), "");
	OK(store_vuln_get(w.f.s, "CVE-2026-0002", w.a, &v, &err));
	assert_int_equal(v.running, 1);
	advised_kev("CVE-2026-0002");
	expect(advised_work(), "new CVE-2026-0002 nginx:1.25 critical - hosts=1 packages=1\n");
	OK(store_vuln_get(w.f.s, "CVE-2026-0002", w.a, &v, &err));
	assert_true(v.is_kev);
	assert_string_equal(v.kev_due, "2026-02-01");
}

static void exploited_makes_an_open_alert_worse(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_debian(feed);
	advised_work();
	advised_kev("CVE-2026-0002");
	expect(advised_work(), "worse CVE-2026-0002 nginx:1.25 critical - hosts=1 packages=1\n");
}

static void an_image_that_starts_later_is_told_of_and_one_that_ends_is_closed(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };
	struct stock_use u;

	advised_debian(feed);
	advised_image(WEB, "web:1", packages);
	expect(advised_work(), "");
	advised_run("agent-1", 1, WEB);
	expect(advised_work(), "new CVE-2026-0002 nginx:1.25 high - hosts=1 packages=1\n");
	/* a second host: its alert says so, within a minute */
	advised_run("agent-2", 1, WEB);
	expect(advised_work(), "");
	clock_fake_advance(&w.f.clk, 60 * SECOND_NS);
	expect(advised_work(), "same CVE-2026-0002 hosts=2\n");
	/* a restart within ten minutes is no news */
	stock_use(&u, 2, NULL, NULL);
	OK(stock_tell(w.f.s, "agent-1", &u.state, &err));
	OK(stock_tell(w.f.s, "agent-2", &u.state, &err));
	expect(advised_work(), "");
	clock_fake_advance(&w.f.clk, 601 * SECOND_NS);
	expect(advised_work(), "closed 1 no container of the image runs any more\n");
	advised_run("agent-1", 3, WEB);
	expect(advised_work(), "again CVE-2026-0002 nginx:1.25 high - hosts=1 packages=1\n");
}

static void what_a_person_accepts_is_closed_until_it_expires(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };
	struct store_acceptance x = { .vuln = "CVE-2026-0002", .image = "web", .package = "", .reason = "no shell there",
				      .who = "alice", .until_unix_ns = T0 + DAY_NS };
	struct store_vuln v;
	int64_t id;

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_debian(feed);
	advised_work();
	OK(store_acceptance_add(w.f.s, &x, &id, &err));
	expect(advised_work(), "closed 1 accepted by alice\n");
	OK(store_vuln_get(w.f.s, "CVE-2026-0002", w.a, &v, &err));
	assert_true(v.is_accepted);
	clock_fake_advance(&w.f.clk, DAY_NS + SECOND_NS);
	OK(store_acceptances_expire(w.f.s, &err));
	expect(advised_work(), "again CVE-2026-0002 nginx:1.25 high - hosts=1 packages=1\n");
	/* of one package only: the rest stays */
	static const char *const two[] = { "openssl", "CVE-2026-0003", "high", "", NULL };
	advised_debian(two);
	advised_work();
	x = (struct store_acceptance){ .vuln = "CVE-2026-0003", .image = "", .package = "libssl3", .reason = "r",
				       .who = "bob", .until_unix_ns = T0 + 90 * DAY_NS };
	OK(store_acceptance_add(w.f.s, &x, &id, &err));
	expect(advised_work(), "same CVE-2026-0003 hosts=1\n");
	OK(store_vuln_get(w.f.s, "CVE-2026-0003", w.a, &v, &err));
	assert_false(v.is_accepted);
}

static void what_was_withheld_is_told_when_it_gets_worse_and_not_before(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_debian(feed);
	w.is_full = true;
	expect(advised_work(), "withheld CVE-2026-0002\n");
	w.is_full = false;
	/* judged again, a minute later, as another host runs it */
	advised_run("agent-2", 1, WEB);
	clock_fake_advance(&w.f.clk, 61 * SECOND_NS);
	expect(advised_work(), "");
	advised_kev("CVE-2026-0002");
	expect(advised_work(), "worse CVE-2026-0002 nginx:1.25 critical - hosts=2 packages=1\n");
}

static void urgent_ones_are_told_first(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0001", "high", "", "openssl", "CVE-2026-0002", "low", "",
					    NULL };

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_npm("GHSA-1111-2222-3333", "lodash", "4.17.21");
	advised_debian(feed);
	advised_kev("CVE-2026-0002");
	const char *told = advised_work();
	const char *kev = strstr(told, "CVE-2026-0002"), *critical = strstr(told, "GHSA-1111-2222-3333"),
		   *high = strstr(told, "CVE-2026-0001");
	assert_true(kev && critical && high && kev < critical && critical < high);
}

static void an_import_looks_only_at_what_changed_and_is_done_once(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };
	static const char *const more[] = { "bash",    "CVE-2026-0002", "high", "", "openssl", "CVE-2026-0003", "high", "",
					    NULL };
	struct store_vuln_status st;
	uint64_t generation;

	advised_image(WEB, "web:1", packages);
	advised_debian(feed);
	advised_work();
	OK(store_number_get(w.f.s, "vulndb.generation", &generation, &err));
	assert_true(generation > 0);
	/* another process of the collector: nothing is due from what it finds */
	vuln_free(w.v);
	advised_start();
	OK(vuln_work_all(w.v, &err));
	OK(store_vuln_status(w.f.s, &st, &err));
	assert_int_equal(st.packages_due + st.vulns_due, 0);
	advised_debian(more);
	OK(vuln_work_all(w.v, &err));
	uint64_t after;
	OK(store_number_get(w.f.s, "vulndb.generation", &after, &err));
	assert_int_equal(after, generation + 1);
	struct store_vuln v;
	OK(store_vuln_get(w.f.s, "CVE-2026-0003", w.a, &v, &err));
	assert_int_equal(v.images, 1);
}

static void a_kill_in_the_middle_is_gone_on_from(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_debian(feed);
	/* killed before anything, then after everything was marked but nothing judged */
	vuln_free(w.v);
	fixture_reopen(&w.f);
	advised_start();
	expect(advised_work(), "new CVE-2026-0002 nginx:1.25 high - hosts=1 packages=1\n");
	OK(store_match_all_due(w.f.s, &err));
	vuln_free(w.v);
	fixture_reopen(&w.f);
	advised_start();
	expect(advised_work(), "");
}

static void data_that_is_old_is_told_once_and_again_when_well(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "low", "", NULL };

	advised_image(WEB, "web:1", packages);
	for (unsigned i = 0; i < 4; i++) {
		expect(advised_told(), "");
		clock_fake_advance(&w.f.clk, (i == 3 ? 48 * 3600 : 61) * SECOND_NS);
		OK(vuln_work_all(w.v, &err));
	}
	expect(advised_told(), "data 1 images wait to be matched. there is no vulnerability data yet: picket-collector"
			       " feed update\n");
	advised_debian(feed);
	clock_fake_advance(&w.f.clk, 61 * SECOND_NS);
	expect(advised_work(), "data well\n");
	clock_fake_advance(&w.f.clk, 49 * 3600 * SECOND_NS);
	expect(advised_work(), "data The newest import is older than 48 h: picket-collector feed update, or feed import\n");
}

static void a_file_that_is_no_database_is_said_and_left_alone(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };
	struct buf out = { 0 };
	struct json j;

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	OK(file_write_atomic(w.db_path, SLICE_LIT("not a database, whatever it is called, by any means"), 0600, &err));
	expect(advised_work(), "");
	json_init(&j, &out);
	json_object_open(&j);
	vuln_status(w.v, &j);
	json_object_close(&j);
	assert_non_null(strstr(out.p, "\"usable\":false"));
	buf_fini(&out);
	unlink(w.db_path);
	advised_debian(feed);
	expect(advised_work(), "new CVE-2026-0002 nginx:1.25 high - hosts=1 packages=1\n");
}

static void a_damaged_database_is_given_up_until_it_is_another(void **state)
{
	static const char *const feed[] = { "bash", "CVE-2026-0002", "high", "", NULL };
	struct buf b;

	advised_image(WEB, "web:1", packages);
	advised_run("agent-1", 1, WEB);
	advised_debian(feed);
	/* all but its first page is gone */
	OK(file_read(w.db_path, 64 << 20, &b, &err));
	assert_true(b.n > 8192);
	memset(b.p + 4096, 0xff, b.n - 4096);
	unlink(w.db_path);
	OK(file_write_atomic(w.db_path, buf_slice(&b), 0600, &err));
	buf_fini(&b);
	for (unsigned i = 0; i < 3; i++)
		(void)!vuln_work_all(w.v, &err);
	assert_null(w.v->data.db);
	assert_true(w.v->data.why_not[0] != 0);
	expect(advised_work(), "");
	unlink(w.db_path);
	advised_debian(feed);
	expect(advised_work(), "new CVE-2026-0002 nginx:1.25 high - hosts=1 packages=1\n");
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, advised_setup, advised_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_advisory_raises_one_alert_for_each_running_image),
		TEST(an_advisory_taken_back_closes_and_one_that_returns_opens_again),
		TEST(what_is_below_the_level_is_in_lists_until_it_is_known_to_be_exploited),
		TEST(exploited_makes_an_open_alert_worse),
		TEST(an_image_that_starts_later_is_told_of_and_one_that_ends_is_closed),
		TEST(what_a_person_accepts_is_closed_until_it_expires),
		TEST(what_was_withheld_is_told_when_it_gets_worse_and_not_before),
		TEST(urgent_ones_are_told_first),
		TEST(an_import_looks_only_at_what_changed_and_is_done_once),
		TEST(a_kill_in_the_middle_is_gone_on_from),
		TEST(data_that_is_old_is_told_once_and_again_when_well),
		TEST(a_file_that_is_no_database_is_said_and_left_alone),
		TEST(a_damaged_database_is_given_up_until_it_is_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
