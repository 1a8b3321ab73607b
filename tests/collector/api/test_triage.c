/* test_triage.c - alerts triaged, silenced and excepted over the real API: who may, what is refused, what is answered. */
#include "tests/collector/api/asked.h"

static int start(void **state)
{
	(void)state;
	served_start(&srv);
	return 0;
}

static void who_may_and_what_is_refused(void **state)
{
	static const struct {
		const char *method, *path, *token, *body;
		long want;
	} cases[] = {
		{ "POST", "/api/v1/alerts/1/snooze", "viewer-token", "{\"until\":\"4h\"}", 403 },
		{ "POST", "/api/v1/alerts/1/snooze", "analyst-token", "{}", 400 },
		{ "POST", "/api/v1/alerts/1/snooze", "analyst-token", "{\"until\":\"0s\"}", 400 },
		{ "POST", "/api/v1/alerts/1/snooze", "analyst-token", "{\"until\":\"2020-01-01\"}", 400 },
		{ "POST", "/api/v1/alerts/1/resolve", "analyst-token", "{\"reason\":\"duplicate_of:1\"}", 400 },
		{ "POST", "/api/v1/alerts/1/resolve", "analyst-token", "{\"reason\":\"duplicate_of:99\"}", 404 },
		{ "POST", "/api/v1/alerts/99/reopen", "analyst-token", "{}", 404 },
		{ "GET", "/api/v1/alerts/1/reopen", "analyst-token", NULL, 405 },
		{ "GET", "/api/v1/alerts/summary", "viewer-token", NULL, 200 },
		{ "GET", "/api/v1/alerts/summary?limit=3", "viewer-token", NULL, 400 },
		{ "GET", "/api/v1/alerts/summary?cursor=zzz", "viewer-token", NULL, 400 },
		{ "POST", "/api/v1/alerts/bulk", "viewer-token", "{\"do\":\"ack\",\"filter\":\"rule=X\"}", 403 },
		{ "POST", "/api/v1/alerts/bulk", "analyst-token", "{\"do\":\"ack\"}", 400 },
		{ "POST", "/api/v1/alerts/bulk", "analyst-token", "{\"do\":\"drop\",\"filter\":\"rule=X\"}", 400 },
		{ "POST", "/api/v1/alerts/bulk", "analyst-token", "{\"do\":\"ack\",\"filter\":\"rule=X\",\"limit\":201}", 400 },
		{ "POST", "/api/v1/alerts/bulk", "analyst-token", "{\"do\":\"ack\",\"filter\":\"colour=X\"}", 400 },
		{ "POST", "/api/v1/alerts/bulk", "analyst-token", "[]", 400 },
		{ "POST", "/api/v1/silences", "viewer-token", "{\"matchers\":\"rule=X\",\"until\":\"4h\",\"reason\":\"r\"}", 403 },
		{ "POST", "/api/v1/silences", "analyst-token", "{\"matchers\":\"rule=X\",\"reason\":\"r\"}", 400 },
		{ "POST", "/api/v1/silences", "analyst-token", "{\"matchers\":\"rule=X\",\"until\":\"4h\"}", 400 },
		{ "POST", "/api/v1/silences", "analyst-token", "{\"matchers\":\"-rule=X\",\"until\":\"4h\",\"reason\":\"r\"}", 400 },
		{ "POST", "/api/v1/silences", "analyst-token", "{\"matchers\":\"rule=X\",\"until\":\"400d\",\"reason\":\"r\"}", 400 },
		{ "POST", "/api/v1/silences", "analyst-token", "{\"matchers\":\"rule=X\",\"from\":\"5h\",\"until\":\"4h\",\"reason\":\"r\"}", 400 },
		{ "POST", "/api/v1/silences/7/end", "analyst-token", "{}", 404 },
		{ "POST", "/api/v1/silences/preview", "viewer-token", "{\"matchers\":\"rule=X\"}", 200 },
		{ "POST", "/api/v1/silences/preview", "viewer-token", "{\"matchers\":\"status=new\"}", 400 },
		{ "GET", "/api/v1/silences?ended=maybe", "viewer-token", NULL, 400 },
		{ "POST", "/api/v1/exceptions", "viewer-token", "{\"alert\":1,\"reason\":\"r\"}", 403 },
		{ "POST", "/api/v1/exceptions", "analyst-token", "{\"alert\":1}", 400 },
		{ "POST", "/api/v1/exceptions", "analyst-token", "{\"reason\":\"r\"}", 400 },
		{ "POST", "/api/v1/exceptions", "analyst-token", "{\"alert\":99,\"reason\":\"r\"}", 404 },
		{ "POST", "/api/v1/exceptions", "analyst-token", "{\"alert\":1,\"fields\":\"colour\",\"reason\":\"r\"}", 400 },
		{ "POST", "/api/v1/exceptions/preview", "viewer-token", "{\"alert\":1,\"cursor\":\"Hnonsense\"}", 400 },
		{ "POST", "/api/v1/exceptions/3/end", "analyst-token", "{}", 404 },
		{ "GET", "/api/v1/containers?sort=name", "viewer-token", NULL, 400 },
		{ "GET", "/api/v1/containers?sort=risk", "viewer-token", NULL, 200 },
		{ "GET", "/api/v1/images?sort=risk&cursor=i1.2.3", "viewer-token", NULL, 400 },
		{ "GET", "/api/v1/hosts?sort=risk", "viewer-token", NULL, 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		status_is(cases[i].method, cases[i].path, cases[i].token, cases[i].body, cases[i].want);
}

static void an_alert_says_what_became_of_it(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *snoozed = NULL, *done = NULL, *many = NULL, *list = NULL;

	(void)state;
	assert_int_equal(ask("POST", "/api/v1/alerts/1/snooze", "analyst-token", "{\"until\":\"4h\",\"comment\":\"later\"}", &snoozed), 200);
	text_is(snoozed, "status", "snoozed");
	assert_non_null(strstr(at(snoozed, "quiet")->valuestring, "snoozed until"));
	text_is(snoozed, "trail.0.what", "created");
	text_is(snoozed, "trail.1.what", "snoozed");
	text_is(snoozed, "trail.1.who", "anna");
	text_is(snoozed, "trail.2.text", "later");
	assert_true(cJSON_IsTrue(at(snoozed, "trail.2.person")));
	assert_int_equal(ask("POST", "/api/v1/alerts/1/resolve", "analyst-token", "{\"reason\":\"duplicate-of:2\"}", &done), 200);
	text_is(done, "resolved_as", "duplicate_of");
	text_is(done, "duplicate_of", "2");
	assert_null(at(done, "snoozed_until"));
	assert_null(at(done, "quiet"));
	assert_int_equal(ask("POST", "/api/v1/alerts/bulk", "analyst-token",
			     "{\"do\":\"assign\",\"assignee\":\"bert\",\"filter\":\"-status:resolved\",\"limit\":1}", &many), 200);
	number_is(many, "changed", 1);
	assert_true(at(many, "cursor")->valuestring[0]);
	list = get_doc("/api/v1/alerts?filter=assignee%3Dbert");
	assert_int_equal(cJSON_GetArraySize(at(list, "items")), 1);
}

static void a_silence_stands_on_what_it_hides(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *made = NULL, *list = NULL, *one = NULL, *sum = NULL;

	(void)state;
	assert_int_equal(ask("POST", "/api/v1/silences", "analyst-token",
			     "{\"matchers\":\"host=host-08\",\"until\":\"4h\",\"reason\":\"upgrade\"}", &made), 200);
	text_is(made, "state", "active");
	text_is(made, "who", "anna");
	list = get_doc("/api/v1/alerts?filter=silenced%3Ayes");
	assert_int_equal(cJSON_GetArraySize(at(list, "items")), 1);
	number_is(list, "items.0.silenced_by", 1);
	one = get_doc("/api/v1/alerts/2");
	assert_non_null(strstr(at(one, "quiet")->valuestring, "upgrade"));
	sum = get_doc("/api/v1/alerts/summary");
	number_is(sum, "alerts", 3);
	number_is(sum, "silenced", 1);
	assert_int_equal(cJSON_GetArraySize(at(sum, "rules")), 2);
	status_is("POST", "/api/v1/silences/1/end", "analyst-token", "{}", 200);
	status_is("POST", "/api/v1/silences/1/end", "analyst-token", "{}", 404);
}

static void names_that_are_made_to_harm_are_quoted_in_an_exception(void **state)
{
	CLEANUP(cJSON_Deletep) cJSON *p = NULL, *made = NULL;

	(void)state;
	assert_int_equal(ask("POST", "/api/v1/exceptions/propose", "viewer-token", "{\"alert\":3,\"fields\":\"container\"}", &p), 200);
	text_is(p, "conditions", "rule=\"Evil <rule>, \\\"quoted\\\"\" source=runtime container=\"=HYPERLINK(\\\"x\\\")\"");
	assert_int_equal(ask("POST", "/api/v1/exceptions", "analyst-token",
			     "{\"alert\":3,\"fields\":\"container\",\"reason\":\"r\"}", &made), 200);
	text_is(made, "rule", "Evil <rule>, \"quoted\"");
	assert_true(cJSON_IsNull(at(made, "until")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_and_what_is_refused),
		cmocka_unit_test(an_alert_says_what_became_of_it),
		cmocka_unit_test(a_silence_stands_on_what_it_hides),
		cmocka_unit_test(names_that_are_made_to_harm_are_quoted_in_an_exception),
	};

	return cmocka_run_group_tests(tests, start, asked_stop);
}
