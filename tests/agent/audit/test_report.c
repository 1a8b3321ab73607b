/* test_report.c - what is written: read back, and looked at. */
#include "agent/audit/report.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/agent/audit/good.h"

enum { SUBJECTS = 4 };

struct fixture {
	struct good good;
	struct arena *arena;
	struct report_subject subjects[SUBJECTS];
	struct report report;
	struct out out;
};

static void judge(struct fixture *f, enum audit_subject s, const char *name, const char *id)
{
	struct report_subject *r = &f->subjects[f->report.subject_count++];
	struct audit_input in = good_input(&f->good);
	struct err err;

	*r = (struct report_subject){ .subject = s, .name = name, .id = id, .image = "" };
	assert_int_equal(audit_run(s, &in, f->arena, &r->results, &r->count, &err), 0);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	f->arena = arena_new(4 << 20);
	f->report = (struct report){ .host = "node1", .now_unix_s = 1795000000, .engine = "28.5.1", .subjects = f->subjects };
	good_init(&f->good);
	judge(f, SUBJECT_HOST, "node1", "");
	judge(f, SUBJECT_DAEMON, "/run/docker.sock", "");
	f->good.asked->is_privileged = true;
	f->good.asked->memory_bytes = 0;
	f->good.real->memory_max = -1;
	good_seen_as_privileged(&f->good);
	good_mount(&f->good, "/etc/\033[31mred", "/x", true);
	judge(f, SUBJECT_CONTAINER, "bad\033[2J\n\xff", GOOD_ID);
	judge(f, SUBJECT_CONTAINER, "other", GOOD_ID);
	assert_int_equal(out_init(&f->out, -1, &err), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	out_fini(&f->out);
	arena_free(f->arena);
	free(f);
	return 0;
}

static cJSON *parsed(struct fixture *f)
{
	cJSON *o = NULL;
	struct err err = { 0 };

	if (json_parse(buf_slice(&f->out.text), 16 << 20, &o, &err) < 0)
		fail_msg("%s in: %s", err.msg, f->out.text.p);
	return o;
}

static const cJSON *result_with(const cJSON *results, const char *key, const char *id)
{
	const cJSON *r;

	cJSON_ArrayForEach(r, results)
	{
		if (slice_is(json_get_str(r, key), id))
			return r;
	}
	fail_msg("no result %s", id);
	return NULL;
}

static void json_is_as_the_contract_says(void **state)
{
	struct fixture *f = *state;
	static const char *const keys[] = { "id", "title", "severity", "status", "target", "evidence", "remediation" };
	struct err err;
	size_t total = 0;

	assert_int_equal(report_json(&f->report, &f->out, &err), 0);
	cJSON *o = parsed(f);
	assert_true(slice_is(json_get_str(o, "host"), "node1"));
	assert_true(slice_is(json_get_str(o, "time"), "2026-11-18T11:06:40Z"));
	const cJSON *results = cJSON_GetObjectItem(o, "results"), *r;
	for (size_t i = 0; i < f->report.subject_count; i++)
		total += f->subjects[i].count;
	assert_int_equal(cJSON_GetArraySize(results), total);
	cJSON_ArrayForEach(r, results)
	{
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			assert_true(cJSON_IsString(cJSON_GetObjectItem(r, keys[i])));
		assert_true(cJSON_IsArray(cJSON_GetObjectItem(r, "references")));
	}
	r = result_with(results, "id", "PKT-C-005");
	assert_true(slice_is(json_get_str(r, "status"), "fail"));
	assert_true(slice_is(json_get_str(r, "severity"), "critical"));
	const cJSON *refs = cJSON_GetObjectItem(r, "references");
	assert_string_equal(cJSON_GetArrayItem(refs, 0)->valuestring, "CIS Docker Benchmark 1.6: 5.5");
	assert_string_equal(cJSON_GetArrayItem(refs, 1)->valuestring, "MITRE ATT&CK T1611");
	const cJSON *summary = cJSON_GetObjectItem(o, "summary");
	uint64_t sum = json_get_u64(summary, "pass", 0) + json_get_u64(summary, "fail", 0) + json_get_u64(summary, "warn", 0) +
		       json_get_u64(summary, "na", 0) + json_get_u64(summary, "error", 0);
	assert_int_equal(sum, total);
	assert_true(json_get_u64(summary, "critical", 0) >= 4);
	cJSON_Delete(o);
}

static void sarif_has_rules_and_results_that_fit(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(report_sarif(&f->report, &f->out, &err), 0);
	cJSON *o = parsed(f);
	assert_true(slice_is(json_get_str(o, "version"), "2.1.0"));
	const cJSON *run = cJSON_GetArrayItem(cJSON_GetObjectItem(o, "runs"), 0);
	const cJSON *rules = cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(run, "tool"), "driver"), "rules");
	const cJSON *results = cJSON_GetObjectItem(run, "results"), *r;
	struct report_summary s;
	report_count(&f->report, &s);
	assert_int_equal(cJSON_GetArraySize(results), s.by_status[AUDIT_FAIL] + s.by_status[AUDIT_WARN]);
	assert_true(cJSON_GetArraySize(rules) > 5);
	cJSON_ArrayForEach(r, results)
	{
		const cJSON *rule = cJSON_GetArrayItem(rules, (int)json_get_u64(r, "ruleIndex", 9999));

		assert_non_null(rule);
		assert_true(slice_eq(json_get_str(rule, "id"), json_get_str(r, "ruleId")));
		assert_true(slice_is(json_get_str(r, "kind"), "fail") == !slice_is(json_get_str(r, "level"), "none"));
		const cJSON *where = cJSON_GetArrayItem(cJSON_GetObjectItem(r, "locations"), 0);
		struct slice uri = json_get_str(
			cJSON_GetObjectItem(cJSON_GetObjectItem(where, "physicalLocation"), "artifactLocation"), "uri");
		assert_true(uri.n > 0 && slice_find(uri, SLICE_LIT("\n")) < 0);
	}
	cJSON_Delete(o);
}

static void a_table_shows_severe_ones_apart_and_mild_ones_together(void **state)
{
	struct fixture *f = *state;
	struct report_options opts = { .columns = 140, .show_fixes = true, .hint = "a hint" };
	struct err err;
	size_t privileged = 0, memory = 0;

	assert_int_equal(report_table(&f->report, &opts, &f->out, &err), 0);
	struct slice rest = buf_slice(&f->out.text), line;
	while (slice_split(&rest, '\n', &line)) {
		assert_true(line.n < 2000);
		for (size_t i = 0; i < line.n; i++)
			assert_true((unsigned char)line.p[i] >= ' ');
		if (!slice_starts(line, SLICE_LIT("critical")) && !slice_starts(line, SLICE_LIT("medium")))
			continue;
		privileged += slice_find(line, SLICE_LIT("PKT-C-005")) >= 0;
		memory += slice_find(line, SLICE_LIT("PKT-C-011")) >= 0;
	}
	assert_int_equal(privileged, 2);
	assert_int_equal(memory, 1);
	assert_non_null(strstr(f->out.text.p, "Host node1"));
	assert_non_null(strstr(f->out.text.p, "a hint"));
	assert_non_null(strstr(f->out.text.p, "Fix: docker update --memory 512m"));
	assert_null(strchr(f->out.text.p, '\033'));
}

static void all_shows_what_passes(void **state)
{
	struct fixture *f = *state;
	struct report_options opts = { .show_all = true, .is_coloured = true, .columns = 80 };
	struct err err;

	assert_int_equal(report_table(&f->report, &opts, &f->out, &err), 0);
	assert_non_null(strstr(f->out.text.p, "pass"));
	assert_non_null(strstr(f->out.text.p, "n/a"));
	assert_null(strstr(f->out.text.p, "\033[2J"));
}

static void a_gate_closes_for_fails_of_its_level(void **state)
{
	struct fixture *f = *state;

	assert_true(report_is_bad(&f->report, AUDIT_CRITICAL));
	f->report.subject_count = 2; /* the host and its engine are fine */
	assert_false(report_is_bad(&f->report, AUDIT_INFO));
}

static void the_checks_are_listed(void **state)
{
	struct fixture *f = *state;
	struct report_options opts = { 0 };
	struct err err;

	assert_int_equal(report_checks(&opts, &f->out, &err), 0);
	for (size_t i = 0; i < audit_check_count(); i++)
		assert_non_null(strstr(f->out.text.p, audit_check_at(i)->id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(json_is_as_the_contract_says, set_up, tear_down),
		cmocka_unit_test_setup_teardown(sarif_has_rules_and_results_that_fit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_table_shows_severe_ones_apart_and_mild_ones_together, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_shows_what_passes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_gate_closes_for_fails_of_its_level, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_checks_are_listed, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
