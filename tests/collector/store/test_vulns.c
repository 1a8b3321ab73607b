/* test_vulns.c - findings, their order, acceptances and feeds as the store keeps them; what the database would
 * say is said by hand. */
#include "tests/collector/store/fixture.h"

#include "tests/collector/stock.h"

#define WEB "sha256:aaaaaaaaaaaa00000000000000000000000000000000000000000000000000aa"
#define DB  "sha256:bbbbbbbbbbbb00000000000000000000000000000000000000000000000000bb"

static struct fixture f;
static struct arena *a;
static struct err err;

static int setup(void **state)
{
	a = arena_new(64 << 20);
	fixture_init(&f);
	fixture_enrol(f.s, "agent-1", "host-1");
	fixture_enrol(f.s, "agent-2", "host-2");
	return 0;
}

static int teardown(void **state)
{
	fixture_fini(&f);
	arena_free(a);
	return 0;
}

static void put_image(const char *id, const char *name, const char *const *packages)
{
	Picket__Inventory *m = stock_inventory(a, id, name);

	stock_add(m, stock_layer(a, packages));
	OK(stock_put(f.s, "agent-1", m, &err));
}

/* What the hand-made database knows. */
struct said {
	const char *package; /* or its source */
	struct vulndb_found found;
};
static const struct said *said;
static size_t said_count;
static uint64_t generation;

static bool means(const struct said *sd, const struct vulndb_package *p)
{
	return slice_is(p->name, sd->package) || slice_is(p->source, sd->package);
}

/* Matches all that is due, a few at a time; how many packages were looked at. */
static size_t match(void)
{
	struct store_match m;
	size_t looked_at = 0;

	do {
		OK(store_match_next(f.s, 2, a, &m, &err));
		if (!m.count)
			break;
		looked_at += m.count;
		OK(store_begin(f.s, &err));
		for (size_t p = 0; p < m.count; p++)
			for (size_t i = 0; i < said_count; i++)
				if (means(&said[i], &m.packages[p]))
					OK(store_match_found(f.s, &m, p, &said[i].found, generation, &err));
		OK(store_match_done(f.s, &m, &err));
		OK(store_commit(f.s, &err));
	} while (m.count);
	return looked_at;
}

struct places {
	unsigned count, running;
	unsigned used;
	enum vuln_severity severity;
	char text[512];
};
static int take_place(void *arg, const struct store_place *p)
{
	struct places *all = arg;

	all->count++;
	all->running += p->hosts > 0;
	all->used |= p->used;
	all->severity = p->severity > all->severity ? p->severity : all->severity;
	snprintf(all->text + strlen(all->text), sizeof(all->text) - strlen(all->text), "%s ", p->package);
	return 0;
}

static struct places places_of(const char *id)
{
	struct places all = { 0 };
	struct store_vuln v;

	OK(store_vuln_get(f.s, id, a, &v, &err));
	OK(store_vuln_places(f.s, v.row, 0, 0, take_place, &all, &err));
	return all;
}

/* As the vuln room does it. */
static unsigned judge(void)
{
	struct store_vuln v;
	unsigned judged = 0;
	bool more;

	for (;;) {
		struct places all = { 0 };

		OK(store_vuln_next_due(f.s, a, &v, &err));
		if (!v.row)
			break;
		OK(store_vuln_places(f.s, v.row, 0, 0, take_place, &all, &err));
		v.images = all.count;
		v.running = all.running;
		v.used = all.used;
		v.severity = all.severity;
		v.packages = "[\"openssl\"]";
		OK(store_vuln_judged(f.s, &v, &err));
		judged++;
	}
	OK(store_image_counts(f.s, 1000, &more, &err));
	return judged;
}

static const char *const base[] = { "deb libc6 2.36-9 glibc", "deb openssl 3.0.11-1", "deb bash 5.2-1",
				    "npm lodash 4.17.20", NULL };
static const char *const other[] = { "deb openssl 3.0.11-1", "deb zlib1g 1.2 zlib", NULL };

static void a_package_is_matched_once_for_all_images_that_have_it(void **state)
{
	const struct said one[] = { { "openssl", stock_found("CVE-2023-0001", VULN_HIGH, "3.0.11-2") },
				    { "glibc", stock_found("CVE-2023-0002", VULN_LOW, "") } };

	said = one;
	said_count = 2;
	generation = 1;
	put_image(WEB, "web:1", base);
	put_image(DB, "db:1", other);
	assert_int_equal(match(), 5);
	assert_int_equal(places_of("CVE-2023-0001").count, 2);
	assert_string_equal(places_of("CVE-2023-0002").text, "libc6 ");
	assert_int_equal(judge(), 2);
	/* nothing is due any more, and the same again changes nothing */
	assert_int_equal(match(), 0);
	OK(store_match_all_due(f.s, &err));
	assert_int_equal(match(), 5);
	assert_int_equal(judge(), 0);
	struct store_image im;
	OK(store_image_get(f.s, WEB, a, &im, &err));
	assert_int_equal(im.high, 1);
	assert_int_equal(im.low, 1);
	assert_int_equal(im.fixable, 1);
}

static void what_the_database_says_no_longer_is_resolved_and_may_come_back(void **state)
{
	const struct said one[] = { { "openssl", stock_found("CVE-2023-0001", VULN_HIGH, "") } };
	struct said two[] = { { "openssl", stock_found("CVE-2023-0002", VULN_HIGH, "") } };

	said = one;
	said_count = 1;
	generation = 1;
	put_image(WEB, "web:1", base);
	match();
	judge();
	said = two;
	generation = 2;
	OK(store_match_due(f.s, SLICE_LIT("deb"), SLICE_LIT("openssl"), &err));
	assert_int_equal(match(), 1);
	assert_int_equal(places_of("CVE-2023-0001").count, 0);
	assert_int_equal(places_of("CVE-2023-0002").count, 1);
	assert_int_equal(judge(), 2);
	said = one;
	OK(store_match_due(f.s, SLICE_NONE, SLICE_LIT("openssl"), &err));
	match();
	assert_int_equal(places_of("CVE-2023-0001").count, 1);
}

static void only_packages_of_a_changed_name_source_or_owner_are_due(void **state)
{
	static const char *const packages[] = { "deb libc6 2.36-9 glibc", "deb openssl 3.0.11-1",
						"pypi six 1.16 six python3-six", "npm openssl 1", NULL };

	said_count = 0;
	put_image(WEB, "web:1", packages);
	match();
	OK(store_match_due(f.s, SLICE_LIT("deb"), SLICE_LIT("glibc"), &err));
	assert_int_equal(match(), 1);
	OK(store_match_due(f.s, SLICE_LIT("deb"), SLICE_LIT("python3-six"), &err));
	assert_int_equal(match(), 1);
	OK(store_match_due(f.s, SLICE_LIT("deb"), SLICE_LIT("openssl"), &err));
	assert_int_equal(match(), 1);
	OK(store_match_due(f.s, SLICE_LIT("deb"), SLICE_LIT("nothing-here"), &err));
	assert_int_equal(match(), 0);
}

static void two_advisories_of_one_say_the_more_and_settle(void **state)
{
	struct said two[] = { { "openssl", stock_found("CVE-2023-0001", VULN_HIGH, "") },
			      { "lodash", stock_found("CVE-2023-0001", VULN_HIGH, "") } };
	static const struct slice alias[] = { { "GHSA-xxxx", 9 } };
	struct store_vuln v;

	two[1].found.title = SLICE_LIT("a much longer title");
	two[1].found.cvss = 9.8;
	two[1].found.aliases = alias;
	two[1].found.alias_count = 1;
	said = two;
	said_count = 2;
	generation = 1;
	put_image(WEB, "web:1", base);
	for (unsigned i = 0; i < 3; i++) {
		generation += i == 2;
		OK(store_match_all_due(f.s, &err));
		match();
		OK(store_vuln_get(f.s, "CVE-2023-0001", a, &v, &err));
		assert_string_equal(v.title, "a much longer title");
		assert_true(v.score > 9.7);
	}
	OK(store_vuln_get(f.s, "GHSA-xxxx", a, &v, &err));
	assert_string_equal(v.id, "CVE-2023-0001");
	assert_int_equal(store_vuln_get(f.s, "CVE-1999-1", a, &v, &err), -ERR_NOT_FOUND);
}

static void use_and_use_of_packages_make_vulnerabilities_due(void **state)
{
	const struct said one[] = { { "openssl", stock_found("CVE-2023-0001", VULN_HIGH, "") },
				    { "bash", stock_found("CVE-2023-0002", VULN_HIGH, "") } };
	struct stock_use u;

	said = one;
	said_count = 2;
	put_image(WEB, "web:1", base);
	match();
	judge();
	stock_use(&u, 1, WEB, "web-1");
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	assert_int_equal(judge(), 2);
	/* the same again, and another container of it: no more urgent than before */
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	u.state.state = 2;
	u.container.id = STOCK_TEXT("another");
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	assert_int_equal(judge(), 0);
	/* a package that is used */
	u.state.state = 3;
	u.image.n_packages = 1;
	u.package.ecosystem = STOCK_TEXT("deb");
	u.package.name = STOCK_TEXT("openssl");
	u.package.version = STOCK_TEXT("3.0.11-1");
	u.package.is_loaded = true;
	u.package.path = msg_bytes(SLICE_LIT("/usr/lib/libssl.so.3"));
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	assert_int_equal(judge(), 1);
	assert_int_equal(places_of("CVE-2023-0001").used, STORE_USED_LOADED);
	assert_int_equal(places_of("CVE-2023-0002").used, 0);
	u.state.state = 4;
	u.package.is_loaded = false;
	u.package.is_executed = true;
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	assert_int_equal(places_of("CVE-2023-0001").used, STORE_USED_LOADED | STORE_USED_EXECUTED);
}

/* ---- lists ---- */

static int take_id(void *arg, const struct store_vuln *v)
{
	buf_printf(arg, "%s ", v->id);
	return 0;
}

static const char *list(const char *filter)
{
	static struct buf out;
	char cursor[64];
	const struct store_query q = { .filter = slice_of(filter), .limit = 10 };

	buf_reset(&out);
	OK(store_vuln_query(f.s, &q, take_id, &out, cursor, sizeof(cursor), &err));
	return out.n ? out.p : "";
}

static void fill_list(void)
{
	static struct said all[5];
	struct stock_use u;

	all[0] = (struct said){ "openssl", stock_found("CVE-1", VULN_CRITICAL, "3.0.12-1") };
	all[1] = (struct said){ "bash", stock_found("CVE-2", VULN_LOW, "") };
	all[1].found.kev = true;
	all[2] = (struct said){ "zlib", stock_found("CVE-3", VULN_MEDIUM, "1.3") };
	all[2].found.epss = 0.6;
	all[3] = (struct said){ "glibc", stock_found("CVE-4", VULN_HIGH, "") };
	all[4] = (struct said){ "lodash", stock_found("CVE-5", VULN_HIGH, "4.17.21") };
	said = all;
	said_count = 5;
	generation = 1;
	put_image(WEB, "web:1", base);
	put_image(DB, "db:1", other);
	stock_use(&u, 1, WEB, "web-1");
	u.image.n_packages = 1;
	u.package.ecosystem = STOCK_TEXT("npm");
	u.package.name = STOCK_TEXT("lodash");
	u.package.version = STOCK_TEXT("4.17.20");
	u.package.is_executed = true;
	OK(stock_tell(f.s, "agent-1", &u.state, &err));
	match();
	judge();
}

static void the_list_is_urgent_first_and_filtered_by_one_place(void **state)
{
	static const struct {
		const char *filter, *want;
	} cases[] = {
		/* exploited, likely to be, used, running and critical, running */
		{ "", "CVE-2 CVE-3 CVE-5 CVE-1 CVE-4 " },
		{ "severity>=high", "CVE-5 CVE-1 CVE-4 " },
		{ "kev:yes", "CVE-2 " },
		{ "epss>=0.5", "CVE-3 " },
		{ "epss<0.5 kev:no", "CVE-5 CVE-1 CVE-4 " },
		{ "used:yes", "CVE-5 " },
		{ "used:executed", "CVE-5 " },
		{ "used:loaded", "" },
		{ "running:no", "CVE-3 " },
		{ "image~db", "CVE-3 CVE-1 " },
		{ "image=db:1 running:yes", "" },
		{ "host=host-1 severity>=critical", "CVE-1 " },
		{ "host=host-2", "" },
		{ "container=web-1 fixable:yes", "CVE-5 CVE-1 " },
		{ "ecosystem=npm", "CVE-5 " },
		{ "vuln=CVE-4", "CVE-4 " },
		{ "-vuln=CVE-4 severity=high", "CVE-5 " },
		{ "package=libc6 severity=high", "CVE-4 " },
		{ "\"hole\" kev:yes", "CVE-2 " },
		{ "since=1h kev:yes", "CVE-2 " },
		{ "until=1h", "" },
	};

	fill_list();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (strcmp(list(cases[i].filter), cases[i].want) != 0)
			fail_msg("%s: %s", cases[i].filter, list(cases[i].filter));
}

static void accepted_ones_are_listed_only_when_asked_for(void **state)
{
	struct store_vuln v;

	fill_list();
	OK(store_vuln_get(f.s, "CVE-3", a, &v, &err));
	v.is_accepted = true;
	OK(store_vuln_judged(f.s, &v, &err));
	assert_null(strstr(list(""), "CVE-3"));
	assert_string_equal(list("accepted:yes"), "CVE-3 ");
	assert_null(strstr(list("accepted:no"), "CVE-3"));
}

static void pages_of_the_list_join_without_a_gap(void **state)
{
	char cursor[64] = "", next[64];
	struct buf out = { 0 };

	fill_list();
	do {
		const struct store_query q = { .limit = 2, .cursor = cursor };

		OK(store_vuln_query(f.s, &q, take_id, &out, next, sizeof(next), &err));
		snprintf(cursor, sizeof(cursor), "%s", next);
	} while (cursor[0]);
	assert_string_equal(out.p, "CVE-2 CVE-3 CVE-5 CVE-1 CVE-4 ");
	buf_fini(&out);
	const struct store_query wrong = { .limit = 2, .cursor = "v1" };
	assert_int_equal(store_vuln_query(f.s, &wrong, take_id, &out, next, sizeof(next), &err), -ERR_SYNTAX);
}

static int take_both(void *arg, const struct store_vuln *v, const struct store_place *p)
{
	buf_printf(arg, "%s:%s ", v->id, p->package);
	return 0;
}

static void an_images_vulnerabilities_come_urgent_first(void **state)
{
	struct buf out = { 0 };
	struct store_image im;

	fill_list();
	OK(store_image_get(f.s, WEB, a, &im, &err));
	OK(store_image_vulns(f.s, im.row, 0, 3, take_both, &out, &err));
	OK(store_image_vulns(f.s, im.row, 3, 3, take_both, &out, &err));
	assert_string_equal(out.p, "CVE-2:bash CVE-5:lodash CVE-1:openssl CVE-4:libc6 ");
	buf_fini(&out);
}

/* ---- the newer image ---- */

static int take_base(void *arg, const struct store_base *b)
{
	uint64_t *n = arg;

	n[0] = b->fixes;
	n[1] = b->adds;
	n[2] = b->image_id[0] != 0;
	return 0;
}

static void a_newer_image_that_is_known_says_what_it_fixes(void **state)
{
	static const char *const newer[] = { "deb libc6 2.36-9 glibc", "deb openssl 3.0.12-1", "deb zlib1g 1.2 zlib",
					     NULL };
	struct said all[] = { { "glibc", stock_found("CVE-4", VULN_HIGH, "") },
			      { "bash", stock_found("CVE-2", VULN_LOW, "") },
			      { "zlib", stock_found("CVE-3", VULN_LOW, "") } };
	Picket__BaseImage b = PICKET__BASE_IMAGE__INIT;
	char *digests[] = { STOCK_TEXT("docker.io/library/web@sha256:new") };
	uint64_t n[3] = { 0 };
	struct store_image im;

	said = all;
	said_count = ARRAY_LEN(all);
	put_image(WEB, "web:1", base);
	Picket__Inventory *m = stock_inventory(a, DB, NULL);
	stock_add(m, stock_layer(a, newer));
	m->repo_digests = digests;
	m->n_repo_digests = 1;
	OK(stock_put(f.s, "agent-1", m, &err));
	match();
	b.image_id = STOCK_TEXT(WEB);
	b.reference = STOCK_TEXT("web:1");
	b.running_digest = STOCK_TEXT("sha256:old");
	b.current_digest = STOCK_TEXT("sha256:new");
	b.checked_unix_s = 5;
	OK(store_base_image_put(f.s, "agent-1", &b, &err));
	OK(store_image_get(f.s, WEB, a, &im, &err));
	OK(store_image_bases(f.s, im.row, take_base, n, &err));
	assert_int_equal(n[0], 1); /* bash is gone */
	assert_int_equal(n[1], 1); /* zlib came */
	assert_int_equal(n[2], 1);
}

/* ---- acceptances ---- */

static int take_acceptance(void *arg, const struct store_acceptance *x)
{
	++*(int *)arg;
	return 0;
}

static int in_force(const char *id)
{
	struct store_vuln v;
	int n = 0;

	OK(store_vuln_get(f.s, id, a, &v, &err));
	OK(store_acceptances_each(f.s, &v, false, 10, take_acceptance, &n, &err));
	return n;
}

static void an_acceptance_is_in_force_until_its_day_or_its_end(void **state)
{
	struct store_acceptance x = { .vuln = "CVE-1", .image = "web", .package = "", .reason = "no way in", .who = "alice",
				      .until_unix_ns = T0 + DAY_NS };
	int64_t id, second;
	int n = 0;

	fill_list();
	OK(store_acceptance_add(f.s, &x, &id, &err));
	OK(store_acceptance_add(f.s, &x, &second, &err));
	assert_int_equal(judge(), 1);
	assert_int_equal(in_force("CVE-1"), 2);
	assert_int_equal(in_force("CVE-2"), 0);
	OK(store_acceptance_end(f.s, id, "bob", &err));
	assert_int_equal(store_acceptance_end(f.s, id, "bob", &err), -ERR_NOT_FOUND);
	assert_int_equal(judge(), 1);
	assert_int_equal(in_force("CVE-1"), 1);
	clock_fake_advance(&f.clk, 2 * DAY_NS);
	assert_int_equal(in_force("CVE-1"), 0);
	OK(store_acceptances_expire(f.s, &err));
	assert_int_equal(judge(), 1);
	OK(store_acceptances_each(f.s, NULL, true, 10, take_acceptance, &n, &err));
	assert_int_equal(n, 2);
}

static void an_acceptance_covers_what_its_patterns_mean(void **state)
{
	static const struct {
		const char *image, *package;
		bool want;
	} cases[] = {
		{ "", "", true },
		{ "nginx", "", true },
		{ "nginx:1.25", "", true },
		{ "nginx:1.26", "", false },
		{ "ngin", "", false },
		{ "ngin*", "", true },
		{ "reg.example:5000/nginx", "", true },
		{ "reg.example", "", false },
		{ "aaaaaaaaaaaa", "", true },
		{ "sha256:aaaaaaaaaaaa", "", true },
		{ "aaaa", "", false },
		{ "", "openssl", true },
		{ "", "open*", true },
		{ "", "bash", false },
		{ "nginx", "bash", false },
	};
	const struct store_place p = { .image_id = WEB, .names = "[\"nginx:1.25\",\"reg.example:5000/nginx:9\"]",
				       .package = "openssl" };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct store_acceptance x = { .image = cases[i].image, .package = cases[i].package };

		if (store_acceptance_covers(&x, &p) != cases[i].want)
			fail_msg("%s %s", cases[i].image, cases[i].package);
	}
}

/* ---- told, feeds, the end ---- */

static void what_was_told_is_remembered_per_image(void **state)
{
	struct store_told_row row = { .image = 1, .alert = 7, .severity = SEVERITY_HIGH, .state = TOLD_OPEN }, got;

	OK(store_told_get(f.s, 5, 1, &got, &err));
	assert_int_equal(got.state, TOLD_NOTHING);
	OK(store_told_set(f.s, 5, &row, &err));
	row.state = TOLD_CLOSED;
	OK(store_told_set(f.s, 5, &row, &err));
	OK(store_told_get(f.s, 5, 1, &got, &err));
	assert_int_equal(got.state, TOLD_CLOSED);
	assert_int_equal(got.alert, 7);
}

static int count_feed(void *arg, const struct store_feed *x)
{
	++*(int *)arg;
	return 0;
}

static void a_feed_keeps_what_the_server_called_its_copy(void **state)
{
	struct store_feed x = { .name = "npm", .url = "https://feeds.example/npm.zip", .format = "osv", .etag = "\"1\"",
				.modified = "", .error = "", .tried_unix_ns = 5, .succeeded_unix_ns = 5 },
			  got;
	int n = 0;

	assert_int_equal(store_feed_get(f.s, "npm", a, &got, &err), -ERR_NOT_FOUND);
	OK(store_feed_put(f.s, &x, &err));
	x.error = "timed out";
	x.tried_unix_ns = 9;
	OK(store_feed_put(f.s, &x, &err));
	OK(store_feed_get(f.s, "npm", a, &got, &err));
	assert_string_equal(got.etag, "\"1\"");
	assert_string_equal(got.error, "timed out");
	assert_int_equal(got.succeeded_unix_ns, 5);
	OK(store_feeds_each(f.s, count_feed, &n, &err));
	assert_int_equal(n, 1);
	uint64_t number;
	OK(store_number_get(f.s, "x", &number, &err));
	assert_int_equal(number, 0);
	OK(store_number_set(f.s, "x", 1ull << 40, &err));
	OK(store_number_get(f.s, "x", &number, &err));
	assert_int_equal(number, 1ull << 40);
}

static void a_vulnerability_without_images_is_judged_once_more_and_forgotten(void **state)
{
	const struct store_images_tidy how = { .gone_ns = 0, .quiet_ns = DAY_NS, .keep_ns = 30 * DAY_NS };
	struct store_vuln_status st;
	struct store_vuln v;
	uint64_t dropped;

	fill_list();
	clock_fake_advance(&f.clk, 31 * DAY_NS);
	/* one that ran nowhere goes; of the other's host nothing was heard, so it runs nowhere from now on */
	OK(store_images_tidy(f.s, &how, &dropped, &err));
	assert_int_equal(dropped, 1);
	clock_fake_advance(&f.clk, 31 * DAY_NS);
	OK(store_images_tidy(f.s, &how, &dropped, &err));
	assert_int_equal(dropped, 1);
	assert_int_equal(judge(), 5);
	clock_fake_advance(&f.clk, DAY_NS);
	OK(store_images_tidy(f.s, &how, &dropped, &err));
	OK(store_vuln_status(f.s, &st, &err));
	assert_int_equal(st.vulns + st.findings + st.packages + st.layers + st.images, 0);
	assert_int_equal(store_vuln_get(f.s, "CVE-1", a, &v, &err), -ERR_NOT_FOUND);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_package_is_matched_once_for_all_images_that_have_it),
		TEST(what_the_database_says_no_longer_is_resolved_and_may_come_back),
		TEST(only_packages_of_a_changed_name_source_or_owner_are_due),
		TEST(two_advisories_of_one_say_the_more_and_settle),
		TEST(use_and_use_of_packages_make_vulnerabilities_due),
		TEST(the_list_is_urgent_first_and_filtered_by_one_place),
		TEST(accepted_ones_are_listed_only_when_asked_for),
		TEST(pages_of_the_list_join_without_a_gap),
		TEST(an_images_vulnerabilities_come_urgent_first),
		TEST(a_newer_image_that_is_known_says_what_it_fixes),
		TEST(an_acceptance_is_in_force_until_its_day_or_its_end),
		TEST(an_acceptance_covers_what_its_patterns_mean),
		TEST(what_was_told_is_remembered_per_image),
		TEST(a_feed_keeps_what_the_server_called_its_copy),
		TEST(a_vulnerability_without_images_is_judged_once_more_and_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
