/* Outputs: fields in place, <NA> for what is missing, nothing that steers a terminal. */
#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "vectors.h"

#define SUGGESTED                                                                                  \
	" container_id=<NA> container_name=<NA> container_image_repository=<NA> container_image_tag=<NA>"     \
	" k8s_ns_name=<NA> k8s_pod_name=<NA>"
#define EVENT                                                                                      \
	"{\"evt.type\":\"open\",\"proc.name\":\"cat\",\"proc.pid\":42,\"proc.aname[2]\":\"init\",\"evt.arg.flags\":"    \
	"\"O_RDONLY\",\"fd.types\":[\"file\",\"pipe\"],\"fd.name\":\"/a\\u001b[31m\\u202e\\n\",\"evt.is_open_read\":true}"

static const struct {
	const char *output, *want;
} cases[] = {
	{ "a %proc.name b", "a cat b" },
	{ "*%proc.name", "cat" },
	{ "100%% of %proc.pid.", "100% of 42." },
	{ "(%proc.aname[2],%proc.aname[3])", "(init,<NA>)" },
	{ "%evt.arg.flags %user.name", "O_RDONLY <NA>" },
	{ "%evt.is_open_read %fd.types", "true (file,pipe)" },
	{ "%toupper(proc.name)!", "CAT!" },
	{ "%fd.name", "/a\\x1b[31m\\u202e\\x0a" },
	{ "%proc.name%proc.pid", "cat42" },
	{ "no field", "no field" },
};

static char got[4096];
static size_t field_count;

static void keep(void *arg, const struct rules_match *m)
{
	(void)arg;
	assert_true(slice_copy(m->output, got, sizeof(got)));
	field_count = m->field_count;
	for (size_t i = 0; i < m->field_count; i++)
		assert_false(slice_is(m->fields[i].text, "<NA>"));
}

static unsigned eval(const char *output, const char *event)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	CLEANUP(cJSON_Deletep) cJSON *json = NULL;
	struct err err = { 0 };
	char text[1024];

	snprintf(text, sizeof(text),
		 "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: '%s'\n  priority: info\n", output);
	if (rules_load_text("f", slice_of(text), &r, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(json_parse(slice_of(event), 1 << 20, &json, NULL), 0);
	struct rules_source src = rules_json_source(json);
	return rules_eval(r, "open", &src, keep, NULL);
}

static void fields_are_put_in_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char want[512];

		assert_int_equal(eval(cases[i].output, EVENT), 1);
		snprintf(want, sizeof(want), "%s%s", cases[i].want, SUGGESTED);
		assert_string_equal(got, want);
	}
}

static void only_fields_with_a_value_are_listed(void **state)
{
	(void)state;
	assert_int_equal(eval("%proc.name %proc.name %user.name %proc.pid", EVENT), 1);
	assert_int_equal(field_count, 2);
}

static void an_unknown_field_is_an_error(void **state)
{
	static const char *const wrong[] = { "%nope", "%proc.nope", "% proc.name", "%", "%proc.name[1]x %a.b",
					     "%tolower(proc.pid)" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct rules *r = NULL;
		struct err err = { 0 };
		char text[256];

		snprintf(text, sizeof(text),
			 "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: '%s'\n  priority: info\n",
			 wrong[i]);
		if (rules_load_text("f", slice_of(text), &r, NULL, &err) >= 0)
			fail_msg("%s", wrong[i]);
		assert_non_null(strstr(err.msg, "invalid formatting token"));
	}
}

static void every_rule_that_matches_is_told_in_order(void **state)
{
	static const char text[] =
		"- rule: b\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: info\n"
		"- rule: a\n  desc: d\n  condition: evt.type = open and proc.pid = 42\n  output: o\n  priority: Critical\n"
		"- rule: c\n  desc: d\n  condition: evt.type = open and proc.pid = 1\n  output: o\n  priority: info\n";
	CLEANUP(rules_freep) struct rules *r = NULL;
	CLEANUP(cJSON_Deletep) cJSON *json = NULL;

	(void)state;
	assert_int_equal(rules_load_text("f", slice_of(text), &r, NULL, NULL), 0);
	assert_int_equal(json_parse(slice_of(EVENT), 1 << 20, &json, NULL), 0);
	struct rules_source src = rules_json_source(json);
	for (int i = 0; i < 3; i++)
		assert_int_equal(rules_eval(r, "open", &src, keep, NULL), 2);
	assert_int_equal(rules_eval(r, "close", &src, keep, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_put_in_their_place),
		cmocka_unit_test(only_fields_with_a_value_are_listed),
		cmocka_unit_test(an_unknown_field_is_an_error),
		cmocka_unit_test(every_rule_that_matches_is_told_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
