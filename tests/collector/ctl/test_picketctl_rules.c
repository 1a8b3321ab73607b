/* picketctl rule and correlation, as far as they ask no server: lint, test, their exit codes; wrong use of the others. */
#include "tests/collector/ctl/typed.h"

static char dir[64];

static void put_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	MUST(file_write_atomic(path, slice_of(text), 0644, &must_err));
}

static int prepare(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/picket-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	setenv("d", dir, 1);
	setenv("shipped", TEST_ROOT "/collector/correlate/shipped", 1);
	setenv("timelines", TEST_ROOT "/tests/collector/correlate/shipped", 1);
	/* nobody is asked: no server, no token */
	setenv("HOME", dir, 1);
	unsetenv("PICKET_SERVER");
	unsetenv("PICKET_TOKEN_FILE");
	put_file("good.yaml", "title: login\nname: login\nlevel: low\nlogsource: {product: linux, category: process_creation}\n"
			      "detection: {s: {Image: /bin/login}, condition: s}\n---\n"
			      "title: two logins\nname: two\nlevel: low\ncorrelation: {type: event_count, rules: [login], group-by: [host], timespan: 1m, condition: {gte: 2}}\n");
	put_file("blind.yaml", "title: hash\nname: hash\nlevel: low\nlogsource: {product: linux, category: process_creation}\n"
			       "detection: {s: {md5: abc}, condition: s}\n");
	put_file("bad.yaml", "title: bad\nlevel: low\ndetection:\n  s: {Image|endwith: /sh}\n  condition: s\n");
	put_file("evil.yaml", "title: \"\\e]0;x\\a\"\nlevel: low\ndetection:\n  s: {\"\\e[2J|endwith\": /sh}\n  condition: s\n");
	put_file("on_ours.yaml", "title: many\nname: many\nlevel: low\n"
				 "correlation: {type: event_count, rules: [picket_ssh_many], group-by: [host], timespan: 1h, condition: {gte: 1}}\n");
	put_file("fires.ndjson", "{\"time\":1,\"host\":\"web-1\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n"
				 "{\"time\":2,\"host\":\"web-1\",\"type\":\"exec\",\"process\":{\"exe\":\"/bin/login\"}}\n"
				 "{\"expect\":{\"rule\":\"two\",\"group\":{\"host\":\"web-1\"}}}\n");
	put_file("fails.ndjson", "{\"expect\":{\"rule\":\"two\"}}\n");
	return 0;
}

static int clean(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

static void each_says_what_it_found_and_exits_with_it(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *says;
	} rows[] = {
		{ "$ctl correlation lint $shipped", 0, "\"ok\":true" },
		{ "$ctl correlation lint $d/good.yaml -o table", 0, "1 rules, 1 correlations, 0 errors, 0 notes" },
		{ "$ctl rule lint $d/blind.yaml -o table", 0, "note: " },
		{ "$ctl rule lint $d/blind.yaml -o table", 0, "1 rules that can never match" },
		{ "$ctl rule lint $d/bad.yaml -o table", 3, "bad.yaml:4:" },
		{ "$ctl rule lint $d/bad.yaml -o table", 3, "endswith" },
		{ "$ctl rule lint $d -o json", 3, "\"error_count\":2" },
		{ "$ctl rule lint $d/evil.yaml -o table | grep -c \"$(printf '\\033')\"; $ctl rule lint $d/evil.yaml -o table", 3, "0\n" },
		{ "$ctl correlation lint $d/on_ours.yaml -o table", 0, "0 rules, 1 correlations, 0 errors" },
		{ "$ctl rule lint $d/nothing.yaml", 5, "nothing.yaml" },
		{ "$ctl rule lint", 2, "needs files" },
		{ "$ctl correlation test $d/good.yaml $d/fires.ndjson -o table", 0, "2 events, 1 firings: as expected" },
		{ "$ctl correlation test $d/good.yaml $d/fires.ndjson -o json", 0, "\"ok\":true" },
		{ "$ctl correlation test $d/good.yaml $d/fails.ndjson -o table", 1, "'two' fired 0 times, not 1" },
		{ "$ctl correlation test $d/bad.yaml $d/fires.ndjson", 3, "bad.yaml:4:" },
		{ "$ctl correlation test $d/good.yaml $d/good.yaml", 3, "good.yaml:1:" },
		{ "$ctl correlation test $d/good.yaml", 2, "behind them a file of events" },
		{ "$ctl rule test $shipped/scan.yaml $timelines/scan.fires.ndjson -o table", 0, "as expected" },
		{ "$ctl correlation explain x --group host", 2, "NAME=VALUE" },
		{ "$ctl correlation list", 2, "no server" },
		{ "$ctl correlation", 2, "which of list lint test backtest explain" },
		{ "$ctl rule explain", 2, "unknown verb" },
		{ "$ctl correlation backtest --help", 0, "--since 30d" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(buf_finip) struct buf out = { 0 };
		int code = run(rows[i].line, &out);

		if (code != rows[i].code || !strstr(out.p ? out.p : "", rows[i].says))
			fail_msg("%s: %d, %s", rows[i].line, code, out.p ? out.p : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_says_what_it_found_and_exits_with_it) };

	return cmocka_run_group_tests(tests, prepare, clean);
}
