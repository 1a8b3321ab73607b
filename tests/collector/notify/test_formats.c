/* test_formats.c - the pure parts: templates, hours, zones, and what every format makes of names that containers chose. */
#include "tests/collector/people.h"

#include "collector/notify/notify_priv.h"
#include "common/file.h"
#include "common/text.h"

/* ---- templates ---- */

static const char doc_text[] =
	"{\"group\":\"g\",\"n\":3,\"no\":false,\"empty\":[],\"host\":\"h\\\"1\\n\",\"alerts\":["
	"{\"title\":\"one\",\"container\":{\"name\":\"web\",\"id\":\"0123456789abcdef\"},\"tags\":[\"a\",\"b\"]},"
	"{\"title\":\"two & <2>\",\"container\":null,\"tags\":[]}]}";

static void expect(const char *text, enum notify_escape escape, const char *wanted)
{
	struct notify_template *t = NULL;
	struct buf out = { 0 };
	cJSON *doc = NULL;

	MUST(json_parse(slice_of(doc_text), sizeof(doc_text), &doc, &must_err));
	MUST(notify_template_parse(slice_of(text), &t, &must_err));
	buf_init(&out, 4096);
	MUST(notify_template_write(t, doc, escape, &out, &must_err));
	assert_string_equal(out.n ? out.p : "", wanted);
	buf_fini(&out);
	notify_template_free(t);
	cJSON_Delete(doc);
}

static void a_template_takes_values_sections_and_filters(void **state)
{
	(void)state;
	expect("{{group}} {{n}} {{nothing}}|{{! remark }}", NOTIFY_ESCAPE_JSON, "g 3 |");
	expect("{{#alerts}}[{{title}} {{container.name}} of {{group}}]{{/alerts}}", NOTIFY_ESCAPE_JSON,
	       "[one web of g][two & <2>  of g]");
	expect("{{^empty}}none{{/empty}}{{#no}}x{{/no}}{{#n}}y{{/n}}", NOTIFY_ESCAPE_JSON, "noney");
	expect("{{#alerts}}{{#tags}}{{.}},{{/tags}}{{/alerts}}", NOTIFY_ESCAPE_JSON, "a,b,");
	expect("{{group|upper}} {{#alerts}}{{container.id|short}} {{title|url}} {{/alerts}}", NOTIFY_ESCAPE_JSON,
	       "G 0123456789ab one  two%20%26%20%3C2%3E ");
}

static void a_value_cannot_leave_the_place_it_stands_in(void **state)
{
	(void)state;
	expect("{\"host\":\"{{host}}\",\"all\":{{host|json}}}", NOTIFY_ESCAPE_JSON,
	       "{\"host\":\"h\\\"1\\n\",\"all\":\"h\\\"1\\n\"}");
	expect("X-Host: {{host}}", NOTIFY_ESCAPE_LINE, "X-Host: h\"1\\n");
	expect("X-Host: {{host|json}}", NOTIFY_ESCAPE_LINE, "X-Host: h\"1\\n");
}

static void a_wrong_template_is_refused_with_its_line(void **state)
{
	static const char *const wrong[] = { "a\n{{#x}}",     "{{/x}}",	       "{{#a}}{{/b}}", "{{",
					     "{{x|shout}}",   "{{a b}}",       "{{a..b}}",     "{{#x|json}}{{/x}}",
					     "{{}}",	      "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}"
							      "{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}{{#a}}" };
	struct notify_template *t = NULL;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(notify_template_parse(slice_of(wrong[i]), &t, &err), -ERR_SYNTAX);
		assert_non_null(strstr(err.msg, "line "));
	}
	assert_int_equal(notify_template_parse(slice_of(wrong[0]), &t, &err), -ERR_SYNTAX);
	assert_non_null(strstr(err.msg, "line 2"));
}

/* ---- times ---- */

static uint64_t at(const char *time)
{
	uint64_t ns;

	assert_true(text_time_parse(slice_of(time), &ns));
	return ns;
}

static void zones_follow_their_rules_past_the_last_transition(void **state)
{
	static const struct {
		const char *zone, *time;
		int32_t offset_s;
	} cases[] = { { "UTC", "2026-07-01T00:00:00Z", 0 },
		      { "+05:30", "2026-07-01T00:00:00Z", 19800 },
		      { "-03:00", "2026-07-01T00:00:00Z", -10800 },
		      { "Europe/Berlin", "2026-07-01T00:00:00Z", 7200 },
		      { "Europe/Berlin", "2026-12-01T00:00:00Z", 3600 },
		      { "Europe/Berlin", "2026-03-29T00:59:59Z", 3600 },
		      { "Europe/Berlin", "2026-03-29T01:00:00Z", 7200 },
		      { "Europe/Berlin", "2026-10-25T00:59:59Z", 7200 },
		      { "Europe/Berlin", "2026-10-25T01:00:00Z", 3600 },
		      { "Europe/Berlin", "2099-07-01T00:00:00Z", 7200 },
		      { "America/New_York", "2026-11-01T05:59:59Z", -14400 },
		      { "America/New_York", "2026-11-01T06:00:00Z", -18000 },
		      { "Australia/Sydney", "2060-01-01T00:00:00Z", 39600 },
		      { "Australia/Sydney", "2060-06-01T00:00:00Z", 36000 },
		      { "Asia/Kolkata", "2026-06-01T00:00:00Z", 19800 } };
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notify_zone *z = NULL;

		if (strchr(cases[i].zone, '/') && access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0)
			continue; /* no tzdata here */
		MUST(notify_zone_open(cases[i].zone, a, &z, &must_err));
		int32_t offset = notify_zone_offset(z, (int64_t)(at(cases[i].time) / 1000000000));
		if (offset != cases[i].offset_s)
			fail_msg("%s at %s: %d", cases[i].zone, cases[i].time, offset);
	}
	struct notify_zone *z = NULL;
	struct err err;
	assert_int_equal(notify_zone_open("Mars/Olympus", a, &z, &err), -ERR_SYNTAX);
	assert_int_equal(notify_zone_open("/etc/passwd", a, &z, &err), -ERR_SYNTAX);
	assert_int_equal(notify_zone_open("+25:00", a, &z, &err), -ERR_SYNTAX);
	arena_free(a);
}

static void hours_know_midnight_days_and_dates(void **state)
{
	static const struct {
		const char *text, *time;
		bool is_in;
	} cases[] = { /* 2026-12-01 is a Tuesday */
		      { "mon-fri 08:00-18:00", "2026-12-01T08:00:00Z", true },
		      { "mon-fri 08:00-18:00", "2026-12-01T18:00:00Z", false },
		      { "mon-fri 08:00-18:00", "2026-12-05T12:00:00Z", false },
		      { "fri 22:00-06:00", "2026-12-05T05:59:00Z", true },
		      { "fri 22:00-06:00", "2026-12-04T05:59:00Z", false },
		      { "22:00-06:00", "2026-12-01T23:00:00Z", true },
		      { "sat,sun", "2026-12-06T23:59:59Z", true },
		      { "sat,sun", "2026-12-07T00:00:00Z", false },
		      { "fri-mon", "2026-12-07T00:00:00Z", true },
		      { "00:00-24:00", "2026-12-07T23:59:59Z", true },
		      { "2026-12-24..2026-12-26", "2026-12-26T23:59:59Z", true },
		      { "2026-12-24..2026-12-26", "2026-12-27T00:00:00Z", false } };
	static const char *const wrong[] = { "", "mon-fry", "08:00", "25:00-26:00", "mon 8-9", "2026-13-01..2026-13-02",
					     "2026-12-26..2026-12-24", "mon- 08:00-09:00", "08:00-18:00 mon", "24:00-01:00" };
	struct arena *a = arena_new(65536);
	struct notify_zone *utc = NULL;
	struct err err;

	(void)state;
	MUST(notify_zone_open("", a, &utc, &must_err));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct notify_schedule s = { .count = 0 };

		MUST(notify_schedule_add(&s, cases[i].text, &must_err));
		if (notify_schedule_covers(&s, utc, at(cases[i].time)) != cases[i].is_in)
			fail_msg("%s at %s", cases[i].text, cases[i].time);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct notify_schedule s = { .count = 0 };

		if (notify_schedule_add(&s, wrong[i], &err) != -ERR_SYNTAX)
			fail_msg("'%s' was taken", wrong[i]);
	}
	struct notify_schedule hours = { .count = 0 }, mute = { .count = 0 };
	MUST(notify_schedule_add(&hours, "mon-fri 08:00-18:00", &must_err));
	MUST(notify_schedule_add(&mute, "2026-12-07..2026-12-08", &must_err));
	/* Friday evening; Monday and Tuesday are off */
	assert_int_equal(notify_schedule_next(&hours, &mute, utc, at("2026-12-04T18:30:10Z")), at("2026-12-09T08:00:00Z"));
	arena_free(a);
}

/* ---- formats ---- */

#define EVIL "x\\\"|=]<!channel>&\\r\\n%0a\\u202e\\u001b</td>"

static const char evil_text[] =
	"{\"version\":1,\"group\":\"" EVIL "\",\"status\":\"firing\",\"alerts\":[{\"id\":\"7\",\"severity\":\"high\",\"why\":\"new\","
	"\"rule\":\"" EVIL "\",\"title\":\"" EVIL "\",\"host\":\"" EVIL "\",\"source\":\"runtime\",\"priority\":\"error\",\"count\":2,"
	"\"output\":\"" EVIL "\",\"description\":\"" EVIL "\",\"first_seen\":\"2026-12-01T00:00:00Z\","
	"\"last_seen\":\"2026-12-01T00:00:01.123456789Z\",\"summary\":\"" EVIL "\",\"tags\":[\"" EVIL "\"],\"fields\":{},"
	"\"container\":{\"id\":\"" EVIL "\",\"name\":\"" EVIL "\",\"image\":\"" EVIL "\"},"
	"\"process\":{\"pid\":42,\"name\":\"" EVIL "\",\"cmdline\":\"" EVIL "\",\"user\":\"" EVIL "\"}}]}";

static struct outgoing evil(struct receiver *to, cJSON **doc)
{
	MUST(json_parse(slice_of(evil_text), sizeof(evil_text), doc, &must_err));
	return (struct outgoing){ .to = to, .key = "0123456789abcdef0123456789abcdef", .group = "g",
				  .thread = "fedcba9876543210fedcba9876543210", .serial = 1, .inbox_url = "https://c:8443",
				  .now_unix_ns = at("2026-12-01T00:00:02Z"), .text = slice_of(evil_text), .doc = *doc };
}

static cJSON *webhook(int preset, struct buf *out)
{
	struct notify_webhook w = { .preset = preset };
	struct receiver to = { .kind = NOTIFY_WEBHOOK, .webhook = &w };
	cJSON *doc = NULL, *made = NULL;
	struct outgoing m = evil(&to, &doc);

	buf_init(out, 0);
	MUST(notify_webhook_body(&m, SLICE_LIT("0123456789abcdef0123456789abcdef"), out, &must_err));
	MUST(json_parse(buf_slice(out), 1 << 20, &made, &must_err)); /* whatever is in it, it is JSON */
	cJSON_Delete(doc);
	return made;
}

static void every_preset_is_json_with_no_markup_from_a_container(void **state)
{
	(void)state;
	for (int preset = NOTIFY_PICKET; preset <= NOTIFY_PAGERDUTY; preset++) {
		struct buf out;
		cJSON *doc = webhook(preset, &out);

		if (preset == NOTIFY_SLACK)
			assert_null(strstr(out.p, "<!channel>"));
		if (preset != NOTIFY_PICKET && preset != NOTIFY_FALCO) {
			assert_null(strstr(out.p, "\\r\\n%0a")); /* shown, as \r\n in four characters */
			assert_null(strstr(out.p, "\xe2\x80\xae"));
		}
		cJSON_Delete(doc);
		buf_fini(&out);
	}
}

/* The same of ten alerts whose names and commands are as long as their owner could make them. */
static cJSON *webhook_of_many(int preset, const char *pattern, bool is_digest, struct buf *out)
{
	struct notify_webhook w = { .preset = preset };
	struct receiver to = { .kind = NOTIFY_WEBHOOK, .webhook = &w };
	struct buf text = { 0 }, value = { 0 };
	cJSON *doc = NULL, *made = NULL;

	buf_init(&text, 0);
	buf_init(&value, 0);
	for (int i = 0; i < 2000; i++)
		buf_add_str(&value, pattern);
	buf_add_str(&text, "{\"status\":\"firing\",\"alerts\":[");
	for (int i = 0; i < 10; i++)
		buf_printf(&text,
			   "%s{\"id\":%d,\"severity\":\"high\",\"why\":\"new\",\"rule\":\"%s\",\"title\":\"%s\",\"host\":\"%s\","
			   "\"summary\":\"%s\",\"last_seen\":\"2026-12-01T00:00:01Z\",\"container\":{\"name\":\"%s\",\"image\":\"%s\"},"
			   "\"process\":{\"cmdline\":\"%s\",\"parent\":{\"cmdline\":\"%s\"}}}",
			   i ? "," : "", i + 1, value.p, value.p, value.p, value.p, value.p, value.p, value.p, value.p);
	buf_add_str(&text, "]");
	for (int i = 0; i < 4 && is_digest; i++) {
		static const char *const lists[] = { "severities", "rules", "hosts", "images" };

		buf_printf(&text, "%s\"%s\":[", i ? "," : ",\"digest\":{\"count\":99,", lists[i]);
		for (int k = 0; k < 10; k++)
			buf_printf(&text, "%s{\"name\":\"%s\",\"count\":9}", k ? "," : "", value.p);
		buf_add_str(&text, "]");
	}
	buf_add_str(&text, is_digest ? "}}" : "}");
	MUST(json_parse(buf_slice(&text), 4 << 20, &doc, &must_err));
	const struct outgoing m = { .to = &to, .key = "k", .group = "g", .thread = "t", .serial = 1,
				    .inbox_url = "https://c:8443", .text = buf_slice(&text), .doc = doc };
	buf_init(out, 0);
	MUST(notify_webhook_body(&m, SLICE_NONE, out, &must_err));
	MUST(json_parse(buf_slice(out), 1 << 20, &made, &must_err));
	cJSON_Delete(doc);
	buf_fini(&text);
	buf_fini(&value);
	return made;
}

static size_t chars_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static const char *const long_patterns[] = { "a", "&", "<", "\\\"", "\xe7\x8c\xab", "\xf0\x9f\x90\xb1", "\\u0001" };

/* What Slack would refuse: 3,000 characters of a section's text, 2,000 of each of its fields. */
static void no_name_makes_slack_refuse_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(long_patterns); i++) {
		struct buf out;
		cJSON *doc = webhook_of_many(NOTIFY_SLACK, long_patterns[i / 2], i % 2, &out);
		const cJSON *block, *field,
			*blocks = cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "attachments"), 0), "blocks");

		assert_true(cJSON_GetArraySize(blocks) <= 50);
		cJSON_ArrayForEach(block, blocks)
		{
			assert_true(chars_of(notify_str(cJSON_GetObjectItem(block, "text"), "text")) <= 3000);
			cJSON_ArrayForEach(field, cJSON_GetObjectItem(block, "fields"))
				assert_true(chars_of(notify_str(field, "text")) <= 2000);
		}
		cJSON_Delete(doc);
		buf_fini(&out);
	}
}

/* 28 KB in all. */
static void no_name_makes_teams_refuse_a_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(long_patterns); i++) {
		struct buf out;
		cJSON *doc = webhook_of_many(NOTIFY_TEAMS, long_patterns[i / 2], i % 2, &out);

		if (out.n > 28000)
			fail_msg("case %zu: %zu bytes", i, out.n);
		assert_non_null(strstr(out.p, i % 2 ? "Severities" : "more\""));
		cJSON_Delete(doc);
		buf_fini(&out);
	}
}

static void pagerduty_gets_one_event_with_a_key_that_stays(void **state)
{
	struct buf out;
	cJSON *doc = webhook(NOTIFY_PAGERDUTY, &out);
	const cJSON *payload = cJSON_GetObjectItem(doc, "payload");

	(void)state;
	assert_string_equal(notify_str(doc, "event_action"), "trigger");
	assert_string_equal(notify_str(doc, "routing_key"), "0123456789abcdef0123456789abcdef");
	assert_string_equal(notify_str(doc, "dedup_key"), "picket-alert-7-2026-12-01T00:00:00Z");
	assert_string_equal(notify_str(payload, "severity"), "error");
	assert_string_equal(notify_str(doc, "client_url"), "https://c:8443/alerts/7");
	cJSON_Delete(doc);
	buf_fini(&out);
}

static void falcosidekick_takes_every_alert(void **state)
{
	struct buf out;
	cJSON *doc = webhook(NOTIFY_FALCO, &out);

	(void)state;
	assert_true(cJSON_GetArraySize(cJSON_GetObjectItem(doc, "output_fields")) > 0);
	assert_true(notify_str(doc, "output")[0] && notify_str(doc, "rule")[0] && notify_str(doc, "time")[0]);
	assert_string_equal(notify_str(doc, "priority"), "Error");
	cJSON_Delete(doc);
	buf_fini(&out);
}

static void alertmanager_gets_begin_end_and_labels(void **state)
{
	struct buf out;
	cJSON *doc = webhook(NOTIFY_ALERTMANAGER, &out);
	const cJSON *al = cJSON_GetArrayItem(doc, 0);

	(void)state;
	assert_string_equal(notify_str(al, "startsAt"), "2026-12-01T00:00:00Z");
	assert_true(at(notify_str(al, "endsAt")) > at("2026-12-30T00:00:00Z"));
	assert_string_equal(notify_str(cJSON_GetObjectItem(al, "labels"), "picket_id"), "7");
	cJSON_Delete(doc);
	buf_fini(&out);
}

/* Of a host whose clock is ahead: Alertmanager refuses all of a request with one begin after its end. */
static void no_alert_begins_after_its_end(void **state)
{
	static const char *const whys[] = { "new", "resolved" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(whys); i++) {
		struct notify_webhook w = { .preset = NOTIFY_ALERTMANAGER };
		struct receiver to = { .kind = NOTIFY_WEBHOOK, .webhook = &w };
		cJSON *doc = NULL, *made = NULL;
		struct outgoing m = evil(&to, &doc);
		struct buf out = { 0 };
		cJSON *al = cJSON_GetArrayItem(cJSON_GetObjectItem(doc, "alerts"), 0);

		cJSON_ReplaceItemInObject(al, "first_seen", cJSON_CreateString("2099-01-01T00:00:00Z"));
		cJSON_ReplaceItemInObject(al, "why", cJSON_CreateString(whys[i]));
		MUST(notify_webhook_body(&m, SLICE_NONE, &out, &must_err));
		MUST(json_parse(buf_slice(&out), 1 << 20, &made, &must_err));
		const cJSON *one = cJSON_GetArrayItem(made, 0);
		assert_true(at(notify_str(one, "startsAt")) <= at(notify_str(one, "endsAt")));
		cJSON_Delete(made);
		cJSON_Delete(doc);
		buf_fini(&out);
	}
}

static void syslog_line(int format, struct buf *out)
{
	struct notify_syslog s = { .format = format };
	struct receiver to = { .kind = NOTIFY_SYSLOG, .syslog = &s };
	cJSON *doc = NULL;
	struct outgoing m = evil(&to, &doc);
	uint64_t length;

	buf_init(out, 0);
	MUST(notify_syslog_write(&m, out, &must_err));
	ptrdiff_t blank = slice_find_char(buf_slice(out), ' ');
	assert_true(slice_to_u64(slice_sub(buf_slice(out), 0, (size_t)blank), &length));
	assert_int_equal(length, out->n - (size_t)blank - 1); /* octet counting */
	assert_null(memchr(out->p, '\n', out->n));
	assert_null(memchr(out->p, '\0', out->n));
	cJSON_Delete(doc);
}

static void syslog_values_cannot_end_their_quotes(void **state)
{
	struct buf out;

	(void)state;
	syslog_line(NOTIFY_RFC5424, &out);
	/* x\"|=]… : quote, backslash and bracket are escaped; the host is one word */
	assert_non_null(strstr(out.p, "container=\"x\\\"|=\\]<!channel>&\\\\r\\\\n%0a\\\\u{202e}"));
	assert_non_null(strstr(out.p, "<107>1 2026-12-01T00:00:01.123456Z x\"|=]<!channel>&"));
	assert_non_null(strstr(out.p, " picket - alert [picket@32473 id=\"7\" why=\"new\""));
	buf_fini(&out);
}

static void cef_values_cannot_end_their_field(void **state)
{
	struct buf out;

	(void)state;
	syslog_line(NOTIFY_CEF, &out);
	assert_non_null(strstr(out.p, "CEF:0|picket|collector|" PICKET_VERSION "|x\"\\|=]<!channel>&\\\\r\\\\n"));
	assert_non_null(strstr(out.p, "|8|rt=1796083201123 "));
	assert_non_null(strstr(out.p, "cs1=x\"|\\=]<!channel>&\\\\r\\\\n"));
	assert_non_null(strstr(out.p, "cs1Label=container"));
	buf_fini(&out);
}

static void a_later_mail_of_a_group_is_a_reply_to_its_first(void **state)
{
	static char from[] = "Picket <picket@example.org>", to_one[] = "soc@example.org", *to_list[] = { to_one };
	struct notify_mail mail = { .from = from, .to = { to_list, 1 } };
	struct receiver to = { .kind = NOTIFY_MAIL, .mail = &mail };
	cJSON *doc = NULL;
	struct outgoing m = evil(&to, &doc);
	struct buf one = { 0 }, two = { 0 };

	(void)state;
	MUST(notify_mail_write(&m, &one, &must_err));
	m.serial = 2;
	MUST(notify_mail_write(&m, &two, &must_err));
	assert_non_null(strstr(one.p, "\r\nMessage-ID: <fedcba9876543210fedcba9876543210@example.org>\r\n"));
	assert_null(strstr(one.p, "In-Reply-To"));
	assert_non_null(strstr(two.p, "\r\nIn-Reply-To: <fedcba9876543210fedcba9876543210@example.org>\r\n"));
	assert_non_null(strstr(two.p, "\r\nReferences: <fedcba9876543210fedcba9876543210@example.org>\r\n"));
	assert_null(strstr(two.p, "Message-ID: <fedcba"));
	assert_null(strstr(one.p, "<!channel>&\r\n"));
	buf_fini(&one);
	buf_fini(&two);
	cJSON_Delete(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_takes_values_sections_and_filters),
		cmocka_unit_test(a_value_cannot_leave_the_place_it_stands_in),
		cmocka_unit_test(a_wrong_template_is_refused_with_its_line),
		cmocka_unit_test(zones_follow_their_rules_past_the_last_transition),
		cmocka_unit_test(hours_know_midnight_days_and_dates),
		cmocka_unit_test(every_preset_is_json_with_no_markup_from_a_container),
		cmocka_unit_test(no_name_makes_slack_refuse_a_message),
		cmocka_unit_test(no_name_makes_teams_refuse_a_message),
		cmocka_unit_test(no_alert_begins_after_its_end),
		cmocka_unit_test(pagerduty_gets_one_event_with_a_key_that_stays),
		cmocka_unit_test(falcosidekick_takes_every_alert),
		cmocka_unit_test(alertmanager_gets_begin_end_and_labels),
		cmocka_unit_test(syslog_values_cannot_end_their_quotes),
		cmocka_unit_test(cef_values_cannot_end_their_field),
		cmocka_unit_test(a_later_mail_of_a_group_is_a_reply_to_its_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
