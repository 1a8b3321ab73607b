/* test_scan.c - a vulnerability of a running image as an alert: its words, its hosts, its life. */
#include "tests/collector/people.h"

#include "collector/alert/alert.h"

static const struct store_use uses[] = {
	{ .host = "host-1", .container = "c1", .container_name = "web-1", .ports = "[\"80/tcp\"]" },
	{ .host = "host-1", .container = "c2", .container_name = "web-2", .ports = "[]" },
	{ .host = "host-2", .container = "c3", .container_name = "web-3", .ports = "[]" },
	{ .host = "host-3", .container = "", .container_name = "", .ports = "[]" },
};

/* A case with all it points to. */
struct sample {
	struct store_case c;
	struct store_vuln v;
	struct store_place places[2];
};

static void sample(struct sample *s)
{
	*s = (struct sample){ 0 };
	s->v = (struct store_vuln){ .id = "CVE-2026-0001", .aliases = "[\"GHSA-1\"]", .title = "a hole in openssl",
				    .urls = "[]", .kev_due = "", .epss = 0.25, .score = 9.8 };
	s->places[0] = (struct store_place){ .package = "openssl", .ecosystem = "deb", .version = "3.0.11-1",
					     .fixed = "3.0.12-1", .severity = VULN_CRITICAL, .status = VULN_FIXED,
					     .path = SLICE_LIT("var/lib/dpkg/status") };
	s->places[1] = s->places[0];
	s->places[1].package = "libssl3";
	s->c = (struct store_case){ .vuln = &s->v, .image_id = "sha256:aaaa", .image = "nginx:1.25",
				    .severity = SEVERITY_CRITICAL, .places = s->places, .place_count = 2, .uses = uses,
				    .use_count = 4, .hosts = 3, .containers = 3 };
}

static struct alert_change put(struct people *p, const struct sample *s, int64_t id, bool is_news)
{
	struct alert_change c;

	MUST(alert_from_case(p->store, &p->clk, &s->c, id, is_news, &c, &must_err));
	return c;
}

static cJSON *read_alert(struct people *p, int64_t id)
{
	struct arena *a = arena_new(4 << 20);
	struct store_alert al;
	struct buf out = { 0 };
	struct json j;
	cJSON *doc = NULL;

	MUST(store_alert_get(p->store, id, a, &al, &must_err));
	json_init(&j, &out);
	alert_json(&j, &al);
	MUST(json_parse(buf_slice(&out), out.n, &doc, &must_err));
	buf_fini(&out);
	arena_free(a);
	return doc;
}

static const char *at(const cJSON *o, const char *a, const char *b)
{
	o = cJSON_GetObjectItemCaseSensitive(o, a);
	o = b ? cJSON_GetObjectItemCaseSensitive(o, b) : o;
	return cJSON_IsString(o) ? o->valuestring : "(none)";
}

static void it_says_what_where_and_what_to_do(void **state)
{
	struct sample s;

	sample(&s);
	struct alert_change c = put(*state, &s, 0, true);
	assert_true(c.is_new);
	cJSON *al = read_alert(*state, c.id);
	assert_string_equal(at(al, "title", NULL),
			    "`nginx:1.25` on host-1, host-2 and 1 more has CVE-2026-0001 (critical) in openssl 3.0.11-1 and 1"
			    " more; 3.0.12-1 fixes it");
	assert_string_equal(at(al, "source", NULL), "scan");
	assert_string_equal(at(al, "severity", NULL), "critical");
	assert_string_equal(at(al, "container", "image"), "nginx:1.25");
	assert_string_equal(at(al, "fields", "hosts"), "host-1, host-2, host-3");
	assert_string_equal(at(al, "fields", "containers"), "web-1, web-2, web-3");
	assert_string_equal(at(al, "fields", "packages"),
			    "openssl 3.0.11-1 (fixed: 3.0.12-1), libssl3 3.0.11-1 (fixed: 3.0.12-1)");
	const cJSON *hosts = cJSON_GetObjectItemCaseSensitive(al, "hosts");
	assert_int_equal(cJSON_GetArraySize(hosts), 3);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(hosts->child, "containers")), 2);
	assert_non_null(strstr(at(al, "description", NULL), "picketctl image show sha256:aaaa"));
	cJSON_Delete(al);
}

static void names_that_would_harm_are_shown(void **state)
{
	struct sample s;

	sample(&s);
	s.c.image = "evil`\033[2J\xe2\x80\xae:1";
	s.places[0].version = "1\n2";
	s.c.use_count = 0;
	cJSON *al = read_alert(*state, put(*state, &s, 0, true).id);
	assert_string_equal(at(al, "title", NULL),
			    "`evil'\\x1b[2J\\u{202e}:1` on 3 hosts has CVE-2026-0001 (critical) in openssl 1\\n2 and 1 more;"
			    " 3.0.12-1 fixes it");
	cJSON_Delete(al);
}

static void what_is_so_now_is_kept_up_to_date_in_silence(void **state)
{
	struct sample s;

	sample(&s);
	struct alert_change first = put(*state, &s, 0, true), c;
	c = put(*state, &s, first.id, false);
	assert_false(c.is_new || c.is_escalated || c.is_reopened);
	s.c.use_count = 2;
	s.c.hosts = 1;
	c = put(*state, &s, first.id, false);
	assert_false(c.is_new || c.is_escalated || c.is_reopened);
	assert_int_equal(c.count, 1);
	cJSON *al = read_alert(*state, first.id);
	assert_non_null(strstr(at(al, "title", NULL), "on host-1 has"));
	cJSON_Delete(al);
}

static void it_gets_worse_closes_with_why_and_comes_back(void **state)
{
	struct people *p = *state;
	struct sample s;

	sample(&s);
	s.c.severity = SEVERITY_HIGH;
	int64_t id = put(p, &s, 0, true).id;
	s.v.is_kev = true;
	s.c.severity = SEVERITY_CRITICAL;
	struct alert_change c = put(p, &s, id, true);
	assert_true(c.is_escalated);
	MUST(alert_close(p->store, &p->clk, id, "no container of the image runs any more", &must_err));
	MUST(alert_close(p->store, &p->clk, id, "twice", &must_err));
	cJSON *al = read_alert(p, id);
	assert_string_equal(at(al, "status", NULL), "resolved");
	assert_string_equal(at(al, "resolution", "why"), "no container of the image runs any more");
	cJSON_Delete(al);
	c = put(p, &s, id, true);
	assert_true(c.is_reopened);
	al = read_alert(p, id);
	assert_string_equal(at(al, "status", NULL), "new");
	assert_string_equal(at(al, "resolution", "why"), "(none)");
	cJSON_Delete(al);
	/* one that is gone */
	MUST(alert_close(p->store, &p->clk, 999, "x", &must_err));
	assert_int_equal(alert_from_case(p->store, &p->clk, &s.c, 999, true, &c, &must_err), -ERR_NOT_FOUND);
}

static void what_a_person_resolved_stays_so_until_it_gets_worse(void **state)
{
	struct people *p = *state;
	struct sample s;

	sample(&s);
	s.c.severity = SEVERITY_HIGH;
	int64_t id = put(p, &s, 0, true).id;
	MUST(store_alert_set_status(p->store, id, "resolved", NULL, "alice", &must_err));
	s.c.hosts = 9;
	assert_false(put(p, &s, id, false).is_reopened);
	cJSON *al = read_alert(p, id);
	assert_string_equal(at(al, "status", NULL), "resolved");
	assert_null(strstr(at(al, "title", NULL), "7 more"));
	cJSON_Delete(al);
	/* and its end is the person's, not ours */
	MUST(alert_close(p->store, &p->clk, id, "over", &must_err));
	al = read_alert(p, id);
	assert_string_equal(at(al, "resolution", "why"), "(none)");
	cJSON_Delete(al);
	s.c.severity = SEVERITY_CRITICAL;
	assert_true(put(p, &s, id, true).is_reopened);
}

static int count(void *arg, const struct store_alert *al)
{
	++*(int *)arg;
	return 0;
}

static int found(struct people *p, const char *filter)
{
	const struct store_query q = { .filter = slice_of(filter), .limit = 10 };
	char cursor[64];
	int n = 0;

	MUST(store_alert_query(p->store, &q, count, &n, cursor, sizeof(cursor), &must_err));
	return n;
}

static void it_is_found_by_every_host_and_container(void **state)
{
	struct sample s;

	sample(&s);
	put(*state, &s, 0, true);
	assert_int_equal(found(*state, "host=host-1"), 1);
	assert_int_equal(found(*state, "host=host-3"), 1);
	assert_int_equal(found(*state, "host=host-4"), 0);
	assert_int_equal(found(*state, "host!=host-3"), 0);
	assert_int_equal(found(*state, "-host=host-4"), 1);
	assert_int_equal(found(*state, "container=web-3 image~nginx source=scan"), 1);
	assert_int_equal(found(*state, "\"CVE-2026-0001\""), 1);
}

static void an_alert_with_everything_at_its_bounds_is_kept(void **state)
{
	static char path[LIMIT_PATH_BYTES], name[256], version[LIMIT_PACKAGE_TEXT_BYTES];
	struct store_use many[100];
	struct store_place places[64];
	struct sample s;

	sample(&s);
	memset(path, '\x01', sizeof(path));
	memset(name, '\x02', sizeof(name) - 1);
	memset(version, '"', sizeof(version) - 1);
	for (size_t i = 0; i < 100; i++)
		many[i] = (struct store_use){ .host = name, .container = name, .container_name = name, .ports = "[]" };
	for (size_t i = 0; i < 64; i++) {
		places[i] = s.places[0];
		places[i].package = places[i].version = places[i].fixed = version;
		places[i].path = places[i].used_path = slice_from(path, sizeof(path));
		places[i].used = 3;
	}
	s.c.uses = many;
	s.c.use_count = 100;
	s.c.places = places;
	s.c.place_count = 64;
	struct alert_change c;
	int r = alert_from_case(((struct people *)*state)->store, &((struct people *)*state)->clk, &s.c, 0, true, &c, &must_err);
	if (r < 0)
		fail_msg("%s", must_err.msg);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, people_setup, people_teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_says_what_where_and_what_to_do),
		TEST(names_that_would_harm_are_shown),
		TEST(what_is_so_now_is_kept_up_to_date_in_silence),
		TEST(it_gets_worse_closes_with_why_and_comes_back),
		TEST(what_a_person_resolved_stays_so_until_it_gets_worse),
		TEST(it_is_found_by_every_host_and_container),
		TEST(an_alert_with_everything_at_its_bounds_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
