/* test_health.c - what is wrong becomes an alert, and closes. Time is turned by hand. */
#include "tests/collector/store/fixture.h"

#include "collector/alert/alert.h"
#include "collector/health/health.h"
#include "common/tls.h"

enum { SILENT_S = 45 };

static struct world {
	struct fixture f;
	struct health *h;
	struct health_config cfg;
	struct prom_durations answers;
	uint64_t free_bytes;
	const char *rules_error;
	unsigned told, closed, commits;
	bool fails;
	char title[500], detail[700], host[300];
	enum msg_severity severity;
} w;

static void on_facts(void *arg, struct health_facts *ret)
{
	(void)arg;
	ret->answers = &w.answers;
	ret->free_bytes = w.free_bytes;
	ret->rules_error = w.rules_error;
}

static int on_case(void *arg, const struct health_case *c, int64_t *alert, struct err *err)
{
	struct alert_config cfg = { 0 };
	struct alert_change change;

	(void)arg;
	if (w.fails)
		return err_set(err, EIO, "no");
	int r = alert_from_system(w.f.s, &cfg, &w.f.clk, c->rule, c->severity, c->host, c->title, c->detail, &change, err);
	if (r < 0)
		return r;
	w.told++;
	w.severity = c->severity;
	snprintf(w.title, sizeof(w.title), "%s", c->title);
	snprintf(w.detail, sizeof(w.detail), "%s", c->detail);
	snprintf(w.host, sizeof(w.host), "%s", c->host);
	*alert = change.id;
	return 0;
}

static int on_closed(void *arg, int64_t alert, const char *why, struct err *err)
{
	(void)arg;
	w.closed++;
	return alert_close(w.f.s, &w.f.clk, alert, why, err);
}

static void on_committed(void *arg)
{
	(void)arg;
	w.commits++;
}

static const struct health_ops ops = { on_facts, on_case, on_closed, on_committed };

static void open_health(void)
{
	struct err err;

	OK(health_new(w.f.s, &w.f.clk, &w.cfg, &ops, NULL, &w.h, &err));
}

static int setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	fixture_init(&w.f);
	w.cfg = (struct health_config){ .silent_ms = SILENT_S * 1000,
					.clock_off_ms = 5000,
					.spool_ms = 300000,
					.delivery_ms = 300000,
					.behind_ms = 2000,
					.cert_days = 90,
					.reserve_bytes = 64 << 20 };
	w.free_bytes = 1ull << 40;
	open_health();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	health_free(w.h);
	fixture_fini(&w.f);
	return 0;
}

static void enrol(const char *id, const char *host, const char *machine)
{
	struct store_agent a = { .id = id, .host = host, .agent_version = "1", .kernel = "6", .machine_id = machine, .boot_id = "b",
				 .serial = id };
	struct err err;

	OK(store_agent_enrol(w.f.s, &a, &err));
}

static void beat_with(const char *id, Picket__Heartbeat h)
{
	struct err err;

	if (!h.time_unix_ns)
		h.time_unix_ns = clock_unix_ns(&w.f.clk);
	h.rules_version = (char *)(uintptr_t)"";
	OK(store_agent_heartbeat(w.f.s, id, &h, &err));
}

static void beat(const char *id)
{
	beat_with(id, (Picket__Heartbeat)PICKET__HEARTBEAT__INIT);
}

/* Seconds go by, as the loop's tick sees them. busy: agents that are heard of, NULL-terminated. */
static void pass(unsigned seconds, const char *const *busy)
{
	for (unsigned i = 0; i < seconds; i++) {
		clock_fake_advance(&w.f.clk, SECOND_NS);
		for (size_t k = 0; busy && busy[k] && i % 10 == 0; k++)
			beat(busy[k]);
		health_tick(w.h);
	}
}

static const char *status_of(int64_t id)
{
	static char status[32];
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct store_alert al;
	struct err err;

	OK(store_alert_get(w.f.s, id, a, &al, &err));
	snprintf(status, sizeof(status), "%s", al.status);
	return status;
}

static const char *const web[] = { "web", NULL }, *const both[] = { "web", "db", NULL };

static void a_silent_agent_is_told_within_a_minute_and_closed(void **state)
{
	(void)state;
	enrol("web", "web-1", "m1");
	enrol("db", "db-1", "m2");
	pass(60, both);
	assert_int_equal(w.told, 0);
	pass(30, web); /* 39 s */
	assert_int_equal(w.told, 0);
	pass(15, web);
	assert_int_equal(w.told, 1);
	assert_string_equal(w.host, "db-1");
	assert_int_equal(w.severity, SEVERITY_HIGH);
	assert_non_null(strstr(w.title, "db-1"));
	assert_string_equal(status_of(1), "new");
	pass(600, web); /* told once */
	assert_int_equal(w.told, 1);
	pass(5, both);
	assert_int_equal(w.closed, 0); /* not at the first word */
	pass(30, both);
	assert_int_equal(w.closed, 1);
	assert_string_equal(status_of(1), "resolved");
	pass(70, web); /* again: the same alert is open again */
	assert_int_equal(w.told, 2);
	assert_string_equal(status_of(1), "new");
}

static void a_restart_waits_and_remembers(void **state)
{
	(void)state;
	enrol("web", "web-1", "m1");
	pass(60, NULL);
	assert_int_equal(w.told, 1);
	health_free(w.h);
	clock_fake_advance(&w.f.clk, 3600 * SECOND_NS);
	open_health();
	pass(10, NULL); /* nobody had the time to come back */
	assert_int_equal(w.told, 1);
	assert_int_equal(w.closed, 0);
	pass(120, web);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.closed, 1);
}

/* What is silent while we wait is not well: silence is not judged, so it must not close either. */
static void what_was_silent_stays_open_over_a_restart(void **state)
{
	(void)state;
	enrol("web", "web-1", "m1");
	pass(60, NULL);
	health_free(w.h);
	open_health();
	pass(300, NULL);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.closed, 0);
}

static void a_collector_that_stood_still_blames_nobody(void **state)
{
	(void)state;
	enrol("web", "web-1", "m1");
	pass(60, web);
	clock_fake_advance(&w.f.clk, 120 * SECOND_NS); /* SIGSTOP */
	pass(20, NULL);
	assert_int_equal(w.told, 0);
	pass(40, NULL);
	assert_int_equal(w.told, 1);
}

static void a_site_that_is_cut_off_is_one_alert(void **state)
{
	char id[16], host[16];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "a%02d", i);
		snprintf(host, sizeof(host), "host-%02d", i);
		enrol(id, host, id);
	}
	pass(60, NULL);
	assert_int_equal(w.told, 1);
	assert_string_equal(w.host, "");
	assert_non_null(strstr(w.title, "40 agents are silent: host-00, host-01, host-02, host-03, host-04 …"));
	for (int i = 0; i < 39; i++) {
		snprintf(id, sizeof(id), "a%02d", i);
		beat(id);
	}
	pass(30, NULL);
	assert_int_equal(w.closed, 0); /* one is away still */
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "a%02d", i);
		beat(id);
	}
	pass(30, NULL);
	assert_int_equal(w.closed, 1);
}

static void revoked_and_replaced_agents_are_not_missed(void **state)
{
	struct err err;

	(void)state;
	enrol("old", "web-1", "m1");
	enrol("gone", "db-1", "m2");
	OK(store_agent_revoke(w.f.s, "gone", &err));
	clock_fake_advance(&w.f.clk, SECOND_NS);
	enrol("new", "web-1", "m1");
	pass(100, (const char *const[]){ "new", NULL });
	assert_int_equal(w.told, 0);
}

static void clocks_spools_and_ledgers_that_are_off(void **state)
{
	Picket__Heartbeat h = PICKET__HEARTBEAT__INIT;

	(void)state;
	enrol("web", "web-1", "m1");
	for (int i = 0; i < 6; i++) {
		h.time_unix_ns = clock_unix_ns(&w.f.clk) - 3600 * SECOND_NS;
		beat_with("web", h);
		pass(10, NULL);
		assert_int_equal(w.told, i >= 2);
	}
	assert_non_null(strstr(w.title, "The clock of web-1 is 60 min behind"));
	assert_int_equal(w.severity, SEVERITY_HIGH);
	pass(120, web);
	assert_int_equal(w.closed, 1);
	for (int i = 0; i < 6; i++) {
		h.time_unix_ns = 0;
		h.epoch = 1;
		h.spool_records = h.produced = 777;
		h.spool_oldest_unix_ns = clock_unix_ns(&w.f.clk) - 301 * SECOND_NS;
		beat_with("web", h);
		pass(10, NULL);
	}
	assert_int_equal(w.told, 2);
	assert_non_null(strstr(w.title, "web-1 has 777 events that wait, the oldest for 5 min"));
	for (int i = 0; i < 70; i++) { /* ten minutes and more: taken away at the agent */
		h.spool_records = 0;
		h.spool_oldest_unix_ns = 0;
		beat_with("web", h);
		pass(10, NULL);
	}
	assert_int_equal(w.told, 3);
	assert_int_equal(w.closed, 2);
	assert_non_null(strstr(w.title, "777 records of web-1 are neither stored"));
}

static void broken_rules_are_told_until_they_are_mended(void **state)
{
	struct store_alert al;
	struct err err;

	(void)state;
	w.rules_error = "rules.d/a.yml:3:1: unknown key 'x'";
	pass(10, NULL);
	assert_int_equal(w.told, 1);
	assert_string_equal(w.detail, w.rules_error);
	/* another line of it: the same alert, with what is wrong now */
	w.rules_error = "rules.d/a.yml:9:1: unknown key 'y'";
	pass(10, NULL);
	assert_int_equal(w.told, 2);
	assert_int_equal(w.closed, 0);
	assert_string_equal(w.detail, w.rules_error);
	/* mended while the collector was away */
	health_free(w.h);
	w.h = NULL;
	w.rules_error = "";
	open_health();
	pass(10, NULL);
	assert_int_equal(w.closed, 1);
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	OK(store_alert_get(w.f.s, 1, a, &al, &err));
	assert_string_equal(al.status, "resolved");
}

static void a_full_disk_gets_worse_and_well(void **state)
{
	(void)state;
	w.free_bytes = 200u << 20;
	pass(10, NULL);
	assert_int_equal(w.severity, SEVERITY_MEDIUM);
	w.free_bytes = 100u << 20;
	pass(10, NULL);
	assert_int_equal(w.severity, SEVERITY_HIGH);
	w.free_bytes = 10u << 20;
	pass(10, NULL);
	assert_int_equal(w.severity, SEVERITY_CRITICAL);
	assert_int_equal(w.told, 3);
	w.free_bytes = 300u << 20;
	pass(50, NULL);
	assert_int_equal(w.closed, 0);
	pass(20, NULL);
	assert_int_equal(w.closed, 1);
	assert_string_equal(status_of(1), "resolved");
}

static void answers_that_take_long(void **state)
{
	(void)state;
	prom_durations_add(&w.answers, 60000 * 1000000ull); /* one */
	pass(100, NULL);
	assert_int_equal(w.told, 0);
	for (int i = 0; i < 120; i++) {
		prom_durations_add(&w.answers, (i % 3 ? 20 : 6000) * 1000000ull);
		pass(1, NULL);
	}
	assert_int_equal(w.told, 1);
	assert_non_null(strstr(w.title, "waited more than 2000 ms"));
	for (int i = 0; i < 150; i++) {
		prom_durations_add(&w.answers, 20000000);
		pass(1, NULL);
	}
	assert_int_equal(w.closed, 1);
}

static void notifications_that_wait_or_died(void **state)
{
	struct err err;

	(void)state;
	for (int i = 0; i < 3; i++) {
		char key[8];
		struct store_outbox o = { .route = "all", .receiver = "pager", .kind = "webhook", .group = "g", .key = key, .body = "{}",
					  .due_unix_ns = T0 };
		snprintf(key, sizeof(key), "k%d", i);
		OK(store_outbox_add(w.f.s, &o, &err));
	}
	OK(store_outbox_retry(w.f.s, 1, T0 + 3600 * SECOND_NS, "connection refused", &err));
	pass(290, NULL);
	assert_int_equal(w.told, 0);
	pass(20, NULL);
	assert_int_equal(w.told, 1);
	assert_non_null(strstr(w.title, "1 notifications wait for 'pager'"));
	assert_non_null(strstr(w.detail, "connection refused"));
	OK(store_outbox_retry(w.f.s, 1, 0, "gone", &err));
	pass(10, NULL);
	assert_int_equal(w.told, 2);
	assert_non_null(strstr(w.title, "given up"));
	OK(store_outbox_done(w.f.s, 1, &err));
	pass(100, NULL);
	assert_int_equal(w.closed, 2);
}

static void certificates_near_their_end(void **state)
{
	CLEANUP(buf_finip) struct buf key = { 0 };
	CLEANUP(buf_finip) struct buf ca = { 0 };
	struct store_agent a = { .id = "web", .host = "web-1", .agent_version = "", .kernel = "", .machine_id = "m", .boot_id = "", .serial = "1",
				 .cert_not_after_unix_ns = T0 + 14 * DAY_NS };
	struct err err;

	(void)state;
	OK(store_agent_enrol(w.f.s, &a, &err));
	OK(tls_key_new(&key, &err));
	OK(tls_ca_new(buf_slice(&key), "test", 1, &w.f.clk, &ca, &err));
	health_free(w.h);
	w.cfg.ca_pem = buf_slice(&ca);
	open_health();
	pass(10, web);
	assert_int_equal(w.told, 1);
	assert_string_equal(w.host, "web-1");
	assert_int_equal(w.severity, SEVERITY_MEDIUM);
	clock_fake_advance(&w.f.clk, 350 * DAY_NS);
	pass(10, NULL);
	assert_int_equal(w.told, 3); /* the agent's has ended, the CA's is near: both are told */
	health_free(w.h);
	w.h = NULL;
}

static void a_store_that_fails_is_asked_again(void **state)
{
	(void)state;
	w.free_bytes = 1;
	w.fails = true;
	pass(10, NULL);
	assert_int_equal(w.told, 0);
	w.fails = false;
	pass(10, NULL);
	assert_int_equal(w.told, 1);
	assert_int_equal(w.commits, 1);
}

static void status_and_metrics_say_it(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct json j;

	(void)state;
	w.free_bytes = 1;
	pass(10, NULL);
	json_init(&j, &out);
	json_object_open(&j);
	health_status(w.h, &j);
	json_object_close(&j);
	assert_non_null(strstr(out.p, "\"what\":\"storage\",\"rule\":\"Storage nearly full\",\"host\":\"\",\"severity\":\"critical\""));
	assert_non_null(strstr(out.p, "\"health_count\":1"));
	buf_reset(&out);
	health_metrics(w.h, &out);
	assert_non_null(strstr(out.p, "\npicket_health_cases{what=\"storage\"} 1\n"));
	assert_non_null(strstr(out.p, "\npicket_health_cases{what=\"silent\"} 0\n"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_silent_agent_is_told_within_a_minute_and_closed),
		TEST(a_restart_waits_and_remembers),
		TEST(what_was_silent_stays_open_over_a_restart),
		TEST(a_collector_that_stood_still_blames_nobody),
		TEST(a_site_that_is_cut_off_is_one_alert),
		TEST(revoked_and_replaced_agents_are_not_missed),
		TEST(clocks_spools_and_ledgers_that_are_off),
		TEST(broken_rules_are_told_until_they_are_mended),
		TEST(a_full_disk_gets_worse_and_well),
		TEST(answers_that_take_long),
		TEST(notifications_that_wait_or_died),
		TEST(certificates_near_their_end),
		TEST(a_store_that_fails_is_asked_again),
		TEST(status_and_metrics_say_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
