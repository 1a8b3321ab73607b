/* test_correlation.c - what rules of the collector found, as alerts: their words, their document, and which are one. */
#include "tests/collector/people.h"

#include "collector/alert/alert_correlation.h"
#include "common/json.h"

static const uint64_t t0 = 1795464000ull * 1000000000;

struct sample {
	struct alert_correlated x;
	const char *tags[2], *rules[1], *evidence[2];
	Picket__Process process;
	Picket__Container container;
};

static void sample(struct sample *s)
{
	static char id[] = "c0ffee0123456789";

	*s = (struct sample){ .process = PICKET__PROCESS__INIT, .container = PICKET__CONTAINER__INIT };
	s->tags[0] = "attack.t1046";
	s->tags[1] = "attack.discovery";
	s->rules[0] = "Connection was refused";
	s->evidence[0] = "agent-1:7:9";
	s->evidence[1] = "agent-1:7:8";
	s->process.name = people_bytes("nmap");
	s->process.exe = people_bytes("/usr/bin/nmap");
	s->container.id = id;
	s->container.name = people_bytes("web-1");
	s->x = (struct alert_correlated){
		.name = "0c1f", .title = "Container scans", .description = "It asked many.", .severity = SEVERITY_HIGH,
		.tags = s->tags, .tag_count = 2, .time_unix_ns = t0, .from_unix_ns = t0 - 60000000000, .agent = "agent-1", .host = "host-07",
		.container_id = id, .container_name = "web-1", .container_image = "nginx:1.25", .process = &s->process,
		.container = &s->container, .call = "connect", .result = -111, .event_type = PICKET__EVENT_TYPE__EVENT_NETWORK,
		.evidence = s->evidence, .evidence_count = 2, .type = "value_count", .condition = "gte 20", .rules = s->rules,
		.rule_count = 1, .group = { { "host", SLICE_LIT("host-07") }, { "container.id", SLICE_LIT("c0ffee0123456789") },
					    { "container.name", SLICE_LIT("web-1") } },
		.group_count = 3, .timespan_s = 300, .value = 20, .score = 7,
	};
}

static struct alert_change put(struct people *p, const struct sample *s)
{
	struct alert_config cfg = { 0 };
	struct alert_change c;

	MUST(alert_from_correlation(p->store, &cfg, &s->x, &c, &must_err));
	return c;
}

static void it_says_what_was_counted_where(void **state)
{
	struct people *p = *state;
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	CLEANUP(cJSON_Deletep) cJSON *doc = NULL;
	CLEANUP(buf_finip) struct buf json = { 0 };
	struct store_alert al;
	struct sample s;
	struct json j;

	sample(&s);
	struct alert_change c = put(p, &s);
	assert_true(c.is_new);
	MUST(store_alert_get(p->store, c.id, a, &al, &must_err));
	assert_string_equal(al.title, "Container scans: host=host-07, container.name=web-1; 20 within 5 min");
	assert_string_equal(al.source, "correlation");
	assert_string_equal(al.rule, "Container scans");
	assert_string_equal(al.host, "host-07");
	assert_string_equal(al.container_id, "c0ffee0123456789");
	assert_string_equal(al.evidence, "[\"agent-1:7:9\",\"agent-1:7:8\"]");
	assert_int_equal(al.severity, SEVERITY_HIGH);
	json_init(&j, &json);
	alert_json(&j, &al);
	MUST(json_parse(buf_slice(&json), 1 << 20, &doc, &must_err));
	assert_true(slice_is(json_get_str(doc, "output"),
			     "value_count of Connection was refused: 20 (gte 20) for host=host-07, container.name=web-1 within 5 min"));
	const cJSON *k = cJSON_GetObjectItemCaseSensitive(doc, "correlation");
	assert_true(slice_is(json_get_str(k, "condition"), "gte 20"));
	assert_int_equal(json_get_u64(k, "value", 0), 20);
	assert_true(slice_is(json_get_str(cJSON_GetObjectItemCaseSensitive(k, "group"), "container.name"), "web-1"));
	assert_true(slice_is(json_get_str(cJSON_GetObjectItemCaseSensitive(doc, "fields"), "host"), "host-07"));
	assert_true(slice_is(json_get_str(cJSON_GetObjectItemCaseSensitive(doc, "process"), "exe"), "/usr/bin/nmap"));
	assert_int_equal(json_get_u64(doc, "score", 0), 7);
}

static void a_detection_says_what_was_done(void **state)
{
	struct people *p = *state;
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct store_alert al;
	struct sample s;

	sample(&s);
	s.x.type = NULL;
	s.x.group_count = 0;
	s.x.event_type = PICKET__EVENT_TYPE__EVENT_EXEC;
	s.x.call = "";
	struct alert_change c = put(p, &s);
	MUST(store_alert_get(p->store, c.id, a, &al, &must_err));
	assert_string_equal(al.title, "Container scans: `nmap` ran in container web-1 on host-07");
	assert_non_null(strstr(al.document, "\"correlation\":{\"rule\":\"0c1f\",\"type\":\"detection\""));
}

static void one_group_is_one_alert(void **state)
{
	struct people *p = *state;
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct store_alert al;
	struct sample s;

	sample(&s);
	struct alert_change first = put(p, &s);
	s.evidence[0] = "agent-1:7:12";
	s.x.time_unix_ns += 3600000000000;
	s.x.severity = SEVERITY_CRITICAL;
	struct alert_change again = put(p, &s);
	assert_int_equal(again.id, first.id);
	assert_true(again.is_escalated && !again.is_new);
	assert_int_equal(again.count, 2);
	MUST(store_alert_get(p->store, first.id, a, &al, &must_err));
	assert_string_equal(al.evidence, "[\"agent-1:7:12\",\"agent-1:7:8\",\"agent-1:7:9\"]");
	assert_int_equal(al.severity, SEVERITY_CRITICAL);
	s.x.group[0].value = SLICE_LIT("host-08");
	struct alert_change other = put(p, &s);
	assert_true(other.is_new && other.id != first.id);
	/* resolved, and there again */
	s.x.group[0].value = SLICE_LIT("host-07");
	MUST(store_alert_set_status(p->store, first.id, "resolved", NULL, "alice", &must_err));
	again = put(p, &s);
	assert_true(again.is_reopened);
	assert_int_equal(again.id, first.id);
	/* after the fold a new one */
	s.x.time_unix_ns += 25 * 3600000000000;
	assert_true(put(p, &s).is_new);
}

static void nothing_new_while_there_is_a_flood(void **state)
{
	struct people *p = *state;
	struct alert_config full = { .is_full = true };
	struct alert_change c;
	struct sample s;

	sample(&s);
	MUST(alert_from_correlation(p->store, &full, &s.x, &c, &must_err));
	assert_int_equal(c.id, 0);
	struct alert_change first = put(p, &s);
	MUST(alert_from_correlation(p->store, &full, &s.x, &c, &must_err));
	assert_int_equal(c.id, first.id);
}

static void names_are_harmless_and_long_ones_told_apart(void **state)
{
	struct people *p = *state;
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	char one[3000], two[3000];
	struct store_alert al;
	struct sample s;

	memset(one, 'x', sizeof(one));
	memcpy(two, one, sizeof(two));
	two[2999] = 'y';
	sample(&s);
	s.x.group[2].value = SLICE_LIT("\033[2J`evil\n");
	struct alert_change c = put(p, &s);
	MUST(store_alert_get(p->store, c.id, a, &al, &must_err));
	assert_null(strchr(al.title, '\033'));
	assert_null(strchr(al.title, '\n'));
	assert_null(strchr(al.title, '`'));
	s.x.group[2].value = slice_from(one, sizeof(one));
	assert_true(put(p, &s).is_new);
	s.x.group[2].value = slice_from(two, sizeof(two));
	assert_true(put(p, &s).is_new);
	assert_false(put(p, &s).is_new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_says_what_was_counted_where, people_setup, people_teardown),
		cmocka_unit_test_setup_teardown(a_detection_says_what_was_done, people_setup, people_teardown),
		cmocka_unit_test_setup_teardown(one_group_is_one_alert, people_setup, people_teardown),
		cmocka_unit_test_setup_teardown(nothing_new_while_there_is_a_flood, people_setup, people_teardown),
		cmocka_unit_test_setup_teardown(names_are_harmless_and_long_ones_told_apart, people_setup, people_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
