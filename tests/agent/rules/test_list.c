/* `rules list`: which rules there are, and which techniques the enabled ones cover. */
#include "agent/rules/rules_list.h"
#include "vectors.h"

static const char text[] =
	"- macro: inner\n  condition: proc.name = x\n"
	"- macro: outer\n  condition: not inner or inner\n"
	"- rule: a\n  desc: d\n  condition: evt.type in (open, execve) and outer\n  output: o\n  priority: INFO\n"
	"  tags: [container, mitre_credential_access, T1552.007]\n"
	"- rule: b\n  desc: d\n  condition: evt.type = connect\n  output: o\n  priority: ERROR\n  enabled: false\n"
	"  tags: [T1046]\n"
	"- rule: c\n  desc: d\n  condition: evt.type = setns\n  output: o\n  priority: CRITICAL\n"
	"  tags: [t1611, T155, T15522, 'T1070x', mitre_impact]\n";

static struct rules *load(void)
{
	struct rules *r = NULL;

	assert_int_equal(rules_load_text("f.yaml", slice_of(text), &r, NULL, NULL), 0);
	return r;
}

static void only_enabled_rules_cover_a_technique(void **state)
{
	CLEANUP(rules_freep) struct rules *r = load();
	CLEANUP(buf_finip) struct buf out = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *json = NULL;
	const cJSON *x;
	size_t covered = 0;

	(void)state;
	buf_init(&out, 0);
	rules_list_json(r, &out);
	assert_int_equal(json_parse(buf_slice(&out), 1 << 20, &json, NULL), 0);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "rules")), 3);
	cJSON_ArrayForEach(x, cJSON_GetObjectItem(json, "coverage")) {
		int n = cJSON_GetArraySize(cJSON_GetObjectItem(x, "rules"));
		const char *id = cJSON_GetObjectItem(x, "id")->valuestring;

		covered += n > 0;
		if (n != (!strcmp(id, "T1552") || !strcmp(id, "T1611")))
			fail_msg("%s is covered by %d rules", id, n);
	}
	assert_int_equal(covered, 2);
	assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(json, "macros")), 2);
	x = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "macros"), 1);
	assert_string_equal(cJSON_GetObjectItem(x, "name")->valuestring, "inner");
	assert_int_equal(cJSON_GetObjectItem(x, "rules")->valueint, 1);
	assert_string_equal(cJSON_GetArrayItem(cJSON_GetObjectItem(x, "techniques"), 0)->valuestring, "T1552");
	x = cJSON_GetObjectItem(json, "summary");
	assert_int_equal(cJSON_GetObjectItem(x, "covered")->valueint, 2);
	assert_int_equal(cJSON_GetObjectItem(x, "enabled")->valueint, 2);
	x = cJSON_GetObjectItem(json, "tactics");
	assert_int_equal(cJSON_GetObjectItem(x, "impact")->valueint, 1);
	assert_int_equal(cJSON_GetObjectItem(x, "credential-access")->valueint, 1);
	assert_int_equal(cJSON_GetObjectItem(x, "discovery")->valueint, 0);
}

static void the_table_names_each_rule_with_its_events(void **state)
{
	CLEANUP(rules_freep) struct rules *r = load();
	CLEANUP(buf_finip) struct buf out = { 0 };

	(void)state;
	buf_init(&out, 0);
	rules_list_text(r, &out);
	assert_non_null(strstr(out.p, "Informational on   a  [execve,open]  container,mitre_credential_access,T1552.007\n"));
	assert_non_null(strstr(out.p, "Error         off  b  [connect]  T1046\n"));
	assert_non_null(strstr(out.p, "3 rules, 2 of them on. MITRE ATT&CK for Containers: 2 of "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_enabled_rules_cover_a_technique),
		cmocka_unit_test(the_table_names_each_rule_with_its_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
