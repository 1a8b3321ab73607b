/* The correlations that come with the program: each has a timeline on which it fires, and one on which it doesn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <glob.h>

#include "collector/correlate/timeline.h"
#include "common/file.h"

static struct err why;

static struct ruleset *rules_of(const char *text)
{
	struct ruleset *rs = ruleset_new();

	assert_non_null(rs);
	int r = text ? ruleset_add(rs, "rules.yaml", slice_of(text), &why) : ruleset_add_shipped(rs, &why);
	if (r < 0 || ruleset_link(rs, false, &why) < 0)
		fail_msg("%s", why.msg);
	return rs;
}

static void run_file(const char *path, struct arena *a, struct timeline_result *ret)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = rules_of(NULL);
	CLEANUP(buf_finip) struct buf text = { 0 };

	if (file_read(path, TIMELINE_BYTES_MAX, &text, &why) < 0 || timeline_run(rs, path, buf_slice(&text), a, ret, &why) < 0)
		fail_msg("%s", why.msg);
	for (size_t i = 0; i < ret->failure_count; i++)
		print_error("%s: %s\n", path, ret->failures[i]);
	assert_int_equal(ret->failure_count, 0);
}

static void each_fires_where_it_should_and_nowhere_else(void **state)
{
	CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
	char path[PATH_MAX], *slash;
	glob_t files;
	size_t firings = 0;

	assert_int_equal(glob(TEST_ROOT "/collector/correlate/shipped/*.yaml", 0, NULL, &files), 0);
	assert_true(files.gl_pathc >= 8);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct timeline_result fires, quiet;
		int n;

		slash = strrchr(files.gl_pathv[i], '/') + 1;
		n = (int)(strchr(slash, '.') - slash);
		arena_reset(a);
		snprintf(path, sizeof(path), TEST_DATA "/shipped/%.*s.fires.ndjson", n, slash);
		run_file(path, a, &fires);
		assert_true(fires.firing_count > 0);
		firings += fires.firing_count;
		snprintf(path, sizeof(path), TEST_DATA "/shipped/%.*s.quiet.ndjson", n, slash);
		run_file(path, a, &quiet);
		assert_true(quiet.events > 0);
		assert_int_equal(quiet.firing_count, 0);
	}
	globfree(&files);
	assert_true(firings >= 10);
}

static void they_have_no_notes(void **state)
{
	CLEANUP(ruleset_freep) struct ruleset *rs = rules_of(NULL);

	for (size_t i = 0; i < rs->notes.count; i++)
		print_error("%s:%u: %s\n", rs->notes.items[i].file, rs->notes.items[i].line, rs->notes.items[i].what);
	assert_int_equal(rs->notes.count, 0);
	for (size_t i = 0; i < rs->count; i++) {
		assert_true(rs->rules[i].correlation || rs->rules[i].is_named);
		assert_true(rs->rules[i].correlation || rs->rules[i].can_match);
		assert_true(!rs->rules[i].is_told || rs->rules[i].rule->id[0]);
	}
}

static const char login[] = "title: login\nname: login\nlogsource: {product: linux, category: process_creation}\n"
			    "detection: {s: {Image: /bin/login}, condition: s}\n---\n"
			    "title: two\nname: two\ncorrelation: {type: event_count, rules: [login], group-by: [host], timespan: 1m, condition: {gte: 2}}\n";

static void what_was_expected_and_did_not_come_is_said(void **state)
{
	static const struct {
		const char *text;
		size_t failures;
		const char *says; /* of the first failure, or of the error */
	} rows[] = {
		{ "{\"time\":1,\"host\":\"a\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n"
		  "{\"time\":2,\"host\":\"a\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n"
		  "{\"expect\":{\"rule\":\"two\"}}", 0, NULL },
		{ "{\"expect\":{\"rule\":\"two\"}}", 1, "t:1: 'two' fired 0 times, not 1" },
		{ "{\"time\":1,\"host\":\"a\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n"
		  "{\"time\":2,\"host\":\"a\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n", 1,
		  "'two' fired for {\"host\":\"a\"}: nothing expects it" },
		{ "{\"time\":1,\"host\":\"a\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n"
		  "{\"time\":2,\"host\":\"a\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n"
		  "{\"expect\":{\"rule\":\"two\",\"group\":{\"host\":\"b\"}}}", 2, "nothing expects it" },
		{ "\n# a remark\n{\"time\":1,\"host\":", 0, "t:3: " },
		{ "{\"time\":1,\"type\":\"unheard\"}", 0, "t:1: type 'unheard'" },
		{ "{\"time\":\"noon\",\"type\":\"exec\"}", 0, "t:1: time" },
		{ "{\"expect\":{\"rule\":\"three\"}}", 0, "no such rule" },
		{ "{\"expect\":{\"rule\":\"login\"}}", 0, "raises no alerts" },
		{ "{\"expect\":{\"rule\":\"two\",\"count\":1}}", 0, "rule, fired, group" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(ruleset_freep) struct ruleset *rs = rules_of(login);
		CLEANUP(arena_freep) struct arena *a = arena_new(64 << 20);
		struct timeline_result t;
		int r = timeline_run(rs, "t", slice_of(rows[i].text), a, &t, &why);

		if (rows[i].failures || !rows[i].says) {
			assert_int_equal(r, 0);
			assert_int_equal(t.failure_count, rows[i].failures);
			assert_true(!rows[i].says || strstr(t.failures[0], rows[i].says));
			continue;
		}
		assert_int_equal(r, -ERR_SYNTAX);
		if (!strstr(why.msg, rows[i].says))
			fail_msg("'%s', not '%s'", why.msg, rows[i].says);
	}
}

static void a_lenient_load_leaves_out_what_is_wrong_and_what_names_it(void **state)
{
	static const char text[] = "title: bad\nname: bad\ndetection: {s: {Image|nonsense: x}, condition: s}\n---\n"
				   "title: on it\nname: on_it\ncorrelation: {type: event_count, rules: [bad], timespan: 1m, condition: {gte: 1}}\n---\n"
				   "title: chain\nname: chain\ncorrelation: {type: event_count, rules: [on_it], timespan: 1m, condition: {gte: 1}}\n---\n"
				   "title: fine\nname: fine\nlogsource: {product: linux, category: process_creation}\ndetection: {s: {Image: x}, condition: s}\n---\n"
				   "title: again\nname: fine\nlogsource: {product: linux, category: process_creation}\ndetection: {s: {Image: y}, condition: s}\n";
	static const char last[] = "title: again\nname: fine\nlogsource: {product: linux, category: process_creation}\ndetection: {s: {Image: y}, condition: s}\n";
	CLEANUP(ruleset_freep) struct ruleset *rs = ruleset_new();
	char cut[2000];

	(void)slice_copy(slice_sub(slice_of(text), 0, sizeof(text) - sizeof(last) - 4), cut, sizeof(cut));
	assert_int_equal(ruleset_add(rs, "a.yaml", slice_of(cut), &why), 0);
	assert_int_equal(ruleset_add(rs, "b.yaml", slice_of(last), &why), 0);
	if (ruleset_link(rs, true, &why) < 0)
		fail_msg("%s", why.msg);
	assert_int_equal(rs->error_count, 4);
	assert_int_equal(rs->count, 1);
	assert_string_equal(rs->rules[0].rule->title, "fine");
	CLEANUP(ruleset_freep) struct ruleset *strict = ruleset_new();
	assert_int_equal(ruleset_add(strict, "a.yaml", slice_of(cut), &why), 0);
	assert_int_equal(ruleset_link(strict, false, &why), -ERR_SYNTAX);
	assert_non_null(strstr(why.msg, "a.yaml:3:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fires_where_it_should_and_nowhere_else),
		cmocka_unit_test(they_have_no_notes),
		cmocka_unit_test(what_was_expected_and_did_not_come_is_said),
		cmocka_unit_test(a_lenient_load_leaves_out_what_is_wrong_and_what_names_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
