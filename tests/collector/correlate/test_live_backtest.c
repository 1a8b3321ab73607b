/* backtest: rules over the history, slice by slice, as they would have fired. */
#include "collector/correlate/backtest.h"
#include "tests/collector/people.h"

static const uint64_t second = 1000000000;

static void add_exec(struct people *p, uint64_t seq, uint64_t time_ns, const char *exe, Picket__EventType type)
{
	Picket__Process pr = PICKET__PROCESS__INIT;
	Picket__Event ev = PICKET__EVENT__INIT;
	Picket__Record rec = PICKET__RECORD__INIT;
	struct buf packed = { 0 };

	pr.exe = people_bytes(exe);
	pr.name = people_bytes("x");
	ev.type = type;
	ev.process = &pr;
	rec.time_unix_ns = time_ns;
	rec.body_case = PICKET__RECORD__BODY_EVENT;
	rec.event = &ev;
	MUST(msg_pack_record(&rec, &packed, &must_err));
	MUST(store_history_add(p->store, "a1", 1, seq, buf_slice(&packed), &rec, &must_err));
	buf_fini(&packed);
}

static struct ruleset *rules_of(const char *text)
{
	struct ruleset *rs = NULL;
	const struct ruleset_text one = { "r.yaml", slice_of(text) };

	MUST(ruleset_of_texts(&one, 1, false, &rs, &must_err));
	return rs;
}

static void it_counts_what_would_have_fired(void **state)
{
	static const char rules[] =
		"title: login\nname: login\nlogsource: {product: linux, category: process_creation}\n"
		"detection: {s: {Image|endswith: /login}, condition: s}\n---\n"
		"title: many logins\nname: many\ncorrelation: {type: event_count, rules: [login], group-by: [host], timespan: 60s, condition: {gte: 5}}\n---\n"
		"title: su\nname: su\nlogsource: {product: linux, category: process_creation}\ndetection: {s: {Image|endswith: /su}, condition: s}\n";
	struct people *p = *state;
	const struct store_agent agent = { .id = "a1", .host = "web-1", .serial = "01", .enrolled_unix_ns = 1 };
	uint64_t now = clock_unix_ns(&p->clk), seq = 0;
	CLEANUP(buf_finip) struct buf out = { 0 };
	CLEANUP(backtest_freep) struct backtest *b = NULL;
	const struct backtest_config cfg = { .since_unix_ns = now - 7200 * second, .until_unix_ns = now, .bytes_max = 1 << 20,
					     .lateness_ns = 10 * 1000000000ll };
	struct json j;
	int slices = 1, r;

	MUST(store_agent_enrol(p->store, &agent, &must_err));
	MUST(store_begin(p->store, &must_err));
	add_exec(p, ++seq, now - 8000 * second, "/bin/su", PICKET__EVENT_TYPE__EVENT_EXEC); /* before since */
	for (int round = 0; round < 3; round++) {
		uint64_t t = now - 5000 * second + (uint64_t)round * 1000 * second;

		for (uint64_t i = 0; i < 1500; i++)
			add_exec(p, ++seq, t + i * 1000, "/bin/other", PICKET__EVENT_TYPE__EVENT_EXIT);
		for (uint64_t i = 0; i < 1500; i++)
			add_exec(p, ++seq, t + second + i * 1000, i < 6 ? "/bin/login" : "/bin/true", PICKET__EVENT_TYPE__EVENT_EXEC);
	}
	add_exec(p, ++seq, now - second, "/bin/su", PICKET__EVENT_TYPE__EVENT_EXEC);
	add_exec(p, ++seq, now + 9000 * second, "/bin/su", PICKET__EVENT_TYPE__EVENT_EXEC); /* a clock that is ahead */
	MUST(store_commit(p->store, &must_err));
	MUST(backtest_new(p->store, &cfg, rules_of(rules), &b, &must_err));
	while ((r = backtest_step(b, &must_err)) > 0)
		slices++;
	assert_int_equal(r, 0);
	assert_true(slices >= 3);
	json_init(&j, &out);
	json_object_open(&j);
	backtest_json(b, &j);
	json_object_close(&j);
	assert_non_null(strstr(out.p, "\"progress\":1,\"events\":4501,\"late\":0,\"fired\":4"));
	assert_non_null(strstr(out.p, "{\"rule\":\"many logins\",\"name\":\"many\",\"fired\":3,"));
	assert_non_null(strstr(out.p, "{\"rule\":\"su\",\"name\":\"su\",\"fired\":1,"));
	assert_null(strstr(out.p, "\"name\":\"login\"")); /* it raises nothing itself */
	assert_non_null(strstr(out.p, "\"group\":{\"host\":\"web-1\"},\"value\":5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_counts_what_would_have_fired, people_setup, people_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
