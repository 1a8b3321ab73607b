/* test_picketctl.c - picketctl as a process, against the real API. */
#include "tests/collector/ctl/typed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static int start(void **state)
{
	(void)state;
	served_start(&srv);
	typed_settings();
	setenv("SOURCE_DATE_EPOCH", "1795464300", 1); /* five minutes after the first alert */
	return 0;
}

static void every_format_looks_as_agreed(void **state)
{
	(void)state;
	golden("alert-list.table", "$ctl alert list -o table");
	golden("alert-list-80.table", "COLUMNS=80 $ctl alert list -o table");
	golden("alert-list.ndjson", "$ctl alert list");
	golden("alert-list.json", "$ctl alert list 'severity>=high' host=host-0* -o json");
	golden("alert-list.csv", "$ctl alert list -o csv");
	golden("alert-list.yaml", "$ctl alert list severity=low -o yaml");
	/* The trail says when it was written. */
	golden("alert-show.table", "$ctl alert show 1 -o table | sed 's/^  2.*Z  picket/  WHEN  picket/'");
	golden("alert-show-hostile.table", "$ctl alert show 3 -o table | sed 's/^  2.*Z  picket/  WHEN  picket/'");
	golden("event-search.table", "$ctl event search --order=asc -o table");
	golden("event-search.csv", "$ctl event search type=exec -o csv");
	golden("host-list.table", "$ctl host list host=host-07 -o table");
	golden("help", "$ctl --help");
}

static void exit_codes_say_what_went_wrong(void **state)
{
	static const struct typed cases[] = {
		{ "$ctl alert list -status:resolved -o ndjson", 0, "" },
		{ "$ctl", 2, "which command" },
		{ "$ctl alerts list", 2, "did you mean alert" },
		{ "$ctl alert lits", 2, "did you mean list" },
		{ "$ctl alert", 2, "which of list show ack" },
		{ "$ctl alert list --limt 3", 2, "did you mean --limit" },
		{ "$ctl alert list -o xml", 2, "one of table" },
		{ "$ctl alert list --limit 0", 2, "1 to 1000000" },
		{ "$ctl alert list sevrity=high", 2, "did you mean" },
		{ "$ctl alert show", 2, "needs one ID" },
		{ "$ctl --version", 0, "picketctl " },
		{ "$ctl version", 0, "picketctl " },
		{ "$ctl alert list -o", 2, "-o needs a value" },
		{ "$ctl host list --since 1h", 2, "takes no --since" },
		{ "$ctl status -o csv", 2, "no columns" },
		{ "$ctl history", 0, "\"name\":\"runs\"" },
		{ "$ctl history -o table", 0, "binary" },
		{ "$ctl status --ca $HOME/none", 5, "CA '" },
		{ "PICKET_CA= $ctl status", 4, "no --ca given" },
		{ "$ctl alert show 99", 5, "no alert 99" },
		{ "$ctl alert show ../status", 5, "no alert" },
		{ "$ctl host show nobody", 5, "nobody" },
		{ "echo wrong > $HOME/wrong; $ctl status --token-file $HOME/wrong", 4, "401: it doesn't know the token in '" },
		{ "echo viewer-token > $HOME/viewer; $ctl alert ack 1 --token-file $HOME/viewer", 4, "403" },
		{ "$ctl status --token-file $HOME/none", 5, "none" },
		{ "$ctl status --server https://127.0.0.1:1", 6, "127.0.0.1:1" },
		{ "$ctl status --server http://127.0.0.1:1", 2, "only https" },
		{ "PICKET_SERVER= $ctl status", 2, "no server" },
		{ "mkdir -p $HOME/.config/picket; echo 'sever: x' > $HOME/.config/picket/config.yaml; "
		  "PICKET_SERVER= $ctl status; r=$?; rm $HOME/.config/picket/config.yaml; exit $r", 3,
		  "config.yaml:1:1" },
		{ "echo \"server: $PICKET_SERVER\" > $HOME/.config/picket/config.yaml; "
		  "PICKET_SERVER= $ctl status; r=$?; rm $HOME/.config/picket/config.yaml; exit $r", 0, "agents" },
		{ "$ctl host show host-08 -o table", 0,
		  "1 of 2 attached\n  not attached: io_uring: not in this kernel\\x1b[2J\n" },
		{ "$ctl host show host-08 -o table", 0, "lost_by_class.volume   7\n" },
		{ "$ctl host show host-08 -o table | grep -E 'folded|actions' | tr -s ' '", 0, "folded 2\nactions 1\n" },
		{ "$ctl audit-log -o table", 0,
		  "agent host-07 (rule Download tool in container)  action.kill (dry run)  "
		  "dry run: would kill wget (pid 42) in container web-1" },
		{ "$ctl audit-log list who=nobody -o ndjson", 0, "" },
		{ "$ctl audit-log show", 2, "did you mean audit-log list" },
		{ "$ctl audit-log list whom=x", 2, "did you mean" },
		{ "$ctl audit-log --token-file $HOME/viewer", 4, "403" },
		{ "$ctl event search path=/etc/shadow -o table 2>/dev/null", 0, "openat /etc/shadow (read) by wget" },
		{ "$ctl event search type=connect port=443 -o ndjson 2>/dev/null", 0,
		  "\"summary\":\"connect tcp 10.0.0.7:40000 -> 203.0.113.9:443\"" },
		{ "$ctl event search host=host-07 type=exec", 0, "lost 12 process records" },
		{ "$ctl alert ack 1 --comment looking", 0, "acknowledged" },
		{ "$ctl alert assign 1 alice -o table", 0, "assigned to alice" },
		{ "$ctl alert comment 1 'seen before' -o table", 0, "alert 1: acknowledged" },
		{ "$ctl alert resolve 1 --reason benign -o table", 0, "alert 1: resolved" },
	};

	(void)state;
	typed_all(cases, ARRAY_LEN(cases));
}

static void a_collector_that_says_nothing_is_a_timeout(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char line[128];

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	snprintf(line, sizeof(line), "$ctl status --timeout 500ms --server https://127.0.0.1:%d",
		 ntohs(at.sin_port));
	assert_int_equal(run(line, &out), 7);
	close(fd);
}

static void nothing_a_container_named_reaches_the_terminal_as_it_is(void **state)
{
	static const char *const lines[] = { "$ctl alert list -o table", "$ctl alert list -o wide",
					     "$ctl alert list -o csv",	 "$ctl alert list -o yaml",
					     "$ctl alert list -o json",	 "$ctl alert show 3 -o table",
					     "$ctl event search -o table", "$ctl event search -o wide",
					     "$ctl event search",	 "$ctl event search -o csv",
					     "$ctl audit-log -o table",	 "$ctl host show host-08 -o table" };

	(void)state;
	typed_harmless(lines, ARRAY_LEN(lines));
}

static void a_watch_prints_what_is_new_once(void **state)
{
	CLEANUP(buf_finip) struct buf out = { 0 };
	size_t lines = 0;

	(void)state;
	/* Three alerts at first; then one changes. */
	assert_int_equal(run("timeout 3 $ctl alert list --watch & sleep 1.2; $ctl alert ack 2 > /dev/null; "
			     "wait; exit 0", &out), 0);
	for (size_t i = 0; i < out.n; i++)
		lines += out.p[i] == '\n';
	assert_int_equal(lines, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_looks_as_agreed),
		cmocka_unit_test(nothing_a_container_named_reaches_the_terminal_as_it_is),
		cmocka_unit_test(exit_codes_say_what_went_wrong),
		cmocka_unit_test(a_collector_that_says_nothing_is_a_timeout),
		cmocka_unit_test(a_watch_prints_what_is_new_once),
	};

	return cmocka_run_group_tests(tests, start, typed_stop);
}
