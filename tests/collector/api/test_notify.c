/* test_notify.c - notification over the real API: how routes are doing, what waits, dead letters that are sent again and
 * dropped, a test message; told to a real receiver, which fails first. */
#include "tests/collector/api/asked.h"

#include "collector/notify/notify.h"
#include "tests/collector/notify/receiver.h"

static struct receiver rcv;
static struct fetch_pool *pool;
static struct notify *notify;
static char url[64], hook_name[] = "ops", none[] = "", route_name[] = "night", bad[] = "severity>=low";
static char *hook_names[] = { hook_name };
static struct notify_webhook hook;
static struct notify_route route;
static struct notify_config config;

static int on_notify(void *arg, struct json *j, struct err *err)
{
	return notify_describe(notify, j, err);
}

static int on_test(void *arg, const char *name, uint64_t *ret, struct err *err)
{
	return notify_test(notify, name, ret, err);
}

static int on_result(void *arg, uint64_t id, struct json *j, struct err *err)
{
	return notify_test_result(notify, id, j, err);
}

static void on_changed(void *arg)
{
	notify_retry(notify);
}

/* One alert told in vain and given up. */
static int start(void **state)
{
	static const struct api_ops ops = { .on_notify = on_notify,
					    .on_notify_test = on_test,
					    .on_notify_result = on_result,
					    .on_notify_changed = on_changed };

	(void)state;
	receiver_start(&rcv, "400 Bad Request");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", rcv.port);
	hook = (struct notify_webhook){ .name = hook_name, .url = url, .secret_file = none, .template_file = none, .ca_file = none };
	route = (struct notify_route){ .name = route_name, .filter = bad, .time_zone = none, .group_wait_ms = 10,
				       .receivers = { .items = hook_names, .count = 1 } };
	config = (struct notify_config){ .webhooks = &hook, .webhook_count = 1, .routes = &route, .route_count = 1,
					 .inbox_url = "https://inbox:8443", .max_attempts = 1 };
	served_prepare(&srv);
	MUST(fetch_pool_new(srv.loop, 4, &pool, &must_err));
	MUST(notify_new(srv.loop, srv.p.store, pool, &srv.p.clk, &config, &notify, &must_err));
	MUST(store_begin(srv.p.store, &must_err));
	MUST(notify_enqueue(notify, 1, NOTIFY_NEW, &must_err));
	MUST(store_commit(srv.p.store, &must_err));
	notify_kick(notify);
	served_run_api_with(&srv, &ops, NULL);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	usleep(100 * 1000); /* the last connection's end */
	atomic_store(&srv.must_stop, true);
	pthread_join(srv.thread, NULL);
	notify_free(notify);
	fetch_pool_free(pool);
	served_end(&srv);
	receiver_stop(&rcv);
	return 0;
}

/* Asks until path has the number; the loop's thread works meanwhile. */
static void until(const char *api_path, const char *path, double want)
{
	for (unsigned i = 0; i < 200; i++) {
		CLEANUP(cJSON_Deletep) cJSON *doc = get_doc(api_path);
		const cJSON *v = at(doc, path);

		if (cJSON_IsNumber(v) && v->valuedouble >= want && v->valuedouble <= want)
			return;
		usleep(50 * 1000);
	}
	fail_msg("%s: %s never was %g", api_path, path, want);
}

static int64_t count_of(const char *path)
{
	CLEANUP(cJSON_Deletep) cJSON *doc = get_doc(path);

	return cJSON_GetArraySize(at(doc, "items"));
}

static void a_dead_letter_is_seen_and_sent_again(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *list = NULL, *dead = NULL, *sent = NULL, *after = NULL;
	char path[80];

	(void)state;
	until("/api/v1/notify", "items.0.dead", 1);
	list = get_doc("/api/v1/notify");
	text_is(list, "items.0.route", "night");
	text_is(list, "items.0.receiver", "ops");
	text_is(list, "receivers.0.name", "ops");
	dead = get_doc("/api/v1/notify/messages?dead=yes");
	text_is(dead, "items.0.state", "dead");
	text_is(dead, "items.0.route", "night");
	number_is(dead, "items.0.attempts", 1);
	number_is(dead, "items.0.alerts.0", 1);
	assert_non_null(strstr(at(dead, "items.0.last_error")->valuestring, "400"));
	assert_int_equal(count_of("/api/v1/notify/messages?dead=no"), 0);
	snprintf(path, sizeof(path), "/api/v1/notify/messages/%.0f/resend", at(dead, "items.0.id")->valuedouble);
	status_is("POST", path, "viewer-token", "{}", 403);
	rcv.answer = "200 OK";
	assert_int_equal(ask("POST", path, "analyst-token", "{}", &sent), 200);
	number_is(sent, "resent", 1);
	until("/api/v1/notify", "items.0.sent", 1);
	assert_int_equal(count_of("/api/v1/notify/messages?dead=yes"), 0);
	assert_true(atomic_load(&rcv.count) >= 2);
	/* there is none any more */
	status_is("POST", path, "analyst-token", "{}", 404);
	assert_int_equal(ask("GET", "/api/v1/audit-log?filter=what=notify.resend", "analyst-token", NULL, &after), 200);
	text_is(after, "items.0.who", "anna");
}

static void a_test_message_says_what_the_other_side_answered(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *begun = NULL;
	char path[80];
	unsigned before = atomic_load(&rcv.count);

	(void)state;
	status_is("POST", "/api/v1/notify/test", "viewer-token", "{\"name\":\"night\"}", 403);
	assert_int_equal(ask("POST", "/api/v1/notify/test", "analyst-token", "{\"name\":\"night\"}", &begun), 200);
	snprintf(path, sizeof(path), "/api/v1/notify/tests/%.0f", at(begun, "id")->valuedouble);
	for (unsigned i = 0;; i++) {
		CLEANUP(cJSON_Deletep) cJSON *doc = NULL;

		assert_int_equal(ask("GET", path, "analyst-token", NULL, &doc), 200);
		if (cJSON_IsTrue(at(doc, "done"))) {
			text_is(doc, "results.0.receiver", "ops");
			text_is(doc, "results.0.result", "ok");
			break;
		}
		assert_true(i < 200);
		usleep(50 * 1000);
	}
	assert_int_equal(atomic_load(&rcv.count), before + 1);
	assert_non_null(strstr(rcv.requests[before], "POST /hook"));
	assert_int_equal(count_of("/api/v1/notify/messages"), 0); /* nothing of it in the outbox */
}

static void what_is_wrong_is_refused(void **state)
{
	static const struct {
		const char *method, *path, *token, *body;
		long want;
	} cases[] = {
		{ "GET", "/api/v1/notify", NULL, NULL, 401 },
		{ "GET", "/api/v1/notify?colour=red", "viewer-token", NULL, 400 },
		{ "GET", "/api/v1/notify/messages?dead=maybe", "viewer-token", NULL, 400 },
		{ "GET", "/api/v1/notify/messages?limit=0", "viewer-token", NULL, 400 },
		{ "POST", "/api/v1/notify/messages/99/resend", "analyst-token", "{}", 404 },
		{ "POST", "/api/v1/notify/messages/x/resend", "analyst-token", "{}", 404 },
		{ "POST", "/api/v1/notify/messages/99/drop", "analyst-token", "{}", 403 },
		{ "POST", "/api/v1/notify/messages/99/drop", "admin-token", "{}", 404 },
		{ "POST", "/api/v1/notify/resend", "viewer-token", "{}", 403 },
		{ "POST", "/api/v1/notify/resend", "analyst-token", "{}", 200 },
		{ "POST", "/api/v1/notify/test", "analyst-token", "{}", 400 },
		{ "POST", "/api/v1/notify/test", "analyst-token", "{\"name\":\"nobody\"}", 404 },
		{ "GET", "/api/v1/notify/tests/12345", "analyst-token", NULL, 404 },
		{ "GET", "/api/v1/notify/tests/1", "viewer-token", NULL, 403 },
		{ "GET", "/api/v1/inhibitions?ended=yes", "viewer-token", NULL, 400 },
		{ "GET", "/api/v1/escalations?filter=x", "viewer-token", NULL, 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		status_is(cases[i].method, cases[i].path, cases[i].token, cases[i].body, cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dead_letter_is_seen_and_sent_again),
		cmocka_unit_test(a_test_message_says_what_the_other_side_answered),
		cmocka_unit_test(what_is_wrong_is_refused),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
