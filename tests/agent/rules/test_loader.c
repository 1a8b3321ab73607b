/* Rule files: definitions, appends, overrides, exceptions; errors with their place and Falco's words. */
#include "agent/rules/load.h"
#include "vectors.h"

#define RULE(name, condition)                                                                      \
	"- rule: " name "\n  desc: d\n  condition: " condition "\n  output: o\n  priority: INFO\n"

static const struct {
	const char *text;
	bool ok;
	const char *message; /* one that must be there; NULL: there must be none */
	unsigned line, column; /* its place; 0: any */
} cases[] = {
	{ RULE("r", "evt.type = open"), true, NULL, 0, 0 },
	{ "", true, NULL, 0, 0 },
	{ "# nothing\n---\n---\n", true, NULL, 0, 0 },
	{ "plain words", false, "Rules content is not yaml", 1, 1 },
	{ "rule: x", false, "Rules content is not yaml array of objects", 1, 1 },
	{ "- [a", false, "Could not load YAML file", 0, 0 },
	{ "- a\n", false, "Unexpected element type", 1, 3 },
	{ "- nope: 1\n", true, "Unknown top level item", 1, 3 },
	{ "- rule: r\n", false, "Item has no mapping for key 'condition'", 1, 3 },
	{ "- rule:\n  desc: d\n", false, "Mapping for key 'rule' is empty", 0, 0 },
	{ RULE("r", "evt.type = open") "  typo: 1\n", true, "Unknown key 'typo'", 6, 3 },
	{ RULE("r", "evt.type = open and"), false, "expected blank or '(' after 'and'", 3, 33 },
	{ RULE("r", "evt.type = open and nope"), false, "Undefined macro 'nope' used in filter.", 3, 34 },
	{ RULE("r", "evt.type = open and a.b = 1"), false, "nonexistent field a.b", 0, 0 },
	{ RULE("r", "evt.type = open and a.b = 1") "  skip-if-unknown-filter: true\n", true, "skipped", 0, 0 },
	{ "- rule: r\n  desc: d\n  condition: |\n    evt.type = open\n    and and\n  output: o\n  priority: INFO\n",
	  false, "Undefined macro 'and'", 5, 5 },
	{ "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: a %no.such b\n  priority: INFO\n", false,
	  "invalid formatting token no.such", 4, 11 },
	{ "- rule: r\n  desc: d\n  condition: evt.type = open\n  output: o\n  priority: LOUD\n", false,
	  "Invalid priority 'LOUD'", 5, 13 },
	{ RULE("r", "evt.type = open and proc.nam = 1"), false, "(did you mean 'proc.name'?)", 0, 0 },
	{ RULE("r", "evt.type = write"), true, "no events of type 'write' here, so it never matches", 3, 14 },
	{ RULE("r", "evt.type in (open, wrte)"), true, "no events of type 'wrte' here", 3, 14 },
	{ RULE("r", "evt.type in (clone, fork, vfork)"), true, NULL, 0, 0 },
	{ RULE("r", "evt.type = connect and fd.sport = http"), true, NULL, 0, 0 },
	{ RULE("r", "evt.type = connect and fd.sport = nosuch"), false, "expected a port number or the name", 0, 0 },
	{ RULE("r", "proc.name = x"), true, "Rule matches too many evt.type values", 3, 14 },
	{ RULE("r", "proc.name = x") "  warn_evttypes: false\n", true, NULL, 0, 0 },
	{ RULE("r", "evt.type = open") "  source: k8s_audit\n", true, "Unknown source k8s_audit, skipping", 0, 0 },
	{ RULE("r", "evt.type = open") "  capture_duration: soon\n", false, "capture_duration", 6, 21 },
	{ "- required_engine_version: 0.57.0\n", true, NULL, 0, 0 },
	{ "- required_engine_version: 99\n", false,
	  "Rules require engine version 0.99.0, but engine version is 0.63.0", 0, 0 },
	{ "- required_engine_version: 1.0.0\n", false, "Rules require engine version 1.0.0", 0, 0 },
	{ "- required_engine_version: x\n", false, "Unable to parse engine version", 0, 0 },
	{ "- required_plugin_versions:\n  - name: container\n    version: 0.4.0\n", true, NULL, 0, 0 },
	{ "- required_plugin_versions:\n  - name: k8smeta\n    version: 0.4.0\n", true, "k8smeta", 0, 0 },
	{ "- required_plugin_versions:\n  - name: a\n    version: b\n", false, "Invalid required version", 0, 0 },
	{ "- list: l\n  items: [a]\n  append: true\n", false, "List uses 'append'", 0, 0 },
	{ "- macro: m\n  condition: a\n  override: {condition: append}\n", false, "Macro uses 'append'", 0, 0 },
	{ "- rule: r\n  enabled: true\n", false, "Rule has 'enabled' key but no rule", 0, 0 },
	{ RULE("r", "evt.type = open") "  override: {desc: replace}\n  append: true\n", false,
	  "cannot be used together", 0, 0 },
	{ "- rule: r\n  priority: INFO\n  override: {priority: append}\n", false, "cannot be appended to", 0, 0 },
	{ "- rule: r\n  priority: INFO\n  override: {priority: both}\n", false, "Invalid override operation", 0, 0 },
	{ "- rule: r\n  desc: x\n  output: y\n  override: {desc: replace}\n", false, "Unexpected key 'output'", 0, 0 },
	{ "- list: unused\n  items: [a]\n", true, "List not referred to", 1, 3 },
	{ "- macro: m\n  condition: evt.type = (\n", false, "expected a string value", 2, 25 },
	{ "- &a [*a]\n", false, "Unexpected element type", 0, 0 },
};

static void files_load_or_say_why_not(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct rules_report report;
		struct rules *r = NULL;
		struct err err = { 0 };
		bool found = !cases[i].message;

		int result = rules_load_text("f.yaml", slice_of(cases[i].text), &r, &report, &err);
		if ((result >= 0) != cases[i].ok || (r != NULL) != cases[i].ok)
			fail_msg("%s\nshould be %d: %s", cases[i].text, cases[i].ok, err.msg);
		for (size_t k = 0; k < report.count; k++) {
			const struct rules_message *m = &report.messages[k];

			if (!cases[i].message)
				fail_msg("%s\nhas a message: %s", cases[i].text, m->text);
			if (!strstr(m->text, cases[i].message) || m->is_error == cases[i].ok)
				continue;
			found = true;
			if (cases[i].line && (m->line != cases[i].line || m->column != cases[i].column))
				fail_msg("%s\n%s stands at %u:%u, not %u:%u", cases[i].text, m->text, cases[i].line,
					 cases[i].column, m->line, m->column);
		}
		if (!found)
			fail_msg("%s\ndoes not say: %s (but %s)", cases[i].text, cases[i].message, err.msg);
		rules_free(r);
		rules_report_fini(&report);
	}
}

/* ---- what the conditions become ---- */

struct seen {
	const char *rule;
	struct buf text;
};

static void keep_condition(void *arg, struct slice rule, const struct cond *c)
{
	struct seen *s = arg;

	if (slice_is(rule, s->rule))
		cond_print(c, &s->text);
}

/* The compiled condition of one rule; the loader's report must have no error. */
static void assert_condition(const char *const *paths, const char *text, const char *rule, const char *want)
{
	struct rules_report report = { .arena = arena_new(4 << 20) };
	struct loader l;
	struct seen s = { .rule = rule };
	CLEANUP(rules_freep) struct rules *r = NULL;

	buf_init(&s.text, 0);
	assert_int_equal(loader_init(&l, &report, NULL), 0);
	l.on_condition = keep_condition;
	l.arg = &s;
	for (size_t i = 0; paths && paths[i]; i++) {
		CLEANUP(buf_finip) struct buf b = { 0 };

		assert_true(file_read(paths[i], LOAD_FILE_MAX, &b, NULL) >= 0);
		loader_add(&l, paths[i], buf_slice(&b));
	}
	if (text)
		loader_add(&l, "f.yaml", slice_of(text));
	assert_true(loader_build(&l, &r, NULL) >= 0);
	assert_non_null(s.text.p);
	assert_string_equal(s.text.p, want);
	buf_fini(&s.text);
	loader_fini(&l);
	rules_report_fini(&report);
}

static void lists_macros_and_exceptions_end_up_in_the_condition(void **state)
{
	static const struct {
		const char *text, *want;
	} conditions[] = {
		{ "- list: a\n  items: [x, y z]\n- list: b\n  items: [a, w]\n" RULE("r", "evt.type in (b, v)"),
		  "evt.type in (x, \"y z\", w, v)" },
		{ "- list: e\n  items: []\n" RULE("r", "evt.type in (e, a) and evt.type in (a, e) and evt.type in (e)"),
		  "(evt.type in (a) and evt.type in (a) and evt.type in ())" },
		{ "- list: e\n  items: [q]\n" RULE("r", "evt.type = \"not e here\" and proc.name=e"),
		  "(evt.type = \"not e here\" and proc.name = q)" },
		{ "- macro: m\n  condition: evt.type = a or evt.type = b\n" RULE("r", "m and not m"),
		  "((evt.type = a or evt.type = b) and not (evt.type = a or evt.type = b))" },
		{ "- macro: m\n  condition: evt.type = a\n- macro: m\n  condition: or evt.type = b\n  override: "
		  "{condition: append}\n" RULE("r", "m"),
		  "(evt.type = a or evt.type = b)" },
		{ RULE("r", "evt.type = a") "- rule: r\n  condition: and proc.name = b\n  append: true\n",
		  "(evt.type = a and proc.name = b)" },
		{ RULE("r", "evt.type = a") "- rule: r\n  condition: evt.type = b\n  override: {condition: replace}\n",
		  "evt.type = b" },
		{ RULE("r", "evt.type = a") "  exceptions:\n  - name: x\n    fields: [proc.name, fd.name]\n    comps: [=, "
					    "startswith]\n    values:\n    - [a, /b]\n    - [c d, /e]\n",
		  "(evt.type = a and not ((proc.name = a and fd.name startswith /b) or (proc.name = \"c d\" and fd.name "
		  "startswith /e)))" },
		{ RULE("r", "evt.type = a") "  exceptions:\n  - name: x\n    fields: proc.name\n    values: [a, b]\n"
					    "- rule: r\n  exceptions:\n  - name: x\n    values: [c]\n"
					    "  override: {exceptions: append}\n",
		  "(evt.type = a and not proc.name in (a, b, c))" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(conditions); i++)
		assert_condition(NULL, conditions[i].text, "r", conditions[i].want);
}

static void enabled_tags_and_priority_can_be_overridden(void **state)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	static const char text[] = RULE("a", "evt.type = open") RULE("b", "evt.type = open") RULE("c", "evt.type = close")
		"- rule: a\n  enabled: false\n  override: {enabled: replace}\n"
		"- rule: c\n  enabled: false\n";

	(void)state;
	assert_int_equal(rules_load_text("f", slice_of(text), &r, NULL, NULL), 0);
	assert_int_equal(rules_count(r), 1);
	assert_true(rules_wants(r, "open"));
	assert_false(rules_wants(r, "close"));
	assert_false(rules_wants(r, "execve"));
	assert_int_equal(strlen(rules_version(r)), 16);
}

static void event_types_follow_from_the_condition(void **state)
{
	static const struct {
		const char *condition;
		bool open, close, other;
	} types[] = {
		{ "evt.type = open", true, false, false },
		{ "evt.type in (open, close)", true, true, false },
		{ "not evt.type in (open)", false, true, true },
		{ "evt.type != open and proc.name = x", false, true, true },
		{ "proc.name = x or evt.type = open", true, true, true },
		{ "proc.name = x and evt.type = open", true, false, false },
		{ "not (proc.name = x or not evt.type = open)", true, false, false },
		{ "evt.type = open and evt.type = close", false, false, false },
		{ "evt.num = 0", false, false, false },
		{ "not evt.num = 0 and evt.type = close", false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		CLEANUP(rules_freep) struct rules *r = NULL;
		char text[512];

		snprintf(text, sizeof(text), RULE("r", "%s"), types[i].condition);
		assert_int_equal(rules_load_text("f", slice_of(text), &r, NULL, NULL), 0);
		if (rules_wants(r, "open") != types[i].open || rules_wants(r, "close") != types[i].close ||
		    rules_wants(r, "ptrace") != types[i].other)
			fail_msg("%s", types[i].condition);
	}
}

/* Each macro twice the last: 2^40 comparisons if they were all written out. */
static void a_macro_bomb_is_refused(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct rules *r = NULL;
	struct err err;

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "- macro: m0\n  condition: evt.type = open\n");
	for (int i = 1; i <= 40; i++)
		buf_printf(&b, "- macro: m%d\n  condition: m%d and m%d\n", i, i - 1, i - 1);
	buf_add_str(&b, RULE("r", "m40"));
	assert_true(rules_load_text("f", buf_slice(&b), &r, NULL, &err) < 0);
	assert_non_null(strstr(err.msg, "comparisons"));
}

static void a_list_bomb_is_refused(void **state)
{
	CLEANUP(buf_finip) struct buf b = { 0 };
	struct rules *r = NULL;
	struct err err;

	(void)state;
	buf_init(&b, 0);
	buf_add_str(&b, "- list: l0\n  items: [a, b]\n");
	for (int i = 1; i <= 40; i++)
		buf_printf(&b, "- list: l%d\n  items: [l%d, l%d]\n", i, i - 1, i - 1);
	buf_add_str(&b, RULE("r", "evt.type in (l40)"));
	assert_true(rules_load_text("f", buf_slice(&b), &r, NULL, &err) < 0);
}

static void a_file_past_the_bound_or_missing_is_an_error(void **state)
{
	CLEANUP(freep) char *text = malloc(LOAD_FILE_MAX + 1);
	const char *path = "/nonexistent/rules.yaml";
	struct rules *r = NULL;
	struct err err;

	(void)state;
	memset(text, '#', LOAD_FILE_MAX + 1);
	assert_int_equal(rules_load_text("f", slice_from(text, LOAD_FILE_MAX + 1), &r, NULL, &err), -ERR_LIMIT);
	memset(text, '[', 100000);
	assert_true(rules_load_text("f", slice_from(text, 100000), &r, NULL, &err) < 0);
	assert_true(rules_load(&path, 1, &r, NULL, &err) < 0);
	assert_non_null(strstr(err.msg, path));
}

/* ---- the shared files ---- */

/* Some vectors hold only what comes behind this rule. */
static const char base[] = RULE("test_rule", "evt.type = open");

static const char *message(const cJSON *x)
{
	const cJSON *m = cJSON_IsObject(x) ? cJSON_GetObjectItem(x, "Message") : x;

	return m ? m->valuestring : "";
}

static bool has_message(const struct rules_report *r, const char *text, bool is_error)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->messages[i].is_error == is_error && strstr(r->messages[i].text, text))
			return true;
	return false;
}

static void check_messages(const cJSON *x, const struct rules_report *r, const char *name)
{
	const cJSON *m;

	cJSON_ArrayForEach(m, cJSON_GetObjectItem(x, "errors"))
		if (!has_message(r, message(m), true))
			fail_msg("%s: no error '%s'", name, message(m));
	cJSON_ArrayForEach(m, cJSON_GetObjectItem(x, "warnings"))
		if (!has_message(r, message(m), false))
			fail_msg("%s: no warning '%s'", name, message(m));
	cJSON_ArrayForEach(m, cJSON_GetObjectItem(x, "absent_warnings"))
		if (has_message(r, message(m), false))
			fail_msg("%s: has warning '%s'", name, message(m));
	cJSON_ArrayForEach(m, cJSON_GetObjectItem(x, "checks"))
		if (!has_message(r, message(m), slice_is(json_get_str(m, "kind"), "error")))
			fail_msg("%s: no message '%s'", name, message(m));
	const cJSON *has = cJSON_GetObjectItem(x, "has_warnings");
	if (cJSON_IsBool(has) && cJSON_IsTrue(has) != (r->warnings > 0))
		fail_msg("%s: has %zu warnings", name, r->warnings);
}

static void load_vector(const cJSON *x, size_t *conditions)
{
	const cJSON *file = cJSON_GetObjectItem(x, "file"), *one, *c;
	struct rules_report report = { .arena = arena_new(4 << 20) };
	struct loader l;
	CLEANUP(rules_freep) struct rules *r = NULL;
	const char *name = cJSON_IsArray(file) ? cJSON_GetArrayItem(file, 0)->valuestring : file->valuestring;
	struct seen s = { 0 };

	c = cJSON_GetObjectItem(x, "compiled_conditions");
	c = c ? c->child : NULL;
	s.rule = c ? c->string : "";
	buf_init(&s.text, 0);
	assert_int_equal(loader_init(&l, &report, NULL), 0);
	l.on_condition = keep_condition;
	l.arg = &s;
	for (one = cJSON_IsArray(file) ? file->child : file; one; one = cJSON_IsArray(file) ? one->next : NULL) {
		CLEANUP(buf_finip) struct buf b = { 0 };
		CLEANUP(buf_finip) struct buf whole = { 0 };
		char path[512], relative[256];

		snprintf(relative, sizeof(relative), "falco-rulefiles/%s", one->valuestring);
		assert_true(file_read(vectors_path(relative, path), LOAD_FILE_MAX, &b, NULL) >= 0);
		buf_init(&whole, 0);
		if (slice_starts(buf_slice(&b), SLICE_LIT("  exceptions:")))
			buf_add_str(&whole, base);
		buf_add_slice(&whole, buf_slice(&b));
		loader_add(&l, path, buf_slice(&whole));
	}
	if (!report.errors)
		assert_true(loader_build(&l, &r, NULL) >= 0);
	bool want = slice_is(json_get_str(x, "expected"), "ok");
	if ((r != NULL) != want)
		fail_msg("%s should be %d: %s", name, want, report.count ? report.messages[0].text : "");
	check_messages(x, &report, name);
	const cJSON *enabled = cJSON_GetObjectItem(x, "enabled_rules");
	if (cJSON_IsNumber(enabled))
		assert_int_equal(rules_count(r), enabled->valueint);
	if (c) {
		assert_string_equal(s.text.p, c->valuestring);
		++*conditions;
	}
	buf_fini(&s.text);
	loader_fini(&l);
	rules_report_fini(&report);
}

static void the_shared_rule_files_load_as_they_should(void **state)
{
	CLEANUP(buf_finip) struct buf text = { 0 };
	CLEANUP(cJSON_Deletep) cJSON *index = NULL;
	size_t count = 0, conditions = 0, skipped = 0;
	const cJSON *x;

	(void)state;
	vectors_read("falco-rulefiles/index.json", &text);
	assert_int_equal(json_parse(buf_slice(&text), 4 << 20, &index, NULL), 0);
	cJSON_ArrayForEach(x, index) {
		const cJSON *file = cJSON_GetObjectItem(x, "file"), *checks = cJSON_GetObjectItem(x, "checks");

		/* These fail for Falco's command line, not for what is in the file. */
		if (cJSON_IsString(file) && !strcmp(file->valuestring, "testing_SingleRule.yaml") &&
		    slice_is(json_get_str(x, "expected"), "fail") && !cJSON_GetArraySize(checks)) {
			skipped++;
			continue;
		}
		load_vector(x, &conditions);
		count++;
	}
	print_message("%zu rule files, %zu compiled conditions, %zu are about Falco's options\n", count, conditions,
		      skipped);
	assert_true(count >= 159);
}

static void the_upstream_rules_load_without_an_error(void **state)
{
	char paths[3][512];
	const char *all[3];
	static const char *const names[] = { "../falco/falco_rules.yaml", "../falco/falco-incubating_rules.yaml",
					     "../falco/falco-sandbox_rules.yaml" };
	CLEANUP(rules_freep) struct rules *r = NULL;
	CLEANUP(buf_finip) struct buf probe = { 0 };
	struct rules_report report;
	struct err err = { 0 };

	(void)state;
	vectors_read(names[0], &probe);
	for (int i = 0; i < 3; i++)
		all[i] = vectors_path(names[i], paths[i]);
	if (rules_load(all, 3, &r, &report, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(report.rules, 93);
	assert_int_equal(report.macros, 315);
	assert_int_equal(report.lists, 118);
	assert_int_equal(rules_count(r), 81);
	assert_false(rules_wants_all(r));
	assert_true(rules_wants(r, "execve") && rules_wants(r, "ptrace") && !rules_wants(r, "write"));
	rules_report_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_load_or_say_why_not),
		cmocka_unit_test(lists_macros_and_exceptions_end_up_in_the_condition),
		cmocka_unit_test(enabled_tags_and_priority_can_be_overridden),
		cmocka_unit_test(event_types_follow_from_the_condition),
		cmocka_unit_test(a_macro_bomb_is_refused),
		cmocka_unit_test(a_list_bomb_is_refused),
		cmocka_unit_test(a_file_past_the_bound_or_missing_is_an_error),
		cmocka_unit_test(the_shared_rule_files_load_as_they_should),
		cmocka_unit_test(the_upstream_rules_load_without_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
