/* picket-collector as a person types it: exit codes and the words that come with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "common/buf.h"

static int run(const char *line, struct buf *out)
{
	char text[600];
	size_t n;

	snprintf(text, sizeof(text), "exec 2>&1; %s", line);
	FILE *p = popen(text, "r");
	assert_non_null(p);
	buf_reset(out);
	while ((n = fread(text, 1, sizeof(text), p)) > 0)
		buf_add(out, text, n);
	int status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void exit_codes_say_what_went_wrong(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *says;
	} cases[] = {
		{ "$c", 2, "which command" },
		{ "$c --help", 0, "picket-collector token create" },
		{ "$c run --help", 0, "picket-collector token create" },
		{ "$c version", 0, "picket-collector " },
		{ "$c --version", 0, "picket-collector " },
		{ "$c rnu", 2, "did you mean 'run'" },
		{ "$c run --bogus", 2, "picket-collector: unknown option '--bogus'" },
		{ "$c run --config", 2, "a value is missing behind '--config'" },
		{ "$c init", 2, "--dir" },
		{ "$c init --dir $d/x --listen nonsense", 2, "tls+tcp://" },
		{ "$c init --dir $d/c --name localhost --listen tls+tcp://127.0.0.1:1 --http 127.0.0.1:1", 0,
		  "fingerprint" },
		{ "$c init --dir $d/c", 1, "nothing was changed" },
		{ "$c run extra --config $d/c/collector.yaml", 2, "takes no word 'extra'" },
		{ "$c verify --config $d/none.yaml", 5, "none.yaml" },
		{ "$c --config $d/c/collector.yaml verify", 0, "0 records read, 0 faults" },
		{ "sed 's|^data_dir:.*|data_dir: '$d'/typo|' $d/c/collector.yaml > $d/t.yaml;"
		  " $c verify --config $d/t.yaml", 5, "no store in data_dir" },
		{ "test ! -e $d/typo", 0, "" },
		{ "$c token create --config $d/c/collector.yaml", 0, "pkt1." },
		{ "$c token create --config $d/c/collector.yaml > /dev/full", 1, "standard output" },
		{ "$c token --config $d/c/collector.yaml", 2, "usage" },
		{ "$c agent revoke web --config $d/c/collector.yaml", 5, "no host or agent 'web'" },
		{ "$c feed list --config $d/c/collector.yaml", 0, "there is no vulnerability data yet" },
		{ "$c feed --config $d/c/collector.yaml", 2, "usage" },
		{ "$c feed import xml /dev/null --config $d/c/collector.yaml", 2, "'xml' is no format" },
		{ "$c feed import kev $d/none --config $d/c/collector.yaml", 5, "none" },
		{ "$c feed import osv /dev/null --config $d/c/collector.yaml", 3, "import" },
		{ "$c feed update --config $d/c/collector.yaml", 3, "names no feeds" },
		{ "echo '{\"id\":\"GHSA-1\",\"modified\":\"2026-01-01T00:00:00Z\",\"affected\":[{\"package\":"
		  "{\"ecosystem\":\"npm\",\"name\":\"x\"},\"versions\":[\"1.0.0\"]}]}' > $d/osv.json;"
		  " $c feed import osv $d/osv.json --config $d/c/collector.yaml", 0, "1 advisories read, 1 new" },
		{ "$c feed list --config $d/c/collector.yaml", 0, "1 advisories, imported" },
		{ "sed 's|sources: .*|sources: [{name: a, url: http://x/}]|' $d/c/collector.yaml > $d/f.yaml;"
		  " $c feed list --config $d/f.yaml", 3, "neither https" },
		{ "$c config", 0, "feeds.sources" },
		{ "$c config", 0, "alert.escalations" },
		{ "(cat $d/c/collector.yaml; echo 'alert: {inhibit: [{name: x, source: \"colour=red\", target: \"rule=A\"}]}')"
		  " > $d/i.yaml; $c run --config $d/i.yaml", 3, "inhibition 'x': source" },
		{ "(cat $d/c/collector.yaml; echo 'alert: {escalations: [{name: x, filter: \"rule=A\", after: 1m}]}')"
		  " > $d/e.yaml; $c run --config $d/e.yaml", 3, "needs filter, after and routes" },
		{ "(cat $d/c/collector.yaml; echo 'alert: {escalations: [{name: x, filter: \"rule=A\", after: 1m, routes: [nobody]}]}')"
		  " > $d/e.yaml; $c run --config $d/e.yaml", 3, "called 'nobody'" },
		{ "$c backup $d/backup --config $d/c/collector.yaml", 0, "backed up" },
		{ "$c backup $d/backup --config $d/c/collector.yaml", 1, "exists" },
	};
	CLEANUP(buf_finip) struct buf out;

	(void)state;
	buf_init(&out, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int code = run(cases[i].line, &out);

		if (code != cases[i].code || slice_find(buf_slice(&out), slice_of(cases[i].says)) < 0)
			fail_msg("%s: exit %d (not %d): %s", cases[i].line, code, cases[i].code,
				 out.p ? out.p : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(exit_codes_say_what_went_wrong) };
	char dir[] = "/tmp/picket-cli-XXXXXX", clean[64];

	if (!mkdtemp(dir))
		return 1;
	setenv("c", COLLECTOR, 1);
	setenv("d", dir, 1);
	int r = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(clean, sizeof(clean), "rm -rf %s", dir);
	return system(clean) ? 1 : r;
}
