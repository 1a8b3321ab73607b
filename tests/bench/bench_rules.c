/* bench_rules FILE...: what events cost the loaded rules, and the set in memory.
 *
 * A mix as a host makes it before the kernel's filter, from structs of live events through the fields that
 * the agent uses; then single execs from flat JSON. In ns of CPU an event, the best of some rounds, matches
 * with their outputs included. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/call_names.h"
#include "agent/rules/rules.h"
#include "agent/rules/rules_json.h"
#include "agent/world/world.h"
#include "common/json.h"

enum { JSON_ROUNDS = 100000, MIX_EVENTS = 400000, MIX_ROUNDS = 10, MIX_MAX = 128 };

/* ---- live ---- */

#define PIECES(s) ((struct slice){ s, sizeof(s) })

static const struct proc_row {
	uint32_t pid, ppid;
	const char *name, *exe, *argv0;
	struct slice args;
} family[] = {
	{ 1, 0, "systemd", "/usr/lib/systemd/systemd", "/sbin/init", PIECES("--system") },
	{ 10, 1, "containerd-shim", "/usr/bin/containerd-shim", "/usr/bin/containerd-shim", PIECES("-id\0x") },
	{ 20, 10, "node", "/usr/bin/node", "node", PIECES("server.js\0--port\0008080") },
	{ 30, 20, "sh", "/bin/dash", "sh", PIECES("-c\0convert -resize 10 a b") },
	{ 40, 1, "sshd", "/usr/sbin/sshd", "sshd", PIECES("-D") },
	{ 50, 40, "bash", "/bin/bash", "-bash", SLICE_NONE },
	{ 60, 50, "make", "/usr/bin/make", "make", PIECES("-j4\0all") },
};

static struct event_process process(uint32_t pid, bool in_container)
{
	const struct proc_row *row = NULL;

	for (size_t i = 0; i < ARRAY_LEN(family); i++)
		if (family[i].pid == pid)
			row = &family[i];
	struct event_process p = { .pid = pid, .tid = pid, .vpid = 7, .ppid = row ? row->ppid : 30,
				   .start_ns = 1000000000 + pid, .parent_start_ns = 1000000000 + (row ? row->ppid : 30),
				   .uid = 1000, .euid = 1000, .login_uid = UINT32_MAX, .session_id = 20, .group_id = 20,
				   .cgroup = in_container ? SLICE_LIT("/docker/0123456789ab") : SLICE_LIT("/user.slice") };

	if (row) {
		p.name = slice_of(row->name);
		p.exe = slice_of(row->exe);
		p.argv0 = slice_of(row->argv0);
		p.args = row->args;
	}
	p.cwd = SLICE_LIT("/app");
	return p;
}

static const struct {
	const char *name, *exe, *argv0;
	struct slice args;
} programs[] = { { "convert", "/usr/bin/convert", "convert", PIECES("-resize\00010\0a\0b") },
		 { "gcc", "/usr/bin/gcc", "gcc", PIECES("-O2\0-c\0main.c") },
		 { "ls", "/bin/ls", "ls", PIECES("-l") },
		 { "sed", "/bin/sed", "sed", PIECES("-i\0s/a/b/") } };
static const char *const paths[] = {
	"/usr/lib/x86_64-linux-gnu/libc.so.6", "/etc/ld.so.cache", "/usr/include/stdio.h", "/app/src/main.c",
	"/proc/self/stat", "/tmp/build/x.o", "/usr/lib/locale/locale-archive", "/app/node_modules/a/index.js",
	"/dev/null", "/etc/passwd", "/var/lib/app/data.db", "/sys/fs/cgroup/memory.max", "/usr/share/zoneinfo/UTC",
	"/app/public/style.css",
};

struct mixed {
	struct event e;
	const struct container *container;
};

static struct mixed mix[MIX_MAX];
static size_t mix_count;
static const struct container box = { .id = "0123456789abcdef", .name = "shop-1", .image = "registry:5000/team/shop:1.2",
				      .image_id = "sha256:ffee", .image_digest = "", .user = "app", .engine = "docker",
				      .is_named = true, .is_inspected = true };

static struct event *add(enum event_type type, size_t i)
{
	bool in_container = i % 2;
	struct mixed *m = &mix[mix_count++];

	m->container = in_container ? &box : NULL;
	m->e = (struct event){ .type = type, .unix_ns = 1700000005000000000, .boot_ns = 500000000000,
			       .p = process(in_container ? 20 : 60, in_container) };
	return &m->e;
}

static struct event *add_call(enum call c, size_t i)
{
	struct event *e = add(EV_CALL, i);

	e->p.exe = e->p.args = e->p.argv0 = SLICE_NONE;
	e->call = (struct event_call){ .call = c, .family = call_family(c), .fd = -1 };
	return e;
}

/* 5 % exec, 5 % exit, 5 % fork, 70 % open, 5 % connect, 10 % others. */
static void make_mix(void)
{
	static const enum call others[] = { CALL_SOCKET, CALL_UNLINKAT, CALL_DUP2, CALL_RENAME, CALL_MKDIR };

	for (size_t i = 0; i < 5; i++) {
		struct event *e = add(EV_EXEC, i);

		e->p.pid = e->p.tid = 70;
		e->p.ppid = i % 2 ? 30 : 60;
		e->p.parent_start_ns = 1000000000 + e->p.ppid;
		e->p.name = slice_of(programs[i % ARRAY_LEN(programs)].name);
		e->p.exe = slice_of(programs[i % ARRAY_LEN(programs)].exe);
		e->p.argv0 = slice_of(programs[i % ARRAY_LEN(programs)].argv0);
		e->p.args = programs[i % ARRAY_LEN(programs)].args;
		(void)add(EV_EXIT, i);
		(void)add(EV_FORK, i);
		e = add_call(CALL_CONNECT, i);
		e->call.sock_family = i % 3 ? AF_INET : AF_UNIX;
		e->call.sock_type = SOCK_STREAM;
		e->call.sock_protocol = i % 3 ? IPPROTO_TCP : 0;
		e->call.fd = 5;
		e->call.local = (struct event_end){ { 172, 17, 0, 2 }, 51000 };
		e->call.remote = (struct event_end){ { 172, 17, 0, 3 }, 5432 };
	}
	for (size_t i = 0; i < 70; i++) {
		struct event *e = add_call(i % 5 ? CALL_OPENAT : CALL_OPEN, i);
		bool failed = i % 6 == 0;

		e->call.path = e->call.raw = slice_of(paths[i % ARRAY_LEN(paths)]);
		e->call.base = SLICE_LIT("/app");
		e->call.ret = failed ? -ENOENT : 3;
		e->call.fd = failed ? -1 : 3;
		e->call.file_mode = failed ? 0 : S_IFREG | 0644;
		e->call.file_flags = i % 8 ? O_RDONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC;
		e->call.arg[i % 5 ? 2 : 1] = e->call.file_flags;
	}
	for (size_t i = 0; i < 10; i++) {
		struct event *e = add_call(others[i % ARRAY_LEN(others)], i);

		e->call.path = e->call.raw = SLICE_LIT("/tmp/x");
		e->call.arg[0] = AF_INET;
		e->call.sock_family = e->call.call == CALL_SOCKET ? AF_INET : 0;
	}
}

static void ignore(void *arg, const struct rules_match *m)
{
	(void)arg;
	(void)m;
}

static double now_ns(void)
{
	struct timespec t;

	/* Of this process alone: others on the machine are not the engine's cost. */
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static unsigned run(struct rules *r, struct world *w, size_t i, uint64_t number)
{
	struct rules_live live = { w, &mix[i].e, mix[i].container, number };
	const struct rules_source src = rules_live_source(&live);
	const char *type = rules_live_type(&mix[i].e);

	return type ? rules_eval(r, type, &src, ignore, NULL) : 0;
}

static int bench_mix(struct rules *r, struct err *err)
{
	static const struct world_ops ops = { 0 };
	static const struct world_config cfg = { .max_processes = 1024 };
	CLEANUP(loop_freep) struct loop *l = NULL;
	CLEANUP(world_freep) struct world *w = NULL;
	uint64_t matches = 0;
	unsigned each[MIX_MAX];

	int result = loop_new(&l, err);
	if (result >= 0)
		result = world_new(l, NULL, clock_real(), &cfg, &ops, NULL, &w, err);
	if (result < 0)
		return result;
	for (size_t i = 0; i < ARRAY_LEN(family); i++) {
		struct event_process p = process(family[i].pid, false);

		world_seed(w, &p);
	}
	make_mix();
	for (size_t i = 0; i < mix_count; i++)
		each[i] = run(r, w, i, i + 1);
	double best = 0, start;
	size_t at = 0;
	for (unsigned round = 0; round < MIX_ROUNDS; round++) {
		start = now_ns();
		for (uint64_t n = 0; n < MIX_EVENTS; n++) {
			matches += run(r, w, at, n + 1);
			at = at + 1 == mix_count ? 0 : at + 1;
		}
		double ns = (now_ns() - start) / MIX_EVENTS;
		best = !round || ns < best ? ns : best;
	}
	printf("mix: %.0f ns an event, %.2f M events/s, %.4f matches an event\n", best, 1000 / best,
	       (double)matches / MIX_EVENTS / MIX_ROUNDS);
	for (size_t i = 0; i < mix_count && getenv("BENCH_EACH"); i++) {
		start = now_ns();
		for (unsigned n = 0; n < 20000; n++)
			(void)run(r, w, i, n + 1);
		printf("  %-10s %-40.*s %.0f ns, %u matches\n", rules_live_type(&mix[i].e), SLICE_FMT(mix[i].e.call.path),
		       (now_ns() - start) / 20000, each[i]);
	}
	return 0;
}

/* ---- JSON ---- */

#define FACTS                                                                                      \
	"\"evt.type\":\"execve\",\"evt.num\":5,\"user.uid\":1000,\"user.name\":\"app\",\"user.loginuid\":-1,\"proc.tty\":0,"   \
	"\"proc.cwd\":\"/app/\",\"proc.pname\":\"node\",\"proc.pcmdline\":\"node server.js\",\"proc.duration\":100,"       \
	"\"proc.aname\":[\"node\",\"containerd-shim\",\"systemd\"],\"proc.is_exe_upper_layer\":false,"                     \
	"\"proc.is_exe_from_memfd\":false,\"container.image.repository\":\"shop\",\"proc.vpid\":7,"

static const char *const events[] = {
	"{" FACTS "\"container.id\":\"0123456789ab\",\"proc.name\":\"convert\",\"proc.exe\":\"convert\",\"proc.args\":"
	"\"-resize 10 a b\",\"proc.cmdline\":\"convert -resize 10 a b\",\"proc.exepath\":\"/usr/bin/convert\"}",
	"{" FACTS "\"container.id\":\"0123456789ab\",\"proc.name\":\"sh\",\"proc.exe\":\"sh\",\"proc.args\":\"-c id\","
	"\"proc.cmdline\":\"sh -c id\",\"proc.exepath\":\"/bin/sh\"}",
	"{" FACTS "\"container.id\":\"host\",\"proc.name\":\"ls\",\"proc.exe\":\"ls\",\"proc.args\":\"-l\","
	"\"proc.cmdline\":\"ls -l\",\"proc.exepath\":\"/bin/ls\"}",
};

static void bench_json(struct rules *r)
{
	for (size_t i = 0; i < ARRAY_LEN(events); i++) {
		CLEANUP(cJSON_Deletep) cJSON *json = NULL;
		unsigned matches = 0;

		if (json_parse(slice_of(events[i]), 1 << 20, &json, NULL) < 0)
			return;
		struct rules_source src = rules_json_source(json);
		double start = now_ns();
		for (int k = 0; k < JSON_ROUNDS; k++)
			matches = rules_eval(r, "execve", &src, ignore, NULL);
		printf("exec %zu as JSON: %.0f ns, %u matches\n", i, (now_ns() - start) / JSON_ROUNDS, matches);
	}
}

int main(int argc, char **argv)
{
	CLEANUP(rules_freep) struct rules *r = NULL;
	struct err err;
	size_t before = mallinfo2().uordblks;

	if (rules_load((const char *const *)(argv + 1), (size_t)argc - 1, &r, NULL, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return err_exit_code(err.code);
	}
	printf("%zu rules, %zu KiB\n", rules_count(r), (mallinfo2().uordblks - before) / 1024);
	if (bench_mix(r, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return err_exit_code(err.code);
	}
	bench_json(r);
	return 0;
}
