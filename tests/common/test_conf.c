/* conf: a table with every kind, good files, and the words for wrong ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "common/buf.h"
#include "common/conf.h"

struct route {
	char *to;
	struct conf_list tags;
	uint64_t after_ms;
};

struct settings {
	char *listen;
	bool verbose;
	uint64_t workers, max_size, idle_ms;
	struct conf_list names, routes;
	int level;
};

static const struct conf_key route_keys[] = {
	{ .name = "to", .kind = CONF_STR, .offset = offsetof(struct route, to) },
	{ .name = "tags", .kind = CONF_STR_LIST, .offset = offsetof(struct route, tags) },
	{ .name = "wait.after", .kind = CONF_DURATION, .offset = offsetof(struct route, after_ms) },
};

static const char *const levels[] = { "low", "high", NULL };

static const struct conf_key keys[] = {
	{ .name = "listen", .kind = CONF_STR, .offset = offsetof(struct settings, listen) },
	{ .name = "verbose", .kind = CONF_BOOL, .offset = offsetof(struct settings, verbose) },
	{ .name = "workers", .kind = CONF_U64, .offset = offsetof(struct settings, workers),
	  .min = 1, .max = 64 },
	{ .name = "spool.max_size", .kind = CONF_SIZE,
	  .offset = offsetof(struct settings, max_size), .min = 1 << 20, .max = 1ULL << 36 },
	{ .name = "spool.time.idle", .kind = CONF_DURATION,
	  .offset = offsetof(struct settings, idle_ms), .min = 500 },
	{ .name = "names", .kind = CONF_STR_LIST, .offset = offsetof(struct settings, names) },
	{ .name = "routes", .kind = CONF_LIST, .offset = offsetof(struct settings, routes),
	  .sub = route_keys, .sub_count = ARRAY_LEN(route_keys), .item_size = sizeof(struct route) },
	{ .name = "level", .kind = CONF_ENUM, .offset = offsetof(struct settings, level),
	  .names = levels },
	{ .name = "other", .kind = CONF_SKIP },
};

static void settings_fini(struct settings *s)
{
	conf_fini(keys, ARRAY_LEN(keys), s);
}

static int parse(struct slice text, struct settings *s, struct err *err)
{
	*s = (struct settings){ .listen = conf_strdup("default"), .workers = 4 };
	return conf_parse("a.yaml", text, keys, ARRAY_LEN(keys), s, err);
}

static void every_kind_is_read(void **state)
{
	CLEANUP(settings_fini) struct settings s;
	struct err err = { 0 };
	int r = parse(SLICE_LIT("listen: 0.0.0.0:7443\n"
				"verbose: true\n"
				"workers: 8\n"
				"spool:\n"
				"  max_size: 64MiB\n"
				"  time: { idle: 15m }\n"
				"names: [a, \"b c\", 'null']\n"
				"level: high\n"
				"routes:\n"
				"  - to: ops@example.org\n"
				"    tags: [x]\n"
				"    wait: { after: 90 }\n"
				"  - { to: \"\" }\n"
				"  - {}\n"),
		      &s, &err);

	if (r < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(s.listen, "0.0.0.0:7443");
	assert_true(s.verbose);
	assert_int_equal(s.workers, 8);
	assert_int_equal(s.max_size, 64 << 20);
	assert_int_equal(s.idle_ms, 900000);
	assert_int_equal(s.names.count, 3);
	assert_string_equal(((char **)s.names.items)[2], "null");
	assert_int_equal(s.level, 1);
	assert_int_equal(s.routes.count, 3);
	const struct route *routes = s.routes.items;
	assert_string_equal(routes[0].to, "ops@example.org");
	assert_int_equal(routes[0].tags.count, 1);
	assert_int_equal(routes[0].after_ms, 90000);
	assert_string_equal(routes[1].to, "");
	assert_null(routes[2].to);
}

static void what_is_not_said_keeps_its_default(void **state)
{
	static const char *const rows[] = { "", "# only a comment\n", "---\n", "spool:\n", "{}",
					    "spool: {}", "names: ['%TAG']", "\xef\xbb\xbf# with a byte order mark\n" };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(settings_fini) struct settings s;
		struct err err = { 0 };

		if (parse(slice_of(rows[i]), &s, &err) < 0)
			fail_msg("'%s': %s", rows[i], err.msg);
		assert_string_equal(s.listen, "default");
		assert_int_equal(s.workers, 4);
	}
}

static void what_others_read_is_read_past(void **state)
{
	static const char *const others[] = {
		"other:\n", "other: x\n", "other: []\n", "other: {a: [1, {b: c}], d: }\n",
		"other:\n  - id: x\n    more:\n      - y\n  -\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CLEANUP(settings_fini) struct settings s;
		char text[128];
		struct err err = { 0 };

		snprintf(text, sizeof(text), "%sworkers: 8\n", others[i]);
		assert_int_equal(parse(slice_of(text), &s, &err), 0);
		assert_int_equal(s.workers, 8);
	}
	CLEANUP(settings_fini) struct settings s;
	struct err err = { 0 };
	assert_int_equal(parse(SLICE_LIT("other: [1, &a 2]\n"), &s, &err), -ERR_SYNTAX);
}

static void wrong_files_say_where_and_what(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "lsiten: x", "a.yaml:1:1: unknown key 'lsiten', did you mean 'listen'?" },
		{ "spool:\n  max_sise: 1", "a.yaml:2:3: unknown key 'max_sise', did you mean 'max_size'?" },
		{ "spol: {}", "a.yaml:1:1: unknown key 'spol', did you mean 'spool'?" },
		{ "spool: {tiem: {}}", "a.yaml:1:9: unknown key 'tiem', did you mean 'time'?" },
		{ "spool:\n  listen: 1", "a.yaml:2:3: unknown key 'listen' in 'spool'" },
		{ "password: x", "a.yaml:1:1: unknown key 'password'" },
		{ "spool.max_size: 1MiB", "a.yaml:1:1: unknown key 'spool.max_size'" },
		{ "\"a\\x1b[2Jb\": x", "a.yaml:1:1: unknown key 'a\\x1b[2Jb'" },
		{ "<<: {listen: x}", "a.yaml:1:1: unknown key '<<'" },
		{ "listen: a\nlisten: b", "a.yaml:2:1: duplicate key 'listen'" },
		{ "spool: {}\nspool: {}", "a.yaml:2:1: duplicate key 'spool'" },
		{ "spool:\n  time: {}\n  time: {}", "a.yaml:3:3: duplicate key 'time'" },
		{ "routes:\n- to: a\n  to: b", "a.yaml:3:3: duplicate key 'to'" },
		{ "routes:\n- too: a", "a.yaml:2:3: unknown key 'too', did you mean 'to'?" },
		{ "routes: [a]", "a.yaml:1:10: each element of 'routes' must be a mapping" },
		{ "routes: {}", "a.yaml:1:9: 'routes' must be a list of mappings ([] for none), not a mapping" },
		{ "names: a", "a.yaml:1:8: 'names' must be a list of texts ([] for none), not 'a'" },
		{ "names:", "a.yaml:1:7: 'names' has no value: expected a list of texts ([] for none)" },
		{ "names: [[a]]", "a.yaml:1:9: 'names' must be text (\"\" for none), not a list" },
		{ "verbose: yes", "a.yaml:1:10: 'verbose' must be true or false, not 'yes'" },
		{ "verbose: \"true\"", "a.yaml:1:10: 'verbose' must be true or false, not 'true'" },
		{ "workers: -1", "a.yaml:1:10: 'workers' must be a whole number, not '-1'" },
		{ "workers: 65", "a.yaml:1:10: 'workers' must be between 1 and 64" },
		{ "workers: 0", "a.yaml:1:10: 'workers' must be between 1 and 64" },
		{ "workers: {}", "a.yaml:1:10: 'workers' must be a whole number, not a mapping" },
		{ "workers: 99999999999999999999", "a.yaml:1:10: 'workers' must be a whole number, not '99999999999999999999'" },
		{ "spool: {max_size: big}", "a.yaml:1:19: 'spool.max_size' must be a size like 64MiB, not 'big'" },
		{ "spool: {max_size: 1KiB}", "a.yaml:1:19: 'spool.max_size' must be between 1MiB and 64GiB" },
		{ "spool: {time: {idle: 1ms}}", "a.yaml:1:22: 'spool.time.idle' must be at least 500ms" },
		{ "spool: []", "a.yaml:1:8: 'spool' must be a mapping" },
		{ "listen:", "a.yaml:1:8: 'listen' has no value: expected text (\"\" for none)" },
		{ "listen: ~", "a.yaml:1:9: 'listen' has no value: expected text (\"\" for none)" },
		{ "listen: \"a\\0b\"", "a.yaml:1:9: 'listen' contains a NUL" },
		{ "level: mid", "a.yaml:1:8: 'level' must be one of low, high, not 'mid'" },
		{ "level: [low]", "a.yaml:1:8: 'level' must be one of low, high, not a list" },
		{ "listen: &a x", "a.yaml:1:9: anchors are not allowed here" },
		{ "listen: *a", "a.yaml:1:9: aliases are not allowed here" },
		{ "listen: !!str x", "a.yaml:1:9: tags are not allowed here" },
		{ "names: &a [x]", "a.yaml:1:8: anchors are not allowed here" },
		{ "[1]: x", "a.yaml:1:1: a key must be text" },
		{ "? {a: b}\n: x", "a.yaml:1:3: a key must be text" },
		{ "- a", "a.yaml:1:1: expected \"key: value\" lines" },
		{ "hello", "a.yaml:1:1: expected \"key: value\" lines" },
		{ "# x\n%TAG ! a\n---\n", "a.yaml:2:1: tags are not allowed here" },
		{ "listen: a\n---\nlisten: b", "a.yaml:2:1: more than one document" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(settings_fini) struct settings s;
		struct err err = { 0 };

		assert_int_equal(parse(slice_of(rows[i].text), &s, &err), -ERR_SYNTAX);
		assert_string_equal(err.msg, rows[i].want);
	}
}

static void what_is_no_yaml_is_placed_too(void **state)
{
	static const struct {
		const char *text, *starts;
	} rows[] = {
		{ "names: [a", "a.yaml:2:1: did not find expected" },
		{ "listen: \"a", "a.yaml:1:11: " },
		{ "listen: b: c", "a.yaml:1:10: " },
		{ "listen: x\n\tverbose: true", "a.yaml:2:" },
		{ "verbose: true\nlisten: \xff", "a.yaml:2:9: " },
		{ "\xff\xfe" "a", "a.yaml:1:1: " },
		{ "listen: @x", "a.yaml:1:9: " },
		{ "}", "a.yaml:1:1: " },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(settings_fini) struct settings s;
		struct err err = { 0 };

		assert_int_equal(parse(slice_of(rows[i].text), &s, &err), -ERR_SYNTAX);
		if (!slice_starts(slice_of(err.msg), slice_of(rows[i].starts)))
			fail_msg("row %zu: '%s'", i, err.msg);
	}
}

static void hostile_sizes_are_refused(void **state)
{
	struct buf b CLEANUP(buf_finip);
	struct err err = { 0 };

	buf_init(&b, 4 << 20);
	buf_add_str(&b, "names: [");
	for (int i = 0; i < 10000; i++)
		buf_add_str(&b, "a,");
	buf_add_str(&b, "]");
	{
		CLEANUP(settings_fini) struct settings s;
		assert_int_equal(parse(buf_slice(&b), &s, &err), -ERR_SYNTAX);
		assert_non_null(strstr(err.msg, ": more than 10000 values"));
	}
	buf_reset(&b);
	buf_add_str(&b, "names: ");
	for (int i = 0; i < 1000; i++)
		buf_add_char(&b, '[');
	{
		CLEANUP(settings_fini) struct settings s;
		assert_int_equal(parse(buf_slice(&b), &s, &err), -ERR_SYNTAX);
	}
	buf_reset(&b);
	for (int i = 0; i < (1 << 20) + 1; i++)
		buf_add_char(&b, '#');
	{
		CLEANUP(settings_fini) struct settings s;
		assert_int_equal(parse(buf_slice(&b), &s, &err), -ERR_SYNTAX);
		assert_string_equal(err.msg, "a.yaml:1:1: larger than 1 MiB");
	}
}

static void a_file_that_is_not_there_says_so(void **state)
{
	CLEANUP(settings_fini) struct settings s = { 0 };
	struct err err = { 0 };

	assert_int_equal(conf_read("/nonexistent/x.yaml", keys, ARRAY_LEN(keys), &s, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_read),
		cmocka_unit_test(what_is_not_said_keeps_its_default),
		cmocka_unit_test(what_others_read_is_read_past),
		cmocka_unit_test(wrong_files_say_where_and_what),
		cmocka_unit_test(what_is_no_yaml_is_placed_too),
		cmocka_unit_test(hostile_sizes_are_refused),
		cmocka_unit_test(a_file_that_is_not_there_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
