/* test_replay_event.c - what a recorded line becomes, and what is said of a wrong one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "agent/replay_event.h"

#define PROCESS "\"process\":{\"pid\":7,\"name\":\"cat\",\"exe\":\"/bin/cat\",\"cmdline\":\"cat -n x\",\"cwd\":\"/root\"," \
	"\"login_uid\":null,\"parent\":{\"pid\":6,\"name\":\"sh\"},\"ancestors\":[{\"name\":\"runc\"}]}"

static void lines_become_fields(void **state)
{
	static const struct {
		const char *line, *field, *want; /* want as JSON; NULL: not there */
	} cases[] = {
		{ "{\"evt.type\":\"open\",\"fd.name\":\"/x\"}", "fd.name", "\"/x\"" },
		{ "{\"type\":\"exec\",\"process\":{\"cap_effective\":\"0x10001200001\"}}", "thread.cap_effective",
		  "\"CAP_CHOWN CAP_SYS_ADMIN CAP_SYS_RESOURCE CAP_CHECKPOINT_RESTORE\"" },
		{ "{\"type\":\"exec\",\"process\":{\"cap_effective\":\"0x0\"}}", "thread.cap_effective", "\"\"" },
		{ "{\"type\":\"exec\"," PROCESS "}", "thread.cap_effective", NULL },
		{ "{\"type\":\"exec\"," PROCESS "}", "evt.type", "\"execve\"" },
		{ "{\"type\":\"exec\"," PROCESS "}", "proc.args", "\"-n x\"" },
		{ "{\"type\":\"exec\"," PROCESS "}", "proc.cwd", "\"/root/\"" },
		{ "{\"type\":\"exec\"," PROCESS "}", "user.loginuid", "-1" },
		{ "{\"type\":\"exec\"," PROCESS "}", "proc.is_exe_upper_layer", "false" },
		{ "{\"type\":\"exec\"," PROCESS "}", "container.id", "\"host\"" },
		{ "{\"type\":\"exec\"," PROCESS "}", "proc.aname", "[\"sh\",\"runc\"]" },
		{ "{\"type\":\"exit\"," PROCESS "}", "evt.type", "\"procexit\"" },
		{ "{\"type\":\"exec\",\"container\":{\"id\":\"0123456789abcdef\",\"image\":\"r:5000/a/b:1@sha256:0\"}}",
		  "container.id", "\"0123456789ab\"" },
		{ "{\"type\":\"exec\",\"container\":{\"id\":\"0\",\"image\":\"r:5000/a/b:1@sha256:0\"}}",
		  "container.image.repository", "\"r:5000/a/b\"" },
		{ "{\"type\":\"exec\",\"container\":{\"id\":\"0\",\"image\":\"r:5000/a/b\"}}", "container.image.tag",
		  NULL },
		{ "{\"type\":\"file\",\"call\":\"openat\",\"result\":\"EACCES\",\"file\":{\"path\":\"/etc/shadow\"}}",
		  "fd.num", "-1" },
		{ "{\"type\":\"file\",\"call\":\"openat\",\"result\":\"EACCES\"}", "evt.rawres", "-13" },
		{ "{\"type\":\"file\",\"call\":\"openat\",\"result\":3,\"file\":{\"path\":\"/etc/shadow\"}}",
		  "fd.directory", "\"/etc\"" },
		{ "{\"type\":\"file\",\"call\":\"openat\",\"result\":3,\"file\":{\"flags\":\"O_RDWR|O_CREAT\"}}",
		  "evt.is_open_write", "true" },
		{ "{\"type\":\"file\",\"call\":\"mkdir\",\"result\":0,\"file\":{\"path\":\"/x\"}}", "fd.name", NULL },
		{ "{\"type\":\"file\",\"call\":\"symlink\",\"result\":0,\"file\":{\"path\":\"/old\",\"target\":\"/new\"}}",
		  "fs.path.target", "\"/old\"" },
		{ "{\"type\":\"file\",\"call\":\"rename\",\"result\":0,\"file\":{\"path\":\"/old\",\"target\":\"/new\"}}",
		  "fs.path.target", "\"/new\"" },
		{ "{\"type\":\"network\",\"call\":\"connect\",\"result\":\"EINPROGRESS\",\"network\":{\"protocol\":\"tcp\","
		  "\"local_address\":\"10.0.0.2\",\"local_port\":4,\"remote_address\":\"1.1.1.1\",\"remote_port\":443}}",
		  "fd.name", "\"10.0.0.2:4->1.1.1.1:443\"" },
		{ "{\"type\":\"network\",\"call\":\"accept4\",\"result\":5,\"network\":{\"protocol\":\"tcp\","
		  "\"local_address\":\"10.0.0.2\",\"local_port\":80,\"remote_address\":\"1.1.1.1\",\"remote_port\":4}}",
		  "fd.cip", "\"1.1.1.1\"" },
		{ "{\"type\":\"call\",\"call\":\"ptrace\",\"result\":0,\"args\":\"res=0 request=16(PTRACE_ATTACH) pid=4\"}",
		  "evt.arg.request", "\"PTRACE_ATTACH\"" },
		{ "{\"type\":\"call\",\"call\":\"ptrace\",\"result\":0,\"args\":\"res=0 request=16(PTRACE_ATTACH) pid=4\"}",
		  "evt.rawarg.request", "\"16\"" },
		{ "{\"type\":\"call\",\"call\":\"kill\",\"result\":0,\"args\":\"res=0 pid=18869(picket-agent) sig=15(SIGTERM)\"}",
		  "evt.arg.pid", "\"picket-agent\"" },
		{ "{\"type\":\"call\",\"call\":\"bpf\",\"result\":5,\"args\":\"fd=5(<b>) cmd=5(BPF_PROG_LOAD)\"}",
		  "evt.arg.cmd", "\"BPF_PROG_LOAD\"" },
		{ "{\"type\":\"file\",\"call\":\"mkdir\",\"result\":0,\"args\":\"res=0 path=/tmp/(x) mode=1FF\"}",
		  "evt.arg.path", "\"/tmp/(x)\"" },
		{ "{\"type\":\"file\",\"call\":\"openat\",\"result\":3,\"file\":{\"flags\":\"O_WRONLY|O_CREAT\",\"mode\":\"0755\"}}",
		  "evt.is_open_exec", "true" },
		{ "{\"type\":\"file\",\"call\":\"openat\",\"result\":3,\"file\":{\"flags\":\"O_WRONLY|O_CREAT\",\"mode\":\"0644\"}}",
		  "evt.is_open_exec", "false" },
		{ "{\"type\":\"file\",\"call\":\"openat\",\"result\":\"EACCES\",\"file\":{\"flags\":\"O_WRONLY\"}}",
		  "evt.is_open_write", "true" },
		{ "{\"type\":\"file\",\"call\":\"fchmod\",\"result\":0,\"file\":{\"path\":\"/x\",\"flags\":\"O_WRONLY\"}}",
		  "evt.is_open_write", NULL },
		{ "{\"type\":\"exec\",\"process\":{\"name\":\"pkexec\",\"cmdline\":\"pkexec\"}}", "proc.args", "\"\"" },
		{ "{\"type\":\"file\",\"call\":\"open\",\"result\":3,\"args\":\"fd=3 name=/a b flags=1(O_RDONLY)\"}",
		  "evt.arg.name", "\"/a b\"" },
		{ "{\"type\":\"exec\",\"time\":\"2026-11-23T22:00:00.5Z\"}", "evt.rawtime",
		  "\"1795471200500000000\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(cJSON_Deletep) cJSON *ev = NULL;
		struct err err = { 0 };

		if (replay_event(slice_of(cases[i].line), &ev, &err) != 1)
			fail_msg("case %zu: %s", i, err.msg);
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(ev, cases[i].field);
		CLEANUP(freep) char *text = v ? cJSON_PrintUnformatted(v) : NULL;
		if (!text != !cases[i].want || (text && strcmp(text, cases[i].want) != 0))
			fail_msg("case %zu: %s is %s, not %s", i, cases[i].field, text ? text : "absent",
				 cases[i].want ? cases[i].want : "absent");
	}
}

static void what_rules_do_not_judge_is_left_out(void **state)
{
	static const char *const lines[] = { "", "  \r", "{\"type\":\"finding\",\"call\":\"openat\"}",
					     "{\"type\":\"gap\"}", "{\"type\":\"container.start\"}",
					     "{\"type\":\"file\",\"call\":\"of_the_future\"}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		cJSON *ev = NULL;

		assert_int_equal(replay_event(slice_of(lines[i]), &ev, NULL), 0);
	}
}

static void a_wrong_line_is_refused_with_its_column(void **state)
{
	static const struct {
		const char *line, *want;
	} cases[] = {
		{ "{\"evt.type\":", "12: " },
		{ "[1]", "1: an event is a JSON object" },
		{ "{\"proc.name\":\"x\"}", "1: no event" },
		{ "nonsense", "1: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cJSON *ev = NULL;
		struct err err = { 0 };

		assert_int_equal(replay_event(slice_of(cases[i].line), &ev, &err), -ERR_SYNTAX);
		if (strncmp(err.msg, cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("case %zu: %s", i, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_fields),
		cmocka_unit_test(what_rules_do_not_judge_is_left_out),
		cmocka_unit_test(a_wrong_line_is_refused_with_its_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
