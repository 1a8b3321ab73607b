/* test_groups.c - routes, groups, hours, storms, against a receiver on loopback; time is turned by hand. */
#include "tests/collector/notify/receiver.h"

#include <sqlite3.h>

#define SECOND 1000000000ull
/* Tuesday, 1 December 2026, 12:00 UTC */
static const uint64_t noon = 1796126400ull * SECOND;

static struct receiver rcv, rcv2;
static struct notifying n;
static char url[64], url2[64], soc[] = "soc", chat[] = "chat", first[] = "first", second[] = "second",
	inbox[] = "https://collector:8443", error[] = "Error", critical[] = "Critical";
static char *to_soc[] = { soc }, *to_chat[] = { chat };
static struct notify_webhook hooks[2];
static struct notify_route routes[2];
static struct notify_config cfg;

static void begin(const char *answer)
{
	memset(&n, 0, sizeof(n));
	memset(routes, 0, sizeof(routes));
	people_open(&n.p);
	n.p.clk = clock_fake(noon);
	receiver_start(&rcv, answer);
	receiver_start(&rcv2, answer);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", rcv.port);
	snprintf(url2, sizeof(url2), "http://127.0.0.1:%d/", rcv2.port);
	hooks[0] = (struct notify_webhook){ .name = soc, .url = url };
	hooks[1] = (struct notify_webhook){ .name = chat, .url = url2 };
	routes[0] = (struct notify_route){ .name = first, .receivers = { to_soc, 1 }, .group_wait_ms = 30000,
					   .group_interval_ms = 300000 };
	routes[1] = (struct notify_route){ .name = second, .receivers = { to_chat, 1 }, .group_wait_ms = 1,
					   .group_interval_ms = 1 };
	cfg = (struct notify_config){ .webhooks = hooks, .webhook_count = 1, .routes = routes, .route_count = 1,
				      .inbox_url = inbox, .max_attempts = 100 };
}

static void finish(void)
{
	notifying_close(&n);
	receiver_stop(&rcv);
	receiver_stop(&rcv2);
	people_close(&n.p);
}

/* An alert of its own for each i. */
static int64_t raise_one(int i, char *priority)
{
	static char ids[600][16];
	struct people_finding f;

	people_finding(&f, clock_unix_ns(&n.p.clk));
	snprintf(ids[i], sizeof(ids[i]), "c%d", i);
	f.container.id = ids[i];
	f.finding.priority = priority;
	return notifying_alert(&n, &f).id;
}

static void turn(unsigned ms)
{
	uint64_t end = clock_boot_ns(clock_real()) + ms * 1000000ull;

	do {
		notify_kick(n.notify);
		loop_step(n.loop, 5);
	} while (clock_boot_ns(clock_real()) < end);
}

static void later(uint64_t seconds)
{
	clock_fake_advance(&n.p.clk, seconds * SECOND);
	turn(60);
}

/* Until so many requests came, then a little longer. */
static void until_count(struct receiver *r, unsigned count)
{
	for (unsigned i = 0; i < 400 && r->count < count; i++) {
		notify_kick(n.notify);
		loop_step(n.loop, 10);
	}
	turn(40);
	assert_int_equal(r->count, count);
}

static int alerts_in(const struct receiver *r, unsigned i, const char *why)
{
	cJSON *doc = body_of(r->requests[i]);
	const cJSON *al, *alerts = cJSON_GetObjectItem(doc, "alerts");
	int count = cJSON_GetArraySize(alerts);

	cJSON_ArrayForEach(al, alerts)
	{
		if (why)
			assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(al, "why")), why);
	}
	cJSON_Delete(doc);
	return count;
}

static void a_group_waits_then_tells_all_and_then_only_what_is_new(void **state)
{
	(void)state;
	begin("200 OK");
	notifying_open(&n, &cfg);
	raise_one(1, error);
	later(10);
	raise_one(2, error);
	later(19);
	assert_int_equal(rcv.count, 0);
	later(1);
	until_count(&rcv, 1);
	assert_int_equal(alerts_in(&rcv, 0, "new"), 2);
	raise_one(3, error);
	raise_one(4, error);
	later(298);
	assert_int_equal(rcv.count, 1);
	later(3);
	until_count(&rcv, 2);
	assert_int_equal(alerts_in(&rcv, 1, "new"), 2);
	later(3600);
	assert_int_equal(rcv.count, 2);
	finish();
}

static void what_is_open_is_told_again_until_somebody_takes_it(void **state)
{
	(void)state;
	begin("200 OK");
	routes[0].repeat_interval_ms = 3600000;
	notifying_open(&n, &cfg);
	int64_t id = raise_one(1, error);
	raise_one(2, error);
	later(31);
	until_count(&rcv, 1);
	MUST(store_alert_set_status(n.p.store, id, "acknowledged", NULL, "alice", &must_err));
	later(3601);
	until_count(&rcv, 2);
	assert_int_equal(alerts_in(&rcv, 1, "repeated"), 1);
	MUST(store_alert_set_status(n.p.store, 2, "resolved", NULL, "alice", &must_err));
	later(3601);
	later(3601);
	assert_int_equal(rcv.count, 2);
	finish();
}

static void what_is_over_is_told_where_that_is_wanted(void **state)
{
	(void)state;
	begin("200 OK");
	routes[0].send_resolved = 1;
	routes[0].goes_on = true;
	cfg.webhook_count = cfg.route_count = 2;
	notifying_open(&n, &cfg);
	int64_t told = raise_one(1, error), early = raise_one(2, error);
	MUST(store_alert_set_status(n.p.store, early, "resolved", NULL, "alice", &must_err));
	later(31);
	until_count(&rcv, 1);
	assert_int_equal(alerts_in(&rcv, 0, "new"), 1); /* the other was over before anybody heard of it */
	until_count(&rcv2, rcv2.count);
	unsigned before = rcv2.count;
	MUST(store_alert_set_status(n.p.store, told, "resolved", NULL, "alice", &must_err));
	later(301);
	later(2);
	until_count(&rcv, 2);
	assert_int_equal(alerts_in(&rcv, 1, "resolved"), 1);
	assert_non_null(strstr(rcv.requests[1], "\"status\":\"resolved\""));
	assert_int_equal(rcv2.count, before);
	finish();
}

static void an_incident_is_triggered_acknowledged_and_resolved_under_one_key(void **state)
{
	static char key_file[128];
	static const char *const actions[] = { "trigger", "acknowledge", "resolve" };
	char key[128] = "";

	(void)state;
	begin("202 Accepted");
	snprintf(key_file, sizeof(key_file), "%s/key", n.p.dir);
	MUST(file_write_atomic(key_file, SLICE_LIT("0123456789abcdef0123456789abcdef\n"), 0600, &must_err));
	hooks[0].preset = NOTIFY_PAGERDUTY;
	hooks[0].secret_file = key_file;
	notifying_open(&n, &cfg);
	int64_t id = raise_one(1, error);
	later(31);
	until_count(&rcv, 1);
	MUST(store_alert_set_status(n.p.store, id, "acknowledged", NULL, "alice", &must_err));
	later(301);
	later(2);
	until_count(&rcv, 2);
	MUST(store_alert_set_status(n.p.store, id, "resolved", NULL, "alice", &must_err));
	later(301);
	later(2);
	until_count(&rcv, 3);
	for (unsigned i = 0; i < 3; i++) {
		cJSON *doc = body_of(rcv.requests[i]);

		assert_true(slice_is(json_get_str(doc, "event_action"), actions[i]));
		if (!i)
			slice_copy(json_get_str(doc, "dedup_key"), key, sizeof(key));
		assert_true(slice_is(json_get_str(doc, "dedup_key"), key));
		assert_null(strstr(rcv.requests[i], "X-Picket-Signature"));
		cJSON_Delete(doc);
	}
	later(3600);
	assert_int_equal(rcv.count, 3);
	finish();
}

static void filters_severities_and_order_decide_who_hears(void **state)
{
	static char filter[] = "container.id=c1 rule~download";

	(void)state;
	begin("200 OK");
	cfg.webhook_count = cfg.route_count = 2;
	routes[0].filter = filter;
	routes[0].group_wait_ms = 1;
	routes[1].min_severity = SEVERITY_HIGH;
	notifying_open(&n, &cfg);
	raise_one(1, error); /* the first route only: it does not go on */
	later(1);
	until_count(&rcv, 1);
	assert_int_equal(rcv2.count, 0);
	raise_one(2, error);
	later(1);
	until_count(&rcv2, 1);
	static char notice[] = "Notice";
	raise_one(3, notice); /* nobody */
	later(1);
	assert_int_equal(rcv.count + rcv2.count, 2);
	finish();
}

static void outside_of_its_hours_a_route_waits_for_them(void **state)
{
	static char night[] = "mon-fri 22:00-06:00", *hours[] = { night }, zone[] = "Europe/Berlin";

	(void)state;
	begin("200 OK");
	routes[0].hours = (struct conf_list){ hours, 1 };
	routes[0].time_zone = zone;
	routes[0].group_wait_ms = 1000;
	notifying_open(&n, &cfg);
	raise_one(1, error);
	int64_t over = raise_one(2, error), taken = raise_one(3, error);
	later(2);
	MUST(store_alert_set_status(n.p.store, over, "resolved", NULL, "alice", &must_err));
	MUST(store_alert_set_status(n.p.store, taken, "acknowledged", NULL, "alice", &must_err));
	later(9 * 3600 - 60); /* 21:59 in Berlin is 20:59 UTC */
	assert_int_equal(rcv.count, 0);
	later(120);
	until_count(&rcv, 1);
	assert_int_equal(alerts_in(&rcv, 0, "new"), 1);
	finish();
}

static int on_quiet(void *arg, const struct store_alert *al, bool *ret, struct err *err)
{
	(void)err;
	*ret = al->id == *(int64_t *)arg;
	return 0;
}

static void what_is_quiet_stays_out_until_it_is_told_again(void **state)
{
	static int64_t quiet = 1;

	(void)state;
	begin("200 OK");
	quiet = 1;
	cfg.is_quiet = on_quiet;
	cfg.quiet_arg = &quiet;
	notifying_open(&n, &cfg);
	raise_one(1, error);
	raise_one(2, error);
	later(31);
	until_count(&rcv, 1);
	assert_int_equal(alerts_in(&rcv, 0, "new"), 1);
	quiet = 0;
	MUST(notify_enqueue(n.notify, 1, NOTIFY_NEW, &must_err));
	later(301);
	until_count(&rcv, 2);
	assert_int_equal(alerts_in(&rcv, 1, "new"), 1);
	finish();
}

/* Between sending and noting it: the same message under the same key, whatever came in the meantime. */
static void a_message_that_is_sent_again_says_the_same(void **state)
{
	(void)state;
	begin("500 Oops");
	notifying_open(&n, &cfg);
	raise_one(1, error);
	later(31);
	until_count(&rcv, 1);
	notifying_close(&n);
	notifying_open(&n, &cfg);
	raise_one(2, error);
	rcv.answer = "200 OK";
	later(10);
	until_count(&rcv, 2);
	const char *a = strstr(rcv.requests[0], "Idempotency-Key: "), *b = strstr(rcv.requests[1], "Idempotency-Key: ");
	assert_memory_equal(a, b, 17 + 32);
	assert_int_equal(alerts_in(&rcv, 1, NULL), 1);
	later(301);
	until_count(&rcv, 3);
	assert_int_equal(alerts_in(&rcv, 2, "new"), 1);
	assert_memory_not_equal(a, strstr(rcv.requests[2], "Idempotency-Key: "), 17 + 32);
	finish();
}

static void run_sql(const char *sql)
{
	char path[160];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/state.db", n.p.dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 2000);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A disk that is full: what was taken by the receiver is not sent over and over until there is room. */
static void what_was_sent_and_cannot_be_noted_is_not_sent_again(void **state)
{
	(void)state;
	begin("200 OK");
	notifying_open(&n, &cfg);
	run_sql("CREATE TRIGGER full BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'disk full'); END");
	raise_one(1, error);
	later(31);
	until_count(&rcv, 1);
	for (int i = 0; i < 10; i++)
		later(60);
	assert_int_equal(rcv.count, 1);
	run_sql("DROP TRIGGER full");
	later(60);
	later(60);
	assert_int_equal(rcv.count, 1);
	assert_int_equal(notifying_count(&n).waiting, 0);
	raise_one(2, error);
	later(301);
	until_count(&rcv, 2);
	finish();
}

/* It was a year ahead when things were noted, and somebody set it right. */
static void a_clock_that_is_set_back_holds_nothing_back(void **state)
{
	const uint64_t year = 365ull * 86400 * SECOND;

	(void)state;
	begin("503 Busy");
	cfg.webhook_count = cfg.route_count = 2;
	routes[0].goes_on = true;
	notifying_open(&n, &cfg);
	clock_fake_advance(&n.p.clk, year);
	raise_one(1, error); /* waits in a group of the first, and for another try of the second */
	later(1);
	until_count(&rcv2, rcv2.count ? rcv2.count : 1);
	unsigned tried = rcv2.count;
	rcv.answer = rcv2.answer = "200 OK";
	n.p.clk.fake_unix_ns -= year;
	later(60);
	later(60);
	assert_true(rcv.count == 1);
	assert_true(rcv2.count > tried);
	assert_int_equal(notifying_count(&n).waiting, 0);
	finish();
}

/* The same, when we begin after that. */
static void what_an_earlier_run_put_off_into_the_far_future_is_told(void **state)
{
	(void)state;
	begin("200 OK");
	notifying_open(&n, &cfg);
	clock_fake_advance(&n.p.clk, 365ull * 86400 * SECOND);
	raise_one(1, error);
	notifying_close(&n);
	n.p.clk = clock_fake(noon);
	notifying_open(&n, &cfg);
	later(31);
	until_count(&rcv, 1);
	finish();
}

static void a_storm_is_a_few_messages_and_a_digest_of_the_rest(void **state)
{
	static char alert[] = "alert", *by[] = { alert };
	unsigned told = 0, messages, i;

	(void)state;
	begin("200 OK");
	routes[0].group_by = (struct conf_list){ by, 1 };
	routes[0].group_wait_ms = 1;
	notifying_open(&n, &cfg);
	for (i = 0; i < 500; i++) {
		raise_one((int)i, i == 450 ? critical : error);
		clock_fake_advance(&n.p.clk, SECOND / 100);
		if (i < 20)
			turn(20);
	}
	clock_fake_advance(&n.p.clk, 1 * SECOND);
	notify_kick(n.notify); /* one slice of the digest, then the collector ends */
	notifying_close(&n);
	notifying_open(&n, &cfg);
	for (i = 0; i < 6; i++) {
		later(6);
		turn(200);
	}
	messages = rcv.count;
	assert_in_range(messages, 11, 20);
	for (i = 0; i < messages; i++) {
		cJSON *doc = body_of(rcv.requests[i]);
		const cJSON *d = cJSON_GetObjectItem(doc, "digest");

		told += d ? (unsigned)json_get_u64(d, "count", 0) : 1;
		if (d) {
			const cJSON *worst = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "alerts"), 0);
			assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "alerts")), 10);
			assert_true(slice_is(json_get_str(worst, "severity"), "critical"));
			assert_int_equal(json_get_u64(d, "rule_count", 0), 1);
			assert_int_equal(json_get_u64(d, "host_count", 0), 1);
		}
		cJSON_Delete(doc);
	}
	assert_int_equal(told, 500);
	print_message("500 alerts in %u messages\n", messages);
	finish();
}

static void a_failing_receiver_is_told_of_through_the_others(void **state)
{
	struct notify_stats st;
	struct notify_lane_stats lane;

	(void)state;
	begin("500 Oops");
	rcv2.answer = "200 OK";
	cfg.route_count = 0;
	cfg.webhook_count = 2;
	notifying_open(&n, &cfg);
	int64_t id = raise_one(1, error);
	until_count(&rcv, 1);
	until_count(&rcv2, 1);
	MUST(notify_stats(n.notify, &st, &must_err));
	assert_int_equal(st.lane_count, 2);
	assert_int_equal(st.waiting, 1);
	MUST(notify_lane_stats(n.notify, 0, &lane, &must_err));
	assert_string_equal(lane.receiver, "soc");
	assert_true(lane.failing_since_unix_ns > 0);
	assert_int_equal(lane.failures, 1);
	assert_string_equal(lane.error, "answer 500");
	MUST(notify_enqueue_others(n.notify, id, "soc", NOTIFY_NEW, &must_err));
	until_count(&rcv2, 2);
	finish();
}

static void routes_that_cannot_work_are_refused_at_start(void **state)
{
	static char bad_filter[] = "hots=web", bad_zone[] = "Europe/../../etc/passwd", bad_hours[] = "mon-fry 8:00",
		    *hours[] = { bad_hours }, nobody[] = "nobody", *to_nobody[] = { nobody }, bad_by[] = "colour",
		    *by[] = { bad_by };
	const struct notify_route good = { .name = first, .receivers = { to_soc, 1 } };
	struct notify_route bad[] = { good, good, good, good, good, good };
	struct notify *x = NULL;
	struct err err = { 0 };

	(void)state;
	begin("200 OK");
	notifying_open(&n, &cfg);
	bad[0].filter = bad_filter;
	bad[1].time_zone = bad_zone;
	bad[2].hours = (struct conf_list){ hours, 1 };
	bad[3].receivers = (struct conf_list){ to_nobody, 1 };
	bad[4].group_by = (struct conf_list){ by, 1 };
	bad[5].receivers.count = 0;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		routes[0] = bad[i];
		assert_int_equal(notify_new(n.loop, n.p.store, n.pool, &n.p.clk, &cfg, &x, &err), -ERR_SYNTAX);
		print_message("%s\n", err.msg);
	}
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_waits_then_tells_all_and_then_only_what_is_new),
		cmocka_unit_test(what_is_open_is_told_again_until_somebody_takes_it),
		cmocka_unit_test(what_is_over_is_told_where_that_is_wanted),
		cmocka_unit_test(an_incident_is_triggered_acknowledged_and_resolved_under_one_key),
		cmocka_unit_test(filters_severities_and_order_decide_who_hears),
		cmocka_unit_test(outside_of_its_hours_a_route_waits_for_them),
		cmocka_unit_test(what_is_quiet_stays_out_until_it_is_told_again),
		cmocka_unit_test(a_message_that_is_sent_again_says_the_same),
		cmocka_unit_test(what_was_sent_and_cannot_be_noted_is_not_sent_again),
		cmocka_unit_test(a_clock_that_is_set_back_holds_nothing_back),
		cmocka_unit_test(what_an_earlier_run_put_off_into_the_far_future_is_told),
		cmocka_unit_test(a_storm_is_a_few_messages_and_a_digest_of_the_rest),
		cmocka_unit_test(a_failing_receiver_is_told_of_through_the_others),
		cmocka_unit_test(routes_that_cannot_work_are_refused_at_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
