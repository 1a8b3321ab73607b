/* test_webhook.c - webhooks against a real receiver on loopback. */
#include "tests/collector/notify/receiver.h"

#include "common/text.h"

static struct receiver rcv, rcv2;
static struct notifying n;
static char url[64], url2[64], secret_file[128], name_a[] = "soc", name_b[] = "chat";
static struct notify_webhook hooks[2];
static struct notify_config cfg;
static char inbox[] = "https://collector:8443";

static void begin(const char *answer, int preset)
{
	memset(&n, 0, sizeof(n));
	memset(hooks, 0, sizeof(hooks));
	people_open(&n.p);
	receiver_start(&rcv, answer);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hook", rcv.port);
	snprintf(secret_file, sizeof(secret_file), "%s/secret", n.p.dir);
	MUST(file_write_atomic(secret_file, SLICE_LIT("s3cret\n"), 0600, &must_err));
	hooks[0] = (struct notify_webhook){ .name = name_a, .url = url, .secret_file = secret_file,
					    .preset = preset };
	cfg = (struct notify_config){ .webhooks = hooks, .webhook_count = 1, .inbox_url = inbox,
				      .max_attempts = 3 };
}

static void finish(void)
{
	notifying_close(&n);
	receiver_stop(&rcv);
	people_close(&n.p);
}

static void a_new_alert_is_posted_at_once_signed_and_keyed(void **state)
{
	struct people_finding f;
	uint8_t mac[32];
	char hex[65], want[128];

	(void)state;
	begin("200 OK", NOTIFY_PICKET);
	notifying_open(&n, &cfg);
	uint64_t start = clock_unix_ns(clock_real());
	people_finding(&f, start);
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 0, 5000));
	assert_int_equal(rcv.count, 1);
	assert_true(rcv.came_unix_ns[0] - start < 1000000000);
	print_message("webhook called %.1f ms after the finding\n",
		      (double)(rcv.came_unix_ns[0] - start) / 1e6);
	tls_hmac(SLICE_LIT("s3cret"), slice_of(strstr(rcv.requests[0], "\r\n\r\n") + 4), mac);
	snprintf(want, sizeof(want), "X-Picket-Signature: sha256=%s\r\n", text_hex(mac, 32, hex));
	assert_non_null(strstr(rcv.requests[0], want));
	assert_non_null(strstr(rcv.requests[0], "Idempotency-Key: "));
	assert_non_null(strstr(rcv.requests[0], "User-Agent: picket-collector/"));
	cJSON *doc = body_of(rcv.requests[0]);
	assert_int_equal(json_get_u64(doc, "version", 0), 1);
	assert_true(slice_is(json_get_str(doc, "group"), "Download tool in container@host-07"));
	const cJSON *al = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "alerts"), 0);
	assert_true(slice_is(json_get_str(al, "severity"), "high"));
	assert_true(slice_is(json_get_str(cJSON_GetObjectItem(al, "container"), "name"), "web-1"));
	cJSON_Delete(doc);
	finish();
}

static void repeats_are_silent_and_escalations_are_told(void **state)
{
	static char critical[] = "Critical";
	struct people_finding f;

	(void)state;
	begin("200 OK", NOTIFY_PICKET);
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	for (int i = 0; i < 10; i++)
		notifying_alert(&n, &f);
	f.finding.priority = critical;
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 0, 5000));
	assert_int_equal(rcv.count, 2);
	const char *a = strstr(rcv.requests[0], "Idempotency-Key: "),
		   *b = strstr(rcv.requests[1], "Idempotency-Key: ");
	assert_memory_not_equal(a, b, 17 + 32);
	finish();
}

static void a_route_hears_only_of_its_severity(void **state)
{
	static char notice[] = "Notice";
	struct people_finding f;

	(void)state;
	begin("200 OK", NOTIFY_PICKET);
	hooks[0].min_severity = SEVERITY_MEDIUM;
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	f.finding.priority = notice;
	notifying_alert(&n, &f);
	assert_int_equal(notifying_count(&n).waiting, 0);
	finish();
}

static void presets_speak_the_receivers_language(void **state)
{
	static char connected[] = "connect", tcp[] = "tcp";
	Picket__Network net = PICKET__NETWORK__INIT;
	struct people_finding f;

	(void)state;
	for (int preset = NOTIFY_SLACK; preset <= NOTIFY_FALCO; preset++) {
		begin("200 OK", preset);
		notifying_open(&n, &cfg);
		people_finding(&f, clock_unix_ns(clock_real()));
		f.process.name = people_bytes("<!channel>");
		f.finding.call = connected;
		f.finding.network = &net;
		net.protocol = tcp;
		net.remote_address = msg_bytes(SLICE_LIT("\xcb\x00\x71\x09"));
		net.remote_port = 443;
		notifying_alert(&n, &f);
		assert_true(notifying_until(&n, 0, 0, 5000));
		cJSON *doc = body_of(rcv.requests[0]);
		if (preset != NOTIFY_FALCO)
			assert_non_null(strstr(rcv.requests[0], preset == NOTIFY_SLACK ?
									"connect tcp 203.0.113.9:443" :
									"\"call\":\"connect tcp 203.0.113.9:443\""));
		if (preset == NOTIFY_SLACK) {
			assert_true(slice_starts(json_get_str(doc, "text"),
						 SLICE_LIT("*[high]* `&lt;!channel&gt;` ran in container")));
		} else if (preset == NOTIFY_ALERTMANAGER) {
			const cJSON *labels = cJSON_GetObjectItem(cJSON_GetArrayItem(doc, 0), "labels");
			assert_true(slice_is(json_get_str(labels, "alertname"), "Download tool in container"));
			assert_true(slice_is(json_get_str(labels, "container"), "web-1"));
			assert_true(slice_is(json_get_str(cJSON_GetArrayItem(doc, 0), "generatorURL"),
					     "https://collector:8443/alerts/1"));
		} else {
			assert_true(slice_is(json_get_str(doc, "priority"), "Error"));
			assert_true(slice_is(json_get_str(doc, "source"), "syscall"));
			assert_true(slice_is(json_get_str(doc, "hostname"), "host-07"));
			assert_true(slice_is(json_get_str(cJSON_GetObjectItem(doc, "output_fields"), "proc.name"),
					     "wget"));
		}
		cJSON_Delete(doc);
		finish();
	}
}

static void a_refusal_for_good_is_a_dead_letter_at_once(void **state)
{
	struct people_finding f;

	(void)state;
	begin("404 Not Found", NOTIFY_PICKET);
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	notifying_alert(&n, &f);
	assert_true(notifying_until(&n, 0, 1, 5000));
	assert_string_equal(notifying_count(&n).last_error, "answer 404");
	assert_int_equal(rcv.count, 1);
	finish();
}

/* The collector's clock is turned by hand here, so that nobody waits. */
static void a_receiver_in_trouble_is_tried_again_until_the_last_attempt(void **state)
{
	struct people_finding f;

	(void)state;
	begin("503 Busy\r\nRetry-After: 120", NOTIFY_PICKET);
	n.p.clk = clock_fake(clock_unix_ns(clock_real()));
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	notifying_alert(&n, &f);
	for (unsigned attempt = 1; attempt <= 3; attempt++) {
		uint64_t end = clock_boot_ns(clock_real()) + 5000000000ull;

		while (!notifying_count(&n).last_error[0] || rcv.count < attempt) {
			assert_true(clock_boot_ns(clock_real()) < end);
			loop_step(n.loop, 10);
		}
		for (int i = 0; i < 10; i++)
			loop_step(n.loop, 5);
		/* The receiver asked for two minutes. */
		clock_fake_advance(&n.p.clk, 119ull * 1000000000);
		notify_kick(n.notify);
		for (int i = 0; i < 10; i++)
			loop_step(n.loop, 5);
		assert_int_equal(rcv.count, attempt);
		clock_fake_advance(&n.p.clk, 2ull * 1000000000);
		notify_kick(n.notify);
	}
	assert_true(notifying_until(&n, 0, 1, 5000));
	assert_int_equal(rcv.count, 3);
	const char *key = strstr(rcv.requests[0], "Idempotency-Key: ");
	assert_memory_equal(key, strstr(rcv.requests[2], "Idempotency-Key: "), 17 + 32);
	finish();
}

static void a_receiver_that_never_answers_holds_up_nobody_else(void **state)
{
	static char ids[20][8];
	struct people_finding f;

	(void)state;
	begin(NULL, NOTIFY_PICKET);
	receiver_start(&rcv2, "200 OK");
	snprintf(url2, sizeof(url2), "http://127.0.0.1:%d/", rcv2.port);
	hooks[1] = (struct notify_webhook){ .name = name_b, .url = url2 };
	cfg.webhook_count = 2;
	notifying_open(&n, &cfg);
	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		people_finding(&f, clock_unix_ns(clock_real()));
		snprintf(ids[i], sizeof(ids[i]), "c%zu", i);
		f.container.id = ids[i];
		notifying_alert(&n, &f);
	}
	/* Its own twenty wait; the other's twenty are gone. */
	assert_true(notifying_until(&n, 20, 0, 5000));
	assert_int_equal(rcv2.count, 20);
	notifying_close(&n);
	receiver_stop(&rcv);
	receiver_stop(&rcv2);
	people_close(&n.p);
}

static void what_was_waiting_is_sent_after_a_restart_and_orphans_are_buried(void **state)
{
	struct people_finding f;
	struct outbox_count c;

	(void)state;
	begin("200 OK", NOTIFY_PICKET);
	hooks[1] = (struct notify_webhook){ .name = name_b, .url = url };
	cfg.webhook_count = 2;
	notifying_open(&n, &cfg);
	people_finding(&f, clock_unix_ns(clock_real()));
	notifying_alert(&n, &f);
	notifying_close(&n); /* before any answer */
	assert_int_equal(notifying_count(&n).waiting, 2);
	cfg.webhook_count = 1; /* "chat" was taken out of the configuration */
	notifying_open(&n, &cfg);
	notify_kick(n.notify);
	assert_true(notifying_until(&n, 0, 1, 5000));
	c = notifying_count(&n);
	assert_string_equal(c.last_error, "its route is not configured any more");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_alert_is_posted_at_once_signed_and_keyed),
		cmocka_unit_test(repeats_are_silent_and_escalations_are_told),
		cmocka_unit_test(a_route_hears_only_of_its_severity),
		cmocka_unit_test(presets_speak_the_receivers_language),
		cmocka_unit_test(a_refusal_for_good_is_a_dead_letter_at_once),
		cmocka_unit_test(a_receiver_in_trouble_is_tried_again_until_the_last_attempt),
		cmocka_unit_test(a_receiver_that_never_answers_holds_up_nobody_else),
		cmocka_unit_test(what_was_waiting_is_sent_after_a_restart_and_orphans_are_buried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
