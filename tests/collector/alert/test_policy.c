/* test_policy.c - what the policy refused, as alerts: their words, and which are one. */
#include "tests/collector/people.h"

#include "collector/alert/alert.h"

struct sample {
	Picket__Record rec;
	Picket__Event ev;
	Picket__Admission ad;
	Picket__Container c;
	Picket__ContainerConfig config;
};

static void sample(struct sample *s, const char *user)
{
	static char kind[] = "create", rule[] = "AC-012", id[] = "c0ffee0123456789";

	*s = (struct sample){ .rec = PICKET__RECORD__INIT, .ev = PICKET__EVENT__INIT, .ad = PICKET__ADMISSION__INIT,
			      .c = PICKET__CONTAINER__INIT, .config = PICKET__CONTAINER_CONFIG__INIT };
	s->rec.time_unix_ns = 1795400000000000000ull;
	s->rec.body_case = PICKET__RECORD__BODY_EVENT;
	s->rec.event = &s->ev;
	s->ev.type = PICKET__EVENT_TYPE__EVENT_ADMISSION;
	s->ev.admission = &s->ad;
	s->ev.container = &s->c;
	s->c.id = id;
	s->c.name = people_bytes("web-1");
	s->c.config = &s->config;
	s->ad.kind = kind;
	s->ad.rule = rule;
	s->ad.user = people_bytes(user);
	s->ad.reason = people_bytes("bind of /etc, writable");
}

static struct alert_change put(struct people *p, struct sample *s, const char *host)
{
	static uint64_t seq;
	struct alert_config cfg = { 0 };
	struct alert_change c;

	MUST(alert_from_admission(p->store, &cfg, "agent-1", host, 1, ++seq, &s->rec, &c, &must_err));
	return c;
}

static void it_says_what_was_refused_to_whom_and_why(void **state)
{
	struct people *p = *state;
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct store_alert al;
	struct sample s;

	sample(&s, "carol");
	struct alert_change c = put(p, &s, "host-07");
	assert_true(c.is_new);
	MUST(store_alert_get(p->store, c.id, a, &al, &must_err));
	assert_string_equal(al.title, "Refused: create of `web-1` on host-07 (rule AC-012, asked by carol): bind of /etc, writable");
	assert_string_equal(al.source, "policy");
	assert_string_equal(al.rule, "AC-012");
	assert_int_equal(al.severity, SEVERITY_MEDIUM);
	assert_non_null(strstr(al.document, "\"admission\":{\"kind\":\"create\",\"allowed\":false"));
	assert_non_null(strstr(al.document, "\"name\":\"web-1\""));
	assert_null(strstr(al.document, "\"mounts\""));
	s.ad.is_allowed = s.ad.is_monitored = true;
	c = put(p, &s, "host-07");
	assert_true(c.is_new); /* it happened: not the same as a refusal */
	MUST(store_alert_get(p->store, c.id, a, &al, &must_err));
	assert_true(slice_starts(slice_of(al.title), SLICE_LIT("Would be refused: create of `web-1`")));
}

static void they_fold_by_rule_host_and_who_asked(void **state)
{
	static char other[] = "AC-013";
	struct people *p = *state;
	struct sample s;

	sample(&s, "carol");
	s.ad.count = 3;
	int64_t id = put(p, &s, "host-07").id;
	struct alert_change c = put(p, &s, "host-07");
	assert_int_equal(c.id, id);
	assert_int_equal(c.count, 6);
	s.c.name = people_bytes("web-2");
	assert_int_equal(put(p, &s, "host-07").id, id); /* it is carol who tries */
	assert_int_not_equal(put(p, &s, "host-08").id, id);
	sample(&s, "dave");
	assert_int_not_equal(put(p, &s, "host-07").id, id);
	sample(&s, "carol");
	s.ad.rule = other;
	assert_int_not_equal(put(p, &s, "host-07").id, id);
	/* nobody known asked: by container */
	sample(&s, "");
	id = put(p, &s, "host-07").id;
	s.c.name = people_bytes("web-2");
	assert_int_not_equal(put(p, &s, "host-07").id, id);
}

static void names_and_reasons_made_to_harm_are_shown(void **state)
{
	static char kind[] = "cre\nate", rule[] = "";
	struct people *p = *state;
	CLEANUP(arena_freep) struct arena *a = arena_new(1 << 20);
	struct store_alert al;
	struct sample s;

	sample(&s, "ca`rol\033[2J");
	s.ad.kind = kind;
	s.ad.rule = rule;
	s.c.name = people_bytes("\xe2\x80\xae");
	MUST(store_alert_get(p->store, put(p, &s, "host-07").id, a, &al, &must_err));
	assert_string_equal(al.title, "Refused: cre\\nate of `\\u{202e}` on host-07 (rule ?, asked by ca'rol\\x1b[2J): bind of"
				      " /etc, writable");
	assert_string_equal(al.rule, "Refused by policy");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, people_setup, people_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_says_what_was_refused_to_whom_and_why),
		TEST(they_fold_by_rule_host_and_who_asked),
		TEST(names_and_reasons_made_to_harm_are_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
